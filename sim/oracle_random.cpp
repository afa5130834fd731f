// SPDX-License-Identifier: GPL-2.0-only
//
// One task holds all sockets, so that nothing depends on who is scheduled when; what could block for ever is
// asked not to. In a third of the scenarios a second task has a listener of its own and waits on it, on what
// it accepts, or in poll and epoll, for a limited time. Half of the scenarios have a fault at a link for some
// calls, a quarter of these a second one: only such as do the same on both sides, so nothing that is drawn.
#include "sim/oracle_random.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "sim/oracle_random_networks.h"
#include "stack/kernel/random.h"

namespace skbwalk::sim {

namespace {

constexpr u32 ports = 3, first_port = 8000, sockets_max = 8, waiters_port = 8100;
constexpr u32 sizes[] = {1, 2, 10, 100, 536, 1000, 1447, 1448, 1449, 2896, 5000, 16384, 32741, 65483};
constexpr u32 read_sizes[] = {0, 1, 10, 100, 1000, 4096, 65536, 200000};
constexpr u32 pauses_ms[] = {1, 5, 45, 100, 250, 600};
// Odd numbers of ticks: two ticks lie between the begins of two phases.
constexpr u32 waits_ms[] = {12, 44, 124, 300};

// An ICMP echo request, in hexadecimal.
std::string echo_request(u16 id, u16 sequence, u32 bytes)
{
	std::vector<u8> packet = {8,
	                          0,
	                          0,
	                          0,
	                          static_cast<u8>(id >> 8),
	                          static_cast<u8>(id),
	                          static_cast<u8>(sequence >> 8),
	                          static_cast<u8>(sequence)};
	for (u32 i = 0; i < bytes; ++i)
		packet.push_back(static_cast<u8>(i));
	u32 sum = 0;
	for (std::size_t i = 0; i < packet.size(); i += 2)
		sum += static_cast<u32>(packet[i] << 8) + (i + 1 < packet.size() ? packet[i + 1] : 0U);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	packet[2] = static_cast<u8>(~sum >> 8);
	packet[3] = static_cast<u8>(~sum);
	std::string out;
	for (const u8 byte : packet)
		out += fmt::format("{:02x}", byte);
	return out;
}

struct option {
	std::string_view name;
	std::vector<std::string_view> values; // as JSON
};
const std::vector<option> &options_of_all()
{
	static const std::vector<option> all = {
		{"SO_REUSEADDR", {"0", "1"}},
		{"SO_KEEPALIVE", {"0", "1"}},
		{"SO_OOBINLINE", {"0", "1"}},
		{"SO_SNDBUF", {"0", "4096", "20000", "300000"}},
		{"SO_RCVBUF", {"0", "4096", "20000", "300000"}},
		{"SO_RCVLOWAT", {"0", "1", "100", "5000"}},
		{"SO_LINGER", {R"({"onoff": 1, "linger": 0})", R"({"onoff": 0, "linger": 5})"}},
		{"SO_RCVTIMEO", {R"({"sec": 0, "usec": 20000})"}},
		{"SO_PRIORITY", {"0", "6", "7"}},
		{"IP_TTL", {"0", "1", "64", "255", "256"}},
		{"IP_TOS", {"0", "16", "184", "255"}},
	};
	return all;
}
const std::vector<option> &options_of_tcp()
{
	static const std::vector<option> all = {
		{"TCP_NODELAY", {"0", "1"}},
		{"TCP_CORK", {"0", "1"}},
		{"TCP_QUICKACK", {"0", "1"}},
		{"TCP_MAXSEG", {"0", "87", "88", "536", "1400", "65536"}},
		{"TCP_KEEPIDLE", {"0", "1", "7200", "32768"}},
		{"TCP_KEEPINTVL", {"1", "32768"}},
		{"TCP_KEEPCNT", {"0", "3", "128"}},
		{"TCP_SYNCNT", {"0", "2", "128"}},
		{"TCP_LINGER2", {"-1", "0", "5"}},
		{"TCP_DEFER_ACCEPT", {"0", "3"}},
		{"TCP_WINDOW_CLAMP", {"0", "1000", "30000"}},
		{"TCP_CONGESTION", {R"("reno")", R"("cubic")", R"("nonesuch")"}},
		{"TCP_USER_TIMEOUT", {"0", "1000", "-1"}},
		{"TCP_NOTSENT_LOWAT", {"0", "1000"}},
	};
	return all;
}
// What netem and others do without drawing a number.
constexpr std::string_view disciplines[] = {"netem loss 100%",
                                            "netem loss 100%",
                                            "netem loss 100% ecn",
                                            "netem delay 7ms",
                                            "netem delay 33ms",
                                            "netem delay 130ms",
                                            "netem delay 33ms limit 2",
                                            "netem duplicate 100%",
                                            "netem delay 7ms duplicate 100%",
                                            "netem delay 17ms reorder 100% gap 3",
                                            "netem delay 70ms reorder 100% gap 2",
                                            "netem rate 1mbit",
                                            "netem delay 3ms rate 10mbit limit 4",
                                            "netem slot 20ms",
                                            "pfifo limit 2",
                                            "tbf rate 2mbit burst 10kb limit 20kb"};
constexpr u32 mtus[] = {68, 576, 1000, 1280, 1499, 4000, 9000};

constexpr std::string_view asked[] = {"SO_ERROR",     "SO_TYPE",       "SO_SNDBUF",        "SO_RCVBUF",
                                      "SO_RCVLOWAT",  "SO_ACCEPTCONN", "SO_KEEPALIVE",     "SO_REUSEADDR",
                                      "IP_TTL",       "IP_TOS",        "IP_MTU",           "TCP_MAXSEG",
                                      "TCP_NODELAY",  "TCP_CORK",      "TCP_KEEPIDLE",     "TCP_DEFER_ACCEPT",
                                      "TCP_QUICKACK", "TCP_LINGER2",   "TCP_WINDOW_CLAMP", "TCP_CONGESTION"};

enum class kind : u8 { listener, stream, datagram, epoll, raw };
struct socket_made {
	std::string name;
	kind what;
};

class generator {
public:
	generator(u64 seed, u32 number)
		: random_(seed, "a random scenario", number),
		  net_(random_networks()[random_.below(static_cast<u32>(random_networks().size()))]),
		  name_(random_scenario_name(seed, number))
	{}

