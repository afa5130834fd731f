// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/route.c, routes for what comes in: ip_route_input_noref() -> ip_route_input_rcu() sorts groups out
// (are we in it?), the rest goes to ip_route_input_slow(): sources and destinations that cannot be are
// martians, a destination of ours is delivered, another is forwarded (ip_mkroute_input) where that is
// allowed. The dst, cached at the nexthop, is attached to the skb. With several nexthops a hash of the flow
// chooses. Left out: multicast routing, tunnels' keys, logging of martians.
#include "stack/core/flow_dissector.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route_private.h"

namespace skbwalk {

// An ICMP error belongs to the flow of the packet that it quotes.
static void ip_multipath_l3_keys(const sk_buff &skb, flow_keys &hash_keys)
{
	TRACE(skb);
	const iphdr &outer_iph = ip_hdr(skb);
	const int hlen = static_cast<int>(outer_iph.ihl() * 4);
	const iphdr *key_iph = &outer_iph;
	icmphdr icmph_copy;
	iphdr iph_copy;

	if (outer_iph.protocol == IPPROTO_ICMP && !(ntohs(outer_iph.frag_off) & IP_OFFSET)) {
		const int at = skb_network_offset(skb) + hlen;
		const auto *icmph = static_cast<const icmphdr *>(
			skb_header_pointer(skb, at, sizeof(icmphdr), &icmph_copy));

		if (icmph && (icmph->type == ICMP_DEST_UNREACH || icmph->type == ICMP_SOURCE_QUENCH ||
		              icmph->type == ICMP_REDIRECT || icmph->type == ICMP_TIME_EXCEEDED ||
		              icmph->type == ICMP_PARAMETERPROB)) {
			const void *inner = skb_header_pointer(skb, at + static_cast<int>(sizeof(icmphdr)),
			                                       sizeof(iphdr), &iph_copy);
			if (inner)
				key_iph = static_cast<const iphdr *>(inner);
		}
	}
	hash_keys.v4addrs.src = key_iph->saddr;
	hash_keys.v4addrs.dst = key_iph->daddr;
}

// 31 bits. Policies: 0 by addresses, 1 by addresses and ports, 2 by the addresses inside a tunnel.
int fib_multipath_hash(const net &net, const flowi4 *fl4, const sk_buff *skb)
{
	TRACE(skb);
	const int policy = net.ipv4.sysctl_fib_multipath_hash_policy;
	flow_keys hash_keys;

	hash_keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
	hash_keys.v4addrs = {};
	if (!skb) {
		hash_keys.v4addrs = {fl4->saddr, fl4->daddr};
		if (policy == 1) {
			hash_keys.src = fl4->fl4_sport;
			hash_keys.dst = fl4->fl4_dport;
			hash_keys.ip_proto = fl4->flowi4_proto;
		}
	} else if (policy == 0) {
		ip_multipath_l3_keys(*skb, hash_keys);
	} else {
		flow_keys keys;

		if (policy == 1 && skb->l4_hash)
			return static_cast<int>(skb->hash >> 1);
		__skb_flow_dissect(*skb, keys, policy == 1 ? FLOW_DISSECTOR_F_STOP_AT_ENCAP : 0);
		if (policy == 1) {
			hash_keys.v4addrs = keys.v4addrs;
			hash_keys.src = keys.src;
			hash_keys.dst = keys.dst;
			hash_keys.ip_proto = keys.ip_proto;
		} else if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
			hash_keys.v4addrs = keys.v4addrs;
		} else if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS) {
			hash_keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
			hash_keys.v6addrs = keys.v6addrs;
			hash_keys.flow_label = keys.flow_label;
			hash_keys.ip_proto = keys.ip_proto;
		} else {
			ip_multipath_l3_keys(*skb, hash_keys);
		}
	}
	u32 mhash = flow_hash_from_keys(hash_keys);
	if (fl4 && fl4->flowi4_multipath_hash)
		mhash = jhash_2words(mhash, fl4->flowi4_multipath_hash, 0);
	return static_cast<int>(mhash >> 1);
}

