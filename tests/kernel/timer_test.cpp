// SPDX-License-Identifier: GPL-2.0-only
//
// The wheel: when a timer of each level fires, what moving and deleting do, and that an idle cpu sleeps until
// it must not.
#include "stack/kernel/timer.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "stack/kernel/random.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct probe {
	timer_list t;
	std::vector<u32> fired; // ticks since boot
	static void handler(timer_list &t)
	{
		reinterpret_cast<probe *>(&t)->fired.push_back(jiffies() - INITIAL_JIFFIES);
	}
	probe() { timer_setup(t, handler, 0); }
	~probe() { timer_delete_sync(t); }
};

struct timer_test : testing::Test {
	test::bench_world w;
	std::vector<std::unique_ptr<probe>> probes;

	// Runs fn on the cpu; leaving it programs the timer interrupt.
	template <class F> void on_cpu(F fn)
	{
		const enter_cpu in(w.c0());

		fn();
	}
	probe &timer_in(u32 ticks)
	{
		probe *p = nullptr;

		on_cpu([&] {
			probes.push_back(std::make_unique<probe>());
			p = probes.back().get();
			mod_timer(p->t, jiffies() + ticks);
		});
		return *p;
	}
	void run_ticks(u64 n) { w.run(w.now_ns + n * TICK_NSEC); }
	~timer_test() override
	{
		on_cpu([&] { probes.clear(); });
	}
};

TEST_F(timer_test, jiffies_start_five_minutes_before_they_wrap_and_step_at_tick_boundaries)
{
	on_cpu([&] {
		EXPECT_EQ(jiffies(), 0xffffffffU - 300 * HZ + 1);
		set_clock(w.c0(), TICK_NSEC - 1);
		EXPECT_EQ(jiffies(), INITIAL_JIFFIES);
		set_clock(w.c0(), TICK_NSEC);
		EXPECT_EQ(jiffies(), INITIAL_JIFFIES + 1);
		set_clock(w.c0(), 300 * NSEC_PER_SEC);
		EXPECT_EQ(jiffies(), 0U);
	});
	EXPECT_TRUE(time_after(2, 0xfffffff0));
	EXPECT_TRUE(time_before_eq(7, 7));
	EXPECT_EQ(msecs_to_jiffies(1), 1U);
	EXPECT_EQ(msecs_to_jiffies(200), 50U);
}

