// SPDX-License-Identifier: GPL-2.0-only
//
// A mapping has a window of the bus of its own and an address there that no other had before or will have, so
// that a stale one is always noticed and a trace never shows where memory really lies. It begins where its
// window does, so that nothing crosses 64 KiB. Where overlaps are watched, what is mapped of a page of memory
// is looked at before more of that page is.
#include "stack/kernel/dma_mapping.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "stack/kernel/leaks.h"

namespace skbwalk {

namespace {

u64 page_of(const std::byte *memory) { return reinterpret_cast<std::uintptr_t>(memory) / PAGE_SIZE; }

[[gnu::cold, gnu::noinline]] void wrong(device &dev, const char *what, dma_addr_t addr, std::size_t size)
{
	char text[160];

	std::snprintf(text, sizeof(text), "DMA: %s: %s (bus address 0x%llx, %zu bytes)", dev.name.c_str(),
	              what, static_cast<unsigned long long>(addr), size);
	dev.dma_errors.emplace_back(text);
}

dma_addr_t map_memory(device &dev, std::byte *memory, std::size_t size, dma_data_direction dir)
{
	assert(memory && size && size <= dma_table::window && dir != DMA_NONE);
	if (++dev.dma_maps_done > dev.dma_fail_from && dev.dma_fail_count) {
		--dev.dma_fail_count;
		return DMA_MAPPING_ERROR;
	}

	const bool twice = dev.dma_mappings.overlaps_written(memory, size, dir);
	const dma_mapping *const m = dev.dma_mappings.add({memory, 0, nullptr, static_cast<u32>(size), dir});

	if (twice)
		wrong(dev, "a buffer that the device writes to is mapped twice", m ? m->base : 0, size);
	return m ? m->base : DMA_MAPPING_ERROR;
}

} // namespace

dma_mapping *dma_table::add(const dma_mapping &m)
{
	if (!free_count_) {
		const std::size_t at = mappings_.size();

		if (at == places_max)
			return nullptr;
		mappings_.emplace_back().base = (places_max + at) * window;
		if (at == free_.size())
			free_.resize(std::max<std::size_t>(64, 2 * at));
		free_first_ = 0;
		free_[free_count_++] = static_cast<u32>(at);
		if (watches_overlaps && mappings_.size() > chains_.size() / 4)
			more_chains();
	}

	const u32 at = free_[free_first_];
	dma_mapping &made = mappings_[at];
	const dma_addr_t base = made.base;

	free_first_ = (free_first_ + 1) & (free_.size() - 1);
	--free_count_;
	made = m;
	made.base = base;
	if (watches_overlaps)
		put_in_chains(at);
	return &made;
}

void dma_table::put_in_chains(u32 at)
{
	const dma_mapping &m = mappings_[at];

	for (u64 page = page_of(m.memory); page <= page_of(m.memory + m.size - 1); ++page) {
		u32 &first = chains_[chain_of(page)];

		if (free_links_.empty()) {
			free_links_.push_back(static_cast<u32>(links_.size()));
			links_.emplace_back();
		}
		links_[free_links_.back()] = {at, first};
		first = free_links_.back();
		free_links_.pop_back();
	}
}

void dma_table::more_chains()
{
	const std::size_t n = std::max<std::size_t>(64, 2 * chains_.size());

	chains_.assign(n, none);
	chains_shift_ = 64 - static_cast<unsigned>(std::countr_zero(n));
	links_.clear();
	free_links_.clear();
	for (u32 at = 0; at < mappings_.size(); ++at)
		if (mappings_[at].size)
			put_in_chains(at);
}

void dma_table::erase(dma_mapping &m)
{
	const auto at = static_cast<u32>(&m - mappings_.data());

	if (watches_overlaps)
		take_from_chains(at);
	m = {nullptr, m.base + places_max * window, nullptr, 0, DMA_NONE};
	free_[(free_first_ + free_count_++) & (free_.size() - 1)] = at;
}

void dma_table::take_from_chains(u32 at)
{
	const dma_mapping &m = mappings_[at];

	for (u64 page = page_of(m.memory); page <= page_of(m.memory + m.size - 1); ++page) {
		u32 *link_to = &chains_[chain_of(page)];

		while (links_[*link_to].mapping != at)
			link_to = &links_[*link_to].next;
		free_links_.push_back(*link_to);
		*link_to = links_[*link_to].next;
	}
}

dma_mapping *dma_table::find(dma_addr_t base)
{
	std::size_t offset = 0;
	dma_mapping *const m = holding(base, 0, offset);

	return offset ? nullptr : m;
}

bool dma_table::overlaps_written(const std::byte *memory, std::size_t size, dma_data_direction dir) const
{
	if (!watches_overlaps || chains_.empty())
		return false;
	for (u64 page = page_of(memory); page <= page_of(memory + size - 1); ++page) {
		for (u32 i = chains_[chain_of(page)]; i != none; i = links_[i].next) {
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

	assert(bytes <= dma_table::window);
	const dma_mapping *const m =
		dev.dma_mappings.add({pg->data, 0, pg, static_cast<u32>(size), DMA_BIDIRECTIONAL});

	if (!m) {
		put_page(*pg);
		return nullptr;
	}
	std::memset(pg->data, 0, bytes);
	addr = m->base;
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

	page &pg = *m->coherent;

	dev.dma_mappings.erase(*m);
	put_page(pg);
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
