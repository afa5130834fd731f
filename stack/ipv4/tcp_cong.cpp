// SPDX-License-Identifier: GPL-2.0-only
//
// Congestion control, as far as all algorithms share it (net/ipv4/tcp_cong.c): the host's list of them, which
// one a socket has (the namespace's default when it is made, TCP_CONGESTION or its route later), and Reno,
// whose parts others use: slow start (RFC 5681, section 3.1), one segment more for each window, half the
// window after a loss. Left out: modules loaded on demand.
#include <algorithm>
#include <cstring>
#include <vector>

#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"
#include "stack/kernel/spinlock.h"
#include "stack/security/capability.h"

namespace skbwalk {

namespace {

struct registered_ca {
	const tcp_congestion_ops *ops;
	u32 key;
	u32 flags; // a namespace's default is allowed to all
};
struct tcp_cong_state {
	spinlock_t lock;
	std::vector<registered_ca> list;
};
perhost<tcp_cong_state> tcp_cong;

registered_ca *entry_of(const tcp_congestion_ops *ops)
{
	for (registered_ca &e : tcp_cong->list)
		if (e.ops == ops)
			return &e;
	return nullptr;
}

// The low bits of the type of service follow the algorithm.
void set_ecn(sock &sk, bool needed)
{
	if (needed)
		INET_ECN_xmit(sk);
	else
		INET_ECN_dontxmit(sk);
}

} // namespace

const tcp_congestion_ops *tcp_ca_find(const char *name)
{
	TRACE();
	for (const registered_ca &e : tcp_cong->list)
		if (!std::strcmp(e.ops->name, name))
			return e.ops;
	return nullptr;
}

// The module that would bring it is asked for; there are none to load.
static const tcp_congestion_ops *tcp_ca_find_autoload(const char *name)
{
	TRACE();
	const tcp_congestion_ops *ca = tcp_ca_find(name);

	if (!ca && capable(CAP_NET_ADMIN))
		ca = tcp_ca_find(name);
	return ca;
}

void tcp_set_ca_state(sock &sk, u8 ca_state)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if (icsk.icsk_ca_ops->set_state)
		icsk.icsk_ca_ops->set_state(sk, ca_state);
	icsk.icsk_ca_state = ca_state & 0x1f;
}

const tcp_congestion_ops *tcp_ca_find_key(u32 key)
{
	TRACE();
	for (const registered_ca &e : tcp_cong->list)
		if (e.key == key)
			return e.ops;
	return nullptr;
}

// On the current host.
int tcp_register_congestion_control(const tcp_congestion_ops &ca)
{
	TRACE();
	if (!ca.ssthresh || !ca.undo_cwnd || !(ca.cong_avoid || ca.cong_control))
		return -EINVAL;
	char name[16] = {}; // TCP_CA_NAME_MAX: the whole field is hashed
	const std::size_t len = std::strlen(ca.name);
	assert(len < sizeof(name));
	std::memcpy(name, ca.name, len);
	const u32 key = jhash(name, sizeof(name), static_cast<u32>(len));
	int ret = 0;

	spin_lock(tcp_cong->lock);
	if (key == TCP_CA_UNSPEC || tcp_ca_find_key(key))
		ret = -EEXIST;
	else
		tcp_cong->list.push_back({&ca, key, ca.flags});
	spin_unlock(tcp_cong->lock);
	return ret;
}

// A new socket takes its namespace's default; it is set up when the connection is.
void tcp_assign_congestion_control(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);
	const tcp_congestion_ops *ca = sock_net(sk).ipv4.tcp_congestion_control;

	if (!ca)
		ca = &tcp_reno;
	icsk.icsk_ca_ops = ca;
	std::memset(icsk.icsk_ca_priv, 0, sizeof(icsk.icsk_ca_priv));
	set_ecn(sk, ca->flags & TCP_CONG_NEEDS_ECN);
}

void tcp_init_congestion_control(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	tcp_sk(sk).prior_ssthresh = 0;
	if (icsk.icsk_ca_ops->init)
		icsk.icsk_ca_ops->init(sk);
	set_ecn(sk, tcp_ca_needs_ecn(sk));
	icsk.icsk_ca_initialized = 1;
}

static void tcp_reinit_congestion_control(sock &sk, const tcp_congestion_ops &ca)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	tcp_cleanup_congestion_control(sk);
	icsk.icsk_ca_ops = &ca;
	icsk.icsk_ca_setsockopt = 1;
	std::memset(icsk.icsk_ca_priv, 0, sizeof(icsk.icsk_ca_priv));
	set_ecn(sk, ca.flags & TCP_CONG_NEEDS_ECN);
	if (!(1u << sk.sk_state & (TCPF_CLOSE | TCPF_LISTEN)))
		tcp_init_congestion_control(sk);
}

