// SPDX-License-Identifier: GPL-2.0-only
//
// Statements into words, words into rules. Sets in braces and attributes are taken apart here as far as the
// kernel's own form has them: a rule for each pair of (type or attribute) and class.
#include "sim/selinux_policy.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/address_text.h"
#include "stack/security/selinux/classmap.h"
#include "stack/wire/headers.h"
#include "stack/wire/socket.h"

namespace skbwalk::sim {

namespace {

std::vector<std::string> words_of(const std::string &statement)
{
	std::vector<std::string> words;
	bool in_word = false;

	for (const char c : statement) {
		if (c == '{' || c == '}' || c == ';' || c == ',' || c == '~' || c == '*') {
			words.emplace_back(1, c);
			in_word = false;
		} else if (c == ' ' || c == '\t' || c == '\n') {
			in_word = false;
		} else if (in_word) {
			words.back() += c;
		} else {
			words.emplace_back(1, c);
			in_word = true;
		}
	}
	return words;
}

// A name's place in a list, which it gets if it has none.
u32 listed(std::vector<std::string> &list, const std::string &name)
{
	const auto it = std::ranges::find(list, name);
	if (it != list.end())
		return static_cast<u32>(it - list.begin()) + 1;
	list.push_back(name);
	return static_cast<u32>(list.size());
}

struct context_parts {
	std::string user, role, type, range;
};
std::optional<context_parts> parts_of(const std::string &text)
{
	const std::size_t role = text.find(':');
	const std::size_t type = role == std::string::npos ? role : text.find(':', role + 1);

	if (type == std::string::npos)
		return {};
	const std::size_t range = text.find(':', type + 1);
	context_parts c{text.substr(0, role), text.substr(role + 1, type - role - 1),
	                text.substr(type + 1, range == std::string::npos ? range : range - type - 1),
	                range == std::string::npos ? "" : text.substr(range + 1)};
	if (c.user.empty() || c.role.empty() || c.type.empty())
		return {};
	return c;
}

class policy_reader {
public:
	explicit policy_reader(std::span<const std::string> statements) : statements_(statements) {}

	std::unique_ptr<policydb> read()
	{
		for (at_ = 0; at_ < statements_.size(); ++at_) {
			words_ = words_of(statements_[at_]);
			next_ = 0;
			statement();
			if (more() && words_[next_] == ";")
				++next_;
			if (more())
				fail(fmt::format("expected the end of the statement, found \"{}\"",
				                 words_[next_]));
		}
		for (const u32 isid :
		     {SECINITSID_KERNEL, SECINITSID_UNLABELED, SECINITSID_FILE, SECINITSID_ANY_SOCKET,
		      SECINITSID_PORT, SECINITSID_NETIF, SECINITSID_NETMSG, SECINITSID_NODE})
			if (!out_->isids.contains(isid))
				out_->isids[isid] = made_context(
					fmt::format("system_u:object_r:{}_t", initial_sid_name(isid)));
		return std::move(out_);
	}

private:
	[[noreturn]] void fail(const std::string &what) const { throw bad_policy(at_, what); }
	[[nodiscard]] bool more() const { return next_ < words_.size(); }
	std::string word(const char *what)
	{
		if (!more() || words_[next_] == ";")
			fail(fmt::format("expected {}, found the end of the statement", what));
		return words_[next_++];
	}
	void expect(const char *what)
	{
		const std::string found = word(what);
		if (found != what)
			fail(fmt::format("expected \"{}\", found \"{}\"", what, found));
	}

	// One word, or several in braces.
	std::vector<std::string> set(const char *what)
	{
		std::vector<std::string> out;
		const std::string first = word(what);

		if (first != "{")
			return {first};
		for (std::string one = word(what); one != "}"; one = word("}"))
			out.push_back(one);
		if (out.empty())
			fail(fmt::format("expected {} between the braces", what));
		return out;
	}

