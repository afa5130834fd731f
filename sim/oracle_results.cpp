// SPDX-License-Identifier: GPL-2.0-only
//
// Reading the player's results, and the comparison step by step.
#include "sim/oracle_results.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "sim/address_text.h"
#include "sim/oracle_plan.h"
#include "sim/oracle_tcp_info.h"
#include "sim/tree_text.h"
#include "stack/core/sock.h"

namespace skbwalk::sim {

namespace {

constexpr u16 ephemeral_first = 32768, ephemeral_last = 60999;

std::vector<std::string_view> split(std::string_view line, char separator)
{
	std::vector<std::string_view> out;
	for (;;) {
		const std::size_t end = line.find(separator);
		out.push_back(line.substr(0, end));
		if (end == line.npos)
			return out;
		line.remove_prefix(end + 1);
	}
}

class line_reader {
public:
	line_reader(const std::string &file, u32 number, std::string_view line)
		: fields_(split(line, '\t')), file_(file), number_(number)
	{}

	[[nodiscard]] std::size_t size() const { return fields_.size(); }
	[[nodiscard]] std::string_view at(std::size_t i) const { return fields_[i]; }
	template <class T> [[nodiscard]] T number(std::size_t i, int base = 10) const
	{
		T out{};
		const std::string_view f = fields_[i];
		const auto r = std::from_chars(f.data(), f.data() + f.size(), out, base);
		if (r.ec != std::errc{} || r.ptr != f.data() + f.size())
			fail("a number");
		return out;
	}
	[[nodiscard]] std::string bytes(std::size_t i) const
	{
		const std::string_view f = fields_[i];
		std::string out;
		if (f == "-")
			return out;
		for (std::size_t at = 0; at + 1 < f.size(); at += 2) {
			unsigned byte = 0;
			const auto r = std::from_chars(f.data() + at, f.data() + at + 2, byte, 16);
			if (r.ec != std::errc{} || r.ptr != f.data() + at + 2)
				fail("bytes in hexadecimal");
			out.push_back(static_cast<char>(byte));
		}
		return out;
	}
	[[noreturn]] void fail(std::string_view expected) const
	{
		throw bad_trace(fmt::format("{}:{}: expected {}", file_, number_, expected));
	}

private:
	std::vector<std::string_view> fields_;
	const std::string &file_;
	u32 number_;
};

step_outcome outcome_of(const line_reader &l)
{
	step_outcome o;
	const std::string_view state = l.at(2);
	o.state = state == "returned" ? step_outcome::state_kind::returned
	          : state == "waits"  ? step_outcome::state_kind::waits
	                              : step_outcome::state_kind::never;
	o.result = l.number<long>(3);
	if (const int error = l.number<int>(4))
		o.result = -error;
	o.length = l.number<u64>(6);
	o.hash = l.number<u64>(7, 16);
	o.head = l.bytes(8);
	o.address = l.bytes(9);
	if (l.at(10) != "-")
		for (const std::string_view event : split(l.at(10), ',')) {
			const std::vector<std::string_view> parts = split(event, '=');
			u32 mask = 0;
			if (parts.size() != 2 ||
			    std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), mask).ec !=
			            std::errc{})
				l.fail("events by descriptor");
			o.events[plain_word(parts[0])] = mask;
		}
	return o;
}

bool makes_descriptor(call_kind c)
{
	return c == call_kind::socket || c == call_kind::accept || c == call_kind::epoll_create;
}

u16 port_of(const std::string &address)
{
	return address.size() < 4
	               ? u16{0}
	               : static_cast<u16>(static_cast<u8>(address[2]) << 8 | static_cast<u8>(address[3]));
}
bool is_ephemeral(u16 port) { return port >= ephemeral_first && port <= ephemeral_last; }

bool same_address(std::string a, std::string b)
{
	if (a.size() != b.size())
		return false;
	if (is_ephemeral(port_of(a)) && is_ephemeral(port_of(b)))
		a[2] = a[3] = b[2] = b[3] = 0;
	return a == b;
}

// A raw socket reads the IP header too, whose identification is random.
std::string without_identification(std::string packet)
{
	for (const std::size_t at : {4, 5, 10, 11})
		if (at < packet.size())
			packet[at] = 0;
	return packet;
}

bool same_data(const step_outcome &a, const step_outcome &b, bool raw)
{
	return a.length == b.length && (a.hash == b.hash || (raw && without_identification(a.head) ==
	                                                                    without_identification(b.head)));
}

std::string result_text(long result)
{
	return result < 0 ? errno_name(static_cast<int>(-result)) : fmt::format("{}", result);
}

std::string hex_text(const std::string &bytes)
{
	std::string out;
	for (const char c : bytes.substr(0, 32))
		out += fmt::format("{:02x}", static_cast<unsigned char>(c));
	return bytes.size() > 32 ? out + "..." : out;
}

