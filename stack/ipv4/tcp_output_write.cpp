// SPDX-License-Identifier: GPL-2.0-only
//
// What may be sent now (net/ipv4/tcp_output.c). tcp_write_xmit takes the head of the write queue again and
// again, asking in turn: is its time come (pacing)? does the congestion window allow it, the peer's window,
// Nagle? is it worth waiting for more (TSO deferral)? is too much of this socket still queued below (small
// queues)? What passes is sent and moves to the retransmit queue. At the end come the account of what limited
// the sender and the loss probe's timer.
#include <algorithm>

#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

// The skb was sent: from the write queue to the retransmit queue, with a timer on the first.
void tcp_event_new_data_sent(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const u32 prior_packets = tp.packets_out;

	tp.snd_nxt = TCP_SKB_CB(skb).end_seq;
	tcp_rbtree_insert(sk.tcp_rtx_queue, __skb_unlink(skb, sk.sk_write_queue));
	if (!tp.highest_sack)
		tp.highest_sack = &skb;
	tp.packets_out += static_cast<u32>(tcp_skb_pcount(skb));
	if (!prior_packets || tp.icsk_pending == ICSK_TIME_LOSS_PROBE)
		tcp_rearm_rto(sk);
	NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPORIGDATASENT, static_cast<u64>(tcp_skb_pcount(skb)));
	tcp_check_space(sk);
}

// RFC 2861: the window was not used for a whole RTO, so it comes down towards what was used.
static void tcp_cwnd_application_limited(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.icsk_ca_state == TCP_CA_Open && sk.sk_socket && !(sk.sk_socket->flags & 1u << SOCK_NOSPACE)) {
		const u32 init_win = tcp_init_cwnd(tp, __sk_dst_get(sk));
		const u32 win_used = std::max(tp.snd_cwnd_used, init_win);

		if (win_used < tcp_snd_cwnd(tp)) {
			tp.snd_ssthresh = tcp_current_ssthresh(sk);
			tcp_snd_cwnd_set(tp, (tcp_snd_cwnd(tp) + win_used) >> 1);
		}
		tp.snd_cwnd_used = 0;
	}
	tp.snd_cwnd_stamp = tcp_jiffies32();
}

static void tcp_cwnd_validate(sock &sk, bool is_cwnd_limited)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	// For each window: was it ever full, and if not, how much was out at most?
	if (!before(tp.snd_una, tp.cwnd_usage_seq) || is_cwnd_limited ||
	    (!tp.is_cwnd_limited && tp.packets_out > tp.max_packets_out)) {
		tp.is_cwnd_limited = is_cwnd_limited;
		tp.max_packets_out = tp.packets_out;
		tp.cwnd_usage_seq = tp.snd_nxt;
	}
	if (tcp_is_cwnd_limited(sk)) {
		tp.snd_cwnd_used = 0;
		tp.snd_cwnd_stamp = tcp_jiffies32();
		return;
	}
	tp.snd_cwnd_used = std::max(tp.snd_cwnd_used, tp.packets_out);
	if (sock_net(sk).ipv4.sysctl_tcp_slow_start_after_idle &&
	    static_cast<s32>(tcp_jiffies32() - tp.snd_cwnd_stamp) >= static_cast<s32>(tp.icsk_rto) &&
	    !tp.icsk_ca_ops->cong_control)
		tcp_cwnd_application_limited(sk);
	// All is sent and the application waits for room: the buffer is too small.
	if (tcp_write_queue_empty(sk) && sk.sk_socket && (sk.sk_socket->flags & 1u << SOCK_NOSPACE) &&
	    1u << sk.sk_state & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT))
		tcp_chrono_start(sk, TCP_CHRONO_SNDBUF_LIMITED);
}

// Minshall's variant of Nagle's rule: only a small segment that is not yet acknowledged holds the next back.
static bool tcp_minshall_check(const tcp_sock &tp)
{
	TRACE(tp);
	return after(tp.snd_sml, tp.snd_una) && !after(tp.snd_sml, tp.snd_nxt);
}

static void tcp_minshall_update(tcp_sock &tp, u32 mss_now, const sk_buff &skb)
{
	TRACE(skb);
	if (skb.len < static_cast<u32>(tcp_skb_pcount(skb)) * mss_now)
		tp.snd_sml = TCP_SKB_CB(skb).end_seq;
}

