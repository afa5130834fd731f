// SPDX-License-Identifier: GPL-2.0-only
//
// The text of ftrace's function_graph tracer (kernel/trace/trace_functions_graph.c), to the column. Events
// are printed in the order of time, as ftrace merges its buffers; what is remembered between lines is
// remembered for each cpu, as there: the last task (for the banner) and the function entered at each depth (a
// closing brace that fits none gets a name).
#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "sim/profile.h"
#include "sim/trace_writer.h"
#include "stack/kernel/context.h"

namespace skbwalk::sim {

namespace {

constexpr std::size_t procinfo_length = 14;
constexpr std::size_t comm_length = 7;

char overhead_mark(u64 ns)
{
	if (ns > 1'000'000'000)
		return '$';
	if (ns > 100'000'000)
		return '@';
	if (ns > 10'000'000)
		return '*';
	if (ns > 1'000'000)
		return '#';
	if (ns > 100'000)
		return '!';
	return ns > 10'000 ? '+' : ' ';
}

// Functions of .irqentry.text get arrows, under the names that they had until 5.8; what a newer kernel for
// this architecture has there cannot be traced.
bool is_irq_entry(const call &c)
{
	return c.name == "do_IRQ" || (c.name.starts_with("smp_") && c.name.ends_with("_interrupt"));
}

class graph_writer {
public:
	graph_writer(const call_tree &tree, const graph_options &options, const profile *release)
		: tree_(tree), options_(options), release_(release)
	{}

	std::string write()
	{
		std::vector<u8> hosts;
		for (const tree_task &t : tree_.tasks)
			if (std::ranges::find(hosts, t.host) == hosts.end())
				hosts.push_back(t.host);
		if (hosts.empty())
			hosts.push_back(0);
		std::ranges::sort(hosts);
		for (const u8 host : hosts) {
			if (hosts.size() > 1)
				fmt::format_to(to(), "# host {}\n",
				               host < tree_.hosts.size() ? tree_.hosts[host]
				                                         : fmt::format("{}", host));
			write_host(host);
		}
		return std::move(out_);
	}

private:
	struct cpu_state {
		u32 last_task = no_call;
		int depth = 0;
		std::vector<u32> entered;
	};
	struct line {
		tree_event event;
		u8 cpu;
		u32 next = no_call; // the next line of this cpu
	};

	std::back_insert_iterator<std::string> to() { return std::back_inserter(out_); }

	// Marks stand on the cpu that runs next.
	std::vector<line> lines_of(u8 host) const
	{
		std::vector<line> lines;
		u8 cpu = 0;
		for (const tree_event &e : tree_.events) {
			if (is_call(e)) {
				if (tree_.tasks[tree_.calls[e.what].task].host != host)
					continue;
				cpu = tree_.calls[e.what].cpu;
			}
			lines.push_back({e, cpu});
		}
		for (std::size_t i = lines.size(); i-- > 0;)
			if (!is_call(lines[i].event) && i + 1 < lines.size())
				lines[i].cpu = lines[i + 1].cpu;
		std::ranges::stable_sort(lines, {}, [](const line &l) { return l.event.time_ns; });
		std::map<u8, u32> last;
		for (u32 i = 0; i < lines.size(); ++i) {
			if (const auto it = last.find(lines[i].cpu); it != last.end())
				lines[it->second].next = i;
			last[lines[i].cpu] = i;
		}
		return lines;
	}

	static bool is_call(const tree_event &e)
	{
		return e.kind == trace::record_kind::enter || e.kind == trace::record_kind::leave;
	}

	void write_host(u8 host)
	{
		const std::vector<line> lines = lines_of(host);
		u8 cpus = 0;
		for (const line &l : lines)
			cpus = std::max(cpus, l.cpu);
		cpu_width_ = fmt::formatted_size("{}", cpus);
		cpus_.assign(cpus + std::size_t{1}, {});
		header();
		if (tree_.lost && tree_.lost_first)
			fmt::format_to(to(), "CPU:0 [LOST {} EVENTS]\n", tree_.lost);
		std::vector<bool> done(lines.size());
		for (std::size_t i = 0; i < lines.size(); ++i) {
			const line &l = lines[i];
			if (done[i])
				continue;
			if (!is_call(l.event)) {
				u32 next = l.next;
				while (next != no_call && !is_call(lines[next].event))
					next = lines[next].next;
				mark(l, next == no_call ? no_call : tree_.calls[lines[next].event.what].task);
				continue;
			}
			const call &c = tree_.calls[l.event.what];
			if (l.event.kind == trace::record_kind::leave) {
				left(l, c);
				continue;
			}
			const bool leaf = l.next != no_call &&
			                  lines[l.next].event.kind == trace::record_kind::leave &&
			                  lines[l.next].event.what == l.event.what;
			entered(l, c, leaf);
			if (leaf)
				done[l.next] = true;
		}
		if (tree_.lost && !tree_.lost_first)
			fmt::format_to(to(), "CPU:0 [LOST {} EVENTS]\n", tree_.lost);
	}

	void header()
	{
		out_ += "# tracer: function_graph\n#\n#";
		out_ += options_.abstime ? "     TIME       " : "";
		out_ += options_.cpu ? " CPU" : "";
		out_ += options_.proc ? "  TASK/PID       " : "";
		out_ += options_.duration ? "  DURATION   " : "";
		out_ += "               FUNCTION CALLS\n#";
		out_ += options_.abstime ? "      |         " : "";
		out_ += options_.cpu ? " |  " : "";
		out_ += options_.proc ? "   |    |        " : "";
		out_ += options_.duration ? "   |   |      " : "";
		out_ += "               |   |   |   |\n";
	}

	void cpu_column(u8 cpu) { fmt::format_to(to(), " {:>{}}) ", cpu, cpu_width_); }

	// The task's name and pid, centred in 14 columns.
	void proc_column(u32 task)
	{
		const tree_task &t = tree_.tasks[task];
		const std::string text = fmt::format("{}-{}", t.name.substr(0, comm_length), t.pid);
		const std::size_t spaces = text.size() < procinfo_length ? procinfo_length - text.size() : 0;
		fmt::format_to(to(), "{:{}}{}{:{}}", "", spaces / 2, text, "", spaces - spaces / 2);
	}

	void columns(u64 time_ns, u8 cpu, u32 task)
	{
		if (options_.abstime)
			fmt::format_to(to(), "{:5}.{:06} |  ", time_ns / NSEC_PER_SEC,
			               time_ns % NSEC_PER_SEC / 1000);
		if (options_.cpu)
			cpu_column(cpu);
		if (options_.proc) {
			if (task == no_call)
				out_.append(procinfo_length, ' ');
			else
				proc_column(task);
			out_ += " | ";
		}
	}

	void banner(u8 cpu, u32 task)
	{
		u32 &last = cpus_[cpu].last_task;
		const u32 before = last;
		last = task;
		if (before == task || before == no_call)
			return;
		out_ += " ------------------------------------------\n";
		cpu_column(cpu);
		proc_column(before);
		out_ += " => ";
		proc_column(task);
		out_ += "\n ------------------------------------------\n\n";
	}

	void duration_column(u64 ns)
	{
		if (!options_.duration)
			return;
		fmt::format_to(to(), "{} ", options_.overhead ? overhead_mark(ns) : ' ');
		std::string text = fmt::format("{}", ns / 1000);
		if (text.size() < 7)
			text += fmt::format(".{:03}", ns % 1000)
			                .substr(0, std::min<std::size_t>(4, 8 - text.size()));
		fmt::format_to(to(), "{} us ", text);
		if (text.size() < 8)
			out_.append(8 - text.size(), ' ');
		out_ += "|  ";
	}

	void no_duration()
	{
		if (options_.duration)
			out_ += "              |  ";
	}

	void arrow(const line &l, const call &c, std::string_view text)
	{
		if (!options_.irqs || !is_irq_entry(c))
			return;
		columns(l.event.time_ns, l.cpu, c.task);
		if (options_.duration)
			fmt::format_to(to(), "  {} |\n", text);
		else
			fmt::format_to(to(), "{}\n", text);
	}

	void entered(const line &l, const call &c, bool leaf)
	{
		cpu_state &cpu = cpus_[l.cpu];
		banner(l.cpu, c.task);
		arrow(l, c, "==========>");
		columns(l.event.time_ns, l.cpu, c.task);
		if (cpu.entered.size() <= c.depth)
			cpu.entered.resize(c.depth + std::size_t{1}, no_call);
		if (leaf) {
			cpu.depth = c.depth - 1;
			cpu.entered[c.depth] = no_call;
			duration_column(c.t_leave - c.t_enter);
			indent(c);
			fmt::format_to(to(), "{}();\n", name_of(c));
			arrow(l, c, "<==========");
			return;
		}
		cpu.depth = c.depth;
		cpu.entered[c.depth] = l.event.what;
		no_duration();
		indent(c);
		fmt::format_to(to(), "{}() {{\n", name_of(c));
	}

	void left(const line &l, const call &c)
	{
		cpu_state &cpu = cpus_[l.cpu];
		banner(l.cpu, c.task);
		columns(l.event.time_ns, l.cpu, c.task);
		const bool fits = c.depth < cpu.entered.size() && cpu.entered[c.depth] != no_call &&
		                  tree_.calls[cpu.entered[c.depth]].name == c.name;
		if (c.depth < cpu.entered.size())
			cpu.entered[c.depth] = no_call;
		cpu.depth = c.depth - 1;
		duration_column(c.t_leave - c.t_enter);
		indent(c);
		if (fits && !options_.tail)
			out_ += "}\n";
		else
			fmt::format_to(to(), "}} /* {} */\n", name_of(c));
		arrow(l, c, "<==========");
	}

	// Before a cpu's first call its marks are the task's that runs next.
	void mark(const line &l, u32 next_task)
	{
		const cpu_state &cpu = cpus_[l.cpu];
		std::string_view what;
		switch (l.event.kind) {
		case trace::record_kind::phase_begin:
			what = "phase ";
			break;
		case trace::record_kind::phase_end:
			return;
		case trace::record_kind::step:
			what = "step ";
			break;
		default:
			break;
		}
		columns(l.event.time_ns, l.cpu, cpu.last_task == no_call ? next_task : cpu.last_task);
		no_duration();
		if (cpu.depth > 0)
			out_.append(2 * (static_cast<std::size_t>(cpu.depth) + 1), ' ');
		fmt::format_to(to(), "/* {}{} */\n", what, tree_.texts[l.event.what]);
	}

	// As %ps prints it: with the module behind.
	std::string name_of(const call &c) const
	{
		const std::string_view module = release_ ? release_->module_of(c.name) : std::string_view{};
		return module.empty() ? std::string{c.name} : fmt::format("{} [{}]", c.name, module);
	}

	void indent(const call &c) { out_.append(2 * std::size_t{c.depth}, ' '); }

	const call_tree &tree_;
	const graph_options &options_;
	const profile *release_;
	std::string out_;
	std::size_t cpu_width_ = 1;
	std::vector<cpu_state> cpus_;
};

} // namespace

std::string write_function_graph(const call_tree &tree, const graph_options &options, const profile *release)
{
	return graph_writer{tree, options, release}.write();
}

} // namespace skbwalk::sim
