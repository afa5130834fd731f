// SPDX-License-Identifier: GPL-2.0-only
//
// A world for benchmarks: hosts set up by commands, tasks whose bodies are C++ and make real system calls.
// The benchmark's loop runs inside a task; the world's events are handled until it has ended. A system call
// that fails ends the program.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/setup.h"
#include "sim/system_call.h"
#include "sim/world.h"
#include "stack/core/net_namespace.h"
#include "stack/ipv4/inet_sock.h"

namespace skbwalk::bench {

[[noreturn]] inline void fail(const char *what, long result)
{
	std::fprintf(stderr, "benchmark: %s: %ld\n", what, result);
	std::abort();
}
inline long must(const char *what, long result)
{
	if (result < 0)
		fail(what, result);
	return result;
}

using shared_files = std::shared_ptr<files_struct>;
inline shared_files new_files()
{
	auto files = std::make_shared<files_struct>();

	files->nofile = 1U << 20;
	return files;
}

class lab {
public:
	explicit lab(const sim::world::options &o = {}) : world(o) {}
	~lab()
	{
		for (const auto &t : tasks_)
			if (t->state != TASK_DEAD)
				task_kill(*t);
		for (const auto &t : tasks_) {
			run(*t);
			put_net(*t->nsproxy_net);
		}
		tasks_.clear();
		for (const std::string &what : world.end())
			std::fprintf(stderr, "benchmark: left over: %s\n", what.c_str());
	}
	lab(const lab &) = delete;
	lab &operator=(const lab &) = delete;

	static void set_up(host &h, std::initializer_list<std::string_view> lines)
	{
		for (const std::string_view line : lines)
			sim::run_command(h, line);
	}
	// The name of a namespace, empty: the initial one. Files that the task shares stay open after it.
	task_struct &task(host &h, const char *netns, std::function<void()> body,
	                  shared_files files = new_files())
	{
		tasks_.push_back(std::make_unique<task_struct>(
			*h.cpus[0], "t" + std::to_string(tasks_.size()), std::move(body)));
		task_struct &t = *tasks_.back();
		const enter_cpu in(*h.cpus[0]);

		t.files = std::move(files);
		t.nsproxy_net = &get_net(*netns ? *get_net_ns_by_name(netns) : init_net());
		task_start(t);
		return t;
	}
	// Handles events until the task has ended.
	void run(const task_struct &t)
	{
		while (t.state != TASK_DEAD)
			if (!world.step())
				fail("nothing is left to happen", 0);
	}
	void run_task(host &h, const char *netns, std::function<void()> body,
	              shared_files files = new_files())
	{
		run(task(h, netns, std::move(body), std::move(files)));
	}

	sim::world world;

private:
	std::vector<std::unique_ptr<task_struct>> tasks_;
};

// --- system calls of the current task ---

inline sockaddr_in address(u32 addr, u16 port)
{
	sockaddr_in sin;

	sin.sin_addr = htonl(addr);
	sin.sin_port = htons(port);
	return sin;
}
inline int tcp_socket()
{
	return static_cast<int>(must("socket", sim::system_call(sys_nr::socket, AF_INET, SOCK_STREAM, 0)));
}
template <class T> void set_option(int fd, int level, int option, const T &value)
{
	must("setsockopt", sim::system_call(sys_nr::setsockopt, fd, level, option, &value, sizeof(value)));
}
inline void listen_on(int fd, u16 port, int backlog)
{
	const sockaddr_in sin = address(0, port);

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	must("bind", sim::system_call(sys_nr::bind, fd, &sin, sizeof(sin)));
	must("listen", sim::system_call(sys_nr::listen, fd, backlog));
}
inline int listening_socket(u16 port, int backlog)
{
	const int fd = tcp_socket();

	listen_on(fd, port, backlog);
	return fd;
}
inline void connect_to(int fd, u32 addr, u16 port)
{
	const sockaddr_in sin = address(addr, port);

	must("connect", sim::system_call(sys_nr::connect, fd, &sin, sizeof(sin)));
}
inline int connected_socket(u32 addr, u16 port)
{
	const int fd = tcp_socket();

	connect_to(fd, addr, port);
	return fd;
}
inline int accepted_socket(int fd)
{
	return static_cast<int>(must("accept", sim::system_call(sys_nr::accept, fd, nullptr, nullptr)));
}
inline std::size_t send_some(int fd, const void *bytes, std::size_t n)
{
	return static_cast<std::size_t>(
		must("sendto", sim::system_call(sys_nr::sendto, fd, bytes, n, 0, nullptr, 0)));
}
inline std::size_t receive_some(int fd, void *bytes, std::size_t room)
{
	return static_cast<std::size_t>(
		must("recvfrom", sim::system_call(sys_nr::recvfrom, fd, bytes, room, 0, nullptr, nullptr)));
}
inline void close_socket(int fd) { must("close", sim::system_call(sys_nr::close, fd)); }

} // namespace skbwalk::bench
