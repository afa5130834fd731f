// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_forward.c: a frame to one port (br_forward), to all (br_flood), or to those that have members
// of a group (br_multicast_flood). Each port says whether it may have it (should_deliver); __br_forward takes
// the tag off where the port's VLAN is untagged and asks the hooks, and br_dev_queue_push_xmit hands the
// frame to the port's device. All ports but the last get clones. Left out: netpoll.
#include "stack/bridge/br_private.h"

namespace skbwalk {

// Not back to where it came from, and only to a port that forwards.
static bool should_deliver(const net_bridge_port &p, const sk_buff &skb)
{
	TRACE_INLINE(skb, p.dev);
	net_bridge_vlan_group *vg = nbp_vlan_group(p);

	return ((p.flags & BR_HAIRPIN_MODE) || skb.dev != p.dev) && p.state == BR_STATE_FORWARDING &&
	       br_allowed_egress(vg, skb) && nbp_switchdev_allowed_egress(p, skb) &&
	       !(BR_INPUT_SKB_CB(skb).src_port_isolated && (p.flags & BR_ISOLATED));
}

int br_dev_queue_push_xmit(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	skb_push(*skb, ETH_HLEN);
	if (!is_skb_forwardable(*skb->dev, *skb)) {
		kfree_skb(std::move(skb));
		return 0;
	}
	br_drop_fake_rtable(*skb);
	if (skb->ip_summed == CHECKSUM_PARTIAL && eth_type_vlan(skb->protocol)) {
		int depth;

		if (!vlan_get_protocol_and_depth(*skb, skb->protocol, &depth)) {
			kfree_skb(std::move(skb));
			return 0;
		}
		skb_set_network_header(*skb, depth);
	}
	br_switchdev_frame_set_offload_fwd_mark(*skb);
	dev_queue_xmit(std::move(skb));
	return 0;
}

int br_forward_finish(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	skb_clear_tstamp(*skb);
	net_device *out = skb->dev;

	return NF_HOOK(NFPROTO_BRIDGE, NF_BR_POST_ROUTING, net, sk, std::move(skb), nullptr, out,
	               br_dev_queue_push_xmit);
}

static void __br_forward(const net_bridge_port &to, skb_ptr skb, bool local_orig)
{
	TRACE(skb, to.dev);
	// Whether the tag stays can depend on it.
	nbp_switchdev_frame_mark_tx_fwd_offload(to, *skb);
	br_handle_vlan(*to.br, &to, nbp_vlan_group(to), skb);
	if (!skb)
		return;

	net_device *indev = skb->dev;
	u32 br_hook = NF_BR_LOCAL_OUT;
	net *net = &dev_net(*to.dev);

	skb->dev = to.dev;
	if (local_orig) {
		indev = nullptr;
	} else {
		// Merged by a driver that was told not to: the segments' borders are lost.
		if (skb_is_gso(*skb) && !skb_shinfo(*skb).gso_type) {
			kfree_skb(std::move(skb));
			return;
		}
		br_hook = NF_BR_FORWARD;
		skb_forward_csum(*skb);
		net = &dev_net(*indev);
	}
	NF_HOOK(NFPROTO_BRIDGE, br_hook, *net, nullptr, std::move(skb), indev, to.dev, br_forward_finish);
}

static int deliver_clone(const net_bridge_port &prev, sk_buff &skb, bool local_orig)
{
	TRACE(skb, prev.dev);
	net_device &dev = *BR_INPUT_SKB_CB(skb).brdev;
	skb_ptr clone = skb_clone(skb, GFP_ATOMIC);

	if (!clone) {
		++dev.stats.tx_dropped;
		return -ENOMEM;
	}
	__br_forward(prev, std::move(clone), local_orig);
	return 0;
}

namespace {

void deliver_last(const net_bridge_port *prev, skb_ptr &skb, bool local_rcv, bool local_orig)
{
	if (prev && local_rcv)
		deliver_clone(*prev, *skb, local_orig);
	else if (prev)
		__br_forward(*prev, std::move(skb), local_orig);
	else if (!local_rcv)
		kfree_skb(std::move(skb));
}

} // namespace

void br_forward(const net_bridge_port *to, skb_ptr &skb, bool local_rcv, bool local_orig)
{
	TRACE(skb);
	if (to) {
		if (to->backup_port && (!netif_carrier_ok(*to->dev) || !netif_running(*to->dev)))
			to = to->backup_port;
		if (should_deliver(*to, *skb)) {
			deliver_last(to, skb, local_rcv, local_orig);
			return;
		}
	}
	if (!local_rcv)
		kfree_skb(std::move(skb));
}

// `prev` is the port to which a clone goes when there is another one after it; out of memory, no port is
// left.
static int maybe_deliver(net_bridge_port *&prev, net_bridge_port &p, sk_buff &skb, bool local_orig)
{
	TRACE(skb, p.dev);
	const u8 igmp_type = br_multicast_igmp_type(skb);

	if (!should_deliver(p, skb))
		return 0;
	nbp_switchdev_frame_mark_tx_fwd_to_hwdom(p, skb);
	if (prev) {
		if (const int err = deliver_clone(*prev, skb, local_orig)) {
			prev = nullptr;
			return err;
		}
	}
	br_multicast_count(*p.br, &p, skb, igmp_type, BR_MCAST_DIR_TX);
	prev = &p;
	return 0;
}

void br_flood(net_bridge &br, skb_ptr &skb, br_pkt_type pkt_type, bool local_rcv, bool local_orig)
{
	TRACE(skb, br.dev);
	net_bridge_port *prev = nullptr;
	bool failed = false;

	for_each_port(br, [&](net_bridge_port &p) {
		if (failed)
			return;
		// What the host itself sends goes to all ports, but unicast.
		switch (pkt_type) {
		case BR_PKT_UNICAST:
			if (!(p.flags & BR_FLOOD))
				return;
			break;
		case BR_PKT_MULTICAST:
			if (!(p.flags & BR_MCAST_FLOOD) && skb->dev != br.dev)
				return;
			break;
		case BR_PKT_BROADCAST:
			if (!(p.flags & BR_BCAST_FLOOD) && skb->dev != br.dev)
				return;
			break;
		}
		if (p.flags & BR_PROXYARP)
			return;
		if ((p.flags & (BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS)) &&
		    BR_INPUT_SKB_CB(*skb).proxyarp_replied)
			return;
		failed = maybe_deliver(prev, p, *skb, local_orig) != 0;
	});
	deliver_last(prev, skb, local_rcv, local_orig);
}

// A copy with the member's own address as its destination.
static void maybe_deliver_addr(net_bridge_port &p, sk_buff &skb, const mac_addr &addr, bool local_orig)
{
	TRACE(skb, p.dev);
	net_device &dev = *BR_INPUT_SKB_CB(skb).brdev;

	if (!should_deliver(p, skb))
		return;
	// Nobody gets its own words back, not even with hairpin.
	if (skb.dev == p.dev && ether_addr_equal(eth_hdr(skb).h_source, addr))
		return;
	__skb_push(skb, ETH_HLEN);
	skb_ptr nskb = pskb_copy(skb, GFP_ATOMIC);

	__skb_pull(skb, ETH_HLEN);
	if (!nskb) {
		++dev.stats.tx_dropped;
		return;
	}
	__skb_pull(*nskb, ETH_HLEN);
	if (!is_broadcast_ether_addr(addr))
		eth_hdr(*nskb).h_dest = addr;
	__br_forward(p, std::move(nskb), local_orig);
}

// The members' list and the routers' list have the same order, so that a port that is on both is met once.
//
// Unlike the kernel, which orders them by the ports' addresses in memory, the order is that of their numbers.
void br_multicast_flood(net_bridge_mdb_entry *mdst, skb_ptr &skb, net_bridge_mcast &brmctx, bool local_rcv,
                        bool local_orig)
{
	TRACE(skb, brmctx.br->dev);
	net_bridge_port *prev = nullptr;
	net_bridge_port_group *p = mdst ? mdst->ports : nullptr;
	list_head *const routers = &brmctx.ip4_mc_router_list;
	list_head *rp = routers->next;

	while (p || rp != routers) {
		net_bridge_port *lport = p ? p->port : nullptr;
		net_bridge_port *rport =
			rp != routers ? container_of(*rp, &net_bridge_mcast_port::ip4_rlist).port : nullptr;
		net_bridge_port *port = !rport || (lport && lport->port_no > rport->port_no) ? lport : rport;

		if (port == lport && port != rport && (port->flags & BR_MULTICAST_TO_UNICAST))
			maybe_deliver_addr(*lport, *skb, p->eth_addr, local_orig);
		else if (maybe_deliver(prev, *port, *skb, local_orig))
			break;
		if (lport == port)
			p = p->next;
		if (rport == port)
			rp = rp->next;
	}
	deliver_last(prev, skb, local_rcv, local_orig);
}

} // namespace skbwalk
