// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/utils.c: is a packet's transport checksum right? What came with a sum of the device's is
// checked by it, what came with none is summed.
#include "stack/netfilter/utils.h"

#include "stack/wire/checksum.h"

namespace skbwalk {

be16 nf_ip_checksum(sk_buff &skb, u32 hook, u32 dataoff, u8 protocol)
{
	TRACE(skb);
	const iphdr &iph = ip_hdr(skb);
	const bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

	switch (skb.ip_summed) {
	case CHECKSUM_COMPLETE:
		if (hook != NF_INET_PRE_ROUTING && hook != NF_INET_LOCAL_IN)
			break;
		if ((!ports && !csum_fold(skb.csum)) ||
		    !csum_tcpudp_magic(iph.saddr, iph.daddr, skb.len - dataoff, protocol, skb.csum)) {
			skb.ip_summed = CHECKSUM_UNNECESSARY;
			break;
		}
		[[fallthrough]];
	case CHECKSUM_NONE:
		skb.csum =
			ports ? csum_tcpudp_nofold(iph.saddr, iph.daddr, skb.len - dataoff, protocol, 0) : 0;
		return __skb_checksum_complete(skb) ? be16{{0xff, 0xff}} : be16{};
	}
	return {};
}

be16 nf_checksum(sk_buff &skb, u32 hook, u32 dataoff, u8 protocol, u8 family)
{
	TRACE(skb);
	return family == NFPROTO_IPV4 ? nf_ip_checksum(skb, hook, dataoff, protocol) : be16{};
}

} // namespace skbwalk
