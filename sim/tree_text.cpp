// SPDX-License-Identifier: GPL-2.0-only
//
// Tells the forms apart, reads the tree text, and says of what is none of them what it seems to be.
#include "sim/tree_text.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "sim/graph_line.h"
#include "sim/graph_text.h"
#include "sim/trace_selection.h"

namespace skbwalk::sim {

namespace {

constexpr auto npos = std::string_view::npos;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '.'; }

std::string what_binary(std::string_view text)
{
	if (text.starts_with("\x17\x08\x44tracing"))
		return "trace-cmd's data: expected text, as `trace-cmd report -i FILE` prints it";
	if (text.starts_with("\x1f\x8b") ||
	    text.starts_with("\xfd"
	                     "7zXZ") ||
	    text.starts_with("\x28\xb5\x2f\xfd"))
		return "compressed data: expected the text in it";
	if (text.starts_with("PERFILE2"))
		return "perf's data: expected a call tree or function_graph text";
	return "a binary file, not a trace: expected a call tree or function_graph text";
}

// A form that is a trace, but not one that has a tree.
std::string what_else(std::string_view text)
{
	static constexpr std::string_view head = "# tracer: ";
	if (const std::size_t at = text.find(head); at != npos) {
		const std::string_view rest = text.substr(at + head.size());
		const std::string_view tracer = trim(rest.substr(0, rest.find('\n')));
		if (tracer != "function_graph")
			return fmt::format("text of the tracer '{}'", tracer.substr(0, 40));
	}
	if (text.find(']') != npos && text.find(": function: ") != npos)
		return "a report of the function tracer";
	return {};
}

class tree_reader {
public:
	tree_reader(const std::vector<std::string_view> &lines, std::string_view file, bool whole)
		: lines_(lines), file_(file), whole_(whole)
	{}

	text_tree read()
	{
		for (std::size_t i = 0; i < lines_.size(); ++i)
			if (!trim(lines_[i]).empty() && !trim(lines_[i]).starts_with('#'))
				take(lines_[i], static_cast<u32>(i + 1));
			else
				comment(trim(lines_[i]));
		return std::move(tree_);
	}

	// Only what `#` begins.
	void comments(text_tree &into)
	{
		for (const std::string_view line : lines_)
			if (trim(line).starts_with('#'))
				comment(trim(line));
		into.directives = std::move(tree_.directives);
		into.lost += tree_.lost;
	}

private:
	u32 task(std::string_view name)
	{
		const auto it = std::ranges::find(tree_.tasks, name);
		if (it != tree_.tasks.end())
			return static_cast<u32>(it - tree_.tasks.begin());
		tree_.tasks.emplace_back(name);
		return static_cast<u32>(tree_.tasks.size() - 1);
	}

	void comment(std::string_view line)
	{
		if (line.empty())
			return;
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

	void take(std::string_view line, u32 number)
	{
		std::size_t indent = 0;
		while (indent < line.size() && line[indent] == ' ')
			++indent;
		std::size_t end = indent;
		while (end < line.size() && is_name_char(line[end]))
			++end;
		const std::string_view name = line.substr(indent, end - indent);
		const std::string_view rest = trim(line.substr(end));
		const bool cut = number == lines_.size() && !whole_;
		if (name.empty() || !is_name_start(name.front()) ||
		    (!rest.empty() && !rest.starts_with('#')) || cut)
			throw bad_trace(fmt::format(
				"{}:{}: expected one function's name, indented by two spaces a level{}: '{}'",
				file_, number, cut ? " (the file ends within the line)" : "",
				line.substr(0, 80)));
		if (now_ == nobody)
			now_ = task("");
		tree_.nodes.push_back({.name = std::string{clean_name(name)},
		                       .symbol = std::string{name},
		                       .depth = static_cast<u32>(indent / 2),
		                       .task = now_,
		                       .line = number});
	}

	static constexpr u32 nobody = ~u32{0};

	const std::vector<std::string_view> &lines_;
	std::string_view file_;
	bool whole_;
	text_tree tree_;
	u32 now_ = nobody;
};

std::vector<std::string_view> lines_of(std::string_view text)
{
	std::vector<std::string_view> out;
	while (!text.empty()) {
		const std::size_t end = std::min(text.find('\n'), text.size());
		out.push_back(text.substr(0, end));
		text.remove_prefix(std::min(end + 1, text.size()));
	}
	return out;
}

bool is_binary(std::string_view text)
{
	return std::ranges::any_of(text, [](char c) {
		return static_cast<unsigned char>(c) < 9 || (c > 13 && c < 32 && c != 27);
	});
}

} // namespace

text_tree parse_tree_text(std::string_view text, std::string_view file)
{
	if (text.empty())
		throw bad_trace(fmt::format(
			"{}: the file is empty: expected a call tree or function_graph text", file));
	if (is_binary(text))
		throw bad_trace(fmt::format("{}: {}", file, what_binary(text)));
	const std::vector<std::string_view> texts = lines_of(text);
	const bool whole = text.ends_with('\n');
	std::vector<graph_line> lines;
	lines.reserve(texts.size());
	for (const std::string_view line : texts)
		lines.push_back(read_graph_line(line));

	text_tree tree;
	if (is_graph_text(lines)) {
		tree = read_graph_text(lines, texts, file, whole);
		tree_reader{texts, file, whole}.comments(tree);
	} else {
		if (const std::string what = what_else(text); !what.empty())
			throw bad_trace(fmt::format("{}: {}: expected a call tree or function_graph text",
			                            file, what));
		tree = tree_reader{texts, file, whole}.read();
	}
	if (tree.nodes.empty())
		throw bad_trace(fmt::format(
			"{}: no functions in it: expected a call tree or function_graph text", file));
	return tree;
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
