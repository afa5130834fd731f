// SPDX-License-Identifier: GPL-2.0-only
//
// What was learned of a path, for the next connection between the same two addresses
// (net/ipv4/tcp_metrics.c): round trip and its variation, slow start threshold, window, reordering, and Fast
// Open's cookie. tcp_update_metrics writes when a connection ends, tcp_init_metrics reads when one is set up;
// blocks stand in a hash by address and age out after an hour. A namespace that ends takes its blocks along.
// Left out: the netlink family by which `ip tcp_metrics` reads them, and IPv6 addresses.
#include <algorithm>
#include <vector>

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

enum tcp_metric_index : u32 {
	TCP_METRIC_RTT,
	TCP_METRIC_RTTVAR,
	TCP_METRIC_SSTHRESH,
	TCP_METRIC_CWND,
	TCP_METRIC_REORDERING
};
constexpr u32 TCP_METRIC_COUNT = TCP_METRIC_REORDERING + 1;
constexpr u32 TCP_METRICS_TIMEOUT = 60 * 60 * HZ;
constexpr int TCP_METRICS_RECLAIM_DEPTH = 5;
constexpr u32 tcp_metrics_hash_log = 14; // as on a machine with half a gigabyte or more
constexpr u32 USEC_PER_MSEC = 1000, USEC_PER_SEC = 1'000'000;

struct inetpeer_addr {
	be32 a4;
	u16 family;
};

struct tcp_fastopen_metrics {
	u16 mss = 0;
	u16 syn_loss : 10 = 0, try_exp : 2 = 0;
	u32 last_syn_loss = 0;
	tcp_fastopen_cookie cookie{0, {}, false};
};

struct tcp_metrics_block {
	tcp_metrics_block *tcpm_next = nullptr;
	net *tcpm_net = nullptr;
	inetpeer_addr tcpm_saddr{}, tcpm_daddr{};
	u32 tcpm_stamp = 0;
	u32 tcpm_lock = 0; // bits of those that the route fixes
	u32 tcpm_vals[TCP_METRIC_COUNT] = {};
	tcp_fastopen_metrics tcpm_fastopen;
	rcu_head rcu;
};

struct tcp_metrics_state {
	std::vector<tcp_metrics_block *> hash;
	spinlock_t lock;
	spinlock_t fastopen_lock;
};
perhost<tcp_metrics_state> tcp_metrics;

// "Not found, and the chain is so long that the oldest is to be used again."
tcp_metrics_block *const TCP_METRICS_RECLAIM_PTR = reinterpret_cast<tcp_metrics_block *>(1);

bool tcp_metric_locked(const tcp_metrics_block &tm, tcp_metric_index idx) { return tm.tcpm_lock & 1u << idx; }
u32 tcp_metric_get(const tcp_metrics_block &tm, tcp_metric_index idx) { return tm.tcpm_vals[idx]; }
void tcp_metric_set(tcp_metrics_block &tm, tcp_metric_index idx, u32 val) { tm.tcpm_vals[idx] = val; }

u32 bucket_of(const net &net, be32 daddr)
{
	return hash_32(daddr.raw() ^ net_hash_mix(net), tcp_metrics_hash_log);
}

bool is_ipv4(const sock &sk)
{
	static constexpr u8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return sk.sk_family == AF_INET ||
	       (sk.sk_family == AF_INET6 && !std::memcmp(sk.sk_v6_daddr.s6_addr, mapped, sizeof(mapped)));
}

} // namespace

static bool addr_same(const inetpeer_addr &a, const inetpeer_addr &b)
{
	TRACE();
	return a.family == b.family && a.a4 == b.a4;
}

