// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk diff of two folders of captures, as `oracle --keep` leaves them: what two boots of one kernel
// recorded of the same scenarios. A line of scores for each phase, then the functions at which they part,
// with the phases: an honest list of what differs although nothing was done differently.
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/commands.h"
#include "sim/compare.h"
#include "sim/noise.h"
#include "sim/scope.h"

namespace skbwalk::sim {

namespace {

namespace fs = std::filesystem;

// SCENARIO.PHASE, without what the model made there.
std::set<std::string> captures_in(const fs::path &folder)
{
	std::set<std::string> out;
	for (const auto &entry : fs::directory_iterator(folder))
		if (const std::string name = entry.path().filename().string();
		    name.ends_with(".tree") && !name.ends_with(".model.tree"))
			out.insert(name.substr(0, name.size() - 5));
	if (out.empty())
		throw bad_trace(
			fmt::format("{}: expected captures: files SCENARIO.PHASE.tree", folder.string()));
	return out;
}

class folders {
public:
	explicit folders(const diff_args &args) : args_(args), scope_(args.scope) {}

	int go()
	{
		const std::set<std::string> left = captures_in(args_.a), right = captures_in(args_.b);
		fmt::print("{:<40} {:>7} {:>7} {:>7}  calls left/right/both\n", "capture", "recall",
		           "precis.", "F1");
		bool equal = true;
		for (const std::string &name : left)
			if (right.contains(name))
				equal = compare(name) && equal;
		line("all", all_);
		for (const auto &[mine, others, side] :
		     {std::tuple{&left, &right, "left"}, std::tuple{&right, &left, "right"}})
			for (const std::string &name : *mine)
				if (!others->contains(name)) {
					fmt::print("only in the {}: {}\n", side, name);
					equal = false;
				}
		say_functions();
		return equal ? 0 : 1;
	}

private:
	static void line(const std::string &name, const match_result &s)
	{
		fmt::print("{:<40} {:6.1f}% {:6.1f}% {:6.1f}%  {}/{}/{}\n", name, 100 * s.recall(),
		           100 * s.precision(), 100 * s.f1(), s.reference, s.model, s.common);
	}

	text_tree read(const std::string &folder, const std::string &name) const
	{
		const fs::path file = fs::path{folder} / (name + ".tree");
		try {
			return parse_tree_file(file.string());
		} catch (const bad_trace &) {
			// A phase in which nothing that is recorded ran has its head alone.
			std::error_code ignored;
			if (fs::file_size(file, ignored) <=
			    name.size() + std::string_view{"# phase \n"}.size())
				return {};
			throw;
		}
	}

	bool compare(const std::string &name)
	{
		const text_tree a = read(args_.a, name), b = read(args_.b, name);
		const std::vector<edge> left = edges_in_scope(a, scope_.names());
		const std::vector<edge> right = edges_in_scope(b, scope_.names());
		const auto pairs = align(left, right);
		const match_result score{left.size(), right.size(), pairs.size()};
		all_.reference += score.reference;
		all_.model += score.model;
		all_.common += score.common;
		line(name, score);
		std::vector<bool> in_left(left.size()), in_right(right.size());
		for (const auto &[i, j] : pairs)
			in_left[i] = in_right[j] = true;
		partings(left, in_left, name);
		partings(right, in_right, name);
		return left == right;
	}

	// Those that only one has, under a caller that both have.
	void partings(const std::vector<edge> &edges, const std::vector<bool> &both, const std::string &name)
	{
		std::vector<std::size_t> above;
		for (std::size_t i = 0; i < edges.size(); ++i) {
			above.resize(std::min<std::size_t>(above.size(), edges[i].depth));
			if (!both[i] && (above.empty() || both[above.back()]))
				functions_[std::string{edges[i].callee}].insert(name);
			above.push_back(i);
		}
	}

	void say_functions() const
	{
		if (functions_.empty())
			return;
		fmt::print("functions at which they part, and where:\n");
		for (const auto &[function, where] : functions_)
			fmt::print("{}\t{}{}\n", function, fmt::join(where, " "),
			           known_noise().contains(function)
			                   ? fmt::format("\t(known: {})", known_noise().at(function))
			                   : "");
	}

	const diff_args &args_;
	function_scope scope_;
	match_result all_;
	std::map<std::string, std::set<std::string>> functions_;
};

} // namespace

int diff_folders(const diff_args &args) { return folders{args}.go(); }

} // namespace skbwalk::sim
