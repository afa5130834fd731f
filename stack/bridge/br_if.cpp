// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_if.c: bridges come (br_add_bridge) and go (br_dev_delete), devices become their ports
// (br_add_if) and leave them (br_del_if). The bridge's MTU, features and room for headers follow its ports.
// Left out: netpoll, sysfs, speeds (a port costs 100), stacked bridges.
#include <algorithm>
#include <bitset>

#include "stack/bridge/br_private.h"
#include "stack/switchdev/switchdev.h"

namespace skbwalk {

// Ethtool's speed decides in the kernel; virtual links have none, or say 10 Gbit/s (veth).
static u32 port_cost(const net_device &dev)
{
	TRACE(dev);
	return dev.link_kind == "veth" ? 2 : 100;
}

void br_port_carrier_check(net_bridge_port &p, bool &notified)
{
	TRACE(p.dev);
	net_device &dev = *p.dev;
	net_bridge &br = *p.br;

	if (!(p.flags & BR_ADMIN_COST) && netif_running(dev) && netif_oper_up(dev))
		p.path_cost = port_cost(dev);
	notified = false;
	if (!netif_running(*br.dev))
		return;

	spin_lock_bh(br.lock);
	if (netif_running(dev) && netif_oper_up(dev)) {
		if (p.state == BR_STATE_DISABLED) {
			br_stp_enable_port(p);
			notified = true;
		}
	} else if (p.state != BR_STATE_DISABLED) {
		br_stp_disable_port(p);
		notified = true;
	}
	spin_unlock_bh(br.lock);
}

// --- promiscuous ports ---

static void br_port_set_promisc(net_bridge_port &p)
{
	TRACE(p.dev);
	if (br_promisc_port(p) || dev_set_promiscuity(*p.dev, 1))
		return;
	br_fdb_unsync_static(*p.br, p);
	p.flags |= BR_PROMISC;
}

// Only a device that filters by address needs to know which ones.
static void br_port_clear_promisc(net_bridge_port &p)
{
	TRACE(p.dev);
	if (!br_promisc_port(p) || !(p.dev->priv_flags & IFF_UNICAST_FLT))
		return;
	if (br_fdb_sync_static(*p.br, p))
		return;
	dev_set_promiscuity(*p.dev, -1);
	p.flags &= ~BR_PROMISC;
}

// With VLAN filtering and at most one port that learns or is flooded to, what each port is to receive is
// known from the static entries; else all ports receive all.
void br_manage_promisc(net_bridge &br)
{
	TRACE(br.dev);
	const bool set_all = (br.dev->flags & IFF_PROMISC) || !br_vlan_enabled(*br.dev);

	for_each_port(br, [&](net_bridge_port &p) {
		if (!set_all && (p.dev->priv_flags & IFF_UNICAST_FLT) &&
		    (br.auto_cnt == 0 || (br.auto_cnt == 1 && br_auto_port(p))))
			br_port_clear_promisc(p);
		else
			br_port_set_promisc(p);
	});
}

// --- a port that stands in for another ---

int nbp_backup_change(net_bridge_port &p, net_device *backup_dev)
{
	TRACE(p.dev);
	net_bridge_port *backup_p = nullptr;

	if (backup_dev) {
		backup_p = br_port_get_rtnl(*backup_dev);
		if (!backup_p)
			return -ENOENT;
		if (backup_p->br != p.br || backup_p == &p)
			return -EINVAL;
	}
	if (p.backup_port == backup_p)
		return 0;
	if (p.backup_port)
		--p.backup_port->backup_redirected_cnt;
	if (backup_p)
		++backup_p->backup_redirected_cnt;
	p.backup_port = backup_p;
	return 0;
}

static void nbp_backup_clear(net_bridge_port &p)
{
	TRACE(p.dev);
	nbp_backup_change(p, nullptr);
	if (p.backup_redirected_cnt) {
		for_each_port(*p.br, [&](net_bridge_port &cur_p) {
			if (cur_p.backup_port == &p)
				nbp_backup_change(cur_p, nullptr);
		});
	}
	assert(!p.backup_port && !p.backup_redirected_cnt);
}

static void nbp_update_port_count(net_bridge &br)
{
	TRACE(br.dev);
	u32 cnt = 0;

	for_each_port(br, [&](const net_bridge_port &p) { cnt += br_auto_port(p); });
	if (br.auto_cnt != cnt) {
		br.auto_cnt = cnt;
		br_manage_promisc(br);
	}
}

static void nbp_delete_promisc(net_bridge_port &p)
{
	TRACE(p.dev);
	dev_set_allmulti(*p.dev, -1);
	if (br_promisc_port(p))
		dev_set_promiscuity(*p.dev, -1);
	else
		br_fdb_unsync_static(*p.br, p);
}

static void destroy_nbp_rcu(rcu_head *head)
{
	TRACE();
	net_bridge_port &p = container_of(*head, &net_bridge_port::rcu);

	dev_put(p.dev);
	delete &p;
}

// --- room for headers ---

static u32 netdev_get_fwd_headroom(const net_device &dev)
{
	TRACE_INLINE(dev);
	return dev.priv_flags & IFF_PHONY_HEADROOM ? 0 : dev.needed_headroom;
}

static void netdev_set_rx_headroom(net_device &dev, int new_hr)
{
	TRACE_INLINE(dev);
	if (dev.netdev_ops->ndo_set_rx_headroom)
		dev.netdev_ops->ndo_set_rx_headroom(dev, new_hr);
}

static u32 get_max_headroom(net_bridge &br)
{
	TRACE(br.dev);
	u32 max_headroom = 0;

	for_each_port(br, [&](const net_bridge_port &p) {
		max_headroom = std::max(max_headroom, netdev_get_fwd_headroom(*p.dev));
	});
	return max_headroom;
}

static void update_headroom(net_bridge &br, u32 new_hr)
{
	TRACE(br.dev);
	for_each_port(br, [&](const net_bridge_port &p) {
		netdev_set_rx_headroom(*p.dev, static_cast<int>(new_hr));
	});
	br.dev->needed_headroom = static_cast<u16>(new_hr);
}

// --- ports and bridges ---

static void del_nbp(net_bridge_port &p)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;
	net_device &dev = *p.dev;

