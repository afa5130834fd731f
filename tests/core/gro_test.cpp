// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/gro_bench.h"

#include "stack/core/busy_poll.h"
#include "stack/core/snmp.h"
#include "stack/core/sysctl_net_core.h"

namespace skbwalk::test {
namespace {

struct gro_test : testing::Test {
	gro_bench bench;

	// The instance is polled in the softirq that ends here.
	void poll()
	{
		napi_schedule(bench.napi);
		local_bh_enable();
		local_bh_disable();
	}
	void run_us(u64 us)
	{
		local_bh_enable();
		bench.host.leave();
		bench.host.world.run(bench.host.world.now_ns + us * NSEC_PER_USEC);
		bench.host.enter();
		local_bh_disable();
	}
};

TEST_F(gro_test, poll_that_ends_holds_nothing)
{
	bench.ring = {{}, {.seq = 1100}};
	poll();
	EXPECT_EQ(bench.sizes(), std::vector<u32>{200});
	EXPECT_EQ(bench.held(), 0u);
	EXPECT_EQ(bench.napi.gro_bitmask, 0u);
	EXPECT_FALSE(bench.napi.state & NAPI_STATE_SCHED);
}

// HZ is below 1000: a jiffy is too long to hold a packet for.
TEST_F(gro_test, poll_that_used_its_budget_holds_nothing_over_to_the_next)
{
	for (u32 i = 0; i < 65; ++i)
		bench.ring.push_back({.seq = 1000 + 100 * i});
	poll();
	EXPECT_EQ(bench.polls, 2);
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{6400, 100}));
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(gro_test, device_without_gro_passes_each_on)
{
	bench.lo().features &= ~NETIF_F_GRO;
	EXPECT_EQ(bench.give({}), GRO_NORMAL);
	EXPECT_EQ(bench.give({.seq = 1100}), GRO_NORMAL);
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{100, 100}));
}

TEST_F(gro_test, first_is_held_and_what_is_merged_gives_up_its_head)
{
	EXPECT_EQ(bench.give({.in = body::linear}), GRO_HELD);
	EXPECT_EQ(bench.give({.seq = 1100, .in = body::linear}), GRO_MERGED);
	EXPECT_EQ(bench.give({.seq = 1200, .in = body::page}), GRO_MERGED_FREE);
	EXPECT_EQ(bench.give({.flags = TCPHDR_SYN}), GRO_NORMAL);
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{300, 100}));
}

TEST_F(gro_test, ninth_flow_of_a_bucket_pushes_the_oldest_out)
{
	for (u16 flow = 0; flow < 9; ++flow)
		bench.give({.len = 100u + flow, .sport = static_cast<u16>(5000 + flow)});
	EXPECT_EQ(bench.held(), 8u);
	gro_normal_list(bench.napi);
	EXPECT_EQ(bench.sizes(), std::vector<u32>{100});
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{100, 101, 102, 103, 104, 105, 106, 107, 108}));
}

TEST_F(gro_test, eight_segments_go_up_without_waiting_for_the_end_of_the_poll)
{
	for (u32 i = 0; i < 7; ++i)
		bench.give({.seq = 1000 + 50 * i, .len = 50, .flags = TCPHDR_ACK | TCPHDR_PSH});
	EXPECT_EQ(bench.up.size(), 0u);
	bench.give({.seq = 9000, .flags = TCPHDR_ACK | TCPHDR_PSH});
	EXPECT_EQ(bench.up.size(), 8u);
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(gro_test, merged_packet_counts_by_its_segments)
{
	net_core->gro_normal_batch = 4;
	for (u32 i = 0; i < 3; ++i)
		bench.give({.seq = 1000 + 100 * i});
	bench.give({.seq = 1300, .len = 1});
	EXPECT_EQ(bench.sizes(), std::vector<u32>{301});
}

TEST_F(gro_test, flush_of_the_old_leaves_what_came_in_this_jiffy)
{
	bench.give({});
	napi_gro_flush(bench.napi, true);
	EXPECT_EQ(bench.held(), 1u);
	run_us(2 * TICK_NSEC / 1000);
	bench.give({.sport = 5001});
	napi_gro_flush(bench.napi, true);
	EXPECT_EQ(bench.held(), 1u);
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{100, 100}));
}

TEST_F(gro_test, packet_held_over_the_poll_is_merged_with_the_next_ones_until_the_time_is_over)
{
	bench.lo().gro_flush_timeout = 50'000;
	bench.ring = {{}};
	poll();
	EXPECT_EQ(bench.held(), 1u);
	bench.ring = {{.seq = 1100}};
	poll();
	EXPECT_EQ(bench.held(), 1u);
	EXPECT_EQ(bench.up.size(), 0u);
	run_us(100); // the timer polls, finds nothing, and nothing is held any more
	EXPECT_EQ(bench.polls, 3);
	EXPECT_EQ(bench.sizes(), std::vector<u32>{200});
	EXPECT_EQ(bench.held(), 0u);
}

