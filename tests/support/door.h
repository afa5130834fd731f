// SPDX-License-Identifier: GPL-2.0-only
//
// A host with lo up, whose tasks make system calls through the real door. What a test leaves behind fails it.
#pragma once

#include <gtest/gtest.h>

#include "sim/world.h"
#include "stack/core/netdevice.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/socket.h"

namespace skbwalk::test {

// A system call of the current task.
template <class... A> long sys(sys_nr nr, A... args)
{
	[[maybe_unused]] const auto word = [](auto v) -> u64 {
		if constexpr (std::is_null_pointer_v<decltype(v)>)
			return 0;
		else if constexpr (std::is_pointer_v<decltype(v)>)
			return reinterpret_cast<u64>(v);
		else
			return static_cast<u64>(static_cast<s64>(v));
	};
	const std::array<u64, sizeof...(A)> given{word(args)...};
	std::array<u64, 6> a{};
	std::copy(given.begin(), given.end(), a.begin());
	pt_regs regs{.di = a[0],
	             .si = a[1],
	             .dx = a[2],
	             .r10 = a[3],
	             .r8 = a[4],
	             .r9 = a[5],
	             .orig_ax = static_cast<u64>(nr)};

	entry_SYSCALL_64_after_hwframe(regs);
	return static_cast<long>(regs.ax);
}

inline sockaddr_in at(u32 addr, u16 port)
{
	sockaddr_in sin;

	sin.sin_addr = htonl(addr);
	sin.sin_port = htons(port);
	return sin;
}
inline int udp_socket(u16 port = 0, int type = SOCK_DGRAM)
{
	const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, type, 0));

	if (port) {
		const sockaddr_in sin = at(INADDR_LOOPBACK, port);
		EXPECT_EQ(sys(sys_nr::bind, fd, &sin, sizeof(sin)), 0);
	}
	return fd;
}
inline long send_to(int fd, u16 port, const char *text)
{
	const sockaddr_in sin = at(INADDR_LOOPBACK, port);

	return sys(sys_nr::sendto, fd, text, std::strlen(text), 0, &sin, sizeof(sin));
}
inline long send_text(int fd, const char *text, int flags = 0)
{
	return sys(sys_nr::sendto, fd, text, std::strlen(text), flags, nullptr, 0);
}
// What comes, or the error's number as text.
inline std::string receive(int fd, int flags = MSG_DONTWAIT, std::size_t room = 64)
{
	std::string text(room, '\0');
	const long n = sys(sys_nr::recvfrom, fd, text.data(), room, flags, nullptr, nullptr);

	if (n < 0)
		return std::to_string(n);
	text.resize(std::min<std::size_t>(room, static_cast<std::size_t>(n)));
	return text;
}
inline long close_fd_of(int fd) { return sys(sys_nr::close, fd); }

class door {
public:
	door() : world({}), host(world.add_host("h", 1))
	{
		const enter_cpu in(cpu());

		EXPECT_EQ(dev_open(*init_net().loopback_dev), 0);
	}
	~door()
	{
		for (const auto &t : tasks_)
			if (t->state != TASK_DEAD)
				task_kill(*t);
		run_ms(10);
		tasks_.clear();
		for (const std::string &what : world.end())
			ADD_FAILURE() << "left over: " << what;
	}
	// Starts a task; it runs when the world does.
	task_struct &task(std::function<void()> body, std::shared_ptr<files_struct> files = nullptr)
	{
		const enter_cpu in(cpu());

		tasks_.push_back(std::make_unique<task_struct>(cpu(), "t" + std::to_string(tasks_.size()),
		                                               std::move(body)));
		tasks_.back()->nsproxy_net = &init_net();
		tasks_.back()->files = std::move(files);
		task_start(*tasks_.back());
		return *tasks_.back();
	}
	void run_ms(u64 ms) { world.run_until(world.now_ns() + ms * NSEC_PER_MSEC); }
	// One task that never sleeps for long.
	void in_task(std::function<void()> body)
	{
		const task_struct &t = task(std::move(body));

		run_ms(1000);
		EXPECT_EQ(t.state, TASK_DEAD) << "sleeps in " << (t.wait_channel ? t.wait_channel : "?");
	}
	skbwalk::cpu &cpu() const { return *host.cpus[0]; }
	net &ns() const
	{
		const enter_cpu in(cpu());
		return init_net();
	}

	sim::world world;
	skbwalk::host &host;

private:
	std::vector<std::unique_ptr<task_struct>> tasks_;
};

} // namespace skbwalk::test
