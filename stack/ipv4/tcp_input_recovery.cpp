// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: what an ACK says about loss. tcp_fastretrans_alert moves between the states
// Open, Disorder, CWR, Recovery and Loss: it ends an episode when snd_una passes high_seq, undoes one that
// was in vain (time stamps, D-SACK, F-RTO in tcp_process_loss), lets RACK mark what is lost, and enters
// recovery; the caller then retransmits. tcp_cwnd_reduction is proportional rate reduction (RFC 6937).
// tcp_enter_loss is the retransmission timer's way in, tcp_simple_retransmit that of a smaller path MTU.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

namespace {

constexpr int TCP_RACK_RECOVERY_THRESH = 16;

} // namespace

static void tcp_ecn_queue_cwr(tcp_sock &tp)
{
	TRACE(tp);
	if (tp.ecn_flags & TCP_ECN_OK)
		tp.ecn_flags |= TCP_ECN_QUEUE_CWR;
}

static void tcp_ecn_withdraw_cwr(tcp_sock &tp)
{
	TRACE(tp);
	tp.ecn_flags = static_cast<u8>(tp.ecn_flags & ~TCP_ECN_QUEUE_CWR);
}

static void tcp_verify_retransmit_hint(tcp_sock &tp, sk_buff &skb)
{
	TRACE(tp, skb);
	if ((!tp.retransmit_skb_hint && tp.retrans_out >= tp.lost_out) ||
	    (tp.retransmit_skb_hint && before(TCP_SKB_CB(skb).seq, TCP_SKB_CB(*tp.retransmit_skb_hint).seq)))
		tp.retransmit_skb_hint = &skb;
}

static void tcp_notify_skb_loss_event(tcp_sock &tp, const sk_buff &skb)
{
	TRACE(tp, skb);
	tp.lost += static_cast<u32>(tcp_skb_pcount(skb));
}

// A segment, or its retransmission, is taken for lost.
void tcp_mark_skb_lost(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	tcp_skb_cb &cb = TCP_SKB_CB(skb);
	const u8 sacked = cb.sacked;
	const u32 pcount = static_cast<u32>(tcp_skb_pcount(skb));

	if (sacked & TCPCB_SACKED_ACKED)
		return;
	tcp_verify_retransmit_hint(tp, skb);
	if (sacked & TCPCB_LOST) {
		if (sacked & TCPCB_SACKED_RETRANS) {
			cb.sacked = static_cast<u8>(cb.sacked & ~TCPCB_SACKED_RETRANS);
			tp.retrans_out -= pcount;
			NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPLOSTRETRANSMIT, pcount);
			tcp_notify_skb_loss_event(tp, skb);
		}
	} else {
		tp.lost_out += pcount;
		cb.sacked |= TCPCB_LOST;
		tcp_notify_skb_loss_event(tp, skb);
	}
}

// --- without SACK: duplicate ACKs are counted as if they were SACKs ---
// True: more were counted than can be.
static bool tcp_limit_reno_sacked(tcp_sock &tp)
{
	TRACE(tp);
	const u32 holes = std::min(std::max(tp.lost_out, 1u), tp.packets_out);

	if (tp.sacked_out + holes > tp.packets_out) {
		tp.sacked_out = tp.packets_out - holes;
		return true;
	}
	return false;
}

static void tcp_check_reno_reordering(sock &sk, int addend)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tcp_limit_reno_sacked(tp))
		return;
	tp.reordering = std::min(tp.packets_out + static_cast<u32>(addend),
	                         static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_max_reordering));
	tp.reord_seen++;
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPRENOREORDER);
}

static void tcp_add_reno_sack(sock &sk, int num_dupack, bool ece_ack)
{
	TRACE(sk);
	if (!num_dupack)
		return;
	TRACE_PART();
	tcp_sock &tp = tcp_sk(sk);
	const u32 prior_sacked = tp.sacked_out;

	tp.sacked_out += static_cast<u32>(num_dupack);
	tcp_check_reno_reordering(sk, 0);
	const s32 delivered = static_cast<s32>(tp.sacked_out - prior_sacked);

	if (delivered > 0)
		tcp_count_delivered(tp, static_cast<u32>(delivered), ece_ack);
	tcp_verify_left_out(tp);
}

