// SPDX-License-Identifier: GPL-2.0-only
//
// The matches of iptables: what each option stores, and how it is printed again (libxt_*.c, libipt_*.c).
#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "sim/setup_iptables.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk::sim {

namespace {

constexpr struct {
	std::string_view name;
	u16 number;
} protocols[] = {{"ip", 0},   {"icmp", 1}, {"igmp", 2},   {"tcp", 6},       {"udp", 17}, {"gre", 47},
                 {"esp", 50}, {"ah", 51},  {"sctp", 132}, {"udplite", 136}, {"all", 0}};
constexpr struct {
	std::string_view name;
	u16 port;
} services[] = {{"ftp", 21},     {"ssh", 22},       {"telnet", 23}, {"smtp", 25},  {"domain", 53},
                {"bootps", 67},  {"bootpc", 68},    {"tftp", 69},   {"http", 80},  {"pop3", 110},
                {"sunrpc", 111}, {"ntp", 123},      {"imap2", 143}, {"snmp", 161}, {"https", 443},
                {"syslog", 514}, {"http-alt", 8080}};

std::vector<std::string> split(const std::string &text, char at)
{
	std::vector<std::string> out{""};
	for (const char ch : text) {
		if (ch == at)
			out.emplace_back();
		else
			out.back() += ch;
	}
	return out;
}

template <class T> T &data_as(xt_data &d)
{
	assert(d.size() == sizeof(T));
	return *static_cast<T *>(d.get());
}

// A:B, A:, :B or A.
void parse_ports(const std::string &word, u16 (&range)[2])
{
	const auto parts = split(word, ':');
	if (parts.size() == 1) {
		range[0] = range[1] = parse_port(word);
		return;
	}
	if (parts.size() > 2)
		iptables_usage(fmt::format("invalid port/service `{}' specified", word));
	range[0] = parts[0].empty() ? 0 : parse_port(parts[0]);
	range[1] = parts[1].empty() ? 0xffff : parse_port(parts[1]);
	if (range[0] > range[1])
		iptables_usage(fmt::format("invalid portrange (min > max)"));
}

std::string save_ports(const char *option, const u16 (&range)[2], bool invert)
{
	if (range[0] == 0 && range[1] == 0xffff && !invert)
		return {};
	const std::string head = fmt::format("{} {} ", invert ? " !" : "", option);
	return range[0] == range[1] ? fmt::format("{}{}", head, range[0])
	                            : fmt::format("{}{}:{}", head, range[0], range[1]);
}

std::string print_ports(const char *name, const u16 (&range)[2], bool invert, u32 proto, bool numeric)
{
	if (range[0] == 0 && range[1] == 0xffff && !invert)
		return {};
	const char *no = invert ? "!" : "";
	return range[0] == range[1]
	               ? fmt::format(" {}:{}{}", name, no, port_name(range[0], proto, numeric))
	               : fmt::format(" {}s:{}{}:{}", name, no, port_name(range[0], proto, numeric),
	                             port_name(range[1], proto, numeric));
}

// ---- tcp, udp -------------------------------------------------------------------------------------------

constexpr struct {
	std::string_view name;
	u8 bits;
} tcp_flag_names[] = {{"FIN", 0x01}, {"SYN", 0x02}, {"RST", 0x04}, {"PSH", 0x08},
                      {"ACK", 0x10}, {"URG", 0x20}, {"ALL", 0x3f}, {"NONE", 0}};

u8 parse_tcp_flags(const std::string &word)
{
	u8 bits = 0;
	for (const std::string &one : split(word, ',')) {
		const auto known =
			std::ranges::find(tcp_flag_names, one, [](const auto &f) { return f.name; });
		if (known == std::end(tcp_flag_names))
			iptables_usage(fmt::format("Unknown TCP flag `{}'", one));
		bits |= known->bits;
	}
	return bits;
}

std::string tcp_flags_text(u8 bits)
{
	std::string out;
	if (!bits)
		return "NONE";
	for (const auto &f : tcp_flag_names)
		if (f.name != "ALL" && f.bits && (bits & f.bits) == f.bits)
			out += (out.empty() ? "" : ",") + std::string{f.name};
	return out;
}

bool tcp_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &t = data_as<xt_tcp>(data);
	if (o == "--sport" || o == "--source-port") {
		parse_ports(w.argument(o), t.spts);
		t.invflags |= w.invert ? XT_TCP_INV_SRCPT : 0;
	} else if (o == "--dport" || o == "--destination-port") {
		parse_ports(w.argument(o), t.dpts);
		t.invflags |= w.invert ? XT_TCP_INV_DSTPT : 0;
	} else if (o == "--syn") {
		t.flg_mask = 0x17;
		t.flg_cmp = 0x02;
		t.invflags |= w.invert ? XT_TCP_INV_FLAGS : 0;
	} else if (o == "--tcp-flags") {
		t.flg_mask = parse_tcp_flags(w.argument(o));
		if (!w.c.more())
			iptables_usage("--tcp-flags requires two args.");
		t.flg_cmp = parse_tcp_flags(w.c.take("flags"));
		t.invflags |= w.invert ? XT_TCP_INV_FLAGS : 0;
	} else if (o == "--tcp-option") {
		t.option = static_cast<u8>(parse_number(w.argument(o), 255).value_or(0));
		t.invflags |= w.invert ? XT_TCP_INV_OPTION : 0;
	} else {
		return false;
	}
	return true;
}

