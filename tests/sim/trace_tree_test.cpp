// SPDX-License-Identifier: GPL-2.0-only
#include "sim/trace_tree.h"

#include "sim/profile.h"
#include "sim/trace_selection.h"
#include "tests/kernel/bench_world.h"
#include "tests/sim/tree_builder.h"

#include <cstdio>

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

void callee() { TRACE(); }

void caller(int times)
{
	TRACE();
	for (int i = 0; i < times; ++i)
		callee();
}

TEST(read_back, calls_get_their_callers_and_times)
{
	bench_world world;
	trace::recorder r{64};
	world.h.recorder = &r;
	{
		enter_cpu on{world.c0()};
		r.mark(trace::record_kind::phase_begin, 0, "p");
		r.start();
		caller(2);
		caller(0);
	}
	const sim::call_tree tree = sim::read_back(r, {"", "h"});
	EXPECT_EQ(names_of(tree), "caller\n  callee\n  callee\ncaller\n");
	EXPECT_EQ(tree.phases(), std::vector<std::string>{"p"});
	EXPECT_EQ(tree.task_label(0), "<idle>");
	EXPECT_NE(tree.calls[0].t_leave, sim::no_time);
	world.h.recorder = nullptr;
}

TEST(read_back, overwritten_ring_gives_a_forest_without_orphans)
{
	bench_world world;
	trace::recorder r{5, trace::when_full::overwrite};
	world.h.recorder = &r;
	{
		enter_cpu on{world.c0()};
		r.start();
		caller(3);
		caller(0);
	}
	const sim::call_tree tree = sim::read_back(r, {"", "h"});
	EXPECT_EQ(names_of(tree), "callee\ncaller\n");
	EXPECT_EQ(tree.lost, 5U);
	EXPECT_TRUE(tree.lost_first);
	world.h.recorder = nullptr;
}

// The list that is compiled in is an excerpt: it must hold whatever the model has and the kernel can trace.
// Where the kernel can trace a function's out-of-line rest only, the model says where that begins.
TEST(profile_data, every_traceable_function_of_the_model_is_known)
{
	std::set<std::string, std::less<>> whole, rests, modelled_rests;
	const std::string command =
		"gzip -dc " SKBWALK_SOURCE_DIR "/tests/reference/linux-6.1/functions.txt.gz";
	FILE *in = popen(command.c_str(), "r");
	ASSERT_NE(in, nullptr);
	char line[256];
	while (std::fgets(line, sizeof(line), in)) {
		const std::string_view text{line};
		const std::string_view symbol = text.substr(0, text.find_first_of(" \t\n"));
		const bool rest = symbol.find(".part.") != symbol.npos;
		(rest ? rests : whole).emplace(sim::clean_name(symbol));
	}
	ASSERT_EQ(pclose(in), 0);
	ASSERT_GT(whole.size(), 30000U);
	const sim::profile p = sim::profile::load("linux-6.1");
	trace::for_each_site([&](const trace::site &s) {
		if (s.kind == trace::site_kind::part)
			modelled_rests.emplace(s.name);
	});
	trace::for_each_site([&](const trace::site &s) {
		if (s.kind == trace::site_kind::part)
			return;
		EXPECT_TRUE(!whole.contains(s.name) || p.symbol(s.name))
			<< s.name << " is missing in sim/profiles/linux-6.1.functions";
		if (s.kind == trace::site_kind::function && rests.contains(s.name) &&
		    !whole.contains(s.name)) {
			EXPECT_TRUE(modelled_rests.contains(s.name)) << s.name << " has no TRACE_PART()";
		}
	});
}

} // namespace
} // namespace skbwalk::test
