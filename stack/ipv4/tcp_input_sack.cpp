// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: the scoreboard. An ACK with SACK blocks comes to tcp_sacktag_write_queue: a
// first block that reports a duplicate is taken aside (tcp_check_dsack), the others are checked and sorted,
// and what the last ACK already said is skipped (recv_sack_cache). tcp_sacktag_walk goes over the segments of
// each block: cuts one that a block covers in part (tcp_match_skb_to_sack), merges whole ones into their
// SACKed neighbour (tcp_shift_skb_data) and tags the others (tcp_sacktag_one).

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

// The peer received something twice: an undo may count on it. 0: not to be believed.
static u32 tcp_dsack_seen(tcp_sock &tp, seq32 start_seq, seq32 end_seq, tcp_sacktag_state &state)
{
	TRACE(tp);
	u32 dup_segs = 1;

	if (!before(start_seq, end_seq))
		return 0;
	const u32 seq_len = static_cast<u32>(end_seq - start_seq);

	if (seq_len > tp.max_window)
		return 0;
	if (seq_len > tp.mss_cache)
		dup_segs = (seq_len + tp.mss_cache - 1) / tp.mss_cache;
	else if (tp.tlp_high_seq.v && tp.tlp_high_seq == end_seq)
		state.flag |= FLAG_DSACK_TLP;
	tp.dsack_dups += dup_segs;
	if (tp.dsack_dups > tp.total_retrans) // more than was ever sent twice
		return 0;
	tp.rx_opt.sack_ok = (tp.rx_opt.sack_ok | TCP_DSACK_SEEN) & 7;
	// Reordering was seen: RACK waits longer. A tail loss probe's duplicate says nothing about that.
	if (tp.reord_seen && !(state.flag & FLAG_DSACK_TLP))
		tp.rack.dsack_seen = 1;
	state.flag |= FLAG_DSACKING_ACK;
	state.sack_delivered += dup_segs;
	return dup_segs;
}

// A segment was (S)ACKed late that was never retransmitted: how far did it fall behind?
void tcp_check_sack_reordering(sock &sk, seq32 low_seq, bool ts)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 mss = tp.mss_cache;
	const seq32 fack = tcp_highest_sack_seq(tp);

	if (!before(low_seq, fack))
		return;
	const u32 metric = static_cast<u32>(fack - low_seq);

	if (metric > tp.reordering * mss && mss)
		tp.reordering = std::min((metric + mss - 1) / mss,
		                         static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_max_reordering));
	tp.reord_seen++;
	NET_INC_STATS(sock_net(sk), ts ? LINUX_MIB_TCPTSREORDER : LINUX_MIB_TCPSACKREORDER);
}

// RFC 2018 and 2883: does a block lie in what we sent? One that reports a duplicate may lie below snd_una, as
// far back as undo_marker, or one window before it.
static bool tcp_is_sackblock_valid(tcp_sock &tp, bool is_dsack, seq32 start_seq, seq32 end_seq)
{
	TRACE(tp);
	if (after(end_seq, tp.snd_nxt) || !before(start_seq, end_seq))
		return false;
	if (!before(start_seq, tp.snd_nxt))
		return false;
	if (after(start_seq, tp.snd_una))
		return true;
	if (!is_dsack || !tp.undo_marker.v)
		return false;
	if (after(end_seq, tp.snd_una))
		return false;
	if (!before(start_seq, tp.undo_marker))
		return true;
	if (!after(end_seq, tp.undo_marker))
		return false;
	return !before(start_seq, end_seq - tp.max_window);
}

static bool tcp_check_dsack(sock &sk, const sk_buff &ack_skb, const tcp_sack_block_wire *sp, int num_sacks,
                            seq32 prior_snd_una, tcp_sacktag_state &state)
{
	TRACE(sk, ack_skb);
	tcp_sock &tp = tcp_sk(sk);
	const seq32 start_seq_0(ntohl(sp[0].start_seq)), end_seq_0(ntohl(sp[0].end_seq));

	if (before(start_seq_0, TCP_SKB_CB(ack_skb).ack_seq)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPDSACKRECV);
	} else if (num_sacks > 1) {
		const seq32 start_seq_1(ntohl(sp[1].start_seq)), end_seq_1(ntohl(sp[1].end_seq));

		if (after(end_seq_0, end_seq_1) || before(start_seq_0, start_seq_1))
			return false;
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPDSACKOFORECV);
	} else {
		return false;
	}
	const u32 dup_segs = tcp_dsack_seen(tp, start_seq_0, end_seq_0, state);

	if (!dup_segs) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPDSACKIGNOREDDUBIOUS);
		return false;
	}
	NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPDSACKRECVSEGS, dup_segs);
	if (tp.undo_marker.v && tp.undo_retrans > 0 && !after(end_seq_0, prior_snd_una) &&
	    after(end_seq_0, tp.undo_marker))
		tp.undo_retrans = std::max(0, tp.undo_retrans - static_cast<int>(dup_segs));
	return true;
}

