// SPDX-License-Identifier: GPL-2.0-only
//
// Steps as system calls: the arguments go into registers and the program's memory, as a C program would put
// them, and what comes back is kept for the expectations.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "sim/runner_program.h"
#include "sim/runner_tasklet.h"
#include "sim/system_call.h"
#include "stack/core/filter.h"
#include "stack/core/net_namespace.h"
#include "stack/socket.h"

namespace skbwalk::sim {

namespace {

long made(program &p, const std::string &name, long fd)
{
	p.fds[name] = fd < 0 ? -1 : static_cast<int>(fd);
	return fd;
}

long make_socket(program &p, const step &s)
{
	task_struct &t = *p.task;
	net *const home = t.nsproxy_net;
	if (s.netns) {
		net *const there = s.netns->empty() ? &init_net() : get_net_ns_by_name(*s.netns);
		if (!there)
			return -ENOENT;
		t.nsproxy_net = there;
	}
	const long fd = system_call(sys_nr::socket, s.domain, s.type | s.flags, s.protocol);
	t.nsproxy_net = home;
	return made(p, s.as, fd);
}

long receive(program &p, const step &s)
{
	const int fd = p.fd(s.fd);
	std::vector<char> buffer(std::max<std::size_t>(s.size, 1));
	long n = 0;
	if (s.call == call_kind::read) {
		n = system_call(sys_nr::read, fd, buffer.data(), s.size);
	} else if (s.call == call_kind::recv) {
		n = system_call(sys_nr::recvfrom, fd, buffer.data(), s.size, s.flags,
		                static_cast<sockaddr *>(nullptr), static_cast<int *>(nullptr));
	} else {
		p.got.addr_len = sizeof(p.got.addr);
		n = system_call(sys_nr::recvfrom, fd, buffer.data(), s.size, s.flags, &p.got.addr,
		                &p.got.addr_len);
	}
	if (n > 0)
		p.got.data.assign(buffer.data(), std::min(static_cast<std::size_t>(n), s.size));
	return n;
}

long send(program &p, const step &s)
{
	std::string data = s.data;
	const int fd = p.fd(s.fd);
	if (s.call == call_kind::write)
		return system_call(sys_nr::write, fd, data.data(), data.size());
	address to = s.addr.value_or(address{});
	return system_call(sys_nr::sendto, fd, data.data(), data.size(), s.flags,
	                   s.addr ? &to.bytes : nullptr, to.len);
}

long poll(program &p, const step &s)
{
	std::vector<pollfd> fds;
	for (const polled &e : s.polls)
		fds.push_back({p.fd(e.fd), static_cast<s16>(e.events), 0});
	const long n = system_call(sys_nr::poll, fds.data(), fds.size(), s.timeout_ms);
	for (std::size_t i = 0; i < fds.size(); ++i)
		if (fds[i].revents)
			p.got.events[s.polls[i].fd] = static_cast<u16>(fds[i].revents);
	return n;
}

long epoll_wait(program &p, const step &s)
{
	std::vector<epoll_event> events(std::max<std::size_t>(s.size, 1));
	const long n = system_call(sys_nr::epoll_wait, p.fd(s.fd), events.data(), s.size, s.timeout_ms);
	for (long i = 0; i < n; ++i) {
		const epoll_event &e = events[static_cast<std::size_t>(i)];
		p.got.events[p.name_of(static_cast<int>(e.data))] = e.events;
	}
	return n;
}

long get_name(program &p, const step &s)
{
	p.got.addr_len = sizeof(p.got.addr);
	const sys_nr nr = s.call == call_kind::getsockname ? sys_nr::getsockname : sys_nr::getpeername;
	return system_call(nr, p.fd(s.fd), &p.got.addr, &p.got.addr_len);
}

long attach_filter(program &p, const step &s)
{
	std::vector<sock_filter> program(s.data.size() / sizeof(sock_filter));
	std::memcpy(program.data(), s.data.data(), s.data.size());
	sock_fprog fprog{static_cast<u16>(program.size()), program.data()};
	return system_call(sys_nr::setsockopt, p.fd(s.fd), s.level, s.option, &fprog, sizeof(fprog));
}

long get_option(program &p, const step &s)
{
	std::vector<char> buffer(std::max<std::size_t>(s.size, 1));
	int length = static_cast<int>(s.size);
	const long result =
		system_call(sys_nr::getsockopt, p.fd(s.fd), s.level, s.option, buffer.data(), &length);
	if (result == 0)
		p.got.data.assign(buffer.data(), std::min(static_cast<std::size_t>(length), s.size));
	return result;
}

// Not a system call of the network's, so it is the harness that waits here, and nothing of it is recorded.
long sleep(world &w, program &p, const step &s)
{
	task_struct &t = *p.task;
	bool over = false;
	const u64 id = w.call_at(t.on->now_ns + s.sleep_ns, [&over, &t] {
		over = true;
		task_unpark(t);
	});
	while (!over && !t.fatal_signal)
		task_park();
	if (!over)
		w.cancel(id);
	return over ? 0 : -EINTR;
}

// What a server does that gives back what it gets. With a delay that is so long after something came, with
// all that has come by then.
long echo(world &w, program &p, const step &s)
{
	std::vector<char> buffer(s.size);
	const int fd = p.fd(s.fd);
	u64 done = 0;

	while (!s.echo_bytes || done < s.echo_bytes) {
		sockaddr_storage from{};
		int length = sizeof(from);
		if (s.sleep_ns) {
			pollfd readable{fd, static_cast<s16>(EPOLLIN), 0};
			if (const long ready = system_call(sys_nr::poll, &readable, 1, -1); ready < 0)
				return ready;
			if (const long slept = sleep(w, p, s); slept < 0)
				return slept;
		}
		const long n =
			system_call(sys_nr::recvfrom, fd, buffer.data(), buffer.size(), 0, &from, &length);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const long sent = system_call(sys_nr::sendto, fd, buffer.data() + at,
			                              static_cast<std::size_t>(n - at), 0,
			                              length ? &from : nullptr, length);
			if (sent < 0)
				return sent;
			at += sent;
		}
		done += static_cast<u64>(n);
	}
	return static_cast<long>(done);
}

long enter_namespace(program &p, const step &s)
{
	net *const there = s.netns->empty() ? &init_net() : get_net_ns_by_name(*s.netns);
	if (!there)
		return -ENOENT;
	put_net(*std::exchange(p.task->nsproxy_net, &get_net(*there)));
	return 0;
}

} // namespace

