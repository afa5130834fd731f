// SPDX-License-Identifier: GPL-2.0-only
//
// The loopback device (drivers/net/loopback.c). The core registers it with the namespaces (loopback_net_ops).
#pragma once

#include "stack/core/netdevice.h"
