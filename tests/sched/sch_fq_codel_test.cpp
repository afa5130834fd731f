// SPDX-License-Identifier: GPL-2.0-only
#include "stack/sched/codel.h"

#include <cmath>

#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;

struct sch_fq_codel : testing::Test {
	sched_host host;
	tc_fq_codel_qd_stats stats()
	{
		tc_xstats st;

		host.on_cpu([&] { host.root().ops->dump_stats(host.root(), st); });
		return std::get<tc_fq_codel_qd_stats>(st.of);
	}
	// A packet that stays with the driver, so that what follows is queued.
	void block()
	{
		sched_host::shut();
		host.send({.id = 9999, .len = 60, .flow = 77});
	}
	// One packet leaves.
	void step()
	{
		host.open(1);
		sched_host::shut();
	}
};

// RFC 8289's pseudocode with real square roots: which of `packets`, all queued at time 0, leave when one is
// taken each `every_ms`?
std::vector<u32> leave_by_the_rfc(u32 packets, double every_ms, double target, double interval)
{
	std::vector<u32> out;
	double first_above = 0, drop_next = 0;
	u32 next = 0, count = 0, lastcount = 0;
	bool dropping = false;
	const auto ok_to_drop = [&](double now) {
		if (now < target || packets - next - 1 < 2) { // waits from 0 on; a packet's worth must remain
			first_above = 0;
			return false;
		}
		if (first_above == 0) {
			first_above = now + interval;
			return false;
		}
		return now > first_above;
	};

	for (double now = every_ms; next < packets; now += every_ms) {
		bool drop = ok_to_drop(now);

		if (dropping) {
			if (!drop)
				dropping = false;
			while (dropping && now >= drop_next) {
				++count;
				++next;
				if (next < packets && ok_to_drop(now))
					drop_next += interval / std::sqrt(count);
				else
					dropping = false;
			}
		} else if (drop) {
			++next;
			drop = next < packets && ok_to_drop(now);
			dropping = true;
			const u32 delta = count - lastcount;
			count = delta > 1 && now - drop_next < 16 * interval ? delta : 1;
			lastcount = count;
			drop_next = now + interval / std::sqrt(count);
		}
		if (next < packets)
			out.push_back(next++);
	}
	return out;
}

TEST_F(sch_fq_codel, standing_queue_is_dropped_from_at_the_times_of_rfc_8289)
{
	constexpr u32 packets = 600;
	constexpr double every_ms = 10;

	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.limit = 5000}}), 0);
	block();
	for (u32 id = 0; id < packets; ++id)
		host.send({.id = id});
	step(); // the blocker goes
	sched_host::sent.clear();
	for (u32 i = 0; i < packets && qdisc_qlen(host.root()); ++i) {
		host.run_ms(static_cast<u64>(every_ms));
		step();
	}

	const std::vector<u32> expected = leave_by_the_rfc(packets, every_ms, 5, 100);
	std::vector<u32> ids = host.ids();
	const auto lost_before = [](const std::vector<u32> &left, std::size_t at) {
		return static_cast<int>(left[at]) - static_cast<int>(at);
	};

	// A packet that the driver gave back was dequeued a step ahead: at any time the numbers lost differ
	// by that, and by the 1.2 % or so that Newton's steps are off.
	ASSERT_GT(expected.size(), 200u);
	for (std::size_t at = 0; at < std::min(ids.size(), expected.size()) - 2; ++at)
		ASSERT_NEAR(lost_before(ids, at), lost_before(expected, at),
		            3 + 0.012 * static_cast<double>(at))
			<< "after " << at << " packets";
	EXPECT_GT(lost_before(ids, 250), 100);
	EXPECT_EQ(host.root().qstats.drops + ids.size(), packets + 0u);
}

