// SPDX-License-Identifier: GPL-2.0-only
//
// A segment for a socket (net/ipv4/tcp_input.c, without the parts that tcp_input_private.h lists). In
// ESTABLISHED it comes to tcp_rcv_established: what the last segment predicted takes the fast path, all else
// is checked (tcp_validate_incoming), its ACK processed, its urgent pointer and its data taken; then what
// became sendable is sent, and an ACK, now or later. In every other state it comes to tcp_rcv_state_process,
// which does the same and moves the state. Left out: TLS, MPTCP.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

static void bpf_skops_parse_hdr(sock &sk, [[maybe_unused]] sk_buff &skb)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const bool unknown_opt = tp.rx_opt.saw_unknown &&
	                         BPF_SOCK_OPS_TEST_FLAG(tp, BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);

	if (!unknown_opt && !BPF_SOCK_OPS_TEST_FLAG(tp, BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG))
		return;
	assert(false); // no program can set these flags
}

// --- checks ---
// A pure ACK of the past that PAWS would turn away: it may only have been overtaken. (A retransmitted
// segment, or a window update, is not one.)
static bool tcp_disordered_ack(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const tcphdr &th = tcp_hdr(skb);
	const seq32 seq = TCP_SKB_CB(skb).seq, ack = TCP_SKB_CB(skb).ack_seq;

	return th.ack() && seq == TCP_SKB_CB(skb).end_seq && seq == tp.rcv_nxt && ack == tp.snd_una &&
	       !tcp_may_update_window(tp, ack, seq, u32{ntohs(th.window)} << tp.rx_opt.snd_wscale) &&
	       // Its time stamp is younger than one RTO.
	       static_cast<s32>(tp.rx_opt.ts_recent - tp.rx_opt.rcv_tsval) <=
	               static_cast<s32>(tp.icsk_rto * 1024 / HZ);
}

static bool tcp_paws_discard(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	return !tcp_paws_check(tcp_sk(sk).rx_opt, TCP_PAWS_WINDOW) && !tcp_disordered_ack(sk, skb);
}

// Does it touch the window? Its left edge is what was last acknowledged: ACKs that we sent may be lost.
static bool tcp_sequence(const tcp_sock &tp, seq32 seq, seq32 end_seq)
{
	TRACE(tp);
	return !before(end_seq, tp.rcv_wup) && !after(seq, tp.rcv_nxt + tcp_receive_window(tp));
}

void tcp_done_with_error(sock &sk, int err)
{
	TRACE(sk);
	sk.sk_err = err;
	tcp_write_queue_purge(sk);
	tcp_done(sk);
	if (!sock_flag(sk, SOCK_DEAD))
		sk_error_report(sk);
}

void tcp_reset(sock &sk, [[maybe_unused]] sk_buff *skb)
{
	TRACE(sk, skb);
	int err = ECONNRESET;

	switch (sk.sk_state) {
	case TCP_SYN_SENT:
		err = ECONNREFUSED;
		break;
	case TCP_CLOSE_WAIT:
		err = EPIPE;
		break;
	case TCP_CLOSE:
		return;
	default:
		break;
	}
	tcp_done_with_error(sk, err);
}

// The peer has sent all.
void tcp_fin(sock &sk)
{
	TRACE(sk);
	constexpr int poll_in = 1, poll_hup = 6;
	tcp_sock &tp = tcp_sk(sk);

	inet_csk_schedule_ack(sk);
	sk.sk_shutdown |= RCV_SHUTDOWN;
	sock_set_flag(sk, SOCK_DONE);

	switch (sk.sk_state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(sk, TCP_CLOSE_WAIT);
		inet_csk_enter_pingpong_mode(sk);
		break;
	case TCP_CLOSE_WAIT: // a retransmission
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		break;
	case TCP_FIN_WAIT1: // both closed at once
		tcp_send_ack(sk);
		tcp_set_state(sk, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(sk);
		tcp_time_wait(sk, TCP_TIME_WAIT, 0);
		break;
	default:
		assert(false); // no FIN comes here for a socket that listens or is closed
		break;
	}

	// What is behind the end is nothing.
	skb_rbtree_purge(tp.out_of_order_queue);
	if (tcp_is_sack(tp))
		tcp_sack_reset(tp.rx_opt);
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk.sk_state_change(sk);
		if (sk.sk_shutdown == SHUTDOWN_MASK || sk.sk_state == TCP_CLOSE)
			sk_wake_async(sk, SOCK_WAKE_WAITD, poll_hup);
		else
			sk_wake_async(sk, SOCK_WAKE_WAITD, poll_in);
	}
}

