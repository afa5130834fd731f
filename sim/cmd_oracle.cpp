// SPDX-License-Identifier: GPL-2.0-only
//
// Load, play there, run here, report. The folder of a boot is temporary unless --keep names one; when
// something goes wrong with the machine it stays, and the message names it.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include "sim/oracle.h"
#include "sim/oracle_image.h"
#include "sim/oracle_plan.h"
#include "sim/oracle_random.h"
#include "sim/profile.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk::sim {

namespace {

namespace fs = std::filesystem;

constexpr int exit_differs = 1, exit_usage = 2, exit_environment = 3;

struct wrong_request : std::runtime_error {
	using std::runtime_error::runtime_error;
};

std::vector<scenario> load(const oracle_args &args)
{
	std::vector<scenario> out;
	for (const std::string &name : args.scenarios) {
		out.push_back(load_scenario(find_scenario(name)));
		static_cast<void>(write_plan(out.back())); // or it says why it cannot be played
		for (std::size_t i = 0; i + 1 < out.size(); ++i)
			if (out[i].name == out.back().name)
				throw wrong_request(
					fmt::format("{} and {}: expected scenarios with different names",
				                    out[i].file, out.back().file));
	}
	for (u32 i = 0; i < args.random; ++i)
		out.push_back(
			parse_scenario(random_scenario(args.seed, i), random_scenario_name(args.seed, i)));
	if (out.empty())
		throw wrong_request("oracle: expected a scenario");
	return out;
}

bool uses_md5(const scenario &s)
{
	const auto sets = [](const step &one) {
		return one.call == call_kind::setsockopt && one.level == SOL_TCP &&
		       (one.option == TCP_MD5SIG || one.option == TCP_MD5SIG_EXT);
	};
	return std::ranges::any_of(s.warmup, sets) || std::ranges::any_of(s.steps, sets);
}

bool has_phase(const scenario &s, const std::string &phase)
{
	if (!s.has_phases())
		return phase == s.name || phase == s.name + "/" + s.name;
	return std::ranges::any_of(s.steps, [&](const step &one) {
		return !one.phase.empty() && (phase == one.phase || phase == s.name + "/" + one.phase);
	});
}

fs::path folder_for(const oracle_args &args)
{
	if (!args.keep.empty()) {
		std::error_code error;
		fs::create_directories(args.keep, error);
		if (error)
			throw no_oracle(fmt::format("{}: {}", args.keep.string(), error.message()));
	}
	if (std::error_code ignored; !args.from.empty() && !fs::is_directory(args.from, ignored))
		throw wrong_request(fmt::format("--from {}: expected a folder that `oracle --keep' has left",
		                                args.from.string()));
	if (!args.from.empty() || !args.keep.empty())
		return args.from.empty() ? args.keep : args.from;
	std::string name = (fs::temp_directory_path() / "skbwalk-oracle.XXXXXX").string();
	if (!mkdtemp(name.data()))
		throw no_oracle(fmt::format("{}: cannot be made", name));
	return name;
}

void write_text(const fs::path &file, const std::string &text)
{
	std::ofstream out{file, std::ios::binary};
	out << text;
	out.close();
	if (!out)
		throw no_oracle(fmt::format("{}: cannot be written", file.string()));
}

// What a run of the player left; a note instead where it left nothing.
void take_back(played_scenario &p, const fs::path &folder, const oracle_args &args)
{
	const std::string stem = plan_stem(*p.what);
	const auto text_of = [&](const char *variant, const char *kind) {
		const fs::path file = folder / fmt::format("{}.{}.{}", stem, variant, kind);
		return fs::exists(file) ? read_bytes(file) : std::string{};
	};
	const std::string full = text_of("full", "trace"),
			  results = text_of(args.calls ? "full" : "plain", "results");
	if ((args.calls && full.empty()) || results.empty()) {
		p.failure =
			args.from.empty()
				? "the player did not come to its end"
				: fmt::format("{}: no {}.{}.results{} in it", args.from.string(), stem,
		                              args.calls ? "full" : "plain", args.calls ? " and .trace" : "");
		return;
	}
	try {
		if (args.calls)
			p.kernel = read_captures(full, text_of("softirqs", "trace"), stem + ".full.trace");
		p.kernel_got = read_outcomes(results, stem + ".results");
		if (args.packets)
			p.kernel_looked =
				read_outcomes(text_of("packets", "results"), stem + ".packets.results");
	} catch (const bad_trace &e) {
		p.failure = e.what();
	}
}

// A random scenario's file is kept; where nothing is, those that differ are printed, to be played again.
void hand_out_random(const oracle_args &args, const oracle_score &score)
{
	for (u32 i = 0; i < args.random; ++i) {
		const std::string name = random_scenario_name(args.seed, i),
				  text = random_scenario(args.seed, i);
		if (!args.keep.empty())
			write_text(args.keep / (name + ".json"), text);
		else if (std::ranges::find(score.differing, name) != score.differing.end())
			fmt::print("\n{}.json:\n{}", name, text);
	}
}

void keep_trees(const std::vector<played_scenario> &played, const fs::path &folder)
{
	for (const played_scenario &p : played) {
		for (const capture &c : p.kernel)
			write_text(folder / fmt::format("{}.{}.tree", plan_stem(*p.what), plan_word(c.phase)),
			           tree_text(c.tree, c.phase));
		for (const auto &[phase, tree] : p.model.phases)
			write_text(folder / fmt::format("{}.{}.model.tree", plan_stem(*p.what),
			                                plan_word(phase)),
			           tree_text(tree, phase));
	}
}

int play(oracle_args args)
{
	args.packets = args.packets || args.random;
	const std::vector<scenario> scenarios = load(args);
	if (!args.diff.empty() &&
	    std::ranges::none_of(scenarios, [&](const scenario &s) { return has_phase(s, args.diff); }))
		throw wrong_request(fmt::format("--diff {}: expected a phase of these scenarios", args.diff));

	boot_args boot;
	boot.kernel = args.kernel;
	boot.cache = args.cache;
	boot.player = args.player;
	boot.seconds_max = args.seconds_max;
	boot.append = args.append;
	boot.later_ms = args.later_ms;
	boot.folder = folder_for(args);
	// The first run meets cold caches and static keys that nobody has turned on yet: its times are not
	// used.
	// Packet sockets change what the receiver accounts for: the model then keeps clones, too.
	std::vector<std::string> variants;
	if (args.packets)
		variants.emplace_back("packets");
	if (!args.calls || !args.packets)
		variants.emplace_back("plain");
	if (args.calls)
		variants.insert(variants.end(), {"full", "softirqs"});
	boot.records = args.calls;
	for (const scenario &s : scenarios)
		boot.plans.push_back({&s, variants});
	// Those that want more modules come last: a module stays, and could hook into what the others do. So
	// does the static key that the first key for TCP's MD5 option turns on.
	std::ranges::stable_sort(boot.plans, {}, [](const played_plan &p) {
		return std::pair{uses_md5(*p.what), modules_for(*p.what).size()};
	});

	const boot_result machine = !args.from.empty() ? boot_result{"captures of " + args.from.string(), {}}
	                            : args.host        ? play_on_this_host(boot)
	                                               : play_under_qemu(boot);
	std::vector<played_scenario> played;
	for (const scenario &s : scenarios) {
		played_scenario p;
		p.what = &s;
		take_back(p, boot.folder, args);
		p.model = run_on_model(s, args.profile, p.kernel_got.tick);
		if (args.packets)
			p.model_looked = look_at_model(s, args.profile, p.kernel_looked.tick).got;
		played.push_back(std::move(p));
	}
	if (!args.keep.empty()) {
		keep_trees(played, args.keep);
	} else if (args.from.empty()) {
		std::error_code ignored;
		fs::remove_all(boot.folder, ignored);
	}

	oracle_score score;
	const std::string text = oracle_report(played, args, score);
	fmt::print("# {} and {}\n{}", machine.release, args.profile, text);
	hand_out_random(args, score);
	for (const std::string &note : machine.notes)
		fmt::print(stderr, "skbwalk: {}\n", note);
	const double sum = static_cast<double>(score.kernel + score.model);
	const double f1 = sum > 0 ? 200 * static_cast<double>(score.common) / sum : 100;
	return score.complete && !score.calls_differ && f1 >= args.at_least ? 0 : exit_differs;
}

int say(int status, const char *what)
{
	fmt::print(stderr, "skbwalk: {}\n", what);
	return status;
}

} // namespace

int cmd_oracle(const oracle_args &args)
{
	try {
		return play(args);
	} catch (const no_oracle &e) {
		return say(exit_environment, e.what());
	} catch (const not_portable &e) {
		return say(exit_usage, e.what());
	} catch (const wrong_request &e) {
		return say(exit_usage, e.what());
	}
}

} // namespace skbwalk::sim