int ip_mc_validate_source(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, in_device *in_dev)
{
	TRACE(skb, dev);
	u32 itag = 0;

	if (!in_dev)
		return -EINVAL;
	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) || !(skb.protocol == htons(ETH_P_IP)))
		return -EINVAL;
	if (ipv4_is_loopback(saddr) && !IN_DEV_ROUTE_LOCALNET(*in_dev))
		return -EINVAL;
	if (ipv4_is_zeronet(saddr))
		return ipv4_is_local_multicast(daddr) || ip_hdr(skb).protocol == IPPROTO_IGMP ? 0 : -EINVAL;
	const int err = fib_validate_source(skb, saddr, be32{}, tos, 0, dev, *in_dev, itag);
	return err < 0 ? err : 0;
}

static int ip_route_input_mc(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, bool our)
{
	TRACE(skb, dev);
	in_device *in_dev = __in_dev_get_rcu(dev);
	const u32 flags = RTCF_MULTICAST | (our ? RTCF_LOCAL : 0);

	const int err = ip_mc_validate_source(skb, daddr, saddr, tos, dev, in_dev);
	if (err)
		return err;
	if (IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_NOPOLICY))
		IPCB(skb).flags |= IPSKB_NOPOLICY;
	rtable *rth = rt_dst_alloc(*dev_net(dev).loopback_dev, flags, RTN_MULTICAST, false);
	if (!rth)
		return -ENOBUFS;
	rth->output = ip_rt_bug;
	rth->rt_is_input = 1;
	++rt_cache_stats->in_slow_mc;
	skb_dst_drop(skb);
	skb_dst_set(skb, rth);
	return 0;
}

static void ip_handle_martian_source(net_device &dev, sk_buff &skb)
{
	TRACE(skb, dev);
	++rt_cache_stats->in_martian_src;
}

// --- forwarding ---

static int __mkroute_input(sk_buff &skb, const fib_result &res, in_device &in_dev, be32 daddr, be32 saddr,
                           u8 tos)
{
	TRACE(skb, in_dev.dev);
	fib_nh_common &nhc = FIB_RES_NHC(res);
	in_device *out_dev = __in_dev_get_rcu(*nhc.nhc_dev);
	u32 itag = 0;

	if (!out_dev)
		return -EINVAL;
	const int err =
		fib_validate_source(skb, saddr, daddr, tos, FIB_RES_OIF(res), *in_dev.dev, in_dev, itag);
	if (err < 0) {
		ip_handle_martian_source(*in_dev.dev, skb);
		return err;
	}

	const bool do_cache = res.fi && !itag;
	const bool is_ip = skb.protocol == htons(ETH_P_IP);
	// Back out where it came in, from a source on that link: the sender had better ask the next router
	// itself.
	if (out_dev == &in_dev && err && IN_DEV_TX_REDIRECTS(*out_dev) && is_ip) {
		const be32 gw = nhc.nhc_gw_family == AF_INET ? nhc.nhc_gw4 : be32{};

		if (IN_DEV_ORCONF(*out_dev, IPV4_DEVCONF_SHARED_MEDIA) ||
		    inet_addr_onlink(*out_dev, saddr, gw))
			IPCB(skb).flags |= IPSKB_DOREDIRECT;
	}
	// ARP asks whether to answer for another: not on the link that the other is on.
	if (!is_ip && out_dev == &in_dev && !IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROXY_ARP_PVLAN))
		return -EINVAL;
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY))
		IPCB(skb).flags |= IPSKB_NOPOLICY;

	fib_nh_exception *fnhe = find_exception(nhc, daddr);
	if (do_cache) {
		rtable *rth = fnhe ? fnhe->fnhe_rth_input : nhc.nhc_rth_input;

		if (rt_cache_valid(rth)) {
			skb_dst_set_noref(skb, rth);
			return 0;
		}
	}

	rtable *rth = rt_dst_alloc(*out_dev->dev, 0, res.type, IN_DEV_ORCONF(*out_dev, IPV4_DEVCONF_NOXFRM));
	if (!rth)
		return -ENOBUFS;
	rth->rt_is_input = 1;
	++rt_cache_stats->in_slow_tot;
	rth->input = ip_forward;
	rt_set_nexthop(*rth, daddr, res, fnhe, res.fi, do_cache);
	skb_dst_set(skb, rth);
	return 0;
}

