// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/ip_host.h"

namespace skbwalk::test {
namespace {

struct arp_test : testing::Test {
	ip_host host;

	u8 state(net_device &dev, be32 addr)
	{
		const enter_cpu in(host.world.c0());
		const neighbour *n = __ipv4_neigh_lookup_noref(dev, addr);

		return n ? n->nud_state : NUD_NONE;
	}
	// Somebody wants to send there.
	void ask(be32 addr)
	{
		const enter_cpu in(host.world.c0());
		neighbour *n = __neigh_lookup(arp_tbl(), addr, *host.v1, true);

		neigh_event_send(*n, nullptr);
		neigh_release(*n);
	}
	void gratuitous(net_device &dev, be32 addr)
	{
		const enter_cpu in(host.world.c0());

		arp_send(ARPOP_REQUEST, ETH_P_ARP, addr, dev, addr, nullptr, dev.dev_addr.data(), nullptr);
	}
};

TEST_F(arp_test, question_is_answered_and_both_sides_know_each_other)
{
	ask(ip(10, 0, 0, 2));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 2)), NUD_REACHABLE);
	EXPECT_EQ(state(*host.v2, ip(10, 0, 0, 1)), NUD_STALE);
	const enter_cpu in(host.world.c0());
	EXPECT_EQ(__ipv4_neigh_lookup_noref(*host.v1, ip(10, 0, 0, 2))->ha, host.v2->dev_addr);
}

TEST_F(arp_test, nobody_has_the_address_and_the_entry_fails)
{
	ask(ip(10, 0, 0, 77));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 77)), NUD_INCOMPLETE);
	host.run_ms(4000);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 77)), NUD_FAILED);
}

TEST_F(arp_test, arp_ignore_keeps_the_address_of_another_device_secret)
{
	host.enter();
	inet_add_ifaddr(*host.far->loopback_dev, ip(10, 0, 0, 3), 32, be32{}, RT_SCOPE_UNIVERSE);
	host.leave();
	ask(ip(10, 0, 0, 3));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 3)), NUD_REACHABLE);

	host.enter();
	inet_add_ifaddr(*host.far->loopback_dev, ip(10, 0, 0, 4), 32, be32{}, RT_SCOPE_UNIVERSE);
	devinet_sysctl_write(*host.far, "conf.v2.arp_ignore", 1);
	host.leave();
	ask(ip(10, 0, 0, 4));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 4)), NUD_INCOMPLETE);
}

TEST_F(arp_test, announcement_makes_an_entry_only_where_arp_accept_says_so)
{
	gratuitous(*host.v2, ip(10, 0, 0, 2));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 2)), NUD_NONE);
	host.enter();
	devinet_sysctl_write(init_net(), "conf.v1.arp_accept", 1);
	host.leave();
	gratuitous(*host.v2, ip(10, 0, 0, 2));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 2)), NUD_STALE);
}

TEST_F(arp_test, router_with_proxy_arp_answers_for_what_it_routes_elsewhere)
{
	host.enter();
	veth_newlink(*host.far, "w1", *host.far, "w2");
	net_device &w1 = *__dev_get_by_name(*host.far, "w1");
	dev_open(w1);
	dev_open(*__dev_get_by_name(*host.far, "w2"));
	inet_add_ifaddr(w1, ip(10, 0, 0, 129), 25, be32{}, RT_SCOPE_UNIVERSE);
	devinet_sysctl_write(*host.far, "ip_forward", 1);
	devinet_sysctl_write(*host.far, "conf.v2.proxy_arp", 1);
	host.leave();
	host.run_ms(20);
	ask(ip(10, 0, 0, 200));
	host.run_ms(20);
	EXPECT_EQ(state(*host.v1, ip(10, 0, 0, 200)), NUD_REACHABLE);
}

TEST_F(arp_test, truncated_or_foreign_frames_are_dropped)
{
	host.enter();
	for (const u32 len : {0u, 7u, 8u, 27u, 28u}) {
		skb_ptr skb = frame(*host.v2, host.v1->dev_addr, len);

		skb->protocol = htons(ETH_P_ARP);
		reinterpret_cast<ethhdr *>(skb->data)->h_proto = htons(ETH_P_ARP);
		dev_queue_xmit(std::move(skb));
	}
	host.leave();
	host.run_ms(20);
	EXPECT_EQ(live_neighbours(host.world.h), 0u);
}

} // namespace
} // namespace skbwalk::test