// What the route says stands before what is learned.
static void tcpm_suck_dst(tcp_metrics_block &tm, const dst_entry &dst, bool fastopen_clear)
{
	TRACE();
	static constexpr struct {
		int rtax;
		tcp_metric_index idx;
		u32 unit;
	} metrics[] = {
		{RTAX_RTT, TCP_METRIC_RTT, USEC_PER_MSEC},   {RTAX_RTTVAR, TCP_METRIC_RTTVAR, USEC_PER_MSEC},
		{RTAX_SSTHRESH, TCP_METRIC_SSTHRESH, 1},     {RTAX_CWND, TCP_METRIC_CWND, 1},
		{RTAX_REORDERING, TCP_METRIC_REORDERING, 1},
	};

	tm.tcpm_stamp = jiffies();
	tm.tcpm_lock = 0;
	for (const auto &m : metrics) {
		if (dst_metric_locked(dst, m.rtax))
			tm.tcpm_lock |= 1u << m.idx;
		tcp_metric_set(tm, m.idx, dst_metric_raw(dst, m.rtax) * m.unit);
	}
	if (fastopen_clear) {
		spin_lock(tcp_metrics->fastopen_lock);
		tm.tcpm_fastopen = {};
		spin_unlock(tcp_metrics->fastopen_lock);
	}
}

static void tcpm_check_stamp(tcp_metrics_block *tm, const dst_entry &dst)
{
	TRACE();
	if (tm && time_after(jiffies(), tm->tcpm_stamp + TCP_METRICS_TIMEOUT))
		tcpm_suck_dst(*tm, dst, false);
}

static tcp_metrics_block *tcp_get_encode(tcp_metrics_block *tm, int depth)
{
	TRACE();
	if (tm)
		return tm;
	return depth > TCP_METRICS_RECLAIM_DEPTH ? TCP_METRICS_RECLAIM_PTR : nullptr;
}

static tcp_metrics_block *__tcp_get_metrics(const inetpeer_addr &saddr, const inetpeer_addr &daddr,
                                            const net &net, u32 hash)
{
	TRACE();
	tcp_metrics_block *tm;
	int depth = 0;

	for (tm = tcp_metrics->hash[hash]; tm; tm = tm->tcpm_next) {
		if (addr_same(tm->tcpm_saddr, saddr) && addr_same(tm->tcpm_daddr, daddr) &&
		    net_eq(*tm->tcpm_net, net))
			break;
		depth++;
	}
	return tcp_get_encode(tm, depth);
}

static tcp_metrics_block *tcpm_new(dst_entry &dst, const inetpeer_addr &saddr, const inetpeer_addr &daddr,
                                   u32 hash)
{
	TRACE();
	tcp_metrics_state &state = *tcp_metrics;
	net &net = dev_net(*dst.dev);

	spin_lock_bh(state.lock);
	// Another cpu may have been first.
	tcp_metrics_block *tm = __tcp_get_metrics(saddr, daddr, net, hash);
	const bool reclaim = tm == TCP_METRICS_RECLAIM_PTR;
	if (tm && !reclaim) {
		tcpm_check_stamp(tm, dst);
		spin_unlock_bh(state.lock);
		return tm;
	}
	if (reclaim) {
		tm = state.hash[hash];
		for (tcp_metrics_block *other = tm->tcpm_next; other; other = other->tcpm_next)
			if (time_before(other->tcpm_stamp, tm->tcpm_stamp))
				tm = other;
	} else if (void *memory = kmalloc_trace(sizeof(tcp_metrics_block), GFP_ATOMIC)) {
		tm = ::new (memory) tcp_metrics_block;
	} else {
		spin_unlock_bh(state.lock);
		return nullptr;
	}
	tm->tcpm_net = &net;
	tm->tcpm_saddr = saddr;
	tm->tcpm_daddr = daddr;
	tcpm_suck_dst(*tm, dst, reclaim);
	if (!reclaim) {
		tm->tcpm_next = state.hash[hash];
		state.hash[hash] = tm;
	}
	spin_unlock_bh(state.lock);
	return tm;
}

