// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/veth.c: veth_xmit hands a packet to the peer device (__dev_forward_skb, which strips what is of
// this side only) and into this cpu's backlog. With GRO asked for (ethtool -K, veth_set_features) a side that
// is up polls: a packet that GRO could merge, because the sender does not leave segmentation to the device,
// waits in a ring of the receiver (veth_xdp_rx) for veth_poll, which gives it to GRO. A side has a carrier
// while both are up. Made in pairs (veth_newlink), gone in pairs (veth_dellink). Each side has a queue a cpu
// and uses one, until it is asked to use more (ethtool -L, veth_set_channels); what was sent by a queue
// arrives by that of the same number. Left out: XDP.
#include "devices/veth.h"

#include "stack/core/ethtool.h"
#include "stack/core/gro.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/sock.h"
#include "stack/ethernet/eth.h"
#include "stack/kernel/ptr_ring.h"

namespace skbwalk {

namespace {

constexpr u32 VETH_RING_SIZE = 256;

struct veth_stats {
	u64 rx_drops = 0, xdp_packets = 0, xdp_bytes = 0;
};

struct veth_rq {
	napi_struct xdp_napi;
	napi_struct *napi = nullptr; // xdp_napi, while it is to be used
	net_device *dev = nullptr;
	veth_stats stats;
	bool rx_notify_masked = false;
	ptr_ring xdp_ring;
};

struct veth_priv {
	net_device *peer = nullptr;
	u64 dropped = 0;
	u64 tx_packets = 0, tx_bytes = 0; // dev->tstats
	std::unique_ptr<veth_rq[]> rq;
};

constexpr netdev_features_t VETH_FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_RXCSUM |
                                            NETIF_F_SCTP_CRC | NETIF_F_HIGHDMA | NETIF_F_GSO_SOFTWARE |
                                            NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX;

} // namespace

static void veth_ptr_free(void *ptr)
{
	TRACE();
	kfree_skb(skb_ptr(static_cast<sk_buff *>(ptr)));
}

static void __veth_xdp_flush(veth_rq &rq)
{
	TRACE(rq.dev);
	if (!rq.rx_notify_masked && napi_schedule_prep(rq.xdp_napi)) {
		rq.rx_notify_masked = true;
		__napi_schedule(rq.xdp_napi);
	}
}

static int veth_xdp_rx(veth_rq &rq, skb_ptr skb)
{
	TRACE(skb, rq.dev);
	if (ptr_ring_produce(rq.xdp_ring, skb.get())) {
		dev_kfree_skb_any_reason(std::move(skb), false);
		return NET_RX_DROP;
	}
	static_cast<void>(skb.release());
	return NET_RX_SUCCESS;
}

static int veth_forward_skb(net_device &dev, skb_ptr skb, veth_rq *rq, bool xdp)
{
	TRACE(skb, dev);
	if (const int ret = __dev_forward_skb(dev, skb))
		return ret;
	return xdp ? veth_xdp_rx(*rq, std::move(skb)) : __netif_rx(std::move(skb));
}

// A guess that costs little: what leaves a device that cuts large packets is large already.
static bool veth_skb_is_eligible_for_gro(const net_device &dev, const net_device &rcv, const sk_buff &skb)
{
	TRACE(skb, dev);
	return !(dev.features & NETIF_F_ALL_TSO) ||
	       (skb.destructor == sock_wfree &&
	        (rcv.features & (NETIF_F_GRO_FRAGLIST | NETIF_F_GRO_UDP_FWD)));
}

static netdev_tx_t veth_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	veth_priv &priv = netdev_priv<veth_priv>(dev);
	const u32 length = skb->len;
	int ret = NETDEV_TX_OK;

