// SPDX-License-Identifier: GPL-2.0-only
//
// Wait queues (kernel/sched/wait.c): who sleeps on what, and how they are woken.
#pragma once

#include <cerrno>

#include "stack/kernel/list.h"
#include "stack/kernel/sched.h"
#include "stack/kernel/spinlock.h"

namespace skbwalk {

struct wait_queue_entry;
// Returns non-zero when it woke someone, negative to stop the walk.
using wait_queue_func_t = int (*)(wait_queue_entry &entry, unsigned mode, int flags, void *key);

constexpr unsigned WQ_FLAG_EXCLUSIVE = 0x01;
constexpr unsigned WQ_FLAG_WOKEN = 0x02;

struct wait_queue_entry {
	unsigned flags = 0;
	void *priv = nullptr; // the kernel's `private`: the task, or whatever func expects
	wait_queue_func_t func = nullptr;
	list_head entry;
};

struct wait_queue_head {
	spinlock_t lock;
	list_head head;
	~wait_queue_head();
};

void __init_waitqueue_head(wait_queue_head &wq, const char *name);
inline void init_waitqueue_head(wait_queue_head &wq) { __init_waitqueue_head(wq, "wait"); }
// Unlike the kernel, these take the task from `current`.
void init_wait(wait_queue_entry &w);                              // autoremove_wake_function
void init_wait_func(wait_queue_entry &w, wait_queue_func_t func); // DEFINE_WAIT_FUNC
void init_waitqueue_func_entry(wait_queue_entry &w, wait_queue_func_t func);

void add_wait_queue(wait_queue_head &wq, wait_queue_entry &w);
void add_wait_queue_exclusive(wait_queue_head &wq, wait_queue_entry &w);
void remove_wait_queue(wait_queue_head &wq, wait_queue_entry &w);
void __add_wait_queue(wait_queue_head &wq, wait_queue_entry &w);
void __add_wait_queue_exclusive(wait_queue_head &wq, wait_queue_entry &w);
void prepare_to_wait(wait_queue_head &wq, wait_queue_entry &w, int state);
bool prepare_to_wait_exclusive(wait_queue_head &wq, wait_queue_entry &w, int state);
void prepare_to_wait_event(wait_queue_head &wq, wait_queue_entry &w, int state);
void finish_wait(wait_queue_head &wq, wait_queue_entry &w);
// Sleeps until woken_wake_function ran for `w` or `timeout` jiffies went by; returns the jiffies left.
long wait_woken(wait_queue_entry &w, unsigned mode, long timeout, const char *wchan = __builtin_FUNCTION());
int woken_wake_function(wait_queue_entry &w, unsigned mode, int sync, void *key);
int autoremove_wake_function(wait_queue_entry &w, unsigned mode, int sync, void *key);
int default_wake_function(wait_queue_entry &w, unsigned mode, int flags, void *key);

void __wake_up(wait_queue_head &wq, unsigned mode, int nr_exclusive, void *key);
void __wake_up_sync(wait_queue_head &wq, unsigned mode);
void __wake_up_sync_key(wait_queue_head &wq, unsigned mode, void *key);
void __wake_up_locked_key(wait_queue_head &wq, unsigned mode, void *key);
void __wake_up_locked_sync_key(wait_queue_head &wq, unsigned mode, void *key);
inline bool waitqueue_active(const wait_queue_head &wq)
{
	TRACE_INLINE();
	return !list_empty(wq.head);
}
inline bool wq_has_sleeper(const wait_queue_head *wq)
{
	TRACE_INLINE();
	return wq && waitqueue_active(*wq);
}

// A poll mask travels as the wake-up's key.
inline void *poll_to_key(u32 mask) { return reinterpret_cast<void *>(static_cast<std::uintptr_t>(mask)); }
inline u32 key_to_poll(void *key) { return static_cast<u32>(reinterpret_cast<std::uintptr_t>(key)); }
// Macros in the kernel, and shown by name where a debugger or a document shows the source.
inline void wake_up_interruptible(wait_queue_head &wq)
{
	TRACE_INLINE();
	__wake_up(wq, TASK_INTERRUPTIBLE, 1, nullptr);
}
inline void wake_up_interruptible_all(wait_queue_head &wq)
{
	TRACE_INLINE();
	__wake_up(wq, TASK_INTERRUPTIBLE, 0, nullptr);
}
inline void wake_up_interruptible_poll(wait_queue_head &wq, u32 mask)
{
	TRACE_INLINE();
	__wake_up(wq, TASK_INTERRUPTIBLE, 1, poll_to_key(mask));
}
inline void wake_up_interruptible_sync_poll(wait_queue_head &wq, u32 mask)
{
	TRACE_INLINE();
	__wake_up_sync_key(wq, TASK_INTERRUPTIBLE, poll_to_key(mask));
}

} // namespace skbwalk
