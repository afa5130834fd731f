// SPDX-License-Identifier: GPL-2.0-only
//
// Network devices whose other end is a file descriptor (drivers/net/tun.c). What the stack sends waits in a
// ring until the runner reads it; what the runner writes comes in as received. Reading and writing the
// descriptor is the runner's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/virtio_net.h"

namespace skbwalk {

constexpr u32 IFF_TUN = 0x0001, IFF_TAP = 0x0002, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000;
constexpr u32 TUN_F_CSUM = 0x01, TUN_F_TSO4 = 0x02, TUN_F_TSO6 = 0x04, TUN_F_TSO_ECN = 0x08;

// TUNSETIFF: makes the device, of Ethernet frames (IFF_TAP) or of IP packets (IFF_TUN), and attaches its
// queue. With IFF_VNET_HDR each frame that is read or written has a virtio_net_hdr in front. `readable` is
// called when the ring gets a frame. Null, and `err` says why: -EINVAL for a flag that is not supported.
net_device *tun_set_iff(net &net, const std::string &name, u32 flags,
                        void (*readable)(net_device &dev, void *arg), void *arg, int &err);
// TUNSETOFFLOAD: what the program takes unfinished (TUN_F_*). -EINVAL for what is not known.
[[nodiscard]] int set_offload(net_device &dev, unsigned long arg);
// The descriptor is closed: the device goes.
void tun_chr_close(net_device &dev);
// What a frame is made of where it lies, its header first. True as long as `skb` lives, which is to be
// consumed.
struct tun_frame {
	struct piece {
		const void *data;
		std::size_t len;
	};
	virtio_net_hdr header{};
	std::vector<piece> pieces;
	skb_ptr skb;
};
// One frame out of the ring: its length, 0 when there is none. It is copied to `buf`, and cut if `len` is
// less; or not copied at all, but told.
std::size_t tun_do_read(net_device &dev, void *buf, std::size_t len);
std::size_t tun_do_read(net_device &dev, tun_frame &told);
// One frame in: what is at `buf` and goes on in the pages of `rest`. What of these is not copied is the
// packet's too from then on (it takes references), and not to be written any more. The bytes taken, or
// -errno: -EIO while the device is down, -EINVAL for a frame that is too short or a header that does not fit.
long tun_get_user(net_device &dev, const void *buf, std::size_t len, std::span<const skb_frag_t> rest = {});
// How many frames were refused for their virtio_net_hdr.
u64 tun_rx_frame_errors(const net_device &dev);

} // namespace skbwalk
