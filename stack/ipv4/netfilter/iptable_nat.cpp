// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/iptable_nat.c. The table `nat` is asked through NAT's own hooks and only about a
// connection's first packet: its functions stand in the lists that nf_nat_register_fn keeps.
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/netfilter/nf_nat.h"

namespace skbwalk {

namespace {

const xt_table &nf_nat_ipv4_table()
{
	static const xt_table table{.name = "nat",
	                            .valid_hooks = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_POST_ROUTING |
	                                           1u << NF_INET_LOCAL_OUT | 1u << NF_INET_LOCAL_IN,
	                            .af = NFPROTO_IPV4};

	return table;
}

constexpr nf_hook_ops nf_nat_ipv4_ops[] = {
	{.hook = ipt_do_table,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_NAT_DST},
	{.hook = ipt_do_table,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_POST_ROUTING,
         .priority = NF_IP_PRI_NAT_SRC},
	{.hook = ipt_do_table,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_OUT,
         .priority = NF_IP_PRI_NAT_DST},
	{.hook = ipt_do_table,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_IN,
         .priority = NF_IP_PRI_NAT_SRC},
};
using nat_ops = std::array<nf_hook_ops, 4>;

} // namespace

static void iptable_nat_net_exit(net &net);
static const pernet_operations iptable_nat_net_ops{"iptable_nat", nullptr, iptable_nat_net_exit};

static int ipt_nat_register_lookups(net &net)
{
	TRACE();
	xt_table *table = xt_find_table(net, NFPROTO_IPV4, "nat");
	auto ops = std::make_shared<nat_ops>();

	for (std::size_t i = 0; i < ops->size(); ++i) {
		(*ops)[i] = nf_nat_ipv4_ops[i];
		(*ops)[i].priv = table;
		if (const int ret = nf_nat_ipv4_register_fn(net, (*ops)[i])) {
			while (i)
				nf_nat_ipv4_unregister_fn(net, (*ops)[--i]);
			return ret;
		}
	}
	net_generic(net, iptable_nat_net_ops) = ops;
	return 0;
}

static void ipt_nat_unregister_lookups(net &net)
{
	TRACE();
	auto &kept = net_generic(net, iptable_nat_net_ops);

	if (!kept)
		return;
	for (const nf_hook_ops &ops : *static_cast<nat_ops *>(kept.get()))
		nf_nat_ipv4_unregister_fn(net, ops);
}

static int iptable_nat_table_init(net &net)
{
	TRACE();
	int ret = ipt_register_table(net, nf_nat_ipv4_table(), ipt_alloc_initial_table(nf_nat_ipv4_table()),
	                             nullptr);

	if (ret < 0)
		return ret;
	ret = ipt_nat_register_lookups(net);
	if (ret < 0)
		ipt_unregister_table_exit(net, "nat");
	return ret;
}

static void iptable_nat_net_exit(net &net)
{
	TRACE();
	ipt_nat_unregister_lookups(net);
	ipt_unregister_table_exit(net, "nat");
	net_generic(net, iptable_nat_net_ops).reset();
}

int iptable_nat_init()
{
	TRACE();
	if (const int ret = xt_register_template(nf_nat_ipv4_table(), iptable_nat_table_init))
		return ret;
	register_pernet_subsys(iptable_nat_net_ops);
	return 0;
}

} // namespace skbwalk
