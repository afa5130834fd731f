// SPDX-License-Identifier: GPL-2.0-only
//
// What is done to a line through its chip, and the flows (kernel/irq/chip.c). A flow is how an interrupt of a
// kind of line is taken:
// - level: masked and acknowledged, handled, unmasked;
// - fasteoi: handled, then one word to the chip, which holds the line back itself until then;
// - edge: acknowledged, handled; an edge that comes meanwhile makes it go round again;
// - simple: handled, without a word to any chip.
// An interrupt that comes while the line is disabled is only noted (IRQS_PENDING) and the line masked: a
// disable costs no access to the chip until then.
#include <cassert>
#include <cerrno>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

int irq_set_chip(unsigned irq, const irq_chip *chip)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return -EINVAL;
	desc->data.chip = chip;
	__irq_put_desc_unlock(*desc, flags);
	return 0;
}

int irq_set_irq_type(unsigned irq, u32 type)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return -EINVAL;
	const int ret = __irq_set_trigger(*desc, type);

	__irq_put_desc_unlock(*desc, flags);
	return ret;
}

namespace {

void irq_state_clr_disabled(irq_desc &desc) { irqd_clear(desc.data, IRQD_IRQ_DISABLED); }
void irq_state_clr_masked(irq_desc &desc) { irqd_clear(desc.data, IRQD_IRQ_MASKED); }
void irq_state_set_disabled(irq_desc &desc) { irqd_set(desc.data, IRQD_IRQ_DISABLED); }
void irq_state_set_masked(irq_desc &desc) { irqd_set(desc.data, IRQD_IRQ_MASKED); }

int __irq_startup(irq_desc &desc)
{
	TRACE();
	irq_data &d = desc.data;
	int ret = 0;

	assert(irqd_is_activated(d));
	if (d.chip->irq_startup) {
		ret = static_cast<int>(d.chip->irq_startup(d));
		irq_state_clr_disabled(desc);
		irq_state_clr_masked(desc);
	} else {
		irq_enable(desc);
	}
	irqd_set(d, IRQD_IRQ_STARTED);
	return ret;
}

} // namespace

int irq_startup(irq_desc &desc, bool resend)
{
	TRACE();
	irq_data &d = desc.data;
	int ret = 0;

	desc.depth = 0;
	if (irqd_is_started(d)) {
		irq_enable(desc);
	} else {
		if (d.chip->flags & IRQCHIP_AFFINITY_PRE_STARTUP)
			irq_setup_affinity(desc);
		ret = __irq_startup(desc);
		if (!(d.chip->flags & IRQCHIP_AFFINITY_PRE_STARTUP))
			irq_setup_affinity(desc);
	}
	if (resend)
		check_irq_resend(desc, false);
	return ret;
}

int irq_activate(irq_desc &desc)
{
	TRACE();
	return irq_domain_activate_irq(desc.data);
}

namespace {

void __irq_disable(irq_desc &desc, bool mask)
{
	TRACE();
	if (irqd_irq_disabled(desc.data)) {
		if (mask)
			mask_irq(desc);
		return;
	}
	irq_state_set_disabled(desc);
	if (desc.data.chip->irq_disable) {
		desc.data.chip->irq_disable(desc.data);
		irq_state_set_masked(desc);
	} else if (mask) {
		mask_irq(desc);
	}
}

} // namespace

void irq_shutdown(irq_desc &desc)
{
	TRACE();
	if (!irqd_is_started(desc.data))
		return;
	desc.depth = 1;
	if (desc.data.chip->irq_shutdown) {
		desc.data.chip->irq_shutdown(desc.data);
		irq_state_set_disabled(desc);
		irq_state_set_masked(desc);
	} else {
		__irq_disable(desc, true);
	}
	irqd_clear(desc.data, IRQD_IRQ_STARTED);
}

