// SPDX-License-Identifier: GPL-2.0-only
//
// Softirqs (kernel/softirq.c): raised anywhere, run where bottom halves are enabled again, on the way out of a hard
// interrupt, or in ksoftirqd when the restart or time limit is reached.
#pragma once

#include "stack/kernel/sched.h"

namespace skbwalk {

enum { HI_SOFTIRQ, TIMER_SOFTIRQ, NET_TX_SOFTIRQ, NET_RX_SOFTIRQ, BLOCK_SOFTIRQ, IRQ_POLL_SOFTIRQ, TASKLET_SOFTIRQ,
       SCHED_SOFTIRQ, HRTIMER_SOFTIRQ, RCU_SOFTIRQ, NR_SOFTIRQS };

using softirq_action = void (*)();
void open_softirq(int nr, softirq_action action);
void raise_softirq(unsigned nr);
void raise_softirq_irqoff(unsigned nr);
void __raise_softirq_irqoff(unsigned nr);
inline u32 local_softirq_pending() { return current.cpu->softirq_pending; }

void local_bh_disable();              // inline in the kernel
void local_bh_enable();               // calls __local_bh_enable_ip
void __local_bh_enable_ip();
void _local_bh_enable();
void do_softirq();
void __do_softirq();
void handle_softirqs(bool ksirqd);
void irq_enter();
void irq_exit();                      // runs pending softirqs when it leaves the outermost interrupt
inline bool in_softirq() { return current.cpu->preempt_softirq != 0 || current.cpu->serving_softirq; }
inline bool in_serving_softirq() { return current.cpu->serving_softirq; }
inline bool in_hardirq() { return current.cpu->hardirq_nesting != 0; }
inline bool in_interrupt() { return in_hardirq() || in_softirq(); }
inline bool in_task() { return !in_hardirq() && !in_serving_softirq(); }

// Callbacks after a grace period: run when no cpu of the host is inside a system call or softirq.
struct callback_head {
	callback_head *next = nullptr;
	void (*func)(callback_head *) = nullptr;
};
using rcu_head = callback_head;
void call_rcu(rcu_head &head, void (*func)(rcu_head *));
// Runs what call_rcu collected; the world calls it when every cpu of the host is idle, and before a host ends.
void rcu_process_callbacks(host &h);
void rcu_read_lock();
void rcu_read_unlock();

// kernel/task_work.c: work done on the way back to user mode.
int task_work_add(task_struct &t, callback_head &work);
void task_work_run();
void exit_to_user_mode_prepare();

} // namespace skbwalk
