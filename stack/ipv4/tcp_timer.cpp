// SPDX-License-Identifier: GPL-2.0-only
//
// TCP's timers (net/ipv4/tcp_timer.c). One timer serves retransmission, loss probe, reordering and window
// probe (tcp_write_timer, which acts on icsk_pending), one delayed ACKs, one keepalive and the end of
// FIN_WAIT2. A timer that finds the socket owned by a task leaves a bit for tcp_release_cb.
// tcp_retransmit_timer is the RTO: give up or not (tcp_write_timeout), mark all as lost, send the first
// again, wait twice as long.
#include <algorithm>
#include <bit>

#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

namespace {

constexpr u32 TCP_THIN_LINEAR_RETRIES = 6;

// The timer came while a task owns the socket: its release does the work.
void defer(sock &sk, u32 flag)
{
	if (!(sk.sk_tsq_flags & flag)) {
		sk.sk_tsq_flags |= flag;
		sock_hold(sk);
	}
}

} // namespace

// The RTO, cut so that TCP_USER_TIMEOUT is noticed when it is over.
static u32 tcp_clamp_rto_to_user_timeout(const sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	if (!tp.icsk_user_timeout)
		return tp.icsk_rto;
	const u32 elapsed = tcp_time_stamp(tp) - tp.retrans_stamp;
	const s32 remaining = static_cast<s32>(tp.icsk_user_timeout - elapsed);
	if (remaining <= 0)
		return 1;
	return std::min(tp.icsk_rto, msecs_to_jiffies(static_cast<u32>(remaining)));
}

u32 tcp_clamp_probe0_to_user_timeout(const sock &sk, u32 when)
{
	TRACE(sk);
	const inet_connection_sock &icsk = inet_csk(sk);

	if (!icsk.icsk_user_timeout || !icsk.icsk_probes_tstamp)
		return when;
	const s32 elapsed = std::max(static_cast<s32>(tcp_jiffies32() - icsk.icsk_probes_tstamp), 0);
	const u32 remaining = msecs_to_jiffies(icsk.icsk_user_timeout) - static_cast<u32>(elapsed);
	return std::min(std::max(remaining, TCP_TIMEOUT_MIN), when);
}

static void tcp_write_err(sock &sk)
{
	TRACE(sk);
	tcp_done_with_error(sk, sk.sk_err_soft ? sk.sk_err_soft : ETIMEDOUT);
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONTIMEOUT);
}

// A socket that nobody holds may be too much for this host. Nonzero: it is gone.
static int tcp_out_of_resources(sock &sk, bool do_reset)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const s32 silent = static_cast<s32>(tcp_jiffies32() - tp.lsndtime);
	int shift = 0;

	if (silent > static_cast<s32>(2 * TCP_RTO_MAX) || !do_reset)
		shift++;
	if (sk.sk_err_soft)
		shift++;
	if (!tcp_check_oom(sk, shift))
		return 0;
	// Was the peer there a short time ago, or is its window closed? Then it is told.
	if (silent <= static_cast<s32>(TCP_TIMEWAIT_LEN) || (!tp.snd_wnd && !tp.packets_out))
		do_reset = true;
	if (do_reset)
		tcp_send_active_reset(sk, GFP_ATOMIC);
	tcp_done(sk);
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONMEMORY);
	return 1;
}

static int tcp_orphan_retries(sock &sk, bool alive)
{
	TRACE(sk);
	int retries = sock_net(sk).ipv4.sysctl_tcp_orphan_retries;

	if (sk.sk_err_soft && !alive)
		retries = 0;
	if (retries == 0 && alive)
		retries = 8;
	return retries;
}