std::string tcp_save(const xt_data &data)
{
	const auto &t = data.as<xt_tcp>();
	std::string out = save_ports("--sport", t.spts, t.invflags & XT_TCP_INV_SRCPT) +
	                  save_ports("--dport", t.dpts, t.invflags & XT_TCP_INV_DSTPT);
	if (t.option || (t.invflags & XT_TCP_INV_OPTION))
		out += fmt::format("{} --tcp-option {}", t.invflags & XT_TCP_INV_OPTION ? " !" : "",
		                   t.option);
	if (t.flg_mask || t.flg_cmp)
		out += fmt::format("{} --tcp-flags {} {}", t.invflags & XT_TCP_INV_FLAGS ? " !" : "",
		                   tcp_flags_text(t.flg_mask), tcp_flags_text(t.flg_cmp));
	return out;
}

std::string tcp_print(const xt_data &data, bool numeric)
{
	const auto &t = data.as<xt_tcp>();
	std::string out = " tcp" +
	                  print_ports("spt", t.spts, t.invflags & XT_TCP_INV_SRCPT, IPPROTO_TCP, numeric) +
	                  print_ports("dpt", t.dpts, t.invflags & XT_TCP_INV_DSTPT, IPPROTO_TCP, numeric);
	if (t.option || (t.invflags & XT_TCP_INV_OPTION))
		out += fmt::format(" option={}{}", t.invflags & XT_TCP_INV_OPTION ? "!" : "", t.option);
	if (t.flg_mask || (t.invflags & XT_TCP_INV_FLAGS)) {
		const char *no = t.invflags & XT_TCP_INV_FLAGS ? "!" : "";
		out += numeric ? fmt::format(" flags:{}0x{:02X}/0x{:02X}", no, t.flg_mask, t.flg_cmp)
		               : fmt::format(" flags:{}{}/{}", no, tcp_flags_text(t.flg_mask),
		                             tcp_flags_text(t.flg_cmp));
	}
	return out;
}

bool udp_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &u = data_as<xt_udp>(data);
	if (o == "--sport" || o == "--source-port") {
		parse_ports(w.argument(o), u.spts);
		u.invflags |= w.invert ? XT_UDP_INV_SRCPT : 0;
	} else if (o == "--dport" || o == "--destination-port") {
		parse_ports(w.argument(o), u.dpts);
		u.invflags |= w.invert ? XT_UDP_INV_DSTPT : 0;
	} else {
		return false;
	}
	return true;
}

std::string udp_save(const xt_data &data)
{
	const auto &u = data.as<xt_udp>();
	return save_ports("--sport", u.spts, u.invflags & XT_UDP_INV_SRCPT) +
	       save_ports("--dport", u.dpts, u.invflags & XT_UDP_INV_DSTPT);
}

std::string udp_print(const xt_data &data, bool numeric)
{
	const auto &u = data.as<xt_udp>();
	return " udp" + print_ports("spt", u.spts, u.invflags & XT_UDP_INV_SRCPT, IPPROTO_UDP, numeric) +
	       print_ports("dpt", u.dpts, u.invflags & XT_UDP_INV_DSTPT, IPPROTO_UDP, numeric);
}

// ---- icmp -----------------------------------------------------------------------------------------------

