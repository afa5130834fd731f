// SPDX-License-Identifier: GPL-2.0-only
//
// The embedding is a search over forests: for a run of siblings of the reference and a stretch of the model,
// the best scores and how early each can end (a Pareto front), remembered for each run and stretch. The
// subsequence's length is found with a machine word for 64 edges at a time, the alignment by dividing.
#include "sim/compare.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <unordered_map>

namespace skbwalk::sim {

namespace {

struct shape {
	std::vector<u32> end; // just past each node's subtree
	std::vector<std::vector<u32>> children;
	std::vector<u32> roots;

	explicit shape(const std::vector<u32> &depths)
		: end(depths.size(), static_cast<u32>(depths.size())), children(depths.size())
	{
		std::vector<u32> stack;
		for (u32 i = 0; i < depths.size(); ++i) {
			while (!stack.empty() && depths[stack.back()] >= depths[i]) {
				end[stack.back()] = i;
				stack.pop_back();
			}
			(stack.empty() ? roots : children[stack.back()]).push_back(i);
			stack.push_back(i);
		}
	}
};

std::vector<u32> depths_of(const text_tree &tree)
{
	std::vector<u32> out;
	for (const text_node &n : tree.nodes)
		out.push_back(n.depth);
	return out;
}

class embedding {
public:
	embedding(const text_tree &reference, const text_tree &model)
		: reference_(reference), ref_(depths_of(reference)), model_(depths_of(model)),
		  model_size_(static_cast<u32>(model.nodes.size()))
	{
		for (u32 i = 0; i < model.nodes.size(); ++i)
			where_[model.nodes[i].name].push_back(i);
	}

	embed_result run()
	{
		embed_result out;
		out.found.resize(reference_.nodes.size());
		const front &all = forest(ref_.roots, 0, 0, model_size_);
		const auto best = std::ranges::max_element(all, {}, [](const option &o) { return o.score; });
		mark(best->got, out);
		return out;
	}

private:
	// What was matched, shared between options.
	struct got_node {
		u32 ref;
		const got_node *a;
		const got_node *b;
	};
	struct option {
		u32 score;
		u32 pos; // one past the last position used
		const got_node *got;
	};
	using front = std::vector<option>;
	struct key {
		u32 first, lo, hi;
		friend bool operator==(const key &, const key &) = default;
	};
	struct key_hash {
		std::size_t operator()(const key &k) const
		{
			return ((k.first * std::size_t{0x9e3779b1} + k.lo) * 0x85ebca6b + k.hi) * 0xc2b2ae35;
		}
	};

	static constexpr u32 no_ref = ~u32{0};

	const got_node *join(u32 ref, const got_node *a, const got_node *b)
	{
		if (ref == no_ref && (!a || !b))
			return a ? a : b;
		return &got_.emplace_back(got_node{ref, a, b});
	}

	static void keep(front &f, const option &o)
	{
		for (option &have : f)
			if (have.score == o.score) {
				if (o.pos < have.pos)
					have = o;
				return;
			}
		f.push_back(o);
	}

	static front prune(front f)
	{
		front out;
		std::ranges::sort(f, std::ranges::greater{}, [](const option &o) { return o.score; });
		for (const option &o : f)
			if (out.empty() || o.pos < out.back().pos)
				out.push_back(o);
		return out;
	}

	// siblings[from..] within the model's [lo, hi). A run is the rest of its parent's children: its first
	// node names it.
	const front &forest(const std::vector<u32> &siblings, std::size_t from, u32 lo, u32 hi)
	{
		if (from == siblings.size())
			return nothing_.emplace_back(front{{0, lo, nullptr}});
		const key k{siblings[from], lo, hi};
		if (const auto it = memo_.find(k); it != memo_.end())
			return it->second;
		const u32 r = siblings[from];
		const std::vector<u32> &kids = ref_.children[r];
		const u32 full = ref_.end[r] - r;
		front here;
		if (const auto it = where_.find(reference_.nodes[r].name); it != where_.end()) {
			for (auto at = std::ranges::lower_bound(it->second, lo);
			     at != it->second.end() && *at < hi; ++at) {
				// What follows a leaf may be inside it: authors drop the braces of what they
				// do not open.
				const u32 after = kids.empty() ? *at + 1 : model_.end[*at];
				for (const option &o : forest(kids, 0, *at + 1, model_.end[*at]))
					keep(here,
					     {o.score + 1, std::max(o.pos, after), join(r, o.got, nullptr)});
				if (std::ranges::find(here, full, &option::score) != here.end())
					break; // a later occurrence cannot end earlier and score more
			}
		}
		// Left out, its children may still sit under our parent.
		for (const option &o : forest(kids, 0, lo, hi))
			keep(here, o);
		front out;
		for (const option &o : prune(std::move(here)))
			for (const option &next : forest(siblings, from + 1, o.pos, hi))
				keep(out, {o.score + next.score, next.pos, join(no_ref, o.got, next.got)});
		return memo_.emplace(k, prune(std::move(out))).first->second;
	}

