// SPDX-License-Identifier: GPL-2.0-only
#include "stack/core/neighbour.h"

#include "devices/veth.h"
#include "stack/core/netlink.h"
#include "stack/wire/socket.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {
namespace {

int solicited;
int unreachable;

u32 hash(const be32 &key, const net_device &dev, const u32 *rnd)
{
	return (key.raw() ^ static_cast<u32>(dev.ifindex)) * rnd[0];
}
const neigh_ops ops = {
	.family = AF_INET,
	.solicit = [](neighbour &, sk_buff *) { ++solicited; },
	.error_report =
		[](neighbour &, skb_ptr skb) {
			++unreachable;
			kfree_skb(std::move(skb));
		},
	.output = neigh_resolve_output,
	.connected_output = neigh_resolve_output,
};
int construct(neighbour &n)
{
	n.ops = &ops;
	n.output = ops.output;
	return 0;
}
void set_up(neigh_table &tbl)
{
	tbl.family = AF_INET;
	tbl.protocol = htons(ETH_P_TEST);
	tbl.hash = hash;
	tbl.key_eq = [](const neighbour &n, const be32 &key) { return n.primary_key == key; };
	tbl.constructor = construct;
	tbl.parms.data = {3, 3, 0, 0, HZ, 30 * HZ, 5 * HZ, 60 * HZ, 4096};
	neigh_table_init(tbl);
}

constexpr be32 peer{{10, 0, 0, 2}};
constexpr mac_addr mac{{2, 0, 0, 0, 0, 2}};

struct neighbour_test : testing::Test {
	net_host host;
	neigh_table *tbl = nullptr;
	net_device *dev = nullptr;

	void SetUp() override
	{
		solicited = unreachable = 0;
		host.enter();
		tbl = new neigh_table;
		set_up(*tbl);
		veth_newlink(init_net(), "v1", init_net(), "v2");
		dev = __dev_get_by_name(init_net(), "v1");
		dev_open(*dev);
		dev_open(*__dev_get_by_name(init_net(), "v2"));
		host.leave();
		host.run_ms(20);
	}
	void TearDown() override
	{
		host.enter();
		neigh_table_clear(*tbl);
		EXPECT_EQ(live_neighbours(host.world.h), 0u);
		delete tbl;
		host.leave();
	}
	// A packet for the peer, as IP would hand it over.
	int send(u32 len = 46)
	{
		skb_ptr skb = alloc_skb(LL_RESERVED_SPACE(*dev) + len, GFP_KERNEL);

		skb_reserve(*skb, LL_RESERVED_SPACE(*dev));
		std::memset(skb_put(*skb, len), 0, len);
		skb_reset_network_header(*skb);
		skb->dev = dev;
		skb->protocol = htons(ETH_P_TEST);

		neighbour *n = __neigh_lookup(*tbl, peer, *dev, true);
		const int rc = neigh_output(*n, std::move(skb), false);

		neigh_release(*n);
		return rc;
	}
	u8 state()
	{
		const enter_cpu in(host.world.c0());
		neighbour *n = __neigh_lookup_noref(*tbl, peer, *dev);

		return n ? n->nud_state : NUD_NONE;
	}
	void answer(u8 nud = NUD_REACHABLE)
	{
		neighbour *n = neigh_lookup(*tbl, peer, *dev);

		neigh_update(*n, &mac, nud, NEIGH_UPDATE_F_OVERRIDE, 0);
		neigh_release(*n);
	}
	u64 sent() { return dev_get_stats(*dev).tx_packets; }
};

TEST_F(neighbour_test, unknown_entry_asks_at_once_and_the_packet_waits_for_the_answer)
{
	host.enter();
	EXPECT_EQ(send(), 0);
	host.leave();
	EXPECT_EQ(state(), NUD_INCOMPLETE);
	EXPECT_EQ(solicited, 1);
	host.enter();
	EXPECT_EQ(sent(), 0u);
	send();
	answer();
	EXPECT_EQ(sent(), 2u);
	send();
	EXPECT_EQ(sent(), 3u);
	host.leave();
	EXPECT_EQ(state(), NUD_REACHABLE);
	EXPECT_EQ(solicited, 1);
}

TEST_F(neighbour_test, nobody_answers_three_questions_and_the_error_is_reported)
{
	host.on_cpu([&] { return send(); });
	host.run_ms(1500);
	EXPECT_EQ(solicited, 2);
	host.run_ms(3000);
	EXPECT_EQ(solicited, 3);
	EXPECT_EQ(state(), NUD_FAILED);
	EXPECT_EQ(unreachable, 1);
}

TEST_F(neighbour_test, stale_entry_is_used_and_then_probed)
{
	host.on_cpu([&] { neigh_release(*neigh_event_ns(*tbl, &mac, peer, *dev)); });
	EXPECT_EQ(state(), NUD_STALE);
	host.on_cpu([&] { return send(); });
	EXPECT_EQ(state(), NUD_DELAY);
	EXPECT_EQ(host.on_cpu([&] { return sent(); }), 1u);
	host.run_ms(5500);
	EXPECT_EQ(state(), NUD_PROBE);
	EXPECT_EQ(solicited, 1);
	host.on_cpu([&] { answer(); });
	EXPECT_EQ(state(), NUD_REACHABLE);
}

TEST_F(neighbour_test, reachable_entry_grows_stale_when_nobody_confirms_it)
{
	host.on_cpu([&] { return send(); });
	host.on_cpu([&] { answer(); });
	host.run_ms(60'000);
	EXPECT_EQ(state(), NUD_STALE);
}

TEST_F(neighbour_test, confirmation_from_above_ends_the_delay)
{
	host.on_cpu([&] { neigh_release(*neigh_event_ns(*tbl, &mac, peer, *dev)); });
	host.on_cpu([&] { return send(); });
	host.run_ms(2000);
	host.on_cpu([&] { neigh_confirm(*__neigh_lookup_noref(*tbl, peer, *dev)); });
	host.run_ms(4000);
	EXPECT_EQ(state(), NUD_REACHABLE);
	EXPECT_EQ(solicited, 0);
}

TEST_F(neighbour_test, full_queue_drops_the_oldest)
{
	host.enter();
	for (int i = 0; i < 8; ++i)
		send();
	EXPECT_GT(tbl->unres_discards, 0u);
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_NEIGH_QUEUEFULL), tbl->unres_discards);
	answer();
	EXPECT_EQ(sent(), 8 - tbl->unres_discards);
	host.leave();
}

