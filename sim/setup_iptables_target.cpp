// SPDX-License-Identifier: GPL-2.0-only
//
// The targets of iptables (libipt_REJECT.c, libxt_NAT.c, libxt_MARK.c, libxt_LOG.c).
#include <algorithm>

#include <fmt/format.h>

#include "sim/setup_iptables.h"
#include "stack/ipv4/netfilter/nf_reject_ipv4.h"
#include "stack/kernel/printk.h"
#include "stack/netfilter/nf_log.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk::sim {

namespace {

template <class T> T &data_as(xt_data &d)
{
	assert(d.size() == sizeof(T));
	return *static_cast<T *>(d.get());
}

// ---- REJECT ---------------------------------------------------------------------------------------------

constexpr struct {
	std::string_view name, alias;
	ipt_reject_with with;
} reject_names[] = {{"icmp-net-unreachable", "net-unreach", IPT_ICMP_NET_UNREACHABLE},
                    {"icmp-host-unreachable", "host-unreach", IPT_ICMP_HOST_UNREACHABLE},
                    {"icmp-proto-unreachable", "proto-unreach", IPT_ICMP_PROT_UNREACHABLE},
                    {"icmp-port-unreachable", "port-unreach", IPT_ICMP_PORT_UNREACHABLE},
                    {"icmp-net-prohibited", "net-prohib", IPT_ICMP_NET_PROHIBITED},
                    {"icmp-host-prohibited", "host-prohib", IPT_ICMP_HOST_PROHIBITED},
                    {"tcp-reset", "tcp-rst", IPT_TCP_RESET},
                    {"icmp-admin-prohibited", "admin-prohib", IPT_ICMP_ADMIN_PROHIBITED}};

bool reject_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--reject-with")
		return false;
	const std::string word = w.argument(o);
	for (const auto &r : reject_names)
		if (!word.empty() && (r.name.starts_with(word) || r.alias.starts_with(word))) {
			data_as<ipt_reject_info>(data).with = r.with;
			return true;
		}
	iptables_usage(fmt::format("unknown reject type \"{}\"", word));
}

std::string reject_text(const xt_data &data, const char *prefix)
{
	for (const auto &r : reject_names)
		if (r.with == data.as<ipt_reject_info>().with)
			return fmt::format(" {}reject-with {}", prefix, r.name);
	return {};
}

// ---- NAT ------------------------------------------------------------------------------------------------

void ports_into(const std::string &word, be16 &min, be16 &max, u32 &flags)
{
	const std::size_t dash = word.find('-');
	const u16 low = parse_port(word.substr(0, dash));
	const u16 high = dash == std::string::npos ? low : parse_port(word.substr(dash + 1));

	if (high < low)
		iptables_usage(fmt::format("Port range `{}-{}' is funky", low, high));
	min = htons(low);
	max = htons(high);
	flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
}

void needs_ports(const ipt_rule &r)
{
	if (!(r.ip.proto == IPPROTO_TCP || r.ip.proto == IPPROTO_UDP) || (r.ip.invflags & IPT_INV_PROTO))
		iptables_usage("Need TCP, UDP, SCTP or DCCP with port specification");
}

// A[-B][:PORT[-PORT]]
void nat_to(const std::string &word, const ipt_rule &r, be32 &min, be32 &max, be16 &min_port, be16 &max_port,
            u32 &flags)
{
	const std::size_t colon = word.find(':');
	const std::string addresses = word.substr(0, colon);
	if (colon != std::string::npos) {
		needs_ports(r);
		ports_into(word.substr(colon + 1), min_port, max_port, flags);
	}
	if (addresses.empty())
		return;
	const std::size_t dash = addresses.find('-');
	const std::string first = addresses.substr(0, dash);
	const auto low = parse_ipv4(first);
	if (!low)
		iptables_usage(fmt::format("Bad IP address \"{}\"\n", first));
	min = max = *low;
	if (dash != std::string::npos) {
		const auto high = parse_ipv4(addresses.substr(dash + 1));
		if (!high)
			iptables_usage(fmt::format("Bad IP address \"{}\"\n", addresses.substr(dash + 1)));
		max = *high;
	}
	flags |= NF_NAT_RANGE_MAP_IPS;
}

