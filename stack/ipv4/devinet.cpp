// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/devinet.c: IPv4 on devices. A device that is registered gets an in_device; `ip addr add` comes in
// at inet_rtm_newaddr() -> __inet_insert_ifa(), which hashes the address and tells the chain of notifiers
// (the FIB is on it); lo gets 127.0.0.1/8 when it goes up. Then who asks finds: which device has an address
// (__ip_dev_find), which address to send from (inet_select_addr), whether one is ours here
// (inet_confirm_addr). Left out: lifetimes of addresses (all last for ever), netlink messages, the ioctls.
// Sysctls are in devinet_sysctl.cpp.
#include <algorithm>

#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

namespace {

constexpr u32 IN4_ADDR_HSIZE_SHIFT = 8, IN4_ADDR_HSIZE = 1 << IN4_ADDR_HSIZE_SHIFT;
constexpr u32 IPV4_MIN_MTU = 68;
using ifa_list_t = list_of<in_ifaddr, &in_ifaddr::hash>;

struct inet_addresses {
	std::array<ifa_list_t, IN4_ADDR_HSIZE> inet_addr_lst;
	std::vector<inetaddr_notifier_fn> inetaddr_chain;
};
const perhost<inet_addresses> addresses;

void call_inetaddr_chain(netdev_cmd event, in_ifaddr &ifa)
{
	for (const inetaddr_notifier_fn fn : addresses->inetaddr_chain)
		fn(ifa, event);
}

} // namespace

static u32 inet_addr_hash(const net &net, be32 addr)
{
	TRACE();
	return hash_32(addr.raw() ^ net_hash_mix(net), IN4_ADDR_HSIZE_SHIFT);
}

static void inet_hash_insert(net &net, in_ifaddr &ifa)
{
	TRACE();
	addresses->inet_addr_lst[inet_addr_hash(net, ifa.ifa_local)].push_front(ifa);
}

static void inet_hash_remove(in_ifaddr &ifa)
{
	TRACE();
	if (ifa.hash.is_linked())
		addresses->inet_addr_lst[inet_addr_hash(dev_net(*ifa.ifa_dev->dev), ifa.ifa_local)].erase(
			ifa_list_t::s_iterator_to(ifa));
}

net_device *__ip_dev_find(net &net, be32 addr, bool devref)
{
	TRACE();
	net_device *result = nullptr;

	rcu_read_lock();
	if (const in_ifaddr *ifa = inet_lookup_ifaddr_rcu(net, addr)) {
		result = ifa->ifa_dev->dev;
	} else {
		// All of 127/8 is local, not only the address that lo has.
		flowi4 fl4;
		fib_result res;

		fl4.daddr = addr;
		fib_table *local = fib_get_table(net, RT_TABLE_LOCAL);
		if (local && !fib_table_lookup(*local, fl4, res, FIB_LOOKUP_NOREF) && res.type == RTN_LOCAL)
			result = FIB_RES_DEV(res);
	}
	if (result && devref)
		dev_hold(*result);
	rcu_read_unlock();
	return result;
}

in_ifaddr *inet_lookup_ifaddr_rcu(net &net, be32 addr)
{
	TRACE();
	for (in_ifaddr &ifa : addresses->inet_addr_lst[inet_addr_hash(net, addr)])
		if (ifa.ifa_local == addr && net_eq(dev_net(*ifa.ifa_dev->dev), net))
			return &ifa;
	return nullptr;
}

// --- making and ending ---

static in_ifaddr *inet_alloc_ifa()
{
	TRACE();
	void *p = kmalloc_trace(sizeof(in_ifaddr), GFP_KERNEL);

	return p ? ::new (p) in_ifaddr : nullptr;
}

static void inet_rcu_free_ifa(rcu_head *head)
{
	TRACE();
	in_ifaddr &ifa = container_of(*head, &in_ifaddr::rcu);

	if (ifa.ifa_dev)
		in_dev_put(*ifa.ifa_dev);
	ifa.~in_ifaddr();
	kfree(&ifa);
}

static void inet_free_ifa(in_ifaddr &ifa)
{
	TRACE();
	call_rcu(ifa.rcu, inet_rcu_free_ifa);
}

