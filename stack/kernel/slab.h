// SPDX-License-Identifier: GPL-2.0-only
//
// Slab caches (mm/slub.c): real pools with free lists, per host; kmalloc by size class. Every object is
// counted, so that a host that ends can say what was leaked. A fault can make an allocation fail: null, as
// the kernel's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "stack/kernel/context.h"
#include "stack/trace/trace.h"

namespace skbwalk {

struct kmem_cache {
	std::string name;
	u32 object_size = 0;
	u32 stride = 0;
	void *freelist = nullptr;
	u32 active = 0; // objects given out
	u64 total_allocs = 0;
	std::byte *uncarved = nullptr; // the part of the newest slab that was never given out
	std::byte *slab_end = nullptr;
	u32 colour = 0;              // of the next slab
	std::vector<void *> slabs;   // 64 KiB each, of the heap
	std::vector<void *> regions; // of huge pages, each twice the one before
	std::byte *region_left = nullptr, *region_end = nullptr;
	kmem_cache() = default;
	kmem_cache(const kmem_cache &) = delete;
	kmem_cache &operator=(const kmem_cache &) = delete;
	~kmem_cache();
};

// An allocation for which this says yes fails. Null, as usual: none does.
void set_failslab(host &h, std::function<bool(const kmem_cache &)> fails);
int should_failslab(const kmem_cache &c, gfp_t flags);

// Caches belong to the current host and live as long as it does.
kmem_cache &kmem_cache_create(const char *name, u32 size, u32 align);
[[nodiscard]] void *kmem_cache_alloc(kmem_cache &c, gfp_t flags);
[[nodiscard]] void *kmem_cache_alloc_node(kmem_cache &c, gfp_t flags, int node);
[[nodiscard]] void *kmem_cache_alloc_lru(kmem_cache &c, gfp_t flags);
void kmem_cache_free(kmem_cache &c, void *p);
[[nodiscard]] void *__kmalloc(std::size_t size, gfp_t flags);
[[nodiscard]] void *kmalloc_trace(std::size_t size, gfp_t flags); // kmalloc of a size known when compiled
[[nodiscard]] void *__kmalloc_node_track_caller(std::size_t size, gfp_t flags, int node);
[[nodiscard]] void *kmemdup(const void *src, std::size_t size, gfp_t flags);
void kfree(const void *p);
std::size_t ksize(const void *p);
std::size_t kmalloc_size_roundup(std::size_t size);

// Pages: 4 KiB units with a reference count, for page frags.
struct page {
	u32 refcount = 1;
	u32 order = 0;
	std::byte *data = nullptr;
};
constexpr std::size_t PAGE_SIZE = 4096;
[[nodiscard]] page *alloc_pages(gfp_t flags, u32 order);
inline void get_page(page &p) { ++p.refcount; }
void __folio_put(page &p);
inline void put_page(page &p)
{
	TRACE_INLINE();
	if (--p.refcount == 0)
		__folio_put(p);
}

// What the current host has given out and not got back: "name count" pairs, empty when nothing leaks.
std::string slab_report(host &h);

} // namespace skbwalk
