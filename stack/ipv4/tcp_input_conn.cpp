// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: how a connection begins. A SYN for a listener comes to tcp_conn_request:
// limits, a request with what the options say, a route, a sequence number, the SYN+ACK; or a cookie where the
// queue is full. A segment in SYN_SENT comes to tcp_rcv_synsent_state_process: the SYN+ACK makes the
// connection (tcp_finish_connect), a bare SYN is a simultaneous open. tcp_init_transfer sets up what an
// established connection needs. Left out: SMC, MPTCP, the log line of a SYN flood.

#include "stack/ipv4/tcp_input_private.h"
#include "stack/kernel/random.h"
#include "stack/security/security.h"

namespace skbwalk {

static void bpf_skops_established(sock &sk, [[maybe_unused]] int bpf_op, [[maybe_unused]] sk_buff *skb)
{
	TRACE(sk);
	assert(!cgroup_bpf_sock_ops(sk)); // no program to run
}

// --- the established state's set-up ---
void tcp_init_transfer(sock &sk, int bpf_op, sk_buff *skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	tcp_mtup_init(sk);
	tp.icsk_af_ops->rebuild_header(sk);
	tcp_init_metrics(sk);

	// RFC 6298, 5.7: a SYN or SYN+ACK was lost for sure, so begin with one segment.
	if (tp.total_retrans > 1 && tp.undo_marker.v)
		tcp_snd_cwnd_set(tp, 1);
	else
		tcp_snd_cwnd_set(tp, tcp_init_cwnd(tp, __sk_dst_get(sk)));
	tp.snd_cwnd_stamp = tcp_jiffies32();
	bpf_skops_established(sk, bpf_op, skb);
	if (!tp.icsk_ca_initialized)
		tcp_init_congestion_control(sk);
	tcp_init_buffer_space(sk);
}

u32 tcp_init_cwnd(const tcp_sock &tp, const dst_entry *dst)
{
	TRACE(tp);
	u32 cwnd = dst ? dst_metric(*dst, RTAX_INITCWND) : 0;

	if (!cwnd)
		cwnd = TCP_INIT_CWND;
	return std::min(cwnd, tp.snd_cwnd_clamp);
}

void tcp_finish_connect(sock &sk, sk_buff *skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	tcp_set_state(sk, TCP_ESTABLISHED);
	tp.icsk_ack.lrcvtime = tcp_jiffies32();
	if (skb) {
		tp.icsk_af_ops->sk_rx_dst_set(sk, *skb);
		security_inet_conn_established(sk, *skb);
		sk_mark_napi_id(sk, *skb);
	}
	if (current.host->features.conn_request_44) {
		tp.icsk_af_ops->rebuild_header(sk);
		tcp_init_metrics(sk);
		tcp_snd_cwnd_set(tp, tcp_init_cwnd(tp, __sk_dst_get(sk)));
		tcp_init_congestion_control(sk);
		tp.lsndtime = tcp_jiffies32();
		tcp_init_buffer_space(sk);
	} else {
		tcp_init_transfer(sk, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, skb);
		// So that the first data does not look like the first after a pause.
		tp.lsndtime = tcp_jiffies32();
	}
	if (sock_flag(sk, SOCK_KEEPOPEN))
		inet_csk_reset_keepalive_timer(sk, keepalive_time_when(tp));
	if (!tp.rx_opt.snd_wscale)
		__tcp_fast_path_on(tp, tp.snd_wnd);
	else
		tp.pred_flags = 0;
}

// --- SYN_SENT ---
static void tcp_ecn_rcv_synack(tcp_sock &tp, const tcphdr &th)
{
	TRACE(tp);
	if ((tp.ecn_flags & TCP_ECN_OK) && (!th.ece() || th.cwr()))
		tp.ecn_flags = static_cast<u8>(tp.ecn_flags & ~TCP_ECN_OK);
}

static void tcp_ecn_rcv_syn(tcp_sock &tp, const tcphdr &th)
{
	TRACE(tp);
	if ((tp.ecn_flags & TCP_ECN_OK) && (!th.ece() || !th.cwr()))
		tp.ecn_flags = static_cast<u8>(tp.ecn_flags & ~TCP_ECN_OK);
}

// What the SYN+ACK says about a fast open: the cookie is kept, refused data is sent again. True: data was
// refused.
static bool tcp_rcv_fastopen_synack(sock &sk, sk_buff &synack, tcp_fastopen_cookie &cookie)
{
	TRACE(sk, synack);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff *data = tp.syn_data ? tcp_rtx_queue_head(sk) : nullptr;
	u16 mss = tp.rx_opt.mss_clamp, try_exp = 0;
	bool syn_drop = false;

	if (mss == tp.rx_opt.user_mss) {
		tcp_options_received opt; // what the peer really said

		tcp_parse_options(sock_net(sk), synack, opt, false, nullptr);
		mss = opt.mss_clamp;
	}
	if (!tp.syn_fastopen) {
		cookie.len = -1; // we asked for none
	} else if (tp.total_retrans) {
		// The SYN with the option was lost: something on the path may drop them.
		syn_drop = cookie.len < 0 && data;
	} else if (cookie.len < 0 && !tp.syn_data) {
		try_exp = tp.syn_fastopen_exp ? 2 : 1; // the other option next time
	}
	tcp_fastopen_cache_set(sk, mss, &cookie, syn_drop, try_exp);
	if (data) {
		tp.fastopen_client_fail = (tp.total_retrans ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED) & 3;
		for (; data; data = skb_rb_next(sk.tcp_rtx_queue, *data))
			tcp_mark_skb_lost(sk, *data);
		tcp_non_congestion_loss_retransmit(sk);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPFASTOPENACTIVEFAIL);
		return true;
	}
	tp.syn_data_acked = tp.syn_data;
	if (tp.syn_data_acked) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPFASTOPENACTIVE);
		if (tp.delivered > 1) // SYN and data count for one
			--tp.delivered;
	}
	tcp_fastopen_add_skb(sk, synack);
	return false;
}

