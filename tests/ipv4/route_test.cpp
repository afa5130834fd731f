// SPDX-License-Identifier: GPL-2.0-only
#include "stack/ipv4/ip.h"
#include "tests/ipv4/ip_host.h"

namespace skbwalk::test {
namespace {

struct route_test : testing::Test {
	ip_host host;

	void SetUp() override { host.enter(); }
	void TearDown() override { host.leave(); }
	// An IPv4 packet that came in by a device.
	static skb_ptr arrived(net_device &dev, be32 saddr, be32 daddr)
	{
		skb_ptr skb = alloc_skb(128, GFP_KERNEL);

		skb_reset_network_header(*skb);
		auto &iph = *reinterpret_cast<iphdr *>(skb_put(*skb, sizeof(iphdr)));
		iph = {};
		iph.ver_ihl = 0x45;
		iph.protocol = IPPROTO_UDP;
		iph.saddr = saddr;
		iph.daddr = daddr;
		skb->protocol = htons(ETH_P_IP);
		skb->dev = &dev;
		return skb;
	}
	struct verdict {
		int err = 0;
		u16 type = 0;
		int dst_error = 0;
		dst_entry *dst = nullptr;
	};
	static verdict input(net_device &dev, be32 saddr, be32 daddr)
	{
		skb_ptr skb = arrived(dev, saddr, daddr);
		verdict v;

		rcu_read_lock();
		v.err = ip_route_input_noref(*skb, daddr, saddr, 0, dev);
		if (!v.err) {
			v.dst = skb_dst(*skb);
			v.type = skb_rtable(*skb)->rt_type;
			v.dst_error = v.dst->error;
		}
		skb_dst_drop(*skb);
		rcu_read_unlock();
		consume_skb(std::move(skb));
		return v;
	}
};

TEST_F(route_test, own_address_goes_over_lo_and_only_lo_keeps_the_dst)
{
	for (const auto &[to, kept] : {std::pair(ip(127, 0, 0, 1), true), {ip(10, 0, 0, 1), false}}) {
		const rt_or_err a = host.route_to(to), b = host.route_to(to);

		ASSERT_TRUE(a.rt && b.rt);
		EXPECT_EQ(a.rt->dev, init_net().loopback_dev);
		EXPECT_TRUE(a.rt->rt_flags & RTCF_LOCAL);
		EXPECT_EQ(a.rt == b.rt, kept);
		ip_rt_put(*a.rt);
		ip_rt_put(*b.rt);
	}
}

TEST_F(route_test, subnet_gives_device_and_source_and_a_flush_makes_a_new_dst)
{
	flowi4 fl4;
	fl4.daddr = ip(10, 0, 0, 2);
	const rt_or_err a = __ip_route_output_key(init_net(), fl4);

	ASSERT_TRUE(a.rt);
	EXPECT_EQ(fl4.saddr, ip(10, 0, 0, 1));
	EXPECT_EQ(a.rt->dev, host.v1);
	EXPECT_EQ(dst_check(*a.rt, 0), a.rt);
	rt_cache_flush(init_net());
	EXPECT_EQ(dst_check(*a.rt, 0), nullptr);
	const rt_or_err b = host.route_to(ip(10, 0, 0, 2));
	EXPECT_NE(a.rt, b.rt);
	ip_rt_put(*a.rt);
	ip_rt_put(*b.rt);
}

TEST_F(route_test, no_route_and_routes_of_error_types_give_their_errno)
{
	EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err, -ENETUNREACH);
	for (const auto &[type, err] :
	     {std::pair(RTN_UNREACHABLE, -EHOSTUNREACH), {RTN_PROHIBIT, -EACCES}, {RTN_BLACKHOLE, -EINVAL}}) {
		fib_config cfg;
		cfg.fc_type = type;
		cfg.fc_dst = ip(192, 0, 2, 0);
		cfg.fc_dst_len = 24;
		EXPECT_EQ(host.add_route(cfg), 0);
		EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err, err);
		EXPECT_EQ(host.del_route(cfg), 0);
	}
	EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err, -ENETUNREACH);
}

