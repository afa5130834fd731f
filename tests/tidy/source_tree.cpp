// SPDX-License-Identifier: GPL-2.0-only
//
// Reading the source tree; see source_tree.h.
#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace tidy {

namespace {

std::string trimmed(std::string_view s)
{
	const auto first = s.find_first_not_of(" \t\n");
	if (first == s.npos)
		return {};
	return std::string(s.substr(first, s.find_last_not_of(" \t\n") - first + 1));
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::size_t line_start(std::string_view text, std::size_t at)
{
	const auto newline = at ? text.rfind('\n', at - 1) : text.npos;
	return newline == text.npos ? 0 : newline + 1;
}

// Blanks text[from, to) but keeps its line ends.
void blank(std::string &text, std::size_t from, std::size_t to)
{
	for (auto i = from; i < std::min(to, text.size()); ++i)
		if (text[i] != '\n')
			text[i] = ' ';
}

std::string without_comments_and_strings(std::string text)
{
	for (std::size_t i = 0; i < text.size(); ++i) {
		const auto rest = std::string_view(text).substr(i);
		std::size_t end = 0;
		if (rest.starts_with("//")) {
			end = std::min(text.find('\n', i), text.size());
			blank(text, i, end);
		} else if (rest.starts_with("/*")) {
			end = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
			blank(text, i, end);
		} else if (rest.starts_with("R\"") && (i == 0 || !is_name(text[i - 1]))) {
			const auto open = text.find('(', i);
			if (open == text.npos)
				continue;
			const auto close = ")" + text.substr(i + 2, open - i - 2) + "\"";
			end = std::min(text.find(close, open), text.size() - close.size()) + close.size();
			blank(text, i + 2, end - 1);
		} else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_name(text[i - 1])))) {
			end = i + 1;
			while (end < text.size() && text[end] != text[i] && text[end] != '\n')
				end += text[end] == '\\' ? 2 : 1;
			blank(text, i + 1, end++);
		} else {
			continue;
		}
		i = end - 1;
	}
	return text;
}

// "template <class T> requires ... " and "[[attributes]]" away from the head of a signature.
std::string bare_signature(std::string s)
{
	static const std::regex attribute(R"(\[\[[^\]]*\]\])");
	s = trimmed(std::regex_replace(s, attribute, " "));
	if (s.starts_with("template")) {
		int depth = 0;
		std::size_t i = s.find('<');
		for (; i < s.size(); ++i) {
			depth += s[i] == '<' ? 1 : s[i] == '>' ? -1 : 0;
			if (depth == 0)
				break;
		}
		s = i < s.size() ? trimmed(s.substr(i + 1)) : "";
	}
	return s;
}

// The name that a signature defines; empty for what is not a plain free function.
std::string function_name(const std::string &signature)
{
	static const std::regex left_out(
		R"(\b(operator|constexpr|consteval|requires|class|union|concept)\b|=)");
	const auto s = bare_signature(signature);
	const auto open = s.find('(');
	if (open == s.npos || open == 0)
		return {};
	const auto head = trimmed(s.substr(0, open));
	if (std::regex_search(head, left_out))
		return {};
	auto start = head.size();
	while (start > 0 && (is_name(head[start - 1]) || head[start - 1] == ':' || head[start - 1] == '~'))
		--start;
	const auto name = head.substr(start);
	if (start == 0 || name.empty() || name.find("::") != name.npos)
		return {}; // a macro or a constructor; a member
	if (std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::islower(c); }))
		return {}; // a macro
	return name;
}

// Does the comment above the line at `at` excuse the function from tracing?
bool excused(const source_file &file, std::size_t at)
{
	for (auto start = line_start(file.text, at); start > 0;) {
		const auto above = line_start(file.text, start - 1);
		const auto line = trimmed(std::string_view(file.text).substr(above, start - above));
		if (!line.starts_with("//") && !line.starts_with("[[") && !line.starts_with("template"))
			return false;
		if (line.starts_with("// not traced: "))
			return true;
		start = above;
	}
	return false;
}

} // namespace

source_file parse(std::string path, std::string text)
{
	auto code = without_comments_and_strings(text);
	return {std::move(path), std::move(text), std::move(code)};
}

std::vector<source_file> files_of(const std::filesystem::path &root, const std::vector<std::string> &folders,
                                  const std::set<std::string> &extensions)
{
	namespace fs = std::filesystem;
	std::vector<source_file> files;
	const auto add = [&](const fs::path &path) {
		if (!extensions.contains(path.extension().string()))
			return;
		std::ifstream in(path, std::ios::binary);
		files.push_back(parse(path.lexically_relative(root).generic_string(),
		                      {std::istreambuf_iterator<char>(in), {}}));
	};
	for (const auto &folder : folders) {
		const auto top = root / folder;
		if (fs::is_regular_file(top))
			add(top);
		else if (fs::is_directory(top))
			for (const auto &entry : fs::recursive_directory_iterator(top))
				if (entry.is_regular_file())
					add(entry.path());
	}
	std::ranges::sort(files, {}, &source_file::path);
	return files;
}

