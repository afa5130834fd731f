// SPDX-License-Identifier: GPL-2.0-only
//
// Which functions a comparison looks at: a list in a file (name first, what follows on the line is a note),
// or the network's functions of the measured kernel.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>

namespace skbwalk::sim {

class function_scope {
public:
	// Empty path: the network's functions.
	explicit function_scope(const std::string &path);
	function_scope(const function_scope &) = delete;
	function_scope &operator=(const function_scope &) = delete;
	[[nodiscard]] const std::set<std::string_view> &names() const { return names_; }

private:
	std::deque<std::string> texts_;
	std::set<std::string_view> names_;
};

} // namespace skbwalk::sim