// Is the segment in the block? It is cut where the block ends inside it, at a multiple of its segment size.
// Negative: it is not, or could not be cut.
static int tcp_match_skb_to_sack(sock &sk, sk_buff &skb, seq32 start_seq, seq32 end_seq)
{
	TRACE(sk, skb);
	const tcp_skb_cb &scb = TCP_SKB_CB(skb);
	bool in_sack = !after(start_seq, scb.seq) && !before(end_seq, scb.end_seq);

	if (tcp_skb_pcount(skb) <= 1 || in_sack || !after(scb.end_seq, start_seq))
		return in_sack;

	const u32 mss = static_cast<u32>(tcp_skb_mss(skb));
	u32 pkt_len;

	in_sack = !after(start_seq, scb.seq);
	if (!in_sack) {
		pkt_len = std::max(static_cast<u32>(start_seq - scb.seq), mss);
	} else {
		pkt_len = static_cast<u32>(end_seq - scb.seq);
		if (pkt_len < mss)
			return -EINVAL;
	}
	if (pkt_len > mss) {
		u32 new_len = pkt_len / mss * mss;

		if (!in_sack && new_len < pkt_len)
			new_len += mss;
		pkt_len = new_len;
	}
	if (pkt_len >= skb.len && !in_sack)
		return 0;
	const int err = tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, pkt_len, mss, GFP_ATOMIC);

	return err < 0 ? err : in_sack;
}

// Tags one segment, whose tags are `sacked`; the caller stores the result.
static u8 tcp_sacktag_one(sock &sk, tcp_sacktag_state &state, u8 sacked, seq32 start_seq, seq32 end_seq,
                          bool dup_sack, int pcount, u64 xmit_time)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 count = static_cast<u32>(pcount);
	const auto untag = [&sacked](u8 tags) { sacked = static_cast<u8>(sacked & ~tags); };

	if (dup_sack && (sacked & TCPCB_RETRANS)) {
		if (tp.undo_marker.v && tp.undo_retrans > 0 && after(end_seq, tp.undo_marker))
			tp.undo_retrans = std::max(0, tp.undo_retrans - pcount);
		if ((sacked & TCPCB_SACKED_ACKED) && before(start_seq, state.reord))
			state.reord = start_seq;
	}
	if (!after(end_seq, tp.snd_una)) // acknowledged meanwhile
		return sacked;
	if (!(sacked & TCPCB_SACKED_ACKED)) {
		tcp_rack_advance(tp, sacked, end_seq, xmit_time);
		if (sacked & TCPCB_SACKED_RETRANS) {
			// Which transmission arrived is not known: it is not lost, and not in the network
			// twice.
			if (sacked & TCPCB_LOST) {
				untag(TCPCB_LOST | TCPCB_SACKED_RETRANS);
				tp.lost_out -= count;
				tp.retrans_out -= count;
			}
		} else {
			if (!(sacked & TCPCB_RETRANS)) {
				// New SACK for what fell behind: reordering.
				if (before(start_seq, tcp_highest_sack_seq(tp)) &&
				    before(start_seq, state.reord))
					state.reord = start_seq;
				if (!after(end_seq, tp.high_seq))
					state.flag |= FLAG_ORIG_SACK_ACKED;
				if (state.first_sackt == 0)
					state.first_sackt = xmit_time;
				state.last_sackt = xmit_time;
			}
			if (sacked & TCPCB_LOST) {
				untag(TCPCB_LOST);
				tp.lost_out -= count;
			}
		}
		sacked |= TCPCB_SACKED_ACKED;
		state.flag |= FLAG_DATA_SACKED;
		tp.sacked_out += count;
		state.sack_delivered += count;
		if (tp.lost_skb_hint && before(start_seq, TCP_SKB_CB(*tp.lost_skb_hint).seq))
			tp.lost_cnt_hint += pcount;
	}
	// A retransmission that was reported as a duplicate has left the network.
	if (dup_sack && (sacked & TCPCB_SACKED_RETRANS)) {
		untag(TCPCB_SACKED_RETRANS);
		tp.retrans_out -= count;
	}
	return sacked;
}

