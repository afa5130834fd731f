// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/inet_fragment.c. A protocol finds the queue of a fragment's datagram (inet_frag_find, which makes
// it and starts its timer), puts the fragment in (inet_frag_queue_insert: duplicates and overlaps are
// refused), and when all are there joins them to one packet (inet_frag_reasm_prepare and
// inet_frag_reasm_finish). inet_frag_kill takes a queue out of the table; inet_frag_destroy frees it with
// what is in it, when the last reference is gone. Over high_thresh no queue is made.
//
// Unlike the kernel, the hash table (its rhashtable) grows and shrinks at once, and a namespace's queues end
// in fqdir_exit itself.
#include "stack/ipv4/inet_frag.h"

#include <utility>

#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk {

// RFC 3168, section 5.3, by the set of codepoints that the fragments have.
const std::array<u8, 16> ip_frag_ecn_table = [] {
	std::array<u8, 16> t{};

	for (u32 set = 0; set < t.size(); ++set) {
		const bool mixed = (set & IPFRAG_ECN_NOT_ECT) && set != IPFRAG_ECN_NOT_ECT;
		const bool congested = (set & IPFRAG_ECN_CE) && (set & (IPFRAG_ECN_ECT_0 | IPFRAG_ECN_ECT_1));

		t[set] = mixed ? 0xff : congested ? INET_ECN_CE : u8{0};
	}
	return t;
}();

namespace {

constexpr std::size_t buckets_min = 64;

inet_frag_queue **bucket_of(fqdir &fqdir, const void *key)
{
	auto &t = fqdir.rhashtable;

	return &t.buckets[fqdir.f->hashfn(key, t.seed) & (t.buckets.size() - 1)];
}

inet_frag_queue **bucket_of(fqdir &fqdir, const inet_frag_queue &q)
{
	auto &t = fqdir.rhashtable;

	return &t.buckets[fqdir.f->obj_hashfn(q, t.seed) & (t.buckets.size() - 1)];
}

inet_frag_queue *look_up(fqdir &fqdir, const void *key)
{
	inet_frag_queue *q = *bucket_of(fqdir, key);

	while (q && !fqdir.f->obj_equal(*q, key))
		q = q->node;
	return q;
}

void resize(fqdir &fqdir, std::size_t size)
{
	std::vector<inet_frag_queue *> old(size);

	std::swap(old, fqdir.rhashtable.buckets);
	for (inet_frag_queue *q : old) {
		while (q) {
			inet_frag_queue *next = q->node;
			inet_frag_queue **bucket = bucket_of(fqdir, *q);

			q->node = std::exchange(*bucket, q);
			q = next;
		}
	}
}

void insert(fqdir &fqdir, inet_frag_queue &q)
{
	auto &t = fqdir.rhashtable;

	if (++t.nelems > t.buckets.size() / 4 * 3)
		resize(fqdir, t.buckets.size() * 2);
	inet_frag_queue **bucket = bucket_of(fqdir, q);
	local_bh_disable(); // as its chain's lock does
	q.node = std::exchange(*bucket, &q);
	local_bh_enable();
}

void remove(fqdir &fqdir, inet_frag_queue &q)
{
	auto &t = fqdir.rhashtable;
	inet_frag_queue **p = bucket_of(fqdir, q);

	local_bh_disable();
	while (*p && *p != &q)
		p = &(*p)->node;
	assert(*p);
	*p = std::exchange(q.node, nullptr);
	local_bh_enable();
	--t.nelems;
	if (t.buckets.size() > buckets_min && t.nelems < t.buckets.size() * 3 / 10)
		resize(fqdir, t.buckets.size() / 2);
}

bool is_skb_wmem(const sk_buff &skb)
{
	return skb.destructor == sock_wfree || skb.destructor == __sock_wfree || skb.destructor == tcp_wfree;
}

} // namespace

static void fragcb_clear(sk_buff &skb)
{
	TRACE(skb);
	FRAG_CB(skb).next_frag = nullptr;
	FRAG_CB(skb).frag_run_len = static_cast<int>(skb.len);
}

static void fragrun_append_to_last(inet_frag_queue &q, sk_buff &skb)
{
	TRACE(skb);
	fragcb_clear(skb);
	FRAG_CB(*q.last_run_head).frag_run_len += static_cast<int>(skb.len);
	FRAG_CB(*q.fragments_tail).next_frag = &skb;
	q.fragments_tail = &skb;
}

