// SPDX-License-Identifier: GPL-2.0-only
//
// Wait queues: order, exclusive waiters, entries that leave by themselves, wake-ups that come before the
// sleep.
#include "stack/kernel/wait.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct wait_test : testing::Test {
	test::bench_world w;
	wait_queue_head wq;
	std::vector<std::unique_ptr<task_struct>> tasks;
	std::string woken;

	void start(std::function<void()> body)
	{
		const std::string name(1, static_cast<char>('a' + tasks.size()));

		tasks.push_back(std::make_unique<task_struct>(w.c0(), name, std::move(body)));
		task_start(*tasks.back());
	}
	void waiter(bool exclusive)
	{
		start([this, exclusive] {
			wait_queue_entry e;

			init_wait(e);
			if (exclusive)
				prepare_to_wait_exclusive(wq, e, TASK_INTERRUPTIBLE);
			else
				prepare_to_wait(wq, e, TASK_INTERRUPTIBLE);
			schedule();
			EXPECT_TRUE(list_empty(e.entry)) << "who is woken is off the queue";
			finish_wait(wq, e);
			woken += current.task->comm;
		});
	}
	// Wakes from outside, lets the woken run, and says who they were.
	std::string wake(int nr)
	{
		woken.clear();
		{
			const enter_cpu in(w.c0());

			__wake_up(wq, TASK_INTERRUPTIBLE, nr, nullptr);
		}
		w.run(w.now_ns);
		return woken;
	}
};

TEST_F(wait_test, one_wake_up_wakes_all_that_share_and_the_first_exclusive)
{
	waiter(true);
	waiter(false);
	waiter(true);
	waiter(false);
	w.run(0);
	EXPECT_EQ(wake(1), "dba");
	EXPECT_EQ(wake(1), "c");
	EXPECT_EQ(wake(1), "");
	EXPECT_FALSE(waitqueue_active(wq));
}

TEST_F(wait_test, a_wake_up_of_zero_wakes_every_exclusive_waiter)
{
	waiter(true);
	waiter(true);
	waiter(true);
	w.run(0);
	EXPECT_EQ(wake(0), "abc");
}

TEST_F(wait_test, the_first_exclusive_waiter_learns_that_it_is)
{
	bool first = false, second = true;

	for (bool *is : {&first, &second})
		start([this, is] {
			wait_queue_entry e;

			init_wait(e);
			*is = prepare_to_wait_exclusive(wq, e, TASK_INTERRUPTIBLE);
			schedule();
			finish_wait(wq, e);
		});
	w.run(0);
	EXPECT_TRUE(first);
	EXPECT_FALSE(second);
	wake(0);
}

TEST_F(wait_test, wait_woken_returns_what_is_left_of_its_time)
{
	long left = -1;

	start([&] {
		wait_queue_entry e;

		init_wait_func(e, woken_wake_function);
		add_wait_queue(wq, e);
		left = wait_woken(e, TASK_INTERRUPTIBLE, 10);
		remove_wait_queue(wq, e);
	});
	w.run_ms(12);
	wake(1);
	EXPECT_EQ(left, 7);
}

TEST_F(wait_test, wait_woken_gives_up_when_its_time_is_over)
{
	long left = -1;

	start([&] {
		wait_queue_entry e;

		init_wait_func(e, woken_wake_function);
		add_wait_queue(wq, e);
		left = wait_woken(e, TASK_INTERRUPTIBLE, 10);
		remove_wait_queue(wq, e);
	});
	w.run_ms(43);
	EXPECT_EQ(left, -1);
	w.run_ms(1);
	EXPECT_EQ(left, 0);
}

TEST_F(wait_test, a_wake_up_before_wait_woken_is_not_lost)
{
	long left = -1;

	start([&] {
		wait_queue_entry e;

		init_wait_func(e, woken_wake_function);
		add_wait_queue(wq, e);
		__wake_up_sync_key(wq, TASK_INTERRUPTIBLE, nullptr);
		left = wait_woken(e, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
		remove_wait_queue(wq, e);
	});
	w.run(0);
	EXPECT_EQ(left, MAX_SCHEDULE_TIMEOUT);
}

TEST_F(wait_test, the_key_of_a_wake_up_reaches_the_entry_which_may_decline)
{
	static u32 seen;
	wait_queue_entry e;
	const enter_cpu in(w.c0());

	init_waitqueue_func_entry(e, [](wait_queue_entry &, unsigned, int, void *key) {
		seen = key_to_poll(key);
		return 0;
	});
	__add_wait_queue_exclusive(wq, e);
	wake_up_interruptible_sync_poll(wq, 0x41);
	EXPECT_EQ(seen, 0x41U);
	remove_wait_queue(wq, e);
}

} // namespace
