// SPDX-License-Identifier: GPL-2.0-only
//
// Packets device by device, in the order that each saw them, as lines of text: what the clock or a random
// number decides is left out or told relative to the first (sequence numbers by direction, ephemeral ports by
// their order); checksums and IP identifications are not looked at.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "sim/oracle.h"
#include "stack/kernel/context.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t ethernet_bytes = 14;
// A timer's slot in the wheel, and what a step may take longer on a real kernel.
constexpr u64 last_moments_ns = 60 * NSEC_PER_MSEC;
constexpr u16 type_ip = 0x0800, type_arp = 0x0806;
constexpr u8 proto_icmp = 1, proto_tcp = 6, proto_udp = 17;

class reader {
public:
	explicit reader(std::string_view bytes) : bytes_(bytes) {}
	[[nodiscard]] u8 at8(std::size_t i) const
	{
		return i < bytes_.size() ? static_cast<u8>(bytes_[i]) : u8{0};
	}
	[[nodiscard]] u16 at16(std::size_t i) const { return static_cast<u16>(at8(i) << 8 | at8(i + 1)); }
	[[nodiscard]] u32 at32(std::size_t i) const { return u32{at16(i)} << 16 | at16(i + 2); }
	[[nodiscard]] std::size_t size() const { return bytes_.size(); }

private:
	std::string_view bytes_;
};

