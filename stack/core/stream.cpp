// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/stream.c: waiting on a stream socket, for a connection, for room to send, for the end; and what it
// gives back when it dies.
#include "stack/core/sock.h"

namespace skbwalk {

void sk_stream_write_space(sock &sk)
{
	TRACE(sk);
	socket *sock = sk.sk_socket;

	if (!__sk_stream_is_writeable(sk, 1) || !sock)
		return;
	sock->flags &= ~(1u << SOCK_NOSPACE);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_poll(sk.sk_wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	rcu_read_unlock();
}

int sk_stream_wait_connect(sock &sk, long &timeo)
{
	TRACE(sk);
	wait_queue_entry wait;
	int done;

	init_wait_func(wait, woken_wake_function);
	do {
		if (const int err = sock_error(sk))
			return err;
		if ((1u << sk.sk_state) & ~(TCPF_SYN_SENT | TCPF_SYN_RECV))
			return -EPIPE;
		if (!timeo)
			return -EAGAIN;
		if (signal_pending(*current.task))
			return sock_intr_errno(timeo);
		add_wait_queue(*sk_sleep(sk), wait);
		++sk.sk_write_pending;
		done = sk_wait_event(
			sk, timeo,
			[&] {
				return !sk.sk_err &&
			               !((1u << sk.sk_state) & ~(TCPF_ESTABLISHED | TCPF_CLOSE_WAIT));
			},
			wait);
		remove_wait_queue(*sk_sleep(sk), wait);
		--sk.sk_write_pending;
	} while (!done);
	return done < 0 ? done : 0;
}

// Is there something of ours that the peer has not acknowledged?
static bool sk_stream_closing(const sock &sk)
{
	TRACE(sk);
	return (1u << sk.sk_state) & (TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK);
}

void sk_stream_wait_close(sock &sk, long timeout)
{
	TRACE(sk);
	wait_queue_entry wait;

	if (!timeout)
		return;
	init_wait_func(wait, woken_wake_function);
	add_wait_queue(*sk_sleep(sk), wait);
	do {
		if (sk_wait_event(
			    sk, timeout, [&] { return !sk_stream_closing(sk); }, wait))
			break;
	} while (!signal_pending(*current.task) && timeout);
	remove_wait_queue(*sk_sleep(sk), wait);
}

int sk_stream_wait_memory(sock &sk, long &timeo)
{
	TRACE(sk);
	wait_queue_entry wait;
	long vm_wait = 0;
	long current_timeo = timeo;
	int err = 0;

	init_wait_func(wait, woken_wake_function);
	// The socket may have more, but there is none: try again soon.
	if (sk_stream_memory_free(sk))
		current_timeo = vm_wait = prandom_u32_max(HZ / 5) + 2;
	add_wait_queue(*sk_sleep(sk), wait);
	for (;;) {
		if (sk.sk_err || (sk.sk_shutdown & SEND_SHUTDOWN)) {
			err = -EPIPE;
			break;
		}
		if (!timeo) {
			// So that the space that comes is told to who polls.
			sk.sk_socket->flags |= 1u << SOCK_NOSPACE;
			err = -EAGAIN;
			break;
		}
		if (signal_pending(*current.task)) {
			err = sock_intr_errno(timeo);
			break;
		}
		if (sk_stream_memory_free(sk) && !vm_wait)
			break;
		sk.sk_socket->flags |= 1u << SOCK_NOSPACE;
		++sk.sk_write_pending;
		const int ret = sk_wait_event(
			sk, current_timeo,
			[&] {
				return sk.sk_err || (sk.sk_shutdown & SEND_SHUTDOWN) ||
			               (sk_stream_memory_free(sk) && !vm_wait);
			},
			wait);
		--sk.sk_write_pending;
		if (ret < 0) {
			err = -EPIPE;
			break;
		}
		if (vm_wait) {
			vm_wait -= current_timeo;
			current_timeo = timeo;
			if (current_timeo != MAX_SCHEDULE_TIMEOUT && (current_timeo -= vm_wait) < 0)
				current_timeo = 0;
			vm_wait = 0;
		}
		timeo = current_timeo;
	}
	if (!sock_flag(sk, SOCK_DEAD))
		remove_wait_queue(*sk_sleep(sk), wait);
	return err;
}

// Unlike the kernel, no SIGPIPE is sent: programs are lists of calls and would not survive it.
int sk_stream_error(sock &sk, int, int err)
{
	TRACE(sk);
	if (err == -EPIPE)
		if (const int pending = sock_error(sk))
			err = pending;
	return err;
}

void sk_stream_kill_queues(sock &sk)
{
	TRACE(sk);
	__skb_queue_purge(sk.sk_receive_queue);
	skb_queue_purge(sk.sk_error_queue);
	assert(skb_queue_empty(sk.sk_write_queue));
	sk_mem_reclaim_final(sk);
	assert(!sk.sk_wmem_queued);
}

} // namespace skbwalk
