// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_multicast.c: IGMP snooping. br_multicast_rcv looks at every multicast frame; a report puts
// its port into the group's entry (br_multicast_add_group) for as long as members last, a query says behind
// which port there is a router. br_mdb_get finds a frame's group, and while somebody asks
// (br_multicast_querier_exists) the frame goes to members and routers only; else to all. Left out: asking
// itself (mcast_querier), sources (IGMPv3's reports count by group), IPv6, per-VLAN contexts, PIM, messages
// to user space.
#include "stack/bridge/br_private.h"
#include "stack/ipv4/igmp.h"

namespace skbwalk {

namespace {

constexpr u32 BR_MULTICAST_DEFAULT_HASH_MAX = 4096;

template <class Fn> void for_each_port_group(net_bridge_port &port, Fn fn)
{
	br_for_each<net_bridge_port_group, &net_bridge_port_group::mglist>(port.mglist, fn);
}

} // namespace

int br_mdb_hash_init(net_bridge &br)
{
	TRACE(br.dev);
	rhashtable_init(br.mdb_hash_tbl);
	return 0;
}

void br_mdb_hash_fini(net_bridge &br)
{
	TRACE(br.dev);
	rhashtable_destroy(br.mdb_hash_tbl);
}

// --- which group a frame is for, and whether that limits it ---

static net_bridge_mdb_entry *br_mdb_ip_get_rcu(net_bridge &br, const br_ip &dst)
{
	TRACE(br.dev);
	return rhashtable_lookup(br.mdb_hash_tbl, dst);
}

static net_bridge_mdb_entry *br_mdb_ip_get(net_bridge &br, const br_ip &dst)
{
	TRACE(br.dev);
	assert(spin_is_locked(br.multicast_lock));
	return br_mdb_ip_get_rcu(br, dst);
}

net_bridge_mdb_entry *br_mdb_get(net_bridge_mcast &brmctx, sk_buff &skb, u16 vid)
{
	TRACE(skb);
	net_bridge &br = *brmctx.br;

	if (!br_opt_get(br, BROPT_MULTICAST_ENABLED) || BR_INPUT_SKB_CB(skb).igmp)
		return nullptr;
	// Other protocols' entries are made by hand only.
	if (!(skb.protocol == htons(ETH_P_IP)))
		return nullptr;
	return br_mdb_ip_get_rcu(br, {ip_hdr(skb).daddr, skb.protocol, vid});
}

u8 br_multicast_igmp_type(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return BR_INPUT_SKB_CB(skb).igmp;
}

bool br_multicast_querier_exists(const net_bridge_mcast &brmctx, const sk_buff &skb,
                                 const net_bridge_mdb_entry *mdb)
{
	TRACE_INLINE(skb);
	if (!(eth_hdr(skb).h_proto == htons(ETH_P_IP)))
		return mdb != nullptr;
	// Members need the time of an answer after the first question.
	return !timer_pending(brmctx.ip4_other_query.delay_timer) &&
	       (brmctx.multicast_querier || timer_pending(brmctx.ip4_other_query.timer));
}

static bool br_ip4_multicast_is_router(const net_bridge_mcast &brmctx)
{
	TRACE_INLINE();
	return brmctx.multicast_router == MDB_RTR_TYPE_PERM ||
	       (brmctx.multicast_router == MDB_RTR_TYPE_TEMP_QUERY &&
	        timer_pending(brmctx.ip4_mc_router_timer));
}

bool br_multicast_is_router(const net_bridge_mcast &brmctx, const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return skb.protocol == htons(ETH_P_IP) && br_ip4_multicast_is_router(brmctx);
}

// --- entries come and go; under multicast_lock ---

static void free_port_group(rcu_head *head)
{
	TRACE();
	delete &container_of(*head, &net_bridge_port_group::rcu);
}

static void free_mdb_entry(rcu_head *head)
{
	TRACE();
	delete &container_of(*head, &net_bridge_mdb_entry::rcu);
}

static void br_multicast_del_mdb_entry(net_bridge_mdb_entry &mp)
{
	TRACE(mp.br->dev);
	del_timer(mp.timer);
	rhashtable_remove_fast(mp.br->mdb_hash_tbl, mp);
	list_del_init(mp.mdb_node);
	call_rcu(mp.rcu, free_mdb_entry);
}

static void br_multicast_del_pg(net_bridge_mdb_entry &mp, net_bridge_port_group &pg,
                                net_bridge_port_group *&at)
{
	TRACE(mp.br->dev);
	at = pg.next;
	list_del_init(pg.mglist);
	del_timer(pg.timer);
	call_rcu(pg.rcu, free_port_group);
	// The entry ends when nobody is left; the timer says so outside of any walk.
	if (!mp.ports && !mp.host_joined && netif_running(*mp.br->dev))
		mod_timer(mp.timer, jiffies());
}

static void br_multicast_find_del_pg(net_bridge &br, net_bridge_port_group &pg)
{
	TRACE(br.dev);
	net_bridge_mdb_entry *mp = br_mdb_ip_get(br, pg.addr);

	assert(mp);
	TRACE_PART();
	for (net_bridge_port_group **pp = &mp->ports; *pp; pp = &(*pp)->next) {
		if (*pp != &pg)
			continue;
		br_multicast_del_pg(*mp, pg, *pp);
		return;
	}
	assert(false && "a port's group that its entry does not have");
}

static void br_multicast_host_leave(net_bridge_mdb_entry &mp)
{
	TRACE(mp.br->dev);
	mp.host_joined = false;
}

static void br_multicast_group_expired(timer_list &t)
{
	TRACE();
	net_bridge_mdb_entry &mp = container_of(t, &net_bridge_mdb_entry::timer);
	net_bridge &br = *mp.br;

	spin_lock(br.multicast_lock);
	if (!list_empty(mp.mdb_node) && netif_running(*br.dev) && !timer_pending(mp.timer)) {
		br_multicast_host_leave(mp);
		if (!mp.ports)
			br_multicast_del_mdb_entry(mp);
	}
	spin_unlock(br.multicast_lock);
}

static void br_multicast_port_group_expired(timer_list &t)
{
	TRACE();
	net_bridge_port_group &pg = container_of(t, &net_bridge_port_group::timer);
	net_bridge &br = *pg.port->br;

	spin_lock(br.multicast_lock);
	if (netif_running(*br.dev) && !timer_pending(pg.timer) && !list_empty(pg.mglist) &&
	    !(pg.flags & MDB_PG_FLAGS_PERMANENT))
		br_multicast_find_del_pg(br, pg);
	spin_unlock(br.multicast_lock);
}

static net_bridge_mdb_entry *br_multicast_new_group(net_bridge &br, const br_ip &group)
{
	TRACE(br.dev);
	if (net_bridge_mdb_entry *mp = br_mdb_ip_get(br, group))
		return mp;
	if (br.mdb_hash_tbl.nelems >= br.hash_max) {
		br_opt_toggle(br, BROPT_MULTICAST_ENABLED, false);
		return nullptr;
	}
	auto *mp = new net_bridge_mdb_entry;

	mp->br = &br;
	mp->addr = group;
	timer_setup(mp->timer, br_multicast_group_expired, 0);
	rhashtable_lookup_insert_fast(br.mdb_hash_tbl, *mp);
	list_add(mp->mdb_node, br.mdb_list);
	return mp;
}

static net_bridge_port_group *br_multicast_new_port_group(net_bridge_port &port, const br_ip &group,
                                                          net_bridge_port_group *next, const mac_addr &src)
{
	TRACE(port.dev);
	auto *p = new net_bridge_port_group;

	p->port = &port;
	p->addr = group;
	p->next = next;
	p->eth_addr = src;
	timer_setup(p->timer, br_multicast_port_group_expired, 0);
	list_add(p->mglist, port.mglist);
	return p;
}

static bool br_port_group_equal(const net_bridge_port_group &p, const net_bridge_port &port,
                                const mac_addr &src)
{
	TRACE();
	return p.port == &port &&
	       (!(port.flags & BR_MULTICAST_TO_UNICAST) || ether_addr_equal(src, p.eth_addr));
}

static void br_multicast_host_join(net_bridge_mcast &brmctx, net_bridge_mdb_entry &mp)
{
	TRACE(brmctx.br->dev);
	mp.host_joined = true;
	mod_timer(mp.timer, jiffies() + brmctx.multicast_membership_interval);
}

// May what comes by this port, or from the bridge itself, change anything?
static bool br_multicast_ctx_should_use(const net_bridge_mcast &brmctx, const net_bridge_mcast_port *pmctx)
{
	TRACE();
	return netif_running(*brmctx.br->dev) && (!pmctx || (pmctx->port->state != BR_STATE_DISABLED &&
	                                                     pmctx->port->state != BR_STATE_BLOCKING));
}

static void __br_multicast_add_group(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx,
                                     const br_ip &group, const mac_addr &src)
{
	TRACE(brmctx.br->dev);
	if (!br_multicast_ctx_should_use(brmctx, pmctx))
		return;
	net_bridge_mdb_entry *mp = br_multicast_new_group(*brmctx.br, group);

	if (!mp)
		return;
	if (!pmctx) {
		br_multicast_host_join(brmctx, *mp);
		return;
	}
	net_bridge_port &port = *pmctx->port;
	net_bridge_port_group **pp = &mp->ports;

	while (*pp && !br_port_group_equal(**pp, port, src) && (*pp)->port->port_no >= port.port_no)
		pp = &(*pp)->next;
	if (!*pp || !br_port_group_equal(**pp, port, src))
		*pp = br_multicast_new_port_group(port, group, *pp, src);
	mod_timer((*pp)->timer, jiffies() + brmctx.multicast_membership_interval);
}

static int br_multicast_add_group(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, const br_ip &group,
                                  const mac_addr &src)
{
	TRACE(brmctx.br->dev);
	spin_lock(brmctx.br->multicast_lock);
	__br_multicast_add_group(brmctx, pmctx, group, src);
	spin_unlock(brmctx.br->multicast_lock);
	return 0;
}

// Groups 224.0.0.x are for everybody on the link, always.
static int br_ip4_multicast_add_group(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, be32 group,
                                      u16 vid, const mac_addr &src)
{
	TRACE(brmctx.br->dev);
	if (ipv4_is_local_multicast(group))
		return 0;
	return br_multicast_add_group(brmctx, pmctx, {group, htons(ETH_P_IP), vid}, src);
}

static void br_multicast_leave_group(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx,
                                     const br_ip &group, const mac_addr &src)
{
	TRACE(brmctx.br->dev);
	const u32 time =
		jiffies() + brmctx.multicast_last_member_count * brmctx.multicast_last_member_interval;
	const auto sooner = [&](timer_list &timer) {
		if (!timer_pending(timer) || time_after(timer.expires, time))
			mod_timer(timer, time);
	};

	spin_lock(brmctx.br->multicast_lock);
	net_bridge_mdb_entry *mp =
		br_multicast_ctx_should_use(brmctx, pmctx) ? br_mdb_ip_get(*brmctx.br, group) : nullptr;

	if (mp && pmctx && (pmctx->port->flags & BR_MULTICAST_FAST_LEAVE)) {
		for (net_bridge_port_group **pp = &mp->ports; *pp; pp = &(*pp)->next) {
			if (!br_port_group_equal(**pp, *pmctx->port, src))
				continue;
			if (!((*pp)->flags & MDB_PG_FLAGS_PERMANENT)) {
				(*pp)->flags |= MDB_PG_FLAGS_FAST_LEAVE;
				br_multicast_del_pg(*mp, **pp, *pp);
			}
			break;
		}
	} else if (mp && !timer_pending(brmctx.ip4_other_query.timer)) {
		// Else who asks will ask once more, and silence will tell.
		if (!pmctx && mp->host_joined)
			sooner(mp->timer);
		for (net_bridge_port_group *p = mp->ports; p && pmctx; p = p->next) {
			if (p->port != pmctx->port)
				continue;
			sooner(p->timer);
			break;
		}
	}
	spin_unlock(brmctx.br->multicast_lock);
}

static void br_ip4_multicast_leave_group(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, be32 group,
                                         u16 vid, const mac_addr &src)
{
	TRACE(brmctx.br->dev);
	if (ipv4_is_local_multicast(group))
		return;
	br_multicast_leave_group(brmctx, pmctx, {group, htons(ETH_P_IP), vid}, src);
}

// --- routers ---

static void br_multicast_add_router(net_bridge_mcast &brmctx, net_bridge_mcast_port &pmctx)
{
	TRACE(brmctx.br->dev);
	if (!list_empty(pmctx.ip4_rlist))
		return;
	TRACE_PART();
	list_head *slot = brmctx.ip4_mc_router_list.next; // the highest number first

	while (slot != &brmctx.ip4_mc_router_list &&
	       container_of(*slot, &net_bridge_mcast_port::ip4_rlist).port->port_no > pmctx.port->port_no)
		slot = slot->next;
	list_add_tail(pmctx.ip4_rlist, *slot);
}

static void br_multicast_mark_router(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx,
                                     timer_list &timer)
{
	TRACE(brmctx.br->dev);
	const u32 until = jiffies() + brmctx.multicast_querier_interval;

	if (!br_multicast_ctx_should_use(brmctx, pmctx))
		return;
	if (!pmctx) {
		if (brmctx.multicast_router == MDB_RTR_TYPE_TEMP_QUERY)
			mod_timer(timer, until);
		return;
	}
	if (pmctx->multicast_router == MDB_RTR_TYPE_DISABLED || pmctx->multicast_router == MDB_RTR_TYPE_PERM)
		return;
	br_multicast_add_router(brmctx, *pmctx);
	mod_timer(timer, until);
}

static void br_ip4_multicast_mark_router(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx)
{
	TRACE(brmctx.br->dev);
	br_multicast_mark_router(brmctx, pmctx,
	                         pmctx ? pmctx->ip4_mc_router_timer : brmctx.ip4_mc_router_timer);
}

static void br_ip4_multicast_router_expired(timer_list &t)
{
	TRACE();
	net_bridge_mcast_port &pmctx = container_of(t, &net_bridge_mcast_port::ip4_mc_router_timer);
	net_bridge &br = *pmctx.port->br;

	spin_lock(br.multicast_lock);
	if (pmctx.multicast_router != MDB_RTR_TYPE_DISABLED && pmctx.multicast_router != MDB_RTR_TYPE_PERM &&
	    !timer_pending(t))
		list_del_init(pmctx.ip4_rlist);
	spin_unlock(br.multicast_lock);
}

// Nothing is left to do: that it does not run any more is what others look at.
static void br_ip4_multicast_local_router_expired(timer_list &) { TRACE(); }
static void br_ip4_multicast_querier_expired(timer_list &) { TRACE(); }
static void br_multicast_query_delay_expired(timer_list &) { TRACE(); }

// The lowest address asks for all.
static bool br_multicast_select_querier(net_bridge_mcast &brmctx, const net_bridge_mcast_port *pmctx,
                                        be32 saddr)
{
	TRACE(brmctx.br->dev);
	bridge_mcast_querier &querier = brmctx.ip4_querier;

	if (querier.addr && ntohl(saddr) > ntohl(querier.addr) && timer_pending(brmctx.ip4_other_query.timer))
		return false;
	querier = {saddr, pmctx ? pmctx->port->dev->ifindex : 0};
	return true;
}

static void br_ip4_multicast_query_received(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx,
                                            be32 saddr, u32 max_delay)
{
	TRACE(brmctx.br->dev);
	bridge_mcast_other_query &query = brmctx.ip4_other_query;

	if (!br_multicast_select_querier(brmctx, pmctx, saddr))
		return;
	if (!timer_pending(query.timer))
		mod_timer(query.delay_timer, jiffies() + max_delay);
	mod_timer(query.timer, jiffies() + brmctx.multicast_querier_interval);
	br_ip4_multicast_mark_router(brmctx, pmctx);
}

// --- what IGMP says ---

namespace {

// A code of IGMPv3 from 0x80 on is a floating-point number.
u32 igmpv3_time(u8 code)
{
	return code < 0x80 ? code : ((code & 0x0fu) | 0x10u) << (((code >> 4) & 0x07u) + 3);
}

} // namespace

static void br_ip4_multicast_query(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, sk_buff &skb,
                                   u16 vid)
{
	TRACE(skb);
	net_bridge &br = *brmctx.br;
	const u32 transport_len = ip_transport_len(skb);
	const igmphdr &ih = igmp_hdr(skb);
	be32 group = ih.group;
	u32 max_delay;

	spin_lock(br.multicast_lock);
	const auto done = [&] { spin_unlock(br.multicast_lock); };

	if (!br_multicast_ctx_should_use(brmctx, pmctx))
		return done();
	if (transport_len == sizeof(igmphdr)) {
		max_delay = ih.code * (HZ / IGMP_TIMER_SCALE);
		if (!max_delay) {
			max_delay = 10 * HZ;
			group = {};
		}
	} else {
		const auto &ih3 = reinterpret_cast<const igmpv3_query &>(ih);

		if (ih3.nsrcs)
			return done();
		max_delay = ih3.code ? igmpv3_time(ih3.code) * (HZ / IGMP_TIMER_SCALE) : 1;
	}
	if (!group) {
		br_ip4_multicast_query_received(brmctx, pmctx, ip_hdr(skb).saddr, max_delay);
		return done();
	}
	if (net_bridge_mdb_entry *mp = br_mdb_ip_get(br, {group, htons(ETH_P_IP), vid})) {
		const u32 until = jiffies() + max_delay * brmctx.multicast_last_member_count;
		const auto sooner = [&](timer_list &timer) {
			if (!timer_pending(timer) || time_after(timer.expires, until))
				mod_timer(timer, until);
		};

		if (mp->host_joined)
			sooner(mp->timer);
		for (net_bridge_port_group *p = mp->ports; p; p = p->next)
			sooner(p->timer);
	}
	done();
}

// Unlike the kernel, a record counts by its group alone: a change to include nothing leaves it, all others
// join.
static int br_ip4_multicast_igmp3_report(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, sk_buff &skb,
                                         u16 vid)
{
	TRACE(skb);
	const auto &ih = reinterpret_cast<const igmpv3_report &>(igmp_hdr(skb));
	const mac_addr src = eth_hdr(skb).h_source;
	const u32 num = ntohs(ih.ngrec);
	u32 len = static_cast<u32>(skb_transport_offset(skb)) + u32{sizeof(ih)};

	for (u32 i = 0; i < num; ++i) {
		len += u32{sizeof(igmpv3_grec)};
		if (!ip_mc_may_pull(skb, len))
			return -EINVAL;
		const igmpv3_grec grec =
			*reinterpret_cast<const igmpv3_grec *>(skb.data + len - sizeof(igmpv3_grec));
		const u32 nsrcs = ntohs(grec.grec_nsrcs);

		len += nsrcs * 4;
		if (!ip_mc_may_pull(skb, len))
			return -EINVAL;
		if (grec.grec_type < IGMPV3_MODE_IS_INCLUDE || grec.grec_type > IGMPV3_BLOCK_OLD_SOURCES)
			continue;
		const bool includes = grec.grec_type == IGMPV3_CHANGE_TO_INCLUDE ||
		                      grec.grec_type == IGMPV3_MODE_IS_INCLUDE;

		if (includes && !nsrcs)
			br_ip4_multicast_leave_group(brmctx, pmctx, grec.grec_mca, vid, src);
		else if (const int err = br_ip4_multicast_add_group(brmctx, pmctx, grec.grec_mca, vid, src))
			return err;
	}
	return 0;
}

static void br_multicast_err_count(net_bridge &br, net_bridge_port *p)
{
	TRACE(br.dev);
	if (br_opt_get(br, BROPT_MULTICAST_STATS_ENABLED))
		++(p ? p->mcast_stats : br.mcast_stats).igmp_parse_errors;
}

static int br_multicast_ipv4_rcv(net_bridge_mcast &brmctx, net_bridge_mcast_port *pmctx, sk_buff &skb,
                                 u16 vid)
{
	TRACE(skb);
	net_bridge_port *p = pmctx ? pmctx->port : nullptr;
	int err = ip_mc_check_igmp(skb);

	if (err == -ENOMSG) {
		if (!ipv4_is_local_multicast(ip_hdr(skb).daddr))
			BR_INPUT_SKB_CB(skb).mrouters_only = 1;
		return 0;
	}
	if (err < 0) {
		br_multicast_err_count(*brmctx.br, p);
		return err;
	}
	const mac_addr src = eth_hdr(skb).h_source;
	const igmphdr &ih = igmp_hdr(skb);
	const u8 type = ih.type;

	BR_INPUT_SKB_CB(skb).igmp = type;
	switch (type) {
	case IGMP_HOST_MEMBERSHIP_REPORT:
	case IGMPV2_HOST_MEMBERSHIP_REPORT:
		BR_INPUT_SKB_CB(skb).mrouters_only = 1;
		err = br_ip4_multicast_add_group(brmctx, pmctx, ih.group, vid, src);
		break;
	case IGMPV3_HOST_MEMBERSHIP_REPORT:
		err = br_ip4_multicast_igmp3_report(brmctx, pmctx, skb, vid);
		break;
	case IGMP_HOST_MEMBERSHIP_QUERY:
		br_ip4_multicast_query(brmctx, pmctx, skb, vid);
		break;
	case IGMP_HOST_LEAVE_MESSAGE:
		br_ip4_multicast_leave_group(brmctx, pmctx, ih.group, vid, src);
		break;
	}
	br_multicast_count(*brmctx.br, p, skb, type, BR_MCAST_DIR_RX);
	return err;
}

int br_multicast_rcv(net_bridge_mcast *&brmctx, net_bridge_mcast_port *&pmctx, net_bridge_vlan *,
                     sk_buff &skb, u16 vid)
{
	TRACE(skb);
	BR_INPUT_SKB_CB(skb).igmp = 0;
	BR_INPUT_SKB_CB(skb).mrouters_only = 0;
	if (!br_opt_get(*brmctx->br, BROPT_MULTICAST_ENABLED))
		return 0;
	if (skb.protocol == htons(ETH_P_IP))
		return br_multicast_ipv4_rcv(*brmctx, pmctx, skb, vid);
	return 0;
}

void br_multicast_count(net_bridge &br, const net_bridge_port *p, const sk_buff &skb, u8 type, u8 dir)
{
	TRACE(skb);
	if (!type || !br_opt_get(br, BROPT_MULTICAST_STATS_ENABLED))
		return;
	bridge_mcast_stats &stats = p ? const_cast<net_bridge_port *>(p)->mcast_stats : br.mcast_stats;

	switch (type) {
	case IGMP_HOST_MEMBERSHIP_REPORT:
		++stats.igmp_v1reports[dir];
		break;
	case IGMPV2_HOST_MEMBERSHIP_REPORT:
		++stats.igmp_v2reports[dir];
		break;
	case IGMPV3_HOST_MEMBERSHIP_REPORT:
		++stats.igmp_v3reports[dir];
		break;
	case IGMP_HOST_MEMBERSHIP_QUERY:
		if (ip_transport_len(skb) != sizeof(igmphdr))
			++stats.igmp_v3queries[dir];
		else
			++(igmp_hdr(skb).code ? stats.igmp_v2queries : stats.igmp_v1queries)[dir];
		break;
	case IGMP_HOST_LEAVE_MESSAGE:
		++stats.igmp_leaves[dir];
		break;
	}
}

// --- with the bridge and its ports ---

int br_multicast_add_port(net_bridge_port &port)
{
	TRACE(port.dev);
	port.multicast_ctx.port = &port;
	timer_setup(port.multicast_ctx.ip4_mc_router_timer, br_ip4_multicast_router_expired, 0);
	return 0;
}

static void __br_multicast_disable_port_ctx(net_bridge_mcast_port &pmctx, bool permanent_too)
{
	TRACE(pmctx.port->dev);
	for_each_port_group(*pmctx.port, [&](net_bridge_port_group &pg) {
		if (permanent_too || !(pg.flags & MDB_PG_FLAGS_PERMANENT))
			br_multicast_find_del_pg(*pmctx.port->br, pg);
	});
	list_del_init(pmctx.ip4_rlist);
	del_timer(pmctx.ip4_mc_router_timer);
}

void br_multicast_del_port(net_bridge_port &port)
{
	TRACE(port.dev);
	spin_lock_bh(port.br->multicast_lock);
	__br_multicast_disable_port_ctx(port.multicast_ctx, true);
	spin_unlock_bh(port.br->multicast_lock);
}

void br_multicast_enable_port(net_bridge_port &port)
{
	TRACE(port.dev);
	net_bridge_mcast_port &pmctx = port.multicast_ctx;

	spin_lock_bh(port.br->multicast_lock);
	if (br_opt_get(*port.br, BROPT_MULTICAST_ENABLED) && netif_running(*port.br->dev) &&
	    pmctx.multicast_router == MDB_RTR_TYPE_PERM)
		br_multicast_add_router(port.br->multicast_ctx, pmctx);
	spin_unlock_bh(port.br->multicast_lock);
}

void br_multicast_disable_port(net_bridge_port &port)
{
	TRACE(port.dev);
	spin_lock_bh(port.br->multicast_lock);
	__br_multicast_disable_port_ctx(port.multicast_ctx, false);
	spin_unlock_bh(port.br->multicast_lock);
}

static void br_multicast_ctx_init(net_bridge &br, net_bridge_mcast &brmctx)
{
	TRACE(br.dev);
	brmctx.br = &br;
	brmctx.multicast_router = MDB_RTR_TYPE_TEMP_QUERY;
	brmctx.multicast_last_member_count = 2;
	brmctx.multicast_startup_query_count = 2;
	brmctx.multicast_last_member_interval = HZ;
	brmctx.multicast_query_response_interval = 10 * HZ;
	brmctx.multicast_startup_query_interval = 125 * HZ / 4;
	brmctx.multicast_query_interval = 125 * HZ;
	brmctx.multicast_querier_interval = 255 * HZ;
	brmctx.multicast_membership_interval = 260 * HZ;
	brmctx.multicast_igmp_version = 2;
	timer_setup(brmctx.ip4_mc_router_timer, br_ip4_multicast_local_router_expired, 0);
	timer_setup(brmctx.ip4_other_query.timer, br_ip4_multicast_querier_expired, 0);
	timer_setup(brmctx.ip4_other_query.delay_timer, br_multicast_query_delay_expired, 0);
}

void br_multicast_init(net_bridge &br)
{
	TRACE(br.dev);
	br.hash_max = BR_MULTICAST_DEFAULT_HASH_MAX;
	br_multicast_ctx_init(br, br.multicast_ctx);
	br_opt_toggle(br, BROPT_MULTICAST_ENABLED, true);
	br_opt_toggle(br, BROPT_HAS_IPV6_ADDR, true);
}

void br_multicast_open(net_bridge &br)
{
	TRACE(br.dev);
	if (br_opt_get(br, BROPT_MULTICAST_ENABLED))
		for_each_port(br, [](net_bridge_port &p) {
			if (p.state != BR_STATE_DISABLED && p.state != BR_STATE_BLOCKING)
				br_multicast_enable_port(p);
		});
}

void br_multicast_stop(net_bridge &br)
{
	TRACE(br.dev);
	net_bridge_mcast &brmctx = br.multicast_ctx;

	del_timer_sync(brmctx.ip4_mc_router_timer);
	del_timer_sync(brmctx.ip4_other_query.timer);
	del_timer_sync(brmctx.ip4_other_query.delay_timer);
}

void br_multicast_dev_del(net_bridge &br)
{
	TRACE(br.dev);
	spin_lock_bh(br.multicast_lock);
	br_for_each<net_bridge_mdb_entry, &net_bridge_mdb_entry::mdb_node>(
		br.mdb_list, [](net_bridge_mdb_entry &mp) { br_multicast_del_mdb_entry(mp); });
	spin_unlock_bh(br.multicast_lock);
	br_multicast_stop(br);
}

int br_multicast_set_router(net_bridge_mcast &brmctx, u8 val)
{
	TRACE(brmctx.br->dev);
	if (val > MDB_RTR_TYPE_PERM)
		return -EINVAL;
	spin_lock_bh(brmctx.br->multicast_lock);
	del_timer(brmctx.ip4_mc_router_timer);
	brmctx.multicast_router = val;
	spin_unlock_bh(brmctx.br->multicast_lock);
	return 0;
}

int br_multicast_set_port_router(net_bridge_mcast_port &pmctx, u8 val)
{
	TRACE(pmctx.port->dev);
	net_bridge &br = *pmctx.port->br;

	if (val > MDB_RTR_TYPE_TEMP)
		return -EINVAL;
	spin_lock_bh(br.multicast_lock);
	const bool changed = pmctx.multicast_router != val;

	pmctx.multicast_router = val;
	switch (val) {
	case MDB_RTR_TYPE_DISABLED:
		list_del_init(pmctx.ip4_rlist);
		del_timer(pmctx.ip4_mc_router_timer);
		break;
	case MDB_RTR_TYPE_TEMP_QUERY:
		if (changed)
			list_del_init(pmctx.ip4_rlist);
		break;
	case MDB_RTR_TYPE_PERM:
		del_timer(pmctx.ip4_mc_router_timer);
		br_multicast_add_router(br.multicast_ctx, pmctx);
		break;
	default:
		br_ip4_multicast_mark_router(br.multicast_ctx, &pmctx);
	}
	spin_unlock_bh(br.multicast_lock);
	return 0;
}

int br_multicast_toggle(net_bridge &br, bool val)
{
	TRACE(br.dev);
	if (br_opt_get(br, BROPT_MULTICAST_ENABLED) == val)
		return 0;
	br_opt_toggle(br, BROPT_MULTICAST_ENABLED, val);
	if (val) {
		if (netif_running(*br.dev))
			br_multicast_open(br);
	} else {
		for_each_port(br, [](net_bridge_port &p) { br_multicast_disable_port(p); });
	}
	return 0;
}

} // namespace skbwalk
