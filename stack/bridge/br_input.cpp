// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_input.c: every frame that a port's device receives comes into br_handle_frame, the device's
// rx_handler. Frames for addresses that no bridge forwards (01:80:c2:00:00:0x) go up on the port; the others
// pass the hooks and come to br_handle_frame_finish, which learns where the sender is, looks for the
// receiver, and forwards, floods, or gives the frame to the bridge's own device (br_pass_frame_up). Left out:
// tunnels, MRP, CFM, multiple spanning trees, switch ports.
#include "stack/bridge/br_private.h"
#include "stack/ipv6/ipv6.h"
#include "stack/netfilter/nf_queue.h"

namespace skbwalk {

static int br_netif_receive_skb(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	br_drop_fake_rtable(*skb);
	return netif_receive_skb(std::move(skb));
}

static int br_pass_frame_up(skb_ptr skb, bool promisc)
{
	TRACE(skb);
	net_device &brdev = *BR_INPUT_SKB_CB(*skb).brdev;
	net_bridge &br = netdev_priv<net_bridge>(brdev);
	net_bridge_vlan_group *vg = br_vlan_group(br);

	++brdev.stats.rx_packets;
	brdev.stats.rx_bytes += skb->len;
	br_switchdev_frame_unmark(*skb);
	// The bridge is a port like any other, unless somebody captures on it.
	if (!(brdev.flags & IFF_PROMISC) && !br_allowed_egress(vg, *skb)) {
		kfree_skb(std::move(skb));
		return NET_RX_DROP;
	}
	net_device *indev = skb->dev;

	skb->dev = &brdev;
	br_handle_vlan(br, nullptr, vg, skb);
	if (!skb)
		return NET_RX_DROP;
	br_multicast_count(br, nullptr, *skb, br_multicast_igmp_type(*skb), BR_MCAST_DIR_TX);
	BR_INPUT_SKB_CB(*skb).promisc = promisc;
	return NF_HOOK(NFPROTO_BRIDGE, NF_BR_LOCAL_IN, dev_net(*indev), nullptr, std::move(skb), indev,
	               nullptr, br_netif_receive_skb);
}

namespace {

int drop(skb_ptr skb)
{
	kfree_skb(std::move(skb));
	return 0;
}

} // namespace

int br_handle_frame_finish(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	net_bridge_port *p = br_port_get_rcu(*skb->dev);
	br_pkt_type pkt_type = BR_PKT_UNICAST;
	net_bridge_fdb_entry *dst = nullptr;
	net_bridge_mdb_entry *mdst = nullptr;
	bool mcast_hit = false;
	net_bridge_vlan *vlan = nullptr;
	u16 vid = 0;

	if (!p || p->state == BR_STATE_DISABLED)
		return drop(std::move(skb));

	net_bridge &br = *p->br;
	net_bridge_mcast *brmctx = &br.multicast_ctx;
	net_bridge_mcast_port *pmctx = &p->multicast_ctx;
	u8 state = p->state;

	if (!br_allowed_ingress(br, nbp_vlan_group(*p), skb, vid, state, vlan))
		return 0;
	if (p->flags & BR_PORT_LOCKED) {
		const net_bridge_fdb_entry *fdb_src = br_fdb_find_rcu(br, eth_hdr(*skb).h_source, vid);

		if (!fdb_src || fdb_src->dst != p || (fdb_src->flags & BR_FDB_LOCAL))
			return drop(std::move(skb));
	}
	nbp_switchdev_frame_mark(*p, *skb);

	// Only what was let in teaches where a sender is.
	if (p->flags & BR_LEARNING)
		br_fdb_update(br, *p, eth_hdr(*skb).h_source, vid, 0);

	const bool promisc = br.dev->flags & IFF_PROMISC;
	bool local_rcv = promisc;

	if (is_multicast_ether_addr(eth_hdr(*skb).h_dest)) {
		if (is_broadcast_ether_addr(eth_hdr(*skb).h_dest)) {
			pkt_type = BR_PKT_BROADCAST;
			local_rcv = true;
		} else {
			pkt_type = BR_PKT_MULTICAST;
			if (br_multicast_rcv(brmctx, pmctx, vlan, *skb, vid))
				return drop(std::move(skb));
		}
	}
	if (state == BR_STATE_LEARNING)
		return drop(std::move(skb));

	BR_INPUT_SKB_CB(*skb).brdev = br.dev;
	BR_INPUT_SKB_CB(*skb).src_port_isolated = (p->flags & BR_ISOLATED) != 0;
	if (skb->protocol == htons(ETH_P_ARP) || skb->protocol == htons(ETH_P_RARP))
		br_do_proxy_suppress_arp(*skb, br, vid, p);
	else if (ipv6_mod_enabled() && skb->protocol == htons(ETH_P_IPV6) &&
	         br_opt_get(br, BROPT_NEIGH_SUPPRESS_ENABLED))
		BR_INPUT_SKB_CB(*skb).proxyarp_replied = 0; // no IPv6 neighbour is known here

	switch (pkt_type) {
	case BR_PKT_MULTICAST:
		mdst = br_mdb_get(*brmctx, *skb, vid);
		if ((mdst || BR_INPUT_SKB_CB(*skb).mrouters_only) &&
		    br_multicast_querier_exists(*brmctx, *skb, mdst)) {
			if ((mdst && mdst->host_joined) || br_multicast_is_router(*brmctx, *skb)) {
				local_rcv = true;
				++br.dev->stats.multicast;
			}
			mcast_hit = true;
		} else {
			local_rcv = true;
			++br.dev->stats.multicast;
		}
		break;
	case BR_PKT_UNICAST:
		dst = br_fdb_find_rcu(br, eth_hdr(*skb).h_dest, vid);
		break;
	case BR_PKT_BROADCAST:
		break;
	}

	if (dst) {
		if (dst->flags & BR_FDB_LOCAL)
			return br_pass_frame_up(std::move(skb), false);
		dst->used = jiffies();
		br_forward(dst->dst, skb, local_rcv, false);
	} else if (mcast_hit) {
		br_multicast_flood(mdst, skb, *brmctx, local_rcv, false);
	} else {
		br_flood(br, skb, pkt_type, local_rcv, false);
	}
	return local_rcv ? br_pass_frame_up(std::move(skb), promisc) : 0;
}

static void __br_handle_local_finish(sk_buff &skb)
{
	TRACE(skb);
	net_bridge_port &p = *br_port_get_rcu(*skb.dev);
	u16 vid = 0;

	if ((p.flags & BR_LEARNING) && nbp_state_should_learn(p) && !br_opt_get(*p.br, BROPT_NO_LL_LEARN) &&
	    br_should_learn(p, skb, vid))
		br_fdb_update(*p.br, p, eth_hdr(skb).h_source, vid, 0);
}

// Unlike the kernel, which forgets it, a packet that comes back from a queue is freed.
static int br_handle_local_finish(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	__br_handle_local_finish(*skb);
	return drop(std::move(skb));
}

// NF_HOOK without a call between br_handle_frame and the first hook.
static rx_handler_result_t nf_hook_bridge_pre(skb_ptr &skb)
{
	TRACE(skb);
	net &net = dev_net(*skb->dev);

	if (const nf_hook_entries *e = net.nf.hooks_bridge[NF_BR_PRE_ROUTING]) {
		const nf_hook_state state{
			NF_BR_PRE_ROUTING,     NFPROTO_BRIDGE, skb->dev, nullptr, nullptr, &net,
			br_handle_frame_finish};

		for (std::size_t i = 0; i < e->hooks.size(); ++i) {
			const u32 verdict = e->hooks[i].hook(e->hooks[i].priv, skb, state);

			switch (verdict & NF_VERDICT_MASK) {
			case NF_ACCEPT:
				if (BR_INPUT_SKB_CB(*skb).br_netfilter_broute)
					return RX_HANDLER_PASS;
				continue;
			case NF_DROP:
				kfree_skb(std::move(skb));
				return RX_HANDLER_CONSUMED;
			case NF_QUEUE:
				if (nf_queue(skb, state, i, verdict) == 1)
					continue;
				return RX_HANDLER_CONSUMED;
			default:
				assert(skb.is_taken());
				return RX_HANDLER_CONSUMED;
			}
		}
	}
	br_handle_frame_finish(net, nullptr, std::move(skb));
	return RX_HANDLER_CONSUMED;
}

namespace {

bool is_link_local_ether_addr(const mac_addr &a)
{
	return a[0] == 0x01 && a[1] == 0x80 && a[2] == 0xc2 && !a[3] && !a[4] && !(a[5] & 0xf0);
}

enum class link_local { forward, up, up_past_hooks, drop };

// What becomes of a frame for one of IEEE 802.1D's reserved addresses, by its last byte.
link_local link_local_fate(const net_bridge_port &p, u8 last)
{
	u16 fwd_mask = p.br->group_fwd_mask_required | p.group_fwd_mask;

	switch (last) {
	case 0x00: // bridges: without a spanning tree here, others must see each other's
		if (p.br->stp_enabled == BR_NO_STP || (fwd_mask & 1u << last))
			return link_local::forward;
		return link_local::up;
	case 0x01: // pause
		return link_local::drop;
	case 0x0e: // LLDP
		fwd_mask |= p.br->group_fwd_mask;
		return fwd_mask & 1u << last ? link_local::forward : link_local::up;
	default:
		fwd_mask |= p.br->group_fwd_mask;
		return fwd_mask & 1u << last ? link_local::forward : link_local::up_past_hooks;
	}
}

} // namespace

static rx_handler_result_t br_handle_frame(skb_ptr &skb)
{
	TRACE(skb, skb->dev);
	const auto dropped = [&] {
		kfree_skb(std::move(skb));
		return RX_HANDLER_CONSUMED;
	};

	if (skb->pkt_type == PACKET_LOOPBACK)
		return RX_HANDLER_PASS;
	if (!is_valid_ether_addr(eth_hdr(*skb).h_source))
		return dropped();
	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb)
		return RX_HANDLER_CONSUMED;
	std::memset(skb->cb, 0, sizeof(br_input_skb_cb));

