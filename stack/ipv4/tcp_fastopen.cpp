// SPDX-License-Identifier: GPL-2.0-only
//
// TCP Fast Open (net/ipv4/tcp_fastopen.c, RFC 7413): data in the SYN. A client that asks for it
// (TCP_FASTOPEN_CONNECT, MSG_FASTOPEN) sends with the cookie that it has of this server, or asks for one;
// tcp_try_fastopen is the server's side, called for every SYN: it gives cookies, which are the hash of the
// two addresses with a key of the listener or the namespace, and makes the child at once where the cookie is
// right. Paths on which SYNs with data vanish are remembered, and it rests for a time.
#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"

namespace skbwalk {

// Keys go away a grace period after others took their place.
struct tcp_fastopen_context {
	std::array<siphash_key_t, TCP_FASTOPEN_KEY_MAX> key{};
	u32 num = 0;
	rcu_head rcu;
};

// How many Fast Open connections may wait for the end of their handshake.
void fastopen_queue_tune(sock &sk, int backlog)
{
	TRACE_INLINE(sk);
	inet_csk(sk).icsk_accept_queue.fastopenq.max_qlen =
		std::min(backlog, sock_net(sk).core.sysctl_somaxconn);
}

static void tcp_fastopen_ctx_free(rcu_head *head)
{
	TRACE();
	kfree(&container_of(*head, &tcp_fastopen_context::rcu));
}

void tcp_fastopen_init_key_once(net &net)
{
	TRACE();
	std::array<u8, TCP_FASTOPEN_KEY_LENGTH> key;

	if (net.ipv4.tcp_fastopen_ctx)
		return;
	get_random_bytes(key.data(), key.size());
	tcp_fastopen_reset_cipher(net, nullptr, key.data(), nullptr);
}

// Of a listener that ends: its keys.
void tcp_fastopen_destroy_cipher(sock &sk)
{
	TRACE(sk);
	if (tcp_fastopen_context *ctx = inet_csk(sk).icsk_accept_queue.fastopenq.ctx)
		call_rcu(ctx->rcu, tcp_fastopen_ctx_free);
}

void tcp_fastopen_ctx_destroy(net &net)
{
	TRACE();
	if (tcp_fastopen_context *ctx = std::exchange(net.ipv4.tcp_fastopen_ctx, nullptr))
		call_rcu(ctx->rcu, tcp_fastopen_ctx_free);
}

int tcp_fastopen_reset_cipher(net &net, sock *sk, const u8 *primary_key, const u8 *backup_key)
{
	TRACE();
	void *memory = kmalloc_trace(sizeof(tcp_fastopen_context), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	auto *ctx = ::new (memory) tcp_fastopen_context;

	for (const u8 *key : {primary_key, backup_key})
		if (key)
			std::memcpy(&ctx->key[ctx->num++], key, TCP_FASTOPEN_KEY_LENGTH);
	tcp_fastopen_context *&place =
		sk ? inet_csk(*sk).icsk_accept_queue.fastopenq.ctx : net.ipv4.tcp_fastopen_ctx;
	if (tcp_fastopen_context *octx = std::exchange(place, ctx))
		call_rcu(octx->rcu, tcp_fastopen_ctx_free);
	return 0;
}

u32 tcp_fastopen_get_cipher(const net &net, const sock *sk, u8 *key)
{
	TRACE();
	const tcp_fastopen_context *ctx =
		sk ? inet_csk(*sk).icsk_accept_queue.fastopenq.ctx : net.ipv4.tcp_fastopen_ctx;

	if (!ctx)
		return 0;
	std::memcpy(key, ctx->key.data(), ctx->num * TCP_FASTOPEN_KEY_LENGTH);
	return ctx->num;
}

static const tcp_fastopen_context *tcp_fastopen_get_ctx(const sock &sk)
{
	TRACE_INLINE(sk);
	const tcp_fastopen_context *ctx = inet_csk(sk).icsk_accept_queue.fastopenq.ctx;

	return ctx ? ctx : sock_net(sk).ipv4.tcp_fastopen_ctx;
}

// Of a SYN over IPv4, as all are here.
static void __tcp_fastopen_cookie_gen_cipher(const sk_buff &syn, const siphash_key_t &key,
                                             tcp_fastopen_cookie &foc)
{
	TRACE(syn);
	const iphdr &iph = ip_hdr(syn);
	static_assert(offsetof(iphdr, daddr) == offsetof(iphdr, saddr) + sizeof(iph.saddr));
	const u64 hash = siphash(reinterpret_cast<const u8 *>(&iph) + offsetof(iphdr, saddr),
	                         sizeof(iph.saddr) + sizeof(iph.daddr), key);

	static_assert(TCP_FASTOPEN_COOKIE_SIZE == sizeof(hash));
	std::memcpy(foc.val, &hash, sizeof(hash));
	foc.len = TCP_FASTOPEN_COOKIE_SIZE;
}

static void tcp_fastopen_cookie_gen(const sock &sk, const sk_buff &syn, tcp_fastopen_cookie &foc)
{
	TRACE(sk, syn);
	if (const tcp_fastopen_context *ctx = tcp_fastopen_get_ctx(sk))
		__tcp_fastopen_cookie_gen_cipher(syn, ctx->key[0], foc);
}

// Which key made `orig`: 1 or 2, 0 if none. In `valid` then what the first one makes.
static u32 tcp_fastopen_cookie_gen_check(const sock &sk, const sk_buff &syn, const tcp_fastopen_cookie &orig,
                                         tcp_fastopen_cookie &valid)
{
	TRACE(sk, syn);
	const tcp_fastopen_context *ctx = tcp_fastopen_get_ctx(sk);
	tcp_fastopen_cookie search;

	for (u32 i = 0; ctx && i < ctx->num; ++i) {
		tcp_fastopen_cookie &foc = i ? search : valid;

		__tcp_fastopen_cookie_gen_cipher(syn, ctx->key[i], foc);
		if (foc.len == orig.len && !std::memcmp(foc.val, orig.val, static_cast<std::size_t>(foc.len)))
			return i + 1;
	}
	return 0;
}

void tcp_free_fastopen_req(tcp_sock &tp)
{
	TRACE(tp);
	if (tp.fastopen_req) {
		kfree(tp.fastopen_req);
		tp.fastopen_req = nullptr;
	}
}

// The SYN's data and FIN become the first of the child's receive queue.
void tcp_fastopen_add_skb(sock &sk, sk_buff &syn)
{
	TRACE(sk, syn);
	tcp_sock &tp = tcp_sk(sk);

	if (TCP_SKB_CB(syn).end_seq == tp.rcv_nxt)
		return;
	TRACE_PART();
	skb_ptr skb = skb_clone(syn, GFP_ATOMIC);
	if (!skb)
		return;
	skb_dst_drop(*skb);
	tp.segs_in = 0; // tcp_segs_in counts the SYN again
	tcp_segs_in(tp, *skb);
	__skb_pull(*skb, tcp_hdrlen(*skb));
	sk_forced_mem_schedule(sk, static_cast<int>(skb->truesize));
	skb_set_owner_r(*skb, sk);

	tcp_skb_cb &tcb = TCP_SKB_CB(*skb);
	++tcb.seq;
	tcb.tcp_flags = static_cast<u8>(tcb.tcp_flags & ~TCPHDR_SYN);
	const bool fin = tcb.tcp_flags & TCPHDR_FIN;
	tp.rcv_nxt = tcb.end_seq;
	tp.syn_data_acked = 1;
	tp.bytes_received = skb->len;
	__skb_queue_tail(sk.sk_receive_queue, std::move(skb));
	if (fin)
		tcp_fin(sk);
}

// Null when there is no memory, or the accept queue is full.
static sock *tcp_fastopen_create_child(sock &sk, sk_buff &skb, request_sock &req)
{
	TRACE(sk, skb);
	request_sock_queue &queue = inet_csk(sk).icsk_accept_queue;
	bool own_req;
	sock *child =
		inet_csk(sk).icsk_af_ops->syn_recv_sock(sk, skb, req, nullptr, nullptr, own_req, nullptr);

	if (!child)
		return nullptr;
	spin_lock(queue.fastopenq.lock);
	queue.fastopenq.qlen++;
	spin_unlock(queue.fastopenq.lock);
	tcp_sock &tp = tcp_sk(*child);
	tp.fastopen_rsk = &req;
	tcp_rsk(req).tfo_listener = true;
	// Not scaled in a SYN.
	tp.snd_wnd = ntohs(tcp_hdr(skb).window);
	tp.max_window = tp.snd_wnd;
	// The child's retransmission timer is the SYN+ACK's.
	req.timeout = tcp_timeout_init(*child);
	inet_csk_reset_xmit_timer(*child, ICSK_TIME_RETRANS, req.timeout, TCP_RTO_MAX);
	refcount_set(req.skc_refcnt, 2);

	tcp_init_transfer(*child, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, &skb);
	tp.rcv_nxt = TCP_SKB_CB(skb).seq + 1;
	tcp_fastopen_add_skb(*child, skb);
	tcp_rsk(req).rcv_nxt = tp.rcv_nxt;
	tp.rcv_wup = tp.rcv_nxt;
	return child;
}

// May one more child be made whose handshake is not done?
static bool tcp_fastopen_queue_check(sock &sk)
{
	TRACE(sk);
	fastopen_queue &fastopenq = inet_csk(sk).icsk_accept_queue.fastopenq;

	if (fastopenq.max_qlen == 0)
		return false;
	if (fastopenq.qlen < fastopenq.max_qlen)
		return true;
	// One that was reset makes room, a minute after.
	spin_lock(fastopenq.lock);
	request_sock *req1 = fastopenq.rskq_rst_head;
	if (!req1 || time_after(req1->rsk_timer.expires, jiffies())) {
		__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPFASTOPENLISTENOVERFLOW);
		spin_unlock(fastopenq.lock);
		return false;
	}
	fastopenq.rskq_rst_head = req1->dl_next;
	fastopenq.qlen--;
	spin_unlock(fastopenq.lock);
	reqsk_put(*req1);
	return true;
}

static bool tcp_fastopen_no_cookie(const sock &sk, const dst_entry *, int flag)
{
	TRACE(sk);
	return (sock_net(sk).ipv4.sysctl_tcp_fastopen & flag) || tcp_sk(sk).fastopen_no_cookie;
}

// For each SYN: a child at once, or null, and in foc the cookie for the SYN+ACK (length -1: none).
sock *tcp_try_fastopen(sock &sk, sk_buff &skb, request_sock &req, tcp_fastopen_cookie &foc,
                       const dst_entry *dst)
{
	TRACE(sk, skb);
	net &net = sock_net(sk);
	const bool syn_data = TCP_SKB_CB(skb).end_seq != TCP_SKB_CB(skb).seq + 1;

	if (foc.len == 0)
		NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENCOOKIEREQD);
	if (!((net.ipv4.sysctl_tcp_fastopen & TFO_SERVER_ENABLE) && (syn_data || foc.len >= 0) &&
	      tcp_fastopen_queue_check(sk))) {
		foc.len = -1;
		return nullptr;
	}
	const bool no_cookie = tcp_fastopen_no_cookie(sk, dst, TFO_SERVER_COOKIE_NOT_REQD);
	tcp_fastopen_cookie valid_foc;
	u32 with_key = 0;

