// SPDX-License-Identifier: GPL-2.0-only
//
// Answers to packets that are refused (include/net/netfilter/ipv4/nf_reject.h).
#pragma once

#include "stack/netfilter/netfilter.h"
#include "stack/wire/headers.h"

namespace skbwalk {

void nf_send_unreach(sk_buff &skb_in, int code, u32 hook);
void nf_send_reset(net &net, sock *sk, sk_buff &oldskb, u32 hook);
// Null: not a segment that may be answered.
const tcphdr *nf_reject_ip_tcphdr_get(sk_buff &oldskb, tcphdr &_oth, u32 hook);
iphdr &nf_reject_iphdr_put(sk_buff &nskb, const sk_buff &oldskb, u8 protocol, int ttl);
void nf_reject_ip_tcphdr_put(sk_buff &nskb, const sk_buff &oldskb, const tcphdr &oth);

enum ipt_reject_with : u32 {
	IPT_ICMP_NET_UNREACHABLE,
	IPT_ICMP_HOST_UNREACHABLE,
	IPT_ICMP_PROT_UNREACHABLE,
	IPT_ICMP_PORT_UNREACHABLE,
	IPT_ICMP_ECHOREPLY,
	IPT_ICMP_NET_PROHIBITED,
	IPT_ICMP_HOST_PROHIBITED,
	IPT_TCP_RESET,
	IPT_ICMP_ADMIN_PROHIBITED
};
struct ipt_reject_info {
	ipt_reject_with with;
};

} // namespace skbwalk
