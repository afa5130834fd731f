// SPDX-License-Identifier: GPL-2.0-only
//
// Sending (the part of net/ipv4/tcp.c): tcp_sendmsg takes the socket, tcp_sendmsg_locked copies the user's
// bytes into page frags at the end of the write queue, a segment of up to size_goal bytes after the other,
// and waits where the send buffer is full; tcp_push hands them to tcp_write_xmit, unless a small segment is
// to wait for company (autocorking). Left out: zero copy, sendpage, TCP_REPAIR, time stamps on transmission.

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk {

// Where time stamps on transmission are asked for (SO_TIMESTAMPING), marks the last byte. tsflags is zero
// here.
static void tcp_tx_timestamp(sock &sk, u16 tsflags)
{
	TRACE(sk);
	sk_buff *skb = tcp_write_queue_tail(sk);

	if (!skb)
		skb = skb_rb_last(sk.tcp_rtx_queue);
	if (tsflags && skb)
		skb_shinfo(*skb).tskey = (TCP_SKB_CB(*skb).seq + (skb->len - 1)).v;
}

void tcp_mark_push(tcp_sock &tp, sk_buff &skb)
{
	TRACE(tp, skb);
	TCP_SKB_CB(skb).tcp_flags |= TCPHDR_PSH;
	tp.pushed_seq = tp.write_seq;
}

static bool forced_push(const tcp_sock &tp)
{
	TRACE(tp);
	return after(tp.write_seq, tp.pushed_seq + (tp.max_window >> 1));
}

// A new, still empty segment at the end of what is to be sent.
void tcp_skb_entail(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff &s = *skb;
	tcp_skb_cb &tcb = TCP_SKB_CB(s);

	tcb.seq = tcb.end_seq = tp.write_seq;
	tcb.tcp_flags = TCPHDR_ACK;
	__skb_header_release(s);
	tcp_add_write_queue_tail(sk, std::move(skb));
	sk_wmem_queued_add(sk, static_cast<int>(s.truesize));
	sk_mem_charge(sk, static_cast<int>(s.truesize));
	if (tp.nonagle & TCP_NAGLE_PUSH)
		tp.nonagle = tp.nonagle & static_cast<u8>(~TCP_NAGLE_PUSH) & 0xf;
	tcp_slow_start_after_idle_check(sk);
}

static void tcp_mark_urg(tcp_sock &tp, int flags)
{
	TRACE(tp);
	if (flags & MSG_OOB)
		tp.snd_up = tp.write_seq;
}

// A short segment, while others of ours are still below: its turn comes when they leave (tcp_wfree), and it
// may have grown.
static bool tcp_should_autocork(sock &sk, const sk_buff &skb, int size_goal)
{
	TRACE(sk, skb);
	return static_cast<int>(skb.len) < size_goal && sock_net(sk).ipv4.sysctl_tcp_autocorking &&
	       !tcp_rtx_queue_empty(sk) && refcount_read(sk.sk_wmem_alloc) > static_cast<int>(skb.truesize) &&
	       tcp_skb_can_collapse_to(skb);
}

void tcp_push(sock &sk, int flags, int mss_now, u32 nonagle, int size_goal)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff *skb = tcp_write_queue_tail(sk);

	if (!skb)
		return;
	if (!(flags & MSG_MORE) || forced_push(tp))
		tcp_mark_push(tp, *skb);
	tcp_mark_urg(tp, flags);
	if (tcp_should_autocork(sk, *skb, size_goal)) {
		if (!(sk.sk_tsq_flags & TSQF_THROTTLED)) {
			NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPAUTOCORKING);
			sk.sk_tsq_flags |= TSQF_THROTTLED;
		}
		// They may have left in this moment.
		if (refcount_read(sk.sk_wmem_alloc) > static_cast<int>(skb->truesize))
			return;
	}
	if (flags & MSG_MORE)
		nonagle = TCP_NAGLE_CORK;
	__tcp_push_pending_frames(sk, static_cast<u32>(mss_now), nonagle);
}

