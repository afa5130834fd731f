// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/fib_semantics.c, devices and addresses that come and go: fib_sync_down_addr() and
// fib_sync_down_dev() mark what cannot be used any more (a flush of the tables then takes it out),
// fib_sync_up() marks it as usable again, fib_sync_mtu() passes a new MTU on to what is known of paths.
#include "stack/ipv4/fib_semantics.h"

#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

// A local address is gone: the routes of the table that prefer it as their source die.
int fib_sync_down_addr(net_device &dev, be32 local)
{
	TRACE(dev);
	const u32 l3 = l3mdev_fib_table(&dev);
	const u32 tb_id = l3 ? l3 : RT_TABLE_MAIN;
	int ret = 0;

	if (!fib_infos_of_host->size() || !local)
		return 0;
	for (fib_info &fi : fib_info_laddrhash_bucket(dev_net(dev), local)) {
		if (fi.fib_net != &dev_net(dev) || fi.fib_tb_id != tb_id || !(fi.fib_prefsrc == local))
			continue;
		fi.fib_flags |= RTNH_F_DEAD;
		fi.pfsrc_removed = true;
		++ret;
	}
	return ret;
}

void fib_nhc_update_mtu(fib_nh_common &nhc, u32 new_mtu, u32 orig)
{
	TRACE(nhc.nhc_dev);
	rcu_read_lock();
	if (const fnhe_hash_bucket *bucket = nhc.nhc_exceptions)
		for (u32 i = 0; i < FNHE_HASH_SIZE; ++i)
			for (fib_nh_exception *fnhe = bucket[i].chain; fnhe; fnhe = fnhe->fnhe_next)
				fnhe_update_pmtu(*fnhe, new_mtu, orig);
	rcu_read_unlock();
}

void fib_sync_mtu(net_device &dev, u32 orig_mtu)
{
	TRACE(dev);
	for (fib_nh &nh : fib_info_devhash_bucket(dev))
		if (nh.nhc_dev == &dev)
			fib_nhc_update_mtu(nh, dev.mtu, orig_mtu);
}

// Carrier off (NETDEV_CHANGE): link down. Device down: dead too, but for nexthops of local addresses, unless
// forced (the last address or the device is gone). Returns how many routes have no nexthop left.
int fib_sync_down_dev(net_device &dev, netdev_cmd event, bool force)
{
	TRACE(dev);
	const int scope = force ? -1 : RT_SCOPE_NOWHERE;
	const fib_info *prev_fi = nullptr;
	int ret = 0;

	for (fib_nh &nh : fib_info_devhash_bucket(dev)) {
		fib_info &fi = *nh.nh_parent;
		int dead = 0;

		if (nh.nhc_dev != &dev || &fi == prev_fi)
			continue;
		prev_fi = &fi;
		for (int i = 0; i < fi.fib_nhs; ++i) {
			fib_nh &one = fib_info_nh(fi, i);

			if (one.nhc_flags & RTNH_F_DEAD) {
				++dead;
			} else if (one.nhc_dev == &dev && one.nhc_scope != scope) {
				if (event == NETDEV_DOWN || event == NETDEV_UNREGISTER)
					one.nhc_flags |= RTNH_F_DEAD;
				one.nhc_flags |= RTNH_F_LINKDOWN;
				++dead;
			}
			if (event == NETDEV_UNREGISTER && one.nhc_dev == &dev) {
				dead = fi.fib_nhs;
				break;
			}
		}
		if (dead == fi.fib_nhs) {
			if (event == NETDEV_DOWN || event == NETDEV_UNREGISTER)
				fi.fib_flags |= RTNH_F_DEAD;
			fi.fib_flags |= RTNH_F_LINKDOWN;
			++ret;
		}
		fib_rebalance(fi);
	}
	return ret;
}

int fib_sync_up(net_device &dev, u32 nh_flags)
{
	TRACE(dev);
	const fib_info *prev_fi = nullptr;
	int ret = 0;

	if (!(dev.flags & IFF_UP))
		return 0;
	if (nh_flags & RTNH_F_DEAD && dev_get_flags(dev) & (IFF_RUNNING | IFF_LOWER_UP))
		nh_flags |= RTNH_F_LINKDOWN;

	for (fib_nh &nh : fib_info_devhash_bucket(dev)) {
		fib_info &fi = *nh.nh_parent;
		int alive = 0;

		if (nh.nhc_dev != &dev || &fi == prev_fi)
			continue;
		prev_fi = &fi;
		for_nexthops(fi, [&](fib_nh &one) {
			if (!(one.nhc_flags & nh_flags)) {
				++alive;
				return;
			}
			if (!one.nhc_dev || !(one.nhc_dev->flags & IFF_UP) || one.nhc_dev != &dev ||
			    !__in_dev_get_rcu(dev))
				return;
			++alive;
			one.nhc_flags &= ~nh_flags;
		});
		if (alive > 0) {
			fi.fib_flags &= ~nh_flags;
			++ret;
		}
		fib_rebalance(fi);
	}
	return ret;
}

} // namespace skbwalk
