// SPDX-License-Identifier: GPL-2.0-only
//
// The scores expected of pairs of reference files were computed by an independent implementation.
#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/noise.h"
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

// And what the modules sch_fq and sch_tbf have, which were not loaded when the recordings were made.
TEST(match, default_scope_is_the_recorded_kernels)
{
	const sim::function_scope of_file{reference + "linux-6.1/scope.tsv"}, by_default{""};
	const auto &recorded = of_file.names();
	auto names = by_default.names();

	std::erase_if(names, [](const auto &name) { return name.starts_with("tbf_"); });
	for (const char *name : {"fq_change", "fq_dequeue", "fq_destroy", "fq_dump", "fq_dump_stats",
	                         "fq_enqueue", "fq_flow_purge", "fq_init", "fq_reset", "fq_resize"})
		names.erase(name);
	EXPECT_EQ(names, recorded);
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

TEST(side_by_side, a_name_that_is_too_deep_loses_its_begin)
{
	const text_tree a = parse_tree_text("f\n  g\n    function\n", "a");
	const auto edges = sim::edges_in_scope(a, {"f", "g", "function"});
	EXPECT_EQ(
		sim::side_by_side(edges, {},
	                          {.left = "a", .right = "b", .colour = true, .width = 10, .right_width = 5}),
		"  a          | b\n"
		"\x1b[31m- f          |\x1b[0m\n"
		"\x1b[31m-   g        |\x1b[0m\n"
		"\x1b[31m- < function |\x1b[0m\n");
}

TEST(noise, listed_functions_and_what_is_below_them_are_told_from_the_rest)
{
	const text_tree a = parse_tree_text("f\n  n\n    x\n    p\n  g\n", "a"),
			b = parse_tree_text("f\n  p\n  h\n", "b");
	const std::set<std::string_view> scope{"f", "g", "h", "n", "x", "p"};
	const auto left = sim::edges_in_scope(a, scope), right = sim::edges_in_scope(b, scope);
	const sim::noise_found found =
		sim::find_noise(left, right, sim::align(left, right), {{"n", "the weather"}});
	EXPECT_EQ(found.left, (std::vector<bool>{false, true, true, true, false}));
	EXPECT_EQ(found.right, (std::vector<bool>{false, true, false})); // p under its next caller
	EXPECT_EQ(found.functions.at("n"), 4U);
}

TEST(noise, two_recordings_of_a_kernel_explain_what_is_listed)
{
	EXPECT_TRUE(sim::known_noise().contains("tcp_cwnd_restart"));
	EXPECT_FALSE(sim::known_noise().contains("tcp_sendmsg"));
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

TEST_F(commands, diff_of_folders_has_a_line_a_capture_and_the_functions_at_which_they_part)
{
	const std::filesystem::path here = testing::TempDir() + "skbwalk_commands_folders";
	std::filesystem::remove_all(here);
	const auto put = [&](const std::string &name, const std::string &text) {
		std::filesystem::create_directories((here / name).parent_path());
		std::ofstream{here / name} << text;
	};
	put("a/s.send.tree", "tcp_sendmsg\n  tcp_push\n    tcp_cwnd_restart\n");
	put("b/s.send.tree", "tcp_sendmsg\n  tcp_push\n");
	put("a/s.recv.tree", "tcp_recvmsg\n");
	put("b/s.recv.tree", "tcp_recvmsg\n");
	put("b/s.recv.model.tree", "tcp_sendmsg\n");
	put("a/s.nothing.tree", "# phase nothing\n");
	put("b/s.nothing.tree", "# phase nothing\n");
	int status = -1;
	const auto diff = [&](const char *a, const char *b) {
		return captured(status, [&] {
			return sim::cmd_diff({.a = (here / a).string(), .b = (here / b).string()}, {});
		});
	};
	const std::string out = diff("a", "b");
	EXPECT_EQ(status, 1);
	EXPECT_THAT(out, testing::HasSubstr("tcp_cwnd_restart\ts.send\t(known: the pause before"));
	EXPECT_THAT(out, testing::HasSubstr("4/3/3\n"));
	EXPECT_THAT(diff("a", "a"), testing::Not(testing::HasSubstr("part")));
	EXPECT_EQ(status, 0);
	put("a/s.close.tree", "tcp_close\n");
	EXPECT_THAT(diff("a", "b"), testing::HasSubstr("only in the left: s.close\n"));
	std::filesystem::create_directories(here / "empty");
	static_cast<void>(diff("a", "empty"));
	EXPECT_EQ(status, 2);
	static_cast<void>(diff("a", "b/s.send.tree"));
	EXPECT_EQ(status, 2);
}

TEST_F(commands, conform_compares_captures_in_place_of_the_model)
{
	const std::filesystem::path here = testing::TempDir() + "skbwalk_commands_captures";
	std::filesystem::create_directories(here);
	std::filesystem::copy_file(SKBWALK_SOURCE_DIR "/tests/reference/linux-6.1/A-send.tree",
	                           here / "lo_tcp.send.tree",
	                           std::filesystem::copy_options::overwrite_existing);
	int status = -1;
	const auto conform = [&](const std::string &captures) {
		return captured(status, [&] {
			return sim::cmd_conform({.names = {},
			                         .reference = SKBWALK_SOURCE_DIR "/tests/reference",
			                         .captures = captures},
			                        {});
		});
	};
	const std::string out = conform(here.string());
	EXPECT_EQ(status, 0);
	EXPECT_THAT(out, testing::HasSubstr("100.0%  100.0%  100.0%    99.4  230/230/230"));
	EXPECT_THAT(out, testing::Not(testing::HasSubstr("A-recv")));
	conform("/nowhere");
	EXPECT_EQ(status, 2);
}

TEST_F(commands, diff_takes_profiles_and_phases_of_runs)
{
	std::vector<std::vector<std::string>> asked;
	const auto run = [&](const std::vector<std::string> &args) {
		asked.push_back(args);
		return std::string{"tcp_sendmsg\n"};
	};
	int status = -1;
	captured(status, [&] {
		return sim::cmd_diff(
			{.a = "lo_tcp@linux-5.0", .b = "my.json", .profile_b = "linux-4.4", .phase = "send"},
			run);
	});
	EXPECT_EQ(status, 0);
	EXPECT_EQ(asked, (std::vector<std::vector<std::string>>{
				 {"lo_tcp", "--profile", "linux-5.0", "--phase", "send"},
				 {"my.json", "--profile", "linux-4.4", "--phase", "send"}}));
}

TEST_F(commands, diff_tells_a_scenario_from_a_trace_by_what_is_in_it)
{
	const std::string scenario = file("scenario", "\n { \"name\": \"x\" }\n");
	int status = -1;
	std::string ran;
	captured(status, [&] {
		return sim::cmd_diff({.a = scenario, .b = scenario}, [&](const auto &args) {
			ran = args[0];
			return std::string{"tcp_sendmsg\n"};
		});
	});
	EXPECT_EQ(status, 0);
	EXPECT_EQ(ran, scenario);
}

TEST_F(commands, diff_matches_calls_of_recordings_that_do_not_repeat)
{
	const std::string a = file("curl", "# task curl-7\n__x64_sys_socket\n  __sys_socket\n"
	                                   "__x64_sys_sendto\n  __sys_sendto\n    tcp_sendmsg\n"
	                                   "__x64_sys_close\n"),
			  b = file("model",
	                           "# task client\n__x64_sys_sendto\n  __sys_sendto\n    tcp_sendmsg\n");
	int status = -1;
	const std::string out =
		captured(status, [&] { return sim::cmd_diff({.a = a, .b = b, .match = "calls"}, {}); });
	EXPECT_EQ(status, 1);
	EXPECT_NE(out.find("- socket  (curl-7) (2 functions)"), std::string::npos) << out;
	EXPECT_NE(out.find("... equal: sendto  (curl-7)"), std::string::npos) << out;
	EXPECT_NE(out.find("2 of the left and 0 of the right have no partner"), std::string::npos) << out;
	EXPECT_NE(out.find("the 1 that have one: recall 100.0%"), std::string::npos) << out;
}

TEST_F(commands, diff_names_the_timers_of_a_tick_as_noise)
{
	const std::string a = file("tick", "# task a\ntcp_sendmsg\n# task <idle>\nirq_exit_rcu\n"
	                                   "  handle_softirqs\n    run_timer_softirq\n"),
			  b = file("none", "# task a\ntcp_sendmsg\n");
	int status = -1;
	const std::string out = captured(status, [&] { return sim::cmd_diff({.a = a, .b = b}, {}); });
	EXPECT_EQ(status, 1);
	EXPECT_NE(out.find("-~softirq (2 functions)"), std::string::npos) << out;
	EXPECT_NE(out.find("without that: recall 100.0%"), std::string::npos) << out;
}

TEST_F(commands, diff_of_tasks_in_another_order_is_equal_call_by_call)
{
	const std::string a = file("order_a", "# task x\ntcp_sendmsg\n# task y\ntcp_recvmsg\n"),
			  b = file("order_b", "# task q\ntcp_recvmsg\n# task p\ntcp_sendmsg\n");
	int status = -1;
	captured(status, [&] { return sim::cmd_diff({.a = a, .b = b}, {}); });
	EXPECT_EQ(status, 0);
}

TEST_F(commands, diff_compares_what_a_narrower_recording_has)
{
	const std::string a = file("narrow", "tcp_sendmsg\n  tcp_push\n"),
			  b = file("wide", "__x64_sys_sendto\n  tcp_sendmsg\n    tcp_push\n");
	int status = -1;
	const std::string out = captured(status, [&] { return sim::cmd_diff({.a = a, .b = b}, {}); });
	EXPECT_EQ(status, 0) << out;
	EXPECT_NE(out.find("begins at tcp_sendmsg: only that of"), std::string::npos) << out;
	EXPECT_NE(out.find("recall 50.0%"), std::string::npos) << out; // of the whole
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
