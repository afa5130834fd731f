// SPDX-License-Identifier: GPL-2.0-only
//
// Interrupts that nobody cares for.
#include "tests/kernel/irq_host.h"

using namespace skbwalk;
using namespace skbwalk::test;

namespace {

using irq_spurious_test = irq_host;

TEST_F(irq_spurious_test, a_line_is_stuck_after_100000_interrupts_it_is_shut_off_and_polled)
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

TEST_F(irq_spurious_test, a_hundred_of_100000_are_handled_the_line_stays)
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
	w.run_ms(10); // the cpu comes out of the last
	EXPECT_EQ(w.c0().left_on, nullptr);
	EXPECT_FALSE(desc(level_irq).istate & IRQS_SPURIOUS_DISABLED);
}

TEST_F(irq_spurious_test, unhandled_now_and_then_it_is_never_counted_up)
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

TEST_F(irq_spurious_test, a_newcomer_on_a_line_that_was_shut_off_gives_it_another_chance)
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

TEST_F(irq_spurious_test, a_handler_returns_nonsense_the_log_says_so)
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

} // namespace
