// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/fib_frontend.c: the tables of a namespace and who changes them. `ip route` comes in at
// inet_rtm_newroute() and inet_rtm_delroute(); an address makes its own routes by fib_add_ifaddr() ->
// fib_magic() (the address and the broadcast addresses in `local`, the subnet in `main`) and takes them back
// by fib_del_ifaddr(); devices that go up, down or away come in as events. fib_validate_source() judges the
// source of what was received. Left out: rules (so that fib_lookup() asks the trie that local and main share,
// then `default`), netlink's own framing, and the ioctl.
#include <algorithm>

#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

namespace {

enum rtm_cmd { RTM_NEWROUTE, RTM_DELROUTE };

struct tables_of_net {
	std::vector<fib_table *> tables; // in order of creation
};
extern const pernet_operations fib_net_ops;

} // namespace

static int fib_net_init(net &net);
static void fib_net_exit(net &net);
namespace {
const pernet_operations fib_net_ops{"fib", fib_net_init, fib_net_exit};

tables_of_net &tables_of(net &net)
{
	return *static_cast<tables_of_net *>(net_generic(net, fib_net_ops).get());
}
} // namespace

fib_table *fib_new_table(net &net, u32 id)
{
	TRACE();
	fib_table *alias = nullptr;

	if (id == 0)
		id = RT_TABLE_MAIN;
	fib_table *tb = fib_get_table(net, id);
	if (tb)
		return tb;
	if (id == RT_TABLE_LOCAL && !net.ipv4.fib_has_custom_rules)
		alias = fib_new_table(net, RT_TABLE_MAIN);
	tb = fib_trie_table(id, alias);
	if (!tb)
		return nullptr;
	if (id == RT_TABLE_MAIN)
		net.ipv4.fib_main = tb;
	else if (id == RT_TABLE_DEFAULT)
		net.ipv4.fib_default = tb;
	else if (id == RT_TABLE_LOCAL)
		net.ipv4.fib_local = tb;
	tables_of(net).tables.push_back(tb);
	return tb;
}

fib_table *fib_get_table(net &net, u32 id)
{
	TRACE();
	// Unlike the kernel, the three that every namespace knows are found without their hash chain.
	if (id == RT_TABLE_UNSPEC || id == RT_TABLE_MAIN)
		return net.ipv4.fib_main;
	if (id == RT_TABLE_LOCAL)
		return net.ipv4.fib_local;
	if (id == RT_TABLE_DEFAULT)
		return net.ipv4.fib_default;
	for (fib_table *tb : tables_of(net).tables)
		if (tb->tb_id == id)
			return tb;
	return nullptr;
}

int fib_lookup(net &net, flowi4 &flp, fib_result &res, int flags)
{
	TRACE_INLINE();
	int err = -EAGAIN;

	flags |= FIB_LOOKUP_NOREF;
	assert(!net.ipv4.fib_has_custom_rules);

	rcu_read_lock();
	res.tclassid = 0;
	if (fib_table *tb = net.ipv4.fib_main)
		err = fib_table_lookup(*tb, flp, res, flags);
	if (err == -EAGAIN) {
		if (fib_table *tb = net.ipv4.fib_default)
			err = fib_table_lookup(*tb, flp, res, flags);
		if (err == -EAGAIN)
			err = -ENETUNREACH;
	}
	rcu_read_unlock();
	return err;
}

void fib_flush(net &net)
{
	TRACE();
	int flushed = 0;

	for (fib_table *tb : tables_of(net).tables)
		flushed += fib_table_flush(net, *tb, false);
	if (flushed)
		rt_cache_flush(net);
}

// --- what an address is ---

static u32 __inet_dev_addr_type(net &net, const net_device *dev, be32 addr, u32 tb_id)
{
	TRACE(dev);
	flowi4 fl4;
	fib_result res;
	u32 ret = RTN_BROADCAST;

	if (ipv4_is_zeronet(addr) || ipv4_is_lbcast(addr))
		return RTN_BROADCAST;
	if (ipv4_is_multicast(addr))
		return RTN_MULTICAST;

	fl4.daddr = addr;
	rcu_read_lock();
	if (fib_table *table = fib_get_table(net, tb_id)) {
		ret = RTN_UNICAST;
		if (!fib_table_lookup(*table, fl4, res, FIB_LOOKUP_NOREF) &&
		    (!dev || dev == fib_info_nhc(*res.fi, 0).nhc_dev))
			ret = res.type;
	}
	rcu_read_unlock();
	return ret;
}

