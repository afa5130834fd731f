// SPDX-License-Identifier: GPL-2.0-only
//
// The transmit path: two namespaces of one host, joined by a veth pair, in virtual time, as a scenario has
// them; real system calls, real softirqs, payload copied in and out. rr and connection go over veth, as
// lwIP's do from one interface to another, and once more over the loopback, as the kernel's.
//
//   segment/bulk     a segment of 1448 bytes: two tasks, sends and receives of eleven (16 KB), offloads off
//   segment/gso      the same with offloads on, and 64 KB
//   copies           its two copies alone
//   segment/single   one task that sends one segment and receives it: two system calls each
//   rr, connection   a byte there and back; connect, accept and close; with _loopback: not over veth
//   trace/event      what an event (an entry or a return) of a function costs where it is recorded
#include <cstring>
#include <vector>

#include "bench/harness.h"
#include "bench/lab.h"

namespace skbwalk::bench {
namespace {

constexpr u32 server_addr = 0x0a010002, loopback_addr = 0x7f000001;
constexpr u16 port = 80;
constexpr std::size_t mss = 1448;
constexpr std::size_t small = 11 * mss, large = 45 * mss;
constexpr int warm_up = 2000; // rounds: past slow start

class veth_lab : public lab {
public:
	explicit veth_lab(bool offloads, std::size_t trace_records = 0)
		: lab({.trace_records_max = trace_records}), h(world.add_host("h", 1))
	{
		set_up(h, {"ip netns add c", "ip netns add s",
		           "ip link add vc netns c type veth peer name vs netns s",
		           "ip -n c addr add 10.1.0.1/24 dev vc", "ip -n s addr add 10.1.0.2/24 dev vs",
		           "ip -n c link set vc address 02:00:00:00:00:01",
		           "ip -n s link set vs address 02:00:00:00:00:02", "ip -n c link set vc up",
		           "ip -n s link set vs up"});
		// As ARP has it after some seconds: before, a neighbour is being confirmed, and packets to it
		// take another way.
		set_up(h, {"ip -n c neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev vc nud permanent",
		           "ip -n s neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev vs nud permanent"});
		if (!offloads)
			set_up(h, {"ip netns exec c ethtool -K vc gso off tso off gro off",
			           "ip netns exec s ethtool -K vs gso off tso off gro off"});
	}
	host &h;
};

// A client, a server and a way between them.
struct two_ends {
	lab &l;
	host &h;
	const char *client_ns, *server_ns;
	u32 server;
};
template <class F> void over_veth(benchmark::State &state, F fn)
{
	veth_lab l(true);

	fn(state, two_ends{l, l.h, "c", "s", server_addr});
}
template <class F> void over_loopback(benchmark::State &state, F fn)
{
	lab l;
	host &h = l.world.add_host("h", 1);

	lab::set_up(h, {"ip link set lo up"});
	fn(state, two_ends{l, h, "", "", loopback_addr});
}

// What a benchmark of the harness counts.
using loop = std::function<void(const std::function<void()> &round)>;
loop loop_of(benchmark::State &state)
{
	return [&state](const std::function<void()> &round) {
		for (int i = 0; i < (smoke() ? 10 : warm_up); ++i)
			round();
		for (auto _ : state)
			round();
	};
}

void send_all(int fd, const std::byte *bytes, std::size_t n)
{
	while (n)
		n -= send_some(fd, bytes, n);
}

// Two tasks that sleep and wake each other.
void bulk(benchmark::State &state, bool offloads, std::size_t chunk)
{
	veth_lab l(offloads);
	const task_struct &server = l.task(l.h, "s", [chunk] {
		const int listener = listening_socket(port, 16);
		const int fd = accepted_socket(listener);
		const auto bytes = std::make_unique<std::byte[]>(chunk);

		while (receive_some(fd, bytes.get(), chunk))
			;
	});
	l.run_task(l.h, "c", [&] {
		const int fd = connected_socket(server_addr, port);
		const auto bytes = std::make_unique<std::byte[]>(chunk);

		loop_of(state)([&] { send_all(fd, bytes.get(), chunk); });
	});
	l.run(server);
	state.SetItemsProcessed(state.iterations() * static_cast<s64>(chunk / mss));
}

// What segment/gso copies, and nothing else: in, and when 3 MB are under way, out.
void copies(benchmark::State &state)
{
	constexpr std::size_t piece = 32768, under_way = 96 * piece;
	static auto *const pages = static_cast<std::byte *>(huge_arena(under_way));
	std::vector<std::byte> in(2 * piece), out(2 * piece);

	for (auto _ : state) {
		for (std::size_t at = 0; at < under_way; at += piece)
			std::memcpy(pages + at, in.data() + at % in.size(), piece);
		for (std::size_t at = 0; at < under_way; at += piece)
			std::memcpy(out.data() + at % in.size(), pages + at, piece);
		benchmark::DoNotOptimize(out.data());
	}
	state.SetItemsProcessed(state.iterations() * static_cast<s64>(under_way / mss));
}

// One task that has both ends: nothing sleeps, nothing waits in a queue.
class both_ends {
public:
	both_ends(bool offloads, std::size_t chunk, std::size_t trace_records = 0)
		: lab_(offloads, trace_records), bytes_(std::make_unique<std::byte[]>(chunk)),
		  got_(std::make_unique<std::byte[]>(chunk)), chunk_(chunk)
	{
		run([this] {
			net *const space = std::exchange(current.task->nsproxy_net, get_net_ns_by_name("s"));
			const int listener = listening_socket(port, 16);

			current.task->nsproxy_net = space;
			out_ = connected_socket(server_addr, port);
			in_ = accepted_socket(listener);
		});
	}
	~both_ends()
	{
		// Who ends last closes.
		shared_files files = std::exchange(files_, nullptr);
		lab_.run_task(
			lab_.h, "c", [] {}, std::move(files));
	}
	both_ends(const both_ends &) = delete;
	both_ends &operator=(const both_ends &) = delete;

