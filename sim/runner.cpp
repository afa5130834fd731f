// SPDX-License-Identifier: GPL-2.0-only
//
// The order of things. Between two events of the world, advance() looks whether the next step may start; it
// wakes the step's task, which makes the call, and the world goes on. What a call is given and what it
// returned is in runner_calls.cpp, expectations are in runner_expect.cpp.
#include "sim/runner.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "sim/profile.h"
#include "sim/runner_program.h"
#include "sim/runner_tasklet.h"
#include "sim/selinux_policy.h"
#include "sim/setup.h"
#include "sim/wire.h"
#include "stack/core/net_namespace.h"
#include "stack/kernel/cpus.h"
#include "stack/kernel/file.h"
#include "stack/security/selinux/objsec.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk::sim {

namespace {

// Longer than the longest wait of the stack (keep-alive: two hours and nine probes): who has not woken by
// then never will.
constexpr u64 no_progress_ns = 3 * 3600 * NSEC_PER_SEC;
// A booted host has been up for a while, so that no clock reads zero; set-up lines take their time.
constexpr u64 uptime_ns = NSEC_PER_SEC;
constexpr u64 setup_line_ns = NSEC_PER_MSEC;
// More than a second, since a change of a carrier may be told so late; its part above 100 ms is a period of
// the timer wheel's lower levels.
constexpr u64 settle_ns = (100 + 2048) * NSEC_PER_MSEC;
constexpr u32 stall_ns_max = 4 * NSEC_PER_USEC; // of a host's "interleave"
constexpr u64 after_tick_ns = 2 * NSEC_PER_USEC;

} // namespace

runner::runner(world &w, const scenario &s) : world_(w), scenario_(s), any_phase_(s.has_phases())
{
	for (const step &one : s.warmup)
		list_.push_back(&one);
	warmups_ = list_.size();
	for (const step &one : s.steps)
		list_.push_back(&one);
}

runner::~runner() { end_tasks(); }

u64 runner::present() const
{
	u64 now_ns = world_.now_ns();
	for (const auto &h : world_.hosts())
		for (const auto &c : h->cpus)
			now_ns = std::max(now_ns, c->now_ns);
	return now_ns;
}

void runner::fail(std::string text) { report_.failures.push_back(std::move(text)); }

program &runner::program_of(std::string_view task) const
{
	return **std::ranges::find_if(programs_, [task](const auto &p) { return p->what.name == task; });
}

// ---- set-up ---------------------------------------------------------------------------------------------

std::string runner::run_line(const setup_line &line)
{
	host &h = line.host.empty() ? *world_.hosts().front() : *world_.find_host(line.host);
	world_.come_out(h);
	std::string out;
	try {
		out = run_command(h, line.run);
		if (!out.empty())
			commands_text_ += fmt::format("# {}\n{}", line.run, out);
		if (line.prints && out.find(*line.prints) == std::string::npos)
			fail(fmt::format("{}: `{}`: expected it to print \"{}\", it printed \"{}\"",
			                 line.where, line.run, *line.prints, out));
	} catch (const bad_command &e) {
		throw bad_scenario(fmt::format("{}: {}: {}", scenario_.file, line.where, e.what()));
	} catch (const command_failed &e) {
		const std::string message = e.what();
		if (!line.fails)
			throw bad_scenario(fmt::format("{}: {}: `{}` fails: {}", scenario_.file, line.where,
			                               line.run, message));
		if (message.find(*line.fails) == std::string::npos)
			fail(fmt::format("{}: `{}`: expected it to fail with \"{}\", it failed with \"{}\"",
			                 line.where, line.run, *line.fails, message));
		commands_text_ += fmt::format("# {}\n{}\n", line.run, message);
		return message + "\n";
	}
	if (line.fails)
		fail(fmt::format("{}: `{}`: expected it to fail with \"{}\", it succeeded", line.where,
		                 line.run, *line.fails));
	return out;
}

