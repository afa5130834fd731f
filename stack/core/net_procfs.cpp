// SPDX-License-Identifier: GPL-2.0-only
//
// Files under /proc/net (net/core/net-procfs.c), as text: softnet_stat, a line a cpu. Left out: dev, ptype.
#include <cstdio>

#include "stack/core/rps.h"

namespace skbwalk {

static u32 softnet_backlog_len(const softnet_data &sd)
{
	TRACE();
	return skb_queue_len(sd.input_pkt_queue) + skb_queue_len(sd.process_queue);
}

static void softnet_seq_show(std::string &seq, const softnet_data &sd, u32 index)
{
	TRACE();
	char line[160];
	const u32 flow_limit_count = sd.flow_limit ? sd.flow_limit->count : 0;

	// Where zeros stand, there were counters once.
	std::snprintf(line, sizeof(line),
	              "%08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x %08x\n", sd.processed,
	              sd.dropped, sd.time_squeeze, 0u, 0u, 0u, 0u, 0u, 0u, sd.received_rps, flow_limit_count,
	              softnet_backlog_len(sd), index);
	seq += line;
}

// not traced: the text of a file
std::string softnet_stat()
{
	std::string seq;

	for (const auto &c : current.host->cpus)
		softnet_seq_show(seq, softnet.of(*c), c->id);
	return seq;
}

} // namespace skbwalk
