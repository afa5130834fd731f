// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk run and check: a scenario from its name to text.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "sim/trace_output.h"
#include "stack/kernel/types.h"

namespace skbwalk::sim {

struct run_args {
	std::string scenario;
	trace_output output;
	std::string profile = "linux-6.1";
	std::string functions_file; // an available_filter_functions
	std::optional<u64> seed;
	std::string pcap_file;
	std::string pcap_device; // [HOST/][NETNS:]DEVICE; empty: every wire once
	std::string pcap_wire;   // what arrives over this one, at both ends
	std::size_t records_max = std::size_t{1} << 21;
	bool stats = false;
	bool commands = false;
	std::vector<std::string> probes; // as parse_probe() takes them
	const volatile std::sig_atomic_t *stop = nullptr;
};

struct run_result {
	std::string text;                  // what was asked for: the trace, counters
	std::vector<std::string> audit;    // lines of the hosts' audit logs, for stderr
	std::vector<std::string> messages; // for stderr: what failed, who waits where, what was lost
	bool fine = true;
	bool interrupted = false;
};

// Throws bad_scenario, no_scenario, bad_profile, bad_selection, pcap_error.
[[nodiscard]] run_result run_scenario(const run_args &args);

struct check_result {
	std::string text;
	bool portable = false;
};
// "skbwalk 0.1.0"
[[nodiscard]] std::string program_version();

// Reads the file and runs its set-up. Throws as run_scenario does.
[[nodiscard]] check_result check_scenario(const std::string &name);

} // namespace skbwalk::sim
