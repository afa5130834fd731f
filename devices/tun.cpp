// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/tun.c, with one queue. tun_net_xmit puts a packet in the ring and tells the reader; tun_do_read
// takes it out. tun_get_user makes a packet of a frame that was written and gives it to netif_receive_skb,
// with bottom halves off. The descriptor's owner is offered no offloads (TUNSETOFFLOAD), so that packets in
// the ring are cut and summed. Left out: several queues, IFF_VNET_HDR, filters, XDP, NAPI.
#include "devices/tun.h"

#include <algorithm>

#include "stack/ethernet/eth.h"

namespace skbwalk {

namespace {

constexpr u32 TUN_READQ_SIZE = 500;
constexpr netdev_features_t TUN_USER_FEATURES =
	NETIF_F_HW_CSUM | NETIF_F_TSO_ECN | NETIF_F_TSO | NETIF_F_TSO6;

struct tun_struct {
	u32 flags = 0;
	netdev_features_t set_features = 0; // of TUN_USER_FEATURES
	bool attached = false;
	sk_buff_head tx_ring;
	void (*readable)(net_device &dev, void *arg) = nullptr;
	void *arg = nullptr;
	rtnl_link_stats64 stats;
	~tun_struct() { __skb_queue_purge(tx_ring); }
};

tun_struct &tun_of(const net_device &dev) { return netdev_priv<tun_struct>(dev); }

netdev_tx_t drop(skb_ptr &skb, net_device &dev, skb_drop_reason reason)
{
	++tun_of(dev).stats.tx_dropped;
	if (skb)
		kfree_skb_reason(std::move(skb), reason);
	return NETDEV_TX_OK;
}

} // namespace

static netdev_tx_t tun_net_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	tun_struct &tun = tun_of(dev);

	if (!tun.attached)
		return drop(skb, dev, SKB_DROP_REASON_DEV_READY);
	skb_tx_timestamp(*skb);
	skb_orphan(*skb); // the reader may take its time
	nf_reset_ct(*skb);
	if (skb_queue_len(tun.tx_ring) >= dev.tx_queue_len)
		return drop(skb, dev, SKB_DROP_REASON_FULL_RING);
	__skb_queue_tail(tun.tx_ring, std::move(skb));
	netdev_get_tx_queue(dev, 0)->trans_start = jiffies();
	if (tun.readable)
		tun.readable(dev, tun.arg);
	return NETDEV_TX_OK;
}

static int tun_net_init(net_device &dev)
{
	TRACE(dev);
	dev.hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | TUN_USER_FEATURES;
	dev.features = dev.hw_features | NETIF_F_LLTX;
	dev.vlan_features = dev.features;
	return 0;
}

static netdev_features_t tun_net_fix_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	return (features & tun_of(dev).set_features) | (features & ~TUN_USER_FEATURES);
}

static void tun_net_get_stats64(net_device &dev, rtnl_link_stats64 &stats)
{
	TRACE(dev);
	stats = tun_of(dev).stats;
}

static const net_device_ops tun_netdev_ops = {
	.ndo_init = tun_net_init,
	.ndo_start_xmit = tun_net_xmit,
	.ndo_get_stats64 = tun_net_get_stats64,
	.ndo_fix_features = tun_net_fix_features,
};

static const net_device_ops tap_netdev_ops = {
	.ndo_init = tun_net_init,
	.ndo_start_xmit = tun_net_xmit,
	.ndo_features_check = passthru_features_check,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_stats64 = tun_net_get_stats64,
	.ndo_fix_features = tun_net_fix_features,
	.ndo_validate_addr = eth_validate_addr,
};

static void tun_setup(net_device &dev)
{
	TRACE(dev);
	auto tun = std::make_shared<tun_struct>();

	dev.priv_data = tun;
	dev.link_kind = "tun";
	dev.tx_queue_len = TUN_READQ_SIZE;
}

static void tun_net_initialize(net_device &dev)
{
	TRACE(dev);
	if (tun_of(dev).flags & IFF_TAP) {
		ether_setup(dev);
		dev.netdev_ops = &tap_netdev_ops;
		dev.priv_flags &= ~IFF_TX_SKB_SHARING;
		dev.priv_flags |= IFF_LIVE_ADDR_CHANGE;
		eth_hw_addr_random(dev);
	} else {
		constexpr u16 ARPHRD_NONE = 0xFFFE;

		dev.netdev_ops = &tun_netdev_ops;
		dev.hard_header_len = 0;
		dev.min_header_len = 0;
		dev.addr_len = 0;
		dev.mtu = 1500;
		dev.type = ARPHRD_NONE;
		dev.flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
	}
	dev.tx_queue_len = TUN_READQ_SIZE;
	dev.min_mtu = ETH_MIN_MTU;
	dev.max_mtu = 65535u - dev.hard_header_len;
}

