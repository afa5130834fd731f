// SPDX-License-Identifier: GPL-2.0-only
//
// The command line. Results go to stdout, all else to stderr; nothing is on stdout when the file or the usage
// is wrong. Exit status: 0 fine, 1 an expectation failed or traces differ, 2 wrong usage or bad scenario, 3
// the environment, 4 internal, 130 interrupted.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "sim/cmd_run.h"
#include "sim/commands.h"
#include "sim/oracle.h"
#include "sim/oracle_plan.h"
#include "sim/pcap.h"
#include "sim/probe_fields.h"
#include "sim/probes.h"
#include "sim/profile.h"
#include "sim/scenario.h"
#include "sim/symbols.h"
#include "sim/tap_device.h"
#include "sim/tap_model.h"
#include "stack/trace/recorder.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;

constexpr int exit_failed = 1, exit_usage = 2, exit_environment = 3, exit_internal = 4,
	      exit_interrupted = 130;

volatile std::sig_atomic_t interrupted = 0;

// The first asks the run to end where it stands, with what it has; a second one ends it at once.
void on_interrupt(int number)
{
	interrupted = 1;
	std::signal(number, SIG_DFL);
}

struct wrong_usage : std::runtime_error {
	using std::runtime_error::runtime_error;
};
struct no_environment : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// Options of `run` as they come from the command line.
struct run_words {
	run_args args;
	std::string format, view = "graph", output_file;
	std::size_t ring = args.records_max;

	run_args finish()
	{
		// Who asks for something else than the trace gets that alone.
		const bool other = !args.probes.empty() || !args.output.funccount.empty() ||
		                   !args.output.stackcount.empty();
		const auto f = format_by_name(!format.empty() ? format : other ? "none" : "tree");
		const auto v = view_by_name(view);
		if (!f)
			throw wrong_usage(fmt::format(
				"--format: expected tree, graph, function or none, found {}", format));
		if (!v)
			throw wrong_usage(
				fmt::format("--view: expected graph, stack or source, found {}", view));
		args.output.format = *f;
		args.output.view = *v;
		args.records_max = ring;
		return args;
	}
};

void add_run_options(CLI::App &app, run_words &w)
{
	trace_selection &s = w.args.output.selection;

	app.add_option("SCENARIO", w.args.scenario, "a bundled scenario's name, or a file")->required();
	app.add_option(
		"--format", w.format,
		"tree (default), graph (ftrace's function_graph), function (its function tracer) or none");
	app.add_option("--phase", s.phases, "print this phase alone");
	app.add_option("--task", s.tasks, "print this task alone");
	app.add_option("--host", s.hosts, "print what runs on this host alone");
	app.add_option("--root", s.roots, "print this function and what it calls");
	app.add_option("--filter", s.only, "a glob: print these functions alone");
	app.add_option("--notrace", s.notrace, "a glob: leave these functions out");
	app.add_option("--fold", s.fold, "a glob: print these without what they call");
	app.add_option("--max-depth", s.depth_max, "so many levels");
	app.add_option("--profile", w.args.profile, "the kernel release (skbwalk list profiles)");
	app.add_option("--view", w.view,
	               "graph (default): what ftrace shows; stack: a backtrace; source: everything");
	app.add_option("--functions", w.args.functions_file, "a kernel's available_filter_functions");
	app.add_option("--seed", w.args.seed, "of the random streams");
	app.add_option("--pcap", w.args.pcap_file, "write the packets there");
	app.add_option("--pcap-dev", w.args.pcap_device, "only those of [HOST/][NETNS:]DEVICE");
	app.add_option("--pcap-wire", w.args.pcap_wire, "those that arrive over this wire of the scenario");
	app.add_option("-o,--output", w.output_file, "write the result there");
	app.add_option("--ring", w.ring, "records that the trace can hold")
		->check(CLI::Range(std::size_t{1}, std::size_t{1} << 32));
	app.add_option("--probe", w.args.probes,
	               "FUNCTION { FIELD, ..., kstack }: print these when it is entered; repeatable")
		->allow_extra_args(false);
	app.add_option("--stackcount", w.args.output.stackcount,
	               "a name or glob: by which stacks it is called");
	app.add_option("--funccount", w.args.output.funccount, "a name or glob: how often each is called");
	app.add_flag("--sym-offset,!--no-sym-offset", w.args.output.function.sym_offset,
	             "function: where in the program's function a call stands");
	app.add_flag("--sym-addr,!--no-sym-addr", w.args.output.function.sym_addr,
	             "function: the program's addresses");
	app.add_flag("--commands", w.args.commands, "print what the set-up commands print");
	app.add_flag("--stats", w.args.stats, "print the counters that moved and why packets were dropped");
	app.add_flag("--irqs", s.irqs, "hard interrupts too");
	graph_options &g = w.args.output.graph;
	app.add_flag("--cpu,!--no-cpu", g.cpu, "graph: a column for the cpu (on)");
	app.add_flag("--duration,!--no-duration", g.duration, "graph: a column for the duration (on)");
	app.add_flag("--overhead,!--no-overhead", g.overhead, "graph: marks before long durations (on)");
	app.add_flag("--proc,!--no-proc", g.proc, "graph: a column for the task");
	app.add_flag("--abstime,!--no-abstime", g.abstime, "graph: a column for the time");
	app.add_flag("--tail,!--no-tail", g.tail, "graph: names behind closing braces");
}