// `shifted` bytes of skb's data were moved to prev: the accounts follow. True: skb was emptied and is gone.
static bool tcp_shifted_skb(sock &sk, sk_buff &prev, sk_buff &skb, tcp_sacktag_state &state, int pcount,
                            u32 shifted, int mss, bool dup_sack)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &cb = TCP_SKB_CB(skb), &prev_cb = TCP_SKB_CB(prev);
	const seq32 start_seq = cb.seq;
	const seq32 end_seq = start_seq + shifted;

	assert(pcount);
	tcp_sacktag_one(sk, state, cb.sacked, start_seq, end_seq, dup_sack, pcount,
	                tcp_skb_timestamp_us(skb));
	tcp_rate_skb_delivered(sk, skb, *state.rate);
	if (&skb == tp.lost_skb_hint)
		tp.lost_cnt_hint += pcount;

	prev_cb.end_seq += shifted;
	cb.seq += shifted;
	tcp_skb_pcount_add(prev, pcount);
	assert(tcp_skb_pcount(skb) >= pcount);
	tcp_skb_pcount_add(skb, -pcount);
	if (!prev_cb.tcp_gso_size) // it was one segment
		prev_cb.tcp_gso_size = static_cast<u16>(mss);
	if (tcp_skb_pcount(skb) <= 1)
		cb.tcp_gso_size = 0;
	prev_cb.sacked |= cb.sacked & TCPCB_EVER_RETRANS;
	if (skb.len > 0) {
		assert(tcp_skb_pcount(skb));
		NET_INC_STATS(sock_net(sk), LINUX_MIB_SACKSHIFTED);
		return false;
	}

	if (&skb == tp.retransmit_skb_hint)
		tp.retransmit_skb_hint = &prev;
	if (&skb == tp.lost_skb_hint) {
		tp.lost_skb_hint = &prev;
		tp.lost_cnt_hint -= tcp_skb_pcount(prev);
	}
	prev_cb.tcp_flags |= cb.tcp_flags;
	prev_cb.eor = cb.eor;
	if (cb.tcp_flags & TCPHDR_FIN)
		++prev_cb.end_seq;
	if (&skb == tcp_highest_sack(sk))
		tcp_advance_highest_sack(sk, skb);
	tcp_skb_collapse_tstamp(prev, skb);
	if (prev_cb.tx.delivered_mstamp)
		prev_cb.tx.delivered_mstamp = 0;
	tcp_rtx_queue_unlink_and_free(skb, sk);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_SACKMERGED);
	return true;
}

// What each of a segment's packets carries.
int tcp_skb_seglen(const sk_buff &skb)
{
	TRACE(skb);
	return tcp_skb_pcount(skb) == 1 ? static_cast<int>(skb.len) : tcp_skb_mss(skb);
}

static bool skb_can_shift(const sk_buff &skb)
{
	TRACE(skb);
	return !skb_headlen(skb) && skb_is_nonlinear(skb);
}

int tcp_skb_shift(sk_buff &to, sk_buff &from, int pcount, int shiftlen)
{
	TRACE(to);
	if (to.len + static_cast<u32>(shiftlen) >= 65535 * TCP_MIN_GSO_SIZE)
		return 0;
	if (tcp_skb_pcount(to) + pcount > 65535)
		return 0;
	return skb_shift(to, from, shiftlen);
}

