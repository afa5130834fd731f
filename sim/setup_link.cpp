// SPDX-License-Identifier: GPL-2.0-only
//
// ip link: devices come (veth pairs, bridges), change and go. What one command changes is done in the order
// of the kernel's do_setlink: namespace, address, MTU, name, queue length, flags.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "devices/veth.h"
#include "sim/setup_bridge.h"
#include "stack/kernel/kmod.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk::sim {

namespace {

// As a configuration sees them (rtnl_dev_get_flags): not promiscuous because others want it so.
u32 own_flags(const net_device &dev)
{
	return (dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | (dev.gflags & (IFF_PROMISC | IFF_ALLMULTI));
}

struct link_change {
	std::optional<std::string> netns;
	std::optional<mac_addr> addr;
	std::optional<u32> mtu;
	std::optional<std::string> name;
	std::optional<u32> queue;
	std::optional<net_device *> master; // null: nomaster
	u32 set = 0, clear = 0;             // IFF_*
	bool any = false;
};

void flag(command &c, link_change &change, u32 bit, std::string_view what, bool turned = false)
{
	const bool on = c.take_on_off(what) != turned;
	(on ? change.set : change.clear) |= bit;
}

mac_addr take_mac(command &c)
{
	const std::string word = c.take("a link-layer address");
	const auto mac = parse_mac(word);
	if (!mac)
		c.bad(fmt::format("expected a link-layer address, found \"{}\"", word));
	return *mac;
}

// One argument that both add and set take.
bool common_argument(command &c, link_change &change)
{
	if (c.eat("netns", 4)) {
		change.netns = c.take("a namespace");
		return true;
	}
	if (c.eat("address", 4) || c.eat("lladdr", 2)) {
		change.addr = take_mac(c);
		return true;
	}
	if (c.eat("mtu", 2)) {
		change.mtu = static_cast<u32>(c.take_number("an MTU", 0x7fffffff));
		return true;
	}
	if (c.eat("txqueuelen", 3) || c.eat("txqlen", 3) || c.eat("qlen", 4)) {
		change.queue = static_cast<u32>(c.take_number("a queue length", 0x7fffffff));
		return true;
	}
	return false;
}

net &asked_space(const std::string &name)
{
	if (net *n = name == "1" ? &init_net() : get_net_ns_by_name(name))
		return *n;
	command::fails(fmt::format("Error: argument \"{}\" is wrong: Invalid \"netns\" value", name));
}

void apply(net_device &dev, const link_change &change)
{
	if (change.netns)
		command::answer(dev_change_net_namespace(dev, asked_space(*change.netns), nullptr));
	if (change.addr)
		command::answer(dev_set_mac_address(dev, *change.addr));
	if (change.mtu)
		command::answer(dev_set_mtu(dev, *change.mtu));
	if (change.name)
		command::answer(dev_change_name(dev, *change.name));
	if (change.master)
		set_master(dev, *change.master);
	if (change.queue && *change.queue != dev.tx_queue_len) {
		dev.tx_queue_len = *change.queue;
		command::answer(dev_qdisc_change_tx_queue_len(dev));
	}
	if (change.set || change.clear)
		command::answer(dev_change_flags(dev, (own_flags(dev) | change.set) & ~change.clear));
}

void check_name(command &c, const std::string &name)
{
	if (name.empty() || name.size() > 15 || name.find_first_of("/: ") != std::string::npos ||
	    name == "." || name == "..")
		command::fails(
			fmt::format("Error: argument \"{}\" is wrong: \"name\" not a valid ifname", name));
	static_cast<void>(c);
}

void add(command &c)
{
	link_change own, peers;
	std::string name, peer_name, type;

	while (c.more()) {
		if (c.eat("type", 1)) {
			type = c.take("a type");
			break;
		}
		if (common_argument(c, own))
			continue;
		static_cast<void>(c.eat("name", 4) || c.eat("dev", 3));
		name = c.take("a name");
		check_name(c, name);
	}
	if (type.empty())
		c.bad("expected type TYPE");
	if (type == "bridge") {
		br_attributes data;
		bridge_arguments(c, data);
		net &space = own.netns ? asked_space(*own.netns) : *c.in;
		const std::optional<mac_addr> addr = std::exchange(own.addr, std::nullopt);
		own.netns.reset();
		request_module("bridge");
		const int before = space.ifindex;
		command::answer(br_dev_newlink(space, name.empty() ? "bridge%d" : name, addr, data));
		for (net_device *dev : std::vector<net_device *>(space.dev_list))
			if (dev->ifindex > before)
				apply(*dev, own);
		return;
	}
	if (type != "veth")
		c.not_modelled(fmt::format("type {}", type));
	if (c.eat("peer")) {
		while (c.more()) {
			if (common_argument(c, peers))
				continue;
			static_cast<void>(c.eat("name", 4) || c.eat("dev", 3));
			peer_name = c.take("a name");
			check_name(c, peer_name);
		}
	}
	c.done();

	net &space = own.netns ? asked_space(*own.netns) : *c.in;
	net &peer_space = peers.netns ? asked_space(*peers.netns) : *c.in;
	own.netns.reset();
	peers.netns.reset();
	if ((!name.empty() && __dev_get_by_name(space, name)) ||
	    (!peer_name.empty() && __dev_get_by_name(peer_space, peer_name)))
		command::answer(-EEXIST);
	const int before = space.ifindex;
	command::answer(veth_newlink(space, name.empty() ? "veth%d" : name, peer_space,
	                             peer_name.empty() ? "veth%d" : peer_name));
	for (net_device *dev : std::vector<net_device *>(space.dev_list)) {
		if (dev->ifindex <= before || (!name.empty() && dev->name != name))
			continue;
		net_device *const peer = veth_peer_dev(*dev);
		apply(*dev, own);
		if (peer)
			apply(*peer, peers);
		break;
	}
}

void set(command &c)
{
	link_change change;
	std::string name;

	while (c.more()) {
		if (c.eat("up")) {
			change.set |= IFF_UP;
		} else if (c.eat("down", 2)) {
			change.clear |= IFF_UP;
		} else if (c.eat("name", 4)) {
			change.name = c.take("a name");
			check_name(c, *change.name);
		} else if (c.eat("arp", 3)) {
			flag(c, change, IFF_NOARP, "arp", true);
		} else if (c.eat("promisc", 2)) {
			flag(c, change, IFF_PROMISC, "promisc");
		} else if (c.eat("allmulticast", 4)) {
			flag(c, change, IFF_ALLMULTI, "allmulticast");
		} else if (c.eat("multicast", 2)) {
			flag(c, change, IFF_MULTICAST, "multicast");
		} else if (c.eat("master", 3)) {
			change.master = &c.take_device("a device");
		} else if (c.eat("nomaster", 5)) {
			change.master = nullptr;
		} else if (c.eat("type", 4)) {
			const std::string type = c.take("a type");
			if (name.empty())
				c.bad("expected a device before type");
			apply(c.device(name), change);
			set_type_arguments(c, c.device(name), type);
			return;
		} else if (common_argument(c, change)) {
			continue;
		} else {
			static_cast<void>(c.eat("dev", 3));
			if (!name.empty())
				c.bad(fmt::format(
					"expected an argument of `ip link set' that is modelled, found \"{}\"",
					c.peek()));
			name = c.take("a device");
		}
	}
	if (name.empty())
		c.bad("expected a device");
	apply(c.device(name), change);
}

void del(command &c)
{
	static_cast<void>(c.eat("dev", 3));
	net_device &dev = c.take_device("a device");
	if (c.eat("type"))
		static_cast<void>(c.take("a type"));
	c.done();
	if (dev.link_kind.empty())
		command::answer(-EOPNOTSUPP);
	if (dev.dellink)
		dev.dellink(dev);
	else
		unregister_netdevice(dev);
	netdev_run_todo();
}

// Where the other end is: by the namespace's name, or by the number that this one knows it by.
std::string namespace_text(const net_device &dev, const net &other)
{
	if (!other.name.empty())
		return fmt::format(" link-netns {}", other.name);
	std::vector<const net *> known;
	for (const net_device *d : dev.nd_net->dev_list)
		if (const net_device *peer = d->link_kind == "veth" ? veth_peer_dev(*d) : nullptr;
		    peer && peer->nd_net != dev.nd_net &&
		    std::ranges::find(known, peer->nd_net) == known.end())
			known.push_back(peer->nd_net);
	return fmt::format(" link-netnsid {}", std::ranges::find(known, &other) - known.begin());
}

} // namespace

std::string flags_text(const net_device &dev)
{
	struct {
		u32 bit;
		const char *name;
	} const names[] = {{IFF_LOOPBACK, "LOOPBACK"},   {IFF_BROADCAST, "BROADCAST"},
	                   {IFF_MULTICAST, "MULTICAST"}, {IFF_NOARP, "NOARP"},
	                   {IFF_PROMISC, "PROMISC"},     {IFF_UP, "UP"},
	                   {IFF_LOWER_UP, "LOWER_UP"}};
	const u32 flags = dev_get_flags(dev);
	std::string out;
	if ((flags & IFF_UP) && !netif_carrier_ok(dev))
		out = "NO-CARRIER";
	for (const auto &n : names)
		if (flags & n.bit)
			out += (out.empty() ? "" : ",") + std::string{n.name};
	return out;
}

std::string link_text(net_device &dev, bool of_addresses)
{
	std::string name = dev.name, at;
	if (const net_device *peer = dev.link_kind == "veth" ? veth_peer_dev(dev) : nullptr) {
		name += peer->nd_net == dev.nd_net ? "@" + peer->name : fmt::format("@if{}", peer->ifindex);
		if (peer->nd_net != dev.nd_net)
			at = namespace_text(dev, *peer->nd_net);
	}
	return fmt::format("{}: {}: <{}> mtu {} qdisc {} {}state {} {}group default qlen {}\n"
	                   "    link/{} {} brd {}{}\n",
	                   dev.ifindex, name, flags_text(dev), dev.mtu,
	                   dev.qdisc ? dev.qdisc->ops->id : "noop",
	                   dev.master ? fmt::format("master {} ", dev.master->name) : "",
	                   operstate_name(netif_running(dev) ? dev.operstate : u8{IF_OPER_DOWN}),
	                   of_addresses ? "" : "mode DEFAULT ", dev.tx_queue_len,
	                   dev.flags & IFF_LOOPBACK ? "loopback" : "ether", mac_text(dev.dev_addr),
	                   mac_text(dev.broadcast), at);
}

std::string statistics_text(net_device &dev)
{
	const rtnl_link_stats64 s = dev_get_stats(dev);
	struct column {
		std::string_view rx_name, tx_name;
		u64 rx, tx;
		int width;
	};
	std::array<column, 6> columns{{{"bytes", "bytes", s.rx_bytes, s.tx_bytes, 10},
	                               {"packets", "packets", s.rx_packets, s.tx_packets, 7},
	                               {"errors", "errors", s.rx_errors, s.tx_errors, 6},
	                               {"dropped", "dropped", s.rx_dropped, s.tx_dropped, 7},
	                               {"missed", "carrier", s.rx_missed_errors, 0, 7},
	                               {"mcast", "collsns", s.multicast, 0, 7}}};
	std::string rx_names, rx, tx_names, tx;
	for (column &c : columns) {
		for (const u64 value : {c.rx, c.tx})
			c.width = std::max(c.width, static_cast<int>(fmt::format("{}", value).size()));
		const int of_name = &c == columns.data() ? c.width - 4 : c.width;
		rx_names += fmt::format("{:>{}} ", c.rx_name, of_name);
		tx_names += fmt::format("{:>{}} ", c.tx_name, of_name);
		rx += fmt::format("{:>{}} ", c.rx, c.width);
		tx += fmt::format("{:>{}} ", c.tx, c.width);
	}
	const std::string compressed(10, ' '); // a column that shows only where something was
	return fmt::format("    RX: {}{}\n    {}\n    TX: {}{}\n    {}\n", rx_names, compressed, rx, tx_names,
	                   compressed, tx);
}

void ip_link(command &c)
{
	if (c.eat("add")) {
		add(c);
	} else if (c.eat("set")) {
		set(c);
	} else if (c.eat("delete") || c.eat("del")) {
		del(c);
	} else if (!c.more() || c.eat("show") || c.eat("list") || c.eat("ls")) {
		const net_device *only = nullptr, *master = nullptr;
		std::optional<std::string> kind;
		while (c.more()) {
			if (c.eat("type", 4))
				kind = c.take("a type");
			else if (c.eat("master", 6))
				master = &c.take_device("a device");
			else {
				static_cast<void>(c.eat("dev", 3));
				only = &c.take_device("a device");
			}
		}
		for (net_device *dev : c.in->dev_list) {
			const bool is_kind = !kind || (*kind == "bridge_slave" ? netif_is_bridge_port(*dev)
			                                                       : dev->link_kind == *kind);
			if (!is_kind || (only && dev != only) || (master && dev->master != master))
				continue;
			c.out += link_text(*dev, false);
			if (c.statistics)
				c.out += statistics_text(*dev);
		}
	} else {
		c.not_modelled(fmt::format("`ip link {}'", c.peek()));
	}
}

} // namespace skbwalk::sim
