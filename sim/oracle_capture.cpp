// SPDX-License-Identifier: GPL-2.0-only
//
// Text into sections by phase, sections into trees, and the second run's softirqs into the first's.
#include "sim/oracle_capture.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "sim/oracle_boot.h"

namespace skbwalk::sim {

namespace {

constexpr u32 nested_max = 50; // FTRACE_RETFUNC_DEPTH
constexpr std::size_t alike_calls = 15;
constexpr std::string_view softirq = "handle_softirqs";

struct section {
	std::string phase;
	std::string text;
};

struct run_text {
	std::vector<section> sections;
	std::map<std::string, std::string> tasks; // by pid
};

run_text split(std::string_view text, const std::string &file)
{
	run_text out;
	bool ended = false;
	while (!text.empty()) {
		const std::size_t end = std::min(text.find('\n'), text.size() - 1);
		const std::string_view line = text.substr(0, end + 1);
		text.remove_prefix(end + 1);
		if (line.starts_with("# pid ")) {
			const std::size_t space = line.find(' ', 6);
			if (space != line.npos)
				out.tasks[std::string{line.substr(6, space - 6)}] =
					line.substr(space + 1, line.find('\n') - space - 1);
		} else if (line.starts_with("# lost ")) {
			ended = true;
			if (line != "# lost 0\n")
				throw bad_trace(fmt::format("{}: the ring was too small, {} events are lost",
				                            file, line.substr(7, line.find('\n') - 7)));
		} else if (const std::size_t mark = line.find("/* phase "); mark != line.npos) {
			const std::size_t stop = line.find(" */", mark);
			out.sections.push_back({std::string{line.substr(mark + 9, stop - mark - 9)}, {}});
		} else if (!out.sections.empty() && !line.starts_with('#')) {
			out.sections.back().text += line;
		}
	}
	if (!ended)
		throw bad_trace(
			fmt::format("{}: expected a line `# lost N' at its end: the recording is cut", file));
	return out;
}

// A tree that can be taken apart: the nodes of a text_tree with their children.
struct node {
	const text_node *call = nullptr;
	std::string task;
	u32 place = 0; // in the order of entry
	std::vector<node> children;
	bool grafted = false;
};

// A task as the recording has it: NAME-PID. The name may be one that ftrace did not know, `<...>`.
std::string task_name(const std::string &word, const std::map<std::string, std::string> &tasks)
{
	const std::size_t dash = word.rfind('-');
	if (dash == std::string::npos)
		return word;
	const auto known = tasks.find(word.substr(dash + 1));
	return known == tasks.end() ? word.substr(0, dash) : known->second;
}

std::vector<node> nested(const text_tree &tree, const std::map<std::string, std::string> *tasks)
{
	std::vector<node> roots;
	// By task: where the open calls are, as indices from the root down.
	std::map<u32, std::vector<std::size_t>> open;
	for (u32 i = 0; i < tree.nodes.size(); ++i) {
		const text_node &n = tree.nodes[i];
		std::vector<std::size_t> &path = open[n.task];
		path.resize(std::min<std::size_t>(path.size(), n.depth));
		std::vector<node> *to = &roots;
		for (const std::size_t step : path)
			to = &(*to)[step].children;
		const std::string &task = tree.tasks[n.task];
		node made{&n, tasks ? task_name(task, *tasks) : task, i, {}};
		path.push_back(to->size());
		to->push_back(std::move(made));
	}
	return roots;
}

// What a recording can have: the model's trees have more.
bool is_recorded(std::string_view name)
{
	static const std::set<std::string, std::less<>> recorded = [] {
		std::istringstream in{recorded_functions()};
		std::set<std::string, std::less<>> out;
		for (std::string line; std::getline(in, line);)
			out.insert(line);
		return out;
	}();
	return recorded.contains(name);
}

std::set<std::string_view> names_in(const node &n)
{
	std::set<std::string_view> out;
	if (is_recorded(n.call->name))
		out.insert(n.call->name);
	for (const node &c : n.children)
		out.merge(names_in(c));
	return out;
}

// The player's own: its orders, and the files of tracefs.
bool is_players(const node &n)
{
	if (n.call->name != "x64_sys_call")
		return false;
	if (n.children.empty())
		return true; // a system call that is not the network's
	const std::set<std::string_view> names = names_in(n);
	return (names.contains("__x64_sys_write") || names.contains("__x64_sys_read")) &&
	       !names.contains("sock_write_iter") && !names.contains("sock_read_iter");
}

bool is_idle_noise(const node &n)
{
	static const std::set<std::string_view> noise = {"handle_softirqs",
	                                                 "run_timer_softirq",
	                                                 "call_timer_fn",
	                                                 "tcp_orphan_update",
	                                                 "tcp_orphan_count_sum",
	                                                 "do_idle",
	                                                 "irq_enter_rcu",
	                                                 "finish_wait",
	                                                 "prepare_to_wait_event",
	                                                 "run_rebalance_domains",
	                                                 "prepare_to_wait_exclusive",
	                                                 "exit_to_user_mode_prepare",
	                                                 "ksoftirqd_should_run"};
	return std::ranges::includes(noise, names_in(n));
}

// A worker's that is nobody's: what each table of neighbours has every few seconds, or a hash table of which
// no function but that it locks a chain is recorded, that takes another size.
bool is_periodic_work(const node &n)
{
	static const std::set<std::string_view> work = {"neigh_managed_work", "neigh_periodic_work",
	                                                "__local_bh_enable_ip", "do_softirq"};
	return n.task.starts_with("kworker") && std::ranges::includes(work, names_in(n));
}

// Timers of which nothing is recorded but that they ran, and TCP's of 100 ms, which any tick can bring.
void drop_timers(std::vector<node> &nodes)
{
	static const std::set<std::string_view> timers = {"call_timer_fn", "tcp_orphan_update",
	                                                  "tcp_orphan_count_sum"};
	for (node &n : nodes) {
		if (n.call->name == "run_timer_softirq")
			std::erase_if(n.children, [](const node &c) {
				return c.call->name == "call_timer_fn" &&
				       std::ranges::includes(timers, names_in(c));
			});
		drop_timers(n.children);
	}
}

void drop_noise(std::vector<node> &roots)
{
	std::erase_if(roots,
	              [](const node &n) { return is_players(n) || is_idle_noise(n) || is_periodic_work(n); });
	drop_timers(roots);
	for (node &n : roots)
		if (n.call->name == "do_idle")
			std::erase_if(n.children, is_idle_noise);
}

using shape = std::vector<std::pair<u32, std::string_view>>; // depth and name, in order

void shape_below(const node &n, u32 depth, u32 depth_max, shape &out)
{
	for (const node &c : n.children) {
		if (depth >= depth_max)
			return;
		out.emplace_back(depth, c.call->name);
		shape_below(c, depth + 1, depth_max, out);
	}
}

shape shape_of(const node &n, u32 depth_max)
{
	shape out;
	shape_below(n, 0, depth_max, out);
	return out;
}

bool alike(const node &cut, const node &whole, u32 levels, bool roughly)
{
	shape a = shape_of(cut, levels), b = shape_of(whole, levels);
	if (roughly) {
		b.resize(std::min({b.size(), a.size(), alike_calls}));
		a.resize(std::min(a.size(), alike_calls));
	}
	return a == b;
}

// Does the recording go so deep below it that more can be missing?
bool may_be_cut(const node &n, u32 depth)
{
	return depth + 1 >= nested_max ||
	       std::ranges::any_of(n.children, [depth](const node &c) { return may_be_cut(c, depth + 1); });
}

class grafting {
public:
	explicit grafting(std::vector<node> &second)
	{
		std::vector<node *> found;
		collect(second, found);
		for (node *n : found)
			if (!is_idle_noise(*n))
				whole_.push_back(n);
	}

