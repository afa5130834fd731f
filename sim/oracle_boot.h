// SPDX-License-Identifier: GPL-2.0-only
//
// Where plans are played: a Debian kernel under qemu, without KVM, network or privilege, or this machine's
// own. What each run of the player writes comes back as files in a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/oracle_packages.h"
#include "sim/scenario.h"

namespace skbwalk::sim {

// A way to play a plan: `full` and `softirqs` record calls, `packets` looks at packets.
struct played_plan {
	const scenario *what;
	std::vector<std::string> variants;
};

struct boot_args {
	std::vector<played_plan> plans;
	std::string kernel;           // a package; empty: the newest of the measured release
	std::filesystem::path cache;  // of packages; empty: the default
	std::filesystem::path player; // empty: beside this program
	std::filesystem::path folder; // what comes back, and the console's log
	bool records = true;          // calls, in some variant
	u32 seconds_max = 0;          // 0: by the number of plans
	std::string append;           // to the kernel's command line
	u32 later_ms = 0;             // the first run begins so much later after the boot
};

// The kernel's release, and what was odd. Throws no_oracle; the folder then keeps what there is.
struct boot_result {
	std::string release;
	std::vector<std::string> notes;
};
[[nodiscard]] boot_result play_under_qemu(const boot_args &args);
[[nodiscard]] boot_result play_on_this_host(const boot_args &args);

// Modules that the scenario's commands want, beside those that all have.
[[nodiscard]] std::vector<std::string> modules_for(const scenario &s);
// The functions that are recorded, one a line: those in scope, and what roots and softirqs hang on.
[[nodiscard]] std::string recorded_functions();
// The name of the files of a scenario's runs, without VARIANT.trace and VARIANT.results.
[[nodiscard]] std::string plan_stem(const scenario &s);
// Finds skbwalk-player; throws no_oracle.
[[nodiscard]] std::filesystem::path find_player(const std::filesystem::path &asked);

} // namespace skbwalk::sim
