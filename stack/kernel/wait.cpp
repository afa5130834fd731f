// SPDX-License-Identifier: GPL-2.0-only
//
// Wait queues (kernel/sched/wait.c). A sleeper queues an entry whose function decides, when the queue is
// woken, whether its task is (default_wake_function), whether the entry leaves the queue
// (autoremove_wake_function), or whether a flag keeps the wake-up for a task that is not asleep yet
// (woken_wake_function). Exclusive entries stand at the end; a wake-up of N stops after N of them. Left out:
// bookmarks (the lock is never waited for), priority entries.
#include "stack/kernel/wait.h"

#include <cassert>

#include "stack/kernel/sched.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

constexpr int WF_SYNC = 0x10;

wait_queue_head::~wait_queue_head() { assert(list_empty(head) && "a wait queue ends while somebody waits"); }

void __init_waitqueue_head(wait_queue_head &wq, const char *)
{
	TRACE();
	assert(!spin_is_locked(wq.lock));
	INIT_LIST_HEAD(wq.head);
}

// not traced: an initializer in the kernel
void init_wait(wait_queue_entry &w) { init_wait_func(w, autoremove_wake_function); }

// not traced: an initializer in the kernel
void init_wait_func(wait_queue_entry &w, wait_queue_func_t func)
{
	w.flags = 0;
	w.priv = current.task;
	w.func = func;
	INIT_LIST_HEAD(w.entry);
}

// not traced: an initializer in the kernel
void init_waitqueue_func_entry(wait_queue_entry &w, wait_queue_func_t func)
{
	w.flags = 0;
	w.priv = nullptr;
	w.func = func;
}

// not traced: inlined, a list operation
void __add_wait_queue(wait_queue_head &wq, wait_queue_entry &w) { list_add(w.entry, wq.head); }

// not traced: inlined, a list operation
void __add_wait_queue_exclusive(wait_queue_head &wq, wait_queue_entry &w)
{
	w.flags |= WQ_FLAG_EXCLUSIVE;
	list_add(w.entry, wq.head);
}

void add_wait_queue(wait_queue_head &wq, wait_queue_entry &w)
{
	TRACE();
	w.flags &= ~WQ_FLAG_EXCLUSIVE;
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	list_add(w.entry, wq.head);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

void add_wait_queue_exclusive(wait_queue_head &wq, wait_queue_entry &w)
{
	TRACE();
	w.flags |= WQ_FLAG_EXCLUSIVE;
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	list_add_tail(w.entry, wq.head);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

void remove_wait_queue(wait_queue_head &wq, wait_queue_entry &w)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	list_del_init(w.entry);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

void prepare_to_wait(wait_queue_head &wq, wait_queue_entry &w, int state)
{
	TRACE();
	w.flags &= ~WQ_FLAG_EXCLUSIVE;
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	if (list_empty(w.entry))
		list_add(w.entry, wq.head);
	set_current_state(state);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

bool prepare_to_wait_exclusive(wait_queue_head &wq, wait_queue_entry &w, int state)
{
	TRACE();
	bool was_empty = false;

	w.flags |= WQ_FLAG_EXCLUSIVE;
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	if (list_empty(w.entry)) {
		was_empty = list_empty(wq.head);
		list_add_tail(w.entry, wq.head);
	}
	set_current_state(state);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
	return was_empty;
}

// For one that no signal interrupts.
void prepare_to_wait_event(wait_queue_head &wq, wait_queue_entry &w, int state)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	if (list_empty(w.entry))
		list_add(w.entry, wq.head);
	set_current_state(state);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

void finish_wait(wait_queue_head &wq, wait_queue_entry &w)
{
	TRACE();
	set_current_state(TASK_RUNNING);
	if (list_empty(w.entry))
		return;
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	list_del_init(w.entry);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

long wait_woken(wait_queue_entry &w, unsigned mode, long timeout, const char *wchan)
{
	TRACE();
	set_current_state(static_cast<int>(mode));
	if (!(w.flags & WQ_FLAG_WOKEN))
		timeout = schedule_timeout(timeout, wchan);
	set_current_state(TASK_RUNNING);
	w.flags &= ~WQ_FLAG_WOKEN;
	return timeout;
}

int woken_wake_function(wait_queue_entry &w, unsigned mode, int sync, void *key)
{
	TRACE();
	w.flags |= WQ_FLAG_WOKEN;
	return default_wake_function(w, mode, sync, key);
}

int autoremove_wake_function(wait_queue_entry &w, unsigned mode, int sync, void *key)
{
	TRACE();
	const int woken = default_wake_function(w, mode, sync, key);

	if (woken)
		list_del_init(w.entry);
	return woken;
}

int default_wake_function(wait_queue_entry &w, unsigned mode, int flags, void *)
{
	TRACE();
	return try_to_wake_up(*static_cast<task_struct *>(w.priv), mode, flags);
}

namespace {

int __wake_up_common(wait_queue_head &wq, unsigned mode, int nr_exclusive, int wake_flags, void *key)
{
	TRACE();
	assert(wq.lock.owner() == current.cpu);
	for (list_head *at = wq.head.next, *next; at != &wq.head; at = next) {
		wait_queue_entry &w = list_entry(*at, &wait_queue_entry::entry);
		const unsigned flags = w.flags;

		next = at->next;
		const int woken = w.func(w, mode, wake_flags, key);
		if (woken < 0)
			break;
		if (woken && (flags & WQ_FLAG_EXCLUSIVE) && !--nr_exclusive)
			break;
	}
	return nr_exclusive;
}

void __wake_up_common_lock(wait_queue_head &wq, unsigned mode, int nr_exclusive, int wake_flags, void *key)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(wq.lock);

	__wake_up_common(wq, mode, nr_exclusive, wake_flags, key);
	_raw_spin_unlock_irqrestore(wq.lock, flags);
}

} // namespace

void __wake_up(wait_queue_head &wq, unsigned mode, int nr_exclusive, void *key)
{
	TRACE();
	__wake_up_common_lock(wq, mode, nr_exclusive, 0, key);
}

void __wake_up_sync_key(wait_queue_head &wq, unsigned mode, void *key)
{
	TRACE();
	__wake_up_common_lock(wq, mode, 1, WF_SYNC, key);
}

void __wake_up_sync(wait_queue_head &wq, unsigned mode)
{
	TRACE();
	__wake_up_sync_key(wq, mode, nullptr);
}

void __wake_up_locked_key(wait_queue_head &wq, unsigned mode, void *key)
{
	TRACE();
	__wake_up_common(wq, mode, 1, 0, key);
}

void __wake_up_locked_sync_key(wait_queue_head &wq, unsigned mode, void *key)
{
	TRACE();
	__wake_up_common(wq, mode, 1, WF_SYNC, key);
}

} // namespace skbwalk
