// SPDX-License-Identifier: GPL-2.0-only
//
// refcount_t (include/linux/refcount.h). Underflow and resurrection assert.
#pragma once

#include <cassert>

#include "stack/kernel/atomic.h"

namespace skbwalk {

struct refcount_t {
	atomic_t refs{1};
};
// What was written to the object before is seen by who then finds it alive.
inline void refcount_set(refcount_t &r, int n) { r.refs.counter.store(n, std::memory_order_release); }
inline int refcount_read(const refcount_t &r) { return atomic_read(r.refs); }
inline void refcount_add(int n, refcount_t &r) { atomic_add(n, r.refs); }
inline void refcount_inc(refcount_t &r)
{
	[[maybe_unused]] const int old = atomic_fetch_add(1, r.refs);
	assert(old > 0);
}
[[nodiscard]] inline bool refcount_inc_not_zero(refcount_t &r) { return atomic_inc_not_zero(r.refs); }
[[nodiscard]] inline bool refcount_sub_and_test(int n, refcount_t &r)
{
	const int old = atomic_fetch_sub(n, r.refs);
	assert(old >= n);
	return old == n;
}
[[nodiscard]] inline bool refcount_dec_and_test(refcount_t &r) { return refcount_sub_and_test(1, r); }

} // namespace skbwalk