	std::string text()
	{
		const bool waits = chance(3);
		if (waits)
			waiter_begins();
		listen();
		connect();
		if (!chance(4))
			accept();
		const u32 calls = 8 + random_.below(20);
		std::vector<fault> faults;
		for (u32 n = chance(2) ? 1 + chance(4) : 0; n; --n) {
			fault f = some_fault(calls);
			if (faults.empty() || faults.front().where != f.where)
				faults.push_back(std::move(f));
		}
		for (u32 i = 0; i < calls; ++i) {
			for (const fault &f : faults) {
				if (i == f.from)
					run(f.begin);
				if (i == f.to && !f.end.empty())
					mend(f);
			}
			if (waits && chance(4))
				waiter();
			one_call();
			look_at_states();
		}
		pause(600);
		look_at_states();
		for (const socket_made &s : std::vector{sockets_})
			if (chance(2))
				close(s.name);
		pause(300);
		look_at_states();
		return fmt::format("{{\n\t\"name\": \"{}\",\n\t\"about\": \"Random calls, {}.\",\n"
		                   "\t\"setup\": [{}],\n\t\"tasks\": {{\"t\": {{}}{}}},\n\t\"gap_ms\": 4,\n"
		                   "\t\"steps\": [\n{}\n\t]\n}}\n",
		                   name_, net_.name, quoted(net_.setup), waits ? ", \"w\": {}" : "",
		                   fmt::join(steps_, ",\n"));
	}

private:
	template <class T> const auto &pick(const T &from)
	{
		return *(std::begin(from) + random_.below(static_cast<u32>(std::size(from))));
	}
	bool chance(u32 one_in) { return !random_.below(one_in); }

	static std::string quoted(const std::vector<std::string_view> &lines)
	{
		std::string out;
		for (const std::string_view l : lines)
			out += fmt::format("{}\n\t\t\"{}\"", out.empty() ? "" : ",", l);
		return out;
	}