// What differs between the two; empty: nothing that counts.
std::string difference(const step &s, step_outcome kernel, step_outcome model, bool raw)
{
	if (makes_descriptor(s.call)) {
		kernel.result = std::min(kernel.result, 0L);
		model.result = std::min(model.result, 0L);
	}
	if (kernel.state != model.state || kernel.result != model.result)
		return fmt::format("kernel: {}, model: {}", kernel.text(), model.text());
	if (s.call == call_kind::getsockopt && s.level == SOL_TCP && s.option == TCP_INFO)
		return differences_of_tcp_info(kernel.head, model.head);
	if (!same_data(kernel, model, raw))
		return fmt::format("other data: kernel {} bytes {}, model {} bytes {}", kernel.length,
		                   hex_text(kernel.head), model.length, hex_text(model.head));
	if (!same_address(kernel.address, model.address))
		return fmt::format("another address: kernel {}, model {}", hex_text(kernel.address),
		                   hex_text(model.address));
	if (kernel.events != model.events) {
		std::string out = "other events:";
		for (const auto &[name, o] : {std::pair{"kernel", &kernel}, std::pair{"model", &model}}) {
			out += fmt::format(" {}", name);
			for (const auto &[fd, mask] : o->events)
				out += fmt::format(" {} {}", fd, poll_names(mask));
		}
		return out;
	}
	return {};
}

} // namespace

u64 outcome_hash(std::string_view data)
{
	u64 h = 0xcbf29ce484222325;
	for (const char c : data)
		h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
	return h;
}

std::string step_outcome::text() const
{
	return state == state_kind::returned ? result_text(result)
	       : state == state_kind::waits  ? "waits"
	                                     : "never begins";
}

outcomes read_outcomes(std::string_view text, const std::string &file)
{
	outcomes out;
	for (u32 number = 1; !text.empty(); ++number) {
		const std::size_t end = std::min(text.find('\n'), text.size());
		const line_reader l{file, number, text.substr(0, end)};
		text.remove_prefix(std::min(end + 1, text.size()));
		if (l.at(0) == "packet" && l.size() == 5) {
			out.frames.push_back({l.at(1) == "@" ? std::string{} : plain_word(l.at(1)),
			                      std::string{l.at(2)}, l.number<u64>(3), l.bytes(4)});
		} else if (l.at(0) == "end" && l.size() == 2) {
			out.end_ns = l.number<u64>(1);
		} else if (l.at(0) == "tick" && l.size() == 2) {
			out.tick = l.number<u64>(1);
		} else if (l.at(0) == "lost" && l.size() == 3) {
			out.notes.push_back(
				fmt::format("{} packets of namespace {} were not seen", l.at(2), l.at(1)));
		} else if (l.at(0) == "printed" && l.size() == 4) {
			out.printed[{l.at(1) == "warm", l.number<u32>(2)}] = l.bytes(3);
		} else if ((l.at(0) == "warm" || l.at(0) == "step") && l.size() == 11) {
			out.steps[{l.at(0) == "warm", l.number<u32>(1)}] = outcome_of(l);
		} else {
			l.fail("a line of the player's results");
		}
	}
	return out;
}

std::vector<std::string> differences(const scenario &s, const outcomes &kernel, const outcomes &model)
{
	std::vector<std::string> out;
	std::set<std::pair<std::string, std::string>> raw; // by task and descriptor
	const auto look = [&](const step &one, bool warm) {
		if (one.call == call_kind::run)
			return;
		if (one.call == call_kind::socket && one.type == SOCK_RAW)
			raw.insert({one.task, one.as});
		const auto find = [&](const outcomes &o) {
			const auto it = o.steps.find({warm, one.number});
			return it == o.steps.end() ? step_outcome{} : it->second;
		};
		if (const std::string d =
		            difference(one, find(kernel), find(model), raw.contains({one.task, one.fd}));
		    !d.empty())
			out.push_back(fmt::format("{}: {}: {}", one.where, one.text(), d));
	};
	for (const step &w : s.warmup)
		look(w, true);
	for (const step &one : s.steps)
		look(one, false);
	return out;
}

std::vector<std::string> text_differences(const scenario &s, const outcomes &kernel, const outcomes &model)
{
	std::vector<std::string> out;
	const auto look = [&](const step &one, bool warm) {
		if (one.call != call_kind::run)
			return;
		const auto lines_of = [&](const outcomes &o) {
			const auto it = o.printed.find({warm, one.number});
			return split(it == o.printed.end() ? std::string_view{} : it->second, '\n');
		};
		const std::vector<std::string_view> real = lines_of(kernel), ours = lines_of(model);
		const auto [a, b] = std::ranges::mismatch(real, ours);
		if (a == real.end() && b == ours.end())
			return;
		const auto text = [](const auto &at, const auto &lines) {
			return at == lines.end() ? std::string{"nothing more"} : fmt::format("\"{}\"", *at);
		};
		out.push_back(fmt::format("{}: `{}`: line {}: kernel: {}, model: {}", one.where,
		                          one.command.run, a - real.begin() + 1, text(a, real),
		                          text(b, ours)));
	};
	for (const step &w : s.warmup)
		look(w, true);
	for (const step &one : s.steps)
		look(one, false);
	return out;
}

} // namespace skbwalk::sim
