// SPDX-License-Identifier: GPL-2.0-only
//
// The columns are peeled off from the left, each by its form alone, so that what stands in a function's
// arguments or in a remark cannot be taken for one. A report's line (`TASK-PID [CPU] TIME: funcgraph_entry:`)
// has its columns in front of the event's name.
#include "sim/graph_line.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skbwalk::sim {

namespace {

constexpr auto npos = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c) || c == '.' || c == '$'; }

// `COMM-PID`; a command's name can have blanks in it.
bool is_task(std::string_view s)
{
	std::size_t digits = s.size();
	while (digits && is_digit(s[digits - 1]))
		--digits;
	return digits != s.size() && digits > 1 && s[digits - 1] == '-';
}

bool is_time(std::string_view s)
{
	const std::size_t point = s.find('.');
	return point != npos && point && s.find_first_not_of("0123456789.") == npos &&
	       s.find('.', point + 1) == npos && s.size() - point > 6;
}

// The flags of the latency format: `d..1.`, `.N.2.`, `....`.
bool is_flags(std::string_view s)
{
	return s.size() >= 3 && s.size() <= 8 &&
	       s.find_first_not_of(".0123456789abcdefDnNpBLXhHsSzZ#>") == npos;
}

bool is_duration(std::string_view s)
{
	return s.empty() || (s.ends_with(" us") && s.find_first_not_of("0123456789. +!#*@$") == s.size() - 2);
}

// Takes columns from the left of a line.
class peeler {
public:
	explicit peeler(std::string_view line) : rest_(line) {}

	[[nodiscard]] std::string_view rest() const { return rest_; }

	// What stands before the next bar, if it is of the form.
	template <class Form> std::string_view column(Form form)
	{
		const std::size_t bar = rest_.find('|');
		if (bar == npos)
			return {};
		const std::string_view text = trim(rest_.substr(0, bar));
		if (!form(text))
			return {};
		rest_.remove_prefix(bar + 1);
		return text;
	}

	// ` 12) `
	std::string_view cpu()
	{
		const std::size_t begin = rest_.find_first_not_of(" \t");
		std::size_t end = begin;
		while (end < rest_.size() && is_digit(rest_[end]))
			++end;
		if (begin == npos || end == begin || end + 1 >= rest_.size() || rest_[end] != ')' ||
		    !is_space(rest_[end + 1]))
			return {};
		const std::string_view out = rest_.substr(begin, end - begin);
		rest_.remove_prefix(end + 2);
		return out;
	}

private:
	std::string_view rest_;
};

// Past the parenthesis that closes the one at the begin of `s`; a newer kernel prints arguments.
std::size_t past_arguments(std::string_view s)
{
	const std::size_t close = s.rfind(')');
	return close == npos ? npos : close + 1;
}

void read_body(std::string_view body, graph_line &out)
{
	std::size_t indent = 0;
	while (indent < body.size() && body[indent] == ' ')
		++indent;
	out.indent = static_cast<u32>(indent);
	body = trim(body);
	if (body.starts_with("/*")) {
		out.kind = body.find("*/", 2) != npos ? graph_kind::remark : graph_kind::open_remark;
		return;
	}
	if (body.starts_with('}')) {
		const std::string_view note = trim(body.substr(1));
		if (note.empty() || (note.starts_with("/*") && note.ends_with("*/")))
			out.kind = graph_kind::leave;
		return;
	}
	std::size_t end = 0;
	while (end < body.size() && is_name_char(body[end]))
		++end;
	const std::string_view name = body.substr(0, end);
	if (name.empty() || (!is_name_start(name.front()) && !name.starts_with("0x")))
		return;
	std::string_view tail = trim(body.substr(end));
	if (tail.starts_with('[')) {
		const std::size_t close = tail.find(']');
		if (close == npos)
			return;
		tail = trim(tail.substr(close + 1));
	}
	if (!tail.starts_with('('))
		return;
	if (tail.ends_with("*/"))
		if (const std::size_t note = tail.rfind("/*"); note != npos)
			tail = trim(tail.substr(0, note));
	const std::size_t after = past_arguments(tail);
	if (after == npos)
		return;
	tail = trim(tail.substr(after));
	if (tail.starts_with('[') && tail.find(']') != npos)
		tail = trim(tail.substr(tail.find(']') + 1));
	if (tail == "{")
		out.kind = graph_kind::enter;
	else if (tail.starts_with(';'))
		out.kind = graph_kind::leaf;
	else
		return;
	out.name = name;
}

// `--> NAME (DEPTH)`, or `func=NAME depth=DEPTH`: a report without plugins, or a raw one.
void read_plain(std::string_view body, bool entry, graph_line &out)
{
	std::string_view depth_mark = " depth=";
	if (body.starts_with("func="))
		body.remove_prefix(5);
	else if (body.starts_with("-->") || body.starts_with("<--"))
		body = trim(body.substr(3)), depth_mark = " (";
	else
		return;
	const std::size_t end = body.find(depth_mark);
	if (end == npos || end + depth_mark.size() >= body.size() || !is_digit(body[end + depth_mark.size()]))
		return;
	const std::string_view name = body.substr(0, std::min(body.find(' '), end));
	if (name.empty() || (!is_name_start(name.front()) && !name.starts_with("0x")) ||
	    !std::ranges::all_of(name, is_name_char))
		return;
	out.name = name;
	out.indent = static_cast<u32>(std::min<u64>(2 * (number_in(body.substr(end)) & 0xffff), 0xffff));
	out.kind = entry ? graph_kind::enter : graph_kind::leave;
}