u32 inet_addr_type_table(net &net, be32 addr, u32 tb_id)
{
	TRACE();
	return __inet_dev_addr_type(net, nullptr, addr, tb_id);
}

u32 inet_addr_type(net &net, be32 addr)
{
	TRACE();
	return __inet_dev_addr_type(net, nullptr, addr, RT_TABLE_LOCAL);
}

u32 inet_dev_addr_type(net &net, const net_device *dev, be32 addr)
{
	TRACE(dev);
	const u32 rt_table = l3mdev_fib_table(dev);

	return __inet_dev_addr_type(net, dev, addr, rt_table ? rt_table : RT_TABLE_LOCAL);
}

u32 inet_addr_type_dev_table(net &net, const net_device *dev, be32 addr)
{
	TRACE(dev);
	const u32 rt_table = l3mdev_fib_table(dev);

	return __inet_dev_addr_type(net, nullptr, addr, rt_table ? rt_table : RT_TABLE_LOCAL);
}

// RFC 1122, 3.2.1.3: the address to answer from.
be32 fib_compute_spec_dst(sk_buff &skb)
{
	TRACE(skb);
	net_device &dev = *skb.dev;
	const rtable &rt = *skb_rtable(skb);

	if ((rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL)) == RTCF_LOCAL)
		return ip_hdr(skb).daddr;

	const in_device *in_dev = __in_dev_get_rcu(dev);
	net &net = dev_net(dev);
	int scope = RT_SCOPE_UNIVERSE;
	if (!ipv4_is_zeronet(ip_hdr(skb).saddr)) {
		const bool vmark = in_dev && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_SRC_VMARK);
		flowi4 fl4;
		fib_result res;

		fl4.flowi4_iif = LOOPBACK_IFINDEX;
		fl4.flowi4_l3mdev = l3mdev_master_ifindex_rcu(&dev);
		fl4.daddr = ip_hdr(skb).saddr;
		fl4.flowi4_tos = ip_hdr(skb).tos & IPTOS_RT_MASK;
		fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
		fl4.flowi4_mark = vmark ? skb.mark : 0;
		if (!fib_lookup(net, fl4, res, 0))
			return fib_result_prefsrc(net, res);
	} else {
		scope = RT_SCOPE_LINK;
	}
	return inet_select_addr(dev, ip_hdr(skb).saddr, scope);
}

// --- the source of what was received ---

static bool nhc_l3mdev_matches_dev(const fib_nh_common &nhc, const net_device &dev)
{
	TRACE_INLINE(dev);
	return nhc.nhc_dev == &dev || l3mdev_master_ifindex_rcu(nhc.nhc_dev) == dev.ifindex;
}

bool fib_info_nh_uses_dev(const fib_info &fi, const net_device &dev)
{
	TRACE(dev);
	for (int i = 0; i < fib_info_num_path(fi); ++i)
		if (nhc_l3mdev_matches_dev(fib_info_nhc(fi, i), dev))
			return true;
	return false;
}

