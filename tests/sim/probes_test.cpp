// SPDX-License-Identifier: GPL-2.0-only
//
// Probes by their text, and the program as a user runs it: lines, stacks, counts, addresses that are the
// program's own.
#include "sim/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include <fmt/format.h>

#include "sim/cmd_run.h"
#include "sim/commands.h"
#include "sim/process.h"
#include "sim/symbols.h"

namespace skbwalk::sim {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

std::string refused(std::string_view text)
{
	try {
		static_cast<void>(parse_probe(text));
	} catch (const bad_probe &e) {
		return e.what();
	}
	return "taken";
}

TEST(probe_text, fields_stack_and_format_are_read)
{
	const probe p = parse_probe("veth_xmit { skb, skb.len,dev.name , kstack }");
	EXPECT_EQ(p.function, "veth_xmit");
	ASSERT_EQ(p.fields.size(), 3u);
	EXPECT_EQ(p.fields[1]->name, "skb.len");
	EXPECT_TRUE(p.kstack);
	EXPECT_TRUE(parse_probe("tcp_v4_*").fields.empty());
	EXPECT_EQ(parse_probe("tcp_v4_rcv { printf(\"a %d\\n\", skb.len) }").format, "a %d\n");
}

TEST(probe_text, what_is_wrong_is_said_with_what_comes_near)
{
	EXPECT_THAT(refused("veth_xmitt { skb }"), HasSubstr("like it: veth_xmit"));
	EXPECT_THAT(refused("veth_xmit { skb.lenn }"), HasSubstr("like it: skb.len"));
	EXPECT_THAT(refused("veth_xmit { skb"), HasSubstr("expected '}', found the end"));
	EXPECT_THAT(refused("veth_xmit { skb } more"), HasSubstr("found \"more\""));
	EXPECT_THAT(refused("veth_xmit { printf(\"%d %d\", skb.len) }"), HasSubstr("2 and 1"));
	EXPECT_THAT(refused("{ skb }"), HasSubstr("expected a function"));
	EXPECT_THAT(refused("zzz_*"), HasSubstr("no such function"));
}

run_args asked(const char *scenario, const char *phase)
{
	run_args args;
	args.scenario = scenario;
	args.output.format = trace_format::none;
	args.output.selection.phases = {phase};
	return args;
}

TEST(probes, a_hit_is_a_line_in_the_documents_form_with_the_stack_below)
{
	run_args args = asked("two_namespaces", "send");
	args.probes = {"veth_xmit { skb, skb.len, dev.name, peer.name, kstack }"};
	const std::string text = run_scenario(args).text;

	EXPECT_THAT(text, HasSubstr("bytes skbdev=vc ===> peer_skbdev=vs\n\n\t"));
	EXPECT_TRUE(std::regex_search(
		text, std::regex("veth_xmit skb=[0-9a-f]+ skblen=71 bytes skbdev=vc ===> peer_skbdev=vs\n\n"
	                         "\t[0-9a-f]{16} veth_xmit\\+[0-9]+\n")))
		<< text;
	EXPECT_THAT(text, HasSubstr(" entry_SYSCALL_64_after_hwframe"));
	EXPECT_EQ(text, run_scenario(args).text);
}

TEST(probes, a_stacks_addresses_are_the_programs_own)
{
	run_args args = asked("two_namespaces", "send");
	args.probes = {"ip_output { kstack }"};
	const std::string text = run_scenario(args).text;
	const symbol_table &symbols = symbol_table::own();
	const std::regex line("\t([0-9a-f]{16}) (\\w+)\\+([0-9]+)\n");
	u32 lines = 0;

	if (symbols.empty())
		GTEST_SKIP() << "the program is stripped";
	for (std::sregex_iterator m(text.begin(), text.end(), line), end; m != end; ++m, ++lines) {
		const u64 address = std::stoull((*m)[1], nullptr, 16);
		const symbol *s = symbols.at(address - 1);
		ASSERT_TRUE(s) << m->str();
		EXPECT_EQ(s->name, (*m)[2]);
		EXPECT_EQ(address - s->address, std::stoull((*m)[3]));
	}
	EXPECT_GT(lines, 5u);
}

TEST(probes, counts_and_stacks_are_those_of_the_trace)
{
	run_args args = asked("two_namespaces", "send");
	args.output.funccount = "veth_x*";
	EXPECT_THAT(run_scenario(args).text, MatchesRegex("FUNC +COUNT\nveth_xmit +2\n"));
	args.output.funccount.clear();
	args.output.stackcount = "veth_xmit";
	const std::string text = run_scenario(args).text;
	EXPECT_THAT(text, HasSubstr("  veth_xmit\n  dev_hard_start_xmit\n  __dev_queue_xmit\n"));
	EXPECT_THAT(text, HasSubstr("\n    1\n\n"));
}

TEST(probes, the_function_tracer_has_a_line_for_each_call_with_its_caller)
{
	run_args args = asked("two_namespaces", "send");
	args.output.format = trace_format::function;
	EXPECT_TRUE(std::regex_search(run_scenario(args).text,
	                              std::regex("client-1000    \\[000\\] +[0-9]+\\.[0-9]{6}: ")));
	EXPECT_THAT(run_scenario(args).text, HasSubstr(": veth_xmit <-dev_hard_start_xmit\n"));
	args.output.function = {.sym_offset = true, .sym_addr = true};
	EXPECT_TRUE(std::regex_search(
		run_scenario(args).text,
		std::regex(
			": veth_xmit\\+0x[0-9a-f]+/0x[0-9a-f]+ \\[veth\\] <[0-9a-f]{16}> <-dev_hard_start_xmit\\+0x")));
}

TEST(probes, gdb_agrees_about_the_addresses_and_offsets_of_a_stack)
{
	if (run_process({"gdb", "--version"}).status != 0)
		GTEST_SKIP() << "there is no gdb";
	run_args args = asked("two_namespaces", "send");
	args.output.format = trace_format::none;
	args.probes = {"veth_xmit { kstack }"};
	const std::string text = run_scenario(args).text;
	const std::regex line("([0-9a-f]{16}) ([a-z_0-9]+)\\+([0-9]+)\n");
	std::vector<std::string> words{"gdb", "-batch", "-nx", "/proc/self/exe"};
	words.back() = std::filesystem::read_symlink(words.back());
	std::vector<std::string> expected;
	for (std::sregex_iterator it{text.begin(), text.end(), line}, end; it != end; ++it) {
		words.insert(words.end(), {"-ex", fmt::format("info symbol 0x{}", it->str(1))});
		expected.push_back(
			fmt::format("(skbwalk::)?{}(\\(.*\\))?( \\[clone .*\\])?( const)? \\+ {} in "
		                    "section \\.text",
		                    it->str(2), it->str(3)));
	}
	ASSERT_GT(expected.size(), 8U) << text;
	std::istringstream said{run_process(words).output};
	for (const std::string &e : expected) {
		std::string answer;
		std::getline(said, answer);
		EXPECT_TRUE(std::regex_search(answer, std::regex(e))) << answer << "\n  is not " << e;
	}
}

TEST(where_command, an_offset_becomes_our_line_and_the_kernels_file)
{
	try {
		const std::string text = where("tcp_v4_rcv+0x10");
		EXPECT_THAT(text, HasSubstr("tcp_v4_rcv+0x10/0x"));
		EXPECT_THAT(text, HasSubstr("stack/ipv4/tcp_ipv4.cpp:"));
		EXPECT_THAT(text, HasSubstr("kernel: net/ipv4/tcp_ipv4.c"));
	} catch (const no_resolver &e) {
		GTEST_SKIP() << e.what();
	}
	EXPECT_THROW(static_cast<void>(where("tcp_v4_rcvv")), bad_probe);
	EXPECT_THROW(static_cast<void>(where("tcp_v4_rcv+0xfffff")), bad_probe);
	EXPECT_THROW(static_cast<void>(where("tcp_v4_rcv+zz")), bad_probe);
}

} // namespace
} // namespace skbwalk::sim
