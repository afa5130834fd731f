// SPDX-License-Identifier: GPL-2.0-only
//
// IP's part in cutting a large packet (net/ipv4/af_inet.c and protocol.c): inet_gso_segment steps over IP's
// header, has the protocol cut, and gives each segment its length, its id and its checksum. Left out:
// tunnels, whose packets nothing here makes, devices that want to be given a part of the work (GSO_PARTIAL),
// and GRO.
#include "stack/core/gso.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/protocol.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct ip_offloads {
	std::array<const net_offload *, 256> inet_offloads{};
	packet_offload ip_packet_offload;
};
perhost<ip_offloads> offloads;

} // namespace

int inet_add_offload(const net_offload &prot, u8 protocol)
{
	TRACE();
	const net_offload *&place = offloads->inet_offloads[protocol];

	if (place)
		return -1;
	place = &prot;
	return 0;
}

skb_segs inet_gso_segment(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	skb_reset_network_header(skb);

	const u32 nhoff = static_cast<u32>(skb_network_header(skb) - skb_mac_header(skb));

	if (!pskb_may_pull(skb, sizeof(iphdr)))
		return {nullptr, -EINVAL};

	const u32 ihl = ip_hdr(skb).ihl() * 4u;
	const u8 proto = ip_hdr(skb).protocol;
	u32 id = ntohs(ip_hdr(skb).id);

	if (ihl < sizeof(iphdr) || !pskb_may_pull(skb, ihl))
		return {nullptr, -EINVAL};
	__skb_pull(skb, ihl);
	SKB_GSO_CB(skb).encap_level += static_cast<int>(ihl);
	skb_reset_transport_header(skb);

	const bool fixedid = skb_shinfo(skb).gso_type & SKB_GSO_TCP_FIXEDID;

	// The same id in all is for packets that nobody may cut.
	if (fixedid && !(ntohs(ip_hdr(skb).frag_off) & IP_DF))
		return {nullptr, -EPROTONOSUPPORT};

	const net_offload *ops = offloads->inet_offloads[proto];

	if (!ops || !ops->callbacks.gso_segment)
		return {nullptr, -EPROTONOSUPPORT};

	const skb_segs segs = ops->callbacks.gso_segment(skb, features);

	if (segs.err)
		return segs;
	if (!segs.list) {
		skb.network_header = static_cast<u16>(skb.mac_header + nhoff);
		return segs;
	}

	for (sk_buff *seg = segs.list; seg; seg = seg->next) {
		iphdr &iph = *reinterpret_cast<iphdr *>(skb_mac_header(*seg) + nhoff);

		if (!fixedid)
			iph.id = htons(static_cast<u16>(id));
		id += skb_is_gso(*seg) ? skb_shinfo(*seg).gso_segs : 1u;
		iph.tot_len = htons(static_cast<u16>(seg->len - nhoff));
		ip_send_check(iph);
		seg->network_header = static_cast<u16>(seg->mac_header + nhoff);
		skb_reset_mac_len(*seg);
	}
	return segs;
}

void ipv4_offload_init()
{
	TRACE();
	packet_offload &po = offloads->ip_packet_offload;

	static_cast<void>(tcpv4_offload_init());
	po.type = htons(ETH_P_IP);
	po.callbacks.gso_segment = inet_gso_segment;
	dev_add_offload(po);
}

} // namespace skbwalk
