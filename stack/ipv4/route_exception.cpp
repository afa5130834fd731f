// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/route.c, what is learned about one destination behind a nexthop: a smaller path MTU (ICMP
// fragmentation needed -> ipv4_sk_update_pmtu or ip_rt_update_pmtu) or a better gateway (ICMP redirect ->
// ip_do_redirect). update_or_create_fnhe() writes it down, find_exception() finds it when a route is made or
// judged, and it ends by time.
#include <algorithm>

#include "stack/ipv4/route_private.h"

namespace skbwalk {

namespace {

constexpr u32 ip_rt_gc_timeout = RT_GC_TIMEOUT;

struct exceptions {
	spinlock_t lock; // fnhe_lock
	siphash_key_t hash_key;
	bool keyed = false;
};
const perhost<exceptions> fnhes;

void free_after_grace(fib_nh_exception &fnhe)
{
	call_rcu(fnhe.rcu, [](rcu_head *head) { kfree(&container_of(*head, &fib_nh_exception::rcu)); });
}

void let_go(rtable *&kept)
{
	rtable *rt = std::exchange(kept, nullptr);

	if (rt) {
		dst_dev_put(*rt);
		dst_release(rt);
	}
}

} // namespace

// --- keys ---

static void __build_flow_key(const net &net, flowi4 &fl4, const sock *sk, const iphdr &iph, int oif, u8 tos,
                             u8 prot, u32 mark, u8 flow_flags)
{
	TRACE(sk);
	u8 scope = RT_SCOPE_UNIVERSE;

	if (sk) {
		oif = sk->sk_bound_dev_if;
		mark = sk->sk_mark;
		tos = ip_sock_rt_tos(*sk);
		scope = ip_sock_rt_scope(*sk);
		prot = inet_sk(*sk).hdrincl ? IPPROTO_RAW : static_cast<u8>(sk->sk_protocol);
	}
	flowi4_init_output(fl4, oif, mark, tos & IPTOS_RT_MASK, scope, prot, flow_flags, iph.daddr, iph.saddr,
	                   be16{}, be16{}, sock_net_uid(net, sk));
}

static void build_skb_flow_key(flowi4 &fl4, const sk_buff &skb, const sock *sk)
{
	TRACE(skb, sk);
	const iphdr &iph = ip_hdr(skb);

	__build_flow_key(dev_net(*skb.dev), fl4, sk, iph, skb.dev->ifindex, iph.tos, iph.protocol, skb.mark,
	                 0);
}

static void build_sk_flow_key(flowi4 &fl4, const sock &sk)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);
	be32 daddr = inet.inet_daddr;

	rcu_read_lock();
	if (inet.inet_opt && inet.inet_opt->srr)
		daddr = inet.inet_opt->faddr;
	flowi4_init_output(fl4, sk.sk_bound_dev_if, sk.sk_mark, ip_sock_rt_tos(sk) & IPTOS_RT_MASK,
	                   ip_sock_rt_scope(sk), inet.hdrincl ? IPPROTO_RAW : static_cast<u8>(sk.sk_protocol),
	                   inet_sk_flowi_flags(sk), daddr, inet.inet_saddr, be16{}, be16{}, sk.sk_uid);
	rcu_read_unlock();
}

static void ip_rt_build_flow_key(flowi4 &fl4, const sock *sk, const sk_buff *skb)
{
	TRACE(skb, sk);
	if (skb)
		build_skb_flow_key(fl4, *skb, sk);
	else
		build_sk_flow_key(fl4, *sk);
}

// --- the exceptions of a nexthop ---

static void fnhe_flush_routes(fib_nh_exception &fnhe)
{
	TRACE();
	let_go(fnhe.fnhe_rth_input);
	let_go(fnhe.fnhe_rth_output);
}

static void fnhe_remove_oldest(fnhe_hash_bucket &hash)
{
	TRACE();
	fib_nh_exception **oldest_p = &hash.chain;

	for (fib_nh_exception **fnhe_p = &hash.chain; fib_nh_exception *fnhe = *fnhe_p;
	     fnhe_p = &fnhe->fnhe_next)
		if (time_before(fnhe->fnhe_stamp, (*oldest_p)->fnhe_stamp))
			oldest_p = fnhe_p;
	fib_nh_exception &oldest = **oldest_p;
	oldest.fnhe_daddr = be32{}; // who holds it now binds no route to it any more
	fnhe_flush_routes(oldest);
	*oldest_p = oldest.fnhe_next;
	free_after_grace(oldest);
}

