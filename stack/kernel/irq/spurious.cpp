// SPDX-License-Identifier: GPL-2.0-only
//
// Interrupts that nobody cares for (kernel/irq/spurious.c). Of the last 100,000 of a line more than 99,900
// unhandled means that it is stuck: the line is disabled, the log says so, and from then on its handlers are
// polled ten times a second, in case one of them has something to do after all. What is unhandled only now
// and then, more than a tenth of a second apart, is not counted up.
#include <cassert>
#include <cstdio>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"
#include "stack/kernel/printk.h"

namespace skbwalk {

namespace {

constexpr u32 POLL_SPURIOUS_IRQ_INTERVAL = HZ / 10;
constexpr int SPURIOUS_DEFERRED = static_cast<int>(0x80000000);

struct spurious_poll {
	timer_list poll_spurious_irq_timer;
	int irq_poll_active = 0;
	int reports_left = 100;
	spurious_poll();
	~spurious_poll() { timer_delete(poll_spurious_irq_timer); }
};
perhost<spurious_poll> state;

bool try_one_irq(irq_desc &desc, bool force)
{
	TRACE();
	irqreturn_t ret = IRQ_NONE;

	_raw_spin_lock(desc.lock);
	const bool polled = !irq_settings_is_per_cpu(desc) && !irq_settings_is_polled(desc) &&
	                    (!irqd_irq_disabled(desc.data) || force) && desc.action &&
	                    desc.action->flags & IRQF_SHARED && !(desc.action->flags & __IRQF_TIMER);

	if (polled && irqd_irq_inprogress(desc.data)) {
		desc.istate |= IRQS_PENDING;
	} else if (polled) {
		desc.istate |= IRQS_POLL_INPROGRESS;
		do {
			if (handle_irq_event(desc) == IRQ_HANDLED)
				ret = IRQ_HANDLED;
		} while (desc.istate & IRQS_PENDING && desc.action);
		desc.istate &= ~IRQS_POLL_INPROGRESS;
	}
	_raw_spin_unlock(desc.lock);
	return ret == IRQ_HANDLED;
}

void poll_spurious_irqs(timer_list &timer)
{
	TRACE();
	spurious_poll &s = *state;

	if (++s.irq_poll_active == 1) {
		for (unsigned i = 1; i < nr_irqs(); ++i) {
			irq_desc *desc = irq_to_desc(i);

			if (!desc || !(desc->istate & IRQS_SPURIOUS_DISABLED))
				continue;
			local_irq_disable();
			try_one_irq(*desc, true);
			local_irq_enable();
		}
	}
	--s.irq_poll_active;
	mod_timer(timer, jiffies() + POLL_SPURIOUS_IRQ_INTERVAL);
}

spurious_poll::spurious_poll() { timer_setup(poll_spurious_irq_timer, poll_spurious_irqs, 0); }

bool bad_action_ret(irqreturn_t action_ret) { return action_ret > (IRQ_HANDLED | IRQ_WAKE_THREAD); }

// Unlike the kernel, handlers are named by who asked for the line, and there is no stack to print.
void __report_bad_irq(irq_desc &desc, irqreturn_t action_ret)
{
	TRACE();
	const unsigned irq = desc.data.irq;
	char text[96];

	if (bad_action_ret(action_ret))
		std::snprintf(text, sizeof(text), "irq event %u: bogus return value %x", irq, action_ret);
	else
		std::snprintf(text, sizeof(text),
		              "irq %u: nobody cared (try booting with the \"irqpoll\" option)", irq);
	printk(text);
	printk("handlers:");
	const unsigned long flags = _raw_spin_lock_irqsave(desc.lock);

	for (const irqaction *action = desc.action; action; action = action->next)
		printk(std::string(action->name) + (action->thread_fn ? " threaded" : ""));
	_raw_spin_unlock_irqrestore(desc.lock, flags);
}

void report_bad_irq(irq_desc &desc, irqreturn_t action_ret)
{
	TRACE();
	if (state->reports_left > 0) {
		--state->reports_left;
		__report_bad_irq(desc, action_ret);
	}
}

// What the threads of the last interrupt made of it, when this one only woke threads again. False: that is
// not known before the next.
bool judge_threads(irq_desc &desc, irqreturn_t &action_ret)
{
	if (action_ret != IRQ_WAKE_THREAD) { // a hard handler handled it
		desc.threads_handled_last &= ~SPURIOUS_DEFERRED;
		return true;
	}
	if (!(desc.threads_handled_last & SPURIOUS_DEFERRED)) {
		desc.threads_handled_last |= SPURIOUS_DEFERRED;
		return false;
	}
	const int handled = desc.threads_handled | SPURIOUS_DEFERRED;

	action_ret = handled != desc.threads_handled_last ? IRQ_HANDLED : IRQ_NONE;
	desc.threads_handled_last = handled;
	return true;
}

} // namespace

// Unlike the kernel, no poller waits on another cpu: what polls here has ended when anything else runs.
bool irq_wait_for_poll(irq_desc &desc)
{
	TRACE();
	printk("irq poll in progress on cpu " + std::to_string(smp_processor_id()) + " for irq " +
	       std::to_string(desc.data.irq));
	return false;
}

void note_interrupt(irq_desc &desc, irqreturn_t action_ret)
{
	TRACE();
	if (desc.istate & IRQS_POLL_INPROGRESS || irq_settings_is_polled(desc))
		return;
	if (bad_action_ret(action_ret)) {
		report_bad_irq(desc, action_ret);
		return;
	}
	if (action_ret & IRQ_WAKE_THREAD && !judge_threads(desc, action_ret))
		return;
	if (action_ret == IRQ_NONE) {
		if (time_after(jiffies(), desc.last_unhandled + HZ / 10))
			desc.irqs_unhandled = 1;
		else
			++desc.irqs_unhandled;
		desc.last_unhandled = jiffies();
	}
	if (!desc.irqs_unhandled)
		return;
	if (++desc.irq_count < 100'000)
		return;
	desc.irq_count = 0;
	if (desc.irqs_unhandled > 99'900) {
		__report_bad_irq(desc, action_ret);
		printk("Disabling IRQ #" + std::to_string(desc.data.irq));
		desc.istate |= IRQS_SPURIOUS_DISABLED;
		++desc.depth;
		irq_disable(desc);
		mod_timer(state->poll_spurious_irq_timer, jiffies() + POLL_SPURIOUS_IRQ_INTERVAL);
	}
	desc.irqs_unhandled = 0;
}

} // namespace skbwalk
