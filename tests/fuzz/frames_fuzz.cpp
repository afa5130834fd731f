// SPDX-License-Identifier: GPL-2.0-only
//
// Frames against a host: bad ones, and good ones at bad times. Tasks make system calls from the same seed
// meanwhile, so that sockets of every kind are in every state; time goes by, sometimes for minutes. After
// some thousand frames the world ends, nothing may be left, and the next begins with the next seed. A crash
// stops the program; what it names says which world it was.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

#include "devices/tun.h"
#include "sim/profile.h"
#include "sim/setup.h"
#include "sim/system_call.h"
#include "sim/world.h"
#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"
#include "stack/core/sock.h"
#include "stack/ipv4/tcp.h"
#include "stack/trace/recorder.h"
#include "tests/fuzz/bridge_frames.h"
#include "tests/fuzz/fuzz_main.h"
#include "tests/fuzz/vnet_headers.h"

namespace skbwalk::fuzz {

namespace {

using sim::system_call;
using sim::world;

constexpr u32 frames_per_world = 4000;
constexpr unsigned hang_seconds = 120; // of real time, for one world
constexpr u32 ending_frames_max = 100'000;

std::array<u64, SKB_DROP_REASON_MAX> drops{};
std::array<u64, TCP_MAX_STATES> states{};
bool note_reached = false;
std::set<std::string_view> reached_functions;

sockaddr_in at(u32 ip, u16 port)
{
	sockaddr_in a;
	a.sin_port = htons(port);
	a.sin_addr = htonl(ip);
	return a;
}

// ---- a program that does what comes to its mind ---------------------------------------------------------

class program {
public:
	program(u64 seed, u32 number) : d_{seed, "fuzz-program", number}, number_(number) {}

	void run()
	{
		while (!current.task->fatal_signal) {
			act();
			system_call(sys_nr::poll, static_cast<pollfd *>(nullptr), 0,
			            d_.percent(95) ? d_.below(20) : d_.below(3000));
		}
		for (const int fd : fds_)
			system_call(sys_nr::close, fd);
	}

private:
	int some_fd()
	{
		return fds_.empty() || d_.one_in(100) ? static_cast<int>(d_.below(12))
		                                      : fds_[d_.below(fds_.size())];
	}

	void keep(long fd)
	{
		if (fd < 0)
			return;
		fds_.push_back(static_cast<int>(fd));
		if (fds_.size() > 10)
			close_one();
	}

	void close_one()
	{
		if (fds_.empty())
			return;
		const std::size_t i = d_.below(fds_.size());
		const int fd = fds_[i];
		fds_.erase(fds_.begin() + static_cast<long>(i));
		system_call(sys_nr::close, fd);
	}

	void listen()
	{
		const bool dual = d_.percent(20);
		const long fd = system_call(sys_nr::socket, dual ? AF_INET6 : AF_INET,
		                            SOCK_STREAM | SOCK_NONBLOCK, 0);
		const sockaddr_in any = at(0, frame_maker::tcp_ports[number_ % 4]);
		sockaddr_in6 any6;
		any6.sin6_port = any.sin_port;
		const int one = 1, tfo = 5;
		if (fd < 0)
			return;
		system_call(sys_nr::setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, 4);
		if (d_.percent(20))
			system_call(sys_nr::setsockopt, fd, 6 /* SOL_TCP */, TCP_DEFER_ACCEPT, &one, 4);
		if (d_.percent(20))
			system_call(sys_nr::setsockopt, fd, 6, TCP_FASTOPEN, &tfo, 4);
		if ((dual ? system_call(sys_nr::bind, fd, &any6, 28)
		          : system_call(sys_nr::bind, fd, &any, 16)) ||
		    system_call(sys_nr::listen, fd, d_.percent(70) ? 128 : d_.below(3))) {
			system_call(sys_nr::close, fd);
			return;
		}
		keep(fd);
		listener_ = static_cast<int>(fd);
	}

