// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_core.c. A packet comes in by nf_conntrack_in: its tuple is read, the connection
// is found or made (resolve_normal_ct), the protocol says whether it fits (nf_conntrack_tcp_packet and its
// like). When it leaves, __nf_conntrack_confirm puts a new connection into the table, or finds that another
// was quicker. nf_conntrack_gc.cpp has what ends connections. Left out: expectations, templates, zones,
// synproxy, timeouts by policy, flow offload.
#include "stack/netfilter/nf_conntrack.h"

#include <cstring>

#include "stack/core/netdevice.h"
#include "stack/kernel/printk.h"
#include "stack/kernel/random.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"
#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

namespace {

constexpr u32 MIN_CHAINLEN = 50, MAX_CHAINLEN = 80 - MIN_CHAINLEN;

nf_conntrack_table &table() { return nf_conntrack_of_host(); }

struct found_conn {
	nf_conntrack_tuple_hash *h = nullptr;
	int err = 0;
};

} // namespace

static void nf_conntrack_lock(spinlock_t &lock)
{
	TRACE();
	spin_lock(lock);
}

void nf_conntrack_double_unlock(u32 h1, u32 h2)
{
	TRACE();
	h1 %= CONNTRACK_LOCKS;
	h2 %= CONNTRACK_LOCKS;
	spin_unlock(table().locks[h1]);
	if (h1 != h2)
		spin_unlock(table().locks[h2]);
}

bool nf_conntrack_double_lock(u32 h1, u32 h2, u32 sequence)
{
	TRACE();
	h1 %= CONNTRACK_LOCKS;
	h2 %= CONNTRACK_LOCKS;
	nf_conntrack_lock(table().locks[h1 <= h2 ? h1 : h2]);
	if (h1 != h2)
		spin_lock(table().locks[h1 <= h2 ? h2 : h1]);
	if (table().generation != sequence) { // the table was resized: other chains, perhaps
		nf_conntrack_double_unlock(h1, h2);
		return true;
	}
	return false;
}

u32 hash_conntrack_raw(const nf_conntrack_tuple &tuple, u32 zoneid, const net &net)
{
	TRACE();
	struct {
		nf_conntrack_man src;
		be32 dst_addr;
		u32 zone;
		u32 net_mix;
		u16 dport;
		u16 proto;
	} combined{tuple.src, tuple.dst.u3, zoneid, net_hash_mix(net), tuple.dst.u.raw(), tuple.dst.protonum};

	return static_cast<u32>(siphash(&combined, sizeof(combined), conntrack_state().hash_rnd));
}

u32 scale_hash(u32 hash)
{
	TRACE();
	return reciprocal_scale(hash, static_cast<u32>(table().hash.size()));
}

u32 hash_conntrack(const net &net, const nf_conntrack_tuple &tuple, u32 zoneid)
{
	TRACE();
	return scale_hash(hash_conntrack_raw(tuple, zoneid, net));
}

static bool nf_ct_get_tuple_ports(const sk_buff &skb, u32 dataoff, nf_conntrack_tuple &tuple)
{
	TRACE(skb);
	be16 buffer[2];
	const auto *ports = static_cast<const be16 *>(
		skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), buffer));

	if (!ports)
		return false;
	tuple.src.u = ports[0];
	tuple.dst.u = ports[1];
	return true;
}

static bool nf_ct_get_tuple(const sk_buff &skb, u32 nhoff, u32 dataoff, u16 l3num, u8 protonum,
                            nf_conntrack_tuple &tuple)
{
	TRACE(skb);
	be32 buffer[2];

	tuple = {};
	tuple.src.l3num = l3num;
	const auto *ap = static_cast<const be32 *>(skb_header_pointer(
		skb, static_cast<int>(nhoff + offsetof(iphdr, saddr)), sizeof(buffer), buffer));
	if (!ap)
		return false;
	tuple.src.u3 = ap[0];
	tuple.dst.u3 = ap[1];
	tuple.dst.protonum = protonum;
	tuple.dst.dir = IP_CT_DIR_ORIGINAL;
	switch (protonum) {
	case IPPROTO_ICMP:
		return icmp_pkt_to_tuple(skb, dataoff, tuple);
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return nf_ct_get_tuple_ports(skb, dataoff, tuple);
	}
	return true;
}

