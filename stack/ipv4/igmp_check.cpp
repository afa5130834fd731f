// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/igmp.c, for who listens to other hosts' IGMP: ip_mc_check_igmp says whether a packet on its way is
// a whole one, with headers, length and checksum as they should be.
#include "stack/ipv4/igmp.h"

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

namespace {
const be32 INADDR_ALLHOSTS_GROUP = htonl(0xe0000001);
} // namespace

u32 ip_transport_len(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return ntohs(ip_hdr(skb).tot_len) - skb_network_header_len(skb);
}

bool ip_mc_may_pull(sk_buff &skb, u32 len)
{
	TRACE_INLINE(skb);
	if (static_cast<u32>(skb_transport_offset(skb)) + ip_transport_len(skb) < len)
		return false;
	return pskb_may_pull(skb, len);
}

static int ip_mc_check_iphdr(sk_buff &skb)
{
	TRACE(skb);
	const auto start = static_cast<u32>(skb_network_offset(skb));

	if (!pskb_may_pull(skb, start + sizeof(iphdr)))
		return -EINVAL;
	if (ip_hdr(skb).version() != 4 || ip_hdrlen(skb) < sizeof(iphdr))
		return -EINVAL;
	const u32 offset = start + ip_hdrlen(skb);

	if (!pskb_may_pull(skb, offset) || ip_fast_csum(skb_network_header(skb), ip_hdr(skb).ihl()))
		return -EINVAL;
	const u32 len = start + ntohs(ip_hdr(skb).tot_len);

	if (skb.len < len || len < offset)
		return -EINVAL;
	skb_set_transport_header(skb, static_cast<int>(offset));
	return 0;
}

static int ip_mc_check_igmp_reportv3(sk_buff &skb)
{
	TRACE(skb);
	const u32 len = static_cast<u32>(skb_transport_offset(skb)) + u32{sizeof(igmpv3_report)};

	return ip_mc_may_pull(skb, len) ? 0 : -EINVAL;
}

static int ip_mc_check_igmp_query(sk_buff &skb)
{
	TRACE(skb);
	const u32 transport_len = ip_transport_len(skb);

	if (transport_len != sizeof(igmphdr)) {
		const u32 len = static_cast<u32>(skb_transport_offset(skb)) + u32{sizeof(igmpv3_query)};

		if (transport_len < sizeof(igmpv3_query) || !ip_mc_may_pull(skb, len))
			return -EINVAL;
	}
	// A question to all goes to all.
	return igmp_hdr(skb).group || ip_hdr(skb).daddr == INADDR_ALLHOSTS_GROUP ? 0 : -EINVAL;
}

static int ip_mc_check_igmp_msg(sk_buff &skb)
{
	TRACE(skb);
	switch (igmp_hdr(skb).type) {
	case IGMP_HOST_LEAVE_MESSAGE:
	case IGMP_HOST_MEMBERSHIP_REPORT:
	case IGMPV2_HOST_MEMBERSHIP_REPORT:
		return 0;
	case IGMPV3_HOST_MEMBERSHIP_REPORT:
		return ip_mc_check_igmp_reportv3(skb);
	case IGMP_HOST_MEMBERSHIP_QUERY:
		return ip_mc_check_igmp_query(skb);
	default:
		return -ENOMSG;
	}
}

// Padding behind the IP packet is no part of the sum: the kernel trims a clone, the sum is taken here of the
// packet's part only.
static int ip_mc_check_igmp_csum(sk_buff &skb)
{
	TRACE(skb);
	const auto offset = static_cast<u32>(skb_transport_offset(skb));

	if (!ip_mc_may_pull(skb, offset + u32{sizeof(igmphdr)}))
		return -EINVAL;
	if (skb_csum_unnecessary(skb))
		return 0;
	return csum_fold(skb_checksum(skb, static_cast<int>(offset), static_cast<int>(ip_transport_len(skb)),
	                              0))
	               ? -EINVAL
	               : 0;
}

int ip_mc_check_igmp(sk_buff &skb)
{
	TRACE(skb);
	if (const int ret = ip_mc_check_iphdr(skb); ret < 0)
		return ret;
	if (ip_hdr(skb).protocol != IPPROTO_IGMP)
		return -ENOMSG;
	if (const int ret = ip_mc_check_igmp_csum(skb); ret < 0)
		return ret;
	return ip_mc_check_igmp_msg(skb);
}

} // namespace skbwalk