	static void mark(const got_node *root, embed_result &out)
	{
		std::vector<const got_node *> todo{root};
		while (!todo.empty()) {
			const got_node *g = todo.back();
			todo.pop_back();
			if (!g)
				continue;
			if (g->ref != no_ref && !out.found[g->ref]) {
				out.found[g->ref] = true;
				++out.matched;
			}
			todo.push_back(g->a);
			todo.push_back(g->b);
		}
	}

	const text_tree &reference_;
	shape ref_;
	shape model_;
	u32 model_size_;
	std::unordered_map<std::string_view, std::vector<u32>> where_;
	std::unordered_map<key, front, key_hash> memo_;
	std::deque<front> nothing_;
	std::deque<got_node> got_;
};

// Numbers for names or edges, so that comparing is cheap.
template <class T> class numbering {
public:
	u32 of(const T &t)
	{
		return numbers_.try_emplace(t, static_cast<u32>(numbers_.size())).first->second;
	}

private:
	std::map<T, u32> numbers_;
};

// Lengths of the common subsequences of a with every prefix of b.
template <class It, class Out> void prefix_lengths(It a, It a_end, It b, It b_end, Out &row)
{
	row.assign(static_cast<std::size_t>(b_end - b) + 1, 0);
	for (; a != a_end; ++a) {
		u32 diagonal = 0;
		for (std::size_t j = 1; j < row.size(); ++j) {
			const u32 above = row[j];
			row[j] = *a == b[static_cast<std::ptrdiff_t>(j) - 1] ? diagonal + 1
			                                                     : std::max(above, row[j - 1]);
			diagonal = above;
		}
	}
}

class alignment {
public:
	alignment(const std::vector<u32> &a, const std::vector<u32> &b) : a_(a), b_(b) {}

	void run(std::size_t a0, std::size_t a1, std::size_t b0, std::size_t b1)
	{
		while (a0 < a1 && b0 < b1 && a_[a0] == b_[b0])
			pairs.emplace_back(static_cast<u32>(a0++), static_cast<u32>(b0++));
		std::size_t tail = 0;
		while (a0 < a1 && b0 < b1 && a_[a1 - 1] == b_[b1 - 1])
			--a1, --b1, ++tail;
		if (a1 - a0 == 1 || b1 - b0 == 1)
			single(a0, a1, b0, b1);
		else if (a0 < a1 && b0 < b1)
			divide(a0, a1, b0, b1);
		for (; tail; --tail)
			pairs.emplace_back(static_cast<u32>(a1++), static_cast<u32>(b1++));
	}

	std::vector<std::pair<u32, u32>> pairs;

private:
	void single(std::size_t a0, std::size_t a1, std::size_t b0, std::size_t b1)
	{
		for (std::size_t i = a0; i < a1; ++i)
			for (std::size_t j = b0; j < b1; ++j)
				if (a_[i] == b_[j]) {
					pairs.emplace_back(static_cast<u32>(i), static_cast<u32>(j));
					return;
				}
	}

	void divide(std::size_t a0, std::size_t a1, std::size_t b0, std::size_t b1)
	{
		const std::size_t middle = a0 + (a1 - a0) / 2;
		const auto a = [&](std::size_t i) { return a_.begin() + static_cast<std::ptrdiff_t>(i); };
		const auto b = [&](std::size_t i) { return b_.begin() + static_cast<std::ptrdiff_t>(i); };
		std::vector<u32> head, tail;
		prefix_lengths(a(a0), a(middle), b(b0), b(b1), head);
		prefix_lengths(std::make_reverse_iterator(a(a1)), std::make_reverse_iterator(a(middle)),
		               std::make_reverse_iterator(b(b1)), std::make_reverse_iterator(b(b0)), tail);
		std::size_t cut = 0;
		for (std::size_t j = 0; j < head.size(); ++j)
			if (head[j] + tail[head.size() - 1 - j] > head[cut] + tail[head.size() - 1 - cut])
				cut = j;
		run(a0, middle, b0, b0 + cut);
		run(middle, a1, b0 + cut, b1);
	}

