// SPDX-License-Identifier: GPL-2.0-only
//
// Slab caches (mm/slub.c, mm/slab_common.c). A slab is 64 KiB, aligned, with its cache's address at its
// start, so that an object leads to its cache by masking. Free objects are chained through their first word;
// a slab that is new is carved as objects are asked for. A cache that holds much gets its slabs from regions
// of huge pages. Under the address sanitizer a free object is poisoned, which finds late use and double free.
// Beyond 8 KiB kmalloc takes memory of its own. Left out: partial lists, per-cpu freelists, giving slabs back
// early.
#include "stack/kernel/slab.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

#include "stack/kernel/huge_pages.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/prefetch.h"
#include "stack/kernel/sanitizers.h"

#ifdef SKBWALK_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) (static_cast<void>(p), static_cast<void>(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) (static_cast<void>(p), static_cast<void>(n))
#endif

namespace skbwalk {

namespace {

constexpr std::size_t slab_bytes = 64 * 1024;
constexpr std::size_t header_bytes = 64;
constexpr std::size_t KMALLOC_MAX_CACHE_SIZE = 8192;

struct slab_header {
	kmem_cache *cache; // null: one large allocation
	std::size_t size;  // of a large allocation
	host_state *owner;
};
static_assert(sizeof(slab_header) <= header_bytes);

slab_header &header_of(const void *p)
{
	return *reinterpret_cast<slab_header *>(reinterpret_cast<std::uintptr_t>(p) & ~(slab_bytes - 1));
}

// The nth region of a cache, or of pages: each twice the one before, up to 64 MiB.
constexpr std::size_t region_bytes(std::size_t nr) { return huge_page_bytes << std::min<std::size_t>(nr, 5); }

// So many bytes of the last region, or of a new one; null: there is no memory. A cache's regions, or a
// pool's.
template <class T> void *carve(T &from, std::size_t bytes)
{
	if (static_cast<std::size_t>(from.region_end - from.region_left) < bytes) {
		const std::size_t size = region_bytes(from.regions.size());
		void *region = huge_pages_alloc(size);

		if (!region)
			return nullptr;
		from.regions.push_back(region);
		from.region_left = static_cast<std::byte *>(region);
		from.region_end = from.region_left + size;
	}
	void *piece = from.region_left;

	from.region_left += bytes;
	return piece;
}
template <class T> void free_regions(T &of)
{
	for (std::size_t nr = 0; nr < of.regions.size(); ++nr) {
		ASAN_UNPOISON_MEMORY_REGION(of.regions[nr], region_bytes(nr));
		huge_pages_free(of.regions[nr], region_bytes(nr));
	}
}

void *new_slab(kmem_cache &c)
{
	if (c.slabs.size() < huge_page_bytes / slab_bytes) {
		void *slab = std::aligned_alloc(slab_bytes, slab_bytes);

		if (slab)
			c.slabs.push_back(slab);
		return slab;
	}
	return carve(c, slab_bytes);
}

[[gnu::noinline, gnu::cold]] void *new_object(kmem_cache &c)
{
	if (c.slab_end - c.uncarved < static_cast<std::ptrdiff_t>(c.stride)) {
		void *slab = new_slab(c);

		if (!slab)
			return nullptr;
		*static_cast<slab_header *>(slab) = slab_header{&c, 0, nullptr};
		// Slabs begin their objects at different lines of a page, else the nth objects of all would
		// share the few sets of a cache that their first lines fall into.
		const std::size_t slack = (slab_bytes - header_bytes) % c.stride;
		const std::size_t colour = c.colour++ % (slack / 64 + 1) * 64;

		c.uncarved = static_cast<std::byte *>(slab) + header_bytes + colour;
		c.slab_end = static_cast<std::byte *>(slab) + slab_bytes;
		ASAN_POISON_MEMORY_REGION(c.uncarved, static_cast<std::size_t>(c.slab_end - c.uncarved));
	}
	void *p = c.uncarved;

	c.uncarved += c.stride;
	return p;
}

// not traced: slab_alloc_node is inlined into each of its callers
inline void *slab_alloc_node(kmem_cache &c, gfp_t flags)
{
	if (flags == GFP_KERNEL) // might_alloc: with voluntary preemption, who may sleep may be preempted
		__cond_resched();
	if (should_failslab(c, flags))
		return nullptr;
	void *p = c.freelist;

	if (p) {
		ASAN_UNPOISON_MEMORY_REGION(p, c.object_size);
		c.freelist = *static_cast<void **>(p);
		// prefetch_freepointer; a cpu looks long for what lies at null.
		if (c.freelist)
			prefetchw(c.freelist);
	} else {
		p = new_object(c);
		if (!p)
			return nullptr;
		ASAN_UNPOISON_MEMORY_REGION(p, c.object_size);
	}
	++c.active;
	++c.total_allocs;
	return p;
}

// not traced: inlined in the kernel
inline void slab_free(kmem_cache &c, void *p)
{
	assert(p != c.freelist && "double free");
#ifdef SKBWALK_ASAN
	assert(!__asan_address_is_poisoned(p) && "double free");
#endif
	assert(header_of(p).cache == &c && "freed to another cache");
	assert(c.active != 0);
	*static_cast<void **>(p) = c.freelist;
	c.freelist = p;
	--c.active;
	ASAN_POISON_MEMORY_REGION(p, c.object_size);
}

constexpr u16 class_sizes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};

constexpr unsigned size_class(std::size_t size)
{
	if (size <= 192 && size > 128)
		return 6;
	if (size <= 96 && size > 64)
		return 4;
	const auto log = static_cast<unsigned>(std::bit_width((size < 8 ? 8 : size) - 1));

	// 8 to 64 are 2^3 to 2^6 at 0 to 3, 128 at 5, 256 to 8192 are 2^8 to 2^13 from 7.
	return log <= 6 ? log - 3 : log == 7 ? 5 : log - 1;
}
static_assert(class_sizes[size_class(1)] == 8 && class_sizes[size_class(9)] == 16 &&
              class_sizes[size_class(65)] == 96);
static_assert(class_sizes[size_class(97)] == 128 && class_sizes[size_class(129)] == 192);
static_assert(class_sizes[size_class(193)] == 256 && class_sizes[size_class(4097)] == 8192);

kmem_cache &cache_of_class(unsigned nr)
{
	kmem_cache *&c = current.host->state->kmalloc_caches[nr];

	if (__builtin_expect(!c, 0)) {
		const u32 size = class_sizes[nr];

		c = &kmem_cache_create(("kmalloc-" + std::to_string(size)).c_str(), size,
		                       size < 64 ? size : 64);
	}
	return *c;
}

kmem_cache &kmalloc_slab(std::size_t size)
{
	TRACE();
	return cache_of_class(size_class(size));
}

void *__kmem_cache_alloc_node(kmem_cache &c, gfp_t flags)
{
	TRACE();
	return slab_alloc_node(c, flags);
}

void *__kmalloc_large_node(std::size_t size)
{
	TRACE();
	const std::size_t bytes = (size + header_bytes + slab_bytes - 1) & ~(slab_bytes - 1);
	void *p = std::aligned_alloc(slab_bytes, bytes);

	if (!p)
		return nullptr;
	host_state &s = *current.host->state;

	*static_cast<slab_header *>(p) = slab_header{nullptr, size, &s};
	++s.large_given_out;
	return static_cast<std::byte *>(p) + header_bytes;
}

// not traced: inlined into its three callers
inline void *__do_kmalloc_node(std::size_t size, gfp_t flags)
{
	if (__builtin_expect(size > KMALLOC_MAX_CACHE_SIZE, 0))
		return __kmalloc_large_node(size);
	return __kmem_cache_alloc_node(kmalloc_slab(size), flags);
}

} // namespace

