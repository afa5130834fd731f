// SPDX-License-Identifier: GPL-2.0-only
//
// One run, from which each phase's tree is written and read again, as a comparison of texts would do it.
#include "sim/oracle_model.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "sim/packet_tap.h"
#include "sim/runner.h"
#include "sim/runner_program.h"
#include "sim/trace_output.h"
#include "sim/world.h"
#include "stack/core/net_namespace.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t records_max = std::size_t{1} << 21;

step_outcome outcome_of(const step &s, long result, const call_results &got)
{
	step_outcome o;
	o.state = step_outcome::state_kind::returned;
	o.result = result;
	if (!got.data.empty()) {
		o.length = got.data.size();
		o.hash = outcome_hash(got.data);
		o.head = got.data.substr(0, outcome_head_bytes);
	}
	if (got.addr_len > 0 && result >= 0 && (s.call != call_kind::accept || s.expect.addr))
		o.address.assign(reinterpret_cast<const char *>(got.addr.bytes),
		                 std::min<std::size_t>(static_cast<std::size_t>(got.addr_len),
		                                       sizeof(got.addr.bytes)));
	o.events = got.events;
	return o;
}

std::vector<std::string> phases_of(const scenario &s)
{
	if (!s.has_phases())
		return {s.name};
	std::vector<std::string> out;
	for (const step &one : s.steps)
		if (!one.phase.empty() && (out.empty() || out.back() != one.phase))
			out.push_back(one.phase);
	return out;
}

} // namespace

model_run run_on_model(const scenario &s, const std::string &release, bool packets)
{
	const profile p = profile_for(release, "");
	model_run out;
	world::options options;
	options.seed = s.seed.value_or(1);
	options.features = p.features();
	options.trace_records_max = records_max;
	world w{options};
	{
		runner r{w, s};
		r.on_result([&out](const step &one, bool warm, long result, const call_results &got) {
			out.got.steps[{warm, one.number}] = outcome_of(one, result, got);
		});
		r.set_up();
		std::optional<packet_tap> tap;
		if (packets) {
			tap.emplace(w);
			tap->watch([&](const packet_tap::seen &seen) {
				if (!seen.out && !(seen.dev.flags & IFF_LOOPBACK))
					return;
				const frame_bytes bytes = wire_bytes(seen.skb);
				out.got.frames.push_back({dev_net(seen.dev).name, seen.dev.name, seen.time_ns,
				                          std::string{bytes.begin(), bytes.end()}});
			});
		}
		r.on_steps_begin([&out] { out.got.frames.clear(); });
		const run_report report = r.run();
		tap.reset();
		out.got.end_ns = report.virtual_ns;
		if (!report.deadlock.empty())
			out.got.notes.push_back("deadlock: every task waits for ever\n" + report.deadlock);
		const trace::recorder &recorder = *w.recorder();
		if (recorder.lost())
			out.got.notes.push_back(
				fmt::format("the model's trace lost {} records", recorder.lost()));
		for (const std::string &phase : phases_of(s)) {
			trace_output wanted;
			wanted.selection.phases = {phase};
			text_tree tree;
			try {
				tree = parse_tree_text(trace_text(recorder, w.host_names(), p, wanted),
				                       s.name);
			} catch (const bad_trace &) {
				// a phase in which nothing that can be traced ran
			}
			out.phases.emplace_back(phase, std::move(tree));
		}
		r.end_tasks();
	}
	static_cast<void>(w.end());
	return out;
}

} // namespace skbwalk::sim
