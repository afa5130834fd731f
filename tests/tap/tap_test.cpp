// SPDX-License-Identifier: GPL-2.0-only
//
// The model on a real TAP interface, in a network namespace made for this test: the machine's own kernel and
// its programs are the peer. Where TAP or namespaces are not permitted the tests are skipped and say why;
// with CI=true they run, or fail.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

struct outcome {
	int status;
	std::string text; // stdout and stderr
};

outcome shell(const std::string &command)
{
	outcome r{-1, {}};
	std::FILE *const pipe = popen(("exec 2>&1; " + command).c_str(), "r");
	if (!pipe)
		return r;
	std::array<char, 4096> part;
	for (std::size_t n; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
		r.text.append(part.data(), n);
	const int status = pclose(pipe);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return r;
}

std::string slurp(const std::string &path)
{
	std::ifstream in{path, std::ios::binary};
	return {std::istreambuf_iterator<char>{in}, {}};
}

// A program in the background; ended by its id.
class background {
public:
	background(const std::string &command, const std::string &log) : pid_(fork())
	{
		if (!pid_) {
			const std::string line = "exec " + command + " >" + log + " 2>&1";
			execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char *>(nullptr));
			_exit(127);
		}
	}
	~background() { end(SIGKILL); }
	background(const background &) = delete;
	background &operator=(const background &) = delete;

	int end(int signal)
	{
		if (pid_ <= 0)
			return -1;
		kill(pid_, signal);
		int status = 0;
		waitpid(pid_, &status, 0);
		pid_ = -1;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	bool runs() const { return pid_ > 0 && !waitpid(pid_, nullptr, WNOHANG); }

private:
	pid_t pid_;
};

template <class Fn> bool comes_true(Fn fn, std::chrono::milliseconds most = 10s)
{
	for (auto end = std::chrono::steady_clock::now() + most; std::chrono::steady_clock::now() < end;) {
		if (fn())
			return true;
		std::this_thread::sleep_for(50ms);
	}
	return fn();
}

class tap : public testing::Test {
protected:
	void SetUp() override
	{
		if (const std::string why = missing(); !why.empty()) {
			const char *const ci = std::getenv("CI");
			if (ci && std::string_view{ci} == "true")
				FAIL() << "in CI this must run: " << why;
			GTEST_SKIP() << why;
		}
		std::filesystem::create_directory(folder);
		ASSERT_EQ(shell("ip -n " + space + " link set lo up").status, 0);
	}

	void TearDown() override
	{
		model.reset();
		shell("ip netns del " + space);
		std::error_code ignored;
		std::filesystem::remove_all(folder, ignored);
	}

	// Why this machine cannot do it; else the namespace is there.
	std::string missing() const
	{
		if (access("/dev/net/tun", R_OK | W_OK))
			return "/dev/net/tun is not there, or not for this user";
		for (const char *tool : {"ip", "ping", "curl", "nc", "tcpdump", "tshark"})
			if (shell(std::string{"command -v "} + tool).status)
				return std::string{tool} + " is not installed";
		const outcome made = shell("ip netns add " + space);
		if (made.status)
			return "no network namespace can be made: " + made.text;
		const outcome device = shell(
			inside("ip tuntap add dev probe mode tap && ip -n " + space + " link del probe"));
		if (device.status) {
			shell("ip netns del " + space);
			return "no TAP interface can be made: " + device.text;
		}
		return {};
	}

	std::string inside(const std::string &command) const
	{
		return "ip netns exec " + space + " " + command;
	}
	outcome in(const std::string &command) const { return shell(inside("timeout 30 " + command)); }

	void start(const std::string &options)
	{
		model = std::make_unique<background>(
			inside(std::string{SKBWALK_PROGRAM} +
		               " tap tap0 --addr 10.9.0.2/24 --host-addr 10.9.0.1/24 " + options),
			folder + "/log");
		ASSERT_TRUE(comes_true([&] {
			return slurp(folder + "/log").find("Ctrl-C") != std::string::npos || !model->runs();
		}));
		ASSERT_TRUE(model->runs()) << slurp(folder + "/log");
	}

	void stop()
	{
		EXPECT_EQ(model->end(SIGTERM), 0);
		EXPECT_THAT(slurp(folder + "/log"), testing::Not(HasSubstr("left over")));
	}

	std::string space = "skbwalk-test-" + std::to_string(getpid());
	std::string folder = testing::TempDir() + space;
	std::unique_ptr<background> model;
};

// What /bytes/N must be.
std::string pattern(std::size_t n)
{
	std::string s(n, '\0');
	for (std::size_t i = 0; i < n; ++i)
		s[i] = static_cast<char>(i * 31);
	return s;
}

// Checksums are looked at where both sides finish them; else a sender leaves them to a device that never
// comes, and a capture shows them bad on any host.
struct tap_wire : tap, testing::WithParamInterface<const char *> {};
INSTANTIATE_TEST_SUITE_P(, tap_wire, testing::Values("--offload", "--no-offload"), [](const auto &of) {
	return of.index ? "frames_finished" : "frames_large_and_unfinished";
});

TEST_P(tap_wire, machines_kernel_pings_fetches_and_echoes_and_the_wire_is_clean)
{
	const bool finished = GetParam() == std::string{"--no-offload"};
	start(std::string{"--serve http:8080,echo:7,discard:9 "} + GetParam());
	const std::string capture = folder + "/wire.pcap";
	background tcpdump(inside("tcpdump -i tap0 -s 0 -B 65536 -U -w " + capture), folder + "/tcpdump");
	ASSERT_TRUE(comes_true(
		[&] { return slurp(folder + "/tcpdump").find("listening") != std::string::npos; }));

	EXPECT_THAT(in("ping -c 3 -i 0.2 10.9.0.2").text, HasSubstr("3 received, 0% packet loss"));
	EXPECT_THAT(in("ping -c 2 -i 0.2 -s 4000 10.9.0.2").text, HasSubstr("2 received, 0% packet loss"));
	EXPECT_THAT(in("curl -s http://10.9.0.2:8080/").text, HasSubstr("hello from skbwalk"));

	constexpr std::size_t big = 10'000'000;
	EXPECT_EQ(
		in("curl -s -o " + folder + "/big http://10.9.0.2:8080/bytes/" + std::to_string(big)).status,
		0);
	EXPECT_TRUE(slurp(folder + "/big") == pattern(big));

	std::ofstream{folder + "/sent", std::ios::binary} << pattern(300'000);
	EXPECT_EQ(in("sh -c 'nc -N -w 5 10.9.0.2 7 <" + folder + "/sent >" + folder + "/back'").status, 0);
	EXPECT_TRUE(slurp(folder + "/back") == pattern(300'000));
	EXPECT_EQ(in("sh -c 'echo datagram | nc -u -w 1 10.9.0.2 7'").text, "datagram\n");

	EXPECT_THAT(in("nc -v -z -w 5 10.9.0.2 81").text, HasSubstr("refused"));
	EXPECT_EQ(in("curl -s http://10.9.0.2:81/").status, 7);
	in("sh -c 'echo nobody | nc -u -w 1 10.9.0.2 99'");

	const std::string excuses =
		in("sh -c \"nstat -as | grep -E "
	           "'(BacklogDrop|RcvQDrop|OFODrop|PruneCalled|RcvPruned|Discards|InErrs|DSACKO[a-z]*Sent) '; "
	           "ip -s link show tap0 | grep -A1 dropped | grep -E '^ *[0-9]+ +[0-9]+ +[0-9]+ +[1-9]'\"")
			.text;

	// tcpdump is handed packets once a second.
	std::this_thread::sleep_for(1500ms);
	tcpdump.end(SIGINT);
	stop();

	const auto tshark = [&](const std::string &filter) {
		return shell("tshark -r " + capture +
		             " -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y '" +
		             filter + "' 2>/dev/null")
		        .text;
	};
	EXPECT_EQ(tshark("_ws.malformed"), "");
	EXPECT_EQ(tshark("ip.checksum.status == Bad || icmp.checksum.status == Bad"), "");
	// The machine leaves its own sums to the device.
	if (finished)
		EXPECT_EQ(tshark("ip.src == 10.9.0.2 && (tcp.checksum.status == Bad || "
		                 "udp.checksum.status == Bad || frame.len > 1514)"),
		          "");
	else
		EXPECT_NE(tshark("ip.src == 10.9.0.2 && frame.len > 1514"), "");
	// Nothing is sent twice but what the machine says it dropped, or had already: one that is busy can be
	// late with an ACK, so that a probe goes out.
	const std::string again = tshark("tcp.analysis.retransmission || tcp.analysis.out_of_order");
	if (excuses.empty())
		EXPECT_EQ(again, "");
	else
		EXPECT_LT(std::ranges::count(again, '\n') * 20, std::ranges::count(tshark("tcp"), '\n'))
			<< excuses << again;
	EXPECT_THAT(tshark("icmp.type == 3 && icmp.code == 3 && ip.src == 10.9.0.2"),
	            HasSubstr("unreachable"));
}

// iperf3's own client, both ways: what it sent is what arrived, and nothing twice.
TEST_F(tap, iperf3_measures_both_ways_and_is_told_what_is_not_offered)
{
	if (shell("command -v iperf3").status)
		GTEST_SKIP() << "iperf3 is not installed";
	start("--serve iperf3:5201");
	const std::string there = in("iperf3 -c 10.9.0.2 -n 50M -P 2").text;
	EXPECT_THAT(there, HasSubstr("iperf Done."));
	EXPECT_THAT(there, testing::ContainsRegex("SUM.* (49|50)\\.[0-9] MBytes .*receiver"));
	EXPECT_THAT(in("iperf3 -c 10.9.0.2 -n 50M -R").text, HasSubstr("iperf Done."));
	EXPECT_THAT(in("iperf3 -c 10.9.0.2 -n 50M --bidir").text, HasSubstr("iperf Done."));
	EXPECT_THAT(in("iperf3 -c 10.9.0.2 -t 1 -u").text, HasSubstr("not implemented"));
	// A client that goes in the middle does not keep the next one out.
	in("timeout -s KILL 0.3 iperf3 -c 10.9.0.2 -t 5");
	EXPECT_TRUE(comes_true([&] { return !in("iperf3 -c 10.9.0.2 -n 1M").status; }));
	in("sh -c 'echo nonsense | nc -N -w 1 10.9.0.2 5201'");
	EXPECT_EQ(in("iperf3 -c 10.9.0.2 -n 1M").status, 0);
	stop();
}

TEST_F(tap, traces_and_captures_what_it_did_when_a_signal_ends_it)
{
	start("--serve http:8080 --pcap " + folder + "/model.pcap --trace " + folder + "/trace");
	EXPECT_EQ(in("curl -s -o /dev/null http://10.9.0.2:8080/").status, 0);
	EXPECT_EQ(in("curl -s -o /dev/null http://10.9.0.2:8080/bytes/1000000").status, 0);
	stop();
	EXPECT_THAT(slurp(folder + "/trace"), HasSubstr("tcp_v4_conn_request"));
	// What a device would fill in is there, in packets that are larger than the wire's too.
	const auto packets = [&](const std::string &filter) {
		return shell("tshark -r " + folder + "/model.pcap -o tcp.check_checksum:TRUE -Y '" + filter +
		             "' 2>/dev/null")
		        .text;
	};
	EXPECT_NE(packets("frame.len > 10000"), "");
	EXPECT_EQ(packets("tcp.checksum.status == Bad || _ws.malformed"), "");
	EXPECT_THAT(shell("tshark -r " + folder + "/model.pcap -Y http.response 2>/dev/null").text,
	            HasSubstr("200 OK"));
}

TEST_F(tap, two_namespaces_of_the_machine_talk_through_the_models_bridge)
{
	const std::string right = space + "-right", log = folder + "/log";
	struct namespace_guard {
		const std::string &name;
		~namespace_guard() { shell("ip netns del " + name); }
	} const guard{right};
	ASSERT_EQ(shell("ip netns add " + right).status, 0);
	model = std::make_unique<background>(
		inside(std::string{SKBWALK_PROGRAM} +
	               " tap t1 t2 --bridge br0 --run 'modprobe br_netfilter' --run 'iptables -A FORWARD -p tcp --dport 82 -j DROP' --trace " +
	               folder + "/trace"),
		log);
	ASSERT_TRUE(
		comes_true([&] { return slurp(log).find("Ctrl-C") != std::string::npos || !model->runs(); }));
	ASSERT_TRUE(model->runs()) << slurp(log);
	const outcome wired =
		shell("ip -n " + space + " link set t2 netns " + right + " && ip -n " + space +
	              " addr add 10.9.0.1/24 dev t1 && ip -n " + space + " link set t1 up && ip -n " + right +
	              " addr add 10.9.0.2/24 dev t2 && ip -n " + right + " link set t2 up");
	ASSERT_EQ(wired.status, 0) << wired.text;

	EXPECT_THAT(in("ping -c 3 -i 0.2 10.9.0.2").text, HasSubstr("3 received, 0% packet loss"));
	EXPECT_THAT(in("ping -c 2 -i 0.2 -s 4000 10.9.0.2").text, HasSubstr("2 received, 0% packet loss"));

	const std::string body = pattern(10'000'000);
	std::ofstream{folder + "/page", std::ios::binary}
		<< "HTTP/1.0 200 OK\r\nContent-Length: " << body.size() << "\r\n\r\n"
		<< body;
	{
		background server("ip netns exec " + right + " sh -c 'nc -N -l 8080 <" + folder + "/page'",
		                  folder + "/server");
		std::this_thread::sleep_for(300ms);
		EXPECT_EQ(in("curl -s -o " + folder + "/got http://10.9.0.2:8080/").status, 0);
	}
	EXPECT_TRUE(slurp(folder + "/got") == body);
	EXPECT_THAT(in("nc -v -z -w 5 10.9.0.2 81").text, HasSubstr("refused"));
	EXPECT_THAT(in("nc -v -z -w 1 10.9.0.2 82").text, HasSubstr("timed out"));
	stop();
	EXPECT_THAT(slurp(folder + "/trace"), HasSubstr("br_handle_frame_finish"));
}

TEST_F(tap, ends_by_itself_after_the_seconds_given)
{
	EXPECT_EQ(in(SKBWALK_PROGRAM " tap tap0 --addr 10.9.0.2/24 --seconds 0.2").status, 0);
}

TEST_F(tap, interface_of_another_program_is_refused_with_the_environments_status)
{
	start("");
	const outcome second =
		in(std::string{SKBWALK_PROGRAM} + " tap tap0 --addr 10.9.0.3/24 --seconds 0.2");
	EXPECT_EQ(second.status, 3);
	EXPECT_THAT(second.text, HasSubstr("another program has it"));
	stop();
}

TEST_F(tap, interface_that_somebody_deletes_is_told_once_and_a_signal_ends_the_rest)
{
	start("");
	ASSERT_EQ(shell("ip -n " + space + " link del tap0").status, 0);
	EXPECT_TRUE(comes_true([&] {
		return slurp(folder + "/log").find("tap0 is gone") != std::string::npos || !model->runs();
	}));
	EXPECT_TRUE(model->runs());
	stop();
	const std::string log = slurp(folder + "/log");
	EXPECT_EQ(log.find("tap0 is gone"), log.rfind("tap0 is gone")) << log;
}

TEST(tap_usage, wrong_words_are_refused_with_the_status_of_usage)
{
	const std::string program = SKBWALK_PROGRAM;
	EXPECT_EQ(shell(program + " tap").status, 2);
	EXPECT_EQ(shell(program + " tap tap0").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 tap1 --addr 10.9.0.2/24").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 --addr nonsense").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 --addr 10.9.0.2/24 --serve gopher:70").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 --addr 10.9.0.2/24 --run 'ip link frob'").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 --addr 10.9.0.2/24 --host-addr 10.9").status, 2);
	EXPECT_EQ(shell(program + " tap tap0 --addr 10.9.0.2/24 --profile linux-0.1").status, 2);
}

} // namespace