// The echo is that of the first SYN: its retransmission was in vain.
void tcp_try_undo_spurious_syn(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 syn_stamp = tp.retrans_stamp;

	if (tp.undo_marker.v && syn_stamp && tp.rx_opt.saw_tstamp && syn_stamp == tp.rx_opt.rcv_tsecr)
		tp.undo_marker = seq32(0);
}

namespace {

void remember_timestamp_option(tcp_sock &tp)
{
	if (tp.rx_opt.saw_tstamp) {
		tp.rx_opt.tstamp_ok = 1;
		tp.tcp_header_len = sizeof(tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	} else {
		tp.tcp_header_len = sizeof(tcphdr);
	}
}

} // namespace

// 0: taken. 1: answer with a reset. -1: connected, look for urgent data and send what waits.
int tcp_rcv_synsent_state_process(sock &sk, skb_ptr &skb, const tcphdr &th)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_fastopen_cookie foc;
	const u16 saved_clamp = tp.rx_opt.mss_clamp;
	const tcp_skb_cb &cb = TCP_SKB_CB(*skb);
	const auto undo_options = [&] {
		tcp_clear_options(tp.rx_opt);
		tp.rx_opt.mss_clamp = saved_clamp;
	};
	const auto reset_and_undo = [&] {
		undo_options();
		return 1;
	};
	const auto discard_and_undo = [&](skb_drop_reason reason) {
		undo_options();
		tcp_drop_reason(sk, std::move(skb), reason);
		return 0;
	};
	const auto consume = [&] {
		__kfree_skb(std::move(skb));
		return 0;
	};

	tcp_parse_options(sock_net(sk), *skb, tp.rx_opt, false, &foc);
	if (tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr)
		tp.rx_opt.rcv_tsecr -= tp.tsoffset;

