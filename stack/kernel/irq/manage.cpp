// SPDX-License-Identifier: GPL-2.0-only
//
// How drivers get lines (kernel/irq/manage.c): request_threaded_irq puts an action on a line's chain, the
// first one starts the line up; sharers must agree on it. Disables nest by depth. A threaded handler is a
// kernel thread of its own, asleep until the hard handler wakes it; with IRQF_ONESHOT the line stays masked
// until it is done. The line's cpu is chosen here too.
//
// Left out: per-cpu and nested interrupts, NMIs, forced threading, power management.
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstdio>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"
#include "stack/kernel/printk.h"

namespace skbwalk {

namespace {

// Unlike the kernel, this does not spin: what runs here cannot be running on another cpu, and a handler that
// waits for itself never ends.
void __synchronize_hardirq(irq_desc &desc)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(desc.lock);

	assert(!irqd_irq_inprogress(desc.data) && "a handler waits for its own end");
	_raw_spin_unlock_irqrestore(desc.lock, flags);
}

// wait_event(desc.wait_for_threads, done())
template <class Done> void wait_for_threads(irq_desc &desc, Done done)
{
	wait_queue_entry w;

	init_wait(w);
	for (;;) {
		prepare_to_wait(desc.wait_for_threads, w, TASK_UNINTERRUPTIBLE);
		if (done())
			break;
		schedule();
	}
	finish_wait(desc.wait_for_threads, w);
}

} // namespace

bool synchronize_hardirq(unsigned irq)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (!desc)
		return true;
	__synchronize_hardirq(*desc);
	return desc->threads_active == 0;
}

void synchronize_irq(unsigned irq)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (!desc)
		return;
	__synchronize_hardirq(*desc);
	if (desc->threads_active)
		wait_for_threads(*desc, [desc] { return desc->threads_active == 0; });
}

// ---- affinity -------------------------------------------------------------------------------------------

namespace {

// They follow when they are next woken.
void irq_set_thread_affinity(irq_desc &desc)
{
	TRACE();
	for (irqaction *action = desc.action; action; action = action->next)
		if (action->thread)
			action->thread_flags |= IRQTF_AFFINITY;
}

} // namespace

int irq_do_set_affinity(irq_data &d, cpumask mask, bool force)
{
	TRACE();
	irq_desc &desc = irq_data_to_desc(d);

	if (!d.chip->irq_set_affinity)
		return -EINVAL;

	const cpumask online = mask & cpu_online_mask();
	int ret = -EINVAL;

	if (force)
		ret = d.chip->irq_set_affinity(d, mask, force);
	else if (!cpumask_empty(online))
		ret = d.chip->irq_set_affinity(d, online, force);
	if (ret == IRQ_SET_MASK_OK || ret == IRQ_SET_MASK_OK_DONE)
		desc.irq_common.affinity = mask;
	if (ret < 0)
		return ret;
	irq_set_thread_affinity(desc);
	return 0;
}

namespace {

int irq_set_affinity_locked(irq_data &d, cpumask mask, bool force)
{
	TRACE();
	irq_desc &desc = irq_data_to_desc(d);
	int ret = 0;

	if (!d.chip->irq_set_affinity)
		return -EINVAL;
	if (irqd_has_set(d, IRQD_MOVE_PCNTXT) && !irqd_is_setaffinity_pending(d)) {
		ret = irq_do_set_affinity(d, mask, force);
	} else {
		// At its next interrupt (irq_move_masked_irq).
		irqd_set(d, IRQD_SETAFFINITY_PENDING);
		desc.pending_mask = mask;
	}
	irqd_set(d, IRQD_AFFINITY_SET);
	return ret;
}

int __irq_set_affinity(unsigned irq, cpumask mask, bool force)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (!desc)
		return -EINVAL;
	const unsigned long flags = _raw_spin_lock_irqsave(desc->lock);
	const int ret = irq_set_affinity_locked(desc->data, mask, force);

