// SPDX-License-Identifier: GPL-2.0-only
//
// Several cpus side by side: left in the middle, waiting for locks, interrupting each other.
#include "stack/kernel/cpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "stack/kernel/percpu.h"
#include "stack/kernel/smp.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct counted {
	int n = 0;
};
percpu<counted> per_cpu_count;

struct cpus_test : testing::Test {
	test::bench_world w{4};
	std::vector<std::unique_ptr<task_struct>> tasks;
	std::string log;
	spinlock_t lock;

	void start(u32 on, std::function<void()> body)
	{
		tasks.push_back(std::make_unique<task_struct>(
			*w.h.cpus[on], std::string(1, static_cast<char>('a' + tasks.size())),
			std::move(body)));
		task_start(*tasks.back());
	}
	void say(const char *what) { log += current.task->comm + what + ' '; }
	static void a_function()
	{
		TRACE();
		charge(100);
	}
};

TEST_F(cpus_test, each_has_its_number_its_data_and_its_softirqs)
{
	for (u32 i = 0; i < 4; ++i)
		start(i, [i] {
			EXPECT_EQ(smp_processor_id(), static_cast<int>(i));
			local_bh_disable();
			for (u32 n = 0; n <= i; ++n)
				++per_cpu_count->n;
			if (i == 2)
				raise_softirq(NET_TX_SOFTIRQ);
			EXPECT_EQ(local_softirq_pending() != 0, i == 2);
			a_function();
			local_bh_enable();
		});
	static int ran_on;
	ran_on = -1;
	{
		const enter_cpu in(w.c0());
		open_softirq(NET_TX_SOFTIRQ, [] { ran_on = smp_processor_id(); });
	}
	w.run_ms(1);
	EXPECT_EQ(ran_on, 2);
	for (u32 i = 0; i < 4; ++i)
		EXPECT_EQ(per_cpu_count.of(*w.h.cpus[i]).n, static_cast<int>(i) + 1);
}

TEST_F(cpus_test, two_that_run_at_once_go_on_in_the_order_of_their_clocks)
{
	for (u32 i = 0; i < 2; ++i)
		start(i, [this, i] {
			for (int n = 0; n < 3; ++n) {
				charge(i ? 250 : 100);
				a_function();
				say("");
			}
		});
	w.run_ms(1);
	EXPECT_EQ(log, "a b a a b b "); // at 200, 350, 400, 600, 700, 1050
}

TEST_F(cpus_test, in_the_middle_of_a_softirq_too)
{
	static cpus_test *test;
	test = this;
	{
		const enter_cpu in(w.c0());
		open_softirq(NET_TX_SOFTIRQ, [] {
			test->log += "softirq ";
			for (int i = 0; i < 5; ++i)
				a_function();
			test->log += "done ";
		});
	}
	start(0, [] {
		local_bh_disable();
		raise_softirq(NET_TX_SOFTIRQ);
		local_bh_enable();
	});
	start(1, [this] {
		a_function();
		a_function();
		say("meanwhile");
	});
	w.run_ms(1);
	EXPECT_EQ(log, "softirq bmeanwhile done ");
}

TEST_F(cpus_test, a_lock_that_is_taken_is_waited_for_and_handed_on_first_come_first_served)
{
	u64 released = 0, got = 0;

	start(0, [&] {
		spin_lock(lock);
		for (int i = 0; i < 50; ++i)
			a_function();
		EXPECT_FALSE(log.empty()) << "others went on";
		released = current.cpu->now_ns;
		say("releases");
		spin_unlock(lock);
	});
	for (u32 i = 1; i < 4; ++i)
		start(i, [&, i] {
			charge(1000 - 200 * i);
			a_function();
			say("tries");
			spin_lock(lock);
			if (!got)
				got = current.cpu->now_ns;
			say("has");
			a_function();
			spin_unlock(lock);
		});
	w.run_ms(1);
	EXPECT_EQ(log, "dtries ctries btries areleases dhas chas bhas ");
	EXPECT_EQ(got, released) << "the clock of who waited goes on from the release";
	EXPECT_EQ(lock.owner(), nullptr);
}

