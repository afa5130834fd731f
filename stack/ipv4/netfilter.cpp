// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter.c: routes for packets that netfilter changed or made.
#include "stack/ipv4/netfilter.h"

#include "stack/core/xfrm.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

int ip_route_me_harder(net &net, sock *sk, sk_buff &skb, u32 addr_type)
{
	TRACE(skb, sk);
	net_device &dev = *skb_dst(skb)->dev;
	const iphdr &iph = ip_hdr(skb);
	be32 saddr = iph.saddr;
	flowi4 fl4;

	u8 flags = sk ? inet_sk_flowi_flags(*sk) : 0;

	if (addr_type == RTN_UNSPEC)
		addr_type = inet_addr_type_dev_table(net, &dev, saddr);
	if (addr_type == RTN_LOCAL || addr_type == RTN_UNICAST)
		flags |= FLOWI_FLAG_ANYSRC;
	else
		saddr = {};
	fl4.daddr = iph.daddr;
	fl4.saddr = saddr;
	fl4.flowi4_tos = iph.tos & IPTOS_TOS_MASK;
	fl4.flowi4_oif = sk ? sk->sk_bound_dev_if : 0;
	fl4.flowi4_l3mdev = l3mdev_master_ifindex(dev);
	fl4.flowi4_mark = skb.mark;
	fl4.flowi4_flags = flags;
	const rt_or_err rt = ip_route_output_key(net, fl4);
	if (!rt.rt)
		return rt.err;
	skb_dst_drop(skb);
	skb_dst_set(skb, rt.rt);
	if (skb_dst(skb)->error)
		return skb_dst(skb)->error;
	if (!(IPCB(skb).flags & IPSKB_XFRM_TRANSFORMED) &&
	    __xfrm_decode_session(skb, fl4, AF_INET, false) == 0) {
		dst_entry *dst = skb_dst(skb);

		skb_dst_set(skb, nullptr);
		dst = xfrm_lookup(net, dst, fl4, sk, 0);
		if (!dst)
			return -EPERM;
		skb_dst_set(skb, dst);
	}
	const u32 hh_len = skb_dst(skb)->dev->hard_header_len;
	if (skb_headroom(skb) < hh_len &&
	    pskb_expand_head(skb, static_cast<int>((hh_len - skb_headroom(skb) + 15) & ~15u), 0, GFP_ATOMIC))
		return -ENOMEM;
	return 0;
}

int nf_ip_route(net &net, dst_entry *&dst, flowi4 &fl)
{
	TRACE();
	const rt_or_err rt = ip_route_output_key(net, fl);

	if (!rt.rt)
		return rt.err;
	dst = rt.rt;
	return 0;
}

} // namespace skbwalk