	rcu_read_lock();
	if (!priv.peer || !pskb_may_pull(*skb, ETH_HLEN)) {
		kfree_skb(std::move(skb));
		++priv.dropped;
		ret = NET_XMIT_DROP;
	} else {
		net_device &rcv = *priv.peer;
		const u16 rxq = skb->queue_mapping;
		veth_rq *rq = rxq < rcv.num_rx_queues ? &netdev_priv<veth_priv>(rcv).rq[rxq] : nullptr;
		const bool use_napi = rq && rq->napi && veth_skb_is_eligible_for_gro(dev, rcv, *skb);

		skb_tx_timestamp(*skb);
		if (veth_forward_skb(rcv, std::move(skb), rq, use_napi) != NET_RX_SUCCESS) {
			++priv.dropped;
			ret = NET_XMIT_DROP;
		} else if (!use_napi) { // else the receiver counts
			++priv.tx_packets;
			priv.tx_bytes += length;
		}
		if (use_napi)
			__veth_xdp_flush(*rq);
	}
	rcu_read_unlock();
	return static_cast<netdev_tx_t>(ret);
}

static void veth_stats_rx(veth_stats &result, const net_device &dev)
{
	TRACE(dev);
	const veth_priv &priv = netdev_priv<veth_priv>(dev);

	result = {};
	for (std::size_t i = 0; i < dev._rx.size(); ++i) {
		const veth_stats &stats = priv.rq[i].stats;

		result.rx_drops += stats.rx_drops;
		result.xdp_packets += stats.xdp_packets;
		result.xdp_bytes += stats.xdp_bytes;
	}
}

static void veth_get_stats64(net_device &dev, rtnl_link_stats64 &tot)
{
	TRACE(dev);
	const veth_priv &priv = netdev_priv<veth_priv>(dev);
	veth_stats rx;

	tot.tx_packets = priv.tx_packets;
	tot.tx_bytes = priv.tx_bytes;
	tot.tx_dropped = priv.dropped;
	veth_stats_rx(rx, dev);
	tot.rx_dropped = rx.rx_drops;
	tot.rx_packets = rx.xdp_packets;
	tot.rx_bytes = rx.xdp_bytes;
	if (priv.peer) {
		const veth_priv &peer = netdev_priv<veth_priv>(*priv.peer);

		tot.rx_packets += peer.tx_packets;
		tot.rx_bytes += peer.tx_bytes;
		veth_stats_rx(rx, *priv.peer);
		tot.tx_packets += rx.xdp_packets;
		tot.tx_bytes += rx.xdp_bytes;
	}
}

// --- the receiver that polls ---

// Where an XDP program would look at the packet. Of its sender's socket it keeps what GRO must not mix.
static skb_ptr veth_xdp_rcv_skb(veth_rq &rq, skb_ptr skb)
{
	TRACE(skb, rq.dev);
	skb_prepare_for_gro(*skb);
	return skb;
}

static int veth_xdp_rcv(veth_rq &rq, int budget, veth_stats &stats)
{
	TRACE(rq.dev);
	int done = 0;

	for (; done < budget; ++done) {
		skb_ptr skb(static_cast<sk_buff *>(__ptr_ring_consume(rq.xdp_ring)));

		if (!skb)
			break;
		stats.xdp_bytes += skb->len;
		skb = veth_xdp_rcv_skb(rq, std::move(skb));
		if (skb_shared(*skb) || skb_unclone(*skb, GFP_ATOMIC))
			netif_receive_skb(std::move(skb));
		else
			napi_gro_receive(rq.xdp_napi, std::move(skb));
	}
	rq.stats.xdp_bytes += stats.xdp_bytes;
	rq.stats.rx_drops += stats.rx_drops;
	rq.stats.xdp_packets += static_cast<u64>(done);
	return done;
}

static int veth_poll(napi_struct &napi, int budget)
{
	TRACE(napi.dev);
	veth_rq &rq = container_of(napi, &veth_rq::xdp_napi);
	veth_stats stats;
	const int done = veth_xdp_rcv(rq, budget, stats);

	if (done < budget && napi_complete_done(napi, done)) {
		rq.rx_notify_masked = false;
		if (!__ptr_ring_empty(rq.xdp_ring) && napi_schedule_prep(napi)) {
			rq.rx_notify_masked = true;
			__napi_schedule(napi);
		}
	}
	return done;
}

