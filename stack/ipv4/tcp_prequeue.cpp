// SPDX-License-Identifier: GPL-2.0-only
//
// The prequeue of linux-4.4 (net/ipv4/tcp_ipv4.c and tcp.c of that release; gone since 4.14): while a task
// sleeps in recv, its segments wait for it in tcp_sock::ucopy and it processes them itself, so that ACKs are
// paced by the reader. Entered only with the profile's feature `prequeue`.

#include "stack/ipv4/tcp.h"

namespace skbwalk {

// Queues the segment for the reader that sleeps; wakes it with the first one, and processes all when they
// take more than the receive buffer. False: not taken.
bool tcp_prequeue(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.ucopy.task)
		return false;
	if (skb->len <= tcp_hdr(*skb).doff() * 4 && skb_queue_empty(tp.ucopy.prequeue))
		return false; // a bare ACK wakes nobody
	static_cast<void>(skb_dst_force(*skb));
	tp.ucopy.memory += static_cast<int>(skb->truesize);
	__skb_queue_tail(tp.ucopy.prequeue, std::move(skb));

	if (tp.ucopy.memory > sk.sk_rcvbuf) {
		while (skb_ptr first = __skb_dequeue(tp.ucopy.prequeue))
			sk_backlog_rcv(sk, std::move(first));
		tp.ucopy.memory = 0;
	} else if (skb_queue_len(tp.ucopy.prequeue) == 1) {
		wake_up_interruptible_sync_poll(*sk_sleep(sk), EPOLLIN | EPOLLRDNORM | EPOLLRDBAND);
		if (!inet_csk_ack_scheduled(sk))
			inet_csk_reset_xmit_timer(sk, ICSK_TIME_DACK, 3 * tcp_rto_min(sk) / 4, TCP_RTO_MAX);
	}
	return true;
}

// The reader's share: it holds the socket.
void tcp_prequeue_process(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	// Bottom halves off, as in a softirq: what runs here expects it.
	local_bh_disable();
	while (skb_ptr skb = __skb_dequeue(tp.ucopy.prequeue))
		sk_backlog_rcv(sk, std::move(skb));
	local_bh_enable();
	tp.ucopy.memory = 0;
}

} // namespace skbwalk
