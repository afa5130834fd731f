// SPDX-License-Identifier: GPL-2.0-only
//
// The loader: JSON text to a scenario, or one error that names file, place and what was expected. Text is
// scanned for depth first, so that a file of brackets costs nothing; keys that stand twice or that nobody
// knows are errors, since a misspelt `expect` would otherwise check nothing.
#include "sim/scenario.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/address_text.h"
#include "sim/scenario_names.h"
#include "sim/selinux_policy.h"
#include "sim/socket_option_text.h"
#include "stack/core/sock.h"
#include "stack/kernel/random.h"
#include "stack/socket.h"
#include "stack/trace/recorder.h"

namespace skbwalk::sim {

namespace {

using json = nlohmann::ordered_json; // hosts and tasks are listed in the order of the file

constexpr std::size_t file_bytes_max = 16 << 20;
constexpr std::size_t depth_max = 32;
constexpr std::size_t steps_max = 1'000'000;
constexpr std::size_t data_bytes_max = 64 << 20;
constexpr u32 cpus_max = 64;
constexpr double ms_max = 1e9;
constexpr std::size_t wires_max = 200;

std::string place(std::string_view text, std::size_t byte)
{
	const std::string_view before = text.substr(0, byte);
	const auto line = 1 + std::ranges::count(before, '\n');
	const std::size_t last = before.rfind('\n');
	const std::size_t column = 1 + byte - (last == std::string_view::npos ? 0 : last + 1);
	return fmt::format("{}:{}", line, column);
}

std::string escaped(std::string_view key)
{
	std::string out;
	for (const char c : key)
		out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
	return out;
}

std::string shown(const json &value)
{
	std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
	if (text.size() > 40)
		text = text.substr(0, 37) + "...";
	return text;
}

// A value and where it stands.
class node {
public:
	node(const json &value, std::string path, const std::string &file)
		: value_(value), path_(std::move(path)), file_(file)
	{}

	[[noreturn]] void fail(const std::string &what) const
	{
		throw bad_scenario(fmt::format("{}: {}: {}", file_, path_.empty() ? "/" : path_, what));
	}
	[[noreturn]] void expected(std::string_view what) const
	{
		fail(fmt::format("expected {}, found {}", what, shown(value_)));
	}

	[[nodiscard]] const json &value() const { return value_; }
	[[nodiscard]] const std::string &path() const { return path_; }
	[[nodiscard]] bool is_object() const { return value_.is_object(); }
	[[nodiscard]] bool is_array() const { return value_.is_array(); }
	[[nodiscard]] bool is_string() const { return value_.is_string(); }
	[[nodiscard]] bool is_number() const { return value_.is_number_integer(); }
	[[nodiscard]] bool is_boolean() const { return value_.is_boolean(); }

