// SPDX-License-Identifier: GPL-2.0-only
//
// lib/dynamic_queue_limits.c. The limit grows by what was missing when the queue ran empty with more waiting,
// and shrinks by the least slack of a second in which it was always busy.
#include "stack/kernel/dynamic_queue_limits.h"

#include <algorithm>
#include <cassert>

#include "stack/kernel/timer.h"

namespace skbwalk {

namespace {

u32 positive_difference(u32 a, u32 b) { return static_cast<s32>(a - b) > 0 ? a - b : 0; }
bool after_eq(u32 a, u32 b) { return static_cast<s32>(a - b) >= 0; }

} // namespace

void dql_queued(dql &d, u32 count)
{
	TRACE_INLINE();
	assert(count <= DQL_MAX_OBJECT);
	d.last_obj_cnt = count;
	d.num_queued += count;
}

int dql_avail(const dql &d) { return static_cast<int>(d.adj_limit - d.num_queued); }

void dql_completed(dql &d, u32 count)
{
	TRACE();
	assert(count <= d.num_queued - d.num_completed && "more was sent than was queued");
	const u32 completed = d.num_completed + count;
	u32 limit = d.limit;
	u32 ovlimit = positive_difference(d.num_queued - d.num_completed, limit);
	const u32 inprogress = d.num_queued - completed;
	const u32 prev_inprogress = d.prev_num_queued - d.num_completed;
	const bool all_prev_completed = after_eq(completed, d.prev_num_queued);

	if ((ovlimit && !inprogress) || (d.prev_ovlimit && all_prev_completed)) {
		// It ran empty, or may have: more would have been sent.
		limit += positive_difference(completed, d.prev_num_queued) + d.prev_ovlimit;
		d.slack_start_time = jiffies();
		d.lowest_slack = ~u32{0};
	} else if (inprogress && prev_inprogress && !all_prev_completed) {
		// It was busy all the time: what was there beyond need is slack.
		const u32 slack_last_objs =
			d.prev_ovlimit ? positive_difference(d.prev_last_obj_cnt, d.prev_ovlimit) : 0;
		const u32 slack = std::max(
			positive_difference(limit + d.prev_ovlimit, 2 * (completed - d.num_completed)),
			slack_last_objs);

		d.lowest_slack = std::min(d.lowest_slack, slack);
		if (time_after(jiffies(), d.slack_start_time + d.slack_hold_time)) {
			limit = positive_difference(limit, d.lowest_slack);
			d.slack_start_time = jiffies();
			d.lowest_slack = ~u32{0};
		}
	}
	limit = std::clamp(limit, d.min_limit, d.max_limit);
	if (limit != d.limit) {
		d.limit = limit;
		ovlimit = 0;
	}
	d.adj_limit = limit + completed;
	d.prev_ovlimit = ovlimit;
	d.prev_last_obj_cnt = d.last_obj_cnt;
	d.num_completed = completed;
	d.prev_num_queued = d.num_queued;
}

void dql_reset(dql &d)
{
	TRACE();
	d.limit = d.min_limit;
	d.num_queued = 0;
	d.num_completed = 0;
	d.last_obj_cnt = 0;
	d.prev_num_queued = 0;
	d.prev_last_obj_cnt = 0;
	d.prev_ovlimit = 0;
	d.lowest_slack = ~u32{0};
	d.slack_start_time = jiffies();
}

void dql_init(dql &d, u32 hold_time)
{
	TRACE();
	d.max_limit = DQL_MAX_LIMIT;
	d.min_limit = 0;
	d.slack_hold_time = hold_time;
	dql_reset(d);
}

} // namespace skbwalk
