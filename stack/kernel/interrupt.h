// SPDX-License-Identifier: GPL-2.0-only
//
// What a driver needs of interrupts (include/linux/interrupt.h): asks for a line, is called when the line
// interrupts, disables and enables it. How a device moves its line is in irq_line.h; how the kernel looks at
// a line is in irqdesc.h.
#pragma once

#include "stack/kernel/cpumask.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

// Values of handlers are or-ed over those of one line. A driver may return nonsense, which note_interrupt
// sees.
enum irqreturn_t : u32 { IRQ_NONE = 0, IRQ_HANDLED = 1, IRQ_WAKE_THREAD = 2 };
constexpr irqreturn_t operator|(irqreturn_t a, irqreturn_t b)
{
	return static_cast<irqreturn_t>(static_cast<u32>(a) | static_cast<u32>(b));
}
constexpr irqreturn_t IRQ_RETVAL(bool handled) { return handled ? IRQ_HANDLED : IRQ_NONE; }
using irq_handler_t = irqreturn_t (*)(int irq, void *dev_id);

constexpr u32 IRQ_TYPE_NONE = 0;
constexpr u32 IRQ_TYPE_EDGE_RISING = 1;
constexpr u32 IRQ_TYPE_EDGE_FALLING = 2;
constexpr u32 IRQ_TYPE_EDGE_BOTH = 3;
constexpr u32 IRQ_TYPE_LEVEL_HIGH = 4;
constexpr u32 IRQ_TYPE_LEVEL_LOW = 8;
constexpr u32 IRQ_TYPE_LEVEL_MASK = 12;
constexpr u32 IRQ_TYPE_SENSE_MASK = 15;

constexpr u32 IRQF_TRIGGER_NONE = IRQ_TYPE_NONE;
constexpr u32 IRQF_TRIGGER_RISING = IRQ_TYPE_EDGE_RISING;
constexpr u32 IRQF_TRIGGER_FALLING = IRQ_TYPE_EDGE_FALLING;
constexpr u32 IRQF_TRIGGER_HIGH = IRQ_TYPE_LEVEL_HIGH;
constexpr u32 IRQF_TRIGGER_LOW = IRQ_TYPE_LEVEL_LOW;
constexpr u32 IRQF_TRIGGER_MASK = IRQ_TYPE_SENSE_MASK;
constexpr u32 IRQF_SHARED = 0x00000080;
constexpr u32 IRQF_PROBE_SHARED = 0x00000100;
constexpr u32 __IRQF_TIMER = 0x00000200;
constexpr u32 IRQF_PERCPU = 0x00000400;
constexpr u32 IRQF_NOBALANCING = 0x00000800;
constexpr u32 IRQF_IRQPOLL = 0x00001000;
constexpr u32 IRQF_ONESHOT = 0x00002000;
constexpr u32 IRQF_NO_SUSPEND = 0x00004000;
constexpr u32 IRQF_NO_THREAD = 0x00010000;
constexpr u32 IRQF_COND_SUSPEND = 0x00040000;
constexpr u32 IRQF_NO_AUTOEN = 0x00080000;

constexpr unsigned IRQ_NOTCONNECTED = 1U << 31;

// `handler` null: the line stays masked until `thread_fn` is done, which IRQF_ONESHOT must agree to.
// `name` must stay as long as the line is asked for.
[[nodiscard]] int request_threaded_irq(unsigned irq, irq_handler_t handler, irq_handler_t thread_fn,
                                       u32 irqflags, const char *devname, void *dev_id);
[[nodiscard]] inline int request_irq(unsigned irq, irq_handler_t handler, u32 flags, const char *name,
                                     void *dev)
{
	TRACE_INLINE();
	return request_threaded_irq(irq, handler, nullptr, flags, name, dev);
}
// Returns the name that was given with it.
const char *free_irq(unsigned irq, void *dev_id);

// Disables nest; each disable wants its enable.
void disable_irq_nosync(unsigned irq);
void disable_irq(unsigned irq);                   // and waits for handlers
[[nodiscard]] bool disable_hardirq(unsigned irq); // false: a threaded handler is still at work
void enable_irq(unsigned irq);
void synchronize_irq(unsigned irq);
bool synchronize_hardirq(unsigned irq);
void irq_wake_thread(unsigned irq, void *dev_id);

// A line of IO-APIC moves to another cpu when it next interrupts.
[[nodiscard]] int irq_set_affinity(unsigned irq, cpumask mask);
[[nodiscard]] int irq_force_affinity(unsigned irq, cpumask mask);

// drivers/char/random.c
void add_interrupt_randomness(int irq);
u32 interrupt_randomness_bits(); // credited so far

} // namespace skbwalk
