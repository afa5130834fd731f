// SPDX-License-Identifier: GPL-2.0-only
//
// Addresses, besides its own, whose frames a device is to receive (net/core/dev_addr_lists.c). Each may be
// asked for several times.
#pragma once

#include <vector>

#include "stack/core/netdevice.h"

namespace skbwalk {

// 0 or an errno. The device's filter is set anew.
int dev_uc_add(net_device &dev, const mac_addr &addr);
int dev_uc_del(net_device &dev, const mac_addr &addr);
void dev_uc_flush(net_device &dev);

// netdev_for_each_uc_addr, in the order in which they came.
[[nodiscard]] std::vector<mac_addr> netdev_uc_addrs(const net_device &dev);
// net_device::uc_promisc: promiscuous because it cannot filter, and has such addresses.
[[nodiscard]] bool netdev_uc_promisc(const net_device &dev);
void netdev_set_uc_promisc(const net_device &dev, bool is);

void __dev_set_rx_mode(net_device &dev); // addr_list_lock is held

} // namespace skbwalk
