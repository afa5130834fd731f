// SPDX-License-Identifier: GPL-2.0-only
//
// Descriptors (kernel/irq/irqdesc.c): made when a pin becomes known, found by number, locked for who changes
// them.
#include "stack/kernel/irqdesc.h"

#include <cassert>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

namespace {

perhost<std::vector<std::unique_ptr<irq_desc>>> irq_desc_tree;

} // namespace

irq_desc::irq_desc(host &h, unsigned irq, const irq_chip *chip, void *chip_data) : kstat_irqs(h.cpus.size())
{
	irq_common.state_use_accessors = IRQD_IRQ_DISABLED | IRQD_IRQ_MASKED;
	irq_common.affinity = cpu_online_mask(h);
	data = {irq, irq, &irq_common, chip, nullptr, chip_data};
	handle_irq = handle_bad_irq;
	init_waitqueue_head(wait_for_threads);
}

irq_desc::~irq_desc() { assert(!action && "a line goes whose driver still has it"); }

// not traced: part of the host's start
irq_desc &irq_alloc_desc_at(unsigned irq, const irq_chip &chip, void *chip_data)
{
	auto &descs = *irq_desc_tree;

	if (descs.size() <= irq)
		descs.resize(irq + 1);
	assert(!descs[irq]);
	descs[irq] = std::make_unique<irq_desc>(*current.host, irq, &chip, chip_data);
	return *descs[irq];
}

irq_desc *irq_to_desc(unsigned irq)
{
	TRACE();
	auto &descs = *irq_desc_tree;

	return irq < descs.size() ? descs[irq].get() : nullptr;
}

// not traced: a constant in the kernel
unsigned nr_irqs() { return static_cast<unsigned>(irq_desc_tree->size()); }

// not traced: container_of
irq_desc &irq_data_to_desc(const irq_data &d) { return container_of(*d.common, &irq_desc::irq_common); }

irq_desc *__irq_get_desc_lock(unsigned irq, unsigned long &flags)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (desc)
		flags = _raw_spin_lock_irqsave(desc->lock);
	return desc;
}

void __irq_put_desc_unlock(irq_desc &desc, unsigned long flags)
{
	TRACE();
	_raw_spin_unlock_irqrestore(desc.lock, flags);
}

} // namespace skbwalk
