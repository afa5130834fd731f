// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_arp_nd_proxy.c: ARP requests that need not be flooded. Where the neighbour table of the
// bridge knows who has the address, and behind which port, the bridge answers by itself (br_arp_send) and
// keeps the request from ports that asked for it (neigh_suppress, proxy_arp). Left out: IPv6's neighbour
// discovery, VLAN devices.
#include "stack/bridge/br_private.h"
#include "stack/core/neighbour.h"

namespace skbwalk {

namespace {

constexpr u16 ARPOP_RREQUEST = 3, ARPOP_RREPLY = 4;

// An ARP packet of Ethernet and IPv4, behind its header.
struct arp_body {
	mac_addr sha;
	be32 sip;
	mac_addr tha;
	be32 tip;
};
static_assert(sizeof(arp_body) == 20 && alignof(arp_body) == 1);

} // namespace

void br_recalculate_neigh_suppress_enabled(net_bridge &br)
{
	TRACE(br.dev);
	bool neigh_suppress = false;

	for_each_port(
		br, [&](const net_bridge_port &p) { neigh_suppress |= (p.flags & BR_NEIGH_SUPPRESS) != 0; });
	br_opt_toggle(br, BROPT_NEIGH_SUPPRESS_ENABLED, neigh_suppress);
}

// The answer goes out by the port that the request came in by, or, for the bridge itself, comes in there.
static void br_arp_send(net_bridge &br, net_bridge_port *p, net_device &dev, be32 dest_ip, be32 src_ip,
                        const mac_addr &dest_hw, const mac_addr &src_hw, const mac_addr &target_hw,
                        be16 vlan_proto, u16 vlan_tci)
{
	TRACE(dev);
	if (!vlan_tci) {
		arp_send(ARPOP_REPLY, ETH_P_ARP, dest_ip, dev, src_ip, dest_hw.data(), src_hw.data(),
		         target_hw.data());
		return;
	}
	skb_ptr skb = arp_create(ARPOP_REPLY, ETH_P_ARP, dest_ip, dev, src_ip, dest_hw.data(), src_hw.data(),
	                         target_hw.data());

	if (!skb)
		return;
	if (br_get_pvid(p ? nbp_vlan_group(*p) : br_vlan_group(br)) == (vlan_tci & VLAN_VID_MASK))
		vlan_tci = 0;
	if (vlan_tci)
		__vlan_hwaccel_put_tag(*skb, vlan_proto, vlan_tci);
	if (p) {
		arp_xmit(std::move(skb));
		return;
	}
	skb_reset_mac_header(*skb);
	__skb_pull(*skb, static_cast<u32>(skb_network_offset(*skb)));
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->pkt_type = PACKET_HOST;
	netif_rx(std::move(skb));
}

static bool br_chk_addr_ip(net_device &dev, be32 ip)
{
	TRACE(dev);
	in_device *in_dev = __in_dev_get_rcu(dev);

	return in_dev && inet_confirm_addr(dev_net(dev), in_dev, {}, ip, RT_SCOPE_HOST) == ip;
}

static bool br_is_local_ip(net_device &dev, be32 ip)
{
	TRACE(dev);
	return br_chk_addr_ip(dev, ip) || (dev.master && br_chk_addr_ip(*dev.master, ip));
}

void br_do_proxy_suppress_arp(sk_buff &skb, net_bridge &br, u16 vid, net_bridge_port *p)
{
	TRACE(skb, br.dev);
	net_device &dev = *br.dev;
	const bool suppress = br_opt_get(br, BROPT_NEIGH_SUPPRESS_ENABLED);

	BR_INPUT_SKB_CB(skb).proxyarp_replied = 0;
	if ((dev.flags & IFF_NOARP) || !pskb_may_pull(skb, sizeof(arphdr) + sizeof(arp_body)))
		return;
	const arphdr &parp = arp_hdr(skb);

	if (!(parp.ar_pro == htons(ETH_P_IP)) || parp.ar_hln != dev.addr_len || parp.ar_pln != 4)
		return;
	const arp_body body = *reinterpret_cast<const arp_body *>(&parp + 1);

	if (ipv4_is_loopback(body.tip) || ipv4_is_multicast(body.tip))
		return;
	if (suppress) {
		if (p && (p->flags & BR_NEIGH_SUPPRESS))
			return;
		// An announcement: ports that suppress need not hear it.
		if (!(parp.ar_op == htons(ARPOP_RREQUEST)) && !(parp.ar_op == htons(ARPOP_RREPLY)) &&
		    body.sip == body.tip) {
			BR_INPUT_SKB_CB(skb).proxyarp_replied = 1;
			return;
		}
	}
	if (!(parp.ar_op == htons(ARPOP_REQUEST)))
		return;
	if (vid != 0) // its neighbours would be those of a VLAN device
		return;
	if (suppress && br_is_local_ip(dev, body.tip)) {
		BR_INPUT_SKB_CB(skb).proxyarp_replied = 1;
		return;
	}
	neighbour *n = neigh_lookup(arp_tbl(), body.tip, dev);

	if (!n)
		return;
	if (n->nud_state & NUD_VALID) {
		const mac_addr ha = n->ha;

		if (const net_bridge_fdb_entry *f = br_fdb_find_rcu(br, ha, vid)) {
			const bool replied =
				(p && (p->flags & BR_PROXYARP)) ||
				(f->dst && (f->dst->flags & (BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS)));

			if (replied)
				br_arp_send(br, p, *skb.dev, body.sip, body.tip, body.sha, ha, body.sha,
				            be16{}, 0);
			if (replied || suppress)
				BR_INPUT_SKB_CB(skb).proxyarp_replied = 1;
		}
	}
	neigh_release(*n);
}

} // namespace skbwalk
