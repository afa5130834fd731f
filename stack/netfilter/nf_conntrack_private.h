// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of nf_conntrack_core.c share.
#pragma once

#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"
#include "stack/kernel/slab.h"
#include "stack/netfilter/nf_conntrack.h"

namespace skbwalk {

struct conntrack_gc_work {
	delayed_work dwork;
	u32 next_bucket = 0;
	u32 avg_timeout = 0;
	u32 count = 0;
	u32 start_time = 0;
	bool exiting = false;
	bool early_drop = false; // the table was full: more may go than what has expired
};
struct conntrack_globals {
	nf_conntrack_table table;
	kmem_cache *cachep = nullptr;
	siphash_key_t hash_rnd;
	conntrack_gc_work gc;
	const nf_nat_hook *nat_hook = nullptr;
	u32 ext_genid = 1;
};
conntrack_globals &conntrack_state(); // of the current host

// Until a connection is confirmed, its original tuple's hash is where the reply's link will be.
inline void save_hash(nf_conn &ct, u32 hash)
{
	ct.tuplehash[IP_CT_DIR_REPLY].hnnode.next.store(hash, std::memory_order_relaxed);
}
inline u32 saved_hash(const nf_conn &ct)
{
	return static_cast<u32>(ct.tuplehash[IP_CT_DIR_REPLY].hnnode.next.load(std::memory_order_relaxed));
}
u32 hash_conntrack_raw(const nf_conntrack_tuple &tuple, u32 zoneid, const net &net);
u32 scale_hash(u32 hash);
u32 hash_conntrack(const net &net, const nf_conntrack_tuple &tuple, u32 zoneid);
// True: the table was resized since `sequence`; nothing is locked.
bool nf_conntrack_double_lock(u32 h1, u32 h2, u32 sequence);
void nf_conntrack_double_unlock(u32 h1, u32 h2);
void nf_ct_gc_expired(nf_conn &ct);
void nf_ct_remove_expectations(nf_conn &ct);
void nf_ct_helper_destroy(nf_conn &ct);
bool early_drop(net &net, u32 hash);

} // namespace skbwalk
