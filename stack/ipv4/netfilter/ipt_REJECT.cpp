// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/ipt_REJECT.c: the packet ends here and its sender is told.
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/ipv4/netfilter/nf_reject_ipv4.h"

namespace skbwalk {

namespace {

constexpr int ICMP_NET_ANO = 9, ICMP_HOST_ANO = 10;

} // namespace

static u32 reject_tg(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	const u32 hook = xt_hooknum(par);

	switch (static_cast<const ipt_reject_info *>(par.targinfo)->with) {
	case IPT_ICMP_NET_UNREACHABLE:
		nf_send_unreach(skb, ICMP_NET_UNREACH, hook);
		break;
	case IPT_ICMP_HOST_UNREACHABLE:
		nf_send_unreach(skb, ICMP_HOST_UNREACH, hook);
		break;
	case IPT_ICMP_PROT_UNREACHABLE:
		nf_send_unreach(skb, ICMP_PROT_UNREACH, hook);
		break;
	case IPT_ICMP_PORT_UNREACHABLE:
		nf_send_unreach(skb, ICMP_PORT_UNREACH, hook);
		break;
	case IPT_ICMP_NET_PROHIBITED:
		nf_send_unreach(skb, ICMP_NET_ANO, hook);
		break;
	case IPT_ICMP_HOST_PROHIBITED:
		nf_send_unreach(skb, ICMP_HOST_ANO, hook);
		break;
	case IPT_ICMP_ADMIN_PROHIBITED:
		nf_send_unreach(skb, ICMP_PKT_FILTERED, hook);
		break;
	case IPT_TCP_RESET:
		nf_send_reset(xt_net(par), par.state->sk, skb, hook);
		break;
	case IPT_ICMP_ECHOREPLY: // refused by reject_tg_check
		break;
	}
	return NF_DROP;
}

static int reject_tg_check(const xt_tgchk_param &par)
{
	TRACE();
	const auto &info = *static_cast<const ipt_reject_info *>(par.targinfo);
	const auto &e = *static_cast<const ipt_entry *>(par.entryinfo);

	if (info.with == IPT_ICMP_ECHOREPLY)
		return -EINVAL;
	if (info.with == IPT_TCP_RESET && (e.ip.proto != IPPROTO_TCP || (e.ip.invflags & XT_INV_PROTO)))
		return -EINVAL;
	return 0;
}

static constexpr xt_target reject_tg_reg{.name = "REJECT",
                                         .target = reject_tg,
                                         .checkentry = reject_tg_check,
                                         .table = "filter",
                                         .targetsize = sizeof(ipt_reject_info),
                                         .hooks = 1u << NF_INET_LOCAL_IN | 1u << NF_INET_FORWARD |
                                                  1u << NF_INET_LOCAL_OUT,
                                         .family = NFPROTO_IPV4};

int reject_tg_init()
{
	TRACE();
	return xt_register_target(reject_tg_reg);
}

} // namespace skbwalk
