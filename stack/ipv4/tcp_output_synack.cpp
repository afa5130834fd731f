// SPDX-License-Identifier: GPL-2.0-only
//
// Opening segments (net/ipv4/tcp_output.c). tcp_connect sets a socket up for a SYN (tcp_connect_init), queues
// it and sends it; tcp_make_synack builds the answer for a request, which has no socket yet; tcp_send_synack
// answers a SYN that crossed ours. With a Fast Open cookie in hand, tcp_send_syn_data sends the first data
// along with the SYN.
#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

int tcp_send_synack(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff *skb = tcp_rtx_queue_head(sk);

	if (!skb || !(TCP_SKB_CB(*skb).tcp_flags & TCPHDR_SYN))
		return -EFAULT;
	if (!(TCP_SKB_CB(*skb).tcp_flags & TCPHDR_ACK)) {
		if (skb_cloned(*skb)) {
			skb_ptr owned = skb_copy(*skb, GFP_ATOMIC);

			if (!owned)
				return -ENOMEM;
			sk_buff &nskb = *owned;
			INIT_LIST_HEAD(nskb.tcp_tsorted_anchor);
			if (skb == tp.retransmit_skb_hint)
				tp.retransmit_skb_hint = &nskb;
			tcp_highest_sack_replace(sk, skb, &nskb);
			tcp_rtx_queue_unlink_and_free(*skb, sk);
			__skb_header_release(nskb);
			tcp_rbtree_insert(sk.tcp_rtx_queue, std::move(owned));
			sk_wmem_queued_add(sk, static_cast<int>(nskb.truesize));
			sk_mem_charge(sk, static_cast<int>(nskb.truesize));
			skb = &nskb;
		}
		TCP_SKB_CB(*skb).tcp_flags |= TCPHDR_ACK;
		tcp_ecn_send_synack(sk, *skb);
	}
	return tcp_transmit_skb(sk, skb, 1, GFP_ATOMIC);
}

static void tcp_ecn_make_synack(const request_sock &req, tcphdr &th)
{
	TRACE();
	if (inet_rsk(req).ecn_ok)
		th.flags |= TCPHDR_ECE;
}

