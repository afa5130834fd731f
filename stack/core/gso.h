// SPDX-License-Identifier: GPL-2.0-only
//
// Offload tables (struct packet_offload of include/linux/netdevice.h) and what segmentation keeps in skb->cb: how a protocol
// cuts a large packet into segments, and later how GRO puts segments together.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct offload_callbacks {
	skb_segs (*gso_segment)(sk_buff &skb, netdev_features_t features);
	sk_buff *(*gro_receive)(list_head &head, sk_buff &skb); // one to flush, or null
	int (*gro_complete)(sk_buff &skb, int nhoff);
};

// By EtherType; on the current host. Objects are constants of the protocol's file.
struct packet_offload {
	u16 type;
	u16 priority;
	offload_callbacks callbacks;
};
void dev_add_offload(const packet_offload &po);
const packet_offload *gro_find_receive_by_type(be16 type);
const packet_offload *gro_find_complete_by_type(be16 type);

// At SKB_GSO_CB_OFFSET of cb, beside what the owner has there.
struct skb_gso_cb {
	int mac_offset;  // of the first header that segmentation copies, from head
	int encap_level;
	__wsum csum;     // of the bytes from csum_start to the end
	u16 csum_start;  // from head
};
constexpr std::size_t SKB_GSO_CB_OFFSET = 32;
inline skb_gso_cb &SKB_GSO_CB(sk_buff &skb) { return *reinterpret_cast<skb_gso_cb *>(skb.cb + SKB_GSO_CB_OFFSET); }
inline int skb_tnl_header_len(sk_buff &skb) { return skb.mac_header - SKB_GSO_CB(skb).mac_offset; }

[[nodiscard]] skb_segs __skb_gso_segment(sk_buff &skb, netdev_features_t features, bool tx_path);
[[nodiscard]] skb_segs skb_mac_gso_segment(sk_buff &skb, netdev_features_t features);
bool can_checksum_protocol(netdev_features_t features, be16 protocol);
bool net_gso_ok(netdev_features_t features, u32 gso_type);
bool skb_gso_ok(const sk_buff &skb, netdev_features_t features);

// The checksum of a segment from its transport header on: `res` is the pseudo header's complement.
inline be16 gso_make_checksum(sk_buff &skb, __wsum res)
{
	const u8 *csum_start = skb_transport_header(skb);
	skb_gso_cb &cb = SKB_GSO_CB(skb);
	const auto plen = static_cast<u32>(skb.head + cb.csum_start - csum_start);
	const __wsum partial = cb.csum;

	cb.csum = res;
	cb.csum_start = static_cast<u16>(csum_start - skb.head);
	return csum_fold(csum_partial(csum_start, plen, partial));
}
inline void gso_reset_checksum(sk_buff &skb, __wsum res)
{
	SKB_GSO_CB(skb).csum = res;
	SKB_GSO_CB(skb).csum_start = skb.csum_start;
}

} // namespace skbwalk
