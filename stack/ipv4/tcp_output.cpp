// SPDX-License-Identifier: GPL-2.0-only
//
// TCP's way out (net/ipv4/tcp_output.c): one segment. __tcp_transmit_skb takes a headerless skb, clones it
// where the original stays in a queue, sizes the options, builds the header (tcp_select_window,
// tcp_options_write), has the checksum prepared and gives the segment to IP; then it notes what was sent for
// timers, rate samples and RACK. The rest of that file is cut by subject: tcp_output_options (options),
// _window, _mss, _fragment, _write (what may be sent when), _retransmit, _synack (opening), _ack (segments
// without data), _tsq (small queues). Left out: MPTCP, SMC, zero copy.
#include "stack/ipv4/tcp_output.h"

#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/tcp_bpf.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

void tcp_mstamp_refresh(tcp_sock &tp)
{
	TRACE(tp);
	const u64 val = tcp_clock_ns();

	tp.tcp_clock_cache = val;
	tp.tcp_mstamp = val / NSEC_PER_USEC;
}

// SND.NXT, unless the peer took its window back by more than scaling can round off: then the window's end.
seq32 tcp_acceptable_seq(const sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const seq32 end = tcp_wnd_end(tp);

	if (!before(end, tp.snd_nxt) ||
	    (tp.rx_opt.wscale_ok && tp.snd_nxt.v - end.v < 1u << tp.rx_opt.rcv_wscale))
		return tp.snd_nxt;
	return end;
}

// RFC 2861: after an idle time the window decays by half for each RTO, not below the initial window.
void tcp_cwnd_restart(sock &sk, s32 delta)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	u32 restart_cwnd = tcp_init_cwnd(tp, __sk_dst_get(sk));
	u32 cwnd = tcp_snd_cwnd(tp);

	tcp_ca_event_call(sk, CA_EVENT_CWND_RESTART);
	tp.snd_ssthresh = tcp_current_ssthresh(sk);
	restart_cwnd = std::min(restart_cwnd, cwnd);
	while ((delta -= static_cast<s32>(tp.icsk_rto)) > 0 && cwnd > restart_cwnd)
		cwnd >>= 1;
	tcp_snd_cwnd_set(tp, std::max(cwnd, restart_cwnd));
	tp.snd_cwnd_stamp = tcp_jiffies32();
	tp.snd_cwnd_used = 0;
}

static void tcp_event_data_sent(tcp_sock &tp, sock &sk)
{
	TRACE(sk);
	const u32 now = tcp_jiffies32();

	if (tcp_packets_in_flight(tp) == 0)
		tcp_ca_event_call(sk, CA_EVENT_TX_START);
	tp.lsndtime = now;
	// A reply so soon after data came: this is a dialogue.
	if (now - tp.icsk_ack.lrcvtime < tp.icsk_ack.ato)
		inet_csk_enter_pingpong_mode(sk);
}

static void tcp_event_ack_sent(sock &sk, seq32 rcv_nxt)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.compressed_ack) {
		NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPACKCOMPRESSED, tp.compressed_ack);
		tp.compressed_ack = 0;
		if (hrtimer_try_to_cancel(tp.compressed_ack_timer) == 1)
			__sock_put(sk);
	}
	if (rcv_nxt != tp.rcv_nxt)
		return; // an ACK for an earlier point, which DCTCP sends
	tcp_dec_quickack_mode(sk);
	inet_csk_clear_xmit_timer(sk, ICSK_TIME_DACK);
}

void tcp_ecn_send_synack(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_skb_cb &tcb = TCP_SKB_CB(skb);

	tcb.tcp_flags = static_cast<u8>(tcb.tcp_flags & ~TCPHDR_CWR);
	if (!(tcp_sk(sk).ecn_flags & TCP_ECN_OK))
		tcb.tcp_flags = static_cast<u8>(tcb.tcp_flags & ~TCPHDR_ECE);
	else if (tcp_ca_needs_ecn(sk) || tcp_bpf_ca_needs_ecn(sk))
		INET_ECN_xmit(sk);
}

void tcp_ecn_send_syn(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const bool ca_needs_ecn = tcp_ca_needs_ecn(sk) || tcp_bpf_ca_needs_ecn(sk);
	bool use_ecn = sock_net(sk).ipv4.sysctl_tcp_ecn == 1 || ca_needs_ecn;

	if (!use_ecn) {
		const dst_entry *dst = __sk_dst_get(sk);

		use_ecn = dst && dst_feature(*dst, RTAX_FEATURE_ECN);
	}
	tp.ecn_flags = 0;
	if (use_ecn) {
		TCP_SKB_CB(skb).tcp_flags |= TCPHDR_ECE | TCPHDR_CWR;
		tp.ecn_flags = TCP_ECN_OK;
		if (ca_needs_ecn)
			INET_ECN_xmit(sk);
	}
}

