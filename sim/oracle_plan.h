// SPDX-License-Identifier: GPL-2.0-only
//
// A portable scenario in the form that the player reads (tools/player, docs/oracle.md): a line a thing, every
// name of a constant resolved, addresses and data as bytes.
#pragma once

#include <string>

#include "sim/scenario.h"

namespace skbwalk::sim {

// The file cannot be asked of a real kernel; the text names each thing that makes it so.
struct not_portable : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// Throws not_portable.
[[nodiscard]] std::string write_plan(const scenario &s);

// %XX for what would be mistaken for a separator in a plan or in the player's results, and back.
[[nodiscard]] std::string plan_word(std::string_view text);
[[nodiscard]] std::string plain_word(std::string_view word);

} // namespace skbwalk::sim
