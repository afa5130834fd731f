// SPDX-License-Identifier: GPL-2.0-only
//
// Who listens is told of a neighbour's change (net/core/neighbour.c): __neigh_notify puts an RTM_NEWNEIGH or
// RTM_DELNEIGH message together and broadcasts it.
#include "stack/core/neighbour_private.h"

namespace skbwalk {

namespace {

constexpr u32 MAX_ADDR_LEN = 32;

} // namespace

static int neigh_fill_info(sk_buff &skb, neighbour &n, u32 pid, u32 seq, int type, int flags)
{
	TRACE(skb, n.dev);
	const u32 now = jiffies();
	nlmsghdr *nlh = nlmsg_put(skb, pid, seq, type, sizeof(ndmsg), flags);

	if (!nlh)
		return -EMSGSIZE;

	const auto cancel = [&] {
		nlmsg_cancel(skb, *nlh);
		return -EMSGSIZE;
	};
	auto &ndm = *static_cast<ndmsg *>(nlmsg_data(*nlh));

	ndm = {};
	ndm.ndm_family = static_cast<u8>(n.ops->family);
	ndm.ndm_flags = n.flags;
	ndm.ndm_type = n.type;
	ndm.ndm_ifindex = n.dev->ifindex;
	if (nla_put(skb, NDA_DST, static_cast<int>(n.tbl->key_len), &n.primary_key))
		return cancel();

	_raw_read_lock_bh(n.lock);
	ndm.ndm_state = n.nud_state;
	if ((n.nud_state & NUD_VALID) && nla_put(skb, NDA_LLADDR, n.dev->addr_len, n.ha.data())) {
		_raw_read_unlock_bh(n.lock);
		return cancel();
	}

	nda_cacheinfo ci;

	ci.ndm_used = jiffies_to_clock_t(now - n.used);
	ci.ndm_confirmed = jiffies_to_clock_t(now - n.confirmed);
	ci.ndm_updated = jiffies_to_clock_t(now - n.updated);
	ci.ndm_refcnt = static_cast<u32>(refcount_read(n.refcnt) - 1);
	_raw_read_unlock_bh(n.lock);

	const auto probes = static_cast<u32>(atomic_read(n.probes));

	if (nla_put(skb, NDA_PROBES, sizeof(probes), &probes) || nla_put(skb, NDA_CACHEINFO, sizeof(ci), &ci))
		return cancel();
	nlmsg_end(skb, *nlh);
	return 0;
}

static u32 neigh_nlmsg_size()
{
	TRACE();
	return NLMSG_ALIGN(sizeof(ndmsg)) + nla_total_size(MAX_ADDR_LEN) + nla_total_size(MAX_ADDR_LEN) +
	       nla_total_size(sizeof(nda_cacheinfo)) + nla_total_size(4) + nla_total_size(4) +
	       nla_total_size(1);
}

void __neigh_notify(neighbour &n, int type, int flags, u32 pid)
{
	TRACE(n.dev);
	rcu_read_lock();
	if (skb_ptr skb = nlmsg_new(neigh_nlmsg_size(), GFP_ATOMIC)) {
		if (neigh_fill_info(*skb, n, pid, 0, type, flags) < 0)
			kfree_skb(std::move(skb));
		else
			rtnl_notify(std::move(skb), dev_net(*n.dev), 0, RTNLGRP_NEIGH, GFP_ATOMIC);
	}
	rcu_read_unlock();
}

const char *neigh_state_name(u8 nud_state)
{
	TRACE_INLINE();
	switch (nud_state) {
	case NUD_INCOMPLETE:
		return "INCOMPLETE";
	case NUD_REACHABLE:
		return "REACHABLE";
	case NUD_STALE:
		return "STALE";
	case NUD_DELAY:
		return "DELAY";
	case NUD_PROBE:
		return "PROBE";
	case NUD_FAILED:
		return "FAILED";
	case NUD_NOARP:
		return "NOARP";
	case NUD_PERMANENT:
		return "PERMANENT";
	default:
		return "NONE";
	}
}

} // namespace skbwalk
