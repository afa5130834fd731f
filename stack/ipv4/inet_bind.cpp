// SPDX-License-Identifier: GPL-2.0-only
//
// Local ports (the port half of net/ipv4/inet_hashtables.c): buckets by port (bhash) and by port and address
// (bhash2), a socket's entry into both, the child's share of its listener's port, and connect()'s choice of
// an ephemeral port.

#include "stack/ipv4/inet_hashtables.h"

#include "stack/core/netdevice.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

// RFC 6056, section 3.3.4, algorithm 4: one counter for each hash of the destination.
constexpr u32 INET_TABLE_PERTURB_SIZE = 1 << 16;
struct perturbation {
	std::vector<u32> table;
};
perhost<perturbation> table_perturb;

} // namespace

u32 inet_bhashfn(const net &net, u16 lport, u32 bhash_size)
{
	TRACE_INLINE();
	return (lport + net_hash_mix(net)) & (bhash_size - 1);
}

inet_bind2_hashbucket &inet_bhashfn_portaddr(inet_hashinfo &h, const sock &sk, const net &net, u16 port)
{
	TRACE_INLINE(sk);
	return h.bhash2[ipv4_portaddr_hash(net, sk.sk_rcv_saddr, port) & (h.bhash_size - 1)];
}

inet_bind_bucket *inet_bind_bucket_create(kmem_cache &cachep, net &net, inet_bind_hashbucket &head, u16 snum,
                                          int l3mdev)
{
	TRACE();
	void *memory = kmem_cache_alloc(cachep, GFP_ATOMIC);
	if (!memory)
		return nullptr;
	auto *tb = ::new (memory) inet_bind_bucket;
	tb->ib_net = &net;
	tb->l3mdev = l3mdev;
	tb->port = snum;
	head.chain.push_front(*tb);
	return tb;
}

// The bucket's lock is held. A bucket that still has owners stays.
void inet_bind_bucket_destroy(kmem_cache &cachep, inet_bind_bucket &tb)
{
	TRACE();
	if (!tb.owners.empty())
		return;
	auto &chain = tcp_hashinfo->bhash[inet_bhashfn(*tb.ib_net, tb.port, tcp_hashinfo->bhash_size)].chain;
	chain.erase(chain.iterator_to(tb));
	tb.~inet_bind_bucket();
	kmem_cache_free(cachep, &tb);
}

bool inet_bind_bucket_match(const inet_bind_bucket &tb, const net &net, u16 port, int l3mdev)
{
	TRACE_INLINE();
	return net_eq(*tb.ib_net, net) && tb.port == port && tb.l3mdev == l3mdev;
}

static void inet_bind2_bucket_init(inet_bind2_bucket &tb, net &net, inet_bind2_hashbucket &head, u16 port,
                                   int l3mdev, const sock &sk)
{
	TRACE(sk);
	tb.ib_net = &net;
	tb.l3mdev = l3mdev;
	tb.port = port;
	tb.family = sk.sk_family;
	tb.rcv_saddr = sk.sk_rcv_saddr;
	head.chain.push_front(tb);
}

inet_bind2_bucket *inet_bind2_bucket_create(kmem_cache &cachep, net &net, inet_bind2_hashbucket &head,
                                            u16 port, int l3mdev, const sock &sk)
{
	TRACE(sk);
	void *memory = kmem_cache_alloc(cachep, GFP_ATOMIC);
	if (!memory)
		return nullptr;
	auto *tb = ::new (memory) inet_bind2_bucket;
	inet_bind2_bucket_init(*tb, net, head, port, l3mdev, sk);
	return tb;
}

void inet_bind2_bucket_destroy(kmem_cache &cachep, inet_bind2_bucket &tb)
{
	TRACE();
	if (!tb.owners.empty())
		return;
	inet_hashinfo &h = *tcp_hashinfo;
	auto &chain =
		h.bhash2[ipv4_portaddr_hash(*tb.ib_net, tb.rcv_saddr, tb.port) & (h.bhash_size - 1)].chain;
	chain.erase(chain.iterator_to(tb));
	tb.~inet_bind2_bucket();
	kmem_cache_free(cachep, &tb);
}