TEST_F(timer_test, a_level_rounds_up_by_its_granularity_and_never_fires_early)
{
	const u32 all_ticks[] = {0, 1, 10, 62, 63, 64, 100, 503, 504, 1000, 4031, 4032, 5000, 40'000};

	for (u32 ticks : all_ticks)
		timer_in(ticks);
	run_ticks(50'000);
	for (std::size_t i = 0; i < std::size(all_ticks); ++i) {
		const u32 ticks = all_ticks[i];
		u32 shift = 0;

		// Level 0 holds 63 ticks; each next level is eight times as long, and as coarse.
		while (ticks >= 63U << shift)
			shift += 3;
		const u32 fires = (((INITIAL_JIFFIES + ticks) >> shift) + 1) << shift;

		EXPECT_EQ(probes[i]->fired, std::vector<u32>{fires - INITIAL_JIFFIES})
			<< "in " << ticks << " ticks";
	}
}

TEST_F(timer_test, any_timer_fires_once_not_early_and_at_most_an_eighth_late_across_the_wrap_of_jiffies)
{
	random_stream rnd(7, "wheel");
	std::vector<u32> asked;

	run_ticks(70'000); // 5000 ticks before the wrap
	for (int i = 0; i < 500; ++i) {
		const u32 ticks = rnd.below(1U << (1 + rnd.below(17)));

		asked.push_back(static_cast<u32>(w.now_ns / TICK_NSEC) + ticks);
		timer_in(ticks);
		run_ticks(rnd.below(40));
	}
	run_ticks(200'000);
	for (std::size_t i = 0; i < asked.size(); ++i) {
		ASSERT_EQ(probes[i]->fired.size(), 1U) << i;
		EXPECT_GE(probes[i]->fired[0], asked[i]);
		EXPECT_LE(probes[i]->fired[0] - asked[i], 1 + (1U << 17) / 8);
	}
}

TEST_F(timer_test, a_pending_timer_that_is_moved_fires_at_the_new_time_only)
{
	probe &p = timer_in(10);

	on_cpu([&] { EXPECT_EQ(mod_timer(p.t, jiffies() + 30), 1); });
	run_ticks(20);
	EXPECT_TRUE(p.fired.empty());
	on_cpu([&] { EXPECT_EQ(mod_timer(p.t, jiffies() + 2), 1); });
	run_ticks(20);
	EXPECT_EQ(p.fired, std::vector<u32>{23});
	on_cpu([&] {
		EXPECT_EQ(mod_timer_pending(p.t, jiffies() + 2), 0) << "it is not pending any more";
		EXPECT_EQ(mod_timer(p.t, jiffies() + 2), 0);
		EXPECT_EQ(timer_reduce(p.t, jiffies() + 9), 1);
		EXPECT_EQ(p.t.expires, jiffies() + 2);
	});
}

TEST_F(timer_test, a_move_within_the_bucket_changes_the_expiry_and_nothing_else)
{
	probe &p = timer_in(100); // level 1: 97 to 104 share a bucket

	on_cpu([&] {
		const list_head *before = p.t.entry.prev;

		EXPECT_EQ(mod_timer(p.t, jiffies() + 103), 1);
		EXPECT_EQ(p.t.entry.prev, before);
		EXPECT_EQ(p.t.expires, jiffies() + 103);
	});
	run_ticks(110);
	EXPECT_EQ(p.fired, std::vector<u32>{104});
}

TEST_F(timer_test, a_deleted_timer_does_not_fire_and_the_cpu_is_not_woken_for_it)
{
	probe &p = timer_in(10);

	on_cpu([&] {
		EXPECT_EQ(timer_delete_sync(p.t), 1);
		EXPECT_EQ(timer_delete(p.t), 0);
	});
	EXPECT_EQ(w.c0().armed_ns, ~u64{0});
	run_ticks(100);
	EXPECT_TRUE(p.fired.empty());
	EXPECT_EQ(w.interrupts_or_runs, 0U);
}

TEST_F(timer_test, an_idle_cpu_is_interrupted_once_a_timer)
{
	timer_in(1000);
	timer_in(20'000);
	run_ticks(30'000);
	EXPECT_EQ(w.interrupts_or_runs, 2U);
	EXPECT_EQ(w.c0().softirqs_run[TIMER_SOFTIRQ], 2U);
}

TEST_F(timer_test, a_handler_can_arm_its_own_timer_again)
{
	static int left;
	struct again {
		static void handler(timer_list &t)
		{
			if (--left)
				mod_timer(t, jiffies() + 4);
		}
	};
	timer_list t;

	left = 5;
	on_cpu([&] {
		timer_setup(t, again::handler, 0);
		mod_timer(t, jiffies() + 4);
	});
	run_ticks(5 * 5);
	EXPECT_EQ(left, 0);
}

TEST_F(timer_test, a_deferrable_timer_waits_for_a_tick_that_another_one_needs)
{
	on_cpu([&] {
		probes.push_back(std::make_unique<probe>());
		timer_setup(probes[0]->t, probe::handler, TIMER_DEFERRABLE);
		mod_timer(probes[0]->t, jiffies() + 5);
	});
	run_ticks(100);
	EXPECT_TRUE(probes[0]->fired.empty());
	EXPECT_EQ(w.interrupts_or_runs, 0U);
	timer_in(9);
	run_ticks(20);
	EXPECT_EQ(probes[0]->fired, std::vector<u32>{110});
}

TEST_F(timer_test, a_timer_for_the_past_fires_by_the_next_tick)
{
	run_ticks(100);
	probe &p = timer_in(static_cast<u32>(-50));

	run_ticks(1);
	ASSERT_EQ(p.fired.size(), 1U);
	EXPECT_LE(p.fired[0], 101U);
}

TEST_F(timer_test, a_busy_task_is_interrupted_for_a_due_timer_at_the_next_point_that_allows_it)
{
	probe &p = timer_in(1);
	task_struct t(w.c0(), "busy", [&] {
		charge(50 * NSEC_PER_MSEC);
		EXPECT_TRUE(p.fired.empty());
		local_irq_disable();
		interrupt_point();
		EXPECT_TRUE(p.fired.empty());
		local_irq_enable();
		local_bh_disable();
		interrupt_point();
		EXPECT_TRUE(p.fired.empty());
		local_bh_enable();
		EXPECT_EQ(p.fired.size(), 1U);
	});

	task_start(t);
	w.run(0);
	EXPECT_EQ(p.fired.size(), 1U);
}

TEST_F(timer_test, hrtimers_fire_in_order_to_the_nanosecond_and_restart)
{
	struct periodic {
		hrtimer t;
		std::vector<u64> at;
	} p;
	static periodic *self;
	self = &p;

	on_cpu([&] {
		hrtimer_init(p.t, HRTIMER_MODE_REL_PINNED_SOFT);
		p.t.function = [](hrtimer &t) {
			self->at.push_back(current.cpu->now_ns);
			hrtimer_forward(t, ktime_get(), 1'000'003);
			return self->at.size() < 3 ? HRTIMER_RESTART : HRTIMER_NORESTART;
		};
		hrtimer_start(p.t, 500, HRTIMER_MODE_REL_PINNED_SOFT);
	});
	w.run_ms(10);
	EXPECT_EQ(p.at, (std::vector<u64>{500, 1'000'503, 2'000'506}));
	EXPECT_EQ(w.c0().softirqs_run[HRTIMER_SOFTIRQ], 3U);
	on_cpu([&] {
		hrtimer_start(p.t, 500, HRTIMER_MODE_REL_PINNED_SOFT);
		EXPECT_TRUE(hrtimer_is_queued(p.t));
		EXPECT_EQ(hrtimer_cancel(p.t), 1);
		EXPECT_EQ(hrtimer_cancel(p.t), 0);
	});
}

TEST_F(timer_test, delayed_work_runs_in_a_task_when_it_is_due_and_not_when_cancelled)
{
	static int runs;
	delayed_work work, cancelled;

	runs = 0;
	on_cpu([&] {
		for (delayed_work *d : {&work, &cancelled}) {
			INIT_DELAYED_WORK(*d, [](delayed_work &) {
				EXPECT_TRUE(!in_interrupt() && current.task && current.task->is_kthread);
				++runs;
			});
			EXPECT_TRUE(queue_delayed_work(*d, 10));
			EXPECT_FALSE(queue_delayed_work(*d, 10));
		}
		EXPECT_TRUE(cancel_delayed_work_sync(cancelled));
	});
	run_ticks(9);
	EXPECT_EQ(runs, 0);
	run_ticks(3);
	EXPECT_EQ(runs, 1);
	on_cpu([&] { EXPECT_TRUE(queue_delayed_work(work, 0)); });
	run_ticks(1);
	EXPECT_EQ(runs, 2);
}

TEST_F(timer_test, a_callback_of_rcu_comes_by_the_second_tick_and_not_into_a_reader)
{
	static int called;
	rcu_head head;

	called = 0;
	on_cpu([&] { call_rcu(head, [](rcu_head *) { ++called; }); });
	w.c0().rcu_nesting = 1; // a reader that was left in the middle
	run_ticks(5);
	EXPECT_EQ(called, 0);
	w.c0().rcu_nesting = 0;
	run_ticks(2);
	EXPECT_EQ(called, 1);
	const u64 before = w.interrupts_or_runs;
	run_ticks(100);
	EXPECT_EQ(w.interrupts_or_runs, before) << "the tick stops again";
	on_cpu([&] { call_rcu(head, [](rcu_head *) { ++called; }); });
	rcu_process_callbacks(w.h);
	EXPECT_EQ(called, 2);
}

} // namespace
