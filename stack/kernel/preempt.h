// SPDX-License-Identifier: GPL-2.0-only
//
// What a cpu is inside of, in one word as the kernel has it (include/linux/preempt.h): spin locks held,
// bottom halves disabled or served, hard interrupts.
#pragma once

#include "stack/kernel/sched.h"

namespace skbwalk {

constexpr u32 PREEMPT_OFFSET = 1, SOFTIRQ_OFFSET = 0x100, HARDIRQ_OFFSET = 0x10000;
// Serving a softirq is the odd one of SOFTIRQ_OFFSET.
constexpr u32 SOFTIRQ_DISABLE_OFFSET = 2 * SOFTIRQ_OFFSET;
constexpr u32 PREEMPT_MASK = 0xff, SOFTIRQ_MASK = 0xff00, HARDIRQ_MASK = 0xf0000;

inline u32 locks_held(const cpu &c) { return c.preempt_count & PREEMPT_MASK; }
inline u32 softirq_count() { return current.cpu->preempt_count & SOFTIRQ_MASK; }
inline bool in_softirq() { return softirq_count() != 0; }
inline bool in_serving_softirq() { return softirq_count() & SOFTIRQ_OFFSET; }
inline bool in_hardirq() { return current.cpu->preempt_count & HARDIRQ_MASK; }
inline bool in_interrupt() { return current.cpu->preempt_count & (HARDIRQ_MASK | SOFTIRQ_MASK); }

} // namespace skbwalk
