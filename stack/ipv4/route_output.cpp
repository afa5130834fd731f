// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/route.c, routes for what this host sends: ip_route_output_flow() and ip_route_output_key_hash()
// end in ip_route_output_key_hash_rcu(), which checks the source (__ip_dev_find), looks the destination up,
// fills in what the caller left open (source, device) and takes the nexthop's cached dst or makes one in
// __mkroute_output(). A transformation policy may have its say (xfrm_lookup_route). The inlines of
// include/net/route.h are here too. Left out: multicast routing.
#include "stack/core/xfrm.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route_private.h"
#include "stack/security/security.h"

namespace skbwalk {

static void ip_rt_fix_tos(flowi4 &fl4)
{
	TRACE();
	const u8 tos = fl4.flowi4_tos & (IPTOS_RT_MASK | RTO_ONLINK);

	fl4.flowi4_tos = tos & IPTOS_RT_MASK;
	if (tos & RTO_ONLINK)
		fl4.flowi4_scope = RT_SCOPE_LINK;
}

static rt_or_err __mkroute_output(const fib_result &res, const flowi4 &fl4, int orig_oif, net_device &dev_out,
                                  u32 flags)
{
	TRACE(dev_out);
	fib_info *fi = res.fi;
	u16 type = res.type;

	in_device *in_dev = __in_dev_get_rcu(dev_out);
	if (!in_dev)
		return {nullptr, -EINVAL};
	if (!IN_DEV_ROUTE_LOCALNET(*in_dev) && ipv4_is_loopback(fl4.saddr) &&
	    !(dev_out.flags & IFF_LOOPBACK) && !netif_is_l3_master(dev_out))
		return {nullptr, -EINVAL};

	if (ipv4_is_lbcast(fl4.daddr)) {
		type = RTN_BROADCAST;
		fi = nullptr; // over no gateway
	} else if (ipv4_is_multicast(fl4.daddr)) {
		type = RTN_MULTICAST;
	} else if (ipv4_is_zeronet(fl4.daddr)) {
		return {nullptr, -EINVAL};
	}
	if (dev_out.flags & IFF_LOOPBACK)
		flags |= RTCF_LOCAL;

	bool do_cache = true;
	if (type == RTN_BROADCAST) {
		flags |= RTCF_BROADCAST | RTCF_LOCAL;
	} else if (type == RTN_MULTICAST) {
		flags |= RTCF_MULTICAST | RTCF_LOCAL;
		if (!ip_check_mc_rcu(*in_dev, fl4.daddr, fl4.saddr, fl4.flowi4_proto))
			flags &= ~RTCF_LOCAL;
		else
			do_cache = false;
		// Groups go by the default route for want of their own, but over no gateway.
		if (fi && res.prefixlen < 4)
			fi = nullptr;
	} else if (type == RTN_LOCAL && orig_oif != 0 && orig_oif != dev_out.ifindex) {
		// An address of ours, asked for by a certain device: each such answer stands alone.
		do_cache = false;
	}

	fib_nh_exception *fnhe = nullptr;
	do_cache &= fi != nullptr;
	if (fi) {
		fib_nh_common &nhc = FIB_RES_NHC(res);

		fnhe = find_exception(nhc, fl4.daddr);
		if (do_cache && !fnhe && fl4.flowi4_flags & FLOWI_FLAG_KNOWN_NH &&
		    !(nhc.nhc_gw_family && nhc.nhc_scope == RT_SCOPE_LINK))
			do_cache = false;
		if (do_cache) {
			rtable *rth = fnhe ? fnhe->fnhe_rth_output : rt_pcpu_output(nhc);

			if (rt_cache_valid(rth) && dst_hold_safe(*rth))
				return {rth, 0};
		}
	}

	rtable *rth = rt_dst_alloc(dev_out, flags, type, IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_NOXFRM));
	if (!rth)
		return {nullptr, -ENOBUFS};
	rth->rt_iif = orig_oif;
	++rt_cache_stats->out_slow_tot;
	if (flags & (RTCF_BROADCAST | RTCF_MULTICAST) && flags & RTCF_LOCAL &&
	    !(dev_out.flags & IFF_LOOPBACK)) {
		rth->output = ip_mc_output;
		++rt_cache_stats->out_slow_mc;
	}
	rt_set_nexthop(*rth, fl4.daddr, res, fnhe, fi, do_cache);
	return {rth, 0};
}