TEST_F(neighbour_test, new_address_is_in_the_cached_header_at_once)
{
	const mac_addr other{{2, 0, 0, 0, 0, 9}};

	host.enter();
	send();
	answer();
	send();
	neighbour *n = neigh_lookup(*tbl, peer, *dev);
	EXPECT_EQ(n->hh.hh_len, ETH_HLEN);
	neigh_update(*n, &other, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE, 0);
	EXPECT_EQ(std::memcmp(n->hh.hh_data + 2, other.data(), ETH_ALEN), 0);
	neigh_update(*n, &mac, NUD_REACHABLE, 0, 0); // not allowed to override
	EXPECT_EQ(n->ha, other);
	neigh_release(*n);
	host.leave();
}

TEST_F(neighbour_test, full_table_makes_room_or_refuses)
{
	host.enter();
	tbl->gc_thresh2 = 4;
	tbl->gc_thresh3 = 8;
	u32 made = 0;
	for (u8 i = 1; i <= 20; ++i) {
		neighbour *n = neigh_create(*tbl, be32{{10, 0, 1, i}}, *dev);
		if (n) {
			++made;
			neigh_release(*n);
		}
	}
	EXPECT_EQ(made, 8u);
	EXPECT_GT(tbl->table_fulls, 0u);
	EXPECT_GE(tbl->nht.hash_shift, 3u);
	host.leave();
}

TEST_F(neighbour_test, listener_hears_of_each_change)
{
	static std::vector<u16> states;

	states.clear();
	host.enter();
	{
		const netlink_listener l(
			init_net(), 1u << (RTNLGRP_NEIGH - 1), [](netlink_listener &, const sk_buff &skb) {
				u16 nud;
				std::memcpy(&nud, skb.data + sizeof(nlmsghdr) + 8, sizeof(nud));
				states.push_back(nud);
			});
		send();
		answer();
		answer(NUD_STALE); // no news
	}
	host.leave();
	EXPECT_THAT(states, testing::ElementsAre(NUD_REACHABLE));
}

} // namespace
} // namespace skbwalk::test
