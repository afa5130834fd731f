// SPDX-License-Identifier: GPL-2.0-only
//
// Hooks on a packet's way (include/linux/netfilter.h). A place on the way names what it would do next (okfn)
// and asks NF_HOOK: with nobody registered there, okfn runs at once; else nf_hook_slow asks each function in
// order of priority for a verdict.
#pragma once

#include <vector>

#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

constexpr u32 NF_DROP = 0, NF_ACCEPT = 1, NF_STOLEN = 2, NF_QUEUE = 3, NF_REPEAT = 4, NF_STOP = 5,
	      NF_VERDICT_MASK = 0x000000ff;
constexpr u32 NF_VERDICT_FLAG_QUEUE_BYPASS = 0x00008000, NF_VERDICT_QBITS = 16;
constexpr u32 NF_QUEUE_NR(u32 number) { return number << NF_VERDICT_QBITS | NF_QUEUE; }
constexpr u32 NF_DROP_ERR(int err) { return static_cast<u32>(-err) << 16 | NF_DROP; }
constexpr int NF_DROP_GETERR(u32 verdict) { return -static_cast<int>(verdict >> 16); }
constexpr u8 NFPROTO_UNSPEC = 0, NFPROTO_INET = 1, NFPROTO_IPV4 = 2, NFPROTO_ARP = 3, NFPROTO_NETDEV = 5,
	     NFPROTO_BRIDGE = 7, NFPROTO_IPV6 = 10;
constexpr u32 NF_INET_PRE_ROUTING = 0, NF_INET_LOCAL_IN = 1, NF_INET_FORWARD = 2, NF_INET_LOCAL_OUT = 3,
	      NF_INET_POST_ROUTING = 4;
constexpr u32 NF_ARP_IN = 0, NF_ARP_OUT = 1, NF_ARP_FORWARD = 2;
constexpr u32 NF_BR_PRE_ROUTING = 0, NF_BR_LOCAL_IN = 1, NF_BR_FORWARD = 2, NF_BR_LOCAL_OUT = 3,
	      NF_BR_POST_ROUTING = 4;
// Priorities: uapi/linux/netfilter_ipv4.h.
constexpr int NF_IP_PRI_FIRST = -2147483648, NF_IP_PRI_RAW_BEFORE_DEFRAG = -450,
	      NF_IP_PRI_CONNTRACK_DEFRAG = -400, NF_IP_PRI_RAW = -300, NF_IP_PRI_SELINUX_FIRST = -225,
	      NF_IP_PRI_CONNTRACK = -200, NF_IP_PRI_MANGLE = -150, NF_IP_PRI_NAT_DST = -100,
	      NF_IP_PRI_FILTER = 0, NF_IP_PRI_SECURITY = 50, NF_IP_PRI_NAT_SRC = 100,
	      NF_IP_PRI_SELINUX_LAST = 225, NF_IP_PRI_CONNTRACK_HELPER = 300,
	      NF_IP_PRI_CONNTRACK_CONFIRM = 2147483647, NF_IP_PRI_LAST = 2147483647;

// Priorities: uapi/linux/netfilter_bridge.h.
constexpr int NF_BR_PRI_FIRST = -2147483648, NF_BR_PRI_NAT_DST_BRIDGED = -300,
	      NF_BR_PRI_FILTER_BRIDGED = -200, NF_BR_PRI_BRNF = 0, NF_BR_PRI_NAT_DST_OTHER = 100,
	      NF_BR_PRI_FILTER_OTHER = 200, NF_BR_PRI_NAT_SRC = 300, NF_BR_PRI_LAST = 2147483647;

using nf_okfn = int (*)(net &net, sock *sk, skb_ptr skb);
struct nf_hook_state {
	u8 hook;
	u8 pf;
	net_device *in;
	net_device *out;
	skbwalk::sock *sk;
	skbwalk::net *net;
	nf_okfn okfn;
};
// Returns a verdict, with an errno (NF_DROP_ERR) or a queue's number (NF_QUEUE_NR) above it. With NF_STOLEN,
// and then only, it took the skb out of its argument.
using nf_hookfn = u32 (*)(void *priv, skb_ptr &skb, const nf_hook_state &state);

