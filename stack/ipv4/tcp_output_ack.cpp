// SPDX-License-Identifier: GPL-2.0-only
//
// Segments without data (net/ipv4/tcp_output.c): ACKs at once or delayed, FIN, RST, window probes. All but
// the FIN are sent and forgotten: they are built in a fresh skb, which __tcp_transmit_skb consumes. The FIN
// takes sequence space and goes through the write queue, on the last data if some is left there.
#include <algorithm>

#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

// Accounts memory beyond the limits: what ends a connection, or gives memory back in the end, is not refused.
void sk_forced_mem_schedule(sock &sk, int size)
{
	TRACE(sk);
	const int delta = size - sk.sk_forward_alloc;

	if (delta <= 0)
		return;
	const int amt = sk_mem_pages(delta);

	sk.sk_forward_alloc += amt * SK_MEM_QUANTUM;
	sk_memory_allocated_add(sk, amt);
}

void tcp_send_fin(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff *tail = tcp_write_queue_tail(sk);
	sk_buff *tskb = tail;

	if (!tskb && tcp_under_memory_pressure(sk))
		tskb = skb_rb_last(sk.tcp_rtx_queue);
	if (tskb) {
		TCP_SKB_CB(*tskb).tcp_flags |= TCPHDR_FIN;
		++TCP_SKB_CB(*tskb).end_seq;
		++tp.write_seq;
		if (!tail) {
			// It was sent without: as if the FIN had been lost, a retransmission carries it.
			++tp.snd_nxt;
			return;
		}
	} else {
		skb_ptr skb = alloc_skb_fclone(MAX_TCP_HEADER, GFP_ATOMIC);

		if (!skb)
			return;
		INIT_LIST_HEAD(skb->tcp_tsorted_anchor);
		skb_reserve(*skb, MAX_TCP_HEADER);
		sk_forced_mem_schedule(sk, static_cast<int>(skb->truesize));
		tcp_init_nondata_skb(*skb, tp.write_seq, TCPHDR_ACK | TCPHDR_FIN);
		tcp_queue_skb(sk, std::move(skb));
	}
	__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
}

void tcp_send_active_reset(sock &sk, gfp_t priority)
{
	TRACE(sk);
	TCP_INC_STATS(sock_net(sk), TCP_MIB_OUTRSTS);
	skb_ptr skb = alloc_skb(MAX_TCP_HEADER, priority);

	if (!skb) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTFAILED);
		return;
	}
	skb_reserve(*skb, MAX_TCP_HEADER);
	tcp_init_nondata_skb(*skb, tcp_acceptable_seq(sk), TCPHDR_ACK | TCPHDR_RST);
	tcp_mstamp_refresh(tcp_sk(sk));
	if (tcp_transmit_skb(sk, skb.release(), 0, priority))
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTFAILED);
}

void tcp_send_delayed_ack(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	auto &ack = inet_csk(sk).icsk_ack;
	u32 ato = ack.ato;

	if (ato > TCP_DELACK_MIN) {
		u32 max_ato = HZ / 2;

		if (inet_csk_in_pingpong_mode(sk) || (ack.pending & ICSK_ACK_PUSHED))
			max_ato = TCP_DELACK_MAX;
		if (tp.srtt_us) // not longer than a round trip
			max_ato = std::min(max_ato,
			                   std::max(usecs_to_jiffies(tp.srtt_us >> 3), TCP_DELACK_MIN));
		ato = std::min(ato, max_ato);
	}
	ato = std::min(ato, tp.icsk_delack_max);
	u32 timeout = jiffies() + ato;

	// An earlier timeout stands; if it is near, there is nothing to gain.
	if (ack.pending & ICSK_ACK_TIMER) {
		if (time_before_eq(ack.timeout, jiffies() + (ato >> 2))) {
			tcp_send_ack(sk);
			return;
		}
		if (!time_before(timeout, ack.timeout))
			timeout = ack.timeout;
	}
	ack.pending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER;
	ack.timeout = timeout;
	sk_reset_timer(sk, inet_csk(sk).icsk_delack_timer, timeout);
}

