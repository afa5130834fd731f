// SPDX-License-Identifier: GPL-2.0-only
//
// One row for each reason that a packet of an IPv4 host can be dropped for: what comes, and the counter that
// the kernel bumps for it, where it has one. Rows of TCP begin with a connection from 10.0.0.7, whose end is
// played by hand.
#include "devices/tun.h"
#include "sim/setup.h"
#include "stack/core/neighbour.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"
#include "stack/netfilter/netfilter.h"
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

const be32 peer_address = ip(10, 0, 0, 7); // on the wire, but no stack of this test has it

std::vector<u8> tcp_segment(const tcphdr &head, const std::vector<u8> &options, const std::vector<u8> &data)
{
	std::vector<u8> b(sizeof(tcphdr));
	tcphdr th = head;

	th.doff_res = static_cast<u8>((sizeof(tcphdr) + options.size()) / 4 << 4);
	std::memcpy(b.data(), &th, sizeof(th));
	b.insert(b.end(), options.begin(), options.end());
	b.insert(b.end(), data.begin(), data.end());
	const auto len = static_cast<u32>(b.size());
	reinterpret_cast<tcphdr *>(b.data())->check =
		tcp_v4_check(len, peer_address, ip(10, 0, 0, 1), csum_partial(b.data(), len, 0));
	return b;
}

struct bench {
	ip_wire w;
	// The peer of one connection.
	u32 snd_nxt = 1000, rcv_nxt = 0;
	u16 our_port = 80;
	sock *sk = nullptr;
	task_struct *server = nullptr;

	bench()
	{
		w.meet();
		run("ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev v1");
	}

	void set(const char *name_is_value)
	{
		sim::run_command(w.host, std::string("sysctl -w ") + name_is_value);
	}
	void run(const char *line) { sim::run_command(w.host, line); }
	u64 mib(linux_mib_item i) { return w.ns().mib.net_statistics[i]; }
	u64 mib(tcp_mib_item i) { return w.ns().mib.tcp_statistics[i]; }
	u64 mib(udp_mib_item i) { return w.ns().mib.udp_statistics[i]; }
	u64 mib(icmp_mib_item i) { return w.mib(i); }
	u64 mib(ipstats_mib_item i) { return w.mib(i); }
	rtnl_link_stats64 stats(net_device &dev)
	{
		const enter_cpu in(w.cpu());

		return dev_get_stats(dev);
	}

	// --- packets by hand ---
	void packet(u8 protocol, std::vector<u8> payload, u8 pkt_type = PACKET_HOST)
	{
		ip_packet p;

		p.saddr = peer_address;
		p.protocol = protocol;
		p.payload = std::move(payload);
		w.receive(p.bytes(), pkt_type);
	}
	void icmp_packet(u8 type, std::vector<u8> rest, be32 to = ip(10, 0, 0, 1))
	{
		ip_packet p;

		p.protocol = IPPROTO_ICMP;
		p.daddr = to;
		p.payload = {type, 0, 0, 0};
		p.payload.insert(p.payload.end(), rest.begin(), rest.end());
		const be16 sum = ip_compute_csum(p.payload.data(), static_cast<u32>(p.payload.size()));
		std::memcpy(p.payload.data() + 2, &sum, sizeof(sum));
		w.receive(p);
	}
	void segment(u8 flags, u32 seq, u32 ack, u32 bytes = 0, const std::vector<u8> &options = {},
	             u16 port = 0)
	{
		const tcphdr th{.source = htons(5000),
		                .dest = htons(port ? port : our_port),
		                .seq = htonl(seq),
		                .ack_seq = htonl(ack),
		                .doff_res = 0,
		                .flags = flags,
		                .window = htons(0x4000),
		                .check = {},
		                .urg_ptr = {}};

		packet(IPPROTO_TCP, tcp_segment(th, options, counting(bytes)));
	}
	void data(u32 bytes, u32 ahead = 0) { segment(TCPHDR_ACK, snd_nxt + ahead, rcv_nxt, bytes); }

