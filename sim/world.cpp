// SPDX-License-Identifier: GPL-2.0-only
//
// The event loop. Each event is a timer's or a device's interrupt of a cpu, a turn for a cpu that has work,
// something that a device does, or a call of the world's own. Events that were replaced (a timer armed anew,
// a cancelled call) stay in the heap and are dropped when they come up.
#include "sim/world.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "sim/host_boot.h"
#include "stack/kernel/irq_line.h"
#include "stack/kernel/leaks.h"
#include "stack/kernel/softirq.h"

namespace skbwalk::sim {

world::world(const options &o) : options_(o)
{
	if (o.trace_records_max)
		recorder_ = std::make_unique<trace::recorder>(o.trace_records_max, trace::when_full::stop,
		                                              trace_ids());
	for (const trace::armed_by who : o.probes)
		trace::arm(who);
	trace::settle();
}

world::~world()
{
	if (!hosts_.empty()) // an error cut the run short
		static_cast<void>(end());
	for (const trace::armed_by who : options_.probes)
		trace::disarm(who);
}

host &world::add_host(const std::string &name, u32 cpus)
{
	const u16 id = static_cast<u16>(hosts_.size());
	hosts_.push_back(std::make_unique<host>(*this, name, id, cpus, options_.seed));
	host &h = *hosts_.back();
	h.boot_ns = now_ns_;
	h.features = options_.features;
	h.thash_entries = options_.thash_entries;
	h.recorder = recorder_.get();
	boot(h, options_.lsm);
	return h;
}

host *world::find_host(std::string_view name) const
{
	for (const auto &h : hosts_)
		if (h->name == name)
			return h.get();
	return nullptr;
}

std::vector<std::string> world::host_names() const
{
	std::vector<std::string> names;
	for (const auto &h : hosts_)
		names.push_back(h->name);
	return names;
}

// ---- the queue ------------------------------------------------------------------------------------------

u64 world::present() const { return current.cpu ? std::max(now_ns_, current.cpu->now_ns) : now_ns_; }

// What the running cpu asks of another is due before it knew: it gives way then.
inline void world::give_way(const cpu *on, u64 when_ns)
{
	if (cpu *const me = current.cpu; me && on && on != me && me->on.cpus.size() > 1)
		me->run_until_ns = std::min(me->run_until_ns, std::max(when_ns, me->now_ns + 1));
}

inline u64 world::push(event_heap &to, const event &e)
{
	// Written into its place, field by field: std::push_heap reads as a whole what has just been written
	// in parts, and waits for it.
	std::size_t at = to.size();

	to.emplace_back();
	for (std::size_t above; at && to[above = (at - 1) / 2] < e; at = above)
		to[at] = to[above];

	event &made = to[at];

	made.when_ns = e.when_ns;
	made.number = e.number;
	made.kind = e.kind;
	made.on = e.on;
	made.fn = e.fn;
	made.arg = e.arg;
	give_way(e.on, e.when_ns);
	return e.number;
}

// A host asks while it is being made, too.
world::cpu_slot &world::slot_of(const cpu &c)
{
	if (slots_.size() <= c.on.id)
		slots_.resize(c.on.id + std::size_t{1});
	std::vector<cpu_slot> &of_host = slots_[c.on.id];
	if (of_host.size() <= c.id)
		of_host.resize(c.id + std::size_t{1});
	return of_host[c.id];
}

world::event_heap &world::devices_of(const host &h)
{
	if (devices_.size() <= h.id)
		devices_.resize(h.id + std::size_t{1});
	return devices_[h.id];
}

u64 &world::counted(const event &e)
{
	cpu_slot &slot = slot_of(*e.on);
	return e.kind == event_kind::timer ? slot.timer_number
	       : e.kind == event_kind::run ? slot.run_number
	                                   : slot.interrupt_number;
}

inline bool world::is_stale(const event &e) const
{
	if (e.kind >= event_kind::device)
		return !cancelled_.empty() && cancelled_.contains(e.number);

	const cpu_slot &slot = slot_of(*e.on);

	return e.number != (e.kind == event_kind::timer ? slot.timer_number
	                    : e.kind == event_kind::run ? slot.run_number
	                                                : slot.interrupt_number);
}

void world::pop_stale(event_heap &from)
{
	do {
		cancelled_.erase(from.front().number);
		std::pop_heap(from.begin(), from.end());
		from.pop_back();
	} while (!from.empty() && is_stale(from.front()));
}

inline void world::drop_stale(event_heap &from)
{
	if (!from.empty() && is_stale(from.front()))
		pop_stale(from);
}

world::event_heap *world::next_heap()
{
	drop_stale(queue_);
	event_heap *next = queue_.empty() ? nullptr : &queue_;
	for (event_heap &heap : devices_) {
		drop_stale(heap);
		if (!heap.empty() && (!next || next->front() < heap.front()))
			next = &heap;
	}
	return next;
}

u64 world::next_event_ns() const
{
	const event_heap *next = const_cast<world *>(this)->next_heap();
	return next ? next->front().when_ns : ~u64{0};
}

void world::arm_timer(cpu &c, u64 when_ns)
{
	cpu_slot &slot = slot_of(c);
	slot.timer_number = 0;
	if (when_ns != ~u64{0})
		slot.timer_number =
			push(queue_, event_kind::timer, std::max(when_ns, present()), &c, nullptr, nullptr);
}

void world::kick(cpu &c)
{
	cpu_slot &slot = slot_of(c);
	const u64 when_ns = std::max(present(), c.now_ns);
	if (slot.run_number && slot.run_ns <= when_ns)
		return;
	slot.run_ns = when_ns;
	slot.run_number = push(queue_, event_kind::run, when_ns, &c, nullptr, nullptr);
}

void world::interrupt(cpu &c)
{
	cpu_slot &slot = slot_of(c);
	if (!slot.interrupt_number)
		slot.interrupt_number = push(queue_, event_kind::interrupt, std::max(present(), c.now_ns), &c,
		                             nullptr, nullptr);
}

// What one of its cpus passes while it runs is handled by that cpu's interrupt_point and not by the loop.
void world::note_device_events(host &h)
{
	event_heap &heap = devices_of(h);
	drop_stale(heap);
	h.device_event_ns = heap.empty() ? ~u64{0} : heap.front().when_ns;
}

u64 world::at_device(host &h, u64 when_ns, void (*fn)(void *), void *arg)
{
	const u64 number = ++number_;

	at_number(number, &h, when_ns, fn, arg);
	return number;
}

u64 world::take_number(const host *h, u64 when_ns)
{
	give_way(h ? h->cpus[0].get() : nullptr, when_ns);
	return ++number_;
}

void world::at_number(u64 number, host *h, u64 when_ns, void (*fn)(void *), void *arg)
{
	when_ns = std::max(when_ns, present());
	if (!h) {
		push(queue_, {when_ns, number, event_kind::call, nullptr, fn, arg});
		return;
	}
	push(devices_of(*h), {when_ns, number, event_kind::device, h->cpus[0].get(), fn, arg});
	h->device_event_ns = std::min(h->device_event_ns, when_ns);
}

void world::devices_due(cpu &c)
{
	const context before = std::exchange(current, context{});
	const u64 now_before = now_ns_;
	for (;;) {
		// Looked up each time: a device may make events of others.
		event_heap &heap = devices_of(c.on);
		drop_stale(heap);
		if (heap.empty() || heap.front().when_ns > c.now_ns)
			break;
		const event e = heap.front();
		std::pop_heap(heap.begin(), heap.end());
		heap.pop_back();
		now_ns_ = std::max(now_ns_, e.when_ns);
		++handled_;
		e.fn(e.arg);
	}
	now_ns_ = now_before;
	return_to(before);
	note_device_events(c.on);
}

u64 world::at(u64 when_ns, void (*fn)(void *), void *arg)
{
	return push(queue_, event_kind::call, std::max(when_ns, present()), nullptr, fn, arg);
}

void world::cancel(u64 id)
{
	const auto is_it = [id](const event &e) { return e.number == id; };
	bool queued = std::ranges::any_of(queue_, is_it);
	for (const event_heap &heap : devices_)
		queued = queued || std::ranges::any_of(heap, is_it);
	if (queued)
		cancelled_.insert(id);
	calls_.erase(id);
}

u64 world::call_at(u64 when_ns, std::function<void()> fn)
{
	auto held = std::make_unique<std::function<void()>>(std::move(fn));
	const u64 id = at(
		when_ns, [](void *arg) { (*static_cast<std::function<void()> *>(arg))(); }, held.get());
	calls_.emplace(id, std::move(held));
	return id;
}

// ---- the loop -------------------------------------------------------------------------------------------

void world::until_next_event(cpu &c)
{
	const event_heap *const next = next_heap();
	c.run_until_ns = std::min(next ? next->front().when_ns : ~u64{0}, limit_ns_);
	// Another cpu that runs at the same time gives way to this one as this one to it: somebody must go.
	if (next && next->front().kind == event_kind::run && c.run_until_ns <= c.now_ns)
		c.run_until_ns = c.now_ns + 1;
}

void world::run_cpu(cpu &c)
{
	until_next_event(c);
	cpu_run(c);
	c.run_until_ns = ~u64{0};
	if (cpu_has_work(c))
		kick(c);
}

void world::handle(const event &e)
{
	switch (e.kind) {
	case event_kind::timer:
		slot_of(*e.on).timer_number = 0;
		until_next_event(*e.on);
		cpu_interrupt_timer(*e.on);
		e.on->run_until_ns = ~u64{0};
		break;
	case event_kind::run:
		slot_of(*e.on).run_number = 0;
		run_cpu(*e.on);
		break;
	case event_kind::interrupt:
		slot_of(*e.on).interrupt_number = 0;
		until_next_event(*e.on);
		cpu_interrupt_device(*e.on);
		e.on->run_until_ns = ~u64{0};
		break;
	case event_kind::device:
		note_device_events(e.on->on);
		e.fn(e.arg);
		break;
	case event_kind::call: {
		// The function may add calls: it must outlive its place in the table.
		const auto node = calls_.extract(e.number);
		e.fn(e.arg);
		break;
	}
	}
}

void world::come_out(const host &h)
{
	constexpr int steps_max = 100'000; // one that is flooded may always be inside
	const auto inside = [](const auto &c) { return c->left_on != nullptr; };

	for (int n = 0; n < steps_max && std::ranges::any_of(h.cpus, inside); ++n)
		if (!step())
			return;
	while (h.cpus[0]->left_on && step())
		;
}

bool world::step()
{
	event_heap *const heap = next_heap();
	if (heap)
		take(*heap);
	return heap;
}

void world::take(event_heap &from)
{
	const event e = from.front();
	std::pop_heap(from.begin(), from.end());
	from.pop_back();
	assert(e.when_ns >= now_ns_);
	const bool of_cpu = e.kind < event_kind::device;
	if (of_cpu && e.on->now_ns > e.when_ns) { // busy: when it is free
		const u64 number = push(queue_, e.kind, e.on->now_ns, e.on, nullptr, nullptr);
		counted(e) = number;
		if (e.kind == event_kind::run)
			slot_of(*e.on).run_ns = e.on->now_ns;
		return;
	}
	now_ns_ = e.when_ns;
	if (of_cpu)
		e.on->now_ns = std::max(e.on->now_ns, now_ns_);
	++handled_;
	handle(e);
}

void world::run_until(u64 when_ns)
{
	// What a cpu has begun comes to its end if that takes no tick; one that an interrupt line keeps, with
	// no other event in sight, comes back all the same.
	const u64 limit_before = std::exchange(limit_ns_, when_ns + TICK_NSEC);
	for (event_heap *heap; (heap = next_heap()) && heap->front().when_ns <= when_ns;)
		take(*heap);
	limit_ns_ = limit_before;
	now_ns_ = std::max(now_ns_, when_ns);
	for (const auto &h : hosts_)
		for (const auto &c : h->cpus)
			c->now_ns = std::max(c->now_ns, now_ns_);
}

std::vector<std::string> world::end()
{
	std::vector<std::string> left;

	if (recorder_)
		recorder_->stop();
	for (const auto &h : hosts_)
		come_out(*h);
	// What one cpu has asked of another, or left to its ksoftirqd, is done while there is a network.
	const auto busy = [](const auto &c) { return cpu_has_work(*c) || c->interrupt_waits; };
	constexpr int steps_max = 100'000;
	for (int n = 0; n < steps_max; ++n)
		if (std::ranges::none_of(hosts_,
		                         [&](const auto &h) { return std::ranges::any_of(h->cpus, busy); }) ||
		    !step())
			break;
	for (const auto &h : hosts_)
		for (std::string &line : shut_down(*h, [this](u64 ns) { run_until(now_ns_ + ns); }))
			left.push_back(hosts_.size() > 1 ? fmt::format("{}: {}", h->name, line)
			                                 : std::move(line));
	for (const auto &h : hosts_)
		h->recorder = nullptr;
	// What rests in the cpus' own caches and lists goes with the cpus; then nothing of the slab is out.
	const std::size_t noted = noted_leaks().size();
	parts_.clear();
	hosts_.clear();
	left.insert(left.end(), noted_leaks().begin() + static_cast<std::ptrdiff_t>(noted),
	            noted_leaks().end());
	return left;
}

} // namespace skbwalk::sim