void irq_enable(irq_desc &desc)
{
	TRACE();
	if (!irqd_irq_disabled(desc.data)) {
		unmask_irq(desc);
		return;
	}
	irq_state_clr_disabled(desc);
	if (desc.data.chip->irq_enable) {
		desc.data.chip->irq_enable(desc.data);
		irq_state_clr_masked(desc);
	} else {
		unmask_irq(desc);
	}
}

void irq_disable(irq_desc &desc)
{
	TRACE();
	__irq_disable(desc, irq_settings_disable_unlazy(desc));
}

void mask_irq(irq_desc &desc)
{
	TRACE();
	if (irqd_irq_masked(desc.data))
		return;
	if (desc.data.chip->irq_mask) {
		desc.data.chip->irq_mask(desc.data);
		irq_state_set_masked(desc);
	}
}

void unmask_irq(irq_desc &desc)
{
	TRACE();
	if (!irqd_irq_masked(desc.data))
		return;
	if (desc.data.chip->irq_unmask) {
		desc.data.chip->irq_unmask(desc.data);
		irq_state_clr_masked(desc);
	}
}

void unmask_threaded_irq(irq_desc &desc)
{
	TRACE();
	if (desc.data.chip->flags & IRQCHIP_EOI_THREADED)
		desc.data.chip->irq_eoi(desc.data);
	unmask_irq(desc);
}

namespace {

void mask_ack_irq(irq_desc &desc)
{
	TRACE();
	if (desc.data.chip->irq_mask_ack) {
		desc.data.chip->irq_mask_ack(desc.data);
		irq_state_set_masked(desc);
		return;
	}
	mask_irq(desc);
	if (desc.data.chip->irq_ack)
		desc.data.chip->irq_ack(desc.data);
}

bool irq_check_poll(irq_desc &desc)
{
	TRACE();
	if (!(desc.istate & IRQS_POLL_INPROGRESS))
		return false;
	return irq_wait_for_poll(desc);
}

bool irq_may_run(irq_desc &desc)
{
	TRACE();
	if (!irqd_irq_inprogress(desc.data))
		return true;
	return irq_check_poll(desc);
}

// Whether the line may be handled: somebody is there and has not disabled it. If not, it is noted.
bool somebody_listens(irq_desc &desc)
{
	if (desc.action && !irqd_irq_disabled(desc.data))
		return true;
	desc.istate |= IRQS_PENDING;
	return false;
}

void cond_unmask_irq(irq_desc &desc)
{
	TRACE();
	if (!irqd_irq_disabled(desc.data) && irqd_irq_masked(desc.data) && !desc.threads_oneshot)
		unmask_irq(desc);
}

void cond_unmask_eoi_irq(irq_desc &desc, const irq_chip &chip)
{
	TRACE();
	if (!(desc.istate & IRQS_ONESHOT)) {
		chip.irq_eoi(desc.data);
		return;
	}
	// A thread that was woken unmasks when it is done (irq_finalize_oneshot).
	if (!irqd_irq_disabled(desc.data) && irqd_irq_masked(desc.data) && !desc.threads_oneshot) {
		chip.irq_eoi(desc.data);
		unmask_irq(desc);
	} else if (!(chip.flags & IRQCHIP_EOI_THREADED)) {
		chip.irq_eoi(desc.data);
	}
}

} // namespace

void handle_simple_irq(irq_desc &desc)
{
	TRACE();
	_raw_spin_lock(desc.lock);
	if (irq_may_run(desc)) {
		desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING);
		if (somebody_listens(desc)) {
			kstat_incr_irqs_this_cpu(desc);
			handle_irq_event(desc);
		}
	}
	_raw_spin_unlock(desc.lock);
}

void handle_level_irq(irq_desc &desc)
{
	TRACE();
	_raw_spin_lock(desc.lock);
	mask_ack_irq(desc);
	if (irq_may_run(desc)) {
		desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING);
		if (somebody_listens(desc)) {
			kstat_incr_irqs_this_cpu(desc);
			handle_irq_event(desc);
			cond_unmask_irq(desc);
		}
	}
	_raw_spin_unlock(desc.lock);
}