	void into(std::vector<node> &nodes, u32 depth)
	{
		for (node &n : nodes) {
			if (n.call->name == softirq && !is_idle_noise(n)) {
				if (may_be_cut(n, depth))
					replace(n, depth);
			} else {
				into(n.children, depth + 1);
			}
		}
	}
	[[nodiscard]] std::size_t missed() const { return missed_; }

private:
	static void collect(std::vector<node> &nodes, std::vector<node *> &out)
	{
		for (node &n : nodes) {
			if (n.call->name == softirq)
				out.push_back(&n);
			else
				collect(n.children, out);
		}
	}

	void replace(node &n, u32 depth)
	{
		const u32 levels = depth + 1 < nested_max ? nested_max - depth - 1 : 0;
		for (const bool roughly : {false, true})
			for (std::size_t i = at_; i < whole_.size(); ++i)
				if (alike(n, *whole_[i], levels, roughly)) {
					n.children = whole_[i]->children;
					n.grafted = true;
					at_ = i + 1;
					return;
				}
		++missed_;
	}

	std::vector<node *> whole_;
	std::size_t at_ = 0;
	std::size_t missed_ = 0;
};

u32 deepest(const std::vector<node> &nodes, u32 depth)
{
	u32 out = depth;
	for (const node &n : nodes)
		if (!n.grafted)
			out = std::max(out, deepest(n.children, depth + 1));
	return out;
}

// Back to a flat tree in the order of entry; what was grafted stands where its softirq stood.
class flattening {
public:
	text_tree of(const std::vector<node> &roots)
	{
		for (const node &n : roots)
			emit(n, 0, std::nullopt);
		std::ranges::stable_sort(lines_, {}, &line::place);
		text_tree out;
		for (const line &l : lines_) {
			auto task = std::ranges::find(out.tasks, l.task);
			if (task == out.tasks.end())
				task = out.tasks.insert(task, l.task);
			out.nodes.push_back({l.call->name, l.call->symbol, l.depth,
			                     static_cast<u32>(task - out.tasks.begin()),
			                     static_cast<u32>(out.nodes.size() + 1)});
		}
		return out;
	}

private:
	struct line {
		u32 place;
		u32 depth;
		const text_node *call;
		std::string task;
	};

