// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_fdb.c, first part: the forwarding database. br_fdb_update learns that an address is behind a
// port, br_fdb_find_rcu says behind which one, br_fdb_cleanup, a work that comes back when the oldest entry
// is due, forgets what was not heard of for the ageing time. The addresses of ports and of the bridge itself
// stand in it as local entries that do not age. br_fdb_netlink.cpp has entries made by hand, and who is told.
// Left out: entries that a switch learned, activity notifications.
#include "stack/bridge/br_fdb_private.h"

#include <algorithm>
#include <new>
#include <vector>

#include "stack/core/dev_addr_lists.h"

namespace skbwalk {

namespace {

struct fdb_host {
	kmem_cache *cache = nullptr;
};
perhost<fdb_host> br_fdb;

template <class Fn> void for_each_entry(net_bridge &br, Fn fn)
{
	br_for_each<net_bridge_fdb_entry, &net_bridge_fdb_entry::fdb_node>(br.fdb_list, fn);
}
template <class Fn> void for_each_vlan(net_bridge_vlan_group &vg, Fn fn)
{
	br_for_each<net_bridge_vlan, &net_bridge_vlan::vlist>(vg.vlan_list, fn);
}

} // namespace

void br_fdb_init()
{
	TRACE();
	br_fdb->cache = &kmem_cache_create("bridge_fdb_cache", sizeof(net_bridge_fdb_entry), 64);
}

int br_fdb_hash_init(net_bridge &br)
{
	TRACE(br.dev);
	rhashtable_init(br.fdb_hash_tbl);
	return 0;
}

void br_fdb_hash_fini(net_bridge &br)
{
	TRACE(br.dev);
	rhashtable_destroy(br.fdb_hash_tbl);
}

// While the tree changes, what was learned is trusted no longer than a port takes to start forwarding.
static u32 hold_time(const net_bridge &br)
{
	TRACE_INLINE();
	return br.topology_change ? br.forward_delay : br.ageing_time;
}

bool has_expired(const net_bridge &br, const net_bridge_fdb_entry &fdb)
{
	TRACE_INLINE();
	return !(fdb.flags & (BR_FDB_STATIC | BR_FDB_ADDED_BY_EXT_LEARN)) &&
	       time_before_eq(fdb.updated + hold_time(br), jiffies());
}

static void fdb_rcu_free(rcu_head *head)
{
	TRACE();
	kmem_cache_free(*br_fdb->cache, &container_of(*head, &net_bridge_fdb_entry::rcu));
}

static net_bridge_fdb_entry *fdb_find_rcu(net_bridge &br, const mac_addr &addr, u16 vid)
{
	TRACE();
	return rhashtable_lookup(br.fdb_hash_tbl, net_bridge_fdb_key{addr, vid});
}

net_bridge_fdb_entry *br_fdb_find(net_bridge &br, const mac_addr &addr, u16 vid)
{
	TRACE();
	assert(spin_is_locked(br.hash_lock));
	return fdb_find_rcu(br, addr, vid);
}

net_bridge_fdb_entry *br_fdb_find_rcu(net_bridge &br, const mac_addr &addr, u16 vid)
{
	TRACE();
	return fdb_find_rcu(br, addr, vid);
}

// --- ports that filter by address are told the static ones ---

void fdb_add_hw_addr(net_bridge &br, const mac_addr &addr)
{
	TRACE(br.dev);
	std::vector<net_device *> told;
	bool failed = false;

	for_each_port(br, [&](const net_bridge_port &p) {
		if (failed || br_promisc_port(p))
			return;
		failed = dev_uc_add(*p.dev, addr) != 0;
		if (!failed)
			told.push_back(p.dev);
	});
	if (failed)
		for (auto dev = told.rbegin(); dev != told.rend(); ++dev)
			dev_uc_del(**dev, addr);
}

void fdb_del_hw_addr(net_bridge &br, const mac_addr &addr)
{
	TRACE(br.dev);
	for_each_port(br, [&addr](const net_bridge_port &p) {
		if (!br_promisc_port(p))
			dev_uc_del(*p.dev, addr);
	});
}

namespace {

// Of the bridge's static entries, until fn says false; that one, or null.
template <class Fn> const net_bridge_fdb_entry *each_static(const net_bridge &br, Fn fn)
{
	for (list_head *at = br.fdb_list.next; at != &br.fdb_list; at = at->next) {
		const net_bridge_fdb_entry &f = list_entry(*at, &net_bridge_fdb_entry::fdb_node);

		if ((f.flags & BR_FDB_STATIC) && !fn(f))
			return &f;
	}
	return nullptr;
}

} // namespace

int br_fdb_sync_static(net_bridge &br, net_bridge_port &p)
{
	TRACE(p.dev);
	int err = 0;

	rcu_read_lock();
	const net_bridge_fdb_entry *const failed = each_static(br, [&](const net_bridge_fdb_entry &f) {
		err = dev_uc_add(*p.dev, f.key.addr);
		return !err;
	});
	if (failed)
		each_static(br, [&](const net_bridge_fdb_entry &f) {
			return &f != failed && (dev_uc_del(*p.dev, f.key.addr), true);
		});
	rcu_read_unlock();
	return err;
}

void br_fdb_unsync_static(net_bridge &br, net_bridge_port &p)
{
	TRACE(p.dev);
	rcu_read_lock();
	each_static(br, [&](const net_bridge_fdb_entry &f) {
		dev_uc_del(*p.dev, f.key.addr);
		return true;
	});
	rcu_read_unlock();
}

// --- entries come and go ---

void fdb_delete(net_bridge &br, net_bridge_fdb_entry &f)
{
	TRACE(br.dev);
	if (f.flags & BR_FDB_STATIC)
		fdb_del_hw_addr(br, f.key.addr);
	list_del_init(f.fdb_node);
	rhashtable_remove_fast(br.fdb_hash_tbl, f);
	fdb_notify(br, f, RTM_DELNEIGH);
	call_rcu(f.rcu, fdb_rcu_free);
}

// The address may be another port's too, or the bridge's: then the entry goes on as that one's.
static void fdb_delete_local(net_bridge &br, const net_bridge_port *p, net_bridge_fdb_entry &f)
{
	TRACE(br.dev);
	const mac_addr addr = f.key.addr;
	const u16 vid = f.key.vlan_id;
	net_bridge_port *other = nullptr;

	for_each_port(br, [&](net_bridge_port &op) {
		if (!other && &op != p && ether_addr_equal(op.dev->dev_addr, addr) &&
		    (!vid || br_vlan_find(nbp_vlan_group(op), vid)))
			other = &op;
	});
	if (other) {
		f.dst = other;
		f.flags &= ~BR_FDB_ADDED_BY_USER;
		return;
	}
	const net_bridge_vlan *v = br_vlan_find(br_vlan_group(br), vid);

	if (p && ether_addr_equal(br.dev->dev_addr, addr) && (!vid || (v && br_vlan_should_use(*v)))) {
		f.dst = nullptr;
		f.flags &= ~BR_FDB_ADDED_BY_USER;
		return;
	}
	fdb_delete(br, f);
}

void br_fdb_find_delete_local(net_bridge &br, const net_bridge_port *p, const mac_addr &addr, u16 vid)
{
	TRACE(br.dev);
	spin_lock_bh(br.hash_lock);
	net_bridge_fdb_entry *f = br_fdb_find(br, addr, vid);

	if (f && (f->flags & BR_FDB_LOCAL) && !(f->flags & BR_FDB_ADDED_BY_USER) && f->dst == p)
		fdb_delete_local(br, p, *f);
	spin_unlock_bh(br.hash_lock);
}

net_bridge_fdb_entry *fdb_create(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u16 vid,
                                 u32 flags)
{
	TRACE(br.dev);
	void *memory = kmem_cache_alloc(*br_fdb->cache, GFP_ATOMIC);

	if (!memory)
		return nullptr;
	auto *fdb = ::new (memory) net_bridge_fdb_entry;

	fdb->key = {addr, vid};
	fdb->dst = source;
	fdb->flags = flags;
	fdb->updated = fdb->used = jiffies();
	if (rhashtable_lookup_insert_fast(br.fdb_hash_tbl, *fdb)) {
		kmem_cache_free(*br_fdb->cache, fdb);
		return nullptr;
	}
	list_add(fdb->fdb_node, br.fdb_list);
	return fdb;
}

static int fdb_add_local(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u16 vid)
{
	TRACE(br.dev);
	if (!is_valid_ether_addr(addr))
		return -EINVAL;
	if (net_bridge_fdb_entry *fdb = br_fdb_find(br, addr, vid)) {
		if (fdb->flags & BR_FDB_LOCAL) // ports may share an address: the first one's entry
			return 0;
		fdb_delete(br, *fdb);
	}
	net_bridge_fdb_entry *fdb = fdb_create(br, source, addr, vid, BR_FDB_LOCAL | BR_FDB_STATIC);

	if (!fdb)
		return -ENOMEM;
	fdb_add_hw_addr(br, addr);
	fdb_notify(br, *fdb, RTM_NEWNEIGH);
	return 0;
}

int br_fdb_add_local(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u16 vid)
{
	TRACE(br.dev);
	spin_lock_bh(br.hash_lock);
	const int ret = fdb_add_local(br, source, addr, vid);

	spin_unlock_bh(br.hash_lock);
	return ret;
}

void br_fdb_changeaddr(net_bridge_port &p, const mac_addr &newaddr)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;

