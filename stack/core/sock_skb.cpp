// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c: the packets of a socket. On the way out sock_alloc_send_pskb waits for room and
// skb_set_owner_w counts the packet until sock_wfree; on the way in sock_queue_rcv_skb_reason filters, counts
// until sock_rfree, queues and wakes. The error queue holds what came back.
#include "stack/core/errqueue.h"
#include "stack/core/sock.h"
#include "stack/core/sock_orphan.h"
#include "stack/core/sysctl_net_core.h"

namespace skbwalk {

// --- destructors: what a packet gives back when it ends ---

// As sock_def_write_space, where a reader of the hash may still look at the socket.
static void sock_def_write_space_wfree(sock &sk)
{
	TRACE(sk);
	if (!sock_writeable(sk))
		return;
	if (sk.sk_wq && waitqueue_active(sk.sk_wq->wait))
		wake_up_interruptible_sync_poll(sk.sk_wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	sk_wake_async(sk, SOCK_WAKE_SPACE, 2);
}

void sock_wfree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	sock &sk = *skb.sk;
	auto len = static_cast<int>(skb.truesize);

	if (!sock_flag(sk, SOCK_USE_WRITE_QUEUE)) {
		if (sock_flag(sk, SOCK_RCU_FREE) && sk.sk_write_space == sock_def_write_space) {
			rcu_read_lock();
			const bool last = refcount_sub_and_test(len, sk.sk_wmem_alloc);
			sock_def_write_space_wfree(sk);
			rcu_read_unlock();
			if (last)
				__sk_free(sk);
			return;
		}
		// One stays, so that the socket lives through sk_write_space().
		[[maybe_unused]] const bool was_last = refcount_sub_and_test(len - 1, sk.sk_wmem_alloc);
		assert(!was_last);
		sk.sk_write_space(sk);
		len = 1;
	}
	if (refcount_sub_and_test(len, sk.sk_wmem_alloc))
		__sk_free(sk);
}

void __sock_wfree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	const auto len = static_cast<int>(skb.truesize);

	if (refcount_sub_and_test(len, skb.sk->sk_wmem_alloc))
		__sk_free(*skb.sk);
}

void sock_rfree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	sock &sk = *skb.sk;
	const auto len = static_cast<int>(skb.truesize);

	sk.sk_backlog.rmem_alloc -= len;
	sk_mem_uncharge(sk, len);
}

void sock_efree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	sock_put(*skb.sk);
}

static void sock_ofree(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	skb.sk->sk_omem_alloc -= static_cast<int>(skb.truesize);
}

void sock_rmem_free(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	skb.sk->sk_backlog.rmem_alloc -= static_cast<int>(skb.truesize);
}

// --- owners ---

void skb_set_owner_w(sk_buff &skb, sock &sk)
{
	TRACE(skb, sk);
	skb_orphan(skb);
	skb.sk = &sk;
	if (!sk_fullsock(sk)) {
		skb.destructor = sock_edemux;
		sock_hold(sk);
		return;
	}
	skb.destructor = sock_wfree;
	skb_set_hash_from_sk(skb, sk);
	refcount_add(static_cast<int>(skb.truesize), sk.sk_wmem_alloc);
}

// Unlike the kernel, which knows tcp_wfree by its address, TCP's own destructor is known by what it is not:
// the core does not reach up.
static bool can_skb_orphan_partial(const sk_buff &skb)
{
	TRACE(skb);
	if (skb.decrypted || !skb.sk)
		return false;
	return skb.destructor == sock_wfree ||
	       (sk_fullsock(*skb.sk) && skb.sk->sk_protocol == IPPROTO_TCP && skb.destructor &&
	        skb.destructor != sock_efree && skb.destructor != __sock_wfree &&
	        skb.destructor != sock_rfree);
}

void skb_orphan_partial(sk_buff &skb)
{
	TRACE(skb, skb.sk);
	if (skb.truesize == 2) // skb_is_tcp_pure_ack
		return;
	if (can_skb_orphan_partial(skb) && skb_set_owner_sk_safe(skb, *skb.sk))
		return;
	skb_orphan(skb);
}

// --- out ---

