// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's driver of the I/O APIC (arch/x86/kernel/apic/io_apic.c) and the way by which a device's line
// becomes known to it (acpi/boot.c): startup unmasks a pin, a level line is acknowledged after its handlers
// and moves to another cpu then, if that was asked for.
//
// Unlike the kernel, a pin has one line and an interrupt's number is its pin.
#include <cassert>
#include <cerrno>
#include <memory>

#include "stack/kernel/apic/apic.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

namespace {

struct mp_chip_data {
	unsigned pin = 0;
	machine::redirection_entry entry;
	apic_chip_data apic;
	irq_data parent; // the vector's
};

struct ioapic_driver {
	spinlock_t ioapic_lock;
	std::array<std::unique_ptr<mp_chip_data>, IOAPIC_PINS> pins;
	u32 irq_mis_count = 0;
};
perhost<ioapic_driver> driver;

mp_chip_data &chip_data(irq_data &d) { return *static_cast<mp_chip_data *>(d.chip_data); }

void io_apic_modify_irq(mp_chip_data &data, bool masked)
{
	TRACE();
	data.entry.masked = masked;
	machine::ioapic_write(data.pin, data.entry);
}

void mask_ioapic_irq(irq_data &d)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);

	io_apic_modify_irq(chip_data(d), true);
	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
}

void __unmask_ioapic(mp_chip_data &data)
{
	TRACE();
	io_apic_modify_irq(data, false);
}

void unmask_ioapic_irq(irq_data &d)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);

	__unmask_ioapic(chip_data(d));
	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
}

unsigned startup_ioapic_irq(irq_data &d)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);

	__unmask_ioapic(chip_data(d));
	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
	return 0;
}

bool io_apic_level_ack_pending(const mp_chip_data &data)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);
	const bool irr = machine::ioapic->irr >> data.pin & 1;

	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
	return irr;
}

bool ioapic_prepare_move(irq_data &d)
{
	TRACE();
	if (!irqd_is_setaffinity_pending(d))
		return false;
	if (!irqd_irq_masked(d))
		mask_ioapic_irq(d);
	return true;
}

void ioapic_finish_move(irq_data &d, bool moveit)
{
	TRACE();
	if (!moveit)
		return;
	// An entry that still waits for its acknowledgement would never fire again by a new vector.
	if (!io_apic_level_ack_pending(chip_data(d)))
		irq_move_masked_irq(d);
	if (!irqd_irq_masked(d))
		unmask_ioapic_irq(d);
}

void ioapic_ack_level(irq_data &d)
{
	TRACE();
	irq_cfg &cfg = *irqd_cfg(d);

	irq_complete_move(cfg);
	const bool moveit = ioapic_prepare_move(d);
	const bool seen_as_level = machine::lapic->tmr.test(cfg.vector);

	ack_APIC_irq();
	if (!seen_as_level)
		++driver->irq_mis_count;
	ioapic_finish_move(d, moveit);
}

void irq_chip_ack_parent(irq_data &d)
{
	TRACE();
	d.parent_data->chip->irq_ack(*d.parent_data);
}

int irq_chip_retrigger_hierarchy(irq_data &d)
{
	TRACE();
	for (irq_data *p = d.parent_data; p; p = p->parent_data)
		if (p->chip && p->chip->irq_retrigger)
			return p->chip->irq_retrigger(*p);
	return 0;
}

void ioapic_configure_entry(irq_data &d)
{
	TRACE();
	mp_chip_data &data = chip_data(d);

	data.entry.vector = static_cast<u8>(data.apic.hw_irq_cfg.vector);
	data.entry.cpu = static_cast<u16>(data.apic.hw_irq_cfg.dest_apicid);
	machine::ioapic_write(data.pin, data.entry);
}

int ioapic_set_affinity(irq_data &d, cpumask mask, bool force)
{
	TRACE();
	irq_data &parent = *d.parent_data;
	const int ret = parent.chip->irq_set_affinity(parent, mask, force);
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);

	if (ret >= 0 && ret != IRQ_SET_MASK_OK_DONE)
		ioapic_configure_entry(d);
	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
	return ret;
}

bool ioapic_irq_get_chip_state(irq_data &d)
{
	TRACE();
	return machine::ioapic->irr >> chip_data(d).pin & 1;
}

const irq_chip ioapic_chip = {
	.name = "IO-APIC",
	.irq_startup = startup_ioapic_irq,
	.irq_ack = irq_chip_ack_parent,
	.irq_mask = mask_ioapic_irq,
	.irq_unmask = unmask_ioapic_irq,
	.irq_eoi = ioapic_ack_level,
	.irq_set_affinity = ioapic_set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.irq_is_active = ioapic_irq_get_chip_state,
	.flags = IRQCHIP_AFFINITY_PRE_STARTUP,
};

void mp_register_handler(unsigned irq, bool level)
{
	TRACE();
	if (level)
		irq_set_status_flags(irq, IRQ_LEVEL);
	else
		irq_clear_status_flags(irq, IRQ_LEVEL);
	__irq_set_handler(irq, level ? handle_fasteoi_irq : handle_edge_irq, level ? "fasteoi" : "edge");
}

} // namespace

// not traced: a variable in the kernel
u32 irq_mis_count() { return driver->irq_mis_count; }

int mp_irqdomain_activate(irq_data &d)
{
	TRACE();
	const int ret = x86_vector_activate(*d.parent_data);
	const unsigned long flags = _raw_spin_lock_irqsave(driver->ioapic_lock);

	if (!ret)
		ioapic_configure_entry(d);
	_raw_spin_unlock_irqrestore(driver->ioapic_lock, flags);
	return ret;
}

void mp_irqdomain_deactivate(irq_data &d)
{
	TRACE();
	mp_chip_data &data = chip_data(d);

	data.entry.masked = true;
	machine::ioapic_write(data.pin, data.entry);
	x86_vector_deactivate(*d.parent_data);
}

int acpi_register_gsi(unsigned gsi, bool level)
{
	TRACE();
	if (gsi >= IOAPIC_PINS)
		return -EINVAL;
	std::unique_ptr<mp_chip_data> &data = driver->pins[gsi];

	if (data)
		return data->entry.is_level == level ? static_cast<int>(gsi) : -EBUSY;
	data = std::make_unique<mp_chip_data>();
	data->pin = gsi;
	data->entry.is_level = level;
	data->apic.irq = gsi;

	irq_desc &desc = irq_alloc_desc_at(gsi, ioapic_chip, data.get());

	data->parent = {gsi, gsi, &desc.irq_common, &lapic_controller, nullptr, &data->apic};
	desc.data.parent_data = &data->parent;
	mp_register_handler(gsi, level);
	return static_cast<int>(gsi);
}

} // namespace skbwalk
