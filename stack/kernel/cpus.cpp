// SPDX-License-Identifier: GPL-2.0-only
//
// How cpus are left and come back. leave_cpu() goes from the stack that the cpu's code is on (a task's, the
// interrupt stack, the idle task's) to the world, which runs others and in time comes back by cpu_run. Who
// finds a lock taken leaves too, and is no longer asked to run: the holder's release hands the lock on, first
// come, first served, as the kernel's queued locks do, and the waiter's clock goes on from there. On the
// world's own stack (a set-up command, an interrupt of a cpu that was left) nothing can be left: there the
// holder is run in its place.
#include "stack/kernel/cpus.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "stack/kernel/fiber_switch.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/smp.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

namespace {

constexpr u64 relax_ns = 100; // a turn of a loop that spins

// Whom `c` waits for, as far as locks go.
cpu *holder_of(const cpu &c) { return c.spins_on ? c.spins_on->lock.owner() : nullptr; }

[[noreturn]] void report_deadlock(const cpu &c, const spinlock_t &lock)
{
	std::fprintf(stderr, "skbwalk: deadlock: cpu %d of %s spins on a lock that cpu %d holds", c.id,
	             c.on.name.c_str(), lock.owner()->id);
	for (const cpu *h = lock.owner(); h != &c; h = holder_of(*h))
		std::fprintf(stderr, ", which spins on a lock that cpu %d holds", holder_of(*h)->id);
	std::fputs("\n", stderr);
	std::abort();
}

void check_for_circle(const cpu &c, const spinlock_t &lock)
{
	for (const cpu *h = lock.owner(); h; h = holder_of(*h))
		if (h == &c)
			report_deadlock(c, lock);
}

// A turn of a cpu that was left in the middle, or that has a task to run, up to a next function.
void run_a_turn(cpu &c)
{
	assert(cpu_has_work(c) && !c.scheduler && "a cpu waits for one that is not inside anything");
	c.run_until_ns = c.left_on ? c.now_ns : c.now_ns + 1;
	cpu_run(c);
	c.run_until_ns = KTIME_NEVER;
}

void idle_main(void *arg)
{
	cpu &c = *static_cast<cpu *>(arg);

	while (const std::function<void()> call = std::exchange(c.idle_call, nullptr)) {
		call();
		c.idle_stack->switch_to(*c.scheduler);
	}
	c.idle_stack->switch_to(*c.scheduler, true);
}

void enter_idle_stack(cpu &c)
{
	fiber here;

	assert(!c.scheduler && !c.running && !c.left_on);
	c.scheduler = &here;
	c.running = c.idle_stack.get();
	here.switch_to(*c.idle_stack);
	c.running = nullptr;
	c.scheduler = nullptr;
}

} // namespace

cpu_points::cpu_points(const host &h) : random(h.seed, "cpus", h.id)
{
	trace::arm(trace::armed_by::interrupt_point);
}

cpu_points::~cpu_points() { trace::disarm(trace::armed_by::interrupt_point); }

namespace {

cpu_points &points_of(host &h)
{
	if (!h.points)
		h.points = std::make_unique<cpu_points>(h);
	return *h.points;
}

} // namespace

// not traced: the machine beneath the kernel
bool cost_of_function(host &h, std::string_view name, u64 ns)
{
	bool known = false;

	trace::for_each_site([&](const trace::site &s) {
		if (name != s.name || s.kind == trace::site_kind::part)
			return;
		known = true;
		points_of(h).cost_ns[&s] = ns;
	});
	return known;
}

// not traced: the machine beneath the kernel
void cost_of_functions(host &h, const std::function<bool(std::string_view)> &which, u64 ns)
{
	trace::for_each_site([&](const trace::site &s) {
		if (s.kind != trace::site_kind::part && which(s.name))
			points_of(h).cost_ns[&s] = ns;
	});
}

// not traced: the machine beneath the kernel
void stall_cpus(host &h, u32 one_in, u32 ns_max)
{
	points_of(h).stall_one_in = one_in;
	points_of(h).stall_ns_max = ns_max;
}

// not traced: the machine beneath the kernel
void function_point(const trace::site &s)
{
	cpu &c = *current.cpu;
	cpu_points &p = *c.on.points;

	if (!p.cost_ns.empty())
		if (const auto cost = p.cost_ns.find(&s); cost != p.cost_ns.end())
			set_clock(c, c.now_ns + cost->second);
	if (p.stall_one_in && !p.random.below(p.stall_one_in))
		set_clock(c, c.now_ns + p.random.below(p.stall_ns_max));
	if (!c.running || c.on.cpus.size() == 1)
		return;
	if (c.now_ns >= c.run_until_ns)
		leave_cpu();
	if (c.irqs_off)
		return;
	// What is interrupted goes on at least as far as its next function.
	if (c.interrupt_waits)
		take_an_interrupt();
	if (c.now_ns >= c.next_event_ns) {
		c.next_event_ns = KTIME_NEVER; // taken once
		take_timer_interrupt();
		cpu_program_timer(c);
	}
}

