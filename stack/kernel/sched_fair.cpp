// SPDX-License-Identifier: GPL-2.0-only
//
// Which task runs next (kernel/sched/fair.c, for tasks of one weight). A task's vruntime is the time that it
// has had; a cpu's queue is in its order, and the first of it is next. Who sleeps gains at most half a period
// on the others, a new task begins a slice behind them. A task that wakes preempts who is ahead of it by more
// than the wake-up granularity; the tick takes the cpu from who has had its share of the period. Interrupts
// and softirqs count as the time of who they came to (no CONFIG_IRQ_TIME_ACCOUNTING). Left out: weights,
// groups and autogroups, buddies, bandwidth, load.
#include <algorithm>
#include <bit>
#include <cassert>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

constexpr u64 sysctl_sched_latency = 6 * NSEC_PER_MSEC;
constexpr u64 sysctl_sched_min_granularity = 750 * NSEC_PER_USEC;
constexpr u64 sysctl_sched_wakeup_granularity = NSEC_PER_MSEC;
constexpr u64 sched_nr_latency = 8;

s64 ahead(u64 a, u64 b) { return static_cast<s64>(a - b); }

// The settings grow with the logarithm of the number of cpus.
u64 scaled(const cpu &c, u64 normalized)
{
	const auto cpus = static_cast<unsigned>(std::min<std::size_t>(c.on.cpus.size(), 8));

	return normalized * static_cast<u64>(std::bit_width(cpus));
}

const task_struct *first_of(const cpu &c)
{
	return list_empty(c.runqueue) ? nullptr : &list_entry(*c.runqueue.next, &task_struct::run_entry);
}

u64 nr_running(const cpu &c)
{
	u64 n = c.curr ? 1 : 0;

	for (const list_head *e = c.runqueue.next; e != &c.runqueue; e = e->next)
		++n;
	return n;
}

// What each of so many gets of a period.
u64 slice_of(const cpu &c, u64 running)
{
	const u64 min_granularity = scaled(c, sysctl_sched_min_granularity);
	const u64 period =
		running > sched_nr_latency ? running * min_granularity : scaled(c, sysctl_sched_latency);

	return std::max(period / running, min_granularity);
}

void advance_min_vruntime(cpu &c)
{
	const task_struct *first = first_of(c);
	u64 least = c.cfs.min_vruntime;

	if (c.curr)
		least = c.curr->se.vruntime;
	if (first && (!c.curr || ahead(first->se.vruntime, least) < 0))
		least = first->se.vruntime;
	if (ahead(least, c.cfs.min_vruntime) > 0)
		c.cfs.min_vruntime = least;
}

} // namespace

// not traced: the recordings show nothing of the scheduler below try_to_wake_up and scheduler_tick
void update_curr(cpu &c)
{
	if (!c.curr)
		return;
	sched_entity &se = c.curr->se;

	if (ahead(c.now_ns, se.exec_start) <= 0)
		return;
	const u64 delta = c.now_ns - se.exec_start;

	se.exec_start = c.now_ns;
	se.vruntime += delta;
	advance_min_vruntime(c);
}

// not traced: as above
void enqueue_task_fair(task_struct &t, enqueue_reason why)
{
	cpu &c = *t.on;
	sched_entity &se = t.se;

	assert(!t.queued);
	update_curr(c);
	if (why == enqueue_reason::starts)
		// Unlike the kernel, where a slice is shorter the more tasks there are: those that the world
		// starts at once run in the order of their starts.
		se.vruntime = c.cfs.min_vruntime + slice_of(c, 2);
	else if (why == enqueue_reason::wakes)
		if (const u64 base = c.cfs.min_vruntime - scaled(c, sysctl_sched_latency) / 2;
		    ahead(base, se.vruntime) > 0)
			se.vruntime = base;
	list_head *after = c.runqueue.prev;

	while (after != &c.runqueue &&
	       ahead(list_entry(*after, &task_struct::run_entry).se.vruntime, se.vruntime) > 0)
		after = after->prev;
	list_add(t.run_entry, *after);
	t.queued = true;
}

// not traced: as above
void leave_rq_fair(cpu &c)
{
	update_curr(c);
	c.curr = nullptr;
	advance_min_vruntime(c);
}

// not traced: as above
task_struct &pick_next_task_fair(cpu &c)
{
	task_struct &next = list_entry(*c.runqueue.next, &task_struct::run_entry);
	sched_entity &se = next.se;

	list_del_init(next.run_entry);
	next.queued = false;
	// It has come from another cpu, whose clock was ahead.
	clock_not_before(c, se.exec_start);
	se.exec_start = c.now_ns;
	c.switched_in_ns = c.now_ns;
	c.curr = &next;
	return next;
}

// not traced: as above
void change_rq_fair(task_struct &t, cpu &from, cpu &to)
{
	leave_rq_fair(from);
	t.se.vruntime += to.cfs.min_vruntime - from.cfs.min_vruntime;
	t.on = &to;
}

// not traced: as above
bool goes_on_fair(cpu &c)
{
	update_curr(c);
	const task_struct *first = first_of(c);

	return !first || ahead(c.curr->se.vruntime, first->se.vruntime) < 0;
}

// not traced: as above
bool check_preempt_wakeup(cpu &c, const task_struct &woken)
{
	update_curr(c);
	return ahead(c.curr->se.vruntime, woken.se.vruntime) >
	       static_cast<s64>(scaled(c, sysctl_sched_wakeup_granularity));
}

// not traced: as above
bool task_tick_fair(cpu &c)
{
	update_curr(c);
	const task_struct *first = first_of(c);

	if (!first)
		return false;
	const u64 ideal_runtime = slice_of(c, nr_running(c));
	const u64 delta_exec = c.now_ns - c.switched_in_ns;

	if (delta_exec > ideal_runtime)
		return true;
	// One that has not run for long is not stopped for a little.
	return delta_exec >= scaled(c, sysctl_sched_min_granularity) &&
	       ahead(c.curr->se.vruntime, first->se.vruntime) > static_cast<s64>(ideal_runtime);
}

} // namespace skbwalk
