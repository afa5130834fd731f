// SPDX-License-Identifier: GPL-2.0-only
//
// Sleeps for a little (include/linux/delay.h).
#pragma once

#include "stack/kernel/sched.h"
#include "stack/trace/trace.h"

namespace skbwalk {

void usleep_range_state(u32 min_us, u32 max_us, int state);
inline void usleep_range(u32 min_us, u32 max_us)
{
	TRACE_INLINE();
	usleep_range_state(min_us, max_us, TASK_UNINTERRUPTIBLE);
}

} // namespace skbwalk
