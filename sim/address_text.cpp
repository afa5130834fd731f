// SPDX-License-Identifier: GPL-2.0-only
//
// Addresses from text and back, without the host's resolver.
#include "sim/address_text.h"

#include <charconv>
#include <cstring>
#include <vector>

#include <fmt/format.h>

namespace skbwalk::sim {

namespace {

std::optional<u64> digits(std::string_view text, int base, u64 most)
{
	u64 v = 0;
	const char *const end = text.data() + text.size();
	const auto [p, error] = std::from_chars(text.data(), end, v, base);
	if (text.empty() || error != std::errc{} || p != end || v > most)
		return {};
	return v;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
	std::vector<std::string_view> out;
	for (;;) {
		const std::size_t at = text.find(separator);
		out.push_back(text.substr(0, at));
		if (at == std::string_view::npos)
			return out;
		text.remove_prefix(at + 1);
	}
}

// The groups between colons; an IPv4 address may end them.
std::optional<std::vector<u16>> groups(std::string_view text)
{
	std::vector<u16> out;
	if (text.empty())
		return out;
	for (const std::string_view part : split(text, ':')) {
		if (part.find('.') != std::string_view::npos) {
			const auto v4 = parse_ipv4(part);
			if (!v4)
				return {};
			out.push_back(static_cast<u16>(v4->b[0] << 8 | v4->b[1]));
			out.push_back(static_cast<u16>(v4->b[2] << 8 | v4->b[3]));
			continue;
		}
		const auto v = part.size() <= 4 ? digits(part, 16, 0xffff) : std::optional<u64>{};
		if (!v)
			return {};
		out.push_back(static_cast<u16>(*v));
	}
	return out;
}

} // namespace

std::optional<u64> parse_number(std::string_view text, u64 most) { return digits(text, 10, most); }

std::optional<be32> parse_ipv4(std::string_view text)
{
	const auto parts = split(text, '.');
	be32 out{};
	if (parts.size() != 4)
		return {};
	for (std::size_t i = 0; i < 4; ++i) {
		const auto v = parts[i].size() <= 3 ? digits(parts[i], 10, 255) : std::optional<u64>{};
		if (!v)
			return {};
		out.b[i] = static_cast<u8>(*v);
	}
	return out;
}

std::optional<ipv4_prefix> parse_ipv4_prefix(std::string_view text)
{
	ipv4_prefix out;
	if (text == "default" || text == "any" || text == "all") {
		out.length = 0;
		out.has_length = true;
		return out;
	}
	const std::size_t slash = text.find('/');
	if (slash != std::string_view::npos) {
		const auto length = digits(text.substr(slash + 1), 10, 32);
		if (!length)
			return {};
		out.length = static_cast<u8>(*length);
		out.has_length = true;
	}
	// iproute2 fills missing numbers up with zeros.
	std::string full{text.substr(0, slash)};
	for (auto n = split(full, '.').size(); n < 4; ++n)
		full += ".0";
	const auto a = parse_ipv4(full);
	if (!a)
		return {};
	out.addr = *a;
	return out;
}

std::optional<in6_addr> parse_ipv6(std::string_view text)
{
	in6_addr out{};
	const std::size_t gap = text.find("::");
	const auto head = groups(text.substr(0, gap));
	const auto tail = gap == std::string_view::npos ? std::vector<u16>{} : groups(text.substr(gap + 2));
	if (!head || !tail)
		return {};
	const std::size_t given = head->size() + tail->size();
	if (gap == std::string_view::npos ? given != 8 : given > 7)
		return {};
	const auto put = [&out](std::size_t at, u16 v) {
		out.s6_addr[2 * at] = static_cast<u8>(v >> 8);
		out.s6_addr[2 * at + 1] = static_cast<u8>(v);
	};
	for (std::size_t i = 0; i < head->size(); ++i)
		put(i, (*head)[i]);
	for (std::size_t i = 0; i < tail->size(); ++i)
		put(8 - tail->size() + i, (*tail)[i]);
	return out;
}

std::optional<mac_addr> parse_mac(std::string_view text)
{
	const auto parts = split(text, ':');
	mac_addr out{};
	if (parts.size() != sizeof(out))
		return {};
	for (std::size_t i = 0; i < parts.size(); ++i) {
		const auto v = parts[i].size() <= 2 ? digits(parts[i], 16, 255) : std::optional<u64>{};
		if (!v)
			return {};
		out[i] = static_cast<u8>(*v);
	}
	return out;
}

std::optional<address> parse_socket_address(std::string_view text)
{
	address out;
	out.text = text;
	std::string_view port = "0";
	if (text.starts_with('[')) {
		const std::size_t close = text.find(']');
		if (close == std::string_view::npos)
			return {};
		const auto a = parse_ipv6(text.substr(1, close - 1));
		const std::string_view rest = text.substr(close + 1);
		if (!a || (!rest.empty() && !rest.starts_with(':')))
			return {};
		if (!rest.empty())
			port = rest.substr(1);
		sockaddr_in6 in6{};
		in6.sin6_addr = *a;
		const auto number = digits(port, 10, 65535);
		if (!number)
			return {};
		in6.sin6_port = htons(static_cast<u16>(*number));
		std::memcpy(out.bytes.bytes, &in6, sizeof(in6));
		out.len = sizeof(in6);
		return out;
	}
	const std::size_t colon = text.find(':');
	if (colon != std::string_view::npos)
		port = text.substr(colon + 1);
	const auto a = parse_ipv4(text.substr(0, colon));
	const auto number = digits(port, 10, 65535);
	if (!a || !number)
		return {};
	sockaddr_in in{};
	in.sin_addr = *a;
	in.sin_port = htons(static_cast<u16>(*number));
	std::memcpy(out.bytes.bytes, &in, sizeof(in));
	out.len = sizeof(in);
	return out;
}

std::string ipv4_text(be32 a) { return fmt::format("{}.{}.{}.{}", a.b[0], a.b[1], a.b[2], a.b[3]); }

std::string ipv6_text(const in6_addr &a)
{
	const auto group = [&a](std::size_t i) {
		return static_cast<u16>(a.s6_addr[2 * i] << 8 | a.s6_addr[2 * i + 1]);
	};
	std::size_t best = 8, best_length = 1; // the longest run of zeros, of two or more
	for (std::size_t i = 0; i < 8; ++i) {
		std::size_t n = 0;
		while (i + n < 8 && group(i + n) == 0)
			++n;
		if (n > best_length) {
			best = i;
			best_length = n;
		}
	}
	if (best == 0 && best_length == 5 && group(5) == 0xffff)
		return fmt::format("::ffff:{}.{}.{}.{}", a.s6_addr[12], a.s6_addr[13], a.s6_addr[14],
		                   a.s6_addr[15]);
	std::string out;
	for (std::size_t i = 0; i < 8;) {
		if (i == best) {
			out += "::";
			i += best_length;
			continue;
		}
		if (!out.empty() && !out.ends_with(':'))
			out += ':';
		out += fmt::format("{:x}", group(i++));
	}
	return out;
}

std::string mac_text(const mac_addr &m)
{
	return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", m[0], m[1], m[2], m[3], m[4], m[5]);
}

std::string socket_address_text(const sockaddr_storage &a)
{
	switch (a.family()) {
	case AF_INET: {
		const auto &in = a.as<sockaddr_in>();
		return fmt::format("{}:{}", ipv4_text(in.sin_addr), ntohs(in.sin_port));
	}
	case AF_INET6: {
		const auto &in6 = a.as<sockaddr_in6>();
		return fmt::format("[{}]:{}", ipv6_text(in6.sin6_addr), ntohs(in6.sin6_port));
	}
	default:
		return fmt::format("family {}", a.family());
	}
}

} // namespace skbwalk::sim
