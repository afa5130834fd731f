// SPDX-License-Identifier: GPL-2.0-only
//
// Which flow a packet belongs to (include/net/flow_dissector.h): addresses, ports and protocol, and the hash
// of them.
#pragma once

#include "stack/core/skbuff.h"
#include "stack/wire/socket.h"

namespace skbwalk {

constexpr u16 FLOW_DISSECTOR_KEY_IPV4_ADDRS = 2,
	      FLOW_DISSECTOR_KEY_IPV6_ADDRS = 3; // flow_dissector_key_control::addr_type
constexpr u32 FLOW_DIS_IS_FRAGMENT = 1, FLOW_DIS_FIRST_FRAG = 2, FLOW_DIS_ENCAPSULATION = 4;
constexpr u32 FLOW_DISSECTOR_F_PARSE_1ST_FRAG = 1, FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL = 2,
	      FLOW_DISSECTOR_F_STOP_AT_ENCAP = 4;

struct flow_dissector_key_control {
	u16 thoff = 0; // of the transport header, from the data
	u16 addr_type = 0;
	u32 flags = 0;
};

struct flow_dissector_key_ipv4_addrs {
	be32 src;
	be32 dst;
};
struct flow_dissector_key_ipv6_addrs {
	in6_addr src;
	in6_addr dst;
};

// What is hashed begins at n_proto and has no padding; addresses come last.
struct flow_keys {
	flow_dissector_key_control control;
	be16 n_proto{};
	u8 ip_proto = 0;
	u8 pad = 0;
	u32 flow_label = 0;
	be16 vlan_tci{};
	be16 vlan_tpid{};
	be16 src{}; // ports
	be16 dst{};
	u8 icmp_type = 0, icmp_code = 0;
	u16 icmp_id = 0;
	union {
		flow_dissector_key_ipv4_addrs v4addrs;
		flow_dissector_key_ipv6_addrs v6addrs{};
	};
};
static_assert(sizeof(flow_keys) == sizeof(flow_dissector_key_control) + 20 + 32);

bool __skb_flow_dissect(const sk_buff &skb, flow_keys &keys,
                        u32 flags); // false: not understood; what was found is in keys
be32 __skb_flow_get_ports(const sk_buff &skb, int thoff, u8 ip_proto, const void *data, int hlen);
u32 flow_hash_from_keys(flow_keys &keys);
u32 __skb_get_hash_symmetric(const sk_buff &skb);
u32 skb_get_hash_perturb(const sk_buff &skb, const struct siphash_key_t &perturb);
u32 __skb_get_poff(const sk_buff &skb, const flow_keys &keys, int hlen);
inline bool flow_keys_have_l4(const flow_keys &keys) { return keys.src || keys.dst || keys.flow_label; }

} // namespace skbwalk
