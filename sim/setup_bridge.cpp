// SPDX-License-Identifier: GPL-2.0-only
//
// What people configure bridges with: brctl, `bridge` (fdb, vlan, link), and what `ip link` takes for types
// bridge and bridge_slave. Each command is turned into the calls that the kernel makes for it.
#include "sim/setup_bridge.h"
#include "stack/kernel/kmod.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "stack/core/neighbour.h"
#include "stack/ipv4/ip_fib.h"

namespace skbwalk::sim {

namespace {

constexpr u64 most_clock = 0xffffffff;

net_bridge &bridge_of(net_device &dev) { return netdev_priv<net_bridge>(dev); }

// `0', `1', `on', `off'.
bool take_bool(command &c, std::string_view what)
{
	const std::string word = c.take(what);
	if (word == "1" || word == "on")
		return true;
	if (word == "0" || word == "off")
		return false;
	c.bad(fmt::format("expected 0, 1, on or off for {}, found \"{}\"", what, word));
}
u8 take_u8_bool(command &c, std::string_view what) { return take_bool(c, what) ? 1 : 0; }

template <class T> T number(command &c, std::string_view what, u64 most)
{
	const std::string word = c.take(what);
	u64 value = 0;
	if (word.starts_with("0x")) {
		for (const char ch : word.substr(2)) {
			const std::string_view digits = "0123456789abcdef";
			const std::size_t at = digits.find(static_cast<char>(std::tolower(ch)));
			if (at == std::string_view::npos || value > most)
				c.bad(fmt::format("expected {}, found \"{}\"", what, word));
			value = value * 16 + at;
		}
	} else if (const auto v = parse_number(word, most)) {
		value = *v;
	} else {
		c.bad(fmt::format("expected {} up to {}, found \"{}\"", what, most, word));
	}
	if (value > most)
		c.bad(fmt::format("expected {} up to {}, found \"{}\"", what, most, word));
	return static_cast<T>(value);
}

mac_addr take_mac(command &c)
{
	const std::string word = c.take("a link-layer address");
	const auto mac = parse_mac(word);
	if (!mac)
		c.bad(fmt::format("expected a link-layer address, found \"{}\"", word));
	return *mac;
}

struct port_flag {
	std::string_view link_name;  // `bridge link set`
	std::string_view slave_name; // `ip link set type bridge_slave`
	u32 bit;
};
constexpr port_flag port_flags[] = {{"hairpin", "hairpin", BR_HAIRPIN_MODE},
                                    {"guard", "guard", BR_BPDU_GUARD},
                                    {"root_block", "root_block", BR_ROOT_BLOCK},
                                    {"fastleave", "fastleave", BR_MULTICAST_FAST_LEAVE},
                                    {"mcast_fast_leave", "mcast_fast_leave", BR_MULTICAST_FAST_LEAVE},
                                    {"learning", "learning", BR_LEARNING},
                                    {"flood", "flood", BR_FLOOD},
                                    {"mcast_flood", "mcast_flood", BR_MCAST_FLOOD},
                                    {"bcast_flood", "bcast_flood", BR_BCAST_FLOOD},
                                    {"mcast_to_unicast", "mcast_to_unicast", BR_MULTICAST_TO_UNICAST},
                                    {"neigh_suppress", "neigh_suppress", BR_NEIGH_SUPPRESS},
                                    {"proxy_arp", "proxy_arp", BR_PROXYARP},
                                    {"proxy_arp_wifi", "proxy_arp_wifi", BR_PROXYARP_WIFI},
                                    {"isolated", "isolated", BR_ISOLATED},
                                    {"locked", "locked", BR_PORT_LOCKED}};
constexpr std::string_view state_names[] = {"disabled", "listening", "learning", "forwarding", "blocking"};

u8 take_state(command &c)
{
	const std::string word = c.take("a state");
	const auto at = std::ranges::find(state_names, word);
	if (at != std::end(state_names))
		return static_cast<u8>(at - std::begin(state_names));
	const auto v = parse_number(word, BR_STATE_BLOCKING);
	if (!v)
		c.bad(fmt::format("expected a state of a port, found \"{}\"", word));
	return static_cast<u8>(*v);
}

// One argument of both `bridge link set` and `ip link set ... type bridge_slave`.
bool port_argument(command &c, br_port_attributes &tb)
{
	const std::string word{c.peek()};
	const auto flag = std::ranges::find(port_flags, word, &port_flag::link_name);
	if (flag != std::end(port_flags)) {
		c.take("");
		(take_bool(c, word) ? tb.flags_on : tb.flags_off) |= flag->bit;
		return true;
	}
	if (c.eat("cost", 4))
		tb.cost = number<u32>(c, "a cost", most_clock);
	else if (c.eat("priority", 4))
		tb.priority = number<u16>(c, "a priority", 0xffff);
	else if (c.eat("state", 5))
		tb.state = take_state(c);
	else if (c.eat("group_fwd_mask", 14))
		tb.group_fwd_mask = number<u16>(c, "a mask", 0xffff);
	else if (c.eat("mcast_router", 12))
		tb.multicast_router = number<u8>(c, "a kind of router", 3);
	else if (c.eat("backup_port", 11))
		tb.backup_port = &c.take_device("a port");
	else if (c.eat("nobackup_port", 13))
		tb.backup_port = nullptr;
	else if (c.eat("fdb_flush", 9))
		tb.flush = true;
	else
		return false;
	return true;
}

net_bridge_port &port_of(net_device &dev)
{
	if (net_bridge_port *p = br_port_get_rtnl(dev))
		return *p;
	command::answer(-EOPNOTSUPP);
	__builtin_unreachable();
}

// --- bridge fdb ---

template <class Fn> void for_each_entry(net_bridge &br, Fn fn)
{
	br_for_each<net_bridge_fdb_entry, &net_bridge_fdb_entry::fdb_node>(br.fdb_list, fn);
}

void fdb_change(command &c, bool add, u16 flags)
{
	std::optional<mac_addr> addr;
	net_device *dev = nullptr;
	bool permanent = true, dynamic = false, sticky = false, self = false;
	u16 vid = 0;

	while (c.more()) {
		if (c.eat("dev", 3))
			dev = &c.take_device("a device");
		else if (c.eat("master", 6))
			self = false;
		else if (c.eat("self", 4))
			self = true;
		else if (c.eat("local", 5) || c.eat("permanent", 4))
			permanent = true;
		else if (c.eat("static", 4) || c.eat("temp", 4))
			permanent = false;
		else if (c.eat("dynamic", 3))
			dynamic = true;
		else if (c.eat("sticky", 6))
			sticky = true;
		else if (c.eat("vlan", 4))
			vid = number<u16>(c, "a VLAN", 4094);
		else if (!addr)
			addr = take_mac(c);
		else
			c.bad(fmt::format(
				"expected an argument of `bridge fdb' that is modelled, found \"{}\"",
				c.peek()));
	}
	if (!addr || !dev)
		c.bad("expected ADDRESS dev DEVICE");
	// A device's own table, where it is no bridge.
	if (self && !netif_is_bridge_master(*dev))
		c.not_modelled("an address of the device itself (self)");
	if (!add) {
		command::answer(br_fdb_delete(*dev, *addr, vid));
		return;
	}
	const u8 state = dynamic ? NUD_REACHABLE : permanent && !sticky ? NUD_PERMANENT : NUD_NOARP;
	command::answer(br_fdb_add(*dev, *addr, vid, state, sticky, flags));
}

std::string fdb_line(const net_bridge &br, const net_bridge_fdb_entry &f, bool with_device)
{
	const net_device &dev = f.dst ? *f.dst->dev : *br.dev;
	std::string line = mac_text(f.key.addr);
	if (with_device)
		line += fmt::format(" dev {}", dev.name);
	if (f.key.vlan_id)
		line += fmt::format(" vlan {}", f.key.vlan_id);
	line += fmt::format(" master {} ", br.dev->name);
	if (f.flags & BR_FDB_STICKY)
		line += "sticky ";
	switch (fdb_to_nud(br, f)) {
	case NUD_PERMANENT:
		line += "permanent";
		break;
	case NUD_NOARP:
		line += "static";
		break;
	case NUD_STALE:
		line += "stale";
		break;
	}
	return line + "\n";
}

void fdb_show(command &c)
{
	const net_device *port = nullptr, *only = nullptr;
	std::optional<u16> vid;

	while (c.more()) {
		if (c.eat("brport", 6) || c.eat("dev", 3))
			port = &c.take_device("a device");
		else if (c.eat("br", 2))
			only = &c.take_device("a bridge");
		else if (c.eat("vlan", 4))
			vid = number<u16>(c, "a VLAN", 4094);
		else
			port = &c.take_device("a device");
	}
	// Device by device, as the kernel goes through them.
	for (net_device *dev : c.in->dev_list) {
		const net_bridge_port *p = br_port_get_rtnl(*dev);
		net_bridge *br = netif_is_bridge_master(*dev) ? &bridge_of(*dev) : p ? p->br : nullptr;
		if (!br || (only && br->dev != only) || (port && dev != port))
			continue;
		for_each_entry(*br, [&](const net_bridge_fdb_entry &f) {
			if ((f.dst ? f.dst->dev : br->dev) == dev && (!vid || f.key.vlan_id == *vid))
				c.out += fdb_line(*br, f, !port);
		});
	}
}

void fdb_get(command &c)
{
	std::optional<mac_addr> addr;
	net_device *br = nullptr;
	u16 vid = 0;

	while (c.more()) {
		if (c.eat("br", 2))
			br = &c.take_device("a bridge");
		else if (c.eat("dev", 3) || c.eat("brport", 6))
			br = c.take_device("a port").master;
		else if (c.eat("vlan", 4))
			vid = number<u16>(c, "a VLAN", 4094);
		else if (!c.eat("master", 6))
			addr = take_mac(c);
	}
	if (!addr || !br || !netif_is_bridge_master(*br))
		c.bad("expected ADDRESS br BRIDGE");
	const net_bridge_fdb_entry *f = br_fdb_find_rcu(bridge_of(*br), *addr, vid);
	if (!f)
		command::answer(-ENOENT, "Fdb entry not found");
	c.out += fdb_line(bridge_of(*br), *f, true);
}

void fdb(command &c)
{
	if (c.eat("get"))
		fdb_get(c);
	else if (c.eat("add"))
		fdb_change(c, true, NLM_F_CREATE | NLM_F_EXCL);
	else if (c.eat("append", 2))
		fdb_change(c, true, NLM_F_CREATE);
	else if (c.eat("replace", 3))
		fdb_change(c, true, NLM_F_CREATE | NLM_F_REPLACE);
	else if (c.eat("delete") || c.eat("del"))
		fdb_change(c, false, 0);
	else if (!c.more() || c.eat("show") || c.eat("list"))
		fdb_show(c);
	else
		c.not_modelled(fmt::format("`bridge fdb {}'", c.peek()));
}

// --- bridge vlan ---

void vlan_change(command &c, bool add)
{
	net_device *dev = nullptr;
	u16 first = 0, last = 0, flags = 0;
	bool self = false;

	while (c.more()) {
		if (c.eat("dev", 3)) {
			dev = &c.take_device("a device");
		} else if (c.eat("vid", 3)) {
			const std::string word = c.take("a VLAN, or FIRST-LAST");
			const std::size_t dash = word.find('-');
			const auto from = parse_number(word.substr(0, dash), 4094);
			const auto to =
				dash == std::string::npos ? from : parse_number(word.substr(dash + 1), 4094);
			if (!from || !to || !*from || *to < *from)
				c.bad(fmt::format(
					"expected a VLAN from 1 to 4094, or FIRST-LAST, found \"{}\"", word));
			first = static_cast<u16>(*from);
			last = static_cast<u16>(*to);
		} else if (c.eat("pvid", 4)) {
			flags |= BRIDGE_VLAN_INFO_PVID;
		} else if (c.eat("untagged", 2)) {
			flags |= BRIDGE_VLAN_INFO_UNTAGGED;
		} else if (c.eat("self", 4)) {
			self = true;
		} else if (!c.eat("master", 6)) {
			c.bad(fmt::format(
				"expected an argument of `bridge vlan' that is modelled, found \"{}\"",
				c.peek()));
		}
	}
	if (!dev || !first)
		c.bad("expected dev DEVICE vid VLAN");
	if (first != last && (flags & BRIDGE_VLAN_INFO_PVID))
		command::answer(-EINVAL);
	if (netif_is_bridge_master(*dev) && !self)
		command::answer(-EOPNOTSUPP);
	for (u16 vid = first; vid <= last; ++vid) {
		bool changed;
		int err;
		if (netif_is_bridge_master(*dev)) {
			net_bridge &br = bridge_of(*dev);
			err = add ? br_vlan_add(br, vid, static_cast<u16>(flags | BRIDGE_VLAN_INFO_BRENTRY),
			                        changed)
			          : br_vlan_delete(br, vid);
		} else {
			net_bridge_port &p = port_of(*dev);
			err = add ? nbp_vlan_add(p, vid, flags, changed) : nbp_vlan_delete(p, vid);
		}
		if (err != -ENOENT) // what is not there is deleted
			command::answer(err);
	}
}

void vlan_show(command &c)
{
	const net_device *only = nullptr;
	if (c.eat("dev", 3))
		only = &c.take_device("a device");
	c.done();
	c.out += "port              vlan-id  \n";
	for (net_device *dev : c.in->dev_list) {
		const net_bridge_port *p = br_port_get_rtnl(*dev);
		net_bridge_vlan_group *vg = netif_is_bridge_master(*dev) ? br_vlan_group(bridge_of(*dev))
		                            : p                          ? nbp_vlan_group(*p)
		                                                         : nullptr;
		std::string name = dev->name;
		if (!vg || (only && dev != only))
			continue;
		br_for_each<net_bridge_vlan, &net_bridge_vlan::vlist>(
			vg->vlan_list, [&](const net_bridge_vlan &v) {
				if (!br_vlan_should_use(v))
					return;
				c.out += fmt::format(
					"{:<17} {}{}{}\n", name, v.vid, vg->pvid == v.vid ? " PVID" : "",
					v.flags & BRIDGE_VLAN_INFO_UNTAGGED ? " Egress Untagged" : "");
				name.clear();
			});
	}
}

void vlan(command &c)
{
	if (c.eat("add"))
		vlan_change(c, true);
	else if (c.eat("delete") || c.eat("del"))
		vlan_change(c, false);
	else if (!c.more() || c.eat("show") || c.eat("list"))
		vlan_show(c);
	else
		c.not_modelled(fmt::format("`bridge vlan {}'", c.peek()));
}

// --- bridge link ---

// The number of the other end's device, taken for one of this namespace, as `bridge' takes it.
std::string other_end(const net_device &dev)
{
	const int iflink = dev_get_iflink(dev);
	if (iflink == dev.ifindex)
		return {};
	const net_device *named = __dev_get_by_index(*dev.nd_net, iflink);
	return "@" + (named ? named->name : fmt::format("if{}", iflink));
}

void link(command &c)
{
	if (c.eat("set")) {
		br_port_attributes tb;
		net_device *dev = nullptr;
		while (c.more()) {
			if (c.eat("dev", 3))
				dev = &c.take_device("a device");
			else if (!port_argument(c, tb) && !c.eat("master", 6))
				c.bad(fmt::format(
					"expected an argument of `bridge link set' that is modelled, found \"{}\"",
					c.peek()));
		}
		if (!dev)
			c.bad("expected dev DEVICE");
		command::answer(br_setport(port_of(*dev), tb));
		return;
	}
	if (c.more() && !c.eat("show") && !c.eat("list"))
		c.not_modelled(fmt::format("`bridge link {}'", c.peek()));
	const net_device *only = nullptr;
	if (c.eat("dev", 3))
		only = &c.take_device("a device");
	c.done();
	for (const net_device *dev : c.in->dev_list)
		if (const net_bridge_port *p = br_port_get_rtnl(*dev); p && (!only || dev == only))
			c.out += fmt::format(
				"{}: {}{}: <{}> mtu {} master {} state {} priority {} cost {} \n",
				dev->ifindex, dev->name, other_end(*dev), flags_text(*dev), dev->mtu,
				p->br->dev->name, state_names[p->state], p->priority, p->path_cost);
}

// --- brctl ---

[[noreturn]] void not_a_bridge(const std::string &name)
{
	command::fails(fmt::format("bridge {} does not exist!", name));
}

net_bridge &take_bridge(command &c)
{
	const std::string name = c.take("a bridge");
	net_device *dev = __dev_get_by_name(*c.in, name);
	if (!dev || !netif_is_bridge_master(*dev))
		not_a_bridge(name);
	return bridge_of(*dev);
}

// Seconds, as brctl takes them; in hundredths.
u32 take_seconds(command &c)
{
	const std::string word = c.take("seconds");
	const std::size_t dot = word.find('.');
	std::string hundredths = dot == std::string::npos ? "" : word.substr(dot + 1, 2);
	hundredths.resize(2, '0');
	const auto whole = parse_number(word.substr(0, dot), 1'000'000);
	const auto part = parse_number(hundredths, 99);
	if (!whole || !part)
		c.bad(fmt::format("expected seconds, found \"{}\"", word));
	return static_cast<u32>(*whole * 100 + *part);
}

std::string id_text(const bridge_id &id)
{
	return fmt::format("{:02x}{:02x}.{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}", id.prio[0], id.prio[1],
	                   id.addr[0], id.addr[1], id.addr[2], id.addr[3], id.addr[4], id.addr[5]);
}

// In order of their numbers: the list has the newest first.
std::vector<net_bridge_port *> ports_of(net_bridge &br)
{
	std::vector<net_bridge_port *> ports;
	for_each_port(br, [&](net_bridge_port &p) { ports.push_back(&p); });
	std::ranges::sort(ports, {}, &net_bridge_port::port_no);
	return ports;
}

void brctl_show(command &c)
{
	c.out += "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n";
	for (net_device *dev : c.in->dev_list) {
		if (!netif_is_bridge_master(*dev) || (c.more() && c.peek() != dev->name))
			continue;
		net_bridge &br = bridge_of(*dev);
		std::string line = fmt::format("{}\t\t{}\t{}\t\t", dev->name, id_text(br.bridge_id),
		                               br.stp_enabled == BR_NO_STP ? "no" : "yes");
		for (const net_bridge_port *p : ports_of(br)) {
			c.out += line + p->dev->name + "\n";
			line = "\t\t\t\t\t\t\t";
		}
		if (list_empty(br.port_list))
			c.out += line + "\n";
	}
}

void brctl_showmacs(command &c)
{
	net_bridge &br = take_bridge(c);
	std::vector<const net_bridge_fdb_entry *> entries;
	c.done();
	for_each_entry(br, [&](const net_bridge_fdb_entry &f) {
		if (f.dst && fdb_to_nud(br, f) != NUD_STALE)
			entries.push_back(&f);
	});
	std::ranges::sort(entries, {}, [](const net_bridge_fdb_entry *f) { return f->key.addr; });
	c.out += "port no\tmac addr\t\tis local?\tageing timer\n";
	for (const net_bridge_fdb_entry *f : entries) {
		const u32 age = f->flags & BR_FDB_STATIC ? 0 : jiffies_to_clock_t(jiffies() - f->updated);
		c.out += fmt::format("{:3}\t{}\t{}\t\t{:4}.{:02}\n", f->dst->port_no, mac_text(f->key.addr),
		                     f->flags & BR_FDB_LOCAL ? "yes" : "no", age / 100, age % 100);
	}
}

void brctl_showstp(command &c)
{
	net_bridge &br = take_bridge(c);
	c.done();
	c.out += fmt::format(
		"{}\n bridge id\t\t{}\n designated root\t{}\n root port\t\t{}\t\t\tpath cost\t\t{}\n",
		br.dev->name, id_text(br.bridge_id), id_text(br.designated_root), br.root_port,
		br.root_path_cost);
	for (const net_bridge_port *p : ports_of(br))
		c.out += fmt::format("{} ({})\n port id\t\t{:04x}\t\t\tstate\t\t{:>12}\n", p->dev->name,
		                     p->port_no, p->port_id, state_names[p->state]);
}

// brctl prints what went wrong in its own words.
void brctl_answer(int err, const std::string &said)
{
	if (err)
		command::fails(fmt::format("{}: {}", said, std::strerror(-err)));
}

} // namespace

bool bridge_argument(command &c, br_attributes &data)
{
	if (c.eat("forward_delay", 7))
		data.forward_delay = number<u32>(c, "hundredths of a second", most_clock);
	else if (c.eat("hello_time", 6))
		data.hello_time = number<u32>(c, "hundredths of a second", most_clock);
	else if (c.eat("max_age", 6))
		data.max_age = number<u32>(c, "hundredths of a second", most_clock);
	else if (c.eat("ageing_time", 6))
		data.ageing_time = number<u32>(c, "hundredths of a second", most_clock);
	else if (c.eat("stp_state", 3))
		data.stp_state = number<u32>(c, "0 or 1", 1);
	else if (c.eat("priority", 4))
		data.priority = number<u16>(c, "a priority", 0xffff);
	else if (c.eat("vlan_filtering", 14))
		data.vlan_filtering = take_u8_bool(c, "vlan_filtering");
	else if (c.eat("vlan_default_pvid", 17))
		data.vlan_default_pvid = number<u16>(c, "a VLAN", 4094);
	else if (c.eat("vlan_stats_enabled", 18))
		data.vlan_stats_enabled = take_u8_bool(c, "vlan_stats_enabled");
	else if (c.eat("vlan_protocol", 13))
		data.vlan_protocol = c.eat("802.1ad", 7) ? ETH_P_8021AD : (c.eat("802.1q", 6), ETH_P_8021Q);
	else if (c.eat("group_fwd_mask", 14))
		data.group_fwd_mask = number<u16>(c, "a mask", 0xffff);
	else if (c.eat("group_address", 13))
		data.group_address = take_mac(c);
	else if (c.eat("mcast_snooping", 14))
		data.mcast_snooping = take_u8_bool(c, "mcast_snooping");
	else if (c.eat("mcast_router", 12))
		data.mcast_router = number<u8>(c, "0, 1 or 2", 2);
	else if (c.eat("nf_call_iptables", 16))
		data.nf_call_iptables = take_u8_bool(c, "nf_call_iptables");
	else if (c.eat("nf_call_ip6tables", 17))
		data.nf_call_ip6tables = take_u8_bool(c, "nf_call_ip6tables");
	else if (c.eat("nf_call_arptables", 17))
		data.nf_call_arptables = take_u8_bool(c, "nf_call_arptables");
	else if (c.eat("no_linklocal_learn", 18))
		data.no_linklocal_learn = take_u8_bool(c, "no_linklocal_learn");
	else if (c.eat("fdb_flush", 9))
		data.fdb_flush = true;
	else
		return false;
	return true;
}

void bridge_arguments(command &c, br_attributes &data)
{
	while (c.more())
		if (!bridge_argument(c, data))
			c.bad(fmt::format("expected an option of a bridge that is modelled, found \"{}\"",
			                  c.peek()));
}

void set_type_arguments(command &c, net_device &dev, const std::string &type)
{
	if (type == "bridge") {
		br_attributes data;
		bridge_arguments(c, data);
		if (!netif_is_bridge_master(dev))
			command::answer(-EOPNOTSUPP);
		command::answer(br_changelink(dev, data));
	} else if (type == "bridge_slave") {
		br_port_attributes tb;
		while (c.more())
			if (!port_argument(c, tb))
				c.bad(fmt::format(
					"expected an option of a port that is modelled, found \"{}\"",
					c.peek()));
		command::answer(br_setport(port_of(dev), tb));
	} else {
		c.not_modelled(fmt::format("type {}", type));
	}
}

void set_master(net_device &dev, net_device *master)
{
	if (net_device *old = dev.master) {
		if (old == master)
			return;
		command::answer(old->netdev_ops->ndo_del_slave ? old->netdev_ops->ndo_del_slave(*old, dev)
		                                               : -EOPNOTSUPP);
	}
	if (!master)
		return;
	command::answer(master->netdev_ops->ndo_add_slave ? master->netdev_ops->ndo_add_slave(*master, dev)
	                                                  : -EOPNOTSUPP);
}

void bridge(command &c)
{
	while (c.peek().starts_with('-')) {
		const std::string option = c.take("an option");
		if (option == "-n" || option == "-netns")
			c.in = &c.space(c.take("a namespace"));
		else if (option != "-s" && option != "-d" && option != "-o" && option != "-c")
			c.bad(fmt::format("expected an option of bridge, found \"{}\"", option));
	}
	if (c.eat("link"))
		link(c);
	else if (c.eat("fdb"))
		fdb(c);
	else if (c.eat("vlan"))
		vlan(c);
	else if (!c.more())
		c.bad("expected link, fdb or vlan after bridge");
	else
		c.not_modelled(fmt::format("`bridge {}'", c.peek()));
}

void brctl(command &c)
{
	const std::string verb = c.take("a command of brctl");
	if (verb == "addbr") {
		const std::string name = c.take("a name");
		c.done();
		request_module("bridge");
		const int err = br_add_bridge(*c.in, name);
		if (err == -EEXIST)
			command::fails(fmt::format(
				"device {} already exists; can't create bridge with the same name", name));
		brctl_answer(err, "add bridge failed");
	} else if (verb == "delbr") {
		const std::string name = c.take("a bridge");
		c.done();
		const int err = br_del_bridge(*c.in, name);
		if (err == -ENXIO)
			command::fails(fmt::format("bridge {} doesn't exist; can't delete it", name));
		if (err == -EBUSY)
			command::fails(fmt::format("bridge {} is still up; can't delete it", name));
		brctl_answer(err, fmt::format("can't delete bridge {}", name));
		netdev_run_todo();
	} else if (verb == "addif" || verb == "delif") {
		net_bridge &br = take_bridge(c);
		while (c.more()) {
			const std::string name = c.take("a device");
			net_device *dev = __dev_get_by_name(*c.in, name);
			if (!dev)
				command::fails(fmt::format("interface {} does not exist!", name));
			const int err = verb == "addif" ? br_add_if(br, *dev) : br_del_if(br, *dev);
			if (err == -EBUSY)
				command::fails(fmt::format(
					"device {} is already a member of a bridge; can't add it to bridge {}.",
					name, br.dev->name));
			if (err == -EINVAL && verb == "delif")
				command::fails(
					fmt::format("device {} is not a slave of {}", name, br.dev->name));
			brctl_answer(err, fmt::format("can't {} {} {} bridge {}",
			                              verb == "addif" ? "add" : "delete", name,
			                              verb == "addif" ? "to" : "from", br.dev->name));
		}
	} else if (verb == "stp") {
		net_bridge &br = take_bridge(c);
		const std::string word = c.take("on or off");
		if (word != "on" && word != "yes" && word != "1" && word != "off" && word != "no" &&
		    word != "0")
			command::fails("expect on/off for argument");
		brctl_answer(br_stp_set_enabled(br, word == "on" || word == "yes" || word == "1"),
		             "set stp status failed");
	} else if (verb == "setfd") {
		net_bridge &br = take_bridge(c);
		brctl_answer(br_set_forward_delay(br, take_seconds(c)), "set forward delay failed");
	} else if (verb == "sethello") {
		net_bridge &br = take_bridge(c);
		brctl_answer(br_set_hello_time(br, take_seconds(c)), "set hello timer failed");
	} else if (verb == "setmaxage") {
		net_bridge &br = take_bridge(c);
		brctl_answer(br_set_max_age(br, take_seconds(c)), "set max age failed");
	} else if (verb == "setageing") {
		net_bridge &br = take_bridge(c);
		brctl_answer(br_set_ageing_time(br, take_seconds(c)), "set ageing time failed");
	} else if (verb == "setbridgeprio") {
		net_bridge &br = take_bridge(c);
		br_stp_set_bridge_priority(br, number<u16>(c, "a priority", 0xffff));
	} else if (verb == "setpathcost" || verb == "setportprio" || verb == "hairpin") {
		net_bridge &br = take_bridge(c);
		net_device &dev = c.take_device("a port");
		br_port_attributes tb;
		if (verb == "setpathcost")
			tb.cost = number<u32>(c, "a cost", most_clock);
		else if (verb == "setportprio")
			tb.priority = number<u16>(c, "a priority", 0xffff);
		else
			(take_bool(c, "hairpin") ? tb.flags_on : tb.flags_off) |= BR_HAIRPIN_MODE;
		if (dev.master != br.dev)
			command::fails("can't find port");
		brctl_answer(br_setport(port_of(dev), tb), "set failed");
	} else if (verb == "show") {
		brctl_show(c);
		return;
	} else if (verb == "showmacs") {
		brctl_showmacs(c);
	} else if (verb == "showstp") {
		brctl_showstp(c);
	} else {
		c.not_modelled(fmt::format("`brctl {}'", verb));
	}
	c.done();
}

} // namespace skbwalk::sim
