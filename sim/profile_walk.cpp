// SPDX-License-Identifier: GPL-2.0-only
//
// How a profile is applied: one walk over the calls in the order of entry. For each the walk knows the
// immediate caller (of the source) and the physical one (the nearest that the compiler gave code of its own),
// asks what became of the call, lets the rules overrule that, and sets name and visibility. Where the
// compiler moved a function's rest out of line and the model does not mark the place (TRACE_PART), the rest
// begins at the first call that only the rest makes. The stack view then takes the frames away that a jump at
// a function's end gives up.
#include <algorithm>

#include "sim/profile.h"
#include "sim/trace_selection.h"

namespace skbwalk::sim {

class profile_walk {
public:
	profile_walk(const profile &p, call_tree &tree, trace_view view)
		: profile_(p), tree_(tree), view_(view), states_(tree.calls.size()),
		  children_(tree.calls.size())
	{}

	void run()
	{
		for (const tree_event &e : tree_.events)
			if (e.kind == trace::record_kind::enter && tree_.calls[e.what].parent != no_call)
				children_[tree_.calls[e.what].parent].push_back(e.what);
		for (const tree_event &e : tree_.events)
			if (e.kind == trace::record_kind::enter)
				view_ == trace_view::source ? resolve_source(e.what) : resolve(e.what);
		if (view_ != trace_view::source)
			insert_parts();
		tree_.settle();
		if (view_ == trace_view::stack)
			drop_frames();
	}

private:
	struct state {
		std::string_view physical; // itself, where it has code of its own
		call_fate fate = call_fate::called;
		u32 part = no_call;      // the inserted call of its rest
		u32 part_from = no_call; // which begins at this call
	};

	std::string_view source(u32 i) const { return i == no_call ? "-" : tree_.calls[i].source; }
	std::string_view physical(u32 i) const { return i == no_call ? "-" : states_[i].physical; }
	std::string_view physical_caller(u32 i) const
	{
		const u32 up = tree_.calls[i].parent;
		// What a rest calls is called by its own code.
		return up != no_call && i >= states_[up].part_from ? source(up) : physical(up);
	}

	bool fits(const profile_rule &rule, u32 i) const
	{
		const u32 up = tree_.calls[i].parent;
		if (!(rule.views & 1U << static_cast<u8>(view_)))
			return false;
		if (!rule.caller.empty() && rule.caller != (rule.physical ? physical_caller(i) : source(up)))
			return false;
		if (!rule.under.empty()) {
			u32 above = up;
			while (above != no_call && source(above) != rule.under)
				above = tree_.calls[above].parent;
			if (above == no_call)
				return false;
		}
		if (!rule.nth && rule.before.empty() && rule.after.empty())
			return true;
		if (up == no_call)
			return false;
		u32 nth = 0;
		bool reached = false, before = rule.before.empty(), after = rule.after.empty();
		for (const u32 child : children_[up]) {
			if (!reached && source(child) == source(i))
				++nth;
			if (child == i)
				reached = true;
			else if (reached ? source(child) == rule.before : source(child) == rule.after)
				(reached ? before : after) = true;
		}
		return before && after && (!rule.nth || rule.nth == nth);
	}

	// The last rule of such a kind that fits, if any.
	template <class Pick> const profile_rule *rule_for(u32 i, std::string_view callee, Pick pick) const
	{
		const auto it = profile_.rules_.find(callee);
		if (it == profile_.rules_.end())
			return nullptr;
		for (auto rule = it->second.rbegin(); rule != it->second.rend(); ++rule)
			if (pick(rule->what) && fits(*rule, i))
				return &*rule;
		return nullptr;
	}

	void rename(u32 i, std::string_view callee)
	{
		if (const auto *rule =
		            rule_for(i, callee, [](auto v) { return v == profile_rule::verb::rename; }))
			tree_.calls[i].name = rule->new_name;
	}

	void resolve_source(u32 i)
	{
		call &c = tree_.calls[i];
		const auto *rule = rule_for(i, c.source, [](auto v) {
			return v == profile_rule::verb::absent || v == profile_rule::verb::show;
		});

		c.shown = c.kind != trace::site_kind::part &&
		          (!rule || rule->what != profile_rule::verb::absent);
		rename(i, c.source);
	}

	// ftrace's name of this function when called from there.
	std::optional<std::string_view> symbol_at(std::string_view callee, std::string_view caller) const
	{
		if (const auto it = profile_.names_.find(callee); it != profile_.names_.end()) {
			std::string_view best;
			for (const auto &[name, from] : it->second)
				if (from == caller || (from.empty() && best.empty()))
					best = name;
			if (listed(best))
				return best;
		}
		return profile_.symbol(callee);
	}

	bool listed(std::string_view symbol) const
	{
		const auto it = profile_.symbols_.find(clean_name(symbol));
		return it != profile_.symbols_.end() &&
		       std::ranges::find(it->second, symbol) != it->second.end();
	}

	std::optional<std::string_view> part_symbol(std::string_view function) const
	{
		if (const auto it = profile_.parts_.find(function);
		    it != profile_.parts_.end() && listed(it->second.symbol))
			return it->second.symbol;
		if (const auto it = profile_.symbols_.find(function); it != profile_.symbols_.end())
			for (const std::string_view s : it->second)
				if (s.find(".part.") != std::string_view::npos)
					return s;
		return std::nullopt;
	}

