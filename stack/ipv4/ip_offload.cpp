// SPDX-License-Identifier: GPL-2.0-only
//
// IP's part in merging packets and in cutting a large one (net/ipv4/af_inet.c and protocol.c).
// inet_gro_receive says which of the packets that GRO holds may be of the new one's flow, has the protocol
// merge, and inet_gro_complete writes the length of the whole. inet_gso_segment steps over IP's header, has
// the protocol cut, and gives each segment its length, its id and its checksum. Left out: tunnels, whose
// packets nothing here makes, and devices that want to be given a part of the work (GSO_PARTIAL).
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

// A packet with options, a fragment, or one with a bad header or padding is merged with nothing.
sk_buff *inet_gro_receive(list_head &head, sk_buff &skb)
{
	TRACE(skb);
	const u32 off = skb_gro_offset(skb);
	const u8 *header = skb_gro_header(skb, off + sizeof(iphdr), off);
	const auto refuse = [&skb] {
		skb_gro_flush_final(skb, nullptr, 1);
		return nullptr;
	};

	if (!header)
		return refuse();

	const iphdr &iph = *reinterpret_cast<const iphdr *>(header);
	const net_offload *ops = offloads->inet_offloads[iph.protocol];

	if (!ops || !ops->callbacks.gro_receive || iph.ver_ihl != 0x45 || ip_is_fragment(iph) ||
	    ip_fast_csum(&iph, 5))
		return refuse();

	const u32 id = ntohs(iph.id);
	const bool df = ntohs(iph.frag_off) & IP_DF;
	const auto flush = static_cast<u16>((ntohs(iph.tot_len) ^ skb_gro_len(skb)) |
	                                    (ntohs(iph.frag_off) & ~u32{IP_DF}));
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	for_each_gro(head, [&](sk_buff &p) {
		napi_gro_cb &pcb = NAPI_GRO_CB(p);

		if (!pcb.same_flow)
			return;
		const iphdr &iph2 = *reinterpret_cast<const iphdr *>(p.data + off);

		if (iph.protocol != iph2.protocol || !(iph.saddr == iph2.saddr) ||
		    !(iph.daddr == iph2.daddr)) {
			pcb.same_flow = 0;
			return;
		}
		const bool differs = iph.ttl != iph2.ttl || iph.tos != iph2.tos ||
		                     df != bool(ntohs(iph2.frag_off) & IP_DF);

		pcb.flush = static_cast<u16>(pcb.flush | differs | flush);

		// The protocol judges the id, when it knows that the flow is the same. Where DF is set the id
		// may stay (0) or go on (the distance); else it must go on: 0 or 0xffff.
		auto flush_id = static_cast<u16>(id - ntohs(iph2.id));

		if (!pcb.is_atomic || !df)
			flush_id = flush_id == pcb.count ? 0 : 0xffff;
		if (cb.is_atomic)
			pcb.flush_id = flush_id;
		else
			pcb.flush_id |= flush_id;
	});

	cb.is_atomic = df;
	cb.flush |= flush;
	skb_set_network_header(skb, static_cast<int>(off));
	skb_gro_pull(skb, sizeof(iphdr));
	skb_set_transport_header(skb, static_cast<int>(skb_gro_offset(skb)));

	sk_buff *pp = indirect_call_gro_receive(ops->callbacks.gro_receive, head, skb);

	skb_gro_flush_final(skb, pp, flush);
	return pp;
}

int inet_gro_complete(sk_buff &skb, int nhoff)
{
	TRACE(skb);
	iphdr &iph = *reinterpret_cast<iphdr *>(skb.data + nhoff);
	const be16 newlen = htons(static_cast<u16>(skb.len - static_cast<u32>(nhoff)));

	csum_replace2(iph.check, iph.tot_len, newlen);
	iph.tot_len = newlen;

	const net_offload *ops = offloads->inet_offloads[iph.protocol];

	assert(ops && ops->callbacks.gro_complete);
	return ops->callbacks.gro_complete(skb, nhoff + static_cast<int>(sizeof(iphdr)));
}

void ipv4_offload_init()
{
	TRACE();
	packet_offload &po = offloads->ip_packet_offload;

	static_cast<void>(udpv4_offload_init());
	static_cast<void>(tcpv4_offload_init());
	po.type = htons(ETH_P_IP);
	po.callbacks = {inet_gso_segment, inet_gro_receive, inet_gro_complete};
	dev_add_offload(po);
}

} // namespace skbwalk
