// SPDX-License-Identifier: GPL-2.0-only
//
// Cutting, then pairing. A pair's worth is its edges in common; each distinct piece is compared with each
// other once, however often it comes.
#include "sim/compare_units.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <unordered_map>

namespace skbwalk::sim {

namespace {

constexpr u32 none = ~u32{0};
// Beyond so many cells of a table the order of names alone decides.
constexpr std::size_t cells_max = std::size_t{1} << 26;

bool is_one_of(std::string_view name, std::span<const std::string_view> names)
{
	return std::ranges::find(names, name) != names.end();
}

bool is_interrupt(const text_node &n)
{
	static constexpr std::array<std::string_view, 12> entries{"common_interrupt",
	                                                          "do_IRQ",
	                                                          "handle_irq",
	                                                          "gic_handle_irq",
	                                                          "irq_exit",
	                                                          "irq_exit_rcu",
	                                                          "__irq_exit_rcu",
	                                                          "irq_enter_rcu",
	                                                          "generic_handle_arch_irq",
	                                                          "smp_apic_timer_interrupt",
	                                                          "__common_interrupt",
	                                                          "__handle_irq_event_percpu"};
	return n.irq || n.name.starts_with("__sysvec_") || n.name.starts_with("sysvec_") ||
	       is_one_of(n.name, entries);
}

bool is_softirq(std::string_view name)
{
	static constexpr std::array<std::string_view, 3> runs{"__do_softirq", "handle_softirqs",
	                                                      "do_softirq_own_stack"};
	return is_one_of(name, runs);
}

// Where a packet comes up to the protocols.
bool is_delivery(std::string_view name)
{
	static constexpr std::array<std::string_view, 8> doors{"__netif_receive_skb",
	                                                       "__netif_receive_skb_one_core",
	                                                       "__netif_receive_skb_core",
	                                                       "netif_receive_skb_internal",
	                                                       "__netif_receive_skb_list_core",
	                                                       "ip_rcv",
	                                                       "ip_list_rcv",
	                                                       "arp_rcv"};
	return is_one_of(name, doors);
}

class cutter {
public:
	cutter(const text_tree &tree, const std::set<std::string_view> &scope, cut_at cut)
		: tree_(tree), scope_(scope), cut_(cut), stacks_(tree.tasks.size())
	{}

	std::vector<unit> run()
	{
		for (u32 i = 0; i < tree_.nodes.size(); ++i)
			take(i);
		return std::move(units_);
	}

private:
	struct frame {
		u32 depth;
		u32 unit;     // none: nothing in scope above
		u32 edge;     // the nearest in scope, in that unit
		bool softirq; // in a run of softirqs
		bool packet;
		bool aside; // not the task's own work
	};

	void take(u32 i)
	{
		const text_node &n = tree_.nodes[i];
		std::vector<frame> &stack = stacks_[n.task];
		while (!stack.empty() && stack.back().depth >= n.depth)
			stack.pop_back();
		frame f = stack.empty() ? frame{.depth = 0, .unit = none, .edge = none} : stack.back();
		f.depth = n.depth;

		std::string_view kind;
		if (is_interrupt(n) && !f.aside) {
			f.unit = f.edge = none; // what is in scope below begins anew
			f.aside = true;
		}
		if (is_softirq(n.name) && !f.softirq) {
			f.softirq = true;
			if (cut_ == cut_at::packets || f.unit == none || f.aside) {
				f.unit = f.edge = none;
				f.aside = true;
				kind = "softirq";
			}
		}
		if (cut_ == cut_at::packets && f.softirq && !f.packet && is_delivery(n.name)) {
			f.packet = true;
			f.unit = f.edge = none;
			kind = "packet";
		}
		if (scope_.contains(n.name))
			add(i, n, f, kind);
		stack.push_back(f);
	}

