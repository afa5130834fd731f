// SPDX-License-Identifier: GPL-2.0-only
//
// Lines from a device's wire to its handler: where an interrupt comes, flows, disables, sharers, threads,
// what nobody cares for, and moving to another cpu. Tests the files of stack/kernel/irq and
// stack/kernel/apic.
#include "stack/kernel/irqdesc.h"

#include <gtest/gtest.h>

#include "stack/kernel/hardirq.h"
#include "stack/kernel/printk.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

constexpr unsigned level_irq = 11;
constexpr unsigned edge_irq = 7;

// A device with a cause register: as long as a cause is set, a level line is high. Reading it clears it.
struct device {
	device(host &host, unsigned pin) : h(host), line(host, pin) {}
	void cause()
	{
		causes = true;
		line.set(true);
	}
	irqreturn_t interrupted()
	{
		++calls;
		where = current.task ? current.task->comm : "idle";
		if (!causes)
			return IRQ_NONE;
		EXPECT_TRUE(in_interrupt() && irqs_disabled());
		causes = false;
		line.set(false);
		++handled;
		if (then)
			then();
		return IRQ_HANDLED;
	}
	static irqreturn_t handler(int, void *dev) { return static_cast<device *>(dev)->interrupted(); }

	host &h;
	irq_line line;
	bool causes = false;
	int calls = 0, handled = 0;
	std::string where;
	std::function<void()> then;
};

struct irq_test : testing::Test {
	test::bench_world w{2};
	std::vector<std::pair<unsigned, void *>> requested;

	irq_test()
	{
		const enter_cpu in(w.c0());

		EXPECT_EQ(acpi_register_gsi(level_irq, true), static_cast<int>(level_irq));
		EXPECT_EQ(acpi_register_gsi(edge_irq, false), static_cast<int>(edge_irq));
	}
	~irq_test() override
	{
		const enter_cpu in(w.c0());

		for (const auto &[irq, dev] : requested)
			EXPECT_NE(free_irq(irq, dev), nullptr);
	}
	int request(unsigned irq, device &d, u32 flags = 0, const char *name = "dev")
	{
		const enter_cpu in(w.c0());
		const int ret = request_irq(irq, device::handler, flags, name, &d);

		if (!ret)
			requested.emplace_back(irq, &d);
		return ret;
	}
	irq_desc &desc(unsigned irq)
	{
		const enter_cpu in(w.c0());

		return *irq_to_desc(irq);
	}
	void in_a_task(std::function<void()> body)
	{
		task_struct t(w.c0(), "task", std::move(body));

		task_start(t);
		w.run(w.now_ns);
	}
	bool logged(const std::string &text)
	{
		return std::ranges::any_of(kernel_log(w.h), [&](const std::string &line) {
			return line.find(text) != std::string::npos;
		});
	}
};

// ---- where an interrupt comes ---------------------------------------------------------------------------

TEST_F(irq_test, level_line_rises_while_the_cpu_is_idle_handled_from_the_idle_loop_once)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	d.cause();
	EXPECT_EQ(d.calls, 0); // the world decides when the cpu is entered
	w.run(w.now_ns);
	EXPECT_EQ(d.calls, 1);
	EXPECT_EQ(d.where, "idle");
	w.run_ms(10);
	EXPECT_EQ(d.calls, 1);
	EXPECT_EQ(desc(level_irq).kstat_irqs[0], 1u);
}

TEST_F(irq_test, a_register_is_touched_with_interrupts_enabled_the_interrupt_nests_right_there)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([&d] {
		d.cause();
		EXPECT_EQ(d.handled, 1);
		EXPECT_EQ(d.where, "task");
		EXPECT_FALSE(in_hardirq() || irqs_disabled());
	});
	EXPECT_EQ(d.handled, 1);
}

TEST_F(irq_test, a_register_is_touched_with_interrupts_disabled_the_interrupt_comes_when_they_are_enabled)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([&d] {
		const unsigned long flags = local_irq_save();

		d.cause();
		EXPECT_EQ(d.handled, 0);
		local_irq_restore(flags);
		EXPECT_EQ(d.handled, 1);
	});
	EXPECT_EQ(d.handled, 1);
}

