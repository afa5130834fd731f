// SPDX-License-Identifier: GPL-2.0-only
#include "sim/trace_writer.h"

#include "sim/profile.h"
#include "sim/trace_selection.h"
#include "sim/tree_text.h"
#include "tests/sim/tree_builder.h"

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::write_function_graph;
using sim::write_tree;
using trace::record_kind;

tree_builder blocked_reader()
{
	tree_builder b;
	b.mark(record_kind::phase_begin, "recv").wait(284'000);
	b.task("peer", 124).enter("__sys_recvfrom").enter("schedule");
	b.wait(30'000'000).mark(record_kind::step, "c send").wait(15'000);
	b.task("nettest", 123).enter("__sys_sendto").leaf("tcp_sendmsg").leave();
	b.task("peer", 124).leave().leaf("remove_wait_queue").leave();
	b.mark(record_kind::phase_end, "");
	return b;
}

TEST(write_tree, task_that_comes_back_goes_on_at_its_depth)
{
	EXPECT_EQ(write_tree(blocked_reader().tree()), "# phase recv\n"
	                                               "# task peer +0.284 ms\n"
	                                               "__sys_recvfrom\n"
	                                               "  schedule\n"
	                                               "# step +30.286 ms: c send\n"
	                                               "# task nettest +30.301 ms\n"
	                                               "__sys_sendto\n"
	                                               "  tcp_sendmsg\n"
	                                               "# task peer +30.306 ms\n"
	                                               "  remove_wait_queue\n");
}

TEST(write_tree, lost_records_are_reported)
{
	sim::call_tree tree = tree_builder{}.leaf("ip_rcv").tree();
	tree.lost = 7;
	EXPECT_EQ(write_tree(tree), "# task nettest +0.000 ms\nip_rcv\n"
	                            "# lost 7 records: the ring was full, the newest are missing\n");
	EXPECT_EQ(sim::parse_tree_text(write_tree(tree), "t").lost, 7U);
	EXPECT_EQ(sim::parse_tree_text(write_function_graph(tree, {}), "t").lost, 7U);
}

TEST(write_graph, function_of_a_module_has_its_name_behind_it)
{
	tree_builder b;
	sim::profile p;

	p.use_functions("veth_xmit [veth]\nbr_handle_frame [bridge]\nip_rcv\n", "a kernel's");
	b.enter("veth_xmit").leaf("ip_rcv").leaf("br_handle_frame").leave();
	EXPECT_EQ(
		write_function_graph(b.tree(), {.cpu = false, .duration = false, .tail = true}, &p),
		"# tracer: function_graph\n#\n#               FUNCTION CALLS\n#               |   |   |   |\n"
		"veth_xmit [veth]() {\n  ip_rcv();\n  br_handle_frame [bridge]();\n"
		"} /* veth_xmit [veth] */\n");
	EXPECT_EQ(sim::profile::load("linux-6.1").module_of("br_nf_pre_routing"), "br_netfilter");
	EXPECT_EQ(sim::profile::load("linux-6.1").module_of("tcp_v4_rcv"), "");
}

TEST(write_graph, default_columns_are_those_of_ftrace)
{
	EXPECT_EQ(write_function_graph(blocked_reader().tree(), {}),
	          "# tracer: function_graph\n"
	          "#\n"
	          "# CPU  DURATION                  FUNCTION CALLS\n"
	          "# |     |   |                     |   |   |   |\n"
	          " 0)               |  /* phase recv */\n"
	          " 0)               |  __sys_recvfrom() {\n"
	          " 0)               |    schedule() {\n"
	          " 0)               |      /* step c send */\n"
	          " ------------------------------------------\n"
	          " 0)    peer-124    =>  nettest-123  \n"
	          " ------------------------------------------\n"
	          "\n"
	          " 0)               |  __sys_sendto() {\n"
	          " 0)   1.000 us    |    tcp_sendmsg();\n"
	          " 0)   3.000 us    |  }\n"
	          " ------------------------------------------\n"
	          " 0)  nettest-123   =>    peer-124   \n"
	          " ------------------------------------------\n"
	          "\n"
	          " 0) * 30020.00 us |    } /* schedule */\n"
	          " 0)   1.000 us    |    remove_wait_queue();\n"
	          " 0) * 30024.00 us |  } /* __sys_recvfrom */\n");
}

TEST(write_graph, all_options_change_their_columns)
{
	tree_builder b;
	b.wait(12'000'345'678).enter("ip_rcv").leaf("ip_rcv_core").leave();
	EXPECT_EQ(write_function_graph(b.tree(), {.cpu = true, .proc = true, .abstime = true, .tail = true}),
	          "# tracer: function_graph\n"
	          "#\n"
	          "#     TIME        CPU  TASK/PID         DURATION                  FUNCTION CALLS\n"
	          "#      |          |     |    |           |   |                     |   |   |   |\n"
	          "   12.000345 |   0)  nettest-123   |               |  ip_rcv() {\n"
	          "   12.000346 |   0)  nettest-123   |   1.000 us    |    ip_rcv_core();\n"
	          "   12.000348 |   0)  nettest-123   |   3.000 us    |  } /* ip_rcv */\n");
	EXPECT_EQ(write_function_graph(b.tree(), {.cpu = false, .overhead = false, .duration = false}),
	          "# tracer: function_graph\n"
	          "#\n"
	          "#               FUNCTION CALLS\n"
	          "#               |   |   |   |\n"
	          "ip_rcv() {\n"
	          "  ip_rcv_core();\n"
	          "}\n");
}

TEST(write_graph, durations_keep_seven_digits_and_their_marks)
{
	tree_builder b;
	for (const u64 ns :
	     {u64{999}, u64{10'001}, u64{100'001}, u64{1'000'001}, u64{123'456'789}, u64{1'234'567'890}})
		b.enter("f").wait(ns - 1000).leave();
	const std::string text = write_function_graph(b.tree(), {});
	for (const char *line :
	     {" 0)   0.999 us    |  f();\n", " 0) + 10.001 us   |  f();\n", " 0) ! 100.001 us  |  f();\n",
	      " 0) # 1000.001 us |  f();\n", " 0) @ 123456.7 us |  f();\n", " 0) $ 1234567 us  |  f();\n"})
		EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

// As recorded: a 6.1 kernel prints none (tests/sim/data/default.txt), since nothing of .irqentry.text is
// traceable.
TEST(write_graph, hard_interrupts_get_arrows_where_the_release_has_them)
{
	const auto text = [](const char *entry) {
		tree_builder b;
		b.enter("default_idle_call")
			.in(trace::run_context::hardirq)
			.enter(entry)
			.leaf("e1000_intr")
			.leave();
		b.in(trace::run_context::task).leave();
		return write_function_graph(b.tree(), {});
	};
	EXPECT_NE(text("do_IRQ").find(" 0)   ==========> |\n 0)               |    do_IRQ() {\n"),
	          std::string::npos);
	EXPECT_EQ(text("__common_interrupt").find("==========>"), std::string::npos);
}

TEST(write_graph, hard_interrupts_are_left_out_by_default)
{
	tree_builder b;
	b.enter("default_idle_call")
		.in(trace::run_context::hardirq)
		.enter("__common_interrupt")
		.leaf("e1000_intr")
		.leave();
	b.in(trace::run_context::task).leave();
	sim::call_tree tree = b.tree();
	sim::select(tree, {});
	EXPECT_EQ(names_of(tree), "default_idle_call\n");
}

TEST(write_graph, text_reads_back_as_the_tree_text_does)
{
	const sim::call_tree tree = blocked_reader().tree();
	const sim::text_tree a = sim::parse_tree_text(write_tree(tree), "a");
	for (const bool proc : {false, true}) {
		const sim::text_tree b = sim::parse_tree_text(
			write_function_graph(tree, {.proc = proc, .abstime = proc, .tail = proc}), "b");
		ASSERT_EQ(a.nodes.size(), b.nodes.size());
		for (std::size_t i = 0; i < a.nodes.size(); ++i) {
			EXPECT_EQ(a.nodes[i].name, b.nodes[i].name);
			EXPECT_EQ(a.nodes[i].depth, b.nodes[i].depth) << a.nodes[i].name;
		}
	}
}

TEST(select, phase_root_and_patterns)
{
	tree_builder b;
	b.mark(record_kind::phase_begin, "one").leaf("connect").mark(record_kind::phase_end, "");
	b.mark(record_kind::phase_begin, "two")
		.enter("send")
		.enter("tcp_push")
		.leaf("ip_output")
		.leave()
		.leave();
	b.mark(record_kind::phase_end, "");
	const auto names = [&](const sim::trace_selection &what) {
		sim::call_tree tree = b.tree();
		sim::select(tree, what);
		return names_of(tree);
	};
	EXPECT_EQ(names({.phases = {"two"}, .roots = {"tcp_push"}}), "tcp_push\n  ip_output\n");
	EXPECT_EQ(names({.notrace = {"tcp_*"}}), "connect\nsend\n  ip_output\n");
	EXPECT_EQ(names({.fold = {"send"}}), "connect\nsend\n");
	EXPECT_EQ(names({.only = {"*_pu[r-t]h", "ip_output"}}), "tcp_push\n  ip_output\n");
	EXPECT_EQ(names({.depth_max = 2}), "connect\nsend\n  tcp_push\n");
	EXPECT_THROW(names({.phases = {"three"}}), sim::bad_selection);
	EXPECT_THROW(names({.roots = {"nosuch"}}), sim::bad_selection);
	EXPECT_THROW(names({.tasks = {"nosuch"}}), sim::bad_selection);
}

TEST(select, names_are_cleaned_of_suffixes)
{
	EXPECT_EQ(sim::clean_name("ip_rcv_finish_core.constprop.0.isra.0"), "ip_rcv_finish_core");
	EXPECT_EQ(sim::clean_name("f.cold"), "f");
	EXPECT_EQ(sim::clean_name("tcp_v4_rcv"), "tcp_v4_rcv");
	EXPECT_EQ(sim::clean_name("f.7"), "f.7");
}

} // namespace
} // namespace skbwalk::test
