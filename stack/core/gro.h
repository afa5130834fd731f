// SPDX-License-Identifier: GPL-2.0-only
//
// Generic receive offload (include/net/gro.h): what a polling driver hands its packets to. Protocols register
// how their packets are merged on the way in and cut into segments on the way out (packet_offload, and
// net_offload in net/ipv4). While GRO has a packet, napi_gro_cb is in its cb; header fields are read at
// skb_gro_offset(), in the first frag where a driver leaves the headers there.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct napi_gro_cb {
	u8 *frag0;       // the first frag, while headers are read there
	u32 frag0_len;   // what of it can be pulled
	int data_offset; // of the layer that has the packet now, from skb->data
	u16 flush;       // this packet ends here: not to be merged with the next one
	u16 flush_id;    // how IP's id differs from the one that would follow
	u16 count;       // segments merged
	u16 proto;
	u32 age; // jiffies when it was held
	// From here to is_flist: zero when a packet comes.
	u16 gro_remcsum_start;
	u8 same_flow : 1;
	u8 encap_mark : 1;
	u8 csum_valid : 1; // csum is the sum from skb_gro_offset() on
	u8 csum_cnt : 3;   // checksums that the device has verified
	u8 free : 2;
	u8 is_ipv6 : 1;
	u8 is_fou : 1;
	u8 is_atomic : 1; // IP's id says nothing: DF is set
	u8 recursion_counter : 4;
	u8 is_flist : 1; // merged by chaining whole packets
	__wsum csum;
	sk_buff *last; // of the members of the frag_list; the packet itself when there is none
};
static_assert(sizeof(napi_gro_cb) <= sizeof(sk_buff::cb));
constexpr u8 NAPI_GRO_FREE = 1, NAPI_GRO_FREE_STOLEN_HEAD = 2; // napi_gro_cb::free
inline napi_gro_cb &NAPI_GRO_CB(const sk_buff &skb)
{
	return *reinterpret_cast<napi_gro_cb *>(const_cast<sk_buff &>(skb).cb);
}

struct offload_callbacks {
	skb_segs (*gso_segment)(sk_buff &skb, netdev_features_t features) = nullptr;
	// Merges `skb` into one of the flow's packets on `head`, or says why not (same_flow, flush). Returns
	// the packet on `head` that is to go up now, if any.
	sk_buff *(*gro_receive)(list_head &head, sk_buff &skb) = nullptr;
	int (*gro_complete)(sk_buff &skb, int nhoff) = nullptr;
};
// What is done with packets of an Ethernet type; net/ipv4/af_inet.c has IP's. One for each host:
// perhost<packet_offload>.
struct packet_offload {
	be16 type{};
	u16 priority = 0;
	offload_callbacks callbacks{};
	list_head list;
};
void dev_add_offload(packet_offload &po);
void dev_remove_offload(packet_offload &po);
const packet_offload *gro_find_receive_by_type(be16 type);
const packet_offload *gro_find_complete_by_type(be16 type);
skb_segs skb_mac_gso_segment(sk_buff &skb, netdev_features_t features);

// --- what drivers call ---
// Of a packet from a local sender: what a socket gave up for it goes back now, unless GRO is to keep such
// packets apart (UDP's).
void skb_prepare_for_gro(sk_buff &skb); // header inline of net/sock.h
enum gro_result_t { GRO_MERGED, GRO_MERGED_FREE, GRO_HELD, GRO_NORMAL, GRO_CONSUMED };
// The packet's device header is pulled and its protocol set (eth_type_trans); nobody shares its data.
gro_result_t napi_gro_receive(napi_struct &napi, skb_ptr skb);
// The head for a packet whose bytes, headers and all, are in frags: the driver adds these
// (skb_add_rx_frag) and calls napi_gro_frags. The instance keeps the head until then, and again after the
// bytes went elsewhere. Null: no memory.
sk_buff *napi_get_frags(napi_struct &napi);
gro_result_t napi_gro_frags(napi_struct &napi);
void napi_gro_flush(napi_struct &napi, bool flush_old);
void napi_free_frags(napi_struct &napi);               // header inline
skb_ptr napi_alloc_skb(napi_struct &napi, u32 length); // header inline

void gro_normal_list(napi_struct &napi); // header inlines
void gro_normal_one(napi_struct &napi, skb_ptr skb, int segs);
void init_gro_hash(napi_struct &napi);
void flush_gro_hash(napi_struct &napi); // what it still holds is freed
bool netif_elide_gro(const net_device &dev);

// --- what protocols call ---
[[nodiscard]] int skb_gro_receive(sk_buff &p, sk_buff &skb);
[[nodiscard]] int skb_gro_receive_list(sk_buff &p, sk_buff &skb);
bool __skb_gro_checksum_complete(sk_buff &skb); // true: bad

