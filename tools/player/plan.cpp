// SPDX-License-Identifier: GPL-2.0-only
//
// Reading a plan: lines into fields, fields into numbers, names and bytes.
#include "tools/player/plan.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace player {

namespace {

std::string program_says = "player";

struct named_call {
	const char *name;
	call what;
};
constexpr named_call calls[] = {
	{"run", call::run},
	{"socket", call::socket},
	{"bind", call::bind},
	{"listen", call::listen},
	{"accept", call::accept},
	{"connect", call::connect},
	{"send", call::send},
	{"sendto", call::sendto},
	{"recv", call::recv},
	{"recvfrom", call::recvfrom},
	{"read", call::read},
	{"write", call::write},
	{"shutdown", call::shutdown},
	{"close", call::close},
	{"setsockopt", call::setsockopt},
	{"getsockopt", call::getsockopt},
	{"getsockname", call::getsockname},
	{"getpeername", call::getpeername},
	{"poll", call::poll},
	{"epoll_create", call::epoll_create},
	{"epoll_ctl", call::epoll_ctl},
	{"epoll_wait", call::epoll_wait},
	{"setns", call::setns},
	{"sleep", call::sleep},
};

int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A line's fields, taken one after another.
class fields {
public:
	fields(std::string_view line, int number) : rest_(line), number_(number) {}

	[[nodiscard]] bool more() const { return !over_; }
	std::string_view take(const char *what)
	{
		if (over_)
			fail(what);
		const std::size_t end = rest_.find('\t');
		const std::string_view out = rest_.substr(0, end);
		over_ = end == std::string_view::npos;
		rest_.remove_prefix(over_ ? rest_.size() : end + 1);
		return out;
	}
	std::string word(const char *what)
	{
		std::string out;
		const std::string_view in = take(what);
		for (std::size_t i = 0; i < in.size(); ++i) {
			if (in[i] == '%' && i + 2 < in.size()) {
				out.push_back(static_cast<char>(digit(in[i + 1]) << 4 | digit(in[i + 2])));
				i += 2;
			} else {
				out.push_back(in[i]);
			}
		}
		return out;
	}
	long number(const char *what)
	{
		const std::string in{take(what)};
		char *end = nullptr;
		const long out = std::strtol(in.c_str(), &end, 10);
		if (in.empty() || *end)
			fail(what);
		return out;
	}
	// COUNT*HEX
	std::string bytes(const char *what)
	{
		const std::string_view in = take(what);
		const std::size_t star = in.find('*');
		if (star == std::string_view::npos || (in.size() - star) % 2 == 0)
			fail(what);
		std::string one;
		for (std::size_t i = star + 1; i + 1 < in.size(); i += 2) {
			const int high = digit(in[i]), low = digit(in[i + 1]);
			if (high < 0 || low < 0)
				fail(what);
			one.push_back(static_cast<char>(high << 4 | low));
		}
		std::string out;
		for (long n = std::atol(std::string{in.substr(0, star)}.c_str()); n > 0; --n)
			out += one;
		return out;
	}
	[[noreturn]] void fail(const char *what) const
	{
		die("line " + std::to_string(number_) + ": expected " + what);
	}

private:
	std::string_view rest_;
	int number_;
	bool over_ = false;
};

class reader {
public:
	explicit reader(plan &to) : to_(to) {}

	void line(std::string_view text, int number)
	{
		fields f{text, number};
		const std::string_view what = f.take("a word");
		if (what == "name")
			to_.name = f.word("a name"), program_says = "player: " + to_.name;
		else if (what == "gap")
			to_.gap_ns = f.number("nanoseconds");
		else if (what == "setup")
			to_.setup.push_back(command_of(f));
		else if (what == "task")
			to_.tasks.push_back({f.word("a name"), f.word("a namespace")});
		else if (what == "warm" || what == "step")
			to_.steps.push_back(step_of(f, what == "warm"));
		else
			f.fail("name, gap, setup, task, warm or step");
	}

private:
	static command command_of(fields &f)
	{
		command c;
		c.fails = f.number("0, or 1: it must fail") != 0;
		while (f.more())
			c.words.push_back(f.word("a word"));
		if (c.words.empty())
			f.fail("a command");
		return c;
	}

	int descriptor(fields &f)
	{
		const std::string name = f.word("a descriptor");
		for (std::size_t i = 0; i < to_.descriptors.size(); ++i)
			if (to_.descriptors[i] == name)
				return static_cast<int>(i);
		to_.descriptors.push_back(name);
		return static_cast<int>(to_.descriptors.size() - 1);
	}

	int task_of(fields &f) const
	{
		const std::string name = f.word("a task");
		for (std::size_t i = 0; i < to_.tasks.size(); ++i)
			if (to_.tasks[i].name == name)
				return static_cast<int>(i);
		f.fail("a task of this plan");
	}

