// SPDX-License-Identifier: GPL-2.0-only
//
// How neighbours go (net/core/neighbour.c): with their device (neigh_flush_dev), because the table is too
// full (neigh_forced_gc), because nobody used them for long (neigh_periodic_work), or by an administrator's
// word.
#include "stack/core/neighbour_private.h"

namespace skbwalk {

static void neigh_cleanup_and_release(neighbour &n)
{
	TRACE(n.dev);
	__neigh_notify(n, RTM_DELNEIGH, 0, 0);
	call_netevent_notifiers(NETEVENT_NEIGH_UPDATE, &n);
	neigh_release(n);
}

static void neigh_mark_dead(neighbour &n)
{
	TRACE(n.dev);
	n.dead = 1;
	if (!list_empty(n.gc_list)) {
		list_del_init(n.gc_list);
		--n.tbl->gc_entries;
	}
}

// A permanent entry is never collected.
void neigh_update_gc_list(neighbour &n)
{
	TRACE(n.dev);
	neigh_table &tbl = *n.tbl;

	_raw_write_lock_bh(tbl.lock);
	_raw_write_lock(n.lock);
	if (!n.dead) {
		const bool exempt = n.nud_state & NUD_PERMANENT;
		const bool on_gc_list = !list_empty(n.gc_list);

		if (exempt && on_gc_list) {
			list_del_init(n.gc_list);
			--tbl.gc_entries;
		} else if (!exempt && !on_gc_list) {
			list_add_tail(n.gc_list, tbl.gc_list);
			++tbl.gc_entries;
		}
	}
	_raw_write_unlock(n.lock);
	_raw_write_unlock_bh(tbl.lock);
}

static bool neigh_del(neighbour &n, neighbour *&np)
{
	TRACE(n.dev);
	bool retval = false;

	_raw_write_lock(n.lock);
	if (refcount_read(n.refcnt) == 1) {
		np = n.next;
		neigh_mark_dead(n);
		retval = true;
	}
	_raw_write_unlock(n.lock);
	if (retval)
		neigh_cleanup_and_release(n);
	return retval;
}

bool neigh_remove_one(neighbour &ndel, neigh_table &tbl)
{
	TRACE(ndel.dev);
	neigh_hash_table &nht = tbl.nht;
	const u32 hash_val =
		tbl.hash(ndel.primary_key, *ndel.dev, nht.hash_rnd.data()) >> (32 - nht.hash_shift);

	for (neighbour **np = &nht.hash_buckets[hash_val]; *np; np = &(*np)->next)
		if (*np == &ndel)
			return neigh_del(ndel, *np);
	return false;
}

int neigh_forced_gc(neigh_table &tbl)
{
	TRACE();
	const int max_clean = static_cast<int>(tbl.gc_entries) - static_cast<int>(tbl.gc_thresh2);
	const u64 tmax = ktime_get_ns() + NSEC_PER_MSEC;
	const u32 tref = jiffies() - 5 * HZ;
	int shrunk = 0;
	int loop = 0;

	++tbl.forced_gc_runs;
	_raw_write_lock_bh(tbl.lock);
	for (list_head *p = tbl.gc_list.next, *next; p != &tbl.gc_list; p = next) {
		neighbour &n = list_entry(*p, &neighbour::gc_list);

		next = p->next;
		if (refcount_read(n.refcnt) != 1)
			continue;
		_raw_write_lock(n.lock);

		const bool remove = n.nud_state == NUD_FAILED || n.nud_state == NUD_NOARP ||
		                    !time_in_range(n.updated, tref, jiffies());

		_raw_write_unlock(n.lock);
		if (remove && neigh_remove_one(n, tbl))
			++shrunk;
		if (shrunk >= max_clean)
			break;
		if (++loop == 16) {
			if (ktime_get_ns() > tmax) {
				_raw_write_unlock_bh(tbl.lock);
				return shrunk;
			}
			loop = 0;
		}
	}
	tbl.last_flush = jiffies();
	_raw_write_unlock_bh(tbl.lock);
	return shrunk;
}

static void neigh_flush_dev(neigh_table &tbl, const net_device *dev, bool skip_perm)
{
	TRACE(dev);
	for (neighbour *&bucket : tbl.nht.hash_buckets) {
		for (neighbour **np = &bucket; *np;) {
			neighbour &n = **np;

			if ((dev && n.dev != dev) || (skip_perm && (n.nud_state & NUD_PERMANENT))) {
				np = &n.next;
				continue;
			}
			*np = n.next;
			_raw_write_lock(n.lock);
			neigh_del_timer(n);
			neigh_mark_dead(n);
			if (refcount_read(n.refcnt) != 1) {
				// Someone still holds it: from now on it leads nowhere.
				__skb_queue_purge(n.arp_queue);
				n.arp_queue_len_bytes = 0;
				n.output = neigh_blackhole;
				n.nud_state = n.nud_state & NUD_VALID ? NUD_NOARP : NUD_NONE;
			}
			_raw_write_unlock(n.lock);
			neigh_cleanup_and_release(n);
		}
	}
}

void neigh_changeaddr(neigh_table &tbl, net_device &dev)
{
	TRACE(dev);
	_raw_write_lock_bh(tbl.lock);
	neigh_flush_dev(tbl, &dev, false);
	_raw_write_unlock_bh(tbl.lock);
}

static int __neigh_ifdown(neigh_table &tbl, const net_device *dev, bool skip_perm)
{
	TRACE(dev);
	_raw_write_lock_bh(tbl.lock);
	neigh_flush_dev(tbl, dev, skip_perm);
	_raw_write_unlock_bh(tbl.lock);
	return 0;
}

int neigh_carrier_down(neigh_table &tbl, net_device &dev)
{
	TRACE(dev);
	return __neigh_ifdown(tbl, &dev, true);
}

int neigh_ifdown(neigh_table &tbl, net_device *dev)
{
	TRACE(dev);
	return __neigh_ifdown(tbl, dev, false);
}

void neigh_periodic_work(delayed_work &work)
{
	TRACE();
	neigh_table &tbl = container_of(work, &neigh_table::gc_work);

	++tbl.periodic_gc_runs;
	_raw_write_lock_bh(tbl.lock);
	if (time_after(jiffies(), tbl.last_rand + 300 * HZ)) {
		const auto renew = [](neigh_parms &p) {
			p.reachable_time = neigh_rand_reach_time(
				static_cast<u32>(NEIGH_VAR(p, NEIGH_VAR_BASE_REACHABLE_TIME)));
		};

		tbl.last_rand = jiffies();
		renew(tbl.parms);
		for (neigh_parms *p : tbl.parms_list)
			renew(*p);
	}
	if (tbl.entries >= tbl.gc_thresh1) {
		for (std::size_t i = 0; i < tbl.nht.hash_buckets.size(); ++i) {
			for (neighbour **np = &tbl.nht.hash_buckets[i]; *np;) {
				neighbour &n = **np;

				_raw_write_lock(n.lock);
				if (n.nud_state & (NUD_PERMANENT | NUD_IN_TIMER)) {
					_raw_write_unlock(n.lock);
					np = &n.next;
					continue;
				}
				if (time_before(n.used, n.confirmed) &&
				    time_before_eq(n.confirmed, jiffies()))
					n.used = n.confirmed;

				const u32 stale =
					n.used +
					static_cast<u32>(NEIGH_VAR(*n.parms, NEIGH_VAR_GC_STALETIME));

				if (refcount_read(n.refcnt) == 1 &&
				    (n.nud_state == NUD_FAILED ||
				     !(time_after_eq(jiffies(), n.used) && time_before(jiffies(), stale)))) {
					*np = n.next;
					neigh_mark_dead(n);
					_raw_write_unlock(n.lock);
					neigh_cleanup_and_release(n);
					continue;
				}
				_raw_write_unlock(n.lock);
				np = &n.next;
			}
			_raw_write_unlock_bh(tbl.lock);
			cond_resched();
			_raw_write_lock_bh(tbl.lock);
		}
	}
	queue_delayed_work(tbl.gc_work,
	                   static_cast<u32>(NEIGH_VAR(tbl.parms, NEIGH_VAR_BASE_REACHABLE_TIME)) >> 1);
	_raw_write_unlock_bh(tbl.lock);
}

// What `ip neigh del` does.
int neigh_delete(neigh_table &tbl, const be32 &pkey, net_device &dev)
{
	TRACE(dev);
	neighbour *n = neigh_lookup(tbl, pkey, dev);

	if (!n)
		return -ENOENT;

	const int err =
		__neigh_update(*n, nullptr, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN);

	_raw_write_lock_bh(tbl.lock);
	neigh_release(*n);
	neigh_remove_one(*n, tbl);
	_raw_write_unlock_bh(tbl.lock);
	return err;
}

// What `ip neigh flush` comes to: each entry of the device, or of all, that is not permanent is deleted.
// not traced: user space does this, entry by entry
void neigh_flush(neigh_table &tbl, net_device *dev)
{
	std::vector<std::pair<be32, net_device *>> entries;

	for (neighbour *bucket : tbl.nht.hash_buckets)
		for (neighbour *n = bucket; n; n = n->next)
			if ((!dev || n->dev == dev) && !(n->nud_state & (NUD_PERMANENT | NUD_NOARP)))
				entries.emplace_back(n->primary_key, n->dev);
	for (const auto &[key, on] : entries)
		neigh_delete(tbl, key, *on);
}

} // namespace skbwalk
