// SPDX-License-Identifier: GPL-2.0-only
//
// The recorder indents by depth, so depth is taken from the indentation: it is right where braces are not
// (lost events, a buffer that wrapped, calls that were under way when recording began or ended). A text that
// somebody indented anew is told by lines that contradict their braces, and braces are counted there. A
// call's depth in the tree is the number of calls that were seen to begin and not to end around it.
//
// A line belongs to the task that it names, else to the one that a banner said runs on its cpu. Tasks are
// told apart by pid (the recorder may learn a command's name late), idle tasks, which are all pid 0, by cpu.
#include "sim/graph_text.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "sim/trace_selection.h"

namespace skbwalk::sim {

namespace {

constexpr u32 nobody = ~u32{0};

bool is_call(graph_kind kind) { return kind == graph_kind::enter || kind == graph_kind::leaf; }
bool is_body(graph_kind kind) { return is_call(kind) || kind == graph_kind::leave; }

std::string_view pid_of(std::string_view task) { return task.substr(task.rfind('-') + 1); }

class reader {
public:
	reader(const std::vector<graph_line> &lines, const std::vector<std::string_view> &texts,
	       std::string_view file, bool whole)
		: lines_(lines), texts_(texts), file_(file), whole_(whole)
	{}

	text_tree read()
	{
		check();
		owners();
		by_indent_ = indentation_holds();
		for (std::size_t i = 0; i < lines_.size(); ++i)
			take(i);
		name_tasks();
		return std::move(tree_);
	}

private:
	struct task_state {
		std::string label;
		std::vector<u32> open; // indentation of the calls that have begun
		u32 irqs = 0;          // interrupts that have begun
		u32 index = nobody;
	};

	void check() const
	{
		bool in_remark = false;
		for (std::size_t i = 0; i < lines_.size(); ++i) {
			if (in_remark) {
				in_remark = texts_[i].find("*/") == std::string_view::npos;
				continue;
			}
			in_remark = lines_[i].kind == graph_kind::open_remark;
			const bool cut = i + 1 == lines_.size() && !whole_;
			if (lines_[i].kind == graph_kind::unknown || (cut && in_remark))
				throw bad_trace(fmt::format(
					"{}:{}: expected a line of function_graph text{}: '{}'", file_, i + 1,
					cut ? " (the file ends within the line)" : "",
					texts_[i].substr(0, 80)));
		}
	}

	// A number for each task, and for each line its task's.
	void owners()
	{
		std::map<std::string, u32, std::less<>> running; // by cpu, as the last banner said
		std::map<std::string, u32, std::less<>> first;   // by cpu, before any banner
		std::string last_cpu; // of the last banner, for lines without that column
		bool in_remark = false;

		owner_.assign(lines_.size(), nobody);
		for (std::size_t i = 0; i < lines_.size(); ++i) {
			const graph_line &l = lines_[i];
			if (in_remark) {
				in_remark = texts_[i].find("*/") == std::string_view::npos;
				continue;
			}
			in_remark = l.kind == graph_kind::open_remark;
			if (l.kind == graph_kind::banner) {
				const std::string cpu{l.cpu};
				if (const auto it = first.find(cpu);
				    it != first.end() && !running.contains(cpu))
					alias_[it->second] = task(l.task, l.cpu);
				else if (const auto any = first.find("");
				         any != first.end() && running.empty())
					alias_[any->second] = task(l.task, l.cpu);
				running[cpu] = task(l.next, l.cpu);
				last_cpu = cpu;
			} else if (!l.task.empty()) {
				owner_[i] = task(l.task, l.cpu);
			} else if (is_body(l.kind) || l.kind == graph_kind::irq_begin ||
			           l.kind == graph_kind::irq_end) {
				const std::string cpu = l.cpu.empty() ? last_cpu : std::string{l.cpu};
				if (const auto it = running.find(cpu); it != running.end()) {
					owner_[i] = it->second;
				} else {
					const auto [at, is_new] = first.try_emplace(cpu, nobody);
					if (is_new) {
						at->second = static_cast<u32>(tasks_.size());
						tasks_.push_back({.label = cpu});
					}
					owner_[i] = at->second;
				}
			}
		}
		for (u32 &o : owner_)
			if (const auto it = alias_.find(o); it != alias_.end())
				o = it->second;
	}

