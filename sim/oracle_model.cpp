// SPDX-License-Identifier: GPL-2.0-only
//
// A run for the results and the trees, each phase's written and read again as a comparison of texts would do
// it; another for the packets, since who looks at them changes them.
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
#include "stack/kernel/timer.h"

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

// As the player makes it.
constexpr u64 command_ns = 60 * NSEC_PER_MSEC;

// The first of a slot of the wheel's third level: 4096 ticks from one to the next.
constexpr u64 ticks_alike = 4096;
// What function_graph adds to each call that it records, on a machine whose clock counts instructions.
constexpr u64 recorded_call_ns = 1400;

class model {
public:
	model(const scenario &s, const std::string &release, u64 tick, bool packets)
		: scenario_(s), profile_(profile_for(release, "")), packets_(packets)
	{
		if (!packets)
			for (const std::string_view name : profile_.scope())
				scenario_.function_cost_ns.emplace(name, recorded_call_ns);
		options_.seed = s.seed.value_or(1);
		options_.features = profile_.features();
		options_.trace_records_max = packets ? 1 : records_max;
		if (tick)
			later_ns_ = TICK_NSEC * ((tick - begins_at_tick()) % ticks_alike);
	}

	model_run run()
	{
		model_run out;
		world w{options_};
		{
			runner r{w, scenario_};
			r.commands_take(command_ns);
			r.on_result([&out](const step &one, bool warm, long result, const call_results &got) {
				out.got.steps[{warm, one.number}] = outcome_of(one, result, got);
			});
			r.on_printed([&out](const step &one, bool warm, const std::string &text) {
				out.got.printed[{warm, one.number}] = text;
			});
			r.set_up(later_ns_);
			std::optional<packet_tap> tap;
			if (packets_)
				watch(tap.emplace(w), out.got);
			r.on_steps_begin([&out] { out.got.frames.clear(); });
			const run_report report = r.run();
			tap.reset();
			out.got.end_ns = report.virtual_ns;
			if (!report.deadlock.empty())
				out.got.notes.push_back("deadlock: every task waits for ever\n" +
				                        report.deadlock);
			if (!packets_)
				take_trees(w, out);
			r.end_tasks();
		}
		static_cast<void>(w.end());
		return out;
	}

private:
	// Where it would begin by itself.
	u64 begins_at_tick() const
	{
		world w{options_};
		runner r{w, scenario_};
		r.set_up();
		u64 at = w.now_ns();
		const bool warms = !scenario_.warmup.empty();
		if (!warms && !scenario_.steps.empty() && wanted(scenario_.steps.front()))
			at = (at + scenario_.gap_ns) / TICK_NSEC * TICK_NSEC + TICK_NSEC;
		r.end_tasks();
		return INITIAL_JIFFIES + at / TICK_NSEC;
	}
	[[nodiscard]] bool wanted(const step &s) const
	{
		return s.call != call_kind::run && (!scenario_.has_phases() || !s.phase.empty());
	}

	static void watch(packet_tap &tap, outcomes &got)
	{
		tap.keep_clones();
		tap.watch([&got](const packet_tap::seen &seen) {
			if (!seen.out && !(seen.dev.flags & IFF_LOOPBACK))
				return;
			const frame_bytes bytes = wire_bytes(seen.skb);
			got.frames.push_back({dev_net(seen.dev).name, seen.dev.name, seen.time_ns,
			                      std::string{bytes.begin(), bytes.end()}});
		});
	}

	void take_trees(const world &w, model_run &out) const
	{
		const trace::recorder &recorder = *w.recorder();
		if (recorder.lost())
			out.got.notes.push_back(
				fmt::format("the model's trace lost {} records", recorder.lost()));
		for (const std::string &phase : phases_of(scenario_)) {
			trace_output selected;
			selected.selection.phases = {phase};
			text_tree tree;
			try {
				tree = parse_tree_text(
					trace_text(recorder, w.host_names(), profile_, selected),
					scenario_.name);
			} catch (const bad_trace &) {
				// a phase in which nothing that can be traced ran
			}
			out.phases.emplace_back(phase, std::move(tree));
		}
	}

	scenario scenario_;
	const profile profile_;
	const bool packets_;
	world::options options_;
	u64 later_ns_ = 0;
};

} // namespace

model_run run_on_model(const scenario &s, const std::string &release, u64 tick)
{
	return model{s, release, tick, false}.run();
}

model_run look_at_model(const scenario &s, const std::string &release, u64 tick)
{
	return model{s, release, tick, true}.run();
}

} // namespace skbwalk::sim
