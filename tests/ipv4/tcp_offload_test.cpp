// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/gro_bench.h"

namespace skbwalk::test {
namespace {

// --- what may be merged ---

struct rule {
	const char *name;
	void (*change)(tcp_seg &second); // else it follows the first, which has 100 bytes
	std::vector<u32> up;             // payloads that go up
	u32 held = 1;                    // packets held before the flush
	bool overtakes = false;          // it is not looked at, and the first stays held
};
void PrintTo(const rule &r, std::ostream *os) { *os << r.name; }

const std::vector<u8> stamps = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 4};

struct tcp_gro : testing::TestWithParam<rule> {
	gro_bench bench;
};

TEST_P(tcp_gro, second_segment)
{
	tcp_seg first{.options = stamps}, second{.seq = 1100, .options = stamps};

	GetParam().change(second);
	first.in = second.in;
	first.df = second.df;
	bench.give(first);
	bench.give(second);
	EXPECT_EQ(bench.held(), GetParam().held);
	bench.flush();
	EXPECT_EQ(bench.sizes(), GetParam().up);
	if (GetParam().overtakes)
		std::swap(bench.sent[0], bench.sent[1]);
	EXPECT_EQ(bench.cut, bench.sent);
}

const rule rules[] = {
	{"the_next_one_is_merged", [](tcp_seg &) {}, {200}},
	{"a_gap_is_not_merged_over", [](tcp_seg &s) { s.seq = 1101; }, {100, 100}},
	{"a_repetition_is_not_merged", [](tcp_seg &s) { s.seq = 1000; }, {100, 100}},
	{"an_overlap_is_not_merged", [](tcp_seg &s) { s.seq = 1050; }, {100, 100}},
	{"a_newer_acknowledgement_is_not_merged", [](tcp_seg &s) { s.ack = 2; }, {100, 100}},
	{"another_window_is_not_merged", [](tcp_seg &s) { s.window = 999; }, {100, 100}},
	{"another_time_stamp_is_not_merged", [](tcp_seg &s) { s.options[7] = 10; }, {100, 100}},
	{"other_options_are_not_merged", [](tcp_seg &s) { s.options.resize(8); }, {100, 100}},
	{"a_shorter_one_ends_the_packet", [](tcp_seg &s) { s.len = 50; }, {150}, 0},
	{"a_longer_one_is_not_merged", [](tcp_seg &s) { s.len = 101; }, {100, 101}},
	{"an_empty_one_is_not_merged", [](tcp_seg &s) { s.len = 0; }, {100, 0}, 0},
	{"push_ends_the_packet", [](tcp_seg &s) { s.flags |= TCPHDR_PSH; }, {200}, 0},
	{"fin_ends_the_packet", [](tcp_seg &s) { s.flags |= TCPHDR_FIN; }, {200}, 0},
	{"syn_is_not_merged", [](tcp_seg &s) { s.flags |= TCPHDR_SYN; }, {100, 100}, 0},
	{"rst_is_not_merged", [](tcp_seg &s) { s.flags |= TCPHDR_RST; }, {100, 100}, 0},
	{"urgent_data_is_not_merged", [](tcp_seg &s) { s.flags |= TCPHDR_URG, s.urg = 5; }, {100, 100}, 0},
	{"an_ecn_echo_is_not_merged", [](tcp_seg &s) { s.flags |= TCPHDR_ECE; }, {100, 100}},
	{"a_reduced_window_is_not_merged", [](tcp_seg &s) { s.flags |= TCPHDR_CWR; }, {100, 100}},
	{"a_bad_checksum_goes_up_as_it_is", [](tcp_seg &s) { s.bad_sum = true; }, {100, 100}, 1, true},
	{"other_ports_are_another_flow", [](tcp_seg &s) { s.sport = 5001; }, {100, 100}, 2},
	{"another_hash_is_another_flow", [](tcp_seg &s) { s.hash = 15; }, {100, 100}, 2},
	{"another_sender_is_another_flow", [](tcp_seg &s) { s.from[5] = 2; }, {100, 100}, 2},
	{"another_ttl_is_not_merged", [](tcp_seg &s) { s.ttl = 63; }, {100, 100}},
	{"congestion_experienced_is_not_merged", [](tcp_seg &s) { s.tos = 3; }, {100, 100}},
	{"a_fragment_is_not_merged", [](tcp_seg &s) { s.frag = IP_MF; }, {100, 100}, 1, true},
	{"ip_options_are_not_merged", [](tcp_seg &s) { s.ip_options = 1; }, {100, 100}, 1, true},
	{"a_bad_ip_header_is_not_merged", [](tcp_seg &s) { s.bad_head = true; }, {100, 100}, 1, true},
	{"a_padded_frame_is_not_merged", [](tcp_seg &s) { s.padding = 6; }, {100, 100}, 0},
	{"with_df_the_id_may_go_on", [](tcp_seg &s) { s.id = 1; }, {200}},
	{"with_df_the_id_may_not_jump", [](tcp_seg &s) { s.id = 2; }, {100, 100}},
	{"without_df_the_id_must_go_on", [](tcp_seg &s) { s.df = false, s.id = 1; }, {200}},
	{"without_df_the_id_may_not_stay", [](tcp_seg &s) { s.df = false; }, {100, 100}},
	{"in_linear_memory_it_is_merged", [](tcp_seg &s) { s.in = body::linear; }, {200}},
	{"in_frags_it_is_merged", [](tcp_seg &s) { s.in = body::frags; }, {200}},
};
INSTANTIATE_TEST_SUITE_P(table, tcp_gro, testing::ValuesIn(rules),
                         [](const auto &i) { return i.param.name; });

// --- what the whole looks like ---

struct tcp_gro_whole : testing::Test {
	gro_bench bench;
};

TEST_F(tcp_gro_whole, merged_packet_is_what_a_sender_with_tso_would_have_sent)
{
	for (u32 i = 0; i < 5; ++i)
		bench.give({.seq = 1000 + 100 * i, .id = static_cast<u16>(40 + i)});
	bench.flush();
	ASSERT_EQ(bench.up.size(), 1u);
	EXPECT_EQ(bench.up[0], (gro_bench::whole{500, 100, 5, SKB_GSO_TCPV4, CHECKSUM_PARTIAL, TCPHDR_ACK}));
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, ids_that_stay_are_said_to_be_fixed)
{
	bench.give({.id = 9});
	bench.give({.seq = 1100, .id = 9});
	bench.flush();
	ASSERT_EQ(bench.up.size(), 1u);
	EXPECT_EQ(bench.up[0].gso_type, SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID);
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, ids_that_went_on_must_go_on)
{
	bench.give({.id = 9});
	bench.give({.seq = 1100, .id = 10});
	bench.give({.seq = 1200, .id = 10});
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{200, 100}));
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, ids_that_stayed_must_stay)
{
	bench.give({.id = 9});
	bench.give({.seq = 1100, .id = 9});
	bench.give({.seq = 1200, .id = 10});
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{200, 100}));
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, congestion_window_reduced_on_the_first_marks_the_whole)
{
	bench.give({.flags = TCPHDR_ACK | TCPHDR_CWR});
	bench.give({.seq = 1100});
	bench.flush();
	ASSERT_EQ(bench.up.size(), 1u);
	EXPECT_TRUE(bench.up[0].gso_type & SKB_GSO_TCP_ECN);
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, flags_of_the_last_are_those_of_the_whole_and_of_the_last_again)
{
	bench.give({});
	bench.give({.seq = 1100});
	bench.give({.seq = 1200, .len = 7, .flags = TCPHDR_ACK | TCPHDR_PSH | TCPHDR_FIN});
	EXPECT_EQ(bench.held(), 0u);
	bench.flush();
	ASSERT_EQ(bench.up.size(), 1u);
	EXPECT_EQ(bench.up[0].flags, TCPHDR_ACK | TCPHDR_PSH | TCPHDR_FIN);
	EXPECT_EQ(bench.cut, bench.sent);
}

