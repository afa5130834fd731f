// SPDX-License-Identifier: GPL-2.0-only
//
// What the two files of net/socket.c share.
#pragma once

#include "stack/core/sock.h"
#include "stack/socket.h"

namespace skbwalk {

socket *sock_alloc();
void sock_release(socket &sock);                // of a socket without a file: frees it
file *sock_alloc_file(socket &sock, u32 flags); // null, and the socket is gone, when there is no memory
int __sock_create(net &net, int family, int type, int protocol, socket *&res, bool kern);
int sock_create(int family, int type, int protocol, socket *&res);
int __sock_sendmsg(socket &sock, msghdr &msg);
int sock_recvmsg(socket &sock, msghdr &msg, int flags);

} // namespace skbwalk
