// SPDX-License-Identifier: GPL-2.0-only
#include <cmath>

#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;

constexpr u32 percent(double p) { return static_cast<u32>(p / 100 * 0xffffffffu); }

tc_netem_opt netem(u32 limit = 1000)
{
	tc_netem_opt o;

	o.qopt.limit = limit;
	o.latency64 = 0;
	o.jitter64 = 0;
	return o;
}

struct sch_netem : testing::Test {
	sched_host host;
	static constexpr u32 many = 10000;
	void use(const tc_netem_opt &o)
	{
		ASSERT_EQ(host.replace("netem", tc_options{o}, TC_H_ROOT, 0x10000), 0);
	}
	void send(u32 packets)
	{
		for (u32 id = 0; id < packets; ++id)
			host.send({.id = id, .len = 100});
	}
	// Five standard deviations around n * p.
	static void expect_binomial(double got, double n, double p)
	{
		EXPECT_NEAR(got, n * p, 5 * std::sqrt(n * p * (1 - p)));
	}
};

TEST_F(sch_netem, delay_is_exact_and_keeps_order)
{
	tc_netem_opt o = netem();

	o.latency64 = 30 * NSEC_PER_MSEC;
	use(o);
	const u64 t = host.now();

	host.send({.id = 1});
	host.run_ms(10);
	host.send({.id = 2});
	host.run_ms(100);
	ASSERT_THAT(host.ids(), ElementsAre(1u, 2u));
	EXPECT_NEAR(static_cast<double>(host.sent[0].at_ns - t), 30e6, 20e3);
	EXPECT_NEAR(static_cast<double>(host.sent[1].at_ns - t), 40e6, 20e3);
}

TEST_F(sch_netem, loss_is_the_asked_share_and_counts_as_drops)
{
	tc_netem_opt o = netem();

	o.qopt.loss = percent(3);
	use(o);
	send(many);
	const double lost = many - static_cast<double>(host.sent.size());

	expect_binomial(lost, many, 0.03);
	EXPECT_EQ(host.root().qstats.drops, static_cast<u32>(lost));
	EXPECT_EQ(host.root().bstats.packets, host.sent.size());
}

// Of the packets behind a lost one, how many more are lost than of all?
TEST_F(sch_netem, correlated_loss_makes_the_next_loss_likelier)
{
	const auto excess = [](double correlation) {
		sched_host one;
		tc_netem_opt o = netem();

		o.qopt.loss = percent(40);
		o.corr = tc_netem_corr{0, percent(correlation), 0};
		EXPECT_EQ(one.replace("netem", tc_options{o}), 0);
		std::vector<bool> lost(4000, true);

		for (u32 id = 0; id < lost.size(); ++id)
			one.send({.id = id, .len = 100});
		for (const u32 id : one.ids())
			lost[id] = false;
		double all = 0, behind = 0;

		for (std::size_t i = 1; i < lost.size(); ++i) {
			all += lost[i];
			behind += lost[i] && lost[i - 1];
		}
		return behind / all - all / static_cast<double>(lost.size());
	};

	EXPECT_NEAR(excess(0), 0, 0.05);
	EXPECT_GT(excess(60), 0.2);
}

TEST_F(sch_netem, gilbert_elliott_loses_its_stationary_share)
{
	tc_netem_opt o = netem();

	// Bad with p / (p + r) of the time, and then each is lost.
	o.loss_ge = tc_netem_gemodel{.p = percent(2), .r = percent(18), .h = 0, .k1 = 0};
	use(o);
	send(many);
	const double lost = 1 - static_cast<double>(host.sent.size()) / many;

	EXPECT_NEAR(lost, 0.1, 0.02);
}

TEST_F(sch_netem, four_states_with_p13_alone_lose_as_a_chain_of_two)
{
	tc_netem_opt o = netem();

	o.loss_gi = tc_netem_gimodel{
		.p13 = percent(5), .p31 = 0xffffffffu - percent(5), .p32 = 0, .p14 = 0, .p23 = 0};
	use(o);
	send(many);
	expect_binomial(many - static_cast<double>(host.sent.size()), many, 0.05);
}

