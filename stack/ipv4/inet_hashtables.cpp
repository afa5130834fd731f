// SPDX-License-Identifier: GPL-2.0-only
//
// Finding and hashing sockets (net/ipv4/inet_hashtables.c). A segment's addresses lead to a socket of the
// established hash
// (__inet_lookup_established, lock-free), else to a listener (__inet_lookup_listener: exact address first,
// then any). Sockets enter by __inet_hash and inet_ehash_insert and leave by inet_unhash. Ports are in
// inet_bind.cpp. Left out: BPF's lookup redirect.

#include "stack/ipv4/inet_hashtables.h"

#include "stack/core/netdevice.h"
#include "stack/core/sock_reuseport.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/prefetch.h"
#include "stack/kernel/random.h"

namespace skbwalk {

perhost<inet_hashinfo> tcp_hashinfo;

namespace {

// A table of so much, of which a cpu's caches hold little, has a filter, a quarter of its size: with two to
// four chains a socket, one or two sockets a word. In smaller ones the way is shorter without.
constexpr std::size_t ehash_filtered_bytes = 64 << 20;
constexpr u32 chains_per_filter_word = 4;

bool reads_ipv4(const sock_common &sk) { return sk.sk_family == AF_INET || !sk.skc_ipv6only; }

u32 sk_ehash_of(const sock_common &sk)
{
	return inet_ehashfn(sock_net(sk), sk.sk_rcv_saddr, sk.sk_num, sk.sk_daddr, sk.sk_dport);
}

inet_listen_hashbucket &bucket_of(inet_hashinfo &h, const net &net, be32 addr, u16 port)
{
	return h.lhash2[ipv4_portaddr_hash(net, addr, port) & h.lhash2_mask];
}

bool bound_dev_eq(const net &, int bound_dev_if, int dif, int sdif)
{
	return !bound_dev_if || bound_dev_if == dif || bound_dev_if == sdif;
}

sock_common &entry(std::uintptr_t link)
{
	return container_of(nulls_entry(link), &sock_common::skc_nulls_node);
}

} // namespace

// not traced: part of the host's start
void ehash_filter_init(inet_hashinfo &h)
{
	const u32 words = (h.ehash_mask + 1) / chains_per_filter_word;

	h.ehash_filter = make_large_array<filter_word>(words);
	h.ehash_filter_mask = words - 1;
	h.ehash_filter_secret = get_random_u64();
}

// not traced: as above
void inet_hashinfo_init(inet_hashinfo &h, u32 ehash_buckets, u32 bhash_buckets, u32 lhash2_buckets)
{
	assert(ehash_buckets % heads_per_line == 0);
	h.ehash = make_large_array<inet_ehash_bucket>(ehash_buckets);
	h.ehash_mask = ehash_buckets - 1;
	for (u32 i = 0; i < ehash_buckets; ++i)
		INIT_HLIST_NULLS_HEAD(h.ehash[i].chain, i);
	if (ehash_buckets * sizeof(inet_ehash_bucket) >= ehash_filtered_bytes)
		ehash_filter_init(h);
	h.ehash_locks = std::vector<spinlock_t>(256);
	h.ehash_locks_mask = 255;
	h.ehash_secret = get_random_u32();
	h.bind_bucket_cachep = &kmem_cache_create("tcp_bind_bucket", sizeof(inet_bind_bucket), 64);
	h.bind2_bucket_cachep = &kmem_cache_create("tcp_bind2_bucket", sizeof(inet_bind2_bucket), 64);
	h.bhash = std::vector<inet_bind_hashbucket>(bhash_buckets);
	h.bhash2 = std::vector<inet_bind2_hashbucket>(bhash_buckets);
	h.bhash_size = bhash_buckets;
	h.lhash2 = std::vector<inet_listen_hashbucket>(lhash2_buckets);
	h.lhash2_mask = lhash2_buckets - 1;
	for (u32 i = 0; i < lhash2_buckets; ++i)
		INIT_HLIST_NULLS_HEAD(h.lhash2[i].nulls_head, i);
}

spinlock_t &inet_ehash_lockp(inet_hashinfo &h, u32 hash)
{
	TRACE_INLINE();
	return h.ehash_locks[(hash & h.ehash_mask) / heads_per_line & h.ehash_locks_mask];
}

// Where an established socket's hash starts: local address and port first, as the receive path has them.
u32 inet_ehashfn(const net &net, be32 laddr, u16 lport, be32 faddr, be16 fport)
{
	TRACE();
	return established_hash(*tcp_hashinfo, net, laddr, lport, faddr, fport);
}

u32 ipv4_portaddr_hash(const net &net, be32 saddr, u32 port)
{
	TRACE_INLINE();
	return jhash_3words(saddr.raw(), 0, 0, net_hash_mix(net)) ^ port;
}

bool inet_match(const net &net, const sock_common &sk, u64 cookie, u32 ports, int dif, int sdif)
{
	TRACE_INLINE();
	return inet_keys_match(net, sk, cookie, ports, dif, sdif);
}

namespace {

inline const hlist_nulls_head *line_of(const inet_hashinfo &h, u32 hash)
{
	return &h.ehash[ehash_line(h, hash)].chain;
}

unsigned tag_of(const hlist_nulls_node &n)
{
	return ehash_tag(
		container_of(const_cast<hlist_nulls_node &>(n), &sock_common::skc_nulls_node).sk_hash);
}

// The number of the chain that a socket is in, as its end says; its lock is held.
u32 slot_of(const sock_common &sk)
{
	std::uintptr_t link = hlist_nulls_next(sk.skc_nulls_node);
	while (!is_a_nulls(link))
		link = hlist_nulls_next(nulls_entry(link));
	return static_cast<u32>(get_nulls_value(link));
}

// The first socket of this hash that is `wanted`; the line's lock is held.
template <class Wanted> sock_common *find_locked(const inet_hashinfo &h, u32 hash, Wanted wanted)
{
	const hlist_nulls_head *line = line_of(h, hash);
	for (unsigned heads = heads_of_tag(line, ehash_tag(hash)); heads; heads &= heads - 1)
		for (std::uintptr_t link = hlist_nulls_first(line[first_of_heads(heads)]); !is_a_nulls(link);
		     link = hlist_nulls_next(nulls_entry(link)))
			if (sock_common &sk = entry(link); sk.sk_hash == hash && wanted(sk))
				return &sk;
	return nullptr;
}

inline unsigned heads_of(const inet_hashinfo &h, u32 hash)
{
	return heads_of_tag(line_of(h, hash), ehash_tag(hash));
}
[[gnu::noinline, gnu::cold]] unsigned heads_again(const inet_hashinfo &h, u32 hash)
{
	return heads_of(h, hash);
}

// The lock-free walk through `heads` of a line: a counted socket, or null. It starts again when it ended on
// another chain, and when the socket that it took a reference on turned out to be another connection's by
// then.
template <class Match>
inline sock_common *walk_chains(const inet_hashinfo &h, u32 hash, unsigned heads, Match match,
                                void (*put)(sock_common &))
{
	const u32 slot = ehash_line(h, hash);

begin:
	for (; heads; heads &= heads - 1) {
		const u32 at = slot + first_of_heads(heads);
		std::uintptr_t link = hlist_nulls_first(h.ehash[at].chain);

		for (; !is_a_nulls(link); link = hlist_nulls_next(nulls_entry(link))) {
			sock_common &sk = entry(link);
			prefetchw(&sk); // its count will be written
			if (READ_ONCE(sk.sk_hash) != hash || !match(sk))
				continue;
			if (!refcount_inc_not_zero(sk.sk_refcnt))
				return nullptr;
			if (__builtin_expect(!hlist_nulls_unhashed(sk.skc_nulls_node) && match(sk), 1))
				return &sk;
			put(sk);
			heads = heads_again(h, hash);
			goto begin;
		}
		if (get_nulls_value(link) != at) {
			heads = heads_again(h, hash);
			goto begin;
		}
	}
	return nullptr;
}

// Apart from who needs no walk, and so saves no registers; what it looks for is in six.
[[gnu::noinline]] sock_common *walk_untraced(const net &net, const inet_hashinfo &h, u64 acookie,
                                             u64 ports_and_hash, u64 devices, unsigned heads)
{
	return walk_chains(
		h, static_cast<u32>(ports_and_hash), heads,
		[&](const sock_common &sk) {
			return inet_keys_match(net, sk, acookie, static_cast<u32>(ports_and_hash >> 32),
		                               static_cast<int>(devices), static_cast<int>(devices >> 32));
		},
		sock_gen_put);
}
[[gnu::noinline, gnu::cold]] sock_common *put_and_walk(const net &net, const inet_hashinfo &h, u64 acookie,
                                                       u64 ports_and_hash, u64 devices, sock_common &sk)
{
	sock_gen_put(sk);
	return walk_untraced(net, h, acookie, ports_and_hash, devices,
	                     heads_of(h, static_cast<u32>(ports_and_hash)));
}

// The socket that a chain leads to first, counted, if it is wanted; else what `goes_on` finds.
template <class GoesOn>
[[gnu::always_inline]] inline sock_common *first_or(const net &net, const inet_hashinfo &h, u64 acookie,
                                                    u64 ports_and_hash, u64 devices,
                                                    const hlist_nulls_head &chain, GoesOn goes_on)
{
	const auto hash = static_cast<u32>(ports_and_hash), ports = static_cast<u32>(ports_and_hash >> 32);
	const auto dif = static_cast<int>(devices), sdif = static_cast<int>(devices >> 32);
	const std::uintptr_t link = hlist_nulls_first(chain);

	if (!is_a_nulls(link)) {
		sock_common &sk = entry(link);
		prefetchw(&sk); // its count will be written
		if (READ_ONCE(sk.sk_hash) == hash && inet_keys_match(net, sk, acookie, ports, dif, sdif) &&
		    refcount_inc_not_zero(sk.sk_refcnt)) {
			if (__builtin_expect(!hlist_nulls_unhashed(sk.skc_nulls_node) &&
			                             inet_keys_match(net, sk, acookie, ports, dif, sdif),
			                     1))
				return &sk;
			return put_and_walk(net, h, acookie, ports_and_hash, devices, sk);
		}
	}
	return goes_on();
}

} // namespace

// not traced: the lock-free heart without trace and context, which concurrent readers run in tests
sock_common *inet_ehash_lookup(const inet_hashinfo &h, const net &net, be32 saddr, be16 sport, be32 daddr,
                               u16 hnum, u32 hash, int dif, int sdif, void (*put)(sock_common &))
{
	const u64 addresses = INET_ADDR_COOKIE(saddr, daddr);
	const u32 ports = INET_COMBINED_PORTS(sport, hnum);
	if (ehash_lacks(h, addresses, ports))
		return nullptr;
	return walk_chains(
		h, hash, heads_of(h, hash),
		[&](const sock_common &sk) { return inet_keys_match(net, sk, addresses, ports, dif, sdif); },
		put);
}

sock_common *armed::__inet_lookup_established(net &net, inet_hashinfo &h, be32 saddr, be16 sport, be32 daddr,
                                              u16 hnum, int dif, int sdif)
{
	TRACE();
	const u64 acookie = INET_ADDR_COOKIE(saddr, daddr);
	const u32 ports = INET_COMBINED_PORTS(sport, hnum);
	const u32 hash = inet_ehashfn(net, daddr, hnum, saddr, sport);

	if (ehash_lacks(h, acookie, ports))
		return nullptr;
	return walk_chains(
		h, hash, heads_of(h, hash),
		[&](const sock_common &sk) { return inet_match(net, sk, acookie, ports, dif, sdif); },
		sock_gen_put);
}

// not traced: the same while nothing is armed, when none of the functions called would be seen. What comes
// first is nearly always it; else the walk starts.
sock_common *established_in_line(const net &net, const inet_hashinfo &h, u64 acookie, u64 ports_and_hash,
                                 u64 devices)
{
	const auto hash = static_cast<u32>(ports_and_hash);
	const hlist_nulls_head *line = line_of(h, hash);
	const unsigned heads = heads_of_tag(line, ehash_tag(hash));

	if (!heads)
		return nullptr;
	return first_or(net, h, acookie, ports_and_hash, devices, line[first_of_heads(heads)],
	                [&] { return walk_untraced(net, h, acookie, ports_and_hash, devices, heads); });
}

// not traced: as established_in_line
sock_common *established_at(const net &net, const inet_hashinfo &h, u64 acookie, u64 ports_and_hash,
                            u64 devices, u32 chain)
{
	return first_or(net, h, acookie, ports_and_hash, devices, h.ehash[chain].chain,
	                [&] { return established_in_line(net, h, acookie, ports_and_hash, devices); });
}

// not traced: the kernel has none, and nothing that it does is seen
void prefetch_established(const inet_hashinfo &h, std::span<established_hint *const> hints)
{
	for (established_hint *const hint : hints) {
		const hlist_nulls_head *line = line_of(h, hint->hash);

		hint->chain = ehash_line(h, hint->hash);
		if (const unsigned heads = heads_of_tag(line, ehash_tag(hint->hash))) {
			const u32 at = first_of_heads(heads);

			hint->chain += at;
			prefetchw(&entry(hlist_nulls_first(line[at])));
		}
	}
}

// not traced: as prefetch_established
void prefetch_receivers(const inet_hashinfo &h, std::span<established_hint *const> hints)
{
	std::uintptr_t last = 0;

	for (const established_hint *const hint : hints) {
		const std::uintptr_t link = hlist_nulls_first(h.ehash[hint->chain].chain);

		if (link != std::exchange(last, link) && !is_a_nulls(link))
			prefetchw_range(&entry(link), sizeof(tcp_sock));
	}
}

static int compute_score(const sock &sk, const net &net, u16 hnum, be32 daddr, int dif, int sdif)
{
	TRACE(sk);
	if (!net_eq(sock_net(sk), net) || sk.sk_num != hnum || !reads_ipv4(sk))
		return -1;
	if (sk.sk_rcv_saddr != daddr || !bound_dev_eq(net, sk.sk_bound_dev_if, dif, sdif))
		return -1;
	return (sk.sk_bound_dev_if ? 2 : 1) + (sk.sk_family == PF_INET) +
	       (sk.sk_incoming_cpu == static_cast<int>(smp_processor_id()));
}

sock *inet_lookup_reuseport(net &net, sock &sk, sk_buff *skb, int doff, be32 saddr, be16 sport, be32 daddr,
                            u16 hnum, inet_ehashfn_t *ehashfn)
{
	TRACE(sk);
	if (!sk.sk_reuseport)
		return nullptr;
	return reuseport_select_sock(sk, ehashfn(net, daddr, hnum, saddr, sport), skb, doff);
}

static sock *inet_lhash2_lookup(net &net, inet_listen_hashbucket &ilb2, sk_buff *skb, int doff, be32 saddr,
                                be16 sport, be32 daddr, u16 hnum, int dif, int sdif)
{
	TRACE();
	sock *result = nullptr;
	int hiscore = 0;

	for (std::uintptr_t link = hlist_nulls_first(ilb2.nulls_head); !is_a_nulls(link);
	     link = hlist_nulls_next(nulls_entry(link))) {
		sock &sk = static_cast<sock &>(entry(link));
		const int score = compute_score(sk, net, hnum, daddr, dif, sdif);
		if (score <= hiscore)
			continue;
		if (sock *chosen = inet_lookup_reuseport(net, sk, skb, doff, saddr, sport, daddr, hnum,
		                                         inet_ehashfn))
			return chosen;
		result = &sk;
		hiscore = score;
	}
	return result;
}

sock *__inet_lookup_listener(net &net, inet_hashinfo &h, sk_buff *skb, int doff, be32 saddr, be16 sport,
                             be32 daddr, u16 hnum, int dif, int sdif)
{
	TRACE(skb);
	const be32 any = htonl(INADDR_ANY);
	sock *result = inet_lhash2_lookup(net, bucket_of(h, net, daddr, hnum), skb, doff, saddr, sport, daddr,
	                                  hnum, dif, sdif);
	if (!result)
		result = inet_lhash2_lookup(net, bucket_of(h, net, any, hnum), skb, doff, saddr, sport, any,
		                            hnum, dif, sdif);
	return result;
}

sock_common *__inet_lookup(net &net, inet_hashinfo &h, sk_buff *skb, int doff, be32 saddr, be16 sport,
                           be32 daddr, be16 dport, int dif, int sdif, bool &refcounted)
{
	TRACE_INLINE(skb);
	const u16 hnum = ntohs(dport);
	sock_common *sk = __inet_lookup_established(net, h, saddr, sport, daddr, hnum, dif, sdif);

	refcounted = true;
	if (sk)
		return sk;
	refcounted = false;
	return __inet_lookup_listener(net, h, skb, doff, saddr, sport, daddr, hnum, dif, sdif);
}

sock_common *__inet_lookup_skb(inet_hashinfo &h, sk_buff &skb, int doff, be16 sport, be16 dport, int sdif,
                               bool &refcounted)
{
	TRACE_INLINE(skb);
	const iphdr &iph = ip_hdr(skb);

	// A socket that early demux found travels with the skb.
	if (sock *sk = skb.sk) {
		refcounted = true;
		skb.destructor = nullptr;
		skb.sk = nullptr;
		return sk;
	}
	return __inet_lookup(dev_net(*skb_dst(skb)->dev), h, &skb, doff, iph.saddr, sport, iph.daddr, dport,
	                     inet_iif(skb), sdif, refcounted);
}

// Every kind of socket shares the count; each ends its own way.
void sock_gen_put(sock_common &sk)
{
	TRACE();
	if (!refcount_dec_and_test(sk.sk_refcnt))
		return;
	if (sk.sk_state == TCP_TIME_WAIT)
		inet_twsk_free(inet_twsk(sk));
	else if (sk.sk_state == TCP_NEW_SYN_RECV)
		reqsk_free(inet_reqsk(sk));
	else
		sk_free(static_cast<sock &>(sk));
}

void sock_edemux(sk_buff &skb)
{
	TRACE(skb);
	sock_gen_put(*skb.sk);
}

static bool inet_ehash_lookup_by_sk(const sock_common &sk, const inet_hashinfo &h)
{
	TRACE();
	const u64 acookie = INET_ADDR_COOKIE(sk.sk_daddr, sk.sk_rcv_saddr);
	const u32 ports = INET_COMBINED_PORTS(sk.sk_dport, sk.sk_num);

	return find_locked(h, sk.sk_hash, [&](const sock_common &esk) {
		return inet_match(sock_net(sk), esk, acookie, ports, sk.sk_bound_dev_if, sk.sk_bound_dev_if);
	});
}

namespace {

template <class Change> void change_filter(inet_hashinfo &h, const sock_common &sk, Change change)
{
	if (!h.ehash_filter)
		return;
	const u64 hash = filter_hash(INET_ADDR_COOKIE(sk.sk_daddr, sk.sk_rcv_saddr),
	                             INET_COMBINED_PORTS(sk.sk_dport, sk.sk_num), h.ehash_filter_secret);
	change(h.ehash_filter[hash & h.ehash_filter_mask], hash);
}

} // namespace

// not traced: the kernel has no filter
void ehash_filter_add(inet_hashinfo &h, const sock_common &sk) { change_filter(h, sk, filter_add); }
// not traced: as ehash_filter_add
void ehash_filter_remove(inet_hashinfo &h, const sock_common &sk) { change_filter(h, sk, filter_remove); }

// not traced: part of who puts a socket in; its print is in the filter ahead of it
hlist_nulls_head &ehash_chain_for(inet_hashinfo &h, const sock_common &sk)
{
	const u32 slot = ehash_line(h, sk.sk_hash);
	const auto chain = [&h](u32 at) -> hlist_nulls_head & { return h.ehash[at].chain; };

	ehash_filter_add(h, sk);
	if (const sock_common *same = find_locked(h, sk.sk_hash, [](const sock_common &) { return true; }))
		return chain(slot_of(*same));
	for (u32 n = 0; n < heads_per_line; ++n) // its hash's own first
		if (const u32 at = (sk.sk_hash + n) % heads_per_line + slot;
		    is_a_nulls(hlist_nulls_first(chain(at))))
			return chain(at);
	return chain(slot);
}

// not traced: part of who puts a socket in
void enter_ehash(inet_hashinfo &h, sock_common &sk)
{
	add_to_line(sk.skc_nulls_node, ehash_chain_for(h, sk), tag_of);
}

// not traced: part of who takes a socket out
void leave_ehash(inet_hashinfo &h, sock_common &sk)
{
	if (!sk_hashed(sk))
		return;
	del_init_of_line(sk.skc_nulls_node, h.ehash[slot_of(sk)].chain, tag_of);
	ehash_filter_remove(h, sk);
}

static void __sk_nulls_add_node_rcu(sock_common &sk, hlist_nulls_head &list)
{
	TRACE_INLINE();
	add_to_line(sk.skc_nulls_node, list, tag_of);
}

static bool sk_nulls_del_node_init_rcu(sock_common &sk)
{
	TRACE_INLINE();
	if (sk_unhashed(sk))
		return false;
	leave_ehash(*tcp_hashinfo, sk);
	[[maybe_unused]] const bool last = refcount_dec_and_test(sk.skc_refcnt); // the chain's
	assert(!last);
	return true;
}

// Puts `sk` into the established hash. With `osk`, in its stead (a request or TIME_WAIT socket): false when
// `osk` was gone. With `found_dup_sk`, not when the same connection stands there already.
bool inet_ehash_insert(sock_common &sk, sock_common *osk, bool *found_dup_sk)
{
	TRACE();
	inet_hashinfo &h = *tcp_hashinfo;
	bool ret = true;

	assert(sk_unhashed(sk));
	WRITE_ONCE(sk.sk_hash, sk_ehash_of(sk));
	spinlock_t &lock = inet_ehash_lockp(h, sk.sk_hash);

	spin_lock(lock);
	if (osk) {
		assert(sk.sk_hash == osk->sk_hash);
		ret = sk_nulls_del_node_init_rcu(*osk);
	} else if (found_dup_sk) {
		*found_dup_sk = inet_ehash_lookup_by_sk(sk, h);
		ret = !*found_dup_sk;
	}
	if (ret)
		__sk_nulls_add_node_rcu(sk, ehash_chain_for(h, sk));
	spin_unlock(lock);
	return ret;
}

bool inet_ehash_nolisten(sock_common &sk, sock_common *osk, bool *found_dup_sk)
{
	TRACE();
	if (inet_ehash_insert(sk, osk, found_dup_sk)) {
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, 1);
		return true;
	}
	sock &full = static_cast<sock &>(sk);
	++proto_of(*sk.sk_prot).orphan_count;
	inet_sk_set_state(full, TCP_CLOSE);
	sock_set_flag(full, SOCK_DEAD);
	inet_csk_destroy_sock(full);
	return false;
}