// not traced: the machine beneath the kernel
void leave_cpu()
{
	cpu &c = *current.cpu;
	fiber &here = *std::exchange(c.running, nullptr);

	c.left_on = &here;
	if (!c.spins_on)
		c.on.plat.kick(c);
	here.switch_to(*c.scheduler);
}

// not traced: the machine beneath the kernel
void cpu_relax()
{
	cpu &c = *current.cpu;

	charge(relax_ns);
	if (c.running) {
		leave_cpu();
		return;
	}
	bool somebody = false;

	for (const auto &other : c.on.cpus) {
		if (other.get() == &c || !other->left_on || other->spins_on)
			continue;
		somebody = true;
		run_a_turn(*other);
	}
	assert(somebody && "a cpu waits for one that is not inside anything");
}

// not traced: the machine beneath the kernel
void run_others()
{
	cpu &here = *current.cpu;

	assert(!current.task && here.preempt_count == 0);
	if (local_softirq_pending() && !ksoftirqd_running()) {
		local_bh_disable();
		local_bh_enable();
	}
	for (const auto &c : here.on.cpus) {
		if (c->scheduler || !cpu_has_work(*c))
			continue;
		clock_not_before(*c, here.now_ns);
		run_a_turn(*c);
	}
}

namespace {

// Where its wait for the lock is in the cpu's list; null: it has none.
lock_wait **wait_of(cpu &c, const spinlock_t &lock)
{
	lock_wait **at = &c.spins_on;

	while (*at && &(*at)->lock != &lock)
		at = &(*at)->outer;
	return *at ? at : nullptr;
}

} // namespace

// not traced: the machine beneath the kernel
void wait_for_lock(spinlock_t &lock)
{
	cpu &c = *current.cpu;
	lock_wait wait{lock, ++c.on.state->spins, c.spins_on};

	assert(!wait_of(c, lock) && "an interrupt takes the spin lock that the interrupted code waits for");
	check_for_circle(c, lock);
	c.spins_on = &wait;
	lock.word |= spinlock_t::waited_for;
	if (c.running)
		leave_cpu();
	while (!wait.over) {
		cpu *holder = lock.owner();

		check_for_circle(c, lock); // this cpu may own by now what it waited for before
		while (holder->spins_on)
			holder = holder_of(*holder);
		run_a_turn(*holder);
	}
	assert(lock.owner() == &c);
}

// not traced: the machine beneath the kernel
void hand_to_next(spinlock_t &lock)
{
	const cpu &c = *current.cpu;
	cpu *first = nullptr;
	lock_wait **at = nullptr;
	int waiting = 0;

	for (const auto &other : c.on.cpus) {
		lock_wait **const its = wait_of(*other, lock);

		if (!its)
			continue;
		++waiting;
		if (!first || (*its)->order < (*at)->order) {
			first = other.get();
			at = its;
		}
	}
	assert(first && "a lock is waited for by nobody");
	lock.word = reinterpret_cast<std::uintptr_t>(first);
	if (waiting > 1)
		lock.word |= spinlock_t::waited_for;
	(*at)->over = true;
	*at = (*at)->outer;
	clock_not_before(*first, c.now_ns);
	if (first->left_on && !first->spins_on)
		c.on.plat.kick(*first);
}

// not traced: the machine beneath the kernel
void run_on_idle_stack(cpu &c, std::function<void()> fn)
{
	if (c.on.cpus.size() == 1 || c.scheduler) {
		fn();
		return;
	}
	if (!c.idle_stack)
		c.idle_stack = std::make_unique<fiber>(c.on.state->stacks, idle_main, &c);
	c.idle_call = std::move(fn);
	enter_idle_stack(c);
	// Whom the interrupt woke.
	if (!c.left_on && !list_empty(c.runqueue))
		c.on.plat.kick(c);
}

// not traced: the machine beneath the kernel
void end_idle_stack(cpu &c)
{
	if (!c.idle_stack)
		return;
	c.idle_call = nullptr;
	enter_idle_stack(c);
	c.idle_stack.reset();
}

} // namespace skbwalk
