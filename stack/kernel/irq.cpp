// SPDX-License-Identifier: GPL-2.0-only
//
// How a cpu takes interrupts (arch/x86/kernel/irq.c, apic/apic.c's timer, kernel/softirq.c's irq_enter and
// irq_exit, kernel/sched/idle.c). A device's comes by its vector, which names the line: common_interrupt, the
// line's flow handler (irq/chip.cpp), softirqs on the way out. The timer of the local APIC has a vector of
// its own. Where they come is in irq_line.h; a running cpu takes its timer interrupt at interrupt_point.
//
// Unlike the kernel, the idle loop is entered when the interrupt that ends the wait has come: the wait itself
// is the world's.
#include <cassert>

#include "stack/kernel/apic/apic.h"
#include "stack/kernel/cpus.h"
#include "stack/kernel/hardirq.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/smp.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

namespace {

using entry_point = void (*)();

void amd_e400_idle(entry_point entry)
{
	TRACE();
	entry();
}

void arch_cpu_idle(entry_point entry)
{
	TRACE();
	amd_e400_idle(entry);
}

void default_idle_call(entry_point entry)
{
	TRACE();
	arch_cpu_idle(entry);
}

void do_idle(entry_point entry)
{
	TRACE();
	default_idle_call(entry);
}

void deliver(cpu &c, entry_point entry)
{
	if (c.curr || c.left_on)
		entry();
	else
		run_on_idle_stack(c, [entry] { do_idle(entry); });
}

} // namespace

void irq_enter_rcu()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(c.irqs_off && "the cpu disables interrupts when it takes one");
	c.preempt_count += HARDIRQ_OFFSET;
	trace::context_changed(c);
}

namespace {

void invoke_softirq()
{
	TRACE();
	if (ksoftirqd_running())
		return;
	__do_softirq();
}

bool idle_cpu(const cpu &c)
{
	TRACE();
	return !c.curr && list_empty(c.runqueue);
}

void tick_irq_exit()
{
	TRACE();
	cpu &c = *current.cpu;

	// What a handler changed in the timers decides how long the idle loop sleeps.
	if (idle_cpu(c) && !c.need_resched && !in_hardirq())
		cpu_look_for_events(c);
}

void __irq_exit_rcu()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(in_hardirq() && c.irqs_off);
	c.preempt_count -= HARDIRQ_OFFSET;
	trace::context_changed(c);
	if (!in_interrupt() && local_softirq_pending())
		invoke_softirq();
	tick_irq_exit();
}

} // namespace

void irq_exit_rcu()
{
	TRACE();
	__irq_exit_rcu();
}

void irq_enter()
{
	TRACE();
	irq_enter_rcu();
}

void irq_exit()
{
	TRACE();
	__irq_exit_rcu();
}

namespace {

void __sysvec_apic_timer_interrupt()
{
	TRACE();
	++irq_stat->apic_timer_irqs;
	hrtimer_interrupt();
}

__attribute__((always_inline)) inline void handle_irq(irq_desc &desc)
{
	TRACE();
	generic_handle_irq_desc(desc);
}

void __common_interrupt(u32 vector)
{
	TRACE();
	irq_desc *&desc = (*vector_irq)[vector];

	charge_irq();
	if (desc) {
		handle_irq(*desc);
		return;
	}
	ack_APIC_irq();
	++irq_err_count();
}

void common_interrupt(u32 vector)
{
	TRACE();
	cpu &c = *current.cpu;
	const auto run = [](u64 v) {
		irq_enter_rcu();
		__common_interrupt(static_cast<u32>(v));
		irq_exit_rcu();
	};

	// run_irq_on_irqstack_cond
	if (!current.task || c.hardirq_stack_inuse)
		run(vector);
	else
		call_on_irqstack(c, run, vector);
}

} // namespace

void sysvec_apic_timer_interrupt()
{
	TRACE();
	irq_enter_rcu();
	__sysvec_apic_timer_interrupt();
	irq_exit_rcu();
}

// not traced: the cpu disables interrupts when it takes one, and enables them when it comes back
void take_timer_interrupt()
{
	cpu &c = *current.cpu;

	assert(!c.irqs_off && "an interrupt came with interrupts disabled");
	c.irqs_off = true;
	sysvec_apic_timer_interrupt();
	c.irqs_off = false;
}

// not traced: the machine beneath the kernel
void idt_entry(u8 vector)
{
	if (vector == IRQ_MOVE_CLEANUP_VECTOR)
		sysvec_irq_move_cleanup();
	else if (vector == RESCHEDULE_VECTOR)
		sysvec_reschedule_ipi();
	else if (vector == CALL_FUNCTION_SINGLE_VECTOR)
		sysvec_call_function_single();
	else
		common_interrupt(vector);
}

// not traced: the machine beneath the kernel
void cpu_interrupt_timer(cpu &c)
{
	if (c.irqs_off) { // left in the middle: it is asked for again when that goes on
		c.armed_ns = KTIME_NEVER;
		return;
	}

	const enter_cpu in(c);

	if (c.armed_ns != KTIME_NEVER)
		clock_not_before(c, c.armed_ns);
	c.armed_ns = c.next_event_ns = KTIME_NEVER; // taken once
	deliver(c, take_timer_interrupt);
}

// not traced: the machine beneath the kernel
void cpu_interrupt_device(cpu &c)
{
	if (c.irqs_off) // left in the middle: it looks when it enables them
		return;

	const enter_cpu in(c);

	if (c.interrupt_waits)
		deliver(c, take_interrupts);
}

} // namespace skbwalk