// A run behind all others.
static void fragrun_create(inet_frag_queue &q, sk_buff &skb)
{
	TRACE(skb);
	fragcb_clear(skb);
	q.rb_fragments.insert_equal(q.rb_fragments.end(), skb);
	q.fragments_tail = &skb;
	q.last_run_head = &skb;
}

void inet_frags_init(inet_frags &f)
{
	TRACE();
	f.frags_cachep = &kmem_cache_create(f.frags_cache_name, f.object_size, alignof(std::max_align_t));
}

static void inet_frags_free_cb(inet_frag_queue &fq)
{
	TRACE();
	int count = timer_delete_sync(fq.timer) ? 1 : 0;

	spin_lock_bh(fq.lock);
	if (!(fq.flags & INET_FRAG_COMPLETE)) {
		fq.flags |= INET_FRAG_COMPLETE;
		++count;
	} else if (fq.flags & INET_FRAG_HASH_DEAD) {
		++count;
	}
	spin_unlock_bh(fq.lock);
	if (refcount_sub_and_test(count, fq.refcnt))
		inet_frag_destroy(fq);
}

void fqdir_init(std::shared_ptr<fqdir> &fqdirp, inet_frags &f, net &net)
{
	TRACE();
	fqdirp = std::make_shared<fqdir>();
	fqdirp->f = &f;
	fqdirp->net = &net;
	fqdirp->rhashtable.buckets.resize(buckets_min);
	fqdirp->rhashtable.seed = get_random_u32();
}

void fqdir_exit(fqdir &fqdir)
{
	TRACE();
	for (inet_frag_queue *&bucket : fqdir.rhashtable.buckets) {
		while (inet_frag_queue *q = bucket) {
			bucket = std::exchange(q->node, nullptr);
			inet_frags_free_cb(*q);
		}
	}
	fqdir.rhashtable.nelems = 0;
}

// Nobody finds it any more; its timer has no say.
void inet_frag_kill(inet_frag_queue &fq)
{
	TRACE();
	const auto put = [&fq] {
		[[maybe_unused]] const bool last = refcount_dec_and_test(fq.refcnt);

		assert(!last); // the caller holds one
	};

	if (timer_delete(fq.timer))
		put();
	if (fq.flags & INET_FRAG_COMPLETE)
		return;
	fq.flags |= INET_FRAG_COMPLETE;
	if (!fq.fqdir->dead) {
		remove(*fq.fqdir, fq);
		put();
	} else {
		fq.flags |= INET_FRAG_HASH_DEAD;
	}
}

static void inet_frag_destroy_rcu(rcu_head *head)
{
	TRACE();
	inet_frag_queue &q = container_of(*head, &inet_frag_queue::rcu);
	const inet_frags &f = *q.fqdir->f;

	if (f.destructor)
		f.destructor(q);
	f.destroy(q);
	kmem_cache_free(*f.frags_cachep, &q);
}

u32 inet_frag_rbtree_purge(frag_rb_root &root)
{
	TRACE();
	u32 sum = 0;

	while (!root.empty()) {
		sk_buff *skb = &*root.begin();

		root.erase(root.begin());
		while (skb) {
			sk_buff *next = FRAG_CB(*skb).next_frag;

			sum += skb->truesize;
			kfree_skb(skb_ptr(skb));
			skb = next;
		}
	}
	return sum;
}

void inet_frag_destroy(inet_frag_queue &q)
{
	TRACE();
	assert(q.flags & INET_FRAG_COMPLETE);
	[[maybe_unused]] const int pending = timer_delete(q.timer);
	assert(!pending);

	fqdir &fqdir = *q.fqdir;
	const u32 sum = inet_frag_rbtree_purge(q.rb_fragments) + fqdir.f->qsize;
	call_rcu(q.rcu, inet_frag_destroy_rcu);
	sub_frag_mem_limit(fqdir, sum);
}

static inet_frag_queue *inet_frag_alloc(fqdir &fqdir, const inet_frags &f, const void *key)
{
	TRACE();
	void *memory = kmem_cache_alloc(*f.frags_cachep, GFP_ATOMIC);

	if (!memory)
		return nullptr;
	inet_frag_queue *q = f.construct(memory);
	q->fqdir = &fqdir;
	f.constructor(*q, key);
	add_frag_mem_limit(fqdir, f.qsize);
	timer_setup(q->timer, f.frag_expire, 0);
	refcount_set(q->refcnt, 3); // timer, table, caller
	return q;
}

