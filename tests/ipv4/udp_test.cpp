// SPDX-License-Identifier: GPL-2.0-only
#include "stack/ipv4/udp.h"

#include "stack/ipv4/ping.h"
#include "stack/ipv4/raw.h"
#include "tests/support/door.h"

namespace skbwalk::test {
namespace {

struct udp_test : testing::Test {
	door d;
	u64 mib(udp_mib_item i) { return d.ns().mib.udp_statistics[i]; }
	static udp_sock &sk(int fd) { return udp_sk(*socket_of_fd(*current.task, fd)->sk); }
	static long connect_to(int fd, u16 port)
	{
		const sockaddr_in sin = at(INADDR_LOOPBACK, port);

		return sys(sys_nr::connect, fd, &sin, sizeof(sin));
	}
};

TEST_F(udp_test, datagram_arrives_whole_with_its_senders_address)
{
	d.in_task([&] {
		const int a = udp_socket(), b = udp_socket(4001);
		char text[16] = {};
		sockaddr_in from{};
		int len = sizeof(from);

		EXPECT_EQ(send_to(a, 4001, "hello"), 5);
		EXPECT_EQ(sys(sys_nr::recvfrom, b, text, sizeof(text), 0, &from, &len), 5);
		EXPECT_STREQ(text, "hello");
		EXPECT_EQ(len, 16);
		EXPECT_EQ(from.sin_addr, htonl(INADDR_LOOPBACK));
		EXPECT_EQ(ntohs(from.sin_port), sk(a).inet_num) << "bound when it sent";
		EXPECT_GE(sk(a).inet_num, 32768);
		EXPECT_EQ(sk(b).sk_forward_alloc % SK_MEM_QUANTUM, 0)
			<< "nothing is held for a queue that is empty";
		EXPECT_EQ(sk_rmem_alloc_get(sk(b)), 0);
	});
	EXPECT_EQ(mib(UDP_MIB_OUTDATAGRAMS), 1u);
	EXPECT_EQ(mib(UDP_MIB_INDATAGRAMS), 1u);
}

TEST_F(udp_test, reader_with_little_room_gets_the_head_and_the_rest_is_gone)
{
	d.in_task([] {
		const int fd = udp_socket(4000);

		send_to(fd, 4000, "hello");
		send_to(fd, 4000, "again");
		EXPECT_EQ(receive(fd, MSG_DONTWAIT | MSG_PEEK, 2), "he");
		char two[2];
		EXPECT_EQ(sys(sys_nr::recvfrom, fd, two, 2, MSG_TRUNC, nullptr, nullptr), 5)
			<< "the length it had";
		EXPECT_EQ(receive(fd), "again");
		EXPECT_EQ(receive(fd), std::to_string(-EAGAIN));
	});
}

TEST_F(udp_test, sleeping_reader_is_woken_by_an_arrival)
{
	std::string heard;

	d.task([&] { heard = receive(udp_socket(4000), 0); });
	d.run_ms(10);
	d.in_task([] { send_to(udp_socket(), 4000, "wake"); });
	EXPECT_EQ(heard, "wake");
}

TEST_F(udp_test, connected_socket_hears_its_peer_only_and_comes_before_one_that_is_not)
{
	d.in_task([] {
		const int one = 1;
		const int any = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0)),
			  conn = udp_socket();
		const sockaddr_in wild = at(INADDR_ANY, 4000), own = at(INADDR_LOOPBACK, 4000);

		for (int fd : {any, conn})
			EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)),
			          0);
		EXPECT_EQ(sys(sys_nr::bind, any, &wild, sizeof(wild)), 0);
		EXPECT_EQ(sys(sys_nr::bind, conn, &own, sizeof(own)), 0);
		EXPECT_EQ(connect_to(conn, 5000), 0);

		const int peer = udp_socket(5000), other = udp_socket(5001);
		send_to(peer, 4000, "peer");
		send_to(other, 4000, "other");
		EXPECT_EQ(receive(conn), "peer");
		EXPECT_EQ(receive(conn), std::to_string(-EAGAIN));
		EXPECT_EQ(receive(any), "other");
	});
}