	_raw_spin_unlock_irqrestore(desc->lock, flags);
	return ret;
}

} // namespace

int irq_set_affinity(unsigned irq, cpumask mask)
{
	TRACE();
	return __irq_set_affinity(irq, mask, false);
}

int irq_force_affinity(unsigned irq, cpumask mask)
{
	TRACE();
	return __irq_set_affinity(irq, mask, true);
}

int irq_setup_affinity(irq_desc &desc)
{
	TRACE();
	cpumask mask = cpu_online_mask();

	if (!desc.data.chip->irq_set_affinity)
		return 0;
	if (irqd_has_set(desc.data, IRQD_AFFINITY_SET)) {
		if (cpumask_intersects(desc.irq_common.affinity, cpu_online_mask()))
			mask = mask & desc.irq_common.affinity;
		else
			irqd_clear(desc.data, IRQD_AFFINITY_SET);
	}
	return irq_do_set_affinity(desc.data, mask, false);
}

// ---- disable and enable ---------------------------------------------------------------------------------

void __disable_irq(irq_desc &desc)
{
	TRACE();
	if (!desc.depth++)
		irq_disable(desc);
}

namespace {

int __disable_irq_nosync(unsigned irq)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return -EINVAL;
	__disable_irq(*desc);
	__irq_put_desc_unlock(*desc, flags);
	return 0;
}

} // namespace

void disable_irq_nosync(unsigned irq)
{
	TRACE();
	static_cast<void>(__disable_irq_nosync(irq));
}

void disable_irq(unsigned irq)
{
	TRACE();
	if (!__disable_irq_nosync(irq))
		synchronize_irq(irq);
}

bool disable_hardirq(unsigned irq)
{
	TRACE();
	if (!__disable_irq_nosync(irq))
		return synchronize_hardirq(irq);
	return false;
}

void __enable_irq(irq_desc &desc)
{
	TRACE();
	switch (desc.depth) {
	case 0:
		printk("Unbalanced enable for IRQ " + std::to_string(desc.data.irq));
		break;
	case 1:
		desc.status_use_accessors |= IRQ_NOPROBE;
		// It may never have been started: IRQF_NO_AUTOEN.
		irq_startup(desc, IRQ_RESEND);
		break;
	default:
		--desc.depth;
	}
}

void enable_irq(unsigned irq)
{
	TRACE();
	unsigned long flags = 0;
	irq_desc *desc = __irq_get_desc_lock(irq, flags);

	if (!desc)
		return;
	__enable_irq(*desc);
	__irq_put_desc_unlock(*desc, flags);
}

int __irq_set_trigger(irq_desc &desc, u32 flags)
{
	TRACE();
	const irq_chip &chip = *desc.data.chip;
	bool unmask = false;

	if (!chip.irq_set_type)
		return 0;
	if (chip.flags & IRQCHIP_SET_TYPE_MASKED) {
		if (!irqd_irq_masked(desc.data))
			mask_irq(desc);
		unmask = !irqd_irq_disabled(desc.data);
	}
	flags &= IRQ_TYPE_SENSE_MASK;
	int ret = chip.irq_set_type(desc.data, flags);

	if (ret == IRQ_SET_MASK_OK || ret == IRQ_SET_MASK_OK_DONE) {
		irqd_clear(desc.data, IRQD_TRIGGER_MASK);
		irqd_set(desc.data, flags);
	}
	if (ret >= 0) {
		flags = irqd_get_trigger_type(desc.data);
		desc.status_use_accessors &= ~(IRQ_TYPE_SENSE_MASK | IRQ_LEVEL);
		desc.status_use_accessors |= flags;
		irqd_clear(desc.data, IRQD_LEVEL);
		if (flags & IRQ_TYPE_LEVEL_MASK) {
			desc.status_use_accessors |= IRQ_LEVEL;
			irqd_set(desc.data, IRQD_LEVEL);
		}
		ret = 0;
	} else {
		printk("genirq: Setting trigger mode " + std::to_string(flags) + " for irq " +
		       std::to_string(desc.data.irq) + " failed");
	}
	if (unmask)
		unmask_irq(desc);
	return ret;
}

