// SPDX-License-Identifier: GPL-2.0-only
//
// How tasks share a cpu, a softirq that never ends among them, and how they leave it.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "stack/kernel/cpumask.h"
#include "stack/kernel/sched_affinity.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct sched_fair_test : testing::Test {
	static constexpr u64 end_ns = 400 * NSEC_PER_MSEC;
	test::bench_world w{2};
	std::vector<std::unique_ptr<task_struct>> tasks;

	task_struct &start(std::function<void()> body)
	{
		tasks.push_back(std::make_unique<task_struct>(w.c0(), "t", std::move(body)));
		task_start(*tasks.back());
		return *tasks.back();
	}
	static void compute(u64 ns)
	{
		charge(ns);
		interrupt_point();
		cond_resched();
	}
	// Computes until the time is up; returns how long it had the cpu.
	static u64 compute_until_the_end()
	{
		u64 had = 0;

		while (current.cpu->now_ns < end_ns) {
			compute(20 * NSEC_PER_USEC);
			had += 20 * NSEC_PER_USEC;
		}
		return had;
	}
};

TEST_F(sched_fair_test, three_tasks_that_compute_have_a_third_each)
{
	std::array<u64, 3> had{};

	for (u64 &mine : had)
		start([&mine] { mine = compute_until_the_end(); });
	w.run(end_ns + NSEC_PER_MSEC);
	for (const u64 mine : had)
		EXPECT_NEAR(static_cast<double>(mine), end_ns / 3.0, 10.0 * NSEC_PER_MSEC);
}

// What a receive livelock would be: it raises itself for ever. ksoftirqd takes it, and is a task like others.
TEST_F(sched_fair_test, a_softirq_that_never_ends_leaves_a_task_half_of_the_cpu)
{
	static u64 rounds;
	u64 had = 0;

	rounds = 0;
	{
		const enter_cpu in(w.c0());

		open_softirq(NET_RX_SOFTIRQ, [] {
			++rounds;
			charge(50 * NSEC_PER_USEC);
			if (current.cpu->now_ns < end_ns)
				raise_softirq(NET_RX_SOFTIRQ);
		});
	}
	start([&had] {
		local_bh_disable();
		raise_softirq(NET_RX_SOFTIRQ);
		local_bh_enable();
		had = compute_until_the_end();
	});
	w.run(end_ns + NSEC_PER_MSEC);
	EXPECT_NEAR(static_cast<double>(had), end_ns / 2.0, 20.0 * NSEC_PER_MSEC);
	EXPECT_NEAR(static_cast<double>(rounds * 50 * NSEC_PER_USEC), end_ns / 2.0, 20.0 * NSEC_PER_MSEC);
}

TEST_F(sched_fair_test, who_slept_preempts_at_once_who_computed_and_then_waits_its_turn)
{
	std::string log;
	task_struct &sleeper = start([&log] {
		for (int i = 0; i < 2; ++i) {
			set_current_state(TASK_INTERRUPTIBLE);
			schedule();
			log += "woken ";
			if (i == 0)
				charge(10 * NSEC_PER_MSEC); // more than what its sleep was worth
		}
	});
	start([&] {
		for (int i = 0; i < 20; ++i)
			compute(NSEC_PER_MSEC);
		for (int i = 0; i < 2; ++i) {
			wake_up_process(sleeper);
			log += cond_resched() ? "preempted " : "on ";
		}
	});
	w.run(end_ns);
	EXPECT_EQ(log, "woken preempted on woken ");
}

TEST_F(sched_fair_test, sched_setaffinity_moves_the_caller_and_its_time_goes_on)
{
	std::vector<int> where;
	u64 before = 0, after = 0;

	start([&] {
		where.push_back(smp_processor_id());
		charge(5 * NSEC_PER_MSEC);
		before = current.cpu->now_ns;
		EXPECT_EQ(sched_setaffinity(0, cpumask_of(1)), 0);
		after = current.cpu->now_ns;
		where.push_back(smp_processor_id());
		EXPECT_EQ(sched_setaffinity(0, {3}), 0) << "it is on one of them";
		where.push_back(smp_processor_id());
		EXPECT_EQ(sched_setaffinity(0, {4}), -EINVAL) << "there is no third cpu";
		EXPECT_EQ(sched_setaffinity(0, cpumask_of(0)), 0);
		where.push_back(smp_processor_id());
	});
	w.run(end_ns);
	EXPECT_EQ(where, (std::vector{0, 1, 1, 0}));
	EXPECT_GE(after, before);
	EXPECT_EQ(tasks[0]->state, TASK_DEAD);
}

} // namespace
