// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk conform: every row of tests/reference/map.tsv is a reference file, a scenario and the options of
// `run` that print the trace to compare. Documents' traces (seeds/) must be found whole; a kernel's
// recordings have goals for each file and for each family, the letter that their names begin with.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/scope.h"

namespace skbwalk::sim {

namespace {

// A file with fewer edges is judged by the number of wrong functions.
constexpr std::size_t small_file_edges = 60;
constexpr std::size_t small_file_wrong_max = 1;
constexpr double file_goal = 0.97;
constexpr double family_goal = 0.98;

struct map_row {
	std::string reference; // below the folder
	std::vector<std::string> run;
	[[nodiscard]] bool is_seed() const { return reference.starts_with("seeds/"); }
	[[nodiscard]] std::string stem() const { return std::filesystem::path{reference}.stem().string(); }
};

std::vector<std::string> split_at(const std::string &text, char separator)
{
	std::istringstream in{text};
	std::vector<std::string> out;
	for (std::string part; std::getline(in, part, separator);)
		if (!part.empty())
			out.push_back(part);
	return out;
}

std::vector<map_row> read_map(const std::filesystem::path &path)
{
	std::ifstream in{path};
	std::vector<map_row> rows;
	std::string line;

	if (!in)
		throw bad_trace(fmt::format("{}: cannot be read", path.string()));
	for (u32 number = 1; std::getline(in, line); ++number) {
		if (line.empty() || line.starts_with('#'))
			continue;
		const std::vector<std::string> fields = split_at(line, '\t');
		if (fields.size() < 2 || fields.size() > 3)
			throw bad_trace(fmt::format(
				"{}:{}: expected REFERENCE, SCENARIO and OPTIONS with tabs between",
				path.string(), number));
		map_row row{fields[0], {fields[1]}};
		if (fields.size() > 2)
			for (std::string &option : split_at(fields[2], ' '))
				row.run.push_back(std::move(option));
		rows.push_back(std::move(row));
	}
	return rows;
}

// Phase, and F1 of the kernel against itself.
std::map<std::string, std::string> read_ceiling(const std::filesystem::path &path)
{
	std::ifstream in{path};
	std::map<std::string, std::string> out;
	for (std::string line; std::getline(in, line);) {
		const std::vector<std::string> fields = split_at(line, '\t');
		if (!line.starts_with('#') && fields.size() == 3)
			out[fields[0]] = fields[2];
	}
	return out;
}

class conform {
public:
	conform(const conform_args &args, const run_to_tree &run)
		: args_(args), run_(run), folder_(reference_folder(args.reference)),
		  ceiling_(read_ceiling(folder_ / "linux-6.1/ceiling.tsv")),
		  scope_((folder_ / "linux-6.1/scope.tsv").string())
	{}

	int go()
	{
		const std::vector<map_row> rows = args_.captures.empty() ? chosen() : captured(chosen());
		const bool details = !args_.names.empty();
		if (!details)
			fmt::print("{:<34} {:>7} {:>7} {:>7} {:>7}  edges kernel/{}/common\n", "reference",
			           "recall", "precis.", "F1", "ceiling",
			           args_.captures.empty() ? "model" : "capture");
		for (const map_row &row : rows) {
			try {
				const text_tree reference =
					parse_tree_file((folder_ / row.reference).string());
				const text_tree model =
					args_.captures.empty()
						? parse_tree_text(run_(row.run),
				                                  fmt::format("{}", row.run[0]))
						: parse_tree_file(capture_of(row).string());
				if (row.is_seed())
					seed(row, reference, model, details);
				else
					recording(row, reference, model, details);
			} catch (const std::exception &e) {
				fmt::print("{:<34} not compared: {}\n", row.reference, e.what());
				below_ = true;
				if (!row.is_seed())
					incomplete_.insert(row.stem().substr(0, row.stem().find('-')));
			}
			std::fflush(stdout);
		}
		if (!details)
			families();
		return below_ ? 1 : 0;
	}

private:
	std::vector<map_row> chosen() const
	{
		std::vector<map_row> rows = read_map(folder_ / "map.tsv");
		if (args_.names.empty())
			return rows;
		std::vector<map_row> out;
		for (const std::string &name : args_.names) {
			const std::size_t before = out.size();
			std::ranges::copy_if(rows, std::back_inserter(out), [&](const map_row &r) {
				return name == r.reference || name == r.stem() ||
				       name + ".tree" == r.reference;
			});
			if (out.size() == before)
				throw bad_trace(fmt::format("no row '{}' in {}", name,
				                            (folder_ / "map.tsv").string()));
		}
		return out;
	}

	// SCENARIO.PHASE.tree, as `oracle --keep` names it.
	std::filesystem::path capture_of(const map_row &row) const
	{
		const auto at = std::ranges::find(row.run, "--phase");
		return std::filesystem::path{args_.captures} /
		       fmt::format("{}.{}.tree", row.run[0], at == row.run.end() ? row.run[0] : *(at + 1));
	}

