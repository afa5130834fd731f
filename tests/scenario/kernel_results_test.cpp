// SPDX-License-Identifier: GPL-2.0-only
//
// Scenarios whose expectations are what a real Linux 6.1 returned when it played them, call by call: results,
// errnos, options' values, poll events. tests/scenario/kernel has the files; how they were recorded is in
// docs/fidelity.md.
#include <algorithm>
#include <filesystem>

#include "sim/cmd_run.h"

namespace {

using namespace skbwalk::sim;
namespace fs = std::filesystem;

std::vector<std::string> recorded()
{
	std::vector<std::string> files;
	for (const auto &f : fs::directory_iterator{fs::path{SKBWALK_SOURCE_DIR} / "tests/scenario/kernel"})
		files.push_back(f.path().string());
	std::ranges::sort(files);
	return files;
}

class kernel_results : public testing::TestWithParam<std::string> {};

TEST_P(kernel_results, every_call_returns_what_linux_returned)
{
	run_args args;
	args.scenario = GetParam();
	args.output.format = trace_format::none;
	const run_result now = run_scenario(args);
	EXPECT_THAT(now.messages, testing::IsEmpty());
	EXPECT_TRUE(now.fine);
}

INSTANTIATE_TEST_SUITE_P(played, kernel_results, testing::ValuesIn(recorded()),
                         [](const auto &one) { return fs::path{one.param}.stem().string(); });

} // namespace
