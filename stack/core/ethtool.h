// SPDX-License-Identifier: GPL-2.0-only
//
// What a driver tells and lets change of itself (include/linux/ethtool.h, as much of it as a driver here
// has).
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct ethtool_ringparam {
	u32 rx_max_pending = 0, tx_max_pending = 0, rx_pending = 0, tx_pending = 0;
};
struct ethtool_coalesce {
	u32 rx_coalesce_usecs = 0;
};

// Queues: `combined` ones have both directions.
struct ethtool_channels {
	u32 max_rx = 0, max_tx = 0, max_other = 0, max_combined = 0;
	u32 rx_count = 0, tx_count = 0, other_count = 0, combined_count = 0;
};

struct ethtool_ops {
	u32 (*get_link)(net_device &dev);
	void (*get_ringparam)(net_device &dev, ethtool_ringparam &ring);
	int (*set_ringparam)(net_device &dev, const ethtool_ringparam &ring);
	int (*get_coalesce)(net_device &dev, ethtool_coalesce &ec);
	int (*set_coalesce)(net_device &dev, const ethtool_coalesce &ec);
	void (*get_channels)(net_device &dev, ethtool_channels &channels);
	int (*set_channels)(net_device &dev, const ethtool_channels &channels);
	// Name and value of each.
	void (*get_ethtool_stats)(net_device &dev, std::vector<std::pair<std::string, u64>> &stats);
};

} // namespace skbwalk