static void in_dev_finish_destroy(in_device &idev)
{
	TRACE(idev.dev);
	assert(idev.dead && !idev.ifa_list && !idev.mc_list);
	dev_put(idev.dev);
	idev.~in_device();
	kfree(&idev);
}

void in_dev_put(in_device &idev)
{
	TRACE_INLINE(idev.dev);
	if (refcount_dec_and_test(idev.refcnt))
		in_dev_finish_destroy(idev);
}

static in_device *inetdev_init(net_device &dev)
{
	TRACE(dev);
	void *p = kmalloc_trace(sizeof(in_device), GFP_KERNEL);
	if (!p)
		return nullptr;

	auto *in_dev = ::new (p) in_device;
	in_dev->cnf = *dev_net(dev).ipv4.devconf_dflt;
	in_dev->dev = &dev;
	in_dev->arp_parms = neigh_parms_alloc(dev, arp_tbl());
	if (!in_dev->arp_parms) {
		in_dev->~in_device();
		kfree(in_dev);
		return nullptr;
	}
	dev_hold(dev);
	ip_mc_init_dev(*in_dev);
	if (dev.flags & IFF_UP)
		ip_mc_up(*in_dev);
	dev.ip_ptr = in_dev; // from here on it receives
	return in_dev;
}

static void in_dev_rcu_put(rcu_head *head)
{
	TRACE();
	in_dev_put(container_of(*head, &in_device::rcu));
}

static void inet_del_ifa(in_device &in_dev, in_ifaddr *&ifap, bool destroy);

static void inetdev_destroy(in_device &in_dev)
{
	TRACE(in_dev.dev);
	net_device &dev = *in_dev.dev;

	in_dev.dead = true;
	ip_mc_destroy_dev(in_dev);
	while (in_ifaddr *ifa = in_dev.ifa_list) {
		inet_del_ifa(in_dev, in_dev.ifa_list, false);
		inet_free_ifa(*ifa);
	}
	dev.ip_ptr = nullptr;
	neigh_parms_release(arp_tbl(), *in_dev.arp_parms);
	arp_ifdown(dev);
	call_rcu(in_dev.rcu, in_dev_rcu_put);
}

bool inet_addr_onlink(const in_device &in_dev, be32 a, be32 b)
{
	TRACE(in_dev.dev);
	bool onlink = false;

	rcu_read_lock();
	for (const in_ifaddr *ifa = in_dev.ifa_list; ifa && !onlink; ifa = ifa->ifa_next)
		onlink = inet_ifa_match(a, *ifa) && (!b || inet_ifa_match(b, *ifa));
	rcu_read_unlock();
	return onlink;
}

// --- addresses come and go ---

// A primary address takes the secondary ones of its subnet along, unless the first of them is to be promoted.
static void __inet_del_ifa(in_device &in_dev, in_ifaddr *&ifap, bool destroy)
{
	TRACE(in_dev.dev);
	const bool do_promote = IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROMOTE_SECONDARIES);
	in_ifaddr *ifa1 = ifap, *promote = nullptr, *prev_prom = nullptr;
	in_ifaddr **last_prim = &ifap;

	if (!in_dev.dead && !(ifa1->ifa_flags & IFA_F_SECONDARY)) {
		in_ifaddr **ifap1 = &ifa1->ifa_next;

		while (in_ifaddr *ifa = *ifap1) {
			if (!(ifa->ifa_flags & IFA_F_SECONDARY) && ifa1->ifa_scope <= ifa->ifa_scope)
				last_prim = &ifa->ifa_next;
			if (!(ifa->ifa_flags & IFA_F_SECONDARY) || !(ifa1->ifa_mask == ifa->ifa_mask) ||
			    !inet_ifa_match(ifa1->ifa_address, *ifa)) {
				ifap1 = &ifa->ifa_next;
				prev_prom = ifa;
				continue;
			}
			if (do_promote) {
				promote = ifa;
				break;
			}
			inet_hash_remove(*ifa);
			*ifap1 = ifa->ifa_next;
			call_inetaddr_chain(NETDEV_DOWN, *ifa);
			inet_free_ifa(*ifa);
		}
	}
	// Their routes name the old primary address as source: away with them, and back again below.
	for (in_ifaddr *ifa = promote; ifa; ifa = ifa->ifa_next)
		if (ifa1->ifa_mask == ifa->ifa_mask && inet_ifa_match(ifa1->ifa_address, *ifa))
			fib_del_ifaddr(*ifa, ifa1);

	ifap = ifa1->ifa_next;
	inet_hash_remove(*ifa1);
	call_inetaddr_chain(NETDEV_DOWN, *ifa1);

	if (promote) {
		in_ifaddr *next_sec = promote->ifa_next;

		if (prev_prom) {
			prev_prom->ifa_next = next_sec;
			promote->ifa_next = *last_prim;
			*last_prim = promote;
		}
		promote->ifa_flags &= ~IFA_F_SECONDARY;
		call_inetaddr_chain(NETDEV_UP, *promote);
		for (in_ifaddr *ifa = next_sec; ifa; ifa = ifa->ifa_next)
			if (ifa1->ifa_mask == ifa->ifa_mask && inet_ifa_match(ifa1->ifa_address, *ifa))
				fib_add_ifaddr(*ifa);
	}
	if (destroy)
		inet_free_ifa(*ifa1);
}

