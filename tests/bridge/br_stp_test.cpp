// SPDX-License-Identifier: GPL-2.0-only
#include "stack/bridge/br_private_stp.h"

#include "tests/bridge/bridge_host.h"

namespace skbwalk::test {
namespace {

std::vector<std::vector<u8>> bpdus;
int keep_bpdu(skb_ptr skb, net_device &, packet_type &, net_device &)
{
	bpdus.emplace_back(skb->data, skb->data + skb->len);
	consume_skb(std::move(skb));
	return 0;
}

TEST(br_stp, port_listens_learns_and_forwards_each_for_the_forwarding_delay)
{
	bridge_host h;
	h.on_cpu([&] {
		dev_close(*h.br_dev);
		EXPECT_EQ(br_stp_set_enabled(h.br(), true), 0);
		EXPECT_EQ(br_set_forward_delay(h.br(), 400), 0);
		return dev_open(*h.br_dev);
	});
	EXPECT_EQ(h.port(0).state, BR_STATE_LISTENING);
	EXPECT_FALSE(netif_carrier_ok(*h.br_dev));
	EXPECT_EQ(h.send(0, everybody), names{});
	h.run_ms(4500);
	EXPECT_EQ(h.port(0).state, BR_STATE_LEARNING);
	h.run_ms(4500);
	EXPECT_EQ(h.port(0).state, BR_STATE_FORWARDING);
	EXPECT_TRUE(netif_carrier_ok(*h.br_dev));
	EXPECT_EQ(h.send(0, everybody), (names{"br0", "e1", "e2"}));
}

TEST(br_stp, root_says_hello_with_an_802_2_frame_of_38_bytes)
{
	bridge_host h{1};
	packet_type llc{.type = htons(ETH_P_802_2), .dev = h.ends[0], .func = keep_bpdu};
	bpdus.clear();
	h.on_cpu([&] {
		dev_add_pack(llc);
		return br_stp_set_enabled(h.br(), true);
	});
	h.run_ms(5000);
	h.on_cpu([&] { dev_remove_pack(llc); });
	ASSERT_GE(bpdus.size(), 2u);
	const std::vector<u8> &b = bpdus.back();
	ASSERT_EQ(b.size(), 38u);
	EXPECT_EQ(b[0], 0x42);
	EXPECT_EQ(b[1], 0x42);
	EXPECT_EQ(b[2], 0x03);
	EXPECT_EQ(b[6], BPDU_TYPE_CONFIG);
	EXPECT_EQ(b[8], 0x80);
	EXPECT_TRUE(std::equal(b.begin() + 10, b.begin() + 16, h.br_dev->dev_addr.begin()));
	EXPECT_EQ(b[28] << 8 | b[29], 0x8001);   // port
	EXPECT_EQ(b[32] << 8 | b[33], 20 * 256); // maximum age
	EXPECT_EQ(b[34] << 8 | b[35], 2 * 256);  // hello
	EXPECT_EQ(b[36] << 8 | b[37], 15 * 256); // forwarding delay
}

TEST(br_stp, of_two_links_between_two_bridges_one_blocks_and_takes_over_when_the_other_goes)
{
	bridge_host h{0};
	net_device *one = nullptr, *other = nullptr;
	h.on_cpu([&] {
		br_add_bridge(*h.far, "br1");
		net_bridge &b1 = netdev_priv<net_bridge>(*__dev_get_by_name(*h.far, "br1"));
		br_set_forward_delay(h.br(), 200);
		br_set_forward_delay(b1, 200);
		br_stp_set_bridge_priority(h.br(), 4096);
		for (const char *n : {"x", "y"}) {
			veth_newlink(init_net(), std::string("a") + n, *h.far, std::string("b") + n);
			net_device &a = *__dev_get_by_name(init_net(), std::string("a") + n);
			net_device &b = *__dev_get_by_name(*h.far, std::string("b") + n);
			br_add_if(h.br(), a);
			br_add_if(b1, b);
			dev_open(a);
			dev_open(b);
		}
		br_stp_set_enabled(h.br(), true);
		br_stp_set_enabled(b1, true);
		one = __dev_get_by_name(*h.far, "bx");
		other = __dev_get_by_name(*h.far, "by");
		dev_open(*b1.dev);
	});
	h.run_ms(8000);
	EXPECT_EQ(br_port_get_rtnl(*one)->state, BR_STATE_FORWARDING);
	EXPECT_EQ(br_port_get_rtnl(*other)->state, BR_STATE_BLOCKING);
	EXPECT_EQ(br_port_get_rtnl(*one)->br->root_port, br_port_get_rtnl(*one)->port_no);
	h.on_cpu([&] { dev_close(*one); });
	h.run_ms(6000);
	EXPECT_EQ(br_port_get_rtnl(*other)->state, BR_STATE_FORWARDING);
}

TEST(br_stp, bpdu_on_a_guarded_port_disables_it)
{
	bridge_host h{2};
	h.port(0).flags |= BR_BPDU_GUARD;
	h.on_cpu([&] { return br_stp_set_enabled(h.br(), true); });
	h.on_cpu([&] {
		skb_ptr skb = alloc_skb(128, GFP_KERNEL);
		skb_reserve(*skb, 64);
		const u8 bpdu[] = {0x42, 0x42, 0x03, 0, 0, 0, BPDU_TYPE_TCN};
		std::memcpy(skb_put(*skb, sizeof(bpdu)), bpdu, sizeof(bpdu));
		skb->dev = h.ends[0];
		skb->protocol = htons(ETH_P_802_2);
		dev_hard_header(*skb, *h.ends[0], ETH_P_802_2, h.br().group_addr.data(), nullptr, skb->len);
		return dev_queue_xmit(std::move(skb));
	});
	h.run_ms(1);
	EXPECT_EQ(h.port(0).state, BR_STATE_DISABLED);
}

} // namespace
} // namespace skbwalk::test