static inet_listen_hashbucket &inet_lhash2_bucket_sk(inet_hashinfo &h, const sock &sk)
{
	TRACE(sk);
	// An IPv6 socket hashes as its IPv4 address: any for a dual-stack listener.
	return bucket_of(h, sock_net(sk), sk.sk_rcv_saddr, sk.sk_num);
}

static int inet_reuseport_add_sock(sock &sk, inet_listen_hashbucket &ilb)
{
	TRACE(sk);
	const inet_bind_bucket *tb = inet_csk(sk).icsk_bind_hash;
	const u32 uid = sock_i_uid(sk);

	for (std::uintptr_t link = hlist_nulls_first(ilb.nulls_head); !is_a_nulls(link);
	     link = hlist_nulls_next(nulls_entry(link))) {
		sock &sk2 = static_cast<sock &>(entry(link));
		if (&sk2 != &sk && sk2.sk_family == sk.sk_family && sk2.skc_ipv6only == sk.skc_ipv6only &&
		    sk2.sk_bound_dev_if == sk.sk_bound_dev_if && inet_csk(sk2).icsk_bind_hash == tb &&
		    sk2.sk_reuseport && uid == sock_i_uid(sk2) && inet_rcv_saddr_equal(sk, sk2, false))
			return reuseport_add_sock(sk, sk2, inet_rcv_saddr_any(sk));
	}
	return reuseport_alloc(sk, inet_rcv_saddr_any(sk));
}