	u32 type(const std::string &name, bool attribute = false)
	{
		if (const auto known = out_->type_value(name))
			return *known;
		if (name.find_first_not_of(
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") !=
		    std::string::npos)
			fail(fmt::format("expected the name of a type, found \"{}\"", name));
		out_->types.push_back(name);
		out_->is_attribute.push_back(attribute);
		const u32 value = static_cast<u32>(out_->types.size());
		out_->attr_map.push_back({value});
		return value;
	}

	security_context made_context(const std::string &text)
	{
		const auto parts = parts_of(text);
		if (!parts)
			fail(fmt::format("expected a context, user:role:type[:range], found \"{}\"", text));
		return {listed(out_->users, parts->user), listed(out_->roles, parts->role), type(parts->type),
		        parts->range};
	}

	u16 security_class_of(const std::string &name) const
	{
		std::vector<std::string_view> names;
		for (u16 i = 1; i < secclass_count; ++i) {
			if (secclass_map()[i].name == name)
				return i;
			names.push_back(secclass_map()[i].name);
		}
		fail(fmt::format("expected a class, one of {}, found \"{}\"", fmt::join(names, ", "), name));
	}

	u32 permissions(const std::vector<std::string> &names, u16 tclass) const
	{
		const auto perms = secclass_map()[tclass].perms;
		u32 av = 0;

		for (const std::string &name : names) {
			const auto it = std::ranges::find(perms, name);
			if (name == "*")
				av = static_cast<u32>((u64{1} << perms.size()) - 1);
			else if (it == perms.end())
				fail(fmt::format("expected a permission of {}, one of {}, found \"{}\"",
				                 secclass_map()[tclass].name, fmt::join(perms, ", "), name));
			else
				av |= 1u << (it - perms.begin());
		}
		return av;
	}

	void rule(u16 kind)
	{
		const auto sources = set("a source type");
		// "target:class" is one word or, with sets, several.
		std::vector<std::string> targets, classes;
		std::string tail = word("TARGET:CLASS");

		if (tail == "{") {
			--next_;
			targets = set("a target type");
			tail = word(":");
		}
		const std::size_t colon = tail.find(':');
		if (colon == std::string::npos && more() && words_[next_].starts_with(":")) {
			targets.push_back(tail);
			tail = word(":");
		} else if (colon == std::string::npos) {
			fail(fmt::format("expected TARGET:CLASS, found \"{}\"", tail));
		} else if (colon) {
			targets.push_back(tail.substr(0, colon));
			tail.erase(0, colon);
		}
		if (tail == ":")
			classes = set("a class");
		else
			classes = {tail.substr(1)};
		const auto perms = set("a permission");

		for (const std::string &source : sources) {
			const u32 from = type(source);

			for (const std::string &target : targets) {
				for (const std::string &tclass : classes) {
					const u16 of = security_class_of(tclass);
					const u32 av = permissions(perms, of);

					if (target == "self")
						add_self(from, of, kind, av);
					else
						add({from, type(target), of}, kind, av);
				}
			}
		}
	}

	// Each type that the source stands for, with itself.
	void add_self(u32 source, u16 tclass, u16 kind, u32 av)
	{
		for (u32 t = 1; t <= out_->types.size(); ++t)
			if (!out_->is_attribute[t - 1] && out_->attr_map[t - 1].contains(source))
				add({t, t, tclass}, kind, av);
	}

	u32 &data_of(const avtab_key &key, u16 kind, u32 initial)
	{
		auto &nodes = out_->te_avtab[key];
		for (avtab_node &node : nodes)
			if (node.specified == kind)
				return node.data;
		return nodes.emplace_back(avtab_node{kind, initial}).data;
	}

	void add(const avtab_key &key, u16 kind, u32 av)
	{
		if (kind == AVTAB_AUDITDENY) // dontaudit: what is left
			data_of(key, kind, ~0u) &= ~av;
		else
			data_of(key, kind, 0) |= av;
	}

	void transition()
	{
		const auto sources = set("a source type");
		const std::string tail = word("TARGET:CLASS");
		const std::size_t colon = tail.find(':');

		if (colon == std::string::npos)
			fail(fmt::format("expected TARGET:CLASS, found \"{}\"", tail));
		const u32 target = type(tail.substr(0, colon));
		const u16 tclass = security_class_of(tail.substr(colon + 1));
		const u32 becomes = type(word("a type"));

		for (const std::string &source : sources)
			data_of({type(source), target, tclass}, AVTAB_TRANSITION, 0) = becomes;
	}

	u16 port(std::string_view text) const
	{
		u16 value = 0;
		const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
		if (error != std::errc{} || end != text.data() + text.size())
			fail(fmt::format("expected a port, found \"{}\"", text));
		return value;
	}

	void portcon()
	{
		const std::string protocol = word("tcp or udp");
		if (protocol != "tcp" && protocol != "udp")
			fail(fmt::format("expected tcp or udp, found \"{}\"", protocol));
		const std::string ports = word("a port, or FIRST-LAST");
		const std::size_t dash = ports.find('-');
		port_context c{};
		c.protocol = protocol == "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
		c.low_port = port(std::string_view(ports).substr(0, dash));
		c.high_port = dash == std::string::npos ? c.low_port
		                                        : port(std::string_view(ports).substr(dash + 1));
		c.context = made_context(word("a context"));
		out_->ports.push_back(std::move(c));
	}

	be32 address(const char *what)
	{
		const std::string text = word(what);
		const auto a = parse_socket_address(text);
		if (!a || a->bytes.family() != AF_INET)
			fail(fmt::format("expected {}, found \"{}\"", what, text));
		return a->bytes.as<sockaddr_in>().sin_addr;
	}

	void statement()
	{
		const std::string verb = word("a statement");

		if (verb == "type") {
			const u32 t = type(word("a type"));
			while (more() && words_[next_] == ",") {
				++next_;
				const u32 attribute = type(word("an attribute"), true);
				out_->attr_map[t - 1].insert(attribute);
			}
		} else if (verb == "attribute") {
			type(word("an attribute"), true);
		} else if (verb == "typeattribute") {
			const u32 t = type(word("a type"));
			const u32 attribute = type(word("an attribute"), true);
			out_->is_attribute[attribute - 1] = true;
			out_->attr_map[t - 1].insert(attribute);
		} else if (verb == "allow") {
			rule(AVTAB_ALLOWED);
		} else if (verb == "auditallow") {
			rule(AVTAB_AUDITALLOW);
		} else if (verb == "dontaudit") {
			rule(AVTAB_AUDITDENY);
		} else if (verb == "type_transition") {
			transition();
		} else if (verb == "permissive") {
			out_->permissive_map.insert(type(word("a type")));
		} else if (verb == "policycap") {
			const std::string name = word("a capability");
			if (name == "network_peer_controls")
				out_->policycaps.insert(POLICYDB_CAP_NETPEER);
			else if (name == "extended_socket_class")
				out_->policycaps.insert(POLICYDB_CAP_EXTSOCKCLASS);
			else if (name == "always_check_network")
				out_->policycaps.insert(POLICYDB_CAP_ALWAYSNETWORK);
			else
				fail(fmt::format("expected network_peer_controls, extended_socket_class or "
				                 "always_check_network, found \"{}\"",
				                 name));
		} else if (verb == "portcon") {
			portcon();
		} else if (verb == "nodecon") {
			node_context c{};
			c.addr = address("an address");
			c.mask = address("a netmask");
			c.context = made_context(word("a context"));
			out_->nodes.push_back(std::move(c));
		} else if (verb == "netifcon") {
			netif_context c;
			c.name = word("an interface");
			c.context = made_context(word("a context"));
			if (more() && words_[next_] != ";")
				word("a context"); // of packets: of no effect since 2.6.30
			out_->netifs.push_back(std::move(c));
		} else if (verb == "sid") {
			const std::string name = word("an initial SID");
			const u32 sid = initial_sid_by_name(name);
			if (!sid)
				fail(fmt::format("expected an initial SID (kernel, unlabeled, port, node, "
				                 "netif, ...), found \"{}\"",
				                 name));
			out_->isids[sid] = made_context(word("a context"));
		} else {
			fail(fmt::format(
				"expected type, attribute, typeattribute, allow, auditallow, dontaudit, "
				"type_transition, permissive, policycap, portcon, nodecon, netifcon or "
				"sid, found \"{}\"",
				verb));
		}
	}

	std::span<const std::string> statements_;
	std::unique_ptr<policydb> out_ = std::make_unique<policydb>();
	std::vector<std::string> words_;
	std::size_t at_ = 0, next_ = 0;
};

} // namespace

std::unique_ptr<policydb> read_policy(std::span<const std::string> statements)
{
	return policy_reader(statements).read();
}

std::optional<security_context> context_of(policydb &p, const std::string &text)
{
	const auto parts = parts_of(text);
	if (!parts)
		return {};
	const auto type = p.type_value(parts->type);
	if (!type || p.is_attribute[*type - 1])
		return {};
	return security_context{listed(p.users, parts->user), listed(p.roles, parts->role), *type,
	                        parts->range};
}

} // namespace skbwalk::sim
