// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_netlink.c: the door of configuration. `ip link add type bridge` comes to br_dev_newlink,
// `ip link set type bridge` to br_changelink, `bridge link set` and `ip link set type bridge_slave` to
// br_setport. Who listens is told what became of a port (br_ifinfo_notify).
//
// Unlike the kernel, attributes come as fields of a struct.
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
constexpr int IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_LINK = 5, IFLA_MASTER = 10,
	      IFLA_PROTINFO = 12, IFLA_OPERSTATE = 16, IFLA_AF_SPEC = 26;
constexpr int IFLA_BRIDGE_VLAN_INFO = 2;
constexpr int NLA_F_NESTED = 1 << 15;
constexpr u32 IFNAMSIZ = 16, MAX_ADDR_LEN = 32;

struct bridge_vlan_info {
	u16 flags;
	u16 vid;
};

// IFLA_PROTINFO's attributes (include/uapi/linux/if_link.h), by the names they have there without
// IFLA_BRPORT_.
enum brport : int {
	STATE = 1,
	PRIORITY,
	COST,
	MODE,
	GUARD,
	PROTECT,
	FAST_LEAVE,
	LEARNING,
	UNICAST_FLOOD,
	PROXYARP,
	LEARNING_SYNC,
	PROXYARP_WIFI,
	ROOT_ID,
	BRIDGE_ID,
	DESIGNATED_PORT,
	DESIGNATED_COST,
	ID,
	NO,
	TOPOLOGY_CHANGE_ACK,
	CONFIG_PENDING,
	MESSAGE_AGE_TIMER,
	FORWARD_DELAY_TIMER,
	HOLD_TIMER,
	FLUSH,
	MULTICAST_ROUTER,
	PAD,
	MCAST_FLOOD,
	MCAST_TO_UCAST,
	VLAN_TUNNEL,
	BCAST_FLOOD,
	GROUP_FWD_MASK,
	NEIGH_SUPPRESS,
	ISOLATED,
	BACKUP_PORT,
	MRP_RING_OPEN,
	MRP_IN_OPEN,
	MCAST_EHT_HOSTS_LIMIT,
	MCAST_EHT_HOSTS_CNT,
	LOCKED
};
constexpr u32 BR_MCAST_DEFAULT_EHT_HOSTS_LIMIT = 512;

// nla_put_u8, nla_put_u16, ...: by the value's size.
template <class T> int put(sk_buff &skb, int attrtype, T value)
{
	return nla_put(skb, attrtype, sizeof(value), &value);
}

// VLANs that follow each other with the same flags, one range each, until `fn` fails.
template <class F> int for_each_range(net_bridge_vlan_group &vg, F &&fn)
{
	const u16 pvid = br_get_pvid(&vg);
	u16 first = 0, last = 0, of_range = 0;
	int err = 0;

	br_for_each<net_bridge_vlan, &net_bridge_vlan::vlist>(vg.vlan_list, [&](net_bridge_vlan &v) {
		if (err || !br_vlan_should_use(v))
			return;
		const auto flags = static_cast<u16>((v.vid == pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
		                                    (v.flags & BRIDGE_VLAN_INFO_UNTAGGED));
		if (first && v.vid - last == 1 && flags == of_range) {
			last = v.vid;
			return;
		}
		if (first)
			err = fn(first, last, of_range);
		first = last = v.vid;
		of_range = flags;
	});
	return !err && first ? fn(first, last, of_range) : err;
}

} // namespace

static nlattr *nla_nest_start_noflag(sk_buff &skb, int attrtype)
{
	TRACE_INLINE(skb);
	auto *start = reinterpret_cast<nlattr *>(skb_tail_pointer(skb));

	return nla_put(skb, attrtype, 0, nullptr) < 0 ? nullptr : start;
}

static nlattr *nla_nest_start(sk_buff &skb, int attrtype)
{
	TRACE_INLINE(skb);
	return nla_nest_start_noflag(skb, attrtype | NLA_F_NESTED);
}

static void nla_nest_end(sk_buff &skb, nlattr &start)
{
	TRACE_INLINE(skb);
	start.nla_len = static_cast<u16>(skb_tail_pointer(skb) - reinterpret_cast<u8 *>(&start));
}

static int __get_num_vlan_infos(net_bridge_vlan_group &vg)
{
	TRACE();
	int num_vlans = 0;

	static_cast<void>(for_each_range(vg, [&](u16 first, u16 last, u16) {
		num_vlans += last > first ? 2 : 1;
		return 0;
	}));
	return num_vlans;
}

