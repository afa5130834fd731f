// SPDX-License-Identifier: GPL-2.0-only
//
// Sleeps for a little (include/linux/delay.h).
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

void usleep_range(u32 min_us, u32 max_us);

} // namespace skbwalk