static inet_frag_queue *inet_frag_create(fqdir &fqdir, const void *key)
{
	TRACE();
	inet_frag_queue *q = inet_frag_alloc(fqdir, *fqdir.f, key);

	if (!q)
		return nullptr;
	spin_lock_bh(q->lock);
	insert(fqdir, *q);
	mod_timer(q->timer, jiffies() + static_cast<u32>(fqdir.timeout));
	spin_unlock_bh(q->lock);
	return q;
}

inet_frag_queue *inet_frag_find(fqdir &fqdir, const void *key)
{
	TRACE();
	if (!fqdir.high_thresh || frag_mem_limit(fqdir) > fqdir.high_thresh)
		return nullptr;
	inet_frag_queue *fq = look_up(fqdir, key);

	if (!fq)
		return inet_frag_create(fqdir, key);
	return refcount_inc_not_zero(fq->refcnt) ? fq : nullptr;
}

int inet_frag_queue_insert(inet_frag_queue &q, sk_buff &skb, int offset, int end)
{
	TRACE(skb);
	sk_buff *last = q.fragments_tail;
	const int last_end = last ? FRAG_CB(*last).ip_defrag_offset + static_cast<int>(last->len) : 0;

	// A sender that is not trusted may have marked a fragment as one to segment.
	skb_gso_reset(skb);

	// RFC 5722 (and its erratum 3089): what overlaps spoils the datagram, what is here already is
	// ignored.
	if (!last || last_end < end) {
		if (last && offset < last_end)
			return IPFRAG_OVERLAP;
		FRAG_CB(skb).ip_defrag_offset = offset;
		if (last && offset == last_end)
			fragrun_append_to_last(q, skb);
		else
			fragrun_create(q, skb);
		return IPFRAG_OK;
	}
	FRAG_CB(skb).ip_defrag_offset = offset;
	auto after = q.rb_fragments.upper_bound(skb); // the first run that begins behind this offset
	if (after != q.rb_fragments.begin()) {
		const sk_buff &curr = *std::prev(after);
		const int curr_run_end = FRAG_CB(curr).ip_defrag_offset + FRAG_CB(curr).frag_run_len;

		if (offset < curr_run_end)
			return end <= curr_run_end ? IPFRAG_DUP : IPFRAG_OVERLAP;
	}
	if (after != q.rb_fragments.end() && end > FRAG_CB(*after).ip_defrag_offset)
		return IPFRAG_OVERLAP;
	fragcb_clear(skb);
	q.rb_fragments.insert_equal(after, skb);
	return IPFRAG_OK;
}

