// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_forward.c. A packet that is not for this host comes in from dst_input: ip_forward checks that
// it may go on (policy, TTL, source route, size), answers by ICMP when it may not, takes one from the TTL,
// tells the sender of a better way where there is one, and through FORWARD hands it to ip_forward_finish,
// which counts it and sends it. Left out: multicast routing.
#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/netfilter.h"

namespace skbwalk {

static bool ip_exceeds_mtu(const sk_buff &skb, u32 mtu)
{
	TRACE(skb);
	if (skb.len <= mtu || !(ntohs(ip_hdr(skb).frag_off) & IP_DF))
		return false;
	if (IPCB(skb).frag_max_size > mtu) // it came in a fragment longer than that, with DF
		return true;
	if (skb.ignore_df)
		return false;
	return !skb_is_gso(skb) || !skb_gso_validate_network_len(skb, mtu);
}

static int ip_forward_finish(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	IP_ADD_STATS(net, IPSTATS_MIB_OUTOCTETS, skb->len);
	if (IPCB(*skb).optlen)
		ip_forward_options(*skb);
	skb_clear_tstamp(*skb);
	return dst_output(net, sk, std::move(skb));
}

namespace {

int drop(skb_ptr skb, skb_drop_reason reason)
{
	kfree_skb_reason(std::move(skb), reason);
	return NET_RX_DROP;
}

} // namespace

int ip_forward(skb_ptr skb)
{
	TRACE(skb);
	if (skb->pkt_type != PACKET_HOST || skb->sk)
		return drop(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	if (!xfrm4_policy_check(nullptr, XFRM_POLICY_FWD, *skb))
		return drop(std::move(skb), SKB_DROP_REASON_XFRM_POLICY);
	if (IPCB(*skb).router_alert && ip_call_ra_chain(skb))
		return NET_RX_SUCCESS;
	skb_forward_csum(*skb);

	net &net = dev_net(*skb->dev);
	if (ip_hdr(*skb).ttl <= 1) {
		__IP_INC_STATS(net, IPSTATS_MIB_INHDRERRORS);
		icmp_send(*skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, be32{});
		return drop(std::move(skb), SKB_DROP_REASON_IP_INHDR);
	}
	if (!xfrm4_route_forward(*skb))
		return drop(std::move(skb), SKB_DROP_REASON_XFRM_POLICY);

	rtable &rt = *skb_rtable(*skb);
	if (IPCB(*skb).is_strictroute && rt.rt_uses_gateway) {
		icmp_send(*skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, be32{});
		return drop(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	}
	IPCB(*skb).flags |= IPSKB_FORWARDED;
	const u32 mtu = ip_dst_mtu_maybe_forward(rt, true);
	if (ip_exceeds_mtu(*skb, mtu)) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(*skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		return drop(std::move(skb), SKB_DROP_REASON_PKT_TOO_BIG);
	}
	if (skb_cow(*skb, LL_RESERVED_SPACE(*rt.dev)))
		return drop(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	ip_decrease_ttl(ip_hdr(*skb));
	if ((IPCB(*skb).flags & IPSKB_DOREDIRECT) && !IPCB(*skb).srr &&
	    !skb_ext_exist(*skb, SKB_EXT_SEC_PATH))
		ip_rt_send_redirect(*skb);
	if (net.ipv4.sysctl_ip_fwd_update_priority)
		skb->priority = rt_tos2priority(ip_hdr(*skb).tos);

	net_device *in = skb->dev;
	return NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, nullptr, std::move(skb), in, rt.dev,
	               ip_forward_finish);
}

} // namespace skbwalk