// More than 17 frags: what is left over hangs behind as packets.
TEST_F(tcp_gro_whole, many_segments_in_each_kind_of_memory_come_out_as_they_went_in)
{
	for (const body in : {body::linear, body::page, body::frags}) {
		bench.up.clear();
		for (u32 i = 0; i < 40; ++i)
			bench.give({.seq = 1000 + 1448 * i, .len = 1448, .in = in});
		bench.flush();
		EXPECT_EQ(bench.sizes(), std::vector<u32>{40 * 1448});
		EXPECT_EQ(bench.cut, bench.sent);
	}
}

TEST_F(tcp_gro_whole, packet_ends_below_64_kib)
{
	for (u32 i = 0; i < 50; ++i)
		bench.give({.seq = 1000 + 1448 * i, .len = 1448});
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{45 * 1448, 5 * 1448}));
	EXPECT_EQ(bench.cut, bench.sent);
}

TEST_F(tcp_gro_whole, two_flows_in_turns_make_two_packets)
{
	for (u32 i = 0; i < 6; ++i)
		bench.give({.seq = 1000 + 100 * (i / 2), .sport = static_cast<u16>(5000 + i % 2)});
	bench.flush();
	EXPECT_EQ(bench.sizes(), (std::vector<u32>{300, 300}));
}

} // namespace
} // namespace skbwalk::test