// What is not in window is answered with an ACK, so that the peer learns where we are.
static void tcp_send_dupack(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const tcp_skb_cb &cb = TCP_SKB_CB(skb);

	if (cb.end_seq != cb.seq && before(cb.seq, tp.rcv_nxt)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_DELAYEDACKLOST);
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		if (tcp_is_sack(tp) && sock_net(sk).ipv4.sysctl_tcp_dsack) {
			tcp_rcv_spurious_retrans(sk, skb);
			tcp_dsack_set(sk, cb.seq, after(cb.end_seq, tp.rcv_nxt) ? tp.rcv_nxt : cb.end_seq);
		}
	}
	tcp_send_ack(sk);
}

// A reset one below what is expected, after the peer's FIN: some stacks count it so.
static bool tcp_reset_check(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	return TCP_SKB_CB(skb).seq == tcp_sk(sk).rcv_nxt - 1u &&
	       ((1u << sk.sk_state) & (TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING));
}

namespace {

// RFC 5961: a reset must hit rcv_nxt, or the end of what was SACKed.
bool reset_is_exact(const sock &sk, const sk_buff &skb)
{
	const tcp_sock &tp = tcp_sk(sk);

	if (!tcp_is_sack(tp) || tp.rx_opt.num_sacks == 0)
		return false;
	seq32 max_sack = tp.selective_acks[0].end_seq;

	for (int i = 1; i < tp.rx_opt.num_sacks; i++) {
		if (after(tp.selective_acks[i].end_seq, max_sack))
			max_sack = tp.selective_acks[i].end_seq;
	}
	return TCP_SKB_CB(skb).seq == max_sack;
}

} // namespace

// PAWS, the sequence, RST, SYN, in this order. False: the segment is done with.
static bool tcp_validate_incoming(sock &sk, skb_ptr &skb, const tcphdr &th, bool syn_inerr)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);
	const tcp_skb_cb &cb = TCP_SKB_CB(*skb);
	const auto discard = [&](skb_drop_reason reason) {
		tcp_drop_reason(sk, std::move(skb), reason);
		return false;
	};
	const auto reset = [&] {
		tcp_reset(sk, skb.get());
		__kfree_skb(std::move(skb));
		return false;
	};
	const auto syn_challenge = [&] {
		if (syn_inerr)
			TCP_INC_STATS(net, TCP_MIB_INERRS);
		NET_INC_STATS(net, LINUX_MIB_TCPSYNCHALLENGE);
		tcp_send_challenge_ack(sk);
		return discard(SKB_DROP_REASON_TCP_INVALID_SYN);
	};

	if (tcp_fast_parse_options(net, *skb, th, tp) && tp.rx_opt.saw_tstamp && tcp_paws_discard(sk, *skb) &&
	    !th.rst()) {
		NET_INC_STATS(net, LINUX_MIB_PAWSESTABREJECTED);
		if (!tcp_oow_rate_limited(net, *skb, LINUX_MIB_TCPACKSKIPPEDPAWS, tp.last_oow_ack_time))
			tcp_send_dupack(sk, *skb);
		return discard(SKB_DROP_REASON_TCP_RFC7323_PAWS);
	}
	if (!tcp_sequence(tp, cb.seq, cb.end_seq)) {
		if (!th.rst()) {
			if (th.syn())
				return syn_challenge();
			if (!tcp_oow_rate_limited(net, *skb, LINUX_MIB_TCPACKSKIPPEDSEQ,
			                          tp.last_oow_ack_time))
				tcp_send_dupack(sk, *skb);
		} else if (tcp_reset_check(sk, *skb)) {
			return reset();
		}
		return discard(SKB_DROP_REASON_TCP_INVALID_SEQUENCE);
	}
	if (th.rst()) {
		if (cb.seq == tp.rcv_nxt || tcp_reset_check(sk, *skb) || reset_is_exact(sk, *skb))
			return reset();
		// A fast open that something on the path does not like.
		if (tp.syn_fastopen && !tp.data_segs_in && sk.sk_state == TCP_ESTABLISHED)
			tcp_fastopen_active_disable(sk);
		tcp_send_challenge_ack(sk);
		return discard(SKB_DROP_REASON_TCP_RESET);
	}
	if (th.syn()) {
		// RFC 5961, 4.2: challenged, but for the SYN+ACK of a simultaneous open.
		const bool crossed = sk.sk_state == TCP_SYN_RECV && sk.sk_socket && th.ack() &&
		                     cb.seq + 1 == cb.end_seq && cb.seq + 1 == tp.rcv_nxt &&
		                     cb.ack_seq == tp.snd_nxt;

		if (!crossed)
			return syn_challenge();
	}
	bpf_skops_parse_hdr(sk, *skb);
	return true;
}