// The route back to the source says what it is. Positive: the source is on the link; negative: a martian.
static int __fib_validate_source(sk_buff &skb, be32 src, be32 dst, u8 tos, int oif, net_device &dev, int rpf,
                                 in_device &idev, u32 &itag)
{
	TRACE(skb, dev);
	net &net = dev_net(dev);
	fib_result res;
	flowi4 fl4;

	const auto last_resort = [&] {
		if (rpf)
			return -EXDEV;
		itag = 0;
		return 0;
	};

	fl4.flowi4_l3mdev = l3mdev_master_ifindex_rcu(&dev);
	fl4.flowi4_iif = oif ? oif : LOOPBACK_IFINDEX;
	fl4.daddr = src;
	fl4.saddr = dst;
	fl4.flowi4_tos = tos;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.flowi4_uid = sock_net_uid(net, nullptr);
	const bool no_addr = idev.ifa_list == nullptr;
	fl4.flowi4_mark = IN_DEV_ORCONF(idev, IPV4_DEVCONF_SRC_VMARK) ? skb.mark : 0;

	if (fib_lookup(net, fl4, res, 0))
		return last_resort();
	if (res.type != RTN_UNICAST &&
	    (res.type != RTN_LOCAL || !IN_DEV_ORCONF(idev, IPV4_DEVCONF_ACCEPT_LOCAL)))
		return -EINVAL;
	itag = 0;

	const bool dev_match =
		fib_info_nh_uses_dev(*res.fi, dev) || (res.type == RTN_LOCAL && &dev == net.loopback_dev);
	if (dev_match)
		return FIB_RES_NHC(res).nhc_scope >= RT_SCOPE_HOST;
	if (no_addr)
		return last_resort();
	if (rpf == 1)
		return -EXDEV;

	fl4.flowi4_oif = dev.ifindex;
	if (fib_lookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE) == 0 && res.type == RTN_UNICAST)
		return FIB_RES_NHC(res).nhc_scope >= RT_SCOPE_HOST;
	return 0;
}

int fib_validate_source(sk_buff &skb, be32 src, be32 dst, u8 tos, int oif, net_device &dev, in_device &idev,
                        u32 &itag)
{
	TRACE(skb, dev);
	const int r = IN_DEV_MAXCONF(idev, IPV4_DEVCONF_RP_FILTER);
	net &net = dev_net(dev);

	if (!r && (dev.ifindex != oif || !IN_DEV_TX_REDIRECTS(idev))) {
		const bool accept_local = IN_DEV_ORCONF(idev, IPV4_DEVCONF_ACCEPT_LOCAL);

		if (accept_local ||
		    !(net.ipv4.fib_has_custom_local_routes || net.ipv4.fib_has_custom_rules)) {
			if (!accept_local && inet_lookup_ifaddr_rcu(net, src))
				return -EINVAL;
			itag = 0;
			return 0;
		}
	}
	return __fib_validate_source(skb, src, dst, tos, oif, dev, r, idev, itag);
}

// --- ip route ---

static int rtm_to_fib_config(net &net, fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	const auto refuse = [extack](const char *msg) {
		if (extack)
			extack->msg = msg;
		return -EINVAL;
	};

	if (cfg.fc_tos & 3)
		return refuse("Invalid dsfield (tos): ECN bits must be 0");
	if (cfg.fc_type > RTN_MAX)
		return refuse("Invalid route type");
	if (cfg.fc_dst_len > 32)
		return refuse("Invalid prefix length");
	if (cfg.fc_dst_len < 32 && cfg.fc_dst & ~inet_make_mask(cfg.fc_dst_len))
		return refuse("Invalid prefix for given prefix length");
	if (!cfg.fc_table)
		cfg.fc_table = RT_TABLE_MAIN;
	cfg.fc_net = &net;
	return 0;
}

int inet_rtm_delroute(net &net, fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	const int err = rtm_to_fib_config(net, cfg, extack);

	if (err < 0)
		return err;
	fib_table *tb = fib_get_table(net, cfg.fc_table);
	if (!tb) {
		if (extack)
			extack->msg = "FIB table does not exist";
		return -ESRCH;
	}
	return fib_table_delete(net, *tb, cfg, extack);
}

int inet_rtm_newroute(net &net, fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	int err = rtm_to_fib_config(net, cfg, extack);

	if (err < 0)
		return err;
	fib_table *tb = fib_new_table(net, cfg.fc_table);
	if (!tb)
		return -ENOBUFS;
	err = fib_table_insert(net, *tb, cfg, extack);
	if (!err && cfg.fc_type == RTN_LOCAL)
		net.ipv4.fib_has_custom_local_routes = true;
	return err;
}

// --- routes of addresses ---

