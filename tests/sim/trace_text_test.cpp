// SPDX-License-Identifier: GPL-2.0-only
#include "sim/tree_text.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::parse_tree_text;
using sim::text_tree;

// NAME@DEPTH:TASK for each node.
std::string nodes_of(std::string_view text)
{
	std::string out;
	const sim::text_tree tree = parse_tree_text(text, "t");
	for (const sim::text_node &n : tree.nodes)
		out += n.symbol + "@" + std::to_string(n.depth) + ":" + tree.tasks[n.task] + " ";
	return out;
}

std::string error_of(std::string_view text)
{
	try {
		(void)parse_tree_text(text, "t");
	} catch (const sim::bad_trace &e) {
		return e.what();
	}
	return "";
}

TEST(tree_text, tasks_keep_their_depth)
{
	EXPECT_EQ(nodes_of("# task a +1 ms\nf\n  g.isra.0 # remark\n# task b\nh\n# task a\n  i\n"),
	          "f@0:a g.isra.0@1:a h@0:b i@1:a ");
	EXPECT_EQ(parse_tree_text("# match: sequence\n# kernel: 4.18\nf\n", "t").directives.at("match"),
	          "sequence");
}

TEST(function_graph_text, columns_do_not_matter)
{
	for (const char *text :
	     {" 0)               |  f() {\n 0) + 12.5 us    |    g();\n 0)   1.2 us    |  }\n 0)               |  h();\n",
	      "f() {\n  g();\n}\nh();\n",
	      "  f() { /* <-x */\n    g(); /* ret=0x0 */\n  } /* f ret=0 */\n  h(skb=0xffff8880, len=(2));\n"})
		EXPECT_EQ(sim::parse_tree_text(text, "t").nodes.size(), 3U) << text;
	EXPECT_EQ(
		nodes_of(
			" 12)  nettest-1    |               |  f [veth]() {\n 12)  nettest-1    |  1 us  |    g() [br];\n"),
		"f@0:nettest-1 g@1:nettest-1 ");
	EXPECT_EQ(nodes_of("  100.000123 |   3)  <idle>-0    |   0.1 us    |  f();\n"), "f@0:<idle>-0 ");
	EXPECT_EQ(nodes_of("  100.000123 |   3)   0.1 us    |  f();\n"), "f@0:3 ");
}

TEST(function_graph_text, banner_says_who_runs)
{
	EXPECT_EQ(nodes_of(" 0)               |  f() {\n"
	                   " ------------------------------------------\n"
	                   " 0)  nettest-123   =>    peer-124   \n"
	                   " ------------------------------------------\n\n"
	                   " 0)               |  g();\n"
	                   " ------------------------------------------\n"
	                   " 0)    peer-124    =>  nettest-123  \n"
	                   " ------------------------------------------\n\n"
	                   " 0)               |    h();\n"),
	          "f@0:nettest-123 g@0:peer-124 h@1:nettest-123 ");
}

TEST(function_graph_text, orphan_braces_losses_arrows_and_remarks)
{
	EXPECT_EQ(
		nodes_of(
			" 0)               |    }\n 0)               |  } /* f */\n 0)   0.5 us    |  g();\n"),
		"g@0:0 ");
	EXPECT_EQ(
		nodes_of(
			" 0)   ==========> |\n 0)               |  f() {\n 0)               |  /* sched_switch: x */\n"
			" 0)   <========== |\n"),
		"f@0:0 ");
	const char *lost =
		" 0)               |  f() {\nCPU:0 [LOST 12 EVENTS]\n 0)               |      g() {\n 0)               |        h();\n";
	EXPECT_EQ(nodes_of(lost), "f@0:0 g@1:0 h@2:0 "); // what stood between f and g is lost
	EXPECT_EQ(parse_tree_text(lost, "t").lost, 12U);
}

TEST(function_graph_text, report_of_trace_cmd)
{
	EXPECT_EQ(
		nodes_of(
			"cpus=2\n"
			"         nettest-123   [000]   123.456789: funcgraph_entry:                   |  f() {\n"
			"            peer-124   [001] .... 123.456790: funcgraph_entry:        0.150 us   |  g();\n"
			"         nettest-123   [000]   123.456791: sched_wakeup:         peer:124 [120] CPU:001\n"
			"         nettest-123   [000]   123.456792: funcgraph_entry:        1.1 us   |    h();\n"
			"         nettest-123   [000]   123.456793: funcgraph_exit:         4.5 us   |  }\n"),
		"f@0:nettest-123 g@0:peer-124 h@1:nettest-123 ");
}

