// SPDX-License-Identifier: GPL-2.0-only
//
// Dynamic queue limits (include/linux/dynamic_queue_limits.h, lib/dynamic_queue_limits.c): how many bytes a
// driver's queue may hold so that it just does not run empty between two completions. Who fills it says
// dql_queued, who empties it dql_completed, which moves the limit.
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u32 DQL_MAX_OBJECT = ~u32{0} / 16, DQL_MAX_LIMIT = ~u32{0} / 2 - DQL_MAX_OBJECT;

struct dql {
	u32 num_queued = 0; // in all
	u32 adj_limit = 0;  // limit + num_completed
	u32 last_obj_cnt = 0;
	u32 limit = 0;
	u32 num_completed = 0;
	u32 prev_ovlimit = 0;
	u32 prev_num_queued = 0;
	u32 prev_last_obj_cnt = 0;
	u32 lowest_slack = ~u32{0};
	u32 slack_start_time = 0; // jiffies
	u32 max_limit = DQL_MAX_LIMIT;
	u32 min_limit = 0;
	u32 slack_hold_time = 0;
};

void dql_queued(dql &d, u32 count); // header inlines
int dql_avail(const dql &d);        // less than zero: over the limit
void dql_completed(dql &d, u32 count);
void dql_reset(dql &d);
void dql_init(dql &d, u32 hold_time);

} // namespace skbwalk
