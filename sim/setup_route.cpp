// SPDX-License-Identifier: GPL-2.0-only
//
// ip route. What is not given is filled in as iproute2 does it: a route without a gateway has link scope, a
// deletion matches any scope and type.
#include <array>
#include <optional>

#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/core/dst.h"
#include "stack/ipv4/ip_fib.h"

namespace skbwalk::sim {

namespace {

struct route_type {
	const char *name;
	u8 type;
};
constexpr route_type route_types[] = {
	{"unicast", RTN_UNICAST},         {"local", RTN_LOCAL},         {"broadcast", RTN_BROADCAST},
	{"anycast", RTN_ANYCAST},         {"multicast", RTN_MULTICAST}, {"blackhole", RTN_BLACKHOLE},
	{"unreachable", RTN_UNREACHABLE}, {"prohibit", RTN_PROHIBIT},   {"throw", RTN_THROW}};

struct named_number {
	const char *name;
	u8 number;
};
constexpr named_number protocols[] = {{"redirect", RTPROT_REDIRECT},
                                      {"kernel", RTPROT_KERNEL},
                                      {"boot", RTPROT_BOOT},
                                      {"static", RTPROT_STATIC}};
constexpr named_number scopes[] = {{"global", RT_SCOPE_UNIVERSE},
                                   {"site", RT_SCOPE_SITE},
                                   {"link", RT_SCOPE_LINK},
                                   {"host", RT_SCOPE_HOST},
                                   {"nowhere", RT_SCOPE_NOWHERE}};
constexpr named_number tables[] = {
	{"default", RT_TABLE_DEFAULT}, {"main", RT_TABLE_MAIN}, {"local", RT_TABLE_LOCAL}};

template <std::size_t N>
u32 number_of(command &c, const named_number (&names)[N], std::string_view what, u64 most)
{
	const std::string word = c.take(what);
	for (const named_number &n : names)
		if (word == n.name)
			return n.number;
	const auto v = parse_number(word, most);
	if (!v)
		c.bad(fmt::format("expected {}, a name or a number, found \"{}\"", what, word));
	return static_cast<u32>(*v);
}

template <std::size_t N> std::string name_or_number(const named_number (&names)[N], u32 number)
{
	for (const named_number &n : names)
		if (number == n.number)
			return n.name;
	return fmt::format("{}", number);
}

struct route_words {
	fib_config cfg;
	std::array<u32, RTAX_MAX> metrics{};
	bool has_metrics = false, has_scope = false, has_type = false, has_dst = false, has_table = false;
};

void set_metric(route_words &w, command &c, int metric, std::string_view what)
{
	const bool locked = c.eat("lock", 4);
	w.metrics[static_cast<std::size_t>(metric - 1)] = static_cast<u32>(c.take_number(what, 0xffffffff));
	if (locked)
		w.metrics[RTAX_LOCK - 1] |= 1U << metric;
	w.has_metrics = true;
}

void nexthop(command &c, route_words &w)
{
	fib_config_nh nh;
	for (;;) {
		if (c.eat("via", 3)) {
			nh.gw = c.take_ipv4("a gateway");
			nh.has_gw = true;
		} else if (c.eat("dev", 3)) {
			nh.oif = c.take_device("a device").ifindex;
		} else if (c.eat("weight", 6)) {
			nh.weight = static_cast<int>(c.take_number("a weight", 256));
		} else if (c.eat("onlink", 6)) {
			nh.flags |= RTNH_F_ONLINK;
		} else {
			break;
		}
	}
	w.cfg.fc_mp.push_back(nh);
}

route_words words_of(command &c, bool deletes)
{
	route_words w;
	fib_config &cfg = w.cfg;

	cfg.fc_net = c.in;
	cfg.fc_protocol = deletes ? RTPROT_UNSPEC : RTPROT_BOOT;
	cfg.fc_type = deletes ? RTN_UNSPEC : RTN_UNICAST;
	while (c.more()) {
		if (c.eat("via", 3)) {
			static_cast<void>(c.eat("inet", 4));
			cfg.fc_gw4 = c.take_ipv4("a gateway");
			cfg.fc_gw_family = AF_INET;
		} else if (c.eat("dev", 3) || c.eat("oif", 3)) {
			cfg.fc_oif = c.take_device("a device").ifindex;
		} else if (c.eat("src", 3)) {
			cfg.fc_prefsrc = c.take_ipv4("a source");
		} else if (c.eat("metric", 3) || c.eat("priority", 4) || c.eat("preference", 4)) {
			cfg.fc_priority = static_cast<u32>(c.take_number("a metric", 0xffffffff));
		} else if (c.eat("scope", 2)) {
			cfg.fc_scope = static_cast<u8>(number_of(c, scopes, "a scope", 255));
			w.has_scope = true;
		} else if (c.eat("protocol", 5)) {
			cfg.fc_protocol = static_cast<u8>(number_of(c, protocols, "a protocol", 255));
		} else if (c.eat("table", 5)) {
			cfg.fc_table = number_of(c, tables, "a table", 0xffffffff);
			w.has_table = true;
		} else if (c.eat("onlink", 6)) {
			cfg.fc_flags |= RTNH_F_ONLINK;
		} else if (c.eat("mtu", 3)) {
			set_metric(w, c, RTAX_MTU, "an MTU");
		} else if (c.eat("advmss", 4)) {
			set_metric(w, c, RTAX_ADVMSS, "an MSS");
		} else if (c.eat("window", 3)) {
			set_metric(w, c, RTAX_WINDOW, "a window");
		} else if (c.eat("cwnd", 4)) {
			set_metric(w, c, RTAX_CWND, "a window");
		} else if (c.eat("ssthresh", 4)) {
			set_metric(w, c, RTAX_SSTHRESH, "a threshold");
		} else if (c.eat("initcwnd", 5)) {
			set_metric(w, c, RTAX_INITCWND, "a window");
		} else if (c.eat("initrwnd", 5)) {
			set_metric(w, c, RTAX_INITRWND, "a window");
		} else if (c.eat("hoplimit", 4)) {
			set_metric(w, c, RTAX_HOPLIMIT, "a hop limit");
		} else if (c.eat("quickack", 6)) {
			set_metric(w, c, RTAX_QUICKACK, "0 or 1");
		} else if (c.eat("nexthop", 7)) {
			nexthop(c, w);
		} else if (c.eat("tos", 3) || c.eat("dsfield", 7)) {
			cfg.fc_tos = static_cast<u8>(c.take_number("a type of service", 255));
		} else {
			const std::string_view word = c.peek();
			bool typed = false;
			for (const route_type &t : route_types) {
				if (!w.has_type && !w.has_dst && word == t.name) {
					cfg.fc_type = t.type;
					w.has_type = typed = true;
					static_cast<void>(c.take("a type"));
					break;
				}
			}
			if (typed)
				continue;
			if (w.has_dst)
				c.bad(fmt::format(
					"expected an argument of `ip route' that is modelled, found \"{}\"",
					word));
			static_cast<void>(c.eat("to", 2));
			const ipv4_prefix p = c.take_prefix("a destination");
			cfg.fc_dst = p.addr;
			cfg.fc_dst_len = p.length;
			w.has_dst = true;
		}
	}
	const bool is_local =
		cfg.fc_type == RTN_LOCAL || cfg.fc_type == RTN_BROADCAST || cfg.fc_type == RTN_ANYCAST;
	if (!w.has_table)
		cfg.fc_table = is_local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	if (!w.has_scope) {
		if (cfg.fc_type == RTN_LOCAL)
			cfg.fc_scope = RT_SCOPE_HOST;
		else if (cfg.fc_type == RTN_BROADCAST || cfg.fc_type == RTN_MULTICAST ||
		         cfg.fc_type == RTN_ANYCAST)
			cfg.fc_scope = RT_SCOPE_LINK;
		else if (deletes)
			cfg.fc_scope = RT_SCOPE_NOWHERE;
		else if ((cfg.fc_type == RTN_UNICAST || cfg.fc_type == RTN_UNSPEC) && !cfg.fc_gw_family &&
		         cfg.fc_mp.empty())
			cfg.fc_scope = RT_SCOPE_LINK;
	}
	if (!w.has_dst)
		c.bad("expected a destination");
	return w;
}

void change(command &c, u16 flags)
{
	route_words w = words_of(c, false);
	netlink_ext_ack said;
	w.cfg.fc_nlflags = flags;
	w.cfg.fc_mx = w.has_metrics ? &w.metrics : nullptr;
	const int err = inet_rtm_newroute(*c.in, w.cfg, &said);
	command::answer(err, said.msg);
}

std::string device_name(const net &space, int ifindex)
{
	const net_device *dev = __dev_get_by_index(const_cast<net &>(space), ifindex);
	return dev ? dev->name : fmt::format("if{}", ifindex);
}

void nexthop_text(std::string &out, const net &space, const fib_nh_common &nhc)
{
	if (nhc.nhc_gw_family)
		out += fmt::format(" via {}", ipv4_text(nhc.nhc_gw4));
	if (nhc.nhc_oif)
		out += fmt::format(" dev {}", device_name(space, nhc.nhc_oif));
}

struct listing {
	const net &space;
	std::string out;
};

void route_line(const fib_rt_info &fri, void *arg)
{
	listing &to = *static_cast<listing *>(arg);
	const fib_info &fi = *fri.fi;
	std::string line;

	if (fri.type != RTN_UNICAST)
		for (const route_type &t : route_types)
			if (t.type == fri.type)
				line += fmt::format("{} ", t.name);
	if (fri.dst_len == 0)
		line += "default";
	else if (fri.dst_len == 32)
		line += ipv4_text(fri.dst);
	else
		line += fmt::format("{}/{}", ipv4_text(fri.dst), fri.dst_len);
	if (fib_info_num_path(fi) == 1)
		nexthop_text(line, to.space, fib_info_nhc(fi, 0));
	if (fi.fib_protocol != RTPROT_BOOT)
		line += fmt::format(" proto {}", name_or_number(protocols, fi.fib_protocol));
	if (fi.fib_scope != RT_SCOPE_UNIVERSE)
		line += fmt::format(" scope {}", name_or_number(scopes, fi.fib_scope));
	if (fi.fib_prefsrc)
		line += fmt::format(" src {}", ipv4_text(fi.fib_prefsrc));
	if (fi.fib_priority)
		line += fmt::format(" metric {}", fi.fib_priority);
	if (const u32 mtu = fib_metric(fi, RTAX_MTU))
		line += fmt::format(" mtu {}", mtu);
	if (fib_info_nhc(fi, 0).nhc_flags & RTNH_F_LINKDOWN)
		line += " linkdown";
	to.out += line + " \n";
	if (fib_info_num_path(fi) > 1) {
		for (int i = 0; i < fib_info_num_path(fi); ++i) {
			std::string hop;
			nexthop_text(hop, to.space, fib_info_nhc(fi, i));
			to.out += fmt::format("\tnexthop{} weight {}\n", hop, fib_info_nhc(fi, i).nhc_weight);
		}
	}
}

// Without a rule, `local` and `main` are one trie: the lines of the other table are left out by table id.
struct one_table {
	listing list;
	u32 id;
};

void show(command &c)
{
	u32 id = RT_TABLE_MAIN;
	while (c.more()) {
		if (c.eat("table", 5))
			id = number_of(c, tables, "a table", 0xffffffff);
		else
			c.done();
	}
	fib_table *tb = fib_get_table(*c.in, id);
	if (!tb)
		return;
	one_table state{{*c.in, {}}, id};
	fib_table_dump(
		*tb,
		[](const fib_rt_info &fri, void *arg) {
			one_table &t = *static_cast<one_table *>(arg);
			if (fri.tb_id == t.id)
				route_line(fri, &t.list);
		},
		&state);
	c.out += state.list.out;
}

void get(command &c)
{
	flowi4 fl4;
	static_cast<void>(c.eat("to", 2));
	fl4.daddr = c.take_ipv4("a destination");
	while (c.more()) {
		if (c.eat("from", 4))
			fl4.saddr = c.take_ipv4("a source");
		else if (c.eat("oif", 3) || c.eat("dev", 3))
			fl4.flowi4_oif = c.take_device("a device").ifindex;
		else
			c.not_modelled(fmt::format("the argument {}", c.peek()));
	}
	const be32 wanted = fl4.daddr;
	const rt_or_err found = ip_route_output_key_hash(*c.in, fl4, nullptr);
	if (!found.rt)
		command::answer(found.err ? found.err : -ENETUNREACH);
	const rtable &rt = *found.rt;
	if (rt.rt_type == RTN_LOCAL)
		c.out += "local ";
	else if (rt.rt_type == RTN_BROADCAST)
		c.out += "broadcast ";
	c.out += ipv4_text(wanted);
	if (rt.rt_gw_family)
		c.out += fmt::format(" via {}", ipv4_text(rt.rt_gw4));
	c.out += fmt::format(" dev {} src {} uid 0 \n    cache {}\n", rt.dev->name, ipv4_text(fl4.saddr),
	                     rt.rt_type == RTN_LOCAL ? "<local> " : "");
	dst_release(found.rt);
}

} // namespace

void ip_route(command &c)
{
	if (c.eat("add")) {
		change(c, NLM_F_CREATE | NLM_F_EXCL);
	} else if (c.eat("append", 3)) {
		change(c, NLM_F_CREATE | NLM_F_APPEND);
	} else if (c.eat("replace", 3)) {
		change(c, NLM_F_CREATE | NLM_F_REPLACE);
	} else if (c.eat("change") || c.eat("chg")) {
		change(c, NLM_F_REPLACE);
	} else if (c.eat("delete") || c.eat("del")) {
		route_words w = words_of(c, true);
		netlink_ext_ack said;
		const int err = inet_rtm_delroute(*c.in, w.cfg, &said);
		command::answer(err, said.msg);
	} else if (c.eat("get")) {
		get(c);
	} else if (c.eat("flush", 2)) {
		if (!c.eat("cache", 5))
			c.not_modelled("`ip route flush' of anything but the cache");
		c.done();
	} else if (!c.more() || c.eat("show") || c.eat("list") || c.eat("ls")) {
		show(c);
	} else {
		c.not_modelled(fmt::format("`ip route {}'", c.peek()));
	}
}

} // namespace skbwalk::sim
