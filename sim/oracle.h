// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk oracle: scenarios on a real kernel and in the model, and where the two differ.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/oracle_boot.h"
#include "sim/oracle_capture.h"
#include "sim/oracle_model.h"
#include "sim/oracle_results.h"

namespace skbwalk::sim {

struct oracle_args {
	std::vector<std::string> scenarios;
	std::string kernel; // a package
	std::string profile = "linux-6.1";
	std::filesystem::path cache; // of packages
	std::filesystem::path keep;  // captures go there
	std::filesystem::path from;  // what an earlier run kept: nothing is booted
	std::filesystem::path player;
	std::string diff;     // a phase, or SCENARIO/PHASE: both trees side by side
	double at_least = 98; // pooled F1, in percent
	bool host = false;    // this machine's own kernel
	bool packets = false; // compare them too
	bool texts = false;   // and what commands between steps print
	bool calls = true;    // record them; else results alone, which needs no tracer
	bool colour = false;
	u32 seconds_max = 0;
	std::string append; // to the kernel's command line
	u32 later_ms = 0;   // all of it that much later after the boot
	u32 random = 0;     // so many random scenarios
	u64 seed = 1;
};

// A scenario that was played on both.
struct played_scenario {
	const scenario *what = nullptr;
	std::string failure; // why there is nothing to compare
	std::vector<capture> kernel;
	outcomes kernel_got, kernel_looked; // without and with packet sockets
	model_run model;
	outcomes model_looked;
};

struct oracle_score {
	std::size_t kernel = 0, model = 0, common = 0;
	std::size_t calls = 0, calls_differ = 0;
	bool complete = true;               // every scenario was played
	std::vector<std::string> differing; // scenarios in which a result, a state or a packet is another
};

// The table, what differs, and notes; adds to the score.
[[nodiscard]] std::string oracle_report(const std::vector<played_scenario> &played, const oracle_args &args,
                                        oracle_score &score);

// Packets of the two runs: a line for each device where flags, lengths, relative numbers or options differ.
// What one of them sent in the last moments is not missed in the other: its timer may have come just after
// the end.
[[nodiscard]] std::vector<std::string> packet_differences(const outcomes &kernel, const outcomes &model);

// Exit status: 0 all results are equal and F1 reaches its goal, 1 not, 2 bad input, 3 no kernel can be had.
[[nodiscard]] int cmd_oracle(const oracle_args &args);

} // namespace skbwalk::sim