// --- after the segment: what can be sent now, and when to acknowledge ---
static bool tcp_should_expand_sndbuf(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_userlocks & SOCK_SNDBUF_LOCK)
		return false;
	if (tcp_under_memory_pressure(sk)) {
		const int unused_mem = sk_unused_reserved_mem(sk);

		if (unused_mem > static_cast<int>(SOCK_MIN_SNDBUF))
			sk.sk_sndbuf = unused_mem;
		return false;
	}
	if (sk_memory_allocated(sk) >= sk_prot_mem_limits(sk, 0))
		return false;
	// Where the window is full, the buffer is not what limits.
	return tcp_packets_in_flight(tp) < tcp_snd_cwnd(tp);
}

static void tcp_new_space(sock &sk)
{
	TRACE(sk);
	if (tcp_should_expand_sndbuf(sk)) {
		tcp_sndbuf_expand(sk);
		tcp_sk(sk).snd_cwnd_stamp = tcp_jiffies32();
	}
	sk.sk_write_space(sk);
}

// Room came free: wake a writer that found none.
void tcp_check_space(sock &sk)
{
	TRACE(sk);
	if (sk.sk_socket && (sk.sk_socket->flags & (1u << SOCK_NOSPACE))) {
		tcp_new_space(sk);
		if (!(sk.sk_socket->flags & (1u << SOCK_NOSPACE)))
			tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED);
	}
}

static void tcp_data_snd_check(sock &sk)
{
	TRACE(sk);
	tcp_push_pending_frames(sk);
	tcp_check_space(sk);
}

static void __tcp_ack_snd_check(sock &sk, bool ofo_possible)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;

	// More than one full segment, and the window can move right; or quick ACKs; or something asked for
	// one.
	if ((static_cast<u32>(tp.rcv_nxt - tp.rcv_wup) > tp.icsk_ack.rcv_mss &&
	     (tp.rcv_nxt - tp.copied_seq < sk.sk_rcvlowat || __tcp_select_window(sk) >= tp.rcv_wnd)) ||
	    tcp_in_quickack_mode(sk) || (tp.icsk_ack.pending & ICSK_ACK_NOW)) {
		tcp_send_ack(sk);
		return;
	}
	if (!ofo_possible || tp.out_of_order_queue.empty()) {
		tcp_send_delayed_ack(sk);
		return;
	}

	// Out of order: each is answered, until three duplicates told of the loss; then they are put
	// together.
	if (!tcp_is_sack(tp) || tp.compressed_ack >= ipv4.sysctl_tcp_comp_sack_nr) {
		tcp_send_ack(sk);
		return;
	}
	if (tp.compressed_ack_rcv_nxt != tp.rcv_nxt.v) {
		tp.compressed_ack_rcv_nxt = tp.rcv_nxt.v;
		tp.dup_ack_counter = 0;
	}
	if (tp.dup_ack_counter < TCP_FASTRETRANS_THRESH) {
		tp.dup_ack_counter = (tp.dup_ack_counter + 1) & 3;
		tcp_send_ack(sk);
		return;
	}
	tp.compressed_ack++;
	if (hrtimer_is_queued(tp.compressed_ack_timer))
		return;

	// A twentieth of the round trip, a millisecond at most.
	u64 rtt = tp.rcv_rtt_est.rtt_us; // both in eighths

	if (tp.srtt_us && tp.srtt_us < rtt)
		rtt = tp.srtt_us;
	const u64 delay = std::min<u64>(static_cast<u64>(ipv4.sysctl_tcp_comp_sack_delay_ns),
	                                rtt * (NSEC_PER_USEC >> 3) / 20);

	sock_hold(sk);
	hrtimer_start_range_ns(tp.compressed_ack_timer, static_cast<ktime_t>(delay),
	                       static_cast<u64>(ipv4.sysctl_tcp_comp_sack_slack_ns),
	                       HRTIMER_MODE_REL_PINNED_SOFT);
}

