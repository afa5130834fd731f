// SPDX-License-Identifier: GPL-2.0-only
//
// Records read back into calls: who called whom, in which task, from when to when, with the marks (phases,
// steps) between them. A profile then names and hides (profile.h), a selection cuts (trace_selection.h), a
// writer prints (trace_writer.h); all three work on this one shape.
//
//   events:  enter 0 | enter 1 | leave 1 | step "c send" | enter 2 | ...      in the order of recording
//   calls:   0 tcp_sendmsg <- 1 lock_sock_nested, 2 tcp_sendmsg_locked        parent by index
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/trace/recorder.h"

namespace skbwalk::sim {

constexpr u64 no_time = ~u64{0};
constexpr u32 no_call = ~u32{0};

struct call {
	std::string_view source; // name in the kernel's source
	std::string_view name;   // as it is printed
	u64 t_enter = 0;
	u64 t_leave = no_time;      // no_time: not recorded
	u32 parent = no_call;       // the caller
	u32 shown_parent = no_call; // the nearest caller that is shown; set by settle()
	u32 task = 0;               // index in call_tree::tasks
	u16 depth = 0;              // as shown; set by settle()
	u16 recorded_depth = 0;
	u8 cpu = 0;
	trace::run_context context = trace::run_context::task;
	trace::site_kind kind = trace::site_kind::function;
	bool shown = true;
	u32 skb = 0;
	u32 sk = 0;
	u32 dev = 0;
};

struct tree_event {
	u64 time_ns;
	u32 what; // enter, leave: index of the call; marks: index of the text
	trace::record_kind kind;
};

struct tree_task {
	std::string name;
	int pid = 0;
	u16 id = 0;
	u8 host = 0;
	u8 cpu = 0; // of an idle task
};

struct call_tree {
	std::vector<call> calls;
	std::vector<tree_event> events;
	std::vector<std::string> texts;
	std::vector<tree_task> tasks;
	std::vector<std::string> hosts;
	u64 lost = 0;            // records that the ring did not hold
	bool lost_first = false; // the oldest are missing, else the newest

	// How a task is called in output: its name, with the host where the trace has several, with the cpu
	// for the idle tasks of a host with several.
	[[nodiscard]] std::string task_label(u32 task) const;
	// Names of the phases in order.
	[[nodiscard]] std::vector<std::string> phases() const;
	// Depth and shown parent of every call, from `shown`; drops the events of calls that are not shown.
	void settle();
};

// Host ids in records are indices of `hosts`.
[[nodiscard]] call_tree read_back(const trace::recorder &r, std::vector<std::string> hosts);

} // namespace skbwalk::sim