// True: hold it back.
static bool tcp_nagle_check(bool partial, const tcp_sock &tp, u32 nonagle)
{
	TRACE(tp);
	return partial &&
	       ((nonagle & TCP_NAGLE_CORK) || (!nonagle && tp.packets_out && tcp_minshall_check(tp)));
}

// A burst of about a millisecond at the pacing rate; more when the peer is near.
static u32 tcp_tso_autosize(const sock &sk, u32 mss_now, u32 min_tso_segs)
{
	TRACE(sk);
	u64 bytes = sk.sk_pacing_rate >> sk.sk_pacing_shift;
	const u32 r = tcp_min_rtt(tcp_sk(sk)) >> sock_net(sk).ipv4.sysctl_tcp_tso_rtt_log;

	if (r < 32)
		bytes += sk.sk_gso_max_size >> r;
	bytes = std::min<u64>(bytes, sk.sk_gso_max_size);
	return std::max(static_cast<u32>(bytes / mss_now), min_tso_segs);
}

u32 tcp_tso_segs(sock &sk, u32 mss_now)
{
	TRACE(sk);
	const tcp_congestion_ops &ca_ops = *inet_csk(sk).icsk_ca_ops;
	const u32 min_tso = ca_ops.min_tso_segs ? ca_ops.min_tso_segs(sk)
	                                        : static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_min_tso_segs);

	return std::min<u32>(tcp_tso_autosize(sk, mss_now, min_tso), sk.sk_gso_max_segs);
}

// How many bytes of an skb of several segments go now.
static u32 tcp_mss_split_point(const sock &sk, const sk_buff &skb, u32 mss_now, u32 max_segs, u32 nonagle)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const u32 window = tcp_wnd_end(tp).v - TCP_SKB_CB(skb).seq.v;
	const u32 max_len = mss_now * max_segs;

	if (max_len <= window && &skb != tcp_write_queue_tail(sk))
		return max_len;
	const u32 needed = std::min(skb.len, window);
	if (max_len <= needed)
		return max_len;
	const u32 partial = needed % mss_now;
	return tcp_nagle_check(partial != 0, tp, nonagle) ? needed - partial : needed;
}

// How many segments the congestion window allows: at most half of it in one burst.
static u32 tcp_cwnd_test(const tcp_sock &tp, const sk_buff &skb)
{
	TRACE(tp, skb);
	if ((TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN) && tcp_skb_pcount(skb) == 1)
		return 1; // the last word is not held back
	const u32 in_flight = tcp_packets_in_flight(tp);
	const u32 cwnd = tcp_snd_cwnd(tp);

	if (in_flight >= cwnd)
		return 0;
	return std::min(std::max(cwnd >> 1, 1u), cwnd - in_flight);
}

static bool tcp_nagle_test(const tcp_sock &tp, const sk_buff &skb, u32 cur_mss, u32 nonagle)
{
	TRACE(tp, skb);
	if (nonagle & TCP_NAGLE_PUSH)
		return true;
	if (tcp_urg_mode(tp) || (TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN))
		return true;
	return !tcp_nagle_check(skb.len < cur_mss, tp, nonagle);
}

// Does at least the first segment fit into the peer's window?
bool tcp_snd_wnd_test(const tcp_sock &tp, const sk_buff &skb, u32 cur_mss)
{
	TRACE(tp, skb);
	seq32 end_seq = TCP_SKB_CB(skb).end_seq;

	if (skb.len > cur_mss)
		end_seq = TCP_SKB_CB(skb).seq + cur_mss;
	return !after(end_seq, tcp_wnd_end(tp));
}