constexpr struct {
	std::string_view name;
	u8 type, min, max;
} icmp_names[] = {{"any", 0xff, 0, 0xff},
                  {"echo-reply", 0, 0, 0xff},
                  {"pong", 0, 0, 0xff},
                  {"destination-unreachable", 3, 0, 0xff},
                  {"network-unreachable", 3, 0, 0},
                  {"host-unreachable", 3, 1, 1},
                  {"protocol-unreachable", 3, 2, 2},
                  {"port-unreachable", 3, 3, 3},
                  {"fragmentation-needed", 3, 4, 4},
                  {"source-route-failed", 3, 5, 5},
                  {"network-unknown", 3, 6, 6},
                  {"host-unknown", 3, 7, 7},
                  {"network-prohibited", 3, 9, 9},
                  {"host-prohibited", 3, 10, 10},
                  {"communication-prohibited", 3, 13, 13},
                  {"source-quench", 4, 0, 0xff},
                  {"redirect", 5, 0, 0xff},
                  {"echo-request", 8, 0, 0xff},
                  {"ping", 8, 0, 0xff},
                  {"router-advertisement", 9, 0, 0xff},
                  {"router-solicitation", 10, 0, 0xff},
                  {"time-exceeded", 11, 0, 0xff},
                  {"ttl-zero-during-transit", 11, 0, 0},
                  {"ttl-zero-during-reassembly", 11, 1, 1},
                  {"parameter-problem", 12, 0, 0xff},
                  {"timestamp-request", 13, 0, 0xff},
                  {"timestamp-reply", 14, 0, 0xff},
                  {"address-mask-request", 17, 0, 0xff},
                  {"address-mask-reply", 18, 0, 0xff}};

bool icmp_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--icmp-type")
		return false;
	auto &i = data_as<ipt_icmp>(data);
	const std::string word = w.argument(o);
	const auto known = std::ranges::find(icmp_names, word, [](const auto &n) { return n.name; });
	if (known != std::end(icmp_names)) {
		i.type = known->type;
		i.code[0] = known->min;
		i.code[1] = known->max;
	} else {
		const auto parts = split(word, '/');
		const auto type = parse_number(parts[0], 255);
		if (!type || parts.size() > 2)
			iptables_usage(fmt::format("Invalid ICMP type `{}'", word));
		i.type = static_cast<u8>(*type);
		i.code[0] = 0;
		i.code[1] = 0xff;
		if (parts.size() == 2) {
			const auto code = parse_number(parts[1], 255);
			if (!code)
				iptables_usage(fmt::format("Invalid ICMP code `{}'", parts[1]));
			i.code[0] = i.code[1] = static_cast<u8>(*code);
		}
	}
	i.invflags = w.invert ? IPT_ICMP_INV : 0;
	return true;
}

std::string icmp_save(const xt_data &data)
{
	const auto &i = data.as<ipt_icmp>();
	std::string out = i.invflags & IPT_ICMP_INV ? " !" : "";
	if (i.type == 0xff)
		return out + " --icmp-type any";
	out += fmt::format(" --icmp-type {}", i.type);
	if (i.code[0] != 0 || i.code[1] != 0xff)
		out += fmt::format("/{}", i.code[0]);
	return out;
}

std::string icmp_print(const xt_data &data, bool numeric)
{
	const auto &i = data.as<ipt_icmp>();
	const char *no = i.invflags & IPT_ICMP_INV ? "!" : "";
	if (!numeric)
		for (const auto &n : icmp_names)
			if (n.type == i.type && n.min == i.code[0] && n.max == i.code[1])
				return fmt::format(" icmp {}{}", no, n.name);
	if (i.type == 0xff && !numeric)
		return " icmp any";
	if (i.code[0] == 0 && i.code[1] == 0xff)
		return *no ? fmt::format(" icmp !type {}", i.type) : fmt::format(" icmptype {}", i.type);
	return i.invflags & IPT_ICMP_INV ? fmt::format(" icmp !type {} code {}", i.type, i.code[0])
	                                 : fmt::format(" icmptype {} code {}", i.type, i.code[0]);
}

// ---- conntrack, state -----------------------------------------------------------------------------------

constexpr struct {
	std::string_view name;
	u16 bit;
} state_names[] = {{"INVALID", XT_CONNTRACK_STATE_INVALID},
                   {"NEW", XT_CONNTRACK_STATE_NEW},
                   {"RELATED", XT_CONNTRACK_STATE_RELATED},
                   {"ESTABLISHED", XT_CONNTRACK_STATE_ESTABLISHED},
                   {"UNTRACKED", XT_CONNTRACK_STATE_UNTRACKED},
                   {"SNAT", XT_CONNTRACK_STATE_SNAT},
                   {"DNAT", XT_CONNTRACK_STATE_DNAT}};
constexpr struct {
	std::string_view name;
	u16 bit;
} status_names[] = {{"EXPECTED", 1}, {"SEEN_REPLY", 2}, {"ASSURED", 4}, {"CONFIRMED", 8}};