void *inet_frag_reasm_prepare(inet_frag_queue &q, sk_buff &skb, sk_buff *parent)
{
	TRACE(skb);
	frag_rb_root &tree = q.rb_fragments;
	sk_buff *head = &*tree.begin();
	sock *sk = skb.sk;
	void (*destructor)(sk_buff &) = nullptr;
	u32 orig_truesize = 0;
	sk_buff **nextp = nullptr;

	// Being sent: what the socket counts must stay right, and the socket must stay.
	if (sk && is_skb_wmem(skb)) {
		orig_truesize = skb.truesize;
		destructor = skb.destructor;
	}
	const auto restore_sk = [&] {
		if (orig_truesize) {
			head->sk = sk;
			head->destructor = destructor;
			refcount_add(static_cast<int>(head->truesize - orig_truesize), sk->sk_wmem_alloc);
		}
		return nextp;
	};

	if (head != &skb) {
		// The caller knows the datagram by skb: that becomes the first fragment, a clone takes its
		// place.
		sk_buff *fp = skb_clone(skb, GFP_ATOMIC).release();

		if (!fp) {
			head = &skb;
			return restore_sk();
		}
		FRAG_CB(*fp).next_frag = FRAG_CB(skb).next_frag;
		if (!skb.rbnode.is_linked())
			FRAG_CB(*parent).next_frag = fp;
		else
			tree.replace_node(tree.iterator_to(skb), *fp);
		if (q.fragments_tail == &skb)
			q.fragments_tail = fp;
		if (orig_truesize) {
			skb.sk = nullptr;
			skb.destructor = nullptr;
		}
		skb_morph(skb, *head);
		FRAG_CB(skb).next_frag = FRAG_CB(*head).next_frag;
		tree.replace_node(tree.iterator_to(*head), skb);
		consume_skb(skb_ptr(head));
		head = &skb;
	}
	assert(FRAG_CB(*head).ip_defrag_offset == 0);

	const u32 before = head->truesize;
	if (skb_unclone(*head, GFP_ATOMIC))
		return restore_sk();
	add_frag_mem_limit(*q.fqdir, static_cast<long>(head->truesize) - static_cast<long>(before));

	if (!skb_has_frag_list(*head)) {
		nextp = &skb_shinfo(*head).frag_list;
		return restore_sk();
	}
	// The first fragment is a list itself: that goes behind an skb of its own.
	sk_buff *clone = alloc_skb(0, GFP_ATOMIC).release();
	if (!clone)
		return restore_sk();
	skb_shinfo(*clone).frag_list = std::exchange(skb_shinfo(*head).frag_list, nullptr);
	u32 plen = 0;
	for (u32 i = 0; i < skb_shinfo(*head).nr_frags; ++i)
		plen += skb_frag_size(skb_shinfo(*head).frags[i]);
	clone->data_len = head->data_len - plen;
	clone->len = clone->data_len;
	head->truesize += clone->truesize;
	clone->csum = 0;
	clone->ip_summed = head->ip_summed;
	add_frag_mem_limit(*q.fqdir, clone->truesize);
	skb_shinfo(*head).frag_list = clone;
	nextp = &clone->next;
	return restore_sk();
}

void inet_frag_reasm_finish(inet_frag_queue &q, sk_buff &head, void *reasm_data, bool try_coalesce)
{
	TRACE(head);
	frag_rb_root &tree = q.rb_fragments;
	sock *sk = is_skb_wmem(head) ? head.sk : nullptr;
	const u32 head_truesize = head.truesize;
	auto **nextp = static_cast<sk_buff **>(reasm_data);
	u32 sum_truesize = head.truesize;

	skb_push(head, static_cast<u32>(head.data - skb_network_header(head)));
	sk_buff *fp = FRAG_CB(head).next_frag;
	tree.erase(tree.iterator_to(head));
	while (fp || !tree.empty()) {
		if (!fp) { // the next run
			fp = &*tree.begin();
			tree.erase(tree.begin());
		}
		sk_buff *next_frag = FRAG_CB(*fp).next_frag;
		bool stolen = false;
		int delta = 0;

		sum_truesize += fp->truesize;
		if (head.ip_summed != fp->ip_summed)
			head.ip_summed = CHECKSUM_NONE;
		else if (head.ip_summed == CHECKSUM_COMPLETE)
			head.csum = csum_add(head.csum, fp->csum);
		if (try_coalesce && skb_try_coalesce(head, *fp, stolen, delta)) {
			kfree_skb_partial(skb_ptr(fp), stolen);
		} else {
			fp->sk = nullptr;
			head.data_len += fp->len;
			head.len += fp->len;
			head.truesize += fp->truesize;
			*nextp = fp;
			nextp = &fp->next;
		}
		fp = next_frag;
	}
	sub_frag_mem_limit(*q.fqdir, sum_truesize);
	*nextp = nullptr;
	head.tstamp = q.stamp;
	head.mono_delivery_time = q.mono_delivery_time;
	if (sk)
		refcount_add(static_cast<int>(sum_truesize - head_truesize), sk->sk_wmem_alloc);
}

// The first fragment, out of the queue.
skb_ptr inet_frag_pull_head(inet_frag_queue &q)
{
	TRACE();
	frag_rb_root &tree = q.rb_fragments;

	if (tree.empty())
		return nullptr;
	sk_buff &head = *tree.begin();
	if (sk_buff *next = FRAG_CB(head).next_frag)
		tree.replace_node(tree.begin(), *next);
	else
		tree.erase(tree.begin());
	if (&head == q.fragments_tail)
		q.fragments_tail = nullptr;
	sub_frag_mem_limit(*q.fqdir, head.truesize);
	return skb_ptr(&head);
}

} // namespace skbwalk
