// SPDX-License-Identifier: GPL-2.0-only
//
// Receiving (the part of net/ipv4/tcp.c): tcp_recvmsg takes the socket, tcp_recvmsg_locked copies from the
// receive queue what is next for the reader, frees what was read to its end, and sleeps in sk_wait_data where
// there is too little; on the way out tcp_cleanup_rbuf sends the ACK that opens the window again. With
// linux-4.4's prequeue (profile feature) the reader also processes segments that were kept for it. Left out:
// control messages (time stamps, TCP_INQ), zero copy, splice, TCP_REPAIR.

#include "stack/core/busy_poll.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk {

namespace {

constexpr u16 TCP_URG_VALID = 0x0100, TCP_URG_READ = 0x0400;

} // namespace

// MSG_OOB: the urgent byte, where it is not in line.
static int tcp_recv_urg(sock &sk, msghdr &msg, int len, int flags)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (sock_flag(sk, SOCK_URGINLINE) || !tp.urg_data || tp.urg_data == TCP_URG_READ)
		return -EINVAL;
	if (sk.sk_state == TCP_CLOSE && !sock_flag(sk, SOCK_DONE))
		return -ENOTCONN;
	if (tp.urg_data & TCP_URG_VALID) {
		const u8 c = static_cast<u8>(tp.urg_data);

		if (!(flags & MSG_PEEK))
			tp.urg_data = TCP_URG_READ;
		msg.msg_flags |= MSG_OOB;
		if (len <= 0) {
			msg.msg_flags |= MSG_TRUNC;
			return len;
		}
		if (!(flags & MSG_TRUNC) && _copy_to_iter(&c, 1, msg.msg_iter) != 1)
			return -EFAULT;
		return 1;
	}
	if (sk.sk_state == TCP_CLOSE || (sk.sk_shutdown & RCV_SHUTDOWN))
		return 0;
	// It was announced and has not come; we do not wait for it.
	return -EAGAIN;
}

// The reader took something: is the peer to be told?
void __tcp_cleanup_rbuf(sock &sk, int copied)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const auto &ack = tp.icsk_ack;
	bool time_to_ack = false;

	if (inet_csk_ack_scheduled(sk)) {
		// More than one full segment; or the queue is empty, and the peer's last write is complete
		// while we have nothing to say.
		if (static_cast<u32>(tp.rcv_nxt - tp.rcv_wup) > ack.rcv_mss ||
		    (copied > 0 &&
		     ((ack.pending & ICSK_ACK_PUSHED2) ||
		      ((ack.pending & ICSK_ACK_PUSHED) && !inet_csk_in_pingpong_mode(sk))) &&
		     !sk_rmem_alloc_get(sk)))
			time_to_ack = true;
	}
	// The window could at least double (RFC 9293, 3.8.6.2.2: no silly windows).
	if (copied > 0 && !time_to_ack && !(sk.sk_shutdown & RCV_SHUTDOWN)) {
		const u32 rcv_window_now = tcp_receive_window(tp);

		if (2 * rcv_window_now <= tp.window_clamp) {
			const u32 new_window = __tcp_select_window(sk);

			if (new_window && new_window >= 2 * rcv_window_now)
				time_to_ack = true;
		}
	}
	if (time_to_ack)
		tcp_send_ack(sk);
}

void tcp_cleanup_rbuf(sock &sk, int copied)
{
	TRACE(sk);
	[[maybe_unused]] const sk_buff *skb = skb_peek(sk.sk_receive_queue);

	assert(!skb || before(tcp_sk(sk).copied_seq, TCP_SKB_CB(*skb).end_seq));
	__tcp_cleanup_rbuf(sk, copied);
}

// Read to its end. Where it is still ours it can be freed by the cpu that made it.
static void tcp_eat_recv_skb(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	skb_ptr owned = __skb_unlink(skb, sk.sk_receive_queue);

	if (skb.destructor == sock_rfree) {
		sock_rfree(skb);
		skb.destructor = nullptr;
		skb.sk = nullptr;
		skb_attempt_defer_free(std::move(owned));
		return;
	}
	__kfree_skb(std::move(owned));
}