static void tcp_ack_snd_check(sock &sk)
{
	TRACE(sk);
	if (inet_csk_ack_scheduled(sk))
		__tcp_ack_snd_check(sk, true);
}

// --- urgent data ---
// RFC 9293 lets the pointer point at the byte after the urgent one (BSD, and all since); tcp_stdurg at the
// byte itself.
static void tcp_check_urg(sock &sk, const tcphdr &th)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	u32 off = ntohs(th.urg_ptr);

	if (off && !sock_net(sk).ipv4.sysctl_tcp_stdurg)
		off--;
	const seq32 ptr = seq32(ntohl(th.seq)) + off;

	if (after(tp.copied_seq, ptr)) // read already
		return;
	if (before(ptr, tp.rcv_nxt)) // came in an earlier segment, without a pointer
		return;
	if (tp.urg_data && !after(ptr, tp.urg_seq)) // known
		return;
	sk_send_sigurg(sk);

	// A second one, before the first was read, which stands at the head of the queue: the first becomes
	// ordinary data that nobody reads.
	if (tp.urg_seq == tp.copied_seq && tp.urg_data && !sock_flag(sk, SOCK_URGINLINE) &&
	    tp.copied_seq != tp.rcv_nxt) {
		sk_buff *skb = skb_peek(sk.sk_receive_queue);

		++tp.copied_seq;
		if (skb && !before(tp.copied_seq, TCP_SKB_CB(*skb).end_seq))
			__kfree_skb(__skb_unlink(*skb, sk.sk_receive_queue));
	}
	tp.urg_data = TCP_URG_NOTYET;
	tp.urg_seq = ptr;
	tp.pred_flags = 0;
}

void tcp_urg(sock &sk, sk_buff &skb, const tcphdr &th)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (th.urg())
		tcp_check_urg(sk, th);
	if (tp.urg_data != TCP_URG_NOTYET)
		return;
	const u32 ptr = tp.urg_seq.v - ntohl(th.seq) + th.doff() * 4 - (th.syn() ? 1u : 0u);

	if (ptr < skb.len) {
		u8 tmp = 0;
		[[maybe_unused]] const int err = skb_copy_bits(skb, static_cast<int>(ptr), &tmp, 1);

		assert(!err);
		tp.urg_data = TCP_URG_VALID | tmp;
		if (!sock_flag(sk, SOCK_DEAD))
			sk.sk_data_ready(sk);
	}
}

