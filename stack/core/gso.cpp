// SPDX-License-Identifier: GPL-2.0-only
//
// The software half of net/core/dev.c: what a device does not do. __skb_gso_segment prepares a large packet
// and lets the table of gro.h find who cuts it; skb_checksum_help computes a checksum that was left to the
// device.
#include "stack/core/gso.h"

#include "stack/core/gro.h"

namespace skbwalk {

static bool skb_needs_check(const sk_buff &skb, bool tx_path)
{
	TRACE(skb);
	if (tx_path)
		return skb.ip_summed != CHECKSUM_PARTIAL && skb.ip_summed != CHECKSUM_UNNECESSARY;
	return skb.ip_summed == CHECKSUM_NONE;
}

skb_segs __skb_gso_segment(sk_buff &skb, netdev_features_t features, bool tx_path)
{
	TRACE(skb);
	if (skb_needs_check(skb, tx_path)) {
		// The protocol is going to write its check field.
		if (const int err = skb_cow_head(skb, 0); err < 0)
			return {nullptr, err};
	}
	static_assert(SKB_GSO_CB_OFFSET + sizeof(skb_gso_cb) <= sizeof(skb.cb));
	SKB_GSO_CB(skb).mac_offset = static_cast<int>(skb_headroom(skb));
	SKB_GSO_CB(skb).encap_level = 0;
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	return skb_mac_gso_segment(skb, features);
}

skb_segs skb_gso_segment(sk_buff &skb, netdev_features_t features, bool tx_path)
{
	TRACE(skb);
	return __skb_gso_segment(skb, features, tx_path);
}

int skb_checksum_help(sk_buff &skb)
{
	TRACE(skb);
	if (skb.ip_summed == CHECKSUM_COMPLETE) {
		skb.ip_summed = CHECKSUM_NONE;
		return 0;
	}
	if (skb_is_gso(skb))
		return -EINVAL;
	int offset = skb_checksum_start_offset(skb);
	const auto headlen = static_cast<int>(skb_headlen(skb));
	if (offset >= headlen)
		return -EINVAL;
	const __wsum csum = skb_checksum(skb, offset, static_cast<int>(skb.len) - offset, 0);
	offset += skb.csum_offset;
	if (offset + 2 > headlen)
		return -EINVAL;
	if (const int err = skb_ensure_writable(skb, static_cast<u32>(offset + 2)))
		return err;
	be16 sum = csum_fold(csum);
	if (!sum)
		sum = CSUM_MANGLED_0;
	std::memcpy(skb.data + offset, &sum, sizeof(sum));
	skb.ip_summed = CHECKSUM_NONE;
	return 0;
}

} // namespace skbwalk