	const std::vector<u32> &a_;
	const std::vector<u32> &b_;
};

using edge_names = std::pair<std::string_view, std::string_view>;

std::pair<std::vector<u32>, std::vector<u32>> numbered(const std::vector<edge> &a, const std::vector<edge> &b)
{
	numbering<edge_names> numbers;
	std::pair<std::vector<u32>, std::vector<u32>> out;
	for (const edge &e : a)
		out.first.push_back(numbers.of({e.caller, e.callee}));
	for (const edge &e : b)
		out.second.push_back(numbers.of({e.caller, e.callee}));
	return out;
}

embed_result embed_sequence(const text_tree &reference, const text_tree &model)
{
	numbering<std::string_view> numbers;
	std::vector<u32> a, b;
	for (const text_node &n : reference.nodes)
		a.push_back(numbers.of(n.name));
	for (const text_node &n : model.nodes)
		b.push_back(numbers.of(n.name));
	const auto pairs = align(a, b);
	embed_result out;
	out.found.resize(a.size());
	for (const auto &[i, j] : pairs)
		out.found[i] = true;
	out.matched = pairs.size();
	return out;
}

double ratio(std::size_t part, std::size_t whole)
{
	return whole ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

} // namespace

embed_result embed(const text_tree &reference, const text_tree &model, bool sequence)
{
	return sequence ? embed_sequence(reference, model) : embedding{reference, model}.run();
}

std::vector<edge> edges_in_scope(const text_tree &tree, const std::set<std::string_view> &scope)
{
	std::vector<edge> out;
	struct open_call {
		u32 depth;
		u32 edge_index;
	};
	std::vector<std::vector<open_call>> stacks(tree.tasks.size());

	for (u32 i = 0; i < tree.nodes.size(); ++i) {
		const text_node &n = tree.nodes[i];
		std::vector<open_call> &stack = stacks[n.task];
		while (!stack.empty() && stack.back().depth >= n.depth)
			stack.pop_back();
		if (!scope.contains(n.name))
			continue;
		edge e{.caller = "-", .callee = n.name, .depth = 0, .node = i};
		if (!stack.empty()) {
			e.caller = out[stack.back().edge_index].callee;
			e.depth = out[stack.back().edge_index].depth + 1;
		}
		stack.push_back({n.depth, static_cast<u32>(out.size())});
		out.push_back(e);
	}
	return out;
}

std::size_t common_length(std::vector<u32> a, std::vector<u32> b)
{
	std::size_t same = 0, tail = 0;
	while (same < std::min(a.size(), b.size()) && a[same] == b[same])
		++same;
	while (tail < std::min(a.size(), b.size()) - same && a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
		++tail;
	a = {a.begin() + static_cast<std::ptrdiff_t>(same), a.end() - static_cast<std::ptrdiff_t>(tail)};
	b = {b.begin() + static_cast<std::ptrdiff_t>(same), b.end() - static_cast<std::ptrdiff_t>(tail)};

	const std::size_t words = (a.size() + 63) / 64;
	std::unordered_map<u32, std::vector<u64>> masks;
	for (std::size_t i = 0; i < a.size(); ++i) {
		std::vector<u64> &mask = masks.try_emplace(a[i], words).first->second;
		mask[i / 64] |= u64{1} << i % 64;
	}
	// Each set bit of the row is a place where the length grows; see Hyyro (2004).
	std::vector<u64> row(words);
	for (const u32 y : b) {
		const auto it = masks.find(y);
		u64 shifted_in = 1, borrow = 0;
		for (std::size_t w = 0; w < words; ++w) {
			const u64 match = row[w] | (it == masks.end() ? 0 : it->second[w]);
			const u64 shifted = row[w] << 1 | shifted_in;
			shifted_in = row[w] >> 63;
			const u64 less = match - shifted;
			const u64 difference = less - borrow;
			borrow = (match < shifted) | (less < borrow);
			row[w] = match & ~difference;
		}
	}
	for (const u64 w : row)
		same += static_cast<std::size_t>(std::popcount(w));
	return same + tail;
}

std::vector<std::pair<u32, u32>> align(const std::vector<u32> &a, const std::vector<u32> &b)
{
	alignment both{a, b};
	both.run(0, a.size(), 0, b.size());
	return std::move(both.pairs);
}

double match_result::recall() const { return ratio(common, reference); }
double match_result::precision() const { return ratio(common, model); }
double match_result::f1() const { return ratio(2 * common, reference + model); }

match_result match(const std::vector<edge> &reference, const std::vector<edge> &model)
{
	auto [a, b] = numbered(reference, model);
	return {reference.size(), model.size(), common_length(std::move(a), std::move(b))};
}

std::vector<std::pair<u32, u32>> align(const std::vector<edge> &reference, const std::vector<edge> &model)
{
	const auto [a, b] = numbered(reference, model);
	return align(a, b);
}

} // namespace skbwalk::sim
