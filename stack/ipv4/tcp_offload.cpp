// SPDX-License-Identifier: GPL-2.0-only
//
// TCP segments into a large packet and back (net/ipv4/tcp_offload.c). tcp_gro_receive finds the packet of the
// flow that GRO holds and puts the segment behind it, if it is the next one and its header says the same;
// tcp_gro_complete makes of the whole what a sender with TSO would have made. For devices that cannot cut
// tcp4_gso_segment
// makes sure of the pseudo header's sum; tcp_gso_segment has skb_segment copy the headers and share out the
// payload, then walks the segments: sequence numbers go on, FIN and PSH stay on the last, CWR on the first,
// each gets its checksum, and the memory that the original accounts to its socket is spread over them. Left
// out: fragment lists.
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
		refcount_add(static_cast<int>(sum_truesize - gso_skb.truesize), skb->sk->sk_wmem_alloc);
	}
	const auto last_len =
		static_cast<u32>(skb_tail_pointer(*skb) - skb_transport_header(*skb)) + skb->data_len;
	th->check = complement(csum_fold(csum_add(csum_unfold(th->check), length_sum(oldlen + last_len))));
	set_checksum(*skb, *th);
	return segs;
}

namespace {

// The word of the header that has data offset, flags and window.
u32 flag_word(const tcphdr &th) { return u32{th.doff_res} << 24 | u32{th.flags} << 16 | ntohs(th.window); }
constexpr u32 flag(u8 bits) { return u32{bits} << 16; }

// The held packet of the segment's ports; others are not its flow.
sk_buff *find_held(list_head &head, const tcphdr &th)
{
	for (list_head *l = head.next; l != &head; l = l->next) {
		sk_buff &p = list_entry(*l, &sk_buff::tcp_tsorted_anchor);

		if (!NAPI_GRO_CB(p).same_flow)
			continue;
		const tcphdr &th2 = tcp_hdr(p);

		if (th.source == th2.source && th.dest == th2.dest)
			return &p;
		NAPI_GRO_CB(p).same_flow = 0;
	}
	return nullptr;
}

// Must `p` stay without this segment? It must follow, with the same acknowledgement, window and options; only
// the last segment of a packet may be short, or end something.
bool cannot_follow(sk_buff &p, const sk_buff &skb, const tcphdr &th, u32 len)
{
	napi_gro_cb &pcb = NAPI_GRO_CB(p);
	const tcphdr &th2 = tcp_hdr(p);
	const u32 thlen = th.doff() * 4;
	bool flush = pcb.flush;

	flush |= th.cwr();
	flush |= (flag_word(th) ^ flag_word(th2)) & ~flag(TCPHDR_CWR | TCPHDR_FIN | TCPHDR_PSH);
	flush |= !(th.ack_seq == th2.ack_seq);
	// The lengths agree, or the flag words do not.
	if (!flush && thlen > sizeof(th))
		flush = std::memcmp(&th + 1, &th2 + 1, thlen - sizeof(th)) != 0;

	// The second segment says whether the flow's id goes on or stays.
	if (pcb.flush_id != 1 || pcb.count != 1 || !pcb.is_atomic)
		flush |= pcb.flush_id != 0;
	else
		pcb.is_atomic = 0;

	const u32 mss = skb_shinfo(p).gso_size;

	if (skb_is_gso(skb))
		flush |= mss != skb_shinfo(skb).gso_size;
	else
		flush |= len - 1 >= mss;
	flush |= ntohl(th2.seq) + skb_gro_len(p) != ntohl(th.seq);
	flush |= p.decrypted != skb.decrypted;
	return flush;
}

} // namespace

sk_buff *tcp_gro_receive(list_head &head, sk_buff &skb)
{
	TRACE(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);
	const u32 off = skb_gro_offset(skb);
	u8 *header = skb_gro_header(skb, off + sizeof(tcphdr), off);
	const u32 thlen = header ? reinterpret_cast<const tcphdr *>(header)->doff() * 4 : 0;

	if (thlen >= sizeof(tcphdr) && skb_gro_header_hard(skb, off + thlen))
		header = skb_gro_header_slow(skb, off + thlen, off);
	if (!header || thlen < sizeof(tcphdr)) {
		cb.flush |= 1;
		return nullptr;
	}

	const tcphdr &th = *reinterpret_cast<const tcphdr *>(header);

	skb_gro_pull(skb, thlen);

	const u32 len = skb_gro_len(skb);
	const u8 flags = th.flags; // the header moves when its head is stolen
	sk_buff *p = find_held(head, th);
	u32 mss = 1;

	if (p && !cannot_follow(*p, skb, th, len)) {
		mss = skb_shinfo(*p).gso_size;
		if (skb_gro_receive(*p, skb))
			mss = 1;
		else
			tcp_hdr(*p).flags |= flags & (TCPHDR_FIN | TCPHDR_PSH);
	}

	// A short segment is the last one of what was written.
	bool flush = skb_is_gso(skb) ? len != cb.count * u32{skb_shinfo(skb).gso_size} : len < mss;

	flush |= flags & (TCPHDR_URG | TCPHDR_PSH | TCPHDR_RST | TCPHDR_SYN | TCPHDR_FIN);
	cb.flush |= flush;
	return p && (!cb.same_flow || flush) ? p : nullptr;
}

int tcp_gro_complete(sk_buff &skb)
{
	TRACE(skb);
	const tcphdr &th = tcp_hdr(skb);
	skb_shared_info &shinfo = skb_shinfo(skb);

	skb.csum_start = static_cast<u16>(reinterpret_cast<const u8 *>(&th) - skb.head);
	skb.csum_offset = offsetof(tcphdr, check);
	skb.ip_summed = CHECKSUM_PARTIAL;
	shinfo.gso_segs = NAPI_GRO_CB(skb).count;
	if (th.cwr())
		shinfo.gso_type |= SKB_GSO_TCP_ECN;
	return 0;
}

sk_buff *tcp4_gro_receive(list_head &head, sk_buff &skb)
{
	TRACE(skb);
	// A bad checksum is the socket's to count; the packet goes up alone.
	if (!NAPI_GRO_CB(skb).flush && skb_gro_checksum_validate(skb, IPPROTO_TCP)) {
		NAPI_GRO_CB(skb).flush = 1;
		return nullptr;
	}
	return tcp_gro_receive(head, skb);
}

int tcp4_gro_complete(sk_buff &skb, int thoff)
{
	TRACE(skb);
	const iphdr &iph = ip_hdr(skb);
	tcphdr &th = tcp_hdr(skb);

	th.check = complement(tcp_v4_check(skb.len - static_cast<u32>(thoff), iph.saddr, iph.daddr, 0));
	skb_shinfo(skb).gso_type |= SKB_GSO_TCPV4;
	if (NAPI_GRO_CB(skb).is_atomic)
		skb_shinfo(skb).gso_type |= SKB_GSO_TCP_FIXEDID;
	return tcp_gro_complete(skb);
}

static const net_offload tcpv4_offload = {
	.callbacks = {tcp4_gso_segment, tcp4_gro_receive, tcp4_gro_complete}};

int tcpv4_offload_init()
{
	TRACE();
	return inet_add_offload(tcpv4_offload, IPPROTO_TCP);
}

} // namespace skbwalk
