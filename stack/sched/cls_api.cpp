// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/cls_api.c: a classful discipline has tcf_classify ask its filters in their order; the first that
// knows the packet decides. Left out: the kinds of filters themselves, so that every list is empty, as in a
// kernel in which none was added; and with them chains, actions and offloads.
#include "stack/sched/cls_api.h"

namespace skbwalk {

int tcf_classify(const sk_buff &skb, const tcf_proto *tp, tcf_result &res)
{
	TRACE(skb);
	for (; tp; tp = tp->next) {
		if (!(tp->protocol == skb.protocol) && !(tp->protocol == htons(ETH_P_ALL)))
			continue;
		if (const int err = tp->classify(skb, *tp, res); err >= 0)
			return err;
	}
	return TC_ACT_UNSPEC;
}

} // namespace skbwalk
