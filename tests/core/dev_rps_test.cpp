// SPDX-License-Identifier: GPL-2.0-only
//
// Which cpu receives a packet, and what is counted where.
#include "stack/core/rps.h"

#include "stack/core/sysctl_net_core.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {
namespace {

struct rps_test : testing::Test {
	struct arrival {
		int cpu;
		u32 hash;
	};
	static inline std::vector<arrival> arrivals;
	net_host host{4};
	packet_type type{.type = htons(ETH_P_TEST), .func = note};

	static int note(skb_ptr skb, net_device &, packet_type &, net_device &)
	{
		arrivals.push_back({smp_processor_id(), skb->hash});
		consume_skb(std::move(skb));
		return NET_RX_SUCCESS;
	}
	rps_test()
	{
		arrivals.clear();
		host.enter();
		dev_open(lo());
		dev_add_pack(type);
		host.leave();
	}
	~rps_test() override
	{
		host.enter();
		dev_remove_pack(type);
		host.leave();
		host.run_ms(100); // what was replaced goes
	}
	net_device &lo() { return *init_net().loopback_dev; }
	netdev_rx_queue &queue() { return lo()._rx[0]; }
	softnet_data &sd(u32 cpu) { return softnet.of(*host.world.h.cpus[cpu]); }
	// A packet of the flow arrives on cpu 0.
	int arrives(u32 hash)
	{
		skb_ptr skb = alloc_skb(64, GFP_ATOMIC);

		skb_put(*skb, 46);
		skb->dev = &lo();
		skb->protocol = htons(ETH_P_TEST);
		skb_reset_mac_header(*skb);
		skb->hash = hash;
		skb->l4_hash = 1;
		return netif_rx(std::move(skb));
	}
	template <class Fn> void on_cpu(u32 cpu, Fn fn)
	{
		const enter_cpu in(*host.world.h.cpus[cpu]);

		fn();
	}
};

constexpr u32 quarter = 1u << 30;

TEST_F(rps_test, without_a_map_packets_stay_where_they_arrive)
{
	on_cpu(0, [&] { arrives(3 * quarter); });
	host.run_ms(1);
	ASSERT_EQ(arrivals.size(), 1u);
	EXPECT_EQ(arrivals[0].cpu, 0);
	EXPECT_EQ(sd(0).received_rps, 0u);
}

TEST_F(rps_test, with_a_map_each_flow_goes_to_the_cpu_that_its_hash_chooses)
{
	on_cpu(0, [&] {
		EXPECT_EQ(store_rps_map(queue(), "f\n"), 0);
		EXPECT_EQ(show_rps_map(queue()), "f\n");
		for (u32 n = 0; n < 3; ++n)
			for (u32 flow = 0; flow < 4; ++flow)
				arrives(flow * quarter + 1);
	});
	host.run_ms(1);
	ASSERT_EQ(arrivals.size(), 12u);
	for (const arrival &a : arrivals)
		EXPECT_EQ(static_cast<u32>(a.cpu), a.hash / quarter);
	for (u32 cpu = 1; cpu < 4; ++cpu)
		EXPECT_GE(sd(cpu).received_rps, 1u);
	EXPECT_EQ(sd(0).received_rps, 0u) << "it told nobody but itself";
}

TEST_F(rps_test, softnet_stat_has_a_line_of_thirteen_columns_for_each_cpu)
{
	on_cpu(0, [&] {
		EXPECT_EQ(store_rps_map(queue(), "2"), 0);
		arrives(1);
		arrives(2);
	});
	host.run_ms(1);
	on_cpu(0, [&] {
		const std::string text = softnet_stat();

		EXPECT_EQ(text.substr(0, 117),
		          "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		          "00000000 00000000 00000000 00000000\n");
		EXPECT_EQ(text.substr(117, 117),
		          "00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		          "00000001 00000000 00000000 00000001\n")
			<< "one interrupt for both";
	});
}

TEST_F(rps_test, a_full_backlog_drops_and_counts_on_the_cpu_that_it_is_of)
{
	on_cpu(0, [&] {
		net_core->netdev_max_backlog = 10;
		EXPECT_EQ(store_rps_map(queue(), "8"), 0);
		for (int i = 0; i < 15; ++i)
			EXPECT_EQ(arrives(7), i < 11 ? NET_RX_SUCCESS : NET_RX_DROP);
		EXPECT_EQ(sd(3).dropped, 4u);
		EXPECT_EQ(sd(0).dropped, 0u);
		EXPECT_EQ(drop_counter(SKB_DROP_REASON_CPU_BACKLOG), 4u);
	});
	host.run_ms(1);
	EXPECT_EQ(arrivals.size(), 11u);
}

TEST_F(rps_test, a_flow_follows_its_reader_when_its_packets_on_the_former_cpu_are_gone)
{
	const u32 hash = 0x12345678;

	on_cpu(0, [&] {
		EXPECT_EQ(rps_sock_flow_sysctl(1000), 0);
		EXPECT_EQ(rps_sock_flow_entries(), 1024u);
		EXPECT_EQ(store_rps_dev_flow_table_cnt(queue(), "100"), 0);
		EXPECT_EQ(show_rps_dev_flow_table_cnt(queue()), "128\n");
	});
	on_cpu(2, [&] { rps_record_sock_flow(rps->sock_flow_table.get(), hash); });
	on_cpu(0, [&] { arrives(hash); });
	// It waits in the queue of cpu 2: the next one, too, although it is read on cpu 1 now.
	on_cpu(1, [&] { rps_record_sock_flow(rps->sock_flow_table.get(), hash); });
	on_cpu(0, [&] { arrives(hash); });
	host.run_ms(1);
	on_cpu(0, [&] { arrives(hash); });
	host.run_ms(1);
	ASSERT_EQ(arrivals.size(), 3u);
	EXPECT_EQ(arrivals[0].cpu, 2);
	EXPECT_EQ(arrivals[1].cpu, 2);
	EXPECT_EQ(arrivals[2].cpu, 1);
	on_cpu(0, [&] {
		EXPECT_EQ(rps_sock_flow_sysctl(0), 0);
		EXPECT_EQ(rps->needed, 0);
	});
}

TEST_F(rps_test, of_a_backlog_that_is_half_full_a_flow_that_fills_it_is_limited_and_others_are_not)
{
	on_cpu(0, [&] {
		net_core->netdev_max_backlog = 200;
		EXPECT_EQ(flow_limit_cpu_sysctl("1"), 0);
		EXPECT_EQ(flow_limit_cpu_bitmap(), "1");
		local_bh_disable();
		for (int i = 0; i < 190; ++i)
			arrives(5);
		EXPECT_GT(sd(0).flow_limit->count, 0u);
		EXPECT_LT(skb_queue_len(sd(0).input_pkt_queue), 190u);
		EXPECT_EQ(arrives(6), NET_RX_SUCCESS);
		EXPECT_EQ(sd(0).dropped, sd(0).flow_limit->count);
		local_bh_enable();
		EXPECT_EQ(flow_limit_cpu_sysctl("0"), 0);
	});
}

TEST_F(rps_test, a_mask_that_is_none_or_names_cpus_that_there_are_not_is_refused)
{
	on_cpu(0, [&] {
		EXPECT_EQ(store_rps_map(queue(), "x"), -EINVAL);
		EXPECT_EQ(store_rps_map(queue(), ""), -EINVAL);
		EXPECT_EQ(store_rps_map(queue(), "1f"), -EOVERFLOW);
		EXPECT_EQ(store_rps_map(queue(), "00000000,0000000f"), 0);
		EXPECT_EQ(store_rps_map(queue(), "0"), 0);
		EXPECT_EQ(rps->needed, 0);
		EXPECT_EQ(store_rps_dev_flow_table_cnt(queue(), "many"), -EINVAL);
		EXPECT_EQ(rps_sock_flow_sysctl(-1), -EINVAL);
	});
}

} // namespace
} // namespace skbwalk::test
