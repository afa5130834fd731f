// SPDX-License-Identifier: GPL-2.0-only
#include "stack/netfilter/netfilter.h"
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

constexpr u32 far_addr = 0x0a000002;

struct ip_output_test : testing::Test {
	ip_wire w;
	void SetUp() override { w.meet(); }
	static int socket_to_far(u16 port)
	{
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
		const sockaddr_in sin = at(far_addr, port);

		EXPECT_EQ(sys(sys_nr::connect, fd, &sin, sizeof(sin)), 0);
		return fd;
	}
	static void set(int fd, int level, int opt, int val)
	{
		EXPECT_EQ(sys(sys_nr::setsockopt, fd, level, opt, &val, sizeof(val)), 0);
	}
	// What a socket of the other end hears of what the body sends to port 4000.
	std::string far_hears(std::function<void()> body)
	{
		std::string heard;

		w.in_task([&] {
			current.task->nsproxy_net = w.far;
			const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
			const sockaddr_in sin = at(INADDR_ANY, 4000);
			EXPECT_EQ(sys(sys_nr::bind, fd, &sin, sizeof(sin)), 0);
			current.task->nsproxy_net = &init_net();
			body();
			heard = receive(fd, MSG_DONTWAIT, 70000);
		});
		return heard;
	}
	// The payload of all fragments that left, which must be those of one datagram.
	std::vector<u8> joined()
	{
		std::vector<u8> whole;

		for (const seen_packet &p : w.sent) {
			const std::vector<u8> part = p.payload();
			EXPECT_EQ((p.frag_off() & IP_OFFSET) * 8u, whole.size());
			EXPECT_EQ(!(p.frag_off() & IP_MF), &p == &w.sent.back());
			EXPECT_EQ(p.ip().id, w.sent[0].ip().id);
			EXPECT_LE(p.b.size(), 1500u);
			EXPECT_EQ(ip_fast_csum(p.b.data(), p.ip().ihl()), be16{});
			whole.insert(whole.end(), part.begin(), part.end());
		}
		return whole;
	}
};

