// SPDX-License-Identifier: GPL-2.0-only
//
// Where sockets are found (include/net/inet_hashtables.h): the established hash (nulls chains; full, request
// and TIME_WAIT sockets side by side; lock-free readers), listeners by port and address (lhash2), local ports
// (bhash) and local ports with addresses (bhash2).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "stack/core/key_filter.h"
#include "stack/core/nulls_lines.h"
#include "stack/core/timewait_sock.h"
#include "stack/ipv4/inet_connection_sock.h"
#include "stack/ipv4/ip.h"
#include "stack/kernel/huge_pages.h"
#include "stack/kernel/once.h"

namespace skbwalk {

struct inet_timewait_death_row;

struct inet_bind2_bucket {
	net *ib_net = nullptr;
	int l3mdev = 0;
	u16 port = 0;
	u16 family = AF_INET;
	be32 rcv_saddr{};
	list_hook node;
	list_of<sock_common, &sock_common::skc_bind2_node> owners; // full sockets and TIME_WAIT
};
struct inet_bind_bucket {
	net *ib_net = nullptr;
	int l3mdev = 0;
	u16 port = 0;
	s8 fastreuse = 0;
	s8 fastreuseport = 0;
	u32 fastuid = 0;
	be32 fast_rcv_saddr{};
	u16 fast_sk_family = 0;
	bool fast_ipv6_only = false;
	list_hook node;
	list_of<sock_common, &sock_common::skc_bind_node> owners;
};
struct inet_bind_hashbucket {
	spinlock_t lock;
	list_of<inet_bind_bucket, &inet_bind_bucket::node> chain;
};
struct inet_bind2_hashbucket {
	spinlock_t lock;
	list_of<inet_bind2_bucket, &inet_bind2_bucket::node> chain;
};
struct inet_ehash_bucket {
	hlist_nulls_head chain; // one of a line's (nulls_lines.h)
};
struct inet_listen_hashbucket {
	spinlock_t lock;
	hlist_nulls_head nulls_head;
};
constexpr u32 INET_LHTABLE_SIZE = 32;

struct inet_hashinfo {
	large_array<inet_ehash_bucket> ehash;  // lines of heads_per_line
	large_array<filter_word> ehash_filter; // none: the table is small
	u64 ehash_filter_mask = 0;
	u64 ehash_filter_secret = 0;
	std::vector<spinlock_t> ehash_locks;
	u32 ehash_mask = 0;
	u32 ehash_locks_mask = 0;
	u32 ehash_secret = 0;
	kmem_cache *bind_bucket_cachep = nullptr;
	kmem_cache *bind2_bucket_cachep = nullptr;
	std::vector<inet_bind_hashbucket> bhash;
	std::vector<inet_bind2_hashbucket> bhash2;
	u32 bhash_size = 0;
	std::vector<inet_listen_hashbucket> lhash2;
	u32 lhash2_mask = 0;
};
extern perhost<inet_hashinfo> tcp_hashinfo;
// How many chains so many sockets ask for: lines half full at most, of which few have more than eight.
constexpr u32 inet_ehash_buckets(u32 sockets) { return 2 * std::bit_ceil(std::max(sockets, heads_per_line)); }
void inet_hashinfo_init(inet_hashinfo &h, u32 ehash_buckets, u32 bhash_buckets, u32 lhash2_buckets);
void ehash_filter_init(inet_hashinfo &h); // of an empty table

// The line whose chains can have sockets of this hash: one cache line, and one lock.
inline u32 ehash_line(const inet_hashinfo &h, u32 hash) { return hash & h.ehash_mask & -heads_per_line; }
spinlock_t &inet_ehash_lockp(inet_hashinfo &h, u32 hash);
// Bits of the hash that its line's place does not use.
inline unsigned ehash_tag(u32 hash) { return std::rotr(hash, 3) >> 17; }
// By its filter alone: no socket of these keys is in the table.
inline bool ehash_lacks(const inet_hashinfo &h, u64 addresses, u32 ports)
{
	if (!h.ehash_filter)
		return false;
	const u64 hash = filter_hash(addresses, ports, h.ehash_filter_secret);
	return filter_lacks(h.ehash_filter[hash & h.ehash_filter_mask], hash);
}
// A socket's keys come into the filter before a chain leads to it, and leave after.
void ehash_filter_add(inet_hashinfo &h, const sock_common &sk);
void ehash_filter_remove(inet_hashinfo &h, const sock_common &sk);
// The chain of its line that a socket is to come into now, before those of the same hash; its keys are in the
// filter from here on. And into it. The line's lock is held.
hlist_nulls_head &ehash_chain_for(inet_hashinfo &h, const sock_common &sk);
void enter_ehash(inet_hashinfo &h, sock_common &sk);
// Out of its chain, whose lock is held; no matter when it is in none.
void leave_ehash(inet_hashinfo &h, sock_common &sk);
// Let the memory that lookups of these hashes will read come while others are looked up: first the lines of
// all, then what they lead to.
inline void prefetch_line(const inet_hashinfo &h, u32 hash)
{
	__builtin_prefetch(&h.ehash[ehash_line(h, hash)]);
}
// Where a lookup may begin: its hash, and the chain whose first socket it probably is.
struct established_hint {
	u32 hash, chain;
};
static_assert(sizeof(inet_skb_cb) + sizeof(established_hint) <= sizeof(sk_buff::cb));
inline established_hint &established_hint_of(sk_buff &skb) // with IPSKB_EHASH
{
	return reinterpret_cast<established_hint &>(skb.cb[sizeof(inet_skb_cb)]);
}
void prefetch_established(const inet_hashinfo &h, std::span<established_hint *const> hints);
// Then all of these sockets, for who will receive: of flows in turn, they have left the caches.
void prefetch_receivers(const inet_hashinfo &h, std::span<established_hint *const> hints);
// What inet_ehashfn computes, untraced.
inline u32 established_hash(const inet_hashinfo &h, const net &net, be32 laddr, u16 lport, be32 faddr,
                            be16 fport)
{
	return jhash_3words(laddr.raw(), faddr.raw(), static_cast<u32>(lport) << 16 | fport.raw(),
	                    h.ehash_secret + net_hash_mix(net));
}
// The lock-free heart, free of context, trace and counters (tests run it on threads): a counted socket, or
// null. A socket that another writer's reuse made the wrong one is given back by `put`.
sock_common *inet_ehash_lookup(const inet_hashinfo &h, const net &net, be32 saddr, be16 sport, be32 daddr,
                               u16 hnum, u32 hash, int dif, int sdif,
                               void (*put)(sock_common &) = sock_gen_put);
// A lookup's key as sock_common has it: two words.
inline u64 INET_ADDR_COOKIE(be32 saddr, be32 daddr) { return std::bit_cast<u64>(std::array{saddr, daddr}); }
inline u32 INET_COMBINED_PORTS(be16 sport, u16 dport)
{
	return std::bit_cast<u32>(std::array{sport.raw(), dport});
}
// The comparisons of a lookup, on the first cache line of the socket: a writer may be giving it to another
// connection.
inline bool inet_keys_match(const net &net, const sock_common &sk, u64 addresses, u32 ports, int dif,
                            int sdif)
{
	if (READ_ONCE(reinterpret_cast<const u32 &>(sk.skc_dport)) != ports ||
	    READ_ONCE(reinterpret_cast<const u64 &>(sk.skc_daddr)) != addresses ||
	    READ_ONCE(sk.skc_net) != &net)
		return false;
	const int bound = READ_ONCE(sk.skc_bound_dev_if);
	return __builtin_expect(!bound, 1) || bound == dif || bound == sdif;
}
bool inet_match(const net &net, const sock_common &sk, u64 cookie, u32 ports, int dif, int sdif); // inline

namespace armed { // something is, and all functions show
sock_common *__inet_lookup_established(net &net, inet_hashinfo &h, be32 saddr, be16 sport, be32 daddr,
                                       u16 hnum, int dif, int sdif);
}
// Reads the line of this hash, whatever a filter says.
sock_common *established_in_line(const net &net, const inet_hashinfo &h, u64 acookie, u64 ports_and_hash,
                                 u64 devices);
// The same, but it looks first whether it is the first socket of this chain.
sock_common *established_at(const net &net, const inet_hashinfo &h, u64 acookie, u64 ports_and_hash,
                            u64 devices, u32 chain);
// A lookup that prefetch_established has made ready.
inline sock_common *established_by_hint(net &net, inet_hashinfo &h, be32 saddr, be16 sport, be32 daddr,
                                        u16 hnum, const established_hint &hint, int dif, int sdif)
{
	if (__builtin_expect(trace::armed != 0, 0))
		return armed::__inet_lookup_established(net, h, saddr, sport, daddr, hnum, dif, sdif);
	return established_at(net, h, INET_ADDR_COOKIE(saddr, daddr),
	                      u64{INET_COMBINED_PORTS(sport, hnum)} << 32 | hint.hash,
	                      u64{static_cast<u32>(sdif)} << 32 | static_cast<u32>(dif), hint.chain);
}
// Up to the filter, which needs no hash, it is compiled into its callers: what a miss takes is there.
[[gnu::always_inline]] inline sock_common *__inet_lookup_established(net &net, inet_hashinfo &h, be32 saddr,
                                                                     be16 sport, be32 daddr, u16 hnum,
                                                                     int dif, int sdif)
{
	if (__builtin_expect(trace::armed != 0, 0))
		return armed::__inet_lookup_established(net, h, saddr, sport, daddr, hnum, dif, sdif);
	const u64 acookie = INET_ADDR_COOKIE(saddr, daddr);
	const u32 ports = INET_COMBINED_PORTS(sport, hnum);
	if (ehash_lacks(h, acookie, ports))
		return nullptr;
	return established_in_line(net, h, acookie,
	                           u64{ports} << 32 | established_hash(h, net, daddr, hnum, saddr, sport),
	                           u64{static_cast<u32>(sdif)} << 32 | static_cast<u32>(dif));
}
sock *__inet_lookup_listener(net &net, inet_hashinfo &h, sk_buff *skb, int doff, be32 saddr, be16 sport,
                             be32 daddr, u16 hnum, int dif, int sdif);
sock_common *__inet_lookup(net &net, inet_hashinfo &h, sk_buff *skb, int doff, be32 saddr, be16 sport,
                           be32 daddr, be16 dport, int dif, int sdif, bool &refcounted); // inline
sock_common *__inet_lookup_skb(inet_hashinfo &h, sk_buff &skb, int doff, be16 sport, be16 dport, int sdif,
                               bool &refcounted); // inline
using inet_ehashfn_t = u32(const net &net, be32 laddr, u16 lport, be32 faddr, be16 fport);
sock *inet_lookup_reuseport(net &net, sock &sk, sk_buff *skb, int doff, be32 saddr, be16 sport, be32 daddr,
                            u16 hnum,
                            inet_ehashfn_t *ehashfn); // null: no group
u32 ipv4_portaddr_hash(const net &net, be32 saddr, u32 port);
int inet_iif(const sk_buff &skb); // inline: the interface that the packet came in by
bool inet_ehash_insert(sock_common &sk, sock_common *osk, bool *found_dup_sk);
bool inet_ehash_nolisten(sock_common &sk, sock_common *osk, bool *found_dup_sk);
int inet_hash(sock &sk);
int __inet_hash(sock &sk, sock *osk);
void inet_unhash(sock &sk);
int inet_hash_connect(inet_timewait_death_row &death_row, sock &sk);
int __inet_hash_connect(inet_timewait_death_row &death_row, sock &sk, u64 port_offset,
                        int (*check_established)(inet_timewait_death_row &, sock &, u16,
                                                 inet_timewait_sock **));
int __inet_inherit_port(const sock &sk, sock &child);
void inet_put_port(sock &sk);
void __inet_put_port(sock &sk);
int inet_bhash2_update_saddr(sock &sk, be32 saddr, u16 family);
void inet_bhash2_reset_saddr(sock &sk);
u32 inet_bhashfn(const net &net, u16 lport, u32 bhash_size); // inline
inet_bind_bucket *inet_bind_bucket_create(kmem_cache &cachep, net &net, inet_bind_hashbucket &head, u16 snum,
                                          int l3mdev);
void inet_bind_bucket_destroy(kmem_cache &cachep, inet_bind_bucket &tb);
inet_bind2_bucket *inet_bind2_bucket_create(kmem_cache &cachep, net &net, inet_bind2_hashbucket &head,
                                            u16 port, int l3mdev, const sock &sk);
void inet_bind2_bucket_destroy(kmem_cache &cachep, inet_bind2_bucket &tb);
bool inet_bind_bucket_match(const inet_bind_bucket &tb, const net &net, u16 port, int l3mdev); // inline
inet_bind2_hashbucket &inet_bhash2_addr_any_hashbucket(const sock &sk, const net &net, u16 port);
inet_bind2_bucket *inet_bind2_bucket_find(const inet_bind2_hashbucket &head, const net &net, u16 port,
                                          int l3mdev, const sock &sk);
bool inet_bind2_bucket_match_addr_any(const inet_bind2_bucket &tb, const net &net, u16 port, int l3mdev,
                                      const sock &sk);
inet_bind2_hashbucket &inet_bhashfn_portaddr(inet_hashinfo &h, const sock &sk, const net &net,
                                             u16 port); // inline
void inet_bind_hash(sock &sk, inet_bind_bucket &tb, inet_bind2_bucket &tb2, u16 port);
void sk_add_bind_node(sock &sk, inet_bind_bucket &tb); // inline

// --- TIME_WAIT (include/net/inet_timewait_sock.h) ---
inet_timewait_death_row &tcp_death_row(net &net);

struct inet_timewait_sock : sock_common {
	u32 tw_mark = 0;
	u8 tw_substate = 0;
	u8 tw_rcv_wscale = 0;
	be16 tw_sport{};
	u8 tw_transparent : 1 = 0;
	u8 tw_tos = 0;
	u32 tw_flowlabel = 0;
	u32 tw_txhash = 0;
	u32 tw_priority = 0;
	timer_list tw_timer;
	inet_bind_bucket *tw_tb = nullptr;
	inet_bind2_bucket *tw_tb2 = nullptr;
	inet_timewait_death_row *tw_dr = nullptr;
};
inline inet_timewait_sock &inet_twsk(sock_common &sk) { return static_cast<inet_timewait_sock &>(sk); }
inet_timewait_sock *inet_twsk_alloc(const sock &sk, inet_timewait_death_row &dr, int state);
void inet_twsk_hashdance(inet_timewait_sock &tw, sock &sk, inet_hashinfo &h);
void inet_twsk_hashdance_schedule(inet_timewait_sock &tw, sock &sk, inet_hashinfo &h, int timeo);
void __inet_twsk_schedule(inet_timewait_sock &tw, int timeo, bool rearm);
void inet_twsk_schedule(inet_timewait_sock &tw, int timeo); // inlines
void inet_twsk_reschedule(inet_timewait_sock &tw, int timeo);
void inet_twsk_deschedule_put(inet_timewait_sock &tw);
void inet_twsk_put(inet_timewait_sock &tw);
void inet_twsk_free(inet_timewait_sock &tw);
void inet_twsk_bind_unhash(inet_timewait_sock &tw, inet_hashinfo &h);
void inet_twsk_purge(net &net); // a namespace ends

} // namespace skbwalk