static u32 fnhe_hashfun(be32 daddr)
{
	TRACE();
	if (!fnhes->keyed) {
		get_random_bytes(&fnhes->hash_key, sizeof(fnhes->hash_key));
		fnhes->keyed = true;
	}
	const u64 hval = siphash_1u32(daddr.raw(), fnhes->hash_key);
	return static_cast<u32>((hval * 0x61C8864680B583EBull) >> (64 - FNHE_HASH_SHIFT)); // hash_64
}

static void fill_route_from_fnhe(rtable &rt, const fib_nh_exception &fnhe)
{
	TRACE(rt.dev);
	rt.rt_pmtu = fnhe.fnhe_pmtu & 0x7fffffff;
	rt.rt_mtu_locked = fnhe.fnhe_mtu_locked;
	rt.expires = fnhe.fnhe_expires;
	if (fnhe.fnhe_gw) {
		rt.rt_flags |= RTCF_REDIRECTED;
		rt.rt_uses_gateway = 1;
		rt.rt_gw_family = AF_INET;
		rt.rt_gw4 = fnhe.fnhe_gw;
	}
}

static void update_or_create_fnhe(fib_nh_common &nhc, be32 daddr, be32 gw, u32 pmtu, bool lock, u32 expires)
{
	TRACE(nhc.nhc_dev);
	const u32 genid = dev_net(*nhc.nhc_dev).ipv4.fnhe_genid;
	const u32 hval = fnhe_hashfun(daddr);
	spinlock_t &fnhe_lock = fnhes->lock;

	spin_lock_bh(fnhe_lock);
	if (!nhc.nhc_exceptions) {
		void *p = __kmalloc(FNHE_HASH_SIZE * sizeof(fnhe_hash_bucket), GFP_ATOMIC);
		if (!p) {
			spin_unlock_bh(fnhe_lock);
			return;
		}
		std::memset(p, 0, FNHE_HASH_SIZE * sizeof(fnhe_hash_bucket));
		nhc.nhc_exceptions = static_cast<fnhe_hash_bucket *>(p);
	}
	fnhe_hash_bucket &hash = nhc.nhc_exceptions[hval];

	int depth = 0;
	fib_nh_exception *fnhe = hash.chain;
	for (; fnhe && !(fnhe->fnhe_daddr == daddr); fnhe = fnhe->fnhe_next)
		++depth;

	if (fnhe) {
		fnhe->fnhe_genid = genid;
		if (gw)
			fnhe->fnhe_gw = gw;
		if (pmtu) {
			fnhe->fnhe_pmtu = pmtu;
			fnhe->fnhe_mtu_locked = lock;
		}
		fnhe->fnhe_expires = std::max(1u, expires);
		if (fnhe->fnhe_rth_input)
			fill_route_from_fnhe(*fnhe->fnhe_rth_input, *fnhe);
		if (fnhe->fnhe_rth_output)
			fill_route_from_fnhe(*fnhe->fnhe_rth_output, *fnhe);
	} else {
		// A depth by chance, so that it cannot be told from outside which entries collide.
		const int max_depth =
			FNHE_RECLAIM_DEPTH + static_cast<int>(prandom_u32_max(FNHE_RECLAIM_DEPTH));

		for (; depth > max_depth; --depth)
			fnhe_remove_oldest(hash);
		void *p = kmalloc_trace(sizeof(fib_nh_exception), GFP_ATOMIC);
		if (!p) {
			spin_unlock_bh(fnhe_lock);
			return;
		}
		fnhe = ::new (p) fib_nh_exception{};
		fnhe->fnhe_next = hash.chain;
		fnhe->fnhe_genid = genid;
		fnhe->fnhe_daddr = daddr;
		fnhe->fnhe_gw = gw;
		fnhe->fnhe_pmtu = pmtu;
		fnhe->fnhe_mtu_locked = lock;
		fnhe->fnhe_expires = std::max(1u, expires);
		hash.chain = fnhe;

		// Who uses the nexthop's own routes looks again whether this concerns it.
		if (nhc.nhc_rth_input)
			nhc.nhc_rth_input->obsolete = DST_OBSOLETE_KILL;
		for (std::size_t i = 0; i < current.host->cpus.size(); ++i)
			if (rtable *rt = nhc.nhc_pcpu_rth_output[i])
				rt->obsolete = DST_OBSOLETE_KILL;
	}
	fnhe->fnhe_stamp = jiffies();
	spin_unlock_bh(fnhe_lock);
}

