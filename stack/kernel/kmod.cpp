// SPDX-License-Identifier: GPL-2.0-only
//
// kernel/kmod.c. request_module looks a name or an alias up and runs the module's init, after those of what
// it depends on. Unlike the kernel, it needs no process in user space for this, and a module's init runs at
// once.
#include "stack/kernel/kmod.h"

#include <algorithm>
#include <cerrno>

#include "stack/kernel/percpu.h"
#include "stack/trace/trace.h"

namespace skbwalk {

namespace {

struct module_list {
	std::vector<const module *> provided;
	std::vector<const module *> loaded;
};
perhost<module_list> modules;

// `-` and `_` are one in names of modules.
bool same(std::string_view a, std::string_view b)
{
	return std::ranges::equal(a, b,
	                          [](char x, char y) { return x == y || (x + y == '-' + '_' && x != y); });
}

const module *find_module(std::string_view name)
{
	for (const module *m : modules->provided)
		if (same(m->name, name) ||
		    std::ranges::any_of(m->alias, [name](const char *alias) { return same(alias, name); }))
			return m;
	return nullptr;
}

int load(const module &m)
{
	if (std::ranges::find(modules->loaded, &m) != modules->loaded.end())
		return 0;
	for (const char *below : m.depends)
		if (const int err = request_module(below))
			return err;
	if (const int err = m.init ? m.init() : 0)
		return err;
	modules->loaded.push_back(&m);
	return 0;
}

} // namespace

void provide_modules(std::span<const module> table)
{
	TRACE();
	for (const module &m : table)
		modules->provided.push_back(&m);
}

int request_module(std::string_view name)
{
	TRACE_INLINE();
	const module *m = find_module(name);

	return m ? load(*m) : -ENOENT;
}

bool module_loaded(std::string_view name)
{
	TRACE();
	const module *m = find_module(name);

	return m && std::ranges::find(modules->loaded, m) != modules->loaded.end();
}

} // namespace skbwalk