static int ip_mkroute_input(sk_buff &skb, fib_result &res, in_device &in_dev, be32 daddr, be32 saddr, u8 tos)
{
	TRACE(skb, in_dev.dev);
	if (res.fi && fib_info_num_path(*res.fi) > 1) {
		fib_select_multipath(res, fib_multipath_hash(*res.fi->fib_net, nullptr, &skb));
		IPCB(skb).flags |= IPSKB_MULTIPATH;
	}
	return __mkroute_input(skb, res, in_dev, daddr, saddr, tos);
}

// The packet before this one in a list went to the same address: its route is taken, once the source is
// judged.
int ip_route_use_hint(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, const sk_buff &hint)
{
	TRACE(skb, dev);
	in_device *in_dev = __in_dev_get_rcu(dev);
	const rtable &rt = *skb_rtable(hint);
	int err = -EINVAL;
	u32 tag = 0;

	if (!in_dev)
		return -EINVAL;
	const bool martian = ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) || ipv4_is_zeronet(saddr) ||
	                     (ipv4_is_loopback(saddr) && !IN_DEV_NET_ROUTE_LOCALNET(*in_dev, dev_net(dev)));
	if (!martian) {
		err = 0;
		if (rt.rt_type == RTN_LOCAL)
			err = fib_validate_source(skb, saddr, daddr, tos & IPTOS_RT_MASK, 0, dev, *in_dev,
			                          tag);
	}
	if (err < 0) {
		ip_handle_martian_source(dev, skb);
		return err;
	}
	skb._skb_refdst = hint._skb_refdst; // skb_dst_copy
	if (!skb_dst_is_noref(skb))
		dst_clone(skb_dst(skb));
	return 0;
}

// --- the general case ---

static net_device *ip_rt_get_dev(net &net, const fib_result &res)
{
	TRACE();
	net_device *dev = res.fi ? l3mdev_master_dev_rcu(res.nhc->nhc_dev) : nullptr;

	return dev ? dev : net.loopback_dev;
}