skb_ptr tcp_stream_alloc_skb(sock &sk, int size, gfp_t gfp, bool force_schedule)
{
	TRACE(sk);
	skb_ptr skb = alloc_skb_fclone(static_cast<u32>(size) + MAX_TCP_HEADER, gfp);

	if (!skb) {
		sk.sk_prot->enter_memory_pressure(sk);
		sk_stream_moderate_sndbuf(sk);
		return nullptr;
	}
	bool mem_scheduled = true;

	skb->truesize = SKB_TRUESIZE(skb_end_offset(*skb));
	if (force_schedule)
		sk_forced_mem_schedule(sk, static_cast<int>(skb->truesize));
	else
		mem_scheduled = sk_wmem_schedule(sk, static_cast<int>(skb->truesize));
	if (!mem_scheduled) {
		__kfree_skb(std::move(skb));
		return nullptr;
	}
	skb_reserve(*skb, MAX_TCP_HEADER);
	skb->ip_summed = CHECKSUM_PARTIAL;
	INIT_LIST_HEAD(skb->tcp_tsorted_anchor);
	return skb;
}

// How long a segment is made: a multiple of the MSS, which the device or GSO cuts again.
static int tcp_xmit_size_goal(sock &sk, u32 mss_now, bool large_allowed)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!large_allowed)
		return static_cast<int>(mss_now);
	const u32 new_size_goal = tcp_bound_to_half_wnd(tp, sk.sk_gso_max_size);
	u32 size_goal = tp.gso_segs * mss_now;

	// A division only when it no longer holds.
	if (new_size_goal < size_goal || new_size_goal >= size_goal + mss_now) {
		tp.gso_segs =
			static_cast<u16>(std::min<u32>(new_size_goal / mss_now & 0xffff, sk.sk_gso_max_segs));
		size_goal = tp.gso_segs * mss_now;
	}
	return static_cast<int>(std::max(size_goal, mss_now));
}

int tcp_send_mss(sock &sk, int &size_goal, int flags)
{
	TRACE(sk);
	const u32 mss_now = tcp_current_mss(sk);

	size_goal = tcp_xmit_size_goal(sk, mss_now, !(flags & MSG_OOB));
	return static_cast<int>(mss_now);
}

// A copy failed: a segment without data must not stay, since poll() would wait for it.
void tcp_remove_empty_skb(sock &sk)
{
	TRACE(sk);
	sk_buff *skb = tcp_write_queue_tail(sk);

	if (!skb || TCP_SKB_CB(*skb).seq != TCP_SKB_CB(*skb).end_seq)
		return;
	skb_ptr owned = tcp_unlink_write_queue(*skb, sk);

	if (tcp_write_queue_empty(sk))
		tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	tcp_wmem_free_skb(sk, std::move(owned));
}

// How much of `copy` may be taken; a socket always gets tcp_wmem[0].
int tcp_wmem_schedule(sock &sk, int copy)
{
	TRACE(sk);
	if (sk_wmem_schedule(sk, copy))
		return copy;
	const int left = sock_net(sk).ipv4.sysctl_tcp_wmem[0] - sk.sk_wmem_queued;

	if (left > 0)
		sk_forced_mem_schedule(sk, std::min(left, copy));
	return std::min(copy, sk.sk_forward_alloc);
}

// Less than this, sent or not, may wait unsent (TCP_NOTSENT_LOWAT).
bool tcp_stream_memory_free(const sock &sk, int wake)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const u32 notsent_bytes = static_cast<u32>(tp.write_seq - tp.snd_nxt);

	return (notsent_bytes << wake) < tcp_notsent_lowat(tp);
}

