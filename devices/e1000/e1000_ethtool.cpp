// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/ethernet/intel/e1000/e1000_ethtool.c: the sizes of the rings, the throttling, the statistics.
// A change of a ring of a device that is up takes it down and brings it up again.
#include <algorithm>

#include "devices/e1000/card.h"
#include "devices/e1000/e1000.h"

namespace skbwalk {

namespace {

e1000_adapter &adapter_of(const net_device &netdev) { return netdev_priv<e1000_adapter>(netdev); }

constexpr u32 round_up(u32 n, u32 to) { return (n + to - 1) / to * to; }

} // namespace

static u32 e1000_get_link(net_device &netdev)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	// A link that was lost and not looked at since would still be there.
	if (!netif_carrier_ok(netdev))
		adapter.hw.get_link_status = true;
	return e1000_has_link(adapter);
}

static void e1000_get_ringparam(net_device &netdev, ethtool_ringparam &ring)
{
	TRACE(netdev);
	const e1000_adapter &adapter = adapter_of(netdev);

	ring.rx_max_pending = E1000_MAX_82544_RXD;
	ring.tx_max_pending = E1000_MAX_82544_TXD;
	ring.rx_pending = adapter.rx_ring.count;
	ring.tx_pending = adapter.tx_ring.count;
}

// Unlike the kernel, which makes the new rings before it lets go of the old ones, the old ones go first.
static int e1000_set_ringparam(net_device &netdev, const ethtool_ringparam &ring)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);
	int err = 0;

	if (netif_running(netdev)) {
		e1000_down(adapter);
		e1000_free_all_tx_resources(adapter);
		e1000_free_all_rx_resources(adapter);
	}
	adapter.rx_ring.count = round_up(std::clamp(ring.rx_pending, E1000_MIN_RXD, E1000_MAX_82544_RXD),
	                                 REQ_RX_DESCRIPTOR_MULTIPLE);
	adapter.tx_ring.count = round_up(std::clamp(ring.tx_pending, E1000_MIN_TXD, E1000_MAX_82544_TXD),
	                                 REQ_TX_DESCRIPTOR_MULTIPLE);
	if (netif_running(netdev)) {
		err = e1000_setup_all_rx_resources(adapter);
		if (!err)
			err = e1000_setup_all_tx_resources(adapter);
		if (!err)
			err = e1000_up(adapter);
	}
	return err;
}

static int e1000_get_coalesce(net_device &netdev, ethtool_coalesce &ec)
{
	TRACE(netdev);
	const e1000_adapter &adapter = adapter_of(netdev);

	ec.rx_coalesce_usecs =
		adapter.itr_setting <= 4 ? adapter.itr_setting : 1'000'000 / adapter.itr_setting;
	return 0;
}

static int e1000_set_coalesce(net_device &netdev, const ethtool_coalesce &ec)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	if (ec.rx_coalesce_usecs > E1000_MAX_ITR_USECS ||
	    (ec.rx_coalesce_usecs > 4 && ec.rx_coalesce_usecs < E1000_MIN_ITR_USECS) ||
	    ec.rx_coalesce_usecs == 2)
		return -EINVAL;
	if (ec.rx_coalesce_usecs == 4) {
		adapter.itr = adapter.itr_setting = 4;
	} else if (ec.rx_coalesce_usecs <= 3) {
		adapter.itr = 20000;
		adapter.itr_setting = ec.rx_coalesce_usecs;
	} else {
		adapter.itr = 1'000'000 / ec.rx_coalesce_usecs;
		adapter.itr_setting = adapter.itr & ~3u;
	}
	ew32(adapter.hw, E1000_ITR, adapter.itr_setting ? 1'000'000'000 / (adapter.itr * 256) : 0);
	return 0;
}

static void e1000_get_ethtool_stats(net_device &netdev, std::vector<std::pair<std::string, u64>> &stats)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	e1000_update_stats(adapter);

	const e1000_hw_stats &hw = adapter.stats;

	stats = {{"rx_packets", hw.gprc},
	         {"tx_packets", hw.gptc},
	         {"rx_bytes", hw.gorcl},
	         {"tx_bytes", hw.gotcl},
	         {"rx_crc_errors", hw.crcerrs},
	         {"rx_length_errors", hw.ruc + hw.roc},
	         {"rx_no_buffer_count", hw.rnbc},
	         {"rx_missed_errors", hw.mpc},
	         {"tx_timeout_count", adapter.tx_timeout_count},
	         {"tx_restart_queue", adapter.restart_queue},
	         {"tx_tcp_seg_good", hw.tsctc},
	         {"rx_csum_offload_good", adapter.hw_csum_good},
	         {"rx_csum_offload_errors", adapter.hw_csum_err},
	         {"alloc_rx_buff_failed", adapter.alloc_rx_buff_failed}};
}

static const ethtool_ops e1000_ethtool_ops = {
	.get_link = e1000_get_link,
	.get_ringparam = e1000_get_ringparam,
	.set_ringparam = e1000_set_ringparam,
	.get_coalesce = e1000_get_coalesce,
	.set_coalesce = e1000_set_coalesce,
	.get_ethtool_stats = e1000_get_ethtool_stats,
};

void e1000_set_ethtool_ops(net_device &netdev)
{
	TRACE(netdev);
	netdev.ethtool_ops = &e1000_ethtool_ops;
}

} // namespace skbwalk
