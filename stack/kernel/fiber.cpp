// SPDX-License-Identifier: GPL-2.0-only
//
// Stacks, and switches between them by Boost.Context where fiber_switch.h has none. A switch saves where it
// stopped in the fiber that is left: jump_fcontext hands that over to whom it arrives at, who stores it. A
// fiber ends by its last switch away; its stack goes back to the pool with the fiber object.
#include "stack/kernel/fiber_switch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>

#ifdef SKBWALK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SKBWALK_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace skbwalk {

namespace {

constexpr std::size_t guard_bytes = 4096;

std::byte *top_of(const fiber_stack &s) { return static_cast<std::byte *>(s.base) + fiber_pool::stack_bytes; }

#ifdef SKBWALK_OWN_SWITCH

[[noreturn]] void run(fiber *self)
{
	self->entry(self->arg);
	std::abort(); // an entry ends by its last switch away
}

// As switch_to finds it: where to go on, and, for who looks at the stack, that nothing called it.
void *new_context(std::byte *top)
{
	void **const sp = reinterpret_cast<void **>(top) - 2;

	sp[0] = reinterpret_cast<void *>(run);
	sp[1] = nullptr;
	return sp;
}

#else

namespace ctx = boost::context::detail;

// What is handed over is the fiber arrived at: nothing of the stack that was left may be read any more.
void arrived(ctx::transfer_t t)
{
	fiber &to = *static_cast<fiber *>(t.data);
	fiber &from = *to.left;

	from.context = t.fctx;
#ifdef SKBWALK_ASAN
	const void *bottom = nullptr;
	std::size_t size = 0;

	__sanitizer_finish_switch_fiber(to.asan_fake_stack, &bottom, &size);
	// What a scheduler's stack is, the first one that it switches to finds out.
	if (!from.entry) {
		from.asan_bottom = bottom;
		from.asan_size = size;
	}
#endif
}

[[noreturn]] void run(ctx::transfer_t t)
{
	fiber *self = static_cast<fiber *>(t.data);

	arrived(t);
	self->entry(self->arg);
	std::abort(); // an entry ends by its last switch away
}

void *new_context(std::byte *top) { return ctx::make_fcontext(top, fiber_pool::stack_bytes, run); }

#endif

} // namespace

fiber_pool::~fiber_pool()
{
	for (fiber_stack s : free_)
		munmap(static_cast<std::byte *>(s.base) - guard_bytes, stack_bytes + guard_bytes);
}

fiber_stack fiber_pool::take()
{
	if (!free_.empty()) {
		fiber_stack s = free_.back();

		free_.pop_back();
		return s;
	}
	void *p = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (p == MAP_FAILED || mprotect(p, guard_bytes, PROT_NONE) != 0)
		std::abort();
	return fiber_stack{static_cast<std::byte *>(p) + guard_bytes};
}

void fiber_pool::give(fiber_stack s)
{
#ifdef SKBWALK_ASAN
	// Frames that were left by the last switch never unpoisoned theirs.
	__asan_unpoison_memory_region(s.base, stack_bytes);
#endif
	free_.push_back(s);
}

fiber::fiber()
{
#ifdef SKBWALK_TSAN
	tsan_fiber = __tsan_get_current_fiber();
#endif
}

fiber::fiber(fiber_pool &from, void (*fn)(void *), void *a)
	: pool(&from), stack(from.take()), entry(fn), arg(a)
{
	asan_bottom = stack.base;
	asan_size = fiber_pool::stack_bytes;
	context = new_context(top_of(stack));
#ifdef SKBWALK_TSAN
	tsan_fiber = __tsan_create_fiber(0);
#endif
}

fiber::~fiber()
{
	if (!entry)
		return;
#ifdef SKBWALK_TSAN
	__tsan_destroy_fiber(tsan_fiber);
#endif
	pool->give(stack);
}

#ifndef SKBWALK_OWN_SWITCH
void fiber::switch_to(fiber &to, [[maybe_unused]] bool last)
{
	assert(to.context);
	to.left = this;
	void *target = to.context;
	to.context = nullptr;
#ifdef SKBWALK_ASAN
	__sanitizer_start_switch_fiber(last ? nullptr : &asan_fake_stack, to.asan_bottom, to.asan_size);
#endif
#ifdef SKBWALK_TSAN
	__tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
	arrived(ctx::jump_fcontext(target, &to));
}
#endif

// not traced: a macro in the kernel
void call_on_stack(const fiber_stack &stack, void (*fn)(u64), u64 arg)
{
#ifdef SKBWALK_OWN_SWITCH
	// That the frame's address is asked for makes the compiler keep a frame pointer, by which a debugger
	// finds back.
	asm volatile("movq %%rsp, %%rbx\n\t"
	             "movq %[top], %%rsp\n\t"
	             "call *%[fn]\n\t"
	             "movq %%rbx, %%rsp"
	             : "+D"(arg)
	             : [top] "r"(top_of(stack)), [fn] "r"(fn), "r"(__builtin_frame_address(0))
	             : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory",
	               SKBWALK_VECTORS);
#else
	static_cast<void>(stack);
	fn(arg);
#endif
}

} // namespace skbwalk
