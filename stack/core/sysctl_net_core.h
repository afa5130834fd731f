// SPDX-License-Identifier: GPL-2.0-only
//
// net.core.* (net/core/sysctl_net_core.c) that is one for a whole host: global variables in the kernel, where
// the initial namespace shows them. What each namespace has of its own is netns_core.
#pragma once

#include "stack/kernel/percpu.h"

namespace skbwalk {

struct net_core_settings {
	int sysctl_rmem_default = 212992, sysctl_rmem_max = 212992, sysctl_wmem_default = 212992,
	    sysctl_wmem_max = 212992;
	int netdev_max_backlog = 1000, netdev_budget = 300, netdev_budget_usecs = 8000, dev_weight = 64,
	    optmem_max = 20480;
	int sysctl_skb_defer_max = 64;
	int gro_normal_batch = 8;                               // packets that go up together
	int sysctl_net_busy_read = 0, sysctl_net_busy_poll = 0; // us
};
extern const perhost<net_core_settings> net_core;

} // namespace skbwalk
