// SPDX-License-Identifier: GPL-2.0-only
//
// How often each kind of interrupt came (arch/x86/include/asm/hardirq.h), and the texts of /proc/interrupts,
// /proc/softirqs and /proc/irq.
#pragma once

#include <string>
#include <string_view>

#include "stack/kernel/percpu.h"

namespace skbwalk {

struct irq_cpustat_t {
	u32 apic_timer_irqs = 0;
	u32 irq_resched_count = 0;
	u32 irq_call_count = 0;
};
extern percpu<irq_cpustat_t> irq_stat;

// Of the current host.
std::string show_interrupts();
std::string show_softirqs();
// /proc/irq/N/smp_affinity.
bool irq_has_affinity_file(unsigned irq);
std::string irq_affinity_proc_show(unsigned irq);
int write_irq_affinity(unsigned irq, std::string_view text);

} // namespace skbwalk