	if (th.ack()) {
		// RFC 9293, 3.10.7.3, step 1. The SYN of an earlier life: ours soon goes out again.
		if (!after(cb.ack_seq, tp.snd_una) || after(cb.ack_seq, tp.snd_nxt)) {
			if (tp.icsk_retransmits == 0)
				inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_TIMEOUT_MIN,
				                          TCP_RTO_MAX);
			return reset_and_undo();
		}
		if (tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr &&
		    !between(seq32(tp.rx_opt.rcv_tsecr), seq32(tp.retrans_stamp),
		             seq32(tcp_time_stamp(tp)))) {
			NET_INC_STATS(sock_net(sk), LINUX_MIB_PAWSACTIVEREJECTED);
			return reset_and_undo();
		}
		if (th.rst()) {
			tcp_reset(sk, skb.get());
			return consume();
		}
		if (!th.syn())
			return discard_and_undo(SKB_DROP_REASON_TCP_FLAGS);

		tcp_ecn_rcv_synack(tp, th);
		tcp_init_wl(tp, cb.seq);
		tcp_try_undo_spurious_syn(sk);
		tcp_ack(sk, *skb, FLAG_SLOWPATH);

		// The connection is there: its numbers.
		tp.rcv_nxt = cb.seq + 1;
		tp.rcv_wup = cb.seq + 1;
		tp.snd_wnd = ntohs(th.window); // a SYN's window is never scaled
		if (!tp.rx_opt.wscale_ok) {
			tp.rx_opt.snd_wscale = 0;
			tp.rx_opt.rcv_wscale = 0;
			tp.window_clamp = std::min(tp.window_clamp, 65535u);
		}
		remember_timestamp_option(tp);
		if (tp.rx_opt.saw_tstamp) {
			tp.advmss = static_cast<u16>(tp.advmss - TCPOLEN_TSTAMP_ALIGNED);
			tcp_store_ts_recent(tp);
		}
		if (current.host->features.conn_request_44)
			tcp_mtup_init(sk);
		tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
		tcp_initialize_rcv_mss(sk);
		tp.copied_seq = tp.rcv_nxt;
		tcp_finish_connect(sk, skb.get());

		const bool fastopen_fail =
			(tp.syn_fastopen || tp.syn_data) && tcp_rcv_fastopen_synack(sk, *skb, foc);

		if (!sock_flag(sk, SOCK_DEAD)) {
			sk.sk_state_change(sk);
			sk_wake_async(sk, SOCK_WAKE_IO, 2 /* POLL_OUT */);
		}
		if (fastopen_fail)
			return -1;
		if (sk.sk_write_pending || tp.icsk_accept_queue.rskq_defer_accept ||
		    inet_csk_in_pingpong_mode(sk)) {
			// Data will follow at once, or soon: the ACK can go with it.
			inet_csk_schedule_ack(sk);
			tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
			inet_csk_reset_xmit_timer(sk, ICSK_TIME_DACK, TCP_DELACK_MAX, TCP_RTO_MAX);
			return consume();
		}
		tcp_send_ack(sk);
		return -1;
	}

	// Without ACK: a reset does not count, ...
	if (th.rst())
		return discard_and_undo(SKB_DROP_REASON_TCP_RESET);
	if (tp.rx_opt.ts_recent_stamp && tp.rx_opt.saw_tstamp && tcp_paws_reject(tp.rx_opt, 0))
		return discard_and_undo(SKB_DROP_REASON_TCP_RFC7323_PAWS);
	if (!th.syn())
		return discard_and_undo(SKB_DROP_REASON_TCP_FLAGS);

	// ... a SYN is a simultaneous open.
	tcp_set_state(sk, TCP_SYN_RECV);
	remember_timestamp_option(tp);
	if (tp.rx_opt.saw_tstamp)
		tcp_store_ts_recent(tp);
	tp.rcv_nxt = cb.seq + 1;
	tp.copied_seq = tp.rcv_nxt;
	tp.rcv_wup = cb.seq + 1;
	tp.snd_wnd = ntohs(th.window);
	tp.snd_wl1 = cb.seq;
	tp.max_window = tp.snd_wnd;
	tcp_ecn_rcv_syn(tp, th);
	tcp_mtup_init(sk);
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
	tcp_initialize_rcv_mss(sk);
	tcp_send_synack(sk);
	return consume();
}