void add_tap_options(CLI::App &app, tap_args &a)
{
	app.add_option("NAME", a.names, "the TAP interface, made unless it exists; with --bridge, several")
		->required();
	app.add_option("--bridge", a.bridge,
	               "the model is a bridge of that name with these interfaces as ports");
	app.add_option("--addr", a.address,
	               "the model's address with its prefix, as in 10.9.0.2/24; a bridge needs none");
	app.add_option("--gateway", a.gateway, "the model's default route goes there");
	app.add_option("--host-addr", a.host_address, "give this machine's end an address and take it up");
	app.add_option("--serve", a.serve,
	               "http:PORT[=FOLDER], echo:PORT, discard:PORT, source:PORT, iperf3:PORT; by commas");
	app.add_option("--run", a.commands,
	               "one more set-up command for the model: ip, sysctl, ...; repeatable")
		->allow_extra_args(false);
	app.add_flag("--offload,!--no-offload", a.offload,
	             "large packets and unfinished checksums pass as they are (the default)");
	app.add_option("--pcap", a.pcap_file, "write the packets there");
	app.add_option("--trace", a.trace_file, "write the call tree there at the end, and on SIGUSR1");
	app.add_option("--trace-format", a.trace_format, "tree (default) or graph")
		->check(CLI::IsMember({"tree", "graph"}));
	app.add_option("--ring", a.records_max, "records that the trace can hold")
		->check(CLI::Range(std::size_t{1}, std::size_t{1} << 32));
	app.add_option("--profile", a.profile, "the kernel release (skbwalk list profiles)");
	app.add_option("--seed", a.seed, "of the random streams");
	app.add_option("--seconds", a.seconds, "end after so long; 0 (default): at a signal")
		->check(CLI::Range(0.0, 1e9));
}

