// SPDX-License-Identifier: GPL-2.0-only
//
// The timer wheel (kernel/time/timer.c). mod_timer puts a timer into the bucket that calc_wheel_index
// chooses: the further away, the coarser the level, rounded up so that none fires early, and never moved
// again. A tick at which the first pending bucket is due raises TIMER_SOFTIRQ; run_timer_softirq empties the
// buckets that became due and calls each timer. An idle cpu sleeps until that tick (timer_wheel_next_ns), but
// not for deferrable timers, which have a base of their own. Left out: migration to a busy cpu.
//
// Unlike the kernel, a busy cpu ticks only when something needs it, so that deferrable timers may be later
// than there.
#include "stack/kernel/timer.h"

#include <bit>
#include <cassert>
#include <climits>

#include "stack/kernel/cpus.h"
#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

constexpr u32 LVL_SHIFT(u32 n) { return n * LVL_CLK_SHIFT; }
constexpr u32 LVL_START(u32 n) { return (LVL_SIZE - 1) << ((n - 1) * LVL_CLK_SHIFT); }
constexpr u32 LVL_OFFS(u32 n) { return n * LVL_SIZE; }
// In the word of its level.
constexpr u64 bucket_bit(u32 idx) { return u64{1} << (idx & LVL_MASK); }
static_assert(LVL_SIZE == 64);
constexpr u32 WHEEL_TIMEOUT_CUTOFF = LVL_START(LVL_DEPTH);
constexpr u32 WHEEL_TIMEOUT_MAX = WHEEL_TIMEOUT_CUTOFF - (1U << LVL_SHIFT(LVL_DEPTH - 1));

constexpr unsigned MOD_TIMER_PENDING_ONLY = 0x01;
constexpr unsigned MOD_TIMER_REDUCE = 0x02;
constexpr unsigned MOD_TIMER_NOTPENDING = 0x04;

// not traced: inlined in the kernel, pure arithmetic
unsigned calc_index(u32 expires, u32 lvl, u32 &bucket_expiry)
{
	expires = (expires >> LVL_SHIFT(lvl)) + 1;
	bucket_expiry = expires << LVL_SHIFT(lvl);
	return LVL_OFFS(lvl) + (expires & LVL_MASK);
}

unsigned calc_wheel_index(u32 expires, u32 clk, u32 &bucket_expiry)
{
	TRACE();
	const u32 delta = expires - clk;

	for (u32 lvl = 0; lvl < LVL_DEPTH - 1; ++lvl)
		if (delta < LVL_START(lvl + 1))
			return calc_index(expires, lvl, bucket_expiry);
	if (static_cast<s32>(delta) < 0) {
		bucket_expiry = clk;
		return clk & LVL_MASK;
	}
	if (delta >= WHEEL_TIMEOUT_CUTOFF)
		expires = clk + WHEEL_TIMEOUT_MAX;
	return calc_index(expires, LVL_DEPTH - 1, bucket_expiry);
}

void enqueue_timer(timer_base &base, timer_list &timer, unsigned idx, u32 bucket_expiry)
{
	TRACE();
	list_add(timer.entry, base.vectors[idx]);
	base.pending_map[idx / LVL_SIZE] |= bucket_bit(idx);
	timer.bucket = static_cast<u16>(idx);
	if (!time_before(bucket_expiry, base.next_expiry))
		return;
	base.next_expiry = bucket_expiry;
	base.timers_pending = true;
	base.next_expiry_recalc = false;
	if (&base == base.on.timers.get())
		cpu_event_at(base.on, jiffies_to_world_ns(base.on.on, bucket_expiry));
}

void internal_add_timer(timer_base &base, timer_list &timer)
{
	TRACE();
	u32 bucket_expiry;
	const unsigned idx = calc_wheel_index(timer.expires, base.clk, bucket_expiry);

	enqueue_timer(base, timer, idx, bucket_expiry);
}

void detach_timer(timer_list &timer)
{
	TRACE();
	list_del_init(timer.entry);
}

