// SPDX-License-Identifier: GPL-2.0-only
//
// What else a notification says than which device it is about (include/linux/netdevice.h).
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

struct netdev_notifier_change_info {
	u32 flags_changed; // IFF_*
};
// Of the NETDEV_CHANGE that is being told on this host. Unlike the kernel, beside the notification and not in
// it: most who are notified ask for nothing but the device.
const netdev_notifier_change_info &netdev_change_info();

} // namespace skbwalk
