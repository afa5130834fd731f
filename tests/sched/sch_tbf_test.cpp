// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

struct sch_tbf : testing::Test {
	sched_host host;
	static tc_options tbf(u64 rate, u32 burst, u32 limit)
	{
		tc_tbf_opt o;

		o.rate = rate;
		o.burst = burst;
		o.limit = limit;
		return {o};
	}
};

TEST_F(sch_tbf, full_bucket_lets_a_burst_go_and_then_the_rate_holds)
{
	ASSERT_EQ(host.replace("tbf", tbf(1'000'000, 5000, 100'000)), 0);
	const u64 t = host.now();

	for (u32 id = 0; id < 25; ++id)
		host.send({.id = id, .len = 1000});
	EXPECT_EQ(host.sent.size(), 5u);
	EXPECT_GT(host.root().qstats.overlimits, 0u);
	host.run_ms(100);
	ASSERT_EQ(host.ids(), range(0, 25));
	for (u32 i = 5; i < 25; ++i)
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - t), (i - 4) * 1e6, 100e3) << i;
}

TEST_F(sch_tbf, peak_rate_spaces_the_burst_too)
{
	tc_tbf_opt o;

	o.rate = 1'000'000;
	o.burst = 10'000;
	o.limit = 100'000;
	o.peakrate = 2'000'000;
	o.pburst = 1514;
	ASSERT_EQ(host.replace("tbf", tc_options{o}), 0);
	for (u32 id = 0; id < 5; ++id)
		host.send({.id = id, .len = 1000});
	host.run_ms(100);
	ASSERT_EQ(host.sent.size(), 5u);
	for (u32 i = 2; i < 5; ++i)
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - host.sent[i - 1].at_ns), 0.5e6, 50e3)
			<< i;
}

TEST_F(sch_tbf, packet_that_no_bucket_can_pay_for_is_dropped)
{
	ASSERT_EQ(host.replace("tbf", tbf(1'000'000, 900, 100'000)), 0);
	EXPECT_EQ(host.send({.id = 1, .len = 1000}), NET_XMIT_DROP);
	EXPECT_EQ(host.root().qstats.drops, 1u);
}

TEST_F(sch_tbf, limit_is_of_the_fifo_below)
{
	ASSERT_EQ(host.replace("tbf", tbf(1'000'000, 1000, 3000)), 0);
	for (u32 id = 0; id < 8; ++id)
		host.send({.id = id, .len = 1000});
	EXPECT_EQ(host.root().qstats.drops, 4u); // one went, three wait
	host.run_ms(100);
	EXPECT_EQ(host.sent.size(), 4u);
	EXPECT_EQ(host.root().qstats.backlog, 0u);
}

TEST_F(sch_tbf, another_discipline_below_decides_the_order)
{
	ASSERT_EQ(host.replace("tbf", tbf(1'000'000, 1514, 30'000), TC_H_ROOT, 0x10000), 0);
	ASSERT_EQ(host.replace("prio", tc_options{tc_prio_qopt{2, {1, 0}}}, 0x10001, 0x20000), 0);
	for (u32 id = 0; id < 6; ++id)
		host.send({.id = id, .len = 1000, .priority = id % 2});
	host.run_ms(100);
	// 0 went at once; the next had been looked at before 3 and 5 came.
	EXPECT_EQ(host.sent.size(), 6u);
	EXPECT_EQ(host.ids().front(), 0u);
	EXPECT_EQ(host.ids().back(), 4u);
}

} // namespace
} // namespace skbwalk::test
