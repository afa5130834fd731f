// SPDX-License-Identifier: GPL-2.0-only
//
// What is set on a network device: the part of net/core/dev.c behind `ip link set` and `ethtool -K`.
// dev_change_flags opens (ndo_open, dev_activate) and closes a device, __netdev_update_features works out
// what it may offload, others set its MTU and address; the notifiers are told. dev_register.cpp has how
// devices come and go; dev_xmit.cpp and dev_receive.cpp the ways of a packet. Left out: address lists of
// multicast filters.
#include <algorithm>

#include "stack/core/dev_addr_lists.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdev_change_info.h"
#include "stack/core/netdevice.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/printk.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

// --- features ---

static netdev_features_t netdev_fix_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	if ((features & NETIF_F_HW_CSUM) && (features & (NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM)))
		features &= ~(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM);
	// Segments lie in fragments, and each needs a checksum of its own.
	if ((features & NETIF_F_ALL_TSO) && !(features & NETIF_F_SG))
		features &= ~NETIF_F_ALL_TSO;
	if ((features & NETIF_F_TSO) && !(features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)))
		features &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN);
	if ((features & NETIF_F_TSO6) && !(features & (NETIF_F_HW_CSUM | NETIF_F_IPV6_CSUM)))
		features &= ~NETIF_F_TSO6;
	if ((features & NETIF_F_TSO_MANGLEID) && !(features & NETIF_F_TSO))
		features &= ~NETIF_F_TSO_MANGLEID;
	if ((features & NETIF_F_ALL_TSO) == NETIF_F_TSO_ECN)
		features &= ~NETIF_F_TSO_ECN;
	if ((features & NETIF_F_GSO) && !(features & NETIF_F_SG))
		features &= ~NETIF_F_GSO;
	return features;
}

int __netdev_update_features(net_device &dev)
{
	TRACE(dev);
	netdev_features_t features =
		(dev.features & ~dev.hw_features) | (dev.wanted_features & dev.hw_features);
	int err = 0;

	if (dev.netdev_ops->ndo_fix_features)
		features = dev.netdev_ops->ndo_fix_features(dev, features);
	features = netdev_fix_features(dev, features);
	if (dev.features == features)
		return 0;
	if (dev.netdev_ops->ndo_set_features)
		err = dev.netdev_ops->ndo_set_features(dev, features);
	if (err < 0)
		return -1;
	if (!err)
		dev.features = features;
	return 1;
}

void netdev_update_features(net_device &dev)
{
	TRACE(dev);
	if (__netdev_update_features(dev))
		call_netdevice_notifiers(NETDEV_FEAT_CHANGE, dev);
}

// What a device made of others can offer, when one more of them can do `one`.
netdev_features_t netdev_increment_features(netdev_features_t all, netdev_features_t one,
                                            netdev_features_t mask)
{
	TRACE();
	constexpr netdev_features_t one_for_all = NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ROBUST | NETIF_F_SG |
	                                          NETIF_F_HIGHDMA | NETIF_F_FRAGLIST |
	                                          NETIF_F_VLAN_CHALLENGED;

	if (mask & NETIF_F_HW_CSUM)
		mask |= NETIF_F_CSUM_MASK;
	mask |= NETIF_F_VLAN_CHALLENGED;
	all |= one & (one_for_all | NETIF_F_CSUM_MASK) & mask;
	all &= one | ~NETIF_F_NOCACHE_COPY;
	if (all & NETIF_F_HW_CSUM)
		all &= ~(NETIF_F_CSUM_MASK & ~NETIF_F_HW_CSUM);
	return all;
}

void netif_set_tso_max_size(net_device &dev, u32 size)
{
	TRACE(dev);
	dev.tso_max_size = std::min(GSO_MAX_SIZE, size);
	if (size < dev.gso_max_size)
		dev.gso_max_size = size;
}

void netif_inherit_tso_max(net_device &to, const net_device &from)
{
	TRACE(to);
	netif_set_tso_max_size(to, from.tso_max_size);
	to.gso_max_segs = std::min(to.gso_max_segs, from.gso_max_segs);
}

// --- up and down ---

static int __dev_set_promiscuity(net_device &dev, int inc, bool notify);

void __dev_set_rx_mode(net_device &dev)
{
	TRACE(dev);
	if (!(dev.flags & IFF_UP) || !netif_device_present(dev))
		return;
	// Who cannot filter by several addresses receives everything.
	if (!(dev.priv_flags & IFF_UNICAST_FLT)) {
		const bool wanted = !netdev_uc_addrs(dev).empty();

		if (wanted != netdev_uc_promisc(dev)) {
			__dev_set_promiscuity(dev, wanted ? 1 : -1, false);
			netdev_set_uc_promisc(dev, wanted);
		}
	}
	if (dev.netdev_ops->ndo_set_rx_mode)
		dev.netdev_ops->ndo_set_rx_mode(dev);
}

