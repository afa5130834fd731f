// SPDX-License-Identifier: GPL-2.0-only
//
// Where random scenarios take place.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skbwalk::sim {

// A device at which something can go wrong, and whom it reaches there.
struct link_end {
	std::string_view netns, dev, neighbour; // no neighbour: none that an address is asked for
};

struct random_network {
	std::string_view name;
	std::vector<std::string_view> setup;
	std::string_view client, server;          // namespaces; empty: the initial one
	std::string_view client_address, address; // the latter the server's
	std::vector<link_end> ends;
};

[[nodiscard]] std::span<const random_network> random_networks();

} // namespace skbwalk::sim
