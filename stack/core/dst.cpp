// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/dst.c, and the functions that include/net/dst.h has inline. dst_alloc makes a destination in its
// family's cache, dst_release gives a reference back, the last one after a grace period; dst_dev_put takes a
// destination off a device that goes away. Left out: metadata, light-weight tunnels, and bundles of
// transformations.
#include "stack/core/dst.h"

#include <cassert>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/core/xfrm.h"

namespace skbwalk {

namespace {

struct dst_count {
	u32 live = 0;
	u32 next_trace_id = 1;
};
perhost<dst_count> dsts;

constexpr std::array<u32, RTAX_MAX> dst_default_metrics{};

} // namespace

u32 live_dsts(const host &h) { return dsts.of(const_cast<host &>(h)).live; }

int dst_discard_out(net &, sock *, skb_ptr skb)
{
	TRACE(skb);
	kfree_skb(std::move(skb));
	return 0;
}

int dst_discard(skb_ptr skb)
{
	TRACE_INLINE(skb);
	sock *sk = skb->sk;

	return dst_discard_out(init_net(), sk, std::move(skb));
}

void dst_init(dst_entry &dst, const dst_ops &ops, net_device *dev, int refs, s16 obsolete, u16 flags)
{
	TRACE(dev);
	dst.dev = dev;
	if (dev)
		dev_hold(*dev);
	dst.ops = &ops;
	dst._metrics = dst_default_metrics.data();
	dst.input = dst_discard;
	dst.output = dst_discard_out;
	dst.obsolete = obsolete;
	atomic_set(dst.__refcnt, refs);
	dst.lastuse = jiffies();
	dst.flags = flags;
	dst.trace_id = dsts->next_trace_id++;
	++dsts->live;
}

dst_entry *dst_alloc(const dst_ops &ops, net_device *dev, int refs, s16 obsolete, u16 flags)
{
	TRACE(dev);
	void *memory = kmem_cache_alloc(ops.kmem_cachep(), GFP_ATOMIC);

	if (!memory)
		return nullptr;

	dst_entry *dst = ops.construct(memory);

	dst_init(*dst, ops, dev, refs, obsolete, flags);
	return dst;
}

static void dst_destroy(dst_entry &dst)
{
	TRACE(dst.dev);
	kmem_cache &cache = dst.ops->kmem_cachep();
	net_device *dev = dst.dev;

	if (dst.ops->destroy)
		dst.ops->destroy(dst);
	dev_put(dev);
	kmem_cache_free(cache, &dst);
	--dsts->live;
}

static void dst_destroy_rcu(rcu_head *head)
{
	TRACE();
	dst_destroy(container_of(*head, &dst_entry::rcu));
}

void dst_dev_put(dst_entry &dst)
{
	TRACE(dst.dev);
	net_device *dev = dst.dev;

	dst.obsolete = DST_OBSOLETE_DEAD;
	dst.input = dst_discard;
	dst.output = dst_discard_out;
	dst.dev = &blackhole_netdev();
	dev_hold(*dst.dev);
	dev_put(dev);
}

void dst_release(dst_entry *dst)
{
	TRACE();
	if (!dst)
		return;

	const int old = atomic_fetch_sub(1, dst->__refcnt);

	assert(old > 0);
	if (old == 1)
		call_rcu(dst->rcu, dst_destroy_rcu);
}

void dst_release_immediate(dst_entry *dst)
{
	TRACE();
	if (!dst)
		return;

	const int old = atomic_fetch_sub(1, dst->__refcnt);

	assert(old > 0);
	if (old == 1)
		dst_destroy(*dst);
}

// --- header inlines ---

bool dst_hold_safe(dst_entry &dst)
{
	TRACE_INLINE();
	return atomic_inc_not_zero(dst.__refcnt);
}

bool skb_dst_force(sk_buff &skb)
{
	TRACE_INLINE(skb);
	if (skb_dst_is_noref(skb)) {
		dst_entry *dst = skb_dst(skb);

		skb_dst_set(skb, dst_hold_safe(*dst) ? dst : nullptr);
		skb.slow_gro |= skb_dst(skb) != nullptr;
	}
	return skb._skb_refdst != 0;
}

bool skb_valid_dst(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return skb_dst(skb) != nullptr;
}

u32 dst_metric_advmss(const dst_entry &dst)
{
	TRACE_INLINE();
	const u32 advmss = dst_metric_raw(dst, RTAX_ADVMSS);

	return advmss ? advmss : dst.ops->default_advmss(dst);
}

u32 dst_mtu(const dst_entry &dst)
{
	TRACE_INLINE();
	return dst.ops->mtu(dst);
}

void dst_set_expires(dst_entry &dst, int timeout)
{
	TRACE_INLINE();
	u32 expires = jiffies() + static_cast<u32>(timeout);

	if (expires == 0)
		expires = 1;
	if (dst.expires == 0 || time_before(expires, dst.expires))
		dst.expires = expires;
}

int dst_output(net &net, sock *sk, skb_ptr skb)
{
	TRACE_INLINE(skb, sk);
	const auto output = skb_dst(*skb)->output;

	return output(net, sk, std::move(skb));
}

int dst_input(skb_ptr skb)
{
	TRACE_INLINE(skb);
	const auto input = skb_dst(*skb)->input;

	return input(std::move(skb));
}

neighbour *dst_neigh_lookup(const dst_entry &dst, const void *daddr)
{
	TRACE_INLINE();
	return dst.ops->neigh_lookup(dst, nullptr, daddr);
}

neighbour *dst_neigh_lookup_skb(const dst_entry &dst, sk_buff &skb)
{
	TRACE_INLINE(skb);
	return dst.ops->neigh_lookup ? dst.ops->neigh_lookup(dst, &skb, nullptr) : nullptr;
}

void dst_confirm_neigh(const dst_entry &dst, const void *daddr)
{
	TRACE_INLINE();
	if (dst.ops->confirm_neigh)
		dst.ops->confirm_neigh(dst, daddr);
}

void dst_link_failure(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const dst_entry *dst = skb_dst(skb);

	if (dst && dst->ops && dst->ops->link_failure)
		dst->ops->link_failure(skb);
}

} // namespace skbwalk
