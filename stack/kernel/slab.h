// SPDX-License-Identifier: GPL-2.0-only
//
// Slab caches (mm/slub.c): real pools with free lists, per host; kmalloc by size class. Every object is counted, so that a
// host that ends can say what was leaked. A fault can make an allocation fail: null, as the kernel's.
#pragma once

#include <string>
#include <vector>

#include "stack/kernel/context.h"

namespace skbwalk {

struct kmem_cache {
	std::string name;
	u32 object_size = 0;
	u32 stride = 0;
	void *freelist = nullptr;
	u32 active = 0;            // objects given out
	u64 total_allocs = 0;
	std::vector<std::unique_ptr<std::byte[]>> slabs;
	void *huge = nullptr;
	std::size_t huge_bytes = 0;
	~kmem_cache();
};

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
void put_page(page &p);

// What the current host has given out and not got back: "name count" pairs, empty when nothing leaks.
std::string slab_report(host &h);

} // namespace skbwalk
