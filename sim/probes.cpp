// SPDX-License-Identifier: GPL-2.0-only
//
// Reading a probe's text, capturing, printing. A hit remembers which recorded call it belongs to; the stack
// that is printed is that call's in the stack view, so that it has the kernel's names, and each line has the
// address of our own function of that name, taken from the machine's stack at the hit.
#include "sim/probes.h"

#include <unwind.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/symbols.h"
#include "sim/trace_selection.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t frames_max = 160;

std::vector<std::string_view> functions()
{
	std::set<std::string_view> names;
	trace::for_each_site([&](const trace::site &s) { names.insert(s.name); });
	return {names.begin(), names.end()};
}

std::string near(std::string_view asked, std::span<const std::string_view> known)
{
	const auto names = alike(asked, known);
	return names.empty() ? "" : fmt::format("; like it: {}", fmt::join(names, ", "));
}

// --- a probe's text ---

class probe_reader {
public:
	explicit probe_reader(std::string_view text) : text_(text) {}

	probe read()
	{
		probe p;
		skip();
		const std::size_t from = at_;
		while (at_ < text_.size() && !std::isspace(static_cast<unsigned char>(text_[at_])) &&
		       text_[at_] != '{')
			++at_;
		p.function = text_.substr(from, at_ - from);
		if (p.function.empty())
			fail("expected a function: FUNCTION { FIELD, ... }");
		check_pattern("--probe", p.function);
		skip();
		if (at_ == text_.size())
			return p;
		take('{');
		if (!peek('}')) {
			do {
				item(p);
			} while (peek(',') && (take(','), true));
		}
		take('}');
		skip();
		if (at_ != text_.size())
			fail(fmt::format("expected nothing after the brace, found \"{}\"",
			                 text_.substr(at_)));
		return p;
	}

private:
	[[noreturn]] void fail(const std::string &what) const
	{
		throw bad_probe(fmt::format("--probe '{}': {}", text_, what));
	}
	void skip()
	{
		while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
			++at_;
	}
	bool peek(char c)
	{
		skip();
		return at_ < text_.size() && text_[at_] == c;
	}
	void take(char c)
	{
		if (!peek(c))
			fail(at_ < text_.size() ? fmt::format("expected '{}', found '{}'", c, text_[at_])
			                        : fmt::format("expected '{}', found the end", c));
		++at_;
	}
	std::string word()
	{
		skip();
		const std::size_t from = at_;
		while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
		                              text_[at_] == '_' || text_[at_] == '.'))
			++at_;
		return std::string(text_.substr(from, at_ - from));
	}

	const probe_field *field(const std::string &name) const
	{
		if (const probe_field *known = probe_field_by_name(name))
			return known;
		std::vector<std::string_view> names{"kstack"};
		for (const probe_field &f : probe_fields())
			names.push_back(f.name);
		fail(fmt::format("there is no field \"{}\"{} (skbwalk list fields has all)", name,
		                 near(name, names)));
	}

	void item(probe &p)
	{
		const std::string name = word();
		if (name == "kstack") {
			p.kstack = true;
		} else if (name == "printf") {
			if (!p.fields.empty())
				fail("expected printf before other fields");
			print(p);
		} else if (name.empty()) {
			fail(at_ < text_.size() ? fmt::format("expected a field, found '{}'", text_[at_])
			                        : "expected a field, found the end");
		} else {
			p.fields.push_back(field(name));
		}
	}

	void print(probe &p)
	{
		take('(');
		take('"');
		while (at_ < text_.size() && text_[at_] != '"') {
			if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
				++at_;
				if (text_[at_] == 'n')
					p.format += '\n';
				else if (text_[at_] == 't')
					p.format += '\t';
				else
					p.format += text_[at_];
			} else {
				p.format += text_[at_];
			}
			++at_;
		}
		take('"');
		while (peek(',')) {
			take(',');
			p.fields.push_back(field(word()));
		}
		take(')');
		const auto wanted = static_cast<std::size_t>(std::ranges::count(p.format, '%'));
		if (wanted != p.fields.size())
			fail(fmt::format("expected a field for each % of the format: {} and {}", wanted,
			                 p.fields.size()));
	}

	std::string_view text_;
	std::size_t at_ = 0;
};

