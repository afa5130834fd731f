// SPDX-License-Identifier: GPL-2.0-only
//
// Addresses as people write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/scenario.h"
#include "stack/wire/headers.h"
#include "stack/wire/socket.h"

namespace skbwalk::sim {

struct ipv4_prefix {
	be32 addr{};
	u8 length = 32;
	bool has_length = false;
};

[[nodiscard]] std::optional<be32> parse_ipv4(std::string_view text);
// A.B.C.D[/LEN]; `default` is 0.0.0.0/0. The short forms of iproute2 (10/8) count too.
[[nodiscard]] std::optional<ipv4_prefix> parse_ipv4_prefix(std::string_view text);
[[nodiscard]] std::optional<in6_addr> parse_ipv6(std::string_view text);
[[nodiscard]] std::optional<mac_addr> parse_mac(std::string_view text);
// A.B.C.D[:PORT] or [IPv6][:PORT]
[[nodiscard]] std::optional<address> parse_socket_address(std::string_view text);
[[nodiscard]] std::optional<u64> parse_number(std::string_view text, u64 most);

[[nodiscard]] std::string ipv4_text(be32 a);
[[nodiscard]] std::string ipv6_text(const in6_addr &a);
[[nodiscard]] std::string mac_text(const mac_addr &m);
[[nodiscard]] std::string socket_address_text(const sockaddr_storage &a);

} // namespace skbwalk::sim
