// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_nat_proto.c: changes a packet's addresses, ports and checksums, those of a packet inside
// an ICMP error too; NAT's four hooks for IPv4. A packet of our own that is for someone else now gets another
// route.
#include "stack/core/netdevice.h"
#include "stack/core/utils.h"
#include "stack/core/xfrm.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/netfilter.h"
#include "stack/netfilter/nf_nat.h"
#include "stack/netfilter/utils.h"

namespace skbwalk {

static void nf_nat_ipv4_csum_update(sk_buff &skb, u32 iphdroff, be16 &check, const nf_conntrack_tuple &t,
                                    nf_nat_manip_type maniptype)
{
	TRACE(skb);
	const auto &iph = *reinterpret_cast<const iphdr *>(skb.data + iphdroff);
	const bool src = maniptype == NF_NAT_MANIP_SRC;

	inet_proto_csum_replace4(check, skb, src ? iph.saddr : iph.daddr, src ? t.src.u3 : t.dst.u3, true);
}

static void nf_csum_update(sk_buff &skb, u32 iphdroff, be16 &check, const nf_conntrack_tuple &t,
                           nf_nat_manip_type maniptype)
{
	TRACE(skb);
	if (t.src.l3num == NFPROTO_IPV4)
		nf_nat_ipv4_csum_update(skb, iphdroff, check, t, maniptype);
}

static void __udp_manip_pkt(sk_buff &skb, u32 iphdroff, udphdr &hdr, const nf_conntrack_tuple &tuple,
                            nf_nat_manip_type maniptype, bool do_csum)
{
	TRACE(skb);
	const bool src = maniptype == NF_NAT_MANIP_SRC;
	be16 &port = src ? hdr.source : hdr.dest;
	const be16 newport = src ? tuple.src.u : tuple.dst.u;

	if (do_csum) {
		nf_csum_update(skb, iphdroff, hdr.check, tuple, maniptype);
		inet_proto_csum_replace2(hdr.check, skb, port, newport, false);
		if (!hdr.check)
			hdr.check = CSUM_MANGLED_0;
	}
	port = newport;
}

static bool udp_manip_pkt(sk_buff &skb, u32 iphdroff, u32 hdroff, const nf_conntrack_tuple &tuple,
                          nf_nat_manip_type maniptype)
{
	TRACE(skb);
	if (skb_ensure_writable(skb, hdroff + static_cast<u32>(sizeof(udphdr))))
		return false;
	auto &hdr = *reinterpret_cast<udphdr *>(skb.data + hdroff);

	__udp_manip_pkt(skb, iphdroff, hdr, tuple, maniptype, static_cast<bool>(hdr.check));
	return true;
}

static bool tcp_manip_pkt(sk_buff &skb, u32 iphdroff, u32 hdroff, const nf_conntrack_tuple &tuple,
                          nf_nat_manip_type maniptype)
{
	TRACE(skb);
	// Inside an ICMP error there may be no more than the ports.
	const bool whole = skb.len >= hdroff + sizeof(tcphdr);
	const bool src = maniptype == NF_NAT_MANIP_SRC;

	if (skb_ensure_writable(skb, hdroff + (whole ? static_cast<u32>(sizeof(tcphdr)) : 8u)))
		return false;
	auto &hdr = *reinterpret_cast<tcphdr *>(skb.data + hdroff);
	be16 &port = src ? hdr.source : hdr.dest;
	const be16 oldport = port, newport = src ? tuple.src.u : tuple.dst.u;

	port = newport;
	if (!whole)
		return true;
	nf_csum_update(skb, iphdroff, hdr.check, tuple, maniptype);
	inet_proto_csum_replace2(hdr.check, skb, oldport, newport, false);
	return true;
}

static bool icmp_manip_pkt(sk_buff &skb, u32, u32 hdroff, const nf_conntrack_tuple &tuple, nf_nat_manip_type)
{
	TRACE(skb);
	if (skb_ensure_writable(skb, hdroff + static_cast<u32>(sizeof(icmphdr))))
		return false;
	auto &hdr = *reinterpret_cast<icmphdr *>(skb.data + hdroff);

	switch (hdr.type) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REQUEST:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESS:
	case ICMP_ADDRESSREPLY:
		break;
	default:
		return true;
	}
	inet_proto_csum_replace2(hdr.checksum, skb, hdr.un.echo.id, tuple.src.u, false);
	hdr.un.echo.id = tuple.src.u;
	return true;
}

static bool l4proto_manip_pkt(sk_buff &skb, u32 iphdroff, u32 hdroff, const nf_conntrack_tuple &tuple,
                              nf_nat_manip_type maniptype)
{
	TRACE(skb);
	switch (tuple.dst.protonum) {
	case IPPROTO_TCP:
		return tcp_manip_pkt(skb, iphdroff, hdroff, tuple, maniptype);
	case IPPROTO_UDP:
		return udp_manip_pkt(skb, iphdroff, hdroff, tuple, maniptype);
	case IPPROTO_ICMP:
		return icmp_manip_pkt(skb, iphdroff, hdroff, tuple, maniptype);
	}
	return true; // as it is
}