static tcp_metrics_block *__tcp_get_metrics_req(const request_sock &req, const dst_entry &dst)
{
	TRACE();
	if (req.rsk_ops->family != AF_INET)
		return nullptr;
	const inet_request_sock &ireq = inet_rsk(req);
	const inetpeer_addr saddr{ireq.ir_loc_addr, AF_INET}, daddr{ireq.ir_rmt_addr, AF_INET};
	const net &net = dev_net(*dst.dev);
	tcp_metrics_block *tm;

	for (tm = tcp_metrics->hash[bucket_of(net, daddr.a4)]; tm; tm = tm->tcpm_next)
		if (addr_same(tm->tcpm_saddr, saddr) && addr_same(tm->tcpm_daddr, daddr) &&
		    net_eq(*tm->tcpm_net, net))
			break;
	tcpm_check_stamp(tm, dst);
	return tm;
}

static tcp_metrics_block *tcp_get_metrics(const sock &sk, dst_entry &dst, bool create)
{
	TRACE(sk);
	if (!is_ipv4(sk))
		return nullptr;
	const inet_sock &inet = inet_sk(sk);
	const inetpeer_addr saddr{inet.inet_saddr, AF_INET}, daddr{inet.inet_daddr, AF_INET};
	const net &net = dev_net(*dst.dev);
	const u32 hash = bucket_of(net, daddr.a4);
	tcp_metrics_block *tm = __tcp_get_metrics(saddr, daddr, net, hash);

	if (tm == TCP_METRICS_RECLAIM_PTR)
		tm = nullptr;
	if (!tm && create)
		tm = tcpm_new(dst, saddr, daddr, hash);
	else
		tcpm_check_stamp(tm, dst);
	return tm;
}

namespace {

void learn_rtt(tcp_metrics_block &tm, const tcp_sock &tp)
{
	u32 rtt = tcp_metric_get(tm, TCP_METRIC_RTT);
	s32 m = static_cast<s32>(rtt - tp.srtt_us);

	// Longer is believed at once, shorter by an eighth.
	if (!tcp_metric_locked(tm, TCP_METRIC_RTT)) {
		if (m <= 0)
			rtt = tp.srtt_us;
		else
			rtt -= static_cast<u32>(m >> 3);
		tcp_metric_set(tm, TCP_METRIC_RTT, rtt);
	}
	if (!tcp_metric_locked(tm, TCP_METRIC_RTTVAR)) {
		u32 var = tcp_metric_get(tm, TCP_METRIC_RTTVAR);
		const u32 deviation = std::max(static_cast<u32>(m < 0 ? -m : m) >> 1, tp.mdev_us);

		if (deviation >= var)
			var = deviation;
		else
			var -= (var - deviation) >> 2;
		tcp_metric_set(tm, TCP_METRIC_RTTVAR, var);
	}
}

// By how the connection ended: in its first slow start, in congestion avoidance, or in trouble.
void learn_window(tcp_metrics_block &tm, const tcp_sock &tp)
{
	const netns_ipv4 &ipv4 = sock_net(tp).ipv4;
	const bool save_ssthresh =
		!ipv4.sysctl_tcp_no_ssthresh_metrics_save && !tcp_metric_locked(tm, TCP_METRIC_SSTHRESH);
	const bool save_cwnd = !tcp_metric_locked(tm, TCP_METRIC_CWND);
	const u32 cwnd = tcp_snd_cwnd(tp);
	const u32 old_ssthresh = tcp_metric_get(tm, TCP_METRIC_SSTHRESH);
	const u32 old_cwnd = tcp_metric_get(tm, TCP_METRIC_CWND);

	if (tcp_in_initial_slowstart(tp)) {
		if (save_ssthresh && old_ssthresh && cwnd >> 1 > old_ssthresh)
			tcp_metric_set(tm, TCP_METRIC_SSTHRESH, cwnd >> 1);
		if (save_cwnd && cwnd > old_cwnd)
			tcp_metric_set(tm, TCP_METRIC_CWND, cwnd);
	} else if (!tcp_in_slow_start(tp) && tp.icsk_ca_state == TCP_CA_Open) {
		if (save_ssthresh)
			tcp_metric_set(tm, TCP_METRIC_SSTHRESH, std::max(cwnd >> 1, tp.snd_ssthresh));
		if (save_cwnd)
			tcp_metric_set(tm, TCP_METRIC_CWND, (old_cwnd + cwnd) >> 1);
	} else {
		if (save_cwnd)
			tcp_metric_set(tm, TCP_METRIC_CWND, (old_cwnd + tp.snd_ssthresh) >> 1);
		if (save_ssthresh && old_ssthresh && tp.snd_ssthresh > old_ssthresh)
			tcp_metric_set(tm, TCP_METRIC_SSTHRESH, tp.snd_ssthresh);
		if (!tcp_metric_locked(tm, TCP_METRIC_REORDERING) &&
		    tcp_metric_get(tm, TCP_METRIC_REORDERING) < tp.reordering &&
		    tp.reordering != static_cast<u32>(ipv4.sysctl_tcp_reordering))
			tcp_metric_set(tm, TCP_METRIC_REORDERING, tp.reordering);
	}
}

} // namespace