	void connect()
	{
		const long fd = system_call(sys_nr::socket, AF_INET,
		                            SOCK_STREAM | (d_.percent(80) ? SOCK_NONBLOCK : 0), 0);
		const sockaddr_in to =
			at(d_.percent(92)   ? frame_maker::peers_ip
		           : d_.percent(50) ? 0x0a090063
		                            : 0x7f000001,
		           static_cast<u16>(d_.percent(90) ? frame_maker::peer_port + d_.below(4) : 80));
		if (fd < 0)
			return;
		keep(fd);
		timeouts(fd);
		if (d_.percent(10)) {
			system_call(sys_nr::sendto, fd, buffer_, d_.below(2000), MSG_FASTOPEN | MSG_NOSIGNAL,
			            &to, 16);
			return;
		}
		system_call(sys_nr::connect, fd, &to, 16);
	}

	// Of a socket that is connected, or of one that is not.
	void others()
	{
		const int fd = some_fd();
		sockaddr_storage a;
		int len = static_cast<int>(d_.percent(90) ? sizeof(a) : d_.below(20));
		const sockaddr_in peer = at(frame_maker::peers_ip, frame_maker::peer_port);
		const sockaddr none{};
		struct {
			be32 group, address;
			int ifindex;
		} group{htonl(0xe0010203), htonl(d_.percent(50) ? frame_maker::model_ip : 0), 0};
		epoll_event event{.events = d_.wild(), .data = 1};

		switch (d_.below(9)) {
		case 0:
			system_call(sys_nr::getsockname, fd, &a, &len);
			break;
		case 1:
			system_call(sys_nr::getpeername, fd, &a, &len);
			break;
		case 2:
			system_call(sys_nr::connect, fd, &none, 16); // AF_UNSPEC
			break;
		case 3:
			system_call(sys_nr::connect, fd, &peer, 16);
			break;
		case 4:
			system_call(sys_nr::setsockopt, fd, 0, d_.percent(60) ? 35 : 36, &group, 12);
			break;
		case 5:
			if (epoll_ < 0)
				keep(epoll_ = static_cast<int>(system_call(sys_nr::epoll_create1, 0)));
			system_call(sys_nr::epoll_ctl, epoll_, 1 + d_.below(3), fd, &event);
			break;
		case 6:
			if (epoll_ >= 0)
				system_call(sys_nr::epoll_wait, epoll_, &event, 1, d_.below(20));
			break;
		case 7:
			system_call(sys_nr::listen, fd, d_.below(3));
			break;
		default: {
			pollfd some[3] = {{some_fd(), static_cast<s16>(d_.word()), 0},
			                  {some_fd(), 1, 0},
			                  {some_fd(), 4, 0}};
			system_call(sys_nr::poll, some, 3, d_.below(20));
			break;
		}
		}
	}

