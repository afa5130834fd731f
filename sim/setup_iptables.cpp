// SPDX-License-Identifier: GPL-2.0-only
//
// iptables (legacy, 1.8.9): the command line is read, the table is fetched from the kernel as chains of
// rules, changed or printed, and handed back as a whole, as libiptc does. What rules have counted survives
// that.
#include "sim/setup_iptables.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "stack/kernel/kmod.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk::sim {

namespace {

constexpr std::array<std::string_view, NF_INET_NUMHOOKS> hook_names{"PREROUTING", "INPUT", "FORWARD",
                                                                    "OUTPUT", "POSTROUTING"};
constexpr std::string_view version = "iptables v1.8.9 (legacy): ";

bool is_verdict(std::string_view name) { return name == "ACCEPT" || name == "DROP" || name == "RETURN"; }

int verdict_of(std::string_view name)
{
	return name == "ACCEPT" ? -static_cast<int>(NF_ACCEPT) - 1
	       : name == "DROP" ? -static_cast<int>(NF_DROP) - 1
	                        : XT_RETURN;
}

std::string error_text(int err)
{
	switch (err) {
	case 0:
		return "Incompatible with this kernel";
	case ENOENT:
		return "No chain/target/match by that name";
	case ELOOP:
		return "Too many levels of symbolic links";
	case ENOPROTOOPT:
		return "iptables who? (do you need to insmod?)";
	case EINVAL:
		return "Invalid argument. Run `dmesg' for more information";
	}
	return std::strerror(err);
}

// ---- one rule from words --------------------------------------------------------------------------------

class rule_reader {
public:
	rule_reader(command &c, const ipt_handle &h) : c_(c), h_(h) {}

	ipt_rule rule;
	u32 given = 0; // options, for those that exclude each other
	bool verbose = false, numeric = false, lines = false, exact = false;

	// One option (`o`) of a rule, or of what the tool does with it.
	void take(const std::string &o)
	{
		if (o == "!") {
			if (invert_)
				iptables_usage("Multiple `!' flags not allowed");
			invert_ = true;
			return;
		}
		const bool inverted = std::exchange(invert_, false);
		option_words w{c_, inverted};
		const auto may_invert = [inverted](u8 flag) { return inverted ? flag : u8{0}; };

		if (o == "-p" || o == "--protocol" || o == "--proto") {
			const std::string word = w.argument(o);
			const auto proto = protocol_number(word);
			if (!proto)
				iptables_usage(fmt::format("unknown protocol \"{}\" specified", word));
			rule.ip.proto = *proto;
			rule.ip.invflags |= may_invert(IPT_INV_PROTO);
			if (!rule.ip.proto && inverted)
				iptables_usage("rule would never match protocol");
		} else if (o == "-s" || o == "--source" || o == "--src") {
			address(w.argument(o), rule.ip.src, rule.ip.smsk);
			rule.ip.invflags |= may_invert(IPT_INV_SRCIP);
		} else if (o == "-d" || o == "--destination" || o == "--dst") {
			address(w.argument(o), rule.ip.dst, rule.ip.dmsk);
			rule.ip.invflags |= may_invert(IPT_INV_DSTIP);
		} else if (o == "-i" || o == "--in-interface") {
			rule.ip.iniface = device(w.argument(o));
			rule.ip.invflags |= may_invert(IPT_INV_VIA_IN);
		} else if (o == "-o" || o == "--out-interface") {
			rule.ip.outiface = device(w.argument(o));
			rule.ip.invflags |= may_invert(IPT_INV_VIA_OUT);
		} else if (o == "-f" || o == "--fragment") {
			rule.ip.flags |= IPT_F_FRAG;
			rule.ip.invflags |= may_invert(IPT_INV_FRAG);
		} else if (o == "-j" || o == "--jump" || o == "-g" || o == "--goto") {
			jump(w.argument(o), o == "-g" || o == "--goto");
		} else if (o == "-m" || o == "--match") {
			add_match(w.argument(o));
		} else if (o == "-c" || o == "--set-counters") {
			rule.counters.pcnt = counter(w.argument(o));
			rule.counters.bcnt = counter(c_.more() ? c_.take("bytes") : "");
		} else if (o == "-v" || o == "--verbose") {
			verbose = true;
		} else if (o == "-n" || o == "--numeric") {
			numeric = true;
		} else if (o == "-x" || o == "--exact") {
			exact = true;
		} else if (o == "--line-numbers" || o == "--line-number") {
			lines = true;
		} else if (o == "-w" || o == "--wait") {
			if (!c_.peek().empty() && parse_number(c_.peek(), 1000))
				static_cast<void>(c_.take("seconds"));
		} else if (o == "-4" || o == "--ipv4") {
		} else if (o == "-6" || o == "--ipv6") {
			c_.not_modelled("IPv6");
		} else if (!o.starts_with('-')) {
			throw command_failed(fmt::format(
				"Bad argument `{}'\nTry `iptables -h' or 'iptables --help' for more information.",
				o));
		} else if (!of_extension(o, w)) {
			iptables_usage(fmt::format("unknown option \"{}\"", o));
		}
	}

