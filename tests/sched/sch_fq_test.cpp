// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;

struct sch_fq : testing::Test {
	sched_host host;
	tc_fq_qd_stats stats()
	{
		tc_xstats st;

		host.on_cpu([&] { host.root().ops->dump_stats(host.root(), st); });
		return std::get<tc_fq_qd_stats>(st.of);
	}
};

TEST_F(sch_fq, flow_with_a_rate_has_its_packets_a_quantum_apart)
{
	// 1514-byte packets at 1 514 000 bytes a second: a quantum of 3028 bytes each 2 ms.
	ASSERT_EQ(
		host.replace("fq", tc_options{tc_fq_opt{.initial_quantum = 3028, .flow_max_rate = 1514000}}),
		0);
	for (u32 id = 0; id < 40; ++id)
		host.send({.id = id, .len = 1514});
	host.run_ms(100);
	ASSERT_EQ(host.ids(), range(0, 40));
	for (std::size_t i = 2; i + 1 < host.sent.size(); i += 2) {
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - host.sent[i - 2].at_ns), 2e6, 25e3) << i;
		EXPECT_LT(host.sent[i + 1].at_ns - host.sent[i].at_ns, 25'000u) << i;
	}
	EXPECT_GT(stats().throttled, 10u);
}

TEST_F(sch_fq, slow_flow_has_each_packet_by_itself)
{
	// Below low_rate_threshold there are no bursts of a quantum.
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.flow_max_rate = 50000}}), 0);
	for (u32 id = 0; id < 10; ++id)
		host.send({.id = id, .len = 500});
	host.run_ms(1000);
	ASSERT_EQ(host.sent.size(), 10u);
	for (std::size_t i = 1; i < host.sent.size(); ++i)
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - host.sent[i - 1].at_ns), 10e6, 30e3);
}

TEST_F(sch_fq, packet_with_a_time_leaves_then_in_order_of_times)
{
	ASSERT_EQ(host.replace("fq"), 0);
	const u64 t = host.now();

	// A flow that waits is not looked at before its first packet's time: the earliest comes first.
	for (const u32 id : {10u, 30u, 20u, 40u})
		host.send({.id = id, .tstamp = t + id * NSEC_PER_MSEC});
	host.run_ms(100);
	EXPECT_THAT(host.ids(), ElementsAre(10u, 20u, 30u, 40u));
	for (const sent_packet &p : host.sent) {
		EXPECT_GE(p.at_ns, t + p.id * NSEC_PER_MSEC);
		EXPECT_LE(p.at_ns, t + p.id * NSEC_PER_MSEC + 20'000) << "timer slack and the cost of a hop";
	}
}

TEST_F(sch_fq, packet_beyond_the_horizon_is_dropped_or_capped)
{
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.horizon = 1'000'000}}), 0);
	const u64 far = host.now() + 5 * NSEC_PER_SEC;

	EXPECT_EQ(host.send({.id = 1, .tstamp = far}), NET_XMIT_DROP);
	EXPECT_EQ(stats().horizon_drops, 1u);
	ASSERT_EQ(host.ask(0, TC_H_ROOT, 0, "fq", tc_options{tc_fq_opt{.horizon_drop = u8{0}}}), 0);
	EXPECT_EQ(host.send({.id = 2, .tstamp = far}), NET_XMIT_SUCCESS);
	host.run_ms(1001);
	EXPECT_THAT(host.ids(), ElementsAre(2u));
	EXPECT_EQ(stats().horizon_caps, 1u);
}

TEST_F(sch_fq, flows_are_served_in_turn_by_quantum)
{
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.quantum = 3000, .initial_quantum = 3000}}), 0);
	sched_host::shut();
	for (u32 i = 0; i < 6; ++i)
		for (u32 flow = 1; flow <= 3; ++flow)
			host.send({.id = flow * 100 + i, .len = 1500, .flow = flow});
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(100u, 101u, 200u, 201u, 300u, 301u, 102u, 103u, 202u, 203u, 302u,
	                                    303u, 104u, 105u, 204u, 205u, 304u, 305u));
}

TEST_F(sch_fq, control_packets_go_before_all)
{
	ASSERT_EQ(host.replace("fq"), 0);
	sched_host::shut();
	for (u32 id = 0; id < 3; ++id)
		host.send({.id = id});
	host.send({.id = 9, .priority = TC_PRIO_CONTROL});
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 9u, 1u, 2u)); // 0 was with the driver
	EXPECT_EQ(stats().highprio_packets, 1u);
}

TEST_F(sch_fq, full_flow_drops_and_others_do_not)
{
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.plimit = 20, .flow_plimit = 5}}), 0);
	sched_host::shut();
	for (u32 id = 0; id < 9; ++id)
		host.send({.id = id, .flow = 1});
	EXPECT_EQ(host.root().qstats.drops, 3u); // one is with the driver
	EXPECT_EQ(stats().flows_plimit, 3u);
	EXPECT_EQ(host.send({.id = 100, .flow = 2}), NET_XMIT_SUCCESS);
	for (u32 id = 200; id < 220; ++id)
		host.send({.id = id, .flow = id});
	EXPECT_EQ(qdisc_qlen(host.root()), 20u);
}

TEST_F(sch_fq, flows_of_long_ago_are_freed_when_there_are_many)
{
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.buckets_log = 2}}), 0);
	for (u32 flow = 0; flow < 40; ++flow)
		host.send({.id = flow, .flow = flow});
	EXPECT_EQ(stats().flows, 40u);
	host.run_ms(5000);
	for (u32 flow = 100; flow < 110; ++flow)
		host.send({.id = flow, .flow = flow});
	EXPECT_GT(stats().gc_flows, 5u);
	EXPECT_EQ(stats().flows, 50u - stats().gc_flows);
}

TEST_F(sch_fq, more_buckets_keep_the_flows_and_their_packets)
{
	ASSERT_EQ(host.replace("fq", tc_options{tc_fq_opt{.buckets_log = 1}}), 0);
	sched_host::shut();
	for (u32 flow = 0; flow < 20; ++flow)
		host.send({.id = flow, .flow = flow});
	ASSERT_EQ(host.ask(0, TC_H_ROOT, 0, "fq", tc_options{tc_fq_opt{.buckets_log = 8}}), 0);
	EXPECT_EQ(stats().flows, 20u);
	host.open();
	EXPECT_EQ(host.ids(), range(0, 20));
	EXPECT_EQ(host.ask(0, TC_H_ROOT, 0, "fq", tc_options{tc_fq_opt{.buckets_log = 40}}), -EINVAL);
}

} // namespace
} // namespace skbwalk::test