TEST(function_graph_text, notes_and_arguments_of_newer_kernels)
{
	EXPECT_EQ(nodes_of(" 0)               |  f(skb=0xffff, s=\"a|b {\", len=(2)) { /* <-caller */\n"
	                   " 0)   0.5 us      |    g(x=1); /* <-f ret=0x0 */\n"
	                   " 0)   1.5 us      |  } /* f ret=0 */\n"
	                   " 0)   0.5 us      |  h [br](); /* = -11 */\n"),
	          "f@0:0 g@1:0 h@0:0 ");
}

TEST(function_graph_text, depth_is_the_indentation_where_braces_are_missing)
{
	// f never ends; what follows stands where it stands.
	EXPECT_EQ(nodes_of(" 0)               |  f() {\n 0)               |    g() {\n"
	                   " 0)   1 us        |      h();\n 0)   1 us        |      h();\n"
	                   " 0)   1 us        |  i();\n 0)   1 us        |  i();\n"),
	          "f@0:0 g@1:0 h@2:0 h@2:0 i@0:0 i@0:0 ");
	// Somebody took the indentation away.
	EXPECT_EQ(nodes_of("f() {\ng() {\nh();\n}\n}\ni();\n"), "f@0: g@1: h@2: i@0: ");
}

TEST(function_graph_text, tasks_are_told_apart_by_pid_and_idle_ones_by_cpu)
{
	EXPECT_EQ(nodes_of(" 0)  <...>-7     |               |  f() {\n"
	                   " 1)  <idle>-0    |               |  i() {\n"
	                   " 0)  <idle>-0    |   1 us        |  i();\n"
	                   " 1)  client-7    |   1 us        |    g();\n"
	                   " 1)  <idle>-0    |   1 us        |    j();\n"),
	          "f@0:client-7 i@0:<idle>-0 i@0:<idle>-0/1 g@1:client-7 j@1:<idle>-0 ");
}

TEST(function_graph_text, arrows_mark_what_interrupted)
{
	const text_tree tree = parse_tree_text(" 0)               |  f() {\n"
	                                       " 0)   ==========> |\n"
	                                       " 0)   1 us        |    do_IRQ();\n"
	                                       " 0)   <========== |\n"
	                                       " 0)   1 us        |    g();\n"
	                                       " 0)   9 us        |  }\n",
	                                       "t");
	EXPECT_FALSE(tree.nodes[0].irq);
	EXPECT_TRUE(tree.nodes[1].irq);
	EXPECT_FALSE(tree.nodes[2].irq);
}

TEST(tree_text, what_is_no_trace_is_refused_with_its_place)
{
	EXPECT_EQ(error_of(""), "t: the file is empty: expected a call tree or function_graph text");
	EXPECT_EQ(error_of("# only remarks\n"),
	          "t: no functions in it: expected a call tree or function_graph text");
	EXPECT_EQ(error_of(std::string_view{"f\0g\n", 4}),
	          "t: a binary file, not a trace: expected a call tree or function_graph text");
	EXPECT_EQ(error_of("\x17\x08\x44tracing..."),
	          "t: trace-cmd's data: expected text, as `trace-cmd report -i FILE` prints it");
	EXPECT_EQ(error_of("f\n  g"), "t:2: expected one function's name, indented by two spaces a level "
	                              "(the file ends within the line): '  g'");
	EXPECT_EQ(error_of("f\nsome prose here\n"),
	          "t:2: expected one function's name, indented by two spaces a level: 'some prose here'");
	EXPECT_EQ(error_of(" 0)  1 us |  f();\nGarbage line\n"),
	          "t:2: expected a line of function_graph text: 'Garbage line'");
	EXPECT_EQ(
		error_of(" 0)  1 us |  f();\n 0)  1 us |  tcp_se"),
		"t:2: expected a line of function_graph text (the file ends within the line): ' 0)  1 us |  tcp_se'");
}

TEST(tree_text, every_reference_file_parses)
{
	std::size_t files = 0;
	for (const auto &entry :
	     std::filesystem::recursive_directory_iterator(SKBWALK_SOURCE_DIR "/tests/reference"))
		if (entry.path().extension() == ".tree") {
			++files;
			EXPECT_FALSE(sim::parse_tree_file(entry.path().string()).nodes.empty());
		}
	EXPECT_EQ(files, 72U);
}

} // namespace
} // namespace skbwalk::test
