// SPDX-License-Identifier: GPL-2.0-only
//
// The library-free form of a scenario that `skbwalk check --plan` writes (docs/oracle.md): one thing a line,
// fields with tabs between, %XX for what would be mistaken for a separator. Everything is read before
// anything is played; a line that cannot be read ends the program with its number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace player {

struct command {
	std::vector<std::string> words;
	bool fails = false; // it must fail
};

struct task {
	std::string name;
	std::string netns; // "@": the one that the scenario begins in
};

enum class call : std::uint8_t {
	run,
	socket,
	bind,
	listen,
	accept,
	connect,
	send,
	sendto,
	recv,
	recvfrom,
	read,
	write,
	shutdown,
	close,
	setsockopt,
	getsockopt,
	getsockname,
	getpeername,
	poll,
	epoll_create,
	epoll_ctl,
	epoll_wait,
	setns,
	sleep,
};

struct polled {
	int fd; // index in plan::descriptors
	std::uint32_t events;
};

struct step {
	bool warm = false;
	std::string number; // as the plan counts it
	int task = 0;
	std::string phase; // empty: not recorded
	bool async = false;
	call what = call::sleep;
	command run;
	int fd = -1, as = -1; // indices in plan::descriptors
	std::string netns;    // empty: none is named
	std::string address;  // bytes of a sockaddr
	std::string data;
	std::size_t size = 0;
	long a = 0, b = 0, c = 0; // the call's numbers, in the order of the line
	std::vector<polled> polls;
};

struct plan {
	std::string name;
	long gap_ns = 0;
	std::vector<command> setup;
	std::vector<task> tasks;
	std::vector<step> steps;
	std::vector<std::string> descriptors; // names

	[[nodiscard]] static plan read(const char *file);
};

// Says what is wrong, with errno's text where there is one, and ends the program.
[[noreturn]] void die(const std::string &what);
[[noreturn]] void die_errno(const std::string &what);
// The same without an end.
void say(const std::string &what);

// %XX for what a line of the results cannot hold.
[[nodiscard]] std::string escaped(const std::string &text);
[[nodiscard]] std::string hex(const void *bytes, std::size_t n);

} // namespace player