int detach_if_pending(timer_list &timer, timer_base &base)
{
	TRACE();
	if (!timer_pending(timer))
		return 0;
	const list_head &vec = base.vectors[timer.bucket];

	if (vec.next == &timer.entry && vec.prev == &timer.entry) {
		base.pending_map[timer.bucket / LVL_SIZE] &= ~bucket_bit(timer.bucket);
		base.next_expiry_recalc = true;
	}
	detach_timer(timer);
	return 1;
}

void forward_timer_base(timer_base &base)
{
	TRACE();
	const u32 jnow = jiffies();

	if (static_cast<s32>(jnow - base.clk) < 1)
		return;
	if (time_after(base.next_expiry, jnow))
		base.clk = jnow;
	else if (!time_before(base.next_expiry, base.clk))
		base.clk = base.next_expiry;
}

timer_base *get_timer_this_cpu_base(u32 flags)
{
	TRACE();
	return flags & TIMER_DEFERRABLE ? current.cpu->deferrable_timers.get() : current.cpu->timers.get();
}

// Where the timer moves while its base's lock is waited for, its new base is asked.
timer_base &lock_timer_base(timer_list &timer, unsigned long &flags)
{
	TRACE();
	for (;;) {
		timer_base &base = *timer.base;

		flags = _raw_spin_lock_irqsave(base.lock);
		if (timer.base == &base)
			return base;
		_raw_spin_unlock_irqrestore(base.lock, flags);
	}
}

int __mod_timer(timer_list &timer, u32 expires, unsigned options)
{
	TRACE();
	assert(timer.function && "a timer is used that was never set up");
	unsigned long flags;
	u32 clk = 0, bucket_expiry = 0;
	unsigned idx = UINT_MAX;
	const bool was_pending = !(options & MOD_TIMER_NOTPENDING) && timer_pending(timer);

	if (was_pending) {
		const auto diff = static_cast<s32>(timer.expires - expires);

		if (!diff || ((options & MOD_TIMER_REDUCE) && diff <= 0))
			return 1;
	}
	timer_base *base = &lock_timer_base(timer, flags);

	forward_timer_base(*base);
	if (was_pending) {
		clk = base->clk;
		idx = calc_wheel_index(expires, clk, bucket_expiry);
		if (idx == timer.bucket) {
			timer.expires = expires;
			_raw_spin_unlock_irqrestore(base->lock, flags);
			return 1;
		}
	}
	const int ret = detach_if_pending(timer, *base);

	if (!ret && (options & MOD_TIMER_PENDING_ONLY)) {
		_raw_spin_unlock_irqrestore(base->lock, flags);
		return ret;
	}
	timer_base *new_base = get_timer_this_cpu_base(timer.flags);

	if (base != new_base && base->running_timer != &timer) {
		_raw_spin_unlock(base->lock);
		base = new_base;
		_raw_spin_lock(base->lock);
		timer.base = base;
		forward_timer_base(*base);
		idx = UINT_MAX;
	}
	timer.expires = expires;
	if (idx != UINT_MAX && clk == base->clk)
		enqueue_timer(*base, timer, idx, bucket_expiry);
	else
		internal_add_timer(*base, timer);
	_raw_spin_unlock_irqrestore(base->lock, flags);
	return ret;
}

int __timer_delete(timer_list &timer)
{
	TRACE();
	int ret = 0;

	if (timer_pending(timer)) {
		unsigned long flags;
		timer_base &base = lock_timer_base(timer, flags);

		ret = detach_if_pending(timer, base);
		_raw_spin_unlock_irqrestore(base.lock, flags);
	}
	return ret;
}

int __try_to_del_timer_sync(timer_list &timer)
{
	TRACE();
	int ret = -1;
	unsigned long flags;
	timer_base &base = lock_timer_base(timer, flags);

	if (base.running_timer != &timer)
		ret = detach_if_pending(timer, base);
	_raw_spin_unlock_irqrestore(base.lock, flags);
	return ret;
}

int __timer_delete_sync(timer_list &timer)
{
	TRACE();
	for (;;) {
		const int ret = __try_to_del_timer_sync(timer);

		if (ret >= 0)
			return ret;
		assert(&timer.base->on != current.cpu &&
		       "timer_delete_sync waits for the handler that it is called from");
		cpu_relax(); // it runs on another cpu
	}
}

