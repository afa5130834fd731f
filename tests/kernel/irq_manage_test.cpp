// SPDX-License-Identifier: GPL-2.0-only
//
// Lines that are disabled, shared, or handled by a thread.
#include "tests/kernel/irq_host.h"

using namespace skbwalk;
using namespace skbwalk::test;

namespace {

using irq_manage_test = irq_host;

// ---- disable and enable ---------------------------------------------------------------------------------

TEST_F(irq_manage_test, disabled_twice_it_needs_two_enables)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([&] {
		disable_irq(level_irq);
		disable_irq(level_irq);
		d.cause();
		EXPECT_EQ(d.calls, 0);
		enable_irq(level_irq);
		EXPECT_EQ(d.calls, 0);
		enable_irq(level_irq); // the line is still high
		EXPECT_EQ(d.handled, 1);
	});
	EXPECT_FALSE(logged("Unbalanced"));
}

TEST_F(irq_manage_test, disabled_it_stays_unmasked_until_an_interrupt_comes)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([&] {
		disable_irq(level_irq);
		EXPECT_FALSE(irqd_irq_masked(irq_to_desc(level_irq)->data));
		d.cause();
		EXPECT_TRUE(irqd_irq_masked(irq_to_desc(level_irq)->data));
		EXPECT_TRUE(irq_to_desc(level_irq)->istate & IRQS_PENDING);
		enable_irq(level_irq);
		EXPECT_FALSE(irqd_irq_masked(irq_to_desc(level_irq)->data));
	});
	EXPECT_EQ(d.handled, 1);
}

TEST_F(irq_manage_test, edge_comes_while_disabled_it_is_sent_again_when_enabled)
{
	device d(w.h, edge_irq);

	ASSERT_EQ(request(edge_irq, d), 0);
	in_a_task([&] {
		disable_irq(edge_irq);
		d.cause();
		d.line.set(false); // nothing tells of it any more
		EXPECT_EQ(d.calls, 0);
		enable_irq(edge_irq);
		EXPECT_EQ(d.handled, 1);
	});
	EXPECT_EQ(d.handled, 1);
}

TEST_F(irq_manage_test, edge_comes_while_masked_at_the_chip_it_is_lost)
{
	device d(w.h, edge_irq);

	ASSERT_EQ(request(edge_irq, d), 0);
	in_a_task([&] {
		irq_set_status_flags(edge_irq, IRQ_DISABLE_UNLAZY);
		disable_irq(edge_irq);
		d.cause();
		d.line.set(false);
		enable_irq(edge_irq);
		EXPECT_EQ(d.calls, 0);
	});
	w.run_ms(10);
	EXPECT_EQ(d.calls, 0);
}

TEST_F(irq_manage_test, enabled_more_often_than_disabled_the_log_says_so)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([] { enable_irq(level_irq); });
	EXPECT_TRUE(logged("Unbalanced enable for IRQ 11"));
}

TEST_F(irq_manage_test, asked_for_without_autoenable_it_is_silent_until_enabled)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d, IRQF_NO_AUTOEN), 0);
	in_a_task([&] {
		d.cause();
		EXPECT_EQ(d.calls, 0);
		enable_irq(level_irq);
		EXPECT_EQ(d.handled, 1);
	});
	EXPECT_EQ(d.handled, 1);
}

// ---- sharing --------------------------------------------------------------------------------------------

TEST_F(irq_manage_test, a_line_is_shared_all_are_asked_in_order_and_the_one_with_a_cause_handles)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED, "a"), 0);
	ASSERT_EQ(request(level_irq, b, IRQF_SHARED, "b"), 0);
	b.cause();
	w.run(w.now_ns);
	EXPECT_EQ(a.calls, 1);
	EXPECT_EQ(a.handled, 0);
	EXPECT_EQ(b.handled, 1);
	EXPECT_EQ(desc(level_irq).irqs_unhandled, 0u);
}

TEST_F(irq_manage_test, two_devices_of_a_line_raise_it_at_once_one_interrupt_serves_both)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED), 0);
	ASSERT_EQ(request(level_irq, b, IRQF_SHARED), 0);
	a.cause();
	b.cause();
	w.run(w.now_ns);
	EXPECT_EQ(a.handled, 1);
	EXPECT_EQ(b.handled, 1);
	EXPECT_EQ(desc(level_irq).kstat_irqs[0], 1u);
}

TEST_F(irq_manage_test, a_second_driver_does_not_agree_to_share_it_is_refused)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED, "first"), 0);
	EXPECT_EQ(request(level_irq, b, 0, "second"), -EBUSY);
	EXPECT_TRUE(logged("genirq: Flags mismatch irq 11. 00000000 (second) vs. 00000080 (first)"));
	EXPECT_EQ(request(level_irq, b, IRQF_SHARED | IRQF_ONESHOT), -EBUSY);
	EXPECT_EQ(request(level_irq, b, IRQF_SHARED | IRQF_TRIGGER_RISING), -EBUSY);
}

