// SPDX-License-Identifier: GPL-2.0-only
//
// The source tree as the tidy test reads it: files as lines, code without its comments and strings, the table
// of rooms, and the free functions that a file defines. Works line by line on the project's own format; it is
// no C++ parser, and where it is unsure it says nothing.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidy {

struct source_file {
	std::string path; // from the root of the tree
	std::string text;
	std::string code; // the same length: comments, and the insides of strings and characters, are blanks

	bool is_header() const { return path.ends_with(".h"); }
	bool is_under(std::string_view folder) const { return path.starts_with(folder); }
};

struct include_line {
	int line;
	std::string name;
	bool angled;
};

struct function {
	int line;
	std::string name;
	std::string first_statement;
	bool excused; // by a comment above it
};

source_file parse(std::string path, std::string text);
std::vector<source_file> files_of(const std::filesystem::path &root, const std::vector<std::string> &folders,
                                  const std::set<std::string> &extensions);
int line_of(const source_file &file, std::size_t offset);
std::vector<include_line> includes_of(const source_file &file);

/// The free functions of namespace skbwalk itself, in the kernel's form: the opening brace on its own line at
/// column 0. Members, operators, constexpr functions and what is in an unnamed or inner namespace are left
/// out.
std::vector<function> functions_of(const source_file &file);

/// cmake/rooms.cmake.
class room_table {
public:
	explicit room_table(const std::string &cmake);
	/// The room of a path from the root; empty where there is none.
	std::string room_of(std::string_view path) const;
	bool may_include(const std::string &room, const std::string &header) const;
	bool empty() const { return folders_.empty(); }

private:
	std::map<std::string, std::string> folders_; // folder/, or the beginning of a name -> room
	std::map<std::string, std::set<std::string>> below_;
	std::set<std::pair<std::string, std::string>> doorways_; // room, header
};

} // namespace tidy
