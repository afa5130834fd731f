// SPDX-License-Identifier: GPL-2.0-only
//
// What is read equals what was sent, however packets are merged and cut on the way. Two hosts' namespaces and
// a router between them, joined by veths whose offloads, sizes and timers come from the seed; the router
// loses packets, sends some twice and holds some back; TCP streams of random writes go both ways and are read
// in random pieces. Each byte is compared, and the checksums of each packet that a device of the ends or of
// the router sees, merged or not. A difference stops the program; the file that it names has the command line
// of the world in hand.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "sim/packet_tap.h"
#include "sim/pcap.h"
#include "sim/setup.h"
#include "sim/system_call.h"
#include "stack/core/dst.h"
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"
#include "stack/netfilter/netfilter.h"
#include "stack/wire/socket.h"
#include "tests/fuzz/dice.h"
#include "tests/fuzz/fuzz_main.h"

namespace skbwalk::fuzz {

namespace {

using sim::system_call;

constexpr unsigned hang_seconds = 120;           // of real time, for one world
constexpr u64 patience_ns = 1200 * NSEC_PER_SEC; // of virtual time, until all is read
constexpr u64 step_ns = 100 * NSEC_PER_MSEC;

struct totals_t {
	u64 packets = 0, segments = 0, merged = 0, bytes = 0, lost = 0, held = 0, doubled = 0;
};
totals_t totals;

// From any stack, with tasks alive on others.
[[noreturn]] void stop(const std::string &what) { std::_Exit(fail(what)); }

u8 byte_at(u32 flow, u32 position) { return static_cast<u8>((position * 2654435761u + flow * 40503u) >> 13); }

sockaddr_in at(u32 ip, u16 port)
{
	sockaddr_in a;
	a.sin_port = htons(port);
	a.sin_addr = htonl(ip);
	return a;
}

// --- the ends ---

struct flow {
	u32 number;
	u32 to_ip;
	u32 size;
	dice d;
	bool nodelay;
	u32 sent = 0, read = 0;
	bool done = false;

	[[nodiscard]] u16 port() const { return static_cast<u16>(7000 + number); }

	void receive()
	{
		const long l = system_call(sys_nr::socket, AF_INET, SOCK_STREAM, 0);
		const sockaddr_in any = at(0, port());
		bytes buffer(70000);

		if (system_call(sys_nr::bind, l, &any, 16) || system_call(sys_nr::listen, l, 8))
			stop("cannot listen");
		const long fd = system_call(sys_nr::accept, l, static_cast<void *>(nullptr),
		                            static_cast<void *>(nullptr));
		for (;;) {
			const u32 room = d.percent(70) ? 65536 : 1 + d.below(9000);
			const long n =
				system_call(sys_nr::recvfrom, fd, buffer.data(), room, 0,
			                    static_cast<void *>(nullptr), static_cast<void *>(nullptr));
			if (current.task->fatal_signal)
				return;
			if (n < 0)
				stop(fmt::format("flow {}: recv returns {}", number, n));
			if (n == 0)
				break;
			for (u32 i = 0; i < static_cast<u32>(n); ++i, ++read)
				if (buffer[i] != byte_at(number, read))
					stop(fmt::format("flow {}: byte {} differs", number, read));
			if (d.one_in(20))
				system_call(sys_nr::poll, static_cast<void *>(nullptr), 0, d.below(30));
		}
		if (read != size)
			stop(fmt::format("flow {}: {} bytes were sent, {} read", number, size, read));
		system_call(sys_nr::close, fd);
		system_call(sys_nr::close, l);
		done = true;
	}

	void send()
	{
		const long fd = system_call(sys_nr::socket, AF_INET, SOCK_STREAM, 0);
		const sockaddr_in to = at(to_ip, port());
		const int one = 1;
		bytes buffer;

		if (nodelay)
			system_call(sys_nr::setsockopt, fd, SOL_TCP, TCP_NODELAY, &one, 4);
		while (system_call(sys_nr::connect, fd, &to, 16))
			if (current.task->fatal_signal)
				return;
		while (sent < size) {
			const u32 max = d.percent(40) ? 300 : d.percent(60) ? 5000 : 66000;
			const u32 n = std::min(size - sent, 1 + d.below(max));

			buffer.resize(n);
			for (u32 i = 0; i < n; ++i)
				buffer[i] = byte_at(number, sent + i);
			const long ret =
				system_call(sys_nr::sendto, fd, buffer.data(), n, d.one_in(8) ? MSG_MORE : 0,
			                    static_cast<void *>(nullptr), 0);
			if (current.task->fatal_signal)
				return;
			if (ret != static_cast<long>(n))
				stop(fmt::format("flow {}: send of {} returns {}", number, n, ret));
			sent += n;
			if (d.one_in(15))
				system_call(sys_nr::poll, static_cast<void *>(nullptr), 0, d.below(8));
		}
		system_call(sys_nr::close, fd);
	}
};

// --- the router's bad days ---

struct trouble {
	sim::world &w;
	host &h;
	dice d;
	u32 lose = 0, hold = 0, repeat = 0; // per mille
	u32 waiting = 0;

