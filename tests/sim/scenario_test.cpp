// SPDX-License-Identifier: GPL-2.0-only
//
// The loader of scenario files: what it reads, and what it says of files that are wrong.
#include "sim/scenario.h"

#include "sim/address_text.h"
#include "stack/core/sock.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;
using testing::HasSubstr;

// A file with these steps and these further keys.
std::string with_steps(const std::string &steps, const std::string &more = "")
{
	return R"({"name": "n", "about": "a", "tasks": {"t": {}})" + more + R"(, "steps": [)" + steps + "]}";
}

std::string error_of(const std::string &text)
{
	try {
		static_cast<void>(parse_scenario(text, "f.json"));
	} catch (const bad_scenario &e) {
		return e.what();
	}
	return "no error";
}

const std::string a_socket = R"({"call": "socket", "as": "s"})";

TEST(scenario_file, one_step_is_read_with_its_defaults)
{
	const scenario s = parse_scenario(with_steps(a_socket), "f.json");
	ASSERT_EQ(s.steps.size(), 1U);
	EXPECT_EQ(s.steps[0].task, "t");
	EXPECT_EQ(s.steps[0].domain, AF_INET);
	EXPECT_EQ(s.steps[0].type, SOCK_STREAM);
	EXPECT_EQ(s.steps[0].number, 1U);
	EXPECT_TRUE(s.steps[0].expect.is_default);
	EXPECT_EQ(s.hosts.size(), 1U);
	EXPECT_TRUE(s.unportable().empty());
}

