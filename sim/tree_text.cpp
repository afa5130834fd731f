// SPDX-License-Identifier: GPL-2.0-only
//
// The parser. In function_graph text depth is counted by braces, for each task (or each cpu where no task is
// printed; a banner then says which task it is), and never falls below the outermost level: a buffer that
// wrapped begins with orphan braces. After lost events depth is taken from the indentation of the next line.
#include "sim/tree_text.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "sim/trace_selection.h"

namespace skbwalk::sim {

namespace {

enum class line_kind : u8 { open, leaf, close, other };

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c) || c == '.'; }
bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view s)
{
	while (!s.empty() && (is_space(s.front()) || s.front() == '\r'))
		s.remove_prefix(1);
	while (!s.empty() && (is_space(s.back()) || s.back() == '\r'))
		s.remove_suffix(1);
	return s;
}

// Without a note `/* ... */` at the end.
std::string_view without_note(std::string_view s)
{
	s = trim(s);
	if (s.ends_with("*/"))
		if (const std::size_t begin = s.find("/*"); begin != std::string_view::npos)
			s = trim(s.substr(0, begin));
	return s;
}

struct graph_line {
	line_kind kind = line_kind::other;
	std::string_view name;
	std::size_t column = 0; // where the name or brace stands
};

// `name [module]` in front of position `end` of `s`.
std::optional<std::string_view> name_before(std::string_view s, std::size_t end)
{
	std::string_view head = trim(s.substr(0, end));
	if (head.ends_with(']')) {
		const std::size_t bracket = head.rfind('[');
		if (bracket == std::string_view::npos)
			return std::nullopt;
		head = trim(head.substr(0, bracket));
	}
	std::size_t begin = head.size();
	while (begin && is_name_char(head[begin - 1]))
		--begin;
	while (begin < head.size() && is_digit(head[begin]) && !head.substr(begin).starts_with("0x"))
		++begin;
	if (begin == head.size() || (!is_name_start(head[begin]) && !head.substr(begin).starts_with("0x")))
		return std::nullopt;
	return head.substr(begin);
}

graph_line read_graph_line(std::string_view line)
{
	graph_line out;
	std::string_view body = without_note(line);
	const bool opens = body.ends_with('{');
	const bool leaf = body.ends_with(';');

	if (opens || leaf) {
		body = trim(body.substr(0, body.size() - 1));
		// Newer kernels print arguments between the parentheses; a module's tag stands before or
		// behind them.
		if (body.ends_with(']') && body.rfind(')') != std::string_view::npos)
			body = body.substr(0, body.rfind(')') + 1);
		if (!body.ends_with(')'))
			return out;
		// The columns may have a cpu's `)`, so look for the parenthesis that this one closes.
		std::size_t at = body.size();
		int nesting = 0;
		while (at-- > 0) {
			nesting += body[at] == ')' ? 1 : body[at] == '(' ? -1 : 0;
			if (!nesting)
				break;
		}
		if (nesting || at == std::string_view::npos)
			return out;
		const auto name = name_before(body, at);
		if (!name)
			return out;
		out.name = *name;
		out.kind = opens ? line_kind::open : line_kind::leaf;
		out.column = static_cast<std::size_t>(name->data() - line.data());
	} else if (body.ends_with('}')) {
		out.kind = line_kind::close;
		out.column = static_cast<std::size_t>(body.data() - line.data()) + body.size() - 1;
	}
	return out;
}

// The word that ends at `end` when it is TASK-PID.
std::string_view task_word(std::string_view line, std::size_t end)
{
	while (end && is_space(line[end - 1]))
		--end;
	std::size_t digits = end;
	while (digits && is_digit(line[digits - 1]))
		--digits;
	if (digits == end || !digits || line[digits - 1] != '-')
		return {};
	std::size_t begin = digits - 1;
	while (begin && !is_space(line[begin - 1]))
		--begin;
	return begin == digits - 1 ? std::string_view{} : line.substr(begin, end - begin);
}

// ` 12) ` at the begin, or behind the time and its bar; the number, or empty.
std::string_view cpu_word(std::string_view line)
{
	const std::size_t close = line.find(')');
	if (close == std::string_view::npos || !close || !is_digit(line[close - 1]))
		return {};
	std::size_t begin = close;
	while (begin && is_digit(line[begin - 1]))
		--begin;
	if (line.substr(0, begin).find_first_not_of(" \t0123456789.|") != std::string_view::npos)
		return {};
	return line.substr(begin, close - begin);
}

