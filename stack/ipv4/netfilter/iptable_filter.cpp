// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/iptable_filter.c. The table `filter`: INPUT, FORWARD, OUTPUT, made in a namespace the
// first time that it is asked for.
#include "stack/ipv4/netfilter/ip_tables.h"

namespace skbwalk {

namespace {

const xt_table &filter_table()
{
	static const xt_table table{.name = "filter",
	                            .valid_hooks = 1u << NF_INET_LOCAL_IN | 1u << NF_INET_FORWARD |
	                                           1u << NF_INET_LOCAL_OUT,
	                            .af = NFPROTO_IPV4,
	                            .priority = NF_IP_PRI_FILTER};

	return table;
}
perhost<std::vector<nf_hook_ops>> filter_ops;

} // namespace

static int iptable_filter_table_init(net &net)
{
	TRACE();
	return ipt_register_table(net, filter_table(), ipt_alloc_initial_table(filter_table()), &*filter_ops);
}

static void iptable_filter_net_exit(net &net)
{
	TRACE();
	ipt_unregister_table_pre_exit(net, "filter");
	ipt_unregister_table_exit(net, "filter");
}

static const pernet_operations iptable_filter_net_ops{"iptable_filter", nullptr, iptable_filter_net_exit};

int iptable_filter_init()
{
	TRACE();
	if (const int ret = xt_register_template(filter_table(), iptable_filter_table_init))
		return ret;
	*filter_ops = xt_hook_ops_alloc(filter_table(), ipt_do_table);
	register_pernet_subsys(iptable_filter_net_ops);
	return 0;
}

} // namespace skbwalk
