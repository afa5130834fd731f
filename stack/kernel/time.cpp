// SPDX-License-Identifier: GPL-2.0-only
//
// Reading the clock (kernel/time/timekeeping.c, time.c). All readings derive from the current cpu's place in
// world time: monotonic time counts from the host's boot, jiffies count the tick boundaries since then, the
// wall clock is world time and a constant.
#include <cassert>

#include "stack/kernel/jiffies.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

u32 jiffies_to_clock_t(u32 j)
{
	TRACE();
	constexpr u32 USER_HZ = 100;

	return static_cast<u32>(u64{j} * USER_HZ / HZ);
}

// not traced: a variable in the kernel
void tick_passed(cpu &c)
{
	const u64 since_ns = c.now_ns > c.on.boot_ns ? c.now_ns - c.on.boot_ns : 0;

	c.tick_ends_ns = c.now_ns - since_ns % TICK_NSEC + TICK_NSEC;
	c.tick_jiffies = INITIAL_JIFFIES + static_cast<u32>(since_ns / TICK_NSEC);
}

ktime_t ktime_get()
{
	TRACE();
	return static_cast<ktime_t>(ns_since_boot());
}

u64 ktime_get_real_ns() { return ktime_get_with_offset(); }

u64 ktime_get_with_offset()
{
	TRACE();
	return current.host->wall_ns + current.cpu->now_ns;
}

// not traced: shows as what it calls
u64 tcp_clock_ns() { return ktime_get_ns(); }

// The coarse clock's seconds: those of the last tick.
s64 ktime_get_seconds()
{
	TRACE();
	return static_cast<s64>(ns_since_boot() / TICK_NSEC * TICK_NSEC / NSEC_PER_SEC);
}

s64 ktime_get_real_seconds()
{
	TRACE();
	return static_cast<s64>((current.host->wall_ns + current.cpu->now_ns) / NSEC_PER_SEC);
}

void ktime_get_ts64(timespec64 &ts)
{
	TRACE();
	const u64 now = ns_since_boot();

	ts = {static_cast<s64>(now / NSEC_PER_SEC), static_cast<s64>(now % NSEC_PER_SEC)};
}

void set_normalized_timespec64(timespec64 &ts, s64 sec, s64 nsec)
{
	TRACE();
	constexpr s64 second = static_cast<s64>(NSEC_PER_SEC);

	sec += nsec / second;
	nsec %= second;
	if (nsec < 0) {
		nsec += second;
		--sec;
	}
	ts = {sec, nsec};
}

timespec64 timespec64_add_safe(const timespec64 &lhs, const timespec64 &rhs)
{
	TRACE();
	timespec64 res;
	constexpr s64 second = static_cast<s64>(NSEC_PER_SEC);

	set_normalized_timespec64(
		res, static_cast<s64>(static_cast<u64>(lhs.tv_sec) + static_cast<u64>(rhs.tv_sec)),
		lhs.tv_nsec + rhs.tv_nsec);
	if (res.tv_sec < lhs.tv_sec || res.tv_sec < rhs.tv_sec || res.tv_sec > INT64_MAX / second - 1)
		res = {INT64_MAX / second - 1, 0};
	return res;
}

// not traced: notrace in the kernel
ktime_t sched_clock() { return static_cast<ktime_t>(ns_since_boot()); }

u32 __usecs_to_jiffies(u32 u)
{
	TRACE();
	return usecs_to_jiffies(u);
}

} // namespace skbwalk
