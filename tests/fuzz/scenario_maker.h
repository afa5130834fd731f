// SPDX-License-Identifier: GPL-2.0-only
//
// Scenario files from a seed that say nothing wrong: a topology, tasks in it, and system calls on descriptors
// that exist, most of which can succeed. Each is to be accepted and run; what it does is for the model.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/fuzz/dice.h"

namespace skbwalk::fuzz {

class scenario_maker {
public:
	explicit scenario_maker(u64 seed, u64 number) : d_{seed, "fuzz-valid-scenarios", number} {}
	std::string make();

private:
	struct descriptor {
		std::size_t task;
		std::string name;
		bool stream, bound = false, listens = false, connected = false;
	};
	struct peer { // something to talk to
		std::string addr;
		bool stream;
	};

	void topology();
	void wire();
	std::string discipline();
	void tasks();
	std::string step();
	void cpus();
	void devices();
	std::string tasklet(std::size_t task);
	std::string call(std::string_view name, std::size_t task, std::string rest);
	std::string new_socket(std::size_t task);
	std::string on(descriptor &d);
	std::string command_step();
	std::string data();
	std::string flags(bool sending);
	std::string option();
	std::string address_for(const descriptor &d, bool own);
	u32 some_cpus() { return 1 + d_.below((1u << cpus_) - 1); } // a mask
	std::string some_address() { return addresses_[d_.below(addresses_.size())]; }
	template <std::size_t N> std::string one_of(const char *const (&list)[N])
	{
		return list[d_.below(N)];
	}
	static void add(std::string &list, const std::string &element)
	{
		if (!list.empty())
			list += ",\n\t\t";
		list += element;
	}

