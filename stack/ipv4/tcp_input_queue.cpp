// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: a segment's data. tcp_data_queue puts what is next in sequence into the
// receive queue (tcp_queue_rcv, merged into the last skb where it can be), then what was waiting for it
// (tcp_ofo_queue); what came too early goes to the out-of-order tree (tcp_data_queue_ofo), and the SACK
// blocks to send follow it. What is old is dropped and reported as a duplicate. Where memory ends, queues are
// collapsed into denser skbs and then pruned. Left out: MPTCP.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

// --- SACK blocks to send ---
static bool tcp_sack_extend(tcp_sack_block &sp, seq32 seq, seq32 end_seq)
{
	TRACE();
	if (after(seq, sp.end_seq) || after(sp.start_seq, end_seq))
		return false;
	if (before(seq, sp.start_seq))
		sp.start_seq = seq;
	if (after(end_seq, sp.end_seq))
		sp.end_seq = end_seq;
	return true;
}

// RFC 2883: this came twice.
void tcp_dsack_set(sock &sk, seq32 seq, seq32 end_seq)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tcp_is_sack(tp) || !sock_net(sk).ipv4.sysctl_tcp_dsack)
		return;
	NET_INC_STATS(sock_net(sk),
	              before(seq, tp.rcv_nxt) ? LINUX_MIB_TCPDSACKOLDSENT : LINUX_MIB_TCPDSACKOFOSENT);
	tp.rx_opt.dsack = 1;
	tp.duplicate_sack[0] = {seq, end_seq};
}

static void tcp_dsack_extend(sock &sk, seq32 seq, seq32 end_seq)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.rx_opt.dsack)
		tcp_dsack_set(sk, seq, end_seq);
	else
		tcp_sack_extend(tp.duplicate_sack[0], seq, end_seq);
}

// The same segment a second time: our ACKs may get lost on their path. Another hash may find another one.
void tcp_rcv_spurious_retrans(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	if (TCP_SKB_CB(skb).seq == tcp_sk(sk).duplicate_sack[0].start_seq && sk_rethink_txhash(sk))
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPDUPLICATEDATAREHASH);
}

// The first block grew: it may have reached others.
static void tcp_sack_maybe_coalesce(tcp_sock &tp)
{
	TRACE(tp);
	tcp_sack_block *sp = tp.selective_acks;

	for (int this_sack = 1; this_sack < tp.rx_opt.num_sacks;) {
		if (tcp_sack_extend(sp[0], sp[this_sack].start_seq, sp[this_sack].end_seq)) {
			tp.rx_opt.num_sacks--;
			for (int i = this_sack; i < tp.rx_opt.num_sacks; i++)
				sp[i] = sp[i + 1];
			continue;
		}
		this_sack++;
	}
}

// An ACK that was put off to be sent with others is sent now.
void tcp_sack_compress_send_ack(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (!tp.compressed_ack)
		return;
	if (hrtimer_try_to_cancel(tp.compressed_ack_timer) == 1)
		__sock_put(sk);
	// One of them is sent after all.
	NET_ADD_STATS(sock_net(sk), LINUX_MIB_TCPACKCOMPRESSED, tp.compressed_ack - 1u);
	tp.compressed_ack = 0;
	tcp_send_ack(sk);
}

// RFC 2018: the block with the newest segment comes first.
static void tcp_sack_new_ofo_skb(sock &sk, seq32 seq, seq32 end_seq)
{
	TRACE(sk);
	constexpr int TCP_SACK_BLOCKS_EXPECTED = 2; // two and a D-SACK fit beside time stamps
	tcp_sock &tp = tcp_sk(sk);
	tcp_sack_block *sp = tp.selective_acks;
	const int cur_sacks = tp.rx_opt.num_sacks;
	int this_sack;

	for (this_sack = 0; this_sack < cur_sacks; this_sack++) {
		if (!tcp_sack_extend(sp[this_sack], seq, end_seq))
			continue;
		if (this_sack >= TCP_SACK_BLOCKS_EXPECTED)
			tcp_sack_compress_send_ack(sk);
		for (; this_sack > 0; this_sack--)
			std::swap(sp[this_sack], sp[this_sack - 1]);
		if (cur_sacks > 1)
			tcp_sack_maybe_coalesce(tp);
		return;
	}
	if (cur_sacks) {
		if (this_sack >= TCP_SACK_BLOCKS_EXPECTED)
			tcp_sack_compress_send_ack(sk);
		// The oldest one falls out.
		if (this_sack >= TCP_NUM_SACKS) {
			this_sack--;
			tp.rx_opt.num_sacks--;
		}
		for (; this_sack > 0; this_sack--)
			sp[this_sack] = sp[this_sack - 1];
	}
	sp[0] = {seq, end_seq};
	tp.rx_opt.num_sacks++;
}