// A fast open's child got its ACK.
void tcp_rcv_synrecv_state_fastopen(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	// A timeout of the SYN+ACK alone is undone here: there is no data whose ACK would do it.
	if (tp.icsk_ca_state == TCP_CA_Loss && !tp.packets_out)
		tcp_try_undo_recovery(sk);
	tp.retrans_stamp = 0;
	tp.icsk_retransmits = 0;
	reqsk_fastopen_remove(sk, tp.fastopen_rsk, false);
	// Until now the timer was the SYN+ACK's.
	tcp_rearm_rto(sk);
}

// --- LISTEN ---
// RFC 3168: ECN is accepted of a SYN with ECE and CWR, unless the IP header carries ECT, which a SYN must
// not.
static void tcp_ecn_create_request(request_sock &req, const sk_buff &skb, const sock &listen_sk,
                                   const dst_entry &dst)
{
	TRACE(listen_sk, skb);
	const tcphdr &th = tcp_hdr(skb);

	if (!th.ece() || !th.cwr())
		return;
	const bool ect = !INET_ECN_is_not_ect(TCP_SKB_CB(skb).ip_dsfield);
	const bool ecn_ok = sock_net(listen_sk).ipv4.sysctl_tcp_ecn || dst_feature(dst, RTAX_FEATURE_ECN);
	const bool res1 = th.doff_res & 1; // accurate ECN

	if (((!ect || res1) && ecn_ok) || tcp_ca_needs_ecn(listen_sk) || tcp_bpf_ca_needs_ecn(listen_sk))
		inet_rsk(req).ecn_ok = 1;
}

static void tcp_openreq_init(request_sock &req, const tcp_options_received &rx_opt, const sk_buff &skb,
                             const sock &sk)
{
	TRACE(sk, skb);
	tcp_request_sock &treq = tcp_rsk(req);
	const tcphdr &th = tcp_hdr(skb);

	req.rsk_rcv_wnd = 0; // filled by tcp_openreq_init_rwin
	treq.rcv_isn = TCP_SKB_CB(skb).seq;
	treq.rcv_nxt = TCP_SKB_CB(skb).seq + 1;
	treq.snt_synack = 0;
	treq.last_oow_ack_time = 0;
	req.mss = rx_opt.mss_clamp;
	req.ts_recent = rx_opt.saw_tstamp ? rx_opt.rcv_tsval : 0;
	treq.tstamp_ok = rx_opt.tstamp_ok;
	treq.sack_ok = rx_opt.sack_ok & 1;
	treq.snd_wscale = rx_opt.snd_wscale;
	treq.wscale_ok = rx_opt.wscale_ok;
	treq.acked = 0;
	treq.ecn_ok = 0;
	treq.ir_rmt_port = th.source;
	treq.ir_num = ntohs(th.dest);
	treq.ir_mark = inet_request_mark(sk, skb);
}

request_sock *inet_reqsk_alloc(const request_sock_ops &ops, sock &sk_listener, bool attach_listener)
{
	TRACE(sk_listener);
	request_sock *req = reqsk_alloc(*sk_listener.skc_prot, ops, &sk_listener, attach_listener);

	if (req) {
		inet_rsk(*req).ireq_opt = nullptr;
		req->skc_cookie = 0;
		req->skc_state = TCP_NEW_SYN_RECV;
		req->skc_net = &sock_net(sk_listener);
		req->skc_family = sk_listener.skc_family;
		req->timeout = TCP_TIMEOUT_INIT;
	}
	return req;
}

