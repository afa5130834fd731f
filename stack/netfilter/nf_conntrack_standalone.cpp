// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_standalone.c: the module's beginning and end, and its sysctls.
#include <algorithm>

#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

static int nf_conntrack_pernet_init(net &net)
{
	TRACE();
	return nf_conntrack_init_net(net);
}

static void nf_conntrack_pernet_exit(net &net)
{
	TRACE();
	nf_conntrack_cleanup_net(net);
	if (&net == &init_net()) // the last: the host ends
		nf_conntrack_cleanup_end();
}

static const pernet_operations nf_conntrack_net_ops{"nf_conntrack", nf_conntrack_pernet_init,
                                                    nf_conntrack_pernet_exit};

int nf_conntrack_standalone_init()
{
	TRACE();
	if (const int ret = nf_conntrack_init_start())
		return ret;
	register_pernet_subsys(nf_conntrack_net_ops);
	nf_conntrack_init_end();
	return 0;
}

nf_ct_sysctl nf_conntrack_sysctl(net &net, std::string_view name)
{
	TRACE();
	if (!net.ct)
		return {};
	netns_ct &ns = *net.ct;
	const struct {
		std::string_view name;
		u32 *place;
	} times[] = {{"generic_timeout", &ns.generic_timeout},
	             {"tcp_timeout_syn_sent", &ns.tcp.timeouts[TCP_CONNTRACK_SYN_SENT]},
	             {"tcp_timeout_syn_recv", &ns.tcp.timeouts[TCP_CONNTRACK_SYN_RECV]},
	             {"tcp_timeout_established", &ns.tcp.timeouts[TCP_CONNTRACK_ESTABLISHED]},
	             {"tcp_timeout_fin_wait", &ns.tcp.timeouts[TCP_CONNTRACK_FIN_WAIT]},
	             {"tcp_timeout_close_wait", &ns.tcp.timeouts[TCP_CONNTRACK_CLOSE_WAIT]},
	             {"tcp_timeout_last_ack", &ns.tcp.timeouts[TCP_CONNTRACK_LAST_ACK]},
	             {"tcp_timeout_time_wait", &ns.tcp.timeouts[TCP_CONNTRACK_TIME_WAIT]},
	             {"tcp_timeout_close", &ns.tcp.timeouts[TCP_CONNTRACK_CLOSE]},
	             {"tcp_timeout_max_retrans", &ns.tcp.timeouts[TCP_CONNTRACK_RETRANS]},
	             {"tcp_timeout_unacknowledged", &ns.tcp.timeouts[TCP_CONNTRACK_UNACK]},
	             {"udp_timeout", &ns.udp_timeouts[UDP_CT_UNREPLIED]},
	             {"udp_timeout_stream", &ns.udp_timeouts[UDP_CT_REPLIED]},
	             {"icmp_timeout", &ns.icmp_timeout}};
	for (const auto &t : times)
		if (t.name == name)
			return {.u32_place = t.place, .seconds = true};
	const struct {
		std::string_view name;
		u8 *place;
	} switches[] = {{"log_invalid", &ns.sysctl_log_invalid},
	                {"events", &ns.sysctl_events},
	                {"acct", &ns.sysctl_acct},
	                {"timestamp", &ns.sysctl_tstamp},
	                {"checksum", &ns.sysctl_checksum},
	                {"tcp_loose", &ns.tcp.tcp_loose},
	                {"tcp_be_liberal", &ns.tcp.tcp_be_liberal},
	                {"tcp_max_retrans", &ns.tcp.tcp_max_retrans},
	                {"tcp_ignore_invalid_rst", &ns.tcp.tcp_ignore_invalid_rst}};
	for (const auto &s : switches)
		if (s.name == name)
			return {.u8_place = s.place};
	if (name == "max")
		return {.u32_place = &nf_conntrack_of_host().max};
	if (name == "count")
		return {.u32_place = &ns.cnet.count, .read_only = true};
	return {};
}

} // namespace skbwalk