// rcv_nxt advanced: blocks that it swallowed go.
static void tcp_sack_remove(tcp_sock &tp)
{
	TRACE(tp);
	tcp_sack_block *sp = tp.selective_acks;
	int num_sacks = tp.rx_opt.num_sacks;

	if (tp.out_of_order_queue.empty()) {
		tp.rx_opt.num_sacks = 0;
		return;
	}
	for (int this_sack = 0; this_sack < num_sacks;) {
		if (!before(tp.rcv_nxt, sp[this_sack].start_seq)) {
			for (int i = this_sack + 1; i < num_sacks; i++)
				sp[i - 1] = sp[i];
			num_sacks--;
			continue;
		}
		this_sack++;
	}
	tp.rx_opt.num_sacks = static_cast<u8>(num_sacks);
}

// --- merging ---
// `from` follows `to` directly: its data moves there. The caller then frees what is left of it.
static bool tcp_try_coalesce(sock &sk, sk_buff &to, sk_buff &from, bool &fragstolen)
{
	TRACE(sk, to);
	tcp_skb_cb &to_cb = TCP_SKB_CB(to);
	const tcp_skb_cb &from_cb = TCP_SKB_CB(from);
	int delta;

	fragstolen = false;
	if (from_cb.seq != to_cb.end_seq)
		return false;
	if (from.decrypted != to.decrypted)
		return false;
	if (!skb_try_coalesce(to, from, fragstolen, delta))
		return false;
	sk.sk_backlog.rmem_alloc += delta;
	sk_mem_charge(sk, delta);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPRCVCOALESCE);
	to_cb.end_seq = from_cb.end_seq;
	to_cb.ack_seq = from_cb.ack_seq;
	to_cb.tcp_flags |= from_cb.tcp_flags;
	if (from_cb.has_rxtstamp) {
		to_cb.has_rxtstamp = 1;
		to.tstamp = from.tstamp;
		skb_shinfo(to).hwtstamps = skb_shinfo(from).hwtstamps;
	}
	return true;
}

static bool tcp_ooo_try_coalesce(sock &sk, sk_buff &to, sk_buff &from, bool &fragstolen)
{
	TRACE(sk, to);
	const bool res = tcp_try_coalesce(sk, to, from, fragstolen);

	// They may not be of one size: gso_segs counts how many there were.
	if (res) {
		const u32 gso_segs = std::max<u32>(1, skb_shinfo(to).gso_segs) +
		                     std::max<u32>(1, skb_shinfo(from).gso_segs);

		skb_shinfo(to).gso_segs = static_cast<u16>(std::min<u32>(gso_segs, 0xffff));
	}
	return res;
}

void tcp_drop_reason(sock &sk, skb_ptr skb, skb_drop_reason reason)
{
	TRACE(sk, skb);
	atomic_add(std::max<int>(1, skb_shinfo(*skb).gso_segs), sk.sk_drops); // sk_drops_add
	kfree_skb_reason(std::move(skb), reason);
}

namespace {

skb_ptr take(skb_rb_root &root, sk_buff &skb)
{
	root.erase(root.iterator_to(skb));
	return skb_ptr(&skb);
}

} // namespace

