// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: the receiver's estimates and the buffers that tune themselves. Each segment
// with data comes to tcp_event_data_recv: it measures the peer's segment size and the delayed
// acknowledgement's interval, looks at the ECN bits and opens the window (tcp_grow_window).
// tcp_rcv_space_adjust, after each copy to the user, sizes the receive buffer from what was read in one round
// trip; tcp_sndbuf_expand sizes the send buffer. Left out: the warning about a device whose GRO makes too
// long segments.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

namespace {

constexpr u32 ATO_HALF = TCP_ATO_MIN / 2;

} // namespace

// The peer's segment size, as delayed acknowledgements need it: every second full segment is acknowledged at
// once.
static void tcp_measure_rcv_mss(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	auto &ack = tp.icsk_ack;
	const u16 lss = ack.last_seg_size;
	u32 len = skb_shinfo(skb).gso_size ? skb_shinfo(skb).gso_size : skb.len;

	ack.last_seg_size = 0;
	if (len >= ack.rcv_mss) {
		ack.rcv_mss = static_cast<u16>(std::min<u32>(len, tp.advmss));
		// A segment of exactly one MSS with PSH is probably the end of a write.
		if (TCP_SKB_CB(skb).tcp_flags & TCPHDR_PSH)
			ack.pending |= ICSK_ACK_PUSHED;
		return;
	}
	// Shorter: believed when it has the same size twice, header and variable options apart.
	len += static_cast<u32>(skb.data - skb_transport_header(skb));
	constexpr u32 TCP_REMNANT = TCP_FLAG_FIN | TCP_FLAG_URG | TCP_FLAG_SYN | TCP_FLAG_PSH;
	if (len >= TCP_MSS_DEFAULT + sizeof(tcphdr) ||
	    (len >= TCP_MIN_MSS + sizeof(tcphdr) &&
	     !(tcp_flag_word(tcp_hdr(skb)) & htonl(TCP_REMNANT).raw()))) {
		len -= tp.tcp_header_len;
		ack.last_seg_size = static_cast<u16>(len);
		if (len == lss) {
			ack.rcv_mss = static_cast<u16>(len);
			return;
		}
	}
	if (ack.pending & ICSK_ACK_PUSHED)
		ack.pending |= ICSK_ACK_PUSHED2;
	ack.pending |= ICSK_ACK_PUSHED;
}

static void tcp_incr_quickack(sock &sk, u32 max_quickacks)
{
	TRACE(sk);
	auto &ack = inet_csk(sk).icsk_ack;
	u32 quickacks = tcp_sk(sk).rcv_wnd / (2u * ack.rcv_mss);

	if (quickacks == 0)
		quickacks = 2;
	quickacks = std::min(quickacks, max_quickacks);
	if (quickacks > ack.quick)
		ack.quick = static_cast<u8>(quickacks);
}

void tcp_enter_quickack_mode(sock &sk, u32 max_quickacks)
{
	TRACE(sk);
	tcp_incr_quickack(sk, max_quickacks);
	inet_csk_exit_pingpong_mode(sk);
	inet_csk(sk).icsk_ack.ato = TCP_ATO_MIN;
}

bool tcp_in_quickack_mode(sock &sk)
{
	TRACE(sk);
	const dst_entry *dst = __sk_dst_get(sk);

	return (dst && dst_metric(*dst, RTAX_QUICKACK)) ||
	       (inet_csk(sk).icsk_ack.quick && !inet_csk_in_pingpong_mode(sk));
}

static void __tcp_ecn_check_ce(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	switch (TCP_SKB_CB(skb).ip_dsfield & INET_ECN_MASK) {
	case INET_ECN_NOT_ECT:
		// Where ECT was seen before, this is probably a retransmission.
		if (tp.ecn_flags & TCP_ECN_SEEN)
			tcp_enter_quickack_mode(sk, 2);
		break;
	case INET_ECN_CE:
		if (tcp_ca_needs_ecn(sk))
			tcp_ca_event_call(sk, CA_EVENT_ECN_IS_CE);
		if (!(tp.ecn_flags & TCP_ECN_DEMAND_CWR)) {
			tcp_enter_quickack_mode(sk, 2); // the sender's window may be very small
			tp.ecn_flags |= TCP_ECN_DEMAND_CWR;
		}
		tp.ecn_flags |= TCP_ECN_SEEN;
		break;
	default:
		if (tcp_ca_needs_ecn(sk))
			tcp_ca_event_call(sk, CA_EVENT_ECN_NO_CE);
		tp.ecn_flags |= TCP_ECN_SEEN;
		break;
	}
}

