// SPDX-License-Identifier: GPL-2.0-only
//
// Two recordings of which neither repeats the other as a whole (a capture of somebody's program, a run of a
// scenario that does about the same) are compared piece by piece: a system call with a system call, a softirq
// run with a softirq run, a packet with a packet. Tasks are paired by what they do, not by name; softirqs and
// interrupts that came between are one row of their own on each side, whoever they interrupted. Within a pair
// of tasks the pieces are aligned in order, so that the edges in common are as many as can be.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/compare.h"

namespace skbwalk::sim {

// Where trees are cut. A run of softirqs that a call itself sets off stays in it for `calls`, and is cut out
// for `packets`, with each packet that it delivers.
enum class cut_at : u8 { calls, packets };

struct unit {
	std::string name;        // of the system call, `softirq`, `packet`, else the outermost function
	u32 task = 0;            // no_task: softirqs and interrupts
	std::vector<edge> edges; // as if it stood alone
	static constexpr u32 no_task = ~u32{0};
};

// In the order of their begin; those without a function of the scope are left out.
[[nodiscard]] std::vector<unit> units_of(const text_tree &tree, const std::set<std::string_view> &scope,
                                         cut_at cut);

struct unit_pair {
	std::optional<u32> left;
	std::optional<u32> right;
	friend bool operator==(const unit_pair &, const unit_pair &) = default;
};

struct unit_match {
	std::vector<unit_pair> pairs; // by tasks of the left, then in order
	match_result score;           // of all units
	match_result paired;          // of those that have a partner
	std::size_t left_alone = 0;   // units
	std::size_t right_alone = 0;
};

[[nodiscard]] unit_match match_units(const std::vector<unit> &left, const std::vector<unit> &right);

// The part of a tree that is below the outermost calls of these functions: a recording that begins there has
// no more of the other either.
[[nodiscard]] text_tree below(const text_tree &tree, const std::set<std::string, std::less<>> &roots);
// The outermost functions of the scope.
[[nodiscard]] std::set<std::string, std::less<>> roots_of(const std::vector<edge> &edges);

// `connect` for __x64_sys_connect, SyS_connect and the like; else nothing.
[[nodiscard]] std::string_view system_call_of(std::string_view function);

} // namespace skbwalk::sim