void handle_fasteoi_irq(irq_desc &desc)
{
	TRACE();
	const irq_chip &chip = *desc.data.chip;

	const auto out = [&desc, &chip] {
		if (!(chip.flags & IRQCHIP_EOI_IF_HANDLED))
			chip.irq_eoi(desc.data);
		_raw_spin_unlock(desc.lock);
	};

	_raw_spin_lock(desc.lock);
	if (!irq_may_run(desc))
		return out();
	desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING);
	if (!somebody_listens(desc)) {
		mask_irq(desc);
		return out();
	}
	kstat_incr_irqs_this_cpu(desc);
	if (desc.istate & IRQS_ONESHOT)
		mask_irq(desc);
	handle_irq_event(desc);
	cond_unmask_eoi_irq(desc, chip);
	_raw_spin_unlock(desc.lock);
}

void handle_edge_irq(irq_desc &desc)
{
	TRACE();
	_raw_spin_lock(desc.lock);
	desc.istate &= ~(IRQS_REPLAY | IRQS_WAITING);
	if (!irq_may_run(desc)) {
		desc.istate |= IRQS_PENDING;
		mask_ack_irq(desc);
	} else if (!somebody_listens(desc)) {
		mask_ack_irq(desc);
	} else {
		kstat_incr_irqs_this_cpu(desc);
		desc.data.chip->irq_ack(desc.data);
		do {
			if (!desc.action) {
				mask_irq(desc);
				break;
			}
			// Another edge came while this one was handled, and was masked.
			if (desc.istate & IRQS_PENDING && !irqd_irq_disabled(desc.data) &&
			    irqd_irq_masked(desc.data))
				unmask_irq(desc);
			handle_irq_event(desc);
		} while (desc.istate & IRQS_PENDING && !irqd_irq_disabled(desc.data));
	}
	_raw_spin_unlock(desc.lock);
}

namespace {

void __irq_do_set_handler(irq_desc &desc, irq_flow_handler_t handle, const char *name)
{
	TRACE();
	if (!handle)
		handle = handle_bad_irq;
	if (handle == handle_bad_irq) {
		mask_ack_irq(desc);
		irq_state_set_disabled(desc);
		desc.depth = 1;
	}
	desc.handle_irq = handle;
	desc.name = name;
}

} // namespace

void __irq_set_handler(unsigned irq, irq_flow_handler_t handle, const char *name)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return;
	__irq_do_set_handler(*desc, handle, name);
	__irq_put_desc_unlock(*desc, flags);
}

void irq_modify_status(unsigned irq, u32 clr, u32 set)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return;
	assert(!(desc->depth == 0 && set & IRQ_NOAUTOEN));
	desc->status_use_accessors = (desc->status_use_accessors & ~clr) | set;

	u32 trigger = irqd_get_trigger_type(desc->data);

	irqd_clear(desc->data,
	           IRQD_NO_BALANCING | IRQD_PER_CPU | IRQD_TRIGGER_MASK | IRQD_LEVEL | IRQD_MOVE_PCNTXT);
	if (desc->status_use_accessors & IRQ_NO_BALANCING)
		irqd_set(desc->data, IRQD_NO_BALANCING);
	if (irq_settings_is_per_cpu(*desc))
		irqd_set(desc->data, IRQD_PER_CPU);
	if (irq_settings_is_level(*desc))
		irqd_set(desc->data, IRQD_LEVEL);
	if (const u32 of_status = desc->status_use_accessors & IRQ_TYPE_SENSE_MASK)
		trigger = of_status;
	irqd_set(desc->data, trigger);
	__irq_put_desc_unlock(*desc, flags);
}

} // namespace skbwalk
