// SPDX-License-Identifier: GPL-2.0-only
//
// A host and its cpus come up and go down here: private state first, then the cpus, then the objects that are
// declared perhost and percpu, constructed on the host's first cpu and on their own. Going down is the
// reverse, after the kernel threads have ended and RCU has no callback left.
#include "stack/kernel/context.h"

#include <algorithm>
#include <cassert>
#include <new>

#include "stack/kernel/cpus.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/irq_line.h"
#include "stack/kernel/leaks.h"
#include "stack/kernel/percpu.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

constinit thread_local context current;

namespace {

constexpr std::size_t area_align = 64;

struct area_layout {
	std::vector<area_detail::slot> slots;
	std::size_t bytes = 0;
};

// Filled before main runs and constant from then on.
area_layout &layout(bool per_cpu)
{
	static area_layout layouts[2];

	return layouts[per_cpu];
}

} // namespace

std::size_t area_detail::reserve(bool per_cpu, std::size_t size, std::size_t align, void (*construct)(void *),
                                 void (*destroy)(void *))
{
	area_layout &l = layout(per_cpu);

	assert(align <= area_align);
	const std::size_t offset = (l.bytes + align - 1) & ~(align - 1);
	l.slots.push_back({offset, construct, destroy});
	l.bytes = offset + size;
	return offset;
}

void object_area::release::operator()(std::byte *p) const
{
	::operator delete[](p, std::align_val_t{area_align});
}

void object_area::construct(bool per_cpu)
{
	const area_layout &l = layout(per_cpu);

	per_cpu_ = per_cpu;
	memory.reset(static_cast<std::byte *>(
		::operator new[](std::max<std::size_t>(l.bytes, 1), std::align_val_t{area_align})));
	for (const area_detail::slot &s : l.slots)
		s.construct(memory.get() + s.offset);
}

void object_area::destroy()
{
	const std::vector<area_detail::slot> &slots = layout(per_cpu_).slots;

	for (auto s = slots.rbegin(); s != slots.rend(); ++s)
		s->destroy(memory.get() + s->offset);
	memory.reset();
}

object_area::~object_area() { assert(!memory); }

host_state::host_state(host &h) : random(h.seed, "get_random", h.id) { softirq_init(*this); }

host_state::~host_state() = default;

host::host(platform &p, std::string host_name, u16 host_id, u32 n_cpus, u64 host_seed)
	: plat(p), name(std::move(host_name)), id(host_id), seed(host_seed)
{
	assert(n_cpus != 0);
	++live_hosts();
	state = std::make_unique<host_state>(*this);
	if (n_cpus > 1)
		points = std::make_unique<cpu_points>(*this);
	for (u16 i = 0; i < n_cpus; ++i)
		cpus.push_back(std::make_unique<cpu>(*this, i));
	{
		const enter_cpu in(*cpus[0]);

		area.construct(false);
	}
	for (const auto &c : cpus) {
		const enter_cpu in(*c);

		c->area.construct(true);
	}
}

// Interrupts that are on their way or in the middle come to their end.
static void come_to_rest(host &h)
{
	for (bool busy = true; busy;) {
		busy = false;
		for (const auto &c : h.cpus) {
			c->run_until_ns = KTIME_NEVER;
			if (c->left_on && !c->spins_on)
				cpu_run(*c);
			else if (!c->left_on && c->interrupt_waits && !c->irqs_off)
				cpu_interrupt_device(*c);
			else
				continue;
			busy = true;
		}
	}
}

host::~host()
{
	recorder = nullptr;
	for (const auto &c : cpus) {
		kthread_stop(*c->ksoftirqd);
		kthread_stop(*c->kworker);
		assert(!c->curr && list_empty(c->runqueue));
	}
	come_to_rest(*this);
	rcu_process_callbacks(*this);
	for (auto c = cpus.rbegin(); c != cpus.rend(); ++c) {
		const enter_cpu in(**c);

		(*c)->area.destroy();
	}
	{
		const enter_cpu in(*cpus[0]);

		area.destroy();
	}
	rcu_process_callbacks(*this);
	note_slab_leaks(*this);
	--live_hosts();
	for (const auto &c : cpus)
		plat.arm_timer(*c, KTIME_NEVER);
	cpus.clear();
}

cpu::cpu(host &h, u16 cpu_id) : on(h), id(cpu_id), now_ns(h.boot_ns)
{
	tick_passed(*this);
	trace::context_changed(*this);
	timers = std::make_unique<timer_base>(*this);
	deferrable_timers = std::make_unique<timer_base>(*this);
	hrtimers = std::make_unique<hrtimer_cpu_base>(*this);
	ksoftirqd = kthread_create(*this, "ksoftirqd/" + std::to_string(id), ksoftirqd_body);
	kworker = kthread_create(*this, "kworker/" + std::to_string(id), kworker_body);
}

cpu::~cpu()
{
	assert(!left_on && !call_single_queue);
	if (hardirq_stack.base)
		on.state->stacks.give(hardirq_stack);
	end_idle_stack(*this);
}

enter_cpu::enter_cpu(cpu &c) : before_(current)
{
	++c.entered;
	current = context{&c.on, &c, c.curr};
}

enter_cpu::~enter_cpu()
{
	cpu &c = *current.cpu;

	return_to(before_);
	if (--c.entered != 0)
		return;
	cpu_program_timer(c);
	assert(c.attend_ns <= std::min({c.next_event_ns, c.run_until_ns, c.on.device_event_ns}) &&
	       (!c.interrupt_waits || c.attend_ns == 0) && "what is due would be missed");
	if (c.interrupt_waits && !c.irqs_off)
		c.on.plat.interrupt(c);
}

} // namespace skbwalk
