// SPDX-License-Identifier: GPL-2.0-only
//
// The ring. A record is written in place; a task's name is copied the first time that it is seen. Neither
// allocates.
#include "stack/trace/recorder.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "stack/kernel/context.h"
#include "stack/kernel/preempt.h"

namespace skbwalk::trace {

#ifndef SKBWALK_NO_TRACE
// The word that lies in a record from `host` to `context`.
void context_changed(cpu &c)
{
	static_assert(offsetof(record, host) % 4 == 0 && offsetof(record, cpu) % 4 == 1 &&
	              offsetof(record, context) % 4 == 2 && offsetof(record, kind) % 4 == 3 &&
	              std::endian::native == std::endian::little);
	const auto runs = c.preempt_count & HARDIRQ_MASK     ? run_context::hardirq
	                  : c.preempt_count & SOFTIRQ_OFFSET ? run_context::softirq
	                                                     : run_context::task;

	c.recorded =
		static_cast<u8>(c.on.id) | u32{static_cast<u8>(c.id)} << 8 | static_cast<u32>(runs) << 16;
}
#endif

recorder::recorder(std::size_t records_max, when_full policy, object_ids ids)
	: ring_(std::max<std::size_t>(records_max, 1)), next_(ring_.data()), end_(next_ + ring_.size()),
	  plain_end_(next_), policy_(policy), ids_(ids), tasks_(tasks_max)
{
	assert(std::max({ids.skb, ids.sk, ids.dev}) + sizeof(u32) <= sizeof(no_object));
	arm(armed_by::recording);
}

recorder::~recorder() { disarm(armed_by::recording); }

void recorder::clear()
{
	next_ = ring_.data();
	wrapped_ = false;
	lost_ = 0;
	texts_.clear();
	noted_.clear();
}

bool recorder::next_round()
{
	if (policy_ == when_full::stop) {
		++lost_;
		return false;
	}
	if (wrapped_)
		lost_ += ring_.size();
	next_ = ring_.data();
	wrapped_ = true;
	return true;
}

void recorder::set_recording(bool on)
{
	recording_ = on;
	plain_end_ = recording_ && hooks_.empty() ? end_ : ring_.data();
}

void recorder::add_hook(const hook &h)
{
	hooks_.push_back(h);
	set_recording(recording_);
}

void recorder::remove_hooks(const void *arg)
{
	std::erase_if(hooks_, [arg](const hook &h) { return h.arg == arg; });
	set_recording(recording_);
}

bool recorder::prepare(const context &c)
{
	const task_struct *const t = c.task;

	caller_ = {.on = c.cpu,
	           .depth = t ? &c.task->depth : &c.cpu->idle_depth,
	           .task = u32{t ? t->id : idle_task} << 16};
	if (t && t->id < tasks_.size() && !tasks_[t->id].comm[0]) {
		task_entry &entry = tasks_[t->id];

		t->comm.copy(entry.comm, sizeof(entry.comm) - 1);
		entry.pid = t->pid;
	}
	return next_ != end_ || next_round();
}

const record &recorder::at(std::size_t i) const
{
	assert(i < size());
	return ring_[wrapped_ ? (used() + i) % ring_.size() : i];
}

void recorder::mark(record_kind kind, u64 time_ns, std::string_view text)
{
	if (next_ == end_ && !next_round())
		return;
	*next_++ = {.time_ns = time_ns,
	            .site = static_cast<u32>(texts_.size()),
	            .depth = 0,
	            .task = idle_task,
	            .host = 0,
	            .cpu = 0,
	            .context = 0,
	            .kind = kind,
	            .skb = 0,
	            .sk = 0,
	            .dev = 0};
	texts_.emplace_back(text);
}

std::string_view recorder::task_name(u16 task) const
{
	if (task == idle_task)
		return "<idle>";
	return task < tasks_.size() ? tasks_[task].comm : std::string_view{};
}

int recorder::task_pid(u16 task) const { return task < tasks_.size() ? tasks_[task].pid : 0; }

} // namespace skbwalk::trace