// sk is the listener and is not locked; dst is consumed.
skb_ptr tcp_make_synack(const sock &sk, dst_entry *dst, request_sock &req, tcp_fastopen_cookie *foc,
                        int synack_type, sk_buff *syn_skb)
{
	TRACE(sk);
	const inet_request_sock &ireq = inet_rsk(req);
	tcp_request_sock &treq = tcp_rsk(req);
	const tcp_sock &tp = tcp_sk(sk);
	tcp_out_options opts;
	skb_ptr skb = alloc_skb(MAX_TCP_HEADER, GFP_ATOMIC);

	if (!skb) {
		dst_release(dst);
		return nullptr;
	}
	skb_reserve(*skb, MAX_TCP_HEADER);
	switch (synack_type) {
	case TCP_SYNACK_NORMAL:
		skb_set_owner_w(*skb, req_to_sk(req));
		break;
	case TCP_SYNACK_COOKIE: // nobody's: the request does not live on
		break;
	case TCP_SYNACK_FASTOPEN:
		skb_set_owner_w(*skb, const_cast<sock &>(sk)); // only its atomic count is written
		break;
	}
	skb_dst_set(*skb, dst);
	const u16 mss = tcp_mss_clamp(tp, tcp_dst_advmss(*dst));

	const u64 now = tcp_clock_ns();
	if (synack_type == TCP_SYNACK_COOKIE && ireq.tstamp_ok) {
		skb_set_delivery_time(*skb, cookie_init_timestamp(req, now), true);
	} else {
		skb_set_delivery_time(*skb, now, true);
		if (!treq.snt_synack)
			treq.snt_synack = tcp_skb_timestamp_us(*skb);
	}
	const tcp_md5sig_key *md5 = treq.af_specific->req_md5_lookup(sk, req_to_sk(req));
	skb->hash = treq.txhash;
	skb->l4_hash = 1;
	skb->sw_hash = 0;
	TCP_SKB_CB(*skb).tcp_flags = TCPHDR_SYN | TCPHDR_ACK;
	const u32 tcp_header_size =
		tcp_synack_options(sk, req, mss, *skb, opts, md5, foc, synack_type, syn_skb) +
		static_cast<u32>(sizeof(tcphdr));

	skb_push(*skb, tcp_header_size);
	skb_reset_transport_header(*skb);

	tcphdr &th = *reinterpret_cast<tcphdr *>(skb->data);
	th = {};
	th.flags = TCPHDR_SYN | TCPHDR_ACK;
	tcp_ecn_make_synack(req, th);
	th.source = htons(ireq.ir_num);
	th.dest = ireq.ir_rmt_port;
	skb->mark = ireq.ir_mark;
	skb->ip_summed = CHECKSUM_PARTIAL;
	th.seq = htonl(treq.snt_isn.v);
	th.ack_seq = htonl(treq.rcv_nxt.v);
	th.window = htons(static_cast<u16>(std::min(req.rsk_rcv_wnd, 65535u)));
	tcp_options_write(th, nullptr, opts);
	th.doff_res = static_cast<u8>(tcp_header_size >> 2 << 4);
	TCP_INC_STATS(sock_net(sk), TCP_MIB_OUTSEGS);
	if (md5)
		treq.af_specific->calc_md5_hash(opts.hash_location, *md5, &req_to_sk(req), *skb);
	bpf_skops_write_hdr_opt(sk, *skb, &req, syn_skb, synack_type, opts);
	skb_set_delivery_time(*skb, now, true);
	tcp_add_tx_delay(*skb, tp);
	return skb;
}

// A route may ask for a congestion control of its own.
static void tcp_ca_dst_init(sock &sk, const dst_entry &dst)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);
	const u32 ca_key = dst_metric(dst, RTAX_CC_ALGO);

	if (ca_key == TCP_CA_UNSPEC)
		return;
	if (const tcp_congestion_ops *ca = tcp_ca_find_key(ca_key)) {
		icsk.icsk_ca_dst_locked = dst_metric_locked(dst, RTAX_CC_ALGO);
		icsk.icsk_ca_ops = ca;
	}
}

// All that does not depend on the address family.
static void tcp_connect_init(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	const dst_entry &dst = *__sk_dst_get(sk);
	u8 rcv_wscale;

	tp.tcp_header_len = sizeof(tcphdr);
	if (ipv4.sysctl_tcp_timestamps)
		tp.tcp_header_len += TCPOLEN_TSTAMP_ALIGNED;
	if (tcp_sk(sk).af_specific->md5_lookup(sk, sk))
		tp.tcp_header_len += TCPOLEN_MD5SIG_ALIGNED;
	if (tp.rx_opt.user_mss)
		tp.rx_opt.mss_clamp = tp.rx_opt.user_mss;
	tp.max_window = 0;
	tcp_mtup_init(sk);
	tcp_sync_mss(sk, dst_mtu(dst));
	tcp_ca_dst_init(sk, dst);
	if (!tp.window_clamp)
		tp.window_clamp = dst_metric(dst, RTAX_WINDOW);
	tp.advmss = tcp_mss_clamp(tp, tcp_dst_advmss(dst));
	tcp_initialize_rcv_mss(sk);

	// A buffer that the user made small bounds the window.
	if ((sk.sk_userlocks & SOCK_RCVBUF_LOCK) &&
	    (tp.window_clamp > static_cast<u32>(tcp_full_space(sk)) || tp.window_clamp == 0))
		tp.window_clamp = static_cast<u32>(tcp_full_space(sk));
	u32 rcv_wnd = tcp_rwnd_init_bpf(sk);
	if (rcv_wnd == 0)
		rcv_wnd = dst_metric(dst, RTAX_INITRWND);
	const u32 options_len =
		tp.rx_opt.ts_recent_stamp ? tp.tcp_header_len - static_cast<u32>(sizeof(tcphdr)) : 0;
	tcp_select_initial_window(sk, tcp_full_space(sk), tp.advmss - options_len, tp.rcv_wnd,
	                          tp.window_clamp, ipv4.sysctl_tcp_window_scaling, rcv_wscale, rcv_wnd);
	tp.rx_opt.rcv_wscale = rcv_wscale & 0xf;
	tp.rcv_ssthresh = tp.rcv_wnd;

	sk.sk_err = 0;
	sock_reset_flag(sk, SOCK_DONE);
	tp.snd_wnd = 0;
	tcp_init_wl(tp, seq32(0));
	tcp_write_queue_purge(sk);
	tp.snd_una = tp.snd_sml = tp.snd_up = tp.snd_nxt = tp.write_seq;
	if (!tp.repair)
		tp.rcv_nxt = seq32(0);
	else
		tp.rcv_tstamp = tcp_jiffies32();
	tp.rcv_wup = tp.copied_seq = tp.rcv_nxt;
	tp.icsk_rto = tcp_timeout_init(sk);
	tp.icsk_retransmits = 0;
	tcp_clear_retrans(tp);
}