	void resolve(u32 i)
	{
		call &c = tree_.calls[i];
		const u32 up = c.parent;
		if (c.kind == trace::site_kind::part && up != no_call) {
			resolve_part(i);
			return;
		}
		state &s = states_[i];
		const auto symbol = profile_.symbols_.empty() ? std::optional{c.source}
		                                              : symbol_at(c.source, physical_caller(i));
		const auto fate = profile_.site_fate(physical_caller(i), source(up), c.source);
		s.fate = fate ? *fate : symbol ? call_fate::called : call_fate::inlined;
		bool shown = symbol && s.fate == call_fate::called;
		if (const auto *rule = rule_for(i, c.source, is_visibility)) {
			shown = rule->what == profile_rule::verb::show;
			s.fate = shown ? call_fate::called : call_fate::inlined;
		}
		s.physical = s.fate == call_fate::called ? c.source : physical_caller(i);
		c.shown = shown;
		c.name = symbol.value_or(c.source);
		rename(i, c.source);
		if (s.fate != call_fate::inlined)
			find_part(i);
	}

	// A TRACE_PART inside its function.
	void resolve_part(u32 i)
	{
		call &c = tree_.calls[i];
		const auto symbol = part_symbol(c.source);
		states_[i].physical = physical(c.parent);
		c.shown = symbol && states_[c.parent].fate != call_fate::inlined;
		if (symbol) {
			if (const auto *rule = rule_for(i, *symbol, is_visibility))
				c.shown = rule->what == profile_rule::verb::show;
			c.name = *symbol;
			rename(i, *symbol);
		}
		if (c.shown)
			states_[i].physical = c.source;
	}

	static bool is_visibility(profile_rule::verb v)
	{
		return v == profile_rule::verb::hide || v == profile_rule::verb::show ||
		       v == profile_rule::verb::absent;
	}

	void find_part(u32 i)
	{
		const std::string_view function = source(i);
		const auto it = profile_.parts_.find(function);
		if (it == profile_.parts_.end() || !listed(it->second.symbol))
			return;
		for (const u32 child : children_[i])
			if (tree_.calls[child].kind == trace::site_kind::part && source(child) == function)
				return;
		for (const u32 child : children_[i])
			if (std::ranges::find(it->second.rest, source(child)) != it->second.rest.end()) {
				states_[i].part_from = child;
				has_parts_ = true;
				break;
			}
	}

	void insert_parts()
	{
		if (!has_parts_)
			return;
		std::vector<tree_event> events;
		events.reserve(tree_.events.size() + 2);
		for (const tree_event &e : tree_.events) {
			if (e.kind == trace::record_kind::enter) {
				const u32 up = tree_.calls[e.what].parent;
				if (up != no_call && up < states_.size() && states_[up].part_from == e.what)
					events.push_back({e.time_ns, begin_part(up, e.time_ns), e.kind});
				if (up != no_call && up < states_.size() && states_[up].part != no_call)
					tree_.calls[e.what].parent = states_[up].part;
			} else if (e.kind == trace::record_kind::leave && states_[e.what].part != no_call) {
				events.push_back({e.time_ns, states_[e.what].part, e.kind});
			}
			events.push_back(e);
		}
		tree_.events = std::move(events);
	}

	u32 begin_part(u32 function, u64 time_ns)
	{
		call part = tree_.calls[function];
		part.name = profile_.parts_.find(part.source)->second.symbol;
		part.kind = trace::site_kind::part;
		part.t_enter = time_ns;
		part.parent = function;
		part.shown = true;
		states_[function].part = static_cast<u32>(tree_.calls.size());
		tree_.calls.push_back(part);
		return states_[function].part;
	}

	bool is_tail_call(u32 i, const std::vector<u32> &last_child) const
	{
		const call &c = tree_.calls[i];
		const u32 up = c.shown_parent;
		if (up == no_call || last_child[up] != i || c.context != tree_.calls[up].context)
			return false;
		if (rule_for(i, c.source, [](auto v) { return v == profile_rule::verb::frame; }))
			return false;
		const auto it = profile_.tails_.find(tree_.calls[up].source);
		return it != profile_.tails_.end() &&
		       (it->second.contains(c.source) || it->second.contains("*"));
	}

	void drop_frames()
	{
		std::vector<u32> last_child(tree_.calls.size(), no_call);
		for (const tree_event &e : tree_.events)
			if (e.kind == trace::record_kind::enter &&
			    tree_.calls[e.what].shown_parent != no_call)
				last_child[tree_.calls[e.what].shown_parent] = e.what;
		std::vector<bool> left(tree_.calls.size());
		std::vector<tree_event> events;
		events.reserve(tree_.events.size());
		for (const tree_event &e : tree_.events) {
			if (e.kind == trace::record_kind::enter && is_tail_call(e.what, last_child)) {
				const u32 caller = tree_.calls[e.what].shown_parent;
				events.push_back({e.time_ns, caller, trace::record_kind::leave});
				left[caller] = true;
				tree_.calls[caller].t_leave = e.time_ns;
				tree_.calls[e.what].parent = tree_.calls[caller].parent;
			} else if (e.kind == trace::record_kind::leave && left[e.what]) {
				continue;
			}
			events.push_back(e);
		}
		tree_.events = std::move(events);
		tree_.settle();
	}

	const profile &profile_;
	call_tree &tree_;
	trace_view view_;
	std::vector<state> states_;
	std::vector<std::vector<u32>> children_;
	bool has_parts_ = false;
};

void profile::apply(call_tree &tree, trace_view view) const { profile_walk{*this, tree, view}.run(); }

} // namespace skbwalk::sim
