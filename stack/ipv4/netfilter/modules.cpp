// SPDX-License-Identifier: GPL-2.0-only
//
// Netfilter's modules: names, other names that ask for them, and what each needs first.
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/kernel/kmod.h"
#include "stack/netfilter/nf_log.h"
#include "stack/netfilter/nf_nat.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

// not traced: runs when a host comes up
void provide_netfilter_modules()
{
	static const module table[] = {
		{"x_tables", {}, {}, xt_init},
		{"ip_tables", {}, {"x_tables"}, ip_tables_init},
		{"arp_tables", {}, {"x_tables"}, arp_tables_init},
		{"iptable_filter", {}, {"ip_tables"}, iptable_filter_init},
		{"iptable_mangle", {}, {"ip_tables"}, iptable_mangle_init},
		{"iptable_raw", {}, {"ip_tables"}, iptable_raw_init},
		{"arptable_filter", {}, {"arp_tables"}, arptable_filter_init},
		{"xt_tcpudp",
	         {"xt_tcp", "xt_udp", "ipt_tcp", "ipt_udp", "ipt_icmp"},
	         {"x_tables"},
	         tcpudp_mt_init},
		{"xt_multiport", {"ipt_multiport"}, {"x_tables"}, multiport_mt_init},
		{"xt_mark", {"ipt_mark", "ipt_MARK", "arpt_MARK"}, {"x_tables"}, mark_mt_init},
		{"xt_comment", {"ipt_comment"}, {"x_tables"}, comment_mt_init},
		{"xt_mac", {"ipt_mac"}, {"x_tables"}, mac_mt_init},
		{"xt_addrtype", {"ipt_addrtype"}, {"x_tables"}, addrtype_mt_init},
		{"xt_limit", {"ipt_limit"}, {"x_tables"}, limit_mt_init},
		{"nf_log_syslog",
	         {"nf_log_ipv4", "nf_log_arp", "nf-logger-2-0", "nf-logger-3-0"},
	         {},
	         nf_log_syslog_init},
		{"xt_LOG", {"ipt_LOG"}, {"x_tables", "nf_log_syslog"}, log_tg_init}, // softdep
		{"nf_defrag_ipv4", {}, {}, nf_defrag_init},
		{"nf_conntrack",
	         {"nf_conntrack_ipv4", "ip_conntrack"},
	         {"nf_defrag_ipv4"},
	         nf_conntrack_standalone_init},
		{"xt_conntrack",
	         {"ipt_conntrack", "xt_state", "ipt_state"},
	         {"x_tables", "nf_conntrack"},
	         conntrack_mt_init},
		{"nf_nat", {"nf_nat_ipv4"}, {"nf_conntrack"}, nf_nat_init},
		{"iptable_nat", {}, {"ip_tables", "nf_nat"}, iptable_nat_init},
		{"xt_nat", {"ipt_SNAT", "ipt_DNAT"}, {"x_tables", "nf_nat"}, xt_nat_init},
		{"xt_MASQUERADE", {"ipt_MASQUERADE"}, {"x_tables", "nf_nat"}, masquerade_tg_init},
		{"xt_REDIRECT", {"ipt_REDIRECT"}, {"x_tables", "nf_nat"}, redirect_tg_init},
		{"ipt_REJECT", {}, {"ip_tables"}, reject_tg_init},
	};

	provide_modules(table);
}

} // namespace skbwalk