int __inet_hash(sock &sk, sock *osk)
{
	TRACE(sk);
	if (sk.sk_state != TCP_LISTEN) {
		local_bh_disable();
		inet_ehash_nolisten(sk, osk, nullptr);
		local_bh_enable();
		return 0;
	}
	assert(sk_unhashed(sk));
	inet_listen_hashbucket &ilb2 = inet_lhash2_bucket_sk(*tcp_hashinfo, sk);
	int err = 0;

	spin_lock(ilb2.lock);
	if (sk.sk_reuseport)
		err = inet_reuseport_add_sock(sk, ilb2);
	if (!err) {
		sock_set_flag(sk, SOCK_RCU_FREE);
		if (sk.sk_reuseport && sk.sk_family == AF_INET6)
			hlist_nulls_add_tail_rcu(sk.skc_nulls_node, ilb2.nulls_head);
		else
			__sk_nulls_add_node_rcu(sk, ilb2.nulls_head);
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, 1);
	}
	spin_unlock(ilb2.lock);
	return err;
}

int inet_hash(sock &sk)
{
	TRACE(sk);
	return sk.sk_state == TCP_CLOSE ? 0 : __inet_hash(sk, nullptr);
}

void inet_unhash(sock &sk)
{
	TRACE(sk);
	if (sk_unhashed(sk))
		return;
	if (sk.sk_state == TCP_LISTEN) {
		inet_listen_hashbucket &ilb2 = inet_lhash2_bucket_sk(*tcp_hashinfo, sk);
		spin_lock(ilb2.lock);
		if (!sk_unhashed(sk)) {
			if (sk.sk_reuseport)
				reuseport_stop_listen_sock(sk);
			hlist_nulls_del_init_rcu(sk.skc_nulls_node);
			sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
		}
		spin_unlock(ilb2.lock);
		return;
	}
	spinlock_t &lock = inet_ehash_lockp(*tcp_hashinfo, sk.sk_hash);
	spin_lock_bh(lock);
	if (!sk_unhashed(sk)) {
		leave_ehash(*tcp_hashinfo, sk);
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
	}
	spin_unlock_bh(lock);
}

