// SPDX-License-Identifier: GPL-2.0-only
//
// Lines from a device's wire to its handler: where an interrupt comes, flows, disables, sharers, threads,
// what nobody cares for, and moving to another cpu. Tests the files of stack/kernel/irq and
// stack/kernel/apic.
#include "stack/kernel/irqdesc.h"

#include <gtest/gtest.h>

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
		EXPECT_TRUE(in_hardirq() && irqs_disabled());
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
	w.run(w.now_ns);
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
	w.run(w.now_ns);
	EXPECT_EQ(d.handled, 2);
	EXPECT_EQ(edges, 2);
}

} // namespace
