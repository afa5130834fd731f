// SPDX-License-Identifier: GPL-2.0-only
//
// A TCP socket's life (net/ipv4/tcp.c, without what tcp_send.cpp, tcp_recv.cpp and tcp_sockopt.cpp have): how
// it begins (tcp_init_sock), its states (tcp_set_state), how it is closed, shut down, disconnected and
// aborted, what poll() and ioctl() say of it; the limits that all sockets share (memory, orphans), the check
// of MD5 signatures, and the boot of TCP on a host. Left out: splice, zero copy, the keys of MD5 (no key can
// be set, so that a signature is always unexpected).

#include "stack/ipv4/tcp.h"
#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp_bpf.h"

namespace skbwalk {

namespace {

constexpr u32 TCP_ORPHAN_TIMER_PERIOD = HZ / 10;

// How many sockets were closed and live on: counted anew ten times a second.
struct orphan_cache {
	u32 count = 0;
	timer_list timer;
	~orphan_cache() { timer_delete(timer); }
};
perhost<orphan_cache> tcp_orphans;

constexpr u16 TCP_URG_VALID = 0x0100;
constexpr u8 TCP_STATE_MASK = 0xf, TCP_ACTION_FIN = 1 << 7;

} // namespace

// --- memory ---
void tcp_enter_memory_pressure(sock &sk)
{
	TRACE(sk);
	int &pressure = proto_of(*sk.sk_prot).memory_pressure;

	if (pressure)
		return;
	pressure = static_cast<int>(jiffies());
	if (!pressure)
		pressure--;
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPMEMORYPRESSURES);
}

void tcp_leave_memory_pressure(sock &sk)
{
	TRACE(sk);
	int &pressure = proto_of(*sk.sk_prot).memory_pressure;

	if (!pressure)
		return;
	const u32 since = static_cast<u32>(std::exchange(pressure, 0));

	NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPMEMORYPRESSURESCHRONO, jiffies_to_msecs(jiffies() - since));
}

// --- a new socket ---
void tcp_init_sock(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;

	assert(tp.out_of_order_queue.empty() && sk.tcp_rtx_queue.empty());
	tcp_init_xmit_timers(sk);
	INIT_LIST_HEAD(tp.tsq_node);
	INIT_LIST_HEAD(tp.tsorted_sent_queue);

	tp.icsk_rto = TCP_TIMEOUT_INIT;
	tp.icsk_rto_min = TCP_RTO_MIN;
	tp.icsk_delack_max = TCP_DELACK_MAX;
	tp.mdev_us = jiffies_to_usecs(TCP_TIMEOUT_INIT);
	minmax_reset(tp.rtt_min, tcp_jiffies32(), ~0u);

	// So many segments before there is any answer; the window is the peer's.
	tcp_snd_cwnd_set(tp, TCP_INIT_CWND);
	tp.app_limited = ~0u;
	tp.rate_app_limited = 1;
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp.snd_cwnd_clamp = ~0u;
	tp.mss_cache = TCP_MSS_DEFAULT;
	tp.reordering = static_cast<u32>(ipv4.sysctl_tcp_reordering);
	tcp_assign_congestion_control(sk);
	tp.tsoffset = 0;
	tp.rack.reo_wnd_steps = 1;

	sk.sk_write_space = sk_stream_write_space;
	sock_set_flag(sk, SOCK_USE_WRITE_QUEUE);
	tp.icsk_sync_mss = tcp_sync_mss;
	sk.sk_sndbuf = ipv4.sysctl_tcp_wmem[1];
	sk.sk_rcvbuf = ipv4.sysctl_tcp_rmem[1];
	sk_sockets_allocated_inc(sk);
}

