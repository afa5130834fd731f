// SPDX-License-Identifier: GPL-2.0-only
//
// A call tree as a test writes it down: names by nesting, one microsecond a step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/trace_tree.h"

namespace skbwalk::test {

class tree_builder {
public:
	tree_builder() { task("nettest", 123); }

	tree_builder &task(const std::string &name, int pid)
	{
		for (u32 i = 0; i < tree_.tasks.size(); ++i)
			if (tree_.tasks[i].name == name) {
				task_ = i;
				return *this;
			}
		task_ = static_cast<u32>(tree_.tasks.size());
		tree_.tasks.push_back({name, pid, static_cast<u16>(task_), 0, 0});
		return *this;
	}
	tree_builder &on_cpu(u8 cpu)
	{
		cpu_ = cpu;
		return *this;
	}
	tree_builder &in(trace::run_context context)
	{
		context_ = context;
		return *this;
	}
	tree_builder &wait(u64 ns)
	{
		now_ += ns;
		return *this;
	}
	tree_builder &mark(trace::record_kind kind, const std::string &text)
	{
		tree_.events.push_back({now_, static_cast<u32>(tree_.texts.size()), kind});
		tree_.texts.push_back(text);
		return *this;
	}
	tree_builder &enter(const char *name, trace::site_kind kind = trace::site_kind::function)
	{
		std::vector<u32> &stack = stacks_[task_];
		const u32 index = static_cast<u32>(tree_.calls.size());
		tree_.calls.push_back({.source = name,
		                       .name = name,
		                       .t_enter = now_,
		                       .parent = stack.empty() ? sim::no_call : stack.back(),
		                       .task = task_,
		                       .cpu = cpu_,
		                       .context = context_,
		                       .kind = kind});
		tree_.events.push_back({now_, index, trace::record_kind::enter});
		stack.push_back(index);
		now_ += 1000;
		return *this;
	}
	tree_builder &part(const char *function) { return enter(function, trace::site_kind::part); }
	tree_builder &leave()
	{
		std::vector<u32> &stack = stacks_[task_];
		tree_.calls[stack.back()].t_leave = now_;
		tree_.events.push_back({now_, stack.back(), trace::record_kind::leave});
		stack.pop_back();
		now_ += 1000;
		return *this;
	}
	tree_builder &leaf(const char *name, trace::site_kind kind = trace::site_kind::function)
	{
		return enter(name, kind).leave();
	}

	sim::call_tree tree()
	{
		sim::call_tree out = tree_;
		out.settle();
		return out;
	}

private:
	sim::call_tree tree_;
	std::map<u32, std::vector<u32>> stacks_;
	u64 now_ = 0;
	u32 task_ = 0;
	u8 cpu_ = 0;
	trace::run_context context_ = trace::run_context::task;
};

// Names with two spaces a level, without marks and tasks.
inline std::string names_of(const sim::call_tree &tree)
{
	std::string out;
	for (const sim::tree_event &e : tree.events)
		if (e.kind == trace::record_kind::enter)
			out += std::string(2 * std::size_t{tree.calls[e.what].depth}, ' ') +
			       std::string{tree.calls[e.what].name} + "\n";
	return out;
}

} // namespace skbwalk::test
