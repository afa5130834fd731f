// SPDX-License-Identifier: GPL-2.0-only
//
// Conversions that are functions of their own (kernel/time/time.c), for numbers not known when compiled.
#pragma once

#include "stack/kernel/timer.h"

namespace skbwalk {

u32 __usecs_to_jiffies(u32 u); // rounded up

} // namespace skbwalk