// The queue is full: true when a cookie is to be sent rather than nothing.
static bool tcp_syn_flood_action(const sock &sk)
{
	TRACE(sk);
	auto &queue = const_cast<inet_connection_sock &>(inet_csk(sk)).icsk_accept_queue;
	const int syncookies = sock_net(sk).ipv4.sysctl_tcp_syncookies;

	__NET_INC_STATS(sock_net(sk),
	                syncookies ? LINUX_MIB_TCPREQQFULLDOCOOKIES : LINUX_MIB_TCPREQQFULLDROP);
	if (!queue.synflood_warned && syncookies != 2)
		queue.synflood_warned = 1;
	return syncookies;
}

// TCP_SAVE_SYN: the headers of the SYN are kept for who accepts.
static void tcp_reqsk_record_syn(const sock &sk, request_sock &req, const sk_buff &skb)
{
	TRACE(sk, skb);
	const u8 save_syn = tcp_sk(sk).save_syn;

	if (!save_syn)
		return;
	u32 len = skb_network_header_len(skb) + tcp_hdrlen(skb);
	u32 mac_hdrlen = 0;
	const u8 *base = skb_network_header(skb);

	if (save_syn == 2) { // from the link's header on
		base = skb_mac_header(skb);
		mac_hdrlen = static_cast<u32>(skb_network_header(skb) - base);
		len += mac_hdrlen;
	}
	req.saved_syn_ptr = new saved_syn{mac_hdrlen, skb_network_header_len(skb), tcp_hdrlen(skb),
	                                  std::vector<u8>(base, base + len)};
}

// A listener got an ACK without a request where cookies are sent: the segment size that its SYN carried. 0:
// no cookies.
u16 tcp_get_syncookie_mss(const request_sock_ops &, const tcp_request_sock_ops &af_ops, sock &sk, tcphdr &th)
{
	TRACE(sk);
	if (sock_net(sk).ipv4.sysctl_tcp_syncookies != 2 && !inet_csk_reqsk_queue_is_full(sk))
		return 0;
	if (!tcp_syn_flood_action(sk))
		return 0;
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_LISTENOVERFLOWS);
		return 0;
	}
	const u16 mss = tcp_parse_mss_option(th, tcp_sk(sk).rx_opt.user_mss);

	return mss ? mss : af_ops.mss_clamp;
}

