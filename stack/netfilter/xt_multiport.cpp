// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_multiport.c: one of several ports or ranges.
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool ports_match_v1(const xt_multiport_v1 &info, u16 src, u16 dst)
{
	TRACE();
	for (u32 i = 0; i < info.count; ++i) {
		const u16 s = info.ports[i];
		const u16 e = info.pflags[i] ? info.ports[++i] : s;
		const bool src_in = src >= s && src <= e, dst_in = dst >= s && dst <= e;

		if ((info.flags == XT_MULTIPORT_SOURCE && src_in) ||
		    (info.flags == XT_MULTIPORT_DESTINATION && dst_in) ||
		    (info.flags == XT_MULTIPORT_EITHER && (src_in || dst_in)))
			return !info.invert;
	}
	return info.invert != 0;
}

static bool multiport_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	be16 buffer[2];

	if (par.fragoff != 0)
		return false;
	const auto *pptr = static_cast<const be16 *>(
		skb_header_pointer(skb, static_cast<int>(par.thoff), sizeof(buffer), buffer));
	if (!pptr) {
		par.hotdrop = true;
		return false;
	}
	return ports_match_v1(*static_cast<const xt_multiport_v1 *>(par.matchinfo), ntohs(pptr[0]),
	                      ntohs(pptr[1]));
}

static constexpr xt_match multiport_mt_reg{.name = "multiport",
                                           .revision = 1,
                                           .match = multiport_mt,
                                           .matchsize = sizeof(xt_multiport_v1),
                                           .family = NFPROTO_IPV4};

int multiport_mt_init()
{
	TRACE();
	return xt_register_match(multiport_mt_reg);
}

} // namespace skbwalk
