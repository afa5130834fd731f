// SPDX-License-Identifier: GPL-2.0-only
//
// atomic_t (include/linux/atomic.h): a counter that several threads of the machine may change at once, as
// readers of the established hash do. A world runs on one thread, and while the process has no other, what
// reads, adds and writes does so by plain instructions, not by locked ones. The kernel patches its lock
// prefixes away where it finds one cpu (arch/x86/kernel/alternative.c); here the C library says it.
#pragma once

#include <atomic>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define SKBWALK_ONE_THREAD __builtin_expect(__libc_single_threaded, 1)
#else
#define SKBWALK_ONE_THREAD false
#endif

namespace skbwalk {

struct atomic_t {
	std::atomic<int> counter{0};
};
// Relaxed, as in the kernel.
inline int atomic_read(const atomic_t &v) { return v.counter.load(std::memory_order_relaxed); }
inline void atomic_set(atomic_t &v, int n) { v.counter.store(n, std::memory_order_relaxed); }
// Returns what was there before. What was written ahead of it is seen by who comes after it.
inline int atomic_fetch_add(int n, atomic_t &v)
{
	if (SKBWALK_ONE_THREAD) {
		const int old = atomic_read(v);

		atomic_set(v, old + n);
		return old;
	}
	return v.counter.fetch_add(n, std::memory_order_acq_rel);
}
inline int atomic_fetch_sub(int n, atomic_t &v) { return atomic_fetch_add(-n, v); }
inline int atomic_add_return(int n, atomic_t &v) { return atomic_fetch_add(n, v) + n; }
inline void atomic_add(int n, atomic_t &v) { atomic_fetch_add(n, v); }
inline void atomic_inc(atomic_t &v) { atomic_add(1, v); }
// False: it is 0, and stays so. Who gets true sees what was written before it was set.
[[nodiscard]] inline bool atomic_inc_not_zero(atomic_t &v)
{
	int old = atomic_read(v);

	if (SKBWALK_ONE_THREAD) {
		atomic_set(v, old + (old != 0));
		return old != 0;
	}
	while (old && !v.counter.compare_exchange_weak(old, old + 1, std::memory_order_acquire,
	                                               std::memory_order_relaxed))
		;
	return old != 0;
}

} // namespace skbwalk