void tcp_remove_reno_sacks(sock &sk, int acked, bool ece_ack)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (acked > 0) {
		// One is the segment that filled the hole.
		tcp_count_delivered(
			tp, static_cast<u32>(std::max(acked - static_cast<int>(tp.sacked_out), 1)), ece_ack);
		if (acked - 1 >= static_cast<int>(tp.sacked_out))
			tp.sacked_out = 0;
		else
			tp.sacked_out -= static_cast<u32>(acked - 1);
	}
	tcp_check_reno_reordering(sk, acked);
	tcp_verify_left_out(tp);
}

static void tcp_reset_reno_sack(tcp_sock &tp)
{
	TRACE(tp);
	tp.sacked_out = 0;
}

void tcp_clear_retrans(tcp_sock &tp)
{
	TRACE(tp);
	tp.retrans_out = 0;
	tp.lost_out = 0;
	tp.undo_marker = seq32(0);
	tp.undo_retrans = -1;
	tp.sacked_out = 0;
}

static void tcp_init_undo(tcp_sock &tp)
{
	TRACE(tp);
	tp.undo_marker = tp.snd_una;
	tp.undo_retrans = static_cast<int>(tp.retrans_out);
	if (tp.tlp_high_seq.v && tp.tlp_retrans) // the probe was a retransmission too
		tp.undo_retrans++;
	if (!tp.undo_retrans)
		tp.undo_retrans = -1;
}

static bool tcp_is_rack(const sock &sk)
{
	TRACE(sk);
	return sock_net(sk).ipv4.sysctl_tcp_recovery & TCP_RACK_LOSS_DETECTION;
}

// --- the retransmission timer ran out ---
static void tcp_timeout_mark_lost(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff *head = tcp_rtx_queue_head(sk);
	const bool is_reneg = head && (TCP_SKB_CB(*head).sacked & TCPCB_SACKED_ACKED);

	if (is_reneg) {
		// The peer threw away what it had reported: no SACK counts.
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSACKRENEGING);
		tp.sacked_out = 0;
		tp.is_sack_reneg = 1;
	} else if (tcp_is_reno(tp)) {
		tcp_reset_reno_sack(tp);
	}
	for (sk_buff *skb = head; skb; skb = skb_rb_next(sk.tcp_rtx_queue, *skb)) {
		if (is_reneg)
			TCP_SKB_CB(*skb).sacked =
				static_cast<u8>(TCP_SKB_CB(*skb).sacked & ~TCPCB_SACKED_ACKED);
		else if (tcp_is_rack(sk) && skb != head && tcp_rack_skb_timeout(tp, *skb, 0) > 0)
			continue; // sent too lately to be lost
		tcp_mark_skb_lost(sk, *skb);
	}
	tcp_verify_left_out(tp);
	tcp_clear_all_retrans_hints(tp);
}

void tcp_enter_loss(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);
	const bool new_recovery = tp.icsk_ca_state < TCP_CA_Recovery;

	tcp_timeout_mark_lost(sk);
	if (tp.icsk_ca_state <= TCP_CA_Disorder || !after(tp.high_seq, tp.snd_una) ||
	    (tp.icsk_ca_state == TCP_CA_Loss && !tp.icsk_retransmits)) {
		tp.prior_ssthresh = tcp_current_ssthresh(sk);
		tp.prior_cwnd = tcp_snd_cwnd(tp);
		tp.snd_ssthresh = tp.icsk_ca_ops->ssthresh(sk);
		tcp_ca_event_call(sk, CA_EVENT_LOSS);
		tcp_init_undo(tp);
	}
	tcp_snd_cwnd_set(tp, tcp_packets_in_flight(tp) + 1);
	tp.snd_cwnd_cnt = 0;
	tp.snd_cwnd_stamp = tcp_jiffies32();

	const u32 reordering = static_cast<u32>(net.ipv4.sysctl_tcp_reordering);

	// A timeout in Disorder with that many SACKs: the reordering was overestimated.
	if (tp.icsk_ca_state <= TCP_CA_Disorder && tp.sacked_out >= reordering)
		tp.reordering = std::min(tp.reordering, reordering);
	tcp_set_ca_state(sk, TCP_CA_Loss);
	tp.high_seq = tp.snd_nxt;
	tp.tlp_high_seq = seq32(0);
	tcp_ecn_queue_cwr(tp);
	// F-RTO (RFC 5682): only where the timeout began this recovery, or hits it again; not while probing
	// the MTU.
	tp.frto =
		net.ipv4.sysctl_tcp_frto && (new_recovery || tp.icsk_retransmits) && !tp.icsk_mtup.probe_size;
}

