// SPDX-License-Identifier: GPL-2.0-only
//
// Aligned trees, printed beside each other.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "sim/compare.h"
#include "sim/noise.h"

namespace skbwalk::sim {

namespace {

struct row {
	char mark; // ' ' both, '-' left only, '+' right only
	bool noise;
	const edge *left;
	const edge *right;
};

std::vector<row> rows_of(const std::vector<edge> &left, const std::vector<edge> &right, bool with_noise)
{
	const auto pairs = align(left, right);
	noise_found noise;
	if (with_noise)
		noise = find_noise(left, right, pairs, known_noise());
	std::vector<row> rows;
	std::size_t i = 0, j = 0;
	const auto only = [&](std::size_t i_end, std::size_t j_end) {
		for (; i < i_end; ++i)
			rows.push_back({'-', with_noise && noise.left[i], &left[i], nullptr});
		for (; j < j_end; ++j)
			rows.push_back({'+', with_noise && noise.right[j], nullptr, &right[j]});
	};
	for (const auto &[a, b] : pairs) {
		only(a, b);
		rows.push_back({' ', false, &left[i++], &right[j++]});
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

// The names are at the end, so the begin goes.
std::string fit(std::string text, u32 width)
{
	if (!width || text.size() <= width)
		return text;
	return "<" + text.substr(text.size() - (width - 1));
}

class printer {
public:
	explicit printer(const side_by_side_options &options) : options_(options) {}

	std::string finish()
	{
		say_equal();
		return std::move(out_);
	}

	void heading(const std::string &left, const std::string &right)
	{
		say_equal();
		line(' ', ' ', left, right);
	}

	void trees(const std::vector<edge> &left, const std::vector<edge> &right)
	{
		const std::vector<row> rows = rows_of(left, right, options_.noise);
		const std::vector<bool> shown = rows_shown(rows, options_.context);
		for (std::size_t i = 0; i < rows.size(); ++i) {
			if (!shown[i]) {
				++equal_;
				continue;
			}
			say_equal();
			const row &r = rows[i];
			line(r.mark, r.noise ? '~' : ' ', cell(r.left), cell(r.right));
		}
		say_equal();
	}

	void alone(char mark, const std::string &title, const std::vector<edge> &edges)
	{
		say_equal();
		const std::string text =
			fmt::format("{} ({} function{})", title, edges.size(), edges.size() == 1 ? "" : "s");
		line(mark, ' ', mark == '-' ? text : "", mark == '-' ? "" : text);
		if (options_.context == 0)
			for (const edge &e : edges)
				line(mark, ' ', mark == '-' ? cell(&e) : "", mark == '-' ? "" : cell(&e));
	}

	void equal_pair(const std::string &title)
	{
		if (!titles_.empty() && titles_.back().first == title)
			++titles_.back().second;
		else
			titles_.emplace_back(title, 1);
	}

private:
	void line(char mark, char note, const std::string &left, const std::string &right)
	{
		const std::string_view colour = mark == ' '   ? ""
		                                : note == '~' ? "\x1b[33m"
		                                : mark == '-' ? "\x1b[31m"
		                                              : "\x1b[32m";
		std::string text = fmt::format("{}{}{:<{}} | {}", mark, note, fit(left, options_.width),
		                               options_.width, fit(right, options_.right_width));
		text.erase(text.find_last_not_of(' ') + 1);
		if (options_.colour && !colour.empty())
			fmt::format_to(std::back_inserter(out_), "{}{}\x1b[0m\n", colour, text);
		else
			fmt::format_to(std::back_inserter(out_), "{}\n", text);
	}

	void say_equal()
	{
		if (equal_)
			fmt::format_to(std::back_inserter(out_), "  ... {} equal\n", equal_);
		equal_ = 0;
		if (titles_.empty())
			return;
		std::string text;
		for (const auto &[title, count] : titles_)
			text += fmt::format("{}{}{}", text.empty() ? "" : ", ",
			                    count > 1 ? fmt::format("{} x ", count) : "", title);
		fmt::format_to(std::back_inserter(out_), "  ... equal: {}\n", text);
		titles_.clear();
	}

	const side_by_side_options &options_;
	std::string out_;
	std::size_t equal_ = 0;
	std::vector<std::pair<std::string, u32>> titles_; // of equal pairs, and how many there are
};

} // namespace

std::string side_by_side(const std::vector<edge> &left, const std::vector<edge> &right,
                         const side_by_side_options &options)
{
	printer p{options};
	p.heading(options.left, options.right);
	p.trees(left, right);
	return p.finish();
}

std::string side_by_side(const std::vector<compared_pair> &pairs, const side_by_side_options &options)
{
	printer p{options};
	p.heading(options.left, options.right);
	for (const compared_pair &c : pairs) {
		if (!c.left || !c.right) {
			p.alone(c.left ? '-' : '+', c.left ? c.left_title : c.right_title,
			        c.left ? *c.left : *c.right);
		} else if (options.context && *c.left == *c.right) {
			p.equal_pair(c.left_title);
		} else {
			p.heading("== " + c.left_title, "== " + c.right_title);
			p.trees(*c.left, *c.right);
		}
	}
	return p.finish();
}

} // namespace skbwalk::sim
