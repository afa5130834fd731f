// SPDX-License-Identifier: GPL-2.0-only
//
// What bridges and the drivers of switches tell each other (include/net/switchdev.h): here, which addresses a
// bridge knows.
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

} // namespace skbwalk
