// SPDX-License-Identifier: GPL-2.0-only
//
// The calls themselves, most as raw system calls where the C library's function makes another one.
#include "tools/player/calls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace player {

namespace {

constexpr long ns_per_second = 1'000'000'000;

std::uint64_t fnv1a(const char *data, std::size_t n)
{
	std::uint64_t h = 0xcbf29ce484222325;
	for (std::size_t i = 0; i < n; ++i)
		h = (h ^ static_cast<unsigned char>(data[i])) * 0x100000001b3;
	return h;
}

const sockaddr *address_of(const std::string &bytes)
{
	return reinterpret_cast<const sockaddr *>(bytes.data());
}

} // namespace

std::int64_t now_ns()
{
	timespec t{};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * ns_per_second + t.tv_nsec;
}

void sleep_ns(std::int64_t ns)
{
	const timespec t{ns / ns_per_second, ns % ns_per_second};
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, nullptr);
}

// ---- namespaces -----------------------------------------------------------------------------------------

void namespaces::open_all()
{
	if (find("@") < 0)
		open_.push_back({"@", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)});
	DIR *const folder = opendir("/run/netns");
	if (!folder)
		return;
	while (const dirent *e = readdir(folder))
		if (e->d_name[0] != '.')
			static_cast<void>(find(e->d_name));
	closedir(folder);
}

int namespaces::find(const std::string &name)
{
	for (const one &o : open_)
		if (o.name == name)
			return o.fd;
	if (name == "@")
		return -1;
	const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		open_.push_back({name, fd});
	return fd;
}

int namespaces::enter(const std::string &name)
{
	const int fd = find(name);
	return fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
}

std::vector<std::string> namespaces::names() const
{
	std::vector<std::string> out;
	for (const one &o : open_)
		out.push_back(o.name);
	return out;
}

// ---- before and after -----------------------------------------------------------------------------------

void caller::lay_out(const step *from, const step *to)
{
	rooms_.clear();
	for (const step *s = from; s != to; ++s) {
		room r{};
		switch (s->what) {
		case call::recv:
		case call::recvfrom:
		case call::read:
		case call::getsockopt:
			r.buffer.assign(std::max<std::size_t>(s->size, 1), 0);
			break;
		case call::poll:
			r.polls.resize(s->polls.size());
			break;
		case call::epoll_wait:
			r.events.resize(std::max<std::size_t>(s->size, 1));
			break;
		default:
			break;
		}
		rooms_.push_back(std::move(r));
	}
}

void caller::before(const step &s)
{
	if (s.what == call::socket && !s.netns.empty())
		static_cast<void>(spaces_.enter(s.netns));
}

void caller::after(const step &s)
{
	if (s.what == call::socket && !s.netns.empty() && spaces_.enter(home_))
		die_errno("back to namespace " + home_);
}

void caller::look(const step &s, std::size_t at, result &to)
{
	room &r = rooms_[at];

	if (!r.buffer.empty() && to.ret >= 0 && (to.ret > 0 || s.what == call::getsockopt)) {
		const std::size_t n =
			std::min(s.size, static_cast<std::size_t>(s.what == call::getsockopt ? r.address_bytes
		                                                                             : to.ret));
		to.length = static_cast<std::uint32_t>(n);
		to.hash = fnv1a(r.buffer.data(), n);
		to.head_bytes = static_cast<std::uint32_t>(std::min(n, sizeof(to.head)));
		std::memcpy(to.head, r.buffer.data(), to.head_bytes);
	}
	const bool named = s.what == call::getsockname || s.what == call::getpeername ||
	                   s.what == call::recvfrom || (s.what == call::accept && s.b);
	if (named && to.ret >= 0) {
		to.address_bytes = static_cast<std::uint32_t>(
			std::min<std::size_t>(r.address_bytes, sizeof(to.address)));
		std::memcpy(to.address, r.address, to.address_bytes);
	}
	const auto event = [&to](int fd, std::uint32_t events) {
		if (events && to.nr_events < std::size(to.events))
			to.events[to.nr_events++] = {fd, events};
	};
	for (std::size_t i = 0; i < r.polls.size(); ++i)
		event(s.polls[i].fd, static_cast<std::uint16_t>(r.polls[i].revents));
	for (long i = 0; i < to.ret && s.what == call::epoll_wait; ++i)
		event(r.events[static_cast<std::size_t>(i)].data.fd,
		      r.events[static_cast<std::size_t>(i)].events);
}

// ---- the calls ------------------------------------------------------------------------------------------

long caller::made(int name, long fd)
{
	fds_[static_cast<std::size_t>(name)] = static_cast<int>(fd);
	return fd;
}

