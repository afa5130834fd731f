// SPDX-License-Identifier: GPL-2.0-only
//
// A line whose new cpu waits for its next interrupt moves here (kernel/irq/migration.c), masked.
#include <cassert>
#include <cerrno>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

void irq_move_masked_irq(irq_data &idata)
{
	TRACE();
	irq_desc &desc = irq_data_to_desc(idata);
	irq_data &d = desc.data;

	if (!irqd_is_setaffinity_pending(d))
		return;
	irqd_clear(d, IRQD_SETAFFINITY_PENDING);
	if (cpumask_empty(desc.pending_mask) || !d.chip->irq_set_affinity)
		return;
	assert(spin_is_locked(desc.lock));
	if (cpumask_intersects(desc.pending_mask, cpu_online_mask())) {
		// The vector of the last move is not cleaned up yet: at the next interrupt.
		if (irq_do_set_affinity(d, desc.pending_mask, false) == -EBUSY) {
			irqd_set(d, IRQD_SETAFFINITY_PENDING);
			return;
		}
	}
	desc.pending_mask = {};
}

void __irq_move_irq(irq_data &idata)
{
	TRACE();
	irq_data &d = irq_data_to_desc(idata).data;

	if (irqd_irq_disabled(d))
		return;
	const bool masked = irqd_irq_masked(d);

	if (!masked)
		d.chip->irq_mask(d);
	irq_move_masked_irq(d);
	if (!masked)
		d.chip->irq_unmask(d);
}

} // namespace skbwalk
