// SPDX-License-Identifier: GPL-2.0-only
#include "stack/bridge/br_private.h"

#include "tests/bridge/bridge_host.h"

namespace skbwalk::test {
namespace {

// p0 and p1 in VLAN 10, untagged; p2 is a trunk of VLANs 10 and 20.
struct br_vlan : testing::Test {
	bridge_host h;
	bool changed = false;

	void SetUp() override
	{
		constexpr u16 access = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
		h.on_cpu([&] {
			EXPECT_EQ(br_vlan_filter_toggle(h.br(), true), 0);
			for (std::size_t i = 0; i < 3; ++i)
				EXPECT_EQ(nbp_vlan_delete(h.port(i), 1), 0);
			EXPECT_EQ(nbp_vlan_add(h.port(0), 10, access, changed), 0);
			EXPECT_EQ(nbp_vlan_add(h.port(1), 10, access, changed), 0);
			EXPECT_EQ(nbp_vlan_add(h.port(2), 10, 0, changed), 0);
			EXPECT_EQ(nbp_vlan_add(h.port(2), 20, 0, changed), 0);
		});
	}
};

TEST_F(br_vlan, untagged_frame_is_of_the_pvid_and_leaves_tagged_by_the_trunk)
{
	// The trunk's end has no VLAN device: it takes tagged frames for somebody else's.
	EXPECT_EQ(h.send(0, everybody), (names{"e1", "e2"}));
	for (const received &r : inbox)
		EXPECT_EQ(r.pkt_type, r.dev == "e2" ? PACKET_OTHERHOST : PACKET_BROADCAST);
}

TEST_F(br_vlan, tagged_frame_from_the_trunk_reaches_the_ports_of_its_vlan)
{
	EXPECT_EQ(h.send(2, everybody, 10), (names{"e0", "e1"}));
	EXPECT_EQ(h.send(2, everybody, 20), names{});
}

TEST_F(br_vlan, frame_of_a_vlan_that_the_port_does_not_have_is_dropped)
{
	EXPECT_EQ(h.send(0, everybody, 20), names{});
	EXPECT_EQ(h.send(2, everybody), names{}); // no PVID there
}

TEST_F(br_vlan, address_is_learned_in_its_vlan)
{
	h.send(0, everybody);
	h.on_cpu([&] {
		EXPECT_TRUE(br_fdb_find_rcu(h.br(), h.mac(0xe0), 10));
		EXPECT_FALSE(br_fdb_find_rcu(h.br(), h.mac(0xe0), 0));
	});
}

TEST_F(br_vlan, entry_of_the_bridge_lives_as_long_as_a_port_has_the_vlan)
{
	h.on_cpu([&] {
		const net_bridge_vlan *v = br_vlan_find(br_vlan_group(h.br()), 20);
		ASSERT_TRUE(v);
		EXPECT_FALSE(br_vlan_should_use(*v));
		EXPECT_EQ(nbp_vlan_delete(h.port(2), 20), 0);
		EXPECT_FALSE(br_vlan_find(br_vlan_group(h.br()), 20));
	});
}

TEST_F(br_vlan, default_pvid_moves_with_the_filter_off_only)
{
	h.on_cpu([&] {
		EXPECT_EQ(br_vlan_set_default_pvid(h.br(), 5), -EPERM);
		EXPECT_EQ(br_vlan_filter_toggle(h.br(), false), 0);
		EXPECT_EQ(br_vlan_set_default_pvid(h.br(), 5), 0);
		EXPECT_EQ(br_get_pvid(br_vlan_group(h.br())), 5);
	});
}

} // namespace
} // namespace skbwalk::test