// The hole is filled: what waited behind it moves to the receive queue.
static void tcp_ofo_queue(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	skb_rb_root &ofo = tp.out_of_order_queue;
	const seq32 dsack_high = tp.rcv_nxt;

	while (!ofo.empty()) {
		sk_buff &skb = *skb_rb_first(ofo);
		const tcp_skb_cb &cb = TCP_SKB_CB(skb);

		if (after(cb.seq, tp.rcv_nxt))
			break;
		if (before(cb.seq, dsack_high))
			tcp_dsack_extend(sk, cb.seq,
			                 before(cb.end_seq, dsack_high) ? cb.end_seq : dsack_high);
		skb_ptr owned = take(ofo, skb);

		if (!after(cb.end_seq, tp.rcv_nxt)) {
			tcp_drop_reason(sk, std::move(owned), SKB_DROP_REASON_TCP_OFO_DROP);
			continue;
		}
		bool fragstolen = false;
		sk_buff *tail = skb_peek_tail(sk.sk_receive_queue);
		const bool eaten = tail && tcp_try_coalesce(sk, *tail, skb, fragstolen);

		tcp_rcv_nxt_update(tp, cb.end_seq);
		const bool fin = cb.tcp_flags & TCPHDR_FIN;

		if (!eaten)
			tcp_add_receive_queue(sk, std::move(owned));
		else
			kfree_skb_partial(std::move(owned), fragstolen);
		if (fin) {
			tcp_fin(sk); // purges what is behind the end
			break;
		}
	}
}

static bool tcp_prune_ofo_queue(sock &sk);
static int tcp_prune_queue(sock &sk);

static int tcp_try_rmem_schedule(sock &sk, const sk_buff &skb, u32 size)
{
	TRACE(sk, skb);
	if (sk_rmem_alloc_get(sk) > sk.sk_rcvbuf || !sk_rmem_schedule(sk, skb, static_cast<int>(size))) {
		if (tcp_prune_queue(sk) < 0)
			return -1;
		while (!sk_rmem_schedule(sk, skb, static_cast<int>(size))) {
			if (!tcp_prune_ofo_queue(sk))
				return -1;
		}
	}
	return 0;
}

namespace {

enum class ofo_place { queued, coalesced, duplicate };
using node_traits = skb_rb_root::node_traits;
using tree_node = node_traits::node;

// Finds the segment's place in the tree, which is not empty, and takes it there; what it covers goes.
// Coalesced: skb was emptied into its left neighbour and still has to be freed.
ofo_place ofo_insert(sock &sk, skb_ptr &skb, bool &fragstolen)
{
	tcp_sock &tp = tcp_sk(sk);
	skb_rb_root &ofo = tp.out_of_order_queue;
	const seq32 seq = TCP_SKB_CB(*skb).seq, end_seq = TCP_SKB_CB(*skb).end_seq;
	sk_buff *added = nullptr;

	// In bulk, the segment follows the newest one.
	if (tcp_ooo_try_coalesce(sk, *tp.ooo_last_skb, *skb, fragstolen))
		return ofo_place::coalesced;
	if (before(seq, TCP_SKB_CB(*tp.ooo_last_skb).end_seq)) {
		for (tree_node *at = node_traits::get_parent(ofo.end().pointed_node()); at;) {
			sk_buff &skb1 = *ofo.get_value_traits().to_value_ptr(at);
			const tcp_skb_cb &cb1 = TCP_SKB_CB(skb1);

			if (before(seq, cb1.seq)) {
				at = node_traits::get_left(at);
				continue;
			}
			if (before(seq, cb1.end_seq)) {
				if (!after(end_seq, cb1.end_seq)) {
					NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPOFOMERGE);
					tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_TCP_OFOMERGE);
					tcp_dsack_set(sk, seq, end_seq);
					return ofo_place::duplicate;
				}
				if (after(seq, cb1.seq)) {
					tcp_dsack_set(sk, seq, cb1.end_seq);
				} else {
					// It begins where skb1 does and is longer.
					added = skb.release();
					ofo.replace_node(ofo.iterator_to(skb1), *added);
					tcp_dsack_extend(sk, cb1.seq, cb1.end_seq);
					NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPOFOMERGE);
					tcp_drop_reason(sk, skb_ptr(&skb1), SKB_DROP_REASON_TCP_OFOMERGE);
					break;
				}
			} else if (tcp_ooo_try_coalesce(sk, skb1, *skb, fragstolen)) {
				return ofo_place::coalesced;
			}
			at = node_traits::get_right(at);
		}
	}
	if (!added) {
		added = skb.release();
		ofo.insert_equal(*added);
	}

	// What it covers to its right goes.
	sk_buff *skb1;

	while ((skb1 = skb_rb_next(ofo, *added)) != nullptr) {
		const tcp_skb_cb &cb1 = TCP_SKB_CB(*skb1);

		if (!after(end_seq, cb1.seq))
			break;
		if (before(end_seq, cb1.end_seq)) {
			tcp_dsack_extend(sk, cb1.seq, end_seq);
			break;
		}
		tcp_dsack_extend(sk, cb1.seq, cb1.end_seq);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPOFOMERGE);
		tcp_drop_reason(sk, take(ofo, *skb1), SKB_DROP_REASON_TCP_OFOMERGE);
	}
	if (!skb1) // nothing is behind it
		tp.ooo_last_skb = added;
	return ofo_place::queued;
}

} // namespace

