// SPDX-License-Identifier: GPL-2.0-only
//
// Files of a device below /sys/class/net/DEV (net/core/net-sysfs.c); those of its receive queues are in
// rps.h.
#pragma once

#include <optional>
#include <string_view>

#include "stack/core/netdevice.h"

namespace skbwalk {

int gro_flush_timeout_store(net_device &dev, std::string_view buf);
int napi_defer_hard_irqs_store(net_device &dev, std::string_view buf);
// 1: threads poll the device's instances.
int threaded_store(net_device &dev, std::string_view buf);
// statistics/NAME; nothing: there is no such file here.
std::optional<u64> netstat_show(net_device &dev, std::string_view name);

// Receive queues from the first of these numbers on are no longer in use, or are again.
void net_rx_queue_update_kobjects(net_device &dev, u32 old_num, u32 new_num);
// Keeps what was replaced for those who still read it.
void release_after_readers(std::shared_ptr<void> what);

} // namespace skbwalk
