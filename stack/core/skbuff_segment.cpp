// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c: segmentation. skb_segment cuts a large packet at gso_size: each segment gets a copy of
// all headers, then either a share of the frags (a device with scatter-gather) or a copy of the bytes; where
// the device does not checksum, the payload's sum is left in SKB_GSO_CB for the protocol to finish. Also what
// a segment will measure. Left out: GSO partial, and the fraglist form (skb_segment_list).
#include <algorithm>

#include "stack/core/gso.h"
#include "stack/core/skbuff_private.h"
#include "stack/core/sock.h"

namespace skbwalk {

namespace {

bool device_checksums(netdev_features_t features, be16 protocol)
{
	if (features & NETIF_F_HW_CSUM)
		return true;
	if (protocol == htons(ETH_P_IP))
		return features & NETIF_F_IP_CSUM;
	return protocol == htons(ETH_P_IPV6) && (features & NETIF_F_IPV6_CSUM);
}

// The head of an skb whose memory is a piece of a page, as a frag.
skb_frag_t head_as_frag(const sk_buff &skb)
{
	return {skb.head_page, skb_headlen(skb),
	        static_cast<u32>(skb.data - reinterpret_cast<u8 *>(skb.head_page->data))};
}

// Where the next byte to share lies: the frags of head_skb, then, of each member of its frag_list, the head
// (if it can be shared) and the frags.
struct frag_cursor {
	sk_buff *list; // the member that comes next
	sk_buff *of;   // whose frags `i` counts
	int i = 0;     // -1: the head of `of`
	int nfrags;
	u32 pos; // of frag i in the whole packet

