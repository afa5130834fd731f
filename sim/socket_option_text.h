// SPDX-License-Identifier: GPL-2.0-only
//
// Socket options whose value is a structure: a key for signed segments, a classic BPF program.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sim/scenario.h"

namespace skbwalk::sim {

// What TCP_MD5SIG and TCP_MD5SIG_EXT are given. An empty key takes the peer's away.
[[nodiscard]] std::string md5_option(const address &peer, const std::string &key,
                                     std::optional<u8> prefix_length);

struct bad_filter : std::runtime_error {
	using std::runtime_error::runtime_error;
};
// A program as `tcpdump -ddd` prints it, the number of instructions first; lines or commas between them. The
// instructions as a program has them in its memory. Throws bad_filter.
[[nodiscard]] std::string filter_of_text(std::string_view text);
[[nodiscard]] std::string filter_instruction(u16 code, u8 jt, u8 jf, u32 k);

} // namespace skbwalk::sim
