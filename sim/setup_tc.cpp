// SPDX-License-Identifier: GPL-2.0-only
//
// tc: `qdisc add|change|replace|link|del|show` and `class show`, with the options of the disciplines that are
// modelled. What the tool itself refuses is told in its words (without its page of usage), and so is what the
// kernel answers.
#include "sim/setup_tc.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "sim/tc_units.h"
#include "stack/kernel/timer.h"

namespace skbwalk::sim {

namespace {

[[noreturn]] void illegal(std::string_view what) { command::fails(fmt::format("Illegal \"{}\"", what)); }
[[noreturn]] void unknown(const std::string &word) { command::fails(fmt::format("What is \"{}\"?", word)); }

std::string next(command &c)
{
	if (!c.more())
		command::fails("Command line is not complete. Try option \"help\"");
	return c.take("an argument");
}

template <class T> T number(command &c, std::optional<T> (*parse)(const std::string &), std::string_view what)
{
	const auto value = parse(next(c));
	if (!value)
		illegal(what);
	return *value;
}
u32 number(command &c, std::string_view what) { return number(c, parse_tc_u32, what); }

// A word that is wholly this one (tc compares some so, and others by their beginning).
bool word(command &c, std::string_view keyword)
{
	if (c.peek() != keyword)
		return false;
	++c.at;
	return true;
}

bool digit_next(const command &c)
{
	const std::string_view w = c.peek();
	return !w.empty() && (std::isdigit(static_cast<unsigned char>(w[0])) || w[0] == '.');
}

// --- options, by discipline ---

using options = std::optional<tc_options>;

options fifo_options(command &c, const std::string &kind)
{
	std::optional<u32> limit;
	while (c.more()) {
		if (!word(c, "limit"))
			command::fails(fmt::format("{}: unknown parameter \"{}\"", kind, c.peek()));
		const std::string text = next(c);
		limit = parse_tc_size(text);
		if (!limit)
			command::fails(fmt::format("{}: Illegal value for \"limit\": \"{}\"", kind, text));
	}
	return limit ? options{{tc_fifo_qopt{*limit}}} : std::nullopt;
}

options prio_options(command &c)
{
	tc_prio_qopt o{3, {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}};
	std::size_t at = 0;
	bool in_map = false;
	while (c.more()) {
		if (word(c, "bands")) {
			if (in_map)
				unknown("bands");
			o.bands = static_cast<int>(number(c, "bands"));
		} else if (word(c, "priomap")) {
			if (in_map)
				unknown("priomap");
			in_map = true;
		} else if (in_map && digit_next(c)) {
			const std::string text = next(c);
			const auto band = parse_tc_u32(text);
			if (!band)
				command::fails("Illegal \"priomap\" element");
			if (static_cast<int>(*band) >= o.bands)
				command::fails("\"priomap\" element is out of bands");
			if (at >= o.priomap.size())
				command::fails("\"priomap\" index > TC_PRIO_MAX=15");
			o.priomap[at++] = static_cast<u8>(*band);
		} else if (in_map) {
			command::fails("Illegal \"priomap\" element");
		} else {
			unknown(next(c));
		}
	}
	return tc_options{o};
}

options fq_codel_options(command &c)
{
	tc_fq_codel_opt o;
	while (c.more()) {
		if (word(c, "limit"))
			o.limit = number(c, "limit");
		else if (word(c, "flows"))
			o.flows = number(c, "flows");
		else if (word(c, "quantum"))
			o.quantum = number(c, "quantum");
		else if (word(c, "target"))
			o.target = number(c, parse_tc_time_us, "target");
		else if (word(c, "ce_threshold"))
			o.ce_threshold = number(c, parse_tc_time_us, "ce_threshold");
		else if (word(c, "memory_limit"))
			o.memory_limit = number(c, parse_tc_size, "memory_limit");
		else if (word(c, "interval"))
			o.interval = number(c, parse_tc_time_us, "interval");
		else if (word(c, "ecn"))
			o.ecn = 1;
		else if (word(c, "noecn"))
			o.ecn = 0;
		else if (word(c, "drop_batch"))
			o.drop_batch_size = number(c, "drop_batch");
		else if (c.peek() == "ce_threshold_selector")
			c.not_modelled("ce_threshold_selector");
		else
			unknown(next(c));
	}
	for (std::optional<u32> *given :
	     {&o.limit, &o.flows, &o.quantum, &o.target, &o.interval, &o.drop_batch_size})
		if (given->value_or(1) == 0) // as good as not given, to the tool
			given->reset();
	return tc_options{o};
}

u32 rate32(command &c, std::string_view what)
{
	return static_cast<u32>(std::min<u64>(number(c, parse_tc_rate, what), 0xffffffff));
}

options fq_options(command &c)
{
	tc_fq_opt o;
	while (c.more()) {
		if (word(c, "limit"))
			o.plimit = number(c, "limit");
		else if (word(c, "flow_limit"))
			o.flow_plimit = number(c, "flow_limit");
		else if (word(c, "buckets")) {
			const u32 buckets = number(c, "buckets");
			o.buckets_log = buckets ? static_cast<u32>(std::bit_width(buckets - 1)) : 0;
		} else if (word(c, "maxrate"))
			o.flow_max_rate = rate32(c, "maxrate");
		else if (word(c, "low_rate_threshold"))
			o.low_rate_threshold = rate32(c, "low_rate_threshold");
		else if (word(c, "ce_threshold"))
			o.ce_threshold = number(c, parse_tc_time_us, "ce_threshold");
		else if (word(c, "timer_slack")) {
			const s64 ns = number(c, parse_tc_time_ns, "timer_slack");
			if (ns > 0xffffffff)
				illegal("timer_slack");
			o.timer_slack = static_cast<u32>(ns);
		} else if (word(c, "horizon"))
			o.horizon = number(c, parse_tc_time_us, "horizon");
		else if (word(c, "horizon_drop"))
			o.horizon_drop = 1;
		else if (word(c, "horizon_cap"))
			o.horizon_drop = 0;
		else if (word(c, "defrate"))
			rate32(c, "defrate"); // the kernel ignores it
		else if (word(c, "quantum"))
			o.quantum = number(c, "quantum");
		else if (word(c, "initial_quantum"))
			o.initial_quantum = number(c, "initial_quantum");
		else if (word(c, "orphan_mask"))
			o.orphan_mask = number(c, "initial_quantum"); // the tool's own slip
		else if (word(c, "refill_delay"))
			o.flow_refill_delay = number(c, parse_tc_time_us, "refill_delay");
		else if (word(c, "pacing"))
			o.rate_enable = 1;
		else if (word(c, "nopacing"))
			o.rate_enable = 0;
		else
			unknown(next(c));
	}
	return tc_options{o};
}

// A time that is told in the kernel's ticks of 64 ns; the answer is in ns.
s64 ticks(command &c)
{
	const u32 us = number(c, parse_tc_time_us, "latency");
	return PSCHED_TICKS2NS(static_cast<s64>(us * 15.625));
}

u32 percent(command &c, std::string_view what) { return number(c, parse_tc_percent, what); }

void netem_loss(command &c, tc_netem_opt &o, tc_netem_corr &corr)
{
	if (digit_next(c) || c.peek() == "random") {
		word(c, "random");
		o.qopt.loss = percent(c, "loss percent");
		if (digit_next(c))
			corr.loss_corr = percent(c, "loss correllation");
	} else if (word(c, "state")) {
		tc_netem_gimodel gi{};
		gi.p13 = percent(c, "loss p13");
		gi.p31 = 0xffffffffu - gi.p13; // what a chain with one number has
		gi.p23 = 0xffffffffu;
		if (digit_next(c)) {
			gi.p31 = percent(c, "loss p31");
			if (digit_next(c)) {
				gi.p32 = percent(c, "loss p32");
				if (digit_next(c)) {
					gi.p23 = percent(c, "loss p23");
					if (digit_next(c))
						gi.p14 = percent(c, "loss p14");
				}
			}
		}
		o.loss_gi = gi;
	} else if (word(c, "gemodel")) {
		tc_netem_gemodel ge{};
		ge.p = percent(c, "loss gemodel p");
		ge.r = 0xffffffffu - ge.p;
		if (digit_next(c)) {
			ge.r = percent(c, "loss gemodel r");
			if (digit_next(c)) {
				ge.h = 0xffffffffu - percent(c, "loss gemodel h");
				if (digit_next(c))
					ge.k1 = percent(c, "loss gemodel k");
			}
		}
		o.loss_ge = ge;
	} else {
		command::fails(fmt::format("Unknown loss parameter: {}", next(c)));
	}
}

void netem_rate(command &c, tc_netem_opt &o)
{
	tc_netem_rate r{};
	r.rate = number(c, parse_tc_rate, "rate");
	const auto signed_number = [&c](std::string_view what) {
		const std::string text = next(c);
		char *end = nullptr;
		const long value = std::strtol(text.c_str(), &end, 0);
		if (text.empty() || *end)
			illegal(what);
		return static_cast<s32>(value);
	};
	const auto more = [&c] {
		return c.more() && (digit_next(c) || (c.peek().size() > 1 && c.peek()[0] == '-'));
	};
	if (more())
		r.packet_overhead = signed_number("overhead");
	if (more())
		r.cell_size = number(c, "cell size");
	if (more())
		r.cell_overhead = signed_number("cell overhead");
	o.rate = r;
}

std::vector<s16> distribution(const std::string &name)
{
	auto table = tc_distribution(name);
	if (!table)
		command::fails(
			fmt::format("No distribution data for {} "
		                    "(/usr/lib/x86_64-linux-gnu/tc//{}.dist: No such file or directory)",
		                    name, name));
	return std::move(*table);
}

void netem_slot(command &c, tc_netem_opt &o)
{
	tc_netem_slot s{};
	if (digit_next(c)) {
		s.min_delay = number(c, parse_tc_time_ns, "slot min_delay");
		s.max_delay = digit_next(c) ? number(c, parse_tc_time_ns, "slot max_delay") : s.min_delay;
		if (s.max_delay < s.min_delay)
			illegal("slot max_delay");
	} else if (c.more() && word(c, "distribution")) {
		o.slot_dist = distribution(next(c));
		s.dist_delay = number(c, parse_tc_time_ns, "slot delay");
		s.dist_jitter = number(c, parse_tc_time_ns, "slot jitter");
		if (s.dist_jitter <= 0)
			illegal("slot jitter");
	} else {
		command::fails(fmt::format("Unknown slot parameter: {}", next(c)));
	}
	if (word(c, "packets"))
		s.max_packets = static_cast<s32>(number(c, "slot packets"));
	if (word(c, "bytes"))
		s.max_bytes = static_cast<s32>(number(c, "slot bytes"));
	o.slot = s;
}

options netem_options(command &c)
{
	tc_netem_opt o;
	tc_netem_corr corr{};
	o.qopt.limit = 1000;
	o.latency64 = 0;
	o.jitter64 = 0;
	while (c.more()) {
		if (c.eat("limit"))
			o.qopt.limit = number(c, parse_tc_size, "limit");
		else if (c.eat("latency") || c.eat("delay")) {
			o.latency64 = ticks(c);
			if (digit_next(c)) {
				o.jitter64 = ticks(c);
				if (digit_next(c))
					corr.delay_corr = percent(c, "latency");
			}
		} else if (c.eat("loss") || c.eat("drop")) {
			netem_loss(c, o, corr);
		} else if (c.eat("ecn")) {
			o.ecn = 1;
		} else if (c.eat("reorder")) {
			o.reorder = tc_netem_reorder{percent(c, "reorder"), 0};
			if (digit_next(c))
				o.reorder->correlation = percent(c, "reorder");
		} else if (c.eat("corrupt")) {
			o.corrupt = tc_netem_corrupt{percent(c, "corrupt"), 0};
			if (digit_next(c))
				o.corrupt->correlation = percent(c, "corrupt");
		} else if (c.eat("gap")) {
			o.qopt.gap = number(c, "gap");
		} else if (c.eat("duplicate")) {
			o.qopt.duplicate = percent(c, "duplicate");
			if (digit_next(c))
				corr.dup_corr = percent(c, "duplicate");
		} else if (c.eat("distribution")) {
			o.delay_dist = distribution(next(c));
		} else if (c.eat("rate")) {
			netem_rate(c, o);
		} else if (c.eat("slot")) {
			netem_slot(c, o);
		} else {
			unknown(next(c));
		}
	}
	if (o.reorder && o.reorder->probability) {
		if (!*o.latency64)
			command::fails("reordering not possible without specifying some delay");
		if (!o.qopt.gap)
			o.qopt.gap = 1;
	} else if (o.qopt.gap) {
		command::fails("gap specified without reorder probability");
	}
	if (o.ecn && !o.qopt.loss && !o.loss_gi && !o.loss_ge)
		command::fails("ecn requested without loss model");
	if (o.delay_dist && (!*o.latency64 || !*o.jitter64))
		command::fails("distribution specified but no latency and jitter values");
	if (corr.delay_corr || corr.loss_corr) // that of duplicates alone is not told
		o.corr = corr;
	return tc_options{o};
}

options tbf_options(command &c)
{
	tc_tbf_opt o;
	std::optional<u32> limit, latency;
	const auto wrong = [](std::string_view what, const std::string &text) {
		command::fails(fmt::format("tbf: illegal value for \"{}\": \"{}\"", what, text));
	};
	const auto size = [&](std::string_view what) {
		const std::string text = next(c);
		const auto value = parse_tc_size(text.substr(0, text.find('/')));
		if (!value)
			wrong(what, text);
		return *value;
	};
	while (c.more()) {
		if (word(c, "limit")) {
			if (latency)
				command::fails(
					"tbf: specifying both \"latency\" and \"limit\" is not allowed");
			limit = size("limit");
		} else if (word(c, "latency")) {
			if (limit)
				command::fails("tbf: specifying both \"limit\"/\"latency\" is not allowed");
			const std::string text = next(c);
			latency = parse_tc_time_us(text);
			if (!latency)
				wrong("latency", text);
		} else if (word(c, "burst") || word(c, "buffer") || word(c, "maxburst")) {
			o.burst = size(c.words[c.at - 1]);
		} else if (word(c, "mtu") || word(c, "minburst")) {
			o.pburst = size("mtu");
		} else if (word(c, "mpu")) {
			o.mpu = static_cast<u16>(size("mpu"));
		} else if (word(c, "rate") || word(c, "peakrate")) {
			const std::string which = c.words[c.at - 1], text = next(c);
			const auto rate = parse_tc_rate(text);
			if (!rate)
				wrong(which, text);
			(which == "rate" ? o.rate : o.peakrate) = *rate;
		} else if (word(c, "overhead")) {
			o.overhead = static_cast<u16>(number(c, "overhead"));
		} else if (c.peek() == "linklayer") {
			c.not_modelled("linklayer");
		} else {
			command::fails(fmt::format("tbf: unknown parameter \"{}\"", c.peek()));
		}
	}
	std::string missing;
	if (!o.rate)
		missing += "tbf: the \"rate\" parameter is mandatory.\n";
	if (!o.burst)
		missing += "tbf: the \"burst\" parameter is mandatory.\n";
	if (o.peakrate && !o.pburst)
		missing += "tbf: when \"peakrate\" is specified, \"mtu\" must also be specified.\n";
	if (!limit && !latency)
		missing += "tbf: either \"limit\" or \"latency\" is required.\n";
	if (!missing.empty()) {
		missing.pop_back();
		command::fails(missing);
	}
	if (latency) {
		const auto room = [&](u64 rate, u32 bucket) {
			return static_cast<double>(rate) * *latency / 1e6 + bucket;
		};
		double bytes = room(o.rate, *o.burst);
		if (o.peakrate)
			bytes = std::min(bytes, room(o.peakrate, *o.pburst));
		// More than 32 bits lose the upper ones, as in the tool.
		constexpr double most = 1.8e19;
		limit = static_cast<u32>(static_cast<u64>(std::min(bytes, most)));
	}
	o.limit = *limit;
	return tc_options{o};
}

options read_options(command &c, const std::string &kind)
{
	if (kind == "pfifo" || kind == "bfifo" || kind == "pfifo_head_drop")
		return fifo_options(c, kind);
	if (kind == "prio")
		return prio_options(c);
	if (kind == "fq_codel")
		return fq_codel_options(c);
	if (kind == "fq")
		return fq_options(c);
	if (kind == "netem")
		return netem_options(c);
	if (kind == "tbf")
		return tbf_options(c);
	if (c.more()) {
		if (kind == "pfifo_fast")
			command::fails(fmt::format("qdisc '{}' does not support option parsing", kind));
		command::fails(fmt::format("Unknown qdisc \"{}\", hence option \"{}\" is unparsable", kind,
		                           c.peek()));
	}
	return std::nullopt;
}

// --- tc qdisc ---

constexpr std::string_view known_later[] = {"htb",     "hfsc",   "red", "sfq",    "codel", "cake",
                                            "ingress", "clsact", "mq",  "mqprio", "drr",   "ets",
                                            "pie",     "fq_pie", "sfb", "choke",  "etf",   "taprio",
                                            "multiq",  "plug",   "hhf", "gred",   "cbs",   "teql0"};

void say_once(bool given, std::string_view key, const std::string &value)
{
	if (given)
		command::fails(
			fmt::format("Error: duplicate \"{}\": \"{}\" is the second value.", key, value));
}

void qdisc_modify(command &c, u16 flags, bool remove)
{
	tc_request n;
	n.nlmsg_flags = flags;
	std::string dev_name;
	while (c.more()) {
		if (word(c, "dev")) {
			const std::string name = next(c);
			say_once(!dev_name.empty(), "dev", name);
			dev_name = name;
		} else if (word(c, "handle")) {
			say_once(n.handle != 0, "handle", "handle");
			const std::string text = next(c);
			const auto handle = parse_tc_handle(text);
			if (!handle)
				command::fails(fmt::format(
					"Error: argument \"{}\" is wrong: invalid qdisc ID", text));
			n.handle = *handle;
		} else if (word(c, "root")) {
			if (n.parent)
				command::fails("Error: \"root\" is duplicate parent ID");
			n.parent = TC_H_ROOT;
		} else if (word(c, "parent")) {
			const std::string text = next(c);
			say_once(n.parent != 0, "parent", text);
			const auto parent = parse_tc_classid(text);
			if (!parent)
				command::fails(fmt::format(
					"Error: argument \"{}\" is wrong: invalid parent ID", text));
			n.parent = *parent;
		} else if (c.peek() == "ingress" || c.peek() == "clsact" || c.peek() == "stab" ||
		           c.peek() == "estimator" || c.peek() == "ingress_block" ||
		           c.peek() == "egress_block") {
			c.not_modelled(fmt::format("`tc qdisc ... {}'", c.peek()));
		} else {
			n.kind = next(c);
			if (std::ranges::find(known_later, *n.kind) != std::end(known_later))
				c.not_modelled(fmt::format("the qdisc {}", *n.kind));
			n.options = read_options(c, *n.kind);
		}
	}
	if (dev_name.empty())
		command::answer(-ENODEV);
	n.dev = &c.device(dev_name);

	netlink_ext_ack ack;
	const int err = remove ? tc_del_qdisc(n, &ack) : tc_modify_qdisc(n, &ack);
	command::answer(err, ack.msg);
	netdev_run_todo();
}

void show(command &c, tc_filter which, bool classes)
{
	net_device *dev = nullptr;
	while (c.more()) {
		if (word(c, "dev")) {
			dev = &c.take_device("a device");
		} else if (word(c, "root")) {
			which.parent = TC_H_ROOT;
		} else if (word(c, "parent")) {
			const std::string text = next(c);
			const auto parent = parse_tc_classid(text);
			if (!parent)
				command::fails(fmt::format(
					"Error: argument \"{}\" is wrong: invalid parent ID", text));
			which.parent = *parent;
		} else if (word(c, "handle")) {
			const std::string text = next(c);
			const auto handle = parse_tc_handle(text);
			if (!handle)
				command::fails(fmt::format(
					"Error: argument \"{}\" is wrong: invalid qdisc ID", text));
			which.handle = *handle;
		} else if (!classes && c.eat("invisible")) {
			which.invisible = true;
		} else {
			command::fails(fmt::format("What is \"{}\"? Try \"tc {} help\".", c.peek(),
			                           classes ? "class" : "qdisc"));
		}
	}
	which.dev = dev;
	if (!classes)
		c.out += tc_show_qdiscs(*c.in, which);
	else if (dev)
		c.out += tc_show_classes(*dev, which);
}

void qdisc(command &c, const tc_filter &which)
{
	if (!c.more())
		return show(c, which, false);
	if (c.eat("add"))
		return qdisc_modify(c, NLM_F_EXCL | NLM_F_CREATE, false);
	if (c.eat("change"))
		return qdisc_modify(c, 0, false);
	if (c.eat("replace"))
		return qdisc_modify(c, NLM_F_CREATE | NLM_F_REPLACE, false);
	if (c.eat("link"))
		return qdisc_modify(c, NLM_F_REPLACE, false);
	if (c.eat("delete") || c.eat("del"))
		return qdisc_modify(c, 0, true);
	if (c.eat("list") || c.eat("show") || c.eat("lst"))
		return show(c, which, false);
	command::fails(fmt::format("Command \"{}\" is unknown, try \"tc qdisc help\".", c.peek()));
}

} // namespace

void tc(command &c)
{
	tc_filter which;
	while (c.peek().starts_with('-')) {
		const std::string option = c.take("an option");
		if (option == "-n" || option == "-netns")
			c.in = &c.space(c.take("a namespace"));
		else if (option == "-s" || option == "-statistics" || option == "-stats")
			which.statistics = true;
		else if (option == "-d" || option == "-details")
			which.details = true;
		else
			c.not_modelled(fmt::format("`tc {}'", option));
	}
	if (c.eat("qdisc"))
		return qdisc(c, which);
	if (c.eat("class")) {
		if (!c.more() || c.eat("show") || c.eat("list"))
			return show(c, which, true);
		c.not_modelled(fmt::format("`tc class {}'", c.peek()));
	}
	if (c.eat("filter") || c.eat("action") || c.eat("monitor") || c.eat("exec"))
		c.not_modelled(fmt::format("`tc {}'", c.words[c.at - 1]));
	if (!c.more())
		c.bad("expected qdisc or class after tc");
	command::fails(fmt::format("Object \"{}\" is unknown, try \"tc help\".", c.peek()));
}

} // namespace skbwalk::sim
