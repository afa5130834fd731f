// SPDX-License-Identifier: GPL-2.0-only
//
// Time: jiffies, clock reading, timer_list on a wheel (kernel/time/timer.c, HZ=250), hrtimers
// (kernel/time/hrtimer.c). Jiffies are the host's; a timer fires in run_timer_softirq at the first tick at
// which its (rounded) expiry has come.
#pragma once

#include "stack/kernel/list.h"
#include "stack/kernel/sched.h"
#include "stack/trace/trace.h"

namespace skbwalk {

using ktime_t = s64;

// The boot value INITIAL_JIFFIES of the kernel (five minutes before the 32-bit wrap) is kept.
constexpr u32 INITIAL_JIFFIES = static_cast<u32>(-300 * static_cast<int>(HZ));
inline u64 ns_since_boot()
{
	const u64 now = current.cpu->now_ns;
	const u64 boot = current.host->boot_ns;

	return now > boot ? now - boot : 0;
}
// The kernel's `jiffies`: of the last tick boundary that passed on this cpu's clock.
// not traced: a variable in the kernel
inline u32 jiffies() { return current.cpu->tick_jiffies; }
inline u32 tcp_jiffies32() { return jiffies(); }
constexpr bool time_after(u32 a, u32 b) { return static_cast<s32>(b - a) < 0; }
constexpr bool time_before(u32 a, u32 b) { return time_after(b, a); }
constexpr bool time_after_eq(u32 a, u32 b) { return static_cast<s32>(a - b) >= 0; }
constexpr bool time_before_eq(u32 a, u32 b) { return time_after_eq(b, a); }
constexpr bool time_in_range(u32 a, u32 b, u32 c) { return time_after_eq(a, b) && time_before_eq(a, c); }
constexpr u32 msecs_to_jiffies(u64 ms) { return static_cast<u32>((ms * HZ + 999) / 1000); }
constexpr u32 usecs_to_jiffies(u64 us) { return static_cast<u32>((us * HZ + 999'999) / 1'000'000); }
constexpr u32 jiffies_to_msecs(u32 j) { return j * (1000 / HZ); }
constexpr u32 jiffies_to_usecs(u32 j) { return j * (1'000'000 / HZ); }
u32 jiffies_to_clock_t(u32 j);

ktime_t ktime_get(); // monotonic, ns since this host's boot
inline u64 ktime_get_ns()
{
	TRACE_INLINE();
	return static_cast<u64>(ktime_get());
}
u64 ktime_get_real_ns();
u64 ktime_get_with_offset(); // real time, as secure_tcp_seq reads it
u64 tcp_clock_ns();          // ktime_get_ns; no name of its own in a trace
s64 ktime_get_seconds();
s64 ktime_get_real_seconds();
ktime_t sched_clock(); // reads the clock, leaves no trace
struct timespec64 {
	s64 tv_sec = 0;
	s64 tv_nsec = 0;
};
void ktime_get_ts64(timespec64 &ts); // monotonic
void set_normalized_timespec64(timespec64 &ts, s64 sec, s64 nsec);
timespec64 timespec64_add_safe(const timespec64 &lhs, const timespec64 &rhs); // at the end of time it stays
inline ktime_t timespec64_to_ktime(const timespec64 &ts)
{
	return ts.tv_sec * static_cast<s64>(NSEC_PER_SEC) + ts.tv_nsec;
}

struct timer_list {
	using callback = void (*)(timer_list &);
	u32 expires = 0;
	callback function = nullptr;
	u32 flags = 0;
	list_head entry; // empty: not pending
	u16 bucket = 0;
	timer_base *base = nullptr;
	~timer_list(); // asserts that it is not pending
};
constexpr u32 TIMER_PINNED = 1;
constexpr u32 TIMER_DEFERRABLE = 2; // an idle cpu does not wake for it

void init_timer_key(timer_list &t, timer_list::callback fn, u32 flags);
inline void timer_setup(timer_list &t, timer_list::callback fn, u32 flags) { init_timer_key(t, fn, flags); }
int mod_timer(timer_list &t, u32 expires);
int mod_timer_pending(timer_list &t, u32 expires);
int timer_reduce(timer_list &t, u32 expires);
void add_timer(timer_list &t);
int timer_delete(timer_list &t);
int timer_delete_sync(timer_list &t);
inline int del_timer(timer_list &t) { return timer_delete(t); }
inline int del_timer_sync(timer_list &t) { return timer_delete_sync(t); }
inline bool timer_pending(const timer_list &t) { return t.entry.next != &t.entry; }
void run_timer_softirq();
void run_local_timers();
u32 round_jiffies_relative(u32 j);

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode {
	HRTIMER_MODE_ABS,
	HRTIMER_MODE_REL,
	HRTIMER_MODE_ABS_PINNED,
	HRTIMER_MODE_REL_PINNED,
	HRTIMER_MODE_ABS_PINNED_SOFT,
	HRTIMER_MODE_REL_PINNED_SOFT,
	HRTIMER_MODE_ABS_SOFT
};
struct hrtimer {
	using callback = hrtimer_restart (*)(hrtimer &);
	ktime_t expires = 0; // monotonic ns
	callback function = nullptr;
	bool soft = false; // runs in HRTIMER_SOFTIRQ rather than in the interrupt
	bool queued = false;
	bool running = false;
	rb_hook node;
	hrtimer_cpu_base *base = nullptr;
	~hrtimer();
};
void hrtimer_init(hrtimer &t, hrtimer_mode mode);
void hrtimer_start_range_ns(hrtimer &t, ktime_t tim, u64 delta_ns, hrtimer_mode mode);
inline void hrtimer_start(hrtimer &t, ktime_t tim, hrtimer_mode mode)
{
	TRACE_INLINE();
	hrtimer_start_range_ns(t, tim, 0, mode);
}
int hrtimer_try_to_cancel(hrtimer &t);
int hrtimer_cancel(hrtimer &t);
inline bool hrtimer_is_queued(const hrtimer &t) { return t.queued; }
u64 hrtimer_forward(hrtimer &t, ktime_t now, ktime_t interval);

// Deferred work in process context, as system_wq runs it: here, a task of the cpu (kworker) runs it at the
// next tick at which it is due.
struct delayed_work {
	timer_list timer;
	void (*function)(delayed_work &) = nullptr;
	bool pending = false; // its timer runs, or it waits in the worker's list
	cpu *on = nullptr;
};
void INIT_DELAYED_WORK(delayed_work &w, void (*fn)(delayed_work &));
void INIT_DEFERRABLE_WORK(delayed_work &w, void (*fn)(delayed_work &)); // an idle cpu does not wake for it
bool queue_delayed_work(delayed_work &w, u32 delay_jiffies);
bool mod_delayed_work(delayed_work &w, u32 delay_jiffies);
bool cancel_delayed_work(delayed_work &w);
bool cancel_delayed_work_sync(delayed_work &w);

} // namespace skbwalk