// printf's conversions over values: %s as the field is printed, %d and %u as a number, %x in hexadecimal.
std::string formatted(const probe &p, const std::vector<raw_value> &values)
{
	std::string out;
	std::size_t next = 0;

	for (std::size_t i = 0; i < p.format.size(); ++i) {
		if (p.format[i] != '%') {
			out += p.format[i];
			continue;
		}
		const raw_value &v = values[next];
		const probe_field &f = *p.fields[next++];
		while (i + 1 < p.format.size() && p.format[i + 1] == 'l')
			++i;
		const char conversion = i + 1 < p.format.size() ? p.format[++i] : 's';
		if (conversion == 's' || !v.there || f.form == field_form::text)
			out += value_text(f, v);
		else if (conversion == 'x' || conversion == 'p')
			out += fmt::format("{:x}", v.number);
		else
			out += fmt::format("{}", v.number);
	}
	return out;
}

// --- the machine's stack ---

struct unwound {
	u64 *to;
	std::size_t most;
	std::size_t count = 0;
};

_Unwind_Reason_Code frame(_Unwind_Context *context, void *arg)
{
	auto &u = *static_cast<unwound *>(arg);
	const u64 pc = _Unwind_GetIP(context);

	if (!pc || u.count == u.most)
		return _URC_END_OF_STACK;
	u.to[u.count++] = pc;
	return _URC_NO_REASON;
}

std::size_t machine_stack(u64 *to, std::size_t most)
{
	unwound u{to, most};
	_Unwind_Backtrace(frame, &u);
	return u.count;
}

} // namespace

probe parse_probe(std::string_view text) { return probe_reader(text).read(); }

void check_pattern(std::string_view option, std::string_view pattern)
{
	const auto known = functions();
	if (std::ranges::none_of(known, [&](std::string_view f) { return glob_match(pattern, f); }))
		throw bad_probe(
			fmt::format("{} {}: the program has no such function{} (skbwalk list functions)",
		                    option, pattern, near(pattern, known)));
}

// --- capturing ---

probe_set::probe_set(trace::recorder &r, std::vector<probe> probes, bool addresses)
	: recorder_(r), probes_(std::move(probes)), addresses_(addresses)
{
	trace::for_each_site([&](const trace::site &s) {
		for (u32 i = 0; i < probes_.size(); ++i)
			if (glob_match(probes_[i].function, s.name) && s.kind != trace::site_kind::part)
				by_site_[&s].push_back(i);
	});
	recorder_.add_hook({trace::armed_by::probe, this, entered, nullptr});
	trace::arm(trace::armed_by::probe);
}

probe_set::~probe_set()
{
	trace::disarm(trace::armed_by::probe);
	recorder_.remove_hooks(this);
}

void probe_set::entered(void *arg, const trace::site &s, const trace::objects &o)
{
	static_cast<probe_set *>(arg)->enter(s, o);
}

void probe_set::enter(const trace::site &s, const trace::objects &o)
{
	if (!recorder_.recording() || recorder_.lost())
		return;
	const u32 call = calls_++;

	if (addresses_) {
		auto &kept = call_addresses_.emplace_back();
		machine_stack(kept.data(), kept.size());
	}
	const auto it = by_site_.find(&s);
	if (it == by_site_.end())
		return;
	for (const u32 i : it->second) {
		const probe &p = probes_[i];
		hit &h = hits_.emplace_back();

		h.probe = i;
		h.call = call;
		for (const probe_field *f : p.fields)
			h.values.push_back(f->read(o));
		if (p.kstack) {
			h.stack.resize(frames_max);
			h.stack.resize(machine_stack(h.stack.data(), frames_max));
		}
	}
}

// --- printing ---

std::vector<u64> probe_set::addresses_of(u32 call) const
{
	if (call >= call_addresses_.size())
		return {};
	return {call_addresses_[call].begin(), call_addresses_[call].end()};
}

