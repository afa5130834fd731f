// SPDX-License-Identifier: GPL-2.0-only
//
// Sockets of ICMP echo (include/net/ping.h): datagrams, whose identifier is the socket's port.
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

struct ping_sock : inet_sock {
	list_hook ping_node;
};
inline ping_sock &ping_sk(sock &sk) { return static_cast<ping_sock &>(sk); }

constexpr u32 PING_HTABLE_SIZE = 64, PING_HTABLE_MASK = PING_HTABLE_SIZE - 1;
struct ping_table_t {
	spinlock_t lock;
	std::array<list_of<ping_sock, &ping_sock::ping_node>, PING_HTABLE_SIZE> hash;
	u16 ping_port_rover = 0;
};
extern perhost<ping_table_t> ping_table;

extern proto ping_prot;
int ping_get_port(sock &sk, u16 ident);
void ping_unhash(sock &sk);
skb_drop_reason ping_rcv(sk_buff &skb); // queues a clone
void ping_err(sk_buff &skb, int offset, u32 info);
void ping_init();

} // namespace skbwalk