// not traced: inlined in the kernel, a search in the map
int next_pending_bucket(const timer_base &base, unsigned lvl, unsigned clk)
{
	const u64 from_clk = std::rotr(base.pending_map[lvl], static_cast<int>(clk));

	return from_clk ? std::countr_zero(from_clk) : -1;
}

// The search behind __next_timer_interrupt, also for the idle loop, which leaves no trace.
u32 first_pending_expiry(timer_base &base)
{
	u32 next = base.clk + NEXT_TIMER_MAX_DELTA;
	u32 clk = base.clk;
	bool found = false;

	for (u32 lvl = 0; lvl < LVL_DEPTH; ++lvl) {
		const int pos = next_pending_bucket(base, lvl, clk & LVL_MASK);
		const u32 lvl_clk = clk & LVL_CLK_MASK;

		if (pos >= 0) {
			const u32 tmp = (clk + static_cast<u32>(pos)) << LVL_SHIFT(lvl);

			found = true;
			if (time_before(tmp, next))
				next = tmp;
			if (static_cast<u32>(pos) <= ((LVL_CLK_DIV - lvl_clk) & LVL_CLK_MASK))
				break;
		}
		clk >>= LVL_CLK_SHIFT;
		clk += lvl_clk ? 1 : 0;
	}
	base.next_expiry_recalc = false;
	base.timers_pending = found;
	return next;
}

u32 __next_timer_interrupt(timer_base &base)
{
	TRACE();
	return first_pending_expiry(base);
}

void call_timer_fn(timer_list &timer, timer_list::callback fn)
{
	TRACE();
	const u32 nesting = current.cpu->preempt_count;

	fn(timer);
	assert(current.cpu->preempt_count == nesting);
}

void expire_timers(timer_base &base, list_head &head)
{
	TRACE();
	while (!list_empty(head)) {
		timer_list &timer = list_entry(*head.next, &timer_list::entry);

		base.running_timer = &timer;
		detach_timer(timer);
		const timer_list::callback fn = timer.function;
		_raw_spin_unlock_irq(base.lock);
		call_timer_fn(timer, fn);
		_raw_spin_lock_irq(base.lock);
		base.running_timer = nullptr;
	}
}

unsigned collect_expired_timers(timer_base &base, std::array<list_head, LVL_DEPTH> &heads)
{
	TRACE();
	unsigned levels = 0;

	base.clk = base.next_expiry;
	u32 clk = base.clk;
	for (u32 i = 0; i < LVL_DEPTH; ++i) {
		const u64 bucket = bucket_bit(clk);

		if (base.pending_map[i] & bucket) {
			base.pending_map[i] &= ~bucket;
			list_splice_init(base.vectors[(clk & LVL_MASK) + LVL_OFFS(i)], heads[levels++]);
		}
		if (clk & LVL_CLK_MASK)
			break;
		clk >>= LVL_CLK_SHIFT;
	}
	return levels;
}

void __run_timers(timer_base &base)
{
	TRACE();
	std::array<list_head, LVL_DEPTH> heads;

	if (time_before(jiffies(), base.next_expiry))
		return;
	_raw_spin_lock_irq(base.lock);
	while (time_after_eq(jiffies(), base.clk) && time_after_eq(jiffies(), base.next_expiry)) {
		unsigned levels = collect_expired_timers(base, heads);

		++base.clk;
		base.next_expiry = __next_timer_interrupt(base);
		while (levels--)
			expire_timers(base, heads[levels]);
	}
	_raw_spin_unlock_irq(base.lock);
}

} // namespace

timer_base::timer_base(cpu &c) : next_expiry(INITIAL_JIFFIES + NEXT_TIMER_MAX_DELTA), on(c) {}

// not traced: the machine beneath the kernel
u64 timer_wheel_next_ns(timer_base &base)
{
	if (base.next_expiry_recalc)
		base.next_expiry = first_pending_expiry(base);
	if (!base.timers_pending)
		return KTIME_NEVER;
	// What a tick that was done already did not expire waits for the next one.
	const u32 ticked = base.on.hrtimers->last_tick;
	const u32 at = time_after(base.next_expiry, ticked) ? base.next_expiry : ticked + 1;

	return jiffies_to_world_ns(base.on.on, at);
}

