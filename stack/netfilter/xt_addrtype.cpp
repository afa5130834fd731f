// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_addrtype.c: what kind of address the routing tables say it is.
#include "stack/ipv4/route.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool match_type(net &net, const net_device *dev, be32 addr, u16 mask)
{
	TRACE();
	return mask & 1u << inet_dev_addr_type(net, dev, addr);
}

static bool addrtype_mt_v1(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_addrtype_info_v1 *>(par.matchinfo);
	const iphdr &iph = ip_hdr(skb);
	bool ret = true;

	if (info.source)
		ret &= match_type(xt_net(par), nullptr, iph.saddr, info.source) !=
		       ((info.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0);
	if (ret && info.dest)
		ret &= match_type(xt_net(par), nullptr, iph.daddr, info.dest) !=
		       ((info.flags & XT_ADDRTYPE_INVERT_DEST) != 0);
	return ret;
}

static constexpr xt_match addrtype_mt_reg{.name = "addrtype",
                                          .revision = 1,
                                          .match = addrtype_mt_v1,
                                          .matchsize = sizeof(xt_addrtype_info_v1),
                                          .family = NFPROTO_IPV4};

int addrtype_mt_init()
{
	TRACE();
	return xt_register_match(addrtype_mt_reg);
}

} // namespace skbwalk