// --- poll and ioctl ---
static u32 inet_csk_listen_poll(const sock &sk)
{
	TRACE_INLINE(sk);
	return reqsk_queue_empty(inet_csk(sk).icsk_accept_queue) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static bool tcp_stream_is_readable(sock &sk, int target)
{
	TRACE(sk);
	return tcp_epollin_ready(sk, target);
}

u32 tcp_poll(file &file, socket &sock, poll_table *wait)
{
	TRACE(sock.sk);
	struct sock &sk = *sock.sk;
	const tcp_sock &tp = tcp_sk(sk);
	constexpr u32 readable = EPOLLIN | EPOLLRDNORM, writeable = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, sock.wq ? &sock.wq->wait : nullptr, wait); // sock_poll_wait
	const u8 state = sk.sk_state;

	if (state == TCP_LISTEN)
		return inet_csk_listen_poll(sk);

	// EPOLLHUP only when both directions are shut: it cannot be masked, and a half closed socket may be
	// written to for a long time. EPOLLRDHUP tells of the other half.
	const u8 shutdown = sk.sk_shutdown;
	u32 mask = 0;

	if (shutdown == SHUTDOWN_MASK || state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= readable | EPOLLRDHUP;
	if (state != TCP_SYN_SENT && (state != TCP_SYN_RECV || tp.fastopen_rsk)) {
		int target = sock_rcvlowat(sk, 0, 0x7fffffff);

		// An urgent byte that waits out of band does not count.
		if (tp.urg_data && tp.urg_seq == tp.copied_seq && !sock_flag(sk, SOCK_URGINLINE))
			target++;
		if (tcp_stream_is_readable(sk, target))
			mask |= readable;
		if (!(shutdown & SEND_SHUTDOWN)) {
			if (__sk_stream_is_writeable(sk, 1)) {
				mask |= writeable;
			} else {
				sock.flags |= 1u << SOCK_NOSPACE; // who waits is to be woken
				if (__sk_stream_is_writeable(sk, 1))
					mask |= writeable;
			}
		} else {
			mask |= writeable;
		}
		if (tp.urg_data & TCP_URG_VALID)
			mask |= EPOLLPRI;
	} else if (state == TCP_SYN_SENT && tp.defer_connect) {
		// A fast open: writing starts it.
		mask |= writeable;
	}
	if (sk.sk_err || !skb_queue_empty_lockless(sk.sk_error_queue))
		mask |= EPOLLERR;
	return mask;
}

int tcp_ioctl(sock &sk, int cmd, int &value)
{
	TRACE(sk);
	constexpr int SIOCINQ = 0x541B, SIOCOUTQ = 0x5411, SIOCATMARK = 0x8905, SIOCOUTQNSD = 0x894B;
	const tcp_sock &tp = tcp_sk(sk);

	switch (cmd) {
	case SIOCINQ: {
		if (sk.sk_state == TCP_LISTEN)
			return -EINVAL;
		const bool slow = lock_sock_fast(sk);

		value = tcp_inq(sk);
		unlock_sock_fast(sk, slow);
		return 0;
	}
	case SIOCATMARK:
		value = tp.urg_data && tp.urg_seq == tp.copied_seq;
		return 0;
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		if (sk.sk_state == TCP_LISTEN)
			return -EINVAL;
		if ((1u << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
			value = 0;
		else
			value = tp.write_seq - (cmd == SIOCOUTQ ? tp.snd_una : tp.snd_nxt);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

// --- states ---
void tcp_set_state(sock &sk, int state)
{
	TRACE(sk);
	const int oldstate = sk.sk_state;
	net &net = sock_net(sk);

	if (BPF_SOCK_OPS_TEST_FLAG(tcp_sk(sk), BPF_SOCK_OPS_STATE_CB_FLAG))
		tcp_call_bpf(sk, BPF_SOCK_OPS_STATE_CB);
	switch (state) {
	case TCP_ESTABLISHED:
		if (oldstate != TCP_ESTABLISHED)
			TCP_INC_STATS(net, TCP_MIB_CURRESTAB);
		break;
	case TCP_CLOSE_WAIT:
		if (oldstate == TCP_SYN_RECV)
			TCP_INC_STATS(net, TCP_MIB_CURRESTAB);
		break;
	case TCP_CLOSE:
		if (oldstate == TCP_CLOSE_WAIT || oldstate == TCP_ESTABLISHED)
			TCP_INC_STATS(net, TCP_MIB_ESTABRESETS);
		sk.sk_prot->unhash(sk);
		if (inet_csk(sk).icsk_bind_hash && !(sk.sk_userlocks & SOCK_BINDPORT_LOCK))
			inet_put_port(sk);
		[[fallthrough]];
	default:
		if (oldstate == TCP_ESTABLISHED || oldstate == TCP_CLOSE_WAIT)
			TCP_DEC_STATS(net, TCP_MIB_CURRESTAB);
	}
	// After unhash: a lookup finds no closed socket.
	inet_sk_state_store(sk, state);
}

// Where close() and shutdown() lead from a state, and whether a FIN goes out.
static bool tcp_close_state(sock &sk)
{
	TRACE(sk);
	u8 next = TCP_CLOSE;

	switch (sk.sk_state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_RECV:
		next = TCP_FIN_WAIT1 | TCP_ACTION_FIN;
		break;
	case TCP_CLOSE_WAIT:
		next = TCP_LAST_ACK | TCP_ACTION_FIN;
		break;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		next = sk.sk_state;
		break;
	default:
		break;
	}
	tcp_set_state(sk, next & TCP_STATE_MASK);
	return next & TCP_ACTION_FIN;
}

void tcp_shutdown(sock &sk, int how)
{
	TRACE(sk);
	// The peer is told of our end only; what it still sends is thrown away unseen.
	if (!(how & SEND_SHUTDOWN))
		return;
	if ((1u << sk.sk_state) & (TCPF_ESTABLISHED | TCPF_SYN_SENT | TCPF_CLOSE_WAIT)) {
		if (tcp_close_state(sk))
			tcp_send_fin(sk);
	}
}

// --- orphans ---
static u32 tcp_orphan_count_sum()
{
	TRACE();
	return proto_of(tcp_prot).orphan_count;
}

static void tcp_orphan_update(timer_list &)
{
	TRACE();
	tcp_orphans->count = tcp_orphan_count_sum();
	mod_timer(tcp_orphans->timer, jiffies() + TCP_ORPHAN_TIMER_PERIOD);
}

// Unlike the kernel, the limit is the namespace's.
bool tcp_too_many_orphans(sock &sk, int shift)
{
	TRACE();
	return tcp_orphans->count << shift > static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_max_orphans);
}

bool tcp_check_oom(sock &sk, int shift)
{
	TRACE(sk);
	const bool too_many_orphans = tcp_too_many_orphans(sk, shift);
	const bool out_of_socket_memory = tcp_out_of_memory(sk);

	return too_many_orphans || out_of_socket_memory;
}

// --- the end ---
namespace {

// The file is gone, the socket waits for the peer alone.
void live_on_as_orphan(sock &sk)
{
	const tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_state == TCP_FIN_WAIT2) {
		if (tp.linger2 < 0) {
			tcp_set_state(sk, TCP_CLOSE);
			tcp_send_active_reset(sk, GFP_ATOMIC);
			__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONLINGER);
		} else {
			const int tmo = tcp_fin_time(sk);

			if (tmo <= static_cast<int>(TCP_TIMEWAIT_LEN)) {
				tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
				return;
			}
			inet_csk_reset_keepalive_timer(sk, static_cast<u32>(tmo) - TCP_TIMEWAIT_LEN);
		}
	}
	if (sk.sk_state != TCP_CLOSE) {
		if (tcp_check_oom(sk, 0)) {
			tcp_set_state(sk, TCP_CLOSE);
			tcp_send_active_reset(sk, GFP_ATOMIC);
			__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONMEMORY);
		} else if (!refcount_read(sock_net(sk).count)) { // check_net(): the namespace is going
			tcp_set_state(sk, TCP_CLOSE);
		}
	}
	if (sk.sk_state == TCP_CLOSE) {
		// A reset may have come before the handshake of a fast open was done.
		if (request_sock *req = tcp_sk(sk).fastopen_rsk)
			reqsk_fastopen_remove(sk, req, false);
		inet_csk_destroy_sock(sk);
	}
}

} // namespace

void __tcp_close(sock &sk, long timeout)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	sk.sk_shutdown = SHUTDOWN_MASK;
	if (sk.sk_state == TCP_LISTEN) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_csk_listen_stop(sk);
	} else {
		// What was received and not read is thrown away, and the peer must know (RFC 2525, 2.17).
		bool data_was_unread = false;

		while (skb_ptr skb = __skb_dequeue(sk.sk_receive_queue)) {
			seq32 end_seq = TCP_SKB_CB(*skb).end_seq;

			if (TCP_SKB_CB(*skb).tcp_flags & TCPHDR_FIN)
				end_seq -= 1;
			if (after(end_seq, tp.copied_seq))
				data_was_unread = true;
			__kfree_skb(std::move(skb));
		}
		// Closed already: it was reset.
		if (sk.sk_state != TCP_CLOSE) {
			if (tp.repair) {
				sk.sk_prot->disconnect(sk, 0);
			} else if (data_was_unread) {
				NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONCLOSE);
				tcp_set_state(sk, TCP_CLOSE);
				tcp_send_active_reset(sk, sk.sk_allocation);
			} else if (sock_flag(sk, SOCK_LINGER) && !sk.sk_lingertime) {
				sk.sk_prot->disconnect(sk, 0);
				NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPABORTONDATA);
			} else if (tcp_close_state(sk)) {
				tcp_send_fin(sk);
			}
			sk_stream_wait_close(sk, timeout);
		}
	}

	const int state = sk.sk_state;

	sock_hold(sk);
	sock_orphan(sk);
	local_bh_disable();
	bh_lock_sock(sk);
	// What came while we had it, before anybody else takes the socket.
	__release_sock(sk);
	++proto_of(*sk.sk_prot).orphan_count;
	// It may have died in this moment.
	if (state == TCP_CLOSE || sk.sk_state != TCP_CLOSE)
		live_on_as_orphan(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
}

