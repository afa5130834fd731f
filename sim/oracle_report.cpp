// SPDX-License-Identifier: GPL-2.0-only
//
// From two runs of each scenario to a table: a line a phase with the three scores of the calls in scope, then
// what calls gave, then whatever makes a figure less than it seems.
#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "sim/compare.h"
#include "sim/oracle.h"
#include "sim/scope.h"

namespace skbwalk::sim {

namespace {

constexpr u32 context_lines = 3;

std::string score_line(const std::string &name, const match_result &s)
{
	return fmt::format("{:<40} {:6.1f}% {:6.1f}% {:6.1f}%  {}/{}/{}\n", name, 100 * s.recall(),
	                   100 * s.precision(), 100 * s.f1(), s.reference, s.model, s.common);
}

bool is_asked_for(const std::string &diff, const std::string &scenario, const std::string &phase)
{
	return diff == phase || diff == scenario + "/" + phase;
}

class report {
public:
	report(const oracle_args &args, oracle_score &score) : args_(args), score_(score) {}

	void add(const played_scenario &p)
	{
		const std::string &name = p.what->name;
		if (!p.failure.empty()) {
			notes_.push_back(fmt::format("{}: not compared: {}", name, p.failure));
			score_.complete = false;
			return;
		}
		const std::size_t before = results_.size() + packets_.size();
		const match_result before_score{score_.kernel, score_.model, score_.common};
		for (const auto &[phase, tree] : p.model.phases) {
			if (!args_.calls)
				break;
			const auto real = std::ranges::find(p.kernel, phase, &capture::phase);
			if (real == p.kernel.end()) {
				notes_.push_back(fmt::format("{}/{}: the kernel's run did not come to it",
				                             name, phase));
				score_.complete = false;
				continue;
			}
			compare(name + "/" + phase, real->tree, without_noise(tree),
			        is_asked_for(args_.diff, name, phase));
			for (const std::string &note : real->notes)
				notes_.push_back(fmt::format("{}/{}: {}", name, phase, note));
		}
		const auto counted = [](const step &s) { return s.call != call_kind::run; };
		score_.calls += static_cast<std::size_t>(std::ranges::count_if(p.what->warmup, counted) +
		                                         std::ranges::count_if(p.what->steps, counted));
		// Recording makes a call take milliseconds, by which acknowledgements that wait are merged or
		// not; so where there is a run without, its results count.
		const bool looked = args_.packets;
		std::set<std::string> told;
		for (const std::string &line : differences(*p.what, looked ? p.kernel_looked : p.kernel_got,
		                                           looked ? p.model_looked : p.model.got)) {
			++score_.calls_differ;
			++differ_;
			// A state that stays another is told once.
			if (told.insert(line.substr(line.find(": "))).second)
				results_.push_back(fmt::format("{}: {}", name, line));
		}
		if (args_.texts)
			for (const std::string &line :
			     text_differences(*p.what, looked ? p.kernel_looked : p.kernel_got,
			                      looked ? p.model_looked : p.model.got))
				texts_.push_back(fmt::format("{}: {}", name, line));
		if (args_.packets)
			for (const std::string &line : packet_differences(p.kernel_looked, p.model_looked))
				packets_.push_back(fmt::format("{}: {}", name, line));
		if (results_.size() + packets_.size() != before)
			score_.differing.push_back(name);
		if (args_.random && args_.calls)
			table_ += score_line(name, {score_.kernel - before_score.reference,
			                            score_.model - before_score.model,
			                            score_.common - before_score.common});
		for (const outcomes *o : {&p.kernel_got, &p.kernel_looked, &p.model.got, &p.model_looked})
			for (const std::string &note : o->notes)
				notes_.push_back(fmt::format("{}: {}", name, note));
	}

	std::string text() const
	{
		std::string out;
		if (args_.calls)
			out = fmt::format("{:<40} {:>7} {:>7} {:>7}  {}\n", "scenario/phase", "recall",
			                  "precis.", "F1", "calls kernel/model/both") +
			      table_ + score_line("all", {score_.kernel, score_.model, score_.common});
		out += fmt::format("results: {} system calls, {}\n", score_.calls,
		                   results_.empty() ? "all equal" : fmt::format("{} differ", differ_));
		if (args_.packets)
			out += fmt::format("packets: {}\n",
			                   packets_.empty() ? "all equal"
			                                    : fmt::format("{} differ", packets_.size()));
		if (args_.texts)
			out += fmt::format("texts: {}\n", texts_.empty()
			                                          ? "all equal"
			                                          : fmt::format("{} differ", texts_.size()));
		for (const auto *list : {&results_, &packets_, &texts_, &notes_})
			for (const std::string &line : *list)
				out += fmt::format("  {}\n", line);
		return out + diffs_;
	}
	[[nodiscard]] std::size_t others_differ() const { return packets_.size() + texts_.size(); }

private:
	void compare(const std::string &name, const text_tree &kernel, const text_tree &model, bool show)
	{
		const std::vector<edge> left = edges_in_scope(kernel, scope_.names());
		const std::vector<edge> right = edges_in_scope(model, scope_.names());
		const match_result score = match(left, right);
		score_.kernel += score.reference;
		score_.model += score.model;
		score_.common += score.common;
		if (!args_.random)
			table_ += score_line(name, score);
		if (show)
			diffs_ += fmt::format("\n{}\n{}", name,
			                      side_by_side(left, right,
			                                   {.left = "kernel",
			                                    .right = "model",
			                                    .colour = args_.colour,
			                                    .context = context_lines}));
	}

	const oracle_args &args_;
	oracle_score &score_;
	function_scope scope_{""};
	std::string table_, diffs_;
	std::vector<std::string> results_, packets_, texts_, notes_;
	std::size_t differ_ = 0; // results, with those that are not told again
};

} // namespace

std::string oracle_report(const std::vector<played_scenario> &played, const oracle_args &args,
                          oracle_score &score)
{
	report r{args, score};
	for (const played_scenario &p : played)
		r.add(p);
	score.calls_differ += r.others_differ();
	return r.text();
}

} // namespace skbwalk::sim
