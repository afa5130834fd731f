// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_mac.c: the sender's hardware address.
#include "stack/core/netdevice.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool mac_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_mac_info *>(par.matchinfo);

	if (!skb.dev || skb.dev->type != ARPHRD_ETHER || !skb_mac_header_was_set(skb) ||
	    skb_mac_header(skb) + ETH_HLEN > skb.data)
		return false;
	const auto &eth = *reinterpret_cast<const ethhdr *>(skb_mac_header(skb));

	return (eth.h_source == info.srcaddr) != (info.invert != 0);
}

static constexpr xt_match mac_mt_reg{.name = "mac",
                                     .match = mac_mt,
                                     .matchsize = sizeof(xt_mac_info),
                                     .hooks = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_IN |
                                              1u << NF_INET_FORWARD,
                                     .family = NFPROTO_UNSPEC};

int mac_mt_init()
{
	TRACE();
	return xt_register_match(mac_mt_reg);
}

} // namespace skbwalk
