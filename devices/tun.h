// SPDX-License-Identifier: GPL-2.0-only
//
// Network devices whose other end is a file descriptor (drivers/net/tun.c). What the stack sends waits in a
// ring until the runner reads it; what the runner writes comes in as received. Reading and writing the
// descriptor is the runner's.
#pragma once

#include <string>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"

namespace skbwalk {

constexpr u32 IFF_TUN = 0x0001, IFF_TAP = 0x0002, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000;
constexpr u32 TUN_F_CSUM = 0x01, TUN_F_TSO4 = 0x02, TUN_F_TSO6 = 0x04, TUN_F_TSO_ECN = 0x08;

// TUNSETIFF: makes the device, of Ethernet frames (IFF_TAP) or of IP packets (IFF_TUN), and attaches its
// queue. `readable` is called when the ring gets a frame. Null, and `err` says why: -EINVAL for a flag that
// is not supported.
net_device *tun_set_iff(net &net, const std::string &name, u32 flags,
                        void (*readable)(net_device &dev, void *arg), void *arg, int &err);
// The descriptor is closed: the device goes.
void tun_chr_close(net_device &dev);
// One frame out of the ring into `buf`: its length, cut if `len` is less; 0 when there is none.
std::size_t tun_do_read(net_device &dev, void *buf, std::size_t len);
// One frame in. The bytes taken, or -errno: -EIO while the device is down, -EINVAL for a frame that is too
// short.
long tun_get_user(net_device &dev, const void *frame, std::size_t len);

} // namespace skbwalk
