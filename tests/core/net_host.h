// SPDX-License-Identifier: GPL-2.0-only
//
// A host with the core's network: loopback, namespaces, devices, no protocol above. Tests add a protocol of
// their own (an experimental Ethernet type) and look at what it gets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/skbuff.h"
#include "stack/ethernet/eth.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk::test {

constexpr u16 ETH_P_TEST = 0x88b5;

struct received {
	std::string dev;
	u8 pkt_type;
	u32 len;
	bool has_dst;
	u32 mark;
};
// What test protocols got, of the test that runs.
inline std::vector<received> inbox;

inline int take(skb_ptr skb, net_device &dev, packet_type &, net_device &)
{
	inbox.push_back({dev.name, skb->pkt_type, skb->len, skb_dst(*skb) != nullptr, skb->mark});
	consume_skb(std::move(skb));
	return NET_RX_SUCCESS;
}

class net_host {
public:
	explicit net_host(u32 cpus = 1) : world(cpus)
	{
		inbox.clear();
		in_.emplace(world.c0());
		skb_init();
		net_dev_init();
		leave();
	}
	~net_host()
	{
		enter();
		end_namespaces();
		EXPECT_EQ(live_netdevs(world.h), 0u);
		EXPECT_EQ(skb_dropped_unspecified(), 0u);
		EXPECT_THAT(slab_report(world.h),
		            polls ? testing::MatchesRegex("(skbuff_head_cache [0-9]+\n)?(pages 1\n)?")
		                  : testing::MatchesRegex(""));
		leave();
	}
	// Between enter() and leave() the test is code of the host's cpu; outside, time goes by.
	void enter() { in_.emplace(world.c0()); }
	void leave() { in_.reset(); }
	template <class Fn> auto on_cpu(Fn fn)
	{
		const enter_cpu in(world.c0());

		return fn();
	}
	void run_ms(u64 ms) { world.run_ms(ms); }
	net_device &dev(net &n, const std::string &name) { return *__dev_get_by_name(n, name); }

	bench_world world;
	bool polls = false; // then its cpu keeps a page and heads of packets

private:
	std::optional<enter_cpu> in_;
};

// An Ethernet frame for `dev` to send, `payload` bytes long.
inline skb_ptr frame(net_device &dev, const mac_addr &to, u32 payload = 46)
{
	skb_ptr skb = alloc_skb(LL_RESERVED_SPACE(dev) + payload, GFP_KERNEL);

	skb_reserve(*skb, LL_RESERVED_SPACE(dev));
	std::memset(skb_put(*skb, payload), 0, payload);
	skb_reset_network_header(*skb);
	skb->dev = &dev;
	skb->protocol = htons(ETH_P_TEST);
	EXPECT_GE(dev_hard_header(*skb, dev, ETH_P_TEST, to.data(), nullptr, payload), 0);
	return skb;
}

} // namespace skbwalk::test
