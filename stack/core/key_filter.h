// SPDX-License-Identifier: GPL-2.0-only
//
// A filter beside a large table: it says of most keys that are not in the table that they are not, by one
// multiplication and one word, before a hash is computed and the table read.
//
// A key has a word and a print in it, a byte that is not 0. A word holds seven prints and, in its highest
// byte, how many members had no place among them. It says only how many members with which print there are:
// who leaves takes any print equal to its own, or one off the count. While there is a count a word tells
// nothing, nor ever again once it would be more than a byte holds.
//
// Readers take no lock. Their answer is right at the moment that they read the word, and so in order with
// what writers do who add a member before they lead anyone to it (add() releases, and readers acquire: who
// found a member, or heard of it, finds its print), and remove it after.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "stack/kernel/sanitizers.h"
#include "stack/kernel/types.h"

namespace skbwalk {

using filter_word = std::atomic<u64>;
constexpr unsigned prints_per_word = 7;
constexpr u64 print_ones = 0x01010101010101, one_without_print = u64{1} << 56;

// What a filter goes by, of any two words that a key is: the low bits say the word, the highest the print.
inline u64 filter_hash(u64 key, u64 more_of_it, u64 secret)
{
	__extension__ using u128 = unsigned __int128;
	const u128 m = static_cast<u128>(key ^ secret) * (more_of_it ^ 0x9e3779b97f4a7c15);
	return static_cast<u64>(m) ^ static_cast<u64>(m >> 64);
}
// Seven times the print of each hash.
inline constexpr auto seven_prints = [] {
	std::array<u64, 256> of{};
	for (u64 n = 0; n < of.size(); ++n)
		of[n] = (n ? n : 0xff) * print_ones;
	return of;
}();
inline u64 filter_prints(u64 hash) { return seven_prints[hash >> 56]; }
// Bit 8n + 7 of the lowest n that has this print; above it there may be others. 0: none.
inline u64 prints_like(u64 word, u64 prints)
{
	const u64 differs = word ^ prints;
	return (differs - print_ones) & ~differs & print_ones << 7;
}
inline bool filter_lacks(const filter_word &word, u64 hash)
{
// The thread sanitizer does not know this read for an atomic one.
#if defined(__SSE2__) && !defined(SKBWALK_TSAN)
	const auto load = [](const void *at) { return _mm_loadl_epi64(static_cast<const __m128i *>(at)); };
	const __m128i same = _mm_cmpeq_epi8(load(&word), load(&seven_prints[hash >> 56]));
	return static_cast<u8>(_mm_movemask_epi8(same)) == 0x80; // the count is the same, 0, and no print
#else
	const u64 now = word.load(std::memory_order_acquire);
	return !(prints_like(now, filter_prints(hash)) | now >> 56);
#endif
}

inline void filter_add(filter_word &word, u64 hash)
{
	u64 now, old = word.load(std::memory_order_relaxed);
	do {
		if (const u64 free = prints_like(old, 0))
			now = old | (filter_prints(hash) & u64{0xff} << (std::countr_zero(free) - 7));
		else
			now = old >> 56 == 0xff ? old : old + one_without_print;
	} while (!word.compare_exchange_weak(old, now, std::memory_order_release, std::memory_order_relaxed));
}
inline void filter_remove(filter_word &word, u64 hash)
{
	u64 now, old = word.load(std::memory_order_relaxed);
	do {
		if (const u64 like = prints_like(old, filter_prints(hash))) {
			now = old & ~(u64{0xff} << (std::countr_zero(like) - 7));
		} else {
			assert(old >> 56);
			now = old >> 56 == 0xff ? old : old - one_without_print;
		}
	} while (!word.compare_exchange_weak(old, now, std::memory_order_release, std::memory_order_relaxed));
}

} // namespace skbwalk
