// SPDX-License-Identifier: GPL-2.0-only
//
// The scores expected of pairs of reference files were computed by an independent implementation.
#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/scope.h"

#include <fstream>

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::parse_tree_text;
using sim::text_tree;

const std::string reference = SKBWALK_SOURCE_DIR "/tests/reference/";

text_tree kernel(const std::string &name)
{
	return sim::parse_tree_file(reference + "linux-6.1/" + name + ".tree");
}

text_tree seed(const std::string &name)
{
	return sim::parse_tree_file(reference + "seeds/" + name + ".tree");
}

std::size_t embedded(std::string_view a, std::string_view b, bool sequence = false)
{
	return sim::embed(parse_tree_text(a, "a"), parse_tree_text(b, "b"), sequence).matched;
}

TEST(embed, functions_in_between_are_allowed)
{
	EXPECT_EQ(embedded("f\n  h\n", "f\n  g\n    h\n"), 2U);
	EXPECT_EQ(embedded("f\n  h\n", "f\nh\n"), 1U);
}

TEST(embed, order_counts)
{
	EXPECT_EQ(embedded("a\nb\n", "b\na\n"), 1U);
	EXPECT_EQ(embedded("a\nb\n", "b\na\nb\n"), 2U);
}

TEST(embed, what_follows_a_function_with_children_starts_after_it)
{
	EXPECT_EQ(embedded("f\n  x\ng\n", "f\n  x\n  g\n"), 2U);
	EXPECT_EQ(embedded("f\ng\n", "f\n  g\n"), 2U); // a leaf's braces may have been dropped
}

TEST(embed, missing_function_leaves_its_children_their_place)
{
	const sim::embed_result r =
		sim::embed(parse_tree_text("f\n  m\n    x\n", "a"), parse_tree_text("f\n  x\n", "b"), false);
	EXPECT_EQ(r.found, (std::vector<bool>{true, false, true}));
}

TEST(embed, sequence_ignores_nesting)
{
	EXPECT_EQ(embedded("a\n  b\nc\n", "c\na\nb\n  c\n", true), 3U);
	EXPECT_TRUE(sim::wants_sequence(parse_tree_text("# match: sequence\na\n", "a")));
}

TEST(embed, scores_of_reference_files)
{
	const struct {
		const char *seed, *kernel;
		std::size_t matched, of;
	} rows[] = {
		{"s0-send", "A-send", 19, 22},
		{"s0-synsent", "A-connect", 28, 30},
		{"s2-sendto", "C2-send", 64, 98},
		{"s2-recv-graph", "C2-conversation", 54, 93},
		{"s3-receive-ack", "A-blk-accept", 38, 72},
	};
	for (const auto &row : rows) {
		const text_tree ref = seed(row.seed);
		const sim::embed_result r = sim::embed(ref, kernel(row.kernel), sim::wants_sequence(ref));
		EXPECT_EQ(r.matched, row.matched) << row.seed;
		EXPECT_EQ(r.found.size(), row.of) << row.seed;
	}
}

TEST(match, functions_out_of_scope_give_their_children_up)
{
	const text_tree tree =
		parse_tree_text("# task a\nf\n  x\n    g.isra.0\n# task b\ng\n# task a\n  g\n", "t");
	std::string edges;
	for (const sim::edge &e : sim::edges_in_scope(tree, {"f", "g"}))
		edges += std::string{e.caller} + ">" + std::string{e.callee} + " ";
	EXPECT_EQ(edges, "->f f>g ->g f>g ");
}

TEST(match, scores_of_reference_files)
{
	const sim::function_scope scope{reference + "linux-6.1/scope.tsv"};
	const struct {
		const char *a, *b;
		std::size_t size_a, size_b, common;
	} rows[] = {
		{"A-send", "B-send", 230, 245, 213},
		{"A-connect", "E-closedport-connect", 453, 320, 204},
		{"A-conversation", "C2-conversation", 1475, 2536, 1390},
		{"A-bind", "A-listen", 27, 31, 11},
	};
	for (const auto &row : rows) {
		const text_tree ta = kernel(row.a), tb = kernel(row.b);
		const auto a = sim::edges_in_scope(ta, scope.names());
		const auto b = sim::edges_in_scope(tb, scope.names());
		const sim::match_result r = sim::match(a, b);
		EXPECT_EQ(r.reference, row.size_a) << row.a;
		EXPECT_EQ(r.model, row.size_b) << row.b;
		EXPECT_EQ(r.common, row.common) << row.a;
		const auto pairs = sim::align(a, b);
		EXPECT_EQ(pairs.size(), row.common);
		for (std::size_t i = 0; i < pairs.size(); ++i) {
			EXPECT_TRUE(a[pairs[i].first] == b[pairs[i].second]);
			EXPECT_TRUE(!i || (pairs[i - 1].first < pairs[i].first &&
			                   pairs[i - 1].second < pairs[i].second));
		}
	}
}

