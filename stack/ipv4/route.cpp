// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/route.c, the route as a dst: made by rt_dst_alloc(), kept by a nexthop (rt_cache_route) or on the
// list of those that no nexthop keeps, asked for validity (ipv4_dst_check: has the namespace's generation
// passed?), MTU, MSS and neighbour, and let go of when its device goes. Here too: identifiers of datagrams,
// and the limits of redirects and of errors for what cannot be routed. How routes are found is in
// route_output.cpp and route_input.cpp, what is learned about one destination in route_exception.cpp. Left
// out: light-weight tunnels, class ids, netlink's getroute, /proc.
#include <algorithm>

#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route_private.h"

namespace skbwalk {

struct uncached_list {
	spinlock_t lock;
	list_head head;
	list_head quarantine; // their device is gone
};

namespace {

constexpr u32 IP_IDENTS = 2048;
constexpr u32 ip_rt_redirect_number = 9, ip_rt_redirect_load = HZ / 50,
	      ip_rt_redirect_silence = (HZ / 50) << (9 + 1), ip_rt_error_cost = HZ,
	      ip_rt_error_burst = 5 * HZ;
constexpr u32 IPV4_MAX_PMTU = 65535;

struct route_globals {
	kmem_cache *ip_dst_cache = nullptr;
	std::vector<u32> ip_idents;
	std::vector<u32> ip_tstamps;
};
const perhost<route_globals> globals;
const percpu<uncached_list> rt_uncached_list;

} // namespace

const percpu<rt_cache_stat> rt_cache_stats;

static u32 ipv4_default_advmss(const dst_entry &dst);
static void ipv4_dst_destroy(dst_entry &dst);
static void ipv4_link_failure(sk_buff &skb);
static neighbour *ipv4_neigh_lookup(const dst_entry &dst, sk_buff *skb, const void *daddr);
static void ipv4_confirm_neigh(const dst_entry &dst, const void *daddr);

const dst_ops ipv4_dst_ops{
	.family = AF_INET,
	.check = ipv4_dst_check,
	.default_advmss = ipv4_default_advmss,
	.mtu = ipv4_mtu,
	.destroy = ipv4_dst_destroy,
	.negative_advice = ipv4_negative_advice,
	.link_failure = ipv4_link_failure,
	.update_pmtu = ip_rt_update_pmtu,
	.redirect = ip_do_redirect,
	.neigh_lookup = ipv4_neigh_lookup,
	.confirm_neigh = ipv4_confirm_neigh,
	.kmem_cachep = []() -> kmem_cache & { return *globals->ip_dst_cache; },
	.construct = [](void *memory) -> dst_entry * { return ::new (memory) rtable; },
};

// --- validity ---

static bool rt_is_expired(const rtable &rth)
{
	TRACE(rth.dev);
	rcu_read_lock();
	const bool res = rth.rt_genid != dev_net(*rth.dev).ipv4.rt_genid;
	rcu_read_unlock();
	return res;
}

void rt_genid_bump_ipv4(net &net)
{
	TRACE_INLINE();
	++net.ipv4.rt_genid;
}

void rt_cache_flush(net &net)
{
	TRACE();
	rt_genid_bump_ipv4(net);
}

void ip_rt_multicast_event(in_device &in_dev)
{
	TRACE(in_dev.dev);
	rt_cache_flush(dev_net(*in_dev.dev));
}

// Every IPv4 route is made so that each use comes here.
dst_entry *ipv4_dst_check(dst_entry &dst, u32)
{
	TRACE(dst.dev);
	return dst.obsolete != DST_OBSOLETE_FORCE_CHK || rt_is_expired(dst_rtable(dst)) ? nullptr : &dst;
}

bool rt_cache_valid(const rtable *rt)
{
	TRACE();
	return rt && rt->obsolete == DST_OBSOLETE_FORCE_CHK && !rt_is_expired(*rt);
}

// --- what a dst is asked ---

static neighbour *ipv4_neigh_lookup(const dst_entry &dst, sk_buff *skb, const void *daddr)
{
	TRACE(skb, dst.dev);
	const rtable &rt = dst_rtable(dst);
	be32 pkey;

	rcu_read_lock();
	if (rt.rt_gw_family == AF_INET)
		pkey = rt.rt_gw4;
	else if (skb)
		pkey = ip_hdr(*skb).daddr;
	else
		std::memcpy(&pkey, daddr, sizeof(pkey));
	neighbour *n = ip_neigh_gw4(*dst.dev, pkey);
	if (n && !refcount_inc_not_zero(n->refcnt))
		n = nullptr;
	rcu_read_unlock();
	return n;
}

static void ipv4_confirm_neigh(const dst_entry &dst, const void *daddr)
{
	TRACE(dst.dev);
	const rtable &rt = dst_rtable(dst);
	be32 pkey;

	if (rt.rt_gw_family == AF_INET)
		pkey = rt.rt_gw4;
	else if (!daddr || (rt.rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST | RTCF_LOCAL)))
		return;
	else
		std::memcpy(&pkey, daddr, sizeof(pkey));
	__ipv4_confirm_neigh(*dst.dev, pkey);
}

