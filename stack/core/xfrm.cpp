// SPDX-License-Identifier: GPL-2.0-only
//
// net/xfrm/xfrm_policy.c and xfrm_device.c in a kernel where no policy and no state was ever added: each
// route that is looked up and each packet that comes in is asked about here, the counts of policies say that
// there is none, and the namespace's default decides. Left out: policies and states themselves.
#include "stack/core/xfrm.h"

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/security/security.h"

namespace skbwalk {

namespace {
percpu<sk_buff_head> xfrm_backlog;
}

dst_entry *xfrm_lookup_with_ifid(net &net, dst_entry *dst, const flowi4 &, const sock *, int flags, u32 if_id)
{
	TRACE();
	// No interface id and no policy: nothing to look up in.
	assert(!if_id && ((dst->flags & DST_NOXFRM) || !net.xfrm.policy_count[XFRM_POLICY_OUT]));

	const bool refused = (!dst->dev || !(dst->dev->flags & IFF_LOOPBACK)) &&
	                     net.xfrm.policy_default[XFRM_POLICY_OUT] == XFRM_USERPOLICY_BLOCK;

	if (!refused && !(flags & XFRM_LOOKUP_ICMP))
		return dst;
	dst_release(nullptr); // the bundle, which was not made
	if (!(flags & XFRM_LOOKUP_KEEP_DST_REF))
		dst_release(dst);
	return nullptr;
}

dst_entry *xfrm_lookup(net &net, dst_entry *dst, const flowi4 &fl, const sock *sk, int flags)
{
	TRACE(sk);
	return xfrm_lookup_with_ifid(net, dst, fl, sk, flags, 0);
}

dst_entry *xfrm_lookup_route(net &net, dst_entry *dst_orig, const flowi4 &fl, const sock *sk, int flags)
{
	TRACE(sk);
	dst_entry *dst =
		xfrm_lookup(net, dst_orig, fl, sk, flags | XFRM_LOOKUP_QUEUE | XFRM_LOOKUP_KEEP_DST_REF);

	if (!dst)
		dst_release(dst_orig);
	return dst;
}

static bool __xfrm_check_nopolicy(const net &net, int dir)
{
	TRACE_INLINE();
	return !net.xfrm.policy_count[static_cast<std::size_t>(dir)] &&
	       net.xfrm.policy_default[static_cast<std::size_t>(dir)] == XFRM_USERPOLICY_ACCEPT;
}

bool xfrm_policy_check(sock *sk, int dir, sk_buff &skb, u16)
{
	TRACE_INLINE(skb, sk);
	return __xfrm_check_nopolicy(dev_net(*skb.dev), dir) ||
	       (skb_dst(skb) && (skb_dst(skb)->flags & DST_NOPOLICY));
}

bool xfrm4_policy_check(sock *sk, int dir, sk_buff &skb)
{
	TRACE_INLINE(skb, sk);
	return xfrm_policy_check(sk, dir, skb, AF_INET);
}

bool xfrm4_policy_check_reverse(sock *sk, int dir, sk_buff &skb)
{
	TRACE_INLINE(skb, sk);
	return xfrm_policy_check(sk, dir, skb, AF_INET);
}

bool xfrm4_route_forward(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const net &net = dev_net(*skb.dev);

	if (!net.xfrm.policy_count[XFRM_POLICY_OUT] &&
	    net.xfrm.policy_default[XFRM_POLICY_OUT] == XFRM_USERPOLICY_ACCEPT)
		return true;
	return (skb_dst(skb)->flags & DST_NOXFRM) != 0;
}

// The flow that a packet belongs to, or the one that answers it.
static void decode_session4(sk_buff &skb, flowi4 &fl4, bool reverse)
{
	TRACE(skb);
	const iphdr &iph = ip_hdr(skb);
	const u32 ihl = iph.ihl() * 4;
	const auto readable = [&](u32 n) {
		const auto end = skb_network_offset(skb) + static_cast<int>(ihl + n);

		return end < 0 || pskb_may_pull(skb, static_cast<u32>(end));
	};

	fl4 = {};
	fl4.flowi4_mark = skb.mark;
	fl4.flowi4_oif = reverse                             ? skb.skb_iif
	                 : skb_dst(skb) && skb_dst(skb)->dev ? skb_dst(skb)->dev->ifindex
	                                                     : 0;
	fl4.flowi4_proto = iph.protocol;
	fl4.daddr = reverse ? iph.saddr : iph.daddr;
	fl4.saddr = reverse ? iph.daddr : iph.saddr;
	fl4.flowi4_tos = static_cast<u8>(iph.tos & ~3);
	if (ntohs(iph.frag_off) & (IP_MF | IP_OFFSET))
		return;
	switch (fl4.flowi4_proto) {
	case IPPROTO_UDP:
	case IPPROTO_TCP:
		if (readable(4)) {
			be16 ports[2];

			std::memcpy(ports, skb_network_header(skb) + ihl, sizeof(ports));
			fl4.fl4_sport = ports[reverse];
			fl4.fl4_dport = ports[!reverse];
		}
		break;
	case IPPROTO_ICMP:
		if (readable(2)) {
			fl4.fl4_icmp_type = skb_network_header(skb)[ihl];
			fl4.fl4_icmp_code = skb_network_header(skb)[ihl + 1];
		}
		break;
	}
}

int __xfrm_decode_session(sk_buff &skb, flowi4 &fl, u16 family, bool reverse)
{
	TRACE(skb);
	if (family != AF_INET)
		return -EAFNOSUPPORT;
	decode_session4(skb, fl, reverse);
	return security_xfrm_decode_session(skb, fl.flowi4_secid);
}

int xfrm_decode_session_reverse(sk_buff &skb, flowi4 &fl, u16 family)
{
	TRACE_INLINE(skb);
	return __xfrm_decode_session(skb, fl, family, true);
}

skb_ptr validate_xmit_xfrm(skb_ptr skb, netdev_features_t, bool &)
{
	TRACE(skb);
	// No packet carries an xfrm_offload: that takes a state on a device.
	return skb;
}

// Packets whose encryption a device was too busy for: with no such device none waits.
void xfrm_dev_backlog()
{
	TRACE();
	if (skb_queue_empty(*xfrm_backlog))
		return;
	assert(false && "only a state on a device leaves packets here");
}

} // namespace skbwalk
