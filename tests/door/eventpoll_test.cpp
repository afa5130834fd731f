// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/door.h"

namespace skbwalk::test {
namespace {

int epoll_create() { return static_cast<int>(sys(sys_nr::epoll_create1, 0)); }
long ctl(int ep, int op, int fd, u32 events = 0)
{
	epoll_event ev{events, static_cast<u64>(fd) + 100};

	return sys(sys_nr::epoll_ctl, ep, op, fd, &ev);
}
// "fd:events ..." of what is ready, the number of an error, or "" when time is up.
std::string wait(int ep, int timeout_ms = 0, int max = 8)
{
	std::array<epoll_event, 8> ev{};
	const long n = sys(sys_nr::epoll_wait, ep, ev.data(), max, timeout_ms);
	std::string out = n < 0 ? std::to_string(n) : "";

	for (long i = 0; i < n; ++i)
		out += (i ? " " : "") + std::to_string(ev[static_cast<std::size_t>(i)].data - 100) + ":" +
		       std::to_string(ev[static_cast<std::size_t>(i)].events);
	return out;
}

struct eventpoll_test : testing::Test {
	door d;
};

TEST_F(eventpoll_test, level_item_is_reported_until_the_queue_is_empty)
{
	d.in_task([] {
		const int fd = udp_socket(4000), ep = epoll_create();

		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN), 0);
		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN), -EEXIST);
		EXPECT_EQ(wait(ep), "");
		EXPECT_EQ(send_to(fd, 4000, "a"), 1);
		EXPECT_EQ(wait(ep), "0:1");
		EXPECT_EQ(wait(ep), "0:1");
		EXPECT_EQ(receive(fd), "a");
		EXPECT_EQ(wait(ep), "");
	});
}

TEST_F(eventpoll_test, edge_item_is_reported_once_an_arrival)
{
	d.in_task([] {
		const int fd = udp_socket(4000), ep = epoll_create();

		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET), 0);
		send_to(fd, 4000, "a");
		EXPECT_EQ(wait(ep), "0:1");
		EXPECT_EQ(wait(ep), "");
		send_to(fd, 4000, "b");
		EXPECT_EQ(wait(ep), "0:1");
	});
}

TEST_F(eventpoll_test, oneshot_item_sleeps_until_it_is_modified)
{
	d.in_task([] {
		const int fd = udp_socket(4000), ep = epoll_create();

		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT), 0);
		send_to(fd, 4000, "a");
		EXPECT_EQ(wait(ep), "0:1");
		send_to(fd, 4000, "b");
		EXPECT_EQ(wait(ep), "");
		EXPECT_EQ(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT), 0);
		EXPECT_EQ(wait(ep), "0:1");
	});
}

TEST_F(eventpoll_test, sleeper_is_woken_by_an_arrival_and_by_its_timeout)
{
	std::string first, second;
	u64 waited_ns = 0;

	d.task([&] {
		const int fd = udp_socket(4000), ep = epoll_create();

		ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
		first = wait(ep, -1);
		receive(fd);
		const u64 since = current.cpu->now_ns;
		second = wait(ep, 20);
		waited_ns = current.cpu->now_ns - since;
	});
	d.run_ms(10);
	d.task([] { send_to(udp_socket(), 4000, "a"); });
	d.run_ms(100);
	EXPECT_EQ(first, "0:1");
	EXPECT_EQ(second, "");
	EXPECT_GE(waited_ns, 20 * NSEC_PER_MSEC);
	EXPECT_LT(waited_ns, 21 * NSEC_PER_MSEC);
}

TEST_F(eventpoll_test, one_arrival_wakes_one_of_two_sleepers)
{
	auto files = std::make_shared<files_struct>();
	auto woken = std::make_shared<int>(0); // outlives the test: the second sleeper ends with the host

	d.task(
		[] {
			const int fd = udp_socket(4000), ep = epoll_create();
			ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
		},
		files);
	d.run_ms(1);
	for (int i = 0; i < 2; ++i)
		d.task([woken] { *woken += wait(1, -1) == "0:1"; }, files);
	d.run_ms(10);
	d.task([] { send_to(0, 4000, "a"); }, files);
	files.reset();
	d.run_ms(10);
	EXPECT_EQ(*woken, 1);
}

TEST_F(eventpoll_test, ready_files_take_turns)
{
	d.in_task([] {
		const int a = udp_socket(4000), b = udp_socket(4001), ep = epoll_create();

		ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN);
		ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN);
		send_to(a, 4000, "a");
		send_to(a, 4001, "b");
		EXPECT_EQ(wait(ep, 0, 1), "0:1");
		EXPECT_EQ(wait(ep, 0, 1), "1:1");
		EXPECT_EQ(wait(ep, 0, 1), "0:1");
		EXPECT_EQ(wait(ep), "1:1 0:1");
	});
}

