// SPDX-License-Identifier: GPL-2.0-only
//
// Spin locks (kernel/locking/spinlock.c). Cpus of a host run on one thread, so a lock is its owner's mark,
// with a bit that says that others wait. Taking one twice on the same cpu, releasing one that is not held,
// sleeping or returning to user mode with one held assert.
#pragma once

#include "stack/kernel/preempt.h"
#include "stack/trace/trace.h"

namespace skbwalk {

struct spinlock_t {
	static constexpr std::uintptr_t waited_for = 1;
	std::uintptr_t word = 0; // the cpu that holds it; waited_for: others want it

	[[nodiscard]] cpu *owner() const { return reinterpret_cast<cpu *>(word & ~waited_for); }
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
inline bool spin_is_locked(const spinlock_t &l) { return l.word != 0; }

// local_irq_save and friends: inline in the kernel and so not traced.
// not traced: one instruction, inlined everywhere
inline bool irqs_disabled() { return current.cpu->irqs_off; }
// not traced: one instruction, inlined everywhere
inline void local_irq_disable() { current.cpu->irqs_off = true; }
void take_interrupts(); // what the current cpu's local APIC holds; interrupts are enabled
// not traced: one instruction, inlined everywhere
inline void local_irq_enable()
{
	cpu &c = *current.cpu;

	c.irqs_off = false;
	if (__builtin_expect(c.interrupt_waits, 0))
		take_interrupts();
}
// not traced: one instruction, inlined everywhere
[[nodiscard]] inline unsigned long local_irq_save()
{
	const bool were_off = current.cpu->irqs_off;

	current.cpu->irqs_off = true;
	return were_off;
}
// not traced: one instruction, inlined everywhere
inline void local_irq_restore(unsigned long flags)
{
	if (flags)
		current.cpu->irqs_off = true;
	else
		local_irq_enable();
}

} // namespace skbwalk
