// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_switchdev.c: what becomes of a frame where ports belong to a switch that forwards by itself.
// A frame that such a switch forwarded already is not sent to its other ports again. No driver here does so:
// all ports have hardware domain 0, and no frame is marked.
#include "stack/bridge/br_fdb_private.h"
#include "stack/switchdev/switchdev.h"

namespace skbwalk {

static bool nbp_switchdev_can_offload_tx_fwd(const net_bridge_port &p, const sk_buff &skb)
{
	TRACE_INLINE(skb, p.dev);
	if (br_multicast_igmp_type(skb))
		return false;
	return p.hwdom && p.hwdom != BR_INPUT_SKB_CB(skb).src_hwdom;
}

bool br_switchdev_frame_uses_tx_fwd_offload(sk_buff &skb)
{
	TRACE(skb);
	return BR_INPUT_SKB_CB(skb).tx_fwd_offload;
}

void br_switchdev_frame_set_offload_fwd_mark(sk_buff &skb)
{
	TRACE(skb);
	skb.offload_fwd_mark = br_switchdev_frame_uses_tx_fwd_offload(skb);
}

void nbp_switchdev_frame_mark_tx_fwd_offload(const net_bridge_port &p, sk_buff &skb)
{
	TRACE(skb, p.dev);
	if (nbp_switchdev_can_offload_tx_fwd(p, skb))
		BR_INPUT_SKB_CB(skb).tx_fwd_offload = 1;
}

void nbp_switchdev_frame_mark_tx_fwd_to_hwdom(const net_bridge_port &p, sk_buff &skb)
{
	TRACE(skb, p.dev);
	if (nbp_switchdev_can_offload_tx_fwd(p, skb))
		BR_INPUT_SKB_CB(skb).fwd_hwdoms |= u64{1} << p.hwdom;
}

void nbp_switchdev_frame_mark(const net_bridge_port &p, sk_buff &skb)
{
	TRACE(skb, p.dev);
	if (p.hwdom)
		BR_INPUT_SKB_CB(skb).src_hwdom = p.hwdom;
}

bool nbp_switchdev_allowed_egress(const net_bridge_port &p, const sk_buff &skb)
{
	TRACE(skb, p.dev);
	const br_input_skb_cb &cb = BR_INPUT_SKB_CB(skb);

	return !(cb.fwd_hwdoms & u64{1} << p.hwdom) && (!skb.offload_fwd_mark || cb.src_hwdom != p.hwdom);
}

static void br_switchdev_fdb_populate(net_bridge &br, switchdev_notifier_fdb_info &item,
                                      const net_bridge_fdb_entry &fdb)
{
	TRACE(br.dev);
	item.addr = &fdb.key.addr;
	item.vid = fdb.key.vlan_id;
	item.added_by_user = fdb.flags & BR_FDB_ADDED_BY_USER;
	item.offloaded = fdb.flags & BR_FDB_OFFLOADED;
	item.is_local = fdb.flags & BR_FDB_LOCAL;
	item.dev = !fdb.dst || item.is_local ? br.dev : fdb.dst->dev;
}

// Who forwards in hardware is told of the entry, unless it was made by hand and ages.
void br_switchdev_fdb_notify(net_bridge &br, const net_bridge_fdb_entry &fdb, int type)
{
	TRACE(br.dev);
	switchdev_notifier_fdb_info item;

	if ((fdb.flags & BR_FDB_ADDED_BY_USER) && !(fdb.flags & (BR_FDB_STATIC | BR_FDB_ADDED_BY_EXT_LEARN)))
		return;
	br_switchdev_fdb_populate(br, item, fdb);
	call_switchdev_notifiers(type == RTM_DELNEIGH ? SWITCHDEV_FDB_DEL_TO_DEVICE
	                                              : SWITCHDEV_FDB_ADD_TO_DEVICE,
	                         *item.dev, item);
}

} // namespace skbwalk