	nbp_delete_promisc(p);
	spin_lock_bh(br.lock);
	br_stp_disable_port(p);
	spin_unlock_bh(br.lock);
	br_ifinfo_notify(RTM_DELLINK, nullptr, &p);

	list_del_init(p.list);
	if (netdev_get_fwd_headroom(dev) == br.dev->needed_headroom)
		update_headroom(br, get_max_headroom(br));
	netdev_set_rx_headroom(dev, -1);
	nbp_vlan_flush(p);
	br_fdb_delete_by_port(br, &p, 0, true);
	switchdev_deferred_process();
	nbp_backup_clear(p);
	nbp_update_port_count(br);
	netdev_upper_dev_unlink(dev, *br.dev);
	dev.priv_flags &= ~IFF_BRIDGE_PORT;
	netdev_rx_handler_unregister(dev);
	br_multicast_del_port(p);
	call_rcu(p.rcu, destroy_nbp_rcu);
}

void br_dev_delete(net_device &dev)
{
	TRACE(dev);
	net_bridge &br = netdev_priv<net_bridge>(dev);

	for_each_port(br, [](net_bridge_port &p) { del_nbp(p); });
	br_recalculate_neigh_suppress_enabled(br);
	br_fdb_delete_by_port(br, nullptr, 0, true);
	del_timer_sync(br.hello_timer);
	del_timer_sync(br.topology_change_timer);
	del_timer_sync(br.tcn_timer);
	cancel_delayed_work_sync(br.gc_work);
	unregister_netdevice(dev);
	// Unlike the kernel, at once and not in the worker, which at the end of a host does not come any
	// more.
	switchdev_deferred_process();
}

static int find_portno(net_bridge &br)
{
	TRACE(br.dev);
	std::bitset<BR_MAX_PORTS> inuse;

	inuse.set(0); // no port's
	for_each_port(br, [&](const net_bridge_port &p) { inuse.set(p.port_no); });
	for (u32 i = 0; i < BR_MAX_PORTS; ++i)
		if (!inuse[i])
			return static_cast<int>(i);
	return -EXFULL;
}