TEST_F(sch_netem, duplicates_come_once_more_and_are_not_doubled_again)
{
	tc_netem_opt o = netem();

	o.qopt.duplicate = percent(10);
	use(o);
	send(many);
	std::map<u32, u32> seen;

	for (const u32 id : host.ids())
		++seen[id];
	EXPECT_EQ(seen.size(), many);
	expect_binomial(
		static_cast<double>(std::ranges::count_if(seen, [](auto &s) { return s.second == 2; })), many,
		0.1);
	EXPECT_TRUE(std::ranges::all_of(seen, [](auto &s) { return s.second <= 2; }));
}

TEST_F(sch_netem, one_of_each_gap_goes_before_all_that_wait)
{
	tc_netem_opt o = netem();

	o.latency64 = 10 * NSEC_PER_MSEC;
	o.qopt.gap = 4;
	use(o);
	send(12);
	EXPECT_THAT(host.ids(), ElementsAre(3u, 7u, 11u)); // every fourth, at once
	host.run_ms(20);
	EXPECT_THAT(host.ids(), ElementsAre(3u, 7u, 11u, 0u, 1u, 2u, 4u, 5u, 6u, 8u, 9u, 10u));
	EXPECT_EQ(host.root().qstats.requeues, 3u);
}

TEST_F(sch_netem, reorder_probability_is_the_share_that_overtakes)
{
	tc_netem_opt o = netem(20000);

	o.latency64 = 1000 * NSEC_PER_MSEC;
	o.reorder = tc_netem_reorder{percent(25), 0};
	o.qopt.gap = 1;
	use(o);
	send(2000);
	expect_binomial(static_cast<double>(host.sent.size()), 2000, 0.25);
}

TEST_F(sch_netem, corruption_inverts_one_bit_of_the_asked_share)
{
	tc_netem_opt o = netem();

	o.corrupt = tc_netem_corrupt{percent(100), 0};
	use(o);
	static std::vector<u8> seen;
	packet_type tap{.type = htons(ETH_P_ALL),
	                .func = [](skb_ptr skb, net_device &, packet_type &, net_device &) {
				seen.assign(skb_mac_header(*skb), skb_mac_header(*skb) + skb->len);
				consume_skb(std::move(skb));
				return 0;
			}};
	std::vector<u8> before;

	host.on_cpu([&] {
		dev_add_pack(tap);
		skb_ptr skb = host.make({.id = 1, .len = 200});
		before.assign(skb->data, skb->data + skb->len);
		dev_queue_xmit(std::move(skb));
		dev_remove_pack(tap);
	});
	ASSERT_EQ(seen.size(), before.size());
	int bits = 0;

	for (std::size_t i = 0; i < seen.size(); ++i)
		bits += std::popcount(static_cast<u8>(seen[i] ^ before[i]));
	EXPECT_EQ(bits, 1);
}

TEST_F(sch_netem, rate_spaces_packets_by_what_they_take)
{
	tc_netem_opt o = netem();

	o.rate = tc_netem_rate{1'000'000, 0, 0, 0}; // 1000 bytes in 1 ms
	o.latency64 = 5 * NSEC_PER_MSEC;
	use(o);
	const u64 t = host.now();

	for (u32 id = 0; id < 20; ++id)
		host.send({.id = id, .len = 1000});
	host.run_ms(100);
	ASSERT_EQ(host.ids(), range(0, 20));
	for (u32 i = 0; i < 20; ++i)
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - t), 5e6 + (i + 1) * 1e6, 100e3) << i;
}

TEST_F(sch_netem, cells_and_overhead_make_packets_longer)
{
	tc_netem_opt o = netem();

	// 100 + 20 bytes: three cells of 48, each of 53 on the line: 159 us.
	o.rate = tc_netem_rate{1'000'000, 20, 48, 5};
	use(o);
	const u64 t = host.now();

	host.send({.id = 1, .len = 100});
	host.run_ms(10);
	ASSERT_EQ(host.sent.size(), 1u);
	EXPECT_NEAR(static_cast<double>(host.sent[0].at_ns - t), 159e3, 5e3);
}

TEST_F(sch_netem, full_queue_drops)
{
	tc_netem_opt o = netem(5);

	o.latency64 = 10 * NSEC_PER_MSEC;
	use(o);
	send(8);
	EXPECT_EQ(host.root().qstats.drops, 3u);
	host.run_ms(50);
	EXPECT_EQ(host.ids(), range(0, 5));
}

