// SPDX-License-Identifier: GPL-2.0-only
//
// TCP Fast Open (net/ipv4/tcp_fastopen.c, RFC 7413): data in the SYN. A client that asks for it
// (TCP_FASTOPEN_CONNECT, MSG_FASTOPEN) sends with the cookie that it has of this server, or asks for one;
// tcp_try_fastopen is the server's side, called for every SYN. Paths on which SYNs with data vanish are
// remembered, and it rests for a time. Left out: the server's keys, so that a listener has no cookie to give
// and takes data only where the namespace demands none.
#include <algorithm>

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"

namespace skbwalk {

// Of a listener that ends: its keys. It has none.
void tcp_fastopen_destroy_cipher(sock &sk)
{
	TRACE(sk);
	assert(!inet_csk(sk).icsk_accept_queue.fastopenq.rskq_rst_head);
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
	queue.fastopenq.qlen++;
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
	request_sock *req1 = fastopenq.rskq_rst_head;
	if (!req1 || time_after(req1->rsk_timer.expires, jiffies())) {
		__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPFASTOPENLISTENOVERFLOW);
		return false;
	}
	fastopenq.rskq_rst_head = req1->dl_next;
	fastopenq.qlen--;
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
	if (tcp_fastopen_no_cookie(sk, dst, TFO_SERVER_COOKIE_NOT_REQD)) {
		if (sock *child = tcp_fastopen_create_child(sk, skb, req)) {
			foc.len = -1;
			NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVE);
			return child;
		}
		NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
	} else if (foc.len > 0) {
		// Without a key, no cookie is right.
		NET_INC_STATS(net, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
	}
	foc.len = -1;
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
