// SPDX-License-Identifier: GPL-2.0-only
//
// lib/checksum.c and arch/x86/lib/csum-partial_64.c: sums of 16-bit words in ones' complement, eight bytes at
// a time.
#include "stack/wire/checksum.h"

#include <cstring>

#include "stack/trace/trace.h"
#include "stack/wire/ones_sum.h"

// Where a machine has wider registers they are used; sanitizers cannot follow what chooses at the program's
// start.
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define SKBWALK_WIDE [[gnu::target_clones("avx2", "default")]]
#else
#define SKBWALK_WIDE
#endif

namespace skbwalk {

namespace {

u64 add64_with_carry(u64 a, u64 b)
{
	const u64 r = a + b;

	return r + (r < b);
}

u32 fold64(u64 sum)
{
	const u64 r = (sum & 0xffffffff) + (sum >> 32);

	return static_cast<u32>(r) + static_cast<u32>(r >> 32);
}

using words = u64 __attribute__((vector_size(32)));
struct [[gnu::packed, gnu::may_alias]] words_anywhere { words w; };

// The sum of the 32-bit words of whole 64-byte blocks: lanes of 64 bits take the carries, so that nothing
// waits for anything. They are read in place: a copy in between would be written by halves and read whole,
// which waits for memory.
SKBWALK_WIDE u64 sum_blocks(const u8 *p, u32 blocks)
{
	const words low = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
	words even{}, odd{};

	for (; blocks; --blocks, p += 64) {
		const auto *const at = reinterpret_cast<const words_anywhere *>(p);
		const words a = at[0].w, b = at[1].w;

		even += (a & low) + (b & low);
		odd += (a >> 32) + (b >> 32);
	}
	even += odd;
	return even[0] + even[1] + even[2] + even[3];
}

// The same of blocks that are copied on the way.
SKBWALK_WIDE u64 sum_copied_blocks(u8 *to, const u8 *p, u32 blocks)
{
	const words low = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
	words even{}, odd{};

	for (; blocks; --blocks, p += 64, to += 64) {
		const auto *const at = reinterpret_cast<const words_anywhere *>(p);
		auto *const copy = reinterpret_cast<words_anywhere *>(to);
		const words a = at[0].w, b = at[1].w;

		copy[0].w = a;
		copy[1].w = b;
		even += (a & low) + (b & low);
		odd += (a >> 32) + (b >> 32);
	}
	even += odd;
	return even[0] + even[1] + even[2] + even[3];
}

inline __wsum sum_words(const void *data, u32 len, __wsum sum)
{
	const auto *p = static_cast<const u8 *>(data);
	u64 acc = sum;

	if (len >= 64) {
		acc += sum_blocks(p, len / 64);
		p += len & ~63U;
		len &= 63;
	}
	for (; len >= 8; len -= 8, p += 8) {
		u64 word;

		std::memcpy(&word, p, 8);
		acc = add64_with_carry(acc, word);
	}
	if (len) {
		u64 word = 0;

		std::memcpy(&word, p, len);
		acc = add64_with_carry(acc, word);
	}
	return fold64(acc);
}

} // namespace

// not traced: not the kernel's
u32 ones_sum(const void *data, u32 len) { return sum_words(data, len, 0); }

// not traced: not the kernel's
u32 ones_sum_copied(void *to, const void *from, u32 len)
{
	const u32 blocks = len / 64, rest = len % 64;
	auto *const copy = static_cast<u8 *>(to);
	const auto *const p = static_cast<const u8 *>(from);
	const __wsum sum = blocks ? fold64(sum_copied_blocks(copy, p, blocks)) : 0;

	std::memcpy(copy + len - rest, p + len - rest, rest);
	return sum_words(p + len - rest, rest, sum);
}

__wsum csum_partial(const void *data, u32 len, __wsum sum)
{
	TRACE();
	return sum_words(data, len, sum);
}

__wsum csum_partial_copy_nocheck(const void *src, void *dst, u32 len)
{
	TRACE();
	return ones_sum_copied(dst, src, len);
}

__wsum csum_and_copy_from_user(const void *src, void *dst, u32 len)
{
	TRACE();
	return ones_sum_copied(dst, src, len);
}

__wsum csum_and_copy_to_user(const void *src, void *dst, u32 len)
{
	TRACE();
	return ones_sum_copied(dst, src, len);
}

// not traced: inline assembly in the kernel
__wsum csum_tcpudp_nofold(be32 saddr, be32 daddr, u32 len, u8 proto, __wsum sum)
{
	u64 acc = sum;

	acc += saddr.raw();
	acc += daddr.raw();
	acc += static_cast<u64>(len + proto) << 8;
	return fold64(acc);
}

// not traced: inline assembly in the kernel
be16 ip_fast_csum(const void *iph, u32 ihl_words)
{
	if (__builtin_expect(ihl_words != 5, 0))
		return csum_fold(sum_words(iph, ihl_words * 4, 0));
	const auto *p = static_cast<const u8 *>(iph);
	// By the words that a header is made of: a read of what two writes have left waits for both to be in
	// the cache.
	const auto word16 = [p](int at) {
		u16 w;

		std::memcpy(&w, p + at, sizeof(w));
		return u64{w};
	};
	const auto word32 = [p](int at) {
		u32 w;

		std::memcpy(&w, p + at, sizeof(w));
		return u64{w};
	};

	return csum_fold(fold64(word16(0) + word16(2) + word16(4) + word16(6) + word16(8) + word16(10) +
	                        word32(12) + word32(16)));
}

be16 ip_compute_csum(const void *data, u32 len)
{
	TRACE();
	return csum_fold(csum_partial(data, len, 0));
}

// not traced: header inline without a name of interest
void csum_replace4(be16 &sum, be32 from, be32 to)
{
	const __wsum tmp = csum_sub(~csum_unfold(sum), from.raw());

	sum = csum_fold(csum_add(tmp, to.raw()));
}

// not traced: as csum_replace4
void csum_replace2(be16 &sum, be16 from, be16 to)
{
	const __wsum tmp = csum_sub(~csum_unfold(sum), from.raw());

	sum = csum_fold(csum_add(tmp, to.raw()));
}

} // namespace skbwalk