	void add(u32 i, const text_node &n, frame &f, std::string_view kind)
	{
		if (f.unit == none) {
			const std::string_view call = system_call_of(n.name);
			f.unit = static_cast<u32>(units_.size());
			units_.push_back({.name = std::string{!kind.empty()   ? kind
			                                      : !call.empty() ? call
			                                                      : std::string_view{n.name}},
			                  .task = f.aside ? unit::no_task : n.task,
			                  .edges = {}});
		}
		std::vector<edge> &edges = units_[f.unit].edges;
		edge e{.caller = "-", .callee = n.name, .depth = 0, .node = i};
		if (f.edge != none) {
			e.caller = edges[f.edge].callee;
			e.depth = edges[f.edge].depth + 1;
		}
		f.edge = static_cast<u32>(edges.size());
		edges.push_back(e);
	}

	const text_tree &tree_;
	const std::set<std::string_view> &scope_;
	cut_at cut_;
	std::vector<std::vector<frame>> stacks_;
	std::vector<unit> units_;
};

// A unit as numbers: its name, and its content, which is the same number for equal units.
struct numbered_unit {
	u32 name;
	u32 content;
};

class pairing {
public:
	pairing(const std::vector<unit> &left, const std::vector<unit> &right)
		: left_(left), right_(right), a_(numbers_of(left)), b_(numbers_of(right))
	{}

	unit_match run()
	{
		const auto left_rows = rows_of(left_), right_rows = rows_of(right_);
		pair_rows(left_rows, right_rows);
		for (const unit_pair &p : out_.pairs)
			count(p);
		return std::move(out_);
	}

private:
	using row = std::vector<u32>; // of one task
	std::vector<numbered_unit> numbers_of(const std::vector<unit> &units)
	{
		std::vector<numbered_unit> out;
		for (const unit &u : units) {
			std::vector<u32> content;
			for (const edge &e : u.edges)
				content.push_back(edges_.try_emplace({e.caller, e.callee},
				                                     static_cast<u32>(edges_.size()))
				                          .first->second);
			const u32 name =
				names_.try_emplace(u.name, static_cast<u32>(names_.size())).first->second;
			const auto [it, is_new] =
				known_.try_emplace(content, static_cast<u32>(contents_.size()));
			if (is_new)
				contents_.push_back(std::move(content));
			out.push_back({name, it->second});
		}
		return out;
	}

	static std::vector<row> rows_of(const std::vector<unit> &units)
	{
		std::vector<row> out;
		std::map<u32, std::size_t> where;
		for (u32 i = 0; i < units.size(); ++i) {
			const auto [it, is_new] = where.try_emplace(units[i].task, out.size());
			if (is_new)
				out.emplace_back();
			out[it->second].push_back(i);
		}
		return out;
	}

	u32 worth(u32 left, u32 right)
	{
		const numbered_unit &a = a_[left], &b = b_[right];
		if (a.name != b.name && !any_name_)
			return 0;
		const std::vector<u32> &x = contents_[a.content], &y = contents_[b.content];
		const auto [it, is_new] = worths_.try_emplace(u64{a.content} << 32 | b.content, 0);
		if (is_new)
			it->second =
				static_cast<u32>(a.content == b.content ? x.size() : common_length(x, y));
		const bool mostly = it->second * std::size_t{2} >= std::max(x.size(), y.size());
		return a.name == b.name || mostly ? it->second : 0;
	}

	// What a pair is worth to the alignment: edges in common, and a little that the name is the same (a
	// system call's inside may have changed altogether; of packets there are too many kinds).
	u64 weight(u32 left, u32 right)
	{
		const u64 common = worth(left, right);
		const bool alike = a_[left].name == b_[right].name && left_[left].task != unit::no_task;
		return common << 20 | (alike ? 1U : 0U);
	}

