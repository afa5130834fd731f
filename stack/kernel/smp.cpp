// SPDX-License-Identifier: GPL-2.0-only
//
// Calls from cpu to cpu (kernel/smp.c) and their interrupts (arch/x86/kernel/smp.c, apic/ipi.c). A call goes
// to the other cpu's queue; who finds the queue empty sends the interrupt, whose handler takes the whole
// queue: functions first, then tasks to be woken. Left out: calls that are waited for and calls to many.
#include "stack/kernel/smp.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "stack/kernel/apic/apic.h"
#include "stack/kernel/hardirq.h"
#include "stack/kernel/internal.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

namespace {

cpu &cpu_of(int nr) { return *current.host->cpus[static_cast<std::size_t>(nr)]; }

// The other cpu cannot have it before it was sent.
void send_ipi(cpu &to, u8 vector)
{
	clock_not_before(to, current.cpu->now_ns);
	machine::lapic_send(to, vector);
}

// --- arch/x86 ---

void native_send_call_func_single_ipi(int cpu)
{
	TRACE();
	send_ipi(cpu_of(cpu), CALL_FUNCTION_SINGLE_VECTOR);
}

void native_smp_send_reschedule(int cpu)
{
	TRACE();
	send_ipi(cpu_of(cpu), RESCHEDULE_VECTOR);
}

void arch_send_call_function_single_ipi(int cpu)
{
	TRACE_INLINE();
	native_send_call_func_single_ipi(cpu);
}

void __sysvec_call_function_single()
{
	TRACE();
	ack_APIC_irq();
	++irq_stat->irq_call_count;
	generic_smp_call_function_single_interrupt();
}

// preempt_fold_need_resched: what the other cpu asked for is seen at the next place where tasks change.
void scheduler_ipi()
{
	TRACE_INLINE();
	cpu &c = *current.cpu;

	if (std::exchange(c.resched_asked, false))
		c.need_resched = true;
}

void __sysvec_reschedule_ipi()
{
	TRACE();
	ack_APIC_irq();
	++irq_stat->irq_resched_count;
	scheduler_ipi();
}

// --- kernel/smp.c ---

void csd_unlock(call_single_data_t &csd)
{
	TRACE_INLINE();
	assert(csd.locked);
	csd.locked = false;
}

// Unlike the kernel, no idle cpu polls for work: it is always interrupted.
void send_call_function_single_ipi(int cpu)
{
	TRACE();
	arch_send_call_function_single_ipi(cpu);
}

int generic_exec_single(int cpu, call_single_data_t &csd)
{
	TRACE();
	if (cpu != smp_processor_id()) {
		__smp_call_single_queue(cpu, csd.node);
		return 0;
	}
	csd_unlock(csd);

	const unsigned long flags = local_irq_save();

	csd.func(csd.info);
	local_irq_restore(flags);
	return 0;
}

void __flush_smp_call_function_queue()
{
	TRACE();
	cpu &c = *current.cpu;
	call_single_node *node = std::exchange(c.call_single_queue, nullptr);
	call_single_node *wake = nullptr, **wake_tail = &wake;

	c.call_single_tail = &c.call_single_queue;
	assert(c.irqs_off);
	while (node) {
		call_single_node &one = *node;

		node = std::exchange(one.next, nullptr);
		if (one.wakes_task) {
			*wake_tail = &one;
			wake_tail = &one.next;
			continue;
		}
		call_single_data_t &csd = reinterpret_cast<call_single_data_t &>(one);
		void (*const func)(void *) = csd.func;
		void *const info = csd.info;

		csd_unlock(csd);
		func(info);
	}
	if (wake)
		sched_ttwu_pending(wake);
}

} // namespace

void __smp_call_single_queue(int cpu, call_single_node &node)
{
	TRACE();
	skbwalk::cpu &to = cpu_of(cpu);
	const bool first = !to.call_single_queue;

	node.next = nullptr;
	*to.call_single_tail = &node;
	to.call_single_tail = &node.next;
	if (first)
		send_call_function_single_ipi(cpu);
}

int smp_call_function_single_async(int cpu, call_single_data_t &csd)
{
	TRACE();
	if (csd.locked)
		return -EBUSY;
	csd.locked = true;
	return generic_exec_single(cpu, csd);
}

void generic_smp_call_function_single_interrupt()
{
	TRACE();
	__flush_smp_call_function_queue();
}

void smp_send_reschedule(int cpu)
{
	TRACE_INLINE();
	native_smp_send_reschedule(cpu);
}

void sysvec_call_function_single()
{
	TRACE();
	irq_enter_rcu();
	__sysvec_call_function_single();
	irq_exit_rcu();
}

// Unlike other interrupts, no softirqs are looked for on the way out.
void sysvec_reschedule_ipi()
{
	TRACE();
	cpu &c = *current.cpu;

	assert(c.irqs_off);
	c.preempt_count += HARDIRQ_OFFSET;
	trace::context_changed(c);
	__sysvec_reschedule_ipi();
	c.preempt_count -= HARDIRQ_OFFSET;
	trace::context_changed(c);
}

} // namespace skbwalk
