// SPDX-License-Identifier: GPL-2.0-only
//
// Where TCP asks programs of the cgroup (BPF_PROG_TYPE_SOCK_OPS; include/net/tcp.h, net/ipv4/tcp_output.c).
// No program can be attached here: a socket's cb flags are zero, as they are on a kernel where none is.
#pragma once

#include "stack/ipv4/tcp.h"

namespace skbwalk {

struct tcp_out_options;

constexpr u8 BPF_SOCK_OPS_RTO_CB_FLAG = 1 << 0, BPF_SOCK_OPS_RETRANS_CB_FLAG = 1 << 1,
	     BPF_SOCK_OPS_STATE_CB_FLAG = 1 << 2, BPF_SOCK_OPS_RTT_CB_FLAG = 1 << 3,
	     BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG = 1 << 4,
	     BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG = 1 << 5, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG = 1 << 6;
enum bpf_sock_ops {
	BPF_SOCK_OPS_VOID,
	BPF_SOCK_OPS_TIMEOUT_INIT,
	BPF_SOCK_OPS_RWND_INIT,
	BPF_SOCK_OPS_TCP_CONNECT_CB,
	BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
	BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
	BPF_SOCK_OPS_NEEDS_ECN,
	BPF_SOCK_OPS_BASE_RTT,
	BPF_SOCK_OPS_RTO_CB,
	BPF_SOCK_OPS_RETRANS_CB,
	BPF_SOCK_OPS_STATE_CB,
	BPF_SOCK_OPS_TCP_LISTEN_CB,
	BPF_SOCK_OPS_RTT_CB
};

inline bool BPF_SOCK_OPS_TEST_FLAG(const tcp_sock &tp, u8 flag) { return tp.bpf_sock_ops_cb_flags & flag; }
// Is there a sockops program on the socket's cgroup (the static key cgroup_bpf_enabled of that attach type)?
// Never here.
inline bool cgroup_bpf_sock_ops(const sock &) { return false; }
// What a program answers, or -1: none is asked.
inline int tcp_call_bpf(const sock &sk, bpf_sock_ops)
{
	assert(!cgroup_bpf_sock_ops(sk));
	return -1;
}
inline u32 tcp_timeout_init(const sock &sk)
{
	const int timeout = tcp_call_bpf(sk, BPF_SOCK_OPS_TIMEOUT_INIT);

	return timeout <= 0                              ? TCP_TIMEOUT_INIT
	       : static_cast<u32>(timeout) < TCP_RTO_MAX ? static_cast<u32>(timeout)
	                                                 : TCP_RTO_MAX;
}
inline u32 tcp_rwnd_init_bpf(const sock &sk)
{
	const int rwnd = tcp_call_bpf(sk, BPF_SOCK_OPS_RWND_INIT);

	return rwnd < 0 ? 0 : static_cast<u32>(rwnd);
}
inline void tcp_bpf_rtt(const sock &sk)
{
	if (BPF_SOCK_OPS_TEST_FLAG(tcp_sk(sk), BPF_SOCK_OPS_RTT_CB_FLAG))
		tcp_call_bpf(sk, BPF_SOCK_OPS_RTT_CB);
}
inline bool tcp_bpf_ca_needs_ecn(const sock &sk) { return tcp_call_bpf(sk, BPF_SOCK_OPS_NEEDS_ECN) == 1; }

void bpf_skops_hdr_opt_len(const sock &sk, sk_buff *skb, request_sock *req, sk_buff *syn_skb, int synack_type,
                           tcp_out_options &opts, u32 &remaining);
void bpf_skops_write_hdr_opt(const sock &sk, sk_buff &skb, request_sock *req, sk_buff *syn_skb,
                             int synack_type, tcp_out_options &opts);
// net/ipv4/tcp_bpf.c: a child does not take over a listener's place in a socket map.
void tcp_bpf_clone(const sock &sk, sock &newsk);

} // namespace skbwalk