void tcp_ecn_check_ce(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	if (tcp_sk(sk).ecn_flags & TCP_ECN_OK)
		__tcp_ecn_check_ce(sk, skb);
}

// Room for two windows of segments, each as large in memory as the worst case makes it.
void tcp_sndbuf_expand(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const tcp_congestion_ops &ca_ops = *tp.icsk_ca_ops;
	const u32 per_mss = std::bit_ceil(std::max<u32>(tp.rx_opt.mss_clamp, tp.mss_cache) + MAX_TCP_HEADER +
	                                  SKB_SHINFO_SIZE) +
	                    SKB_HEAD_TRUESIZE;
	const u32 nr_segs = std::max({TCP_INIT_CWND, tcp_snd_cwnd(tp), tp.reordering + 1});
	const u32 factor = ca_ops.sndbuf_expand ? ca_ops.sndbuf_expand(sk) : 2;
	const u32 sndmem = factor * nr_segs * per_mss;

	if (sk.sk_sndbuf < static_cast<int>(sndmem))
		sk.sk_sndbuf = std::min(static_cast<int>(sndmem), sock_net(sk).ipv4.sysctl_tcp_wmem[2]);
}

// A segment with much overhead: how small must the window be so that such segments still fit? By halving
// both.
static int __tcp_grow_window(const sock &sk, const sk_buff &skb, u32 skbtruesize)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	int truesize = tcp_win_from_space(sk, static_cast<int>(skbtruesize)) >> 1;
	int window = tcp_win_from_space(sk, sock_net(sk).ipv4.sysctl_tcp_rmem[2]) >> 1;

	while (static_cast<int>(tp.rcv_ssthresh) <= window) {
		if (truesize <= static_cast<int>(skb.len))
			return 2 * tp.icsk_ack.rcv_mss;
		truesize >>= 1;
		window >>= 1;
	}
	return 0;
}

// Segments in page frags can merge: the head that they came with does not count then.
static u32 truesize_adjust(bool adjust, const sk_buff &skb)
{
	TRACE(skb);
	u32 truesize = skb.truesize;

	if (adjust && !skb_headlen(skb)) {
		truesize -= SKB_TRUESIZE(skb_end_offset(skb));
		if (static_cast<int>(truesize) < static_cast<int>(skb.len))
			truesize = skb.truesize;
	}
	return truesize;
}

void tcp_grow_window(sock &sk, const sk_buff &skb, bool adjust)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	// A clamp of 2 GiB or more (TCP_WINDOW_CLAMP takes any) is a negative number, and wraps here.
	const u32 most = static_cast<u32>(std::min(static_cast<int>(tp.window_clamp), tcp_space(sk)));
	const int room = static_cast<int>(most - tp.rcv_ssthresh);

	if (room <= 0)
		return;
	if (tcp_under_memory_pressure(sk)) {
		tcp_adjust_rcv_ssthresh(sk);
		return;
	}
	const u32 truesize = truesize_adjust(adjust, skb);
	int incr;

	if (tcp_win_from_space(sk, static_cast<int>(truesize)) <= static_cast<int>(skb.len))
		incr = 2 * tp.advmss;
	else
		incr = __tcp_grow_window(sk, skb, truesize);
	if (incr) {
		incr = std::max(incr, 2 * static_cast<int>(skb.len));
		tp.rcv_ssthresh += static_cast<u32>(std::min(room, incr));
		tp.icsk_ack.quick |= 1;
	}
}

// linux-4.4: the receive buffer of a new connection is made large enough for twice its initial window.
static void tcp_fixup_rcvbuf(sock &sk)
{
	TRACE(sk);
	const u32 mss = tcp_sk(sk).advmss;
	u32 init_rwnd = TCP_INIT_CWND * 2;

	if (mss > 1460)
		init_rwnd = std::max(1460 * init_rwnd / mss, 2u);
	int rcvmem = static_cast<int>(2 * SKB_TRUESIZE(mss + MAX_TCP_HEADER) * init_rwnd);

	if (sock_net(sk).ipv4.sysctl_tcp_moderate_rcvbuf)
		rcvmem <<= 2;
	if (sk.sk_rcvbuf < rcvmem)
		sk.sk_rcvbuf = std::min(rcvmem, sock_net(sk).ipv4.sysctl_tcp_rmem[2]);
}

