// SPDX-License-Identifier: GPL-2.0-only
#include "stack/trace/recorder.h"

#include "tests/kernel/bench_world.h"

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using trace::record_kind;

void leaf_call() { TRACE(); }

void outer_call()
{
	TRACE();
	charge(1000);
	leaf_call();
}

void call_with_part(bool rest)
{
	TRACE();
	if (rest) {
		TRACE_PART();
		leaf_call();
	}
}

class recorder : public testing::Test {
protected:
	// NAME@DEPTH, in brackets when returning.
	std::string calls(const trace::recorder &r)
	{
		std::string out;
		for (std::size_t i = 0; i < r.size(); ++i) {
			const trace::record &at = r.at(i);
			if (at.kind > record_kind::leave)
				continue;
			const std::string name = trace::site_of(at.site).name;
			out += (at.kind == record_kind::enter ? name : "(" + name + ")") + "@" +
			       std::to_string(at.depth) + " ";
		}
		return out;
	}
	bench_world world{2};
};

// In no world: one of several cpus has points of its own at every function.
TEST(recorder_alone, nothing_is_armed_unless_a_recorder_lives)
{
	EXPECT_EQ(trace::armed, 0U);
	{
		trace::recorder r{8};
		EXPECT_TRUE(trace::is_armed(trace::armed_by::recording));
		EXPECT_FALSE(trace::is_armed(trace::armed_by::probe));
	}
	EXPECT_EQ(trace::armed, 0U);
}

// One cpu: nothing else is armed.
TEST(recorder_alone, functions_that_ran_settled_are_recorded_once_a_recorder_lives)
{
	bench_world world{1};
	trace::settle();
	{
		enter_cpu on{world.c0()};
		outer_call();
	}
	for (int i = 0; i < 2; ++i) {
		trace::recorder r{8};
		world.h.recorder = &r;
		{
			enter_cpu on{world.c0()};
			r.start();
			outer_call();
		}
		EXPECT_EQ(r.size(), 4U);
		world.h.recorder = nullptr;
	}
	trace::settle();
	enter_cpu on{world.c0()};
	outer_call();
}

// What a recorder knows of its caller is of the context in which it asked.
TEST_F(recorder, record_after_an_interrupt_is_of_the_cpu_that_was_left)
{
	trace::recorder r{64};
	world.h.recorder = &r;
	{
		enter_cpu on{world.c0()};
		r.start();
		leaf_call();
		{
			enter_cpu other{*world.h.cpus[1]};
			leaf_call();
		}
		leaf_call();
	}
	ASSERT_EQ(r.size(), 6U);
	EXPECT_EQ(r.at(1).cpu, 0);
	EXPECT_EQ(r.at(2).cpu, 1);
	EXPECT_EQ(r.at(4).cpu, 0);
	EXPECT_EQ(r.at(5).depth, 0);
	world.h.recorder = nullptr;
}

TEST_F(recorder, calls_are_recorded_with_time_and_depth)
{
	trace::recorder r{64};
	world.h.recorder = &r;
	enter_cpu on{world.c0()};
	outer_call();
	r.start();
	outer_call();
	r.stop();
	outer_call();
	EXPECT_EQ(calls(r), "outer_call@0 leaf_call@1 (leaf_call)@1 (outer_call)@0 ");
	EXPECT_EQ(r.at(1).time_ns - r.at(0).time_ns, 1000U);
	EXPECT_EQ(r.at(0).task, trace::idle_task);
	EXPECT_EQ(r.at(0).host, 1);
	world.h.recorder = nullptr;
}

TEST_F(recorder, part_counts_as_a_call_inside_its_function)
{
	trace::recorder r{64};
	world.h.recorder = &r;
	enter_cpu on{world.c0()};
	r.start();
	call_with_part(true);
	EXPECT_EQ(calls(r), "call_with_part@0 call_with_part@1 leaf_call@2 (leaf_call)@2 (call_with_part)@1 "
	                    "(call_with_part)@0 ");
	EXPECT_EQ(trace::site_of(r.at(1).site).kind, trace::site_kind::part);
	world.h.recorder = nullptr;
}

