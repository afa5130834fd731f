// SPDX-License-Identifier: GPL-2.0-only
#include "stack/ipv4/tcp.h"

#include <gtest/gtest.h>

namespace skbwalk {
namespace {

constexpr u32 window = 100;

TEST(win_minmax, min_lower_sample_takes_over_at_once)
{
	minmax m;

	minmax_reset(m, 0, 50);
	EXPECT_EQ(minmax_running_min(m, window, 1, 60), 50u);
	EXPECT_EQ(minmax_running_min(m, window, 2, 40), 40u);
}

TEST(win_minmax, min_best_grows_older_than_window_and_second_takes_its_place)
{
	minmax m;

	minmax_reset(m, 0, 10);
	EXPECT_EQ(minmax_running_min(m, window, 30, 20), 10u); // a quarter later: second choice
	EXPECT_EQ(minmax_running_min(m, window, 90, 30), 10u);
	EXPECT_EQ(minmax_running_min(m, window, 101, 40), 20u);
	EXPECT_EQ(minmax_running_min(m, window, 131, 50), 30u);
}

TEST(win_minmax, min_no_sample_for_a_window_and_the_next_is_all_there_is)
{
	minmax m;

	minmax_reset(m, 0, 10);
	EXPECT_EQ(minmax_running_min(m, window, 101, 99), 99u);
}

TEST(win_minmax, max_time_wraps_and_window_holds)
{
	minmax m;

	minmax_reset(m, ~0u - 10, 70);
	EXPECT_EQ(minmax_running_max(m, window, 20, 50), 70u);
	EXPECT_EQ(minmax_running_max(m, window, 95, 40), 50u);
}

} // namespace
} // namespace skbwalk
