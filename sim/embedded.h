// SPDX-License-Identifier: GPL-2.0-only
//
// The files of sim/profiles/, compiled into the program by cmake/embed.cmake so that it needs nothing beside
// itself.
#pragma once

#include <span>
#include <string_view>

namespace skbwalk::sim {

struct embedded_file {
	std::string_view name;
	std::string_view text;
};

[[nodiscard]] std::span<const embedded_file> embedded_profiles();

} // namespace skbwalk::sim
