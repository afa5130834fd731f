// SPDX-License-Identifier: GPL-2.0-only
//
// Devices for tests of interrupts, and a host of two cpus with a level line and an edge line.
#pragma once

#include <gtest/gtest.h>

#include "stack/kernel/hardirq.h"
#include "stack/kernel/irqdesc.h"
#include "stack/kernel/printk.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk::test {

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

struct irq_host : testing::Test {
	bench_world w;
	std::vector<std::pair<unsigned, void *>> requested;

	explicit irq_host(u32 cpus = 2) : w(cpus)
	{
		const enter_cpu in(w.c0());

		EXPECT_EQ(acpi_register_gsi(level_irq, true), static_cast<int>(level_irq));
		EXPECT_EQ(acpi_register_gsi(edge_irq, false), static_cast<int>(edge_irq));
	}
	~irq_host() override
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
		for (int i = 0; i < 1000 && t.state != TASK_DEAD;
		     ++i) // one of several cpus is left in between
			w.run(w.now_ns + NSEC_PER_USEC);
	}
	bool logged(const std::string &text)
	{
		return std::ranges::any_of(kernel_log(w.h), [&](const printk_info &line) {
			return line.text.find(text) != std::string::npos;
		});
	}
};

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

} // namespace skbwalk::test
