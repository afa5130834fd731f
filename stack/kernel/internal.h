// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of stack/kernel share and nobody else sees: a host's private state, the timer wheel's and
// the hrtimers' bases, and the scheduler's own doors.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "stack/kernel/fiber.h"
#include "stack/kernel/kthread.h"
#include "stack/kernel/random.h"
#include "stack/kernel/sched.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

constexpr u64 KTIME_NEVER = ~u64{0};

// One wheel: nine levels of 64 buckets; a level's bucket is eight times as wide as one of the level below.
constexpr u32 LVL_CLK_SHIFT = 3;
constexpr u32 LVL_CLK_DIV = 1U << LVL_CLK_SHIFT;
constexpr u32 LVL_CLK_MASK = LVL_CLK_DIV - 1;
constexpr u32 LVL_BITS = 6;
constexpr u32 LVL_SIZE = 1U << LVL_BITS;
constexpr u32 LVL_MASK = LVL_SIZE - 1;
constexpr u32 LVL_DEPTH = 9;
constexpr u32 WHEEL_SIZE = LVL_SIZE * LVL_DEPTH;
constexpr u32 NEXT_TIMER_MAX_DELTA = (1U << 30) - 1;

struct timer_base {
	explicit timer_base(cpu &c);
	spinlock_t lock;
	timer_list *running_timer = nullptr;
	u32 clk = INITIAL_JIFFIES;
	u32 next_expiry = 0;
	bool next_expiry_recalc = false;
	bool timers_pending = false;
	cpu &on;
	std::array<u64, LVL_DEPTH> pending_map{}; // of each level, which of its buckets hold timers
	std::array<list_head, WHEEL_SIZE> vectors;
};
// When the wheel next needs a tick: world time of the first pending bucket, or KTIME_NEVER.
u64 timer_wheel_next_ns(timer_base &base);
void add_timer_on(timer_list &t, cpu &c);

struct hrtimer_earlier {
	bool operator()(const hrtimer &a, const hrtimer &b) const { return a.expires < b.expires; }
};
using hrtimer_tree = rb_tree_of<hrtimer, &hrtimer::node, hrtimer_earlier>;
struct hrtimer_cpu_base {
	explicit hrtimer_cpu_base(cpu &c) : on(c) {}
	spinlock_t lock;
	bool in_hrtirq = false;
	bool softirq_activated = false; // HRTIMER_SOFTIRQ is on its way
	cpu &on;
	hrtimer_tree hard;
	hrtimer_tree soft;
	const hrtimer *running = nullptr;
	u32 last_tick = INITIAL_JIFFIES; // jiffies at the last tick that was done
};
// World time of the first hrtimer that needs an interrupt, or KTIME_NEVER.
u64 hrtimer_next_ns(const hrtimer_cpu_base &base);
void hrtimer_interrupt();
void hrtimer_run_softirq();

// When this cpu next needs a tick for RCU, or KTIME_NEVER; and RCU's part of a tick.
u64 rcu_next_ns(const cpu &c);
void rcu_sched_clock_irq();
void rcu_core_si();
void rcu_all_qs(); // between two pieces of work of a task

// An event of the cpu's is due at `when_ns`, maybe before what it knew.
inline void cpu_event_at(cpu &c, u64 when_ns)
{
	if (when_ns < c.next_event_ns) {
		c.next_event_ns = when_ns;
		attend_by(c, when_ns);
	}
}
inline u64 jiffies_to_world_ns(const host &h, u32 j)
{
	return h.boot_ns + u64{j - INITIAL_JIFFIES} * TICK_NSEC;
}

// Memory in pages, by order.
// Pages come one by one at first, and from regions of huge pages where a host needs many.
struct page_pool {
	std::array<std::vector<page *>, 11> free; // by order
	std::deque<page> all;
	std::vector<void *> single, regions; // their memory
	std::size_t single_bytes = 0;
	std::byte *region_left = nullptr, *region_end = nullptr;
	u64 given_out = 0;
	~page_pool();
};

struct host_state {
	host_state(host &h);
	~host_state();
	std::array<softirq_action, NR_SOFTIRQS> softirq_vec{};
	fiber_pool stacks;
	random_stream random;
	std::vector<std::unique_ptr<kmem_cache>> caches;
	std::array<kmem_cache *, 13> kmalloc_caches{}; // made when first asked for
	kmem_cache *filp_cachep = nullptr;
	u64 large_given_out = 0; // allocations beyond the size classes
	std::function<bool(const kmem_cache &)> failslab;
	page_pool pages;
	int next_pid = 1000;
	int next_kthread_pid = 10;
	u16 next_task_id = 1;
	u64 spins = 0; // how often a lock was waited for
};

// --- sched.cpp ---
void ksoftirqd_body();
void kworker_body();
// The timer interrupt's handler on this cpu, wherever it came.
void take_timer_interrupt(); // the cpu comes to sysvec_apic_timer_interrupt, and back
// What the cpu does with a vector that its local APIC gives it: interrupts are disabled.
void idt_entry(u8 vector);
void take_an_interrupt(); // the one of the highest priority
// Program the platform for the next event, if the cpu is not in the kernel.
void cpu_program_timer(cpu &c);
void cpu_look_for_events(cpu &c); // next_event_ns anew
void scheduler_tick();
// --- sched_fair.cpp ---
enum class enqueue_reason : u8 { starts, wakes, stays };
void update_curr(cpu &c);
void enqueue_task_fair(task_struct &t, enqueue_reason why);
void leave_rq_fair(cpu &c); // curr sleeps or ends
void change_rq_fair(task_struct &t, cpu &from, cpu &to);
task_struct &pick_next_task_fair(cpu &c); // the queue is not empty
bool goes_on_fair(cpu &c);                // curr before all who wait
bool check_preempt_wakeup(cpu &c, const task_struct &woken);
bool task_tick_fair(cpu &c); // true: curr has had its share
// --- softirq.cpp ---
void softirq_init(host_state &s);
void tasklet_action();
void tasklet_hi_action();
// Runs fn(arg) on the cpu's interrupt stack, which is not in use.
void call_on_irqstack(cpu &c, void (*fn)(u64), u64 arg);
// Then softirqs are left to it, but not those that must run at once.
inline bool ksoftirqd_running()
{
	constexpr u32 SOFTIRQ_NOW_MASK = 1U << HI_SOFTIRQ | 1U << TASKLET_SOFTIRQ;

	if (local_softirq_pending() & SOFTIRQ_NOW_MASK)
		return false;

	const task_struct *daemon = current.cpu->ksoftirqd.get();

	return daemon && daemon->state == TASK_RUNNING;
}

} // namespace skbwalk
