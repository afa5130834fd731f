// SPDX-License-Identifier: GPL-2.0-only
//
// setsockopt() and getsockopt() at SOL_TCP (the part of net/ipv4/tcp.c), TCP_INFO among them; other levels go
// to the address family's. Left out, with the errno that a kernel built without gives: keys of Fast Open,
// zero copy. TCP_REPAIR is refused, as to a process without CAP_NET_ADMIN.

#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_info.h"
#include "stack/security/capability.h"

namespace skbwalk {

namespace {

constexpr int MAX_TCP_KEEPINTVL = 32767, MAX_TCP_KEEPCNT = 127, MAX_TCP_SYNCNT = 127;
constexpr int TCP_FIN_TIMEOUT_MAX = 120 * static_cast<int>(HZ);
constexpr u32 TCP_CA_NAME_MAX = 16, TCP_ULP_NAME_MAX = 16;

// A name that the user gave, with or without an end.
template <u32 Max> struct option_name {
	char s[Max] = {};
	option_name(const void *optval, u32 optlen)
	{
		const u32 n = std::min(Max - 1, optlen);

		std::memcpy(s, optval, n);
	}
};

// Out to the user: as much as there is room for. 0.
int give(void *optval, int &optlen, const void *from, std::size_t size)
{
	optlen = std::min(optlen, static_cast<int>(size));
	std::memcpy(optval, from, static_cast<std::size_t>(optlen));
	return 0;
}

} // namespace

// TCP_DEFER_ACCEPT counts in retransmissions of the SYN+ACK.
static u8 secs_to_retrans(int seconds, int timeout, int rto_max)
{
	TRACE();
	u8 res = 0;

	if (seconds > 0) {
		int period = timeout;

		res = 1;
		while (seconds > period && res < 255) {
			res++;
			timeout = std::min(timeout << 1, rto_max);
			period += timeout;
		}
	}
	return res;
}

static int retrans_to_secs(u8 retrans, int timeout, int rto_max)
{
	TRACE();
	int period = 0;

	if (retrans > 0) {
		period = timeout;
		while (--retrans) {
			timeout = std::min(timeout << 1, rto_max);
			period += timeout;
		}
	}
	return period;
}

// Bytes a second.
static u64 tcp_compute_delivery_rate(const tcp_sock &tp)
{
	TRACE(tp);
	if (!tp.rate_delivered || !tp.rate_interval_us)
		return 0;
	return u64{tp.rate_delivered} * tp.mss_cache * 1'000'000 / tp.rate_interval_us;
}

static void __tcp_sock_set_cork(sock &sk, bool on)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (on) {
		tp.nonagle |= TCP_NAGLE_CORK;
	} else {
		tp.nonagle = tp.nonagle & ~TCP_NAGLE_CORK & 0xf;
		if (tp.nonagle & TCP_NAGLE_OFF)
			tp.nonagle |= TCP_NAGLE_PUSH;
		tcp_push_pending_frames(sk);
	}
}

// Without Nagle: what waits goes out, however small.
static void __tcp_sock_set_nodelay(sock &sk, bool on)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (on) {
		tp.nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
		tcp_push_pending_frames(sk);
	} else {
		tp.nonagle = tp.nonagle & ~TCP_NAGLE_OFF & 0xf;
	}
}

static void __tcp_sock_set_quickack(sock &sk, int val)
{
	TRACE(sk);
	if (!val) {
		inet_csk_enter_pingpong_mode(sk);
		return;
	}
	inet_csk_exit_pingpong_mode(sk);
	if (((1u << sk.sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) && inet_csk_ack_scheduled(sk)) {
		inet_csk(sk).icsk_ack.pending |= ICSK_ACK_PUSHED;
		tcp_cleanup_rbuf(sk, 1);
		if (!(val & 1))
			inet_csk_enter_pingpong_mode(sk);
	}
}

static int tcp_sock_set_keepidle_locked(sock &sk, int val)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (val < 1 || val > static_cast<int>(MAX_TCP_KEEPIDLE))
		return -EINVAL;
	tp.keepalive_time = static_cast<u32>(val) * HZ;
	if (sock_flag(sk, SOCK_KEEPOPEN) && !((1u << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN))) {
		const u32 elapsed = keepalive_time_elapsed(tp);

		inet_csk_reset_keepalive_timer(sk,
		                               tp.keepalive_time > elapsed ? tp.keepalive_time - elapsed : 0);
	}
	return 0;
}

