// SPDX-License-Identifier: GPL-2.0-only
//
// The machine's side of interrupts: wires from devices to the pins of the host's I/O APIC, which sends a
// vector to the local APIC of a cpu. The cpu takes it
// - at once, nested in whatever runs, where a device's register is touched by that cpu with interrupts
//   enabled;
// - where interrupts are enabled again (local_irq_enable, local_irq_restore, the end of an interrupt);
// - from the world, as soon as the cpu is free, where it is idle or was left in the middle of a task.
#pragma once

#include "stack/kernel/context.h"

namespace skbwalk {

constexpr unsigned IOAPIC_PINS = 24;

// A device's wire. Wires to one pin are or-ed: the pin is high as long as one of them is.
class irq_line {
public:
	irq_line(host &h, unsigned pin);
	~irq_line(); // it falls
	irq_line(const irq_line &) = delete;
	irq_line &operator=(const irq_line &) = delete;

	void set(bool high);
	void pulse() // an edge, and back
	{
		set(true);
		set(false);
	}
	[[nodiscard]] bool high() const { return high_; }
	[[nodiscard]] unsigned pin() const { return pin_; }

private:
	host &host_;
	unsigned pin_;
	bool high_ = false;
};

// Makes a pin known to the kernel as a PCI or ISA device's interrupt is, and returns its number, the pin's
// own: level lines get the flow "fasteoi", edges "edge". What is known already stays as it is.
int acpi_register_gsi(unsigned gsi, bool level);

// Takes what the current cpu's local APIC holds, if interrupts are enabled; in the idle loop or nested in the
// task that the cpu was left in. For the world: platform::interrupt asks for it.
void cpu_interrupt_device(cpu &c);

} // namespace skbwalk
