// SPDX-License-Identifier: GPL-2.0-only
//
// Every bundled scenario: it is valid, holds what it expects and gives the same bytes twice. The traces that
// the documents walk through are those that were recorded in tests/scenario/golden; SKBWALK_RECORD=1 records
// anew.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/cmd_run.h"
#include "sim/scenario.h"

namespace {

using namespace skbwalk::sim;

class bundled : public testing::TestWithParam<bundled_scenario> {
protected:
	static run_result run(trace_format format, trace_view view)
	{
		run_args args;
		args.scenario = GetParam().file;
		args.output.format = format;
		args.output.view = view;
		args.stats = true;
		return run_scenario(args);
	}
};

TEST_P(bundled, holds_what_it_expects_and_repeats)
{
	const run_result first = run(trace_format::tree, trace_view::graph);
	EXPECT_THAT(first.messages, testing::IsEmpty());
	EXPECT_TRUE(first.fine);
	EXPECT_NE(first.text.find("# phase"), std::string::npos);
	const run_result second = run(trace_format::tree, trace_view::graph);
	EXPECT_TRUE(first.text == second.text) << "two runs of " << GetParam().name << " differ";
}

TEST_P(bundled, repeats_in_every_duration_and_inlined_function)
{
	const run_result first = run(trace_format::graph, trace_view::source);
	EXPECT_NE(first.text.find(" us "), std::string::npos);
	const run_result second = run(trace_format::graph, trace_view::source);
	EXPECT_TRUE(first.text == second.text) << "two runs of " << GetParam().name << " differ";
}

TEST_P(bundled, is_portable)
{
	const scenario s = load_scenario(GetParam().file);
	// But those that choose security modules, how many cpus there are, or devices, and one that sets a
	// sysctl of which a machine has one.
	const bool one_cpu = s.hosts.size() == 1 && s.hosts[0].second == 1, once = s.name == "conntrack_full";
	EXPECT_EQ(check_scenario(GetParam().file).portable,
	          s.lsm.empty() && s.devices.empty() && one_cpu && !once);
	EXPECT_EQ(std::filesystem::path{GetParam().file}.stem(), s.name);
}

INSTANTIATE_TEST_SUITE_P(scenarios, bundled, testing::ValuesIn(bundled_scenarios()),
                         [](const auto &one) { return one.param.name; });

class golden : public testing::TestWithParam<const char *> {};

TEST_P(golden, trace_is_the_recorded_one)
{
	const std::string name = GetParam();
	const auto file =
		std::filesystem::path{SKBWALK_SOURCE_DIR} / "tests/scenario/golden" / (name + ".tree");
	run_args args;
	args.scenario = name;
	args.output.selection.irqs = name.find("interrupt") != std::string::npos;
	const run_result now = run_scenario(args);
	ASSERT_TRUE(now.fine);
	if (const char *record = std::getenv("SKBWALK_RECORD"); record && *record == '1') {
		std::filesystem::create_directories(file.parent_path());
		std::ofstream{file, std::ios::binary} << now.text;
		return;
	}
	std::ifstream in{file, std::ios::binary};
	ASSERT_TRUE(in) << file << " is missing: SKBWALK_RECORD=1 ./dev test -L scenario";
	std::ostringstream text;
	text << in.rdbuf();
	if (text.str() == now.text)
		return;
	std::istringstream was{text.str()}, is{now.text};
	std::string a, b;
	for (int line = 1; std::getline(was, a) && std::getline(is, b); ++line)
		ASSERT_EQ(a, b) << file << ":" << line << ": the trace is another from here on";
	FAIL() << file << ": one trace goes on where the other ends";
}

INSTANTIATE_TEST_SUITE_P(scenarios, golden,
                         testing::Values("handshake", "send_recv", "close", "two_namespaces",
                                         "shared_interrupt_line", "spurious_interrupt_storm", "merged_bulk",
                                         "router_merges", "busy_poll", "first_interrupt_to_recv",
                                         "tcp_pacing", "prio_under_load", "e1000_udp", "e1000_close",
                                         "xps_spreads_flows", "threaded_napi"),
                         [](const auto &one) { return std::string{one.param}; });

} // namespace