// Maybe only large segments are lost, without a word.
static void tcp_mtu_probing(inet_connection_sock &icsk, sock &sk)
{
	TRACE(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;

	if (!ipv4.sysctl_tcp_mtu_probing)
		return;
	if (!icsk.icsk_mtup.enabled) {
		icsk.icsk_mtup.enabled = 1;
		icsk.icsk_mtup.probe_timestamp = tcp_jiffies32();
	} else {
		int mss = tcp_mtu_to_mss(sk, icsk.icsk_mtup.search_low) >> 1;

		mss = std::min(ipv4.sysctl_tcp_base_mss, mss);
		mss = std::max(mss, ipv4.sysctl_tcp_mtu_probe_floor);
		mss = std::max(mss, ipv4.sysctl_tcp_min_snd_mss);
		icsk.icsk_mtup.search_low = tcp_mss_to_mtu(sk, mss);
	}
	tcp_sync_mss(sk, icsk.icsk_pmtu_cookie);
}

// How long `boundary` retransmissions take, in ms: doubling up to TCP_RTO_MAX, then linear.
static u32 tcp_model_timeout(sock &sk, u32 boundary, u32 rto_base)
{
	TRACE(sk);
	const u32 linear_backoff_thresh = static_cast<u32>(std::bit_width(TCP_RTO_MAX / rto_base)) - 1;
	u32 timeout;

	if (boundary <= linear_backoff_thresh)
		timeout = ((2u << boundary) - 1) * rto_base;
	else
		timeout = ((2u << linear_backoff_thresh) - 1) * rto_base +
		          (boundary - linear_backoff_thresh) * TCP_RTO_MAX;
	return jiffies_to_msecs(timeout);
}

// timeout: ms, or 0 for what `boundary` retransmissions take.
static bool retransmits_timed_out(sock &sk, u32 boundary, u32 timeout)
{
	TRACE(sk);
	if (!inet_csk(sk).icsk_retransmits)
		return false;
	TRACE_PART();
	const u32 start_ts = tcp_sk(sk).retrans_stamp;

	if (timeout == 0) {
		u32 rto_base = TCP_RTO_MIN;

		if (1u << sk.sk_state & (TCPF_SYN_SENT | TCPF_SYN_RECV))
			rto_base = tcp_timeout_init(sk);
		timeout = tcp_model_timeout(sk, boundary, rto_base);
	}
	return static_cast<s32>(tcp_time_stamp(tcp_sk(sk)) - start_ts - timeout) >= 0;
}

// Nonzero: it took too long, the connection is gone.
static int tcp_write_timeout(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	inet_connection_sock &icsk = tp;
	net &net = sock_net(sk);
	bool expired = false;
	int retry_until;

	if (1u << sk.sk_state & (TCPF_SYN_SENT | TCPF_SYN_RECV)) {
		if (icsk.icsk_retransmits)
			__dst_negative_advice(sk);
		retry_until = icsk.icsk_syn_retries ? icsk.icsk_syn_retries : net.ipv4.sysctl_tcp_syn_retries;
		expired = icsk.icsk_retransmits >= retry_until;
	} else {
		if (retransmits_timed_out(sk, static_cast<u32>(net.ipv4.sysctl_tcp_retries1), 0)) {
			tcp_mtu_probing(icsk, sk);
			__dst_negative_advice(sk);
		}
		retry_until = net.ipv4.sysctl_tcp_retries2;
		if (sock_flag(sk, SOCK_DEAD)) {
			const bool alive = icsk.icsk_rto < TCP_RTO_MAX;

			retry_until = tcp_orphan_retries(sk, alive);
			const bool do_reset =
				alive || !retransmits_timed_out(sk, static_cast<u32>(retry_until), 0);
			if (tcp_out_of_resources(sk, do_reset))
				return 1;
		}
	}
	if (!expired)
		expired = retransmits_timed_out(sk, static_cast<u32>(retry_until), icsk.icsk_user_timeout);
	tcp_fastopen_active_detect_blackhole(sk, expired);
	if (BPF_SOCK_OPS_TEST_FLAG(tp, BPF_SOCK_OPS_RTO_CB_FLAG))
		tcp_call_bpf(sk, BPF_SOCK_OPS_RTO_CB);
	if (expired) {
		tcp_write_err(sk);
		return 1;
	}
	if (sk_rethink_txhash(sk)) {
		tp.timeout_rehash++;
		__NET_INC_STATS(net, LINUX_MIB_TCPTIMEOUTREHASH);
	}
	return 0;
}

// Called with the socket's spin lock, nobody owning it.
void tcp_delack_timer_handler(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	auto &ack = tp.icsk_ack;

	if (1u << sk.sk_state & (TCPF_CLOSE | TCPF_LISTEN))
		return;
	if (tp.compressed_ack) { // its timer was deferred
		tcp_mstamp_refresh(tp);
		tcp_sack_compress_send_ack(sk);
		return;
	}
	if (!(ack.pending & ICSK_ACK_TIMER))
		return;
	if (time_after(ack.timeout, jiffies())) {
		sk_reset_timer(sk, tp.icsk_delack_timer, ack.timeout);
		return;
	}
	ack.pending = static_cast<u8>(ack.pending & ~ICSK_ACK_TIMER);
	if (!inet_csk_ack_scheduled(sk))
		return;
	if (!inet_csk_in_pingpong_mode(sk)) {
		// Waiting did not help: a longer estimate.
		ack.ato = std::min(ack.ato << 1, tp.icsk_rto);
	} else {
		inet_csk_exit_pingpong_mode(sk);
		ack.ato = TCP_ATO_MIN;
	}
	tcp_mstamp_refresh(tp);
	tcp_send_ack(sk);
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_DELAYEDACKS);
}