	// An object with no other keys than these.
	void keys(std::string_view what, const std::vector<std::string_view> &allowed) const
	{
		if (!value_.is_object())
			expected(what);
		for (const auto &[key, v] : value_.items())
			if (std::ranges::find(allowed, key) == allowed.end())
				throw bad_scenario(fmt::format("{}: {}/{}: unknown key; expected one of {}",
				                               file_, path_, escaped(key),
				                               fmt::join(allowed, ", ")));
	}
	[[nodiscard]] bool has(std::string_view key) const { return value_.contains(key); }
	[[nodiscard]] node at(std::string_view key) const
	{
		const auto it = value_.find(key);
		if (it == value_.end())
			fail(fmt::format("expected the key \"{}\"", key));
		return {*it, path_ + "/" + escaped(key), file_};
	}
	[[nodiscard]] std::vector<node> elements(std::string_view what) const
	{
		if (!value_.is_array())
			expected(what);
		std::vector<node> out;
		for (std::size_t i = 0; i < value_.size(); ++i)
			out.emplace_back(value_[i], fmt::format("{}/{}", path_, i), file_);
		return out;
	}
	[[nodiscard]] std::vector<std::pair<std::string, node>> members(std::string_view what) const
	{
		if (!value_.is_object())
			expected(what);
		std::vector<std::pair<std::string, node>> out;
		for (const auto &[key, v] : value_.items())
			out.emplace_back(key, node{v, path_ + "/" + escaped(key), file_});
		return out;
	}
	[[nodiscard]] std::string string(std::string_view what) const
	{
		if (!value_.is_string())
			expected(what);
		return value_.get<std::string>();
	}
	[[nodiscard]] std::string name(std::string_view what) const
	{
		std::string s = string(what);
		if (s.empty())
			expected(fmt::format("{}, not empty", what));
		return s;
	}
	[[nodiscard]] bool boolean() const
	{
		if (!value_.is_boolean())
			expected("true or false");
		return value_.get<bool>();
	}
	[[nodiscard]] s64 integer(std::string_view what, s64 least, s64 most) const
	{
		const bool fits =
			value_.is_number_integer() &&
			(!value_.is_number_unsigned() || value_.get<u64>() <= static_cast<u64>(INT64_MAX));
		if (!fits || value_.get<s64>() < least || value_.get<s64>() > most)
			expected(fmt::format("{} from {} to {}", what, least, most));
		return value_.get<s64>();
	}
	// Milliseconds with a fraction, as nanoseconds.
	[[nodiscard]] u64 milliseconds() const
	{
		if (!value_.is_number() || !(value_.get<double>() >= 0) || value_.get<double>() > ms_max)
			expected("milliseconds, a number from 0 to 1000000000");
		return static_cast<u64>(std::llround(value_.get<double>() * 1e6));
	}
	[[nodiscard]] double probability() const
	{
		if (!value_.is_number() || !(value_.get<double>() >= 0) || value_.get<double>() > 1)
			expected("a probability, a number from 0 to 1");
		return value_.get<double>();
	}
	[[nodiscard]] long constant(std::span<const named_constant> names, std::string_view what) const
	{
		if (value_.is_string()) {
			if (const auto v = value_of(names, value_.get<std::string>()))
				return *v;
		}
		expected(fmt::format("{}: {}", what, one_of(names)));
	}
	[[nodiscard]] long constant_or_number(std::span<const named_constant> names,
	                                      std::string_view what) const
	{
		if (value_.is_number_integer())
			return static_cast<long>(integer(what, 0, INT32_MAX));
		return constant(names, fmt::format("{}, a number or a name", what));
	}
	// One name or an array of them, or-ed.
	[[nodiscard]] long flags(std::span<const named_constant> names, std::string_view what) const
	{
		if (!value_.is_array())
			return constant(names, what);
		long out = 0;
		for (const node &n : elements(what))
			out |= n.constant(names, what);
		return out;
	}

private:
	const json &value_;
	std::string path_;
	const std::string &file_;
};

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

std::string hex_bytes(const node &n)
{
	std::string out;
	int half = -1;
	for (const char c : n.string("bytes in hexadecimal")) {
		if (c == ' ' || c == ':')
			continue;
		const int digit = hex_digit(c);
		if (digit < 0)
			n.expected("bytes in hexadecimal");
		if (half < 0) {
			half = digit;
			continue;
		}
		out.push_back(static_cast<char>(half << 4 | digit));
		half = -1;
	}
	if (half >= 0)
		n.expected("bytes in hexadecimal, two digits each");
	return out;
}

// "text", or an object with one of text, hex, bytes, and how often.
std::string data_of(const node &n)
{
	if (n.is_string())
		return n.string("data");
	n.keys("data: a string, or an object with one of text, hex or bytes",
	       {"text", "hex", "bytes", "seed", "repeat"});
	if (n.has("text") + n.has("hex") + n.has("bytes") != 1)
		n.expected("data with one of text, hex or bytes");
	std::string one;
	if (n.has("text"))
		one = n.at("text").string("a string");
	else if (n.has("hex"))
		one = hex_bytes(n.at("hex"));
	else {
		const auto count = static_cast<std::size_t>(
			n.at("bytes").integer("a number of bytes", 0, data_bytes_max));
		const u64 seed =
			n.has("seed") ? static_cast<u64>(n.at("seed").integer("a seed", 0, INT64_MAX)) : 0;
		random_stream random{seed, "data"};
		one.reserve(count);
		while (one.size() < count)
			one.push_back(static_cast<char>(random.next()));
	}
	const auto times =
		n.has("repeat")
			? static_cast<std::size_t>(n.at("repeat").integer("a number of times", 1, 1 << 24))
			: 1;
	if (one.size() * times > data_bytes_max)
		n.fail(fmt::format("expected at most {} bytes of data", data_bytes_max));
	std::string out;
	out.reserve(one.size() * times);
	for (std::size_t i = 0; i < times; ++i)
		out += one;
	return out;
}

address address_of(const node &n)
{
	const std::string text = n.string("an address");
	const auto a = parse_socket_address(text);
	if (!a)
		n.expected("an address: A.B.C.D:PORT, A.B.C.D, [IPv6]:PORT or [IPv6]");
	return *a;
}

template <class T> std::string bytes_of(const T &value)
{
	return {reinterpret_cast<const char *>(&value), sizeof(value)};
}

// A key for signed segments to and from a peer.
std::string key_of(const node &n)
{
	const std::string key = n.at("key").string("a key");
	std::optional<u8> prefix;

	if (key.size() > 80)
		n.at("key").expected("a key of at most 80 bytes");
	if (n.has("prefix"))
		prefix = static_cast<u8>(n.at("prefix").integer("a prefix's length", 0, 128));
	return md5_option(address_of(n.at("addr")), key, prefix);
}

// A classic BPF program: an array of [code, jt, jf, k], or what tcpdump -ddd prints.
std::string filter_of(const node &n)
{
	if (n.is_string()) {
		try {
			return filter_of_text(n.string("a program"));
		} catch (const bad_filter &e) {
			n.fail(e.what());
		}
	}
	std::string out;
	for (const node &instruction : n.elements("a program: [[code, jt, jf, k], ...] or a string")) {
		const auto parts = instruction.elements("an instruction: [code, jt, jf, k]");
		if (parts.size() != 4)
			instruction.expected("an instruction: [code, jt, jf, k]");
		out += filter_instruction(
			static_cast<u16>(parts[0].integer("a code", 0, 0xffff)),
			static_cast<u8>(parts[1].integer("a distance", 0, 255)),
			static_cast<u8>(parts[2].integer("a distance", 0, 255)),
			static_cast<u32>(parts[3].integer("a number", INT32_MIN, UINT32_MAX)));
	}
	return out;
}

// What setsockopt is given: an int, a time, a linger, bytes, or a string.
std::string option_value(const node &n)
{
	if (n.is_number())
		return bytes_of(static_cast<int>(n.integer("an option's value", INT32_MIN, INT32_MAX)));
	if (n.is_string())
		return n.string("an option's value");
	n.keys("an option's value: a number, a string, {\"sec\", \"usec\"}, {\"onoff\", \"linger\"}, {\"addr\", "
	       "\"key\"}, {\"filter\"} or {\"hex\"}",
	       {"sec", "usec", "onoff", "linger", "hex", "addr", "key", "prefix", "filter"});
	if (n.has("filter"))
		return filter_of(n.at("filter"));
	if (n.has("key"))
		return key_of(n);
	if (n.has("hex"))
		return hex_bytes(n.at("hex"));
	if (n.has("onoff"))
		return bytes_of(
			linger_opt{static_cast<int>(n.at("onoff").integer("0 or 1", 0, 1)),
		                   static_cast<int>(n.at("linger").integer("seconds", 0, INT32_MAX))});
	return bytes_of(old_timeval{n.at("sec").integer("seconds", 0, INT32_MAX),
	                            n.has("usec") ? n.at("usec").integer("microseconds", 0, 999'999) : 0});
}

int errno_of(const node &n) { return static_cast<int>(n.constant(errno_names(), "an errno")); }

std::vector<polled> events_by_fd(const node &n)
{
	std::vector<polled> out;
	for (const auto &[fd, events] : n.members("an object: descriptor to events"))
		out.push_back({fd, static_cast<u32>(events.flags(poll_event_names(), "events"))});
	return out;
}

range range_of(const node &n)
{
	if (n.is_number()) {
		const auto v = static_cast<u64>(n.integer("a count", 0, INT64_MAX));
		return {v, v};
	}
	n.keys("a count, or an object with min or max", {"min", "max"});
	range r;
	if (n.has("min"))
		r.least = static_cast<u64>(n.at("min").integer("a count", 0, INT64_MAX));
	if (n.has("max"))
		r.most = static_cast<u64>(n.at("max").integer("a count", 0, INT64_MAX));
	return r;
}

step_expectation expectation_of(const node &n)
{
	step_expectation e;

	e.is_default = false;
	if (n.is_number()) {
		e.result = n.integer("a result", INT64_MIN / 2, INT64_MAX / 2);
		return e;
	}
	if (n.is_string()) {
		if (n.value() == "anything")
			e.anything = true;
		else
			e.error = errno_of(n);
		return e;
	}
	n.keys("an expectation: a result, an errno, \"anything\" or an object",
	       {"result", "errno", "data", "addr", "value", "events", "took_us"});
	if (n.has("result"))
		e.result = n.at("result").integer("a result", INT64_MIN / 2, INT64_MAX / 2);
	if (n.has("errno"))
		e.error = errno_of(n.at("errno"));
	if (n.has("data"))
		e.data = data_of(n.at("data"));
	if (n.has("addr"))
		e.addr = address_of(n.at("addr"));
	if (n.has("value"))
		e.value = option_value(n.at("value"));
	if (n.has("events"))
		e.events = events_by_fd(n.at("events"));
	if (n.has("took_us"))
		e.took_us = range_of(n.at("took_us"));
	return e;
}

std::vector<std::string> strings_of(const node &n, std::string_view what)
{
	std::vector<std::string> out;
	for (const node &e : n.elements(what))
		out.push_back(e.name(what));
	return out;
}

// What every step has, and what each call adds.
const std::vector<std::string_view> common_keys = {"task",  "call",   "phase", "async",
                                                   "times", "expect", "note"};

std::vector<std::string_view> keys_of(call_kind call)
{
	std::vector<std::string_view> own;
	switch (call) {
	case call_kind::run:
		break;
	case call_kind::socket:
		own = {"as", "domain", "type", "protocol", "flags", "netns"};
		break;
	case call_kind::bind:
	case call_kind::connect:
		own = {"fd", "addr"};
		break;
	case call_kind::listen:
		own = {"fd", "backlog"};
		break;
	case call_kind::accept:
		own = {"fd", "as", "flags"};
		break;
	case call_kind::send:
		own = {"fd", "data", "flags"};
		break;
	case call_kind::sendto:
		own = {"fd", "data", "flags", "addr"};
		break;
	case call_kind::recv:
	case call_kind::recvfrom:
		own = {"fd", "size", "flags"};
		break;
	case call_kind::read:
		own = {"fd", "size"};
		break;
	case call_kind::write:
		own = {"fd", "data"};
		break;
	case call_kind::shutdown:
		own = {"fd", "how"};
		break;
	case call_kind::close:
	case call_kind::getsockname:
	case call_kind::getpeername:
		own = {"fd"};
		break;
	case call_kind::setsockopt:
		own = {"fd", "level", "option", "value"};
		break;
	case call_kind::getsockopt:
		own = {"fd", "level", "option", "size"};
		break;
	case call_kind::poll:
		own = {"fds", "timeout_ms"};
		break;
	case call_kind::epoll_create:
		own = {"as"};
		break;
	case call_kind::epoll_ctl:
		own = {"epoll", "op", "fd", "events"};
		break;
	case call_kind::epoll_wait:
		own = {"epoll", "max", "timeout_ms"};
		break;
	case call_kind::setns:
		own = {"netns"};
		break;
	case call_kind::sleep:
		own = {"ms"};
		break;
	case call_kind::echo:
		own = {"fd", "bytes", "size", "after_us"};
		break;
	case call_kind::tasklet:
		own = {"tasklet", "op", "work_ns"};
		break;
	case call_kind::sched_setaffinity:
		own = {"cpus"};
		break;
	}
	own.insert(own.begin(), common_keys.begin(), common_keys.end());
	return own;
}

class reader {
public:
	reader(const json &root, const std::string &file) : root_(root, "", file) { out_.file = file; }

	scenario read()
	{
		root_.keys("an object",
		           {"$schema", "name", "about", "seed", "hosts", "wires", "devices", "cost", "gap_ms",
		            "lsm", "selinux", "setup", "tasks", "warmup", "steps", "expect"});
		out_.name = root_.at("name").name("a name");
		out_.about = root_.at("about").name("what the scenario shows");
		if (root_.has("seed"))
			out_.seed = static_cast<u64>(root_.at("seed").integer("a seed", 0, INT64_MAX));
		if (root_.has("gap_ms"))
			out_.gap_ns = root_.at("gap_ms").milliseconds();
		read_hosts();
		read_wires();
		read_cost();
		read_devices();
		read_security();
		if (root_.has("setup"))
			for (const node &n : root_.at("setup").elements("an array of commands"))
				out_.setup.push_back(command(n));
		read_tasks();
		u32 number = 0;
		if (root_.has("warmup"))
			read_steps(root_.at("warmup"), out_.warmup, number, false);
		number = 0;
		const node steps = root_.at("steps");
		read_steps(steps, out_.steps, number, true);
		if (out_.steps.empty())
			steps.expected("at least one step");
		check_phases();
		if (root_.has("expect"))
			read_expect(root_.at("expect"));
		return std::move(out_);
	}

private:
	void read_hosts()
	{
		if (!root_.has("hosts")) {
			out_.hosts.emplace_back("host", 1);
			return;
		}
		const node hosts = root_.at("hosts");
		for (const auto &[name, n] : hosts.members("an object: host to what it has")) {
			n.keys("an object", {"cpus", "interleave"});
			const auto cpus =
				n.has("cpus") ? n.at("cpus").integer("a number of cpus", 1, cpus_max) : 1;
			out_.hosts.emplace_back(name, static_cast<u32>(cpus));
			if (n.has("interleave"))
				out_.interleave[name] = static_cast<u32>(
					n.at("interleave")
						.integer("a number of function entries", 1, 1'000'000));
		}
		if (out_.hosts.empty())
			hosts.expected("at least one host");
		if (out_.hosts.size() > 200)
			hosts.fail("expected at most 200 hosts");
	}

	// HOST:DEVICE
	wire_description::end end_of_wire(const node &n) const
	{
		const std::string text = n.name("an end: HOST:DEVICE");
		const std::size_t colon = text.find(':');
		wire_description::end e;

		if (colon == std::string::npos || colon + 1 == text.size() || text.size() - colon > 16)
			n.expected("an end: HOST:DEVICE");
		e.host = text.substr(0, colon);
		e.dev = text.substr(colon + 1);
		if (std::ranges::none_of(out_.hosts, [&](const auto &h) { return h.first == e.host; }))
			n.expected("an end: HOST:DEVICE, of a host of this file");
		for (const wire_description &w : out_.wires)
			for (const wire_description::end &o : {w.a, w.b})
				if (o.host == e.host && o.dev == e.dev)
					n.fail(fmt::format("expected each device at one wire, {} has one",
					                   text));
		return e;
	}

	void read_wires()
	{
		if (!root_.has("wires"))
			return;
		for (const node &n : root_.at("wires").elements("an array of wires")) {
			wire_description w;

			n.keys("an object",
			       {"a", "b", "name", "driver", "rate", "delay_us", "jitter_us", "queue", "loss",
			        "duplicate", "reorder", "reorder_us", "corrupt", "batch_us", "batch_at_us",
			        "batch_to", "interrupt_gap_us", "note"});
			w.where = n.path();
			w.name = n.has("name") ? n.at("name").name("a wire's name")
			                       : fmt::format("wire{}", out_.wires.size());
			w.a = end_of_wire(n.at("a"));
			w.b = end_of_wire(n.at("b"));
			if (w.a.host == w.b.host && w.a.dev == w.b.dev)
				n.at("b").expected("another device than that at a");
			if (n.has("driver")) {
				w.driver = n.at("driver").string("a driver: e1000");
				if (w.driver != "e1000")
					n.at("driver").expected("a driver: e1000");
			}
			w.options = wire_options(n);
			read_batches(n, w);
			if (n.has("interrupt_gap_us"))
				w.interrupt_gap_ns =
					static_cast<u64>(n.at("interrupt_gap_us")
				                                 .integer("microseconds", 0, 100'000)) *
					NSEC_PER_USEC;
			for (const wire_description &o : out_.wires)
				if (o.name == w.name)
					n.fail(fmt::format(
						"expected each wire to have its own name, {} is {}'s", w.name,
						o.where));
			out_.wires.push_back(std::move(w));
		}
		if (out_.wires.size() > wires_max)
			root_.at("wires").fail(fmt::format("expected at most {} wires", wires_max));
	}

	static link_options wire_options(const node &n)
	{
		link_options o;
		const auto microseconds = [&n](std::string_view key) {
			return static_cast<u64>(n.at(key).integer("microseconds", 0, 1'000'000'000)) *
			       NSEC_PER_USEC;
		};
		const auto probability = [&n](const char *key, double &to) {
			if (n.has(key))
				to = n.at(key).probability();
		};

		if (n.has("rate")) {
			const auto rate = parse_rate(n.at("rate").string("a rate: 10mbit, 1gbit"));
			if (!rate || !*rate)
				n.at("rate").expected("a rate: a number and bit, kbit, mbit or gbit");
			o.bits_per_second = *rate;
		}
		if (n.has("delay_us"))
			o.delay_ns = microseconds("delay_us");
		if (n.has("jitter_us"))
			o.jitter_ns = microseconds("jitter_us");
		if (n.has("reorder_us"))
			o.reorder_ns = microseconds("reorder_us");
		if (n.has("queue"))
			o.queue_packets_max =
				static_cast<u32>(n.at("queue").integer("a number of frames", 1, 1'000'000));
		probability("loss", o.loss);
		probability("duplicate", o.duplicate);
		probability("reorder", o.reorder);
		probability("corrupt", o.corrupt);
		return o;
	}

	void read_batches(const node &n, wire_description &w) const
	{
		for (const char *key : {"batch_at_us", "batch_to"})
			if (n.has(key) && !n.has("batch_us"))
				n.at(key).fail("expected \"batch_us\" beside it");
		if (!n.has("batch_us"))
			return;

		const auto nanoseconds = [&n](const char *key, long min) {
			return static_cast<u64>(n.at(key).integer("microseconds", min, 1'000'000)) *
			       NSEC_PER_USEC;
		};
		const u64 every_ns = nanoseconds("batch_us", 1);

		w.options.batch_ns = {every_ns, every_ns};
		if (n.has("batch_to")) {
			const bool to_a = sender_at(w, n.at("batch_to")) == w.a.host;
			w.options.batch_ns[to_a ? 1 : 0] = 0;
		}
		if (n.has("batch_at_us"))
			w.options.batch_at_ns = nanoseconds("batch_at_us", 0);
	}

	const wire_description &wire_of(const node &n) const
	{
		const std::string name = n.name("a wire's name");
		const auto found = std::ranges::find(out_.wires, name, &wire_description::name);
		if (found == out_.wires.end())
			n.expected("the name of a wire of this file");
		return *found;
	}

	std::string sender_at(const wire_description &w, const node &n) const
	{
		std::string name = host_of(n);
		if (w.a.host == w.b.host || (name != w.a.host && name != w.b.host))
			n.expected("a host that is at one end of this wire");
		return name;
	}

	void read_security()
	{
		if (root_.has("lsm")) {
			for (const node &n : root_.at("lsm").elements("an array of security modules")) {
				const std::string name = n.name("selinux or bpf");
				if ((name != "selinux" && name != "bpf") ||
				    std::ranges::find(out_.lsm, name) != out_.lsm.end())
					n.expected("selinux or bpf, each once");
				out_.lsm.push_back(name);
			}
		}
		if (!root_.has("selinux"))
			return;
		const node selinux = root_.at("selinux");
		selinux.keys("an object", {"enforcing", "policy"});
		if (std::ranges::find(out_.lsm, "selinux") == out_.lsm.end())
			selinux.fail("expected \"selinux\" among the modules of \"lsm\"");
		if (selinux.has("enforcing"))
			out_.selinux_enforcing = selinux.at("enforcing").boolean();
		const auto statements = selinux.at("policy").elements("an array of a policy's statements");
		for (const node &n : statements)
			out_.selinux_policy.push_back(n.name("a statement"));
		try {
			policy_ = read_policy(out_.selinux_policy);
		} catch (const bad_policy &e) {
			statements[e.statement].fail(e.what());
		}
	}

	void read_cost()
	{
		if (!root_.has("cost"))
			return;
		const node cost = root_.at("cost");
		cost.keys("an object", {"hosts", "syscall_ns", "hop_ns", "call_ns", "functions"});
		if (cost.has("hosts"))
			for (const node &n : cost.at("hosts").elements("an array of hosts"))
				out_.cost_hosts.push_back(host_of(n));
		if (cost.has("call_ns"))
			out_.call_cost_ns =
				static_cast<u64>(cost.at("call_ns").integer("nanoseconds", 0, 1'000'000'000));
		if (cost.has("functions"))
			for (const auto &[name, n] :
			     cost.at("functions").members("an object: function to nanoseconds")) {
				if (!is_modelled(name))
					n.fail(fmt::format("expected the name of a function that is modelled "
					                   "(skbwalk list functions), found \"{}\"",
					                   name));
				out_.function_cost_ns[name] =
					static_cast<u64>(n.integer("nanoseconds", 0, 1'000'000'000));
			}
		if (cost.has("syscall_ns"))
			out_.syscall_cost_ns = static_cast<u32>(
				cost.at("syscall_ns").integer("nanoseconds", 0, 1'000'000'000));
		if (cost.has("hop_ns"))
			out_.hop_cost_ns =
				static_cast<u32>(cost.at("hop_ns").integer("nanoseconds", 0, 1'000'000'000));
	}

	void read_devices()
	{
		if (!root_.has("devices"))
			return;
		for (const node &n : root_.at("devices").elements("an array of devices"))
			out_.devices.push_back(irq_device_of(n));
	}

	irq_device_description irq_device_of(const node &n) const
	{
		using kind = irq_device_description::driver_kind;
		irq_device_description d;
		n.keys("a device", {"name", "host", "irq", "trigger", "shared", "driver", "raises", "note"});
		d.where = n.path();
		d.name = n.at("name").name("a device's name");
		d.host = n.has("host") ? host_of(n.at("host")) : out_.hosts.front().first;
		d.irq = static_cast<unsigned>(
			n.at("irq").integer("the number of a line", 0, IOAPIC_PINS - 1));
		if (n.has("trigger")) {
			const std::string trigger = n.at("trigger").string("level or edge");
			if (trigger != "level" && trigger != "edge")
				n.at("trigger").expected("level or edge");
			d.level = trigger == "level";
		}
		if (n.has("shared"))
			d.shared = n.at("shared").boolean();
		if (n.has("driver")) {
			const std::string driver = n.at("driver").string("handler, thread or none");
			if (driver != "handler" && driver != "thread" && driver != "none")
				n.at("driver").expected("handler, thread or none");
			d.driver = driver == "none"     ? kind::none
			           : driver == "thread" ? kind::thread
			                                : kind::handler;
		}
		if (n.has("raises"))
			for (const node &r : n.at("raises").elements("an array of times"))
				d.raises.push_back(raise_of(r));
		return d;
	}

	static irq_device_description::raise raise_of(const node &n)
	{
		irq_device_description::raise r;
		n.keys("a time", {"at_ms", "every_ms", "count", "for_ms"});
		r.at_ns = n.at("at_ms").milliseconds();
		if (n.has("every_ms"))
			r.every_ns = n.at("every_ms").milliseconds();
		if (n.has("count"))
			r.count = static_cast<u32>(n.at("count").integer("how often", 1, 1'000'000));
		if (r.count > 1 && !r.every_ns)
			n.fail("expected the key \"every_ms\", more than 0, where \"count\" is more than 1");
		if (n.has("for_ms"))
			r.for_ns = n.at("for_ms").milliseconds();
		return r;
	}

	static bool is_modelled(const std::string &name)
	{
		bool found = false;
		trace::for_each_site([&](const trace::site &one) { found = found || name == one.name; });
		return found;
	}

	std::string host_of(const node &n) const
	{
		std::string name = n.name("a host's name");
		if (std::ranges::none_of(out_.hosts, [&](const auto &h) { return h.first == name; }))
			n.expected("the name of a host of this file");
		return name;
	}

	setup_line command(const node &n) const
	{
		setup_line line;
		line.where = n.path();
		if (n.is_string()) {
			line.run = n.name("a command");
			return line;
		}
		n.keys("a command: a string, or an object with \"run\"",
		       {"run", "fails", "prints", "host", "note"});
		line.run = n.at("run").name("a command");
		if (n.has("fails"))
			line.fails = n.at("fails").name("the message that the command fails with");
		if (n.has("prints"))
			line.prints = n.at("prints").name("text that the command prints");
		if (n.has("host"))
			line.host = host_of(n.at("host"));
		return line;
	}

	void read_tasks()
	{
		const node tasks = root_.at("tasks");
		for (const auto &[name, n] : tasks.members("an object: task to where it runs")) {
			task_description t;
			t.name = name;
			n.keys("an object", {"netns", "host", "cpu", "context"});
			if (name.empty() || name.size() > 15)
				n.fail("expected a task's name of 1 to 15 characters");
			t.host = n.has("host") ? host_of(n.at("host")) : out_.hosts.front().first;
			if (n.has("netns"))
				t.netns = n.at("netns").string("a namespace, or \"\" for the initial one");
			if (n.has("context")) {
				const node context = n.at("context");
				t.context = context.name("a context");
				if (!policy_ || !context_of(*policy_, t.context))
					context.expected(
						"a context, user:role:type[:range], of a type of the "
						"policy in \"selinux\"");
			}
			if (n.has("cpu")) {
				const auto host = std::ranges::find(out_.hosts, t.host,
				                                    &std::pair<std::string, u32>::first);
				t.cpu = static_cast<u32>(n.at("cpu").integer("a cpu", 0, host->second - 1));
			}
			out_.tasks.push_back(std::move(t));
		}
		if (out_.tasks.empty())
			tasks.expected("at least one task");
		if (out_.tasks.size() > 200)
			tasks.fail("expected at most 200 tasks");
	}

	void read_steps(const node &list, std::vector<step> &to, u32 &number, bool recorded)
	{
		for (const node &n : list.elements("an array of steps")) {
			if (n.is_object() && n.has("repeat")) {
				n.keys("an object", {"repeat", "steps", "note"});
				const auto times = n.at("repeat").integer("a number of times", 1, 100'000);
				for (s64 i = 0; i < times; ++i)
					read_steps(n.at("steps"), to, number, recorded);
			} else {
				to.push_back(read_step(n, recorded));
				to.back().number = ++number;
			}
			if (to.size() > steps_max)
				n.fail(fmt::format("expected at most {} steps", steps_max));
		}
	}

	// The names of a task's descriptors so far.
	void need_fd(const node &n, const std::string &task, const std::string &fd) const
	{
		if (!fds_.contains({task, fd}))
			n.fail(fmt::format("expected a descriptor that task {} has made, found \"{}\"", task,
			                   fd));
	}
	std::string fd_of(const node &n, const std::string &task) const
	{
		std::string fd = n.name("a descriptor's name");
		need_fd(n, task, fd);
		return fd;
	}

	step read_step(const node &n, bool recorded)
	{
		step s;
		s.where = n.path();
		if (n.is_object() && n.has("run")) {
			s.call = call_kind::run;
			s.command = command(n);
			return s;
		}
		if (!n.is_object())
			n.expected("a step: an object with \"call\", \"run\" or \"repeat\"");
		const node call = n.at("call");
		const std::string called = call.string("a call's name");
		const auto known = std::ranges::find_if(all_calls(), [&](const call_description &c) {
			return c.name == called && c.kind != call_kind::run;
		});
		if (known == all_calls().end()) {
			std::vector<std::string_view> names;
			for (const call_description &c : all_calls())
				if (c.kind != call_kind::run)
					names.push_back(c.name);
			call.expected(fmt::format("one of {}", fmt::join(names, ", ")));
		}
		s.call = known->kind;
		n.keys("a step", keys_of(s.call));
		s.task = out_.tasks.front().name;
		if (n.has("task")) {
			s.task = n.at("task").name("a task's name");
			if (!out_.find_task(s.task))
				n.at("task").expected("the name of a task of this file");
		} else if (out_.tasks.size() > 1) {
			n.fail("expected the key \"task\", since the file has several");
		}
		if (n.has("phase")) {
			if (!recorded)
				n.at("phase").fail("expected no phase: warm-up is not recorded");
			s.phase = n.at("phase").name("a phase's name");
			if (s.phase.find_first_of(" \t\n") != std::string::npos)
				n.at("phase").expected("a phase's name without spaces");
		}
		if (n.has("async"))
			s.async = n.at("async").boolean();
		if (n.has("times"))
			s.times = static_cast<u32>(n.at("times").integer("how often", 1, 1'000'000));
		if (n.has("note"))
			static_cast<void>(n.at("note").string("a remark"));
		if (n.has("expect"))
			s.expect = expectation_of(n.at("expect"));
		arguments(n, s);
		return s;
	}

	void arguments(const node &n, step &s)
	{
		if (n.has("fd"))
			s.fd = fd_of(n.at("fd"), s.task);
		if (n.has("epoll")) {
			s.as = s.call == call_kind::epoll_ctl ? fd_of(n.at("epoll"), s.task) : "";
			if (s.call == call_kind::epoll_wait)
				s.fd = fd_of(n.at("epoll"), s.task);
		}
		if (n.has("addr"))
			s.addr = address_of(n.at("addr"));
		if (n.has("data"))
			s.data = data_of(n.at("data"));
		if (n.has("size"))
			s.size = static_cast<std::size_t>(
				n.at("size").integer("a number of bytes", 0, data_bytes_max));
		if (n.has("timeout_ms"))
			s.timeout_ms =
				static_cast<int>(n.at("timeout_ms").integer("milliseconds", -1, INT32_MAX));
		if (n.has("netns"))
			s.netns = n.at("netns").string("a namespace, or \"\" for the initial one");

		switch (s.call) {
		case call_kind::run:
			break;
		case call_kind::socket:
			if (n.has("domain"))
				s.domain = static_cast<int>(
					n.at("domain").constant_or_number(domain_names(), "a domain"));
			if (n.has("type"))
				s.type = static_cast<int>(
					n.at("type").constant_or_number(type_names(), "a type"));
			if (n.has("protocol"))
				s.protocol = static_cast<int>(
					n.at("protocol").constant_or_number(protocol_names(), "a protocol"));
			if (n.has("flags"))
				s.flags = static_cast<int>(n.at("flags").flags(type_flag_names(), "flags"));
			break;
		case call_kind::bind:
		case call_kind::connect:
			need(n, {"fd", "addr"});
			break;
		case call_kind::listen:
			need(n, {"fd"});
			s.backlog = n.has("backlog") ? static_cast<int>(n.at("backlog").integer(
							       "a backlog", INT32_MIN, INT32_MAX))
			                             : 128;
			break;
		case call_kind::accept:
			need(n, {"fd"});
			if (n.has("flags"))
				s.flags = static_cast<int>(n.at("flags").flags(type_flag_names(), "flags"));
			break;
		case call_kind::send:
		case call_kind::sendto:
			need(n, {"fd", "data"});
			if (n.has("flags"))
				s.flags =
					static_cast<int>(n.at("flags").flags(message_flag_names(), "flags"));
			break;
		case call_kind::recv:
		case call_kind::recvfrom:
			need(n, {"fd", "size"});
			if (n.has("flags"))
				s.flags =
					static_cast<int>(n.at("flags").flags(message_flag_names(), "flags"));
			break;
		case call_kind::read:
			need(n, {"fd", "size"});
			break;
		case call_kind::write:
			need(n, {"fd", "data"});
			break;
		case call_kind::shutdown:
			need(n, {"fd"});
			s.how = static_cast<int>(n.at("how").constant(how_names(), "one of"));
			break;
		case call_kind::close:
			need(n, {"fd"});
			fds_.erase({s.task, s.fd});
			break;
		case call_kind::getsockname:
		case call_kind::getpeername:
			need(n, {"fd"});
			break;
		case call_kind::setsockopt:
		case call_kind::getsockopt:
			need(n, {"fd", "option"});
			option(n, s);
			break;
		case call_kind::poll:
			for (const node &e : n.at("fds").elements("an array of {\"fd\", \"events\"}")) {
				e.keys("an object", {"fd", "events"});
				s.polls.push_back({fd_of(e.at("fd"), s.task),
				                   static_cast<u32>(e.at("events").flags(poll_event_names(),
				                                                         "events"))});
			}
			break;
		case call_kind::epoll_create:
			break;
		case call_kind::epoll_ctl:
			need(n, {"epoll", "op", "fd"});
			epoll_ctl(n, s);
			break;
		case call_kind::epoll_wait:
			need(n, {"epoll"});
			s.size = n.has("max") ? static_cast<std::size_t>(
							n.at("max").integer("a number of events", 0, 4096))
			                      : 16;
			break;
		case call_kind::setns:
			need(n, {"netns"});
			break;
		case call_kind::sleep:
			s.sleep_ns = n.at("ms").milliseconds();
			break;
		case call_kind::echo:
			need(n, {"fd"});
			s.size = n.has("size")
			                 ? static_cast<std::size_t>(n.at("size").integer("bytes", 1, 1 << 20))
			                 : 65536;
			if (n.has("bytes"))
				s.echo_bytes = static_cast<u64>(n.at("bytes").integer("bytes", 1, 1 << 30));
			if (n.has("after_us"))
				s.sleep_ns =
					static_cast<u64>(
						n.at("after_us").integer("microseconds", 0, 1'000'000'000)) *
					NSEC_PER_USEC;
			break;
		case call_kind::sched_setaffinity: {
			for (const node &one : n.at("cpus").elements("an array of cpus"))
				s.cpus |= u64{1} << one.integer("a cpu", 0, 63);
			break;
		}
		case call_kind::tasklet: {
			const node op = n.at("op");
			const auto *known = std::ranges::find(tasklet_ops, op.name("what to do with it"));
			if (known == std::end(tasklet_ops))
				op.expected(fmt::format("one of {}", fmt::join(tasklet_ops, ", ")));
			s.op = static_cast<int>(known - std::begin(tasklet_ops));
			s.as = n.at("tasklet").name("a tasklet");
			if (n.has("work_ns"))
				s.sleep_ns = static_cast<u64>(
					n.at("work_ns").integer("nanoseconds", 0, 1'000'000'000));
			break;
		}
		}
		if (s.call == call_kind::socket || s.call == call_kind::accept ||
		    s.call == call_kind::epoll_create) {
			s.as = n.at("as").name("a name for the new descriptor");
			fds_.insert({s.task, s.as});
		}
	}

	static void need(const node &n, std::initializer_list<std::string_view> keys)
	{
		for (const std::string_view key : keys)
			static_cast<void>(n.at(key));
	}

	void option(const node &n, step &s) const
	{
		const node option = n.at("option");
		const std::string name = option.is_string() ? option.string("an option") : "";
		if (n.has("level"))
			s.level =
				static_cast<int>(n.at("level").constant_or_number(level_names(), "a level"));
		else if (name.starts_with("SO_"))
			s.level = SOL_SOCKET;
		else if (name.starts_with("TCP_"))
			s.level = SOL_TCP;
		else if (name.starts_with("UDP_"))
			s.level = SOL_UDP;
		else if (name.starts_with("IPV6_"))
			s.level = SOL_IPV6;
		else if (name.starts_with("IP_"))
			s.level = SOL_IP;
		else
			n.fail("expected the key \"level\"");
		s.option = static_cast<int>(option.constant_or_number(option_names(s.level), "an option"));
		if (s.call == call_kind::setsockopt) {
			const node value = n.at("value");
			s.data = option_value(value);
			s.filter = value.is_object() && value.has("filter");
		} else if (!n.has("size"))
			s.size = sizeof(int);
	}

	void epoll_ctl(const node &n, step &s) const
	{
		const node op = n.at("op");
		const std::string name = op.string("an operation");
		s.op = name == "EPOLL_CTL_ADD"   ? EPOLL_CTL_ADD
		       : name == "EPOLL_CTL_DEL" ? EPOLL_CTL_DEL
		                                 : EPOLL_CTL_MOD;
		if (s.op == EPOLL_CTL_MOD && name != "EPOLL_CTL_MOD")
			op.expected("EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL");
		polled p{s.fd, 0};
		if (s.op != EPOLL_CTL_DEL)
			p.events = static_cast<u32>(n.at("events").flags(poll_event_names(), "events"));
		s.polls.push_back(p);
	}

	void check_phases() const
	{
		std::set<std::string> done;
		std::string now;
		for (const step &s : out_.steps) {
			if (s.call == call_kind::run) // a command in a phase does not end it
				continue;
			if (s.phase != now && !now.empty())
				done.insert(now);
			now = s.phase;
			if (done.contains(now))
				throw bad_scenario(fmt::format(
					"{}: {}/phase: expected the steps of phase \"{}\" one after another",
					out_.file, s.where, now));
		}
	}

	void read_expect(const node &n)
	{
		n.keys("an object", {"sockets", "counters", "packets", "calls", "audit", "softnet"});
		if (n.has("sockets"))
			for (const node &e : n.at("sockets").elements("an array"))
				read_socket(e);
		if (n.has("counters"))
			for (const node &e : n.at("counters").elements("an array"))
				read_counter(e);
		if (n.has("packets"))
			for (const node &e : n.at("packets").elements("an array"))
				read_packets(e);
		if (n.has("calls"))
			for (const node &e : n.at("calls").elements("an array"))
				read_calls(e);
		if (n.has("audit"))
			for (const node &e : n.at("audit").elements("an array"))
				read_audit(e);
		if (n.has("softnet"))
			for (const node &e : n.at("softnet").elements("an array"))
				read_softnet(e);
	}

	void read_softnet(const node &e)
	{
		e.keys("an object", {"host", "cpu", "column", "value"});
		softnet_expectation s;
		s.where = e.path();
		s.host = e.has("host") ? host_of(e.at("host")) : out_.hosts.front().first;
		if (e.has("cpu"))
			s.cpu = cpu_of(e.at("cpu"), s.host);
		s.column = e.at("column").name("a column of /proc/net/softnet_stat");
		if (std::ranges::find(softnet_columns, s.column) == std::end(softnet_columns))
			e.at("column").expected(fmt::format("one of {}", fmt::join(softnet_columns, ", ")));
		s.value = range_of(e.at("value"));
		out_.expect_softnet.push_back(std::move(s));
	}

	u32 cpu_of(const node &n, const std::string &on) const
	{
		const auto host = std::ranges::find(out_.hosts, on, &std::pair<std::string, u32>::first);
		return static_cast<u32>(n.integer("a cpu of the host", 0, host->second - 1));
	}

	void read_audit(const node &e)
	{
		audit_expectation a;
		a.where = e.path();
		a.host = out_.hosts.front().first;
		if (e.is_string()) {
			a.text = e.name("text of a line of the audit log");
		} else {
			e.keys("text of a line of the audit log, or an object", {"host", "text", "count"});
			if (e.has("host"))
				a.host = host_of(e.at("host"));
			a.text = e.at("text").name("text of a line of the audit log");
			if (e.has("count"))
				a.count = range_of(e.at("count"));
		}
		out_.expect_audit.push_back(std::move(a));
	}

	void read_socket(const node &e)
	{
		e.keys("an object", {"task", "fd", "state"});
		socket_expectation s;
		s.where = e.path();
		s.task = e.has("task") ? e.at("task").name("a task") : out_.tasks.front().name;
		if (!out_.find_task(s.task))
			e.at("task").expected("the name of a task of this file");
		s.fd = fd_of(e.at("fd"), s.task);
		s.state = static_cast<u8>(e.at("state").constant(tcp_state_names(), "a state"));
		out_.expect_sockets.push_back(std::move(s));
	}

	void read_counter(const node &e)
	{
		e.keys("an object", {"host", "netns", "dev", "wire", "from", "name", "value"});
		counter_expectation c;
		c.where = e.path();
		if (e.has("wire")) {
			const wire_description &w = wire_of(e.at("wire"));
			c.wire = w.name;
			if (e.has("from"))
				c.from = sender_at(w, e.at("from"));
			c.name = e.at("name").name("a wire's counter");
			if (!wire_counter_known(c.name))
				e.at("name").expected(wire_counter_names());
		} else {
			c.host = e.has("host") ? host_of(e.at("host")) : out_.hosts.front().first;
			c.netns = e.has("netns") ? e.at("netns").string("a namespace") : "";
			if (e.has("dev"))
				c.dev = e.at("dev").name("a device");
			c.name = e.at("name").name(
				"a counter, as nstat names it (of a device: as ethtool -S)");
		}
		c.value = range_of(e.at("value"));
		out_.expect_counters.push_back(std::move(c));
	}

	void read_packets(const node &e)
	{
		e.keys("an object", {"host", "netns", "dev", "direction", "wire", "from", "bytes", "count",
		                     "gap_us", "tcp"});
		packet_expectation p;
		p.where = e.path();
		if (e.has("wire")) {
			const wire_description &w = wire_of(e.at("wire"));
			for (const char *key : {"host", "netns", "dev", "direction"})
				if (e.has(key))
					e.at(key).fail("expected no device of an expectation about a wire");
			p.wire = w.name;
			if (e.has("from"))
				p.from = sender_at(w, e.at("from"));
		} else {
			p.host = e.has("host") ? host_of(e.at("host")) : out_.hosts.front().first;
			p.netns = e.has("netns") ? e.at("netns").string("a namespace") : "";
			p.dev = e.at("dev").name("a device");
			if (e.has("direction")) {
				const node d = e.at("direction");
				const std::string way = d.string("in or out");
				if (way != "in" && way != "out")
					d.expected("in or out");
				p.in = way == "in";
				p.out = way == "out";
			}
		}
		if (e.has("count"))
			p.count = range_of(e.at("count"));
		if (e.has("bytes"))
			p.bytes = range_of(e.at("bytes"));
		if (e.has("gap_us"))
			p.gap_us = range_of(e.at("gap_us"));
		if (e.has("tcp"))
			p.tcp = strings_of(
				e.at("tcp"),
				"an array of flags as tcpdump writes them: S, S., ., P., F., R, R.");
		if (!p.count && !p.tcp)
			e.fail("expected the key \"count\" or the key \"tcp\"");
		out_.expect_packets.push_back(std::move(p));
	}

	void read_calls(const node &e)
	{
		e.keys("an object", {"phase", "task", "cpu", "order", "never"});
		call_expectation c;
		c.where = e.path();
		if (e.has("phase")) {
			c.phase = e.at("phase").name("a phase");
			if (std::ranges::none_of(out_.steps,
			                         [&](const step &s) { return s.phase == c.phase; }))
				e.at("phase").expected("a phase of this file");
		}
		if (e.has("task"))
			c.task = e.at("task").name("a task");
		if (e.has("cpu"))
			c.cpu = static_cast<u32>(e.at("cpu").integer("a cpu", 0, cpus_max - 1));
		if (e.has("order"))
			c.order = strings_of(e.at("order"), "an array of functions");
		if (e.has("never"))
			c.never = strings_of(e.at("never"), "an array of functions");
		out_.expect_calls.push_back(std::move(c));
	}

	node root_;
	scenario out_;
	std::unique_ptr<policydb> policy_;
	std::set<std::pair<std::string, std::string>> fds_;
};

void check_depth(std::string_view text, const std::string &file)
{
	std::size_t depth = 0;
	bool quoted = false;
	for (std::size_t i = 0; i < text.size(); ++i) {
		const char c = text[i];
		if (quoted) {
			if (c == '\\')
				++i;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > depth_max)
				throw bad_scenario(fmt::format("{}:{}: expected at most {} levels of nesting",
				                               file, place(text, i), depth_max));
		} else if ((c == ']' || c == '}') && depth) {
			--depth;
		}
	}
}

json parse_json(std::string_view text, const std::string &file)
{
	std::vector<std::set<std::string>> keys(depth_max + 2);
	const auto unique = [&](int depth, json::parse_event_t event, json &value) {
		const auto at = static_cast<std::size_t>(depth);
		if (event == json::parse_event_t::object_start)
			keys[at + 1].clear();
		if (event == json::parse_event_t::key && !keys[at].insert(value.get<std::string>()).second)
			throw bad_scenario(
				fmt::format("{}: expected each key once, found \"{}\" twice in one object",
			                    file, value.get<std::string>()));
		return true;
	};
	try {
		return json::parse(text, unique);
	} catch (const json::parse_error &e) {
		std::string what = e.what();
		// nlohmann's text: "[json.exception...] parse error at line 1, column 2: syntax error ..."
		if (const std::size_t cut = what.find(": "); cut != std::string::npos)
			what.erase(0, cut + 2);
		throw bad_scenario(fmt::format("{}:{}: expected JSON: {}", file,
		                               place(text, e.byte ? std::min(e.byte - 1, text.size()) : 0),
		                               what));
	} catch (const json::exception &e) {
		throw bad_scenario(fmt::format("{}: expected JSON: {}", file, e.what()));
	}
}

} // namespace

scenario parse_scenario(std::string_view text, const std::string &file)
{
	if (text.size() > file_bytes_max)
		throw bad_scenario(
			fmt::format("{}: expected a file of at most {} bytes", file, file_bytes_max));
	if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
		throw bad_scenario(fmt::format("{}:1:1: expected a JSON object, the file is empty", file));
	check_depth(text, file);
	const json root = parse_json(text, file);
	return reader{root, file}.read();
}

scenario load_scenario(const std::string &path)
{
	std::ifstream in{path, std::ios::binary};
	if (!in)
		throw no_scenario(fmt::format("{}: cannot be read", path));
	std::string text;
	std::vector<char> buffer(1 << 16);
	while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount()) {
		text.append(buffer.data(), static_cast<std::size_t>(in.gcount()));
		if (text.size() > file_bytes_max)
			break;
	}
	if (in.bad() || (text.empty() && !in.eof()))
		throw no_scenario(fmt::format("{}: cannot be read", path));
	return parse_scenario(text, path);
}

} // namespace skbwalk::sim
