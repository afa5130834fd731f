// SPDX-License-Identifier: GPL-2.0-only
//
// Error reports that wait in a socket's error queue (include/linux/errqueue.h): what skb->cb holds of one.
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

constexpr u8 SO_EE_ORIGIN_NONE = 0, SO_EE_ORIGIN_LOCAL = 1, SO_EE_ORIGIN_ICMP = 2, SO_EE_ORIGIN_ICMP6 = 3,
	     SO_EE_ORIGIN_TIMESTAMPING = 4;

struct sock_extended_err {
	u32 ee_errno;
	u8 ee_origin;
	u8 ee_type;
	u8 ee_code;
	u8 ee_pad;
	u32 ee_info; // ICMP_FRAG_NEEDED: the MTU
	u32 ee_data;
};
struct sock_exterr_skb {
	u8 header[24]; // the control block of IP
	sock_extended_err ee;
	u16 addr_offset; // from the network header: the address that the failed packet went to
	be16 port;
	u8 opt_stats;
};
static_assert(sizeof(sock_exterr_skb) <= sizeof(sk_buff::cb));
inline sock_exterr_skb &SKB_EXT_ERR(sk_buff &skb) { return *reinterpret_cast<sock_exterr_skb *>(skb.cb); }

} // namespace skbwalk
