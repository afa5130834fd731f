// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_generic.c, the part that every discipline rests on: __qdisc_run takes packets out
// (dequeue_skb) and sch_direct_xmit hands them to the driver, or keeps them when it is busy; qdisc_alloc and
// qdisc_put make and end one. sch_device.cpp attaches them to devices, sch_api.cpp lets people choose. Left
// out: many queues with one discipline above (mq), statistics a cpu, rate estimators.
#include "stack/sched/pkt_sched.h"

#include <cassert>

namespace skbwalk {

namespace {

constexpr int dev_tx_weight = 64;

struct schedulers {
	Qdisc noop;
	netdev_queue noop_queue;
	const Qdisc_ops *default_qdisc_ops = &pfifo_fast_ops;
	schedulers()
	{
		noop.ops = &noop_qdisc_ops;
		noop.enqueue = noop_qdisc_ops.enqueue;
		noop.dequeue = noop_qdisc_ops.dequeue;
		noop.flags = TCQ_F_BUILTIN;
		noop.dev_queue = &noop_queue;
		noop_queue.qdisc = noop_queue.qdisc_sleeping = &noop;
	}
};
perhost<schedulers> sched;

// Guards the lists of a discipline that is not run under its root's lock.
class list_lock {
public:
	explicit list_lock(Qdisc &q) : lock_(q.flags & TCQ_F_NOLOCK ? &qdisc_lock(q) : nullptr)
	{
		if (lock_)
			spin_lock(*lock_);
	}
	~list_lock()
	{
		if (lock_)
			spin_unlock(*lock_);
	}
	list_lock(const list_lock &) = delete;
	list_lock &operator=(const list_lock &) = delete;

private:
	spinlock_t *lock_;
};

void count_in(Qdisc &q, const sk_buff &skb)
{
	qdisc_qstats_backlog_inc(q, skb);
	++q.q.qlen;
}

void count_out(Qdisc &q, const sk_buff &skb)
{
	qdisc_qstats_backlog_dec(q, skb);
	--q.q.qlen;
}

} // namespace

Qdisc &noop_qdisc() { return sched->noop; }

// The kernel's variables.
const Qdisc_ops &default_qdisc_ops() { return *sched->default_qdisc_ops; }

Qdisc::~Qdisc() { assert(!q.head); }

void set_default_qdisc_ops(const Qdisc_ops &ops) { sched->default_qdisc_ops = &ops; }

// --- who runs a discipline ---

bool qdisc_run_begin(Qdisc &q)
{
	TRACE_INLINE();
	if (q.flags & TCQ_F_NOLOCK) {
		if (_raw_spin_trylock(q.seqlock))
			return true;
		// Who has it sees this when it ends, and runs once more.
		if (q.state & __QDISC_STATE_MISSED)
			return false;
		q.state |= __QDISC_STATE_MISSED;
		return _raw_spin_trylock(q.seqlock);
	}
	if (q.state2 & __QDISC_STATE2_RUNNING)
		return false;
	q.state2 |= __QDISC_STATE2_RUNNING;
	return true;
}

void qdisc_run_end(Qdisc &q)
{
	TRACE_INLINE();
	if (q.flags & TCQ_F_NOLOCK) {
		spin_unlock(q.seqlock);
		if (q.state & __QDISC_STATE_MISSED)
			__netif_schedule(q);
	} else {
		q.state2 &= ~__QDISC_STATE2_RUNNING;
	}
}

void qdisc_run(Qdisc &q)
{
	TRACE_INLINE();
	if (qdisc_run_begin(q)) {
		__qdisc_run(q);
		qdisc_run_end(q);
	}
}

static void qdisc_maybe_clear_missed(Qdisc &q, const netdev_queue &txq)
{
	TRACE();
	q.state &= ~__QDISC_STATE_MISSED;
	q.state |= netif_xmit_frozen_or_stopped(txq) ? __QDISC_STATE_DRAINING : __QDISC_STATE_MISSED;
}

// --- taking packets out ---

// From the packets that wait because their queue was stopped. `xoff`: it still is.
static skb_ptr __skb_dequeue_bad_txq(Qdisc &q, bool &xoff)
{
	TRACE();
	const list_lock lock(q);
	const sk_buff *skb = skb_peek(q.skb_bad_txq);

	if (!skb)
		return nullptr;

	const netdev_queue &txq = skb_get_tx_queue(*q.dev_queue->dev, *skb);

	if (netif_xmit_frozen_or_stopped(txq)) {
		xoff = true;
		qdisc_maybe_clear_missed(q, txq);
		return nullptr;
	}

	skb_ptr first = __skb_dequeue(q.skb_bad_txq);

	count_out(q, *first);
	return first;
}

static skb_ptr qdisc_dequeue_skb_bad_txq(Qdisc &q, bool &xoff)
{
	TRACE();
	return skb_peek(q.skb_bad_txq) ? __skb_dequeue_bad_txq(q, xoff) : nullptr;
}

static void qdisc_enqueue_skb_bad_txq(Qdisc &q, skb_ptr skb)
{
	TRACE(skb);
	const list_lock lock(q);

	count_in(q, *skb);
	__skb_queue_tail(q.skb_bad_txq, std::move(skb));
}

// What the driver did not take stands first in line.
static void dev_requeue_skb(sk_buff *skb, Qdisc &q)
{
	TRACE(skb);
	{
		const list_lock lock(q);

		while (skb) {
			sk_buff *next = std::exchange(skb->next, nullptr);

			++q.qstats.requeues;
			count_in(q, *skb);
			__skb_queue_tail(q.gso_skb, skb_ptr(skb));
			skb = next;
		}
	}
	if (q.flags & TCQ_F_NOLOCK)
		q.state |= __QDISC_STATE_MISSED;
	else
		__netif_schedule(q);
}

// More packets as a list, as many bytes as the driver's byte queue limit leaves room for.
static void try_bulk_dequeue_skb(Qdisc &q, sk_buff &first, const netdev_queue &txq, int &packets, int budget)
{
	TRACE(first);
	int bytelimit = dql_avail(txq.dql) - static_cast<int>(first.len);
	sk_buff *last = &first;
	int cnt = 0;

	while (bytelimit > 0) {
		skb_ptr nskb = q.dequeue(q);

		if (!nskb)
			break;
		bytelimit -= static_cast<int>(nskb->len);
		last->next = nskb.get();
		last = nskb.release();
		if (++cnt >= budget)
			break;
	}
	packets += cnt;
	last->next = nullptr;
}

static void try_bulk_dequeue_skb_slow(Qdisc &q, sk_buff &first, int &packets)
{
	TRACE(first);
	const u16 mapping = first.queue_mapping;
	sk_buff *last = &first;
	int cnt = 0;

	do {
		skb_ptr nskb = q.dequeue(q);

		if (!nskb)
			break;
		if (nskb->queue_mapping != mapping) {
			qdisc_enqueue_skb_bad_txq(q, std::move(nskb));
			break;
		}
		last->next = nskb.get();
		last = nskb.release();
	} while (++cnt < 8);
	packets += cnt;
	last->next = nullptr;
}

// One packet or a list of them; `validate`: validate_xmit_skb has not seen them yet.
static skb_ptr dequeue_skb(Qdisc &q, bool &validate, int &packets, int budget)
{
	TRACE();
	const netdev_queue &own = *q.dev_queue;

	packets = 1;
	if (!skb_queue_empty(q.gso_skb)) {
		const list_lock lock(q);

		if (const sk_buff *first = skb_peek(q.gso_skb)) {
			const netdev_queue &txq = skb_get_tx_queue(*own.dev, *first);

			validate = false;
			if (netif_xmit_frozen_or_stopped(txq)) {
				qdisc_maybe_clear_missed(q, txq);
				return nullptr;
			}

			skb_ptr skb = __skb_dequeue(q.gso_skb);

			count_out(q, *skb);
			return skb;
		}
	}
	validate = true;
	if ((q.flags & TCQ_F_ONETXQUEUE) && netif_xmit_frozen_or_stopped(own)) {
		qdisc_maybe_clear_missed(q, own);
		return nullptr;
	}

	bool xoff = false;
	skb_ptr skb = qdisc_dequeue_skb_bad_txq(q, xoff);

	if (xoff)
		return nullptr;
	if (!skb)
		skb = q.dequeue(q);
	if (skb) {
		if (q.flags & TCQ_F_ONETXQUEUE)
			try_bulk_dequeue_skb(q, *skb, own, packets, budget);
		else
			try_bulk_dequeue_skb_slow(q, *skb, packets);
	}
	return skb;
}

// --- handing them to the driver ---

// Called with root_lock held, where there is one, and returns so. False: the driver is busy.
bool sch_direct_xmit(skb_ptr skb, Qdisc &q, net_device &dev, netdev_queue &txq, spinlock_t *root_lock,
                     bool validate)
{
	TRACE(skb, dev);
	int ret = NETDEV_TX_BUSY;
	bool again = false;
	sk_buff *list = skb.release();

	if (root_lock)
		spin_unlock(*root_lock);
	if (validate)
		list = validate_xmit_skb_list(list, dev, again);
	if (list) {
		HARD_TX_LOCK(dev, txq);
		if (!netif_xmit_frozen_or_stopped(txq))
			list = dev_hard_start_xmit(list, dev, txq, ret);
		else
			qdisc_maybe_clear_missed(q, txq);
		HARD_TX_UNLOCK(dev, txq);
	} else {
		ret = NETDEV_TX_OK;
	}
	if (root_lock)
		spin_lock(*root_lock);
	if (!dev_xmit_complete(ret)) {
		dev_requeue_skb(list, q);
		return false;
	}
	return true;
}

static bool qdisc_restart(Qdisc &q, int &packets, int budget)
{
	TRACE();
	bool validate;
	skb_ptr skb = dequeue_skb(q, validate, packets, budget);

	if (!skb)
		return false;

	spinlock_t *root_lock = q.flags & TCQ_F_NOLOCK ? nullptr : &qdisc_lock(q);
	net_device &dev = qdisc_dev(q);
	netdev_queue &txq = skb_get_tx_queue(dev, *skb);

	return sch_direct_xmit(std::move(skb), q, dev, txq, root_lock, validate);
}

void __qdisc_run(Qdisc &q)
{
	TRACE();
	int quota = dev_tx_weight;
	int packets;

	while (qdisc_restart(q, packets, quota)) {
		quota -= packets;
		if (quota <= 0) {
			if (q.flags & TCQ_F_NOLOCK)
				q.state |= __QDISC_STATE_MISSED;
			else
				__netif_schedule(q);
			break;
		}
	}
}

// --- coming and going ---

Qdisc *qdisc_alloc(netdev_queue &dev_queue, const Qdisc_ops &ops)
{
	TRACE(dev_queue.dev);
	auto *sch = new Qdisc;

	if (ops.make_priv)
		sch->priv_data = ops.make_priv();
	sch->ops = &ops;
	sch->flags = ops.static_flags;
	sch->enqueue = ops.enqueue;
	sch->dequeue = ops.dequeue;
	sch->dev_queue = &dev_queue;
	dev_hold(*dev_queue.dev);
	return sch;
}

Qdisc *qdisc_create_dflt(netdev_queue &dev_queue, const Qdisc_ops &ops, u32 parentid)
{
	TRACE(dev_queue.dev);
	Qdisc *sch = qdisc_alloc(dev_queue, ops);

	sch->parent = parentid;
	if (!ops.init || ops.init(*sch, nullptr, nullptr) == 0)
		return sch;
	qdisc_put(sch);
	return nullptr;
}

void qdisc_reset(Qdisc &q)
{
	TRACE();
	if (q.ops->reset)
		q.ops->reset(q);
	__skb_queue_purge(q.gso_skb);
	__skb_queue_purge(q.skb_bad_txq);
	q.q.qlen = 0;
	q.qstats.backlog = 0;
}

static void qdisc_free_cb(rcu_head *head)
{
	TRACE();
	delete &container_of(*head, &Qdisc::rcu);
}

static void __qdisc_destroy(Qdisc &q)
{
	TRACE();
	qdisc_hash_del(q);
	qdisc_reset(q);
	if (q.ops->destroy)
		q.ops->destroy(q);
	dev_put(&qdisc_dev(q));
	call_rcu(q.rcu, qdisc_free_cb);
}

void qdisc_put(Qdisc *q)
{
	TRACE();
	if (!q || (q->flags & TCQ_F_BUILTIN) || !refcount_dec_and_test(q->refcnt))
		return;
	__qdisc_destroy(*q);
}

Qdisc *dev_graft_qdisc(netdev_queue &dev_queue, Qdisc *q)
{
	TRACE(dev_queue.dev);
	Qdisc *oqdisc = dev_queue.qdisc_sleeping;
	spinlock_t &root_lock = qdisc_lock(*oqdisc);

	spin_lock_bh(root_lock);
	dev_queue.qdisc_sleeping = q ? q : &noop_qdisc();
	dev_queue.qdisc = &noop_qdisc();
	spin_unlock_bh(root_lock);
	return oqdisc;
}

// --- rates ---

// The multiplier and shift that stand for a division by the rate, as exact as 32 bits allow.
static void psched_ratecfg_precompute__(u64 rate, u32 &mult, u8 &shift)
{
	TRACE();
	u64 factor = NSEC_PER_SEC;

	mult = 1;
	shift = 0;
	if (!rate)
		return;
	for (;;) {
		mult = static_cast<u32>(factor / rate);
		if ((mult & 1u << 31) || (factor & u64{1} << 63))
			break;
		factor <<= 1;
		++shift;
	}
}

void psched_ratecfg_precompute(psched_ratecfg &r, u64 rate, u16 overhead, u16 mpu)
{
	TRACE();
	r = {.rate_bytes_ps = rate, .overhead = overhead, .mpu = mpu};
	psched_ratecfg_precompute__(rate, r.mult, r.shift);
}

} // namespace skbwalk