void tcp_cleanup_congestion_control(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if (icsk.icsk_ca_ops->release)
		icsk.icsk_ca_ops->release(sk);
}

// sysctl net.ipv4.tcp_congestion_control
int tcp_set_default_congestion_control(net &net, const char *name)
{
	TRACE();
	registered_ca *e = entry_of(tcp_ca_find_autoload(name));

	if (!e)
		return -ENOENT;
	if (!net_eq(net, init_net()) && !(e->flags & TCP_CONG_NON_RESTRICTED))
		return -EPERM;
	net.ipv4.tcp_congestion_control = e->ops;
	e->flags |= TCP_CONG_NON_RESTRICTED;
	return 0;
}

// Registers those that the kernel is built with, if that is not done, and makes cubic the initial namespace's
// default.
void tcp_congestion_default()
{
	TRACE();
	[[maybe_unused]] int err;

	for (const tcp_congestion_ops *ca : {&tcp_reno, &cubictcp}) {
		if (entry_of(ca))
			continue;
		err = tcp_register_congestion_control(*ca);
		assert(!err);
	}
	err = tcp_set_default_congestion_control(init_net(), "cubic");
	assert(!err);
}

// load: may a module be loaded for it?
int tcp_set_congestion_control(sock &sk, const char *name, bool load, bool cap_net_admin)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if (icsk.icsk_ca_dst_locked)
		return -EPERM;
	const registered_ca *e = entry_of(load ? tcp_ca_find_autoload(name) : tcp_ca_find(name));
	if (e && e->ops == icsk.icsk_ca_ops) {
		icsk.icsk_ca_setsockopt = 1;
		return 0;
	}
	if (!e)
		return -ENOENT;
	if (!(e->flags & TCP_CONG_NON_RESTRICTED) && !cap_net_admin)
		return -EPERM;
	tcp_reinit_congestion_control(sk, *e->ops);
	return 0;
}

// One segment more for each that was acknowledged, up to ssthresh. Returns what is left of `acked`.
u32 tcp_slow_start(tcp_sock &tp, u32 acked)
{
	TRACE(tp);
	const u32 cwnd = std::min(tcp_snd_cwnd(tp) + acked, tp.snd_ssthresh);

	acked -= cwnd - tcp_snd_cwnd(tp);
	tcp_snd_cwnd_set(tp, std::min(cwnd, tp.snd_cwnd_clamp));
	return acked;
}

// One segment more for each w that were acknowledged.
void tcp_cong_avoid_ai(tcp_sock &tp, u32 w, u32 acked)
{
	TRACE(tp);
	// w may have become smaller since: credits of before are worth one segment, not more.
	if (tp.snd_cwnd_cnt >= w) {
		tp.snd_cwnd_cnt = 0;
		tcp_snd_cwnd_set(tp, tcp_snd_cwnd(tp) + 1);
	}
	tp.snd_cwnd_cnt += acked;
	if (tp.snd_cwnd_cnt >= w) {
		const u32 delta = tp.snd_cwnd_cnt / w;

		tp.snd_cwnd_cnt -= delta * w;
		tcp_snd_cwnd_set(tp, tcp_snd_cwnd(tp) + delta);
	}
	tcp_snd_cwnd_set(tp, std::min(tcp_snd_cwnd(tp), tp.snd_cwnd_clamp));
}

void tcp_reno_cong_avoid(sock &sk, u32, u32 acked)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tcp_is_cwnd_limited(sk))
		return;
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	tcp_cong_avoid_ai(tp, tcp_snd_cwnd(tp), acked);
}

u32 tcp_reno_ssthresh(sock &sk)
{
	TRACE(sk);
	return std::max(tcp_snd_cwnd(tcp_sk(sk)) >> 1, 2u);
}

u32 tcp_reno_undo_cwnd(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	return std::max(tcp_snd_cwnd(tp), tp.prior_cwnd);
}

const tcp_congestion_ops tcp_reno = {
	.name = "reno",
	.flags = TCP_CONG_NON_RESTRICTED,
	.ssthresh = tcp_reno_ssthresh,
	.cong_avoid = tcp_reno_cong_avoid,
	.set_state = nullptr,
	.cwnd_event = nullptr,
	.in_ack_event = nullptr,
	.pkts_acked = nullptr,
	.min_tso_segs = nullptr,
	.cong_control = nullptr,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.sndbuf_expand = nullptr,
	.init = nullptr,
	.release = nullptr,
};

} // namespace skbwalk
