// SPDX-License-Identifier: GPL-2.0-only
//
// The steps in their order.
#include "sim/trace_output.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "sim/probes.h"

namespace skbwalk::sim {

std::optional<trace_format> format_by_name(std::string_view name)
{
	if (name == "tree")
		return trace_format::tree;
	if (name == "graph")
		return trace_format::graph;
	if (name == "function")
		return trace_format::function;
	if (name == "none")
		return trace_format::none;
	return std::nullopt;
}

profile profile_for(std::string_view release, const std::string &functions_file)
{
	profile out = profile::load(release);
	if (functions_file.empty())
		return out;
	std::ifstream in{functions_file, std::ios::binary};
	std::ostringstream text;
	if (!in)
		throw bad_profile(fmt::format("{}: cannot be read", functions_file));
	text << in.rdbuf();
	out.use_functions(text.str(), functions_file);
	return out;
}

namespace {

// Calls of the phases and tasks that were asked for, whether a view shows them or not.
std::vector<bool> selected_calls(const call_tree &tree, const trace_selection &s)
{
	const auto asked = [](const std::vector<std::string> &list, const std::string &name) {
		return list.empty() || std::ranges::find(list, name) != list.end();
	};
	std::vector<bool> out(tree.calls.size());
	std::string phase;

	for (const tree_event &e : tree.events) {
		if (e.kind == trace::record_kind::phase_begin)
			phase = tree.texts[e.what];
		if (e.kind != trace::record_kind::enter)
			continue;
		const u32 task = tree.calls[e.what].task;
		out[e.what] = asked(s.phases, phase) && (asked(s.tasks, tree.tasks[task].name) ||
		                                         asked(s.tasks, tree.task_label(task)));
	}
	return out;
}

} // namespace

std::string trace_text(const trace::recorder &r, std::vector<std::string> hosts, const profile &p,
                       const trace_output &output, const probe_set *probes)
{
	const bool counts = !output.funccount.empty() || !output.stackcount.empty();
	if (output.format == trace_format::none && !counts && !probes)
		return {};
	call_tree tree = read_back(r, std::move(hosts));
	call_tree stack;
	const std::vector<bool> wanted = selected_calls(tree, output.selection);
	if (probes || counts || output.format == trace_format::function) {
		stack = tree;
		p.apply(stack, trace_view::stack);
		stack.settle();
	}
	p.apply(tree, output.view);
	select(tree, output.selection);
	std::string out;
	if (output.format == trace_format::tree)
		out = write_tree(tree);
	else if (output.format == trace_format::graph)
		out = write_function_graph(tree, output.graph, &p);
	else if (output.format == trace_format::function)
		out = write_function(tree, stack, probes, output.function, &p);
	if (probes)
		out += probes->text(stack, wanted);
	if (!output.funccount.empty())
		out += function_counts(tree, output.funccount);
	if (!output.stackcount.empty())
		out += stack_counts(tree, stack, output.stackcount);
	return out;
}

} // namespace skbwalk::sim