static u32 ipv4_default_advmss(const dst_entry &dst)
{
	TRACE(dst.dev);
	constexpr u32 header_size = sizeof(tcphdr) + sizeof(iphdr);

	rcu_read_lock();
	const u32 advmss = std::max(ipv4_mtu(dst) - header_size, dev_net(*dst.dev).ipv4.ip_rt_min_advmss);
	rcu_read_unlock();
	return std::min(advmss, IPV4_MAX_PMTU - header_size);
}

u32 ipv4_mtu(const dst_entry &dst)
{
	TRACE(dst.dev);
	return current.host->features.mtu_by_dst_ops ? mtu_of_route(dst, true)
	                                             : ip_dst_mtu_maybe_forward(dst, false);
}

int ip4_dst_hoplimit(const dst_entry &dst)
{
	TRACE_INLINE(dst.dev);
	const u32 hoplimit = dst_metric_raw(dst, RTAX_HOPLIMIT);

	return hoplimit ? static_cast<int>(hoplimit) : dev_net(*dst.dev).ipv4.sysctl_ip_default_ttl;
}

static void ipv4_send_dest_unreach(sk_buff &skb)
{
	TRACE(skb);
	ip_options_info opt{};

	// IPCB may be another's by now: the options are read again.
	if (!pskb_may_pull(skb,
	                   static_cast<u32>(skb_network_offset(skb)) + static_cast<u32>(sizeof(iphdr))) ||
	    ip_hdr(skb).version() != 4 || ip_hdr(skb).ihl() < 5)
		return;
	if (ip_hdr(skb).ihl() > 5) {
		if (!pskb_may_pull(skb, static_cast<u32>(skb_network_offset(skb)) + ip_hdr(skb).ihl() * 4))
			return;
		opt.optlen = static_cast<u8>(ip_hdr(skb).ihl() * 4 - sizeof(iphdr));
		rcu_read_lock();
		const net_device &dev = skb.dev ? *skb.dev : *skb_rtable(skb)->dev;
		const int res = __ip_options_compile(dev_net(dev), opt, &skb, nullptr);
		rcu_read_unlock();
		if (res)
			return;
	}
	__icmp_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, be32{}, opt);
}

static void ipv4_link_failure(sk_buff &skb)
{
	TRACE(skb);
	ipv4_send_dest_unreach(skb);
	if (rtable *rt = skb_rtable(skb))
		dst_set_expires(*rt, 0);
}

// A packet that came in is asked to go out by the route that it came in by.
int ip_rt_bug(net &, sock *, skb_ptr skb)
{
	TRACE(skb);
	kfree_skb(std::move(skb));
	return 0;
}