void tcp_close(sock &sk, long timeout)
{
	TRACE(sk);
	lock_sock(sk);
	__tcp_close(sk, timeout);
	release_sock(sk);
	assert(sk.skc_net_refcnt); // no socket of TCP is the kernel's own: its timers would have to end here
	sock_put(sk);
}

static bool tcp_need_reset(int state)
{
	TRACE();
	return (1u << state) &
	       (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_SYN_RECV);
}

static void tcp_rtx_queue_purge(sock &sk)
{
	TRACE(sk);
	tcp_sk(sk).highest_sack = nullptr;
	while (sk_buff *skb = skb_rb_first(sk.tcp_rtx_queue)) {
		// The list of what was sent goes as a whole, below.
		INIT_LIST_HEAD(skb->tcp_tsorted_anchor);
		tcp_wmem_free_skb(sk, tcp_rtx_queue_unlink(*skb, sk));
	}
}

void tcp_write_queue_purge(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	while (skb_ptr skb = __skb_dequeue(sk.sk_write_queue)) {
		tcp_skb_tsorted_anchor_cleanup(*skb);
		tcp_wmem_free_skb(sk, std::move(skb));
	}
	tcp_rtx_queue_purge(sk);
	INIT_LIST_HEAD(tp.tsorted_sent_queue);
	tcp_clear_all_retrans_hints(tp);
	tp.packets_out = 0;
	tp.icsk_backoff = 0;
}