void dev_set_rx_mode(net_device &dev)
{
	TRACE(dev);
	spin_lock_bh(dev.addr_list_lock);
	__dev_set_rx_mode(dev);
	spin_unlock_bh(dev.addr_list_lock);
}

static int __dev_open(net_device &dev)
{
	TRACE(dev);
	const net_device_ops &ops = *dev.netdev_ops;

	if (!netif_device_present(dev))
		return -ENODEV;

	int ret = call_netdevice_notifiers(NETDEV_PRE_UP, dev);

	if (ret)
		return ret;
	dev.state |= __LINK_STATE_START;
	if (ops.ndo_validate_addr)
		ret = ops.ndo_validate_addr(dev);
	if (!ret && ops.ndo_open)
		ret = ops.ndo_open(dev);
	if (ret) {
		dev.state &= ~__LINK_STATE_START;
		return ret;
	}
	dev.flags |= IFF_UP;
	dev_set_rx_mode(dev);
	dev_activate(dev);
	return 0;
}

int dev_open(net_device &dev)
{
	TRACE(dev);
	if (dev.flags & IFF_UP)
		return 0;
	if (const int ret = __dev_open(dev); ret < 0)
		return ret;
	call_netdevice_notifiers(NETDEV_UP, dev);
	return 0;
}

static void __dev_close(net_device &dev)
{
	TRACE(dev);
	call_netdevice_notifiers(NETDEV_GOING_DOWN, dev);
	dev.state &= ~__LINK_STATE_START;
	dev_deactivate(dev);
	if (dev.netdev_ops->ndo_stop)
		dev.netdev_ops->ndo_stop(dev);
	dev.flags &= ~IFF_UP;
}

void dev_close(net_device &dev)
{
	TRACE(dev);
	if (!(dev.flags & IFF_UP))
		return;
	__dev_close(dev);
	call_netdevice_notifiers(NETDEV_DOWN, dev);
}

static void dev_change_rx_flags(net_device &dev, u32 flags)
{
	TRACE(dev);
	if (dev.netdev_ops->ndo_change_rx_flags)
		dev.netdev_ops->ndo_change_rx_flags(dev, flags);
}

static int __dev_set_allmulti(net_device &dev, int inc);

namespace {
perhost<netdev_notifier_change_info> change_of_host;
}
const netdev_notifier_change_info &netdev_change_info() { return *change_of_host; }

static void __dev_notify_flags(net_device &dev, u32 old_flags)
{
	TRACE(dev);
	const u32 changes = dev.flags ^ old_flags;

	if (changes & IFF_UP)
		call_netdevice_notifiers(dev.flags & IFF_UP ? NETDEV_UP : NETDEV_DOWN, dev);
	if ((dev.flags & IFF_UP) && (changes & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_VOLATILE))) {
		change_of_host->flags_changed = changes;
		call_netdevice_notifiers(NETDEV_CHANGE, dev);
		change_of_host->flags_changed = 0;
	}
}

static int __dev_change_flags(net_device &dev, u32 flags)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;
	int ret = 0;

	dev.flags = (flags & (IFF_NOARP | IFF_MULTICAST)) |
	            (dev.flags & (IFF_UP | IFF_VOLATILE | IFF_PROMISC | IFF_ALLMULTI));
	dev_set_rx_mode(dev);
	if ((old_flags ^ flags) & IFF_UP) {
		if (old_flags & IFF_UP)
			__dev_close(dev);
		else
			ret = __dev_open(dev);
	}
	if ((flags ^ dev.gflags) & IFF_PROMISC) {
		const u32 before = dev.flags;

		dev.gflags ^= IFF_PROMISC;
		if (__dev_set_promiscuity(dev, flags & IFF_PROMISC ? 1 : -1, false) >= 0 &&
		    dev.flags != before)
			dev_set_rx_mode(dev);
	}
	if ((flags ^ dev.gflags) & IFF_ALLMULTI) {
		dev.gflags ^= IFF_ALLMULTI;
		__dev_set_allmulti(dev, flags & IFF_ALLMULTI ? 1 : -1);
	}
	return ret;
}

int dev_change_flags(net_device &dev, u32 flags)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	if (const int ret = __dev_change_flags(dev, flags); ret < 0)
		return ret;
	__dev_notify_flags(dev, old_flags);
	return 0;
}

