// SPDX-License-Identifier: GPL-2.0-only
//
// refcount_t (include/linux/refcount.h), with real atomics: readers of the established hash run on real
// threads in tests. Underflow and resurrection assert.
#pragma once

#include <atomic>
#include <cassert>

#include "stack/kernel/types.h"

namespace skbwalk {

struct refcount_t {
	std::atomic<int> refs{1};
};
// What was written to the object before is seen by who then finds it alive.
inline void refcount_set(refcount_t &r, int n) { r.refs.store(n, std::memory_order_release); }
inline int refcount_read(const refcount_t &r) { return r.refs.load(std::memory_order_relaxed); }
inline void refcount_inc(refcount_t &r)
{
	[[maybe_unused]] const int old = r.refs.fetch_add(1, std::memory_order_relaxed);
	assert(old > 0);
}
inline void refcount_add(int n, refcount_t &r) { r.refs.fetch_add(n, std::memory_order_relaxed); }
[[nodiscard]] inline bool refcount_inc_not_zero(refcount_t &r)
{
	int old = r.refs.load(std::memory_order_relaxed);
	while (old && !r.refs.compare_exchange_weak(old, old + 1, std::memory_order_acquire,
	                                            std::memory_order_relaxed))
		;
	return old != 0;
}
[[nodiscard]] inline bool refcount_sub_and_test(int n, refcount_t &r)
{
	const int old = r.refs.fetch_sub(n, std::memory_order_acq_rel);
	assert(old >= n);
	return old == n;
}
[[nodiscard]] inline bool refcount_dec_and_test(refcount_t &r) { return refcount_sub_and_test(1, r); }

} // namespace skbwalk
