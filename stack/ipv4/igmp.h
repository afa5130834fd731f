// SPDX-License-Identifier: GPL-2.0-only
//
// IGMP on the wire (include/uapi/linux/igmp.h), and the check that who listens to it makes.
#pragma once

#include "stack/core/skbuff.h"
#include "stack/wire/socket.h"

namespace skbwalk {

constexpr u8 IPPROTO_IGMP = 2;
constexpr u8 IGMP_HOST_MEMBERSHIP_QUERY = 0x11, IGMP_HOST_MEMBERSHIP_REPORT = 0x12,
	     IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16, IGMP_HOST_LEAVE_MESSAGE = 0x17,
	     IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22;
constexpr u8 IGMPV3_MODE_IS_INCLUDE = 1, IGMPV3_MODE_IS_EXCLUDE = 2, IGMPV3_CHANGE_TO_INCLUDE = 3,
	     IGMPV3_CHANGE_TO_EXCLUDE = 4, IGMPV3_ALLOW_NEW_SOURCES = 5, IGMPV3_BLOCK_OLD_SOURCES = 6;
constexpr u32 IGMP_TIMER_SCALE = 10; // codes are tenths of a second

struct igmphdr {
	u8 type;
	u8 code;
	be16 csum;
	be32 group;
};
struct igmpv3_query {
	u8 type;
	u8 code;
	be16 csum;
	be32 group;
	u8 suppress_qrv;
	u8 qqic;
	be16 nsrcs;
};
struct igmpv3_report {
	u8 type;
	u8 resv1;
	be16 csum;
	be16 resv2;
	be16 ngrec;
};
struct igmpv3_grec {
	u8 grec_type;
	u8 grec_auxwords;
	be16 grec_nsrcs;
	be32 grec_mca;
};
static_assert(sizeof(igmphdr) == 8 && sizeof(igmpv3_query) == 12 && sizeof(igmpv3_report) == 8 &&
              sizeof(igmpv3_grec) == 8 && alignof(igmpv3_grec) == 1);
inline igmphdr &igmp_hdr(const sk_buff &skb)
{
	return *reinterpret_cast<igmphdr *>(skb_transport_header(skb));
}

// Of a packet whose network header is set: 0 and its transport header is set, -ENOMSG when it is IPv4 but not
// IGMP, -EINVAL when it is broken.
int ip_mc_check_igmp(sk_buff &skb);
u32 ip_transport_len(const sk_buff &skb);   // header inlines
bool ip_mc_may_pull(sk_buff &skb, u32 len); // is so much of it within the IP packet?

} // namespace skbwalk
