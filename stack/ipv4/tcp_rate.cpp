// SPDX-License-Identifier: GPL-2.0-only
//
// How fast data is delivered (net/ipv4/tcp_rate.c; draft-cheng-iccrg-delivery-rate-estimation). Each skb sent
// carries what had been delivered by then, and when (tcp_rate_skb_sent). As it is acknowledged, the
// difference is one sample: of all that an ACK covers, the skb sent last counts (tcp_rate_skb_delivered), and
// tcp_rate_gen divides by the longer of the times that sending and acknowledging took. A sample says whether
// the application had too little to say.
#include <algorithm>

#include "stack/ipv4/tcp.h"

namespace skbwalk {

constexpr u32 TCPCB_DELIVERED_CE_MASK = (1u << 20) - 1;

void tcp_rate_skb_sent(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	auto &tx = TCP_SKB_CB(skb).tx;

	// A flight begins: nothing before counts.
	if (!tp.packets_out) {
		const u64 tstamp_us = tcp_skb_timestamp_us(skb);

		tp.first_tx_mstamp = tstamp_us;
		tp.delivered_mstamp = tstamp_us;
	}
	tx.first_tx_mstamp = tp.first_tx_mstamp;
	tx.delivered_mstamp = tp.delivered_mstamp;
	tx.delivered = tp.delivered;
	tx.delivered_ce = tp.delivered_ce & TCPCB_DELIVERED_CE_MASK;
	tx.is_app_limited = tp.app_limited ? 1 : 0;
}

// For each skb that an ACK or a SACK block covers for the first time.
void tcp_rate_skb_delivered(sock &sk, sk_buff &skb, rate_sample &rs)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &scb = TCP_SKB_CB(skb);

	if (!scb.tx.delivered_mstamp)
		return;
	const u64 tx_tstamp = tcp_skb_timestamp_us(skb);
	if (!rs.prior_delivered ||
	    tcp_skb_sent_after(tx_tstamp, tp.first_tx_mstamp, scb.end_seq, rs.last_end_seq)) {
		rs.prior_delivered_ce = scb.tx.delivered_ce;
		rs.prior_delivered = scb.tx.delivered;
		rs.prior_mstamp = scb.tx.delivered_mstamp;
		rs.is_app_limited = scb.tx.is_app_limited;
		rs.is_retrans = scb.sacked & TCPCB_RETRANS;
		rs.last_end_seq = scb.end_seq;
		tp.first_tx_mstamp = tx_tstamp;
		rs.interval_us = tcp_stamp_us_delta(tp.first_tx_mstamp, scb.tx.first_tx_mstamp);
	}
	// What is SACKed comes by again when it is acknowledged, and counts once.
	if (scb.sacked & TCPCB_SACKED_ACKED)
		scb.tx.delivered_mstamp = 0;
}

// At the end of an ACK that delivered or lost something.
void tcp_rate_gen(sock &sk, u32 delivered, u32 lost, bool is_sack_reneg, rate_sample &rs)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.app_limited && static_cast<s32>(tp.delivered - tp.app_limited) > 0)
		tp.app_limited = 0;
	if (delivered)
		tp.delivered_mstamp = tp.tcp_mstamp;
	rs.acked_sacked = delivered;
	rs.losses = static_cast<int>(lost);
	if (!rs.prior_mstamp || is_sack_reneg) {
		rs.delivered = -1;
		rs.interval_us = -1;
		return;
	}
	rs.delivered = static_cast<s32>(tp.delivered - rs.prior_delivered);
	rs.delivered_ce =
		static_cast<s32>((tp.delivered_ce - rs.prior_delivered_ce) & TCPCB_DELIVERED_CE_MASK);

	const auto snd_us = static_cast<u32>(rs.interval_us);
	const u32 ack_us = tcp_stamp_us_delta(tp.tcp_mstamp, rs.prior_mstamp);
	rs.interval_us = std::max(snd_us, ack_us);
	rs.snd_interval_us = snd_us;
	rs.rcv_interval_us = ack_us;

	// Faster than a round trip can be: a retransmission was taken for the original.
	if (rs.interval_us < static_cast<long>(tcp_min_rtt(tp))) {
		rs.interval_us = -1;
		return;
	}
	// A rate that the application kept low counts only when it is higher than before.
	if (!rs.is_app_limited ||
	    static_cast<u64>(rs.delivered) * tp.rate_interval_us >=
	            static_cast<u64>(tp.rate_delivered) * static_cast<u64>(rs.interval_us)) {
		tp.rate_delivered = static_cast<u32>(rs.delivered);
		tp.rate_interval_us = static_cast<u32>(rs.interval_us);
		tp.rate_app_limited = rs.is_app_limited;
	}
}

// Is it the application that has too little to send?
void tcp_rate_check_app_limited(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.write_seq.v - tp.snd_nxt.v < tp.mss_cache &&              // less than a segment waits,
	    sk_wmem_alloc_get(sk) < static_cast<int>(SKB_TRUESIZE(1)) && // none is queued below,
	    tcp_packets_in_flight(tp) < tcp_snd_cwnd(tp) &&              // the window is not full,
	    tp.lost_out <= tp.retrans_out) {                             // and nothing is to be sent again
		const u32 until = tp.delivered + tcp_packets_in_flight(tp);

		tp.app_limited = until ? until : 1;
	}
}

} // namespace skbwalk