static int ipv4_get_l4proto(const sk_buff &skb, u32 nhoff, u8 &protonum)
{
	TRACE(skb);
	iphdr buffer;
	const auto *iph = static_cast<const iphdr *>(
		skb_header_pointer(skb, static_cast<int>(nhoff), sizeof(buffer), &buffer));

	if (!iph || ntohs(iph->frag_off) & IP_OFFSET) // inside an ICMP error there can be one
		return -1;
	const u32 dataoff = nhoff + iph->ihl() * 4;

	protonum = iph->protocol;
	return dataoff > skb.len ? -1 : static_cast<int>(dataoff);
}

static int get_l4proto(const sk_buff &skb, u32 nhoff, u8 pf, u8 &l4num)
{
	TRACE(skb);
	if (pf == NFPROTO_IPV4)
		return ipv4_get_l4proto(skb, nhoff, l4num);
	l4num = 0;
	return -1;
}

bool nf_ct_get_tuplepr(const sk_buff &skb, u32 nhoff, u16 l3num, net &, nf_conntrack_tuple &tuple)
{
	TRACE(skb);
	u8 protonum = 0;
	const int protoff = get_l4proto(skb, nhoff, static_cast<u8>(l3num), protonum);

	return protoff > 0 && nf_ct_get_tuple(skb, nhoff, static_cast<u32>(protoff), l3num, protonum, tuple);
}

bool nf_ct_invert_tuple(nf_conntrack_tuple &inverse, const nf_conntrack_tuple &orig)
{
	TRACE();
	inverse = {};
	inverse.src.l3num = orig.src.l3num;
	inverse.src.u3 = orig.dst.u3;
	inverse.dst.u3 = orig.src.u3;
	inverse.dst.dir = other_dir(orig.dst.dir);
	inverse.dst.protonum = orig.dst.protonum;
	if (orig.dst.protonum == IPPROTO_ICMP)
		return nf_conntrack_invert_icmp_tuple(inverse, orig);
	inverse.src.u = orig.dst.u;
	inverse.dst.u = orig.src.u;
	return true;
}

static bool nf_ct_key_equal(nf_conntrack_tuple_hash &h, const nf_conntrack_tuple &tuple,
                            const nf_conntrack_zone &zone, const net &net)
{
	TRACE();
	const nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);

	return nf_ct_tuple_equal(tuple, h.tuple) && nf_ct_zone_equal(ct, zone, NF_CT_DIRECTION(h)) &&
	       nf_ct_is_confirmed(ct) && net_eq(net, nf_ct_net(ct));
}

static bool nf_ct_match(const nf_conn &ct1, const nf_conn &ct2)
{
	TRACE();
	return nf_ct_tuple_equal(ct1.tuplehash[0].tuple, ct2.tuplehash[0].tuple) &&
	       nf_ct_tuple_equal(ct1.tuplehash[1].tuple, ct2.tuplehash[1].tuple) &&
	       nf_ct_zone_equal(ct1, nf_ct_zone(ct2), IP_CT_DIR_ORIGINAL) &&
	       nf_ct_zone_equal(ct1, nf_ct_zone(ct2), IP_CT_DIR_REPLY) &&
	       net_eq(nf_ct_net(ct1), nf_ct_net(ct2));
}

