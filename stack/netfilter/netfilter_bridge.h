// SPDX-License-Identifier: GPL-2.0-only
//
// What br_netfilter notes with a packet, for those whom it asks (include/linux/netfilter_bridge.h).
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

constexpr u8 BRNF_PROTO_UNCHANGED = 0, BRNF_PROTO_8021Q = 1,
	     BRNF_PROTO_PPPOE = 2; // nf_bridge_info::orig_proto

inline nf_bridge_info *nf_bridge_info_get(const sk_buff &skb)
{
	return static_cast<nf_bridge_info *>(skb_ext_find(skb, SKB_EXT_BRIDGE_NF));
}
inline bool nf_bridge_info_exists(const sk_buff &skb) { return skb_ext_exist(skb, SKB_EXT_BRIDGE_NF); }
inline nf_bridge_info *nf_bridge_alloc(sk_buff &skb)
{
	TRACE_INLINE(skb);
	void *b = skb_ext_add(skb, SKB_EXT_BRIDGE_NF);

	return b ? ::new (b) nf_bridge_info : nullptr;
}
// The port that it came in by, and the one that it will leave by; null when there is none.
inline net_device *nf_bridge_get_physindev(const sk_buff &skb, net &net)
{
	TRACE_INLINE(skb);
	const nf_bridge_info *nf_bridge = nf_bridge_info_get(skb);

	return nf_bridge ? dev_get_by_index_rcu(net, nf_bridge->physinif) : nullptr;
}
inline net_device *nf_bridge_get_physoutdev(const sk_buff &skb)
{
	const nf_bridge_info *nf_bridge = nf_bridge_info_get(skb);

	return nf_bridge ? nf_bridge->physoutdev : nullptr;
}

} // namespace skbwalk
