// SPDX-License-Identifier: GPL-2.0-only
//
// /proc/interrupts (kernel/irq/proc.c and arch/x86/kernel/irq.c) and /proc/softirqs (fs/proc/softirqs.c) in
// the kernel's layout: a line of numbers by cpu for each line that somebody asked for or that ever
// interrupted, then the cpu's own kinds. Kinds that this machine has no source of stand there with zeros, as
// on a machine where none came.
#include <array>
#include <cstdio>

#include "stack/kernel/apic/apic.h"
#include "stack/kernel/bitmap.h"
#include "stack/kernel/hardirq.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

percpu<irq_cpustat_t> irq_stat;

namespace {

constexpr int prec = 3; // digits of a number, as long as there are fewer than 1000

template <class... Args> void seq_printf(std::string &p, const char *format, Args... args)
{
	char text[128];

	std::snprintf(text, sizeof(text), format, args...);
	p += text;
}

void show_line(std::string &p, irq_desc &desc)
{
	u32 any_count = 0;

	for (const u32 count : desc.kstat_irqs)
		any_count |= count;
	if (!desc.action && !any_count)
		return;
	seq_printf(p, "%*u: ", prec, desc.data.irq);
	for (const u32 count : desc.kstat_irqs)
		seq_printf(p, "%10u ", count);
	seq_printf(p, " %8s", desc.data.chip->name);
	seq_printf(p, " %*u", prec, desc.data.hwirq);
	if (desc.name)
		seq_printf(p, "-%-8s", desc.name);
	for (const irqaction *action = desc.action; action; action = action->next) {
		p += action == desc.action ? "  " : ", ";
		p += action->name;
	}
	p += '\n';
}

struct kind {
	const char *name;
	const char *what;
	u32 irq_cpustat_t::*count = nullptr; // null: there is no source of it
};
constexpr std::array before_errors{
	kind{"NMI", "Non-maskable interrupts"},
	kind{"LOC", "Local timer interrupts", &irq_cpustat_t::apic_timer_irqs},
	kind{"SPU", "Spurious interrupts"},
	kind{"PMI", "Performance monitoring interrupts"},
	kind{"IWI", "IRQ work interrupts"},
	kind{"RTR", "APIC ICR read retries"},
	kind{"RES", "Rescheduling interrupts", &irq_cpustat_t::irq_resched_count},
	kind{"CAL", "Function call interrupts", &irq_cpustat_t::irq_call_count},
	kind{"TLB", "TLB shootdowns"},
	kind{"TRM", "Thermal event interrupts"},
	kind{"THR", "Threshold APIC interrupts"},
	kind{"DFR", "Deferred Error APIC interrupts"},
	kind{"MCE", "Machine check exceptions"},
	kind{"MCP", "Machine check polls"},
};
constexpr std::array after_errors{
	kind{"PIN", "Posted-interrupt notification event"},
	kind{"NPI", "Nested posted-interrupt event"},
	kind{"PIW", "Posted-interrupt wakeup event"},
};

void show_kind(std::string &p, const kind &k)
{
	seq_printf(p, "%*s: ", prec, k.name);
	for (const auto &c : current.host->cpus)
		seq_printf(p, "%10u ", k.count ? irq_stat.of(*c).*k.count : 0);
	seq_printf(p, "  %s\n", k.what);
}

void arch_show_interrupts(std::string &p)
{
	for (const kind &k : before_errors)
		show_kind(p, k);
	seq_printf(p, "%*s: %10u\n", prec, "ERR", irq_err_count());
	seq_printf(p, "%*s: %10u\n", prec, "MIS", irq_mis_count());
	for (const kind &k : after_errors)
		show_kind(p, k);
}

} // namespace

// not traced: for who reads the text; nothing of it is on a packet's way
std::string show_interrupts()
{
	std::string p(prec + 8, ' ');

	for (const auto &c : current.host->cpus)
		seq_printf(p, "CPU%-8d", c->id);
	p += '\n';
	for (unsigned i = 0; i < nr_irqs(); ++i)
		if (irq_desc *desc = irq_to_desc(i))
			show_line(p, *desc);
	arch_show_interrupts(p);
	return p;
}

// not traced: whether there is such a file
bool irq_has_affinity_file(unsigned irq)
{
	const irq_desc *desc = irq_to_desc(irq);

	return desc && (desc->action || desc->data.chip->irq_set_affinity);
}

// not traced: for who reads the text; nothing of it is on a packet's way
std::string irq_affinity_proc_show(unsigned irq)
{
	irq_desc &desc = *irq_to_desc(irq);

	return cpumask_text(irqd_is_setaffinity_pending(desc.data) ? desc.pending_mask
	                                                           : desc.irq_common.affinity) +
	       '\n';
}

int write_irq_affinity(unsigned irq, std::string_view text)
{
	TRACE();
	const irq_desc *desc = irq_to_desc(irq);
	cpumask mask;

	if (!desc || !desc->data.chip->irq_set_affinity)
		return -EIO;
	if (const int err = cpumask_parse(text, mask))
		return err;
	if (!cpumask_intersects(mask, cpu_online_mask()))
		return -EINVAL;
	return irq_set_affinity(irq, mask);
}

// not traced: for who reads the text; nothing of it is on a packet's way
std::string show_softirqs()
{
	constexpr std::array softirq_to_name{"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
	                                     "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
	std::string p(20, ' ');

	static_assert(softirq_to_name.size() == NR_SOFTIRQS);
	for (const auto &c : current.host->cpus)
		seq_printf(p, "CPU%-8d", c->id);
	p += '\n';
	for (std::size_t i = 0; i < softirq_to_name.size(); ++i) {
		seq_printf(p, "%12s:", softirq_to_name[i]);
		for (const auto &c : current.host->cpus)
			seq_printf(p, " %10llu", static_cast<unsigned long long>(c->softirqs_run[i]));
		p += '\n';
	}
	return p;
}

} // namespace skbwalk