TEST_F(route_test, commands_that_the_kernel_refuses_say_why)
{
	EXPECT_EQ(host.add_route(unicast(ip(192, 0, 2, 0), 24, ip(172, 16, 0, 1))), -ENETUNREACH);
	EXPECT_STREQ(host.ack.msg, "Nexthop has invalid gateway");
	EXPECT_EQ(host.add_route(unicast(ip(192, 0, 2, 1), 24, ip(10, 0, 0, 2))), -EINVAL);
	EXPECT_STREQ(host.ack.msg, "Invalid prefix for given prefix length");
	EXPECT_EQ(host.add_route(unicast(ip(192, 0, 2, 0), 24, ip(10, 0, 0, 2))), 0);
	EXPECT_EQ(host.add_route(unicast(ip(192, 0, 2, 0), 24, ip(10, 0, 0, 2))), -EEXIST);
	EXPECT_EQ(host.del_route(unicast(ip(192, 0, 3, 0), 24, ip(10, 0, 0, 2))), -ESRCH);
	EXPECT_EQ(inet_add_ifaddr(*host.v1, ip(10, 0, 0, 1), 24, be32{}, RT_SCOPE_UNIVERSE), -EEXIST);
	EXPECT_EQ(inet_del_ifaddr(*host.v1, ip(10, 0, 0, 9), 24), -EADDRNOTAVAIL);
}

TEST_F(route_test, gateway_is_the_nexthop_until_its_device_goes_down)
{
	ASSERT_EQ(host.add_route(unicast(be32{}, 0, ip(10, 0, 0, 2))), 0);
	const rt_or_err r = host.route_to(ip(192, 0, 2, 1));

	ASSERT_TRUE(r.rt);
	EXPECT_EQ(rt_nexthop(*r.rt, ip(192, 0, 2, 1)), ip(10, 0, 0, 2));
	ip_rt_put(*r.rt);
	dev_close(*host.v1);
	EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err, -ENETUNREACH);
	dev_open(*host.v1);
	EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err,
	          -ENETUNREACH); // such routes do not come back by themselves
	const rt_or_err on_link = host.route_to(ip(10, 0, 0, 2));
	ASSERT_TRUE(on_link.rt);
	ip_rt_put(*on_link.rt);
}

