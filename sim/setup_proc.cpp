// SPDX-License-Identifier: GPL-2.0-only
//
// dmesg (util-linux 2.38): the kernel's log, oldest first, each line with the time at which it was said.
#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/kernel/printk.h"

namespace skbwalk::sim {

void dmesg(command &c)
{
	bool time = true, show = true, clear = false;
	while (c.more()) {
		const std::string o = c.take("an option");
		if (o == "-t" || o == "--notime") {
			time = false;
		} else if (o == "-c" || o == "--read-clear") {
			clear = true;
		} else if (o == "-C" || o == "--clear") {
			clear = true;
			show = false;
		} else {
			c.not_modelled(fmt::format("`dmesg {}'", o));
		}
	}
	auto &log = kernel_log(c.on);
	if (show)
		for (const printk_info &line : log) {
			const u64 us = static_cast<u64>(line.ts_nsec) / 1000;
			if (time)
				c.out += fmt::format("[{:5}.{:06}] ", us / 1000000, us % 1000000);
			c.out += line.text + "\n";
		}
	if (clear)
		log.clear();
}

} // namespace skbwalk::sim