static void tcp_connect_queue_skb(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &tcb = TCP_SKB_CB(skb);

	tcb.end_seq += skb.len;
	__skb_header_release(skb);
	sk_wmem_queued_add(sk, static_cast<int>(skb.truesize));
	sk_mem_charge(sk, static_cast<int>(skb.truesize));
	tp.write_seq = tcb.end_seq;
	tp.packets_out += static_cast<u32>(tcp_skb_pcount(skb));
}

namespace {

// The data that goes with the SYN, as a SYN of its own. Null: there is no cookie, or no memory.
skb_ptr make_syn_data(sock &sk, const sk_buff &syn)
{
	tcp_sock &tp = tcp_sk(sk);
	tcp_fastopen_request &fo = *tp.fastopen_req;
	u16 mss_clamp = tp.advmss;

	const bool cookie = tcp_fastopen_cookie_check(sk, mss_clamp, fo.cookie);
	tp.rx_opt.mss_clamp = mss_clamp;
	if (!cookie)
		return nullptr;
	tp.rx_opt.mss_clamp = tcp_mss_clamp(tp, tp.rx_opt.mss_clamp);
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);

	// Less all options, for middleboxes that add some.
	std::size_t space =
		static_cast<std::size_t>(__tcp_mtu_to_mss(sk, static_cast<int>(tp.icsk_pmtu_cookie))) -
		MAX_TCP_OPTION_SPACE;
	space = std::min({space, fo.size, static_cast<std::size_t>(SKB_MAX_ORDER_0(MAX_TCP_HEADER))});
	skb_ptr syn_data = tcp_stream_alloc_skb(sk, static_cast<int>(space), sk.sk_allocation, false);
	if (!syn_data)
		return nullptr;
	std::memcpy(syn_data->cb, syn.cb, sizeof(syn.cb));
	if (space) {
		const std::size_t copied = _copy_from_iter(skb_put(*syn_data, static_cast<u32>(space)), space,
		                                           fo.data->msg_iter);

		if (!copied) {
			kfree_skb(std::move(syn_data));
			return nullptr;
		}
		if (copied != space)
			skb_trim(*syn_data, static_cast<u32>(copied));
		space = copied;
	}
	if (space == fo.size)
		fo.data = nullptr; // inet_wait_for_connect has nothing left to send
	fo.copied = static_cast<int>(space);
	return syn_data;
}

} // namespace