// The ACK moved to a segment that the peer had SACKed: has it thrown it away? Give it a moment before
// resending all.
static bool tcp_check_sack_reneging(sock &sk, u32 &ack_flag)
{
	TRACE(sk);
	if (!(ack_flag & FLAG_SACK_RENEGING) || !(ack_flag & FLAG_SND_UNA_ADVANCED))
		return false;
	const u32 delay = std::max(usecs_to_jiffies(tcp_sk(sk).srtt_us >> 4), msecs_to_jiffies(10));

	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, delay, TCP_RTO_MAX);
	ack_flag &= ~FLAG_SET_XMIT_TIMER;
	return true;
}

static u32 tcp_dupack_heuristics(const tcp_sock &tp)
{
	TRACE(tp);
	return tp.sacked_out + 1;
}

static bool tcp_time_to_recover(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (tp.lost_out)
		return true;
	return !tcp_is_rack(sk) && tcp_dupack_heuristics(tp) > tp.reordering;
}

// Marks until `packets` SACKed ones lie above; or the head alone. (RFC 6675; RACK is off.)
static void tcp_mark_head_lost(sock &sk, u32 packets, bool mark_head)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const seq32 loss_high = tp.snd_nxt;
	sk_buff *skb = tp.lost_skb_hint;
	u32 cnt = 0;

	assert(packets <= tp.packets_out);
	if (skb) {
		if (mark_head && after(TCP_SKB_CB(*skb).seq, tp.snd_una)) // it was marked before
			return;
		cnt = static_cast<u32>(tp.lost_cnt_hint);
	} else {
		skb = tcp_rtx_queue_head(sk);
	}
	for (; skb; skb = skb_rb_next(sk.tcp_rtx_queue, *skb)) {
		tp.lost_skb_hint = skb;
		tp.lost_cnt_hint = static_cast<int>(cnt);
		if (after(TCP_SKB_CB(*skb).end_seq, loss_high))
			break;
		if (TCP_SKB_CB(*skb).sacked & TCPCB_SACKED_ACKED)
			cnt += static_cast<u32>(tcp_skb_pcount(*skb));
		if (cnt > packets)
			break;
		if (!(TCP_SKB_CB(*skb).sacked & TCPCB_LOST))
			tcp_mark_skb_lost(sk, *skb);
		if (mark_head)
			break;
	}
	tcp_verify_left_out(tp);
}

static void tcp_update_scoreboard(sock &sk, bool fast_rexmit)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (!tcp_is_sack(tp))
		return;
	const int sacked_upto = static_cast<int>(tp.sacked_out - tp.reordering);

	if (sacked_upto >= 0)
		tcp_mark_head_lost(sk, static_cast<u32>(sacked_upto), false);
	else if (fast_rexmit)
		tcp_mark_head_lost(sk, 1, true);
}

// --- was it in vain? ---
static bool tcp_tsopt_ecr_before(const tcp_sock &tp, u32 when)
{
	TRACE(tp);
	return tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr &&
	       static_cast<s32>(tp.rx_opt.rcv_tsecr - when) < 0;
}

// The peer answers the original, which left before this retransmission.
bool tcp_skb_spurious_retrans(const tcp_sock &tp, const sk_buff &skb)
{
	TRACE(tp, skb);
	return (TCP_SKB_CB(skb).sacked & TCPCB_RETRANS) && tcp_tsopt_ecr_before(tp, tcp_skb_timestamp(skb));
}

// Nothing was retransmitted, or the time stamp that came back is older than the first retransmission.
static bool tcp_packet_delayed(const tcp_sock &tp)
{
	TRACE(tp);
	if (tp.retrans_stamp)
		return tcp_tsopt_ecr_before(tp, tp.retrans_stamp);
	// Without SACK the state is held until high_seq is passed, and retrans_stamp is cleared before that.
	if (!tcp_is_sack(tp) && !before(tp.snd_una, tp.high_seq))
		return false;
	// A SYN+ACK that answers a SYN is no hint.
	return tp.sk_state != TCP_SYN_SENT;
}