	spin_lock_bh(br.hash_lock);
	net_bridge_vlan_group *vg = nbp_vlan_group(p);

	for_each_entry(br, [&](net_bridge_fdb_entry &f) {
		if (f.dst == &p && (f.flags & BR_FDB_LOCAL) && !(f.flags & BR_FDB_ADDED_BY_USER))
			fdb_delete_local(br, &p, f);
	});
	fdb_add_local(br, &p, newaddr, 0);
	if (vg && vg->num_vlans)
		for_each_vlan(*vg, [&](const net_bridge_vlan &v) { fdb_add_local(br, &p, newaddr, v.vid); });
	spin_unlock_bh(br.hash_lock);
}

void br_fdb_change_mac_address(net_bridge &br, const mac_addr &newaddr)
{
	TRACE(br.dev);
	const auto change = [&](u16 vid) {
		net_bridge_fdb_entry *f = br_fdb_find(br, br.dev->dev_addr, vid);

		if (f && (f->flags & BR_FDB_LOCAL) && !f->dst && !(f->flags & BR_FDB_ADDED_BY_USER))
			fdb_delete_local(br, nullptr, *f);
		fdb_add_local(br, nullptr, newaddr, vid);
	};

	spin_lock_bh(br.hash_lock);
	change(0);
	net_bridge_vlan_group *vg = br_vlan_group(br);

	if (vg && vg->num_vlans) {
		for_each_vlan(*vg, [&](const net_bridge_vlan &v) {
			if (br_vlan_should_use(v))
				change(v.vid);
		});
	}
	spin_unlock_bh(br.hash_lock);
}