static void inet_del_ifa(in_device &in_dev, in_ifaddr *&ifap, bool destroy)
{
	TRACE(in_dev.dev);
	__inet_del_ifa(in_dev, ifap, destroy);
}

// Takes the address over; on an error it is freed.
static int __inet_insert_ifa(in_ifaddr &ifa)
{
	TRACE(ifa.ifa_dev->dev);
	in_device &in_dev = *ifa.ifa_dev;
	in_ifaddr **last_primary = &in_dev.ifa_list, **ifap = &in_dev.ifa_list;

	if (!ifa.ifa_local) {
		inet_free_ifa(ifa);
		return 0;
	}
	ifa.ifa_flags &= ~IFA_F_SECONDARY;
	for (; in_ifaddr *ifa1 = *ifap; ifap = &ifa1->ifa_next) {
		if (!(ifa1->ifa_flags & IFA_F_SECONDARY) && ifa.ifa_scope <= ifa1->ifa_scope)
			last_primary = &ifa1->ifa_next;
		if (ifa1->ifa_mask == ifa.ifa_mask && inet_ifa_match(ifa1->ifa_address, ifa)) {
			if (ifa1->ifa_local == ifa.ifa_local || ifa1->ifa_scope != ifa.ifa_scope) {
				const int err = ifa1->ifa_local == ifa.ifa_local ? -EEXIST : -EINVAL;

				inet_free_ifa(ifa);
				return err;
			}
			ifa.ifa_flags |= IFA_F_SECONDARY;
		}
	}
	if (!(ifa.ifa_flags & IFA_F_SECONDARY))
		ifap = last_primary;
	ifa.ifa_next = *ifap;
	*ifap = &ifa;
	inet_hash_insert(dev_net(*in_dev.dev), ifa);
	call_inetaddr_chain(NETDEV_UP, ifa);
	return 0;
}

static int inet_insert_ifa(in_ifaddr &ifa)
{
	TRACE(ifa.ifa_dev->dev);
	return __inet_insert_ifa(ifa);
}

in_device *inetdev_by_index(net &net, int ifindex)
{
	TRACE();
	rcu_read_lock();
	net_device *dev = dev_get_by_index_rcu(net, ifindex);
	in_device *in_dev = dev ? dev->ip_ptr : nullptr;
	rcu_read_unlock();
	return in_dev;
}

in_ifaddr *inet_ifa_byprefix(in_device &in_dev, be32 prefix, be32 mask)
{
	TRACE(in_dev.dev);
	for (in_ifaddr *ifa = in_dev.ifa_list; ifa; ifa = ifa->ifa_next)
		if (ifa->ifa_mask == mask && inet_ifa_match(prefix, *ifa))
			return ifa;
	return nullptr;
}