static int __veth_napi_enable_range(net_device &dev, u32 start, u32 end)
{
	TRACE(dev);
	veth_priv &priv = netdev_priv<veth_priv>(dev);

	for (u32 i = start; i < end; ++i)
		if (const int err = ptr_ring_init(priv.rq[i].xdp_ring, VETH_RING_SIZE))
			return err;
	for (u32 i = start; i < end; ++i) {
		napi_enable(priv.rq[i].xdp_napi);
		priv.rq[i].napi = &priv.rq[i].xdp_napi;
	}
	return 0;
}

static void veth_napi_del_range(net_device &dev, u32 start, u32 end)
{
	TRACE(dev);
	veth_priv &priv = netdev_priv<veth_priv>(dev);

	for (u32 i = start; i < end; ++i) {
		veth_rq &rq = priv.rq[i];

		rq.napi = nullptr;
		napi_disable(rq.xdp_napi);
		__netif_napi_del(rq.xdp_napi);
	}
	for (u32 i = start; i < end; ++i) {
		priv.rq[i].rx_notify_masked = false;
		ptr_ring_cleanup(priv.rq[i].xdp_ring, veth_ptr_free);
	}
}

static void veth_napi_del(net_device &dev)
{
	TRACE(dev);
	veth_napi_del_range(dev, 0, dev.num_rx_queues);
}

static bool veth_gro_requested(const net_device &dev)
{
	TRACE(dev);
	return dev.wanted_features & NETIF_F_GRO;
}

static int veth_napi_enable_range(net_device &dev, u32 start, u32 end)
{
	TRACE(dev);
	veth_priv &priv = netdev_priv<veth_priv>(dev);

	for (u32 i = start; i < end; ++i)
		netif_napi_add(dev, priv.rq[i].xdp_napi, veth_poll);

	const int err = __veth_napi_enable_range(dev, start, end);

	if (err)
		for (u32 i = start; i < end; ++i)
			netif_napi_del(priv.rq[i].xdp_napi);
	return err;
}

static int veth_napi_enable(net_device &dev)
{
	TRACE(dev);
	return veth_napi_enable_range(dev, 0, dev.num_rx_queues);
}

static int veth_set_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	const netdev_features_t changed = features ^ dev.features;

	if (!(changed & NETIF_F_GRO) || !(dev.flags & IFF_UP))
		return 0;
	if (features & NETIF_F_GRO)
		return veth_napi_enable(dev);
	veth_napi_del(dev);
	return 0;
}

// --- queues, as ethtool sees and sets them ---

static void veth_disable_range_safe(net_device &dev, u32 start, u32 end)
{
	TRACE(dev);
	if (start < end && veth_gro_requested(dev))
		veth_napi_del_range(dev, start, end);
}

static int veth_enable_range_safe(net_device &dev, u32 start, u32 end)
{
	TRACE(dev);
	if (start < end && veth_gro_requested(dev))
		return veth_napi_enable_range(dev, start, end);
	return 0;
}

static void veth_get_channels(net_device &dev, ethtool_channels &channels)
{
	TRACE(dev);
	channels.tx_count = dev.real_num_tx_queues;
	channels.rx_count = dev.num_rx_queues;
	channels.max_tx = static_cast<u32>(dev._tx.size());
	channels.max_rx = static_cast<u32>(dev._rx.size());
}

// New queues poll before they are used, old ones until they are no longer.
static int veth_set_channels(net_device &dev, const ethtool_channels &ch)
{
	TRACE(dev);
	net_device *const peer = netdev_priv<veth_priv>(dev).peer;
	u32 old_rx_count = dev.num_rx_queues, new_rx_count = ch.rx_count;
	int err = 0;

	if (!ch.rx_count || !ch.tx_count)
		return -EINVAL;
	if (netif_running(dev)) {
		netif_carrier_off(dev);
		if (peer)
			netif_carrier_off(*peer);
		err = veth_enable_range_safe(dev, old_rx_count, new_rx_count);
	}
	if (!err) {
		err = netif_set_real_num_rx_queues(dev, ch.rx_count);
		if (!err)
			err = netif_set_real_num_tx_queues(dev, ch.tx_count);
		if (err) {
			static_cast<void>(netif_set_real_num_rx_queues(dev, old_rx_count));
			std::swap(old_rx_count, new_rx_count);
		}
	}
	if (netif_running(dev)) {
		veth_disable_range_safe(dev, new_rx_count, old_rx_count);
		netif_carrier_on(dev);
		if (peer)
			netif_carrier_on(*peer);
	}
	return err;
}

