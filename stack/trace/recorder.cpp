// SPDX-License-Identifier: GPL-2.0-only
//
// The ring. A record is written in place; a task's name is copied the first time that it is seen. Neither
// allocates.
#include "stack/trace/recorder.h"

#include <algorithm>
#include <cassert>

#include "stack/kernel/context.h"
#include "stack/kernel/sched.h"

namespace skbwalk::trace {

namespace {

constexpr std::size_t tasks_max = 4096;

run_context context_of(const cpu &c)
{
	if (c.hardirq_nesting)
		return run_context::hardirq;
	return c.serving_softirq ? run_context::softirq : run_context::task;
}

} // namespace

recorder::recorder(std::size_t records_max, when_full policy, object_ids ids)
	: ring_(std::max<std::size_t>(records_max, 1)), policy_(policy), ids_(ids), tasks_(tasks_max)
{
	arm(armed_by::recording);
}

recorder::~recorder() { disarm(armed_by::recording); }

void recorder::clear()
{
	next_ = 0;
	wrapped_ = false;
	lost_ = 0;
	texts_.clear();
	noted_.clear();
}

record *recorder::next()
{
	if (next_ == ring_.size()) {
		if (policy_ == when_full::stop) {
			++lost_;
			return nullptr;
		}
		next_ = 0;
		wrapped_ = true;
	}
	if (wrapped_)
		++lost_;
	return &ring_[next_++];
}

const record &recorder::at(std::size_t i) const
{
	assert(i < size());
	return ring_[wrapped_ ? (next_ + i) % ring_.size() : i];
}

record *recorder::next_call(const context &c, record_kind kind, u32 what, u16 depth)
{
	record *r = next();

	if (!r)
		return nullptr;
	u16 task = idle_task;
	if (c.task) {
		task = c.task->id;
		if (task < tasks_.size() && !tasks_[task].comm[0]) {
			task_entry &entry = tasks_[task];
			c.task->comm.copy(entry.comm, sizeof(entry.comm) - 1);
			entry.pid = c.task->pid;
		}
	}
	*r = {.time_ns = c.cpu->now_ns,
	      .site = what,
	      .depth = depth,
	      .task = task,
	      .host = static_cast<u8>(c.host->id),
	      .cpu = static_cast<u8>(c.cpu->id),
	      .context = static_cast<u8>(context_of(*c.cpu)),
	      .kind = kind,
	      .skb = 0,
	      .sk = 0,
	      .dev = 0};
	return r;
}

void recorder::entered(const context &c, const site &s, const objects &o, u16 depth)
{
	if (recording_) {
		if (record *r = next_call(c, record_kind::enter, site_id(s), depth)) {
			if (o.skb && ids_.skb)
				r->skb = ids_.skb(o.skb);
			if (o.sk && ids_.sk)
				r->sk = ids_.sk(o.sk);
			if (o.dev && ids_.dev)
				r->dev = ids_.dev(o.dev);
		}
	}
	for (const hook &h : hooks)
		if (h.entered && is_armed(h.who))
			h.entered(h.arg, s, o);
}

void recorder::left(const context &c, const site &s, u16 depth)
{
	if (recording_)
		next_call(c, record_kind::leave, site_id(s), depth);
	for (const hook &h : hooks)
		if (h.left && is_armed(h.who))
			h.left(h.arg, s);
}

void recorder::mark(record_kind kind, u64 time_ns, std::string_view text)
{
	record *r = next();

	if (!r)
		return;
	*r = {};
	r->time_ns = time_ns;
	r->kind = kind;
	r->task = idle_task;
	r->site = static_cast<u32>(texts_.size());
	texts_.emplace_back(text);
}

void recorder::noted(const context &c, const std::string &text, const objects &o, u16 depth)
{
	if (!recording_)
		return;
	const auto [known, is_new] = noted_.try_emplace(text, static_cast<u32>(texts_.size()));
	if (is_new)
		texts_.push_back(text);
	record *r = next_call(c, record_kind::note, known->second, depth);
	if (!r)
		return;
	if (o.skb && ids_.skb)
		r->skb = ids_.skb(o.skb);
	if (o.dev && ids_.dev)
		r->dev = ids_.dev(o.dev);
}

std::string_view recorder::task_name(u16 task) const
{
	if (task == idle_task)
		return "<idle>";
	return task < tasks_.size() ? tasks_[task].comm : std::string_view{};
}

int recorder::task_pid(u16 task) const { return task < tasks_.size() ? tasks_[task].pid : 0; }

} // namespace skbwalk::trace
