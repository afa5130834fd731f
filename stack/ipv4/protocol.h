// SPDX-License-Identifier: GPL-2.0-only
//
// How packets of an IP protocol are merged and cut into segments (include/net/protocol.h); one table for each
// host.
#pragma once

#include "stack/core/gro.h"

namespace skbwalk {

struct net_offload {
	offload_callbacks callbacks;
};
int inet_add_offload(const net_offload &prot, u8 protocol); // -1 when the protocol has one

skb_segs inet_gso_segment(sk_buff &skb, netdev_features_t features);
sk_buff *inet_gro_receive(list_head &head, sk_buff &skb);
int inet_gro_complete(sk_buff &skb, int nhoff);
sk_buff *tcp_gro_receive(list_head &head, sk_buff &skb);
int tcp_gro_complete(sk_buff &skb);
int tcpv4_offload_init();
int udpv4_offload_init();
void ipv4_offload_init();

} // namespace skbwalk
