// SPDX-License-Identifier: GPL-2.0-only
//
// dst_entry (include/net/dst.h): where a packet goes and by which functions. Counted; freed after a grace
// period.
#pragma once

#include <array>

#include "stack/core/skbuff.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

struct neighbour;
struct dst_entry;
struct dst_metrics;

constexpr int RTAX_LOCK = 1, RTAX_MTU = 2, RTAX_WINDOW = 3, RTAX_RTT = 4, RTAX_RTTVAR = 5, RTAX_SSTHRESH = 6,
	      RTAX_CWND = 7, RTAX_ADVMSS = 8, RTAX_REORDERING = 9, RTAX_HOPLIMIT = 10, RTAX_INITCWND = 11,
	      RTAX_FEATURES = 12, RTAX_RTO_MIN = 13, RTAX_INITRWND = 14, RTAX_QUICKACK = 15,
	      RTAX_CC_ALGO = 16, RTAX_MAX = 17;

// Metrics of a route, shared by the dsts made from it.
struct dst_metrics {
	std::array<u32, RTAX_MAX> metrics{};
	refcount_t refcnt;
};

// dst_alloc() takes memory from kmem_cachep() and makes the object there with construct(). When the last
// reference is gone, destroy() ends what the object holds, and the memory goes back to the cache.
struct dst_ops {
	u16 family;
	dst_entry *(*check)(dst_entry &dst, u32 cookie);
	u32 (*default_advmss)(const dst_entry &dst);
	u32 (*mtu)(const dst_entry &dst);
	void (*destroy)(dst_entry &dst);
	void (*negative_advice)(sock &sk, dst_entry &dst);
	void (*link_failure)(sk_buff &skb);
	void (*update_pmtu)(dst_entry &dst, sock *sk, sk_buff *skb, u32 mtu, bool confirm_neigh);
	void (*redirect)(dst_entry &dst, sock *sk, sk_buff &skb);
	neighbour *(*neigh_lookup)(const dst_entry &dst, sk_buff *skb, const void *daddr);
	void (*confirm_neigh)(const dst_entry &dst, const void *daddr);
	kmem_cache &(*kmem_cachep)() = nullptr; // of the current host
	dst_entry *(*construct)(void *memory) = nullptr;
};

constexpr u16 DST_HOST = 1, DST_NOXFRM = 2, DST_NOPOLICY = 4, DST_NOCOUNT = 8;
constexpr s16 DST_OBSOLETE_NONE = 0, DST_OBSOLETE_DEAD = 2, DST_OBSOLETE_FORCE_CHK = -1,
	      DST_OBSOLETE_KILL = -2;

struct dst_entry {
	net_device *dev = nullptr;
	const dst_ops *ops = nullptr;
	const u32 *_metrics = nullptr; // RTAX_MAX numbers, index RTAX_x - 1
	int (*input)(skb_ptr skb) = nullptr;
	int (*output)(net &net, sock *sk, skb_ptr skb) = nullptr;
	u16 flags = 0;
	s16 obsolete = 0;
	int error = 0;   // positive errno when unreachable, as in the kernel
	u32 expires = 0; // jiffies; 0: never
	atomic_t __refcnt{1};
	u32 lastuse = 0;
	rcu_head rcu;
	u32 trace_id = 0;
};

void dst_init(dst_entry &dst, const dst_ops &ops, net_device *dev, int refs, s16 obsolete, u16 flags);
dst_entry *dst_alloc(const dst_ops &ops, net_device *dev, int refs, s16 obsolete,
                     u16 flags); // null when out of memory
void dst_release(dst_entry *dst);
void dst_release_immediate(dst_entry *dst);
void dst_dev_put(dst_entry &dst);
inline void dst_hold(dst_entry &dst) { atomic_inc(dst.__refcnt); }
[[nodiscard]] bool dst_hold_safe(dst_entry &dst);
inline dst_entry *dst_clone(dst_entry *dst)
{
	if (dst)
		dst_hold(*dst);
	return dst;
}
inline void skb_dst_copy(sk_buff &nskb, const sk_buff &oskb)
{
	nskb.slow_gro |= skb_dst(oskb) != nullptr;
	nskb._skb_refdst = oskb._skb_refdst;
	if (!(nskb._skb_refdst & SKB_DST_NOREF))
		dst_clone(skb_dst(nskb));
}
int dst_discard(skb_ptr skb);
int dst_discard_out(net &net, sock *sk, skb_ptr skb);
inline u32 dst_metric_raw(const dst_entry &dst, int metric)
{
	return dst._metrics ? dst._metrics[metric - 1] : 0;
}
inline u32 dst_metric(const dst_entry &dst, int metric) { return dst_metric_raw(dst, metric); }
inline bool dst_metric_locked(const dst_entry &dst, int metric)
{
	return dst_metric(dst, RTAX_LOCK) & (1u << metric);
}
u32 dst_metric_advmss(const dst_entry &dst);
u32 dst_mtu(const dst_entry &dst);
inline dst_entry *dst_check(dst_entry &dst, u32 cookie)
{
	return dst.obsolete ? dst.ops->check(dst, cookie) : &dst;
}
void dst_set_expires(dst_entry &dst, int timeout); // header inline; the sooner of the two counts
int dst_output(net &net, sock *sk, skb_ptr skb);   // header inline: skb_dst(skb)->output
int dst_input(skb_ptr skb);                        // header inline
neighbour *dst_neigh_lookup(const dst_entry &dst, const void *daddr);
neighbour *dst_neigh_lookup_skb(const dst_entry &dst, sk_buff &skb);
void dst_confirm_neigh(const dst_entry &dst, const void *daddr);
void dst_link_failure(sk_buff &skb);
u32 live_dsts(const host &h); // not yet destroyed, for leak checks

} // namespace skbwalk
