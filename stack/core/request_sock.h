// SPDX-License-Identifier: GPL-2.0-only
//
// Requests for a connection and the accept queue (include/net/request_sock.h).
#pragma once

#include "stack/core/sock.h"

namespace skbwalk {

struct request_sock_ops {
	u16 family;
	u32 obj_size;
	request_sock *(*construct)(void *memory);
	void (*destruct)(request_sock &req); // of the C++ object
	int (*rtx_syn_ack)(const sock &sk, request_sock &req);
	void (*send_ack)(const sock &sk, sk_buff &skb, request_sock &req);
	void (*send_reset)(const sock *sk, sk_buff &skb);
	void (*destructor)(request_sock &req);
	void (*syn_ack_timeout)(const request_sock &req);
};

struct saved_syn {
	u32 mac_hdrlen, network_hdrlen, tcp_hdrlen;
	std::vector<u8> data;
};

struct request_sock : sock_common {
	request_sock *dl_next = nullptr; // accept queue
	u16 mss = 0;
	u8 num_retrans = 0;
	u8 syncookie : 1 = 0;
	u8 num_timeout : 7 = 0;
	u32 ts_recent = 0;
	timer_list rsk_timer;
	const request_sock_ops *rsk_ops = nullptr;
	sock *sk = nullptr; // the child, once it is made
	saved_syn *saved_syn_ptr = nullptr;
	u32 secid = 0, peer_secid = 0;
	u32 timeout = 0;
	u32 rsk_window_clamp = 0;
	u32 rsk_rcv_wnd = 0;
	int rsk_refcnt_unused = 0;
	sock *&rsk_listener() { return skc_listener; }
	sock *rsk_listener() const { return skc_listener; }
};
inline request_sock &inet_reqsk(sock_common &sk) { return static_cast<request_sock &>(sk); }

struct tcp_fastopen_context;
// Of a listener that takes data with a SYN. Those that were reset stay on rskq_rst_head for a minute.
struct fastopen_queue {
	request_sock *rskq_rst_head = nullptr, *rskq_rst_tail = nullptr;
	spinlock_t lock;            // against tcp_fastopen_queue_check, accept and the handshake's end
	int qlen = 0, max_qlen = 0; // handshakes that are not done; as many may be, 0: none
	tcp_fastopen_context *ctx = nullptr; // keys of its own; null: the namespace's
};
struct request_sock_queue {
	spinlock_t rskq_lock;
	u8 rskq_defer_accept = 0;
	u32 synflood_warned = 0;
	int qlen = 0;  // requests whose handshake is under way
	int young = 0; // of these, not yet retransmitted
	request_sock *rskq_accept_head = nullptr;
	request_sock *rskq_accept_tail = nullptr;
	fastopen_queue fastopenq;
};
void reqsk_queue_alloc(request_sock_queue &queue);
inline bool reqsk_queue_empty(const request_sock_queue &q) { return !q.rskq_accept_head; }
request_sock *reqsk_queue_remove(request_sock_queue &queue, sock &parent); // header inline
void reqsk_queue_removed(request_sock_queue &queue, const request_sock &req);
void reqsk_queue_added(request_sock_queue &queue);
inline int reqsk_queue_len(const request_sock_queue &q) { return q.qlen; }
inline int reqsk_queue_len_young(const request_sock_queue &q) { return q.young; }
kmem_cache &rsk_slab_of(const request_sock_ops &ops);
request_sock *reqsk_alloc(const proto &prot, const request_sock_ops &ops, sock *sk_listener,
                          bool attach_listener); // header inline
void __reqsk_free(request_sock &req);            // header inline
void reqsk_free(request_sock &req);
void reqsk_put(request_sock &req); // header inline: frees at zero
u32 reqsk_timeout(const request_sock &req, u32 max_timeout);

// --- header inlines ---
inline request_sock *reqsk_queue_remove(request_sock_queue &queue, sock &parent)
{
	TRACE_INLINE(parent);
	spin_lock_bh(queue.rskq_lock);
	request_sock *req = queue.rskq_accept_head;
	if (req) {
		sk_acceptq_removed(parent);
		queue.rskq_accept_head = req->dl_next;
		if (!queue.rskq_accept_head)
			queue.rskq_accept_tail = nullptr;
	}
	spin_unlock_bh(queue.rskq_lock);
	return req;
}
inline void reqsk_queue_removed(request_sock_queue &queue, const request_sock &req)
{
	TRACE_INLINE();
	if (req.num_timeout == 0)
		--queue.young;
	--queue.qlen;
}
inline void reqsk_queue_added(request_sock_queue &queue)
{
	TRACE_INLINE();
	++queue.young;
	++queue.qlen;
}
// Holds nothing but, if asked, its listener; null when that is going, or without memory.
inline request_sock *reqsk_alloc(const proto &, const request_sock_ops &ops, sock *sk_listener,
                                 bool attach_listener)
{
	TRACE_INLINE(sk_listener);
	kmem_cache &slab = rsk_slab_of(ops);
	void *memory = kmem_cache_alloc(slab, GFP_ATOMIC);

	if (!memory)
		return nullptr;
	if (attach_listener && !refcount_inc_not_zero(sk_listener->skc_refcnt)) {
		kmem_cache_free(slab, memory);
		return nullptr;
	}
	std::memset(memory, 0, ops.obj_size);
	request_sock *req = ops.construct(memory);
	req->rsk_listener() = attach_listener ? sk_listener : nullptr;
	req->rsk_ops = &ops;
	req->sk_prot = sk_listener->sk_prot;
	req->trace_id = new_sock_id();
	sk_tx_queue_clear(*req);
	refcount_set(req->skc_refcnt, 0);
	return req;
}
inline void __reqsk_free(request_sock &req)
{
	TRACE_INLINE();
	const request_sock_ops &ops = *req.rsk_ops;

	ops.destructor(req);
	if (req.rsk_listener())
		sock_put(*req.rsk_listener());
	delete req.saved_syn_ptr;
	ops.destruct(req);
	kmem_cache_free(rsk_slab_of(ops), &req);
}
inline void reqsk_free(request_sock &req)
{
	TRACE_INLINE();
	assert(refcount_read(req.skc_refcnt) == 0);
	__reqsk_free(req);
}
inline void reqsk_put(request_sock &req)
{
	TRACE_INLINE();
	if (refcount_dec_and_test(req.skc_refcnt))
		reqsk_free(req);
}
// Of a count beyond 63, which 255 retries allow, x86 takes the low six bits.
inline u32 reqsk_timeout(const request_sock &req, u32 max_timeout)
{
	return static_cast<u32>(std::min(u64{req.timeout} << (req.num_timeout & 63), u64{max_timeout}));
}

} // namespace skbwalk
