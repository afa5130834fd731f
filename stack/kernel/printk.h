// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's log (kernel/printk), a line each with the host's time, as dmesg prints it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/context.h"

namespace skbwalk {

void printk(std::string_view line);
const std::vector<std::string> &kernel_log(host &h);

} // namespace skbwalk