skb_ptr sock_wmalloc(sock &sk, u64 size, int force, gfp_t priority)
{
	TRACE(sk);
	if (!force && refcount_read(sk.sk_wmem_alloc) >= sk.sk_sndbuf)
		return nullptr;
	skb_ptr skb = alloc_skb(static_cast<u32>(size), priority);
	if (skb)
		skb_set_owner_w(*skb, sk);
	return skb;
}

void *sock_kmalloc(sock &sk, int size, gfp_t priority)
{
	TRACE(sk);
	const int optmem_max = net_core->optmem_max;

	if (size > optmem_max || sk.sk_omem_alloc + size >= optmem_max)
		return nullptr;
	sk.sk_omem_alloc += size; // before what may sleep
	void *mem = __kmalloc(static_cast<std::size_t>(size), priority);
	if (!mem)
		sk.sk_omem_alloc -= size;
	return mem;
}

void sock_kfree_s(sock &sk, void *mem, int size)
{
	TRACE(sk);
	kfree(mem);
	sk.sk_omem_alloc -= size;
}

// For what counts as options: error reports, zero copy notes.
skb_ptr sock_omalloc(sock &sk, u64 size, gfp_t priority)
{
	TRACE(sk);
	if (sk.sk_omem_alloc + static_cast<int>(SKB_TRUESIZE(static_cast<u32>(size))) > net_core->optmem_max)
		return nullptr;
	skb_ptr skb = alloc_skb(static_cast<u32>(size), priority);
	if (!skb)
		return nullptr;
	sk.sk_omem_alloc += static_cast<int>(skb->truesize);
	skb->sk = &sk;
	skb->destructor = sock_ofree;
	return skb;
}

static long sock_wait_for_wmem(sock &sk, long timeo)
{
	TRACE(sk);
	wait_queue_entry wait;

	init_wait(wait);
	while (timeo && !signal_pending(*current.task)) {
		sk.sk_socket->flags |= 1u << SOCK_NOSPACE;
		prepare_to_wait(*sk_sleep(sk), wait, TASK_INTERRUPTIBLE);
		if (refcount_read(sk.sk_wmem_alloc) < sk.sk_sndbuf || (sk.sk_shutdown & SEND_SHUTDOWN) ||
		    sk.sk_err)
			break;
		timeo = schedule_timeout(timeo);
	}
	finish_wait(*sk_sleep(sk), wait);
	return timeo;
}

skb_ptr sock_alloc_send_pskb(sock &sk, u64 header_len, u64 data_len, int noblock, int &errcode,
                             int max_page_order)
{
	TRACE(sk);
	long timeo = sock_sndtimeo(sk, noblock);

	for (;;) {
		errcode = sock_error(sk);
		if (errcode)
			return nullptr;
		if (sk.sk_shutdown & SEND_SHUTDOWN) {
			errcode = -EPIPE;
			return nullptr;
		}
		if (sk_wmem_alloc_get(sk) < sk.sk_sndbuf)
			break;
		sk.sk_socket->flags |= 1u << SOCK_NOSPACE;
		if (!timeo) {
			errcode = -EAGAIN;
			return nullptr;
		}
		if (signal_pending(*current.task)) {
			errcode = sock_intr_errno(timeo);
			return nullptr;
		}
		timeo = sock_wait_for_wmem(sk, timeo);
	}
	skb_ptr skb = alloc_skb_with_frags(header_len, data_len, max_page_order, errcode, sk.sk_allocation);
	if (skb)
		skb_set_owner_w(*skb, sk);
	return skb;
}

// --- in ---

// A failure leaves the packet with the caller.
int __sock_queue_rcv_skb(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	sk_buff_head &list = sk.sk_receive_queue;

	if (sk_rmem_alloc_get(sk) >= sk.sk_rcvbuf) {
		atomic_inc(sk.sk_drops);
		return -ENOMEM;
	}
	if (!sk_rmem_schedule(sk, *skb, static_cast<int>(skb->truesize))) {
		atomic_inc(sk.sk_drops);
		return -ENOBUFS;
	}
	skb->dev = nullptr;
	skb_set_owner_r(*skb, sk);
	skb_dst_force(*skb);
	const unsigned long flags = _raw_spin_lock_irqsave(list.lock);
	__skb_queue_tail(list, std::move(skb));
	_raw_spin_unlock_irqrestore(list.lock, flags);
	if (!sock_flag(sk, SOCK_DEAD))
		sk.sk_data_ready(sk);
	return 0;
}