static void tcp_delack_timer(timer_list &t)
{
	TRACE();
	sock &sk = container_of(t, &inet_connection_sock::icsk_delack_timer);

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		tcp_delack_timer_handler(sk);
	} else {
		__NET_INC_STATS(sock_net(sk), LINUX_MIB_DELAYEDACKLOCKED);
		defer(sk, TCPF_DELACK_TIMER_DEFERRED);
	}
	bh_unlock_sock(sk);
	sock_put(sk);
}

// The peer's window is closed, or we could not send: ask again.
static void tcp_probe_timer(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if (tcp_sk(sk).packets_out || !tcp_send_head(sk)) {
		icsk.icsk_probes_out = 0;
		icsk.icsk_probes_tstamp = 0;
		return;
	}
	if (!icsk.icsk_probes_tstamp) {
		icsk.icsk_probes_tstamp = tcp_jiffies32();
	} else if (icsk.icsk_user_timeout &&
	           static_cast<s32>(tcp_jiffies32() - icsk.icsk_probes_tstamp) >=
	                   static_cast<s32>(msecs_to_jiffies(icsk.icsk_user_timeout))) {
		tcp_write_err(sk);
		return;
	}
	int max_probes = sock_net(sk).ipv4.sysctl_tcp_retries2;
	if (sock_flag(sk, SOCK_DEAD)) {
		const bool alive = inet_csk_rto_backoff(icsk, TCP_RTO_MAX) < TCP_RTO_MAX;

		max_probes = tcp_orphan_retries(sk, alive);
		if (!alive && icsk.icsk_backoff >= max_probes) {
			tcp_write_err(sk);
			return;
		}
		if (tcp_out_of_resources(sk, true))
			return;
	}
	if (icsk.icsk_probes_out >= max_probes)
		tcp_write_err(sk);
	else
		tcp_send_probe0(sk);
}

// A child that Fast Open made before the handshake was done: its SYN+ACK again.
static void tcp_fastopen_synack_timer(sock &sk, request_sock &req)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	req.rsk_ops->syn_ack_timeout(req);
	// One more than for others: what the child does depends on this one.
	const int max_retries =
		tp.icsk_syn_retries ? tp.icsk_syn_retries : sock_net(sk).ipv4.sysctl_tcp_synack_retries + 1;
	if (req.num_timeout >= max_retries) {
		tcp_write_err(sk);
		return;
	}
	if (tp.icsk_retransmits == 1)
		tcp_enter_loss(sk);
	inet_rtx_syn_ack(sk, req);
	req.num_timeout = (req.num_timeout + 1) & 0x7f;
	tp.icsk_retransmits++;
	if (!tp.retrans_stamp)
		tp.retrans_stamp = tcp_time_stamp(tp);
	// As x86 shifts 32 bits: reqsk_timeout shifts 64.
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, req.timeout << (req.num_timeout & 31), TCP_RTO_MAX);
}

// The peer closed its window over what is in flight and has been silent for long.
static bool tcp_rtx_probe0_timed_out(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	const tcp_sock &tp = tcp_sk(sk);
	const u32 user_timeout = tp.icsk_user_timeout;
	const u32 since = tp.retrans_stamp ? tp.retrans_stamp : tcp_skb_timestamp(skb);
	const u32 rtx_delta = msecs_to_jiffies(tcp_time_stamp(tp) - since);
	u32 timeout = TCP_RTO_MAX * 2;

	if (user_timeout) {
		if (rtx_delta > user_timeout)
			return true;
		timeout = std::min(timeout, msecs_to_jiffies(user_timeout));
	}
	if (static_cast<s32>(tp.icsk_timeout - tp.rcv_tstamp) <= static_cast<s32>(timeout))
		return false;
	return rtx_delta > timeout;
}

namespace {

// Which attempt to recover ended in this timeout.
void count_failure(sock &sk)
{
	const tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);