	// A recorded call.
	void step(std::string_view call, const std::string &arguments)
	{
		++phases_;
		steps_.push_back(fmt::format(
			"\t\t{{{3}\"call\": \"{0}\", {1}, \"phase\": \"{2}-{0}\", \"expect\": \"anything\"}}",
			call, arguments, phases_, by_));
	}
	void unrecorded(const std::string &body)
	{
		const bool call = body.starts_with("\"call\"");
		steps_.push_back(fmt::format("\t\t{{{}{}}}", call ? by_ : "", body));
	}
	void run(const std::string &command) { unrecorded(fmt::format("\"run\": \"{}\"", command)); }
	void pause(u32 ms) { unrecorded(fmt::format("\"call\": \"sleep\", \"ms\": {}", ms)); }

	// ---- faults at a link

	struct fault {
		std::string_view where;
		u32 from, to; // calls
		std::string begin, end;
		bool holds = false; // packets back, some of them until it ends
	};

	void mend(const fault &f)
	{
		// A command takes milliseconds, in a model none: what is on its way must not depend on it.
		if (f.holds)
			pause(400);
		run(f.end);
	}

	fault some_fault(u32 calls)
	{
		const link_end at = pick(net_.ends);
		const u32 from = random_.below(calls);
		fault f{at.dev, from, from + 1 + random_.below(8), {}, {}};
		const std::string ip = at.netns.empty() ? "ip" : fmt::format("ip -n {}", at.netns);
		const std::string in = at.netns.empty() ? "" : fmt::format("ip netns exec {} ", at.netns);
		const auto set = [&](const std::string &begin, const std::string &end) {
			f.begin = fmt::format("{} {}", ip, begin);
			f.end = fmt::format("{} {}", ip, end);
		};
		switch (random_.below(at.neighbour.empty() ? 6 : 10)) {
		case 0:
			set(fmt::format("link set {} down", at.dev), fmt::format("link set {} up", at.dev));
			break;
		case 1:
			set(fmt::format("link set {} mtu {}", at.dev, pick(mtus)),
			    fmt::format("link set {} mtu {}", at.dev, at.dev == "lo" ? 65536 : 1500));
			break;
		case 6: // a neighbour that does not hear
			set(fmt::format("neigh replace {} lladdr 02:00:00:00:00:ff dev {} nud permanent",
			                at.neighbour, at.dev),
			    fmt::format("neigh del {} dev {}", at.neighbour, at.dev));
			break;
		case 7: // one that is not known
			f.begin = fmt::format("{} neigh flush dev {}", ip, at.dev);
			break;
		case 8:
			set(fmt::format("link set {} arp off", at.dev),
			    fmt::format("link set {} arp on", at.dev));
			break;
		case 9: {
			static constexpr std::string_view kinds[] = {"blackhole", "unreachable", "prohibit"};
			const std::string route = fmt::format("{} {}/32", pick(kinds),
			                                      chance(2) ? net_.address : net_.client_address);
			set("route add " + route, "route del " + route);
			f.where = "a route";
			break;
		}
		default:
			f.begin = fmt::format("{}tc qdisc replace dev {} root {}", in, at.dev,
			                      pick(disciplines));
			f.end = fmt::format("{}tc qdisc del dev {} root", in, at.dev);
			f.holds = true;
		}
		return f;
	}

	void look_at_states()
	{
		for (const socket_made &s : sockets_)
			if (s.what == kind::stream || s.what == kind::listener)
				unrecorded(fmt::format(
					"\"call\": \"getsockopt\", \"fd\": \"{}\", \"option\": \"TCP_INFO\", "
					"\"size\": 232, \"expect\": \"anything\"",
					s.name));
	}

	std::string fresh(kind what)
	{
		static constexpr std::string_view letters = "lsder";
		sockets_.push_back({fmt::format("{}{}", letters[static_cast<u8>(what)], ++made_), what});
		return sockets_.back().name;
	}

	std::string space(std::string_view netns) const
	{
		return netns.empty() ? std::string{} : fmt::format(", \"netns\": \"{}\"", netns);
	}

