// SPDX-License-Identifier: GPL-2.0-only
//
// A world is made for the run with what the profile and the output need: a recorder of some size, or a small
// one that only carries hooks, or none.
#include "sim/cmd_run.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "sim/pcap.h"
#include "sim/probes.h"
#include "sim/runner.h"
#include "sim/scenario.h"
#include "sim/wire.h"
#include "sim/world.h"
#include "stack/security/lsm_audit.h"

namespace skbwalk::sim {

namespace {

world::options options_for(const run_args &args, const scenario &s, const profile &p)
{
	world::options o;
	o.seed = args.seed.value_or(s.seed.value_or(1));
	o.features = p.features();
	o.lsm = s.lsm;
	const bool recorded = args.output.format != trace_format::none || !args.probes.empty() ||
	                      !args.output.funccount.empty() || !args.output.stackcount.empty();
	if (recorded || !s.expect_calls.empty())
		o.trace_records_max = args.records_max;
	else if (!args.pcap_file.empty() || !s.expect_packets.empty())
		o.trace_records_max = 1;
	return o;
}

void dump_wire(const world &w, const runner &r, pcap_file &file, const std::string &name)
{
	const auto found = std::ranges::find_if(
		r.wires(), [&name](const auto &one) { return one->what().name == name; });

	if (found == r.wires().end())
		throw bad_selection(
			fmt::format("--pcap-wire {}: expected the name of a wire of this scenario", name));
	(*found)->between().watch([&w, &file](link::end, std::span<const std::byte> bytes) {
		const auto *from = reinterpret_cast<const u8 *>(bytes.data());
		file.write(w.hosts().front()->wall_ns + w.now_ns(), {from, from + bytes.size()});
	});
}

} // namespace

run_result run_scenario(const run_args &args)
{
	const scenario s = load_scenario(find_scenario(args.scenario));
	const profile p = profile_for(args.profile, args.functions_file);
	std::vector<probe> wanted;
	for (const std::string &text : args.probes)
		wanted.push_back(parse_probe(text));
	if (!args.output.funccount.empty())
		check_pattern("--funccount", args.output.funccount);
	if (!args.output.stackcount.empty())
		check_pattern("--stackcount", args.output.stackcount);
	run_result result;
	world w{options_for(args, s, p)};
	std::optional<pcap_file> pcap;
	if (!args.pcap_file.empty())
		pcap.emplace(args.pcap_file);

	run_report report;
	{
		runner r{w, s};
		std::optional<packet_tap> tap;
		r.stop_on(args.stop);
		r.set_up();
		if (pcap && !args.pcap_wire.empty()) {
			dump_wire(w, r, *pcap, args.pcap_wire);
		} else if (pcap) {
			tap.emplace(w);
			dump_packets(*tap, *pcap, args.pcap_device);
		}
		const bool addresses = args.output.format == trace_format::function &&
		                       (args.output.function.sym_offset || args.output.function.sym_addr);
		std::optional<probe_set> probes;
		if (!wanted.empty() || addresses)
			probes.emplace(*w.recorder(), std::move(wanted), addresses);
		report = r.run();
		tap.reset(); // what the end of the tasks sends is nobody's
		if (args.stats)
			result.text = r.counters_text();
		if (args.commands)
			result.text = r.commands_text() + result.text;
		if (const trace::recorder *recorder = w.recorder()) {
			result.text = trace_text(*recorder, w.host_names(), p, args.output,
			                         probes ? &*probes : nullptr) +
			              result.text;
			if (recorder->lost() && args.output.format != trace_format::none)
				result.messages.push_back(fmt::format(
					"the trace lost {} records: the ring was full (--ring makes it larger)",
					recorder->lost()));
		}
		for (const auto &h : w.hosts())
			for (const std::string &line : audit_log(*h))
				result.audit.push_back(fmt::format("{}: audit: {}", h->name, line));
		r.end_tasks();
		if (pcap)
			pcap->flush();
	}
	for (const std::string &line : report.failures)
		result.messages.push_back(fmt::format("{}: {}", s.file, line));
	if (!report.deadlock.empty())
		result.messages.push_back(
			fmt::format("{}: deadlock: every task waits for ever\n{}", s.file, report.deadlock));
	result.interrupted = report.interrupted;
	result.fine = report.fine();
	for (const std::string &line : w.end()) {
		result.messages.push_back(fmt::format("{}: left over at the end: {}", s.file, line));
		result.fine = false;
	}
	return result;
}

std::string program_version() { return fmt::format("skbwalk {}", SKBWALK_VERSION); }

check_result check_scenario(const std::string &name)
{
	const scenario s = load_scenario(find_scenario(name));
	check_result result;
	{
		world::options o;
		o.lsm = s.lsm;
		world w{o};
		{
			runner r{w, s};
			r.set_up();
		}
		static_cast<void>(w.end());
	}
	const std::vector<std::string> why = s.unportable();
	result.portable = why.empty();
	result.text = fmt::format("{}: valid, {} steps, {}\n", s.file, s.steps.size(),
	                          why.empty() ? "portable: a real kernel can run it" : "not portable:");
	for (const std::string &line : why)
		result.text += fmt::format("  {}\n", line);
	return result;
}

} // namespace skbwalk::sim