	void finish(std::string_view chain)
	{
		for (std::size_t i = 0; i < rule.matches.size(); ++i)
			if (extensions_[i]->check)
				extensions_[i]->check(rule.matches[i].data);
		if (target_ && target_->check)
			target_->check(rule.target_data);
		const auto cannot = [chain](const char *option) {
			iptables_usage(fmt::format("Can't use {} with {}\n", option, chain));
		};
		if (!rule.ip.iniface.empty() && (chain == "OUTPUT" || chain == "POSTROUTING"))
			cannot("-i");
		if (!rule.ip.outiface.empty() && (chain == "PREROUTING" || chain == "INPUT"))
			cannot("-o");
	}

private:
	static void address(const std::string &word, be32 &a, be32 &mask)
	{
		if (!parse_address_mask(word, a, mask))
			iptables_usage(fmt::format("host/network `{}' not found", word));
	}
	static std::string device(const std::string &word)
	{
		if (word.size() > 15)
			iptables_usage(
				fmt::format("interface name `{}' must be shorter than IFNAMSIZ (15)", word));
		return word == "+" ? "" : word;
	}
	static u64 counter(const std::string &word)
	{
		const auto n = parse_number(word, ~u64{0});
		if (!n)
			iptables_usage("-c packet counter not numeric");
		return *n;
	}

	void jump(const std::string &target, bool is_goto)
	{
		if (!rule.target.empty())
			iptables_usage("multiple -j flags not allowed");
		rule.target = target;
		rule.goto_flag = is_goto;
		if (is_verdict(target))
			return;
		if (std::ranges::find(h_.chains, target, &ipt_chain::name) != h_.chains.end())
			return;
		target_ = is_goto ? nullptr : target_extension(target);
		if (!target_)
			iptables_usage(
				fmt::format("Couldn't load target `{}':No such file or directory\n", target));
		rule.target_data = target_->make();
		rule.target_revision = target_->revision;
	}

	void add_match(const std::string &name)
	{
		const ipt_extension *e = match_extension(name);
		if (!e)
			iptables_usage(
				fmt::format("Couldn't load match `{}':No such file or directory\n", name));
		rule.matches.push_back({e->kernel, e->revision, e->make(), nullptr});
		extensions_.push_back(e);
	}

	bool of_extension(const std::string &o, option_words &w)
	{
		if (target_ && target_->parse(o, w, rule.target_data, rule))
			return true;
		for (std::size_t i = rule.matches.size(); i-- > 0;)
			if (extensions_[i]->parse(o, w, rule.matches[i].data, rule))
				return true;
		// An option of the protocol's own match brings that in.
		const std::string name = protocol_name(rule.ip.proto, false);
		const ipt_extension *e =
			rule.ip.proto && rule.ip.proto < 256 ? match_extension(name) : nullptr;
		if (!e || std::ranges::find(extensions_, e) != extensions_.end() ||
		    (rule.ip.invflags & IPT_INV_PROTO))
			return false;
		add_match(name);
		return e->parse(o, w, rule.matches.back().data, rule);
	}

