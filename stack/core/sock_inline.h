// SPDX-License-Identifier: GPL-2.0-only
//
// The functions that the kernel has inline in include/net/sock.h and that do more than read a field: counts,
// memory accounts, the backlog, the route that a socket keeps, what belongs to a struct socket.
#pragma once

#include <algorithm>

#include "stack/core/neighbour.h"
#include "stack/core/sock.h"
#include "stack/security/security.h"

namespace skbwalk {

// --- counts ---
inline void sock_put(sock &sk)
{
	TRACE_INLINE(sk);
	if (refcount_dec_and_test(sk.skc_refcnt))
		sk_free(sk);
}
inline void sock_prot_inuse_add(net &net, const proto &prot, int val)
{
	TRACE_INLINE();
	proto_state &state = proto_of(prot);

	state.inuse += static_cast<u32>(val);
	net.core.prot_inuse[state.slot] += val;
}
inline void sock_inuse_add(net &net, int val)
{
	TRACE_INLINE();
	net.core.sockets_inuse += val;
}
inline void sk_sockets_allocated_inc(sock &sk) { ++proto_of(*sk.skc_prot).sockets_allocated; }
inline void sk_sockets_allocated_dec(sock &sk) { --proto_of(*sk.skc_prot).sockets_allocated; }
inline void sk_tx_queue_clear(sock_common &sk) { sk.skc_tx_queue_mapping = 0xffff; }
inline void sk_tx_queue_set(sock &sk, int q) { sk.skc_tx_queue_mapping = static_cast<u16>(q); }
inline int sk_tx_queue_get(const sock &sk)
{
	return sk.skc_tx_queue_mapping == 0xffff ? -1 : sk.skc_tx_queue_mapping;
}
inline void sk_rx_queue_set(sock &sk, const sk_buff &skb)
{
	if (skb.queue_mapping) // recorded, plus one
		sk.skc_rx_queue_mapping = static_cast<u16>(skb.queue_mapping - 1);
}
inline void sock_rps_save_rxhash(sock &sk, const sk_buff &skb)
{
	TRACE_INLINE(sk, skb);
	if (sk.sk_rxhash != skb.hash) [[unlikely]] // readers share the line
		sk.sk_rxhash = skb.hash;
}
// Where a connected socket is read or written, its flow's packets shall go. Asks the static key rfs_needed.
void sock_rps_record_flow(const sock &sk);
inline void sk_mark_napi_id(sock &sk, const sk_buff &skb)
{
	sk.sk_napi_id = skb.napi_id;
	sk_rx_queue_set(sk, skb);
}
inline void sk_acceptq_added(sock &sk)
{
	TRACE_INLINE(sk);
	++sk.sk_ack_backlog;
}

// --- the struct socket above ---
inline void sk_set_socket(sock &sk, socket *sock) { sk.sk_socket = sock; }
inline void sock_orphan(sock &sk)
{
	TRACE_INLINE(sk);
	_raw_write_lock_bh(sk.sk_callback_lock);
	sock_set_flag(sk, SOCK_DEAD);
	sk_set_socket(sk, nullptr);
	sk.sk_wq = nullptr;
	_raw_write_unlock_bh(sk.sk_callback_lock);
}
inline void sock_graft(sock &sk, socket &parent)
{
	TRACE_INLINE(sk);
	assert(!parent.sk);
	_raw_write_lock_bh(sk.sk_callback_lock);
	sk.sk_wq = parent.wq;
	parent.sk = &sk;
	sk_set_socket(sk, &parent);
	sk.sk_uid = parent.i_uid;
	security_sock_graft(sk, parent);
	_raw_write_unlock_bh(sk.sk_callback_lock);
}
inline bool skwq_has_sleeper(const sock &sk)
{
	TRACE_INLINE(sk);
	return sk.sk_wq && wq_has_sleeper(&sk.sk_wq->wait);
}
enum { SOCK_WAKE_IO, SOCK_WAKE_WAITD, SOCK_WAKE_SPACE, SOCK_WAKE_URG };
// Signals a process that asked for them by O_ASYNC.
inline void sk_wake_async(sock &sk, [[maybe_unused]] int how, [[maybe_unused]] int band)
{
	TRACE_INLINE(sk);
	assert(!sock_flag(sk, SOCK_FASYNC)); // no fcntl() that sets it
}
inline int sock_error(sock &sk) { return sk.sk_err ? -std::exchange(sk.sk_err, 0) : 0; }

// --- memory accounts; a quantum is a page ---
// Each cpu may hold a megabyte of pages before it books them in memory_allocated.
constexpr long SK_MEMORY_PCPU_RESERVE = (1 << 20) / static_cast<long>(PAGE_SIZE);
inline void sk_memory_allocated_add(const sock &sk, int val)
{
	proto_state &state = proto_of(*sk.skc_prot);
	long &held = state.per_cpu_fw_alloc[current.cpu->id];

	held += val;
	if (held >= SK_MEMORY_PCPU_RESERVE)
		state.memory_allocated += std::exchange(held, 0);
}
inline void sk_memory_allocated_sub(const sock &sk, int val)
{
	proto_state &state = proto_of(*sk.skc_prot);
	long &held = state.per_cpu_fw_alloc[current.cpu->id];

	held -= val;
	if (held <= -SK_MEMORY_PCPU_RESERVE)
		state.memory_allocated += std::exchange(held, 0);
}
inline bool sk_has_memory_pressure(const sock &sk) { return sk.skc_prot->enter_memory_pressure != nullptr; }
inline bool sk_under_global_memory_pressure(const sock &sk)
{
	return proto_of(*sk.skc_prot).memory_pressure != 0;
}
inline bool sk_under_memory_pressure(const sock &sk)
{
	return sk_has_memory_pressure(sk) && proto_of(*sk.skc_prot).memory_pressure != 0;
}
inline bool sk_wmem_schedule(sock &sk, int size)
{
	TRACE_INLINE(sk);
	if (!sk_has_account(sk))
		return true;
	const int delta = size - sk.sk_forward_alloc;

	return delta <= 0 || __sk_mem_schedule(sk, delta, SK_MEM_SEND);
}
inline bool sk_rmem_schedule(sock &sk, [[maybe_unused]] const sk_buff &skb, int size)
{
	TRACE_INLINE(sk, skb);
	if (!sk_has_account(sk))
		return true;
	const int delta = size - sk.sk_forward_alloc;

	return delta <= 0 || __sk_mem_schedule(sk, delta, SK_MEM_RECV);
}
inline void sk_mem_reclaim(sock &sk)
{
	TRACE_INLINE(sk);
	if (!sk_has_account(sk))
		return;
	const int reclaimable = sk.sk_forward_alloc - sk_unused_reserved_mem(sk);

	if (reclaimable >= SK_MEM_QUANTUM)
		__sk_mem_reclaim(sk, reclaimable);
}
inline void sk_mem_reclaim_final(sock &sk)
{
	sk.sk_reserved_mem = 0;
	sk_mem_reclaim(sk);
}
inline void sk_mem_charge(sock &sk, int size)
{
	TRACE_INLINE(sk);
	if (sk_has_account(sk))
		sk.sk_forward_alloc -= size;
}
inline void sk_mem_uncharge(sock &sk, int size)
{
	TRACE_INLINE(sk);
	if (!sk_has_account(sk))
		return;
	sk.sk_forward_alloc += size;
	sk_mem_reclaim(sk);
}
inline void sk_wmem_queued_add(sock &sk, int val) { sk.sk_wmem_queued += val; }
inline bool __sk_stream_memory_free(const sock &sk, int wake)
{
	if (sk.sk_wmem_queued >= sk.sk_sndbuf)
		return false;
	return sk.skc_prot->stream_memory_free ? sk.skc_prot->stream_memory_free(sk, wake) : true;
}
inline bool sk_stream_memory_free(const sock &sk)
{
	TRACE_INLINE(sk);
	return __sk_stream_memory_free(sk, 0);
}
inline bool __sk_stream_is_writeable(const sock &sk, int wake)
{
	return sk_stream_wspace(sk) >= sk_stream_min_wspace(sk) && __sk_stream_memory_free(sk, wake);
}
inline bool sk_stream_is_writeable(const sock &sk) { return __sk_stream_is_writeable(sk, 0); }
inline void sk_stream_moderate_sndbuf(sock &sk)
{
	TRACE_INLINE(sk);
	if (sk.sk_userlocks & SOCK_SNDBUF_LOCK)
		return;
	u32 val = static_cast<u32>(std::min(sk.sk_sndbuf, sk.sk_wmem_queued >> 1));

	val = std::max({val, SOCK_MIN_SNDBUF, static_cast<u32>(sk_unused_reserved_mem(sk))});
	sk.sk_sndbuf = static_cast<int>(val);
}

// --- packets of a socket ---
inline void skb_set_owner_r(sk_buff &skb, sock &sk)
{
	TRACE_INLINE(skb, sk);
	skb_orphan(skb);
	skb.sk = &sk;
	skb.destructor = sock_rfree;
	sk.sk_backlog.rmem_alloc += static_cast<int>(skb.truesize);
	sk_mem_charge(sk, static_cast<int>(skb.truesize));
}
inline bool skb_set_owner_sk_safe(sk_buff &skb, sock &sk)
{
	if (!refcount_inc_not_zero(sk.skc_refcnt))
		return false;
	skb_orphan(skb);
	skb.destructor = sock_efree;
	skb.sk = &sk;
	return true;
}
inline bool sk_rcvqueues_full(const sock &sk, u32 limit)
{
	return static_cast<u32>(sk.sk_backlog.len + sk.sk_backlog.rmem_alloc) > limit;
}
inline void __sk_add_backlog(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(sk, skb);
	skb_dst_force(*skb);
	sk_buff *n = skb.release();

	(sk.sk_backlog.tail ? sk.sk_backlog.tail->next : sk.sk_backlog.head) = n;
	sk.sk_backlog.tail = n;
	n->next = nullptr;
}
inline int sk_add_backlog(sock &sk, skb_ptr &skb, u32 limit)
{
	TRACE_INLINE(sk, skb);
	if (sk_rcvqueues_full(sk, limit))
		return -ENOBUFS;
	const auto truesize = static_cast<int>(skb->truesize);

	__sk_add_backlog(sk, std::move(skb));
	sk.sk_backlog.len += truesize;
	return 0;
}
inline int sk_backlog_rcv(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(sk, skb);
	return sk.sk_backlog_rcv(sk, std::move(skb));
}
inline bool sk_flush_backlog(sock &sk)
{
	TRACE_INLINE(sk);
	if (!sk.sk_backlog.tail)
		return false;
	__sk_flush_backlog(sk);
	return true;
}
inline bool lock_sock_fast(sock &sk)
{
	TRACE_INLINE(sk);
	return __lock_sock_fast(sk);
}
inline void unlock_sock_fast(sock &sk, bool slow)
{
	TRACE_INLINE(sk);
	if (slow)
		release_sock(sk);
	else
		spin_unlock_bh(sk.sk_lock.slock);
}
inline void sk_gso_disable(sock &sk)
{
	TRACE_INLINE(sk);
	sk.sk_gso_disabled = 1;
	sk.sk_route_caps &= ~NETIF_F_GSO_MASK;
}
inline int sk_filter(sock &sk, sk_buff &skb)
{
	TRACE_INLINE(sk, skb);
	return sk_filter_trim_cap(sk, skb, 1);
}
inline int sock_queue_rcv_skb(sock &sk, skb_ptr &skb) { return sock_queue_rcv_skb_reason(sk, skb, nullptr); }
inline skb_ptr sock_alloc_send_skb(sock &sk, u64 size, int noblock, int &errcode)
{
	TRACE_INLINE(sk);
	return sock_alloc_send_pskb(sk, size, 0, noblock, errcode, 0);
}
inline void sk_peek_offset_bwd(sock &sk, int val)
{
	if (sk.sk_peek_off >= 0)
		sk.sk_peek_off = std::max(sk.sk_peek_off - val, 0);
}
inline void sk_peek_offset_fwd(sock &sk, int val)
{
	if (sk.sk_peek_off >= 0)
		sk.sk_peek_off += val;
}
inline int sk_peek_offset(const sock &sk, int flags) { return flags & MSG_PEEK ? sk.sk_peek_off : 0; }
constexpr u64 SK_DEFAULT_STAMP = ~u64{0} * NSEC_PER_SEC;
// Unlike the kernel, msghdr has no room for control messages: only the socket's own stamp is kept.
inline void sock_recv_cmsgs(msghdr &, sock &sk, sk_buff &skb)
{
	TRACE_INLINE(sk, skb);
	if (sock_flag(sk, SOCK_TIMESTAMP))
		sk.sk_stamp = skb.tstamp;
	else if (sk.sk_stamp == SK_DEFAULT_STAMP)
		sk.sk_stamp = 0;
}

// --- bytes of a caller ---
inline int skb_do_copy_data_nocache(sock &sk, sk_buff &skb, iov_iter &from, u8 *to, int copy, int offset)
{
	TRACE_INLINE(sk, skb);
	const auto n = static_cast<std::size_t>(copy);

	if (skb.ip_summed != CHECKSUM_NONE)
		return copy_from_iter_full(to, n, from) ? 0 : -EFAULT;
	__wsum csum = 0;
	if (!csum_and_copy_from_iter_full(to, n, csum, from))
		return -EFAULT;
	skb.csum = csum_block_add(skb.csum, csum, static_cast<u32>(offset));
	return 0;
}
inline int skb_add_data_nocache(sock &sk, sk_buff &skb, iov_iter &from, int copy)
{
	TRACE_INLINE(sk, skb);
	const u32 offset = skb.len;
	const int err = skb_do_copy_data_nocache(sk, skb, from, skb_put(skb, static_cast<u32>(copy)), copy,
	                                         static_cast<int>(offset));

	if (err)
		__skb_trim(skb, offset);
	return err;
}
inline int skb_copy_to_page_nocache(sock &sk, iov_iter &from, sk_buff &skb, page *pg, int off, int copy)
{
	TRACE_INLINE(sk, skb);
	const int err = skb_do_copy_data_nocache(sk, skb, from, reinterpret_cast<u8 *>(pg->data) + off, copy,
	                                         static_cast<int>(skb.len));

	if (err)
		return err;
	skb_len_add(skb, copy);
	sk_wmem_queued_add(sk, copy);
	sk_mem_charge(sk, copy);
	return 0;
}
inline int skb_copy_datagram_msg(const sk_buff &skb, int offset, msghdr &msg, int size)
{
	TRACE_INLINE(skb);
	return skb_copy_datagram_iter(skb, offset, msg.msg_iter, size);
}

// --- the route that a socket keeps ---
inline dst_entry *sk_dst_get(sock &sk)
{
	TRACE_INLINE(sk);
	dst_entry *dst = sk.sk_dst_cache;

	return dst && dst_hold_safe(*dst) ? dst : nullptr;
}
inline void __sk_dst_set(sock &sk, dst_entry *dst)
{
	TRACE_INLINE(sk);
	sk_tx_queue_clear(sk);
	sk.sk_dst_pending_confirm = 0;
	dst_release(std::exchange(sk.sk_dst_cache, dst));
}
inline void sk_dst_set(sock &sk, dst_entry *dst)
{
	TRACE_INLINE(sk);
	sk_tx_queue_clear(sk);
	sk.sk_dst_pending_confirm = 0;
	dst_release(std::exchange(sk.sk_dst_cache, dst));
}
inline void __sk_dst_reset(sock &sk) { __sk_dst_set(sk, nullptr); }
inline void sk_dst_reset(sock &sk) { sk_dst_set(sk, nullptr); }
inline void sk_dst_confirm(sock &sk)
{
	TRACE_INLINE(sk);
	if (!sk.sk_dst_pending_confirm)
		sk.sk_dst_pending_confirm = 1;
}
// TCP saw an answer: the neighbour that the packet goes to is reachable.
inline void sock_confirm_neigh(sk_buff &skb, neighbour &n)
{
	TRACE_INLINE(skb);
	if (!skb.dst_pending_confirm)
		return;
	if (skb.sk && skb.sk->sk_dst_pending_confirm)
		skb.sk->sk_dst_pending_confirm = 0;
	neigh_confirm(n);
}
inline bool sk_can_gso(const sock &sk)
{
	const netdev_features_t feature = static_cast<netdev_features_t>(sk.sk_gso_type) << 16;

	return (sk.sk_route_caps & feature) == feature;
}

// --- waiting ---
// Gives the socket away, sleeps unless condition() holds already, takes the socket back: what condition()
// says then, or -EPIPE when the socket was disconnected meanwhile. A macro in the kernel.
template <class Condition>
int sk_wait_event(sock &sk, long &timeo, Condition condition, wait_queue_entry &wait)
{
	const int dis = sk.sk_disconnects;

	release_sock(sk);
	if (!condition())
		timeo = wait_woken(wait, TASK_INTERRUPTIBLE, timeo);
	lock_sock(sk);
	return dis == sk.sk_disconnects ? static_cast<int>(condition()) : -EPIPE;
}

} // namespace skbwalk