bool random_option(const std::string &o, u32 &flags)
{
	if (o == "--random")
		flags |= NF_NAT_RANGE_PROTO_RANDOM;
	else if (o == "--random-fully")
		flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
	else if (o == "--persistent")
		flags |= NF_NAT_RANGE_PERSISTENT;
	else
		return false;
	return true;
}

std::string nat_ports(be16 min, be16 max)
{
	return min == max ? fmt::format("{}", ntohs(min)) : fmt::format("{}-{}", ntohs(min), ntohs(max));
}

std::string nat_flags(u32 flags, const char *prefix)
{
	std::string out;
	if (flags & NF_NAT_RANGE_PROTO_RANDOM)
		out += fmt::format(" {}random", prefix);
	if (flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY)
		out += fmt::format(" {}random-fully", prefix);
	if (flags & NF_NAT_RANGE_PERSISTENT)
		out += fmt::format(" {}persistent", prefix);
	return out;
}

std::string nat_range(u32 flags, be32 min, be32 max, be16 min_port, be16 max_port)
{
	std::string out;
	if (flags & NF_NAT_RANGE_MAP_IPS) {
		out += ipv4_text(min);
		if (!(min == max))
			out += "-" + ipv4_text(max);
	}
	if (flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		out += ":" + nat_ports(min_port, max_port);
	return out;
}

nf_nat_ipv4_range &range_of(xt_data &data) { return data_as<nf_nat_ipv4_multi_range_compat>(data).range[0]; }
const nf_nat_ipv4_range &range_of(const xt_data &data)
{
	return data.as<nf_nat_ipv4_multi_range_compat>().range[0];
}
xt_data one_range() { return xt_data(nf_nat_ipv4_multi_range_compat{1, {}}); }

bool snat_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &r)
{
	nf_nat_ipv4_range &n = range_of(data);
	if (o != "--to-source")
		return random_option(o, n.flags);
	nat_to(w.argument(o), r, n.min_ip, n.max_ip, n.min, n.max, n.flags);
	return true;
}

bool dnat_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &r)
{
	auto &n = data_as<nf_nat_range2>(data);
	if (o != "--to-destination")
		return random_option(o, n.flags);
	nat_to(w.argument(o), r, n.min_addr, n.max_addr, n.min_proto, n.max_proto, n.flags);
	return true;
}

bool to_ports_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &r)
{
	nf_nat_ipv4_range &n = range_of(data);
	if (o != "--to-ports" && o != "--to-port")
		return random_option(o, n.flags);
	needs_ports(r);
	ports_into(w.argument(o), n.min, n.max, n.flags);
	return true;
}

std::string to_ports_text(const xt_data &data, const char *head, const char *prefix)
{
	const nf_nat_ipv4_range &n = range_of(data);
	std::string out;
	if (n.flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		out = fmt::format(" {}{}", head, nat_ports(n.min, n.max));
	return out + nat_flags(n.flags, prefix);
}

// ---- MARK, LOG ------------------------------------------------------------------------------------------

bool mark_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	if (o != "--set-mark" && o != "--set-xmark" && o != "--or-mark" && o != "--and-mark" &&
	    o != "--xor-mark")
		return false;
	auto &m = data_as<xt_mark_tginfo2>(data);
	const std::string word = w.argument(o);
	const std::size_t slash = word.find('/');
	const auto value = parse_word32(word.substr(0, slash));
	const auto mask = slash == std::string::npos ? std::optional<u32>{~u32{0}}
	                                             : parse_word32(word.substr(slash + 1));
	if (!value || !mask)
		iptables_usage(fmt::format("MARK: bad mark value for option \"{}\", or out of range.\n", o));
	const u32 v = *value, k = *mask;
	if (o == "--set-mark")
		m = {v, v | k};
	else if (o == "--set-xmark")
		m = {v, k};
	else if (o == "--or-mark")
		m = {v, v};
	else if (o == "--and-mark")
		m = {0, ~v};
	else
		m = {v, 0};
	return true;
}

