// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: the acknowledgement. Each segment with ACK comes to tcp_ack: too old or too
// new ones are turned away; the window is updated; SACK blocks are noted (tcp_input_sack.cpp);
// tcp_clean_rtx_queue frees what is acknowledged and takes the round trip from it; what looks like loss goes
// to tcp_fastretrans_alert (tcp_input_recovery.cpp); the timer is set, the rate sampled, the congestion
// window adjusted, and what must be retransmitted is. Left out: TLS offload's hook.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

// --- ECN ---
static void tcp_ecn_accept_cwr(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	if (!tcp_hdr(skb).cwr())
		return;
	tcp_sk(sk).ecn_flags = static_cast<u8>(tcp_sk(sk).ecn_flags & ~TCP_ECN_DEMAND_CWR);
	// The sender has reduced its window, perhaps to one segment: no delay.
	if (TCP_SKB_CB(skb).seq != TCP_SKB_CB(skb).end_seq)
		inet_csk(sk).icsk_ack.pending |= ICSK_ACK_NOW;
}

static bool tcp_ecn_rcv_ecn_echo(const tcp_sock &tp, const tcphdr &th)
{
	TRACE(tp);
	return th.ece() && !th.syn() && (tp.ecn_flags & TCP_ECN_OK);
}

static void tcp_count_delivered_ce(tcp_sock &tp, u32 ecn_count)
{
	TRACE(tp);
	tp.delivered_ce += ecn_count;
}

void tcp_count_delivered(tcp_sock &tp, u32 delivered, bool ece_ack)
{
	TRACE(tp);
	tp.delivered += delivered;
	if (ece_ack)
		tcp_count_delivered_ce(tp, delivered);
}

// --- round trips (RFC 6298) ---
// Smoothed time in units of 1/8 us, mean deviation of 1/4 us. A smaller deviation takes effect once a round
// trip only, and rises slowly when the sample is below the mean.
static void tcp_rtt_estimator(sock &sk, long mrtt_us)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	long m = mrtt_us;
	u32 srtt = tp.srtt_us;

	if (srtt != 0) {
		m -= srtt >> 3;
		srtt = static_cast<u32>(srtt + m);
		if (m < 0) {
			m = -m;
			m -= tp.mdev_us >> 2;
			// The Eifel damping of a sudden fall.
			if (m > 0)
				m >>= 3;
		} else {
			m -= tp.mdev_us >> 2;
		}
		tp.mdev_us = static_cast<u32>(tp.mdev_us + m);
		if (tp.mdev_us > tp.mdev_max_us) {
			tp.mdev_max_us = tp.mdev_us;
			if (tp.mdev_max_us > tp.rttvar_us)
				tp.rttvar_us = tp.mdev_max_us;
		}
		if (after(tp.snd_una, tp.rtt_seq)) {
			if (tp.mdev_max_us < tp.rttvar_us)
				tp.rttvar_us -= (tp.rttvar_us - tp.mdev_max_us) >> 2;
			tp.rtt_seq = tp.snd_nxt;
			tp.mdev_max_us = tcp_rto_min_us(sk);
			tcp_bpf_rtt(sk);
		}
	} else {
		srtt = static_cast<u32>(m << 3);
		tp.mdev_us = static_cast<u32>(m << 1);
		tp.rttvar_us = std::max(tp.mdev_us, tcp_rto_min_us(sk));
		tp.mdev_max_us = tp.rttvar_us;
		tp.rtt_seq = tp.snd_nxt;
		tcp_bpf_rtt(sk);
	}
	tp.srtt_us = std::max(1u, srtt);
}

// mss * cwnd / srtt, twice that in slow start, a fifth more later: for fq, and for the size of TSO packets.
void tcp_update_pacing_rate(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	u64 rate = u64{tp.mss_cache} * ((1'000'000 / 100) << 3);

	rate *= static_cast<u64>(tcp_snd_cwnd(tp) < tp.snd_ssthresh / 2 ? ipv4.sysctl_tcp_pacing_ss_ratio
	                                                                : ipv4.sysctl_tcp_pacing_ca_ratio);
	rate *= std::max(tcp_snd_cwnd(tp), tp.packets_out);
	if (tp.srtt_us)
		rate /= tp.srtt_us;
	sk.sk_pacing_rate = std::min(rate, sk.sk_max_pacing_rate);
}

