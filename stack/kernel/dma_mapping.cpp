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

constexpr u64 page_of(dma_addr_t addr) { return addr / PAGE_SIZE; }
u64 page_of(const std::byte *memory) { return page_of(reinterpret_cast<std::uintptr_t>(memory)); }

void wrong(device &dev, const char *what, dma_addr_t addr, std::size_t size)
{
	char text[160];

	std::snprintf(text, sizeof(text), "DMA: %s: %s (bus address 0x%llx, %zu bytes)", dev.name.c_str(),
	              what, static_cast<unsigned long long>(addr), size);
	dev.dma_errors.emplace_back(text);
}

dma_addr_t add_mapping(device &dev, dma_mapping m, std::size_t align)
{
	const dma_addr_t base = (dev.dma_next + align - 1) / align * align;

	assert(m.size);
	m.base = base;
	dev.dma_next = base + (m.size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	dev.dma_mappings.add(m);
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
	return add_mapping(dev, {memory, size, dir}, PAGE_SIZE);
}

} // namespace

void dma_table::add(const dma_mapping &m)
{
	u32 at;

	if (free_.empty()) {
		at = static_cast<u32>(mappings_.size());
		mappings_.push_back(m);
	} else {
		at = free_.back();
		free_.pop_back();
		mappings_[at] = m;
	}
	for (u64 page = page_of(m.base); page <= page_of(m.base + m.size - 1); ++page)
		by_bus_.emplace(page, at);
	for (u64 page = page_of(m.memory); page <= page_of(m.memory + m.size - 1); ++page) {
		u32 &first = by_memory_.try_emplace(page, none).first->second;

		if (free_links_.empty()) {
			free_links_.push_back(static_cast<u32>(links_.size()));
			links_.emplace_back();
		}
		links_[free_links_.back()] = {at, first};
		first = free_links_.back();
		free_links_.pop_back();
	}
}

void dma_table::erase(dma_mapping &m)
{
	const auto at = static_cast<u32>(&m - mappings_.data());

	for (u64 page = page_of(m.base); page <= page_of(m.base + m.size - 1); ++page)
		by_bus_.erase(page);
	for (u64 page = page_of(m.memory); page <= page_of(m.memory + m.size - 1); ++page) {
		const auto chain = by_memory_.find(page);
		u32 *link_to = &chain->second;

		while (links_[*link_to].mapping != at)
			link_to = &links_[*link_to].next;
		free_links_.push_back(*link_to);
		*link_to = links_[*link_to].next;
		if (chain->second == none)
			by_memory_.erase(chain);
	}
	m = {};
	free_.push_back(at);
}

dma_mapping *dma_table::find(dma_addr_t base)
{
	std::size_t offset = 0;
	dma_mapping *const m = holding(base, 0, offset);

	return offset ? nullptr : m;
}

dma_mapping *dma_table::holding(dma_addr_t addr, std::size_t size, std::size_t &offset)
{
	const auto at = by_bus_.find(page_of(addr));

	if (at == by_bus_.end())
		return nullptr;

	dma_mapping &m = mappings_[at->second];

	offset = static_cast<std::size_t>(addr - m.base);
	return offset > m.size || size > m.size - offset ? nullptr : &m;
}

bool dma_table::overlaps_written(const std::byte *memory, std::size_t size, dma_data_direction dir) const
{
	for (u64 page = page_of(memory); page <= page_of(memory + size - 1); ++page) {
		const auto chain = by_memory_.find(page);

		if (chain == by_memory_.end())
			continue;
		for (u32 i = chain->second; i != none; i = links_[i].next) {
			const dma_mapping &m = mappings_[links_[i].mapping];

			if (m.memory < memory + size && memory < m.memory + m.size &&
			    (dir != DMA_TO_DEVICE || m.dir != DMA_TO_DEVICE))
				return true;
		}
	}
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
	dma_mapping *const m = dev.dma_mappings.find(addr);

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
	dev.dma_mappings.erase(*m);
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
	dma_mapping *const m = dev.dma_mappings.find(addr);

	if (!m || !m->coherent || m->memory != memory) {
		wrong(dev, "the driver frees what it has not allocated", addr, size);
		return;
	}
	if (m->size != size)
		wrong(dev, "the driver frees with another size", addr, size);
	put_page(*m->coherent);
	dev.dma_mappings.erase(*m);
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
std::byte *dma_writable(device &dev, dma_addr_t addr, std::size_t size)
{
	std::size_t offset = 0;
	const dma_mapping *m = dev.dma_mappings.holding(addr, size, offset);

	if (!m || m->dir == DMA_TO_DEVICE) {
		wrong(dev, "the device writes to what is not mapped for it", addr, size);
		return nullptr;
	}
	return m->memory + offset;
}

} // namespace skbwalk