static bool tcp_any_retrans_done(sock &sk)
{
	TRACE(sk);
	if (tcp_sk(sk).retrans_out)
		return true;
	const sk_buff *skb = tcp_rtx_queue_head(sk);

	return skb && (TCP_SKB_CB(*skb).sacked & TCPCB_EVER_RETRANS);
}

static void tcp_retrans_stamp_cleanup(sock &sk)
{
	TRACE(sk);
	if (!tcp_any_retrans_done(sk))
		tcp_sk(sk).retrans_stamp = 0;
}

static void tcp_undo_cwnd_reduction(sock &sk, bool unmark_loss)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (unmark_loss) {
		for (sk_buff &skb : sk.tcp_rtx_queue)
			TCP_SKB_CB(skb).sacked = static_cast<u8>(TCP_SKB_CB(skb).sacked & ~TCPCB_LOST);
		tp.lost_out = 0;
		tcp_clear_all_retrans_hints(tp);
	}
	if (tp.prior_ssthresh) {
		tcp_snd_cwnd_set(tp, tp.icsk_ca_ops->undo_cwnd(sk));
		if (tp.prior_ssthresh > tp.snd_ssthresh) {
			tp.snd_ssthresh = tp.prior_ssthresh;
			tcp_ecn_withdraw_cwr(tp);
		}
	}
	tp.snd_cwnd_stamp = tcp_jiffies32();
	tp.undo_marker = seq32(0);
	tp.rack.advanced = 1; // RACK looks for losses again
}

static bool tcp_may_undo(const tcp_sock &tp)
{
	TRACE(tp);
	return tp.undo_marker.v && (!tp.undo_retrans || tcp_packet_delayed(tp));
}

// Without SACK: the state is held until something beyond high_seq is acknowledged, so that late duplicate
// ACKs do not start a second recovery.
static bool tcp_is_non_sack_preventing_reopen(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.snd_una == tp.high_seq && tcp_is_reno(tp)) {
		if (!tcp_any_retrans_done(sk))
			tp.retrans_stamp = 0;
		return true;
	}
	return false;
}

// All that was sent when recovery began is acknowledged. True: the state is held.
bool tcp_try_undo_recovery(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tcp_may_undo(tp)) {
		tcp_undo_cwnd_reduction(sk, false);
		NET_INC_STATS(sock_net(sk), tp.icsk_ca_state == TCP_CA_Loss ? LINUX_MIB_TCPLOSSUNDO
		                                                            : LINUX_MIB_TCPFULLUNDO);
	} else if (tp.rack.reo_wnd_persist) {
		tp.rack.reo_wnd_persist = (tp.rack.reo_wnd_persist - 1) & 0x1f;
	}
	if (tcp_is_non_sack_preventing_reopen(sk))
		return true;
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp.is_sack_reneg = 0;
	return false;
}

// Each retransmission was reported as a duplicate.
static bool tcp_try_undo_dsack(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.undo_marker.v || tp.undo_retrans)
		return false;
	tp.rack.reo_wnd_persist = std::min(TCP_RACK_RECOVERY_THRESH, tp.rack.reo_wnd_persist + 1) & 0x1f;
	tcp_undo_cwnd_reduction(sk, false);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPDSACKUNDO);
	return true;
}

static bool tcp_try_undo_loss(sock &sk, bool frto_undo)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!frto_undo && !tcp_may_undo(tp))
		return false;
	tcp_undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPLOSSUNDO);
	if (frto_undo)
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPSPURIOUSRTOS);
	tp.icsk_retransmits = 0;
	if (tcp_is_non_sack_preventing_reopen(sk))
		return true;
	if (frto_undo || tcp_is_sack(tp)) {
		tcp_set_ca_state(sk, TCP_CA_Open);
		tp.is_sack_reneg = 0;
	}
	return true;
}

// --- proportional rate reduction ---
void tcp_init_cwnd_reduction(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tp.high_seq = tp.snd_nxt;
	tp.tlp_high_seq = seq32(0);
	tp.snd_cwnd_cnt = 0;
	tp.prior_cwnd = tcp_snd_cwnd(tp);
	tp.prr_delivered = 0;
	tp.prr_out = 0;
	tp.snd_ssthresh = tp.icsk_ca_ops->ssthresh(sk);
	tcp_ecn_queue_cwr(tp);
}