// What init does before anything else.
void runner::load_policy(host &h) const
{
	if (scenario_.selinux_policy.empty())
		return;
	const enter_cpu in(*h.cpus[0]);
	auto policy = read_policy(scenario_.selinux_policy);
	policy->enforcing = scenario_.selinux_enforcing;
	for (const task_description &t : scenario_.tasks)
		if (!t.context.empty())
			static_cast<void>(context_of(*policy, t.context)); // its user and role
	[[maybe_unused]] const int err = security_load_policy(std::move(policy));
	assert(!err);
}

void runner::plug_devices()
{
	for (const irq_device_description &d : scenario_.devices)
		devices_.push_back(std::make_unique<irq_device>(world_, d, scenario_.file));
}

void runner::lay_wires()
{
	for (const wire_description &d : scenario_.wires) {
		wires_.push_back(std::make_shared<wire>(world_, d, scenario_.file));
		world_.keep(wires_.back());
	}
}

void runner::take_costs(host &h) const
{
	const scenario &s = scenario_;

	if (!s.cost_hosts.empty() && std::ranges::find(s.cost_hosts, h.name) == s.cost_hosts.end())
		return;
	h.syscall_cost_ns = s.syscall_cost_ns.value_or(h.syscall_cost_ns);
	h.hop_cost_ns = s.hop_cost_ns.value_or(h.hop_cost_ns);
	if (s.call_cost_ns) {
		const profile measured = profile::load("linux-6.1");

		cost_of_functions(
			h, [&](std::string_view name) { return measured.symbol(name).has_value(); },
			s.call_cost_ns);
	}
	for (const auto &[function, ns] : s.function_cost_ns)
		static_cast<void>(cost_of_function(h, function, ns));
}

void runner::set_up(u64 later_ns)
{
	for (const auto &[name, cpus] : scenario_.hosts) {
		host &h = world_.add_host(name, cpus);
		take_costs(h);
		if (const auto one_in = scenario_.interleave.find(name); one_in != scenario_.interleave.end())
			stall_cpus(h, one_in->second, stall_ns_max);
		load_policy(h);
	}
	plug_devices();
	lay_wires();
	world_.run_until(world_.now_ns() + uptime_ns + later_ns);
	for (const setup_line &line : scenario_.setup) {
		static_cast<void>(run_line(line));
		world_.run_until(present() + setup_line_ns);
	}
	world_.run_until(present() + settle_ns);
	start_programs();
}

void runner::start_programs()
{
	for (const task_description &t : scenario_.tasks) {
		host &h = *world_.find_host(t.host);
		net *space = nullptr;
		{
			const enter_cpu in(*h.cpus[t.cpu]);
			space = t.netns.empty() ? &init_net() : get_net_ns_by_name(t.netns);
		}
		if (!space)
			throw bad_scenario(fmt::format(
				"{}: /tasks/{}/netns: expected a namespace that the set-up has made, "
				"found \"{}\"",
				scenario_.file, t.name, t.netns));
		auto p = std::make_unique<program>(t, h);
		program &made = *p;
		programs_.push_back(std::move(p));
		made.task = std::make_unique<task_struct>(*h.cpus[t.cpu], t.name,
		                                          [this, &made] { make_calls(made); });
		made.task->files = std::make_shared<files_struct>();
		made.task->nsproxy_net = &get_net(*space);
		if (!t.context.empty()) {
			const enter_cpu in(*h.cpus[t.cpu]);
			u32 sid = 0;
			policydb names = *selinux_policy();
			[[maybe_unused]] const int err =
				security_context_to_sid(*context_of(names, t.context), sid);
			assert(!err);
			selinux_set_task_sid(*made.task, sid);
		}
		task_start(*made.task);
	}
	for (const auto &p : programs_)
		while (!p->ready && world_.step())
			;
}

// ---- the steps ------------------------------------------------------------------------------------------

