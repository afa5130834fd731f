// SPDX-License-Identifier: GPL-2.0-only
//
// Switches between stacks, and calls on another one: what a function has in registers and on its stack is
// there when it goes on.
#include "stack/kernel/fiber_switch.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace skbwalk {
namespace {

struct pair_of_fibers {
	fiber_pool pool;
	fiber scheduler;
	fiber *task = nullptr;
	fiber_stack other;
	int turns = 0;
	double sum = 0;
	std::uintptr_t was_at = 0;
};

// Sixteen sums at once, more than a cpu has registers for, with a switch between any two additions.
void adds(void *arg)
{
	auto &p = *static_cast<pair_of_fibers *>(arg);
	std::array<double, 16> sums{};

	for (int turn = 1; turn <= 3; ++turn) {
		for (std::size_t i = 0; i < sums.size(); ++i)
			sums[i] += turn * static_cast<double>(i);
		p.turns = turn;
		p.task->switch_to(p.scheduler);
	}
	for (const double s : sums)
		p.sum += s;
	p.task->switch_to(p.scheduler, true);
}

bool lies_in(std::uintptr_t at, const fiber_stack &stack)
{
	const auto base = reinterpret_cast<std::uintptr_t>(stack.base);

	return at >= base && at < base + fiber_pool::stack_bytes;
}

void leaves_in_the_middle(u64 arg)
{
	auto &p = *reinterpret_cast<pair_of_fibers *>(arg);
	volatile int here = 7;

	p.was_at = reinterpret_cast<std::uintptr_t>(&here);
	p.task->switch_to(p.scheduler);
	p.turns = here;
}

void calls_on_the_other_stack(void *arg)
{
	auto &p = *static_cast<pair_of_fibers *>(arg);

	call_on_stack(p.other, leaves_in_the_middle, reinterpret_cast<std::uintptr_t>(arg));
	p.sum = 1;
	p.task->switch_to(p.scheduler, true);
}

TEST(fiber, left_and_come_back_to_has_its_registers)
{
	pair_of_fibers p;
	fiber task(p.pool, adds, &p);
	double here = 0.5;

	p.task = &task;
	for (int turn = 1; turn <= 3; ++turn) {
		p.scheduler.switch_to(task);
		here *= 2;
		EXPECT_EQ(p.turns, turn);
		EXPECT_EQ(p.sum, 0);
	}
	p.scheduler.switch_to(task);
	EXPECT_EQ(p.sum, (1 + 2 + 3) * 120);
	EXPECT_EQ(here, 4);
}

TEST(fiber, left_in_a_call_on_another_stack_goes_on_there_and_returns)
{
	pair_of_fibers p;

	p.other = p.pool.take();
	{
		fiber task(p.pool, calls_on_the_other_stack, &p);

		p.task = &task;
		p.scheduler.switch_to(task);
		EXPECT_EQ(p.turns, 0);
#ifdef SKBWALK_OWN_SWITCH
		EXPECT_TRUE(lies_in(p.was_at, p.other));
#else
		EXPECT_TRUE(lies_in(p.was_at, task.stack));
#endif
		p.scheduler.switch_to(task);
		EXPECT_EQ(p.turns, 7);
		EXPECT_EQ(p.sum, 1);
	}
	p.pool.give(p.other);
}

} // namespace
} // namespace skbwalk
