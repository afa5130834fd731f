// SPDX-License-Identifier: GPL-2.0-only
//
// Generic receive offload (include/net/gro.h): what a polling driver hands its packets to. Protocols register
// how their packets are segmented (packet_offload), which GSO uses on the way out.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct offload_callbacks {
	skb_segs (*gso_segment)(sk_buff &skb, netdev_features_t features);
};
// How packets of an Ethernet type are cut; net/ipv4/af_inet.c has IP's. One for each host:
// perhost<packet_offload>.
struct packet_offload {
	be16 type{};
	u16 priority = 0;
	offload_callbacks callbacks{};
	list_head list;
};
void dev_add_offload(packet_offload &po);
void dev_remove_offload(packet_offload &po);
skb_segs skb_mac_gso_segment(sk_buff &skb, netdev_features_t features);

void gro_normal_list(napi_struct &napi); // header inlines
void gro_normal_one(napi_struct &napi, skb_ptr skb, int segs);
void flush_gro_hash(napi_struct &napi); // what it still holds is freed

} // namespace skbwalk