// --- ESTABLISHED ---
// RFC 9293, 3.10.7.4. The fast path is Van Jacobson's header prediction: header length, flags and window as
// expected (pred_flags), in sequence, and either a pure ACK or pure data. It is switched off where the window
// is zero, segments are out of order, urgent data is around, or memory is short.
void tcp_rcv_established(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	sk_buff &s = *skb;
	const tcphdr &th = tcp_hdr(s);
	const tcp_skb_cb &cb = TCP_SKB_CB(s);
	tcp_sock &tp = tcp_sk(sk);
	const u32 len = s.len;
	const auto csum_error = [&] {
		TCP_INC_STATS(sock_net(sk), TCP_MIB_CSUMERRORS);
		TCP_INC_STATS(sock_net(sk), TCP_MIB_INERRS);
		tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_TCP_CSUM);
	};
	const u32 hp_bits = htonl(~(TCP_RESERVED_BITS | TCP_FLAG_PSH)).raw();
	constexpr u16 tstamp_header_len = sizeof(tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	bool checked = false; // the slow path's checks are not needed

	tcp_mstamp_refresh(tp);
	if (!sk.sk_rx_dst)
		tp.icsk_af_ops->sk_rx_dst_set(sk, s);
	tp.rx_opt.saw_tstamp = 0;

	bool fast = (tcp_flag_word(th) & hp_bits) == tp.pred_flags && cb.seq == tp.rcv_nxt &&
	            between(cb.ack_seq, tp.snd_una, tp.snd_nxt);
	const u16 tcp_header_len = tp.tcp_header_len;

	if (fast && tcp_header_len == tstamp_header_len)
		// PAWS, and the options must be the time stamp alone.
		fast = tcp_parse_aligned_timestamp(tp, th) &&
		       static_cast<s32>(tp.rx_opt.rcv_tsval - tp.rx_opt.ts_recent) >= 0;
	if (fast && len <= tcp_header_len) {
		if (len < tcp_header_len) {
			TCP_INC_STATS(sock_net(sk), TCP_MIB_INERRS);
			tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_PKT_TOO_SMALL);
			return;
		}
		// A pure ACK: the sender's fast path.
		if (tcp_header_len == tstamp_header_len && tp.rcv_nxt == tp.rcv_wup)
			tcp_store_ts_recent(tp);
		// Not for PAWS alone: what is acknowledged does not move the window.
		tcp_ack(sk, s, 0);
		__kfree_skb(std::move(skb));
		tcp_data_snd_check(sk);
		// For bidirectional flows: the next data's echo must be a newer one to count.
		tp.rcv_rtt_last_tsecr = tp.rx_opt.rcv_tsecr;
		return;
	}
	// linux-4.4: the reader itself processes the segment, and has room for all of it.
	int eaten = fast && reader_takes(sk) && static_cast<int>(len - tcp_header_len) <= tp.ucopy.len &&
	            !tcp_copy_to_iovec(sk, s, tcp_header_len);

	if (fast && !eaten) {
		// Data: the receiver's fast path.
		if (tcp_checksum_complete(s))
			return csum_error();
		checked = static_cast<int>(s.truesize) > sk.sk_forward_alloc;
	}
	if (fast && !checked) {
		if (tcp_header_len == tstamp_header_len && tp.rcv_nxt == tp.rcv_wup)
			tcp_store_ts_recent(tp);
		tcp_rcv_rtt_measure_ts(sk, s);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPHPHITS);
		tcp_cleanup_skb(s);
		__skb_pull(s, tcp_header_len);
		bool fragstolen = false;

		if (eaten)
			tcp_rcv_nxt_update(tp, cb.end_seq);
		else
			eaten = tcp_queue_rcv(sk, skb, fragstolen);
		tcp_event_data_recv(sk, s);
		bool ack_due = true;

		if (cb.ack_seq != tp.snd_una) {
			// It acknowledges too: well, not quite the fast path.
			tcp_ack(sk, s, FLAG_DATA);
			tcp_data_snd_check(sk);
			ack_due = inet_csk_ack_scheduled(sk); // it may have gone with the data
		} else {
			tcp_update_wl(tp, cb.seq);
		}
		if (ack_due)
			__tcp_ack_snd_check(sk, false);
		if (eaten)
			kfree_skb_partial(std::move(skb), fragstolen);
		tcp_data_ready(sk);
		return;
	}

	if (!checked) {
		if (len < th.doff() * 4 || tcp_checksum_complete(s))
			return csum_error();
		if (!th.ack() && !th.rst() && !th.syn()) {
			tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_TCP_FLAGS);
			return;
		}
		if (!tcp_validate_incoming(sk, skb, th, true))
			return;
	}
	const int reason = tcp_ack(sk, s, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT);

	if (reason < 0) {
		tcp_drop_reason(sk, std::move(skb), static_cast<skb_drop_reason>(-reason));
		return;
	}
	tcp_rcv_rtt_measure_ts(sk, s);
	tcp_urg(sk, s, th);
	tcp_data_queue(sk, std::move(skb));
	tcp_data_snd_check(sk);
	tcp_ack_snd_check(sk);
}

