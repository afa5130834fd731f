// SPDX-License-Identifier: GPL-2.0-only
#include "sim/coverage.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

const sim::covered_function *find(const sim::coverage &c, std::string_view name)
{
	const auto it = std::ranges::find(c.functions, name, &sim::covered_function::name);
	return it == c.functions.end() ? nullptr : &*it;
}

TEST(coverage, functions_have_their_file_and_their_calls)
{
	const sim::coverage c = sim::coverage::take(SKBWALK_SOURCE_DIR "/tests/reference");
	EXPECT_EQ(c.functions.size(), 7345U);
	EXPECT_EQ(c.recordings, 43U);
	const sim::covered_function *f = find(c, "tcp_v4_rcv");
	ASSERT_NE(f, nullptr);
	EXPECT_EQ(f->file, "net/ipv4/tcp_ipv4.c");
	EXPECT_TRUE(f->modelled);
	EXPECT_GT(f->calls, 50U);
	f = find(c, "e1000_set_pauseparam");
	ASSERT_NE(f, nullptr);
	EXPECT_FALSE(f->modelled);
	EXPECT_EQ(f->calls, 0U);
	EXPECT_NE(c.text_of("net/ipv4/tcp_ipv4.c").find("tcp_v4_rcv"), std::string::npos);
	EXPECT_EQ(c.text_of("net/ipv4/tcp_ipv4.c").find("ip_rcv\n"), std::string::npos);
	EXPECT_EQ(c.text_of("nosuch"), "");
}

TEST(coverage, section_replaces_what_is_between_the_marks)
{
	const std::string begin = "<!-- coverage: written by ./dev coverage -->\n",
			  end = "<!-- coverage: end -->\n";
	EXPECT_EQ(sim::with_coverage("a\n" + begin + "old\n" + end + "b\n", "new\n"),
	          "a\n" + begin + "new\n" + end + "b\n");
	EXPECT_THROW((void)sim::with_coverage("a\n", "new\n"), std::runtime_error);
	EXPECT_THROW((void)sim::with_coverage(end + begin, "new\n"), std::runtime_error);
}

} // namespace
} // namespace skbwalk::test
