// SPDX-License-Identifier: GPL-2.0-only
//
// The functions that the kernel has inline in include/net/tcp.h: what tcp.h declares and every file of TCP
// calls on its way. Those that only read a field or two are in tcp.h itself. Left out: what belongs to MPTCP,
// TLS and zero copy.
#pragma once

#include <algorithm>

#include "stack/ipv4/tcp.h"

namespace skbwalk {

// --- windows and memory ---
inline u32 tcp_receive_window(const tcp_sock &tp)
{
	const s32 win = tp.rcv_wup + tp.rcv_wnd - tp.rcv_nxt;

	return win < 0 ? 0 : static_cast<u32>(win);
}
inline int tcp_win_from_space(const sock &sk, int space)
{
	const int scale = sock_net(sk).ipv4.sysctl_tcp_adv_win_scale;

	return scale <= 0 ? space >> -scale : space - (space >> scale);
}
inline int tcp_space(const sock &sk)
{
	TRACE_INLINE(sk);
	return tcp_win_from_space(sk, sk.sk_rcvbuf - sk.sk_backlog.len - sk_rmem_alloc_get(sk));
}
inline int tcp_full_space(const sock &sk)
{
	TRACE_INLINE(sk);
	return tcp_win_from_space(sk, sk.sk_rcvbuf);
}
inline void __tcp_adjust_rcv_ssthresh(sock &sk, u32 new_ssthresh)
{
	const int unused_mem = sk_unused_reserved_mem(sk);
	tcp_sock &tp = tcp_sk(sk);

	tp.rcv_ssthresh = std::min(tp.rcv_ssthresh, new_ssthresh);
	if (unused_mem)
		tp.rcv_ssthresh =
			std::max(tp.rcv_ssthresh, static_cast<u32>(tcp_win_from_space(sk, unused_mem)));
}
inline void tcp_adjust_rcv_ssthresh(sock &sk) { __tcp_adjust_rcv_ssthresh(sk, 4u * tcp_sk(sk).advmss); }
inline bool tcp_out_of_memory(sock &sk)
{
	return sk.sk_wmem_queued > static_cast<int>(SOCK_MIN_SNDBUF) &&
	       sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}
inline bool tcp_rmem_pressure(const sock &sk)
{
	if (tcp_under_memory_pressure(sk))
		return true;
	return sk_rmem_alloc_get(sk) > sk.sk_rcvbuf - (sk.sk_rcvbuf >> 3);
}
// Is there enough to wake a reader who waits for `target` bytes?
inline bool tcp_epollin_ready(const sock &sk, int target)
{
	TRACE_INLINE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const s32 avail = tp.rcv_nxt - tp.copied_seq;

	if (avail <= 0)
		return false;
	return avail >= target || tcp_rmem_pressure(sk) ||
	       tcp_receive_window(tp) <= inet_csk(sk).icsk_ack.rcv_mss;
}
inline int tcp_inq(sock &sk)
{
	const tcp_sock &tp = tcp_sk(sk);

	if ((1u << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
		return 0;
	if (sock_flag(sk, SOCK_URGINLINE) || !tp.urg_data || before(tp.urg_seq, tp.copied_seq) ||
	    !before(tp.urg_seq, tp.rcv_nxt)) {
		const int answ = tp.rcv_nxt - tp.copied_seq;

		return answ && sock_flag(sk, SOCK_DONE) ? answ - 1 : answ; // the FIN counts for one
	}
	return tp.urg_seq - tp.copied_seq;
}

// --- the fast path ---
// The four bytes of a header from data offset to window, as they lie in memory.
inline u32 tcp_flag_word(const tcphdr &th)
{
	u32 word;

	std::memcpy(&word, &th.doff_res, sizeof(word));
	return word;
}
constexpr u32 TCP_FLAG_ACK = 0x00100000, TCP_FLAG_PSH = 0x00080000, TCP_FLAG_SYN = 0x00020000,
	      TCP_FLAG_FIN = 0x00010000, TCP_FLAG_URG = 0x00200000,
	      TCP_RESERVED_BITS = 0x0f000000; // of the word in host order
inline void __tcp_fast_path_on(tcp_sock &tp, u32 snd_wnd)
{
	tp.pred_flags = htonl((static_cast<u32>(tp.tcp_header_len) << 26) | TCP_FLAG_ACK | snd_wnd).raw();
}
inline void tcp_fast_path_on(tcp_sock &tp)
{
	TRACE_INLINE(tp);
	__tcp_fast_path_on(tp, tp.snd_wnd >> tp.rx_opt.snd_wscale);
}
inline void tcp_fast_path_check(sock &sk)
{
	TRACE_INLINE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.out_of_order_queue.empty() && tp.rcv_wnd && sk_rmem_alloc_get(sk) < sk.sk_rcvbuf &&
	    !tp.urg_data)
		tcp_fast_path_on(tp);
}
inline bool tcp_checksum_complete(sk_buff &skb)
{
	TRACE_INLINE(skb);
	return !skb_csum_unnecessary(skb) && __skb_checksum_complete(skb);
}
inline void tcp_cleanup_skb(sk_buff &skb)
{
	TRACE_INLINE(skb);
	skb_dst_drop(skb);
	if (skb_ext_exist(skb, SKB_EXT_SEC_PATH)) // secpath_reset
		skb_ext_del(skb, SKB_EXT_SEC_PATH);
}
inline void tcp_add_receive_queue(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	assert(!skb_dst(*skb));
	__skb_queue_tail(sk.sk_receive_queue, std::move(skb));
}
inline void tcp_segs_in(tcp_sock &tp, const sk_buff &skb)
{
	TRACE_INLINE(tp, skb);
	const u16 segs_in = std::max<u16>(1, skb_shinfo(skb).gso_segs);

	tp.segs_in += segs_in;
	if (skb.len > tcp_hdrlen(skb))
		tp.data_segs_in += segs_in;
}
inline void tcp_dec_quickack_mode(sock &sk)
{
	TRACE_INLINE(sk);
	auto &ack = inet_csk(sk).icsk_ack;

	if (!ack.quick)
		return;
	const u8 pkts = inet_csk_ack_scheduled(sk) ? 1 : 0;

	if (pkts >= ack.quick) {
		ack.quick = 0;
		ack.ato = TCP_ATO_MIN; // leaves quick acknowledgements: the estimate is deflated
	} else {
		ack.quick = static_cast<u8>(ack.quick - pkts);
	}
}

// --- options ---
inline void tcp_clear_options(tcp_options_received &rx_opt)
{
	rx_opt.tstamp_ok = 0;
	rx_opt.sack_ok = 0;
	rx_opt.wscale_ok = 0;
	rx_opt.snd_wscale = 0;
	rx_opt.smc_ok = 0;
}
inline void tcp_sack_reset(tcp_options_received &rx_opt)
{
	rx_opt.dsack = 0;
	rx_opt.num_sacks = 0;
}
// RFC 7323, section 5: may a segment with this time stamp be accepted?
inline bool tcp_paws_check(const tcp_options_received &rx_opt, int paws_win)
{
	if (static_cast<s32>(rx_opt.ts_recent - rx_opt.rcv_tsval) <= paws_win)
		return true;
	if (!time_before(static_cast<u32>(ktime_get_seconds()),
	                 static_cast<u32>(rx_opt.ts_recent_stamp) + TCP_PAWS_24DAYS))
		return true;
	return !rx_opt.ts_recent; // some send zero in the SYN and count from there
}
inline bool tcp_paws_reject(const tcp_options_received &rx_opt, int rst)
{
	TRACE_INLINE();
	if (tcp_paws_check(rx_opt, 0))
		return false;
	return !(rst && !time_before(static_cast<u32>(ktime_get_seconds()),
	                             static_cast<u32>(rx_opt.ts_recent_stamp) + TCP_PAWS_MSL));
}

// --- time stamps and timers ---
inline u32 tcp_time_stamp_raw() { return static_cast<u32>(tcp_clock_ns() / NSEC_PER_MSEC); }
inline u32 tcp_skb_timestamp(const sk_buff &skb) { return static_cast<u32>(skb.tstamp / NSEC_PER_MSEC); }
inline bool tcp_skb_sent_after(u64 t1, u64 t2, seq32 seq1, seq32 seq2)
{
	return t1 > t2 || (t1 == t2 && after(seq1, seq2));
}
inline u32 __tcp_set_rto(const tcp_sock &tp)
{
	TRACE_INLINE(tp);
	return usecs_to_jiffies((tp.srtt_us >> 3) + tp.rttvar_us);
}
inline void tcp_bound_rto(const sock &sk)
{
	auto &icsk = const_cast<inet_connection_sock &>(inet_csk(sk));

	if (icsk.icsk_rto > TCP_RTO_MAX)
		icsk.icsk_rto = TCP_RTO_MAX;
}
inline u32 tcp_rto_min(const sock &sk)
{
	const dst_entry *dst = __sk_dst_get(sk);

	if (dst && dst_metric_locked(*dst, RTAX_RTO_MIN))
		return msecs_to_jiffies(dst_metric(*dst, RTAX_RTO_MIN));
	return inet_csk(sk).icsk_rto_min;
}
inline u32 tcp_rto_min_us(const sock &sk) { return jiffies_to_usecs(tcp_rto_min(sk)); }
// Until the oldest segment's timeout, from the time that tcp_mstamp_refresh read; negative when it is over.
inline s64 tcp_rto_delta_us(sock &sk)
{
	TRACE_INLINE(sk);
	const sk_buff *skb = tcp_rtx_queue_head(sk);
	const u32 rto_us = jiffies_to_usecs(inet_csk(sk).icsk_rto);

	assert(skb);
	return static_cast<s64>(tcp_skb_timestamp_us(*skb) + rto_us - tcp_sk(sk).tcp_mstamp);
}
inline bool tcp_needs_internal_pacing(const sock &sk) { return sk.sk_pacing_status == SK_PACING_NEEDED; }
inline u64 tcp_pacing_delay(const sock &sk)
{
	const s64 delay = static_cast<s64>(tcp_sk(sk).tcp_wstamp_ns - tcp_sk(sk).tcp_clock_cache);

	return delay > 0 ? static_cast<u64>(delay) / TICK_NSEC : 0;
}
inline void tcp_reset_xmit_timer(sock &sk, int what, u32 when, u32 max_when)
{
	TRACE_INLINE(sk);
	inet_csk_reset_xmit_timer(sk, what, when + static_cast<u32>(tcp_pacing_delay(sk)), max_when);
}
inline u32 tcp_probe0_base(const sock &sk) { return std::max(inet_csk(sk).icsk_rto, TCP_RTO_MIN); }
inline u32 tcp_probe0_when(const sock &sk, u32 max_when)
{
	constexpr int backoff_max = std::bit_width(TCP_RTO_MAX / TCP_RTO_MIN); // ilog2() + 1
	const int backoff = std::min<int>(backoff_max, inet_csk(sk).icsk_backoff);
	const u64 when = static_cast<u64>(tcp_probe0_base(sk)) << backoff;

	return static_cast<u32>(std::min<u64>(when, max_when));
}
inline void tcp_check_probe_timer(sock &sk)
{
	TRACE_INLINE(sk);
	if (!tcp_sk(sk).packets_out && !inet_csk(sk).icsk_pending)
		tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_base(sk), TCP_RTO_MAX);
}
inline int tcp_fin_time(const sock &sk)
{
	TRACE_INLINE(sk);
	const int linger = tcp_sk(sk).linger2;
	const int timeout = linger ? linger : sock_net(sk).ipv4.sysctl_tcp_fin_timeout * static_cast<int>(HZ);
	const int rto = static_cast<int>(inet_csk(sk).icsk_rto);

	return std::max(timeout, (rto << 2) - (rto >> 1));
}

// --- congestion ---
inline bool tcp_ca_dst_locked(const dst_entry &dst) { return dst_metric_locked(dst, RTAX_CC_ALGO); }
// The kernel's tcp_ca_event(), whose name its argument's type has here.
inline void tcp_ca_event_call(sock &sk, tcp_ca_event event)
{
	if (inet_csk(sk).icsk_ca_ops->cwnd_event)
		inet_csk(sk).icsk_ca_ops->cwnd_event(sk, event);
}
inline u32 tcp_current_ssthresh(const sock &sk)
{
	TRACE_INLINE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (tcp_in_cwnd_reduction(sk))
		return tp.snd_ssthresh;
	return std::max(tp.snd_ssthresh, (tcp_snd_cwnd(tp) >> 1) + (tcp_snd_cwnd(tp) >> 2));
}
inline u32 tcp_max_tso_deferred_mss(const tcp_sock &) { return 3; }
inline bool tcp_is_cwnd_limited(const sock &sk)
{
	TRACE_INLINE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (tp.is_cwnd_limited)
		return true;
	return tcp_in_slow_start(tp) && tcp_snd_cwnd(tp) < 2 * tp.max_packets_out;
}
inline bool tcp_stream_is_thin(const tcp_sock &tp)
{
	return tp.packets_out < 4 && !tcp_in_initial_slowstart(tp);
}
inline void tcp_slow_start_after_idle_check(sock &sk)
{
	TRACE_INLINE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (!sock_net(sk).ipv4.sysctl_tcp_slow_start_after_idle || tp.packets_out ||
	    inet_csk(sk).icsk_ca_ops->cong_control)
		return;
	const s32 delta = static_cast<s32>(tcp_jiffies32() - tp.lsndtime);

	if (delta > static_cast<s32>(inet_csk(sk).icsk_rto))
		tcp_cwnd_restart(sk, delta);
}
inline void tcp_clear_all_retrans_hints(tcp_sock &tp)
{
	tcp_clear_retrans_hints_partial(tp);
	tp.retransmit_skb_hint = nullptr;
}
// Do the counters of the scoreboard agree?
inline void tcp_verify_left_out([[maybe_unused]] const tcp_sock &tp)
{
	assert(tcp_left_out(tp) <= tp.packets_out);
}

// --- the send queues ---
inline u32 tcp_notsent_lowat(const tcp_sock &tp)
{
	return tp.notsent_lowat ? tp.notsent_lowat
	                        : static_cast<u32>(sock_net(tp).ipv4.sysctl_tcp_notsent_lowat);
}
inline void tcp_skb_tsorted_anchor_cleanup(sk_buff &skb)
{
	skb.destructor = nullptr;
	skb._skb_refdst = 0;
}
inline void tcp_add_write_queue_tail(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	const sk_buff *added = skb.get();

	__skb_queue_tail(sk.sk_write_queue, std::move(skb));
	if (sk.sk_write_queue.next == added)
		tcp_chrono_start(sk, TCP_CHRONO_BUSY);
}
inline void tcp_insert_write_queue_before(skb_ptr skb, sk_buff &next, sock &sk)
{
	__skb_queue_before(sk.sk_write_queue, next, std::move(skb));
}
inline skb_ptr tcp_unlink_write_queue(sk_buff &skb, sock &sk)
{
	TRACE_INLINE(skb, sk);
	tcp_skb_tsorted_anchor_cleanup(skb);
	return __skb_unlink(skb, sk.sk_write_queue);
}
inline void tcp_wmem_free_skb(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	sk_wmem_queued_add(sk, -static_cast<int>(skb->truesize));
	sk_mem_uncharge(sk, static_cast<int>(skb->truesize));
	__kfree_skb(std::move(skb));
}
inline skb_ptr tcp_rtx_queue_unlink(sk_buff &skb, sock &sk)
{
	TRACE_INLINE(skb, sk);
	tcp_skb_tsorted_anchor_cleanup(skb);
	sk.tcp_rtx_queue.erase(sk.tcp_rtx_queue.iterator_to(skb));
	return skb_ptr(&skb);
}
inline void tcp_rtx_queue_unlink_and_free(sk_buff &skb, sock &sk)
{
	TRACE_INLINE(skb, sk);
	list_del_init(skb.tcp_tsorted_anchor);
	tcp_wmem_free_skb(sk, tcp_rtx_queue_unlink(skb, sk));
}
inline void tcp_push_pending_frames(sock &sk)
{
	TRACE_INLINE(sk);
	if (tcp_send_head(sk))
		__tcp_push_pending_frames(sk, tcp_current_mss(sk), tcp_sk(sk).nonagle);
}

// --- the highest SACKed segment: the one behind it, null past the last ---
inline seq32 tcp_highest_sack_seq(const tcp_sock &tp)
{
	if (!tp.sacked_out)
		return tp.snd_una;
	if (!tp.highest_sack)
		return tp.snd_nxt;
	return TCP_SKB_CB(*tp.highest_sack).seq;
}
inline sk_buff *tcp_highest_sack(sock &sk) { return tcp_sk(sk).highest_sack; }
inline void tcp_advance_highest_sack(sock &sk, sk_buff &skb)
{
	tcp_sk(sk).highest_sack = skb_rb_next(sk.tcp_rtx_queue, skb);
}
inline void tcp_highest_sack_reset(sock &sk) { tcp_sk(sk).highest_sack = tcp_rtx_queue_head(sk); }
inline void tcp_highest_sack_replace(sock &sk, sk_buff *old, sk_buff *skb)
{
	if (old == tcp_highest_sack(sk))
		tcp_sk(sk).highest_sack = skb;
}

// --- listening ---
inline void tcp_listendrop(const sock &sk)
{
	atomic_inc(const_cast<sock &>(sk).sk_drops);
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_LISTENDROPS);
}
inline void tcp_saved_syn_free(tcp_sock &tp)
{
	delete tp.saved_syn_ptr;
	tp.saved_syn_ptr = nullptr;
}
// The child takes the SYN that its request saved.
inline void tcp_move_syn(tcp_sock &tp, request_sock &req)
{
	TRACE_INLINE(tp);
	tp.saved_syn_ptr = std::exchange(req.saved_syn_ptr, nullptr);
}
// A listener keeps in ts_recent_stamp when its queue last overflowed: a cookie is believed for two minutes
// from then.
inline void tcp_synq_overflow(const sock &sk)
{
	const u32 now = jiffies();
	int &stamp = const_cast<tcp_sock &>(tcp_sk(sk)).rx_opt.ts_recent_stamp;
	const u32 last_overflow = static_cast<u32>(stamp);

	if (HZ < now - last_overflow)
		stamp = static_cast<int>(now);
}
inline bool tcp_synq_no_recent_overflow(const sock &sk)
{
	const u32 last_overflow = static_cast<u32>(tcp_sk(sk).rx_opt.ts_recent_stamp);

	return TCP_SYNCOOKIE_VALID + HZ < jiffies() - (last_overflow - HZ);
}
// Minutes, from a count of ticks that does not wrap where jiffies do.
inline u32 tcp_cookie_time()
{
	const u64 jiffies_64 = u64{INITIAL_JIFFIES} + (jiffies() - INITIAL_JIFFIES);

	return static_cast<u32>(jiffies_64 / TCP_SYNCOOKIE_PERIOD);
}
inline u32 cookie_init_sequence(const tcp_request_sock_ops &ops, const sock &sk, const sk_buff &skb, u16 &mss)
{
	TRACE_INLINE(sk, skb);
	tcp_synq_overflow(sk);
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_SYNCOOKIESSENT);
	return ops.cookie_init_seq(skb, mss);
}

} // namespace skbwalk