static void tcp_set_rto(sock &sk)
{
	TRACE(sk);
	inet_csk(sk).icsk_rto = __tcp_set_rto(tcp_sk(sk));
	tcp_bound_rto(sk);
}

static void tcp_update_rtt_min(sock &sk, u32 rtt_us, u32 flag)
{
	TRACE(sk);
	const u32 wlen = static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_min_rtt_wlen) * HZ;
	tcp_sock &tp = tcp_sk(sk);

	// A delayed ACK's time would only push the true minimum out of the window.
	if ((flag & FLAG_ACK_MAYBE_DELAYED) && rtt_us > tcp_min_rtt(tp))
		return;
	minmax_running_min(tp.rtt_min, wlen, tcp_jiffies32(), rtt_us ? rtt_us : jiffies_to_usecs(1));
}

// The best of three samples: a segment's own time, that of a SACKed one, the time stamp. Negative: none.
static bool tcp_ack_update_rtt(sock &sk, u32 flag, long seq_rtt_us, long sack_rtt_us, long ca_rtt_us,
                               rate_sample &rs)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	// Of a retransmitted segment only a time stamp says which transmission is answered (Karn).
	if (seq_rtt_us < 0)
		seq_rtt_us = sack_rtt_us;
	if (seq_rtt_us < 0 && tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr && (flag & FLAG_ACKED)) {
		u32 delta = tcp_time_stamp(tp) - tp.rx_opt.rcv_tsecr; // ms

		if (delta < 0x7fffffff / 1000) {
			if (!delta)
				delta = 1;
			seq_rtt_us = long{delta} * 1000;
			ca_rtt_us = seq_rtt_us;
		}
	}
	rs.rtt_us = ca_rtt_us;
	if (seq_rtt_us < 0)
		return false;
	tcp_update_rtt_min(sk, static_cast<u32>(ca_rtt_us), flag);
	tcp_rtt_estimator(sk, seq_rtt_us);
	tcp_set_rto(sk);
	tp.icsk_backoff = 0; // RFC 6298: reset on any valid sample
	return true;
}

// The round trip of SYN+ACK and ACK, unless the SYN+ACK was retransmitted.
void tcp_synack_rtt_meas(sock &sk, request_sock *req)
{
	TRACE(sk);
	rate_sample rs;
	long rtt_us = -1;

	if (req && !req->num_retrans && tcp_rsk(*req).snt_synack)
		rtt_us = tcp_stamp_us_delta(tcp_clock_us(), tcp_rsk(*req).snt_synack);
	tcp_ack_update_rtt(sk, FLAG_SYN_ACKED, rtt_us, -1, rtt_us, rs);
}

static void tcp_cong_avoid(sock &sk, seq32 ack, u32 acked)
{
	TRACE(sk);
	inet_csk(sk).icsk_ca_ops->cong_avoid(sk, ack.v, acked);
	tcp_sk(sk).snd_cwnd_stamp = tcp_jiffies32();
}

// --- timers ---
// RFC 6298, 5.2 and 5.3. Where TLP or RACK's timer ran before, only what is left of the oldest segment's
// time.
void tcp_rearm_rto(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.fastopen_rsk) // the SYN+ACK's timer runs
		return;
	if (!tp.packets_out) {
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_RETRANS);
		return;
	}
	u32 rto = tp.icsk_rto;

	if (tp.icsk_pending == ICSK_TIME_REO_TIMEOUT || tp.icsk_pending == ICSK_TIME_LOSS_PROBE) {
		const s64 delta_us = tcp_rto_delta_us(sk);

		rto = usecs_to_jiffies(static_cast<u64>(std::max<s64>(static_cast<int>(delta_us), 1)));
	}
	tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, rto, TCP_RTO_MAX);
}

