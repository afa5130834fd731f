// SPDX-License-Identifier: GPL-2.0-only
//
// A bounded queue of pointers between producers and consumers (include/linux/ptr_ring.h). An empty place is
// null, so that each side looks only at its own end. Left out: batched zeroing of consumed places, resizing.
#pragma once

#include <cerrno>
#include <vector>

#include "stack/kernel/spinlock.h"

namespace skbwalk {

struct ptr_ring {
	std::vector<void *> queue;
	u32 producer = 0;
	u32 consumer_head = 0;
	spinlock_t producer_lock;
	spinlock_t consumer_lock;
};

inline int ptr_ring_init(ptr_ring &r, u32 size)
{
	TRACE_INLINE();
	r.queue.assign(size, nullptr);
	r.producer = r.consumer_head = 0;
	return 0;
}

// Nobody but the producer's lock holder may call it.
inline int __ptr_ring_produce(ptr_ring &r, void *ptr)
{
	TRACE_INLINE();
	if (r.queue.empty() || r.queue[r.producer])
		return -ENOSPC;
	r.queue[r.producer++] = ptr;
	if (r.producer >= r.queue.size())
		r.producer = 0;
	return 0;
}

inline int ptr_ring_produce(ptr_ring &r, void *ptr)
{
	TRACE_INLINE();
	spin_lock(r.producer_lock);
	const int ret = __ptr_ring_produce(r, ptr);

	spin_unlock(r.producer_lock);
	return ret;
}

inline bool __ptr_ring_empty(const ptr_ring &r) { return r.queue.empty() || !r.queue[r.consumer_head]; }

// Null: nothing there. Consumers take turns by themselves.
inline void *__ptr_ring_consume(ptr_ring &r)
{
	TRACE_INLINE();
	if (__ptr_ring_empty(r))
		return nullptr;
	void *ptr = r.queue[r.consumer_head];

	r.queue[r.consumer_head++] = nullptr;
	if (r.consumer_head >= r.queue.size())
		r.consumer_head = 0;
	return ptr;
}

inline void *ptr_ring_consume(ptr_ring &r)
{
	TRACE_INLINE();
	spin_lock(r.consumer_lock);
	void *ptr = __ptr_ring_consume(r);

	spin_unlock(r.consumer_lock);
	return ptr;
}

inline void ptr_ring_cleanup(ptr_ring &r, void (*destroy)(void *ptr))
{
	TRACE_INLINE();
	if (destroy)
		while (void *ptr = ptr_ring_consume(r))
			destroy(ptr);
	r.queue.clear();
}

} // namespace skbwalk
