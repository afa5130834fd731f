// SPDX-License-Identifier: GPL-2.0-only
//
// What the two files of the forwarding database share.
#pragma once

#include "stack/bridge/br_private.h"
#include "stack/core/netlink.h"
#include "stack/ipv4/ip_fib.h"

namespace skbwalk {

bool has_expired(const net_bridge &br, const net_bridge_fdb_entry &fdb);
net_bridge_fdb_entry *br_fdb_find(net_bridge &br, const mac_addr &addr, u16 vid); // under hash_lock
net_bridge_fdb_entry *fdb_create(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u16 vid,
                                 u32 flags);
void fdb_delete(net_bridge &br, net_bridge_fdb_entry &f);
void fdb_add_hw_addr(net_bridge &br, const mac_addr &addr);
void fdb_del_hw_addr(net_bridge &br, const mac_addr &addr);
void br_switchdev_fdb_notify(net_bridge &br, const net_bridge_fdb_entry &fdb, int type);
void fdb_notify(net_bridge &br, const net_bridge_fdb_entry &fdb, int type);

} // namespace skbwalk
