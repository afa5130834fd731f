// SPDX-License-Identifier: GPL-2.0-only
//
// Huge pages: a mapping with room to align it in, what lies before and behind given back, and madvise.
#include "stack/kernel/huge_pages.h"

#include <sys/mman.h>

namespace skbwalk {

namespace {

constexpr std::size_t whole_pages(std::size_t bytes)
{
	return (bytes + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
}

} // namespace

// not traced: below what the kernel has a name for here
void *huge_pages_alloc(std::size_t bytes)
{
	const std::size_t size = whole_pages(bytes);
	void *mapped = mmap(nullptr, size + huge_page_bytes, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED)
		return nullptr;
	auto *from = static_cast<std::byte *>(mapped);
	const std::size_t before = -reinterpret_cast<std::uintptr_t>(mapped) & (huge_page_bytes - 1);
	if (before)
		munmap(from, before);
	if (before != huge_page_bytes)
		munmap(from + before + size, huge_page_bytes - before);
	madvise(from + before, size, MADV_HUGEPAGE);
	return from + before;
}

// not traced: as above
void huge_pages_free(void *p, std::size_t bytes) { munmap(p, whole_pages(bytes)); }

} // namespace skbwalk
