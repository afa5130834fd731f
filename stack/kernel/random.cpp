// SPDX-License-Identifier: GPL-2.0-only
//
// Random numbers (drivers/char/random.c, by its doors). Each host draws from one stream, splitmix64 of the
// world's seed, the host and the purpose; other consumers make a random_stream of their own, and so disturb
// none.
#include "stack/kernel/random.h"

#include <cstring>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

constexpr u64 mix(u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

u64 draw() { return current.host->state->random.next(); }

} // namespace

random_stream::random_stream(u64 seed, const char *purpose, u64 extra) : state(mix(seed + 0x9e3779b97f4a7c15))
{
	for (const char *p = purpose; *p; ++p)
		state = mix(state ^ static_cast<u8>(*p));
	state = mix(state ^ extra);
}

u64 random_stream::next()
{
	state += 0x9e3779b97f4a7c15;
	return mix(state);
}

u32 random_stream::below(u32 ceil)
{
	// The remainder of 2^32 by ceil is left out, so that no value is likelier.
	const u32 bound = -ceil % ceil;
	u64 product;

	do
		product = u64{ceil} * static_cast<u32>(next() >> 32);
	while (static_cast<u32>(product) < bound);
	return static_cast<u32>(product >> 32);
}

double random_stream::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

u8 get_random_u8()
{
	TRACE();
	return static_cast<u8>(draw() >> 56);
}

u16 get_random_u16()
{
	TRACE();
	return static_cast<u16>(draw() >> 48);
}

u32 get_random_u32()
{
	TRACE();
	return static_cast<u32>(draw() >> 32);
}

u64 get_random_u64()
{
	TRACE();
	return draw();
}

u32 __get_random_u32_below(u32 ceil)
{
	TRACE();
	const u32 rand = get_random_u32();

	if (!ceil)
		return rand;
	u64 product = u64{ceil} * rand;

	if (static_cast<u32>(product) < ceil) {
		const u32 bound = -ceil % ceil;

		while (static_cast<u32>(product) < bound)
			product = u64{ceil} * get_random_u32();
	}
	return static_cast<u32>(product >> 32);
}

namespace {

void _get_random_bytes(u8 *at, std::size_t n)
{
	TRACE();
	while (n) {
		const u64 word = draw();
		const std::size_t part = n < sizeof(word) ? n : sizeof(word);

		std::memcpy(at, &word, part);
		at += part;
		n -= part;
	}
}

} // namespace

void get_random_bytes(void *buf, std::size_t n)
{
	TRACE();
	_get_random_bytes(static_cast<u8 *>(buf), n);
}

} // namespace skbwalk
