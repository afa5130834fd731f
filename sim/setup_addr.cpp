// SPDX-License-Identifier: GPL-2.0-only
//
// ip addr and ip neigh.
#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/core/neighbour.h"
#include "stack/ipv4/route.h"

namespace skbwalk::sim {

namespace {

u8 take_scope(command &c)
{
	const std::string word = c.take("a scope");
	if (word == "global" || word == "universe")
		return RT_SCOPE_UNIVERSE;
	if (word == "site")
		return RT_SCOPE_SITE;
	if (word == "link")
		return RT_SCOPE_LINK;
	if (word == "host")
		return RT_SCOPE_HOST;
	if (const auto n = parse_number(word, 255))
		return static_cast<u8>(*n);
	c.bad(fmt::format("expected a scope: global, link, host or a number, found \"{}\"", word));
}

struct addr_arguments {
	ipv4_prefix local;
	be32 peer{}, broadcast{};
	bool has_peer = false;
	bool auto_broadcast = false;
	u8 scope = RT_SCOPE_UNIVERSE;
	bool has_scope = false;
	u32 metric = 0;
	net_device *dev = nullptr;
	bool has_local = false;
};

addr_arguments addr_words(command &c)
{
	addr_arguments a;
	while (c.more()) {
		if (c.eat("dev", 3)) {
			a.dev = &c.take_device("a device");
		} else if (c.eat("peer", 4)) {
			const ipv4_prefix p = c.take_prefix("the peer's address");
			a.peer = p.addr;
			a.has_peer = true;
			if (p.has_length)
				a.local.length = p.length;
		} else if (c.eat("broadcast", 3) || c.eat("brd", 3)) {
			if (c.eat("+"))
				a.auto_broadcast = true;
			else
				a.broadcast = c.take_ipv4("the broadcast address");
		} else if (c.eat("scope", 2)) {
			a.scope = take_scope(c);
			a.has_scope = true;
		} else if (c.eat("label", 5)) {
			static_cast<void>(c.take("a label"));
		} else if (c.eat("metric", 3)) {
			a.metric = static_cast<u32>(c.take_number("a metric", ~u32{0}));
		} else if (c.peek() == "noprefixroute" || c.peek() == "nodad" || c.peek() == "valid_lft" ||
		           c.peek() == "preferred_lft") {
			c.not_modelled(fmt::format("the argument {}", c.peek()));
		} else {
			static_cast<void>(c.eat("local", 5));
			const u8 length = a.local.length;
			a.local = c.take_prefix("an address");
			if (a.has_peer)
				a.local.length = length;
			a.has_local = true;
		}
	}
	return a;
}

void show_addresses(command &c, net_device &dev)
{
	c.out += link_text(dev, true);
	const in_device *in = __in_dev_get_rcu(dev);
	for (const in_ifaddr *ifa = in ? in->ifa_list : nullptr; ifa; ifa = ifa->ifa_next) {
		c.out += fmt::format("    inet {}", ipv4_text(ifa->ifa_local));
		if (!(ifa->ifa_address == ifa->ifa_local))
			c.out += fmt::format(" peer {}", ipv4_text(ifa->ifa_address));
		c.out += fmt::format("/{}", ifa->ifa_prefixlen);
		if (ifa->ifa_broadcast)
			c.out += fmt::format(" brd {}", ipv4_text(ifa->ifa_broadcast));
		const u8 scope = ifa->ifa_scope;
		c.out += fmt::format(" scope {}{} {}\n       valid_lft forever preferred_lft forever\n",
		                     scope == RT_SCOPE_HOST   ? "host"
		                     : scope == RT_SCOPE_LINK ? "link"
		                                              : "global",
		                     ifa->ifa_flags & IFA_F_SECONDARY ? " secondary" : "", dev.name);
	}
}

void flush_addresses(command &c)
{
	static_cast<void>(c.eat("dev", 3));
	net_device &dev = c.take_device("a device");
	c.done();
	for (in_device *in = dev.ip_ptr; in && in->ifa_list; in = dev.ip_ptr) {
		const in_ifaddr &ifa = *in->ifa_list;
		command::answer(inet_rtm_deladdr(dev, ifa.ifa_local, ifa.ifa_address, ifa.ifa_prefixlen));
	}
}

// ---- neighbours -----------------------------------------------------------------------------------------

struct neigh_words {
	be32 addr{};
	bool has_addr = false;
	net_device *dev = nullptr;
	mac_addr mac{};
	bool has_mac = false;
	u8 state = NUD_PERMANENT;
};

constexpr struct {
	const char *name;
	u8 state;
} nud_names[] = {{"permanent", NUD_PERMANENT},   {"reachable", NUD_REACHABLE}, {"stale", NUD_STALE},
                 {"delay", NUD_DELAY},           {"probe", NUD_PROBE},         {"failed", NUD_FAILED},
                 {"incomplete", NUD_INCOMPLETE}, {"noarp", NUD_NOARP},         {"none", NUD_NONE}};

neigh_words words_of(command &c)
{
	neigh_words w;
	while (c.more()) {
		if (c.eat("lladdr", 2)) {
			const std::string word = c.take("a link-layer address");
			const auto mac = parse_mac(word);
			if (!mac)
				c.bad(fmt::format("expected a link-layer address, found \"{}\"", word));
			w.mac = *mac;
			w.has_mac = true;
		} else if (c.eat("nud", 3)) {
			const std::string word = c.take("a state");
			bool known = false;
			for (const auto &n : nud_names)
				if (word == n.name) {
					w.state = n.state;
					known = true;
				}
			if (!known)
				c.bad(fmt::format("expected a state such as permanent or stale, found \"{}\"",
				                  word));
		} else if (c.eat("dev", 3)) {
			w.dev = &c.take_device("a device");
		} else {
			static_cast<void>(c.eat("to", 2));
			w.addr = c.take_ipv4("an address");
			w.has_addr = true;
		}
	}
	if (!w.has_addr || !w.dev)
		c.bad("expected an address and dev DEVICE");
	return w;
}

void set_neighbour(command &c, bool create, bool exclusive)
{
	const neigh_words w = words_of(c);
	neighbour *n = neigh_lookup(arp_tbl(), w.addr, *w.dev);
	if (n && exclusive) {
		neigh_release(*n);
		command::answer(-EEXIST);
	}
	if (!n && !create)
		command::answer(-ENOENT);
	if (!n)
		n = neigh_create(arp_tbl(), w.addr, *w.dev);
	if (!n)
		command::answer(-ENOBUFS);
	const u8 state = w.has_mac || !(w.state & NUD_VALID) ? w.state : NUD_NONE;
	const int err = neigh_update(*n, w.has_mac ? &w.mac : nullptr, state,
	                             NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
	neigh_release(*n);
	command::answer(err);
}

template <class F> void each_neighbour(const net &space, const net_device *only, F &&visit)
{
	for (neighbour *head : arp_tbl().nht.hash_buckets)
		for (neighbour *n = head; n; n = n->next)
			if (n->dev && &dev_net(*n->dev) == &space && (!only || n->dev == only))
				visit(*n);
}

// As iproute2 does it: who is permanent or needs no ARP stays.
void flush_neighbours(command &c)
{
	net_device *dev = nullptr;
	bool any = false;
	while (c.more()) {
		if (c.eat("dev", 3))
			dev = &c.take_device("a device");
		else if (!c.eat("all", 3))
			c.bad(fmt::format("expected all or dev DEVICE, found \"{}\"", c.peek()));
		any = true;
	}
	if (!any)
		command::fails("Flush requires arguments.");
	std::vector<std::pair<be32, net_device *>> found;
	each_neighbour(*c.in, dev, [&](const neighbour &n) {
		if (!(n.nud_state & (NUD_PERMANENT | NUD_NOARP)))
			found.emplace_back(n.primary_key, n.dev);
	});
	for (const auto &[key, on] : found)
		static_cast<void>(neigh_delete(arp_tbl(), key, *on));
}

void show_neighbours(command &c)
{
	net_device *dev = nullptr;
	while (c.more())
		if (c.eat("dev", 3))
			dev = &c.take_device("a device");
		else
			c.done();
	each_neighbour(*c.in, dev, [&](const neighbour &n) {
		if (n.nud_state & NUD_NOARP || n.nud_state == NUD_NONE)
			return;
		c.out += fmt::format("{} dev {}", ipv4_text(n.primary_key), n.dev->name);
		if (n.nud_state & NUD_VALID)
			c.out += fmt::format(" lladdr {}", mac_text(n.ha));
		c.out += fmt::format(" {} \n", neigh_state_name(n.nud_state));
	});
}

} // namespace

void ip_addr(command &c)
{
	const bool adds = c.eat("add"), replaces = !adds && (c.eat("replace") || c.eat("change"));
	if (adds || replaces) {
		addr_arguments a = addr_words(c);
		if (!a.has_local)
			c.bad("expected an address");
		if (!a.dev)
			command::fails("Not enough information: \"dev\" argument is required.");
		if (!a.has_scope && a.local.addr.b[0] == 127)
			a.scope = RT_SCOPE_HOST;
		if (a.auto_broadcast && a.local.length <= 30)
			a.broadcast = a.local.addr | ~inet_make_mask(a.local.length);
		const int err = inet_rtm_newaddr(*a.dev, a.local.addr, a.has_peer ? a.peer : a.local.addr,
		                                 a.local.length, a.broadcast, a.scope, 0, a.metric);
		if (!(replaces && err == -EEXIST))
			command::answer(err);
	} else if (c.eat("delete") || c.eat("del")) {
		const addr_arguments a = addr_words(c);
		if (!a.has_local || !a.dev)
			c.bad("expected an address and dev DEVICE");
		command::answer(inet_rtm_deladdr(*a.dev, a.local.addr, a.has_peer ? a.peer : a.local.addr,
		                                 a.local.has_length || a.has_peer ? a.local.length : u8{32}));
	} else if (c.eat("flush")) {
		flush_addresses(c);
	} else if (!c.more() || c.eat("show") || c.eat("list") || c.eat("ls")) {
		static_cast<void>(c.eat("dev", 3));
		if (c.more())
			show_addresses(c, c.take_device("a device"));
		else
			for (net_device *dev : c.in->dev_list)
				show_addresses(c, *dev);
		c.done();
	} else {
		c.not_modelled(fmt::format("`ip addr {}'", c.peek()));
	}
}

void ip_neigh(command &c)
{
	if (c.eat("add")) {
		set_neighbour(c, true, true);
	} else if (c.eat("replace")) {
		set_neighbour(c, true, false);
	} else if (c.eat("change") || c.eat("chg")) {
		set_neighbour(c, false, false);
	} else if (c.eat("delete") || c.eat("del")) {
		const neigh_words w = words_of(c);
		command::answer(neigh_delete(arp_tbl(), w.addr, *w.dev));
	} else if (c.eat("flush")) {
		flush_neighbours(c);
	} else if (!c.more() || c.eat("show") || c.eat("list") || c.eat("ls")) {
		show_neighbours(c);
	} else {
		c.not_modelled(fmt::format("`ip neigh {}'", c.peek()));
	}
}

} // namespace skbwalk::sim
