// SPDX-License-Identifier: GPL-2.0-only
//
// A packet that stays below for long (a delay that is simulated) leaves its socket's memory account.
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

// The socket is still known, where it can be: sockets that match it, and filters, ask the packet.
void skb_orphan_partial(sk_buff &skb);

} // namespace skbwalk
