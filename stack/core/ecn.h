// SPDX-License-Identifier: GPL-2.0-only
//
// A queue's mark on a packet that allows it (the skb's part of include/net/inet_ecn.h, RFC 3168, section 5).
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

// Says "congestion" in the packet's IPv4 header, whose checksum follows. False: the packet does not allow it.
bool INET_ECN_set_ce(sk_buff &skb);

} // namespace skbwalk
