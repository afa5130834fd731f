// SPDX-License-Identifier: GPL-2.0-only
//
// High-resolution timers (kernel/time/hrtimer.c) and the tick (kernel/time/tick-sched.c, timer.c). A timer
// waits in its cpu's tree, by expiry; the interrupt programmed for the first one calls what is due, or raises
// HRTIMER_SOFTIRQ for timers that asked for that. Where a tick boundary has passed as well, the tick is done:
// local timers, RCU, the scheduler. Left out: clocks other than the monotonic, migration.
//
// Unlike the kernel, the tick is no hrtimer of its own: it comes with the first interrupt after its boundary,
// and an interrupt is asked for only when a timer, RCU or a waiting task needs it.
#include <algorithm>
#include <cassert>
#include <cerrno>

#include "stack/kernel/cpus.h"
#include "stack/kernel/delay.h"
#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

hrtimer_tree &tree_of(hrtimer_cpu_base &base, const hrtimer &t) { return t.soft ? base.soft : base.hard; }

void enqueue_hrtimer(hrtimer &t, hrtimer_cpu_base &base)
{
	TRACE();
	tree_of(base, t).insert_equal(t);
	t.queued = true;
}

void __remove_hrtimer(hrtimer &t, hrtimer_cpu_base &base)
{
	TRACE();
	hrtimer_tree &tree = tree_of(base, t);

	tree.erase(tree.iterator_to(t));
	t.queued = false;
}

int remove_hrtimer(hrtimer &t, hrtimer_cpu_base &base)
{
	TRACE();
	if (!t.queued)
		return 0;
	__remove_hrtimer(t, base);
	return 1;
}

void hrtimer_reprogram(hrtimer_cpu_base &base)
{
	TRACE();
	cpu_event_at(base.on, hrtimer_next_ns(base));
}

hrtimer_cpu_base &lock_hrtimer_base(const hrtimer &t, unsigned long &flags)
{
	TRACE();
	flags = _raw_spin_lock_irqsave(t.base->lock);
	return *t.base;
}

bool is_relative(hrtimer_mode mode)
{
	return mode == HRTIMER_MODE_REL || mode == HRTIMER_MODE_REL_PINNED ||
	       mode == HRTIMER_MODE_REL_PINNED_SOFT;
}

bool is_soft(hrtimer_mode mode)
{
	return mode == HRTIMER_MODE_ABS_PINNED_SOFT || mode == HRTIMER_MODE_REL_PINNED_SOFT ||
	       mode == HRTIMER_MODE_ABS_SOFT;
}

void __hrtimer_init(hrtimer &t, hrtimer_mode mode)
{
	TRACE();
	t.soft = is_soft(mode);
	t.base = current.cpu->hrtimers.get();
}

bool hrtimer_active(const hrtimer &t)
{
	TRACE();
	return t.queued || t.running;
}

void __run_hrtimer(hrtimer_cpu_base &base, hrtimer &t, unsigned long flags)
{
	TRACE();
	base.running = &t;
	t.running = true;
	__remove_hrtimer(t, base);
	_raw_spin_unlock_irqrestore(base.lock, flags);
	const hrtimer_restart restart = t.function(t);

	_raw_spin_lock_irq(base.lock);
	if (restart != HRTIMER_NORESTART && !t.queued)
		enqueue_hrtimer(t, base);
	t.running = false;
	base.running = nullptr;
}

void __hrtimer_run_queues(hrtimer_cpu_base &base, ktime_t now, unsigned long flags, hrtimer_tree &tree)
{
	TRACE();
	while (!tree.empty() && tree.begin()->expires <= now)
		__run_hrtimer(base, *tree.begin(), flags);
}

void update_process_times()
{
	TRACE();
	run_local_timers();
	rcu_sched_clock_irq();
	scheduler_tick();
}

void tick_sched_timer()
{
	TRACE();
	update_process_times();
}

} // namespace

hrtimer::~hrtimer() { assert(!queued && !running && "a pending hrtimer is freed"); }

// not traced: the machine beneath the kernel
u64 hrtimer_next_ns(const hrtimer_cpu_base &base)
{
	u64 next = KTIME_NEVER;

	if (!base.hard.empty())
		next = static_cast<u64>(base.hard.begin()->expires);
	if (!base.soft.empty() && !base.softirq_activated)
		next = std::min(next, static_cast<u64>(base.soft.begin()->expires));
	return next == KTIME_NEVER ? next : base.on.on.boot_ns + next;
}

void hrtimer_init(hrtimer &t, hrtimer_mode mode)
{
	TRACE();
	__hrtimer_init(t, mode);
}

