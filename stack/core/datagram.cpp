// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/datagram.c: taking a packet from a socket's queue (or looking at it), waiting for one, and copying
// its bytes to and from a caller, with or without a checksum on the way.
#include <algorithm>

#include "stack/core/busy_poll.h"
#include "stack/core/sock.h"

namespace skbwalk {

// not traced: header inline without a name of interest
static bool connection_based(const sock &sk) { return sk.sk_type == SOCK_STREAM; }

static int receiver_wake_function(wait_queue_entry &entry, unsigned mode, int sync, void *key)
{
	TRACE();
	if (key && !(key_to_poll(key) & (EPOLLIN | EPOLLERR)))
		return 0;
	return autoremove_wake_function(entry, mode, sync, key);
}

// Sleeps until the queue's tail is no longer `last`. 0: look again; 1: shut down (err 0) or an error (err).
int __skb_wait_for_more_packets(sock &sk, sk_buff_head &queue, int &err, long &timeo, const sk_buff *last)
{
	TRACE(sk);
	wait_queue_entry wait;
	int error = 0;

	init_wait_func(wait, receiver_wake_function);
	prepare_to_wait_exclusive(*sk_sleep(sk), wait, TASK_INTERRUPTIBLE);
	if ((error = sock_error(sk))) {
		err = error;
	} else if (skb_peek_tail(queue) != last) {
		error = 0;
	} else if (sk.sk_shutdown & RCV_SHUTDOWN) {
		err = 0;
		error = 1;
	} else if (connection_based(sk) && sk.sk_state != TCP_ESTABLISHED && sk.sk_state != TCP_LISTEN) {
		err = error = -ENOTCONN;
	} else if (signal_pending(*current.task)) {
		err = error = sock_intr_errno(timeo);
	} else {
		timeo = schedule_timeout(timeo);
	}
	finish_wait(*sk_sleep(sk), wait);
	return error;
}

// Marks as looked at what another reader may hold too: a clone takes its place in the queue.
static sk_buff *skb_set_peeked(sk_buff_head &queue, sk_buff &skb)
{
	TRACE(skb);
	if (skb.peeked)
		return &skb;
	sk_buff *marked = &skb;
	if (skb_shared(skb)) {
		skb_ptr nskb = skb_clone(skb, GFP_ATOMIC);

		if (!nskb)
			return nullptr;
		marked = nskb.get();
		__skb_queue_after(queue, skb, std::move(nskb));
		consume_skb(__skb_unlink(skb, queue));
	}
	marked->peeked = 1;
	return marked;
}

sk_buff *__skb_try_recv_from_queue(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err,
                                   sk_buff *&last)
{
	TRACE(sk);
	const bool peek_at_off = (flags & MSG_PEEK) && off >= 0;
	int _off = peek_at_off ? off : 0;

	last = skb_peek_tail(queue);
	for (sk_buff *skb = skb_peek(queue); skb; skb = skb->next) {
		if (!(flags & MSG_PEEK)) {
			off = _off;
			return __skb_unlink(*skb, queue).release();
		}
		if (peek_at_off && _off >= static_cast<int>(skb->len) && (_off || skb->peeked)) {
			_off -= static_cast<int>(skb->len);
			continue;
		}
		if (!skb->len) {
			skb = skb_set_peeked(queue, *skb);
			if (!skb) {
				err = -ENOMEM;
				return nullptr;
			}
		}
		refcount_inc(skb->users);
		off = _off;
		return skb;
	}
	return nullptr;
}

sk_buff *__skb_try_recv_datagram(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err, sk_buff *&last)
{
	TRACE(sk);
	int error = sock_error(sk);

	while (!error) {
		const unsigned long cpu_flags = _raw_spin_lock_irqsave(queue.lock);
		sk_buff *skb = __skb_try_recv_from_queue(sk, queue, flags, off, error, last);
		_raw_spin_unlock_irqrestore(queue.lock, cpu_flags);
		if (error)
			break;
		if (skb)
			return skb;
		if (sk_can_busy_loop(sk)) {
			sk_busy_loop(sk, flags & MSG_DONTWAIT);
			if (skb_peek_tail(queue) != last)
				continue;
		}
		error = -EAGAIN;
	}
	err = error;
	return nullptr;
}

skb_ptr __skb_recv_datagram(sock &sk, sk_buff_head &queue, u32 flags, int &off, int &err)
{
	TRACE(sk);
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	sk_buff *last = nullptr;

	do {
		if (sk_buff *skb = __skb_try_recv_datagram(sk, queue, flags, off, err, last))
			return skb_ptr(skb);
		if (err != -EAGAIN)
			break;
	} while (timeo && !__skb_wait_for_more_packets(sk, queue, err, timeo, last));
	return nullptr;
}

skb_ptr skb_recv_datagram(sock &sk, u32 flags, int &err)
{
	TRACE(sk);
	int off = 0;

	return __skb_recv_datagram(sk, sk.sk_receive_queue, flags, off, err);
}

void skb_free_datagram(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	consume_skb(std::move(skb));
}

void __skb_free_datagram_locked(sock &sk, skb_ptr skb, int len)
{
	TRACE(sk, skb);
	if (!skb_unref(*skb)) {
		[[maybe_unused]] sk_buff *shared = skb.release();
		sk_peek_offset_bwd(sk, len);
		return;
	}
	const bool slow = lock_sock_fast(sk);
	sk_peek_offset_bwd(sk, len);
	skb_orphan(*skb);
	unlock_sock_fast(sk, slow);
	__kfree_skb(std::move(skb));
}

int __sk_queue_drop_skb(sock &sk, sk_buff_head &queue, sk_buff &skb, u32 flags,
                        void (*destructor)(sock &sk, sk_buff &skb))
{
	TRACE(sk, skb);
	int err = 0;

	if (flags & MSG_PEEK) {
		err = -ENOENT;
		spin_lock_bh(queue.lock);
		if (skb.next || skb_peek_tail(queue) == &skb) {
			[[maybe_unused]] sk_buff *ours = __skb_unlink(skb, queue).release();
			[[maybe_unused]] const bool last = refcount_dec_and_test(skb.users);
			assert(!last);
			if (destructor)
				destructor(sk, skb);
			err = 0;
		}
		spin_unlock_bh(queue.lock);
	}
	atomic_inc(sk.sk_drops);
	return err;
}

// A packet whose checksum turned out wrong; 0 when it was ours to remove.
int skb_kill_datagram(sock &sk, skb_ptr skb, u32 flags)
{
	TRACE(sk, skb);
	const int err = __sk_queue_drop_skb(sk, sk.sk_receive_queue, *skb, flags, nullptr);

	kfree_skb(std::move(skb));
	return err;
}

// --- copying ---

static std::size_t simple_copy_to_iter(const void *addr, std::size_t bytes, csum_state *, iov_iter &i)
{
	TRACE();
	return _copy_to_iter(addr, bytes, i);
}

// not traced: the name stands for csum_and_copy_to_iter itself
static std::size_t summing_copy_to_iter(const void *addr, std::size_t bytes, csum_state *csdata, iov_iter &i)
{
	return csum_and_copy_to_iter(addr, bytes, *csdata, i);
}

static int __skb_datagram_iter(const sk_buff &skb, int offset, iov_iter &to, int len, bool fault_short,
                               std::size_t (*cb)(const void *, std::size_t, csum_state *, iov_iter &),
                               csum_state *data)
{
	TRACE(skb);
	const int start_off = offset;
	int start = static_cast<int>(skb_headlen(skb));
	int copy = start - offset;
	const auto fault = [&] {
		iov_iter_revert(to, static_cast<std::size_t>(offset - start_off));
		return -EFAULT;
	};
	const auto short_copy = [&] { return fault_short || iov_iter_count(to) ? fault() : 0; };

	if (copy > 0) {
		copy = std::min(copy, len);
		const auto n =
			static_cast<int>(cb(skb.data + offset, static_cast<std::size_t>(copy), data, to));
		offset += n;
		if (n != copy)
			return short_copy();
		if ((len -= copy) == 0)
			return 0;
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			const auto n = static_cast<int>(cb(skb_frag_address(f) + (offset - start),
			                                   static_cast<std::size_t>(copy), data, to));
			offset += n;
			if (n != copy)
				return short_copy();
			if ((len -= copy) == 0)
				return 0;
		}
		start = end;
	}
	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			if (__skb_datagram_iter(*frag, offset - start, to, copy, fault_short, cb, data))
				return fault();
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
		}
		start = end;
	}
	return len ? fault() : 0;
}

