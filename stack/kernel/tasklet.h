// SPDX-License-Identifier: GPL-2.0-only
//
// Tasklets (include/linux/interrupt.h, kernel/softirq.c): a function to be run once, soon, by a softirq of
// the cpu on which it was scheduled. Scheduled again before it ran, it still runs once; scheduled while it
// runs, it runs once more. Different ones run on different cpus at the same time, the same one never does: it
// has a lock that is tried, and who finds it taken leaves the tasklet for its next round.
#pragma once

#include <cassert>
#include <utility>

#include "stack/kernel/softirq.h"

namespace skbwalk {

constexpr unsigned long TASKLET_STATE_SCHED = 1, TASKLET_STATE_RUN = 2; // bits of state

struct tasklet_struct {
	tasklet_struct *next = nullptr;
	unsigned long state = 0;
	int count = 0; // disabled while not zero
	void (*callback)(tasklet_struct &t) = nullptr;
};
void tasklet_setup(tasklet_struct &t, void (*callback)(tasklet_struct &t));
void __tasklet_schedule(tasklet_struct &t);
void __tasklet_hi_schedule(tasklet_struct &t);
// Waits, asleep, until the tasklet that is scheduled has run; nobody may schedule it again.
void tasklet_kill(tasklet_struct &t);
void tasklet_unlock(tasklet_struct &t);
void tasklet_unlock_wait(tasklet_struct &t);
void tasklet_unlock_spin_wait(tasklet_struct &t);

// True: it was not set.
inline bool tasklet_set_bit(tasklet_struct &t, unsigned long bit)
{
	return !(std::exchange(t.state, t.state | bit) & bit);
}
inline void tasklet_schedule(tasklet_struct &t)
{
	TRACE_INLINE();
	if (tasklet_set_bit(t, TASKLET_STATE_SCHED))
		__tasklet_schedule(t);
}
inline void tasklet_hi_schedule(tasklet_struct &t)
{
	TRACE_INLINE();
	if (tasklet_set_bit(t, TASKLET_STATE_SCHED))
		__tasklet_hi_schedule(t);
}
inline bool tasklet_trylock(tasklet_struct &t)
{
	TRACE_INLINE();
	return tasklet_set_bit(t, TASKLET_STATE_RUN);
}
inline void tasklet_disable_nosync(tasklet_struct &t)
{
	TRACE_INLINE();
	++t.count;
}
inline void tasklet_disable_in_atomic(tasklet_struct &t)
{
	TRACE_INLINE();
	tasklet_disable_nosync(t);
	tasklet_unlock_spin_wait(t);
}
// Afterwards it does not run, wherever it ran.
inline void tasklet_disable(tasklet_struct &t)
{
	TRACE_INLINE();
	tasklet_disable_nosync(t);
	tasklet_unlock_wait(t);
}
inline void tasklet_enable(tasklet_struct &t)
{
	TRACE_INLINE();
	assert(t.count > 0);
	--t.count;
}

} // namespace skbwalk
