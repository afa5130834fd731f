// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

// An ICMP message with its checksum.
std::vector<u8> message(u8 type, u8 code, const std::vector<u8> &rest)
{
	std::vector<u8> b{type, code, 0, 0};

	b.insert(b.end(), rest.begin(), rest.end());
	const be16 check = ip_compute_csum(b.data(), static_cast<u32>(b.size()));
	std::memcpy(&b[2], &check, 2);
	return b;
}
std::vector<u8> echo(std::size_t data)
{
	std::vector<u8> rest{0x12, 0x34, 0, 7};
	const std::vector<u8> more = counting(data);

	rest.insert(rest.end(), more.begin(), more.end());
	return message(ICMP_ECHO, 0, rest);
}
ip_packet icmp(std::vector<u8> payload)
{
	ip_packet p;

	p.protocol = IPPROTO_ICMP;
	p.payload = std::move(payload);
	return p;
}

struct icmp_test : testing::Test {
	ip_wire w;
	void SetUp() override { w.meet(); }
	void to_closed_port(std::size_t data, int times = 1)
	{
		ip_packet p;
		p.payload = udp(7, 9, counting(data));
		while (times--)
			w.receive(p);
		w.run_ms(3);
	}
};

TEST_F(icmp_test, echo_is_answered_with_its_own_data)
{
	const std::vector<u8> asked = echo(56);

	w.receive(icmp(asked));
	w.run_ms(10);
	ASSERT_EQ(w.sent.size(), 1u);
	const seen_packet &p = w.sent[0];
	EXPECT_EQ(p.ip().saddr, ip(10, 0, 0, 1));
	EXPECT_EQ(p.ip().daddr, ip(10, 0, 0, 2));
	EXPECT_EQ(p.icmp().type, ICMP_ECHOREPLY);
	EXPECT_EQ(ip_compute_csum(p.payload().data(), static_cast<u32>(p.payload().size())), be16{});
	EXPECT_TRUE(std::equal(asked.begin() + 4, asked.end(), p.payload().begin() + 4));
	EXPECT_EQ(w.ns().mib.icmpmsg_statistics[256 + ICMP_ECHOREPLY], 2u) << "and one when they met";
}

TEST_F(icmp_test, answer_longer_than_the_mtu_leaves_in_fragments_with_one_checksum)
{
	ip_packet p = icmp(echo(3000));
	// It comes in fragments, too.
	for (std::size_t at = 0; at < p.payload.size(); at += 1480) {
		ip_packet f = p;
		const std::size_t end = std::min(at + 1480, p.payload.size());
		f.payload.assign(p.payload.begin() + static_cast<std::ptrdiff_t>(at),
		                 p.payload.begin() + static_cast<std::ptrdiff_t>(end));
		f.frag_off = static_cast<u16>(at / 8 | (end < p.payload.size() ? IP_MF : 0));
		w.receive(f);
	}
	w.run_ms(10);
	ASSERT_EQ(w.sent.size(), 3u);
	std::vector<u8> whole;
	for (const seen_packet &s : w.sent) {
		const std::vector<u8> part = s.payload();
		EXPECT_EQ((s.frag_off() & IP_OFFSET) * 8u, whole.size());
		EXPECT_EQ(s.ip().id, w.sent[0].ip().id);
		whole.insert(whole.end(), part.begin(), part.end());
	}
	EXPECT_EQ(whole.size(), p.payload.size());
	EXPECT_EQ(ip_compute_csum(whole.data(), static_cast<u32>(whole.size())), be16{});
}

TEST_F(icmp_test, datagram_to_a_closed_port_is_reported_with_its_head_in_576_bytes)
{
	to_closed_port(1400);
	ASSERT_EQ(w.sent.size(), 1u);
	const seen_packet &p = w.sent[0];
	EXPECT_EQ(p.icmp().type, ICMP_DEST_UNREACH);
	EXPECT_EQ(p.icmp().code, ICMP_PORT_UNREACH);
	EXPECT_EQ(p.ip().tos, IPTOS_PREC_INTERNETCONTROL);
	EXPECT_EQ(p.b.size(), 576u);
	const auto &inner = *reinterpret_cast<const iphdr *>(p.b.data() + p.hlen() + 8);
	EXPECT_EQ(ntohs(inner.tot_len), 1428);
	EXPECT_EQ(inner.daddr, ip(10, 0, 0, 1));
}

TEST_F(icmp_test, nothing_is_sent_about_an_error_a_later_fragment_or_what_went_to_many)
{
	ip_packet about_error = icmp(message(ICMP_DEST_UNREACH, 1, std::vector<u8>(40)));
	{
		const enter_cpu in(w.cpu());
		skb_ptr skb = alloc_skb(256, GFP_ATOMIC);
		const std::vector<u8> b = about_error.bytes();
		skb_put_data(*skb, b.data(), static_cast<u32>(b.size()));
		skb_reset_network_header(*skb);
		skb->dev = w.v1;
		EXPECT_EQ(ip_route_input_noref(*skb, ip(10, 0, 0, 1), ip(10, 0, 0, 2), 0, *w.v1), 0);
		const u64 out = init_net().mib.icmp_statistics[ICMP_MIB_OUTMSGS];
		IPCB(*skb) = {};
		icmp_send(*skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, be32{});
		ip_hdr(*skb).protocol = 200;
		ip_hdr(*skb).frag_off = htons(1);
		icmp_send(*skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, be32{});
		ip_hdr(*skb).frag_off = be16{};
		skb->pkt_type = PACKET_BROADCAST;
		icmp_send(*skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, be32{});
		EXPECT_EQ(init_net().mib.icmp_statistics[ICMP_MIB_OUTMSGS], out);
		skb->pkt_type = PACKET_HOST;
		icmp_send(*skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, be32{});
		EXPECT_EQ(init_net().mib.icmp_statistics[ICMP_MIB_OUTMSGS], out + 1);
		consume_skb(std::move(skb));
	}
}

