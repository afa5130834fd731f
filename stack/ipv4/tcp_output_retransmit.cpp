// SPDX-License-Identifier: GPL-2.0-only
//
// Sending again (net/ipv4/tcp_output.c). tcp_xmit_retransmit_queue walks the retransmit queue and sends what
// is marked lost, as far as the window goes; tcp_retransmit_skb sends one skb, after __tcp_retransmit_skb has
// cut off what was acknowledged, fitted it to the segment size of now and joined small neighbours. Loss
// probes (RFC 8985, section 7): tcp_schedule_loss_probe sets a timer after each flight, tcp_send_loss_probe
// then sends new data, or the last segment again.
#include <algorithm>

#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

bool tcp_schedule_loss_probe(sock &sk, bool advancing_rto)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.fastopen_rsk) // not before the handshake is done
		return false;
	TRACE_PART();
	const int early_retrans = sock_net(sk).ipv4.sysctl_tcp_early_retrans;
	u32 timeout;

	if ((early_retrans != 3 && early_retrans != 4) || !tp.packets_out || !tcp_is_sack(tp) ||
	    (tp.icsk_ca_state != TCP_CA_Open && tp.icsk_ca_state != TCP_CA_CWR))
		return false;
	// Two round trips; more for a lone segment, whose ACK may be delayed.
	if (tp.srtt_us) {
		u32 timeout_us = tp.srtt_us >> 2;

		if (tp.packets_out == 1)
			timeout_us += tcp_rto_min_us(sk);
		else
			timeout_us += TCP_TIMEOUT_MIN_US;
		timeout = usecs_to_jiffies(timeout_us);
	} else {
		timeout = TCP_TIMEOUT_INIT;
	}
	// Never later than the RTO.
	const u32 rto_delta_us =
		advancing_rto ? jiffies_to_usecs(tp.icsk_rto) : static_cast<u32>(tcp_rto_delta_us(sk));
	if (rto_delta_us > 0)
		timeout = std::min(timeout, usecs_to_jiffies(rto_delta_us));
	tcp_reset_xmit_timer(sk, ICSK_TIME_LOSS_PROBE, timeout, TCP_RTO_MAX);
	return true;
}

// The clone that was sent is still in a queue of this host: to send it again makes no sense.
bool skb_still_in_host_queue(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	if (!skb_fclone_busy(sk, skb))
		return false;
	sk.sk_tsq_flags |= TSQF_THROTTLED;
	if (!skb_fclone_busy(sk, skb)) // again: it may just have left
		return false;
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSPURIOUS_RTX_HOSTQUEUES);
	return true;
}

namespace {

// The last segment, alone, as a probe. False: it could not be sent, or there is none.
bool probe_with_tail(sock &sk, sk_buff *skb, u32 mss)
{
	if (skb_still_in_host_queue(sk, *skb))
		return false;
	const u32 pcount = static_cast<u32>(tcp_skb_pcount(*skb));
	assert(pcount);
	if (pcount > 1 && skb->len > (pcount - 1) * mss) {
		if (tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, *skb, (pcount - 1) * mss, mss, GFP_ATOMIC))
			return false;
		skb = skb_rb_next(sk.tcp_rtx_queue, *skb);
	}
	if (__tcp_retransmit_skb(sk, *skb, 1))
		return false;
	tcp_sk(sk).tlp_retrans = 1;
	return true;
}

} // namespace

void tcp_send_loss_probe(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 mss = tcp_current_mss(sk);
	bool sent = false;

	if (tp.tlp_high_seq == seq32(0)) { // one probe at a time
		tp.tlp_retrans = 0;
		sk_buff *skb = tcp_send_head(sk);
		if (skb && tcp_snd_wnd_test(tp, *skb, mss)) {
			const u32 pcount = tp.packets_out;

			tcp_write_xmit(sk, mss, TCP_NAGLE_OFF, 2, GFP_ATOMIC);
			sent = tp.packets_out > pcount;
		} else {
			skb = skb_rb_last(sk.tcp_rtx_queue);
			if (!skb) {
				assert(!tp.packets_out);
				tp.icsk_pending = 0;
				return;
			}
			sent = probe_with_tail(sk, skb, mss);
		}
	}
	if (sent) {
		tp.tlp_high_seq = tp.snd_nxt;
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPLOSSPROBES);
		tp.icsk_pending = 0; // tcp_rearm_rto counts from now
	}
	tcp_rearm_rto(sk);
}