// An IPv6 socket of this model is bound to any address or to a mapped one, and then has the IPv4 address too.
static bool inet_bind2_bucket_addr_match(const inet_bind2_bucket &tb2, const sock &sk)
{
	TRACE(sk);
	return tb2.rcv_saddr == sk.sk_rcv_saddr &&
	       (sk.sk_family == tb2.family || static_cast<bool>(tb2.rcv_saddr));
}

static bool inet_bind2_bucket_match(const inet_bind2_bucket &tb, const net &net, u16 port, int l3mdev,
                                    const sock &sk)
{
	TRACE(sk);
	return net_eq(*tb.ib_net, net) && tb.port == port && tb.l3mdev == l3mdev &&
	       inet_bind2_bucket_addr_match(tb, sk);
}

bool inet_bind2_bucket_match_addr_any(const inet_bind2_bucket &tb, const net &net, u16 port, int l3mdev,
                                      const sock &)
{
	TRACE();
	return net_eq(*tb.ib_net, net) && tb.port == port && tb.l3mdev == l3mdev && !tb.rcv_saddr;
}

inet_bind2_bucket *inet_bind2_bucket_find(const inet_bind2_hashbucket &head, const net &net, u16 port,
                                          int l3mdev, const sock &sk)
{
	TRACE(sk);
	for (const inet_bind2_bucket &tb : head.chain)
		if (inet_bind2_bucket_match(tb, net, port, l3mdev, sk))
			return const_cast<inet_bind2_bucket *>(&tb);
	return nullptr;
}

inet_bind2_hashbucket &inet_bhash2_addr_any_hashbucket(const sock &sk, const net &net, u16 port)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	return h.bhash2[ipv4_portaddr_hash(net, htonl(INADDR_ANY), port) & (h.bhash_size - 1)];
}

void sk_add_bind_node(sock &sk, inet_bind_bucket &tb)
{
	TRACE_INLINE(sk);
	tb.owners.push_front(sk);
}

void inet_bind_hash(sock &sk, inet_bind_bucket &tb, inet_bind2_bucket &tb2, u16 port)
{
	TRACE(sk);
	inet_sk(sk).inet_num = port;
	sk_add_bind_node(sk, tb);
	inet_csk(sk).icsk_bind_hash = &tb;
	tb2.owners.push_front(sk);
	inet_csk(sk).icsk_bind2_hash = &tb2;
}

void __inet_put_port(sock &sk)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	inet_connection_sock &icsk = inet_csk(sk);
	net &net = sock_net(sk);
	inet_bind_hashbucket &head = h.bhash[inet_bhashfn(net, icsk.inet_num, h.bhash_size)];
	inet_bind2_hashbucket &head2 = inet_bhashfn_portaddr(h, sk, net, icsk.inet_num);

	spin_lock(head.lock);
	inet_bind_bucket *tb = icsk.icsk_bind_hash;
	tb->owners.erase(tb->owners.iterator_to(sk));
	icsk.icsk_bind_hash = nullptr;
	icsk.inet_num = 0;
	inet_bind_bucket_destroy(*h.bind_bucket_cachep, *tb);

	spin_lock(head2.lock);
	if (inet_bind2_bucket *tb2 = icsk.icsk_bind2_hash) {
		tb2->owners.erase(tb2->owners.iterator_to(sk));
		icsk.icsk_bind2_hash = nullptr;
		inet_bind2_bucket_destroy(*h.bind2_bucket_cachep, *tb2);
	}
	spin_unlock(head2.lock);
	spin_unlock(head.lock);
}

void inet_put_port(sock &sk)
{
	TRACE(sk);
	local_bh_disable();
	__inet_put_port(sk);
	local_bh_enable();
}

int __inet_inherit_port(const sock &sk, sock &child)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	net &net = sock_net(sk);
	const u16 port = inet_sk(child).inet_num;
	inet_bind_hashbucket &head = h.bhash[inet_bhashfn(net, port, h.bhash_size)];
	inet_bind2_hashbucket &head2 = inet_bhashfn_portaddr(h, child, net, port);
	int err = -ENOENT;

	spin_lock(head.lock);
	spin_lock(head2.lock);
	inet_bind_bucket *tb = inet_csk(sk).icsk_bind_hash;
	inet_bind2_bucket *tb2 = inet_csk(sk).icsk_bind2_hash;
	if (tb && tb2) {
		assert(tb->port == port); // no transparent proxy redirects to another port here
		err = 0;
		if (!inet_bind2_bucket_addr_match(*tb2, child)) {
			tb2 = inet_bind2_bucket_find(head2, net, port, 0, child);
			if (!tb2)
				tb2 = inet_bind2_bucket_create(*h.bind2_bucket_cachep, net, head2, port, 0,
				                               child);
			if (!tb2)
				err = -ENOMEM;
		}
		if (!err)
			inet_bind_hash(child, *tb, *tb2, port);
	}
	spin_unlock(head2.lock);
	spin_unlock(head.lock);
	return err;
}