	command &c_;
	const ipt_handle &h_;
	bool invert_ = false;
	const ipt_extension *target_ = nullptr;
	std::vector<const ipt_extension *> extensions_;
};

bool same_rule(const ipt_rule &a, const ipt_rule &b)
{
	return a.ip == b.ip && a.target == b.target && a.goto_flag == b.goto_flag &&
	       a.target_data == b.target_data &&
	       std::ranges::equal(a.matches, b.matches, [](const auto &x, const auto &y) {
		       return x.name == y.name && x.revision == y.revision && x.data == y.data;
	       });
}

// ---- printing -------------------------------------------------------------------------------------------

std::string count_text(u64 n, bool exact)
{
	if (exact)
		return fmt::format("{}", n);
	if (n <= 99999)
		return fmt::format("{:5} ", n);
	n = (n + 500) / 1000;
	for (const char unit : {'K', 'M', 'G'}) {
		if (n <= 9999)
			return fmt::format("{:4}{} ", n, unit);
		n = (n + 500) / 1000;
	}
	return fmt::format("{:4}T ", n);
}

std::string counts_text(const xt_counters &k, bool exact)
{
	return exact ? fmt::format("{:8} {:8} ", k.pcnt, k.bcnt)
	             : count_text(k.pcnt, false) + count_text(k.bcnt, false);
}

u32 references_to(const ipt_handle &h, const ipt_chain &chain)
{
	u32 n = 0;
	for (const ipt_chain &c : h.chains)
		for (const ipt_rule &r : c.rules)
			n += r.target == chain.name;
	return n;
}

std::string list_rule(const ipt_rule &r, std::size_t number, const rule_reader &how)
{
	std::string out;
	if (how.lines)
		out += fmt::format("{:<4} ", number);
	if (how.verbose)
		out += counts_text(r.counters, how.exact);
	out += fmt::format("{:<9} ", r.target);
	out += r.ip.invflags & IPT_INV_PROTO ? '!' : ' ';
	out += fmt::format("{:<5}", protocol_name(r.ip.proto, how.numeric));
	out += r.ip.invflags & IPT_INV_FRAG ? '!' : '-';
	out += r.ip.flags & IPT_F_FRAG ? 'f' : '-';
	out += ' ';
	if (how.verbose) {
		const auto via = [&how](const std::string &name, bool no) {
			return fmt::format("{}{}", no ? "!" : "",
			                   name.empty() ? how.numeric ? "*" : "any" : name);
		};
		out += fmt::format(" {:<6} {:<6} ", via(r.ip.iniface, r.ip.invflags & IPT_INV_VIA_IN),
		                   via(r.ip.outiface, r.ip.invflags & IPT_INV_VIA_OUT));
	}
	const auto address = [&how](be32 a, be32 mask, bool no) {
		const std::string text = !mask && !how.numeric   ? "anywhere"
		                         : mask.raw() == ~u32{0} ? ipv4_text(a)
		                                                 : prefix_text(a, mask);
		return fmt::format("{}{:<19} ", no ? '!' : ' ', text);
	};
	out += address(r.ip.src, r.ip.smsk, r.ip.invflags & IPT_INV_SRCIP);
	out += address(r.ip.dst, r.ip.dmsk, r.ip.invflags & IPT_INV_DSTIP);
	if (r.goto_flag)
		out += "[goto] ";
	for (const xt_entry_match &m : r.matches)
		out += extension_of(m).print(m.data, how.numeric);
	if (const ipt_extension *t = target_extension(r.target); t && r.target_data.size())
		out += t->print(r.target_data, how.numeric);
	return out + "\n";
}

std::string list_chain(const ipt_handle &h, const ipt_chain &c, const rule_reader &how, std::size_t only)
{
	std::string out;
	if (!only) {
		out = fmt::format("Chain {}", c.name);
		if (c.hook) {
			out += fmt::format(" (policy {}", c.policy == NF_ACCEPT ? "ACCEPT" : "DROP");
			if (how.verbose)
				out += how.exact
				               ? fmt::format(" {} packets, {} bytes", c.counters.pcnt,
				                             c.counters.bcnt)
				               : fmt::format(
							 " {}packets, {}bytes",
							 std::string{fmt::to_string(c.counters.pcnt)} + " ",
							 std::string{fmt::to_string(c.counters.bcnt)} + " ");
			out += ")\n";
		} else {
			out += fmt::format(" ({} references)\n", references_to(h, c));
		}
		if (how.lines)
			out += "num  ";
		if (how.verbose)
			out += how.exact ? "    pkts      bytes " : " pkts bytes ";
		out += fmt::format("{:<9}  prot opt", "target");
		if (how.verbose)
			out += fmt::format(" {:<6} {:<6} ", "in", "out");
		out += fmt::format(" {:<19}  {:<19} \n", "source", "destination");
	}
	for (std::size_t i = 0; i < c.rules.size(); ++i)
		if (!only || only == i + 1)
			out += list_rule(c.rules[i], i + 1, how);
	return out;
}

std::string spec_line(const ipt_chain &c, const ipt_rule &r, bool counters)
{
	std::string spec = rule_spec(r);
	if (counters) {
		const std::string text = fmt::format(" -c {} {}", r.counters.pcnt, r.counters.bcnt);
		// Before the target, as the tool has it.
		const std::size_t at = std::min(spec.rfind(" -j " + r.target), spec.rfind(" -g " + r.target));
		spec.insert(r.target.empty() || at == std::string::npos ? spec.size() : at, text);
	}
	return fmt::format("-A {}{}\n", c.name, spec);
}

std::string specs(const ipt_handle &h, std::string_view only, std::size_t number, bool counters)
{
	std::string out;
	for (const ipt_chain &c : h.chains) {
		if ((!only.empty() && only != c.name) || number)
			continue;
		if (c.hook)
			out += fmt::format("-P {} {}", c.name, c.policy == NF_ACCEPT ? "ACCEPT" : "DROP");
		else
			out += fmt::format("-N {}", c.name);
		if (c.hook && counters)
			out += fmt::format(" -c {} {}", c.counters.pcnt, c.counters.bcnt);
		out += "\n";
	}
	for (const ipt_chain &c : h.chains) {
		if (!only.empty() && only != c.name)
			continue;
		for (std::size_t i = 0; i < c.rules.size(); ++i)
			if (!number || number == i + 1)
				out += spec_line(c, c.rules[i], counters);
	}
	return out;
}

// ---- commands -------------------------------------------------------------------------------------------

constexpr struct {
	std::string_view word, letter;
	bool takes_chain, chain_optional;
} commands[] = {{"--append", "A", true, false},    {"--check", "C", true, false},
                {"--delete", "D", true, false},    {"--insert", "I", true, false},
                {"--replace", "R", true, false},   {"--list", "L", true, true},
                {"--list-rules", "S", true, true}, {"--flush", "F", true, true},
                {"--zero", "Z", true, true},       {"--new-chain", "N", true, false},
                {"--new", "N", true, false},       {"--delete-chain", "X", true, true},
                {"--policy", "P", true, false},    {"--rename-chain", "E", true, false}};

struct tool_command {
	char letter = 0;
	std::string chain, second; // policy, or new name
	std::size_t number = 0;    // of a rule; 0: none was said
};

// The next word, when it is a value of the command and no option.
bool has_value(const command &c) { return c.more() && !c.peek().starts_with('-') && c.peek() != "!"; }

bool take_command(command &c, const std::string &o, tool_command &t)
{
	char letter = 0;
	bool optional = false;
	for (const auto &k : commands)
		if (o == k.word || (o.size() == 2 && o[0] == '-' && o[1] == k.letter[0])) {
			letter = k.letter[0];
			optional = k.chain_optional;
		}
	if (!letter)
		return false;
	if (t.letter && !(t.letter == 'L' && letter == 'Z') && !(t.letter == 'Z' && letter == 'L'))
		iptables_usage(fmt::format("Cannot use -{} with -{}\n", letter, t.letter));
	if (!optional && !has_value(c))
		iptables_usage(fmt::format("option \"{}\" requires an argument", o));
	const bool also_list = t.letter != 0;
	if (!also_list || letter == 'L')
		t.letter = letter;
	if (has_value(c))
		t.chain = c.take("a chain");
	const auto number = [&c, &t] {
		if (!c.peek().empty() && parse_number(c.peek(), 0xffffffff)) {
			t.number = static_cast<std::size_t>(*parse_number(c.take("a number"), 0xffffffff));
			if (!t.number)
				iptables_usage("Invalid rule number `0'");
			return true;
		}
		return false;
	};
	switch (letter) {
	case 'I':
	case 'D':
	case 'R':
	case 'L':
	case 'S':
	case 'Z':
		if (!t.chain.empty() && !number() && letter == 'R')
			iptables_usage("-R requires a rule number");
		break;
	case 'P':
	case 'E':
		if (!has_value(c))
			iptables_usage(letter == 'P' ? "-P requires a chain and a policy"
			                             : "-E requires old-chain-name and new-chain-name");
		t.second = c.take("a policy");
		break;
	}
	return true;
}

ipt_chain &chain_of(ipt_handle &h, const std::string &name)
{
	ipt_chain *chain = h.find(name);
	if (!chain)
		iptables_fails(error_text(ENOENT));
	return *chain;
}

void new_chain(ipt_handle &h, const std::string &name)
{
	if (name.size() > 28)
		iptables_usage(fmt::format("chain name `{}' too long (must be under 29 chars)", name));
	if (is_verdict(name) || target_extension(name))
		iptables_usage("chain name may not clash with target name");
	if (h.find(name))
		iptables_fails("Chain already exists");
	// Behind the built-in ones, by name.
	const auto at = std::ranges::find_if(
		h.chains, [&name](const ipt_chain &c) { return !c.hook && c.name > name; });
	h.chains.insert(at, ipt_chain{.name = name});
}

void delete_chain(ipt_handle &h, const std::string &name)
{
	const ipt_chain &chain = chain_of(h, name);
	if (chain.hook)
		iptables_fails(error_text(EINVAL));
	if (references_to(h, chain))
		iptables_fails("Can't delete chain with references left");
	if (!chain.rules.empty())
		iptables_fails("Chain is not empty");
	std::erase_if(h.chains, [&name](const ipt_chain &c) { return c.name == name; });
}

// True: the table has changed.
bool perform(command &c, ipt_handle &h, const tool_command &t, rule_reader &r)
{
	const auto at = static_cast<std::ptrdiff_t>(t.number) - 1;

	if (std::string_view{"ACDIR"}.find(t.letter) != std::string_view::npos)
		r.finish(t.chain);
	switch (t.letter) {
	case 'A':
		chain_of(h, t.chain).rules.push_back(r.rule);
		return true;
	case 'I': {
		auto &rules = chain_of(h, t.chain).rules;
		const std::size_t where = t.number ? t.number - 1 : 0;
		if (where > rules.size())
			iptables_fails("Index of insertion too big");
		rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(where), r.rule);
		return true;
	}
	case 'R': {
		auto &rules = chain_of(h, t.chain).rules;
		if (t.number > rules.size())
			iptables_fails("Index of replacement too big");
		rules[t.number - 1] = r.rule;
		return true;
	}
	case 'C':
	case 'D': {
		auto &rules = chain_of(h, t.chain).rules;
		if (t.number) {
			if (t.number > rules.size())
				iptables_fails("Index of deletion too big");
			rules.erase(rules.begin() + at);
			return true;
		}
		const auto found = std::ranges::find_if(
			rules, [&r](const ipt_rule &one) { return same_rule(one, r.rule); });
		if (found == rules.end())
			iptables_fails("Bad rule (does a matching rule exist in that chain?)");
		if (t.letter == 'C')
			return false;
		rules.erase(found);
		return true;
	}
	case 'P': {
		ipt_chain *chain = h.find(t.chain);
		if (!chain || !chain->hook)
			iptables_fails("Bad built-in chain name");
		if (t.second != "ACCEPT" && t.second != "DROP")
			iptables_fails("Bad policy name. Run `dmesg' for more information");
		chain->policy = t.second == "ACCEPT" ? NF_ACCEPT : NF_DROP;
		return true;
	}
	case 'N':
		new_chain(h, t.chain);
		return true;
	case 'X':
		if (!t.chain.empty()) {
			delete_chain(h, t.chain);
		} else {
			std::vector<std::string> names;
			for (const ipt_chain &one : h.chains)
				if (!one.hook)
					names.push_back(one.name);
			for (const std::string &name : names)
				delete_chain(h, name);
		}
		return true;
	case 'E': {
		ipt_chain &chain = chain_of(h, t.chain);
		if (h.find(t.second))
			iptables_fails("File exists");
		if (chain.hook)
			iptables_fails(error_text(EINVAL));
		for (ipt_chain &one : h.chains)
			for (ipt_rule &rule : one.rules)
				if (rule.target == chain.name)
					rule.target = t.second;
		chain.name = t.second;
		return true;
	}
	case 'F':
	case 'Z':
		if (!t.chain.empty())
			chain_of(h, t.chain);
		for (ipt_chain &one : h.chains) {
			if (!t.chain.empty() && one.name != t.chain)
				continue;
			if (t.letter == 'F') {
				one.rules.clear();
				continue;
			}
			if (!t.number)
				one.counters = {};
			for (std::size_t i = 0; i < one.rules.size(); ++i)
				if (!t.number || t.number == i + 1)
					one.rules[i].counters = {};
		}
		return true;
	case 'L': {
		if (!t.chain.empty())
			chain_of(h, t.chain);
		bool first = true;
		for (const ipt_chain &one : h.chains) {
			if (!t.chain.empty() && one.name != t.chain)
				continue;
			c.out += (first ? "" : "\n") + list_chain(h, one, r, t.number);
			first = false;
		}
		return false;
	}
	case 'S':
		if (!t.chain.empty())
			chain_of(h, t.chain);
		c.out += specs(h, t.chain, t.number, r.verbose);
		return false;
	}
	return false;
}

