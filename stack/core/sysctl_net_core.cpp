// SPDX-License-Identifier: GPL-2.0-only
//
// The place of a host's net.core settings. They outlive its namespaces: a softirq that is left when the last
// of these goes still has its budget.
#include "stack/core/sysctl_net_core.h"

namespace skbwalk {

const perhost<net_core_settings> net_core;

} // namespace skbwalk