u32 dev_get_flags(const net_device &dev)
{
	TRACE(dev);
	u32 flags = (dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI | IFF_RUNNING | IFF_LOWER_UP)) |
	            (dev.gflags & (IFF_PROMISC | IFF_ALLMULTI));

	if (netif_running(dev)) {
		if (netif_oper_up(dev))
			flags |= IFF_RUNNING;
		if (netif_carrier_ok(dev))
			flags |= IFF_LOWER_UP;
	}
	return flags;
}

void netdev_state_change(net_device &dev)
{
	TRACE(dev);
	if (dev.flags & IFF_UP)
		call_netdevice_notifiers(NETDEV_CHANGE, dev);
}

static int __dev_set_promiscuity(net_device &dev, int inc, bool notify)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	dev.flags |= IFF_PROMISC;
	dev.promiscuity += static_cast<u32>(inc);
	if (dev.promiscuity == 0) {
		if (inc >= 0) { // wrapped
			dev.promiscuity -= static_cast<u32>(inc);
			return -EOVERFLOW;
		}
		dev.flags &= ~IFF_PROMISC;
	}
	if (dev.flags != old_flags) {
		_printk("%c6device %s %s promiscuous mode\n", KERN_SOH, dev.name.c_str(),
		        dev.flags & IFF_PROMISC ? "entered" : "left");
		dev_change_rx_flags(dev, IFF_PROMISC);
	}
	if (notify)
		__dev_notify_flags(dev, old_flags);
	return 0;
}

int dev_set_promiscuity(net_device &dev, int inc)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	if (const int err = __dev_set_promiscuity(dev, inc, true); err < 0)
		return err;
	if (dev.flags != old_flags)
		dev_set_rx_mode(dev);
	return 0;
}

static int __dev_set_allmulti(net_device &dev, int inc)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	dev.flags |= IFF_ALLMULTI;
	dev.allmulti += static_cast<u32>(inc);
	if (dev.allmulti == 0) {
		if (inc >= 0) {
			dev.allmulti -= static_cast<u32>(inc);
			return -EOVERFLOW;
		}
		dev.flags &= ~IFF_ALLMULTI;
	}
	if (dev.flags != old_flags) {
		dev_change_rx_flags(dev, IFF_ALLMULTI);
		dev_set_rx_mode(dev);
		__dev_notify_flags(dev, old_flags);
	}
	return 0;
}

int dev_set_allmulti(net_device &dev, int inc)
{
	TRACE(dev);
	return __dev_set_allmulti(dev, inc);
}

static int __dev_set_mtu(net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (dev.netdev_ops->ndo_change_mtu)
		return dev.netdev_ops->ndo_change_mtu(dev, mtu);
	dev.mtu = mtu;
	return 0;
}

static int dev_validate_mtu(const net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (mtu < dev.min_mtu)
		return -EINVAL;
	if (dev.max_mtu && mtu > dev.max_mtu)
		return -EINVAL;
	return 0;
}

int dev_set_mtu(net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (mtu == dev.mtu)
		return 0;

	int err = dev_validate_mtu(dev, mtu);

	if (err)
		return err;
	if (!netif_device_present(dev))
		return -ENODEV;
	err = call_netdevice_notifiers(NETDEV_PRECHANGEMTU, dev);
	if (err)
		return err;

	const u32 orig_mtu = dev.mtu;

	err = __dev_set_mtu(dev, mtu);
	if (err)
		return err;
	err = call_netdevice_notifiers(NETDEV_CHANGEMTU, dev);
	if (err) {
		__dev_set_mtu(dev, orig_mtu);
		call_netdevice_notifiers(NETDEV_CHANGEMTU, dev);
	}
	return err;
}

// Unlike the kernel, who is asked is not told the address.
int dev_pre_changeaddr_notify(net_device &dev, const mac_addr &)
{
	TRACE(dev);
	return call_netdevice_notifiers(NETDEV_PRE_CHANGEADDR, dev);
}

int dev_set_mac_address(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	if (!dev.netdev_ops->ndo_set_mac_address)
		return -EOPNOTSUPP;
	if (!netif_device_present(dev))
		return -ENODEV;

	int err = dev_pre_changeaddr_notify(dev, addr);

	if (err)
		return err;
	err = dev.netdev_ops->ndo_set_mac_address(dev, addr);
	if (err)
		return err;
	dev.addr_assign_type = NET_ADDR_SET;
	call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
	return 0;
}

rtnl_link_stats64 dev_get_stats(net_device &dev)
{
	TRACE(dev);
	rtnl_link_stats64 stats = dev.stats;

	if (dev.netdev_ops->ndo_get_stats64) {
		stats = {};
		dev.netdev_ops->ndo_get_stats64(dev, stats);
	}
	stats.rx_dropped += dev.rx_dropped;
	stats.tx_dropped += dev.tx_dropped;
	stats.rx_nohandler += dev.rx_nohandler;
	return stats;
}

} // namespace skbwalk
