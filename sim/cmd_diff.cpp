// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk diff: two call trees, from files or from runs, reduced to the functions in scope and printed beside
// each other with the three scores. Recordings of which one repeats the other are compared as a whole, others
// by system calls or by packets, whichever explains more.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/compare_units.h"
#include "sim/noise.h"
#include "sim/scope.h"

namespace skbwalk::sim {

namespace {

constexpr u32 context_lines = 3;
constexpr u32 width_default = 132;
constexpr u32 width_min = 40;
constexpr std::size_t edges_listed = 10;
// Beyond so many cells two trees are not aligned as a whole.
constexpr double cells_max = 4e9;

std::vector<std::string> shell_words(const std::string &text)
{
	std::istringstream in{text};
	std::vector<std::string> out;
	for (std::string word; in >> word;)
		out.push_back(word);
	return out;
}

std::string whole_text(std::istream &in)
{
	std::ostringstream text;
	text << in.rdbuf();
	return text.str();
}

// One of the two: a tree and how it is called.
struct side {
	std::string name;
	text_tree tree;
	std::vector<edge> edges;
	std::string ceiling; // F1 that a second recording of it reached, where a table beside it says so
};

std::string ceiling_of(const std::string &path)
{
	const std::filesystem::path file{path};
	std::ifstream in{file.parent_path() / "ceiling.tsv"};
	for (std::string line; std::getline(in, line);)
		if (line.starts_with(file.stem().string() + "\t"))
			return line.substr(line.rfind('\t') + 1);
	return {};
}

class comparison {
public:
	comparison(const diff_args &args, const run_to_tree &run) : args_(args), run_(run), scope_(args.scope)
	{}

	int go()
	{
		a_ = read(args_.a, args_.profile_a);
		b_ = read(args_.b, args_.profile_b);
		reduce();
		const bool equal = compare();
		for (const side *s : {&a_, &b_}) {
			if (s->tree.lost)
				fmt::print("{}: {} events were lost while recording\n", s->name,
				           s->tree.lost);
			if (!s->ceiling.empty() && !equal)
				fmt::print("{}: a second recording of it by the same kernel has F1 {}%\n",
				           s->name, s->ceiling);
		}
		return equal ? 0 : 1;
	}

private:
	side read(const std::string &what, const std::string &profile) const
	{
		side out{.name = what, .tree = {}, .edges = {}, .ceiling = {}};
		if (what == "-") {
			out.name = "standard input";
			out.tree = parse_tree_text(whole_text(std::cin), out.name);
			return out;
		}
		std::error_code ignored;
		if (std::filesystem::is_directory(what, ignored))
			throw bad_trace(fmt::format(
				"{}: a folder: expected a trace or a scenario, or two folders", what));
		if (std::filesystem::exists(what, ignored)) {
			std::ifstream in{what, std::ios::binary};
			const std::string text = whole_text(in);
			if (!in)
				throw bad_trace(fmt::format("{}: cannot be read", what));
			const std::size_t first = text.find_first_not_of(" \t\r\n");
			if (first == std::string::npos || text[first] != '{') {
				out.tree = parse_tree_text(text, what);
				out.ceiling = ceiling_of(what);
				return out;
			}
		}
		std::vector<std::string> words = shell_words(what);
		if (words.empty() || !run_)
			throw bad_trace(fmt::format("{}: no such file", what));
		if (const std::size_t at = words[0].rfind('@'); at != std::string::npos && at) {
			words.insert(words.begin() + 1, {"--profile", words[0].substr(at + 1)});
			words[0].resize(at);
		}
		if (!profile.empty())
			words.insert(words.end(), {"--profile", profile});
		if (!args_.phase.empty())
			words.insert(words.end(), {"--phase", args_.phase});
		out.tree = parse_tree_text(run_(words), what);
		if (!profile.empty())
			out.name += "@" + profile;
		return out;
	}

	void reduce()
	{
		for (side *s : {&a_, &b_})
			s->edges = edges_in_scope(s->tree, scope_.names());
		for (const side *s : {&a_, &b_})
			if (s->edges.empty())
				throw bad_trace(fmt::format("{}: no function of the scope in it", s->name));
		score_ = match(a_.edges, b_.edges);
		if (args_.match == "whole")
			return;
		// A recording that begins further in (set_graph_function) has no more of the other either.
		const auto ra = roots_of(a_.edges), rb = roots_of(b_.edges);
		if (std::ranges::any_of(ra, [&](const std::string &r) { return rb.contains(r); }))
			return;
		if (!begin_at(b_, ra, a_))
			begin_at(a_, rb, b_);
	}

