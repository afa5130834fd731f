// SPDX-License-Identifier: GPL-2.0-only
//
// What bridges and the drivers of switches tell each other (include/net/switchdev.h): which addresses a
// bridge knows, in which state a port is and how long an address lives.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

constexpr u32 SWITCHDEV_FDB_ADD_TO_BRIDGE = 1, SWITCHDEV_FDB_DEL_TO_BRIDGE = 2,
	      SWITCHDEV_FDB_ADD_TO_DEVICE = 3, SWITCHDEV_FDB_DEL_TO_DEVICE = 4;
struct switchdev_notifier_fdb_info {
	net_device *dev = nullptr;
	const mac_addr *addr = nullptr;
	u16 vid = 0;
	bool added_by_user = false, is_local = false, offloaded = false;
};
using switchdev_fn = int (*)(u32 event, switchdev_notifier_fdb_info &info);
void register_switchdev_notifier(switchdev_fn fn); // of the current host
int call_switchdev_notifiers(u32 val, net_device &dev, switchdev_notifier_fdb_info &info);

constexpr u32 SWITCHDEV_PORT_ATTR_SET = 9, SWITCHDEV_BRPORT_OFFLOADED = 15, SWITCHDEV_BRPORT_UNOFFLOADED = 16;
// Those who may sleep: 0, or an errno that ends the walk.
using switchdev_blocking_fn = int (*)(u32 event, net_device &dev);
void register_switchdev_blocking_notifier(switchdev_blocking_fn fn);
int call_switchdev_blocking_notifiers(u32 val, net_device &dev);

enum switchdev_attr_id : u32 {
	SWITCHDEV_ATTR_ID_PORT_STP_STATE = 1,
	SWITCHDEV_ATTR_ID_BRIDGE_AGEING_TIME = 7
};
constexpr u32 SWITCHDEV_F_SKIP_EOPNOTSUPP = 1 << 1, SWITCHDEV_F_DEFER = 1 << 2;
struct switchdev_attr {
	net_device *orig_dev = nullptr;
	switchdev_attr_id id{};
	u32 flags = 0;
	u64 value = 0; // the kernel's union: stp_state, ageing_time
};
// Deferred, where its flags say so: who sets it holds a lock or is in a softirq, and a worker does it.
[[nodiscard]] int switchdev_port_attr_set(net_device &dev, const switchdev_attr &attr); // -EOPNOTSUPP
void switchdev_deferred_process(); // what waits for the worker, now

} // namespace skbwalk