TEST_F(recorder, full_ring_counts_what_it_loses)
{
	for (const trace::when_full policy : {trace::when_full::stop, trace::when_full::overwrite}) {
		trace::recorder r{3, policy};
		world.h.recorder = &r;
		enter_cpu on{world.c0()};
		r.start();
		outer_call();
		leaf_call();
		EXPECT_EQ(r.size(), 3U);
		EXPECT_EQ(r.lost(), 3U);
		EXPECT_EQ(calls(r), policy == trace::when_full::stop
		                            ? "outer_call@0 leaf_call@1 (leaf_call)@1 "
		                            : "(outer_call)@0 leaf_call@0 (leaf_call)@0 ");
		world.h.recorder = nullptr;
	}
}

TEST_F(recorder, task_that_sleeps_keeps_its_depth_even_when_not_recorded)
{
	trace::recorder r{256};
	world.h.recorder = &r;
	task_struct sleeper{world.c0(), "sleeper", [] {
				    TRACE();
				    set_current_state(TASK_INTERRUPTIBLE);
				    schedule();
				    leaf_call();
			    }};
	task_start(sleeper);
	world.run_ms(1);
	r.start();
	{
		enter_cpu on{world.c0()};
		wake_up_process(sleeper);
	}
	world.run_ms(1);
	r.stop();
	EXPECT_NE(calls(r).find("leaf_call@1 (leaf_call)@1 "), std::string::npos) << calls(r);
	EXPECT_EQ(r.task_name(sleeper.id), "sleeper");
	world.h.recorder = nullptr;
}

TEST_F(recorder, return_belongs_to_the_cpu_that_runs_now)
{
	trace::recorder r{64};
	world.h.recorder = &r;
	{
		enter_cpu on{world.c0()};
		r.start();
		const auto moves = [&] {
			TRACE();
			return_to({&world.h, world.h.cpus[1].get()});
			++current.cpu->idle_depth; // where a task would have taken its depth along
		};
		moves();
		--world.c0().idle_depth;
		current.cpu = &world.c0();
	}
	ASSERT_EQ(r.size(), 2U);
	EXPECT_EQ(r.at(0).cpu, 0);
	EXPECT_EQ(r.at(1).cpu, 1);
	world.h.recorder = nullptr;
}

TEST_F(recorder, marks_keep_their_text_and_place)
{
	trace::recorder r{64};
	r.mark(record_kind::phase_begin, 5, "connect");
	r.mark(record_kind::step, 6, "c connect");
	ASSERT_EQ(r.size(), 2U);
	EXPECT_EQ(r.at(1).kind, record_kind::step);
	EXPECT_EQ(r.text(r.at(1).site), "c connect");
	r.clear();
	EXPECT_EQ(r.size(), 0U);
}

TEST_F(recorder, hooks_run_while_their_kind_is_armed)
{
	trace::recorder r{64};
	int seen = 0;
	r.add_hook({.who = trace::armed_by::probe,
	            .arg = &seen,
	            .entered = [](void *arg, const trace::site &, const trace::objects &) {
			    ++*static_cast<int *>(arg);
		    }});
	world.h.recorder = &r;
	enter_cpu on{world.c0()};
	outer_call();
	EXPECT_EQ(seen, 0);
	trace::arm(trace::armed_by::probe);
	outer_call();
	trace::disarm(trace::armed_by::probe);
	EXPECT_EQ(seen, 2);
	EXPECT_EQ(r.size(), 0U);
	world.h.recorder = nullptr;
}

TEST_F(recorder, sites_are_listed_without_running)
{
	std::set<std::string> names;
	trace::for_each_site([&](const trace::site &s) { names.insert(s.name); });
	EXPECT_TRUE(names.contains("outer_call"));
	EXPECT_TRUE(names.contains("leaf_call"));
}

} // namespace
} // namespace skbwalk::test