// Joins the skb that follows to this one. False: their data does not fit together.
static bool tcp_collapse_retrans(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff &next_skb = *skb_rb_next(sk.tcp_rtx_queue, skb);
	const u32 next_skb_size = next_skb.len;

	assert(tcp_skb_pcount(skb) == 1 && tcp_skb_pcount(next_skb) == 1);
	if (next_skb_size && !tcp_skb_shift(skb, next_skb, 1, static_cast<int>(next_skb_size)))
		return false;
	tcp_highest_sack_replace(sk, &next_skb, &skb);
	TCP_SKB_CB(skb).end_seq = TCP_SKB_CB(next_skb).end_seq;
	TCP_SKB_CB(skb).tcp_flags |= TCP_SKB_CB(next_skb).tcp_flags;
	TCP_SKB_CB(skb).sacked |= static_cast<u8>(TCP_SKB_CB(next_skb).sacked & TCPCB_EVER_RETRANS);
	TCP_SKB_CB(skb).eor = TCP_SKB_CB(next_skb).eor;
	tcp_clear_retrans_hints_partial(tp);
	if (&next_skb == tp.retransmit_skb_hint)
		tp.retransmit_skb_hint = &skb;
	tcp_adjust_pcount(sk, next_skb, tcp_skb_pcount(next_skb));
	tcp_skb_collapse_tstamp(skb, next_skb);
	tcp_rtx_queue_unlink_and_free(next_skb, sk);
	return true;
}

static bool tcp_can_collapse(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	if (tcp_skb_pcount(skb) > 1)
		return false;
	if (skb_cloned(skb))
		return false;
	return !(TCP_SKB_CB(skb).sacked & TCPCB_SACKED_ACKED);
}

static void tcp_retrans_try_collapse(sock &sk, sk_buff &to, int space)
{
	TRACE(sk, to);
	const tcp_sock &tp = tcp_sk(sk);
	bool first = true;

	if (!sock_net(sk).ipv4.sysctl_tcp_retrans_collapse || (TCP_SKB_CB(to).tcp_flags & TCPHDR_SYN))
		return;
	for (sk_buff *skb = &to, *next; skb; skb = next) {
		next = skb_rb_next(sk.tcp_rtx_queue, *skb);
		if (!tcp_can_collapse(sk, *skb) || !tcp_skb_can_collapse(to, *skb))
			break;
		space -= static_cast<int>(skb->len);
		if (first) {
			first = false;
			continue;
		}
		if (space < 0 || after(TCP_SKB_CB(*skb).end_seq, tcp_wnd_end(tp)))
			break;
		if (!tcp_collapse_retrans(sk, to))
			break;
	}
}

namespace {

// Takes off the front what was acknowledged meanwhile. 0, or why this is not to be sent.
int trim_acked(sock &sk, sk_buff &skb)
{
	const tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &tcb = TCP_SKB_CB(skb);

	if (before(tcb.seq, tp.snd_una) && (tcb.tcp_flags & TCPHDR_SYN)) {
		tcb.tcp_flags = static_cast<u8>(tcb.tcp_flags & ~TCPHDR_SYN);
		++tcb.seq;
	}
	if (!before(tcb.seq, tp.snd_una))
		return 0;
	if (before(tcb.end_seq, tp.snd_una))
		return -EINVAL;
	return tcp_trim_head(sk, skb, tp.snd_una.v - tcb.seq.v) ? -ENOMEM : 0;
}

} // namespace

