// SPDX-License-Identifier: GPL-2.0-only
//
// Caches: objects come back, are counted, and the report names what did not.
#include "stack/kernel/slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct slab_test : testing::Test {
	test::bench_world w;
	enter_cpu in{w.c0()};
};

TEST_F(slab_test, a_freed_object_is_the_next_one_given_out)
{
	kmem_cache &c = kmem_cache_create("thing", 40, 64);
	void *a = kmem_cache_alloc(c, GFP_ATOMIC);
	void *b = kmem_cache_alloc_node(c, GFP_ATOMIC, -1);

	EXPECT_EQ(static_cast<std::byte *>(b) - static_cast<std::byte *>(a), 64);
	kmem_cache_free(c, a);
	EXPECT_EQ(kmem_cache_alloc_lru(c, GFP_KERNEL), a);
	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	EXPECT_EQ(c.total_allocs, 3U);
	EXPECT_EQ(slab_report(w.h), "");
}

TEST_F(slab_test, many_objects_do_not_overlap)
{
	kmem_cache &c = kmem_cache_create("big", 3000, 8);
	std::set<std::byte *> all;

	for (int i = 0; i < 100; ++i) {
		auto *p = static_cast<std::byte *>(kmem_cache_alloc(c, GFP_KERNEL));

		std::memset(p, i, 3000);
		EXPECT_TRUE(all.insert(p).second);
	}
	for (auto i = all.begin(), next = std::next(i); next != all.end(); i = next++)
		EXPECT_GE(*next - *i, 3000);
	for (std::byte *p : all)
		kmem_cache_free(c, p);
}

TEST_F(slab_test, kmalloc_takes_the_smallest_class_and_memory_of_its_own_beyond_the_last)
{
	for (std::size_t size : {1, 8, 9, 64, 65, 96, 97, 128, 129, 192, 193, 1000, 8192}) {
		void *p = __kmalloc(size, GFP_KERNEL);

		EXPECT_EQ(ksize(p), kmalloc_size_roundup(size)) << size;
		EXPECT_GE(ksize(p), size);
		std::memset(p, 0xff, ksize(p));
		kfree(p);
	}
	EXPECT_EQ(kmalloc_size_roundup(65), 96U);
	EXPECT_EQ(kmalloc_size_roundup(640 + 320), 1024U);
	EXPECT_EQ(kmalloc_size_roundup(9000), 12288U + 4096U);
	auto *large = static_cast<char *>(__kmalloc_node_track_caller(100'000, GFP_KERNEL, -1));

	large[99'999] = 1;
	EXPECT_EQ(slab_report(w.h), "kmalloc-large 1\n");
	kfree(large);
	kfree(nullptr);
}

TEST_F(slab_test, the_report_names_what_is_left)
{
	kmem_cache &c = kmem_cache_create("sock", 8, 8);
	void *a = kmem_cache_alloc(c, GFP_KERNEL);
	void *b = kmalloc_trace(100, GFP_KERNEL);
	page *p = alloc_pages(GFP_KERNEL, 3);

	p->data[(PAGE_SIZE << 3) - 1] = std::byte{1};
	get_page(*p);
	put_page(*p);
	EXPECT_EQ(slab_report(w.h), "sock 1\nkmalloc-128 1\npages 1\n");
	put_page(*p);
	kfree(b);
	kmem_cache_free(c, a);
	EXPECT_EQ(slab_report(w.h), "");
}

TEST_F(slab_test, a_fault_makes_an_allocation_fail)
{
	kmem_cache &c = kmem_cache_create("skbuff_head_cache", 256, 64);

	set_failslab(w.h, [](const kmem_cache &which) { return which.name == "skbuff_head_cache"; });
	EXPECT_EQ(kmem_cache_alloc(c, GFP_ATOMIC), nullptr);
	kfree(kmalloc_trace(8, GFP_ATOMIC));
	set_failslab(w.h, nullptr);
	EXPECT_EQ(slab_report(w.h), "");
}

TEST_F(slab_test, freeing_twice_or_to_another_cache_stops_the_run)
{
	testing::GTEST_FLAG(death_test_style) = "threadsafe";
	kmem_cache &c = kmem_cache_create("one", 64, 64);
	kmem_cache &other = kmem_cache_create("other", 64, 64);
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	EXPECT_DEATH(kmem_cache_free(other, p), "another cache");
	kmem_cache_free(c, p);
	EXPECT_DEATH(kmem_cache_free(c, p), "double free");
}

} // namespace
