// SPDX-License-Identifier: GPL-2.0-only
//
// What a bridge learns about multicast groups by listening to IGMP (net/bridge/br_private.h): which ports
// have members of a group, behind which ports there are routers, and who asks.
#pragma once

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/kernel/rhashtable.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

struct net_bridge;
struct net_bridge_port;
struct net_bridge_vlan;

// A group: an IPv4 address, or what an entry by hand names.
struct br_ip {
	be32 dst;
	be16 proto;
	u16 vid;
};

constexpr u8 MDB_RTR_TYPE_DISABLED = 0, MDB_RTR_TYPE_TEMP_QUERY = 1, MDB_RTR_TYPE_PERM = 2,
	     MDB_RTR_TYPE_TEMP = 3;
constexpr u8 MDB_PG_FLAGS_PERMANENT = 1, MDB_PG_FLAGS_FAST_LEAVE = 4;

struct bridge_mcast_own_query {
	timer_list timer;
	u32 startup_sent = 0;
};
struct bridge_mcast_other_query {
	timer_list timer;
	timer_list delay_timer;
};
struct bridge_mcast_querier {
	be32 addr{};
	int port_ifidx = 0;
};
struct bridge_mcast_stats {
	std::array<u64, 2> igmp_v1queries{}, igmp_v2queries{}, igmp_v3queries{}, igmp_leaves{},
		igmp_v1reports{}, igmp_v2reports{}, igmp_v3reports{}; // received, sent
	u64 igmp_parse_errors = 0;
};
constexpr u8 BR_MCAST_DIR_RX = 0, BR_MCAST_DIR_TX = 1;

struct net_bridge_mcast_port {
	net_bridge_port *port = nullptr;
	bridge_mcast_own_query ip4_own_query;
	timer_list ip4_mc_router_timer;
	list_head ip4_rlist;
	u8 multicast_router = MDB_RTR_TYPE_TEMP_QUERY;
};
struct net_bridge_mcast {
	net_bridge *br = nullptr;
	u32 multicast_last_member_count = 0;
	u32 multicast_startup_query_count = 0;
	u8 multicast_querier = 0;
	u8 multicast_igmp_version = 0;
	u8 multicast_router = MDB_RTR_TYPE_TEMP_QUERY;
	// jiffies
	u32 multicast_last_member_interval = 0, multicast_membership_interval = 0,
	    multicast_querier_interval = 0, multicast_query_interval = 0,
	    multicast_query_response_interval = 0, multicast_startup_query_interval = 0;
	list_head ip4_mc_router_list; // net_bridge_mcast_port::ip4_rlist
	timer_list ip4_mc_router_timer;
	bridge_mcast_other_query ip4_other_query;
	bridge_mcast_own_query ip4_own_query;
	bridge_mcast_querier ip4_querier;
};

// A port that has members of a group.
struct net_bridge_port_group {
	net_bridge_port_group *next = nullptr; // of the same group, by descending address of the port
	net_bridge_port *port = nullptr;
	br_ip addr{};
	mac_addr eth_addr{};
	u8 flags = 0;
	timer_list timer;
	list_head mglist;
	rcu_head rcu;
};
struct net_bridge_mdb_entry {
	rhash_head rhnode;
	net_bridge *br = nullptr;
	net_bridge_port_group *ports = nullptr;
	br_ip addr{};
	bool host_joined = false;
	timer_list timer;
	list_head mdb_node;
	rcu_head rcu;
};

// Non-zero: the packet is to be dropped.
int br_multicast_rcv(net_bridge_mcast *&brmctx, net_bridge_mcast_port *&pmctx, net_bridge_vlan *vlan,
                     sk_buff &skb, u16 vid);
net_bridge_mdb_entry *br_mdb_get(net_bridge_mcast &brmctx, sk_buff &skb, u16 vid);
int br_multicast_add_port(net_bridge_port &port);
void br_multicast_del_port(net_bridge_port &port);
void br_multicast_enable_port(net_bridge_port &port);
void br_multicast_disable_port(net_bridge_port &port);
void br_multicast_init(net_bridge &br);
void br_multicast_open(net_bridge &br);
void br_multicast_stop(net_bridge &br);
void br_multicast_dev_del(net_bridge &br);
int br_multicast_toggle(net_bridge &br, bool val);
int br_multicast_set_router(net_bridge_mcast &brmctx, u8 val);
int br_multicast_set_port_router(net_bridge_mcast_port &pmctx, u8 val);
void br_multicast_count(net_bridge &br, const net_bridge_port *p, const sk_buff &skb, u8 type, u8 dir);
u8 br_multicast_igmp_type(const sk_buff &skb); // header inlines
bool br_multicast_querier_exists(const net_bridge_mcast &brmctx, const sk_buff &skb,
                                 const net_bridge_mdb_entry *mdb);
bool br_multicast_is_router(const net_bridge_mcast &brmctx, const sk_buff &skb);
int br_mdb_hash_init(net_bridge &br);
void br_mdb_hash_fini(net_bridge &br);

} // namespace skbwalk
