// SPDX-License-Identifier: GPL-2.0-only
//
// Sets of cpus as text (lib/bitmap.c, lib/vsprintf.c): what files of /proc and /sys read and write.
#pragma once

#include <string>
#include <string_view>

#include "stack/kernel/cpumask.h"

namespace skbwalk {

// Hexadecimal digits, in groups of 32 bits with commas between. Bits of cpus that cannot be are an error.
int cpumask_parse(std::string_view text, cpumask &mask);
// As many digits as so many bits need.
std::string bitmap_text(cpumask mask, std::size_t nbits);
// As many digits as there can be cpus.
std::string cpumask_text(cpumask mask);

} // namespace skbwalk