TEST_F(sch_fq_codel, inverse_square_root_nears_the_true_one_as_drops_go_on)
{
	codel_vars vars;

	vars.rec_inv_sqrt = 0xffff;
	for (vars.count = 2; vars.count < 5000; ++vars.count) {
		codel_Newton_step(vars);
		const double exact = 65536 / std::sqrt(vars.count);

		// From 1 the first step is far off (0.5 for 0.707); each next one is nearer.
		ASSERT_NEAR(vars.rec_inv_sqrt, exact, (vars.count < 8 ? 0.3 : 0.01) * exact + 2)
			<< "count " << vars.count;
	}
}

TEST_F(sch_fq_codel, queue_that_waits_less_than_the_target_is_never_dropped_from)
{
	ASSERT_EQ(host.replace("fq_codel"), 0);
	for (u32 round = 0; round < 300; ++round) {
		sched_host::shut();
		for (u32 id = 0; id < 4; ++id)
			host.send({.id = round * 4 + id});
		host.run_ms(4);
		host.open();
	}
	EXPECT_EQ(host.ids(), range(0, 1200));
	EXPECT_EQ(host.root().qstats.drops, 0u);
}

TEST_F(sch_fq_codel, packet_that_allows_it_is_marked_and_stays)
{
	ASSERT_EQ(host.replace("fq_codel"), 0);
	block();
	for (u32 id = 0; id < 100; ++id)
		host.send({.id = id, .tos = 2}); // ECT(0)
	for (u32 i = 0; i < 101; ++i) {
		host.run_ms(10);
		step();
	}
	EXPECT_EQ(host.root().qstats.drops, 0u);
	EXPECT_EQ(host.sent.size(), 101u);
	const auto marked = std::ranges::count_if(host.sent, [](const sent_packet &p) { return p.tos == 3; });

	EXPECT_GT(marked, 10);
	EXPECT_EQ(static_cast<u32>(marked), stats().ecn_mark);
}

TEST_F(sch_fq_codel, ce_threshold_marks_each_packet_that_waited_longer)
{
	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.ce_threshold = 2000}}), 0);
	block();
	host.send({.id = 1, .tos = 1});
	host.run_ms(3);
	host.open();
	sched_host::shut();
	EXPECT_EQ(host.sent.back().tos, 3);
	EXPECT_EQ(stats().ce_mark, 1u);
}

TEST_F(sch_fq_codel, new_flow_goes_before_a_flow_with_a_backlog)
{
	ASSERT_EQ(host.replace("fq_codel"), 0);
	block();
	for (u32 id = 0; id < 10; ++id)
		host.send({.id = id, .len = 1500, .flow = 1u << 30});
	for (u32 i = 0; i < 4; ++i) // the blocker, and some of the fat flow: it is an old flow now
		step();
	host.send({.id = 100, .len = 100, .flow = 3u << 30});
	host.open();
	// One packet was with the driver when 100 came, and the fat flow may have had some of its quantum
	// left.
	const std::vector<u32> ids = host.ids();

	ASSERT_EQ(ids.size(), 12u);
	EXPECT_LE(std::ranges::find(ids, 100u) - ids.begin(), 6);
	EXPECT_GT(std::ranges::find(ids, 9u), std::ranges::find(ids, 100u));
}

TEST_F(sch_fq_codel, flows_share_by_bytes_not_by_packets)
{
	ASSERT_EQ(host.replace("fq_codel"), 0);
	block();
	for (u32 id = 0; id < 100; ++id) {
		host.send({.id = 0, .len = 1500, .flow = 1u << 30});
		for (u32 small = 0; small < 5; ++small)
			host.send({.id = 1, .len = 300, .flow = 3u << 30});
	}
	host.open(150); // not all
	u64 bytes[2] = {};

	for (const sent_packet &p : host.sent)
		if (p.id < 2)
			bytes[p.id] += p.len;
	EXPECT_GT(bytes[0], 20000u);
	EXPECT_NEAR(static_cast<double>(bytes[0]), static_cast<double>(bytes[1]), 2 * 1514);
	host.open();
}