int inet_rtm_deladdr(net_device &dev, be32 local, be32 address, u8 prefixlen)
{
	TRACE(dev);
	in_device *in_dev = __in_dev_get_rcu(dev);

	if (!in_dev)
		return -ENODEV;
	for (in_ifaddr **ifap = &in_dev->ifa_list; in_ifaddr *ifa = *ifap; ifap = &ifa->ifa_next) {
		if (!(ifa->ifa_local == local))
			continue;
		if (prefixlen <= 32 && (prefixlen != ifa->ifa_prefixlen || !inet_ifa_match(address, *ifa)))
			continue;
		__inet_del_ifa(*in_dev, *ifap, true);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

static in_ifaddr *find_matching_ifa(const in_ifaddr &ifa)
{
	TRACE(ifa.ifa_dev->dev);
	if (!ifa.ifa_local)
		return nullptr;
	for (in_ifaddr *ifa1 = ifa.ifa_dev->ifa_list; ifa1; ifa1 = ifa1->ifa_next)
		if (ifa1->ifa_mask == ifa.ifa_mask && inet_ifa_match(ifa1->ifa_address, ifa) &&
		    ifa1->ifa_local == ifa.ifa_local)
			return ifa1;
	return nullptr;
}

int inet_rtm_newaddr(net_device &dev, be32 local, be32 address, u8 prefixlen, be32 broadcast, u8 scope,
                     u32 flags, u32 metric)
{
	TRACE(dev);
	in_device *in_dev = __in_dev_get_rcu(dev);

	if (prefixlen > 32)
		return -EINVAL;
	if (!in_dev)
		return -ENOBUFS;
	in_ifaddr *ifa = inet_alloc_ifa();
	if (!ifa)
		return -ENOBUFS;
	in_dev->cnf.state = ~u64{0}; // what the device has stays, whatever `default` becomes
	in_dev_hold(*in_dev);
	ifa->ifa_prefixlen = prefixlen;
	ifa->ifa_mask = inet_make_mask(prefixlen);
	ifa->ifa_flags = flags | IFA_F_PERMANENT;
	ifa->ifa_scope = scope;
	ifa->ifa_dev = in_dev;
	ifa->ifa_local = local;
	ifa->ifa_address = address;
	ifa->ifa_broadcast = broadcast;
	ifa->ifa_label = dev.name;
	ifa->ifa_rt_priority = metric;
	if (find_matching_ifa(*ifa)) {
		inet_free_ifa(*ifa);
		return -EEXIST;
	}
	return __inet_insert_ifa(*ifa);
}

// not traced: what a command comes to, for short
int inet_add_ifaddr(net_device &dev, be32 local, u8 prefixlen, be32 broadcast, u8 scope)
{
	return inet_rtm_newaddr(dev, local, local, prefixlen, broadcast, scope, 0, 0);
}

// not traced: what a command comes to, for short
int inet_del_ifaddr(net_device &dev, be32 local, u8 prefixlen)
{
	return inet_rtm_deladdr(dev, local, local, prefixlen);
}

// --- which address ---

static be32 in_dev_select_addr(const in_device &in_dev, int scope)
{
	TRACE(in_dev.dev);
	for (const in_ifaddr *ifa = in_dev.ifa_list; ifa; ifa = ifa->ifa_next) {
		if (ifa->ifa_flags & IFA_F_SECONDARY)
			continue;
		if (ifa->ifa_scope != RT_SCOPE_LINK && ifa->ifa_scope <= scope)
			return ifa->ifa_local;
	}
	return be32{};
}

be32 inet_select_addr(const net_device &device, be32 dst, int scope)
{
	TRACE(device);
	const net_device *dev = &device;
	net &net = dev_net(*dev);
	be32 addr{};

	rcu_read_lock();
	const auto out = [](be32 a) {
		rcu_read_unlock();
		return a;
	};
	const in_device *in_dev = __in_dev_get_rcu(*dev);
	if (in_dev) {
		const u8 localnet_scope = IN_DEV_ROUTE_LOCALNET(*in_dev) ? RT_SCOPE_LINK : RT_SCOPE_HOST;

		for (const in_ifaddr *ifa = in_dev->ifa_list; ifa; ifa = ifa->ifa_next) {
			if (ifa->ifa_flags & IFA_F_SECONDARY ||
			    std::min(ifa->ifa_scope, localnet_scope) > scope)
				continue;
			if (!dst || inet_ifa_match(dst, *ifa))
				return out(ifa->ifa_local);
			if (!addr)
				addr = ifa->ifa_local;
		}
		if (addr)
			return out(addr);
	}

	const int master_idx = l3mdev_master_ifindex_rcu(dev);
	if (master_idx && (dev = dev_get_by_index_rcu(net, master_idx)) &&
	    (in_dev = __in_dev_get_rcu(*dev))) {
		addr = in_dev_select_addr(*in_dev, scope);
		if (addr)
			return out(addr);
	}
	// Any other device of the namespace, lo first.
	for (const net_device *other : net.dev_list) {
		if (l3mdev_master_ifindex_rcu(other) != master_idx)
			continue;
		in_dev = __in_dev_get_rcu(*other);
		if (!in_dev)
			continue;
		addr = in_dev_select_addr(*in_dev, scope);
		if (addr)
			break;
	}
	return out(addr);
}

static be32 confirm_addr_indev(const in_device &in_dev, be32 dst, be32 local, int scope)
{
	TRACE(in_dev.dev);
	const u8 localnet_scope = IN_DEV_ROUTE_LOCALNET(in_dev) ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	be32 addr{};
	bool same = false;

	for (const in_ifaddr *ifa = in_dev.ifa_list; ifa; ifa = ifa->ifa_next) {
		const u8 min_scope = std::min(ifa->ifa_scope, localnet_scope);

		if (!addr && (local == ifa->ifa_local || !local) && min_scope <= scope) {
			addr = ifa->ifa_local;
			if (same)
				break;
		}
		if (!same) {
			same = (!local || inet_ifa_match(local, *ifa)) && (!dst || inet_ifa_match(dst, *ifa));
			if (same && addr) {
				if (local || !dst || inet_ifa_match(addr, *ifa))
					break;
				// The address found is not of dst's subnet: this one may be.
				if (min_scope <= scope) {
					addr = ifa->ifa_local;
					break;
				}
				same = false;
			}
		}
	}
	return same ? addr : be32{};
}

// Wildcards: no in_dev, any device; dst zero, any subnet; local zero, any address.
be32 inet_confirm_addr(net &net, in_device *in_dev, be32 dst, be32 local, int scope)
{
	TRACE();
	be32 addr{};

	if (in_dev)
		return confirm_addr_indev(*in_dev, dst, local, scope);
	rcu_read_lock();
	for (const net_device *dev : net.dev_list) {
		in_dev = __in_dev_get_rcu(*dev);
		if (in_dev)
			addr = confirm_addr_indev(*in_dev, dst, local, scope);
		if (addr)
			break;
	}
	rcu_read_unlock();
	return addr;
}

// --- events ---

void register_inetaddr_notifier(inetaddr_notifier_fn fn)
{
	TRACE();
	addresses->inetaddr_chain.push_back(fn);
}

static void inetdev_changename(net_device &dev, in_device &in_dev)
{
	TRACE(dev);
	int named = 0;

	for (in_ifaddr *ifa = in_dev.ifa_list; ifa; ifa = ifa->ifa_next) {
		const std::size_t colon = ifa->ifa_label.find(':');
		std::string alias = colon == std::string::npos ? std::string() : ifa->ifa_label.substr(colon);

		ifa->ifa_label = dev.name;
		if (named++ == 0)
			continue;
		if (alias.empty())
			alias = ":" + std::to_string(named);
		ifa->ifa_label += alias;
	}
}

static bool inetdev_valid_mtu(u32 mtu)
{
	TRACE();
	return mtu >= IPV4_MIN_MTU;
}

static void inetdev_send_gratuitous_arp(net_device &dev, const in_device &in_dev)
{
	TRACE(dev);
	for (const in_ifaddr *ifa = in_dev.ifa_list; ifa; ifa = ifa->ifa_next)
		arp_send(ARPOP_REQUEST, ETH_P_ARP, ifa->ifa_local, dev, ifa->ifa_local, nullptr,
		         dev.dev_addr.data(), nullptr);
}

static int inetdev_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	in_device *in_dev = __in_dev_get_rcu(dev);

	if (!in_dev) {
		if (event == NETDEV_REGISTER) {
			in_dev = inetdev_init(dev);
			if (!in_dev)
				return -ENOMEM;
			if (dev.flags & IFF_LOOPBACK) {
				in_dev->cnf.data[IPV4_DEVCONF_NOXFRM] = 1;
				in_dev->cnf.data[IPV4_DEVCONF_NOPOLICY] = 1;
			}
		} else if (event == NETDEV_CHANGEMTU && inetdev_valid_mtu(dev.mtu)) {
			inetdev_init(dev);
		}
		return 0;
	}

	switch (event) {
	case NETDEV_UP:
		if (!inetdev_valid_mtu(dev.mtu))
			break;
		if (dev.flags & IFF_LOOPBACK) {
			if (in_ifaddr *ifa = inet_alloc_ifa()) {
				ifa->ifa_local = ifa->ifa_address = htonl(INADDR_LOOPBACK);
				ifa->ifa_prefixlen = 8;
				ifa->ifa_mask = inet_make_mask(8);
				in_dev_hold(*in_dev);
				ifa->ifa_dev = in_dev;
				ifa->ifa_scope = RT_SCOPE_HOST;
				ifa->ifa_flags = IFA_F_PERMANENT;
				ifa->ifa_label = dev.name;
				in_dev->cnf.state = ~u64{0};
				static_cast<void>(inet_insert_ifa(*ifa)); // it may be there already
			}
		}
		ip_mc_up(*in_dev);
		[[fallthrough]];
	case NETDEV_CHANGEADDR:
		if (IN_DEV_MAXCONF(*in_dev, IPV4_DEVCONF_ARP_NOTIFY))
			inetdev_send_gratuitous_arp(dev, *in_dev);
		break;
	case NETDEV_DOWN:
		ip_mc_down(*in_dev);
		break;
	case NETDEV_CHANGEMTU:
		if (!inetdev_valid_mtu(dev.mtu))
			inetdev_destroy(*in_dev);
		break;
	case NETDEV_UNREGISTER:
		inetdev_destroy(*in_dev);
		break;
	case NETDEV_CHANGENAME:
		inetdev_changename(dev, *in_dev);
		break;
	default:
		break;
	}
	return 0;
}

static int devinet_init_net(net &net)
{
	TRACE();
	if (!net_eq(net, init_net())) {
		net.ipv4.devconf_all = std::make_shared<ipv4_devconf>(*init_net().ipv4.devconf_all);
		net.ipv4.devconf_dflt = std::make_shared<ipv4_devconf>(*init_net().ipv4.devconf_dflt);
		return 0;
	}
	auto all = std::make_shared<ipv4_devconf>();

	for (const auto i :
	     {IPV4_DEVCONF_ACCEPT_REDIRECTS, IPV4_DEVCONF_SEND_REDIRECTS, IPV4_DEVCONF_SECURE_REDIRECTS,
	      IPV4_DEVCONF_SHARED_MEDIA, IPV4_DEVCONF_ARP_EVICT_NOCARRIER})
		all->data[i] = 1;
	all->data[IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL] = 10000;
	all->data[IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL] = 1000;
	net.ipv4.devconf_all = all;
	net.ipv4.devconf_dflt = std::make_shared<ipv4_devconf>(*all);
	net.ipv4.devconf_dflt->data[IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE] = 1;
	return 0;
}

static void devinet_exit_net(net &net)
{
	TRACE();
	net.ipv4.devconf_dflt.reset();
	net.ipv4.devconf_all.reset();
}

void devinet_init()
{
	TRACE();
	static constexpr pernet_operations devinet_ops{"devinet", devinet_init_net, devinet_exit_net};

	register_pernet_subsys(devinet_ops);
	register_netdevice_notifier(inetdev_event);
}

} // namespace skbwalk
