// SPDX-License-Identifier: GPL-2.0-only
//
// Sockets that are less than full (net/ipv4/tcp_minisocks.c): segments for a request (tcp_check_req makes the
// child of the handshake's last ACK, tcp_child_process gives it its first segment) and for TIME_WAIT; the
// full socket's passage into TIME_WAIT.

#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_md5.h"

namespace skbwalk {

static bool tcp_in_window(seq32 seq, seq32 end_seq, seq32 s_win, seq32 e_win)
{
	TRACE();
	if (seq == s_win)
		return true;
	if (after(end_seq, s_win) && before(seq, e_win))
		return true;
	return seq == e_win && seq == end_seq;
}

static tcp_tw_status tcp_timewait_check_oow_rate_limit(inet_timewait_sock &tw, const sk_buff &skb,
                                                       linux_mib_item mib_idx)
{
	TRACE(skb);
	if (!tcp_oow_rate_limited(sock_net(tw), skb, mib_idx, tcp_twsk(tw).tw_last_oow_ack_time))
		return TCP_TW_ACK; // the caller answers and puts the socket
	inet_twsk_put(tw);
	return TCP_TW_SUCCESS;
}

// A segment for a socket in TIME_WAIT, or in a FIN_WAIT2 that no task waits for any more (RFC 9293,
// section 3.10.7.4). TCP_TW_ACK and TCP_TW_RST: the caller answers and puts the socket; TCP_TW_SYN: a new
// connection may begin, with tw_isn.
tcp_tw_status tcp_timewait_state_process(inet_timewait_sock &tw, sk_buff &skb, const tcphdr &th, u32 &tw_isn)
{
	TRACE(skb);
	tcp_timewait_sock &tcptw = tcp_twsk(tw);
	const tcp_skb_cb &cb = TCP_SKB_CB(skb);
	tcp_options_received tmp_opt;
	bool paws_reject = false;

	if (th.doff() > sizeof(tcphdr) / 4 && tcptw.tw_ts_recent_stamp) {
		tcp_parse_options(sock_net(tw), skb, tmp_opt, false, nullptr);
		if (tmp_opt.saw_tstamp) {
			if (tmp_opt.rcv_tsecr)
				tmp_opt.rcv_tsecr -= tcptw.tw_ts_offset;
			tmp_opt.ts_recent = tcptw.tw_ts_recent;
			tmp_opt.ts_recent_stamp = tcptw.tw_ts_recent_stamp;
			paws_reject = tcp_paws_reject(tmp_opt, th.rst());
		}
	}
	const auto remember_timestamp = [&] {
		if (tmp_opt.saw_tstamp) {
			tcptw.tw_ts_recent_stamp = static_cast<int>(ktime_get_seconds());
			tcptw.tw_ts_recent = tmp_opt.rcv_tsval;
		}
	};

	if (tw.tw_substate == TCP_FIN_WAIT2) {
		if (paws_reject ||
		    !tcp_in_window(cb.seq, cb.end_seq, tcptw.tw_rcv_nxt, tcptw.tw_rcv_nxt + tcptw.tw_rcv_wnd))
			return tcp_timewait_check_oow_rate_limit(tw, skb, LINUX_MIB_TCPACKSKIPPEDFINWAIT2);
		if (th.rst()) {
			inet_twsk_deschedule_put(tw);
			return TCP_TW_SUCCESS;
		}
		if (th.syn() && !before(cb.seq, tcptw.tw_rcv_nxt))
			return TCP_TW_RST;
		if (!th.ack() || !after(cb.end_seq, tcptw.tw_rcv_nxt) ||
		    cb.end_seq == cb.seq) { // a duplicate ACK
			inet_twsk_put(tw);
			return TCP_TW_SUCCESS;
		}
		// Data after a half-duplex close: nobody will read it.
		if (!th.fin() || cb.end_seq != tcptw.tw_rcv_nxt + 1)
			return TCP_TW_RST;
		tw.tw_substate = TCP_TIME_WAIT;
		tcptw.tw_rcv_nxt = cb.end_seq;
		remember_timestamp();
		inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
		return TCP_TW_ACK;
	}

	if (!paws_reject && cb.seq == tcptw.tw_rcv_nxt && (cb.seq == cb.end_seq || th.rst())) {
		// In the window: a reset or a bare ACK.
		if (th.rst() && !sock_net(tw).ipv4.sysctl_tcp_rfc1337) {
			inet_twsk_deschedule_put(tw);
			return TCP_TW_SUCCESS;
		}
		if (!th.rst())
			inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
		remember_timestamp();
		inet_twsk_put(tw);
		return TCP_TW_SUCCESS;
	}

	// A SYN that is new by its number, or by its timestamp, opens the connection again.
	if (th.syn() && !th.rst() && !th.ack() && !paws_reject &&
	    (after(cb.seq, tcptw.tw_rcv_nxt) ||
	     (tmp_opt.saw_tstamp && static_cast<s32>(tcptw.tw_ts_recent - tmp_opt.rcv_tsval) < 0))) {
		tw_isn = tcptw.tw_snd_nxt.v + 65535 + 2;
		if (!tw_isn)
			++tw_isn;
		return TCP_TW_SYN;
	}
	if (paws_reject)
		NET_INC_STATS(sock_net(tw), LINUX_MIB_PAWSESTABREJECTED);
	if (!th.rst()) {
		if (paws_reject || th.ack())
			inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
		return tcp_timewait_check_oow_rate_limit(tw, skb, LINUX_MIB_TCPACKSKIPPEDTIMEWAIT);
	}
	inet_twsk_put(tw);
	return TCP_TW_SUCCESS;
}

// The full socket is done with; a small one stays in its place for `timeo` jiffies (TIME_WAIT: 60 s).
void tcp_time_wait(sock &sk, int state, int timeo)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);

	if (inet_timewait_sock *tw = inet_twsk_alloc(sk, net.ipv4.tcp_death_row, state)) {
		tcp_timewait_sock &tcptw = tcp_twsk(*tw);
		const int rto = static_cast<int>((tp.icsk_rto << 2) - (tp.icsk_rto >> 1));

		tw->tw_transparent = tp.transparent;
		tw->tw_mark = sk.sk_mark;
		tw->tw_priority = sk.sk_priority;
		tw->tw_rcv_wscale = tp.rx_opt.rcv_wscale;
		tcptw.tw_rcv_nxt = tp.rcv_nxt;
		tcptw.tw_snd_nxt = tp.snd_nxt;
		tcptw.tw_rcv_wnd = tcp_receive_window(tp);
		tcptw.tw_ts_recent = tp.rx_opt.ts_recent;
		tcptw.tw_ts_recent_stamp = tp.rx_opt.ts_recent_stamp;
		tcptw.tw_ts_offset = tp.tsoffset;
		tcptw.tw_tx_delay = tp.tcp_tx_delay;
		if (tcp_md5_needed())
			if (const tcp_md5sig_key *key = tp.af_specific->md5_lookup(sk, sk))
				tcptw.tw_md5_key =
					static_cast<tcp_md5sig_key *>(kmemdup(key, sizeof(*key), GFP_ATOMIC));
		timeo = state == TCP_TIME_WAIT ? static_cast<int>(TCP_TIMEWAIT_LEN) : std::max(timeo, rto);

		// The timer is this cpu's: it must not fire before the socket is in its place.
		local_bh_disable();
		inet_twsk_schedule(*tw, timeo);
		inet_twsk_hashdance(*tw, sk, *net.ipv4.tcp_death_row.hashinfo);
		local_bh_enable();
	} else {
		NET_INC_STATS(net, LINUX_MIB_TCPTIMEWAITOVERFLOW);
	}
	tcp_update_metrics(sk);
	tcp_done(sk);
}

