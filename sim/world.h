// SPDX-License-Identifier: GPL-2.0-only
//
// The world: virtual clock, event queue, hosts, the trace's recorder. Events are handled in the order of
// (time, number in the order of asking), so that the same scenario and seed give the same bytes. A cpu has a
// place of its own in world time (cpu::now_ns, busy until then): an event for a cpu that is busy waits until
// it is free, and a running cpu gives the word back when another event of the world is due. Nothing happens
// in idle time, so it costs nothing.
#pragma once

#include <array>
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
		u64 when_ns = 0;
		u64 order = 0;                // its number, in the order of asking, and below it the kind
		void (*fn)(void *) = nullptr; // of a device and of a call
		void *arg = nullptr;          // of the others the cpu

		static constexpr unsigned number_shift = 3;
		event() = default;
		event(event_kind kind, u64 when, u64 number, void (*call)(void *), void *with)
			: when_ns(when), order(number << number_shift | static_cast<u64>(kind)), fn(call),
			  arg(with)
		{}
		[[nodiscard]] u64 number() const { return order >> number_shift; }
		[[nodiscard]] event_kind kind() const
		{
			return static_cast<event_kind>(order & ((1 << number_shift) - 1));
		}
		[[nodiscard]] cpu &on() const { return *static_cast<cpu *>(arg); }
		// A heap's top is its greatest.
		friend bool operator<(const event &a, const event &b)
		{
			return a.when_ns != b.when_ns ? a.when_ns > b.when_ns : a.order > b.order;
		}
	};
	static_assert(sizeof(event) == 32 &&
	              static_cast<unsigned>(event_kind::call) < 1 << event::number_shift);
	struct cpu_slot {
		// Of the event that counts, of each kind up to `interrupt`; 0: none.
		std::array<u64, 3> numbers{};
		u64 run_ns = 0;

		u64 &number(event_kind kind) { return numbers[static_cast<std::size_t>(kind)]; }
		[[nodiscard]] u64 number(event_kind kind) const
		{
			return numbers[static_cast<std::size_t>(kind)];
		}
	};

	struct event_queue {
		std::vector<event> heap;
		host *of = nullptr; // whose devices have these; null: the others

		[[nodiscard]] bool empty() const { return heap.empty(); }
		[[nodiscard]] const event &front() const { return heap.front(); }
		void push(const event &e);
		void pop();
	};
	u64 push_cpu_event(event_kind kind, u64 when_ns, cpu &on);
	static void give_way(const cpu *on, u64 when_ns);
	[[nodiscard]] bool is_stale(const event &e) const;
	void drop_stale(event_queue &from);
	void pop_stale(event_queue &from);       // its top, at least, is
	[[nodiscard]] event_queue *next_queue(); // the one whose top is next; null: nothing is left
	void take(event_queue &from);            // handles its top
	void handle_cpu_event(event_kind kind, cpu &c);
	void until_next_event(cpu &c);
	void run_cpu(cpu &c);
	[[nodiscard]] cpu_slot &slot_of(const cpu &c);
	[[nodiscard]] const cpu_slot &slot_of(const cpu &c) const { return slots_[c.on.id][c.id]; }
	void note_device_events(host &h);
	[[nodiscard]] event_queue &devices_of(host &h);

	options options_;
	u64 now_ns_ = 0;
	u64 number_ = 0;
	u64 handled_ = 0;
	u64 limit_ns_ = ~u64{0};           // run_until wants every cpu back by then
	event_queue queue_;                // all but what devices do
	std::vector<event_queue> devices_; // what those of each host do
	std::vector<std::vector<cpu_slot>> slots_;
	std::unordered_set<u64> cancelled_;
	std::unordered_map<u64, std::unique_ptr<std::function<void()>>> calls_;
	std::unique_ptr<trace::recorder> recorder_;
	std::vector<std::unique_ptr<host>> hosts_;
	std::vector<std::shared_ptr<void>> parts_;
};

} // namespace skbwalk::sim