std::string ipv4(u32 a) { return fmt::format("{}.{}.{}.{}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255); }

// What one side's packets are called.
class describer {
public:
	std::string line(std::string_view bytes)
	{
		const reader p{bytes};
		switch (p.at16(12)) {
		case type_arp:
			return fmt::format("arp {} {} > {}", p.at16(20), ipv4(p.at32(28)), ipv4(p.at32(38)));
		case type_ip:
			return ip(p, ethernet_bytes);
		default:
			return {};
		}
	}

private:
	std::string ip(const reader &p, std::size_t at)
	{
		const std::size_t head = std::size_t{4} * (p.at8(at) & 15u);
		const u16 total = p.at16(at + 2), fragment = p.at16(at + 6);
		const u32 from = p.at32(at + 12), to = p.at32(at + 16);
		std::string out =
			fmt::format("{} > {} ttl {} tos {} len {}{}", ipv4(from), ipv4(to), p.at8(at + 8),
		                    p.at8(at + 1), total, fragment & 0x4000 ? " df" : "");
		if (fragment & 0x3fff)
			out += fmt::format(" fragment {}{}", 8 * (fragment & 0x1fff),
			                   fragment & 0x2000 ? "+" : "");
		if (fragment & 0x1fff)
			return out;
		const std::size_t body = at + head, length = total > head ? total - head : 0;
		switch (p.at8(at + 9)) {
		case proto_tcp:
			return out + tcp(p, body, length, from, to);
		case proto_udp:
			return out + fmt::format(" udp {} > {} length {}", port(p.at16(body)),
			                         port(p.at16(body + 2)), p.at16(body + 4));
		case proto_icmp:
			return out + fmt::format(" icmp {} {}", p.at8(body), p.at8(body + 1));
		default:
			return out + fmt::format(" protocol {}", p.at8(at + 9));
		}
	}

	std::string port(u16 number)
	{
		if (number < 32768 || number > 60999)
			return fmt::format("{}", number);
		const auto [it, added] = ports_.insert({number, ports_.size()});
		return fmt::format("e{}", it->second);
	}

	struct flow {
		u32 from, to;
		u16 from_port, to_port;
		friend auto operator<=>(const flow &, const flow &) = default;
	};

	// Relative to the direction's SYN, or to the first that was seen of it.
	u32 relative(const flow &f, u32 number, bool begins)
	{
		const auto it = first_.find(f);
		if (it == first_.end() || begins) {
			// A SYN that comes again is not a new connection.
			if (it != first_.end() && it->second == number)
				return 0;
			first_[f] = number;
			return 0;
		}
		return number - it->second;
	}

	std::string tcp(const reader &p, std::size_t at, std::size_t length, u32 from, u32 to)
	{
		static constexpr std::string_view letters = "FSRPAUEC";
		const u16 from_port = p.at16(at), to_port = p.at16(at + 2);
		const u8 flags = p.at8(at + 13);
		const std::size_t head = std::size_t{4} * (p.at8(at + 12) >> 4u);
		const flow there{from, to, from_port, to_port}, back{to, from, to_port, from_port};
		const bool syn = flags & 2u, ack = flags & 16u;
		std::string names;
		for (std::size_t i = 0; i < letters.size(); ++i)
			if (flags >> i & 1u)
				names.push_back(letters[i]);
		std::string out = fmt::format(" tcp {} > {} {} seq {}", port(from_port), port(to_port), names,
		                              relative(there, p.at32(at + 4), syn));
		if (ack)
			out += fmt::format(" ack {}", relative(back, p.at32(at + 8), false));
		out += fmt::format("{} length {}", p.at16(at + 14) ? "" : " win 0",
		                   length > head ? length - head : 0);
		if (flags & 32u)
			out += fmt::format(" urg {}", p.at16(at + 18));
		return out + options(p, at + 20, at + head, back);
	}

	std::string options(const reader &p, std::size_t at, std::size_t end, const flow &acked)
	{
		std::string out = " [";
		while (at < end && at < p.size()) {
			const u8 kind = p.at8(at), size = p.at8(at + 1);
			if (kind == 0)
				break;
			if (kind == 1) {
				out += "nop ";
				++at;
				continue;
			}
			if (size < 2)
				break;
			if (kind == 2)
				out += fmt::format("mss {} ", p.at16(at + 2));
			else if (kind == 3)
				out += fmt::format("wscale {} ", p.at8(at + 2));
			else if (kind == 4)
				out += "sackOK ";
			else if (kind == 5)
				for (std::size_t b = at + 2; b + 8 <= at + size; b += 8)
					out += fmt::format("sack {}-{} ", relative(acked, p.at32(b), false),
					                   relative(acked, p.at32(b + 4), false));
			else if (kind == 8)
				out += p.at32(at + 6) ? "ts ecr " : "ts ";
			else
				out += fmt::format("option {} ", kind);
			at += size;
		}
		if (out.ends_with(' '))
			out.pop_back();
		return out + "]";
	}

	std::map<u16, std::size_t> ports_;
	std::map<flow, u32> first_;
};

// What a device saw, and how many of it come before the last moments.
struct seen {
	std::vector<std::string> lines;
	std::size_t sure = 0;
};
using by_device = std::map<std::string, seen>;

by_device lines_of(const outcomes &o)
{
	by_device out;
	describer names;
	std::vector<frame> frames = o.frames;
	std::ranges::stable_sort(frames, {}, &frame::time_ns);
	for (const frame &f : frames) {
		std::string line = names.line(f.bytes);
		if (line.empty())
			continue;
		seen &device = out[f.netns.empty() ? f.device : f.netns + ":" + f.device];
		device.lines.push_back(std::move(line));
		if (f.time_ns + last_moments_ns < o.end_ns)
			device.sure = device.lines.size();
	}
	return out;
}

// Each has what the other surely has, in the same order.
bool same(const seen &a, const seen &b)
{
	const std::size_t both = std::min(a.lines.size(), b.lines.size());
	return both >= a.sure && both >= b.sure &&
	       std::equal(a.lines.begin(), a.lines.begin() + static_cast<std::ptrdiff_t>(both),
	                  b.lines.begin());
}

} // namespace

std::vector<std::string> packet_differences(const outcomes &kernel, const outcomes &model)
{
	by_device left = lines_of(kernel), right = lines_of(model);
	std::vector<std::string> out;
	for (const auto &[device, lines] : left)
		right.try_emplace(device);
	for (const auto &[device, theirs] : right) {
		const seen &real = left[device];
		if (same(real, theirs))
			continue;
		const auto [a, b] = std::ranges::mismatch(real.lines, theirs.lines);
		out.push_back(fmt::format(
			"{}, packet {} (kernel {}, model {}):\n    kernel: {}\n    model:  {}", device,
			a - real.lines.begin() + 1, real.lines.size(), theirs.lines.size(),
			a == real.lines.end() ? "none" : *a, b == theirs.lines.end() ? "none" : *b));
	}
	return out;
}

} // namespace skbwalk::sim
