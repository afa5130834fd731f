// SPDX-License-Identifier: GPL-2.0-only
//
// The hooks by which programs of a cgroup add options to TCP's header (net/ipv4/tcp_output.c). Asked for the
// length while options are sized, and to write once the rest of the header stands. The kernel asks a program
// if the socket's cb flags want it; only a program can set that flag and none can be attached here, so both
// return as the kernel does then.
#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

void bpf_skops_hdr_opt_len(const sock &sk, sk_buff *skb, request_sock *, sk_buff *, int, tcp_out_options &,
                           u32 &remaining)
{
	TRACE(skb, sk);
	if (!BPF_SOCK_OPS_TEST_FLAG(tcp_sk(sk), BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG) || !remaining)
		return;
	assert(cgroup_bpf_sock_ops(sk) && "the flag is a program's to set");
}

void bpf_skops_write_hdr_opt(const sock &sk, sk_buff &skb, request_sock *, sk_buff *, int,
                             tcp_out_options &opts)
{
	TRACE(skb, sk);
	if (!opts.bpf_opt_len)
		return;
	assert(cgroup_bpf_sock_ops(sk) && "only a program asks for room");
}

void tcp_bpf_clone(const sock &sk, sock &newsk)
{
	TRACE(newsk);
	if (newsk.sk_prot != sk.sk_prot_creator) // a socket map put its own operations there
		newsk.sk_prot = sk.sk_prot_creator;
}

} // namespace skbwalk
