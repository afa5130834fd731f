// SPDX-License-Identifier: GPL-2.0-only
//
// A server that an ordinary `iperf3 -c` talks to: TCP, in either direction or both, with parallel streams.
// One test at a time, as iperf3 itself has it.
#pragma once

#include <memory>

namespace skbwalk::sim {

class iperf_server {
public:
	iperf_server();
	~iperf_server();
	iperf_server(const iperf_server &) = delete;
	iperf_server &operator=(const iperf_server &) = delete;

	// What to do with a connection, in a task of its own; the caller closes it.
	void serve(int fd);

private:
	struct test;
	void control(int fd, test &t);
	void stream(int fd, const std::shared_ptr<test> &t);

	std::shared_ptr<test> test_; // the one that is on
};

} // namespace skbwalk::sim