static void tcp_set_xmit_timer(sock &sk)
{
	TRACE(sk);
	if (!tcp_schedule_loss_probe(sk, true))
		tcp_rearm_rto(sk);
}

// --- what leaves the retransmit queue ---
// The ACK lies inside a segment of several packets: its head is trimmed. The number of packets that are gone.
static u32 tcp_tso_acked(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const int before_trim = tcp_skb_pcount(skb);

	assert(after(TCP_SKB_CB(skb).end_seq, tp.snd_una));
	if (tcp_trim_head(sk, skb, static_cast<u32>(tp.snd_una - TCP_SKB_CB(skb).seq)))
		return 0;
	const int packets_acked = before_trim - tcp_skb_pcount(skb);

	assert(!packets_acked ||
	       (tcp_skb_pcount(skb) && before(TCP_SKB_CB(skb).seq, TCP_SKB_CB(skb).end_seq)));
	return static_cast<u32>(packets_acked);
}

// Who asked for the time at which a byte is acknowledged (SOF_TIMESTAMPING_TX_ACK) gets it in the error
// queue.
static void tcp_ack_tstamp(sock &sk, sk_buff &skb, seq32 prior_snd_una)
{
	TRACE(sk, skb);
	if (!TCP_SKB_CB(skb).txstamp_ack)
		return;
	const seq32 tskey(skb_shinfo(skb).tskey);

	if (!before(tskey, prior_snd_una) && before(tskey, tcp_sk(sk).snd_una))
		skb_tstamp_tx(skb);
}