static nf_conntrack_tuple_hash *____nf_conntrack_find(net &net, const nf_conntrack_zone &zone,
                                                      const nf_conntrack_tuple &tuple, u32 hash)
{
	TRACE();
	for (;;) {
		auto &buckets = table().hash;
		const u32 bucket = reciprocal_scale(hash, static_cast<u32>(buckets.size()));
		std::uintptr_t link = hlist_nulls_first(buckets[bucket]);

		while (!is_a_nulls(link)) {
			hlist_nulls_node &n = nulls_entry(link);
			nf_conntrack_tuple_hash &h = tuplehash_of(n);
			nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);

			link = hlist_nulls_next(n);
			if (nf_ct_is_expired(ct)) {
				const bool goes = nf_ct_should_gc(ct);

				nf_ct_gc_expired(ct);
				if (goes) // its other tuple may have been the next one
					link = hlist_nulls_first(buckets[bucket]);
				continue;
			}
			if (nf_ct_key_equal(h, tuple, zone, net))
				return &h;
		}
		if (get_nulls_value(link) == bucket)
			return nullptr;
		NF_CT_STAT_INC(net, &ip_conntrack_stat::search_restart); // led onto another chain
	}
}

static nf_conntrack_tuple_hash *__nf_conntrack_find_get(net &net, const nf_conntrack_zone &zone,
                                                        const nf_conntrack_tuple &tuple, u32 hash)
{
	TRACE();
	rcu_read_lock();
	nf_conntrack_tuple_hash *h = ____nf_conntrack_find(net, zone, tuple, hash);

	if (h) {
		nf_conn &ct = nf_ct_tuplehash_to_ctrack(*h);

		if (!refcount_inc_not_zero(ct.use)) {
			h = nullptr;
		} else if (!nf_ct_key_equal(*h, tuple, zone, net)) { // freed and used again
			nf_ct_put(&ct);
			h = nullptr;
		}
	}
	rcu_read_unlock();
	return h;
}

nf_conntrack_tuple_hash *nf_conntrack_find_get(net &net, const nf_conntrack_zone &zone,
                                               const nf_conntrack_tuple &tuple)
{
	TRACE();
	const u32 zone_id = nf_ct_zone_id(zone, IP_CT_DIR_ORIGINAL);

	return __nf_conntrack_find_get(net, zone, tuple, hash_conntrack_raw(tuple, zone_id, net));
}

static void __nf_conntrack_hash_insert(nf_conn &ct, u32 hash, u32 reply_hash)
{
	TRACE();
	hlist_nulls_add_head_rcu(ct.tuplehash[IP_CT_DIR_ORIGINAL].hnnode, table().hash[hash]);
	hlist_nulls_add_head_rcu(ct.tuplehash[IP_CT_DIR_REPLY].hnnode, table().hash[reply_hash]);
}

static bool nf_ct_ext_valid_pre(const nf_ct_ext *ext)
{
	TRACE();
	return !ext || ext->gen_id == nf_conntrack_ext_genid();
}

static bool nf_ct_ext_valid_post(nf_ct_ext *ext)
{
	TRACE();
	if (!ext)
		return true;
	if (ext->gen_id != nf_conntrack_ext_genid())
		return false;
	ext->gen_id = 0; // from now on it is found without asking
	return true;
}

namespace {

// Does the chain have that tuple? -ENOSPC: it is too long to tell.
found_conn look_through(u32 bucket, const nf_conntrack_tuple &tuple, const nf_conntrack_zone &zone,
                        const net &net, u32 max_chainlen)
{
	u32 chainlen = 0;

	for (std::uintptr_t link = hlist_nulls_first(table().hash[bucket]); !is_a_nulls(link);
	     link = hlist_nulls_next(nulls_entry(link))) {
		nf_conntrack_tuple_hash &h = tuplehash_of(nulls_entry(link));

		if (nf_ct_key_equal(h, tuple, zone, net))
			return {&h, 0};
		if (chainlen++ > max_chainlen)
			return {nullptr, -ENOSPC};
	}
	return {};
}

} // namespace

