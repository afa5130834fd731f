// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/udp.c, third part: the way in. __udp4_lib_rcv checks the header, finds the socket (early demux may
// have) and queues the packet there (__udp_enqueue_schedule_skb accounts for its memory and wakes the
// reader); with no socket, an ICMP error goes back. Multicast and broadcast go to every socket that listens.
// A reader takes from its own queue and fills that from the one that softirqs use; memory goes back in lots,
// when a quarter of the buffer was read.
#include <algorithm>

#include "stack/core/busy_poll.h"
#include "stack/core/gso.h"
#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/udp.h"
#include "stack/kernel/rculist.h"

namespace skbwalk {

namespace {

constexpr u32 UDP_SKB_IS_STATELESS = 0x80000000;
constexpr int SIOCOUTQ = 0x5411, SIOCINQ = 0x541B;

struct udp_busylocks_t {
	std::array<spinlock_t, 64> locks;
};
perhost<udp_busylocks_t> udp_busylocks;

int drop(skb_ptr skb, net &net, skb_drop_reason reason)
{
	UDP_INC_STATS(net, UDP_MIB_INERRORS);
	kfree_skb_reason(std::move(skb), reason);
	return 0;
}

} // namespace

// --- memory of the receive queue ---

// All state of the head but extensions is gone by now; these can go too unless IPsec's is among them.
static bool udp_try_make_stateless(sk_buff &skb)
{
	TRACE(skb);
	if (!skb.active_extensions)
		return true;
	if (!skb_ext_exist(skb, SKB_EXT_SEC_PATH)) {
		skb_ext_reset(skb);
		return true;
	}
	return false;
}

static void udp_set_dev_scratch(sk_buff &skb)
{
	TRACE(skb);
	udp_dev_scratch &scratch = udp_skb_scratch(skb);

	scratch._tsize_state = skb.truesize;
	scratch.len = static_cast<u16>(skb.len);
	scratch.csum_unnecessary = skb_csum_unnecessary(skb);
	scratch.is_linear = !skb_is_nonlinear(skb);
	skb.dev = nullptr;
	if (udp_try_make_stateless(skb))
		scratch._tsize_state |= UDP_SKB_IS_STATELESS;
}

static void udp_skb_csum_unnecessary_set(sk_buff &skb)
{
	TRACE(skb);
	if (!skb_shared(skb))
		udp_skb_scratch(skb).csum_unnecessary = true;
}

static u32 udp_skb_truesize(sk_buff &skb)
{
	TRACE(skb);
	return udp_skb_scratch(skb)._tsize_state & ~UDP_SKB_IS_STATELESS;
}

static bool udp_skb_has_head_state(sk_buff &skb)
{
	TRACE(skb);
	return !(udp_skb_scratch(skb)._tsize_state & UDP_SKB_IS_STATELESS);
}

// `size` bytes were read: `partial` while the socket lives, else everything goes back.
static void udp_rmem_release(sock &sk, int size, int partial, bool rx_queue_lock_held)
{
	TRACE(sk);
	udp_sock &up = udp_sk(sk);

	if (partial) {
		up.forward_deficit += size;
		size = up.forward_deficit;
		if (size < (sk.sk_rcvbuf >> 2) && !skb_queue_empty(up.reader_queue))
			return;
	} else {
		size += up.forward_deficit;
	}
	up.forward_deficit = 0;

	sk_buff_head &sk_queue = sk.sk_receive_queue;
	if (!rx_queue_lock_held)
		spin_lock(sk_queue.lock);
	const int amt = (size + sk.sk_forward_alloc - partial) & ~(static_cast<int>(PAGE_SIZE) - 1);
	sk.sk_forward_alloc += size - amt;
	if (amt)
		__sk_mem_reduce_allocated(sk, amt / static_cast<int>(PAGE_SIZE));
	sk.sk_backlog.rmem_alloc -= size;
	skb_queue_splice_tail_init(sk_queue, up.reader_queue);
	if (!rx_queue_lock_held)
		spin_unlock(sk_queue.lock);
}

void udp_skb_destructor(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	__builtin_prefetch(&skb.data);
	udp_rmem_release(sk, static_cast<int>(udp_skb_truesize(skb)), 1, false);
}

static void udp_skb_dtor_locked(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	__builtin_prefetch(&skb.data);
	udp_rmem_release(sk, static_cast<int>(udp_skb_truesize(skb)), 1, true);
}

// Under a flood, one softirq at a time waits for the queue's lock.
static spinlock_t &busylock_acquire(const sock &sk)
{
	TRACE(sk);
	spinlock_t &busy = udp_busylocks->locks[sk.trace_id % udp_busylocks->locks.size()];

	spin_lock(busy);
	return busy;
}

static void busylock_release(spinlock_t *busy)
{
	TRACE();
	if (busy)
		spin_unlock(*busy);
}

int __udp_enqueue_schedule_skb(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	sk_buff_head &list = sk.sk_receive_queue;
	spinlock_t *busy = nullptr;
	int &rmem_alloc = sk.sk_backlog.rmem_alloc;

	// At least one packet is always taken.
	if (rmem_alloc > sk.sk_rcvbuf) {
		atomic_inc(sk.sk_drops);
		busylock_release(busy);
		return -ENOMEM;
	}
	if (rmem_alloc > (sk.sk_rcvbuf >> 1)) {
		skb_condense(*skb);
		busy = &busylock_acquire(sk);
	}
	const int size = static_cast<int>(skb->truesize);
	udp_set_dev_scratch(*skb);

	int err = 0;
	rmem_alloc += size;
	if (rmem_alloc > size + sk.sk_rcvbuf) {
		err = -ENOMEM;
	} else {
		spin_lock(list.lock);
		if (size >= sk.sk_forward_alloc) {
			const int amt = sk_mem_pages(size);
			const int delta = amt * SK_MEM_QUANTUM;

			if (!__sk_mem_raise_allocated(sk, delta, amt, SK_MEM_RECV))
				err = -ENOBUFS;
			else
				sk.sk_forward_alloc += delta;
		}
		if (!err) {
			sk.sk_forward_alloc -= size;
			__skb_queue_tail(list, std::move(skb));
		}
		spin_unlock(list.lock);
	}
	if (err) {
		rmem_alloc -= size;
		atomic_inc(sk.sk_drops);
	} else if (!sock_flag(sk, SOCK_DEAD)) {
		sk.sk_data_ready(sk);
	}
	busylock_release(busy);
	return err;
}

void udp_destruct_common(sock &sk)
{
	TRACE(sk);
	udp_sock &up = udp_sk(sk);
	u32 total = 0;

	skb_queue_splice_tail_init(sk.sk_receive_queue, up.reader_queue);
	while (skb_ptr skb = __skb_dequeue(up.reader_queue)) {
		total += skb->truesize;
		kfree_skb(std::move(skb));
	}
	udp_rmem_release(sk, static_cast<int>(total), 0, true);
}

static void udp_destruct_sock(sock &sk)
{
	TRACE(sk);
	udp_destruct_common(sk);
	inet_sock_destruct(sk);
}

int udp_init_sock(sock &sk)
{
	TRACE(sk);
	sk.sk_destruct = udp_destruct_sock;
	return 0;
}

// --- reading ---

void skb_consume_udp(sock &sk, skb_ptr skb, int len)
{
	TRACE(sk, skb);
	if (sk.sk_peek_off >= 0) {
		const bool slow = lock_sock_fast(sk);

		sk_peek_offset_bwd(sk, len);
		unlock_sock_fast(sk, slow);
	}
	if (!skb_unref(*skb)) {
		[[maybe_unused]] sk_buff *queued = skb.release(); // looked at only
		return;
	}
	if (udp_skb_has_head_state(*skb))
		skb_release_head_state(*skb);
	__consume_stateless_skb(std::move(skb));
}

static sk_buff *__first_packet_length(sock &sk, sk_buff_head &rcvq, u32 &total)
{
	TRACE(sk);
	while (sk_buff *skb = skb_peek(rcvq)) {
		if (!udp_lib_checksum_complete(*skb)) {
			udp_skb_csum_unnecessary_set(*skb);
			return skb;
		}
		UDP_INC_STATS(sock_net(sk), UDP_MIB_CSUMERRORS);
		UDP_INC_STATS(sock_net(sk), UDP_MIB_INERRORS);
		atomic_inc(sk.sk_drops);
		total += skb->truesize;
		kfree_skb(__skb_unlink(*skb, rcvq));
	}
	return nullptr;
}

// Of the first packet with a good checksum; those before it are dropped. -1: none.
static int first_packet_length(sock &sk)
{
	TRACE(sk);
	sk_buff_head &rcvq = udp_sk(sk).reader_queue;
	sk_buff_head &sk_queue = sk.sk_receive_queue;
	u32 total = 0;

	spin_lock_bh(rcvq.lock);
	const sk_buff *skb = __first_packet_length(sk, rcvq, total);
	if (!skb && !skb_queue_empty_lockless(sk_queue)) {
		spin_lock(sk_queue.lock);
		skb_queue_splice_tail_init(sk_queue, rcvq);
		spin_unlock(sk_queue.lock);
		skb = __first_packet_length(sk, rcvq, total);
	}
	const int res = skb ? static_cast<int>(skb->len) : -1;
	if (total)
		udp_rmem_release(sk, static_cast<int>(total), 1, false);
	spin_unlock_bh(rcvq.lock);
	return res;
}

int udp_ioctl(sock &sk, int cmd, int &value)
{
	TRACE(sk);
	switch (cmd) {
	case SIOCOUTQ:
		value = sk_wmem_alloc_get(sk);
		return 0;
	case SIOCINQ:
		value = std::max(0, first_packet_length(sk));
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

skb_ptr __skb_recv_udp(sock &sk, u32 flags, int &off, int &err)
{
	TRACE(sk);
	sk_buff_head &queue = udp_sk(sk).reader_queue;
	sk_buff_head &sk_queue = sk.sk_receive_queue;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	sk_buff *last;
	int error;

	do {
		error = sock_error(sk);
		if (error)
			break;
		error = -EAGAIN;
		do {
			spin_lock_bh(queue.lock);
			sk_buff *skb = __skb_try_recv_from_queue(sk, queue, flags, off, err, last);
			if (skb) {
				if (!(flags & MSG_PEEK))
					udp_skb_destructor(sk, *skb);
				spin_unlock_bh(queue.lock);
				return skb_ptr(skb);
			}
			if (skb_queue_empty_lockless(sk_queue)) {
				spin_unlock_bh(queue.lock);
			} else {
				// Both locks stay held, so that memory is accounted for without taking the
				// second again.
				spin_lock(sk_queue.lock);
				skb_queue_splice_tail_init(sk_queue, queue);
				skb = __skb_try_recv_from_queue(sk, queue, flags, off, err, last);
				if (skb && !(flags & MSG_PEEK))
					udp_skb_dtor_locked(sk, *skb);
				spin_unlock(sk_queue.lock);
				spin_unlock_bh(queue.lock);
				if (skb)
					return skb_ptr(skb);
			}
			if (!sk_can_busy_loop(sk))
				break;
			sk_busy_loop(sk, flags & MSG_DONTWAIT);
		} while (!skb_queue_empty_lockless(sk_queue));
	} while (timeo && !__skb_wait_for_more_packets(sk, sk_queue, error, timeo, nullptr));
	err = error;
	return nullptr;
}

static int copy_linear_skb(const sk_buff &skb, u32 len, int off, iov_iter &to)
{
	TRACE_INLINE(skb);
	const std::size_t n = _copy_to_iter(skb.data + off, len, to);

	if (n == len)
		return 0;
	iov_iter_revert(to, n);
	return -EFAULT;
}

// How long each of the datagrams is that were merged.
static void udp_cmsg_recv(msghdr &msg, const sk_buff &skb)
{
	TRACE_INLINE(skb);
	const int gso_size = skb_shinfo(skb).gso_size;

	if (skb_shinfo(skb).gso_type & SKB_GSO_UDP_L4)
		put_cmsg(msg, SOL_UDP, UDP_GRO, sizeof(gso_size), &gso_size);
}

int udp_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len)
{
	TRACE(sk);
	const bool peeking = flags & MSG_PEEK;

	if (flags & MSG_ERRQUEUE)
		return ip_recv_error(sk, msg, static_cast<int>(len), addr_len);
	for (;;) {
		int err = 0;
		int off = sk_peek_offset(sk, flags);
		skb_ptr skb = __skb_recv_udp(sk, static_cast<u32>(flags), off, err);

		if (!skb)
			return err;
		const u32 ulen = udp_skb_len(*skb);
		u32 copied = static_cast<u32>(std::min<std::size_t>(len, 0xffffffff));
		if (copied > ulen - static_cast<u32>(off))
			copied = ulen - static_cast<u32>(off);
		else if (copied < ulen)
			msg.msg_flags |= MSG_TRUNC;

		// The checksum is verified while the bytes are copied, unless not all of them are.
		bool checksum_valid = false;
		bool bad = false;
		if (copied < ulen || peeking) {
			checksum_valid = udp_skb_csum_unnecessary(*skb) || !__udp_lib_checksum_complete(*skb);
			bad = !checksum_valid;
		}
		if (!bad) {
			if (checksum_valid || udp_skb_csum_unnecessary(*skb)) {
				if (udp_skb_is_linear(*skb))
					err = copy_linear_skb(*skb, copied, off, msg.msg_iter);
				else
					err = skb_copy_datagram_msg(*skb, off, msg, static_cast<int>(copied));
			} else {
				err = skb_copy_and_csum_datagram_msg(*skb, off, msg);
				bad = err == -EINVAL;
			}
		}
		if (bad) {
			if (!__sk_queue_drop_skb(sk, udp_sk(sk).reader_queue, *skb, static_cast<u32>(flags),
			                         udp_skb_destructor)) {
				UDP_INC_STATS(sock_net(sk), UDP_MIB_CSUMERRORS);
				UDP_INC_STATS(sock_net(sk), UDP_MIB_INERRORS);
			}
			kfree_skb(std::move(skb));
			cond_resched();
			msg.msg_flags &= ~MSG_TRUNC;
			continue;
		}
		if (err) {
			if (!peeking) {
				atomic_inc(sk.sk_drops);
				UDP_INC_STATS(sock_net(sk), UDP_MIB_INERRORS);
			}
			kfree_skb(std::move(skb));
			return err;
		}
		if (!peeking)
			UDP_INC_STATS(sock_net(sk), UDP_MIB_INDATAGRAMS);
		sock_recv_cmsgs(msg, sk, *skb);
		if (msg.msg_name) {
			auto &sin = msg.msg_name->as<sockaddr_in>();

			sin = {};
			sin.sin_port = udp_hdr(*skb).source;
			sin.sin_addr = ip_hdr(*skb).saddr;
			addr_len = sizeof(sin);
		}
		if (udp_sk(sk).gro_enabled)
			udp_cmsg_recv(msg, *skb);
		err = static_cast<int>(flags & MSG_TRUNC ? ulen : copied);
		skb_consume_udp(sk, std::move(skb), peeking ? -err : err);
		return err;
	}
}

// --- queueing ---

static int __udp_queue_rcv_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	if (inet_sk(sk).inet_daddr) {
		sock_rps_save_rxhash(sk, *skb);
		sk_mark_napi_id(sk, *skb);
		sk.sk_incoming_cpu = smp_processor_id();
	} else if (!sk.sk_napi_id) {
		sk.sk_napi_id = skb->napi_id;
	}
	const int rc = __udp_enqueue_schedule_skb(sk, skb);
	if (rc >= 0)
		return 0;
	UDP_INC_STATS(sock_net(sk), rc == -ENOMEM ? UDP_MIB_RCVBUFERRORS : UDP_MIB_MEMERRORS);
	drop(std::move(skb), sock_net(sk),
	     rc == -ENOMEM ? SKB_DROP_REASON_SOCKET_RCVBUFF : SKB_DROP_REASON_PROTO_MEM);
	return -1;
}

// 0, or -1 when it was dropped; the skb is gone either way.
static int udp_queue_rcv_one_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	net &net = sock_net(sk);
	const auto refuse = [&](skb_drop_reason reason) {
		atomic_inc(sk.sk_drops);
		drop(std::move(skb), net, reason);
		return -1;
	};

