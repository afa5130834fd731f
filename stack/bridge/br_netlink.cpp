// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_netlink.c: the door of configuration. `ip link add type bridge` comes to br_dev_newlink,
// `ip link set type bridge` to br_changelink, `bridge link set` and `ip link set type bridge_slave` to
// br_setport. Who listens is told what became of a port (br_ifinfo_notify).
//
// Unlike the kernel, attributes come as fields of a struct, and most of what a message says of a port beyond
// its name and state is left out of it.
#include "stack/bridge/br_private_stp.h"
#include "stack/core/netlink.h"

namespace skbwalk {

namespace {

struct ifinfomsg {
	u8 ifi_family;
	u8 pad;
	u16 ifi_type;
	int ifi_index;
	u32 ifi_flags;
	u32 ifi_change;
};
constexpr u8 AF_BRIDGE_FAMILY = 7;
constexpr int IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_MASTER = 10, IFLA_PROTINFO = 12,
	      IFLA_OPERSTATE = 16;
constexpr u32 IFNAMSIZ = 16;

} // namespace

static int br_fill_ifinfo(sk_buff &skb, const net_bridge_port *port, const net_device &dev, u32 pid, u32 seq,
                          int event, int flags)
{
	TRACE(skb, dev);
	const net_bridge &br = port ? *port->br : netdev_priv<net_bridge>(dev);
	const u8 operstate = netif_running(dev) ? dev.operstate : IF_OPER_DOWN;
	nlmsghdr *nlh = nlmsg_put(skb, pid, seq, event, sizeof(ifinfomsg), flags);

	if (!nlh)
		return -EMSGSIZE;
	auto &hdr = *static_cast<ifinfomsg *>(nlmsg_data(*nlh));

	hdr = {AF_BRIDGE_FAMILY, 0, dev.type, dev.ifindex, dev_get_flags(dev), 0};
	if (nla_put(skb, IFLA_IFNAME, static_cast<int>(dev.name.size() + 1), dev.name.c_str()) ||
	    nla_put(skb, IFLA_MASTER, sizeof(u32), &br.dev->ifindex) ||
	    nla_put(skb, IFLA_MTU, sizeof(u32), &dev.mtu) ||
	    nla_put(skb, IFLA_OPERSTATE, sizeof(u8), &operstate) ||
	    nla_put(skb, IFLA_ADDRESS, ETH_ALEN, dev.dev_addr.data()) ||
	    (port && nla_put(skb, IFLA_PROTINFO, sizeof(u8), &port->state))) {
		nlmsg_cancel(skb, *nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, *nlh);
	return 0;
}

static void br_info_notify(int event, const net_bridge *br, const net_bridge_port *port)
{
	TRACE();
	const net_device &dev = port ? *port->dev : *br->dev;
	const u32 size = NLMSG_ALIGN(sizeof(ifinfomsg)) + nla_total_size(IFNAMSIZ) +
	                 3 * nla_total_size(sizeof(u32)) + nla_total_size(ETH_ALEN) +
	                 2 * nla_total_size(sizeof(u8));
	skb_ptr skb = nlmsg_new(size, GFP_ATOMIC);

	if (!skb)
		return;
	if (br_fill_ifinfo(*skb, port, dev, 0, 0, event, 0) < 0) {
		kfree_skb(std::move(skb));
		return;
	}
	rtnl_notify(std::move(skb), dev_net(dev), 0, RTNLGRP_LINK, GFP_ATOMIC);
}

void br_ifinfo_notify(int event, const net_bridge *br, const net_bridge_port *port)
{
	TRACE();
	br_info_notify(event, br, port);
}

static int br_set_port_state(net_bridge_port &p, u8 state)
{
	TRACE(p.dev);
	if (state > BR_STATE_BLOCKING)
		return -EINVAL;
	// A tree decides by itself.
	if (p.br->stp_enabled == BR_KERNEL_STP)
		return -EBUSY;
	if (!netif_running(*p.dev) || (!netif_oper_up(*p.dev) && state != BR_STATE_DISABLED))
		return -ENETDOWN;
	br_set_state(p, state);
	br_port_state_selection(*p.br);
	return 0;
}

int br_setport(net_bridge_port &p, const br_port_attributes &tb)
{
	TRACE(p.dev);
	const u32 old_flags = p.flags;

	p.flags = (p.flags | tb.flags_on) & ~tb.flags_off;
	br_port_flags_change(p, p.flags ^ old_flags);
	if (tb.cost)
		if (const int err = br_stp_set_path_cost(p, *tb.cost))
			return err;
	if (tb.priority)
		if (const int err = br_stp_set_port_priority(p, *tb.priority))
			return err;
	if (tb.state)
		if (const int err = br_set_port_state(p, *tb.state))
			return err;
	if (tb.flush)
		br_fdb_delete_by_port(*p.br, &p, 0, false);
	if (tb.multicast_router)
		if (const int err = br_multicast_set_port_router(p.multicast_ctx, *tb.multicast_router))
			return err;
	if (tb.group_fwd_mask) {
		if (*tb.group_fwd_mask & 0x3) // STP and pause are never forwarded
			return -EINVAL;
		p.group_fwd_mask = *tb.group_fwd_mask;
	}
	if (tb.backup_port)
		return nbp_backup_change(p, *tb.backup_port);
	return 0;
}

int br_changelink(net_device &brdev, const br_attributes &data)
{
	TRACE(brdev);
	net_bridge &br = netdev_priv<net_bridge>(brdev);
	int err = 0;
	const auto set = [&](const auto &value, auto &&fn) {
		if (!err && value)
			err = fn(*value);
	};
	const auto option = [&](const std::optional<u8> &value, net_bridge_opts opt) {
		if (!err && value)
			br_opt_toggle(br, opt, *value != 0);
	};

	set(data.forward_delay, [&](u32 v) { return br_set_forward_delay(br, v); });
	set(data.hello_time, [&](u32 v) { return br_set_hello_time(br, v); });
	set(data.max_age, [&](u32 v) { return br_set_max_age(br, v); });
	set(data.ageing_time, [&](u32 v) { return br_set_ageing_time(br, v); });
	set(data.stp_state, [&](u32 v) { return br_stp_set_enabled(br, v != 0); });
	set(data.priority, [&](u16 v) {
		br_stp_set_bridge_priority(br, v);
		return 0;
	});
	set(data.vlan_filtering, [&](u8 v) { return br_vlan_filter_toggle(br, v != 0); });
	set(data.vlan_protocol, [&](u16 v) { return br_vlan_set_proto(br, v); });
	set(data.vlan_default_pvid, [&](u16 v) { return br_vlan_set_default_pvid(br, v); });
	set(data.vlan_stats_enabled, [&](u8 v) { return br_vlan_set_stats(br, v); });
	set(data.group_fwd_mask, [&](u16 v) {
		if (v & BR_GROUPFWD_RESTRICTED)
			return -EINVAL;
		br.group_fwd_mask = v;
		return 0;
	});
	set(data.group_address, [&](const mac_addr &v) {
		const bool reserved = v[0] == 0x01 && v[1] == 0x80 && v[2] == 0xc2 && !v[3] && !v[4];

		if (!reserved || v[5] > 0x0f || v[5] == 1 || v[5] == 2 || v[5] == 3)
			return -EINVAL;
		spin_lock_bh(br.lock);
		br.group_addr = v;
		spin_unlock_bh(br.lock);
		br_opt_toggle(br, BROPT_GROUP_ADDR_SET, true);
		return 0;
	});
	if (!err && data.fdb_flush)
		br_fdb_flush(br, nullptr, 0, 0, BR_FDB_STATIC);
	set(data.mcast_router, [&](u8 v) { return br_multicast_set_router(br.multicast_ctx, v); });
	set(data.mcast_snooping, [&](u8 v) { return br_multicast_toggle(br, v != 0); });
	option(data.nf_call_iptables, BROPT_NF_CALL_IPTABLES);
	option(data.nf_call_ip6tables, BROPT_NF_CALL_IP6TABLES);
	option(data.nf_call_arptables, BROPT_NF_CALL_ARPTABLES);
	option(data.no_linklocal_learn, BROPT_NO_LL_LEARN);
	return err;
}

int br_dev_newlink(net &net, const std::string &name, const std::optional<mac_addr> &addr,
                   const br_attributes &data)
{
	TRACE();
	net_device *dev = alloc_netdev(net, name, br_dev_setup, 1);
	int err = register_netdevice(*dev);

	if (err) {
		free_netdev(*dev);
		return err;
	}
	if (addr) {
		net_bridge &br = netdev_priv<net_bridge>(*dev);

		spin_lock_bh(br.lock);
		br_stp_change_bridge_id(br, *addr);
		spin_unlock_bh(br.lock);
		dev->addr_assign_type = NET_ADDR_SET;
	}
	err = br_changelink(*dev, data);
	if (err)
		br_dev_delete(*dev);
	return err;
}

} // namespace skbwalk