static void fib_magic(rtm_cmd cmd, u8 type, be32 dst, u8 dst_len, in_ifaddr &ifa, u32 rt_priority)
{
	TRACE();
	net_device &dev = *ifa.ifa_dev->dev;
	net &net = dev_net(dev);
	u32 tb_id = l3mdev_fib_table(&dev);
	fib_config cfg;

	cfg.fc_protocol = RTPROT_KERNEL;
	cfg.fc_type = type;
	cfg.fc_dst = dst;
	cfg.fc_dst_len = dst_len;
	cfg.fc_priority = rt_priority;
	cfg.fc_prefsrc = ifa.ifa_local;
	cfg.fc_oif = dev.ifindex;
	cfg.fc_nlflags = NLM_F_CREATE | NLM_F_APPEND;
	cfg.fc_net = &net;
	if (!tb_id)
		tb_id = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL;

	fib_table *tb = fib_new_table(net, tb_id);
	if (!tb)
		return;
	cfg.fc_table = tb->tb_id;
	cfg.fc_scope = type != RTN_LOCAL ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	// A change that fails has nobody to be told: the address stays.
	if (cmd == RTM_NEWROUTE)
		static_cast<void>(fib_table_insert(net, *tb, cfg, nullptr));
	else
		static_cast<void>(fib_table_delete(net, *tb, cfg, nullptr));
}

void fib_add_ifaddr(in_ifaddr &ifa)
{
	TRACE();
	in_device &in_dev = *ifa.ifa_dev;
	net_device &dev = *in_dev.dev;
	const be32 mask = ifa.ifa_mask, addr = ifa.ifa_local, prefix = ifa.ifa_address & mask;
	in_ifaddr *prim = &ifa;

	if (ifa.ifa_flags & IFA_F_SECONDARY) {
		prim = inet_ifa_byprefix(in_dev, prefix, mask);
		if (!prim)
			return;
	}
	fib_magic(RTM_NEWROUTE, RTN_LOCAL, addr, 32, *prim, 0);
	if (!(dev.flags & IFF_UP))
		return;

	if (ifa.ifa_broadcast && !ipv4_is_lbcast(ifa.ifa_broadcast)) {
		fib_magic(RTM_NEWROUTE, RTN_BROADCAST, ifa.ifa_broadcast, 32, *prim, 0);
		arp_invalidate(dev, ifa.ifa_broadcast, false);
	}
	if (!ipv4_is_zeronet(prefix) && !(ifa.ifa_flags & IFA_F_SECONDARY) &&
	    (!(prefix == addr) || ifa.ifa_prefixlen < 32)) {
		if (!(ifa.ifa_flags & IFA_F_NOPREFIXROUTE))
			fib_magic(RTM_NEWROUTE, dev.flags & IFF_LOOPBACK ? RTN_LOCAL : RTN_UNICAST, prefix,
			          ifa.ifa_prefixlen, *prim, ifa.ifa_rt_priority);
		if (ifa.ifa_prefixlen < 31) {
			fib_magic(RTM_NEWROUTE, RTN_BROADCAST, prefix | ~mask, 32, *prim, 0);
			arp_invalidate(dev, prefix | ~mask, false);
		}
	}
}

void fib_modify_prefix_metric(in_ifaddr &ifa, u32 new_metric)
{
	TRACE();
	const be32 prefix = ifa.ifa_address & ifa.ifa_mask;
	net_device &dev = *ifa.ifa_dev->dev;
	const u8 type = dev.flags & IFF_LOOPBACK ? RTN_LOCAL : RTN_UNICAST;

	if (!(dev.flags & IFF_UP) || ifa.ifa_flags & (IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE) ||
	    ipv4_is_zeronet(prefix) || (prefix == ifa.ifa_local && ifa.ifa_prefixlen == 32))
		return;
	fib_magic(RTM_NEWROUTE, type, prefix, ifa.ifa_prefixlen, ifa, new_metric);
	fib_magic(RTM_DELROUTE, type, prefix, ifa.ifa_prefixlen, ifa, ifa.ifa_rt_priority);
}

