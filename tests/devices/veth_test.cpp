// SPDX-License-Identifier: GPL-2.0-only
#include "devices/veth.h"

#include "devices/tun.h"
#include "stack/core/ethtool.h"
#include "stack/core/net_sysfs.h"
#include "stack/sched/sch_generic.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {
namespace {

struct veth_test : testing::Test {
	net_host host;
	packet_type type{.type = htons(ETH_P_TEST), .func = take};
	net *a = nullptr, *b = nullptr;

	void SetUp() override
	{
		host.enter();
		a = &init_net();
		b = &copy_net_ns("b");
		ASSERT_EQ(veth_newlink(*a, "va", *b, "vb"), 0);
		host.leave();
	}
	net_device &va() { return host.dev(*a, "va"); }
	net_device &vb() { return host.dev(*b, "vb"); }
};

TEST_F(veth_test, pair_just_made_is_down_with_random_local_addresses)
{
	EXPECT_EQ(va().ifindex, 2);
	EXPECT_EQ(va().dev_addr[0] & 3, 2);
	EXPECT_NE(va().dev_addr, vb().dev_addr);
	EXPECT_FALSE(netif_carrier_ok(va()));
	EXPECT_EQ(veth_peer_dev(va()), &vb());
	EXPECT_FALSE(va().features & NETIF_F_GRO);
}

TEST_F(veth_test, both_sides_up_have_a_carrier_and_are_operational_soon)
{
	host.on_cpu([&] { return dev_open(va()); });
	host.run_ms(2000);
	EXPECT_FALSE(netif_carrier_ok(va()));
	EXPECT_EQ(va().operstate, IF_OPER_DOWN);
	host.on_cpu([&] { return dev_open(vb()); });
	EXPECT_TRUE(netif_carrier_ok(va()));
	EXPECT_TRUE(netif_carrier_ok(vb()));
	host.run_ms(20);
	EXPECT_EQ(va().operstate, IF_OPER_UP);
	EXPECT_STREQ(va()._tx[0]->qdisc->ops->id, "noqueue");
	EXPECT_TRUE(dev_get_flags(va()) & IFF_RUNNING);
	host.on_cpu([&] { dev_close(vb()); });
	host.run_ms(2000);
	EXPECT_EQ(va().operstate, IF_OPER_DOWN);
	EXPECT_EQ(va()._tx[0]->qdisc, host.on_cpu([] { return &noop_qdisc(); }));
}

TEST_F(veth_test, frame_arrives_at_the_peer_stripped_of_what_is_the_senders)
{
	host.enter();
	dev_open(va());
	dev_open(vb());
	host.leave();
	host.run_ms(20);
	host.enter();
	dev_add_pack(type);

	skb_ptr skb = frame(va(), vb().dev_addr);

	skb->mark = 7;
	EXPECT_EQ(dev_queue_xmit(std::move(skb)), 0);
	EXPECT_EQ(dev_queue_xmit(frame(va(), va().dev_addr)), 0);
	dev_remove_pack(type);
	ASSERT_EQ(inbox.size(), 2u);
	EXPECT_EQ(inbox[0].dev, "vb");
	EXPECT_EQ(inbox[0].pkt_type, PACKET_HOST);
	EXPECT_EQ(inbox[0].mark, 0u);
	EXPECT_EQ(inbox[1].pkt_type, PACKET_OTHERHOST);
	EXPECT_EQ(dev_get_stats(va()).tx_packets, 2u);
	EXPECT_EQ(dev_get_stats(vb()).rx_packets, 2u);
	EXPECT_EQ(dev_get_stats(vb()).rx_bytes, 120u);
	host.leave();
}

TEST_F(veth_test, side_moves_to_another_namespace_unless_its_name_is_taken_there)
{
	host.enter();
	net &c = copy_net_ns("c");

	ASSERT_EQ(veth_newlink(c, "va", c, "vc"), 0);
	EXPECT_EQ(dev_change_net_namespace(va(), c, nullptr), -EEXIST);
	net_device &moved = vb();
	EXPECT_EQ(dev_change_net_namespace(moved, c, nullptr), 0);
	EXPECT_EQ(__dev_get_by_name(*b, "vb"), nullptr);
	EXPECT_EQ(__dev_get_by_name(c, "vb"), &moved);
	EXPECT_GT(moved.ifindex, 3); // 2 and 3 are taken
	host.leave();
}

TEST_F(veth_test, deleted_side_takes_its_peer_along)
{
	host.enter();
	va().dellink(va());
	EXPECT_EQ(__dev_get_by_name(*a, "va"), nullptr);
	EXPECT_EQ(__dev_get_by_name(*b, "vb"), nullptr);
	host.leave();
}

// --- several queues, and threads that poll them ---

struct veth_queues_test : testing::Test {
	net_host host{2};
	net_device *va = nullptr, *vb = nullptr;

