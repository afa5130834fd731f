// SPDX-License-Identifier: GPL-2.0-only
//
// What the parts of net/ipv4/ip_output.c share: ip_output.cpp, ip_output_fragment.cpp, ip_output_append.cpp.
#pragma once

#include "stack/ipv4/ip.h"

namespace skbwalk {

// --- ip_output.cpp ---
int ip_select_ttl(const inet_sock &inet, const dst_entry &dst);
void ip_copy_addrs(iphdr &iph, const flowi4 &fl4);
int ip_finish_output2(net &net, sock *sk, skb_ptr skb);
// --- ip_output_fragment.cpp ---
int ip_fragment(net &net, sock *sk, skb_ptr skb, u32 mtu, int (*output)(skbwalk::net &, sock *, skb_ptr));

} // namespace skbwalk