	static u32 meet(void *priv, skb_ptr &skb, const nf_hook_state &state)
	{
		trouble &t = *static_cast<trouble *>(priv);

		if (t.d.below(1000) < t.lose) {
			++totals.lost;
			return NF_DROP;
		}
		if (t.d.below(1000) < t.repeat) {
			++totals.doubled;
			t.later(skb_copy(*skb, GFP_ATOMIC), state);
		}
		if (t.d.below(1000) < t.hold && skb_dst_force(*skb)) {
			++totals.held;
			t.later(std::move(skb), state);
			return NF_STOLEN;
		}
		return NF_ACCEPT;
	}

private:
	void later(skb_ptr skb, nf_hook_state state)
	{
		if (!skb || !skb_dst_force(*skb)) {
			kfree_skb(std::move(skb));
			return;
		}
		++waiting;
		w.call_at(w.now_ns() + 1 + d.below(d.percent(80) ? 300'000 : 20'000'000),
		          [this, skb = skb.release(), state] {
				  const enter_cpu in(*h.cpus[0]);

				  --waiting;
				  local_bh_disable();
				  rcu_read_lock();
				  static_cast<void>(state.okfn(*state.net, state.sk, skb_ptr(skb)));
				  rcu_read_unlock();
				  local_bh_enable();
			  });
	}
};

// --- one world ---

class bench {
public:
	bench(u64 seed, sim::pcap_file *pcap)
		: d_{seed, "gro-world"}, w_{options(seed)}, h_(w_.add_host("model", 1)),
		  tap_(w_), trouble_{w_, h_, dice{seed, "gro-trouble"}}
	{
		for (const char *line :
		     {"ip netns add a", "ip netns add r", "ip netns add b",
		      "ip link add va netns a type veth peer name ra netns r",
		      "ip link add vb netns b type veth peer name rb netns r",
		      "ip -n a addr add 10.0.1.2/24 dev va", "ip -n r addr add 10.0.1.1/24 dev ra",
		      "ip -n r addr add 10.0.2.1/24 dev rb", "ip -n b addr add 10.0.2.2/24 dev vb"})
			run(line);
		offloads("a", "va");
		offloads("r", "ra");
		offloads("r", "rb");
		offloads("b", "vb");
		if (d_.percent(30))
			mtu("a", "va", "ra", 576 + d_.below(925));
		if (d_.percent(30))
			mtu("b", "vb", "rb", 576 + d_.below(925));
		for (const char *line :
		     {"ip -n a link set va up", "ip -n r link set ra up", "ip -n r link set rb up",
		      "ip -n b link set vb up", "ip -n a route add default via 10.0.1.1",
		      "ip -n b route add default via 10.0.2.1",
		      "ip netns exec r sysctl -w net.ipv4.ip_forward=1"})
			run(line);
		seldom();
		if (d_.percent(60)) {
			trouble_.lose = d_.pick({0u, 5u, 20u, 60u});
			trouble_.hold = d_.pick({0u, 5u, 30u, 100u});
			trouble_.repeat = d_.pick({0u, 0u, 10u});
		}
		{
			const enter_cpu in(*h_.cpus[0]);
			hook_ = hook();
			if (nf_register_net_hook(*get_net_ns_by_name("r"), hook_))
				stop("no hook");
		}
		tap_.watch([this](const sim::packet_tap::seen &p) { look(p); });
		if (pcap)
			sim::dump_packets(tap_, *pcap, "");
		for (u32 i = 0, n = 1 + d_.below(3); i < n; ++i)
			add_flow(i, d_.percent(75));
	}