// The address, and its broadcasts, may be needed by another one of the device still; what is not goes. With
// `iprim`, a secondary address is about to become primary, and addresses of that subnet count as gone.
void fib_del_ifaddr(in_ifaddr &ifa, in_ifaddr *iprim)
{
	TRACE();
	constexpr u32 LOCAL_OK = 1, BRD_OK = 2, BRD0_OK = 4, BRD1_OK = 8;
	in_device &in_dev = *ifa.ifa_dev;
	net_device &dev = *in_dev.dev;
	in_ifaddr *prim = &ifa, *prim1 = nullptr;
	const be32 brd = ifa.ifa_address | ~ifa.ifa_mask, any = ifa.ifa_address & ifa.ifa_mask;
	u32 ok = 0;
	bool subnet = false, gone = true, same_prefsrc = false;

	if (ifa.ifa_flags & IFA_F_SECONDARY) {
		prim = inet_ifa_byprefix(in_dev, any, ifa.ifa_mask);
		if (!prim || (iprim && iprim != prim))
			return;
	} else if (!ipv4_is_zeronet(any) && (!(any == ifa.ifa_local) || ifa.ifa_prefixlen < 32)) {
		if (!(ifa.ifa_flags & IFA_F_NOPREFIXROUTE))
			fib_magic(RTM_DELROUTE, dev.flags & IFF_LOOPBACK ? RTN_LOCAL : RTN_UNICAST, any,
			          ifa.ifa_prefixlen, *prim, 0);
		subnet = true;
	}

	rcu_read_lock();
	for (in_ifaddr *ifa1 = in_dev.dead ? nullptr : in_dev.ifa_list; ifa1; ifa1 = ifa1->ifa_next) {
		if (ifa1 == &ifa) {
			gone = false;
			continue;
		}
		if (iprim && ifa1->ifa_mask == iprim->ifa_mask && inet_ifa_match(ifa1->ifa_address, *iprim))
			continue;
		if (ifa1->ifa_flags & IFA_F_SECONDARY) {
			if (ifa1->ifa_mask == prim->ifa_mask && inet_ifa_match(ifa1->ifa_address, *prim)) {
				prim1 = prim;
			} else {
				// Another subnet counts where its primary address is the same.
				if (!same_prefsrc)
					continue;
				if (!prim1 || !(ifa1->ifa_mask == prim1->ifa_mask) ||
				    !inet_ifa_match(ifa1->ifa_address, *prim1))
					prim1 = inet_ifa_byprefix(in_dev, ifa1->ifa_address, ifa1->ifa_mask);
				if (!prim1 || !(prim1->ifa_local == prim->ifa_local))
					continue;
			}
		} else {
			if (!(prim->ifa_local == ifa1->ifa_local))
				continue;
			prim1 = ifa1;
			if (prim != prim1)
				same_prefsrc = true;
		}
		if (ifa.ifa_local == ifa1->ifa_local)
			ok |= LOCAL_OK;
		if (ifa.ifa_broadcast == ifa1->ifa_broadcast)
			ok |= BRD_OK;
		if (brd == ifa1->ifa_broadcast)
			ok |= BRD1_OK;
		if (any == ifa1->ifa_broadcast)
			ok |= BRD0_OK;
		if (prim1 == ifa1 && ifa1->ifa_prefixlen < 31) {
			const be32 brd1 = ifa1->ifa_address | ~ifa1->ifa_mask,
				   any1 = ifa1->ifa_address & ifa1->ifa_mask;

			if (!ipv4_is_zeronet(any1)) {
				if (ifa.ifa_broadcast == brd1 || ifa.ifa_broadcast == any1)
					ok |= BRD_OK;
				if (brd == brd1 || brd == any1)
					ok |= BRD1_OK;
				if (any == brd1 || any == any1)
					ok |= BRD0_OK;
			}
		}
	}
	rcu_read_unlock();

	if (!(ok & BRD_OK))
		fib_magic(RTM_DELROUTE, RTN_BROADCAST, ifa.ifa_broadcast, 32, *prim, 0);
	if (subnet && ifa.ifa_prefixlen < 31) {
		if (!(ok & BRD1_OK))
			fib_magic(RTM_DELROUTE, RTN_BROADCAST, brd, 32, *prim, 0);
		if (!(ok & BRD0_OK))
			fib_magic(RTM_DELROUTE, RTN_BROADCAST, any, 32, *prim, 0);
	}
	if (!(ok & LOCAL_OK)) {
		fib_magic(RTM_DELROUTE, RTN_LOCAL, ifa.ifa_local, 32, *prim, 0);

		const u32 addr_type = inet_addr_type_dev_table(dev_net(dev), &dev, ifa.ifa_local);
		if (gone && addr_type != RTN_LOCAL && fib_sync_down_addr(dev, ifa.ifa_local))
			fib_flush(dev_net(dev));
	}
}

