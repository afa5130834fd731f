// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/icmp.c, what comes in. icmp_rcv verifies the checksum and gives each message to the handler of its
// type: icmp_echo and icmp_timestamp answer (icmp_output.cpp sends), icmp_unreach and icmp_redirect take an
// error to the sockets and the protocol of the packet that it is about (icmp_socket_deliver), ping_rcv takes
// an answer to the socket that asked. icmp_err hears about messages of this host's own. Left out: PROBE by
// IPv6 address.
#include <cstring>

#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp_private.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

// What "destination unreachable" means to a socket, by code. RFC 1122, section 3.2.2.1, has some pass.
const std::array<icmp_errno, 16> icmp_err_convert = {{
	{ENETUNREACH, false},  // ICMP_NET_UNREACH
	{EHOSTUNREACH, false}, // ICMP_HOST_UNREACH
	{ENOPROTOOPT, true},   // ICMP_PROT_UNREACH
	{ECONNREFUSED, true},  // ICMP_PORT_UNREACH
	{EMSGSIZE, false},     // ICMP_FRAG_NEEDED
	{EOPNOTSUPP, false},   // ICMP_SR_FAILED
	{ENETUNREACH, true},   // ICMP_NET_UNKNOWN
	{EHOSTDOWN, true},     // ICMP_HOST_UNKNOWN
	{ENONET, true},        // ICMP_HOST_ISOLATED
	{ENETUNREACH, true},   // ICMP_NET_ANO
	{EHOSTUNREACH, true},  // ICMP_HOST_ANO
	{ENETUNREACH, false},  // ICMP_NET_UNR_TOS
	{EHOSTUNREACH, false}, // ICMP_HOST_UNR_TOS
	{EHOSTUNREACH, true},  // ICMP_PKT_FILTERED
	{EHOSTUNREACH, true},  // ICMP_PREC_VIOLATION
	{EHOSTUNREACH, true},  // ICMP_PREC_CUTOFF
}};

// skb->data is the header of the packet that the error is about.
static void icmp_socket_deliver(sk_buff &skb, u32 info)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	const int protocol = iph.protocol;

	// Protocols rely on eight bytes of theirs.
	if (!pskb_may_pull(skb, iph.ihl() * 4 + 8) || protocol == IPPROTO_RAW) {
		ICMP_INC_STATS(dev_net(*skb.dev), ICMP_MIB_INERRORS);
		return;
	}
	raw_icmp_error(skb, protocol, info);
	const net_protocol *ipprot = inet_protos_of->inet_protos[static_cast<u8>(protocol)];

	if (ipprot && ipprot->err_handler)
		ipprot->err_handler(skb, info);
}

// Does the protocol check that an error is about something it sent?
static bool icmp_tag_validation(int proto)
{
	TRACE();
	rcu_read_lock();
	const net_protocol *ipprot = inet_protos_of->inet_protos[static_cast<u8>(proto)];
	const bool ok = ipprot && ipprot->icmp_strict_tag_validation;
	rcu_read_unlock();
	return ok;
}

namespace {

skb_drop_reason out_err(net &net, skb_drop_reason reason)
{
	ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
	return reason;
}

// Of ICMP_FRAG_NEEDED, by ip_no_pmtu_disc: false when the message is to be ignored.
bool mtu_of(const net &net, const struct icmphdr &icmph, const iphdr &iph, u32 &info)
{
	switch (net.ipv4.sysctl_ip_no_pmtu_disc) {
	case 2:
		return false;
	case 3:
		if (!icmp_tag_validation(iph.protocol))
			return false;
		[[fallthrough]];
	case 0:
		info = ntohs(icmph.un.frag.mtu);
	}
	return true;
}

} // namespace

// ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_SOURCE_QUENCH and ICMP_PARAMETERPROB.
static skb_drop_reason icmp_unreach(sk_buff &skb)
{
	TRACE(skb);
	net &net = dev_net(*skb_dst(skb)->dev);
	u32 info = 0;

	if (!pskb_may_pull(skb, sizeof(iphdr)))
		return out_err(net, SKB_DROP_REASON_NOT_SPECIFIED);
	const struct icmphdr &icmph = icmp_hdr(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	if (iph.ihl() < 5)
		return out_err(net, SKB_DROP_REASON_IP_INHDR);

	switch (icmph.type) {
	case ICMP_DEST_UNREACH:
		if ((icmph.code & 15) == ICMP_FRAG_NEEDED && !mtu_of(net, icmph, iph, info))
			return SKB_NOT_DROPPED_YET;
		if (icmph.code > NR_ICMP_UNREACH)
			return SKB_NOT_DROPPED_YET;
		break;
	case ICMP_PARAMETERPROB:
		info = ntohl(icmph.un.gateway) >> 24;
		break;
	case ICMP_TIME_EXCEEDED:
		ICMP_INC_STATS(net, ICMP_MIB_INTIMEEXCDS);
		if (icmph.code == ICMP_EXC_FRAGTIME)
			return SKB_NOT_DROPPED_YET;
		break;
	}
	// Some routers answer what went to all, against RFC 1122.
	if (!net.ipv4.sysctl_icmp_ignore_bogus_error_responses &&
	    inet_addr_type_dev_table(net, skb.dev, iph.daddr) == RTN_BROADCAST)
		return SKB_NOT_DROPPED_YET;
	icmp_socket_deliver(skb, info);
	return SKB_NOT_DROPPED_YET;
}

static skb_drop_reason icmp_redirect(sk_buff &skb)
{
	TRACE(skb);
	if (skb.len < sizeof(iphdr))
		return out_err(dev_net(*skb.dev), SKB_DROP_REASON_PKT_TOO_SMALL);
	if (!pskb_may_pull(skb, sizeof(iphdr)))
		return SKB_DROP_REASON_NOMEM;
	icmp_socket_deliver(skb, ntohl(icmp_hdr(skb).un.gateway));
	return SKB_NOT_DROPPED_YET;
}

// ICMP_ECHO and, when the namespace answers those, ICMP_EXT_ECHO.
static skb_drop_reason icmp_echo(sk_buff &skb)
{
	TRACE(skb);
	const net &net = dev_net(*skb_dst(skb)->dev);
	icmp_bxm icmp_param;

	if (net.ipv4.sysctl_icmp_echo_ignore_all)
		return SKB_NOT_DROPPED_YET;
	icmp_param.data.icmph = icmp_hdr(skb);
	icmp_param.skb = &skb;
	icmp_param.offset = 0;
	icmp_param.data_len = static_cast<int>(skb.len);
	icmp_param.head_len = sizeof(struct icmphdr);
	if (icmp_param.data.icmph.type == ICMP_ECHO)
		icmp_param.data.icmph.type = ICMP_ECHOREPLY;
	else if (!icmp_build_probe(skb, icmp_param.data.icmph))
		return SKB_NOT_DROPPED_YET;
	icmp_reply(icmp_param, skb);
	return SKB_NOT_DROPPED_YET;
}

namespace {

constexpr u32 IFNAMSIZ = 16;

struct icmp_ext_echo_ctype3_hdr {
	be16 afi;
	u8 addrlen;
	u8 reserved;
};
// An interface, as a PROBE names it: `length` bytes of ident count.
struct icmp_ext_echo_iio {
	icmp_extobj_hdr extobj_hdr;
	u8 ident[20];
};

// Which device is asked about? False: the question makes no sense.
bool probed_device(net &net, const icmp_ext_echo_iio &iio, u32 ident_len, net_device *&dev)
{
	dev = nullptr;
	switch (iio.extobj_hdr.class_type) {
	case ICMP_EXT_ECHO_CTYPE_NAME: {
		if (ident_len >= IFNAMSIZ)
			return false;
		const char *name = reinterpret_cast<const char *>(iio.ident);

		dev = __dev_get_by_name(net, std::string(name, strnlen(name, ident_len)));
		return true;
	}
	case ICMP_EXT_ECHO_CTYPE_INDEX: {
		be32 ifindex;

		if (ident_len != sizeof(ifindex))
			return false;
		std::memcpy(&ifindex, iio.ident, sizeof(ifindex));
		dev = __dev_get_by_index(net, static_cast<int>(ntohl(ifindex)));
		return true;
	}
	case ICMP_EXT_ECHO_CTYPE_ADDR: {
		icmp_ext_echo_ctype3_hdr hdr;
		be32 addr;

		if (ident_len < sizeof(hdr))
			return false;
		std::memcpy(&hdr, iio.ident, sizeof(hdr));
		if (ident_len != sizeof(hdr) + hdr.addrlen || ntohs(hdr.afi) != ICMP_AFI_IP ||
		    hdr.addrlen != sizeof(addr))
			return false;
		std::memcpy(&addr, iio.ident + sizeof(hdr), sizeof(addr));
		dev = __ip_dev_find(net, addr, false);
		return true;
	}
	}
	return false;
}

} // namespace

// Makes the answer's header. False: no answer.
bool icmp_build_probe(sk_buff &skb, struct icmphdr &icmphdr)
{
	TRACE(skb);
	net &net = dev_net(*skb.dev);

	if (!net.ipv4.sysctl_icmp_echo_enable_probe)
		return false;
	// The L bit: about an interface of this node.
	be16 &sequence = icmphdr.un.echo.sequence;
	if (!(ntohs(sequence) & 1))
		return false;
	sequence = htons(ntohs(sequence) & 0xFF00);
	icmphdr.type = ICMP_EXT_ECHOREPLY;

	icmp_ext_hdr ext_hdr;
	icmp_ext_echo_iio iio{};
	const auto malformed = [&] {
		icmphdr.code = ICMP_EXT_CODE_MAL_QUERY;
		return true;
	};
	if (skb_copy_bits(skb, 0, &ext_hdr, sizeof(ext_hdr)) ||
	    skb_copy_bits(skb, sizeof(ext_hdr), &iio.extobj_hdr, sizeof(iio.extobj_hdr)))
		return malformed();
	const u32 length = ntohs(iio.extobj_hdr.length);
	if (length <= sizeof(iio.extobj_hdr) || length > sizeof(iio) ||
	    skb_copy_bits(skb, sizeof(ext_hdr), &iio, static_cast<int>(length)))
		return malformed();
	net_device *dev;
	if (!probed_device(net, iio, length - static_cast<u32>(sizeof(iio.extobj_hdr)), dev))
		return malformed();
	if (!dev) {
		icmphdr.code = ICMP_EXT_CODE_NO_IF;
		return true;
	}
	u16 status = 0;
	if (dev->flags & IFF_UP)
		status |= ICMP_EXT_ECHOREPLY_ACTIVE;
	const in_device *in_dev = __in_dev_get_rcu(*dev);
	if (in_dev && in_dev->ifa_list)
		status |= ICMP_EXT_ECHOREPLY_IPV4;
	sequence = htons(ntohs(sequence) | status);
	return true;
}

static skb_drop_reason icmp_timestamp(sk_buff &skb)
{
	TRACE(skb);
	icmp_bxm icmp_param;

	if (skb.len < 4)
		return out_err(dev_net(*skb_dst(skb)->dev), SKB_DROP_REASON_PKT_TOO_SMALL);
	icmp_param.data.times[1] = inet_current_timestamp();
	icmp_param.data.times[2] = icmp_param.data.times[1];
	[[maybe_unused]] const int err = skb_copy_bits(skb, 0, &icmp_param.data.times[0], 4);
	assert(!err);
	icmp_param.data.icmph = icmp_hdr(skb);
	icmp_param.data.icmph.type = ICMP_TIMESTAMPREPLY;
	icmp_param.data.icmph.code = 0;
	icmp_param.skb = &skb;
	icmp_param.offset = 0;
	icmp_param.data_len = 0;
	icmp_param.head_len = sizeof(struct icmphdr) + 12;
	icmp_reply(icmp_param, skb);
	return SKB_NOT_DROPPED_YET;
}

static skb_drop_reason icmp_discard(sk_buff &skb)
{
	TRACE(skb);
	return SKB_NOT_DROPPED_YET;
}

const std::array<icmp_control, NR_ICMP_TYPES + 1> icmp_pointers = {{
	{ping_rcv, false},       // ICMP_ECHOREPLY
	{icmp_discard, true},    // 1
	{icmp_discard, true},    // 2
	{icmp_unreach, true},    // ICMP_DEST_UNREACH
	{icmp_unreach, true},    // ICMP_SOURCE_QUENCH
	{icmp_redirect, true},   // ICMP_REDIRECT
	{icmp_discard, true},    // 6
	{icmp_discard, true},    // 7
	{icmp_echo, false},      // ICMP_ECHO
	{icmp_discard, true},    // 9
	{icmp_discard, true},    // 10
	{icmp_unreach, true},    // ICMP_TIME_EXCEEDED
	{icmp_unreach, true},    // ICMP_PARAMETERPROB
	{icmp_timestamp, false}, // ICMP_TIMESTAMP
	{icmp_discard, false},   // ICMP_TIMESTAMPREPLY
	{icmp_discard, false},   // ICMP_INFO_REQUEST
	{icmp_discard, false},   // ICMP_INFO_REPLY
	{icmp_discard, false},   // ICMP_ADDRESS
	{icmp_discard, false},   // ICMP_ADDRESSREPLY
}};

namespace {

int drop(skb_ptr skb, skb_drop_reason reason)
{
	kfree_skb_reason(std::move(skb), reason);
	return NET_RX_DROP;
}

int in_error(net &net, skb_ptr skb, skb_drop_reason reason)
{
	ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
	return drop(std::move(skb), reason);
}

// What went to many may be answered by few (RFC 1122, sections 3.2.2.6 and 3.2.2.8).
bool acceptable_to_many(const net &net, u8 type)
{
	if (type == ICMP_ECHO || type == ICMP_TIMESTAMP)
		return !net.ipv4.sysctl_icmp_echo_ignore_broadcasts;
	return type == ICMP_ADDRESS || type == ICMP_ADDRESSREPLY;
}

} // namespace

int icmp_rcv(skb_ptr skb)
{
	TRACE(skb);
	const rtable &rt = *skb_rtable(*skb);
	net &net = dev_net(*rt.dev);

	if (!xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb))
		return drop(std::move(skb),
		            SKB_DROP_REASON_XFRM_POLICY); // no transformed packet that could be an exception
	ICMP_INC_STATS(net, ICMP_MIB_INMSGS);
	if (skb_checksum_simple_validate(*skb)) {
		ICMP_INC_STATS(net, ICMP_MIB_CSUMERRORS);
		return in_error(net, std::move(skb), SKB_DROP_REASON_ICMP_CSUM);
	}
	if (!pskb_pull(*skb, sizeof(struct icmphdr)))
		return in_error(net, std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);

	const u8 type = icmp_hdr(*skb).type;
	ICMPMSGIN_INC_STATS(net, type);
	skb_drop_reason reason;
	if (type == ICMP_EXT_ECHO) {
		reason = icmp_echo(*skb);
	} else if (type == ICMP_EXT_ECHOREPLY) {
		reason = ping_rcv(*skb);
	} else if (type > NR_ICMP_TYPES) {
		return in_error(net, std::move(skb), SKB_DROP_REASON_UNHANDLED_PROTO);
	} else {
		if ((rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) && !acceptable_to_many(net, type))
			return in_error(net, std::move(skb), SKB_DROP_REASON_INVALID_PROTO);
		reason = icmp_pointers[type].handler(*skb);
	}
	if (reason != SKB_NOT_DROPPED_YET)
		return drop(std::move(skb), reason);
	consume_skb(std::move(skb));
	return NET_RX_SUCCESS;
}

// An error about an ICMP message of this host. Those about answers that the kernel gave matter to routes
// only.
int icmp_err(sk_buff &skb, u32 info)
{
	TRACE(skb);
	const u32 offset = reinterpret_cast<const iphdr *>(skb.data)->ihl() * 4;
	const auto &icmph = *reinterpret_cast<const struct icmphdr *>(skb.data + offset);
	net &net = dev_net(*skb.dev);
	const u8 type = icmp_hdr(skb).type, code = icmp_hdr(skb).code;

	if (icmph.type != ICMP_ECHOREPLY) {
		ping_err(skb, static_cast<int>(offset), info);
		return 0;
	}
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED)
		ipv4_update_pmtu(skb, net, info, 0, IPPROTO_ICMP);
	else if (type == ICMP_REDIRECT)
		ipv4_redirect(skb, net, 0, IPPROTO_ICMP);
	return 0;
}

} // namespace skbwalk
