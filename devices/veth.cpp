// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/veth.c: veth_xmit hands a packet to the peer device (__dev_forward_skb, which strips what is of
// this side only) and into this cpu's backlog. A side has a carrier while both are up. Made in pairs
// (veth_newlink), gone in pairs (veth_dellink). Left out: XDP, and NAPI with GRO, which is off unless asked
// for.
#include "devices/veth.h"

#include "stack/ethernet/eth.h"

namespace skbwalk {

namespace {

struct veth_priv {
	net_device *peer = nullptr;
	u64 dropped = 0;
	u64 tx_packets = 0, tx_bytes = 0;
};

constexpr netdev_features_t VETH_FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_RXCSUM |
                                            NETIF_F_SCTP_CRC | NETIF_F_HIGHDMA | NETIF_F_GSO_SOFTWARE |
                                            NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX;

} // namespace

static int veth_forward_skb(net_device &dev, skb_ptr skb)
{
	TRACE(skb, dev);
	const int ret = __dev_forward_skb(dev, skb);

	return ret ? ret : __netif_rx(std::move(skb));
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
		skb_tx_timestamp(*skb);
		if (veth_forward_skb(*priv.peer, std::move(skb)) == NET_RX_SUCCESS) {
			++priv.tx_packets;
			priv.tx_bytes += length;
		} else {
			++priv.dropped;
			ret = NET_XMIT_DROP;
		}
	}
	rcu_read_unlock();
	return static_cast<netdev_tx_t>(ret);
}

static void veth_get_stats64(net_device &dev, rtnl_link_stats64 &tot)
{
	TRACE(dev);
	const veth_priv &priv = netdev_priv<veth_priv>(dev);

	tot.tx_packets = priv.tx_packets;
	tot.tx_bytes = priv.tx_bytes;
	tot.tx_dropped = priv.dropped;
	if (priv.peer) {
		const veth_priv &peer = netdev_priv<veth_priv>(*priv.peer);

		tot.rx_packets = peer.tx_packets;
		tot.rx_bytes = peer.tx_bytes;
	}
}

// Fake: there are no addresses to filter by.
static void veth_set_multicast_list(net_device &dev) { TRACE(dev); }

static int veth_open(net_device &dev)
{
	TRACE(dev);
	net_device *peer = netdev_priv<veth_priv>(dev).peer;

	if (!peer)
		return -ENOTCONN;
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
	return 0;
}

static int veth_dev_init(net_device &dev)
{
	TRACE(dev);
	dev.priv_data = std::make_shared<veth_priv>();
	return 0;
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
	.ndo_set_rx_headroom = veth_set_rx_headroom,
};

static void veth_setup(net_device &dev)
{
	TRACE(dev);
	ether_setup(dev);
	dev.priv_flags &= ~IFF_TX_SKB_SHARING;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_PHONY_HEADROOM;
	dev.netdev_ops = &veth_netdev_ops;
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

namespace {

// One side of a pair, registered, without a carrier yet. Null, and `err` says why.
net_device *make_side(net &net, const std::string &name, int &err)
{
	net_device *dev = alloc_netdev(net, name, veth_setup, 1);

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
	netdev_priv<veth_priv>(*peer).peer = dev;
	veth_disable_gro(*peer);
	veth_disable_gro(*dev);
	return 0;
}

} // namespace skbwalk