// Above ssthresh: send in proportion to what was delivered. Below: as much as was delivered, one more when
// the ACK advances and nothing new was lost.
void tcp_cwnd_reduction(sock &sk, int newly_acked_sacked, int newly_lost, int flag)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const int delta = static_cast<int>(tp.snd_ssthresh - tcp_packets_in_flight(tp));
	int sndcnt;

	if (newly_acked_sacked <= 0 || !tp.prior_cwnd)
		return;
	tp.prr_delivered += static_cast<u32>(newly_acked_sacked);
	if (delta < 0) {
		const u64 dividend = u64{tp.snd_ssthresh} * tp.prr_delivered + tp.prior_cwnd - 1;

		sndcnt = static_cast<int>(dividend / tp.prior_cwnd) - static_cast<int>(tp.prr_out);
	} else {
		sndcnt = std::max(static_cast<int>(tp.prr_delivered - tp.prr_out), newly_acked_sacked);
		if ((static_cast<u32>(flag) & FLAG_SND_UNA_ADVANCED) && !newly_lost)
			sndcnt++;
		sndcnt = std::min(delta, sndcnt);
	}
	sndcnt = std::max(sndcnt, tp.prr_out ? 0 : 1); // the fast retransmission itself
	tcp_snd_cwnd_set(tp, tcp_packets_in_flight(tp) + static_cast<u32>(sndcnt));
}

void tcp_end_cwnd_reduction(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.icsk_ca_ops->cong_control)
		return;
	if (tp.snd_ssthresh < TCP_INFINITE_SSTHRESH && (tp.icsk_ca_state == TCP_CA_CWR || tp.undo_marker.v)) {
		tcp_snd_cwnd_set(tp, tp.snd_ssthresh);
		tp.snd_cwnd_stamp = tcp_jiffies32();
	}
	tcp_ca_event_call(sk, CA_EVENT_COMPLETE_CWR);
}

// The window is reduced without a loss: ECN, or a packet that the own host dropped.
void tcp_enter_cwr(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tp.prior_ssthresh = 0;
	if (tp.icsk_ca_state < TCP_CA_CWR) {
		tp.undo_marker = seq32(0);
		tcp_init_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_CWR);
	}
}

void tcp_try_keep_open(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	u8 state = TCP_CA_Open;

	if (tcp_left_out(tp) || tcp_any_retrans_done(sk))
		state = TCP_CA_Disorder;
	if (tp.icsk_ca_state != state) {
		tcp_set_ca_state(sk, state);
		tp.high_seq = tp.snd_nxt;
	}
}

static void tcp_try_to_open(sock &sk, u32 flag)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_verify_left_out(tp);
	if (!tcp_any_retrans_done(sk))
		tp.retrans_stamp = 0;
	if (flag & FLAG_ECE)
		tcp_enter_cwr(sk);
	if (tp.icsk_ca_state != TCP_CA_CWR)
		tcp_try_keep_open(sk);
}

// --- path MTU probing ---
static void tcp_mtup_probe_failed(sock &sk)
{
	TRACE(sk);
	auto &mtup = inet_csk(sk).icsk_mtup;

	mtup.search_high = static_cast<int>(mtup.probe_size) - 1;
	mtup.probe_size = 0;
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPMTUPFAIL);
}

void tcp_mtup_probe_success(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	// The window stays the same in bytes.
	tp.prior_ssthresh = tcp_current_ssthresh(sk);
	const u64 val = u64{tcp_snd_cwnd(tp)} *
	                static_cast<u64>(tcp_mss_to_mtu(sk, static_cast<int>(tp.mss_cache))) /
	                tp.icsk_mtup.probe_size;
	tcp_snd_cwnd_set(tp, std::max(1u, static_cast<u32>(val)));
	tp.snd_cwnd_cnt = 0;
	tp.snd_cwnd_stamp = tcp_jiffies32();
	tp.snd_ssthresh = tcp_current_ssthresh(sk);
	tp.icsk_mtup.search_low = static_cast<int>(tp.icsk_mtup.probe_size);
	tp.icsk_mtup.probe_size = 0;
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPMTUPSUCCESS);
}