struct nf_hook_ops {
	nf_hookfn hook;
	net_device *dev;
	void *priv;
	u8 pf;
	u32 hooknum;
	int priority; // ascending
};
struct nf_hook_entry {
	nf_hookfn hook;
	void *priv;
	const nf_hook_ops *orig_ops;
};
// Never changed: replaced, and freed after a grace period.
struct nf_hook_entries {
	std::vector<nf_hook_entry> hooks;
	rcu_head head;
};

int nf_register_net_hook(net &net, const nf_hook_ops &reg);
void nf_unregister_net_hook(net &net, const nf_hook_ops &reg);
int nf_register_net_hooks(net &net, const nf_hook_ops *reg, u32 n);
void nf_unregister_net_hooks(net &net, const nf_hook_ops *reg, u32 hookcount);
int nf_hook_entries_insert_raw(nf_hook_entries *&pp, const nf_hook_ops &reg);
void nf_hook_entries_delete_raw(nf_hook_entries *&pp, const nf_hook_ops &reg);
// 1: go on with okfn. Else the skb is gone: 0, or a negative errno.
int nf_hook_slow(skb_ptr &skb, const nf_hook_state &state, const nf_hook_entries &e, std::size_t s);
void nf_hook_slow_list(list_head &head, const nf_hook_state &state, const nf_hook_entries &e);

inline nf_hook_entries *hooks_at(net &net, u8 pf, u32 hook)
{
	switch (pf) {
	case NFPROTO_IPV4:
		return net.nf.hooks_ipv4[hook];
	case NFPROTO_IPV6:
		return net.nf.hooks_ipv6[hook];
	case NFPROTO_ARP:
		return net.nf.hooks_arp[hook];
	case NFPROTO_BRIDGE:
		return net.nf.hooks_bridge[hook];
	}
	assert(false && "a family without hooks");
	return nullptr;
}
inline int nf_hook(u8 pf, u32 hook, net &net, sock *sk, skb_ptr &skb, net_device *indev, net_device *outdev,
                   nf_okfn okfn)
{
	TRACE_INLINE(skb, sk);
	int ret = 1;

	rcu_read_lock();
	if (const nf_hook_entries *hook_head = hooks_at(net, pf, hook))
		ret = nf_hook_slow(skb, {static_cast<u8>(hook), pf, indev, outdev, sk, &net, okfn},
		                   *hook_head, 0);
	rcu_read_unlock();
	return ret;
}
inline int NF_HOOK(u8 pf, u32 hook, net &net, sock *sk, skb_ptr skb, net_device *in, net_device *out,
                   nf_okfn okfn)
{
	TRACE_INLINE(skb, sk);
	const int ret = nf_hook(pf, hook, net, sk, skb, in, out, okfn);

	return ret == 1 ? okfn(net, sk, std::move(skb)) : ret;
}
inline int NF_HOOK_COND(u8 pf, u32 hook, net &net, sock *sk, skb_ptr skb, net_device *in, net_device *out,
                        nf_okfn okfn, bool cond)
{
	TRACE_INLINE(skb, sk);
	const int ret = cond ? nf_hook(pf, hook, net, sk, skb, in, out, okfn) : 1;

	return ret == 1 ? okfn(net, sk, std::move(skb)) : ret;
}
// Leaves on the list what may go on.
inline void NF_HOOK_LIST(u8 pf, u32 hook, net &net, sock *sk, list_head &head, net_device *in,
                         net_device *out, nf_okfn okfn)
{
	TRACE_INLINE(sk);
	rcu_read_lock();
	if (const nf_hook_entries *hook_head = hooks_at(net, pf, hook))
		nf_hook_slow_list(head, {static_cast<u8>(hook), pf, in, out, sk, &net, okfn}, *hook_head);
	rcu_read_unlock();
}

} // namespace skbwalk