// The address of ours that a packet leaves by, for options that record it.
void ip_rt_get_source(u8 *addr, sk_buff &skb, rtable &rt)
{
	TRACE(skb);
	be32 src;

	if (rt_is_output_route(rt)) {
		src = ip_hdr(skb).saddr;
	} else {
		const iphdr &iph = ip_hdr(skb);
		net &net = dev_net(*rt.dev);
		fib_result res;
		flowi4 fl4;

		fl4.daddr = iph.daddr;
		fl4.saddr = iph.saddr;
		fl4.flowi4_tos = iph.tos & IPTOS_RT_MASK;
		fl4.flowi4_oif = rt.dev->ifindex;
		fl4.flowi4_iif = skb.dev->ifindex;
		fl4.flowi4_mark = skb.mark;
		rcu_read_lock();
		if (fib_lookup(net, fl4, res, 0) == 0)
			src = fib_result_prefsrc(net, res);
		else
			src = inet_select_addr(*rt.dev, rt_nexthop(rt, iph.daddr), RT_SCOPE_UNIVERSE);
		rcu_read_unlock();
	}
	std::memcpy(addr, &src, 4);
}

// --- identifiers ---

// A generator that was not used for a while jumps ahead, so that nobody can count what went in between.
static u32 ip_idents_reserve(u32 hash, int segs)
{
	TRACE();
	const u32 bucket = hash & (IP_IDENTS - 1), now = jiffies();
	u32 &p_tstamp = globals->ip_tstamps[bucket], &p_id = globals->ip_idents[bucket];
	const u32 old = p_tstamp;
	u32 delta = 0;

	if (old != now) {
		p_tstamp = now;
		delta = prandom_u32_max(now - old);
	}
	p_id += static_cast<u32>(segs) + delta;
	return p_id - static_cast<u32>(segs);
}

void __ip_select_ident(net &net, iphdr &iph, int segs)
{
	TRACE();
	auto &key = net.ipv4.ip_id_key;

	if (!key[0] && !key[1])
		get_random_bytes(key.data(), sizeof(key));
	const u64 hash =
		siphash_3u32(iph.daddr.raw(), iph.saddr.raw(), iph.protocol, siphash_key_t{{key[0], key[1]}});
	iph.id = htons(static_cast<u16>(ip_idents_reserve(static_cast<u32>(hash), segs)));
}

// --- limits of what is told to senders ---

// The first redirects go out at growing distances; who does not listen gets no more until it was silent for
// long.
void ip_rt_send_redirect(sk_buff &skb)
{
	TRACE(skb);
	rtable &rt = *skb_rtable(skb);

	rcu_read_lock();
	const in_device *in_dev = __in_dev_get_rcu(*rt.dev);
	if (!in_dev || !IN_DEV_TX_REDIRECTS(*in_dev)) {
		rcu_read_unlock();
		return;
	}
	const int vif = l3mdev_master_ifindex_rcu(rt.dev);
	inet_peer *peer = inet_getpeer_v4(*dev_net(*rt.dev).ipv4.peers, ip_hdr(skb).saddr, vif);
	if (!peer) {
		rcu_read_unlock();
		return;
	}
	const u32 now = jiffies();
	if (time_after(now, peer->rate_last + ip_rt_redirect_silence)) {
		peer->rate_tokens = 0;
		peer->n_redirects = 0;
	}
	if (peer->n_redirects >= ip_rt_redirect_number) {
		peer->rate_last = now;
	} else if (peer->n_redirects == 0 ||
	           time_after(now, peer->rate_last + (ip_rt_redirect_load << peer->n_redirects))) {
		icmp_send(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, rt_nexthop(rt, ip_hdr(skb).daddr));
		peer->rate_last = now;
		++peer->n_redirects;
	}
	rcu_read_unlock();
}

