// SPDX-License-Identifier: GPL-2.0-only
//
// Tasklets (kernel/softirq.c). __tasklet_schedule appends to the cpu's list and raises TASKLET_SOFTIRQ
// (__tasklet_hi_schedule to another list and HI_SOFTIRQ, which runs before all others); tasklet_action takes
// the whole list and runs each that it can lock, except those that are disabled: these and those that run on
// another cpu stay for the next round.
#include "stack/kernel/tasklet.h"

#include <utility>

#include "stack/kernel/cpus.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/wait_bit.h"

namespace skbwalk {

namespace {

constexpr u64 turn_ns = 100; // for a tasklet that cannot run now

struct tasklet_head {
	tasklet_struct *head = nullptr;
	tasklet_struct **tail = &head;
};
percpu<tasklet_head> tasklet_vec, tasklet_hi_vec;

void append(tasklet_head &list, tasklet_struct &t)
{
	t.next = nullptr;
	*list.tail = &t;
	list.tail = &t.next;
}

void __tasklet_schedule_common(tasklet_struct &t, tasklet_head &head, unsigned softirq_nr)
{
	TRACE();
	const unsigned long flags = local_irq_save();

	append(head, t);
	raise_softirq_irqoff(softirq_nr);
	local_irq_restore(flags);
}

// It may be scheduled again; who waits for that is told.
bool tasklet_clear_sched(tasklet_struct &t)
{
	TRACE();
	if (std::exchange(t.state, t.state & ~TASKLET_STATE_SCHED) & TASKLET_STATE_SCHED) {
		wake_up_var(&t.state);
		return true;
	}
	assert(false && "a tasklet on the list that nobody scheduled");
	return false;
}

void tasklet_action_common(tasklet_head &head, unsigned softirq_nr)
{
	TRACE();
	local_irq_disable();
	tasklet_struct *list = head.head;
	head.head = nullptr;
	head.tail = &head.head;
	local_irq_enable();
	while (list) {
		tasklet_struct &t = *list;

		list = t.next;
		if (tasklet_trylock(t)) {
			if (!t.count) {
				if (tasklet_clear_sched(t))
					t.callback(t);
				tasklet_unlock(t);
				continue;
			}
			tasklet_unlock(t);
		}
		charge(turn_ns); // or who is enabled by time would never be
		local_irq_disable();
		append(head, t);
		__raise_softirq_irqoff(softirq_nr);
		local_irq_enable();
	}
}

bool is_set(const tasklet_struct &t, unsigned long bit) { return t.state & bit; }

} // namespace

void tasklet_action()
{
	TRACE();
	tasklet_action_common(*tasklet_vec, TASKLET_SOFTIRQ);
}

void tasklet_hi_action()
{
	TRACE();
	tasklet_action_common(*tasklet_hi_vec, HI_SOFTIRQ);
}

void tasklet_setup(tasklet_struct &t, void (*callback)(tasklet_struct &t))
{
	TRACE();
	t = {};
	t.callback = callback;
}

void __tasklet_schedule(tasklet_struct &t)
{
	TRACE();
	__tasklet_schedule_common(t, *tasklet_vec, TASKLET_SOFTIRQ);
}

void __tasklet_hi_schedule(tasklet_struct &t)
{
	TRACE();
	__tasklet_schedule_common(t, *tasklet_hi_vec, HI_SOFTIRQ);
}

void tasklet_unlock(tasklet_struct &t)
{
	TRACE();
	assert(is_set(t, TASKLET_STATE_RUN));
	t.state &= ~TASKLET_STATE_RUN;
	wake_up_var(&t.state);
}

void tasklet_unlock_wait(tasklet_struct &t)
{
	TRACE();
	wait_var_event(&t.state, [&t] { return !is_set(t, TASKLET_STATE_RUN); });
}

void tasklet_unlock_spin_wait(tasklet_struct &t)
{
	TRACE();
	while (is_set(t, TASKLET_STATE_RUN))
		cpu_relax();
}

void tasklet_kill(tasklet_struct &t)
{
	TRACE();
	while (!tasklet_set_bit(t, TASKLET_STATE_SCHED)) {
		if (signal_pending(*current.task)) // the end of the world
			return;
		wait_var_event(&t.state, [&t] { return !is_set(t, TASKLET_STATE_SCHED); });
	}
	tasklet_unlock_wait(t);
	tasklet_clear_sched(t);
}

} // namespace skbwalk