void hrtimer_start_range_ns(hrtimer &t, ktime_t tim, u64 delta_ns, hrtimer_mode mode)
{
	TRACE();
	assert(t.function && t.base && is_soft(mode) == t.soft);
	unsigned long flags;
	hrtimer_cpu_base &base = lock_hrtimer_base(t, flags);

	remove_hrtimer(t, base);
	if (is_relative(mode))
		tim += ktime_get();
	t.expires = tim + static_cast<ktime_t>(delta_ns);
	enqueue_hrtimer(t, base);
	if (!base.in_hrtirq)
		hrtimer_reprogram(base);
	_raw_spin_unlock_irqrestore(base.lock, flags);
}

int hrtimer_try_to_cancel(hrtimer &t)
{
	TRACE();
	if (!hrtimer_active(t))
		return 0;
	int ret = -1;
	unsigned long flags;
	hrtimer_cpu_base &base = lock_hrtimer_base(t, flags);

	if (!t.running)
		ret = remove_hrtimer(t, base);
	_raw_spin_unlock_irqrestore(base.lock, flags);
	return ret;
}

int hrtimer_cancel(hrtimer &t)
{
	TRACE();
	for (;;) {
		const int ret = hrtimer_try_to_cancel(t);

		if (ret >= 0)
			return ret;
		assert(&t.base->on != current.cpu &&
		       "hrtimer_cancel waits for the handler that it is called from");
		cpu_relax(); // it runs on another cpu
	}
}

u64 hrtimer_forward(hrtimer &t, ktime_t now, ktime_t interval)
{
	TRACE();
	const ktime_t delta = now - t.expires;

	assert(!t.queued && interval > 0);
	if (delta < 0)
		return 0;
	const u64 overruns = static_cast<u64>(delta / interval) + 1;

	t.expires += static_cast<ktime_t>(overruns) * interval;
	return overruns;
}

void hrtimer_interrupt()
{
	TRACE();
	cpu &c = *current.cpu;
	hrtimer_cpu_base &base = *c.hrtimers;
	const unsigned long flags = _raw_spin_lock_irqsave(base.lock);
	const ktime_t now = sched_clock();

	base.in_hrtirq = true;
	if (!base.soft.empty() && base.soft.begin()->expires <= now && !base.softirq_activated) {
		base.softirq_activated = true;
		raise_softirq_irqoff(HRTIMER_SOFTIRQ);
	}
	__hrtimer_run_queues(base, now, flags, base.hard);
	base.in_hrtirq = false;
	_raw_spin_unlock_irqrestore(base.lock, flags);
	if (jiffies() != base.last_tick) {
		base.last_tick = jiffies();
		tick_sched_timer();
	}
}

void hrtimer_run_softirq()
{
	TRACE();
	hrtimer_cpu_base &base = *current.cpu->hrtimers;
	const unsigned long flags = _raw_spin_lock_irqsave(base.lock);

	__hrtimer_run_queues(base, sched_clock(), flags, base.soft);
	base.softirq_activated = false;
	hrtimer_reprogram(base);
	_raw_spin_unlock_irqrestore(base.lock, flags);
}

namespace {

struct hrtimer_sleeper {
	hrtimer timer;
	task_struct *task;
};

hrtimer_restart hrtimer_wakeup(hrtimer &t)
{
	TRACE();
	hrtimer_sleeper &s = *reinterpret_cast<hrtimer_sleeper *>(&t);
	task_struct *task = s.task;

	s.task = nullptr;
	if (task)
		wake_up_process(*task);
	return HRTIMER_NORESTART;
}

int schedule_hrtimeout_range_clock(const u64 *expires_ns, u64 delta_ns, const char *wchan)
{
	TRACE();
	if (expires_ns && *expires_ns == 0) {
		set_current_state(TASK_RUNNING);
		return 0;
	}
	if (!expires_ns) {
		schedule(wchan);
		return -EINTR;
	}
	hrtimer_sleeper s{{}, current.task};

	hrtimer_init(s.timer, HRTIMER_MODE_ABS);
	s.timer.function = hrtimer_wakeup;
	hrtimer_start_range_ns(s.timer, static_cast<ktime_t>(*expires_ns), delta_ns, HRTIMER_MODE_ABS);
	schedule(wchan);
	hrtimer_cancel(s.timer);
	set_current_state(TASK_RUNNING);
	return s.task ? -EINTR : 0;
}

} // namespace

int schedule_hrtimeout_range(const u64 *expires_ns, u64 delta_ns, const char *wchan)
{
	TRACE();
	return schedule_hrtimeout_range_clock(expires_ns, delta_ns, wchan);
}

void usleep_range_state(u32 min_us, u32 max_us, int state)
{
	TRACE();
	if (!current.task) { // a command of the world's: others go on meanwhile
		charge(min_us * NSEC_PER_USEC);
		run_others();
		return;
	}
	const u64 expires = static_cast<u64>(ktime_get()) + min_us * NSEC_PER_USEC;
	const u64 delta = u64{max_us - min_us} * NSEC_PER_USEC;

	do
		set_current_state(state);
	while (schedule_hrtimeout_range(&expires, delta));
}

} // namespace skbwalk
