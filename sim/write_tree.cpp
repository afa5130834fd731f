// SPDX-License-Identifier: GPL-2.0-only
//
// The tree text.
#include <iterator>

#include <fmt/format.h>

#include "sim/trace_writer.h"

namespace skbwalk::sim {

namespace {

constexpr u32 no_task = ~u32{0};

std::string since(u64 from_ns, u64 to_ns)
{
	const u64 us = to_ns < from_ns ? 0 : (to_ns - from_ns) / 1000;
	return fmt::format("+{}.{:03} ms", us / 1000, us % 1000);
}

} // namespace

std::string write_tree(const call_tree &tree)
{
	std::string out;
	auto to = std::back_inserter(out);
	u64 begin_ns = tree.events.empty() ? 0 : tree.events.front().time_ns;
	u32 task = no_task;

	if (tree.lost && tree.lost_first)
		fmt::format_to(to, "# lost {} records: the ring was full, the oldest are missing\n",
		               tree.lost);
	for (const tree_event &e : tree.events) {
		switch (e.kind) {
		case trace::record_kind::phase_begin:
			begin_ns = e.time_ns;
			task = no_task;
			fmt::format_to(to, "# phase {}\n", tree.texts[e.what]);
			break;
		case trace::record_kind::phase_end:
			task = no_task;
			break;
		case trace::record_kind::step:
			task = no_task;
			fmt::format_to(to, "# step {}: {}\n", since(begin_ns, e.time_ns), tree.texts[e.what]);
			break;
		case trace::record_kind::note:
			fmt::format_to(to, "# {}\n", tree.texts[e.what]);
			break;
		case trace::record_kind::enter: {
			const call &c = tree.calls[e.what];
			if (c.task != task || c.shown_parent == no_call)
				fmt::format_to(to, "# task {} {}\n", tree.task_label(c.task),
				               since(begin_ns, e.time_ns));
			task = c.task;
			out.append(2 * std::size_t{c.depth}, ' ');
			out.append(c.name);
			out.push_back('\n');
			break;
		}
		case trace::record_kind::leave:
			break;
		}
	}
	if (tree.lost && !tree.lost_first)
		fmt::format_to(to, "# lost {} records: the ring was full, the newest are missing\n",
		               tree.lost);
	return out;
}

} // namespace skbwalk::sim
