// SPDX-License-Identifier: GPL-2.0-only
//
// The wire of tests/ipv4/ip_wire.h with connection tracking on; segments of one TCP connection, made right,
// are shown to it by hand as a router would see them.
#pragma once

#include "sim/setup.h"
#include "stack/netfilter/nf_nat.h"
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {

struct segment {
	bool reply = false;
	u8 flags = TCPHDR_ACK;
	u32 seq = 0, ack = 0;
	u16 window = 1000;
	u32 length = 0;
	std::vector<u8> options;
	u16 sport = 40000, dport = 80;
	bool bad_checksum = false;

	[[nodiscard]] std::vector<u8> bytes() const
	{
		ip_packet p;
		tcphdr h{};

		p.protocol = IPPROTO_TCP;
		p.saddr = reply ? ip(10, 0, 9, 1) : ip(10, 0, 0, 2);
		p.daddr = reply ? ip(10, 0, 0, 2) : ip(10, 0, 9, 1);
		h.source = htons(reply ? dport : sport);
		h.dest = htons(reply ? sport : dport);
		h.seq = htonl(seq);
		h.ack_seq = htonl(ack);
		h.doff_res = static_cast<u8>((sizeof(tcphdr) + options.size()) / 4 << 4);
		h.flags = flags;
		h.window = htons(window);
		p.payload.resize(sizeof(h) + options.size() + length);
		std::memcpy(p.payload.data(), &h, sizeof(h));
		std::copy(options.begin(), options.end(), p.payload.begin() + sizeof(h));
		const u32 len = static_cast<u32>(p.payload.size());
		be16 sum = tcp_v4_check(len, p.saddr, p.daddr, csum_partial(p.payload.data(), len, 0));
		if (bad_checksum)
			sum.b[0] ^= 1;
		std::memcpy(p.payload.data() + offsetof(tcphdr, check), &sum, sizeof(sum));
		return p.bytes();
	}
};

class tracked_host : public ip_wire {
public:
	explicit tracked_host(const char *rule = "iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT")
	{
		run(rule);
	}
	std::string run(const std::string &command) { return sim::run_command(host, command); }

	struct seen {
		u32 verdict = NF_DROP;
		bool tracked = false;
		ip_conntrack_info info = IP_CT_NEW;
	};
	skb_ptr packet(const std::vector<u8> &b)
	{
		skb_ptr skb = alloc_skb(static_cast<u32>(b.size()) + 64, GFP_ATOMIC);

		skb_reserve(*skb, 64);
		skb_put_data(*skb, b.data(), static_cast<u32>(b.size()));
		skb->dev = v1;
		skb->protocol = htons(ETH_P_IP);
		skb_reset_network_header(*skb);
		return skb;
	}
	nf_hook_state at_hook(u8 hook)
	{
		return {hook, NFPROTO_IPV4, v1, nullptr, nullptr, &init_net(), nullptr};
	}
	// In at one side and, if it may, out at the other.
	seen track(const std::vector<u8> &b)
	{
		const enter_cpu in(cpu());
		skb_ptr skb = packet(b);
		seen s;

		s.verdict = nf_conntrack_in(*skb, at_hook(NF_INET_PRE_ROUTING));
		s.tracked = nf_ct_get(*skb, s.info) != nullptr;
		if (s.verdict == NF_ACCEPT)
			s.verdict = nf_conntrack_confirm(*skb);
		consume_skb(std::move(skb));
		return s;
	}
	seen track(const segment &s) { return track(s.bytes()); }
	// SYN, SYN+ACK, ACK: client at 1001, server at 5001, both with a window of 1000.
	void establish()
	{
		EXPECT_TRUE(track(segment{.flags = TCPHDR_SYN, .seq = 1000}).tracked);
		EXPECT_TRUE(track(segment{.reply = true,
		                          .flags = TCPHDR_SYN | TCPHDR_ACK,
		                          .seq = 5000,
		                          .ack = 1001})
		                    .tracked);
		EXPECT_TRUE(track(segment{.seq = 1001, .ack = 5001}).tracked);
		EXPECT_EQ(state(), "ESTABLISHED");
	}
	std::string state()
	{
		const enter_cpu in(cpu());
		const std::string all = sim::run_command(host, "conntrack -L -p tcp");
		const std::size_t from = all.find(' ', all.find(' ', 9) + 1) + 1;

		return all.empty() ? "" : all.substr(from, all.find(' ', from) - from);
	}
	u32 timeout_s() { return static_cast<u32>(std::stoul(run("conntrack -L -p tcp").substr(11))); }
	const ip_conntrack_stat &stat() { return ns().ct->stat; }
	std::string count() { return run("conntrack -C"); }
};

} // namespace skbwalk::test
