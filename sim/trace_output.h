// SPDX-License-Identifier: GPL-2.0-only
//
// From a recording to text in one step: read back, name and hide, select, write. What `skbwalk run` and `tap`
// print.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/profile.h"
#include "sim/trace_selection.h"
#include "sim/trace_writer.h"

namespace skbwalk::sim {

enum class trace_format : u8 { tree, graph, function, none };
[[nodiscard]] std::optional<trace_format> format_by_name(std::string_view name);

struct trace_output {
	trace_format format = trace_format::tree;
	trace_view view = trace_view::graph;
	trace_selection selection;
	graph_options graph;
	function_options function;
	std::string funccount, stackcount; // names or globs: counts of them
};

// The release's profile, with a kernel's own available_filter_functions if `functions_file` names one. Its
// features are for the hosts, before the run; it is needed again for the output. Throws bad_profile.
[[nodiscard]] profile profile_for(std::string_view release, const std::string &functions_file);

// Host ids in the records are indices of `hosts`. Throws bad_selection.
[[nodiscard]] std::string trace_text(const trace::recorder &r, std::vector<std::string> hosts,
                                     const profile &p, const trace_output &output,
                                     const probe_set *probes = nullptr);

} // namespace skbwalk::sim