// connect() by the first write: the SYN carries the data, or what of it fits.
static int tcp_sendmsg_fastopen(sock &sk, msghdr &msg, int &copied, std::size_t size)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!(sock_net(sk).ipv4.sysctl_tcp_fastopen & TFO_CLIENT_ENABLE) ||
	    (msg.msg_name && msg.msg_namelen >= static_cast<int>(sizeof(u16)) &&
	     msg.msg_name->family() == AF_UNSPEC))
		return -EOPNOTSUPP;
	if (tp.fastopen_req)
		return -EALREADY; // another write is at it
	void *memory = kmalloc_trace(sizeof(tcp_fastopen_request), sk.sk_allocation);

	if (!memory)
		return -ENOBUFS;
	tp.fastopen_req = ::new (memory) tcp_fastopen_request;
	tp.fastopen_req->cookie.len = 0; // none yet, and one is asked for
	tp.fastopen_req->data = &msg;
	tp.fastopen_req->size = size;
	if (tp.defer_connect) {
		if (tcp_connect(sk)) {
			// The next connect() begins anew.
			tcp_set_state(sk, TCP_CLOSE);
			tp.inet_dport = be16{};
			sk.sk_route_caps = 0;
		}
	}
	sockaddr_storage nobody;
	const int flags = msg.msg_flags & MSG_DONTWAIT ? static_cast<int>(O_NONBLOCK_FLAG) : 0;
	const int err = __inet_stream_connect(*sk.sk_socket, msg.msg_name ? *msg.msg_name : nobody,
	                                      msg.msg_namelen, flags, true);

	// It may have been freed: the socket was released while it waited.
	if (tp.fastopen_req) {
		copied = tp.fastopen_req->copied;
		tcp_free_fastopen_req(tp);
		tp.defer_connect = 0;
	}
	return err;
}

namespace {

enum class appended { data, full, no_memory, fault };

// As much of the message as goes into the last segment, or into a new one. `copy` is what it was,
// `room_wanted` how often a segment was begun since the backlog was looked at.
struct sender {
	sock &sk;
	tcp_sock &tp;
	msghdr &msg;
	const int flags;
	int mss_now = 0, size_goal = 0;
	int copied = 0;
	int process_backlog = 0;
	int err = 0;

	appended append();
	bool copy_into(sk_buff &skb, page_frag &pfrag, int copy, bool merge);
};

// The segments that came while we filled others are processed in between: the window may have opened.
bool backlog_was_flushed(sender &s)
{
	if (s.process_backlog < 16)
		return false;
	s.process_backlog = 0;
	return sk_flush_backlog(s.sk);
}

bool sender::copy_into(sk_buff &skb, page_frag &pfrag, int copy, bool merge)
{
	const u32 i = skb_shinfo(skb).nr_frags;

	err = skb_copy_to_page_nocache(sk, msg.msg_iter, skb, pfrag.pg, static_cast<int>(pfrag.offset), copy);
	if (err)
		return false;
	if (merge) {
		skb_shinfo(skb).frags[i - 1].size += static_cast<u32>(copy);
	} else {
		skb_fill_page_desc(skb, i, pfrag.pg, pfrag.offset, static_cast<u32>(copy));
		get_page(*pfrag.pg);
	}
	pfrag.offset += static_cast<u32>(copy);
	return true;
}

appended sender::append()
{
	sk_buff *skb = tcp_write_queue_tail(sk);
	int copy = skb ? size_goal - static_cast<int>(skb->len) : 0;
	bool begin = copy <= 0 || !tcp_skb_can_collapse_to(*skb);
	page_frag *pfrag;
	bool merge;

	for (;;) {
		if (begin) {
			if (!sk_stream_memory_free(sk))
				return appended::no_memory;
			if (backlog_was_flushed(*this)) {
				mss_now = tcp_send_mss(sk, size_goal, flags);
				if (sk.sk_err || (sk.sk_shutdown & SEND_SHUTDOWN)) {
					err = -EPIPE;
					return appended::fault;
				}
				return appended::data; // begin again with what is there now
			}
			const bool first_skb = tcp_rtx_and_write_queues_empty(sk);
			skb_ptr made = tcp_stream_alloc_skb(sk, 0, sk.sk_allocation, first_skb);

			if (!made)
				return appended::no_memory;
			process_backlog++;
			skb = made.get();
			tcp_skb_entail(sk, std::move(made));
			copy = size_goal;
		}
		copy = static_cast<int>(
			std::min<std::size_t>(static_cast<std::size_t>(copy), msg_data_left(msg)));
		pfrag = &sk_page_frag(sk);
		if (!sk_page_frag_refill(sk, *pfrag))
			return appended::no_memory;
		const u32 i = skb_shinfo(*skb).nr_frags;

		merge = skb_can_coalesce(*skb, i, pfrag->pg, pfrag->offset);
		if (merge || i < MAX_SKB_FRAGS)
			break;
		tcp_mark_push(tp, *skb);
		begin = true;
	}
	copy = std::min(copy, static_cast<int>(pfrag->size - pfrag->offset));
	copy = tcp_wmem_schedule(sk, copy);
	if (!copy)
		return appended::no_memory;
	if (!copy_into(*skb, *pfrag, copy, merge))
		return appended::fault;

	if (!copied)
		TCP_SKB_CB(*skb).tcp_flags = static_cast<u8>(TCP_SKB_CB(*skb).tcp_flags & ~TCPHDR_PSH);
	tp.write_seq += static_cast<u32>(copy);
	TCP_SKB_CB(*skb).end_seq += static_cast<u32>(copy);
	tcp_skb_pcount_set(*skb, 0);
	copied += copy;
	if (!msg_data_left(msg)) {
		if (flags & MSG_EOR)
			TCP_SKB_CB(*skb).eor = 1;
		return appended::data;
	}
	if (static_cast<int>(skb->len) < size_goal || (flags & MSG_OOB))
		return appended::data;
	if (forced_push(tp)) {
		tcp_mark_push(tp, *skb);
		__tcp_push_pending_frames(sk, static_cast<u32>(mss_now), TCP_NAGLE_PUSH);
	} else if (skb == tcp_send_head(sk)) {
		tcp_push_one(sk, static_cast<u32>(mss_now));
	}
	return appended::full;
}

} // namespace