	bool begin_at(side &s, const std::set<std::string, std::less<>> &roots, const side &other)
	{
		text_tree part = below(s.tree, roots);
		if (part.nodes.empty())
			return false;
		s.tree = std::move(part);
		s.edges = edges_in_scope(s.tree, scope_.names());
		note_ = fmt::format("{} begins at {}: only that of {} is compared\n", other.name,
		                    fmt::join(roots_of(s.edges), ", "), s.name);
		return true;
	}

	struct cut_match {
		std::vector<unit> left, right;
		unit_match match;
	};

	cut_match cut(cut_at where) const
	{
		cut_match out{.left = units_of(a_.tree, scope_.names(), where),
		              .right = units_of(b_.tree, scope_.names(), where),
		              .match = {}};
		out.match = match_units(out.left, out.right);
		return out;
	}

	bool compare()
	{
		const bool short_enough =
			static_cast<double>(a_.edges.size()) * static_cast<double>(b_.edges.size()) <
			cells_max;
		const bool equal = a_.edges == b_.edges;
		if (args_.match == "whole" || (args_.match == "auto" && equal)) {
			if (!short_enough && !equal)
				throw bad_trace("too long to be aligned as a whole: expected --match calls");
			return whole();
		}
		if (args_.match == "packets")
			return by_units(cut(cut_at::packets), "packet");
		cut_match calls = cut(cut_at::calls);
		if (args_.match == "calls")
			return by_units(calls, "call");
		if (short_enough &&
		    std::ranges::equal(calls.left, calls.right, {}, &unit::name, &unit::name) &&
		    match(a_.edges, b_.edges).common >= calls.match.score.common)
			return whole();
		cut_match packets = cut(cut_at::packets);
		if (packets.match.score.common > calls.match.score.common)
			return by_units(packets, "packet");
		return by_units(calls, "call");
	}

	side_by_side_options layout() const
	{
		const u32 width = std::max(args_.width ? args_.width : width_default, width_min);
		const u32 left = (width - 5) / 2;
		return {.left = a_.name,
		        .right = b_.name,
		        .colour = args_.colour,
		        .context = args_.all ? 0 : context_lines,
		        .width = left,
		        .right_width = width - 5 - left,
		        .noise = true};
	}

	bool whole()
	{
		const bool equal = a_.edges == b_.edges;
		if (!equal || args_.all)
			print(side_by_side(a_.edges, b_.edges, layout()));
		print_score("", score_);
		print(note_);
		if (!equal) {
			count_noise(a_.edges, b_.edges);
			say_noise(match(a_.edges, b_.edges));
		}
		return equal;
	}

	std::string title(const unit &u, const side &s) const
	{
		return u.task == unit::no_task ? u.name
		                               : fmt::format("{}  ({})", u.name, s.tree.tasks[u.task]);
	}

	bool by_units(const cut_match &m, std::string_view piece)
	{
		const match_result &score = m.match.score;
		const bool equal = score.common == score.reference && score.common == score.model;
		std::vector<compared_pair> pairs;
		for (const unit_pair &p : m.match.pairs) {
			compared_pair c;
			if (p.left) {
				c.left = &m.left[*p.left].edges;
				c.left_title = title(m.left[*p.left], a_);
			}
			if (p.right) {
				c.right = &m.right[*p.right].edges;
				c.right_title = title(m.right[*p.right], b_);
			}
			if (c.left && c.right)
				count_noise(*c.left, *c.right);
			else
				c.noise = count_alone(c.left ? m.left[*p.left] : m.right[*p.right],
				                      c.left ? noise_left_ : noise_right_);
			pairs.push_back(std::move(c));
		}
		if (!equal || args_.all)
			print(side_by_side(pairs, layout()));
		print_score("", score_);
		print(note_);
		const std::size_t paired = m.left.size() - m.match.left_alone;
		print_score(fmt::format("{} by {}: ", piece, piece), score);
		if (m.match.left_alone || m.match.right_alone) {
			fmt::print("{} of the left and {} of the right have no partner\n", m.match.left_alone,
			           m.match.right_alone);
			print_score(fmt::format("the {} that have one: ", paired), m.match.paired);
		}
		say_noise(score);
		return equal;
	}

