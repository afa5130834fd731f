// SPDX-License-Identifier: GPL-2.0-only
//
// DMA (include/linux/dma-mapping.h, kernel/dma/mapping.c): memory that a device may reach, by addresses of
// its own bus. A driver maps a buffer, tells the device the bus address, and unmaps it with the same address,
// size and direction. What kernel/dma/debug.c watches is watched here: a mapping that is not there, of
// another size or direction, what is still mapped when the device goes, and, where assertions are, a buffer
// that a device writes to and that is mapped twice. A device that reaches for an address that is not mapped
// finds nothing there, as behind an IOMMU. Each is a line in device::dma_errors, and at the device's end a
// leak, which fails every test.
//
//      driver                       bus                        device
//      dma_map_single(buffer) ----> address, in a descriptor ----> dma_readable, dma_writable
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "stack/kernel/slab.h"
#include "stack/kernel/types.h"
#include "stack/trace/trace.h"

namespace skbwalk {

using dma_addr_t = u64;
constexpr dma_addr_t DMA_MAPPING_ERROR = ~dma_addr_t{0};

enum dma_data_direction : u8 { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

struct dma_mapping {
	std::byte *memory = nullptr;
	dma_addr_t base = 0;
	page *coherent = nullptr; // of dma_alloc_attrs
	u32 size = 0;             // 0: free for the next
	dma_data_direction dir = DMA_NONE;
};

// All mappings of a device. A bus address says which of them it is of, in a window of 64 KiB of its own, and
// the how manieth in that place it is, so that no address is ever given out twice:
//
//       63     30 29  16 15     0
//      | counter | place | offset |
//
// Those of one page of memory, of which there can be several, are in one chain, which is there to notice
// a buffer that is mapped twice: as assertions are, left out of programs that are built without them.
class dma_table {
public:
#ifdef NDEBUG
	static constexpr bool watches_overlaps = false;
#else
	static constexpr bool watches_overlaps = true;
#endif
	static constexpr std::size_t window = 64 * 1024; // the largest mapping

	dma_mapping *add(const dma_mapping &m); // at a base of its own; null: there are too many
	void erase(dma_mapping &m);
	[[nodiscard]] dma_mapping *find(dma_addr_t base); // null: no mapping begins there
	// The mapping that holds all of it, and where in it; null: none does.
	[[nodiscard]] dma_mapping *holding(dma_addr_t addr, std::size_t size, std::size_t &offset)
	{
		const std::size_t at = addr / window % places_max;

		if (at >= mappings_.size())
			return nullptr;

		dma_mapping &m = mappings_[at];

		offset = static_cast<std::size_t>(addr - m.base);
		return offset >= m.size || size > m.size - offset ? nullptr : &m;
	}
	// Is there one of this memory, and either this one or that is written to?
	[[nodiscard]] bool overlaps_written(const std::byte *memory, std::size_t size,
	                                    dma_data_direction dir) const;
	[[nodiscard]] std::size_t size() const { return mappings_.size() - free_count_; }

private:
	static constexpr std::size_t places_max = 1U << 14;
	static constexpr u32 none = ~u32{0};
	struct link { // of the mappings in one page of memory
		u32 mapping, next;
	};

	// The chain of a page of memory; others may have it too.
	[[nodiscard]] std::size_t chain_of(u64 page_number) const
	{
		return page_number * 0x9e3779b97f4a7c15 >> chains_shift_;
	}
	void put_in_chains(u32 at);
	void take_from_chains(u32 at);
	void more_chains();

	std::vector<dma_mapping> mappings_; // by place
	// The places that are free, a ring: the first one freed is the next one taken, so that a device's
	// ring of buffers keeps its mappings in the order of its own.
	std::vector<u32> free_;
	std::size_t free_first_ = 0, free_count_ = 0;
	std::vector<u32> chains_; // a power of two of them: the first link
	unsigned chains_shift_ = 64;
	std::vector<link> links_;
	std::vector<u32> free_links_;
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