std::vector<stack_line> stack_of(const call_tree &stack, u32 call, const std::vector<u64> &machine)
{
	const symbol_table &symbols = symbol_table::own();
	std::vector<stack_line> out;
	std::size_t next = 0;

	for (u32 c = call; c != no_call; c = stack.calls[c].shown_parent) {
		const skbwalk::sim::call &one = stack.calls[c];
		stack_line line{c == call ? one.source : one.name, 0, 0};

		// A return address stands behind its call, which may be a function's last instruction.
		for (std::size_t i = next; i < machine.size(); ++i) {
			const symbol *s = symbols.at(machine[i] - 1);

			if (s && s->name == one.source) {
				line.address = machine[i];
				line.offset = machine[i] - s->address;
				next = i + 1;
				break;
			}
		}
		out.push_back(line);
	}
	return out;
}

namespace {

std::string stack_text(const std::vector<stack_line> &lines)
{
	std::string out;

	for (const stack_line &l : lines) {
		if (l.address)
			out += fmt::format("\t{:016x} {}+{}\n", l.address, l.name, l.offset);
		else
			out += fmt::format("\t{:16} {}\n", "", l.name);
	}
	return out;
}

} // namespace

std::string probe_set::text(const call_tree &stack, const std::vector<bool> &wanted) const
{
	std::string out;

	for (const hit &h : hits_) {
		const probe &p = probes_[h.probe];
		// Calls are read back in the order in which they were entered; what a profile adds comes
		// behind.
		const u32 call = h.call < stack.calls.size() ? h.call : no_call;
		if (h.call < wanted.size() && !wanted[h.call])
			continue;
		const std::string_view name =
			call == no_call ? std::string_view{p.function} : stack.calls[call].source;

		out += name;
		if (!p.format.empty()) {
			out += " " + formatted(p, h.values);
		} else {
			for (std::size_t i = 0; i < p.fields.size(); ++i)
				out += " " + labelled_text(*p.fields[i], h.values[i]);
		}
		if (out.back() != '\n')
			out += '\n';
		if (p.kstack && call != no_call)
			out += "\n" + stack_text(stack_of(stack, call, h.stack)) + "\n";
	}
	return out;
}

namespace {

// Calls that are shown, and of that name.
template <class Fn> void each_call(const call_tree &graph, std::string_view pattern, Fn fn)
{
	for (const tree_event &e : graph.events) {
		if (e.kind != trace::record_kind::enter)
			continue;
		const call &c = graph.calls[e.what];
		if (glob_match(pattern, c.name) || glob_match(pattern, c.source))
			fn(e.what, c);
	}
}

} // namespace

std::string function_counts(const call_tree &graph, std::string_view pattern)
{
	std::map<std::string_view, u64> counts;
	each_call(graph, pattern, [&](u32, const call &c) { ++counts[c.name]; });
	std::vector<std::pair<u64, std::string_view>> rows;
	rows.reserve(counts.size());
	for (const auto &[name, n] : counts)
		rows.emplace_back(n, name);
	std::ranges::sort(rows);
	std::string out = fmt::format("{:<36} {:>8}\n", "FUNC", "COUNT");
	for (const auto &[n, name] : rows)
		out += fmt::format("{:<36} {:>8}\n", name, n);
	return out;
}

std::string stack_counts(const call_tree &graph, const call_tree &stack, std::string_view pattern)
{
	std::map<std::vector<std::string_view>, u64> counts;
	each_call(graph, pattern, [&](u32 i, const call &) {
		if (i >= stack.calls.size()) // a part that the profile put in
			return;
		std::vector<std::string_view> names;
		for (const stack_line &l : stack_of(stack, i, {}))
			names.push_back(l.name);
		++counts[names];
	});
	std::vector<std::pair<u64, const std::vector<std::string_view> *>> rows;
	rows.reserve(counts.size());
	for (const auto &[names, n] : counts)
		rows.emplace_back(n, &names);
	std::ranges::stable_sort(rows, {}, [](const auto &r) { return r.first; });
	std::string out;
	for (const auto &[n, names] : rows)
		out += fmt::format("  {}\n    {}\n\n", fmt::join(*names, "\n  "), n);
	return out;
}

} // namespace skbwalk::sim
