// SPDX-License-Identifier: GPL-2.0-only
//
// To what a packet may be mapped (uapi/linux/netfilter/nf_nat.h).
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u32 NF_NAT_RANGE_MAP_IPS = 1, NF_NAT_RANGE_PROTO_SPECIFIED = 2, NF_NAT_RANGE_PROTO_RANDOM = 4,
	      NF_NAT_RANGE_PERSISTENT = 8, NF_NAT_RANGE_PROTO_RANDOM_FULLY = 16,
	      NF_NAT_RANGE_PROTO_OFFSET = 32;
constexpr u32 NF_NAT_RANGE_PROTO_RANDOM_ALL = NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY;
struct nf_nat_ipv4_range {
	u32 flags;
	be32 min_ip, max_ip;
	be16 min, max;
};
struct nf_nat_ipv4_multi_range_compat {
	u32 rangesize;
	nf_nat_ipv4_range range[1];
};
struct nf_nat_range2 {
	u32 flags;
	be32 min_addr, max_addr;
	be16 min_proto, max_proto, base_proto;
};

} // namespace skbwalk
