// SPDX-License-Identifier: GPL-2.0-only
//
// Spin locks (kernel/locking/spinlock.c). A lock is its owner's mark. Where the cpus of a host are left in
// the middle (cpus.h), one may find a lock taken by another: it waits, and the holder hands the lock on.
#include "stack/kernel/spinlock.h"

#include <cassert>

#include "stack/kernel/cpus.h"
#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

[[gnu::noinline, gnu::cold]] void found_taken(spinlock_t &lock)
{
	assert(lock.owner() != current.cpu && "spin lock taken twice on one cpu");
	current.cpu->preempt_count += PREEMPT_OFFSET;
	wait_for_lock(lock);
}

[[gnu::noinline, gnu::cold]] void hand_on(spinlock_t &lock)
{
	assert(lock.owner() == current.cpu && "spin lock released that is not held");
	current.cpu->preempt_count -= PREEMPT_OFFSET;
	hand_to_next(lock);
}

inline void acquire(spinlock_t &lock)
{
	cpu &c = *current.cpu;

	if (__builtin_expect(lock.word, 0)) { // handed on by its holder
		found_taken(lock);
		return;
	}
	lock.word = reinterpret_cast<std::uintptr_t>(&c);
	c.preempt_count += PREEMPT_OFFSET;
}

inline void release(spinlock_t &lock)
{
	cpu &c = *current.cpu;

	if (__builtin_expect(lock.word != reinterpret_cast<std::uintptr_t>(&c), 0)) {
		hand_on(lock);
		return;
	}
	lock.word = 0;
	c.preempt_count -= PREEMPT_OFFSET;
}

} // namespace

void _raw_spin_lock(spinlock_t &lock)
{
	TRACE();
	acquire(lock);
}

void _raw_spin_unlock(spinlock_t &lock)
{
	TRACE();
	release(lock);
}

void _raw_spin_lock_bh(spinlock_t &lock)
{
	TRACE();
	local_bh_disable();
	acquire(lock);
}

void _raw_spin_unlock_bh(spinlock_t &lock)
{
	TRACE();
	release(lock);
	__local_bh_enable_ip();
}

void _raw_spin_lock_irq(spinlock_t &lock)
{
	TRACE();
	local_irq_disable();
	acquire(lock);
}

void _raw_spin_unlock_irq(spinlock_t &lock)
{
	TRACE();
	release(lock);
	local_irq_enable();
}

unsigned long _raw_spin_lock_irqsave(spinlock_t &lock)
{
	TRACE();
	const unsigned long flags = local_irq_save();

	acquire(lock);
	return flags;
}

void _raw_spin_unlock_irqrestore(spinlock_t &lock, unsigned long flags)
{
	TRACE();
	release(lock);
	local_irq_restore(flags);
}

bool _raw_spin_trylock(spinlock_t &lock)
{
	TRACE();
	if (lock.word)
		return false;
	acquire(lock);
	return true;
}

// Unlike the kernel, a lock for readers has room for one: no reader of this model waits for another with it
// held.
void _raw_read_lock_bh(rwlock_t &lock)
{
	TRACE();
	local_bh_disable();
	acquire(lock);
}

void _raw_read_unlock_bh(rwlock_t &lock)
{
	TRACE();
	release(lock);
	__local_bh_enable_ip();
}

void _raw_write_lock(rwlock_t &lock)
{
	TRACE();
	acquire(lock);
}

void _raw_write_unlock(rwlock_t &lock)
{
	TRACE();
	release(lock);
}

void _raw_write_lock_bh(rwlock_t &lock)
{
	TRACE();
	local_bh_disable();
	acquire(lock);
}

void _raw_write_unlock_bh(rwlock_t &lock)
{
	TRACE();
	release(lock);
	__local_bh_enable_ip();
}

} // namespace skbwalk