net_device *tun_set_iff(net &net, const std::string &name, u32 flags,
                        void (*readable)(net_device &dev, void *arg), void *arg, int &err)
{
	TRACE();
	const u32 kind = flags & (IFF_TUN | IFF_TAP);

	if ((kind != IFF_TUN && kind != IFF_TAP) || (flags & ~(IFF_TUN | IFF_TAP | IFF_NO_PI)) ||
	    !(flags & IFF_NO_PI)) {
		err = -EINVAL;
		return nullptr;
	}

	net_device *dev = alloc_netdev(net, name, tun_setup, 1);
	tun_struct &tun = tun_of(*dev);

	tun.flags = flags;
	tun.readable = readable;
	tun.arg = arg;
	tun_net_initialize(*dev);
	tun.attached = true;
	err = register_netdevice(*dev);
	if (err < 0) {
		free_netdev(*dev);
		return nullptr;
	}
	netif_carrier_on(*dev);
	return dev;
}

void tun_chr_close(net_device &dev)
{
	TRACE(dev);
	tun_struct &tun = tun_of(dev);

	tun.attached = false;
	tun.readable = nullptr;
	netif_carrier_off(dev);
	unregister_netdevice(dev);
	__skb_queue_purge(tun.tx_ring);
}

static long tun_put_user(const sk_buff &skb, void *buf, std::size_t len)
{
	TRACE(skb);
	const auto n = static_cast<u32>(std::min<std::size_t>(len, skb.len));

	return skb_copy_bits(skb, 0, buf, static_cast<int>(n)) ? -EFAULT : static_cast<long>(n);
}

std::size_t tun_do_read(net_device &dev, void *buf, std::size_t len)
{
	TRACE(dev);
	tun_struct &tun = tun_of(dev);
	skb_ptr skb = __skb_dequeue(tun.tx_ring);

	if (!skb)
		return 0;

	const long ret = tun_put_user(*skb, buf, len);

	if (ret < 0) {
		kfree_skb(std::move(skb));
		return 0;
	}
	++tun.stats.tx_packets;
	tun.stats.tx_bytes += skb->len;
	consume_skb(std::move(skb));
	return static_cast<std::size_t>(ret);
}

static void tun_rx_batched(skb_ptr skb)
{
	TRACE(skb);
	local_bh_disable();
	netif_receive_skb(std::move(skb));
	local_bh_enable();
}

namespace {

long refuse(net_device &dev, skb_ptr skb, skb_drop_reason reason, int err)
{
	++tun_of(dev).stats.rx_dropped;
	kfree_skb_reason(std::move(skb), reason);
	return err;
}

} // namespace

long tun_get_user(net_device &dev, const void *frame, std::size_t len)
{
	TRACE(dev);
	tun_struct &tun = tun_of(dev);
	const bool tap = tun.flags & IFF_TAP;
	constexpr u32 NET_IP_ALIGN = 0;

	if (!len || len > 65535 + ETH_HLEN || (tap && len < ETH_HLEN))
		return -EINVAL;

	skb_ptr skb = alloc_skb(NET_SKB_PAD + NET_IP_ALIGN + static_cast<u32>(len), GFP_KERNEL);

	if (!skb)
		return -ENOMEM;
	skb_reserve(*skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put_data(*skb, frame, static_cast<u32>(len));
	if (tap) {
		skb->protocol = eth_type_trans(*skb, dev);
	} else {
		const u8 version = static_cast<u8>(skb->data[0] >> 4);

		if (version != 4 && version != 6)
			return refuse(dev, std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED, -EINVAL);
		skb_reset_mac_header(*skb);
		skb->protocol = htons(version == 4 ? ETH_P_IP : ETH_P_IPV6);
		skb->dev = &dev;
	}
	skb_reset_network_header(*skb);
	skb_probe_transport_header(*skb);
	if (!(dev.flags & IFF_UP))
		return refuse(dev, std::move(skb), SKB_DROP_REASON_DEV_READY, -EIO);
	++tun.stats.rx_packets;
	tun.stats.rx_bytes += len;
	tun_rx_batched(std::move(skb));
	return static_cast<long>(len);
}

} // namespace skbwalk