void tcp_init_buffer_space(sock &sk)
{
	TRACE(sk);
	const int tcp_app_win = sock_net(sk).ipv4.sysctl_tcp_app_win;
	tcp_sock &tp = tcp_sk(sk);

	if (current.host->features.conn_request_44 && !(sk.sk_userlocks & SOCK_RCVBUF_LOCK))
		tcp_fixup_rcvbuf(sk);
	if (!(sk.sk_userlocks & SOCK_SNDBUF_LOCK))
		tcp_sndbuf_expand(sk);
	if (!current.host->features.conn_request_44) // linux-4.4 counts this time in jiffies
		tcp_mstamp_refresh(tp);
	tp.rcvq_space.time = tp.tcp_mstamp;
	tp.rcvq_space.seq = tp.copied_seq;

	const u32 maxwin = static_cast<u32>(tcp_full_space(sk));
	const u32 advmss = tp.advmss;

	if (tp.window_clamp >= maxwin) {
		tp.window_clamp = maxwin;
		if (tcp_app_win && maxwin > 4 * advmss)
			tp.window_clamp =
				std::max(maxwin - (tcp_app_win < 32 ? maxwin >> tcp_app_win : 0), 4 * advmss);
	}
	// One segment is kept in reserve.
	if (tcp_app_win && tp.window_clamp > 2 * advmss && tp.window_clamp + advmss > maxwin)
		tp.window_clamp = std::max(2 * advmss, maxwin - advmss);
	tp.rcv_ssthresh = std::min(tp.rcv_ssthresh, tp.window_clamp);
	tp.snd_cwnd_stamp = tcp_jiffies32();
	tp.rcvq_space.space = std::min({tp.rcv_ssthresh, tp.rcv_wnd, TCP_INIT_CWND * advmss});
}

// The receive queue reached its limit.
void tcp_clamp_window(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const int rmem2 = sock_net(sk).ipv4.sysctl_tcp_rmem[2];

	tp.icsk_ack.quick = 0;
	if (sk.sk_rcvbuf < rmem2 && !(sk.sk_userlocks & SOCK_RCVBUF_LOCK) && !tcp_under_memory_pressure(sk) &&
	    sk_memory_allocated(sk) < sk_prot_mem_limits(sk, 0))
		sk.sk_rcvbuf = std::min(sk_rmem_alloc_get(sk), rmem2);
	if (sk_rmem_alloc_get(sk) > sk.sk_rcvbuf)
		tp.rcv_ssthresh = std::min(tp.window_clamp, 2u * tp.advmss);
}

// A guess of the peer's segment size, rather too small: a too large one delays acknowledgements.
void tcp_initialize_rcv_mss(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	u32 hint = std::min<u32>(tp.advmss, tp.mss_cache);

	hint = std::min(hint, tp.rcv_wnd / 2);
	hint = std::min(hint, TCP_MSS_DEFAULT);
	hint = std::max(hint, TCP_MIN_MSS);
	inet_csk(sk).icsk_ack.rcv_mss = static_cast<u16>(hint);
}

static void tcp_rcv_rtt_update(tcp_sock &tp, u32 sample, bool win_dep)
{
	TRACE(tp);
	const u32 old_sample = tp.rcv_rtt_est.rtt_us;
	const u64 m = u64{sample} << 3;
	u32 new_sample;

	if (old_sample == 0 || m < old_sample) {
		new_sample = static_cast<u32>(m);
	} else {
		// A window's time may hold an idle application: only smaller ones are believed.
		if (win_dep)
			return;
		new_sample = old_sample - (old_sample >> 3) + sample;
	}
	tp.rcv_rtt_est.rtt_us = new_sample;
}

// Without time stamps: a window of data takes at least a round trip.
static void tcp_rcv_rtt_measure(tcp_sock &tp)
{
	TRACE(tp);
	if (tp.rcv_rtt_est.time != 0) {
		if (before(tp.rcv_nxt, tp.rcv_rtt_est.seq))
			return;
		u32 delta_us = tcp_stamp_us_delta(tp.tcp_mstamp, tp.rcv_rtt_est.time);

		if (!delta_us)
			delta_us = 1;
		tcp_rcv_rtt_update(tp, delta_us, true);
	}
	tp.rcv_rtt_est.seq = tp.rcv_nxt + tp.rcv_wnd;
	tp.rcv_rtt_est.time = tp.tcp_mstamp;
}

