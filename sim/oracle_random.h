// SPDX-License-Identifier: GPL-2.0-only
//
// Scenarios from a grammar: a network, sockets on it, and calls in an order that nobody would think of. Each
// call is a phase of its own, and after each the state of every TCP socket is asked for.
#pragma once

#include <string>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

// The file's text: the same seed and number give the same one.
[[nodiscard]] std::string random_scenario(u64 seed, u32 number);
[[nodiscard]] std::string random_scenario_name(u64 seed, u32 number);

} // namespace skbwalk::sim
