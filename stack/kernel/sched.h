// SPDX-License-Identifier: GPL-2.0-only
//
// Tasks with stacks of their own, cpus with a run queue (kernel/sched/core.c, as far as a sleeping system
// call sees it). A task runs until it sleeps in schedule(); the cpu then takes the next one, first come first
// served. ksoftirqd is a task.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stack/kernel/context.h"
#include "stack/kernel/fiber.h"
#include "stack/kernel/list.h"

namespace skbwalk {

struct fiber; // the stack and the saved registers (fiber.h)
struct timer_base;
struct hrtimer_cpu_base;
struct callback_head;
struct files_struct;
struct lock_wait; // cpus.h

constexpr int TASK_RUNNING = 0;
constexpr int TASK_INTERRUPTIBLE = 1;
constexpr int TASK_UNINTERRUPTIBLE = 2;
constexpr int TASK_DEAD = 4;
constexpr int TASK_WAKING = 0x200; // on its way to the run queue of another cpu
constexpr unsigned TASK_NORMAL = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE;
constexpr long MAX_SCHEDULE_TIMEOUT = 0x7fffffffffffffffL;

// What one cpu asks of another stands on the other's call_single_queue (smp.h).
struct call_single_node {
	call_single_node *next = nullptr;
	bool wakes_task = false; // CSD_TYPE_TTWU
};

// How much of its cpu a task has had, against the cpu's min_vruntime.
struct sched_entity {
	u64 vruntime = 0;
	u64 exec_start = 0; // counted up to this time
};

struct task_struct {
	task_struct(cpu &on, std::string name, std::function<void()> body);
	~task_struct(); // it never ran, or its body has returned
	task_struct(const task_struct &) = delete;
	task_struct &operator=(const task_struct &) = delete;

	std::string comm;
	u16 id = 0;    // unique in the world; what records carry
	u16 depth = 0; // call depth of the trace, kept across sleeps
	int state = TASK_RUNNING;
	int pid = 0;
	cpu *on = nullptr; // the cpu whose run queue it uses
	bool queued = false;
	bool fatal_signal = false; // the world ends: every interruptible sleep returns -ERESTARTSYS or -EINTR
	bool is_kthread = false;
	bool notify_resume = false; // TIF_NOTIFY_RESUME: task work waits
	bool parked = false;
	bool unpark_token = false;
	net *nsproxy_net = nullptr; // current->nsproxy->net_ns
	std::shared_ptr<files_struct> files;
	std::shared_ptr<void> cred_security; // current_cred()->security; null: the kernel's own
	callback_head *task_works = nullptr;
	const char *wait_channel = nullptr; // the caller of the function that sleeps
	list_head run_entry;
	sched_entity se;
	call_single_node wake_entry;
	std::unique_ptr<fiber> stack;
	std::function<void()> body;
	// User memory limits of page_frag are per task in the kernel too (current->task_frag).
	std::shared_ptr<void> task_frag;
};

// Callbacks of one cpu between call_rcu and the end of their grace period.
struct rcu_data {
	callback_head *next = nullptr; // wait for a tick that starts a grace period
	callback_head *wait = nullptr; // wait for the tick that ends it
	callback_head **next_tail = &next;
	callback_head **wait_tail = &wait;
	callback_head *done = nullptr; // wait for RCU_SOFTIRQ
	callback_head **done_tail = &done;
	u32 asked_jiffies = 0; // the tick after this one is needed
};

struct cfs_rq {
	u64 min_vruntime = 0; // no task that runs or waits here has had less
};

struct cpu {
	cpu(host &h, u16 id);
	~cpu();