// SO_RCVLOWAT: the buffer must have room for it.
int tcp_set_rcvlowat(sock &sk, int val)
{
	TRACE(sk);
	const bool locked = sk.sk_userlocks & SOCK_RCVBUF_LOCK;
	const int cap = (locked ? sk.sk_rcvbuf : sock_net(sk).ipv4.sysctl_tcp_rmem[2]) >> 1;

	val = std::min(val, cap);
	sk.sk_rcvlowat = val ? val : 1;
	// There may be enough now.
	tcp_data_ready(sk);
	if (locked)
		return 0;
	val <<= 1;
	if (val > sk.sk_rcvbuf) {
		sk.sk_rcvbuf = val;
		tcp_sk(sk).window_clamp = static_cast<u32>(tcp_win_from_space(sk, val));
	}
	return 0;
}

namespace {

// linux-4.4: what the reader that sleeps left for segments to fill (tcp_sock::ucopy), and got from them.
struct prequeue_reader {
	sock &sk;
	bool installed = false;

	// True: segments wait already, process them rather than sleep.
	bool install(msghdr &msg, std::size_t len, int flags)
	{
		auto &ucopy = tcp_sk(sk).ucopy;

		if (!installed) {
			if (ucopy.task || (flags & (MSG_TRUNC | MSG_PEEK)))
				return false;
			installed = true;
			ucopy.task = current.task;
			ucopy.msg = &msg;
		}
		ucopy.len = static_cast<int>(len);
		return !skb_queue_empty(ucopy.prequeue);
	}
	void account(std::size_t &len, int &copied)
	{
		const int chunk = static_cast<int>(len) - tcp_sk(sk).ucopy.len;

		len -= static_cast<std::size_t>(chunk);
		copied += chunk;
	}
	void process(std::size_t &len, int &copied)
	{
		tcp_prequeue_process(sk);
		account(len, copied);
	}
	void woken(std::size_t &len, int &copied)
	{
		const tcp_sock &tp = tcp_sk(sk);

		if (!installed)
			return;
		account(len, copied);
		if (tp.rcv_nxt == tp.copied_seq && !skb_queue_empty(tp.ucopy.prequeue)) {
			tcp_sk(sk).ucopy.len = static_cast<int>(len);
			process(len, copied);
		}
	}
	void remove(std::size_t &len, int &copied)
	{
		auto &ucopy = tcp_sk(sk).ucopy;

		if (!installed)
			return;
		if (!skb_queue_empty(ucopy.prequeue)) {
			ucopy.len = copied > 0 ? static_cast<int>(len) : 0;
			tcp_prequeue_process(sk);
			if (copied > 0)
				account(len, copied);
		}
		ucopy.task = nullptr;
		ucopy.msg = nullptr;
		ucopy.len = 0;
	}
};

// The first skb that holds seq, and where in it; or the FIN there. Null: all is read.
sk_buff *next_to_read(const sock &sk, seq32 seq, u32 &offset, const sk_buff *&last)
{
	last = skb_peek_tail(sk.sk_receive_queue);
	for (sk_buff *skb = skb_peek(sk.sk_receive_queue); skb;
	     skb = skb_queue_next(sk.sk_receive_queue, *skb)) {
		last = skb;
		assert(!before(seq, TCP_SKB_CB(*skb).seq));
		offset = static_cast<u32>(seq - TCP_SKB_CB(*skb).seq);
		if (offset < skb->len || (TCP_SKB_CB(*skb).tcp_flags & TCPHDR_FIN))
			return skb;
	}
	return nullptr;
}

// Is there a reason not to wait for more? Sets `copied` to an error where nothing was read.
bool reading_ends(sock &sk, long timeo, int &copied)
{
	const bool signal = current.task && signal_pending(*current.task);

	if (copied)
		return !timeo || sk.sk_err || sk.sk_state == TCP_CLOSE || (sk.sk_shutdown & RCV_SHUTDOWN) ||
		       signal;
	if (sock_flag(sk, SOCK_DONE))
		return true;
	if (sk.sk_err) {
		copied = sock_error(sk);
		return true;
	}
	if (sk.sk_shutdown & RCV_SHUTDOWN)
		return true;
	if (sk.sk_state == TCP_CLOSE) {
		copied = -ENOTCONN; // never connected
		return true;
	}
	if (!timeo) {
		copied = -EAGAIN;
		return true;
	}
	if (signal) {
		copied = sock_intr_errno(timeo);
		return true;
	}
	return false;
}

} // namespace

