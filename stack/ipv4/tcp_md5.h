// SPDX-License-Identifier: GPL-2.0-only
//
// Signed segments (RFC 2385; the MD5 part of include/net/tcp.h). A socket has keys by peer, each for an
// address or a prefix; the longest prefix that fits is the one. What a connection's own segments are signed
// with is asked through the address family's operations (tcp_sock_af_ops), what comes in is checked by
// tcp_inbound_md5_hash.
#pragma once

#include "stack/ipv4/tcp.h"
#include "stack/kernel/md5.h"

namespace skbwalk {

constexpr u32 TCP_MD5SIG_MAXKEYLEN = 80;
constexpr u8 TCP_MD5SIG_FLAG_PREFIX = 1, TCP_MD5SIG_FLAG_IFINDEX = 2;

// What setsockopt() is given (include/uapi/linux/tcp.h).
struct tcp_md5sig {
	sockaddr_storage tcpm_addr;
	u8 tcpm_flags;
	u8 tcpm_prefixlen;
	u16 tcpm_keylen;
	int tcpm_ifindex;
	u8 tcpm_key[TCP_MD5SIG_MAXKEYLEN];
};
static_assert(sizeof(tcp_md5sig) == 216);

struct tcp_md5_addr {
	be32 a4;
};
struct tcp_md5sig_key {
	tcp_md5sig_key *next; // in tcp_md5sig_info, the newest first
	rcu_head rcu;
	u8 keylen;
	u8 family;
	u8 prefixlen;
	u8 flags;
	tcp_md5_addr addr;
	int l3index; // set if the key is of a layer 3 master's domain
	u8 key[TCP_MD5SIG_MAXKEYLEN];
};
struct tcp_md5sig_info {
	tcp_md5sig_key *head;
	rcu_head rcu;
};

// A cpu's place to make digests in.
struct tcp_md5sig_pool {
	md5_state md5_req;
	u8 scratch[64]; // pseudo header and header
};

// Null without a key for the peer.
tcp_md5sig_key *tcp_md5_do_lookup(const sock &sk, int l3index, tcp_md5_addr addr, int family); // inline
tcp_md5sig_key *__tcp_md5_do_lookup(const sock &sk, int l3index, tcp_md5_addr addr, int family);
int tcp_md5_do_add(sock &sk, tcp_md5_addr addr, int family, u8 prefixlen, int l3index, u8 flags,
                   const u8 *newkey, u8 newkeylen, gfp_t gfp);
int tcp_md5_do_del(sock &sk, tcp_md5_addr addr, int family, u8 prefixlen, int l3index, u8 flags);
void tcp_clear_md5_list(sock &sk);
int tcp_v4_parse_md5_keys(sock &sk, int optname, const void *optval, u32 optlen);
// 0, and a digest of MD5_DIGEST_SIZE bytes. Without a socket the addresses are the packet's.
int tcp_v4_md5_hash_skb(u8 *md5_hash, const tcp_md5sig_key &key, const sock *sk, const sk_buff &skb);
int tcp_v4_md5_hash_hdr(u8 *md5_hash, const tcp_md5sig_key &key, be32 daddr, be32 saddr, const tcphdr &th);
bool tcp_alloc_md5sig_pool();
tcp_md5sig_pool *tcp_get_md5sig_pool(); // leaves bottom halves off
int tcp_md5_hash_skb_data(tcp_md5sig_pool &hp, const sk_buff &skb, u32 header_len);
int tcp_md5_hash_key(tcp_md5sig_pool &hp, const tcp_md5sig_key &key);
// The static key: has any socket of this host ever had one?
bool tcp_md5_needed();

inline void tcp_put_md5sig_pool()
{
	TRACE_INLINE();
	local_bh_enable();
}
inline tcp_md5sig_key *tcp_md5_do_lookup(const sock &sk, int l3index, tcp_md5_addr addr, int family)
{
	TRACE_INLINE(sk);
	return tcp_md5_needed() ? __tcp_md5_do_lookup(sk, l3index, addr, family) : nullptr;
}

} // namespace skbwalk