static u32 tcp_clean_rtx_queue(sock &sk, const sk_buff &ack_skb, seq32 prior_fack, seq32 prior_snd_una,
                               tcp_sacktag_state &sack, bool ece_ack)
{
	TRACE(sk, ack_skb);
	tcp_sock &tp = tcp_sk(sk);
	const u32 prior_sacked = tp.sacked_out;
	seq32 reord = tp.snd_nxt; // lowest acknowledged segment that was never retransmitted nor SACKed
	u64 first_ackt = 0, last_ackt = 0;
	bool fully_acked = true;
	long sack_rtt_us = -1, seq_rtt_us = -1, ca_rtt_us = -1;
	u32 pkts_acked = 0;
	u32 flag = 0;
	sk_buff *skb, *next;

	for (skb = skb_rb_first(sk.tcp_rtx_queue); skb; skb = next) {
		tcp_skb_cb &scb = TCP_SKB_CB(*skb);
		const seq32 start_seq = scb.seq;
		const u8 sacked = scb.sacked;
		u32 acked_pcount;

		if (after(scb.end_seq, tp.snd_una)) {
			if (tcp_skb_pcount(*skb) == 1 || !after(tp.snd_una, scb.seq))
				break;
			acked_pcount = tcp_tso_acked(sk, *skb);
			if (!acked_pcount)
				break;
			fully_acked = false;
		} else {
			acked_pcount = static_cast<u32>(tcp_skb_pcount(*skb));
		}

		if (sacked & TCPCB_RETRANS) {
			if (sacked & TCPCB_SACKED_RETRANS)
				tp.retrans_out -= acked_pcount;
			flag |= FLAG_RETRANS_DATA_ACKED;
		} else if (!(sacked & TCPCB_SACKED_ACKED)) {
			last_ackt = tcp_skb_timestamp_us(*skb);
			assert(last_ackt != 0);
			if (!first_ackt)
				first_ackt = last_ackt;
			if (before(start_seq, reord))
				reord = start_seq;
			if (!after(scb.end_seq, tp.high_seq))
				flag |= FLAG_ORIG_SACK_ACKED;
		}
		if (sacked & TCPCB_SACKED_ACKED) {
			tp.sacked_out -= acked_pcount;
		} else if (tcp_is_sack(tp)) {
			tcp_count_delivered(tp, acked_pcount, ece_ack);
			if (!tcp_skb_spurious_retrans(tp, *skb))
				tcp_rack_advance(tp, sacked, scb.end_seq, tcp_skb_timestamp_us(*skb));
		}
		if (sacked & TCPCB_LOST)
			tp.lost_out -= acked_pcount;
		tp.packets_out -= acked_pcount;
		pkts_acked += acked_pcount;
		tcp_rate_skb_delivered(sk, *skb, *sack.rate);

		// A SYN is no data: the window must not grow by it.
		if (!(scb.tcp_flags & TCPHDR_SYN)) {
			flag |= FLAG_DATA_ACKED;
		} else {
			flag |= FLAG_SYN_ACKED;
			tp.retrans_stamp = 0;
		}
		if (!fully_acked)
			break;
		tcp_ack_tstamp(sk, *skb, prior_snd_una);
		next = skb_rb_next(sk.tcp_rtx_queue, *skb);
		if (skb == tp.retransmit_skb_hint)
			tp.retransmit_skb_hint = nullptr;
		if (skb == tp.lost_skb_hint)
			tp.lost_skb_hint = nullptr;
		tcp_highest_sack_replace(sk, skb, next);
		tcp_rtx_queue_unlink_and_free(*skb, sk);
	}

	if (!skb)
		tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	if (between(tp.snd_up, prior_snd_una, tp.snd_una))
		tp.snd_up = tp.snd_una;
	if (skb) {
		tcp_ack_tstamp(sk, *skb, prior_snd_una);
		if (TCP_SKB_CB(*skb).sacked & TCPCB_SACKED_ACKED)
			flag |= FLAG_SACK_RENEGING;
	}
	if (first_ackt && !(flag & FLAG_RETRANS_DATA_ACKED)) {
		seq_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, first_ackt);
		ca_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, last_ackt);
		// One segment, shorter than full, alone in flight: the peer may have waited for a second one.
		if (pkts_acked == 1 && fully_acked && !prior_sacked &&
		    static_cast<u32>(tp.snd_una - prior_snd_una) < tp.mss_cache &&
		    sack.rate->prior_delivered + 1 == tp.delivered &&
		    !(flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)))
			flag |= FLAG_ACK_MAYBE_DELAYED;
	}
	if (sack.first_sackt) {
		sack_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, sack.first_sackt);
		ca_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, sack.last_sackt);
	}
	const bool rtt_update = tcp_ack_update_rtt(sk, flag, seq_rtt_us, sack_rtt_us, ca_rtt_us, *sack.rate);

	if (flag & FLAG_ACKED) {
		flag |= FLAG_SET_XMIT_TIMER;
		if (tp.icsk_mtup.probe_size && !after(tp.mtu_probe.probe_seq_end, tp.snd_una))
			tcp_mtup_probe_success(sk);
		if (tcp_is_reno(tp)) {
			tcp_remove_reno_sacks(sk, static_cast<int>(pkts_acked), ece_ack);
			// Without SACK it is not known which of them was the original.
			if (flag & FLAG_RETRANS_DATA_ACKED)
				flag &= ~FLAG_ORIG_SACK_ACKED;
		} else {
			if (before(reord, prior_fack))
				tcp_check_sack_reordering(sk, reord, false);
			const int delta = static_cast<int>(prior_sacked - tp.sacked_out);

			tp.lost_cnt_hint -= std::min(tp.lost_cnt_hint, delta);
		}
	} else if (skb && rtt_update && sack_rtt_us >= 0 &&
	           sack_rtt_us > long{tcp_stamp_us_delta(tp.tcp_mstamp, tcp_skb_timestamp_us(*skb))}) {
		// Only SACKs, and the head was sent within the last round trip: the timer starts anew.
		flag |= FLAG_SET_XMIT_TIMER;
	}
	if (tp.icsk_ca_ops->pkts_acked) {
		const ack_sample sample{pkts_acked, static_cast<s32>(sack.rate->rtt_us),
		                        tp.mss_cache * (tp.delivered - sack.rate->prior_delivered)};

		tp.icsk_ca_ops->pkts_acked(sk, sample);
	}
	return flag;
}

