// SPDX-License-Identifier: GPL-2.0-only
//
// Tasklets (include/linux/interrupt.h, kernel/softirq.c): a function to be run once, soon, by TASKLET_SOFTIRQ
// of the cpu on which it was scheduled. Scheduled again before it ran, it still runs once.
#pragma once

#include "stack/kernel/softirq.h"

namespace skbwalk {

struct tasklet_struct {
	tasklet_struct *next = nullptr;
	bool scheduled = false; // TASKLET_STATE_SCHED
	bool running = false;   // TASKLET_STATE_RUN
	int count = 0;          // disabled while not zero
	void (*callback)(tasklet_struct &t) = nullptr;
};
void tasklet_setup(tasklet_struct &t, void (*callback)(tasklet_struct &t));
void __tasklet_schedule(tasklet_struct &t);
inline void tasklet_schedule(tasklet_struct &t)
{
	TRACE_INLINE();
	if (!t.scheduled) {
		t.scheduled = true;
		__tasklet_schedule(t);
	}
}
void tasklet_softirq_init(); // of the current host: opens TASKLET_SOFTIRQ

} // namespace skbwalk