	[[nodiscard]] skb_frag_t frag() const { return i < 0 ? head_as_frag(*of) : skb_shinfo(*of).frags[i]; }
};

// Puts what lies in [offset + linear, offset + len) into nskb's frags. False: too many.
bool share_frags(frag_cursor &c, sk_buff &nskb, u32 offset, u32 len)
{
	skb_shared_info &shinfo = skb_shinfo(nskb);

	while (c.pos < offset + len) {
		if (c.i >= c.nfrags) {
			c.of = c.list;
			c.i = skb_headlen(*c.of) ? -1 : 0;
			assert(c.i == 0 || c.of->head_frag);
			c.nfrags = skb_shinfo(*c.of).nr_frags;
			c.list = c.list->next;
		}
		if (shinfo.nr_frags >= MAX_SKB_FRAGS)
			return false;
		skb_frag_t f = c.frag();
		const u32 size = f.size;
		skb_frag_ref(f);
		if (c.pos < offset) {
			f.offset += offset - c.pos;
			f.size -= offset - c.pos;
		}
		const bool whole = c.pos + size <= offset + len;
		if (!whole)
			f.size -= c.pos + size - (offset + len);
		shinfo.frags[shinfo.nr_frags++] = f;
		if (!whole)
			break;
		++c.i;
		c.pos += size;
	}
	return true;
}

} // namespace

skb_segs skb_segment(sk_buff &head_skb, netdev_features_t features)
{
	TRACE(head_skb);
	const skb_shared_info &head_shinfo = skb_shinfo(head_skb);
	const u32 mss = head_shinfo.gso_size;
	const auto doffset = static_cast<u32>(head_skb.data - skb_mac_header(head_skb));
	const u32 tnl_hlen = static_cast<u32>(skb_tnl_header_len(head_skb));
	sk_buff *segs = nullptr;
	sk_buff *tail = nullptr;
	u32 offset = doffset;
	u32 len;

	// An untrusted size need not end where members of the list end, whose heads can then not be shared.
	if ((head_shinfo.gso_type & SKB_GSO_DODGY) && mss != GSO_BY_FRAGS && mss != skb_headlen(head_skb))
		for (const sk_buff *s = head_shinfo.frag_list; s; s = s->next)
			if (skb_headlen(*s) && !s->head_frag) {
				features &= ~NETIF_F_SG;
				break;
			}
	__skb_push(head_skb, doffset);
	const be16 proto = skb_network_protocol(head_skb, nullptr);
	if (!proto)
		return {nullptr, -EINVAL};
	const bool sg = features & NETIF_F_SG;
	const bool csum = device_checksums(features, proto);
	const u32 headroom = skb_headroom(head_skb);
	frag_cursor cursor{head_shinfo.frag_list, &head_skb, 0, head_shinfo.nr_frags, skb_headlen(head_skb)};
	const auto failed = [&segs](int err) {
		kfree_skb_list(segs);
		return skb_segs{nullptr, err};
	};

	do {
		len = mss == GSO_BY_FRAGS ? cursor.list->len : std::min(head_skb.len - offset, mss);
		int hsize = static_cast<int>(skb_headlen(head_skb)) - static_cast<int>(offset);
		sk_buff *nskb;

		if (hsize <= 0 && cursor.i >= cursor.nfrags && cursor.list && skb_headlen(*cursor.list) &&
		    (skb_headlen(*cursor.list) == len || sg)) {
			// The member of the list is the segment, or the beginning of it.
			sk_buff &member = *cursor.list;

			assert(skb_headlen(member) <= len);
			skb_ptr copy = skb_clone(member, GFP_ATOMIC);
			if (!copy)
				return failed(-ENOMEM);
			cursor.of = &member;
			cursor.i = 0;
			cursor.nfrags = skb_shinfo(member).nr_frags;
			cursor.pos += skb_headlen(member);
			while (cursor.pos < offset + len) {
				assert(cursor.i < cursor.nfrags);
				const u32 size = cursor.frag().size;
				if (cursor.pos + size > offset + len)
					break;
				++cursor.i;
				cursor.pos += size;
			}
			cursor.list = member.next;
			const u32 end = skb_end_offset(*copy);
			if (pskb_trim(*copy, len) || skb_cow_head(*copy, doffset + headroom)) {
				kfree_skb(std::move(copy));
				return failed(-ENOMEM);
			}
			copy->truesize += skb_end_offset(*copy) - end;
			skb_release_head_state(*copy);
			copy->_skb_refdst = 0;
			copy->active_extensions = 0;
			copy->_nfct = nullptr;
			__skb_push(*copy, doffset);
			nskb = copy.release();
		} else {
			hsize = std::max(hsize, 0);
			if (hsize > static_cast<int>(len) || !sg)
				hsize = static_cast<int>(len);
			nskb = __alloc_skb(static_cast<u32>(hsize) + doffset + headroom, GFP_ATOMIC, 0, -1)
			               .release();
			if (!nskb)
				return failed(-ENOMEM);
			skb_reserve(*nskb, headroom);
			__skb_put(*nskb, doffset);
		}
		(segs ? tail->next : segs) = nskb;
		tail = nskb;
		__copy_skb_header(*nskb, head_skb);
		skb_headers_offset_update(*nskb,
		                          static_cast<int>(skb_headroom(*nskb)) - static_cast<int>(headroom));
		skb_reset_mac_len(*nskb);
		skb_copy_from_linear_data_offset(head_skb, -static_cast<int>(tnl_hlen), nskb->data - tnl_hlen,
		                                 doffset + tnl_hlen);

		if (nskb->len != len + doffset && !sg) {
			if (csum) {
				if (skb_copy_bits(head_skb, static_cast<int>(offset), skb_put(*nskb, len),
				                  static_cast<int>(len)))
					return failed(-ENOMEM);
			} else {
				nskb->ip_summed = CHECKSUM_NONE;
				SKB_GSO_CB(*nskb).csum =
					skb_copy_and_csum_bits(head_skb, static_cast<int>(offset),
				                               skb_put(*nskb, len), static_cast<int>(len));
				SKB_GSO_CB(*nskb).csum_start =
					static_cast<u16>(skb_headroom(*nskb) + doffset);
			}
			continue;
		}
		if (nskb->len != len + doffset) {
			const auto linear = static_cast<u32>(hsize);

			skb_copy_from_linear_data_offset(head_skb, static_cast<int>(offset),
			                                 skb_put(*nskb, linear), linear);
			if (skb_zerocopy_clone(*nskb, *cursor.of, GFP_ATOMIC) ||
			    !share_frags(cursor, *nskb, offset, len))
				return failed(-EINVAL);
			nskb->data_len = len - linear;
			nskb->len += nskb->data_len;
			nskb->truesize += nskb->data_len;
		}
		if (!csum) {
			nskb->ip_summed = CHECKSUM_NONE;
			SKB_GSO_CB(*nskb).csum = skb_checksum(*nskb, static_cast<int>(doffset),
			                                      static_cast<int>(nskb->len - doffset), 0);
			SKB_GSO_CB(*nskb).csum_start = static_cast<u16>(skb_headroom(*nskb) + doffset);
		}
	} while ((offset += len) < head_skb.len);

	segs->prev = tail;
	// The socket gets its memory back when the last segment goes.
	if (head_skb.destructor == sock_wfree) {
		std::swap(tail->truesize, head_skb.truesize);
		std::swap(tail->destructor, head_skb.destructor);
		std::swap(tail->sk, head_skb.sk);
	}
	return {segs, 0};
}

u32 skb_gso_transport_seglen(const sk_buff &skb)
{
	TRACE(skb);
	const skb_shared_info &shinfo = skb_shinfo(skb);
	u32 thlen = 0;

	if (shinfo.gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))
		thlen = tcp_hdrlen(skb);
	else if (shinfo.gso_type & SKB_GSO_UDP_L4)
		thlen = sizeof(udphdr);
	return thlen + shinfo.gso_size;
}

u32 skb_gso_network_seglen(const sk_buff &skb)
{
	TRACE(skb);
	return static_cast<u32>(skb.transport_header - skb.network_header) + skb_gso_transport_seglen(skb);
}

static u32 skb_gso_mac_seglen(const sk_buff &skb)
{
	TRACE(skb);
	return static_cast<u32>(skb.transport_header - skb.mac_header) + skb_gso_transport_seglen(skb);
}

static bool skb_gso_size_check(const sk_buff &skb, u32 seg_len, u32 max_len)
{
	TRACE(skb);
	if (skb_shinfo(skb).gso_size != GSO_BY_FRAGS)
		return seg_len <= max_len;
	seg_len -= GSO_BY_FRAGS;
	for (const sk_buff *s = skb_shinfo(skb).frag_list; s; s = s->next)
		if (seg_len + skb_headlen(*s) > max_len)
			return false;
	return true;
}

bool skb_gso_validate_network_len(const sk_buff &skb, u32 mtu)
{
	TRACE(skb);
	return skb_gso_size_check(skb, skb_gso_network_seglen(skb), mtu);
}

bool skb_gso_validate_mac_len(const sk_buff &skb, u32 len)
{
	TRACE(skb);
	return skb_gso_size_check(skb, skb_gso_mac_seglen(skb), len);
}

} // namespace skbwalk
