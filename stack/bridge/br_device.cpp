// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_device.c: the bridge as a device of its host. What the host sends by it comes into
// br_dev_xmit, and goes to one port (br_forward) or to all (br_flood, br_multicast_flood), as if it had come
// in by a port. Left out: netpoll, ethtool, forward paths.
#include "stack/bridge/br_private.h"
#include "stack/ipv6/ipv6.h"

namespace skbwalk {

namespace {

constexpr netdev_features_t COMMON_FEATURES =
	NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_GSO_MASK | NETIF_F_HW_CSUM;
constexpr u32 BR_DEFAULT_AGEING_TIME = 300 * HZ;
constexpr mac_addr eth_stp_addr{{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

} // namespace

perhost<const nf_br_ops_t *> nf_br_ops;

namespace {

void transmit(skb_ptr &skb, net_bridge &br)
{
	net_bridge_mcast *brmctx = &br.multicast_ctx;
	net_bridge_mcast_port *pmctx_null = nullptr;
	u8 state = BR_STATE_FORWARDING;
	net_bridge_vlan *vlan = nullptr;
	u16 vid = 0;

	if (!br_allowed_ingress(br, br_vlan_group(br), skb, vid, state, vlan))
		return;
	const be16 proto = eth_hdr(*skb).h_proto;

	if ((proto == htons(ETH_P_ARP) || proto == htons(ETH_P_RARP)) &&
	    br_opt_get(br, BROPT_NEIGH_SUPPRESS_ENABLED))
		br_do_proxy_suppress_arp(*skb, br, vid, nullptr);
	else if (ipv6_mod_enabled() && skb->protocol == htons(ETH_P_IPV6) &&
	         br_opt_get(br, BROPT_NEIGH_SUPPRESS_ENABLED))
		BR_INPUT_SKB_CB(*skb).proxyarp_replied = 0; // no IPv6 neighbour is known here

	const mac_addr dest = eth_hdr(*skb).h_dest;

	if (is_broadcast_ether_addr(dest)) {
		br_flood(br, skb, BR_PKT_BROADCAST, false, true);
	} else if (is_multicast_ether_addr(dest)) {
		if (br_multicast_rcv(brmctx, pmctx_null, vlan, *skb, vid)) {
			kfree_skb(std::move(skb));
			return;
		}
		net_bridge_mdb_entry *mdst = br_mdb_get(*brmctx, *skb, vid);

		if ((mdst || BR_INPUT_SKB_CB(*skb).mrouters_only) &&
		    br_multicast_querier_exists(*brmctx, *skb, mdst))
			br_multicast_flood(mdst, skb, *brmctx, false, true);
		else
			br_flood(br, skb, BR_PKT_MULTICAST, false, true);
	} else if (net_bridge_fdb_entry *dst = br_fdb_find_rcu(br, dest, vid)) {
		br_forward(dst->dst, skb, false, true);
	} else {
		br_flood(br, skb, BR_PKT_UNICAST, false, true);
	}
}

} // namespace

netdev_tx_t br_dev_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	if (const skb_drop_reason reason = pskb_may_pull_reason(*skb, ETH_HLEN);
	    reason != SKB_NOT_DROPPED_YET) {
		kfree_skb_reason(std::move(skb), reason);
		return NETDEV_TX_OK;
	}
	std::memset(skb->cb, 0, sizeof(br_input_skb_cb));

	rcu_read_lock();
	const nf_br_ops_t *nf_ops = *nf_br_ops;

	if (!nf_ops || !nf_ops->br_dev_xmit_hook(skb)) {
		++dev.stats.tx_packets;
		dev.stats.tx_bytes += skb->len;
		br_switchdev_frame_unmark(*skb);
		BR_INPUT_SKB_CB(*skb).brdev = &dev;
		skb_reset_mac_header(*skb);
		skb_pull(*skb, ETH_HLEN);
		transmit(skb, br);
	}
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static int br_dev_init(net_device &dev)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	br_fdb_hash_init(br);
	br_mdb_hash_init(br);
	return br_vlan_init(br);
}

static void br_dev_uninit(net_device &dev)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	br_multicast_dev_del(br);
	br_vlan_flush(br);
	br_mdb_hash_fini(br);
	br_fdb_hash_fini(br);
}

static int br_dev_open(net_device &dev)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	netdev_update_features(dev);
	br_stp_enable_bridge(br);
	br_multicast_open(br);
	return 0;
}

// Fake: what the bridge listens to is decided by the bridge.
static void br_dev_set_multicast_list(net_device &dev) { TRACE(dev); }