TEST_F(sch_netem, uniform_jitter_stays_in_its_range_and_has_its_mean)
{
	tc_netem_opt o = netem(20000);

	o.latency64 = 50 * NSEC_PER_MSEC;
	o.jitter64 = 10 * NSEC_PER_MSEC;
	use(o);
	std::vector<u64> began;

	for (u32 id = 0; id < 2000; ++id) {
		began.push_back(host.now());
		host.send({.id = id, .len = 100});
	}
	host.run_ms(200);
	ASSERT_EQ(host.sent.size(), 2000u);
	double sum = 0;

	for (const sent_packet &p : host.sent) {
		const double took = static_cast<double>(p.at_ns - began[p.id]);

		EXPECT_GE(took, 40e6);
		EXPECT_LE(took, 60.3e6);
		sum += took;
	}
	EXPECT_NEAR(sum / 2000, 50e6, 5 * 10e6 / std::sqrt(3 * 2000.) + 200e3);
	EXPECT_FALSE(std::ranges::is_sorted(host.ids())); // they overtake each other
}

TEST_F(sch_netem, table_of_a_distribution_is_scaled_by_the_jitter)
{
	tc_netem_opt o = netem();

	o.latency64 = 50 * NSEC_PER_MSEC;
	o.jitter64 = 3 * NSEC_PER_MSEC;
	o.delay_dist = std::vector<s16>{2 * NETEM_DIST_SCALE}; // always two deviations
	use(o);
	const u64 t = host.now();

	host.send({.id = 1});
	host.run_ms(100);
	ASSERT_EQ(host.sent.size(), 1u);
	EXPECT_NEAR(static_cast<double>(host.sent[0].at_ns - t), 56e6, 20e3);
}

TEST_F(sch_netem, slots_let_packets_go_in_bursts)
{
	tc_netem_opt o = netem();

	host.run_ms(1); // slots count from when they are set, and 0 is none
	o.slot = tc_netem_slot{10 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC, 3, 0, 0, 0};
	use(o);
	host.run_ms(20);
	send(9);
	host.run_ms(100);
	ASSERT_EQ(host.ids(), range(0, 9));
	for (u32 i = 3; i < 9; i += 3) {
		EXPECT_NEAR(static_cast<double>(host.sent[i].at_ns - host.sent[i - 3].at_ns), 10e6, 100e3)
			<< i;
		EXPECT_LT(host.sent[i + 2].at_ns - host.sent[i].at_ns, 50'000u) << i;
	}
}

TEST_F(sch_netem, discipline_below_gets_packets_after_the_delay_and_its_limit_holds)
{
	tc_netem_opt o = netem();

	o.latency64 = 10 * NSEC_PER_MSEC;
	use(o);
	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{2}}, 0x10001, 0x20000), 0);
	send(5);
	host.run_ms(50);
	// They come due together, in one dequeue: the fifo below has room for two.
	EXPECT_EQ(host.sent.size() + host.root().qstats.drops, 5u);
	EXPECT_EQ(qdisc_qlen(host.root()), 0u);
	EXPECT_EQ(host.root().qstats.backlog, 0u);
}

TEST_F(sch_netem, second_netem_in_a_tree_must_not_duplicate)
{
	tc_netem_opt o = netem();

	o.latency64 = NSEC_PER_MSEC;
	use(o);
	o.qopt.duplicate = percent(1);
	EXPECT_EQ(host.replace("netem", tc_options{o}, 0x10001, 0x20000), -EINVAL);
	EXPECT_STREQ(host.ack().msg, "netem: cannot mix duplicating netems with other netems in tree");
	o.qopt.duplicate = 0;
	EXPECT_EQ(host.replace("netem", tc_options{o}, 0x10001, 0x20000), 0);
}

TEST_F(sch_netem, same_seed_gives_the_same_losses)
{
	const auto run = [] {
		sched_host one;
		tc_netem_opt o = netem();

		o.qopt.loss = percent(20);
		EXPECT_EQ(one.replace("netem", tc_options{o}), 0);
		for (u32 id = 0; id < 200; ++id)
			one.send({.id = id, .len = 100});
		return one.ids();
	};

	EXPECT_EQ(run(), run());
}

} // namespace
} // namespace skbwalk::test