static bool nf_nat_ipv4_manip_pkt(sk_buff &skb, u32 iphdroff, const nf_conntrack_tuple &target,
                                  nf_nat_manip_type maniptype)
{
	TRACE(skb);
	if (skb_ensure_writable(skb, iphdroff + static_cast<u32>(sizeof(iphdr))))
		return false;
	const u32 hdroff = iphdroff + reinterpret_cast<const iphdr *>(skb.data + iphdroff)->ihl() * 4;

	if (!l4proto_manip_pkt(skb, iphdroff, hdroff, target, maniptype))
		return false;
	auto &iph = *reinterpret_cast<iphdr *>(skb.data + iphdroff);
	be32 &addr = maniptype == NF_NAT_MANIP_SRC ? iph.saddr : iph.daddr;
	const be32 to = maniptype == NF_NAT_MANIP_SRC ? target.src.u3 : target.dst.u3;

	csum_replace4(iph.check, addr, to);
	addr = to;
	return true;
}

u32 nf_nat_manip_pkt(sk_buff &skb, nf_conn &ct, nf_nat_manip_type mtype, ip_conntrack_dir dir)
{
	TRACE(skb);
	nf_conntrack_tuple target;

	nf_ct_invert_tuple(target, ct.tuplehash[other_dir(dir)].tuple);
	return nf_nat_ipv4_manip_pkt(skb, 0, target, mtype) ? NF_ACCEPT : NF_DROP;
}

bool nf_nat_icmp_reply_translation(sk_buff &skb, nf_conn &ct, ip_conntrack_info ctinfo, u32 hooknum)
{
	TRACE(skb);
	const ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	const nf_nat_manip_type manip = HOOK2MANIP(hooknum);
	const u32 hdrlen = ip_hdrlen(skb);
	nf_conntrack_tuple target;

	if (skb_ensure_writable(skb, hdrlen + static_cast<u32>(sizeof(icmphdr) + sizeof(iphdr))))
		return false;
	if (nf_ip_checksum(skb, hooknum, hdrlen, IPPROTO_ICMP))
		return false;
	if (reinterpret_cast<const icmphdr *>(skb.data + hdrlen)->type == ICMP_REDIRECT &&
	    ((ct.status & IPS_NAT_DONE_MASK) != IPS_NAT_DONE_MASK || ct.status & IPS_NAT_MASK))
		return false; // it would name the wrong one
	u32 statusbit = manip == NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
	if (dir == IP_CT_DIR_REPLY)
		statusbit ^= IPS_NAT_MASK;
	if (!(ct.status & statusbit))
		return true;
	// The packet inside went the other way.
	if (!nf_nat_ipv4_manip_pkt(skb, hdrlen + static_cast<u32>(sizeof(icmphdr)),
	                           ct.tuplehash[other_dir(dir)].tuple,
	                           manip == NF_NAT_MANIP_SRC ? NF_NAT_MANIP_DST : NF_NAT_MANIP_SRC))
		return false;
	if (skb.ip_summed != CHECKSUM_PARTIAL) {
		auto &icmp = *reinterpret_cast<icmphdr *>(skb.data + hdrlen);

		icmp.checksum = {};
		icmp.checksum = csum_fold(
			skb_checksum(skb, static_cast<int>(hdrlen), static_cast<int>(skb.len - hdrlen), 0));
	}
	nf_ct_invert_tuple(target, ct.tuplehash[other_dir(dir)].tuple);
	target.dst.protonum = IPPROTO_ICMP;
	return nf_nat_ipv4_manip_pkt(skb, 0, target, manip);
}

static u32 nf_nat_ipv4_fn(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn *ct = nf_ct_get(*skb, ctinfo);

	if (!ct)
		return NF_ACCEPT;
	if ((ctinfo == IP_CT_RELATED || ctinfo == IP_CT_RELATED_REPLY) &&
	    ip_hdr(*skb).protocol == IPPROTO_ICMP)
		return nf_nat_icmp_reply_translation(*skb, *ct, ctinfo, state.hook) ? NF_ACCEPT : NF_DROP;
	return nf_nat_inet_fn(priv, skb, state);
}

namespace {

u32 pre_routing(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	const be32 daddr = ip_hdr(*skb).daddr;
	const u32 ret = nf_nat_ipv4_fn(priv, skb, state);

	if (ret == NF_ACCEPT && !(daddr == ip_hdr(*skb).daddr))
		skb_dst_drop(*skb);
	return ret;
}

} // namespace

static u32 nf_nat_ipv4_pre_routing(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return pre_routing(priv, skb, state);
}

// D4: its name before 5.2.
static u32 nf_nat_ipv4_in(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return pre_routing(priv, skb, state);
}