// Moves what the block covers of skb to the SACKed segment before it. The segment to go on from: the one
// before when something was moved, skb itself when the block does not reach it, null when the usual tagging
// must do.
static sk_buff *tcp_shift_skb_data(sock &sk, sk_buff &skb, tcp_sacktag_state &state, seq32 start_seq,
                                   seq32 end_seq, bool dup_sack)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const tcp_skb_cb &cb = TCP_SKB_CB(skb);
	const auto fallback = [&sk]() -> sk_buff * {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_SACKSHIFTFALLBACK);
		return nullptr;
	};

	// A retransmission's origin must stay known, for undo.
	if (!dup_sack && (cb.sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) == TCPCB_SACKED_RETRANS)
		return fallback();
	if (!skb_can_shift(skb))
		return fallback();
	if (!after(cb.end_seq, tp.snd_una)) // the ACK's own edge
		return fallback();
	sk_buff *prev = skb_rb_prev(sk.tcp_rtx_queue, skb);

	if (!prev || (TCP_SKB_CB(*prev).sacked & TCPCB_TAGBITS) != TCPCB_SACKED_ACKED ||
	    !tcp_skb_can_collapse(*prev, skb))
		return fallback();

	int pcount, mss;
	u32 len;

	if (!after(start_seq, cb.seq) && !before(end_seq, cb.end_seq)) {
		len = skb.len;
		pcount = tcp_skb_pcount(skb);
		mss = tcp_skb_seglen(skb);
		if (mss != tcp_skb_seglen(*prev))
			return fallback();
	} else {
		if (!after(cb.end_seq, start_seq))
			return &skb;
		if (tcp_skb_pcount(skb) <= 1)
			return &skb;
		if (after(start_seq, cb.seq)) // covered at its end only: cut, rather
			return fallback();
		len = static_cast<u32>(end_seq - cb.seq);
		assert(len <= skb.len);
		mss = tcp_skb_mss(skb);
		if (mss != tcp_skb_seglen(*prev))
			return fallback();
		if (len < static_cast<u32>(mss))
			return &skb;
		pcount = static_cast<int>(len) / mss;
		len = static_cast<u32>(pcount * mss);
	}
	if (!after(cb.seq + len, tp.snd_una)) // tcp_sacktag_one would not count it
		return fallback();
	if (!tcp_skb_shift(*prev, skb, pcount, static_cast<int>(len)))
		return fallback();
	if (!tcp_shifted_skb(sk, *prev, skb, state, pcount, len, mss, dup_sack))
		return prev;

	// The hole is filled: the SACKed segment behind it joins too.
	sk_buff *next = skb_rb_next(sk.tcp_rtx_queue, *prev);

	if (!next || !skb_can_shift(*next) ||
	    (TCP_SKB_CB(*next).sacked & TCPCB_TAGBITS) != TCPCB_SACKED_ACKED ||
	    mss != tcp_skb_seglen(*next) || !tcp_skb_can_collapse(*prev, *next))
		return prev;
	len = next->len;
	pcount = tcp_skb_pcount(*next);
	if (tcp_skb_shift(*prev, *next, pcount, static_cast<int>(len)))
		tcp_shifted_skb(sk, *prev, *next, state, pcount, len, mss, false);
	return prev;
}

// From skb on, tags what lies in the block. Returns where it stopped, null past the last.
static sk_buff *tcp_sacktag_walk(sk_buff *skb, sock &sk, const tcp_sack_block *next_dup,
                                 tcp_sacktag_state &state, seq32 start_seq, seq32 end_seq, bool dup_sack_in)
{
	TRACE(skb, sk);
	tcp_sock &tp = tcp_sk(sk);

	for (; skb; skb = skb_rb_next(sk.tcp_rtx_queue, *skb)) {
		int in_sack = 0;
		bool dup_sack = dup_sack_in;

		if (!before(TCP_SKB_CB(*skb).seq, end_seq))
			break;
		if (next_dup && before(TCP_SKB_CB(*skb).seq, next_dup->end_seq)) {
			in_sack = tcp_match_skb_to_sack(sk, *skb, next_dup->start_seq, next_dup->end_seq);
			if (in_sack > 0)
				dup_sack = true;
		}
		if (in_sack <= 0) {
			if (sk_buff *tmp =
			            tcp_shift_skb_data(sk, *skb, state, start_seq, end_seq, dup_sack)) {
				if (tmp != skb) {
					skb = tmp;
					continue;
				}
				in_sack = 0;
			} else {
				in_sack = tcp_match_skb_to_sack(sk, *skb, start_seq, end_seq);
			}
		}
		if (in_sack < 0)
			break;
		if (!in_sack)
			continue;
		tcp_skb_cb &cb = TCP_SKB_CB(*skb);

		cb.sacked = tcp_sacktag_one(sk, state, cb.sacked, cb.seq, cb.end_seq, dup_sack,
		                            tcp_skb_pcount(*skb), tcp_skb_timestamp_us(*skb));
		tcp_rate_skb_delivered(sk, *skb, *state.rate);
		if (cb.sacked & TCPCB_SACKED_ACKED)
			list_del_init(skb->tcp_tsorted_anchor);
		if (!before(cb.seq, tcp_highest_sack_seq(tp)))
			tcp_advance_highest_sack(sk, *skb);
	}
	return skb;
}

