// SPDX-License-Identifier: GPL-2.0-only
//
// What the two parts of net/ipv4/icmp.c share: icmp.cpp has what comes in, icmp_output.cpp what goes out.
#pragma once

#include "stack/ipv4/icmp.h"

namespace skbwalk {

// A message to send: its header, then data_len bytes of skb from offset on.
struct icmp_bxm {
	sk_buff *skb = nullptr;
	int offset = 0;
	int data_len = 0;
	struct {
		struct icmphdr icmph;
		be32 times[3];
	} data{};
	int head_len = 0;
	ip_options replyopts;
};

// By type: what to do with one, and whether it reports an error. The skb stays the caller's.
struct icmp_control {
	skb_drop_reason (*handler)(sk_buff &skb);
	bool error;
};
extern const std::array<icmp_control, NR_ICMP_TYPES + 1> icmp_pointers;

inline void ICMPMSGOUT_INC_STATS(net &net, u8 type) { ++net.mib.icmpmsg_statistics[256u + type]; }
inline void ICMPMSGIN_INC_STATS(net &net, u8 type) { ++net.mib.icmpmsg_statistics[type]; }

void icmp_reply(icmp_bxm &icmp_param, sk_buff &skb);

} // namespace skbwalk