namespace {

// connect() may follow: the socket is as new, but for its options.
void forget_connection(tcp_sock &tp)
{
	tp.srtt_us = 0;
	tp.mdev_us = jiffies_to_usecs(TCP_TIMEOUT_INIT);
	tp.rcv_rtt_last_tsecr = 0;
	tp.write_seq += tp.max_window + 2;
	if (!tp.write_seq.v)
		tp.write_seq = seq32(1);
	tp.icsk_backoff = 0;
	tp.icsk_probes_out = 0;
	tp.icsk_probes_tstamp = 0;
	tp.icsk_rto = TCP_TIMEOUT_INIT;
	tp.icsk_rto_min = TCP_RTO_MIN;
	tp.icsk_delack_max = TCP_DELACK_MAX;
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tcp_snd_cwnd_set(tp, TCP_INIT_CWND);
	tp.snd_cwnd_cnt = 0;
	tp.is_cwnd_limited = 0;
	tp.max_packets_out = 0;
	tp.window_clamp = 0;
	tp.delivered = 0;
	tp.delivered_ce = 0;
}

void forget_counters(tcp_sock &tp)
{
	tp.compressed_ack = 0;
	tp.segs_in = 0;
	tp.segs_out = 0;
	tp.bytes_sent = 0;
	tp.bytes_acked = 0;
	tp.bytes_received = 0;
	tp.bytes_retrans = 0;
	tp.data_segs_in = 0;
	tp.data_segs_out = 0;
	tp.duplicate_sack[0] = {};
	tp.dsack_dups = 0;
	tp.reord_seen = 0;
	tp.retrans_out = 0;
	tp.sacked_out = 0;
	tp.tlp_high_seq = seq32(0);
	tp.last_oow_ack_time = 0;
	tp.app_limited = ~0u; // not limited by the application before the first data
	tp.rate_app_limited = 1;
	tp.rack.mstamp = 0;
	tp.rack.advanced = 0;
	tp.rack.reo_wnd_steps = 1;
	tp.rack.last_delivered = 0;
	tp.rack.reo_wnd_persist = 0;
	tp.rack.dsack_seen = 0;
	tp.syn_data_acked = 0;
	tp.rcv_ooopack = 0;
}

} // namespace

