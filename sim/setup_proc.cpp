// SPDX-License-Identifier: GPL-2.0-only
//
// dmesg.
#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/kernel/printk.h"

namespace skbwalk::sim {

void dmesg(command &c)
{
	c.done();
	for (const std::string &line : kernel_log(c.on))
		c.out += line + '\n';
}

} // namespace skbwalk::sim
