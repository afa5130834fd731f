// SPDX-License-Identifier: GPL-2.0-only
//
// The tables of net/core/neighbour.c. An entry is looked up by address and device (neigh_lookup) and made
// when there is none (___neigh_create, which also grows the hash). Each device has its own neigh_parms. Left
// out: proxy entries, managed and externally learned entries.
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

u32 neigh_rand_reach_time(u32 base)
{
	TRACE();
	return base ? prandom_u32_max(base) + (base >> 1) : 0;
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

	// The constructor may have changed the key (on lo, any address is 0).
	const u32 hash_val =
		tbl.hash(n->primary_key, dev, tbl.nht.hash_rnd.data()) >> (32 - tbl.nht.hash_shift);

	if (n->parms->dead) {
		_raw_write_unlock_bh(tbl.lock);
		return fail();
	}
	for (neighbour *n1 = tbl.nht.hash_buckets[hash_val]; n1; n1 = n1->next) {
		if (n1->dev == &dev && n1->primary_key == n->primary_key) { // someone was faster
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
