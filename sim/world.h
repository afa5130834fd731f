// SPDX-License-Identifier: GPL-2.0-only
//
// The world: virtual clock, event queue, hosts, the trace's recorder. Events are handled in the order of
// (time, number in the order of asking), so that the same scenario and seed give the same bytes. A cpu has a
// place of its own in world time (cpu::now_ns, busy until then): an event for a cpu that is busy waits until
// it is free, and a running cpu gives the word back when another event of the world is due. Nothing happens
// in idle time, so it costs nothing.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "stack/kernel/context.h"
#include "stack/kernel/random.h"
#include "stack/kernel/sched.h"
#include "stack/trace/recorder.h"

namespace skbwalk::sim {

class world final : public platform {
public:
	struct options {
		u64 seed = 1;
		std::size_t trace_records_max = 0; // 0: nothing can be recorded, nothing is armed
		profile_features features;
		std::vector<trace::armed_by> probes;
		std::vector<std::string> lsm; // security modules of every host
		u32 thash_entries = 0; // chains of each host's established hash: see inet_ehash_buckets
	};

	explicit world(const options &o);
	~world() override;
	world(const world &) = delete;
	world &operator=(const world &) = delete;

	// A host that has booted (host_boot.h) at the present time.
	host &add_host(const std::string &name, u32 cpus);
	[[nodiscard]] host *find_host(std::string_view name) const;
	[[nodiscard]] std::span<const std::unique_ptr<host>> hosts() const { return hosts_; }
	[[nodiscard]] std::vector<std::string> host_names() const;

	[[nodiscard]] u64 now_ns() const { return now_ns_; }
	// What time it is for who asks: a cpu that runs can be ahead of the event that it handles.
	[[nodiscard]] u64 present() const;
	[[nodiscard]] u64 seed() const { return options_.seed; }
	[[nodiscard]] random_stream random(const char *purpose, u64 extra = 0) const
	{
		return {options_.seed, purpose, extra};
	}
	[[nodiscard]] trace::recorder *recorder() const { return recorder_.get(); }

	// Handles the next event; false when there is none.
	bool step();
	// Handles all events up to and at that time, which it then is.
	void run_until(u64 when_ns);
	// Handles events until no cpu of the host is in the middle of anything; the first is not in any case.
	void come_out(const host &h);
	[[nodiscard]] u64 next_event_ns() const;
	[[nodiscard]] u64 events_handled() const { return handled_; }

	// For the world's own use (links, scenarios): runs in no cpu's context.
	u64 call_at(u64 when_ns, std::function<void()> fn);

	// An event that is kept elsewhere until those before it have been: it has its turn by the number that
	// it took when it was asked for. With a host it is something that a device of that host does.
	[[nodiscard]] u64 take_number(const host *h, u64 when_ns);
	void at_number(u64 number, host *h, u64 when_ns, void (*fn)(void *), void *arg);

	// A part of the machines (a wire with its cards): ends after the hosts' networks and before the
	// hosts.
	void keep(std::shared_ptr<void> part) { parts_.push_back(std::move(part)); }

	// Ends all namespaces of all hosts and then the hosts, which must have no task left. Returns what was
	// left over, a line each; empty is good.
	std::vector<std::string> end();

	// --- platform ---
	void arm_timer(cpu &c, u64 when_ns) override;
	void kick(cpu &c) override;
	u64 at(u64 when_ns, void (*fn)(void *), void *arg) override;
	void cancel(u64 id) override;
	void interrupt(cpu &c) override;
	u64 at_device(host &h, u64 when_ns, void (*fn)(void *), void *arg) override;
	void devices_due(cpu &c) override;

private:
	enum class event_kind : u8 { timer, run, interrupt, device, call };
	struct event {
		u64 when_ns;
		u64 number; // in the order of asking
		event_kind kind;
		cpu *on; // a device's event: any of its host's
		void (*fn)(void *);
		void *arg;
		// A heap's top is its greatest.
		friend bool operator<(const event &a, const event &b)
		{
			return a.when_ns != b.when_ns ? a.when_ns > b.when_ns : a.number > b.number;
		}
	};
	struct cpu_slot {
		u64 timer_number = 0; // of the timer event that counts; 0: none
		u64 run_number = 0;
		u64 run_ns = 0;
		u64 interrupt_number = 0;
	};

	using event_heap = std::vector<event>;
	u64 push(event_heap &to, event_kind kind, u64 when_ns, cpu *on, void (*fn)(void *), void *arg)
	{
		return push(to, {when_ns, ++number_, kind, on, fn, arg});
	}
	u64 push(event_heap &to, const event &e);
	static void give_way(const cpu *on, u64 when_ns);
	[[nodiscard]] bool is_stale(const event &e) const;
	void drop_stale(event_heap &from);
	void pop_stale(event_heap &from);      // its top, at least, is
	[[nodiscard]] event_heap *next_heap(); // the one whose top is next; null: nothing is left
	void take(event_heap &from);           // handles its top
	void handle(const event &e);
	void until_next_event(cpu &c);
	void run_cpu(cpu &c);
	[[nodiscard]] cpu_slot &slot_of(const cpu &c);
	[[nodiscard]] const cpu_slot &slot_of(const cpu &c) const { return slots_[c.on.id][c.id]; }
	[[nodiscard]] u64 &counted(const event &e); // the number in the slot of its cpu
	void note_device_events(host &h);
	[[nodiscard]] event_heap &devices_of(const host &h);

	options options_;
	u64 now_ns_ = 0;
	u64 number_ = 0;
	u64 handled_ = 0;
	u64 limit_ns_ = ~u64{0};          // run_until wants every cpu back by then
	event_heap queue_;                // all but what devices do
	std::vector<event_heap> devices_; // what those of each host do
	std::vector<std::vector<cpu_slot>> slots_;
	std::unordered_set<u64> cancelled_;
	std::unordered_map<u64, std::unique_ptr<std::function<void()>>> calls_;
	std::unique_ptr<trace::recorder> recorder_;
	std::vector<std::unique_ptr<host>> hosts_;
	std::vector<std::shared_ptr<void>> parts_;
};

} // namespace skbwalk::sim