	const net_bridge_port &p = *br_port_get_rcu(*skb->dev);
	const mac_addr dest = eth_hdr(*skb).h_dest;
	net &net = dev_net(*skb->dev);

	if (is_link_local_ether_addr(dest)) {
		switch (link_local_fate(p, dest[5])) {
		case link_local::forward:
			break;
		case link_local::up:
			__br_handle_local_finish(*skb);
			return RX_HANDLER_PASS;
		case link_local::drop:
			return dropped();
		case link_local::up_past_hooks:
			if (nf_hook(NFPROTO_BRIDGE, NF_BR_LOCAL_IN, net, nullptr, skb, skb->dev, nullptr,
			            br_handle_local_finish) != 1)
				return RX_HANDLER_CONSUMED;
			__br_handle_local_finish(*skb);
			return RX_HANDLER_PASS;
		}
	}

	if (p.state != BR_STATE_FORWARDING && p.state != BR_STATE_LEARNING)
		return dropped();
	if (ether_addr_equal(p.br->dev->dev_addr, dest))
		skb->pkt_type = PACKET_HOST;
	if (!current.host->features.bridge_hook_slow)
		return nf_hook_bridge_pre(skb);
	net_device *in = skb->dev;

	NF_HOOK(NFPROTO_BRIDGE, NF_BR_PRE_ROUTING, net, nullptr, std::move(skb), in, nullptr,
	        br_handle_frame_finish);
	return RX_HANDLER_CONSUMED;
}

rx_handler_func_t br_get_rx_handler(const net_device &dev)
{
	TRACE(dev);
	return br_handle_frame;
}

} // namespace skbwalk
