// SPDX-License-Identifier: GPL-2.0-only
//
// Numbers as iproute2's tc reads and writes them: handles, times, rates, sizes, percentages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

// `1:`, `1:2`, `root`; hexadecimal.
std::optional<u32> parse_tc_handle(const std::string &text);
std::optional<u32> parse_tc_classid(const std::string &text);
std::string tc_handle_text(u32 handle);
std::optional<s64> parse_tc_time_ns(const std::string &text); // without a unit: ns
std::optional<u32> parse_tc_time_us(const std::string &text); // without a unit: us
std::optional<u64> parse_tc_rate(const std::string &text);    // bytes a second; without a unit: bits
std::optional<u32> parse_tc_size(const std::string &text);    // bytes
std::optional<u32> parse_tc_percent(const std::string &text); // a part of 2^32 - 1
std::optional<u32> parse_tc_u32(const std::string &text);     // decimal, 0x, or octal

std::string tc_time_us_text(u32 us);
std::string tc_time_ns_text(s64 ns);
std::string tc_rate_text(u64 bytes_per_second);
std::string tc_size_text(u32 bytes);
std::string tc_percent_text(u32 part);

// The tables that iproute2 has in files: normal, pareto, paretonormal. Null: there is no such file.
std::optional<std::vector<s16>> tc_distribution(const std::string &name);

} // namespace skbwalk::sim
