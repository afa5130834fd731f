// SPDX-License-Identifier: GPL-2.0-only
//
// The server's side of iperf3's protocol. Each connection begins with a cookie; the first one of a cookie is
// the test's control connection, those that follow are its streams. On the control connection both say by
// single bytes where they are, and exchange parameters and results as JSON with its length in front:
//
//      client: cookie                      server: PARAM_EXCHANGE
//              parameters                          CREATE_STREAMS
//              (streams, each with the cookie)     TEST_START, TEST_RUNNING
//              TEST_END                            EXCHANGE_RESULTS
//              results                             results, DISPLAY_RESULTS
//              IPERF_DONE
//
// Left out: UDP and SCTP, authentication, and a rate for what the server sends; a client that asks for them
// is told so. What the model takes of the cpu is told as 0.
#include "sim/tap_iperf.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sim/tap_sockets.h"
#include "stack/ipv4/tcp_info.h"
#include "stack/kernel/sched.h"

namespace skbwalk::sim {

namespace {

using nlohmann::json;

constexpr std::size_t cookie_bytes = 37;
constexpr std::size_t json_bytes_max = 64 * 1024;
constexpr std::size_t block_bytes_max = 1024 * 1024;
constexpr unsigned streams_max = 128;
constexpr int look_ms = 5; // how often one who waits for streams looks whether the client is still there

enum state : signed char {
	test_start = 1,
	test_running = 2,
	test_end = 4,
	param_exchange = 9,
	create_streams = 10,
	exchange_results = 13,
	display_results = 14,
	access_denied = -1,
	server_error = -2
};
constexpr int IEUNIMP = 13; // "an option you are trying to set is not implemented yet"

bool send_state(int fd, state s)
{
	const char byte = static_cast<char>(s);
	return send_all(fd, &byte, 1);
}

bool send_json(int fd, const json &what)
{
	const std::string text = what.dump();
	const be32 length = htonl(static_cast<u32>(text.size()));
	return send_all(fd, reinterpret_cast<const char *>(&length), sizeof(length)) &&
	       send_all(fd, text.data(), text.size());
}

// Discarded: it was not JSON, or the connection is over.
json receive_json(int fd)
{
	be32 length;
	if (!receive_all(fd, reinterpret_cast<char *>(&length), sizeof(length)) ||
	    ntohl(length) > json_bytes_max)
		return json(json::value_t::discarded);
	std::string text(ntohl(length), '\0');
	if (!receive_all(fd, text.data(), text.size()))
		return json(json::value_t::discarded);
	return json::parse(text, nullptr, false);
}

u64 number(const json &from, const char *name, u64 otherwise)
{
	const auto at = from.find(name);
	return at != from.end() && at->is_number_unsigned() ? at->get<u64>() : otherwise;
}

bool yes(const json &from, const char *name)
{
	const auto at = from.find(name);
	return at != from.end() && at->is_boolean() && at->get<bool>();
}

u64 now_ns() { return current.cpu->now_ns; }

} // namespace

struct iperf_server::test {
	struct flow {
		int fd;
		bool sends;
		task_struct *task;
		u64 bytes = 0;
		std::string congestion;

		[[nodiscard]] s64 retransmits() const
		{
			tcp_info info{};
			int length = sizeof(info);

			if (!sends || system_call(sys_nr::getsockopt, fd, SOL_TCP, TCP_INFO, &info, &length))
				return -1;
			return info.tcpi_total_retrans;
		}
	};

	std::array<char, cookie_bytes> cookie;
	json parameters;
	std::size_t expected = 0; // streams
	std::size_t block = 128 * 1024;
	std::vector<std::unique_ptr<flow>> flows;
	bool running = false, over = false;
	u64 began_ns = 0, ended_ns = 0;

