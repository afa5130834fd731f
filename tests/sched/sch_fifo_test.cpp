// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;

struct sch_fifo : testing::Test {
	sched_host host;
	u64 dropped()
	{
		return host.on_cpu([] { return drop_counter(SKB_DROP_REASON_QDISC_DROP); });
	}
	void fill(u32 packets)
	{
		sched_host::shut();
		for (u32 id = 0; id < packets; ++id)
			host.send({.id = id});
	}
};

// The first packet is with the driver, who gave it back: it counts in the queue's length.
TEST_F(sch_fifo, full_pfifo_drops_what_comes)
{
	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{3}}), 0);
	fill(5);
	EXPECT_EQ(host.root().qstats.drops, 2u);
	EXPECT_EQ(dropped(), 2u);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 1u, 2u));
}

TEST_F(sch_fifo, full_bfifo_drops_by_bytes_and_a_small_packet_still_fits)
{
	ASSERT_EQ(host.replace("bfifo", tc_options{tc_fifo_qopt{2500}}), 0);
	fill(3);
	host.send({.id = 9, .len = 500});
	EXPECT_EQ(host.root().qstats.drops, 1u);
	EXPECT_EQ(host.root().qstats.backlog, 2500u);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 1u, 9u));
}

TEST_F(sch_fifo, full_head_drop_fifo_drops_what_waited_longest)
{
	ASSERT_EQ(host.replace("pfifo_head_drop", tc_options{tc_fifo_qopt{3}}), 0);
	fill(5);
	EXPECT_EQ(host.root().qstats.drops, 2u);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 3u, 4u)); // 0 had left the fifo itself
}

TEST_F(sch_fifo, pfifo_without_a_limit_takes_the_devices_queue_length)
{
	host.dev().tx_queue_len = 7;
	ASSERT_EQ(host.replace("pfifo"), 0);
	EXPECT_EQ(host.root().limit, 7u);
	ASSERT_EQ(host.replace("bfifo"), 0);
	EXPECT_EQ(host.root().limit, 7u * 1514);
}

TEST_F(sch_fifo, pfifo_of_no_packets_drops_all)
{
	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{0}}), 0);
	EXPECT_EQ(host.send({.id = 1}), NET_XMIT_DROP);
	EXPECT_TRUE(host.ids().empty());
}

TEST_F(sch_fifo, pfifo_fast_serves_bands_in_order_and_each_in_order_of_arrival)
{
	sched_host::shut();
	host.send({.id = 0});
	// Priorities 6 and 7 are band 0, 0 is band 1, 2 is band 2.
	host.send({.id = 1, .priority = 2});
	host.send({.id = 2, .priority = 0});
	host.send({.id = 3, .priority = 6});
	host.send({.id = 4, .priority = 0});
	host.send({.id = 5, .priority = 7});
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 3u, 5u, 2u, 4u, 1u));
}

} // namespace
} // namespace skbwalk::test
