// SPDX-License-Identifier: GPL-2.0-only
//
// What stands in front of a frame that goes between a kernel and somebody who takes packets unfinished
// (include/linux/virtio_net.h): where a checksum is still to be computed, and into segments of what size the
// frame is to be cut. virtio_net_hdr_to_skb believes such a header as far as it must; virtio_net_hdr_from_skb
// writes one.
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

constexpr u8 VIRTIO_NET_HDR_F_NEEDS_CSUM = 1, VIRTIO_NET_HDR_F_DATA_VALID = 2; // virtio_net_hdr::flags
constexpr u8 VIRTIO_NET_HDR_GSO_NONE = 0, VIRTIO_NET_HDR_GSO_TCPV4 = 1, VIRTIO_NET_HDR_GSO_UDP = 3,
	     VIRTIO_NET_HDR_GSO_TCPV6 = 4, VIRTIO_NET_HDR_GSO_ECN = 0x80; // virtio_net_hdr::gso_type

// In the machine's byte order, as for a device without VIRTIO_F_VERSION_1.
struct virtio_net_hdr {
	u8 flags;
	u8 gso_type;
	u16 hdr_len;  // a hint: so much had better be linear
	u16 gso_size; // payload of a segment
	u16 csum_start;
	u16 csum_offset;
};
static_assert(sizeof(virtio_net_hdr) == 10 && alignof(virtio_net_hdr) == 2);
static_assert(std::is_trivially_copyable_v<virtio_net_hdr>);

// -EINVAL for a header that does not fit the packet.
[[nodiscard]] int virtio_net_hdr_to_skb(sk_buff &skb, const virtio_net_hdr &hdr);
// -EINVAL for a packet that such a header cannot describe.
[[nodiscard]] int virtio_net_hdr_from_skb(const sk_buff &skb, virtio_net_hdr &hdr, bool has_data_valid,
                                          int vlan_hlen);

} // namespace skbwalk
