// SPDX-License-Identifier: GPL-2.0-only
//
// Checksums for netfilter's modules (include/linux/netfilter.h).
#pragma once

#include "stack/netfilter/netfilter.h"

namespace skbwalk {

// Zero: right, or not to be checked here.
be16 nf_ip_checksum(sk_buff &skb, u32 hook, u32 dataoff, u8 protocol);
be16 nf_checksum(sk_buff &skb, u32 hook, u32 dataoff, u8 protocol, u8 family);

} // namespace skbwalk
