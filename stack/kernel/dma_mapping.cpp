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

bool overlaps_written(const device &dev, const std::byte *memory, std::size_t size, dma_data_direction dir)
{
	return std::ranges::any_of(dev.dma_mappings, [&](const auto &m) {
		const dma_mapping &o = m.second;
		return memory < o.memory + o.size && o.memory < memory + size &&
		       (dir != DMA_TO_DEVICE || o.dir != DMA_TO_DEVICE);
	});
}

dma_addr_t add_mapping(device &dev, const dma_mapping &m, std::size_t align)
{
	const dma_addr_t base = (dev.dma_next + align - 1) / align * align;

	assert(m.size);
	dev.dma_next = base + (m.size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	dev.dma_mappings.emplace(base, m);
	return base;
}

// The mapping that holds all of it; null: none does.
dma_mapping *mapping_at(device &dev, dma_addr_t addr, std::size_t size, std::size_t &offset)
{
	auto it = dev.dma_mappings.upper_bound(addr);

	if (it == dev.dma_mappings.begin())
		return nullptr;
	--it;
	offset = static_cast<std::size_t>(addr - it->first);
	if (offset > it->second.size || size > it->second.size - offset)
		return nullptr;
	return &it->second;
}

dma_addr_t map_memory(device &dev, std::byte *memory, std::size_t size, dma_data_direction dir)
{
	assert(memory && size && dir != DMA_NONE);
	if (++dev.dma_maps_done > dev.dma_fail_from && dev.dma_fail_count) {
		--dev.dma_fail_count;
		return DMA_MAPPING_ERROR;
	}
	if (overlaps_written(dev, memory, size, dir))
		wrong(dev, "a buffer that the device writes to is mapped twice", dev.dma_next, size);
	return add_mapping(dev, {memory, size, dir, nullptr}, PAGE_SIZE);
}

} // namespace

device::~device()
{
	for (const std::string &error : dma_errors)
		note_leak(error);
	if (!dma_mappings.empty())
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
	const auto it = dev.dma_mappings.find(addr);

	if (it == dev.dma_mappings.end()) {
		wrong(dev, "the driver unmaps what is not mapped", addr, size);
		return;
	}
	if (it->second.size != size)
		wrong(dev, "the driver unmaps with another size", addr, size);
	if (it->second.dir != dir)
		wrong(dev, "the driver unmaps with another direction", addr, size);
	if (it->second.coherent)
		wrong(dev, "the driver unmaps memory that it allocated for DMA", addr, size);
	dev.dma_mappings.erase(it);
}

void dma_sync_single_for_cpu(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir)
{
	TRACE();
	std::size_t offset = 0;
	const dma_mapping *m = mapping_at(dev, addr, size, offset);

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
	const auto it = dev.dma_mappings.find(addr);

	if (it == dev.dma_mappings.end() || !it->second.coherent || it->second.memory != memory) {
		wrong(dev, "the driver frees what it has not allocated", addr, size);
		return;
	}
	if (it->second.size != size)
		wrong(dev, "the driver frees with another size", addr, size);
	put_page(*it->second.coherent);
	dev.dma_mappings.erase(it);
}

// not traced: the machine beneath the kernel
bool dma_read(device &dev, dma_addr_t addr, void *to, std::size_t size)
{
	std::size_t offset = 0;
	const dma_mapping *m = mapping_at(dev, addr, size, offset);

	if (!m || m->dir == DMA_FROM_DEVICE) {
		wrong(dev, "the device reads what is not mapped for it", addr, size);
		std::memset(to, 0, size);
		return false;
	}
	std::memcpy(to, m->memory + offset, size);
	return true;
}

// not traced: the machine beneath the kernel
bool dma_write(device &dev, dma_addr_t addr, const void *from, std::size_t size)
{
	std::size_t offset = 0;
	const dma_mapping *m = mapping_at(dev, addr, size, offset);

	if (!m || m->dir == DMA_TO_DEVICE) {
		wrong(dev, "the device writes to what is not mapped for it", addr, size);
		return false;
	}
	std::memcpy(m->memory + offset, from, size);
	return true;
}

} // namespace skbwalk