// --- retransmit without touching the window ---
void tcp_non_congestion_loss_retransmit(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.icsk_ca_state != TCP_CA_Loss) {
		tp.high_seq = tp.snd_nxt;
		tp.snd_ssthresh = tcp_current_ssthresh(sk);
		tp.prior_ssthresh = 0;
		tp.undo_marker = seq32(0);
		tcp_set_ca_state(sk, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(sk);
}

// The path's MTU shrank: what is too long for it never arrived.
void tcp_simple_retransmit(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	// What a fast open's SYN carried is retransmitted in any case, as it was refused.
	const int mss =
		tp.syn_data && sk.sk_state == TCP_SYN_SENT ? -1 : static_cast<int>(tcp_current_mss(sk));

	for (sk_buff &skb : sk.tcp_rtx_queue) {
		if (tcp_skb_seglen(skb) > mss)
			tcp_mark_skb_lost(sk, skb);
	}
	tcp_clear_retrans_hints_partial(tp);
	if (!tp.lost_out)
		return;
	if (tcp_is_reno(tp))
		tcp_limit_reno_sacked(tp);
	tcp_verify_left_out(tp);
	tcp_non_congestion_loss_retransmit(sk);
}

void tcp_enter_recovery(sock &sk, bool ece_ack)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_retrans_stamp_cleanup(sk);
	NET_INC_STATS(sock_net(sk), tcp_is_reno(tp) ? LINUX_MIB_TCPRENORECOVERY : LINUX_MIB_TCPSACKRECOVERY);
	tp.prior_ssthresh = 0;
	tcp_init_undo(tp);
	if (!tcp_in_cwnd_reduction(sk)) {
		if (!ece_ack)
			tp.prior_ssthresh = tcp_current_ssthresh(sk);
		tcp_init_cwnd_reduction(sk);
	}
	tcp_set_ca_state(sk, TCP_CA_Recovery);
}

// In state Loss. F-RTO: the first ACK after a timeout lets two new segments go rather than a retransmission;
// a second ACK that advances then shows that the originals arrive.
static void tcp_process_loss(sock &sk, u32 flag, int num_dupack, rexmit_kind &rexmit)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const bool recovered = !before(tp.snd_una, tp.high_seq);

	if (((flag & FLAG_SND_UNA_ADVANCED) || tp.fastopen_rsk) && tcp_try_undo_loss(sk, false))
		return;
	if (tp.frto) {
		if ((flag & FLAG_ORIG_SACK_ACKED) && tcp_try_undo_loss(sk, true))
			return;
		if (after(tp.snd_nxt, tp.high_seq)) {
			if ((flag & FLAG_DATA_SACKED) || num_dupack)
				tp.frto = 0; // the loss was real
		} else if ((flag & FLAG_SND_UNA_ADVANCED) && !recovered) {
			tp.high_seq = tp.snd_nxt;
			if (!tcp_write_queue_empty(sk) && after(tcp_wnd_end(tp), tp.snd_nxt)) {
				rexmit = REXMIT_NEW;
				return;
			}
			tp.frto = 0;
		}
	}
	if (recovered) {
		tcp_try_undo_recovery(sk);
		return;
	}
	if (tcp_is_reno(tp)) {
		// A duplicate ACK counts only for what was sent after the timeout.
		if (after(tp.snd_nxt, tp.high_seq) && num_dupack)
			tcp_add_reno_sack(sk, num_dupack, flag & FLAG_ECE);
		else if (flag & FLAG_SND_UNA_ADVANCED)
			tcp_reset_reno_sack(tp);
	}
	rexmit = REXMIT_LOST;
}

static bool tcp_force_fast_retransmit(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	return after(tcp_highest_sack_seq(tp), tp.snd_una + tp.reordering * tp.mss_cache);
}

// In recovery, something new was acknowledged. True: wait until the retransmissions are accounted for.
static bool tcp_try_undo_partial(sock &sk, seq32 prior_snd_una, bool &do_lost)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.undo_marker.v || !tcp_packet_delayed(tp)) {
		do_lost = tcp_force_fast_retransmit(sk);
		return false;
	}
	tcp_check_sack_reordering(sk, prior_snd_una, true);
	if (tp.retrans_out)
		return true;
	if (!tcp_any_retrans_done(sk))
		tp.retrans_stamp = 0;
	tcp_undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPPARTIALUNDO);
	tcp_try_keep_open(sk);
	return false;
}

