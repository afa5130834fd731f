// SPDX-License-Identifier: GPL-2.0-only
#include "devices/veth.h"

#include "devices/tun.h"
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