	// --- a connection ---
	void listen(int rcvbuf = 0)
	{
		server = &w.task([this, rcvbuf] {
			const auto fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_STREAM, 0));
			const sockaddr_in any = at(0, 80);

			if (rcvbuf)
				sys(sys_nr::setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
			sys(sys_nr::bind, fd, &any, sizeof(any));
			sys(sys_nr::listen, fd, 8);
			const auto conn = static_cast<int>(sys(sys_nr::accept, fd, nullptr, nullptr));
			if (conn >= 0)
				sk = socket_of_fd(*current.task, conn)->sk;
			sys(sys_nr::poll, nullptr, 0, -1); // till the end of the test
		});
		w.run_ms(1);
	}
	void connect(const std::vector<u8> &syn_options = {2, 4, 5, 0xb4}, int rcvbuf = 0)
	{
		listen(rcvbuf);
		segment(TCPHDR_SYN, snd_nxt++, 0, 0, syn_options);
		w.run_ms(1);
		ASSERT_FALSE(w.sent.empty());
		const seen_packet &synack = w.sent.back();
		rcv_nxt = ntohl(reinterpret_cast<const tcphdr *>(synack.b.data() + synack.hlen())->seq) + 1;
		segment(TCPHDR_ACK, snd_nxt, rcv_nxt, 0, timestamps(syn_options));
		w.run_ms(1);
		ASSERT_NE(sk, nullptr);
	}
	// Those that go with every segment where the SYN had any.
	std::vector<u8> timestamps(const std::vector<u8> &syn_options, u32 ago = 0) const
	{
		if (syn_options.size() < 12)
			return {};
		std::vector<u8> o = {1, 1, 8, 10, 0, 1, 0, 0, 0, 0, 0, 0};
		if (ago)
			o[5] = 0; // 65536 ticks before
		// Its own clock, as the SYN+ACK told it.
		const seen_packet &last = w.sent.back();
		const u8 *t = last.b.data() + last.hlen() + sizeof(tcphdr);
		for (std::size_t i = 0; i + 10 <= 24; ++i)
			if (t[i] == 8 && t[i + 1] == 10) {
				std::memcpy(o.data() + 8, t + i + 2, 4);
				break;
			}
		return o;
	}
	// While it runs, the socket belongs to a task.
	void owned(const std::function<void()> &what)
	{
		w.task([this] {
			lock_sock(*sk);
			current.task->state = TASK_UNINTERRUPTIBLE;
			schedule_timeout(HZ);
			release_sock(*sk);
		});
		w.run_ms(1);
		what();
		w.run_ms(2000);
	}
	// --- others ---
	// A task's datagrams.
	void send_datagrams(u32 to, int count, u32 bytes = 100)
	{
		w.in_task([=] {
			const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
			const sockaddr_in there = at(to, 9);
			const std::vector<u8> text(bytes);

			for (int i = 0; i < count; ++i)
				sys(sys_nr::sendto, fd, text.data(), text.size(), 0, &there, sizeof(there));
			sys(sys_nr::close, fd);
		});
	}
	void bound(int type, int protocol, const std::vector<std::array<int, 3>> &options)
	{
		w.task([=] {
			const auto fd = static_cast<int>(sys(sys_nr::socket, AF_INET, type, protocol));
			const sockaddr_in any = at(0, 7);

			for (const auto &[level, name, value] : options)
				sys(sys_nr::setsockopt, fd, level, name, &value, sizeof(value));
			sys(sys_nr::bind, fd, &any, sizeof(any));
			sys(sys_nr::poll, nullptr, 0, -1);
		});
		w.run_ms(1);
	}
	template <class F> auto on_cpu(F f)
	{
		const enter_cpu in(w.cpu());

		return f();
	}
};

// MSS and a time stamp.
const std::vector<u8> with_timestamps = {2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 1, 0, 0, 0, 0, 0, 0};

struct row {
	skb_drop_reason reason;
	void (*make)(bench &b);
	u64 (*counter)(bench &b) = nullptr; // null: the kernel counts it nowhere else
};
std::ostream &operator<<(std::ostream &to, const row &r) { return to << drop_reason_name(r.reason); }

template <auto item> u64 of(bench &b) { return b.mib(item); }

class drop_reason : public testing::TestWithParam<row> {};

TEST_P(drop_reason, packet_is_dropped_for_it_and_counted)
{
	const row &r = GetParam();
	bench b;
	const u64 counted = r.counter ? r.counter(b) : 0;

	const u64 dropped = b.w.dropped(r.reason);

	r.make(b);
	b.w.run_ms(20);
	EXPECT_GT(b.w.dropped(r.reason), dropped);
	if (r.counter) {
		EXPECT_GT(r.counter(b), counted);
	}
}

std::vector<u8> bad_udp(u16 port)
{
	std::vector<u8> u = udp(1, port, counting(20));
	u[6] = 0x12;
	return u;
}

