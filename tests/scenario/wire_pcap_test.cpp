// SPDX-License-Identifier: GPL-2.0-only
//
// What goes over a wire, as somebody else's program sees it: segments that the cards have cut and summed.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sim/cmd_run.h"
#include "sim/trace_selection.h"

namespace {

using namespace skbwalk::sim;

struct shell_output {
	int status;
	std::string text;
};

shell_output shell(const std::string &command)
{
	std::string text;
	std::FILE *p = popen(command.c_str(), "r");
	if (!p)
		return {-1, ""};
	for (int c; (c = std::fgetc(p)) != EOF;)
		text.push_back(static_cast<char>(c));
	return {pclose(p), text};
}

TEST(wire_pcap, stream_cut_by_the_card_has_no_bad_checksum_for_tshark)
{
	if (shell("command -v tshark").status)
		GTEST_SKIP() << "tshark is not there";
	const std::string file = testing::TempDir() + "wire.pcap";
	run_args args;
	args.scenario = "throttling";
	args.pcap_file = file;
	args.pcap_wire = "w";
	args.output.format = trace_format::none;
	ASSERT_TRUE(run_scenario(args).fine);
	const auto tshark = [&file](const std::string &filter) {
		return shell("tshark -r " + file +
		             " -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y '" + filter +
		             "' 2>/dev/null | wc -l")
		        .text;
	};
	EXPECT_EQ(tshark("tcp.checksum.status == Bad || ip.checksum.status == Bad"), "0\n");
	EXPECT_GT(std::atoi(tshark("tcp.checksum.status == Good && tcp.len == 1448").c_str()), 1300);
	EXPECT_EQ(tshark("frame.len > 1514"), "0\n");
	std::filesystem::remove(file);
}

TEST(wire_pcap, name_of_no_wire_is_told)
{
	run_args args;
	args.scenario = "throttling";
	args.pcap_file = testing::TempDir() + "none.pcap";
	args.pcap_wire = "x";
	EXPECT_THROW(static_cast<void>(run_scenario(args)), bad_selection);
}

} // namespace