int skb_copy_datagram_iter(const sk_buff &skb, int offset, iov_iter &to, int len)
{
	TRACE(skb);
	return __skb_datagram_iter(skb, offset, to, len, false, simple_copy_to_iter, nullptr);
}

int skb_copy_datagram_from_iter(sk_buff &skb, int offset, iov_iter &from, int len)
{
	TRACE(skb);
	int start = static_cast<int>(skb_headlen(skb));
	int copy = start - offset;

	if (copy > 0) {
		copy = std::min(copy, len);
		if (_copy_from_iter(skb.data + offset, static_cast<std::size_t>(copy), from) !=
		    static_cast<std::size_t>(copy))
			return -EFAULT;
		if ((len -= copy) == 0)
			return 0;
		offset += copy;
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			if (_copy_from_iter(skb_frag_address(f) + (offset - start),
			                    static_cast<std::size_t>(copy),
			                    from) != static_cast<std::size_t>(copy))
				return -EFAULT;
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
		}
		start = end;
	}
	for (sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			if (skb_copy_datagram_from_iter(*frag, offset - start, from, copy))
				return -EFAULT;
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
		}
		start = end;
	}
	return len ? -EFAULT : 0;
}

static int skb_copy_and_csum_datagram(const sk_buff &skb, int offset, iov_iter &to, int len, __wsum &csum)
{
	TRACE(skb);
	csum_state csdata{csum, 0};

	if (const int ret = __skb_datagram_iter(skb, offset, to, len, true, summing_copy_to_iter, &csdata))
		return ret;
	csum = csdata.csum;
	return 0;
}