// ---- tables ---------------------------------------------------------------------------------------------

u32 hook_of(const xt_table_info &info, u32 valid_hooks, u32 entry)
{
	for (u32 i = 0; i < NF_INET_NUMHOOKS; ++i)
		if ((valid_hooks & 1u << i) && info.hook_entry[i] == entry)
			return i;
	return NF_INET_NUMHOOKS;
}

ipt_rule rule_from(const ipt_entry &e, const std::vector<std::string> &chain_at)
{
	ipt_rule r;
	r.ip = e.ip;
	r.ip.flags &= static_cast<u8>(~IPT_F_GOTO);
	r.goto_flag = e.ip.flags & IPT_F_GOTO;
	r.matches = e.matches;
	for (xt_entry_match &m : r.matches)
		if (m.name == "limit") { // the rest is the kernel's own
			const auto &rate = m.data.as<xt_rateinfo>();
			m.data = xt_data(xt_rateinfo{rate.avg, rate.burst, 0, 0, 0, 0});
		}
	r.counters = e.counters;
	if (e.target.name != XT_STANDARD_TARGET) {
		r.target = e.target.name;
		r.target_data = e.target.data;
		r.target_revision = e.target.revision;
	} else if (e.target.verdict >= 0) {
		r.target = chain_at[static_cast<std::size_t>(e.target.verdict)]; // "" : the next rule
	} else {
		r.target = e.target.verdict == XT_RETURN                          ? "RETURN"
		           : e.target.verdict == -static_cast<int>(NF_ACCEPT) - 1 ? "ACCEPT"
		                                                                  : "DROP";
	}
	return r;
}

} // namespace

