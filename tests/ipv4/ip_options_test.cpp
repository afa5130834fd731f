// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

struct ip_options_test : testing::Test {
	ip_wire w;
	void SetUp() override { w.meet(); }
	// A packet with these options, not yet routed.
	skb_ptr packet(const std::vector<u8> &options, be32 saddr = ip(10, 0, 0, 2))
	{
		ip_packet p;
		p.saddr = saddr;
		p.options = std::vector<u8>((options.size() + 3) & ~std::size_t{3});
		std::copy(options.begin(), options.end(), p.options.begin());
		const std::vector<u8> b = p.bytes();
		skb_ptr skb = alloc_skb(256, GFP_ATOMIC);
		skb_reserve(*skb, 64);
		skb_put_data(*skb, b.data(), static_cast<u32>(b.size()));
		skb_reset_network_header(*skb);
		skb->dev = w.v1;
		IPCB(*skb) = {};
		IPCB(*skb).optlen = static_cast<u8>(p.options.size());
		return skb;
	}
};

TEST_F(ip_options_test, bad_option_is_named_by_its_place)
{
	const struct {
		const char *what;
		std::vector<u8> options;
		u32 at; // 0: good
	} cases[] = {
		{"nothing but padding", {1, 1, 0, 0}, 0},
		{"length below two", {7, 1, 0, 0}, 20},
		{"length behind the end", {7, 5, 4, 0}, 20},
		{"no room for a length", {1, 1, 1, 7}, 23},
		{"record route, pointer too small", {7, 7, 3, 0, 0, 0, 0, 0}, 22},
		{"record route, half an address", {7, 6, 4, 0, 0, 0, 0, 0}, 22},
		{"record route twice", {7, 3, 4, 7, 3, 4, 0, 0}, 23},
		{"record route, full", {7, 7, 8, 1, 2, 3, 4, 0}, 0},
		{"time stamps, no flags", {68, 3, 5, 0}, 21},
		{"time stamps, pointer in the head", {68, 8, 4, 0, 0, 0, 0, 0}, 22},
		{"time stamps, full and overflown", {68, 4, 5, 0xf0}, 23},
		{"time stamps with addresses, room for half", {68, 8, 5, 1, 0, 0, 0, 0}, 22},
		{"two source routes", {131, 3, 4, 137, 3, 4, 0, 0}, 23},
		{"source route without a pointer", {131, 2, 0, 0}, 21},
		{"router alert, short", {148, 3, 0, 0}, 21},
		{"router alert", {148, 4, 0, 0}, 0},
		{"one that nobody knows", {99, 4, 1, 2}, 0},
	};
	const enter_cpu in(w.cpu());

	for (const auto &c : cases) {
		skb_ptr skb = packet(c.options);
		be32 info{};

		EXPECT_EQ(__ip_options_compile(init_net(), IPCB(*skb), skb.get(), &info), c.at ? -EINVAL : 0)
			<< c.what;
		EXPECT_EQ(ntohl(info) >> 24, c.at) << c.what;
		consume_skb(std::move(skb));
	}
}

TEST_F(ip_options_test, packet_with_a_bad_option_is_dropped_and_its_sender_told)
{
	ip_packet p;
	p.options = {7, 7, 3, 0, 0, 0, 0, 0};
	p.payload = udp(1, 9, {});
	w.receive(p);
	w.run_ms(3);
	EXPECT_EQ(w.mib(IPSTATS_MIB_INHDRERRORS), 1u);
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].icmp().type, ICMP_PARAMETERPROB);
	EXPECT_EQ(w.sent[0].icmp().un.gateway.b[0], 22);
}

TEST_F(ip_options_test, route_is_recorded_on_the_way_in_and_in_the_answer)
{
	ip_packet p;
	p.protocol = IPPROTO_ICMP;
	p.options = {7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	p.payload = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
	w.receive(p);
	w.run_ms(3);
	ASSERT_EQ(w.sent.size(), 1u);
	const u8 *o = w.sent[0].b.data() + sizeof(iphdr);
	EXPECT_EQ(w.sent[0].hlen(), 36u);
	const std::vector<u8> expected{7, 15, 12, 10, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0};
	EXPECT_EQ(std::vector<u8>(o, o + 16), expected);
}

TEST_F(ip_options_test, source_route_is_turned_round_for_the_answer)
{
	const enter_cpu in(w.cpu());
	// It came from 10.0.0.9 by 10.0.7.7 and 10.0.8.8, where the pointer is behind both.
	skb_ptr skb = packet({131, 11, 12, 10, 0, 7, 7, 10, 0, 8, 8, 0}, ip(10, 0, 0, 9));
	ip_options answer;

	ASSERT_EQ(ip_options_compile(init_net(), IPCB(*skb), skb.get()), 0);
	ASSERT_EQ(ip_options_echo(init_net(), answer, *skb), 0);
	EXPECT_EQ(answer.faddr, ip(10, 0, 8, 8)) << "the first hop of the way back";
	const std::vector<u8> expected{131, 11, 4, 10, 0, 7,
	                               7,   0,  0, 0,  0, 0}; // at last, room for where it goes
	EXPECT_EQ(std::vector<u8>(answer.data, answer.data + answer.optlen), expected);
	EXPECT_EQ(answer.srr, 20);
	consume_skb(std::move(skb));
}

TEST_F(ip_options_test, only_copied_options_stand_in_later_fragments)
{
	const enter_cpu in(w.cpu());
	skb_ptr skb = packet({7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0});

	ASSERT_EQ(ip_options_compile(init_net(), IPCB(*skb), skb.get()), 0);
	ip_options_fragment(*skb);
	const u8 *o = skb_network_header(*skb) + sizeof(iphdr);
	EXPECT_EQ(std::vector<u8>(o, o + 7), std::vector<u8>(7, IPOPT_NOOP));
	EXPECT_EQ(o[7], IPOPT_RA);
	consume_skb(std::move(skb));
}

TEST_F(ip_options_test, program_gets_its_options_back_as_it_gave_them_and_every_packet_carries_them)
{
	w.in_task([] {
		const int fd = udp_socket();
		const sockaddr_in to = at(0x0a000002, 9);
		const std::vector<u8> given{131, 7, 4, 10, 0, 0, 2, 0}, bad{131, 6, 4, 10, 0, 0, 2, 0};
		u8 back[40];
		int len = sizeof(back);

		EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_IP, IP_OPTIONS, bad.data(), bad.size()), -EINVAL);
		EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_IP, IP_OPTIONS, given.data(), given.size()), 0);
		EXPECT_EQ(sys(sys_nr::getsockopt, fd, SOL_IP, IP_OPTIONS, back, &len), 0);
		EXPECT_EQ(std::vector<u8>(back, back + len), given);
		EXPECT_EQ(sys(sys_nr::sendto, fd, "x", 1, 0, &to, sizeof(to)), 1);
	});
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].hlen(), 28u);
	EXPECT_EQ(w.sent[0].b[20], 131);
	EXPECT_EQ(w.sent[0].ip().daddr, ip(10, 0, 0, 2)) << "the first hop";
	const std::vector<u8> last_hop(w.sent[0].b.begin() + 23, w.sent[0].b.begin() + 27);
	EXPECT_EQ(last_hop, (std::vector<u8>{10, 0, 0, 2}));
}

} // namespace
} // namespace skbwalk::test