int nf_conntrack_hash_check_insert(nf_conn &ct)
{
	TRACE();
	const nf_conntrack_zone &zone = nf_ct_zone(ct);
	net &net = nf_ct_net(ct);
	u32 hash = 0, reply_hash = 0, sequence = 0;

	if (!nf_ct_ext_valid_pre(ct.ext))
		return -EAGAIN;
	local_bh_disable();
	do {
		sequence = table().generation;
		hash = hash_conntrack(net, ct.tuplehash[0].tuple, nf_ct_zone_id(zone, IP_CT_DIR_ORIGINAL));
		reply_hash = hash_conntrack(net, ct.tuplehash[1].tuple, nf_ct_zone_id(zone, IP_CT_DIR_REPLY));
	} while (nf_conntrack_double_lock(hash, reply_hash, sequence));
	const u32 max_chainlen = MIN_CHAINLEN + get_random_u32_below<MAX_CHAINLEN>();
	found_conn found = look_through(hash, ct.tuplehash[0].tuple, zone, net, max_chainlen);

	if (!found.h && !found.err)
		found = look_through(reply_hash, ct.tuplehash[1].tuple, zone, net, max_chainlen);
	int err = found.h ? -EEXIST : found.err;
	if (!err && !nf_ct_ext_valid_post(ct.ext))
		err = -EAGAIN;
	if (!err) {
		refcount_set(ct.use, 2);
		__nf_conntrack_hash_insert(ct, hash, reply_hash);
		NF_CT_STAT_INC(net, &ip_conntrack_stat::insert);
	} else if (err == -ENOSPC) {
		NF_CT_STAT_INC(net, &ip_conntrack_stat::chaintoolong);
	}
	nf_conntrack_double_unlock(hash, reply_hash);
	local_bh_enable();
	return err;
}

void nf_ct_acct_add(nf_conn &ct, u32 dir, u32 packets, u32 bytes)
{
	TRACE();
	if (nf_conn_acct *acct = nf_conn_acct_find(ct)) {
		acct->counter[dir].packets += packets;
		acct->counter[dir].bytes += bytes;
	}
}

static void nf_ct_acct_merge(nf_conn &ct, ip_conntrack_info ctinfo, const nf_conn &loser_ct)
{
	TRACE();
	if (const nf_conn_acct *acct = nf_conn_acct_find(loser_ct))
		nf_ct_acct_update(ct, CTINFO2DIR(ctinfo),
		                  static_cast<u32>(acct->counter[CTINFO2DIR(ctinfo)].bytes));
}

static void __nf_conntrack_insert_prepare(nf_conn &ct)
{
	TRACE();
	refcount_inc(ct.use);
	if (nf_conn_tstamp *tstamp = nf_conn_tstamp_find(ct))
		tstamp->start = ktime_get_real_ns();
}

// The packet goes over to the connection that won, if that is the same, or not changed by NAT.
static u32 __nf_ct_resolve_clash(sk_buff &skb, nf_conntrack_tuple_hash &h)
{
	TRACE(skb);
	nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);
	ip_conntrack_info ctinfo;
	nf_conn *loser_ct = nf_ct_get(skb, ctinfo);

	if (nf_ct_is_dying(ct))
		return NF_DROP;
	if ((ct.status & IPS_NAT_DONE_MASK) == 0 || nf_ct_match(ct, *loser_ct)) {
		const net &net = nf_ct_net(ct);

		nf_conntrack_get(&ct);
		nf_ct_acct_merge(ct, ctinfo, *loser_ct);
		nf_ct_put(loser_ct);
		nf_ct_set(skb, &ct, ctinfo);
		NF_CT_STAT_INC(net, &ip_conntrack_stat::clash_resolve);
		return NF_ACCEPT;
	}
	return NF_DROP;
}