// Verifies while copying, if all of the packet fits; else before. -EINVAL: the checksum is wrong and nothing
// was copied.
int skb_copy_and_csum_datagram_msg(sk_buff &skb, int hlen, msghdr &msg)
{
	TRACE(skb);
	const int chunk = static_cast<int>(skb.len) - hlen;

	if (!chunk)
		return 0;
	if (msg_data_left(msg) < static_cast<std::size_t>(chunk)) {
		if (__skb_checksum_complete(skb))
			return -EINVAL;
		return skb_copy_datagram_msg(skb, hlen, msg, chunk) ? -EFAULT : 0;
	}
	__wsum csum = csum_partial(skb.data, static_cast<u32>(hlen), skb.csum);
	if (skb_copy_and_csum_datagram(skb, hlen, msg.msg_iter, chunk, csum))
		return -EFAULT;
	if (csum_fold(csum)) {
		iov_iter_revert(msg.msg_iter, static_cast<std::size_t>(chunk));
		return -EINVAL;
	}
	return 0;
}

u32 datagram_poll(file &file, socket &sock, poll_table *wait)
{
	TRACE(sock.sk);
	skbwalk::sock &sk = *sock.sk;
	u32 mask = 0;

	poll_wait(file, &sock.wq->wait, wait);
	if (sk.sk_err || !skb_queue_empty_lockless(sk.sk_error_queue))
		mask |= EPOLLERR;
	if (sk.sk_shutdown & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sk.sk_shutdown == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (!skb_queue_empty_lockless(sk.sk_receive_queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (connection_based(sk)) {
		if (sk.sk_state == TCP_CLOSE)
			mask |= EPOLLHUP;
		if (sk.sk_state == TCP_SYN_SENT)
			return mask;
	}
	if (sock_writeable(sk))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

} // namespace skbwalk
