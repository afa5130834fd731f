// SPDX-License-Identifier: GPL-2.0-only
//
// The smallest world that a host can live in: a clock, an event queue ordered by (time, insertion), one host.
// It hands out interrupts when asked for and runs cpus that were kicked.
#pragma once

#include <algorithm>
#include <cassert>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stack/kernel/context.h"
#include "stack/kernel/interrupt.h"
#include "stack/kernel/irq_line.h"
#include "stack/kernel/sched.h"
#include "stack/kernel/slab.h"

namespace skbwalk::test {

class bench_world final : public platform {
public:
	explicit bench_world(u32 cpus = 1) : h(*this, "h", 1, cpus, 42) {}
	~bench_world() override
	{
		if (!line_)
			return;
		const enter_cpu in(c0());

		free_irq(9, this);
		line_.reset();
	}

	void arm_timer(cpu &c, u64 when_ns) override
	{
		if (const auto old = armed_.find(&c); old != armed_.end()) {
			events_.erase(old->second);
			armed_.erase(old);
		}
		if (when_ns != ~u64{0})
			armed_[&c] = add(
				when_ns, [this, &c] { turn(c, cpu_interrupt_timer); }, &c);
	}
	void kick(cpu &c) override
	{
		add(
			c.now_ns, [this, &c] { turn(c, cpu_run); }, &c);
	}
	u64 at(u64 when_ns, void (*fn)(void *), void *arg) override
	{
		add(
			when_ns, [=] { fn(arg); }, nullptr);
		return number_;
	}
	void cancel(u64 id) override
	{
		std::erase_if(events_, [id](const auto &e) { return e.first.second == id; });
	}
	void interrupt(cpu &c) override
	{
		add(
			std::max(c.now_ns, current.cpu ? current.cpu->now_ns : 0),
			[this, &c] { turn(c, cpu_interrupt_device); }, &c);
	}
	u64 at_device(host &host, u64 when_ns, void (*fn)(void *), void *arg) override
	{
		at(when_ns, fn, arg);
		devices_.push_back(number_);
		device_event_at(host, when_ns);
		return number_;
	}
	void devices_due(cpu &c) override
	{
		const context before = std::exchange(current, context{});

		for (auto e = events_.begin(); e != events_.end() && e->first.first <= c.now_ns;) {
			if (std::ranges::find(devices_, e->first.second) == devices_.end()) {
				++e;
				continue;
			}
			const std::function<void()> fn = std::move(e->second.fn);

			e = events_.erase(e);
			fn();
		}
		c.on.device_event_ns = ~u64{0};
		for (const auto &[k, e] : events_)
			if (std::ranges::find(devices_, k.second) != devices_.end())
				c.on.device_event_ns = std::min(c.on.device_event_ns, k.first);
		return_to(before);
	}
	// Handles events up to and at `until_ns`.
	void run(u64 until_ns)
	{
		until_ns_ = until_ns;
		while (!events_.empty() && events_.begin()->first.first <= until_ns) {
			const event e = std::move(events_.begin()->second);
			const u64 when = events_.begin()->first.first;

			bool timer_goes = false;
			if (const auto timer = armed_.find(e.on);
			    timer != armed_.end() && timer->second == events_.begin()->first) {
				armed_.erase(timer);
				timer_goes = true;
			}
			events_.erase(events_.begin());
			// Of several cpus, one that is ahead waits for the others.
			if (e.on && h.cpus.size() > 1 && !timer_goes && e.on->now_ns > when) {
				add(e.on->now_ns, e.fn, e.on);
				continue;
			}
			if (when > now_ns)
				now_ns = when;
			if (e.on) {
				clock_not_before(*e.on, now_ns);
				++interrupts_or_runs;
			}
			e.fn();
		}
		now_ns = until_ns;
		for (const auto &c : h.cpus)
			clock_not_before(*c, now_ns);
	}
	void run_ms(u64 ms) { run(now_ns + ms * NSEC_PER_MSEC); }
	cpu &c0() { return *h.cpus[0]; }
	// An edge of a device comes to the first cpu, whose handler calls `handler`.
	void device_interrupts(std::function<void()> handler)
	{
		const enter_cpu in(c0());

		handler_ = std::move(handler);
		if (!line_) {
			const int irq = acpi_register_gsi(9, false);

			line_.emplace(h, static_cast<unsigned>(irq));
			const int ret = request_irq(
				static_cast<unsigned>(irq),
				[](int, void *w) {
					static_cast<bench_world *>(w)->handler_();
					return IRQ_HANDLED;
				},
				0, "test", this);
			assert(ret == 0);
			static_cast<void>(ret);
		}
		line_->pulse();
	}
	cpu &c1() { return *h.cpus[1]; }

	u64 now_ns = 0;
	u64 interrupts_or_runs = 0;

private:
	// Cpus of a host with several go side by side.
	void turn(cpu &c, void (*enter)(cpu &))
	{
		// What was begun comes to its end if that takes no tick: one that a stuck line keeps comes
		// back all the same.
		const u64 limit_ns = until_ns_ + (h.cpus.size() > 1 ? TICK_NSEC : 1);
		const u64 next_ns =
			events_.empty() ? limit_ns : std::min(events_.begin()->first.first, limit_ns);

		if (h.cpus.size() > 1)
			c.run_until_ns = std::max(next_ns, c.now_ns + 1);
		else if (enter == cpu_interrupt_device)
			c.run_until_ns = next_ns;
		attend_by(c, c.run_until_ns);
		enter(c);
		c.run_until_ns = ~u64{0};
	}
	using key = std::pair<u64, u64>;
	struct event {
		std::function<void()> fn;
		cpu *on;
	};
	key add(u64 when_ns, std::function<void()> fn, cpu *on)
	{
		const key k{when_ns, ++number_};

		events_[k] = event{std::move(fn), on};
		if (cpu *const me = current.cpu; me && on && on != me) {
			me->run_until_ns = std::min(me->run_until_ns, std::max(when_ns, me->now_ns + 1));
			attend_by(*me, me->run_until_ns);
		}
		return k;
	}
	std::map<key, event> events_;
	std::map<cpu *, key> armed_;
	std::vector<u64> devices_; // numbers of events of devices
	u64 number_ = 0;
	u64 until_ns_ = 0;
	std::optional<irq_line> line_;
	std::function<void()> handler_;

public:
	host h; // gone first: it takes back what it asked for
};

} // namespace skbwalk::test
