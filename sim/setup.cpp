// SPDX-License-Identifier: GPL-2.0-only
//
// Set-up lines: words, the choice of the tool, namespaces, and the form of errors. What each tool does to the
// stack is in the setup_*.cpp beside this.
#include "sim/setup.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/kernel/kmod.h"
#include "stack/kernel/sched.h"

namespace skbwalk::sim {

namespace {

constexpr std::array known_later = {"nft", "iptables-restore", "ip6tables", "ebtables", "tcpdump", "ping",
                                    "nc",  "ifconfig",         "route",     "arp",      "ss",      "ip6"};

void ip(command &c)
{
	while (c.peek().starts_with('-')) {
		const std::string option = c.take("an option");
		if (option == "-n" || option == "-netns")
			c.in = &c.space(c.take("a namespace"));
		else if (option == "-6" || option == "-M" || option == "-B")
			c.not_modelled(fmt::format("`ip {}'", option));
		else if (option == "-s" || option == "-stats" || option == "-statistics")
			c.statistics = true;
		else if (option != "-4" && option != "-d" && option != "-o" && option != "-br" &&
		         option != "-c")
			c.bad(fmt::format("expected an option of ip, found \"{}\"", option));
	}
	if (c.eat("link"))
		ip_link(c);
	else if (c.eat("address") || c.eat("addr"))
		ip_addr(c);
	else if (c.eat("route"))
		ip_route(c);
	else if (c.eat("neighbour") || c.eat("neighbor"))
		ip_neigh(c);
	else if (c.eat("netns", 3))
		ip_netns(c);
	else if (!c.more())
		c.bad("expected link, address, route, neighbour or netns after ip");
	else
		c.not_modelled(fmt::format("`ip {}'", c.peek()));
}

void modprobe(command &c)
{
	constexpr std::array built_in = {"veth", "ip_defrag"};
	bool all = false, quiet = false;
	while (c.peek().starts_with('-')) {
		const std::string option = c.take("an option");
		if (option == "-a")
			all = true;
		else if (option == "-q")
			quiet = true;
		else
			c.not_modelled(fmt::format("`modprobe {}'", option));
	}
	do {
		const std::string name = c.take("a module");
		if (std::ranges::find(built_in, name) != built_in.end())
			continue;
		const int err = request_module(name);
		if (err == -ENOENT && !quiet)
			command::fails(fmt::format("modprobe: FATAL: Module {} not found in directory "
			                           "/lib/modules/6.1.0-56-amd64",
			                           name));
		if (err)
			command::fails(fmt::format("modprobe: ERROR: could not insert '{}': {}", name,
			                           std::strerror(-err)));
	} while (all && c.more());
	if (c.more())
		c.not_modelled("a module's parameter");
}

// `sh -c LINE`: one command.
void shell_line(command &c)
{
	const std::string inner = c.take("a command");
	c.done();
	c.words = command_words(inner);
	c.at = 0;
	run_words(c);
}

} // namespace

std::vector<std::string> command_words(std::string_view line)
{
	std::vector<std::string> words;
	bool inside = false; // a word
	char quote = 0;
	for (std::size_t i = 0; i < line.size(); ++i) {
		const char ch = line[i];
		if (quote) {
			if (ch == quote)
				quote = 0;
			else
				words.back().push_back(ch);
			continue;
		}
		if (ch == ' ' || ch == '\t') {
			inside = false;
			continue;
		}
		if (ch == '>' && !words.empty() && words.front() == "echo" &&
		    line[std::min(i + 1, line.size() - 1)] != '>') {
			words.emplace_back(">");
			inside = false;
			continue;
		}
		if (std::strchr(";|&<>$`()\n", ch))
			throw bad_command(
				fmt::format("`{}`: expected one command, and '{}' is for a shell", line, ch));
		if (!inside)
			words.emplace_back();
		inside = true;
		if (ch == '"' || ch == '\'')
			quote = ch;
		else if (ch == '\\' && i + 1 < line.size())
			words.back().push_back(line[++i]);
		else
			words.back().push_back(ch);
	}
	if (quote)
		throw bad_command(fmt::format("`{}`: expected the quote {} to be closed", line, quote));
	return words;
}

std::string why_unportable(std::string_view line)
{
	// Of the sysctls there is one each for a machine, which no new namespace can set.
	constexpr std::array once = {"net.core.",
	                             "net.nf_conntrack_max",
	                             "net.netfilter.nf_conntrack_max",
	                             "net.netfilter.nf_conntrack_buckets",
	                             "net.netfilter.nf_conntrack_expect_max",
	                             "net.netfilter.nf_log_all_netns"};
	constexpr std::array of_a_namespace = {"net.core.somaxconn", "net.core.txrehash"};

	for (const std::string &word : command_words(line)) {
		std::string key = word.starts_with("/proc/sys/") ? word.substr(10) : word;
		key = key.substr(0, key.find('='));
		std::ranges::replace(key, '/', '.');
		if (std::ranges::find(of_a_namespace, key) != of_a_namespace.end())
			continue;
		for (const std::string_view one : once)
			if (one.ends_with('.') ? key.starts_with(one) : key == one)
				return fmt::format(
					"a machine has one {}, which no namespace of its own can set", key);
	}
	return {};
}

void run_words(command &c)
{
	std::string tool = c.take("a command");
	if (const std::size_t slash = tool.rfind('/'); slash != std::string::npos)
		tool.erase(0, slash + 1);
	if (tool == "ip")
		ip(c);
	else if (tool == "sysctl")
		sysctl(c);
	else if (tool == "ethtool")
		ethtool(c);
	else if (tool == "modprobe")
		modprobe(c);
	else if (tool == "iptables" || tool == "iptables-legacy")
		iptables(c);
	else if (tool == "iptables-save" || tool == "iptables-legacy-save")
		iptables_save(c);
	else if (tool == "arptables" || tool == "arptables-legacy")
		arptables(c);
	else if (tool == "conntrack")
		conntrack(c);
	else if (tool == "tc")
		tc(c);
	else if (tool == "bridge")
		bridge(c);
	else if (tool == "brctl")
		brctl(c);
	else if (tool == "cat")
		cat(c);
	else if (tool == "dmesg")
		dmesg(c);
	else if (tool == "echo")
		echo(c);
	else if (tool == "sh" && c.eat("-c", 2))
		shell_line(c);
	else if (std::ranges::find(known_later, tool) != known_later.end())
		c.not_modelled(tool);
	else
		c.bad(fmt::format(
			"expected a command that is modelled: ip, tc, bridge, brctl, sysctl, ethtool, iptables or modprobe, found \"{}\"",
			tool));
}

std::string run_command(host &h, std::string_view line)
{
	std::vector<std::string> words = command_words(line);
	const enter_cpu in(*h.cpus[0]);
	command c{h, init_net(), std::string{line}, std::move(words)};
	run_words(c);
	return std::move(c.out);
}

// ---- words ----------------------------------------------------------------------------------------------

bool command::eat(std::string_view keyword, std::size_t least)
{
	const std::string_view word = peek();
	if (word.empty() || word.size() < least || !keyword.starts_with(word))
		return false;
	++at;
	return true;
}

std::string command::take(std::string_view what)
{
	if (!more())
		bad(fmt::format("expected {} at the end", what));
	return words[at++];
}

u64 command::take_number(std::string_view what, u64 most)
{
	const std::string word = take(what);
	const auto number = parse_number(word, most);
	if (!number)
		bad(fmt::format("expected {} up to {}, found \"{}\"", what, most, word));
	return *number;
}

be32 command::take_ipv4(std::string_view what)
{
	const std::string word = take(what);
	if (word.find(':') != std::string::npos)
		not_modelled("IPv6");
	const auto a = parse_ipv4(word);
	if (!a)
		bad(fmt::format("expected {}, an IPv4 address, found \"{}\"", what, word));
	return *a;
}

ipv4_prefix command::take_prefix(std::string_view what)
{
	const std::string word = take(what);
	if (word.find(':') != std::string::npos)
		not_modelled("IPv6");
	const auto p = parse_ipv4_prefix(word);
	if (!p)
		bad(fmt::format("expected {}, A.B.C.D/LENGTH, found \"{}\"", what, word));
	return *p;
}

net_device &command::device(const std::string &name) const
{
	if (net_device *dev = __dev_get_by_name(*in, name))
		return *dev;
	fails(fmt::format("Cannot find device \"{}\"", name));
}

net_device &command::take_device(std::string_view what) { return device(take(what)); }

bool command::take_on_off(std::string_view what)
{
	const std::string word = take(what);
	if (word != "on" && word != "off")
		bad(fmt::format("expected on or off for {}, found \"{}\"", what, word));
	return word == "on";
}

void command::done() const
{
	if (more())
		bad(fmt::format("expected the end, or an argument that is modelled, found \"{}\"", peek()));
}

net &command::space(const std::string &name) const
{
	net *n = name.empty() ? nullptr : get_net_ns_by_name(name);
	if (!n)
		fails(fmt::format("Cannot open network namespace \"{}\": No such file or directory", name));
	return *n;
}

void command::bad(const std::string &why) const { throw bad_command(fmt::format("`{}`: {}", line, why)); }

void command::not_modelled(std::string_view what) const
{
	throw bad_command(fmt::format("`{}`: {} is not modelled yet", line, what));
}

void command::fails(const std::string &message) { throw command_failed(message); }

void command::answer(int err, const char *said)
{
	if (!err)
		return;
	if (said)
		fails(fmt::format("Error: {}.", said));
	fails(fmt::format("RTNETLINK answers: {}", std::strerror(-err)));
}

// ---- ip netns -------------------------------------------------------------------------------------------

void ip_netns(command &c)
{
	if (c.eat("add")) {
		const std::string name = c.take("a name");
		c.done();
		if (name.find('/') != std::string::npos || name == "." || name == ".." || name.empty())
			command::fails(fmt::format("Invalid netns name \"{}\"", name));
		if (get_net_ns_by_name(name))
			command::fails(fmt::format(
				"Cannot create namespace file \"/run/netns/{}\": File exists", name));
		copy_net_ns(name);
		return;
	}
	if (c.eat("delete") || c.eat("del")) {
		const std::string name = c.take("a name");
		c.done();
		net *n = name.empty() ? nullptr : get_net_ns_by_name(name);
		if (!n)
			command::fails(fmt::format(
				"Cannot remove namespace file \"/run/netns/{}\": No such file or directory",
				name));
		// Who lives in it keeps it; its name is free.
		n->name += " (deleted)";
		put_net(*n);
		netdev_run_todo();
		return;
	}
	if (c.eat("exec")) {
		c.in = &c.space(c.take("a namespace"));
		run_words(c);
		return;
	}
	if (!c.more() || c.eat("list") || c.eat("show")) {
		for (const net *n : all_nets(c.on))
			if (!n->name.empty())
				c.out += n->name + "\n";
		return;
	}
	c.not_modelled(fmt::format("`ip netns {}'", c.peek()));
}

} // namespace skbwalk::sim