// The input function of a route that leads nowhere.
int ip_error(skb_ptr skb)
{
	TRACE(skb);
	const rtable &rt = *skb_rtable(*skb);
	net &net = dev_net(*rt.dev);
	net_device *dev = skb->dev;
	skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;

	const auto out = [&] {
		kfree_skb_reason(std::move(skb), reason);
		return 0;
	};

	if (netif_is_l3_master(*dev))
		dev = __dev_get_by_index(dev_net(*dev), IPCB(*skb).iif);
	const in_device *in_dev = dev ? __in_dev_get_rcu(*dev) : nullptr;
	if (!in_dev)
		return out();

	if (!IN_DEV_FORWARD(*in_dev)) {
		if (rt.error == EHOSTUNREACH) {
			reason = SKB_DROP_REASON_IP_INADDRERRORS;
			__IP_INC_STATS(net, IPSTATS_MIB_INADDRERRORS);
		} else if (rt.error == ENETUNREACH) {
			reason = SKB_DROP_REASON_IP_INNOROUTES;
			__IP_INC_STATS(net, IPSTATS_MIB_INNOROUTES);
		}
		return out();
	}

	int code;
	switch (rt.error) {
	case EHOSTUNREACH:
		code = ICMP_HOST_UNREACH;
		break;
	case ENETUNREACH:
		code = ICMP_NET_UNREACH;
		reason = SKB_DROP_REASON_IP_INNOROUTES;
		__IP_INC_STATS(net, IPSTATS_MIB_INNOROUTES);
		break;
	case EACCES:
		code = ICMP_PKT_FILTERED;
		break;
	default:
		return out();
	}

	bool send = true;
	rcu_read_lock();
	if (inet_peer *peer = inet_getpeer_v4(*net.ipv4.peers, ip_hdr(*skb).saddr,
	                                      l3mdev_master_ifindex_rcu(skb->dev))) {
		const u32 now = jiffies();

		peer->rate_tokens = std::min(peer->rate_tokens + (now - peer->rate_last), ip_rt_error_burst);
		peer->rate_last = now;
		if (peer->rate_tokens >= ip_rt_error_cost)
			peer->rate_tokens -= ip_rt_error_cost;
		else
			send = false;
	}
	rcu_read_unlock();
	if (send)
		icmp_send(*skb, ICMP_DEST_UNREACH, code, be32{});
	return out();
}

// --- making, keeping, ending ---

rtable *rt_dst_alloc(net_device &dev, u32 flags, u16 type, bool noxfrm)
{
	TRACE(dev);
	dst_entry *dst =
		dst_alloc(ipv4_dst_ops, &dev, 1, DST_OBSOLETE_FORCE_CHK, noxfrm ? DST_NOXFRM : u16{0});

	if (!dst)
		return nullptr;
	rtable &rt = dst_rtable(*dst);
	rt.rt_genid = dev_net(dev).ipv4.rt_genid;
	rt.rt_flags = flags;
	rt.rt_type = type;
	rt.output = ip_output;
	if (flags & RTCF_LOCAL)
		rt.input = ip_local_deliver;
	return &rt;
}

// A copy that leaves by another device; null when there is no memory.
rtable *rt_dst_clone(net_device &dev, rtable &rt)
{
	TRACE(dev);
	dst_entry *dst = dst_alloc(ipv4_dst_ops, &dev, 1, DST_OBSOLETE_FORCE_CHK, rt.flags);

	if (!dst)
		return nullptr;
	rtable &new_rt = dst_rtable(*dst);
	new_rt.rt_genid = dev_net(dev).ipv4.rt_genid;
	new_rt.rt_flags = rt.rt_flags;
	new_rt.rt_type = rt.rt_type;
	new_rt.rt_is_input = rt.rt_is_input;
	new_rt.rt_iif = rt.rt_iif;
	new_rt.rt_pmtu = rt.rt_pmtu;
	new_rt.rt_mtu_locked = rt.rt_mtu_locked;
	new_rt.rt_gw_family = rt.rt_gw_family;
	new_rt.rt_gw4 = rt.rt_gw4;
	new_rt.input = rt.input;
	new_rt.output = rt.output;
	new_rt.error = rt.error;
	new_rt.lastuse = jiffies();
	return &new_rt;
}

void rt_add_uncached_list(rtable &rt)
{
	TRACE(rt.dev);
	uncached_list &ul = *rt_uncached_list;

	rt.rt_uncached_list = &ul;
	spin_lock_bh(ul.lock);
	list_add_tail(rt.rt_uncached, ul.head);
	spin_unlock_bh(ul.lock);
}

void rt_del_uncached_list(rtable &rt)
{
	TRACE(rt.dev);
	uncached_list *ul = rt.rt_uncached_list;

	if (!ul)
		return;
	spin_lock_bh(ul->lock);
	list_del_init(rt.rt_uncached);
	spin_unlock_bh(ul->lock);
}