TEST_F(route_test, deleted_address_takes_its_routes_and_what_preferred_it_along)
{
	fib_config cfg = unicast(ip(192, 0, 2, 0), 24, ip(10, 0, 0, 2));

	ASSERT_EQ(inet_add_ifaddr(*host.v1, ip(10, 1, 0, 1), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
	cfg.fc_prefsrc = ip(10, 1, 0, 1);
	ASSERT_EQ(host.add_route(cfg), 0);
	EXPECT_EQ(inet_addr_type(init_net(), ip(10, 1, 0, 1)), RTN_LOCAL);
	EXPECT_EQ(inet_addr_type(init_net(), ip(10, 1, 0, 255)), RTN_BROADCAST);
	ASSERT_EQ(inet_del_ifaddr(*host.v1, ip(10, 1, 0, 1), 24), 0);
	EXPECT_EQ(inet_addr_type(init_net(), ip(10, 1, 0, 1)), RTN_UNICAST);
	EXPECT_EQ(host.route_to(ip(192, 0, 2, 1)).err, -ENETUNREACH);
	EXPECT_EQ(host.route_to(ip(10, 1, 0, 7)).err, -ENETUNREACH);
	EXPECT_EQ(__ip_dev_find(init_net(), ip(10, 1, 0, 1), false), nullptr);
	EXPECT_EQ(__ip_dev_find(init_net(), ip(127, 5, 5, 5), false), init_net().loopback_dev);
}

TEST_F(route_test, path_mtu_is_learned_for_one_destination_and_expires)
{
	rt_or_err r = host.route_to(ip(10, 0, 0, 2));
	skb_ptr quoted = arrived(*host.v1, ip(10, 0, 0, 1), ip(10, 0, 0, 2));

	EXPECT_EQ(ipv4_mtu(*r.rt), 1500u);
	r.rt->ops->update_pmtu(*r.rt, nullptr, quoted.get(), 1000, true);
	consume_skb(std::move(quoted));
	EXPECT_EQ(dst_check(*r.rt, 0), nullptr);
	ip_rt_put(*r.rt);
	r = host.route_to(ip(10, 0, 0, 2));
	EXPECT_EQ(ipv4_mtu(*r.rt), 1000u);
	EXPECT_EQ(r.rt->ops->default_advmss(*r.rt), 960u);
	ip_rt_put(*r.rt);
	r = host.route_to(ip(10, 0, 0, 3));
	EXPECT_EQ(ipv4_mtu(*r.rt), 1500u);
	ip_rt_put(*r.rt);

	host.leave();
	host.run_ms(11 * 60 * 1000);
	host.enter();
	r = host.route_to(ip(10, 0, 0, 2));
	EXPECT_EQ(ipv4_mtu(*r.rt), 1500u);
	ip_rt_put(*r.rt);
}

TEST_F(route_test, what_comes_in_is_ours_or_refused_or_forwarded)
{
	const verdict ours = input(*host.v1, ip(10, 0, 0, 2), ip(10, 0, 0, 1));
	EXPECT_EQ(ours.err, 0);
	EXPECT_EQ(ours.type, RTN_LOCAL);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(10, 0, 0, 1)).dst, ours.dst);

	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 1), ip(10, 0, 0, 1)).err,
	          -EINVAL); // our own address as source
	EXPECT_EQ(input(*host.v1, ip(224, 0, 0, 9), ip(10, 0, 0, 1)).err, -EINVAL); // a group as source
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(127, 0, 0, 1)).err, -EINVAL);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(224, 0, 0, 1)).err, 0); // all hosts
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(224, 0, 0, 9)).err, -EINVAL);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(10, 0, 0, 255)).type, RTN_BROADCAST);

	ASSERT_EQ(host.add_route(unicast(ip(192, 0, 2, 0), 24, ip(10, 0, 0, 9))), 0);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(192, 0, 2, 1)).dst_error, EHOSTUNREACH);
	ASSERT_EQ(devinet_sysctl_write(init_net(), "ip_forward", 1), 0);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(192, 0, 2, 1)).type, RTN_UNICAST);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(198, 51, 100, 1)).dst_error, ENETUNREACH);
}

TEST_F(route_test, reverse_path_filter_refuses_a_source_that_is_routed_elsewhere)
{
	EXPECT_EQ(input(*host.v1, ip(192, 0, 2, 7), ip(10, 0, 0, 1)).err, 0);
	ASSERT_EQ(devinet_sysctl_write(init_net(), "conf.v1.rp_filter", 1), 0);
	EXPECT_EQ(input(*host.v1, ip(192, 0, 2, 7), ip(10, 0, 0, 1)).err, -EXDEV);
	EXPECT_EQ(input(*host.v1, ip(10, 0, 0, 2), ip(10, 0, 0, 1)).err, 0);
}

TEST_F(route_test, two_nexthops_share_the_destinations_by_weight)
{
	ASSERT_EQ(inet_add_ifaddr(*host.v1, ip(10, 2, 0, 1), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
	fib_config cfg;
	cfg.fc_dst = ip(192, 0, 0, 0);
	cfg.fc_dst_len = 16;
	cfg.fc_mp = {{0, true, ip(10, 0, 0, 2), 1, 0}, {0, true, ip(10, 2, 0, 2), 3, 0}};
	ASSERT_EQ(host.add_route(cfg), 0);
	int second = 0;

	for (u32 i = 0; i < 400; ++i) {
		const rt_or_err r = host.route_to(htonl(0xC0000000u + i * 7));
		ASSERT_TRUE(r.rt);
		second += rt_nexthop(*r.rt, be32{}) == ip(10, 2, 0, 2);
		ip_rt_put(*r.rt);
	}
	EXPECT_GT(second, 250);
	EXPECT_LT(second, 350);
}

} // namespace
} // namespace skbwalk::test