	if (tp.icsk_ca_state == TCP_CA_Recovery)
		__NET_INC_STATS(net, tcp_is_sack(tp) ? LINUX_MIB_TCPSACKRECOVERYFAIL
		                                     : LINUX_MIB_TCPRENORECOVERYFAIL);
	else if (tp.icsk_ca_state == TCP_CA_Loss)
		__NET_INC_STATS(net, LINUX_MIB_TCPLOSSFAILURES);
	else if (tp.icsk_ca_state == TCP_CA_Disorder || tp.sacked_out)
		__NET_INC_STATS(net, tcp_is_sack(tp) ? LINUX_MIB_TCPSACKFAILURES : LINUX_MIB_TCPRENOFAILURES);
}

void next_rto(sock &sk)
{
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;

	// A stream with hardly anything in flight may ask not to wait ever longer.
	if (sk.sk_state == TCP_ESTABLISHED && (tp.thin_lto || ipv4.sysctl_tcp_thin_linear_timeouts) &&
	    tcp_stream_is_thin(tp) && tp.icsk_retransmits <= TCP_THIN_LINEAR_RETRIES) {
		tp.icsk_backoff = 0;
		tp.icsk_rto = std::clamp(__tcp_set_rto(tp), tcp_rto_min(sk), TCP_RTO_MAX);
	} else {
		tp.icsk_rto = std::min(tp.icsk_rto << 1, TCP_RTO_MAX);
	}
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tcp_clamp_rto_to_user_timeout(sk), TCP_RTO_MAX);
	if (retransmits_timed_out(sk, static_cast<u32>(ipv4.sysctl_tcp_retries1) + 1, 0))
		__sk_dst_reset(sk);
}

} // namespace

void tcp_retransmit_timer(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tp.fastopen_rsk) {
		assert(sk.sk_state == TCP_SYN_RECV || sk.sk_state == TCP_FIN_WAIT1);
		tcp_fastopen_synack_timer(sk, *tp.fastopen_rsk);
		return;
	}
	if (!tp.packets_out)
		return;
	sk_buff *skb = tcp_rtx_queue_head(sk);
	assert(skb);

	if (!tp.snd_wnd && !sock_flag(sk, SOCK_DEAD) &&
	    !(1u << sk.sk_state & (TCPF_SYN_SENT | TCPF_SYN_RECV))) {
		// The window shrank to nothing over data in flight: that data is the probe.
		if (tcp_rtx_probe0_timed_out(sk, *skb)) {
			tcp_write_err(sk);
			return;
		}
		tcp_enter_loss(sk);
		tcp_retransmit_skb(sk, *skb, 1);
		__sk_dst_reset(sk);
		next_rto(sk);
		return;
	}
	__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPTIMEOUTS);
	if (tcp_write_timeout(sk))
		return;
	if (tp.icsk_retransmits == 0)
		count_failure(sk);
	tcp_enter_loss(sk);
	tp.icsk_retransmits++;
	if (tcp_retransmit_skb(sk, *tcp_rtx_queue_head(sk), 1) > 0) {
		// It did not leave this host: try again soon, without backing off.
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL, TCP_RTO_MAX);
		return;
	}
	tp.icsk_backoff++;
	next_rto(sk);
}

// Called with the socket's spin lock, nobody owning it.
void tcp_write_timer_handler(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if ((1u << sk.sk_state & (TCPF_CLOSE | TCPF_LISTEN)) || !icsk.icsk_pending)
		return;
	if (time_after(icsk.icsk_timeout, jiffies())) {
		sk_reset_timer(sk, icsk.icsk_retransmit_timer, icsk.icsk_timeout);
		return;
	}
	tcp_mstamp_refresh(tcp_sk(sk));
	switch (icsk.icsk_pending) {
	case ICSK_TIME_REO_TIMEOUT:
		tcp_rack_reo_timeout(sk);
		break;
	case ICSK_TIME_LOSS_PROBE:
		tcp_send_loss_probe(sk);
		break;
	case ICSK_TIME_RETRANS:
		icsk.icsk_pending = 0;
		tcp_retransmit_timer(sk);
		break;
	case ICSK_TIME_PROBE0:
		icsk.icsk_pending = 0;
		tcp_probe_timer(sk);
		break;
	default:
		break;
	}
}

static void tcp_write_timer(timer_list &t)
{
	TRACE();
	sock &sk = container_of(t, &inet_connection_sock::icsk_retransmit_timer);

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		tcp_write_timer_handler(sk);
	else
		defer(sk, TCPF_WRITE_TIMER_DEFERRED);
	bh_unlock_sock(sk);
	sock_put(sk);
}

void tcp_syn_ack_timeout(const request_sock &req)
{
	TRACE();
	__NET_INC_STATS(sock_net(req), LINUX_MIB_TCPTIMEOUTS);
}

