// SPDX-License-Identifier: GPL-2.0-only
//
// Ethernet devices and headers (include/linux/etherdevice.h, net/ethernet/eth.c). Devices and the core's
// receive path name these functions, as in the kernel; the core reaches nothing else of this room.
#pragma once

#include <cstring>

#include "stack/core/neighbour.h"
#include "stack/core/netdevice.h"
#include "stack/kernel/random.h"

namespace skbwalk {

int eth_header(sk_buff &skb, net_device &dev, u16 type, const void *daddr, const void *saddr, u32 len);
// Sets skb.dev, pulls the Ethernet header and says which protocol follows it.
be16 eth_type_trans(sk_buff &skb, net_device &dev);
int eth_header_parse(const sk_buff &skb, u8 *haddr);
int eth_header_cache(const neighbour &neigh, hh_cache &hh, be16 type);
void eth_header_cache_update(hh_cache &hh, const net_device &dev, const u8 *haddr);
be16 eth_header_parse_protocol(const sk_buff &skb);
int eth_prepare_mac_addr_change(const net_device &dev, const mac_addr &addr);
void eth_commit_mac_addr_change(net_device &dev, const mac_addr &addr);
int eth_mac_addr(net_device &dev, const mac_addr &addr);
int eth_validate_addr(net_device &dev);
void ether_setup(net_device &dev);
extern const header_ops eth_header_ops;

inline bool is_zero_ether_addr(const mac_addr &a) { return a == mac_addr{}; }
inline bool is_multicast_ether_addr(const mac_addr &a) { return a[0] & 1; }
inline bool is_broadcast_ether_addr(const mac_addr &a)
{
	return a == mac_addr{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}
inline bool is_valid_ether_addr(const mac_addr &a)
{
	return !is_multicast_ether_addr(a) && !is_zero_ether_addr(a);
}
inline bool ether_addr_equal(const mac_addr &a, const mac_addr &b)
{
	// g++ 12 calls memcmp for six bytes.
	u32 a_first, b_first;
	u16 a_rest, b_rest;

	std::memcpy(&a_first, a.data(), 4);
	std::memcpy(&b_first, b.data(), 4);
	std::memcpy(&a_rest, a.data() + 4, 2);
	std::memcpy(&b_rest, b.data() + 4, 2);
	return !((a_first ^ b_first) | static_cast<u32>(a_rest ^ b_rest));
}
inline bool eth_proto_is_802_3(be16 proto) { return ntohs(proto) >= ETH_P_802_3_MIN; }
void eth_random_addr(mac_addr &addr); // header inlines: locally administered, unicast
void eth_hw_addr_random(net_device &dev);
void eth_hw_addr_set(net_device &dev, const mac_addr &addr);

} // namespace skbwalk