// --- the other states ---
namespace {

// The first acceptable ACK in SYN_RECV.
void enter_established(sock &sk, sk_buff &skb, const tcphdr &th, request_sock *req)
{
	tcp_sock &tp = tcp_sk(sk);
	const bool as_44 = current.host->features.conn_request_44;

	tp.delivered++; // the SYN+ACK
	if (!tp.srtt_us)
		tcp_synack_rtt_meas(sk, req);
	if (tp.rx_opt.tstamp_ok)
		tp.advmss = static_cast<u16>(tp.advmss - TCPOLEN_TSTAMP_ALIGNED);
	if (req) {
		tcp_rcv_synrecv_state_fastopen(sk);
	} else if (as_44) {
		tp.icsk_af_ops->rebuild_header(sk);
		tcp_init_congestion_control(sk);
		tcp_mtup_init(sk);
		tp.copied_seq = tp.rcv_nxt;
		tcp_init_buffer_space(sk);
	} else {
		tcp_try_undo_spurious_syn(sk);
		tp.retrans_stamp = 0;
		tcp_init_transfer(sk, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, &skb);
		tp.copied_seq = tp.rcv_nxt;
	}
	tcp_set_state(sk, TCP_ESTABLISHED);
	sk.sk_state_change(sk);
	// A child that was not accepted has no file yet: nobody to signal.
	if (sk.sk_socket)
		sk_wake_async(sk, SOCK_WAKE_IO, 2 /* POLL_OUT */);
	tp.snd_una = TCP_SKB_CB(skb).ack_seq;
	tp.snd_wnd = u32{ntohs(th.window)} << tp.rx_opt.snd_wscale;
	tcp_init_wl(tp, TCP_SKB_CB(skb).seq);
	if (as_44 && !req) {
		tcp_init_metrics(sk);
		tcp_snd_cwnd_set(tp, tcp_init_cwnd(tp, __sk_dst_get(sk)));
	}
	if (!tp.icsk_ca_ops->cong_control)
		tcp_update_pacing_rate(sk);
	tp.lsndtime = tcp_jiffies32(); // the first data does not follow a pause
	tcp_initialize_rcv_mss(sk);
	tcp_fast_path_on(tp);
	if (sk.sk_shutdown & SEND_SHUTDOWN)
		tcp_shutdown(sk, SEND_SHUTDOWN);
}

enum class fin_wait1_result { stay, abort, consume };

// Our FIN may be acknowledged now.
fin_wait1_result leave_fin_wait1(sock &sk, const sk_buff &skb, const tcphdr &th, request_sock *req)
{
	tcp_sock &tp = tcp_sk(sk);
	const tcp_skb_cb &cb = TCP_SKB_CB(skb);
	const auto abort = [&sk] {
		tcp_done(sk);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONDATA);
		return fin_wait1_result::abort;
	};

	if (req)
		tcp_rcv_synrecv_state_fastopen(sk);
	if (tp.snd_una != tp.write_seq)
		return fin_wait1_result::stay;
	tcp_set_state(sk, TCP_FIN_WAIT2);
	sk.sk_shutdown |= SEND_SHUTDOWN;
	sk_dst_confirm(sk);
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk.sk_state_change(sk); // who waits in close()
		return fin_wait1_result::stay;
	}
	if (tp.linger2 < 0)
		return abort();
	if (cb.end_seq != cb.seq && after(cb.end_seq - (th.fin() ? 1u : 0u), tp.rcv_nxt)) {
		// Data after close(): nobody will read it.
		if (tp.syn_fastopen && th.fin())
			tcp_fastopen_active_disable(sk);
		return abort();
	}
	const int tmo = tcp_fin_time(sk);

	if (tmo > static_cast<int>(TCP_TIMEWAIT_LEN)) {
		inet_csk_reset_keepalive_timer(sk, static_cast<u32>(tmo) - TCP_TIMEWAIT_LEN);
	} else if (th.fin() || sock_owned_by_user(sk)) {
		// The FIN is processed below, or in a moment: not yet a TIME_WAIT socket.
		inet_csk_reset_keepalive_timer(sk, static_cast<u32>(tmo));
	} else {
		tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
		return fin_wait1_result::consume;
	}
	return fin_wait1_result::stay;
}

} // namespace

