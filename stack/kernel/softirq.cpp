// SPDX-License-Identifier: GPL-2.0-only
//
// Softirqs (kernel/softirq.c). Raised bits are run by handle_softirqs: nested in who enables bottom halves
// again
// (__local_bh_enable_ip, do_softirq), on the way out of a hard interrupt (irq.cpp), or in the cpu's
// ksoftirqd, which takes over when bits keep coming for ten rounds or two milliseconds, when a task waits, or
// when they were raised in plain task context.
#include "stack/kernel/softirq.h"

#include <cassert>

#include "stack/kernel/internal.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

namespace {

constexpr u32 MAX_SOFTIRQ_TIME = msecs_to_jiffies(2);
constexpr int MAX_SOFTIRQ_RESTART = 10;

void wakeup_softirqd()
{
	TRACE();
	if (task_struct *t = current.cpu->ksoftirqd.get())
		wake_up_process(*t);
}

// A running task has had its time, or the idle one is to end.
bool resched_wanted(const cpu &c) { return c.need_resched || (!c.curr && !list_empty(c.runqueue)); }

void softirq_handle_begin()
{
	cpu &c = *current.cpu;

	assert(!in_serving_softirq() && "softirqs do not nest");
	c.preempt_count += SOFTIRQ_OFFSET;
	trace::context_changed(c);
}

void softirq_handle_end()
{
	current.cpu->preempt_count -= SOFTIRQ_OFFSET;
	trace::context_changed(*current.cpu);
}

} // namespace

// not traced: a macro in the kernel
void call_on_irqstack(cpu &c, void (*fn)(u64), u64 arg)
{
	assert(!c.hardirq_stack_inuse);
	if (!c.hardirq_stack.base)
		c.hardirq_stack = c.on.state->stacks.take();
	c.hardirq_stack_inuse = true;
	call_on_stack(c.hardirq_stack, fn, arg);
	c.hardirq_stack_inuse = false;
}

// not traced: part of the host's start
void softirq_init(host_state &s)
{
	s.softirq_vec[HI_SOFTIRQ] = tasklet_hi_action;
	s.softirq_vec[TASKLET_SOFTIRQ] = tasklet_action;
	s.softirq_vec[TIMER_SOFTIRQ] = run_timer_softirq;
	s.softirq_vec[HRTIMER_SOFTIRQ] = hrtimer_run_softirq;
	s.softirq_vec[RCU_SOFTIRQ] = rcu_core_si;
}

void open_softirq(int nr, softirq_action action)
{
	TRACE();
	current.host->state->softirq_vec[static_cast<std::size_t>(nr)] = action;
}

void __raise_softirq_irqoff(unsigned nr)
{
	TRACE();
	assert(irqs_disabled());
	current.cpu->softirq_pending |= 1U << nr;
}

void raise_softirq_irqoff(unsigned nr)
{
	TRACE();
	__raise_softirq_irqoff(nr);
	if (!in_interrupt())
		wakeup_softirqd();
}

void raise_softirq(unsigned nr)
{
	TRACE();
	const unsigned long flags = local_irq_save();

	raise_softirq_irqoff(nr);
	local_irq_restore(flags);
}

void _local_bh_enable()
{
	TRACE();
	assert(!in_hardirq() && softirq_count() >= SOFTIRQ_DISABLE_OFFSET);
	current.cpu->preempt_count -= SOFTIRQ_DISABLE_OFFSET;
}

void __local_bh_enable_ip()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(!in_hardirq() && !c.irqs_off);
	assert(softirq_count() >= SOFTIRQ_DISABLE_OFFSET && "bottom halves enabled more often than disabled");
	c.preempt_count -= SOFTIRQ_DISABLE_OFFSET;
	if (c.softirq_pending && !in_interrupt())
		do_softirq();
	interrupt_point();
}

void do_softirq()
{
	TRACE();
	if (in_interrupt())
		return;
	TRACE_PART();
	const unsigned long flags = local_irq_save();

	if (local_softirq_pending() && !ksoftirqd_running())
		do_softirq_own_stack();
	local_irq_restore(flags);
}

// On the cpu's interrupt stack.
void do_softirq_own_stack()
{
	TRACE();
	call_on_irqstack(
		*current.cpu, [](u64) { __do_softirq(); }, 0);
}

void __do_softirq()
{
	TRACE();
	handle_softirqs(false);
}

void handle_softirqs(bool)
{
	TRACE();
	cpu &c = *current.cpu;
	const auto &softirq_vec = current.host->state->softirq_vec;
	const u32 end = jiffies() + MAX_SOFTIRQ_TIME;
	int max_restart = MAX_SOFTIRQ_RESTART;

	assert(c.irqs_off);
	softirq_handle_begin();
	for (;;) {
		u32 pending = c.softirq_pending;

		c.softirq_pending = 0;
		local_irq_enable();
		while (pending) {
			const auto nr = static_cast<unsigned>(std::countr_zero(pending));
			const u32 nesting = c.preempt_count, readers = c.rcu_nesting;

			pending &= pending - 1;
			++c.softirqs_run[nr];
			assert(softirq_vec[nr] && "a softirq without an action was raised");
			softirq_vec[nr]();
			assert(c.preempt_count == nesting && c.rcu_nesting == readers);
		}
		local_irq_disable();
		if (!c.softirq_pending)
			break;
		if (!(time_before(jiffies(), end) && !resched_wanted(c) && --max_restart)) {
			wakeup_softirqd();
			break;
		}
	}
	softirq_handle_end();
}

namespace {

void run_ksoftirqd()
{
	TRACE();
	local_irq_disable();
	if (local_softirq_pending()) {
		handle_softirqs(true);
		local_irq_enable();
		interrupt_point();
		cond_resched();
		return;
	}
	local_irq_enable();
}

} // namespace

// not traced: a thread enters its loop when it is made, before anything is recorded
void ksoftirqd_body()
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!local_softirq_pending()) {
			schedule();
			continue;
		}
		set_current_state(TASK_RUNNING);
		run_ksoftirqd();
	}
	set_current_state(TASK_RUNNING);
}

} // namespace skbwalk
