// SPDX-License-Identifier: GPL-2.0-only
//
// How a host comes up, in the order of the kernel's initcalls, and how it goes down again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "stack/kernel/context.h"
#include "stack/trace/recorder.h"

namespace skbwalk::sim {

// Boots the network of a host that was just made.
// Security modules in the order in which they are asked, as the kernel's lsm= has them.
void boot(host &h, const std::vector<std::string> &lsm = {});

// Ends a host's network when none of its tasks is left. `wait(ns)` lets that much time pass: orphaned
// connections are given theirs to end. Returns what is left over then but for memory, a line each; empty is
// good.
std::vector<std::string> shut_down(host &h, const std::function<void(u64)> &wait);

// How the recorder reads the ids of skbs, sockets and devices.
trace::object_ids trace_ids();

} // namespace skbwalk::sim