// Is the connection free to be made from local port `lport`? Takes the place in the hash when it is. A
// TIME_WAIT socket may make way (twsk_unique): returned in `twp`, else ended.
static int __inet_check_established(inet_timewait_death_row &death_row, sock &sk, u16 lport,
                                    inet_timewait_sock **twp)
{
	TRACE(sk);
	inet_hashinfo &h = *death_row.hashinfo;
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	const int dif = sk.sk_bound_dev_if;
	const u32 hash = inet_ehashfn(net, inet.inet_rcv_saddr, lport, inet.inet_daddr, inet.inet_dport);
	spinlock_t &lock = inet_ehash_lockp(h, hash);
	const u64 acookie = INET_ADDR_COOKIE(inet.inet_daddr, inet.inet_rcv_saddr);
	const u32 ports = INET_COMBINED_PORTS(inet.inet_dport, lport);
	inet_timewait_sock *tw = nullptr;

	spin_lock(lock);
	sock_common *sk2 = find_locked(
		h, hash, [&](const sock_common &at) { return inet_match(net, at, acookie, ports, dif, 0); });
	if (sk2) {
		if (sk2->sk_state != TCP_TIME_WAIT || !sk.sk_prot->twsk_prot ||
		    !sk.sk_prot->twsk_prot->twsk_unique(sk, *sk2, twp)) {
			spin_unlock(lock);
			return -EADDRNOTAVAIL;
		}
		tw = &inet_twsk(*sk2);
	}
	inet.inet_num = lport;
	inet.inet_sport = htons(lport);
	WRITE_ONCE(sk.sk_hash, hash);
	assert(sk_unhashed(sk));
	__sk_nulls_add_node_rcu(sk, ehash_chain_for(h, sk));
	if (tw) {
		sk_nulls_del_node_init_rcu(*tw);
		NET_INC_STATS(net, LINUX_MIB_TIMEWAITRECYCLED);
	}
	spin_unlock(lock);
	sock_prot_inuse_add(net, *sk.sk_prot, 1);

	if (twp)
		*twp = tw;
	else if (tw)
		inet_twsk_deschedule_put(*tw);
	return 0;
}

static u64 inet_sk_port_offset(const sock &sk)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);
	return secure_ipv4_port_ephemeral(inet.inet_rcv_saddr, inet.inet_daddr, inet.inet_dport);
}

int inet_hash_connect(inet_timewait_death_row &death_row, sock &sk)
{
	TRACE(sk);
	u64 port_offset = 0;

	if (!inet_sk(sk).inet_num)
		port_offset = inet_sk_port_offset(sk);
	return __inet_hash_connect(death_row, sk, port_offset, __inet_check_established);
}

} // namespace skbwalk
