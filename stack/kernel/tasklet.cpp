// SPDX-License-Identifier: GPL-2.0-only
//
// Tasklets (kernel/softirq.c). __tasklet_schedule appends to the cpu's list and raises TASKLET_SOFTIRQ;
// tasklet_action takes the whole list and runs each, except those that are disabled, which stay for the next
// round. Left out: HI_SOFTIRQ's list.
#include "stack/kernel/tasklet.h"

#include <utility>

#include "stack/kernel/percpu.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/wait_bit.h"

namespace skbwalk {

namespace {

struct tasklet_head {
	tasklet_struct *head = nullptr;
	tasklet_struct **tail = &head;
};
percpu<tasklet_head> tasklet_vec;

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
	if (std::exchange(t.scheduled, false)) {
		wake_up_var(&t.scheduled);
		return true;
	}
	assert(false && "a tasklet on the list that nobody scheduled");
	return false;
}

void tasklet_unlock(tasklet_struct &t)
{
	TRACE();
	t.running = false;
	wake_up_var(&t.running);
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
		if (!t.running && !t.count) {
			t.running = true;
			if (tasklet_clear_sched(t))
				t.callback(t);
			tasklet_unlock(t);
			continue;
		}
		local_irq_disable();
		append(head, t);
		__raise_softirq_irqoff(softirq_nr);
		local_irq_enable();
	}
}

void tasklet_action()
{
	TRACE();
	tasklet_action_common(*tasklet_vec, TASKLET_SOFTIRQ);
}

} // namespace

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

void tasklet_softirq_init() { open_softirq(TASKLET_SOFTIRQ, tasklet_action); }

} // namespace skbwalk
