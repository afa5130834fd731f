// SPDX-License-Identifier: GPL-2.0-only
//
// A host whose network goes up to routes and ARP: lo is up, and v1 (10.0.0.1/24, initial namespace) is wired
// to v2 (10.0.0.2/24, namespace "far"). No transport above: what is delivered is dropped by the test.
#pragma once

#include "devices/veth.h"
#include "stack/ipv4/ip_fib.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {

inline be32 ip(u8 a, u8 b, u8 c, u8 d) { return be32{{a, b, c, d}}; }

class ip_host : public net_host {
public:
	ip_host()
	{
		enter();
		arp_init();
		ip_rt_init();
		inet_initpeers();
		far = &copy_net_ns("far");
		veth_newlink(init_net(), "v1", *far, "v2");
		v1 = __dev_get_by_name(init_net(), "v1");
		v2 = __dev_get_by_name(*far, "v2");
		for (net_device *d : {init_net().loopback_dev, far->loopback_dev, v1, v2})
			EXPECT_EQ(dev_open(*d), 0);
		EXPECT_EQ(inet_add_ifaddr(*v1, ip(10, 0, 0, 1), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
		EXPECT_EQ(inet_add_ifaddr(*v2, ip(10, 0, 0, 2), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
		leave();
		run_ms(100);
	}
	~ip_host()
	{
		enter();
		while (all_nets(world.h).size() > 1)
			cleanup_net(*all_nets(world.h).back());
		leave();
	}
	// `ip route add`, in the initial namespace; the errno, and what `ip` would print.
	int add_route(fib_config cfg, u16 nlflags = NLM_F_CREATE | NLM_F_EXCL)
	{
		ack = {};
		cfg.fc_nlflags = nlflags;
		return inet_rtm_newroute(init_net(), cfg, &ack);
	}
	int del_route(fib_config cfg)
	{
		ack = {};
		return inet_rtm_delroute(init_net(), cfg, &ack);
	}
	rt_or_err route_to(be32 daddr, be32 saddr = be32{}, int oif = 0)
	{
		return ip_route_output(init_net(), daddr, saddr, 0, oif);
	}

	net *far = nullptr;
	net_device *v1 = nullptr, *v2 = nullptr;
	netlink_ext_ack ack;
};

inline fib_config unicast(be32 dst, u8 len, be32 gw)
{
	fib_config cfg;
	cfg.fc_dst = dst;
	cfg.fc_dst_len = len;
	cfg.fc_gw_family = AF_INET;
	cfg.fc_gw4 = gw;
	return cfg;
}

} // namespace skbwalk::test