int tcp_disconnect(sock &sk, [[maybe_unused]] int flags)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const int old_state = sk.sk_state;

	if (old_state != TCP_CLOSE)
		tcp_set_state(sk, TCP_CLOSE);
	// RFC 9293, 3.10.5: ABORT.
	if (old_state == TCP_LISTEN) {
		inet_csk_listen_stop(sk);
	} else if (tp.repair) {
		sk.sk_err = ECONNABORTED;
	} else if (tcp_need_reset(old_state) ||
	           (tp.snd_nxt != tp.write_seq && ((1u << old_state) & (TCPF_CLOSING | TCPF_LAST_ACK)))) {
		// Where a FIN waits behind data, the peer does not know of the end yet.
		tcp_send_active_reset(sk, in_softirq() ? GFP_ATOMIC : GFP_KERNEL);
		sk.sk_err = ECONNRESET;
	} else if (old_state == TCP_SYN_SENT) {
		sk.sk_err = ECONNRESET;
	}
	tcp_clear_xmit_timers(sk);
	__skb_queue_purge(sk.sk_receive_queue);
	tp.copied_seq = tp.rcv_nxt;
	tp.urg_data = 0;
	tcp_write_queue_purge(sk);
	tcp_fastopen_active_disable_ofo_check(sk);
	skb_rbtree_purge(tp.out_of_order_queue);
	tp.inet_dport = be16{};
	inet_bhash2_reset_saddr(sk);
	sk.sk_shutdown = 0;
	sock_reset_flag(sk, SOCK_DONE);
	forget_connection(tp);
	if (tp.icsk_ca_ops->release)
		tp.icsk_ca_ops->release(sk);
	std::fill(std::begin(tp.icsk_ca_priv), std::end(tp.icsk_ca_priv), 0);
	tp.icsk_ca_initialized = 0;
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp.is_sack_reneg = 0;
	tcp_clear_retrans(tp);
	tp.total_retrans = 0;
	inet_csk_delack_init(sk);
	// A guess, so that no division by zero comes from __tcp_select_window.
	tp.icsk_ack.rcv_mss = TCP_MIN_MSS;
	tp.rx_opt = {};
	__sk_dst_reset(sk);
	dst_release(std::exchange(sk.sk_rx_dst, nullptr));
	tcp_saved_syn_free(tp);
	forget_counters(tp);
	if (request_sock *req = tp.fastopen_rsk)
		reqsk_fastopen_remove(sk, req, false);
	tcp_free_fastopen_req(tp);
	tp.defer_connect = 0;
	tp.fastopen_client_fail = 0;
	assert(!tp.inet_num || tp.icsk_bind_hash);
	if (sk.sk_frag.pg) {
		put_page(*sk.sk_frag.pg);
		sk.sk_frag.pg = nullptr;
		sk.sk_frag.offset = 0;
	}
	sk_error_report(sk);
	return 0;
}

