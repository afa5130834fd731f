// SPDX-License-Identifier: GPL-2.0-only
//
// What the player recorded, as call trees. function_graph keeps no more than 50 nested calls a task, and a
// send that is answered at once passes that; so each phase was played twice, the second time with softirqs
// alone as roots, and their trees take the place of the cut ones:
//
//   first run:   x64_sys_call ... handle_softirqs ... tcp_v4_rcv | (cut)
//   second run:                   handle_softirqs ... tcp_v4_rcv ... tcp_transmit_skb ...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/tree_text.h"

namespace skbwalk::sim {

struct capture {
	std::string phase;
	text_tree tree;
	std::vector<std::string> notes; // what could not be made whole
};

// The text of a run: function_graph text with `/* phase NAME */` where each begins, and at its end
// `# pid PID TASK` and `# lost N`. `softirqs` may be empty. `file` is for messages. Throws bad_trace: no
// recording, events lost.
[[nodiscard]] std::vector<capture> read_captures(std::string_view full, std::string_view softirqs,
                                                 const std::string &file);

// Outermost calls that are nobody's work in the scenario: the player's own reads and writes, ticks with
// nothing to do, ends of calls that began before.
[[nodiscard]] text_tree without_noise(const text_tree &tree);

// The tree text: two spaces a level, `# task` where another task's calls begin.
[[nodiscard]] std::string tree_text(const text_tree &tree, std::string_view phase);

} // namespace skbwalk::sim