void caller::make(const step &s, std::size_t at, result &to)
{
	to.begin_ns = now_ns();
	to.state = result::begun;
	errno = 0;
	to.ret = perform(s, rooms_[at]);
	to.error = to.ret < 0 ? errno : 0;
	to.state = result::over;
}

long caller::perform(const step &s, room &r)
{
	r.address_bytes = sizeof(r.address);
	switch (s.what) {
	case call::run:
		break;
	case call::socket:
		if (!s.netns.empty() && spaces_.find(s.netns) < 0)
			return made(s.as, -1);
		return made(s.as,
		            socket(static_cast<int>(s.a), static_cast<int>(s.b), static_cast<int>(s.c)));
	case call::bind:
		return bind(fd(s.fd), address_of(s.address), static_cast<socklen_t>(s.address.size()));
	case call::connect:
		return connect(fd(s.fd), address_of(s.address), static_cast<socklen_t>(s.address.size()));
	case call::listen:
		return listen(fd(s.fd), static_cast<int>(s.a));
	case call::accept: {
		void *const to = s.b ? r.address : nullptr;
		unsigned *const length = s.b ? &r.address_bytes : nullptr;
		return made(s.as, s.a ? syscall(SYS_accept4, fd(s.fd), to, length, static_cast<int>(s.a))
		                      : syscall(SYS_accept, fd(s.fd), to, length));
	}
	case call::send:
		return send(fd(s.fd), s.data.data(), s.data.size(), static_cast<int>(s.a));
	case call::sendto:
		return sendto(fd(s.fd), s.data.data(), s.data.size(), static_cast<int>(s.a),
		              address_of(s.address), static_cast<socklen_t>(s.address.size()));
	case call::write:
		return write(fd(s.fd), s.data.data(), s.data.size());
	case call::recv:
		return recv(fd(s.fd), r.buffer.data(), s.size, static_cast<int>(s.a));
	case call::recvfrom:
		return recvfrom(fd(s.fd), r.buffer.data(), s.size, static_cast<int>(s.a),
		                reinterpret_cast<sockaddr *>(r.address), &r.address_bytes);
	case call::read:
		return read(fd(s.fd), r.buffer.data(), s.size);
	case call::shutdown:
		return shutdown(fd(s.fd), static_cast<int>(s.a));
	case call::close: {
		const long ret = close(fd(s.fd));
		fds_[static_cast<std::size_t>(s.fd)] = -1;
		return ret;
	}
	case call::setsockopt:
		if (s.a == SOL_SOCKET && s.b == SO_ATTACH_FILTER) { // a plan has the instructions alone
			std::vector<sock_filter> code(s.data.size() / sizeof(sock_filter));
			std::memcpy(code.data(), s.data.data(), code.size() * sizeof(sock_filter));
			const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
			return setsockopt(fd(s.fd), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
		}
		return setsockopt(fd(s.fd), static_cast<int>(s.a), static_cast<int>(s.b), s.data.data(),
		                  static_cast<socklen_t>(s.data.size()));
	case call::getsockopt:
		r.address_bytes = static_cast<unsigned>(s.size);
		return getsockopt(fd(s.fd), static_cast<int>(s.a), static_cast<int>(s.b), r.buffer.data(),
		                  &r.address_bytes);
	case call::getsockname:
		return syscall(SYS_getsockname, fd(s.fd), r.address, &r.address_bytes);
	case call::getpeername:
		return syscall(SYS_getpeername, fd(s.fd), r.address, &r.address_bytes);
	case call::poll:
		for (std::size_t i = 0; i < r.polls.size(); ++i)
			r.polls[i] = {fd(s.polls[i].fd), static_cast<short>(s.polls[i].events), 0};
		return syscall(SYS_poll, r.polls.data(), r.polls.size(), static_cast<int>(s.a));
	case call::epoll_create:
		return made(s.as, epoll_create1(0));
	case call::epoll_ctl: {
		epoll_event e{};
		e.events = static_cast<std::uint32_t>(s.b);
		e.data.fd = s.fd;
		return epoll_ctl(fd(s.as), static_cast<int>(s.a), fd(s.fd), &e);
	}
	case call::epoll_wait:
		return syscall(SYS_epoll_wait, fd(s.fd), r.events.data(), static_cast<int>(s.size),
		               static_cast<int>(s.a));
	case call::setns:
		if (spaces_.find(s.netns) < 0) {
			errno = ENOENT;
			return -1;
		}
		home_ = s.netns;
		return spaces_.enter(s.netns);
	case call::sleep:
		sleep_ns(s.a);
		return 0;
	}
	errno = ENOSYS;
	return -1;
}

} // namespace player
