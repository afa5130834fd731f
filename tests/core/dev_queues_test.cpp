// SPDX-License-Identifier: GPL-2.0-only
//
// Which queue a packet leaves by, as XPS has it; and what happens to the maps.
#include "stack/core/netdev_queues.h"

#include "stack/core/sock.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {
namespace {

constexpr u32 quarter = 1u << 30;

struct dev_queues_test : testing::Test {
	net_host host{4};
	net_device *dev = nullptr;

	static netdev_tx_t xmit(skb_ptr &skb, net_device &)
	{
		consume_skb(std::move(skb));
		return NETDEV_TX_OK;
	}
	static void setup(net_device &d)
	{
		static const net_device_ops ops = {.ndo_start_xmit = xmit};

		ether_setup(d);
		d.netdev_ops = &ops;
		d.priv_flags |= IFF_NO_QUEUE;
		d.dev_addr = {2, 0, 0, 0, 0, 1};
	}
	dev_queues_test()
	{
		host.enter();
		dev = alloc_netdev_mqs(init_net(), "t%d", setup, 4, 4);
		EXPECT_EQ(register_netdevice(*dev), 0);
		host.leave();
	}
	~dev_queues_test() override
	{
		host.enter();
		unregister_netdevice(*dev);
		EXPECT_EQ(xps->needed, 0);
		EXPECT_EQ(xps->rxqs_needed, 0);
		host.leave();
		host.run_ms(100); // what was replaced goes
	}
	// Of a packet that this cpu sends.
	u16 picked(u32 cpu, u32 hash = 1, sock *sk = nullptr, u32 napi_id = 0)
	{
		const enter_cpu in(*host.world.h.cpus[cpu]);
		skb_ptr skb = frame(*dev, dev->broadcast);

		skb->hash = hash;
		skb->l4_hash = 1;
		skb->sk = sk;
		skb->napi_id = napi_id;
		netdev_core_pick_tx(*dev, *skb, nullptr);
		skb->sk = nullptr;

		const u16 queue = skb->queue_mapping;

		consume_skb(std::move(skb));
		return queue;
	}
	int xps_cpus(u16 queue, std::string_view text)
	{
		return host.on_cpu([&] { return xps_cpus_store(*dev, queue, text); });
	}
	std::string xps_cpus(u16 queue)
	{
		std::string text;

		host.on_cpu([&] { EXPECT_EQ(xps_cpus_show(*dev, queue, text), 0); });
		return text;
	}
};

TEST_F(dev_queues_test, cpu_in_no_map_the_hash_chooses_among_all_queues)
{
	EXPECT_EQ(xps_cpus(3, "1"), 0);
	EXPECT_EQ(picked(0, quarter), 3);
	EXPECT_EQ(picked(2, quarter), 1);
	EXPECT_EQ(picked(2, 2 * quarter), 2);
}

TEST_F(dev_queues_test, cpu_with_two_queues_the_hash_chooses_between_them)
{
	EXPECT_EQ(xps_cpus(1, "3"), 0);
	EXPECT_EQ(xps_cpus(2, "2"), 0);
	EXPECT_EQ(picked(0, 3 * quarter), 1);
	EXPECT_EQ(picked(1, quarter), 1);
	EXPECT_EQ(picked(1, 3 * quarter), 2);
	EXPECT_EQ(xps_cpus(1), "3\n");
	EXPECT_EQ(xps_cpus(2, "0"), 0); // cpu 1 has one left
	EXPECT_EQ(picked(1, 3 * quarter), 1);
	EXPECT_EQ(xps_cpus(2), "0\n");
}

TEST_F(dev_queues_test, packet_that_came_in_by_a_queue_leaves_by_that_of_the_cpu)
{
	EXPECT_EQ(xps_cpus(2, "8"), 0);
	EXPECT_EQ(picked(3, 1, nullptr, 8193), 2);
	EXPECT_EQ(picked(0, 1, nullptr, 4), 2) << "it was on its way out of cpu 3 before";
}

TEST_F(dev_queues_test, socket_receives_by_a_queue_with_a_map_the_cpu_is_not_asked)
{
	sock sk;

	EXPECT_EQ(xps_cpus(1, "f"), 0);
	EXPECT_EQ(host.on_cpu([&] { return xps_rxqs_store(*dev, 3, "4"); }), 0);
	EXPECT_EQ(host.on_cpu([&] { return xps_rxqs_store(*dev, 3, "10"); }), -EOVERFLOW);
	EXPECT_EQ(picked(0, 1, &sk), 1);
	sk.skc_rx_queue_mapping = 2;
	EXPECT_EQ(picked(0, 1, &sk), 3);
	sk_tx_queue_set(sk, 0); // it has chosen before
	EXPECT_EQ(picked(0, 1, &sk), 0);
}

TEST_F(dev_queues_test, fewer_queues_are_used_the_maps_forget_the_others)
{
	EXPECT_EQ(xps_cpus(0, "1"), 0);
	EXPECT_EQ(xps_cpus(3, "e"), 0);
	EXPECT_EQ(host.on_cpu([&] { return netif_set_real_num_tx_queues(*dev, 5); }), -EINVAL);
	EXPECT_EQ(host.on_cpu([&] { return netif_set_real_num_tx_queues(*dev, 2); }), 0);
	EXPECT_EQ(picked(0, 3 * quarter), 0);
	EXPECT_EQ(picked(1, 3 * quarter), 1) << "by the hash, of two";
	EXPECT_EQ(host.on_cpu([] { return xps->needed; }), 1);
	EXPECT_EQ(host.on_cpu([&] { return netif_set_real_num_tx_queues(*dev, 4); }), 0);
	EXPECT_EQ(xps_cpus(3), "0\n");
}

TEST_F(dev_queues_test, last_cpu_leaves_the_last_map_the_key_is_off)
{
	EXPECT_EQ(xps_cpus(1, "2"), 0);
	EXPECT_EQ(host.on_cpu([] { return xps->needed; }), 1);
	EXPECT_EQ(xps_cpus(1, "0"), 0);
	EXPECT_EQ(host.on_cpu([] { return xps->needed; }), 0);
	EXPECT_EQ(xps_cpus(1, "10"), -EOVERFLOW);
}

} // namespace
} // namespace skbwalk::test