static int br_get_num_vlan_infos(net_bridge_vlan_group *vg)
{
	TRACE();
	return vg ? __get_num_vlan_infos(*vg) : 0;
}

static u32 br_get_link_af_size_filtered(const net_device &dev)
{
	TRACE(dev);
	net_bridge_vlan_group *vg = nullptr;

	if (netif_is_bridge_port(dev)) {
		if (const net_bridge_port *p = br_port_get_check_rcu(dev))
			vg = nbp_vlan_group(*p);
	} else if (netif_is_bridge_master(dev)) {
		vg = br_vlan_group(netdev_priv<net_bridge>(dev));
	}
	return static_cast<u32>(br_get_num_vlan_infos(vg)) * nla_total_size(sizeof(bridge_vlan_info));
}

static u32 br_port_info_size()
{
	TRACE_INLINE();
	constexpr u32 of_8_bits = 23, of_16_bits = 6, of_32_bits = 3, timers = 3, ids = 2;

	return of_8_bits * nla_total_size(sizeof(u8)) + of_16_bits * nla_total_size(sizeof(u16)) +
	       of_32_bits * nla_total_size(sizeof(u32)) + timers * nla_total_size(sizeof(u64)) +
	       ids * nla_total_size(sizeof(bridge_id));
}

static u32 br_nlmsg_size(const net_device &dev)
{
	TRACE_INLINE(dev);
	return NLMSG_ALIGN(sizeof(ifinfomsg)) + nla_total_size(IFNAMSIZ) + nla_total_size(MAX_ADDR_LEN) +
	       3 * nla_total_size(sizeof(u32)) + nla_total_size(sizeof(u8)) +
	       nla_total_size(br_port_info_size()) + nla_total_size(br_get_link_af_size_filtered(dev)) +
	       nla_total_size(sizeof(u32));
}

static int br_port_fill_attrs(sk_buff &skb, const net_bridge_port &p)
{
	TRACE(skb, p.dev);
	const auto flag = [&](int attrtype, u32 of) { return put(skb, attrtype, u8{(p.flags & of) != 0}); };

	if (put(skb, STATE, p.state) || put(skb, PRIORITY, u16{p.priority}) || put(skb, COST, p.path_cost) ||
	    flag(MODE, BR_HAIRPIN_MODE) || flag(GUARD, BR_BPDU_GUARD) || flag(PROTECT, BR_ROOT_BLOCK) ||
	    flag(FAST_LEAVE, BR_MULTICAST_FAST_LEAVE) || flag(MCAST_TO_UCAST, BR_MULTICAST_TO_UNICAST) ||
	    flag(LEARNING, BR_LEARNING) || flag(UNICAST_FLOOD, BR_FLOOD) ||
	    flag(MCAST_FLOOD, BR_MCAST_FLOOD) || flag(BCAST_FLOOD, BR_BCAST_FLOOD) ||
	    flag(PROXYARP, BR_PROXYARP) || flag(PROXYARP_WIFI, BR_PROXYARP_WIFI) ||
	    put(skb, ROOT_ID, p.designated_root) || put(skb, BRIDGE_ID, p.designated_bridge) ||
	    put(skb, DESIGNATED_PORT, p.designated_port) ||
	    put(skb, DESIGNATED_COST, static_cast<u16>(p.designated_cost)) || put(skb, ID, p.port_id) ||
	    put(skb, NO, p.port_no) || put(skb, TOPOLOGY_CHANGE_ACK, u8{p.topology_change_ack}) ||
	    put(skb, CONFIG_PENDING, u8{p.config_pending}) || put(skb, VLAN_TUNNEL, u8{0}) ||
	    put(skb, GROUP_FWD_MASK, p.group_fwd_mask) || flag(NEIGH_SUPPRESS, BR_NEIGH_SUPPRESS) ||
	    put(skb, MRP_RING_OPEN, u8{0}) || put(skb, MRP_IN_OPEN, u8{0}) || flag(ISOLATED, BR_ISOLATED) ||
	    flag(LOCKED, BR_PORT_LOCKED))
		return -EMSGSIZE;
	if (put(skb, MESSAGE_AGE_TIMER, u64{br_timer_value(p.message_age_timer)}) ||
	    put(skb, FORWARD_DELAY_TIMER, u64{br_timer_value(p.forward_delay_timer)}) ||
	    put(skb, HOLD_TIMER, u64{br_timer_value(p.hold_timer)}))
		return -EMSGSIZE;
	if (put(skb, MULTICAST_ROUTER, p.multicast_ctx.multicast_router) ||
	    put(skb, MCAST_EHT_HOSTS_LIMIT, BR_MCAST_DEFAULT_EHT_HOSTS_LIMIT) ||
	    put(skb, MCAST_EHT_HOSTS_CNT, u32{0}))
		return -EMSGSIZE;
	if (p.backup_port)
		static_cast<void>(put(skb, BACKUP_PORT, p.backup_port->dev->ifindex));
	return 0;
}

