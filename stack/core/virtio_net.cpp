// SPDX-License-Identifier: GPL-2.0-only
//
// include/linux/virtio_net.h: the two directions. A large packet from outside is SKB_GSO_DODGY: its headers
// are looked at again before anybody cuts it, and its segments are counted then. Left out: UDP fragmentation
// offload, which nobody is offered, and packets whose network header is known before (packet sockets').
#include "stack/core/virtio_net.h"

#include <algorithm>
#include <cstddef>

namespace skbwalk {

namespace {

constexpr u16 TCP_MIN_GSO_SIZE = 8;

} // namespace

int virtio_net_hdr_to_skb(sk_buff &skb, const virtio_net_hdr &hdr)
{
	TRACE_INLINE(skb);
	u32 gso_type = 0;
	u32 thlen = 0;
	u32 p_off = 0;

	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		switch (hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
		case VIRTIO_NET_HDR_GSO_TCPV4:
			gso_type = SKB_GSO_TCPV4;
			break;
		case VIRTIO_NET_HDR_GSO_TCPV6:
			gso_type = SKB_GSO_TCPV6;
			break;
		default: // Unlike the kernel, VIRTIO_NET_HDR_GSO_UDP too
			return -EINVAL;
		}
		thlen = sizeof(tcphdr);
		if (hdr.gso_type & VIRTIO_NET_HDR_GSO_ECN)
			gso_type |= SKB_GSO_TCP_ECN;
		if (!hdr.gso_size)
			return -EINVAL;
	}
	skb_reset_mac_header(skb);
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		const u32 start = hdr.csum_start;
		const u32 off = hdr.csum_offset;

		if (!pskb_may_pull(skb, start + std::max<u32>(thlen, off + 2)) ||
		    !skb_partial_csum_set(skb, hdr.csum_start, hdr.csum_offset))
			return -EINVAL;
		p_off = static_cast<u32>(skb_transport_offset(skb)) + thlen;
		if (!pskb_may_pull(skb, p_off))
			return -EINVAL;
	} else if (gso_type) {
		p_off = thlen;
		if (!pskb_may_pull(skb, p_off))
			return -EINVAL;
	}
	if (!gso_type)
		return 0;
	if (skb.ip_summed == CHECKSUM_PARTIAL && skb.csum_offset != offsetof(tcphdr, check))
		return -EINVAL;

	const u16 gso_size = std::max(hdr.gso_size, TCP_MIN_GSO_SIZE);

	if (gso_size == GSO_BY_FRAGS)
		return -EINVAL;
	// What fits into one segment is no large packet.
	if (skb.len - p_off > gso_size) {
		skb_shared_info &shinfo = skb_shinfo(skb);

		shinfo.gso_size = gso_size;
		shinfo.gso_type = gso_type | SKB_GSO_DODGY;
		shinfo.gso_segs = 0;
	}
	return 0;
}

int virtio_net_hdr_from_skb(const sk_buff &skb, virtio_net_hdr &hdr, bool has_data_valid, int vlan_hlen)
{
	TRACE_INLINE(skb);
	hdr = {};
	if (skb_is_gso(skb)) {
		const skb_shared_info &sinfo = skb_shinfo(skb);

		hdr.hdr_len = static_cast<u16>(skb_headlen(skb));
		hdr.gso_size = sinfo.gso_size;
		if (sinfo.gso_type & SKB_GSO_TCPV4)
			hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		else if (sinfo.gso_type & SKB_GSO_TCPV6)
			hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		else
			return -EINVAL;
		if (sinfo.gso_type & SKB_GSO_TCP_ECN)
			hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	}
	if (skb.ip_summed == CHECKSUM_PARTIAL) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = static_cast<u16>(skb_checksum_start_offset(skb) + vlan_hlen);
		hdr.csum_offset = skb.csum_offset;
	} else if (has_data_valid && skb.ip_summed == CHECKSUM_UNNECESSARY) {
		hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	return 0;
}

} // namespace skbwalk
