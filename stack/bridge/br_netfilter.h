// SPDX-License-Identifier: GPL-2.0-only
//
// The module br_netfilter (include/net/netfilter/br_netfilter.h): bridged IPv4 packets pass the hooks of
// IPv4, and bridged ARP those of ARP.
#pragma once

#include "stack/core/net_namespace.h"

namespace skbwalk {

void br_netfilter_init(); // once a host: the module is loaded, and the bridge's with it
bool br_netfilter_loaded();
void provide_bridge_modules(); // bridge and br_netfilter, for request_module
// Names below net.bridge: bridge-nf-call-iptables and so on. Null when there is none, or no module. A write
// stores 0 or 1.
int *brnf_sysctl(net &net, const std::string &name);

} // namespace skbwalk
