// SPDX-License-Identifier: GPL-2.0-only
//
// Where softirqs run: nested in who enables bottom halves, on the way out of an interrupt, in ksoftirqd.
#include "stack/kernel/softirq.h"

#include <gtest/gtest.h>

#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

struct softirq_test : testing::Test {
	static inline int runs, keep_raising;
	static inline u64 cost_ns;
	static inline std::string who;
	test::bench_world w;

	softirq_test()
	{
		const enter_cpu in(w.c0());

		runs = keep_raising = 0;
		cost_ns = 0;
		who.clear();
		open_softirq(NET_RX_SOFTIRQ, [] {
			EXPECT_TRUE(in_serving_softirq() && in_interrupt() && !in_hardirq() &&
			            !irqs_disabled());
			++runs;
			charge(cost_ns);
			who = current.task ? current.task->comm : "idle";
			if (keep_raising && --keep_raising)
				raise();
		});
	}
	static void raise()
	{
		const unsigned long flags = local_irq_save();

		raise_softirq_irqoff(NET_RX_SOFTIRQ);
		local_irq_restore(flags);
	}
	void in_a_task(std::function<void()> body)
	{
		task_struct t(w.c0(), "task", std::move(body));

		task_start(t);
		w.run(w.now_ns);
	}
};

TEST_F(softirq_test, raised_with_bottom_halves_disabled_it_runs_when_the_outermost_is_enabled)
{
	in_a_task([] {
		local_bh_disable();
		local_bh_disable();
		raise();
		local_bh_enable();
		EXPECT_EQ(runs, 0);
		local_bh_enable();
		EXPECT_EQ(runs, 1);
		EXPECT_EQ(who, "task");
		EXPECT_FALSE(in_interrupt());
	});
}

TEST_F(softirq_test, raised_in_plain_task_context_it_runs_in_ksoftirqd)
{
	in_a_task([] {
		raise();
		local_bh_disable();
		local_bh_enable(); // ksoftirqd is on its way: not here
		EXPECT_EQ(runs, 0);
	});
	EXPECT_EQ(runs, 1);
	EXPECT_EQ(who, "ksoftirqd/0");
}

TEST_F(softirq_test, raised_by_an_interrupt_it_runs_on_the_way_out_in_idle_or_nested_in_the_task)
{
	w.device_interrupts([] {
		EXPECT_TRUE(in_hardirq() && irqs_disabled());
		raise();
		EXPECT_EQ(runs, 0);
	});
	EXPECT_EQ(runs, 1);
	EXPECT_EQ(who, "idle");
	EXPECT_FALSE(w.c0().irqs_off);
}

TEST_F(softirq_test, raised_from_within_it_runs_again_up_to_the_limit_and_then_in_ksoftirqd)
{
	keep_raising = 15;
	in_a_task([] {
		local_bh_disable();
		raise();
		local_bh_enable();
		EXPECT_EQ(runs, 10);
		EXPECT_EQ(who, "task");
	});
	EXPECT_EQ(runs, 15);
	EXPECT_EQ(who, "ksoftirqd/0");
}

TEST_F(softirq_test, the_time_limit_of_a_tick_counts_as_well)
{
	keep_raising = 9;
	cost_ns = 2 * NSEC_PER_MSEC;
	in_a_task([] {
		local_bh_disable();
		raise();
		local_bh_enable();
		EXPECT_EQ(runs, 2);
	});
	EXPECT_EQ(runs, 9);
}

TEST_F(softirq_test, idle_hands_over_to_ksoftirqd_once_a_task_was_woken)
{
	static task_struct *sleeper;
	task_struct t(w.c0(), "sleeper", [] {
		set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	});
	const enter_cpu in(w.c0());

	sleeper = &t;
	task_start(t);
	w.run(0);
	open_softirq(NET_TX_SOFTIRQ, [] {
		wake_up_process(*sleeper);
		raise();
	});
	w.device_interrupts([] { __raise_softirq_irqoff(NET_TX_SOFTIRQ); });
	EXPECT_EQ(runs, 0);
	w.run_ms(1);
	EXPECT_EQ(who, "ksoftirqd/0");
}

TEST_F(softirq_test, lower_numbers_run_first)
{
	static std::string order;
	const enter_cpu in(w.c0());

	order.clear();
	open_softirq(HI_SOFTIRQ, [] { order += "hi "; });
	open_softirq(NET_TX_SOFTIRQ, [] { order += "tx "; });
	open_softirq(NET_RX_SOFTIRQ, [] { order += "rx "; });
	local_bh_disable();
	for (unsigned nr : {NET_RX_SOFTIRQ, HI_SOFTIRQ, NET_TX_SOFTIRQ})
		raise_softirq(nr);
	local_bh_enable();
	EXPECT_EQ(order, "hi tx rx ");
}

} // namespace
