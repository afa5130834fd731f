// SPDX-License-Identifier: GPL-2.0-only
//
// TIME_WAIT (net/ipv4/inet_timewait_sock.c): a small socket takes the place of the full one in the
// established hash and in the port's buckets, and its timer ends it.

#include "stack/ipv4/inet_hashtables.h"

namespace skbwalk {

namespace {

// The hash of a TIME_WAIT socket's address bucket, as inet_bhashfn_portaddr gives it for the full one.
inet_bind2_hashbucket &bucket2_of(inet_hashinfo &h, const inet_timewait_sock &tw)
{
	return h.bhash2[ipv4_portaddr_hash(sock_net(tw), tw.sk_rcv_saddr, tw.sk_num) & (h.bhash_size - 1)];
}

} // namespace

void inet_twsk_bind_unhash(inet_timewait_sock &tw, inet_hashinfo &h)
{
	TRACE();
	inet_bind_bucket *tb = tw.tw_tb;
	inet_bind2_bucket *tb2 = tw.tw_tb2;
	if (!tb)
		return;
	tb->owners.erase(tb->owners.iterator_to(tw));
	tw.tw_tb = nullptr;
	inet_bind_bucket_destroy(*h.bind_bucket_cachep, *tb);
	tb2->owners.erase(tb2->owners.iterator_to(tw));
	tw.tw_tb2 = nullptr;
	inet_bind2_bucket_destroy(*h.bind2_bucket_cachep, *tb2);
	[[maybe_unused]] const bool last = refcount_dec_and_test(tw.skc_refcnt);
	assert(!last);
}

static void inet_twsk_kill(inet_timewait_sock &tw)
{
	TRACE();
	inet_hashinfo &h = *tw.tw_dr->hashinfo;
	spinlock_t &lock = inet_ehash_lockp(h, tw.sk_hash);

	spin_lock(lock);
	if (sk_hashed(tw)) {
		leave_ehash(h, tw);
		[[maybe_unused]] const bool last = refcount_dec_and_test(tw.skc_refcnt);
		assert(!last);
	}
	spin_unlock(lock);

	inet_bind_hashbucket &bhead = h.bhash[inet_bhashfn(sock_net(tw), tw.sk_num, h.bhash_size)];
	inet_bind2_hashbucket &bhead2 = bucket2_of(h, tw);
	spin_lock(bhead.lock);
	spin_lock(bhead2.lock);
	inet_twsk_bind_unhash(tw, h);
	spin_unlock(bhead2.lock);
	spin_unlock(bhead.lock);

	--tw.tw_dr->tw_refcount;
	inet_twsk_put(tw);
}

void inet_twsk_free(inet_timewait_sock &tw)
{
	TRACE();
	const timewait_sock_ops &ops = *tw.sk_prot->twsk_prot;
	kmem_cache &slab = *proto_of(*tw.sk_prot).twsk_slab;

	if (ops.twsk_destructor)
		ops.twsk_destructor(tw);
	ops.destruct(tw);
	kmem_cache_free(slab, &tw);
}

void inet_twsk_put(inet_timewait_sock &tw)
{
	TRACE();
	if (refcount_dec_and_test(tw.skc_refcnt))
		inet_twsk_free(tw);
}

// Takes the place of `sk`, which stays in the port's buckets until it is destroyed.
void inet_twsk_hashdance(inet_timewait_sock &tw, sock &sk, inet_hashinfo &h)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);
	inet_bind_hashbucket &bhead = h.bhash[inet_bhashfn(sock_net(tw), icsk.inet_num, h.bhash_size)];
	inet_bind2_hashbucket &bhead2 = inet_bhashfn_portaddr(h, sk, sock_net(tw), icsk.inet_num);
	spinlock_t &lock = inet_ehash_lockp(h, sk.sk_hash);

	spin_lock(bhead.lock);
	spin_lock(bhead2.lock);
	tw.tw_tb = icsk.icsk_bind_hash;
	assert(tw.tw_tb);
	tw.tw_tb->owners.push_front(tw);
	tw.tw_tb2 = icsk.icsk_bind2_hash;
	assert(tw.tw_tb2);
	tw.tw_tb2->owners.push_front(tw);
	spin_unlock(bhead2.lock);
	spin_unlock(bhead.lock);

	spin_lock(lock);
	enter_ehash(h, tw);
	if (sk_hashed(sk)) {
		leave_ehash(h, sk);
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
	}
	spin_unlock(lock);
	// One reference each for the port's buckets, the established hash and the timer; the caller's is
	// given up.
	refcount_set(tw.skc_refcnt, 3);
}