	std::string new_socket(kind what, std::string_view netns, bool may_block)
	{
		const std::string name = fresh(what);
		step("socket",
		     fmt::format("\"as\": \"{}\"{}{}{}", name, space(netns),
		                 what == kind::datagram ? ", \"type\": \"SOCK_DGRAM\""
		                 : what == kind::raw
		                         ? ", \"type\": \"SOCK_RAW\", \"protocol\": \"IPPROTO_ICMP\""
		                         : "",
		                 may_block ? "" : ", \"flags\": \"SOCK_NONBLOCK\""));
		return name;
	}

	u32 some_port() { return first_port + random_.below(ports); }

	void listen()
	{
		const std::string name = new_socket(kind::listener, net_.server, false);
		if (!chance(4))
			step("setsockopt",
			     fmt::format("\"fd\": \"{}\", \"option\": \"SO_REUSEADDR\", \"value\": 1", name));
		step("bind",
		     fmt::format("\"fd\": \"{}\", \"addr\": \"{}:{}\"", name,
		                 chance(3) ? net_.address : "0.0.0.0", chance(2) ? first_port : some_port()));
		step("listen", fmt::format("\"fd\": \"{}\", \"backlog\": {}", name, random_.below(4)));
	}

	void connect()
	{
		const std::string name = new_socket(kind::stream, net_.client, false);
		if (chance(4))
			set_option(name, true);
		connect_to(name);
	}
	void connect_to(const std::string &name)
	{
		const u32 port = !by_.empty() && chance(3) ? waiters_port
		                 : chance(3)               ? some_port()
		                                           : first_port;
		step("connect", fmt::format("\"fd\": \"{}\", \"addr\": \"{}:{}\"", name, net_.address, port));
	}

	void accept()
	{
		std::vector<std::string> listeners;
		for (const socket_made &s : sockets_)
			if (s.what == kind::listener)
				listeners.push_back(s.name);
		if (listeners.empty())
			return listen();
		const std::string from = pick(listeners), name = fresh(kind::stream);
		step("accept", fmt::format("\"fd\": \"{}\", \"as\": \"{}\"{}", from, name,
		                           chance(2) ? ", \"flags\": \"SOCK_NONBLOCK\"" : ""));
	}

	void set_option(const std::string &name, bool tcp)
	{
		const option &o = tcp && !chance(3) ? pick(options_of_tcp()) : pick(options_of_all());
		step("setsockopt", fmt::format("\"fd\": \"{}\", \"option\": \"{}\", \"value\": {}", name,
		                               o.name, pick(o.values)));
	}

	void send(const socket_made &s)
	{
		std::string flags = R"("MSG_DONTWAIT", "MSG_NOSIGNAL")";
		if (chance(6))
			flags += R"(, "MSG_MORE")";
		if (chance(12))
			flags += R"(, "MSG_OOB")";
		const u32 size = chance(3) ? pick(sizes) : 1 + random_.below(200);
		if (s.what == kind::raw) {
			const bool there = !chance(5);
			return step("sendto",
			            fmt::format("\"fd\": \"{}\", \"data\": {{\"hex\": \"{}\"}}, "
			                        "\"flags\": [\"MSG_DONTWAIT\"], \"addr\": \"{}\"",
			                        s.name,
			                        echo_request(static_cast<u16>(made_),
			                                     static_cast<u16>(phases_), random_.below(2000)),
			                        there ? net_.address : net_.client_address));
		}
		if (s.what == kind::datagram && chance(2)) {
			step("sendto",
			     fmt::format(
				     "\"fd\": \"{}\", \"data\": {{\"bytes\": {}}}, \"flags\": [{}], \"addr\": \"{}:{}\"",
				     s.name, size, flags, net_.address, some_port() + 1000));
			return;
		}
		step("send", fmt::format("\"fd\": \"{}\", \"data\": {{\"bytes\": {}}}, \"flags\": [{}]",
		                         s.name, size, flags));
	}