	step step_of(fields &f, bool warm)
	{
		step s;
		s.warm = warm;
		s.number = f.word("a number");
		s.task = task_of(f);
		s.phase = f.word("a phase");
		if (s.phase == "-")
			s.phase.clear();
		s.async = f.number("0 or 1") != 0;
		const std::string_view name = f.take("a call");
		const named_call *known = nullptr;
		for (const named_call &c : calls)
			if (name == c.name)
				known = &c;
		if (!known)
			f.fail("a call");
		s.what = known->what;
		arguments(f, s);
		if (f.more())
			f.fail("the end of the line");
		return s;
	}

	void arguments(fields &f, step &s)
	{
		switch (s.what) {
		case call::run:
			s.run = command_of(f);
			break;
		case call::socket:
			s.as = descriptor(f);
			s.a = f.number("a domain");
			s.b = f.number("a type");
			s.c = f.number("a protocol");
			s.netns = f.word("a namespace, or -");
			if (s.netns == "-")
				s.netns.clear();
			break;
		case call::bind:
		case call::connect:
			s.fd = descriptor(f);
			s.address = f.bytes("an address");
			break;
		case call::listen:
			s.fd = descriptor(f);
			s.a = f.number("a backlog");
			break;
		case call::accept:
			s.fd = descriptor(f);
			s.as = descriptor(f);
			s.a = f.number("flags");
			s.b = f.number("0, or 1: with an address");
			break;
		case call::sendto:
		case call::send:
			s.fd = descriptor(f);
			s.a = f.number("flags");
			s.data = f.bytes("data");
			if (s.what == call::sendto)
				s.address = f.bytes("an address");
			break;
		case call::write:
			s.fd = descriptor(f);
			s.data = f.bytes("data");
			break;
		case call::recv:
		case call::recvfrom:
			s.fd = descriptor(f);
			s.size = static_cast<std::size_t>(f.number("a size"));
			s.a = f.number("flags");
			break;
		case call::read:
			s.fd = descriptor(f);
			s.size = static_cast<std::size_t>(f.number("a size"));
			break;
		case call::shutdown:
			s.fd = descriptor(f);
			s.a = f.number("how");
			break;
		case call::close:
		case call::getsockname:
		case call::getpeername:
			s.fd = descriptor(f);
			break;
		case call::setsockopt:
			s.fd = descriptor(f);
			s.a = f.number("a level");
			s.b = f.number("an option");
			s.data = f.bytes("a value");
			break;
		case call::getsockopt:
			s.fd = descriptor(f);
			s.a = f.number("a level");
			s.b = f.number("an option");
			s.size = static_cast<std::size_t>(f.number("a size"));
			break;
		case call::poll:
			s.a = f.number("milliseconds");
			while (f.more()) {
				const int fd = descriptor(f);
				s.polls.push_back({fd, static_cast<std::uint32_t>(f.number("events"))});
			}
			break;
		case call::epoll_create:
			s.as = descriptor(f);
			break;
		case call::epoll_ctl:
			s.as = descriptor(f);
			s.a = f.number("an operation");
			s.fd = descriptor(f);
			s.b = f.number("events");
			break;
		case call::epoll_wait:
			s.fd = descriptor(f);
			s.size = static_cast<std::size_t>(f.number("a number of events"));
			s.a = f.number("milliseconds");
			break;
		case call::setns:
			s.netns = f.word("a namespace");
			break;
		case call::sleep:
			s.a = f.number("nanoseconds");
			break;
		}
	}

	plan &to_;
};

} // namespace

void say(const std::string &what) { std::fprintf(stderr, "%s: %s\n", program_says.c_str(), what.c_str()); }

void die(const std::string &what)
{
	say(what);
	std::_Exit(1);
}

void die_errno(const std::string &what) { die(what + ": " + std::strerror(errno)); }

std::string escaped(const std::string &text)
{
	std::string out;
	for (const char c : text) {
		const auto byte = static_cast<unsigned char>(c);
		if (byte <= ' ' || byte >= 127 || c == '%' || c == '=' || c == ',')
			out += "%" + hex(&c, 1);
		else
			out.push_back(c);
	}
	return out;
}

std::string hex(const void *bytes, std::size_t n)
{
	static constexpr char digits[] = "0123456789abcdef";
	const auto *from = static_cast<const unsigned char *>(bytes);
	std::string out;
	out.reserve(2 * n);
	for (std::size_t i = 0; i < n; ++i) {
		out.push_back(digits[from[i] >> 4]);
		out.push_back(digits[from[i] & 15]);
	}
	return out;
}

plan plan::read(const char *file)
{
	plan out;
	std::FILE *const in = std::fopen(file, "r");
	char *line = nullptr;
	std::size_t room = 0;
	int number = 0;

	if (!in)
		die_errno(file);
	reader lines{out};
	for (ssize_t n; (n = getline(&line, &room, in)) > 0;) {
		++number;
		std::string_view text{line, static_cast<std::size_t>(n)};
		if (text.ends_with('\n'))
			text.remove_suffix(1);
		if (!text.empty() && text.front() != '#')
			lines.line(text, number);
	}
	std::free(line);
	std::fclose(in);
	if (out.tasks.empty())
		die(std::string{file} + ": no task in it");
	return out;
}

} // namespace player
