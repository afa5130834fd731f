// SPDX-License-Identifier: GPL-2.0-only
//
// The oracle's parts that need no machine: plans, captures, results, packages, the initramfs.
#include "sim/oracle.h"

#include <fmt/format.h>

#include "sim/oracle_image.h"
#include "sim/oracle_packages.h"
#include "sim/oracle_plan.h"
#include "sim/oracle_random.h"
#include "sim/oracle_tcp_info.h"
#include "stack/ipv4/tcp_info.h"
#include "stack/kernel/context.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

scenario parsed(const std::string &body)
{
	return parse_scenario(R"({"name": "n", "about": "a", "tasks": {"t": {}, "u": {"netns": "b"}}, )" +
	                              body + "}",
	                      "f.json");
}

template <class T> std::string error_of(T call)
{
	try {
		static_cast<void>(call());
	} catch (const std::exception &e) {
		return e.what();
	}
	return "no error";
}

// ---- plans ----------------------------------------------------------------------------------------------

TEST(oracle_plan, set_up_and_tasks_are_words)
{
	const std::string plan = write_plan(parsed(
		R"("gap_ms": 5, "setup": ["ip netns add b", {"run": "sysctl -w 'a=1 2'", "fails": "no"}],
		          "steps": [{"task": "t", "call": "socket", "as": "s"}])"));
	EXPECT_THAT(plan, HasSubstr("name\tn\ngap\t5000000\n"
	                            "setup\t0\tip\tnetns\tadd\tb\nsetup\t1\tsysctl\t-w\ta%3d1%202\n"
	                            "task\tt\t@\ntask\tu\tb\n"));
}

TEST(oracle_plan, constants_addresses_and_data_are_numbers_and_bytes)
{
	const std::string plan = write_plan(parsed(R"("steps": [
		{"task": "t", "call": "socket", "as": "s", "type": "SOCK_DGRAM", "flags": "SOCK_NONBLOCK", "netns": "b"},
		{"task": "t", "call": "bind", "fd": "s", "addr": "10.0.0.1:80"},
		{"task": "t", "call": "send", "fd": "s", "data": {"text": "ab", "repeat": 3}, "flags": "MSG_DONTWAIT"},
		{"task": "t", "call": "sleep", "ms": 1.5, "async": true}])"));
	EXPECT_THAT(plan, HasSubstr("step\t1\tt\tn\t0\tsocket\ts\t2\t2050\t0\tb\n"
	                            "step\t2\tt\tn\t0\tbind\ts\t1*020000500a0000010000000000000000\n"
	                            "step\t3\tt\tn\t0\tsend\ts\t64\t3*6162\n"
	                            "step\t4\tt\tn\t1\tsleep\t1500000\n"));
}

TEST(oracle_plan, only_steps_with_a_phase_have_one_and_commands_have_none)
{
	const std::string plan =
		write_plan(parsed(R"("warmup": [{"task": "t", "call": "sleep", "ms": 1}], "steps": [
		{"task": "t", "call": "sleep", "ms": 1, "phase": "p"}, {"run": "ip link set lo up"},
		{"task": "u", "call": "sleep", "ms": 1}])"));
	EXPECT_THAT(plan, HasSubstr("warm\t1\tt\t-\t0\tsleep\t1000000\n"
	                            "step\t1\tt\tp\t0\tsleep\t1000000\n"
	                            "step\t2\tt\t-\t0\trun\t0\tip\tlink\tset\tlo\tup\n"
	                            "step\t3\tu\t-\t0\tsleep\t1000000\n"));
}

TEST(oracle_plan, unportable_scenario_is_refused_with_what_makes_it_so)
{
	const scenario s = parsed(R"("hosts": {"h": {}, "i": {}}, "cost": {"hop_ns": 1},
		"steps": [{"task": "t", "call": "sleep", "ms": 1}])");
	const std::string error = error_of([&] { return write_plan(s); });
	EXPECT_THAT(error, HasSubstr("f.json: not portable"));
	EXPECT_THAT(error, HasSubstr("/hosts: 2 hosts"));
	EXPECT_THAT(error, HasSubstr("/cost"));
}

TEST(oracle_plan, words_come_back)
{
	const std::string word = "a b\t%=,\xc3\xa9";
	EXPECT_EQ(plain_word(plan_word(word)), word);
	EXPECT_THAT(plan_word(word), Not(HasSubstr("\t")));
}

// ---- captures -------------------------------------------------------------------------------------------

std::string line(const std::string &task, const std::string &body)
{
	return " 1.000001 |   0)  " + task + "  |   0.700 us    |  " + body + "\n";
}

const std::string trailer = "# pid 12 client\n# lost 0\n";

TEST(oracle_capture, sections_are_phases_and_tasks_have_their_names)
{
	const auto found = read_captures(
		line("x-1", "before();") + line("<...>-12", "/* phase one */") +
			line("<...>-12", "x64_sys_call() {") + line("<...>-12", "  tcp_sendmsg();") +
			line("<...>-12", "}") + line("client-12", "/* phase two */") +
			line("client-12", "tcp_recvmsg();") + trailer,
		"", "f");
	ASSERT_EQ(found.size(), 2U);
	EXPECT_EQ(tree_text(found[0].tree, found[0].phase),
	          "# phase one\n# task client\nx64_sys_call\n  tcp_sendmsg\n");
	EXPECT_EQ(tree_text(found[1].tree, found[1].phase), "# phase two\n# task client\ntcp_recvmsg\n");
}

TEST(oracle_capture, the_players_own_calls_and_idle_ticks_are_left_out)
{
	const auto found = read_captures(
		line("client-12", "/* phase p */") + line("client-12", "}") +
			line("client-12", "exit_to_user_mode_prepare();") + line("<idle>-0", "do_idle() {") +
			line("<idle>-0", "  handle_softirqs() {") +
			line("<idle>-0", "    run_timer_softirq();") + line("<idle>-0", "  }") +
			line("<idle>-0", "}") + line("client-12", "tcp_close();") +
			line("client-12", "x64_sys_call() {") + line("client-12", "  __x64_sys_write() {") +
			line("client-12", "    security_file_permission();") + trailer,
		"", "f");
	EXPECT_EQ(tree_text(found[0].tree, "p"), "# phase p\n# task client\ntcp_close\n");
}

TEST(oracle_capture, cut_softirq_is_made_whole_by_the_second_run)
{
	const auto deep = [](std::size_t depth, const std::string &body) {
		return line("client-12", std::string(2 * depth, ' ') + body);
	};
	std::string full = line("client-12", "/* phase p */"), soft = full;
	for (std::size_t i = 0; i < 48; ++i)
		full += deep(i, "f() {");
	full += deep(48, "handle_softirqs() {") + deep(49, "net_rx_action();") + deep(48, "}") +
	        deep(48, "after();") + trailer;
	soft += deep(0, "handle_softirqs() {") + deep(1, "run_timer_softirq();") + deep(0, "}") +
	        deep(0, "handle_softirqs() {") + deep(1, "net_rx_action() {") + deep(2, "tcp_v4_rcv();") +
	        deep(1, "}") + deep(0, "}") + trailer;
	const auto found = read_captures(full, soft, "f");
	EXPECT_THAT(found[0].notes, IsEmpty());
	EXPECT_THAT(tree_text(found[0].tree, "p"),
	            HasSubstr("handle_softirqs\n" + std::string(98, ' ') + "net_rx_action\n" +
	                      std::string(100, ' ') + "tcp_v4_rcv\n" + std::string(96, ' ') + "after\n"));
}

// So many calls deep that only `body` and one level below it were kept.
std::string cut_below(const std::string &body)
{
	std::string out = line("client-12", "/* phase p */");
	for (std::size_t i = 0; i < 48; ++i)
		out += line("client-12", std::string(2 * i, ' ') + "f() {");
	return out + line("client-12", std::string(96, ' ') + body + "() {") +
	       line("client-12", std::string(98, ' ') + "net_rx_action();") +
	       line("client-12", std::string(96, ' ') + "}") + trailer;
}

TEST(oracle_capture, whole_softirq_stays_as_the_first_run_has_it)
{
	const auto softirq = [](const std::string &body) {
		return line("<idle>-0", "handle_softirqs() {") + line("<idle>-0", "  net_tx_action() {") +
		       line("<idle>-0", "    " + body + "();") + line("<idle>-0", "  }") +
		       line("<idle>-0", "}") + trailer;
	};
	const std::string phase = line("client-12", "/* phase p */");
	const auto found = read_captures(phase + softirq("netem_dequeue"), phase + softirq("veth_xmit"), "f");
	EXPECT_THAT(tree_text(found[0].tree, "p"), HasSubstr("netem_dequeue"));
}

TEST(oracle_capture, softirq_without_its_like_is_noted)
{
	const std::string full = cut_below("handle_softirqs");
	const std::string soft = line("client-12", "/* phase p */") + trailer;
	EXPECT_THAT(read_captures(full, soft, "f")[0].notes,
	            ElementsAre(HasSubstr("1 softirqs have no like"), HasSubstr("deeper than 50")));
}

TEST(oracle_capture, cut_or_lossy_recording_is_refused)
{
	const std::string full = line("client-12", "/* phase p */") + line("client-12", "f();");
	EXPECT_THAT(error_of([&] { return read_captures(full, "", "f"); }),
	            HasSubstr("f: expected a line `# lost N'"));
	EXPECT_THAT(error_of([&] { return read_captures(full + "# lost 7\n", "", "f"); }),
	            HasSubstr("7 events are lost"));
	EXPECT_THAT(error_of([&] { return read_captures("# lost 0\n", "", "f"); }),
	            HasSubstr("no phase in it"));
	EXPECT_THAT(error_of([&] { return read_captures(full + "client said hello\n" + trailer, "", "f"); }),
	            HasSubstr("expected a line of function_graph text"));
}

// ---- results --------------------------------------------------------------------------------------------

std::string result_line(u32 number, long result, int error, const std::string &address = "-",
                        const std::string &events = "-")
{
	return fmt::format("step\t{}\treturned\t{}\t{}\t5\t2\t08be0d1f3c2a4b5c\t6869\t{}\t{}\n", number,
	                   result, error, address, events);
}

const char *const two_steps =
	R"("steps": [{"task": "t", "call": "socket", "as": "s"}, {"task": "t", "call": "recvfrom", "fd": "s", "size": 9}])";

TEST(oracle_results, descriptors_and_ephemeral_ports_do_not_count)
{
	const scenario s = parsed(two_steps);
	const outcomes a =
		read_outcomes(result_line(1, 3, 0) + result_line(2, 2, 0, "02009c400a000001"), "k");
	const outcomes b =
		read_outcomes(result_line(1, 9, 0) + result_line(2, 2, 0, "0200c0000a000001"), "m");
	EXPECT_THAT(differences(s, a, b), IsEmpty());
}

TEST(oracle_results, another_errno_address_or_event_is_a_difference)
{
	const scenario s = parsed(two_steps);
	const outcomes a =
		read_outcomes(result_line(1, 3, 0) + result_line(2, 2, 0, "020000500a000001"), "k");
	const outcomes b =
		read_outcomes(result_line(1, -1, EMFILE) + result_line(2, 2, 0, "020000510a000001"), "m");
	const outcomes c =
		read_outcomes(result_line(1, 3, 0) + result_line(2, 2, 0, "020000500a000001", "s=1"), "m");
	EXPECT_THAT(differences(s, a, b), ElementsAre("/steps/0: t socket s: kernel: 0, model: EMFILE",
	                                              HasSubstr("/steps/1: t recvfrom s: another address")));
	EXPECT_THAT(differences(s, a, c), ElementsAre(HasSubstr("other events: kernel model s EPOLLIN")));
}

TEST(oracle_results, state_of_a_socket_is_compared_without_its_clock)
{
	tcp_info a{};
	a.tcpi_state = 1;
	tcp_info b = a;
	b.tcpi_rtt = 5000;
	const auto bytes = [](const tcp_info &i) {
		return std::string_view{reinterpret_cast<const char *>(&i), sizeof(i)};
	};
	EXPECT_EQ(differences_of_tcp_info(bytes(a), bytes(b)), "");
	b.tcpi_state = 4;
	EXPECT_EQ(differences_of_tcp_info(bytes(a), bytes(b)), "tcpi_state: kernel 1, model 4");
}

TEST(oracle_results, line_that_is_none_is_refused_with_its_number)
{
	EXPECT_EQ(error_of([] { return read_outcomes(result_line(1, 3, 0) + "hello\n", "f"); }),
	          "f:2: expected a line of the player's results");
	EXPECT_EQ(error_of([] { return read_outcomes("step\tx\treturned\t0\t0\t0\t0\t0\t-\t-\t-\n", "f"); }),
	          "f:1: expected a number");
}

// ---- packets --------------------------------------------------------------------------------------------

// A TCP segment with its timestamps option, from a client's ephemeral port to port 80.
frame segment(u16 port, u8 flags, u32 seq, u32 stamp, const std::string &device = "lo")
{
	std::string b(14 + 20 + 32, '\0');
	const auto put = [&b](std::size_t at, std::size_t bytes, u32 value) {
		for (std::size_t i = 0; i < bytes; ++i)
			b[at + i] = static_cast<char>(value >> 8 * (bytes - 1 - i));
	};
	put(12, 2, 0x0800);
	put(14, 1, 0x45);
	put(16, 2, 52);
	put(18, 2, stamp); // the identification, which is random too
	put(22, 1, 64);
	put(23, 1, 6);
	put(26, 4, 0x7f000001);
	put(30, 4, 0x7f000001);
	put(34, 2, port);
	put(36, 2, 80);
	put(38, 4, seq);
	put(46, 1, 0x80);
	put(47, 1, flags);
	put(48, 2, 512);
	put(54, 4, 0x0101080a);
	put(58, 4, stamp);
	return {"", device, u64{seq} * NSEC_PER_SEC, b};
}

outcomes saw(std::vector<frame> frames, u64 end_ns = ~u64{0})
{
	outcomes o;
	o.frames = std::move(frames);
	o.end_ns = end_ns;
	return o;
}

TEST(oracle_packets, numbers_count_from_the_first_and_ephemeral_ports_by_their_order)
{
	const outcomes a = saw({segment(40000, 2, 100, 7), segment(40000, 17, 101, 8)});
	const outcomes b = saw({segment(50000, 2, 900, 70), segment(50000, 17, 901, 80)});
	EXPECT_THAT(packet_differences(a, b), IsEmpty());
}

TEST(oracle_packets, another_flag_number_or_count_is_a_difference_of_its_device)
{
	const frame syn = segment(40000, 2, 100, 7);
	const outcomes a = saw({syn, segment(40000, 17, 101, 8)});
	EXPECT_THAT(packet_differences(a, saw({syn, segment(40000, 16, 101, 8)})),
	            ElementsAre(HasSubstr("lo, packet 2 (kernel 2, model 2)")));
	EXPECT_THAT(packet_differences(a, saw({syn, segment(40000, 17, 102, 8)})),
	            ElementsAre(HasSubstr("seq 2")));
	EXPECT_THAT(packet_differences(a, saw({syn})), ElementsAre(HasSubstr("model:  none")));
	EXPECT_THAT(packet_differences(saw({}), saw({segment(1, 2, 3, 4, "v1")})),
	            ElementsAre(HasSubstr("v1, packet 1")));
}

TEST(oracle_packets, packet_of_the_last_moments_is_not_missed)
{
	const frame syn = segment(40000, 2, 100, 7), late = segment(40000, 17, 101, 8);
	EXPECT_THAT(packet_differences(saw({syn, late}, late.time_ns + NSEC_PER_MSEC), saw({syn})),
	            IsEmpty());
	EXPECT_THAT(packet_differences(saw({syn, late}, late.time_ns + NSEC_PER_SEC), saw({syn})),
	            ElementsAre(HasSubstr("model:  none")));
}

// ---- random scenarios -----------------------------------------------------------------------------------

TEST(oracle_random, each_is_a_portable_file_that_the_model_plays_to_its_end)
{
	for (u32 i = 0; i < 20; ++i) {
		const std::string text = random_scenario(1, i);
		EXPECT_EQ(text, random_scenario(1, i));
		const scenario s = parse_scenario(text, random_scenario_name(1, i));
		EXPECT_THAT(s.unportable(), IsEmpty());
		const model_run run = look_at_model(s, "linux-6.1");
		EXPECT_THAT(run.got.notes, IsEmpty()) << text;
		EXPECT_FALSE(run.got.frames.empty());
	}
	EXPECT_NE(random_scenario(1, 0), random_scenario(2, 0));
}

// ---- the machine ----------------------------------------------------------------------------------------

TEST(oracle_packages, newest_kernel_is_by_number)
{
	EXPECT_EQ(newest_of({"linux-image-6.1.0-9-amd64", "linux-image-6.1.0-10-amd64",
	                     "linux-image-6.1.0-2-amd64"}),
	          "linux-image-6.1.0-10-amd64");
	EXPECT_EQ(newest_of({}), "");
}

TEST(oracle_packages, unknown_package_is_an_error_that_names_it)
{
	package_cache cache{std::filesystem::temp_directory_path() / "skbwalk-test-cache"};
	EXPECT_THAT(error_of([&] { return cache.unpacked("linux-image-0.0-none"); }),
	            HasSubstr("linux-image-0.0-none: apt offers no such package"));
}

TEST(oracle_packages, what_is_unpacked_is_used_while_apt_offers_nothing)
{
	const auto folder = std::filesystem::temp_directory_path() / "skbwalk-test-cache";
	std::filesystem::create_directories(folder / "skbwalk-none_1.0");
	package_cache cache{folder};
	EXPECT_EQ(cache.unpacked("skbwalk-none").filename(), "skbwalk-none_1.0");
}

TEST(oracle_image, archive_has_each_folder_before_what_is_in_it)
{
	initramfs tree;
	tree.add_text("a/b/file", "text", 0755);
	tree.add_link("a/link", "b/file");
	const std::string bytes = tree.bytes();
	EXPECT_TRUE(bytes.starts_with("070701"));
	EXPECT_EQ(bytes.size() % 512, 0U);
	const auto at = [&](const std::string &path) { return bytes.find(path + std::string(1, '\0')); };
	EXPECT_LT(at("a"), at("a/b"));
	EXPECT_LT(at("a/b"), at("a/b/file"));
	EXPECT_THAT(bytes, HasSubstr("000081ed")); // a file that can be run
	EXPECT_LT(at("a/link"), bytes.find("TRAILER!!!"));
}

TEST(oracle_image, libraries_of_a_program_are_what_its_file_names)
{
	EXPECT_THAT(needed_libraries(read_bytes(SKBWALK_PROGRAM)), testing::Contains("libc.so.6"));
	EXPECT_THAT(needed_libraries("#!/bin/sh\n"), IsEmpty());
	EXPECT_THAT(needed_libraries("\x7f"
	                             "ELF\x02\x01 and then nothing"),
	            IsEmpty());
}

TEST(oracle_image, value_in_a_modules_information_is_found)
{
	using namespace std::string_literals;
	EXPECT_EQ(module_info("license=GPL\0depends=stp,llc\0"s, "depends"), "stp,llc");
	EXPECT_EQ(module_info("xdepends=stp\0"s, "depends"), "");
}

TEST(oracle, missing_player_is_an_error_that_names_it)
{
	EXPECT_THAT(error_of([] { return find_player("/nowhere/player"); }),
	            HasSubstr("/nowhere/player: no such file"));
}

} // namespace
