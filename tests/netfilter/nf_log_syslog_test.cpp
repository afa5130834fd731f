// SPDX-License-Identifier: GPL-2.0-only
//
// Lines of the kernel's log, byte for byte as a kernel of that release prints these packets.
#include "stack/netfilter/nf_log.h"

#include "stack/kernel/printk.h"
#include "tests/netfilter/tracked_host.h"

namespace skbwalk::test {
namespace {

class logging_host : public tracked_host {
public:
	logging_host() { run("modprobe nf_log_syslog"); }

	std::string said()
	{
		std::string text = run("dmesg -t -c");

		return text.substr(0, text.find('\n'));
	}
	std::string log(const std::vector<u8> &b, u8 flags = 0, u8 pf = NFPROTO_IPV4)
	{
		run("dmesg -C");
		const enter_cpu in(cpu());
		const nf_loginfo li{NF_LOG_TYPE_LOG, {LOGLEVEL_INFO, flags}};
		skb_ptr skb = packet(b);

		nf_log_packet(init_net(), pf, NF_INET_FORWARD, *skb, nullptr, v1, &li, "%s", "x ");
		consume_skb(std::move(skb));
		return said();
	}
	ip_packet packet_of(u8 protocol, std::vector<u8> payload)
	{
		ip_packet p;

		p.protocol = protocol;
		p.saddr = ip(10, 0, 0, 2);
		p.daddr = ip(10, 0, 9, 1);
		p.payload = std::move(payload);
		return p;
	}
};

TEST(nf_log, tcp_segment_says_ports_window_and_flags_and_more_when_asked)
{
	logging_host h;
	const auto syn =
		segment{.flags = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR, .seq = 7, .options = {2, 4, 5, 0xb4}}
			.bytes();

	EXPECT_EQ(h.log(syn), "x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=1 "
	                      "PROTO=TCP SPT=40000 DPT=80 WINDOW=1000 RES=0x00 CWR ECE SYN URGP=0 ");
	EXPECT_EQ(h.log(syn, NF_LOG_TCPSEQ | NF_LOG_TCPOPT),
	          "x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=1 "
	          "PROTO=TCP SPT=40000 DPT=80 SEQ=7 ACK=0 WINDOW=1000 RES=0x00 CWR ECE SYN URGP=0 OPT "
	          "(020405B4) ");
}

TEST(nf_log, icmp_error_says_the_packet_that_it_quotes_and_the_mtu)
{
	logging_host h;
	std::vector<u8> error{3, 4, 0, 0, 0, 0, 0x05, 0x78};
	const auto inner = h.packet_of(IPPROTO_UDP, {0, 53, 0, 54, 0, 8, 0, 0}).bytes();

	error.insert(error.end(), inner.begin(), inner.end());
	EXPECT_EQ(
		h.log(h.packet_of(IPPROTO_ICMP, error).bytes()),
		"x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=56 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=ICMP TYPE=3 "
		"CODE=4 [SRC=10.0.0.2 DST=10.0.9.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=UDP SPT=53 "
		"DPT=54 LEN=8 ] MTU=1400 ");
	EXPECT_EQ(
		h.log(h.packet_of(IPPROTO_ICMP, {11, 0, 0, 0, 0, 0, 0, 0}).bytes()),
		"x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=ICMP TYPE=11 "
		"CODE=0 INCOMPLETE [8 bytes] ");
}

TEST(nf_log, other_protocols_and_cut_headers_say_what_there_is)
{
	logging_host h;
	const std::string head =
		"x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=24 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=";
	const auto cut = [&h](u8 protocol) { return h.log(h.packet_of(protocol, {1, 2, 3, 4}).bytes()); };

	EXPECT_EQ(cut(IPPROTO_TCP), head + "TCP INCOMPLETE [4 bytes] ");
	EXPECT_EQ(cut(IPPROTO_UDP), head + "UDP INCOMPLETE [4 bytes] ");
	EXPECT_EQ(cut(50), head + "ESP INCOMPLETE [4 bytes] ");
	EXPECT_EQ(cut(99), head + "99 ");
	EXPECT_EQ(h.log(h.packet_of(50, {0, 0, 1, 2, 0, 0, 0, 9}).bytes()),
	          "x IN= OUT=v1 SRC=10.0.0.2 DST=10.0.9.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=ESP "
	          "SPI=0x102 ");
}

TEST(nf_log, arp_says_both_addresses)
{
	logging_host h;

	EXPECT_EQ(
		h.log({0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2},
	              0, NFPROTO_ARP),
		"x IN= OUT=v1 ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=02:00:00:00:00:01 IPSRC=10.0.0.1 "
		"MACDST=00:00:00:00:00:00 IPDST=10.0.0.2");
}

TEST(nf_log, invalid_segments_are_told_when_the_sysctl_asks_for_them)
{
	logging_host h;

	h.establish();
	h.track(segment{.seq = 1001, .ack = 9000});
	EXPECT_EQ(h.said(), "");
	h.run("sysctl -w net.netfilter.nf_conntrack_log_invalid=255");
	h.track(segment{.seq = 1001, .ack = 9000});
	EXPECT_TRUE(h.said().starts_with(
		"nf_ct_proto_6: ACK is over upper bound 5002 (ACKed data not seen yet) IN=v1 OUT= MAC= "
		"SRC=10.0.0.2 DST=10.0.9.1 LEN=40 "));
	h.track(segment{.reply = true, .flags = TCPHDR_RST, .seq = 4000});
	EXPECT_TRUE(h.said().starts_with("nf_ct_proto_6: invalid rst IN=v1 "));
	h.track(segment{.flags = TCPHDR_SYN | TCPHDR_ACK, .seq = 1001});
	EXPECT_TRUE(h.said().starts_with(
		"nf_ct_proto_6: packet (index 1) in dir 0 invalid, state ESTABLISHED IN=v1 "));
}

TEST(printk, flood_of_messages_is_limited_and_the_rest_counted)
{
	logging_host h;
	const enter_cpu in(h.cpu());
	u32 said = 0;

	for (u32 i = 0; i < 15; ++i)
		said += net_ratelimit();
	EXPECT_EQ(said, 10u);
}

} // namespace
} // namespace skbwalk::test