void br_fdb_cleanup(delayed_work &work)
{
	TRACE();
	net_bridge &br = container_of(work, &net_bridge::gc_work);
	const u32 delay = hold_time(br), now = jiffies();
	u32 work_delay = delay;

	rcu_read_lock();
	for_each_entry(br, [&](net_bridge_fdb_entry &f) {
		const u32 this_timer = f.updated + delay;

		if (f.flags & (BR_FDB_STATIC | BR_FDB_ADDED_BY_EXT_LEARN))
			return;
		if (time_after(this_timer, now)) {
			work_delay = std::min(work_delay, this_timer - now);
			return;
		}
		spin_lock_bh(br.hash_lock);
		if (!list_empty(f.fdb_node))
			fdb_delete(br, f);
		spin_unlock_bh(br.hash_lock);
	});
	rcu_read_unlock();
	mod_delayed_work(br.gc_work, std::max(work_delay, msecs_to_jiffies(10)));
}

// With a port, only its entries; with a VLAN, only that one's; of the flags in the mask, only with these
// values.
void br_fdb_flush(net_bridge &br, const net_bridge_port *p, u16 vid, u32 flags, u32 flags_mask)
{
	TRACE(br.dev);
	rcu_read_lock();
	for_each_entry(br, [&](net_bridge_fdb_entry &f) {
		if ((vid && vid != f.key.vlan_id) || (p && f.dst != p) || (f.flags & flags_mask) != flags)
			return;
		spin_lock_bh(br.hash_lock);
		if (!list_empty(f.fdb_node))
			fdb_delete(br, f);
		spin_unlock_bh(br.hash_lock);
	});
	rcu_read_unlock();
}

void br_fdb_delete_by_port(net_bridge &br, const net_bridge_port *p, u16 vid, bool do_all)
{
	TRACE(br.dev);
	spin_lock_bh(br.hash_lock);
	for_each_entry(br, [&](net_bridge_fdb_entry &f) {
		if (f.dst != p)
			return;
		if (!do_all && ((f.flags & BR_FDB_STATIC) ||
		                ((f.flags & BR_FDB_ADDED_BY_EXT_LEARN) && !(f.flags & BR_FDB_OFFLOADED)) ||
		                (vid && f.key.vlan_id != vid)))
			return;
		if (f.flags & BR_FDB_LOCAL)
			fdb_delete_local(br, p, f);
		else
			fdb_delete(br, f);
	});
	spin_unlock_bh(br.hash_lock);
}

// --- learning ---

void br_fdb_update(net_bridge &br, net_bridge_port &source, const mac_addr &addr, u16 vid, u32 flags)
{
	TRACE(source.dev);
	if (hold_time(br) == 0) // everything is flooded, on purpose
		return;
	net_bridge_fdb_entry *fdb = fdb_find_rcu(br, addr, vid);

	if (!fdb) {
		spin_lock(br.hash_lock);
		fdb = fdb_create(br, &source, addr, vid, flags);
		if (fdb)
			fdb_notify(br, *fdb, RTM_NEWNEIGH);
		spin_unlock(br.hash_lock);
		return;
	}
	// Our own address came back: a loop, or a liar.
	if (fdb->flags & BR_FDB_LOCAL)
		return;
	bool fdb_modified = false;

	fdb->updated = jiffies();
	if (fdb->dst != &source && !(fdb->flags & BR_FDB_STICKY)) { // it moved
		br_switchdev_fdb_notify(br, *fdb, RTM_DELNEIGH);
		fdb->dst = &source;
		fdb_modified = true;
		fdb->flags &= ~BR_FDB_ADDED_BY_EXT_LEARN;
	}
	fdb->flags |= flags & BR_FDB_ADDED_BY_USER;
	if (fdb_modified)
		fdb_notify(br, *fdb, RTM_NEWNEIGH);
}

} // namespace skbwalk
