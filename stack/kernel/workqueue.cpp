// SPDX-License-Identifier: GPL-2.0-only
//
// Delayed work (kernel/workqueue.c). A timer puts the work on its cpu's list when it is due, and the cpu's
// kworker, a task, runs it in process context. Left out: pools of workers; a work that sleeps holds up those
// behind it.
#include <algorithm>
#include <cassert>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

void insert_work(cpu &c, delayed_work &w)
{
	TRACE();
	c.worklist.push_back(&w);
	wake_up_process(*c.kworker);
}

void __queue_work(delayed_work &w)
{
	TRACE();
	insert_work(*w.on, w);
}

void delayed_work_timer_fn(timer_list &t)
{
	TRACE();
	__queue_work(*reinterpret_cast<delayed_work *>(&t)); // its first member
}

void __queue_delayed_work(delayed_work &w, u32 delay)
{
	TRACE();
	w.on = current.cpu;
	if (!delay) {
		__queue_work(w);
		return;
	}
	w.timer.expires = jiffies() + delay;
	add_timer(w.timer);
}

bool queue_delayed_work_on(delayed_work &w, u32 delay)
{
	TRACE();
	if (w.pending)
		return false;
	w.pending = true;
	__queue_delayed_work(w, delay);
	return true;
}

bool try_to_grab_pending(delayed_work &w)
{
	TRACE();
	if (!w.pending)
		return false;
	if (!timer_delete(w.timer))
		std::erase(w.on->worklist, &w);
	w.pending = false;
	return true;
}

bool mod_delayed_work_on(delayed_work &w, u32 delay)
{
	TRACE();
	const bool was_pending = try_to_grab_pending(w);

	w.pending = true;
	__queue_delayed_work(w, delay);
	return was_pending;
}

void process_one_work(cpu &c, delayed_work &w)
{
	TRACE();
	std::erase(c.worklist, &w);
	w.pending = false; // from here on it can be queued again
	w.function(w);
}

} // namespace

void INIT_DELAYED_WORK(delayed_work &w, void (*fn)(delayed_work &))
{
	w.function = fn;
	init_timer_key(w.timer, delayed_work_timer_fn, 0);
}

void INIT_DEFERRABLE_WORK(delayed_work &w, void (*fn)(delayed_work &))
{
	w.function = fn;
	init_timer_key(w.timer, delayed_work_timer_fn, TIMER_DEFERRABLE);
}

bool queue_delayed_work(delayed_work &w, u32 delay_jiffies)
{
	TRACE_INLINE();
	return queue_delayed_work_on(w, delay_jiffies);
}

bool mod_delayed_work(delayed_work &w, u32 delay_jiffies) { return mod_delayed_work_on(w, delay_jiffies); }

bool cancel_delayed_work(delayed_work &w)
{
	TRACE();
	return try_to_grab_pending(w);
}

// Unlike the kernel, this does not wait for a work that sleeps: a function that sleeps must outlive its
// object otherwise.
bool cancel_delayed_work_sync(delayed_work &w)
{
	TRACE();
	return try_to_grab_pending(w);
}

// not traced: a thread enters its loop when it is made, before anything is recorded
void kworker_body()
{
	cpu &c = *current.cpu;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!c.worklist.empty()) {
			set_current_state(TASK_RUNNING);
			process_one_work(c, *c.worklist.front());
			continue;
		}
		if (kthread_should_stop())
			break;
		schedule();
	}
	set_current_state(TASK_RUNNING);
}

} // namespace skbwalk