// The first hop's own MTU changed. A larger one lets the path's be found anew where it was the limit.
void fnhe_update_pmtu(fib_nh_exception &fnhe, u32 new_mtu, u32 orig)
{
	TRACE();
	spin_lock_bh(fnhes->lock);
	if (fnhe.fnhe_mtu_locked) {
		if (new_mtu <= fnhe.fnhe_pmtu) {
			fnhe.fnhe_pmtu = new_mtu;
			fnhe.fnhe_mtu_locked = false;
		}
	} else if (new_mtu < fnhe.fnhe_pmtu || orig == fnhe.fnhe_pmtu) {
		fnhe.fnhe_pmtu = new_mtu;
	}
	spin_unlock_bh(fnhes->lock);
}

static void ip_del_fnhe(fib_nh_common &nhc, be32 daddr)
{
	TRACE(nhc.nhc_dev);
	const u32 hval = fnhe_hashfun(daddr);

	spin_lock_bh(fnhes->lock);
	for (fib_nh_exception **fnhe_p = &nhc.nhc_exceptions[hval].chain; fib_nh_exception *fnhe = *fnhe_p;
	     fnhe_p = &fnhe->fnhe_next) {
		if (!(fnhe->fnhe_daddr == daddr))
			continue;
		*fnhe_p = fnhe->fnhe_next;
		fnhe->fnhe_daddr = be32{};
		fnhe_flush_routes(*fnhe);
		free_after_grace(*fnhe);
		break;
	}
	spin_unlock_bh(fnhes->lock);
}

fib_nh_exception *find_exception(fib_nh_common &nhc, be32 daddr)
{
	TRACE(nhc.nhc_dev);
	fnhe_hash_bucket *hash = nhc.nhc_exceptions;

	if (!hash)
		return nullptr;
	for (fib_nh_exception *fnhe = hash[fnhe_hashfun(daddr)].chain; fnhe; fnhe = fnhe->fnhe_next) {
		if (!(fnhe->fnhe_daddr == daddr))
			continue;
		if (fnhe->fnhe_expires && time_after(jiffies(), fnhe->fnhe_expires)) {
			ip_del_fnhe(nhc, daddr);
			break;
		}
		return fnhe;
	}
	return nullptr;
}

// The MTU of a route that is locked, else the path's, else the device's.
u32 ip_mtu_from_fib_result(fib_result &res, be32 daddr)
{
	TRACE();
	fib_nh_common &nhc = *res.nhc;
	const net_device &dev = *nhc.nhc_dev;
	u32 mtu = 0;

	if (dev_net(dev).ipv4.sysctl_ip_fwd_use_pmtu || fib_metric(*res.fi, RTAX_LOCK) & (1u << RTAX_MTU))
		mtu = fib_metric(*res.fi, RTAX_MTU);
	if (!mtu) {
		const fib_nh_exception *fnhe = find_exception(nhc, daddr);
		if (fnhe && !time_after_eq(jiffies(), fnhe->fnhe_expires))
			mtu = fnhe->fnhe_pmtu;
	}
	return mtu ? mtu : std::min(dev.mtu, IP_MAX_MTU);
}

bool rt_bind_exception(rtable &rt, fib_nh_exception &fnhe, be32 daddr, bool do_cache)
{
	TRACE(rt.dev);
	bool ret = false;

	spin_lock_bh(fnhes->lock);
	if (daddr == fnhe.fnhe_daddr) {
		const u32 genid = dev_net(*rt.dev).ipv4.fnhe_genid;
		rtable *&porig = rt_is_input_route(rt) ? fnhe.fnhe_rth_input : fnhe.fnhe_rth_output;

		if (fnhe.fnhe_genid != genid) {
			fnhe.fnhe_genid = genid;
			fnhe.fnhe_gw = be32{};
			fnhe.fnhe_pmtu = 0;
			fnhe.fnhe_expires = 0;
			fnhe.fnhe_mtu_locked = false;
			fnhe_flush_routes(fnhe);
		}
		fill_route_from_fnhe(rt, fnhe);
		if (!rt.rt_gw4) {
			rt.rt_gw4 = daddr;
			rt.rt_gw_family = AF_INET;
		}
		if (do_cache) {
			dst_hold(rt);
			let_go(porig);
			porig = &rt;
			ret = true;
		}
		fnhe.fnhe_stamp = jiffies();
	}
	spin_unlock_bh(fnhes->lock);
	return ret;
}