void iptables_usage(const std::string &text)
{
	throw command_failed(fmt::format("{}{}\nTry `iptables -h' or 'iptables --help' for more information.",
	                                 version, text));
}

void iptables_fails(const std::string &text) { throw command_failed(fmt::format("iptables: {}.", text)); }

std::string option_words::argument(const std::string &option) const
{
	if (!c.more())
		iptables_usage(fmt::format("option \"{}\" requires an argument", option));
	return c.take("a value");
}

ipt_chain *ipt_handle::find(std::string_view name)
{
	const auto at = std::ranges::find(chains, name, &ipt_chain::name);
	return at == chains.end() ? nullptr : &*at;
}

ipt_handle ipt_read(net &space, const std::string &table)
{
	request_module("ip_tables"); // what the tool does first
	const xt_table_or_err t = xt_request_find_table_lock(space, NFPROTO_IPV4, table.c_str());
	if (!t.table)
		throw command_failed(fmt::format(
			"{}can't initialize iptables table `{}': Table does not exist (do you need to "
			"insmod?)\nPerhaps iptables or your kernel needs to be upgraded.",
			version, table));
	const xt_table_info &info = *t.table->private_;
	ipt_handle h{table, t.table->valid_hooks, info.number, {}};
	// A chain of a user begins with an error target that holds its name.
	std::vector<std::string> chain_at(info.number);
	for (u32 i = 0; i + 1 < info.number; ++i)
		if (info.entries[i]->target.name == XT_ERROR_TARGET)
			chain_at[i + 1] = info.entries[i]->target.errorname;
	for (u32 i = 0; i + 1 < info.number; ++i) {
		const auto &e = ipt_entry_of(*info.entries[i]);
		const u32 hook = hook_of(info, h.valid_hooks, i);
		if (hook < NF_INET_NUMHOOKS)
			h.chains.push_back({.name = std::string{hook_names[hook]}, .hook = hook});
		if (e.target.name == XT_ERROR_TARGET) {
			h.chains.push_back({.name = e.target.errorname});
			continue;
		}
		ipt_chain &chain = h.chains.back();
		const bool last_of_hook = chain.hook && info.underflow[*chain.hook] == i;
		const bool last_of_user =
			!chain.hook &&
			(i + 2 == info.number || info.entries[i + 1]->target.name == XT_ERROR_TARGET);
		if (last_of_hook) {
			chain.policy = static_cast<u32>(-e.target.verdict - 1);
			chain.counters = e.counters;
		} else if (!last_of_user) {
			chain.rules.push_back(rule_from(e, chain_at));
		}
	}
	return h;
}

