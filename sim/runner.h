// SPDX-License-Identifier: GPL-2.0-only
//
// Runs a scenario in a world: set-up, then the steps in the file's order, each as a real system call on its
// task's own stack. A step starts when the step before it has returned or sleeps. Recorded phases begin just
// after a tick and are marked in the trace.
//
//   set-up -> warm-up steps -> [gap] [tick] phase: step, step, ... -> [gap] [tick] phase: ... -> expectations
//   -> end
#pragma once

#include <array>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/packet_tap.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "stack/core/dropreason.h"
#include "stack/core/snmp.h"

namespace skbwalk::sim {

struct run_report {
	std::vector<std::string> failures; // expectations that do not hold, a line each
	std::string deadlock;              // who waits where; empty: every step returned
	bool interrupted = false;
	u64 virtual_ns = 0;
	[[nodiscard]] bool fine() const { return failures.empty() && deadlock.empty() && !interrupted; }
};

class wire;
struct program;
struct call_results; // runner_program.h

class runner {
public:
	// A set-up line that fails where it should not throws bad_scenario, as one that is not modelled does.
	runner(world &w, const scenario &s);
	~runner();
	runner(const runner &) = delete;
	runner &operator=(const runner &) = delete;

	// Looked at between events: not zero stops the run.
	void stop_on(const volatile std::sig_atomic_t *flag) { stop_ = flag; }

	// Told of each call that returned, warm-ups too; and once, when these are over.
	using result_watcher =
		std::function<void(const step &s, bool warm, long result, const call_results &got)>;
	void on_result(result_watcher w) { result_watcher_ = std::move(w); }
	// What a command between steps printed.
	void on_printed(std::function<void(const step &s, bool warm, const std::string &text)> w)
	{
		printed_watcher_ = std::move(w);
	}
	void on_steps_begin(std::function<void()> w) { begin_watcher_ = std::move(w); }

	// Hosts and set-up; afterwards devices can be named. The set-up begins `later_ns` later after the
	// boot than it would.
	void set_up(u64 later_ns = 0);
	// How long a command between steps takes.
	void commands_take(u64 ns) { command_ns_ = ns; }
	// All steps, then the expectations on state that are left to the end.
	[[nodiscard]] run_report run();
	// Ends the tasks; the destructor does it too.
	void end_tasks();
	// The wires that set_up made.
	[[nodiscard]] const std::vector<std::shared_ptr<wire>> &wires() const { return wires_; }
	// Of all namespaces, and the reasons of dropped packets, since the steps began; what is zero is left
	// out.
	[[nodiscard]] std::string counters_text() const;
	// What the set-up commands printed, each behind its own line.
	[[nodiscard]] const std::string &commands_text() const { return commands_text_; }

private:
	struct packet_log { // the frames that an expectation is about
		u64 count = 0;
		u64 last_ns = 0;          // when the last one went by
		std::vector<u64> gaps_us; // between each and the next
		std::vector<std::string> tcp;
	};

	std::string run_line(const setup_line &line); // what it printed
	void load_policy(host &h) const;
	void plug_devices();
	void take_costs(host &h) const;
	void lay_wires();
	[[nodiscard]] u64 wire_counter(const counter_expectation &e) const;
	[[nodiscard]] std::optional<u64> device_counter(const counter_expectation &e) const;
	void start_programs();
	void make_calls(program &p);
	[[nodiscard]] bool may_start(const step &s) const;
	[[nodiscard]] static bool sleeps(const program &p);
	void advance();
	bool start_one();
	void begin_recorded();
	void end_phase();
	void start_phase(const step &s);
	void wait_until(u64 when_ns);
	void wait_for_tick();
	[[nodiscard]] u64 present() const;
	[[nodiscard]] std::string who_waits();
	[[nodiscard]] std::string state_of(const program &p, const std::string &fd) const;
	void fail(std::string text);
	bool check_result(program &p, const step &s, long result); // true: as expected
	void check_time(const step &s, u64 took_ns);
	void check_expectations();
	void watch_packets();
	void note_counters();
	void check_sockets();
	void check_counters();
	void check_packets();
	void check_calls();
	void check_audit();
	void check_softnet();
	[[nodiscard]] u64 softnet_sum(const softnet_expectation &e) const;
	[[nodiscard]] net *net_of(const std::string &host, const std::string &netns) const;
	[[nodiscard]] program &program_of(std::string_view task) const;

	world &world_;
	const scenario &scenario_;
	const bool any_phase_;
	const volatile std::sig_atomic_t *stop_ = nullptr;
	result_watcher result_watcher_;
	std::function<void(const step &s, bool warm, const std::string &text)> printed_watcher_;
	std::function<void()> begin_watcher_;
	run_report report_;
	std::string commands_text_, timed_text_;
	std::vector<std::unique_ptr<program>> programs_;
	std::vector<const step *> list_; // warm-up, then the steps
	std::size_t warmups_ = 0;
	std::size_t next_ = 0;
	std::size_t steps_in_phase_ = 0;
	const step *before_ = nullptr;
	bool before_done_ = true;
	bool recorded_begun_ = false;
	bool in_phase_ = false;
	bool gap_wanted_ = true; // the next phase waits for the gap
	bool phase_aligned_ = false;
	std::string phase_;
	bool waiting_ = false;
	u64 command_ns_ = NSEC_PER_MSEC;
	u64 progress_ns_ = 0;
	std::vector<std::unique_ptr<irq_device>> devices_;
	std::vector<std::shared_ptr<wire>> wires_;
	std::unique_ptr<packet_tap> tap_;
	std::vector<packet_log> packet_logs_; // one for each of the expectations
	std::map<const net *, netns_mib>
		counters_before_;                 // of the namespaces that were there when the steps began
	std::vector<u64> device_counters_before_; // one for each expectation, of devices and wires
	std::map<const host *, std::array<u64, SKB_DROP_REASON_MAX>> drops_before_;
	std::vector<u64> softnet_before_; // one for each of the expectations
};

} // namespace skbwalk::sim