static int tcp_send_syn_data(sock &sk, sk_buff &syn)
{
	TRACE(sk, syn);
	tcp_sock &tp = tcp_sk(sk);
	tcp_fastopen_request &fo = *tp.fastopen_req;
	int err;

	if (skb_ptr owned = make_syn_data(sk, syn)) {
		sk_buff &syn_data = *owned;

		tcp_connect_queue_skb(sk, syn_data);
		if (syn_data.len)
			tcp_chrono_start(sk, TCP_CHRONO_BUSY);
		err = tcp_transmit_skb(sk, &syn_data, 1, sk.sk_allocation);
		skb_set_delivery_time(syn, syn_data.tstamp, true);
		// In the queue it is data only: the SYN stands there by itself.
		++TCP_SKB_CB(syn_data).seq;
		TCP_SKB_CB(syn_data).tcp_flags = TCPHDR_ACK | TCPHDR_PSH;
		if (!err) {
			tp.syn_data = fo.copied > 0;
			tcp_rbtree_insert(sk.tcp_rtx_queue, std::move(owned));
			NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPORIGDATASENT);
			fo.cookie.len = -1;
			return 0;
		}
		__skb_queue_tail(sk.sk_write_queue, std::move(owned));
		tp.packets_out -= static_cast<u32>(tcp_skb_pcount(syn_data));
	}
	// A plain SYN that asks for a cookie.
	if (fo.cookie.len > 0)
		fo.cookie.len = 0;
	err = tcp_transmit_skb(sk, &syn, 1, sk.sk_allocation);
	if (err)
		tp.syn_fastopen = 0;
	fo.cookie.len = -1; // not again when the SYN is repeated
	return err;
}

int tcp_connect(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_call_bpf(sk, BPF_SOCK_OPS_TCP_CONNECT_CB);
	if (tp.icsk_af_ops->rebuild_header(sk))
		return -EHOSTUNREACH;
	tcp_connect_init(sk);
	if (tp.repair) {
		tcp_finish_connect(sk, nullptr);
		return 0;
	}
	skb_ptr owned = tcp_stream_alloc_skb(sk, 0, sk.sk_allocation, true);
	if (!owned)
		return -ENOBUFS;
	sk_buff &buff = *owned;

	tcp_init_nondata_skb(buff, tp.write_seq++, TCPHDR_SYN);
	tcp_mstamp_refresh(tp);
	tp.retrans_stamp = tcp_time_stamp(tp);
	tcp_connect_queue_skb(sk, buff);
	tcp_ecn_send_syn(sk, buff);
	tcp_rbtree_insert(sk.tcp_rtx_queue, std::move(owned));

	const int err = tp.fastopen_req ? tcp_send_syn_data(sk, buff)
	                                : tcp_transmit_skb(sk, &buff, 1, sk.sk_allocation);
	if (err == -ECONNREFUSED)
		return err;

	// Only now, so that the SYN counts among the segments sent.
	tp.snd_nxt = tp.pushed_seq = tp.write_seq;
	if (const sk_buff *head = tcp_send_head(sk))
		tp.snd_nxt = tp.pushed_seq = TCP_SKB_CB(*head).seq;
	TCP_INC_STATS(sock_net(sk), TCP_MIB_ACTIVEOPENS);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tp.icsk_rto, TCP_RTO_MAX);
	return 0;
}

int tcp_rtx_synack(const sock &sk, request_sock &req)
{
	TRACE(sk);
	flowi4 fl;

	if (sk.sk_txrehash == 1) // SOCK_TXREHASH_ENABLED
		tcp_rsk(req).txhash = net_tx_rndhash();
	const int res = tcp_rsk(req).af_specific->send_synack(sk, nullptr, fl, req, nullptr,
	                                                      TCP_SYNACK_NORMAL, nullptr);
	if (!res) {
		TCP_INC_STATS(sock_net(sk), TCP_MIB_RETRANSSEGS);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSYNRETRANS);
		if (tcp_passive_fastopen(sk))
			++tcp_sk(const_cast<sock &>(sk)).total_retrans; // then it is the child, and ours
	}
	return res;
}

} // namespace skbwalk
