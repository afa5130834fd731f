// SPDX-License-Identifier: GPL-2.0-only
//
// MD5 after RFC 1321 (crypto/md5.c): md5_init, md5_update as often as there is data, md5_final; each full
// block goes through md5_transform. Left out: the layers of the crypto API around it.
#include "stack/kernel/md5.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "stack/trace/trace.h"

namespace skbwalk {

namespace {

// floor(2^32 |sin(i + 1)|)
constexpr std::array<u32, 64> sines = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr int turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

} // namespace

static void md5_transform(std::array<u32, 4> &hash, const u8 *in)
{
	TRACE();
	std::array<u32, 16> words;
	auto [a, b, c, d] = hash;

	std::memcpy(words.data(), in, MD5_BLOCK_SIZE); // little endian, as the machine is
	for (u32 i = 0; i < 64; ++i) {
		u32 f, g;

		switch (i / 16) {
		case 0:
			f = (b & c) | (~b & d);
			g = i;
			break;
		case 1:
			f = (d & b) | (~d & c);
			g = 5 * i + 1;
			break;
		case 2:
			f = b ^ c ^ d;
			g = 3 * i + 5;
			break;
		default:
			f = c ^ (b | ~d);
			g = 7 * i;
			break;
		}
		f += a + sines[i] + words[g % 16];
		a = d;
		d = c;
		c = b;
		b += std::rotl(f, turns[i / 16][i % 4]);
	}
	hash[0] += a;
	hash[1] += b;
	hash[2] += c;
	hash[3] += d;
}

void md5_init(md5_state &mctx)
{
	TRACE();
	mctx.hash = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	mctx.byte_count = 0;
}

void md5_update(md5_state &mctx, const void *data, std::size_t len)
{
	TRACE();
	const u8 *from = static_cast<const u8 *>(data);
	std::size_t held = mctx.byte_count % MD5_BLOCK_SIZE;

	mctx.byte_count += len;
	while (len) {
		const std::size_t n = std::min(len, MD5_BLOCK_SIZE - held);

		std::memcpy(mctx.block.data() + held, from, n);
		from += n;
		len -= n;
		held += n;
		if (held < MD5_BLOCK_SIZE)
			return;
		md5_transform(mctx.hash, mctx.block.data());
		held = 0;
	}
}

void md5_final(md5_state &mctx, u8 *out)
{
	TRACE();
	const u64 bits = mctx.byte_count * 8;
	const std::size_t held = mctx.byte_count % MD5_BLOCK_SIZE;
	u8 *p = mctx.block.data() + held;
	std::size_t room = MD5_BLOCK_SIZE - held - 1;

	*p++ = 0x80;
	if (room < sizeof(bits)) {
		std::memset(p, 0, room);
		md5_transform(mctx.hash, mctx.block.data());
		p = mctx.block.data();
		room = MD5_BLOCK_SIZE;
	}
	std::memset(p, 0, room - sizeof(bits));
	std::memcpy(p + room - sizeof(bits), &bits, sizeof(bits));
	md5_transform(mctx.hash, mctx.block.data());
	std::memcpy(out, mctx.hash.data(), MD5_DIGEST_SIZE);
}

} // namespace skbwalk