void tcp_twsk_destructor(inet_timewait_sock &tw)
{
	TRACE();
	if (tcp_md5sig_key *key = std::exchange(tcp_twsk(tw).tw_md5_key, nullptr))
		call_rcu(key->rcu, [](rcu_head *head) { kfree(&container_of(*head, &tcp_md5sig_key::rcu)); });
}

void tcp_openreq_init_rwin(request_sock &req, const sock &sk_listener, dst_entry *dst)
{
	TRACE(sk_listener);
	inet_request_sock &ireq = inet_rsk(req);
	const tcp_sock &tp = tcp_sk(sk_listener);
	int full_space = tcp_full_space(sk_listener);
	const u32 mss = tcp_mss_clamp(tp, dst_metric_advmss(*dst));

	req.rsk_window_clamp = tp.window_clamp ? tp.window_clamp : dst_metric(*dst, RTAX_WINDOW);
	// A receive buffer that the user set bounds the window too.
	if ((sk_listener.sk_userlocks & SOCK_RCVBUF_LOCK) &&
	    (req.rsk_window_clamp > static_cast<u32>(full_space) || !req.rsk_window_clamp))
		req.rsk_window_clamp = static_cast<u32>(full_space);
	const u32 rcv_wnd = dst_metric(*dst, RTAX_INITRWND);
	u8 rcv_wscale;

	tcp_select_initial_window(sk_listener, full_space,
	                          mss - (ireq.tstamp_ok ? TCPOLEN_TSTAMP_ALIGNED : 0u), req.rsk_rcv_wnd,
	                          req.rsk_window_clamp, ireq.wscale_ok, rcv_wscale, rcv_wnd);
	ireq.rcv_wscale = rcv_wscale & 0xf;
}