	// What the packet's way asks for lies in the first 128 bytes, as in sk_buff.
	host &on;
	u32 recorded = 0; // host, id and context of what it runs, as they lie in a record (trace/recorder.h)
	u16 id;
	u16 idle_depth = 0;    // trace depth of the idle task
	u64 now_ns = 0;        // its place in world time (set_clock); never behind the event it handles
	u64 tick_ends_ns = 0;  // of the tick that now_ns is in
	u32 tick_jiffies = 0;  // jiffies() in that tick
	u32 preempt_count = 0; // locks, bottom halves and interrupts, as the kernel counts them (preempt.h)
	u32 rcu_nesting = 0;   // rcu_read_lock sections that are open
	u32 softirq_pending = 0;
	bool irqs_off = false;
	bool interrupt_waits = false; // the local APIC has a vector that this cpu would take now
	bool need_resched = false;
	bool resched_asked = false;  // another cpu set TIF_NEED_RESCHED; its interrupt is on the way
	u32 entered = 0;             // nesting of enter_cpu
	task_struct *curr = nullptr; // the task that runs, or that was left in the middle; null: idle
	// No later than next_event_ns, run_until_ns and the host's device_event_ns; 0 while interrupt_waits:
	// interrupt_point() looks at none of them before.
	u64 attend_ns = 0;
	u64 next_event_ns = ~u64{0}; // no timer of this cpu is due before
	// Unlike the kernel, a running cpu looks for interrupts at interrupt_point() only: from this time on
	// it gives the word back to the world, whose next event is due. ~0: cpu_run goes on until the cpu is
	// idle.
	u64 run_until_ns = ~u64{0};
	object_area area; // percpu<T>
	cfs_rq cfs;
	rcu_data rcu;
	list_head runqueue;
	u64 switched_in_ns = 0; // when curr got the cpu
	u64 armed_ns = ~u64{0}; // what the platform was asked for last
	std::unique_ptr<task_struct> ksoftirqd;
	std::unique_ptr<task_struct> kworker;
	std::vector<struct delayed_work *> worklist;
	std::unique_ptr<timer_base> timers;
	std::unique_ptr<timer_base> deferrable_timers; // due at a tick that comes for another reason
	std::unique_ptr<hrtimer_cpu_base> hrtimers;
	std::array<u64, 10> softirqs_run{};
	fiber *scheduler = nullptr; // whom a sleeping task switches back to
	// What interrupts and softirqs run on when they come in a task, whose own stack may be nearly full.
	fiber_stack hardirq_stack;
	bool hardirq_stack_inuse = false;
	// What interrupts that come to the idle task run on where the host has several cpus (cpus.h), so that
	// they can be left in the middle.
	std::unique_ptr<fiber> idle_stack;
	std::function<void()> idle_call;
	fiber *running =
		nullptr; // what its code runs on now; null: the world's own stack, which cannot be left
	fiber *left_on = nullptr;      // where it was left in the middle
	lock_wait *spins_on = nullptr; // the innermost wait for a lock of another cpu
	// What other cpus ask of it (smp.h).
	call_single_node *call_single_queue = nullptr;
	call_single_node **call_single_tail = &call_single_queue;
};

inline int smp_processor_id() { return current.cpu->id; }

// --- called by kernel code ---
// `wchan` is the caller, which is what get_wchan finds: leave it alone.
void schedule(const char *wchan = __builtin_FUNCTION()); // sleep unless state is TASK_RUNNING
// Returns the jiffies left.
long schedule_timeout(long timeout_jiffies, const char *wchan = __builtin_FUNCTION());
// `expires_ns` is on the monotonic clock (ktime_get), null: no limit. 0 when it expired, else -EINTR.
int schedule_hrtimeout_range(const u64 *expires_ns, u64 delta_ns, const char *wchan = __builtin_FUNCTION());
int try_to_wake_up(task_struct &t, unsigned state_mask, int flags); // 1 when it was asleep
int wake_up_process(task_struct &t);
void set_current_state(int state);
bool signal_pending(const task_struct &t);
inline bool need_resched() { return current.cpu->need_resched; }
int __cond_resched(); // 1 when it gave the cpu away
inline int cond_resched() { return __cond_resched(); }
void might_sleep(); // voluntary preemption: __cond_resched, where sleeping is allowed
// Who lets something be due earlier than the cpu knew says so.
inline void attend_by(cpu &c, u64 when_ns)
{
	if (when_ns < c.attend_ns)
		c.attend_ns = when_ns;
}
// A device of the host has something to do then.
inline void device_event_at(host &h, u64 when_ns)
{
	if (when_ns >= h.device_event_ns)
		return;
	h.device_event_ns = when_ns;
	for (const auto &c : h.cpus)
		attend_by(*c, when_ns);
}
// A place where a hard interrupt may come, if interrupts are enabled: what devices do by now is done, and
// their interrupts come, in a softirq too; this cpu's due timer interrupt is taken, and when run_until_ns is
// reached the world gets its turn (cpu_run returns; the next cpu_run goes on from here).
void interrupt_comes(); // interrupt_point's rest: something may be due
inline void interrupt_point()
{
	const cpu &c = *current.cpu;

	if (__builtin_expect(c.now_ns >= c.attend_ns, 0))
		interrupt_comes();
}
void kick_process(task_struct &t);

// --- called by the world ---
// Runs the cpu's runnable tasks and pending softirqs until it is idle. Where run_until_ns is set, it returns
// then too, with the cpu left in the middle (cpu::left_on).
void cpu_run(cpu &c);
bool cpu_has_work(const cpu &c);
// A timer interrupt: due hrtimers, jiffies, the timer softirq, softirqs on the way out (in the idle task or
// nested).
void cpu_interrupt_timer(cpu &c);
void task_start(task_struct &t);
// A fatal signal: what sleeps interruptibly wakes, timed sleeps are over, so that the task's system call
// comes to its end.
void task_kill(task_struct &t);
// Sleep and wake for code that is not the kernel's (a scenario's step order): untraced. An unpark that comes
// first lets the next park return at once; task_kill unparks.
void task_park();
void task_unpark(task_struct &t);

// A cpu's clock is moved by these alone: jiffies() is a field that they keep.
void tick_passed(cpu &c); // set_clock's rest
inline void set_clock(cpu &c, u64 ns)
{
	c.now_ns = ns;
	if (__builtin_expect(ns >= c.tick_ends_ns, 0))
		tick_passed(c);
}
inline void clock_not_before(cpu &c, u64 ns)
{
	if (c.now_ns < ns)
		set_clock(c, ns);
}

// Coarse virtual cost: moves this cpu's clock.
inline void charge(u64 ns) { set_clock(*current.cpu, current.cpu->now_ns + ns); }
inline void charge_syscall() { charge(current.host->syscall_cost_ns); }
inline void charge_hop() { charge(current.host->hop_cost_ns); }
inline void charge_irq() { charge(current.host->irq_cost_ns); }

} // namespace skbwalk