int tcp_conn_request(const request_sock_ops &rsk_ops, const tcp_request_sock_ops &af_ops, sock &sk,
                     skb_ptr &skb)
{
	TRACE(sk, skb);
	tcp_fastopen_cookie foc;
	u32 isn = TCP_SKB_CB(*skb).tcp_tw_isn;
	tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);
	const profile_features &features = current.host->features;
	const int syncookies = net.ipv4.sysctl_tcp_syncookies;
	bool want_cookie = false;
	const auto drop = [&sk] {
		tcp_listendrop(sk);
		return 0;
	};

	// A TIME_WAIT socket that gave way (isn) has proved the peer's address already.
	if ((syncookies == 2 || inet_csk_reqsk_queue_is_full(sk)) && !isn) {
		want_cookie = tcp_syn_flood_action(sk);
		if (!want_cookie)
			return drop();
	}
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(net, LINUX_MIB_LISTENOVERFLOWS);
		return drop();
	}
	request_sock *reqp = inet_reqsk_alloc(rsk_ops, sk, !want_cookie);

	if (!reqp)
		return drop();
	request_sock &req = *reqp;
	tcp_request_sock &treq = tcp_rsk(req);
	const auto drop_and_free = [&] {
		__reqsk_free(req);
		return drop();
	};

	req.syncookie = want_cookie;
	treq.af_specific = &af_ops;
	treq.ts_off = 0;

	tcp_options_received tmp_opt;

	tmp_opt.mss_clamp = af_ops.mss_clamp;
	tmp_opt.user_mss = tp.rx_opt.user_mss;
	tcp_parse_options(net, *skb, tmp_opt, false, want_cookie ? nullptr : &foc);
	// A cookie keeps its options in the time stamp only.
	if (want_cookie && !tmp_opt.saw_tstamp)
		tcp_clear_options(tmp_opt);
	tmp_opt.tstamp_ok = tmp_opt.saw_tstamp;
	tcp_openreq_init(req, tmp_opt, *skb, sk);
	treq.no_srccheck = inet_sk(sk).transparent;
	treq.ir_iif = inet_request_bound_dev_if(sk, *skb);

	flowi4 fl{};
	dst_entry *dst = nullptr;
	tcp_seq_and_ts_off st{};

	if (features.conn_request_44) {
		// linux-4.4: addresses, sequence number, route; no time stamp offset.
		af_ops.init_req(req, sk, *skb);
		if (!want_cookie && !isn)
			st.seq = af_ops.init_seq(*skb);
		dst = af_ops.route_req(sk, *skb, fl, req);
		if (!dst)
			return drop_and_free();
	} else {
		dst = af_ops.route_req(sk, *skb, fl, req);
		if (!dst)
			return drop_and_free();
		if (features.split_seq_and_ts_off) {
			if (tmp_opt.tstamp_ok)
				st.ts_off = af_ops.init_ts_off(net, *skb);
			if (!want_cookie && !isn)
				st.seq = af_ops.init_seq(*skb);
		} else if (tmp_opt.tstamp_ok || (!want_cookie && !isn)) {
			st = af_ops.init_seq_and_ts_off(net, *skb);
		}
	}
	if (tmp_opt.tstamp_ok)
		treq.ts_off = st.ts_off;
	if (!want_cookie && !isn) {
		const int max_syn_backlog = net.ipv4.sysctl_max_syn_backlog;

		// Without cookies, the last quarter of the queue is for peers that are known.
		if (!syncookies && max_syn_backlog - inet_csk_reqsk_queue_len(sk) < (max_syn_backlog >> 2) &&
		    !tcp_peer_is_proven(req, dst)) {
			dst_release(dst);
			return drop_and_free();
		}
		isn = st.seq;
	}
	tcp_ecn_create_request(req, *skb, sk, *dst);
	if (want_cookie) {
		isn = cookie_init_sequence(af_ops, sk, *skb, req.mss);
		if (!tmp_opt.tstamp_ok)
			treq.ecn_ok = 0;
	}
	treq.snt_isn = seq32(isn);
	treq.txhash = net_tx_rndhash();
	treq.syn_tos = TCP_SKB_CB(*skb).ip_dsfield;
	tcp_openreq_init_rwin(req, sk, dst);

	sock *fastopen_sk = nullptr;

	if (!want_cookie) {
		tcp_reqsk_record_syn(sk, req, *skb);
		fastopen_sk = tcp_try_fastopen(sk, *skb, req, foc, dst);
	}
	if (fastopen_sk) {
		af_ops.send_synack(*fastopen_sk, dst, fl, req, &foc, TCP_SYNACK_FASTOPEN, skb.get());
		// The child can be accepted before the handshake's end.
		if (!inet_csk_reqsk_queue_add(sk, req, *fastopen_sk)) {
			bh_unlock_sock(*fastopen_sk);
			sock_put(*fastopen_sk);
			reqsk_put(req);
			return drop();
		}
		sk.sk_data_ready(sk);
		bh_unlock_sock(*fastopen_sk);
		sock_put(*fastopen_sk);
	} else {
		treq.tfo_listener = false;
		if (!want_cookie) {
			req.timeout = tcp_timeout_init(sk);
			if (!inet_csk_reqsk_queue_hash_add(sk, req, req.timeout)) {
				reqsk_free(req);
				dst_release(dst);
				return 0;
			}
		}
		af_ops.send_synack(sk, dst, fl, req, &foc,
		                   want_cookie ? TCP_SYNACK_COOKIE : TCP_SYNACK_NORMAL, skb.get());
		if (want_cookie) {
			reqsk_free(req);
			return 0;
		}
	}
	reqsk_put(req);
	return 0;
}

} // namespace skbwalk
