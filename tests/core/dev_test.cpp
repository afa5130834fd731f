// SPDX-License-Identifier: GPL-2.0-only
#include "tests/core/net_host.h"

#include "stack/core/sysctl_net_core.h"
#include "stack/sched/sch_generic.h"
#include "stack/trace/recorder.h"

namespace skbwalk::test {
namespace {

struct dev_test : testing::Test {
	net_host host;
	packet_type type{.type = htons(ETH_P_TEST), .func = take};

	net_device &lo() { return *init_net().loopback_dev; }
	u64 dropped(skb_drop_reason reason) { return drop_counter(reason); }
};

TEST_F(dev_test, loopback_of_a_new_host_is_down_and_has_index_1)
{
	host.enter();
	EXPECT_EQ(lo().ifindex, 1);
	EXPECT_EQ(lo().mtu, 65536u);
	EXPECT_FALSE(lo().flags & IFF_UP);
	EXPECT_EQ(lo().operstate, IF_OPER_UNKNOWN);
	EXPECT_EQ(lo()._tx[0]->qdisc, &noop_qdisc());
	EXPECT_EQ(dev_change_flags(lo(), lo().flags | IFF_UP), 0);
	EXPECT_STREQ(lo()._tx[0]->qdisc->ops->id, "noqueue");
	EXPECT_EQ(lo().features & (NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_SG | NETIF_F_GSO | NETIF_F_LLTX),
	          NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_SG | NETIF_F_GSO | NETIF_F_LLTX);
	host.leave();
}

TEST_F(dev_test, packet_sent_on_loopback_comes_back_when_bottom_halves_are_on_again)
{
	host.enter();
	dev_open(lo());
	dev_add_pack(type);
	trace::recorder recorder(1000);
	host.world.h.recorder = &recorder;
	recorder.start();
	EXPECT_EQ(dev_queue_xmit(frame(lo(), lo().dev_addr)), 0);
	recorder.stop();
	host.world.h.recorder = nullptr;
	dev_remove_pack(type);
	host.leave();
	ASSERT_EQ(inbox.size(), 1u);
	EXPECT_EQ(inbox[0].pkt_type, PACKET_HOST);
	EXPECT_EQ(inbox[0].len, 46u);

	// The order of what a real kernel shows, at the depth at which it shows it.
	const std::vector<std::string> shown = {"__dev_queue_xmit",
	                                        "netdev_core_pick_tx",
	                                        "validate_xmit_skb",
	                                        "netif_skb_features",
	                                        "skb_network_protocol",
	                                        "validate_xmit_xfrm",
	                                        "dev_hard_start_xmit",
	                                        "loopback_xmit",
	                                        "skb_clone_tx_timestamp",
	                                        "eth_type_trans",
	                                        "__netif_rx",
	                                        "netif_rx_internal",
	                                        "enqueue_to_backlog",
	                                        "__local_bh_enable_ip",
	                                        "net_rx_action",
	                                        "__napi_poll",
	                                        "process_backlog",
	                                        "__netif_receive_skb",
	                                        "__netif_receive_skb_one_core",
	                                        "__netif_receive_skb_core"};
	std::vector<std::string> seen;
	for (std::size_t i = 0; i < recorder.size(); ++i) {
		if (recorder.at(i).kind != trace::record_kind::enter)
			continue;
		const std::string name = trace::site_of(recorder.at(i).site).name;
		if (std::ranges::find(shown, name) != shown.end())
			seen.push_back(name);
	}
	EXPECT_EQ(seen, shown);
}

TEST_F(dev_test, packet_without_a_protocol_is_dropped_with_a_reason)
{
	host.enter();
	dev_open(lo());
	dev_queue_xmit(frame(lo(), lo().dev_addr));
	EXPECT_EQ(dropped(SKB_DROP_REASON_UNHANDLED_PROTO), 1u);
	EXPECT_EQ(lo().rx_dropped, 1u);
	host.leave();
}

TEST_F(dev_test, tap_sees_a_packet_leave_and_arrive)
{
	packet_type tap{.type = htons(ETH_P_ALL), .func = take};

	host.enter();
	dev_open(lo());
	dev_add_pack(type);
	dev_add_pack(tap);
	dev_queue_xmit(frame(lo(), lo().dev_addr));
	dev_remove_pack(tap);
	dev_remove_pack(type);
	host.leave();
	ASSERT_EQ(inbox.size(), 3u);
	EXPECT_EQ(inbox[0].pkt_type, PACKET_OUTGOING);
	EXPECT_EQ(inbox[0].len, 60u);
	EXPECT_EQ(inbox[1].pkt_type, PACKET_HOST);
	EXPECT_EQ(inbox[2].len, 46u);
}

TEST_F(dev_test, full_backlog_drops_what_comes_next)
{
	host.enter();
	net_core->netdev_max_backlog = 2;
	dev_open(lo());
	local_bh_disable();
	for (int i = 0; i < 5; ++i)
		dev_queue_xmit(frame(lo(), lo().dev_addr));
	EXPECT_EQ(dropped(SKB_DROP_REASON_CPU_BACKLOG), 2u);
	EXPECT_EQ(softnet->dropped, 2u);
	local_bh_enable();
	EXPECT_EQ(softnet->processed, 3u);
	host.leave();
}

TEST_F(dev_test, rx_handler_that_redirects_gives_the_packet_another_round)
{
	static net_device *elsewhere;

	host.enter();
	net_device &first = lo();
	elsewhere = copy_net_ns("other").loopback_dev;
	dev_open(first);
	dev_add_pack(type);
	netdev_rx_handler_register(
		first,
		[](skb_ptr &skb) {
			skb->dev = elsewhere;
			return RX_HANDLER_ANOTHER;
		},
		nullptr);
	EXPECT_EQ(netdev_rx_handler_register(first, nullptr, nullptr), -EBUSY);
	dev_queue_xmit(frame(first, first.dev_addr));
	netdev_rx_handler_unregister(first);
	dev_remove_pack(type);
	EXPECT_EQ(softnet->processed, 2u);
	host.leave();
	EXPECT_EQ(inbox.size(), 1u);
}

TEST_F(dev_test, frame_that_ends_within_its_vlan_tag_is_a_drop)
{
	host.enter();
	dev_open(lo());
	for (const u32 behind_the_header : {0u, 4u, 5u}) {
		skb_ptr skb = alloc_skb(64, GFP_ATOMIC);
		const u64 had = dropped(SKB_DROP_REASON_NOT_SPECIFIED);

		std::memset(skb_put(*skb, ETH_HLEN + behind_the_header), 0, ETH_HLEN + behind_the_header);
		skb->dev = &lo();
		skb_reset_mac_header(*skb);
		__skb_pull(*skb, ETH_HLEN);
		skb->protocol = htons(ETH_P_8021Q);
		local_bh_disable();
		EXPECT_EQ(netif_receive_skb(std::move(skb)), NET_RX_DROP);
		local_bh_enable();
		EXPECT_EQ(dropped(SKB_DROP_REASON_NOT_SPECIFIED), had + 1);
	}
	host.leave();
}

// --- a device with a queue, whose driver can be busy ---

struct driver {
	static inline int room = 0;
	static inline std::vector<u32> sent;
	static netdev_tx_t xmit(skb_ptr &skb, net_device &dev)
	{
		if (!room) {
			netif_tx_stop_queue(*netdev_get_tx_queue(dev, 0));
			return NETDEV_TX_BUSY;
		}
		--room;
		sent.push_back(skb->priority);
		consume_skb(std::move(skb));
		return NETDEV_TX_OK;
	}
	static void setup(net_device &dev)
	{
		static const net_device_ops ops = {.ndo_start_xmit = xmit};

		ether_setup(dev);
		dev.netdev_ops = &ops;
		dev.dev_addr = {2, 0, 0, 0, 0, 1};
	}
	static net_device &make()
	{
		net_device &dev = *alloc_netdev(init_net(), "t%d", setup, 1);

		sent.clear();
		EXPECT_EQ(register_netdevice(dev), 0);
		EXPECT_EQ(dev_open(dev), 0);
		return dev;
	}
};

TEST_F(dev_test, busy_driver_keeps_packets_and_gets_them_by_priority_when_it_wakes)
{
	host.enter();
	net_device &dev = driver::make();
	Qdisc &q = *dev._tx[0]->qdisc;

	EXPECT_STREQ(q.ops->id, "pfifo_fast");
	driver::room = 0;
	for (const u32 priority : {0u, 1u, 7u}) {
		skb_ptr skb = frame(dev, dev.broadcast);

		skb->priority = priority;
		EXPECT_EQ(dev_queue_xmit(std::move(skb)), NET_XMIT_SUCCESS);
	}
	EXPECT_EQ(q.q.qlen, 3u);
	EXPECT_THAT(driver::sent, testing::IsEmpty());
	driver::room = 3;
	local_bh_disable();
	netif_tx_wake_queue(*dev._tx[0]);
	local_bh_enable();
	EXPECT_THAT(driver::sent, testing::ElementsAre(0u, 7u, 1u));
	EXPECT_EQ(q.q.qlen, 0u);
	unregister_netdevice(dev);
	host.leave();
}

TEST_F(dev_test, closed_device_frees_what_its_queue_holds)
{
	host.enter();
	net_device &dev = driver::make();

	driver::room = 0;
	dev_queue_xmit(frame(dev, dev.broadcast));
	dev_queue_xmit(frame(dev, dev.broadcast));
	dev_close(dev);
	EXPECT_EQ(dev._tx[0]->qdisc, &noop_qdisc());
	EXPECT_EQ(dev_queue_xmit(frame(dev, dev.broadcast)), NET_XMIT_CN);
	EXPECT_EQ(dropped(SKB_DROP_REASON_QDISC_DROP), 1u);
	unregister_netdevice(dev);
	host.leave();
}

TEST_F(dev_test, name_with_a_number_takes_the_first_that_is_free)
{
	host.enter();
	net_device &t0 = driver::make();
	net_device &t1 = driver::make();

	EXPECT_EQ(t0.name, "t0");
	EXPECT_EQ(t1.name, "t1");
	EXPECT_EQ(t1.ifindex, t0.ifindex + 1);
	EXPECT_EQ(dev_set_mtu(t0, 67), -EINVAL);
	unregister_netdevice(t0);
	EXPECT_EQ(driver::make().name, "t0");
	host.leave();
}

} // namespace
} // namespace skbwalk::test
