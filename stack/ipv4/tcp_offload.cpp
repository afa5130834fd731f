// SPDX-License-Identifier: GPL-2.0-only
//
// A large TCP packet into segments (net/ipv4/tcp_offload.c), for devices that cannot do it. tcp4_gso_segment
// makes sure of the pseudo header's sum; tcp_gso_segment has skb_segment copy the headers and share out the
// payload, then walks the segments: sequence numbers go on, FIN and PSH stay on the last, CWR on the first,
// each gets its checksum, and the memory that the original accounts to its socket is spread over them. Left
// out: GRO's half of the file, fragment lists.
#include "stack/core/gso.h"
#include "stack/ipv4/protocol.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk {

namespace {

constexpr u8 SKBTX_ANY_TSTAMP = SKBTX_HW_TSTAMP | SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;

// Sums of lengths are of 16-bit words in network order, as the checksum is.
__wsum length_sum(u32 len) { return htonl(len).raw(); }

void set_checksum(sk_buff &seg, tcphdr &th)
{
	const __wsum res = ~csum_unfold(th.check);

	if (seg.ip_summed == CHECKSUM_PARTIAL)
		gso_reset_checksum(seg, res);
	else
		th.check = gso_make_checksum(seg, res);
}

be16 complement(be16 sum) { return std::bit_cast<be16>(static_cast<u16>(~sum.raw())); }

} // namespace

// The segment with the byte of which a time stamp is wanted.
static void tcp_gso_tstamp(sk_buff *skb, const sk_buff &gso_skb, seq32 seq, u32 mss)
{
	TRACE(gso_skb);
	const u8 flags = skb_shinfo(gso_skb).tx_flags & SKBTX_ANY_TSTAMP;
	const u32 ts_seq = skb_shinfo(gso_skb).tskey;

	for (; skb; skb = skb->next, seq += mss)
		if (before(seq32(ts_seq), seq + mss)) {
			skb_shinfo(*skb).tx_flags |= flags;
			skb_shinfo(*skb).tskey = ts_seq;
			return;
		}
}

skb_segs tcp4_gso_segment(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	if (!(skb_shinfo(skb).gso_type & SKB_GSO_TCPV4) || !pskb_may_pull(skb, sizeof(tcphdr)))
		return {nullptr, -EINVAL};
	if (skb.ip_summed != CHECKSUM_PARTIAL) {
		const iphdr &iph = ip_hdr(skb);

		tcp_hdr(skb).check = {};
		skb.ip_summed = CHECKSUM_PARTIAL;
		__tcp_v4_send_check(skb, iph.saddr, iph.daddr);
	}
	return tcp_gso_segment(skb, features);
}

skb_segs tcp_gso_segment(sk_buff &gso_skb, netdev_features_t features)
{
	TRACE(gso_skb);
	const u32 thlen = tcp_hdr(gso_skb).doff() * 4;

	if (thlen < sizeof(tcphdr) || gso_skb.csum_start != gso_skb.transport_header ||
	    !pskb_may_pull(gso_skb, thlen))
		return {nullptr, -EINVAL};
	const u32 oldlen = ~gso_skb.len;
	__skb_pull(gso_skb, thlen);
	u32 mss = skb_shinfo(gso_skb).gso_size;
	if (gso_skb.len <= mss)
		return {nullptr, -EINVAL};
	if (skb_gso_ok(gso_skb, features | NETIF_F_GSO_ROBUST)) {
		// The device can, and the header came from outside: only the count was wanted.
		skb_shinfo(gso_skb).gso_segs = static_cast<u16>((gso_skb.len + mss - 1) / mss);
		return {};
	}
	const bool copy_destructor = gso_skb.destructor == tcp_wfree;
	const bool ooo_okay = gso_skb.ooo_okay;
	gso_skb.ooo_okay = 0; // for the first segment only

	skb_segs segs = skb_segment(gso_skb, features);
	if (segs.err || !segs.list)
		return segs;
	segs.list->ooo_okay = ooo_okay;
	if (skb_is_gso(*segs.list)) // the device takes several segments at once
		mss *= skb_shinfo(*segs.list).gso_segs;

	sk_buff *skb = segs.list;
	tcphdr *th = &tcp_hdr(*skb);
	seq32 seq(ntohl(th->seq));
	u32 sum_truesize = 0;

	if (skb_shinfo(gso_skb).tx_flags & SKBTX_ANY_TSTAMP)
		tcp_gso_tstamp(skb, gso_skb, seq, mss);
	// The pseudo header's sum has the whole length in it; all segments but the last have the same.
	const be16 newcheck =
		complement(csum_fold(csum_add(csum_unfold(th->check), length_sum(oldlen + thlen + mss))));
	while (skb->next) {
		th->flags = static_cast<u8>(th->flags & ~(TCPHDR_FIN | TCPHDR_PSH));
		th->check = newcheck;
		set_checksum(*skb, *th);
		seq += mss;
		if (copy_destructor) {
			skb->destructor = gso_skb.destructor;
			skb->sk = gso_skb.sk;
			sum_truesize += skb->truesize;
		}
		skb = skb->next;
		th = &tcp_hdr(*skb);
		th->seq = htonl(seq.v);
		th->flags = static_cast<u8>(th->flags & ~TCPHDR_CWR);
	}
	// What the original holds of its socket is the segments' now, so that small queues see each of them
	// leave.
	if (copy_destructor) {
		std::swap(gso_skb.sk, skb->sk);
		std::swap(gso_skb.destructor, skb->destructor);
		sum_truesize += skb->truesize;
		skb->sk->sk_wmem_alloc.fetch_add(static_cast<int>(sum_truesize - gso_skb.truesize),
		                                 std::memory_order_relaxed);
	}
	const auto last_len =
		static_cast<u32>(skb_tail_pointer(*skb) - skb_transport_header(*skb)) + skb->data_len;
	th->check = complement(csum_fold(csum_add(csum_unfold(th->check), length_sum(oldlen + last_len))));
	set_checksum(*skb, *th);
	return segs;
}

static const net_offload tcpv4_offload = {.callbacks = {.gso_segment = tcp4_gso_segment}};

int tcpv4_offload_init()
{
	TRACE();
	return inet_add_offload(tcpv4_offload, IPPROTO_TCP);
}

} // namespace skbwalk
