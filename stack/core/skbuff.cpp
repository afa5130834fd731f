// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, first part: how an sk_buff begins and ends. __alloc_skb takes a head from its cache and
// data from kmalloc; skb_clone makes a second head over the same data, from the pair where there is one;
// __kfree_skb gives up what the head holds (skb_release_head_state), then the data if nobody shares it
// (skb_release_data), then the head (kfree_skbmem). Copies are in skbuff_copy.cpp, what moves bytes and
// pointers in skbuff_data.cpp and skbuff_frags.cpp, checksums in skbuff_checksum.cpp, segmentation in
// skbuff_segment.cpp, extensions in skbuff_ext.cpp. Zero copy, page pools and memory reserves (pfmemalloc)
// are left out.
#include <algorithm>
#include <new>

#include "stack/core/netdevice.h"
#include "stack/core/page_frag.h"
#include "stack/core/skbuff_private.h"
#include "stack/core/sock.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/kernel/leaks.h"
#include "stack/kernel/prefetch.h"

namespace skbwalk {

perhost<skbuff_globals> skbuff_host;

namespace {

constexpr u32 napi_skb_cache_size = 64;
constexpr u32 napi_skb_cache_bulk = 16;
constexpr u32 napi_skb_cache_half = napi_skb_cache_size / 2;
constexpr u32 page_frag_cache_order = 3;

// Pieces of a larger block of pages, given out from its end.
struct page_frag_cache {
	page *pg = nullptr;
	u32 offset = 0;

	page_frag_cache() = default;
	page_frag_cache(const page_frag_cache &) = delete;
	page_frag_cache &operator=(const page_frag_cache &) = delete;
	~page_frag_cache()
	{
		if (pg)
			put_page(*pg);
	}
};

struct napi_alloc_cache {
	page_frag_cache page_frags;
	u32 skb_count = 0;
	std::array<void *, napi_skb_cache_size> skb_cache{};