static void tcp_data_queue_ofo(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff &s = *skb;

	tcp_ecn_check_ce(sk, s);
	if (tcp_try_rmem_schedule(sk, s, s.truesize)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPOFODROP);
		sk.sk_data_ready(sk);
		tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_PROTO_MEM);
		return;
	}
	tp.pred_flags = 0;
	inet_csk_schedule_ack(sk);
	tp.rcv_ooopack += std::max<u32>(1, skb_shinfo(s).gso_segs);
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPOFOQUEUE);

	const seq32 seq = TCP_SKB_CB(s).seq, end_seq = TCP_SKB_CB(s).end_seq;
	ofo_place place = ofo_place::queued;

	if (tp.out_of_order_queue.empty()) {
		if (tcp_is_sack(tp)) {
			tp.rx_opt.num_sacks = 1;
			tp.selective_acks[0] = {seq, end_seq};
		}
		tp.out_of_order_queue.insert_equal(*skb.release());
		tp.ooo_last_skb = &s;
	} else {
		bool fragstolen = false;

		place = ofo_insert(sk, skb, fragstolen);
		if (place == ofo_place::coalesced) {
			// The window grows for it, even if it comes in bulk.
			if (tcp_is_sack(tp))
				tcp_grow_window(sk, s, true);
			kfree_skb_partial(std::move(skb), fragstolen);
		}
		if (tcp_is_sack(tp))
			tcp_sack_new_ofo_skb(sk, seq, end_seq);
	}
	if (place == ofo_place::queued) {
		if (tcp_is_sack(tp))
			tcp_grow_window(sk, s, false);
		skb_condense(s);
		skb_set_owner_r(s, sk);
	}
}

int tcp_queue_rcv(sock &sk, skb_ptr &skb, bool &fragstolen)
{
	TRACE(sk, skb);
	sk_buff &s = *skb;
	sk_buff *tail = skb_peek_tail(sk.sk_receive_queue);
	const int eaten = tail && tcp_try_coalesce(sk, *tail, s, fragstolen);

	tcp_rcv_nxt_update(tcp_sk(sk), TCP_SKB_CB(s).end_seq);
	if (!eaten) {
		tcp_add_receive_queue(sk, std::move(skb));
		skb_set_owner_r(s, sk);
	}
	return eaten;
}

// --- linux-4.4: straight into the buffer of the task that processes the segment, since it is the reader ---
// not traced: a condition in linux-4.4's functions
bool reader_takes(const sock &sk)
{
	const tcp_sock &tp = tcp_sk(sk);

	return current.host->features.prequeue && tp.ucopy.task && tp.ucopy.task == current.task &&
	       tp.copied_seq == tp.rcv_nxt && tp.ucopy.len && sock_owned_by_user(sk);
}

namespace {

void reader_took(sock &sk, int chunk)
{
	tcp_sock &tp = tcp_sk(sk);

	tp.ucopy.len -= chunk;
	tp.copied_seq += static_cast<u32>(chunk);
	tcp_rcv_space_adjust(sk);
}

} // namespace

// Data behind `hlen` bytes of header, all of it. Not 0: it could not be copied, or its checksum is bad.
int tcp_copy_to_iovec(sock &sk, sk_buff &skb, int hlen)
{
	TRACE(sk, skb);
	msghdr &msg = *tcp_sk(sk).ucopy.msg;
	const int chunk = static_cast<int>(skb.len) - hlen;
	const int err = skb_csum_unnecessary(skb) ? skb_copy_datagram_msg(skb, hlen, msg, chunk)
	                                          : skb_copy_and_csum_datagram_msg(skb, hlen, msg);

	if (!err)
		reader_took(sk, chunk);
	return err;
}