static int br_fill_ifvlaninfo_range(sk_buff &skb, u16 vid_start, u16 vid_end, u16 flags)
{
	TRACE(skb);
	if (vid_end <= vid_start)
		return put(skb, IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{flags, vid_start});
	if (put(skb, IFLA_BRIDGE_VLAN_INFO,
	        bridge_vlan_info{static_cast<u16>(flags | BRIDGE_VLAN_INFO_RANGE_BEGIN), vid_start}) ||
	    put(skb, IFLA_BRIDGE_VLAN_INFO,
	        bridge_vlan_info{static_cast<u16>(flags | BRIDGE_VLAN_INFO_RANGE_END), vid_end}))
		return -EMSGSIZE;
	return 0;
}

static int br_fill_ifvlaninfo_compressed(sk_buff &skb, net_bridge_vlan_group &vg)
{
	TRACE(skb);
	return for_each_range(vg, [&](u16 first, u16 last, u16 flags) {
		return br_fill_ifvlaninfo_range(skb, first, last, flags);
	});
}

static int br_fill_ifinfo(sk_buff &skb, const net_bridge_port *port, const net_device &dev, u32 pid, u32 seq,
                          int event, int flags)
{
	TRACE(skb, dev);
	const net_bridge &br = port ? *port->br : netdev_priv<net_bridge>(dev);
	const u8 operstate = netif_running(dev) ? dev.operstate : IF_OPER_DOWN;
	nlmsghdr *nlh = nlmsg_put(skb, pid, seq, event, sizeof(ifinfomsg), flags);

	if (!nlh)
		return -EMSGSIZE;
	const auto failure = [&] {
		nlmsg_cancel(skb, *nlh);
		return -EMSGSIZE;
	};

	*static_cast<ifinfomsg *>(nlmsg_data(*nlh)) = {AF_BRIDGE_FAMILY,   0, dev.type, dev.ifindex,
	                                               dev_get_flags(dev), 0};
	if (nla_put(skb, IFLA_IFNAME, static_cast<int>(dev.name.size() + 1), dev.name.c_str()) ||
	    put(skb, IFLA_MASTER, br.dev->ifindex) || put(skb, IFLA_MTU, dev.mtu) ||
	    put(skb, IFLA_OPERSTATE, operstate) ||
	    nla_put(skb, IFLA_ADDRESS, ETH_ALEN, dev.dev_addr.data()) ||
	    (dev.ifindex != dev_get_iflink(dev) && put(skb, IFLA_LINK, dev_get_iflink(dev))))
		return failure();
	if (event == RTM_NEWLINK && port) {
		nlattr *nest = nla_nest_start(skb, IFLA_PROTINFO);

		if (!nest || br_port_fill_attrs(skb, *port) < 0)
			return failure();
		nla_nest_end(skb, *nest);
	}
	nlattr *af = nla_nest_start_noflag(skb, IFLA_AF_SPEC);
	net_bridge_vlan_group *vg = port ? nbp_vlan_group(*port) : br_vlan_group(br);

	if (!af || (vg && vg->num_vlans && br_fill_ifvlaninfo_compressed(skb, *vg)))
		return failure();
	if (skb_tail_pointer(skb) - reinterpret_cast<u8 *>(af) > static_cast<long>(sizeof(nlattr)))
		nla_nest_end(skb, *af);
	else
		skb_trim(skb, static_cast<u32>(reinterpret_cast<u8 *>(af) - skb.data));
	nlmsg_end(skb, *nlh);
	return 0;
}

static void br_info_notify(int event, const net_bridge *br, const net_bridge_port *port)
{
	TRACE();
	const net_device &dev = port ? *port->dev : *br->dev;
	skb_ptr skb = nlmsg_new(br_nlmsg_size(dev), GFP_ATOMIC);

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