// Only the answers' tuple goes into the table, and for a second: packets as this one then belong to the
// winner.
static u32 nf_ct_resolve_clash_harder(sk_buff &skb, u32 repl_idx)
{
	TRACE(skb);
	auto &loser_ct = *static_cast<nf_conn *>(skb_nfct(skb));
	const nf_conntrack_zone &zone = nf_ct_zone(loser_ct);
	net &net = nf_ct_net(loser_ct);
	nf_conntrack_tuple_hash &reply = loser_ct.tuplehash[IP_CT_DIR_REPLY];
	const found_conn found = look_through(repl_idx, reply.tuple, zone, net, ~u32{0});

	if (found.h)
		return __nf_ct_resolve_clash(skb, *found.h);
	loser_ct.timeout = nfct_time_stamp() + HZ;
	loser_ct.status |= IPS_FIXED_TIMEOUT | IPS_NAT_CLASH;
	__nf_conntrack_insert_prepare(loser_ct);
	hlist_nulls_node &orig = loser_ct.tuplehash[IP_CT_DIR_ORIGINAL].hnnode;
	orig.pprev.store(&orig.next, std::memory_order_relaxed); // hlist_nulls_add_fake
	hlist_nulls_add_head_rcu(reply.hnnode, table().hash[repl_idx]);
	loser_ct.status |= IPS_CONFIRMED;
	NF_CT_STAT_INC(net, &ip_conntrack_stat::clash_resolve);
	return NF_ACCEPT;
}

static u32 nf_ct_resolve_clash(sk_buff &skb, nf_conntrack_tuple_hash &h, u32 reply_hash)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	const net &net = nf_ct_net(*nf_ct_get(skb, ctinfo));

	if (nf_ct_l4proto_find(nf_ct_protonum(nf_ct_tuplehash_to_ctrack(h))).allow_clash &&
	    (__nf_ct_resolve_clash(skb, h) == NF_ACCEPT ||
	     nf_ct_resolve_clash_harder(skb, reply_hash) == NF_ACCEPT))
		return NF_ACCEPT;
	NF_CT_STAT_INC(net, &ip_conntrack_stat::drop);
	NF_CT_STAT_INC(net, &ip_conntrack_stat::insert_failed);
	return NF_DROP;
}

u32 __nf_conntrack_confirm(sk_buff &skb)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn &ct = *nf_ct_get(skb, ctinfo);
	net &net = nf_ct_net(ct);
	u32 hash = 0, reply_hash = 0, sequence = 0;

	// An answer that was made here (REJECT) confirms nothing.
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return NF_ACCEPT;
	const nf_conntrack_zone &zone = nf_ct_zone(ct);
	local_bh_disable();
	do {
		sequence = table().generation;
		hash = scale_hash(saved_hash(ct));
		reply_hash = hash_conntrack(net, ct.tuplehash[IP_CT_DIR_REPLY].tuple,
		                            nf_ct_zone_id(zone, IP_CT_DIR_REPLY));
	} while (nf_conntrack_double_lock(hash, reply_hash, sequence));
	const auto out = [hash, reply_hash](u32 ret) {
		nf_conntrack_double_unlock(hash, reply_hash);
		local_bh_enable();
		return ret;
	};

	if (nf_ct_is_confirmed(ct)) // a copy of the packet was first
		return out(NF_DROP);
	if (!nf_ct_ext_valid_pre(ct.ext) || nf_ct_is_dying(ct)) {
		NF_CT_STAT_INC(net, &ip_conntrack_stat::insert_failed);
		return out(NF_DROP);
	}
	const u32 max_chainlen = MIN_CHAINLEN + get_random_u32_below<MAX_CHAINLEN>();
	found_conn found =
		look_through(hash, ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple, zone, net, max_chainlen);

	if (!found.h && !found.err)
		found = look_through(reply_hash, ct.tuplehash[IP_CT_DIR_REPLY].tuple, zone, net,
		                     max_chainlen);
	if (found.h)
		return out(nf_ct_resolve_clash(skb, *found.h, reply_hash));
	if (found.err) {
		NF_CT_STAT_INC(net, &ip_conntrack_stat::chaintoolong);
		NF_CT_STAT_INC(net, &ip_conntrack_stat::insert_failed);
		return out(NF_DROP);
	}
	ct.timeout += nfct_time_stamp(); // it counts from now
	__nf_conntrack_insert_prepare(ct);
	__nf_conntrack_hash_insert(ct, hash, reply_hash);
	ct.status |= IPS_CONFIRMED;
	nf_conntrack_double_unlock(hash, reply_hash);
	local_bh_enable();
	if (!nf_ct_ext_valid_post(ct.ext)) {
		nf_ct_kill(ct);
		NF_CT_STAT_INC(net, &ip_conntrack_stat::drop);
		return NF_DROP;
	}
	nf_conntrack_event_cache(ct.master ? IPCT_RELATED : IPCT_NEW, ct);
	return NF_ACCEPT;
}

