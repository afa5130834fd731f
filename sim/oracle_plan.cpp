// SPDX-License-Identifier: GPL-2.0-only
//
// A line a step. In a file without phases all steps are one phase of the file's name, as in the runner.
#include "sim/oracle_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/setup.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t period_max = 4096; // of data that repeats

std::string hex_text(std::string_view bytes)
{
	std::string out;
	out.reserve(2 * bytes.size());
	for (const char c : bytes)
		out += fmt::format("{:02x}", static_cast<unsigned char>(c));
	return out;
}

// COUNT*HEX: the shortest piece that the data is a repetition of.
std::string data_text(std::string_view data)
{
	if (data.empty())
		return "0*";
	for (std::size_t n = 1; n <= std::min(data.size() / 2, period_max); ++n)
		if (data.size() % n == 0 && data.substr(n) == data.substr(0, data.size() - n))
			return fmt::format("{}*{}", data.size() / n, hex_text(data.substr(0, n)));
	return "1*" + hex_text(data);
}

std::string address_text(const address &a)
{
	return "1*" +
	       hex_text({reinterpret_cast<const char *>(a.bytes.bytes), static_cast<std::size_t>(a.len)});
}

std::string space_text(const std::string &netns) { return netns.empty() ? "@" : plan_word(netns); }

std::string command_text(const setup_line &line)
{
	std::string out = line.fails ? "1" : "0";
	for (const std::string &word : command_words(line.run))
		out += "\t" + plan_word(word);
	return out;
}

std::string arguments(const step &s)
{
	const std::string fd = plan_word(s.fd), as = plan_word(s.as);
	switch (s.call) {
	case call_kind::run:
		return command_text(s.command);
	case call_kind::socket:
		return fmt::format("{}\t{}\t{}\t{}\t{}", as, s.domain, s.type | s.flags, s.protocol,
		                   s.netns ? space_text(*s.netns) : "-");
	case call_kind::bind:
	case call_kind::connect:
		return fmt::format("{}\t{}", fd, address_text(*s.addr));
	case call_kind::listen:
		return fmt::format("{}\t{}", fd, s.backlog);
	case call_kind::accept:
		return fmt::format("{}\t{}\t{}\t{:d}", fd, as, s.flags, s.expect.addr.has_value());
	case call_kind::send:
		return fmt::format("{}\t{}\t{}", fd, s.flags, data_text(s.data));
	case call_kind::sendto:
		return fmt::format("{}\t{}\t{}\t{}", fd, s.flags, data_text(s.data), address_text(*s.addr));
	case call_kind::write:
		return fmt::format("{}\t{}", fd, data_text(s.data));
	case call_kind::recv:
	case call_kind::recvfrom:
		return fmt::format("{}\t{}\t{}", fd, s.size, s.flags);
	case call_kind::read:
		return fmt::format("{}\t{}", fd, s.size);
	case call_kind::shutdown:
		return fmt::format("{}\t{}", fd, s.how);
	case call_kind::close:
	case call_kind::getsockname:
	case call_kind::getpeername:
		return fd;
	case call_kind::setsockopt:
		return fmt::format("{}\t{}\t{}\t{}", fd, s.level, s.option, data_text(s.data));
	case call_kind::getsockopt:
		return fmt::format("{}\t{}\t{}\t{}", fd, s.level, s.option, s.size);
	case call_kind::poll: {
		std::string out = fmt::format("{}", s.timeout_ms);
		for (const polled &p : s.polls)
			out += fmt::format("\t{}\t{}", plan_word(p.fd), p.events);
		return out;
	}
	case call_kind::epoll_create:
		return as;
	case call_kind::epoll_ctl:
		return fmt::format("{}\t{}\t{}\t{}", as, s.op, fd, s.polls.front().events);
	case call_kind::epoll_wait:
		return fmt::format("{}\t{}\t{}", fd, s.size, s.timeout_ms);
	case call_kind::setns:
		return space_text(*s.netns);
	case call_kind::sleep:
		return fmt::format("{}", s.sleep_ns);
	case call_kind::echo: // not portable
	case call_kind::tasklet:
	case call_kind::sched_setaffinity:
		break;
	}
	return {};
}

std::string step_line(const scenario &sc, const step &s, bool warm, const std::string &phase)
{
	// A `sendto` without an address is what `send` is.
	const bool plain_send = s.call == call_kind::sendto && !s.addr;
	step as_sent = s;
	if (plain_send)
		as_sent.call = call_kind::send;
	return fmt::format("{}\t{}\t{}\t{}\t{:d}\t{}\t{}\n", warm ? "warm" : "step", s.number,
	                   plan_word(s.call == call_kind::run ? sc.tasks.front().name : s.task),
	                   phase.empty() ? "-" : plan_word(phase), s.async, call_name(as_sent.call),
	                   arguments(as_sent));
}

} // namespace

std::string plan_word(std::string_view text)
{
	std::string out;
	for (const char c : text) {
		const auto byte = static_cast<unsigned char>(c);
		if (byte <= ' ' || byte >= 127 || c == '%' || c == '=' || c == ',')
			out += fmt::format("%{:02x}", byte);
		else
			out.push_back(c);
	}
	return out;
}

std::string plain_word(std::string_view word)
{
	std::string out;
	for (std::size_t i = 0; i < word.size(); ++i) {
		if (word[i] == '%' && i + 2 < word.size()) {
			out.push_back(static_cast<char>(
				std::stoi(std::string{word.substr(i + 1, 2)}, nullptr, 16)));
			i += 2;
		} else {
			out.push_back(word[i]);
		}
	}
	return out;
}

std::string write_plan(const scenario &s)
{
	if (const std::vector<std::string> why = s.unportable(); !why.empty())
		throw not_portable(fmt::format("{}: not portable, so no real kernel can play it:\n  {}",
		                               s.file, fmt::join(why, "\n  ")));
	std::string out = fmt::format("# skbwalk plan 1\nname\t{}\ngap\t{}\n", plan_word(s.name), s.gap_ns);
	for (const setup_line &line : s.setup)
		out += fmt::format("setup\t{}\n", command_text(line));
	for (const task_description &t : s.tasks)
		out += fmt::format("task\t{}\t{}\n", plan_word(t.name), space_text(t.netns));
	for (const step &w : s.warmup)
		out += step_line(s, w, true, "");
	const bool phases = s.has_phases();
	for (const step &one : s.steps)
		out += step_line(s, one, false, phases ? one.phase : s.name);
	return out;
}

} // namespace skbwalk::sim
