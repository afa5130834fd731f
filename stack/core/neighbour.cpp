// SPDX-License-Identifier: GPL-2.0-only
//
// The tables of net/core/neighbour.c. An entry is looked up by address and device (neigh_lookup), made when
// there is none
// (___neigh_create, which also grows the hash), and goes when its device does (neigh_flush_dev), when the
// table is too full (neigh_forced_gc) or when nobody used it for long (neigh_periodic_work). Each device has
// its own neigh_parms. Left out: proxy entries, managed and externally learned entries.
#include <cassert>
#include <new>

#include "stack/core/neighbour_private.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

struct neighbour_count {
	u32 live = 0;
};
perhost<neighbour_count> neighbours;

} // namespace

u32 live_neighbours(const host &h) { return neighbours.of(const_cast<host &>(h)).live; }

neigh_table::~neigh_table()
{
	if (gc_work.function)
		cancel_delayed_work(gc_work);
	assert(!entries && parms_list.empty());
}

int neigh_blackhole(neighbour &, skb_ptr skb)
{
	TRACE(skb);
	kfree_skb(std::move(skb));
	return -ENETDOWN;
}

static void neigh_cleanup_and_release(neighbour &n)
{
	TRACE(n.dev);
	__neigh_notify(n, RTM_DELNEIGH, 0, 0);
	call_netevent_notifiers(NETEVENT_NEIGH_UPDATE, &n);
	neigh_release(n);
}