// The segment that holds seq, or null.
static sk_buff *tcp_sacktag_bsearch(sock &sk, seq32 seq)
{
	TRACE(sk);
	struct position {
		bool operator()(seq32 s, const sk_buff &skb) const { return before(s, TCP_SKB_CB(skb).seq); }
		bool operator()(const sk_buff &skb, seq32 s) const
		{
			return !before(s, TCP_SKB_CB(skb).end_seq);
		}
	};
	const auto it = sk.tcp_rtx_queue.find(seq, position{});

	return it == sk.tcp_rtx_queue.end() ? nullptr : &*it;
}

static sk_buff *tcp_sacktag_skip(sk_buff *skb, sock &sk, seq32 skip_to_seq)
{
	TRACE(skb, sk);
	if (skb && after(TCP_SKB_CB(*skb).seq, skip_to_seq))
		return skb;
	return tcp_sacktag_bsearch(sk, skip_to_seq);
}

static sk_buff *tcp_maybe_skipping_dsack(sk_buff *skb, sock &sk, const tcp_sack_block *next_dup,
                                         tcp_sacktag_state &state, seq32 skip_to_seq)
{
	TRACE(skb, sk);
	if (next_dup && before(next_dup->start_seq, skip_to_seq)) {
		skb = tcp_sacktag_skip(skb, sk, next_dup->start_seq);
		skb = tcp_sacktag_walk(skb, sk, nullptr, state, next_dup->start_seq, next_dup->end_seq, true);
	}
	return skb;
}

static bool tcp_sack_cache_ok(const tcp_sock &tp, const tcp_sack_block *cache)
{
	TRACE(tp);
	return cache < std::end(tp.recv_sack_cache);
}

namespace {

struct sorted_blocks {
	tcp_sack_block sp[TCP_NUM_SACKS];
	int used = 0;
	int first = 0; // where the first block of the option went; -1: it was not used
};

// The valid blocks that say something new, in order of sequence.
sorted_blocks usable_blocks(sock &sk, const sk_buff &ack_skb, const tcp_sack_block_wire *wire, int num_sacks,
                            bool found_dup_sack, seq32 prior_snd_una)
{
	tcp_sock &tp = tcp_sk(sk);
	sorted_blocks b;

	for (int i = 0; i < num_sacks; i++) {
		const bool dup_sack = !i && found_dup_sack;
		tcp_sack_block &sp = b.sp[b.used];

		sp.start_seq = seq32(ntohl(wire[i].start_seq));
		sp.end_seq = seq32(ntohl(wire[i].end_seq));
		if (!tcp_is_sackblock_valid(tp, dup_sack, sp.start_seq, sp.end_seq)) {
			linux_mib_item mib_idx = LINUX_MIB_TCPSACKDISCARD;

			if (dup_sack)
				mib_idx = tp.undo_marker.v ? LINUX_MIB_TCPDSACKIGNOREDOLD
				                           : LINUX_MIB_TCPDSACKIGNOREDNOUNDO;
			else if (TCP_SKB_CB(ack_skb).ack_seq != tp.snd_una && !after(sp.end_seq, tp.snd_una))
				continue; // an old ACK that came late
			NET_INC_STATS(sock_net(sk), mib_idx);
			if (i == 0)
				b.first = -1;
			continue;
		}
		if (!after(sp.end_seq, prior_snd_una)) {
			if (i == 0)
				b.first = -1;
			continue;
		}
		b.used++;
	}
	for (int i = b.used - 1; i > 0; i--) {
		for (int j = 0; j < i; j++) {
			if (!after(b.sp[j].start_seq, b.sp[j + 1].start_seq))
				continue;
			std::swap(b.sp[j], b.sp[j + 1]);
			if (j == b.first)
				b.first = j + 1;
		}
	}
	return b;
}

} // namespace