void tcp_data_ready(sock &sk)
{
	TRACE(sk);
	if (tcp_epollin_ready(sk, sk.sk_rcvlowat) || sock_flag(sk, SOCK_DONE))
		sk.sk_data_ready(sk);
}

namespace {

// rcv_nxt has passed the segment `s`, of which we still hold what the queue did not take.
void data_taken(sock &sk, skb_ptr skb, sk_buff &s, int eaten, bool fragstolen)
{
	tcp_sock &tp = tcp_sk(sk);

	if (s.len)
		tcp_event_data_recv(sk, s);
	if (TCP_SKB_CB(s).tcp_flags & TCPHDR_FIN)
		tcp_fin(sk);
	if (!tp.out_of_order_queue.empty()) {
		tcp_ofo_queue(sk);
		// RFC 5681, 4.2: what fills a hole is acknowledged at once.
		if (tp.out_of_order_queue.empty())
			tp.icsk_ack.pending |= ICSK_ACK_NOW;
	}
	if (tp.rx_opt.num_sacks)
		tcp_sack_remove(tp);
	tcp_fast_path_check(sk);
	if (eaten)
		kfree_skb_partial(std::move(skb), fragstolen);
	if (!sock_flag(sk, SOCK_DEAD))
		tcp_data_ready(sk);
}

} // namespace

void tcp_data_queue(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	sk_buff &s = *skb;
	tcp_skb_cb &cb = TCP_SKB_CB(s);
	const auto drop_out_of_window = [&](skb_drop_reason reason) {
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		inet_csk_schedule_ack(sk);
		tcp_drop_reason(sk, std::move(skb), reason);
	};

	if (cb.seq == cb.end_seq) {
		__kfree_skb(std::move(skb));
		return;
	}
	tcp_cleanup_skb(s);
	__skb_pull(s, tcp_hdr(s).doff() * 4);
	tp.rx_opt.dsack = 0;

	if (cb.seq != tp.rcv_nxt) {
		if (!after(cb.end_seq, tp.rcv_nxt)) {
			tcp_rcv_spurious_retrans(sk, s);
			// A retransmission: the peer did not see our ACK.
			NET_INC_STATS(sock_net(sk), LINUX_MIB_DELAYEDACKLOST);
			tcp_dsack_set(sk, cb.seq, cb.end_seq);
			return drop_out_of_window(SKB_DROP_REASON_TCP_OLD_DATA);
		}
		// Out of window: a window probe, or worse.
		if (!before(cb.seq, tp.rcv_nxt + tcp_receive_window(tp)))
			return drop_out_of_window(SKB_DROP_REASON_TCP_OVERWINDOW);
		if (!before(cb.seq, tp.rcv_nxt))
			return tcp_data_queue_ofo(sk, std::move(skb));
		// Old in its first part, new in the rest.
		tcp_dsack_set(sk, cb.seq, tp.rcv_nxt);
	}
	if (!tcp_receive_window(tp)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPZEROWINDOWDROP);
		return drop_out_of_window(SKB_DROP_REASON_TCP_ZEROWINDOW);
	}

	bool fragstolen = false;
	int eaten = 0;

	if (reader_takes(sk) && cb.seq == tp.rcv_nxt && !tp.urg_data) {
		const int chunk = std::min(static_cast<int>(s.len), tp.ucopy.len);

		if (!skb_copy_datagram_msg(s, 0, *tp.ucopy.msg, chunk)) {
			eaten = chunk == static_cast<int>(s.len);
			reader_took(sk, chunk);
		}
	}
	if (eaten) {
		tcp_rcv_nxt_update(tp, cb.end_seq);
		return data_taken(sk, std::move(skb), s, eaten, fragstolen);
	}
	// In sequence. One skb is taken even where no memory is left, so that the reader gets on.
	if (skb_queue_len(sk.sk_receive_queue) == 0) {
		sk_forced_mem_schedule(sk, static_cast<int>(s.truesize));
	} else if (tcp_try_rmem_schedule(sk, s, s.truesize)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPRCVQDROP);
		sk.sk_data_ready(sk);
		tcp_drop_reason(sk, std::move(skb), SKB_DROP_REASON_PROTO_MEM);
		return;
	}
	eaten = tcp_queue_rcv(sk, skb, fragstolen);
	data_taken(sk, std::move(skb), s, eaten, fragstolen);
}