void add_oracle_options(CLI::App &app, oracle_args &a)
{
	app.add_option("SCENARIO", a.scenarios, "bundled scenarios' names, or files");
	app.add_option("--diff", a.diff, "a phase, or SCENARIO/PHASE: kernel and model side by side");
	app.add_option("--kernel", a.kernel,
	               "a Debian package with another kernel than the newest linux-image-6.1.0-*-amd64");
	app.add_flag("--host", a.host, "on this machine's own kernel, as root");
	app.add_option("--keep", a.keep, "captures, results and the console's log go there");
	app.add_option("--from", a.from, "compare with what an earlier run kept there; nothing boots");
	app.add_option("--at-least", a.at_least, "F1 of all calls, in percent, for exit status 0 (98)")
		->check(CLI::Range(0.0, 100.0));
	app.add_option("--random", a.random, "so many random scenarios; implies --packets")
		->check(CLI::Range(1U, 10'000U));
	app.add_option("--seed", a.seed, "of the random scenarios (1)");
	app.add_flag("--packets", a.packets, "compare packets too, in a run of their own");
	app.add_flag("--texts", a.texts, "compare what commands between steps print, too");
	app.add_flag("!--no-calls", a.calls, "results alone, in one run that needs no tracer");
	app.add_option("--cache", a.cache, "of packages (XDG_CACHE_HOME/skbwalk)");
	app.add_option("--profile", a.profile, "what the model shows as (linux-6.1)");
	app.add_option("--player", a.player, "another skbwalk-player than the one beside this program");
	app.add_option("--seconds", a.seconds_max, "end the machine after so long")
		->check(CLI::Range(1U, 1'000'000U));
	app.add_option("--append", a.append, "to the kernel's command line");
	app.add_option("--later", a.later_ms, "begin so many milliseconds later after the boot")
		->check(CLI::Range(1U, 10'000U));
}

// What `run` prints, for the commands that compare.
std::string run_to_string(const std::vector<std::string> &words)
{
	CLI::App app{"run"};
	run_words w;
	add_run_options(app, w);
	std::vector<std::string> reversed{words.rbegin(), words.rend()};
	if (!reversed.empty() && reversed.back() == "run")
		reversed.pop_back();
	try {
		app.parse(reversed);
	} catch (const CLI::Error &e) {
		throw wrong_usage(e.what());
	}
	const run_result r = run_scenario(w.finish());
	for (const std::string &line : r.messages)
		fmt::print(stderr, "skbwalk: {}\n", line);
	return r.text;
}

void put(const std::string &text, const std::string &file)
{
	if (file.empty() || file == "-") {
		if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout))
			throw no_environment("stdout: cannot be written");
		return;
	}
	std::ofstream out{file, std::ios::binary};
	out << text;
	out.close();
	if (!out)
		throw no_environment(fmt::format("{}: cannot be written", file));
}

int run(run_words &w)
{
	w.args.stop = &interrupted;
	const run_args args = w.finish();
	std::signal(SIGINT, on_interrupt);
	std::signal(SIGTERM, on_interrupt);
	const run_result r = run_scenario(args);
	put(r.text, w.output_file);
	for (const std::string &line : r.audit)
		fmt::print(stderr, "{}\n", line);
	for (const std::string &line : r.messages)
		fmt::print(stderr, "skbwalk: {}\n", line);
	if (r.interrupted)
		return exit_interrupted;
	return r.fine ? 0 : exit_failed;
}

int list(const std::string &what, const std::string &profile_name)
{
	std::string out;
	if (what == "scenarios") {
		for (const bundled_scenario &b : bundled_scenarios())
			out += fmt::format("{:<24} {}\n", b.name, b.about);
	} else if (what == "profiles") {
		for (const auto &[name, summary] : profile::list())
			out += fmt::format("{:<16} {}\n", name, summary);
	} else if (what == "calls") {
		for (const call_description &c : all_calls())
			out += fmt::format("{:<16} {}\n", c.name, c.takes);
	} else if (what == "fields") {
		for (const probe_field &f : probe_fields())
			out += fmt::format("{}\n", f.name);
		out += "kstack\n";
	} else if (what == "functions") {
		const profile p = profile::load(profile_name);
		std::map<std::string, std::string> lines;
		trace::for_each_site([&](const trace::site &s) {
			const auto symbol = p.symbol(s.name);
			lines[s.name] = fmt::format("{:<44} {:<10} {}\n", s.name,
			                            s.kind == trace::site_kind::header_inline ? "header"
			                            : symbol                                  ? "traceable"
			                                                                      : "inlined",
			                            s.file);
		});
		for (const auto &[name, line] : lines)
			out += line;
	} else {
		throw wrong_usage(fmt::format(
			"list: expected scenarios, profiles, functions, fields, calls or coverage, found {}",
			what));
	}
	put(out, "");
	return 0;
}

int check(const std::vector<std::string> &names, bool plan)
{
	std::string out;
	for (const std::string &name : names)
		out += plan ? write_plan(load_scenario(find_scenario(name))) : check_scenario(name).text;
	put(out, "");
	return 0;
}

// On a terminal, unless the user's environment forbids it (no-color.org).
bool wants_colour()
{
	const char *no_colour = std::getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) != 0 && (!no_colour || !*no_colour);
}

// 0: stdout is no terminal.
u32 terminal_width()
{
	winsize size{};
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int command_line(int argc, char **argv)
{
	CLI::App app{"Walks a packet through the Linux network stack, in userspace."};
	app.require_subcommand(1);
	app.set_version_flag("--version", program_version());

	run_words run_options;
	CLI::App *run_command = app.add_subcommand("run", "run a scenario and print the call tree");
	add_run_options(*run_command, run_options);

	std::vector<std::string> check_names;
	CLI::App *check_command =
		app.add_subcommand("check", "validate scenarios; say whether a real kernel can run them");
	check_command->add_option("SCENARIO", check_names)->required();
	bool check_plan = false;
	check_command->add_flag("--plan", check_plan, "print what a real kernel's player is given");

	std::string list_what, list_profile = "linux-6.1";
	CLI::App *list_command =
		app.add_subcommand("list", "scenarios, profiles, functions, fields, calls or coverage");
	list_command
		->add_option("WHAT", list_what, "scenarios, profiles, functions, fields, calls or coverage")
		->required();
	coverage_args coverage;
	list_command->add_option("--file", coverage.file,
	                         "for coverage: a glob; each function of these files of the kernel");
	list_command->add_option("--reference", coverage.reference, "for coverage: the folder of map.tsv");
	list_command->add_option("--write", coverage.write, "for coverage: put it into this document");
	list_command->add_option("--check", coverage.check,
	                         "for coverage: 1 unless this document has it as it is");
	list_command->add_option("--profile", list_profile, "for functions");

	std::string place;
	CLI::App *where_command = app.add_subcommand(
		"where", "lines of a function, FUNCTION+OFFSET or 0xADDRESS of this program");
	where_command->add_option("PLACE", place)->required();

	tap_args tap;
	CLI::App *tap_command =
		app.add_subcommand("tap", "put the model on a TAP interface, on this machine's clock");
	add_tap_options(*tap_command, tap);

	diff_args diff;
	CLI::App *diff_command = app.add_subcommand(
		"diff",
		"compare two call trees: files, scenarios (NAME, NAME@PROFILE) or folders of captures");
	diff_command->add_option("A", diff.a)->required();
	diff_command->add_option("B", diff.b)->required();
	diff_command->add_option("--scope", diff.scope,
	                         "a file of function names; else the network's functions");
	diff_command->add_option("--profile-a", diff.profile_a,
	                         "the kernel release of A, if it is a scenario");
	diff_command->add_option("--profile-b", diff.profile_b,
	                         "the kernel release of B, if it is a scenario");
	diff_command->add_option("--phase", diff.phase, "of scenarios, this phase alone");
	diff_command
		->add_option("--match", diff.match,
	                     "whole, calls or packets; auto (default): whole if the calls are the same")
		->check(CLI::IsMember({"auto", "whole", "calls", "packets"}));
	diff_command->add_option("--width", diff.width, "columns of output")->check(CLI::Range(40U, 1000U));
	diff_command->add_flag("--all", diff.all, "equal parts too");

	conform_args conform;
	CLI::App *conform_command =
		app.add_subcommand("conform", "compare the model with the reference call trees");
	conform_command->add_option("NAME", conform.names,
	                            "rows of map.tsv, side by side; none: scores of all");
	conform_command->add_option("--reference", conform.reference, "the folder of map.tsv");
	conform_command->add_option("--captures", conform.captures,
	                            "not the model, but what `oracle --keep' has put into this folder");

	oracle_args oracle;
	CLI::App *oracle_command =
		app.add_subcommand("oracle", "play scenarios on a real kernel and compare the model with it");
	add_oracle_options(*oracle_command, oracle);

	try {
		app.parse(argc, argv);
	} catch (const CLI::Success &e) { // --help, --version
		return app.exit(e, std::cout, std::cerr);
	} catch (const CLI::Error &e) {
		app.exit(e, std::cerr, std::cerr);
		return exit_usage;
	}
#ifdef SKBWALK_NO_TRACE
	if (!*check_command && !*tap_command &&
	    !(*list_command && (list_what == "scenarios" || list_what == "profiles")))
		throw wrong_usage(
			"this program has tracing compiled out, and so no calls and no packets to show "
			"or to check: build the preset release");
	if (!tap.trace_file.empty() || !tap.pcap_file.empty())
		throw wrong_usage(
			"--trace and --pcap: this program has tracing compiled out: build the preset "
			"release");
#endif
	diff.colour = conform.colour = oracle.colour = wants_colour();
	if (!diff.width)
		diff.width = terminal_width();
	if (*run_command)
		return run(run_options);
	if (*check_command)
		return check(check_names, check_plan);
	if (*list_command && list_what == "coverage")
		return cmd_coverage(coverage);
	if (*list_command)
		return list(list_what, list_profile);
	if (*where_command) {
		put(where(place), "");
		return 0;
	}
	if (*tap_command)
		return cmd_tap(tap);
	if (*oracle_command)
		return cmd_oracle(oracle);
	if (*diff_command)
		return cmd_diff(diff, run_to_string);
	return cmd_conform(conform, run_to_string);
}

int say(int status, const char *what)
{
	fmt::print(stderr, "skbwalk: {}\n", what);
	return status;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return command_line(argc, argv);
	} catch (const wrong_usage &e) {
		return say(exit_usage, e.what());
	} catch (const bad_scenario &e) {
		return say(exit_usage, e.what());
	} catch (const bad_profile &e) {
		return say(exit_usage, e.what());
	} catch (const bad_probe &e) {
		return say(exit_usage, e.what());
	} catch (const bad_selection &e) {
		return say(exit_usage, e.what());
	} catch (const no_scenario &e) {
		return say(exit_usage, e.what());
	} catch (const not_portable &e) {
		return say(exit_usage, e.what());
	} catch (const bad_tap &e) {
		return say(exit_usage, e.what());
	} catch (const tap_refused &e) {
		return say(exit_environment, e.what());
	} catch (const no_resolver &e) {
		return say(exit_environment, e.what());
	} catch (const no_environment &e) {
		return say(exit_environment, e.what());
	} catch (const pcap_error &e) {
		return say(exit_environment, e.what());
	} catch (const std::exception &e) {
		return say(exit_internal, e.what());
	}
}
