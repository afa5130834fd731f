// SPDX-License-Identifier: GPL-2.0-only
//
// What a link between two ends is like (link.h), for who describes one and does not make it.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

struct link_options {
	u64 bits_per_second = 0; // 0: no time on the wire
	u64 delay_ns = 0;
	u64 jitter_ns = 0; // up to so much more, which may reorder
	u32 queue_packets_max = 1000;
	double loss = 0; // probabilities, each packet's
	double duplicate = 0;
	double reorder = 0; // such a packet waits reorder_ns longer than its delay
	u64 reorder_ns = 1'000'000;
	double corrupt = 0; // one bit of it
	// Not 0: what arrives waits for the next of such times, counted from batch_at_ns on, and comes
	// together; by the end at which it arrives.
	std::array<u64, 2> batch_ns{};
	u64 batch_at_ns = 0;
};

// Bits a second: "10mbit", "2.5gbit", "9600bit".
[[nodiscard]] std::optional<u64> parse_rate(std::string_view text);

} // namespace skbwalk::sim
