// SPDX-License-Identifier: GPL-2.0-only
//
// fiber::switch_to. On x86-64 it is a few instructions in who asks for it (the kernel's __switch_to_asm),
// elsewhere, and where a sanitizer is to follow, one of Boost.Context's functions: a cpu foretells where
// functions return to by the calls that it has seen, and a call that comes back by a jump makes it foretell
// wrong for every function that is left afterwards.
#pragma once

#include <cassert>

#include "stack/kernel/fiber.h"
#include "stack/kernel/sanitizers.h"

// With shadow stacks (-fcf-protection=return) a switch has more to do, which Boost.Context knows.
#if defined(__x86_64__) && !defined(SKBWALK_ASAN) && !defined(SKBWALK_TSAN) && \
	!(defined(__CET__) && (__CET__ & 2))
#define SKBWALK_OWN_SWITCH

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

namespace skbwalk {

// What is kept is a stack pointer; there lie the address where the fiber goes on and its frame pointer. Of
// the other registers the compiler keeps what it needs. Below the stack pointer it may have 128 bytes more.
[[gnu::always_inline]] inline void fiber::switch_to(fiber &to, bool)
{
	void **from_context = &context, *to_context = to.context;
	fiber *self = &to; // a new one's first argument

	assert(to_context);
	to.context = nullptr;
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
	             : "+D"(self), [from_context] "+S"(from_context), [to_context] "+d"(to_context)
	             :
	             : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
	               "memory", SKBWALK_VECTORS);
}

} // namespace skbwalk

#endif
