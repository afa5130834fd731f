// SPDX-License-Identifier: GPL-2.0-only
//
// A cause raises the line; whoever reads the cause lowers it. An edge is a pulse.
#include "sim/irq_device.h"

#include <cstring>

#include <fmt/format.h>

#include "sim/scenario.h"

namespace skbwalk::sim {

irq_device::irq_device(world &w, const irq_device_description &d, const std::string &file)
	: world_(w), what_(d), host_(*w.find_host(d.host)), line_(host_, d.irq)
{
	const enter_cpu in(*host_.cpus[0]);
	using kind = irq_device_description::driver_kind;
	int err = acpi_register_gsi(d.irq, d.level);

	if (err >= 0 && d.driver != kind::none) {
		const u32 flags =
			(d.shared ? IRQF_SHARED : 0) | (d.driver == kind::thread ? IRQF_ONESHOT : 0);
		err = request_threaded_irq(d.irq, d.driver == kind::thread ? wants_thread : interrupted,
		                           d.driver == kind::thread ? interrupted : nullptr, flags,
		                           d.name.c_str(), this);
		asked_ = err == 0;
	}
	if (err < 0)
		throw bad_scenario(fmt::format("{}: {}: expected a line that the device can have, irq {}: {}",
		                               file, d.where, d.irq, std::strerror(-err)));
	for (const auto &r : d.raises)
		raises_.push_back({this, r});
}

irq_device::~irq_device()
{
	for (const timed &t : raises_)
		if (t.event)
			world_.cancel(t.event);
	if (falls_.event)
		world_.cancel(falls_.event);
	if (!asked_)
		return;
	const enter_cpu in(*host_.cpus[0]);
	free_irq(what_.irq, this);
}

void irq_device::start(u64 now_ns)
{
	for (timed &t : raises_)
		next(t, now_ns + t.what.at_ns);
}

void irq_device::next(timed &t, u64 when_ns)
{
	t.event = world_.at_device(
		host_, when_ns,
		[](void *arg) {
			timed &due = *static_cast<timed *>(arg);
			irq_device &d = *due.device;
			due.event = 0;
			if (--due.what.count)
				d.next(due, d.world_.now_ns() + due.what.every_ns);
			d.cause();
			if (!due.what.for_ns || d.falls_.event)
				return;
			d.falls_.event = d.world_.at_device(
				d.host_, d.world_.now_ns() + due.what.for_ns,
				[](void *self) {
					auto &device = *static_cast<irq_device *>(self);
					device.falls_.event = 0;
					device.quiet();
				},
				&d);
		},
		&t);
}

void irq_device::cause()
{
	cause_ = true;
	if (what_.level)
		line_.set(true);
	else
		line_.pulse();
}

void irq_device::quiet()
{
	cause_ = false;
	line_.set(false);
}

irqreturn_t irq_device::interrupted(int, void *dev)
{
	auto &d = *static_cast<irq_device *>(dev);

	if (!d.cause_)
		return IRQ_NONE;
	d.quiet();
	return IRQ_HANDLED;
}

irqreturn_t irq_device::wants_thread(int, void *dev)
{
	return static_cast<irq_device *>(dev)->cause_ ? IRQ_WAKE_THREAD : IRQ_NONE;
}

} // namespace skbwalk::sim
