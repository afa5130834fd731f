// SPDX-License-Identifier: GPL-2.0-only
//
// Each server is a program of system calls, as one would write it for a real kernel: socket, bind, listen,
// and a task for each connection that accept returns.
#include "sim/tap_services.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "sim/tap_iperf.h"
#include "sim/tap_sockets.h"
#include "stack/core/net_namespace.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t piece = 64 * 1024;
constexpr std::size_t request_bytes_max = 16 * 1024;
constexpr unsigned long long bytes_max = 1ull << 34;

int listen_on(unsigned short port)
{
	const long fd = system_call(sys_nr::socket, AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return static_cast<int>(fd);
	const int one = 1;
	const sockaddr_in any{.sin_port = htons(port)};
	system_call(sys_nr::setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, static_cast<int>(sizeof(one)));
	long err = system_call(sys_nr::bind, fd, &any, static_cast<int>(sizeof(any)));
	if (!err)
		err = system_call(sys_nr::listen, fd, 128);
	if (err) {
		system_call(sys_nr::close, fd);
		return static_cast<int>(err);
	}
	return static_cast<int>(fd);
}

// Byte i of /bytes/N is the lower byte of i * 31: easy to make again elsewhere.
bool send_pattern(int fd, unsigned long long n)
{
	std::string block(piece, '\0');
	for (unsigned long long done = 0; done < n;) {
		const std::size_t now =
			static_cast<std::size_t>(std::min<unsigned long long>(piece, n - done));
		for (std::size_t i = 0; i < now; ++i)
			block[i] = static_cast<char>((done + i) * 31);
		if (!send_all(fd, block.data(), now))
			return false;
		done += now;
	}
	return true;
}

bool send_head(int fd, const char *status, const char *type, unsigned long long length)
{
	const std::string head =
		fmt::format("HTTP/1.0 {}\r\nServer: skbwalk\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
	                    "Connection: close\r\n\r\n",
	                    status, type, length);
	return send_all(fd, head.data(), head.size());
}

void send_text(int fd, const char *status, const std::string &text)
{
	if (send_head(fd, status, "text/plain; charset=utf-8", text.size()))
		send_all(fd, text.data(), text.size());
}

// A path below the folder, or nothing.
std::string file_below(const std::string &folder, const std::string &path)
{
	namespace fs = std::filesystem;
	std::error_code error;
	const fs::path root = fs::weakly_canonical(folder, error);
	const fs::path wanted = fs::weakly_canonical(root / path.substr(1), error);
	const auto [end, ignored] = std::mismatch(root.begin(), root.end(), wanted.begin(), wanted.end());
	if (error || end != root.end() || !fs::is_regular_file(wanted, error))
		return {};
	return wanted.string();
}

void answer_http(int fd, const std::string &folder)
{
	std::string request;
	char buffer[2048];
	while (request.find("\r\n\r\n") == std::string::npos && request.find("\n\n") == std::string::npos) {
		const long n = receive(fd, buffer, sizeof(buffer));
		if (n <= 0)
			return;
		request.append(buffer, static_cast<std::size_t>(n));
		if (request.size() > request_bytes_max)
			return send_text(fd, "431 Request Header Fields Too Large",
			                 "the request's head is too long\n");
	}
	if (!request.starts_with("GET "))
		return send_text(fd, "405 Method Not Allowed", "only GET\n");
	const std::string path = request.substr(4, request.find_first_of(" \r\n", 4) - 4);
	if (path == "/" && folder.empty())
		return send_text(fd, "200 OK",
		                 "hello from skbwalk: this page came through a TCP in userspace\n");
	if (path.starts_with("/bytes/")) {
		unsigned long long n = 0;
		const char *end = path.data() + path.size();
		if (std::from_chars(path.data() + 7, end, n).ptr != end || n > bytes_max)
			return send_text(fd, "400 Bad Request", "expected /bytes/N\n");
		if (send_head(fd, "200 OK", "application/octet-stream", n))
			send_pattern(fd, n);
		return;
	}
	const std::string file =
		folder.empty() || path.empty() || path[0] != '/' ? std::string{} : file_below(folder, path);
	if (file.empty())
		return send_text(fd, "404 Not Found", "no such page\n");
	std::ifstream in{file, std::ios::binary};
	const std::string content{std::istreambuf_iterator<char>{in}, {}};
	if (send_head(fd, "200 OK", "application/octet-stream", content.size()))
		send_all(fd, content.data(), content.size());
}

void serve_connection(const service &s, iperf_server &iperf, int fd)
{
	std::string buffer(piece, '\0');
	long n;

	switch (s.what) {
	case service::kind::http:
		answer_http(fd, s.folder);
		break;
	case service::kind::echo:
		while ((n = receive(fd, buffer.data(), buffer.size())) > 0 &&
		       send_all(fd, buffer.data(), static_cast<std::size_t>(n)))
			;
		break;
	case service::kind::discard:
		while (receive(fd, buffer.data(), buffer.size()) > 0)
			;
		break;
	case service::kind::source:
		while (send_all(fd, buffer.data(), buffer.size()))
			;
		break;
	case service::kind::iperf3:
		iperf.serve(fd);
		break;
	}
	system_call(sys_nr::close, fd);
}

const char *name_of(service::kind k)
{
	switch (k) {
	case service::kind::http:
		return "http";
	case service::kind::echo:
		return "echo";
	case service::kind::discard:
		return "discard";
	case service::kind::source:
		return "source";
	case service::kind::iperf3:
		return "iperf3";
	}
	return "";
}

} // namespace