	void receive(const socket_made &s)
	{
		std::string flags = R"("MSG_DONTWAIT")";
		for (const std::string_view more : {"MSG_PEEK", "MSG_OOB", "MSG_WAITALL", "MSG_TRUNC"})
			if (chance(10))
				flags += fmt::format(", \"{}\"", more);
		step((s.what == kind::datagram || s.what == kind::raw) && chance(2) ? "recvfrom" : "recv",
		     fmt::format("\"fd\": \"{}\", \"size\": {}, \"flags\": [{}]", s.name, pick(read_sizes),
		                 flags));
	}

	void close(const std::string &name)
	{
		step("close", fmt::format("\"fd\": \"{}\"", name));
		std::erase_if(sockets_, [&](const socket_made &s) { return s.name == name; });
	}

	void poll()
	{
		std::string fds;
		for (const socket_made &s : sockets_)
			if (chance(2))
				fds += fmt::format(
					"{}{{\"fd\": \"{}\", \"events\": [\"POLLIN\", \"POLLOUT\", \"POLLPRI\", "
					"\"POLLRDHUP\"]}}",
					fds.empty() ? "" : ", ", s.name);
		step("poll", fmt::format("\"fds\": [{}], \"timeout_ms\": 0", fds));
	}

	void watch()
	{
		std::vector<std::string> watches, others;
		for (const socket_made &s : sockets_)
			(s.what == kind::epoll ? watches : others).push_back(s.name);
		if (watches.empty()) {
			const std::string name = fresh(kind::epoll);
			step("epoll_create", fmt::format("\"as\": \"{}\"", name));
			watches.push_back(name);
		}
		const std::string e = pick(watches);
		if (others.empty() || chance(2)) {
			step("epoll_wait", fmt::format("\"epoll\": \"{}\", \"timeout_ms\": 0", e));
			return;
		}
		static constexpr std::string_view ops[] = {"EPOLL_CTL_ADD", "EPOLL_CTL_ADD", "EPOLL_CTL_MOD",
		                                           "EPOLL_CTL_DEL"};
		step("epoll_ctl",
		     fmt::format(
			     "\"epoll\": \"{}\", \"op\": \"{}\", \"fd\": \"{}\", \"events\": [\"EPOLLIN\", "
			     "\"EPOLLOUT\"{}]",
			     e, pick(ops), pick(others), chance(3) ? ", \"EPOLLET\"" : ""));
	}

	// ---- the second task's own listener, what it accepted, and waiting for either
	// ----------------------

	template <class F> void as_waiter(F &&call)
	{
		by_ = R"("task": "w", )";
		call();
		by_ = R"("task": "t", )";
	}

	void waiter_begins()
	{
		as_waiter([this] {
			step("socket", fmt::format("\"as\": \"wl\"{}", space(net_.server)));
			step("bind", fmt::format("\"fd\": \"wl\", \"addr\": \"0.0.0.0:{}\"", waiters_port));
			step("listen", "\"fd\": \"wl\", \"backlog\": 4");
			limit("wl");
		});
	}

	// No call on it waits for longer.
	void limit(const std::string &name)
	{
		for (const std::string_view option : {"SO_RCVTIMEO", "SO_SNDTIMEO"})
			step("setsockopt",
			     fmt::format("\"fd\": \"{}\", \"option\": \"{}\", \"value\": {{\"sec\": 0, "
			                 "\"usec\": {}}}",
			                 name, option, 1000 * pick(waits_ms)));
	}

