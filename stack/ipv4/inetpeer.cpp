// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/inetpeer.c: what is remembered about an address of a peer, whatever route leads there: how many
// ICMP errors and redirects it got lately. inet_getpeer() looks without the lock first, then, under it, makes
// the entry; entries passed on the way that were not used for long are collected. Left out: IPv6 addresses.
#include <array>

#include "stack/ipv4/route.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

constexpr u32 PEER_MAX_GC = 32, inet_peer_threshold = 65536 + 128, inet_peer_minttl = 120 * HZ,
	      inet_peer_maxttl = 600 * HZ, XRLIM_BURST_FACTOR = 6;

struct peer_less {
	[[maybe_unused]] bool operator()(const inet_peer &a, const inet_peer &b) const;
};
struct peer_caches {
	kmem_cache *peer_cachep = nullptr;
	siphash_key_t hash_key;
	bool keyed = false;
};
const perhost<peer_caches> peers;

struct peer_key {
	u64 hash;
	be32 daddr;
	int vif;
};
using gc_stack_t = std::array<inet_peer *, PEER_MAX_GC>;

} // namespace

using peer_tree = rb_tree_of<inet_peer, &inet_peer::rb_node, peer_less>;
struct inet_peer_base {
	peer_tree rb_root;
	spinlock_t lock;
	u32 total = 0;
};

static u64 inetpeer_addr_hash(be32 daddr, int vif)
{
	TRACE();
	if (!peers->keyed) {
		get_random_bytes(&peers->hash_key, sizeof(peers->hash_key));
		peers->keyed = true;
	}
	return siphash_2u32(daddr.raw(), static_cast<u32>(vif), peers->hash_key);
}

static int inetpeer_entry_cmp(const peer_key &k, const inet_peer &p)
{
	TRACE();
	if (k.hash != p.hash)
		return k.hash < p.hash ? -1 : 1;
	if (!(k.daddr == p.daddr))
		return k.daddr.raw() < p.daddr.raw() ? -1 : 1;
	return k.vif < p.vif ? -1 : k.vif > p.vif;
}

bool peer_less::operator()(const inet_peer &a, const inet_peer &b) const
{
	return inetpeer_entry_cmp({a.hash, a.daddr, a.vif}, b) < 0;
}

// With gc_stack, under the lock: what was passed on the way is noted there. `before`: where an absent one
// belongs.
static inet_peer *lookup(const peer_key &k, inet_peer_base &base, gc_stack_t *gc_stack, u32 &gc_cnt,
                         peer_tree::iterator &before)
{
	TRACE();
	peer_tree::iterator it = base.rb_root.root();

	before = base.rb_root.end();
	while (it != peer_tree::iterator() && it != base.rb_root.end()) {
		inet_peer &p = *it;
		const int cmp = inetpeer_entry_cmp(k, p);

		if (cmp == 0) {
			const u32 now = jiffies();
			if (p.dtime != now)
				p.dtime = now;
			return &p;
		}
		if (gc_stack && gc_cnt < PEER_MAX_GC)
			(*gc_stack)[gc_cnt++] = &p;
		if (cmp < 0)
			before = it;
		if (cmp < 0)
			it.go_left();
		else
			it.go_right();
	}
	return nullptr;
}

static void inetpeer_free_rcu(rcu_head *head)
{
	TRACE();
	inet_peer &p = container_of(*head, &inet_peer::rcu);

	p.~inet_peer();
	kmem_cache_free(*peers->peer_cachep, &p);
}

static void inet_peer_gc(inet_peer_base &base, gc_stack_t &gc_stack, u32 gc_cnt)
{
	TRACE();
	const u32 ttl = base.total >= inet_peer_threshold
	                        ? 0
	                        : inet_peer_maxttl - (inet_peer_maxttl - inet_peer_minttl) / HZ * base.total /
	                                                     inet_peer_threshold * HZ;

	for (u32 i = 0; i < gc_cnt; ++i) {
		inet_peer &p = *gc_stack[i];

		if (jiffies() - p.dtime < ttl || refcount_read(p.refcnt) != 1)
			continue;
		refcount_set(p.refcnt, 0);
		base.rb_root.erase(peer_tree::s_iterator_to(p));
		--base.total;
		call_rcu(p.rcu, inetpeer_free_rcu);
	}
}

inet_peer *inet_getpeer(inet_peer_base &base, be32 daddr, int vif)
{
	TRACE();
	const peer_key k{inetpeer_addr_hash(daddr, vif), daddr, vif};
	peer_tree::iterator before;
	gc_stack_t gc_stack;
	u32 gc_cnt = 0;

	inet_peer *p = lookup(k, base, nullptr, gc_cnt, before);
	if (p)
		return p;

	spin_lock_bh(base.lock);
	p = lookup(k, base, &gc_stack, gc_cnt, before);
	if (!p) {
		if (void *memory = kmem_cache_alloc(*peers->peer_cachep, GFP_ATOMIC)) {
			p = ::new (memory) inet_peer;
			p->daddr = daddr;
			p->vif = vif;
			p->hash = k.hash;
			p->dtime = jiffies();
			// A minute of tokens, so that the first that is asked for is granted.
			p->rate_last = jiffies() - 60 * HZ;
			base.rb_root.insert_before(before, *p);
			++base.total;
		}
	}
	if (gc_cnt)
		inet_peer_gc(base, gc_stack, gc_cnt);
	spin_unlock_bh(base.lock);
	return p;
}

inet_peer *inet_getpeer_v4(inet_peer_base &base, be32 v4daddr, int vif)
{
	TRACE_INLINE();
	return inet_getpeer(base, v4daddr, vif);
}

void inet_putpeer(inet_peer &p)
{
	TRACE();
	if (refcount_dec_and_test(p.refcnt))
		call_rcu(p.rcu, inetpeer_free_rcu);
}

// A token bucket that holds six times `timeout`: one message a `timeout` (jiffies), bursts of six.
bool inet_peer_xrlim_allow(inet_peer *peer, int timeout)
{
	TRACE();
	if (!peer)
		return true;
	const u32 now = jiffies(), cost = static_cast<u32>(timeout);
	u32 token = peer->rate_tokens + (now - peer->rate_last);
	bool rc = false;

	peer->rate_last = now;
	if (token > XRLIM_BURST_FACTOR * cost)
		token = XRLIM_BURST_FACTOR * cost;
	if (token >= cost) {
		token -= cost;
		rc = true;
	}
	peer->rate_tokens = token;
	return rc;
}

void inetpeer_invalidate_tree(inet_peer_base &base)
{
	TRACE();
	base.rb_root.clear_and_dispose([](inet_peer *p) { inet_putpeer(*p); });
	base.total = 0;
}

static int ipv4_inetpeer_init(net &net)
{
	TRACE();
	net.ipv4.peers = new inet_peer_base;
	return 0;
}

static void ipv4_inetpeer_exit(net &net)
{
	TRACE();
	inet_peer_base *bp = net.ipv4.peers;

	net.ipv4.peers = nullptr;
	inetpeer_invalidate_tree(*bp);
	delete bp;
}

void inet_initpeers()
{
	TRACE();
	static constexpr pernet_operations ipv4_inetpeer_ops{"ipv4_inetpeer", ipv4_inetpeer_init,
	                                                     ipv4_inetpeer_exit};

	peers->peer_cachep = &kmem_cache_create("inet_peer_cache", sizeof(inet_peer), 64);
	register_pernet_subsys(ipv4_inetpeer_ops);
}

} // namespace skbwalk
