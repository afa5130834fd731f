// SPDX-License-Identifier: GPL-2.0-only
//
// Groups of sockets that share a port by SO_REUSEPORT (include/net/sock_reuseport.h): a flow's hash picks one
// of the group.
#pragma once

#include "stack/core/sock.h"

namespace skbwalk {

int reuseport_alloc(sock &sk, bool bind_inany);               // a group of one
int reuseport_add_sock(sock &sk, sock &sk2, bool bind_inany); // joins sk2's
void reuseport_detach_sock(sock &sk);
void reuseport_stop_listen_sock(sock &sk);
sock *reuseport_migrate_sock(sock &sk, sock &migrating_sk, sk_buff *skb); // null: nobody takes it over
bool reuseport_has_conns(const sock &sk);                                 // is one of the group connected?
bool reuseport_has_closed(const sock &sk); // are there listeners in it that have closed?
void reuseport_has_conns_set(sock &sk);
void reuseport_update_incoming_cpu(sock &sk, int val);
sock *reuseport_select_sock(sock &sk, u32 hash, sk_buff *skb, int hdr_len); // null: no group

} // namespace skbwalk
