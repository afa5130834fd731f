// SPDX-License-Identifier: GPL-2.0-only
//
// Misuse of a lock stops the run.
#include "stack/kernel/spinlock.h"

#include <gtest/gtest.h>

#include "stack/kernel/softirq.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct spinlock_death_test : testing::Test {
	spinlock_death_test() { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
	spinlock_t lock;
	// A task's body, run to its end.
	static void in_a_task(std::function<void()> body)
	{
		test::bench_world w;
		task_struct t(w.c0(), "task", std::move(body));

		task_start(t);
		w.run(0);
	}
};

TEST_F(spinlock_death_test, taken_twice)
{
	test::bench_world w;
	const enter_cpu in(w.c0());

	spin_lock(lock);
	EXPECT_FALSE(_raw_spin_trylock(lock));
	EXPECT_DEATH(spin_lock(lock), "taken twice");
	spin_unlock(lock);
}

TEST_F(spinlock_death_test, taken_while_another_cpu_has_it)
{
	test::bench_world w(2);
	const enter_cpu in(w.c0());

	spin_lock(lock);
	{
		const enter_cpu other(*w.h.cpus[1]);

		EXPECT_DEATH(spin_lock(lock), "not inside anything");
	}
	spin_unlock(lock);
}

TEST_F(spinlock_death_test, released_unheld)
{
	test::bench_world w;
	const enter_cpu in(w.c0());

	EXPECT_DEATH(spin_unlock(lock), "not held");
}

TEST_F(spinlock_death_test, slept_with)
{
	EXPECT_DEATH(in_a_task([this] {
			     spin_lock(lock);
			     set_current_state(TASK_INTERRUPTIBLE);
			     schedule();
		     }),
	             "sleeping with a spin lock held");
}

TEST_F(spinlock_death_test, slept_with_bottom_halves_disabled)
{
	EXPECT_DEATH(in_a_task([] {
			     local_bh_disable();
			     set_current_state(TASK_INTERRUPTIBLE);
			     schedule();
		     }),
	             "sleeping in atomic context");
}

TEST_F(spinlock_death_test, taken_to_user_mode)
{
	EXPECT_DEATH(in_a_task([this] {
			     spin_lock(lock);
			     exit_to_user_mode_prepare();
		     }),
	             "returning to user mode with a spin lock held");
}

} // namespace
