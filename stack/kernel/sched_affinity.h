// SPDX-License-Identifier: GPL-2.0-only
//
// Where a task may run (kernel/sched/core.c).
#pragma once

#include "stack/kernel/cpumask.h"

namespace skbwalk {

// Of the task itself (pid 0): it goes to the first cpu of the mask if it is on none of it.
long sched_setaffinity(int pid, cpumask in_mask);

} // namespace skbwalk