class parser {
public:
	parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

	text_tree parse()
	{
		if (text_.find('\0') != std::string_view::npos)
			throw bad_trace(fmt::format("{}: a binary file, not a trace", file_));
		split();
		const bool graph = std::ranges::any_of(lines_, [](std::string_view l) {
			if (trim(l).starts_with('#'))
				return false;
			const line_kind kind = read_graph_line(l).kind;
			return kind == line_kind::open || kind == line_kind::leaf;
		});
		for (std::size_t i = 0; i < lines_.size(); ++i) {
			number_ = static_cast<u32>(i + 1);
			const std::string_view line = lines_[i];
			if (trim(line).empty())
				continue;
			if (trim(line).starts_with('#'))
				comment(trim(line));
			else if (graph)
				graph_text(line);
			else
				tree_line(line);
		}
		if (tree_.nodes.empty())
			throw bad_trace(fmt::format(
				"{}: no functions in it: expected a call tree or function_graph text",
				file_));
		return std::move(tree_);
	}

private:
	void split()
	{
		std::string_view rest = text_;
		while (!rest.empty()) {
			const std::size_t end = std::min(rest.find('\n'), rest.size());
			lines_.push_back(rest.substr(0, end));
			rest.remove_prefix(std::min(end + 1, rest.size()));
		}
	}

	[[noreturn]] void fail(std::string_view expected, std::string_view line) const
	{
		const bool cut = number_ == lines_.size() && !text_.ends_with('\n');
		throw bad_trace(fmt::format("{}:{}: expected {}{}: '{}'", file_, number_, expected,
		                            cut ? " (the file ends within the line)" : "",
		                            line.substr(0, 80)));
	}

	u32 task(std::string_view name)
	{
		const auto it = std::ranges::find(tree_.tasks, name);
		if (it != tree_.tasks.end())
			return static_cast<u32>(it - tree_.tasks.begin());
		tree_.tasks.emplace_back(name);
		states_.emplace_back();
		return static_cast<u32>(tree_.tasks.size() - 1);
	}

	void add(std::string_view symbol, u32 depth, u32 who)
	{
		tree_.nodes.push_back(
			{std::string{clean_name(symbol)}, std::string{symbol}, depth, who, number_});
	}

	void comment(std::string_view line)
	{
		const std::string_view body = trim(line.substr(1));
		const std::string_view word =
			body.substr(0, std::min(body.find_first_of(" \t:"), body.size()));
		const std::string_view rest = trim(body.substr(word.size()));
		if (word == "task" && !rest.empty() && !rest.starts_with(':'))
			now_ = task(rest.substr(0, std::min(rest.find_first_of(" \t"), rest.size())));
		else if (word == "lost")
			tree_.lost += number_in(rest);
		else if (rest.starts_with(':') &&
		         (word == "match" || word == "kernel" || word == "source" || word == "root"))
			tree_.directives.insert_or_assign(std::string{word},
			                                  std::string{trim(rest.substr(1))});
	}

	static u64 number_in(std::string_view s)
	{
		u64 out = 0;
		const std::size_t digits = s.find_first_of("0123456789");
		for (std::size_t i = digits; i < s.size() && is_digit(s[i]); ++i)
			out = out * 10 + static_cast<u64>(s[i] - '0');
		return out;
	}

	void tree_line(std::string_view line)
	{
		std::size_t indent = 0;
		while (indent < line.size() && line[indent] == ' ')
			++indent;
		std::size_t end = indent;
		while (end < line.size() && is_name_char(line[end]))
			++end;
		const std::string_view name = line.substr(indent, end - indent);
		const std::string_view rest = trim(line.substr(end));
		if (name.empty() || !is_name_start(name.front()) || (!rest.empty() && !rest.starts_with('#')))
			fail("one function's name, indented by two spaces a level", line);
		if (now_ == nobody)
			now_ = task("");
		add(name, static_cast<u32>(indent / 2), now_);
	}

	struct state {
		u32 depth = 0;
		bool resync = false; // after lost events: take the depth from the indentation
	};