// --- memory ends: collapse, then prune ---
static sk_buff *tcp_skb_next(sk_buff &skb, sk_buff_head *list, skb_rb_root *root)
{
	TRACE(skb);
	return list ? skb_queue_next(*list, skb) : skb_rb_next(*root, skb);
}

// Frees one, whose data was copied or is old; the one after it.
static sk_buff *tcp_collapse_one(sock &sk, sk_buff &skb, sk_buff_head *list, skb_rb_root *root)
{
	TRACE(sk, skb);
	sk_buff *next = tcp_skb_next(skb, list, root);

	__kfree_skb(list ? __skb_unlink(skb, *list) : take(*root, skb));
	NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPRCVCOLLAPSED);
	return next;
}

void tcp_rbtree_insert(skb_rb_root &root, skb_ptr skb)
{
	TRACE(skb);
	root.insert_equal(*skb.release());
}

namespace {

bool has_syn_or_fin(const sk_buff &skb) { return TCP_SKB_CB(skb).tcp_flags & (TCPHDR_SYN | TCPHDR_FIN); }

} // namespace

// The data from start to end, which begins in head and ends before tail (null: the last), is copied into skbs
// that are full.
static void tcp_collapse(sock &sk, sk_buff_head *list, skb_rb_root *root, sk_buff *head, sk_buff *tail,
                         seq32 start, seq32 end)
{
	TRACE(sk);
	sk_buff *skb = head, *n;
	bool end_of_skbs = true;

	// The first one that is worth it: mostly overhead, or one that overlaps its successor.
	for (; skb && skb != tail; skb = n) {
		n = tcp_skb_next(*skb, list, root);
		if (!before(start, TCP_SKB_CB(*skb).end_seq)) { // read already
			n = tcp_collapse_one(sk, *skb, list, root);
			if (!n)
				return;
			continue;
		}
		if (!has_syn_or_fin(*skb) &&
		    (tcp_win_from_space(sk, static_cast<int>(skb->truesize)) > static_cast<int>(skb->len) ||
		     before(TCP_SKB_CB(*skb).seq, start))) {
			end_of_skbs = false;
			break;
		}
		if (n && n != tail && TCP_SKB_CB(*skb).end_seq != TCP_SKB_CB(*n).seq) {
			end_of_skbs = false;
			break;
		}
		start = TCP_SKB_CB(*skb).end_seq;
	}
	if (end_of_skbs || !skb || has_syn_or_fin(*skb))
		return;

	sk_buff_head tmp; // made for the tree, where order by sequence forbids them before the old ones go
	bool done = false;

	while (!done && before(start, end)) {
		u32 copy = std::min(SKB_MAX_ORDER_0(0), static_cast<u32>(end - start));
		skb_ptr made = alloc_skb(copy, GFP_ATOMIC);

		if (!made)
			break;
		sk_buff &nskb = *made;

		std::memcpy(nskb.cb, skb->cb, sizeof(skb->cb));
		nskb.decrypted = skb->decrypted;
		TCP_SKB_CB(nskb).seq = TCP_SKB_CB(nskb).end_seq = start;
		if (list)
			__skb_queue_before(*list, *skb, std::move(made));
		else
			__skb_queue_tail(tmp, std::move(made));
		skb_set_owner_r(nskb, sk);

		while (copy > 0) {
			const int offset = start - TCP_SKB_CB(*skb).seq;
			int size = TCP_SKB_CB(*skb).end_seq - start;

			assert(offset >= 0);
			if (size > 0) {
				size = std::min(static_cast<int>(copy), size);
				[[maybe_unused]] const int err = skb_copy_bits(
					*skb, offset, skb_put(nskb, static_cast<u32>(size)), size);
				assert(!err);
				TCP_SKB_CB(nskb).end_seq += static_cast<u32>(size);
				copy -= static_cast<u32>(size);
				start += static_cast<u32>(size);
			}
			if (!before(start, TCP_SKB_CB(*skb).end_seq)) {
				skb = tcp_collapse_one(sk, *skb, list, root);
				if (!skb || skb == tail || has_syn_or_fin(*skb) ||
				    skb->decrypted != nskb.decrypted) {
					done = true;
					break;
				}
			}
		}
	}
	while (skb_ptr moved = __skb_dequeue(tmp))
		tcp_rbtree_insert(*root, std::move(moved));
}

