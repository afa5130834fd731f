// SPDX-License-Identifier: GPL-2.0-only
//
// A host with a bridge br0 and ports p0, p1, p2, each wired to a device e0, e1, e2 whose frames a test sends
// and receives (02:00:00:00:00:E0 and up). Ports forward already.
#pragma once

#include "devices/veth.h"
#include "stack/bridge/br_private.h"
#include "tests/ipv4/ip_host.h"

namespace skbwalk::test {

class bridge_host : public ip_host {
public:
	explicit bridge_host(u32 number = 3)
	{
		type.type = htons(ETH_P_TEST);
		type.func = take;
		enter();
		br_init();
		EXPECT_EQ(br_add_bridge(init_net(), "br0"), 0);
		br_dev = __dev_get_by_name(init_net(), "br0");
		for (u32 i = 0; i < number; ++i) {
			const std::string n = std::to_string(i);
			veth_newlink(init_net(), "p" + n, *far, "e" + n);
			ports.push_back(__dev_get_by_name(init_net(), "p" + n));
			ends.push_back(__dev_get_by_name(*far, "e" + n));
			EXPECT_EQ(dev_set_mac_address(*ends[i], mac(static_cast<u8>(0xe0 + i))), 0);
			EXPECT_EQ(br_add_if(br(), *ports[i]), 0);
			EXPECT_EQ(dev_open(*ends[i]), 0);
			EXPECT_EQ(dev_open(*ports[i]), 0);
		}
		EXPECT_EQ(dev_open(*br_dev), 0);
		dev_add_pack(type);
		leave();
		run_ms(2000);
	}
	~bridge_host()
	{
		enter();
		dev_remove_pack(type);
		leave();
	}
	net_bridge &br() { return netdev_priv<net_bridge>(*br_dev); }
	net_bridge_port &port(std::size_t i) { return *br_port_get_rtnl(*ports[i]); }
	static mac_addr mac(u8 last) { return mac_addr{{2, 0, 0, 0, 0, last}}; }
	// Which ends (and "br0") a frame from end `i` to that address came out at.
	std::vector<std::string> send(std::size_t i, const mac_addr &to, u16 vid = 0)
	{
		inbox.clear();
		on_cpu([&] {
			skb_ptr skb = frame(*ends[i], to);
			if (vid)
				__vlan_hwaccel_put_tag(*skb, htons(ETH_P_8021Q), vid);
			return dev_queue_xmit(std::move(skb));
		});
		run_ms(1);
		std::vector<std::string> at;
		for (const received &r : inbox)
			at.push_back(r.dev);
		std::sort(at.begin(), at.end());
		return at;
	}

	net_device *br_dev = nullptr;
	std::vector<net_device *> ports, ends;
	packet_type type;
};

inline const mac_addr everybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
using names = std::vector<std::string>;

} // namespace skbwalk::test
