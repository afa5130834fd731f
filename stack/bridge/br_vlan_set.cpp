// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_vlan.c, second part: VLANs of the bridge and of its ports come and go (`bridge vlan`). An
// entry of a port keeps one of the bridge alive, so that all of an id share counters; the bridge itself takes
// part in a VLAN only where its entry has BRENTRY. Left out: multiple spanning trees, tunnels, the messages
// to user space.
#include "stack/bridge/br_private.h"

namespace skbwalk {

namespace {

template <class Fn> void for_each_vlan(net_bridge_vlan_group &vg, Fn fn)
{
	br_for_each<net_bridge_vlan, &net_bridge_vlan::vlist>(vg.vlan_list, fn);
}
net_bridge_vlan_group &group_of(const net_bridge_vlan &v)
{
	return br_vlan_is_master(v) ? *br_vlan_group(*v.br) : *nbp_vlan_group(*v.port);
}

} // namespace

static void __vlan_add_pvid(net_bridge_vlan_group &vg, const net_bridge_vlan &v)
{
	TRACE();
	if (vg.pvid == v.vid)
		return;
	vg.pvid_state = v.state;
	vg.pvid = v.vid;
}

static void __vlan_delete_pvid(net_bridge_vlan_group &vg, u16 vid)
{
	TRACE();
	if (vg.pvid == vid)
		vg.pvid = 0;
}

// Does it change anything?
static bool __vlan_flags_update(net_bridge_vlan &v, u16 flags, bool commit)
{
	TRACE();
	net_bridge_vlan_group &vg = group_of(v);
	const bool wants_pvid = flags & BRIDGE_VLAN_INFO_PVID;
	const bool change =
		wants_pvid == (vg.pvid != v.vid) || ((flags ^ v.flags) & BRIDGE_VLAN_INFO_UNTAGGED);

	if (!commit)
		return change;
	if (wants_pvid)
		__vlan_add_pvid(vg, v);
	else
		__vlan_delete_pvid(vg, v.vid);
	v.flags = static_cast<u16>((v.flags & ~BRIDGE_VLAN_INFO_UNTAGGED) |
	                           (flags & BRIDGE_VLAN_INFO_UNTAGGED));
	return change;
}

static void __vlan_add_list(net_bridge_vlan &v)
{
	TRACE();
	list_head &head = group_of(v).vlan_list;
	list_head *after = head.prev;

	while (after != &head && container_of(*after, &net_bridge_vlan::vlist).vid > v.vid)
		after = after->prev;
	list_add(v.vlist, *after);
}

static void br_master_vlan_rcu_free(rcu_head *rcu)
{
	TRACE();
	delete &container_of(*rcu, &net_bridge_vlan::rcu);
}

static void nbp_vlan_rcu_free(rcu_head *rcu)
{
	TRACE();
	delete &container_of(*rcu, &net_bridge_vlan::rcu);
}

// The bridge's entry, made if need be, with a reference for the caller.
static net_bridge_vlan *br_vlan_get_master(net_bridge &br, u16 vid)
{
	TRACE(br.dev);
	net_bridge_vlan_group *vg = br_vlan_group(br);
	net_bridge_vlan *masterv = br_vlan_find(vg, vid);

	if (masterv) {
		refcount_inc(masterv->refcnt);
		return masterv;
	}
	bool changed;

	if (br_vlan_add(br, vid, 0, changed))
		return nullptr;
	masterv = br_vlan_find(vg, vid);
	refcount_set(masterv->refcnt, 1);
	return masterv;
}

static void br_vlan_put_master(net_bridge_vlan &masterv)
{
	TRACE(masterv.br->dev);
	if (!br_vlan_is_master(masterv))
		return;
	TRACE_PART();
	if (!refcount_dec_and_test(masterv.refcnt))
		return;
	rhashtable_remove_fast(br_vlan_group(*masterv.br)->vlan_hash, masterv);
	list_del_init(masterv.vlist);
	call_rcu(masterv.rcu, br_master_vlan_rcu_free);
}

static int __vlan_add(net_bridge_vlan &v, u16 flags)
{
	TRACE();
	net_bridge_port *p = br_vlan_is_master(v) ? nullptr : v.port;
	net_bridge &br = p ? *p->br : *v.br;
	net_device &dev = p ? *p->dev : *br.dev;
	net_bridge_vlan_group &vg = group_of(v);

	if (p) {
		if (flags & BRIDGE_VLAN_INFO_MASTER) {
			bool changed;

			if (const int err = br_vlan_add(
				    br, v.vid, static_cast<u16>(flags | BRIDGE_VLAN_INFO_BRENTRY), changed))
				return err;
		}
		v.brvlan = br_vlan_get_master(br, v.vid);
		if (!v.brvlan)
			return -ENOMEM;
	}
	if (br_vlan_should_use(v)) {
		if (const int err = br_fdb_add_local(br, p, dev.dev_addr, v.vid)) {
			if (p)
				br_vlan_put_master(*v.brvlan);
			return err;
		}
		++vg.num_vlans;
	}
	v.state = BR_STATE_FORWARDING;
	[[maybe_unused]] const int err = rhashtable_lookup_insert_fast(vg.vlan_hash, v);
	assert(!err);
	__vlan_add_list(v);
	__vlan_flags_update(v, flags, true);
	return 0;
}

namespace {

// A VLAN that nobody had; it is freed where it cannot be added.
int add_new(net_bridge_vlan *vlan, u16 flags, bool &changed)
{
	const int ret = __vlan_add(*vlan, flags);

	if (ret)
		delete vlan;
	else
		changed = true;
	return ret;
}

} // namespace

static int __vlan_del(net_bridge_vlan &v)
{
	TRACE();
	net_bridge_vlan_group &vg = group_of(v);
	net_bridge_vlan &masterv = br_vlan_is_master(v) ? v : *v.brvlan;

	__vlan_delete_pvid(vg, v.vid);
	if (br_vlan_should_use(v)) {
		v.flags = static_cast<u16>(v.flags & ~BRIDGE_VLAN_INFO_BRENTRY);
		--vg.num_vlans;
	}
	if (&masterv != &v) {
		rhashtable_remove_fast(vg.vlan_hash, v);
		list_del_init(v.vlist);
		call_rcu(v.rcu, nbp_vlan_rcu_free);
	}
	br_vlan_put_master(masterv);
	return 0;
}

static void __vlan_group_free(net_bridge_vlan_group &vg)
{
	TRACE();
	assert(list_empty(vg.vlan_list));
	rhashtable_destroy(vg.vlan_hash);
	delete &vg;
}

static void __vlan_flush(net_bridge_vlan_group &vg)
{
	TRACE();
	__vlan_delete_pvid(vg, vg.pvid);
	for_each_vlan(vg, [](net_bridge_vlan &v) { __vlan_del(v); });
}

static int br_vlan_add_existing(net_bridge &br, net_bridge_vlan_group &vg, net_bridge_vlan &vlan, u16 flags,
                                bool &changed)
{
	TRACE(br.dev);
	bool would_change = false;

	if (br_vlan_is_brentry(vlan)) {
		would_change = __vlan_flags_update(vlan, flags, false);
	} else {
		if (!(flags & BRIDGE_VLAN_INFO_BRENTRY))
			return -EINVAL;
		// It was there for the ports' sake only.
		if (const int err = br_fdb_add_local(br, nullptr, br.dev->dev_addr, vlan.vid))
			return err;
		refcount_inc(vlan.refcnt);
		vlan.flags |= BRIDGE_VLAN_INFO_BRENTRY;
		++vg.num_vlans;
		changed = true;
	}
	__vlan_flags_update(vlan, flags, true);
	if (would_change)
		changed = true;
	return 0;
}

int br_vlan_add(net_bridge &br, u16 vid, u16 flags, bool &changed)
{
	TRACE(br.dev);
	net_bridge_vlan_group *vg = br_vlan_group(br);

	changed = false;
	if (net_bridge_vlan *vlan = br_vlan_find(vg, vid))
		return br_vlan_add_existing(br, *vg, *vlan, flags, changed);
	auto *vlan = new net_bridge_vlan;

	vlan->vid = vid;
	vlan->flags = static_cast<u16>((flags | BRIDGE_VLAN_INFO_MASTER) & ~BRIDGE_VLAN_INFO_PVID);
	vlan->br = &br;
	return add_new(vlan, flags, changed);
}

int br_vlan_delete(net_bridge &br, u16 vid)
{
	TRACE(br.dev);
	net_bridge_vlan *v = br_vlan_find(br_vlan_group(br), vid);

	if (!v || !br_vlan_is_brentry(*v))
		return -ENOENT;
	br_fdb_find_delete_local(br, nullptr, br.dev->dev_addr, vid);
	br_fdb_delete_by_port(br, nullptr, vid, false);
	return __vlan_del(*v);
}

void br_vlan_flush(net_bridge &br)
{
	TRACE(br.dev);
	net_bridge_vlan_group &vg = *br_vlan_group(br);

	__vlan_flush(vg);
	br.vlgrp = nullptr;
	__vlan_group_free(vg);
}

int br_vlan_filter_toggle(net_bridge &br, bool val)
{
	TRACE(br.dev);
	if (br_opt_get(br, BROPT_VLAN_ENABLED) == val)
		return 0;
	br_opt_toggle(br, BROPT_VLAN_ENABLED, val);
	br_manage_promisc(br);
	// Bridges of providers have an address of their own, and let customers' protocols through.
	const bool provider = val && br.vlan_proto == htons(ETH_P_8021AD);

	if (!br_opt_get(br, BROPT_GROUP_ADDR_SET))
		br.group_addr[5] = provider ? 0x08 : 0x00;
	br.group_fwd_mask_required =
		provider ? static_cast<u16>(0xB801u & ~(1u << br.group_addr[5])) : BR_GROUPFWD_DEFAULT;
	return 0;
}

int br_vlan_set_proto(net_bridge &br, u16 val)
{
	TRACE(br.dev);
	if (!eth_type_vlan(htons(val)))
		return -EPROTONOSUPPORT;
	if (br.vlan_proto == htons(val))
		return 0;
	br.vlan_proto = htons(val);
	if (br_opt_get(br, BROPT_VLAN_ENABLED)) {
		br_opt_toggle(br, BROPT_VLAN_ENABLED, false);
		return br_vlan_filter_toggle(br, true);
	}
	return 0;
}

int br_vlan_set_stats(net_bridge &br, u32 val)
{
	TRACE(br.dev);
	if (val > 1)
		return -EINVAL;
	br_opt_toggle(br, BROPT_VLAN_STATS_ENABLED, val);
	return 0;
}

static bool vlan_default_pvid(net_bridge_vlan_group &vg, u16 vid)
{
	TRACE();
	if (vid != vg.pvid)
		return false;
	const net_bridge_vlan *v = br_vlan_find(&vg, vid);

	return v && br_vlan_should_use(*v) && (v->flags & BRIDGE_VLAN_INFO_UNTAGGED);
}

static void br_vlan_disable_default_pvid(net_bridge &br)
{
	TRACE(br.dev);
	const u16 pvid = br.default_pvid;

	if (vlan_default_pvid(*br_vlan_group(br), pvid))
		br_vlan_delete(br, pvid);
	for_each_port(br, [&](net_bridge_port &p) {
		if (vlan_default_pvid(*nbp_vlan_group(p), pvid))
			nbp_vlan_delete(p, pvid);
	});
	br.default_pvid = 0;
}

// Where the old default is still in place, the new one takes it.
static int __br_vlan_set_default_pvid(net_bridge &br, u16 pvid)
{
	TRACE(br.dev);
	const u16 old_pvid = br.default_pvid;
	constexpr u16 flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
	bool changed;
	int err = 0;

	if (!pvid) {
		br_vlan_disable_default_pvid(br);
		return 0;
	}
	net_bridge_vlan_group *vg = br_vlan_group(br);
	const net_bridge_vlan *pvent = br_vlan_find(vg, pvid);

	if ((!old_pvid || vlan_default_pvid(*vg, old_pvid)) && (!pvent || !br_vlan_should_use(*pvent))) {
		err = br_vlan_add(br, pvid, flags | BRIDGE_VLAN_INFO_BRENTRY, changed);
		if (err)
			return err;
		br_vlan_delete(br, old_pvid);
	}
	for_each_port(br, [&](net_bridge_port &p) {
		net_bridge_vlan_group *port_vg = nbp_vlan_group(p);

		if (err || (old_pvid && !vlan_default_pvid(*port_vg, old_pvid)) ||
		    br_vlan_find(port_vg, pvid))
			return;
		err = nbp_vlan_add(p, pvid, flags, changed);
		if (!err)
			nbp_vlan_delete(p, old_pvid);
	});
	if (!err)
		br.default_pvid = pvid;
	return err;
}

int br_vlan_set_default_pvid(net_bridge &br, u32 val)
{
	TRACE(br.dev);
	if (val >= VLAN_VID_MASK)
		return -EINVAL;
	if (val == br.default_pvid)
		return 0;
	if (br_opt_get(br, BROPT_VLAN_ENABLED))
		return -EPERM;
	return __br_vlan_set_default_pvid(br, static_cast<u16>(val));
}

int br_vlan_init(net_bridge &br)
{
	TRACE(br.dev);
	br.vlgrp = new net_bridge_vlan_group;
	rhashtable_init(br.vlgrp->vlan_hash, 4);
	br.vlan_proto = htons(ETH_P_8021Q);
	br.default_pvid = 1;
	return 0;
}

int nbp_vlan_init(net_bridge_port &p)
{
	TRACE(p.dev);
	bool changed;

	p.vlgrp = new net_bridge_vlan_group;
	rhashtable_init(p.vlgrp->vlan_hash, 4);
	if (!p.br->default_pvid)
		return 0;
	return nbp_vlan_add(p, p.br->default_pvid, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED,
	                    changed);
}

int nbp_vlan_add(net_bridge_port &port, u16 vid, u16 flags, bool &changed)
{
	TRACE(port.dev);
	changed = false;
	if (net_bridge_vlan *vlan = br_vlan_find(nbp_vlan_group(port), vid)) {
		changed = __vlan_flags_update(*vlan, flags, true);
		return 0;
	}
	auto *vlan = new net_bridge_vlan;

	vlan->vid = vid;
	vlan->port = &port;
	return add_new(vlan, flags, changed);
}

int nbp_vlan_delete(net_bridge_port &port, u16 vid)
{
	TRACE(port.dev);
	net_bridge_vlan *v = br_vlan_find(nbp_vlan_group(port), vid);

	if (!v)
		return -ENOENT;
	br_fdb_find_delete_local(*port.br, &port, port.dev->dev_addr, vid);
	br_fdb_delete_by_port(*port.br, &port, vid, false);
	return __vlan_del(*v);
}

void nbp_vlan_flush(net_bridge_port &port)
{
	TRACE(port.dev);
	net_bridge_vlan_group *vg = nbp_vlan_group(port);

	if (!vg)
		return;
	__vlan_flush(*vg);
	port.vlgrp = nullptr;
	__vlan_group_free(*vg);
}

int br_vlan_bridge_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);
	bool changed;

	if (event == NETDEV_REGISTER)
		return br_vlan_add(br, br.default_pvid,
		                   BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED |
		                           BRIDGE_VLAN_INFO_BRENTRY,
		                   changed);
	if (event == NETDEV_UNREGISTER)
		br_vlan_delete(br, br.default_pvid);
	return 0;
}

} // namespace skbwalk
