// SPDX-License-Identifier: GPL-2.0-only
//
// A socket's state as getsockopt(TCP_INFO) tells it: the fields that the clock has no part in.
#pragma once

#include <string>
#include <string_view>

namespace skbwalk::sim {

// "tcpi_state: kernel 1, model 2; ..."; empty: they agree.
[[nodiscard]] std::string differences_of_tcp_info(std::string_view kernel, std::string_view model);

} // namespace skbwalk::sim