bool nf_conntrack_tuple_taken(const nf_conntrack_tuple &tuple, const nf_conn &ignored_conntrack)
{
	TRACE();
	net &net = nf_ct_net(ignored_conntrack);
	const nf_conntrack_zone &zone = nf_ct_zone(ignored_conntrack);

	rcu_read_lock();
	const u32 hash = hash_conntrack(net, tuple, nf_ct_zone_id(zone, IP_CT_DIR_REPLY));
	for (std::uintptr_t link = hlist_nulls_first(table().hash[hash]); !is_a_nulls(link);) {
		hlist_nulls_node &n = nulls_entry(link);
		nf_conntrack_tuple_hash &h = tuplehash_of(n);
		nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);

		link = hlist_nulls_next(n);
		if (&ct == &ignored_conntrack)
			continue;
		if (nf_ct_is_expired(ct)) {
			const bool goes = nf_ct_should_gc(ct);

			nf_ct_gc_expired(ct);
			if (goes)
				link = hlist_nulls_first(table().hash[hash]);
			continue;
		}
		if (!nf_ct_key_equal(h, tuple, zone, net))
			continue;
		// The same flow twice is for confirm to sort out.
		if (nf_ct_tuple_equal(ignored_conntrack.tuplehash[0].tuple, ct.tuplehash[0].tuple) &&
		    nf_ct_zone_equal(ct, zone, IP_CT_DIR_ORIGINAL))
			continue;
		NF_CT_STAT_INC(net, &ip_conntrack_stat::found);
		rcu_read_unlock();
		return true;
	}
	rcu_read_unlock();
	return false;
}

static nf_conn *__nf_conntrack_alloc(net &net, const nf_conntrack_zone &zone, const nf_conntrack_tuple &orig,
                                     const nf_conntrack_tuple &repl, u32 hash)
{
	TRACE();
	nf_conntrack_net &cnet = nf_ct_pernet(net);
	const u32 ct_count = ++cnet.count;

	if (table().max && ct_count > table().max && !early_drop(net, hash)) {
		conntrack_state().gc.early_drop = true;
		--cnet.count;
		if (net_ratelimit())
			_printk("%c4nf_conntrack: nf_conntrack: table full, dropping packet\n", KERN_SOH);
		return nullptr;
	}
	void *memory = kmem_cache_alloc(*conntrack_state().cachep, GFP_ATOMIC);
	if (!memory) {
		--cnet.count;
		return nullptr;
	}
	auto *ct = new (memory) nf_conn;

	ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple = orig;
	ct->tuplehash[IP_CT_DIR_REPLY].tuple = repl;
	save_hash(*ct, hash);
	ct->ct_net = &net;
	ct->zone = zone;
	refcount_set(ct->use, 0);
	return ct;
}

nf_conn *nf_conntrack_alloc(net &net, const nf_conntrack_zone &zone, const nf_conntrack_tuple &orig,
                            const nf_conntrack_tuple &repl)
{
	TRACE();
	return __nf_conntrack_alloc(net, zone, orig, repl, 0);
}

