// SPDX-License-Identifier: GPL-2.0-only
//
// Neighbours (net/core/neighbour.c): who has which link-layer address, the NUD states, their timers, the
// packets that wait for an answer, and the cached link-layer header.
//
//   NONE -> INCOMPLETE -> REACHABLE -> STALE -> DELAY -> PROBE -> (REACHABLE | FAILED); NOARP and PERMANENT
//   stand apart
#pragma once

#include "stack/core/netdevice.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

constexpr u8 NUD_INCOMPLETE = 0x01, NUD_REACHABLE = 0x02, NUD_STALE = 0x04, NUD_DELAY = 0x08,
	     NUD_PROBE = 0x10, NUD_FAILED = 0x20, NUD_NOARP = 0x40, NUD_PERMANENT = 0x80, NUD_NONE = 0x00;
constexpr u8 NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE;
constexpr u8 NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
constexpr u8 NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE;
constexpr u32 NEIGH_UPDATE_F_OVERRIDE = 1, NEIGH_UPDATE_F_WEAK_OVERRIDE = 2,
	      NEIGH_UPDATE_F_OVERRIDE_ISROUTER = 4, NEIGH_UPDATE_F_USE = 1 << 28,
	      NEIGH_UPDATE_F_ISROUTER = 1 << 30, NEIGH_UPDATE_F_ADMIN = 1u << 31;

enum {
	NEIGH_VAR_MCAST_PROBES,
	NEIGH_VAR_UCAST_PROBES,
	NEIGH_VAR_APP_PROBES,
	NEIGH_VAR_MCAST_REPROBES,
	NEIGH_VAR_RETRANS_TIME,
	NEIGH_VAR_BASE_REACHABLE_TIME,
	NEIGH_VAR_DELAY_PROBE_TIME,
	NEIGH_VAR_GC_STALETIME,
	NEIGH_VAR_QUEUE_LEN_BYTES,
	NEIGH_VAR_PROXY_QLEN,
	NEIGH_VAR_ANYCAST_DELAY,
	NEIGH_VAR_PROXY_DELAY,
	NEIGH_VAR_LOCKTIME,
	NEIGH_VAR_GC_INTERVAL,
	NEIGH_VAR_GC_THRESH1,
	NEIGH_VAR_GC_THRESH2,
	NEIGH_VAR_GC_THRESH3,
	NEIGH_VAR_MAX
};

struct neigh_table;
struct neighbour;
struct neigh_parms {
	neigh_table *tbl = nullptr;
	net_device *dev = nullptr;
	std::array<int, NEIGH_VAR_MAX> data{}; // times in jiffies
	u32 reachable_time = 0;
	refcount_t refcnt;
	bool dead = false;
	rcu_head rcu;
};
inline int NEIGH_VAR(const neigh_parms &p, int attr) { return p.data[static_cast<std::size_t>(attr)]; }

struct neigh_ops {
	u16 family;
	void (*solicit)(neighbour &n, sk_buff *skb); // skb, where there is one, is borrowed
	void (*error_report)(neighbour &n, skb_ptr skb);
	int (*output)(neighbour &n, skb_ptr skb);
	int (*connected_output)(neighbour &n, skb_ptr skb);
};

constexpr u32 HH_DATA_MOD = 16;
constexpr u32 HH_DATA_OFF(u32 len) { return HH_DATA_MOD - (((len - 1) & (HH_DATA_MOD - 1)) + 1); }
struct hh_cache {
	u32 hh_len = 0;
	alignas(8) u8 hh_data[16] = {}; // an Ethernet header ends at byte 16
};

struct neighbour {
	neighbour *next = nullptr; // hash chain
	neigh_table *tbl = nullptr;
	neigh_parms *parms = nullptr;
	u32 confirmed = 0; // jiffies
	u32 updated = 0;
	u32 used = 0;
	rwlock_t lock;
	refcount_t refcnt;
	u32 arp_queue_len_bytes = 0;
	sk_buff_head arp_queue;
	timer_list timer;
	atomic_t probes{0};
	u8 nud_state = NUD_NONE;
	u8 type = 0; // RTN_*
	u8 dead = 0;
	u8 flags = 0;
	bool protocol_learned = false;
	mac_addr ha{};
	hh_cache hh;
	int (*output)(neighbour &n, skb_ptr skb) = nullptr;
	const neigh_ops *ops = nullptr;
	net_device *dev = nullptr;
	be32 primary_key{};
	rcu_head rcu;
	list_head gc_list;
};

struct neigh_hash_table {
	std::vector<neighbour *> hash_buckets;
	u32 hash_shift = 3;
	std::array<u32, 4> hash_rnd{};
};

