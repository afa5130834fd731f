// SPDX-License-Identifier: GPL-2.0-only
//
// What the seeded generators have in common: a command line, and the input in hand kept in a file
// when the program under it crashes or hangs.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "stack/kernel/types.h"

namespace skbwalk::fuzz {

struct numeric_option {
	const char *name; // "--seed"
	u64 *value;
	const char *meaning;
	u64 least = 0;
};
struct text_option {
	const char *name;
	std::string *value;
	const char *meaning;
};
// Reads the command line into `numbers` and `texts` and calls `run`. --help prints what there is and starts
// nothing; a wrong line is told on stderr and is status 2.
int fuzz_main(int argc, char **argv, const char *about, std::span<const numeric_option> numbers,
              const std::function<int()> &run, std::span<const text_option> texts = {});

// The input in hand. After watch_inputs a crash, a sanitizer's finding or an input that takes longer than
// `seconds` of real time leaves it in /tmp/PROGRAM.PID.SUFFIX, which is named on stderr.
extern std::string input;
void watch_inputs(const std::string &program, const std::string &suffix, unsigned seconds);
void next_input(std::string text);
void end_of_inputs();
// Says what is wrong with the input in hand and keeps it. Returns 1.
int fail(const std::string &why);

} // namespace skbwalk::fuzz
