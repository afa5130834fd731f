// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_vlan.c, first part: what VLAN filtering does to a frame. br_allowed_ingress says whether a
// port takes it and of which VLAN it is (an untagged one: of the port's PVID), br_allowed_egress whether a
// port may send it, br_handle_vlan takes the tag off where the port sends that VLAN untagged. br_vlan_set.cpp
// has how entries come and go. Left out: multiple spanning trees, tunnels, per-port counters.
#include "stack/bridge/br_private.h"

namespace skbwalk {

static net_bridge_vlan *br_vlan_lookup(net_bridge_vlan_group &vg, u16 vid)
{
	TRACE();
	return rhashtable_lookup(vg.vlan_hash, vid);
}

net_bridge_vlan *br_vlan_find(net_bridge_vlan_group *vg, u16 vid)
{
	TRACE();
	return vg ? br_vlan_lookup(*vg, vid) : nullptr;
}

void br_handle_vlan(net_bridge &br, const net_bridge_port *, net_bridge_vlan_group *vg, skb_ptr &skb)
{
	TRACE(skb);
	u16 vid;

	if (!BR_INPUT_SKB_CB(*skb).vlan_filtered)
		return;
	br_vlan_get_tag(*skb, vid);
	net_bridge_vlan *v = br_vlan_find(vg, vid);

	if (!v || !br_vlan_should_use(*v)) {
		// Who captures on the bridge sees what is not for it, as it is.
		if (!((br.dev->flags & IFF_PROMISC) && skb->dev == br.dev))
			kfree_skb(std::exchange(skb, nullptr));
		return;
	}
	if (br_opt_get(br, BROPT_VLAN_STATS_ENABLED)) {
		net_bridge_vlan &counts = v->brvlan ? *v->brvlan : *v;

		counts.tx_bytes += skb->len;
		++counts.tx_packets;
	}
	if ((v->flags & BRIDGE_VLAN_INFO_UNTAGGED) && !br_switchdev_frame_uses_tx_fwd_offload(*skb))
		__vlan_hwaccel_clear_tag(*skb);
}

static bool __allowed_ingress(const net_bridge &br, net_bridge_vlan_group *vg, skb_ptr &skb, u16 &vid,
                              u8 &state, net_bridge_vlan *&vlan)
{
	TRACE(skb);
	const auto dropped = [&] {
		kfree_skb(std::move(skb));
		return false;
	};
	bool tagged = false;

	BR_INPUT_SKB_CB(*skb).vlan_filtered = 1;
	// From a device that leaves the tag in the packet.
	if (!skb_vlan_tag_present(*skb) && skb->protocol == br.vlan_proto) {
		skb_vlan_untag(skb);
		if (!skb)
			return false;
	}
	if (!br_vlan_get_tag(*skb, vid)) {
		if (skb->vlan_proto == br.vlan_proto) {
			tagged = true;
		} else {
			// Another kind of tag is payload here.
			const u16 tci = skb_vlan_tag_get(*skb);

			skb_push(*skb, ETH_HLEN);
			vlan_insert_tag_set_proto(skb, skb->vlan_proto, tci);
			if (!skb)
				return false;
			skb_pull(*skb, ETH_HLEN);
			skb_reset_mac_len(*skb);
			vid = 0;
		}
	}
	if (!vid) {
		const u16 pvid = br_get_pvid(vg);

		if (!pvid)
			return dropped();
		vid = pvid;
		if (!tagged)
			__vlan_hwaccel_put_tag(*skb, br.vlan_proto, pvid);
		else // only a priority: that stays
			skb->vlan_tci = static_cast<u16>(skb->vlan_tci | pvid);
		if (!br_opt_get(br, BROPT_VLAN_STATS_ENABLED)) {
			if (state == BR_STATE_FORWARDING) {
				state = vg->pvid_state;
				if (!br_vlan_state_allowed(state, true))
					return dropped();
			}
			return true;
		}
	}
	net_bridge_vlan *v = br_vlan_find(vg, vid);

	if (!v || !br_vlan_should_use(*v))
		return dropped();
	if (state == BR_STATE_FORWARDING) {
		state = v->state;
		if (!br_vlan_state_allowed(state, true))
			return dropped();
	}
	if (br_opt_get(br, BROPT_VLAN_STATS_ENABLED)) {
		net_bridge_vlan &counts = v->brvlan ? *v->brvlan : *v;

		counts.rx_bytes += skb->len;
		++counts.rx_packets;
	}
	vlan = v;
	return true;
}

bool br_allowed_ingress(const net_bridge &br, net_bridge_vlan_group *vg, skb_ptr &skb, u16 &vid, u8 &state,
                        net_bridge_vlan *&vlan)
{
	TRACE(skb);
	vlan = nullptr;
	if (!br_opt_get(br, BROPT_VLAN_ENABLED)) {
		BR_INPUT_SKB_CB(*skb).vlan_filtered = 0;
		return true;
	}
	return __allowed_ingress(br, vg, skb, vid, state, vlan);
}

bool br_allowed_egress(net_bridge_vlan_group *vg, const sk_buff &skb)
{
	TRACE(skb);
	u16 vid;

	if (!BR_INPUT_SKB_CB(skb).vlan_filtered)
		return true;
	br_vlan_get_tag(skb, vid);
	const net_bridge_vlan *v = br_vlan_find(vg, vid);

	return v && br_vlan_should_use(*v) && br_vlan_state_allowed(v->state, false);
}

bool br_should_learn(net_bridge_port &p, sk_buff &skb, u16 &vid)
{
	TRACE(skb, p.dev);
	const net_bridge &br = *p.br;

	if (!br_opt_get(br, BROPT_VLAN_ENABLED))
		return true;
	net_bridge_vlan_group *vg = nbp_vlan_group(p);

	if (!vg || !vg->num_vlans)
		return false;
	if (!br_vlan_get_tag(skb, vid) && !(skb.vlan_proto == br.vlan_proto))
		vid = 0;
	if (!vid) {
		vid = br_get_pvid(vg);
		return vid && br_vlan_state_allowed(vg->pvid_state, true);
	}
	const net_bridge_vlan *v = br_vlan_find(vg, vid);

	return v && br_vlan_state_allowed(v->state, true);
}

bool br_vlan_enabled(const net_device &dev)
{
	TRACE(dev);
	return br_opt_get(netdev_priv<net_bridge>(dev), BROPT_VLAN_ENABLED);
}

} // namespace skbwalk