u32 tcp_sacktag_write_queue(sock &sk, const sk_buff &ack_skb, seq32 prior_snd_una, tcp_sacktag_state &state)
{
	TRACE(sk, ack_skb);
	tcp_sock &tp = tcp_sk(sk);
	const u8 *ptr = skb_transport_header(ack_skb) + TCP_SKB_CB(ack_skb).sacked;
	const auto *sp_wire = reinterpret_cast<const tcp_sack_block_wire *>(ptr + 2);
	const int num_sacks = std::min(TCP_NUM_SACKS, (ptr[1] - TCPOLEN_SACK_BASE) >> 3);

	state.flag = 0;
	state.reord = tp.snd_nxt;
	if (!tp.sacked_out)
		tcp_highest_sack_reset(sk);
	const bool found_dup_sack = tcp_check_dsack(sk, ack_skb, sp_wire, num_sacks, prior_snd_una, state);

	// Blocks of an ACK that is older than a window are not believed.
	if (before(TCP_SKB_CB(ack_skb).ack_seq, prior_snd_una - tp.max_window))
		return 0;
	if (!tp.packets_out)
		return state.flag;

	const sorted_blocks b = usable_blocks(sk, ack_skb, sp_wire, num_sacks, found_dup_sack, prior_snd_una);
	constexpr int cache_size = TCP_NUM_SACKS;
	const tcp_sack_block *cache = tp.recv_sack_cache;

	state.mss_now = tcp_current_mss(sk);
	if (!tp.sacked_out) {
		cache = std::end(tp.recv_sack_cache); // nothing in it holds any more
	} else {
		while (tcp_sack_cache_ok(tp, cache) && !cache->start_seq.v && !cache->end_seq.v)
			cache++;
	}

	sk_buff *skb = nullptr;

	for (int i = 0; i < b.used;) {
		const seq32 start_seq = b.sp[i].start_seq, end_seq = b.sp[i].end_seq;
		const bool dup_sack = found_dup_sack && i == b.first;
		const tcp_sack_block *next_dup = found_dup_sack && i + 1 == b.first ? &b.sp[i + 1] : nullptr;
		bool from_highest = false;

		while (tcp_sack_cache_ok(tp, cache) && !before(start_seq, cache->end_seq))
			cache++;
		if (tcp_sack_cache_ok(tp, cache) && !dup_sack && after(end_seq, cache->start_seq)) {
			// The block overlaps a known one: what lies before that, then what lies behind it.
			if (before(start_seq, cache->start_seq)) {
				skb = tcp_sacktag_skip(skb, sk, start_seq);
				skb = tcp_sacktag_walk(skb, sk, next_dup, state, start_seq, cache->start_seq,
				                       dup_sack);
			}
			if (!after(end_seq, cache->end_seq)) {
				i++;
				continue;
			}
			skb = tcp_maybe_skipping_dsack(skb, sk, next_dup, state, cache->end_seq);
			if (tcp_highest_sack_seq(tp) != cache->end_seq) {
				skb = tcp_sacktag_skip(skb, sk, cache->end_seq);
				cache++;
				continue;
			}
			skb = tcp_highest_sack(sk);
			if (!skb)
				break;
			cache++;
			from_highest = true;
		}
		if (!from_highest) {
			if (!before(start_seq, tcp_highest_sack_seq(tp))) {
				skb = tcp_highest_sack(sk);
				if (!skb)
					break;
			}
			skb = tcp_sacktag_skip(skb, sk, start_seq);
		}
		skb = tcp_sacktag_walk(skb, sk, next_dup, state, start_seq, end_seq, dup_sack);
		i++;
	}

	int at = 0;

	for (; at < cache_size - b.used; at++)
		tp.recv_sack_cache[at] = {};
	for (int j = 0; j < b.used; j++)
		tp.recv_sack_cache[at++] = b.sp[j];
	if (tp.icsk_ca_state != TCP_CA_Loss || tp.undo_marker.v)
		tcp_check_sack_reordering(sk, state.reord, false);
	tcp_verify_left_out(tp);
	return state.flag;
}

} // namespace skbwalk