// Those of XDP stay 0.
static void veth_get_ethtool_stats(net_device &dev, std::vector<std::pair<std::string, u64>> &stats)
{
	TRACE(dev);
	const veth_priv &priv = netdev_priv<veth_priv>(dev);

	stats.emplace_back("peer_ifindex", priv.peer ? priv.peer->ifindex : 0);
	for (u32 i = 0; i < dev.num_rx_queues; ++i) {
		const veth_stats &rq = priv.rq[i].stats;
		const std::string queue = "rx_queue_" + std::to_string(i) + '_';

		stats.emplace_back(queue + "xdp_packets", rq.xdp_packets);
		stats.emplace_back(queue + "xdp_bytes", rq.xdp_bytes);
		stats.emplace_back(queue + "drops", rq.rx_drops);
		for (const char *name : {"xdp_redirect", "xdp_drops", "xdp_tx", "xdp_tx_errors"})
			stats.emplace_back(queue + name, 0);
	}
	for (u32 i = 0; i < dev.real_num_tx_queues; ++i)
		for (const char *name : {"xdp_xmit", "xdp_xmit_errors"})
			stats.emplace_back("tx_queue_" + std::to_string(i) + '_' + name, 0);
}

static const ethtool_ops veth_ethtool_ops = {
	.get_channels = veth_get_channels,
	.set_channels = veth_set_channels,
	.get_ethtool_stats = veth_get_ethtool_stats,
};

// Fake: there are no addresses to filter by.
static void veth_set_multicast_list(net_device &dev) { TRACE(dev); }

static int veth_open(net_device &dev)
{
	TRACE(dev);
	net_device *peer = netdev_priv<veth_priv>(dev).peer;

	if (!peer)
		return -ENOTCONN;
	if (veth_gro_requested(dev)) {
		if (const int err = veth_napi_enable(dev))
			return err;
	}
	if (peer->flags & IFF_UP) {
		netif_carrier_on(dev);
		netif_carrier_on(*peer);
	}
	return 0;
}

static int veth_close(net_device &dev)
{
	TRACE(dev);
	net_device *peer = netdev_priv<veth_priv>(dev).peer;

	netif_carrier_off(dev);
	if (peer)
		netif_carrier_off(*peer);
	if (veth_gro_requested(dev))
		veth_napi_del(dev);
	return 0;
}

static int veth_alloc_queues(net_device &dev)
{
	TRACE(dev);
	veth_priv &priv = netdev_priv<veth_priv>(dev);

	priv.rq = std::make_unique<veth_rq[]>(dev._rx.size());
	for (std::size_t i = 0; i < dev._rx.size(); ++i)
		priv.rq[i].dev = &dev;
	return 0;
}

static int veth_dev_init(net_device &dev)
{
	TRACE(dev);
	dev.priv_data = std::make_shared<veth_priv>();
	return veth_alloc_queues(dev);
}

static int veth_get_iflink(const net_device &dev)
{
	TRACE(dev);
	const net_device *peer = netdev_priv<veth_priv>(dev).peer;

	return peer ? peer->ifindex : 0;
}

net_device *veth_peer_dev(const net_device &dev)
{
	TRACE(dev);
	return netdev_priv<veth_priv>(dev).peer;
}