TEST_F(udp_test, port_in_use_is_refused_and_free_after_close)
{
	d.in_task([] {
		const int a = udp_socket(4000), b = udp_socket();
		const sockaddr_in sin = at(INADDR_LOOPBACK, 4000), wild = at(INADDR_ANY, 4000);

		EXPECT_EQ(sys(sys_nr::bind, b, &sin, sizeof(sin)), -EADDRINUSE);
		EXPECT_EQ(sys(sys_nr::bind, b, &wild, sizeof(wild)), -EADDRINUSE);
		close_fd_of(a);
		EXPECT_EQ(sys(sys_nr::bind, b, &wild, sizeof(wild)), 0);
		EXPECT_EQ(sys(sys_nr::bind, b, &wild, sizeof(wild)), -EINVAL);
	});
}

TEST_F(udp_test, closed_port_is_reported_once_to_the_next_call_of_a_connected_sender)
{
	d.in_task([] {
		const int conn = udp_socket(), loose = udp_socket();

		EXPECT_EQ(connect_to(conn, 9), 0);
		EXPECT_EQ(send_text(conn, "x"), 1);
		EXPECT_EQ(send_text(conn, "x"), -ECONNREFUSED);
		EXPECT_EQ(send_text(conn, "x"), 1);
		EXPECT_EQ(receive(conn), std::to_string(-ECONNREFUSED));
		EXPECT_EQ(receive(conn), std::to_string(-EAGAIN));
		EXPECT_EQ(send_to(loose, 9, "x"), 1);
		EXPECT_EQ(receive(loose), std::to_string(-EAGAIN));
	});
	EXPECT_EQ(mib(UDP_MIB_NOPORTS), 3u);
}

TEST_F(udp_test, full_receive_buffer_drops_and_reading_makes_room)
{
	int fits = 0;

	d.in_task([&] {
		const int fd = udp_socket(4000), size = 4096;
		const std::string big(1000, 'x');

		EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
		for (int i = 0; i < 20; ++i)
			EXPECT_EQ(send_to(fd, 4000, big.c_str()), 1000);
		while (receive(fd, MSG_DONTWAIT, 2000) == big)
			++fits;
		EXPECT_EQ(send_to(fd, 4000, "a"), 1);
		EXPECT_EQ(receive(fd), "a");
	});
	EXPECT_GT(fits, 1);
	EXPECT_LT(fits, 20);
	EXPECT_EQ(mib(UDP_MIB_RCVBUFERRORS), 20u - static_cast<u64>(fits));
	EXPECT_EQ(mib(UDP_MIB_INERRORS), 20u - static_cast<u64>(fits));
}

TEST_F(udp_test, corked_sends_become_one_datagram)
{
	d.in_task([] {
		const int a = udp_socket(), b = udp_socket(4001), off = 0, on = 1;

		EXPECT_EQ(connect_to(a, 4001), 0);
		EXPECT_EQ(send_text(a, "he", MSG_MORE), 2);
		EXPECT_EQ(send_text(a, "llo"), 3);
		EXPECT_EQ(receive(b), "hello");
		EXPECT_EQ(sys(sys_nr::setsockopt, a, SOL_UDP, UDP_CORK, &on, sizeof(on)), 0);
		EXPECT_EQ(send_text(a, "a"), 1);
		EXPECT_EQ(send_text(a, "b"), 1);
		EXPECT_EQ(receive(b), std::to_string(-EAGAIN));
		EXPECT_EQ(sys(sys_nr::setsockopt, a, SOL_UDP, UDP_CORK, &off, sizeof(off)), 0);
		EXPECT_EQ(receive(b), "ab");
		EXPECT_EQ(send_text(a, "left", MSG_MORE), 4) << "goes with the socket";
	});
}

