// SPDX-License-Identifier: GPL-2.0-only
//
// VLAN tags (include/linux/if_vlan.h). A tag stands either in the skb's own fields, for a device to put in
// (skb_vlan_tag_present), or in the packet, between the addresses and the type.
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

constexpr u16 VLAN_HLEN = 4, VLAN_ETH_HLEN = 18, VLAN_VID_MASK = 0x0fff, VLAN_N_VID = 4096,
	      ETH_P_8021AD = 0x88A8;

struct vlan_hdr {
	be16 h_vlan_TCI;
	be16 h_vlan_encapsulated_proto;
};
struct vlan_ethhdr {
	mac_addr h_dest;
	mac_addr h_source;
	be16 h_vlan_proto;
	be16 h_vlan_TCI;
	be16 h_vlan_encapsulated_proto;
};
static_assert(sizeof(vlan_hdr) == 4 && sizeof(vlan_ethhdr) == VLAN_ETH_HLEN && alignof(vlan_ethhdr) == 1 &&
              std::is_trivially_copyable_v<vlan_ethhdr>);

inline bool eth_type_vlan(be16 ethertype)
{
	return ethertype == htons(ETH_P_8021Q) || ethertype == htons(ETH_P_8021AD);
}
inline bool skb_vlan_tag_present(const sk_buff &skb) { return skb.vlan_present; }
inline u16 skb_vlan_tag_get(const sk_buff &skb) { return skb.vlan_tci; }
inline u16 skb_vlan_tag_get_id(const sk_buff &skb) { return skb.vlan_tci & VLAN_VID_MASK; }
inline vlan_ethhdr &vlan_eth_hdr(const sk_buff &skb)
{
	return *reinterpret_cast<vlan_ethhdr *>(skb_mac_header(skb));
}
inline void __vlan_hwaccel_clear_tag(sk_buff &skb) { skb.vlan_present = 0; }
inline void __vlan_hwaccel_put_tag(sk_buff &skb, be16 vlan_proto, u16 vlan_tci)
{
	skb.vlan_proto = vlan_proto;
	skb.vlan_tci = vlan_tci;
	skb.vlan_present = 1;
}
// Both put the tag into the packet, whose data begins at its Ethernet header; a failure frees the packet.
void vlan_insert_tag_set_proto(skb_ptr &skb, be16 vlan_proto, u16 vlan_tci); // header inlines
void __vlan_hwaccel_push_inside(skb_ptr &skb);
// The type behind all tags, and where what it names begins; zero when the packet is too short.
be16 vlan_get_protocol_and_depth(sk_buff &skb, be16 type, int *depth); // header inline
// Takes the outermost tag out of a received packet (its data is at the tag) into the skb's fields; a failure
// frees the packet.
void skb_vlan_untag(skb_ptr &skb);

} // namespace skbwalk
