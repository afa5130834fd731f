// SPDX-License-Identifier: GPL-2.0-only
//
// The names of the drop reasons, from the list in dropreason.h.
#include "stack/core/dropreason.h"

namespace skbwalk {

namespace {

constexpr const char *drop_reasons[] = {"NOT_DROPPED_YET",
#define SKBWALK_FN(name) #name,
                                        SKBWALK_DROP_REASONS(SKBWALK_FN)
#undef SKBWALK_FN
};
static_assert(sizeof(drop_reasons) / sizeof(*drop_reasons) == SKB_DROP_REASON_MAX);

} // namespace

// not traced: the kernel has an array here
const char *drop_reason_name(skb_drop_reason reason)
{
	return reason < SKB_DROP_REASON_MAX ? drop_reasons[reason] : "?";
}

} // namespace skbwalk
