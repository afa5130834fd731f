// SPDX-License-Identifier: GPL-2.0-only
//
// What of a trace is printed, once the profile has said what there is to see. All parts apply together; an
// empty one applies to everything. A pattern is a glob: `*`, `?`, `[a-z]`.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sim/trace_tree.h"

namespace skbwalk::sim {

// The message says what was asked for and what there is.
struct bad_selection : std::runtime_error {
	using std::runtime_error::runtime_error;
};

struct trace_selection {
	std::vector<std::string> phases; // these phases alone
	std::vector<std::string> tasks;  // by label or plain name
	std::vector<std::string> hosts;  // what runs there
	std::vector<std::string> roots;  // these functions and what they call (set_graph_function)
	std::vector<std::string> only;   // patterns: no other function (set_ftrace_filter); children move up
	std::vector<std::string>
		notrace; // patterns: not these functions (set_ftrace_notrace); children move up
	std::vector<std::string>
		fold;      // patterns: without what they call (set_graph_notrace, but the name stays)
	u32 depth_max = 0; // levels; 0: all
	bool irqs = false; // hard interrupts too (funcgraph-irqs)
};

void select(call_tree &tree, const trace_selection &what);

[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);
// Without the compiler's suffixes (.isra.0, .part.1, .constprop.2, .cold, .lto_priv.3).
[[nodiscard]] std::string_view clean_name(std::string_view name);

} // namespace skbwalk::sim