template <class Names> u16 parse_bits(const std::string &word, const Names &names, std::string_view what)
{
	u16 bits = 0;
	for (const std::string &one : split(word, ',')) {
		const auto known = std::ranges::find(names, one, [](const auto &n) { return n.name; });
		if (known == std::end(names))
			iptables_usage(fmt::format("Bad {} \"{}\"", what, one));
		bits |= known->bit;
	}
	return bits;
}
template <class Names> std::string bits_text(u16 bits, const Names &names)
{
	std::string out;
	for (const auto &n : names)
		if (bits & n.bit)
			out += (out.empty() ? "" : ",") + std::string{n.name};
	return out;
}

bool state_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--state")
		return false;
	auto &i = data_as<xt_conntrack_mtinfo3>(data);
	i.state_mask = parse_bits(w.argument(o), state_names, "state");
	i.match_flags = XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS;
	i.invert_flags = w.invert ? XT_CONNTRACK_STATE : 0;
	return true;
}

struct ct_address {
	std::string_view option;
	be32 xt_conntrack_mtinfo3::*addr;
	be32 xt_conntrack_mtinfo3::*mask;
	u16 flag;
};
constexpr ct_address ct_addresses[] = {{"ctorigsrc", &xt_conntrack_mtinfo3::origsrc_addr,
                                        &xt_conntrack_mtinfo3::origsrc_mask, XT_CONNTRACK_ORIGSRC},
                                       {"ctorigdst", &xt_conntrack_mtinfo3::origdst_addr,
                                        &xt_conntrack_mtinfo3::origdst_mask, XT_CONNTRACK_ORIGDST},
                                       {"ctreplsrc", &xt_conntrack_mtinfo3::replsrc_addr,
                                        &xt_conntrack_mtinfo3::replsrc_mask, XT_CONNTRACK_REPLSRC},
                                       {"ctrepldst", &xt_conntrack_mtinfo3::repldst_addr,
                                        &xt_conntrack_mtinfo3::repldst_mask, XT_CONNTRACK_REPLDST}};
struct ct_port {
	std::string_view option;
	u16 xt_conntrack_mtinfo3::*low;
	u16 xt_conntrack_mtinfo3::*high;
	u16 flag;
};
constexpr ct_port ct_ports[] = {{"ctorigsrcport", &xt_conntrack_mtinfo3::origsrc_port,
                                 &xt_conntrack_mtinfo3::origsrc_port_high, XT_CONNTRACK_ORIGSRC_PORT},
                                {"ctorigdstport", &xt_conntrack_mtinfo3::origdst_port,
                                 &xt_conntrack_mtinfo3::origdst_port_high, XT_CONNTRACK_ORIGDST_PORT},
                                {"ctreplsrcport", &xt_conntrack_mtinfo3::replsrc_port,
                                 &xt_conntrack_mtinfo3::replsrc_port_high, XT_CONNTRACK_REPLSRC_PORT},
                                {"ctrepldstport", &xt_conntrack_mtinfo3::repldst_port,
                                 &xt_conntrack_mtinfo3::repldst_port_high, XT_CONNTRACK_REPLDST_PORT}};

bool conntrack_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &i = data_as<xt_conntrack_mtinfo3>(data);
	const auto takes = [&i, &w](u16 flag) {
		i.match_flags |= flag;
		i.invert_flags |= w.invert ? flag : 0;
	};
	if (o == "--ctstate") {
		i.state_mask = parse_bits(w.argument(o), state_names, "ctstate");
		takes(XT_CONNTRACK_STATE);
		return true;
	}
	if (o == "--ctstatus") {
		i.status_mask = parse_bits(w.argument(o), status_names, "ctstatus");
		takes(XT_CONNTRACK_STATUS);
		return true;
	}
	if (o == "--ctproto") {
		const std::string word = w.argument(o);
		const auto proto = protocol_number(word);
		if (!proto)
			iptables_usage(fmt::format("unknown protocol \"{}\" specified", word));
		i.l4proto = *proto;
		takes(XT_CONNTRACK_PROTO);
		return true;
	}
	if (o == "--ctdir") {
		const std::string word = w.argument(o);
		if (word != "ORIGINAL" && word != "REPLY")
			iptables_usage(fmt::format("Bad value for \"--ctdir\" option: \"{}\"", word));
		i.match_flags |= XT_CONNTRACK_DIRECTION;
		if (word == "REPLY")
			i.invert_flags |= XT_CONNTRACK_DIRECTION;
		return true;
	}
	if (o == "--ctexpire") {
		const auto parts = split(w.argument(o), ':');
		i.expires_min = static_cast<u32>(parse_number(parts[0], ~u32{0}).value_or(0));
		i.expires_max = parts.size() > 1
		                        ? static_cast<u32>(parse_number(parts[1], ~u32{0}).value_or(~u32{0}))
		                        : i.expires_min;
		takes(XT_CONNTRACK_EXPIRES);
		return true;
	}
	for (const ct_address &a : ct_addresses)
		if (o.substr(2) == a.option) {
			const std::string word = w.argument(o);
			if (!parse_address_mask(word, i.*a.addr, i.*a.mask))
				iptables_usage(fmt::format("host/network `{}' not found", word));
			takes(a.flag);
			return true;
		}
	for (const ct_port &p : ct_ports)
		if (o.substr(2) == p.option) {
			u16 range[2];
			parse_ports(w.argument(o), range);
			i.*p.low = range[0];
			i.*p.high = range[1];
			takes(p.flag);
			return true;
		}
	return false;
}