void tcp_rcv_rtt_measure_ts(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.rx_opt.rcv_tsecr == tp.rcv_rtt_last_tsecr)
		return;
	tp.rcv_rtt_last_tsecr = tp.rx_opt.rcv_tsecr;
	if (TCP_SKB_CB(skb).end_seq - TCP_SKB_CB(skb).seq < tp.icsk_ack.rcv_mss)
		return;
	u32 delta = tcp_time_stamp(tp) - tp.rx_opt.rcv_tsecr; // ms

	if (delta < 0x7fffffff / 1000) {
		if (!delta)
			delta = 1;
		tcp_rcv_rtt_update(tp, delta * 1000, false);
	}
}

// Called when data was copied to the user. The window is to hold what is read in one round trip, twice for
// losses, and as much again as it grew while the sender is in slow start (dynamic right-sizing).
void tcp_rcv_space_adjust(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_mstamp_refresh(tp);
	const u32 time = tcp_stamp_us_delta(tp.tcp_mstamp, tp.rcvq_space.time);

	if (time < (tp.rcv_rtt_est.rtt_us >> 3) || tp.rcv_rtt_est.rtt_us == 0)
		return;
	const u32 copied = static_cast<u32>(tp.copied_seq - tp.rcvq_space.seq);

	if (copied > tp.rcvq_space.space) {
		if (sock_net(sk).ipv4.sysctl_tcp_moderate_rcvbuf && !(sk.sk_userlocks & SOCK_RCVBUF_LOCK)) {
			u64 rcvwin = (u64{copied} << 1) + 16u * tp.advmss;

			rcvwin += (rcvwin * (copied - tp.rcvq_space.space) / tp.rcvq_space.space) << 1;
			int rcvmem = static_cast<int>(SKB_TRUESIZE(tp.advmss + MAX_TCP_HEADER));

			while (tcp_win_from_space(sk, rcvmem) < tp.advmss)
				rcvmem += 128;
			rcvwin /= tp.advmss;
			const int rcvbuf = static_cast<int>(
				std::min<u64>(rcvwin * static_cast<u64>(rcvmem),
			                      static_cast<u64>(sock_net(sk).ipv4.sysctl_tcp_rmem[2])));

			if (rcvbuf > sk.sk_rcvbuf) {
				sk.sk_rcvbuf = rcvbuf;
				tp.window_clamp = static_cast<u32>(tcp_win_from_space(sk, rcvbuf));
			}
		}
		tp.rcvq_space.space = copied;
	}
	tp.rcvq_space.seq = tp.copied_seq;
	tp.rcvq_space.time = tp.tcp_mstamp;
}

// The interval of delayed acknowledgements (ato) follows the time between segments; at first, and after a
// pause, each segment is acknowledged at once, so that the sender's slow start gets going.
void tcp_event_data_recv(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	auto &ack = tp.icsk_ack;

	inet_csk_schedule_ack(sk);
	tcp_measure_rcv_mss(sk, skb);
	tcp_rcv_rtt_measure(tp);

	const u32 now = tcp_jiffies32();

	if (!ack.ato) {
		tcp_incr_quickack(sk, TCP_MAX_QUICKACKS);
		ack.ato = TCP_ATO_MIN;
	} else {
		const int m = static_cast<int>(now - ack.lrcvtime);

		if (m <= static_cast<int>(ATO_HALF)) {
			ack.ato = (ack.ato >> 1) + ATO_HALF;
		} else if (m < static_cast<int>(ack.ato)) {
			ack.ato = (ack.ato >> 1) + static_cast<u32>(m);
			if (ack.ato > tp.icsk_rto)
				ack.ato = tp.icsk_rto;
		} else if (m > static_cast<int>(tp.icsk_rto)) {
			tcp_incr_quickack(sk, TCP_MAX_QUICKACKS);
		}
	}
	ack.lrcvtime = now;
	tcp_ecn_check_ce(sk, skb);
	if (skb.len >= 128)
		tcp_grow_window(sk, skb, true);
}

} // namespace skbwalk
