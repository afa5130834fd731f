// SPDX-License-Identifier: GPL-2.0-only
//
// Where an interrupt comes, the flows, lines that move to another cpu, what is counted.
#include "tests/kernel/irq_host.h"

using namespace skbwalk;
using namespace skbwalk::test;

namespace {

using irq_test = irq_host;

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
