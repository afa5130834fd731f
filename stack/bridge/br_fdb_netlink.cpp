// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_fdb.c, second part: who listens is told of each entry that comes, moves or goes (fdb_notify),
// and entries are made and deleted by hand (br_fdb_add, br_fdb_delete: `bridge fdb`).
#include "stack/bridge/br_fdb_private.h"

namespace skbwalk {

u8 fdb_to_nud(const net_bridge &br, const net_bridge_fdb_entry &fdb)
{
	TRACE(br.dev);
	if (fdb.flags & BR_FDB_LOCAL)
		return NUD_PERMANENT;
	if (fdb.flags & BR_FDB_STATIC)
		return NUD_NOARP;
	return has_expired(br, fdb) ? NUD_STALE : NUD_REACHABLE;
}

static int fdb_fill_info(sk_buff &skb, const net_bridge &br, const net_bridge_fdb_entry &fdb, u32 portid,
                         u32 seq, int type, int flags)
{
	TRACE(skb, br.dev);
	constexpr u8 AF_BRIDGE_FAMILY = 7;
	const u32 now = jiffies();
	nlmsghdr *nlh = nlmsg_put(skb, portid, seq, type, sizeof(ndmsg), flags);

	if (!nlh)
		return -EMSGSIZE;
	auto &ndm = *static_cast<ndmsg *>(nlmsg_data(*nlh));

	ndm = {};
	ndm.ndm_family = AF_BRIDGE_FAMILY;
	ndm.ndm_ifindex = fdb.dst ? fdb.dst->dev->ifindex : br.dev->ifindex;
	ndm.ndm_state = fdb_to_nud(br, fdb);
	if (fdb.flags & BR_FDB_OFFLOADED)
		ndm.ndm_flags |= NTF_OFFLOADED;
	if (fdb.flags & BR_FDB_ADDED_BY_EXT_LEARN)
		ndm.ndm_flags |= NTF_EXT_LEARNED;
	if (fdb.flags & BR_FDB_STICKY)
		ndm.ndm_flags |= NTF_STICKY;

	nda_cacheinfo ci{};

	if (nla_put(skb, NDA_LLADDR, ETH_ALEN, &fdb.key.addr) ||
	    nla_put(skb, NDA_MASTER, sizeof(u32), &br.dev->ifindex)) {
		nlmsg_cancel(skb, *nlh);
		return -EMSGSIZE;
	}
	ci.ndm_used = jiffies_to_clock_t(now - fdb.used);
	ci.ndm_updated = jiffies_to_clock_t(now - fdb.updated);
	if (nla_put(skb, NDA_CACHEINFO, sizeof(ci), &ci) ||
	    (fdb.key.vlan_id && nla_put(skb, NDA_VLAN, sizeof(u16), &fdb.key.vlan_id))) {
		nlmsg_cancel(skb, *nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, *nlh);
	return 0;
}

static u32 fdb_nlmsg_size()
{
	TRACE_INLINE();
	return NLMSG_ALIGN(sizeof(ndmsg)) + nla_total_size(ETH_ALEN) + nla_total_size(sizeof(u32)) +
	       nla_total_size(sizeof(u16)) + nla_total_size(sizeof(nda_cacheinfo)) + nla_total_size(0) +
	       nla_total_size(sizeof(u8));
}

void fdb_notify(net_bridge &br, const net_bridge_fdb_entry &fdb, int type)
{
	TRACE(br.dev);
	br_switchdev_fdb_notify(br, fdb, type);
	skb_ptr skb = nlmsg_new(fdb_nlmsg_size(), GFP_ATOMIC);

	if (!skb)
		return;
	if (fdb_fill_info(*skb, br, fdb, 0, 0, type, 0) < 0) {
		kfree_skb(std::move(skb));
		return;
	}
	rtnl_notify(std::move(skb), dev_net(*br.dev), 0, RTNLGRP_NEIGH, GFP_ATOMIC);
}

static int fdb_add_entry(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u8 state, bool sticky,
                         u16 flags, u16 vid)
{
	TRACE(br.dev);
	bool modified = false;

	if (source && !(state & (NUD_PERMANENT | NUD_NOARP)) && !nbp_state_should_learn(*source))
		return -EPERM;
	if (!source && !(state & NUD_PERMANENT))
		return -EINVAL;
	if (sticky && (state & NUD_PERMANENT))
		return -EINVAL;

	net_bridge_fdb_entry *fdb = br_fdb_find(br, addr, vid);

	if (!fdb) {
		if (!(flags & NLM_F_CREATE))
			return -ENOENT;
		fdb = fdb_create(br, source, addr, vid, 0);
		if (!fdb)
			return -ENOMEM;
		modified = true;
	} else {
		if (flags & NLM_F_EXCL)
			return -EEXIST;
		if (fdb->dst != source) {
			fdb->dst = source;
			modified = true;
		}
	}
	if (fdb_to_nud(br, *fdb) != state) {
		const bool was_static = fdb->flags & BR_FDB_STATIC;

		fdb->flags &= ~(BR_FDB_LOCAL | BR_FDB_STATIC);
		if (state & NUD_PERMANENT)
			fdb->flags |= BR_FDB_LOCAL | BR_FDB_STATIC;
		else if (state & NUD_NOARP)
			fdb->flags |= BR_FDB_STATIC;
		if ((fdb->flags & BR_FDB_STATIC) && !was_static)
			fdb_add_hw_addr(br, addr);
		else if (!(fdb->flags & BR_FDB_STATIC) && was_static)
			fdb_del_hw_addr(br, addr);
		modified = true;
	}
	if (sticky != static_cast<bool>(fdb->flags & BR_FDB_STICKY)) {
		fdb->flags ^= BR_FDB_STICKY;
		modified = true;
	}
	fdb->flags |= BR_FDB_ADDED_BY_USER;
	fdb->used = jiffies();
	if (modified) {
		fdb->updated = jiffies();
		fdb_notify(br, *fdb, RTM_NEWNEIGH);
	}
	return 0;
}

static int __br_fdb_add(net_bridge &br, net_bridge_port *p, const mac_addr &addr, u8 state, bool sticky,
                        u16 flags, u16 vid)
{
	TRACE(br.dev);
	spin_lock_bh(br.hash_lock);
	const int err = fdb_add_entry(br, p, addr, state, sticky, flags, vid);

	spin_unlock_bh(br.hash_lock);
	return err;
}

namespace {

struct fdb_place {
	net_bridge *br = nullptr;
	net_bridge_port *p = nullptr;
	net_bridge_vlan_group *vg = nullptr;
};

// Where `dev` puts its entries: a port's, or the bridge's own. br is null when it is neither.
fdb_place place_of(net_device &dev)
{
	if (netif_is_bridge_master(dev)) {
		auto &br = netdev_priv<net_bridge>(dev);

		return {&br, nullptr, br_vlan_group(br)};
	}
	net_bridge_port *p = br_port_get_rtnl(dev);

	return p ? fdb_place{p->br, p, nbp_vlan_group(*p)} : fdb_place{};
}

template <class Fn> int for_each_used_vlan(net_bridge_vlan_group *vg, Fn fn)
{
	int err = 0;

	if (!vg || !vg->num_vlans)
		return 0;
	br_for_each<net_bridge_vlan, &net_bridge_vlan::vlist>(vg->vlan_list, [&](const net_bridge_vlan &v) {
		if (!err && br_vlan_should_use(v))
			err = fn(v.vid);
	});
	return err;
}

} // namespace

// Without a VLAN, the entry is made for untagged frames and for every VLAN of the device.
int br_fdb_add(net_device &dev, const mac_addr &addr, u16 vid, u8 state, bool sticky, u16 flags)
{
	TRACE(dev);
	if (!(state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)) || is_zero_ether_addr(addr))
		return -EINVAL;
	const fdb_place at = place_of(dev);

	if (!at.br)
		return -EINVAL;
	if (vid) {
		const net_bridge_vlan *v = br_vlan_find(at.vg, vid);

		if (!v || !br_vlan_should_use(*v))
			return -EINVAL;
		return __br_fdb_add(*at.br, at.p, addr, state, sticky, flags, vid);
	}
	if (const int err = __br_fdb_add(*at.br, at.p, addr, state, sticky, flags, 0))
		return err;
	return for_each_used_vlan(
		at.vg, [&](u16 id) { return __br_fdb_add(*at.br, at.p, addr, state, sticky, flags, id); });
}

static int fdb_delete_by_addr_and_port(net_bridge &br, const net_bridge_port *p, const mac_addr &addr,
                                       u16 vlan)
{
	TRACE(br.dev);
	net_bridge_fdb_entry *fdb = br_fdb_find(br, addr, vlan);

	if (!fdb || fdb->dst != p)
		return -ENOENT;
	fdb_delete(br, *fdb);
	return 0;
}

static int __br_fdb_delete(net_bridge &br, const net_bridge_port *p, const mac_addr &addr, u16 vid)
{
	TRACE(br.dev);
	spin_lock_bh(br.hash_lock);
	const int err = fdb_delete_by_addr_and_port(br, p, addr, vid);

	spin_unlock_bh(br.hash_lock);
	return err;
}

int br_fdb_delete(net_device &dev, const mac_addr &addr, u16 vid)
{
	TRACE(dev);
	const fdb_place at = place_of(dev);

	if (!at.br)
		return -EINVAL;
	if (vid) {
		const net_bridge_vlan *v = br_vlan_find(at.vg, vid);

		return v ? __br_fdb_delete(*at.br, at.p, addr, vid) : -EINVAL;
	}
	int err = __br_fdb_delete(*at.br, at.p, addr, 0) ? -ENOENT : 0;

	for_each_used_vlan(at.vg, [&](u16 id) {
		if (!__br_fdb_delete(*at.br, at.p, addr, id))
			err = 0;
		return 0;
	});
	return err;
}

} // namespace skbwalk