// The flow is another now: perhaps another policy is for it.
static int nf_xfrm_me_harder(net &net, sk_buff &skb)
{
	TRACE(skb);
	sock *sk = skb.sk;
	flowi4 fl;

	if (const int err = __xfrm_decode_session(skb, fl, AF_INET, false); err < 0)
		return err;
	dst_entry *dst = skb_dst(skb);
	if (!dst_hold_safe(*dst))
		return -EHOSTUNREACH;
	if (sk && !net_eq(net, sock_net(*sk)))
		sk = nullptr;
	dst = xfrm_lookup(net, dst, fl, sk, 0);
	if (!dst)
		return -EPERM;
	skb_dst_drop(skb);
	skb_dst_set(skb, dst);
	const u32 hh_len = dst->dev->hard_header_len;
	if (skb_headroom(skb) < hh_len &&
	    pskb_expand_head(skb, static_cast<int>(hh_len - skb_headroom(skb)), 0, GFP_ATOMIC))
		return -ENOMEM;
	return 0;
}

static u32 nf_nat_ipv4_local_in(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	const be32 saddr = ip_hdr(*skb).saddr;
	const sock *sk = skb->sk;
	const u32 ret = nf_nat_ipv4_fn(priv, skb, state);

	// Early demux found a socket by what was there before.
	if (ret == NF_ACCEPT && sk && !(saddr == ip_hdr(*skb).saddr))
		skb_orphan(*skb);
	return ret;
}

static u32 nf_nat_ipv4_out(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	u32 ret = nf_nat_ipv4_fn(priv, skb, state);
	ip_conntrack_info ctinfo;

	if (ret != NF_ACCEPT || IPCB(*skb).flags & IPSKB_XFRM_TRANSFORMED)
		return ret;
	if (const nf_conn *ct = nf_ct_get(*skb, ctinfo)) {
		const ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
		const nf_conntrack_tuple &t = ct->tuplehash[dir].tuple,
					 &back = ct->tuplehash[other_dir(dir)].tuple;

		if (!(t.src.u3 == back.dst.u3) ||
		    (t.dst.protonum != IPPROTO_ICMP && !(t.src.u == back.dst.u))) {
			const int err = nf_xfrm_me_harder(*state.net, *skb);

			if (err < 0)
				ret = NF_DROP_ERR(err);
		}
	}
	return ret;
}

static u32 nf_nat_ipv4_local_fn(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	u32 ret = nf_nat_ipv4_fn(priv, skb, state);
	ip_conntrack_info ctinfo;

	if (ret != NF_ACCEPT)
		return ret;
	if (const nf_conn *ct = nf_ct_get(*skb, ctinfo)) {
		const ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
		const nf_conntrack_tuple &t = ct->tuplehash[dir].tuple,
					 &back = ct->tuplehash[other_dir(dir)].tuple;
		int err = 0;

		if (!(t.dst.u3 == back.src.u3))
			err = ip_route_me_harder(*state.net, state.sk, *skb, RTN_UNSPEC);
		else if (!(IPCB(*skb).flags & IPSKB_XFRM_TRANSFORMED) && t.dst.protonum != IPPROTO_ICMP &&
		         !(t.dst.u == back.src.u))
			err = nf_xfrm_me_harder(*state.net, *skb);
		if (err < 0)
			ret = NF_DROP_ERR(err);
	}
	return ret;
}

static const nf_hook_ops nf_nat_ipv4_ops[] = {
	{.hook = nf_nat_ipv4_pre_routing,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_NAT_DST},
	{.hook = nf_nat_ipv4_out,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_POST_ROUTING,
         .priority = NF_IP_PRI_NAT_SRC},
	{.hook = nf_nat_ipv4_local_fn,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_OUT,
         .priority = NF_IP_PRI_NAT_DST},
	{.hook = nf_nat_ipv4_local_in,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_IN,
         .priority = NF_IP_PRI_NAT_SRC},
};
// D4
static const nf_hook_ops nf_nat_ipv4_ops_418[] = {
	{.hook = nf_nat_ipv4_in,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_NAT_DST},
	nf_nat_ipv4_ops[1],
	nf_nat_ipv4_ops[2],
	{.hook = nf_nat_ipv4_fn,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_IN,
         .priority = NF_IP_PRI_NAT_SRC},
};

int nf_nat_ipv4_register_fn(net &net, const nf_hook_ops &ops)
{
	TRACE();
	return nf_nat_register_fn(
		net, ops.pf, ops,
		current.host->features.nat_helper_hooks ? nf_nat_ipv4_ops_418 : nf_nat_ipv4_ops, 4);
}

void nf_nat_ipv4_unregister_fn(net &net, const nf_hook_ops &ops)
{
	TRACE();
	nf_nat_unregister_fn(net, ops.pf, ops, 4);
}

} // namespace skbwalk
