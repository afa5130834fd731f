// SPDX-License-Identifier: GPL-2.0-only
//
// A stack of its own and the registers saved on it: what a task runs on (fiber_switch.h switches). Stacks are
// 512 KiB, mapped with a guard page below, and reused within a host.
#pragma once

#include <cstddef>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk {

struct fiber_stack {
	void *base = nullptr; // lowest usable byte; the guard page lies below
};

class fiber_pool {
public:
	static constexpr std::size_t stack_bytes = 512 * 1024;
	fiber_pool() = default;
	~fiber_pool();
	fiber_pool(const fiber_pool &) = delete;
	fiber_pool &operator=(const fiber_pool &) = delete;
	fiber_stack take();
	void give(fiber_stack s);

private:
	std::vector<fiber_stack> free_;
};

// A fiber that runs entry(arg) when first switched to; without an entry, the thread's own stack (a
// scheduler).
struct fiber {
	fiber();
	fiber(fiber_pool &pool, void (*entry)(void *), void *arg);
	~fiber(); // of a fiber that has ended, or that never ran
	fiber(const fiber &) = delete;
	fiber &operator=(const fiber &) = delete;

	// Leaves this fiber (which must be the running one) for `to`; returns when something switches back.
	// With `last`, nothing ever will.
	void switch_to(fiber &to, bool last = false);

	void *context = nullptr; // where it stopped
	fiber *left = nullptr;   // which one switched to it last
	fiber_pool *pool = nullptr;
	fiber_stack stack;
	void (*entry)(void *) = nullptr;
	void *arg = nullptr;
	void *asan_fake_stack = nullptr;
	const void *asan_bottom = nullptr;
	std::size_t asan_size = 0;
	void *tsan_fiber = nullptr;
};

// Calls fn(arg) on another stack, which is empty; where switches are Boost.Context's, on the same.
void call_on_stack(const fiber_stack &stack, void (*fn)(u64), u64 arg);

} // namespace skbwalk
