// SPDX-License-Identifier: GPL-2.0-only
#include "tests/netfilter/tracked_host.h"

namespace skbwalk::test {
namespace {

TEST(conntrack_tcp, handshake_makes_an_assured_connection_of_five_days)
{
	tracked_host t;

	t.establish();
	EXPECT_NE(t.run("conntrack -L").find("[ASSURED]"), std::string::npos);
	EXPECT_NEAR(t.timeout_s(), 5 * 86400, 2);
	EXPECT_EQ(t.stat().invalid, 0u);
}

TEST(conntrack_tcp, established_data_inside_the_window_passes_and_beyond_it_is_invalid)
{
	tracked_host t;

	t.establish();
	EXPECT_TRUE(t.track(segment{.seq = 1001, .ack = 5001, .length = 900}).tracked);
	EXPECT_FALSE(t.track(segment{.seq = 1001 + 5000, .ack = 5001, .length = 10}).tracked);
	EXPECT_EQ(t.stat().invalid, 1u);
	EXPECT_EQ(t.state(), "ESTABLISHED");
}

TEST(conntrack_tcp, acknowledgment_of_what_was_not_sent_is_invalid_unless_liberal)
{
	tracked_host t;

	t.establish();
	EXPECT_FALSE(t.track(segment{.seq = 1001, .ack = 5001 + 400}).tracked);
	EXPECT_EQ(t.stat().invalid, 1u);
	t.run("sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1");
	EXPECT_TRUE(t.track(segment{.seq = 1001, .ack = 5001 + 400}).tracked);
}

TEST(conntrack_tcp, reset_with_an_old_number_is_invalid_and_with_the_expected_one_closes)
{
	tracked_host t;

	t.establish();
	EXPECT_FALSE(t.track(segment{.reply = true, .flags = TCPHDR_RST, .seq = 4000}).tracked);
	EXPECT_EQ(t.state(), "ESTABLISHED");
	EXPECT_TRUE(t.track(segment{.reply = true, .flags = TCPHDR_RST, .seq = 5001}).tracked);
	EXPECT_EQ(t.state(), "CLOSE");
	EXPECT_NEAR(t.timeout_s(), 10, 1);
}

TEST(conntrack_tcp, both_fins_and_their_acks_end_in_time_wait)
{
	tracked_host t;

	t.establish();
	t.track(segment{.flags = TCPHDR_FIN | TCPHDR_ACK, .seq = 1001, .ack = 5001});
	EXPECT_EQ(t.state(), "FIN_WAIT");
	t.track(segment{.reply = true, .seq = 5001, .ack = 1002});
	EXPECT_EQ(t.state(), "CLOSE_WAIT");
	t.track(segment{.reply = true, .flags = TCPHDR_FIN | TCPHDR_ACK, .seq = 5001, .ack = 1002});
	EXPECT_EQ(t.state(), "LAST_ACK");
	t.track(segment{.seq = 1002, .ack = 5002});
	EXPECT_EQ(t.state(), "TIME_WAIT");
}

TEST(conntrack_tcp, syn_on_a_closed_connection_begins_a_new_one)
{
	tracked_host t;

	t.establish();
	t.track(segment{.flags = TCPHDR_FIN | TCPHDR_ACK, .seq = 1001, .ack = 5001});
	t.track(segment{.reply = true, .flags = TCPHDR_FIN | TCPHDR_ACK, .seq = 5001, .ack = 1002});
	t.track(segment{.seq = 1002, .ack = 5002});
	EXPECT_EQ(t.state(), "TIME_WAIT");
	const auto again = t.track(segment{.flags = TCPHDR_SYN, .seq = 900000});
	EXPECT_TRUE(again.tracked);
	EXPECT_EQ(again.info, IP_CT_NEW);
	EXPECT_EQ(t.state(), "SYN_SENT");
	EXPECT_EQ(t.count(), "1\n");
}

TEST(conntrack_tcp, refused_syn_leaves_no_connection)
{
	tracked_host t;

	t.track(segment{.flags = TCPHDR_SYN, .seq = 1000});
	EXPECT_EQ(t.count(), "1\n");
	t.track(segment{.reply = true, .flags = TCPHDR_RST | TCPHDR_ACK, .seq = 0, .ack = 1001});
	EXPECT_EQ(t.count(), "0\n");
}

TEST(conntrack_tcp, repeated_syn_does_not_live_longer)
{
	tracked_host t;

	t.track(segment{.flags = TCPHDR_SYN, .seq = 1000});
	t.run_ms(20'000);
	t.track(segment{.flags = TCPHDR_SYN, .seq = 1000});
	EXPECT_NEAR(t.timeout_s(), 100, 2);
}

TEST(conntrack_tcp, wrong_checksum_or_flags_are_invalid)
{
	tracked_host t;

	EXPECT_FALSE(t.track(segment{.flags = TCPHDR_SYN, .bad_checksum = true}).tracked);
	EXPECT_FALSE(t.track(segment{.flags = TCPHDR_SYN | TCPHDR_FIN}).tracked);
	EXPECT_FALSE(t.track(segment{.flags = 0}).tracked);
	EXPECT_EQ(t.stat().invalid, 3u);
	EXPECT_EQ(t.count(), "0\n");
}

TEST(conntrack_tcp, segment_of_an_unknown_connection_is_picked_up_only_when_loose)
{
	tracked_host t;

	EXPECT_TRUE(t.track(segment{.seq = 77, .ack = 99}).tracked);
	t.run("conntrack -F");
	t.run("sysctl -w net.netfilter.nf_conntrack_tcp_loose=0");
	EXPECT_FALSE(t.track(segment{.seq = 77, .ack = 99}).tracked);
}

TEST(conntrack_tcp, scaled_windows_are_taken_as_scaled)
{
	tracked_host t;
	const std::vector<u8> scale{1, 3, 3, 7}; // by 128

	t.track(segment{.flags = TCPHDR_SYN, .seq = 1000, .options = scale});
	t.track(segment{
		.reply = true, .flags = TCPHDR_SYN | TCPHDR_ACK, .seq = 5000, .ack = 1001, .options = scale});
	t.track(segment{.seq = 1001, .ack = 5001});
	t.track(segment{.reply = true, .seq = 5001, .ack = 1001}); // now 128,000 bytes may come
	EXPECT_TRUE(t.track(segment{.seq = 1001 + 100000, .ack = 5001, .length = 10}).tracked);
}

} // namespace
} // namespace skbwalk::test
