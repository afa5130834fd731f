// SPDX-License-Identifier: GPL-2.0-only
//
// The runner: the order of steps, phases and what they record, expectations that fail, and tasks that wait
// for ever.
#include "sim/runner.h"

#include "sim/cmd_run.h"
#include "sim/trace_tree.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;
using testing::ElementsAre;
using testing::HasSubstr;

// Runs a file with these keys, on loopback by default; what the world leaves over is a failure.
run_report run(const std::string &keys, call_tree *tree = nullptr,
               const std::string &setup = R"("ip link set lo up")")
{
	const scenario s = parse_scenario(
		R"({"name": "n", "about": "a", "setup": [)" + setup + "], " + keys + "}", "f.json");
	world w{{.trace_records_max = 1 << 18}};
	run_report report;
	{
		runner r{w, s};
		r.set_up();
		report = r.run();
		if (tree)
			*tree = read_back(*w.recorder(), w.host_names());
	}
	EXPECT_THAT(w.end(), testing::IsEmpty());
	return report;
}

const std::string listens = R"({"task": "s", "call": "socket", "as": "l"},
	{"task": "s", "call": "bind", "fd": "l", "addr": "127.0.0.1:80"},
	{"task": "s", "call": "listen", "fd": "l"}, )";
const std::string two_tasks = R"("tasks": {"s": {}, "c": {}}, )";
const std::string connects =
	R"({"task": "c", "call": "socket", "as": "c"}, {"task": "c", "call": "connect", "fd": "c", "addr": "127.0.0.1:80"})";

TEST(runner_order, blocked_step_lets_the_next_task_go_on)
{
	const run_report r = run(two_tasks + R"("steps": [)" + listens +
	                         R"({"task": "s", "call": "accept", "fd": "l", "as": "a"}, )" + connects +
	                         R"(, {"task": "s", "call": "send", "fd": "a", "data": "x", "expect": 1}])");
	EXPECT_THAT(r.failures, testing::IsEmpty());
	EXPECT_EQ(r.deadlock, "");
}

TEST(runner_calls, echo_gives_back_all_that_comes_until_so_many_bytes_or_the_end)
{
	const run_report r = run(two_tasks + R"("steps": [)" + listens + connects +
	                         R"(, {"task": "s", "call": "accept", "fd": "l", "as": "a"},
		{"task": "s", "call": "echo", "fd": "a", "bytes": 6, "after_us": 2000, "expect": 6},
		{"task": "c", "call": "send", "fd": "c", "data": "abc"},
		{"task": "c", "call": "send", "fd": "c", "data": "def"},
		{"task": "c", "call": "recv", "fd": "c", "size": 64,
		 "expect": {"data": "abcdef", "took_us": {"min": 1000, "max": 3000}}},
		{"task": "s", "call": "echo", "fd": "a", "size": 2, "expect": 3},
		{"task": "c", "call": "send", "fd": "c", "data": "ghi"},
		{"task": "c", "call": "shutdown", "fd": "c", "how": "SHUT_WR"},
		{"task": "c", "call": "recv", "fd": "c", "size": 3, "flags": "MSG_WAITALL", "expect": {"data": "ghi"}},
		{"task": "s", "call": "socket", "as": "u", "type": "SOCK_DGRAM"},
		{"task": "s", "call": "bind", "fd": "u", "addr": "127.0.0.1:7"},
		{"task": "s", "call": "echo", "fd": "u", "bytes": 2, "expect": 2},
		{"task": "c", "call": "socket", "as": "v", "type": "SOCK_DGRAM"},
		{"task": "c", "call": "sendto", "fd": "v", "data": "hi", "addr": "127.0.0.1:7"},
		{"task": "c", "call": "recv", "fd": "v", "size": 64, "expect": {"data": "hi"}}])");
	EXPECT_THAT(r.failures, testing::IsEmpty());
	EXPECT_EQ(r.deadlock, "");
}

TEST(runner_order, sleep_holds_up_what_follows_unless_async)
{
	const auto ms = [](const std::string &async) {
		return run(R"("tasks": {"s": {}, "c": {}}, "steps": [{"task": "s", "call": "sleep", "ms": 100},
			{"task": "c", "call": "sleep", "ms": 100)" +
		           async + "}]")
		               .virtual_ns /
		       NSEC_PER_MSEC;
	};
	EXPECT_NEAR(static_cast<double>(ms("") - ms(R"(, "async": true)")), 100, 5);
}

// A wire's events leave the only cpu inside a function; to close the card may sleep, which that task does
// not.
TEST(runner_order, command_finds_no_cpu_of_its_host_inside_a_task)
{
	const run_report r = run(R"("hosts": {"a": {}, "b": {}}, "wires": [{"a": "a:eth0", "b": "b:eth0"}],
		"tasks": {"c": {"host": "b"}, "s": {"host": "a"}},
		"steps": [{"task": "s", "call": "socket", "as": "s"},
			{"task": "s", "call": "poll", "fds": [{"fd": "s", "events": "POLLIN"}]},
			{"task": "c", "call": "socket", "as": "c", "async": true},
			{"run": "ip link set eth0 down", "host": "a"},
			{"run": "ip link show eth0", "host": "a", "prints": "state DOWN"}])",
	                         nullptr, R"({"run": "ip link set eth0 up", "host": "a"})");
	EXPECT_THAT(r.failures, testing::IsEmpty());
	EXPECT_EQ(r.deadlock, "");
}

