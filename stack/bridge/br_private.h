// SPDX-License-Identifier: GPL-2.0-only
//
// A bridge, its ports, and its forwarding database (net/bridge/br_private.h).
//
//   net_device "br0" --priv--> net_bridge --port_list--> net_bridge_port --dev--> net_device "v1"
//                                  |  ^                        |    ^                   |
//                       fdb_hash_tbl  '----------- br ---------'    '--rx_handler_data--'
//                                  |
//                 net_bridge_fdb_entry (address, VLAN) --dst--> the port behind which it is; null: the bridge
//
// A port belongs to its bridge from br_add_if to br_del_if and is freed after a grace period.
#pragma once

#include <compare>
#include <optional>

#include "stack/bridge/br_private_mcast.h"
#include "stack/core/if_vlan.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/ethernet/eth.h"
#include "stack/ipv4/route.h"
#include "stack/kernel/refcount.h"
#include "stack/kernel/rhashtable.h"
#include "stack/kernel/timer.h"
#include "stack/netfilter/netfilter.h"

namespace skbwalk {

constexpr u32 BR_HOLD_TIME = HZ;
constexpr u32 BR_PORT_BITS = 10, BR_MAX_PORTS = 1 << BR_PORT_BITS;
constexpr u8 BR_STATE_DISABLED = 0, BR_STATE_LISTENING = 1, BR_STATE_LEARNING = 2, BR_STATE_FORWARDING = 3,
	     BR_STATE_BLOCKING = 4;
// net_bridge_port::flags
constexpr u32 BR_HAIRPIN_MODE = 1 << 0, BR_BPDU_GUARD = 1 << 1, BR_ROOT_BLOCK = 1 << 2,
	      BR_MULTICAST_FAST_LEAVE = 1 << 3, BR_ADMIN_COST = 1 << 4, BR_LEARNING = 1 << 5,
	      BR_FLOOD = 1 << 6, BR_AUTO_MASK = BR_FLOOD | BR_LEARNING, BR_PROMISC = 1 << 7,
	      BR_PROXYARP = 1 << 8, BR_PROXYARP_WIFI = 1 << 10, BR_MCAST_FLOOD = 1 << 11,
	      BR_MULTICAST_TO_UNICAST = 1 << 12, BR_BCAST_FLOOD = 1 << 14, BR_NEIGH_SUPPRESS = 1 << 15,
	      BR_ISOLATED = 1 << 16, BR_PORT_LOCKED = 1 << 21;
constexpr u16 BR_GROUPFWD_DEFAULT = 0, BR_GROUPFWD_RESTRICTED = 0x7;
constexpr u16 BRIDGE_VLAN_INFO_MASTER = 1 << 0, BRIDGE_VLAN_INFO_PVID = 1 << 1,
	      BRIDGE_VLAN_INFO_UNTAGGED = 1 << 2, BRIDGE_VLAN_INFO_RANGE_BEGIN = 1 << 3,
	      BRIDGE_VLAN_INFO_RANGE_END = 1 << 4, BRIDGE_VLAN_INFO_BRENTRY = 1 << 5;
constexpr u16 ETH_P_RARP = 0x8035;
constexpr u16 DST_FAKE_RTABLE = 0x0010;

struct net_bridge;
struct net_bridge_port;

// Compared as bytes: the lower one wins.
struct bridge_id {
	std::array<u8, 2> prio{};
	mac_addr addr{};
	friend auto operator<=>(const bridge_id &, const bridge_id &) = default;
};
using port_id = u16;

// --- VLANs ---
struct net_bridge_vlan {
	rhash_head vnode;
	u16 vid = 0;
	u16 flags = 0; // BRIDGE_VLAN_INFO_*
	u8 state = 0;  // BR_STATE_*
	// Whose it is: the bridge's where BRIDGE_VLAN_INFO_MASTER is set, else a port's.
	net_bridge *br = nullptr;
	net_bridge_port *port = nullptr;
	refcount_t refcnt;                 // the bridge's: ports that have it too, and the bridge itself
	net_bridge_vlan *brvlan = nullptr; // a port's: the bridge's entry of that id
	u64 rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0; // the bridge's entry counts for all
	list_head vlist;
	rcu_head rcu;
};
// The entries of a bridge or of a port. The bridge's list can hold entries that exist only because a port has
// them (without BRENTRY): they are in num_vlans' count no more than in any decision.
struct net_bridge_vlan_group {
	rhashtable<net_bridge_vlan, u16, &net_bridge_vlan::vid, &net_bridge_vlan::vnode> vlan_hash;
	list_head vlan_list; // ascending
	u16 num_vlans = 0;
	u16 pvid = 0;
	u8 pvid_state = 0;
};

// --- forwarding database ---
enum : u32 {
	BR_FDB_LOCAL = 1 << 0,
	BR_FDB_STATIC = 1 << 1,
	BR_FDB_STICKY = 1 << 2,
	BR_FDB_ADDED_BY_USER = 1 << 3,
	BR_FDB_ADDED_BY_EXT_LEARN = 1 << 4,
	BR_FDB_OFFLOADED = 1 << 5,
	BR_FDB_NOTIFY = 1 << 6,
	BR_FDB_NOTIFY_INACTIVE = 1 << 7
};
struct net_bridge_fdb_key {
	mac_addr addr;
	u16 vlan_id;
};
struct net_bridge_fdb_entry {
	rhash_head rhnode;
	net_bridge_port *dst = nullptr; // null: the bridge itself
	net_bridge_fdb_key key{};
	list_head fdb_node;
	u32 flags = 0; // BR_FDB_*
	u32 updated = 0, used = 0;
	rcu_head rcu;
};

struct bridge_stp_xstats {
	u64 transition_blk = 0, transition_fwd = 0, rx_bpdu = 0, tx_bpdu = 0, rx_tcn = 0, tx_tcn = 0;
};

struct net_bridge_port {
	net_bridge *br = nullptr;
	net_device *dev = nullptr;
	list_head list;
	u32 flags = 0;
	net_bridge_vlan_group *vlgrp = nullptr;
	net_bridge_port *backup_port = nullptr;
	// STP
	u8 priority = 0;
	u8 state = 0;
	u16 port_no = 0;
	bool topology_change_ack = false;
	bool config_pending = false;
	skbwalk::port_id port_id = 0;
	skbwalk::port_id designated_port = 0;
	skbwalk::bridge_id designated_root;
	skbwalk::bridge_id designated_bridge;
	u32 path_cost = 0;
	u32 designated_cost = 0;
	u32 designated_age = 0;
	timer_list forward_delay_timer;
	timer_list hold_timer;
	timer_list message_age_timer;
	rcu_head rcu;
	net_bridge_mcast_port multicast_ctx;
	bridge_mcast_stats mcast_stats;
	list_head mglist; // net_bridge_port_group::mglist
	int hwdom = 0;    // a switch's hardware domain; 0: none, as here
	u16 group_fwd_mask = 0;
	u16 backup_redirected_cnt = 0;
	bridge_stp_xstats stp_xstats;
};

enum net_bridge_opts : u32 {
	BROPT_VLAN_ENABLED,
	BROPT_VLAN_STATS_ENABLED,
	BROPT_NF_CALL_IPTABLES,
	BROPT_NF_CALL_IP6TABLES,
	BROPT_NF_CALL_ARPTABLES,
	BROPT_GROUP_ADDR_SET,
	BROPT_MULTICAST_ENABLED,
	BROPT_MULTICAST_QUERY_USE_IFADDR,
	BROPT_MULTICAST_STATS_ENABLED,
	BROPT_HAS_IPV6_ADDR,
	BROPT_NEIGH_SUPPRESS_ENABLED,
	BROPT_MTU_SET_BY_USER,
	BROPT_VLAN_STATS_PER_PORT,
	BROPT_NO_LL_LEARN
};
enum br_stp_mode : u8 { BR_NO_STP, BR_KERNEL_STP, BR_USER_STP };

struct net_bridge {
	spinlock_t lock;
	spinlock_t hash_lock;
	net_device *dev = nullptr;
	u32 options = 0; // bits by net_bridge_opts
	be16 vlan_proto{};
	u16 default_pvid = 0;
	net_bridge_vlan_group *vlgrp = nullptr;
	rhashtable<net_bridge_fdb_entry, net_bridge_fdb_key, &net_bridge_fdb_entry::key,
	           &net_bridge_fdb_entry::rhnode>
		fdb_hash_tbl;
	list_head port_list; // the newest first
	rtable fake_rtable;  // what br_netfilter gives packets that were not routed
	std::array<u32, RTAX_MAX> metrics{};
	u16 group_fwd_mask = 0;
	u16 group_fwd_mask_required = 0;
	// STP; times in jiffies
	skbwalk::bridge_id designated_root;
	skbwalk::bridge_id bridge_id;
	bool topology_change = false;
	bool topology_change_detected = false;
	u16 root_port = 0;
	u32 max_age = 0, hello_time = 0, forward_delay = 0, ageing_time = 0;
	u32 bridge_max_age = 0, bridge_hello_time = 0, bridge_forward_delay = 0, bridge_ageing_time = 0;
	u32 root_path_cost = 0;
	mac_addr group_addr{};
	br_stp_mode stp_enabled = BR_NO_STP;
	net_bridge_mcast multicast_ctx;
	bridge_mcast_stats mcast_stats;
	u32 hash_max = 0;
	spinlock_t multicast_lock;
	rhashtable<net_bridge_mdb_entry, br_ip, &net_bridge_mdb_entry::addr, &net_bridge_mdb_entry::rhnode>
		mdb_hash_tbl;
	list_head mdb_list;
	timer_list hello_timer;
	timer_list tcn_timer;
	timer_list topology_change_timer;
	delayed_work gc_work;
	u32 auto_cnt = 0; // ports that learn or are flooded to
	list_head fdb_list;
};

// What a bridge keeps with a packet, in cb.
struct br_input_skb_cb {
	net_device *brdev;
	u16 frag_max_size;
	u8 igmp;
	u8 mrouters_only : 1;
	u8 proxyarp_replied : 1;
	u8 src_port_isolated : 1;
	u8 promisc : 1;
	u8 vlan_filtered : 1;
	u8 br_netfilter_broute : 1;
	u8 tx_fwd_offload : 1;
	int src_hwdom;
	u64 fwd_hwdoms;
};
static_assert(sizeof(br_input_skb_cb) <= 48 && sizeof(br_input_skb_cb) <= sizeof(sk_buff::cb));
inline br_input_skb_cb &BR_INPUT_SKB_CB(const sk_buff &skb)
{
	return *reinterpret_cast<br_input_skb_cb *>(const_cast<u8 *>(skb.cb));
}

// A walk that may unlink what it stands on.
template <class T, list_head T::*Member, class Fn> void br_for_each(list_head &head, Fn fn)
{
	for (list_head *at = head.next, *next; at != &head; at = next) {
		next = at->next;
		fn(container_of(*at, Member));
	}
}
template <class Fn> void for_each_port(net_bridge &br, Fn fn)
{
	br_for_each<net_bridge_port, &net_bridge_port::list>(br.port_list, fn);
}

inline bool br_opt_get(const net_bridge &br, net_bridge_opts opt) { return br.options & (1u << opt); }
inline bool br_auto_port(const net_bridge_port &p) { return p.flags & BR_AUTO_MASK; }
inline bool br_promisc_port(const net_bridge_port &p) { return p.flags & BR_PROMISC; }
inline net_bridge_port *br_port_get_rcu(const net_device &dev)
{
	return static_cast<net_bridge_port *>(dev.rx_handler_data);
}
inline net_bridge_port *br_port_get_rtnl(const net_device &dev)
{
	return netif_is_bridge_port(dev) ? static_cast<net_bridge_port *>(dev.rx_handler_data) : nullptr;
}
inline bool br_is_root_bridge(const net_bridge &br) { return br.bridge_id == br.designated_root; }
inline bool br_is_designated_port(const net_bridge_port &p)
{
	return p.designated_bridge == p.br->bridge_id && p.designated_port == p.port_id;
}
inline bool nbp_state_should_learn(const net_bridge_port &p)
{
	return p.state == BR_STATE_LEARNING || p.state == BR_STATE_FORWARDING;
}
inline net_bridge_vlan_group *br_vlan_group(const net_bridge &br) { return br.vlgrp; }
inline net_bridge_vlan_group *nbp_vlan_group(const net_bridge_port &p) { return p.vlgrp; }
inline bool br_vlan_is_master(const net_bridge_vlan &v) { return v.flags & BRIDGE_VLAN_INFO_MASTER; }
inline bool br_vlan_is_brentry(const net_bridge_vlan &v) { return v.flags & BRIDGE_VLAN_INFO_BRENTRY; }
inline bool br_vlan_should_use(const net_bridge_vlan &v)
{
	return !br_vlan_is_master(v) || br_vlan_is_brentry(v);
}
inline bool br_vlan_state_allowed(u8 state, bool learn_allow)
{
	return state == BR_STATE_FORWARDING || (state == BR_STATE_LEARNING && learn_allow);
}
inline bool br_vlan_valid_id(u16 vid) { return vid > 0 && vid < VLAN_VID_MASK; }
inline u16 br_get_pvid(const net_bridge_vlan_group *vg) { return vg ? vg->pvid : u16{0}; }
// 0: tagged.
inline int br_vlan_get_tag(const sk_buff &skb, u16 &vid)
{
	vid = skb_vlan_tag_present(skb) ? skb_vlan_tag_get_id(skb) : u16{0};
	return skb_vlan_tag_present(skb) ? 0 : -EINVAL;
}
// What br_netfilter put in place of a route goes before anybody takes it for one.
inline void br_drop_fake_rtable(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const dst_entry *dst = skb_dst(skb);

	if (dst && (dst->flags & DST_FAKE_RTABLE))
		skb_dst_drop(skb);
}

// --- br.c ---
void br_init(); // once a host: the module is loaded
bool br_loaded();
void br_opt_toggle(net_bridge &br, net_bridge_opts opt, bool on);

// --- br_device.c ---
struct nf_br_ops_t {
	bool (*br_dev_xmit_hook)(skb_ptr &skb); // true: it took the packet
};
extern perhost<const nf_br_ops_t *> nf_br_ops;
void br_dev_setup(net_device &dev);
netdev_tx_t br_dev_xmit(skb_ptr &skb, net_device &dev);

// --- br_fdb.c ---
void br_fdb_init();
int br_fdb_hash_init(net_bridge &br);
void br_fdb_hash_fini(net_bridge &br);
void br_fdb_find_delete_local(net_bridge &br, const net_bridge_port *p, const mac_addr &addr, u16 vid);
void br_fdb_changeaddr(net_bridge_port &p, const mac_addr &newaddr);
void br_fdb_change_mac_address(net_bridge &br, const mac_addr &newaddr);
void br_fdb_cleanup(delayed_work &work);
void br_fdb_flush(net_bridge &br, const net_bridge_port *p, u16 vid, u32 flags, u32 flags_mask);
void br_fdb_delete_by_port(net_bridge &br, const net_bridge_port *p, u16 vid, bool do_all);
net_bridge_fdb_entry *br_fdb_find_rcu(net_bridge &br, const mac_addr &addr, u16 vid);
int br_fdb_add_local(net_bridge &br, net_bridge_port *source, const mac_addr &addr, u16 vid);
void br_fdb_update(net_bridge &br, net_bridge_port &source, const mac_addr &addr, u16 vid, u32 flags);
int br_fdb_sync_static(net_bridge &br, net_bridge_port &p);
void br_fdb_unsync_static(net_bridge &br, net_bridge_port &p);
// `bridge fdb add|append|replace|del`: state is NUD_*, flags NLM_F_* (ip_fib.h). `dev` is a port or, for its
// own addresses, the bridge. vid 0: no VLAN, or on a bridge that filters all VLANs of the device.
int br_fdb_add(net_device &dev, const mac_addr &addr, u16 vid, u8 state, bool sticky, u16 flags);
int br_fdb_delete(net_device &dev, const mac_addr &addr, u16 vid);
u8 fdb_to_nud(const net_bridge &br, const net_bridge_fdb_entry &fdb);

// --- br_forward.c ---
enum br_pkt_type { BR_PKT_UNICAST, BR_PKT_MULTICAST, BR_PKT_BROADCAST };
int br_dev_queue_push_xmit(net &net, sock *sk, skb_ptr skb);
int br_forward_finish(net &net, sock *sk, skb_ptr skb);
// With local_rcv the packet stays with the caller, else it is gone.
void br_forward(const net_bridge_port *to, skb_ptr &skb, bool local_rcv, bool local_orig);
void br_flood(net_bridge &br, skb_ptr &skb, br_pkt_type pkt_type, bool local_rcv, bool local_orig);
void br_multicast_flood(net_bridge_mdb_entry *mdst, skb_ptr &skb, net_bridge_mcast &brmctx, bool local_rcv,
                        bool local_orig);

// --- br_if.c ---
void br_port_carrier_check(net_bridge_port &p, bool &notified);
int br_add_bridge(net &net, const std::string &name);
int br_del_bridge(net &net, const std::string &name);
int br_add_if(net_bridge &br, net_device &dev);
int br_del_if(net_bridge &br, net_device &dev);
void br_dev_delete(net_device &dev);
void br_mtu_auto_adjust(net_bridge &br);
netdev_features_t br_features_recompute(net_bridge &br, netdev_features_t features);
void br_port_flags_change(net_bridge_port &port, u32 mask);
void br_manage_promisc(net_bridge &br);
int nbp_backup_change(net_bridge_port &p, net_device *backup_dev);

// --- br_input.c ---
int br_handle_frame_finish(net &net, sock *sk, skb_ptr skb);
rx_handler_func_t br_get_rx_handler(const net_device &dev);
inline net_bridge_port *br_port_get_check_rcu(const net_device &dev)
{
	return dev.rx_handler == br_get_rx_handler(dev) ? br_port_get_rcu(dev) : nullptr;
}

// --- br_arp_nd_proxy.c ---
void br_recalculate_neigh_suppress_enabled(net_bridge &br);
void br_do_proxy_suppress_arp(sk_buff &skb, net_bridge &br, u16 vid, net_bridge_port *p);

// --- br_switchdev.c: no driver offloads forwarding ---
bool br_switchdev_frame_uses_tx_fwd_offload(sk_buff &skb);
void br_switchdev_frame_set_offload_fwd_mark(sk_buff &skb);
void nbp_switchdev_frame_mark_tx_fwd_offload(const net_bridge_port &p, sk_buff &skb);
void nbp_switchdev_frame_mark_tx_fwd_to_hwdom(const net_bridge_port &p, sk_buff &skb);
void nbp_switchdev_frame_mark(const net_bridge_port &p, sk_buff &skb);
bool nbp_switchdev_allowed_egress(const net_bridge_port &p, const sk_buff &skb);
inline void br_switchdev_frame_unmark(sk_buff &skb) { skb.offload_fwd_mark = 0; }

// --- br_vlan.c ---
// False: the packet is gone.
bool br_allowed_ingress(const net_bridge &br, net_bridge_vlan_group *vg, skb_ptr &skb, u16 &vid, u8 &state,
                        net_bridge_vlan *&vlan);
bool br_allowed_egress(net_bridge_vlan_group *vg, const sk_buff &skb);
bool br_should_learn(net_bridge_port &p, sk_buff &skb, u16 &vid);
void br_handle_vlan(net_bridge &br, const net_bridge_port *p, net_bridge_vlan_group *vg, skb_ptr &skb);
net_bridge_vlan *br_vlan_find(net_bridge_vlan_group *vg, u16 vid);
int br_vlan_add(net_bridge &br, u16 vid, u16 flags, bool &changed);
int br_vlan_delete(net_bridge &br, u16 vid);
void br_vlan_flush(net_bridge &br);
int br_vlan_filter_toggle(net_bridge &br, bool val);
int br_vlan_set_proto(net_bridge &br, u16 val);
int br_vlan_set_default_pvid(net_bridge &br, u32 val);
int br_vlan_set_stats(net_bridge &br, u32 val);
int br_vlan_init(net_bridge &br);
int nbp_vlan_init(net_bridge_port &p);
int nbp_vlan_add(net_bridge_port &port, u16 vid, u16 flags, bool &changed);
int nbp_vlan_delete(net_bridge_port &port, u16 vid);
void nbp_vlan_flush(net_bridge_port &port);
bool br_vlan_enabled(const net_device &dev);
int br_vlan_bridge_event(net_device &dev, netdev_cmd event);

// --- br_nf_core.c ---
void br_netfilter_rtable_init(net_bridge &br);
inline rtable *bridge_parent_rtable(const net_device &dev)
{
	net_bridge_port *port = br_port_get_rcu(dev);
	return port ? &port->br->fake_rtable : nullptr;
}

// --- br_netlink.c: what `ip link` and `bridge link` set; a field without a value stays ---
constexpr int RTM_NEWLINK = 16, RTM_DELLINK = 17;
void br_ifinfo_notify(int event, const net_bridge *br, const net_bridge_port *port);
struct br_port_attributes {
	u32 flags_on = 0, flags_off = 0; // BR_*
	std::optional<u32> cost;
	std::optional<u16> priority;
	std::optional<u8> state;
	std::optional<u16> group_fwd_mask;
	std::optional<net_device *> backup_port;
	std::optional<u8> multicast_router;
	bool flush = false;
};
int br_setport(net_bridge_port &p, const br_port_attributes &tb);
struct br_attributes { // times in USER_HZ, hundredths of a second
	std::optional<u32> forward_delay, hello_time, max_age, ageing_time, stp_state;
	std::optional<u16> priority, group_fwd_mask, vlan_protocol, vlan_default_pvid;
	std::optional<u8> vlan_filtering, vlan_stats_enabled, mcast_snooping, mcast_router, nf_call_iptables,
		nf_call_arptables, nf_call_ip6tables, no_linklocal_learn;
	std::optional<mac_addr> group_address;
	bool fdb_flush = false;
};
int br_changelink(net_device &brdev, const br_attributes &data);
int br_dev_newlink(net &net, const std::string &name, const std::optional<mac_addr> &addr,
                   const br_attributes &data);

// --- br_stp*.c ---
void br_set_state(net_bridge_port &p, u8 state);
net_bridge_port *br_get_port(net_bridge &br, u16 port_no);
void br_init_port(net_bridge_port &p);
void br_become_designated_port(net_bridge_port &p);
void __br_set_forward_delay(net_bridge &br, u32 t);
int br_set_forward_delay(net_bridge &br, u32 val);
int br_set_hello_time(net_bridge &br, u32 val);
int br_set_max_age(net_bridge &br, u32 val);
int __set_ageing_time(net_device &dev, u32 t);
int br_set_ageing_time(net_bridge &br, u32 ageing_time);
void br_stp_enable_bridge(net_bridge &br);
void br_stp_disable_bridge(net_bridge &br);
int br_stp_set_enabled(net_bridge &br, bool val);
void br_stp_enable_port(net_bridge_port &p);
void br_stp_disable_port(net_bridge_port &p);
bool br_stp_recalculate_bridge_id(net_bridge &br);
void br_stp_change_bridge_id(net_bridge &br, const mac_addr &addr);
void br_stp_set_bridge_priority(net_bridge &br, u16 newprio);
int br_stp_set_port_priority(net_bridge_port &p, u32 newprio);
int br_stp_set_path_cost(net_bridge_port &p, u32 path_cost);
void br_stp_timer_init(net_bridge &br);
void br_stp_port_timer_init(net_bridge_port &p);
u32 br_timer_value(const timer_list &timer); // hundredths of a second

} // namespace skbwalk