	if (!no_cookie && foc.len == 0)
		tcp_fastopen_cookie_gen(sk, skb, valid_foc);
	else if (!no_cookie && foc.len > 0)
		with_key = tcp_fastopen_cookie_gen_check(sk, skb, foc, valid_foc);
	if (no_cookie || with_key) {
		if (sock *child = tcp_fastopen_create_child(sk, skb, req)) {
			if (with_key == 2) {
				valid_foc.exp = foc.exp;
				foc = valid_foc;
				NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVEALTKEY);
			} else {
				foc.len = -1;
			}
			NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVE);
			return child;
		}
	}
	if (no_cookie || foc.len > 0)
		NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
	// What the SYN+ACK carries: the cookie that was asked for, or the right one in place of a wrong.
	valid_foc.exp = foc.exp;
	foc = valid_foc;
	return nullptr;
}

// May data go with the SYN? Then cookie has what to send; else its length says what to ask for.
bool tcp_fastopen_cookie_check(sock &sk, u16 &mss, tcp_fastopen_cookie &cookie)
{
	TRACE(sk);
	tcp_fastopen_cache_get(sk, mss, cookie);
	if (tcp_fastopen_active_should_disable(sk)) {
		cookie.len = -1;
		return false;
	}
	if (tcp_fastopen_no_cookie(sk, __sk_dst_get(sk), TFO_CLIENT_NO_COOKIE)) {
		cookie.len = -1;
		return true;
	}
	if (cookie.len > 0)
		return true;
	tcp_sk(sk).fastopen_client_fail = TFO_COOKIE_UNAVAILABLE & 3;
	return false;
}

