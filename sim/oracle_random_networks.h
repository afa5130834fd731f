// SPDX-License-Identifier: GPL-2.0-only
//
// Where random scenarios take place.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skbwalk::sim {

struct random_network {
	std::string_view name;
	std::vector<std::string_view> setup;
	std::string_view client, server;          // namespaces; empty: the initial one
	std::string_view client_address, address; // the latter the server's
	std::string_view link; // a command's begin that takes a link up or down; empty: none
};

[[nodiscard]] std::span<const random_network> random_networks();

} // namespace skbwalk::sim
