// SPDX-License-Identifier: GPL-2.0-only
//
// Nulls lists (include/linux/list_nulls.h, rculist_nulls.h): hash chains whose end marker carries the number
// of the chain, so that a lock-free reader that was led onto another chain (its object was freed and reused
// there) notices at the end and starts again. Links are real atomics: readers run beside a writer on other
// threads. Neither traced nor counted.
//
//   head.first -> node -> node -> (slot << 1 | 1)
//
// Unlike the kernel, links take the low 48 bits of a head's word, and what stands above is not read here:
// heads that share a cache line keep tags there (nulls_lines.h).
#pragma once

#include <atomic>

#include "stack/kernel/types.h"

namespace skbwalk {

struct hlist_nulls_node {
	std::atomic<std::uintptr_t> next{1};
	std::atomic<std::atomic<std::uintptr_t> *> pprev{nullptr};
};
struct hlist_nulls_head {
	std::atomic<std::uintptr_t> first{1};
};
inline std::uintptr_t NULLS_MARKER(std::uintptr_t value) { return value << 1 | 1; }
inline bool is_a_nulls(std::uintptr_t link) { return link & 1; }
inline std::uintptr_t get_nulls_value(std::uintptr_t link) { return link >> 1; }
inline hlist_nulls_node &nulls_entry(std::uintptr_t link)
{
	return *reinterpret_cast<hlist_nulls_node *>(link);
}
constexpr unsigned link_bits = 48;
constexpr std::uintptr_t link_mask = (std::uintptr_t{1} << link_bits) - 1;
inline void INIT_HLIST_NULLS_HEAD(hlist_nulls_head &h, std::uintptr_t value)
{
	h.first.store(NULLS_MARKER(value), std::memory_order_relaxed);
}
inline std::uintptr_t hlist_nulls_first(const hlist_nulls_head &h)
{
	return h.first.load(std::memory_order_acquire) & link_mask;
}
inline std::uintptr_t hlist_nulls_next(const hlist_nulls_node &n)
{
	return n.next.load(std::memory_order_acquire);
}
inline bool hlist_nulls_unhashed(const hlist_nulls_node &n)
{
	return n.pprev.load(std::memory_order_relaxed) == nullptr;
}
// One writer a chain at a time (the bucket's lock).
inline void hlist_nulls_add_head_rcu(hlist_nulls_node &n, hlist_nulls_head &h)
{
	const std::uintptr_t first = h.first.load(std::memory_order_relaxed) & link_mask;
	n.next.store(first, std::memory_order_relaxed);
	n.pprev.store(&h.first, std::memory_order_relaxed);
	h.first.store(reinterpret_cast<std::uintptr_t>(&n), std::memory_order_release);
	if (!is_a_nulls(first))
		nulls_entry(first).pprev.store(&n.next, std::memory_order_relaxed);
}
inline void hlist_nulls_add_tail_rcu(hlist_nulls_node &n, hlist_nulls_head &h)
{
	std::atomic<std::uintptr_t> *at = &h.first;
	std::uintptr_t link;
	while (!is_a_nulls(link = at->load(std::memory_order_relaxed) & link_mask))
		at = &nulls_entry(link).next;
	n.next.store(link, std::memory_order_relaxed);
	n.pprev.store(at, std::memory_order_relaxed);
	at->store(reinterpret_cast<std::uintptr_t>(&n), std::memory_order_release);
}
// The node keeps its next, so that a reader on it goes on.
inline void hlist_nulls_del_init_rcu(hlist_nulls_node &n)
{
	std::atomic<std::uintptr_t> *pprev = n.pprev.load(std::memory_order_relaxed);
	if (!pprev)
		return;
	const std::uintptr_t next = n.next.load(std::memory_order_relaxed);
	pprev->store(next, std::memory_order_relaxed);
	if (!is_a_nulls(next))
		nulls_entry(next).pprev.store(pprev, std::memory_order_relaxed);
	n.pprev.store(nullptr, std::memory_order_relaxed);
}

} // namespace skbwalk