static net_bridge_port *new_nbp(net_bridge &br, net_device &dev, int &err)
{
	TRACE(dev);
	const int index = find_portno(br);

	if (index < 0) {
		err = index;
		return nullptr;
	}
	auto *p = new net_bridge_port;

	p->br = &br;
	dev_hold(dev);
	p->dev = &dev;
	p->path_cost = port_cost(dev);
	p->priority = 0x8000 >> BR_PORT_BITS;
	p->port_no = static_cast<u16>(index);
	p->flags = BR_LEARNING | BR_FLOOD | BR_MCAST_FLOOD | BR_BCAST_FLOOD;
	br_init_port(*p);
	br_set_state(*p, BR_STATE_DISABLED);
	br_stp_port_timer_init(*p);
	err = br_multicast_add_port(*p);
	if (err) {
		dev_put(&dev);
		delete p;
		return nullptr;
	}
	return p;
}

int br_add_bridge(net &net, const std::string &name)
{
	TRACE();
	net_device *dev = alloc_netdev(net, name, br_dev_setup, 1);
	const int res = register_netdevice(*dev);

	if (res)
		free_netdev(*dev);
	return res;
}

int br_del_bridge(net &net, const std::string &name)
{
	TRACE();
	net_device *dev = __dev_get_by_name(net, name);

	if (!dev)
		return -ENXIO;
	if (!netif_is_bridge_master(*dev))
		return -EPERM;
	if (dev->flags & IFF_UP)
		return -EBUSY;
	br_dev_delete(*dev);
	return 0;
}

static u32 br_mtu_min(net_bridge &br)
{
	TRACE(br.dev);
	u32 ret_mtu = 0;

	for_each_port(br, [&](const net_bridge_port &p) {
		if (!ret_mtu || ret_mtu > p.dev->mtu)
			ret_mtu = p.dev->mtu;
	});
	return ret_mtu ? ret_mtu : ETH_DATA_LEN;
}

void br_mtu_auto_adjust(net_bridge &br)
{
	TRACE(br.dev);
	if (br_opt_get(br, BROPT_MTU_SET_BY_USER))
		return;
	dev_set_mtu(*br.dev, br_mtu_min(br));
	br_opt_toggle(br, BROPT_MTU_SET_BY_USER, false);
}

static void br_set_gso_limits(net_bridge &br)
{
	TRACE(br.dev);
	u32 tso_max_size = GSO_MAX_SIZE;

	for_each_port(br, [&](const net_bridge_port &p) {
		tso_max_size = std::min(tso_max_size, p.dev->tso_max_size);
	});
	netif_set_tso_max_size(*br.dev, tso_max_size);
}

netdev_features_t br_features_recompute(net_bridge &br, netdev_features_t features)
{
	TRACE(br.dev);
	constexpr netdev_features_t one_for_all = NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ROBUST | NETIF_F_SG |
	                                          NETIF_F_HIGHDMA | NETIF_F_FRAGLIST |
	                                          NETIF_F_VLAN_CHALLENGED;
	const netdev_features_t mask = features;

	if (list_empty(br.port_list))
		return features;
	features &= ~one_for_all;
	for_each_port(br, [&](const net_bridge_port &p) {
		features = netdev_increment_features(features, p.dev->features, mask);
	});
	// Segments can be cut here when no port does it.
	return netdev_increment_features(features, NETIF_F_ALL_TSO, mask);
}

namespace {

// As far as it came: what br_add_if undoes when the rest fails.
int undo_add(net_bridge &br, net_bridge_port &p, int err)
{
	net_device &dev = *p.dev;

	if (!list_empty(p.list)) {
		list_del_init(p.list);
		br_fdb_delete_by_port(br, &p, 0, true);
		nbp_update_port_count(br);
		netdev_upper_dev_unlink(dev, *br.dev);
	}
	dev.priv_flags &= ~IFF_BRIDGE_PORT;
	if (dev.rx_handler_data == &p)
		netdev_rx_handler_unregister(dev);
	br_multicast_del_port(p);
	dev_set_allmulti(dev, -1);
	call_rcu(p.rcu, destroy_nbp_rcu);
	return err;
}

} // namespace

