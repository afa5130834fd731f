// SPDX-License-Identifier: GPL-2.0-only
//
// L3 master devices (include/net/l3mdev.h): the device that stands for a routing domain, and the table it
// routes by. No device of this model is one (a VRF would be), so each question is asked of the device and
// answered with none.
#pragma once

#include "stack/core/dst.h"
#include "stack/core/netdevice.h"

namespace skbwalk {

constexpr u32 IFF_L3MDEV_MASTER = 1 << 18, IFF_L3MDEV_SLAVE = 1 << 22; // priv_flags
inline bool netif_is_l3_master(const net_device &dev) { return dev.priv_flags & IFF_L3MDEV_MASTER; }
inline bool netif_is_l3_slave(const net_device &dev) { return dev.priv_flags & IFF_L3MDEV_SLAVE; }

int l3mdev_master_ifindex_rcu(const net_device *dev);
u32 l3mdev_fib_table_rcu(const net_device *dev);
int l3mdev_master_ifindex(const net_device &dev); // header inlines
u32 l3mdev_fib_table(const net_device *dev);
u32 l3mdev_fib_table_by_index(net &net, int ifindex);
net_device *l3mdev_master_dev_rcu(const net_device *dev);
// What a master does to packets that come in by it or leave through it.
inline skb_ptr l3mdev_l3_rcv(skb_ptr skb)
{
	TRACE_INLINE(skb);
	assert(!netif_is_l3_slave(*skb->dev) && !netif_is_l3_master(*skb->dev));
	return skb;
}
inline skb_ptr l3mdev_ip_rcv(skb_ptr skb)
{
	TRACE_INLINE(skb);
	return l3mdev_l3_rcv(std::move(skb));
}
inline skb_ptr l3mdev_l3_out(sock *sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	assert(!netif_is_l3_slave(*skb_dst(*skb)->dev));
	return skb;
}
inline skb_ptr l3mdev_ip_out(sock *sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	return l3mdev_l3_out(sk, std::move(skb));
}

inline bool netif_index_is_l3_master(net &net, int ifindex)
{
	if (!ifindex)
		return false;
	rcu_read_lock();
	const net_device *dev = dev_get_by_index_rcu(net, ifindex);
	const bool rc = dev && netif_is_l3_master(*dev);
	rcu_read_unlock();
	return rc;
}

} // namespace skbwalk
