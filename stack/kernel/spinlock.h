// SPDX-License-Identifier: GPL-2.0-only
//
// Spin locks (kernel/locking/spinlock.c). Cpus of a host run on one thread, so a lock is an owner's mark:
// taking one twice on the same cpu, releasing one that is not held, sleeping or returning to user mode with
// one held assert.
#pragma once

#include "stack/kernel/context.h"
#include "stack/trace/trace.h"

namespace skbwalk {

struct spinlock_t {
	const cpu *owner = nullptr;
};
using rwlock_t = spinlock_t;

void _raw_spin_lock(spinlock_t &lock);
void _raw_spin_unlock(spinlock_t &lock);
void _raw_spin_lock_bh(spinlock_t &lock);
void _raw_spin_unlock_bh(spinlock_t &lock);
void _raw_spin_lock_irq(spinlock_t &lock);
void _raw_spin_unlock_irq(spinlock_t &lock);
[[nodiscard]] unsigned long _raw_spin_lock_irqsave(spinlock_t &lock);
void _raw_spin_unlock_irqrestore(spinlock_t &lock, unsigned long flags);
[[nodiscard]] bool _raw_spin_trylock(spinlock_t &lock);
void _raw_read_lock_bh(rwlock_t &lock);
void _raw_read_unlock_bh(rwlock_t &lock);
void _raw_write_lock(rwlock_t &lock);
void _raw_write_unlock(rwlock_t &lock);
void _raw_write_lock_bh(rwlock_t &lock);
void _raw_write_unlock_bh(rwlock_t &lock);

// PREEMPT_DYNAMIC leaves _raw_spin_unlock out of line (UNINLINE_SPIN_UNLOCK).
inline void spin_lock(spinlock_t &l)
{
	TRACE_INLINE();
	_raw_spin_lock(l);
}
inline void spin_unlock(spinlock_t &l)
{
	TRACE_INLINE();
	_raw_spin_unlock(l);
}
inline void spin_lock_bh(spinlock_t &l)
{
	TRACE_INLINE();
	_raw_spin_lock_bh(l);
}
inline void spin_unlock_bh(spinlock_t &l)
{
	TRACE_INLINE();
	_raw_spin_unlock_bh(l);
}
inline bool spin_is_locked(const spinlock_t &l) { return l.owner != nullptr; }

// local_irq_save and friends: inline in the kernel and so not traced.
[[nodiscard]] unsigned long local_irq_save();
void local_irq_restore(unsigned long flags);
void local_irq_disable();
void local_irq_enable();
bool irqs_disabled();

} // namespace skbwalk