u32 neigh_rand_reach_time(u32 base)
{
	TRACE();
	return base ? prandom_u32_max(base) + (base >> 1) : 0;
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

static int neigh_forced_gc(neigh_table &tbl)
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

// --- coming ---

static neighbour *neigh_alloc(neigh_table &tbl, const net_device &dev, bool exempt_from_gc)
{
	TRACE(dev);
	const u32 now = jiffies();

	if (!exempt_from_gc) {
		const u32 entries = tbl.gc_entries++;

		if ((entries >= tbl.gc_thresh3 ||
		     (entries >= tbl.gc_thresh2 && time_after(now, tbl.last_flush + 5 * HZ))) &&
		    !neigh_forced_gc(tbl) && entries >= tbl.gc_thresh3) {
			++tbl.table_fulls;
			--tbl.gc_entries;
			return nullptr;
		}
	}

	void *memory = __kmalloc(sizeof(neighbour), GFP_ATOMIC);

	if (!memory) {
		if (!exempt_from_gc)
			--tbl.gc_entries;
		return nullptr;
	}

	auto *n = ::new (memory) neighbour;

	n->updated = n->used = now;
	n->output = neigh_blackhole;
	refcount_inc(tbl.parms.refcnt);
	n->parms = &tbl.parms;
	timer_setup(n->timer, neigh_timer_handler, 0);
	++tbl.allocs;
	n->tbl = &tbl;
	n->dead = 1;
	++tbl.entries;
	++neighbours->live;
	return n;
}

static neigh_hash_table neigh_hash_alloc(u32 shift)
{
	TRACE();
	neigh_hash_table nht;

	nht.hash_buckets.resize(std::size_t{1} << shift);
	nht.hash_shift = shift;
	for (u32 &rnd : nht.hash_rnd)
		rnd = get_random_u32() | 1;
	return nht;
}

static void neigh_hash_grow(neigh_table &tbl, u32 new_shift)
{
	TRACE();
	neigh_hash_table nht = neigh_hash_alloc(new_shift);

	++tbl.hash_grows;
	for (neighbour *bucket : tbl.nht.hash_buckets) {
		for (neighbour *n = bucket, *next; n; n = next) {
			const u32 hash =
				tbl.hash(n->primary_key, *n->dev, nht.hash_rnd.data()) >> (32 - new_shift);

			next = std::exchange(n->next, nht.hash_buckets[hash]);
			nht.hash_buckets[hash] = n;
		}
	}
	tbl.nht = std::move(nht);
}

neighbour *__neigh_lookup_noref(neigh_table &tbl, const be32 &pkey, net_device &dev)
{
	TRACE_INLINE(dev);
	return ___neigh_lookup_noref(tbl, tbl.key_eq, tbl.hash, pkey, dev);
}

neighbour *neigh_lookup(neigh_table &tbl, const be32 &pkey, net_device &dev)
{
	TRACE(dev);
	const bool bh_off = current.host->features.rcu_bh_output;

	++tbl.lookups;
	if (bh_off)
		local_bh_disable();
	rcu_read_lock();

	neighbour *n = __neigh_lookup_noref(tbl, pkey, dev);

	if (n) {
		if (!refcount_inc_not_zero(n->refcnt))
			n = nullptr;
		++tbl.hits;
	}
	rcu_read_unlock();
	if (bh_off)
		local_bh_enable();
	return n;
}

static neighbour *___neigh_create(neigh_table &tbl, const be32 &pkey, net_device &dev, bool exempt_from_gc,
                                  bool want_ref)
{
	TRACE(dev);
	neighbour *n = neigh_alloc(tbl, dev, exempt_from_gc);

	if (!n)
		return nullptr;

	const auto fail = [&] {
		if (!exempt_from_gc)
			--tbl.gc_entries;
		neigh_release(*n);
		return nullptr;
	};

	n->primary_key = pkey;
	n->dev = &dev;
	dev_hold(dev);
	if (tbl.constructor && tbl.constructor(*n) < 0)
		return fail();
	n->confirmed =
		jiffies() - (static_cast<u32>(NEIGH_VAR(*n->parms, NEIGH_VAR_BASE_REACHABLE_TIME)) << 1);

	_raw_write_lock_bh(tbl.lock);
	if (tbl.entries > 1u << tbl.nht.hash_shift)
		neigh_hash_grow(tbl, tbl.nht.hash_shift + 1);

	const u32 hash_val = tbl.hash(pkey, dev, tbl.nht.hash_rnd.data()) >> (32 - tbl.nht.hash_shift);

	if (n->parms->dead) {
		_raw_write_unlock_bh(tbl.lock);
		return fail();
	}
	for (neighbour *n1 = tbl.nht.hash_buckets[hash_val]; n1; n1 = n1->next) {
		if (n1->dev == &dev && n1->primary_key == pkey) { // someone was faster
			if (want_ref)
				neigh_hold(*n1);
			_raw_write_unlock_bh(tbl.lock);
			fail();
			return n1;
		}
	}
	n->dead = 0;
	if (!exempt_from_gc)
		list_add_tail(n->gc_list, tbl.gc_list);
	if (want_ref)
		neigh_hold(*n);
	n->next = tbl.nht.hash_buckets[hash_val];
	tbl.nht.hash_buckets[hash_val] = n;
	_raw_write_unlock_bh(tbl.lock);
	return n;
}

neighbour *__neigh_create(neigh_table &tbl, const be32 &pkey, net_device &dev, bool want_ref)
{
	TRACE(dev);
	return ___neigh_create(tbl, pkey, dev, false, want_ref);
}

neighbour *neigh_create(neigh_table &tbl, const be32 &pkey, net_device &dev)
{
	TRACE_INLINE(dev);
	return __neigh_create(tbl, pkey, dev, true);
}

neighbour *__neigh_lookup(neigh_table &tbl, const be32 &pkey, net_device &dev, bool creat)
{
	TRACE_INLINE(dev);
	neighbour *n = neigh_lookup(tbl, pkey, dev);

	return n || !creat ? n : neigh_create(tbl, pkey, dev);
}

// --- going ---

static void neigh_parms_put(neigh_parms &parms)
{
	TRACE_INLINE(parms.dev);
	if (refcount_dec_and_test(parms.refcnt))
		delete &parms;
}

void neigh_destroy(neighbour &n)
{
	TRACE(n.dev);
	net_device *dev = n.dev;

	assert(n.dead);
	++n.tbl->destroys;
	[[maybe_unused]] const int pending = neigh_del_timer(n);
	assert(!pending);
	_raw_write_lock_bh(n.lock);
	__skb_queue_purge(n.arp_queue);
	_raw_write_unlock_bh(n.lock);
	n.arp_queue_len_bytes = 0;
	dev_put(dev);
	if (n.parms == &n.tbl->parms) {
		[[maybe_unused]] const bool last = refcount_dec_and_test(n.parms->refcnt);
		assert(!last);
	} else {
		neigh_parms_put(*n.parms);
	}
	--n.tbl->entries;
	--neighbours->live;
	call_rcu(n.rcu, [](rcu_head *head) {
		neighbour &gone = container_of(*head, &neighbour::rcu);

		gone.~neighbour();
		kfree(&gone);
	});
}

void neigh_release(neighbour &n)
{
	TRACE_INLINE(n.dev);
	if (refcount_dec_and_test(n.refcnt))
		neigh_destroy(n);
}

static void neigh_periodic_work(delayed_work &work)
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

// --- parameters and tables ---

neigh_parms *neigh_parms_alloc(net_device &dev, neigh_table &tbl)
{
	TRACE(dev);
	auto *p = new neigh_parms;

	p->tbl = &tbl;
	p->data = tbl.parms.data;
	p->reachable_time =
		neigh_rand_reach_time(static_cast<u32>(NEIGH_VAR(*p, NEIGH_VAR_BASE_REACHABLE_TIME)));
	dev_hold(dev);
	p->dev = &dev;
	_raw_write_lock_bh(tbl.lock);
	tbl.parms_list.insert(tbl.parms_list.begin(), p);
	_raw_write_unlock_bh(tbl.lock);
	return p;
}

void neigh_parms_release(neigh_table &tbl, neigh_parms &parms)
{
	TRACE(parms.dev);
	if (&parms == &tbl.parms)
		return;
	_raw_write_lock_bh(tbl.lock);
	std::erase(tbl.parms_list, &parms);
	parms.dead = true;
	_raw_write_unlock_bh(tbl.lock);
	dev_put(parms.dev);
	call_rcu(parms.rcu, [](rcu_head *head) { neigh_parms_put(container_of(*head, &neigh_parms::rcu)); });
}

void neigh_table_init(neigh_table &tbl)
{
	TRACE();
	const u32 now = jiffies();

	tbl.parms.tbl = &tbl;
	tbl.parms.reachable_time =
		neigh_rand_reach_time(static_cast<u32>(NEIGH_VAR(tbl.parms, NEIGH_VAR_BASE_REACHABLE_TIME)));
	tbl.nht = neigh_hash_alloc(3);
	INIT_DELAYED_WORK(tbl.gc_work, neigh_periodic_work);
	queue_delayed_work(tbl.gc_work, tbl.parms.reachable_time);
	tbl.last_flush = now;
	tbl.last_rand = now + tbl.parms.reachable_time * 20;
}

void neigh_table_clear(neigh_table &tbl)
{
	TRACE();
	cancel_delayed_work_sync(tbl.gc_work);
	neigh_ifdown(tbl, nullptr);
}

} // namespace skbwalk
