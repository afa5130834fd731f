// SPDX-License-Identifier: GPL-2.0-only
//
// The sum that checksums are made of, for what sums without being the kernel: network cards.
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

// The ones'-complement sum, in 32 bits, of the 16-bit words that lie there, as they lie in memory.
[[nodiscard]] u32 ones_sum(const void *data, u32 len);
// The same of what is copied to `to` on the way.
[[nodiscard]] u32 ones_sum_copied(void *to, const void *from, u32 len);

} // namespace skbwalk
