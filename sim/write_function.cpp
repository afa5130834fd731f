// SPDX-License-Identifier: GPL-2.0-only
//
// The text of ftrace's `function` tracer: a line for each call, with its caller. Which functions show is the
// graph view's, who called is the stack view's: a function that left by a jump is nobody's caller.
#include <iterator>

#include <fmt/format.h>

#include "sim/probes.h"
#include "sim/profile.h"
#include "sim/symbols.h"
#include "sim/trace_writer.h"

namespace skbwalk::sim {

namespace {

// "name", "name+0x1f/0x2e0 [module]", with "<0000000000512345>" behind; the last two where the program has
// the function. As in a kernel, only the form with the offset names the module.
std::string spot(std::string_view name, u64 address, const function_options &options, const profile *release)
{
	std::string out{name};
	const symbol *s = address ? symbol_table::own().at(address - 1) : nullptr;

	if (!s)
		return out;
	if (options.sym_offset)
		out += fmt::format("+{:#x}/{:#x}", address - s->address, s->size);
	if (const auto module = release ? release->module_of(name) : std::string_view{};
	    options.sym_offset && !module.empty())
		out += fmt::format(" [{}]", module);
	if (options.sym_addr)
		out += fmt::format(" <{:016x}>", address);
	return out;
}

} // namespace

std::string write_function(const call_tree &graph, const call_tree &stack, const probe_set *addresses,
                           const function_options &options, const profile *release)
{
	std::string out = "# tracer: function\n#\n"
			  "#           TASK-PID     CPU#     TIMESTAMP  FUNCTION\n"
			  "#              | |         |         |         |\n";
	auto to = std::back_inserter(out);

	for (const tree_event &e : graph.events) {
		if (e.kind == trace::record_kind::phase_begin)
			fmt::format_to(to, "# phase {}\n", graph.texts[e.what]);
		else if (e.kind == trace::record_kind::step || e.kind == trace::record_kind::note)
			fmt::format_to(to, "# {}\n", graph.texts[e.what]);
		if (e.kind != trace::record_kind::enter || !graph.calls[e.what].shown)
			continue;
		const call &c = graph.calls[e.what];
		std::vector<u64> machine;
		if (addresses)
			machine = addresses->addresses_of(e.what);
		std::string here, caller = "0x0";
		if (e.what < stack.calls.size()) {
			const std::vector<stack_line> lines = stack_of(stack, e.what, machine);
			here = spot(c.name, lines.front().address, options, release);
			if (lines.size() > 1)
				caller = spot(lines[1].name, lines[1].address, options, release);
		} else { // a part, which the profile put in
			here = c.name;
			if (c.shown_parent != no_call)
				caller = graph.calls[c.shown_parent].name;
		}
		const tree_task &t = graph.tasks[c.task];
		fmt::format_to(to, "{:>16}-{:<7} [{:03}]  {:5}.{:06}: {} <-{}\n", t.name, t.pid, c.cpu,
		               e.time_ns / 1'000'000'000, e.time_ns / 1000 % 1'000'000, here, caller);
	}
	if (graph.lost)
		fmt::format_to(to, "# lost {} records: the ring was full\n", graph.lost);
	return out;
}

} // namespace skbwalk::sim