// What the peer needs before a packet (a bridge's port, say) is set aside here already.
static void veth_set_rx_headroom(net_device &dev, int new_hr)
{
	TRACE(dev);
	net_device *peer = netdev_priv<veth_priv>(dev).peer;
	const auto headroom = static_cast<u16>(new_hr < 0 ? 0 : new_hr);

	dev.needed_headroom = headroom;
	if (peer)
		peer->needed_headroom = headroom;
}

static void veth_dellink(net_device &dev)
{
	TRACE(dev);
	net_device *peer = std::exchange(netdev_priv<veth_priv>(dev).peer, nullptr);

	if (!peer) {
		unregister_netdevice(dev);
		return;
	}
	netdev_priv<veth_priv>(*peer).peer = nullptr;
	unregister_netdevice_many({&dev, peer});
}

static const net_device_ops veth_netdev_ops = {
	.ndo_init = veth_dev_init,
	.ndo_open = veth_open,
	.ndo_stop = veth_close,
	.ndo_start_xmit = veth_xmit,
	.ndo_features_check = passthru_features_check,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_stats64 = veth_get_stats64,
	.ndo_get_iflink = veth_get_iflink,
	.ndo_set_rx_mode = veth_set_multicast_list,
	.ndo_set_features = veth_set_features,
	.ndo_set_rx_headroom = veth_set_rx_headroom,
};

static void veth_setup(net_device &dev)
{
	TRACE(dev);
	ether_setup(dev);
	dev.priv_flags &= ~IFF_TX_SKB_SHARING;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_PHONY_HEADROOM;
	dev.netdev_ops = &veth_netdev_ops;
	dev.ethtool_ops = &veth_ethtool_ops;
	dev.features |= NETIF_F_LLTX | VETH_FEATURES;
	dev.vlan_features = dev.features & ~(NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX);
	dev.max_mtu = ETH_MAX_MTU;
	dev.hw_features = VETH_FEATURES;
	dev.hw_enc_features = VETH_FEATURES;
	dev.link_kind = "veth";
	dev.dellink = veth_dellink;
	netif_set_tso_max_size(dev, GSO_MAX_SIZE);
}

static void veth_disable_gro(net_device &dev)
{
	TRACE(dev);
	dev.features &= ~NETIF_F_GRO;
	dev.wanted_features &= ~NETIF_F_GRO;
	netdev_update_features(dev);
}

static int veth_init_queues(net_device &dev)
{
	TRACE(dev);
	if (dev._tx.size() > 1)
		if (const int err = netif_set_real_num_tx_queues(dev, 1))
			return err;
	if (dev._rx.size() > 1)
		return netif_set_real_num_rx_queues(dev, 1);
	return 0;
}

static u32 veth_get_num_queues()
{
	TRACE();
	return std::min<u32>(static_cast<u32>(current.host->cpus.size()), 4096);
}

namespace {

// One side of a pair, registered, without a carrier yet. Null, and `err` says why.
net_device *make_side(net &net, const std::string &name, int &err)
{
	net_device *dev =
		alloc_netdev_mqs(net, name, veth_setup, veth_get_num_queues(), veth_get_num_queues());

	eth_hw_addr_random(*dev);
	err = register_netdevice(*dev);
	if (err < 0) {
		free_netdev(*dev);
		return nullptr;
	}
	netif_carrier_off(*dev);
	return dev;
}

} // namespace

int veth_newlink(net &src_net, const std::string &name, net &peer_net, const std::string &peer_name)
{
	TRACE();
	int err;
	net_device *peer = make_side(peer_net, peer_name, err);

	if (!peer)
		return err;

	net_device *dev = make_side(src_net, name, err);

	if (!dev) {
		unregister_netdevice(*peer);
		return err;
	}
	netdev_priv<veth_priv>(*dev).peer = peer;
	err = veth_init_queues(*dev);
	netdev_priv<veth_priv>(*peer).peer = dev;
	if (!err)
		err = veth_init_queues(*peer);
	if (err) {
		veth_dellink(*dev);
		return err;
	}
	veth_disable_gro(*peer);
	veth_disable_gro(*dev);
	return 0;
}

} // namespace skbwalk
