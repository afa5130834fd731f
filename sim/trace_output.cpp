// SPDX-License-Identifier: GPL-2.0-only
//
// The steps in their order.
#include "sim/trace_output.h"

#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace skbwalk::sim {

std::optional<trace_format> format_by_name(std::string_view name)
{
	if (name == "tree")
		return trace_format::tree;
	if (name == "graph")
		return trace_format::graph;
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

std::string trace_text(const trace::recorder &r, std::vector<std::string> hosts, const profile &p,
                       const trace_output &output)
{
	if (output.format == trace_format::none)
		return {};
	call_tree tree = read_back(r, std::move(hosts));
	p.apply(tree, output.view);
	select(tree, output.selection);
	return output.format == trace_format::tree ? write_tree(tree)
	                                           : write_function_graph(tree, output.graph);
}

} // namespace skbwalk::sim
