// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_mark.c: the packet's mark, as match and as target.
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static u32 mark_tg(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_mark_tginfo2 *>(par.targinfo);

	skb.mark = (skb.mark & ~info.mask) ^ info.mark;
	return XT_CONTINUE;
}

static bool mark_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_mark_mtinfo1 *>(par.matchinfo);

	return ((skb.mark & info.mask) == info.mark) != (info.invert != 0);
}

static constexpr xt_target mark_tg_reg{.name = "MARK",
                                       .revision = 2,
                                       .target = mark_tg,
                                       .targetsize = sizeof(xt_mark_tginfo2),
                                       .family = NFPROTO_UNSPEC};
static constexpr xt_match mark_mt_reg{.name = "mark",
                                      .revision = 1,
                                      .match = mark_mt,
                                      .matchsize = sizeof(xt_mark_mtinfo1),
                                      .family = NFPROTO_UNSPEC};

int mark_mt_init()
{
	TRACE();
	if (const int ret = xt_register_target(mark_tg_reg))
		return ret;
	return xt_register_match(mark_mt_reg);
}

} // namespace skbwalk