TEST_F(cpus_test, on_the_worlds_own_stack_the_holder_runs_until_it_releases)
{
	start(1, [&] {
		spin_lock(lock);
		a_function();
		a_function();
		spin_unlock(lock);
	});
	// Leave it inside.
	w.c1().run_until_ns = 1;
	cpu_run(w.c1());
	ASSERT_EQ(lock.owner(), &w.c1());
	{
		const enter_cpu in(w.c0());

		spin_lock(lock);
		EXPECT_EQ(lock.owner(), &w.c0());
		spin_unlock(lock);
	}
	w.run_ms(1);
	EXPECT_EQ(tasks[0]->state, TASK_DEAD);
}

// Who spins takes its timer interrupt, whose handler finds another lock taken; each is handed on to it, in
// either order.
TEST_F(cpus_test, an_interrupt_that_comes_to_who_waits_for_a_lock_may_wait_for_another)
{
	for (const u64 inner_ns : {10 * NSEC_PER_MSEC, 20 * NSEC_PER_MSEC}) {
		static spinlock_t *inner;
		static u64 tried, inner_got;
		spinlock_t other;
		timer_list t;
		u64 got = 0, released = 0, other_released = 0;
		const auto holds = [](spinlock_t &l, u64 ns, u64 &until) {
			const u64 start = current.cpu->now_ns;
			spin_lock(l);
			while (current.cpu->now_ns < start + ns)
				a_function();
			until = current.cpu->now_ns;
			spin_unlock(l);
		};

		inner = &other;
		tried = inner_got = 0;
		{
			const enter_cpu in(w.c1());
			timer_setup(
				t,
				[](timer_list &) {
					tried = current.cpu->now_ns;
					spin_lock(*inner);
					inner_got = current.cpu->now_ns;
					a_function();
					spin_unlock(*inner);
				},
				0);
			mod_timer(t, jiffies() + 1);
		}
		start(0, [&] { holds(lock, 15 * NSEC_PER_MSEC, released); });
		start(2, [&] { holds(other, inner_ns, other_released); });
		start(1, [&] {
			a_function();
			spin_lock(lock);
			got = current.cpu->now_ns;
			EXPECT_EQ(lock.owner(), current.cpu);
			EXPECT_EQ(locks_held(*current.cpu), 1U);
			spin_unlock(lock);
		});
		w.run_ms(40);
		EXPECT_GT(tried, 0U);
		EXPECT_LT(tried, std::min(released, other_released)) << "both are held by others";
		EXPECT_GE(inner_got, other_released);
		EXPECT_LT(inner_got, other_released + 1000);
		EXPECT_GE(got, std::max(released, inner_got)) << "the handler returned first";
		EXPECT_EQ(lock.owner(), nullptr);
		EXPECT_EQ(other.owner(), nullptr);
		for (const auto &task : tasks)
			EXPECT_EQ(task->state, TASK_DEAD);
	}
}

