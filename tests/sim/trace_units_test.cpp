// SPDX-License-Identifier: GPL-2.0-only
#include "sim/compare_units.h"

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::cut_at;
using sim::parse_tree_text;
using sim::text_tree;

const std::set<std::string_view> scope{
	"__x64_sys_connect", "__x64_sys_sendto", "__x64_sys_recvfrom", "SyS_sendto",
	"tcp_sendmsg",       "tcp_push",         "tcp_recvmsg",        "handle_softirqs",
	"net_rx_action",     "ip_rcv",           "tcp_v4_rcv",         "tcp_ack"};

// NAME:EDGES for each unit.
std::string units(std::string_view text, cut_at cut)
{
	std::string out;
	const text_tree tree = parse_tree_text(text, "t");
	for (const sim::unit &u : sim::units_of(tree, scope, cut))
		out += u.name + ":" + std::to_string(u.edges.size()) +
		       (u.task == sim::unit::no_task ? "! " : " ");
	return out;
}

const char *const nested = "__x64_sys_sendto\n"
			   "  tcp_sendmsg\n"
			   "    handle_softirqs\n"
			   "      net_rx_action\n"
			   "        ip_rcv\n"
			   "          tcp_v4_rcv\n"
			   "        ip_rcv\n"
			   "          tcp_v4_rcv\n"
			   "    tcp_push\n";

TEST(units, softirqs_of_a_call_are_its_own_or_cut_out)
{
	EXPECT_EQ(units(nested, cut_at::calls), "sendto:9 ");
	EXPECT_EQ(units(nested, cut_at::packets), "sendto:3 softirq:2! packet:2! packet:2! ");
}

TEST(units, what_interrupted_is_nobodys)
{
	EXPECT_EQ(units("__x64_sys_sendto\n"
	                "  tcp_sendmsg\n"
	                "    irq_exit_rcu\n"
	                "      handle_softirqs\n"
	                "        ip_rcv\n"
	                "    tcp_push\n",
	                cut_at::calls),
	          "sendto:3 softirq:2! ");
}

sim::unit_match matched(const text_tree &a, const text_tree &b, cut_at cut)
{
	return sim::match_units(sim::units_of(a, scope, cut), sim::units_of(b, scope, cut));
}

TEST(units, calls_find_their_partners_among_others)
{
	const text_tree a = parse_tree_text("# task curl-1\n"
	                                    "__x64_sys_recvfrom\n"
	                                    "__x64_sys_connect\n"
	                                    "__x64_sys_sendto\n  tcp_sendmsg\n    tcp_push\n",
	                                    "a");
	const text_tree b = parse_tree_text("# task server\n__x64_sys_recvfrom\n  tcp_recvmsg\n"
	                                    "# task client\n__x64_sys_connect\nSyS_sendto\n  tcp_sendmsg\n"
	                                    "tcp_recvmsg\n",
	                                    "b");
	const sim::unit_match m = matched(a, b, cut_at::calls);
	// What one task does here two do there.
	EXPECT_EQ(m.pairs, (std::vector<sim::unit_pair>{{{0}, {0}}, {{1}, {1}}, {{2}, {2}}, {{}, {3}}}));
	EXPECT_EQ(m.left_alone, 0U);
	EXPECT_EQ(m.right_alone, 1U);
	EXPECT_EQ(m.score.reference, 5U);
	EXPECT_EQ(m.score.model, 6U);
	EXPECT_EQ(m.score.common, 2U); // connect, recvfrom; sendto begins differently
	EXPECT_EQ(m.paired.model, 5U);
}

TEST(units, calls_of_another_name_match_where_most_of_them_is_the_same)
{
	const text_tree a = parse_tree_text("__x64_sys_sendto\n  tcp_sendmsg\n    tcp_push\n      tcp_ack\n",
	                                    "a"),
			b = parse_tree_text("__x64_sys_connect\n  tcp_sendmsg\n    tcp_push\n      tcp_ack\n",
	                                    "b"),
			c = parse_tree_text("__x64_sys_connect\n  tcp_recvmsg\n    tcp_push\n      tcp_ack\n",
	                                    "c");
	EXPECT_EQ(matched(a, b, cut_at::calls).pairs, (std::vector<sim::unit_pair>{{{0}, {0}}}));
	EXPECT_EQ(matched(a, b, cut_at::calls).score.common, 2U);
	EXPECT_EQ(matched(a, c, cut_at::calls).pairs, (std::vector<sim::unit_pair>{{{0}, {}}, {{}, {0}}}));
}

TEST(units, packets_match_wherever_they_were_received)
{
	const text_tree a = parse_tree_text(nested, "a");
	const text_tree b = parse_tree_text("# task client\n__x64_sys_sendto\n  tcp_sendmsg\n    tcp_push\n"
	                                    "# task <idle>\nhandle_softirqs\n  net_rx_action\n"
	                                    "    ip_rcv\n      tcp_v4_rcv\n    ip_rcv\n      tcp_v4_rcv\n",
	                                    "b");
	const sim::unit_match m = matched(a, b, cut_at::packets);
	EXPECT_EQ(m.score.common, 9U);
	EXPECT_EQ(m.score.reference, 9U);
	EXPECT_EQ(m.score.model, 9U);
	EXPECT_LT(matched(a, b, cut_at::calls).score.common, 9U);
}

TEST(units, system_calls_are_named_alike_in_all_releases)
{
	for (const char *name : {"__x64_sys_sendto", "SyS_sendto", "sys_sendto", "__arm64_sys_sendto"})
		EXPECT_EQ(sim::system_call_of(name), "sendto");
	EXPECT_EQ(sim::system_call_of("tcp_sendmsg"), "");
}

TEST(units, below_keeps_what_a_narrower_recording_has)
{
	const text_tree part =
		sim::below(parse_tree_text(nested, "t"), std::set<std::string, std::less<>>{"ip_rcv"});
	ASSERT_EQ(part.nodes.size(), 4U);
	EXPECT_EQ(part.nodes[0].depth, 0U);
	EXPECT_EQ(part.nodes[1].depth, 1U);
}

} // namespace
} // namespace skbwalk::test
