// SPDX-License-Identifier: GPL-2.0-only
#include "tests/netfilter/tracked_host.h"

namespace skbwalk::test {
namespace {

bool sums_are_right(const seen_packet &p)
{
	const std::vector<u8> data = p.payload();
	const u32 len = static_cast<u32>(data.size());

	return !ip_fast_csum(p.b.data(), p.hlen() / 4) &&
	       !csum_tcpudp_magic(p.ip().saddr, p.ip().daddr, len, p.ip().protocol,
	                          csum_partial(data.data(), len, 0));
}
u16 port_at(const seen_packet &p, std::size_t offset)
{
	const std::vector<u8> data = p.payload();
	return static_cast<u16>(data[offset] << 8 | data[offset + 1]);
}

// A datagram from 10.0.0.2 with its checksum.
ip_packet answer(be32 daddr, u16 sport, u16 dport)
{
	ip_packet p;
	p.daddr = daddr;
	p.payload = udp(sport, dport, {'o', 'k'});
	const u32 len = static_cast<u32>(p.payload.size());
	const be16 sum =
		csum_tcpudp_magic(p.saddr, p.daddr, len, IPPROTO_UDP, csum_partial(p.payload.data(), len, 0));
	std::memcpy(p.payload.data() + offsetof(udphdr, check), &sum, sizeof(sum));
	return p;
}

class nat_host : public tracked_host {
public:
	explicit nat_host(const char *rule) : tracked_host(rule)
	{
		meet();
		run("conntrack -F");
		run("ethtool -K v1 tx off"); // checksums are done before the wire
	}
	int socket_to_far(u16 port)
	{
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
		const sockaddr_in here = at(0x0a000001, 4000), there = at(0x0a000002, port);

		EXPECT_EQ(sys(sys_nr::bind, fd, &here, sizeof(here)), 0);
		EXPECT_EQ(sys(sys_nr::connect, fd, &there, sizeof(there)), 0);
		return fd;
	}
};

TEST(nat, source_is_changed_out_and_back_with_right_checksums)
{
	nat_host t("iptables -t nat -A POSTROUTING -o v1 -p udp -j SNAT --to-source 10.0.0.9:5000-5009");

	t.in_task([&t] {
		const int fd = t.socket_to_far(9);

		EXPECT_EQ(send_text(fd, "hello"), 5);
		ASSERT_EQ(t.sent.size(), 1u);
		const seen_packet &out = t.sent[0];
		EXPECT_EQ(out.ip().saddr, ip(10, 0, 0, 9));
		EXPECT_GE(port_at(out, 0), 5000);
		EXPECT_LE(port_at(out, 0), 5009);
		EXPECT_TRUE(sums_are_right(out));
		t.receive(answer(ip(10, 0, 0, 9), 9, port_at(out, 0)));
		EXPECT_EQ(receive(fd), "ok");
		close_fd_of(fd);
	});
	EXPECT_EQ(t.ns().mib.udp_statistics[UDP_MIB_CSUMERRORS], 0u);
}

TEST(nat, two_sources_of_one_port_are_told_apart_by_another_port)
{
	nat_host t("iptables -t nat -A POSTROUTING -o v1 -p udp -j SNAT --to-source 10.0.0.9");

	t.run("ip addr add 10.0.0.5/24 dev v1");
	t.in_task([&t] {
		int fds[2];
		for (int i = 0; i < 2; ++i) {
			const sockaddr_in here = at(i ? 0x0a000005 : 0x0a000001, 4000),
					  there = at(0x0a000002, 9);

			fds[i] = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
			EXPECT_EQ(sys(sys_nr::bind, fds[i], &here, sizeof(here)), 0);
			EXPECT_EQ(sys(sys_nr::connect, fds[i], &there, sizeof(there)), 0);
			EXPECT_EQ(send_text(fds[i], "hello"), 5);
		}
		ASSERT_EQ(t.sent.size(), 2u);
		EXPECT_EQ(port_at(t.sent[0], 0), 4000); // kept while it is free
		EXPECT_NE(port_at(t.sent[1], 0), 4000);
		EXPECT_TRUE(sums_are_right(t.sent[1]));
		t.receive(answer(ip(10, 0, 0, 9), 9, port_at(t.sent[1], 0)));
		EXPECT_EQ(receive(fds[1]), "ok");
		EXPECT_EQ(receive(fds[0]), std::to_string(-EAGAIN));
		for (const int fd : fds)
			close_fd_of(fd);
	});
}

TEST(nat, redirect_brings_a_local_connection_to_another_port)
{
	nat_host t("iptables -t nat -A OUTPUT -p udp --dport 99 -j REDIRECT --to-ports 98");

	t.in_task([&t] {
		const int server = udp_socket(98), client = t.socket_to_far(99);

		EXPECT_EQ(send_text(client, "hello"), 5);
		EXPECT_EQ(receive(server), "hello");
		close_fd_of(server);
		close_fd_of(client);
	});
	EXPECT_TRUE(t.sent.empty());
}

TEST(nat, redirected_server_is_told_where_the_client_meant_to_go)
{
	nat_host t("iptables -t nat -A OUTPUT -p tcp --dport 99 -j REDIRECT --to-ports 98");

	t.in_task([] {
		const int listener = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_STREAM, 0));
		const int client = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_STREAM, 0));
		const sockaddr_in any = at(0, 98), meant = at(0x0a000002, 99);
		sockaddr_in told = at(0, 0);
		int len = sizeof(told);