static void ip_dst_init_metrics(rtable &rt, dst_metrics *fib_metrics)
{
	TRACE_INLINE(rt.dev);
	if (!fib_metrics)
		return;
	rt._metrics = fib_metrics->metrics.data();
	rt.fib_metrics = fib_metrics;
	refcount_inc(fib_metrics->refcnt);
}

static void ip_dst_metrics_put(rtable &rt)
{
	TRACE_INLINE(rt.dev);
	ip_fib_metrics_put(rt.fib_metrics);
}

static void ipv4_dst_destroy(dst_entry &dst)
{
	TRACE(dst.dev);
	rtable &rt = dst_rtable(dst);

	ip_dst_metrics_put(rt);
	rt_del_uncached_list(rt);
}

void rt_flush_dev(net_device &dev)
{
	TRACE(dev);
	for (const auto &cpu : current.host->cpus) {
		uncached_list &ul = rt_uncached_list.of(*cpu);

		if (list_empty(ul.head))
			continue;
		spin_lock_bh(ul.lock);
		for (list_head *p = ul.head.next, *next; p != &ul.head; p = next) {
			rtable &rt = list_entry(*p, &rtable::rt_uncached);

			next = p->next;
			if (rt.dev != &dev)
				continue;
			rt.dev = &blackhole_netdev();
			dev_hold(*rt.dev);
			dev_put(&dev);
			list_move_tail(rt.rt_uncached, ul.quarantine);
		}
		spin_unlock_bh(ul.lock);
	}
}

// The nexthop keeps the route and gives up what it kept before.
bool rt_cache_route(fib_nh_common &nhc, rtable &rt)
{
	TRACE(rt.dev);
	rtable *&p = rt_is_input_route(rt) ? nhc.nhc_rth_input : rt_pcpu_output(nhc);
	rtable *orig = p;

	dst_hold(rt);
	p = &rt;
	if (orig) {
		rt_add_uncached_list(*orig);
		dst_release(orig);
	}
	return true;
}

void rt_set_nexthop(rtable &rt, be32 daddr, const fib_result &res, fib_nh_exception *fnhe, fib_info *fi,
                    bool do_cache)
{
	TRACE(rt.dev);
	bool cached = false;

	if (!fi) {
		rt_add_uncached_list(rt);
		return;
	}
	fib_nh_common &nhc = FIB_RES_NHC(res);
	if (nhc.nhc_gw_family && nhc.nhc_scope == RT_SCOPE_LINK) {
		rt.rt_uses_gateway = 1;
		rt.rt_gw_family = static_cast<u8>(nhc.nhc_gw_family);
		rt.rt_gw4 = nhc.nhc_gw4;
	}
	ip_dst_init_metrics(rt, fi->fib_metrics);
	if (fnhe)
		cached = rt_bind_exception(rt, *fnhe, daddr, do_cache);
	else if (do_cache)
		cached = rt_cache_route(nhc, rt);
	if (!cached) {
		// A route of its own for one destination.
		if (!rt.rt_gw4) {
			rt.rt_gw_family = AF_INET;
			rt.rt_gw4 = daddr;
		}
		rt_add_uncached_list(rt);
	}
}

static int rt_genid_init(net &net)
{
	TRACE();
	net.ipv4.rt_genid = 0;
	net.ipv4.fnhe_genid = 0;
	net.ipv4.dev_addr_genid = get_random_u32();
	return 0;
}

void ip_rt_init()
{
	TRACE();
	static constexpr pernet_operations rt_genid_ops{"rt_genid", rt_genid_init, nullptr};
	route_globals &g = *globals;

	g.ip_idents.resize(IP_IDENTS);
	g.ip_tstamps.resize(IP_IDENTS);
	get_random_bytes(g.ip_idents.data(), IP_IDENTS * sizeof(u32));
	g.ip_dst_cache = &kmem_cache_create("ip_dst_cache", sizeof(rtable), 64);
	// The generation before what counts by it.
	register_pernet_subsys(rt_genid_ops);
	devinet_init();
	ip_fib_init();
}

} // namespace skbwalk