	void waiter()
	{
		as_waiter([this] {
			const bool has = !waiters_.empty();
			const std::string on = has ? pick(waiters_) : "wl";
			switch (random_.below(has ? 7 : 3)) {
			case 0:
			case 1: {
				const std::string name = fmt::format("w{}", ++made_);
				step("accept", fmt::format("\"fd\": \"wl\", \"as\": \"{}\"", name));
				limit(name);
				waiters_.push_back(name);
				return;
			}
			case 2:
				return step(
					"poll",
					fmt::format(
						"\"fds\": [{{\"fd\": \"{}\", \"events\": [\"POLLIN\"]}}], "
						"\"timeout_ms\": {}",
						on, pick(waits_ms)));
			case 3:
				return step("send",
				            fmt::format("\"fd\": \"{}\", \"data\": {{\"bytes\": {}}}, "
				                        "\"flags\": [\"MSG_NOSIGNAL\"]",
				                        on, pick(sizes)));
			case 4: {
				const std::string name = fmt::format("e{}", ++made_);
				step("epoll_create", fmt::format("\"as\": \"{}\"", name));
				step("epoll_ctl",
				     fmt::format(
					     "\"epoll\": \"{}\", \"op\": \"EPOLL_CTL_ADD\", \"fd\": \"{}\", "
					     "\"events\": [\"EPOLLIN\", \"EPOLLRDHUP\"]",
					     name, on));
				return step("epoll_wait", fmt::format("\"epoll\": \"{}\", \"timeout_ms\": {}",
				                                      name, pick(waits_ms)));
			}
			default:
				return step("recv", fmt::format("\"fd\": \"{}\", \"size\": {}", on,
				                                1 + pick(read_sizes)));
			}
		});
	}

	void new_raw() { static_cast<void>(new_socket(kind::raw, net_.client, false)); }

	void new_datagram()
	{
		const std::string_view netns = chance(2) ? net_.client : net_.server;
		const std::string name = new_socket(kind::datagram, netns, false);
		if (netns == net_.server && chance(2))
			step("bind", fmt::format("\"fd\": \"{}\", \"addr\": \"0.0.0.0:{}\"", name,
			                         some_port() + 1000));
		else
			step("connect", fmt::format("\"fd\": \"{}\", \"addr\": \"{}:{}\"", name, net_.address,
			                            some_port() + 1000));
	}

	void one_call()
	{
		if (sockets_.empty())
			return listen();
		const socket_made s = pick(sockets_);
		const bool io = s.what == kind::stream || s.what == kind::datagram || s.what == kind::raw;
		switch (random_.below(20)) {
		case 0:
			if (sockets_.size() < sockets_max)
				return connect();
			return close(s.name);
		case 1:
		case 2:
			if (sockets_.size() < sockets_max)
				return accept();
			return close(s.name);
		case 3:
			if (sockets_.size() < sockets_max)
				return chance(3) ? listen() : chance(3) ? new_raw() : new_datagram();
			return close(s.name);
		case 4:
		case 5:
			return s.what == kind::epoll ? watch()
			                             : set_option(s.name, s.what == kind::stream ||
			                                                          s.what == kind::listener);
		case 6:
			if (s.what == kind::epoll)
				return watch();
			return step("getsockopt",
			            fmt::format("\"fd\": \"{}\", \"option\": \"{}\", \"size\": {}", s.name,
			                        pick(asked), chance(4) ? 1 + random_.below(20) : 4));
		case 7:
			return s.what == kind::epoll ? watch() : shutdown(s.name);
		case 8:
			return close(s.name);
		case 9:
			return poll();
		case 10:
			return watch();
		case 11:
			return step(chance(2) ? "getsockname" : "getpeername",
			            fmt::format("\"fd\": \"{}\"", s.name));
		case 12:
			return pause(pick(pauses_ms));
		case 13:
			return s.what == kind::stream ? connect_to(s.name) : poll();
		case 14:
		case 15:
		case 16:
			return io || chance(4) ? receive(s) : accept();
		default:
			return io || chance(4) ? send(s) : connect();
		}
	}

	void shutdown(const std::string &name)
	{
		static constexpr std::string_view hows[] = {"SHUT_RD", "SHUT_WR", "SHUT_WR", "SHUT_RDWR"};
		step("shutdown", fmt::format("\"fd\": \"{}\", \"how\": \"{}\"", name, pick(hows)));
	}

	random_stream random_;
	const random_network &net_;
	std::string name_;
	std::vector<std::string> steps_;
	std::vector<socket_made> sockets_;
	std::vector<std::string> waiters_; // what the second task accepted, maybe
	std::string by_;                   // whose steps they are, once there are two tasks
	u32 made_ = 0, phases_ = 0;
};

} // namespace

std::string random_scenario_name(u64 seed, u32 number) { return fmt::format("random-{}-{}", seed, number); }

std::string random_scenario(u64 seed, u32 number) { return generator{seed, number}.text(); }

} // namespace skbwalk::sim