TEST_F(sch_fq_codel, over_the_limit_half_of_the_fattest_flow_goes_at_most_a_batch)
{
	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.limit = 40, .drop_batch_size = 8}}),
	          0);
	block();
	for (u32 id = 0; id < 30; ++id)
		host.send({.id = id, .flow = 1u << 30});
	for (u32 id = 100; id < 109; ++id)
		host.send({.id = id, .flow = 3u << 30});
	EXPECT_EQ(host.root().qstats.drops, 0u);
	EXPECT_EQ(host.send({.id = 109, .flow = 3u << 30}), NET_XMIT_SUCCESS); // the blocker counts, too
	EXPECT_EQ(host.root().qstats.drops, 8u);
	EXPECT_EQ(stats().drop_overlimit, 8u);
	EXPECT_EQ(qdisc_qlen(host.root()), 33u);
	host.open();
	std::vector<u32> ids = host.ids();

	for (u32 id = 0; id < 8; ++id) // from the head
		EXPECT_THAT(ids, testing::Not(testing::Contains(id)));
	EXPECT_THAT(ids, testing::Contains(8u));
	EXPECT_THAT(ids, testing::Contains(109u));
}

TEST_F(sch_fq_codel, flow_that_is_the_fattest_itself_hears_of_congestion)
{
	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.limit = 10}}), 0);
	block();
	for (u32 id = 0; id < 9; ++id)
		EXPECT_EQ(host.send({.id = id}), NET_XMIT_SUCCESS);
	EXPECT_EQ(host.send({.id = 9}), NET_XMIT_CN);
}

TEST_F(sch_fq_codel, memory_limit_drops_before_the_packet_limit)
{
	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.memory_limit = 20000}}), 0);
	block();
	for (u32 id = 0; id < 60; ++id)
		host.send({.id = id});
	EXPECT_GT(stats().drop_overmemory, 0u);
	EXPECT_LE(stats().memory_usage, 20000u);
	EXPECT_EQ(host.root().qstats.drops, stats().drop_overlimit);
}

TEST_F(sch_fq_codel, changed_limit_drops_at_once_and_flows_cannot_change)
{
	ASSERT_EQ(host.replace("fq_codel"), 0);
	block();
	for (u32 id = 0; id < 50; ++id)
		host.send({.id = id});
	EXPECT_EQ(host.ask(0, TC_H_ROOT, 0, "fq_codel", tc_options{tc_fq_codel_opt{.limit = 10}}), 0);
	EXPECT_EQ(qdisc_qlen(host.root()), 10u);
	EXPECT_EQ(host.ask(0, TC_H_ROOT, 0, "fq_codel", tc_options{tc_fq_codel_opt{.flows = 8}}), -EINVAL);
	EXPECT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.quantum = 2u << 20}}), -EINVAL);
	EXPECT_STREQ(host.ack().msg, "Invalid quantum");
}

TEST_F(sch_fq_codel, drops_of_a_leaf_leave_the_parents_count_right)
{
	const tc_options prio{tc_prio_qopt{2, {0}}};

	ASSERT_EQ(host.replace("prio", prio, TC_H_ROOT, 0x10000), 0);
	ASSERT_EQ(host.replace("fq_codel", tc_options{tc_fq_codel_opt{.limit = 20}}, 0x10001, 0x20000), 0);
	block();
	for (u32 id = 0; id < 100; ++id)
		host.send({.id = id});
	for (u32 i = 0; i < 10; ++i) {
		host.run_ms(200);
		step();
	}
	const Qdisc &root = host.root();

	host.open();
	EXPECT_EQ(qdisc_qlen(root), 0u);
	EXPECT_EQ(root.qstats.backlog, 0u);
	EXPECT_EQ(root.qstats.drops + host.sent.size(), 101u);
}

} // namespace
} // namespace skbwalk::test