static found_conn init_conntrack(net &net, const nf_conntrack_tuple &tuple, u32 hash)
{
	TRACE();
	nf_conntrack_tuple repl_tuple;

	if (!nf_ct_invert_tuple(repl_tuple, tuple))
		return {};
	nf_conn *ct = __nf_conntrack_alloc(net, nf_ct_zone_dflt, tuple, repl_tuple, hash);
	if (!ct)
		return {nullptr, -ENOMEM};
	if (net.ct->sysctl_acct)
		nf_ct_ext_add(*ct, NF_CT_EXT_ACCT);
	if (net.ct->sysctl_tstamp)
		nf_ct_ext_add(*ct, NF_CT_EXT_TSTAMP);
	if (net.ct->sysctl_events && !nf_ct_ecache_ext_add(*ct)) {
		nf_conntrack_free(*ct);
		return {nullptr, -ENOMEM};
	}
	assert(!nf_ct_pernet(net).expect_count); // no helper, so nothing is expected
	refcount_set(ct->use, 1);                // the packet's
	return {&ct->tuplehash[IP_CT_DIR_ORIGINAL], 0};
}

static int resolve_normal_ct(sk_buff &skb, u32 dataoff, u8 protonum, const nf_hook_state &state)
{
	TRACE(skb);
	nf_conntrack_tuple tuple;
	net &net = *state.net;

	if (!nf_ct_get_tuple(skb, static_cast<u32>(skb_network_offset(skb)), dataoff, state.pf, protonum,
	                     tuple))
		return 0;
	const u32 hash = hash_conntrack_raw(tuple, nf_ct_zone_id(nf_ct_zone_dflt, IP_CT_DIR_ORIGINAL), net);
	nf_conntrack_tuple_hash *h = __nf_conntrack_find_get(net, nf_ct_zone_dflt, tuple, hash);

	if (!h) {
		const found_conn made = init_conntrack(net, tuple, hash);

		if (!made.h)
			return made.err;
		h = made.h;
	}
	nf_conn &ct = nf_ct_tuplehash_to_ctrack(*h);
	ip_conntrack_info ctinfo = IP_CT_NEW;

	if (NF_CT_DIRECTION(*h) == IP_CT_DIR_REPLY)
		ctinfo = IP_CT_ESTABLISHED_REPLY;
	else if (ct.status & IPS_SEEN_REPLY)
		ctinfo = IP_CT_ESTABLISHED;
	else if (ct.status & IPS_EXPECTED)
		ctinfo = IP_CT_RELATED;
	nf_ct_set(skb, &ct, ctinfo);
	return 0;
}

static int nf_conntrack_handle_icmp(sk_buff &skb, u32 dataoff, u8 protonum, const nf_hook_state &state)
{
	TRACE(skb);
	if (state.pf != NFPROTO_IPV4 || protonum != IPPROTO_ICMP)
		return NF_ACCEPT;
	const int ret = nf_conntrack_icmpv4_error(nullptr, skb, dataoff, state);

	if (ret <= 0)
		NF_CT_STAT_INC(*state.net, &ip_conntrack_stat::error);
	return ret;
}

static int generic_packet(nf_conn &ct, sk_buff &skb, ip_conntrack_info ctinfo)
{
	TRACE(skb);
	nf_ct_refresh_acct(ct, ctinfo, skb, nf_ct_net(ct).ct->generic_timeout);
	return NF_ACCEPT;
}

static int nf_conntrack_handle_packet(nf_conn &ct, sk_buff &skb, u32 dataoff, ip_conntrack_info ctinfo,
                                      const nf_hook_state &state)
{
	TRACE(skb);
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return nf_conntrack_tcp_packet(ct, skb, dataoff, ctinfo, state);
	case IPPROTO_UDP:
		return nf_conntrack_udp_packet(ct, skb, dataoff, ctinfo, state);
	case IPPROTO_ICMP:
		return nf_conntrack_icmp_packet(ct, skb, ctinfo, state);
	}
	return generic_packet(ct, skb, ctinfo);
}

