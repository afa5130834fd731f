// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/gro.c. A polling driver's packets gather in the instance's rx_list and go up together
// (gro_normal_list) when there are eight of them or the poll ends. On the way out skb_mac_gso_segment finds
// who cuts a packet of a type. Left out: merging (napi_gro_receive).
#include "stack/core/gro.h"

#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct offloads {
	list_head base;
};
perhost<offloads> offload_base;

constexpr int gro_normal_batch = 8;

} // namespace

void dev_add_offload(packet_offload &po)
{
	TRACE();
	list_head *at = offload_base->base.next;

	while (at != &offload_base->base && list_entry(*at, &packet_offload::list).priority <= po.priority)
		at = at->next;
	list_add_tail(po.list, *at);
}

void dev_remove_offload(packet_offload &po)
{
	TRACE();
	list_del_init(po.list);
}

skb_segs skb_mac_gso_segment(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	skb_segs segs{nullptr, -EPROTONOSUPPORT};
	int vlan_depth = skb.mac_len;
	const be16 type = skb_network_protocol(skb, &vlan_depth);

	if (!type)
		return {nullptr, -EINVAL};
	__skb_pull(skb, static_cast<u32>(vlan_depth));
	rcu_read_lock();
	for (list_head *p = offload_base->base.next; p != &offload_base->base; p = p->next) {
		const packet_offload &po = list_entry(*p, &packet_offload::list);

		if (po.type == type && po.callbacks.gso_segment) {
			segs = po.callbacks.gso_segment(skb, features);
			break;
		}
	}
	rcu_read_unlock();
	__skb_push(skb, static_cast<u32>(skb.data - skb_mac_header(skb)));
	return segs;
}

void gro_normal_list(napi_struct &napi)
{
	TRACE_INLINE(napi.dev);
	if (!napi.rx_count)
		return;
	netif_receive_skb_list_internal(napi.rx_list);
	INIT_LIST_HEAD(napi.rx_list);
	napi.rx_count = 0;
}

void gro_normal_one(napi_struct &napi, skb_ptr skb, int segs)
{
	TRACE_INLINE(skb, napi.dev);
	list_add_tail(skb.release()->tcp_tsorted_anchor, napi.rx_list);
	napi.rx_count += segs;
	if (napi.rx_count >= gro_normal_batch)
		gro_normal_list(napi);
}

void flush_gro_hash(napi_struct &napi)
{
	TRACE(napi.dev);
	while (!list_empty(napi.rx_list)) {
		sk_buff &skb = list_entry(*napi.rx_list.next, &sk_buff::tcp_tsorted_anchor);

		list_del_init(skb.tcp_tsorted_anchor);
		kfree_skb(skb_ptr(&skb));
	}
	napi.rx_count = 0;
}

} // namespace skbwalk
