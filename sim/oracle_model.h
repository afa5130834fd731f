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

// Throws as run_scenario() does. With `packets`, frames are kept as each device sends them (loopback:
// receives).
[[nodiscard]] model_run run_on_model(const scenario &s, const std::string &profile, bool packets);

} // namespace skbwalk::sim