// ---- threads --------------------------------------------------------------------------------------------

namespace {

irqreturn_t irq_default_primary_handler(int, void *)
{
	TRACE();
	return IRQ_WAKE_THREAD;
}

bool test_and_clear(u32 &flags, u32 bit)
{
	const bool was = (flags & bit) != 0;

	flags &= ~bit;
	return was;
}

// -1: the thread is to end.
int irq_wait_for_interrupt(irqaction &action)
{
	TRACE();
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		const bool run = test_and_clear(action.thread_flags, IRQTF_RUNTHREAD);

		if (run || kthread_should_stop()) {
			set_current_state(TASK_RUNNING);
			return run ? 0 : -1;
		}
		schedule();
	}
}

void irq_finalize_oneshot(irq_desc &desc, irqaction &action)
{
	TRACE();
	if (!(desc.istate & IRQS_ONESHOT))
		return;
	TRACE_PART();
	_raw_spin_lock_irq(desc.lock);
	assert(!irqd_irq_inprogress(desc.data));
	// Woken once more meanwhile: the line stays masked until that is done too.
	if (!(action.thread_flags & IRQTF_RUNTHREAD)) {
		desc.threads_oneshot &= ~action.thread_mask;
		if (!desc.threads_oneshot && !irqd_irq_disabled(desc.data) && irqd_irq_masked(desc.data))
			unmask_threaded_irq(desc);
	}
	_raw_spin_unlock_irq(desc.lock);
}

irqreturn_t irq_thread_fn(irq_desc &desc, irqaction &action)
{
	TRACE();
	const irqreturn_t ret = action.thread_fn(static_cast<int>(action.irq), action.dev_id);

	if (ret == IRQ_HANDLED)
		++desc.threads_handled;
	irq_finalize_oneshot(desc, action);
	return ret;
}

void wake_threads_waitq(irq_desc &desc)
{
	TRACE();
	if (--desc.threads_active == 0)
		__wake_up(desc.wait_for_threads, TASK_NORMAL, 1, nullptr);
}

void irq_thread_set_ready(irq_desc &desc, irqaction &action)
{
	TRACE();
	action.thread_flags |= IRQTF_READY;
	__wake_up(desc.wait_for_threads, TASK_NORMAL, 1, nullptr);
}

void wake_up_and_wait_for_irq_thread_ready(irq_desc &desc, irqaction &action)
{
	TRACE();
	if (!action.thread)
		return;
	wake_up_process(*action.thread);
	if (!current.task) { // a driver's start, which is no task: it is ready when the cpu comes to it
		current.host->plat.kick(*action.thread->on);
		return;
	}
	wait_for_threads(desc, [&action] { return (action.thread_flags & IRQTF_READY) != 0; });
}

void irq_thread(irqaction &action)
{
	TRACE();
	irq_desc &desc = *irq_to_desc(action.irq);

	irq_thread_set_ready(desc, action);
	while (!irq_wait_for_interrupt(action)) {
		irq_thread_fn(desc, action);
		wake_threads_waitq(desc);
	}
}

void setup_irq_thread(irqaction &action, unsigned irq)
{
	TRACE();
	action.thread = kthread_create(*current.cpu, "irq/" + std::to_string(irq) + '-' + action.name,
	                               [&action] { irq_thread(action); });
	action.thread_flags |= IRQTF_AFFINITY;
}

// ---- request and free -----------------------------------------------------------------------------------

int mismatch(const irqaction &action, const irqaction &old)
{
	char text[160];

	if (!(action.flags & IRQF_PROBE_SHARED)) {
		std::snprintf(text, sizeof(text), "genirq: Flags mismatch irq %u. %08x (%s) vs. %08x (%s)",
		              action.irq, action.flags, action.name, old.flags, old.name);
		printk(text);
	}
	return -EBUSY;
}

