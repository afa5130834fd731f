// SPDX-License-Identifier: GPL-2.0-only
//
// Other programs, run to their end.
#pragma once

#include <string>
#include <vector>

namespace skbwalk::sim {

struct process_result {
	int status = -1;    // its exit status; 127: it does not exist; 128 + a signal's number
	std::string output; // stdout, and stderr where asked for
};

struct process_options {
	std::string folder = {}; // it runs there; empty: here
	bool with_stderr = true; // else stderr is ours
};

// words[0] is looked for in PATH. Its stdin is empty.
[[nodiscard]] process_result run_process(const std::vector<std::string> &words,
                                         const process_options &options = {});

} // namespace skbwalk::sim