// True: connect() sends nothing, the first write sends the SYN along with its data.
bool tcp_fastopen_defer_connect(sock &sk, int &err)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.fastopen_connect || tp.fastopen_req)
		return false;
	tcp_fastopen_cookie cookie{0, {}, false};
	u16 mss = 0;
	if (tcp_fastopen_cookie_check(sk, mss, cookie)) {
		inet_sk(sk).defer_connect = 1;
		return true;
	}
	// A plain SYN, that asks for a cookie.
	if (void *memory = kmalloc_trace(sizeof(tcp_fastopen_request), sk.sk_allocation)) {
		tp.fastopen_req = ::new (memory) tcp_fastopen_request;
		tp.fastopen_req->cookie = cookie;
	} else {
		err = -ENOBUFS;
	}
	return false;
}

// --- paths on which SYNs with data vanish ---

void tcp_fastopen_active_disable(sock &sk)
{
	TRACE(sk);
	net &net = sock_net(sk);

	if (!net.ipv4.sysctl_tcp_fastopen_blackhole_timeout)
		return;
	net.ipv4.tfo_active_disable_stamp = jiffies();
	net.ipv4.tfo_active_disable_times++;
	NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENBLACKHOLE);
}

bool tcp_fastopen_active_should_disable(sock &sk)
{
	TRACE(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	const auto tfo_bh_timeout = static_cast<u32>(ipv4.sysctl_tcp_fastopen_blackhole_timeout);

	if (!tfo_bh_timeout || !ipv4.tfo_active_disable_times)
		return false;
	// Twice as long each time.
	const u32 multiplier = 1u << std::min(ipv4.tfo_active_disable_times - 1, 6u);
	if (time_before(jiffies(), ipv4.tfo_active_disable_stamp + multiplier * tfo_bh_timeout * HZ))
		return true;
	tcp_sk(sk).syn_fastopen_ch = 1; // a try: success ends the matter
	return false;
}

// When a connection ends: a lone FIN out of order and no data at all says that the SYN's data was swallowed.
void tcp_fastopen_active_disable_ofo_check(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	u32 &times = sock_net(sk).ipv4.tfo_active_disable_times;

	if (!tp.syn_fastopen)
		return;
	if (!tp.data_segs_in) {
		sk_buff *skb = skb_rb_first(tp.out_of_order_queue);

		if (skb && !skb_rb_next(tp.out_of_order_queue, *skb) &&
		    (TCP_SKB_CB(*skb).tcp_flags & TCPHDR_FIN))
			tcp_fastopen_active_disable(sk);
	} else if (tp.syn_fastopen_ch && times) {
		const dst_entry *dst = __sk_dst_get(sk);

		if (!(dst && dst->dev && (dst->dev->flags & IFF_LOOPBACK)))
			times = 0;
	}
}

void tcp_fastopen_active_detect_blackhole(sock &sk, bool expired)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const u32 timeouts = tp.icsk_retransmits;

	if ((tp.syn_fastopen || tp.syn_data || tp.syn_data_acked) &&
	    (timeouts == 2 || (timeouts < 2 && expired))) {
		tcp_fastopen_active_disable(sk);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPFASTOPENACTIVEFAIL);
	}
}

} // namespace skbwalk
