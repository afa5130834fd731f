// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_tcpudp.c, and the icmp match, which 6.1 has there too: ports, flags, options and types.
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool port_match(u16 min, u16 max, u16 port, bool invert)
{
	TRACE();
	return (port >= min && port <= max) != invert;
}

static bool tcp_find_option(u8 option, const sk_buff &skb, u32 protoff, u32 optlen, bool invert,
                            bool &hotdrop)
{
	TRACE(skb);
	u8 buffer[60 - sizeof(tcphdr)];

	if (!optlen)
		return invert;
	const auto *op = static_cast<const u8 *>(skb_header_pointer(
		skb, static_cast<int>(protoff + sizeof(tcphdr)), static_cast<int>(optlen), buffer));
	if (!op) {
		hotdrop = true;
		return false;
	}
	for (u32 i = 0; i < optlen;) {
		if (op[i] == option)
			return !invert;
		if (op[i] < 2 || i == optlen - 1)
			++i;
		else
			i += op[i + 1] ? op[i + 1] : 1;
	}
	return invert;
}

static bool tcp_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_tcp *>(par.matchinfo);
	tcphdr buffer;

	if (par.fragoff != 0) {
		if (par.fragoff == 1) // it would overwrite the flags
			par.hotdrop = true;
		return false;
	}
	const auto *th = static_cast<const tcphdr *>(
		skb_header_pointer(skb, static_cast<int>(par.thoff), sizeof(buffer), &buffer));
	if (!th) {
		par.hotdrop = true;
		return false;
	}
	if (!port_match(info.spts[0], info.spts[1], ntohs(th->source), info.invflags & XT_TCP_INV_SRCPT))
		return false;
	if (!port_match(info.dpts[0], info.dpts[1], ntohs(th->dest), info.invflags & XT_TCP_INV_DSTPT))
		return false;
	if (((th->flags & info.flg_mask) == info.flg_cmp) == ((info.invflags & XT_TCP_INV_FLAGS) != 0))
		return false;
	if (info.option) {
		if (th->doff() * 4 < sizeof(tcphdr)) {
			par.hotdrop = true;
			return false;
		}
		if (!tcp_find_option(info.option, skb, par.thoff,
		                     static_cast<u32>(th->doff() * 4 - sizeof(tcphdr)),
		                     info.invflags & XT_TCP_INV_OPTION, par.hotdrop))
			return false;
	}
	return true;
}

static int tcp_mt_check(const xt_mtchk_param &par)
{
	TRACE();
	return static_cast<const xt_tcp *>(par.matchinfo)->invflags & ~XT_TCP_INV_MASK ? -EINVAL : 0;
}

static bool udp_mt(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_udp *>(par.matchinfo);
	udphdr buffer;

	if (par.fragoff != 0)
		return false;
	const auto *uh = static_cast<const udphdr *>(
		skb_header_pointer(skb, static_cast<int>(par.thoff), sizeof(buffer), &buffer));
	if (!uh) {
		par.hotdrop = true;
		return false;
	}
	return port_match(info.spts[0], info.spts[1], ntohs(uh->source), info.invflags & XT_UDP_INV_SRCPT) &&
	       port_match(info.dpts[0], info.dpts[1], ntohs(uh->dest), info.invflags & XT_UDP_INV_DSTPT);
}

static int udp_mt_check(const xt_mtchk_param &par)
{
	TRACE();
	return static_cast<const xt_udp *>(par.matchinfo)->invflags & ~XT_UDP_INV_MASK ? -EINVAL : 0;
}

static bool icmp_type_code_match(u8 test_type, u8 min_code, u8 max_code, u8 type, u8 code, bool invert)
{
	TRACE();
	return (test_type == 0xff || (type == test_type && code >= min_code && code <= max_code)) != invert;
}

static bool icmp_match(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const ipt_icmp *>(par.matchinfo);
	icmphdr buffer;

	if (par.fragoff != 0)
		return false;
	const auto *ic = static_cast<const icmphdr *>(
		skb_header_pointer(skb, static_cast<int>(par.thoff), sizeof(buffer), &buffer));
	if (!ic) {
		par.hotdrop = true;
		return false;
	}
	return icmp_type_code_match(info.type, info.code[0], info.code[1], ic->type, ic->code,
	                            info.invflags & IPT_ICMP_INV);
}

static int icmp_checkentry(const xt_mtchk_param &par)
{
	TRACE();
	return static_cast<const ipt_icmp *>(par.matchinfo)->invflags & ~IPT_ICMP_INV ? -EINVAL : 0;
}

static constexpr xt_match tcpudp_mt_reg[] = {
	{.name = "tcp",
         .match = tcp_mt,
         .checkentry = tcp_mt_check,
         .matchsize = sizeof(xt_tcp),
         .proto = IPPROTO_TCP,
         .family = NFPROTO_IPV4},
	{.name = "udp",
         .match = udp_mt,
         .checkentry = udp_mt_check,
         .matchsize = sizeof(xt_udp),
         .proto = IPPROTO_UDP,
         .family = NFPROTO_IPV4},
	{.name = "icmp",
         .match = icmp_match,
         .checkentry = icmp_checkentry,
         .matchsize = sizeof(ipt_icmp),
         .proto = IPPROTO_ICMP,
         .family = NFPROTO_IPV4},
};

int tcpudp_mt_init()
{
	TRACE();
	return xt_register_matches(tcpudp_mt_reg, 3);
}

} // namespace skbwalk
