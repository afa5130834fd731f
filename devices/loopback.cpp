// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/loopback.c: what is sent on lo comes back at once (loopback_xmit, into this cpu's backlog),
// with its route. One in each namespace, made with it. The blackhole device is where routes point to when
// their device goes away.
#include "devices/loopback.h"

#include <cassert>

#include "stack/core/dst.h"
#include "stack/core/net_namespace.h"
#include "stack/ethernet/eth.h"

namespace skbwalk {

namespace {

struct blackhole {
	net_device *dev = nullptr;
};
perhost<blackhole> blackhole_of_host;

struct lstats {
	u64 packets = 0;
	u64 bytes = 0;
};

} // namespace

static void dev_lstats_add(net_device &dev, u32 len)
{
	TRACE_INLINE(dev);
	lstats &stats = netdev_priv<lstats>(dev);

	++stats.packets;
	stats.bytes += len;
}

static netdev_tx_t loopback_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	skb_tx_timestamp(*skb);
	skb->tstamp = 0;
	skb->mono_delivery_time = 0;
	skb_orphan(*skb);
	skb_dst_force(*skb); // it outlives the sender's hold on the route
	skb->protocol = eth_type_trans(*skb, dev);

	const u32 len = skb->len;

	if (__netif_rx(std::move(skb)) == NET_RX_SUCCESS)
		dev_lstats_add(dev, len);
	return NETDEV_TX_OK;
}

static void loopback_get_stats64(net_device &dev, rtnl_link_stats64 &stats)
{
	TRACE(dev);
	const lstats &sum = netdev_priv<lstats>(dev);

	stats.rx_packets = stats.tx_packets = sum.packets;
	stats.rx_bytes = stats.tx_bytes = sum.bytes;
}

static int loopback_dev_init(net_device &dev)
{
	TRACE(dev);
	dev.priv_data = std::make_shared<lstats>();
	return 0;
}

static const net_device_ops loopback_ops = {
	.ndo_init = loopback_dev_init,
	.ndo_start_xmit = loopback_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_stats64 = loopback_get_stats64,
};

static void gen_lo_setup(net_device &dev, u32 mtu, const net_device_ops &ops)
{
	TRACE(dev);
	dev.header_ops = &eth_header_ops;
	dev.netdev_ops = &ops;
	dev.mtu = mtu;
	dev.min_mtu = 0;
	dev.max_mtu = 0;
	dev.type = ARPHRD_LOOPBACK;
	dev.flags = IFF_LOOPBACK;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE;
	netif_keep_dst(dev);
	dev.broadcast = {};
	dev.hw_features = NETIF_F_GSO_SOFTWARE;
	dev.features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE | NETIF_F_HW_CSUM |
	               NETIF_F_RXCSUM | NETIF_F_SCTP_CRC | NETIF_F_HIGHDMA | NETIF_F_LLTX |
	               NETIF_F_NETNS_LOCAL | NETIF_F_VLAN_CHALLENGED | NETIF_F_LOOPBACK;
	netif_set_tso_max_size(dev, GSO_MAX_SIZE);
}

static void loopback_setup(net_device &dev)
{
	TRACE(dev);
	gen_lo_setup(dev, 64 * 1024, loopback_ops);
}

static netdev_tx_t blackhole_netdev_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	kfree_skb(std::move(skb));
	return NETDEV_TX_OK;
}

static const net_device_ops blackhole_netdev_ops = {
	.ndo_start_xmit = blackhole_netdev_xmit,
};

static void blackhole_netdev_setup(net_device &dev)
{
	TRACE(dev);
	gen_lo_setup(dev, ETH_MIN_MTU, blackhole_netdev_ops);
}

net_device &blackhole_netdev()
{
	TRACE_INLINE();
	assert(blackhole_of_host->dev);
	return *blackhole_of_host->dev;
}

static int loopback_net_init(net &net)
{
	TRACE();
	if (!blackhole_of_host->dev) {
		blackhole_of_host->dev = alloc_netdev(net, "blackhole_dev", blackhole_netdev_setup, 1);
		blackhole_of_host->dev->flags |= IFF_UP;
		blackhole_of_host->dev->state |= __LINK_STATE_START | __LINK_STATE_PRESENT;
	}

	net_device &dev = *alloc_netdev(net, "lo", loopback_setup, 1);

	if (const int err = register_netdevice(dev)) {
		free_netdev(dev);
		return err;
	}
	assert(dev.ifindex == 1);
	net.loopback_dev = &dev;
	return 0;
}

// The last namespace takes the blackhole device along, when no route that waits for RCU can turn to it any
// more.
static void loopback_net_exit(net &net)
{
	TRACE();
	if (&net != &init_net())
		return;
	for (int pass = 0; pass < 4; ++pass)
		rcu_process_callbacks(*current.host);
	net_set_todo(*blackhole_of_host->dev); // routes that RCU frees still move to it
}

const pernet_operations loopback_net_ops = {"loopback", loopback_net_init, loopback_net_exit};

} // namespace skbwalk
