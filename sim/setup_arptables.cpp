// SPDX-License-Identifier: GPL-2.0-only
//
// arptables: rules about ARP messages, in the chains INPUT, OUTPUT and FORWARD. Fewer words than iptables:
// there are no matches besides the header, and verdicts are the targets.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sim/setup_iptables.h"
#include "stack/kernel/kmod.h"

namespace skbwalk::sim {

namespace {

constexpr std::array<std::string_view, NF_ARP_NUMHOOKS> chain_names{"INPUT", "OUTPUT", "FORWARD"};

struct arp_chain {
	std::vector<arpt_entry> rules;
	int policy = -static_cast<int>(NF_ACCEPT) - 1;
	xt_counters counters;
};
using arp_chains = std::array<arp_chain, NF_ARP_NUMHOOKS>;

arp_chains read_chains(net &space, u32 &entries)
{
	request_module("arp_tables");
	const xt_table_or_err t = xt_request_find_table_lock(space, NFPROTO_ARP, "filter");
	if (!t.table)
		command::fails("arptables: can't initialize table `filter'");
	const xt_table_info &info = *t.table->private_;
	arp_chains chains;
	entries = info.number;
	for (u32 hook = 0; hook < NF_ARP_NUMHOOKS; ++hook) {
		for (u32 i = info.hook_entry[hook]; i < info.underflow[hook]; ++i)
			chains[hook].rules.push_back(arpt_entry_of(*info.entries[i]));
		chains[hook].policy = info.entries[info.underflow[hook]]->target.verdict;
		chains[hook].counters = info.entries[info.underflow[hook]]->counters;
	}
	return chains;
}

std::string arp_spec(const arpt_entry &e)
{
	const auto no = [&e](u16 flag) { return e.arp.invflags & flag ? " !" : ""; };
	std::string out;
	if (e.arp.smsk)
		out += fmt::format("{} -s {}", no(ARPT_INV_SRCIP), prefix_text(e.arp.src, e.arp.smsk));
	if (e.arp.tmsk)
		out += fmt::format("{} -d {}", no(ARPT_INV_TGTIP), prefix_text(e.arp.tgt, e.arp.tmsk));
	if (!e.arp.iniface.empty())
		out += fmt::format("{} -i {}", no(ARPT_INV_VIA_IN), e.arp.iniface);
	if (!e.arp.outiface.empty())
		out += fmt::format("{} -o {}", no(ARPT_INV_VIA_OUT), e.arp.outiface);
	if (e.arp.arpop_mask)
		out += fmt::format("{} --opcode {}", no(ARPT_INV_ARPOP), e.arp.arpop);
	return out + (e.target.verdict == XT_RETURN                          ? " -j RETURN"
	              : e.target.verdict == -static_cast<int>(NF_ACCEPT) - 1 ? " -j ACCEPT"
	                                                                     : " -j DROP");
}

void write_chains(net &space, arp_chains &chains, u32 entries)
{
	xt_replace repl;
	std::vector<xt_counters> kept;
	repl.name = "filter";
	repl.valid_hooks = (1u << NF_ARP_NUMHOOKS) - 1;
	repl.num_counters = entries;
	for (u32 hook = 0; hook < NF_ARP_NUMHOOKS; ++hook) {
		arp_chain &chain = chains[hook];
		repl.hook_entry[hook] = static_cast<u32>(repl.entries.size());
		for (std::size_t i = 0; i < chain.rules.size(); ++i) {
			arpt_entry &e = chain.rules[i];
			e.note =
				fmt::format("arp filter {} rule {}{}", chain_names[hook], i + 1, arp_spec(e));
			kept.push_back(e.counters);
			repl.entries.push_back(std::make_unique<arpt_entry>(e));
		}
		repl.underflow[hook] = static_cast<u32>(repl.entries.size());
		auto last = std::make_unique<arpt_entry>();
		last->target.name = XT_STANDARD_TARGET;
		last->target.verdict = chain.policy;
		last->note = fmt::format("arp filter {} policy", chain_names[hook]);
		kept.push_back(chain.counters);
		repl.entries.push_back(std::move(last));
	}
	auto end = std::make_unique<arpt_entry>();
	end->target.name = XT_ERROR_TARGET;
	end->target.errorname = "ERROR";
	kept.emplace_back();
	repl.entries.push_back(std::move(end));
	std::vector<xt_counters> before;
	if (const int err = arpt_do_replace(space, std::move(repl), before))
		command::fails(fmt::format("arptables: {}.", std::strerror(-err)));
	arpt_do_add_counters(space, "filter", kept);
}

u32 chain_index(const std::string &name)
{
	const auto at = std::ranges::find(chain_names, name);
	if (at == chain_names.end())
		command::fails("arptables: No chain/target/match by that name.");
	return static_cast<u32>(at - chain_names.begin());
}

int verdict_word(const std::string &word)
{
	if (word == "ACCEPT")
		return -static_cast<int>(NF_ACCEPT) - 1;
	if (word == "DROP")
		return -static_cast<int>(NF_DROP) - 1;
	if (word == "RETURN")
		return XT_RETURN;
	command::fails(fmt::format("arptables: Couldn't load target `{}':No such file or directory", word));
}

bool same(const arpt_entry &a, const arpt_entry &b)
{
	return a.arp == b.arp && a.target.verdict == b.target.verdict;
}

std::string policy_word(int verdict)
{
	return verdict == -static_cast<int>(NF_ACCEPT) - 1 ? "ACCEPT" : "DROP";
}

} // namespace

void arptables(command &c)
{
	u32 entries = 0;
	arp_chains chains = read_chains(*c.in, entries);
	arpt_entry e;
	char letter = 0;
	std::string chain, second;
	bool invert = false;

	e.target.name = XT_STANDARD_TARGET;
	e.target.verdict = XT_RETURN;
	while (c.more()) {
		const std::string o = c.take("an option");
		const auto takes = [&e, &invert](u16 flag) {
			if (std::exchange(invert, false))
				e.arp.invflags |= flag;
		};
		if (o == "!") {
			invert = true;
		} else if (o.size() == 2 &&
		           std::string_view{"AIDPFLSZ"}.find(o[1]) != std::string_view::npos) {
			letter = o[1];
			if (c.more() && !c.peek().starts_with('-'))
				chain = c.take("a chain");
			if (letter == 'P')
				second = c.take("a policy");
		} else if (o == "-j" || o == "--jump") {
			e.target.verdict = verdict_word(c.take("a target"));
		} else if (o == "-i" || o == "--in-interface") {
			e.arp.iniface = c.take("a device");
			takes(ARPT_INV_VIA_IN);
		} else if (o == "-o" || o == "--out-interface") {
			e.arp.outiface = c.take("a device");
			takes(ARPT_INV_VIA_OUT);
		} else if (o == "-s" || o == "--source-ip" || o == "-d" || o == "--destination-ip") {
			const bool src = o == "-s" || o == "--source-ip";
			const std::string word = c.take("an address");
			if (!parse_address_mask(word, src ? e.arp.src : e.arp.tgt,
			                        src ? e.arp.smsk : e.arp.tmsk))
				command::fails(fmt::format("arptables: host/network `{}' not found", word));
			takes(src ? ARPT_INV_SRCIP : ARPT_INV_TGTIP);
		} else if (o == "--opcode") {
			const std::string word = c.take("an operation");
			e.arp.arpop = word == "Request" ? 1 : word == "Reply" ? 2 : 0;
			if (const auto number = parse_number(word, 0xffff))
				e.arp.arpop = static_cast<u16>(*number);
			e.arp.arpop_mask = 0xffff;
			takes(ARPT_INV_ARPOP);
		} else if (o != "-v" && o != "-n") {
			c.not_modelled(fmt::format("`arptables {}'", o));
		}
	}
	if (!letter)
		c.bad("expected a command: -A, -I, -D, -P, -F, -Z, -L or -S");
	const bool whole = chain.empty();
	if (whole && std::string_view{"AIDP"}.find(letter) != std::string_view::npos)
		c.bad("expected a chain");
	for (u32 hook = 0; hook < NF_ARP_NUMHOOKS; ++hook) {
		if (!whole && hook != chain_index(chain))
			continue;
		arp_chain &one = chains[hook];
		switch (letter) {
		case 'A':
			one.rules.push_back(e);
			break;
		case 'I':
			one.rules.insert(one.rules.begin(), e);
			break;
		case 'D': {
			const auto at =
				std::ranges::find_if(one.rules, [&e](const auto &r) { return same(r, e); });
			if (at == one.rules.end())
				command::fails(
					"arptables: Bad rule (does a matching rule exist in that chain?).");
			one.rules.erase(at);
			break;
		}
		case 'P':
			one.policy = verdict_word(second);
			break;
		case 'F':
			one.rules.clear();
			break;
		case 'Z':
			one.counters = {};
			for (arpt_entry &r : one.rules)
				r.counters = {};
			break;
		case 'S':
			c.out += fmt::format("-P {} {}\n", chain_names[hook], policy_word(one.policy));
			for (const arpt_entry &r : one.rules)
				c.out += fmt::format("-A {}{}\n", chain_names[hook], arp_spec(r));
			break;
		case 'L':
			c.out += fmt::format("{}Chain {} (policy {})\n", c.out.empty() ? "" : "\n",
			                     chain_names[hook], policy_word(one.policy));
			for (const arpt_entry &r : one.rules)
				c.out += fmt::format("{} , pcnt={} -- bcnt={}\n", arp_spec(r).substr(1),
				                     r.counters.pcnt, r.counters.bcnt);
			break;
		}
	}
	if (letter != 'L' && letter != 'S')
		write_chains(*c.in, chains, entries);
}

} // namespace skbwalk::sim
