// SPDX-License-Identifier: GPL-2.0-only
//
// What recording leaves behind: a ring of records of 32 bytes, allocated once, filled by enter() and leave()
// of trace.h and by the world's marks (phases, steps). Hosts point at the recorder of their world. Nothing
// here formats: sim/trace_tree reads the records back and everything else is a writer over that. When the
// ring is full either the newest or the oldest records go; how many is counted and every writer says so.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stack/trace/trace.h"

namespace skbwalk {
struct context;
struct cpu;
struct task_struct;
} // namespace skbwalk

namespace skbwalk::trace {

// Who wants enter() to be called. The word `armed` holds a count for each, a byte wide.
enum class armed_by : u32 {
	recording = 1,
	probe = 1U << 8,
	breakpoint = 1U << 16,
	interrupt_point = 1U << 24,
};
void arm(armed_by who);
void disarm(armed_by who);
[[nodiscard]] bool is_armed(armed_by who);

// The traced functions of this program.
[[nodiscard]] u32 site_id(const site &s);
[[nodiscard]] const site &site_of(u32 id);
void for_each_site(const std::function<void(const site &)> &fn);

enum class run_context : u8 { task, softirq, hardirq };

enum class record_kind : u8 { enter, leave, phase_begin, phase_end, step, note };

constexpr u16 idle_task = 0xffff;

struct record {
	u64 time_ns;
	u32 site;  // of marks and notes: the index of their text
	u16 depth; // of the function itself; outermost is 0
	u16 task;  // task_struct::id, or idle_task
	u8 host;
	u8 cpu;
	u8 context; // run_context
	record_kind kind;
	u32 skb; // ids of the objects that the call is about; 0 is none
	u32 sk;
	u32 dev;
};
static_assert(sizeof(record) == 32);

// Who changes what the cpu runs, an interrupt or a softirq, says so.
#ifdef SKBWALK_NO_TRACE
inline void context_changed(cpu &) {}
#else
void context_changed(cpu &c);
#endif

// Where in an object its id lies, a u32; the room that owns the types fills this in.
struct object_ids {
	u32 skb = 0;
	u32 sk = 0;
	u32 dev = 0;
};

// Called at every function's entry (and return) while its kind is armed: probes, breakpoints, interrupt
// points.
struct hook {
	armed_by who = armed_by::probe;
	void *arg = nullptr;
	void (*entered)(void *arg, const site &s, const objects &o) = nullptr;
	void (*left)(void *arg, const site &s) = nullptr;
};

// A remark of the function that runs, for the record; ask `armed` first.
void note(const std::string &text, const objects &o);

enum class when_full : u8 { stop, overwrite };

struct recorder {
public:
	// Counts as armed for recording as long as it lives, so that depths are right whenever start() is
	// called.
	explicit recorder(std::size_t records_max, when_full policy = when_full::stop, object_ids ids = {});
	~recorder();
	recorder(const recorder &) = delete;
	recorder &operator=(const recorder &) = delete;

	void start() { set_recording(true); }
	void stop() { set_recording(false); }
	[[nodiscard]] bool recording() const { return recording_; }
	void clear();

	// Marks are written whether recording or not, never into a ring that is full.
	void mark(record_kind kind, u64 time_ns, std::string_view text);

	[[nodiscard]] std::size_t size() const { return wrapped_ ? ring_.size() : used(); }
	// In the order of recording, the oldest that is left first.
	[[nodiscard]] const record &at(std::size_t i) const;
	[[nodiscard]] u64 lost() const { return lost_ + (wrapped_ ? used() : 0); }
	[[nodiscard]] when_full policy() const { return policy_; }
	[[nodiscard]] const std::string &text(u32 index) const { return texts_[index]; }
	// Empty for a task that never ran while recording.
	[[nodiscard]] std::string_view task_name(u16 task) const;
	[[nodiscard]] int task_pid(u16 task) const;

	void add_hook(const hook &h);
	void remove_hooks(const void *arg); // those with that argument

	// From enter() and leave(), by whom the last record was: is there nothing to do but to write the
	// next?
	[[nodiscard]] bool only_writes() const { return next_ < plain_end_; }
	void entered(const site &s, const objects &o);
	void entered(const site &s); // about no object
	void left(const site &s);
	// Makes ready for the next record, of this context; false: the ring is full and stays so.
	[[nodiscard]] bool prepare(const context &c);
	void call_entered(const site &s, const objects &o);
	void call_left(const site &s);
	// A remark of the code that runs, about these objects. The same text is kept once.
	void noted(const context &c, const std::string &text, const objects &o, u16 depth);

private:
	static constexpr std::size_t tasks_max = 4096;
	struct task_entry {
		char comm[16];
		int pid;
	};

	[[nodiscard]] std::size_t used() const { return static_cast<std::size_t>(next_ - ring_.data()); }
	[[nodiscard]] bool next_round(); // the ring is full: false when it stays so
	void next_call(record &r, record_kind kind, u32 what, u16 depth);
	void set_recording(bool on);

	// Who makes the calls: what of it all its records share.
	struct caller {
		const skbwalk::cpu *on = nullptr; // null: nobody yet
		u16 *depth = nullptr;
		u32 task = 0; // record::task, where it is in a word
	};

	std::vector<hook> hooks_;
	std::vector<record> ring_;
	record *next_;
	record *end_;
	record *plain_end_; // up to there only_writes(): the ring's end, or its beginning
	caller caller_;
	bool wrapped_ = false;
	bool recording_ = false;
	when_full policy_;
	object_ids ids_;
	u64 lost_ = 0; // but for those of this round
	std::vector<std::string> texts_;
	std::unordered_map<std::string, u32> noted_; // text -> its index
	std::vector<task_entry> tasks_;
};

} // namespace skbwalk::trace
