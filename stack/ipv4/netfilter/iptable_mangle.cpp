// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/iptable_mangle.c. The table `mangle`: all five hooks. A packet of our own whose
// addresses, TOS or mark a rule changed is routed again.
#include "stack/ipv4/netfilter.h"
#include "stack/ipv4/netfilter/ip_tables.h"

namespace skbwalk {

namespace {

const xt_table &mangle_table()
{
	static const xt_table table{.name = "mangle",
	                            .valid_hooks = (1u << NF_INET_NUMHOOKS) - 1,
	                            .af = NFPROTO_IPV4,
	                            .priority = NF_IP_PRI_MANGLE};

	return table;
}
perhost<std::vector<nf_hook_ops>> mangle_ops;

} // namespace

static u32 ipt_mangle_out(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	const u32 mark = skb->mark;
	const be32 saddr = ip_hdr(*skb).saddr, daddr = ip_hdr(*skb).daddr;
	const u8 tos = ip_hdr(*skb).tos;
	const u32 ret = ipt_do_table(priv, skb, state);

	if (ret == NF_DROP || ret == NF_STOLEN)
		return ret;
	const iphdr &iph = ip_hdr(*skb);
	if (!(iph.saddr == saddr) || !(iph.daddr == daddr) || skb->mark != mark || iph.tos != tos) {
		const int err = ip_route_me_harder(*state.net, state.sk, *skb, RTN_UNSPEC);

		if (err < 0)
			return NF_DROP_ERR(err);
	}
	return ret;
}

static u32 iptable_mangle_hook(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	if (state.hook == NF_INET_LOCAL_OUT)
		return ipt_mangle_out(priv, skb, state);
	return ipt_do_table(priv, skb, state);
}

static int iptable_mangle_table_init(net &net)
{
	TRACE();
	return ipt_register_table(net, mangle_table(), ipt_alloc_initial_table(mangle_table()), &*mangle_ops);
}

static void iptable_mangle_net_exit(net &net)
{
	TRACE();
	ipt_unregister_table_pre_exit(net, "mangle");
	ipt_unregister_table_exit(net, "mangle");
}

static const pernet_operations iptable_mangle_net_ops{"iptable_mangle", nullptr, iptable_mangle_net_exit};

int iptable_mangle_init()
{
	TRACE();
	if (const int ret = xt_register_template(mangle_table(), iptable_mangle_table_init))
		return ret;
	*mangle_ops = xt_hook_ops_alloc(mangle_table(), iptable_mangle_hook);
	register_pernet_subsys(iptable_mangle_net_ops);
	return 0;
}

} // namespace skbwalk
