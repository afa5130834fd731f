// SPDX-License-Identifier: GPL-2.0-only
//
// Rebuilds the tree from enter and leave records with a stack for each task. A ring that overwrote its oldest
// records gives returns without calls, a ring that stopped gives calls without returns; both are kept out of
// the way.
#include "sim/trace_tree.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace skbwalk::sim {

namespace {

class reader {
public:
	reader(const trace::recorder &r, call_tree &tree) : recorder_(r), tree_(tree) {}

	void take(const trace::record &r)
	{
		switch (r.kind) {
		case trace::record_kind::enter:
			enter(r);
			return;
		case trace::record_kind::leave:
			leave(r);
			return;
		default:
			tree_.events.push_back({r.time_ns, static_cast<u32>(tree_.texts.size()), r.kind});
			tree_.texts.push_back(recorder_.text(r.site));
			if (r.skb)
				tree_.texts.back() += fmt::format(", skb {}", r.skb);
		}
	}

private:
	u32 task_index(const trace::record &r)
	{
		const u8 idle_cpu = r.task == trace::idle_task ? r.cpu : u8{0};
		const auto [it, added] =
			tasks_.try_emplace({r.host, r.task, idle_cpu}, static_cast<u32>(tree_.tasks.size()));
		if (added) {
			std::string name{recorder_.task_name(r.task)};
			if (name.empty())
				name = fmt::format("task{}", r.task);
			tree_.tasks.push_back({name, recorder_.task_pid(r.task), r.task, r.host, r.cpu});
			stacks_.emplace_back();
		}
		return it->second;
	}

	void enter(const trace::record &r)
	{
		const u32 task = task_index(r);
		std::vector<u32> &stack = stacks_[task];
		while (!stack.empty() && tree_.calls[stack.back()].recorded_depth >= r.depth)
			stack.pop_back();
		const trace::site &site = trace::site_of(r.site);
		const u32 index = static_cast<u32>(tree_.calls.size());
		tree_.calls.push_back({.source = site.name,
		                       .name = site.name,
		                       .t_enter = r.time_ns,
		                       .parent = stack.empty() ? no_call : stack.back(),
		                       .task = task,
		                       .recorded_depth = r.depth,
		                       .cpu = r.cpu,
		                       .context = static_cast<trace::run_context>(r.context),
		                       .kind = site.kind,
		                       .skb = r.skb,
		                       .sk = r.sk,
		                       .dev = r.dev});
		tree_.events.push_back({r.time_ns, index, r.kind});
		stack.push_back(index);
	}

	void leave(const trace::record &r)
	{
		std::vector<u32> &stack = stacks_[task_index(r)];
		while (!stack.empty() && tree_.calls[stack.back()].recorded_depth > r.depth)
			stack.pop_back();
		if (stack.empty() || tree_.calls[stack.back()].recorded_depth != r.depth ||
		    tree_.calls[stack.back()].source != trace::site_of(r.site).name)
			return;
		tree_.calls[stack.back()].t_leave = r.time_ns;
		tree_.events.push_back({r.time_ns, stack.back(), r.kind});
		stack.pop_back();
	}

	const trace::recorder &recorder_;
	call_tree &tree_;
	std::map<std::tuple<u8, u16, u8>, u32> tasks_;
	std::vector<std::vector<u32>> stacks_;
};

} // namespace

call_tree read_back(const trace::recorder &r, std::vector<std::string> hosts)
{
	call_tree tree;
	tree.hosts = std::move(hosts);
	tree.lost = r.lost();
	tree.lost_first = r.policy() == trace::when_full::overwrite;
	tree.calls.reserve(r.size() / 2 + 1);
	tree.events.reserve(r.size());
	reader from{r, tree};
	for (std::size_t i = 0; i < r.size(); ++i)
		from.take(r.at(i));
	tree.settle();
	return tree;
}

std::string call_tree::task_label(u32 task) const
{
	const tree_task &t = tasks[task];
	std::string label = t.name;
	if (t.id == trace::idle_task) {
		const auto idles = std::ranges::count_if(tasks, [&](const tree_task &o) {
			return o.host == t.host && o.id == trace::idle_task;
		});
		if (idles > 1)
			label += fmt::format("/{}", t.cpu);
	}
	const bool several = std::ranges::any_of(tasks, [&](const tree_task &o) { return o.host != t.host; });
	if (several)
		label = (t.host < hosts.size() ? hosts[t.host] : fmt::format("host{}", t.host)) + "/" + label;
	std::ranges::replace(label, ' ', '_');
	return label;
}

std::vector<std::string> call_tree::phases() const
{
	std::vector<std::string> out;
	for (const tree_event &e : events)
		if (e.kind == trace::record_kind::phase_begin &&
		    std::ranges::find(out, texts[e.what]) == out.end())
			out.push_back(texts[e.what]);
	return out;
}

void call_tree::settle()
{
	// A caller stands before what it calls, and its own shown parent is known by then. Those that are
	// hidden already count too: what hid them before may not be what hides their callers now.
	const auto place = [this](call &c) {
		const u32 up = c.parent;
		c.shown_parent = up == no_call || calls[up].shown ? up : calls[up].shown_parent;
		c.depth = c.shown_parent == no_call ? u16{0}
		                                    : static_cast<u16>(calls[c.shown_parent].depth + 1);
	};
	for (u32 i = 0; i < calls.size(); ++i) {
		// Only a part that was put in between stands behind what it calls, and before that its
		// function.
		if (calls[i].parent != no_call && calls[i].parent > i)
			place(calls[calls[i].parent]);
		place(calls[i]);
	}
	std::erase_if(events, [&](const tree_event &e) {
		const bool is_call =
			e.kind == trace::record_kind::enter || e.kind == trace::record_kind::leave;
		return is_call && !calls[e.what].shown;
	});
}

} // namespace skbwalk::sim