	dice d_;
	std::vector<std::string> setup_, addresses_, spaces_;
	std::vector<std::string> task_names_;
	std::vector<descriptor> fds_;
	std::vector<peer> peers_;
	u32 named_ = 0;
	u32 cpus_ = 1;
	std::string hosts_, cost_, devices_;
	bool wired_ = false; // two hosts with a wire between them
	bool has_epoll_ = false;
	std::size_t epoll_task_ = 0;
	std::string phase_;
};

// ---- where ----------------------------------------------------------------------------------------------

// What tc takes, behind `tc qdisc replace dev X root`.
inline std::string scenario_maker::discipline()
{
	static constexpr const char *const all[] = {
		"pfifo limit 3",
		"bfifo limit 4000",
		"pfifo_head_drop limit 2",
		"pfifo_fast",
		"prio bands 4",
		"fq_codel limit 4 flows 2 target 1ms interval 2ms",
		"fq_codel memory_limit 5000 noecn",
		"fq limit 5 flow_limit 2 buckets 2",
		"fq maxrate 1mbit quantum 300 initial_quantum 1000",
		"netem delay 2ms 1ms 25% loss 5%",
		"netem delay 1ms reorder 25% 50%",
		"netem duplicate 10% corrupt 10% limit 20",
		"netem rate 2mbit loss gemodel 5% 50%",
		"netem slot 1ms 2ms packets 3",
		"tbf rate 1mbit burst 2000 latency 20ms",
		"tbf rate 1mbit burst 1600 limit 9000 peakrate 2mbit mtu 1600",
		"noqueue"};

	return one_of(all);
}

// Two hosts with a card each.
inline void scenario_maker::wire()
{
	wired_ = true;
	for (u32 i = 0; i < 2; ++i) {
		const std::string host = i ? "peer" : "host", addr = fmt::format("10.0.7.{}", i + 1);
		const auto line = [&](const std::string &l) {
			setup_.push_back(fmt::format(R"({{"run": "{}", "host": "{}"}})", l, host));
		};

		addresses_.push_back(addr);
		line("ip addr add " + addr + "/24 dev eth0");
		if (d_.percent(20))
			line(fmt::format("ethtool -G eth0 rx {} tx {}", 48 + d_.below(500),
			                 48 + d_.below(500)));
		if (d_.percent(20))
			line(fmt::format("ethtool -C eth0 rx-usecs {}",
			                 d_.percent(50) ? 4 : 10 + d_.below(900)));
		line("ip link set eth0 up");
		if (d_.percent(40))
			line("tc qdisc replace dev eth0 root " + discipline());
	}
	if (d_.percent(80)) // the carrier has come
		setup_.push_back("ip neigh flush all");
}

inline void scenario_maker::topology()
{
	const auto line = [this](std::string l) { setup_.push_back(std::move(l)); };

	addresses_ = {"127.0.0.1"};
	spaces_ = {""};
	if (d_.percent(90))
		line("ip link set lo up");
	if (d_.percent(15)) {
		wire();
	} else if (d_.percent(60)) { // a pair of namespaces, or a row of three with a router
		const bool router = d_.percent(40);
		for (const char *ns : {"a", "b", "r"})
			if (router || *ns != 'r')
				line(fmt::format("ip netns add {}", ns));
		const auto wire = [&](const char *left, const char *right, const char *l, const char *r,
		                      int net) {
			line(fmt::format("ip link add {} type veth peer name {}", l, r));
			const char *const spaces[] = {left, right}, *const devices[] = {l, r};
			for (int i = 0; i < 2; ++i) {
				line(fmt::format("ip link set {} netns {}", devices[i], spaces[i]));
				const std::string addr = fmt::format("10.0.{}.{}", net, i + 1);
				addresses_.push_back(addr);
				line(fmt::format("ip netns exec {} ip addr add {}/24 dev {}", spaces[i], addr,
				                 devices[i]));
				if (d_.percent(8))
					line(fmt::format("ip netns exec {} ip link set {} mtu {}", spaces[i],
					                 devices[i], 600 + d_.below(900)));
				line(fmt::format("ip netns exec {} ip link set {} up", spaces[i],
				                 devices[i]));
				if (d_.percent(8))
					line(fmt::format("ip netns exec {} ethtool -K {} {} off", spaces[i],
					                 devices[i],
					                 d_.percent(50)   ? "tso"
					                 : d_.percent(50) ? "gso"
					                                  : "tx"));
			}
		};
		spaces_ = {"", "a", "b"};
		if (router) {
			wire("a", "r", "va", "ra", 1);
			wire("b", "r", "vb", "rb", 2);
			line("ip netns exec a ip route add default via 10.0.1.2");
			line("ip netns exec b ip route add default via 10.0.2.2");
			if (d_.percent(90))
				line("ip netns exec r sysctl -w net.ipv4.ip_forward=1");
		} else {
			wire("a", "b", "v1", "v2", 0);
		}
		for (const char *ns : {"a", "b"})
			if (d_.percent(70))
				line(fmt::format("ip netns exec {} ip link set lo up", ns));
		addresses_.push_back(d_.percent(50) ? "10.0.0.99" : "192.0.2.1"); // nobody's
	}
	static constexpr const char *const sysctls[] = {"net.ipv4.tcp_timestamps=0",
	                                                "net.ipv4.tcp_sack=0",
	                                                "net.ipv4.tcp_window_scaling=0",
	                                                "net.ipv4.tcp_syncookies=2",
	                                                "net.ipv4.tcp_ecn=1",
	                                                "net.ipv4.tcp_fastopen=1539",
	                                                "net.ipv4.tcp_rmem='4096 8192 9000'",
	                                                "net.ipv4.tcp_wmem='4096 8192 9000'",
	                                                "net.ipv4.tcp_max_syn_backlog=1",
	                                                "net.ipv4.tcp_congestion_control=reno",
	                                                "net.ipv4.tcp_abort_on_overflow=1",
	                                                "net.ipv4.tcp_mtu_probing=2",
	                                                "net.ipv4.tcp_fin_timeout=1",
	                                                "net.ipv4.tcp_retries2=2",
	                                                "net.ipv4.tcp_syn_retries=1",
	                                                "net.core.somaxconn=1",
	                                                "net.core.netdev_max_backlog=1",
	                                                "net.ipv4.tcp_autocorking=0"};
	while (d_.percent(35))
		line(std::string("sysctl -w ") + one_of(sysctls));
}

inline void scenario_maker::tasks()
{
	static constexpr const char *const names[] = {"client", "server", "third", "fourth"};
	const std::size_t n = 1 + d_.below(4);
	for (std::size_t i = 0; i < n; ++i)
		task_names_.emplace_back(names[i]);
}

// Several cpus that stand still now and then, functions that take their time, and packets steered among cpus.
inline void scenario_maker::cpus()
{
	static constexpr const char *const functions[] = {
		"ip_rcv",           "tcp_v4_rcv",     "udp_rcv",         "__dev_queue_xmit",
		"net_rx_action",    "tcp_ack",        "tcp_sendmsg",     "tcp_recvmsg",
		"lock_sock_nested", "release_sock",   "__alloc_skb",     "kmem_cache_free",
		"tcp_write_xmit",   "try_to_wake_up", "process_backlog", "inet_csk_accept",
		"handle_irq_event", "mod_timer",      "veth_xmit",       "loopback_xmit"};

	cpus_ = d_.percent(60) ? 2 + d_.below(3) : 1;
	if (d_.percent(cpus_ > 1 ? 40 : 10)) {
		std::string list;

		for (u32 i = 1 + d_.below(4); i; --i) {
			const std::string one = one_of(functions);

			if (list.find('"' + one + '"') == std::string::npos)
				add(list, fmt::format(R"("{}": {})", one,
				                      d_.below(d_.percent(80) ? 5000 : 100'000)));
		}
		cost_ = fmt::format("\n\t\"cost\": {{\"functions\": {{{}}}}},", list);
	}
	std::string own, other;

	if (cpus_ > 1)
		own = d_.percent(75)
		              ? fmt::format(R"("cpus": {}, "interleave": {})", cpus_, 5 + d_.below(100))
		              : fmt::format(R"("cpus": {})", cpus_);
	if (wired_)
		other = fmt::format(R"(, "peer": {{"cpus": {}}})", 1 + d_.below(2));
	if (wired_ || cpus_ > 1)
		hosts_ = fmt::format("\n\t\"hosts\": {{\"host\": {{{}}}{}}},", own, other);
	if (wired_) {
		static constexpr const char *const faults[] = {R"("loss": 0.1)",    R"("duplicate": 0.1)",
		                                               R"("corrupt": 0.1)", R"("jitter_us": 900)",
		                                               R"("reorder": 0.2)", R"("queue": 2)"};
		std::string keys = fmt::format(R"("delay_us": {})", d_.below(500));

		if (d_.percent(70))
			add(keys, fmt::format(R"("rate": "{}mbit")", 1 + d_.below(2000)));
		if (d_.percent(40))
			add(keys, one_of(faults));
		hosts_ += fmt::format("\n\t\"wires\": [{{\"a\": \"host:eth0\", \"b\": \"peer:eth0\", {}}}],",
		                      keys);
	}
	if (cpus_ == 1)
		return;
	const auto steer = [this](const char *in, const char *dev) {
		setup_.push_back(fmt::format("{}sh -c 'echo {:x} > /sys/class/net/{}/queues/rx-0/rps_cpus'",
		                             in, some_cpus(), dev));
		if (d_.percent(20))
			setup_.push_back(fmt::format(
				"{}sh -c 'echo 16 > /sys/class/net/{}/queues/rx-0/rps_flow_cnt'", in, dev));
	};
	if (d_.percent(60))
		steer("", "lo");
	if (d_.percent(15))
		setup_.push_back("sysctl -w net.core.rps_sock_flow_entries=64");
	if (spaces_.size() > 1 && d_.percent(60)) {
		const bool router = std::ranges::find(setup_, "ip netns add r") != setup_.end();

		steer("ip netns exec a ", router ? "va" : "v1");
		if (d_.percent(50))
			steer("ip netns exec b ", router ? "vb" : "v2");
		if (router && d_.percent(50))
			steer("ip netns exec r ", "ra");
		if (d_.percent(40)) { // which polls
			setup_.push_back(
				fmt::format("ip netns exec a ethtool -K {} gro on", router ? "va" : "v1"));
			if (d_.percent(50)) {
				setup_.push_back(fmt::format("ip netns exec a sh -c 'echo {} > "
				                             "/sys/class/net/{}/gro_flush_timeout'",
				                             d_.below(2'000'000), router ? "va" : "v1"));
				setup_.push_back(fmt::format("ip netns exec a sh -c 'echo {} > "
				                             "/sys/class/net/{}/napi_defer_hard_irqs'",
				                             d_.below(4), router ? "va" : "v1"));
			}
		}
	}
}

// Lines that interrupt while all that goes on.
inline void scenario_maker::devices()
{
	if (!d_.percent(cpus_ > 1 ? 30 : 10))
		return;
	std::string list;

	for (u32 i = 1 + d_.below(3); i; --i)
		add(list,
		    fmt::format(
			    R"({{"name": "d{}", "irq": 10, "driver": "{}", "raises": [{}]}})", i,
			    d_.percent(70) ? "handler" : "none",
			    fmt::format(R"({{"at_ms": {}, "every_ms": {}, "count": {}, "for_ms": 0.002}})",
		                        d_.below(50), 1 + d_.below(20), 1 + d_.below(40))));
	add(list,
	    fmt::format(
		    R"({{"name": "edge", "irq": {}, "trigger": "edge", "raises": [{{"at_ms": {}, "every_ms": 0.{}, "count": {}}}]}})",
		    wired_ ? 13 : 11, d_.below(30), 1 + d_.below(9), 1 + d_.below(200)));
	if (d_.percent(40))
		add(list,
		    fmt::format(
			    R"({{"name": "slow", "irq": 12, "driver": "thread", "raises": [{{"at_ms": {}, "every_ms": 3, "count": {}}}]}})",
			    d_.below(30), 1 + d_.below(20)));
	devices_ = fmt::format("\n\t\"devices\": [{}],", list);
}

// ---- what -----------------------------------------------------------------------------------------------

inline std::string scenario_maker::call(std::string_view name, std::size_t task, std::string rest)
{
	if (!rest.empty())
		rest.insert(0, ", ");
	if (d_.percent(12))
		rest += R"(, "async": true)";
	if (d_.percent(4))
		rest += fmt::format(R"(, "times": {})", 2 + d_.below(30));
	if (!phase_.empty())
		rest += fmt::format(R"(, "phase": "{}")", phase_);
	return fmt::format(R"({{"task": "{}", "call": "{}"{}, "expect": "anything"}})", task_names_[task],
	                   name, rest);
}

inline std::string scenario_maker::data()
{
	const u32 n = d_.percent(70) ? d_.below(2000) : d_.percent(90) ? d_.below(40'000) : d_.below(400'000);
	if (d_.percent(30))
		return R"({"text": "x", "repeat": )" + std::to_string(n + 1) + "}";
	return fmt::format(R"({{"bytes": {}, "seed": {}}})", n, d_.below(100));
}

inline std::string scenario_maker::flags(bool sending)
{
	static constexpr const char *const to_send[] = {"MSG_DONTWAIT", "MSG_MORE",     "MSG_OOB",
	                                                "MSG_NOSIGNAL", "MSG_EOR",      "MSG_CONFIRM",
	                                                "MSG_PROBE",    "MSG_DONTROUTE"};
	static constexpr const char *const to_read[] = {"MSG_DONTWAIT", "MSG_PEEK", "MSG_WAITALL",
	                                                "MSG_TRUNC",    "MSG_OOB",  "MSG_ERRQUEUE"};
	std::string list = d_.percent(60) ? "\"MSG_DONTWAIT\"" : "";
	while (d_.percent(20)) {
		if (!list.empty())
			list += ", ";
		list += "\"" + (sending ? one_of(to_send) : one_of(to_read)) + "\"";
	}
	return list.empty() ? "" : fmt::format(R"(, "flags": [{}])", list);
}

inline std::string scenario_maker::option()
{
	static constexpr const char *const numbers[] = {
		"SO_REUSEADDR", "SO_REUSEPORT", "SO_RCVBUF",         "SO_SNDBUF",         "SO_KEEPALIVE",
		"SO_PRIORITY",  "SO_RCVLOWAT",  "SO_BROADCAST",      "SO_MARK",           "SO_OOBINLINE",
		"SO_TIMESTAMP", "TCP_NODELAY",  "TCP_CORK",          "TCP_MAXSEG",        "TCP_KEEPIDLE",
		"TCP_KEEPCNT",  "TCP_SYNCNT",   "TCP_DEFER_ACCEPT",  "TCP_FASTOPEN",      "TCP_QUICKACK",
		"TCP_LINGER2",  "TCP_INQ",      "TCP_WINDOW_CLAMP",  "TCP_NOTSENT_LOWAT", "IP_TOS",
		"IP_TTL",       "IP_RECVERR",   "IP_PKTINFO",        "IP_MTU_DISCOVER",   "IP_FREEBIND",
		"UDP_GRO",      "UDP_SEGMENT",  "SO_MAX_PACING_RATE"};
	if (d_.percent(8))
		return fmt::format(R"("option": "SO_LINGER", "value": {{"onoff": 1, "linger": {}}})",
		                   d_.below(3));
	if (d_.percent(12))
		return fmt::format(R"("option": "{}", "value": {{"sec": 0, "usec": {}}})",
		                   d_.percent(50) ? "SO_RCVTIMEO" : "SO_SNDTIMEO", 1 + d_.below(900'000));
	return fmt::format(R"("option": "{}", "value": {})", one_of(numbers),
	                   d_.percent(70) ? d_.below(3) : d_.below(100'000));
}

inline std::string scenario_maker::address_for(const descriptor &d, bool own)
{
	if (!own && !peers_.empty() && d_.percent(85)) {
		const peer &p = peers_[d_.below(peers_.size())];
		if (p.stream == d.stream || d_.percent(20))
			return p.addr;
	}
	return fmt::format("{}:{}", own && d_.percent(70) ? "0.0.0.0" : some_address(),
	                   d_.percent(80) ? 80 + d_.below(4) : d_.below(own ? 65536 : 100));
}

inline std::string scenario_maker::new_socket(std::size_t task)
{
	const bool stream = d_.percent(65);
	descriptor d{task, fmt::format("f{}", ++named_), stream};
	std::string rest = fmt::format(R"("as": "{}")", d.name);
	if (!stream)
		rest += d_.percent(80)   ? R"(, "type": "SOCK_DGRAM")"
		        : d_.percent(50) ? R"(, "type": "SOCK_RAW", "protocol": "IPPROTO_ICMP")"
		                         : R"(, "type": "SOCK_DGRAM", "protocol": "IPPROTO_ICMP")";
	if (d_.percent(20))
		rest += R"(, "flags": "SOCK_NONBLOCK")";
	if (spaces_.size() > 1 && d_.percent(15))
		rest += fmt::format(R"(, "netns": "{}")", spaces_[1 + d_.below(spaces_.size() - 1)]);
	fds_.push_back(d);
	return call("socket", task, rest);
}

inline std::string scenario_maker::on(descriptor &d)
{
	const std::string fd = fmt::format(R"("fd": "{}")", d.name);
	const u32 what = d_.below(100);

	if (!d.bound && !d.connected && what < 40) {
		d.bound = true;
		const std::string own = address_for(d, true);
		if (!own.ends_with(":0"))
			peers_.push_back({some_address() + own.substr(own.find(':')), d.stream});
		return call("bind", d.task, fmt::format(R"({}, "addr": "{}")", fd, own));
	}
	if (d.stream && d.bound && !d.listens && !d.connected && what < 80) {
		d.listens = true;
		return call("listen", d.task, fmt::format(R"({}, "backlog": {})", fd, d_.below(9)));
	}
	if (d.listens && what < 60) {
		const std::size_t task = d.task;
		std::string name = fmt::format("f{}", ++named_);
		std::string made = call("accept", task,
		                        fmt::format(R"({}, "as": "{}"{})", fd, name,
		                                    d_.percent(60) ? R"(, "flags": "SOCK_NONBLOCK")" : ""));
		fds_.push_back({task, std::move(name), true, true, false, true});
		return made;
	}
	if (!d.connected && what < 70) {
		d.connected = true;
		return call("connect", d.task, fmt::format(R"({}, "addr": "{}")", fd, address_for(d, false)));
	}
	if (what < 40) {
		if (!d.stream && d_.percent(50))
			return call("sendto", d.task,
			            fmt::format(R"({}, "data": {}, "addr": "{}"{})", fd, data(),
			                        address_for(d, false), flags(true)));
		return d_.percent(20) ? call("write", d.task, fmt::format(R"({}, "data": {})", fd, data()))
		                      : call("send", d.task,
		                             fmt::format(R"({}, "data": {}{})", fd, data(), flags(true)));
	}
	if (what < 65)
		return call(d_.percent(50) ? "recv" : "recvfrom", d.task,
		            fmt::format(R"({}, "size": {}{})", fd,
		                        1 + d_.below(d_.percent(80) ? 4000 : 300'000), flags(false)));
	if (what < 78)
		return call("setsockopt", d.task, fmt::format(R"({}, {})", fd, option()));
	if (what < 81)
		return call(d_.percent(50) ? "getsockname" : "getpeername", d.task, fd);
	if (what < 84)
		return call("shutdown", d.task,
		            fmt::format(R"({}, "how": "{}")", fd,
		                        d_.percent(50)   ? "SHUT_WR"
		                        : d_.percent(50) ? "SHUT_RD"
		                                         : "SHUT_RDWR"));
	if (what < 88)
		return call("poll", d.task,
		            fmt::format(R"("fds": [{{{}, "events": "{}"}}], "timeout_ms": {})", fd,
		                        d_.percent(50) ? "POLLIN" : "POLLOUT", d_.below(300)));
	if (what < 91 && has_epoll_ && d.task == epoll_task_)
		return call(
			"epoll_ctl", d.task,
			fmt::format(R"("epoll": "e", "op": "EPOLL_CTL_ADD", {}, "events": "EPOLLIN")", fd));
	const descriptor closed = d;
	std::erase_if(fds_, [&](const descriptor &o) { return o.name == closed.name; });
	return call("close", closed.task, fd);
}

inline std::string scenario_maker::command_step()
{
	static constexpr const char *const commands[] = {"ip link set lo down",
	                                                 "ip link set lo up",
	                                                 "ip addr flush dev lo",
	                                                 "ip neigh flush all",
	                                                 "ip addr add 10.9.9.9/32 dev lo",
	                                                 "ip route add 192.0.2.0/24 dev lo",
	                                                 "sysctl -w net.ipv4.ip_forward=1",
	                                                 "ip link set lo mtu 600",
	                                                 "ip addr show",
	                                                 "ip route show"};
	static constexpr const char *const of_spaces[] = {"ip netns del b",
	                                                  "ip netns exec a ip addr flush dev v1",
	                                                  "ip netns exec a ip link del v1",
	                                                  "ip netns exec b ip link set v2 down",
	                                                  "ip netns exec b ip link set v2 up",
	                                                  "ip netns exec a ip neigh flush all",
	                                                  "ip netns exec a ip route del 10.0.0.0/24 dev v1",
	                                                  "ip netns exec b ip link set v2 mtu 300",
	                                                  "ip netns exec a ip link set v1 netns b"};
	static constexpr const char *const of_wires[] = {"ip link set eth0 down",
	                                                 "ip link set eth0 up",
	                                                 "ip link set eth0 mtu 700",
	                                                 "ip link set eth0 txqueuelen 2",
	                                                 "ip link del eth0",
	                                                 "ip addr flush dev eth0",
	                                                 "ethtool -G eth0 rx 48 tx 80",
	                                                 "ethtool -K eth0 rx on",
	                                                 "ethtool -K eth0 tso off",
	                                                 "ethtool -K eth0 rx-udp-gro-forwarding on",
	                                                 "tc qdisc del dev eth0 root",
	                                                 "ip link add br0 type bridge vlan_filtering 1",
	                                                 "ip link set br0 up",
	                                                 "ip link set eth0 master br0",
	                                                 "ip link del br0"};
	phase_.clear();
	if (wired_ && d_.percent(70))
		return fmt::format(R"({{"run": "{}", "host": "{}"}})",
		                   d_.percent(40) ? "tc qdisc replace dev eth0 root " + discipline()
		                                  : one_of(of_wires),
		                   d_.percent(50) ? "host" : "peer");
	if (spaces_.size() > 1 && d_.percent(25))
		return fmt::format(R"({{"run": "ip netns exec {} tc qdisc replace dev {} root {}"}})",
		                   d_.percent(50) ? "a" : "r", d_.percent(50) ? "v1" : "ra", discipline());
	if (cpus_ > 1 && (wired_ || !devices_.empty()) && d_.percent(30))
		return fmt::format(R"({{"run": "echo {:x} > /proc/irq/{}/smp_affinity"}})", some_cpus(),
		                   d_.percent(50) ? 10 : 11);
	if (cpus_ > 1 && d_.percent(20))
		return fmt::format(R"({{"run": "echo {:x} > /sys/class/net/lo/queues/rx-0/rps_cpus"}})",
		                   d_.percent(20) ? 0 : some_cpus());
	return fmt::format(R"({{"run": "{}"}})",
	                   spaces_.size() > 1 && d_.percent(60) ? one_of(of_spaces) : one_of(commands));
}

inline std::string scenario_maker::tasklet(std::size_t task)
{
	static constexpr const char *const ops[] = {"schedule", "hi_schedule", "kill"};

	return call("tasklet", task,
	            fmt::format(R"("tasklet": "{}", "op": "{}", "work_ns": {})", d_.percent(50) ? "t" : "u",
	                        d_.percent(60) ? "schedule" : one_of(ops), d_.below(20'000)));
}

inline std::string scenario_maker::step()
{
	const u32 what = d_.below(100);
	const std::size_t task = d_.below(task_names_.size());

	if (cpus_ > 1 && d_.percent(5))
		return call("sched_setaffinity", task, fmt::format(R"("cpus": [{}])", d_.below(cpus_)));
	if (d_.percent(cpus_ > 1 ? 4 : 1))
		return tasklet(task);
	if (fds_.empty() || what < 12)
		return new_socket(task);
	if (what < 16) {
		phase_.clear(); // it has none, and ends one
		return fmt::format(R"({{"task": "{}", "call": "sleep", "ms": {}}})", task_names_[task],
		                   d_.percent(90) ? d_.below(300) : d_.below(70'000));
	}
	if (what < 18 && !has_epoll_) {
		has_epoll_ = true;
		epoll_task_ = task;
		return call("epoll_create", task, R"("as": "e")");
	}
	if (what < 20 && has_epoll_)
		return call("epoll_wait", epoll_task_,
		            fmt::format(R"("epoll": "e", "max": {}, "timeout_ms": {})", 1 + d_.below(5),
		                        d_.below(300)));
	if (what < 21 && spaces_.size() > 1)
		return call("setns", task,
		            fmt::format(R"("netns": "{}")", spaces_[d_.below(spaces_.size())]));
	if (what < 22)
		return command_step();
	return on(fds_[d_.percent(50) ? fds_.size() - 1 : d_.below(fds_.size())]);
}

inline std::string scenario_maker::make()
{
	topology();
	tasks();
	cpus();
	devices();
	std::string setup, tasks, warmup, steps;
	for (const std::string &line : setup_)
		add(setup, line.starts_with('{') ? line : "\"" + line + "\"");
	for (const std::string &name : task_names_) {
		const std::string &space = spaces_[d_.below(spaces_.size())];
		if (wired_ && d_.percent(50)) {
			add(tasks, fmt::format(R"("{}": {{"host": "peer"}})", name));
			continue;
		}
		add(tasks,
		    fmt::format(R"("{}": {{"netns": "{}", "cpu": {}}})", name, space, d_.below(cpus_)));
	}
	if (d_.percent(30))
		for (u32 i = d_.below(6); i; --i)
			add(warmup, step());
	const bool phases = d_.percent(30);
	for (u32 i = 1 + d_.below(25); i; --i) {
		if (phases && d_.percent(20))
			phase_ = d_.percent(70) ? fmt::format("phase{}", ++named_) : "";
		add(steps, step());
	}
	return fmt::format("{{\"name\": \"fuzz\", \"about\": \"From a seed.\",{}{}{}\n\t\"setup\": [{}],\n\t"
	                   "\"tasks\": {{{}}},\n\t\"warmup\": [{}],\n\t\"steps\": [{}]}}\n",
	                   hosts_, cost_, devices_, setup, tasks, warmup, steps);
}

} // namespace skbwalk::fuzz