void __tcp_send_ack(sock &sk, seq32 rcv_nxt)
{
	TRACE(sk);
	if (sk.sk_state == TCP_CLOSE)
		return;
	TRACE_PART();
	skb_ptr buff = alloc_skb(MAX_TCP_HEADER, GFP_ATOMIC);

	if (!buff) {
		auto &ack = inet_csk(sk).icsk_ack;
		const u64 delay = static_cast<u64>(TCP_DELACK_MAX) << std::min<u32>(ack.retry, 32);

		if (delay < TCP_RTO_MAX)
			++ack.retry;
		inet_csk_schedule_ack(sk);
		ack.ato = TCP_ATO_MIN;
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_DACK,
		                          static_cast<u32>(std::min<u64>(delay, TCP_RTO_MAX)), TCP_RTO_MAX);
		return;
	}
	skb_reserve(*buff, MAX_TCP_HEADER);
	tcp_init_nondata_skb(*buff, tcp_acceptable_seq(sk), TCPHDR_ACK);
	skb_set_tcp_pure_ack(*buff); // ACKs hardly count in small queues
	__tcp_transmit_skb(sk, buff.release(), 0, GFP_ATOMIC, rcv_nxt);
}

void tcp_send_ack(sock &sk)
{
	TRACE(sk);
	__tcp_send_ack(sk, tcp_sk(sk).rcv_nxt);
}

// A segment that the peer must answer: a sequence number from the past, or (urgent) the first unacknowledged.
static int tcp_xmit_probe_skb(sock &sk, bool urgent, linux_mib_item mib)
{
	TRACE(sk);
	skb_ptr skb = alloc_skb(MAX_TCP_HEADER, GFP_ATOMIC);

	if (!skb)
		return -1;
	skb_reserve(*skb, MAX_TCP_HEADER);
	tcp_init_nondata_skb(*skb, tcp_sk(sk).snd_una - (urgent ? 0 : 1), TCPHDR_ACK);
	NET_INC_STATS(sock_net(sk), mib);
	return tcp_transmit_skb(sk, skb.release(), 0, GFP_ATOMIC);
}

void tcp_send_window_probe(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_state == TCP_ESTABLISHED) {
		tp.snd_wl1 = tp.rcv_nxt - 1;
		tcp_mstamp_refresh(tp);
		tcp_xmit_probe_skb(sk, false, LINUX_MIB_TCPWINPROBE);
	}
}

int tcp_write_wakeup(sock &sk, int mib)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const auto item = static_cast<linux_mib_item>(mib);

	if (sk.sk_state == TCP_CLOSE)
		return -1;
	sk_buff *skb = tcp_send_head(sk);
	if (!skb || !before(TCP_SKB_CB(*skb).seq, tcp_wnd_end(tp))) {
		if (between(tp.snd_up, tp.snd_una + 1, tp.snd_una + 0xffff))
			tcp_xmit_probe_skb(sk, true, item);
		return tcp_xmit_probe_skb(sk, false, item);
	}

	// The window is open, just not far enough for a whole segment.
	tcp_skb_cb &tcb = TCP_SKB_CB(*skb);
	const u32 mss = tcp_current_mss(sk);
	u32 seg_size = tcp_wnd_end(tp).v - tcb.seq.v;

	if (before(tp.pushed_seq, tcb.end_seq))
		tp.pushed_seq = tcb.end_seq;
	if (seg_size < tcb.end_seq.v - tcb.seq.v || skb->len > mss) {
		seg_size = std::min(seg_size, mss);
		tcb.tcp_flags |= TCPHDR_PSH;
		if (tcp_fragment(sk, TCP_FRAG_IN_WRITE_QUEUE, *skb, seg_size, mss, GFP_ATOMIC))
			return -1;
	} else if (!tcp_skb_pcount(*skb)) {
		tcp_set_skb_tso_segs(*skb, mss);
	}
	tcb.tcp_flags |= TCPHDR_PSH;
	const int err = tcp_transmit_skb(sk, skb, 1, GFP_ATOMIC);
	if (!err)
		tcp_event_new_data_sent(sk, *skb);
	return err;
}

void tcp_send_probe0(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);
	const int err = tcp_write_wakeup(sk, LINUX_MIB_TCPWINPROBE);

	if (tcp_sk(sk).packets_out || tcp_write_queue_empty(sk)) {
		icsk.icsk_probes_out = 0;
		icsk.icsk_backoff = 0;
		icsk.icsk_probes_tstamp = 0;
		return;
	}
	++icsk.icsk_probes_out;
	u32 timeout = TCP_RESOURCE_PROBE_INTERVAL; // it did not leave this host
	if (err <= 0) {
		if (icsk.icsk_backoff < sock_net(sk).ipv4.sysctl_tcp_retries2)
			++icsk.icsk_backoff;
		timeout = tcp_probe0_when(sk, TCP_RTO_MAX);
	}
	timeout = tcp_clamp_probe0_to_user_timeout(sk, timeout);
	tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, timeout, TCP_RTO_MAX);
}

} // namespace skbwalk