TEST_F(gro_test, interrupt_stays_off_for_as_many_idle_polls_as_the_device_says)
{
	bench.lo().gro_flush_timeout = 50'000;
	bench.lo().napi_defer_hard_irqs = 2;
	bench.ring = {{}};
	poll();
	run_us(60);
	EXPECT_EQ(bench.polls, 2);
	run_us(60);
	EXPECT_EQ(bench.polls, 3); // the last: the count was used up
	run_us(1000);
	EXPECT_EQ(bench.polls, 3);
}

// --- polling ---

TEST_F(gro_test, softirq_that_used_its_budget_counts_a_squeeze_and_goes_on)
{
	net_core->netdev_budget = 64;
	for (u32 i = 0; i < 100; ++i)
		bench.ring.push_back({.seq = 1000 + 100 * i});
	poll();
	EXPECT_EQ(softnet->time_squeeze, 1u);
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{6400, 3600}));
}

TEST_F(gro_test, event_while_it_is_polled_is_not_missed)
{
	bench.ring = {{}};
	bench.event = [this] {
		bench.ring.push_back({.seq = 1100});
		EXPECT_FALSE(napi_schedule_prep(bench.napi));
	};
	poll();
	EXPECT_EQ(bench.polls, 2);
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{100, 100}));
}

TEST_F(gro_test, disabled_instance_cannot_be_scheduled_and_remembers_that_it_was_asked)
{
	local_bh_enable();
	napi_disable(bench.napi);
	local_bh_disable();
	EXPECT_FALSE(napi_schedule(bench.napi));
	napi_enable(bench.napi);
	EXPECT_TRUE(napi_schedule(bench.napi));
	local_bh_enable();
	local_bh_disable();
	EXPECT_EQ(bench.polls, 2);
}

TEST_F(gro_test, busy_loop_takes_what_is_there_and_polls_once_more_to_let_go)
{
	const u64 &counted = init_net().mib.net_statistics[LINUX_MIB_BUSYPOLLRXPACKETS];

	bench.ring = {{}, {.seq = 1100}};
	napi_busy_loop(bench.napi.napi_id, nullptr, nullptr, false, 8);
	EXPECT_EQ(bench.polls, 2);
	EXPECT_EQ(bench.sizes(), std::vector<u32>{200});
	EXPECT_EQ(counted, 2u);
	EXPECT_FALSE(bench.napi.state & (NAPI_STATE_SCHED | NAPI_STATE_IN_BUSY_POLL));
}

TEST_F(gro_test, busy_loop_leaves_a_scheduled_instance_to_its_softirq)
{
	napi_schedule(bench.napi);
	napi_busy_loop(bench.napi.napi_id, nullptr, nullptr, false, 8);
	EXPECT_EQ(bench.polls, 0);
	local_bh_enable();
	local_bh_disable();
	EXPECT_EQ(bench.polls, 1);
}

TEST_F(gro_test, busy_loop_of_a_queue_that_is_gone_ends)
{
	const u32 id = bench.napi.napi_id;

	EXPECT_GE(id, MIN_NAPI_ID);
	bench.remove();
	napi_busy_loop(id, nullptr, nullptr, false, 8);
	EXPECT_EQ(bench.polls, 0);
}

TEST_F(gro_test, instance_that_goes_frees_what_it_holds)
{
	bench.give({});
	EXPECT_NE(napi_get_frags(bench.napi), nullptr);
	bench.remove();
	EXPECT_EQ(bench.held(), 0u);
	EXPECT_EQ(bench.up.size(), 0u);
}

TEST_F(gro_test, packets_in_frags_only_share_one_head)
{
	const auto frame = [&](const tcp_seg &s) {
		const ethhdr eth{bench.lo().dev_addr, s.from, htons(ETH_P_IP)};
		std::vector<u8> bytes(sizeof(eth));
		std::memcpy(bytes.data(), &eth, sizeof(eth));
		bench.sent.push_back(packet_of(s));
		bytes.insert(bytes.end(), bench.sent.back().begin(), bench.sent.back().end());
		return bytes;
	};
	sk_buff *first = napi_get_frags(bench.napi);
	gro_bench::add_frag(*first, frame({}));
	EXPECT_EQ(napi_gro_frags(bench.napi), GRO_HELD);

	sk_buff *second = napi_get_frags(bench.napi);
	EXPECT_NE(second, first);
	gro_bench::add_frag(*second, frame({.seq = 1100}));
	EXPECT_EQ(napi_gro_frags(bench.napi), GRO_MERGED_FREE);
	EXPECT_EQ(napi_get_frags(bench.napi), second); // as good as new

	gro_bench::add_frag(*second, {1, 2, 3}); // no device header
	EXPECT_EQ(napi_gro_frags(bench.napi), GRO_CONSUMED);
	bench.flush();
	EXPECT_EQ(bench.sizes(), std::vector<u32>{200});
	EXPECT_EQ(bench.cut, bench.sent);
}

} // namespace
} // namespace skbwalk::test
