// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of net/core/neighbour.c share: neighbour.cpp keeps the tables, neighbour_gc.cpp empties
// them, neighbour_state.cpp moves entries from state to state, neighbour_notify.cpp tells of it,
// neighbour_output.cpp sends.
#pragma once

#include "stack/core/neighbour.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netlink.h"

namespace skbwalk {

// --- neighbour.cpp ---
int neigh_blackhole(neighbour &n, skb_ptr skb);

// --- neighbour_gc.cpp ---
void neigh_update_gc_list(neighbour &n);
int neigh_forced_gc(neigh_table &tbl);
void neigh_periodic_work(delayed_work &work);

// --- neighbour_state.cpp ---
void neigh_timer_handler(timer_list &t);
int neigh_del_timer(neighbour &n);

// --- neighbour_notify.cpp ---
void __neigh_notify(neighbour &n, int type, int flags, u32 pid);

} // namespace skbwalk