TEST_F(irq_test, a_device_acts_while_a_softirq_runs_it_interrupts_that_and_what_it_raises_runs_next_round)
{
	static device *nic;
	static std::string order;
	device d(w.h, level_irq);

	nic = &d;
	order.clear();
	ASSERT_EQ(request(level_irq, d), 0);
	d.then = [] {
		order += "irq ";
		__raise_softirq_irqoff(NET_RX_SOFTIRQ);
	};
	w.at_device(
		w.h, w.now_ns + 1000, [](void *) { nic->cause(); }, nullptr);
	in_a_task([] {
		open_softirq(NET_TX_SOFTIRQ, [] {
			order += "tx( ";
			charge(2000);
			interrupt_point();
			order += ") ";
		});
		open_softirq(NET_RX_SOFTIRQ, [] { order += "rx "; });
		local_bh_disable();
		raise_softirq(NET_TX_SOFTIRQ);
		local_bh_enable();
	});
	EXPECT_EQ(order, "tx( irq ) rx ");
}

// ---- flows ----------------------------------------------------------------------------------------------

TEST_F(irq_test, level_line_stays_high_after_its_handler_it_interrupts_again_until_it_falls)
{
	device d(w.h, level_irq);
	int again = 3;

	ASSERT_EQ(request(level_irq, d), 0);
	d.then = [&] {
		if (--again)
			d.cause(); // the line falls and rises before the end of the interrupt
	};
	d.cause();
	w.run_ms(1);
	EXPECT_EQ(d.handled, 3);
	EXPECT_FALSE(d.line.high());
}

TEST_F(irq_test, a_line_that_nobody_asked_for_stays_masked)
{
	device d(w.h, level_irq);

	d.cause();
	w.run_ms(10);
	EXPECT_EQ(desc(level_irq).kstat_irqs[0], 0u);
	// Who asks for it later gets what waits.
	ASSERT_EQ(request(level_irq, d), 0);
	w.run(w.now_ns);
	EXPECT_EQ(d.handled, 1);
}

TEST_F(irq_test, edge_comes_while_its_handler_runs_the_handler_runs_once_more)
{
	device d(w.h, edge_irq);
	int edges = 0;

	ASSERT_EQ(request(edge_irq, d), 0);
	d.then = [&] {
		if (++edges == 1)
			d.cause();
	};
	d.cause();
	w.run_ms(1);
	EXPECT_EQ(d.handled, 2);
	EXPECT_EQ(edges, 2);
}

// ---- disable and enable ---------------------------------------------------------------------------------

TEST_F(irq_test, disabled_twice_it_needs_two_enables)
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

TEST_F(irq_test, disabled_it_stays_unmasked_until_an_interrupt_comes)
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

TEST_F(irq_test, edge_comes_while_disabled_it_is_sent_again_when_enabled)
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

TEST_F(irq_test, edge_comes_while_masked_at_the_chip_it_is_lost)
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

TEST_F(irq_test, enabled_more_often_than_disabled_the_log_says_so)
{
	device d(w.h, level_irq);

	ASSERT_EQ(request(level_irq, d), 0);
	in_a_task([] { enable_irq(level_irq); });
	EXPECT_TRUE(logged("Unbalanced enable for IRQ 11"));
}

TEST_F(irq_test, asked_for_without_autoenable_it_is_silent_until_enabled)
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

TEST_F(irq_test, a_line_is_shared_all_are_asked_in_order_and_the_one_with_a_cause_handles)
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

TEST_F(irq_test, two_devices_of_a_line_raise_it_at_once_one_interrupt_serves_both)
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

TEST_F(irq_test, a_second_driver_does_not_agree_to_share_it_is_refused)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED, "first"), 0);
	EXPECT_EQ(request(level_irq, b, 0, "second"), -EBUSY);
	EXPECT_TRUE(logged("genirq: Flags mismatch irq 11. 00000000 (second) vs. 00000080 (first)"));
	EXPECT_EQ(request(level_irq, b, IRQF_SHARED | IRQF_ONESHOT), -EBUSY);
	EXPECT_EQ(request(level_irq, b, IRQF_SHARED | IRQF_TRIGGER_RISING), -EBUSY);
}

TEST_F(irq_test, requests_without_sense_are_refused)
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

TEST_F(irq_test, one_of_two_sharers_goes_the_other_still_gets_its_interrupts)
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