std::vector<service> parse_services(const std::string &text)
{
	std::vector<service> all;
	for (std::size_t at = 0; at <= text.size();) {
		const std::size_t end = std::min(text.find(',', at), text.size());
		const std::string word = text.substr(at, end - at);
		const auto colon = word.find(':');
		const auto equals = word.find('=');
		const std::string name = word.substr(0, colon);
		const std::string port =
			colon == std::string::npos ? "" : word.substr(colon + 1, equals - colon - 1);
		unsigned number = 0;
		const char *stop = port.data() + port.size();
		service s{};
		bool known = false;
		for (const auto k : {service::kind::http, service::kind::echo, service::kind::discard,
		                     service::kind::source, service::kind::iperf3})
			if (name == name_of(k)) {
				s.what = k;
				known = true;
			}
		if (!known || port.empty() || std::from_chars(port.data(), stop, number).ptr != stop ||
		    !number || number > 65535 ||
		    (equals != std::string::npos && s.what != service::kind::http))
			throw std::invalid_argument(fmt::format(
				"'{}': expected http:PORT, http:PORT=FOLDER, echo:PORT, discard:PORT, source:PORT or iperf3:PORT",
				word));
		s.port = static_cast<unsigned short>(number);
		if (equals != std::string::npos)
			s.folder = word.substr(equals + 1);
		all.push_back(s);
		at = end + 1;
	}
	return all;
}

std::string describe(const service &s, const std::string &address)
{
	switch (s.what) {
	case service::kind::http:
		return fmt::format(
			"http     curl http://{0}:{1}/   curl http://{0}:{1}/bytes/10000000 | sha256sum",
			address, s.port);
	case service::kind::echo:
		return fmt::format("echo     nc {0} {1}   nc -u {0} {1}", address, s.port);
	case service::kind::discard:
		return fmt::format("discard  nc {} {} < FILE", address, s.port);
	case service::kind::source:
		return fmt::format("source   nc {} {} > /dev/null", address, s.port);
	case service::kind::iperf3:
		return fmt::format("iperf3   iperf3 -c {} -p {}   with -R the other way", address, s.port);
	}
	return {};
}

service_tasks::service_tasks(cpu &on, net &in, std::vector<service> services)
	: cpu_(on), net_(in), services_(std::move(services))
{
	for (const service &s : services_) {
		spawn(fmt::format("{}:{}", name_of(s.what), s.port), [this, &s] { accept_loop(s); });
		if (s.what == service::kind::echo)
			spawn(fmt::format("echo:{}/udp", s.port), [this, &s] { echo_datagrams(s); });
	}
}

service_tasks::~service_tasks() = default;

void service_tasks::spawn(std::string name, std::function<void()> body)
{
	auto task = std::make_unique<task_struct>(cpu_, std::move(name), std::move(body));
	task->nsproxy_net = &net_;
	task_start(*task);
	tasks_.push_back(std::move(task));
}

void service_tasks::accept_loop(const service &s)
{
	const int listener = listen_on(s.port);
	if (listener < 0)
		return;
	const auto iperf = std::make_shared<iperf_server>(); // of the connections, too
	for (;;) {
		const long fd = system_call(sys_nr::accept, listener, static_cast<sockaddr *>(nullptr),
		                            static_cast<int *>(nullptr));
		if (fd < 0) {
			if (current.task->fatal_signal)
				break;
			continue;
		}
		// The connection's task shares the table of files, as a thread does.
		spawn(fmt::format("{}/{}", name_of(s.what), fd),
		      [&s, iperf, fd] { serve_connection(s, *iperf, static_cast<int>(fd)); });
		tasks_.back()->files = current.task->files;
	}
	system_call(sys_nr::close, listener);
}

void service_tasks::echo_datagrams(const service &s)
{
	const long fd = system_call(sys_nr::socket, AF_INET, SOCK_DGRAM, 0);
	const sockaddr_in any{.sin_port = htons(s.port)};
	if (fd < 0 || system_call(sys_nr::bind, fd, &any, static_cast<int>(sizeof(any))))
		return;
	std::string buffer(piece, '\0');
	while (!current.task->fatal_signal) {
		sockaddr_storage from;
		int length = sizeof(from);
		const long n =
			system_call(sys_nr::recvfrom, fd, buffer.data(), buffer.size(), 0, &from, &length);
		if (n >= 0)
			system_call(sys_nr::sendto, fd, buffer.data(), n, 0, &from, length);
	}
	system_call(sys_nr::close, fd);
}

void service_tasks::reap()
{
	std::erase_if(tasks_, [](const auto &t) { return t->state == TASK_DEAD; });
}

void service_tasks::kill()
{
	for (const auto &t : tasks_)
		if (t->state != TASK_DEAD)
			task_kill(*t);
}

bool service_tasks::any_alive() const
{
	return std::ranges::any_of(tasks_, [](const auto &t) { return t->state != TASK_DEAD; });
}

} // namespace skbwalk::sim
