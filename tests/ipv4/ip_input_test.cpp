// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

struct ip_input_test : testing::Test {
	ip_wire w;
	void SetUp() override { w.meet(); }
	// A datagram for a port that nobody has, spoilt.
	void receive_spoilt(void (*spoil)(std::vector<u8> &b))
	{
		ip_packet p;
		p.payload = udp(1, 9, counting(40));
		std::vector<u8> b = p.bytes();

		spoil(b);
		w.receive(b);
	}
};

TEST_F(ip_input_test, packet_with_a_bad_header_is_dropped_for_the_kernels_reason)
{
	const struct {
		const char *what;
		void (*spoil)(std::vector<u8> &b);
		skb_drop_reason reason;
		ipstats_mib_item counter;
	} cases[] = {
		{"version", [](std::vector<u8> &b) { b[0] = 6 << 4 | 5; }, SKB_DROP_REASON_IP_INHDR,
	         IPSTATS_MIB_INHDRERRORS},
		{"ihl", [](std::vector<u8> &b) { b[0] = 4 << 4 | 4; }, SKB_DROP_REASON_IP_INHDR,
	         IPSTATS_MIB_INHDRERRORS},
		{"header behind the end", [](std::vector<u8> &b) { b[0] = 4 << 4 | 15, b.resize(40); },
	         SKB_DROP_REASON_IP_INHDR, IPSTATS_MIB_INHDRERRORS},
		{"half a header", [](std::vector<u8> &b) { b.resize(10); }, SKB_DROP_REASON_IP_INHDR,
	         IPSTATS_MIB_INHDRERRORS},
		{"checksum", [](std::vector<u8> &b) { b[8] ^= 1; }, SKB_DROP_REASON_IP_CSUM,
	         IPSTATS_MIB_CSUMERRORS},
		{"cut", [](std::vector<u8> &b) { b.resize(b.size() - 1); }, SKB_DROP_REASON_PKT_TOO_SMALL,
	         IPSTATS_MIB_INTRUNCATEDPKTS},
		{"length below the header's",
	         [](std::vector<u8> &b) {
			 ip_packet p;
			 b = p.bytes();
			 auto &h = *reinterpret_cast<iphdr *>(b.data());
			 h.tot_len = htons(19);
			 h.check = {};
			 h.check = ip_fast_csum(b.data(), 5);
		 },
	         SKB_DROP_REASON_IP_INHDR, IPSTATS_MIB_INHDRERRORS},
	};

	for (const auto &c : cases) {
		const u64 counted = w.mib(c.counter), drops = w.dropped(c.reason);

		receive_spoilt(c.spoil);
		EXPECT_EQ(w.mib(c.counter), counted + 1) << c.what;
		EXPECT_EQ(w.dropped(c.reason), drops + 1) << c.what;
	}
	w.run_ms(10);
	EXPECT_TRUE(w.sent.empty());
}

TEST_F(ip_input_test, padding_of_a_short_frame_is_not_part_of_the_packet)
{
	ip_packet p;
	p.protocol = IPPROTO_ICMP;
	p.payload = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
	std::vector<u8> b = p.bytes();
	b.resize(46, 0xee);
	w.receive(b);
	w.run_ms(10);
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].b.size(), 28u);
}

TEST_F(ip_input_test, frame_for_another_station_is_dropped_before_it_counts)
{
	const u64 in = w.mib(IPSTATS_MIB_INPKTS);

	w.receive(ip_packet{}.bytes(), PACKET_OTHERHOST);
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_OTHERHOST), 1u);
	EXPECT_EQ(w.mib(IPSTATS_MIB_INPKTS), in);
}

TEST_F(ip_input_test, protocol_that_nobody_has_is_reported_to_the_sender)
{
	ip_packet p;
	p.protocol = 200;
	p.payload = counting(20);
	w.receive(p);
	w.run_ms(10);
	EXPECT_EQ(w.dropped(SKB_DROP_REASON_IP_NOPROTO), 1u);
	EXPECT_EQ(w.mib(IPSTATS_MIB_INUNKNOWNPROTOS), 1u);
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].icmp().type, ICMP_DEST_UNREACH);
	EXPECT_EQ(w.sent[0].icmp().code, ICMP_PROT_UNREACH);
}

TEST_F(ip_input_test, list_of_packets_goes_where_each_would_go_alone)
{
	list_head head;
	{
		const enter_cpu in(w.cpu());

		// 10.0.0.9 is somebody else, and this host does not forward.
		for (be32 to : {ip(10, 0, 0, 1), ip(10, 0, 0, 1), ip(10, 0, 0, 9), ip(10, 0, 0, 1)}) {
			ip_packet p;
			p.protocol = IPPROTO_ICMP;
			p.daddr = to;
			p.payload = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
			const std::vector<u8> b = p.bytes();
			skb_ptr skb = alloc_skb(128, GFP_ATOMIC);
			skb_reserve(*skb, 64);
			skb_put_data(*skb, b.data(), static_cast<u32>(b.size()));
			skb->dev = w.v1;
			skb->protocol = htons(ETH_P_IP);
			skb_reset_mac_header(*skb);
			list_add_tail(skb.release()->tcp_tsorted_anchor, head);
		}
		local_bh_disable();
		netif_receive_skb_list(head);
		local_bh_enable();
	}
	w.run_ms(10);
	EXPECT_EQ(w.sent.size(), 3u);
	EXPECT_EQ(w.mib(IPSTATS_MIB_INADDRERRORS), 1u);
}

} // namespace
} // namespace skbwalk::test
