// SPDX-License-Identifier: GPL-2.0-only
//
// Kernel threads (include/linux/kthread.h). One stays on the cpu that it is made for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "stack/kernel/sched.h"

namespace skbwalk {

// Asleep until it is first woken (wake_up_process); its name is cut as the kernel cuts it.
std::unique_ptr<task_struct> kthread_create(cpu &on, const std::string &name, std::function<void()> body);
// Asks a thread to end (kthread_should_stop), and waits for that.
void kthread_stop(task_struct &t);
inline bool kthread_should_stop() { return current.task->fatal_signal; }

} // namespace skbwalk