static int tcp_recvmsg_locked(sock &sk, msghdr &msg, std::size_t len, int flags)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (sk.sk_state == TCP_LISTEN)
		return -ENOTCONN;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);

	if (flags & MSG_OOB)
		return tcp_recv_urg(sk, msg, static_cast<int>(len), flags);

	const bool peek = flags & MSG_PEEK;
	seq32 peek_seq = tp.copied_seq;
	seq32 &seq = peek ? peek_seq : tp.copied_seq;
	const int target = sock_rcvlowat(sk, flags & MSG_WAITALL, static_cast<int>(len));
	prequeue_reader reader{sk};
	int copied = 0;
	u32 urg_hole = 0;

	do {
		// Urgent data is a mark: what is before it is read apart.
		if (tp.urg_data && tp.urg_seq == seq) {
			if (copied)
				break;
			if (current.task && signal_pending(*current.task)) {
				copied = timeo ? sock_intr_errno(timeo) : -EAGAIN;
				break;
			}
		}

		u32 offset = 0;
		const sk_buff *last;
		sk_buff *skb = next_to_read(sk, seq, offset, last);

		if (!skb) {
			// Enough, and no segments wait in the backlog.
			if (copied >= target && !sk.sk_backlog.tail)
				break;
			if (reading_ends(sk, timeo, copied))
				break;
			if (current.host->features.prequeue) {
				tcp_cleanup_rbuf(sk, copied);
				if (reader.install(msg, len, flags)) {
					reader.process(len, copied);
					continue;
				}
			}
			if (copied >= target) {
				__sk_flush_backlog(sk);
			} else {
				if (!current.host->features.prequeue)
					tcp_cleanup_rbuf(sk, copied);
				const int err = sk_wait_data(sk, timeo, last);

				if (err < 0) { // another thread disconnected the socket
					reader.remove(len, copied);
					return copied ? copied : err;
				}
			}
			reader.woken(len, copied);
			// Another reader took what was peeked at.
			if (peek && peek_seq - static_cast<u32>(copied) - urg_hole != tp.copied_seq)
				peek_seq = tp.copied_seq;
			continue;
		}

		if (offset < skb->len) {
			std::size_t used = std::min<std::size_t>(skb->len - offset, len);
			bool skip_copy = false;

			if (tp.urg_data) {
				const u32 urg_offset = static_cast<u32>(tp.urg_seq - seq);

				if (urg_offset < used) {
					if (urg_offset) {
						used = urg_offset;
					} else if (!sock_flag(sk, SOCK_URGINLINE)) {
						++seq;
						urg_hole++;
						offset++;
						used--;
						skip_copy = !used;
					}
				}
			}
			if (!skip_copy) {
				if (!(flags & MSG_TRUNC) &&
				    skb_copy_datagram_msg(*skb, static_cast<int>(offset), msg,
				                          static_cast<int>(used))) {
					if (!copied)
						copied = -EFAULT;
					break;
				}
				seq += static_cast<u32>(used);
				copied += static_cast<int>(used);
				len -= used;
				tcp_rcv_space_adjust(sk);
			}
			if (tp.urg_data && after(tp.copied_seq, tp.urg_seq)) {
				tp.urg_data = 0;
				tcp_fast_path_check(sk);
			}
			if (used + offset < skb->len)
				continue;
			if (!(TCP_SKB_CB(*skb).tcp_flags & TCPHDR_FIN)) {
				if (!peek)
					tcp_eat_recv_skb(sk, *skb);
				continue;
			}
		}

		// The FIN is read too.
		++seq;
		if (!peek)
			tcp_eat_recv_skb(sk, *skb);
		break;
	} while (len > 0);

	reader.remove(len, copied);
	// Room came free: the window may open.
	tcp_cleanup_rbuf(sk, copied);
	return copied;
}

int tcp_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len)
{
	TRACE(sk);
	if (flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, msg, static_cast<int>(len), addr_len);
	if (sk_can_busy_loop(sk) && skb_queue_empty_lockless(sk.sk_receive_queue) &&
	    sk.sk_state == TCP_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);
	lock_sock(sk);
	const int ret = tcp_recvmsg_locked(sk, msg, len, flags);

	release_sock(sk);
	return ret;
}

} // namespace skbwalk
