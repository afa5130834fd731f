// SPDX-License-Identifier: GPL-2.0-only
//
// What differs between two recordings of one kernel that does the same twice: functions whose turn comes with
// the tick, with a window's age, with the state of a cache. sim/profiles/linux-6.1.noise has them with the
// reason.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "sim/compare.h"

namespace skbwalk::sim {

using noise_list = std::map<std::string_view, std::string_view>; // function, reason

[[nodiscard]] const noise_list &known_noise();

struct noise_found {
	std::vector<bool> left; // by edge: a difference, and noise
	std::vector<bool> right;
	std::map<std::string_view, std::size_t> functions; // of the list, how many edges each explains
};

// `pairs` is the alignment of the two. A difference is noise if its function is in the list, if it is below
// one that is, or if it is the other side of one: the same function under the next caller.
[[nodiscard]] noise_found find_noise(const std::vector<edge> &left, const std::vector<edge> &right,
                                     const std::vector<std::pair<u32, u32>> &pairs, const noise_list &list);

} // namespace skbwalk::sim