inline u32 skb_gro_offset(const sk_buff &skb) { return static_cast<u32>(NAPI_GRO_CB(skb).data_offset); }
inline u32 skb_gro_len(const sk_buff &skb) { return skb.len - skb_gro_offset(skb); }
inline void skb_gro_pull(sk_buff &skb, u32 len) { NAPI_GRO_CB(skb).data_offset += static_cast<int>(len); }
inline u8 *skb_gro_header_fast(const sk_buff &skb, u32 offset) { return NAPI_GRO_CB(skb).frag0 + offset; }
inline bool skb_gro_header_hard(const sk_buff &skb, u32 hlen) { return NAPI_GRO_CB(skb).frag0_len < hlen; }
inline void skb_gro_frag0_invalidate(sk_buff &skb)
{
	NAPI_GRO_CB(skb).frag0 = nullptr;
	NAPI_GRO_CB(skb).frag0_len = 0;
}
inline u8 *skb_gro_header_slow(sk_buff &skb, u32 hlen, u32 offset)
{
	TRACE_INLINE(skb);
	if (!pskb_may_pull(skb, hlen))
		return nullptr;
	skb_gro_frag0_invalidate(skb);
	return skb.data + offset;
}
inline u8 *skb_gro_header(sk_buff &skb, u32 hlen, u32 offset)
{
	TRACE_INLINE(skb);
	if (skb_gro_header_hard(skb, hlen))
		return skb_gro_header_slow(skb, hlen, offset);
	return skb_gro_header_fast(skb, offset);
}
inline u8 *skb_gro_network_header(const sk_buff &skb)
{
	u8 *base = NAPI_GRO_CB(skb).frag0 ? NAPI_GRO_CB(skb).frag0 : skb.data;

	return base + skb_network_offset(skb);
}
inline __wsum inet_gro_compute_pseudo(const sk_buff &skb, u8 proto)
{
	TRACE_INLINE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb_gro_network_header(skb));

	return csum_tcpudp_nofold(iph.saddr, iph.daddr, skb_gro_len(skb), proto, 0);
}
inline void skb_gro_postpull_rcsum(sk_buff &skb, const void *start, u32 len)
{
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	if (cb.csum_valid)
		cb.csum = ~csum_partial(start, len, ~cb.csum);
}
// Whether the checksum at this layer is still to be verified.
inline bool __skb_gro_checksum_validate_needed(const sk_buff &skb, bool zero_okay, be16 check)
{
	const auto offset = static_cast<int>(skb_gro_offset(skb));

	return (skb.ip_summed != CHECKSUM_PARTIAL || skb_checksum_start_offset(skb) < offset) &&
	       NAPI_GRO_CB(skb).gro_remcsum_start != offset && NAPI_GRO_CB(skb).csum_cnt == 0 &&
	       (!zero_okay || check);
}
// True: bad.
inline bool __skb_gro_checksum_validate_complete(sk_buff &skb, __wsum psum)
{
	TRACE_INLINE(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	if (cb.csum_valid && !csum_fold(csum_add(psum, cb.csum)))
		return false;
	cb.csum = psum;
	return __skb_gro_checksum_complete(skb);
}
inline void skb_gro_incr_csum_unnecessary(sk_buff &skb)
{
	TRACE_INLINE(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	if (cb.csum_cnt > 0)
		cb.csum_cnt = (cb.csum_cnt - 1) & 7; // one of those that the device vouches for
	else
		__skb_incr_checksum_unnecessary(skb); // saves work if the packet goes up as it is
}
// True: bad. A zero `check` is no checksum where that is allowed (UDP over IPv4).
inline bool skb_gro_checksum_validate_zero_check(sk_buff &skb, u8 proto, bool zero_okay, be16 check)
{
	if (__skb_gro_checksum_validate_needed(skb, zero_okay, check) &&
	    __skb_gro_checksum_validate_complete(skb, inet_gro_compute_pseudo(skb, proto)))
		return true;
	skb_gro_incr_csum_unnecessary(skb);
	return false;
}
inline bool skb_gro_checksum_validate(sk_buff &skb, u8 proto)
{
	return skb_gro_checksum_validate_zero_check(skb, proto, false, be16{});
}
inline void skb_gro_checksum_try_convert(sk_buff &skb, u8 proto)
{
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	if (cb.csum_cnt == 0 && !cb.csum_valid) {
		cb.csum = ~inet_gro_compute_pseudo(skb, proto);
		cb.csum_valid = 1;
	}
}
inline void skb_gro_flush_final(sk_buff &skb, const sk_buff *, int flush)
{
	TRACE_INLINE(skb);
	NAPI_GRO_CB(skb).flush = static_cast<u16>(NAPI_GRO_CB(skb).flush | flush);
}
// A callback of the layer inside, unless there are too many.
inline sk_buff *indirect_call_gro_receive(sk_buff *(*cb)(list_head &head, sk_buff &skb), list_head &head,
                                          sk_buff &skb)
{
	constexpr u8 GRO_RECURSION_LIMIT = 15;
	napi_gro_cb &own = NAPI_GRO_CB(skb);

	own.recursion_counter = (own.recursion_counter + 1) & 15;
	if (own.recursion_counter == GRO_RECURSION_LIMIT) {
		own.flush |= 1;
		return nullptr;
	}
	return cb(head, skb);
}
// The packets of a bucket, from the youngest.
template <class Fn> void for_each_gro(list_head &head, Fn fn)
{
	for (list_head *l = head.next, *next; l != &head; l = next) {
		next = l->next;
		fn(list_entry(*l, &sk_buff::tcp_tsorted_anchor));
	}
}

} // namespace skbwalk
