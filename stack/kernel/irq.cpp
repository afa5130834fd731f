// SPDX-License-Identifier: GPL-2.0-only
//
// Hard interrupts (arch/x86/kernel/apic/apic.c, kernel/softirq.c's irq_enter and irq_exit,
// kernel/sched/idle.c). The world delivers one by cpu_interrupt_timer or cpu_interrupt: into the task that
// the cpu was left in, or into the idle loop. A running cpu takes its own timer interrupt at interrupt_point.
// Way: entry, handler, softirqs on the way out.
//
// Unlike the kernel, the idle loop is entered when the interrupt that ends the wait has come: the wait itself
// is the world's.
#include <cassert>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

struct vector {
	void (*entry)(void *);
	void *arg;
};

void amd_e400_idle(const vector &v)
{
	TRACE();
	v.entry(v.arg);
}

void arch_cpu_idle(const vector &v)
{
	TRACE();
	amd_e400_idle(v);
}

void default_idle_call(const vector &v)
{
	TRACE();
	arch_cpu_idle(v);
}

void do_idle(const vector &v)
{
	TRACE();
	default_idle_call(v);
}

void deliver(cpu &c, const vector &v)
{
	if (c.curr)
		v.entry(v.arg);
	else
		do_idle(v);
}

} // namespace

// Unlike the kernel, where the cpu itself does it, this disables interrupts, and leaving the outermost
// enables them.
void irq_enter_rcu()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(!c.irqs_off && "an interrupt came with interrupts disabled");
	c.irqs_off = true;
	++c.hardirq_nesting;
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
		c.next_event_ns = cpu_next_event_ns(c);
}

void __irq_exit_rcu()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(c.hardirq_nesting != 0 && c.irqs_off);
	--c.hardirq_nesting;
	if (!in_interrupt() && local_softirq_pending())
		invoke_softirq();
	tick_irq_exit();
	c.irqs_off = false;
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
	hrtimer_interrupt();
}

struct device_interrupt {
	void (*handler)(void *);
	void *arg;
};

void __common_interrupt(const device_interrupt &d)
{
	TRACE();
	d.handler(d.arg);
}

void common_interrupt(void *arg)
{
	TRACE();
	irq_enter_rcu();
	__common_interrupt(*static_cast<const device_interrupt *>(arg));
	irq_exit_rcu();
}

} // namespace

void sysvec_apic_timer_interrupt()
{
	TRACE();
	irq_enter_rcu();
	__sysvec_apic_timer_interrupt();
	irq_exit_rcu();
}

// not traced: the machine beneath the kernel
void cpu_interrupt_timer(cpu &c)
{
	const enter_cpu in(c);

	if (c.armed_ns != KTIME_NEVER && c.now_ns < c.armed_ns)
		c.now_ns = c.armed_ns;
	c.armed_ns = KTIME_NEVER;
	deliver(c, {[](void *) { sysvec_apic_timer_interrupt(); }, nullptr});
}

// not traced: the machine beneath the kernel
void cpu_interrupt(cpu &c, void (*handler)(void *), void *arg)
{
	const enter_cpu in(c);
	device_interrupt d{handler, arg};

	deliver(c, {common_interrupt, &d});
}

} // namespace skbwalk
