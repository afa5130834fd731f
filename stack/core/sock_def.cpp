// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c: what a socket does by default. The callbacks that wake sleepers and pollers, timers that
// hold a reference, the route that it keeps and what that route's device can do, and answers for operations
// that a protocol lacks.
#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"

namespace skbwalk {

namespace {

// What a signal to an asynchronous reader would say (SI_IO's bands).
constexpr int band_in = 1, band_out = 2, band_err = 4;

} // namespace

// --- waking ---

void sock_def_wakeup(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_all(sk.sk_wq->wait);
	rcu_read_unlock();
}

void sock_def_error_report(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_poll(sk.sk_wq->wait, EPOLLERR);
	sk_wake_async(sk, SOCK_WAKE_IO, band_err);
	rcu_read_unlock();
}

void sock_def_readable(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_sync_poll(sk.sk_wq->wait,
		                                EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
	sk_wake_async(sk, SOCK_WAKE_WAITD, band_in);
	rcu_read_unlock();
}

void sock_def_write_space(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (sock_writeable(sk)) {
		if (skwq_has_sleeper(sk))
			wake_up_interruptible_sync_poll(sk.sk_wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
		sk_wake_async(sk, SOCK_WAKE_SPACE, band_out);
	}
	rcu_read_unlock();
}

void sk_error_report(sock &sk)
{
	TRACE(sk);
	sk.sk_error_report(sk);
}

// Unlike the kernel, where a file can have an owner to signal, nobody is told of urgent data but who polls.
void sk_send_sigurg(sock &sk)
{
	TRACE(sk);
	assert(!sock_flag(sk, SOCK_FASYNC));
}

int sk_wait_data(sock &sk, long &timeo, const sk_buff *last)
{
	TRACE(sk);
	wait_queue_entry wait;

	init_wait_func(wait, woken_wake_function);
	add_wait_queue(*sk_sleep(sk), wait);
	const int rc = sk_wait_event(
		sk, timeo, [&] { return skb_peek_tail(sk.sk_receive_queue) != last; }, wait);
	remove_wait_queue(*sk_sleep(sk), wait);
	return rc;
}

// --- timers and the route ---

void sk_reset_timer(sock &sk, timer_list &timer, u32 expires)
{
	TRACE(sk);
	if (!mod_timer(timer, expires))
		sock_hold(sk);
}

void sk_stop_timer(sock &sk, timer_list &timer)
{
	TRACE(sk);
	if (del_timer(timer))
		__sock_put(sk);
}

void sk_stop_timer_sync(sock &sk, timer_list &timer)
{
	TRACE(sk);
	if (del_timer_sync(timer))
		__sock_put(sk);
}

dst_entry *__sk_dst_check(sock &sk, u32 cookie)
{
	TRACE(sk);
	dst_entry *dst = __sk_dst_get(sk);

	if (dst && dst->obsolete && !dst->ops->check(*dst, cookie)) {
		sk_tx_queue_clear(sk);
		sk.sk_dst_pending_confirm = 0;
		sk.sk_dst_cache = nullptr;
		dst_release(dst);
		return nullptr;
	}
	return dst;
}

dst_entry *sk_dst_check(sock &sk, u32 cookie)
{
	TRACE(sk);
	dst_entry *dst = sk_dst_get(sk);

	if (dst && dst->obsolete && !dst->ops->check(*dst, cookie)) {
		sk_dst_reset(sk);
		dst_release(dst);
		return nullptr;
	}
	return dst;
}

static void sk_trim_gso_size(sock &sk)
{
	TRACE(sk);
	if (sk.sk_gso_max_size <= GSO_LEGACY_MAX_SIZE)
		return;
	sk.sk_gso_max_size = GSO_LEGACY_MAX_SIZE;
}

// What the route's device can do for this socket.
void sk_setup_caps(sock &sk, dst_entry *dst)
{
	TRACE(sk);
	constexpr u32 max_tcp_header = 160 + 160; // L1_CACHE_ALIGN(128 + MAX_HEADER)
	u32 max_segs = 1;

	rcu_read_lock();
	const net_device &dev = *dst->dev;
	sk.sk_route_caps = dev.features;
	if (sk.sk_type == SOCK_STREAM && sk.sk_protocol == IPPROTO_TCP)
		sk.sk_route_caps |= NETIF_F_GSO;
	if (sk.sk_route_caps & NETIF_F_GSO)
		sk.sk_route_caps |= NETIF_F_GSO_SOFTWARE;
	if (sk.sk_gso_disabled)
		sk.sk_route_caps &= ~NETIF_F_GSO_MASK;
	if (sk_can_gso(sk)) {
		sk.sk_route_caps |= NETIF_F_SG | NETIF_F_HW_CSUM;
		sk.sk_gso_max_size = dev.gso_max_size;
		sk_trim_gso_size(sk);
		sk.sk_gso_max_size -= max_tcp_header + 1;
		max_segs = std::max<u32>(dev.gso_max_segs, 1);
	}
	sk.sk_gso_max_segs = static_cast<u16>(max_segs);
	sk_dst_set(sk, dst);
	rcu_read_unlock();
}

u32 sock_i_uid(sock &sk)
{
	TRACE(sk);
	_raw_read_lock_bh(sk.sk_callback_lock);
	const u32 uid = sk.sk_socket ? sk.sk_socket->i_uid : 0;
	_raw_read_unlock_bh(sk.sk_callback_lock);
	return uid;
}

// --- operations that a protocol may lack ---

int sock_no_bind(socket &, sockaddr_storage &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_connect(socket &, sockaddr_storage &, int, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_accept(socket &, socket &, int, bool)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_listen(socket &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_shutdown(socket &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_common_setsockopt(socket &sock, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sock.sk);
	return sock.sk->sk_prot->setsockopt(*sock.sk, level, optname, optval, optlen);
}

int sock_common_getsockopt(socket &sock, int level, int optname, void *optval, int &optlen)
{
	TRACE(sock.sk);
	return sock.sk->sk_prot->getsockopt(*sock.sk, level, optname, optval, optlen);
}

int sock_common_recvmsg(socket &sock, msghdr &msg, std::size_t size, int flags)
{
	TRACE(sock.sk);
	int addr_len = 0;
	const int err = sock.sk->sk_prot->recvmsg(*sock.sk, msg, size, flags, addr_len);

	if (err >= 0)
		msg.msg_namelen = addr_len;
	return err;
}

} // namespace skbwalk