static int tcp_set_window_clamp(sock &sk, int val)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!val) {
		if (sk.sk_state != TCP_CLOSE)
			return -EINVAL;
		tp.window_clamp = 0;
		return 0;
	}
	const u32 old_window_clamp = tp.window_clamp;
	const u32 new_window_clamp = std::max(static_cast<u32>(val), SOCK_MIN_RCVBUF / 2);

	if (new_window_clamp == old_window_clamp)
		return 0;
	tp.window_clamp = new_window_clamp;
	if (new_window_clamp < old_window_clamp)
		__tcp_adjust_rcv_ssthresh(sk, tp.window_clamp);
	else
		tp.rcv_ssthresh = std::max(std::min(tp.rcv_wnd, tp.window_clamp), tp.rcv_ssthresh);
	return 0;
}

namespace {

int set_int_option(sock &sk, int optname, int val)
{
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	const auto is_bool = [val] { return val == 0 || val == 1; };
	const bool unconnected = (1u << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN);

	switch (optname) {
	case TCP_MAXSEG:
		// 0: no limit of the user's.
		if (val && (val < static_cast<int>(TCP_MIN_MSS) || val > static_cast<int>(MAX_TCP_WINDOW)))
			return -EINVAL;
		tp.rx_opt.user_mss = static_cast<u16>(val);
		return 0;
	case TCP_NODELAY:
		__tcp_sock_set_nodelay(sk, val);
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		if (!is_bool())
			return -EINVAL;
		tp.thin_lto = val & 1;
		return 0;
	case TCP_THIN_DUPACK: // no longer of any effect
		return is_bool() ? 0 : -EINVAL;
	case TCP_REPAIR:
		return -EPERM;
	case TCP_CORK:
		__tcp_sock_set_cork(sk, val);
		return 0;
	case TCP_KEEPIDLE:
		return tcp_sock_set_keepidle_locked(sk, val);
	case TCP_KEEPINTVL:
		if (val < 1 || val > MAX_TCP_KEEPINTVL)
			return -EINVAL;
		tp.keepalive_intvl = static_cast<u32>(val) * HZ;
		return 0;
	case TCP_KEEPCNT:
		if (val < 1 || val > MAX_TCP_KEEPCNT)
			return -EINVAL;
		tp.keepalive_probes = static_cast<u8>(val);
		return 0;
	case TCP_SYNCNT:
		if (val < 1 || val > MAX_TCP_SYNCNT)
			return -EINVAL;
		tp.icsk_syn_retries = static_cast<u8>(val);
		return 0;
	case TCP_SAVE_SYN:
		if (val < 0 || val > 2)
			return -EINVAL;
		tp.save_syn = val & 3;
		return 0;
	case TCP_LINGER2:
		if (val < 0)
			tp.linger2 = -1;
		else
			tp.linger2 = val > TCP_FIN_TIMEOUT_MAX / static_cast<int>(HZ)
			                     ? TCP_FIN_TIMEOUT_MAX
			                     : val * static_cast<int>(HZ);
		return 0;
	case TCP_DEFER_ACCEPT:
		tp.icsk_accept_queue.rskq_defer_accept =
			secs_to_retrans(val, TCP_TIMEOUT_INIT / HZ, TCP_RTO_MAX / HZ);
		return 0;
	case TCP_WINDOW_CLAMP:
		return tcp_set_window_clamp(sk, val);
	case TCP_QUICKACK:
		__tcp_sock_set_quickack(sk, val);
		return 0;
	case TCP_USER_TIMEOUT: // ms
		if (val < 0)
			return -EINVAL;
		tp.icsk_user_timeout = static_cast<u32>(val);
		return 0;
	case TCP_FASTOPEN:
		if (val < 0 || !unconnected)
			return -EINVAL;
		tcp_fastopen_init_key_once(sock_net(sk));
		fastopen_queue_tune(sk, val);
		return 0;
	case TCP_FASTOPEN_CONNECT:
		if (!is_bool())
			return -EINVAL;
		if (!(ipv4.sysctl_tcp_fastopen & TFO_CLIENT_ENABLE))
			return -EOPNOTSUPP;
		if (sk.sk_state != TCP_CLOSE)
			return -EINVAL;
		tp.fastopen_connect = val & 1;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		if (!is_bool() || !unconnected)
			return -EINVAL;
		tp.fastopen_no_cookie = val & 1;
		return 0;
	case TCP_TIMESTAMP: // with TCP_REPAIR only
		return -EPERM;
	case TCP_NOTSENT_LOWAT:
		tp.notsent_lowat = static_cast<u32>(val);
		sk.sk_write_space(sk);
		return 0;
	case TCP_INQ:
		if (!is_bool())
			return -EINVAL;
		tp.recvmsg_inq = val & 1;
		return 0;
	case TCP_TX_DELAY:
		tp.tcp_tx_delay = static_cast<u32>(val);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

} // namespace

static int do_tcp_setsockopt(sock &sk, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	int err;

	// Those with a name.
	switch (optname) {
	case TCP_CONGESTION: {
		if (optlen < 1)
			return -EINVAL;
		const option_name<TCP_CA_NAME_MAX> name(optval, optlen);

		sockopt_lock_sock(sk);
		err = tcp_set_congestion_control(sk, name.s, true,
		                                 sockopt_ns_capable(init_user_ns, CAP_NET_ADMIN));
		sockopt_release_sock(sk);
		return err;
	}
	case TCP_ULP: {
		if (optlen < 1)
			return -EINVAL;
		const option_name<TCP_ULP_NAME_MAX> name(optval, optlen);

		sockopt_lock_sock(sk);
		err = tcp_set_ulp(sk, name.s);
		sockopt_release_sock(sk);
		return err;
	}
	case TCP_FASTOPEN_KEY: {
		const auto *key = static_cast<const u8 *>(optval);

		if (optlen != TCP_FASTOPEN_KEY_LENGTH && optlen != TCP_FASTOPEN_KEY_BUF_LENGTH)
			return -EINVAL;
		return tcp_fastopen_reset_cipher(
			sock_net(sk), &sk, key,
			optlen == TCP_FASTOPEN_KEY_BUF_LENGTH ? key + TCP_FASTOPEN_KEY_LENGTH : nullptr);
	}
	case TCP_MD5SIG:
	case TCP_MD5SIG_EXT:
		sockopt_lock_sock(sk);
		err = tcp_sk(sk).af_specific->md5_parse(sk, optname, optval, optlen);
		sockopt_release_sock(sk);
		return err;
	default:
		break;
	}

	int val;

	if (optlen < sizeof(int))
		return -EINVAL;
	std::memcpy(&val, optval, sizeof(val));
	sockopt_lock_sock(sk);
	err = set_int_option(sk, optname, val);
	sockopt_release_sock(sk);
	return err;
}

int tcp_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	if (level != SOL_TCP)
		return inet_csk(sk).icsk_af_ops->setsockopt(sk, level, optname, optval, optlen);
	return do_tcp_setsockopt(sk, optname, optval, optlen);
}

// --- TCP_INFO ---
// For how long it was busy sending, and what of this the peer's window, and our buffer, held it up.
static void tcp_get_info_chrono_stats(const tcp_sock &tp, tcp_info &info)
{
	TRACE(tp);
	u64 stats[__TCP_CHRONO_MAX] = {}, total = 0;

	for (int i = TCP_CHRONO_BUSY; i < __TCP_CHRONO_MAX; ++i) {
		stats[i] = tp.chrono_stat[i - 1];
		if (i == tp.chrono_type)
			stats[i] += tcp_jiffies32() - tp.chrono_start;
		stats[i] *= 1'000'000 / HZ;
		total += stats[i];
	}
	info.tcpi_busy_time = total;
	info.tcpi_rwnd_limited = stats[TCP_CHRONO_RWND_LIMITED];
	info.tcpi_sndbuf_limited = stats[TCP_CHRONO_SNDBUF_LIMITED];
}

namespace {

u8 options_of(const tcp_sock &tp)
{
	u8 options = 0;

	if (tp.rx_opt.tstamp_ok)
		options |= TCPI_OPT_TIMESTAMPS;
	if (tcp_is_sack(tp))
		options |= TCPI_OPT_SACK;
	if (tp.rx_opt.wscale_ok)
		options |= TCPI_OPT_WSCALE;
	if (tp.ecn_flags & 1) // TCP_ECN_OK
		options |= TCPI_OPT_ECN;
	if (tp.ecn_flags & 8) // TCP_ECN_SEEN
		options |= TCPI_OPT_ECN_SEEN;
	if (tp.syn_data_acked)
		options |= TCPI_OPT_SYN_DATA;
	return options;
}

} // namespace

void tcp_get_info(sock &sk, tcp_info &info)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	info = {};
	if (sk.sk_type != SOCK_STREAM)
		return;
	info.tcpi_state = sk.sk_state;
	info.tcpi_pacing_rate = sk.sk_pacing_rate;
	info.tcpi_max_pacing_rate = sk.sk_max_pacing_rate;
	info.tcpi_reordering = tp.reordering;
	info.tcpi_snd_cwnd = tcp_snd_cwnd(tp);
	if (info.tcpi_state == TCP_LISTEN) {
		// The accept queue and its limit.
		info.tcpi_unacked = sk.sk_ack_backlog;
		info.tcpi_sacked = sk.sk_max_ack_backlog;
		return;
	}

