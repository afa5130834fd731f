// SPDX-License-Identifier: GPL-2.0-only
//
// cat of the files of /proc that are modelled, and dmesg.
#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/kernel/hardirq.h"
#include "stack/kernel/printk.h"

namespace skbwalk::sim {

void cat(command &c)
{
	const std::string file = c.take("a file");

	c.done();
	if (file == "/proc/interrupts")
		c.out += show_interrupts();
	else if (file == "/proc/softirqs")
		c.out += show_softirqs();
	else
		c.not_modelled(fmt::format("`cat {}'", file));
}

void dmesg(command &c)
{
	c.done();
	for (const std::string &line : kernel_log(c.on))
		c.out += line + '\n';
}

} // namespace skbwalk::sim
