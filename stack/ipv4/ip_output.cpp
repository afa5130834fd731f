// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_output.c, the way of a packet out. A connection's segment comes into __ip_queue_xmit (route
// from the socket or looked up, header), a SYN+ACK into ip_build_and_send_pkt, a datagram from
// ip_output_append.cpp into ip_send_skb; all go on in ip_local_out: length, checksum, LOCAL_OUT. dst_output
// leads to ip_output (ip_mc_output for groups), which has POST_ROUTING and then ip_finish_output; that
// segments or fragments what is longer than the MTU (ip_output_fragment.cpp), and ip_finish_output2 finds the
// neighbour and hands the packet to it. Left out: lightweight tunnels, programs of cgroups.
#include "stack/ipv4/ip_output.h"
#include "stack/core/neighbour.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/netfilter.h"

namespace skbwalk {

void ip_send_check(iphdr &iph)
{
	TRACE();
	iph.check = be16{};
	iph.check = ip_fast_csum(&iph, iph.ihl());
}

int __ip_local_out(net &net, sock *sk, skb_ptr &skb)
{
	TRACE(skb, sk);
	iphdr &iph = ip_hdr(*skb);

	iph.tot_len = htons(static_cast<u16>(skb->len));
	ip_send_check(iph);

	skb = l3mdev_ip_out(sk, std::move(skb));
	if (!skb)
		return 0;
	skb->protocol = htons(ETH_P_IP);
	net_device *dev = skb_dst(*skb)->dev;
	return nf_hook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, net, sk, skb, nullptr, dev, dst_output);
}

int ip_local_out(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	const int err = __ip_local_out(net, sk, skb);

	return err == 1 ? dst_output(net, sk, std::move(skb)) : err;
}

int ip_select_ttl(const inet_sock &inet, const dst_entry &dst)
{
	TRACE(inet);
	return inet.uc_ttl < 0 ? ip4_dst_hoplimit(dst) : inet.uc_ttl;
}

int ip_build_and_send_pkt(skb_ptr skb, const sock &sk, be32 saddr, be32 daddr, ip_options *opt, u8 tos)
{
	TRACE(skb, sk);
	const inet_sock &inet = inet_sk(sk);
	rtable &rt = *skb_rtable(*skb);
	net &net = sock_net(sk);

	skb_push(*skb, static_cast<u32>(sizeof(iphdr) + (opt ? opt->optlen : 0)));
	skb_reset_network_header(*skb);
	iphdr &iph = ip_hdr(*skb);
	iph.ver_ihl = 4 << 4 | 5;
	iph.tos = tos;
	iph.ttl = static_cast<u8>(ip_select_ttl(inet, rt));
	iph.daddr = opt && opt->srr ? opt->faddr : daddr;
	iph.saddr = saddr;
	iph.protocol = sk.sk_protocol;
	// Nobody fragments what is as short as this, so it needs no identifier.
	if (skb->len <= IPV4_MIN_MTU || ip_dont_fragment(sk, rt)) {
		iph.frag_off = htons(IP_DF);
		iph.id = be16{};
	} else {
		iph.frag_off = be16{};
		if (sk.sk_protocol == IPPROTO_TCP)
			iph.id = htons(get_random_u16());
		else
			__ip_select_ident(net, iph, 1);
	}
	if (opt && opt->optlen) {
		iph.ver_ihl = static_cast<u8>(iph.ver_ihl + (opt->optlen >> 2));
		ip_options_build(*skb, *opt, daddr, rt);
	}
	skb->priority = sk.sk_priority;
	if (!skb->mark)
		skb->mark = sk.sk_mark;
	sock *owner = skb->sk;
	return ip_local_out(net, owner, std::move(skb));
}

