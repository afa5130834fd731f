// SPDX-License-Identifier: GPL-2.0-only
//
// Vectors (arch/x86/kernel/apic/vector.c): each line that is in use has a vector on one cpu; vector_irq says
// there whose it is. A line that moves gets a new vector on its new cpu and keeps the old one until it has
// come by the new.
//
// Unlike the kernel, a vector is the lowest that is free on the cpu with the fewest, and there is no domain
// but this one below the I/O APIC's, no reservation and no managed interrupt.
#include <cassert>
#include <cerrno>

#include "stack/kernel/apic/apic.h"
#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"

namespace skbwalk {

percpu<std::array<irq_desc *, 256>> vector_irq;

namespace {

struct vectors {
	spinlock_t vector_lock;
	u32 errors = 0;
};
perhost<vectors> vector_state;
percpu<list_head> cleanup_list;

apic_chip_data *apic_chip_data_of(irq_data &d)
{
	irq_data *irqd = &d;

	while (irqd->parent_data)
		irqd = irqd->parent_data;
	return static_cast<apic_chip_data *>(irqd->chip_data);
}

u32 vectors_taken(cpu &c)
{
	u32 n = 0;

	for (const irq_desc *desc : vector_irq.of(c))
		n += desc != nullptr;
	return n;
}

// irq_matrix_alloc: a free vector on the cpu of `dest` that has most of them.
int irq_matrix_alloc(cpumask dest, u32 &on)
{
	TRACE();
	cpu *best = nullptr;

	for (const auto &c : current.host->cpus)
		if (cpumask_test_cpu(c->id, dest) && (!best || vectors_taken(*c) < vectors_taken(*best)))
			best = c.get();
	if (!best)
		return -EINVAL;
	for (u32 v = FIRST_DEVICE_VECTOR; v < FIRST_SYSTEM_VECTOR; ++v) {
		if (vector_irq.of(*best)[v])
			continue;
		on = best->id;
		return static_cast<int>(v);
	}
	return -ENOSPC;
}

void apic_update_irq_cfg(irq_data &d, u32 vector, u32 cpu)
{
	TRACE();
	apic_chip_data &apicd = *apic_chip_data_of(d);

	apicd.hw_irq_cfg = {cpu, vector};
	d.common->effective_affinity = cpumask_of(static_cast<int>(cpu));
}

void apic_update_vector(irq_data &d, u32 newvec, u32 newcpu)
{
	TRACE();
	apic_chip_data &apicd = *apic_chip_data_of(d);

	apicd.prev_vector = 0;
	if (apicd.vector) {
		apicd.move_in_progress = true;
		apicd.prev_vector = apicd.vector;
		apicd.prev_cpu = apicd.cpu;
		assert(apicd.cpu != newcpu);
	}
	apicd.vector = newvec;
	apicd.cpu = newcpu;
	vector_irq.of(*current.host->cpus[newcpu])[newvec] = &irq_data_to_desc(d);
}

int assign_vector_locked(irq_data &d, cpumask dest)
{
	TRACE();
	apic_chip_data &apicd = *apic_chip_data_of(d);
	u32 cpu = apicd.cpu;

	if (apicd.vector && cpumask_test_cpu(static_cast<int>(cpu), dest))
		return 0;
	if (apicd.move_in_progress || !list_empty(apicd.clist))
		return -EBUSY;
	const int vector = irq_matrix_alloc(dest, cpu);

	if (vector < 0)
		return vector;
	apic_update_vector(d, static_cast<u32>(vector), cpu);
	apic_update_irq_cfg(d, static_cast<u32>(vector), cpu);
	return 0;
}

int assign_irq_vector_any_locked(irq_data &d)
{
	TRACE();
	if (assign_vector_locked(d, d.common->affinity & cpu_online_mask()) == 0)
		return 0;
	return assign_vector_locked(d, cpu_online_mask());
}

void clear_irq_vector(irq_data &d)
{
	TRACE();
	apic_chip_data &apicd = *apic_chip_data_of(d);
	auto &cpus = current.host->cpus;

	if (!apicd.vector)
		return;
	vector_irq.of(*cpus[apicd.cpu])[apicd.vector] = nullptr;
	apicd.vector = 0;
	if (!apicd.move_in_progress)
		return;
	vector_irq.of(*cpus[apicd.prev_cpu])[apicd.prev_vector] = nullptr;
	apicd.move_in_progress = false;
	list_del_init(apicd.clist);
}

void free_moved_vector(apic_chip_data &apicd)
{
	TRACE();
	vector_irq.of(*current.host->cpus[apicd.prev_cpu])[apicd.prev_vector] = nullptr;
	list_del_init(apicd.clist);
	apicd.prev_vector = 0;
	apicd.move_in_progress = false;
}

void __send_cleanup_vector(apic_chip_data &apicd)
{
	TRACE();
	cpu &previous = *current.host->cpus[apicd.prev_cpu];

	_raw_spin_lock(vector_state->vector_lock);
	apicd.move_in_progress = false;
	list_add(apicd.clist, cleanup_list.of(previous));
	machine::lapic_send(previous, IRQ_MOVE_CLEANUP_VECTOR);
	_raw_spin_unlock(vector_state->vector_lock);
}

void __sysvec_irq_move_cleanup()
{
	TRACE();
	ack_APIC_irq();
	_raw_spin_lock(vector_state->vector_lock);
	list_head &head = *cleanup_list;
	bool again = false;

	for (list_head *p = head.next, *next; p != &head; p = next) {
		apic_chip_data &apicd = list_entry(*p, &apic_chip_data::clist);

		next = p->next;
		// It still comes by the old way: first that, then once more.
		if (machine::lapic->irr.test(apicd.prev_vector))
			again = true;
		else
			free_moved_vector(apicd);
	}
	if (again)
		machine::lapic_send(*current.cpu, IRQ_MOVE_CLEANUP_VECTOR);
	_raw_spin_unlock(vector_state->vector_lock);
}

int apic_set_affinity(irq_data &d, cpumask dest, bool)
{
	TRACE();
	assert(irqd_is_activated(d));
	_raw_spin_lock(vector_state->vector_lock);
	const int err = assign_vector_locked(d, dest & cpu_online_mask());

	_raw_spin_unlock(vector_state->vector_lock);
	return err ? err : IRQ_SET_MASK_OK;
}

int apic_retrigger_irq(irq_data &d)
{
	TRACE();
	const apic_chip_data &apicd = *apic_chip_data_of(d);
	const unsigned long flags = _raw_spin_lock_irqsave(vector_state->vector_lock);

	machine::lapic_send(*current.host->cpus[apicd.cpu], apicd.vector);
	_raw_spin_unlock_irqrestore(vector_state->vector_lock, flags);
	return 1;
}

void apic_ack_edge(irq_data &d)
{
	TRACE();
	irq_complete_move(*irqd_cfg(d));
	apic_ack_irq(d);
}

} // namespace

const irq_chip lapic_controller = {
	.name = "APIC",
	.irq_ack = apic_ack_edge,
	.irq_set_affinity = apic_set_affinity,
	.irq_retrigger = apic_retrigger_irq,
};

// not traced: a variable in the kernel
u32 &irq_err_count() { return vector_state->errors; }

irq_cfg *irqd_cfg(irq_data &d)
{
	TRACE();
	apic_chip_data *apicd = apic_chip_data_of(d);

	return apicd ? &apicd->hw_irq_cfg : nullptr;
}

int x86_vector_activate(irq_data &d)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(vector_state->vector_lock);
	const int ret = assign_irq_vector_any_locked(d);

	_raw_spin_unlock_irqrestore(vector_state->vector_lock, flags);
	return ret;
}

void x86_vector_deactivate(irq_data &d)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(vector_state->vector_lock);

	clear_irq_vector(d);
	_raw_spin_unlock_irqrestore(vector_state->vector_lock, flags);
}

void apic_ack_irq(irq_data &d)
{
	TRACE();
	irq_move_irq(d);
	ack_APIC_irq();
}

void irq_complete_move(irq_cfg &cfg)
{
	TRACE();
	apic_chip_data &apicd = container_of(cfg, &apic_chip_data::hw_irq_cfg);

	if (!apicd.move_in_progress)
		return;
	if (apicd.cpu == current.cpu->id)
		__send_cleanup_vector(apicd);
}

void sysvec_irq_move_cleanup()
{
	TRACE();
	irq_enter_rcu();
	__sysvec_irq_move_cleanup();
	irq_exit_rcu();
}

} // namespace skbwalk
