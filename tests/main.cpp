// SPDX-License-Identifier: GPL-2.0-only
//
// gtest's main for all test binaries, with the leak check after every test.
#include "tests/leak_check.h"

namespace {

class leak_listener final : public testing::EmptyTestEventListener {
	void OnTestStart(const testing::TestInfo &) override { skbwalk::test::leaks_taken(); }

	// Runs when the fixture is gone, and before gtest's own printer closes the test.
	void OnTestEnd(const testing::TestInfo &info) override
	{
		for (const std::string &leak : skbwalk::test::leaks_taken())
			ADD_FAILURE() << info.test_suite_name() << '.' << info.name() << " leaves " << leak;
	}
};

} // namespace

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	testing::UnitTest::GetInstance()->listeners().Append(new leak_listener);
	return RUN_ALL_TESTS();
}
