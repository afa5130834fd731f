// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/arptable_filter.c. The table `filter` of ARP: INPUT, OUTPUT, and FORWARD for what a
// bridge passes on.
#include "stack/ipv4/netfilter/ip_tables.h"

namespace skbwalk {

namespace {

const xt_table &arpfilter_table()
{
	static const xt_table table{.name = "filter",
	                            .valid_hooks = (1u << NF_ARP_NUMHOOKS) - 1,
	                            .af = NFPROTO_ARP,
	                            .priority = NF_IP_PRI_FILTER};

	return table;
}
perhost<std::vector<nf_hook_ops>> arpfilter_ops;

} // namespace

static int arptable_filter_table_init(net &net)
{
	TRACE();
	return arpt_register_table(net, arpfilter_table(), arpt_alloc_initial_table(arpfilter_table()),
	                           *arpfilter_ops);
}

static void arptable_filter_net_exit(net &net)
{
	TRACE();
	arpt_unregister_table_pre_exit(net, "filter");
	arpt_unregister_table(net, "filter");
}

static const pernet_operations arptable_filter_net_ops{"arptable_filter", nullptr, arptable_filter_net_exit};

int arptable_filter_init()
{
	TRACE();
	if (const int ret = xt_register_template(arpfilter_table(), arptable_filter_table_init))
		return ret;
	*arpfilter_ops = xt_hook_ops_alloc(arpfilter_table(), arpt_do_table);
	register_pernet_subsys(arptable_filter_net_ops);
	return 0;
}

} // namespace skbwalk
