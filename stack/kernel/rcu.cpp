// SPDX-License-Identifier: GPL-2.0-only
//
// Callbacks after a grace period (kernel/rcu/tree.c, by its doors). call_rcu queues on this cpu and asks for
// ticks; the first tick at which no cpu of the host can still see the object closes the batch, the next such
// tick ends its grace period and raises RCU_SOFTIRQ, whose rcu_do_batch calls back.
//
// Unlike the kernel, quiescence is looked at for all cpus at once: they run on one thread and leave the
// kernel's code only in places that are known.
#include <cassert>

#include "stack/kernel/internal.h"

namespace skbwalk {

namespace {

void append(callback_head *&from, callback_head **&from_tail, callback_head **&to_tail)
{
	if (!from)
		return;
	*to_tail = from;
	to_tail = from_tail;
	from = nullptr;
	from_tail = &from;
}

// Where bottom halves are off, somebody may read.
bool quiescent(const host &h)
{
	for (const auto &c : h.cpus)
		if (c->rcu_nesting || c->preempt_count & (PREEMPT_MASK | SOFTIRQ_MASK))
			return false;
	return true;
}

void rcu_do_batch(rcu_data &rdp)
{
	TRACE();
	callback_head *head = rdp.done;

	rdp.done = nullptr;
	rdp.done_tail = &rdp.done;
	while (head) {
		callback_head *next = head->next;

		head->func(head);
		head = next;
	}
}

void rcu_core()
{
	TRACE();
	rcu_do_batch(current.cpu->rcu);
}

} // namespace

void call_rcu(rcu_head &head, void (*func)(rcu_head *))
{
	TRACE();
	cpu &c = *current.cpu;
	rcu_data &rdp = c.rcu;

	head.func = func;
	head.next = nullptr;
	if (!rdp.next && !rdp.wait)
		rdp.asked_jiffies = jiffies();
	*rdp.next_tail = &head;
	rdp.next_tail = &head.next;
	cpu_event_at(c, rcu_next_ns(c));
}

// not traced: the machine beneath the kernel
u64 rcu_next_ns(const cpu &c)
{
	const rcu_data &rdp = c.rcu;

	return rdp.next || rdp.wait ? jiffies_to_world_ns(c.on, rdp.asked_jiffies + 1) : KTIME_NEVER;
}

void rcu_sched_clock_irq()
{
	TRACE();
	cpu &c = *current.cpu;
	rcu_data &rdp = c.rcu;

	rdp.asked_jiffies = jiffies();
	if (!quiescent(c.on))
		return;
	append(rdp.wait, rdp.wait_tail, rdp.done_tail);
	append(rdp.next, rdp.next_tail, rdp.wait_tail);
	if (rdp.done)
		raise_softirq(RCU_SOFTIRQ);
}

// A kernel whose readers cannot be preempted takes this place for one where nobody reads. Callbacks that have
// waited for long get their tick anew.
void rcu_all_qs()
{
	TRACE();
	constexpr u32 jiffies_till_sched_qs = HZ / 10;
	cpu &c = *current.cpu;
	const rcu_data &rdp = c.rcu;

	if ((rdp.next || rdp.wait) && jiffies() - rdp.asked_jiffies > jiffies_till_sched_qs)
		cpu_event_at(c, rcu_next_ns(c));
}

void rcu_core_si()
{
	TRACE();
	rcu_core();
}

// not traced: the machine beneath the kernel
void rcu_process_callbacks(host &h)
{
	for (bool again = true; again;) {
		again = false;
		for (const auto &c : h.cpus) {
			const enter_cpu in(*c);
			rcu_data &rdp = c->rcu;

			assert(quiescent(h));
			append(rdp.wait, rdp.wait_tail, rdp.done_tail);
			append(rdp.next, rdp.next_tail, rdp.done_tail);
			if (!rdp.done)
				continue;
			again = true;
			local_bh_disable();
			rcu_core();
			local_bh_enable();
		}
	}
}

} // namespace skbwalk