// Both forms: `--ctstate X` and `ctstate X`.
std::string conntrack_text(const xt_conntrack_mtinfo3 &i, const char *prefix)
{
	std::string out;
	const auto add = [&out, &i, prefix](u16 flag, std::string_view option, const std::string &value) {
		out += fmt::format("{} {}{} {}", i.invert_flags & flag ? " !" : "", prefix, option, value);
	};
	if (i.match_flags & XT_CONNTRACK_STATE)
		add(XT_CONNTRACK_STATE, i.match_flags & XT_CONNTRACK_STATE_ALIAS ? "state" : "ctstate",
		    bits_text(i.state_mask, state_names));
	if (i.match_flags & XT_CONNTRACK_PROTO)
		add(XT_CONNTRACK_PROTO, "ctproto", fmt::format("{}", i.l4proto));
	for (const ct_address &a : ct_addresses) {
		if (i.match_flags & a.flag)
			add(a.flag, a.option,
			    (i.*a.mask).raw() == ~u32{0} ? ipv4_text(i.*a.addr)
			                                 : prefix_text(i.*a.addr, i.*a.mask));
	}
	for (const ct_port &p : ct_ports)
		if (i.match_flags & p.flag)
			add(p.flag, p.option,
			    i.*p.low == i.*p.high ? fmt::format("{}", i.*p.low)
			                          : fmt::format("{}:{}", i.*p.low, i.*p.high));
	if (i.match_flags & XT_CONNTRACK_STATUS)
		add(XT_CONNTRACK_STATUS, "ctstatus", bits_text(i.status_mask, status_names));
	if (i.match_flags & XT_CONNTRACK_EXPIRES)
		add(XT_CONNTRACK_EXPIRES, "ctexpire",
		    i.expires_min == i.expires_max ? fmt::format("{}", i.expires_min)
		                                   : fmt::format("{}:{}", i.expires_min, i.expires_max));
	if (i.match_flags & XT_CONNTRACK_DIRECTION)
		out += fmt::format(" {}ctdir {}", prefix,
		                   i.invert_flags & XT_CONNTRACK_DIRECTION ? "REPLY" : "ORIGINAL");
	return out;
}

// ---- mark, comment, limit, multiport, mac, addrtype
// ---------------------------------------------------------

bool mark_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--mark")
		return false;
	auto &m = data_as<xt_mark_mtinfo1>(data);
	const auto parts = split(w.argument(o), '/');
	const auto value = parse_word32(parts[0]);
	const auto mask = parts.size() > 1 ? parse_word32(parts[1]) : std::optional<u32>{~u32{0}};
	if (!value || !mask)
		iptables_usage("mark: bad mark value for option \"--mark\", or out of range.");
	m.mark = *value;
	m.mask = *mask;
	m.invert = w.invert;
	return true;
}

std::string mark_text(const xt_data &data, const char *word)
{
	const auto &m = data.as<xt_mark_mtinfo1>();
	const std::string head = fmt::format("{} {} 0x{:x}", m.invert ? " !" : "", word, m.mark);
	return m.mask == ~u32{0} ? head : fmt::format("{}/0x{:x}", head, m.mask);
}

bool comment_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--comment")
		return false;
	const std::string text = w.argument(o);
	if (text.size() >= XT_MAX_COMMENT_LEN)
		iptables_usage("COMMENT must be shorter than 256 characters");
	text.copy(data_as<xt_comment_info>(data).comment, text.size());
	return true;
}

constexpr struct {
	std::string_view name;
	u32 mult;
} rates[] = {{"day", XT_LIMIT_SCALE * 24 * 60 * 60},
             {"hour", XT_LIMIT_SCALE * 60 * 60},
             {"min", XT_LIMIT_SCALE * 60},
             {"sec", XT_LIMIT_SCALE}};