	// Pairs of places in the two rows, and what they are worth together.
	std::pair<std::vector<std::pair<u32, u32>>, u64> align_rows(const row &a, const row &b)
	{
		std::pair<std::vector<std::pair<u32, u32>>, u64> out{};
		const std::size_t wide = b.size() + 1;
		if ((a.size() + 1) * wide > cells_max) {
			row names_a, names_b;
			for (const u32 i : a)
				names_a.push_back(a_[i].name);
			for (const u32 j : b)
				names_b.push_back(b_[j].name);
			out.first = align(names_a, names_b);
			for (const auto &[i, j] : out.first)
				out.second += weight(a[i], b[j]);
			return out;
		}
		enum : u8 { pair, skip_left, skip_right };
		std::vector<u8> step((a.size() + 1) * wide, skip_right);
		std::vector<u64> before(wide), now(wide);
		for (std::size_t i = 1; i <= a.size(); ++i) {
			now[0] = 0;
			step[i * wide] = skip_left;
			for (std::size_t j = 1; j <= b.size(); ++j) {
				const u64 w = weight(a[i - 1], b[j - 1]);
				now[j] = now[j - 1];
				if (before[j] > now[j]) {
					now[j] = before[j];
					step[i * wide + j] = skip_left;
				}
				if (w && before[j - 1] + w >= now[j]) {
					now[j] = before[j - 1] + w;
					step[i * wide + j] = pair;
				}
			}
			std::swap(before, now);
		}
		out.second = before[b.size()];
		for (std::size_t i = a.size(), j = b.size(); i && j;) {
			const u8 s = step[i * wide + j];
			if (s == pair)
				out.first.emplace_back(static_cast<u32>(i - 1), static_cast<u32>(j - 1));
			i -= s != skip_right;
			j -= s != skip_left;
		}
		std::ranges::reverse(out.first);
		return out;
	}

	// Calls of one name first; then what is left, where most is the same under another (write for
	// sendto).
	void pair_rows(const std::vector<row> &left, const std::vector<row> &right)
	{
		std::vector<row> open_left = left, open_right = right;
		std::vector<u32> partner(left.size(), none); // the first row, for the order of printing
		std::vector<bool> is_partner(right.size());
		left_partner_.assign(left_.size(), none);
		right_partner_.assign(right_.size(), none);
		for (const bool any_name : {false, true}) {
			any_name_ = any_name;
			pair_open(open_left, open_right, partner, is_partner);
		}
		for (std::size_t i = 0; i < left.size(); ++i)
			emit(left[i], partner[i] == none ? row{} : right[partner[i]]);
		for (std::size_t j = 0; j < right.size(); ++j)
			if (!is_partner[j])
				emit({}, right[j]);
	}

	// The two tasks that have most in common first, then what is left of all, until nothing is in common:
	// what one task does on one side can be several tasks' work on the other. What interrupted goes with
	// what interrupted.
	void pair_open(std::vector<row> &left, std::vector<row> &right, std::vector<u32> &partner,
	               std::vector<bool> &is_partner)
	{
		std::vector<std::vector<u64>> worth_of(left.size(), std::vector<u64>(right.size(), unknown));
		for (;;) {
			std::size_t best_i = 0, best_j = 0;
			u64 best = 0;
			for (std::size_t i = 0; i < left.size(); ++i)
				for (std::size_t j = 0; j < right.size(); ++j) {
					u64 &w = worth_of[i][j];
					if (w == unknown)
						w = !left[i].empty() && !right[j].empty() &&
						                    is_aside(left_, left[i]) ==
						                            is_aside(right_, right[j])
						            ? align_rows(left[i], right[j]).second
						            : 0;
					if (w > best) {
						best = w;
						best_i = i;
						best_j = j;
					}
				}
			if (!best)
				break;
			for (const auto &[x, y] : align_rows(left[best_i], right[best_j]).first) {
				left_partner_[left[best_i][x]] = right[best_j][y];
				right_partner_[right[best_j][y]] = left[best_i][x];
			}
			std::erase_if(left[best_i], [&](u32 u) { return left_partner_[u] != none; });
			std::erase_if(right[best_j], [&](u32 u) { return right_partner_[u] != none; });
			worth_of[best_i].assign(right.size(), unknown);
			for (std::vector<u64> &w : worth_of)
				w[best_j] = unknown;
			if (partner[best_i] == none && !is_partner[best_j]) {
				partner[best_i] = static_cast<u32>(best_j);
				is_partner[best_j] = true;
			}
		}
	}

