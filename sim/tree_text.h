// SPDX-License-Identifier: GPL-2.0-only
//
// Call trees read from text, whoever wrote it: the tree text (read here), ftrace's function_graph text in all
// its option combinations (columns or none, arrows of interrupts, banners of task switches, lost events,
// module tags, notes and arguments of newer kernels), and trace-cmd's report of it (both in graph_text.h).
// The forms are told apart by what is in them.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

// The message has file, line and what was expected.
struct bad_trace : std::runtime_error {
	using std::runtime_error::runtime_error;
};

struct text_node {
	std::string name;   // without the compiler's suffixes
	std::string symbol; // as it stands in the text
	u32 depth;
	u32 task; // index in text_tree::tasks
	u32 line;
	bool irq = false; // within an interrupt, as the recorder's arrows say
};

// Calls in the order of entry, depth within their task.
struct text_tree {
	std::vector<text_node> nodes;
	std::vector<std::string> tasks;
	std::map<std::string, std::string, std::less<>> directives; // `# match: sequence` and the like
	u64 lost = 0;                                               // events that the recorder says it lost
};

// `file` is for messages.
[[nodiscard]] text_tree parse_tree_text(std::string_view text, std::string_view file);
[[nodiscard]] text_tree parse_tree_file(const std::string &path);

} // namespace skbwalk::sim