	napi_alloc_cache() = default;
	napi_alloc_cache(const napi_alloc_cache &) = delete;
	napi_alloc_cache &operator=(const napi_alloc_cache &) = delete;
	~napi_alloc_cache()
	{
		while (skb_count)
			kmem_cache_free(*skbuff_host->skbuff_head_cache, skb_cache[--skb_count]);
	}
};

percpu<page_frag_cache> netdev_alloc_cache;
percpu<napi_alloc_cache> napi_cache;

} // namespace

skbuff_globals::~skbuff_globals()
{
	if (dropped_unspecified)
		note_leak("skb freed as NOT_SPECIFIED by a destructor: " +
		          std::to_string(dropped_unspecified));
}

// not traced: what the kernel does in line
sk_buff *make_head(void *memory)
{
	auto *skb = ::new (memory) sk_buff();

	skb->trace_id = ++skbuff_host->last_trace_id;
	return skb;
}

void skb_ptr::dropped(sk_buff *skb)
{
	++skbuff_host->dropped_unspecified;
	kfree_skb_reason(skb_ptr(skb), SKB_DROP_REASON_NOT_SPECIFIED);
}

u64 skb_dropped_unspecified() { return skbuff_host->dropped_unspecified; }

u64 &drop_counter(skb_drop_reason reason) { return skbuff_host->drops[reason]; }

void skb_init()
{
	TRACE();
	skbuff_globals &g = *skbuff_host;

	g.skbuff_head_cache = &kmem_cache_create("skbuff_head_cache", sizeof(sk_buff), 64);
	g.skbuff_fclone_cache = &kmem_cache_create("skbuff_fclone_cache", sizeof(sk_buff_fclones), 64);
	g.skbuff_ext_cache = &kmem_cache_create("skbuff_ext_cache", sizeof(skb_ext), 64);
}

// Data with room for skb_shared_info behind it; `size` becomes that of the whole object.
u8 *kmalloc_reserve(u32 &size, gfp_t flags, int node)
{
	TRACE();
	size = static_cast<u32>(kmalloc_size_roundup(SKB_HEAD_ALIGN(size)));
	return static_cast<u8 *>(__kmalloc_node_track_caller(size, flags, node));
}

void __build_skb_around(sk_buff &skb, u8 *data, u32 frag_size)
{
	TRACE(skb);
	const u32 size = (frag_size ? frag_size : static_cast<u32>(ksize(data))) - SKB_SHINFO_SIZE;

	skb.truesize = SKB_TRUESIZE(size);
	refcount_set(skb.users, 1);
	skb.head = data;
	skb.data = data;
	skb_reset_tail_pointer(skb);
	skb.end = size;
	skb.mac_header = 0xffff;
	skb.transport_header = 0xffff;
	skb.alloc_cpu = current.cpu->id;
	::new (&skb_shinfo(skb)) skb_shared_info;
	atomic_set(skb_shinfo(skb).dataref, 1);
}

static void *page_frag_alloc_align(page_frag_cache &nc, u32 fragsz, gfp_t flags)
{
	TRACE();
	constexpr u32 size = static_cast<u32>(PAGE_SIZE) << page_frag_cache_order;

	assert(fragsz <= size);
	if (nc.pg && nc.offset < fragsz) {
		// All of the block has been given out; whether it is ours alone again decides if it serves
		// once more.
		if (nc.pg->refcount == 1)
			nc.offset = size;
		else
			put_page(*std::exchange(nc.pg, nullptr));
	}
	if (!nc.pg) {
		nc.pg = alloc_pages(flags, page_frag_cache_order);
		if (!nc.pg)
			return nullptr;
		nc.offset = size;
	}
	nc.offset -= fragsz;
	get_page(*nc.pg);
	return nc.pg->data + nc.offset;
}

// Where a piece lies in its page is not known by its address here: whoever takes one keeps the page.
static void *page_frag_alloc(page_frag_cache &nc, u32 fragsz, gfp_t flags)
{
	TRACE_INLINE();
	return page_frag_alloc_align(nc, fragsz, flags);
}

void page_frag_free(page &pg)
{
	TRACE();
	if (--pg.refcount == 0)
		__folio_put(pg);
}

static netdev_frag __netdev_alloc_frag_align(u32 fragsz)
{
	TRACE();
	netdev_frag frag;

	fragsz = SKB_DATA_ALIGN(fragsz);
	if (in_hardirq() || irqs_disabled()) {
		frag.data = page_frag_alloc_align(*netdev_alloc_cache, fragsz, GFP_ATOMIC);
		frag.pg = netdev_alloc_cache->pg;
	} else {
		local_bh_disable();
		frag.data = page_frag_alloc_align(napi_cache->page_frags, fragsz, GFP_ATOMIC);
		frag.pg = napi_cache->page_frags.pg;
		local_bh_enable();
	}
	return frag;
}

netdev_frag netdev_alloc_frag(u32 fragsz)
{
	TRACE_INLINE();
	return __netdev_alloc_frag_align(fragsz);
}

static void *napi_skb_cache_get()
{
	TRACE();
	napi_alloc_cache &nc = *napi_cache;

	if (!nc.skb_count) {
		while (nc.skb_count < napi_skb_cache_bulk) {
			void *p = kmem_cache_alloc(*skbuff_host->skbuff_head_cache, GFP_ATOMIC);

			if (!p)
				break;
			nc.skb_cache[nc.skb_count++] = p;
		}
		if (!nc.skb_count)
			return nullptr;
	}
	return nc.skb_cache[--nc.skb_count];
}

skb_ptr __alloc_skb(u32 size, gfp_t flags, int alloc_flags, int node)
{
	TRACE();
	skbuff_globals &g = *skbuff_host;
	kmem_cache &cache = alloc_flags & SKB_ALLOC_FCLONE ? *g.skbuff_fclone_cache : *g.skbuff_head_cache;
	void *memory = (alloc_flags & (SKB_ALLOC_FCLONE | SKB_ALLOC_NAPI)) == SKB_ALLOC_NAPI
	                       ? napi_skb_cache_get()
	                       : kmem_cache_alloc_node(cache, flags, node);

	if (!memory)
		return nullptr;
	prefetchw(memory);
	u8 *data = kmalloc_reserve(size, flags, node);
	if (!data) {
		kmem_cache_free(cache, memory);
		return nullptr;
	}
	if (current.host->features.alloc_asks_ksize)
		size = static_cast<u32>(ksize(data));
	prefetchw(data + size - SKB_SHINFO_SIZE);
	sk_buff *skb = make_head(memory);
	__build_skb_around(*skb, data, size);
	if (alloc_flags & SKB_ALLOC_FCLONE) {
		skb->fclone = SKB_FCLONE_ORIG;
		::new (&reinterpret_cast<sk_buff_fclones *>(skb)->fclone_ref) refcount_t();
	}
	return skb_ptr(skb);
}

// The data is a piece of `pg`, whose reference goes to the skb; null leaves it with the caller.
static skb_ptr __build_skb(void *data, page *pg, u32 frag_size)
{
	TRACE();
	void *memory = kmem_cache_alloc(*skbuff_host->skbuff_head_cache, GFP_ATOMIC);

	if (!memory)
		return nullptr;
	sk_buff *skb = make_head(memory);
	__build_skb_around(*skb, static_cast<u8 *>(data), frag_size);
	skb->head_frag = 1;
	skb->head_page = pg;
	return skb_ptr(skb);
}

static skb_ptr __napi_build_skb(void *data, page *pg, u32 frag_size)
{
	TRACE();
	void *memory = napi_skb_cache_get();

	if (!memory)
		return nullptr;
	sk_buff *skb = make_head(memory);
	__build_skb_around(*skb, static_cast<u8 *>(data), frag_size);
	skb->head_frag = 1;
	skb->head_page = pg;
	return skb_ptr(skb);
}

skb_ptr napi_build_skb(const netdev_frag &frag, u32 frag_size)
{
	TRACE();
	return __napi_build_skb(frag.data, frag.pg, frag_size);
}

skb_ptr __netdev_alloc_skb(net_device &dev, u32 len, gfp_t flags)
{
	TRACE(dev);
	skb_ptr skb;

	len += NET_SKB_PAD;
	if (len <= SKB_WITH_OVERHEAD(1024) || len > SKB_WITH_OVERHEAD(PAGE_SIZE) || flags == GFP_KERNEL) {
		skb = __alloc_skb(len, flags, SKB_ALLOC_RX, -1);
	} else {
		void *data;
		page *pg;

		len = SKB_HEAD_ALIGN(len);
		if (in_hardirq() || irqs_disabled()) {
			data = page_frag_alloc(*netdev_alloc_cache, len, flags);
			pg = netdev_alloc_cache->pg;
		} else {
			local_bh_disable();
			data = page_frag_alloc(napi_cache->page_frags, len, flags);
			pg = napi_cache->page_frags.pg;
			local_bh_enable();
		}
		if (!data)
			return nullptr;
		skb = __build_skb(data, pg, len);
		if (!skb) {
			put_page(*pg);
			return nullptr;
		}
	}
	if (skb) {
		skb_reserve(*skb, NET_SKB_PAD);
		skb->dev = &dev;
	}
	return skb;
}

// Unlike the kernel, which keeps a page of one-kilobyte pieces for small ones, all pieces come from one block
// of pages: the size that they count for is the same.
skb_ptr __napi_alloc_skb(net_device &dev, u32 len, gfp_t flags)
{
	TRACE(dev);
	skb_ptr skb;

	len += NET_SKB_PAD;
	if (len > SKB_WITH_OVERHEAD(PAGE_SIZE) || flags == GFP_KERNEL) {
		skb = __alloc_skb(len, flags, SKB_ALLOC_RX | SKB_ALLOC_NAPI, -1);
	} else {
		napi_alloc_cache &nc = *napi_cache;

		len = len <= SKB_WITH_OVERHEAD(1024) ? 1024 : SKB_HEAD_ALIGN(len);
		void *data = page_frag_alloc(nc.page_frags, len, flags);
		if (!data)
			return nullptr;
		page *pg = nc.page_frags.pg;
		skb = __napi_build_skb(data, pg, len);
		if (!skb) {
			put_page(*pg);
			return nullptr;
		}
	}
	if (skb) {
		skb_reserve(*skb, NET_SKB_PAD);
		skb->dev = &dev;
	}
	return skb;
}

skb_ptr alloc_skb_with_frags(u64 header_len, u64 data_len, int order, int &err, gfp_t flags)
{
	TRACE();
	u64 npages = (data_len + PAGE_SIZE - 1) / PAGE_SIZE;

	err = -EMSGSIZE;
	if (npages > MAX_SKB_FRAGS)
		return nullptr;
	err = -ENOBUFS;
	skb_ptr skb = alloc_skb(static_cast<u32>(header_len), flags);
	if (!skb)
		return nullptr;
	skb->truesize += static_cast<u32>(npages * PAGE_SIZE);
	for (u32 i = 0; npages > 0; ++i) {
		u32 now = static_cast<u32>(order);

		while (now && npages < (u64{1} << now))
			--now;
		page *pg = alloc_pages(flags, now);
		if (!pg) {
			kfree_skb(std::move(skb));
			return nullptr;
		}
		const u64 chunk = std::min<u64>(data_len, PAGE_SIZE << now);
		skb_fill_page_desc(*skb, i, pg, 0, static_cast<u32>(chunk));
		data_len -= chunk;
		npages -= u64{1} << now;
	}
	return skb;
}

// --- ending ---

void skb_clone_fraglist(sk_buff &skb)
{
	TRACE(skb);
	for (sk_buff *list = skb_shinfo(skb).frag_list; list; list = list->next)
		refcount_inc(list->users);
}

void skb_free_head(sk_buff &skb)
{
	TRACE(skb);
	if (skb.head_frag)
		page_frag_free(*skb.head_page);
	else
		kfree(skb.head);
}

void skb_release_data(sk_buff &skb)
{
	TRACE(skb);
	skb_shared_info &shinfo = skb_shinfo(skb);

	if (skb.cloned) {
		const int held = skb.nohdr ? (1 << SKB_DATAREF_SHIFT) + 1 : 1;

		if (atomic_fetch_sub(held, shinfo.dataref) != held)
			return;
	}
	for (u32 i = 0; i < shinfo.nr_frags; ++i)
		skb_frag_unref(shinfo.frags[i]);
	if (shinfo.frag_list)
		kfree_skb_list(shinfo.frag_list);
	skb_free_head(skb);
}

static void kfree_skbmem(sk_buff &skb)
{
	TRACE();
	skbuff_globals &g = *skbuff_host;
	const u8 fclone = skb.fclone;

	skb.~sk_buff();
	if (fclone == SKB_FCLONE_UNAVAILABLE) {
		kmem_cache_free(*g.skbuff_head_cache, &skb);
		return;
	}
	static_assert(offsetof(sk_buff_fclones, skb1) == 0);
	auto *fclones = reinterpret_cast<sk_buff_fclones *>(
		fclone == SKB_FCLONE_ORIG ? reinterpret_cast<u8 *>(&skb)
					  : reinterpret_cast<u8 *>(&skb) - offsetof(sk_buff_fclones, skb2));

	if (fclone == SKB_FCLONE_ORIG && refcount_read(fclones->fclone_ref) == 1) {
		kmem_cache_free(*g.skbuff_fclone_cache, fclones);
		return;
	}
	if (refcount_dec_and_test(fclones->fclone_ref))
		kmem_cache_free(*g.skbuff_fclone_cache, fclones);
}

void nf_conntrack_destroy(nf_conntrack &nfct)
{
	TRACE();
	const nf_ct_hook *ct_hook = skbuff_host->ct_hook;

	assert(ct_hook);
	ct_hook->destroy(nfct);
}

void nf_ct_attach(sk_buff &nskb, const sk_buff &skb)
{
	TRACE(nskb);
	if (!skb._nfct)
		return;
	if (const nf_ct_hook *ct_hook = skbuff_host->ct_hook)
		ct_hook->attach(nskb, skb);
}

void nf_ct_set_closing(nf_conntrack *nfct)
{
	TRACE();
	if (!nfct)
		return;
	const nf_ct_hook *ct_hook = skbuff_host->ct_hook;

	if (ct_hook && ct_hook->set_closing)
		ct_hook->set_closing(*nfct);
}

void nf_ct_set_hook(const nf_ct_hook *hook)
{
	TRACE();
	skbuff_host->ct_hook = hook;
}

void skb_release_head_state(sk_buff &skb)
{
	TRACE(skb);
	skb_dst_drop(skb);
	if (skb.destructor) {
		assert(!in_hardirq());
		skb.destructor(skb);
	}
	nf_conntrack_put(skb_nfct(skb));
	skb_ext_put(skb);
}

// All but the head itself.
void skb_release_all(sk_buff &skb)
{
	TRACE(skb);
	skb_release_head_state(skb);
	if (skb.head)
		skb_release_data(skb);
}

void __kfree_skb(skb_ptr skb)
{
	TRACE(skb);
	sk_buff &dead = *skb.release();

	skb_release_all(dead);
	kfree_skbmem(dead);
}

void kfree_skb_reason(skb_ptr skb, skb_drop_reason reason)
{
	TRACE(skb);
	if (!skb)
		return;
	if (!skb_unref(*skb)) {
		[[maybe_unused]] sk_buff *shared = skb.release();
		return;
	}
	assert(reason > SKB_NOT_DROPPED_YET && reason < SKB_DROP_REASON_MAX);
	++drop_counter(reason);
	__kfree_skb(std::move(skb));
}

void kfree_skb_list_reason(sk_buff *segs, skb_drop_reason reason)
{
	TRACE(segs);
	while (segs) {
		sk_buff *next = segs->next; // one that is shared stays where it is, for who has it too

		kfree_skb_reason(skb_ptr(segs), reason);
		segs = next;
	}
}

void consume_skb(skb_ptr skb)
{
	TRACE(skb);
	if (!skb)
		return;
	if (!skb_unref(*skb)) {
		[[maybe_unused]] sk_buff *shared = skb.release();
		return;
	}
	__kfree_skb(std::move(skb));
}

// The head has no state left: UDP's reader gave back memory and destination before.
void __consume_stateless_skb(skb_ptr skb)
{
	TRACE(skb);
	sk_buff &dead = *skb.release();

	skb_release_data(dead);
	kfree_skbmem(dead);
}

static void napi_skb_cache_put(sk_buff &skb)
{
	TRACE();
	napi_alloc_cache &nc = *napi_cache;

	skb.~sk_buff();
	nc.skb_cache[nc.skb_count++] = &skb;
	if (nc.skb_count == napi_skb_cache_size)
		while (nc.skb_count > napi_skb_cache_half)
			kmem_cache_free(*skbuff_host->skbuff_head_cache, nc.skb_cache[--nc.skb_count]);
}

void __kfree_skb_defer(skb_ptr skb)
{
	TRACE(skb);
	sk_buff &dead = *skb.release();

	skb_release_all(dead);
	napi_skb_cache_put(dead);
}

void napi_skb_free_stolen_head(skb_ptr skb)
{
	TRACE(skb);
	sk_buff &dead = *skb.release();

	if (dead.slow_gro) {
		nf_reset_ct(dead);
		skb_dst_drop(dead);
		skb_ext_put(dead);
		skb_orphan(dead);
		dead.slow_gro = 0;
	}
	napi_skb_cache_put(dead);
}

void napi_consume_skb(skb_ptr skb, int budget)
{
	TRACE(skb);
	if (!skb)
		return;
	if (!budget) {
		consume_skb(std::move(skb));
		return;
	}
	assert(in_softirq());
	if (!skb_unref(*skb)) {
		[[maybe_unused]] sk_buff *shared = skb.release();
		return;
	}
	if (skb->fclone != SKB_FCLONE_UNAVAILABLE) {
		__kfree_skb(std::move(skb));
		return;
	}
	sk_buff &dead = *skb.release();
	skb_release_all(dead);
	napi_skb_cache_put(dead);
}

// The head's memory may now belong to a frag of the skb that ate it.
void kfree_skb_partial(skb_ptr skb, bool head_stolen)
{
	TRACE(skb);
	if (!head_stolen) {
		__kfree_skb(std::move(skb));
		return;
	}
	sk_buff &dead = *skb.release();

	skb_release_head_state(dead);
	dead.~sk_buff();
	kmem_cache_free(*skbuff_host->skbuff_head_cache, &dead);
}

void skb_attempt_defer_free(skb_ptr skb)
{
	TRACE(skb);
	const u16 id = skb->alloc_cpu;

	if (id >= current.host->cpus.size() || id == smp_processor_id()) {
		__kfree_skb(std::move(skb));
		return;
	}
	cpu &owner = *current.host->cpus[id];
	softnet_data &sd = softnet.of(owner);
	const u32 defer_max = static_cast<u32>(net_core->sysctl_skb_defer_max);

	if (skb_queue_len(sd.defer_list) >= defer_max) {
		__kfree_skb(std::move(skb));
		return;
	}
	const unsigned long flags = _raw_spin_lock_irqsave(sd.defer_list.lock);
	const bool kick = skb_queue_len(sd.defer_list) == defer_max >> 1;
	__skb_queue_head(sd.defer_list, std::move(skb));
	_raw_spin_unlock_irqrestore(sd.defer_list.lock, flags);
	if (kick && !std::exchange(sd.defer_ipi_scheduled, true))
		smp_call_function_single_async(id, sd.defer_csd);
}

// --- cloning ---

void __copy_skb_header(sk_buff &to, const sk_buff &from)
{
	TRACE(from);
	to.tstamp = from.tstamp;
	to.mono_delivery_time = from.mono_delivery_time;
	to.dev = from.dev;
	std::memcpy(to.cb, from.cb, sizeof(to.cb));
	to._skb_refdst = from._skb_refdst;
	if (!(from._skb_refdst & SKB_DST_NOREF))
		dst_clone(skb_dst(from));
	__skb_ext_copy(to, from);
	to._nfct = from._nfct;
	nf_conntrack_get(skb_nfct(from));
	to.queue_mapping = from.queue_mapping;

	// What a copy takes along as it is: bits and headers; checksum and marks.
	const auto copy = [&](std::size_t begins, std::size_t ends) {
		std::memcpy(reinterpret_cast<u8 *>(&to) + begins,
		            reinterpret_cast<const u8 *>(&from) + begins, ends - begins);
	};
	static_assert(offsetof(sk_buff, sk) == offsetof(sk_buff, hash) + sizeof(from.hash));
	static_assert(offsetof(sk_buff, alloc_cpu) == offsetof(sk_buff, mark) + sizeof(from.mark));

	copy(offsetof(sk_buff, active_extensions) + 1, offsetof(sk_buff, sk));
	copy(offsetof(sk_buff, csum_start), offsetof(sk_buff, alloc_cpu));
	to.slow_gro = from.slow_gro || from._skb_refdst;
	to.alloc_cpu = from.alloc_cpu;
}

static skb_ptr __skb_clone(sk_buff *n, sk_buff &skb)
{
	TRACE(skb);
	n->next = n->prev = nullptr;
	n->sk = nullptr;
	__copy_skb_header(*n, skb);
	n->len = skb.len;
	n->data_len = skb.data_len;
	n->mac_len = skb.mac_len;
	n->hdr_len = skb.nohdr ? static_cast<u16>(skb_headroom(skb)) : skb.hdr_len;
	n->cloned = 1;
	n->nohdr = 0;
	n->peeked = 0;
	n->pp_recycle = skb.pp_recycle;
	n->destructor = nullptr;
	n->tail = skb.tail;
	n->end = skb.end;
	n->head = skb.head;
	n->head_frag = skb.head_frag;
	n->head_page = skb.head_page;
	n->data = skb.data;
	n->truesize = skb.truesize;
	refcount_set(n->users, 1);
	atomic_inc(skb_shinfo(skb).dataref);
	skb.cloned = 1;
	return skb_ptr(n);
}

// `dst` lets go of all it holds and becomes a clone of `src`.
void skb_morph(sk_buff &dst, sk_buff &src)
{
	TRACE(dst);
	skb_release_all(dst);
	static_cast<void>(__skb_clone(&dst, src).release());
}

skb_ptr skb_clone(sk_buff &skb, gfp_t flags)
{
	TRACE(skb);
	auto *fclones = reinterpret_cast<sk_buff_fclones *>(&skb);
	sk_buff *n;

	if (skb.fclone == SKB_FCLONE_ORIG && refcount_read(fclones->fclone_ref) == 1) {
		n = make_head(&fclones->skb2);
		refcount_set(fclones->fclone_ref, 2);
		n->fclone = SKB_FCLONE_CLONE;
	} else {
		void *memory = kmem_cache_alloc(*skbuff_host->skbuff_head_cache, flags);

		if (!memory)
			return nullptr;
		n = make_head(memory);
		n->fclone = SKB_FCLONE_UNAVAILABLE;
	}
	return __skb_clone(n, skb);
}

} // namespace skbwalk