void tcp_set_keepalive(sock &sk, int val)
{
	TRACE(sk);
	if (1u << sk.sk_state & (TCPF_CLOSE | TCPF_LISTEN))
		return;
	if (val && !sock_flag(sk, SOCK_KEEPOPEN))
		inet_csk_reset_keepalive_timer(sk, keepalive_time_when(tcp_sk(sk)));
	else if (!val)
		inet_csk_delete_keepalive_timer(sk);
}

namespace {

// Silence has lasted: probe. Returns when to look again, or 0: the connection is gone.
u32 keepalive_probe(sock &sk)
{
	tcp_sock &tp = tcp_sk(sk);
	const u32 elapsed = keepalive_time_elapsed(tp);

	if (elapsed < keepalive_time_when(tp))
		return keepalive_time_when(tp) - elapsed;
	const bool over = tp.icsk_user_timeout ? elapsed >= msecs_to_jiffies(tp.icsk_user_timeout) &&
	                                                 tp.icsk_probes_out > 0
	                                       : tp.icsk_probes_out >= keepalive_probes(tp);
	if (over) {
		tcp_send_active_reset(sk, GFP_ATOMIC);
		tcp_write_err(sk);
		return 0;
	}
	if (tcp_write_wakeup(sk, LINUX_MIB_TCPKEEPALIVE) > 0)
		return TCP_RESOURCE_PROBE_INTERVAL; // it did not leave this host
	tp.icsk_probes_out++;
	return keepalive_intvl_when(tp);
}

// Of a socket that nobody owns.
void keepalive(sock &sk)
{
	tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_state == TCP_LISTEN)
		return;
	tcp_mstamp_refresh(tp);
	if (sk.sk_state == TCP_FIN_WAIT2 && sock_flag(sk, SOCK_DEAD)) {
		const int tmo = tcp_fin_time(sk) - static_cast<int>(TCP_TIMEWAIT_LEN);

		if (tp.linger2 >= 0 && tmo > 0) {
			tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
			return;
		}
		tcp_send_active_reset(sk, GFP_ATOMIC);
		tcp_done(sk);
		return;
	}
	if (!sock_flag(sk, SOCK_KEEPOPEN) || (1u << sk.sk_state & (TCPF_CLOSE | TCPF_SYN_SENT)))
		return;
	u32 when = keepalive_time_when(tp);
	if (!tp.packets_out && tcp_write_queue_empty(sk)) // else a retransmission is the probe
		when = keepalive_probe(sk);
	if (when)
		inet_csk_reset_keepalive_timer(sk, when);
}

} // namespace

static void tcp_keepalive_timer(timer_list &t)
{
	TRACE();
	sock &sk = container_of(t, &inet_connection_sock::icsk_keepalive_timer);

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		inet_csk_reset_keepalive_timer(sk, HZ / 20);
	else
		keepalive(sk);
	bh_unlock_sock(sk);
	sock_put(sk);
}

hrtimer_restart tcp_compressed_ack_kick(hrtimer &timer)
{
	TRACE();
	tcp_sock &tp = container_of(timer, &tcp_sock::compressed_ack_timer);
	sock &sk = tp;

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		if (tp.compressed_ack) {
			tp.compressed_ack--; // the ACK that goes now is not one that was spared
			tcp_send_ack(sk);
		}
	} else {
		defer(sk, TCPF_DELACK_TIMER_DEFERRED);
	}
	bh_unlock_sock(sk);
	sock_put(sk);
	return HRTIMER_NORESTART;
}

void tcp_init_xmit_timers(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	inet_csk_init_xmit_timers(sk, tcp_write_timer, tcp_delack_timer, tcp_keepalive_timer);
	hrtimer_init(tp.pacing_timer, HRTIMER_MODE_ABS_PINNED_SOFT);
	tp.pacing_timer.function = tcp_pace_kick;
	hrtimer_init(tp.compressed_ack_timer, HRTIMER_MODE_REL_PINNED_SOFT);
	tp.compressed_ack_timer.function = tcp_compressed_ack_kick;
}

void tcp_clear_xmit_timers(sock &sk)
{
	TRACE_INLINE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (hrtimer_try_to_cancel(tp.pacing_timer) == 1)
		__sock_put(sk);
	if (hrtimer_try_to_cancel(tp.compressed_ack_timer) == 1)
		__sock_put(sk);
	inet_csk_clear_xmit_timers(sk);
}

} // namespace skbwalk
