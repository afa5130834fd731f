// SPDX-License-Identifier: GPL-2.0-only
//
// TCP small queues, and what waits for the socket's owner (net/ipv4/tcp_output.c). A segment that left qdisc
// and device ends in tcp_wfree; if its socket was throttled, it is put on the cpu's list and a tasklet sends
// on (tcp_tsq_handler), since sending is not possible from there. The pacing timer comes the same way. Where
// a task owns the socket, bits of sk_tsq_flags remember what to do, and tcp_release_cb does it when the task
// lets go.
#include "stack/ipv4/tcp_output.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/tasklet.h"

namespace skbwalk {

namespace {

struct tsq_tasklet_state {
	tasklet_struct tasklet;
	list_head head; // throttled sockets that may send again
};
percpu<tsq_tasklet_state> tsq_tasklet;

constexpr u32 TCP_DEFERRED_ALL = TCPF_TSQ_DEFERRED | TCPF_WRITE_TIMER_DEFERRED | TCPF_DELACK_TIMER_DEFERRED |
                                 TCPF_MTU_REDUCED_DEFERRED;

} // namespace

static void tcp_tsq_write(sock &sk)
{
	TRACE(sk);
	if (!(1u << sk.sk_state &
	      (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_LAST_ACK)))
		return;
	TRACE_PART();
	tcp_sock &tp = tcp_sk(sk);

	if (tp.lost_out > tp.retrans_out && tcp_snd_cwnd(tp) > tcp_packets_in_flight(tp)) {
		tcp_mstamp_refresh(tp);
		tcp_xmit_retransmit_queue(sk);
	}
	tcp_write_xmit(sk, tcp_current_mss(sk), tp.nonagle, 0, GFP_ATOMIC);
}

void tcp_tsq_handler(sock &sk)
{
	TRACE(sk);
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		tcp_tsq_write(sk);
	} else if (!(sk.sk_tsq_flags & TCPF_TSQ_DEFERRED)) {
		sk.sk_tsq_flags |= TCPF_TSQ_DEFERRED;
		sock_hold(sk);
	}
	bh_unlock_sock(sk);
}

static void tcp_tasklet_func(tasklet_struct &)
{
	TRACE();
	list_head list;
	const unsigned long flags = local_irq_save();

	list_splice_init(tsq_tasklet->head, list);
	local_irq_restore(flags);
	while (!list_empty(list)) {
		tcp_sock &tp = list_entry<tcp_sock>(*list.next, &tcp_sock::tsq_node);

		list_del_init(tp.tsq_node);
		tp.sk_tsq_flags &= ~TSQF_QUEUED;
		tcp_tsq_handler(tp);
		sk_free(tp);
	}
}

void tcp_release_cb(sock &sk)
{
	TRACE(sk);
	const u32 flags = sk.sk_tsq_flags;

	if (!(flags & TCP_DEFERRED_ALL))
		return;
	sk.sk_tsq_flags = flags & ~TCP_DEFERRED_ALL;
	if (flags & TCPF_TSQ_DEFERRED) {
		tcp_tsq_write(sk);
		__sock_put(sk);
	}
	// What follows is a softirq's work: the lock is held, bottom halves are off, and nobody owns the
	// socket any more.
	sock_release_ownership(sk);
	if (flags & TCPF_WRITE_TIMER_DEFERRED) {
		tcp_write_timer_handler(sk);
		__sock_put(sk);
	}
	if (flags & TCPF_DELACK_TIMER_DEFERRED) {
		tcp_delack_timer_handler(sk);
		__sock_put(sk);
	}
	if (flags & TCPF_MTU_REDUCED_DEFERRED) {
		inet_csk(sk).icsk_af_ops->mtu_reduced(sk);
		__sock_put(sk);
	}
}

void tcp_tasklet_init()
{
	TRACE();
	for (const auto &c : current.host->cpus)
		tasklet_setup(tsq_tasklet.of(*c).tasklet, tcp_tasklet_func);
}

// The destructor of segments with data. One unit of sk_wmem_alloc stays until sk_free, here or in the
// tasklet.
void tcp_wfree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	sock &sk = *skb.sk;
	[[maybe_unused]] const bool was_last =
		refcount_sub_and_test(static_cast<int>(skb.truesize) - 1, sk.sk_wmem_alloc);
	assert(!was_last);
	const int left = refcount_read(sk.sk_wmem_alloc);

	// ksoftirqd runs only under load: then wait until all is drained.
	const bool loaded = left >= static_cast<int>(SKB_TRUESIZE(1)) && current.cpu->ksoftirqd &&
	                    current.cpu->ksoftirqd.get() == current.task;
	if (loaded || !(sk.sk_tsq_flags & TSQF_THROTTLED) || (sk.sk_tsq_flags & TSQF_QUEUED)) {
		sk_free(sk);
		return;
	}
	sk.sk_tsq_flags = (sk.sk_tsq_flags & ~TSQF_THROTTLED) | TSQF_QUEUED;

	const unsigned long flags = local_irq_save();
	tsq_tasklet_state &tsq = *tsq_tasklet;
	const bool empty = list_empty(tsq.head);

	list_add(tcp_sk(sk).tsq_node, tsq.head);
	if (empty)
		tasklet_schedule(tsq.tasklet);
	local_irq_restore(flags);
}

hrtimer_restart tcp_pace_kick(hrtimer &timer)
{
	TRACE();
	sock &sk = container_of(timer, &tcp_sock::pacing_timer);

	tcp_tsq_handler(sk);
	sock_put(sk);
	return HRTIMER_NORESTART;
}

} // namespace skbwalk
