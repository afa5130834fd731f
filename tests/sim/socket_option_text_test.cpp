// SPDX-License-Identifier: GPL-2.0-only
//
// Options as text, and what comes of a key: each segment's digest is checked by tcpdump, which has its own
// MD5.
#include "sim/socket_option_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "sim/cmd_run.h"

namespace skbwalk::sim {
namespace {

using testing::HasSubstr;

TEST(filter_text, what_tcpdump_prints_becomes_instructions)
{
	EXPECT_EQ(filter_of_text("2\n40 0 0 12\n6 0 0 262144\n"),
	          filter_instruction(40, 0, 0, 12) + filter_instruction(6, 0, 0, 262144));
	EXPECT_EQ(filter_of_text("1,6 0 0 4294967295"), filter_instruction(6, 0, 0, 0xffffffff));
}

TEST(filter_text, a_text_that_is_no_program_is_refused)
{
	for (const char *text :
	     {"", "2,6 0 0 0", "1,6 0 0", "1,70000 0 0 0", "1,6 256 0 0", "ldh [12]", "1,6 0 0 -1"})
		EXPECT_THROW(static_cast<void>(filter_of_text(text)), bad_filter) << text;
}

TEST(signed_segments, tcpdump_finds_every_digest_right)
{
	const std::string file = testing::TempDir() + "skbwalk_md5.pcap";
	run_args args;
	args.scenario = "md5_right_key";
	args.output.format = trace_format::none;
	args.pcap_file = file;
	ASSERT_TRUE(run_scenario(args).fine);

	const auto lines_with = [&](const std::string &key, const std::string &text) {
		const std::string command = "tcpdump -nn -v -r " + file + " -M '" + key +
		                            "' 2>/dev/null | grep -c '" + text + "'";
		std::FILE *pipe = popen(command.c_str(), "r");
		int count = 0;
		EXPECT_EQ(std::fscanf(pipe, "%d", &count), 1);
		pclose(pipe);
		return count;
	};
	const int segments = lines_with("a shared secret", "Flags");
	if (!segments || lines_with("a shared secret", "md5 can.t check"))
		GTEST_SKIP() << "no tcpdump that knows MD5";
	EXPECT_EQ(lines_with("a shared secret", "md5 valid"), segments);
	EXPECT_EQ(lines_with("another secret", "md5 valid"), 0);
	std::filesystem::remove(file);
}

} // namespace
} // namespace skbwalk::sim