	if (!xfrm4_policy_check(&sk, XFRM_POLICY_IN, *skb))
		return refuse(SKB_DROP_REASON_XFRM_POLICY);
	nf_reset_ct(*skb);
	if (sk.sk_filter_ptr && udp_lib_checksum_complete(*skb)) {
		UDP_INC_STATS(net, UDP_MIB_CSUMERRORS);
		return refuse(SKB_DROP_REASON_UDP_CSUM);
	}
	if (sk_filter_trim_cap(sk, *skb, sizeof(udphdr)))
		return refuse(SKB_DROP_REASON_SOCKET_FILTER);
	udp_csum_pull_header(*skb);
	ipv4_pktinfo_prepare(sk, *skb);
	return __udp_queue_rcv_skb(sk, std::move(skb));
}

// A packet of several datagrams, for a socket that does not take such packets.
static bool udp_unexpected_gso(const sock &sk, const sk_buff &skb)
{
	TRACE_INLINE(sk, skb);
	return skb_is_gso(skb) && (skb_shinfo(skb).gso_type & SKB_GSO_UDP_L4) && !udp_sk(sk).accept_udp_l4;
}

// The datagrams of a packet, or null: it is dropped.
static sk_buff *udp_rcv_segment(sock &sk, skb_ptr skb)
{
	TRACE_INLINE(sk, skb);
	netdev_features_t features = NETIF_F_SG;

	// Sums are not needed again unless the reader asks for them.
	if (!inet_sk(sk).convert_csum)
		features |= NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM;
	if (skb->pkt_type == PACKET_LOOPBACK)
		skb->ip_summed = CHECKSUM_PARTIAL;
	const skb_segs segs = __skb_gso_segment(*skb, features, false);
	if (segs.err || !segs.list) {
		const u16 count = skb_shinfo(*skb).gso_segs;

		atomic_add(count, sk.sk_drops);
		sock_net(sk).mib.udp_statistics[UDP_MIB_INERRORS] += count;
		kfree_skb(std::move(skb));
		return nullptr;
	}
	consume_skb(std::move(skb));
	return segs.list;
}