int tcp_sendmsg_locked(sock &sk, msghdr &msg, std::size_t size)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const int flags = msg.msg_flags;
	int copied_syn = 0;
	sender s{sk, tp, msg, flags};
	const auto out_err = [&](int err) {
		err = sk_stream_error(sk, flags, err);
		// poll() with edges: who got -EAGAIN with nothing queued is woken, since no ACK will do it.
		if (tcp_rtx_and_write_queues_empty(sk) && err == -EAGAIN) {
			sk.sk_write_space(sk);
			tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED);
		}
		return err;
	};
	const auto out = [&] {
		if (s.copied) {
			tcp_tx_timestamp(sk, 0);
			tcp_push(sk, flags, s.mss_now, tp.nonagle, s.size_goal);
		}
		return s.copied + copied_syn;
	};
	const auto do_error = [&](int err) {
		tcp_remove_empty_skb(sk);
		return s.copied + copied_syn ? out() : out_err(err);
	};

	if (flags & MSG_FASTOPEN || tp.defer_connect) {
		const int err = tcp_sendmsg_fastopen(sk, msg, copied_syn, size);

		if (err == -EINPROGRESS && copied_syn > 0)
			return out();
		if (err)
			return out_err(err);
	}
	long timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);

	tcp_rate_check_app_limited(sk); // was the application what kept us from sending?
	// Not yet connected, but for a fast open's child.
	if (((1u << sk.sk_state) & ~(TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) && !tcp_passive_fastopen(sk)) {
		if (const int err = sk_stream_wait_connect(sk, timeo))
			return do_error(err);
	}
	s.mss_now = tcp_send_mss(sk, s.size_goal, flags);
	if (sk.sk_err || (sk.sk_shutdown & SEND_SHUTDOWN))
		return do_error(-EPIPE);

	while (msg_data_left(msg)) {
		switch (s.append()) {
		case appended::data:
		case appended::full:
			continue;
		case appended::fault:
			return do_error(s.err);
		case appended::no_memory:
			break;
		}
		sk.sk_socket->flags |= 1u << SOCK_NOSPACE;
		if (s.copied)
			tcp_push(sk, flags & ~MSG_MORE, s.mss_now, TCP_NAGLE_PUSH, s.size_goal);
		if (const int err = sk_stream_wait_memory(sk, timeo))
			return do_error(err);
		s.mss_now = tcp_send_mss(sk, s.size_goal, flags);
	}
	return out();
}

int tcp_sendmsg(sock &sk, msghdr &msg, std::size_t size)
{
	TRACE(sk);
	lock_sock(sk);
	const int ret = tcp_sendmsg_locked(sk, msg, size);

	release_sock(sk);
	return ret;
}

} // namespace skbwalk