// --- redirects ---

static void __ip_do_redirect(rtable &rt, sk_buff &skb, flowi4 &fl4, bool kill_route)
{
	TRACE(skb);
	const be32 new_gw = icmp_hdr(skb).un.gateway, old_gw = ip_hdr(skb).saddr;
	net_device &dev = *skb.dev;
	net &net = dev_net(dev);

	if ((icmp_hdr(skb).code & 7) > ICMP_REDIR_HOSTTOS)
		return;
	if (rt.rt_gw_family != AF_INET || !(rt.rt_gw4 == old_gw))
		return;
	const in_device *in_dev = __in_dev_get_rcu(dev);
	if (!in_dev)
		return;
	if (new_gw == old_gw || !IN_DEV_RX_REDIRECTS(*in_dev) || ipv4_is_multicast(new_gw) ||
	    ipv4_is_lbcast(new_gw) || ipv4_is_zeronet(new_gw))
		return;
	if (!IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_SHARED_MEDIA)) {
		if (!inet_addr_onlink(*in_dev, new_gw, old_gw))
			return;
		if (IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_SECURE_REDIRECTS) &&
		    ip_fib_check_default(new_gw, dev))
			return;
	} else if (inet_addr_type(net, new_gw) != RTN_UNICAST) {
		return;
	}

	neighbour *n = __ipv4_neigh_lookup(*rt.dev, new_gw);
	if (!n)
		n = neigh_create(arp_tbl(), new_gw, *rt.dev);
	if (!n)
		return;
	if (!(n->nud_state & NUD_VALID)) {
		neigh_event_send(*n, nullptr);
	} else {
		fib_result res;

		if (fib_lookup(net, fl4, res, 0) == 0) {
			fib_select_path(net, res, fl4, &skb);
			update_or_create_fnhe(FIB_RES_NHC(res), fl4.daddr, new_gw, 0, false,
			                      jiffies() + ip_rt_gc_timeout);
		}
		if (kill_route)
			rt.obsolete = DST_OBSOLETE_KILL;
	}
	neigh_release(*n);
}

void ip_do_redirect(dst_entry &dst, sock *sk, sk_buff &skb)
{
	TRACE(skb, sk);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	flowi4 fl4;

	__build_flow_key(dev_net(*skb.dev), fl4, sk, iph, skb.dev->ifindex, iph.tos, iph.protocol, skb.mark,
	                 0);
	__ip_do_redirect(dst_rtable(dst), skb, fl4, true);
}

void ipv4_negative_advice(sock &sk, dst_entry &dst)
{
	TRACE(sk);
	if (dst.obsolete > 0 || (dst_rtable(dst).rt_flags & RTCF_REDIRECTED) || dst.expires)
		sk_dst_reset(sk);
}

void ipv4_redirect(sk_buff &skb, net &net, int oif, u8 protocol)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	flowi4 fl4;

	__build_flow_key(net, fl4, nullptr, iph, oif, iph.tos, protocol, 0, 0);
	if (const auto [rt, err] = __ip_route_output_key(net, fl4); rt) {
		__ip_do_redirect(*rt, skb, fl4, false);
		ip_rt_put(*rt);
	}
}

void ipv4_sk_redirect(sk_buff &skb, sock &sk)
{
	TRACE(skb, sk);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	net &net = sock_net(sk);
	flowi4 fl4;

	__build_flow_key(net, fl4, &sk, iph, 0, 0, 0, 0, 0);
	if (const auto [rt, err] = __ip_route_output_key(net, fl4); rt) {
		__ip_do_redirect(*rt, skb, fl4, false);
		ip_rt_put(*rt);
	}
}

// --- path MTU ---