static void inet_update_saddr(sock &sk, be32 saddr, u16)
{
	TRACE(sk);
	// One that is hashed already (inet_sk_reselect_saddr) stays where it is until it is hashed again.
	const bool hashed = sk_hashed(sk);

	if (hashed)
		ehash_filter_remove(*tcp_hashinfo, sk);
	inet_sk(sk).inet_saddr = saddr;
	sk.sk_rcv_saddr = saddr;
	if (hashed)
		ehash_filter_add(*tcp_hashinfo, sk);
}

static void inet_reset_saddr(sock &sk)
{
	TRACE_INLINE(sk);
	inet_sk(sk).inet_rcv_saddr = inet_sk(sk).inet_saddr = be32{};
	if (sk.sk_family == AF_INET6) {
		sk.sk_v6_rcv_saddr = {};
	}
}

static int __inet_bhash2_update_saddr(sock &sk, be32 saddr, u16 family, bool reset)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	inet_connection_sock &icsk = inet_csk(sk);
	net &net = sock_net(sk);

	if (!icsk.icsk_bind2_hash) { // not bound before
		if (reset)
			inet_reset_saddr(sk);
		else
			inet_update_saddr(sk, saddr, family);
		return 0;
	}
	const u16 port = icsk.inet_num;
	// The bucket is allocated ahead, so that a failure leaves the table as it was.
	void *memory = kmem_cache_alloc(*h.bind2_bucket_cachep, GFP_ATOMIC);
	if (!memory) {
		if (reset) {
			inet_put_port(sk);
			inet_reset_saddr(sk);
		}
		return -ENOMEM;
	}
	inet_bind_hashbucket &head = h.bhash[inet_bhashfn(net, port, h.bhash_size)];

	spin_lock_bh(head.lock);
	{
		inet_bind2_hashbucket &head2 = inet_bhashfn_portaddr(h, sk, net, port);
		spin_lock(head2.lock);
		icsk.icsk_bind2_hash->owners.erase(icsk.icsk_bind2_hash->owners.iterator_to(sk));
		inet_bind2_bucket_destroy(*h.bind2_bucket_cachep, *icsk.icsk_bind2_hash);
		spin_unlock(head2.lock);
	}
	if (reset)
		inet_reset_saddr(sk);
	else
		inet_update_saddr(sk, saddr, family);

	inet_bind2_hashbucket &head2 = inet_bhashfn_portaddr(h, sk, net, port);
	spin_lock(head2.lock);
	inet_bind2_bucket *tb2 = inet_bind2_bucket_find(head2, net, port, 0, sk);
	const bool found = tb2 != nullptr;
	if (!found) {
		tb2 = ::new (memory) inet_bind2_bucket;
		inet_bind2_bucket_init(*tb2, net, head2, port, 0, sk);
	}
	tb2->owners.push_front(sk);
	icsk.icsk_bind2_hash = tb2;
	spin_unlock(head2.lock);
	spin_unlock_bh(head.lock);

	if (found)
		kmem_cache_free(*h.bind2_bucket_cachep, memory);
	return 0;
}

int inet_bhash2_update_saddr(sock &sk, be32 saddr, u16 family)
{
	TRACE(sk);
	return __inet_bhash2_update_saddr(sk, saddr, family, false);
}

void inet_bhash2_reset_saddr(sock &sk)
{
	TRACE(sk);
	if (!(sk.sk_userlocks & SOCK_BINDADDR_LOCK))
		__inet_bhash2_update_saddr(sk, be32{}, 0, true);
}

