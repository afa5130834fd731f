// SPDX-License-Identifier: GPL-2.0-only
//
// What transmitting leaves for NET_TX_SOFTIRQ (net/core/dev.c): disciplines to run once more
// (__netif_schedule, or a driver's netif_tx_wake_queue) and packets that an interrupt was done with
// (dev_kfree_skb_irq_reason). net_tx_action does both.
#include "stack/core/netdevice.h"
#include "stack/core/xfrm.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

static void __netif_reschedule(Qdisc &q)
{
	TRACE();
	const unsigned long flags = local_irq_save();
	softnet_data &sd = *softnet;

	q.next_sched = nullptr;
	*sd.output_queue_tailp = &q;
	sd.output_queue_tailp = &q.next_sched;
	raise_softirq_irqoff(NET_TX_SOFTIRQ);
	local_irq_restore(flags);
}

void __netif_schedule(Qdisc &q)
{
	TRACE();
	if (q.state & __QDISC_STATE_SCHED)
		return;
	q.state |= __QDISC_STATE_SCHED;
	__netif_reschedule(q);
}

// not traced: the kernel waits instead
void netif_unschedule(Qdisc &q)
{
	if (!(q.state & __QDISC_STATE_SCHED))
		return;
	q.state &= ~__QDISC_STATE_SCHED;
	for (const auto &c : current.host->cpus) {
		softnet_data &sd = softnet.of(*c);
		Qdisc **at = &sd.output_queue;

		while (*at) {
			if (*at == &q)
				*at = std::exchange(q.next_sched, nullptr);
			else
				at = &(*at)->next_sched;
		}
		sd.output_queue_tailp = at;
	}
}

void netif_schedule_queue(netdev_queue &txq)
{
	TRACE(txq.dev);
	rcu_read_lock();
	if (!netif_xmit_stopped(txq))
		__netif_schedule(*txq.qdisc);
	rcu_read_unlock();
}

void netif_tx_stop_queue(netdev_queue &q)
{
	TRACE_INLINE(q.dev);
	q.state |= __QUEUE_STATE_DRV_XOFF;
}

void netif_tx_start_queue(netdev_queue &q)
{
	TRACE_INLINE(q.dev);
	q.state &= ~__QUEUE_STATE_DRV_XOFF;
}

void netif_start_queue(net_device &dev)
{
	TRACE_INLINE(dev);
	netif_tx_start_queue(*netdev_get_tx_queue(dev, 0));
}

void netif_stop_queue(net_device &dev)
{
	TRACE_INLINE(dev);
	netif_tx_stop_queue(*netdev_get_tx_queue(dev, 0));
}

void netif_wake_queue(net_device &dev)
{
	TRACE_INLINE(dev);
	netif_tx_wake_queue(*netdev_get_tx_queue(dev, 0));
}

void netif_tx_disable(net_device &dev)
{
	TRACE_INLINE(dev);
	local_bh_disable();
	spin_lock(dev.tx_global_lock);
	for (const auto &txq : dev._tx) {
		spin_lock(txq->_xmit_lock);
		netif_tx_stop_queue(*txq);
		spin_unlock(txq->_xmit_lock);
	}
	spin_unlock(dev.tx_global_lock);
	local_bh_enable();
}

// --- byte queue limits ---

static void netdev_tx_sent_queue(netdev_queue &q, u32 bytes)
{
	TRACE_INLINE(q.dev);
	dql_queued(q.dql, bytes);
	if (dql_avail(q.dql) >= 0)
		return;
	q.trans_start = jiffies();
	q.state |= __QUEUE_STATE_STACK_XOFF;
}

void netdev_sent_queue(net_device &dev, u32 bytes)
{
	TRACE_INLINE(dev);
	netdev_tx_sent_queue(*netdev_get_tx_queue(dev, 0), bytes);
}