// Cut off from a whole whose sum a device was to finish: nothing is left to verify.
static void udp_post_segment_fix_csum(sk_buff &skb)
{
	TRACE_INLINE(skb);
	UDP_SKB_CB(skb).cscov = static_cast<u16>(skb.len);
	if (skb.ip_summed == CHECKSUM_NONE && !skb.csum_valid)
		skb.csum_valid = 1;
}

static int udp_queue_rcv_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	if (!udp_unexpected_gso(sk, *skb))
		return udp_queue_rcv_one_skb(sk, std::move(skb));

	__skb_push(*skb, static_cast<u32>(skb->data - skb_mac_header(*skb)));
	for (sk_buff *segs = udp_rcv_segment(sk, std::move(skb)), *next; segs; segs = next) {
		next = segs->next;
		segs->next = segs->prev = nullptr;
		skb_ptr seg(segs);
		__skb_pull(*seg, static_cast<u32>(skb_transport_offset(*seg)));
		udp_post_segment_fix_csum(*seg);
		udp_queue_rcv_one_skb(sk, std::move(seg));
	}
	return 0;
}

bool udp_sk_rx_dst_set(sock &sk, dst_entry &dst)
{
	TRACE(sk);
	if (!dst_hold_safe(dst))
		return false;
	dst_entry *old = std::exchange(sk.sk_rx_dst, &dst);
	dst_release(old);
	return old != &dst;
}

