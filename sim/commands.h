// SPDX-License-Identifier: GPL-2.0-only
//
// Commands of the program that work on traces, without the command line around them: main fills in the
// arguments and returns what they return (0 fine, 1 traces differ or a score is below its goal, 2 bad input).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

// What `skbwalk run ARGS...` would print to its output. Throws std::exception with a message for people.
using run_to_tree = std::function<std::string(const std::vector<std::string> &args)>;

// The folder of map.tsv: as asked for, else tests/reference of this folder or of the checkout.
[[nodiscard]] std::filesystem::path reference_folder(const std::string &asked);

struct conform_args {
	std::vector<std::string> names; // rows of map.tsv by reference or its file's name; empty: all
	std::string reference;
	std::string captures; // a folder of `oracle --keep`: compare what is in it in place of the model
	bool colour = false;
};

// Runs the rows of map.tsv and prints their scores; with names, model and reference side by side.
[[nodiscard]] int cmd_conform(const conform_args &args, const run_to_tree &run);

struct diff_args {
	// A file with a call tree (`-`: standard input), or a scenario as NAME, NAME@PROFILE or FILE.json,
	// with options of `run` behind it; or both are folders of captures.
	std::string a;
	std::string b;
	std::string scope;     // a file with a function's name a line; empty: the network's functions
	std::string profile_a; // of runs; empty: as the operand says
	std::string profile_b;
	std::string phase;          // of runs
	std::string match = "auto"; // whole, calls or packets
	u32 width = 0;              // columns of output; 0: a default
	bool colour = false;
	bool all = false; // equal parts too
};

[[nodiscard]] int cmd_diff(const diff_args &args, const run_to_tree &run);
// Both are folders: a line of scores for each capture that both have, and the functions that differ.
[[nodiscard]] int diff_folders(const diff_args &args);

struct coverage_args {
	std::string reference;
	std::string file;  // a glob: each function of the kernel's files that match
	std::string write; // put the section into this document
	std::string check; // 1 unless this document has the section as it would be written
};

[[nodiscard]] int cmd_coverage(const coverage_args &args);

// FUNCTION, FUNCTION+0x1f or 0xADDRESS as lines of our source and the kernel's file. Throws bad_probe,
// no_resolver.
[[nodiscard]] std::string where(const std::string &text);

} // namespace skbwalk::sim