TEST_F(eventpoll_test, closed_file_leaves_the_set_and_a_closed_set_its_files)
{
	d.in_task([] {
		const int fd = udp_socket(4000), ep = epoll_create();

		ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT);
		EXPECT_EQ(wait(ep), "0:4");
		EXPECT_EQ(close_fd_of(fd), 0);
		EXPECT_EQ(wait(ep), "");
		EXPECT_EQ(udp_socket(4000), fd);
		EXPECT_EQ(ctl(ep, EPOLL_CTL_DEL, fd), -ENOENT) << "another file under the same number";
		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN), 0);
		EXPECT_EQ(close_fd_of(ep), 0);
		EXPECT_EQ(send_to(fd, 4000, "a"), 1);
		EXPECT_EQ(receive(fd), "a");
	});
}

TEST_F(eventpoll_test, set_in_a_set_is_ready_when_its_file_is_and_loops_are_refused)
{
	d.in_task([] {
		const int fd = udp_socket(4000), inner = epoll_create(), outer = epoll_create();

		EXPECT_EQ(ctl(inner, EPOLL_CTL_ADD, fd, EPOLLIN), 0);
		EXPECT_EQ(ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN), 0);
		EXPECT_EQ(ctl(inner, EPOLL_CTL_ADD, outer, EPOLLIN), -ELOOP);
		EXPECT_EQ(ctl(inner, EPOLL_CTL_ADD, inner, EPOLLIN), -EINVAL);
		EXPECT_EQ(wait(outer), "");
		send_to(fd, 4000, "a");
		EXPECT_EQ(wait(outer), "1:1");
		receive(fd);
		EXPECT_EQ(wait(outer), "");

		int below = outer; // chains end at five
		long err = 0;
		for (int i = 0; i < 5 && !err; ++i) {
			const int above = epoll_create();
			err = ctl(above, EPOLL_CTL_ADD, below, EPOLLIN);
			below = above;
		}
		EXPECT_EQ(err, -ELOOP);
	});
}

TEST_F(eventpoll_test, wrong_use_gives_the_kernels_errnos)
{
	d.in_task([] {
		const int fd = udp_socket(4000), ep = epoll_create();
		epoll_event ev{};

		EXPECT_EQ(ctl(fd, EPOLL_CTL_ADD, ep, EPOLLIN), -EINVAL);
		EXPECT_EQ(ctl(ep, EPOLL_CTL_ADD, 9, EPOLLIN), -EBADF);
		EXPECT_EQ(ctl(9, EPOLL_CTL_ADD, fd, EPOLLIN), -EBADF);
		EXPECT_EQ(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN), -ENOENT);
		EXPECT_EQ(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE), -EINVAL);
		EXPECT_EQ(ctl(ep, 7, fd, EPOLLIN), -EINVAL);
		EXPECT_EQ(sys(sys_nr::epoll_ctl, ep, EPOLL_CTL_ADD, fd, nullptr), -EFAULT);
		EXPECT_EQ(sys(sys_nr::epoll_wait, ep, &ev, 0, 0), -EINVAL);
		EXPECT_EQ(sys(sys_nr::epoll_wait, fd, &ev, 1, 0), -EINVAL);
		EXPECT_EQ(sys(sys_nr::epoll_wait, 9, &ev, 1, 0), -EBADF);
		EXPECT_EQ(sys(sys_nr::epoll_create1, 1), -EINVAL);
	});
}

struct poll_test : testing::Test {
	door d;
};

TEST_F(poll_test, what_is_ready_is_reported_without_sleeping)
{
	d.in_task([] {
		const int fd = udp_socket(4000);
		std::array<pollfd, 3> fds{{{fd, EPOLLIN | EPOLLOUT, 0}, {77, EPOLLIN, 0}, {-1, EPOLLIN, 9}}};

		EXPECT_EQ(sys(sys_nr::poll, fds.data(), 3, -1), 2);
		EXPECT_EQ(fds[0].revents, EPOLLOUT);
		EXPECT_EQ(fds[1].revents, static_cast<s16>(EPOLLNVAL));
		EXPECT_EQ(fds[2].revents, 0);
		EXPECT_EQ(sys(sys_nr::poll, nullptr, 1, 0), -EFAULT);
		EXPECT_EQ(sys(sys_nr::poll, fds.data(), 5000, 0), -EINVAL);
	});
}

TEST_F(poll_test, sleeper_is_woken_by_an_arrival_and_by_its_timeout)
{
	long first = -1, second = -1;
	u64 waited_ns = 0;

	d.task([&] {
		std::array<pollfd, 12> fds{}; // more than the table has room for
		for (u16 i = 0; i < fds.size(); ++i)
			fds[i] = {udp_socket(static_cast<u16>(4000 + i)), EPOLLIN, 0};
		first = sys(sys_nr::poll, fds.data(), fds.size(), -1);
		EXPECT_EQ(fds[11].revents, EPOLLIN);
		receive(fds[11].fd);
		const u64 since = current.cpu->now_ns;
		second = sys(sys_nr::poll, fds.data(), fds.size(), 20);
		waited_ns = current.cpu->now_ns - since;
	});
	d.run_ms(10);
	d.task([] { send_to(udp_socket(), 4011, "a"); });
	d.run_ms(100);
	EXPECT_EQ(first, 1);
	EXPECT_EQ(second, 0);
	EXPECT_GE(waited_ns, 20 * NSEC_PER_MSEC);
}

} // namespace
} // namespace skbwalk::test
