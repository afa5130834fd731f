// SPDX-License-Identifier: GPL-2.0-only
//
// The functions and their files come from the profile's list, the model's from the sites of its TRACE macros,
// the calls from the recordings' trees.
#include "sim/coverage.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "sim/embedded.h"
#include "sim/trace_selection.h"
#include "sim/tree_text.h"
#include "stack/trace/recorder.h"

namespace skbwalk::sim {

namespace {

constexpr std::string_view begin_mark = "<!-- coverage: written by ./dev coverage -->\n";
constexpr std::string_view end_mark = "<!-- coverage: end -->\n";
constexpr std::size_t missing_listed = 40;

// Source name and file, once each.
std::map<std::pair<std::string_view, std::string_view>, covered_function> network_functions()
{
	std::map<std::pair<std::string_view, std::string_view>, covered_function> out;
	std::set<std::string_view> seen;
	for (const embedded_file &f : embedded_profiles()) {
		if (f.name != "linux-6.1.functions")
			continue;
		std::string_view rest = f.text, file;
		while (!rest.empty()) {
			const std::string_view line = rest.substr(0, rest.find('\n'));
			rest.remove_prefix(std::min(line.size() + 1, rest.size()));
			if (line.empty() || line.starts_with('#'))
				continue;
			if (line.starts_with(':')) {
				file = line.size() > 2 ? line.substr(2) : std::string_view{};
				file = file.substr(0, file.find(' ')); // a module may stand behind it
				continue;
			}
			const std::string_view name = clean_name(line.substr(0, line.find_first_of(" \t")));
			if (!file.empty() && seen.insert(name).second)
				out[{file, name}] = {.name = name, .file = file};
		}
	}
	return out;
}

struct totals {
	u32 traceable = 0, modelled = 0; // functions
	u32 recorded = 0, recorded_modelled = 0;
	u64 calls = 0, calls_modelled = 0;