u32 nf_conntrack_in(sk_buff &skb, const nf_hook_state &state)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	net &net = *state.net;
	u8 protonum = 0;

	// Seen before: on loopback, or tracked for who made it.
	if (nf_ct_get(skb, ctinfo) || ctinfo == IP_CT_UNTRACKED)
		return NF_ACCEPT;
	const int dataoff = get_l4proto(skb, static_cast<u32>(skb_network_offset(skb)), state.pf, protonum);
	if (dataoff <= 0) {
		NF_CT_STAT_INC(net, &ip_conntrack_stat::invalid);
		return NF_ACCEPT;
	}
	if (protonum == IPPROTO_ICMP) {
		const int ret = nf_conntrack_handle_icmp(skb, static_cast<u32>(dataoff), protonum, state);

		if (ret <= 0)
			return static_cast<u32>(-ret);
		if (skb._nfct) // an error about a connection that is known
			return static_cast<u32>(ret);
	}
	for (;;) {
		if (resolve_normal_ct(skb, static_cast<u32>(dataoff), protonum, state) < 0) {
			NF_CT_STAT_INC(net, &ip_conntrack_stat::drop);
			return NF_DROP;
		}
		nf_conn *ct = nf_ct_get(skb, ctinfo);
		if (!ct) {
			NF_CT_STAT_INC(net, &ip_conntrack_stat::invalid);
			return NF_ACCEPT;
		}
		const int ret =
			nf_conntrack_handle_packet(*ct, skb, static_cast<u32>(dataoff), ctinfo, state);
		if (ret <= 0) {
			nf_ct_put(ct);
			skb._nfct = nullptr;
			if (ret == -static_cast<int>(NF_REPEAT)) // the old connection is gone: a new one
				continue;
			NF_CT_STAT_INC(net, &ip_conntrack_stat::invalid);
			if (ret == -static_cast<int>(NF_DROP))
				NF_CT_STAT_INC(net, &ip_conntrack_stat::drop);
			return static_cast<u32>(-ret);
		}
		if (ctinfo == IP_CT_ESTABLISHED_REPLY && !(ct->status & IPS_SEEN_REPLY)) {
			ct->status |= IPS_SEEN_REPLY;
			nf_conntrack_event_cache(IPCT_REPLY, *ct);
		}
		return static_cast<u32>(ret);
	}
}

void nf_conntrack_alter_reply(nf_conn &ct, const nf_conntrack_tuple &newreply)
{
	TRACE();
	assert(!nf_ct_is_confirmed(ct));
	ct.tuplehash[IP_CT_DIR_REPLY].tuple = newreply;
}

void __nf_ct_refresh_acct(nf_conn &ct, ip_conntrack_info ctinfo, const sk_buff &skb, u32 extra_jiffies,
                          bool do_acct)
{
	TRACE(skb);
	if (!(ct.status & IPS_FIXED_TIMEOUT)) {
		if (nf_ct_is_confirmed(ct))
			extra_jiffies += nfct_time_stamp();
		ct.timeout = extra_jiffies;
	}
	if (do_acct)
		nf_ct_acct_update(ct, CTINFO2DIR(ctinfo), skb.len);
}

bool nf_ct_kill_acct(nf_conn &ct, ip_conntrack_info ctinfo, const sk_buff &skb)
{
	TRACE(skb);
	nf_ct_acct_update(ct, CTINFO2DIR(ctinfo), skb.len);
	return nf_ct_delete(ct);
}

u32 nf_conntrack_count(const net &net)
{
	TRACE();
	return nf_ct_pernet(net).count;
}

} // namespace skbwalk