int line_of(const source_file &file, std::size_t offset)
{
	const auto end = file.text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, file.text.size()));
	return 1 + static_cast<int>(std::count(file.text.begin(), end, '\n'));
}

std::vector<include_line> includes_of(const source_file &file)
{
	static const std::regex form(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
	std::vector<include_line> found;
	std::istringstream text(file.text), code(file.code);
	std::string line, bare;
	for (int number = 1; std::getline(text, line) && std::getline(code, bare); ++number) {
		std::smatch m;
		if (bare.find('#') != bare.npos && std::regex_search(line, m, form))
			found.push_back({number, m[2], m[1] == "<"});
	}
	return found;
}

std::vector<function> functions_of(const source_file &file)
{
	enum class scope { skbwalk, inner, other };
	std::vector<scope> scopes;
	std::vector<function> found;
	const std::string &code = file.code;
	static const std::regex name_space(R"(^(inline\s+)?namespace\b\s*([\w:]*)$)");
	std::size_t since = 0; // where the statement before a brace begins
	for (std::size_t i = 0; i < code.size(); ++i) {
		const bool at_line_start = i == 0 || code[i - 1] == '\n';
		if (at_line_start && code[i] == '#') { // with its continuation lines
			do
				i = std::min(code.find('\n', i + 1), code.size());
			while (i < code.size() && code[i - 1] == '\\');
			since = i + 1;
		} else if (code[i] == ';') {
			since = i + 1;
		} else if (code[i] == '}') {
			if (!scopes.empty())
				scopes.pop_back();
			since = i + 1;
		} else if (code[i] == '{') {
			const auto head = trimmed(std::string_view(code).substr(since, i - since));
			std::smatch m;
			const bool in_skbwalk = scopes == std::vector{scope::skbwalk};
			if (std::regex_match(head, m, name_space)) {
				const bool outer = scopes.empty() && m[2] == "skbwalk";
				scopes.push_back(outer ? scope::skbwalk : scope::inner);
				since = i + 1;
				continue;
			}
			scopes.push_back(scope::other);
			const bool alone = at_line_start && (i + 1 == code.size() || code[i + 1] == '\n');
			if (const auto name = in_skbwalk && alone ? function_name(head) : ""; !name.empty()) {
				const auto start = code.find_first_not_of(" \t\n", since);
				const auto end = code.find_first_of(";{}", i + 1);
				found.push_back({line_of(file, start), name,
				                 trimmed(std::string_view(code).substr(i + 1, end - i - 1)),
				                 excused(file, start)});
			}
			since = i + 1;
		}
	}
	return found;
}

room_table::room_table(const std::string &cmake)
{
	enum class table { none, rooms, doorways } now = table::none;
	static const std::regex quoted(R"re(^\s*"([^"]*)"\s*$)re");
	std::istringstream in(cmake);
	for (std::string line; std::getline(in, line);) {
		if (line.starts_with("set("))
			now = line == "set(SKBWALK_ROOMS"      ? table::rooms
			      : line == "set(SKBWALK_DOORWAYS" ? table::doorways
			                                       : table::none;
		std::smatch m;
		if (now == table::none || !std::regex_match(line, m, quoted))
			continue;
		std::string entry = m[1];
		std::ranges::replace(entry, '|', ' ');
		std::istringstream words(entry);
		std::string room, second;
		words >> room >> second;
		if (now == table::doorways) {
			doorways_.emplace(room, second);
			continue;
		}
		if (second.ends_with('*')) // the beginning of names
			second.pop_back();
		else
			second += '/';
		folders_.emplace(second, room);
		for (std::string below; words >> below;)
			below_[room].insert(below);
	}
	for (bool more = true; more;) { // what one may use may be used through it
		more = false;
		for (auto &[room, below] : below_)
			for (const auto &one : std::set(below))
				for (const auto &two : below_[one])
					more |= below.insert(two).second;
	}
}

std::string room_table::room_of(std::string_view path) const
{
	std::size_t longest = 0;
	std::string found;
	for (const auto &[folder, room] : folders_)
		if (path.starts_with(folder) && folder.size() > longest) {
			longest = folder.size();
			found = room;
		}
	return found;
}

bool room_table::may_include(const std::string &room, const std::string &header) const
{
	const auto other = room_of(header);
	if (other == room || doorways_.contains({room, header}))
		return true;
	const auto below = below_.find(room);
	return below != below_.end() && below->second.contains(other);
}

} // namespace tidy