	const bool slow = lock_sock_fast(sk);
	const u32 now = tcp_jiffies32();

	info.tcpi_ca_state = tp.icsk_ca_state;
	info.tcpi_retransmits = tp.icsk_retransmits;
	info.tcpi_probes = tp.icsk_probes_out;
	info.tcpi_backoff = tp.icsk_backoff;
	info.tcpi_options = options_of(tp);
	if (tp.rx_opt.wscale_ok) {
		info.tcpi_snd_wscale = tp.rx_opt.snd_wscale & 0xf;
		info.tcpi_rcv_wscale = tp.rx_opt.rcv_wscale & 0xf;
	}
	info.tcpi_rto = jiffies_to_usecs(tp.icsk_rto);
	info.tcpi_ato = jiffies_to_usecs(tp.icsk_ack.ato);
	info.tcpi_snd_mss = tp.mss_cache;
	info.tcpi_rcv_mss = tp.icsk_ack.rcv_mss;
	info.tcpi_unacked = tp.packets_out;
	info.tcpi_sacked = tp.sacked_out;
	info.tcpi_lost = tp.lost_out;
	info.tcpi_retrans = tp.retrans_out;
	info.tcpi_last_data_sent = jiffies_to_msecs(now - tp.lsndtime);
	info.tcpi_last_data_recv = jiffies_to_msecs(now - tp.icsk_ack.lrcvtime);
	info.tcpi_last_ack_recv = jiffies_to_msecs(now - tp.rcv_tstamp);
	info.tcpi_pmtu = tp.icsk_pmtu_cookie;
	info.tcpi_rcv_ssthresh = tp.rcv_ssthresh;
	info.tcpi_rtt = tp.srtt_us >> 3;
	info.tcpi_rttvar = tp.mdev_us >> 2;
	info.tcpi_snd_ssthresh = tp.snd_ssthresh;
	info.tcpi_advmss = tp.advmss;
	info.tcpi_rcv_rtt = tp.rcv_rtt_est.rtt_us >> 3;
	info.tcpi_rcv_space = tp.rcvq_space.space;
	info.tcpi_total_retrans = tp.total_retrans;
	info.tcpi_bytes_acked = tp.bytes_acked;
	info.tcpi_bytes_received = tp.bytes_received;
	info.tcpi_notsent_bytes = static_cast<u32>(std::max(0, tp.write_seq - tp.snd_nxt));
	tcp_get_info_chrono_stats(tp, info);
	info.tcpi_segs_out = tp.segs_out;
	info.tcpi_segs_in = tp.segs_in;
	info.tcpi_data_segs_in = tp.data_segs_in;
	info.tcpi_min_rtt = tcp_min_rtt(tp);
	info.tcpi_data_segs_out = tp.data_segs_out;
	info.tcpi_delivery_rate_app_limited = tp.rate_app_limited;
	info.tcpi_delivery_rate = tcp_compute_delivery_rate(tp);
	info.tcpi_delivered = tp.delivered;
	info.tcpi_delivered_ce = tp.delivered_ce;
	info.tcpi_bytes_sent = tp.bytes_sent;
	info.tcpi_bytes_retrans = tp.bytes_retrans;
	info.tcpi_dsack_dups = tp.dsack_dups;
	info.tcpi_reord_seen = tp.reord_seen;
	info.tcpi_rcv_ooopack = tp.rcv_ooopack;
	info.tcpi_snd_wnd = tp.snd_wnd;
	info.tcpi_fastopen_client_fail = tp.fastopen_client_fail;
	unlock_sock_fast(sk, slow);
}

