// SPDX-License-Identifier: GPL-2.0-only
//
// The two halves of `tc`: setup_tc.cpp reads disciplines' options, setup_tc_show.cpp prints what there is.
#pragma once

#include "sim/setup_command.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk::sim {

// What is asked to be shown.
struct tc_filter {
	const net_device *dev = nullptr; // null: of all
	u32 parent = 0, handle = 0;
	bool statistics = false, details = false, invisible = false;
};
std::string tc_show_qdiscs(net &space, const tc_filter &which);
std::string tc_show_classes(net_device &dev, const tc_filter &which);

} // namespace skbwalk::sim
