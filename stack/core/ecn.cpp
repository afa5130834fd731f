// SPDX-License-Identifier: GPL-2.0-only
//
// INET_ECN_set_ce and what it stands on (include/net/inet_ecn.h). Left out: IPv6.
#include "stack/core/ecn.h"

#include "stack/wire/headers.h"

namespace skbwalk {

static bool IP_ECN_set_ce(iphdr &iph)
{
	TRACE_INLINE();
	const u32 ecn = (iph.tos + 1u) & 3; // 1: not capable; 2, 3: capable (1), (0); 0: marked already

	if (!(ecn & 2))
		return !ecn;

	// RFC 1624: the bits that appear in the header disappear from its sum.
	u32 check = ntohs(iph.check) + 0xfffbu + ecn;

	check = (check & 0xffff) + (check >> 16);
	iph.check = htons(static_cast<u16>(check));
	iph.tos |= 3;
	return true;
}

bool INET_ECN_set_ce(sk_buff &skb)
{
	TRACE_INLINE(skb);
	if (skb.protocol != htons(ETH_P_IP) ||
	    skb_network_header(skb) + sizeof(iphdr) > skb_tail_pointer(skb))
		return false;
	return IP_ECN_set_ce(*reinterpret_cast<iphdr *>(skb_network_header(skb)));
}

} // namespace skbwalk