void ipt_commit(net &space, ipt_handle &h)
{
	xt_replace repl;
	std::vector<xt_counters> kept;
	std::vector<std::pair<std::size_t, std::string>> jumps; // entry, chain
	std::vector<std::pair<std::string, u32>> starts;
	const auto add = [&repl, &kept](ipt_entry e, const xt_counters &k) {
		repl.entries.push_back(std::make_unique<ipt_entry>(std::move(e)));
		kept.push_back(k);
	};

	repl.name = h.table;
	repl.valid_hooks = h.valid_hooks;
	repl.num_counters = h.entries;
	for (const ipt_chain &c : h.chains) {
		if (!c.hook) {
			ipt_entry head;
			head.target.name = XT_ERROR_TARGET;
			head.target.errorname = c.name;
			add(std::move(head), {});
			starts.emplace_back(c.name, static_cast<u32>(repl.entries.size()));
		} else {
			repl.hook_entry[*c.hook] = static_cast<u32>(repl.entries.size());
		}
		for (std::size_t i = 0; i < c.rules.size(); ++i) {
			const ipt_rule &r = c.rules[i];
			ipt_entry e;
			e.ip = r.ip;
			e.ip.flags |= r.goto_flag ? IPT_F_GOTO : u8{0};
			e.matches = r.matches;
			e.note = fmt::format("{} {} rule {}{}", h.table, c.name, i + 1, rule_spec(r));
			e.target.name = XT_STANDARD_TARGET;
			if (r.target_data.size()) {
				e.target.name = r.target;
				e.target.data = r.target_data;
				e.target.revision = r.target_revision;
			} else if (is_verdict(r.target)) {
				e.target.verdict = verdict_of(r.target);
			} else if (r.target.empty()) {
				e.target.verdict = static_cast<int>(repl.entries.size()) + 1;
			} else {
				jumps.emplace_back(repl.entries.size(), r.target);
			}
			add(std::move(e), r.counters);
		}
		ipt_entry last;
		last.target.name = XT_STANDARD_TARGET;
		last.target.verdict = c.hook ? -static_cast<int>(c.policy) - 1 : XT_RETURN;
		if (c.hook) {
			repl.underflow[*c.hook] = static_cast<u32>(repl.entries.size());
			last.note = fmt::format("{} {} policy", h.table, c.name);
		}
		add(std::move(last),
		    {}); // the policies' counters begin anew with each table that the tool writes
	}
	ipt_entry end;
	end.target.name = XT_ERROR_TARGET;
	end.target.errorname = "ERROR";
	add(std::move(end), {});
	for (const auto &[entry, chain] : jumps) {
		const auto start = std::ranges::find(starts, chain, &std::pair<std::string, u32>::first);
		if (start == starts.end())
			iptables_fails(error_text(ENOENT));
		repl.entries[entry]->target.verdict = static_cast<int>(start->second);
	}
	std::vector<xt_counters> before;
	if (const int err = do_replace(space, std::move(repl), before))
		iptables_fails(error_text(-err));
	do_add_counters(space, h.table.c_str(), kept);
}

