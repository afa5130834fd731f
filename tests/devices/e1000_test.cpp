// SPDX-License-Identifier: GPL-2.0-only
//
// The driver with its card: two hosts of a world on a wire.
#include <algorithm>

#include "devices/e1000/e1000.h"

#include <cstring>

#include <fmt/format.h>

#include "devices/e1000/card.h"
#include "sim/setup.h"
#include "sim/wire.h"
#include "sim/world.h"
#include "stack/core/ethtool.h"

namespace skbwalk::test {
namespace {

struct e1000_test : testing::Test {
	sim::world w{{.seed = 5}};
	host &h1 = w.add_host("h1", 1), &h2 = w.add_host("h2", 1);
	std::shared_ptr<sim::wire> wire;
	u64 arrived = 0;

	void lay(const sim::link_options &options)
	{
		wire = std::make_shared<sim::wire>(
			w,
			sim::wire_description{
				"w", "e1000", {"h1", "eth0"}, {"h2", "eth0"}, options, "/wires/0"},
			"test");
		w.keep(wire);
		for (const char *line : {"ip addr add 10.0.0.1/24 dev eth0", "ip link set eth0 up"})
			sim::run_command(h1, line);
		for (const char *line : {"ip addr add 10.0.0.2/24 dev eth0", "ip link set eth0 up"})
			sim::run_command(h2, line);
		run_ms(2500);
		wire->between().watch([this](sim::link::end, std::span<const std::byte>) { ++arrived; });
	}
	void TearDown() override
	{
		if (wire)
			wire->between().unwatch();
		wire.reset(); // the world keeps it for as long as its hosts live
		EXPECT_THAT(w.end(), testing::IsEmpty());
	}
	void run_ms(u64 ms) { w.run_until(w.now_ns() + ms * NSEC_PER_MSEC); }
	template <class F> auto on(host &h, F fn)
	{
		const enter_cpu in(*h.cpus[0]);

		return fn(*__dev_get_by_name(init_net(), "eth0"));
	}
	u64 stat(host &h, const std::string &name)
	{
		return on(h, [&](net_device &dev) {
			std::vector<std::pair<std::string, u64>> all;
			u64 value = ~u64{0};

			dev.ethtool_ops->get_ethtool_stats(dev, all);
			for (const auto &[n, v] : all)
				value = n == name ? v : value;
			return value;
		});
	}
	// A frame of an experimental type from h1 to h2.
	int send(u32 payload)
	{
		const mac_addr to = on(h2, [](net_device &dev) { return dev.dev_addr; });

		return on(h1, [&](net_device &dev) {
			skb_ptr skb = alloc_skb(LL_RESERVED_SPACE(dev) + payload, GFP_KERNEL);

			skb_reserve(*skb, LL_RESERVED_SPACE(dev));
			std::memset(skb_put(*skb, payload), 0, payload);
			skb_reset_network_header(*skb);
			skb->dev = &dev;
			skb->protocol = htons(0x88b5);
			EXPECT_GE(dev_hard_header(*skb, dev, 0x88b5, to.data(), nullptr, payload), 0);
			return dev_queue_xmit(std::move(skb));
		});
	}
};

TEST_F(e1000_test, both_ends_up_have_a_gigabit_carrier_and_lose_it_with_the_other)
{
	lay({});
	EXPECT_TRUE(on(h1, [](net_device &dev) { return netif_carrier_ok(dev); }));
	EXPECT_EQ(on(h1, [](net_device &dev) { return netdev_priv<e1000_adapter>(dev).link_speed; }), 1000);
	sim::run_command(h2, "ip link set eth0 down");
	run_ms(2500); // the watchdog comes every two seconds
	EXPECT_FALSE(on(h1, [](net_device &dev) { return netif_carrier_ok(dev); }));
	EXPECT_THAT(sim::run_command(h1, "dmesg -t"),
	            testing::EndsWith("e1000: eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None\n"
	                              "e1000: eth0 NIC Link is Down\n"));
	sim::run_command(h2, "ip link set eth0 up");
	run_ms(2500);
	EXPECT_TRUE(on(h1, [](net_device &dev) { return netif_carrier_ok(dev); }));
}

TEST_F(e1000_test, ring_full_stops_the_queue_and_the_rest_arrives_after_it_wakes)
{
	lay({.bits_per_second = 10'000'000});
	// CoDel would drop some of those that wait for so long.
	sim::run_command(h1, "tc qdisc replace dev eth0 root pfifo");
	for (int i = 0; i < 600; ++i)
		EXPECT_EQ(send(500), 0);
	EXPECT_TRUE(on(h1, [](net_device &dev) { return netif_xmit_stopped(*dev._tx[0]); }));
	run_ms(1000);
	EXPECT_FALSE(on(h1, [](net_device &dev) { return netif_xmit_stopped(*dev._tx[0]); }));
	EXPECT_EQ(arrived, 600u);
	EXPECT_EQ(stat(h1, "tx_timeout_count"), 0u);
}

TEST_F(e1000_test, card_is_polled_by_a_thread_frames_arrive_and_the_thread_ends_with_the_device)
{
	lay({});
	sim::run_command(h2, "sh -c 'echo 1 > /sys/class/net/eth0/threaded'");
	run_ms(1);
	const u64 before = stat(h2, "rx_packets");
	for (int i = 0; i < 100; ++i)
		send(100);
	run_ms(10);
	EXPECT_EQ(stat(h2, "rx_packets"), before + 100);
	EXPECT_TRUE(on(h2, [](net_device &dev) {
		return list_entry(*dev.napi_list.next, &napi_struct::dev_list).thread != nullptr;
	})) << "until the world ends";
}

TEST_F(e1000_test, rings_take_as_many_descriptors_as_an_82540em_has)
{
	lay({});
	sim::run_command(h1, "ethtool -G eth0 rx 4096 tx 300");
	EXPECT_THAT(sim::run_command(h1, "ethtool -g eth0"),
	            testing::HasSubstr("RX:\t\t4096\nTX:\t\t4096\n"
	                               "Current hardware settings:\nRX:\t\t4096\nTX:\t\t304\n"));
	run_ms(2500);
	const u64 had = arrived;

	EXPECT_EQ(send(1400), 0);
	run_ms(10);
	EXPECT_EQ(arrived - had, 1u);
	EXPECT_THROW(sim::run_command(h1, "ethtool -G eth0 rx 4097"), sim::command_failed);
}

TEST_F(e1000_test, throttling_of_mode_4_goes_by_how_even_both_directions_are)
{
	lay({});
	sim::run_command(h1, "ethtool -C eth0 rx-usecs 4");
	const auto pause_us = [this] { return wire->counter(sim::link::a, "itr_us"); };

	run_ms(2500); // the watchdog has looked
	EXPECT_EQ(pause_us(), 124u) << "nothing comes or goes: 8000 a second, in steps of 256 ns";
	on(h1, [](net_device &dev) { EXPECT_EQ(dev_set_promiscuity(dev, 1), 0); });
	for (int i = 0; i < 2500; ++i) {
		EXPECT_EQ(send(1400), 0);
		wire->between().send(sim::link::b, std::vector<std::byte>(1414));
		run_ms(1);
	}
	EXPECT_EQ(pause_us(), 499u) << "as much goes as comes: 2000 a second";
	on(h1, [](net_device &dev) { EXPECT_EQ(dev_set_promiscuity(dev, -1), 0); });
}

TEST_F(e1000_test, wire_whose_second_device_cannot_have_its_name_leaves_no_first)
{
	for (const char *name : {"lo", "a/b"}) {
		const sim::wire_description what{"w", "e1000", {"h1", "eth0"}, {"h2", name}, {}, "/wires/0"};

		EXPECT_THROW(sim::wire(w, what, "f.json"), sim::bad_scenario);
		for (host *h : {&h1, &h2}) {
			const enter_cpu in(*h->cpus[0]);

			EXPECT_EQ(init_net().dev_list.size(), 1u) << "lo";
		}
	}
}

TEST_F(e1000_test, only_port_of_a_bridge_that_filters_vlans_receives_what_static_entries_name)
{
	lay({});
	const auto arrives = [this](u8 last) {
		std::vector<std::byte> frame(60);
		const u64 had = stat(h1, "rx_packets");

		frame[0] = std::byte{2};
		frame[5] = std::byte{last};
		wire->between().send(sim::link::b, frame);
		run_ms(10);
		return stat(h1, "rx_packets") - had;
	};
	const auto promiscuous = [this] {
		return on(h1, [](net_device &dev) { return dev.promiscuity != 0; });
	};

	EXPECT_EQ(arrives(7), 0u);
	for (const char *line :
	     {"ip link add br0 type bridge", "ip link set br0 up", "ip link set eth0 master br0"})
		sim::run_command(h1, line);
	EXPECT_TRUE(promiscuous());
	EXPECT_EQ(arrives(7), 1u);
	for (const char *line : {"ip link set br0 type bridge vlan_filtering 1",
	                         "bridge fdb add 02:00:00:00:00:07 dev eth0 master static"})
		sim::run_command(h1, line);
	EXPECT_FALSE(promiscuous());
	EXPECT_EQ(arrives(7), 1u);
	EXPECT_EQ(arrives(8), 0u);
	sim::run_command(h1, "bridge fdb del 02:00:00:00:00:07 dev eth0 master");
	EXPECT_EQ(arrives(7), 0u);
	for (int i = 1; i <= 16; ++i) // more than the card has filters
		sim::run_command(
			h1, fmt::format("bridge fdb add 02:00:00:00:01:{:02x} dev eth0 master static", i));
	EXPECT_EQ(arrives(8), 1u);
	sim::run_command(h1, "ip link set eth0 nomaster");
	EXPECT_EQ(arrives(8), 0u);
	sim::run_command(h1, "ip link del br0");
}

TEST_F(e1000_test, wire_whose_card_would_share_a_line_triggered_by_edge_is_refused_by_name)
{
	{
		const enter_cpu in(*h2.cpus[0]);
		ASSERT_EQ(acpi_register_gsi(11, false), 11);
	}
	const sim::wire_description what{"w", "e1000", {"h1", "eth0"}, {"h2", "eth0"}, {}, "/wires/0"};

	try {
		sim::wire(w, what, "f.json");
		ADD_FAILURE();
	} catch (const sim::bad_scenario &e) {
		EXPECT_THAT(
			e.what(),
			testing::StartsWith("f.json: /wires/0: h2:eth0: expected its interrupt's line, 11"));
	}
}

TEST_F(e1000_test, another_mtu_takes_buffers_of_a_size_of_the_cards)
{
	lay({});
	const auto buffer = [this] {
		return on(h2, [](net_device &dev) { return netdev_priv<e1000_adapter>(dev).rx_buffer_len; });
	};

	EXPECT_EQ(buffer(), 1522u);
	for (const auto &[mtu, bytes] : {std::pair{1400, 2048u}, {1500, 1522u}}) {
		const u64 had = stat(h2, "rx_packets");

		sim::run_command(h2, fmt::format("ip link set eth0 mtu {}", mtu));
		run_ms(2500);
		EXPECT_EQ(buffer(), bytes);
		EXPECT_EQ(send(1300), 0);
		run_ms(10);
		EXPECT_EQ(stat(h2, "rx_packets") - had, 1u);
	}
	on(h2, [](net_device &dev) {
		EXPECT_THAT(netdev_priv<e1000_adapter>(dev).pdev->dev->dma_errors, testing::IsEmpty());
	});
}

TEST_F(e1000_test, small_frame_is_padded_and_a_large_one_takes_a_new_buffer)
{
	lay({});
	const u64 before = stat(h2, "rx_packets");

	EXPECT_EQ(send(2), 0);
	EXPECT_EQ(send(1400), 0);
	run_ms(10);
	EXPECT_EQ(stat(h2, "rx_packets") - before, 2u);
	on(h2, [](net_device &dev) {
		const e1000_adapter &adapter = netdev_priv<e1000_adapter>(dev);

		EXPECT_EQ(E1000_DESC_UNUSED(adapter.rx_ring), 0u) << "the card has all buffers again";
		EXPECT_THAT(adapter.pdev->dev->dma_errors, testing::IsEmpty());
	});
}

TEST_F(e1000_test, buffer_that_cannot_be_mapped_drops_its_packet_alone)
{
	lay({});
	on(h1, [](net_device &dev) {
		device &d = *netdev_priv<e1000_adapter>(dev).pdev->dev;

		d.dma_fail_from = d.dma_maps_done;
		d.dma_fail_count = 1;
	});
	const u64 had = arrived;

	static_cast<void>(send(100));
	static_cast<void>(send(100));
	run_ms(10);
	EXPECT_EQ(arrived - had, 1u);
}

TEST_F(e1000_test, hung_transmitter_is_reset_by_the_watchdog_and_sends_again)
{
	lay({});
	on(h1, [](net_device &dev) { // the transmitter stops, unasked
		e1000_hw &hw = netdev_priv<e1000_adapter>(dev).hw;

		ew32(hw, E1000_TCTL, er32(hw, E1000_TCTL) & ~E1000_TCTL_EN);
	});
	const u64 had = arrived;

	EXPECT_EQ(send(100), 0);
	run_ms(30'000);
	EXPECT_GE(stat(h1, "tx_timeout_count"), 1u);
	EXPECT_EQ(send(100), 0);
	run_ms(10);
	EXPECT_GT(arrived, had);
}

TEST_F(e1000_test, hostile_frames_are_dropped_and_nothing_is_left)
{
	lay({});
	const mac_addr to = on(h2, [](net_device &dev) { return dev.dev_addr; });
	random_stream random{11, "hostile"};

	for (const char *rx : {"off", "on"}) {
		sim::run_command(h2, std::string{"ethtool -K eth0 rx "} + rx);
		run_ms(50);
		for (int i = 0; i < 3000; ++i) {
			std::vector<std::byte> bytes(random.below(8) ? random.below(1530)
			                                             : random.below(17'000));

			for (std::byte &b : bytes)
				b = static_cast<std::byte>(random.next());
			std::copy_n(reinterpret_cast<const std::byte *>(to.data()),
			            std::min<std::size_t>(bytes.size(), 6), bytes.data());
			if (bytes.size() > 40 && random.below(4)) { // nearly a packet
				const u8 header[] = {0x08, 0x00, 0x45, 0};
				std::memcpy(bytes.data() + 12, header, 4);
				bytes[23] =
					static_cast<std::byte>(random.below(2) ? IPPROTO_TCP : IPPROTO_UDP);
			}
			if (bytes.size() > 18 && !random.below(10))
				bytes[12] = std::byte{0x81}, bytes[13] = std::byte{0};
			wire->between().send(sim::link::a, bytes);
			if (!random.below(4))
				run_ms(1);
		}
		run_ms(100);
	}
	on(h2, [](net_device &dev) {
		EXPECT_THAT(netdev_priv<e1000_adapter>(dev).pdev->dev->dma_errors, testing::IsEmpty());
	});
	EXPECT_EQ(send(2), 0) << "it still works";
	EXPECT_GT(stat(h2, "rx_length_errors"), 100u);
}

} // namespace
} // namespace skbwalk::test
