// SPDX-License-Identifier: GPL-2.0-only
//
// From lines of function_graph text to a call tree: whose line it is, how deep, below whom.
#pragma once

#include <string_view>
#include <vector>

#include "sim/graph_line.h"
#include "sim/tree_text.h"

namespace skbwalk::sim {

// Whether any line is a call or a return: what tells this form from the tree text.
[[nodiscard]] bool is_graph_text(const std::vector<graph_line> &lines);

// `texts` are the lines as they stand in `file`, for messages; `whole` is false where the last one has no
// end.
[[nodiscard]] text_tree read_graph_text(const std::vector<graph_line> &lines,
                                        const std::vector<std::string_view> &texts, std::string_view file,
                                        bool whole);

} // namespace skbwalk::sim