static int udp_unicast_rcv_skb(sock &sk, skb_ptr skb, const udphdr &uh)
{
	TRACE(sk, skb);
	if (inet_sk(sk).convert_csum && uh.check)
		skb_checksum_try_convert(*skb, IPPROTO_UDP);
	const int ret = udp_queue_rcv_skb(sk, std::move(skb));
	return ret > 0 ? -ret : 0;
}

// One copy to each socket that listens; the skb itself to the first.
static int __udp4_lib_mcast_deliver(net &net, skb_ptr skb, const udphdr &uh, be32 saddr, be32 daddr,
                                    udp_table_t &udptable)
{
	TRACE(skb);
	const u16 hnum = ntohs(uh.dest);
	const be16 dest = uh.dest, source = uh.source;
	const int dif = skb->dev->ifindex;
	const int sdif = inet_sdif(*skb);
	udp_hslot &hslot = udp_hashslot(udptable, net, hnum);
	sock *first = nullptr;
	const auto deliver = [&](sock &sk) {
		if (!__udp_is_mcast_sock(net, sk, dest, daddr, source, saddr, dif, sdif, hnum))
			return;
		if (!first) {
			first = &sk;
			return;
		}
		if (skb_ptr nskb = skb_clone(*skb, GFP_ATOMIC)) {
			udp_queue_rcv_skb(sk, std::move(nskb));
			return;
		}
		atomic_inc(sk.sk_drops);
		UDP_INC_STATS(net, UDP_MIB_RCVBUFERRORS);
		UDP_INC_STATS(net, UDP_MIB_INERRORS);
	};

	if (hslot.count > 10) {
		// A long chain: those of the address, then those of any.
		udp_hslot2 &own = udp_hashslot2(udptable, ipv4_portaddr_hash(net, daddr, hnum));
		udp_hslot2 &any = udp_hashslot2(udptable, ipv4_portaddr_hash(net, be32{}, hnum));

		for (udp_sock &sk : rcu_view(own.head))
			deliver(sk);
		if (&own != &any)
			for (udp_sock &sk : rcu_view(any.head))
				deliver(sk);
	} else {
		for (udp_sock &sk : rcu_view(hslot.head))
			deliver(sk);
	}
	if (first) {
		udp_queue_rcv_skb(*first, std::move(skb));
	} else {
		kfree_skb(std::move(skb));
		UDP_INC_STATS(net, UDP_MIB_IGNOREDMULTI);
	}
	return 0;
}

