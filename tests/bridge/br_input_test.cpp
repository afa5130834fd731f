// SPDX-License-Identifier: GPL-2.0-only
#include "stack/bridge/br_private.h"

#include "tests/bridge/bridge_host.h"

namespace skbwalk::test {
namespace {

TEST(br_input, broadcast_reaches_all_other_ports_and_the_bridge)
{
	bridge_host h;
	EXPECT_EQ(h.send(0, everybody), (names{"br0", "e1", "e2"}));
}

TEST(br_input, unknown_receiver_is_flooded_and_a_known_one_is_not)
{
	bridge_host h;
	EXPECT_EQ(h.send(0, h.mac(0xe1)), (names{"e1", "e2"}));
	h.send(1, everybody);
	EXPECT_EQ(h.send(0, h.mac(0xe1)), (names{"e1"}));
}

TEST(br_input, frame_for_the_bridge_goes_up_and_nowhere_else)
{
	bridge_host h;
	EXPECT_EQ(h.send(0, h.br_dev->dev_addr), (names{"br0"}));
	EXPECT_EQ(h.br_dev->stats.rx_packets, 1u);
}

TEST(br_input, frame_for_a_station_behind_the_same_port_stays_there_unless_hairpin)
{
	bridge_host h;
	h.on_cpu([&] {
		spin_lock_bh(h.br().hash_lock);
		spin_unlock_bh(h.br().hash_lock);
		return br_fdb_add(*h.ports[0], h.mac(0x99), 0, NUD_NOARP, false, 0x400);
	});
	EXPECT_EQ(h.send(0, h.mac(0x99)), names{});
	h.port(0).flags |= BR_HAIRPIN_MODE;
	EXPECT_EQ(h.send(0, h.mac(0x99)), (names{"e0"}));
}

TEST(br_input, reserved_addresses_are_forwarded_by_the_mask_only)
{
	bridge_host h;
	const mac_addr lldp{{0x01, 0x80, 0xc2, 0, 0, 0x0e}}, pause{{0x01, 0x80, 0xc2, 0, 0, 0x01}};
	EXPECT_EQ(h.send(0, lldp), (names{"p0"})); // up on the port itself
	h.br().group_fwd_mask = 1u << 0x0e;
	EXPECT_EQ(h.send(0, lldp), (names{"br0", "e1", "e2"}));
	EXPECT_EQ(h.send(0, pause), names{});
}

TEST(br_input, locked_port_lets_only_known_senders_in)
{
	bridge_host h;
	h.port(0).flags = (h.port(0).flags | BR_PORT_LOCKED) & ~BR_LEARNING;
	EXPECT_EQ(h.send(0, everybody), names{});
	h.on_cpu([&] { return br_fdb_add(*h.ports[0], h.mac(0xe0), 0, NUD_NOARP, false, 0x400); });
	EXPECT_EQ(h.send(0, everybody), (names{"br0", "e1", "e2"}));
}

TEST(br_input, flags_of_a_port_keep_floods_away_from_it)
{
	bridge_host h;
	h.port(1).flags &= ~BR_FLOOD;
	EXPECT_EQ(h.send(0, h.mac(0x77)), (names{"e2"}));
	h.port(2).flags &= ~BR_BCAST_FLOOD;
	EXPECT_EQ(h.send(0, everybody), (names{"br0", "e1"}));
	h.port(0).flags |= BR_ISOLATED;
	h.port(1).flags |= BR_ISOLATED;
	EXPECT_EQ(h.send(0, everybody), (names{"br0"}));
}

TEST(br_input, backup_port_carries_what_is_for_a_port_without_carrier)
{
	bridge_host h;
	h.send(1, everybody);
	h.on_cpu([&] { return nbp_backup_change(h.port(1), h.ports[2]); });
	h.on_cpu([&] { dev_close(*h.ends[1]); });
	EXPECT_EQ(h.send(0, h.mac(0xe1)), (names{"e2"}));
}

} // namespace
} // namespace skbwalk::test
