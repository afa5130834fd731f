// SPDX-License-Identifier: GPL-2.0-only
//
// The model's run of a scenario, in the form that a real kernel's comes in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/oracle_results.h"
#include "sim/tree_text.h"

namespace skbwalk::sim {

struct model_run {
	std::vector<std::pair<std::string, text_tree>> phases;
	outcomes got;
};

// Throws as run_scenario() does. `tick` is the kernel's when its first step began (0: unknown): the set-up is
// put off until the model's steps begin at one of the same place in the timers' wheel.
[[nodiscard]] model_run run_on_model(const scenario &s, const std::string &profile, u64 tick = 0);
// No trees: frames are kept as each device sends them (loopback: receives), and clones of them, as the packet
// sockets do that look at the kernel's.
[[nodiscard]] model_run look_at_model(const scenario &s, const std::string &profile, u64 tick = 0);

} // namespace skbwalk::sim