timer_list::~timer_list() { assert(!timer_pending(*this) && "a pending timer is freed"); }

void init_timer_key(timer_list &t, timer_list::callback fn, u32 flags)
{
	TRACE();
	assert(!timer_pending(t));
	t.function = fn;
	t.flags = flags;
	t.base = get_timer_this_cpu_base(flags);
}

int mod_timer(timer_list &t, u32 expires)
{
	TRACE();
	return __mod_timer(t, expires, 0);
}

int mod_timer_pending(timer_list &t, u32 expires)
{
	TRACE();
	return __mod_timer(t, expires, MOD_TIMER_PENDING_ONLY);
}

int timer_reduce(timer_list &t, u32 expires)
{
	TRACE();
	return __mod_timer(t, expires, MOD_TIMER_REDUCE);
}

void add_timer_on(timer_list &t, cpu &c)
{
	TRACE();
	unsigned long flags;
	timer_base &new_base = t.flags & TIMER_DEFERRABLE ? *c.deferrable_timers : *c.timers;

	assert(!timer_pending(t));
	timer_base *base = &lock_timer_base(t, flags);

	if (base != &new_base) {
		_raw_spin_unlock(base->lock);
		base = &new_base;
		_raw_spin_lock(base->lock);
		t.base = base;
	}
	forward_timer_base(*base);
	internal_add_timer(*base, t);
	_raw_spin_unlock_irqrestore(base->lock, flags);
}

void add_timer(timer_list &t)
{
	TRACE();
	assert(!timer_pending(t));
	__mod_timer(t, t.expires, MOD_TIMER_NOTPENDING);
}

int timer_delete(timer_list &t)
{
	TRACE();
	return __timer_delete(t);
}

int timer_delete_sync(timer_list &t)
{
	TRACE();
	return __timer_delete_sync(t);
}

void run_timer_softirq()
{
	TRACE();
	__run_timers(*current.cpu->timers);
	__run_timers(*current.cpu->deferrable_timers);
}

void run_local_timers()
{
	TRACE();
	const cpu &c = *current.cpu;

	if (time_before(jiffies(), c.timers->next_expiry) &&
	    time_before(jiffies(), c.deferrable_timers->next_expiry))
		return;
	raise_softirq(TIMER_SOFTIRQ);
}

namespace {

u32 round_jiffies_common(u32 j, u32 cpu_nr)
{
	TRACE();
	const u32 original = j;

	j += cpu_nr * 3;
	const u32 rem = j % HZ;

	j = rem < HZ / 4 ? j - rem : j - rem + HZ;
	j -= cpu_nr * 3;
	return time_after(j, jiffies()) ? j : original;
}

struct process_timer {
	timer_list timer;
	task_struct *task;
};

void process_timeout(timer_list &t)
{
	TRACE();
	wake_up_process(*reinterpret_cast<process_timer *>(&t)->task);
}

} // namespace

u32 round_jiffies_relative(u32 j)
{
	TRACE();
	const u32 j0 = jiffies();

	return round_jiffies_common(j + j0, static_cast<u32>(smp_processor_id())) - j0;
}

long schedule_timeout(long timeout, const char *wchan)
{
	TRACE();
	if (timeout == MAX_SCHEDULE_TIMEOUT) {
		schedule(wchan);
		return timeout;
	}
	assert(timeout >= 0);
	// The world ends: a sleep that no signal can break is over at once, since its time will never come.
	const bool uninterruptible = current.task->state == TASK_UNINTERRUPTIBLE;

	if (uninterruptible && signal_pending(*current.task)) {
		set_current_state(TASK_RUNNING);
		return 0;
	}
	const u32 expire = static_cast<u32>(timeout) + jiffies();
	process_timer t{{}, current.task};

	timer_setup(t.timer, process_timeout, 0);
	__mod_timer(t.timer, expire, MOD_TIMER_NOTPENDING);
	schedule(wchan);
	timer_delete_sync(t.timer);
	if (uninterruptible && signal_pending(*current.task))
		return 0;
	const auto left = static_cast<s32>(expire - jiffies());

	return left < 0 ? 0 : left;
}

} // namespace skbwalk
