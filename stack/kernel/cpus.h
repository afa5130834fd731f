// SPDX-License-Identifier: GPL-2.0-only
//
// Several cpus on one thread: the machine beneath the kernel. A cpu of a host with several can be left in the
// middle of a function, in a task, in a softirq or with a lock held: at each function's entry where another
// event of the world is due, and while it waits for a lock. So cpus go side by side in the order of time, and
// what they race for is seen. What lets them drift apart is what a scenario gives: functions that cost time,
// and a seeded chance to stand still at any entry.
#pragma once

#include <functional>
#include <string_view>
#include <unordered_map>

#include "stack/kernel/random.h"
#include "stack/kernel/sched.h"
#include "stack/kernel/spinlock.h"
#include "stack/trace/trace.h"

namespace skbwalk {

struct cpu_points {
	explicit cpu_points(const host &h);
	~cpu_points();
	cpu_points(const cpu_points &) = delete;
	cpu_points &operator=(const cpu_points &) = delete;

	std::unordered_map<const trace::site *, u64> cost_ns;
	u32 stall_one_in = 0; // at one of so many entries a cpu stands still; 0: never
	u32 stall_ns_max = 0;
	random_stream random;
};
// Each call of a function of this name takes so long, besides the host's coarse costs. False: none is so
// called.
bool cost_of_function(host &h, std::string_view name, u64 ns);
void cost_of_functions(host &h, const std::function<bool(std::string_view name)> &which, u64 ns);
void stall_cpus(host &h, u32 one_in, u32 ns_max);
// A function was entered: from the tracing macro, where the host has points.
void function_point(const trace::site &s);

// Gives way to the world's other events; returns when this cpu has its turn again.
void leave_cpu();
// Waits a little for what another cpu does: the body of a loop that spins.
void cpu_relax();
// On the world's own stack, which sleeps a little: softirqs and tasks of all cpus have their turns.
void run_others();
// A cpu's wait for a lock, in its list. Interrupts that it takes there may wait for others.
struct lock_wait {
	const spinlock_t &lock;
	u64 order;        // first come, first served
	lock_wait *outer; // what the interrupted code waits for
	bool over = false;
};
// The lock belongs to another cpu: waits until that one hands it over. A circle of cpus that wait for each
// other is reported, and the run ends.
void wait_for_lock(spinlock_t &lock);
// Gives the lock, which cpus wait for, to the first of them.
void hand_to_next(spinlock_t &lock);

// Runs fn as what interrupts the idle task; on a stack of the cpu's own if that may be left.
void run_on_idle_stack(cpu &c, std::function<void()> fn);
void end_idle_stack(cpu &c);

} // namespace skbwalk