rt_or_err ip_route_output_key_hash(net &net, flowi4 &fl4, const sk_buff *skb)
{
	TRACE(skb);
	fib_result res;

	fl4.flowi4_iif = LOOPBACK_IFINDEX;
	ip_rt_fix_tos(fl4);
	rcu_read_lock();
	const rt_or_err rth = ip_route_output_key_hash_rcu(net, fl4, res, skb);
	rcu_read_unlock();
	return rth;
}

rt_or_err ip_route_output_key_hash_rcu(net &net, flowi4 &fl4, fib_result &res, const sk_buff *skb)
{
	TRACE(skb);
	net_device *dev_out = nullptr;
	int orig_oif = fl4.flowi4_oif;
	u32 flags = 0;

	const auto make_route = [&] { return __mkroute_output(res, fl4, orig_oif, *dev_out, flags); };

	if (fl4.saddr) {
		if (ipv4_is_multicast(fl4.saddr) || ipv4_is_lbcast(fl4.saddr) || ipv4_is_zeronet(fl4.saddr))
			return {nullptr, -EINVAL};
		// To a group or to all, from an address of ours: by the device that has it.
		if (fl4.flowi4_oif == 0 && (ipv4_is_multicast(fl4.daddr) || ipv4_is_lbcast(fl4.daddr))) {
			dev_out = __ip_dev_find(net, fl4.saddr, false);
			if (!dev_out)
				return {nullptr, -ENETUNREACH};
			fl4.flowi4_oif = dev_out->ifindex;
			return make_route();
		}
		if (!(fl4.flowi4_flags & FLOWI_FLAG_ANYSRC) && !__ip_dev_find(net, fl4.saddr, false))
			return {nullptr, -ENETUNREACH};
	}

	if (fl4.flowi4_oif) {
		dev_out = dev_get_by_index_rcu(net, fl4.flowi4_oif);
		if (!dev_out)
			return {nullptr, -ENODEV};
		if (!(dev_out->flags & IFF_UP) || !__in_dev_get_rcu(*dev_out))
			return {nullptr, -ENETUNREACH};
		if (ipv4_is_local_multicast(fl4.daddr) || ipv4_is_lbcast(fl4.daddr) ||
		    fl4.flowi4_proto == IPPROTO_IGMP) {
			if (!fl4.saddr)
				fl4.saddr = inet_select_addr(*dev_out, be32{}, RT_SCOPE_LINK);
			return make_route();
		}
		if (!fl4.saddr) {
			if (ipv4_is_multicast(fl4.daddr))
				fl4.saddr = inet_select_addr(*dev_out, be32{}, fl4.flowi4_scope);
			else if (!fl4.daddr)
				fl4.saddr = inet_select_addr(*dev_out, be32{}, RT_SCOPE_HOST);
		}
	}

	if (!fl4.daddr) { // to nobody: to ourselves
		fl4.daddr = fl4.saddr;
		if (!fl4.daddr)
			fl4.daddr = fl4.saddr = htonl(INADDR_LOOPBACK);
		dev_out = net.loopback_dev;
		fl4.flowi4_oif = LOOPBACK_IFINDEX;
		res.type = RTN_LOCAL;
		flags |= RTCF_LOCAL;
		return make_route();
	}

	const int err = fib_lookup(net, fl4, res, 0);
	if (err) {
		res.fi = nullptr;
		res.table = nullptr;
		if (!fl4.flowi4_oif || !(ipv4_is_multicast(fl4.daddr) || !fl4.flowi4_l3mdev))
			return {nullptr, err};
		// A device was named: without a route the destination is taken to be on its link.
		if (!fl4.saddr)
			fl4.saddr = inet_select_addr(*dev_out, be32{}, RT_SCOPE_LINK);
		res.type = RTN_UNICAST;
		return make_route();
	}

	if (res.type == RTN_LOCAL) {
		if (!fl4.saddr)
			fl4.saddr = res.fi->fib_prefsrc ? res.fi->fib_prefsrc : fl4.daddr;
		dev_out = l3mdev_master_dev_rcu(FIB_RES_DEV(res));
		if (!dev_out)
			dev_out = net.loopback_dev;
		// The packet takes lo, but is said to come in by the device that has the address.
		orig_oif = FIB_RES_OIF(res);
		fl4.flowi4_oif = dev_out->ifindex;
		flags |= RTCF_LOCAL;
		return make_route();
	}

	fib_select_path(net, res, fl4, skb);
	dev_out = FIB_RES_DEV(res);
	return make_route();
}

