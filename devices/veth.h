// SPDX-License-Identifier: GPL-2.0-only
//
// Pairs of virtual Ethernet devices (drivers/net/veth.c): what one sends, the other receives, in whatever
// namespace it is.
#pragma once

#include <string>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"

namespace skbwalk {

// `ip link add NAME netns NET type veth peer name PEER netns PEER_NET`. A name may have a %d. 0 or -errno;
// the devices are down.
int veth_newlink(net &src_net, const std::string &name, net &peer_net, const std::string &peer_name);
net_device *veth_peer_dev(const net_device &dev); // null when it is gone

} // namespace skbwalk
