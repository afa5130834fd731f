// SPDX-License-Identifier: GPL-2.0-only
//
// Reads a scope.
#include "sim/scope.h"

#include <fstream>

#include <fmt/format.h>

#include "sim/profile.h"
#include "sim/trace_selection.h"
#include "sim/tree_text.h"

namespace skbwalk::sim {

function_scope::function_scope(const std::string &path)
{
	if (path.empty()) {
		const profile measured = profile::load("linux-6.1");
		for (const std::string_view name : measured.scope())
			names_.insert(texts_.emplace_back(name));
		return;
	}
	std::ifstream in{path};
	std::string line;
	if (!in)
		throw bad_trace(fmt::format("{}: cannot be read", path));
	for (u32 number = 1; std::getline(in, line); ++number) {
		const std::string name = line.substr(0, line.find_first_of(" \t\r"));
		if (line.starts_with('#') || line.find_first_not_of(" \t\r") == std::string::npos)
			continue;
		for (const char c : name)
			if (!(c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z')))
				throw bad_trace(fmt::format("{}:{}: expected a function's name: '{}'", path,
				                            number, line.substr(0, 80)));
		const std::string &kept = texts_.emplace_back(name);
		names_.insert(clean_name(kept));
	}
	if (names_.empty())
		throw bad_trace(fmt::format("{}: no functions in it", path));
}

} // namespace skbwalk::sim
