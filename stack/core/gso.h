// SPDX-License-Identifier: GPL-2.0-only
//
// What segmentation keeps in skb->cb, and its entry points. Which protocol cuts which packet is in gro.h's
// table.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

// At SKB_GSO_CB_OFFSET of cb, beside what the owner has there.
struct skb_gso_cb {
	int mac_offset; // of the first header that segmentation copies, from head
	int encap_level;
	__wsum csum;    // of the bytes from csum_start to the end
	u16 csum_start; // from head
};
constexpr std::size_t SKB_GSO_CB_OFFSET = 32;
inline skb_gso_cb &SKB_GSO_CB(sk_buff &skb)
{
	return *reinterpret_cast<skb_gso_cb *>(skb.cb + SKB_GSO_CB_OFFSET);
}
inline int skb_tnl_header_len(sk_buff &skb) { return skb.mac_header - SKB_GSO_CB(skb).mac_offset; }

[[nodiscard]] skb_segs __skb_gso_segment(sk_buff &skb, netdev_features_t features, bool tx_path);

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
