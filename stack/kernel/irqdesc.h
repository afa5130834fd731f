// SPDX-License-Identifier: GPL-2.0-only
//
// A line as the kernel sees it (include/linux/irqdesc.h, irq.h): a descriptor with a flow handler, the chip
// that the line ends at, and the chain of actions of those who share it.
//
//	irq_desc -- irq_data -- irq_chip          the pin: mask, unmask, eoi
//	   |           `-- parent irq_data        the cpu's vector: ack, affinity
//	   `-- irqaction -> irqaction -> ...      handlers, and maybe a thread each
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stack/kernel/interrupt.h"
#include "stack/kernel/wait.h"

namespace skbwalk {

struct irq_desc;
struct irq_data;
struct irqaction;
using irq_flow_handler_t = void (*)(irq_desc &);

// irq_common_data::state_use_accessors; the low bits are the trigger's type.
constexpr u32 IRQD_TRIGGER_MASK = 0xf;
constexpr u32 IRQD_SETAFFINITY_PENDING = 1U << 8;
constexpr u32 IRQD_ACTIVATED = 1U << 9;
constexpr u32 IRQD_NO_BALANCING = 1U << 10;
constexpr u32 IRQD_PER_CPU = 1U << 11;
constexpr u32 IRQD_AFFINITY_SET = 1U << 12;
constexpr u32 IRQD_LEVEL = 1U << 13;
constexpr u32 IRQD_MOVE_PCNTXT = 1U << 15;
constexpr u32 IRQD_IRQ_DISABLED = 1U << 16;
constexpr u32 IRQD_IRQ_MASKED = 1U << 17;
constexpr u32 IRQD_IRQ_INPROGRESS = 1U << 18;
constexpr u32 IRQD_IRQ_STARTED = 1U << 22;
constexpr u32 IRQD_DEFAULT_TRIGGER_SET = 1U << 25;

// irq_desc::status_use_accessors
constexpr u32 IRQ_LEVEL = 1U << 8;
constexpr u32 IRQ_PER_CPU = 1U << 9;
constexpr u32 IRQ_NOPROBE = 1U << 10;
constexpr u32 IRQ_NOREQUEST = 1U << 11;
constexpr u32 IRQ_NOAUTOEN = 1U << 12;
constexpr u32 IRQ_NO_BALANCING = 1U << 13;
constexpr u32 IRQ_NOTHREAD = 1U << 16;
constexpr u32 IRQ_IS_POLLED = 1U << 18;
constexpr u32 IRQ_DISABLE_UNLAZY = 1U << 19;
constexpr u32 IRQ_NO_DEBUG = 1U << 21;

// irq_desc::istate
constexpr u32 IRQS_AUTODETECT = 0x01;
constexpr u32 IRQS_SPURIOUS_DISABLED = 0x02;
constexpr u32 IRQS_POLL_INPROGRESS = 0x08;
constexpr u32 IRQS_ONESHOT = 0x20;
constexpr u32 IRQS_REPLAY = 0x40;
constexpr u32 IRQS_WAITING = 0x80;
constexpr u32 IRQS_PENDING = 0x200;

// irq_chip::flags
constexpr u32 IRQCHIP_SET_TYPE_MASKED = 1U << 0;
constexpr u32 IRQCHIP_EOI_IF_HANDLED = 1U << 1;
constexpr u32 IRQCHIP_ONESHOT_SAFE = 1U << 5;
constexpr u32 IRQCHIP_EOI_THREADED = 1U << 6;
constexpr u32 IRQCHIP_AFFINITY_PRE_STARTUP = 1U << 10;

constexpr int IRQ_SET_MASK_OK = 0;
constexpr int IRQ_SET_MASK_OK_NOCOPY = 1;
constexpr int IRQ_SET_MASK_OK_DONE = 2;

// What a controller can do with a line; null where it cannot.
struct irq_chip {
	const char *name = "";
	unsigned (*irq_startup)(irq_data &) = nullptr;
	void (*irq_shutdown)(irq_data &) = nullptr;
	void (*irq_enable)(irq_data &) = nullptr;
	void (*irq_disable)(irq_data &) = nullptr;
	void (*irq_ack)(irq_data &) = nullptr;
	void (*irq_mask)(irq_data &) = nullptr;
	void (*irq_mask_ack)(irq_data &) = nullptr;
	void (*irq_unmask)(irq_data &) = nullptr;
	void (*irq_eoi)(irq_data &) = nullptr;
	int (*irq_set_affinity)(irq_data &, cpumask dest, bool force) = nullptr;
	int (*irq_retrigger)(irq_data &) = nullptr;
	int (*irq_set_type)(irq_data &, u32 flow_type) = nullptr;
	// Whether an interrupt is on its way or not yet acknowledged.
	bool (*irq_is_active)(irq_data &) = nullptr;
	u32 flags = 0;
};

struct irq_common_data {
	u32 state_use_accessors = 0;
	cpumask affinity;
	cpumask effective_affinity;
};

struct irq_data {
	unsigned irq = 0;
	u32 hwirq = 0;
	irq_common_data *common = nullptr;
	const irq_chip *chip = nullptr;
	irq_data *parent_data = nullptr;
	void *chip_data = nullptr;
};

// One of those who share a line.
struct irqaction {
	irq_handler_t handler = nullptr;
	void *dev_id = nullptr;
	irqaction *next = nullptr;
	irq_handler_t thread_fn = nullptr;
	std::unique_ptr<task_struct> thread;
	unsigned irq = 0;
	u32 flags = 0;
	u32 thread_flags = 0;
	u64 thread_mask = 0; // its bit in irq_desc::threads_oneshot
	const char *name = "";
};

struct irq_desc {
	irq_common_data irq_common;
	irq_data data;
	std::vector<u32> kstat_irqs; // by cpu
	irq_flow_handler_t handle_irq = nullptr;
	irqaction *action = nullptr;
	u32 status_use_accessors = 0;
	u32 istate = 0;
	u32 depth = 1; // nesting of disables; 1 before it is started
	u32 tot_count = 0;
	u32 irq_count = 0; // of the last 100000, for what nobody cares for
	u32 last_unhandled = 0;
	u32 irqs_unhandled = 0;
	int threads_handled = 0;
	int threads_handled_last = 0;
	spinlock_t lock;
	cpumask pending_mask;
	u64 threads_oneshot = 0;
	int threads_active = 0;
	wait_queue_head wait_for_threads;
	const char *name = nullptr; // of the flow: "fasteoi", "edge"