// RFC 9293, 3.10.7. Returns 1, and leaves the skb, where the caller is to answer with a reset.
int tcp_rcv_state_process(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	sk_buff &s = *skb;
	tcp_sock &tp = tcp_sk(sk);
	const tcphdr &th = tcp_hdr(s);
	const tcp_skb_cb &cb = TCP_SKB_CB(s);
	const auto discard = [&](skb_drop_reason reason) {
		tcp_drop_reason(sk, std::move(skb), reason);
		return 0;
	};
	const auto consume = [&] {
		__kfree_skb(std::move(skb));
		return 0;
	};

	switch (sk.sk_state) {
	case TCP_CLOSE:
		return discard(SKB_DROP_REASON_TCP_CLOSE);
	case TCP_LISTEN: {
		if (th.ack())
			return 1;
		if (th.rst())
			return discard(SKB_DROP_REASON_TCP_RESET);
		if (!th.syn() || th.fin())
			return discard(SKB_DROP_REASON_TCP_FLAGS);
		// The child's hash insertions need bottom halves off; a backlog is processed with them on.
		rcu_read_lock();
		local_bh_disable();
		const bool acceptable = tp.icsk_af_ops->conn_request(sk, skb) >= 0;

		local_bh_enable();
		rcu_read_unlock();
		if (!acceptable)
			return 1;
		consume_skb(std::move(skb));
		return 0;
	}
	case TCP_SYN_SENT: {
		tp.rx_opt.saw_tstamp = 0;
		tcp_mstamp_refresh(tp);
		const int queued = tcp_rcv_synsent_state_process(sk, skb, th);

		if (queued >= 0)
			return queued;
		tcp_urg(sk, s, th); // the SYN+ACK may carry it
		__kfree_skb(std::move(skb));
		tcp_data_snd_check(sk);
		return 0;
	}
	default:
		break;
	}

	tcp_mstamp_refresh(tp);
	tp.rx_opt.saw_tstamp = 0;
	request_sock *req = tp.fastopen_rsk;

	if (req) {
		bool req_stolen = false;

		assert(sk.sk_state == TCP_SYN_RECV || sk.sk_state == TCP_FIN_WAIT1);
		if (!tcp_check_req(sk, s, *req, true, req_stolen))
			return discard(SKB_DROP_REASON_TCP_FASTOPEN);
	}
	if (!th.ack() && !th.rst() && !th.syn())
		return discard(SKB_DROP_REASON_TCP_FLAGS);
	if (!tcp_validate_incoming(sk, skb, th, false))
		return 0;

	// Step 5: the ACK.
	const int acceptable = tcp_ack(sk, s, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK);

	if (acceptable <= 0) {
		if (sk.sk_state == TCP_SYN_RECV)
			return 1;
		if (acceptable < 0) {
			tcp_send_challenge_ack(sk);
			return discard(static_cast<skb_drop_reason>(-acceptable));
		}
	}
	switch (sk.sk_state) {
	case TCP_SYN_RECV:
		enter_established(sk, s, th, req);
		break;
	case TCP_FIN_WAIT1:
		switch (leave_fin_wait1(sk, s, th, req)) {
		case fin_wait1_result::abort:
			return 1;
		case fin_wait1_result::consume:
			return consume();
		case fin_wait1_result::stay:
			break;
		}
		break;
	case TCP_CLOSING:
		if (tp.snd_una == tp.write_seq) {
			tcp_time_wait(sk, TCP_TIME_WAIT, 0);
			return consume();
		}
		break;
	case TCP_LAST_ACK:
		if (tp.snd_una == tp.write_seq) {
			tcp_update_metrics(sk);
			tcp_done(sk);
			return consume();
		}
		break;
	default:
		break;
	}

	// Steps 6 and 7: urgent pointer, data.
	tcp_urg(sk, s, th);
	bool queued = false;

	switch (sk.sk_state) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		if (!before(cb.seq, tp.rcv_nxt)) // behind the peer's FIN
			break;
		[[fallthrough]];
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		// Data that nobody can read any more: RFC 9293 asks for a reset.
		if ((sk.sk_shutdown & RCV_SHUTDOWN) && cb.end_seq != cb.seq &&
		    after(cb.end_seq - (th.fin() ? 1u : 0u), tp.rcv_nxt)) {
			NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONDATA);
			tcp_reset(sk, &s);
			return 1;
		}
		[[fallthrough]];
	case TCP_ESTABLISHED:
		tcp_data_queue(sk, std::move(skb));
		queued = true;
		break;
	default:
		break;
	}

	// The data may have closed the socket.
	if (sk.sk_state != TCP_CLOSE) {
		tcp_data_snd_check(sk);
		tcp_ack_snd_check(sk);
	}
	if (!queued)
		return discard(SKB_DROP_REASON_NOT_SPECIFIED);
	return 0;
}

} // namespace skbwalk
