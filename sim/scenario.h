// SPDX-License-Identifier: GPL-2.0-only
//
// A scenario as it was read from its file (docs/scenario-format.md): set-up lines, tasks, steps in order,
// expectations. All names are resolved and all numbers checked here; the runner meets no surprise but the
// stack's.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sim/irq_device.h"
#include "sim/link_options.h"
#include "stack/wire/socket.h"

namespace skbwalk::sim {

// The text has the file, the JSON pointer (or line and column) and what was expected.
struct bad_scenario : std::runtime_error {
	using std::runtime_error::runtime_error;
};
// The file is not there, or cannot be read.
struct no_scenario : std::runtime_error {
	using std::runtime_error::runtime_error;
};

struct setup_line {
	std::string run;
	std::optional<std::string> fails;  // the message that the tool must give
	std::optional<std::string> prints; // what must be in its output
	std::string host;                  // empty: the first
	std::string where;                 // JSON pointer
};

struct task_description {
	std::string name;
	std::string host;
	std::string netns; // empty: the initial one
	u32 cpu = 0;
	std::string context; // SELinux's; empty: the kernel's own
};

// Two devices of two hosts (or of one) and what is between them.
struct wire_description {
	struct end {
		std::string host, dev;
	};
	std::string name;
	std::string driver = "e1000";
	end a, b;
	link_options options;
	std::string where;
	u64 interrupt_gap_ns = 0; // of its cards
};

[[nodiscard]] bool wire_counter_known(std::string_view name);
[[nodiscard]] std::string wire_counter_names(); // "one of ..."

struct address {
	sockaddr_storage bytes;
	int len = 0;
	std::string text;
};

enum class call_kind : u8 {
	run, // a set-up line between the steps
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
	echo,
	tasklet,
	sched_setaffinity,
};
constexpr std::string_view tasklet_ops[] = {"schedule", "hi_schedule", "disable", "enable", "kill"};
[[nodiscard]] std::string_view call_name(call_kind kind);
// Every call with a line on what it takes.
struct call_description {
	call_kind kind;
	std::string_view name;
	std::string_view takes;
};
[[nodiscard]] const std::vector<call_description> &all_calls();

struct polled {
	std::string fd;
	u32 events = 0;
};

// Least and most; one value is both.
struct range {
	u64 least = 0;
	u64 most = ~u64{0};
	[[nodiscard]] std::string text() const;
};

struct step_expectation {
	bool anything = false;
	bool is_default = true; // nothing was said: the call must not fail
	std::optional<long> result;
	int error = 0; // an errno
	std::optional<std::string> data;
	std::optional<address> addr;
	std::optional<std::string> value; // of getsockopt
	std::optional<std::vector<polled>> events;
	std::optional<range> took_us; // from the call to its return
};

struct step {
	u32 number = 0;    // counted from 1 over the file
	std::string where; // JSON pointer
	std::string task;
	call_kind call = call_kind::sleep;
	setup_line command; // of call_kind::run
	std::string fd;     // the descriptor that the call is about, by name
	std::string as;     // the name that the new descriptor gets
	std::optional<std::string> netns;
	int domain = AF_INET, type = SOCK_STREAM, protocol = 0;
	std::optional<address> addr;
	std::string data;
	std::size_t size = 0;
	int flags = 0;
	int backlog = 0;
	int how = 0;
	int level = 0, option = 0;
	bool filter = false;       // `data` is a program: what is passed says how long it is and where
	std::vector<polled> polls; // poll; epoll_ctl has one
	int op = 0;
	int timeout_ms = -1;
	u64 sleep_ns = 0;
	u64 echo_bytes = 0; // until so many went back; 0: until the other end closes
	u64 cpus = 0;       // sched_setaffinity's mask
	u32 times = 1;      // so often in succession, as fast as the task can
	bool async = false;
	std::string phase;
	step_expectation expect;
	[[nodiscard]] std::string text() const; // "client connect c 127.0.0.1:80"
};

struct socket_expectation {
	std::string where;
	std::string task, fd;
	u8 state = 0;
};
// Of a namespace; or of a device, as `ethtool -S' names it; or of a wire, of what `from' sends.
struct counter_expectation {
	std::string where;
	std::string host, netns, dev, name;
	std::string wire, from;
	range value;
};
struct packet_expectation {
	std::string where;
	std::string host, netns, dev;
	bool in = true, out = true;
	std::string wire, from;     // of a wire, what arrives of what the host `from' sends; empty: of both
	std::optional<range> bytes; // only frames of such a length are looked at
	std::optional<range> count;
	std::optional<range> gap_us;                 // between each and the next
	std::optional<std::vector<std::string>> tcp; // flags as tcpdump writes them, in order
};
struct call_expectation {
	std::string where;
	std::string phase, task;        // empty: any
	std::optional<u32> cpu;         // none: any
	std::vector<std::string> order; // these functions run in this order, others between them
	std::vector<std::string> never;
};

// A column of /proc/net/softnet_stat: its growth since the steps began.
constexpr std::string_view softnet_columns[] = {"processed",    "dropped",    "time_squeeze",
                                                "received_rps", "flow_limit", "backlog"};
struct softnet_expectation {
	std::string where;
	std::string host;
	std::optional<u32> cpu; // none: all together
	std::string column;
	range value;
};

struct audit_expectation {
	std::string where;
	std::string host;
	std::string text; // of a line, anywhere in it
	range count{1, ~u64{0}};
};

struct scenario {
	std::string file;
	std::string name;
	std::string about;
	std::optional<u64> seed;
	std::vector<std::pair<std::string, u32>> hosts; // name and cpus, in the file's order
	std::map<std::string, u32> interleave; // by host: a cpu stands still at one of so many functions
	std::vector<wire_description> wires;
	std::optional<u32> syscall_cost_ns, hop_cost_ns;
	std::map<std::string, u64> function_cost_ns;
	u64 call_cost_ns = 0;                        // of each function that the measured kernel can trace
	std::vector<std::string> cost_hosts;         // none: all
	std::vector<irq_device_description> devices; // that interrupt and do nothing else
	u64 gap_ns = 0;                              // passes unrecorded before each phase
	std::vector<std::string> lsm;                // security modules, in their order
	std::vector<std::string> selinux_policy;     // its statements; none: no policy is loaded
	bool selinux_enforcing = true;
	std::vector<setup_line> setup;
	std::vector<task_description> tasks;
	std::vector<step> warmup;
	std::vector<step> steps;
	std::vector<socket_expectation> expect_sockets;
	std::vector<counter_expectation> expect_counters;
	std::vector<packet_expectation> expect_packets;
	std::vector<call_expectation> expect_calls;
	std::vector<audit_expectation> expect_audit;
	std::vector<softnet_expectation> expect_softnet;

	[[nodiscard]] bool has_phases() const;
	[[nodiscard]] const task_description *find_task(std::string_view task) const;
	// What of it no real kernel can be asked to do, a line each; empty: the file is portable.
	[[nodiscard]] std::vector<std::string> unportable() const;
};

[[nodiscard]] scenario parse_scenario(std::string_view text, const std::string &file);
[[nodiscard]] scenario load_scenario(const std::string &path);

// The file of a bundled scenario by its bare name, or of a path; throws no_scenario.
[[nodiscard]] std::string find_scenario(const std::string &name);
// Bundled scenarios: name, first sentence of what it is about, file.
struct bundled_scenario {
	std::string name, about, file;
};
[[nodiscard]] std::vector<bundled_scenario> bundled_scenarios();

// "ECONNREFUSED", or the number.
[[nodiscard]] std::string errno_name(int error);
[[nodiscard]] std::string_view tcp_state_name(u8 state);
[[nodiscard]] std::string poll_names(u32 events);

} // namespace skbwalk::sim