	// True: all was read.
	bool go()
	{
		const u64 until = w_.now_ns() + patience_ns;

		while (w_.now_ns() < until) {
			w_.run_until(w_.now_ns() + step_ns);
			if (std::ranges::all_of(flows_, [](const auto &f) { return f->done; }))
				return true;
		}
		return false;
	}

	std::string state() const
	{
		std::string out;
		for (const auto &f : flows_)
			out += fmt::format(" flow {}: {} of {} sent, {} read;", f->number, f->sent, f->size,
			                   f->read);
		return out;
	}

	std::vector<std::string> end()
	{
		for (u32 i = 0; trouble_.waiting && i < 1000; ++i)
			w_.run_until(w_.now_ns() + NSEC_PER_MSEC);
		{
			const enter_cpu in(*h_.cpus[0]);
			nf_unregister_net_hook(*get_net_ns_by_name("r"), hook_);
			for (const auto &t : tasks_)
				if (t->state != TASK_DEAD)
					task_kill(*t);
		}
		w_.run_until(w_.now_ns() + 10 * NSEC_PER_MSEC);
		for (const auto &t : tasks_)
			if (t->state != TASK_DEAD)
				stop(t->comm + " does not end");
		tasks_.clear();
		{
			const enter_cpu in(*h_.cpus[0]);
			if (skb_dropped_unspecified())
				stop("packets were lost by a destructor");
		}
		for (const auto &f : flows_)
			totals.bytes += f->read;
		return w_.end();
	}

private:
	static sim::world::options options(u64 seed)
	{
		sim::world::options o;
		o.seed = seed;
		o.trace_records_max = 1; // the tap hangs on it
		return o;
	}

	nf_hook_ops hook() { return {trouble::meet, nullptr, &trouble_, NFPROTO_IPV4, NF_INET_FORWARD, -1}; }

	void run(const std::string &line) { sim::run_command(h_, line); }

