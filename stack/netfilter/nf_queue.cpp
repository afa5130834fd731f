// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_queue.c (files here whose names begin with nf_ are of rooms above this one): a hook said
// NF_QUEUE. The packet, its place among the hooks and its okfn go to the handler; nf_reinject goes on from
// there. Left out: saving the route of a packet and looking it up anew.
#include "stack/netfilter/nf_queue.h"

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {
struct queue_host {
	const nf_queue_handler *handler = nullptr;
};
perhost<queue_host> queue_of_host;
} // namespace

void nf_register_queue_handler(const nf_queue_handler &qh)
{
	TRACE();
	assert(!queue_of_host->handler);
	queue_of_host->handler = &qh;
}

void nf_unregister_queue_handler()
{
	TRACE();
	queue_of_host->handler = nullptr;
}

static void nf_queue_entry_release_refs(nf_queue_entry &entry)
{
	TRACE();
	dev_put(entry.state.in);
	dev_put(entry.state.out);
	if (entry.state.sk)
		sock_put(*entry.state.sk);
}

// What the packet waits with must be there when it comes back.
static void nf_queue_entry_get_refs(nf_queue_entry &entry)
{
	TRACE();
	if (entry.state.in)
		dev_hold(*entry.state.in);
	if (entry.state.out)
		dev_hold(*entry.state.out);
	if (entry.state.sk)
		sock_hold(*entry.state.sk);
}

void nf_queue_entry_free(nf_queue_entry &entry)
{
	TRACE();
	nf_queue_entry_release_refs(entry);
	assert(entry.skb.is_taken());
	delete &entry;
}

static int __nf_queue(skb_ptr &skb, const nf_hook_state &state, std::size_t index, u32 queuenum)
{
	TRACE(skb);
	const nf_queue_handler *qh = queue_of_host->handler;

	if (!qh)
		return -ESRCH;
	if (skb_dst(*skb) && !skb_dst_force(*skb))
		return -ENETDOWN;
	auto *entry = new nf_queue_entry{std::move(skb), state, index};

	nf_queue_entry_get_refs(*entry);
	const int status = qh->outfn(*entry, queuenum);

	if (status < 0) {
		skb = std::move(entry->skb);
		nf_queue_entry_free(*entry);
		return status;
	}
	return 0;
}

int nf_queue(skb_ptr &skb, const nf_hook_state &state, std::size_t index, u32 verdict)
{
	TRACE(skb);
	const int ret = __nf_queue(skb, state, index, verdict >> NF_VERDICT_QBITS);

	if (ret < 0) {
		if (ret == -ESRCH && (verdict & NF_VERDICT_FLAG_QUEUE_BYPASS))
			return 1;
		kfree_skb(std::move(skb));
	}
	return 0;
}

static u32 nf_iterate(skb_ptr &skb, const nf_hook_state &state, const nf_hook_entries &hooks,
                      std::size_t &index)
{
	TRACE(skb);
	for (; index < hooks.hooks.size(); ++index) {
		u32 verdict;

		do {
			verdict = hooks.hooks[index].hook(hooks.hooks[index].priv, skb, state);
		} while (verdict == NF_REPEAT);
		if (verdict != NF_ACCEPT)
			return verdict;
	}
	return NF_ACCEPT;
}

void nf_reinject(nf_queue_entry &entry, u32 verdict)
{
	TRACE(entry.skb);
	skb_ptr skb = std::move(entry.skb);
	const nf_hook_state &state = entry.state;
	const nf_hook_entries *hooks = hooks_at(*state.net, state.pf, state.hook);
	std::size_t i = entry.hook_index;

	rcu_read_lock();
	if (!hooks || i >= hooks->hooks.size()) { // they went while it waited
		kfree_skb(std::move(skb));
		nf_queue_entry_free(entry);
		rcu_read_unlock();
		return;
	}
	if (verdict == NF_REPEAT)
		verdict = hooks->hooks[i].hook(hooks->hooks[i].priv, skb, state);
	for (bool go_on = verdict == NF_ACCEPT; go_on;) {
		go_on = false;
		++i;
		verdict = nf_iterate(skb, state, *hooks, i);
		if ((verdict & NF_VERDICT_MASK) == NF_QUEUE)
			go_on = nf_queue(skb, state, i, verdict) == 1;
	}
	switch (verdict & NF_VERDICT_MASK) {
	case NF_ACCEPT:
	case NF_STOP:
		local_bh_disable();
		state.okfn(*state.net, state.sk, std::move(skb));
		local_bh_enable();
		break;
	case NF_QUEUE:
	case NF_STOLEN:
		break;
	default:
		kfree_skb(std::move(skb));
	}
	nf_queue_entry_free(entry);
	rcu_read_unlock();
}

} // namespace skbwalk