bool limit_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &r = data_as<xt_rateinfo>(data);
	if (o == "--limit") {
		const std::string word = w.argument(o);
		const auto parts = split(word, '/');
		u32 mult = XT_LIMIT_SCALE;
		if (parts.size() == 2) {
			constexpr std::array<std::string_view, 4> names{"second", "minute", "hour", "day"};
			constexpr std::array<u32, 4> mults{XT_LIMIT_SCALE, XT_LIMIT_SCALE * 60,
			                                   XT_LIMIT_SCALE * 3600, XT_LIMIT_SCALE * 86400};
			const auto unit = std::ranges::find_if(
				names, [&parts](std::string_view n) { return n.starts_with(parts[1]); });
			if (unit == names.end() || parts[1].empty())
				iptables_usage(fmt::format("bad rate \"{}\"'", word));
			mult = mults[static_cast<std::size_t>(unit - names.begin())];
		}
		const auto count = parse_number(parts[0], ~u32{0});
		if (!count || !*count || parts.size() > 2)
			iptables_usage(fmt::format("bad rate \"{}\"'", word));
		if (mult / *count == 0)
			iptables_usage(fmt::format("Rate too fast \"{}\"", word));
		r.avg = static_cast<u32>(mult / *count);
	} else if (o == "--limit-burst") {
		const auto burst = parse_number(w.argument(o), 10000);
		if (!burst)
			iptables_usage("limit: Bad value for \"--limit-burst\" option");
		r.burst = static_cast<u32>(*burst);
	} else {
		return false;
	}
	return true;
}

std::string rate_text(u32 period)
{
	std::size_t i = 1;
	for (; i < std::size(rates); ++i)
		if (period > rates[i].mult || rates[i].mult / period < rates[i].mult % period)
			break;
	return fmt::format("{}/{}", rates[i - 1].mult / period, rates[i - 1].name);
}

bool multiport_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &r)
{
	auto &m = data_as<xt_multiport_v1>(data);
	if (o == "--sports" || o == "--source-ports")
		m.flags = XT_MULTIPORT_SOURCE;
	else if (o == "--dports" || o == "--destination-ports")
		m.flags = XT_MULTIPORT_DESTINATION;
	else if (o == "--ports")
		m.flags = XT_MULTIPORT_EITHER;
	else
		return false;
	if ((r.ip.proto != IPPROTO_TCP && r.ip.proto != IPPROTO_UDP) || (r.ip.invflags & IPT_INV_PROTO))
		iptables_usage("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'");
	for (const std::string &one : split(w.argument(o), ',')) {
		const auto ends = split(one, ':');
		if (m.count + ends.size() > XT_MULTI_PORTS)
			iptables_usage("too many ports specified");
		m.pflags[m.count] = ends.size() > 1;
		for (const std::string &end : ends)
			m.ports[m.count++] = parse_port(end);
	}
	m.invert = w.invert;
	return true;
}

std::string multiport_ports(const xt_multiport_v1 &m, bool numeric)
{
	std::string out;
	for (u32 i = 0; i < m.count; ++i) {
		out += (i ? "," : "") + port_name(m.ports[i], IPPROTO_TCP, numeric);
		if (m.pflags[i])
			out += ":" + port_name(m.ports[++i], IPPROTO_TCP, numeric);
	}
	return out;
}
constexpr std::array<std::string_view, 3> multiport_words{"sports", "dports", "ports"};

bool mac_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--mac-source")
		return false;
	const auto mac = parse_mac(w.argument(o));
	if (!mac)
		iptables_usage("mac: Bad value for \"--mac-source\" option");
	data_as<xt_mac_info>(data) = {*mac, static_cast<u8>(w.invert)};
	return true;
}

constexpr struct {
	std::string_view name;
	u16 bit;
} type_names[] = {{"UNSPEC", 1 << RTN_UNSPEC},       {"UNICAST", 1 << RTN_UNICAST},
                  {"LOCAL", 1 << RTN_LOCAL},         {"BROADCAST", 1 << RTN_BROADCAST},
                  {"ANYCAST", 1 << RTN_ANYCAST},     {"MULTICAST", 1 << RTN_MULTICAST},
                  {"BLACKHOLE", 1 << RTN_BLACKHOLE}, {"UNREACHABLE", 1 << RTN_UNREACHABLE},
                  {"PROHIBIT", 1 << RTN_PROHIBIT}};

bool addrtype_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &a = data_as<xt_addrtype_info_v1>(data);
	if (o == "--src-type") {
		a.source = parse_bits(w.argument(o), type_names, "address type");
		a.flags |= w.invert ? XT_ADDRTYPE_INVERT_SOURCE : 0u;
	} else if (o == "--dst-type") {
		a.dest = parse_bits(w.argument(o), type_names, "address type");
		a.flags |= w.invert ? XT_ADDRTYPE_INVERT_DEST : 0u;
	} else {
		return false;
	}
	return true;
}

