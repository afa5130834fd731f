// SPDX-License-Identifier: GPL-2.0-only
#include "sim/embedded.h"
#include "sim/profile.h"
#include "tests/sim/tree_builder.h"

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::profile;
using sim::trace_view;
using trace::site_kind;

profile profile_of(const char *functions, const char *inlining, const char *rules = "",
                   const char *tails = "")
{
	profile p;
	p.read_functions(functions, "functions");
	p.read_inlining(inlining, "inlined");
	p.read_tail_calls(tails, "tailcalls");
	p.read_rules(rules, "rules");
	return p;
}

std::string shown(const profile &p, tree_builder &b, trace_view view = trace_view::graph)
{
	sim::call_tree tree = b.tree();
	p.apply(tree, view);
	return names_of(tree);
}

TEST(profile_graph, untraceable_function_gives_its_children_to_its_caller)
{
	const profile p = profile_of("ip_rcv\nip_rcv_core\n", "");
	tree_builder b;
	b.enter("ip_rcv").enter("NF_HOOK", site_kind::header_inline).leaf("ip_rcv_core").leave().leave();
	EXPECT_EQ(shown(p, b), "ip_rcv\n  ip_rcv_core\n");
	EXPECT_EQ(shown(p, b, trace_view::source), "ip_rcv\n  NF_HOOK\n    ip_rcv_core\n");
}

TEST(profile_graph, site_decides_by_physical_and_immediate_caller)
{
	const profile p = profile_of("a\nb\nc\nf\n", "inlined a b f\ninlined * c f\n");
	tree_builder b;
	b.enter("a").enter("b").leaf("f").leave().enter("c").leaf("f").leave().leave();
	EXPECT_EQ(shown(p, b), "a\n  b\n    f\n  c\n"); // b has code of its own: P is b, not a

	const profile q = profile_of("a\nf\nc\n", "inlined a b f\ninlined * c f\n");
	EXPECT_EQ(shown(q, b), "a\n  c\n"); // b is part of a
}

TEST(profile_graph, symbol_carries_the_compilers_suffix)
{
	const profile p = profile_of("f.isra.0\ng.constprop.0\ng.constprop.1\n",
	                             "name g g.constprop.1\nname g g.constprop.0 f\n");
	tree_builder b;
	b.enter("f").leaf("g").leave().leaf("g");
	EXPECT_EQ(shown(p, b), "f.isra.0\n  g.constprop.0\ng.constprop.1\n");
}

TEST(profile_graph, marked_part_shows_in_its_function_or_instead_of_it)
{
	const char *inlining = "split f f.part.0 +x\npart * head f\ninlined * whole f\n";
	const profile p = profile_of("f\nf.part.0\nhead\nwhole\nx\ncaller\n", inlining);
	for (const char *caller : {"caller", "head", "whole"}) {
		tree_builder b;
		b.enter(caller).enter("f").part("f").leaf("x").leave().leave().leave();
		const std::string expected = std::string{caller} == "caller"
		                                     ? "caller\n  f\n    f.part.0\n      x\n"
		                             : std::string{caller} == "head" ? "head\n  f.part.0\n    x\n"
		                                                             : "whole\n  x\n";
		EXPECT_EQ(shown(p, b), expected);
		EXPECT_EQ(shown(p, b, trace_view::source), std::string{caller} + "\n  f\n    x\n");
	}
}

TEST(profile_graph, unmarked_part_begins_at_the_first_call_that_only_it_makes)
{
	const profile p = profile_of("f\nf.part.0\ng\nx\ny\n", "split f f.part.0 +x -g\ninlined f f y\n");
	tree_builder b;
	b.enter("f").leaf("g").leaf("x").leaf("y").leave();
	EXPECT_EQ(shown(p, b), "f\n  g\n  f.part.0\n    x\n");
	tree_builder early;
	early.enter("f").leaf("g").leave();
	EXPECT_EQ(shown(p, early), "f\n  g\n");
}

TEST(profile_rules, last_rule_that_fits_wins)
{
	const char *functions = "a\nb\nf\nr\n";
	tree_builder b;
	b.enter("a").leaf("f").leaf("f").leaf("r").leave().enter("b").leaf("f").leave();
	EXPECT_EQ(shown(profile_of(functions, "", "hide f\nshow b>f\n"), b), "a\n  r\nb\n  f\n");
	EXPECT_EQ(shown(profile_of(functions, "", "hide a>f #2\n"), b), "a\n  f\n  r\nb\n  f\n");
	EXPECT_EQ(shown(profile_of(functions, "", "hide f before r\n"), b), "a\n  r\nb\n  f\n");
	EXPECT_EQ(shown(profile_of(functions, "", "hide f after f\n"), b), "a\n  f\n  r\nb\n  f\n");
	EXPECT_EQ(shown(profile_of(functions, "", "hide f under b\n"), b), "a\n  f\n  f\n  r\nb\n");
	EXPECT_EQ(shown(profile_of(functions, "", "rename f g\nrename f h in source\nhide r\n"), b),
	          "a\n  g\n  g\nb\n  g\n");
	EXPECT_EQ(shown(profile_of(functions, "", "rename f g\nrename f h in source\nabsent r\n"), b,
	                trace_view::source),
	          "a\n  h\n  h\nb\n  h\n");
}

