// SPDX-License-Identifier: GPL-2.0-only
//
// Heads of nulls lists in lines, for a hash that no cache holds.
//
// Unlike the kernel's, heads stand eight to a cache line and share its members: one that comes goes to a
// chain of the line that is empty, and only when none is to the line's first. So nearly every chain has one
// member, and who has read the line knows where to look: links take the low 48 bits of a head's word, 15
// above are bits of the first member's hash, its tag, and the highest says that there are more behind it:
//
//   line[0] more|tag|node -> node -> (slot << 1 | 1)      of any tag
//   line[1] 0|tag|node -> (slot + 1 << 1 | 1)
//   line[2] 0|0|(slot + 2 << 1 | 1)
//
// Members come at a head's front, as in every nulls list, and stay in one chain while they are in: a
// lock-free reader that reads each word once, and walks the chains that could have its member to their ends,
// misses none that was there all the time. One writer a line at a time (its lock); `tag_of` says a member's
// tag.
#pragma once

#include <bit>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "stack/core/nulls.h"
#include "stack/kernel/sanitizers.h"

namespace skbwalk {

constexpr unsigned heads_per_line = 8;
constexpr unsigned tag_shift = link_bits, more_shift = 63, tag_bits = more_shift - tag_shift;
static_assert(sizeof(hlist_nulls_head) * heads_per_line == 64);

// Which of a line's chains could have a member of this tag: bit 2n + 1 stands for line[n].
inline unsigned heads_of_tag(const hlist_nulls_head *line, unsigned tag)
{
// The thread sanitizer does not take a read of 16 bytes for two of words.
#if defined(__SSE2__) && !defined(SKBWALK_TSAN)
	// Reads of 16 bytes are two of words: of each its upper half is taken, of that its own upper half.
	const auto *words = reinterpret_cast<const float *>(line);
	const auto upper_of = [words](int n) {
		return _mm_srai_epi32(_mm_castps_si128(_mm_shuffle_ps(_mm_load_ps(words + 2 * n),
		                                                      _mm_load_ps(words + 2 * n + 4),
		                                                      _MM_SHUFFLE(3, 1, 3, 1))),
		                      tag_shift - 32);
	};
	const __m128i uppers = _mm_packs_epi32(upper_of(0), upper_of(4));
	const __m128i same = _mm_cmpeq_epi16(uppers, _mm_set1_epi16(static_cast<short>(tag)));
	return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(same, uppers))) & 0xaaaa;
#else
	unsigned heads = 0;
	for (unsigned n = 0; n < heads_per_line; ++n) {
		const std::uintptr_t word = line[n].first.load(std::memory_order_acquire);
		heads |= static_cast<unsigned>(word >> more_shift || word >> tag_shift == tag) << (2 * n + 1);
	}
	return heads;
#endif
}
inline u32 first_of_heads(unsigned heads) { return static_cast<u32>(std::countr_zero(heads)) / 2; }
// A head's word that leads to `link`.
template <class Tag> std::uintptr_t word_of_line(std::uintptr_t link, Tag tag_of)
{
	if (is_a_nulls(link))
		return link;
	const std::uintptr_t tag = tag_of(nulls_entry(link)),
			     more = !is_a_nulls(hlist_nulls_next(nulls_entry(link)));
	return tag << tag_shift | more << more_shift | link;
}
template <class Tag> void add_to_line(hlist_nulls_node &n, hlist_nulls_head &h, Tag tag_of)
{
	const std::uintptr_t first = hlist_nulls_first(h);
	n.next.store(first, std::memory_order_relaxed);
	n.pprev.store(&h.first, std::memory_order_relaxed);
	h.first.store(word_of_line(reinterpret_cast<std::uintptr_t>(&n), tag_of), std::memory_order_release);
	if (!is_a_nulls(first))
		nulls_entry(first).pprev.store(&n.next, std::memory_order_relaxed);
}
// hlist_nulls_del_init_rcu of a member of `h`.
template <class Tag> void del_init_of_line(hlist_nulls_node &n, hlist_nulls_head &h, Tag tag_of)
{
	std::atomic<std::uintptr_t> *pprev = n.pprev.load(std::memory_order_relaxed);
	const std::uintptr_t next = n.next.load(std::memory_order_relaxed);
	if (pprev != &h.first)
		pprev->store(next, std::memory_order_relaxed);
	h.first.store(word_of_line(pprev == &h.first ? next : hlist_nulls_first(h), tag_of),
	              std::memory_order_release);
	if (!is_a_nulls(next))
		nulls_entry(next).pprev.store(pprev, std::memory_order_relaxed);
	n.pprev.store(nullptr, std::memory_order_relaxed);
}

} // namespace skbwalk
