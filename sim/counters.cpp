// SPDX-License-Identifier: GPL-2.0-only
//
// Counters by the names that nstat prints: the protocol's name of /proc/net/snmp or netstat before the
// counter's.
#include <array>
#include <cctype>

#include "sim/runner_program.h"
#include "stack/core/snmp.h"

namespace skbwalk::sim {

namespace {

constexpr std::array ip_names{
#define SKBWALK_X(id, name) name,
#define X SKBWALK_X
	SKBWALK_IPSTATS_MIB(X)};
constexpr std::array icmp_names{SKBWALK_ICMP_MIB(X)};
constexpr std::array tcp_names{SKBWALK_TCP_MIB(X)};
constexpr std::array udp_names{SKBWALK_UDP_MIB(X)};
constexpr std::array linux_names{SKBWALK_LINUX_MIB(X)};
#undef X
#undef SKBWALK_X

// What /proc/net/snmp's Ip line has; the others are on netstat's IpExt.
bool is_plain_ip(std::size_t i)
{
	switch (i) {
	case IPSTATS_MIB_INPKTS:
	case IPSTATS_MIB_INHDRERRORS:
	case IPSTATS_MIB_INADDRERRORS:
	case IPSTATS_MIB_OUTFORWDATAGRAMS:
	case IPSTATS_MIB_INUNKNOWNPROTOS:
	case IPSTATS_MIB_INDISCARDS:
	case IPSTATS_MIB_INDELIVERS:
	case IPSTATS_MIB_OUTPKTS:
	case IPSTATS_MIB_OUTDISCARDS:
	case IPSTATS_MIB_OUTNOROUTES:
	case IPSTATS_MIB_REASMTIMEOUT:
	case IPSTATS_MIB_REASMREQDS:
	case IPSTATS_MIB_REASMOKS:
	case IPSTATS_MIB_REASMFAILS:
	case IPSTATS_MIB_FRAGOKS:
	case IPSTATS_MIB_FRAGFAILS:
	case IPSTATS_MIB_FRAGCREATES:
		return true;
	default:
		return false;
	}
}

// Messages are counted by their type; /proc/net/snmp shows some of them by name.
constexpr struct {
	std::string_view name;
	std::size_t type;
} icmp_types[] = {{"EchoReps", 0},       {"DestUnreachs", 3}, {"SrcQuenchs", 4},   {"Redirects", 5},
                  {"Echos", 8},          {"TimeExcds", 11},   {"ParmProbs", 12},   {"Timestamps", 13},
                  {"TimestampReps", 14}, {"AddrMasks", 17},   {"AddrMaskReps", 18}};

bool is_plain_icmp(std::size_t i)
{
	switch (i) {
	case ICMP_MIB_INMSGS:
	case ICMP_MIB_INERRORS:
	case ICMP_MIB_CSUMERRORS:
	case ICMP_MIB_OUTMSGS:
	case ICMP_MIB_OUTERRORS:
	case ICMP_MIB_RATELIMITGLOBAL:
	case ICMP_MIB_RATELIMITHOST:
		return true;
	default:
		return false;
	}
}

template <class F> void each_counter(const netns_mib &mib, F &&visit)
{
	for (std::size_t i = 0; i < ip_names.size(); ++i)
		visit(is_plain_ip(i) ? "Ip" : "IpExt", ip_names[i], mib.ip_statistics[i]);
	for (std::size_t i = 0; i < icmp_names.size(); ++i)
		if (is_plain_icmp(i))
			visit("Icmp", icmp_names[i], mib.icmp_statistics[i]);
	for (const auto &t : icmp_types) {
		visit("IcmpIn", t.name, mib.icmpmsg_statistics[t.type]);
		visit("IcmpOut", t.name, mib.icmpmsg_statistics[256 + t.type]);
	}
	for (std::size_t i = 0; i < tcp_names.size(); ++i)
		visit("Tcp", tcp_names[i], mib.tcp_statistics[i]);
	for (std::size_t i = 0; i < udp_names.size(); ++i)
		visit("Udp", udp_names[i], mib.udp_statistics[i]);
	for (std::size_t i = 0; i < linux_names.size(); ++i)
		visit("TcpExt", linux_names[i], mib.net_statistics[i]);
}

bool same_letters(std::string_view a, std::string_view b)
{
	const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
	if (a.size() != b.size())
		return false;
	for (std::size_t i = 0; i < a.size(); ++i)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

} // namespace

const u64 *find_counter(const netns_mib &mib, std::string_view name)
{
	const u64 *found = nullptr;
	each_counter(mib, [&](std::string_view protocol, std::string_view counter, const u64 &value) {
		if (!found && name.starts_with(protocol) &&
		    same_letters(name.substr(protocol.size()), counter))
			found = &value;
	});
	return found;
}

std::vector<named_counter> counters_of(const netns_mib &mib)
{
	std::vector<named_counter> out;
	each_counter(mib, [&](std::string_view protocol, std::string_view counter, const u64 &value) {
		out.push_back({std::string{protocol} + std::string{counter}, value});
	});
	return out;
}

std::string tcp_flags(const frame_bytes &f)
{
	constexpr std::size_t ip_at = 14;
	if (f.size() < ip_at + 20 || f[12] != 0x08 || f[13] != 0 || f[ip_at] >> 4 != 4 || f[ip_at + 9] != 6)
		return {};
	if ((f[ip_at + 6] & 0x1f) || f[ip_at + 7]) // a later fragment
		return {};
	const std::size_t tcp_at = ip_at + 4 * std::size_t{static_cast<u8>(f[ip_at] & 0xf)};
	if (f.size() < tcp_at + 14)
		return {};
	const u8 flags = f[tcp_at + 13];
	std::string out;
	constexpr std::pair<u8, char> letters[] = {{0x01, 'F'}, {0x02, 'S'}, {0x04, 'R'}, {0x08, 'P'},
	                                           {0x10, '.'}, {0x20, 'U'}, {0x40, 'E'}, {0x80, 'W'}};
	for (const auto &[bit, letter] : letters)
		if (flags & bit)
			out.push_back(letter);
	return out.empty() ? "none" : out;
}

} // namespace skbwalk::sim
