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

} // namespace skbwalk
