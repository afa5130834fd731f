// SPDX-License-Identifier: GPL-2.0-only
//
// Waiting for a variable (kernel/sched/wait_bit.c): a table of wait queues, chosen by the variable's address,
// so that what is rarely waited for needs no queue of its own.
#pragma once

#include "stack/kernel/wait.h"

namespace skbwalk {

struct wait_bit_key {
	const void *flags; // the variable
	int bit_nr;        // -1: the whole of it
};
wait_queue_head &__var_waitqueue(const void *var);
void __wake_up_bit(wait_queue_head &wq_head, const void *word, int bit);
void wake_up_var(const void *var);

struct wait_bit_queue_entry {
	wait_queue_entry wq_entry; // first
	wait_bit_key key{nullptr, -1};
};
void init_wait_var_entry(wait_bit_queue_entry &e, const void *var, unsigned flags);
// Sleeps until `condition`, which somebody makes true who then calls wake_up_var(var). A macro in the kernel.
// Unlike the kernel, the end of the world ends it too.
template <class Condition>
void wait_var_event(const void *var, Condition condition, const char *wchan = __builtin_FUNCTION())
{
	if (condition())
		return;

	wait_queue_head &wq = __var_waitqueue(var);
	wait_bit_queue_entry e;

	init_wait_var_entry(e, var, 0);
	for (;;) {
		prepare_to_wait_event(wq, e.wq_entry, TASK_UNINTERRUPTIBLE);
		if (condition() || signal_pending(*current.task))
			break;
		schedule(wchan);
	}
	finish_wait(wq, e.wq_entry);
}

} // namespace skbwalk