std::string mark_print(const xt_data &data, bool)
{
	const auto &m = data.as<xt_mark_tginfo2>();
	if (m.mark == 0)
		return fmt::format(" MARK and 0x{:x}", ~m.mask);
	if (m.mark == m.mask)
		return fmt::format(" MARK or 0x{:x}", m.mark);
	if (m.mask == 0)
		return fmt::format(" MARK xor 0x{:x}", m.mark);
	if (m.mask == ~u32{0})
		return fmt::format(" MARK set 0x{:x}", m.mark);
	return fmt::format(" MARK xset 0x{:x}/0x{:x}", m.mark, m.mask);
}

// As syslog(3) names them, in the order in which a beginning is looked for and a level's name is chosen.
constexpr struct {
	std::string_view name;
	u8 level;
} log_levels[] = {{"alert", LOGLEVEL_ALERT},  {"crit", LOGLEVEL_CRIT},      {"debug", LOGLEVEL_DEBUG},
                  {"emerg", LOGLEVEL_EMERG},  {"err", LOGLEVEL_ERR},        {"error", LOGLEVEL_ERR},
                  {"info", LOGLEVEL_INFO},    {"notice", LOGLEVEL_NOTICE},  {"panic", LOGLEVEL_EMERG},
                  {"warn", LOGLEVEL_WARNING}, {"warning", LOGLEVEL_WARNING}};
constexpr struct {
	std::string_view option, word;
	u8 flag;
} log_flags[] = {{"--log-tcp-sequence", "tcp-sequence", NF_LOG_TCPSEQ},
                 {"--log-tcp-options", "tcp-options", NF_LOG_TCPOPT},
                 {"--log-ip-options", "ip-options", NF_LOG_IPOPT},
                 {"--log-uid", "uid", NF_LOG_UID},
                 {"--log-macdecode", "macdecode", NF_LOG_MACDECODE}};

u8 log_level(const std::string &word)
{
	if (const auto number = parse_number(word, 7))
		return static_cast<u8>(*number);
	for (const auto &l : log_levels)
		if (!word.empty() && l.name.starts_with(word))
			return l.level;
	iptables_usage(fmt::format("log level \"{}\" unknown\n", word));
}

bool log_parse(const std::string &o, option_words &w, xt_data &data, const ipt_rule &)
{
	auto &l = data_as<xt_log_info>(data);
	if (o == "--log-prefix") {
		const std::string text = w.argument(o);
		if (text.size() >= sizeof(l.prefix))
			iptables_usage(fmt::format("Maximum prefix length {} for --log-prefix",
			                           sizeof(l.prefix) - 1));
		text.copy(l.prefix, sizeof(l.prefix) - 1);
		return true;
	}
	if (o == "--log-level") {
		l.level = log_level(w.argument(o));
		return true;
	}
	const auto flag = std::ranges::find(log_flags, o, [](const auto &f) { return f.option; });
	if (flag == std::end(log_flags))
		return false;
	l.logflags |= flag->flag;
	return true;
}

std::string log_save(const xt_data &data)
{
	const auto &l = data.as<xt_log_info>();
	std::string out;
	if (l.prefix[0])
		out += " --log-prefix " + quoted(l.prefix);
	if (l.level != LOGLEVEL_WARNING)
		out += fmt::format(" --log-level {}", l.level);
	for (const auto &f : log_flags)
		if (l.logflags & f.flag)
			out += fmt::format(" {}", f.option);
	return out;
}

