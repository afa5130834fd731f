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
	if (cpu *const me = current.cpu; me && on && on != me && me->on.cpus.size() > 1) {
		me->run_until_ns = std::min(me->run_until_ns, std::max(when_ns, me->now_ns + 1));
		attend_by(*me, me->run_until_ns);
	}
}

inline void world::event_queue::push(const event &e)
{
	// Written into its place, field by field: std::push_heap reads as a whole what has just been written
	// in parts, and waits for it.
	std::size_t at = heap.size();

	heap.emplace_back();
	for (std::size_t above; at && heap[above = (at - 1) / 2] < e; at = above)
		heap[at] = heap[above];

	event &made = heap[at];

	made.when_ns = e.when_ns;
	made.order = e.order;
	made.fn = e.fn;
	made.arg = e.arg;
}

inline void world::event_queue::pop()
{
	std::pop_heap(heap.begin(), heap.end());
	heap.pop_back();
}

u64 world::push_cpu_event(event_kind kind, u64 when_ns, cpu &on)
{
	queue_.push({kind, when_ns, ++number_, nullptr, &on});
	give_way(&on, when_ns);
	return number_;
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

world::event_queue &world::devices_of(host &h)
{
	if (devices_.size() <= h.id)
		devices_.resize(h.id + std::size_t{1});
	event_queue &devices = devices_[h.id];
	devices.of = &h;
	return devices;
}

inline bool world::is_stale(const event &e) const
{
	if (e.kind() >= event_kind::device)
		return !cancelled_.empty() && cancelled_.contains(e.number());
	return e.number() != slot_of(e.on()).number(e.kind());
}

void world::pop_stale(event_queue &from)
{
	do {
		cancelled_.erase(from.front().number());
		from.pop();
	} while (!from.empty() && is_stale(from.front()));
}

inline void world::drop_stale(event_queue &from)
{
	if (!from.empty() && is_stale(from.front()))
		pop_stale(from);
}

world::event_queue *world::next_queue()
{
	drop_stale(queue_);
	event_queue *next = queue_.empty() ? nullptr : &queue_;
	for (event_queue &queue : devices_) {
		drop_stale(queue);
		if (!queue.empty() && (!next || next->front() < queue.front()))
			next = &queue;
	}
	return next;
}

u64 world::next_event_ns() const
{
	const event_queue *next = const_cast<world *>(this)->next_queue();
	return next ? next->front().when_ns : ~u64{0};
}

void world::arm_timer(cpu &c, u64 when_ns)
{
	u64 &number = slot_of(c).number(event_kind::timer);
	number = 0;
	if (when_ns != ~u64{0})
		number = push_cpu_event(event_kind::timer, std::max(when_ns, present()), c);
}

void world::kick(cpu &c)
{
	cpu_slot &slot = slot_of(c);
	const u64 when_ns = std::max(present(), c.now_ns);
	if (slot.number(event_kind::run) && slot.run_ns <= when_ns)
		return;
	slot.run_ns = when_ns;
	slot.number(event_kind::run) = push_cpu_event(event_kind::run, when_ns, c);
}

void world::interrupt(cpu &c)
{
	u64 &number = slot_of(c).number(event_kind::interrupt);
	if (!number)
		number = push_cpu_event(event_kind::interrupt, std::max(present(), c.now_ns), c);
}

// What one of its cpus passes while it runs is handled by that cpu's interrupt_point and not by the loop.
void world::note_device_events(host &h)
{
	event_queue &devices = devices_of(h);
	drop_stale(devices);
	h.device_event_ns = devices.empty() ? ~u64{0} : devices.front().when_ns;
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
		queue_.push({event_kind::call, when_ns, number, fn, arg});
		return;
	}
	devices_of(*h).push({event_kind::device, when_ns, number, fn, arg});
	give_way(h->cpus[0].get(), when_ns);
	device_event_at(*h, when_ns);
}

void world::devices_due(cpu &c)
{
	const context before = std::exchange(current, context{});
	const u64 now_before = now_ns_;
	for (;;) {
		// Looked up each time: a device may make events of others.
		event_queue &devices = devices_of(c.on);
		drop_stale(devices);
		if (devices.empty() || devices.front().when_ns > c.now_ns)
			break;
		const event e = devices.front();
		devices.pop();
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
	queue_.push({event_kind::call, std::max(when_ns, present()), ++number_, fn, arg});
	return number_;
}

void world::cancel(u64 id)
{
	const auto is_it = [id](const event &e) { return e.number() == id; };
	bool queued = std::ranges::any_of(queue_.heap, is_it);
	for (const event_queue &devices : devices_)
		queued = queued || std::ranges::any_of(devices.heap, is_it);
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
	const event_queue *const next = next_queue();
	c.run_until_ns = std::min(next ? next->front().when_ns : ~u64{0}, limit_ns_);
	// Another cpu that runs at the same time gives way to this one as this one to it: somebody must go.
	if (next && next->front().kind() == event_kind::run && c.run_until_ns <= c.now_ns)
		c.run_until_ns = c.now_ns + 1;
	attend_by(c, c.run_until_ns);
}

void world::run_cpu(cpu &c)
{
	until_next_event(c);
	cpu_run(c);
	c.run_until_ns = ~u64{0};
	if (cpu_has_work(c))
		kick(c);
}

void world::handle_cpu_event(event_kind kind, cpu &c)
{
	slot_of(c).number(kind) = 0;
	if (kind == event_kind::run) {
		run_cpu(c);
		return;
	}
	until_next_event(c);
	if (kind == event_kind::timer)
		cpu_interrupt_timer(c);
	else
		cpu_interrupt_device(c);
	c.run_until_ns = ~u64{0};
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
	event_queue *const queue = next_queue();
	if (queue)
		take(*queue);
	return queue;
}

void world::take(event_queue &from)
{
	const event e = from.front();
	from.pop();
	assert(e.when_ns >= now_ns_);
	if (e.kind() < event_kind::device) {
		cpu &c = e.on();
		if (c.now_ns > e.when_ns) { // busy: when it is free
			slot_of(c).number(e.kind()) = push_cpu_event(e.kind(), c.now_ns, c);
			if (e.kind() == event_kind::run)
				slot_of(c).run_ns = c.now_ns;
			return;
		}
		now_ns_ = e.when_ns;
		set_clock(c, now_ns_);
		++handled_;
		handle_cpu_event(e.kind(), c);
		return;
	}
	now_ns_ = e.when_ns;
	++handled_;
	if (from.of) {
		note_device_events(*from.of);
		e.fn(e.arg);
		return;
	}
	// The function may add calls: it must outlive its place in the table.
	const auto node = calls_.extract(e.number());
	e.fn(e.arg);
}

void world::run_until(u64 when_ns)
{
	// What a cpu has begun comes to its end if that takes no tick; one that an interrupt line keeps, with
	// no other event in sight, comes back all the same.
	const u64 limit_before = std::exchange(limit_ns_, when_ns + TICK_NSEC);
	for (event_queue *queue; (queue = next_queue()) && queue->front().when_ns <= when_ns;)
		take(*queue);
	limit_ns_ = limit_before;
	now_ns_ = std::max(now_ns_, when_ns);
	for (const auto &h : hosts_)
		for (const auto &c : h->cpus)
			clock_not_before(*c, now_ns_);
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
