// SPDX-License-Identifier: GPL-2.0-only
#include "stack/core/sock.h"
#include "tests/support/door.h"

namespace skbwalk::test {
namespace {

struct socket_test : testing::Test {
	door d;
};

TEST_F(socket_test, close_releases_the_protocol_on_the_way_to_user_mode)
{
	d.in_task([&] {
		const int fd = udp_socket(4000);

		EXPECT_EQ(fd, 0);
		ASSERT_NE(socket_of_fd(*current.task, fd), nullptr);
		EXPECT_EQ(d.ns().core.sockets_inuse > 0, true);
		EXPECT_EQ(close_fd_of(fd), 0);
		EXPECT_EQ(socket_of_fd(*current.task, fd), nullptr);
		EXPECT_EQ(close_fd_of(fd), -EBADF);
		EXPECT_EQ(udp_socket(4000), fd) << "the port is free again";
	});
}

TEST_F(socket_test, arguments_that_are_wrong_give_the_kernels_errnos)
{
	d.in_task([] {
		char byte;
		const sockaddr_in sin = at(INADDR_LOOPBACK, 4000);

		EXPECT_EQ(sys(sys_nr::socket, 77, SOCK_STREAM, 0), -EAFNOSUPPORT);
		EXPECT_EQ(sys(sys_nr::socket, AF_INET, 14, 0), -EINVAL);
		EXPECT_EQ(sys(sys_nr::socket, AF_INET, SOCK_STREAM | 0x1000000, 0), -EINVAL);
		EXPECT_EQ(sys(sys_nr::socket, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
		EXPECT_EQ(sys(sys_nr::socket, AF_INET, 4, 0), -ESOCKTNOSUPPORT);
		EXPECT_EQ(sys(sys_nr::bind, 9, &sin, sizeof(sin)), -EBADF);
		EXPECT_EQ(sys(sys_nr::recvfrom, -1, &byte, 1, 0, nullptr, nullptr), -EBADF);
		EXPECT_EQ(sys(static_cast<sys_nr>(9999)), -ENOSYS);

		const int fd = udp_socket();
		EXPECT_EQ(sys(sys_nr::bind, fd, nullptr, sizeof(sin)), -EFAULT);
		EXPECT_EQ(sys(sys_nr::bind, fd, &sin, 200), -EINVAL);
		EXPECT_EQ(sys(sys_nr::bind, fd, &sin, 4), -EINVAL);
		EXPECT_EQ(sys(sys_nr::listen, fd, 1), -EOPNOTSUPP);
		EXPECT_EQ(sys(sys_nr::accept, fd, nullptr, nullptr), -EOPNOTSUPP);
		EXPECT_EQ(sys(sys_nr::shutdown, fd, SHUT_RDWR), -ENOTCONN);
		EXPECT_EQ(sys(sys_nr::setsockopt, fd, SOL_SOCKET, SO_SNDBUF, nullptr, 4), -EFAULT);

		const int ep = static_cast<int>(sys(sys_nr::epoll_create1, 0));
		EXPECT_EQ(sys(sys_nr::connect, ep, &sin, sizeof(sin)), -ENOTSOCK);
		EXPECT_EQ(sys(sys_nr::read, ep, &byte, 1), -EINVAL);
	});
}

TEST_F(socket_test, address_is_cut_to_the_callers_room_and_its_length_reported_whole)
{
	d.in_task([] {
		const int fd = udp_socket(4000);
		u8 buf[16] = {};
		int len = 4;

		EXPECT_EQ(sys(sys_nr::getsockname, fd, buf, &len), 0);
		EXPECT_EQ(len, 16);
		EXPECT_EQ(buf[2] << 8 | buf[3], 4000);
		EXPECT_EQ(buf[4], 0) << "beyond the room";
		len = -1;
		EXPECT_EQ(sys(sys_nr::getsockname, fd, buf, &len), -EINVAL);
		len = 16;
		EXPECT_EQ(sys(sys_nr::getpeername, fd, buf, &len), -ENOTCONN);
	});
}

TEST_F(socket_test, nonblocking_socket_never_sleeps)
{
	d.in_task([] {
		const int fd = udp_socket(4000, SOCK_DGRAM | SOCK_NONBLOCK);
		char byte;

		EXPECT_EQ(sys(sys_nr::recvfrom, fd, &byte, 1, 0, nullptr, nullptr), -EAGAIN);
		EXPECT_EQ(sys(sys_nr::read, fd, &byte, 1), -EAGAIN);
	});
}

TEST_F(socket_test, read_and_write_are_recv_and_send)
{
	d.in_task([] {
		const int a = udp_socket(4000), b = udp_socket(4001);
		const sockaddr_in peer = at(INADDR_LOOPBACK, 4001);
		char text[8] = {};

		EXPECT_EQ(sys(sys_nr::write, a, "hi", 2), -EDESTADDRREQ);
		EXPECT_EQ(sys(sys_nr::connect, a, &peer, sizeof(peer)), 0);
		EXPECT_EQ(sys(sys_nr::write, a, "hi", 2), 2);
		EXPECT_EQ(sys(sys_nr::read, b, text, sizeof(text)), 2);
		EXPECT_STREQ(text, "hi");
		EXPECT_EQ(sys(sys_nr::read, b, text, 0), 0) << "does not wait";
	});
}

TEST_F(socket_test, fatal_signal_ends_a_sleeping_call)
{
	long got = 0;
	task_struct &t = d.task([&] {
		char byte;
		got = sys(sys_nr::recvfrom, udp_socket(4000), &byte, 1, 0, nullptr, nullptr);
	});

	d.run_ms(10);
	EXPECT_EQ(t.state, TASK_INTERRUPTIBLE);
	task_kill(t);
	d.run_ms(10);
	EXPECT_EQ(got, -EINTR) << "never ERESTARTSYS";
}

TEST_F(socket_test, accept_sleeps_until_a_connection_is_there)
{
	std::string heard;
	u16 peer_port = 0, own_port = 1;

	d.task([&] {
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_STREAM, 0));
		const sockaddr_in sin = at(INADDR_LOOPBACK, 80);
		sockaddr_in peer;
		int len = sizeof(peer);

		EXPECT_EQ(sys(sys_nr::bind, fd, &sin, sizeof(sin)), 0);
		EXPECT_EQ(sys(sys_nr::listen, fd, 16), 0);
		EXPECT_EQ(sys(sys_nr::accept4, fd, &peer, &len, 0x100), -EINVAL);
		const long conn = sys(sys_nr::accept, fd, &peer, &len);
		EXPECT_EQ(conn, 1);
		peer_port = ntohs(peer.sin_port);
		heard = receive(static_cast<int>(conn), 0);
	});
	d.run_ms(10);
	d.in_task([&] {
		const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_STREAM, 0));
		const sockaddr_in sin = at(INADDR_LOOPBACK, 80);
		sockaddr_in own;
		int len = sizeof(own);

		EXPECT_EQ(sys(sys_nr::connect, fd, &sin, sizeof(sin)), 0);
		EXPECT_EQ(send_text(fd, "hello"), 5);
		EXPECT_EQ(sys(sys_nr::getsockname, fd, &own, &len), 0);
		own_port = ntohs(own.sin_port);
	});
	EXPECT_EQ(heard, "hello");
	EXPECT_EQ(peer_port, own_port);
}

} // namespace
} // namespace skbwalk::test
