// SPDX-License-Identifier: GPL-2.0-only
//
// Tasks and the scheduler (kernel/sched/core.c). The world calls cpu_run; it takes the task that is next
// (sched_fair.cpp), switches to its stack, and gets the cpu back when the task sleeps in schedule(), yields,
// goes to another cpu or ends. try_to_wake_up puts a sleeper into its cpu's queue, or asks that cpu to. Who
// is to be preempted goes at the next voluntary preemption point or on the way to user mode. Left out:
// classes, priorities, balancing, load.
#include "stack/kernel/sched.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "stack/kernel/cpus.h"
#include "stack/kernel/fiber_switch.h"
#include "stack/kernel/file.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/sched_affinity.h"
#include "stack/kernel/smp.h"

namespace skbwalk {

namespace {

constexpr int TASK_PARKED = 0x40; // in task_park; in no wake-up's mask

u64 next_tick_ns(const cpu &c)
{
	return c.on.boot_ns + ((c.now_ns - c.on.boot_ns) / TICK_NSEC + 1) * TICK_NSEC;
}

void enqueue(task_struct &t, enqueue_reason why = enqueue_reason::wakes)
{
	cpu &c = *t.on;

	enqueue_task_fair(t, why);
	if (!c.scheduler)
		c.on.plat.kick(c);
	if (c.curr)
		cpu_event_at(c, next_tick_ns(c));
}

void task_main(void *arg)
{
	task_struct &t = *static_cast<task_struct *>(arg);

	t.body();
	assert(current.task == &t && t.on->preempt_count == 0);
	exit_files();
	if (t.task_works)
		task_work_run();
	t.task_frag.reset();
	t.state = TASK_DEAD;
	t.stack->switch_to(*t.on->scheduler, true);
}

// not traced: notrace in the kernel
void __schedule(const char *wchan)
{
	cpu &c = *current.cpu;
	task_struct &t = *current.task;

	assert(current.task && c.curr == &t && c.scheduler);
	assert(!in_interrupt() && !c.irqs_off && "sleeping in atomic context");
	assert(c.preempt_count == 0 && "sleeping with a spin lock held");
	assert(c.rcu_nesting == 0 && "sleeping inside rcu_read_lock");
	c.need_resched = false;
	if ((t.state & TASK_INTERRUPTIBLE) && signal_pending(t)) {
		t.state = TASK_RUNNING;
		return;
	}
	if (t.state == TASK_RUNNING && goes_on_fair(c))
		return;
	leave_rq_fair(c);
	if (t.state == TASK_RUNNING)
		enqueue(t, enqueue_reason::stays);
	t.wait_channel = wchan;
	t.stack->switch_to(*c.scheduler);
	t.wait_channel = nullptr;
}

} // namespace

task_struct::task_struct(cpu &c, std::string name, std::function<void()> fn)
	: comm(std::move(name)), on(&c), body(std::move(fn))
{
	host_state &s = *c.on.state;

	id = static_cast<u16>(c.on.id << 8 | s.next_task_id++);
	pid = s.next_pid++;
}

task_struct::~task_struct()
{
	assert(!stack && "a task must have run to its end");
	assert(!queued && list_empty(run_entry));
}

void schedule(const char *wchan)
{
	TRACE();
	__schedule(wchan);
}

int __cond_resched()
{
	TRACE();
	cpu &c = *current.cpu;

	if (c.need_resched && current.task && !c.preempt_count && !c.irqs_off && !c.rcu_nesting &&
	    current.task->state == TASK_RUNNING) { // not between prepare_to_wait and schedule
		__schedule("__cond_resched");
		return 1;
	}
	rcu_all_qs();
	return 0;
}

// not traced: a macro in the kernel
void might_sleep()
{
	assert(current.cpu->preempt_count == 0);
	__cond_resched();
}

// not traced: a macro in the kernel
void set_current_state(int state)
{
	if (current.task)
		current.task->state = state;
}

// not traced: inlined everywhere, tests a flag
bool signal_pending(const task_struct &t) { return t.fatal_signal; }

// --- wake-ups of tasks of another cpu ---

namespace {

void resched_curr(cpu &c)
{
	TRACE();
	if (c.need_resched || c.resched_asked)
		return;
	if (&c == current.cpu) {
		c.need_resched = true;
		return;
	}
	c.resched_asked = true;
	smp_send_reschedule(c.id);
}

void ttwu_do_activate(task_struct &t)
{
	TRACE();
	cpu &c = *t.on;

	t.state = TASK_RUNNING;
	enqueue(t);
	if (c.curr && check_preempt_wakeup(c, t))
		resched_curr(c);
}

void __ttwu_queue_wakelist(task_struct &t, cpu &c)
{
	TRACE();
	t.wake_entry.wakes_task = true;
	__smp_call_single_queue(c.id, t.wake_entry);
}

// An idle cpu does the rest itself.
bool ttwu_queue_wakelist(task_struct &t, cpu &c)
{
	TRACE();
	if (c.curr || !list_empty(c.runqueue))
		return false;
	t.state = TASK_WAKING;
	__ttwu_queue_wakelist(t, c);
	return true;
}

void ttwu_queue(task_struct &t, cpu &c)
{
	TRACE();
	if (!ttwu_queue_wakelist(t, c))
		ttwu_do_activate(t);
}

} // namespace

void sched_ttwu_pending(call_single_node *list)
{
	TRACE();
	while (list) {
		task_struct &t = container_of(*list, &task_struct::wake_entry);

		list = std::exchange(list->next, nullptr);
		assert(t.on == current.cpu && t.state == TASK_WAKING);
		ttwu_do_activate(t);
	}
}

int try_to_wake_up(task_struct &t, unsigned state_mask, int)
{
	TRACE();
	cpu &c = *t.on;

	if (!(static_cast<unsigned>(t.state) & state_mask))
		return 0;
	t.state = TASK_RUNNING;
	if (&t == c.curr || t.queued)
		return 1;
	if (&c != current.cpu && current.cpu) {
		ttwu_queue(t, c);
		return 1;
	}
	enqueue(t);
	if (!c.curr || check_preempt_wakeup(c, t))
		c.need_resched = true;
	return 1;
}

int wake_up_process(task_struct &t)
{
	TRACE();
	return try_to_wake_up(t, TASK_NORMAL, 0);
}

void kick_process(task_struct &t)
{
	TRACE();
	cpu &c = *t.on;

	if (&c != current.cpu && c.curr == &t)
		smp_send_reschedule(c.id);
}

void scheduler_tick()
{
	TRACE();
	cpu &c = *current.cpu;

	if (c.curr && task_tick_fair(c))
		c.need_resched = true;
}

// --- where a task may run ---

namespace {

// Unlike the kernel, no stopper thread moves a task that runs: it goes by itself, and waits for its turn
// there.
void affine_move_task(task_struct &t, cpumask mask)
{
	TRACE();
	cpu &from = *t.on;

	if (cpumask_test_cpu(from.id, mask))
		return;
	cpu &to = *from.on.cpus[static_cast<std::size_t>(cpumask_first(mask))];

	assert(from.curr == &t && from.preempt_count == 0 && !from.irqs_off);
	change_rq_fair(t, from, to);
	enqueue(t, enqueue_reason::stays);
	t.stack->switch_to(*from.scheduler);
}

int __set_cpus_allowed_ptr(task_struct &t, cpumask new_mask)
{
	TRACE();
	affine_move_task(t, new_mask);
	return 0;
}

int __sched_setaffinity(task_struct &t, cpumask mask)
{
	TRACE();
	const cpumask allowed = mask & cpu_online_mask();

	if (cpumask_empty(allowed))
		return -EINVAL;
	return __set_cpus_allowed_ptr(t, allowed);
}

} // namespace

// Unlike the kernel, of the task that calls and no other.
long sched_setaffinity(int pid, cpumask in_mask)
{
	TRACE();
	if (pid != 0 && pid != current.task->pid)
		return -ESRCH;
	return __sched_setaffinity(*current.task, in_mask);
}

// not traced: the machine beneath the kernel
void cpu_run(cpu &c)
{
	assert(!c.scheduler && "cpu_run is not for the cpu's own tasks to call");
	const enter_cpu in(c);
	fiber here;

	if (c.spins_on) // a lock is waited for
		return;
	attend_by(c, c.run_until_ns);
	c.scheduler = &here;
	for (;;) {
		fiber *to = std::exchange(c.left_on, nullptr);

		if (!to) {
			assert(!c.curr && locks_held(c) == 0);
			if (list_empty(c.runqueue) || c.now_ns >= c.run_until_ns)
				break;
			task_struct &next = pick_next_task_fair(c);

			c.need_resched = c.resched_asked = false;
			if (!list_empty(c.runqueue)) // who waits has its turn at a tick
				cpu_event_at(c, next_tick_ns(c));
			if (!next.stack)
				next.stack = std::make_unique<fiber>(c.on.state->stacks, task_main, &next);
			to = next.stack.get();
		}
		task_struct *const t = c.curr;

		now_runs(t);
		c.running = to;
		here.switch_to(*to);
		c.running = nullptr;
		now_runs(c.curr);
		if (t && t->state == TASK_DEAD && !c.left_on) {
			leave_rq_fair(c);
			now_runs(nullptr);
			t->stack.reset();
		}
		if (c.left_on)
			break;
	}
	c.scheduler = nullptr;
}

bool cpu_has_work(const cpu &c) { return c.left_on ? !c.spins_on : !list_empty(c.runqueue); }

namespace {

// Where interrupts are enabled.
void take_what_is_due(cpu &c)
{
	if (c.now_ns >= c.on.device_event_ns)
		c.on.plat.devices_due(c);
	if (c.interrupt_waits)
		take_interrupts();
	if (in_interrupt())
		return;
	if (c.now_ns >= c.next_event_ns) {
		c.next_event_ns = KTIME_NEVER; // taken once
		take_timer_interrupt();
		if (c.interrupt_waits)
			take_interrupts();
		// What the platform was asked for is taken care of.
		cpu_program_timer(c);
	}
	if (c.now_ns >= c.run_until_ns && current.task && c.running && locks_held(c) == 0)
		leave_cpu();
}

u64 next_event_ns(const cpu &c)
{
	u64 next = std::min({timer_wheel_next_ns(*c.timers), hrtimer_next_ns(*c.hrtimers), rcu_next_ns(c)});

	// A task that waits for its turn needs the tick, and softirqs that nobody is about to run.
	const bool unserved = c.softirq_pending && c.ksoftirqd->state != TASK_RUNNING;

	if ((c.curr && !list_empty(c.runqueue)) || unserved)
		next = std::min(next, next_tick_ns(c));
	return next;
}

} // namespace

// not traced: a place, not a function
void interrupt_comes()
{
	cpu &c = *current.cpu;

	if (c.irqs_off)
		return;
	take_what_is_due(c);
	c.attend_ns =
		c.interrupt_waits ? 0 : std::min({c.next_event_ns, c.run_until_ns, c.on.device_event_ns});
}

// not traced: the machine beneath the kernel
void cpu_look_for_events(cpu &c)
{
	c.next_event_ns = next_event_ns(c);
	attend_by(c, c.next_event_ns);
}

// not traced: the machine beneath the kernel
void cpu_program_timer(cpu &c)
{
	// Left in the middle with its interrupt due, it takes that first.
	if (!c.left_on || c.now_ns < c.next_event_ns)
		cpu_look_for_events(c);
	if (c.next_event_ns != c.armed_ns) {
		c.armed_ns = c.next_event_ns;
		c.on.plat.arm_timer(c, c.armed_ns);
	}
}

// not traced: the machine beneath the kernel
void task_start(task_struct &t)
{
	assert(!t.stack && t.state == TASK_RUNNING);
	enqueue(t, enqueue_reason::starts);
}

// not traced: the machine beneath the kernel
void task_park()
{
	task_struct &t = *current.task;

	assert(t.depth == 0 || !trace::armed);
	while (!t.unpark_token && !t.fatal_signal) {
		t.state = TASK_PARKED;
		__schedule("task_park");
	}
	t.unpark_token = false;
}

// not traced: the machine beneath the kernel
void task_unpark(task_struct &t)
{
	t.unpark_token = true;
	if (t.state != TASK_PARKED)
		return;
	t.state = TASK_RUNNING;
	enqueue(t);
}

// not traced: the machine beneath the kernel
void task_kill(task_struct &t)
{
	t.fatal_signal = true;
	if (t.state == TASK_PARKED) {
		task_unpark(t);
		return;
	}
	const enter_cpu in(*t.on);

	// What sleeps uninterruptibly for a time sees the signal as the end of that time.
	wake_up_process(t);
}

// not traced: the machine beneath the kernel
std::unique_ptr<task_struct> kthread_create(cpu &on, const std::string &name, std::function<void()> body)
{
	constexpr std::size_t TASK_COMM_LEN = 16;
	auto t = std::make_unique<task_struct>(on, name.substr(0, TASK_COMM_LEN - 1), std::move(body));
	host_state &s = *on.on.state;

	t->is_kthread = true;
	t->pid = s.next_kthread_pid++;
	--s.next_pid;
	t->state = TASK_INTERRUPTIBLE; // asleep until first woken
	return t;
}

// not traced: the machine beneath the kernel
void kthread_stop(task_struct &t)
{
	cpu &c = *t.on;

	task_kill(t);
	if (current.task) {
		while (t.state != TASK_DEAD || t.stack) {
			set_current_state(TASK_UNINTERRUPTIBLE);
			schedule_timeout(1);
		}
		return;
	}
	c.run_until_ns = KTIME_NEVER;
	for (cpu_run(c); t.stack; cpu_run(c))
		for (const auto &other : c.on.cpus) // who holds what this one waits for
			cpu_run(*other);
}

} // namespace skbwalk