	void offloads(const char *ns, const char *dev)
	{
		struct choice {
			const char *feature;
			u32 on;
		};
		for (const choice c : {choice{"sg", 88}, {"tx", 70}, {"gso", 80}, {"tso", 40}, {"gro", 75}}) {
			const bool on = d_.percent(c.on);
			try {
				run(fmt::format("ip netns exec {} ethtool -K {} {} {}", ns, dev, c.feature,
				                on ? "on" : "off"));
			} catch (const sim::command_failed &) { // another was asked for before it
			}
		}
		if (d_.percent(25)) {
			const enter_cpu in(*h_.cpus[0]);
			net_device &device = *__dev_get_by_name(*get_net_ns_by_name(ns), dev);
			device.gro_flush_timeout = 1000 + d_.below(200'000);
			device.napi_defer_hard_irqs = static_cast<int>(d_.below(3));
		}
	}

	void mtu(const char *ns, const char *one, const char *other, u32 size)
	{
		run(fmt::format("ip -n {} link set {} mtu {}", ns, one, size));
		run(fmt::format("ip -n r link set {} mtu {}", other, size));
	}

	void seldom()
	{
		struct choice {
			const char *line;
			u32 percent;
		};
		for (const choice c : {choice{"ipv4.tcp_timestamps=0", 25},
		                       {"ipv4.tcp_sack=0", 15},
		                       {"ipv4.tcp_ecn=1", 20},
		                       {"ipv4.tcp_window_scaling=0", 10},
		                       {"ipv4.tcp_congestion_control=reno", 20},
		                       {"ipv4.ip_no_pmtu_disc=1", 20},
		                       {"ipv4.tcp_rmem='4096 9000 20000'", 10},
		                       {"ipv4.tcp_autocorking=0", 20}})
			if (d_.percent(c.percent))
				for (const char *ns : {"a", "b"})
					run(fmt::format("ip netns exec {} sysctl -w net.{}", ns, c.line));
		if (d_.percent(30))
			run(fmt::format("sysctl -w net.core.gro_normal_batch={}", 1 + d_.below(16)));
		if (d_.percent(10))
			run(fmt::format("sysctl -w net.core.netdev_budget={}", 1 + d_.below(100)));
		if (d_.percent(20))
			run("ip netns exec r iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
	}

	void add_flow(u32 number, bool forth)
	{
		flows_.push_back(
			std::make_unique<flow>(flow{number, forth ? 0x0a000202u : 0x0a000102u,
		                                    d_.percent(60) ? 1 + d_.below(30'000) : d_.below(250'000),
		                                    dice{w_.seed(), "gro-flow", number}, d_.percent(50)}));
		flow *f = flows_.back().get();
		start(fmt::format("receiver{}", number), forth ? "b" : "a", [f] { f->receive(); });
		start(fmt::format("sender{}", number), forth ? "a" : "b", [f] { f->send(); });
	}

	void start(std::string name, const char *ns, std::function<void()> body)
	{
		const enter_cpu in(*h_.cpus[0]);

		tasks_.push_back(
			std::make_unique<task_struct>(*h_.cpus[0], std::move(name), std::move(body)));
		tasks_.back()->nsproxy_net = get_net_ns_by_name(ns);
		task_start(*tasks_.back());
	}

	// Sums of what goes by are right, of merged packets too.
	void look(const sim::packet_tap::seen &p)
	{
		if (p.dev.flags & IFF_LOOPBACK)
			return;
		const sim::frame_bytes f = sim::wire_bytes(p.skb);

		if (f.size() < 34 || get16(&f[12]) != ETH_P_IP)
			return;
		const u8 *ip = f.data() + ETH_HLEN;
		const u32 ihl = (ip[0] & 15u) * 4, total = get16(ip + 2);
		const auto where = [&] { return fmt::format("{} {}", p.dev.name, p.out ? "out" : "in"); };

		if (total + ETH_HLEN > f.size())
			stop(where() + ": a packet is shorter than it says");
		if (sum16(ip, ihl))
			stop(where() + ": the sum of an IP header is wrong");
		if (!p.out) {
			++totals.packets;
			totals.segments += std::max<u16>(1, skb_shinfo(p.skb).gso_segs);
			totals.merged += skb_shinfo(p.skb).gso_segs > 1;
		}
		if (ip[9] != IPPROTO_TCP || (get16(ip + 6) & 0x3fff))
			return;
		const u32 len = total - ihl;
		const u32 pseudo =
			get16(ip + 12) + get16(ip + 14) + get16(ip + 16) + get16(ip + 18) + IPPROTO_TCP + len;

		if (sum16(ip + ihl, len, pseudo))
			stop(where() + ": the sum of a TCP segment is wrong");
	}

	dice d_;
	sim::world w_;
	host &h_;
	sim::packet_tap tap_;
	trouble trouble_;
	nf_hook_ops hook_; // by its address it is known
	std::vector<std::unique_ptr<flow>> flows_;
	std::vector<std::unique_ptr<task_struct>> tasks_;
};

int run(u64 seed, u64 count, u64 worlds, u64 first, const std::string &pcap_path)
{
	u64 done = 0;
	std::unique_ptr<sim::pcap_file> pcap;

	watch_inputs("gro_fuzz", "args", hang_seconds);
	if (!pcap_path.empty())
		pcap = std::make_unique<sim::pcap_file>(pcap_path);
	for (u64 world = first; worlds ? done < worlds : totals.packets < count; ++world, ++done) {
		next_input(fmt::format("--seed {} --world {} --worlds 1\n", seed, world));
		bench b{seed * 1'000'003 + world, pcap.get()};
		if (!b.go())
			stop("not all arrives:" + b.state());
		for (const std::string &line : b.end())
			stop("leaves " + line);
	}
	end_of_inputs();
	fmt::print("{} worlds, {} bytes read as they were sent\n"
	           "{} packets received, of {} segments; {} of the packets were of several\n"
	           "{} lost, {} late, {} twice\n",
	           done, totals.bytes, totals.packets, totals.segments, totals.merged, totals.lost,
	           totals.held, totals.doubled);
	return 0;
}

} // namespace

} // namespace skbwalk::fuzz

int main(int argc, char **argv)
{
	using namespace skbwalk::fuzz;
	skbwalk::u64 seed = 1, count = 10'000, worlds = 0, world = 0;
	std::string pcap;
	const numeric_option numbers[] = {
		{"--seed", &seed, "of everything that is random"},
		{"--count", &count, "packets; ends after the world in which they are reached"},
		{"--worlds", &worlds, "worlds, instead of packets"},
		{"--world", &world, "the first world"}};
	const text_option texts[] = {{"--pcap", &pcap, "write what goes by the devices"}};

	return fuzz_main(
		argc, argv, "What is read equals what was sent, however packets are merged and cut.", numbers,
		[&] { return run(seed, count, worlds, world, pcap); }, texts);
}