TEST(runner_deadlock, report_says_who_waits_where)
{
	const run_report r = run(two_tasks + R"("steps": [)" + listens +
	                         R"({"task": "s", "call": "accept", "fd": "l", "as": "a"},
		{"task": "c", "call": "socket", "as": "u", "type": "SOCK_DGRAM"}, {"task": "c", "call": "bind", "fd": "u", "addr": "0.0.0.0:9"},
		{"task": "c", "call": "recv", "fd": "u", "size": 1}])");
	EXPECT_FALSE(r.fine());
	EXPECT_THAT(
		r.deadlock,
		HasSubstr(
			"task s waits in inet_csk_wait_for_connect() of accept (/steps/3), l: TCP_LISTEN 127.0.0.1:80"));
	EXPECT_THAT(r.deadlock,
	            HasSubstr("task c waits in __skb_wait_for_more_packets() of recv (/steps/6)"));
}

TEST(runner_expect, what_does_not_hold_is_told_with_its_place)
{
	const run_report r = run(two_tasks + R"("steps": [)" + listens +
	                         R"({"task": "c", "call": "socket", "as": "c"},
		{"task": "c", "call": "connect", "fd": "c", "addr": "127.0.0.1:81"},
		{"task": "c", "call": "connect", "fd": "c", "addr": "127.0.0.1:80", "expect": "ETIMEDOUT"},
		{"task": "c", "call": "getpeername", "fd": "c", "expect": {"addr": "127.0.0.1:82"}}],
		"expect": {"sockets": [{"task": "c", "fd": "c", "state": "TCP_CLOSE"}],
		           "counters": [{"name": "TcpActiveOpens", "value": 9}, {"name": "TcpNonsense", "value": 1}],
		           "packets": [{"dev": "lo", "tcp": ["S"]}],
		           "calls": [{"order": ["tcp_v4_rcv", "no_such"], "never": ["tcp_v4_connect"]}]})");
	EXPECT_THAT(
		r.failures,
		ElementsAre(
			HasSubstr("/steps/4: c connect c 127.0.0.1:81: expected no error, got ECONNREFUSED"),
			HasSubstr("/steps/5: c connect c 127.0.0.1:80: expected ETIMEDOUT, got 0"),
			HasSubstr("expected the address 127.0.0.1:82, got 127.0.0.1:80"),
			HasSubstr("/expect/sockets/0: c of c: expected TCP_CLOSE, it is TCP_ESTABLISHED"),
			HasSubstr("/expect/counters/0: TcpActiveOpens: expected 9, it is 2"),
			HasSubstr("/expect/counters/1: expected the name of a counter"),
			HasSubstr(
				"/expect/packets/0: lo: expected the segments [S], [S] [R.] [S] [S.] [.] went by"),
			HasSubstr("expected no_such() to run after tcp_v4_rcv()"),
			HasSubstr("expected tcp_v4_connect() not to run")));
}

TEST(runner_phase, steps_of_a_phase_alone_are_recorded_and_begin_after_a_tick)
{
	call_tree tree;
	const run_report r = run(R"("tasks": {"t": {}}, "gap_ms": 50, "steps": [
		{"call": "socket", "as": "a", "phase": "one"}, {"call": "socket", "as": "b"},
		{"call": "bind", "fd": "a", "addr": "127.0.0.1:80", "phase": "two"},
		{"call": "listen", "fd": "a", "phase": "two"}])",
	                         &tree);
	EXPECT_TRUE(r.fine());
	EXPECT_THAT(tree.phases(), ElementsAre("one", "two"));
	std::vector<u64> begins;
	std::map<std::string, int> calls;
	std::vector<std::string> steps;
	for (const tree_event &e : tree.events) {
		if (e.kind == trace::record_kind::phase_begin)
			begins.push_back(e.time_ns);
		if (e.kind == trace::record_kind::step)
			steps.push_back(tree.texts[e.what]);
		if (e.kind == trace::record_kind::enter)
			++calls[std::string{tree.calls[e.what].source}];
	}
	EXPECT_EQ(calls["__x64_sys_socket"], 1);
	EXPECT_EQ(calls["__x64_sys_bind"], 1);
	EXPECT_THAT(steps, ElementsAre("t bind a 127.0.0.1:80", "t listen a"));
	ASSERT_EQ(begins.size(), 2U);
	for (const u64 t : begins)
		EXPECT_LT(t % TICK_NSEC, 10'000U);
	EXPECT_GE(begins[1] - begins[0], 50 * NSEC_PER_MSEC);
}

TEST(runner_setup, line_that_should_fail_and_does_not_is_a_failure)
{
	const scenario s = parse_scenario(
		R"({"name": "n", "about": "a", "setup": [{"run": "ip netns add a", "fails": "File exists"}, {"run": "ip netns add a", "fails": "File exists"},
		{"run": "ip netns", "prints": "b"}], "tasks": {"t": {}}, "steps": [{"call": "sleep", "ms": 0}]})",
		"f.json");
	world w{{}};
	{
		runner r{w, s};
		r.set_up();
		EXPECT_THAT(r.run().failures,
		            ElementsAre(HasSubstr("/setup/0: `ip netns add a`: expected it to fail"),
		                        HasSubstr("/setup/2: `ip netns`: expected it to print \"b\"")));
	}
	EXPECT_THAT(w.end(), testing::IsEmpty());
}

TEST(runner_setup, line_that_fails_is_an_error_of_the_file)
{
	const scenario s = parse_scenario(
		R"({"name": "n", "about": "a", "setup": ["ip link set nope up"], "tasks": {"t": {}},
		"steps": [{"call": "sleep", "ms": 0}]})",
		"f.json");
	world w{{}};
	try {
		runner r{w, s};
		r.set_up();
		FAIL();
	} catch (const bad_scenario &e) {
		EXPECT_STREQ(e.what(),
		             "f.json: /setup/0: `ip link set nope up` fails: Cannot find device \"nope\"");
	}
	EXPECT_THAT(w.end(), testing::IsEmpty());
}

} // namespace
