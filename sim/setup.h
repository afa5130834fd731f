// SPDX-License-Identifier: GPL-2.0-only
//
// Set-up commands: what people type to configure a network, run against a host. A command that fails gives
// the message that the real tool prints; one that is not modelled says so.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/context.h"

namespace skbwalk::sim {

// The command, or one of its words, is not modelled, or is not a command: the file is wrong. The text quotes
// the command.
struct bad_command : std::runtime_error {
	using std::runtime_error::runtime_error;
};
// The command ran and failed, as the real one would: "RTNETLINK answers: File exists".
struct command_failed : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// Runs one line on that host (in its initial namespace) and returns what it prints.
std::string run_command(host &h, std::string_view line);

// Words of a line: blanks separate, quotes keep together. Throws bad_command for what only a shell can do.
[[nodiscard]] std::vector<std::string> command_words(std::string_view line);

// Why a real kernel cannot be given this line; empty where it can.
[[nodiscard]] std::string why_unportable(std::string_view line);

} // namespace skbwalk::sim
