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
// statistics/NAME; nothing: there is no such file here.
std::optional<u64> netstat_show(net_device &dev, std::string_view name);

} // namespace skbwalk