	void run(std::function<void()> body) { lab_.run_task(lab_.h, "c", std::move(body), files_); }
	void round()
	{
		send_all(out_, bytes_.get(), chunk_);
		for (std::size_t n = 0; n < chunk_;)
			n += receive_some(in_, got_.get(), chunk_ - n);
	}
	trace::recorder *recorder() { return lab_.world.recorder(); }

private:
	veth_lab lab_;
	shared_files files_ = new_files();
	std::unique_ptr<std::byte[]> bytes_, got_;
	std::size_t chunk_;
	int out_ = -1, in_ = -1;
};

void single(benchmark::State &state)
{
	both_ends ends(false, mss);

	ends.run([&] { loop_of(state)([&] { ends.round(); }); });
	state.SetItemsProcessed(state.iterations());
}

void round_trip(benchmark::State &state, two_ends e)
{
	const task_struct &server = e.l.task(e.h, e.server_ns, [] {
		const int listener = listening_socket(port, 16);
		const int fd = accepted_socket(listener);
		char byte = 0;

		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		while (receive_some(fd, &byte, 1))
			send_some(fd, &byte, 1);
	});
	e.l.run_task(e.h, e.client_ns, [&] {
		const int fd = connected_socket(e.server, port);
		char byte = 'x';

		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		loop_of(state)([&] {
			send_some(fd, &byte, 1);
			receive_some(fd, &byte, 1);
		});
	});
	e.l.run(server);
	state.SetItemsProcessed(state.iterations());
}

// The client resets, so that no port stays in TIME_WAIT.
void connection(benchmark::State &state, two_ends e)
{
	bool over = false;
	const task_struct &server = e.l.task(e.h, e.server_ns, [&] {
		const int listener = listening_socket(port, 128);
		char byte;

		while (!over) {
			const int fd = accepted_socket(listener);

			static_cast<void>(
				sim::system_call(sys_nr::recvfrom, fd, &byte, 1, 0, nullptr, nullptr));
			close_socket(fd);
		}
	});
	e.l.run_task(e.h, e.client_ns, [&] {
		const auto round = [&] {
			const linger_opt at_once{1, 0};
			const int fd = connected_socket(e.server, port);

			set_option(fd, SOL_SOCKET, SO_LINGER, at_once);
			close_socket(fd);
		};

		loop_of(state)(round);
		over = true;
		round();
	});
	e.l.run(server);
	state.SetItemsProcessed(state.iterations());
}

// Rounds of one segment, nothing armed or all recorded: nanoseconds each, and how many events.
std::pair<double, double> timed_rounds(bool recording)
{
	const int rounds = smoke() ? 10 : 10000;
	both_ends ends(false, mss, recording ? 1U << 16 : 0);
	double took = 0;
	u64 events = 0;

	ends.run([&] {
		for (int i = 0; i < rounds / 5; ++i)
			ends.round();
		trace::recorder *const recorder = ends.recorder();

		if (recorder)
			recorder->start();
		const double start = cpu_ns();

		for (int i = 0; i < rounds; ++i) {
			ends.round();
			if (recorder) {
				events += recorder->size();
				recorder->clear();
			}
		}
		took = cpu_ns() - start;
		if (recorder)
			recorder->stop();
	});
	return {took / rounds, static_cast<double>(events) / rounds};
}

void trace_event(benchmark::State &state)
{
	for (auto _ : state) {
		const double off = timed_rounds(false).first;
		const auto [on, events] = timed_rounds(true);

		if (events != 0)
			sample("trace/event", (on - off) / events, "ns");
	}
}

} // namespace

void set_up()
{
	benchmark::RegisterBenchmark("segment/bulk", bulk, false, small);
	benchmark::RegisterBenchmark("segment/gso", bulk, true, large);
	benchmark::RegisterBenchmark("copies", copies);
	benchmark::RegisterBenchmark("segment/single", single);
	benchmark::RegisterBenchmark("rr", [](auto &state) { over_veth(state, round_trip); });
	benchmark::RegisterBenchmark("connection", [](auto &state) { over_veth(state, connection); });
	benchmark::RegisterBenchmark("rr_loopback", [](auto &state) { over_loopback(state, round_trip); });
	benchmark::RegisterBenchmark("connection_loopback",
	                             [](auto &state) { over_loopback(state, connection); });
	benchmark::RegisterBenchmark("trace/event", trace_event)->Iterations(1);

	constexpr u64 counted_rounds = 200;
	const auto segments = [](bool offloads, std::size_t chunk) {
		return [=]() -> std::function<void()> {
			auto ends = std::make_shared<both_ends>(offloads, chunk);
			return [ends] {
				ends->run([&] {
					for (u64 i = 0; i < counted_rounds; ++i)
						ends->round();
				});
			};
		};
	};
	counted("segment/bulk", counted_rounds * small / mss, segments(false, small));
	counted("segment/single", counted_rounds, segments(false, mss));
}

} // namespace skbwalk::bench
