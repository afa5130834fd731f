// SPDX-License-Identifier: GPL-2.0-only
#include "stack/kernel/dma_mapping.h"

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "stack/kernel/leaks.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk::test {
namespace {

struct dma_mapping_test : testing::Test {
	bench_world world;
	device dev{"nic"};
	std::array<u8, 256> memory{};

	bool reported(const char *what)
	{
		const bool found =
			dev.dma_errors.size() == 1 && dev.dma_errors[0].find(what) != std::string::npos;

		dev.dma_errors.clear();
		return found;
	}
};

TEST_F(dma_mapping_test, mapped_buffer_is_read_and_written_in_its_direction_only)
{
	const dma_addr_t in = dma_map_single(dev, memory.data(), 100, DMA_FROM_DEVICE);
	const dma_addr_t out = dma_map_single(dev, memory.data() + 100, 100, DMA_TO_DEVICE);
	const auto place = [&](std::size_t at) { return reinterpret_cast<std::byte *>(memory.data() + at); };

	EXPECT_EQ(dma_writable(dev, in + 99, 1), place(99));
	EXPECT_EQ(dma_writable(dev, in + 99, 2), nullptr);
	EXPECT_TRUE(reported("writes to what is not mapped"));
	EXPECT_EQ(dma_writable(dev, out, 1), nullptr);
	EXPECT_TRUE(reported("writes to what is not mapped"));
	EXPECT_EQ(dma_readable(dev, out + 50, 1), place(150));
	EXPECT_EQ(dma_readable(dev, out + 50, 51), nullptr);
	EXPECT_TRUE(reported("reads what is not mapped"));
	EXPECT_EQ(dma_readable(dev, in, 1), nullptr);
	EXPECT_TRUE(reported("reads what is not mapped"));
	dma_unmap_single(dev, in, 100, DMA_FROM_DEVICE);
	dma_unmap_single(dev, out, 100, DMA_TO_DEVICE);
	EXPECT_THAT(dev.dma_errors, testing::IsEmpty());
	EXPECT_EQ(dma_readable(dev, out, 1), nullptr);
	EXPECT_TRUE(reported("not mapped"));
}

TEST_F(dma_mapping_test, mappings_that_share_pages_of_memory_are_told_apart)
{
	std::vector<dma_addr_t> mapped;

	for (std::size_t at = 0; at + 10 <= memory.size(); at += 10)
		mapped.push_back(dma_map_single(dev, memory.data() + at, 10, DMA_FROM_DEVICE));
	ASSERT_GT(mapped.size(), 4u);
	dma_unmap_single(dev, mapped[2], 10, DMA_FROM_DEVICE);
	dma_unmap_single(dev, mapped[0], 10, DMA_FROM_DEVICE);
	EXPECT_EQ(dma_writable(dev, mapped[1] + 4, 6), reinterpret_cast<std::byte *>(memory.data() + 14));
	const dma_addr_t again = dma_map_single(dev, memory.data() + 20, 10, DMA_FROM_DEVICE);
	EXPECT_THAT(dev.dma_errors, testing::IsEmpty());
	const dma_addr_t overlapping = dma_map_single(dev, memory.data() + 5, 10, DMA_TO_DEVICE);
	EXPECT_TRUE(reported("mapped twice"));
	dma_unmap_single(dev, overlapping, 10, DMA_TO_DEVICE);
	dma_unmap_single(dev, again, 10, DMA_FROM_DEVICE);
	for (std::size_t i = 0; i < mapped.size(); ++i)
		if (i != 0 && i != 2)
			dma_unmap_single(dev, mapped[i], 10, DMA_FROM_DEVICE);
	EXPECT_THAT(dev.dma_errors, testing::IsEmpty());
	EXPECT_EQ(dev.dma_mappings.size(), 0u);
}

TEST_F(dma_mapping_test, unmapping_twice_with_another_size_or_direction_is_reported)
{
	const dma_addr_t addr = dma_map_single(dev, memory.data(), 100, DMA_FROM_DEVICE);

	dma_unmap_single(dev, addr, 100, DMA_FROM_DEVICE);
	dma_unmap_single(dev, addr, 100, DMA_FROM_DEVICE);
	EXPECT_TRUE(reported("unmaps what is not mapped"));
	dma_unmap_single(dev, dma_map_single(dev, memory.data(), 100, DMA_FROM_DEVICE), 99, DMA_FROM_DEVICE);
	EXPECT_TRUE(reported("another size"));
	dma_unmap_single(dev, dma_map_single(dev, memory.data(), 100, DMA_FROM_DEVICE), 100, DMA_TO_DEVICE);
	EXPECT_TRUE(reported("another direction"));
}

TEST_F(dma_mapping_test, buffer_that_the_device_writes_to_is_mapped_once)
{
	const dma_addr_t out = dma_map_single(dev, memory.data(), 100, DMA_TO_DEVICE);
	const dma_addr_t again = dma_map_single(dev, memory.data() + 50, 100, DMA_TO_DEVICE);

	EXPECT_THAT(dev.dma_errors, testing::IsEmpty()) << "a segment that is sent again while it is sent";
	const dma_addr_t in = dma_map_single(dev, memory.data() + 149, 10, DMA_FROM_DEVICE);
	EXPECT_TRUE(reported("mapped twice"));
	dma_unmap_single(dev, out, 100, DMA_TO_DEVICE);
	dma_unmap_single(dev, again, 100, DMA_TO_DEVICE);
	dma_unmap_single(dev, in, 10, DMA_FROM_DEVICE);
}

TEST_F(dma_mapping_test, address_that_was_unmapped_is_given_to_no_other_mapping)
{
	const dma_addr_t stale = dma_map_single(dev, memory.data(), 100, DMA_TO_DEVICE);

	dma_unmap_single(dev, stale, 100, DMA_TO_DEVICE);
	const dma_addr_t next = dma_map_single(dev, memory.data(), 100, DMA_TO_DEVICE);
	EXPECT_NE(next, stale);
	EXPECT_EQ(dma_readable(dev, stale, 1), nullptr);
	EXPECT_TRUE(reported("reads what is not mapped"));
	dma_unmap_single(dev, stale, 100, DMA_TO_DEVICE);
	EXPECT_TRUE(reported("unmaps what is not mapped"));
	dma_unmap_single(dev, next, 100, DMA_TO_DEVICE);
}

TEST_F(dma_mapping_test, bus_that_is_full_maps_no_more)
{
	constexpr std::size_t apart = 2048;
	const auto buffers = std::make_unique_for_overwrite<std::byte[]>(apart << 14);
	std::vector<dma_addr_t> mapped;

	for (std::size_t at = 0; at < apart << 14; at += apart)
		mapped.push_back(dma_map_single(dev, &buffers[at], apart, DMA_FROM_DEVICE));
	EXPECT_EQ(dma_mapping_error(dev, mapped.back()), 0);
	EXPECT_EQ(dma_mapping_error(dev, dma_map_single(dev, memory.data(), 1, DMA_FROM_DEVICE)), -ENOMEM);
	for (const dma_addr_t addr : mapped)
		dma_unmap_single(dev, addr, apart, DMA_FROM_DEVICE);
	EXPECT_THAT(dev.dma_errors, testing::IsEmpty());
	EXPECT_EQ(dev.dma_mappings.size(), 0u);
}

TEST_F(dma_mapping_test, what_is_still_mapped_at_the_end_is_a_leak)
{
	{
		device gone{"gone"};
		static_cast<void>(dma_map_single(gone, memory.data(), 100, DMA_TO_DEVICE));
	}
	const std::vector<std::string> leaks = take_noted_leaks();
	ASSERT_EQ(leaks.size(), 1u);
	EXPECT_EQ(leaks[0], "DMA: gone: 1 still mapped");
}

} // namespace
} // namespace skbwalk::test
