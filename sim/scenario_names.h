// SPDX-License-Identifier: GPL-2.0-only
//
// Constants of the system-call interface by the names that C programs use for them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skbwalk::sim {

struct named_constant {
	std::string_view name;
	long value;
};

[[nodiscard]] std::span<const named_constant> errno_names();
[[nodiscard]] std::span<const named_constant> domain_names();
[[nodiscard]] std::span<const named_constant> type_names();
[[nodiscard]] std::span<const named_constant> type_flag_names();
[[nodiscard]] std::span<const named_constant> protocol_names();
[[nodiscard]] std::span<const named_constant> message_flag_names();
[[nodiscard]] std::span<const named_constant> level_names();
[[nodiscard]] std::span<const named_constant> option_names(long level);
[[nodiscard]] std::span<const named_constant> how_names();
[[nodiscard]] std::span<const named_constant> poll_event_names(); // POLLIN and EPOLLIN share their numbers
[[nodiscard]] std::span<const named_constant> tcp_state_names();

[[nodiscard]] std::optional<long> value_of(std::span<const named_constant> names, std::string_view name);
[[nodiscard]] std::string_view name_of(std::span<const named_constant> names, long value);
// "A, B or C"
[[nodiscard]] std::string one_of(std::span<const named_constant> names);

} // namespace skbwalk::sim