// Nothing is in flight: has the window opened for what waits?
static void tcp_ack_probe(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const sk_buff *head = tcp_send_head(sk);

	if (!head)
		return;
	if (!after(TCP_SKB_CB(*head).end_seq, tcp_wnd_end(tp))) {
		tp.icsk_backoff = 0;
		tp.icsk_probes_tstamp = 0;
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_PROBE0);
		// Whoever called sends it: tcp_data_snd_check.
	} else {
		u32 when = tcp_probe0_when(sk, TCP_RTO_MAX);

		when = tcp_clamp_probe0_to_user_timeout(sk, when);
		tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, when, TCP_RTO_MAX);
	}
}

static bool tcp_ack_is_dubious(const sock &sk, u32 flag)
{
	TRACE(sk);
	return !(flag & FLAG_NOT_DUP) || (flag & FLAG_CA_ALERT) || inet_csk(sk).icsk_ca_state != TCP_CA_Open;
}

static bool tcp_may_raise_cwnd(const sock &sk, u32 flag)
{
	TRACE(sk);
	// Where much is reordered, a SACK is progress too.
	if (tcp_sk(sk).reordering > static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_reordering))
		return flag & FLAG_FORWARD_PROGRESS;
	return flag & FLAG_DATA_ACKED;
}

static void tcp_cong_control(sock &sk, seq32 ack, u32 acked_sacked, u32 flag, const rate_sample &rs)
{
	TRACE(sk);
	if (inet_csk(sk).icsk_ca_ops->cong_control) {
		inet_csk(sk).icsk_ca_ops->cong_control(sk, rs);
		return;
	}
	if (tcp_in_cwnd_reduction(sk))
		tcp_cwnd_reduction(sk, static_cast<int>(acked_sacked), rs.losses, static_cast<int>(flag));
	else if (tcp_may_raise_cwnd(sk, flag))
		tcp_cong_avoid(sk, ack, acked_sacked);
	tcp_update_pacing_rate(sk);
}

// --- the window ---
// RFC 9293, 3.10.7.4: newer data, newer acknowledgement, or a larger window.
bool tcp_may_update_window(const tcp_sock &tp, seq32 ack, seq32 ack_seq, u32 nwin)
{
	TRACE(tp);
	return after(ack, tp.snd_una) || after(ack_seq, tp.snd_wl1) ||
	       (ack_seq == tp.snd_wl1 && nwin > tp.snd_wnd);
}

static void tcp_snd_una_update(tcp_sock &tp, seq32 ack)
{
	TRACE(tp);
	tp.bytes_acked += static_cast<u32>(ack - tp.snd_una);
	tp.snd_una = ack;
}

void tcp_rcv_nxt_update(tcp_sock &tp, seq32 seq)
{
	TRACE(tp);
	tp.bytes_received += static_cast<u32>(seq - tp.rcv_nxt);
	tp.rcv_nxt = seq;
}

static u32 tcp_ack_update_window(sock &sk, const sk_buff &skb, seq32 ack, seq32 ack_seq)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	u32 flag = 0;
	u32 nwin = ntohs(tcp_hdr(skb).window);

	if (!tcp_hdr(skb).syn()) // a SYN's window is never scaled
		nwin <<= tp.rx_opt.snd_wscale;
	if (tcp_may_update_window(tp, ack, ack_seq, nwin)) {
		flag |= FLAG_WIN_UPDATE;
		tcp_update_wl(tp, ack_seq);
		if (tp.snd_wnd != nwin) {
			tp.snd_wnd = nwin;
			// The fast path's predicate has the window in it.
			tp.pred_flags = 0;
			tcp_fast_path_check(sk);
			if (!tcp_write_queue_empty(sk))
				tcp_slow_start_after_idle_check(sk);
			if (nwin > tp.max_window) {
				tp.max_window = nwin;
				tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
			}
		}
	}
	tcp_snd_una_update(tp, ack);
	return flag;
}

