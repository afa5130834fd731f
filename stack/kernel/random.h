// SPDX-License-Identifier: GPL-2.0-only
//
// Random numbers (drivers/char/random.c by name). Streams are derived from (seed, host, purpose), so that a
// new consumer disturbs no other; hashes keyed once a host are siphash.
#pragma once

#include <bit>

#include "stack/kernel/context.h"

namespace skbwalk {

u8 get_random_u8();
u16 get_random_u16();
u32 get_random_u32();
u64 get_random_u64();
u32 __get_random_u32_below(u32 ceil);
// For a limit that is known when compiled: as many bits as it needs.
template <u32 Ceil> u32 get_random_u32_below()
{
	static_assert(Ceil > 1 && Ceil <= 1u << 8);
	for (;;) {
		const u32 mult = Ceil * get_random_u8();

		if ((mult & 0xff) >= (1u << 8) % Ceil)
			return mult >> 8;
	}
}
inline u32 prandom_u32_max(u32 ceil) { return __get_random_u32_below(ceil); }
void get_random_bytes(void *buf, std::size_t n);

// A stream of its own for what is not the kernel's random (links, scenarios): splitmix64 of (seed, purpose).
struct random_stream {
	u64 state;
	random_stream(u64 seed, const char *purpose, u64 extra = 0);
	u64 next();
	u32 below(u32 ceil);
	double unit(); // in [0, 1)
};

struct siphash_key_t {
	u64 key[2] = {0, 0};
};
u64 siphash_3u32(u32 a, u32 b, u32 c, const siphash_key_t &key);
u64 siphash_4u32(u32 a, u32 b, u32 c, u32 d, const siphash_key_t &key);
u64 siphash_1u64(u64 a, const siphash_key_t &key);
u64 siphash_2u64(u64 a, u64 b, const siphash_key_t &key);
u64 siphash_3u64(u64 a, u64 b, u64 c, const siphash_key_t &key);
u64 siphash_4u64(u64 a, u64 b, u64 c, u64 d, const siphash_key_t &key);
u64 siphash_1u32(u32 a, const siphash_key_t &key);
u64 siphash_2u32(u32 a, u32 b, const siphash_key_t &key);
u64 siphash(const void *data, std::size_t len, const siphash_key_t &key);
// SipHash-1-3, as the kernel's hsiphash is where words have 64 bits: half of the result.
u32 hsiphash(const void *data, std::size_t len, const siphash_key_t &key);
// lib/jhash: Jenkins' lookup3, as include/linux/jhash.h gives it.
constexpr u32 JHASH_INITVAL = 0xdeadbeef;
struct jhash_state {
	u32 a, b, c;

	void mix()
	{
		turn(a, c, 4, b);
		turn(b, a, 6, c);
		turn(c, b, 8, a);
		turn(a, c, 16, b);
		turn(b, a, 19, c);
		turn(c, b, 4, a);
	}
	u32 final()
	{
		fold(c, b, 14);
		fold(a, c, 11);
		fold(b, a, 25);
		fold(c, b, 16);
		fold(a, c, 4);
		fold(b, a, 14);
		fold(c, b, 24);
		return c;
	}

private:
	static void turn(u32 &x, u32 &y, int by, u32 z)
	{
		x -= y;
		x ^= std::rotl(y, by);
		y += z;
	}
	static void fold(u32 &x, u32 y, int by)
	{
		x ^= y;
		x -= std::rotl(y, by);
	}
};

inline u32 jhash_nwords(u32 a, u32 b, u32 c, u32 initval)
{
	jhash_state s{a + initval, b + initval, c + initval};
	return s.final();
}
inline u32 jhash_1word(u32 a, u32 initval)
{
	return jhash_nwords(a, 0, 0, initval + JHASH_INITVAL + (1 << 2));
}
inline u32 jhash_2words(u32 a, u32 b, u32 initval)
{
	return jhash_nwords(a, b, 0, initval + JHASH_INITVAL + (2 << 2));
}
inline u32 jhash_3words(u32 a, u32 b, u32 c, u32 initval)
{
	return jhash_nwords(a, b, c, initval + JHASH_INITVAL + (3 << 2));
}
u32 jhash(const void *key, u32 length, u32 initval);
u32 jhash2(const u32 *k, u32 length, u32 initval);
inline u32 hash_32(u32 v, unsigned bits) { return (v * 0x61C88647u) >> (32 - bits); }
inline u32 reciprocal_scale(u32 val, u32 ep_ro)
{
	return static_cast<u32>((static_cast<u64>(val) * ep_ro) >> 32);
}

} // namespace skbwalk
