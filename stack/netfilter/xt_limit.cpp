// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_limit.c: a bucket of credit that fills with time; a packet that finds enough of it fits.
#include "stack/kernel/timer.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

namespace {

constexpr u32 pow2_below32(u32 x) { return x < 2 ? 1 : 1u << (31 - __builtin_clz(x)); }
constexpr u32 MAX_CPJ = 0xFFFFFFFFu / (HZ * 60 * 60 * 24);
constexpr u32 CREDITS_PER_JIFFY = pow2_below32(MAX_CPJ);

} // namespace

static u32 user2credits(u32 user)
{
	TRACE();
	if (user > 0xFFFFFFFFu / (HZ * CREDITS_PER_JIFFY)) // divided first, it does not overflow
		return user / XT_LIMIT_SCALE * HZ * CREDITS_PER_JIFFY;
	return user * HZ * CREDITS_PER_JIFFY / XT_LIMIT_SCALE;
}

static bool limit_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	auto &priv = *static_cast<xt_rateinfo *>(par.matchinfo);
	const u32 now = jiffies();

	priv.credit += (now - priv.prev) * CREDITS_PER_JIFFY;
	priv.prev = now;
	if (priv.credit > priv.credit_cap)
		priv.credit = priv.credit_cap;
	if (priv.credit < priv.cost)
		return false;
	priv.credit -= priv.cost;
	return true;
}

static int limit_mt_check(const xt_mtchk_param &par)
{
	TRACE();
	auto &r = *static_cast<xt_rateinfo *>(par.matchinfo);

	if (r.burst == 0 || user2credits(r.avg * r.burst) < user2credits(r.avg))
		return -ERANGE;
	r.prev = jiffies();
	r.credit = user2credits(r.avg * r.burst);
	if (r.cost == 0) {
		r.credit_cap = r.credit;
		r.cost = user2credits(r.avg);
	}
	return 0;
}

static constexpr xt_match limit_mt_reg{.name = "limit",
                                       .match = limit_mt,
                                       .checkentry = limit_mt_check,
                                       .matchsize = sizeof(xt_rateinfo),
                                       .family = NFPROTO_UNSPEC};

int limit_mt_init()
{
	TRACE();
	return xt_register_match(limit_mt_reg);
}

} // namespace skbwalk