// Is an ACK so near that a larger burst can be built by waiting for it?
static bool tcp_tso_should_defer(sock &sk, const sk_buff &skb, bool &is_cwnd_limited, bool &is_rwnd_limited,
                                 u32 max_segs)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.icsk_ca_state >= TCP_CA_Recovery)
		return false;
	// Only if the last write is less than a millisecond ago.
	if (static_cast<s64>(tp.tcp_clock_cache - tp.tcp_wstamp_ns - NSEC_PER_MSEC) > 0)
		return false;
	const u32 in_flight = tcp_packets_in_flight(tp);
	assert(tcp_skb_pcount(skb) > 1 && tcp_snd_cwnd(tp) > in_flight);

	const u32 send_win = tcp_wnd_end(tp).v - TCP_SKB_CB(skb).seq.v;
	const u32 cong_win = (tcp_snd_cwnd(tp) - in_flight) * tp.mss_cache;
	const u32 limit = std::min(send_win, cong_win);

	if (limit >= max_segs * tp.mss_cache)
		return false;
	if (&skb != tcp_write_queue_tail(sk) && limit >= skb.len)
		return false;
	if (const int win_divisor = sock_net(sk).ipv4.sysctl_tcp_tso_win_divisor) {
		const u32 chunk = std::min(tp.snd_wnd, tcp_snd_cwnd(tp) * tp.mss_cache);

		if (limit >= chunk / static_cast<u32>(win_divisor))
			return false;
	} else if (limit > tcp_max_tso_deferred_mss(tp) * tp.mss_cache) {
		return false;
	}

	const sk_buff *head = tcp_rtx_queue_head(sk);
	if (!head)
		return false;
	const u64 srtt_in_ns = (NSEC_PER_USEC >> 3) * tp.srtt_us;
	const u64 how_far_is_the_ack = head->tstamp + srtt_in_ns - tp.tcp_clock_cache;
	const u64 threshold = std::min(srtt_in_ns >> 1, NSEC_PER_MSEC);
	if (static_cast<s64>(how_far_is_the_ack - threshold) > 0)
		return false;

	if (cong_win < send_win) {
		if (cong_win <= skb.len) {
			is_cwnd_limited = true;
			return true;
		}
	} else if (send_win <= skb.len) {
		is_rwnd_limited = true;
		return true;
	}
	// Nothing more comes into this one.
	return !(TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN) && !TCP_SKB_CB(skb).eor;
}

// Too early for the next segment? Then a timer brings us back.
bool tcp_pacing_check(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tcp_needs_internal_pacing(sk) || tp.tcp_wstamp_ns <= tp.tcp_clock_cache)
		return false;
	if (!hrtimer_is_queued(tp.pacing_timer)) {
		hrtimer_start(tp.pacing_timer, static_cast<ktime_t>(tp.tcp_wstamp_ns),
		              HRTIMER_MODE_ABS_PINNED_SOFT);
		sock_hold(sk);
	}
	return true;
}

static bool tcp_rtx_queue_empty_or_single_skb(const sock &sk)
{
	TRACE(sk);
	const skb_rb_root &q = sk.tcp_rtx_queue;

	return q.begin() == q.end() || std::next(q.begin()) == q.end();
}

// Is more than a millisecond's worth (or two packets) of this socket still below, in qdisc and device? Their
// end calls tcp_wfree.
bool tcp_small_queue_check(sock &sk, const sk_buff &skb, u32 factor)
{
	TRACE(sk, skb);
	u64 limit = std::max<u64>(2u * skb.truesize, sk.sk_pacing_rate >> sk.sk_pacing_shift);

	if (sk.sk_pacing_status == SK_PACING_NONE)
		limit = std::min(limit, static_cast<u64>(sock_net(sk).ipv4.sysctl_tcp_limit_output_bytes));
	limit <<= factor;
	if (tcp_sk(sk).tcp_tx_delay)
		limit += sk.sk_pacing_rate * tcp_sk(sk).tcp_tx_delay >>
		         (20 - 1); // rate times delay, doubled for overhead
	const auto queued = [&] { return static_cast<u64>(refcount_read(sk.sk_wmem_alloc)); };
	if (queued() <= limit)
		return false;
	// Not worth the wait for a completion with (almost) nothing in flight.
	if (tcp_rtx_queue_empty_or_single_skb(sk))
		return false;
	sk.sk_tsq_flags |= TSQF_THROTTLED;
	return queued() > limit; // again: the completion may just have come
}

static void tcp_chrono_set(tcp_sock &tp, tcp_chrono now_is)
{
	TRACE(tp);
	const u32 now = tcp_jiffies32();

	if (tp.chrono_type > TCP_CHRONO_UNSPEC)
		tp.chrono_stat[tp.chrono_type - 1] += now - tp.chrono_start;
	tp.chrono_start = now;
	tp.chrono_type = static_cast<u8>(now_is & 3);
}

// Time counts for the strongest of the reasons that hold the sender.
void tcp_chrono_start(sock &sk, tcp_chrono type)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (type > tp.chrono_type)
		tcp_chrono_set(tp, type);
}

