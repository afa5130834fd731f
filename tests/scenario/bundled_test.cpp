// SPDX-License-Identifier: GPL-2.0-only
//
// Every bundled scenario: it is valid, holds what it expects, gives the same bytes twice, and (but for those
// that the reference recordings measure) the trace that was recorded in tests/scenario/golden.
// SKBWALK_RECORD=1 records anew.
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
	static run_result run()
	{
		run_args args;
		args.scenario = GetParam().file;
		return run_scenario(args);
	}
};

TEST_P(bundled, holds_what_it_expects_and_repeats)
{
	const run_result first = run();
	EXPECT_THAT(first.messages, testing::IsEmpty());
	EXPECT_TRUE(first.fine);
	EXPECT_NE(first.text.find("# phase"), std::string::npos);
	const run_result second = run();
	EXPECT_TRUE(first.text == second.text) << "two runs of " << GetParam().name << " differ";
}

TEST_P(bundled, trace_is_the_recorded_one)
{
	const std::filesystem::path file = GetParam().file;
	if (file.parent_path().filename() == "reference")
		GTEST_SKIP() << "measured by the reference recordings";
	const auto golden = std::filesystem::path{SKBWALK_SOURCE_DIR} / "tests/scenario/golden" /
	                    (GetParam().name + ".tree");
	const run_result now = run();
	if (const char *record = std::getenv("SKBWALK_RECORD"); record && *record == '1') {
		std::filesystem::create_directories(golden.parent_path());
		std::ofstream{golden, std::ios::binary} << now.text;
		return;
	}
	std::ifstream in{golden, std::ios::binary};
	ASSERT_TRUE(in) << golden << " is missing: SKBWALK_RECORD=1 ./dev test -L scenario";
	std::ostringstream text;
	text << in.rdbuf();
	if (text.str() == now.text)
		return;
	std::istringstream was{text.str()}, is{now.text};
	std::string a, b;
	for (int line = 1; std::getline(was, a) && std::getline(is, b); ++line)
		ASSERT_EQ(a, b) << golden << ":" << line << ": the trace is another from here on";
	FAIL() << golden << ": one trace goes on where the other ends";
}

TEST_P(bundled, is_portable)
{
	EXPECT_TRUE(check_scenario(GetParam().file).portable);
	EXPECT_EQ(std::filesystem::path{GetParam().file}.stem(), load_scenario(GetParam().file).name);
}

INSTANTIATE_TEST_SUITE_P(scenarios, bundled, testing::ValuesIn(bundled_scenarios()),
                         [](const auto &one) { return one.param.name; });

} // namespace