static void tcp_identify_packet_loss(sock &sk, u32 &ack_flag)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (tcp_rtx_queue_empty(sk))
		return;
	if (tcp_is_reno(tp)) {
		tcp_newreno_mark_lost(sk, ack_flag & FLAG_SND_UNA_ADVANCED);
	} else if (tcp_is_rack(sk)) {
		const u32 prior_retrans = tp.retrans_out;

		if (tcp_rack_mark_lost(sk))
			ack_flag &= ~FLAG_SET_XMIT_TIMER;
		if (prior_retrans > tp.retrans_out)
			ack_flag |= FLAG_LOST_RETRANS;
	}
}

void tcp_fastretrans_alert(sock &sk, seq32 prior_snd_una, int num_dupack, u32 &ack_flag, rexmit_kind &rexmit)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const u32 flag = ack_flag;
	const bool ece_ack = flag & FLAG_ECE;
	bool fast_rexmit = false;
	bool do_lost = num_dupack || ((flag & FLAG_DATA_SACKED) && tcp_force_fast_retransmit(sk));

	if (!tp.packets_out && tp.sacked_out)
		tp.sacked_out = 0;

	// ECE ends any hope of an undo.
	if (ece_ack)
		tp.prior_ssthresh = 0;
	if (tcp_check_sack_reneging(sk, ack_flag))
		return;
	tcp_verify_left_out(tp);

	// Is an episode over?
	if (tp.icsk_ca_state == TCP_CA_Open) {
		assert(tp.retrans_out == 0 || tp.syn_data);
		tp.retrans_stamp = 0;
	} else if (!before(tp.snd_una, tp.high_seq)) {
		switch (tp.icsk_ca_state) {
		case TCP_CA_CWR:
			if (tp.snd_una != tp.high_seq) {
				tcp_end_cwnd_reduction(sk);
				tcp_set_ca_state(sk, TCP_CA_Open);
			}
			break;
		case TCP_CA_Recovery:
			if (tcp_is_reno(tp))
				tcp_reset_reno_sack(tp);
			if (tcp_try_undo_recovery(sk))
				return;
			tcp_end_cwnd_reduction(sk);
			break;
		default:
			break;
		}
	}

	switch (tp.icsk_ca_state) {
	case TCP_CA_Recovery:
		if (!(flag & FLAG_SND_UNA_ADVANCED)) {
			if (tcp_is_reno(tp))
				tcp_add_reno_sack(sk, num_dupack, ece_ack);
		} else if (tcp_try_undo_partial(sk, prior_snd_una, do_lost)) {
			return;
		}
		if (tcp_try_undo_dsack(sk))
			tcp_try_to_open(sk, flag);
		tcp_identify_packet_loss(sk, ack_flag);
		if (tp.icsk_ca_state != TCP_CA_Recovery) {
			if (!tcp_time_to_recover(sk))
				return;
			// Undone, and lost again.
			tcp_enter_recovery(sk, ece_ack);
		}
		break;
	case TCP_CA_Loss:
		tcp_process_loss(sk, flag, num_dupack, rexmit);
		tcp_identify_packet_loss(sk, ack_flag);
		if (tp.icsk_ca_state != TCP_CA_Open && !(ack_flag & FLAG_LOST_RETRANS))
			return;
		[[fallthrough]];
	default:
		if (tcp_is_reno(tp)) {
			if (flag & FLAG_SND_UNA_ADVANCED)
				tcp_reset_reno_sack(tp);
			tcp_add_reno_sack(sk, num_dupack, ece_ack);
		}
		if (tp.icsk_ca_state <= TCP_CA_Disorder)
			tcp_try_undo_dsack(sk);
		tcp_identify_packet_loss(sk, ack_flag);
		if (!tcp_time_to_recover(sk)) {
			tcp_try_to_open(sk, flag);
			return;
		}
		// An MTU probe was lost: that is no congestion.
		if (tp.icsk_ca_state < TCP_CA_CWR && tp.icsk_mtup.probe_size &&
		    tp.snd_una == tp.mtu_probe.probe_seq_start) {
			tcp_mtup_probe_failed(sk);
			tcp_snd_cwnd_set(tp, tcp_snd_cwnd(tp) + 1);
			tcp_simple_retransmit(sk);
			return;
		}
		tcp_enter_recovery(sk, ece_ack);
		fast_rexmit = true;
	}
	if (!tcp_is_rack(sk) && do_lost)
		tcp_update_scoreboard(sk, fast_rexmit);
	rexmit = REXMIT_LOST;
}

} // namespace skbwalk
