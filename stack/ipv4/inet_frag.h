// SPDX-License-Identifier: GPL-2.0-only
//
// Reassembly that internet protocols share (include/net/inet_frag.h). A queue collects the fragments of one
// datagram:
//
//   rb_fragments   runs of adjacent fragments, ordered by offset; the node is the first of its run, which
//   links the others
//                  by next_frag and has the run's length
//
// It is counted: by the hash table, by its timer and by whoever looked it up.
#pragma once

#include "stack/ipv4/ip.h"

namespace skbwalk {

struct inet_frags;
struct inet_frag_queue;

// All queues of a namespace, their limits (in bytes of memory) and their hash table, which has as many
// buckets as it needs.
struct fqdir {
	long high_thresh = 0;
	long low_thresh = 0;
	int timeout = 0; // jiffies
	int max_dist = 0;
	inet_frags *f = nullptr;
	skbwalk::net *net = nullptr;
	bool dead = false;
	struct {
		std::vector<inet_frag_queue *> buckets;
		u32 nelems = 0;
		u32 seed = 0;
	} rhashtable;
	long mem = 0;
};

constexpr u8 INET_FRAG_FIRST_IN = 1, INET_FRAG_LAST_IN = 2, INET_FRAG_COMPLETE = 4, INET_FRAG_HASH_DEAD = 8;

struct frag_v4_compare_key {
	be32 saddr;
	be32 daddr;
	u32 user;
	u32 vif;
	be16 id;
	u16 protocol;
	friend bool operator==(const frag_v4_compare_key &, const frag_v4_compare_key &) = default;
};
struct frag_v6_compare_key {
	in6_addr saddr;
	in6_addr daddr;
	u32 user;
	be32 id;
	u32 iif;
};

// What cb has of a fragment that waits.
struct ipfrag_skb_cb {
	inet_skb_cb h4;
	sk_buff *next_frag;
	int frag_run_len;
	int ip_defrag_offset;
};
static_assert(sizeof(ipfrag_skb_cb) <= sizeof(sk_buff::cb));
inline ipfrag_skb_cb &FRAG_CB(sk_buff &skb) { return reinterpret_cast<ipfrag_skb_cb &>(skb.cb); }
inline const ipfrag_skb_cb &FRAG_CB(const sk_buff &skb)
{
	return reinterpret_cast<const ipfrag_skb_cb &>(skb.cb);
}
struct frag_offset_less {
	bool operator()(const sk_buff &a, const sk_buff &b) const
	{
		return FRAG_CB(a).ip_defrag_offset < FRAG_CB(b).ip_defrag_offset;
	}
};
using frag_rb_root = rb_tree_of<sk_buff, &sk_buff::rbnode, frag_offset_less>;

struct inet_frag_queue {
	inet_frag_queue *node = nullptr; // in its bucket
	union frag_key {
		frag_v4_compare_key v4;
		frag_v6_compare_key v6;
	} key{};
	timer_list timer;
	spinlock_t lock;
	refcount_t refcnt;
	frag_rb_root rb_fragments;
	sk_buff *fragments_tail = nullptr;
	sk_buff *last_run_head = nullptr;
	u64 stamp = 0;
	int len = 0;  // of the datagram
	int meat = 0; // of what is here
	bool mono_delivery_time = false;
	u8 flags = 0;
	u16 max_size = 0; // of the longest fragment
	skbwalk::fqdir *fqdir = nullptr;
	rcu_head rcu;
};

// What a protocol gives.
struct inet_frags {
	u32 qsize = 0;       // what a queue counts for in memory
	u32 object_size = 0; // and what it takes: construct() makes it there, destroy() ends it
	inet_frag_queue *(*construct)(void *memory) = nullptr;
	void (*destroy)(inet_frag_queue &q) = nullptr;
	void (*constructor)(inet_frag_queue &q, const void *key) = nullptr;
	void (*destructor)(inet_frag_queue &q) = nullptr;
	void (*frag_expire)(timer_list &t) = nullptr;
	kmem_cache *frags_cachep = nullptr;
	const char *frags_cache_name = nullptr;
	u32 (*hashfn)(const void *key, u32 seed) = nullptr;
	u32 (*obj_hashfn)(const inet_frag_queue &q, u32 seed) = nullptr;
	bool (*obj_equal)(const inet_frag_queue &q, const void *key) = nullptr;
};

void inet_frags_init(inet_frags &f);
void fqdir_init(std::shared_ptr<fqdir> &fqdirp, inet_frags &f, net &net);
void fqdir_exit(fqdir &fqdir);
// From here on no queue is made.
inline void fqdir_pre_exit(fqdir &fqdir)
{
	TRACE_INLINE();
	fqdir.high_thresh = 0;
	fqdir.dead = true;
}
void inet_frag_kill(inet_frag_queue &fq);
void inet_frag_destroy(inet_frag_queue &q);
inet_frag_queue *inet_frag_find(fqdir &fqdir,
                                const void *key); // counted; null: no memory, or too much of it taken
u32 inet_frag_rbtree_purge(frag_rb_root &root);   // returns the sum of truesizes
inline void inet_frag_put(inet_frag_queue &q)
{
	TRACE_INLINE();
	if (refcount_dec_and_test(q.refcnt))
		inet_frag_destroy(q);
}
inline long frag_mem_limit(const fqdir &fqdir) { return fqdir.mem; }
inline void sub_frag_mem_limit(fqdir &fqdir, long val) { fqdir.mem -= val; }
inline void add_frag_mem_limit(fqdir &fqdir, long val) { fqdir.mem += val; }

constexpr u8 IPFRAG_ECN_NOT_ECT = 1, IPFRAG_ECN_ECT_1 = 2, IPFRAG_ECN_ECT_0 = 4, IPFRAG_ECN_CE = 8;
extern const std::array<u8, 16>
	ip_frag_ecn_table; // 0xff: these do not go together; else what to set in the datagram

constexpr int IPFRAG_OK = 0, IPFRAG_DUP = 1, IPFRAG_OVERLAP = 2;
int inet_frag_queue_insert(inet_frag_queue &q, sk_buff &skb, int offset,
                           int end); // IPFRAG_OK: the queue has it
// Makes skb, the last fragment that came, the head of the datagram; `parent` was the tail before it. Null: no
// memory. What it returns is for inet_frag_reasm_finish, which takes all others out of the queue and hangs
// them behind skb.
void *inet_frag_reasm_prepare(inet_frag_queue &q, sk_buff &skb, sk_buff *parent);
void inet_frag_reasm_finish(inet_frag_queue &q, sk_buff &head, void *reasm_data, bool try_coalesce);
skb_ptr inet_frag_pull_head(inet_frag_queue &q);

// --- ip_fragment.c ---
// `sysctl -w net.ipv4.NAME=VALUE` for ipfrag_high_thresh, ipfrag_low_thresh, ipfrag_time (seconds) and
// ipfrag_max_dist. -ENOENT: none of these.
int ip4_frags_sysctl_write(net &net, const std::string &name, long value);

} // namespace skbwalk