kmem_cache::~kmem_cache()
{
	for (void *slab : slabs) {
		ASAN_UNPOISON_MEMORY_REGION(slab, slab_bytes);
		std::free(slab);
	}
	free_regions(*this);
}

// not traced: for tests
void set_failslab(host &h, std::function<bool(const kmem_cache &)> fails)
{
	h.state->failslab = std::move(fails);
}

int should_failslab(const kmem_cache &c, gfp_t)
{
	TRACE();
	const auto &fails = current.host->state->failslab;

	return __builtin_expect(fails && fails(c), 0) ? -ENOMEM : 0;
}

// not traced: at boot only
kmem_cache &kmem_cache_create(const char *name, u32 size, u32 align)
{
	auto c = std::make_unique<kmem_cache>();

	if (align < alignof(void *))
		align = alignof(void *);
	assert((align & (align - 1)) == 0 && align <= header_bytes);
	c->name = name;
	c->object_size = size < sizeof(void *) ? sizeof(void *) : size;
	c->stride = (c->object_size + align - 1) & ~(align - 1);
	assert(c->stride <= slab_bytes - header_bytes);
	current.host->state->caches.push_back(std::move(c));
	return *current.host->state->caches.back();
}

void *kmem_cache_alloc(kmem_cache &c, gfp_t flags)
{
	TRACE();
	return slab_alloc_node(c, flags);
}

void *kmem_cache_alloc_node(kmem_cache &c, gfp_t flags, int)
{
	TRACE();
	return slab_alloc_node(c, flags);
}

void *kmem_cache_alloc_lru(kmem_cache &c, gfp_t flags)
{
	TRACE();
	return slab_alloc_node(c, flags);
}

