// SPDX-License-Identifier: GPL-2.0-only
//
// Stacks, fibers and the sanitizers' view of both. A switch saves where it stopped in the fiber that is left.
// A fiber ends by its last switch away; its stack goes back to the pool with the fiber object. jump_fcontext
// hands over where it stopped to whom it arrives at, who stores it.
#include "stack/kernel/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#ifndef __x86_64__
#include <boost/context/detail/fcontext.hpp>
#endif

#ifdef SKBWALK_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace skbwalk {

namespace {

constexpr std::size_t guard_bytes = 4096;

#ifdef __x86_64__

[[noreturn]] void run(fiber *self)
{
	fiber_arrives(*self);
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

// Nothing of the stack that was left may be read any more.
void arrived(ctx::transfer_t t)
{
	fiber &to = *static_cast<fiber *>(t.data);

	to.left->context = t.fctx;
	fiber_arrives(to);
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
	context = new_context(static_cast<std::byte *>(stack.base) + fiber_pool::stack_bytes);
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

#ifndef __x86_64__
void fiber::switch_to(fiber &to, bool last)
{
	assert(to.context);
	to.left = this;
	fiber_leaves(*this, to, last);
	arrived(ctx::jump_fcontext(std::exchange(to.context, nullptr), &to));
}
#endif

namespace {

void call_below(std::byte *top, void (*fn)(u64), u64 arg)
{
#ifdef __x86_64__
	// That the frame's address is asked for makes the compiler keep a frame pointer, by which a debugger
	// finds back.
	asm volatile("movq %%rsp, %%rbx\n\t"
	             "movq %[top], %%rsp\n\t"
	             "call *%[fn]\n\t"
	             "movq %%rbx, %%rsp"
	             : "+D"(arg)
	             : [top] "r"(top), [fn] "r"(fn), "r"(__builtin_frame_address(0))
	             : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory",
	               SKBWALK_VECTORS);
#else
	static_cast<void>(top);
	fn(arg);
#endif
}

#if defined(SKBWALK_ASAN) && defined(__x86_64__)
struct asan_call {
	void (*fn)(u64);
	u64 arg;
	const void *caller_bottom = nullptr;
	std::size_t caller_size = 0;
	void *caller_fake_stack = nullptr;
};

void call_by_asan(u64 address)
{
	asan_call &call = *reinterpret_cast<asan_call *>(address);

	__sanitizer_finish_switch_fiber(nullptr, &call.caller_bottom, &call.caller_size);
	call.fn(call.arg);
	__sanitizer_start_switch_fiber(nullptr, call.caller_bottom, call.caller_size);
}
#endif

} // namespace

// not traced: a macro in the kernel
void call_on_stack([[maybe_unused]] fiber *running, const fiber_stack &stack, void (*fn)(u64), u64 arg)
{
	std::byte *const top = static_cast<std::byte *>(stack.base) + fiber_pool::stack_bytes;

#if defined(SKBWALK_ASAN) && defined(__x86_64__)
	asan_call call{fn, arg};
	fiber own;
	fiber &caller = running ? *running : own;
	const void *const bottom = std::exchange(caller.asan_bottom, stack.base); // should it be left there
	const std::size_t size = std::exchange(caller.asan_size, fiber_pool::stack_bytes);

	__sanitizer_start_switch_fiber(&call.caller_fake_stack, stack.base, fiber_pool::stack_bytes);
	call_below(top, call_by_asan, reinterpret_cast<std::uintptr_t>(&call));
	__sanitizer_finish_switch_fiber(call.caller_fake_stack, nullptr, nullptr);
	caller.asan_bottom = bottom;
	caller.asan_size = size;
#else
	call_below(top, fn, arg);
#endif
}

} // namespace skbwalk
