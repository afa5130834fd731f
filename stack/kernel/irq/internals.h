// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of kernel/irq share (kernel/irq/internals.h, settings.h).
#pragma once

#include "stack/kernel/irqdesc.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

// irqaction::thread_flags
constexpr u32 IRQTF_RUNTHREAD = 1U << 0;
constexpr u32 IRQTF_WARNED = 1U << 1;
constexpr u32 IRQTF_AFFINITY = 1U << 2;
constexpr u32 IRQTF_READY = 1U << 4;

constexpr bool IRQ_RESEND = true;
constexpr bool IRQ_NORESEND = false;

// --- irqdesc.cpp ---
irq_desc &irq_alloc_desc_at(unsigned irq, const irq_chip &chip, void *chip_data);
// Null, and nothing locked, if there is no such line.
irq_desc *__irq_get_desc_lock(unsigned irq, unsigned long &flags);
void __irq_put_desc_unlock(irq_desc &desc, unsigned long flags);

// --- chip.cpp ---
int irq_startup(irq_desc &desc, bool resend);
int irq_activate(irq_desc &desc);
void irq_shutdown(irq_desc &desc);
void irq_enable(irq_desc &desc);
void irq_disable(irq_desc &desc);
void mask_irq(irq_desc &desc);
void unmask_irq(irq_desc &desc);
void unmask_threaded_irq(irq_desc &desc);
// --- handle.cpp ---
irqreturn_t __handle_irq_event_percpu(irq_desc &desc);
irqreturn_t handle_irq_event_percpu(irq_desc &desc);
irqreturn_t handle_irq_event(irq_desc &desc);
void __irq_wake_thread(irq_desc &desc, irqaction &action);
// --- manage.cpp ---
void __disable_irq(irq_desc &desc);
void __enable_irq(irq_desc &desc);
int __irq_set_trigger(irq_desc &desc, u32 flags);
int irq_setup_affinity(irq_desc &desc);
int irq_do_set_affinity(irq_data &d, cpumask mask, bool force);
// --- migration.cpp ---
void irq_move_masked_irq(irq_data &d);
void __irq_move_irq(irq_data &d);
inline void irq_move_irq(irq_data &d)
{
	TRACE_INLINE();
	if (irqd_is_setaffinity_pending(d))
		__irq_move_irq(d);
}
// --- resend.cpp ---
int check_irq_resend(irq_desc &desc, bool inject);
// --- spurious.cpp ---
void note_interrupt(irq_desc &desc, irqreturn_t action_ret);
bool irq_wait_for_poll(irq_desc &desc);
// --- the domain of lines with a vector (apic/io_apic.cpp) ---
int mp_irqdomain_activate(irq_data &d);
void mp_irqdomain_deactivate(irq_data &d);
inline int irq_domain_activate_irq(irq_data &d)
{
	if (irqd_is_activated(d))
		return 0;
	const int ret = d.parent_data ? mp_irqdomain_activate(d) : 0;

	if (!ret)
		irqd_set(d, IRQD_ACTIVATED);
	return ret;
}
inline void irq_domain_deactivate_irq(irq_data &d)
{
	if (!irqd_is_activated(d))
		return;
	if (d.parent_data)
		mp_irqdomain_deactivate(d);
	irqd_clear(d, IRQD_ACTIVATED);
}

// kernel/irq/settings.h
inline bool irq_settings_is_level(const irq_desc &d) { return (d.status_use_accessors & IRQ_LEVEL) != 0; }
inline bool irq_settings_is_per_cpu(const irq_desc &d) { return (d.status_use_accessors & IRQ_PER_CPU) != 0; }
inline bool irq_settings_is_polled(const irq_desc &d)
{
	return (d.status_use_accessors & IRQ_IS_POLLED) != 0;
}
inline bool irq_settings_no_debug(const irq_desc &d) { return (d.status_use_accessors & IRQ_NO_DEBUG) != 0; }
inline bool irq_settings_can_request(const irq_desc &d)
{
	return (d.status_use_accessors & IRQ_NOREQUEST) == 0;
}
inline bool irq_settings_can_autoenable(const irq_desc &d)
{
	return (d.status_use_accessors & IRQ_NOAUTOEN) == 0;
}
inline bool irq_settings_disable_unlazy(const irq_desc &d)
{
	return (d.status_use_accessors & IRQ_DISABLE_UNLAZY) != 0;
}

inline void kstat_incr_irqs_this_cpu(irq_desc &desc)
{
	++desc.kstat_irqs[current.cpu->id];
	++desc.tot_count;
}

} // namespace skbwalk