std::string addrtype_text(const xt_data &data, const char *prefix)
{
	const auto &a = data.as<xt_addrtype_info_v1>();
	std::string out;
	if (a.source)
		out += fmt::format("{} {}src-type {}", a.flags & XT_ADDRTYPE_INVERT_SOURCE ? " !" : "",
		                   prefix, bits_text(a.source, type_names));
	if (a.dest)
		out += fmt::format("{} {}dst-type {}", a.flags & XT_ADDRTYPE_INVERT_DEST ? " !" : "", prefix,
		                   bits_text(a.dest, type_names));
	return out;
}

template <class T> std::function<xt_data()> zeroed()
{
	return [] { return xt_data(T{}); };
}

const std::vector<ipt_extension> &matches()
{
	static const std::vector<ipt_extension> table = {
		{"tcp", "tcp", 0,
	         [] {
			 return xt_data(xt_tcp{{0, 0xffff}, {0, 0xffff}, 0, 0, 0, 0});
		 },
	         tcp_parse, nullptr, tcp_save, tcp_print},
		{"udp", "udp", 0,
	         [] {
			 return xt_data(xt_udp{{0, 0xffff}, {0, 0xffff}, 0});
		 },
	         udp_parse, nullptr, udp_save, udp_print},
		{"icmp", "icmp", 0,
	         [] {
			 return xt_data(ipt_icmp{0xff, {0, 0xff}, 0});
		 },
	         icmp_parse, nullptr, icmp_save, icmp_print},
		{"conntrack", "conntrack", 3, zeroed<xt_conntrack_mtinfo3>(), conntrack_parse,
	         [](const xt_data &d) {
			 if (!d.as<xt_conntrack_mtinfo3>().match_flags)
				 iptables_usage("conntrack: At least one option is required");
		 },
	         [](const xt_data &d) { return conntrack_text(d.as<xt_conntrack_mtinfo3>(), "--"); },
	         [](const xt_data &d, bool) { return conntrack_text(d.as<xt_conntrack_mtinfo3>(), ""); }},
		{"state", "conntrack", 3, zeroed<xt_conntrack_mtinfo3>(), state_parse,
	         [](const xt_data &d) {
			 if (!d.as<xt_conntrack_mtinfo3>().match_flags)
				 iptables_usage("state: option \"--state\" must be specified\n");
		 },
	         [](const xt_data &d) { return conntrack_text(d.as<xt_conntrack_mtinfo3>(), "--"); },
	         [](const xt_data &d, bool) { return conntrack_text(d.as<xt_conntrack_mtinfo3>(), ""); }},
		{"mark", "mark", 1, zeroed<xt_mark_mtinfo1>(), mark_parse, nullptr,
	         [](const xt_data &d) { return mark_text(d, "--mark"); },
	         [](const xt_data &d, bool) {
			 const auto &m = d.as<xt_mark_mtinfo1>();
			 const std::string head =
				 fmt::format(" mark match {}0x{:x}", m.invert ? "!" : "", m.mark);
			 return m.mask == ~u32{0} ? head : fmt::format("{}/0x{:x}", head, m.mask);
		 }},
		{"comment", "comment", 0, zeroed<xt_comment_info>(), comment_parse, nullptr,
	         [](const xt_data &d) { return " --comment " + quoted(d.as<xt_comment_info>().comment); },
	         [](const xt_data &d, bool) {
			 return fmt::format(" /* {} */", d.as<xt_comment_info>().comment);
		 }},
		{"limit", "limit", 0,
	         [] {
			 return xt_data(xt_rateinfo{XT_LIMIT_SCALE * 3600 / 3, 5, 0, 0, 0, 0});
		 },
	         limit_parse, nullptr,
	         [](const xt_data &d) {
			 const auto &r = d.as<xt_rateinfo>();
			 std::string out = " --limit " + rate_text(r.avg);
			 if (r.burst != 5)
				 out += fmt::format(" --limit-burst {}", r.burst);
			 return out;
		 },
	         [](const xt_data &d, bool) {
			 const auto &r = d.as<xt_rateinfo>();
			 return fmt::format(" limit: avg {} burst {}", rate_text(r.avg), r.burst);
		 }},
		{"multiport", "multiport", 1, zeroed<xt_multiport_v1>(), multiport_parse, nullptr,
	         [](const xt_data &d) {
			 const auto &m = d.as<xt_multiport_v1>();
			 return fmt::format("{} --{} {}", m.invert ? " !" : "", multiport_words[m.flags],
		                            multiport_ports(m, true));
		 },
	         [](const xt_data &d, bool numeric) {
			 const auto &m = d.as<xt_multiport_v1>();
			 return fmt::format(" multiport {} {}{}", multiport_words[m.flags],
		                            m.invert ? "!" : "", multiport_ports(m, numeric));
		 }},
		{"mac", "mac", 0, zeroed<xt_mac_info>(), mac_parse, nullptr,
	         [](const xt_data &d) {
			 const auto &m = d.as<xt_mac_info>();
			 return fmt::format("{} --mac-source {}", m.invert ? " !" : "", mac_text(m.srcaddr));
		 },
	         [](const xt_data &d, bool) {
			 const auto &m = d.as<xt_mac_info>();
			 return fmt::format(" MAC{} {}", m.invert ? " !" : "", mac_text(m.srcaddr));
		 }},
		{"addrtype", "addrtype", 1, zeroed<xt_addrtype_info_v1>(), addrtype_parse, nullptr,
	         [](const xt_data &d) { return addrtype_text(d, "--"); },
	         [](const xt_data &d, bool) { return " ADDRTYPE match" + addrtype_text(d, ""); }},
	};
	return table;
}

} // namespace