rt_or_err ip_route_output_flow(net &net, flowi4 &flp4, const sock *sk)
{
	TRACE(sk);
	rt_or_err rt = __ip_route_output_key(net, flp4);

	if (!rt.rt)
		return rt;
	if (flp4.flowi4_proto) {
		flp4.flowi4_oif = rt.rt->dev->ifindex;
		dst_entry *dst = xfrm_lookup_route(net, rt.rt, flp4, sk, 0);
		if (!dst)
			return {nullptr, -EPERM};
		rt.rt = &dst_rtable(*dst);
	}
	return rt;
}

// --- include/net/route.h ---

static void flowi4_update_output(flowi4 &fl4, int oif, be32 daddr, be32 saddr)
{
	TRACE_INLINE();
	fl4.flowi4_oif = oif;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
}

rt_or_err __ip_route_output_key(net &net, flowi4 &fl4)
{
	TRACE_INLINE();
	return ip_route_output_key_hash(net, fl4, nullptr);
}

rt_or_err ip_route_output_key(net &net, flowi4 &fl4)
{
	TRACE_INLINE();
	return ip_route_output_flow(net, fl4, nullptr);
}

rt_or_err ip_route_output(net &net, be32 daddr, be32 saddr, u8 tos, int oif)
{
	TRACE_INLINE();
	flowi4 fl4;

	fl4.flowi4_oif = oif;
	fl4.flowi4_tos = tos;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	return ip_route_output_key(net, fl4);
}

rt_or_err ip_route_output_ports(net &net, flowi4 &fl4, sock *sk, be32 daddr, be32 saddr, be16 dport,
                                be16 sport, u8 proto, u8 tos, int oif)
{
	TRACE_INLINE(sk);
	flowi4_init_output(
		fl4, oif, sk ? sk->sk_mark : 0, tos, sk ? ip_sock_rt_scope(*sk) : RT_SCOPE_UNIVERSE, proto,
		sk ? inet_sk_flowi_flags(*sk) : u8{0}, daddr, saddr, dport, sport, sock_net_uid(net, sk));
	if (sk)
		security_sk_classify_flow(*sk, fl4);
	return ip_route_output_flow(net, fl4, sk);
}

void ip_route_connect_init(flowi4 &fl4, be32 dst, be32 src, int oif, u8 protocol, be16 sport, be16 dport,
                           const sock &sk)
{
	TRACE_INLINE(sk);
	const u8 flow_flags = inet_sk(sk).transparent ? FLOWI_FLAG_ANYSRC : u8{0};

	flowi4_init_output(fl4, oif, sk.sk_mark, ip_sock_rt_tos(sk), ip_sock_rt_scope(sk), protocol,
	                   flow_flags, dst, src, dport, sport, sk.sk_uid);
}

// Without an address of ours or theirs, a first lookup finds it out.
rt_or_err ip_route_connect(flowi4 &fl4, be32 dst, be32 src, int oif, u8 protocol, be16 sport, be16 dport,
                           const sock &sk)
{
	TRACE_INLINE(sk);
	net &net = sock_net(sk);

	ip_route_connect_init(fl4, dst, src, oif, protocol, sport, dport, sk);
	if (!dst || !src) {
		const rt_or_err rt = __ip_route_output_key(net, fl4);

		if (!rt.rt)
			return rt;
		ip_rt_put(*rt.rt);
		flowi4_update_output(fl4, oif, fl4.daddr, fl4.saddr);
	}
	security_sk_classify_flow(sk, fl4);
	return ip_route_output_flow(net, fl4, &sk);
}

rt_or_err ip_route_newports(flowi4 &fl4, rtable *rt, be16 orig_sport, be16 orig_dport, be16 sport, be16 dport,
                            const sock &sk)
{
	TRACE_INLINE(sk);
	if (sport == orig_sport && dport == orig_dport)
		return {rt, 0};
	fl4.fl4_dport = dport;
	fl4.fl4_sport = sport;
	ip_rt_put(*rt);
	flowi4_update_output(fl4, sk.sk_bound_dev_if, fl4.daddr, fl4.saddr);
	security_sk_classify_flow(sk, fl4);
	return ip_route_output_flow(sock_net(sk), fl4, &sk);
}

} // namespace skbwalk
