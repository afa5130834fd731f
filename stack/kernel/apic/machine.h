// SPDX-License-Identifier: GPL-2.0-only
//
// The machine's interrupt controllers, as the kernel's drivers for them (io_apic.cpp, vector.cpp) write and
// read them: an I/O APIC with a redirection entry a pin, and a local APIC a cpu.
#pragma once

#include <array>
#include <bit>

#include "stack/kernel/irq_line.h"
#include "stack/kernel/percpu.h"

namespace skbwalk::machine {

constexpr unsigned NR_VECTORS = 256;

struct redirection_entry {
	u8 vector = 0;
	u16 cpu = 0;
	bool masked = true;
	bool is_level = false;
};

struct io_apic {
	struct pin {
		redirection_entry entry;
		u32 sources_high = 0; // how many of the wires to it are
	};
	std::array<pin, IOAPIC_PINS> pins;
	u32 irr = 0; // a bit for each level pin that was sent to a cpu, which has not acknowledged it
	static_assert(IOAPIC_PINS <= 32);
};

class vector_set {
public:
	[[nodiscard]] bool test(unsigned v) const { return words_[v / 64] >> v % 64 & 1; }
	void set(unsigned v)
	{
		words_[v / 64] |= u64{1} << v % 64;
		some_ |= 1U << v / 64;
	}
	void clear(unsigned v)
	{
		words_[v / 64] &= ~(u64{1} << v % 64);
		if (!words_[v / 64])
			some_ &= ~(1U << v / 64);
	}
	[[nodiscard]] int highest() const // -1: none
	{
		if (!some_)
			return -1;

		const int word = 31 - std::countl_zero(some_);

		return word * 64 + 63 - std::countl_zero(words_[static_cast<unsigned>(word)]);
	}

private:
	std::array<u64, NR_VECTORS / 64> words_{};
	u32 some_ = 0; // a bit for each word that is not zero
};

struct local_apic {
	vector_set irr; // asked for
	vector_set isr; // taken, not yet acknowledged
	vector_set tmr; // level-triggered
};

extern perhost<io_apic> ioapic;
extern percpu<local_apic> lapic;

// The current cpu's, or the current host's.
void ioapic_write(unsigned pin, const redirection_entry &entry); // a level pin's irr stays
void lapic_eoi();
void lapic_send(cpu &to, unsigned vector); // an inter-processor interrupt, or one to oneself

} // namespace skbwalk::machine