// A task's own part: waits for a step, makes its call, waits again.
void runner::make_calls(program &p)
{
	p.ready = true;
	for (;;) {
		while (!p.now && !p.task->fatal_signal)
			task_park();
		if (!p.now)
			return;
		const step &s = *p.now;
		if (trace::recorder *r = world_.recorder(); r && r->recording() && steps_in_phase_ > 1)
			r->mark(trace::record_kind::step, current.cpu->now_ns, s.text());
		u64 begin_ns = current.cpu->now_ns;
		long result = make_call(world_, p, s);
		bool fine = true;
		for (u32 n = 1; n < s.times && !p.task->fatal_signal; ++n) {
			if (fine = check_result(p, s, result); !fine)
				break;
			progress_ns_ = present();
			begin_ns = current.cpu->now_ns;
			result = make_call(world_, p, s);
		}
		p.now = nullptr;
		// Other cpus shall not run ahead of the next step.
		if (p.on.cpus.size() > 1)
			world_.call_at(current.cpu->now_ns, [] {});
		if (before_ == &s)
			before_done_ = true;
		progress_ns_ = present();
		if (p.task->fatal_signal)
			continue;
		if (result_watcher_) {
			const bool warm = &s >= scenario_.warmup.data() &&
			                  &s < scenario_.warmup.data() + scenario_.warmup.size();
			result_watcher_(s, warm, result, p.got);
		}
		if (fine)
			static_cast<void>(check_result(p, s, result));
		check_time(s, current.cpu->now_ns - begin_ns);
	}
}

bool runner::sleeps(const program &p)
{
	const task_struct &t = *p.task;
	return p.now && t.state != TASK_RUNNING && t.state != TASK_WAKING && !t.queued && t.on->curr != &t;
}

bool runner::may_start(const step &s) const
{
	if (s.call != call_kind::run && program_of(s.task).now)
		return false;
	if (before_done_ || s.async)
		return true;
	// What sleeps on purpose holds up what follows.
	return before_->call != call_kind::sleep && sleeps(program_of(before_->task));
}

void runner::wait_until(u64 when_ns)
{
	waiting_ = true;
	world_.call_at(when_ns, [this] {
		waiting_ = false;
		progress_ns_ = world_.now_ns();
	});
}

// A tick of every cpu that is idle, and a little time: timers that do not wake a cpu (deferrable ones) had
// their turn.
void runner::wait_for_tick()
{
	const u64 tick_ns = (present() / TICK_NSEC + 1) * TICK_NSEC;
	world_.call_at(tick_ns, [this] {
		for (const auto &h : world_.hosts()) {
			for (const auto &c : h->cpus) {
				if (c->now_ns > world_.now_ns() || cpu_has_work(*c))
					continue;
				set_clock(*c, world_.now_ns());
				c->armed_ns = c->now_ns;
				cpu_interrupt_timer(*c);
			}
		}
	});
	wait_until(tick_ns + after_tick_ns);
}

void runner::end_phase()
{
	if (!in_phase_)
		return;
	in_phase_ = false;
	gap_wanted_ = true;
	phase_aligned_ = false;
	if (trace::recorder *r = world_.recorder()) {
		r->mark(trace::record_kind::phase_end, present(), phase_);
		r->stop();
	}
}

void runner::start_phase(const step &s)
{
	phase_ = s.phase.empty() ? scenario_.name : s.phase;
	in_phase_ = true;
	steps_in_phase_ = static_cast<std::size_t>(
		std::ranges::count_if(scenario_.steps, [&](const step &o) { return o.phase == s.phase; }));
	if (trace::recorder *r = world_.recorder()) {
		r->mark(trace::record_kind::phase_begin, present(), phase_);
		r->start();
	}
}

// What is counted and watched starts here, after set-up and warm-up.
void runner::begin_recorded()
{
	recorded_begun_ = true;
	if (begin_watcher_)
		begin_watcher_();
	watch_packets();
	note_counters();
}