sock *udp4_lib_lookup_skb(const sk_buff &skb, be16 sport, be16 dport)
{
	TRACE(skb);
	const iphdr &iph = ip_hdr(skb);

	return __udp4_lib_lookup(dev_net(*skb.dev), iph.saddr, sport, iph.daddr, dport, inet_iif(skb),
	                         inet_sdif(skb), *udp_table, nullptr);
}

// True: the checksum is wrong already.
static bool udp4_csum_init(sk_buff &skb, const udphdr &uh, u8 proto)
{
	TRACE_INLINE(skb);
	UDP_SKB_CB(skb).partial_cov = 0;
	UDP_SKB_CB(skb).cscov = static_cast<u16>(skb.len);
	if (skb_checksum_init_zero_check(skb, proto, uh.check))
		return true;
	if (skb.ip_summed == CHECKSUM_COMPLETE && !skb.csum_valid) {
		if (skb.csum_complete_sw)
			return true;
		skb.ip_summed = CHECKSUM_NONE; // the device's sum was of no use
	}
	return false;
}

static sock *skb_steal_sock(sk_buff &skb)
{
	TRACE_INLINE(skb);
	skb.destructor = nullptr;
	return std::exchange(skb.sk, nullptr);
}

int __udp4_lib_rcv(skb_ptr skb, udp_table_t &udptable, u8 proto)
{
	TRACE(skb);
	net &net = dev_net(*skb->dev);
	const rtable *rt = skb_rtable(*skb);

	if (!pskb_may_pull(*skb, sizeof(udphdr)))
		return drop(std::move(skb), net, SKB_DROP_REASON_NOT_SPECIFIED);
	const u32 ulen = ntohs(udp_hdr(*skb).len);
	const be32 saddr = ip_hdr(*skb).saddr, daddr = ip_hdr(*skb).daddr;
	if (ulen > skb->len || ulen < sizeof(udphdr) || pskb_trim_rcsum(*skb, ulen))
		return drop(std::move(skb), net, SKB_DROP_REASON_PKT_TOO_SMALL);
	const udphdr &uh = udp_hdr(*skb);
	if (udp4_csum_init(*skb, uh, proto)) {
		UDP_INC_STATS(net, UDP_MIB_CSUMERRORS);
		return drop(std::move(skb), net, SKB_DROP_REASON_UDP_CSUM);
	}

	if (skb->sk) {
		sock &sk = *skb_steal_sock(*skb); // counted by early demux
		dst_entry *dst = skb_dst(*skb);

		if (sk.sk_rx_dst != dst)
			udp_sk_rx_dst_set(sk, *dst);
		const int ret = udp_unicast_rcv_skb(sk, std::move(skb), uh);
		sock_put(sk);
		return ret;
	}
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return __udp4_lib_mcast_deliver(net, std::move(skb), uh, saddr, daddr, udptable);
	if (sock *sk = __udp4_lib_lookup(net, saddr, uh.source, daddr, uh.dest, inet_iif(*skb),
	                                 inet_sdif(*skb), udptable, skb.get()))
		return udp_unicast_rcv_skb(*sk, std::move(skb), uh);

	if (!xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb))
		return drop(std::move(skb), net, SKB_DROP_REASON_NOT_SPECIFIED);
	nf_reset_ct(*skb);
	if (udp_lib_checksum_complete(*skb)) {
		UDP_INC_STATS(net, UDP_MIB_CSUMERRORS);
		return drop(std::move(skb), net, SKB_DROP_REASON_UDP_CSUM);
	}
	UDP_INC_STATS(net, UDP_MIB_NOPORTS);
	icmp_send(*skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, be32{});
	kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NO_SOCKET);
	return 0;
}