TEST_F(cpus_test, an_interrupt_that_takes_the_lock_that_the_interrupted_code_waits_for_is_reported)
{
	testing::GTEST_FLAG(death_test_style) = "threadsafe";
	EXPECT_DEATH(
		{
			static spinlock_t *wanted;
			timer_list t;

			wanted = &lock;
			{
				const enter_cpu in(w.c1());
				timer_setup(
					t,
					[](timer_list &) {
						spin_lock(*wanted);
						spin_unlock(*wanted);
					},
					0);
				mod_timer(t, jiffies() + 1);
			}
			start(0, [&] {
				spin_lock(lock);
				for (int i = 0; i < 200'000; ++i)
					a_function();
				spin_unlock(lock);
			});
			start(1, [&] {
				a_function();
				spin_lock(lock);
				spin_unlock(lock);
			});
			w.run_ms(40);
		},
		"an interrupt takes the spin lock that the interrupted code waits for");
}

TEST_F(cpus_test, two_that_wait_for_each_other_are_reported)
{
	testing::GTEST_FLAG(death_test_style) = "threadsafe";
	EXPECT_DEATH(
		{
			spinlock_t other;

			start(0, [&] {
				spin_lock(lock);
				a_function();
				spin_lock(other);
			});
			start(1, [&] {
				spin_lock(other);
				a_function();
				spin_lock(lock);
			});
			w.run_ms(1);
		},
		"deadlock: cpu . of h spins on a lock that cpu . holds, which spins on a lock that cpu . holds");
}

TEST_F(cpus_test, a_seed_that_stalls_cpus_gives_an_order_of_its_own_each_time_the_same)
{
	const auto order = [](u64 seed) {
		std::string steps;
		test::bench_world one{2};

		stall_cpus(one.h, 3, 1000);
		one.h.points->random = random_stream(seed, "test");
		std::vector<std::unique_ptr<task_struct>> both;
		for (const auto &c : one.h.cpus) {
			both.push_back(std::make_unique<task_struct>(*c, "t", [&steps] {
				for (int n = 0; n < 20; ++n) {
					a_function();
					steps += static_cast<char>('0' + smp_processor_id());
				}
			}));
			task_start(*both.back());
		}
		one.run_ms(10);
		return steps;
	};
	EXPECT_EQ(order(1), order(1));
	EXPECT_NE(order(1), order(2));
}

TEST_F(cpus_test, a_function_called_on_another_cpu_interrupts_what_runs_there)
{
	static std::string where;
	static call_single_data_t csd;
	where.clear();
	INIT_CSD(
		csd,
		[](void *arg) {
			EXPECT_TRUE(in_hardirq() && irqs_disabled());
			EXPECT_EQ(arg, &csd);
			where = std::to_string(smp_processor_id()) +
		                (current.task ? current.task->comm : "idle");
		},
		&csd);
	start(0, [&] {
		EXPECT_EQ(smp_call_function_single_async(1, csd), 0);
		EXPECT_EQ(smp_call_function_single_async(1, csd), -EBUSY) << "on its way";
		EXPECT_EQ(where, "");
	});
	w.run_ms(1);
	EXPECT_EQ(where, "1idle");
	start(1, [] {
		for (int i = 0; i < 100; ++i)
			a_function();
	});
	start(0, [] { EXPECT_EQ(smp_call_function_single_async(1, csd), 0); });
	w.run_ms(1);
	EXPECT_EQ(where, "1b");
}

TEST_F(cpus_test, with_interrupts_disabled_a_call_from_another_cpu_waits)
{
	static bool called;
	static call_single_data_t csd;
	called = false;
	INIT_CSD(
		csd, [](void *) { called = true; }, nullptr);
	start(1, [] {
		const unsigned long flags = local_irq_save();

		for (int i = 0; i < 100; ++i)
			a_function();
		EXPECT_FALSE(called);
		local_irq_restore(flags);
		a_function();
		EXPECT_TRUE(called);
	});
	start(0, [] { EXPECT_EQ(smp_call_function_single_async(1, csd), 0); });
	w.run_ms(1);
	EXPECT_TRUE(called);
}

TEST_F(cpus_test, a_sleeper_of_an_idle_cpu_is_woken_there_by_an_interrupt)
{
	start(1, [this] {
		set_current_state(TASK_INTERRUPTIBLE);
		schedule();
		EXPECT_EQ(smp_processor_id(), 1);
		say("woken");
	});
	w.run(0);
	start(0, [this] {
		EXPECT_EQ(wake_up_process(*tasks[0]), 1);
		EXPECT_EQ(tasks[0]->state, TASK_WAKING) << "the other cpu does the rest";
		EXPECT_EQ(wake_up_process(*tasks[0]), 0) << "once";
		say("on");
	});
	w.run_ms(1);
	EXPECT_EQ(log, "bon awoken ");
}

TEST_F(cpus_test, a_sleeper_of_a_busy_cpu_preempts_who_runs_there_for_long)
{
	start(1, [this] {
		set_current_state(TASK_INTERRUPTIBLE);
		schedule();
		say("woken");
	});
	w.run(0);
	start(1, [this] {
		for (int i = 0; i < 50'000; ++i) {
			a_function();
			if (cond_resched())
				say("gave way");
		}
		say("ends");
	});
	start(0, [this] {
		charge(3 * NSEC_PER_MSEC); // with two cpus, who has slept may be two behind
		a_function();
		wake_up_process(*tasks[0]);
	});
	w.run_ms(20);
	EXPECT_EQ(log, "awoken bgave way bends ");
}

TEST_F(cpus_test, a_timer_whose_handler_runs_on_another_cpu_is_deleted_when_it_has_returned)
{
	static bool inside;
	timer_list t;

	inside = false;
	{
		const enter_cpu in(w.c0());
		timer_setup(
			t,
			[](timer_list &) {
				inside = true;
				for (int i = 0; i < 100; ++i)
					a_function();
				inside = false;
			},
			0);
		mod_timer(t, jiffies() + 1);
	}
	start(1, [&] {
		while (!inside)
			cpu_relax();
		timer_delete_sync(t);
		EXPECT_FALSE(inside);
		say("deleted");
	});
	w.run_ms(20);
	EXPECT_EQ(log, "adeleted ");
}

} // namespace
