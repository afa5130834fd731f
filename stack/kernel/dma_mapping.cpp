// SPDX-License-Identifier: GPL-2.0-only
//
// Bus addresses are given out in order and never twice, each mapping on pages of its own, so that a stale one
// is always noticed and a trace never shows where memory really lies. What lies in one page keeps its place
// in it, as behind an IOMMU; nothing crosses 64 KiB that need not.
#include "stack/kernel/dma_mapping.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "stack/kernel/leaks.h"

namespace skbwalk {

namespace {

void wrong(device &dev, const char *what, dma_addr_t addr, std::size_t size)
{
	char text[160];

	std::snprintf(text, sizeof(text), "DMA: %s: %s (bus address 0x%llx, %zu bytes)", dev.name.c_str(),
	              what, static_cast<unsigned long long>(addr), size);
	dev.dma_errors.emplace_back(text);
}

dma_addr_t add_mapping(device &dev, const dma_mapping &m, std::size_t align)
{
	const dma_addr_t base = (dev.dma_next + align - 1) / align * align;

	assert(m.size);
	dev.dma_next = base + (m.size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	dev.dma_mappings.add(base, m);
	return base;
}

dma_addr_t map_memory(device &dev, std::byte *memory, std::size_t size, dma_data_direction dir)
{
	assert(memory && size && dir != DMA_NONE);
	if (++dev.dma_maps_done > dev.dma_fail_from && dev.dma_fail_count) {
		--dev.dma_fail_count;
		return DMA_MAPPING_ERROR;
	}
	if (dev.dma_mappings.overlaps_written(memory, size, dir))
		wrong(dev, "a buffer that the device writes to is mapped twice", dev.dma_next, size);
	return add_mapping(dev, {memory, size, dir, nullptr}, PAGE_SIZE);
}

} // namespace

void dma_table::add(dma_addr_t base, const dma_mapping &m)
{
	if (bases_.size() > 64 && bases_.size() > 2 * places_.size())
		forget_gone();
	bases_.push_back(base);
	mappings_.push_back(m);
	const auto at = std::ranges::upper_bound(places_, m.memory, {}, &place::memory);

	places_.insert(at, {m.memory, m.size, base, m.dir});
	longest_ = std::max(longest_, m.size);
}

void dma_table::forget_gone()
{
	std::size_t kept = 0;

	for (std::size_t i = 0; i < bases_.size(); ++i) {
		if (!mappings_[i].memory)
			continue;
		bases_[kept] = bases_[i];
		mappings_[kept++] = mappings_[i];
	}
	bases_.resize(kept);
	mappings_.resize(kept);
}

// A search whose steps are no branches: which way it goes cannot be foreseen.
std::size_t dma_table::at_or_before(dma_addr_t addr) const
{
	const dma_addr_t *at = bases_.data();
	std::size_t n = bases_.size();

	while (n > 1) {
		const std::size_t half = n / 2;

		at = at[half] <= addr ? at + half : at;
		n -= half;
	}
	const auto i = static_cast<std::size_t>(at - bases_.data());

	return !n || *at > addr || !mappings_[i].memory ? bases_.size() : i;
}

dma_mapping *dma_table::find(dma_addr_t base)
{
	const std::size_t at = at_or_before(base);

	return at == bases_.size() || bases_[at] != base ? nullptr : &mappings_[at];
}

void dma_table::erase(dma_addr_t base)
{
	dma_mapping &m = *find(base);
	auto at = std::ranges::lower_bound(places_, m.memory, {}, &place::memory);

	while (at->base != base)
		++at;
	places_.erase(at);
	m = {};
}

dma_mapping *dma_table::holding(dma_addr_t addr, std::size_t size, std::size_t &offset)
{
	const std::size_t at = at_or_before(addr);

	if (at == bases_.size())
		return nullptr;
	offset = static_cast<std::size_t>(addr - bases_[at]);
	return offset > mappings_[at].size || size > mappings_[at].size - offset ? nullptr : &mappings_[at];
}

bool dma_table::overlaps_written(const std::byte *memory, std::size_t size, dma_data_direction dir) const
{
	const auto first = reinterpret_cast<std::uintptr_t>(memory) - longest_;
	const auto begins = [](const place &p) { return reinterpret_cast<std::uintptr_t>(p.memory); };

	for (auto at = std::ranges::lower_bound(places_, first, {}, begins);
	     at != places_.end() && at->memory < memory + size; ++at)
		if (memory < at->memory + at->size && (dir != DMA_TO_DEVICE || at->dir != DMA_TO_DEVICE))
			return true;
	return false;
}

device::~device()
{
	for (const std::string &error : dma_errors)
		note_leak(error);
	if (dma_mappings.size())
		note_leak("DMA: " + name + ": " + std::to_string(dma_mappings.size()) + " still mapped");
}

dma_addr_t dma_map_page_attrs(device &dev, page &pg, std::size_t offset, std::size_t size,
                              dma_data_direction dir)
{
	TRACE();
	assert(offset + size <= PAGE_SIZE << pg.order);
	return map_memory(dev, pg.data + offset, size, dir);
}

dma_addr_t dma_map_page_attrs(device &dev, void *memory, std::size_t size, dma_data_direction dir)
{
	TRACE();
	return map_memory(dev, static_cast<std::byte *>(memory), size, dir);
}

void dma_unmap_page_attrs(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir)
{
	TRACE();
	const dma_mapping *const m = dev.dma_mappings.find(addr);

	if (!m) {
		wrong(dev, "the driver unmaps what is not mapped", addr, size);
		return;
	}
	if (m->size != size)
		wrong(dev, "the driver unmaps with another size", addr, size);
	if (m->dir != dir)
		wrong(dev, "the driver unmaps with another direction", addr, size);
	if (m->coherent)
		wrong(dev, "the driver unmaps memory that it allocated for DMA", addr, size);
	dev.dma_mappings.erase(addr);
}

void dma_sync_single_for_cpu(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir)
{
	TRACE();
	std::size_t offset = 0;
	const dma_mapping *m = dev.dma_mappings.holding(addr, size, offset);

	if (!m)
		wrong(dev, "the driver syncs what is not mapped", addr, size);
	else if (m->dir != dir)
		wrong(dev, "the driver syncs with another direction", addr, size);
}

void *dma_alloc_attrs(device &dev, std::size_t size, dma_addr_t &addr, gfp_t gfp)
{
	TRACE();
	const std::size_t bytes = std::max(std::bit_ceil(size), PAGE_SIZE);
	page *pg = alloc_pages(gfp, static_cast<u32>(std::countr_zero(bytes / PAGE_SIZE)));

	if (!pg)
		return nullptr;
	std::memset(pg->data, 0, bytes);
	addr = add_mapping(dev, {pg->data, size, DMA_BIDIRECTIONAL, pg}, bytes);
	return pg->data;
}

void dma_free_attrs(device &dev, std::size_t size, void *memory, dma_addr_t addr)
{
	TRACE();
	const dma_mapping *const m = dev.dma_mappings.find(addr);

	if (!m || !m->coherent || m->memory != memory) {
		wrong(dev, "the driver frees what it has not allocated", addr, size);
		return;
	}
	if (m->size != size)
		wrong(dev, "the driver frees with another size", addr, size);
	put_page(*m->coherent);
	dev.dma_mappings.erase(addr);
}

// not traced: the machine beneath the kernel
const std::byte *dma_readable(device &dev, dma_addr_t addr, std::size_t size)
{
	std::size_t offset = 0;
	const dma_mapping *m = dev.dma_mappings.holding(addr, size, offset);

	if (!m || m->dir == DMA_FROM_DEVICE) {
		wrong(dev, "the device reads what is not mapped for it", addr, size);
		return nullptr;
	}
	return m->memory + offset;
}

// not traced: the machine beneath the kernel
bool dma_read(device &dev, dma_addr_t addr, void *to, std::size_t size)
{
	const std::byte *from = dma_readable(dev, addr, size);

	if (from)
		std::memcpy(to, from, size);
	else
		std::memset(to, 0, size);
	return from;
}

// not traced: the machine beneath the kernel
bool dma_write(device &dev, dma_addr_t addr, const void *from, std::size_t size)
{
	std::size_t offset = 0;
	const dma_mapping *m = dev.dma_mappings.holding(addr, size, offset);

	if (!m || m->dir == DMA_TO_DEVICE) {
		wrong(dev, "the device writes to what is not mapped for it", addr, size);
		return false;
	}
	std::memcpy(m->memory + offset, from, size);
	return true;
}

} // namespace skbwalk
