// SPDX-License-Identifier: GPL-2.0-only
//
// A task's system calls. What a call needs is laid out before recording starts, so that between two calls of
// a phase there is next to nothing; what came back is looked at when recording has stopped.
#pragma once

#include <cstdint>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <vector>

#include "tools/player/plan.h"

namespace player {

// What a step gave, in memory that all processes share.
struct result {
	enum : int { waits, begun, over } state;
	long ret;
	int error;
	std::int64_t begin_ns;
	std::uint32_t length;     // of the data, option or name that came back
	std::uint64_t hash;       // FNV-1a of all of it
	std::uint32_t head_bytes; // the first bytes themselves
	unsigned char head[256];
	std::uint32_t address_bytes;
	unsigned char address[128];
	std::uint32_t nr_events;
	polled events[16];
};

// Namespaces by name, opened once: "@" is the one that the scenario begins in.
class namespaces {
public:
	void open_all(); // those that `ip netns add` has made
	[[nodiscard]] int find(const std::string &name);
	// 0 or -1 with errno.
	int enter(const std::string &name);
	[[nodiscard]] std::vector<std::string> names() const;

private:
	struct one {
		std::string name;
		int fd;
	};
	std::vector<one> open_;
};

class caller {
public:
	caller(const plan &p, namespaces &spaces, const std::string &home)
		: spaces_(spaces), home_(home), fds_(p.descriptors.size(), -1)
	{}

	// Buffers for a run of steps, filled so that no page is missing.
	void lay_out(const step *from, const step *to);
	// The namespace that the step's socket is made in, and back.
	void before(const step &s);
	void after(const step &s);
	// One system call; `at` is the place of the step in the run.
	void make(const step &s, std::size_t at, result &to);
	// Data and events of that step into its result.
	void look(const step &s, std::size_t at, result &to);

private:
	struct room {
		std::vector<char> buffer;
		alignas(8) unsigned char address[128];
		unsigned address_bytes;
		std::vector<pollfd> polls;
		std::vector<epoll_event> events;
	};

	long perform(const step &s, room &r);
	[[nodiscard]] int fd(int name) const { return name < 0 ? -1 : fds_[static_cast<std::size_t>(name)]; }
	long made(int name, long fd);

	namespaces &spaces_;
	std::string home_;
	std::vector<int> fds_;
	std::vector<room> rooms_;
};

[[nodiscard]] std::int64_t now_ns();
void sleep_ns(std::int64_t ns);

} // namespace player
