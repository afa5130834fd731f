// SPDX-License-Identifier: GPL-2.0-only
//
// The two dials of a trace. A profile is a kernel release: which functions ftrace can trace there and under
// which name, what the compiler inlined where, and where its structure differs (profile_features, for the
// code). linux-6.1 is measured, its data lies in sim/profiles/; the others are that data plus a file of
// differences. A view says who looks: graph as ftrace does, stack as a backtrace does, source as a debugger
// does. docs/trace-formats.md has the format of the files.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/trace_tree.h"
#include "stack/kernel/context.h"

namespace skbwalk::sim {

// The message has file and line where there is one.
struct bad_profile : std::runtime_error {
	using std::runtime_error::runtime_error;
};

enum class trace_view : u8 { graph, stack, source };
[[nodiscard]] std::optional<trace_view> view_by_name(std::string_view name);

// What became of a call in the kernel's code.
enum class call_fate : u8 { called, inlined, part };

struct profile_rule {
	enum class verb : u8 { hide, show, rename, absent, frame };
	verb what;
	u8 views;      // bit for each trace_view
	bool physical; // `caller` is the nearest function with code of its own, else the immediate one
	std::string_view caller; // empty: any
	std::string_view new_name;
	std::string_view under;  // some caller further up
	std::string_view before; // the same caller calls this later
	std::string_view after;  // ... or earlier
	u32 nth = 0;             // the n-th call of this function by that caller; 0: all
};

// The names of a tree to which a profile was applied live in the profile.
class profile {
public:
	// By release name; throws bad_profile that lists what there is.
	[[nodiscard]] static profile load(std::string_view name);
	// Names and one line about each.
	[[nodiscard]] static std::vector<std::pair<std::string, std::string>> list();

	// Empty: no function is known, nothing is hidden. For tests, with the readers below.
	profile() = default;
	profile(profile &&) = default;
	profile &operator=(profile &&) = default;
	profile(const profile &) = delete;
	profile &operator=(const profile &) = delete;

	// Each takes a file's text and its name for messages.
	void read_functions(std::string text, std::string_view file);
	void read_inlining(std::string text, std::string_view file);
	void read_tail_calls(std::string text, std::string_view file);
	void read_rules(std::string text, std::string_view file);
	// Replaces the traceable functions by a kernel's own available_filter_functions.
	void use_functions(std::string text, std::string_view file);

	// Names and hides the calls of a tree that was just read back.
	void apply(call_tree &tree, trace_view view) const;

	// ftrace's name of a function, or nothing where it cannot be traced.
	[[nodiscard]] std::optional<std::string_view> symbol(std::string_view source) const;
	// The file of the kernel that a function of the network is in; empty: not known.
	[[nodiscard]] std::string_view kernel_file(std::string_view source) const;
	// The module that a function, by ftrace's name, is in; empty: in the kernel itself.
	[[nodiscard]] std::string_view module_of(std::string_view symbol) const;
	// Source names of the network's functions: what comparisons look at.
	[[nodiscard]] const std::set<std::string_view> &scope() const { return scope_; }
	[[nodiscard]] const profile_features &features() const { return features_; }
	[[nodiscard]] const std::string &summary() const { return summary_; }

private:
	friend class profile_walk;

	struct site_rule {
		std::string_view physical; // "*": any
		std::string_view caller;
		call_fate fate;
	};
	struct part_rule {
		std::string_view symbol;
		bool split = false; // the function has a body that is called, the part is in it
		std::vector<std::string_view> rest; // called in the part only
		std::vector<std::string_view> head; // called before it only
	};

	[[nodiscard]] std::optional<call_fate> site_fate(std::string_view physical, std::string_view caller,
	                                                 std::string_view callee) const;
	[[nodiscard]] std::string_view keep(std::string text);
	void note_module(std::string_view symbol, std::string_view bracketed);
	void add_symbol(std::string_view symbol);

	std::deque<std::string> texts_;
	std::unordered_map<std::string_view, std::vector<std::string_view>>
		symbols_; // by source name; the plain one first
	std::set<std::string_view> scope_;
	std::unordered_map<std::string_view, std::string_view> files_;       // of the functions in scope
	std::unordered_map<std::string_view, std::string_view> modules_;     // by symbol
	std::unordered_map<std::string_view, std::vector<site_rule>> sites_; // by callee
	std::unordered_map<std::string_view, part_rule> parts_;
	std::unordered_map<std::string_view, std::vector<std::pair<std::string_view, std::string_view>>>
		names_;
	std::unordered_map<std::string_view, std::set<std::string_view>> tails_; // by physical caller
	std::unordered_map<std::string_view, std::vector<profile_rule>>
		rules_; // by callee, the last that fits wins
	profile_features features_;
	std::string summary_;
};

} // namespace skbwalk::sim