		EXPECT_EQ(sys(sys_nr::bind, listener, &any, sizeof(any)), 0);
		EXPECT_EQ(sys(sys_nr::listen, listener, 1), 0);
		EXPECT_EQ(sys(sys_nr::connect, client, &meant, sizeof(meant)), 0);
		const int server = static_cast<int>(sys(sys_nr::accept, listener, nullptr, nullptr));
		EXPECT_EQ(sys(sys_nr::getsockopt, server, 0, 80 /* SO_ORIGINAL_DST */, &told, &len), 0);
		EXPECT_EQ(told.sin_addr, meant.sin_addr);
		EXPECT_EQ(told.sin_port, meant.sin_port);
		for (const int fd : {server, client, listener})
			close_fd_of(fd);
	});
	t.run_ms(70'000);
}

TEST(nat, icmp_error_reaches_who_the_mapped_packet_was_from)
{
	nat_host t("iptables -t nat -A POSTROUTING -o v1 -p udp -j SNAT --to-source 10.0.0.9");

	t.in_task([&t] {
		const int fd = t.socket_to_far(9);

		EXPECT_EQ(send_text(fd, "hello"), 5);
		ASSERT_EQ(t.sent.size(), 1u);
		ip_packet p;
		p.daddr = ip(10, 0, 0, 9);
		p.protocol = IPPROTO_ICMP;
		p.payload = {3, 3, 0, 0, 0, 0, 0, 0};
		p.payload.insert(p.payload.end(), t.sent[0].b.begin(), t.sent[0].b.end());
		const be16 sum = ip_compute_csum(p.payload.data(), static_cast<u32>(p.payload.size()));
		std::memcpy(p.payload.data() + 2, &sum, 2);
		t.receive(p);
		EXPECT_EQ(send_text(fd, "again"), -ECONNREFUSED);
		close_fd_of(fd);
	});
}

TEST(nat, masqueraded_connections_end_with_the_device)
{
	nat_host t("iptables -t nat -A POSTROUTING -o v1 -j MASQUERADE");

	t.in_task([&t] {
		const int fd = t.socket_to_far(9);
		EXPECT_EQ(send_text(fd, "hello"), 5);
		close_fd_of(fd);
	});
	EXPECT_EQ(t.count(), "1\n");
	t.run("ip link set v1 down");
	EXPECT_EQ(t.count(), "0\n");
}

} // namespace
} // namespace skbwalk::test