TEST(scenario_file, repeated_steps_are_numbered_one_by_one)
{
	const scenario s = parse_scenario(
		with_steps(a_socket + R"(, {"repeat": 2, "steps": [{"call": "sleep", "ms": 0.5}, )" +
	                   R"({"repeat": 2, "steps": [{"call": "read", "fd": "s", "size": 1}]}]})"),
		"f.json");
	ASSERT_EQ(s.steps.size(), 7U);
	EXPECT_EQ(s.steps[6].number, 7U);
	EXPECT_EQ(s.steps[1].sleep_ns, 500'000U);
	EXPECT_EQ(s.steps[4].call, call_kind::sleep);
}

TEST(scenario_file, data_is_text_hex_or_pseudo_random_and_repeated)
{
	const scenario s = parse_scenario(
		with_steps(a_socket + R"(, {"call": "send", "fd": "s", "data": {"text": "ab", "repeat": 2}},)"
	                              R"({"call": "send", "fd": "s", "data": {"hex": "00 ff"}},)"
	                              R"({"call": "send", "fd": "s", "data": {"bytes": 100, "seed": 4}})"),
		"f.json");
	EXPECT_EQ(s.steps[1].data, "abab");
	EXPECT_EQ(s.steps[2].data, std::string("\0\xff", 2));
	EXPECT_EQ(s.steps[3].data.size(), 100U);
}

TEST(scenario_file, several_hosts_and_costs_are_named_as_unportable)
{
	const scenario s = parse_scenario(
		with_steps(a_socket, R"(, "hosts": {"b": {"cpus": 2}, "a": {}}, "cost": {"hop_ns": 1})"),
		"f.json");
	EXPECT_EQ(s.hosts[0].first, "b") << "the order of the file";
	EXPECT_THAT(s.unportable(), testing::SizeIs(3)) << "two hosts, several cpus, a cost";
}

const std::string two_hosts = R"(, "hosts": {"h1": {}, "h2": {}}, "wires": [)";

TEST(scenario_file, wires_have_names_rates_and_faults_and_are_unportable)
{
	const scenario s = parse_scenario(
		with_steps(a_socket, two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0", "rate": "2.5gbit", )" +
	                                     R"("delay_us": 7, "loss": 0.5}], "expect": {"packets": [)" +
	                                     R"({"wire": "wire0", "from": "h2", "count": 1}]})"),
		"f.json");
	ASSERT_EQ(s.wires.size(), 1U);
	EXPECT_EQ(s.wires[0].options.bits_per_second, 2'500'000'000U);
	EXPECT_EQ(s.wires[0].options.delay_ns, 7000U);
	EXPECT_EQ(s.wires[0].options.loss, 0.5);
	EXPECT_EQ(s.wires[0].b.dev, "eth0");
	EXPECT_EQ(s.expect_packets[0].from, "h2");
	ASSERT_EQ(s.unportable().size(), 2U);
	EXPECT_THAT(s.unportable()[1], HasSubstr("/wires/0: a wire between h1:eth0 and h2:eth0"));
}

TEST(scenario_file, batches_are_one_ends_or_both_ends)
{
	const auto of = [](const std::string &keys) {
		return parse_scenario(
			with_steps(a_socket, two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0", )" + keys +
		                                     R"(}], "cost": {"hosts": ["h2"], )" +
		                                     R"("call_ns": 1100})"),
			"f.json");
	};
	const scenario both = of(R"("batch_us": 5000, "batch_at_us": 50, "interrupt_gap_us": 128)");
	EXPECT_THAT(both.wires[0].options.batch_ns, testing::ElementsAre(5'000'000U, 5'000'000U));
	EXPECT_EQ(both.wires[0].options.batch_at_ns, 50'000U);
	EXPECT_EQ(both.wires[0].interrupt_gap_ns, 128'000U);
	EXPECT_THAT(both.cost_hosts, testing::ElementsAre("h2"));
	EXPECT_EQ(both.call_cost_ns, 1100U);
	EXPECT_THAT(of(R"("batch_us": 7, "batch_to": "h2")").wires[0].options.batch_ns,
	            testing::ElementsAre(0U, 7000U));
}

struct wrong_file {
	std::string name, text;
	std::vector<std::string> says;
};

class wrong : public testing::TestWithParam<wrong_file> {};

TEST_P(wrong, is_told_by_file_place_and_expectation)
{
	const std::string error = error_of(GetParam().text);
	EXPECT_THAT(error, HasSubstr("f.json"));
	for (const std::string &part : GetParam().says)
		EXPECT_THAT(error, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(
	files, wrong,
	testing::Values(
		wrong_file{"empty", "", {"f.json:1:1", "the file is empty"}},
		wrong_file{"blank", " \n\t ", {"the file is empty"}},
		wrong_file{"cut", "{\n\"name\": \"n\",\n", {"f.json:3:1", "expected JSON", "unexpected end"}},
		wrong_file{"noise", "\x01\x02\xff{{{", {"f.json:1:1", "expected JSON"}},
		wrong_file{"nested", std::string(100000, '['), {"f.json:1:33", "32 levels"}},
		wrong_file{"bad_utf8", "{\"name\": \"\xff\xfe\"}", {"expected JSON"}},
		wrong_file{"twice", R"({"name": "n", "name": "m"})", {"each key once", "\"name\""}},
		wrong_file{"array", "[]", {"/: expected an object, found []"}},
		wrong_file{"no_name", "{}", {"/: expected the key \"name\""}},
		wrong_file{"no_steps",
                           R"({"name": "n", "about": "a", "tasks": {"t": {}}, "steps": []})",
                           {"/steps: expected at least one step"}},
		wrong_file{"no_task",
                           R"({"name": "n", "about": "a", "tasks": {}, "steps": []})",
                           {"/tasks: expected at least one task"}},
		wrong_file{"unknown_key",
                           with_steps(R"({"call": "socket", "as": "s", "netnss": "c"})"),
                           {"/steps/0/netnss: unknown key", "netns"}},
		wrong_file{"unknown_call",
                           with_steps(R"({"call": "conect"})"),
                           {"/steps/0/call: expected one of socket", "found \"conect\""}},
		wrong_file{"unknown_task",
                           with_steps(R"({"task": "u", "call": "socket", "as": "s"})"),
                           {"/steps/0/task: expected the name of a task"}},
		wrong_file{"unknown_fd",
                           with_steps(R"({"call": "listen", "fd": "s"})"),
                           {"/steps/0/fd: expected a descriptor that task t has made"}},
		wrong_file{"closed_fd",
                           with_steps(a_socket +
                                      R"(,{"call": "close", "fd": "s"},{"call": "close", "fd": "s"})"),
                           {"/steps/2/fd"}},
		wrong_file{"no_address",
                           with_steps(a_socket + R"(,{"call": "connect", "fd": "s"})"),
                           {"/steps/1: expected the key \"addr\""}},
		wrong_file{"bad_address",
                           with_steps(a_socket + R"(,{"call": "connect", "fd": "s", "addr": "1.2.3:4"})"),
                           {"/steps/1/addr: expected an address", "found \"1.2.3:4\""}},
		wrong_file{
			"bad_option",
			with_steps(a_socket +
                                   R"(,{"call": "setsockopt", "fd": "s", "option": "SO_REUSE", "value": 1})"),
			{"/steps/1/option: expected an option", "SO_REUSEADDR"}},
		wrong_file{"bad_errno",
                           with_steps(R"({"call": "socket", "as": "s", "expect": "EFOO"})"),
                           {"/steps/0/expect: expected an errno"}},
		wrong_file{"bad_number",
                           with_steps(R"({"call": "sleep", "ms": -1})"),
                           {"/steps/0/ms: expected milliseconds", "found -1"}},
		wrong_file{"huge_number", with_steps(R"({"call": "sleep", "ms": 1e300})"), {"/steps/0/ms"}},
		wrong_file{
			"phase_apart",
			with_steps(
				R"({"call": "sleep", "ms": 1, "phase": "p"},{"call": "sleep", "ms": 1},{"call": "sleep", "ms": 1, "phase": "p"})"),
			{"/steps/2/phase: expected the steps of phase \"p\" one after another"}},
		wrong_file{
			"warm_phase",
			R"({"name": "n", "about": "a", "tasks": {"t": {}}, "warmup": [{"call": "sleep", "ms": 1, "phase": "p"}], "steps": []})",
			{"/warmup/0/phase"}},
		wrong_file{
			"too_much_data",
			with_steps(
				a_socket +
				R"(,{"call": "send", "fd": "s", "data": {"text": "xxxxxxxx", "repeat": 16777216}})"),
			{"/steps/1/data", "bytes of data"}},
		wrong_file{"bad_expectation",
                           with_steps(a_socket,
                                      R"(, "expect": {"counters": [{"name": "X", "value": {"most": 1}}]})"),
                           {"/expect/counters/0/value/most: unknown key"}},
		wrong_file{"no_such_line",
                           with_steps(a_socket, R"(, "devices": [{"name": "d", "irq": 24}])"),
                           {"/devices/0/irq: expected the number of a line from 0 to 23", "found 24"}},
		wrong_file{
			"no_such_trigger",
			with_steps(a_socket, R"(, "devices": [{"name": "d", "irq": 1, "trigger": "soft"}])"),
			{"/devices/0/trigger: expected level or edge", "found \"soft\""}},
		wrong_file{
			"raises_all_at_once",
			with_steps(
				a_socket,
				R"(, "devices": [{"name": "d", "irq": 1, "raises": [{"at_ms": 1, "count": 2}]}])"),
			{"/devices/0/raises/0: expected the key \"every_ms\", more than 0"}},
		wrong_file{"wire_end",
                           with_steps(a_socket, two_hosts + R"({"a": "h3:eth0", "b": "h2:eth0"}])"),
                           {"/wires/0/a: expected an end: HOST:DEVICE, of a host of this file"}},
		wrong_file{"wire_device_twice",
                           with_steps(a_socket, two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0"}, )" +
                                                        R"({"a": "h1:eth0", "b": "h2:eth1"}])"),
                           {"/wires/1/a: expected each device at one wire"}},
		wrong_file{"wire_rate",
                           with_steps(a_socket,
                                      two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0", "rate": "fast"}])"),
                           {"/wires/0/rate: expected a rate"}},
		wrong_file{
			"wire_loss",
			with_steps(a_socket, two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0", "loss": 1.5}])"),
			{"/wires/0/loss: expected a probability"}},
		wrong_file{"wire_batch_to",
                           with_steps(a_socket,
                                      two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0", "batch_to": "h2"}])"),
                           {"/wires/0/batch_to: expected \"batch_us\" beside it"}},
		wrong_file{"wire_counter",
                           with_steps(a_socket, two_hosts + R"({"a": "h1:eth0", "b": "h2:eth0"}], )" +
                                                        R"("expect": {"counters": [{"wire": "wire0", )" +
                                                        R"("name": "sunk", "value": 1}]})"),
                           {"/expect/counters/0/name: expected one of sent, delivered"}},
		wrong_file{"expected_phase",
                           with_steps(a_socket, R"(, "expect": {"calls": [{"phase": "q", "order": []}]})"),
                           {"/expect/calls/0/phase: expected a phase of this file"}}),
	[](const auto &one) { return one.param.name; });

TEST(scenario_file, noise_is_an_error_and_nothing_worse)
{
	const std::string good = with_steps(
		a_socket + R"(,{"call": "send", "fd": "s", "data": {"hex": "00ff"}, "expect": 2})");
	random_stream random{1, "test"};
	for (int i = 0; i < 3000; ++i) {
		std::string text = good;
		for (u32 n = random.below(4) + 1; n; --n) {
			const std::size_t at = random.below(static_cast<u32>(text.size()));
			switch (random.below(3)) {
			case 0:
				text[at] = static_cast<char>(random.next());
				break;
			case 1:
				text.erase(at, random.below(20));
				break;
			default:
				text.insert(at, good.substr(random.below(static_cast<u32>(good.size())),
				                            random.below(20)));
			}
			if (text.empty())
				text = " ";
		}
		static_cast<void>(error_of(text));
	}
}

TEST(scenario_name, missing_file_and_missing_name_are_told)
{
	EXPECT_THROW(static_cast<void>(find_scenario("no/such.json")), no_scenario);
	EXPECT_THROW(static_cast<void>(find_scenario("no_such_name")), no_scenario);
	EXPECT_THROW(static_cast<void>(find_scenario("tests/sim/")), no_scenario);
	EXPECT_THAT(find_scenario("handshake"), testing::EndsWith("handshake.json"));
}

TEST(address_text, addresses_are_read_and_written)
{
	EXPECT_EQ(socket_address_text(parse_socket_address("10.1.0.2:80")->bytes), "10.1.0.2:80");
	EXPECT_EQ(socket_address_text(parse_socket_address("10.1.0.2")->bytes), "10.1.0.2:0");
	EXPECT_EQ(socket_address_text(parse_socket_address("[::ffff:1.2.3.4]:9")->bytes),
	          "[::ffff:1.2.3.4]:9");
	EXPECT_EQ(socket_address_text(parse_socket_address("[fe80:0:0:0:1::2]:9")->bytes),
	          "[fe80::1:0:0:2]:9");
	for (const char *bad : {"", "1.2.3", "1.2.3.256", "1.2.3.4:70000", "1.2.3.4:", "[::1",
	                        "[1:2:3:4:5:6:7:8:9]", "[:::]", "::1"})
		EXPECT_FALSE(parse_socket_address(bad)) << bad;
	EXPECT_EQ(parse_ipv4_prefix("10/8")->length, 8);
	EXPECT_EQ(parse_ipv4_prefix("default")->length, 0);
	EXPECT_FALSE(parse_ipv4_prefix("10.0.0.0/33"));
}

} // namespace
