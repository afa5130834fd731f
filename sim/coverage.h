// SPDX-License-Identifier: GPL-2.0-only
//
// Which of the kernel's network functions the model has: those that ftrace can trace in linux-6.1, by their
// source file, and how often each was called in the recordings of tests/reference.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

struct covered_function {
	std::string_view name; // in the source
	std::string_view file; // of the kernel; `-`: system calls
	u64 calls = 0;         // in the recordings
	bool modelled = false;
};

struct coverage {
	std::vector<covered_function> functions; // by file, then name
	u32 recordings = 0;                      // files that were read

	// `reference` is the folder with linux-6.1/*.tree; without it calls are 0. Throws bad_trace.
	[[nodiscard]] static coverage take(const std::string &reference);

	// Files that the recordings or the model touch, then what the recordings have and the model does not.
	[[nodiscard]] std::string text() const;
	// Every function of the files that match the glob.
	[[nodiscard]] std::string text_of(std::string_view files) const;
	// A section of docs/fidelity.md.
	[[nodiscard]] std::string markdown() const;
};

// `document` with what stands between its markers replaced. Throws std::runtime_error if it has none.
[[nodiscard]] std::string with_coverage(const std::string &document, const std::string &section);

} // namespace skbwalk::sim
