// SPDX-License-Identifier: GPL-2.0-only
//
// Small servers that run as tasks in a host of the model: what `skbwalk tap --serve` offers.
//
//   http:PORT[=FOLDER]  answers GET: a page about the model at /, N bytes of a known pattern at /bytes/N, and
//                       files of FOLDER
//   echo:PORT           sends back what it gets (TCP and UDP)
//   discard:PORT        reads and forgets
//   source:PORT         sends without end until the peer closes
//   iperf3:PORT         what `iperf3 -c` measures against (TCP)
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "stack/kernel/sched.h"

namespace skbwalk::sim {

struct service {
	enum class kind { http, echo, discard, source, iperf3 } what;
	unsigned short port;
	std::string folder; // http's files; empty: none
};

// "http:8080,echo:7". Throws std::invalid_argument that says what was expected.
[[nodiscard]] std::vector<service> parse_services(const std::string &text);
// A line for people: "http://10.9.0.2:8080/ ...".
[[nodiscard]] std::string describe(const service &s, const std::string &address);

// The tasks of all services on one cpu; a task a connection.
class service_tasks {
public:
	service_tasks(cpu &on, net &in, std::vector<service> services);
	~service_tasks();
	service_tasks(const service_tasks &) = delete;
	service_tasks &operator=(const service_tasks &) = delete;

	// Drops the tasks that have ended.
	void reap();
	// Kills all; they end when the cpu runs.
	void kill();
	[[nodiscard]] bool any_alive() const;

private:
	void spawn(std::string name, std::function<void()> body);
	void accept_loop(const service &s);
	void echo_datagrams(const service &s);

	cpu &cpu_;
	net &net_;
	std::vector<service> services_;
	std::list<std::unique_ptr<task_struct>> tasks_;
};

} // namespace skbwalk::sim