std::string log_print(const xt_data &data, bool numeric)
{
	const auto &l = data.as<xt_log_info>();
	std::string out = " LOG";
	if (numeric) {
		out += fmt::format(" flags {} level {}", l.logflags, l.level);
	} else {
		out += fmt::format(" level {}", std::ranges::find(log_levels, l.level, [](const auto &n) {
							return n.level;
						})->name);
		for (const auto &f : log_flags)
			if (l.logflags & f.flag)
				out += fmt::format(" {}", f.word);
	}
	return l.prefix[0] ? out + fmt::format(" prefix \"{}\"", l.prefix) : out;
}

const std::vector<ipt_extension> &targets()
{
	static const std::vector<ipt_extension> table = {
		{"REJECT", "REJECT", 0, [] { return xt_data(ipt_reject_info{IPT_ICMP_PORT_UNREACHABLE}); },
	         reject_parse, nullptr, [](const xt_data &d) { return reject_text(d, "--"); },
	         [](const xt_data &d, bool) { return reject_text(d, ""); }},
		{"SNAT", "SNAT", 0, one_range, snat_parse,
	         [](const xt_data &d) {
			 if (!(range_of(d).flags & (NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)))
				 iptables_usage("SNAT: option \"--to-source\" must be specified\n");
		 },
	         [](const xt_data &d) {
			 const nf_nat_ipv4_range &n = range_of(d);
			 return " --to-source " + nat_range(n.flags, n.min_ip, n.max_ip, n.min, n.max) +
		                nat_flags(n.flags, "--");
		 },
	         [](const xt_data &d, bool) {
			 const nf_nat_ipv4_range &n = range_of(d);
			 return " to:" + nat_range(n.flags, n.min_ip, n.max_ip, n.min, n.max) +
		                nat_flags(n.flags, "");
		 }},
		{"DNAT", "DNAT", 2, [] { return xt_data(nf_nat_range2{}); }, dnat_parse,
	         [](const xt_data &d) {
			 if (!(d.as<nf_nat_range2>().flags &
		               (NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)))
				 iptables_usage("DNAT: option \"--to-destination\" must be specified\n");
		 },
	         [](const xt_data &d) {
			 const auto &n = d.as<nf_nat_range2>();
			 return " --to-destination " +
		                nat_range(n.flags, n.min_addr, n.max_addr, n.min_proto, n.max_proto) +
		                nat_flags(n.flags, "--");
		 },
	         [](const xt_data &d, bool) {
			 const auto &n = d.as<nf_nat_range2>();
			 return " to:" +
		                nat_range(n.flags, n.min_addr, n.max_addr, n.min_proto, n.max_proto) +
		                nat_flags(n.flags, "");
		 }},
		{"MASQUERADE", "MASQUERADE", 0, one_range, to_ports_parse, nullptr,
	         [](const xt_data &d) { return to_ports_text(d, "--to-ports ", "--"); },
	         [](const xt_data &d, bool) { return to_ports_text(d, "masq ports: ", ""); }},
		{"REDIRECT", "REDIRECT", 0, one_range, to_ports_parse, nullptr,
	         [](const xt_data &d) { return to_ports_text(d, "--to-ports ", "--"); },
	         [](const xt_data &d, bool) { return to_ports_text(d, "redir ports ", ""); }},
		{"MARK", "MARK", 2, [] { return xt_data(xt_mark_tginfo2{}); }, mark_parse, nullptr,
	         [](const xt_data &d) {
			 const auto &m = d.as<xt_mark_tginfo2>();
			 return fmt::format(" --set-xmark 0x{:x}/0x{:x}", m.mark, m.mask);
		 },
	         mark_print},
		{"LOG", "LOG", 0,
	         [] {
			 return xt_data(xt_log_info{LOGLEVEL_WARNING, 0, {}});
		 },
	         log_parse, nullptr, log_save, log_print},
	};
	return table;
}

} // namespace

const ipt_extension *target_extension(std::string_view name)
{
	const auto &all = targets();
	const auto at = std::ranges::find(all, name, &ipt_extension::name);
	return at == all.end() ? nullptr : &*at;
}

} // namespace skbwalk::sim