void tcp_update_metrics(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	dst_entry *dst = __sk_dst_get(sk);

	sk_dst_confirm(sk);
	if (sock_net(sk).ipv4.sysctl_tcp_nometrics_save || !dst)
		return;
	rcu_read_lock();
	if (tp.icsk_backoff || !tp.srtt_us) {
		// It ended while nothing came through: what is known of the round trip is wrong.
		tcp_metrics_block *tm = tcp_get_metrics(sk, *dst, false);

		if (tm && !tcp_metric_locked(*tm, TCP_METRIC_RTT))
			tcp_metric_set(*tm, TCP_METRIC_RTT, 0);
	} else if (tcp_metrics_block *tm = tcp_get_metrics(sk, *dst, true)) {
		learn_rtt(*tm, tp);
		learn_window(*tm, tp);
		tm->tcpm_stamp = jiffies();
	}
	rcu_read_unlock();
}

void tcp_init_metrics(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	dst_entry *dst = __sk_dst_get(sk);
	u32 crtt = 0;

	sk_dst_confirm(sk);
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH; // SYN cookies may have left something else
	rcu_read_lock();
	const tcp_metrics_block *tm = dst ? tcp_get_metrics(sk, *dst, false) : nullptr;
	if (tm) {
		if (tcp_metric_locked(*tm, TCP_METRIC_CWND))
			tp.snd_cwnd_clamp = tcp_metric_get(*tm, TCP_METRIC_CWND);
		const u32 ssthresh = ipv4.sysctl_tcp_no_ssthresh_metrics_save
		                             ? 0
		                             : tcp_metric_get(*tm, TCP_METRIC_SSTHRESH);
		if (ssthresh)
			tp.snd_ssthresh = std::min(ssthresh, tp.snd_cwnd_clamp);
		const u32 reordering = tcp_metric_get(*tm, TCP_METRIC_REORDERING);
		if (reordering)
			tp.reordering = reordering;
		crtt = tcp_metric_get(*tm, TCP_METRIC_RTT);
	}
	rcu_read_unlock();

	// A round trip known from before makes the RTO longer, never shorter: it may be of a time with less
	// traffic.
	if (crtt > tp.srtt_us) {
		crtt /= 8 * USEC_PER_SEC / HZ;
		tp.icsk_rto = crtt + std::max(2 * crtt, tcp_rto_min(sk));
	} else if (tp.srtt_us == 0) {
		// No sample from the handshake, for it was repeated: RFC 6298, section 5.7.
		tp.rttvar_us = jiffies_to_usecs(TCP_TIMEOUT_FALLBACK);
		tp.mdev_us = tp.mdev_max_us = tp.rttvar_us;
		tp.icsk_rto = TCP_TIMEOUT_FALLBACK;
	}
}