int br_add_if(net_bridge &br, net_device &dev)
{
	TRACE(dev);
	int err = 0;

	if ((dev.flags & IFF_LOOPBACK) || dev.type != ARPHRD_ETHER || dev.addr_len != ETH_ALEN ||
	    !is_valid_ether_addr(dev.dev_addr))
		return -EINVAL;
	if (dev.netdev_ops->ndo_start_xmit == br_dev_xmit)
		return -ELOOP;
	if (netdev_master_upper_dev_get(dev))
		return -EBUSY;
	if (dev.priv_flags & IFF_DONT_BRIDGE)
		return -EOPNOTSUPP;

	net_bridge_port *p = new_nbp(br, dev, err);

	if (!p)
		return err;
	call_netdevice_notifiers(NETDEV_JOIN, dev);
	err = dev_set_allmulti(dev, 1);
	if (err) {
		br_multicast_del_port(*p);
		dev_put(&dev);
		delete p;
		return err;
	}
	err = netdev_rx_handler_register(dev, br_get_rx_handler(dev), p);
	if (err)
		return undo_add(br, *p, err);
	dev.priv_flags |= IFF_BRIDGE_PORT;
	err = netdev_master_upper_dev_link(dev, *br.dev);
	if (err)
		return undo_add(br, *p, err);

	list_add(p->list, br.port_list);
	nbp_update_port_count(br);
	if (!br_promisc_port(*p) && (dev.priv_flags & IFF_UNICAST_FLT))
		br_fdb_sync_static(br, *p);
	netdev_update_features(*br.dev);

	const u32 br_hr = br.dev->needed_headroom, dev_hr = netdev_get_fwd_headroom(dev);

	if (br_hr < dev_hr)
		update_headroom(br, dev_hr);
	else
		netdev_set_rx_headroom(dev, static_cast<int>(br_hr));
	br_fdb_add_local(br, p, dev.dev_addr, 0);
	// The address may become the bridge's.
	if (br.dev->addr_assign_type != NET_ADDR_SET) {
		err = dev_pre_changeaddr_notify(*br.dev, dev.dev_addr);
		if (err)
			return undo_add(br, *p, err);
	}
	err = nbp_vlan_init(*p);
	if (err)
		return undo_add(br, *p, err);

	spin_lock_bh(br.lock);
	const bool changed_addr = br_stp_recalculate_bridge_id(br);

	if (netif_running(dev) && netif_oper_up(dev) && (br.dev->flags & IFF_UP))
		br_stp_enable_port(*p);
	spin_unlock_bh(br.lock);
	br_ifinfo_notify(RTM_NEWLINK, nullptr, p);
	if (changed_addr)
		call_netdevice_notifiers(NETDEV_CHANGEADDR, *br.dev);
	br_mtu_auto_adjust(br);
	br_set_gso_limits(br);
	return 0;
}

int br_del_if(net_bridge &br, net_device &dev)
{
	TRACE(dev);
	net_bridge_port *p = br_port_get_rtnl(dev);

	if (!p || p->br != &br)
		return -EINVAL;
	del_nbp(*p);
	br_mtu_auto_adjust(br);
	br_set_gso_limits(br);

	spin_lock_bh(br.lock);
	const bool changed_addr = br_stp_recalculate_bridge_id(br);

	spin_unlock_bh(br.lock);
	if (changed_addr)
		call_netdevice_notifiers(NETDEV_CHANGEADDR, *br.dev);
	netdev_update_features(*br.dev);
	return 0;
}

void br_port_flags_change(net_bridge_port &p, u32 mask)
{
	TRACE(p.dev);
	if (mask & BR_AUTO_MASK)
		nbp_update_port_count(*p.br);
	if (mask & BR_NEIGH_SUPPRESS)
		br_recalculate_neigh_suppress_enabled(*p.br);
}

} // namespace skbwalk