	// Who a line belongs to: the task that it names, else the one that a banner said runs on its cpu,
	// else the cpu.
	u32 who(std::string_view line)
	{
		for (std::size_t bar = line.find('|'); bar != std::string_view::npos;
		     bar = line.find('|', bar + 1))
			if (const std::string_view word = task_word(line, bar); !word.empty())
				return task(word);
		// trace-cmd: `TASK-PID [CPU] TIME: funcgraph_...:`
		if (const std::size_t bracket = line.find('['); bracket != std::string_view::npos)
			if (const std::string_view word = task_word(line, bracket);
			    !word.empty() && bracket + 1 < line.size() && is_digit(line[bracket + 1]))
				return task(word);
		const std::string cpu{cpu_word(line)};
		const auto it = running_.find(cpu);
		return task(it == running_.end() ? cpu : it->second);
	}

	void graph_text(std::string_view line)
	{
		const graph_line l = read_graph_line(line);
		if (l.kind == line_kind::other) {
			other_line(line);
			return;
		}
		const u32 index = who(line);
		state &s = states_[index];
		const std::size_t bar = line.rfind('|', l.column);
		if (s.resync && bar != std::string_view::npos && l.column >= bar + 3) {
			s.depth = static_cast<u32>((l.column - bar - 3) / 2) + (l.kind == line_kind::close);
			s.resync = false;
		}
		if (l.kind == line_kind::close) {
			s.depth -= s.depth != 0;
			return;
		}
		add(l.name, s.depth, index);
		s.depth += l.kind == line_kind::open;
	}

	// What is neither call nor return: rules, banners, arrows, remarks, losses, other events.
	void other_line(std::string_view line)
	{
		const std::string_view body = trim(line);
		if (body.find_first_not_of('-') == std::string_view::npos)
			return;
		if (const std::size_t arrow = body.find(" => "); arrow != std::string_view::npos) {
			const std::size_t bar = body.starts_with('|') ? 1 : 0;
			const std::string cpu{cpu_word(body.substr(bar))};
			const std::string_view from = task_word(body, arrow);
			const std::string_view to = task_word(body, body.size());
			if (!cpu.empty() && !from.empty() && !to.empty()) {
				// What stood before the first banner was the former task's.
				if (!running_.contains(cpu) &&
				    std::ranges::find(tree_.tasks, from) == tree_.tasks.end())
					std::ranges::replace(tree_.tasks, cpu, std::string{from});
				running_[cpu] = std::string{to};
				return;
			}
		}
		if (body.find("==========>") != std::string_view::npos ||
		    body.find("<==========") != std::string_view::npos)
			return;
		if (const std::size_t lost = body.find("LOST "); lost != std::string_view::npos) {
			tree_.lost += number_in(body.substr(lost));
			for (state &s : states_)
				s.resync = true;
			return;
		}
		if (body.ends_with("*/") && body.find("/*") != std::string_view::npos)
			return;
		if (body.starts_with("CPU") || body.starts_with("cpus=") || body.starts_with("version =") ||
		    body.starts_with("(Overruns:"))
			return;
		// Another event in a report: `TASK-PID [CPU] TIME: event: ...`
		if (const std::size_t bracket = body.find('[');
		    bracket != std::string_view::npos && !task_word(body, bracket).empty() &&
		    body.find(": ", bracket) != std::string_view::npos)
			return;
		fail("a line of function_graph text", line);
	}

	static constexpr u32 nobody = ~u32{0};

	std::string_view text_;
	std::string_view file_;
	text_tree tree_;
	std::vector<std::string_view> lines_;
	std::vector<state> states_;
	std::map<std::string, std::string> running_; // by cpu
	u32 number_ = 0;
	u32 now_ = nobody;
};

} // namespace

text_tree parse_tree_text(std::string_view text, std::string_view file)
{
	if (text.empty())
		throw bad_trace(fmt::format("{}: the file is empty", file));
	return parser{text, file}.parse();
}

text_tree parse_tree_file(const std::string &path)
{
	std::ifstream in{path, std::ios::binary};
	std::ostringstream text;

	if (!in)
		throw bad_trace(fmt::format("{}: cannot be read", path));
	text << in.rdbuf();
	return parse_tree_text(text.str(), path);
}

} // namespace skbwalk::sim