std::string quoted(const std::string &text)
{
	if (!text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                                            "0123456789_-") == std::string::npos)
		return text;
	std::string out = "\"";
	for (const char ch : text) {
		if (ch == '"' || ch == '\\' || ch == '\'')
			out += '\\';
		out += ch;
	}
	return out + "\"";
}

const ipt_extension *match_extension(std::string_view name)
{
	const auto &all = matches();
	const auto at = std::ranges::find(all, name, &ipt_extension::name);
	return at == all.end() ? nullptr : &*at;
}

const ipt_extension &extension_of(const xt_entry_match &m)
{
	if (m.name == "conntrack" &&
	    (m.data.as<xt_conntrack_mtinfo3>().match_flags & XT_CONNTRACK_STATE_ALIAS))
		return *match_extension("state");
	return *match_extension(m.name);
}

std::string protocol_name(u32 proto, bool numeric)
{
	if (numeric)
		return fmt::format("{}", proto);
	if (!proto)
		return "all";
	for (const auto &p : protocols)
		if (p.number == proto)
			return std::string{p.name};
	return fmt::format("{}", proto);
}

std::optional<u16> protocol_number(const std::string &word)
{
	std::string lower = word;
	std::ranges::transform(lower, lower.begin(),
	                       [](char ch) { return static_cast<char>(std::tolower(ch)); });
	for (const auto &p : protocols)
		if (p.name == lower)
			return p.number;
	if (const auto number = parse_number(word, 255))
		return static_cast<u16>(*number);
	return {};
}

std::string port_name(u16 port, u32, bool numeric)
{
	if (!numeric)
		for (const auto &s : services)
			if (s.port == port)
				return std::string{s.name};
	return fmt::format("{}", port);
}

u16 parse_port(const std::string &word)
{
	for (const auto &s : services)
		if (s.name == word)
			return s.port;
	const auto number = parse_number(word, 0xffff);
	if (!number)
		iptables_usage(fmt::format("invalid port/service `{}' specified", word));
	return static_cast<u16>(*number);
}

std::optional<u32> parse_word32(const std::string &word)
{
	const bool hex = word.starts_with("0x") || word.starts_with("0X");
	u32 value = 0;
	const char *begin = word.data() + (hex ? 2 : 0), *end = word.data() + word.size();
	const auto [at, err] = std::from_chars(begin, end, value, hex ? 16 : 10);
	if (begin == end || at != end || err != std::errc{})
		return {};
	return value;
}

std::string prefix_text(be32 a, be32 mask)
{
	const u32 m = ntohl(mask);
	const int length = m ? 32 - std::countr_zero(m) : 0;
	if (m == static_cast<u32>(~u64{0} << (32 - length)))
		return fmt::format("{}/{}", ipv4_text(a), length);
	return fmt::format("{}/{}", ipv4_text(a), ipv4_text(mask));
}

bool parse_address_mask(const std::string &word, be32 &a, be32 &mask)
{
	const auto parts = split(word, '/');
	const auto addr = parse_ipv4(parts[0]);
	if (!addr || parts.size() > 2)
		return false;
	mask = htonl(~u32{0});
	if (parts.size() == 2) {
		if (const auto length = parse_number(parts[1], 32))
			mask = inet_make_mask(static_cast<int>(*length));
		else if (const auto dotted = parse_ipv4(parts[1]))
			mask = *dotted;
		else
			return false;
	}
	a = *addr & mask;
	return true;
}

} // namespace skbwalk::sim