TEST(match, default_scope_is_the_recorded_kernels)
{
	EXPECT_EQ(sim::function_scope{""}.names(),
	          sim::function_scope{reference + "linux-6.1/scope.tsv"}.names());
}

TEST(side_by_side, additions_and_omissions_are_marked)
{
	const text_tree a = parse_tree_text("f\n  g\n  h\n", "a"), b = parse_tree_text("f\n  h\n  i\n", "b");
	const std::set<std::string_view> scope{"f", "g", "h", "i"};
	const auto left = sim::edges_in_scope(a, scope), right = sim::edges_in_scope(b, scope);
	EXPECT_EQ(sim::side_by_side(left, right, {.left = "a", .right = "b", .width = 6}),
	          "  a      | b\n"
	          "  f      | f\n"
	          "-   g    |\n"
	          "    h    |   h\n"
	          "+        |   i\n");
}

class commands : public testing::Test {
protected:
	std::string file(const std::string &name, const std::string &text)
	{
		const std::string path = testing::TempDir() + "skbwalk_commands_" + name;
		std::ofstream{path} << text;
		return path;
	}
	std::string captured(int &status, const std::function<int()> &fn)
	{
		testing::internal::CaptureStdout();
		status = fn();
		return testing::internal::GetCapturedStdout();
	}
};

TEST_F(commands, diff_says_equal_different_or_bad)
{
	const std::string a = file("a", "tcp_sendmsg\n  tcp_push\n"), b = file("b", "tcp_sendmsg\n");
	const std::string bad = file("bad", "not a trace\n");
	int status = -1;
	captured(status, [&] { return sim::cmd_diff({.a = a, .b = a}, {}); });
	EXPECT_EQ(status, 0);
	EXPECT_NE(captured(status, [&] { return sim::cmd_diff({.a = a, .b = b}, {}); }).find("-   tcp_push"),
	          std::string::npos);
	EXPECT_EQ(status, 1);
	captured(status, [&] { return sim::cmd_diff({.a = a, .b = bad}, {}); });
	EXPECT_EQ(status, 2);
	const auto run = [](const std::vector<std::string> &args) {
		EXPECT_EQ(args, (std::vector<std::string>{"lo_tcp", "--profile", "linux-5.0"}));
		return std::string{"tcp_sendmsg\n"};
	};
	captured(status, [&] { return sim::cmd_diff({.a = "lo_tcp --profile linux-5.0", .b = b}, run); });
	EXPECT_EQ(status, 0);
}

TEST_F(commands, conform_judges_files_and_families)
{
	const auto itself = [](const std::vector<std::string> &args) {
		// Phases of B-* as the answer to all: only B's rows agree.
		std::ifstream in{reference + "linux-6.1/B-" + (args.size() > 2 ? args[2] : "connect") +
		                 ".tree"};
		return std::string{std::istreambuf_iterator<char>{in}, {}};
	};
	int status = -1;
	const std::string one = captured(status, [&] {
		return sim::cmd_conform({.names = {"B-send"}, .reference = reference}, itself);
	});
	EXPECT_EQ(status, 0);
	EXPECT_NE(one.find("F1 100.0%"), std::string::npos);
	const std::string all =
		captured(status, [&] { return sim::cmd_conform({.reference = reference}, itself); });
	EXPECT_EQ(status, 1);
	EXPECT_NE(all.find("family B, pooled"), std::string::npos);
	captured(status,
	         [&] { return sim::cmd_conform({.names = {"nosuch"}, .reference = reference}, itself); });
	EXPECT_EQ(status, 2);
}

} // namespace
} // namespace skbwalk::test
