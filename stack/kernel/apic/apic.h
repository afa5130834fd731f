// SPDX-License-Identifier: GPL-2.0-only
//
// What of arch/x86/include/asm/{apic,hw_irq,hardirq}.h the files here share: vectors and whose they are.
#pragma once

#include <array>

#include "stack/kernel/apic/machine.h"
#include "stack/kernel/irqdesc.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

constexpr u8 FIRST_EXTERNAL_VECTOR = 0x20;
constexpr u8 IRQ_MOVE_CLEANUP_VECTOR = FIRST_EXTERNAL_VECTOR;
constexpr u8 FIRST_DEVICE_VECTOR = FIRST_EXTERNAL_VECTOR + 1;
constexpr u8 FIRST_SYSTEM_VECTOR = 0xec;                                   // the timer's
constexpr u8 CALL_FUNCTION_SINGLE_VECTOR = 0xfb, RESCHEDULE_VECTOR = 0xfd; // from cpu to cpu

struct irq_cfg {
	u32 dest_apicid = 0;
	u32 vector = 0;
};

// What the vector domain keeps for a line: the vector it has, and the one it had before it moved.
struct apic_chip_data {
	irq_cfg hw_irq_cfg;
	u32 vector = 0;
	u32 prev_vector = 0;
	u32 cpu = 0;
	u32 prev_cpu = 0;
	unsigned irq = 0;
	bool move_in_progress = false;
	list_head clist;
};

extern percpu<std::array<irq_desc *, 256>> vector_irq;
extern const irq_chip lapic_controller;

irq_cfg *irqd_cfg(irq_data &d);
void irq_complete_move(irq_cfg &cfg);
int x86_vector_activate(irq_data &d);
void x86_vector_deactivate(irq_data &d);
void sysvec_irq_move_cleanup();
void apic_ack_irq(irq_data &d);
inline void ack_APIC_irq()
{
	TRACE_INLINE();
	machine::lapic_eoi();
}
u32 &irq_err_count(); // interrupts by a vector that nobody has
u32 irq_mis_count();  // level lines that came as edges

} // namespace skbwalk
