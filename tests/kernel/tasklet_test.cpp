// SPDX-License-Identifier: GPL-2.0-only
//
// When and where tasklets run: once for many schedules, before or after others, never twice at the same time.
#include "stack/kernel/tasklet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "stack/kernel/cpus.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct tasklet_test : testing::Test {
	test::bench_world w{2};
	std::vector<std::unique_ptr<task_struct>> tasks;
	static inline std::string log;
	static inline int inside, most_inside, runs;
	static inline u32 ran_on; // cpus

	tasklet_test()
	{
		log.clear();
		inside = most_inside = runs = 0;
		ran_on = 0;
	}
	void start(cpu &c, std::function<void()> body)
	{
		tasks.push_back(std::make_unique<task_struct>(c, "t" + std::to_string(tasks.size()),
		                                              std::move(body)));
		task_start(*tasks.back());
	}
	// Takes some time, a little after a little, so that other cpus go on meanwhile.
	static void takes_long(tasklet_struct &)
	{
		most_inside = std::max(most_inside, ++inside);
		++runs;
		ran_on |= 1u << smp_processor_id();
		for (int i = 0; i < 20; ++i)
			cpu_relax();
		--inside;
	}
	static void schedule_it(tasklet_struct &t)
	{
		local_bh_disable();
		tasklet_schedule(t);
		local_bh_enable();
	}
};

TEST_F(tasklet_test, scheduled_twice_before_it_ran_it_runs_once)
{
	tasklet_struct t;

	tasklet_setup(t, [](tasklet_struct &) { ++runs; });
	start(w.c0(), [&] {
		local_bh_disable();
		tasklet_schedule(t);
		tasklet_schedule(t);
		EXPECT_EQ(runs, 0);
		local_bh_enable();
		EXPECT_EQ(runs, 1);
	});
	w.run(0);
}

TEST_F(tasklet_test, scheduled_while_it_runs_it_runs_once_more)
{
	tasklet_struct t;

	tasklet_setup(t, [](tasklet_struct &self) {
		if (++runs == 1)
			tasklet_schedule(self);
	});
	start(w.c0(), [&] {
		schedule_it(t);
		EXPECT_EQ(runs, 2);
	});
	w.run(0);
}

TEST_F(tasklet_test, of_high_priority_it_runs_before_timers_and_other_tasklets)
{
	tasklet_struct low, high;

	tasklet_setup(low, [](tasklet_struct &) { log += "low "; });
	tasklet_setup(high, [](tasklet_struct &) { log += "high "; });
	start(w.c0(), [&] {
		open_softirq(TIMER_SOFTIRQ, [] { log += "timer "; });
		local_bh_disable();
		tasklet_schedule(low);
		raise_softirq(TIMER_SOFTIRQ);
		tasklet_hi_schedule(high);
		local_bh_enable();
	});
	w.run(0);
	EXPECT_EQ(log, "high timer low ");
}

TEST_F(tasklet_test, disabled_it_waits_until_it_is_enabled)
{
	tasklet_struct t;

	tasklet_setup(t, [](tasklet_struct &) { ++runs; });
	start(w.c0(), [&] {
		tasklet_disable(t);
		schedule_it(t);
		EXPECT_EQ(runs, 0);
		tasklet_enable(t);
	});
	w.run_ms(10);
	EXPECT_EQ(runs, 1);
}

TEST_F(tasklet_test, disabled_while_it_runs_elsewhere_the_call_returns_when_it_is_done)
{
	tasklet_struct t;

	tasklet_setup(t, takes_long);
	start(w.c0(), [&] { schedule_it(t); });
	start(w.c1(), [&] {
		charge(NSEC_PER_USEC);
		cpu_relax();
		ASSERT_EQ(inside, 1);
		tasklet_disable(t); // asleep
		EXPECT_EQ(inside, 0);
		tasklet_enable(t);
	});
	w.run_ms(1);
	EXPECT_EQ(runs, 1);
}

TEST_F(tasklet_test, disabled_in_atomic_context_the_call_spins_until_it_is_done)
{
	tasklet_struct t;

	tasklet_setup(t, takes_long);
	start(w.c0(), [&] { schedule_it(t); });
	start(w.c1(), [&] {
		charge(NSEC_PER_USEC);
		cpu_relax();
		ASSERT_EQ(inside, 1);
		local_bh_disable();
		tasklet_disable_in_atomic(t);
		EXPECT_EQ(inside, 0);
		local_bh_enable();
		tasklet_enable(t);
	});
	w.run_ms(1);
}

TEST_F(tasklet_test, killed_it_runs_what_was_scheduled_and_the_call_returns_then)
{
	tasklet_struct t;

	tasklet_setup(t, takes_long);
	start(w.c0(), [&] { schedule_it(t); });
	start(w.c1(), [&] {
		local_bh_disable();
		tasklet_schedule(t); // maybe once more
		local_bh_enable();
		tasklet_kill(t);
		EXPECT_EQ(inside, 0);
		EXPECT_EQ(t.state, 0U);
	});
	w.run_ms(10);
	EXPECT_EQ(tasks[1]->state, TASK_DEAD);
	EXPECT_GE(runs, 1);
}

TEST_F(tasklet_test, scheduled_on_two_cpus_the_same_one_never_runs_on_both_at_once)
{
	tasklet_struct t;

	tasklet_setup(t, takes_long);
	for (const auto &c : w.h.cpus)
		start(*c, [&] {
			for (int i = 0; i < 10; ++i) {
				schedule_it(t);
				cpu_relax();
				cond_resched(); // ksoftirqd, as on the way to user mode
			}
		});
	w.run_ms(20);
	EXPECT_EQ(most_inside, 1);
	EXPECT_EQ(ran_on, 3u);
	EXPECT_GT(runs, 10);
	EXPECT_FALSE(t.state);
}

TEST_F(tasklet_test, two_different_ones_run_on_two_cpus_at_once)
{
	tasklet_struct one[2];

	for (tasklet_struct &t : one)
		tasklet_setup(t, takes_long);
	start(w.c0(), [&] { schedule_it(one[0]); });
	start(w.c1(), [&] { schedule_it(one[1]); });
	w.run_ms(1);
	EXPECT_EQ(most_inside, 2);
	EXPECT_EQ(runs, 2);
}

} // namespace
