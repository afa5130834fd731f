// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_REDIRECT.c: the target REDIRECT.
#include "stack/netfilter/nf_nat.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static int redirect_tg4_check(const xt_tgchk_param &par)
{
	TRACE();
	const auto &mr = *static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo);

	if (mr.range[0].flags & NF_NAT_RANGE_MAP_IPS || mr.rangesize != 1)
		return -EINVAL;
	return nf_ct_netns_get(*par.net, par.family);
}

static u32 redirect_tg4(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	const nf_nat_ipv4_range &r =
		static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo)->range[0];

	return nf_nat_redirect_ipv4(skb, {.flags = r.flags, .min_proto = r.min, .max_proto = r.max},
	                            xt_hooknum(par));
}

static void redirect_tg_destroy(const xt_tgdtor_param &par)
{
	TRACE();
	nf_ct_netns_put(*par.net, par.family);
}

static constexpr xt_target redirect_tg_reg{.name = "REDIRECT",
                                           .target = redirect_tg4,
                                           .checkentry = redirect_tg4_check,
                                           .destroy = redirect_tg_destroy,
                                           .table = "nat",
                                           .targetsize = sizeof(nf_nat_ipv4_multi_range_compat),
                                           .hooks = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_OUT,
                                           .family = NFPROTO_IPV4};

int redirect_tg_init()
{
	TRACE();
	return xt_register_target(redirect_tg_reg);
}

} // namespace skbwalk