// --- answers to what is out of window ---
// So that two ends that disagree do not answer each other without end.
bool __tcp_oow_rate_limited(net &net, int mib_idx, u32 &last_oow_ack_time)
{
	TRACE();
	if (last_oow_ack_time) {
		const s32 elapsed = static_cast<s32>(tcp_jiffies32() - last_oow_ack_time);
		const s32 limit = static_cast<s32>(
			msecs_to_jiffies(static_cast<u64>(net.ipv4.sysctl_tcp_invalid_ratelimit)));

		if (0 <= elapsed && elapsed < limit) {
			NET_INC_STATS(net, static_cast<linux_mib_item>(mib_idx));
			return true;
		}
	}
	last_oow_ack_time = tcp_jiffies32();
	return false;
}

bool tcp_oow_rate_limited(net &net, const sk_buff &skb, int mib_idx, u32 &last_oow_ack_time)
{
	TRACE(skb);
	// Data that was resent is always answered.
	if (TCP_SKB_CB(skb).seq != TCP_SKB_CB(skb).end_seq && !tcp_hdr(skb).syn())
		return false;
	return __tcp_oow_rate_limited(net, mib_idx, last_oow_ack_time);
}

static bool tcp_challenge_ack_allowed(net &net)
{
	TRACE();
	const u32 ack_limit = static_cast<u32>(net.ipv4.sysctl_tcp_challenge_ack_limit);

	if (ack_limit == 0x7fffffff)
		return true;
	// Some each second, the number of them random: an attacker cannot count them.
	const u32 now = jiffies() / HZ;

	if (now != net.ipv4.tcp_challenge_timestamp) {
		net.ipv4.tcp_challenge_timestamp = now;
		net.ipv4.tcp_challenge_count = (ack_limit + 1) / 2 + prandom_u32_max(ack_limit);
	}
	if (net.ipv4.tcp_challenge_count > 0) {
		net.ipv4.tcp_challenge_count--;
		return true;
	}
	return false;
}

// RFC 5961.
void tcp_send_challenge_ack(sock &sk)
{
	TRACE(sk);
	net &net = sock_net(sk);

	if (__tcp_oow_rate_limited(net, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, tcp_sk(sk).last_oow_ack_time))
		return;
	if (tcp_challenge_ack_allowed(net)) {
		NET_INC_STATS(net, LINUX_MIB_TCPCHALLENGEACK);
		tcp_send_ack(sk);
	}
}

void tcp_reqsk_send_challenge_ack(sock &sk, sk_buff &skb, request_sock &req)
{
	TRACE(sk, skb);
	net &net = sock_net(sk);

	if (__tcp_oow_rate_limited(net, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, tcp_rsk(req).last_oow_ack_time))
		return;
	if (tcp_challenge_ack_allowed(net)) {
		NET_INC_STATS(net, LINUX_MIB_TCPCHALLENGEACK);
		req.rsk_ops->send_ack(sk, skb, req);
	}
}

// --- time stamps (RFC 7323) ---
void tcp_store_ts_recent(tcp_sock &tp)
{
	TRACE(tp);
	tp.rx_opt.ts_recent = tp.rx_opt.rcv_tsval;
	tp.rx_opt.ts_recent_stamp = static_cast<int>(ktime_get_seconds());
}

static void tcp_replace_ts_recent(tcp_sock &tp, seq32 seq)
{
	TRACE(tp);
	// Not of a segment to the right of what was last acknowledged: the echo must be the oldest one's.
	if (tp.rx_opt.saw_tstamp && !after(seq, tp.rcv_wup) && tcp_paws_check(tp.rx_opt, 0))
		tcp_store_ts_recent(tp);
}