void tcp_chrono_stop(sock &sk, tcp_chrono type)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tcp_rtx_and_write_queues_empty(sk))
		tcp_chrono_set(tp, TCP_CHRONO_UNSPEC);
	else if (type == tp.chrono_type)
		tcp_chrono_set(tp, TCP_CHRONO_BUSY);
}

// push_one: 1 sends one skb, 2 sends one beyond the congestion window (a loss probe). True: nothing is in
// flight and what is queued cannot go, so that only a window probe can move this on.
bool tcp_write_xmit(sock &sk, u32 mss_now, u32 nonagle, int push_one, gfp_t gfp)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	bool is_cwnd_limited = false, is_rwnd_limited = false;
	u32 sent_pkts = 0;

	tcp_mstamp_refresh(tp);
	if (!push_one) {
		const int result = tcp_mtu_probe(sk);

		if (!result)
			return false;
		if (result > 0)
			sent_pkts = 1;
	}
	const u32 max_segs = tcp_tso_segs(sk, mss_now);
	while (sk_buff *skb = tcp_send_head(sk)) {
		if (tcp_pacing_check(sk))
			break;
		const u32 tso_segs = static_cast<u32>(tcp_init_tso_segs(*skb, mss_now));
		assert(tso_segs);

		u32 cwnd_quota = tcp_cwnd_test(tp, *skb);
		if (!cwnd_quota) {
			if (push_one != 2)
				break;
			cwnd_quota = 1;
		}
		if (!tcp_snd_wnd_test(tp, *skb, mss_now)) {
			is_rwnd_limited = true;
			break;
		}
		if (tso_segs == 1) {
			if (!tcp_nagle_test(tp, *skb, mss_now,
			                    tcp_skb_is_last(sk, *skb) ? nonagle : TCP_NAGLE_PUSH))
				break;
		} else if (!push_one &&
		           tcp_tso_should_defer(sk, *skb, is_cwnd_limited, is_rwnd_limited, max_segs)) {
			break;
		}
		u32 limit = mss_now;
		if (tso_segs > 1 && !tcp_urg_mode(tp))
			limit = tcp_mss_split_point(sk, *skb, mss_now, std::min(cwnd_quota, max_segs),
			                            nonagle);
		if (skb->len > limit && tso_fragment(sk, *skb, limit, mss_now, gfp))
			break;
		if (tcp_small_queue_check(sk, *skb, 0))
			break;
		// An empty skb: a writer sleeps for memory before it has put anything in.
		if (TCP_SKB_CB(*skb).end_seq == TCP_SKB_CB(*skb).seq)
			break;
		if (tcp_transmit_skb(sk, skb, 1, gfp))
			break;
		tcp_event_new_data_sent(sk, *skb);
		tcp_minshall_update(tp, mss_now, *skb);
		sent_pkts += static_cast<u32>(tcp_skb_pcount(*skb));
		if (push_one)
			break;
	}
	if (is_rwnd_limited)
		tcp_chrono_start(sk, TCP_CHRONO_RWND_LIMITED);
	else
		tcp_chrono_stop(sk, TCP_CHRONO_RWND_LIMITED);
	is_cwnd_limited |= tcp_packets_in_flight(tp) >= tcp_snd_cwnd(tp);
	if (sent_pkts || is_cwnd_limited)
		tcp_cwnd_validate(sk, is_cwnd_limited);
	if (sent_pkts) {
		if (tcp_in_cwnd_reduction(sk))
			tp.prr_out += sent_pkts;
		if (push_one != 2) // one probe for each loss at the tail
			tcp_schedule_loss_probe(sk, false);
		return false;
	}
	return !tp.packets_out && !tcp_write_queue_empty(sk);
}

void __tcp_push_pending_frames(sock &sk, u32 cur_mss, u32 nonagle)
{
	TRACE(sk);
	if (sk.sk_state == TCP_CLOSE)
		return;
	if (tcp_write_xmit(sk, cur_mss, nonagle, 0, GFP_ATOMIC))
		tcp_check_probe_timer(sk);
}

void tcp_push_one(sock &sk, u32 mss_now)
{
	TRACE(sk);
	assert(tcp_send_head(sk) && tcp_send_head(sk)->len >= mss_now);
	tcp_write_xmit(sk, mss_now, TCP_NAGLE_PUSH, 1, sk.sk_allocation);
}

} // namespace skbwalk