TEST_F(irq_manage_test, requests_without_sense_are_refused)
{
	device d(w.h, level_irq);
	const enter_cpu in(w.c0());

	EXPECT_EQ(request_irq(level_irq, device::handler, IRQF_SHARED, "x", nullptr), -EINVAL);
	EXPECT_EQ(request_irq(level_irq, nullptr, 0, "x", &d), -EINVAL);
	EXPECT_EQ(request_irq(23, device::handler, 0, "x", &d), -EINVAL); // no such line
	EXPECT_EQ(request_irq(IRQ_NOTCONNECTED, device::handler, 0, "x", &d), -ENOTCONN);
	EXPECT_EQ(request_threaded_irq(level_irq, nullptr, device::handler, 0, "x", &d), -EINVAL);
	EXPECT_EQ(free_irq(level_irq, &d), nullptr);
}

TEST_F(irq_manage_test, one_of_two_sharers_goes_the_other_still_gets_its_interrupts)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED), 0);
	ASSERT_EQ(request(level_irq, b, IRQF_SHARED), 0);
	{
		const enter_cpu in(w.c0());

		EXPECT_STREQ(free_irq(level_irq, &a), "dev");
		requested.erase(requested.begin());
	}
	b.cause();
	w.run(w.now_ns);
	EXPECT_EQ(a.calls, 0);
	EXPECT_EQ(b.handled, 1);
}

// ---- threads --------------------------------------------------------------------------------------------

TEST_F(irq_manage_test, oneshot_line_is_masked_until_its_thread_is_done)
{
	slow_device d(w.h, level_irq);

	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_threaded_irq(level_irq, nullptr, slow_device::thread, IRQF_ONESHOT, "slow",
		                               &d),
		          0);
		requested.emplace_back(level_irq, &d);
	}
	w.run(w.now_ns);
	d.cause();
	w.run(w.now_ns + 1000);
	EXPECT_TRUE(irqd_irq_masked(desc(level_irq).data));
	EXPECT_EQ(desc(level_irq).threads_active, 1);
	w.run_ms(20);
	EXPECT_EQ(d.handled, 1);
	EXPECT_EQ(d.where, "irq/11-slow");
	EXPECT_FALSE(irqd_irq_masked(desc(level_irq).data));
	EXPECT_EQ(desc(level_irq).kstat_irqs[0], 1u); // high all the time, and yet it came once
	EXPECT_EQ(desc(level_irq).threads_active, 0);
}

TEST_F(irq_manage_test, a_line_has_moved_its_thread_follows_to_the_new_cpu)
{
	slow_device d(w.h, level_irq);
	std::vector<int> cpus;

	d.then = [&] { cpus.push_back(smp_processor_id()); };
	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_threaded_irq(level_irq, nullptr, slow_device::thread, IRQF_ONESHOT, "slow",
		                               &d),
		          0);
		requested.emplace_back(level_irq, &d);
		EXPECT_EQ(irq_set_affinity(level_irq, cpumask_of(1)), 0);
	}
	for (int i = 0; i < 2; ++i) {
		d.cause();
		w.run_ms(20);
	}
	EXPECT_EQ(cpus, (std::vector<int>{0, 1}));
}

TEST_F(irq_manage_test, disable_irq_waits_for_the_thread)
{
	slow_device d(w.h, level_irq);
	int handled_at_return = -1;

	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_threaded_irq(level_irq, nullptr, slow_device::thread, IRQF_ONESHOT, "slow",
		                               &d),
		          0);
		requested.emplace_back(level_irq, &d);
	}
	w.run(w.now_ns);
	task_struct t(w.c0(), "task", [&] {
		d.cause();
		disable_irq(level_irq);
		handled_at_return = d.handled;
		enable_irq(level_irq);
	});
	task_start(t);
	w.run_ms(20);
	EXPECT_EQ(handled_at_return, 1);
}

TEST_F(irq_manage_test, a_task_frees_a_threaded_line_and_its_thread_is_gone)
{
	slow_device d(w.h, level_irq);
	const char *name = nullptr;
	task_struct t(w.c0(), "task", [&] {
		ASSERT_EQ(request_threaded_irq(level_irq, nullptr, slow_device::thread, IRQF_ONESHOT, "slow",
		                               &d),
		          0);
		EXPECT_TRUE(irq_to_desc(level_irq)->action->thread->stack); // it has started
		d.cause();
		name = free_irq(level_irq, &d);
		EXPECT_EQ(d.handled, 1); // what was on its way is done first
	});

	task_start(t);
	w.run_ms(40);
	EXPECT_STREQ(name, "slow");
}

TEST_F(irq_manage_test, handler_wants_a_thread_that_there_is_not_the_log_says_so_once)
{
	device d(w.h, edge_irq);

	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_irq(
				  edge_irq, [](int, void *) { return IRQ_WAKE_THREAD; }, 0, "x", &d),
		          0);
		requested.emplace_back(edge_irq, &d);
	}
	for (int i = 0; i < 2; ++i) {
		d.line.pulse();
		w.run_ms(1);
	}
	EXPECT_EQ(desc(edge_irq).kstat_irqs[0], 2u);
	EXPECT_EQ(std::ranges::count_if(kernel_log(w.h),
	                                [](const printk_info &l) {
						return l.text.find("no thread function") != std::string::npos;
					}),
	          1);
}

} // namespace