// Was there a connection with this peer before?
bool tcp_peer_is_proven(request_sock &req, dst_entry *dst)
{
	TRACE();
	if (!dst)
		return false;
	rcu_read_lock();
	const tcp_metrics_block *tm = __tcp_get_metrics_req(req, *dst);
	const bool ret = tm && tcp_metric_get(*tm, TCP_METRIC_RTT);
	rcu_read_unlock();
	return ret;
}

void tcp_fastopen_cache_get(sock &sk, u16 &mss, tcp_fastopen_cookie &cookie)
{
	TRACE(sk);
	dst_entry *dst = __sk_dst_get(sk);

	rcu_read_lock();
	if (const tcp_metrics_block *tm = dst ? tcp_get_metrics(sk, *dst, false) : nullptr) {
		const tcp_fastopen_metrics &tfom = tm->tcpm_fastopen;

		if (tfom.mss)
			mss = tfom.mss;
		cookie = tfom.cookie;
		if (cookie.len <= 0 && tfom.try_exp == 1)
			cookie.exp = true;
	}
	rcu_read_unlock();
}

void tcp_fastopen_cache_set(sock &sk, u16 mss, const tcp_fastopen_cookie *cookie, bool syn_lost, u16 try_exp)
{
	TRACE(sk);
	dst_entry *dst = __sk_dst_get(sk);

	if (!dst)
		return;
	rcu_read_lock();
	if (tcp_metrics_block *tm = tcp_get_metrics(sk, *dst, true)) {
		tcp_fastopen_metrics &tfom = tm->tcpm_fastopen;

		spin_lock_bh(tcp_metrics->fastopen_lock);
		if (mss)
			tfom.mss = mss;
		if (cookie && cookie->len > 0)
			tfom.cookie = *cookie;
		else if (try_exp > tfom.try_exp && tfom.cookie.len <= 0 && !tfom.cookie.exp)
			tfom.try_exp = try_exp & 3;
		if (syn_lost) {
			tfom.syn_loss = (tfom.syn_loss + 1) & 0x3ff;
			tfom.last_syn_loss = jiffies();
		} else {
			tfom.syn_loss = 0;
		}
		spin_unlock_bh(tcp_metrics->fastopen_lock);
	}
	rcu_read_unlock();
}

static void tcp_metrics_flush_all(const net &net)
{
	TRACE();
	tcp_metrics_state &state = *tcp_metrics;

	for (tcp_metrics_block *&head : state.hash) {
		if (!head)
			continue;
		spin_lock_bh(state.lock);
		for (tcp_metrics_block **at = &head; *at;) {
			tcp_metrics_block *tm = *at;

			if (!net_eq(*tm->tcpm_net, net)) {
				at = &tm->tcpm_next;
				continue;
			}
			*at = tm->tcpm_next;
			call_rcu(tm->rcu,
			         [](rcu_head *h) { kfree(&container_of(*h, &tcp_metrics_block::rcu)); });
		}
		spin_unlock_bh(state.lock);
	}
}

static int tcp_net_metrics_init(net &)
{
	TRACE();
	if (tcp_metrics->hash.empty())
		tcp_metrics->hash.resize(1u << tcp_metrics_hash_log);
	return 0;
}

static void tcp_net_metrics_exit(net &net)
{
	TRACE();
	tcp_metrics_flush_all(net);
}

void tcp_metrics_init()
{
	TRACE();
	static constexpr pernet_operations tcp_net_metrics_ops = {"tcp_metrics", tcp_net_metrics_init,
	                                                          tcp_net_metrics_exit};

	register_pernet_subsys(tcp_net_metrics_ops);
}

} // namespace skbwalk