TEST(profile_rules, renames_do_not_cascade)
{
	tree_builder b;
	b.enter("handle_softirqs").leaf("x").leave();
	EXPECT_EQ(shown(profile_of("handle_softirqs\nx\n", "",
	                           "absent __do_softirq\nrename handle_softirqs __do_softirq\n"),
	                b),
	          "__do_softirq\n  x\n");
}

TEST(profile_stack, callee_of_a_jump_stands_beside_its_caller)
{
	const profile p = profile_of("s\ni\nt\nu\nv\n", "", "frame u>v\n", "i\tt\nt\tu\nu\tv\n");
	tree_builder b;
	b.enter("s").enter("i").leaf("x").enter("t").enter("u").leaf("v").leave().leave().leave().leave();
	EXPECT_EQ(shown(p, b, trace_view::stack), "s\n  i\n  t\n  u\n    v\n");
}

TEST(profile_stack, call_that_is_not_the_last_keeps_the_frame)
{
	const profile p = profile_of("i\nt\n", "", "", "i\tt\n");
	tree_builder b;
	b.enter("i").leaf("t").leaf("t").leave();
	EXPECT_EQ(shown(p, b, trace_view::stack), "i\n  t\nt\n");
}

TEST(profile_files, errors_name_file_and_line)
{
	const auto message = [](auto read) -> std::string {
		try {
			profile p;
			read(p);
		} catch (const sim::bad_profile &e) {
			return e.what();
		}
		return "";
	};
	EXPECT_EQ(message([](profile &p) { p.read_rules("hide a\nwhatever b\n", "x.diff"); }),
	          "x.diff:2: unknown word 'whatever'");
	EXPECT_EQ(message([](profile &p) { p.read_rules("feature nosuch\n", "x.diff"); }),
	          "x.diff:1: no feature 'nosuch'");
	EXPECT_EQ(message([](profile &p) { p.use_functions("ok\n<html> x\n", "f"); }),
	          "f:2: expected a function's name as in available_filter_functions, not '<html> x'");
	EXPECT_EQ(message([](profile &p) { p.use_functions("", "f"); }), "f: no functions in it");
	EXPECT_NE(message([](profile &) { (void)profile::load("linux-2.0"); }).find("linux-6.1"),
	          std::string::npos);
}

TEST(profile_files, own_function_list_replaces_the_profiles)
{
	profile p = profile_of("a\nb\n", "");
	p.use_functions("b\nveth_xmit [veth]\n", "mine");
	tree_builder b;
	b.enter("a").leaf("veth_xmit").leave();
	EXPECT_EQ(shown(p, b), "veth_xmit\n");
}

TEST(profile_data, every_profile_loads_and_says_what_it_is)
{
	const auto all = profile::list();
	std::set<std::string> names;
	for (const auto &[name, summary] : all) {
		names.insert(name);
		EXPECT_FALSE(summary.empty()) << name;
		EXPECT_GT(profile::load(name).scope().size(), 7000U);
	}
	EXPECT_EQ(names, (std::set<std::string>{"linux-4.18-el8", "linux-4.4", "linux-5.0", "linux-5.15",
	                                        "linux-6.1", "linux-6.5"}));
	EXPECT_TRUE(profile::load("linux-4.4").features().options_before_window);
	EXPECT_TRUE(profile::load("linux-4.4").features().prequeue);
	// A backport: RHEL 8.5 has the younger order again.
	EXPECT_FALSE(profile::load("linux-4.18-el8").features().options_before_window);
	EXPECT_FALSE(profile::load("linux-6.1").features().split_seq_and_ts_off);
}

TEST(profile_data, linux_6_1_knows_its_sites)
{
	const profile p = profile::load("linux-6.1");
	tree_builder b;
	b.enter("tcp_v4_rcv").leaf("tcp_filter").leaf("tcp_check_req").leave();
	b.enter("__local_bh_enable_ip")
		.enter("do_softirq")
		.part("do_softirq")
		.leaf("handle_softirqs")
		.leave()
		.leave()
		.leave();
	b.enter("__netif_receive_skb_one_core").leaf("__netif_receive_skb_core").leave();
	EXPECT_EQ(shown(p, b), "tcp_v4_rcv\n  tcp_check_req\n"
	                       "__local_bh_enable_ip\n  do_softirq.part.0\n    handle_softirqs\n"
	                       "__netif_receive_skb_one_core\n  __netif_receive_skb_core.constprop.0\n");
}

} // namespace
} // namespace skbwalk::test
