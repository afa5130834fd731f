// SPDX-License-Identifier: GPL-2.0-only
#include "tests/netfilter/tracked_host.h"

namespace skbwalk::test {
namespace {

std::vector<u8> datagram(u16 sport, u16 dport = 53)
{
	ip_packet p;
	p.daddr = ip(10, 0, 9, 1);
	p.payload = udp(sport, dport, {1, 2, 3});
	return p.bytes();
}

TEST(conntrack, connection_that_is_silent_is_collected)
{
	tracked_host t;

	EXPECT_EQ(t.track(datagram(1)).info, IP_CT_NEW);
	EXPECT_EQ(t.count(), "1\n");
	t.run_ms(95'000); // 30 s, and a round of the collector
	EXPECT_EQ(t.count(), "0\n");
}

TEST(conntrack, same_new_flow_twice_at_confirm_goes_to_the_first)
{
	tracked_host t;
	{
		const enter_cpu in(t.cpu());
		skb_ptr a = t.packet(datagram(7)), b = t.packet(datagram(7));
		ip_conntrack_info info;

		EXPECT_EQ(nf_conntrack_in(*a, t.at_hook(NF_INET_PRE_ROUTING)), NF_ACCEPT);
		EXPECT_EQ(nf_conntrack_in(*b, t.at_hook(NF_INET_PRE_ROUTING)), NF_ACCEPT);
		EXPECT_NE(nf_ct_get(*a, info), nf_ct_get(*b, info));
		EXPECT_EQ(nf_conntrack_confirm(*a), NF_ACCEPT);
		EXPECT_EQ(nf_conntrack_confirm(*b), NF_ACCEPT);
		EXPECT_EQ(nf_ct_get(*a, info), nf_ct_get(*b, info));
		consume_skb(std::move(a));
		consume_skb(std::move(b));
	}
	EXPECT_EQ(t.stat().clash_resolve, 1u);
	EXPECT_EQ(t.count(), "1\n");
}

TEST(conntrack, clash_of_a_protocol_that_forbids_it_drops_the_packet)
{
	tracked_host t;
	const std::vector<u8> syn = segment{.flags = TCPHDR_SYN, .seq = 1}.bytes();
	{
		const enter_cpu in(t.cpu());
		skb_ptr a = t.packet(syn), b = t.packet(syn);

		nf_conntrack_in(*a, t.at_hook(NF_INET_PRE_ROUTING));
		nf_conntrack_in(*b, t.at_hook(NF_INET_PRE_ROUTING));
		EXPECT_EQ(nf_conntrack_confirm(*a), NF_ACCEPT);
		EXPECT_EQ(nf_conntrack_confirm(*b), NF_DROP);
		consume_skb(std::move(a));
		consume_skb(std::move(b));
	}
	EXPECT_EQ(t.stat().insert_failed, 1u);
}

TEST(conntrack, full_table_drops_a_new_flow_when_all_are_assured_and_else_an_old_one)
{
	tracked_host t;

	t.run("sysctl -w net.netfilter.nf_conntrack_buckets=512");
	t.establish();
	t.run("sysctl -w net.netfilter.nf_conntrack_max=1");
	EXPECT_EQ(t.track(datagram(9)).verdict, NF_DROP);
	EXPECT_EQ(t.stat().drop, 1u);
	EXPECT_TRUE(t.track(segment{.seq = 1001, .ack = 5001, .length = 10}).tracked);
	t.run("conntrack -F");
	// Two flows of no answer: the second finds the first in its way if it lies near.
	u32 given_way = 0;
	for (u16 port = 1; port < 200; ++port)
		given_way += t.track(datagram(port)).verdict == NF_ACCEPT;
	EXPECT_GT(given_way, 1u);
	EXPECT_EQ(t.stat().early_drop, given_way - 1);
	EXPECT_EQ(t.count(), "1\n");
}

TEST(conntrack, resized_table_still_finds_its_connections)
{
	tracked_host t;

	t.establish();
	t.run("sysctl -w net.netfilter.nf_conntrack_buckets=1024");
	EXPECT_EQ(t.run("sysctl -n net.netfilter.nf_conntrack_buckets"), "1024\n");
	EXPECT_EQ(t.track(segment{.reply = true, .seq = 5001, .ack = 1001}).info, IP_CT_ESTABLISHED_REPLY);
	EXPECT_EQ(t.count(), "1\n");
}

TEST(conntrack, icmp_error_about_a_connection_is_related_and_about_none_is_invalid)
{
	tracked_host t;
	const auto error_about = [](const std::vector<u8> &inner) {
		ip_packet p;
		p.saddr = ip(10, 0, 9, 9);
		p.daddr = ip(10, 0, 0, 2);
		p.protocol = IPPROTO_ICMP;
		p.payload = {3, 1, 0, 0, 0, 0, 0, 0};
		p.payload.insert(p.payload.end(), inner.begin(), inner.begin() + 28);
		const be16 sum = ip_compute_csum(p.payload.data(), static_cast<u32>(p.payload.size()));
		std::memcpy(p.payload.data() + 2, &sum, 2);
		return p.bytes();
	};

	t.track(datagram(5));
	EXPECT_EQ(t.track(error_about(datagram(5))).info, IP_CT_RELATED_REPLY);
	EXPECT_FALSE(t.track(error_about(datagram(6))).tracked);
	EXPECT_EQ(t.stat().error, 1u);
}

TEST(conntrack, last_rule_that_needs_it_takes_the_hooks_away)
{
	tracked_host t;

	EXPECT_NE(t.ns().nf.hooks_ipv4[NF_INET_PRE_ROUTING], nullptr);
	t.run("iptables -F");
	EXPECT_EQ(t.ns().nf.hooks_ipv4[NF_INET_PRE_ROUTING], nullptr);
	EXPECT_EQ(t.ns().nf.defrag_ipv4_users, 0u);
}

} // namespace
} // namespace skbwalk::test