// connect()'s port: the one that is bound, or the first even-offset one (of the range's low parity) that is
// free for this destination, starting at a place that the destination's hash and a counter give.
int __inet_hash_connect(inet_timewait_death_row &death_row, sock &sk, u64 port_offset,
                        int (*check_established)(inet_timewait_death_row &, sock &, u16,
                                                 inet_timewait_sock **))
{
	TRACE(sk);
	inet_hashinfo &h = *death_row.hashinfo;
	net &net = sock_net(sk);

	if (const u16 bound = inet_sk(sk).inet_num) {
		local_bh_disable();
		const int ret = check_established(death_row, sk, bound, nullptr);
		local_bh_enable();
		return ret;
	}

	int low, high;
	inet_sk_get_local_port_range(sk, low, high);
	++high; // half open
	u32 remaining = static_cast<u32>(high - low);
	if (remaining > 1)
		remaining &= ~1u;

	std::vector<u32> &perturb = table_perturb->table;
	if (perturb.empty()) {
		perturb.resize(INET_TABLE_PERTURB_SIZE);
		get_random_bytes(perturb.data(), perturb.size() * sizeof(u32));
	}
	u32 &counter = perturb[port_offset & (INET_TABLE_PERTURB_SIZE - 1)];
	u32 offset = (counter + static_cast<u32>(port_offset >> 32)) % remaining & ~1u;

	inet_timewait_sock *tw = nullptr;
	for (int parity = 0; parity < 2; ++parity, ++offset) {
		if (parity && remaining <= 1)
			break;
		int port = low + static_cast<int>(offset);
		for (u32 i = 0; i < remaining; i += 2, port += 2) {
			if (port >= high)
				port -= static_cast<int>(remaining);
			const u16 lport = static_cast<u16>(port);
			inet_bind_hashbucket &head = h.bhash[inet_bhashfn(net, lport, h.bhash_size)];
			spin_lock_bh(head.lock);

			inet_bind_bucket *tb = nullptr;
			for (inet_bind_bucket &at : head.chain)
				if (inet_bind_bucket_match(at, net, lport, 0)) {
					tb = &at;
					break;
				}
			const bool created = !tb;
			if (tb) {
				// A port that somebody bound is not ours; one that connect() chose may serve
				// another peer too.
				if (tb->fastreuse >= 0 || tb->fastreuseport >= 0 ||
				    check_established(death_row, sk, lport, &tw)) {
					spin_unlock_bh(head.lock);
					cond_resched();
					continue;
				}
			} else {
				tb = inet_bind_bucket_create(*h.bind_bucket_cachep, net, head, lport, 0);
				if (!tb) {
					spin_unlock_bh(head.lock);
					return -ENOMEM;
				}
				tb->fastreuse = -1;
				tb->fastreuseport = -1;
			}

			inet_bind2_hashbucket &head2 = inet_bhashfn_portaddr(h, sk, net, lport);
			spin_lock(head2.lock);
			inet_bind2_bucket *tb2 = inet_bind2_bucket_find(head2, net, lport, 0, sk);
			if (!tb2)
				tb2 = inet_bind2_bucket_create(*h.bind2_bucket_cachep, net, head2, lport, 0,
				                               sk);
			if (!tb2) {
				if (sk_hashed(sk)) {
					spinlock_t &lock = inet_ehash_lockp(h, sk.sk_hash);
					sock_prot_inuse_add(net, *sk.sk_prot, -1);
					spin_lock(lock);
					leave_ehash(h, sk);
					spin_unlock(lock);
					sk.sk_hash = 0;
					inet_sk(sk).inet_sport = be16{};
					inet_sk(sk).inet_num = 0;
					if (tw)
						inet_twsk_bind_unhash(*tw, h);
				}
				spin_unlock(head2.lock);
				if (created)
					inet_bind_bucket_destroy(*h.bind_bucket_cachep, *tb);
				spin_unlock(head.lock);
				if (tw)
					inet_twsk_deschedule_put(*tw);
				local_bh_enable();
				return -ENOMEM;
			}

			// Some randomness for the next choice: most while there is little contention.
			const u32 skip = std::max(i, prandom_u32_max(8) * 2);
			counter += skip + 2;

			inet_bind_hash(sk, *tb, *tb2, lport);
			if (sk_unhashed(sk)) {
				inet_sk(sk).inet_sport = htons(lport);
				inet_ehash_nolisten(sk, tw, nullptr);
			}
			if (tw)
				inet_twsk_bind_unhash(*tw, h);
			spin_unlock(head2.lock);
			spin_unlock(head.lock);
			if (tw)
				inet_twsk_deschedule_put(*tw);
			local_bh_enable();
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

} // namespace skbwalk