// --- events ---

static void fib_disable_ip(net_device &dev, netdev_cmd event, bool force)
{
	TRACE(dev);
	if (fib_sync_down_dev(dev, event, force))
		fib_flush(dev_net(dev));
	else
		rt_cache_flush(dev_net(dev));
	arp_ifdown(dev);
}

static int fib_inetaddr_event(in_ifaddr &ifa, netdev_cmd event)
{
	TRACE();
	net_device &dev = *ifa.ifa_dev->dev;
	net &net = dev_net(dev);

	if (event == NETDEV_UP) {
		fib_add_ifaddr(ifa);
		fib_sync_up(dev, RTNH_F_DEAD);
		++net.ipv4.dev_addr_genid;
		rt_cache_flush(net);
	} else if (event == NETDEV_DOWN) {
		fib_del_ifaddr(ifa, nullptr);
		++net.ipv4.dev_addr_genid;
		if (!ifa.ifa_dev->ifa_list)
			fib_disable_ip(dev, event, true); // the last address: no IP there any more
		else
			rt_cache_flush(net);
	}
	return 0;
}

static int fib_netdev_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	net &net = dev_net(dev);

	if (event == NETDEV_UNREGISTER) {
		fib_disable_ip(dev, event, true);
		rt_flush_dev(dev);
		return 0;
	}
	in_device *in_dev = __in_dev_get_rcu(dev);
	if (!in_dev)
		return 0;

	switch (event) {
	case NETDEV_UP:
		for (in_ifaddr *ifa = in_dev->ifa_list; ifa; ifa = ifa->ifa_next)
			fib_add_ifaddr(*ifa);
		fib_sync_up(dev, RTNH_F_DEAD);
		++net.ipv4.dev_addr_genid;
		rt_cache_flush(net);
		break;
	case NETDEV_DOWN:
		fib_disable_ip(dev, event, false);
		break;
	case NETDEV_CHANGE:
		if (dev_get_flags(dev) & (IFF_RUNNING | IFF_LOWER_UP))
			fib_sync_up(dev, RTNH_F_LINKDOWN);
		else
			fib_sync_down_dev(dev, event, false);
		rt_cache_flush(net);
		break;
	case NETDEV_PRECHANGEMTU:
		in_dev->orig_mtu = dev.mtu;
		break;
	case NETDEV_CHANGEMTU:
		fib_sync_mtu(dev, in_dev->orig_mtu);
		rt_cache_flush(net);
		break;
	default:
		break;
	}
	return 0;
}

static int fib_net_init(net &net)
{
	TRACE();
	net_generic(net, fib_net_ops) =
		std::make_shared<tables_of_net>(); // a table comes with its first route
	return 0;
}

static void fib_net_exit(net &net)
{
	TRACE();
	std::vector<fib_table *> tables = tables_of(net).tables;

	net.ipv4.fib_main = nullptr;
	net.ipv4.fib_default = nullptr;
	net.ipv4.fib_local = nullptr;
	// Local ends before main, whose trie it shares.
	std::sort(tables.begin(), tables.end(),
	          [](const fib_table *a, const fib_table *b) { return a->tb_id > b->tb_id; });
	for (fib_table *tb : tables) {
		fib_table_flush(net, *tb, true);
		fib_free_table(tb);
	}
	net_generic(net, fib_net_ops).reset();
}

void ip_fib_init()
{
	TRACE();
	fib_trie_init();
	register_pernet_subsys(fib_net_ops);
	register_netdevice_notifier(fib_netdev_event);
	register_inetaddr_notifier(fib_inetaddr_event);
}

} // namespace skbwalk
