// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/core.c. nf_register_net_hook puts a function among those of its namespace, family and hook,
// by ascending priority; a packet that comes by meets them in nf_hook_slow, in that order, until one says no,
// takes it, or all accepted. The table of functions is never changed in place: it is replaced, and the old
// one is freed after a grace period, so that a packet under way sees one or the other. Left out: ingress and
// egress hooks of devices.
#include "stack/netfilter/nf_queue.h"

#include <algorithm>

namespace skbwalk {

namespace {

constexpr std::size_t MAX_HOOK_COUNT = 1024;

sk_buff &skb_on(list_head &l) { return list_entry(l, &sk_buff::tcp_tsorted_anchor); }

} // namespace

static nf_hook_entries **nf_hook_entry_head(net &net, u8 pf, u32 hooknum)
{
	TRACE();
	netns_nf &nf = net.nf;

	switch (pf) {
	case NFPROTO_ARP:
		return hooknum < nf.hooks_arp.size() ? &nf.hooks_arp[hooknum] : nullptr;
	case NFPROTO_BRIDGE:
		return hooknum < nf.hooks_bridge.size() ? &nf.hooks_bridge[hooknum] : nullptr;
	case NFPROTO_IPV4:
		return hooknum < nf.hooks_ipv4.size() ? &nf.hooks_ipv4[hooknum] : nullptr;
	case NFPROTO_IPV6:
		return hooknum < nf.hooks_ipv6.size() ? &nf.hooks_ipv6[hooknum] : nullptr;
	}
	return nullptr;
}

static void __nf_hook_entries_free(rcu_head *h)
{
	TRACE();
	delete &container_of(*h, &nf_hook_entries::head);
}

static void nf_hook_entries_free(nf_hook_entries *e)
{
	TRACE();
	if (e)
		call_rcu(e->head, __nf_hook_entries_free);
}

static nf_hook_entries *nf_hook_entries_grow(const nf_hook_entries *old, const nf_hook_ops &reg)
{
	TRACE();
	if (old && old->hooks.size() >= MAX_HOOK_COUNT)
		return nullptr;
	auto *grown = new nf_hook_entries;
	if (old)
		grown->hooks = old->hooks;
	// Among equals the newest comes first.
	const auto at = std::find_if(grown->hooks.begin(), grown->hooks.end(), [&](const nf_hook_entry &e) {
		return reg.priority <= e.orig_ops->priority;
	});

	grown->hooks.insert(at, {reg.hook, reg.priv, &reg});
	return grown;
}

static int __nf_register_net_hook(net &net, u8 pf, const nf_hook_ops &reg)
{
	TRACE();
	nf_hook_entries **pp = nf_hook_entry_head(net, pf, reg.hooknum);

	if (!pp)
		return -EINVAL;
	nf_hook_entries *p = *pp;
	nf_hook_entries *new_hooks = nf_hook_entries_grow(p, reg);
	if (!new_hooks)
		return -E2BIG;
	*pp = new_hooks;
	nf_hook_entries_free(p);
	return 0;
}

static void __nf_unregister_net_hook(net &net, u8 pf, const nf_hook_ops &reg)
{
	TRACE();
	nf_hook_entries **pp = nf_hook_entry_head(net, pf, reg.hooknum);

	if (!pp || !*pp)
		return;
	nf_hook_entries *p = *pp;
	const auto at = std::find_if(p->hooks.begin(), p->hooks.end(),
	                             [&](const nf_hook_entry &e) { return e.orig_ops == &reg; });

	if (at == p->hooks.end())
		return;
	if (p->hooks.size() == 1) {
		*pp = nullptr;
	} else {
		auto *shrunk = new nf_hook_entries;

		shrunk->hooks = p->hooks;
		shrunk->hooks.erase(shrunk->hooks.begin() + (at - p->hooks.begin()));
		*pp = shrunk;
	}
	nf_hook_entries_free(p);
}

// A list of functions that is not a namespace's own: NAT asks its tables so.
int nf_hook_entries_insert_raw(nf_hook_entries *&pp, const nf_hook_ops &reg)
{
	TRACE();
	nf_hook_entries *p = pp;
	nf_hook_entries *new_hooks = nf_hook_entries_grow(p, reg);

	if (!new_hooks)
		return -E2BIG;
	pp = new_hooks;
	nf_hook_entries_free(p);
	return 0;
}

void nf_hook_entries_delete_raw(nf_hook_entries *&pp, const nf_hook_ops &reg)
{
	TRACE();
	nf_hook_entries *p = pp;

	if (!p)
		return;
	auto *shrunk = new nf_hook_entries;
	for (const nf_hook_entry &e : p->hooks)
		if (e.orig_ops != &reg)
			shrunk->hooks.push_back(e);
	if (shrunk->hooks.empty()) {
		delete shrunk;
		shrunk = nullptr;
	}
	pp = shrunk;
	nf_hook_entries_free(p);
}

// NFPROTO_INET stands for both internet protocols.
int nf_register_net_hook(net &net, const nf_hook_ops &reg)
{
	TRACE();
	if (reg.pf != NFPROTO_INET)
		return __nf_register_net_hook(net, reg.pf, reg);
	int err = __nf_register_net_hook(net, NFPROTO_IPV4, reg);

	if (err < 0)
		return err;
	err = __nf_register_net_hook(net, NFPROTO_IPV6, reg);
	if (err < 0)
		__nf_unregister_net_hook(net, NFPROTO_IPV4, reg);
	return err;
}

void nf_unregister_net_hook(net &net, const nf_hook_ops &reg)
{
	TRACE();
	if (reg.pf == NFPROTO_INET) {
		__nf_unregister_net_hook(net, NFPROTO_IPV4, reg);
		__nf_unregister_net_hook(net, NFPROTO_IPV6, reg);
	} else {
		__nf_unregister_net_hook(net, reg.pf, reg);
	}
}

int nf_register_net_hooks(net &net, const nf_hook_ops *reg, u32 n)
{
	TRACE();
	for (u32 i = 0; i < n; ++i) {
		if (const int err = nf_register_net_hook(net, reg[i])) {
			nf_unregister_net_hooks(net, reg, i);
			return err;
		}
	}
	return 0;
}

void nf_unregister_net_hooks(net &net, const nf_hook_ops *reg, u32 hookcount)
{
	TRACE();
	for (u32 i = 0; i < hookcount; ++i)
		nf_unregister_net_hook(net, reg[i]);
}

int nf_hook_slow(skb_ptr &skb, const nf_hook_state &state, const nf_hook_entries &e, std::size_t s)
{
	TRACE(skb, state.sk);
	for (; s < e.hooks.size(); ++s) {
		const u32 verdict = e.hooks[s].hook(e.hooks[s].priv, skb, state);

		switch (verdict & NF_VERDICT_MASK) {
		case NF_ACCEPT:
			break;
		case NF_DROP: {
			kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NETFILTER_DROP);
			const int err = NF_DROP_GETERR(verdict);

			return err ? err : -EPERM;
		}
		case NF_STOLEN:
			assert(skb.is_taken());
			return NF_DROP_GETERR(verdict);
		case NF_QUEUE:
			if (nf_queue(skb, state, s, verdict) == 1)
				continue;
			return 0;
		default:
			assert(false && "no verdict of a hook");
			return 0;
		}
	}
	return 1;
}

void nf_hook_slow_list(list_head &head, const nf_hook_state &state, const nf_hook_entries &e)
{
	TRACE(state.sk);
	list_head sublist;

	while (!list_empty(head)) {
		skb_ptr skb(&skb_on(*head.next));

		list_del_init(skb->tcp_tsorted_anchor);
		if (nf_hook_slow(skb, state, e, 0) == 1)
			list_add_tail(skb.release()->tcp_tsorted_anchor, sublist);
	}
	list_splice_init(sublist, head);
}

} // namespace skbwalk
