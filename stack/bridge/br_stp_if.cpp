// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_stp_if.c: how the spanning tree starts and stops with the bridge and its ports, and what of
// it can be set. Without a tree the same functions run; ports then forward at once. Left out: a tree in user
// space (br_stp_call_user: there is no /sbin/bridge-stp), switch ports.
#include "stack/bridge/br_private_stp.h"

namespace skbwalk {

namespace {
constexpr u32 BR_MAX_PORT_PRIORITY = 0xffff >> BR_PORT_BITS;
} // namespace

static port_id br_make_port_id(u8 priority, u16 port_no)
{
	TRACE_INLINE();
	return static_cast<port_id>(priority << BR_PORT_BITS | (port_no & (BR_MAX_PORTS - 1)));
}

void br_init_port(net_bridge_port &p)
{
	TRACE(p.dev);
	p.port_id = br_make_port_id(p.priority, p.port_no);
	br_become_designated_port(p);
	br_set_state(p, BR_STATE_BLOCKING);
	p.topology_change_ack = false;
	p.config_pending = false;
}

void br_stp_enable_bridge(net_bridge &br)
{
	TRACE(br.dev);
	spin_lock_bh(br.lock);
	if (br.stp_enabled == BR_KERNEL_STP)
		mod_timer(br.hello_timer, jiffies() + br.hello_time);
	mod_delayed_work(br.gc_work, HZ / 10);
	br_config_bpdu_generation(br);
	for_each_port(br, [](net_bridge_port &p) {
		if (netif_running(*p.dev) && netif_oper_up(*p.dev))
			br_stp_enable_port(p);
	});
	spin_unlock_bh(br.lock);
}

void br_stp_disable_bridge(net_bridge &br)
{
	TRACE(br.dev);
	spin_lock_bh(br.lock);
	for_each_port(br, [](net_bridge_port &p) {
		if (p.state != BR_STATE_DISABLED)
			br_stp_disable_port(p);
	});
	__br_set_topology_change(br, false);
	br.topology_change_detected = false;
	spin_unlock_bh(br.lock);
	del_timer_sync(br.hello_timer);
	del_timer_sync(br.topology_change_timer);
	del_timer_sync(br.tcn_timer);
	cancel_delayed_work_sync(br.gc_work);
}

void br_stp_enable_port(net_bridge_port &p)
{
	TRACE(p.dev);
	br_init_port(p);
	br_port_state_selection(*p.br);
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
}

void br_stp_disable_port(net_bridge_port &p)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;
	const bool wasroot = br_is_root_bridge(br);

	br_become_designated_port(p);
	br_set_state(p, BR_STATE_DISABLED);
	p.topology_change_ack = false;
	p.config_pending = false;
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
	del_timer(p.message_age_timer);
	del_timer(p.forward_delay_timer);
	del_timer(p.hold_timer);
	if (!p.backup_port)
		br_fdb_delete_by_port(br, &p, 0, false);
	br_multicast_disable_port(p);
	br_configuration_update(br);
	br_port_state_selection(br);
	if (br_is_root_bridge(br) && !wasroot)
		br_become_root_bridge(br);
}

static void br_stp_start(net_bridge &br)
{
	TRACE(br.dev);
	spin_lock_bh(br.lock);
	if (br.bridge_forward_delay < BR_MIN_FORWARD_DELAY)
		__br_set_forward_delay(br, BR_MIN_FORWARD_DELAY);
	else if (br.bridge_forward_delay > BR_MAX_FORWARD_DELAY)
		__br_set_forward_delay(br, BR_MAX_FORWARD_DELAY);
	br.stp_enabled = BR_KERNEL_STP;
	if (br.dev->flags & IFF_UP)
		mod_timer(br.hello_timer, jiffies() + br.hello_time);
	br_port_state_selection(br);
	spin_unlock_bh(br.lock);
}

static void br_stp_stop(net_bridge &br)
{
	TRACE(br.dev);
	br.stp_enabled = BR_NO_STP;
}

int br_stp_set_enabled(net_bridge &br, bool val)
{
	TRACE(br.dev);
	if (val && br.stp_enabled == BR_NO_STP)
		br_stp_start(br);
	else if (!val && br.stp_enabled != BR_NO_STP)
		br_stp_stop(br);
	return 0;
}

void br_stp_change_bridge_id(net_bridge &br, const mac_addr &addr)
{
	TRACE(br.dev);
	const bool wasroot = br_is_root_bridge(br);
	const mac_addr new_addr = addr; // it may be one of those that change

	br_fdb_change_mac_address(br, new_addr);
	const mac_addr oldaddr = br.bridge_id.addr;

	br.bridge_id.addr = new_addr;
	eth_hw_addr_set(*br.dev, new_addr);
	for_each_port(br, [&](net_bridge_port &p) {
		if (ether_addr_equal(p.designated_bridge.addr, oldaddr))
			p.designated_bridge.addr = new_addr;
		if (ether_addr_equal(p.designated_root.addr, oldaddr))
			p.designated_root.addr = new_addr;
	});
	br_configuration_update(br);
	br_port_state_selection(br);
	if (br_is_root_bridge(br) && !wasroot)
		br_become_root_bridge(br);
}

// The bridge has the lowest of its ports' addresses, unless somebody chose one.
bool br_stp_recalculate_bridge_id(net_bridge &br)
{
	TRACE(br.dev);
	mac_addr addr{};
	bool any = false;

	if (br.dev->addr_assign_type == NET_ADDR_SET)
		return false;
	for_each_port(br, [&](const net_bridge_port &p) {
		if (!any || p.dev->dev_addr < addr)
			addr = p.dev->dev_addr;
		any = true;
	});
	if (ether_addr_equal(br.bridge_id.addr, addr))
		return false;
	br_stp_change_bridge_id(br, addr);
	return true;
}

void br_stp_set_bridge_priority(net_bridge &br, u16 newprio)
{
	TRACE(br.dev);
	const std::array<u8, 2> prio{static_cast<u8>(newprio >> 8), static_cast<u8>(newprio)};

	spin_lock_bh(br.lock);
	const bool wasroot = br_is_root_bridge(br);

	for_each_port(br, [&](net_bridge_port &p) {
		if (p.state != BR_STATE_DISABLED && br_is_designated_port(p))
			p.designated_bridge.prio = prio;
	});
	br.bridge_id.prio = prio;
	br_configuration_update(br);
	br_port_state_selection(br);
	if (br_is_root_bridge(br) && !wasroot)
		br_become_root_bridge(br);
	spin_unlock_bh(br.lock);
}

int br_stp_set_port_priority(net_bridge_port &p, u32 newprio)
{
	TRACE(p.dev);
	if (newprio > BR_MAX_PORT_PRIORITY)
		return -ERANGE;
	const port_id new_port_id = br_make_port_id(static_cast<u8>(newprio), p.port_no);

	if (br_is_designated_port(p))
		p.designated_port = new_port_id;
	p.port_id = new_port_id;
	p.priority = static_cast<u8>(newprio);
	if (p.br->bridge_id == p.designated_bridge && p.port_id < p.designated_port) {
		br_become_designated_port(p);
		br_port_state_selection(*p.br);
	}
	return 0;
}

int br_stp_set_path_cost(net_bridge_port &p, u32 path_cost)
{
	TRACE(p.dev);
	if (path_cost < BR_MIN_PATH_COST || path_cost > BR_MAX_PATH_COST)
		return -ERANGE;
	p.flags |= BR_ADMIN_COST;
	p.path_cost = path_cost;
	br_configuration_update(*p.br);
	br_port_state_selection(*p.br);
	return 0;
}

} // namespace skbwalk
