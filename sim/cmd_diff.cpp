// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk diff: two call trees, from files or from runs, reduced to the functions in scope and printed beside
// each other with the three scores.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/scope.h"

namespace skbwalk::sim {

namespace {

constexpr u32 context_lines = 3;

std::vector<std::string> shell_words(const std::string &text)
{
	std::istringstream in{text};
	std::vector<std::string> out;
	for (std::string word; in >> word;)
		out.push_back(word);
	return out;
}

text_tree tree_of(const std::string &what, const run_to_tree &run)
{
	std::error_code ignored;
	const bool is_file =
		std::filesystem::exists(what, ignored) && !std::filesystem::is_directory(what, ignored);
	if (is_file && !what.ends_with(".json"))
		return parse_tree_file(what);
	const std::vector<std::string> words = shell_words(what);
	if (words.empty() || !run)
		throw bad_trace(fmt::format("{}: no such file", what));
	return parse_tree_text(run(words), what);
}

} // namespace

int cmd_diff(const diff_args &args, const run_to_tree &run)
{
	try {
		const text_tree a = tree_of(args.a, run);
		const text_tree b = tree_of(args.b, run);
		const function_scope scope{args.scope};
		const std::vector<edge> left = edges_in_scope(a, scope.names());
		const std::vector<edge> right = edges_in_scope(b, scope.names());
		if (left.empty() && right.empty())
			throw bad_trace(
				fmt::format("{}, {}: no function of the scope in them", args.a, args.b));
		const match_result score = match(left, right);
		const bool equal = score.common == left.size() && score.common == right.size();
		if (!equal || args.all)
			std::fputs(side_by_side(left, right,
			                        {.left = args.a,
			                         .right = args.b,
			                         .colour = args.colour,
			                         .context = args.all ? 0 : context_lines})
			                   .c_str(),
			           stdout);
		fmt::print("recall {:.1f}%  precision {:.1f}%  F1 {:.1f}%  (left {}, right {}, common {})\n",
		           100 * score.recall(), 100 * score.precision(), 100 * score.f1(), score.reference,
		           score.model, score.common);
		for (const auto &[tree, name] : {std::pair{&a, &args.a}, std::pair{&b, &args.b}})
			if (tree->lost)
				fmt::print("{}: {} events were lost while recording\n", *name, tree->lost);
		return equal ? 0 : 1;
	} catch (const std::exception &e) {
		fmt::print(stderr, "skbwalk: {}\n", e.what());
		return 2;
	}
}

} // namespace skbwalk::sim