// `  COMM-PID   [001] d..1   123.456789: event: ...`, or with the cpu in front of the flags: `1d..1`.
bool read_report(std::string_view line, graph_line &out)
{
	// The time ends with a colon; in front of it stands whatever columns there are.
	std::size_t colon = line.find(": ");
	std::string_view time;
	while (colon != npos) {
		std::size_t begin = colon;
		while (begin && !is_space(line[begin - 1]))
			--begin;
		time = line.substr(begin, colon - begin);
		if (is_time(time) || (time.size() > 8 && time.find_first_not_of("0123456789") == npos))
			break;
		colon = line.find(": ", colon + 1);
	}
	if (colon == npos)
		return false;
	std::string_view head = trim(line.substr(0, colon - time.size()));
	// Columns behind the task: words that begin with `[` or a digit or are flags.
	while (!head.empty() && !is_task(head)) {
		const std::size_t blank = head.find_last_of(" \t");
		if (blank == npos)
			return false;
		const std::string_view word = head.substr(blank + 1);
		if (word.starts_with('[') && word.ends_with(']'))
			out.cpu = word.substr(1, word.size() - 2);
		else if (out.cpu.empty() && is_digit(word.front()))
			out.cpu = word.substr(0, std::min(word.find_first_not_of("0123456789"), word.size()));
		head = trim(head.substr(0, blank));
	}
	if (head.empty())
		return false;
	out.task = head;
	std::string_view event = trim(line.substr(colon + 2));
	// Time since the event before, in parentheses.
	if (event.starts_with('(') && event.find(')') != npos)
		event = trim(event.substr(event.find(')') + 1));
	const bool graph = event.starts_with("funcgraph_entry") || event.starts_with("funcgraph_exit");
	const std::size_t name_end = event.find(':');
	if (name_end == npos)
		return true;
	const std::size_t bar = event.find('|');
	if (!graph)
		out.kind = event.starts_with("function:") ? graph_kind::unknown : graph_kind::event;
	else if (bar != npos)
		read_body(event.substr(bar + 1), out);
	else
		read_plain(trim(event.substr(name_end + 1)), event.starts_with("funcgraph_entry"), out);
	return true;
}

bool read_banner(std::string_view body, graph_line &out)
{
	const std::size_t arrow = body.find("=>");
	if (arrow == npos)
		return false;
	peeler p{body.starts_with('|') ? body.substr(1) : body};
	out.cpu = p.cpu();
	const std::size_t middle = p.rest().find("=>");
	if (out.cpu.empty() || middle == npos)
		return false;
	out.task = trim(p.rest().substr(0, middle));
	out.next = trim(p.rest().substr(middle + 2));
	return is_task(out.task) && is_task(out.next);
}

// What stands alone: rules, losses, what a report says about itself.
bool read_notice(std::string_view body, graph_line &out)
{
	if (body.empty() || body.starts_with('#') || body.find_first_not_of('-') == npos) {
		out.kind = graph_kind::nothing;
		return true;
	}
	const std::size_t bracket = body.find('[');
	if (bracket != npos &&
	    (body.substr(bracket).starts_with("[LOST ") || body.ends_with("EVENTS DROPPED]"))) {
		const std::size_t cpu = body.find_first_of("0123456789");
		out.kind = graph_kind::lost;
		out.lost = number_in(body.substr(bracket));
		if (body.starts_with("CPU") && cpu < bracket)
			out.cpu = body.substr(cpu, body.find_first_not_of("0123456789", cpu) - cpu);
		return true;
	}
	static constexpr std::array notices{"cpus=", "version = ", "(Overruns: ", "=> ", "<stack trace>"};
	if (std::ranges::any_of(notices, [&](const char *word) { return body.starts_with(word); }) ||
	    (body.starts_with("CPU ") && body.ends_with(" is empty"))) {
		out.kind = graph_kind::nothing;
		return true;
	}
	return false;
}

} // namespace

std::string_view trim(std::string_view s)
{
	while (!s.empty() && is_space(s.front()))
		s.remove_prefix(1);
	while (!s.empty() && is_space(s.back()))
		s.remove_suffix(1);
	return s;
}

u64 number_in(std::string_view s)
{
	constexpr u64 most = ~u64{0};
	u64 out = 0;
	for (std::size_t i = s.find_first_of("0123456789"); i < s.size() && is_digit(s[i]); ++i) {
		if (out > most / 10 - 1)
			return most;
		out = out * 10 + static_cast<u64>(s[i] - '0');
	}
	return out;
}

graph_line read_graph_line(std::string_view line)
{
	graph_line out;

	if (read_notice(trim(line), out))
		return out;
	if (read_banner(trim(line), out)) {
		out.kind = graph_kind::banner;
		return out;
	}
	out = {};
	peeler p{line};
	// Absolute time, or the time since the begin.
	if (p.column(is_time).empty())
		p.column([](std::string_view s) {
			return s.ends_with(" us") && s.find_first_not_of("0123456789") == s.size() - 3;
		});
	out.cpu = p.cpu();
	out.task = p.column(is_task);
	p.column(is_flags);
	for (const auto &[arrow, kind] :
	     {std::pair{"==========>", graph_kind::irq_begin}, std::pair{"<==========", graph_kind::irq_end}})
		if (trim(p.rest()).starts_with(arrow)) {
			out.kind = kind;
			return out;
		}
	p.column(is_duration);
	p.column(is_duration); // where nobody's name stood in the column of the task
	read_body(p.rest(), out);
	if (out.kind == graph_kind::unknown) {
		graph_line report;
		if (read_report(line, report))
			return report;
	}
	return out;
}

} // namespace skbwalk::sim