	irq_desc(host &h, unsigned irq, const irq_chip *chip, void *chip_data);
	~irq_desc();
	irq_desc(const irq_desc &) = delete;
	irq_desc &operator=(const irq_desc &) = delete;
};

// The descriptor of a line of the current host; null if there is none.
irq_desc *irq_to_desc(unsigned irq);
irq_desc &irq_data_to_desc(const irq_data &d);
unsigned nr_irqs(); // numbers are below

// Flows: how a line of that kind is taken.
void handle_level_irq(irq_desc &desc);
void handle_fasteoi_irq(irq_desc &desc);
void handle_edge_irq(irq_desc &desc);
void handle_simple_irq(irq_desc &desc);
void handle_bad_irq(irq_desc &desc);

void __irq_set_handler(unsigned irq, irq_flow_handler_t handle, const char *name);
inline void irq_set_handler(unsigned irq, irq_flow_handler_t handle)
{
	__irq_set_handler(irq, handle, nullptr);
}
int irq_set_chip(unsigned irq, const irq_chip *chip);
int irq_set_irq_type(unsigned irq, u32 type);
void irq_modify_status(unsigned irq, u32 clr, u32 set);
inline void irq_set_status_flags(unsigned irq, u32 set) { irq_modify_status(irq, 0, set); }
inline void irq_clear_status_flags(unsigned irq, u32 clr) { irq_modify_status(irq, clr, 0); }
inline void generic_handle_irq_desc(irq_desc &desc)
{
	TRACE_INLINE();
	desc.handle_irq(desc);
}

inline bool irqd_has_set(const irq_data &d, u32 mask) { return (d.common->state_use_accessors & mask) != 0; }
inline void irqd_set(irq_data &d, u32 mask) { d.common->state_use_accessors |= mask; }
inline void irqd_clear(irq_data &d, u32 mask) { d.common->state_use_accessors &= ~mask; }
inline bool irqd_irq_disabled(const irq_data &d) { return irqd_has_set(d, IRQD_IRQ_DISABLED); }
inline bool irqd_irq_masked(const irq_data &d) { return irqd_has_set(d, IRQD_IRQ_MASKED); }
inline bool irqd_irq_inprogress(const irq_data &d) { return irqd_has_set(d, IRQD_IRQ_INPROGRESS); }
inline bool irqd_is_started(const irq_data &d) { return irqd_has_set(d, IRQD_IRQ_STARTED); }
inline bool irqd_is_activated(const irq_data &d) { return irqd_has_set(d, IRQD_ACTIVATED); }
inline bool irqd_is_setaffinity_pending(const irq_data &d)
{
	return irqd_has_set(d, IRQD_SETAFFINITY_PENDING);
}
inline u32 irqd_get_trigger_type(const irq_data &d)
{
	return d.common->state_use_accessors & IRQD_TRIGGER_MASK;
}
inline bool irqd_is_level_type(const irq_data &d) { return irqd_has_set(d, IRQD_LEVEL); }

} // namespace skbwalk