	void timeouts(long fd)
	{
		const old_timeval t{0, 300'000};
		system_call(sys_nr::setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &t, 16);
		system_call(sys_nr::setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &t, 16);
	}

	void datagrams()
	{
		const bool raw = d_.percent(30), ping = !raw && d_.percent(20);
		const long fd =
			system_call(sys_nr::socket, AF_INET, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK,
		                    raw    ? d_.percent(60) ? 1 : static_cast<int>(d_.below(256))
		                       : ping ? 1
		                           : 0);
		const sockaddr_in any = at(0, raw || ping ? 0 : frame_maker::udp_ports[number_ % 2]);
		const sockaddr_in to = at(frame_maker::peers_ip, frame_maker::peer_port);
		const int one = 1, little = 2000;
		if (fd < 0)
			return;
		keep(fd);
		if (d_.percent(50))
			system_call(sys_nr::setsockopt, fd, 0 /* SOL_IP */, IP_RECVERR, &one, 4);
		if (d_.percent(30))
			system_call(sys_nr::setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &little, 4);
		system_call(sys_nr::bind, fd, &any, 16);
		if (d_.percent(40))
			system_call(sys_nr::connect, fd, &to, 16);
	}

	void set_option()
	{
		static constexpr int of_tcp[] = {TCP_NODELAY,      TCP_CORK,          TCP_KEEPIDLE,
		                                 TCP_KEEPINTVL,    TCP_KEEPCNT,       TCP_LINGER2,
		                                 TCP_QUICKACK,     TCP_USER_TIMEOUT,  TCP_MAXSEG,
		                                 TCP_WINDOW_CLAMP, TCP_NOTSENT_LOWAT, TCP_DEFER_ACCEPT,
		                                 TCP_SYNCNT};
		static constexpr int of_socket[] = {SO_KEEPALIVE, SO_RCVBUF,    SO_SNDBUF,   SO_RCVLOWAT,
		                                    SO_OOBINLINE, SO_LINGER,    SO_PRIORITY, SO_MARK,
		                                    SO_BROADCAST, SO_REUSEPORT, SO_TIMESTAMP};
		static constexpr int of_ip[] = {IP_TOS,     IP_TTL,    IP_MTU_DISCOVER, IP_RECVERR,
		                                IP_PKTINFO, IP_MINTTL, IP_OPTIONS};
		int value[2] = {static_cast<int>(d_.percent(60) ? d_.below(4) : d_.wild()),
		                static_cast<int>(d_.below(3))};
		const u32 what = d_.below(3);
		const int level = what == 0 ? 6 : what == 1 ? SOL_SOCKET : 0;
		const int name = what == 0   ? d_.pick(of_tcp)
		                 : what == 1 ? d_.pick(of_socket)
		                             : d_.pick(of_ip);
		if (what == 0 &&
		    name == TCP_USER_TIMEOUT) // what it allows an orphan, the end of the world waits for
			value[0] = static_cast<int>(d_.below(10'000));
		if (d_.percent(80)) {
			system_call(sys_nr::setsockopt, some_fd(), level, name, value,
			            name == SO_LINGER && what == 1 ? 8 : 4);
		} else {
			u8 out[512];
			int len = sizeof(out);
			system_call(sys_nr::getsockopt, some_fd(), level, name, out, &len);
		}
	}

	void send()
	{
		const u32 n = d_.percent(80) ? d_.below(4000) : d_.below(sizeof(buffer_));
		const sockaddr_in to = at(frame_maker::peers_ip, frame_maker::peer_port);
		const u32 flags = MSG_NOSIGNAL | (d_.percent(90) ? MSG_DONTWAIT : 0) |
		                  (d_.percent(4) ? MSG_OOB : 0) | (d_.percent(10) ? MSG_MORE : 0);
		if (d_.percent(80))
			system_call(sys_nr::sendto, some_fd(), buffer_, n, flags,
			            static_cast<sockaddr *>(nullptr), 0);
		else
			system_call(sys_nr::sendto, some_fd(), buffer_, n, flags, &to, 16);
	}

	void receive()
	{
		sockaddr_storage from;
		int len = sizeof(from);
		const u32 flags = (d_.percent(95) ? MSG_DONTWAIT : 0) | (d_.percent(5) ? MSG_PEEK : 0) |
		                  (d_.percent(3) ? MSG_OOB : 0) | (d_.percent(5) ? MSG_ERRQUEUE : 0) |
		                  (d_.percent(5) ? MSG_WAITALL : 0) | (d_.percent(5) ? MSG_TRUNC : 0);
		system_call(sys_nr::recvfrom, some_fd(), buffer_,
		            d_.percent(70) ? sizeof(buffer_) : d_.below(3000), flags, &from, &len);
	}

	void act()
	{
		const u32 what = d_.below(100);
		if (what < 4 && number_ < 4)
			listen();
		else if (what < 14)
			connect();
		else if (what < 20)
			datagrams();
		else if (what < 40)
			keep(system_call(sys_nr::accept4, listener_, static_cast<sockaddr *>(nullptr),
			                 static_cast<int *>(nullptr), SOCK_NONBLOCK));
		else if (what < 60)
			send();
		else if (what < 80)
			receive();
		else if (what < 88)
			set_option();
		else if (what < 91)
			system_call(sys_nr::shutdown, some_fd(), d_.below(3));
		else if (what < 95)
			others();
		else
			close_one();
	}

	dice d_;
	u32 number_;
	int listener_ = -1, epoll_ = -1;
	std::vector<int> fds_;
	char buffer_[20000] = {};
};

// ---- one world ------------------------------------------------------------------------------------------

constexpr const char *seldom_set[] = {"ipv4.conf.all.rp_filter=1",
                                      "ipv4.tcp_syncookies=2",
                                      "ipv4.tcp_syncookies=0",
                                      "ipv4.tcp_max_syn_backlog=4",
                                      "ipv4.tcp_mem='0 0 0'",
                                      "ipv4.tcp_rmem='2400 3000 4000'",
                                      "ipv4.tcp_wmem='1000 2000 3000'",
                                      "ipv4.neigh.default.gc_thresh1=1",
                                      "ipv4.neigh.default.gc_thresh3=2",
                                      "ipv4.neigh.tap0.unres_qlen_bytes=1000",
                                      "core.netdev_max_backlog=0",
                                      "core.skb_defer_max=0",
                                      "ipv4.conf.all.accept_source_route=1",
                                      "ipv4.conf.tap0.drop_unicast_in_l2_multicast=1",
                                      "ipv4.icmp_echo_ignore_broadcasts=0",
                                      "ipv4.tcp_timestamps=0",
                                      "ipv4.tcp_sack=0",
                                      "ipv4.tcp_window_scaling=0",
                                      "ipv4.tcp_ecn=1",
                                      "ipv4.tcp_fastopen=1539",
                                      "ipv4.tcp_abort_on_overflow=1",
                                      "ipv4.tcp_tw_reuse=1",
                                      "ipv4.tcp_rfc1337=1",
                                      "ipv4.tcp_mtu_probing=2",
                                      "ipv4.tcp_congestion_control=reno",
                                      "ipv4.ip_no_pmtu_disc=2",
                                      "ipv4.ip_early_demux=0",
                                      "ipv4.conf.tap0.arp_ignore=2",
                                      "ipv4.conf.tap0.arp_accept=1",
                                      "ipv4.conf.all.arp_announce=2",
                                      "ipv4.conf.all.accept_local=1",
                                      "ipv4.conf.all.route_localnet=1"};

class bench {
public:
	explicit bench(u64 seed)
		: d_{seed, "fuzz-world"}, headers_{seed}, w_{options(seed)},
		  h_(w_.add_host("model", d_.percent(80) ? 1 : 2))
	{
		{
			const enter_cpu in(*h_.cpus[0]);
			int err = 0;
			const u32 header = headers_.wanted() ? IFF_VNET_HDR : 0;
			const u32 flags = IFF_NO_PI | header;

			dev_ = tun_set_iff(init_net(), "tap0", IFF_TAP | flags, nullptr, nullptr, err);
			other_ = tun_set_iff(init_net(), "tap1", IFF_TAP | flags, nullptr, nullptr, err);
			tun_ = tun_set_iff(init_net(), "tun0", IFF_TUN | flags, nullptr, nullptr, err);
			for (net_device *dev : {dev_, other_, tun_})
				if (header)
					static_cast<void>(set_offload(*dev, headers_.offloads()));
			std::copy_n(dev_->dev_addr.begin(), 6, mac_.begin());
		}
		sim::run_command(h_, "ip link set lo up");
		if (d_.percent(35))
			build_bridge(seed);
		else
			for (const char *line :
			     {"ip addr add 10.9.0.2/24 dev tap0", "ip link set tap0 up",
			      "ip addr add 10.8.0.2/24 dev tap1", "ip link set tap1 up mtu 600",
			      "ip route add 10.7.0.0/16 via 10.8.0.1"})
				sim::run_command(h_, line);
		for (const char *line : {"ip addr add 10.6.0.2/24 dev tun0", "ip link set tun0 up"})
			sim::run_command(h_, line);
		if (d_.percent(60))
			sim::run_command(h_, "sysctl -w net.ipv4.ip_forward=1");
		for (const char *line : seldom_set)
			if (d_.percent(8))
				sim::run_command(h_, std::string("sysctl -w net.") + line);
		if (trace::recorder *r = w_.recorder())
			r->add_hook({trace::armed_by::probe, nullptr,
			             [](void *, const trace::site &s, const trace::objects &) {
					     reached_functions.insert(s.name);
				     },
			             nullptr});
		if (d_.percent(60))
			firewall();
		maker_ = std::make_unique<frame_maker>(seed, mac_);
		for (u32 i = 0; i < 6; ++i) {
			programs_.push_back(std::make_unique<program>(seed, i));
			const enter_cpu in(*h_.cpus[i % h_.cpus.size()]);
			start(
				fmt::format("program{}", i), [p = programs_.back().get()] { p->run(); },
				i % static_cast<u32>(h_.cpus.size()));
		}
		const enter_cpu in(*h_.cpus[0]);
		writer_ = &start(
			"writer", [this] { write_frames(); }, 0);
	}

	void frame()
	{
		let_pass(d_.percent(97)   ? d_.below(300'000)
		         : d_.percent(95) ? d_.below(400'000'000)
		                          : d_.word() % 90'000'000'000);
		written_ = maker_->next();
		into_ = d_.percent(95) ? dev_ : d_.percent(70) ? other_ : tun_;
		if (into_ == tun_ && written_.size() > ETH_HLEN)
			written_.erase(written_.begin(), written_.begin() + ETH_HLEN);
		if (bridged_ && into_ != tun_) {
			into_ = d_.percent(60) ? dev_ : other_;
			if (d_.percent(50))
				written_ = bridged_->from(std::move(written_));
			if (d_.one_in(300))
				change_bridge();
		}
		{
			const enter_cpu in(*h_.cpus[0]);
			task_unpark(*writer_);
		}
		let_pass(0);
		if (d_.one_in(200)) { // the link goes, and comes back
			sim::run_command(h_, "ip link set tap0 down");
			let_pass(d_.below(5'000'000));
			sim::run_command(h_, "ip link set tap0 up");
		}
		if (d_.one_in(20))
			note_states();
	}

	// Rules of all kinds, some of them in the way.
	void firewall()
	{
		for (const char *rule :
		     {"-t nat -A POSTROUTING -o tap1 -j MASQUERADE",
		      "-t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 80",
		      "-t nat -A PREROUTING -p udp -j DNAT --to-destination 10.7.0.1-10.7.0.9",
		      "-t nat -A POSTROUTING -p icmp -j SNAT --to-source 10.8.0.7",
		      "-t mangle -A OUTPUT -p udp -j MARK --set-mark 7",
		      "-A INPUT -p tcp -m conntrack --ctstate INVALID -j DROP",
		      "-A INPUT -p udp -m limit --limit 3/sec -j REJECT",
		      "-A FORWARD -p tcp -m multiport --dports 80:90 -j REJECT --reject-with tcp-reset",
		      "-A FORWARD -f -j ACCEPT",
		      "-A OUTPUT -m state --state NEW -m mark ! --mark 7 -j ACCEPT",
		      "-A INPUT -p icmp --icmp-type echo-request -j DROP",
		      "-A FORWARD -m limit --limit 50/sec -j LOG --log-tcp-sequence --log-tcp-options "
		      "--log-ip-options --log-uid",
		      "-A INPUT -m limit --limit 50/sec -j LOG --log-macdecode",
		      "-A OUTPUT -m limit --limit 50/sec -j LOG --log-uid",
		      "-A INPUT -m addrtype --src-type BROADCAST -j DROP",
		      "-A FORWARD -i br0 -p udp -j REJECT --reject-with icmp-host-prohibited",
		      "-A FORWARD -i br0 -m mac --mac-source 02:00:00:00:01:03 -j ACCEPT", "-P FORWARD DROP"})
			if (d_.percent(60))
				sim::run_command(h_, fmt::format("iptables {}", rule));
		if (d_.percent(50))
			sim::run_command(h_, "arptables -A FORWARD -j ACCEPT");
		if (d_.percent(20))
			sim::run_command(h_, "arptables -A INPUT --opcode Request -j DROP");
		if (d_.percent(30)) {
			sim::run_command(h_, "modprobe nf_conntrack");
			sim::run_command(h_, "sysctl -w net.netfilter.nf_conntrack_max=8");
			sim::run_command(h_, "sysctl -w net.netfilter.nf_conntrack_log_invalid=255");
		}
	}

	// What was left over; empty is good.
	std::vector<std::string> end()
	{
		{
			const enter_cpu in(*h_.cpus[0]);
			for (const auto &t : tasks_)
				if (t->state != TASK_DEAD)
					task_kill(*t);
		}
		for (u32 i = 0; any_alive() && i < ending_frames_max; ++i)
			let_pass(1'000'000);
		if (any_alive()) {
			for (const auto &t : tasks_)
				if (t->state != TASK_DEAD)
					std::fprintf(stderr, "frames_fuzz: %s does not end: it waits in %s\n",
					             t->comm.c_str(),
					             t->wait_channel ? t->wait_channel : "nothing");
			std::abort();
		}
		tasks_.clear();
		for (net_device *dev : {dev_, other_, tun_})
			drain(*dev);
		{
			const enter_cpu in(*h_.cpus[0]);
			for (net_device *dev : {dev_, other_, tun_})
				tun_chr_close(*dev);
			for (std::size_t i = 1; i < drops.size(); ++i)
				drops[i] += drop_counter(static_cast<skb_drop_reason>(i));
			if (skb_dropped_unspecified()) {
				std::fprintf(stderr, "frames_fuzz: %llu packets were lost by a destructor\n",
				             static_cast<unsigned long long>(skb_dropped_unspecified()));
				std::abort();
			}
		}
		return w_.end();
	}

private:
	static world::options options(u64 seed)
	{
		world::options o;
		o.seed = seed;
		o.trace_records_max = note_reached;
		return o;
	}

	task_struct &start(std::string name, std::function<void()> body, u32 on)
	{
		tasks_.push_back(
			std::make_unique<task_struct>(*h_.cpus[on], std::move(name), std::move(body)));
		tasks_.back()->nsproxy_net = &init_net();
		task_start(*tasks_.back());
		return *tasks_.back();
	}

	// Both interfaces are ports, and the model's address is the bridge's.
	void build_bridge(u64 seed)
	{
		bridged_ = std::make_unique<bridge_frames>(seed);
		if (d_.percent(60)) {
			sim::run_command(h_, "modprobe br_netfilter");
			if (d_.percent(30))
				sim::run_command(h_, "sysctl -w net.bridge.bridge-nf-filter-vlan-tagged=1");
		}
		for (const char *line : {"ip link add br0 type bridge", "ip link set tap0 master br0 up",
		                         "ip link set tap1 master br0 up", "ip addr add 10.9.0.2/24 dev br0",
		                         "ip link set br0 up"})
			sim::run_command(h_, line);
		if (d_.percent(40))
			sim::run_command(h_, "brctl stp br0 on");
		if (d_.percent(50))
			sim::run_command(h_, "brctl setfd br0 2");
		for (u32 i = d_.below(5); i; --i)
			change_bridge();
		const enter_cpu in(*h_.cpus[0]);
		const net_device *br = __dev_get_by_name(init_net(), "br0");
		std::copy_n(br->dev_addr.begin(), 6, mac_.begin());
	}

	void change_bridge()
	{
		static constexpr const char *lines[] = {
			"ip link set br0 type bridge vlan_filtering 1",
			"ip link set br0 type bridge vlan_filtering 0",
			"bridge vlan add dev tap0 vid 10-20",
			"bridge vlan add dev tap1 vid 10 pvid untagged",
			"bridge vlan add dev br0 vid 10 self",
			"bridge vlan del dev tap1 vid 10",
			"bridge vlan add dev tap1 vid 1 pvid untagged",
			"bridge link set dev tap0 hairpin on",
			"bridge link set dev tap0 hairpin off",
			"bridge link set dev tap1 isolated on",
			"bridge link set dev tap1 isolated off",
			"bridge link set dev tap0 isolated on",
			"bridge link set dev tap0 isolated off",
			"bridge link set dev tap1 neigh_suppress on",
			"bridge link set dev tap1 learning off",
			"bridge link set dev tap1 learning on",
			"bridge link set dev tap0 mcast_to_unicast on",
			"bridge link set dev tap0 guard on",
			"bridge link set dev tap0 mcast_router 2",
			"bridge fdb replace 02:00:00:00:01:03 dev tap1 master static",
			"ip link set br0 type bridge fdb_flush",
			"ip link set br0 type bridge mcast_snooping 0",
			"ip link set br0 type bridge mcast_snooping 1",
			"ip link set br0 promisc on",
			"ip link set br0 promisc off",
			"brctl setageing br0 1",
			"brctl stp br0 on",
			"brctl stp br0 off",
			"ip link set tap1 nomaster",
			"ip link set tap1 master br0",
			"ip link set br0 down",
			"ip link set br0 up"};
		try {
			sim::run_command(h_, d_.pick(lines));
		} catch (const sim::command_failed &) { // not in this state
		}
	}

	void write_frames()
	{
		while (!current.task->fatal_signal) {
			if (!written_.empty() && headers_.wanted())
				headers_.write(*into_, written_);
			else if (!written_.empty())
				static_cast<void>(tun_get_user(*into_, written_.data(), written_.size()));
			written_.clear();
			task_park();
		}
	}

	void let_pass(u64 ns)
	{
		w_.run_until(w_.now_ns() + ns);
		if (!d_.one_in(50)) // else the reader is late: the ring fills
			drain(*dev_);
		drain(*other_);
		drain(*tun_);
	}

	void drain(net_device &dev)
	{
		for (;;) {
			std::size_t n;
			{
				const enter_cpu in(*h_.cpus[0]);
				n = tun_do_read(dev, buffer_.data(), buffer_.size());
			}
			if (!n)
				return;
			const std::size_t header = headers_.wanted() ? sizeof(virtio_net_hdr) : 0;
			if (&dev == dev_ && n > header)
				maker_->seen(buffer_.data() + header, n - header);
		}
	}

	void note_states()
	{
		for (const auto &t : tasks_)
			for (int fd = 0; t->state != TASK_DEAD && fd < 16; ++fd)
				if (socket *s = socket_of_fd(*t, fd))
					if (const sock *sk = s->sk;
					    sk && sk->skc_state < states.size() && sk->skc_prot == &tcp_prot)
						++states[sk->skc_state];
	}

	bool any_alive() const
	{
		return std::ranges::any_of(tasks_, [](const auto &t) { return t->state != TASK_DEAD; });
	}

	dice d_;
	vnet_headers headers_;
	world w_;
	host &h_;
	net_device *dev_ = nullptr, *other_ = nullptr, *tun_ = nullptr, *into_ = nullptr;
	std::array<u8, 6> mac_{};
	std::unique_ptr<frame_maker> maker_;
	std::unique_ptr<bridge_frames> bridged_; // where the model is a bridge
	std::vector<std::unique_ptr<program>> programs_;
	std::vector<std::unique_ptr<task_struct>> tasks_;
	task_struct *writer_ = nullptr;
	bytes written_;
	std::array<u8, 65700> buffer_{};
};

// Of those that a kernel can trace: what was run in each file of bridge and netfilter.
void report_reached()
{
	struct file_count {
		u32 reached = 0;
		std::string never;
	};
	std::map<std::string_view, file_count> files;
	const sim::profile p = sim::profile::load("linux-6.1");
	std::set<std::string_view> names;
	trace::for_each_site([&names](const trace::site &s) { names.insert(s.name); });
	for (const std::string_view name : names) {
		const std::string_view file = p.kernel_file(name);
		if (!file.starts_with("net/bridge") && file.find("netfilter") == std::string_view::npos)
			continue;
		if (reached_functions.contains(name))
			++files[file].reached;
		else
			files[file].never += fmt::format(" {}", name);
	}
	for (const auto &[file, f] : files)
		fmt::print("{}: {} reached; never:{}\n", file, f.reached, f.never);
}

void report(u64 frames, u32 worlds)
{
	u32 reached = 0;
	std::string never;
	fmt::print("{} frames in {} worlds\nreasons of drops:\n", frames, worlds);
	for (std::size_t i = 1; i < drops.size(); ++i)
		if (drops[i]) {
			++reached;
			fmt::print("  {:<24} {}\n", drop_reason_name(static_cast<skb_drop_reason>(i)),
			           drops[i]);
		} else {
			never += fmt::format(" {}", drop_reason_name(static_cast<skb_drop_reason>(i)));
		}
	fmt::print("{} reached; never:{}\nstates of TCP seen:", reached, never);
	for (std::size_t i = 1; i < states.size(); ++i)
		fmt::print(" {}:{}", i, states[i]);
	fmt::print("\n");
	if (note_reached)
		report_reached();
}

int run(u64 seed, u64 count, u64 first)
{
	u64 frames = 0;
	u32 worlds = 0;
	bool quiet = !isatty(STDERR_FILENO) && count <= 100'000;

	if (note_reached)
		trace::arm(trace::armed_by::probe);
	watch_inputs("frames_fuzz", "world", hang_seconds);
	for (u64 number = first; frames < count; ++number, ++worlds) {
		next_input(fmt::format("--seed {} --world {}\n", seed, number));
		if (!quiet)
			std::fprintf(stderr, "world %llu, %llu frames so far\n",
			             static_cast<unsigned long long>(number),
			             static_cast<unsigned long long>(frames));
		bench b{seed * 1'000'003 + number};
		for (u32 i = 0; i < frames_per_world && frames < count; ++i, ++frames)
			b.frame();
		const std::vector<std::string> left = b.end();
		if (!left.empty())
			return fail(fmt::format("world {} leaves {}", number, fmt::join(left, ", ")));
	}
	end_of_inputs();
	report(frames, worlds);
	return 0;
}

} // namespace

} // namespace skbwalk::fuzz

int main(int argc, char **argv)
{
	using namespace skbwalk::fuzz;
	skbwalk::u64 seed = 1, count = 1'000'000, world = 0, reached = 0;
	const numeric_option numbers[] = {
		{"--seed", &seed, "of everything that is random"},
		{"--count", &count, "frames"},
		{"--world", &world, "the number of the first world"},
		{"--reached", &reached, "1: print which functions of bridge and netfilter were run"}};

	return fuzz_main(argc, argv, "Frames of every kind against the model's hosts.", numbers, [&] {
		note_reached = reached != 0;
		return run(seed, count, world);
	});
}
