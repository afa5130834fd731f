// SPDX-License-Identifier: GPL-2.0-only
//
// Packets that wait between two hooks (include/net/netfilter/nf_queue.h): who handles queues gets the packet,
// where it was, and what would be done next (state.okfn), and brings it back with a verdict, or never.
#pragma once

#include "stack/netfilter/netfilter.h"

namespace skbwalk {

struct nf_queue_entry {
	skb_ptr skb;
	nf_hook_state state;
	std::size_t hook_index; // of the hook that said NF_QUEUE
};
struct nf_queue_handler {
	// A negative errno: it did not take the entry.
	int (*outfn)(nf_queue_entry &entry, u32 queuenum);
};

void nf_register_queue_handler(const nf_queue_handler &qh); // of the current host
void nf_unregister_queue_handler();
// 1: nobody handles queues, and the verdict says to go on then. Else the packet waits, or is gone.
int nf_queue(skb_ptr &skb, const nf_hook_state &state, std::size_t index, u32 verdict);
// Ends the entry: NF_ACCEPT goes on behind the hook that queued it, NF_REPEAT asks that hook again, NF_STOP
// asks nobody any more, NF_DROP drops.
void nf_reinject(nf_queue_entry &entry, u32 verdict);
void nf_queue_entry_free(nf_queue_entry &entry);

} // namespace skbwalk
