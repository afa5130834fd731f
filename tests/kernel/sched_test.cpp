// SPDX-License-Identifier: GPL-2.0-only
//
// Tasks on their stacks: who runs when, sleeping and waking, being left in the middle, the end of a world.
#include "stack/kernel/sched.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "stack/kernel/softirq.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct sched_test : testing::Test {
	test::bench_world w;
	std::vector<std::unique_ptr<task_struct>> tasks;
	std::string log;

	task_struct &start(std::function<void()> body)
	{
		const std::string name(1, static_cast<char>('a' + tasks.size()));

		tasks.push_back(std::make_unique<task_struct>(w.c0(), name, std::move(body)));
		task_start(*tasks.back());
		return *tasks.back();
	}
	void say(const char *what) { log += current.task->comm + what + ' '; }
	static void sleep_interruptibly()
	{
		set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
};

TEST_F(sched_test, tasks_run_in_the_order_of_their_start_until_each_sleeps)
{
	for (int i = 0; i < 3; ++i)
		start([this] {
			say("1");
			schedule(); // runnable: to the end of the queue
			say("2");
		});
	w.run(0);
	EXPECT_EQ(log, "a1 b1 c1 a2 b2 c2 ");
}

TEST_F(sched_test, a_sleeper_wakes_behind_those_that_are_runnable)
{
	task_struct &a = start([this] {
		sleep_interruptibly();
		say("woken");
	});
	start([this, &a] {
		EXPECT_EQ(wake_up_process(a), 1);
		EXPECT_EQ(wake_up_process(a), 0) << "it runs already";
		say("on");
	});
	start([this] { say("next"); });
	w.run(0);
	EXPECT_EQ(log, "bon cnext awoken ");
}

TEST_F(sched_test, a_wake_up_of_another_state_leaves_the_sleeper)
{
	task_struct &a = start([this] {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
		say("woken");
	});
	start([&a] { EXPECT_EQ(try_to_wake_up(a, TASK_INTERRUPTIBLE, 0), 0); });
	w.run(0);
	EXPECT_EQ(log, "");
	{
		const enter_cpu in(w.c0());
		wake_up_process(a);
	}
	w.run(0);
	EXPECT_EQ(log, "awoken ");
}

TEST_F(sched_test, stacks_are_reused_and_deep_enough)
{
	struct deep {
		static int down(int n)
		{
			volatile char frame[4000] = {};

			return n ? down(n - 1) + frame[0] : 0;
		}
	};
	for (int i = 0; i < 50; ++i) {
		start([] { EXPECT_EQ(deep::down(100), 0); });
		w.run(0);
	}
	EXPECT_EQ(tasks[49]->state, TASK_DEAD);
}

TEST_F(sched_test, a_woken_task_preempts_who_ran_for_long_at_a_voluntary_point_and_not_who_just_began)
{
	task_struct &a = start([this] {
		for (int i = 0; i < 2; ++i) {
			sleep_interruptibly();
			say("woken");
		}
	});
	start([this, &a] {
		charge(100 * NSEC_PER_USEC);
		wake_up_process(a);
		EXPECT_EQ(cond_resched(), 0);
		say("on");
		schedule();
		charge(2 * NSEC_PER_MSEC);
		wake_up_process(a);
		EXPECT_EQ(cond_resched(), 1);
		say("last");
	});
	w.run(0);
	EXPECT_EQ(log, "bon awoken awoken blast ");
}

TEST_F(sched_test, a_task_is_left_in_the_middle_when_the_worlds_next_event_is_due)
{
	cpu &c = w.c0();

	start([this] {
		for (int i = 0; i < 3; ++i) {
			charge(NSEC_PER_MSEC);
			local_bh_disable();
			local_bh_enable();
			say("ran");
		}
	});
	c.run_until_ns = 2 * NSEC_PER_MSEC;
	cpu_run(c);
	EXPECT_EQ(log, "aran ");
	EXPECT_EQ(c.curr, tasks[0].get());
	EXPECT_TRUE(cpu_has_work(c));
	// An interrupt now is nested in that task.
	w.device_interrupts([this] { log += current.task->comm + "'s interrupt "; });
	c.run_until_ns = ~u64{0};
	cpu_run(c);
	EXPECT_EQ(log, "aran a's interrupt aran aran ");
	EXPECT_FALSE(cpu_has_work(c));
}

TEST_F(sched_test, a_park_waits_for_its_unpark_and_not_for_one_that_came_before)
{
	task_struct &a = start([this] {
		task_park();
		say("1");
		task_park();
		say("2");
	});
	w.run(0);
	EXPECT_EQ(log, "");
	task_unpark(a);
	w.run(0);
	EXPECT_EQ(log, "a1 ");
	task_unpark(a);
	w.run(0);
	EXPECT_EQ(log, "a1 a2 ");
}

TEST_F(sched_test, a_world_that_ends_lets_every_sleeper_run_to_its_end)
{
	start([this] {
		sleep_interruptibly();
		EXPECT_TRUE(signal_pending(*current.task));
		sleep_interruptibly(); // does not sleep any more
		say("interruptible");
	});
	start([this] {
		set_current_state(TASK_UNINTERRUPTIBLE);
		EXPECT_EQ(schedule_timeout(1000), 0);
		say("timed");
	});
	start([this] {
		task_park();
		say("parked");
	});
	start([this] {
		const u64 when = 1000 * NSEC_PER_SEC;

		set_current_state(TASK_INTERRUPTIBLE);
		EXPECT_EQ(schedule_hrtimeout_range(&when, 0), -EINTR);
		say("poll");
	});
	w.run(0);
	for (auto &t : tasks)
		task_kill(*t);
	w.run(0);
	EXPECT_EQ(log, "ainterruptible btimed cparked dpoll ");
	EXPECT_EQ(w.now_ns, 0U);
}

TEST_F(sched_test, who_waits_where_is_known)
{
	struct program {
		static void inet_csk_wait_for_connect()
		{
			set_current_state(TASK_INTERRUPTIBLE);
			schedule_timeout(MAX_SCHEDULE_TIMEOUT);
		}
	};
	task_struct &t = start(program::inet_csk_wait_for_connect);

	w.run(0);
	EXPECT_STREQ(t.wait_channel, "inet_csk_wait_for_connect");
	task_kill(t);
	w.run(0);
	EXPECT_EQ(t.wait_channel, nullptr);
}

TEST_F(sched_test, a_timed_sleep_of_an_hrtimer_ends_to_the_nanosecond)
{
	u64 woke = 0;

	start([&] {
		const u64 when = 12'345'678;

		set_current_state(TASK_INTERRUPTIBLE);
		EXPECT_EQ(schedule_hrtimeout_range(&when, 0), 0);
		woke = current.cpu->now_ns;
	});
	w.run_ms(20);
	EXPECT_EQ(woke, 12'345'678U);
}

} // namespace