// A device that only its thread may quiet: slow, and asleep meanwhile.
struct slow_device : device {
	using device::device;
	static irqreturn_t thread(int, void *dev)
	{
		auto *d = static_cast<slow_device *>(dev);

		schedule_timeout_ms(5);
		return d->device_thread();
	}
	static void schedule_timeout_ms(u32 ms)
	{
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(msecs_to_jiffies(ms));
	}
	irqreturn_t device_thread()
	{
		where = current.task->comm;
		EXPECT_FALSE(in_interrupt());
		causes = false;
		line.set(false);
		++handled;
		if (then)
			then();
		return IRQ_HANDLED;
	}
};

TEST_F(irq_test, oneshot_line_is_masked_until_its_thread_is_done)
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

TEST_F(irq_test, a_line_has_moved_its_thread_follows_to_the_new_cpu)
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

TEST_F(irq_test, disable_irq_waits_for_the_thread)
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

TEST_F(irq_test, a_task_frees_a_threaded_line_and_its_thread_is_gone)
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

TEST_F(irq_test, handler_wants_a_thread_that_there_is_not_the_log_says_so_once)
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
	                                [](const std::string &l) {
						return l.find("no thread function") != std::string::npos;
					}),
	          1);
}

// ---- what nobody cares for ------------------------------------------------------------------------------