int udp_rcv(skb_ptr skb)
{
	TRACE(skb);
	return __udp4_lib_rcv(std::move(skb), *udp_table, IPPROTO_UDP);
}

// --- early demux ---

// Only where a single socket matches.
static sock *__udp4_lib_mcast_demux_lookup(net &net, be16 loc_port, be32 loc_addr, be16 rmt_port,
                                           be32 rmt_addr, int dif, int sdif)
{
	TRACE();
	const u16 hnum = ntohs(loc_port);
	udp_hslot &hslot = udp_hashslot(*udp_table, net, hnum);
	sock *result = nullptr;

	if (hslot.count > 10)
		return nullptr;
	for (udp_sock &sk : rcu_view(hslot.head)) {
		if (__udp_is_mcast_sock(net, sk, loc_port, loc_addr, rmt_port, rmt_addr, dif, sdif, hnum)) {
			if (result)
				return nullptr;
			result = &sk;
		}
	}
	return result;
}

// Connected sockets only, and only the first of a chain, which may be long.
static sock *__udp4_lib_demux_lookup(net &net, be16 loc_port, be32 loc_addr, be16 rmt_port, be32 rmt_addr,
                                     int dif, int sdif)
{
	TRACE();
	const u16 hnum = ntohs(loc_port);
	udp_hslot2 &hslot2 = udp_hashslot2(*udp_table, ipv4_portaddr_hash(net, loc_addr, hnum));

	if (hslot2.head.empty())
		return nullptr;
	udp_sock &sk = hslot2.head.front();
	const u64 acookie = INET_ADDR_COOKIE(rmt_addr, loc_addr);
	const u32 ports = INET_COMBINED_PORTS(rmt_port, hnum);
	return inet_match(net, sk, acookie, ports, dif, sdif) ? &sk : nullptr;
}

