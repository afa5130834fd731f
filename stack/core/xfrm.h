// SPDX-License-Identifier: GPL-2.0-only
//
// Policies on flows (include/net/xfrm.h), as far as a kernel without any goes: each lookup is made and finds
// none.
#pragma once

#include "stack/core/dst.h"
#include "stack/core/flow.h"
#include "stack/core/net_namespace.h"

namespace skbwalk {

constexpr int XFRM_POLICY_IN = 0, XFRM_POLICY_OUT = 1, XFRM_POLICY_FWD = 2, XFRM_POLICY_MAX = 3;
constexpr u8 XFRM_USERPOLICY_UNSPEC = 0, XFRM_USERPOLICY_ACCEPT = 1, XFRM_USERPOLICY_BLOCK = 2;
constexpr int XFRM_LOOKUP_ICMP = 1 << 0, XFRM_LOOKUP_QUEUE = 1 << 1, XFRM_LOOKUP_KEEP_DST_REF = 1 << 2;

// The dst to use instead of `dst`, whose reference goes over to it; null: a policy forbids the flow (-EPERM)
// or, with XFRM_LOOKUP_ICMP, there is none (-ENOENT).
dst_entry *xfrm_lookup(net &net, dst_entry *dst, const flowi4 &fl, const sock *sk, int flags);
dst_entry *xfrm_lookup_route(net &net, dst_entry *dst, const flowi4 &fl, const sock *sk, int flags);
dst_entry *xfrm_lookup_with_ifid(net &net, dst_entry *dst, const flowi4 &fl, const sock *sk, int flags,
                                 u32 if_id);

// Header inlines: may this packet pass? Decided by the namespace's default where no policy is loaded.
bool xfrm_policy_check(sock *sk, int dir, sk_buff &skb, u16 family);
bool xfrm4_policy_check(sock *sk, int dir, sk_buff &skb);
bool xfrm4_policy_check_reverse(sock *sk, int dir, sk_buff &skb);
bool xfrm4_route_forward(sk_buff &skb);

int __xfrm_decode_session(sk_buff &skb, flowi4 &fl, u16 family, bool reverse);
int xfrm_decode_session_reverse(sk_buff &skb, flowi4 &fl, u16 family); // header inline

// net/xfrm/xfrm_device.c: no state is offloaded to a device.
skb_ptr validate_xmit_xfrm(skb_ptr skb, netdev_features_t features, bool &again);
void xfrm_dev_backlog();

} // namespace skbwalk
