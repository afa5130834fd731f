// SPDX-License-Identifier: GPL-2.0-only
//
// Aligned trees, printed beside each other.
#include <algorithm>
#include <functional>
#include <iterator>
#include <span>

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

std::string cell(const edge *e, u32 dedent)
{
	return e ? fmt::format("{:{}}{}", "", 2 * (e->depth - dedent), e->callee) : std::string{};
}

// The nearest callers of a function, outermost first.
std::string path_to(const std::vector<edge> &edges, const edge *e)
{
	constexpr u32 callers_max = 3;
	std::string out;
	u32 depth = e->depth, count = 0;
	for (const edge *at = e; at != edges.data() && depth && count < callers_max;) {
		--at;
		if (at->depth >= depth)
			continue;
		depth = at->depth;
		out = out.empty() ? std::string{at->callee} : fmt::format("{} > {}", at->callee, out);
		++count;
	}
	return depth ? "... > " + out : out;
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
		for (std::size_t i = 0; i < rows.size();) {
			if (!shown[i]) {
				++equal_;
				++i;
				continue;
			}
			std::size_t end = i;
			while (end < rows.size() && shown[end])
				++end;
			stretch({rows.begin() + static_cast<std::ptrdiff_t>(i),
			         rows.begin() + static_cast<std::ptrdiff_t>(end)},
			        left, right);
			i = end;
		}
		say_equal();
	}

	// A piece without a partner. Those that follow each other are counted by title, unless their insides
	// are asked for.
	void alone(char mark, bool noise, const std::string &title, const std::vector<edge> &edges)
	{
		say_equal_pairs();
		if (mark != alone_mark_ || options_.context == 0)
			say_alone();
		alone_mark_ = mark;
		auto it = std::ranges::find_if(
			alone_, [&](const alone_pieces &p) { return p.title == title && p.noise == noise; });
		if (it == alone_.end())
			it = alone_.insert(it, {title, noise, 0, 0});
		++it->count;
		it->functions += edges.size();
		if (options_.context)
			return;
		say_alone();
		for (const edge &e : edges)
			line(mark, noise ? '~' : ' ', mark == '-' ? cell(&e, 0) : "",
			     mark == '-' ? "" : cell(&e, 0));
	}

	void equal_pair(const std::string &title)
	{
		say_alone();
		if (!titles_.empty() && titles_.back().first == title)
			++titles_.back().second;
		else
			titles_.emplace_back(title, 1);
	}

private:
	struct alone_pieces {
		std::string title;
		bool noise;
		std::size_t count, functions;
	};

	// Where it is too deep for its columns, it is printed without the indentation that all of it has,
	// under the path that leads there.
	void stretch(std::span<const row> rows, const std::vector<edge> &left, const std::vector<edge> &right)
	{
		u32 dedent = ~u32{0};
		bool fits = true;
		const edge *top = nullptr;
		for (const row &r : rows)
			for (const auto &[e, width] :
			     {std::pair{r.left, options_.width}, std::pair{r.right, options_.right_width}}) {
				if (!e)
					continue;
				if (e->depth < dedent) {
					dedent = e->depth;
					top = e;
				}
				fits = fits && (!width || 2 * e->depth + e->callee.size() <= width);
			}
		say_equal();
		if (fits || !dedent)
			dedent = 0;
		else
			fmt::format_to(std::back_inserter(out_), "  in {}\n",
			               path_to(is_in(left, top) ? left : right, top));
		for (const row &r : rows)
			line(r.mark, r.noise ? '~' : ' ', cell(r.left, dedent), cell(r.right, dedent));
	}

	static bool is_in(const std::vector<edge> &edges, const edge *e)
	{
		return !edges.empty() && !std::less<>{}(e, edges.data()) &&
		       std::less<>{}(e, edges.data() + edges.size());
	}

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
		say_alone();
		if (equal_)
			fmt::format_to(std::back_inserter(out_), "  ... {} equal\n", equal_);
		equal_ = 0;
		say_equal_pairs();
	}

	void say_equal_pairs()
	{
		if (titles_.empty())
			return;
		std::string text;
		for (const auto &[title, count] : titles_)
			text += fmt::format("{}{}{}", text.empty() ? "" : ", ",
			                    count > 1 ? fmt::format("{} x ", count) : "", title);
		fmt::format_to(std::back_inserter(out_), "  ... equal: {}\n", text);
		titles_.clear();
	}

	void say_alone()
	{
		for (const alone_pieces &p : alone_) {
			const std::string text = fmt::format(
				"{}{} ({} function{})", p.count > 1 ? fmt::format("{} x ", p.count) : "",
				p.title, p.functions, p.functions == 1 ? "" : "s");
			line(alone_mark_, p.noise ? '~' : ' ', alone_mark_ == '-' ? text : "",
			     alone_mark_ == '-' ? "" : text);
		}
		alone_.clear();
	}

	const side_by_side_options &options_;
	std::string out_;
	std::size_t equal_ = 0;
	char alone_mark_ = ' ';
	std::vector<alone_pieces> alone_;                 // one after the other
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
			p.alone(c.left ? '-' : '+', c.noise, c.left ? c.left_title : c.right_title,
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
