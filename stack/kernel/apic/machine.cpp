// SPDX-License-Identifier: GPL-2.0-only
//
// The controllers at work. A wire raises a pin; an unmasked pin sends its vector to a cpu's local APIC, a
// level one again after each acknowledgement as long as it is high; the local APIC interrupts its cpu by the
// vectors' priority, a class of sixteen at a time. An edge at a masked pin is lost, as the hardware loses it.
#include "stack/kernel/apic/machine.h"

#include <bit>
#include <cassert>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace machine {

perhost<io_apic> ioapic;
percpu<local_apic> lapic;

namespace {

// The vector that interrupts this cpu next; -1: what waits is not above what is being handled.
int deliverable(const local_apic &l)
{
	const int vector = l.irr.highest();

	return vector >> 4 > l.isr.highest() >> 4 ? vector : -1;
}

void look_for_interrupts(cpu &c)
{
	c.interrupt_waits = deliverable(lapic.of(c)) >= 0;
	if (c.interrupt_waits)
		attend_by(c, 0);
}

void accept(cpu &c, unsigned vector, bool level)
{
	local_apic &l = lapic.of(c);

	l.irr.set(vector);
	if (level)
		l.tmr.set(vector);
	else
		l.tmr.clear(vector);
	look_for_interrupts(c);
	if (!c.interrupt_waits)
		return;
	if (current.cpu == &c && !c.irqs_off)
		take_interrupts();
	else if (!c.entered)
		c.on.plat.interrupt(c); // one that is entered looks when it enables interrupts or is left
}

void service(host &h, unsigned pin)
{
	io_apic &apic = ioapic.of(h);
	const redirection_entry &e = apic.pins[pin].entry;

	if (e.masked || !apic.pins[pin].sources_high || apic.irr >> pin & 1)
		return;
	if (e.is_level)
		apic.irr |= 1U << pin;
	accept(*h.cpus[e.cpu], e.vector, e.is_level);
}

} // namespace

void ioapic_write(unsigned pin, const redirection_entry &entry)
{
	ioapic->pins[pin].entry = entry;
	if (entry.is_level)
		service(*current.host, pin);
	else
		ioapic->irr &= ~(1U << pin);
}

void lapic_eoi()
{
	cpu &c = *current.cpu;
	local_apic &l = *lapic;
	const int vector = l.isr.highest();

	if (vector < 0)
		return;
	// What devices did while the handler ran decides whether the line is still high.
	if (c.now_ns >= c.on.device_event_ns)
		c.on.plat.devices_due(c);
	l.isr.clear(static_cast<unsigned>(vector));
	look_for_interrupts(c);
	if (!l.tmr.test(static_cast<unsigned>(vector)))
		return;

	io_apic &apic = *ioapic;

	for (u32 left = apic.irr; left; left &= left - 1) {
		const auto pin = static_cast<unsigned>(std::countr_zero(left));

		if (!(apic.irr >> pin & 1) || apic.pins[pin].entry.vector != vector)
			continue;
		apic.irr &= ~(1U << pin);
		service(c.on, pin);
	}
}

void lapic_send(cpu &to, unsigned vector) { accept(to, vector, false); }

} // namespace machine

irq_line::irq_line(host &h, unsigned pin) : host_(h), pin_(pin) { assert(pin < IOAPIC_PINS); }

irq_line::~irq_line() { set(false); }

void irq_line::set(bool high)
{
	machine::io_apic::pin &p = machine::ioapic.of(host_).pins[pin_];

	if (high == high_)
		return;
	high_ = high;
	if (!high) {
		--p.sources_high;
		return;
	}
	if (++p.sources_high == 1)
		machine::service(host_, pin_);
}

// not traced: the machine beneath the kernel
void take_an_interrupt()
{
	cpu &c = *current.cpu;
	machine::local_apic &l = *machine::lapic;
	const int vector = machine::deliverable(l);

	assert(!c.irqs_off && vector >= 0);
	l.irr.clear(static_cast<unsigned>(vector));
	l.isr.set(static_cast<unsigned>(vector));
	machine::look_for_interrupts(c);
	c.irqs_off = true;
	idt_entry(static_cast<u8>(vector));
	assert(c.irqs_off);
	c.irqs_off = false;
}

// not traced: the machine beneath the kernel
void take_interrupts()
{
	cpu &c = *current.cpu;

	// A line that stays high keeps the cpu here: time goes on, and the world with it.
	while (c.interrupt_waits) {
		take_an_interrupt();
		if (c.now_ns >= c.on.device_event_ns)
			c.on.plat.devices_due(c);
		if (c.now_ns >= c.next_event_ns && !in_interrupt()) {
			take_timer_interrupt();
			cpu_program_timer(c);
		}
		const bool idle_is_over = !current.task && !list_empty(c.runqueue);

		// A softirq that was interrupted goes on for as long as an instruction takes.
		if (c.now_ns >= c.run_until_ns || idle_is_over || in_interrupt())
			break;
	}
}

} // namespace skbwalk