	u32 task(std::string_view label, std::string_view cpu)
	{
		std::string key{pid_of(label)};
		if (key == "0")
			key += fmt::format("/{}", cpu);
		const auto [it, is_new] = by_pid_.try_emplace(key, static_cast<u32>(tasks_.size()));
		if (is_new)
			tasks_.push_back({.label = std::string{label}});
		else if (tasks_[it->second].label.starts_with("<...>"))
			tasks_[it->second].label = label;
		return it->second;
	}

	// From one line of a task to its next, depth changes as the first one's brace says.
	bool indentation_holds() const
	{
		struct seen {
			u32 indent;
			graph_kind kind;
		};
		std::map<u32, seen> last;
		std::size_t pairs = 0, wrong = 0;
		u32 base = ~u32{0};
		for (const graph_line &l : lines_)
			if (is_body(l.kind))
				base = std::min(base, l.indent);
		for (std::size_t i = 0; i < lines_.size(); ++i) {
			const graph_line &l = lines_[i];
			if (!is_body(l.kind))
				continue;
			const auto it = last.find(owner_[i]);
			if (it != last.end()) {
				const s64 inside =
					it->second.indent + (it->second.kind == graph_kind::enter ? 2 : 0);
				const s64 expected = inside - (l.kind == graph_kind::leave ? 2 : 0);
				++pairs;
				wrong += l.indent != expected || (l.indent - base) % 2;
			}
			last[owner_[i]] = {l.indent, l.kind};
		}
		// Each loss and each call that was cut off contradicts once.
		return wrong * 4 <= pairs;
	}

	void take(std::size_t i)
	{
		const graph_line &l = lines_[i];
		if (l.kind == graph_kind::lost)
			tree_.lost += std::min(l.lost, ~u64{0} - tree_.lost);
		if (owner_[i] == nobody)
			return;
		task_state &t = tasks_[owner_[i]];
		if (l.kind == graph_kind::irq_begin)
			++t.irqs;
		else if (l.kind == graph_kind::irq_end)
			t.irqs -= t.irqs != 0;
		if (!is_body(l.kind))
			return;
		if (by_indent_) {
			while (!t.open.empty() && t.open.back() >= l.indent)
				t.open.pop_back();
		} else if (l.kind == graph_kind::leave && !t.open.empty()) {
			t.open.pop_back();
		}
		if (l.kind == graph_kind::leave)
			return;
		if (t.index == nobody) {
			t.index = static_cast<u32>(tree_.tasks.size());
			tree_.tasks.emplace_back();
		}
		tree_.nodes.push_back({.name = std::string{clean_name(l.name)},
		                       .symbol = std::string{l.name},
		                       .depth = static_cast<u32>(t.open.size()),
		                       .task = t.index,
		                       .line = static_cast<u32>(i + 1),
		                       .irq = t.irqs != 0});
		if (l.kind == graph_kind::enter)
			t.open.push_back(l.indent);
	}

	void name_tasks()
	{
		std::set<std::string> used;
		for (const task_state &t : tasks_) {
			if (t.index == nobody)
				continue;
			std::string label = t.label;
			for (u32 n = 1; !used.insert(label).second; ++n)
				label = fmt::format("{}/{}", t.label, n);
			tree_.tasks[t.index] = label;
		}
	}

	const std::vector<graph_line> &lines_;
	const std::vector<std::string_view> &texts_;
	std::string_view file_;
	bool whole_;
	bool by_indent_ = true;
	std::vector<u32> owner_; // by line
	std::vector<task_state> tasks_;
	std::map<std::string, u32, std::less<>> by_pid_;
	std::map<u32, u32> alias_; // what a cpu ran before its first banner
	text_tree tree_;
};

} // namespace

bool is_graph_text(const std::vector<graph_line> &lines)
{
	return std::ranges::any_of(lines, [](const graph_line &l) { return is_body(l.kind); });
}

text_tree read_graph_text(const std::vector<graph_line> &lines, const std::vector<std::string_view> &texts,
                          std::string_view file, bool whole)
{
	return reader{lines, texts, file, whole}.read();
}

} // namespace skbwalk::sim
