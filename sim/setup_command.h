// SPDX-License-Identifier: GPL-2.0-only
//
// One command on its way through the files of setup_*.cpp: its words, where it runs, and the errors that
// quote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/address_text.h"
#include "sim/setup.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"

namespace skbwalk::sim {

class command {
public:
	command(host &where, net &space, std::string whole, std::vector<std::string> all)
		: on(where), in(&space), line(std::move(whole)), words(std::move(all))
	{}

	host &on;
	net *in;
	std::string line; // as it was given
	std::vector<std::string> words;
	std::size_t at = 0;
	std::string out;
	bool statistics = false; // -s

	[[nodiscard]] bool more() const { return at < words.size(); }
	[[nodiscard]] std::string_view peek() const
	{
		return more() ? std::string_view{words[at]} : std::string_view{};
	}
	// The next word is one of these (iproute2 takes any beginning of its keywords); it is eaten.
	bool eat(std::string_view keyword, std::size_t least = 0);
	// The next word; `what` is for the error when there is none.
	std::string take(std::string_view what);
	u64 take_number(std::string_view what, u64 most);
	be32 take_ipv4(std::string_view what);
	ipv4_prefix take_prefix(std::string_view what);
	net_device &take_device(std::string_view what);
	bool take_on_off(std::string_view what);
	void done() const; // no word is left

	[[noreturn]] void bad(const std::string &why) const;         // not a command
	[[noreturn]] void not_modelled(std::string_view what) const; // a command, and not ours
	[[noreturn]] static void fails(const std::string &message);  // as the tool says it
	[[nodiscard]] net_device &device(const std::string &name) const;
	[[nodiscard]] net &space(const std::string &name) const; // `ip -n NAME`
	// 0, or the tool's message for -errno; what the kernel said besides goes first.
	static void answer(int err, const char *said = nullptr);
};

// As `ip' and `bridge' print them.
[[nodiscard]] std::string flags_text(const net_device &dev);
[[nodiscard]] std::string link_text(net_device &dev, bool of_addresses);

void ip_link(command &c);
void ip_addr(command &c);
void ip_route(command &c);
void ip_neigh(command &c);
void ip_netns(command &c);
void sysctl(command &c);
void bridge(command &c);
void brctl(command &c);
void ethtool(command &c);
void iptables(command &c);
void iptables_save(command &c);
void arptables(command &c);
void conntrack(command &c);
void cat(command &c);
void dmesg(command &c);
void echo(command &c);
void tc(command &c);
// The words from c.at on as a command of its own.
void run_words(command &c);

} // namespace skbwalk::sim