TEST_F(ip_output_test, datagram_longer_than_the_mtu_leaves_in_fragments_and_arrives_whole)
{
	const std::vector<u8> data = counting(6000);
	const std::string text(data.begin(), data.end());

	EXPECT_TRUE(far_hears([&] {
			    const int fd = socket_to_far(4000);
			    set(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
			    EXPECT_EQ(sys(sys_nr::sendto, fd, data.data(), data.size(), 0, nullptr, 0), 6000);
		    }) == text);
	EXPECT_EQ(w.sent.size(), 5u);
	EXPECT_EQ(joined().size(), 6008u);
	EXPECT_EQ(w.mib(IPSTATS_MIB_FRAGOKS), 1u);
	EXPECT_EQ(w.mib(IPSTATS_MIB_FRAGCREATES), 5u);
}

TEST_F(ip_output_test, pieces_of_a_corked_datagram_become_its_fragments_at_multiples_of_eight)
{
	const std::vector<u8> data = counting(4001);

	far_hears([&] {
		const int fd = socket_to_far(4000);
		set(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		for (std::size_t at = 0; at < data.size(); at += 333) {
			const std::size_t n = std::min<std::size_t>(333, data.size() - at);
			EXPECT_EQ(sys(sys_nr::sendto, fd, data.data() + at, n,
			              at + n < data.size() ? MSG_MORE : 0, nullptr, 0),
			          static_cast<long>(n));
		}
	});
	const std::vector<u8> whole = joined();
	ASSERT_EQ(whole.size(), 4009u);
	EXPECT_TRUE(std::equal(data.begin(), data.end(), whole.begin() + 8));
}

TEST_F(ip_output_test, packet_that_is_not_a_list_of_fitting_fragments_is_cut_by_copying)
{
	const std::vector<u8> data = counting(3000);
	{
		const enter_cpu in(w.cpu());
		skb_ptr skb = alloc_skb(4000, GFP_ATOMIC);
		flowi4 fl4;
		skb_reserve(*skb, 100);
		skb_put_data(*skb, data.data(), 3000);
		skb_push(*skb, sizeof(iphdr));
		skb_reset_network_header(*skb);
		ip_hdr(*skb) = {.ver_ihl = 0x45,
		                .tos = 0,
		                .tot_len = {},
		                .id = htons(77),
		                .frag_off = {},
		                .ttl = 9,
		                .protocol = 200,
		                .check = {},
		                .saddr = ip(10, 0, 0, 1),
		                .daddr = ip(10, 0, 0, 2)};
		IPCB(*skb) = {};
		fl4.daddr = ip(10, 0, 0, 2);
		const rt_or_err rt = ip_route_output_key(init_net(), fl4);
		ASSERT_TRUE(rt.rt);
		skb_dst_set(*skb, rt.rt);
		EXPECT_EQ(ip_local_out(init_net(), nullptr, std::move(skb)), 0);
	}
	w.run_ms(3);
	EXPECT_EQ(w.sent.size(), 3u);
	EXPECT_EQ(joined(), data);
}

TEST_F(ip_output_test, sender_that_forbids_fragments_is_refused_and_told_the_mtu)
{
	w.in_task([] {
		const int fd = socket_to_far(4000);
		const std::vector<u8> data = counting(2000);
		int mtu = 0, len = sizeof(mtu);
		sockaddr_in from{};
		int from_len = sizeof(from);
		char text[8];

		set(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
		set(fd, SOL_IP, IP_RECVERR, 1);
		EXPECT_EQ(sys(sys_nr::sendto, fd, data.data(), data.size(), 0, nullptr, 0), -EMSGSIZE);
		EXPECT_EQ(sys(sys_nr::getsockopt, fd, SOL_IP, IP_MTU, &mtu, &len), 0);
		EXPECT_EQ(mtu, 1500);
		EXPECT_EQ(sys(sys_nr::recvfrom, fd, text, sizeof(text), MSG_ERRQUEUE, &from, &from_len), 0);
		EXPECT_EQ(from.sin_addr, htonl(far_addr));
		EXPECT_EQ(sys(sys_nr::recvfrom, fd, text, sizeof(text), MSG_ERRQUEUE, nullptr, nullptr),
		          -EAGAIN);
	});
	EXPECT_TRUE(w.sent.empty());
}

TEST_F(ip_output_test, socket_options_show_in_the_header)
{
	w.in_task([] {
		const int fd = socket_to_far(4000);

		set(fd, SOL_IP, IP_TTL, 7);
		set(fd, SOL_IP, IP_TOS, 0x10);
		EXPECT_EQ(send_text(fd, "x"), 1);
	});
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].ip().ttl, 7);
	EXPECT_EQ(w.sent[0].ip().tos, 0x10);
	EXPECT_EQ(w.sent[0].frag_off(), IP_DF);
}

TEST_F(ip_output_test, router_takes_one_from_the_ttl_and_reports_where_it_ends)
{
	{
		const enter_cpu in(w.cpu());
		EXPECT_EQ(devinet_sysctl_write(init_net(), "ip_forward", 1), 0);
		EXPECT_EQ(veth_newlink(init_net(), "v3", init_net(), "v4"), 0);
		for (const char *name : {"v3", "v4"})
			EXPECT_EQ(dev_open(*__dev_get_by_name(init_net(), name)), 0);
		EXPECT_EQ(inet_add_ifaddr(*__dev_get_by_name(init_net(), "v3"), ip(10, 0, 3, 1), 24, be32{},
		                          RT_SCOPE_UNIVERSE),
		          0);
	}
	w.run_ms(100);
	ip_packet p;
	p.saddr = ip(10, 0, 3, 9);
	p.daddr = ip(10, 0, 0, 2);
	p.protocol = 200;
	p.payload = counting(20);
	const auto by_v3 = [&] {
		const enter_cpu in(w.cpu());
		net_device *v1 = std::exchange(w.v1, __dev_get_by_name(init_net(), "v3"));
		w.receive(p);
		w.v1 = v1;
	};
	by_v3();
	w.run_ms(3);
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].ip().ttl, 63);
	EXPECT_EQ(ip_fast_csum(w.sent[0].b.data(), 5), be16{});
	EXPECT_EQ(w.mib(IPSTATS_MIB_OUTFORWDATAGRAMS), 1u);
	p.ttl = 1;
	by_v3();
	EXPECT_EQ(w.mib(IPSTATS_MIB_OUTFORWDATAGRAMS), 1u);
	EXPECT_EQ(w.ns().mib.icmpmsg_statistics[256 + ICMP_TIME_EXCEEDED], 1u);
	p.ttl = 64;
	p.payload.resize(1490);
	p.frag_off = IP_DF;
	w.v1->mtu = 1400;
	by_v3();
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_PKT_TOO_BIG), 1u);
	p.frag_off = 0;
	by_v3();
	w.run_ms(3);
	ASSERT_EQ(w.sent.size(), 3u) << "cut, since it may be";
	EXPECT_EQ(w.sent[2].b.size() + w.sent[1].b.size(), 1510u + 20);
}

// --- hooks on the way ---

std::string asked;
u32 answer;
u32 first(void *, skb_ptr &, const nf_hook_state &state)
{
	asked += std::to_string(state.hook) + "a ";
	return NF_ACCEPT;
}
u32 second(void *, skb_ptr &skb, const nf_hook_state &state)
{
	asked += std::to_string(state.hook) + "b ";
	if (answer == NF_STOLEN)
		consume_skb(std::move(skb));
	return answer;
}

TEST_F(ip_output_test, hooks_are_asked_in_order_of_priority_and_a_verdict_holds)
{
	const nf_hook_ops ops[] = {{second, nullptr, nullptr, NFPROTO_IPV4, NF_INET_LOCAL_OUT, 10},
	                           {first, nullptr, nullptr, NFPROTO_IPV4, NF_INET_LOCAL_OUT, -10},
	                           {first, nullptr, nullptr, NFPROTO_IPV4, NF_INET_POST_ROUTING, 0}};

	asked.clear();
	far_hears([&] {
		const int fd = socket_to_far(4000);

		ASSERT_EQ(nf_register_net_hooks(init_net(), ops, 3), 0);
		answer = NF_ACCEPT;
		EXPECT_EQ(send_text(fd, "x"), 1);
		answer = NF_DROP;
		EXPECT_EQ(send_text(fd, "x"), -EPERM);
		answer = NF_STOLEN;
		EXPECT_EQ(send_text(fd, "x"), 1);
		nf_unregister_net_hooks(init_net(), ops, 3);
		EXPECT_EQ(send_text(fd, "x"), 1);
	});
	EXPECT_EQ(asked, "3a 3b 4a 3a 3b 3a 3b ");
	EXPECT_EQ(w.sent.size(), 2u);
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_NETFILTER_DROP), 1u);
}

} // namespace
} // namespace skbwalk::test
