// SPDX-License-Identifier: GPL-2.0-only
//
// Two aligned trees, printed beside each other.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "sim/compare.h"

namespace skbwalk::sim {

namespace {

struct row {
	char mark; // ' ' both, '-' left only, '+' right only
	const edge *left;
	const edge *right;
};

std::vector<row> rows_of(const std::vector<edge> &left, const std::vector<edge> &right)
{
	std::vector<row> rows;
	std::size_t i = 0, j = 0;
	const auto only = [&](std::size_t i_end, std::size_t j_end) {
		for (; i < i_end; ++i)
			rows.push_back({'-', &left[i], nullptr});
		for (; j < j_end; ++j)
			rows.push_back({'+', nullptr, &right[j]});
	};
	for (const auto &[a, b] : align(left, right)) {
		only(a, b);
		rows.push_back({' ', &left[i++], &right[j++]});
	}
	only(left.size(), right.size());
	return rows;
}

// Rows within `context` of a difference.
std::vector<bool> rows_shown(const std::vector<row> &rows, u32 context)
{
	std::vector<bool> shown(rows.size(), context == 0);
	for (std::size_t i = 0; i < rows.size() && context; ++i)
		if (rows[i].mark != ' ')
			for (std::size_t j = i - std::min<std::size_t>(i, context);
			     j < rows.size() && j <= i + context; ++j)
				shown[j] = true;
	return shown;
}

std::string cell(const edge *e)
{
	return e ? fmt::format("{:{}}{}", "", 2 * e->depth, e->callee) : std::string{};
}

} // namespace

std::string side_by_side(const std::vector<edge> &left, const std::vector<edge> &right,
                         const side_by_side_options &options)
{
	const std::vector<row> rows = rows_of(left, right);
	const std::vector<bool> shown = rows_shown(rows, options.context);
	std::string out;
	auto to = std::back_inserter(out);
	std::size_t hidden = 0;
	const auto say_hidden = [&] {
		if (hidden)
			fmt::format_to(to, "  ... {} equal\n", hidden);
		hidden = 0;
	};

	fmt::format_to(to, "  {:<{}} | {}\n", options.left, options.width, options.right);
	for (std::size_t i = 0; i < rows.size(); ++i) {
		if (!shown[i]) {
			++hidden;
			continue;
		}
		say_hidden();
		const row &r = rows[i];
		const std::string_view colour = r.mark == '-' ? "\x1b[31m" : r.mark == '+' ? "\x1b[32m" : "";
		std::string line =
			fmt::format("{} {:<{}} | {}", r.mark, cell(r.left), options.width, cell(r.right));
		line.erase(line.find_last_not_of(' ') + 1);
		if (options.colour && !colour.empty())
			fmt::format_to(to, "{}{}\x1b[0m\n", colour, line);
		else
			fmt::format_to(to, "{}\n", line);
	}
	say_hidden();
	return out;
}

} // namespace skbwalk::sim