int ip_finish_output2(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	const bool bh_too = current.host->features.rcu_bh_output;
	rtable &rt = *skb_rtable(*skb);
	net_device &dev = *rt.dev;
	net &net = dev_net(dev);
	const u32 hh_len = LL_RESERVED_SPACE(dev);

	if (rt.rt_type == RTN_MULTICAST)
		IP_UPD_PO_STATS(net, IPSTATS_MIB_OUTMCASTPKTS, IPSTATS_MIB_OUTMCASTOCTETS, skb->len);
	else if (rt.rt_type == RTN_BROADCAST)
		IP_UPD_PO_STATS(net, IPSTATS_MIB_OUTBCASTPKTS, IPSTATS_MIB_OUTBCASTOCTETS, skb->len);
	if (skb_headroom(*skb) < hh_len && dev.header_ops) {
		skb = skb_expand_head(std::move(skb), hh_len);
		if (!skb)
			return -ENOMEM;
	}

	bool is_v6gw = false;
	int res = -EINVAL;
	if (bh_too)
		local_bh_disable();
	rcu_read_lock();
	if (neighbour *neigh = ip_neigh_for_gw(rt, *skb, is_v6gw)) {
		sock_confirm_neigh(*skb, *neigh);
		res = neigh_output(*neigh, std::move(skb), is_v6gw);
	} else {
		kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NEIGH_CREATEFAIL);
	}
	rcu_read_unlock();
	if (bh_too)
		local_bh_enable();
	return res;
}

static int ip_finish_output_gso(net &net, sock *sk, skb_ptr skb, u32 mtu)
{
	TRACE(skb, sk);
	if (skb_gso_validate_network_len(*skb, mtu))
		return ip_finish_output2(net, sk, std::move(skb));

	// Its segments are longer than the MTU: it was put together for another link.
	const netdev_features_t features = netif_skb_features(*skb);
	skb_segs segs = skb_gso_segment(*skb, features & ~NETIF_F_GSO_MASK, true);
	if (!segs.list) {
		kfree_skb(std::move(skb));
		return -ENOMEM;
	}
	consume_skb(std::move(skb));

	int ret = 0;
	for (sk_buff *seg = segs.list, *next; seg; seg = next) {
		next = seg->next;
		seg->next = seg->prev = nullptr;
		const int err = ip_fragment(net, sk, skb_ptr(seg), mtu, ip_finish_output2);

		if (err && !ret)
			ret = err;
	}
	return ret;
}

static int __ip_finish_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	const u32 mtu = ip_skb_dst_mtu(sk, *skb);

	if (skb_is_gso(*skb))
		return ip_finish_output_gso(net, sk, std::move(skb), mtu);
	if (skb->len > mtu || IPCB(*skb).frag_max_size)
		return ip_fragment(net, sk, std::move(skb), mtu, ip_finish_output2);
	return ip_finish_output2(net, sk, std::move(skb));
}

static int ip_finish_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	return __ip_finish_output(net, sk, std::move(skb)); // no program is attached to the socket's cgroup
}

static int ip_mc_finish_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	// So that the receiver sees which device the packet left by: a route on lo that names none.
	if (rtable *new_rt = rt_dst_clone(*net.loopback_dev, *skb_rtable(*skb))) {
		new_rt->rt_iif = 0;
		skb_dst_drop(*skb);
		skb_dst_set(*skb, new_rt);
	}
	return dev_loopback_xmit(net, sk, std::move(skb));
}

namespace {

// A copy for the receivers on this host.
void loop_back(net &net, sock *sk, sk_buff &skb)
{
	skb_ptr newskb = skb_clone(skb, GFP_ATOMIC);

	if (!newskb)
		return;
	net_device *dev = newskb->dev;
	NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, sk, std::move(newskb), nullptr, dev,
	        ip_mc_finish_output);
}

} // namespace

// Unlike the kernel, here and not in net/core/sock.c: it asks the socket's protocol family.
bool sk_mc_loop(const sock *sk)
{
	TRACE(sk);
	if (softnet->xmit_recursion)
		return false;
	return !sk || sk->sk_family != AF_INET || inet_sk(*sk).mc_loop;
}