	static bool is_aside(const std::vector<unit> &units, const row &r)
	{
		return units[r[0]].task == unit::no_task;
	}

	// The left row in order, and what the right row has alone where it comes between.
	void emit(const row &a, const row &b)
	{
		std::size_t j = 0;
		const auto alone_until = [&](u32 end) {
			for (; j < b.size() && b[j] != end; ++j)
				if (right_partner_[b[j]] == none)
					out_.pairs.push_back({.left = {}, .right = b[j]});
		};
		for (const u32 u : a) {
			const u32 other = left_partner_[u];
			if (other == none) {
				out_.pairs.push_back({.left = u, .right = {}});
				continue;
			}
			if (std::find(b.begin() + static_cast<std::ptrdiff_t>(j), b.end(), other) != b.end())
				alone_until(other);
			out_.pairs.push_back({.left = u, .right = other});
		}
		alone_until(none);
	}

	void count(const unit_pair &p)
	{
		const std::size_t l = p.left ? left_[*p.left].edges.size() : 0;
		const std::size_t r = p.right ? right_[*p.right].edges.size() : 0;
		out_.score.reference += l;
		out_.score.model += r;
		out_.left_alone += !p.right;
		out_.right_alone += !p.left;
		if (!p.left || !p.right)
			return;
		const u32 common = worth(*p.left, *p.right);
		out_.score.common += common;
		out_.paired.reference += l;
		out_.paired.model += r;
		out_.paired.common += common;
	}

	const std::vector<unit> &left_;
	const std::vector<unit> &right_;
	std::map<std::pair<std::string_view, std::string_view>, u32> edges_;
	std::map<std::string_view, u32> names_;
	std::map<std::vector<u32>, u32> known_;
	std::vector<std::vector<u32>> contents_;
	std::unordered_map<u64, u32> worths_;
	bool any_name_ = false;
	static constexpr u64 unknown = ~u64{0};
	std::vector<u32> left_partner_, right_partner_;
	std::vector<numbered_unit> a_;
	std::vector<numbered_unit> b_;
	unit_match out_;
};

} // namespace

std::string_view system_call_of(std::string_view function)
{
	static constexpr std::array<std::string_view, 9> prefixes{
		"__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__riscv_sys_", "__s390x_sys_",
		"__se_sys_",  "__do_sys_",   "SyS_",         "sys_"};
	for (const std::string_view p : prefixes)
		if (function.starts_with(p))
			return function.substr(p.size());
	return {};
}

std::vector<unit> units_of(const text_tree &tree, const std::set<std::string_view> &scope, cut_at cut)
{
	return cutter{tree, scope, cut}.run();
}

unit_match match_units(const std::vector<unit> &left, const std::vector<unit> &right)
{
	return pairing{left, right}.run();
}

std::set<std::string, std::less<>> roots_of(const std::vector<edge> &edges)
{
	std::set<std::string, std::less<>> out;
	for (const edge &e : edges)
		if (e.depth == 0)
			out.emplace(e.callee);
	return out;
}

text_tree below(const text_tree &tree, const std::set<std::string, std::less<>> &roots)
{
	text_tree out;
	std::vector<std::optional<u32>> inside(tree.tasks.size()); // depth of the root that is open

	out.tasks = tree.tasks;
	out.directives = tree.directives;
	out.lost = tree.lost;
	for (const text_node &n : tree.nodes) {
		std::optional<u32> &root = inside[n.task];
		if (root && n.depth <= *root)
			root.reset();
		if (!root && roots.contains(n.name))
			root = n.depth;
		if (!root)
			continue;
		out.nodes.push_back(n);
		out.nodes.back().depth -= *root;
	}
	return out;
}

} // namespace skbwalk::sim
