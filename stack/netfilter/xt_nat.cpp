// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_nat.c: the targets SNAT (as iptables asks for it, revision 0) and DNAT (revision 2).
#include "stack/netfilter/nf_nat.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static int xt_nat_checkentry_v0(const xt_tgchk_param &par)
{
	TRACE();
	if (static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo)->rangesize != 1)
		return -EINVAL;
	return nf_ct_netns_get(*par.net, par.family);
}

static int xt_nat_checkentry(const xt_tgchk_param &par)
{
	TRACE();
	return par.family == NFPROTO_IPV4 ? nf_ct_netns_get(*par.net, par.family) : -EINVAL;
}

static void xt_nat_destroy(const xt_tgdtor_param &par)
{
	TRACE();
	nf_ct_netns_put(*par.net, par.family);
}

static void xt_nat_convert_range(nf_nat_range2 &dst, const nf_nat_ipv4_range &src)
{
	TRACE();
	dst = {src.flags, src.min_ip, src.max_ip, src.min, src.max, {}};
}

static u32 xt_snat_target_v0(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn &ct = *nf_ct_get(skb, ctinfo);
	nf_nat_range2 range;

	xt_nat_convert_range(range,
	                     static_cast<const nf_nat_ipv4_multi_range_compat *>(par.targinfo)->range[0]);
	return nf_nat_setup_info(ct, range, NF_NAT_MANIP_SRC);
}

static u32 xt_dnat_target_v2(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn &ct = *nf_ct_get(skb, ctinfo);

	return nf_nat_setup_info(ct, *static_cast<const nf_nat_range2 *>(par.targinfo), NF_NAT_MANIP_DST);
}

static constexpr xt_target xt_nat_target_reg[] = {
	{.name = "SNAT",
         .revision = 0,
         .target = xt_snat_target_v0,
         .checkentry = xt_nat_checkentry_v0,
         .destroy = xt_nat_destroy,
         .table = "nat",
         .targetsize = sizeof(nf_nat_ipv4_multi_range_compat),
         .hooks = 1u << NF_INET_POST_ROUTING | 1u << NF_INET_LOCAL_IN,
         .family = NFPROTO_IPV4},
	{.name = "DNAT",
         .revision = 2,
         .target = xt_dnat_target_v2,
         .checkentry = xt_nat_checkentry,
         .destroy = xt_nat_destroy,
         .table = "nat",
         .targetsize = sizeof(nf_nat_range2),
         .hooks = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_OUT,
         .family = NFPROTO_UNSPEC},
};

int xt_nat_init()
{
	TRACE();
	return xt_register_targets(xt_nat_target_reg, 2);
}

} // namespace skbwalk
