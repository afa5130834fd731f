// SPDX-License-Identifier: GPL-2.0-only
//
// DMA (include/linux/dma-mapping.h, kernel/dma/mapping.c): memory that a device may reach, by addresses of
// its own bus. A driver maps a buffer, tells the device the bus address, and unmaps it with the same address,
// size and direction. What kernel/dma/debug.c watches is always watched here: a mapping that is not there, of
// another size or direction, a buffer that a device writes to and that is mapped twice, and what is still
// mapped when the device goes. A device that reaches for an address that is not mapped finds nothing there,
// as behind an IOMMU. Each is a line in device::dma_errors, and at the device's end a leak, which fails every
// test.
//
//      driver                       bus                        device
//      dma_map_single(buffer) ----> address, in a descriptor ----> dma_readable, dma_writable
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "stack/kernel/slab.h"
#include "stack/kernel/types.h"
#include "stack/trace/trace.h"

namespace skbwalk {

using dma_addr_t = u64;
constexpr dma_addr_t DMA_MAPPING_ERROR = ~dma_addr_t{0};

enum dma_data_direction : u8 { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

struct dma_mapping {
	std::byte *memory = nullptr; // null: free for the next
	std::size_t size = 0;
	dma_data_direction dir = DMA_NONE;
	page *coherent = nullptr; // of dma_alloc_attrs
	dma_addr_t base = 0;
};

// All mappings of a device: by the pages of its bus, of which each is one mapping's, and by those of memory,
// of which one can hold several.
class dma_table {
public:
	void add(const dma_mapping &m);
	void erase(dma_mapping &m);
	[[nodiscard]] dma_mapping *find(dma_addr_t base); // null: no mapping begins there
	// The mapping that holds all of it, and where in it; null: none does.
	[[nodiscard]] dma_mapping *holding(dma_addr_t addr, std::size_t size, std::size_t &offset);
	// Is there one of this memory, and either this one or that is written to?
	[[nodiscard]] bool overlaps_written(const std::byte *memory, std::size_t size,
	                                    dma_data_direction dir) const;
	[[nodiscard]] std::size_t size() const { return mappings_.size() - free_.size(); }

private:
	static constexpr u32 none = ~u32{0};
	struct link { // of the mappings in one page of memory
		u32 mapping, next;
	};

	std::vector<dma_mapping> mappings_;
	std::vector<u32> free_;
	std::vector<link> links_;
	std::vector<u32> free_links_;
	boost::unordered_flat_map<u64, u32> by_bus_, by_memory_; // page number: mapping, first link
};

// What DMA knows of a device (struct device).
struct device {
	device() = default;
	explicit device(std::string device_name) : name(std::move(device_name)) {}
	~device();
	device(const device &) = delete;
	device &operator=(const device &) = delete;

	std::string name;
	dma_table dma_mappings;
	dma_addr_t dma_next = 0x1000;
	std::vector<std::string> dma_errors;
	u64 dma_maps_done = 0;
	// Mappings from this one on fail, so many times: a test's way to meet a full IOMMU.
	u64 dma_fail_from = ~u64{0}, dma_fail_count = 0;
};

dma_addr_t dma_map_page_attrs(device &dev, page &pg, std::size_t offset, std::size_t size,
                              dma_data_direction dir);
void dma_unmap_page_attrs(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir);
// Memory that is none of the page pool's, by its address. Unlike the kernel, which finds its page and goes
// on in dma_map_page_attrs of pages, there are two functions of that name.
dma_addr_t dma_map_page_attrs(device &dev, void *memory, std::size_t size, dma_data_direction dir);
void dma_sync_single_for_cpu(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir);
void *dma_alloc_attrs(device &dev, std::size_t size, dma_addr_t &addr, gfp_t gfp);
void dma_free_attrs(device &dev, std::size_t size, void *memory, dma_addr_t addr);

inline dma_addr_t dma_map_single_attrs(device &dev, void *memory, std::size_t size, dma_data_direction dir)
{
	TRACE_INLINE();
	return dma_map_page_attrs(dev, memory, size, dir);
}
inline dma_addr_t dma_map_single(device &dev, void *memory, std::size_t size, dma_data_direction dir)
{
	return dma_map_single_attrs(dev, memory, size, dir);
}
inline dma_addr_t dma_map_page(device &dev, page &pg, std::size_t offset, std::size_t size,
                               dma_data_direction dir)
{
	return dma_map_page_attrs(dev, pg, offset, size, dir);
}
inline void dma_unmap_single(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir)
{
	dma_unmap_page_attrs(dev, addr, size, dir);
}
inline void dma_unmap_page(device &dev, dma_addr_t addr, std::size_t size, dma_data_direction dir)
{
	dma_unmap_page_attrs(dev, addr, size, dir);
}
inline int dma_mapping_error(const device &, dma_addr_t addr)
{
	return addr == DMA_MAPPING_ERROR ? -ENOMEM : 0;
}
inline void *dma_alloc_coherent(device &dev, std::size_t size, dma_addr_t &addr, gfp_t gfp)
{
	TRACE_INLINE();
	return dma_alloc_attrs(dev, size, addr, gfp);
}
inline void dma_free_coherent(device &dev, std::size_t size, void *memory, dma_addr_t addr)
{
	TRACE_INLINE();
	dma_free_attrs(dev, size, memory, addr);
}

// --- the device's side: memory in place; null: some of it is not mapped, or not for this direction ---
const std::byte *dma_readable(device &dev, dma_addr_t addr, std::size_t size);
std::byte *dma_writable(device &dev, dma_addr_t addr,
                        std::size_t size); // where DMA goes both ways, to read too

} // namespace skbwalk
