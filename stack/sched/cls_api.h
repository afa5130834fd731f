// SPDX-License-Identifier: GPL-2.0-only
//
// Filters that say to which class of a discipline a packet belongs (include/net/pkt_cls.h).
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct tcf_result {
	u32 classid = 0;
};
constexpr int TC_ACT_UNSPEC = -1;
// One filter of a discipline's list: classify says TC_ACT_UNSPEC where it does not know the packet.
struct tcf_proto {
	tcf_proto *next = nullptr;
	be16 protocol{};
	int (*classify)(const sk_buff &skb, const tcf_proto &tp, tcf_result &res) = nullptr;
};

// The first verdict of the filters from `tp` on.
int tcf_classify(const sk_buff &skb, const tcf_proto *tp, tcf_result &res);

} // namespace skbwalk