// A source of ours is never right here: what is looped back has its route already.
static int ip_route_input_slow(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, fib_result &res)
{
	TRACE(skb, dev);
	net &net = dev_net(dev);
	in_device *in_dev = __in_dev_get_rcu(dev);
	u32 itag = 0;

	if (!in_dev)
		return -EINVAL;

	const auto martian_source = [&](int e) {
		ip_handle_martian_source(dev, skb);
		return e;
	};
	const auto martian_destination = [] {
		++rt_cache_stats->in_martian_dst;
		return -EINVAL;
	};
	// With an err, the packet has nowhere to go: the dst says why.
	const auto local_input = [&](u32 flags, bool do_cache, int err) {
		if (IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_NOPOLICY))
			IPCB(skb).flags |= IPSKB_NOPOLICY;
		do_cache = do_cache && res.fi && !itag;
		if (do_cache) {
			rtable *cached = FIB_RES_NHC(res).nhc_rth_input;

			if (rt_cache_valid(cached)) {
				skb_dst_set_noref(skb, cached);
				return 0;
			}
		}
		rtable *rth = rt_dst_alloc(*ip_rt_get_dev(net, res), flags | RTCF_LOCAL, res.type, false);
		if (!rth)
			return -ENOBUFS;
		rth->output = ip_rt_bug;
		rth->rt_is_input = 1;
		++rt_cache_stats->in_slow_tot;
		if (res.type == RTN_UNREACHABLE) {
			rth->input = ip_error;
			rth->error = -err;
			rth->rt_flags &= ~RTCF_LOCAL;
		}
		if (do_cache && !rt_cache_route(FIB_RES_NHC(res), *rth))
			rt_add_uncached_list(*rth);
		skb_dst_set(skb, rth);
		return 0;
	};
	const auto no_route = [&](int err) {
		++rt_cache_stats->in_no_route;
		res.type = RTN_UNREACHABLE;
		res.fi = nullptr;
		res.table = nullptr;
		return local_input(0, true, err);
	};
	const auto brd_input = [&](bool do_cache) {
		if (!(skb.protocol == htons(ETH_P_IP)))
			return -EINVAL;
		if (!ipv4_is_zeronet(saddr)) {
			const int err = fib_validate_source(skb, saddr, be32{}, tos, 0, dev, *in_dev, itag);
			if (err < 0)
				return martian_source(err);
		}
		res.type = RTN_BROADCAST;
		++rt_cache_stats->in_brd;
		return local_input(RTCF_BROADCAST, do_cache, 0);
	};

	skb_dst_drop(skb);
	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr))
		return martian_source(-EINVAL);
	res.fi = nullptr;
	res.table = nullptr;
	if (ipv4_is_lbcast(daddr) || (!saddr && !daddr))
		return brd_input(true);
	if (ipv4_is_zeronet(saddr))
		return martian_source(-EINVAL);
	if (ipv4_is_zeronet(daddr))
		return martian_destination();
	if (ipv4_is_loopback(daddr)) {
		if (!IN_DEV_NET_ROUTE_LOCALNET(*in_dev, net))
			return martian_destination();
	} else if (ipv4_is_loopback(saddr)) {
		if (!IN_DEV_NET_ROUTE_LOCALNET(*in_dev, net))
			return martian_source(-EINVAL);
	}

	flowi4 fl4;
	fl4.flowi4_iif = dev.ifindex;
	fl4.flowi4_mark = skb.mark;
	fl4.flowi4_tos = tos;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.flowi4_uid = sock_net_uid(net, nullptr);

	const int err = fib_lookup(net, fl4, res, 0);
	if (err != 0)
		return no_route(IN_DEV_FORWARD(*in_dev) ? err : -EHOSTUNREACH);

	if (res.type == RTN_BROADCAST) {
		if (!IN_DEV_ANDCONF(*in_dev, IPV4_DEVCONF_BC_FORWARDING))
			return brd_input(!IPV4_DEVCONF_ALL(net, IPV4_DEVCONF_BC_FORWARDING));
	} else {
		if (res.type == RTN_LOCAL) {
			const int verdict =
				fib_validate_source(skb, saddr, daddr, tos, 0, dev, *in_dev, itag);

			return verdict < 0 ? martian_source(verdict) : local_input(0, true, 0);
		}
		if (!IN_DEV_FORWARD(*in_dev))
			return no_route(-EHOSTUNREACH);
		if (res.type != RTN_UNICAST)
			return martian_destination();
	}
	return ip_mkroute_input(skb, res, *in_dev, daddr, saddr, tos);
}

static int ip_route_input_rcu(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, fib_result &res)
{
	TRACE(skb, dev);
	if (!ipv4_is_multicast(daddr))
		return ip_route_input_slow(skb, daddr, saddr, tos, dev, res);

	TRACE_PART();
	in_device *in_dev = __in_dev_get_rcu(dev);
	if (!in_dev)
		return -EINVAL;
	const bool our = ip_check_mc_rcu(*in_dev, daddr, saddr, ip_hdr(skb).protocol);
	return our ? ip_route_input_mc(skb, daddr, saddr, tos, dev, our) : -EINVAL;
}

int ip_route_input_noref(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev)
{
	TRACE(skb, dev);
	fib_result res;

	tos &= IPTOS_RT_MASK;
	rcu_read_lock();
	const int err = ip_route_input_rcu(skb, daddr, saddr, tos, dev, res);
	rcu_read_unlock();
	return err;
}

// With a counted dst.
int ip_route_input(sk_buff &skb, be32 dst, be32 src, u8 tos, net_device &devin)
{
	TRACE_INLINE(skb, devin);
	rcu_read_lock();
	int err = ip_route_input_noref(skb, dst, src, tos, devin);
	if (!err && !skb_dst_force(skb))
		err = -EINVAL;
	rcu_read_unlock();
	return err;
}

} // namespace skbwalk
