// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_proto_icmp.c: a question and its answer are a connection, by the id; an error
// belongs to the connection that the packet inside it is of.
#include <array>

#include "stack/netfilter/nf_conntrack_private.h"
#include "stack/netfilter/utils.h"

namespace skbwalk {

namespace {

// The type of the answer plus one; 0: there is none.
constexpr std::array<u8, NR_ICMP_TYPES + 1> invmap = [] {
	std::array<u8, NR_ICMP_TYPES + 1> map{};
	const auto pair = [&map](u8 a, u8 b) {
		map[a] = static_cast<u8>(b + 1);
		map[b] = static_cast<u8>(a + 1);
	};

	pair(ICMP_ECHO, ICMP_ECHOREPLY);
	pair(ICMP_TIMESTAMP, ICMP_TIMESTAMPREPLY);
	pair(ICMP_INFO_REQUEST, ICMP_INFO_REPLY);
	pair(ICMP_ADDRESS, ICMP_ADDRESSREPLY);
	return map;
}();

bool icmp_is_err(u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

} // namespace

bool icmp_pkt_to_tuple(const sk_buff &skb, u32 dataoff, nf_conntrack_tuple &tuple)
{
	TRACE(skb);
	icmphdr buffer;
	const auto *hp = static_cast<const icmphdr *>(
		skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), &buffer));

	if (!hp)
		return false;
	tuple.dst.u = {{hp->type, hp->code}};
	tuple.src.u = hp->un.echo.id;
	return true;
}

bool nf_conntrack_invert_icmp_tuple(nf_conntrack_tuple &tuple, const nf_conntrack_tuple &orig)
{
	TRACE();
	const u8 type = orig.icmp_type();

	if (type >= invmap.size() || !invmap[type])
		return false;
	tuple.src.u = orig.src.u;
	tuple.dst.u = {{static_cast<u8>(invmap[type] - 1), orig.dst.u.b[1]}};
	return true;
}

int nf_conntrack_icmp_packet(nf_conn &ct, sk_buff &skb, ip_conntrack_info ctinfo, const nf_hook_state &state)
{
	TRACE(skb);
	if (state.pf != NFPROTO_IPV4)
		return -static_cast<int>(NF_ACCEPT);
	const u8 type = ct.tuplehash[0].tuple.icmp_type();

	if (type != ICMP_ECHO && type != ICMP_TIMESTAMP && type != ICMP_INFO_REQUEST && type != ICMP_ADDRESS)
		return -static_cast<int>(NF_ACCEPT); // nothing begins with an answer
	nf_ct_refresh_acct(ct, ctinfo, skb, net_ct(nf_ct_net(ct)).icmp_timeout);
	return NF_ACCEPT;
}

static int nf_conntrack_inet_error(sk_buff &skb, u32 dataoff, const nf_hook_state &state, u8 l4proto,
                                   be32 outer_daddr)
{
	TRACE(skb);
	constexpr int accept = static_cast<int>(NF_ACCEPT);
	nf_conntrack_tuple innertuple, origtuple;

	if (!nf_ct_get_tuplepr(skb, dataoff, state.pf, *state.net, origtuple))
		return -accept;
	// The packet inside is as it was sent, so its connection is found by the answer's tuple.
	if (!nf_ct_invert_tuple(innertuple, origtuple))
		return -accept;
	nf_conntrack_tuple_hash *h = nf_conntrack_find_get(*state.net, nf_ct_zone_dflt, innertuple);
	if (!h)
		return -accept;
	nf_conn &ct = nf_ct_tuplehash_to_ctrack(*h);
	const ip_conntrack_dir dir = NF_CT_DIRECTION(*h);

	// The error must go to whom the packet inside came from.
	if (const be32 inner = ct.tuplehash[dir].tuple.dst.u3; !(outer_daddr == inner)) {
		nf_l4proto_log_invalid(skb, state, l4proto, "outer daddr %u.%u.%u.%u != inner %u.%u.%u.%u",
		                       outer_daddr.b[0], outer_daddr.b[1], outer_daddr.b[2], outer_daddr.b[3],
		                       inner.b[0], inner.b[1], inner.b[2], inner.b[3]);
		nf_ct_put(&ct);
		return -accept;
	}
	nf_ct_set(skb, &ct, dir == IP_CT_DIR_REPLY ? IP_CT_RELATED_REPLY : IP_CT_RELATED);
	return accept;
}

static void icmp_error_log(const sk_buff &skb, const nf_hook_state &state, const char *msg)
{
	TRACE(skb);
	nf_l4proto_log_invalid(skb, state, IPPROTO_ICMP, "%s", msg);
}

int nf_conntrack_icmpv4_error(nf_conn *, sk_buff &skb, u32 dataoff, const nf_hook_state &state)
{
	TRACE(skb);
	icmphdr buffer;
	const auto *icmph = static_cast<const icmphdr *>(
		skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), &buffer));
	const auto invalid = [&skb, &state](const char *why) {
		icmp_error_log(skb, state, why);
		return -static_cast<int>(NF_ACCEPT);
	};

	if (!icmph)
		return invalid("short packet");
	if (state.net->ct->sysctl_checksum && state.hook == NF_INET_PRE_ROUTING &&
	    nf_ip_checksum(skb, state.hook, dataoff, IPPROTO_ICMP))
		return invalid("bad hw icmp checksum");
	if (icmph->type > NR_ICMP_TYPES)
		return invalid("invalid icmp type");
	if (!icmp_is_err(icmph->type))
		return NF_ACCEPT;
	return nf_conntrack_inet_error(skb, dataoff + static_cast<u32>(sizeof(icmphdr)), state, IPPROTO_ICMP,
	                               ip_hdr(skb).daddr);
}

void nf_conntrack_icmp_init_net(net &net)
{
	TRACE();
	net.ct->icmp_timeout = 30 * HZ;
}

const nf_conntrack_l4proto nf_conntrack_l4proto_icmp{IPPROTO_ICMP, false, nullptr, "icmp"};

} // namespace skbwalk
