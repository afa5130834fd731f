// SPDX-License-Identifier: GPL-2.0-only
//
// The functions of this program by address, from its own symbol table: what a stack of machine addresses
// reads as. Names are those of the source, as TRACE() has them: without namespace, parameters and the
// compiler's suffixes.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

struct symbol {
	u64 address = 0;
	u64 size = 0;
	std::string name;   // "veth_xmit"
	std::string linker; // "_ZN7skbwalkL9veth_xmitE..."
};

class symbol_table {
public:
	// Of the running program. Empty when it was stripped.
	[[nodiscard]] static const symbol_table &own();

	[[nodiscard]] bool empty() const { return symbols_.empty(); }
	// The function that holds an address; null: none does.
	[[nodiscard]] const symbol *at(u64 address) const;
	// Those of a name; the compiler may have made several of one (clones, parts).
	[[nodiscard]] std::vector<const symbol *> named(std::string_view name) const;

private:
	explicit symbol_table(const std::string &file);

	std::vector<symbol> symbols_; // by address
};

// A place of the source: file and line. The innermost first, then the calls that were inlined.
struct source_place {
	std::string function, file;
	u32 line = 0;
};
struct no_resolver : std::runtime_error {
	using std::runtime_error::runtime_error;
};
// "../../stack/ipv4/tcp.cpp" -> "stack/ipv4/tcp.cpp"
[[nodiscard]] std::string path_in_tree(const std::string &file);
// By addr2line, from the program's debug information.
[[nodiscard]] std::vector<source_place> source_of(u64 address); // throws no_resolver

} // namespace skbwalk::sim