	// `place` is the grafted softirq's; whoever is not below one has a place of its own.
	void emit(const node &n, u32 depth, std::optional<u32> place)
	{
		lines_.push_back({place.value_or(n.place), depth, n.call, n.task});
		if (n.grafted)
			place = n.place;
		for (const node &c : n.children)
			emit(c, depth + 1, place);
	}

	std::vector<line> lines_;
};

bool has_calls(std::string_view text)
{
	return text.find("() {") != text.npos || text.find("();") != text.npos ||
	       text.find("] {") != text.npos || text.find("];") != text.npos;
}

text_tree parsed(const section &s, const std::string &file)
{
	return has_calls(s.text) ? parse_tree_text(s.text, fmt::format("{}, phase {}", file, s.phase))
	                         : text_tree{};
}

// A softirq's own task in the second run is who ran it in the first.
void rename(std::vector<node> &nodes, const std::string &task)
{
	for (node &n : nodes) {
		n.task = task;
		rename(n.children, task);
	}
}
void rename_grafted(std::vector<node> &nodes)
{
	for (node &n : nodes) {
		if (n.grafted)
			rename(n.children, n.task);
		else
			rename_grafted(n.children);
	}
}

} // namespace

std::vector<capture> read_captures(std::string_view full, std::string_view softirqs, const std::string &file)
{
	const run_text first = split(full, file);
	const run_text second = softirqs.empty() ? run_text{} : split(softirqs, file + " (softirqs)");
	std::vector<capture> out;
	if (first.sections.empty())
		throw bad_trace(fmt::format("{}: no phase in it", file));
	for (const section &s : first.sections) {
		capture c{s.phase, {}, {}};
		const text_tree cut = parsed(s, file);
		std::vector<node> roots = nested(cut, &first.tasks);
		drop_noise(roots);
		const auto twin = std::ranges::find(second.sections, s.phase, &section::phase);
		text_tree whole;
		std::vector<node> others;
		if (twin != second.sections.end()) {
			whole = parsed(*twin, file + " (softirqs)");
			others = nested(whole, &second.tasks);
			drop_timers(others);
		} else if (!softirqs.empty()) {
			c.notes.push_back("the second run does not have this phase");
		}
		grafting graft{others};
		graft.into(roots, 0);
		if (graft.missed() && twin != second.sections.end())
			c.notes.push_back(
				fmt::format("{} softirqs have no like in the second run", graft.missed()));
		rename_grafted(roots);
		if (deepest(roots, 0) >= nested_max)
			c.notes.push_back(fmt::format("calls nested deeper than {} are missing", nested_max));
		c.tree = flattening{}.of(roots);
		out.push_back(std::move(c));
	}
	return out;
}

text_tree without_noise(const text_tree &tree)
{
	std::vector<node> roots = nested(tree, nullptr);
	drop_noise(roots);
	return flattening{}.of(roots);
}

std::string tree_text(const text_tree &tree, std::string_view phase)
{
	std::string out = fmt::format("# phase {}\n", phase);
	const u32 nobody = ~u32{0};
	u32 task = nobody;
	for (const text_node &n : tree.nodes) {
		if (n.task != task)
			fmt::format_to(std::back_inserter(out), "# task {}\n", tree.tasks[n.task]);
		task = n.task;
		fmt::format_to(std::back_inserter(out), "{:{}}{}\n", "", 2 * n.depth, n.symbol);
	}
	return out;
}

} // namespace skbwalk::sim
