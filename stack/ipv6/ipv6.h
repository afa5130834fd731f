// SPDX-License-Identifier: GPL-2.0-only
//
// AF_INET6 as far as IPv4 needs it (include/net/ipv6.h): TCP sockets that speak IPv4 under IPv4-mapped
// addresses, so that one listener serves both. There is no IPv6 itself: a native address is one that the host
// does not have.
#pragma once

#include "stack/ipv4/tcp.h"

namespace skbwalk {

extern proto tcpv6_prot;
extern const proto_ops inet6_stream_ops;
extern const inet_connection_sock_af_ops ipv6_specific, ipv6_mapped;

inline bool ipv6_addr_any(const in6_addr &a) { return a == in6_addr{}; }
bool ipv6_addr_v4mapped(const in6_addr &a);
// ::ffff:a.b.c.d
in6_addr ipv6_addr_set_v4mapped(be32 addr);
be32 ipv6_addr_v4(const in6_addr &a);

int inet6_release(socket &parent);
int inet6_bind(socket &parent, sockaddr_storage &uaddr, int addr_len);
int inet6_getname(socket &parent, sockaddr_storage &uaddr, int peer);
void inet6_csk_addr2sockaddr(sock &sk, sockaddr_storage &uaddr);
int ipv6_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int ipv6_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
int tcp_v6_connect(sock &sk, sockaddr_storage &uaddr, int addr_len);
int tcp_v6_do_rcv(sock &sk, skb_ptr skb);
bool ipv6_mod_enabled(); // the module has come to the current host, and was not told to do nothing
void inet6_init();       // on the current host, after inet_init

} // namespace skbwalk