std::string rule_spec(const ipt_rule &r)
{
	std::string out;
	const auto no = [&r](u8 flag) { return r.ip.invflags & flag ? " !" : ""; };
	if (r.ip.smsk || (r.ip.invflags & IPT_INV_SRCIP))
		out += fmt::format("{} -s {}", no(IPT_INV_SRCIP), prefix_text(r.ip.src, r.ip.smsk));
	if (r.ip.dmsk || (r.ip.invflags & IPT_INV_DSTIP))
		out += fmt::format("{} -d {}", no(IPT_INV_DSTIP), prefix_text(r.ip.dst, r.ip.dmsk));
	if (!r.ip.iniface.empty())
		out += fmt::format("{} -i {}", no(IPT_INV_VIA_IN), r.ip.iniface);
	if (!r.ip.outiface.empty())
		out += fmt::format("{} -o {}", no(IPT_INV_VIA_OUT), r.ip.outiface);
	if (r.ip.proto)
		out += fmt::format("{} -p {}", no(IPT_INV_PROTO), protocol_name(r.ip.proto, false));
	if (r.ip.flags & IPT_F_FRAG)
		out += fmt::format("{} -f", no(IPT_INV_FRAG));
	for (const xt_entry_match &m : r.matches)
		out += fmt::format(" -m {}{}", extension_of(m).name, extension_of(m).save(m.data));
	if (!r.target.empty())
		out += fmt::format(" {} {}", r.goto_flag ? "-g" : "-j", r.target);
	if (const ipt_extension *t = target_extension(r.target); t && r.target_data.size())
		out += t->save(r.target_data);
	return out;
}