// Each run of segments without a hole is collapsed; runs of a few bytes are left, unless there are many.
static void tcp_collapse_ofo_queue(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	skb_rb_root &ofo = tp.out_of_order_queue;
	u32 sum_tiny = 0;
	sk_buff *skb = skb_rb_first(ofo);

	while (skb) {
		sk_buff *head = skb;
		seq32 start = TCP_SKB_CB(*skb).seq, end = TCP_SKB_CB(*skb).end_seq;
		u32 range_truesize = skb->truesize;

		for (;;) {
			skb = skb_rb_next(ofo, *skb);
			if (!skb || after(TCP_SKB_CB(*skb).seq, end) ||
			    before(TCP_SKB_CB(*skb).end_seq, start))
				break;
			range_truesize += skb->truesize;
			if (before(TCP_SKB_CB(*skb).seq, start))
				start = TCP_SKB_CB(*skb).seq;
			if (after(TCP_SKB_CB(*skb).end_seq, end))
				end = TCP_SKB_CB(*skb).end_seq;
		}
		if (range_truesize != head->truesize ||
		    static_cast<u32>(end - start) >= SKB_WITH_OVERHEAD(static_cast<u32>(PAGE_SIZE))) {
			tcp_collapse(sk, nullptr, &ofo, head, skb, start, end);
		} else {
			sum_tiny += range_truesize;
			if (sum_tiny > static_cast<u32>(sk.sk_rcvbuf) >> 3)
				return;
		}
	}
	tp.ooo_last_skb = skb_rb_last(ofo);
}

// From the end of the tree, an eighth of the buffer at a time, until it fits. False: there was nothing to
// throw away.
static bool tcp_prune_ofo_queue(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	skb_rb_root &ofo = tp.out_of_order_queue;

	if (ofo.empty())
		return false;
	NET_INC_STATS(sock_net(sk), LINUX_MIB_OFOPRUNED);
	int goal = sk.sk_rcvbuf >> 3;
	sk_buff *skb = tp.ooo_last_skb, *prev;

	do {
		prev = skb_rb_prev(ofo, *skb);
		goal -= static_cast<int>(skb->truesize);
		tcp_drop_reason(sk, take(ofo, *skb), SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE);
		if (!prev || goal <= 0) {
			if (sk_rmem_alloc_get(sk) <= sk.sk_rcvbuf && !tcp_under_memory_pressure(sk))
				break;
			goal = sk.sk_rcvbuf >> 3;
		}
		skb = prev;
	} while (skb);
	tp.ooo_last_skb = prev;
	// The peer is not to take them for received.
	if (tp.rx_opt.sack_ok)
		tcp_sack_reset(tp.rx_opt);
	return true;
}

// 0: it fits now.
static int tcp_prune_queue(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	NET_INC_STATS(sock_net(sk), LINUX_MIB_PRUNECALLED);
	if (sk_rmem_alloc_get(sk) >= sk.sk_rcvbuf)
		tcp_clamp_window(sk);
	else if (tcp_under_memory_pressure(sk))
		tcp_adjust_rcv_ssthresh(sk);
	if (sk_rmem_alloc_get(sk) <= sk.sk_rcvbuf)
		return 0;
	tcp_collapse_ofo_queue(sk);
	if (!skb_queue_empty(sk.sk_receive_queue))
		tcp_collapse(sk, &sk.sk_receive_queue, nullptr, skb_peek(sk.sk_receive_queue), nullptr,
		             tp.copied_seq, tp.rcv_nxt);
	if (sk_rmem_alloc_get(sk) <= sk.sk_rcvbuf)
		return 0;
	tcp_prune_ofo_queue(sk);
	if (sk_rmem_alloc_get(sk) <= sk.sk_rcvbuf)
		return 0;
	// The peer sends more than the window that we gave.
	NET_INC_STATS(sock_net(sk), LINUX_MIB_RCVPRUNED);
	tp.pred_flags = 0;
	return -1;
}

} // namespace skbwalk