void tcp_ecn_clear_syn(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	u8 &flags = TCP_SKB_CB(skb).tcp_flags;

	if (sock_net(sk).ipv4.sysctl_tcp_ecn_fallback)
		flags = static_cast<u8>(flags & ~(TCPHDR_ECE | TCPHDR_CWR));
}

static void tcp_ecn_send(sock &sk, sk_buff &skb, tcphdr &th, u32 tcp_header_len)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (!(tp.ecn_flags & TCP_ECN_OK))
		return;
	if (skb.len != tcp_header_len && !before(TCP_SKB_CB(skb).seq, tp.snd_nxt)) {
		INET_ECN_xmit(sk); // new data is ECN-capable
		if (tp.ecn_flags & TCP_ECN_QUEUE_CWR) {
			tp.ecn_flags = static_cast<u8>(tp.ecn_flags & ~TCP_ECN_QUEUE_CWR);
			th.flags |= TCPHDR_CWR;
			skb_shinfo(skb).gso_type |= SKB_GSO_TCP_ECN;
		}
	} else if (!tcp_ca_needs_ecn(sk)) {
		INET_ECN_dontxmit(sk); // ACKs and retransmissions are not
	}
	if (tp.ecn_flags & TCP_ECN_DEMAND_CWR)
		th.flags |= TCPHDR_ECE;
}

// A segment without data: control bits, and the sequence space of a SYN or FIN.
void tcp_init_nondata_skb(sk_buff &skb, seq32 seq, u8 flags)
{
	TRACE(skb);
	skb.ip_summed = CHECKSUM_PARTIAL;
	TCP_SKB_CB(skb).tcp_flags = flags;
	tcp_skb_pcount_set(skb, 1);
	TCP_SKB_CB(skb).seq = seq;
	if (flags & (TCPHDR_SYN | TCPHDR_FIN))
		++seq;
	TCP_SKB_CB(skb).end_seq = seq;
}

void tcp_update_skb_after_send(sock &sk, sk_buff &skb, u64 prior_wstamp)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_pacing_status != SK_PACING_NONE) {
		const u64 rate = sk.sk_pacing_rate;

		// The first ten segments are not paced, as in sch_fq.
		if (rate != ~0ull && rate && tp.data_segs_out >= 10) {
			u64 len_ns = static_cast<u64>(skb.len) * NSEC_PER_SEC / rate;
			const u64 credit = tp.tcp_wstamp_ns - prior_wstamp;

			len_ns -= std::min(len_ns / 2, credit); // timers are late at times
			tp.tcp_wstamp_ns += len_ns;
		}
	}
	list_move_tail(skb.tcp_tsorted_anchor, tp.tsorted_sent_queue);
}

namespace {

// The urgent pointer is sixteen bits wide: it points, or says "further than I can point".
void set_urgent(tcphdr &th, const tcp_sock &tp, const tcp_skb_cb &tcb)
{
	if (!tcp_urg_mode(tp) || !before(tcb.seq, tp.snd_up))
		return;
	if (before(tp.snd_up, tcb.seq + 0x10000)) {
		th.urg_ptr = htons(static_cast<u16>(tp.snd_up.v - tcb.seq.v));
		th.flags |= TCPHDR_URG;
	} else if (after(tcb.seq + 0xffff, tp.snd_nxt)) {
		th.urg_ptr = htons(0xffff);
		th.flags |= TCPHDR_URG;
	}
}

} // namespace

