// SPDX-License-Identifier: GPL-2.0-only
//
// Raw sockets (include/net/raw.h): one hash by protocol number.
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

struct icmp_filter_mask { // the kernel's struct icmp_filter: the name is a function's too
	u32 data = 0;     // a bit for each type that is not wanted
};
struct raw_sock : inet_sock {
	icmp_filter_mask filter;
	list_hook raw_node;
};
inline raw_sock &raw_sk(sock &sk) { return static_cast<raw_sock &>(sk); }
inline const raw_sock &raw_sk(const sock &sk) { return static_cast<const raw_sock &>(sk); }
constexpr int ICMP_FILTER = 1; // option at level SOL_RAW

constexpr u32 RAW_HTABLE_LOG = 8, RAW_HTABLE_SIZE = 1u << RAW_HTABLE_LOG;
struct raw_hashinfo {
	spinlock_t lock;
	std::array<list_of<raw_sock, &raw_sock::raw_node>, RAW_HTABLE_SIZE> ht;
};
extern perhost<raw_hashinfo> raw_v4_hashinfo;
inline u32 raw_hashfunc(const net &net, u32 proto)
{
	return ((net_hash_mix(net) ^ proto) * 0x61C88647u) >> (32 - RAW_HTABLE_LOG);
}

extern proto raw_prot;
bool raw_v4_match(const net &net, const sock &sk, u16 num, be32 raddr, be32 laddr, int dif, int sdif);
bool raw_local_deliver(sk_buff &skb, int protocol);
void raw_icmp_error(sk_buff &skb, int protocol, u32 info);
int raw_rcv(sock &sk, skb_ptr skb);
int raw_hash_sk(sock &sk);
void raw_unhash_sk(sock &sk);
void raw_init();

} // namespace skbwalk