// The end of the chain, if those on it can share with `action`, whose thread's bit is chosen.
int find_place(irq_desc &desc, irqaction &action, irqaction **&place)
{
	u64 thread_mask = 0;

	place = &desc.action;
	if (const irqaction *old = desc.action) {
		u32 oldtype = irqd_get_trigger_type(desc.data);

		if (!irqd_has_set(desc.data, IRQD_DEFAULT_TRIGGER_SET)) {
			oldtype = action.flags & IRQF_TRIGGER_MASK;
			irqd_clear(desc.data, IRQD_TRIGGER_MASK);
			irqd_set(desc.data, oldtype | IRQD_DEFAULT_TRIGGER_SET);
		}
		if (!(old->flags & action.flags & IRQF_SHARED) ||
		    oldtype != (action.flags & IRQF_TRIGGER_MASK) ||
		    (old->flags ^ action.flags) & (IRQF_ONESHOT | IRQF_PERCPU))
			return mismatch(action, *old);
	}
	for (; *place; place = &(*place)->next)
		thread_mask |= (*place)->thread_mask;
	if (action.flags & IRQF_ONESHOT) {
		if (thread_mask == ~u64{0})
			return -EBUSY;
		action.thread_mask = u64{1} << std::countr_one(thread_mask);
	} else if (action.handler == irq_default_primary_handler &&
	           !(desc.data.chip->flags & IRQCHIP_ONESHOT_SAFE)) {
		// The line would come again at once, before the thread has quieted the device.
		printk("genirq: Threaded irq requested with handler=NULL and !ONESHOT for " +
		       std::string(action.name) + " (irq " + std::to_string(action.irq) + ")");
		return -EINVAL;
	}
	return 0;
}

int start_line(irq_desc &desc, const irqaction &action)
{
	int ret = 0;

	if (action.flags & IRQF_TRIGGER_MASK)
		ret = __irq_set_trigger(desc, action.flags & IRQF_TRIGGER_MASK);
	if (ret)
		return ret;
	ret = irq_activate(desc);
	if (ret)
		return ret;
	desc.istate &= ~(IRQS_AUTODETECT | IRQS_SPURIOUS_DISABLED | IRQS_ONESHOT | IRQS_WAITING);
	irqd_clear(desc.data, IRQD_IRQ_INPROGRESS);
	if (action.flags & IRQF_PERCPU) {
		irqd_set(desc.data, IRQD_PER_CPU);
		desc.status_use_accessors |= IRQ_PER_CPU;
	}
	if (action.flags & IRQF_ONESHOT)
		desc.istate |= IRQS_ONESHOT;
	if (action.flags & IRQF_NOBALANCING) {
		desc.status_use_accessors |= IRQ_NO_BALANCING;
		irqd_set(desc.data, IRQD_NO_BALANCING);
	}
	if (!(action.flags & IRQF_NO_AUTOEN) && irq_settings_can_autoenable(desc))
		irq_startup(desc, IRQ_RESEND);
	else
		desc.depth = 1;
	return 0;
}

int __setup_irq(unsigned irq, irq_desc &desc, irqaction &action)
{
	TRACE();
	irqaction **place = nullptr;

	action.irq = irq;
	if (!(action.flags & IRQF_TRIGGER_MASK))
		action.flags |= irqd_get_trigger_type(desc.data);
	if (action.thread_fn)
		setup_irq_thread(action, irq);
	if (desc.data.chip->flags & IRQCHIP_ONESHOT_SAFE)
		action.flags &= ~IRQF_ONESHOT;

	const unsigned long flags = _raw_spin_lock_irqsave(desc.lock);
	int ret = find_place(desc, action, place);
	const bool shared = desc.action != nullptr;

	if (!ret && !shared)
		ret = start_line(desc, action);
	if (!ret) {
		*place = &action;
		// A newcomer may be who the line was waiting for.
		desc.irq_count = 0;
		desc.irqs_unhandled = 0;
		if (shared && desc.istate & IRQS_SPURIOUS_DISABLED) {
			desc.istate &= ~IRQS_SPURIOUS_DISABLED;
			__enable_irq(desc);
		}
	}
	_raw_spin_unlock_irqrestore(desc.lock, flags);
	if (!ret)
		wake_up_and_wait_for_irq_thread_ready(desc, action);
	else if (action.thread)
		kthread_stop(*action.thread);
	return ret;
}