	[[nodiscard]] bool understood() const
	{
		return parameters.is_object() && yes(parameters, "tcp") &&
		       number(parameters, "parallel", 1) <= streams_max / 2 &&
		       (!number(parameters, "bandwidth", 0) || !both_or_reverse());
	}
	[[nodiscard]] bool both_or_reverse() const
	{
		return yes(parameters, "reverse") || yes(parameters, "bidirectional");
	}
	[[nodiscard]] json results() const
	{
		json streams = json::array();
		const double seconds = static_cast<double>(ended_ns - began_ns) / 1e9;
		bool sends = false;
		// iperf3's own numbers: 1, 3, 4, ...
		for (std::size_t i = 0; i < flows.size(); ++i) {
			const flow &f = *flows[i];
			sends = sends || f.sends;
			streams.push_back({{"id", i ? i + 2 : 1},
			                   {"bytes", f.bytes},
			                   {"retransmits", f.retransmits()},
			                   {"jitter", 0},
			                   {"errors", 0},
			                   {"packets", 0},
			                   {"start_time", 0},
			                   {"end_time", seconds}});
		}
		json all = {{"cpu_util_total", 0},
		            {"cpu_util_user", 0},
		            {"cpu_util_system", 0},
		            {"sender_has_retransmits", sends ? 1 : 0},
		            {"streams", std::move(streams)}};
		if (!flows.empty() && !flows[0]->congestion.empty())
			all["congestion_used"] = flows[0]->congestion;
		return all;
	}
};

iperf_server::iperf_server() = default;
iperf_server::~iperf_server() = default;

void iperf_server::serve(int fd)
{
	std::array<char, cookie_bytes> cookie;

	if (!receive_all(fd, cookie.data(), cookie.size()))
		return;
	if (test_) {
		if (test_->cookie == cookie && test_->flows.size() < test_->expected)
			stream(fd, test_);
		else
			send_state(fd, access_denied);
		return;
	}
	test_ = std::make_shared<test>();
	test_->cookie = cookie;
	control(fd, *test_);
	// Those that wait, send or receive come to their end.
	test_->over = true;
	for (const auto &f : test_->flows) {
		if (f->fd >= 0)
			system_call(sys_nr::shutdown, f->fd, SHUT_RDWR);
		if (f->task)
			task_unpark(*f->task);
	}
	test_.reset();
}

void iperf_server::control(int fd, test &t)
{
	if (!send_state(fd, param_exchange))
		return;
	t.parameters = receive_json(fd);
	if (t.parameters.is_discarded())
		return;
	if (!t.understood()) {
		const std::array<be32, 2> why{htonl(IEUNIMP), htonl(0)};
		if (send_state(fd, server_error))
			send_all(fd, reinterpret_cast<const char *>(why.data()), sizeof(why));
		return;
	}
	t.block = std::clamp<std::size_t>(number(t.parameters, "len", t.block), 1, block_bytes_max);
	t.expected = number(t.parameters, "parallel", 1) * (yes(t.parameters, "bidirectional") ? 2 : 1);
	if (!send_state(fd, create_streams))
		return;
	while (t.flows.size() < t.expected) {
		pollfd of_client{fd, EPOLLIN, 0};
		if (system_call(sys_nr::poll, &of_client, 1, look_ms)) // it says something, or goes
			return;
	}
	if (!send_state(fd, test_start) || !send_state(fd, test_running))
		return;
	t.began_ns = now_ns();
	t.running = true;
	for (const auto &f : t.flows)
		if (f->task)
			task_unpark(*f->task);
	for (char said = 0; said != test_end;)
		if (!receive_all(fd, &said, 1) ||
		    (said != test_end && said != test_start && said != test_running))
			return;
	t.ended_ns = now_ns();
	t.over = true;
	const json results = t.results();
	for (const auto &f : t.flows)
		if (f->fd >= 0)
			system_call(sys_nr::shutdown, f->fd, SHUT_RDWR);
	char done;
	if (send_state(fd, exchange_results) && !receive_json(fd).is_discarded() && send_json(fd, results) &&
	    send_state(fd, display_results))
		receive_all(fd, &done, 1);
}

void iperf_server::stream(int fd, const std::shared_ptr<test> &t)
{
	const bool both = yes(t->parameters, "bidirectional");
	const bool sends = both ? t->flows.size() >= t->expected / 2 : yes(t->parameters, "reverse");

	t->flows.push_back(std::make_unique<test::flow>(test::flow{fd, sends, current.task, 0, {}}));
	test::flow &f = *t->flows.back();
	const std::shared_ptr<test> held = t; // the server may forget it before this ends
	if (const int one = 1; yes(held->parameters, "nodelay"))
		system_call(sys_nr::setsockopt, fd, SOL_TCP, TCP_NODELAY, &one,
		            static_cast<int>(sizeof(one)));
	if (const auto name = held->parameters.find("congestion");
	    name != held->parameters.end() && name->is_string()) {
		const std::string text = name->get<std::string>();
		system_call(sys_nr::setsockopt, fd, SOL_TCP, TCP_CONGESTION, text.c_str(),
		            static_cast<int>(text.size()));
	}
	std::array<char, 16> congestion{};
	int length = congestion.size() - 1;
	if (!system_call(sys_nr::getsockopt, fd, SOL_TCP, TCP_CONGESTION, congestion.data(), &length))
		f.congestion = congestion.data();
	while (!held->running && !held->over && !current.task->fatal_signal)
		task_park();

	std::string block(held->block, '\0');
	while (!held->over) {
		const long n = f.sends ? system_call(sys_nr::sendto, fd, block.data(), block.size(),
		                                     MSG_NOSIGNAL, static_cast<sockaddr *>(nullptr), 0)
		                       : receive(fd, block.data(), block.size());
		if (n <= 0)
			break;
		f.bytes += static_cast<u64>(n);
	}
	f.fd = -1;
	f.task = nullptr;
}

} // namespace skbwalk::sim
