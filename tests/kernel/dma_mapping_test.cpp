// SPDX-License-Identifier: GPL-2.0-only
#include "stack/kernel/dma_mapping.h"

#include <array>
#include <cstring>

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
	u8 byte = 7;

	EXPECT_TRUE(dma_write(dev, in + 99, &byte, 1));
	EXPECT_EQ(memory[99], 7);
	EXPECT_FALSE(dma_write(dev, in + 99, &byte, 2));
	EXPECT_TRUE(reported("writes to what is not mapped"));
	EXPECT_FALSE(dma_write(dev, out, &byte, 1));
	EXPECT_TRUE(reported("writes to what is not mapped"));
	memory[150] = 9;
	EXPECT_TRUE(dma_read(dev, out + 50, &byte, 1));
	EXPECT_EQ(byte, 9);
	EXPECT_FALSE(dma_read(dev, in, &byte, 1));
	EXPECT_TRUE(reported("reads what is not mapped"));
	dma_unmap_single(dev, in, 100, DMA_FROM_DEVICE);
	dma_unmap_single(dev, out, 100, DMA_TO_DEVICE);
	EXPECT_THAT(dev.dma_errors, testing::IsEmpty());
	EXPECT_FALSE(dma_read(dev, out, &byte, 1));
	EXPECT_TRUE(reported("not mapped"));
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
