// SPDX-License-Identifier: GPL-2.0-only
//
// Cutting skbs of the send queues (net/ipv4/tcp_output.c). tcp_fragment splits one in two wherever it stands,
// tso_fragment is its quick form for one that was never sent, tcp_trim_head drops what was acknowledged; each
// mends sequence numbers, segment counts and the memory that is accounted for. A segment count (tcp_gso_segs)
// says how many packets an skb will be on the wire.
#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

constexpr u8 SKBTX_ANY_TSTAMP = SKBTX_HW_TSTAMP | SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;

void tcp_set_skb_tso_segs(sk_buff &skb, u32 mss_now)
{
	TRACE(skb);
	if (skb.len <= mss_now) {
		tcp_skb_pcount_set(skb, 1);
		TCP_SKB_CB(skb).tcp_gso_size = 0;
	} else {
		tcp_skb_pcount_set(skb, static_cast<int>((skb.len + mss_now - 1) / mss_now));
		TCP_SKB_CB(skb).tcp_gso_size = static_cast<u16>(mss_now);
	}
}

// Before an skb is looked at for sending: how many segments it is.
int tcp_init_tso_segs(sk_buff &skb, u32 mss_now)
{
	TRACE(skb);
	const int tso_segs = tcp_skb_pcount(skb);

	if (!tso_segs || (tso_segs > 1 && tcp_skb_mss(skb) != static_cast<int>(mss_now)))
		tcp_set_skb_tso_segs(skb, mss_now);
	return tcp_skb_pcount(skb);
}

// An skb that was sent counts `decr` segments less now (more, when negative): so do all counters it is part
// of.
void tcp_adjust_pcount(sock &sk, const sk_buff &skb, int decr)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const u8 sacked = TCP_SKB_CB(skb).sacked;
	const u32 n = static_cast<u32>(decr);

	tp.packets_out -= n;
	if (sacked & TCPCB_SACKED_ACKED)
		tp.sacked_out -= n;
	if (sacked & TCPCB_SACKED_RETRANS)
		tp.retrans_out -= n;
	if (sacked & TCPCB_LOST)
		tp.lost_out -= n;
	// Without SACK, sacked_out counts duplicate ACKs.
	if (tcp_is_reno(tp) && decr > 0)
		tp.sacked_out -= std::min(tp.sacked_out, n);
	if (tp.lost_skb_hint && before(TCP_SKB_CB(skb).seq, TCP_SKB_CB(*tp.lost_skb_hint).seq) &&
	    (sacked & TCPCB_SACKED_ACKED))
		tp.lost_cnt_hint -= decr;
	assert(tcp_left_out(tp) <= tp.packets_out);
}

bool tcp_has_tx_tstamp(const sk_buff &skb)
{
	TRACE(skb);
	return TCP_SKB_CB(skb).txstamp_ack || (skb_shinfo(skb).tx_flags & SKBTX_ANY_TSTAMP);
}

// The request for a time stamp goes with the byte that it is for.
static void tcp_fragment_tstamp(sk_buff &skb, sk_buff &skb2)
{
	TRACE(skb);
	skb_shared_info &shinfo = skb_shinfo(skb);

	if (!tcp_has_tx_tstamp(skb) || before(seq32(shinfo.tskey), TCP_SKB_CB(skb2).seq))
		return;
	skb_shared_info &shinfo2 = skb_shinfo(skb2);
	const u8 tsflags = shinfo.tx_flags & SKBTX_ANY_TSTAMP;

	shinfo.tx_flags = static_cast<u8>(shinfo.tx_flags & ~tsflags);
	shinfo2.tx_flags |= tsflags;
	std::swap(shinfo.tskey, shinfo2.tskey);
	TCP_SKB_CB(skb2).txstamp_ack = TCP_SKB_CB(skb).txstamp_ack;
	TCP_SKB_CB(skb).txstamp_ack = 0;
}

static void tcp_skb_fragment_eor(sk_buff &skb, sk_buff &skb2)
{
	TRACE(skb);
	TCP_SKB_CB(skb2).eor = TCP_SKB_CB(skb).eor;
	TCP_SKB_CB(skb).eor = 0;
}

static void tcp_insert_write_queue_after(sk_buff &skb, skb_ptr buff, sock &sk, int queue)
{
	TRACE(skb, sk);
	if (queue == TCP_FRAG_IN_WRITE_QUEUE)
		__skb_queue_after(sk.sk_write_queue, skb, std::move(buff));
	else
		tcp_rbtree_insert(sk.tcp_rtx_queue, std::move(buff));
}

namespace {

// What both ways of splitting do to the control blocks: the second takes FIN and PSH.
void split_control(sk_buff &skb, sk_buff &buff, u32 len)
{
	tcp_skb_cb &first = TCP_SKB_CB(skb);
	tcp_skb_cb &second = TCP_SKB_CB(buff);

	second.seq = first.seq + len;
	second.end_seq = first.end_seq;
	first.end_seq = second.seq;
	second.tcp_flags = first.tcp_flags;
	first.tcp_flags = static_cast<u8>(first.tcp_flags & ~(TCPHDR_FIN | TCPHDR_PSH));
}

void account(sock &sk, const sk_buff &buff)
{
	sk_wmem_queued_add(sk, static_cast<int>(buff.truesize));
	sk_mem_charge(sk, static_cast<int>(buff.truesize));
}

} // namespace

