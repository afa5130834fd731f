// SPDX-License-Identifier: GPL-2.0-only
//
// net/switchdev/switchdev.c: the chain of those who follow a bridge's addresses. The bridge itself is on it,
// for what a switch has learned; no driver is, so an attribute that a port is given is nobody's
// (-EOPNOTSUPP). Who sets one in a softirq has it deferred: switchdev_port_attr_set puts it in a list, and a
// worker takes it from there. Left out: objects (VLANs, groups).
#include "stack/switchdev/switchdev.h"

#include <deque>
#include <optional>

#include "stack/kernel/percpu.h"
#include "stack/kernel/printk.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

namespace {
void switchdev_deferred_process_work(delayed_work &);

struct switchdev_deferred_item {
	net_device *dev;
	void (*func)(net_device &dev, const switchdev_attr &attr);
	switchdev_attr data;
};
struct switchdev_host {
	std::vector<switchdev_fn> switchdev_notif_chain;
	std::vector<switchdev_blocking_fn> switchdev_blocking_notif_chain;
	spinlock_t deferred_lock;
	std::deque<switchdev_deferred_item> deferred;
	delayed_work deferred_process_work;
	switchdev_host() { INIT_DELAYED_WORK(deferred_process_work, switchdev_deferred_process_work); }
	~switchdev_host() { cancel_delayed_work(deferred_process_work); }
};
perhost<switchdev_host> switchdev_of_host;
} // namespace

void register_switchdev_notifier(switchdev_fn fn)
{
	TRACE();
	switchdev_of_host->switchdev_notif_chain.push_back(fn);
}

int call_switchdev_notifiers(u32 val, net_device &dev, switchdev_notifier_fdb_info &info)
{
	TRACE(dev);
	info.dev = &dev;
	for (const switchdev_fn fn : switchdev_of_host->switchdev_notif_chain)
		if (const int err = fn(val, info))
			return err;
	return 0;
}

void register_switchdev_blocking_notifier(switchdev_blocking_fn fn)
{
	TRACE();
	switchdev_of_host->switchdev_blocking_notif_chain.push_back(fn);
}

int call_switchdev_blocking_notifiers(u32 val, net_device &dev)
{
	TRACE(dev);
	for (const switchdev_blocking_fn fn : switchdev_of_host->switchdev_blocking_notif_chain)
		if (const int err = fn(val, dev))
			return err;
	return 0;
}

static std::optional<switchdev_deferred_item> switchdev_deferred_dequeue()
{
	TRACE();
	switchdev_host &h = *switchdev_of_host;
	std::optional<switchdev_deferred_item> dfitem;

	spin_lock_bh(h.deferred_lock);
	if (!h.deferred.empty()) {
		dfitem = h.deferred.front();
		h.deferred.pop_front();
	}
	spin_unlock_bh(h.deferred_lock);
	return dfitem;
}

void switchdev_deferred_process()
{
	TRACE();
	while (const auto dfitem = switchdev_deferred_dequeue()) {
		dfitem->func(*dfitem->dev, dfitem->data);
		dev_put(dfitem->dev);
	}
}

namespace {
void switchdev_deferred_process_work(delayed_work &)
{
	TRACE();
	switchdev_deferred_process();
}
} // namespace

static void switchdev_deferred_enqueue(net_device &dev, const switchdev_attr &data,
                                       void (*func)(net_device &dev, const switchdev_attr &attr))
{
	TRACE(dev);
	switchdev_host &h = *switchdev_of_host;

	dev_hold(dev);
	spin_lock_bh(h.deferred_lock);
	h.deferred.push_back({&dev, func, data});
	spin_unlock_bh(h.deferred_lock);
	queue_delayed_work(h.deferred_process_work, 0);
}

static int switchdev_port_attr_notify(net_device &dev, const switchdev_attr &)
{
	TRACE(dev);
	if (const int err = call_switchdev_blocking_notifiers(SWITCHDEV_PORT_ATTR_SET, dev))
		return err;
	return -EOPNOTSUPP; // nobody has taken it
}

static int switchdev_port_attr_set_now(net_device &dev, const switchdev_attr &attr)
{
	TRACE(dev);
	return switchdev_port_attr_notify(dev, attr);
}

static void switchdev_port_attr_set_deferred(net_device &dev, const switchdev_attr &attr)
{
	TRACE(dev);
	const int err = switchdev_port_attr_set_now(dev, attr);

	if (err && err != -EOPNOTSUPP)
		_printk("%c3%s: failed (err=%d) to set attribute (id=%d)\n", KERN_SOH, dev.name.c_str(), err,
		        static_cast<int>(attr.id));
}

static int switchdev_port_attr_set_defer(net_device &dev, const switchdev_attr &attr)
{
	TRACE(dev);
	switchdev_deferred_enqueue(dev, attr, switchdev_port_attr_set_deferred);
	return 0;
}

int switchdev_port_attr_set(net_device &dev, const switchdev_attr &attr)
{
	TRACE(dev);
	if (attr.flags & SWITCHDEV_F_DEFER)
		return switchdev_port_attr_set_defer(dev, attr);
	return switchdev_port_attr_set_now(dev, attr);
}

} // namespace skbwalk