	void SetUp() override
	{
		host.polls = true;
		host.enter();
		ASSERT_EQ(veth_newlink(init_net(), "va", init_net(), "vb"), 0);
		va = &host.dev(init_net(), "va");
		vb = &host.dev(init_net(), "vb");
		va->features &= ~NETIF_F_ALL_TSO;
		vb->wanted_features |= NETIF_F_GRO;
		netdev_update_features(*vb);
		dev_open(*va);
		dev_open(*vb);
		host.leave();
		host.run_ms(20);
	}
	int use_queues(net_device &dev, u32 n)
	{
		ethtool_channels ch;

		dev.ethtool_ops->get_channels(dev, ch);
		EXPECT_EQ(ch.max_rx, 2u);
		ch.rx_count = ch.tx_count = n;
		return dev.ethtool_ops->set_channels(dev, ch);
	}
	u32 polled() const
	{
		u32 n = 0;

		for (const list_head *l = vb->napi_list.next; l != &vb->napi_list; l = l->next)
			++n;
		return n;
	}
	// By which of the receiver's queues has so much come?
	std::vector<u64> arrived() const
	{
		std::vector<std::pair<std::string, u64>> stats;
		std::vector<u64> packets;

		vb->ethtool_ops->get_ethtool_stats(*vb, stats);
		for (const auto &[name, value] : stats)
			if (name.ends_with("_xdp_packets"))
				packets.push_back(value);
		return packets;
	}
	void send(u32 hash)
	{
		const enter_cpu in(host.world.c0());
		skb_ptr skb = frame(*va, vb->dev_addr);

		skb->hash = hash;
		skb->l4_hash = 1;
		EXPECT_EQ(dev_queue_xmit(std::move(skb)), 0);
	}
};

TEST_F(veth_queues_test, sent_by_the_second_queue_it_is_received_by_the_second_if_that_is_in_use)
{
	EXPECT_EQ(polled(), 1u);
	EXPECT_EQ(host.on_cpu([&] { return use_queues(*va, 2); }), 0);
	send(1u << 31); // the receiver's backlog takes it
	host.run_ms(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(0u));
	EXPECT_EQ(host.on_cpu([&] { return use_queues(*vb, 2); }), 0);
	EXPECT_EQ(polled(), 2u);
	EXPECT_TRUE(netif_carrier_ok(*va));
	send(1);
	send(1u << 31);
	send(1u << 31);
	host.run_ms(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(1u, 2u));
	EXPECT_EQ(host.on_cpu([&] { return use_queues(*vb, 1); }), 0);
	EXPECT_EQ(polled(), 1u);
	EXPECT_EQ(host.on_cpu([&] { return use_queues(*vb, 0); }), -EINVAL);
}

TEST_F(veth_queues_test, threaded_side_polls_in_its_thread_until_it_is_not_or_is_down)
{
	const auto threaded = [&](const char *value) {
		return host.on_cpu([&] { return threaded_store(*vb, value); });
	};
	napi_struct &napi = list_entry(*vb->napi_list.next, &napi_struct::dev_list);

	EXPECT_EQ(host.on_cpu([&] { return threaded_store(*va, "1"); }), -EOPNOTSUPP) << "it does not poll";
	EXPECT_EQ(threaded("2"), -EOPNOTSUPP);
	EXPECT_EQ(threaded("1"), 0);
	host.run_ms(1);
	ASSERT_NE(napi.thread, nullptr);
	EXPECT_EQ(napi.thread->comm, "napi/vb-8193");
	EXPECT_EQ(napi.thread->state, TASK_INTERRUPTIBLE);
	for (int i = 0; i < 100; ++i)
		send(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(0u)) << "no softirq of the sender's polls";
	EXPECT_FALSE(host.world.c0().softirq_pending);
	host.run_ms(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(100u)) << "more than one budget";
	EXPECT_EQ(threaded("0"), 0);
	send(1);
	host.run_ms(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(101u));
	EXPECT_EQ(threaded("1"), 0);
	host.on_cpu([&] { dev_close(*vb); });
	EXPECT_EQ(polled(), 0u);
	host.on_cpu([&] { dev_open(*vb); });
	host.run_ms(20);
	ASSERT_NE(napi.thread, nullptr) << "an instance that is made anew has a thread, too";
	send(1);
	host.run_ms(1);
	EXPECT_THAT(arrived(), testing::ElementsAre(102u));
}

// --- tap: the other device whose end is not in this host ---

TEST(tun, frames_go_out_by_the_ring_and_come_in_when_written)
{
	net_host host;
	packet_type type{.type = htons(ETH_P_TEST), .func = take};
	int err = 0;
	int wakeups = 0;

	host.enter();
	net_device *tap = tun_set_iff(
		init_net(), "tap0", IFF_TAP | IFF_NO_PI,
		[](net_device &, void *n) { ++*static_cast<int *>(n); }, &wakeups, err);

	ASSERT_NE(tap, nullptr);
	u8 buf[128];
	EXPECT_EQ(tun_get_user(*tap, buf, 60), -EIO);
	EXPECT_EQ(tun_get_user(*tap, buf, 13), -EINVAL);
	dev_open(*tap);
	EXPECT_FALSE(tap->features & (NETIF_F_HW_CSUM | NETIF_F_TSO));
	EXPECT_EQ(dev_queue_xmit(frame(*tap, tap->broadcast)), 0);
	EXPECT_EQ(wakeups, 1);
	EXPECT_EQ(tun_do_read(*tap, buf, sizeof(buf)), 60u);
	EXPECT_EQ(tun_do_read(*tap, buf, sizeof(buf)), 0u);
	dev_add_pack(type);
	EXPECT_EQ(tun_get_user(*tap, buf, 60), 60);
	dev_remove_pack(type);
	ASSERT_EQ(inbox.size(), 1u);
	EXPECT_EQ(inbox[0].pkt_type, PACKET_BROADCAST);
	tun_chr_close(*tap);
	host.leave();
}

} // namespace
} // namespace skbwalk::test
