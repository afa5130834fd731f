// SPDX-License-Identifier: GPL-2.0-only
//
// Explicit congestion notification in the IPv4 header (include/net/inet_ecn.h, RFC 3168).
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

constexpr u8 INET_ECN_NOT_ECT = 0, INET_ECN_ECT_1 = 1, INET_ECN_ECT_0 = 2, INET_ECN_CE = 3, INET_ECN_MASK = 3;
// tcp_sock::ecn_flags
constexpr u8 TCP_ECN_OK = 1, TCP_ECN_QUEUE_CWR = 2, TCP_ECN_DEMAND_CWR = 4, TCP_ECN_SEEN = 8;
constexpr u32 RTAX_FEATURE_ECN = 1;

inline bool INET_ECN_is_ce(u8 dsfield) { return (dsfield & INET_ECN_MASK) == INET_ECN_CE; }
inline bool INET_ECN_is_not_ect(u8 dsfield) { return (dsfield & INET_ECN_MASK) == INET_ECN_NOT_ECT; }
inline bool INET_ECN_is_capable(u8 dsfield) { return dsfield & INET_ECN_ECT_0; }
inline void INET_ECN_xmit(sock &sk) { inet_sk(sk).tos |= INET_ECN_ECT_0; }
inline void INET_ECN_dontxmit(sock &sk)
{
	inet_sk(sk).tos = static_cast<u8>(inet_sk(sk).tos & ~INET_ECN_MASK);
}
inline bool dst_feature(const dst_entry &dst, u32 feature)
{
	return dst_metric(dst, RTAX_FEATURES) & feature;
}

} // namespace skbwalk