	static void print(const std::string &text) { std::fputs(text.c_str(), stdout); }

	static void print_score(std::string_view what, const match_result &score)
	{
		fmt::print(
			"{}recall {:.1f}%  precision {:.1f}%  F1 {:.1f}%  (left {}, right {}, common {})\n",
			what, 100 * score.recall(), 100 * score.precision(), 100 * score.f1(),
			score.reference, score.model, score.common);
	}

	void count_noise(const std::vector<edge> &left, const std::vector<edge> &right)
	{
		if (left == right)
			return;
		const auto pairs = align(left, right);
		const noise_found found = find_noise(left, right, pairs, known_noise());
		std::vector<bool> in_left(left.size()), in_right(right.size());
		for (const auto &[i, j] : pairs)
			in_left[i] = in_right[j] = true;
		for (std::size_t i = 0; i < left.size(); ++i)
			if (!in_left[i])
				difference(left[i], found.left[i], noise_left_, missing_);
		for (std::size_t j = 0; j < right.size(); ++j)
			if (!in_right[j])
				difference(right[j], found.right[j], noise_right_, extra_);
		for (const auto &[function, count] : found.functions)
			noise_[function] += count;
	}

	// Nothing but listed functions: a run of the timers, an interrupt.
	bool count_alone(const unit &u, std::size_t &counter)
	{
		const noise_found found = find_noise(u.edges, {}, {}, known_noise());
		const auto wanted = found.left.begin() + (u.name == "softirq" ? 1 : 0);
		if (wanted == found.left.end() || !std::all_of(wanted, found.left.end(), std::identity{}))
			return false;
		counter += u.edges.size();
		for (const auto &[function, count] : found.functions)
			noise_[function] += count;
		return true;
	}

	using edge_counts = std::map<std::pair<std::string_view, std::string_view>, std::size_t>;

	static void difference(const edge &e, bool noise, std::size_t &counter, edge_counts &edges)
	{
		if (noise)
			++counter;
		else
			++edges[{e.caller, e.callee}];
	}

	void list_edges(char mark, const edge_counts &edges) const
	{
		std::vector<std::pair<std::size_t, edge_counts::key_type>> most;
		for (const auto &[names, count] : edges)
			most.emplace_back(count, names);
		std::ranges::stable_sort(most, std::ranges::greater{}, [](const auto &m) { return m.first; });
		for (std::size_t i = 0; i < std::min(most.size(), edges_listed); ++i)
			fmt::print("{} {}x  {} -> {}\n", mark, most[i].first, most[i].second.first,
			           most[i].second.second);
		if (most.size() > edges_listed)
			fmt::print("{} and {} more\n", mark, most.size() - edges_listed);
	}

	void say_noise(match_result score)
	{
		list_edges('-', missing_);
		list_edges('+', extra_);
		if (noise_.empty())
			return;
		std::map<std::string_view, std::vector<std::string_view>> reasons;
		for (const auto &[function, count] : noise_)
			reasons[known_noise().at(function)].push_back(function);
		fmt::print("~ two recordings of one kernel differ in this, too:\n");
		for (const auto &[reason, functions] : reasons)
			fmt::print("~   {}: {}\n", fmt::join(functions, ", "), reason);
		score.reference -= noise_left_;
		score.model -= noise_right_;
		print_score("without that: ", score);
	}

	const diff_args &args_;
	const run_to_tree &run_;
	function_scope scope_;
	side a_, b_;
	match_result score_; // as a whole
	std::string note_;
	std::map<std::string_view, std::size_t> noise_; // function, differences that it explains
	std::size_t noise_left_ = 0, noise_right_ = 0;
	edge_counts missing_, extra_;
};

} // namespace

int cmd_diff(const diff_args &args, const run_to_tree &run)
{
	std::error_code ignored;
	try {
		if (std::filesystem::is_directory(args.a, ignored) &&
		    std::filesystem::is_directory(args.b, ignored))
			return diff_folders(args);
		return comparison{args, run}.go();
	} catch (const std::exception &e) {
		fmt::print(stderr, "skbwalk: {}\n", e.what());
		return 2;
	}
}

} // namespace skbwalk::sim
