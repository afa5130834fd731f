// SPDX-License-Identifier: GPL-2.0-only
#include "tests/core/net_host.h"

#include "devices/veth.h"

namespace skbwalk::test {
namespace {

std::vector<std::string> calls;

template <char Id>
constexpr pernet_operations noted{"noted",
                                  [](net &n) {
					  calls.push_back(std::string("+") + Id + n.name);
					  return 0;
				  },
                                  [](net &n) { calls.push_back(std::string("-") + Id + n.name); }};

TEST(net_namespace, subsystems_come_before_devices_and_go_after_them)
{
	static constexpr pernet_operations counts_devices{
		"counts", nullptr,
		[](net &n) { calls.push_back(std::to_string(n.dev_list.size()) + " left"); }};

	calls.clear();
	{
		net_host host;

		host.enter();
		register_pernet_device(noted<'d'>);
		register_pernet_subsys(counts_devices);
		register_pernet_subsys(noted<'s'>);
		copy_net_ns("x");
		cleanup_net(*get_net_ns_by_name("x"));
		EXPECT_THAT(calls, testing::ElementsAre("+d", "+s", "+sx", "+dx", "-dx", "-sx", "0 left"));
		host.leave();
	}
}

TEST(net_namespace, new_namespace_has_a_loopback_device_of_its_own)
{
	net_host host;

	host.enter();
	net &x = copy_net_ns("x");

	EXPECT_EQ(get_net_ns_by_name("x"), &x);
	EXPECT_EQ(get_net_ns_by_name("y"), nullptr);
	ASSERT_NE(x.loopback_dev, nullptr);
	EXPECT_NE(x.loopback_dev, init_net().loopback_dev);
	EXPECT_EQ(x.loopback_dev->ifindex, 1);
	EXPECT_NE(x.hash_mix, init_net().hash_mix);
	EXPECT_EQ(dev_change_net_namespace(*x.loopback_dev, init_net(), nullptr), -EINVAL);
	host.leave();
}

TEST(net_namespace, end_of_a_namespace_takes_the_peer_of_its_veth_along)
{
	net_host host;

	host.enter();
	net &x = copy_net_ns("x");

	ASSERT_EQ(veth_newlink(init_net(), "v1", x, "v2"), 0);
	cleanup_net(x);
	EXPECT_EQ(__dev_get_by_name(init_net(), "v1"), nullptr);
	EXPECT_EQ(init_net().dev_list.size(), 1u);
	host.leave();
}

TEST(net_namespace, sysctl_is_found_by_its_name)
{
	netns_ipv4 ipv4;

	ASSERT_NE(ipv4_sysctl(ipv4, "tcp_syncookies"), nullptr);
	*ipv4_sysctl(ipv4, "tcp_syncookies") = 2;
	EXPECT_EQ(ipv4.sysctl_tcp_syncookies, 2);
	EXPECT_EQ(ipv4_sysctl(ipv4, "tcp_no_such"), nullptr);
}

} // namespace
} // namespace skbwalk::test
