// SPDX-License-Identifier: GPL-2.0-only
//
// Disciplines and the life of their device (net/sched/sch_generic.c): dev_activate attaches the default
// (noqueue for virtual devices) when a device comes up with a carrier, dev_deactivate takes it out of use,
// dev_shutdown lets it go; the carrier itself; and the watchdog over drivers that stop a queue for too long.
#include <algorithm>

#include "stack/sched/sch_generic.h"

namespace skbwalk {

static void attach_one_default_qdisc(net_device &dev, netdev_queue &dev_queue)
{
	TRACE(dev);
	const Qdisc_ops &ops = dev.priv_flags & IFF_NO_QUEUE ? noqueue_qdisc_ops : default_qdisc_ops();
	Qdisc *q = qdisc_create_dflt(dev_queue, ops, TC_H_ROOT);

	if (!q)
		return;
	if (!netif_is_multiqueue(dev))
		q->flags |= TCQ_F_ONETXQUEUE | TCQ_F_NOPARENT;
	dev_queue.qdisc_sleeping = q;
}

// Unlike the kernel, a device with several queues gets a discipline for each without mq above them.
static void attach_default_qdiscs(net_device &dev)
{
	TRACE(dev);
	const auto attach = [&] {
		for (const auto &txq : dev._tx)
			attach_one_default_qdisc(dev, *txq);
		dev.qdisc = dev._tx[0]->qdisc_sleeping;
		qdisc_refcount_inc(*dev.qdisc);
	};

	attach();
	if (dev.qdisc != &noop_qdisc())
		return;
	// The default cannot be had: none, then.
	dev.priv_flags |= IFF_NO_QUEUE;
	attach();
	dev.priv_flags &= ~IFF_NO_QUEUE;
}

static void transition_one_qdisc(netdev_queue &dev_queue, bool &need_watchdog)
{
	TRACE(dev_queue.dev);
	Qdisc &new_qdisc = *dev_queue.qdisc_sleeping;

	if (!(new_qdisc.flags & TCQ_F_BUILTIN))
		new_qdisc.state &= ~__QDISC_STATE_DEACTIVATED;
	dev_queue.qdisc = &new_qdisc;
	dev_queue.trans_start = jiffies();
	need_watchdog = true;
}

// --- the carrier ---

void netif_carrier_on(net_device &dev)
{
	TRACE(dev);
	if (dev.carrier_ok)
		return;
	dev.carrier_ok = true;
	if (dev.reg_state == NETREG_UNINITIALIZED)
		return;
	++dev.carrier_up_count;
	linkwatch_fire_event(dev);
}

void netif_carrier_off(net_device &dev)
{
	TRACE(dev);
	if (!dev.carrier_ok)
		return;
	dev.carrier_ok = false;
	if (dev.reg_state == NETREG_UNINITIALIZED)
		return;
	++dev.carrier_down_count;
	linkwatch_fire_event(dev);
}

// --- the driver's watchdog ---

// A frozen queue takes nothing, whatever its driver says; whoever is in the driver is waited for.
static void netif_freeze_queues(net_device &dev)
{
	TRACE(dev);
	for (const auto &txq : dev._tx) {
		spin_lock(txq->_xmit_lock);
		txq->xmit_lock_owner = smp_processor_id();
		txq->state |= __QUEUE_STATE_FROZEN;
		txq->xmit_lock_owner = -1;
		spin_unlock(txq->_xmit_lock);
	}
}

static void netif_unfreeze_queues(net_device &dev)
{
	TRACE(dev);
	for (const auto &txq : dev._tx) {
		txq->state &= ~__QUEUE_STATE_FROZEN;
		netif_schedule_queue(*txq);
	}
}

void netif_tx_lock(net_device &dev)
{
	TRACE(dev);
	spin_lock(dev.tx_global_lock);
	netif_freeze_queues(dev);
}

void netif_tx_unlock(net_device &dev)
{
	TRACE(dev);
	netif_unfreeze_queues(dev);
	spin_unlock(dev.tx_global_lock);
}

static void netif_tx_lock_bh(net_device &dev)
{
	TRACE_INLINE(dev);
	local_bh_disable();
	netif_tx_lock(dev);
}

static void netif_tx_unlock_bh(net_device &dev)
{
	TRACE_INLINE(dev);
	netif_tx_unlock(dev);
	local_bh_enable();
}

static bool qdisc_tx_is_noop(const net_device &dev)
{
	TRACE_INLINE(dev);
	return std::all_of(dev._tx.begin(), dev._tx.end(),
	                   [](const auto &q) { return q->qdisc == &noop_qdisc(); });
}

// A queue that was stopped and has sent nothing for watchdog_timeo: the driver must do something.
static void dev_watchdog(timer_list &t)
{
	TRACE(container_of(t, &net_device::watchdog_timer));
	net_device &dev = container_of(t, &net_device::watchdog_timer);
	bool release = true;

	spin_lock(dev.tx_global_lock);
	if (!qdisc_tx_is_noop(dev) && netif_device_present(dev) && netif_running(dev) &&
	    netif_carrier_ok(dev)) {
		const u32 now = jiffies();
		u32 oldest_start = now;
		std::size_t late = dev._tx.size();

		for (std::size_t i = 0; i < dev._tx.size(); ++i) {
			netdev_queue &txq = *dev._tx[i];

			if (!netif_xmit_stopped(txq))
				continue;
			if (time_after(now, txq.trans_start + dev.watchdog_timeo)) {
				++txq.trans_timeout;
				late = i;
				break;
			}
			if (time_after(oldest_start, txq.trans_start))
				oldest_start = txq.trans_start;
		}
		if (late != dev._tx.size()) {
			netif_freeze_queues(dev);
			dev.netdev_ops->ndo_tx_timeout(dev, static_cast<u32>(late));
			netif_unfreeze_queues(dev);
		}
		spin_lock(dev.watchdog_lock);
		mod_timer(dev.watchdog_timer,
		          now + round_jiffies_relative(oldest_start + dev.watchdog_timeo - now));
		release = false;
		spin_unlock(dev.watchdog_lock);
	}
	spin_unlock(dev.tx_global_lock);
	spin_lock(dev.watchdog_lock);
	if (timer_pending(dev.watchdog_timer))
		release = false;
	if (release && dev.watchdog_ref_held) {
		dev_put(&dev);
		dev.watchdog_ref_held = false;
	}
	spin_unlock(dev.watchdog_lock);
}

void __netdev_watchdog_up(net_device &dev)
{
	TRACE(dev);
	if (!dev.netdev_ops->ndo_tx_timeout)
		return;
	if (!dev.watchdog_timeo)
		dev.watchdog_timeo = 5 * HZ;
	spin_lock_bh(dev.watchdog_lock);
	if (!mod_timer(dev.watchdog_timer, jiffies() + round_jiffies_relative(dev.watchdog_timeo)) &&
	    !dev.watchdog_ref_held) {
		dev_hold(dev);
		dev.watchdog_ref_held = true;
	}
	spin_unlock_bh(dev.watchdog_lock);
}

static void dev_watchdog_up(net_device &dev)
{
	TRACE(dev);
	__netdev_watchdog_up(dev);
}

static void dev_watchdog_down(net_device &dev)
{
	TRACE(dev);
	netif_tx_lock_bh(dev);
	spin_lock(dev.watchdog_lock);
	if (del_timer(dev.watchdog_timer)) {
		dev_put(&dev);
		dev.watchdog_ref_held = false;
	}
	spin_unlock(dev.watchdog_lock);
	netif_tx_unlock_bh(dev);
}

// --- with the device ---

void dev_init_scheduler(net_device &dev)
{
	TRACE(dev);
	dev.qdisc = &noop_qdisc();
	for (const auto &txq : dev._tx)
		txq->qdisc = txq->qdisc_sleeping = &noop_qdisc();
	timer_setup(dev.watchdog_timer, dev_watchdog, 0);
}

void dev_activate(net_device &dev)
{
	TRACE(dev);
	bool need_watchdog = false;

	if (dev.qdisc == &noop_qdisc())
		attach_default_qdiscs(dev);
	if (!netif_carrier_ok(dev))
		return; // when the carrier comes
	for (const auto &txq : dev._tx)
		transition_one_qdisc(*txq, need_watchdog);
	if (need_watchdog)
		dev_watchdog_up(dev);
}

static void qdisc_deactivate(Qdisc &qdisc)
{
	TRACE();
	if (!(qdisc.flags & TCQ_F_BUILTIN))
		qdisc.state |= __QDISC_STATE_DEACTIVATED;
}

static void dev_deactivate_queue(netdev_queue &dev_queue)
{
	TRACE(dev_queue.dev);
	qdisc_deactivate(*dev_queue.qdisc);
	dev_queue.qdisc = &noop_qdisc();
}

static void dev_reset_queue(netdev_queue &dev_queue)
{
	TRACE(dev_queue.dev);
	Qdisc &q = *dev_queue.qdisc_sleeping;
	const bool nolock = q.flags & TCQ_F_NOLOCK;

	if (nolock)
		spin_lock_bh(q.seqlock);
	spin_lock_bh(qdisc_lock(q));
	qdisc_reset(q);
	spin_unlock_bh(qdisc_lock(q));
	if (nolock) {
		q.state &= ~QDISC_STATE_NON_EMPTY;
		spin_unlock_bh(q.seqlock);
	}
}

void dev_deactivate(net_device &dev)
{
	TRACE(dev);
	for (const auto &txq : dev._tx)
		dev_deactivate_queue(*txq);
	dev_watchdog_down(dev);
	for (const auto &txq : dev._tx)
		dev_reset_queue(*txq);
	// Unlike the kernel, which sleeps until NET_TX_SOFTIRQ has come to them, those on its list leave it.
	for (const auto &txq : dev._tx)
		netif_unschedule(*txq->qdisc_sleeping);
}

static int qdisc_change_tx_queue_len(const net_device &dev, const netdev_queue &dev_queue)
{
	TRACE(dev);
	Qdisc &qdisc = *dev_queue.qdisc_sleeping;

	return qdisc.ops->change_tx_queue_len ? qdisc.ops->change_tx_queue_len(qdisc, dev.tx_queue_len) : 0;
}

int dev_qdisc_change_tx_queue_len(net_device &dev)
{
	TRACE(dev);
	const bool up = dev.flags & IFF_UP;
	int ret = 0;

	if (up)
		dev_deactivate(dev);
	for (const auto &txq : dev._tx) {
		ret = qdisc_change_tx_queue_len(dev, *txq);
		if (ret)
			break;
	}
	if (up)
		dev_activate(dev);
	return ret;
}

// Is the discipline in use another than the one that should be, because the carrier came or went?
bool qdisc_tx_changing(const net_device &dev)
{
	TRACE_INLINE(dev);
	return std::any_of(dev._tx.begin(), dev._tx.end(),
	                   [](const auto &q) { return q->qdisc != q->qdisc_sleeping; });
}

void dev_shutdown(net_device &dev)
{
	TRACE(dev);
	for (const auto &txq : dev._tx) {
		Qdisc *q = std::exchange(txq->qdisc_sleeping, &noop_qdisc());

		txq->qdisc = &noop_qdisc();
		qdisc_put(q);
	}
	qdisc_put(std::exchange(dev.qdisc, &noop_qdisc()));
}

} // namespace skbwalk
