// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/iptable_raw.c. The table `raw`: PREROUTING and OUTPUT, before connection tracking.
#include "stack/ipv4/netfilter/ip_tables.h"

namespace skbwalk {

namespace {

const xt_table &raw_table()
{
	static const xt_table table{.name = "raw",
	                            .valid_hooks = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_OUT,
	                            .af = NFPROTO_IPV4,
	                            .priority = NF_IP_PRI_RAW};

	return table;
}
perhost<std::vector<nf_hook_ops>> raw_ops;

} // namespace

static int iptable_raw_table_init(net &net)
{
	TRACE();
	return ipt_register_table(net, raw_table(), ipt_alloc_initial_table(raw_table()), &*raw_ops);
}

static void iptable_raw_net_exit(net &net)
{
	TRACE();
	ipt_unregister_table_pre_exit(net, "raw");
	ipt_unregister_table_exit(net, "raw");
}

static const pernet_operations iptable_raw_net_ops{"iptable_raw", nullptr, iptable_raw_net_exit};

int iptable_raw_init()
{
	TRACE();
	if (const int ret = xt_register_template(raw_table(), iptable_raw_table_init))
		return ret;
	*raw_ops = xt_hook_ops_alloc(raw_table(), ipt_do_table);
	register_pernet_subsys(iptable_raw_net_ops);
	return 0;
}

} // namespace skbwalk