int udp_v4_early_demux(sk_buff &skb)
{
	TRACE(skb);
	net &net = dev_net(*skb.dev);
	in_device *in_dev = nullptr;
	const int dif = skb.dev->ifindex;
	const int sdif = inet_sdif(skb);
	sock *sk = nullptr;

	if (!pskb_may_pull(skb,
	                   static_cast<u32>(skb_transport_offset(skb)) + static_cast<u32>(sizeof(udphdr))))
		return 0;
	const iphdr &iph = ip_hdr(skb);
	const udphdr &uh = udp_hdr(skb);
	if (skb.pkt_type == PACKET_MULTICAST) {
		in_dev = __in_dev_get_rcu(*skb.dev);
		if (!in_dev || !ip_check_mc_rcu(*in_dev, iph.daddr, iph.saddr, iph.protocol))
			return 0;
		sk = __udp4_lib_mcast_demux_lookup(net, uh.dest, iph.daddr, uh.source, iph.saddr, dif, sdif);
	} else if (skb.pkt_type == PACKET_HOST) {
		sk = __udp4_lib_demux_lookup(net, uh.dest, iph.daddr, uh.source, iph.saddr, dif, sdif);
	}
	if (!sk || !refcount_inc_not_zero(sk->sk_refcnt))
		return 0;
	skb.sk = sk;
	skb.destructor = sock_efree;

	dst_entry *dst = sk->sk_rx_dst;
	if (dst)
		dst = dst_check(*dst, 0);
	if (!dst)
		return 0;
	skb_dst_set_noref(skb, dst);
	// An unconnected socket of a group: where it comes from is checked for each packet.
	if (!inet_sk(*sk).inet_daddr && in_dev)
		return ip_mc_validate_source(skb, iph.daddr, iph.saddr, iph.tos & IPTOS_RT_MASK, *skb.dev,
		                             in_dev);
	return 0;
}

u32 udp_poll(file &file, socket &sock, poll_table *wait)
{
	TRACE(sock.sk);
	u32 mask = datagram_poll(file, sock, wait);
	skbwalk::sock &sk = *sock.sk;

	if (!skb_queue_empty_lockless(udp_sk(sk).reader_queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	// A blocking reader must not be sent to sleep by a packet with a bad checksum.
	if ((mask & EPOLLRDNORM) && !(file.f_flags & O_NONBLOCK_FLAG) && !(sk.sk_shutdown & RCV_SHUTDOWN) &&
	    first_packet_length(sk) == -1)
		mask &= ~(EPOLLIN | EPOLLRDNORM);
	return mask;
}

} // namespace skbwalk