static void tcp_ecn_openreq_child(tcp_sock &tp, const request_sock &req)
{
	TRACE(tp);
	tp.ecn_flags = inet_rsk(req).ecn_ok ? TCP_ECN_OK : 0;
}

void tcp_ca_openreq_child(sock &sk, const dst_entry *)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	// No route names an algorithm here (RTAX_CC_ALGO): the listener's choice, else the namespace's.
	if (!icsk.icsk_ca_setsockopt)
		tcp_assign_congestion_control(sk);
	tcp_set_ca_state(sk, TCP_CA_Open);
}

// The child of a finished handshake, locked; what the SYN and the SYN+ACK agreed on is in the request.
sock *tcp_create_openreq_child(const sock &sk, request_sock &req, sk_buff &skb)
{
	TRACE(sk, skb);
	sock *newsk = inet_csk_clone_lock(sk, req, GFP_ATOMIC);
	if (!newsk)
		return nullptr;
	const tcp_request_sock &treq = tcp_rsk(req);
	tcp_sock &newtp = tcp_sk(*newsk);

	newtp.pred_flags = 0;
	newtp.rcv_wup = newtp.copied_seq = newtp.rcv_nxt = treq.rcv_isn + 1;
	newtp.segs_in = 1;
	newtp.snd_sml = newtp.snd_una = newtp.snd_nxt = newtp.snd_up = treq.snt_isn + 1;
	INIT_LIST_HEAD(newtp.tsq_node);
	INIT_LIST_HEAD(newtp.tsorted_sent_queue);
	newtp.snd_wl1 = treq.rcv_isn;
	minmax_reset(newtp.rtt_min, tcp_jiffies32(), ~0u);
	newtp.icsk_ack.lrcvtime = tcp_jiffies32();
	newtp.lsndtime = tcp_jiffies32();
	newsk->sk_txhash = treq.txhash;
	newtp.total_retrans = req.num_retrans;

	tcp_init_xmit_timers(*newsk);
	newtp.write_seq = newtp.pushed_seq = treq.snt_isn + 1;
	if (sock_flag(*newsk, SOCK_KEEPOPEN))
		inet_csk_reset_keepalive_timer(*newsk, keepalive_time_when(newtp));

	newtp.rx_opt.tstamp_ok = treq.tstamp_ok;
	newtp.rx_opt.sack_ok = treq.sack_ok;
	newtp.window_clamp = req.rsk_window_clamp;
	newtp.rcv_ssthresh = req.rsk_rcv_wnd;
	newtp.rcv_wnd = req.rsk_rcv_wnd;
	newtp.rx_opt.wscale_ok = treq.wscale_ok;
	if (treq.wscale_ok) {
		newtp.rx_opt.snd_wscale = treq.snd_wscale;
		newtp.rx_opt.rcv_wscale = treq.rcv_wscale;
	} else {
		newtp.rx_opt.snd_wscale = newtp.rx_opt.rcv_wscale = 0;
		newtp.window_clamp = std::min(newtp.window_clamp, 65535u);
	}
	newtp.snd_wnd = static_cast<u32>(ntohs(tcp_hdr(skb).window)) << newtp.rx_opt.snd_wscale;
	newtp.max_window = newtp.snd_wnd;
	if (newtp.rx_opt.tstamp_ok) {
		newtp.rx_opt.ts_recent = req.ts_recent;
		newtp.rx_opt.ts_recent_stamp = static_cast<int>(ktime_get_seconds());
		newtp.tcp_header_len = sizeof(tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	} else {
		newtp.rx_opt.ts_recent_stamp = 0;
		newtp.tcp_header_len = sizeof(tcphdr);
	}
	if (req.num_timeout) {
		newtp.undo_marker = treq.snt_isn;
		newtp.retrans_stamp = static_cast<u32>(treq.snt_synack / 1000);
	}
	newtp.tsoffset = treq.ts_off;
	newtp.md5sig_info = nullptr;
	if (current.host->features.openreq_child_md5 ? newtp.af_specific->md5_lookup(sk, *newsk)
	                                             : treq.af_specific->req_md5_lookup(sk, req_to_sk(req)))
		newtp.tcp_header_len = static_cast<u16>(newtp.tcp_header_len + TCPOLEN_MD5SIG_ALIGNED);
	if (skb.len >= TCP_MSS_DEFAULT + newtp.tcp_header_len)
		newtp.icsk_ack.last_seg_size = static_cast<u16>(skb.len - newtp.tcp_header_len);
	newtp.rx_opt.mss_clamp = req.mss;
	tcp_ecn_openreq_child(newtp, req);
	newtp.fastopen_rsk = nullptr;
	tcp_bpf_clone(sk, *newsk);
	TCP_INC_STATS(sock_net(sk), TCP_MIB_PASSIVEOPENS);
	return newsk;
}

// A segment for a request. Returns the child when the handshake is done; `sk` itself when the listener shall
// answer with a reset; null when the segment is dealt with. `req_stolen`: another cpu made the child
// meanwhile. With `fastopen`, the child was there with the SYN and is `sk`.
sock *tcp_check_req(sock &sk, sk_buff &skb, request_sock &req, bool fastopen, bool &req_stolen)
{
	TRACE(skb, sk);
	const tcphdr &th = tcp_hdr(skb);
	const tcp_skb_cb &cb = TCP_SKB_CB(skb);
	tcp_request_sock &treq = tcp_rsk(req);
	net &net = sock_net(sk);
	tcp_options_received tmp_opt;
	u8 flg = th.flags & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
	bool paws_reject = false;

	if (th.doff() > sizeof(tcphdr) / 4) {
		tcp_parse_options(net, skb, tmp_opt, false, nullptr);
		if (tmp_opt.saw_tstamp) {
			tmp_opt.ts_recent = req.ts_recent;
			if (tmp_opt.rcv_tsecr)
				tmp_opt.rcv_tsecr -= treq.ts_off;
			// When the stamp was taken is not stored; the request's age bounds it.
			tmp_opt.ts_recent_stamp =
				static_cast<int>(ktime_get_seconds() - reqsk_timeout(req, TCP_RTO_MAX) / HZ);
			paws_reject = tcp_paws_reject(tmp_opt, th.rst());
		}
	}

	if (cb.seq == treq.rcv_isn && flg == TCPHDR_SYN && !paws_reject) {
		// The SYN again: our SYN+ACK was lost.
		if (!tcp_oow_rate_limited(net, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, treq.last_oow_ack_time) &&
		    !inet_rtx_syn_ack(sk, req)) {
			const u32 expires = jiffies() + reqsk_timeout(req, TCP_RTO_MAX);

			if (!fastopen)
				mod_timer_pending(req.rsk_timer, expires);
			else
				req.rsk_timer.expires = expires;
		}
		return nullptr;
	}
	// An ACK of something that we never sent (RFC 9293, section 3.10.7.4).
	if ((flg & TCPHDR_ACK) && !(flg & TCPHDR_RST) && !fastopen && cb.ack_seq != treq.snt_isn + 1)
		return &sk;

	if (paws_reject || !tcp_in_window(cb.seq, cb.end_seq, treq.rcv_nxt, treq.rcv_nxt + req.rsk_rcv_wnd)) {
		if (!(flg & TCPHDR_RST) &&
		    !tcp_oow_rate_limited(net, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, treq.last_oow_ack_time))
			req.rsk_ops->send_ack(sk, skb, req);
		if (paws_reject)
			NET_INC_STATS(net, LINUX_MIB_PAWSESTABREJECTED);
		return nullptr;
	}
	if (cb.seq == treq.rcv_isn)
		flg &= static_cast<u8>(~TCPHDR_SYN);        // it lies before the window
	if ((flg & TCPHDR_RST) && cb.seq != treq.rcv_nxt) { // RFC 5961, section 3.2
		tcp_reqsk_send_challenge_ack(sk, skb, req);
		return nullptr;
	}

	const auto embryonic_reset = [&]() -> sock * {
		if (!(flg & TCPHDR_RST)) {
			req.rsk_ops->send_reset(&sk, skb);
		} else if (fastopen) {
			reqsk_fastopen_remove(sk, &req, true);
			tcp_reset(sk, &skb);
		}
		if (fastopen)
			return nullptr;
		const bool unlinked = inet_csk_reqsk_queue_drop(sk, req);
		if (unlinked)
			NET_INC_STATS(net, LINUX_MIB_EMBRYONICRSTS);
		req_stolen = !unlinked;
		return nullptr;
	};
	if (flg & (TCPHDR_RST | TCPHDR_SYN)) {
		TCP_INC_STATS(net, TCP_MIB_ATTEMPTFAILS);
		return embryonic_reset();
	}
	if (!(flg & TCPHDR_ACK))
		return nullptr;
	if (fastopen)
		return &sk;
	// TCP_DEFER_ACCEPT: a bare ACK is not enough.
	if (req.num_timeout < inet_csk(sk).icsk_accept_queue.rskq_defer_accept &&
	    cb.end_seq == treq.rcv_isn + 1) {
		treq.acked = 1;
		NET_INC_STATS(net, LINUX_MIB_TCPDEFERACCEPTDROP);
		return nullptr;
	}

	bool own_req = false;
	sock *child = inet_csk(sk).icsk_af_ops->syn_recv_sock(sk, skb, req, nullptr, &req, own_req, nullptr);
	if (!child) {
		if (net.ipv4.sysctl_tcp_abort_on_overflow)
			return embryonic_reset();
		treq.acked = 1; // the accept queue is full: let the peer's data come again
		return nullptr;
	}
	if (own_req && tmp_opt.saw_tstamp && !after(cb.seq, treq.rcv_nxt))
		tcp_sk(*child).rx_opt.ts_recent = tmp_opt.rcv_tsval;
	sock_rps_save_rxhash(*child, skb);
	tcp_synack_rtt_meas(*child, req);
	req_stolen = !own_req;
	return inet_csk_complete_hashdance(sk, *child, req, own_req);
}

// The child's first segment; it comes in locked and leaves unlocked and put. 1: answer with a reset, the skb
// is still there.
int tcp_child_process(sock &parent, sock &child, skb_ptr &skb)
{
	TRACE(child, skb);
	const u8 state = child.sk_state;
	int ret = 0;

	sk_mark_napi_id(child, *skb);
	tcp_segs_in(tcp_sk(child), *skb);
	if (!sock_owned_by_user(child)) {
		ret = tcp_rcv_state_process(child, skb);
		if (state == TCP_SYN_RECV && child.sk_state != state)
			parent.sk_data_ready(parent);
	} else {
		__sk_add_backlog(child, std::move(skb));
	}
	bh_unlock_sock(child);
	sock_put(child);
	return ret;
}

} // namespace skbwalk