static void __ip_rt_update_pmtu(rtable &rt, flowi4 &fl4, u32 mtu)
{
	TRACE(rt.dev);
	bool lock = false;

	if (ip_mtu_locked(rt))
		return;
	const u32 old_mtu = ipv4_mtu(rt);
	if (old_mtu < mtu)
		return;

	rcu_read_lock();
	net &net = dev_net(*rt.dev);
	const u32 lasts = net.ipv4.ip_rt_mtu_expires;
	if (mtu < net.ipv4.ip_rt_min_pmtu) {
		lock = true;
		mtu = std::min(old_mtu, net.ipv4.ip_rt_min_pmtu);
	}
	fib_result res;
	const bool known = rt.rt_pmtu == mtu && !lock && time_before(jiffies(), rt.expires - lasts / 2);
	if (!known && fib_lookup(net, fl4, res, 0) == 0) {
		fib_select_path(net, res, fl4, nullptr);
		if (fib_info_num_path(*res.fi) > 1) {
			for (int nhsel = 0; nhsel < fib_info_num_path(*res.fi); ++nhsel)
				update_or_create_fnhe(fib_info_nhc(*res.fi, nhsel), fl4.daddr, be32{}, mtu,
				                      lock, jiffies() + lasts);
		} else {
			update_or_create_fnhe(FIB_RES_NHC(res), fl4.daddr, be32{}, mtu, lock,
			                      jiffies() + lasts);
		}
	}
	rcu_read_unlock();
}

void ip_rt_update_pmtu(dst_entry &dst, sock *sk, sk_buff *skb, u32 mtu, bool)
{
	TRACE(skb, sk);
	flowi4 fl4;

	ip_rt_build_flow_key(fl4, sk, skb);
	if (skb && skb->dev->priv_flags & IFF_BRIDGE_PORT)
		fl4.flowi4_oif = 0;
	__ip_rt_update_pmtu(dst_rtable(dst), fl4, mtu);
}

void ipv4_update_pmtu(sk_buff &skb, net &net, u32 mtu, int oif, u8 protocol)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	flowi4 fl4;

	__build_flow_key(net, fl4, nullptr, iph, oif, iph.tos, protocol, IP4_REPLY_MARK(net, skb.mark), 0);
	if (const auto [rt, err] = __ip_route_output_key(net, fl4); rt) {
		__ip_rt_update_pmtu(*rt, fl4, mtu);
		ip_rt_put(*rt);
	}
}

static void __ipv4_sk_update_pmtu(sk_buff &skb, sock &sk, u32 mtu)
{
	TRACE(skb, sk);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	net &net = sock_net(sk);
	flowi4 fl4;

	__build_flow_key(net, fl4, &sk, iph, 0, 0, 0, 0, 0);
	if (!fl4.flowi4_mark)
		fl4.flowi4_mark = IP4_REPLY_MARK(net, skb.mark);
	if (const auto [rt, err] = __ip_route_output_key(net, fl4); rt) {
		__ip_rt_update_pmtu(*rt, fl4, mtu);
		ip_rt_put(*rt);
	}
}

void ipv4_sk_update_pmtu(sk_buff &skb, sock &sk, u32 mtu)
{
	TRACE(skb, sk);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	net &net = sock_net(sk);
	dst_entry *odst = nullptr;

	bh_lock_sock(sk);
	const auto out = [&] {
		bh_unlock_sock(sk);
		dst_release(odst);
	};

	if (!ip_sk_accept_pmtu(sk))
		return out();
	odst = sk_dst_get(sk);
	if (sock_owned_by_user(sk) || !odst) {
		__ipv4_sk_update_pmtu(skb, sk, mtu);
		return out();
	}

	flowi4 fl4;
	rtable *rt = &dst_rtable(*odst);
	bool is_new = false;

	__build_flow_key(net, fl4, &sk, iph, 0, 0, 0, 0, 0);
	if (odst->obsolete && !odst->ops->check(*odst, 0)) {
		rt = ip_route_output_flow(net, fl4, &sk).rt;
		if (!rt)
			return out();
		is_new = true;
	}
	__ip_rt_update_pmtu(*rt, fl4, mtu);
	if (!dst_check(*rt, 0)) {
		if (is_new)
			dst_release(rt);
		rt = ip_route_output_flow(net, fl4, &sk).rt;
		if (!rt)
			return out();
		is_new = true;
	}
	if (is_new)
		sk_dst_set(sk, rt);
	out();
}

} // namespace skbwalk
