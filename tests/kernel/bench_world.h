// SPDX-License-Identifier: GPL-2.0-only
//
// The smallest world that a host can live in: a clock, an event queue ordered by (time, insertion), one host.
// It hands out interrupts when asked for and runs cpus that were kicked.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "stack/kernel/context.h"
#include "stack/kernel/sched.h"
#include "stack/kernel/slab.h"

namespace skbwalk::test {

class bench_world final : public platform {
public:
	explicit bench_world(u32 cpus = 1) : h(*this, "h", 1, cpus, 42) {}

	void arm_timer(cpu &c, u64 when_ns) override
	{
		if (const auto old = armed_.find(&c); old != armed_.end()) {
			events_.erase(old->second);
			armed_.erase(old);
		}
		if (when_ns != ~u64{0})
			armed_[&c] = add(
				when_ns, [&c] { cpu_interrupt_timer(c); }, &c);
	}
	void kick(cpu &c) override
	{
		add(
			c.now_ns, [&c] { cpu_run(c); }, &c);
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
	// Handles events up to and at `until_ns`.
	void run(u64 until_ns)
	{
		while (!events_.empty() && events_.begin()->first.first <= until_ns) {
			const event e = std::move(events_.begin()->second);
			const u64 when = events_.begin()->first.first;

			if (const auto timer = armed_.find(e.on);
			    timer != armed_.end() && timer->second == events_.begin()->first)
				armed_.erase(timer);
			events_.erase(events_.begin());
			if (when > now_ns)
				now_ns = when;
			if (e.on && e.on->now_ns < now_ns)
				e.on->now_ns = now_ns;
			if (e.on)
				++interrupts_or_runs;
			e.fn();
		}
		now_ns = until_ns;
		for (const auto &c : h.cpus)
			if (c->now_ns < now_ns)
				c->now_ns = now_ns;
	}
	void run_ms(u64 ms) { run(now_ns + ms * NSEC_PER_MSEC); }
	cpu &c0() { return *h.cpus[0]; }

	u64 now_ns = 0;
	u64 interrupts_or_runs = 0;

private:
	using key = std::pair<u64, u64>;
	struct event {
		std::function<void()> fn;
		cpu *on;
	};
	key add(u64 when_ns, std::function<void()> fn, cpu *on)
	{
		const key k{when_ns, ++number_};

		events_[k] = event{std::move(fn), on};
		return k;
	}
	std::map<key, event> events_;
	std::map<cpu *, key> armed_;
	u64 number_ = 0;

public:
	host h; // gone first: it takes back what it asked for
};

} // namespace skbwalk::test
