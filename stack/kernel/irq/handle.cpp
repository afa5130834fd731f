// SPDX-License-Identifier: GPL-2.0-only
//
// The handlers of a line (kernel/irq/handle.c): all actions are asked, in the order in which they came; a
// handler that wants its thread gets it woken; then the moment is mixed into the random pool and
// note_interrupt counts whether anybody cared.
#include <cassert>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"
#include "stack/kernel/printk.h"

namespace skbwalk {

void handle_bad_irq(irq_desc &desc)
{
	TRACE();
	printk("unexpected IRQ trap at vector " + std::to_string(desc.data.irq));
	kstat_incr_irqs_this_cpu(desc);
	desc.data.chip->irq_ack(desc.data);
}

namespace {

void warn_no_thread(unsigned irq, irqaction &action)
{
	TRACE();
	if (action.thread_flags & IRQTF_WARNED)
		return;
	action.thread_flags |= IRQTF_WARNED;
	printk("IRQ " + std::to_string(irq) + " device " + action.name +
	       " returned IRQ_WAKE_THREAD but no thread function available.");
}

} // namespace

// Unlike the kernel, where the thread does it before it works, who wakes a thread moves it to its line's cpu.
void __irq_wake_thread(irq_desc &desc, irqaction &action)
{
	TRACE();
	if (action.thread_flags & IRQTF_RUNTHREAD)
		return;
	action.thread_flags |= IRQTF_RUNTHREAD;
	desc.threads_oneshot |= action.thread_mask;
	++desc.threads_active;
	if (action.thread_flags & IRQTF_AFFINITY && action.thread->state != TASK_RUNNING) {
		const int cpu = cpumask_first(desc.irq_common.effective_affinity);

		action.thread_flags &= ~IRQTF_AFFINITY;
		action.thread->on = current.host->cpus[static_cast<std::size_t>(cpu)].get();
	}
	wake_up_process(*action.thread);
}

irqreturn_t __handle_irq_event_percpu(irq_desc &desc)
{
	TRACE();
	irqreturn_t retval = IRQ_NONE;
	const unsigned irq = desc.data.irq;

	for (irqaction *action = desc.action; action; action = action->next) {
		const irqreturn_t res = action->handler(static_cast<int>(irq), action->dev_id);

		assert(irqs_disabled() && "a handler enabled interrupts");
		if (res == IRQ_WAKE_THREAD) {
			if (action->thread_fn)
				__irq_wake_thread(desc, *action);
			else
				warn_no_thread(irq, *action);
		}
		retval = retval | res;
	}
	return retval;
}

irqreturn_t handle_irq_event_percpu(irq_desc &desc)
{
	TRACE();
	const irqreturn_t retval = __handle_irq_event_percpu(desc);

	add_interrupt_randomness(static_cast<int>(desc.data.irq));
	if (!irq_settings_no_debug(desc))
		note_interrupt(desc, retval);
	return retval;
}

irqreturn_t handle_irq_event(irq_desc &desc)
{
	TRACE();
	desc.istate &= ~IRQS_PENDING;
	irqd_set(desc.data, IRQD_IRQ_INPROGRESS);
	_raw_spin_unlock(desc.lock);

	const irqreturn_t ret = handle_irq_event_percpu(desc);

	_raw_spin_lock(desc.lock);
	irqd_clear(desc.data, IRQD_IRQ_INPROGRESS);
	return ret;
}

} // namespace skbwalk
