// SPDX-License-Identifier: GPL-2.0-only
//
// A transfer of a megabyte: it is recorded whole, recording changes no packet, and without recording the
// packets cost nothing beyond the slab.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>

#include "sim/cmd_run.h"
#include "sim/runner.h"
#include "sim/scenario.h"
#include "sim/world.h"

namespace {

std::size_t allocations; // of all that is not slab memory, in this binary

} // namespace

// Not inlined: the compiler would take the two for mismatched.
[[gnu::noinline]] void *operator new(std::size_t size)
{
	++allocations;
	if (void *p = std::malloc(size ? size : 1))
		return p;
	throw std::bad_alloc();
}
[[gnu::noinline]] void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
	++allocations;
	return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void *p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void *p, std::size_t) noexcept { std::free(p); }

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;

constexpr std::size_t megabyte = 1'000'000;

// `veth`: between two namespaces, else on loopback.
std::string transfer(std::size_t bytes, bool veth = false)
{
	const std::string n = std::to_string(bytes);
	const std::string setup = veth ? R"("ip netns add a", "ip netns add b",
		"ip link add v1 type veth peer name v2", "ip link set v1 netns a", "ip link set v2 netns b",
		"ip netns exec a ip addr add 10.0.0.1/24 dev v1", "ip netns exec b ip addr add 10.0.0.2/24 dev v2",
		"ip netns exec a ip link set v1 up", "ip netns exec b ip link set v2 up")"
	                               : R"("ip link set lo up")";
	return R"({"name": "transfer", "about": "One direction.", "setup": [)" + setup + R"(],
		"tasks": {"client": {)" +
	       (veth ? R"("netns": "a")" : "") + R"(}, "server": {)" + (veth ? R"("netns": "b")" : "") +
	       R"(}},
		"warmup": [
			{"task": "server", "call": "socket", "as": "l"},
			{"task": "server", "call": "bind", "fd": "l", "addr": "0.0.0.0:80"},
			{"task": "server", "call": "listen", "fd": "l", "backlog": 16},
			{"task": "client", "call": "socket", "as": "c"},
			{"task": "client", "call": "connect", "fd": "c", "addr": ")" +
	       (veth ? "10.0.0.2:80" : "127.0.0.1:80") + R"("},
			{"task": "server", "call": "accept", "fd": "l", "as": "a"}],
		"steps": [
			{"task": "client", "call": "send", "fd": "c", "data": {"text": "x", "repeat": )" +
	       n + R"(}, "expect": )" + n + R"(},
			{"task": "server", "call": "recv", "fd": "a", "size": )" +
	       n + R"(, "flags": ["MSG_WAITALL"], "expect": )" + n + "}]}";
}

std::string contents(const std::filesystem::path &file)
{
	std::ostringstream text;
	text << std::ifstream{file, std::ios::binary}.rdbuf();
	return text.str();
}

class transferred : public testing::TestWithParam<bool> {
protected:
	void SetUp() override
	{
		std::string form = testing::TempDir() + "skbwalk-XXXXXX";
		ASSERT_NE(mkdtemp(form.data()), nullptr);
		dir_ = form;
		std::ofstream{dir_ / "transfer.json"} << transfer(megabyte, GetParam());
	}
	void TearDown() override { std::filesystem::remove_all(dir_); }
	run_result run(trace_format format, const std::string &pcap)
	{
		run_args args;
		args.scenario = dir_ / "transfer.json";
		args.output.format = format;
		args.pcap_file = dir_ / pcap;
		return run_scenario(args);
	}
	std::filesystem::path dir_;
};

TEST_P(transferred, megabyte_is_recorded_whole_and_sends_the_same_packets_as_without_a_trace)
{
	const run_result on = run(trace_format::tree, "on.pcap");
	EXPECT_TRUE(on.fine);
	EXPECT_THAT(on.messages, testing::IsEmpty()) << "nothing is lost";
	EXPECT_NE(on.text.find("tcp_rcv_established"), std::string::npos);
	const run_result off = run(trace_format::none, "off.pcap");
	EXPECT_TRUE(off.fine);
	EXPECT_EQ(off.text, "");
	const std::string packets = contents(dir_ / "on.pcap");
	EXPECT_GT(packets.size(), megabyte);
	EXPECT_TRUE(packets == contents(dir_ / "off.pcap")) << "recording changed the packets";
}

INSTANTIATE_TEST_SUITE_P(links, transferred, testing::Bool(),
                         [](const auto &one) { return one.param ? "veth" : "loopback"; });

class allocating : public testing::TestWithParam<bool> {
protected:
	// Of the steps alone, with nothing recorded.
	static std::size_t of_transfer(std::size_t bytes)
	{
		const scenario s = parse_scenario(transfer(bytes, GetParam()), "transfer.json");
		world w{{}};
		std::size_t count = 0;
		{
			runner r{w, s};
			r.set_up();
			const std::size_t before = allocations;
			EXPECT_TRUE(r.run().fine());
			count = allocations - before;
		}
		EXPECT_THAT(w.end(), testing::IsEmpty());
		return count;
	}
};

TEST_P(allocating, packets_take_slab_memory_only)
{
	// The same steps with twice the packets, both past the largest window: the pages in flight are as
	// many.
	const std::size_t small = of_transfer(8 * megabyte), large = of_transfer(16 * megabyte);
	EXPECT_GT(small, 0u) << "nothing counts";
	// 8 MB more are over 120 segments; the pool of pages may still grow by a few.
	EXPECT_LE(large, small + 32);
}

INSTANTIATE_TEST_SUITE_P(links, allocating, testing::Bool(),
                         [](const auto &one) { return one.param ? "veth" : "loopback"; });

} // namespace