static void tw_timer_handler(timer_list &t)
{
	TRACE();
	inet_twsk_kill(container_of(t, &inet_timewait_sock::tw_timer));
}

inet_timewait_sock *inet_twsk_alloc(const sock &sk, inet_timewait_death_row &dr, int state)
{
	TRACE(sk);
	if (static_cast<int>(dr.tw_refcount) >= sock_net(sk).ipv4.sysctl_max_tw_buckets)
		return nullptr;
	const timewait_sock_ops &ops = *sk.sk_prot_creator->twsk_prot;
	void *memory = kmem_cache_alloc(*proto_of(*sk.sk_prot_creator).twsk_slab, GFP_ATOMIC);
	if (!memory)
		return nullptr;
	inet_timewait_sock &tw = *ops.construct(memory);
	const inet_sock &inet = inet_sk(sk);

	tw.tw_dr = &dr;
	tw.sk_daddr = inet.inet_daddr;
	tw.sk_rcv_saddr = inet.inet_rcv_saddr;
	tw.sk_bound_dev_if = sk.sk_bound_dev_if;
	tw.tw_tos = inet.tos;
	tw.sk_num = inet.inet_num;
	tw.sk_state = TCP_TIME_WAIT;
	tw.tw_substate = static_cast<u8>(state);
	tw.tw_sport = inet.inet_sport;
	tw.sk_dport = inet.inet_dport;
	tw.sk_family = sk.sk_family;
	tw.sk_reuse = sk.sk_reuse;
	tw.sk_reuseport = sk.sk_reuseport;
	tw.sk_hash = sk.sk_hash;
	tw.skc_ipv6only = 0;
	tw.tw_transparent = inet.transparent;
	tw.sk_prot = sk.sk_prot_creator;
	tw.skc_cookie = sk.skc_cookie;
	tw.skc_net = &sock_net(sk);
	tw.skc_v6_daddr = sk.skc_v6_daddr;
	tw.skc_v6_rcv_saddr = sk.skc_v6_rcv_saddr;
	timer_setup(tw.tw_timer, tw_timer_handler, TIMER_PINNED);
	// Readers find it before all is set up: none gets a reference until the count is set.
	refcount_set(tw.skc_refcnt, 0);
	return &tw;
}

void inet_twsk_deschedule_put(inet_timewait_sock &tw)
{
	TRACE();
	if (del_timer_sync(tw.tw_timer))
		inet_twsk_kill(tw);
	inet_twsk_put(tw);
}

void __inet_twsk_schedule(inet_timewait_sock &tw, int timeo, bool rearm)
{
	TRACE();
	const u32 expires = jiffies() + static_cast<u32>(timeo);

	if (rearm) {
		mod_timer_pending(tw.tw_timer, expires);
		return;
	}
	NET_INC_STATS(sock_net(tw),
	              timeo <= static_cast<int>(4 * HZ) ? LINUX_MIB_TIMEWAITKILLED : LINUX_MIB_TIMEWAITED);
	[[maybe_unused]] const int was_pending = mod_timer(tw.tw_timer, expires);
	assert(!was_pending);
	++tw.tw_dr->tw_refcount;
}

void inet_twsk_schedule(inet_timewait_sock &tw, int timeo)
{
	TRACE_INLINE();
	__inet_twsk_schedule(tw, timeo, false);
}

void inet_twsk_reschedule(inet_timewait_sock &tw, int timeo)
{
	TRACE_INLINE();
	__inet_twsk_schedule(tw, timeo, true);
}

// A namespace ends: its TIME_WAIT sockets and requests go with it.
void inet_twsk_purge(net &net)
{
	TRACE();
	inet_hashinfo &h = *tcp_hashinfo;

	for (u32 slot = 0; slot <= h.ehash_mask; ++slot) {
		bool again = true;
		while (again) {
			again = false;
			for (std::uintptr_t link = hlist_nulls_first(h.ehash[slot].chain); !is_a_nulls(link);
			     link = hlist_nulls_next(nulls_entry(link))) {
				sock_common &sk =
					container_of(nulls_entry(link), &sock_common::skc_nulls_node);
				if (&sock_net(sk) != &net || sk_fullsock(sk) ||
				    !refcount_inc_not_zero(sk.skc_refcnt))
					continue;
				local_bh_disable();
				if (sk.sk_state == TCP_TIME_WAIT)
					inet_twsk_deschedule_put(inet_twsk(sk));
				else
					inet_csk_reqsk_queue_drop_and_put(*inet_reqsk(sk).rsk_listener(),
					                                  inet_reqsk(sk));
				local_bh_enable();
				again = true;
				break;
			}
		}
	}
}

} // namespace skbwalk
