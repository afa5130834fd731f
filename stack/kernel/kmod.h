// SPDX-License-Identifier: GPL-2.0-only
//
// Modules (kernel/kmod.c, kernel/module): code that a host has on its disk and that does something only after
// it was asked for, by `modprobe` or by the kernel itself (request_module). Loaded once, with what it depends
// on first; none is ever unloaded.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/context.h"

namespace skbwalk {

struct module {
	const char *name;
	std::vector<const char *> alias;   // other names that ask for it
	std::vector<const char *> depends; // by name
	int (*init)();                     // on the current host
};

// What is on the current host's disk, besides what was. The table outlives the host.
void provide_modules(std::span<const module> table);
// 0, or -ENOENT: no such module, or the errno of its init.
int request_module(std::string_view name);
bool module_loaded(std::string_view name);

} // namespace skbwalk
