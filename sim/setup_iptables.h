// SPDX-License-Identifier: GPL-2.0-only
//
// iptables in user space: a table as chains of rules (what libiptc keeps), and the extensions that read and
// print what a match or a target is told. Words and texts are those of iptables 1.8.9 (legacy).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/setup_command.h"
#include "stack/ipv4/netfilter/ip_tables.h"

namespace skbwalk::sim {

// The complaints of the tool. `usage`: with "Try `iptables -h' ..." below, as for a wrong command.
[[noreturn]] void iptables_usage(const std::string &text);
[[noreturn]] void iptables_fails(const std::string &text); // "iptables: TEXT."

struct ipt_rule {
	ipt_ip ip;
	std::vector<xt_entry_match> matches;
	std::string target; // empty: none; a verdict, a user's chain, or an extension
	bool goto_flag = false;
	xt_data target_data;
	u8 target_revision = 0;
	xt_counters counters;
};
struct ipt_chain {
	std::string name;
	std::optional<u32> hook; // of a built-in chain
	u32 policy = NF_ACCEPT;
	xt_counters counters;
	std::vector<ipt_rule> rules;
};
struct ipt_handle {
	std::string table;
	u32 valid_hooks = 0;
	u32 entries = 0; // in the kernel
	std::vector<ipt_chain> chains;
	[[nodiscard]] ipt_chain *find(std::string_view name);
};
// From the kernel, and back into it.
[[nodiscard]] ipt_handle ipt_read(net &space, const std::string &table);
void ipt_commit(net &space, ipt_handle &h);

// The words of a rule while they are read.
struct option_words {
	command &c;
	bool invert = false; // a `!` stood before the option
	[[nodiscard]] std::string argument(const std::string &option) const;
};
struct ipt_extension {
	std::string name; // as people write it
	std::string kernel;
	u8 revision = 0;
	std::function<xt_data()> make;
	// Reads one option; false: not one of its own.
	std::function<bool(const std::string &option, option_words &w, xt_data &data, const ipt_rule &r)>
		parse;
	std::function<void(const xt_data &data)> check; // all options are read
	std::function<std::string(const xt_data &data)> save;
	std::function<std::string(const xt_data &data, bool numeric)> print;
};
[[nodiscard]] const ipt_extension *match_extension(std::string_view name);
[[nodiscard]] const ipt_extension *target_extension(std::string_view name);
// That of a match that the kernel holds.
[[nodiscard]] const ipt_extension &extension_of(const xt_entry_match &m);

// A rule as `-S` and `-L` have it.
[[nodiscard]] std::string rule_spec(const ipt_rule &r);
[[nodiscard]] std::string protocol_name(u32 proto, bool numeric);
[[nodiscard]] std::optional<u16> protocol_number(const std::string &word);
[[nodiscard]] std::string port_name(u16 port, u32 proto, bool numeric);
[[nodiscard]] std::optional<u32> parse_word32(const std::string &word); // 0x.. too
[[nodiscard]] u16 parse_port(const std::string &word);
[[nodiscard]] std::string quoted(const std::string &text); // as -S writes a text: where it must be
[[nodiscard]] std::string prefix_text(be32 a, be32 mask);
[[nodiscard]] bool parse_address_mask(const std::string &word, be32 &a, be32 &mask);

} // namespace skbwalk::sim