	// A kernel's recordings alone, of scenarios that were captured.
	std::vector<map_row> captured(std::vector<map_row> rows) const
	{
		std::erase_if(rows, [this](const map_row &row) {
			return row.is_seed() || !std::filesystem::exists(capture_of(row));
		});
		if (rows.empty())
			throw bad_trace(fmt::format(
				"{}: expected captures of the scenarios of {}: SCENARIO.PHASE.tree, as "
				"`skbwalk oracle --keep' leaves them",
				args_.captures, (folder_ / "map.tsv").string()));
		return rows;
	}

	void say_command(const map_row &row) const
	{
		if (!args_.captures.empty()) {
			fmt::print("{}\n  {}\n", row.reference, capture_of(row).string());
			return;
		}
		fmt::print("{}\n  skbwalk run {}\n", row.reference, fmt::join(row.run, " "));
	}

	void seed(const map_row &row, const text_tree &reference, const text_tree &model, bool details)
	{
		const embed_result result = embed(reference, model, wants_sequence(reference));
		const bool whole = result.matched == result.found.size();
		below_ = below_ || !whole;
		if (!details) {
			fmt::print("{:<34} {:6.1f}%  {}/{} nodes{}\n", row.reference, result.percent(),
			           result.matched, result.found.size(), whole ? "" : "  BELOW");
			return;
		}
		say_command(row);
		for (std::size_t i = 0; i < result.found.size(); ++i)
			fmt::print("{} {:{}}{}\n", result.found[i] ? ' ' : '-', "",
			           2 * reference.nodes[i].depth, reference.nodes[i].symbol);
		fmt::print("embedded {}/{} ({:.1f}%)\n", result.matched, result.found.size(),
		           result.percent());
	}

	void recording(const map_row &row, const text_tree &reference, const text_tree &model, bool details)
	{
		const std::vector<edge> left = edges_in_scope(reference, scope_.names());
		const std::vector<edge> right = edges_in_scope(model, scope_.names());
		const match_result score = match(left, right);
		const bool fine = left.size() >= small_file_edges ? score.f1() >= file_goal
		                                                  : score.wrong() <= small_file_wrong_max;
		below_ = below_ || !fine;
		match_result &family = families_[row.stem().substr(0, row.stem().find('-'))];
		family.reference += score.reference;
		family.model += score.model;
		family.common += score.common;
		if (!details) {
			const auto ceiling = ceiling_.find(row.stem());
			print_score(row.reference, score, ceiling == ceiling_.end() ? "" : ceiling->second,
			            fine);
			return;
		}
		say_command(row);
		std::fputs(side_by_side(left, right,
		                        {.left = "kernel",
		                         .right = args_.captures.empty() ? "model" : "capture",
		                         .colour = args_.colour})
		                   .c_str(),
		           stdout);
		fmt::print("recall {:.1f}%  precision {:.1f}%  F1 {:.1f}%  (kernel {}, {} {}, common {})\n",
		           100 * score.recall(), 100 * score.precision(), 100 * score.f1(), score.reference,
		           args_.captures.empty() ? "model" : "capture", score.model, score.common);
	}

	static void print_score(const std::string &name, const match_result &score,
	                        const std::string &ceiling, bool fine)
	{
		fmt::print("{:<34} {:6.1f}% {:6.1f}% {:6.1f}% {:>7}  {}/{}/{}{}\n", name,
		           100 * score.recall(), 100 * score.precision(), 100 * score.f1(), ceiling,
		           score.reference, score.model, score.common, fine ? "" : "  BELOW");
	}

	void families()
	{
		for (const auto &[name, score] : families_) {
			const bool fine = score.f1() >= family_goal && !incomplete_.contains(name);
			below_ = below_ || !fine;
			print_score(fmt::format("family {}, pooled", name), score, "", fine);
		}
	}

	const conform_args &args_;
	const run_to_tree &run_;
	std::filesystem::path folder_;
	std::map<std::string, std::string> ceiling_;
	function_scope scope_;
	std::map<std::string, match_result> families_;
	std::set<std::string> incomplete_; // families with a row that could not be compared
	bool below_ = false;
};

} // namespace

std::filesystem::path reference_folder(const std::string &asked)
{
	if (!asked.empty())
		return asked;
	const std::filesystem::path here = "tests/reference";
	return std::filesystem::exists(here / "map.tsv") ? here
	                                                 : std::filesystem::path{SKBWALK_SOURCE_DIR} / here;
}

int cmd_conform(const conform_args &args, const run_to_tree &run)
{
	try {
		return conform{args, run}.go();
	} catch (const std::exception &e) {
		fmt::print(stderr, "skbwalk: {}\n", e.what());
		return 2;
	}
}

} // namespace skbwalk::sim
