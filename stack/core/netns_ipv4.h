// SPDX-License-Identifier: GPL-2.0-only
//
// What a namespace keeps for IPv4 (include/net/netns/ipv4.h): sysctls with the kernel's defaults and names,
// and the tables. The sysctl list is one macro, from which come the fields, their defaults and `sysctl -w` by
// name.
#pragma once

#include <array>
#include <memory>

#include "stack/kernel/types.h"

namespace skbwalk {

struct fib_table;
struct ipv4_devconf;
struct sock;
struct inet_peer_base;
struct tcp_fastopen_context;
struct fqdir;
struct tcp_congestion_ops;

struct inet_hashinfo;
struct ip_ra_chain;
// How many TIME_WAIT sockets a namespace has, and in which tables.
struct inet_timewait_death_row {
	u32 tw_refcount = 0;
	inet_hashinfo *hashinfo = nullptr;
};

// X(field, name below net.ipv4, default)
#define SKBWALK_IPV4_SYSCTLS(X)                                                             \
	X(sysctl_icmp_echo_ignore_all, "icmp_echo_ignore_all", 0)                           \
	X(sysctl_icmp_echo_enable_probe, "icmp_echo_enable_probe", 0)                       \
	X(sysctl_icmp_echo_ignore_broadcasts, "icmp_echo_ignore_broadcasts", 1)             \
	X(sysctl_icmp_ignore_bogus_error_responses, "icmp_ignore_bogus_error_responses", 1) \
	X(sysctl_icmp_errors_use_inbound_ifaddr, "icmp_errors_use_inbound_ifaddr", 0)       \
	X(sysctl_icmp_ratelimit, "icmp_ratelimit", 1000)                                    \
	X(sysctl_icmp_ratemask, "icmp_ratemask", 6168)                                      \
	X(sysctl_icmp_msgs_per_sec, "icmp_msgs_per_sec", 1000)                              \
	X(sysctl_icmp_msgs_burst, "icmp_msgs_burst", 50)                                    \
	X(sysctl_ip_forward, "ip_forward", 0)                                               \
	X(sysctl_ip_default_ttl, "ip_default_ttl", 64)                                      \
	X(sysctl_ip_no_pmtu_disc, "ip_no_pmtu_disc", 0)                                     \
	X(sysctl_ip_fwd_use_pmtu, "ip_forward_use_pmtu", 0)                                 \
	X(sysctl_ip_fwd_update_priority, "ip_forward_update_priority", 1)                   \
	X(sysctl_ip_nonlocal_bind, "ip_nonlocal_bind", 0)                                   \
	X(sysctl_ip_autobind_reuse, "ip_autobind_reuse", 0)                                 \
	X(sysctl_fwmark_reflect, "fwmark_reflect", 0)                                       \
	X(sysctl_ip_dynaddr, "ip_dynaddr", 0)                                               \
	X(sysctl_ip_early_demux, "ip_early_demux", 1)                                       \
	X(sysctl_tcp_early_demux, "tcp_early_demux", 1)                                     \
	X(sysctl_udp_early_demux, "udp_early_demux", 1)                                     \
	X(sysctl_ip_prot_sock, "ip_unprivileged_port_start", 1024)                          \
	X(sysctl_tcp_ecn, "tcp_ecn", 2)                                                     \
	X(sysctl_tcp_ecn_fallback, "tcp_ecn_fallback", 1)                                   \
	X(sysctl_tcp_mtu_probing, "tcp_mtu_probing", 0)                                     \
	X(sysctl_tcp_mtu_probe_floor, "tcp_mtu_probe_floor", 48)                            \
	X(sysctl_tcp_base_mss, "tcp_base_mss", 1024)                                        \
	X(sysctl_tcp_min_snd_mss, "tcp_min_snd_mss", 48)                                    \
	X(sysctl_tcp_probe_threshold, "tcp_probe_threshold", 8)                             \
	X(sysctl_tcp_probe_interval, "tcp_probe_interval", 600)                             \
	X(sysctl_tcp_keepalive_time, "tcp_keepalive_time", 7200)                            \
	X(sysctl_tcp_keepalive_intvl, "tcp_keepalive_intvl", 75)                            \
	X(sysctl_tcp_keepalive_probes, "tcp_keepalive_probes", 9)                           \
	X(sysctl_tcp_syn_retries, "tcp_syn_retries", 6)                                     \
	X(sysctl_tcp_synack_retries, "tcp_synack_retries", 5)                               \
	X(sysctl_tcp_syncookies, "tcp_syncookies", 1)                                       \
	X(sysctl_tcp_migrate_req, "tcp_migrate_req", 0)                                     \
	X(sysctl_tcp_reordering, "tcp_reordering", 3)                                       \
	X(sysctl_tcp_retries1, "tcp_retries1", 3)                                           \
	X(sysctl_tcp_retries2, "tcp_retries2", 15)                                          \
	X(sysctl_tcp_orphan_retries, "tcp_orphan_retries", 0)                               \
	X(sysctl_tcp_fin_timeout, "tcp_fin_timeout", 60)                                    \
	X(sysctl_tcp_notsent_lowat, "tcp_notsent_lowat", -1)                                \
	X(sysctl_tcp_tw_reuse, "tcp_tw_reuse", 2)                                           \
	X(sysctl_tcp_sack, "tcp_sack", 1)                                                   \
	X(sysctl_tcp_window_scaling, "tcp_window_scaling", 1)                               \
	X(sysctl_tcp_timestamps, "tcp_timestamps", 1)                                       \
	X(sysctl_tcp_early_retrans, "tcp_early_retrans", 3)                                 \
	X(sysctl_tcp_recovery, "tcp_recovery", 1)                                           \
	X(sysctl_tcp_thin_linear_timeouts, "tcp_thin_linear_timeouts", 0)                   \
	X(sysctl_tcp_slow_start_after_idle, "tcp_slow_start_after_idle", 1)                 \
	X(sysctl_tcp_retrans_collapse, "tcp_retrans_collapse", 1)                           \
	X(sysctl_tcp_stdurg, "tcp_stdurg", 0)                                               \
	X(sysctl_tcp_rfc1337, "tcp_rfc1337", 0)                                             \
	X(sysctl_tcp_abort_on_overflow, "tcp_abort_on_overflow", 0)                         \
	X(sysctl_tcp_fack, "tcp_fack", 0)                                                   \
	X(sysctl_tcp_max_reordering, "tcp_max_reordering", 300)                             \
	X(sysctl_tcp_dsack, "tcp_dsack", 1)                                                 \
	X(sysctl_tcp_app_win, "tcp_app_win", 31)                                            \
	X(sysctl_tcp_adv_win_scale, "tcp_adv_win_scale", 1)                                 \
	X(sysctl_tcp_frto, "tcp_frto", 2)                                                   \
	X(sysctl_tcp_nometrics_save, "tcp_no_metrics_save", 0)                              \
	X(sysctl_tcp_no_ssthresh_metrics_save, "tcp_no_ssthresh_metrics_save", 1)           \
	X(sysctl_tcp_moderate_rcvbuf, "tcp_moderate_rcvbuf", 1)                             \
	X(sysctl_tcp_tso_win_divisor, "tcp_tso_win_divisor", 3)                             \
	X(sysctl_tcp_workaround_signed_windows, "tcp_workaround_signed_windows", 0)         \
	X(sysctl_tcp_limit_output_bytes, "tcp_limit_output_bytes", 1048576)                 \
	X(sysctl_tcp_challenge_ack_limit, "tcp_challenge_ack_limit", 2147483647)            \
	X(sysctl_tcp_min_tso_segs, "tcp_min_tso_segs", 2)                                   \
	X(sysctl_tcp_tso_rtt_log, "tcp_tso_rtt_log", 9)                                     \
	X(sysctl_tcp_min_rtt_wlen, "tcp_min_rtt_wlen", 300)                                 \
	X(sysctl_tcp_autocorking, "tcp_autocorking", 1)                                     \
	X(sysctl_tcp_reflect_tos, "tcp_reflect_tos", 0)                                     \
	X(sysctl_tcp_invalid_ratelimit, "tcp_invalid_ratelimit", 500)                       \
	X(sysctl_tcp_pacing_ss_ratio, "tcp_pacing_ss_ratio", 200)                           \
	X(sysctl_tcp_pacing_ca_ratio, "tcp_pacing_ca_ratio", 120)                           \
	X(sysctl_tcp_child_ehash_entries, "tcp_child_ehash_entries", 0)                     \
	X(sysctl_tcp_comp_sack_delay_ns, "tcp_comp_sack_delay_ns", 1000000)                 \
	X(sysctl_tcp_comp_sack_slack_ns, "tcp_comp_sack_slack_ns", 100000)                  \
	X(sysctl_tcp_comp_sack_nr, "tcp_comp_sack_nr", 44)                                  \
	X(sysctl_max_syn_backlog, "tcp_max_syn_backlog", 128)                               \
	X(sysctl_max_tw_buckets, "tcp_max_tw_buckets", 4096)                                \
	X(sysctl_tcp_max_orphans, "tcp_max_orphans", 4096)                                  \
	X(sysctl_tcp_fastopen_blackhole_timeout, "tcp_fastopen_blackhole_timeout_sec", 0)   \
	X(sysctl_tcp_fastopen, "tcp_fastopen", 1)                                           \
	X(sysctl_tcp_fwmark_accept, "tcp_fwmark_accept", 0)                                 \
	X(sysctl_tcp_shrink_window, "tcp_shrink_window", 0)                                 \
	X(sysctl_udp_rmem_min, "udp_rmem_min", 4096)                                        \
	X(sysctl_udp_wmem_min, "udp_wmem_min", 4096)

struct netns_ipv4 {
#define SKBWALK_X(field, name, dflt) int field = dflt;
	SKBWALK_IPV4_SYSCTLS(SKBWALK_X)
#undef SKBWALK_X
	std::array<int, 3> sysctl_tcp_wmem{4096, 16384, 4194304};
	std::array<int, 3> sysctl_tcp_rmem{4096, 131072, 6291456};
	std::array<int, 2> ip_local_ports{32768, 60999};
	std::array<u32, 2> ping_group_range{1, 0};
	const tcp_congestion_ops *tcp_congestion_control = nullptr;
	std::shared_ptr<ipv4_devconf> devconf_all;
	std::shared_ptr<ipv4_devconf> devconf_dflt;
	fib_table *fib_main = nullptr; // the tables are owned by fib_frontend's slot in net::gen
	fib_table *fib_default = nullptr;
	fib_table *fib_local = nullptr;
	bool fib_has_custom_rules = false;
	bool fib_has_custom_local_routes = false;
	sock *tcp_sk = nullptr; // control socket for RST and TIME_WAIT ACKs (per cpu in the kernel)
	sock *icmp_sk = nullptr;
	tcp_fastopen_context *tcp_fastopen_ctx =
		nullptr; // the keys of cookies; null until a listener wants them
	inet_peer_base *peers = nullptr;
	u32 rt_genid = 0;
	u32 dev_addr_genid = 0;
	u32 fnhe_genid = 0;
	std::array<u64, 2> ip_id_key{};
	u32 ip_rt_min_pmtu = 552, ip_rt_mtu_expires = 10 * 60 * 250,
	    ip_rt_min_advmss = 256; // the second in jiffies
	int sysctl_fib_multipath_hash_policy = 0, sysctl_fib_multipath_use_neigh = 0;
	int icmp_global_credit = 0;
	u32 icmp_global_stamp = 0;
	std::shared_ptr<fqdir> frags; // the kernel's fqdir
	ip_ra_chain *ra_chain = nullptr;
	inet_timewait_death_row tcp_death_row;
	u32 sk_orphans = 0;
	u32 tfo_active_disable_times = 0;
	u32 tfo_active_disable_stamp = 0;
	u32 tcp_challenge_timestamp = 0, tcp_challenge_count = 0;
};

// What each namespace has of net.core.* of its own; the rest is net_core_settings (sysctl_net_core.h).
struct netns_core {
	int sysctl_somaxconn = 4096;
	int sysctl_txrehash = 1;
	int bridge_nf_call_iptables = 1, bridge_nf_call_arptables = 1;
	std::array<int, 16> prot_inuse{}; // sockets hashed, by proto_state::slot
	int sockets_inuse = 0;            // all that hold this namespace
};

// Finds a net.ipv4 sysctl of one integer by its name; null when there is none.
int *ipv4_sysctl(netns_ipv4 &ipv4, const char *name);

} // namespace skbwalk
