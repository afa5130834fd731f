// SPDX-License-Identifier: GPL-2.0-only
//
// kernel/sched/wait_bit.c: wake_up_var() finds the variable's queue in the table and wakes who sleeps there
// for that variable; others share the queue. Left out: waiting for a bit.
#include "stack/kernel/wait_bit.h"

#include <array>

#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

constexpr unsigned WAIT_TABLE_BITS = 8;
constexpr u64 GOLDEN_RATIO_64 = 0x61C8864680B583EBull;
perhost<std::array<wait_queue_head, 1 << WAIT_TABLE_BITS>> bit_wait_table;

} // namespace

wait_queue_head &__var_waitqueue(const void *var)
{
	TRACE();
	const u64 hash = reinterpret_cast<std::uintptr_t>(var) * GOLDEN_RATIO_64;

	return (*bit_wait_table)[hash >> (64 - WAIT_TABLE_BITS)];
}

namespace {

int var_wake_function(wait_queue_entry &w, unsigned mode, int sync, void *arg)
{
	TRACE();
	const auto &woken = *static_cast<const wait_bit_key *>(arg);
	const wait_bit_key &waits = container_of(w, &wait_bit_queue_entry::wq_entry).key;

	if (waits.flags != woken.flags || waits.bit_nr != woken.bit_nr)
		return 0;
	return autoremove_wake_function(w, mode, sync, arg);
}

} // namespace

void init_wait_var_entry(wait_bit_queue_entry &e, const void *var, unsigned flags)
{
	TRACE();
	init_wait_func(e.wq_entry, var_wake_function);
	e.wq_entry.flags = flags;
	e.key = {var, -1};
}

void __wake_up_bit(wait_queue_head &wq_head, const void *word, int bit)
{
	TRACE();
	wait_bit_key key{word, bit};

	if (waitqueue_active(wq_head))
		__wake_up(wq_head, TASK_NORMAL, 1, &key);
}

void wake_up_var(const void *var)
{
	TRACE();
	__wake_up_bit(__var_waitqueue(var), var, -1);
}

} // namespace skbwalk
