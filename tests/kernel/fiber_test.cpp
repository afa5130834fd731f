// SPDX-License-Identifier: GPL-2.0-only
//
// Switches between stacks, and calls on another one: what a function has in registers and on its stack is
// there when it goes on.
#include "stack/kernel/fiber_switch.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace skbwalk {
namespace {

// What comes of numbers that are mixed again and again: so many at once that a compiler keeps some in every
// register that it has. Between any two rounds somebody else may run.
template <class Meanwhile> double mixed(u64 seed, Meanwhile meanwhile)
{
	u64 a = seed, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;
	double p = static_cast<double>(seed), q = p + 1, r = p + 2, s = p + 3, t = p + 4, u = p + 5;

	for (int round = 0; round < 5; ++round) {
		meanwhile();
		a += 3 * b;
		b ^= c;
		c += 5 * d;
		d ^= e;
		e += 7 * f;
		f ^= a;
		p += q / 2;
		q -= r / 4;
		r += s / 2;
		s -= t / 4;
		t += u / 2;
		u -= p / 4;
	}
	return static_cast<double>((a ^ b) + (c ^ d) + (e ^ f)) + p + q + r + s + t + u;
}

struct two_stacks {
	fiber_pool pool;
	fiber scheduler;
	fiber *task = nullptr;
	fiber_stack other;
	double result = 0;
	std::uintptr_t was_at = 0;
	int kept = 0;
};

void mixes(void *arg)
{
	auto &w = *static_cast<two_stacks *>(arg);

	w.result = mixed(1000, [&] { w.task->switch_to(w.scheduler); });
	w.task->switch_to(w.scheduler, true);
}

TEST(fiber, both_of_two_that_take_turns_have_their_registers)
{
	two_stacks w;
	fiber task(w.pool, mixes, &w);

	w.task = &task;
	const double here = mixed(1, [&] { w.scheduler.switch_to(task); });
	EXPECT_EQ(w.result, 0);
	w.scheduler.switch_to(task);
	EXPECT_EQ(here, mixed(1, [] {}));
	EXPECT_EQ(w.result, mixed(1000, [] {}));
}

void leaves_in_the_middle(u64 arg)
{
	auto &w = *reinterpret_cast<two_stacks *>(arg);
	volatile int here = 7;

	w.was_at = reinterpret_cast<std::uintptr_t>(&here);
	w.task->switch_to(w.scheduler);
	w.kept = here;
}

void calls_on_the_other_stack(void *arg)
{
	auto &w = *static_cast<two_stacks *>(arg);

	w.result = mixed(1, [&] {
		call_on_stack(w.other, leaves_in_the_middle, reinterpret_cast<std::uintptr_t>(arg));
	});
	w.task->switch_to(w.scheduler, true);
}

bool lies_in(std::uintptr_t at, const fiber_stack &stack)
{
	const auto base = reinterpret_cast<std::uintptr_t>(stack.base);

	return at >= base && at < base + fiber_pool::stack_bytes;
}

TEST(fiber, left_in_calls_on_another_stack_goes_on_there_and_returns)
{
	two_stacks w;

	w.other = w.pool.take();
	{
		fiber task(w.pool, calls_on_the_other_stack, &w);

		w.task = &task;
		w.scheduler.switch_to(task);
#ifdef SKBWALK_OWN_SWITCH
		EXPECT_TRUE(lies_in(w.was_at, w.other));
#else
		EXPECT_TRUE(lies_in(w.was_at, task.stack));
#endif
		for (int rounds = 1; rounds < 5; ++rounds) {
			EXPECT_EQ(w.kept, rounds == 1 ? 0 : 7);
			w.scheduler.switch_to(task);
		}
		EXPECT_EQ(w.result, 0);
		w.scheduler.switch_to(task);
		EXPECT_EQ(w.result, mixed(1, [] {}));
	}
	w.pool.give(w.other);
}

} // namespace
} // namespace skbwalk