// Policy and the queue's state are the caller's. 0, or why nothing was sent (positive: local congestion).
int __tcp_retransmit_skb(sock &sk, sk_buff &skb, int segs)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &tcb = TCP_SKB_CB(skb);

	if (tp.icsk_mtup.probe_size)
		tp.icsk_mtup.probe_size = 0; // that probe says nothing any more
	if (skb_still_in_host_queue(sk, skb))
		return -EBUSY;
	TRACE_PART();
	if (const int err = trim_acked(sk, skb))
		return err;
	if (tp.icsk_af_ops->rebuild_header(sk))
		return -EHOSTUNREACH;

	const u32 cur_mss = tcp_current_mss(sk);
	int avail_wnd = tcp_wnd_end(tp) - tcb.seq;

	// Beyond a window that shrank only the first segment goes: as a probe.
	if (avail_wnd <= 0) {
		if (tcb.seq != tp.snd_una)
			return -EAGAIN;
		avail_wnd = static_cast<int>(cur_mss);
	}
	int len = static_cast<int>(cur_mss) * (tcp_urg_mode(tp) ? 1 : segs);
	if (len > avail_wnd) {
		len = avail_wnd - avail_wnd % static_cast<int>(cur_mss);
		if (!len)
			len = avail_wnd;
	}
	if (skb.len > static_cast<u32>(len)) {
		if (tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, static_cast<u32>(len), cur_mss, GFP_ATOMIC))
			return -ENOMEM;
	} else {
		if (skb_unclone_keeptruesize(skb, GFP_ATOMIC))
			return -ENOMEM;
		int diff = tcp_skb_pcount(skb);

		tcp_set_skb_tso_segs(skb, cur_mss);
		diff -= tcp_skb_pcount(skb);
		if (diff)
			tcp_adjust_pcount(sk, skb, diff);
		avail_wnd = std::min(avail_wnd, static_cast<int>(cur_mss));
		if (skb.len < static_cast<u32>(avail_wnd))
			tcp_retrans_try_collapse(sk, skb, avail_wnd);
	}
	// A SYN that went unheard may have been too modern (RFC 3168, section 6.1.1.1).
	if ((tcb.tcp_flags & TCPHDR_SYN_ECN) == TCPHDR_SYN_ECN)
		tcp_ecn_clear_syn(sk, skb);

	const u32 pcount = static_cast<u32>(tcp_skb_pcount(skb));
	TCP_ADD_STATS(sock_net(sk), TCP_MIB_RETRANSSEGS, pcount);
	if (tcb.tcp_flags & TCPHDR_SYN)
		__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSYNRETRANS);
	tp.total_retrans += pcount;
	tp.bytes_retrans += skb.len;

	int err;
	if (skb_headroom(skb) >= 0xffff) { // trimming left more headroom than csum_start can say
		skb_ptr nskb = __pskb_copy_fclone(skb, static_cast<int>(MAX_TCP_HEADER), GFP_ATOMIC, false);

		err = -ENOBUFS;
		if (nskb) {
			nskb->dev = nullptr;
			err = tcp_transmit_skb(sk, nskb.release(), 0, GFP_ATOMIC);
		}
		if (!err) {
			tcp_update_skb_after_send(sk, skb, tp.tcp_wstamp_ns);
			tcp_rate_skb_sent(sk, skb);
		}
	} else {
		err = tcp_transmit_skb(sk, &skb, 1, GFP_ATOMIC);
	}
	// Even when it failed: its time stamp is no longer that of a first transmission.
	tcb.sacked |= TCPCB_EVER_RETRANS;
	if (BPF_SOCK_OPS_TEST_FLAG(tp, BPF_SOCK_OPS_RETRANS_CB_FLAG))
		tcp_call_bpf(sk, BPF_SOCK_OPS_RETRANS_CB);
	if (err && err != -EBUSY)
		NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPRETRANSFAIL, pcount);
	return err;
}

int tcp_retransmit_skb(sock &sk, sk_buff &skb, int segs)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const int err = __tcp_retransmit_skb(sk, skb, segs);

	if (err == 0) {
		TCP_SKB_CB(skb).sacked |= TCPCB_RETRANS;
		tp.retrans_out += static_cast<u32>(tcp_skb_pcount(skb));
	}
	if (!tp.retrans_stamp)
		tp.retrans_stamp = tcp_skb_timestamp(skb);
	if (tp.undo_retrans < 0)
		tp.undo_retrans = 0;
	tp.undo_retrans += tcp_skb_pcount(skb);
	return err;
}

void tcp_xmit_retransmit_queue(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	bool rearm_timer = false;

	if (!tp.packets_out)
		return;
	TRACE_PART();
	sk_buff *rtx_head = tcp_rtx_queue_head(sk);
	sk_buff *hole = nullptr;
	const u32 max_segs = tcp_tso_segs(sk, tcp_current_mss(sk));

	for (sk_buff *skb = tp.retransmit_skb_hint ? tp.retransmit_skb_hint : rtx_head; skb;
	     skb = skb_rb_next(sk.tcp_rtx_queue, *skb)) {
		if (tcp_pacing_check(sk))
			break;
		if (!hole) // where to begin next time
			tp.retransmit_skb_hint = skb;
		const int segs = static_cast<int>(tcp_snd_cwnd(tp) - tcp_packets_in_flight(tp));
		if (segs <= 0)
			break;
		const u8 sacked = TCP_SKB_CB(*skb).sacked;

		if (tp.retrans_out >= tp.lost_out)
			break;
		if (!(sacked & TCPCB_LOST)) {
			if (!hole && !(sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED)))
				hole = skb;
			continue;
		}
		const linux_mib_item mib_idx = tp.icsk_ca_state != TCP_CA_Loss
		                                       ? LINUX_MIB_TCPFASTRETRANS
		                                       : LINUX_MIB_TCPSLOWSTARTRETRANS;
		if (sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS))
			continue;
		if (tcp_small_queue_check(sk, *skb, 1))
			break;
		if (tcp_retransmit_skb(sk, *skb, std::min(segs, static_cast<int>(max_segs))))
			break;
		NET_ADD_STATS(sock_net(sk), mib_idx, static_cast<u64>(tcp_skb_pcount(*skb)));
		if (tcp_in_cwnd_reduction(sk))
			tp.prr_out += static_cast<u32>(tcp_skb_pcount(*skb));
		if (skb == rtx_head && tp.icsk_pending != ICSK_TIME_REO_TIMEOUT)
			rearm_timer = true;
	}
	if (rearm_timer)
		tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tp.icsk_rto, TCP_RTO_MAX);
}

} // namespace skbwalk