int ip_mc_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	const rtable &rt = *skb_rtable(*skb);

	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb->len);
	skb->dev = rt.dev;
	skb->protocol = htons(ETH_P_IP);
	if (rt.rt_flags & RTCF_MULTICAST) {
		if (sk_mc_loop(sk) && ((rt.rt_flags & RTCF_LOCAL) || !(IPCB(*skb).flags & IPSKB_FORWARDED)))
			loop_back(net, sk, *skb);
		if (!ip_hdr(*skb).ttl) { // for this host only
			kfree_skb(std::move(skb));
			return 0;
		}
	}
	if (rt.rt_flags & RTCF_BROADCAST)
		loop_back(net, sk, *skb);

	net_device *dev = skb->dev;
	const bool cond = !(IPCB(*skb).flags & IPSKB_REROUTED);
	return NF_HOOK_COND(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, sk, std::move(skb), nullptr, dev,
	                    ip_finish_output, cond);
}

int ip_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	net_device *indev = skb->dev;

	rcu_read_lock();
	net_device *dev = skb_dst(*skb)->dev;
	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb->len);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	const bool cond = !(IPCB(*skb).flags & IPSKB_REROUTED);
	const int ret = NF_HOOK_COND(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, sk, std::move(skb), indev, dev,
	                             ip_finish_output, cond);
	rcu_read_unlock();
	return ret;
}

void ip_copy_addrs(iphdr &iph, const flowi4 &fl4)
{
	TRACE();
	iph.saddr = fl4.saddr;
	iph.daddr = fl4.daddr;
}

namespace {

int no_route(net &net, skb_ptr skb)
{
	rcu_read_unlock();
	IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
	kfree_skb_reason(std::move(skb), SKB_DROP_REASON_IP_OUTNOROUTES);
	return -EHOSTUNREACH;
}

} // namespace

int __ip_queue_xmit(sock &sk, skb_ptr skb, flowi4 &fl4, u8 tos)
{
	TRACE(skb, sk);
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);

	rcu_read_lock();
	const ip_options *inet_opt = inet.inet_opt.get();
	rtable *rt = skb_rtable(*skb);
	if (!rt) {
		rt = static_cast<rtable *>(__sk_dst_check(sk, 0));
		if (!rt) {
			const be32 daddr = inet_opt && inet_opt->srr ? inet_opt->faddr : inet.inet_daddr;
			// When this fails the transport sends again, until there is a route or it gives up.
			rt = ip_route_output_ports(net, fl4, &sk, daddr, inet.inet_saddr, inet.inet_dport,
			                           inet.inet_sport, sk.sk_protocol,
			                           RT_CONN_FLAGS_TOS(sk, tos), sk.sk_bound_dev_if)
			             .rt;
			if (!rt)
				return no_route(net, std::move(skb));
			sk_setup_caps(sk, rt);
		}
		skb_dst_set_noref(*skb, rt);
	}
	if (inet_opt && inet_opt->is_strictroute && rt->rt_uses_gateway)
		return no_route(net, std::move(skb));

	skb_push(*skb, static_cast<u32>(sizeof(iphdr) + (inet_opt ? inet_opt->optlen : 0)));
	skb_reset_network_header(*skb);
	iphdr &iph = ip_hdr(*skb);
	iph.ver_ihl = 4 << 4 | 5;
	iph.tos = tos;
	iph.frag_off = ip_dont_fragment(sk, *rt) && !skb->ignore_df ? htons(IP_DF) : be16{};
	iph.ttl = static_cast<u8>(ip_select_ttl(inet, *rt));
	iph.protocol = sk.sk_protocol;
	ip_copy_addrs(iph, fl4);
	if (inet_opt && inet_opt->optlen) {
		iph.ver_ihl = static_cast<u8>(iph.ver_ihl + (inet_opt->optlen >> 2));
		ip_options_build(*skb, *inet_opt, inet.inet_daddr, *rt);
	}
	const u16 segs = skb_shinfo(*skb).gso_segs;
	ip_select_ident_segs(net, *skb, &sk, segs ? segs : 1);
	skb->priority = sk.sk_priority;
	skb->mark = sk.sk_mark;

	const int res = ip_local_out(net, &sk, std::move(skb));
	rcu_read_unlock();
	return res;
}

int ip_queue_xmit(sock &sk, skb_ptr skb, flowi4 &fl)
{
	TRACE(skb, sk);
	return __ip_queue_xmit(sk, std::move(skb), fl, inet_sk(sk).tos);
}

} // namespace skbwalk
