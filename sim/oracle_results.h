// SPDX-License-Identifier: GPL-2.0-only
//
// What the steps of a scenario gave, on a real kernel or in the model, and where the two differ. Descriptors,
// ephemeral ports and what depends on the clock do not count.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.h"

namespace skbwalk::sim {

struct step_outcome {
	enum class state_kind : u8 { never, waits, returned } state = state_kind::never;
	long result = 0;     // or -errno
	u64 length = 0;      // of what was read, or of an option
	u64 hash = 0;        // of all of it
	std::string head;    // its first bytes
	std::string address; // a sockaddr
	std::map<std::string, u32> events;
	[[nodiscard]] std::string text() const;
};

struct frame { // as it went by
	std::string netns, device;
	u64 time_ns = 0;
	std::string bytes;
};

struct outcomes {
	std::map<std::pair<bool, u32>, step_outcome> steps;  // by (is a warm-up, number)
	std::map<std::pair<bool, u32>, std::string> printed; // by commands between steps
	std::vector<frame> frames;
	u64 end_ns = 0; // when it was over, by the frames' clock
	u64 tick = 0;   // jiffies when the first step began; 0: not known
	std::vector<std::string> notes;
};

constexpr std::size_t outcome_head_bytes = 256;
[[nodiscard]] u64 outcome_hash(std::string_view data);

// The player's file. Throws bad_trace with file and line.
[[nodiscard]] outcomes read_outcomes(std::string_view text, const std::string &file);

// A line for each step that gave something else.
[[nodiscard]] std::vector<std::string> differences(const scenario &s, const outcomes &kernel,
                                                   const outcomes &model);

// The same of what commands between steps printed: the first line that differs of each.
[[nodiscard]] std::vector<std::string> text_differences(const scenario &s, const outcomes &kernel,
                                                        const outcomes &model);

} // namespace skbwalk::sim
