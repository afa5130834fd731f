// SPDX-License-Identifier: GPL-2.0-only
//
// The helpers that disciplines are written with (inline in include/net/sch_generic.h and
// include/net/pkt_sched.h): counting, a plain queue, looking at the next packet of one that may hold it back,
// dropping. A packet that is dropped under the root's lock goes to `to_free`, and who enqueued frees it
// later.
#include "stack/sched/pkt_sched.h"

#include <cassert>

#include "stack/kernel/prefetch.h"

namespace skbwalk {

void qdisc_calculate_pkt_len(sk_buff &skb, const Qdisc &)
{
	TRACE_INLINE(skb);
	// A size table (tc ... stab) would change the length that __dev_queue_xmit set; there is none.
	assert(qdisc_pkt_len(skb) != 0);
}

void qdisc_bstats_update(Qdisc &q, const sk_buff &skb)
{
	TRACE_INLINE(skb);
	q.bstats.bytes += qdisc_pkt_len(skb);
	q.bstats.packets += skb_is_gso(skb) ? skb_shinfo(skb).gso_segs : 1;
}

void sch_tree_lock(Qdisc &q)
{
	TRACE_INLINE();
	spin_lock_bh(qdisc_lock(qdisc_root_sleeping(q)));
}

void sch_tree_unlock(Qdisc &q)
{
	TRACE_INLINE();
	spin_unlock_bh(qdisc_lock(qdisc_root_sleeping(q)));
}

void __qdisc_drop(skb_ptr skb, sk_buff *&to_free)
{
	TRACE_INLINE(skb);
	skb->next = to_free;
	to_free = skb.release();
}

int qdisc_drop(skb_ptr skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE_INLINE(skb);
	__qdisc_drop(std::move(skb), to_free);
	qdisc_qstats_drop(q);
	return NET_XMIT_DROP;
}

int qdisc_drop_all(sk_buff *skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE_INLINE(skb);
	sk_buff *last = skb;

	while (last->next)
		last = last->next;
	last->next = to_free;
	to_free = skb;
	qdisc_qstats_drop(q);
	return NET_XMIT_DROP;
}

int qdisc_enqueue(skb_ptr skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE_INLINE(skb);
	return q.enqueue(std::move(skb), q, to_free);
}

// --- the queue that each discipline has ---

static void __qdisc_enqueue_tail(skb_ptr skb, qdisc_skb_head &qh)
{
	TRACE_INLINE(skb);
	sk_buff *last = std::exchange(qh.tail, skb.release());

	qh.tail->next = nullptr;
	(last ? last->next : qh.head) = qh.tail;
	++qh.qlen;
}

int qdisc_enqueue_tail(skb_ptr skb, Qdisc &q)
{
	TRACE_INLINE(skb);
	qdisc_qstats_backlog_inc(q, *skb);
	__qdisc_enqueue_tail(std::move(skb), q.q);
	return NET_XMIT_SUCCESS;
}

void __qdisc_enqueue_head(skb_ptr skb, qdisc_skb_head &qh)
{
	TRACE_INLINE(skb);
	skb->next = qh.head;
	qh.head = skb.release();
	if (!qh.tail)
		qh.tail = qh.head;
	++qh.qlen;
}

// Asks for the memory of the packet that is next, and of the one after it, by which that one's data will be
// found: in a long queue they have left the caches.
//
// not traced: not the kernel's
static void fetch_queued(const sk_buff &skb)
{
	prefetch_range(skb.data, 2 * L1_CACHE_BYTES);
	prefetch_range(&skb_shinfo(skb), 2 * L1_CACHE_BYTES);
	if (skb.next)
		prefetch_range(skb.next, sizeof(sk_buff));
}

skb_ptr __qdisc_dequeue_head(qdisc_skb_head &qh)
{
	TRACE_INLINE();
	skb_ptr skb(qh.head);

	if (!skb)
		return nullptr;
	qh.head = std::exchange(skb->next, nullptr);
	if (!qh.head)
		qh.tail = nullptr;
	else
		fetch_queued(*qh.head);
	--qh.qlen;
	return skb;
}

skb_ptr qdisc_dequeue_head(Qdisc &q)
{
	TRACE_INLINE();
	skb_ptr skb = __qdisc_dequeue_head(q.q);

	if (skb) {
		qdisc_qstats_backlog_dec(q, *skb);
		qdisc_bstats_update(q, *skb);
	}
	return skb;
}

void __qdisc_queue_drop_head(Qdisc &q, qdisc_skb_head &qh, sk_buff *&to_free)
{
	TRACE_INLINE();
	skb_ptr skb = __qdisc_dequeue_head(qh);

	if (skb) {
		qdisc_qstats_backlog_dec(q, *skb);
		__qdisc_drop(std::move(skb), to_free);
	}
}

sk_buff *qdisc_peek_head(Qdisc &q)
{
	TRACE_INLINE();
	return q.q.head;
}

sk_buff *qdisc_peek_dequeued(Qdisc &q)
{
	TRACE_INLINE();
	if (sk_buff *skb = skb_peek(q.gso_skb)) // of the root this is never asked: its gso_skb is free
		return skb;

	skb_ptr skb = q.dequeue(q);

	if (!skb)
		return nullptr;
	qdisc_qstats_backlog_inc(q, *skb); // still part of the queue
	++q.q.qlen;
	__skb_queue_head(q.gso_skb, std::move(skb));
	return skb_peek(q.gso_skb);
}

skb_ptr qdisc_dequeue_peeked(Qdisc &q)
{
	TRACE_INLINE();
	skb_ptr skb = __skb_dequeue(q.gso_skb);

	if (!skb)
		return q.dequeue(q);
	qdisc_qstats_backlog_dec(q, *skb);
	--q.q.qlen;
	return skb;
}

skb_ptr qdisc_dequeue_internal(Qdisc &q, bool direct)
{
	TRACE_INLINE();
	skb_ptr skb = __skb_dequeue(q.gso_skb);

	if (skb) {
		--q.q.qlen;
	} else {
		if (!direct)
			return q.dequeue(q);
		skb = __qdisc_dequeue_head(q.q);
	}
	if (skb)
		qdisc_qstats_backlog_dec(q, *skb);
	return skb;
}

// Unlike the kernel, which keeps them until rtnl is unlocked, they are freed at once.
void rtnl_kfree_skbs(sk_buff *head)
{
	TRACE();
	while (head) {
		skb_ptr skb(head);

		head = std::exchange(skb->next, nullptr);
		kfree_skb(std::move(skb));
	}
}

static void __qdisc_reset_queue(qdisc_skb_head &qh)
{
	TRACE_INLINE();
	rtnl_kfree_skbs(std::exchange(qh.head, nullptr));
	qh.tail = nullptr;
	qh.qlen = 0;
}

void qdisc_reset_queue(Qdisc &q)
{
	TRACE_INLINE();
	__qdisc_reset_queue(q.q);
}

void qdisc_purge_queue(Qdisc &q)
{
	TRACE_INLINE();
	const auto qlen = static_cast<int>(qdisc_qlen(q));
	const auto backlog = static_cast<int>(q.qstats.backlog);

	qdisc_reset(q);
	qdisc_tree_reduce_backlog(q, qlen, backlog);
}

Qdisc *qdisc_replace(Qdisc &sch, Qdisc *new_qdisc, Qdisc *&pold)
{
	TRACE_INLINE();
	sch_tree_lock(sch);
	Qdisc *old = std::exchange(pold, new_qdisc);

	if (old)
		qdisc_purge_queue(*old);
	sch_tree_unlock(sch);
	return old;
}

bool tc_qdisc_stats_dump(Qdisc &sch, unsigned long cl, qdisc_walker &arg)
{
	TRACE_INLINE();
	if (arg.count >= arg.skip && arg.fn(sch, cl, arg) < 0) {
		arg.stop = true;
		return false;
	}
	++arg.count;
	return true;
}

u64 psched_l2t_ns(const psched_ratecfg &r, u32 len)
{
	TRACE_INLINE();
	return (static_cast<u64>(std::max<u32>(len + r.overhead, r.mpu)) * r.mult) >> r.shift;
}

} // namespace skbwalk
