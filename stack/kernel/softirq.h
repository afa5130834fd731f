// SPDX-License-Identifier: GPL-2.0-only
//
// Softirqs (kernel/softirq.c): raised anywhere, run where bottom halves are enabled again, on the way out of
// a hard interrupt, or in ksoftirqd when the restart or time limit is reached.
#pragma once

#include "stack/kernel/preempt.h"
#include "stack/trace/trace.h"

namespace skbwalk {

enum {
	HI_SOFTIRQ,
	TIMER_SOFTIRQ,
	NET_TX_SOFTIRQ,
	NET_RX_SOFTIRQ,
	BLOCK_SOFTIRQ,
	IRQ_POLL_SOFTIRQ,
	TASKLET_SOFTIRQ,
	SCHED_SOFTIRQ,
	HRTIMER_SOFTIRQ,
	RCU_SOFTIRQ,
	NR_SOFTIRQS
};

using softirq_action = void (*)();
void open_softirq(int nr, softirq_action action);
void raise_softirq(unsigned nr);
void raise_softirq_irqoff(unsigned nr);
void __raise_softirq_irqoff(unsigned nr);
inline u32 local_softirq_pending() { return current.cpu->softirq_pending; }

void __local_bh_enable_ip();
inline void local_bh_disable()
{
	TRACE_INLINE();
	current.cpu->preempt_count += SOFTIRQ_DISABLE_OFFSET;
}
inline void local_bh_enable()
{
	TRACE_INLINE();
	__local_bh_enable_ip();
}
void _local_bh_enable();
void do_softirq();
void do_softirq_own_stack();
void __do_softirq();
void handle_softirqs(bool ksirqd);
void irq_enter_rcu();
void irq_exit_rcu(); // runs pending softirqs when it leaves the outermost interrupt
void irq_enter();
void irq_exit(); // runs pending softirqs when it leaves the outermost interrupt

// Callbacks after a grace period: run in RCU_SOFTIRQ by the second tick after call_rcu at which no cpu of the
// host is in a section of rcu_read_lock or holds a lock; the cpu that called asks for these ticks.
struct callback_head {
	callback_head *next = nullptr;
	void (*func)(callback_head *) = nullptr;
};
using rcu_head = callback_head;
void call_rcu(rcu_head &head, void (*func)(rcu_head *));
// Runs what call_rcu collected, now: before a host ends, when no cpu of it is inside the kernel.
void rcu_process_callbacks(host &h);
// One unlock too many, or too few, is found where a softirq ends and where a task sleeps or returns to user
// mode.
// not traced: every reference leaves RCU out
inline void rcu_read_lock() { ++current.cpu->rcu_nesting; }
inline void rcu_read_unlock() { --current.cpu->rcu_nesting; }

// kernel/task_work.c: work done on the way back to user mode.
int task_work_add(task_struct &t, callback_head &work);
void task_work_run();
void exit_to_user_mode_prepare();

} // namespace skbwalk