// A tail loss probe is outstanding: did it repair a loss (then the window is reduced), or was it needless?
static void tcp_process_tlp_ack(sock &sk, seq32 ack, u32 flag)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (before(ack, tp.tlp_high_seq))
		return;
	if (!tp.tlp_retrans) { // it was new data
		tp.tlp_high_seq = seq32(0);
	} else if (flag & FLAG_DSACK_TLP) {
		tp.tlp_high_seq = seq32(0);
	} else if (after(ack, tp.tlp_high_seq)) {
		// Both would have shown as a duplicate ACK or D-SACK before this.
		tcp_init_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_CWR);
		tcp_end_cwnd_reduction(sk);
		tcp_try_keep_open(sk);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPLOSSPROBERECOVERY);
	} else if (!(flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED))) {
		tp.tlp_high_seq = seq32(0); // a pure duplicate: both arrived
	}
}

static void tcp_in_ack_event(sock &sk, u32 flag)
{
	TRACE(sk);
	const tcp_congestion_ops &ca_ops = *inet_csk(sk).icsk_ca_ops;

	if (!ca_ops.in_ack_event)
		return;
	u32 ack_ev_flags = 0;

	if (flag & FLAG_WIN_UPDATE)
		ack_ev_flags |= CA_ACK_WIN_UPDATE;
	if (flag & FLAG_SLOWPATH) {
		ack_ev_flags |= CA_ACK_SLOWPATH;
		if (flag & FLAG_ECE)
			ack_ev_flags |= CA_ACK_ECE;
	}
	ca_ops.in_ack_event(sk, ack_ev_flags);
}

static void tcp_xmit_recovery(sock &sk, rexmit_kind rexmit)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (rexmit == REXMIT_NONE || sk.sk_state == TCP_SYN_SENT)
		return;
	if (rexmit == REXMIT_NEW) {
		__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
		if (after(tp.snd_nxt, tp.high_seq))
			return;
		tp.frto = 0;
	}
	tcp_xmit_retransmit_queue(sk);
}

static u32 tcp_newly_delivered(sock &sk, u32 prior_delivered, u32 flag)
{
	TRACE(sk);
	const u32 delivered = tcp_sk(sk).delivered - prior_delivered;

	NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPDELIVERED, delivered);
	if (flag & FLAG_ECE)
		NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPDELIVEREDCE, delivered);
	return delivered;
}

