// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_nat_redirect.c: destination NAT to ourselves.
#include "stack/core/netdevice.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/nf_nat.h"

namespace skbwalk {

static u32 nf_nat_redirect(sk_buff &skb, const nf_nat_range2 &range, be32 newdst)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn &ct = *nf_ct_get(skb, ctinfo);

	return nf_nat_setup_info(ct,
	                         {.flags = range.flags | NF_NAT_RANGE_MAP_IPS,
	                          .min_addr = newdst,
	                          .max_addr = newdst,
	                          .min_proto = range.min_proto,
	                          .max_proto = range.max_proto},
	                         NF_NAT_MANIP_DST);
}

u32 nf_nat_redirect_ipv4(sk_buff &skb, const nf_nat_range2 &range, u32 hooknum)
{
	TRACE(skb);
	be32 newdst{};

	if (hooknum == NF_INET_LOCAL_OUT) {
		newdst = htonl(0x7f000001);
	} else {
		const in_device *indev = __in_dev_get_rcu(*skb.dev);

		if (indev && indev->ifa_list)
			newdst = indev->ifa_list->ifa_local;
		if (!newdst)
			return NF_DROP;
	}
	return nf_nat_redirect(skb, range, newdst);
}

} // namespace skbwalk
