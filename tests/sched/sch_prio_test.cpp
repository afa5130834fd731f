// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;

constexpr u32 H = 0x10000; // 1:
const tc_options four_bands{tc_prio_qopt{4, {3, 2, 1, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}}};

struct sch_prio : testing::Test {
	sched_host host;
	void SetUp() override { ASSERT_EQ(host.replace("prio", four_bands, TC_H_ROOT, H), 0); }
};

TEST_F(sch_prio, band_is_served_only_when_those_before_it_are_empty)
{
	sched_host::shut();
	host.send({.id = 99, .priority = 3});
	for (u32 id = 0; id < 8; ++id)
		host.send({.id = id, .priority = id % 4}); // priority p: band 3 - p
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(99u, 3u, 7u, 2u, 6u, 1u, 5u, 0u, 4u));
}

TEST_F(sch_prio, priority_that_is_a_class_goes_to_that_class)
{
	sched_host::shut();
	host.send({.id = 99});
	host.send({.id = 1, .priority = 0});
	host.send({.id = 2, .priority = H | 2});
	host.send({.id = 3, .priority = H | 1});
	host.send({.id = 4, .priority = H | 9});   // there is none: as priority 0, band 3
	host.send({.id = 5, .priority = 0x50001}); // another discipline's: the same
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(99u, 3u, 2u, 1u, 4u, 5u));
}

TEST_F(sch_prio, full_band_drops_and_the_parent_counts_it)
{
	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{2}}, H | 4, 0x40000), 0);
	sched_host::shut();
	host.send({.id = 99, .priority = 3});
	for (u32 id = 0; id < 5; ++id)
		host.send({.id = id});
	EXPECT_EQ(host.root().qstats.drops, 3u);
	EXPECT_EQ(qdisc_qlen(host.root()), 3u);
	EXPECT_EQ(host.root().qstats.backlog, 3000u);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(99u, 0u, 1u));
}

TEST_F(sch_prio, fewer_bands_lose_what_the_last_ones_held)
{
	sched_host::shut();
	host.send({.id = 99, .priority = 3});
	for (u32 id = 0; id < 4; ++id)
		host.send({.id = id, .priority = id});
	EXPECT_EQ(host.ask(0, TC_H_ROOT, 0, "prio",
	                   tc_options{tc_prio_qopt{2, {1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}}),
	          0);
	EXPECT_EQ(qdisc_qlen(host.root()), 3u);
	EXPECT_EQ(host.root().qstats.drops, 2u);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(99u, 3u, 2u));
}

TEST_F(sch_prio, leaf_that_is_replaced_takes_its_packets_out_of_the_parents_count)
{
	sched_host::shut();
	host.send({.id = 99, .priority = 3});
	for (u32 id = 0; id < 4; ++id)
		host.send({.id = id});
	ASSERT_EQ(host.replace("fq_codel", {}, H | 4), 0);
	EXPECT_EQ(qdisc_qlen(host.root()), 1u);
	EXPECT_EQ(host.root().qstats.backlog, 1000u);
	host.send({.id = 7});
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(99u, 7u));
}

TEST_F(sch_prio, bands_that_do_not_fit_are_refused)
{
	const auto prio = [](int bands, u8 first) { return tc_options{tc_prio_qopt{bands, {first}}}; };

	EXPECT_EQ(host.replace("prio", prio(17, 0)), -EINVAL);
	EXPECT_EQ(host.replace("prio", prio(1, 0)), -EINVAL);
	EXPECT_EQ(host.replace("prio", prio(3, 3)), -EINVAL);
	EXPECT_EQ(host.replace("prio", prio(3, 2)), 0);
}

} // namespace
} // namespace skbwalk::test