const row of_ip[] = {
	{SKB_DROP_REASON_UNHANDLED_PROTO,
         [](bench &b) {
		 b.on_cpu([&] {
			 skb_ptr skb = alloc_skb(128, GFP_ATOMIC);
			 skb_put(*skb, 60);
			 skb->dev = b.w.v1;
			 skb->protocol = htons(0x88b5);
			 skb_reset_mac_header(*skb);
			 netif_rx(std::move(skb));
			 return 0;
		 });
	 },
         [](bench &b) -> u64 { return b.stats(*b.w.v1).rx_dropped; }},
	{SKB_DROP_REASON_CPU_BACKLOG,
         [](bench &b) {
		 b.set("net.core.netdev_max_backlog=0");
		 b.on_cpu([&] {
			 local_bh_disable();
			 for (int i = 0; i < 3; ++i) {
				 skb_ptr skb = alloc_skb(128, GFP_ATOMIC);
				 skb_put(*skb, 60);
				 skb->dev = b.w.v1;
				 skb->protocol = htons(0x88b5);
				 skb_reset_mac_header(*skb);
				 netif_rx(std::move(skb));
			 }
			 local_bh_enable();
			 return 0;
		 });
	 },
         [](bench &b) { return b.on_cpu([] { return u64{softnet->dropped}; }); }},
	{SKB_DROP_REASON_OTHERHOST, [](bench &b) { b.packet(IPPROTO_UDP, udp(1, 9, {}), PACKET_OTHERHOST); }},
	{SKB_DROP_REASON_IP_INHDR,
         [](bench &b) {
		 std::vector<u8> p = ip_packet{}.bytes();
		 p[0] = 0x65;
		 b.w.receive(p);
	 },
         of<IPSTATS_MIB_INHDRERRORS>},
	{SKB_DROP_REASON_IP_CSUM,
         [](bench &b) {
		 std::vector<u8> p = ip_packet{}.bytes();
		 p[8] ^= 1;
		 b.w.receive(p);
	 },
         of<IPSTATS_MIB_CSUMERRORS>},
	{SKB_DROP_REASON_PKT_TOO_SMALL,
         [](bench &b) {
		 ip_packet p;
		 p.payload = udp(1, 9, counting(20));
		 std::vector<u8> bytes = p.bytes();
		 bytes.pop_back();
		 b.w.receive(bytes);
	 },
         of<IPSTATS_MIB_INTRUNCATEDPKTS>},
	{SKB_DROP_REASON_IP_RPFILTER,
         [](bench &b) {
		 b.set("net.ipv4.conf.v1.rp_filter=1");
		 ip_packet p;
		 p.saddr = ip(192, 0, 2, 1);
		 b.w.receive(p);
	 },
         of<LINUX_MIB_IPRPFILTER>},
	{SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST,
         [](bench &b) {
		 b.set("net.ipv4.conf.v1.drop_unicast_in_l2_multicast=1");
		 b.packet(IPPROTO_UDP, udp(1, 9, {}), PACKET_BROADCAST);
	 }},
	{SKB_DROP_REASON_NETFILTER_DROP,
         [](bench &b) {
		 nf_hook_ops ops{};
		 ops.hook = [](void *, skb_ptr &, const nf_hook_state &) -> u32 { return NF_DROP; };
		 ops.pf = NFPROTO_IPV4;
		 ops.hooknum = NF_INET_LOCAL_IN;
		 b.on_cpu([&] { return nf_register_net_hook(init_net(), ops); });
		 b.packet(IPPROTO_UDP, udp(1, 9, {}));
		 b.on_cpu([&] { return nf_unregister_net_hook(init_net(), ops), 0; });
	 }},
	{SKB_DROP_REASON_IP_INADDRERRORS,
         [](bench &b) {
		 ip_packet p;
		 p.daddr = ip(10, 0, 0, 9);
		 b.w.receive(p);
	 },
         of<IPSTATS_MIB_INADDRERRORS>},
	{SKB_DROP_REASON_IP_INNOROUTES,
         [](bench &b) {
		 b.set("net.ipv4.ip_forward=1");
		 ip_packet p;
		 p.daddr = ip(192, 0, 2, 1);
		 b.w.receive(p);
	 },
         of<IPSTATS_MIB_INNOROUTES>},
	{SKB_DROP_REASON_PKT_TOO_BIG,
         [](bench &b) {
		 b.set("net.ipv4.ip_forward=1");
		 b.run("ip link set lo mtu 600");
		 b.run("ip route add 192.0.2.0/24 dev lo");
		 ip_packet p;
		 p.daddr = ip(192, 0, 2, 1);
		 p.frag_off = 0x4000;
		 p.payload = counting(1000);
		 b.w.receive(p);
	 },
         of<IPSTATS_MIB_FRAGFAILS>},
	{SKB_DROP_REASON_IP_NOPROTO, [](bench &b) { b.packet(200, counting(20)); },
         of<IPSTATS_MIB_INUNKNOWNPROTOS>},
	{SKB_DROP_REASON_ICMP_CSUM,
         [](bench &b) {
		 b.packet(IPPROTO_ICMP, {8, 0, 1, 2, 0, 0, 0, 0});
	 },
         of<ICMP_MIB_CSUMERRORS>},
	{SKB_DROP_REASON_INVALID_PROTO,
         [](bench &b) { b.icmp_packet(ICMP_ECHO, std::vector<u8>(4), ip(10, 0, 0, 255)); },
         of<ICMP_MIB_INERRORS>},
	{SKB_DROP_REASON_IP_OUTNOROUTES,
         [](bench &b) {
		 b.connect();
		 b.run("ip route del 10.0.0.0/24 dev v1");
		 for (u32 i = 0; i < 2; ++i)
			 b.data(100, i * 1000); // the second is out of order: answered at once
	 },
         of<IPSTATS_MIB_OUTNOROUTES>},
};
INSTANTIATE_TEST_SUITE_P(of_ip, drop_reason, testing::ValuesIn(of_ip), testing::PrintToStringParamName());

