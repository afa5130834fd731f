// SPDX-License-Identifier: GPL-2.0-only
//
// What cpus ask of each other (kernel/smp.c, arch/x86/kernel/smp.c): a function to be called, a task to be
// woken, a look at need_resched. Each is an interrupt that the other cpu takes as soon as it can.
#pragma once

#include "stack/kernel/sched.h"

namespace skbwalk {

struct call_single_data_t {
	call_single_node node; // first
	bool locked = false;   // CSD_FLAG_LOCK: on its way
	void (*func)(void *info) = nullptr;
	void *info = nullptr;
};
inline void INIT_CSD(call_single_data_t &csd, void (*func)(void *info), void *info)
{
	csd = {{}, false, func, info};
}

// -EBUSY while the former call with this csd is on its way. Interrupts are disabled while func runs.
int smp_call_function_single_async(int cpu, call_single_data_t &csd);
void __smp_call_single_queue(int cpu, call_single_node &node);
void generic_smp_call_function_single_interrupt();
void smp_send_reschedule(int cpu);
void sysvec_reschedule_ipi();
void sysvec_call_function_single();
// Tasks that other cpus woke (sched.cpp).
void sched_ttwu_pending(call_single_node *list);

} // namespace skbwalk
