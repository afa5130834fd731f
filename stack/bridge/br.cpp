// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br.c: the module comes (br_init), follows what happens to the devices that are ports
// (br_device_event), and takes its bridges along when a namespace ends. Left out: options by netlink
// attribute, addresses that switches learned, sysfs.
#include <cassert>

#include "stack/bridge/br_private_stp.h"
#include "stack/switchdev/switchdev.h"

namespace skbwalk {

namespace {
struct bridge_module {
	bool loaded = false;
};
perhost<bridge_module> module_of_host;
} // namespace

// A port's state follows its device, as long as the bridge itself is up; what is the ports' smallest or
// lowest (MTU, address) is worked out anew.
static int br_device_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	bool notified = false;

	if (netif_is_bridge_master(dev)) {
		if (event == NETDEV_REGISTER)
			br_fdb_change_mac_address(netdev_priv<net_bridge>(dev), dev.dev_addr);

		const int err = br_vlan_bridge_event(dev, event);

		if (err || event == NETDEV_REGISTER)
			return err;
	}
	net_bridge_port *p = br_port_get_rtnl(dev);

	if (!p)
		return 0;
	net_bridge &br = *p->br;

	switch (event) {
	case NETDEV_CHANGEMTU:
		br_mtu_auto_adjust(br);
		break;
	case NETDEV_PRE_CHANGEADDR:
		if (br.dev->addr_assign_type == NET_ADDR_SET)
			break;
		if (const int err = dev_pre_changeaddr_notify(*br.dev, dev.dev_addr))
			return err;
		break;
	case NETDEV_CHANGEADDR: {
		spin_lock_bh(br.lock);
		br_fdb_changeaddr(*p, dev.dev_addr);
		const bool changed_addr = br_stp_recalculate_bridge_id(br);

		spin_unlock_bh(br.lock);
		if (changed_addr)
			call_netdevice_notifiers(NETDEV_CHANGEADDR, *br.dev);
		break;
	}
	case NETDEV_CHANGE:
		br_port_carrier_check(*p, notified);
		break;
	case NETDEV_FEAT_CHANGE:
		netdev_update_features(*br.dev);
		break;
	case NETDEV_DOWN:
		spin_lock_bh(br.lock);
		if (br.dev->flags & IFF_UP) {
			br_stp_disable_port(*p);
			notified = true;
		}
		spin_unlock_bh(br.lock);
		break;
	case NETDEV_UP:
		if (netif_running(*br.dev) && netif_oper_up(dev)) {
			spin_lock_bh(br.lock);
			br_stp_enable_port(*p);
			notified = true;
			spin_unlock_bh(br.lock);
		}
		break;
	case NETDEV_UNREGISTER:
		br_del_if(br, dev);
		break;
	default:
		break;
	}
	// A change of state has told already.
	if (!notified && (event == NETDEV_CHANGEADDR || event == NETDEV_UP || event == NETDEV_CHANGE ||
	                  event == NETDEV_DOWN))
		br_ifinfo_notify(RTM_NEWLINK, nullptr, p);
	return 0;
}

// A driver that takes a port over says so here, or that it no longer does; none is there to say it.
static int br_switchdev_blocking_event(u32 event, net_device &dev)
{
	TRACE(dev);
	if (!br_port_get_rtnl(dev))
		return 0;
	assert(event != SWITCHDEV_BRPORT_OFFLOADED && event != SWITCHDEV_BRPORT_UNOFFLOADED);
	return 0;
}

// What a switch learned would come in here; what goes out to switches is nothing to a bridge.
static int br_switchdev_event(u32 event, switchdev_notifier_fdb_info &info)
{
	TRACE(info.dev);
	assert(event == SWITCHDEV_FDB_ADD_TO_DEVICE || event == SWITCHDEV_FDB_DEL_TO_DEVICE);
	static_cast<void>(event);
	return 0;
}

void br_opt_toggle(net_bridge &br, net_bridge_opts opt, bool on)
{
	TRACE(br.dev);
	if (br_opt_get(br, opt) == on)
		return;
	br.options ^= 1u << opt;
}

static void br_net_exit_batch(net &net)
{
	TRACE();
	for (net_device *dev : std::vector(net.dev_list))
		if (netif_is_bridge_master(*dev))
			br_dev_delete(*dev);
}

static constexpr pernet_operations br_net_ops = {"bridge", nullptr, br_net_exit_batch};
static constexpr stp_proto br_stp_proto = {.group_address = {}, .rcv = br_stp_rcv};

bool br_loaded() { return module_of_host->loaded; } // not traced: a question of the configuration

void br_init()
{
	TRACE();
	if (module_of_host->loaded)
		return;
	module_of_host->loaded = true;
	stp_proto_register(br_stp_proto);
	br_fdb_init();
	register_pernet_subsys(br_net_ops);
	register_netdevice_notifier(br_device_event);
	register_switchdev_notifier(br_switchdev_event);
	register_switchdev_blocking_notifier(br_switchdev_blocking_event);
}

} // namespace skbwalk
