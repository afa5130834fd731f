// SPDX-License-Identifier: GPL-2.0-only
//
// Tasklets of a scenario: what a module's code would do with one, in the task that makes the step.
#pragma once

#include "sim/scenario.h"

namespace skbwalk::sim {

// 0; of `kill` how often the tasklet has run, or -EALREADY where it ever ran on two cpus at once.
[[nodiscard]] long use_tasklet(const step &s);
// What the current host's are left with: who waits for its enable runs, so that its cpu comes to rest.
void end_tasklets();

} // namespace skbwalk::sim