static void netdev_tx_completed_queue(netdev_queue &q, u32 bytes)
{
	TRACE_INLINE(q.dev);
	if (!bytes)
		return;
	dql_completed(q.dql, bytes);
	if (dql_avail(q.dql) < 0)
		return;
	if (q.state & __QUEUE_STATE_STACK_XOFF) {
		q.state &= ~__QUEUE_STATE_STACK_XOFF;
		netif_schedule_queue(q);
	}
}

void netdev_completed_queue(net_device &dev, u32, u32 bytes)
{
	TRACE_INLINE(dev);
	netdev_tx_completed_queue(*netdev_get_tx_queue(dev, 0), bytes);
}

void netdev_reset_queue(net_device &dev)
{
	TRACE_INLINE(dev);
	netdev_queue &q = *netdev_get_tx_queue(dev, 0);

	q.state &= ~__QUEUE_STATE_STACK_XOFF;
	dql_reset(q.dql);
}

void netif_tx_wake_queue(netdev_queue &q)
{
	TRACE(q.dev);
	if (!(q.state & __QUEUE_STATE_DRV_XOFF))
		return;
	q.state &= ~__QUEUE_STATE_DRV_XOFF;
	rcu_read_lock();
	__netif_schedule(*q.qdisc);
	rcu_read_unlock();
}

void netif_tx_wake_all_queues(net_device &dev)
{
	TRACE_INLINE(dev);
	for (const auto &txq : dev._tx)
		netif_tx_wake_queue(*txq);
}

void dev_kfree_skb_irq_reason(skb_ptr skb, bool consumed)
{
	TRACE(skb);
	if (!skb)
		return;
	if (refcount_read(skb->users) == 1) {
		refcount_set(skb->users, 0);
	} else if (!refcount_dec_and_test(skb->users)) {
		(void)skb.release();
		return;
	}
	skb->cb[0] = consumed;

	const unsigned long flags = local_irq_save();
	softnet_data &sd = *softnet;

	skb->next = sd.completion_queue;
	sd.completion_queue = skb.release();
	raise_softirq_irqoff(NET_TX_SOFTIRQ);
	local_irq_restore(flags);
}

void dev_kfree_skb_any_reason(skb_ptr skb, bool consumed)
{
	TRACE(skb);
	if (in_hardirq() || irqs_disabled())
		dev_kfree_skb_irq_reason(std::move(skb), consumed);
	else if (consumed)
		consume_skb(std::move(skb));
	else
		kfree_skb(std::move(skb));
}

// not traced: a part of net_tx_action
static void run_scheduled(softnet_data &sd)
{
	local_irq_disable();
	Qdisc *head = std::exchange(sd.output_queue, nullptr);
	sd.output_queue_tailp = &sd.output_queue;
	local_irq_enable();

	rcu_read_lock();
	while (head) {
		Qdisc &q = *head;
		spinlock_t *root_lock = nullptr;

		head = std::exchange(q.next_sched, nullptr);
		if (!(q.flags & TCQ_F_NOLOCK)) {
			root_lock = &qdisc_lock(q);
			spin_lock(*root_lock);
		} else if (q.state & __QDISC_STATE_DEACTIVATED) {
			q.state &= ~__QDISC_STATE_SCHED;
			continue;
		}
		q.state &= ~__QDISC_STATE_SCHED;
		qdisc_run(q);
		if (root_lock)
			spin_unlock(*root_lock);
	}
	rcu_read_unlock();
}

void net_tx_action()
{
	TRACE();
	softnet_data &sd = *softnet;

	if (sd.completion_queue) {
		local_irq_disable();
		sk_buff *clist = std::exchange(sd.completion_queue, nullptr);
		local_irq_enable();

		while (clist) {
			skb_ptr skb(clist);

			clist = std::exchange(clist->next, nullptr);
			if (!skb->cb[0])
				++drop_counter(SKB_DROP_REASON_NOT_SPECIFIED);
			if (skb->fclone != SKB_FCLONE_UNAVAILABLE)
				__kfree_skb(std::move(skb));
			else
				__kfree_skb_defer(std::move(skb));
		}
	}
	if (sd.output_queue)
		run_scheduled(sd);
	xfrm_dev_backlog();
}

} // namespace skbwalk
