// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/link_watch.c: what follows when a device's carrier changes. linkwatch_fire_event notes the device;
// the work queue soon works out its operational state (RFC 2863), starts or stops its queues and tells the
// notifiers. Events that are not urgent are handled once a second at most.
#include "stack/core/netdevice.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

namespace {

void run_link_watch(delayed_work &);

struct link_watch {
	list_head lweventlist;
	spinlock_t lweventlist_lock;
	delayed_work linkwatch_work;
	u32 linkwatch_nextevent = INITIAL_JIFFIES;
	bool urgent = false;
	link_watch() { INIT_DELAYED_WORK(linkwatch_work, run_link_watch); }
	~link_watch() { cancel_delayed_work(linkwatch_work); }
};
perhost<link_watch> watch;

} // namespace

static u8 default_operstate(const net_device &dev)
{
	TRACE(dev);
	if (!netif_carrier_ok(dev))
		return dev.ifindex != dev_get_iflink(dev) ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN;
	if (dev.dormant)
		return IF_OPER_DORMANT;
	return IF_OPER_UP;
}

static void rfc2863_policy(net_device &dev)
{
	TRACE(dev);
	dev.operstate = default_operstate(dev);
}

void linkwatch_init_dev(net_device &dev)
{
	TRACE(dev);
	if (!netif_carrier_ok(dev) || dev.dormant)
		rfc2863_policy(dev);
}

static bool linkwatch_urgent_event(const net_device &dev)
{
	TRACE(dev);
	if (!netif_running(dev))
		return false;
	if (dev.ifindex != dev_get_iflink(dev))
		return true;
	return netif_carrier_ok(dev) && qdisc_tx_changing(dev);
}

static void linkwatch_add_event(net_device &dev)
{
	TRACE(dev);
	const unsigned long flags = _raw_spin_lock_irqsave(watch->lweventlist_lock);

	if (list_empty(dev.link_watch_list)) {
		list_add_tail(dev.link_watch_list, watch->lweventlist);
		dev_hold(dev);
	}
	_raw_spin_unlock_irqrestore(watch->lweventlist_lock, flags);
}

static void linkwatch_schedule_work(bool urgent)
{
	TRACE();
	link_watch &w = *watch;
	u32 delay = w.linkwatch_nextevent - jiffies();

	if (w.urgent)
		return;
	if (urgent)
		w.urgent = true;
	if (delay > HZ)
		delay = 0;
	if (w.urgent)
		mod_delayed_work(w.linkwatch_work, 0);
	else
		queue_delayed_work(w.linkwatch_work, delay);
}

static void linkwatch_do_dev(net_device &dev)
{
	TRACE(dev);
	dev.linkwatch_pending = false;
	rfc2863_policy(dev);
	if (dev.flags & IFF_UP) {
		if (netif_carrier_ok(dev))
			dev_activate(dev);
		else
			dev_deactivate(dev);
		netdev_state_change(dev);
	}
	dev_put(&dev);
}

static void __linkwatch_run_queue(bool urgent_only)
{
	TRACE();
	link_watch &w = *watch;
	list_head wrk;

	if (!urgent_only)
		w.linkwatch_nextevent = jiffies() + HZ;
	else if (time_after(w.linkwatch_nextevent, jiffies() + HZ))
		w.linkwatch_nextevent = jiffies();
	w.urgent = false;

	_raw_spin_lock_irq(w.lweventlist_lock);
	list_splice_init(w.lweventlist, wrk);
	while (!list_empty(wrk)) {
		net_device &dev = list_entry(*wrk.next, &net_device::link_watch_list);

		list_del_init(dev.link_watch_list);
		if (!netif_device_present(dev) || (urgent_only && !linkwatch_urgent_event(dev))) {
			list_add_tail(dev.link_watch_list, w.lweventlist);
			continue;
		}
		_raw_spin_unlock_irq(w.lweventlist_lock);
		linkwatch_do_dev(dev);
		_raw_spin_lock_irq(w.lweventlist_lock);
	}
	if (!list_empty(w.lweventlist))
		linkwatch_schedule_work(false);
	_raw_spin_unlock_irq(w.lweventlist_lock);
}

void linkwatch_forget_dev(net_device &dev)
{
	TRACE(dev);
	const unsigned long flags = _raw_spin_lock_irqsave(watch->lweventlist_lock);
	const bool clean = !list_empty(dev.link_watch_list);

	if (clean)
		list_del_init(dev.link_watch_list);
	_raw_spin_unlock_irqrestore(watch->lweventlist_lock, flags);
	if (clean)
		linkwatch_do_dev(dev);
}

void linkwatch_run_queue()
{
	TRACE();
	__linkwatch_run_queue(false);
}

static void linkwatch_event()
{
	TRACE();
	__linkwatch_run_queue(time_after(watch->linkwatch_nextevent, jiffies()));
}

void linkwatch_fire_event(net_device &dev)
{
	TRACE(dev);
	const bool urgent = linkwatch_urgent_event(dev);

	if (!dev.linkwatch_pending) {
		dev.linkwatch_pending = true;
		linkwatch_add_event(dev);
	} else if (!urgent) {
		return;
	}
	linkwatch_schedule_work(urgent);
}

const char *operstate_name(u8 operstate)
{
	TRACE_INLINE();
	static constexpr const char *names[] = {"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN",
	                                        "TESTING", "DORMANT",    "UP"};

	return operstate < std::size(names) ? names[operstate] : "UNKNOWN";
}

namespace {

void run_link_watch(delayed_work &) { linkwatch_event(); }

} // namespace

} // namespace skbwalk
