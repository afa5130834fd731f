// SPDX-License-Identifier: GPL-2.0-only
//
// The arguments of bridges and their ports that `ip link` takes too.
#pragma once

#include "sim/setup_command.h"
#include "stack/bridge/br_private.h"

namespace skbwalk::sim {

// One option of `ip link add|set ... type bridge`; false when the next word is none.
bool bridge_argument(command &c, br_attributes &data);
void bridge_arguments(command &c, br_attributes &data); // all that follow
// What follows `ip link set DEV type TYPE`, and its effect.
void set_type_arguments(command &c, net_device &dev, const std::string &type);
// `ip link set DEV master MASTER|nomaster` (null).
void set_master(net_device &dev, net_device *master);

} // namespace skbwalk::sim