// True when something was done and advance() should look again.
bool runner::start_one()
{
	const bool any_phase = any_phase_;
	const bool at_end = next_ == list_.size();

	if (at_end || next_ >= warmups_) {
		const step *s = at_end ? nullptr : list_[next_];
		const bool wanted = s && s->call != call_kind::run && (!any_phase || !s->phase.empty());
		const std::string name = !s || s->phase.empty() ? scenario_.name : s->phase;
		// A command between two steps of one phase does not end it.
		const bool stays = s && s->call == call_kind::run && next_ + 1 < list_.size() &&
		                   list_[next_ + 1]->phase == phase_ && any_phase;
		if (!at_end && !may_start(*s))
			return false;
		if (at_end && std::ranges::any_of(programs_, [](const auto &p) { return p->now != nullptr; }))
			return false;
		if (!recorded_begun_)
			begin_recorded();
		if (in_phase_ && any_phase && !stays && (!wanted || name != phase_))
			end_phase();
		if (at_end) {
			end_phase();
			return false;
		}
		if (wanted && !in_phase_) {
			if (gap_wanted_ && scenario_.gap_ns) {
				gap_wanted_ = false;
				wait_until(present() + scenario_.gap_ns);
				return false;
			}
			if (!phase_aligned_) {
				phase_aligned_ = true;
				wait_for_tick();
				return false;
			}
			start_phase(*s);
		}
	} else if (!may_start(*list_[next_])) {
		return false;
	}

	const step &s = *list_[next_++];
	before_ = &s;
	before_done_ = false;
	progress_ns_ = present();
	if (s.call == call_kind::run) {
		if (trace::recorder *r = world_.recorder())
			r->stop();
		const std::string printed = run_line(s.command);
		if (printed_watcher_)
			printed_watcher_(s, next_ <= warmups_, printed);
		if (trace::recorder *r = world_.recorder(); r && in_phase_)
			r->start();
		before_done_ = true;
		wait_until(present() + command_ns_);
		return false;
	}
	program &p = program_of(s.task);
	p.now = &s;
	task_unpark(*p.task);
	return true;
}

void runner::advance()
{
	while (!waiting_ && start_one())
		;
}

run_report runner::run()
{
	progress_ns_ = present();
	for (const auto &d : devices_)
		d->start(present());
	for (;;) {
		if (stop_ && *stop_) {
			report_.interrupted = true;
			break;
		}
		advance();
		const bool over =
			next_ == list_.size() && !in_phase_ && !waiting_ &&
			std::ranges::none_of(programs_, [](const auto &p) { return p->now != nullptr; });
		if (over)
			break;
		if (world_.next_event_ns() > progress_ns_ + no_progress_ns || !world_.step()) {
			report_.deadlock = who_waits();
			break;
		}
	}
	end_phase();
	report_.virtual_ns = present();
	if (report_.deadlock.empty() && !report_.interrupted)
		check_expectations();
	return std::move(report_);
}

void runner::end_tasks()
{
	if (trace::recorder *r = world_.recorder())
		r->stop();
	for (const auto &p : programs_)
		if (p->task && p->task->state != TASK_DEAD)
			task_kill(*p->task);
	for (const auto &h : world_.hosts()) {
		const enter_cpu in(*h->cpus[0]);
		end_tasklets();
	}
	const auto lives = [](const auto &p) { return p->task && p->task->state != TASK_DEAD; };
	while (std::ranges::any_of(programs_, lives) && world_.step())
		;
	assert(std::ranges::none_of(programs_, lives) && "a task does not end by a fatal signal");
	for (const auto &p : programs_) {
		const enter_cpu in(*p->on.cpus[0]);
		put_net(*p->task->nsproxy_net);
	}
	programs_.clear();
	for (const auto &h : world_.hosts())
		if (h->cpus.size() > 1 && !devices_.empty())
			world_.come_out(*h); // a line is freed by nobody who is inside of an interrupt
	devices_.clear();
	tap_.reset();
	for (const auto &w : wires_)
		w->between().unwatch();
}

} // namespace skbwalk::sim