const row of_the_link[] = {
	{SKB_DROP_REASON_NEIGH_QUEUEFULL,
         [](bench &b) {
		 b.set("net.ipv4.neigh.v1.unres_qlen_bytes=4096");
		 b.send_datagrams(0x0a00004d, 30);
	 },
         [](bench &b) { return b.on_cpu([] { return arp_tbl().unres_discards; }); }},
	{SKB_DROP_REASON_NEIGH_FAILED,
         [](bench &b) {
		 b.send_datagrams(0x0a00004d, 1);
		 b.w.run_ms(5000);
	 },
         [](bench &b) { return b.on_cpu([] { return arp_tbl().res_failed; }); }},
	{SKB_DROP_REASON_NEIGH_CREATEFAIL,
         [](bench &b) {
		 for (const char *line : {"gc_thresh1=1", "gc_thresh2=1", "gc_thresh3=1"})
			 b.set((std::string("net.ipv4.neigh.default.") + line).c_str());
		 for (u32 i = 0; i < 4; ++i)
			 b.send_datagrams(0x0a000050 + i, 1);
	 },
         [](bench &b) { return b.on_cpu([] { return arp_tbl().table_fulls; }); }},
	{SKB_DROP_REASON_NEIGH_DEAD,
         [](bench &b) {
		 b.on_cpu([&] {
			 const be32 there = ip(10, 0, 0, 60);
			 neighbour *n = neigh_create(arp_tbl(), there, *b.w.v1);
			 neigh_changeaddr(arp_tbl(), *b.w.v1);
			 skb_ptr skb = alloc_skb(128, GFP_ATOMIC);
			 skb_reserve(*skb, 64);
			 skb_put(*skb, 40);
			 // Who sends has read the entry's function before.
			 neigh_resolve_output(*n, std::move(skb));
			 neigh_release(*n);
			 return 0;
		 });
	 }},
	{SKB_DROP_REASON_FULL_RING,
         [](bench &b) {
		 net_device *tap = b.on_cpu([&] {
			 int err = 0;
			 return tun_set_iff(init_net(), "tap0", IFF_TAP | IFF_NO_PI, nullptr, nullptr, err);
		 });
		 b.run("ip link set tap0 txqueuelen 1 up");
		 b.run("ip addr add 10.5.0.1/24 dev tap0");
		 b.send_datagrams(0x0a0500ff, 0);
		 for (u32 i = 2; i < 6; ++i)
			 b.send_datagrams(0x0a050000 + i, 1);
		 EXPECT_GT(b.stats(*tap).tx_dropped, 0u);
		 b.on_cpu([&] { return tun_chr_close(*tap), 0; });
	 }},
	{SKB_DROP_REASON_DEV_READY,
         [](bench &b) {
		 b.on_cpu([&] {
			 int err = 0;
			 net_device *tap =
				 tun_set_iff(init_net(), "tap0", IFF_TAP | IFF_NO_PI, nullptr, nullptr, err);
			 const std::vector<u8> frame(60);
			 EXPECT_EQ(tun_get_user(*tap, frame.data(), frame.size()), -EIO);
			 EXPECT_EQ(dev_get_stats(*tap).rx_dropped, 1u);
			 tun_chr_close(*tap);
			 return 0;
		 });
	 }},
};
INSTANTIATE_TEST_SUITE_P(of_the_link, drop_reason, testing::ValuesIn(of_the_link),
                         testing::PrintToStringParamName());