int __tcp_transmit_skb(sock &sk, sk_buff *skb_in, int clone_it, gfp_t gfp_mask, seq32 rcv_nxt)
{
	TRACE(skb_in, sk);
	assert(skb_in && tcp_skb_pcount(*skb_in));
	tcp_sock &tp = tcp_sk(sk);
	inet_sock &inet = inet_sk(sk);
	const inet_connection_sock &icsk = inet_csk(sk);
	const u64 prior_wstamp = tp.tcp_wstamp_ns;
	sk_buff *oskb = nullptr;
	tcp_out_options opts;
	tcp_md5sig_key *md5 = nullptr;
	u32 tcp_options_size;
	skb_ptr skb;

	tp.tcp_wstamp_ns = std::max(tp.tcp_wstamp_ns, tp.tcp_clock_cache);
	skb_set_delivery_time(*skb_in, tp.tcp_wstamp_ns, true);
	if (clone_it) {
		oskb = skb_in;
		if (skb_cloned(*oskb))
			skb = pskb_copy(*oskb, gfp_mask);
		else
			skb = skb_clone(*oskb, gfp_mask);
		if (!skb)
			return -ENOBUFS;
		skb->dev = nullptr;
	} else {
		skb = skb_ptr(skb_in);
	}

	tcp_skb_cb tcb = TCP_SKB_CB(*skb);
	if (tcb.tcp_flags & TCPHDR_SYN) {
		tcp_options_size = tcp_syn_options(sk, *skb, opts, md5);
	} else {
		tcp_options_size = tcp_established_options(sk, skb.get(), opts, md5);
		// So that the peer's GRO gives a train of segments up at once.
		if (tcp_skb_pcount(*skb) > 1)
			tcb.tcp_flags |= TCPHDR_PSH;
	}
	const u32 tcp_header_size = tcp_options_size + static_cast<u32>(sizeof(tcphdr));

	// With nothing of the socket queued below, another transmit queue may be chosen.
	skb->ooo_okay = sk_wmem_alloc_get(sk) < static_cast<int>(SKB_TRUESIZE(1));
	skb_push(*skb, tcp_header_size);
	skb_reset_transport_header(*skb);

	skb_orphan(*skb);
	skb->sk = &sk;
	skb->destructor = skb_is_tcp_pure_ack(*skb) ? __sock_wfree : tcp_wfree;
	refcount_add(static_cast<int>(skb->truesize), sk.sk_wmem_alloc);
	skb->dst_pending_confirm = sk.sk_dst_pending_confirm != 0;

	tcphdr &th = *reinterpret_cast<tcphdr *>(skb->data);
	th.source = inet.inet_sport;
	th.dest = inet.inet_dport;
	th.seq = htonl(tcb.seq.v);
	th.ack_seq = htonl(rcv_nxt.v);
	th.doff_res = static_cast<u8>(tcp_header_size >> 2 << 4);
	th.flags = tcb.tcp_flags;
	th.check = {};
	th.urg_ptr = {};
	set_urgent(th, tp, tcb);

	const bool options_first = current.host->features.options_before_window;
	if (options_first)
		tcp_options_write(th, &tp, opts);
	skb_shinfo(*skb).gso_type = sk.sk_gso_type;
	if (!(tcb.tcp_flags & TCPHDR_SYN)) {
		th.window = htons(tcp_select_window(sk));
		tcp_ecn_send(sk, *skb, th, tcp_header_size);
	} else {
		// Never scaled in a SYN (RFC 7323).
		th.window = htons(static_cast<u16>(std::min(tp.rcv_wnd, 65535u)));
	}
	if (!options_first)
		tcp_options_write(th, &tp, opts);
	if (md5) {
		sk_gso_disable(sk);
		tp.af_specific->calc_md5_hash(opts.hash_location, *md5, &sk, *skb);
	}
	bpf_skops_write_hdr_opt(sk, *skb, nullptr, nullptr, TCP_SYNACK_NORMAL, opts);

	icsk.icsk_af_ops->send_check(sk, *skb);

	if (tcb.tcp_flags & TCPHDR_ACK)
		tcp_event_ack_sent(sk, rcv_nxt);
	const u32 pcount = static_cast<u32>(tcp_skb_pcount(*skb));
	if (skb->len != tcp_header_size) {
		tcp_event_data_sent(tp, sk);
		tp.data_segs_out += pcount;
		tp.bytes_sent += skb->len - tcp_header_size;
	}
	if (after(tcb.end_seq, tp.snd_nxt) || tcb.seq == tcb.end_seq)
		TCP_ADD_STATS(sock_net(sk), TCP_MIB_OUTSEGS, pcount);
	tp.segs_out += pcount;
	skb_set_hash_from_sk(*skb, sk);
	skb_shinfo(*skb).gso_segs = static_cast<u16>(pcount);
	skb_shinfo(*skb).gso_size = static_cast<u16>(tcp_skb_mss(*skb));

	std::memset(skb->cb, 0, sizeof(skb->cb)); // it is IP's from here
	tcp_add_tx_delay(*skb, tp);

	int err = icsk.icsk_af_ops->queue_xmit(sk, std::move(skb), inet.cork.fl);
	if (err > 0) {
		tcp_enter_cwr(sk);
		err = net_xmit_eval(err);
	}
	if (!err && oskb) {
		tcp_update_skb_after_send(sk, *oskb, prior_wstamp);
		tcp_rate_skb_sent(sk, *oskb);
	}
	return err;
}

int tcp_transmit_skb(sock &sk, sk_buff *skb, int clone_it, gfp_t gfp_mask)
{
	TRACE(skb, sk);
	return __tcp_transmit_skb(sk, skb, clone_it, gfp_mask, tcp_sk(sk).rcv_nxt);
}

void tcp_queue_skb(sock &sk, skb_ptr skb)
{
	TRACE(skb, sk);
	sk_buff &queued = *skb;

	tcp_sk(sk).write_seq = TCP_SKB_CB(queued).end_seq;
	__skb_header_release(queued);
	tcp_add_write_queue_tail(sk, std::move(skb));
	sk_wmem_queued_add(sk, static_cast<int>(queued.truesize));
	sk_mem_charge(sk, static_cast<int>(queued.truesize));
}

} // namespace skbwalk