int tcp_ack(sock &sk, const sk_buff &skb, u32 flag)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	rate_sample rs;
	tcp_sacktag_state sack_state;
	const seq32 prior_snd_una = tp.snd_una;
	const bool is_sack_reneg = tp.is_sack_reneg;
	const seq32 ack_seq = TCP_SKB_CB(skb).seq;
	const seq32 ack = TCP_SKB_CB(skb).ack_seq;
	const u32 prior_packets = tp.packets_out;
	const u32 prior_delivered = tp.delivered;
	const u32 prior_lost = tp.lost;
	rexmit_kind rexmit = REXMIT_NONE;
	int num_dupack = 0;

	rs.rtt_us = 0;
	sack_state.rate = &rs;
	if (!tcp_rtx_queue_empty(sk))
		__builtin_prefetch(&*sk.tcp_rtx_queue.root());

	// An old one: its time stamp and SACK blocks may still tell something.
	if (before(ack, prior_snd_una)) {
		const u32 max_window = static_cast<u32>(std::min<u64>(tp.max_window, tp.bytes_acked));

		if (before(ack, prior_snd_una - max_window)) {
			if (!(flag & FLAG_NO_CHALLENGE_ACK))
				tcp_send_challenge_ack(sk);
			return -SKB_DROP_REASON_TCP_TOO_OLD_ACK;
		}
		if (flag & FLAG_UPDATE_TS_RECENT)
			tcp_replace_ts_recent(tp, TCP_SKB_CB(skb).seq);
		if (TCP_SKB_CB(skb).sacked) {
			flag |= tcp_sacktag_write_queue(sk, skb, prior_snd_una, sack_state);
			tcp_fastretrans_alert(sk, prior_snd_una, num_dupack, flag, rexmit);
			tcp_newly_delivered(sk, prior_delivered, flag);
			tcp_xmit_recovery(sk, rexmit);
		}
		return 0;
	}
	if (after(ack, tp.snd_nxt))
		return -SKB_DROP_REASON_TCP_ACK_UNSENT_DATA;
	if (after(ack, prior_snd_una)) {
		flag |= FLAG_SND_UNA_ADVANCED;
		tp.icsk_retransmits = 0;
	}

	const seq32 prior_fack = tcp_is_sack(tp) ? tcp_highest_sack_seq(tp) : tp.snd_una;

	rs.prior_in_flight = tcp_packets_in_flight(tp);
	// Before the window is updated: PAWS counted on the old value.
	if (flag & FLAG_UPDATE_TS_RECENT)
		tcp_replace_ts_recent(tp, TCP_SKB_CB(skb).seq);
	if ((flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED)) == FLAG_SND_UNA_ADVANCED) {
		// The fast path: the window is what it was.
		tcp_update_wl(tp, ack_seq);
		tcp_snd_una_update(tp, ack);
		flag |= FLAG_WIN_UPDATE;
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPHPACKS);
	} else {
		if (ack_seq != TCP_SKB_CB(skb).end_seq)
			flag |= FLAG_DATA;
		else
			NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPPUREACKS);
		flag |= tcp_ack_update_window(sk, skb, ack, ack_seq);
		if (TCP_SKB_CB(skb).sacked)
			flag |= tcp_sacktag_write_queue(sk, skb, prior_snd_una, sack_state);
		if (tcp_ecn_rcv_ecn_echo(tp, tcp_hdr(skb)))
			flag |= FLAG_ECE;
		if (sack_state.sack_delivered)
			tcp_count_delivered(tp, sack_state.sack_delivered, flag & FLAG_ECE);
	}

	tcp_ecn_accept_cwr(sk, skb);
	sk.sk_err_soft = 0;
	tp.icsk_probes_out = 0;
	tp.rcv_tstamp = tcp_jiffies32();
	if (!prior_packets) {
		// Nothing was in flight: a window update, or a keepalive's answer.
		tcp_in_ack_event(sk, flag);
		if (flag & FLAG_DSACKING_ACK) {
			tcp_fastretrans_alert(sk, prior_snd_una, num_dupack, flag, rexmit);
			tcp_newly_delivered(sk, prior_delivered, flag);
		}
		tcp_ack_probe(sk);
		if (tp.tlp_high_seq.v)
			tcp_process_tlp_ack(sk, ack, flag);
		return 1;
	}

	flag |= tcp_clean_rtx_queue(sk, skb, prior_fack, prior_snd_una, sack_state, flag & FLAG_ECE);
	tcp_rack_update_reo_wnd(sk, rs);
	tcp_in_ack_event(sk, flag);
	if (tp.tlp_high_seq.v)
		tcp_process_tlp_ack(sk, ack, flag);
	if (tcp_ack_is_dubious(sk, flag)) {
		if (!(flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK))) {
			num_dupack = 1;
			// GRO may have merged several duplicate ACKs.
			if (!(flag & FLAG_DATA))
				num_dupack = std::max<int>(1, skb_shinfo(skb).gso_segs);
		}
		tcp_fastretrans_alert(sk, prior_snd_una, num_dupack, flag, rexmit);
	}
	// After the loss marking, which may have set RACK's timer.
	if (flag & FLAG_SET_XMIT_TIMER)
		tcp_set_xmit_timer(sk);
	if ((flag & FLAG_FORWARD_PROGRESS) || !(flag & FLAG_NOT_DUP))
		sk_dst_confirm(sk);

	const u32 delivered = tcp_newly_delivered(sk, prior_delivered, flag);
	const u32 lost = tp.lost - prior_lost;

	rs.is_ack_delayed = (flag & FLAG_ACK_MAYBE_DELAYED) != 0;
	tcp_rate_gen(sk, delivered, lost, is_sack_reneg, rs);
	tcp_cong_control(sk, ack, delivered, flag, rs);
	tcp_xmit_recovery(sk, rexmit);
	return 1;
}

} // namespace skbwalk
