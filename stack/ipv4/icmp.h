// SPDX-License-Identifier: GPL-2.0-only
//
// ICMP (include/net/icmp.h).
#pragma once

#include "stack/ipv4/ip.h"
#include "stack/ipv4/ping.h"
#include "stack/ipv4/raw.h"
#include "stack/ipv4/udp.h"

namespace skbwalk {

struct icmp_errno { // the kernel's struct icmp_err: the name is a function's too
	int errno_;
	bool fatal;
};
extern const std::array<icmp_errno, 16> icmp_err_convert;
void __icmp_send(sk_buff &skb_in, int type, int code, be32 info, const ip_options_info &opt);
inline void icmp_send(sk_buff &skb_in, int type, int code, be32 info)
{
	TRACE_INLINE(skb_in);
	__icmp_send(skb_in, type, code, info, IPCB(skb_in));
}
int icmp_rcv(skb_ptr skb);
int icmp_err(sk_buff &skb, u32 info);
void icmp_out_count(net &net, u8 type);
bool icmp_global_allow(net &net);
void icmp_global_consume(net &net);
bool icmp_build_probe(sk_buff &skb, icmphdr &icmphdr);
void icmp_init();
void icmp_exit(); // before a host ends

extern const proto_ops inet_stream_ops, inet_dgram_ops, inet_sockraw_ops;

} // namespace skbwalk
