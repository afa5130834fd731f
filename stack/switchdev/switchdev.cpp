// SPDX-License-Identifier: GPL-2.0-only
//
// net/switchdev/switchdev.c: the chain of those who follow a bridge's addresses. The bridge itself is on it,
// for what a switch has learned; no driver is. Left out: the attributes and objects that drivers are given.
#include "stack/switchdev/switchdev.h"

#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {
struct switchdev_host {
	std::vector<switchdev_fn> switchdev_notif_chain;
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

} // namespace skbwalk
