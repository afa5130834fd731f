// SPDX-License-Identifier: GPL-2.0-only
//
// RACK (net/ipv4/tcp_recovery.c, RFC 8985): what was sent well before something that has arrived is lost.
// tcp_rack_advance remembers the latest transmission of which delivery is known; tcp_rack_mark_lost walks the
// skbs in the order of sending and marks those that are older by more than the reordering window, and sets a
// timer for those that are not yet. The window grows as D-SACKs show that segments were marked too early
// (tcp_rack_update_reo_wnd). Without SACK, tcp_newreno_mark_lost marks the first (RFC 6582).
#include <algorithm>

#include "stack/ipv4/tcp.h"

namespace skbwalk {

constexpr int TCP_RACK_STATIC_REO_WND = 2, TCP_RACK_NO_DUPTHRESH = 4;
constexpr u8 TCP_RACK_RECOVERY_THRESH = 16; // recoveries for which a wider window is kept

static u32 tcp_rack_reo_wnd(const sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (!tp.reord_seen) {
		// No reordering so far: be quick in recovery, or when as many came as three duplicate ACKs.
		if (tp.icsk_ca_state >= TCP_CA_Recovery)
			return 0;
		if (tp.sacked_out >= tp.reordering &&
		    !(sock_net(sk).ipv4.sysctl_tcp_recovery & TCP_RACK_NO_DUPTHRESH))
			return 0;
	}
	return std::min((tcp_min_rtt(tp) >> 2) * tp.rack.reo_wnd_steps, tp.srtt_us >> 3);
}

// How long this skb may still be under way, in us; not more than 0: it is late.
s32 tcp_rack_skb_timeout(tcp_sock &tp, sk_buff &skb, u32 reo_wnd)
{
	TRACE(tp, skb);
	return static_cast<s32>(tp.rack.rtt_us + reo_wnd -
	                        tcp_stamp_us_delta(tp.tcp_mstamp, tcp_skb_timestamp_us(skb)));
}

// reo_timeout: in how many us the last of those that are not yet late will be; 0: there is none.
static void tcp_rack_detect_loss(sock &sk, u32 &reo_timeout)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	list_head &sent = tp.tsorted_sent_queue;

	reo_timeout = 0;
	const u32 reo_wnd = tcp_rack_reo_wnd(sk);
	for (list_head *at = sent.next, *next; at != &sent; at = next) {
		next = at->next;
		sk_buff &skb = list_entry<sk_buff>(*at, &sk_buff::tcp_tsorted_anchor);
		const tcp_skb_cb &scb = TCP_SKB_CB(skb);

		if ((scb.sacked & TCPCB_LOST) && !(scb.sacked & TCPCB_SACKED_RETRANS))
			continue; // marked, and not sent again yet
		if (!tcp_skb_sent_after(tp.rack.mstamp, tcp_skb_timestamp_us(skb), tp.rack.end_seq,
		                        scb.end_seq))
			break;
		const s32 remaining = tcp_rack_skb_timeout(tp, skb, reo_wnd);
		if (remaining <= 0) {
			tcp_mark_skb_lost(sk, skb);
			list_del_init(skb.tcp_tsorted_anchor);
		} else {
			reo_timeout = std::max(reo_timeout, static_cast<u32>(remaining));
		}
	}
}

// True: a timer runs for what may be late soon.
bool tcp_rack_mark_lost(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	u32 timeout;

	if (!tp.rack.advanced)
		return false;
	tp.rack.advanced = 0;
	tcp_rack_detect_loss(sk, timeout);
	if (!timeout)
		return false;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_REO_TIMEOUT, usecs_to_jiffies(timeout + TCP_TIMEOUT_MIN_US),
	                          tp.icsk_rto);
	return true;
}

// A transmission at xmit_time (us) was delivered.
void tcp_rack_advance(tcp_sock &tp, u8 sacked, seq32 end_seq, u64 xmit_time)
{
	TRACE(tp);
	const u32 rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, xmit_time);

	// Quicker than the path is: that ACK was for the original, not for the retransmission.
	if (rtt_us < tcp_min_rtt(tp) && (sacked & TCPCB_RETRANS))
		return;
	tp.rack.advanced = 1;
	tp.rack.rtt_us = rtt_us;
	if (tcp_skb_sent_after(xmit_time, tp.rack.mstamp, end_seq, tp.rack.end_seq)) {
		tp.rack.mstamp = xmit_time;
		tp.rack.end_seq = end_seq;
	}
}

// The timer of tcp_rack_mark_lost.
void tcp_rack_reo_timeout(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 prior_inflight = tcp_packets_in_flight(tp);
	const u32 lost = tp.lost;
	u32 timeout;

	tcp_rack_detect_loss(sk, timeout);
	if (prior_inflight != tcp_packets_in_flight(tp)) {
		if (tp.icsk_ca_state != TCP_CA_Recovery) {
			tcp_enter_recovery(sk, false);
			if (!tp.icsk_ca_ops->cong_control)
				tcp_cwnd_reduction(sk, 1, static_cast<int>(tp.lost - lost), 0);
		}
		tcp_xmit_retransmit_queue(sk);
	}
	if (tp.icsk_pending != ICSK_TIME_RETRANS)
		tcp_rearm_rto(sk);
}

// A round trip in which a D-SACK came widens the window by a quarter of the least round trip; sixteen
// recoveries later it is narrow again.
void tcp_rack_update_reo_wnd(sock &sk, rate_sample &rs)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if ((sock_net(sk).ipv4.sysctl_tcp_recovery & TCP_RACK_STATIC_REO_WND) || !rs.prior_delivered)
		return;
	// Once for each round trip.
	if (static_cast<s32>(rs.prior_delivered - tp.rack.last_delivered) < 0)
		tp.rack.dsack_seen = 0;
	if (tp.rack.dsack_seen) {
		tp.rack.reo_wnd_steps = static_cast<u8>(std::min(0xff, tp.rack.reo_wnd_steps + 1));
		tp.rack.dsack_seen = 0;
		tp.rack.last_delivered = tp.delivered;
		tp.rack.reo_wnd_persist = TCP_RACK_RECOVERY_THRESH;
	} else if (!tp.rack.reo_wnd_persist) {
		tp.rack.reo_wnd_steps = 1;
	}
}

void tcp_newreno_mark_lost(sock &sk, bool snd_una_advanced)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u8 state = tp.icsk_ca_state;

	if (!(state < TCP_CA_Recovery && tp.sacked_out >= tp.reordering) &&
	    !(state == TCP_CA_Recovery && snd_una_advanced))
		return;
	sk_buff &skb = *tcp_rtx_queue_head(sk);
	if (TCP_SKB_CB(skb).sacked & TCPCB_LOST)
		return;
	const auto mss = static_cast<u32>(tcp_skb_mss(skb));
	if (tcp_skb_pcount(skb) > 1 && skb.len > mss)
		tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, mss, mss, GFP_ATOMIC);
	tcp_mark_skb_lost(sk, skb);
}

} // namespace skbwalk
