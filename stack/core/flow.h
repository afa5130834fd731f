// SPDX-License-Identifier: GPL-2.0-only
//
// What a route is looked up by (include/net/flow.h).
#pragma once

#include "stack/kernel/types.h"
#include "stack/trace/trace.h"

namespace skbwalk {

constexpr u8 FLOWI_FLAG_ANYSRC = 1, FLOWI_FLAG_KNOWN_NH = 2;
constexpr int LOOPBACK_IFINDEX = 1;

struct flowi4 {
	int flowi4_oif = 0;
	int flowi4_iif = 0;
	int flowi4_l3mdev = 0;
	u32 flowi4_mark = 0;
	u8 flowi4_tos = 0;
	u8 flowi4_scope = 0;
	u8 flowi4_proto = 0;
	u8 flowi4_flags = 0;
	u32 flowi4_secid = 0;
	u32 flowi4_uid = 0;
	u32 flowi4_multipath_hash = 0;
	be32 saddr{};
	be32 daddr{};
	be16 fl4_sport{};
	be16 fl4_dport{};
	u8 fl4_icmp_type = 0;
	u8 fl4_icmp_code = 0;
};

inline void flowi4_init_output(flowi4 &fl4, int oif, u32 mark, u8 tos, u8 scope, u8 proto, u8 flags,
                               be32 daddr, be32 saddr, be16 dport, be16 sport, u32 uid)
{
	TRACE_INLINE();
	fl4 = {};
	fl4.flowi4_oif = oif;
	fl4.flowi4_iif = LOOPBACK_IFINDEX;
	fl4.flowi4_mark = mark;
	fl4.flowi4_tos = tos;
	fl4.flowi4_scope = scope;
	fl4.flowi4_proto = proto;
	fl4.flowi4_flags = flags;
	fl4.flowi4_uid = uid;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.fl4_dport = dport;
	fl4.fl4_sport = sport;
}

} // namespace skbwalk
