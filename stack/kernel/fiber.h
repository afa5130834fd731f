// SPDX-License-Identifier: GPL-2.0-only
//
// A stack of its own and the registers saved on it: what a task runs on. On x86-64 a switch is a few
// instructions in whoever asks for it, elsewhere one of Boost.Context's functions: a cpu foretells where a
// function returns to by the calls that it has seen, so that a switch which is itself a call, and no return,
// has it foretell every one of them wrong that follows. Around it stand the annotations that the address and
// thread sanitizers need to follow. Stacks are 512 KiB, mapped with a guard page below, and reused within a
// host.
#pragma once

#include <cassert>
#include <cstddef>
#include <vector>

#include "stack/kernel/types.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKBWALK_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define SKBWALK_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SKBWALK_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define SKBWALK_TSAN
#endif
#ifdef SKBWALK_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SKBWALK_TSAN
#include <sanitizer/tsan_interface.h>
#endif

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

// A call of fn(arg) on another stack, which is empty, by the fiber that runs; null: by a thread on its own.
void call_on_stack(fiber *running, const fiber_stack &stack, void (*fn)(u64), u64 arg);

// The sanitizers' part of a switch: before it, and where it has come to.
[[gnu::always_inline]] inline void fiber_leaves([[maybe_unused]] fiber &from, [[maybe_unused]] fiber &to,
                                                [[maybe_unused]] bool last)
{
#ifdef SKBWALK_ASAN
	__sanitizer_start_switch_fiber(last ? nullptr : &from.asan_fake_stack, to.asan_bottom, to.asan_size);
#endif
#ifdef SKBWALK_TSAN
	__tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
}
[[gnu::always_inline]] inline void fiber_arrives([[maybe_unused]] fiber &to)
{
#ifdef SKBWALK_ASAN
	fiber &from = *to.left;
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

#ifdef __x86_64__

// The vector registers, all of which any function may change.
#ifdef __AVX512F__
#define SKBWALK_VECTORS_512                                                                                  \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", \
		"xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define SKBWALK_VECTORS_512
#endif
#define SKBWALK_VECTORS                                                                                   \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
		"xmm12", "xmm13", "xmm14", "xmm15" SKBWALK_VECTORS_512

// What is kept is a stack pointer; there lie the address where the fiber goes on and its frame pointer. Of
// the other registers the compiler keeps what it needs. Below the stack pointer it may have 128 bytes more.
[[gnu::always_inline]] inline void fiber::switch_to(fiber &to, bool last)
{
	void **from_context = &context, *to_context = to.context;

	assert(to_context);
	to.left = this;
	to.context = nullptr;
	fiber_leaves(*this, to, last);

	fiber *arrived = &to; // a new one's first argument
	asm volatile("leaq -128(%%rsp), %%rsp\n\t"
	             "pushq %%rbp\n\t"
	             "leaq 1f(%%rip), %%rax\n\t"
	             "pushq %%rax\n\t"
	             "movq %%rsp, (%[from_context])\n\t"
	             "movq %[to_context], %%rsp\n\t"
	             "popq %%rax\n\t"
	             "jmpq *%%rax\n"
	             "1:\tpopq %%rbp\n\t"
	             "leaq 128(%%rsp), %%rsp"
	             : "+D"(arrived), [from_context] "+S"(from_context), [to_context] "+d"(to_context)
	             :
	             : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
	               "memory", SKBWALK_VECTORS);
	fiber_arrives(*this);
}

#endif

} // namespace skbwalk