TEST_F(udp_test, destinations_that_are_wrong_give_the_kernels_errnos)
{
	d.in_task([] {
		const int fd = udp_socket();
		const sockaddr_in away = at(0x0a000001, 9), zero = at(INADDR_LOOPBACK, 0);
		const std::string huge(66000, 'x');

		EXPECT_EQ(send_text(fd, "x"), -EDESTADDRREQ);
		EXPECT_EQ(sys(sys_nr::sendto, fd, "x", 1, 0, &away, sizeof(away)), -ENETUNREACH);
		EXPECT_EQ(sys(sys_nr::sendto, fd, "x", 1, 0, &zero, sizeof(zero)), -EINVAL);
		EXPECT_EQ(sys(sys_nr::sendto, fd, "x", 1, 0, &zero, 8), -EINVAL);
		EXPECT_EQ(sys(sys_nr::sendto, fd, "x", 1, MSG_OOB, &zero, sizeof(zero)), -EOPNOTSUPP);
		EXPECT_EQ(send_to(fd, 9, huge.c_str()), -EMSGSIZE);
	});
}

TEST_F(udp_test, disconnect_frees_a_port_that_was_not_asked_for)
{
	d.in_task([] {
		const int fd = udp_socket();
		const sockaddr none{};

		EXPECT_EQ(connect_to(fd, 9), 0);
		EXPECT_NE(sk(fd).inet_num, 0);
		EXPECT_EQ(sys(sys_nr::connect, fd, &none, sizeof(none)), 0);
		EXPECT_EQ(sk(fd).inet_num, 0);
		EXPECT_EQ(sk(fd).sk_state, TCP_CLOSE);
		EXPECT_EQ(send_text(fd, "x"), -EDESTADDRREQ);
	});
}

struct icmp_socket_test : testing::Test {
	door d;
	static std::string echo(u16 id)
	{
		icmphdr h{};

		h.type = ICMP_ECHO;
		h.un.echo.id = htons(id);
		h.un.echo.sequence = htons(1);
		std::string packet(reinterpret_cast<const char *>(&h), sizeof(h));
		packet += "data";
		const be16 sum = ip_compute_csum(packet.data(), static_cast<u32>(packet.size()));
		packet.replace(2, 2, reinterpret_cast<const char *>(&sum), 2);
		return packet;
	}
	static long send_packet(int fd, const std::string &packet)
	{
		const sockaddr_in sin = at(INADDR_LOOPBACK, 0);

		return sys(sys_nr::sendto, fd, packet.data(), packet.size(), 0, &sin, sizeof(sin));
	}
};

TEST_F(icmp_socket_test, raw_socket_sees_the_request_and_the_answer_with_their_headers)
{
	d.in_task([] {
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_RAW, IPPROTO_ICMP));
		const u32 no_echo = 1u << ICMP_ECHO;

		EXPECT_EQ(send_packet(fd, echo(7)), 12);
		std::string request = receive(fd), answer = receive(fd);
		ASSERT_EQ(request.size(), 32u);
		ASSERT_EQ(answer.size(), 32u);
		EXPECT_EQ(request[20], ICMP_ECHO);
		EXPECT_EQ(answer[20], ICMP_ECHOREPLY);
		EXPECT_EQ(answer.substr(28), "data");
		EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_RAW, ICMP_FILTER, &no_echo, sizeof(no_echo)), 0);
		EXPECT_EQ(send_packet(fd, echo(8)), 12);
		EXPECT_EQ(receive(fd)[20], ICMP_ECHOREPLY);
	});
}

TEST_F(icmp_socket_test, datagram_socket_gets_the_answer_to_its_identifier)
{
	d.ns().ipv4.ping_group_range = {0, 100};
	d.in_task([] {
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
		const sockaddr_in own = at(INADDR_ANY, 77);

		EXPECT_EQ(sys(sys_nr::bind, fd, &own, sizeof(own)), 0);
		EXPECT_EQ(send_packet(fd, echo(1)), 12) << "the identifier is the socket's";
		const std::string answer = receive(fd);
		ASSERT_EQ(answer.size(), 12u);
		EXPECT_EQ(answer[0], ICMP_ECHOREPLY);
		EXPECT_EQ(answer[5], 77);
		EXPECT_EQ(receive(fd), std::to_string(-EAGAIN));
	});
}

TEST_F(icmp_socket_test, datagram_socket_needs_a_group_in_range)
{
	d.in_task([] { EXPECT_EQ(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP), -EACCES); });
}

} // namespace
} // namespace skbwalk::test