struct neigh_table {
	neigh_table() = default;
	neigh_table(const neigh_table &) = delete;
	neigh_table &operator=(const neigh_table &) = delete;
	~neigh_table(); // no entry is left
	u16 family = 0;
	u32 key_len = 4;
	be16 protocol{};
	u32 (*hash)(const be32 &key, const net_device &dev, const u32 *rnd) = nullptr;
	bool (*key_eq)(const neighbour &n, const be32 &key) = nullptr;
	int (*constructor)(neighbour &n) = nullptr;
	const char *id = "";
	neigh_parms parms;
	std::vector<neigh_parms *> parms_list; // of devices, newest first
	u32 gc_interval = 30 * HZ, gc_thresh1 = 128, gc_thresh2 = 512, gc_thresh3 = 1024;
	u32 last_flush = 0, last_rand = 0;
	delayed_work gc_work;
	rwlock_t lock;
	u32 entries = 0;
	neigh_hash_table nht;
	list_head gc_list; // entries that may be collected, oldest first
	u32 gc_entries = 0;
	u64 lookups = 0, hits = 0, allocs = 0, destroys = 0, hash_grows = 0, res_failed = 0,
	    periodic_gc_runs = 0, forced_gc_runs = 0, unres_discards = 0, table_fulls = 0;
};

void neigh_table_init(neigh_table &tbl);
void neigh_table_clear(neigh_table &tbl);
neigh_parms *neigh_parms_alloc(net_device &dev, neigh_table &tbl);
void neigh_parms_release(neigh_table &tbl, neigh_parms &parms);
neighbour *neigh_lookup(neigh_table &tbl, const be32 &pkey, net_device &dev); // counted
neighbour *__neigh_create(neigh_table &tbl, const be32 &pkey, net_device &dev,
                          bool want_ref); // null on error
neighbour *neigh_create(neigh_table &tbl, const be32 &pkey, net_device &dev);
// Header inlines. The three underscores are for a caller that names the hash and the comparison, which are
// then inlined too.
template <class Hash, class Equal>
neighbour *___neigh_lookup_noref(neigh_table &tbl, Equal key_eq, Hash hash, const be32 &pkey, net_device &dev)
{
	TRACE_INLINE(dev);
	const neigh_hash_table &nht = tbl.nht;
	const u32 hash_val = hash(pkey, dev, nht.hash_rnd.data()) >> (32 - nht.hash_shift);

	for (neighbour *n = nht.hash_buckets[hash_val]; n; n = n->next)
		if (n->dev == &dev && key_eq(*n, pkey))
			return n;
	return nullptr;
}
neighbour *__neigh_lookup_noref(neigh_table &tbl, const be32 &pkey, net_device &dev);
neighbour *__neigh_lookup(neigh_table &tbl, const be32 &pkey, net_device &dev, bool creat); // counted
neighbour *neigh_event_ns(neigh_table &tbl, const mac_addr *lladdr, const be32 &saddr,
                          net_device &dev); // counted
void neigh_destroy(neighbour &n);
inline void neigh_hold(neighbour &n) { refcount_inc(n.refcnt); }
void neigh_release(neighbour &n);                                      // inline
int __neigh_event_send(neighbour &n, sk_buff *skb, bool immediate_ok); // takes skb when it returns non-zero
int neigh_event_send(neighbour &n, sk_buff *skb);                      // inline
int neigh_update(neighbour &n, const mac_addr *lladdr, u8 new_state, u32 flags, u32 nlmsg_pid);
int __neigh_update(neighbour &n, const mac_addr *lladdr, u8 new_state, u32 flags);
void __neigh_set_probe_once(neighbour &n);
int neigh_resolve_output(neighbour &n, skb_ptr skb);
int neigh_connected_output(neighbour &n, skb_ptr skb);
int neigh_direct_output(neighbour &n, skb_ptr skb);
int neigh_output(neighbour &n, skb_ptr skb, bool skip_cache); // inline
int neigh_hh_output(hh_cache &hh, skb_ptr skb);               // inline
void neigh_changeaddr(neigh_table &tbl, net_device &dev);
int neigh_ifdown(neigh_table &tbl, net_device *dev);
int neigh_carrier_down(neigh_table &tbl, net_device &dev);
void neigh_confirm(neighbour &n);                                          // header inline
int neigh_event_send_probe(neighbour &n, sk_buff *skb, bool immediate_ok); // header inline
u32 neigh_rand_reach_time(u32 base);
bool neigh_remove_one(neighbour &ndel, neigh_table &tbl);
int neigh_delete(neigh_table &tbl, const be32 &pkey, net_device &dev); // `ip neigh del`
void neigh_flush(neigh_table &tbl, net_device *dev);                   // `ip neigh flush`
u32 live_neighbours(const host &h);
const char *neigh_state_name(u8 nud_state);

} // namespace skbwalk
