// SPDX-License-Identifier: GPL-2.0-only
//
// What netfilter needs of IPv4 (include/linux/netfilter_ipv4.h).
#pragma once

#include "stack/ipv4/route.h"

namespace skbwalk {

// The packet's addresses, TOS or mark have changed: a route for what it is now. addr_type: of its source, or
// RTN_UNSPEC. 0 or -errno.
int ip_route_me_harder(net &net, sock *sk, sk_buff &skb, u32 addr_type);
int nf_ip_route(net &net, dst_entry *&dst, flowi4 &fl);

} // namespace skbwalk
