// SPDX-License-Identifier: GPL-2.0-only
//
// Two ways to compare a call tree with a reference. A document's trace is trimmed by its author: embed() asks
// whether it can be found inside the other, in order and nested, with functions in between allowed. A
// complete recording is matched: both trees are reduced to the functions in scope and flattened to
// caller->callee edges, whose longest common subsequence counts.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/tree_text.h"

namespace skbwalk::sim {

struct embed_result {
	std::vector<bool> found; // for each node of the reference
	std::size_t matched = 0;
	[[nodiscard]] double percent() const
	{
		return found.empty()
		               ? 100
		               : 100.0 * static_cast<double>(matched) / static_cast<double>(found.size());
	}
};

// The largest set of reference nodes that maps into `model`: same names, same order, each below the node that
// its parent maps to; what follows a function with children starts after it returned. With `sequence` only
// the order counts.
[[nodiscard]] embed_result embed(const text_tree &reference, const text_tree &model, bool sequence);
[[nodiscard]] inline bool wants_sequence(const text_tree &reference)
{
	const auto it = reference.directives.find("match");
	return it != reference.directives.end() && it->second == "sequence";
}

struct edge {
	std::string_view caller; // "-": none in scope
	std::string_view callee;
	u32 depth = 0; // among the functions in scope
	u32 node = 0;  // index in the tree
	friend bool operator==(const edge &a, const edge &b)
	{
		return a.caller == b.caller && a.callee == b.callee;
	}
};

// The functions in scope; children of others move up to the nearest that is. The views point into the tree.
[[nodiscard]] std::vector<edge> edges_in_scope(const text_tree &tree,
                                               const std::set<std::string_view> &scope);

struct match_result {
	std::size_t reference = 0;
	std::size_t model = 0;
	std::size_t common = 0;
	[[nodiscard]] double recall() const;
	[[nodiscard]] double precision() const;
	[[nodiscard]] double f1() const;
	// Functions that are wrong, a replaced one counted once.
	[[nodiscard]] std::size_t wrong() const { return std::max(reference, model) - common; }
};

[[nodiscard]] match_result match(const std::vector<edge> &reference, const std::vector<edge> &model);

// Pairs of indices of a longest common subsequence, in order.
[[nodiscard]] std::vector<std::pair<u32, u32>> align(const std::vector<edge> &reference,
                                                     const std::vector<edge> &model);

// The same for sequences of numbers.
[[nodiscard]] std::size_t common_length(std::vector<u32> a, std::vector<u32> b);
[[nodiscard]] std::vector<std::pair<u32, u32>> align(const std::vector<u32> &a, const std::vector<u32> &b);

// One line a function: `  ` in both, `- ` in the left only, `+ ` in the right only, `-~` and `+~` where that
// is noise (noise.h). With `colour`, ANSI colours. Where more than `context` equal lines stand between
// differences, they are left out and counted; 0 keeps all. What is too wide for a column loses its begin.
struct side_by_side_options {
	std::string left = "reference";
	std::string right = "model";
	bool colour = false;
	u32 context = 0;
	u32 width = 56;      // of the left column
	u32 right_width = 0; // 0: as wide as it takes
	bool noise = false;  // tell noise from other differences
};
[[nodiscard]] std::string side_by_side(const std::vector<edge> &left, const std::vector<edge> &right,
                                       const side_by_side_options &options);

// Several pairs, each under its title; one without a partner (null) is said in a line, unless `context` is 0.
struct compared_pair {
	std::string left_title;
	std::string right_title;
	const std::vector<edge> *left = nullptr;
	const std::vector<edge> *right = nullptr;
	bool noise = false; // has no partner, and that is noise
};
[[nodiscard]] std::string side_by_side(const std::vector<compared_pair> &pairs,
                                       const side_by_side_options &options);

} // namespace skbwalk::sim