TEST_F(icmp_test, errors_to_one_host_are_limited_to_a_burst_and_then_one_a_second)
{
	to_closed_port(8, 30);
	EXPECT_EQ(w.sent.size(), 6u);
	EXPECT_EQ(w.mib(ICMP_MIB_RATELIMITHOST), 24u);
	w.run_ms(1000);
	to_closed_port(8, 3);
	EXPECT_EQ(w.sent.size(), 7u);
}

TEST_F(icmp_test, namespace_that_used_up_its_messages_sends_none_until_time_went_by)
{
	{
		const enter_cpu in(w.cpu());
		init_net().ipv4.icmp_global_credit = 0;
		init_net().ipv4.icmp_global_stamp = jiffies();
	}
	to_closed_port(8);
	EXPECT_EQ(w.sent.size(), 0u);
	EXPECT_EQ(w.mib(ICMP_MIB_RATELIMITGLOBAL), 1u);
	w.receive(icmp(echo(8)));
	w.run_ms(3);
	EXPECT_EQ(w.sent.size(), 1u) << "answers are free";
	w.run_ms(100);
	to_closed_port(8);
	EXPECT_EQ(w.sent.size(), 2u);
}

TEST_F(icmp_test, message_that_is_broken_or_unknown_is_dropped_with_its_reason)
{
	ip_packet bad = icmp(echo(8));
	bad.payload.back() ^= 1;
	w.receive(bad);
	EXPECT_EQ(w.mib(ICMP_MIB_CSUMERRORS), 1u);
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_ICMP_CSUM), 1u);

	w.receive(icmp(message(100, 0, {0, 0, 0, 0})));
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_UNHANDLED_PROTO), 1u);
	w.receive(icmp(message(ICMP_ECHO, 0, {0, 0})));                          // no whole header
	w.receive(icmp(message(ICMP_DEST_UNREACH, 3, std::vector<u8>(4 + 10)))); // no whole packet inside
	EXPECT_EQ(w.mib(ICMP_MIB_INERRORS), 4u);
	w.receive(
		icmp(message(ICMP_DEST_UNREACH, 3, std::vector<u8>(4 + 28)))); // a packet inside that is none
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_IP_INHDR), 1u);
	w.run_ms(3);
	EXPECT_TRUE(w.sent.empty());
}

TEST_F(icmp_test, timestamp_is_answered_with_the_time_of_day)
{
	w.receive(icmp(message(ICMP_TIMESTAMP, 0, {0, 1, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0})));
	w.run_ms(3);
	ASSERT_EQ(w.sent.size(), 1u);
	const std::vector<u8> p = w.sent[0].payload();
	ASSERT_EQ(p.size(), 20u);
	EXPECT_EQ(p[0], ICMP_TIMESTAMPREPLY);
	be32 times[3];
	std::memcpy(times, p.data() + 8, sizeof(times));
	EXPECT_EQ(ntohl(times[0]), 5u);
	EXPECT_EQ(times[1], times[2]);
	EXPECT_LT(ntohl(times[1]), 86400'000u);
}

TEST_F(icmp_test, probe_is_answered_when_it_is_enabled_only)
{
	const std::vector<u8> by_name{0, 1, 0, 1, 0x20, 0, 0, 0, 0, 8, 3, 1, 'v', '1', 0, 0};

	w.receive(icmp(message(ICMP_EXT_ECHO, 0, by_name)));
	w.run_ms(3);
	EXPECT_EQ(w.sent.size(), 0u);
	w.ns().ipv4.sysctl_icmp_echo_enable_probe = 1;
	w.receive(icmp(message(ICMP_EXT_ECHO, 0, by_name)));
	w.receive(icmp(message(ICMP_EXT_ECHO, 0, {0, 1, 0, 1, 0x20, 0, 0, 0, 0, 3, 3, 1})));
	w.run_ms(3);
	ASSERT_EQ(w.sent.size(), 2u);
	EXPECT_EQ(w.sent[0].icmp().type, ICMP_EXT_ECHOREPLY);
	EXPECT_EQ(ntohs(w.sent[0].icmp().un.echo.sequence) & 0xff,
	          ICMP_EXT_ECHOREPLY_ACTIVE | ICMP_EXT_ECHOREPLY_IPV4);
	EXPECT_EQ(w.sent[1].icmp().code, ICMP_EXT_CODE_MAL_QUERY);
}

} // namespace
} // namespace skbwalk::test