// The last step of a connection's life, however it came.
void tcp_done(sock &sk)
{
	TRACE(sk);
	// A fast open's request goes with its child.
	request_sock *req = tcp_sk(sk).fastopen_rsk;

	if (sk.sk_state == TCP_SYN_SENT || sk.sk_state == TCP_SYN_RECV)
		TCP_INC_STATS(sock_net(sk), TCP_MIB_ATTEMPTFAILS);
	tcp_set_state(sk, TCP_CLOSE);
	tcp_clear_xmit_timers(sk);
	if (req)
		reqsk_fastopen_remove(sk, req, false);
	sk.sk_shutdown = SHUTDOWN_MASK;
	if (!sock_flag(sk, SOCK_DEAD))
		sk.sk_state_change(sk);
	else
		inet_csk_destroy_sock(sk);
}

// What `ss --kill` asks for.
int tcp_abort(sock &sk, int err)
{
	TRACE(sk);
	lock_sock(sk);
	if (sk.sk_state == TCP_CLOSE) { // closed meanwhile
		release_sock(sk);
		return -ENOENT;
	}
	if (sk.sk_state == TCP_LISTEN) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_csk_listen_stop(sk);
	}
	local_bh_disable();
	bh_lock_sock(sk);
	if (tcp_need_reset(sk.sk_state))
		tcp_send_active_reset(sk, GFP_ATOMIC);
	tcp_done_with_error(sk, err);
	bh_unlock_sock(sk);
	local_bh_enable();
	release_sock(sk);
	return 0;
}

// --- boot ---
// The numbers of a machine with about 860 MB for buffers, as the one that the reference traces come from.
static void tcp_init_mem()
{
	TRACE();
	constexpr long limit = 13449;

	proto_of(tcp_prot).sysctl_mem = {limit / 4 * 3, limit, limit / 4 * 3 * 2};
}

void tcp_init()
{
	TRACE();
	constexpr u32 bhash_buckets = 8192, lhash2_buckets = 512;
	const u32 ehash_buckets = current.host->thash_entries ? current.host->thash_entries : 8192;

	static_assert(TCP_MIN_SND_MSS > MAX_TCP_OPTION_SPACE);
	timer_setup(tcp_orphans->timer, tcp_orphan_update, TIMER_DEFERRABLE);
	mod_timer(tcp_orphans->timer, jiffies() + TCP_ORPHAN_TIMER_PERIOD);
	inet_hashinfo_init(*tcp_hashinfo, ehash_buckets, bhash_buckets, lhash2_buckets);
	tcp_init_mem();
	tcp_metrics_init();
	tcp_congestion_default();
	tcp_tasklet_init();
}

} // namespace skbwalk