static void br_dev_change_rx_flags(net_device &dev, u32 change)
{
	TRACE(dev);
	if (change & IFF_PROMISC)
		br_manage_promisc(netdev_priv<net_bridge>(dev));
}

static int br_dev_stop(net_device &dev)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	br_stp_disable_bridge(br);
	br_multicast_stop(br);
	return 0;
}

static int br_change_mtu(net_device &dev, u32 new_mtu)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	dev.mtu = new_mtu;
	// br_mtu_auto_adjust takes this back where it was not a user.
	br_opt_toggle(br, BROPT_MTU_SET_BY_USER, true);
	br.metrics[RTAX_MTU - 1] = new_mtu;
	return 0;
}

static int br_set_mac_address(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	if (!is_valid_ether_addr(addr))
		return -EADDRNOTAVAIL;
	if (dev.reg_state != NETREG_REGISTERED)
		return -EBUSY;
	spin_lock_bh(br.lock);
	if (!ether_addr_equal(dev.dev_addr, addr))
		br_stp_change_bridge_id(br, addr); // changes the device's address too
	spin_unlock_bh(br.lock);
	return 0;
}

static netdev_features_t br_fix_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	return br_features_recompute(netdev_priv<net_bridge>(dev), features);
}

static int br_add_slave(net_device &dev, net_device &slave_dev)
{
	TRACE(dev);
	return br_add_if(netdev_priv<net_bridge>(dev), slave_dev);
}

static int br_del_slave(net_device &dev, net_device &slave_dev)
{
	TRACE(dev);
	return br_del_if(netdev_priv<net_bridge>(dev), slave_dev);
}

static const net_device_ops br_netdev_ops = {
	.ndo_init = br_dev_init,
	.ndo_uninit = br_dev_uninit,
	.ndo_open = br_dev_open,
	.ndo_stop = br_dev_stop,
	.ndo_start_xmit = br_dev_xmit,
	.ndo_features_check = passthru_features_check,
	.ndo_set_mac_address = br_set_mac_address,
	.ndo_change_mtu = br_change_mtu,
	.ndo_get_stats64 = nullptr,
	.ndo_get_iflink = nullptr,
	.ndo_add_slave = br_add_slave,
	.ndo_del_slave = br_del_slave,
	.ndo_set_rx_mode = br_dev_set_multicast_list,
	.ndo_fix_features = br_fix_features,
	.ndo_set_features = nullptr,
	.ndo_validate_addr = nullptr,
	.ndo_select_queue = nullptr,
	.ndo_tx_timeout = nullptr,
	.ndo_set_rx_headroom = nullptr,
	.ndo_change_rx_flags = br_dev_change_rx_flags,
};

void br_dev_setup(net_device &dev)
{
	TRACE(dev);
	auto priv = std::make_shared<net_bridge>();
	net_bridge &br = *priv;

	dev.priv_data = std::move(priv);
	eth_hw_addr_random(dev);
	ether_setup(dev);
	dev.netdev_ops = &br_netdev_ops;
	dev.link_kind = "bridge";
	dev.dellink = br_dev_delete;
	dev.priv_flags = IFF_EBRIDGE | IFF_NO_QUEUE;
	dev.features = COMMON_FEATURES | NETIF_F_LLTX | NETIF_F_NETNS_LOCAL | NETIF_F_HW_VLAN_CTAG_TX;
	dev.hw_features = COMMON_FEATURES | NETIF_F_HW_VLAN_CTAG_TX;
	dev.vlan_features = COMMON_FEATURES;
	dev.max_mtu = ETH_MAX_MTU;

	br.dev = &dev;
	br.bridge_id.prio = {0x80, 0x00};
	br.group_addr = eth_stp_addr;
	br.stp_enabled = BR_NO_STP;
	br.group_fwd_mask = br.group_fwd_mask_required = BR_GROUPFWD_DEFAULT;
	br.designated_root = br.bridge_id;
	br.bridge_max_age = br.max_age = 20 * HZ;
	br.bridge_hello_time = br.hello_time = 2 * HZ;
	br.bridge_forward_delay = br.forward_delay = 15 * HZ;
	br.bridge_ageing_time = br.ageing_time = BR_DEFAULT_AGEING_TIME;
	br_netfilter_rtable_init(br);
	br_stp_timer_init(br);
	br_multicast_init(br);
	INIT_DELAYED_WORK(br.gc_work, br_fdb_cleanup);
}

} // namespace skbwalk
