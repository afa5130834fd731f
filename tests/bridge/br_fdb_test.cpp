// SPDX-License-Identifier: GPL-2.0-only
#include "stack/bridge/br_private.h"

#include "tests/bridge/bridge_host.h"

namespace skbwalk::test {
namespace {

net_bridge_fdb_entry *find(bridge_host &h, const mac_addr &addr, u16 vid = 0)
{
	return h.on_cpu([&] { return br_fdb_find_rcu(h.br(), addr, vid); });
}

TEST(br_fdb, ports_and_the_bridge_have_local_entries)
{
	bridge_host h;
	for (std::size_t i = 0; i < 3; ++i) {
		const net_bridge_fdb_entry *f = find(h, h.ports[i]->dev_addr);
		ASSERT_TRUE(f);
		EXPECT_EQ(f->flags & (BR_FDB_LOCAL | BR_FDB_STATIC), BR_FDB_LOCAL | BR_FDB_STATIC);
	}
	EXPECT_TRUE(find(h, h.br_dev->dev_addr));
}

TEST(br_fdb, bridge_has_the_lowest_address_of_its_ports)
{
	bridge_host h;
	mac_addr lowest = h.ports[0]->dev_addr;
	for (const net_device *p : h.ports)
		lowest = std::min(lowest, p->dev_addr);
	EXPECT_EQ(h.br_dev->dev_addr, lowest);
}

TEST(br_fdb, station_that_moves_is_found_behind_the_new_port)
{
	bridge_host h;
	h.send(0, everybody);
	EXPECT_EQ(find(h, h.mac(0xe0))->dst, &h.port(0));
	h.on_cpu([&] { return dev_set_mac_address(*h.ends[1], h.mac(0xe0)); });
	h.send(1, everybody);
	EXPECT_EQ(find(h, h.mac(0xe0))->dst, &h.port(1));
}

TEST(br_fdb, sticky_entry_does_not_move)
{
	bridge_host h;
	h.on_cpu([&] { return br_fdb_add(*h.ports[2], h.mac(0xe0), 0, NUD_NOARP, true, 0x400); });
	h.send(0, everybody);
	EXPECT_EQ(find(h, h.mac(0xe0))->dst, &h.port(2));
}

TEST(br_fdb, learned_entry_goes_after_the_ageing_time_and_a_static_one_stays)
{
	bridge_host h;
	h.on_cpu([&] { return br_set_ageing_time(h.br(), 300); });
	h.send(0, everybody);
	h.on_cpu([&] { return br_fdb_add(*h.ports[1], h.mac(0x55), 0, NUD_NOARP, false, 0x400); });
	h.run_ms(2000);
	EXPECT_TRUE(find(h, h.mac(0xe0)));
	h.run_ms(5000);
	EXPECT_FALSE(find(h, h.mac(0xe0)));
	EXPECT_TRUE(find(h, h.mac(0x55)));
}

TEST(br_fdb, port_that_leaves_takes_its_entries_along)
{
	bridge_host h;
	h.send(0, everybody);
	const mac_addr own = h.ports[0]->dev_addr;
	h.on_cpu([&] { return br_del_if(h.br(), *h.ports[0]); });
	EXPECT_FALSE(find(h, h.mac(0xe0)));
	EXPECT_FALSE(find(h, own));
	EXPECT_EQ(h.ports[0]->rx_handler, nullptr);
	EXPECT_EQ(h.ports[0]->promiscuity, 0u);
}

TEST(br_fdb, no_learning_while_the_ageing_time_is_zero)
{
	bridge_host h;
	h.on_cpu([&] { return br_set_ageing_time(h.br(), 0); });
	h.send(0, everybody);
	EXPECT_FALSE(find(h, h.mac(0xe0)));
}

TEST(br_fdb, entry_by_hand_is_refused_where_it_exists_and_deleted_by_its_port_only)
{
	bridge_host h;
	const auto add = [&](u16 flags) {
		return h.on_cpu(
			[&] { return br_fdb_add(*h.ports[1], h.mac(0x55), 0, NUD_NOARP, false, flags); });
	};
	EXPECT_EQ(add(0), -ENOENT);
	EXPECT_EQ(add(0x600), 0);
	EXPECT_EQ(add(0x600), -EEXIST);
	EXPECT_EQ(h.on_cpu([&] { return br_fdb_delete(*h.ports[0], h.mac(0x55), 0); }), -ENOENT);
	EXPECT_EQ(h.on_cpu([&] { return br_fdb_delete(*h.ports[1], h.mac(0x55), 0); }), 0);
}

TEST(br_fdb, many_stations_are_all_found)
{
	bridge_host h;
	for (u32 i = 0; i < 1000; ++i) {
		const mac_addr m{{2, 0, 0, 1, static_cast<u8>(i >> 8), static_cast<u8>(i)}};
		ASSERT_EQ(
			h.on_cpu([&] { return br_fdb_add(*h.ports[i % 3], m, 0, NUD_NOARP, false, 0x400); }),
			0);
	}
	for (u32 i = 0; i < 1000; ++i) {
		const mac_addr m{{2, 0, 0, 1, static_cast<u8>(i >> 8), static_cast<u8>(i)}};
		ASSERT_TRUE(find(h, m));
		ASSERT_EQ(find(h, m)->dst, &h.port(i % 3));
	}
}

} // namespace
} // namespace skbwalk::test