TEST_F(irq_test, a_line_is_stuck_after_100000_interrupts_it_is_shut_off_and_polled)
{
	device shares(w.h, level_irq), stuck(w.h, level_irq);

	ASSERT_EQ(request(level_irq, shares, IRQF_SHARED, "shares"), 0);
	stuck.cause(); // no driver knows it
	w.run_ms(150);
	irq_desc &line = desc(level_irq);

	EXPECT_EQ(line.kstat_irqs[0], 100'000u);
	EXPECT_TRUE(line.istate & IRQS_SPURIOUS_DISABLED);
	EXPECT_EQ(line.depth, 1u);
	EXPECT_TRUE(logged("irq 11: nobody cared (try booting with the \"irqpoll\" option)"));
	EXPECT_TRUE(logged("Disabling IRQ #11"));
	// Ten times a second its sharers are asked all the same.
	const int calls = shares.calls;

	shares.causes = true;
	w.run_ms(1000);
	EXPECT_NEAR(shares.calls - calls, 10, 1);
	EXPECT_EQ(shares.handled, 1);
	EXPECT_LE(line.kstat_irqs[0], 100'001u); // the one that masked it
}

TEST_F(irq_test, a_hundred_of_100000_are_handled_the_line_stays)
{
	device shares(w.h, level_irq), stuck(w.h, level_irq);
	int n = 0;

	ASSERT_EQ(request(level_irq, shares, IRQF_SHARED), 0);
	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_irq(
				  level_irq,
				  [](int, void *count) {
					  return IRQ_RETVAL(++*static_cast<int *>(count) % 1000 == 0);
				  },
				  IRQF_SHARED, "sometimes", &n),
		          0);
		requested.emplace_back(level_irq, &n);
	}
	stuck.line.set(true);
	w.run_ms(250);
	EXPECT_GT(desc(level_irq).kstat_irqs[0], 200'000u);
	stuck.line.set(false);
	w.run_ms(1);
	EXPECT_FALSE(desc(level_irq).istate & IRQS_SPURIOUS_DISABLED);
}

TEST_F(irq_test, unhandled_now_and_then_it_is_never_counted_up)
{
	device d(w.h, edge_irq);

	ASSERT_EQ(request(edge_irq, d), 0);
	for (int i = 0; i < 5; ++i) {
		d.line.pulse(); // without a cause
		w.run_ms(200);
	}
	EXPECT_EQ(d.calls, 5);
	EXPECT_EQ(desc(edge_irq).irqs_unhandled, 1u);
	EXPECT_EQ(desc(edge_irq).irq_count, 5u);
}

TEST_F(irq_test, a_newcomer_on_a_line_that_was_shut_off_gives_it_another_chance)
{
	device shares(w.h, level_irq), stuck(w.h, level_irq);

	ASSERT_EQ(request(level_irq, shares, IRQF_SHARED), 0);
	stuck.cause();
	w.run_ms(150);
	ASSERT_TRUE(desc(level_irq).istate & IRQS_SPURIOUS_DISABLED);
	ASSERT_EQ(request(level_irq, stuck, IRQF_SHARED), 0);
	w.run_ms(1);
	EXPECT_EQ(stuck.handled, 1);
	EXPECT_EQ(desc(level_irq).depth, 0u);
	EXPECT_FALSE(stuck.line.high());
}

TEST_F(irq_test, a_handler_returns_nonsense_the_log_says_so)
{
	device d(w.h, edge_irq);

	{
		const enter_cpu in(w.c0());

		ASSERT_EQ(request_irq(
				  edge_irq, [](int, void *) { return static_cast<irqreturn_t>(8); }, 0, "x",
				  &d),
		          0);
		requested.emplace_back(edge_irq, &d);
	}
	d.line.pulse();
	w.run_ms(1);
	EXPECT_TRUE(logged("irq event 7: bogus return value 8"));
}

// ---- cpus -----------------------------------------------------------------------------------------------

TEST_F(irq_test, affinity_is_set_the_line_moves_after_its_next_interrupt_and_its_old_vector_goes)
{
	device d(w.h, level_irq);
	int cpu_of_handler = -1;

	ASSERT_EQ(request(level_irq, d), 0);
	d.then = [&] { cpu_of_handler = smp_processor_id(); };
	{
		const enter_cpu in(w.c0());

		EXPECT_EQ(irq_set_affinity(level_irq, cpumask_of(1)), 0);
	}
	d.cause();
	w.run_ms(1);
	EXPECT_EQ(cpu_of_handler, 0);
	d.cause();
	w.run_ms(1);
	EXPECT_EQ(cpu_of_handler, 1);
	EXPECT_EQ(desc(level_irq).kstat_irqs, (std::vector<u32>{1, 1}));
	// The first interrupt on the new cpu lets the old one forget its vector: the line may move again.
	{
		const enter_cpu in(w.c0());

		EXPECT_EQ(irq_set_affinity(level_irq, cpumask_of(0)), 0);
	}
	for (int i = 0; i < 2; ++i) {
		d.cause();
		w.run_ms(1);
	}
	EXPECT_EQ(cpu_of_handler, 0);
	EXPECT_EQ(d.handled, 4);
}

// ---- texts and randomness -------------------------------------------------------------------------------

TEST_F(irq_test, proc_interrupts_has_the_lines_with_their_sharers_and_the_cpus_own)
{
	device a(w.h, level_irq), b(w.h, level_irq);

	ASSERT_EQ(request(level_irq, a, IRQF_SHARED, "eth0"), 0);
	ASSERT_EQ(request(level_irq, b, IRQF_SHARED, "uhci_hcd"), 0);
	b.cause();
	w.run(w.now_ns);
	const enter_cpu in(w.c0());
	const std::string text = show_interrupts();

	EXPECT_TRUE(text.starts_with("           CPU0       CPU1       \n"
	                             " 11:          1          0   IO-APIC  11-fasteoi   eth0, uhci_hcd\n"
	                             "NMI:          0          0   Non-maskable interrupts\n"))
		<< text;
	EXPECT_NE(text.find("ERR:          0\nMIS:          0\n"), std::string::npos) << text;
}

TEST_F(irq_test, proc_softirqs_counts_by_cpu)
{
	in_a_task([] {
		open_softirq(NET_RX_SOFTIRQ, [] {});
		local_bh_disable();
		raise_softirq(NET_RX_SOFTIRQ);
		local_bh_enable();
	});
	const enter_cpu in(w.c0());
	const std::string text = show_softirqs();

	EXPECT_TRUE(text.starts_with("                    CPU0       CPU1       \n"
	                             "          HI:          0          0\n"))
		<< text;
	EXPECT_NE(text.find("      NET_RX:          1          0\n"), std::string::npos) << text;
}

TEST_F(irq_test, a_thousand_interrupts_are_credited_as_randomness)
{
	device d(w.h, edge_irq);

	ASSERT_EQ(request(edge_irq, d), 0);
	for (int i = 0; i < 1024; ++i) {
		d.causes = true;
		d.line.pulse();
		w.run(w.now_ns + 2000);
	}
	w.run_ms(10);
	const enter_cpu in(w.c0());

	EXPECT_EQ(interrupt_randomness_bits(), 16u);
}

} // namespace
