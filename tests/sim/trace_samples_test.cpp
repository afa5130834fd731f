// SPDX-License-Identifier: GPL-2.0-only
//
// The readers on what a kernel and trace-cmd really printed (data/README.md).
#include "sim/tree_text.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace skbwalk::test {
namespace {

using sim::text_tree;

text_tree sample(const std::string &name)
{
	return sim::parse_tree_file(SKBWALK_SOURCE_DIR "/tests/sim/data/" + name + ".txt");
}

// The callers of the first call of a function, outermost first.
std::string path_to(const text_tree &tree, std::string_view function)
{
	std::vector<std::vector<std::string>> open(tree.tasks.size());
	for (const sim::text_node &n : tree.nodes) {
		open[n.task].resize(n.depth);
		open[n.task].push_back(n.name);
		if (n.name != function)
			continue;
		std::string out;
		for (const std::string &name : open[n.task])
			out += (out.empty() ? "" : " ") + name;
		return out;
	}
	return "none";
}

std::string without_pid(const std::string &task)
{
	const std::size_t digits = task.find_last_not_of("0123456789");
	return digits == std::string::npos ? task : task.substr(0, digits + 1);
}

// Without the pids, which differ from one recording to the next.
std::vector<std::string> tasks_of(const text_tree &tree)
{
	std::vector<std::string> out;
	for (const std::string &task : tree.tasks)
		out.push_back(without_pid(task));
	std::ranges::sort(out);
	return out;
}

class options : public testing::TestWithParam<const char *> {};

TEST_P(options, syn_is_received_below_connect)
{
	EXPECT_EQ(path_to(sample(GetParam()), "tcp_rcv_state_process"),
	          "__x64_sys_connect tcp_v4_connect tcp_connect __tcp_transmit_skb __ip_queue_xmit "
	          "__local_bh_enable_ip do_softirq handle_softirqs process_backlog ip_rcv tcp_v4_rcv "
	          "tcp_v4_do_rcv tcp_rcv_state_process");
}

INSTANTIATE_TEST_SUITE_P(samples, options,
                         testing::Values("default", "bare", "cpu-only", "proc-only", "abstime-only",
                                         "nocontext", "nooverhead", "overrun", "latency", "latency-all",
                                         "proc-abstime-tail", "cpus", "events", "events-proc", "kprobe"),
                         [](const auto &name) {
				 std::string out = name.param;
				 std::ranges::replace(out, '-', '_');
				 return out;
			 });

// Debian's 6.12 is built without the options that print return values and callers.
TEST(samples, newer_kernel_prints_the_same_form)
{
	for (const char *name : {"linux-6.12", "linux-6.12-proc-abstime-tail"}) {
		const text_tree tree = sample(name);
		EXPECT_EQ(path_to(tree, "tcp_conn_request"),
		          "__x64_sys_connect tcp_v4_connect tcp_connect __tcp_transmit_skb __ip_queue_xmit "
		          "__local_bh_enable_ip handle_softirqs process_backlog ip_rcv tcp_v4_rcv "
		          "tcp_v4_do_rcv tcp_rcv_state_process tcp_conn_request")
			<< name;
		EXPECT_EQ(tree.lost, 0U);
	}
}

TEST(samples, tasks_are_told_by_the_column_or_by_banners)
{
	for (const char *name : {"default", "proc-only"}) {
		const std::vector<std::string> tasks = tasks_of(sample(name));
		EXPECT_TRUE(std::ranges::binary_search(tasks, "client-")) << name;
		EXPECT_TRUE(std::ranges::binary_search(tasks, "server-")) << name;
	}
}

TEST(samples, forms_of_one_report_are_one_tree)
{
	const text_tree plain = sample("report");
	ASSERT_GT(plain.nodes.size(), 80U);
	for (const char *name : {"report-latency", "report-tail", "report-ns", "report-tsdiff", "report-raw",
	                         "report-noplugins"}) {
		const text_tree other = sample(name);
		EXPECT_EQ(other.tasks, plain.tasks) << name;
		ASSERT_EQ(other.nodes.size(), plain.nodes.size()) << name;
		for (std::size_t i = 0; i < plain.nodes.size(); ++i) {
			EXPECT_EQ(other.nodes[i].name, plain.nodes[i].name) << name << " " << i;
			EXPECT_EQ(other.nodes[i].depth, plain.nodes[i].depth) << name << " " << i;
			EXPECT_EQ(other.nodes[i].task, plain.nodes[i].task) << name << " " << i;
		}
	}
}

TEST(samples, losses_are_counted_and_leave_the_nesting)
{
	const text_tree lost = sample("lost");
	EXPECT_EQ(lost.lost, 244U);
	EXPECT_EQ(path_to(lost, "loopback_xmit"), "dev_hard_start_xmit loopback_xmit");
	EXPECT_GT(sample("lost-proc").lost, 0U);
	EXPECT_EQ(sample("report-lost").lost, 7537U);
	EXPECT_EQ(sample("default").lost, 0U);
}

TEST(samples, wrapped_buffer_begins_with_orphans)
{
	const text_tree tree = sample("wrapped");
	EXPECT_GT(tree.nodes.size(), 50U);
	for (const sim::text_node &n : tree.nodes)
		EXPECT_LT(n.depth, 40U);
}

TEST(samples, modules_tag_is_no_part_of_the_name)
{
	const text_tree tree = sample("default");
	EXPECT_NE(std::ranges::find(tree.nodes, "veth_xmit", &sim::text_node::name), tree.nodes.end());
}

TEST(samples, other_tracers_are_refused_by_name)
{
	const auto error = [](const char *name) -> std::string {
		try {
			(void)sample(name);
		} catch (const sim::bad_trace &e) {
			return e.what();
		}
		return "";
	};
	EXPECT_NE(error("function").find("text of the tracer 'function': expected"), std::string::npos);
	EXPECT_NE(error("report-function").find("a report of the function tracer: expected"),
	          std::string::npos);
}

} // namespace
} // namespace skbwalk::test
