// SPDX-License-Identifier: GPL-2.0-only
//
// VLAN tags into a packet and out of it: what net/core/skbuff.c and include/linux/if_vlan.h do with them.
// skb_vlan_untag takes the tag of a frame that came from a device that does not;
// __vlan_hwaccel_push_inside puts one in for a device that cannot. Left out: VLAN devices.
#include <cstring>

#include "stack/core/if_vlan.h"
#include "stack/core/netdevice.h"

namespace skbwalk {

// `vhdr` is the tag and the two bytes behind it.
static void vlan_set_encap_proto(sk_buff &skb, const u8 *vhdr)
{
	TRACE_INLINE(skb);
	const be16 proto{{vhdr[2], vhdr[3]}};

	if (ntohs(proto) >= ETH_P_802_3_MIN) {
		skb.protocol = proto;
		return;
	}
	// Old NetWare: 802.3 without an 802.2 header, known by its first bytes.
	skb.protocol = htons(vhdr[4] == 0xff && vhdr[5] == 0xff ? ETH_P_802_3 : ETH_P_802_2);
}

static void skb_reorder_vlan_header(skb_ptr &skb)
{
	TRACE(skb);
	if (skb_cow(*skb, skb_headroom(*skb)) < 0) {
		kfree_skb(std::exchange(skb, nullptr));
		return;
	}
	u8 *mac = skb_mac_header(*skb);
	const auto mac_len = static_cast<std::size_t>(skb->data - mac);

	if (mac_len > VLAN_HLEN + sizeof(be16))
		std::memmove(mac + VLAN_HLEN, mac, mac_len - VLAN_HLEN - sizeof(be16));
	skb->mac_header = static_cast<u16>(skb->mac_header + VLAN_HLEN);
}

void skb_vlan_untag(skb_ptr &skb)
{
	TRACE(skb);
	if (skb_vlan_tag_present(*skb)) // another tag waits there already
		return;
	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb)
		return;
	// The two bytes behind the tag tell one kind of 802.3 from another.
	if (!pskb_may_pull(*skb, VLAN_HLEN + sizeof(u16))) {
		kfree_skb(std::exchange(skb, nullptr));
		return;
	}
	const u8 *vhdr = skb->data;

	__vlan_hwaccel_put_tag(*skb, skb->protocol, static_cast<u16>(vhdr[0] << 8 | vhdr[1]));
	skb_pull_rcsum(*skb, VLAN_HLEN);
	vlan_set_encap_proto(*skb, vhdr);
	skb_reorder_vlan_header(skb);
	if (!skb)
		return;
	skb_reset_network_header(*skb);
	if (!skb_transport_header_was_set(*skb))
		skb_reset_transport_header(*skb);
	skb_reset_mac_len(*skb);
}

static int __vlan_insert_inner_tag(sk_buff &skb, be16 vlan_proto, u16 vlan_tci)
{
	TRACE_INLINE(skb);
	if (!pskb_may_pull(skb, ETH_HLEN))
		return -EINVAL;
	if (skb_cow_head(skb, VLAN_HLEN) < 0)
		return -ENOMEM;
	skb_push(skb, VLAN_HLEN);
	std::memmove(skb.data, skb.data + VLAN_HLEN, ETH_HLEN - sizeof(be16));
	skb.mac_header = static_cast<u16>(skb.mac_header - VLAN_HLEN);

	auto &veth = *reinterpret_cast<vlan_ethhdr *>(skb.data);

	veth.h_vlan_proto = vlan_proto;
	veth.h_vlan_TCI = htons(vlan_tci);
	return 0;
}

void vlan_insert_tag_set_proto(skb_ptr &skb, be16 vlan_proto, u16 vlan_tci)
{
	TRACE_INLINE(skb);
	if (__vlan_insert_inner_tag(*skb, vlan_proto, vlan_tci))
		kfree_skb(std::exchange(skb, nullptr));
	else
		skb->protocol = vlan_proto;
}

void __vlan_hwaccel_push_inside(skb_ptr &skb)
{
	TRACE_INLINE(skb);
	vlan_insert_tag_set_proto(skb, skb->vlan_proto, skb_vlan_tag_get(*skb));
	if (skb)
		__vlan_hwaccel_clear_tag(*skb);
}

be16 vlan_get_protocol_and_depth(sk_buff &skb, be16 type, int *depth)
{
	TRACE_INLINE(skb);
	u32 vlan_depth = skb.mac_len;

	if (eth_type_vlan(type)) {
		if (vlan_depth) {
			if (vlan_depth < VLAN_HLEN)
				return be16{};
			vlan_depth -= VLAN_HLEN;
		} else {
			vlan_depth = ETH_HLEN;
		}
		for (int parse_depth = 8; eth_type_vlan(type);) {
			vlan_hdr buffer;
			const auto *vh = static_cast<const vlan_hdr *>(skb_header_pointer(
				skb, static_cast<int>(vlan_depth), sizeof(buffer), &buffer));

			if (!vh || !--parse_depth)
				return be16{};
			type = vh->h_vlan_encapsulated_proto;
			vlan_depth += VLAN_HLEN;
		}
	}
	if (!pskb_may_pull(skb, vlan_depth))
		return be16{};
	if (depth)
		*depth = static_cast<int>(vlan_depth);
	return type;
}

} // namespace skbwalk
