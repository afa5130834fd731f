// SPDX-License-Identifier: GPL-2.0-only
//
// A device of the world that does nothing but interrupt: a line, a cause register, times at which something
// happens to it. It lets a scenario share a line, flood one, or raise one that nobody listens to, without a
// card. Its driver is no driver of the kernel's, and so has no name in a trace.
#pragma once

#include <string>
#include <vector>

#include "sim/world.h"
#include "stack/kernel/interrupt.h"
#include "stack/kernel/irq_line.h"

namespace skbwalk::sim {

struct irq_device_description {
	enum class driver_kind : u8 {
		none,    // its driver is not loaded: nobody reads its cause
		handler, // reads the cause, which quiets it
		thread   // leaves that to its thread; the line stays masked until then (IRQF_ONESHOT)
	};
	struct raise {
		u64 at_ns = 0;    // after the steps began
		u64 every_ns = 0; // and again
		u32 count = 1;
		u64 for_ns = 0; // the cause goes by itself; 0: it stays until the driver has read it
	};
	std::string where; // JSON pointer
	std::string name, host;
	unsigned irq = 0;
	bool level = true;
	bool shared = true;
	driver_kind driver = driver_kind::handler;
	std::vector<raise> raises;
};

class irq_device {
public:
	// Asks for its line; an error says what the kernel answered. `d` must stay.
	irq_device(world &w, const irq_device_description &d, const std::string &file);
	~irq_device();
	irq_device(const irq_device &) = delete;
	irq_device &operator=(const irq_device &) = delete;

	void start(u64 now_ns);

private:
	struct timed {
		irq_device *device;
		irq_device_description::raise what;
		u64 event = 0; // 0: none is on its way
	};

	static irqreturn_t interrupted(int irq, void *dev);
	static irqreturn_t wants_thread(int irq, void *dev);
	void cause();
	void quiet();
	void next(timed &t, u64 when_ns);

	world &world_;
	const irq_device_description &what_;
	host &host_;
	irq_line line_;
	bool asked_ = false;
	bool cause_ = false;
	std::vector<timed> raises_;
	timed falls_{};
};

} // namespace skbwalk::sim
