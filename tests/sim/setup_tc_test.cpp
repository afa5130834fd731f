// SPDX-License-Identifier: GPL-2.0-only
//
// tc: a transcript of the real one, played again; and its numbers.
#include <fstream>

#include "sim/setup.h"
#include "sim/tc_units.h"
#include "sim/world.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;

struct tool_result {
	int status;
	std::string text;
};

class setup_tc : public testing::Test {
protected:
	setup_tc() : h_(w_.add_host("h", 1))
	{
		w_.run_until(NSEC_PER_SEC);
		for (const char *line :
		     {"ip link add v1 type veth peer name v2", "ip netns add b", "ip link set v2 netns b",
		      "ip link set lo up", "ip link set v1 up", "ip -n b link set v2 up"})
			run(line);
	}
	~setup_tc() override { EXPECT_THAT(w_.end(), testing::IsEmpty()); }

	tool_result run(const std::string &line)
	{
		try {
			const std::string out = run_command(h_, line);
			w_.run_until(w_.now_ns() + NSEC_PER_MSEC);
			return {0, out};
		} catch (const command_failed &e) {
			return {1, std::string{e.what()} + "\n"};
		}
	}

	world w_{{}};
	host &h_;
};

TEST_F(setup_tc, every_command_of_the_transcript_prints_what_the_real_tool_printed)
{
	std::ifstream in{SKBWALK_SOURCE_DIR "/tests/sim/tc.transcript"};
	std::string command, text;
	int commands = 0;

	for (std::string line; std::getline(in, line);) {
		if (line.starts_with("$ ")) {
			command = line.substr(2);
			text.clear();
		} else if (line.starts_with("= ")) {
			const tool_result got = run(command);

			++commands;
			EXPECT_EQ(got.text, text) << "$ " << command;
			EXPECT_EQ(got.status == 0, line == "= 0") << "$ " << command;
		} else if (!line.starts_with("#")) {
			text += line + "\n";
		}
	}
	EXPECT_GT(commands, 300);
}

TEST_F(setup_tc, what_is_not_modelled_is_named)
{
	for (const char *line : {"tc qdisc add dev v1 root htb default 1", "tc filter show dev v1",
	                         "tc qdisc add dev v1 ingress", "tc -j qdisc show"})
		try {
			run_command(h_, line);
			ADD_FAILURE() << line;
		} catch (const bad_command &e) {
			EXPECT_THAT(e.what(), testing::HasSubstr("is not modelled yet"));
			EXPECT_THAT(e.what(), testing::HasSubstr(line));
		}
}

TEST(tc_units, distributions_have_the_shape_of_their_names)
{
	const auto normal = tc_distribution("normal"), pareto = tc_distribution("pareto");

	ASSERT_TRUE(normal && pareto && tc_distribution("paretonormal"));
	ASSERT_EQ(normal->size(), 4096u);
	EXPECT_TRUE(std::ranges::is_sorted(*normal));
	// A share of 15.87 % lies a deviation (8192) below the mean, half below it.
	EXPECT_NEAR((*normal)[650], -8192, 10);
	EXPECT_NEAR((*normal)[2048], 0, 10);
	EXPECT_EQ((*normal)[0], -32768);
	EXPECT_EQ((*normal)[4095], 28858); // the last of iproute2's file
	EXPECT_EQ((*pareto)[0], -5461);
	EXPECT_EQ((*pareto)[4095], 32767);
	EXPECT_FALSE(tc_distribution("uniform"));
}

TEST(tc_units, numbers_are_read_with_their_units)
{
	EXPECT_EQ(parse_tc_rate("1mbit"), 125000u);
	EXPECT_EQ(parse_tc_rate("1Mbps"), 1000000u);
	EXPECT_EQ(parse_tc_rate("8"), 1u);
	EXPECT_EQ(parse_tc_size("10k"), 10240u);
	EXPECT_EQ(parse_tc_time_us("1.5ms"), 1500u);
	EXPECT_EQ(parse_tc_time_ns("1.5ms"), 1500000);
	EXPECT_EQ(parse_tc_percent("100%"), 0xffffffffu);
	EXPECT_EQ(parse_tc_classid("1:a"), 0x1000au);
	for (const char *text : {"", "x", "5x", "101%", "-1%"})
		EXPECT_FALSE(parse_tc_percent(text)) << text;
	EXPECT_FALSE(parse_tc_handle("12345:"));
	EXPECT_FALSE(parse_tc_rate("x"));
	for (const char *text : {"nan", "inf", "-inf", "1e30"}) {
		EXPECT_FALSE(parse_tc_rate(text)) << text;
		EXPECT_FALSE(parse_tc_size(text)) << text;
		EXPECT_FALSE(parse_tc_time_us(text)) << text;
		EXPECT_FALSE(parse_tc_time_ns(text)) << text;
		EXPECT_FALSE(parse_tc_percent(text)) << text;
	}
	EXPECT_EQ(parse_tc_size("4294967295"), 0xffffffffu);
	EXPECT_FALSE(parse_tc_size("4294967296"));
	EXPECT_FALSE(parse_tc_time_ns("9223372036854775808ns"));
}

} // namespace
