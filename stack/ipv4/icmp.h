// SPDX-License-Identifier: GPL-2.0-only
//
// ICMP (include/net/icmp.h), ping and raw sockets (include/net/ping.h, raw.h), UDP (include/net/udp.h).
#pragma once

#include "stack/ipv4/ip.h"

namespace skbwalk {

struct icmp_errno { // the kernel's struct icmp_err: the name is a function's too
	int errno_;
	bool fatal;
};
extern const std::array<icmp_errno, 16> icmp_err_convert;
void __icmp_send(sk_buff &skb_in, int type, int code, be32 info, const inet_skb_cb &opt);
void icmp_send(sk_buff &skb_in, int type, int code, be32 info); // inline
int icmp_rcv(skb_ptr skb);
int icmp_err(sk_buff &skb, u32 info);
void icmp_out_count(net &net, u8 type);
bool icmp_global_allow(net &net);
void icmp_global_consume(net &net);
void icmp_init();

// --- ping.c ---
extern proto ping_prot;
skb_drop_reason ping_rcv(skb_ptr skb);
void ping_err(sk_buff &skb, int offset, u32 info);
void ping_init();

// --- raw.c ---
extern proto raw_prot;
bool raw_local_deliver(sk_buff &skb, int protocol);
void raw_icmp_error(sk_buff &skb, int protocol, u32 info);
int raw_rcv(sock &sk, skb_ptr skb);
void raw_init();

// --- udp.c ---
struct udp_sock : inet_sock {
	int pending = 0; // AF_INET while corked
	u8 corkflag = 0, encap_type = 0, no_check6 = 0;
	u16 len = 0, gso_size = 0;
	sk_buff_head reader_queue;
	int forward_deficit = 0, forward_threshold = 0;
	u32 udp_port_hash = 0, udp_portaddr_hash = 0;
	list_hook udp_node, udp_portaddr_node;
};
inline udp_sock &udp_sk(sock &sk) { return static_cast<udp_sock &>(sk); }
inline const udp_sock &udp_sk(const sock &sk) { return static_cast<const udp_sock &>(sk); }
extern proto udp_prot;
int udp_rcv(skb_ptr skb);
int udp_err(sk_buff &skb, u32 info);
void udp_v4_early_demux(sk_buff &skb);
int udp_sendmsg(sock &sk, msghdr &msg, std::size_t len);
int udp_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len);
u32 udp_poll(file &file, socket &sock, poll_table *wait);
void udp_init();

extern const proto_ops inet_stream_ops, inet_dgram_ops, inet_sockraw_ops;

} // namespace skbwalk