std::string program::name_of(int wanted) const
{
	for (const auto &[name, number] : fds)
		if (number == wanted)
			return name;
	return fmt::format("fd {}", wanted);
}

long make_call(world &w, program &p, const step &s)
{
	p.got = {};
	switch (s.call) {
	case call_kind::run:
		break;
	case call_kind::socket:
		return make_socket(p, s);
	case call_kind::bind: {
		address a = *s.addr;
		return system_call(sys_nr::bind, p.fd(s.fd), &a.bytes, a.len);
	}
	case call_kind::connect: {
		address a = *s.addr;
		return system_call(sys_nr::connect, p.fd(s.fd), &a.bytes, a.len);
	}
	case call_kind::listen:
		return system_call(sys_nr::listen, p.fd(s.fd), s.backlog);
	case call_kind::accept: {
		p.got.addr_len = s.expect.addr ? static_cast<int>(sizeof(p.got.addr)) : 0;
		sockaddr_storage *const to = s.expect.addr ? &p.got.addr : nullptr;
		int *const length = s.expect.addr ? &p.got.addr_len : nullptr;
		return made(p, s.as,
		            s.flags ? system_call(sys_nr::accept4, p.fd(s.fd), to, length, s.flags)
		                    : system_call(sys_nr::accept, p.fd(s.fd), to, length));
	}
	case call_kind::send:
	case call_kind::sendto:
	case call_kind::write:
		return send(p, s);
	case call_kind::recv:
	case call_kind::recvfrom:
	case call_kind::read:
		return receive(p, s);
	case call_kind::shutdown:
		return system_call(sys_nr::shutdown, p.fd(s.fd), s.how);
	case call_kind::close: {
		const long result = system_call(sys_nr::close, p.fd(s.fd));
		p.fds.erase(s.fd);
		return result;
	}
	case call_kind::setsockopt: {
		std::string value = s.data;
		if (s.filter)
			return attach_filter(p, s);
		return system_call(sys_nr::setsockopt, p.fd(s.fd), s.level, s.option, value.data(),
		                   value.size());
	}
	case call_kind::getsockopt:
		return get_option(p, s);
	case call_kind::getsockname:
	case call_kind::getpeername:
		return get_name(p, s);
	case call_kind::poll:
		return poll(p, s);
	case call_kind::epoll_create:
		return made(p, s.as, system_call(sys_nr::epoll_create1, 0));
	case call_kind::epoll_ctl: {
		const int fd = p.fd(s.fd);
		epoll_event e{s.polls.front().events, static_cast<u64>(fd)};
		return system_call(sys_nr::epoll_ctl, p.fd(s.as), s.op, fd, &e);
	}
	case call_kind::epoll_wait:
		return epoll_wait(p, s);
	case call_kind::setns:
		return enter_namespace(p, s);
	case call_kind::sleep:
		return sleep(w, p, s);
	case call_kind::echo:
		return echo(w, p, s);
	case call_kind::tasklet:
		return use_tasklet(s);
	case call_kind::sched_setaffinity: {
		u64 mask = s.cpus;
		return system_call(sys_nr::sched_setaffinity, 0, sizeof(mask), &mask);
	}
	}
	return -ENOSYS;
}

} // namespace skbwalk::sim
