// SPDX-License-Identifier: GPL-2.0-only
//
// Writers: a call tree as text. Both forms say how many records were lost, and both are read back by
// tree_text.h.
#pragma once

#include <string>

#include "sim/trace_tree.h"

namespace skbwalk::sim {

// Two spaces a level; `# phase NAME`, `# step +MS ms: TEXT`, and `# task NAME +MS ms` where another task's
// lines begin, where a task comes back (at its own depth) and at every outermost call. MS counts from the
// begin of the phase.
[[nodiscard]] std::string write_tree(const call_tree &tree);

// The options of ftrace's function_graph tracer, with its defaults.
struct graph_options {
	bool cpu = true;
	bool overhead = true;
	bool proc = false;
	bool duration = true;
	bool abstime = false;
	bool irqs = true; // the arrows around interrupts, where the selection shows them
	bool tail = false;
};

// The options of ftrace's function tracer: where in the program a function and its caller stand.
struct function_options {
	bool sym_offset = false;
	bool sym_addr = false;
};
class probe_set;
class profile; // for the names of modules; null: none is printed
// A line for each call, with its caller. `addresses` may be null, where neither option is on.
[[nodiscard]] std::string write_function(const call_tree &graph, const call_tree &stack,
                                         const probe_set *addresses, const function_options &options,
                                         const profile *release = nullptr);

// function_graph's layout to the column, modules' names behind their functions. Durations are virtual time. A
// trace of several hosts becomes one block for each.
[[nodiscard]] std::string write_function_graph(const call_tree &tree, const graph_options &options,
                                               const profile *release = nullptr);

} // namespace skbwalk::sim
