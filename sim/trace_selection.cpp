// SPDX-License-Identifier: GPL-2.0-only
//
// First the functions (roots, patterns, interrupts, depth), over the whole trace, so that a task that comes
// back in the phase asked for still knows its depth; then the events of the phases and tasks.
#include "sim/trace_selection.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace skbwalk::sim {

namespace {

bool any_glob(const std::vector<std::string> &patterns, const call &c)
{
	return std::ranges::any_of(patterns, [&](const std::string &p) {
		return glob_match(p, c.name) || glob_match(p, clean_name(c.name));
	});
}

// What runs in the interrupt, and the function that leads into it.
bool in_interrupt(const call &c)
{
	return c.context == trace::run_context::hardirq || c.source == "irq_enter_rcu";
}

void select_functions(call_tree &tree, const trace_selection &what)
{
	std::vector<bool> rooted(tree.calls.size());
	std::vector<bool> folded(tree.calls.size());
	bool found = what.roots.empty();

	for (u32 i = 0; i < tree.calls.size(); ++i) {
		call &c = tree.calls[i];
		const u32 up = c.shown_parent;
		folded[i] = up != no_call && (folded[up] || any_glob(what.fold, tree.calls[up]));
		rooted[i] = up != no_call && rooted[up];
		if (!rooted[i] && c.shown && any_glob(what.roots, c))
			rooted[i] = found = true;
		if (c.shown)
			c.shown = (what.roots.empty() || rooted[i]) && !folded[i] &&
			          (what.irqs || !in_interrupt(c)) &&
			          (what.only.empty() || any_glob(what.only, c)) && !any_glob(what.notrace, c);
	}
	if (!found)
		throw bad_selection(fmt::format("no function {} in the trace", fmt::join(what.roots, ", ")));
	tree.settle();
	if (what.depth_max) {
		for (call &c : tree.calls)
			c.shown = c.shown && c.depth < what.depth_max;
		tree.settle();
	}
}

void select_phases(call_tree &tree, const std::vector<std::string> &phases)
{
	const std::vector<std::string> all = tree.phases();
	for (const std::string &p : phases)
		if (std::ranges::find(all, p) == all.end())
			throw bad_selection(
				fmt::format("no phase '{}' in the trace; it has: {}", p,
			                    all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", "))));
	bool inside = false;
	std::erase_if(tree.events, [&](const tree_event &e) {
		if (e.kind == trace::record_kind::phase_begin)
			inside = std::ranges::find(phases, tree.texts[e.what]) != phases.end();
		const bool drop = !inside;
		if (e.kind == trace::record_kind::phase_end)
			inside = false;
		return drop;
	});
}

void select_tasks(call_tree &tree, const std::vector<std::string> &wanted)
{
	std::vector<bool> keep(tree.tasks.size());
	std::vector<std::string> labels;
	for (u32 t = 0; t < tree.tasks.size(); ++t) {
		labels.push_back(tree.task_label(t));
		for (const std::string &w : wanted)
			keep[t] = keep[t] || w == labels.back() || w == tree.tasks[t].name;
	}
	if (std::ranges::find(keep, true) == keep.end())
		throw bad_selection(fmt::format("no task {} in the trace; it has: {}",
		                                fmt::join(wanted, ", "), fmt::join(labels, ", ")));
	std::erase_if(tree.events, [&](const tree_event &e) {
		return (e.kind == trace::record_kind::enter || e.kind == trace::record_kind::leave) &&
		       !keep[tree.calls[e.what].task];
	});
}

void select_hosts(call_tree &tree, const std::vector<std::string> &wanted)
{
	for (const std::string &w : wanted)
		if (std::ranges::find(tree.hosts, w) == tree.hosts.end())
			throw bad_selection(fmt::format("no host {} in the trace; it has: {}", w,
			                                fmt::join(tree.hosts, ", ")));
	std::erase_if(tree.events, [&](const tree_event &e) {
		return (e.kind == trace::record_kind::enter || e.kind == trace::record_kind::leave) &&
		       std::ranges::find(wanted, tree.hosts[tree.tasks[tree.calls[e.what].task].host]) ==
		               wanted.end();
	});
}

// One bracket expression at pattern[p]; moves p behind it.
bool bracket_match(std::string_view pattern, std::size_t &p, char c)
{
	std::size_t i = p + 1;
	const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
	bool hit = false;

	i += negated;
	for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
		const char low = pattern[i];
		char high = low;
		if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
			high = pattern[i + 2];
			i += 2;
		}
		hit = hit || (low <= c && c <= high);
		++i;
	}
	p = i + 1;
	return hit != negated;
}

} // namespace

bool glob_match(std::string_view pattern, std::string_view text)
{
	std::size_t p = 0, t = 0, star = std::string_view::npos, star_t = 0;

	while (t < text.size()) {
		std::size_t next = p + 1;
		if (p < pattern.size() && pattern[p] == '*') {
			star = p++;
			star_t = t;
			continue;
		}
		if (p < pattern.size() &&
		    (pattern[p] == '?' || (pattern[p] == '[' ? bracket_match(pattern, next = p, text[t])
		                                             : pattern[p] == text[t]))) {
			p = pattern[p] == '[' ? next : p + 1;
			++t;
			continue;
		}
		if (star == std::string_view::npos)
			return false;
		p = star + 1;
		t = ++star_t;
	}
	while (p < pattern.size() && pattern[p] == '*')
		++p;
	return p == pattern.size();
}

std::string_view clean_name(std::string_view name)
{
	constexpr std::array<std::string_view, 5> suffixes{"isra", "part", "constprop", "cold", "lto_priv"};

	for (;;) {
		std::string_view rest = name;
		const std::size_t digits = rest.find_last_not_of("0123456789");
		if (digits != std::string_view::npos && digits + 1 < rest.size() && rest[digits] == '.')
			rest = rest.substr(0, digits);
		const std::size_t dot = rest.rfind('.');
		if (dot == std::string_view::npos || dot == 0 ||
		    std::ranges::find(suffixes, rest.substr(dot + 1)) == suffixes.end())
			return name;
		name = rest.substr(0, dot);
	}
}

void select(call_tree &tree, const trace_selection &what)
{
	select_functions(tree, what);
	if (!what.phases.empty())
		select_phases(tree, what.phases);
	if (!what.tasks.empty())
		select_tasks(tree, what.tasks);
	if (!what.hosts.empty())
		select_hosts(tree, what.hosts);
}

} // namespace skbwalk::sim