int tcp_fragment(sock &sk, int queue, sk_buff &skb, u32 len, u32 mss_now, gfp_t gfp)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	assert(len <= skb.len);
	const int nsize = std::max(static_cast<int>(skb_headlen(skb)) - static_cast<int>(len), 0);

	// Segments so small that their overhead fills memory are not made, but for the first and the last in
	// flight.
	const long limit = sk.sk_sndbuf + 2L * SKB_TRUESIZE(GSO_LEGACY_MAX_SIZE);
	if (sk.sk_wmem_queued >> 1 > limit && queue != TCP_FRAG_IN_WRITE_QUEUE &&
	    &skb != tcp_rtx_queue_head(sk) && &skb != tcp_rtx_queue_tail(sk)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPWQUEUETOOBIG);
		return -ENOMEM;
	}
	if (skb_unclone_keeptruesize(skb, gfp))
		return -ENOMEM;
	skb_ptr owned = tcp_stream_alloc_skb(sk, nsize, gfp, true);
	if (!owned)
		return -ENOMEM;
	sk_buff &buff = *owned;
	const u32 nlen = skb.len - len - static_cast<u32>(nsize);

	account(sk, buff);
	buff.truesize += nlen;
	skb.truesize -= nlen;
	split_control(skb, buff, len);
	TCP_SKB_CB(buff).sacked = TCP_SKB_CB(skb).sacked;
	tcp_skb_fragment_eor(skb, buff);
	skb_split(skb, buff, len);
	skb_set_delivery_time(buff, skb.tstamp, true);
	tcp_fragment_tstamp(skb, buff);

	const int old_factor = tcp_skb_pcount(skb);
	tcp_set_skb_tso_segs(skb, mss_now);
	tcp_set_skb_tso_segs(buff, mss_now);
	TCP_SKB_CB(buff).tx = TCP_SKB_CB(skb).tx;

	// Was it sent? Then it is counted somewhere.
	if (!before(tp.snd_nxt, TCP_SKB_CB(buff).end_seq)) {
		const int diff = old_factor - tcp_skb_pcount(skb) - tcp_skb_pcount(buff);

		if (diff)
			tcp_adjust_pcount(sk, skb, diff);
	}
	__skb_header_release(buff);
	tcp_insert_write_queue_after(skb, std::move(owned), sk, queue);
	if (queue == TCP_FRAG_IN_RTX_QUEUE)
		list_add(buff.tcp_tsorted_anchor, skb.tcp_tsorted_anchor);
	return 0;
}

int tso_fragment(sock &sk, sk_buff &skb, u32 len, u32 mss_now, gfp_t gfp)
{
	TRACE(sk, skb);
	const u32 nlen = skb.len - len;

	if (skb.len != skb.data_len) // some of it stands in the head
		return tcp_fragment(sk, TCP_FRAG_IN_WRITE_QUEUE, skb, len, mss_now, gfp);
	skb_ptr owned = tcp_stream_alloc_skb(sk, 0, gfp, true);
	if (!owned)
		return -ENOMEM;
	sk_buff &buff = *owned;

	account(sk, buff);
	buff.truesize += nlen;
	skb.truesize -= nlen;
	split_control(skb, buff, len);
	tcp_skb_fragment_eor(skb, buff);
	skb_split(skb, buff, len);
	tcp_fragment_tstamp(skb, buff);
	tcp_set_skb_tso_segs(skb, mss_now);
	tcp_set_skb_tso_segs(buff, mss_now);
	__skb_header_release(buff);
	tcp_insert_write_queue_after(skb, std::move(owned), sk, TCP_FRAG_IN_WRITE_QUEUE);
	return 0;
}

// Drops bytes at the front without copying any. Returns how many of them were in pages.
int __pskb_trim_head(sk_buff &skb, int len)
{
	TRACE(skb);
	const int in_head = std::min(len, static_cast<int>(skb_headlen(skb)));

	if (in_head) {
		__skb_pull(skb, static_cast<u32>(in_head));
		len -= in_head;
		if (!len)
			return 0;
	}
	skb_shared_info &shinfo = skb_shinfo(skb);
	u32 eat = static_cast<u32>(len);
	u8 k = 0;

	for (u32 i = 0; i < shinfo.nr_frags; ++i) {
		skb_frag_t frag = shinfo.frags[i];

		if (frag.size <= eat) {
			skb_frag_unref(frag);
			eat -= frag.size;
			continue;
		}
		frag.offset += eat;
		frag.size -= eat;
		eat = 0;
		shinfo.frags[k++] = frag;
	}
	shinfo.nr_frags = k;
	skb.data_len -= static_cast<u32>(len);
	skb.len = skb.data_len;
	return len;
}

int tcp_trim_head(sock &sk, sk_buff &skb, u32 len)
{
	TRACE(sk, skb);
	if (skb_unclone_keeptruesize(skb, GFP_ATOMIC))
		return -ENOMEM;
	const int delta_truesize = __pskb_trim_head(skb, static_cast<int>(len));

	TCP_SKB_CB(skb).seq += len;
	if (delta_truesize) {
		skb.truesize -= static_cast<u32>(delta_truesize);
		sk_wmem_queued_add(sk, -delta_truesize);
		sk_mem_uncharge(sk, delta_truesize);
	}
	if (tcp_skb_pcount(skb) > 1)
		tcp_set_skb_tso_segs(skb, static_cast<u32>(tcp_skb_mss(skb)));
	return 0;
}

void tcp_skb_collapse_tstamp(sk_buff &skb, const sk_buff &next_skb)
{
	TRACE(skb);
	if (!tcp_has_tx_tstamp(next_skb))
		return;
	const skb_shared_info &next_shinfo = skb_shinfo(next_skb);
	skb_shared_info &shinfo = skb_shinfo(skb);

	shinfo.tx_flags |= next_shinfo.tx_flags & SKBTX_ANY_TSTAMP;
	shinfo.tskey = next_shinfo.tskey;
	if (TCP_SKB_CB(next_skb).txstamp_ack)
		TCP_SKB_CB(skb).txstamp_ack = 1;
}

} // namespace skbwalk
