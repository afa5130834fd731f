// SPDX-License-Identifier: GPL-2.0-only
//
// Text and numbers into structures as setsockopt() takes them.
#include "sim/socket_option_text.h"

#include <cassert>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "stack/core/filter.h"
#include "stack/ipv4/tcp_md5.h"

namespace skbwalk::sim {

std::string md5_option(const address &peer, const std::string &key, std::optional<u8> prefix_length)
{
	tcp_md5sig cmd{};

	assert(key.size() <= sizeof(cmd.tcpm_key));
	cmd.tcpm_addr = peer.bytes;
	cmd.tcpm_flags = prefix_length ? TCP_MD5SIG_FLAG_PREFIX : 0;
	cmd.tcpm_prefixlen = prefix_length.value_or(0);
	cmd.tcpm_keylen = static_cast<u16>(key.size());
	std::memcpy(cmd.tcpm_key, key.data(), key.size());
	return {reinterpret_cast<const char *>(&cmd), sizeof(cmd)};
}

std::string filter_instruction(u16 code, u8 jt, u8 jf, u32 k)
{
	const sock_filter f{code, jt, jf, k};

	return {reinterpret_cast<const char *>(&f), sizeof(f)};
}

std::string filter_of_text(std::string_view text)
{
	std::vector<u32> numbers;
	const char *p = text.data(), *const end = p + text.size();

	while (p < end) {
		if (*p == ' ' || *p == '\n' || *p == '\t' || *p == ',') {
			++p;
			continue;
		}
		u32 value = 0;
		const auto [after, error] = std::from_chars(p, end, value);
		if (error != std::errc{})
			throw bad_filter(fmt::format(
				"expected numbers as tcpdump -ddd prints them, found \"{}\"",
				std::string_view(
					p, std::min<std::size_t>(12, static_cast<std::size_t>(end - p)))));
		numbers.push_back(value);
		p = after;
	}
	if (numbers.empty() || numbers.size() != 1 + std::size_t{numbers[0]} * 4)
		throw bad_filter(
			fmt::format("expected the number of instructions and then four numbers for each, "
		                    "found {} numbers",
		                    numbers.size()));
	std::string out;
	for (std::size_t i = 1; i < numbers.size(); i += 4) {
		if (numbers[i] > 0xffff || numbers[i + 1] > 0xff || numbers[i + 2] > 0xff)
			throw bad_filter(fmt::format("expected code, jt, jf and k, found {} {} {} {}",
			                             numbers[i], numbers[i + 1], numbers[i + 2],
			                             numbers[i + 3]));
		out += filter_instruction(static_cast<u16>(numbers[i]), static_cast<u8>(numbers[i + 1]),
		                          static_cast<u8>(numbers[i + 2]), numbers[i + 3]);
	}
	return out;
}

} // namespace skbwalk::sim