void kmem_cache_free(kmem_cache &c, void *p)
{
	TRACE();
	slab_free(c, p);
}

void *__kmalloc(std::size_t size, gfp_t flags)
{
	TRACE();
	return __do_kmalloc_node(size, flags);
}

void *kmalloc_trace(std::size_t size, gfp_t flags)
{
	TRACE();
	assert(size <= KMALLOC_MAX_CACHE_SIZE);
	return __kmem_cache_alloc_node(cache_of_class(size_class(size)), flags);
}

void *__kmalloc_node_track_caller(std::size_t size, gfp_t flags, int)
{
	TRACE();
	return __do_kmalloc_node(size, flags);
}

void *kmemdup(const void *src, std::size_t size, gfp_t flags)
{
	TRACE();
	void *p = __kmalloc_node_track_caller(size, flags, -1);

	if (p)
		std::memcpy(p, src, size);
	return p;
}

namespace {

void __kmem_cache_free(kmem_cache &c, void *p)
{
	TRACE();
	slab_free(c, p);
}

void free_large_kmalloc(slab_header &h)
{
	TRACE();
	assert(h.owner->large_given_out != 0);
	--h.owner->large_given_out;
	std::free(&h);
}

} // namespace

void kfree(const void *p)
{
	TRACE();
	if (!p)
		return;
	slab_header &h = header_of(p);

	if (h.cache)
		__kmem_cache_free(*h.cache, const_cast<void *>(p));
	else
		free_large_kmalloc(h);
}

static std::size_t __ksize(const void *p)
{
	TRACE();
	const slab_header &h = header_of(p);

	return h.cache ? h.cache->object_size : h.size;
}

std::size_t ksize(const void *p)
{
	TRACE();
	return p ? __ksize(p) : 0;
}

std::size_t kmalloc_size_roundup(std::size_t size)
{
	TRACE();
	if (size == 0)
		return 0;
	if (size <= KMALLOC_MAX_CACHE_SIZE)
		return class_sizes[size_class(size)];
	return PAGE_SIZE << (std::bit_width((size - 1) / PAGE_SIZE));
}

// not traced: for tests
std::string slab_report(host &h)
{
	std::string report;
	auto line = [&](const std::string &name, u64 count) {
		if (count)
			report += name + ' ' + std::to_string(count) + '\n';
	};

	for (const auto &c : h.state->caches)
		line(c->name, c->active);
	line("kmalloc-large", h.state->large_given_out);
	line("pages", h.state->pages.given_out);
	return report;
}

namespace {

page *get_page_from_freelist(page_pool &pool, u32 order)
{
	TRACE();
	std::vector<page *> &free = pool.free[order];

	if (free.empty())
		return nullptr;
	page *p = free.back();

	free.pop_back();
	return p;
}

[[gnu::noinline, gnu::cold]] page *new_page(page_pool &pool, u32 order)
{
	const std::size_t bytes = PAGE_SIZE << order;
	void *data;

	if (pool.single_bytes < huge_page_bytes || bytes > huge_page_bytes) {
		data = std::aligned_alloc(PAGE_SIZE, bytes);
		if (data)
			pool.single.push_back(data);
		pool.single_bytes += bytes;
	} else {
		data = carve(pool, bytes);
	}
	if (!data)
		return nullptr;
	page &made = pool.all.emplace_back();

	made.order = order;
	made.data = static_cast<std::byte *>(data);
	return &made;
}

page *__alloc_pages(u32 order)
{
	TRACE();
	page_pool &pool = current.host->state->pages;
	page *p = get_page_from_freelist(pool, order);

	if (!p) {
		p = new_page(pool, order);
		if (!p)
			return nullptr;
	}
	ASAN_UNPOISON_MEMORY_REGION(p->data, PAGE_SIZE << order);
	p->refcount = 1;
	++pool.given_out;
	return p;
}

void free_unref_page(page &p)
{
	TRACE();
	page_pool &pool = current.host->state->pages;

	ASAN_POISON_MEMORY_REGION(p.data, PAGE_SIZE << p.order);
	assert(pool.given_out != 0);
	--pool.given_out;
	pool.free[p.order].push_back(&p);
}

} // namespace

page *alloc_pages(gfp_t, u32 order)
{
	TRACE();
	return __alloc_pages(order);
}

void __folio_put(page &p)
{
	TRACE();
	assert(p.refcount == 0);
	free_unref_page(p);
}

page_pool::~page_pool()
{
	for (const page &p : all)
		ASAN_UNPOISON_MEMORY_REGION(p.data, PAGE_SIZE << p.order);
	for (void *memory : single)
		std::free(memory);
	free_regions(*this);
}

} // namespace skbwalk
