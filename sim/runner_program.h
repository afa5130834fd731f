// SPDX-License-Identifier: GPL-2.0-only
//
// A task of a scenario while it runs, and what its last call gave back. For the files of the runner only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/packet_tap.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "stack/core/snmp.h"

namespace skbwalk::sim {

struct call_results {
	std::string data; // what was read, or an option's value
	sockaddr_storage addr;
	int addr_len = 0;                  // 0: none was asked for
	std::map<std::string, u32> events; // by descriptor; only those that have any
};

struct program {
	program(const task_description &t, host &h) : what(t), on(h) {}

	const task_description &what;
	host &on;
	std::unique_ptr<task_struct> task;
	std::map<std::string, int, std::less<>> fds;
	const step *now = nullptr; // the step that it is in
	bool ready = false;
	call_results got;

	[[nodiscard]] int fd(std::string_view name) const
	{
		const auto it = fds.find(name);
		return it == fds.end() ? -1 : it->second;
	}
	[[nodiscard]] std::string name_of(int fd) const;
};

// One system call, made by the current task, which is p's. The result, or -errno.
[[nodiscard]] long make_call(world &w, program &p, const step &s);

// The flags of a TCP segment in a frame as tcpdump writes them; empty: it is none.
[[nodiscard]] std::string tcp_flags(const frame_bytes &frame);

// A counter by the name that nstat prints (TcpActiveOpens, TcpExtTCPPureAcks); null when there is none.
[[nodiscard]] const u64 *find_counter(const netns_mib &mib, std::string_view name);
struct named_counter {
	std::string name;
	u64 value;
};
[[nodiscard]] std::vector<named_counter> counters_of(const netns_mib &mib);

} // namespace skbwalk::sim