std::unique_ptr<irqaction> __free_irq(irq_desc &desc, void *dev_id)
{
	TRACE();
	assert(!in_interrupt() && "a line is freed in its own context");
	const unsigned long flags = _raw_spin_lock_irqsave(desc.lock);
	irqaction **place = &desc.action;

	while (*place && (*place)->dev_id != dev_id)
		place = &(*place)->next;

	std::unique_ptr<irqaction> action(*place);

	if (!action) {
		_raw_spin_unlock_irqrestore(desc.lock, flags);
		printk("Trying to free already-free IRQ " + std::to_string(desc.data.irq));
		return nullptr;
	}
	*place = action->next;
	if (!desc.action) {
		desc.status_use_accessors &= ~IRQ_DISABLE_UNLAZY;
		irq_shutdown(desc);
	}
	_raw_spin_unlock_irqrestore(desc.lock, flags);
	__synchronize_hardirq(desc);
	if (action->thread)
		kthread_stop(*action->thread);
	if (!desc.action) {
		const unsigned long again = _raw_spin_lock_irqsave(desc.lock);

		irq_domain_deactivate_irq(desc.data);
		_raw_spin_unlock_irqrestore(desc.lock, again);
	}
	return action;
}

} // namespace

void irq_wake_thread(unsigned irq, void *dev_id)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (!desc)
		return;
	const unsigned long flags = _raw_spin_lock_irqsave(desc->lock);

	for (irqaction *action = desc->action; action; action = action->next) {
		if (action->dev_id != dev_id)
			continue;
		if (action->thread)
			__irq_wake_thread(*desc, *action);
		break;
	}
	_raw_spin_unlock_irqrestore(desc->lock, flags);
}

int request_threaded_irq(unsigned irq, irq_handler_t handler, irq_handler_t thread_fn, u32 irqflags,
                         const char *devname, void *dev_id)
{
	TRACE();
	if (irq == IRQ_NOTCONNECTED)
		return -ENOTCONN;
	if ((irqflags & IRQF_SHARED && (!dev_id || irqflags & IRQF_NO_AUTOEN)) ||
	    (!(irqflags & IRQF_SHARED) && irqflags & IRQF_COND_SUSPEND) ||
	    (irqflags & IRQF_NO_SUSPEND && irqflags & IRQF_COND_SUSPEND))
		return -EINVAL;

	irq_desc *desc = irq_to_desc(irq);

	if (!desc || !irq_settings_can_request(*desc) || (!handler && !thread_fn))
		return -EINVAL;

	auto action = std::make_unique<irqaction>();

	action->handler = handler ? handler : irq_default_primary_handler;
	action->thread_fn = thread_fn;
	action->flags = irqflags;
	action->name = devname;
	action->dev_id = dev_id;

	const int retval = __setup_irq(irq, *desc, *action);

	if (!retval)
		static_cast<void>(action.release()); // the line's chain has it
	return retval;
}

const char *free_irq(unsigned irq, void *dev_id)
{
	TRACE();
	irq_desc *desc = irq_to_desc(irq);

	if (!desc)
		return nullptr;
	const std::unique_ptr<irqaction> action = __free_irq(*desc, dev_id);

	return action ? action->name : nullptr;
}

} // namespace skbwalk
