// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_comment.c: a match that always does.
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool comment_mt(const sk_buff &skb, xt_action_param &)
{
	TRACE(skb);
	return true;
}

static constexpr xt_match comment_mt_reg{.name = "comment",
                                         .match = comment_mt,
                                         .matchsize = sizeof(xt_comment_info),
                                         .family = NFPROTO_UNSPEC};

int comment_mt_init()
{
	TRACE();
	return xt_register_match(comment_mt_reg);
}

} // namespace skbwalk
