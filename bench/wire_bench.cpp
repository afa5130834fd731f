// SPDX-License-Identifier: GPL-2.0-only
//
// Two hosts on a wire of 10 Gbit/s and 10 us, as network simulators have them: network cards with their
// interrupts at both ends, flows that send as much as they can. What counts is the cpu time that a segment of
// 1448 bytes costs which arrives, by one flow, by a thousand, and where one frame in a hundred is lost; and
// the memory of a pair of connected sockets that does nothing. Packets wait for the card in a queue that
// drops none of them, and so they do in the rival. fq_codel, which a host has by itself, keeps a thousand
// flows' queues short by dropping many: what their recovery costs is a question of its own.
#include "bench/harness.h"
#include "bench/lab.h"
#include "sim/wire.h"

namespace skbwalk::bench {
namespace {

constexpr u32 server_addr = 0x0a020002;
constexpr u16 port = 80;
constexpr std::size_t mss = 1448;
constexpr std::size_t chunk = 64 * 1024;
constexpr int events_max = 64;
constexpr int buffer = 128 * 1024; // twice that counts: what ns-3's sockets are given here
constexpr std::string_view fifo = "pfifo limit 200000", fq_codel = "fq_codel";

class wire_lab : public lab {
public:
	wire_lab(std::string_view qdisc, double loss) : a(world.add_host("a", 1)), b(world.add_host("b", 1))
	{
		sim::wire_description what;

		what.name = "w";
		what.a = {"a", "eth0"};
		what.b = {"b", "eth0"};
		what.options.bits_per_second = 10'000'000'000;
		what.options.delay_ns = 10 * NSEC_PER_USEC;
		what.options.queue_packets_max = 10'000;
		what.options.loss = loss;
		wire_ = std::make_shared<sim::wire>(world, what, "benchmark");
		world.keep(wire_);
		// Without the memory for a thousand buffers, senders poll for it.
		constexpr const char *memory = "sysctl -w net.ipv4.tcp_mem=\"262144 524288 1048576\"";

		set_up(a, {memory, "tc qdisc replace dev eth0 root " + std::string(qdisc),
		           "ip link set eth0 address 02:00:00:00:00:01", "ip link set eth0 up",
		           "ip addr add 10.2.0.1/24 dev eth0",
		           "ip neigh add 10.2.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent"});
		set_up(b, {memory, "tc qdisc replace dev eth0 root " + std::string(qdisc),
		           "ip link set eth0 address 02:00:00:00:00:02", "ip link set eth0 up",
		           "ip addr add 10.2.0.2/24 dev eth0",
		           "ip neigh add 10.2.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent"});
		world.run_until(world.now_ns() + 10 * NSEC_PER_MSEC); // the cards have found their link
	}
	// Frames for which a receiving card had no buffer.
	[[nodiscard]] u64 no_buffer() const
	{
		return wire_->counter(sim::link::a, "no_buffer") + wire_->counter(sim::link::b, "no_buffer");
	}
	host &a, &b;

private:
	std::shared_ptr<sim::wire> wire_;
};

int poll_set() { return static_cast<int>(must("epoll_create1", sim::system_call(sys_nr::epoll_create1, 0))); }
void watch(int set, int fd, u32 events)
{
	epoll_event e{events, static_cast<u64>(fd)};

	must("epoll_ctl", sim::system_call(sys_nr::epoll_ctl, set, EPOLL_CTL_ADD, fd, &e));
}
// Calls fn(fd) for what is ready, until it says false.
template <class F> void serve(int set, F fn)
{
	epoll_event ready[events_max];

	for (;;) {
		const long n = sim::system_call(sys_nr::epoll_wait, set, ready, events_max, -1);

		if (n < 0) // the world ends
			return;
		for (long i = 0; i < n; ++i)
			fn(static_cast<int>(ready[i].data));
	}
}

// Flows that send and receive without end; `received` counts.
void start_flows(wire_lab &l, int flows, u64 &received)
{
	l.task(l.b, "", [flows, &received] {
		const int listener = tcp_socket();
		set_option(listener, SOL_SOCKET, SO_RCVBUF, buffer);
		listen_on(listener, port, flows);
		const int set = poll_set();
		const auto bytes = std::make_unique<std::byte[]>(chunk);

		watch(set, listener, EPOLLIN);
		serve(set, [&](int fd) {
			if (fd == listener) {
				watch(set, accepted_socket(listener), EPOLLIN);
				return;
			}
			const long n = sim::system_call(sys_nr::recvfrom, fd, bytes.get(), chunk,
			                                MSG_DONTWAIT, nullptr, nullptr);
			if (n > 0)
				received += static_cast<u64>(n);
		});
	});
	l.task(l.a, "", [flows] {
		const int set = poll_set();
		const auto bytes = std::make_unique<std::byte[]>(chunk);

		for (int i = 0; i < flows; ++i) {
			const int fd = tcp_socket();
			set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer);
			connect_to(fd, server_addr, port);
			watch(set, fd, EPOLLOUT);
		}
		serve(set, [&](int fd) {
			static_cast<void>(sim::system_call(sys_nr::sendto, fd, bytes.get(), chunk,
			                                   MSG_DONTWAIT, nullptr, 0));
		});
	});
}

void bulk(benchmark::State &state, int flows, std::string_view qdisc, double loss)
{
	// Until the buffers of all are full: what follows takes no new memory.
	const u64 warm_up_ms = smoke() ? 10 : flows > 1 ? 1000 : 200;
	u64 received = 0;
	wire_lab l(qdisc, loss);

	start_flows(l, smoke() && flows > 20 ? 20 : flows, received);
	// All are connected then, by the second SYN or the third if one was lost.
	for (int ms = 0; !received; ++ms) {
		if (ms == 60'000)
			fail("flows do not begin", 0);
		l.world.run_until(l.world.now_ns() + NSEC_PER_MSEC);
	}
	l.world.run_until(l.world.now_ns() + warm_up_ms * NSEC_PER_MSEC);
	const u64 before = received, no_buffer_before = l.no_buffer();
	for (auto _ : state)
		l.world.run_until(l.world.now_ns() + NSEC_PER_MSEC);
	state.SetItemsProcessed(static_cast<s64>((received - before) / mss));
	if (qdisc != fifo)
		return;
	if (sim::run_command(l.a, "tc -s qdisc show dev eth0").find("(dropped 0,") == std::string::npos)
		fail("the queue dropped packets", 0);
	// Cards do while a thousand flows begin.
	if (const u64 dropped = l.no_buffer() - no_buffer_before; dropped && !smoke())
		fail("cards dropped packets", static_cast<long>(dropped));
}

// In a process of its own, whose memory nothing else has used.
void idle_pair(benchmark::State &state)
{
	for (auto _ : state) {
		if (!alone(state, "idle_pair"))
			continue;
		constexpr int first = 100;
		const int pairs = smoke() ? 100 : 4000;
		wire_lab l(fq_codel, 0);
		double before = 0, after = 0;

		l.task(l.b, "", [pairs] {
			const int listener = listening_socket(port, 128);

			for (int i = 0; i < first + pairs; ++i)
				accepted_socket(listener);
			task_park();
		});
		l.run_task(l.a, "", [&] {
			for (int i = 0; i < first; ++i)
				connected_socket(server_addr, port);
			before = resident_bytes();
			for (int i = 0; i < pairs; ++i)
				connected_socket(server_addr, port);
			after = resident_bytes();
		});
		sample("idle_pair", (after - before) / pairs, "bytes");
	}
}

} // namespace

void set_up()
{
	benchmark::RegisterBenchmark("flow/one", bulk, 1, fifo, 0.0);
	benchmark::RegisterBenchmark("flow/thousand", bulk, 1000, fifo, 0.0);
	benchmark::RegisterBenchmark("flow/thousand_codel", bulk, 1000, fq_codel, 0.0);
	benchmark::RegisterBenchmark("flow/lossy", bulk, 1, fifo, 0.01);
	benchmark::RegisterBenchmark("flow/thousand_lossy", bulk, 1000, fifo, 0.01);
	benchmark::RegisterBenchmark("idle_pair", idle_pair)->Iterations(1);
}

} // namespace skbwalk::bench