void iptables(command &c)
{
	std::string table = "filter";
	// The table first: which words are chains depends on it.
	for (std::size_t i = c.at; i + 1 < c.words.size(); ++i)
		if (c.words[i] == "-t" || c.words[i] == "--table") {
			table = c.words[i + 1];
			c.words.erase(c.words.begin() + static_cast<std::ptrdiff_t>(i),
			              c.words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
			break;
		}
	ipt_handle h = ipt_read(*c.in, table);
	tool_command t;
	rule_reader r(c, h);
	while (c.more()) {
		std::string o = c.take("an option");
		// -nvL is -n -v -L.
		if (o.size() > 2 && o[0] == '-' && o[1] != '-' &&
		    o.find_first_not_of("nvxLSFZX", 1) == std::string::npos) {
			for (std::size_t i = 1; i < o.size(); ++i)
				c.words.insert(c.words.begin() + static_cast<std::ptrdiff_t>(c.at + i - 1),
				               std::string{'-', o[i]});
			continue;
		}
		if (const std::size_t equals = o.find('=');
		    o.starts_with("--") && equals != std::string::npos) {
			c.words.insert(c.words.begin() + static_cast<std::ptrdiff_t>(c.at),
			               o.substr(equals + 1));
			o.resize(equals);
		}
		if (!take_command(c, o, t))
			r.take(o);
	}
	if (!t.letter)
		iptables_usage("no command specified");
	if (perform(c, h, t, r))
		ipt_commit(*c.in, h);
}

// iptables-save: the tables that the namespace has, or the one that is asked for.
void iptables_save(command &c)
{
	bool counters = false;
	std::vector<std::string> tables;
	while (c.more()) {
		if (c.peek() == "-c" || c.peek() == "--counters")
			counters = true;
		else if (c.peek() == "-t" || c.peek() == "--table") {
			static_cast<void>(c.take("-t"));
			tables = {std::string{c.peek()}};
			if (tables[0].empty())
				iptables_usage("option \"-t\" requires an argument");
		} else {
			c.not_modelled(fmt::format("`iptables-save {}'", c.peek()));
		}
		static_cast<void>(c.take("an option"));
	}
	if (tables.empty() && module_loaded("x_tables"))
		for (const char *name : {"nat", "raw", "mangle", "filter"})
			if (xt_find_table(*c.in, NFPROTO_IPV4, name))
				tables.emplace_back(name);
	for (const std::string &table : tables) {
		const ipt_handle h = ipt_read(*c.in, table);
		c.out += fmt::format("*{}\n", table);
		for (const ipt_chain &one : h.chains)
			c.out += fmt::format(":{} {} [{}:{}]\n", one.name,
			                     !one.hook                 ? "-"
			                     : one.policy == NF_ACCEPT ? "ACCEPT"
			                                               : "DROP",
			                     one.counters.pcnt, one.counters.bcnt);
		for (const ipt_chain &one : h.chains)
			for (const ipt_rule &rule : one.rules) {
				if (counters)
					c.out += fmt::format("[{}:{}] ", rule.counters.pcnt,
					                     rule.counters.bcnt);
				c.out += spec_line(one, rule, false);
			}
		c.out += "COMMIT\n";
	}
}

} // namespace skbwalk::sim
