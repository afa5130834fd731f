// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_proto_udp.c: a UDP flow lives a while after each packet, longer when it went
// both ways for more than two seconds.
#include "stack/netfilter/nf_conntrack_private.h"
#include "stack/netfilter/utils.h"

namespace skbwalk {

static void udp_error_log(const sk_buff &skb, const nf_hook_state &state, const char *msg)
{
	TRACE(skb);
	nf_l4proto_log_invalid(skb, state, IPPROTO_UDP, "%s", msg);
}

static bool udp_error(sk_buff &skb, u32 dataoff, const nf_hook_state &state)
{
	TRACE(skb);
	const u32 udplen = skb.len - dataoff;
	udphdr buffer;
	const auto *hdr = static_cast<const udphdr *>(
		skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), &buffer));

	if (!hdr) {
		udp_error_log(skb, state, "short packet");
		return true;
	}
	if (ntohs(hdr->len) > udplen || ntohs(hdr->len) < sizeof(udphdr)) {
		udp_error_log(skb, state, "truncated/malformed packet");
		return true;
	}
	if (!hdr->check)
		return false;
	if (state.hook == NF_INET_PRE_ROUTING && state.net->ct->sysctl_checksum &&
	    nf_checksum(skb, state.hook, dataoff, IPPROTO_UDP, state.pf)) {
		udp_error_log(skb, state, "bad checksum");
		return true;
	}
	return false;
}

int nf_conntrack_udp_packet(nf_conn &ct, sk_buff &skb, u32 dataoff, ip_conntrack_info ctinfo,
                            const nf_hook_state &state)
{
	TRACE(skb);
	if (udp_error(skb, dataoff, state))
		return -static_cast<int>(NF_ACCEPT);
	const auto &timeouts = net_ct(nf_ct_net(ct)).udp_timeouts;

	if (!nf_ct_is_confirmed(ct))
		ct.proto.udp.stream_ts = 2 * HZ + jiffies();
	if (!(ct.status & IPS_SEEN_REPLY)) {
		nf_ct_refresh_acct(ct, ctinfo, skb, timeouts[UDP_CT_UNREPLIED]);
		return NF_ACCEPT;
	}
	const bool stream = time_after(jiffies(), ct.proto.udp.stream_ts);

	nf_ct_refresh_acct(ct, ctinfo, skb, timeouts[stream ? UDP_CT_REPLIED : UDP_CT_UNREPLIED]);
	if (ct.status & IPS_NAT_CLASH)
		return NF_ACCEPT;
	if (stream && !(ct.status & IPS_ASSURED)) {
		ct.status |= IPS_ASSURED;
		nf_conntrack_event_cache(IPCT_ASSURED, ct);
	}
	return NF_ACCEPT;
}

void nf_conntrack_udp_init_net(net &net)
{
	TRACE();
	net.ct->udp_timeouts = {30 * HZ, 120 * HZ};
}

const nf_conntrack_l4proto nf_conntrack_l4proto_udp{IPPROTO_UDP, true, nullptr, "udp"};

} // namespace skbwalk
