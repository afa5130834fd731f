// SPDX-License-Identifier: GPL-2.0-only
//
// Reading of a profile's files: plain text, one fact a line, `#` for comments. Errors name the file and the
// line.
#include "sim/profile.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/embedded.h"
#include "sim/trace_selection.h"

namespace skbwalk::sim {

namespace {

constexpr std::string_view base_name = "linux-6.1";
constexpr u8 graph_bit = 1U << static_cast<u8>(trace_view::graph);
constexpr u8 stack_bit = 1U << static_cast<u8>(trace_view::stack);
constexpr u8 source_bit = 1U << static_cast<u8>(trace_view::source);

struct feature_name {
	std::string_view name;
	bool profile_features::*flag;
};
#define FEATURE(f) \
	feature_name { #f, &profile_features::f }
constexpr feature_name feature_names[] = {
	FEATURE(options_before_window),   FEATURE(ip_rcv_in_core),
	FEATURE(rcu_bh_output),           FEATURE(nat_helper_hooks),
	FEATURE(always_ct_events),        FEATURE(md5_lookup_out_of_line),
	FEATURE(backlog_plain_lock),      FEATURE(bridge_hook_slow),
	FEATURE(forwardable_out_of_line), FEATURE(selinux_ipv4_hooks),
	FEATURE(split_seq_and_ts_off),    FEATURE(openreq_child_md5),
	FEATURE(conn_request_44),         FEATURE(prequeue),
	FEATURE(mapped_child_late),       FEATURE(alloc_asks_ksize),
	FEATURE(mtu_by_dst_ops),
};
#undef FEATURE

std::vector<std::string_view> split_words(std::string_view line)
{
	std::vector<std::string_view> words;
	while (!line.empty()) {
		const std::size_t begin = line.find_first_not_of(" \t\r");
		if (begin == std::string_view::npos)
			break;
		const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
		words.push_back(line.substr(begin, end - begin));
		line.remove_prefix(end);
	}
	return words;
}

// Calls fn(words) for each line that has words; what fn throws as a plain message gets file and line.
void each_line(std::string_view text, std::string_view file,
               const std::function<void(const std::vector<std::string_view> &)> &fn)
{
	u32 number = 0;
	while (!text.empty()) {
		const std::size_t end = std::min(text.find('\n'), text.size());
		const std::string_view line = text.substr(0, end);
		text.remove_prefix(std::min(end + 1, text.size()));
		++number;
		if (line.starts_with('#'))
			continue;
		const std::vector<std::string_view> words = split_words(line);
		if (words.empty())
			continue;
		try {
			fn(words);
		} catch (const std::invalid_argument &e) {
			throw bad_profile(fmt::format("{}:{}: {}", file, number, e.what()));
		}
	}
}

bool is_symbol(std::string_view name)
{
	return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
	       std::ranges::all_of(name, [](char c) {
		       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		              c == '_' || c == '.' || c == '$';
	       });
}

// `words` from `at` on: #N, under F, before F, after F, in VIEW[,VIEW].
void read_conditions(profile_rule &rule, const std::vector<std::string_view> &words, std::size_t at)
{
	for (; at < words.size(); ++at) {
		const std::string_view word = words[at];
		if (word.starts_with('#')) {
			const auto [end, error] =
				std::from_chars(word.data() + 1, word.data() + word.size(), rule.nth);
			if (error != std::errc{} || end != word.data() + word.size() || !rule.nth)
				throw std::invalid_argument(fmt::format("expected #N, not '{}'", word));
			continue;
		}
		if (at + 1 == words.size())
			throw std::invalid_argument(fmt::format("'{}' needs a name behind it", word));
		const std::string_view name = words[++at];
		if (word == "under")
			rule.under = name;
		else if (word == "before")
			rule.before = name;
		else if (word == "after")
			rule.after = name;
		else if (word == "in" && view_by_name(name))
			rule.views = static_cast<u8>(1U << static_cast<u8>(*view_by_name(name)));
		else
			throw std::invalid_argument(fmt::format("unknown condition '{} {}'", word, name));
	}
}

std::optional<std::string_view> embedded(std::string_view name)
{
	for (const embedded_file &f : embedded_profiles())
		if (f.name == name)
			return f.text;
	return std::nullopt;
}

} // namespace

std::optional<trace_view> view_by_name(std::string_view name)
{
	if (name == "graph")
		return trace_view::graph;
	if (name == "stack")
		return trace_view::stack;
	if (name == "source")
		return trace_view::source;
	return std::nullopt;
}

profile profile::load(std::string_view name)
{
	const std::string diff = fmt::format("{}.diff", name);
	const auto difference = embedded(diff);

	if (name != base_name && !difference) {
		std::vector<std::string> names;
		for (const auto &p : list())
			names.push_back(p.first);
		throw bad_profile(
			fmt::format("no profile '{}'; there are: {}", name, fmt::join(names, ", ")));
	}
	profile out;
	const auto base = [&](std::string_view suffix, auto reader) {
		const std::string file = fmt::format("{}.{}", base_name, suffix);
		if (const auto text = embedded(file))
			(out.*reader)(std::string{*text}, file);
	};
	base("functions", &profile::read_functions);
	base("inlined", &profile::read_inlining);
	base("tailcalls", &profile::read_tail_calls);
	base("rules", &profile::read_rules);
	if (difference)
		out.read_rules(std::string{*difference}, diff);
	return out;
}

std::vector<std::pair<std::string, std::string>> profile::list()
{
	std::vector<std::pair<std::string, std::string>> out;
	for (const embedded_file &f : embedded_profiles()) {
		const bool base = f.name == fmt::format("{}.rules", base_name);
		if (!base && !f.name.ends_with(".diff"))
			continue;
		profile p;
		p.read_rules(std::string{f.text}, f.name);
		out.emplace_back(f.name.substr(0, f.name.rfind('.')), p.summary());
	}
	return out;
}

std::string_view profile::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

void profile::add_symbol(std::string_view symbol)
{
	std::vector<std::string_view> &all = symbols_[clean_name(symbol)];
	if (clean_name(symbol) == symbol)
		all.insert(all.begin(), symbol);
	else
		all.push_back(symbol);
}

std::string_view profile::kernel_file(std::string_view source) const
{
	const auto it = files_.find(source);
	return it == files_.end() ? std::string_view{} : it->second;
}

std::string_view profile::module_of(std::string_view symbol) const
{
	const auto it = modules_.find(symbol);
	return it == modules_.end() ? std::string_view{} : it->second;
}

// `[bridge]`: what stands behind a name, or behind a file's.
void profile::note_module(std::string_view symbol, std::string_view bracketed)
{
	if (bracketed.size() < 3 || !bracketed.starts_with('[') || !bracketed.ends_with(']'))
		throw std::invalid_argument(
			fmt::format("expected a module as in [veth], not '{}'", bracketed));
	modules_.emplace(symbol, bracketed.substr(1, bracketed.size() - 2));
}

void profile::read_functions(std::string text, std::string_view file)
{
	bool network = false;
	std::string_view source_file, module;
	each_line(keep(std::move(text)), file, [&](const std::vector<std::string_view> &words) {
		if (words[0] == ":") {
			network = words.size() > 1;
			source_file = network ? words[1] : std::string_view{};
			module = words.size() > 2 ? words[2] : std::string_view{};
			return;
		}
		if (!is_symbol(words[0]))
			throw std::invalid_argument(
				fmt::format("expected a function's name, not '{}'", words[0]));
		add_symbol(words[0]);
		if (words.size() > 1 || !module.empty())
			note_module(words[0], words.size() > 1 ? words[1] : module);
		if (network)
			scope_.insert(clean_name(words[0]));
		if (network && source_file != "-")
			files_.emplace(clean_name(words[0]), source_file);
	});
}

void profile::use_functions(std::string text, std::string_view file)
{
	const std::string_view kept = keep(std::move(text));
	symbols_.clear();
	modules_.clear();
	each_line(kept, file, [&](const std::vector<std::string_view> &words) {
		// A module's functions have its name behind them.
		if (!is_symbol(words[0]) || (words.size() > 1 && !words[1].starts_with('[')))
			throw std::invalid_argument(fmt::format("expected a function's name as in "
			                                        "available_filter_functions, not '{}'",
			                                        fmt::join(words, " ")));
		add_symbol(words[0]);
		if (words.size() > 1)
			note_module(words[0], words[1]);
	});
	if (symbols_.empty())
		throw bad_profile(fmt::format("{}: no functions in it", file));
}

void profile::read_inlining(std::string text, std::string_view file)
{
	each_line(keep(std::move(text)), file, [&](const std::vector<std::string_view> &words) {
		const std::string_view verb = words[0];
		const auto need = [&](std::size_t n) {
			if (words.size() < n)
				throw std::invalid_argument(fmt::format("'{}' needs {} names", verb, n - 1));
		};
		if (verb == "inlined" || verb == "part" || verb == "called" || verb == "both") {
			need(4);
			// Where the sites of a pair differ, rules settle it; without one the call shows.
			const call_fate fate = verb == "inlined" ? call_fate::inlined
			                       : verb == "part"  ? call_fate::part
			                                         : call_fate::called;
			sites_[words[3]].push_back({words[1], words[2], fate});
		} else if (verb == "split" || verb == "rest") {
			need(3);
			part_rule part{.symbol = words[2], .split = verb == "split", .rest = {}, .head = {}};
			for (std::size_t i = 3; i < words.size(); ++i)
				(words[i].starts_with('+') ? part.rest : part.head)
					.push_back(words[i].substr(1));
			parts_[words[1]] = std::move(part);
		} else if (verb == "name") {
			need(3);
			names_[words[1]].emplace_back(words[2],
			                              words.size() > 3 ? words[3] : std::string_view{});
		} else {
			throw std::invalid_argument(fmt::format("unknown word '{}'", verb));
		}
	});
}

void profile::read_tail_calls(std::string text, std::string_view file)
{
	each_line(keep(std::move(text)), file, [&](const std::vector<std::string_view> &words) {
		if (words.size() < 2)
			throw std::invalid_argument("expected a caller and a callee");
		if (words.size() > 2) // a jump from some places only: the caller is taken to stay
			return;
		tails_[words[0]].insert(words[1]);
	});
}

void profile::read_rules(std::string text, std::string_view file)
{
	each_line(keep(std::move(text)), file, [&](const std::vector<std::string_view> &words) {
		using verb = profile_rule::verb;
		const std::string_view word = words[0];
		if (words.size() < 2)
			throw std::invalid_argument(fmt::format("'{}' needs something behind it", word));
		if (word == "summary") {
			summary_ = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
			return;
		}
		if (word == "like") {
			const std::string other = fmt::format("{}.diff", words[1]);
			const auto difference = embedded(other);
			if (!difference || other == file)
				throw std::invalid_argument(fmt::format("no profile '{}'", words[1]));
			const std::string summary = summary_;
			read_rules(std::string{*difference}, other);
			summary_ = summary;
			return;
		}
		if (word == "feature" || word == "without") {
			for (const feature_name &f : feature_names)
				if (f.name == words[1]) {
					features_.*f.flag = word == "feature";
					return;
				}
			throw std::invalid_argument(fmt::format("no feature '{}'", words[1]));
		}
		if (word == "scope") {
			scope_.insert(words[1]);
			return;
		}
		profile_rule rule{};
		std::size_t conditions = 2;
		rule.views = graph_bit | stack_bit;
		if (word == "hide") {
			rule.what = verb::hide;
		} else if (word == "show") {
			rule.what = verb::show;
		} else if (word == "absent") {
			rule.what = verb::absent;
			rule.views |= source_bit;
		} else if (word == "frame") {
			rule.what = verb::frame;
		} else if (word == "rename") {
			rule.what = verb::rename;
			rule.views |= source_bit;
			if (words.size() < 3)
				throw std::invalid_argument("rename needs an old and a new name");
			rule.new_name = words[2];
			conditions = 3;
		} else {
			throw std::invalid_argument(fmt::format("unknown word '{}'", word));
		}
		std::string_view callee = words[1];
		if (const std::size_t arrow = callee.find('>'); arrow != std::string_view::npos) {
			rule.caller = callee.substr(0, arrow);
			rule.physical = callee.substr(arrow).starts_with(">>");
			callee.remove_prefix(arrow + (rule.physical ? 2 : 1));
		}
		if (!is_symbol(callee) || (!rule.caller.empty() && !is_symbol(rule.caller)))
			throw std::invalid_argument(
				fmt::format("expected FUNCTION or CALLER>FUNCTION, not '{}'", words[1]));
		read_conditions(rule, words, conditions);
		rules_[callee].push_back(rule);
	});
}

std::optional<std::string_view> profile::symbol(std::string_view source) const
{
	const auto it = symbols_.find(source);
	if (it == symbols_.end())
		return std::nullopt;
	for (const std::string_view s : it->second)
		if (s.find(".part.") == std::string_view::npos)
			return s;
	return std::nullopt;
}

std::optional<call_fate> profile::site_fate(std::string_view physical, std::string_view caller,
                                            std::string_view callee) const
{
	const auto it = sites_.find(callee);
	if (it == sites_.end())
		return std::nullopt;
	const auto find = [&](std::string_view p, std::string_view c) -> std::optional<call_fate> {
		for (const site_rule &r : it->second)
			if (r.physical == p && r.caller == c)
				return r.fate;
		return std::nullopt;
	};
	if (const auto fate = find(physical, caller))
		return fate;
	if (const auto fate = find("*", caller))
		return fate;
	return find(physical, "*");
}

} // namespace skbwalk::sim