// --- getsockopt() ---
namespace {

int get_int_option(sock &sk, int optname, int &val)
{
	const tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	constexpr int hz = static_cast<int>(HZ);

	switch (optname) {
	case TCP_MAXSEG:
		val = static_cast<int>(tp.mss_cache);
		if (tp.rx_opt.user_mss && ((1u << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN)))
			val = tp.rx_opt.user_mss;
		return 0;
	case TCP_NODELAY:
		val = (tp.nonagle & TCP_NAGLE_OFF) != 0;
		return 0;
	case TCP_CORK:
		val = (tp.nonagle & TCP_NAGLE_CORK) != 0;
		return 0;
	case TCP_KEEPIDLE:
		val = static_cast<int>(keepalive_time_when(tp)) / hz;
		return 0;
	case TCP_KEEPINTVL:
		val = static_cast<int>(keepalive_intvl_when(tp)) / hz;
		return 0;
	case TCP_KEEPCNT:
		val = keepalive_probes(tp);
		return 0;
	case TCP_SYNCNT:
		val = tp.icsk_syn_retries ? tp.icsk_syn_retries : ipv4.sysctl_tcp_syn_retries;
		return 0;
	case TCP_LINGER2:
		val = tp.linger2 < 0 ? tp.linger2
		      : tp.linger2   ? tp.linger2 / hz
		                     : ipv4.sysctl_tcp_fin_timeout;
		return 0;
	case TCP_DEFER_ACCEPT:
		val = retrans_to_secs(tp.icsk_accept_queue.rskq_defer_accept, TCP_TIMEOUT_INIT / HZ,
		                      TCP_RTO_MAX / HZ);
		return 0;
	case TCP_WINDOW_CLAMP:
		val = static_cast<int>(tp.window_clamp);
		return 0;
	case TCP_QUICKACK:
		val = !inet_csk_in_pingpong_mode(sk);
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		val = tp.thin_lto;
		return 0;
	case TCP_THIN_DUPACK:
		val = 0;
		return 0;
	case TCP_REPAIR:
		val = tp.repair;
		return 0;
	case TCP_USER_TIMEOUT:
		val = static_cast<int>(tp.icsk_user_timeout);
		return 0;
	case TCP_FASTOPEN:
		val = tp.icsk_accept_queue.fastopenq.max_qlen;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		val = tp.fastopen_connect;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		val = tp.fastopen_no_cookie;
		return 0;
	case TCP_TX_DELAY:
		val = static_cast<int>(tp.tcp_tx_delay);
		return 0;
	case TCP_TIMESTAMP:
		val = static_cast<int>(tcp_time_stamp_raw() + tp.tsoffset);
		return 0;
	case TCP_NOTSENT_LOWAT:
		val = static_cast<int>(tp.notsent_lowat);
		return 0;
	case TCP_INQ:
		val = tp.recvmsg_inq;
		return 0;
	case TCP_SAVE_SYN:
		val = tp.save_syn;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

// Given once; a buffer that is too short is told how long it must be.
int give_saved_syn(sock &sk, void *optval, int &optlen)
{
	tcp_sock &tp = tcp_sk(sk);
	int err = 0;

	sockopt_lock_sock(sk);
	if (tp.saved_syn_ptr) {
		const auto &data = tp.saved_syn_ptr->data;

		if (optlen < static_cast<int>(data.size())) {
			optlen = static_cast<int>(data.size());
			err = -EINVAL;
		} else {
			optlen = static_cast<int>(data.size());
			std::memcpy(optval, data.data(), data.size());
			tcp_saved_syn_free(tp);
		}
	} else {
		optlen = 0;
	}
	sockopt_release_sock(sk);
	return err;
}

} // namespace

static int do_tcp_getsockopt(sock &sk, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (optlen < 0)
		return -EINVAL;
	switch (optname) {
	case TCP_INFO: {
		tcp_info info;

		tcp_get_info(sk, info);
		return give(optval, optlen, &info, sizeof(info));
	}
	case TCP_CC_INFO: // neither reno nor cubic has any
		optlen = 0;
		return 0;
	case TCP_CONGESTION: {
		char name[TCP_CA_NAME_MAX] = {};

		std::strncpy(name, inet_csk(sk).icsk_ca_ops->name, sizeof(name) - 1);
		return give(optval, optlen, name, sizeof(name));
	}
	case TCP_ULP:
		assert(!inet_csk(sk).icsk_ulp_ops);
		optlen = 0;
		return 0;
	case TCP_SAVED_SYN:
		return give_saved_syn(sk, optval, optlen);
	default:
		break;
	}
	int val = 0;

	if (const int err = get_int_option(sk, optname, val))
		return err;
	return give(optval, optlen, &val, sizeof(val));
}

int tcp_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (level != SOL_TCP)
		return inet_csk(sk).icsk_af_ops->getsockopt(sk, level, optname, optval, optlen);
	return do_tcp_getsockopt(sk, optname, optval, optlen);
}

} // namespace skbwalk