	void add(const covered_function &f)
	{
		++traceable;
		modelled += f.modelled;
		recorded += f.calls != 0;
		recorded_modelled += f.calls && f.modelled;
		calls += f.calls;
		calls_modelled += f.modelled ? f.calls : 0;
	}
	void add(const totals &t)
	{
		traceable += t.traceable;
		modelled += t.modelled;
		recorded += t.recorded;
		recorded_modelled += t.recorded_modelled;
		calls += t.calls;
		calls_modelled += t.calls_modelled;
	}
	[[nodiscard]] std::string percent() const
	{
		return calls ? fmt::format("{:.1f}%", 100 * static_cast<double>(calls_modelled) /
		                                              static_cast<double>(calls))
		             : "";
	}
};

std::map<std::string_view, totals> by_file(const coverage &c)
{
	std::map<std::string_view, totals> out;
	for (const covered_function &f : c.functions)
		out[f.file].add(f);
	return out;
}

totals sum(const std::map<std::string_view, totals> &files)
{
	totals out;
	for (const auto &[file, t] : files)
		out.add(t);
	return out;
}

bool is_touched(const totals &t) { return t.modelled || t.recorded; }

// Most calls first.
std::vector<const covered_function *> missing(const coverage &c)
{
	std::vector<const covered_function *> out;
	for (const covered_function &f : c.functions)
		if (f.calls && !f.modelled)
			out.push_back(&f);
	std::ranges::stable_sort(out, std::ranges::greater{}, &covered_function::calls);
	return out;
}

std::string_view file_name(std::string_view file) { return file == "-" ? "system calls" : file; }

} // namespace

coverage coverage::take(const std::string &reference)
{
	auto functions = network_functions();
	std::map<std::string, u64, std::less<>> calls;
	coverage out;

	std::vector<std::string> files;
	std::error_code ignored;
	if (!reference.empty())
		for (const auto &entry :
		     std::filesystem::directory_iterator(reference + "/linux-6.1", ignored))
			if (entry.path().extension() == ".tree")
				files.push_back(entry.path().string());
	for (const std::string &file : files)
		for (const text_node &n : parse_tree_file(file).nodes)
			++calls[n.name];
	out.recordings = static_cast<u32>(files.size());

	std::set<std::string, std::less<>> modelled;
	trace::for_each_site([&](const trace::site &s) { modelled.emplace(s.name); });
	for (auto &[key, f] : functions) {
		if (const auto it = calls.find(f.name); it != calls.end())
			f.calls = it->second;
		f.modelled = modelled.contains(f.name);
		out.functions.push_back(f);
	}
	return out;
}

std::string coverage::text() const
{
	const auto files = by_file(*this);
	const totals all = sum(files);
	std::string out = fmt::format("{} network functions can be traced in linux-6.1; the model has {}\n",
	                              all.traceable, all.modelled);
	auto to = std::back_inserter(out);
	if (recordings)
		fmt::format_to(
			to,
			"{} of them are in the {} recordings; the model has {}, and {} of their {} calls\n",
			all.recorded, recordings, all.recorded_modelled, all.percent(), all.calls);
	fmt::format_to(to, "\n{:<44} {:>10} {:>13} {:>8} {:>9}\n", "file", "traceable", "in recordings",
	               "calls", "modelled");
	totals rest;
	u32 rest_files = 0;
	for (const auto &[file, t] : files) {
		if (!is_touched(t)) {
			rest.add(t);
			++rest_files;
			continue;
		}
		fmt::format_to(to, "{:<44} {:>10} {:>13} {:>8} {:>9}\n", file_name(file),
		               fmt::format("{}/{}", t.modelled, t.traceable),
		               t.recorded ? fmt::format("{}/{}", t.recorded_modelled, t.recorded) : "",
		               t.calls, t.percent());
	}
	fmt::format_to(to, "{:<44} {:>10}\n", fmt::format("{} other files", rest_files),
	               fmt::format("0/{}", rest.traceable));
	const auto lacking = missing(*this);
	if (!lacking.empty())
		fmt::format_to(to, "\nin the recordings, not in the model:\n");
	for (const covered_function *f : lacking)
		fmt::format_to(to, "{:>6}  {:<44} {}\n", f->calls, f->name, file_name(f->file));
	return out;
}

std::string coverage::text_of(std::string_view glob) const
{
	std::string out;
	for (const covered_function &f : functions)
		if (glob_match(glob, f.file))
			fmt::format_to(std::back_inserter(out), "{:<44} {:<9} {:>6}  {}\n", f.name,
			               f.modelled ? "modelled" : "-", f.calls, file_name(f.file));
	return out;
}

std::string coverage::markdown() const
{
	const auto files = by_file(*this);
	const totals all = sum(files);
	std::string out = fmt::format(
		"Of the {} network functions that ftrace can trace in this kernel the model has {}. "
		"{} of them are in the {} recordings:\nthe model has {}, which made {} of the {} calls "
		"there. `skbwalk list coverage --file 'net/ipv4/*'` names each.\n\n",
		all.traceable, all.modelled, all.recorded, recordings, all.recorded_modelled, all.percent(),
		all.calls);
	auto to = std::back_inserter(out);
	out += "| file | traceable: model/kernel | in recordings: model/kernel | their calls | modelled |\n"
	       "|---|---|---|---|---|\n";
	totals rest;
	u32 rest_files = 0;
	for (const auto &[file, t] : files) {
		if (!t.recorded) {
			rest.add(t);
			++rest_files;
			continue;
		}
		fmt::format_to(to, "| {} | {}/{} | {}/{} | {} | {} |\n", file_name(file), t.modelled,
		               t.traceable, t.recorded_modelled, t.recorded, t.calls, t.percent());
	}
	fmt::format_to(to, "| {} others, in no recording | {}/{} | | | |\n", rest_files, rest.modelled,
	               rest.traceable);
	const auto lacking = missing(*this);
	if (lacking.empty())
		return out;
	out += "\nWhat the recordings have and the model does not, with the number of calls";
	out += lacking.size() > missing_listed
	               ? fmt::format(" (the first {} of {}):\n\n", missing_listed, lacking.size())
	               : ":\n\n";
	std::map<std::string_view, std::string> lines;
	for (std::size_t i = 0; i < std::min(lacking.size(), missing_listed); ++i) {
		std::string &line = lines[lacking[i]->file];
		line += fmt::format("{}`{}` {}", line.empty() ? "" : ", ", lacking[i]->name,
		                    lacking[i]->calls);
	}
	for (const auto &[file, line] : lines)
		fmt::format_to(to, "- {}: {}\n", file_name(file), line);
	return out;
}

std::string with_coverage(const std::string &document, const std::string &section)
{
	const std::size_t begin = document.find(begin_mark);
	const std::size_t end = document.find(end_mark);
	if (begin == std::string::npos || end == std::string::npos || end < begin)
		throw std::runtime_error(fmt::format("expected the lines '{}' and '{}'",
		                                     begin_mark.substr(0, begin_mark.size() - 1),
		                                     end_mark.substr(0, end_mark.size() - 1)));
	return document.substr(0, begin + begin_mark.size()) + section + document.substr(end);
}

} // namespace skbwalk::sim
