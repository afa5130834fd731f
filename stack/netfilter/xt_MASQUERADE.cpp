// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_MASQUERADE.c: the target MASQUERADE.
#include "stack/netfilter/nf_nat.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static int masquerade_tg_check(const xt_tgchk_param &par)
{
	TRACE();
	const auto &mr = *static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo);

	if (mr.range[0].flags & NF_NAT_RANGE_MAP_IPS || mr.rangesize != 1)
		return -EINVAL;
	return nf_ct_netns_get(*par.net, par.family);
}

static u32 masquerade_tg(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	const nf_nat_ipv4_range &r =
		static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo)->range[0];

	return nf_nat_masquerade_ipv4(skb, xt_hooknum(par),
	                              {.flags = r.flags, .min_proto = r.min, .max_proto = r.max},
	                              *xt_out(par));
}

static void masquerade_tg_destroy(const xt_tgdtor_param &par)
{
	TRACE();
	nf_ct_netns_put(*par.net, par.family);
}

static constexpr xt_target masquerade_tg_reg{.name = "MASQUERADE",
                                             .target = masquerade_tg,
                                             .checkentry = masquerade_tg_check,
                                             .destroy = masquerade_tg_destroy,
                                             .table = "nat",
                                             .targetsize = sizeof(nf_nat_ipv4_multi_range_compat),
                                             .hooks = 1u << NF_INET_POST_ROUTING,
                                             .family = NFPROTO_IPV4};

int masquerade_tg_init()
{
	TRACE();
	if (const int ret = xt_register_target(masquerade_tg_reg))
		return ret;
	nf_nat_masquerade_inet_register_notifiers();
	return 0;
}

} // namespace skbwalk
