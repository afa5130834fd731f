// SPDX-License-Identifier: GPL-2.0-only
//
// Work put off to the way back to user mode (kernel/task_work.c, kernel/entry/common.c): last queued, first
// run, as long as there is any. On the same way a task that should give the cpu away does.
#include <cassert>
#include <utility>

#include "stack/kernel/internal.h"

namespace skbwalk {

int task_work_add(task_struct &t, callback_head &work)
{
	TRACE();
	work.next = t.task_works;
	t.task_works = &work;
	if (!std::exchange(t.notify_resume, true))
		kick_process(t);
	return 0;
}

void task_work_run()
{
	TRACE();
	task_struct &t = *current.task;

	while (callback_head *work = std::exchange(t.task_works, nullptr)) {
		while (work) {
			callback_head *next = work->next;

			work->func(work);
			work = next;
			cond_resched();
		}
	}
}

void exit_to_user_mode_prepare()
{
	TRACE();
	cpu &c = *current.cpu;
	task_struct &t = *current.task;

	assert(c.preempt_count == 0 && "returning to user mode with a spin lock held or bottom halves off");
	assert(c.rcu_nesting == 0 && !c.irqs_off && t.state == TASK_RUNNING);
	while (c.need_resched || t.notify_resume) {
		if (c.need_resched)
			schedule();
		if (std::exchange(t.notify_resume, false))
			task_work_run();
	}
	interrupt_point();
}

} // namespace skbwalk