const row of_datagrams[] = {
	{SKB_DROP_REASON_NO_SOCKET, [](bench &b) { b.packet(IPPROTO_UDP, udp(1, 9, counting(10))); },
         of<UDP_MIB_NOPORTS>},
	{SKB_DROP_REASON_UDP_CSUM, [](bench &b) { b.packet(IPPROTO_UDP, bad_udp(9)); },
         of<UDP_MIB_CSUMERRORS>},
	{SKB_DROP_REASON_SOCKET_RCVBUFF,
         [](bench &b) {
		 b.bound(SOCK_DGRAM, 0, {{SOL_SOCKET, SO_RCVBUF, 1}});
		 for (int i = 0; i < 10; ++i)
			 b.packet(IPPROTO_UDP, udp(1, 7, counting(500)));
	 },
         of<UDP_MIB_RCVBUFERRORS>},
	{SKB_DROP_REASON_NOMEM,
         [](bench &b) {
		 b.set("net.ipv4.ping_group_range='0 1000'");
		 b.bound(SOCK_DGRAM, IPPROTO_ICMP, {});
		 b.on_cpu([&] {
			 set_failslab(b.w.host, [](const kmem_cache &c) {
				 return in_softirq() && c.name == "skbuff_head_cache";
			 });
			 return 0;
		 });
		 b.icmp_packet(ICMP_ECHOREPLY, {0, 7, 0, 1});
		 b.on_cpu([&] { return set_failslab(b.w.host, nullptr), 0; });
	 }},
};
INSTANTIATE_TEST_SUITE_P(of_datagrams, drop_reason, testing::ValuesIn(of_datagrams),
                         testing::PrintToStringParamName());