// A failure leaves the packet with the caller, who frees it with the reason.
int sock_queue_rcv_skb_reason(sock &sk, skb_ptr &skb, skb_drop_reason *reason)
{
	TRACE(sk, skb);
	skb_drop_reason drop_reason = SKB_NOT_DROPPED_YET;
	int err = sk_filter(sk, *skb);

	if (err) {
		drop_reason = SKB_DROP_REASON_SOCKET_FILTER;
	} else {
		err = __sock_queue_rcv_skb(sk, skb);
		if (err == -ENOMEM)
			drop_reason = SKB_DROP_REASON_SOCKET_RCVBUFF;
		else if (err == -ENOBUFS)
			drop_reason = SKB_DROP_REASON_PROTO_MEM;
	}
	if (reason)
		*reason = drop_reason;
	return err;
}

int __sk_receive_skb(sock &sk, skb_ptr skb, int, u32 trim_cap, bool refcounted)
{
	TRACE(sk, skb);
	int rc = 0;

	if (sk_filter_trim_cap(sk, *skb, trim_cap)) {
		kfree_skb(std::move(skb));
	} else {
		skb->dev = nullptr;
		if (sk_rcvqueues_full(sk, static_cast<u32>(sk.sk_rcvbuf))) {
			atomic_inc(sk.sk_drops);
			kfree_skb(std::move(skb));
		} else {
			bh_lock_sock(sk);
			if (!sock_owned_by_user(sk)) {
				rc = sk_backlog_rcv(sk, std::move(skb));
				bh_unlock_sock(sk);
			} else {
				const int err = sk_add_backlog(sk, skb, static_cast<u32>(sk.sk_rcvbuf));

				bh_unlock_sock(sk);
				if (err) {
					atomic_inc(sk.sk_drops);
					kfree_skb(std::move(skb));
				}
			}
		}
	}
	if (refcounted)
		sock_put(sk);
	return rc;
}

// --- the error queue ---

static void skb_set_err_queue(sk_buff &skb)
{
	TRACE(skb);
	skb.pkt_type = PACKET_OUTGOING;
}

// A failure leaves the packet with the caller.
int sock_queue_err_skb(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	if (sk_rmem_alloc_get(sk) + static_cast<int>(skb->truesize) >= sk.sk_rcvbuf)
		return -ENOMEM;
	skb_orphan(*skb);
	skb->sk = &sk;
	skb->destructor = sock_rmem_free;
	sk.sk_backlog.rmem_alloc += static_cast<int>(skb->truesize);
	skb_set_err_queue(*skb);
	skb_dst_force(*skb);
	skb_queue_tail(sk.sk_error_queue, std::move(skb));
	if (!sock_flag(sk, SOCK_DEAD))
		sk_error_report(sk);
	return 0;
}

static bool is_icmp_err_skb(sk_buff *skb)
{
	TRACE(skb);
	return skb && SKB_EXT_ERR(*skb).ee.ee_origin == SO_EE_ORIGIN_ICMP;
}

skb_ptr sock_dequeue_err_skb(sock &sk)
{
	TRACE(sk);
	sk_buff_head &q = sk.sk_error_queue;
	sk_buff *skb_next = nullptr;
	bool icmp_next = false;
	const unsigned long flags = _raw_spin_lock_irqsave(q.lock);
	skb_ptr skb = __skb_dequeue(q);

	if (skb && (skb_next = skb_peek(q))) {
		icmp_next = is_icmp_err_skb(skb_next);
		if (icmp_next)
			sk.sk_err = static_cast<int>(SKB_EXT_ERR(*skb_next).ee.ee_errno);
	}
	_raw_spin_unlock_irqrestore(q.lock, flags);
	if (is_icmp_err_skb(skb.get()) && !icmp_next)
		sk.sk_err = 0;
	if (skb_next)
		sk_error_report(sk);
	return skb;
}

} // namespace skbwalk
