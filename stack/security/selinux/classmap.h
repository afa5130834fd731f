// SPDX-License-Identifier: GPL-2.0-only
//
// Classes of objects and what can be done with them (security/selinux/include/classmap.h), as far as a
// network stack asks. A permission is a bit, by its place in the list. Unlike the kernel, where other objects
// have theirs between them, classes are numbered by this list.
#pragma once

#include <span>
#include <string_view>

#include "stack/kernel/types.h"

namespace skbwalk {

enum security_class : u16 {
	SECCLASS_NULL,
	SECCLASS_PROCESS,
	SECCLASS_CAPABILITY,
	SECCLASS_FILE,
	SECCLASS_FD,
	SECCLASS_SOCKET,
	SECCLASS_TCP_SOCKET,
	SECCLASS_UDP_SOCKET,
	SECCLASS_RAWIP_SOCKET,
	SECCLASS_NODE,
	SECCLASS_NETIF,
	SECCLASS_PACKET_SOCKET,
	SECCLASS_ASSOCIATION,
	SECCLASS_PACKET,
	SECCLASS_PEER,
	SECCLASS_TUN_SOCKET,
	SECCLASS_ICMP_SOCKET,
	secclass_count
};

struct security_class_mapping {
	std::string_view name;
	std::span<const std::string_view> perms;
};
// By security_class; null's name is empty.
std::span<const security_class_mapping> secclass_map();

constexpr u32 FD__USE = 1;
constexpr u32 FILE__READ = 1 << 1, FILE__WRITE = 1 << 2, FILE__APPEND = 1 << 9;
// The classes of sockets have these in common.
constexpr u32 SOCKET__READ = 1 << 1, SOCKET__WRITE = 1 << 2, SOCKET__CREATE = 1 << 3,
	      SOCKET__GETATTR = 1 << 4, SOCKET__RELABELFROM = 1 << 7, SOCKET__RELABELTO = 1 << 8,
	      SOCKET__BIND = 1 << 11, SOCKET__CONNECT = 1 << 12, SOCKET__LISTEN = 1 << 13,
	      SOCKET__ACCEPT = 1 << 14, SOCKET__GETOPT = 1 << 15, SOCKET__SETOPT = 1 << 16,
	      SOCKET__SHUTDOWN = 1 << 17, SOCKET__RECVFROM = 1 << 18, SOCKET__SENDTO = 1 << 19,
	      SOCKET__NAME_BIND = 1 << 20;
constexpr u32 TCP_SOCKET__NODE_BIND = 1 << 21, TCP_SOCKET__NAME_CONNECT = 1 << 22,
	      UDP_SOCKET__NODE_BIND = 1 << 21, RAWIP_SOCKET__NODE_BIND = 1 << 21;
constexpr u32 TUN_SOCKET__ATTACH_QUEUE = 1 << 21;
constexpr u32 NODE__RECVFROM = 1 << 0, NODE__SENDTO = 1 << 1;
constexpr u32 NETIF__INGRESS = 1 << 0, NETIF__EGRESS = 1 << 1;
constexpr u32 ASSOCIATION__SENDTO = 1 << 0, ASSOCIATION__RECVFROM = 1 << 1;
constexpr u32 PACKET__SEND = 1 << 0, PACKET__RECV = 1 << 1, PACKET__RELABELTO = 1 << 2,
	      PACKET__FORWARD_IN = 1 << 3, PACKET__FORWARD_OUT = 1 << 4;
constexpr u32 PEER__RECV = 1 << 0;

} // namespace skbwalk