const row of_tcp[] = {
	{SKB_DROP_REASON_NO_SOCKET, [](bench &b) { b.segment(TCPHDR_ACK, 1, 1, 0, {}, 99); },
         of<TCP_MIB_OUTRSTS>},
	{SKB_DROP_REASON_TCP_CSUM,
         [](bench &b) {
		 b.packet(IPPROTO_TCP,
	                  std::vector<u8>{0, 1, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 16, 0, 9, 1, 2, 0, 0});
	 },
         of<TCP_MIB_CSUMERRORS>},
	{SKB_DROP_REASON_TCP_MD5UNEXPECTED,
         [](bench &b) {
		 std::vector<u8> md5(20, 1);
		 md5[2] = 19, md5[3] = 18;
		 b.listen();
		 b.segment(TCPHDR_SYN, 1, 0, 0, md5);
	 },
         of<LINUX_MIB_TCPMD5UNEXPECTED>},
	{SKB_DROP_REASON_TCP_FLAGS,
         [](bench &b) {
		 b.listen();
		 b.segment(TCPHDR_SYN | TCPHDR_FIN, 1, 0);
	 }},
	{SKB_DROP_REASON_TCP_RESET,
         [](bench &b) {
		 b.connect();
		 b.segment(TCPHDR_RST, b.snd_nxt + 5, 0);
	 },
         of<LINUX_MIB_TCPCHALLENGEACK>},
	{SKB_DROP_REASON_TCP_INVALID_SYN,
         [](bench &b) {
		 b.connect();
		 b.segment(TCPHDR_SYN, b.snd_nxt, 0);
	 },
         of<LINUX_MIB_TCPSYNCHALLENGE>},
	{SKB_DROP_REASON_TCP_INVALID_SEQUENCE,
         [](bench &b) {
		 b.connect();
		 b.data(10, 0x40000000);
	 },
         of<TCP_MIB_OUTSEGS>},
	{SKB_DROP_REASON_TCP_RFC7323_PAWS,
         [](bench &b) {
		 b.connect(with_timestamps);
		 b.segment(TCPHDR_ACK, b.snd_nxt, b.rcv_nxt, 10, b.timestamps(with_timestamps, 1));
	 },
         of<LINUX_MIB_PAWSESTABREJECTED>},
	{SKB_DROP_REASON_TCP_ACK_UNSENT_DATA,
         [](bench &b) {
		 b.connect();
		 b.segment(TCPHDR_ACK, b.snd_nxt, b.rcv_nxt + 5000);
	 }},
	{SKB_DROP_REASON_TCP_TOO_OLD_ACK,
         [](bench &b) {
		 b.connect();
		 b.segment(TCPHDR_ACK, b.snd_nxt, b.rcv_nxt - 0x20000000);
	 },
         of<LINUX_MIB_TCPCHALLENGEACK>},
	{SKB_DROP_REASON_TCP_OLD_DATA,
         [](bench &b) {
		 b.connect();
		 b.data(300);
		 b.data(300);
	 },
         of<LINUX_MIB_DELAYEDACKLOST>},
	{SKB_DROP_REASON_TCP_OVERWINDOW,
         [](bench &b) {
		 b.connect();
		 b.data(10, tcp_receive_window(tcp_sk(*b.sk)));
	 }},
	{SKB_DROP_REASON_TCP_ZEROWINDOW,
         [](bench &b) {
		 b.connect({2, 4, 5, 0xb4}, 1);
		 for (u32 i = 0; i < 200 && !b.mib(LINUX_MIB_TCPZEROWINDOWDROP); ++i) {
			 b.data(std::clamp(tcp_receive_window(tcp_sk(*b.sk)), 1u, 1000u));
			 b.w.run_ms(50);
			 b.snd_nxt = tcp_sk(*b.sk).rcv_nxt.v;
		 }
	 },
         of<LINUX_MIB_TCPZEROWINDOWDROP>},
	{SKB_DROP_REASON_TCP_OFOMERGE,
         [](bench &b) {
		 b.connect();
		 b.data(300, 1000);
		 b.data(100, 1100);
	 },
         of<LINUX_MIB_TCPOFOMERGE>},
	{SKB_DROP_REASON_TCP_OFO_DROP,
         [](bench &b) {
		 b.connect();
		 b.data(100, 100);
		 b.data(400);
	 }},
	{SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE,
         [](bench &b) {
		 b.connect({2, 4, 5, 0xb4}, 4000);
		 for (u32 i = 12; i; --i) // holes, from the far end on
			 b.data(1, i * 100);
		 b.data(50);
	 },
         of<LINUX_MIB_OFOPRUNED>},
	{SKB_DROP_REASON_PROTO_MEM,
         [](bench &b) {
		 b.set("net.core.rmem_max=8000000");
		 b.connect({2, 4, 5, 0xb4}, 8'000'000);
		 b.set("net.ipv4.tcp_mem='0 0 0'");
		 // Each cpu has a megabyte before it asks for more.
		 for (u32 i = 0; i < 1000 && !b.mib(LINUX_MIB_TCPRCVQDROP); ++i) {
			 b.data(1400);
			 b.snd_nxt = tcp_sk(*b.sk).rcv_nxt.v;
		 }
	 },
         of<LINUX_MIB_TCPRCVQDROP>},
	{SKB_DROP_REASON_SOCKET_BACKLOG,
         [](bench &b) {
		 b.connect({2, 4, 5, 0xb4}, 1);
		 b.owned([&] {
			 for (u32 i = 0; i < 4000 && !b.mib(LINUX_MIB_TCPBACKLOGDROP); ++i)
				 b.data(1000);
		 });
	 },
         of<LINUX_MIB_TCPBACKLOGDROP>},
	{SKB_DROP_REASON_TCP_CLOSE,
         [](bench &b) {
		 b.connect();
		 b.owned([&] {
			 b.segment(TCPHDR_RST, b.snd_nxt, 0);
			 b.data(10);
		 });
	 }},
	{SKB_DROP_REASON_TCP_FASTOPEN,
         [](bench &b) {
		 // Every listener takes data and asks for no cookie, so that the SYN makes the child.
		 b.set("net.ipv4.tcp_fastopen=1539"); // 0x603
		 b.listen();
		 for (int i = 0; i < 2; ++i)
			 b.segment(TCPHDR_SYN, 1000, 0, 10, {2, 4, 5, 0xb4, 34, 2, 1, 1});
	 },
         of<LINUX_MIB_TCPFASTOPENPASSIVE>},
};
INSTANTIATE_TEST_SUITE_P(of_tcp, drop_reason, testing::ValuesIn(of_tcp), testing::PrintToStringParamName());

} // namespace
} // namespace skbwalk::test
