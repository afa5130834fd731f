// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/fib_semantics.c, choosing: fib_select_path() takes a lookup's result and picks one of several
// nexthops by the hash of the flow, or one of several default routes by whose gateway answers, and fills in
// the source address that goes with it.
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

static void fib_result_assign(fib_result &res, fib_info &fi)
{
	TRACE_INLINE();
	res.fi = &fi;
	res.nhc = &fib_info_nhc(fi, 0);
}

// Is the gateway of a default route one to pass over? The best of those that may still be right is
// remembered.
static bool fib_detect_death(fib_info &fi, int order, fib_info *&last_resort, int &last_idx, int dflt)
{
	TRACE();
	const fib_nh_common &nhc = fib_info_nhc(fi, 0);
	u8 state = NUD_NONE;
	neighbour *n =
		nhc.nhc_gw_family == AF_INET ? neigh_lookup(arp_tbl(), nhc.nhc_gw4, *nhc.nhc_dev) : nullptr;

	if (!n)
		return false;
	state = n->nud_state;
	neigh_release(*n);
	if (state == NUD_REACHABLE)
		return false;
	if ((state & NUD_VALID) && order != dflt)
		return false;
	if ((state & NUD_VALID) || (last_idx < 0 && order > dflt && state != NUD_INCOMPLETE)) {
		last_resort = &fi;
		last_idx = order;
	}
	return true;
}

// Several default routes of one metric: the first whose gateway answers.
static void fib_select_default(const flowi4 &flp, fib_result &res)
{
	TRACE();
	const u8 slen = static_cast<u8>(32 - res.prefixlen);
	u32 last_prio = res.fi->fib_priority;
	u8 last_dscp = 0;
	fib_info *fi = nullptr, *last_resort = nullptr;
	fib_alias *fa1 = nullptr;
	int order = -1, last_idx = -1;

	for (fib_alias *fa = res.fa_head; fa; fa = fa->next) {
		fib_info &next_fi = *fa->fa_info;

		if (fa->fa_slen != slen)
			continue;
		if (fa->fa_dscp && fa->fa_dscp != flp.flowi4_tos)
			continue;
		if (fa->tb_id != res.table->tb_id)
			continue;
		if (next_fi.fib_priority > last_prio && fa->fa_dscp == last_dscp) {
			if (last_dscp)
				continue;
			break;
		}
		if (next_fi.fib_flags & RTNH_F_DEAD)
			continue;
		last_dscp = fa->fa_dscp;
		last_prio = next_fi.fib_priority;
		if (next_fi.fib_scope != res.scope || fa->fa_type != RTN_UNICAST)
			continue;
		const fib_nh_common &nhc = fib_info_nhc(next_fi, 0);
		if (!nhc.nhc_gw_family || nhc.nhc_scope != RT_SCOPE_LINK)
			continue;
		fa->fa_state |= FA_S_ACCESSED;
		if (!fi) {
			if (&next_fi != res.fi)
				break;
			fa1 = fa;
		} else if (!fib_detect_death(*fi, order, last_resort, last_idx, fa1->fa_default)) {
			fib_result_assign(res, *fi);
			fa1->fa_default = static_cast<s16>(order);
			return;
		}
		fi = &next_fi;
		++order;
	}

	if (order <= 0 || !fi) {
		if (fa1)
			fa1->fa_default = -1;
		return;
	}
	if (!fib_detect_death(*fi, order, last_resort, last_idx, fa1->fa_default)) {
		fib_result_assign(res, *fi);
		fa1->fa_default = static_cast<s16>(order);
		return;
	}
	if (last_idx >= 0)
		fib_result_assign(res, *last_resort);
	fa1->fa_default = static_cast<s16>(last_idx);
}

static bool fib_good_nh(const fib_nh &nh)
{
	TRACE(nh.nhc_dev);
	u8 state = NUD_REACHABLE;

	if (nh.nhc_scope == RT_SCOPE_LINK) {
		rcu_read_lock();
		const neighbour *n = nh.nhc_gw_family == AF_INET
		                             ? __ipv4_neigh_lookup_noref(*nh.nhc_dev, nh.nhc_gw4)
		                             : nullptr;
		if (n)
			state = n->nud_state;
		rcu_read_unlock();
	}
	return state & NUD_VALID;
}

void fib_select_multipath(fib_result &res, int hash)
{
	TRACE();
	fib_info &fi = *res.fi;
	bool first = false;

	for (int nhsel = 0; nhsel < fib_info_num_path(fi); ++nhsel) {
		fib_nh &nh = fib_info_nh(fi, nhsel);

		if (fi.fib_net->ipv4.sysctl_fib_multipath_use_neigh) {
			if (!fib_good_nh(nh))
				continue;
			if (!first) {
				res.nh_sel = static_cast<u8>(nhsel);
				res.nhc = &nh;
				first = true;
			}
		}
		if (hash > nh.nhc_upper_bound)
			continue;
		res.nh_sel = static_cast<u8>(nhsel);
		res.nhc = &nh;
		return;
	}
}

void fib_select_path(net &net, fib_result &res, flowi4 &fl4, const sk_buff *skb)
{
	TRACE(skb);
	if (!fl4.flowi4_oif) {
		if (fib_info_num_path(*res.fi) > 1)
			fib_select_multipath(res, fib_multipath_hash(net, &fl4, skb));
		else if (!res.prefixlen && res.table->tb_num_default > 1 && res.type == RTN_UNICAST)
			fib_select_default(fl4, res);
	}
	if (!fl4.saddr) {
		net_device *l3mdev = dev_get_by_index_rcu(net, fl4.flowi4_l3mdev);

		if (!l3mdev || l3mdev_master_dev_rcu(FIB_RES_DEV(res)) == l3mdev)
			fl4.saddr = fib_result_prefsrc(net, res);
		else
			fl4.saddr = inet_select_addr(*l3mdev, be32{}, RT_SCOPE_LINK);
	}
}

} // namespace skbwalk
