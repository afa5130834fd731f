// SPDX-License-Identifier: GPL-2.0-only
//
// The receive half of net/core/dev.c. __netif_receive_skb_core gives a packet to the taps, to its device's
// rx_handler (a bridge's) and to the protocols of its type; the last of them gets the packet itself. Packets
// come from the backlog or from a polling driver (dev_napi.cpp), one by one or as a list, and from another
// device of this host (dev_forward_skb). Packet steering
// (dev_rps.cpp) may send it to another cpu first. Left out: generic XDP, ingress hooks and
// time stamps (off: their static keys), VLAN devices, memory reserves.
#include "stack/core/dst.h"
#include "stack/core/if_vlan.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/rps.h"
#include "stack/core/sock.h"
#include "stack/ethernet/eth.h"

namespace skbwalk {

namespace {

constexpr u32 PTYPE_HASH_SIZE = 16;
constexpr u32 PTYPE_HASH_MASK = PTYPE_HASH_SIZE - 1;

struct packet_types {
	list_head all; // taps
	std::array<list_head, PTYPE_HASH_SIZE> base;
};
perhost<packet_types> ptypes;

template <class Fn> void for_each_type(list_head &l, Fn fn)
{
	for (list_head *p = l.next, *next; p != &l; p = next) {
		next = p->next;
		fn(list_entry(*p, &packet_type::list));
	}
}

sk_buff &skb_on(list_head &l) { return list_entry(l, &sk_buff::tcp_tsorted_anchor); }

} // namespace

// --- who receives ---

static list_head &ptype_head(const packet_type &pt)
{
	TRACE_INLINE(pt.dev);
	if (pt.type == htons(ETH_P_ALL))
		return pt.dev ? pt.dev->ptype_all : ptypes->all;
	return pt.dev ? pt.dev->ptype_specific : ptypes->base[ntohs(pt.type) & PTYPE_HASH_MASK];
}

void dev_add_pack(packet_type &pt)
{
	TRACE(pt.dev);
	list_add(pt.list, ptype_head(pt));
}

// Unlike the kernel, nobody waits for readers: hosts run on one thread and no walk over a list is left in the
// middle.
void dev_remove_pack(packet_type &pt)
{
	TRACE(pt.dev);
	list_del_init(pt.list);
}

bool dev_nit_active(const net_device &dev)
{
	TRACE(dev);
	return !list_empty(ptypes->all) || !list_empty(dev.ptype_all);
}

static int deliver_skb(sk_buff &skb, packet_type &pt_prev, net_device &orig_dev)
{
	TRACE(skb);
	return pt_prev.func(skb_get(skb), *skb.dev, pt_prev, orig_dev);
}

static void deliver_ptype_list_skb(sk_buff &skb, packet_type *&pt_prev, net_device &orig_dev, be16 type,
                                   list_head &list)
{
	TRACE(skb);
	for_each_type(list, [&](packet_type &pt) {
		if (!(pt.type == type))
			return;
		if (pt_prev)
			deliver_skb(skb, *pt_prev, orig_dev);
		pt_prev = &pt;
	});
}

// Is the tap the socket that sends this packet?
static bool skb_loop_sk(packet_type &pt, const sk_buff &skb)
{
	TRACE(skb);
	if (!pt.af_packet_priv || !skb.sk)
		return false;
	return pt.id_match ? pt.id_match(pt, *skb.sk) : pt.af_packet_priv == skb.sk;
}

void dev_queue_xmit_nit(sk_buff &skb, net_device &dev)
{
	TRACE(skb, dev);
	skb_ptr skb2;
	packet_type *pt_prev = nullptr;
	bool no_memory = false;

	rcu_read_lock();
	for (list_head *list : {&ptypes->all, &dev.ptype_all}) {
		for_each_type(*list, [&](packet_type &pt) {
			if (no_memory || pt.ignore_outgoing || skb_loop_sk(pt, skb))
				return;
			if (pt_prev) {
				deliver_skb(*skb2, *pt_prev, *skb.dev);
				pt_prev = &pt;
				return;
			}
			skb2 = skb_clone(skb, GFP_ATOMIC);
			if (!skb2) {
				no_memory = true;
				return;
			}
			skb_reset_mac_header(*skb2);
			// A header that is not where it should be is the sender's fault; a tap reads past it.
			if (skb2->network_header < static_cast<u16>(skb2->data - skb2->head) ||
			    skb_network_header(*skb2) > skb_tail_pointer(*skb2))
				skb_reset_network_header(*skb2);
			skb2->transport_header = skb2->network_header;
			skb2->pkt_type = PACKET_OUTGOING;
			pt_prev = &pt;
		});
	}
	if (pt_prev) {
		net_device &on = *skb2->dev;

		pt_prev->func(std::move(skb2), on, *pt_prev, *skb.dev);
	}
	rcu_read_unlock();
}

static bool netdev_is_rx_handler_busy(const net_device &dev)
{
	TRACE(dev);
	return dev.rx_handler != nullptr;
}

int netdev_rx_handler_register(net_device &dev, rx_handler_func_t handler, void *data)
{
	TRACE(dev);
	if (netdev_is_rx_handler_busy(dev))
		return -EBUSY;
	if (dev.priv_flags & IFF_NO_RX_HANDLER)
		return -EINVAL;
	dev.rx_handler_data = data;
	dev.rx_handler = handler;
	return 0;
}

void netdev_rx_handler_unregister(net_device &dev)
{
	TRACE(dev);
	dev.rx_handler = nullptr;
	dev.rx_handler_data = nullptr;
}

// --- one packet ---

namespace {

int unhandled(skb_ptr &skb, bool deliver_exact)
{
	if (!deliver_exact)
		++skb->dev->rx_dropped;
	else
		++skb->dev->rx_nohandler;
	kfree_skb_reason(std::move(skb), SKB_DROP_REASON_UNHANDLED_PROTO);
	return NET_RX_DROP;
}

} // namespace

// Gives the packet to all but the last of its receivers. The last is left in *ppt_prev, with the packet;
// without ppt_prev (4.18) it is called here.
static int __netif_receive_skb_core(skb_ptr &skb, bool, packet_type **ppt_prev)
{
	TRACE(skb, skb->dev);
	net_device &orig_dev = *skb->dev;
	packet_type *pt_prev = nullptr;
	bool deliver_exact = false;
	int ret = NET_RX_DROP;

	charge_hop();
	skb_reset_network_header(*skb);
	if (!skb_transport_header_was_set(*skb))
		skb_reset_transport_header(*skb);
	skb_reset_mac_len(*skb);

	for (bool another_round = true; another_round;) {
		another_round = false;
		skb->skb_iif = skb->dev->ifindex;
		++softnet->processed;

		if (eth_type_vlan(skb->protocol)) {
			skb_vlan_untag(skb);
			if (!skb)
				return NET_RX_DROP;
		}
		for (list_head *list : {&ptypes->all, &skb->dev->ptype_all}) {
			for_each_type(*list, [&](packet_type &pt) {
				if (pt_prev)
					ret = deliver_skb(*skb, *pt_prev, orig_dev);
				pt_prev = &pt;
			});
		}
		skb->redirected = 0;

		if (const rx_handler_func_t rx_handler = skb->dev->rx_handler) {
			if (pt_prev) {
				ret = deliver_skb(*skb, *pt_prev, orig_dev);
				pt_prev = nullptr;
			}
			switch (rx_handler(skb)) {
			case RX_HANDLER_CONSUMED:
				return NET_RX_SUCCESS;
			case RX_HANDLER_ANOTHER:
				another_round = true;
				break;
			case RX_HANDLER_EXACT:
				deliver_exact = true;
				break;
			case RX_HANDLER_PASS:
				break;
			}
		}
	}
	// A tag that nobody took: there is no VLAN device.
	while (skb_vlan_tag_present(*skb)) {
		const bool priority_only = !skb_vlan_tag_get_id(*skb);

		if (!priority_only)
			skb->pkt_type = PACKET_OTHERHOST;
		__vlan_hwaccel_clear_tag(*skb);
		if (priority_only && eth_type_vlan(skb->protocol)) {
			skb_vlan_untag(skb);
			if (!skb)
				return NET_RX_DROP;
		}
	}

	const be16 type = skb->protocol;

	if (!deliver_exact)
		deliver_ptype_list_skb(*skb, pt_prev, orig_dev, type,
		                       ptypes->base[ntohs(type) & PTYPE_HASH_MASK]);
	deliver_ptype_list_skb(*skb, pt_prev, orig_dev, type, orig_dev.ptype_specific);
	if (skb->dev != &orig_dev)
		deliver_ptype_list_skb(*skb, pt_prev, orig_dev, type, skb->dev->ptype_specific);

	if (!pt_prev)
		return unhandled(skb, deliver_exact);
	if (!ppt_prev) {
		net_device &dev = *skb->dev;

		return pt_prev->func(std::move(skb), dev, *pt_prev, orig_dev);
	}
	*ppt_prev = pt_prev;
	return ret;
}

static int __netif_receive_skb_one_core(skb_ptr skb, bool pfmemalloc)
{
	TRACE(skb, skb->dev);
	net_device &orig_dev = *skb->dev;
	packet_type *pt_prev = nullptr;
	int ret = __netif_receive_skb_core(skb, pfmemalloc, &pt_prev);

	if (pt_prev) {
		net_device &dev = *skb->dev;

		ret = pt_prev->func(std::move(skb), dev, *pt_prev, orig_dev);
	}
	return ret;
}

int __netif_receive_skb(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	if (current.host->features.ip_rcv_in_core)
		return __netif_receive_skb_core(skb, false, nullptr);
	return __netif_receive_skb_one_core(std::move(skb), false);
}

static int netif_receive_skb_internal(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	if (skb_defer_rx_timestamp(*skb))
		return NET_RX_SUCCESS;
	rcu_read_lock();
	if (rps->needed) {
		rps_dev_flow voidflow, *rflow = &voidflow;

		if (const int cpu = get_rps_cpu(*skb->dev, *skb, rflow); cpu >= 0) {
			const int ret = enqueue_to_backlog(std::move(skb), cpu, rflow->last_qtail);

			rcu_read_unlock();
			return ret;
		}
	}

	const int ret = __netif_receive_skb(std::move(skb));

	rcu_read_unlock();
	return ret;
}

int netif_receive_skb(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	return netif_receive_skb_internal(std::move(skb));
}

// --- a list of packets ---

static void __netif_receive_skb_list_ptype(list_head &head, packet_type *pt_prev, net_device *orig_dev)
{
	TRACE(orig_dev);
	if (!pt_prev || list_empty(head))
		return;
	if (pt_prev->list_func) {
		pt_prev->list_func(head, *pt_prev, *orig_dev);
		return;
	}
	while (!list_empty(head)) {
		sk_buff &skb = skb_on(*head.next);

		list_del_init(skb.tcp_tsorted_anchor);
		pt_prev->func(skb_ptr(&skb), *skb.dev, *pt_prev, *orig_dev);
	}
}

// Runs of packets with the same last receiver go to it together.
static void __netif_receive_skb_list_core(list_head &head, bool pfmemalloc)
{
	TRACE();
	packet_type *pt_curr = nullptr;
	net_device *od_curr = nullptr;
	list_head sublist;

	while (!list_empty(head)) {
		sk_buff &first = skb_on(*head.next);
		net_device *orig_dev = first.dev;
		packet_type *pt_prev = nullptr;

		list_del_init(first.tcp_tsorted_anchor);
		skb_ptr skb(&first);
		__netif_receive_skb_core(skb, pfmemalloc, &pt_prev);
		if (!pt_prev)
			continue;
		if (pt_curr != pt_prev || od_curr != orig_dev) {
			__netif_receive_skb_list_ptype(sublist, pt_curr, od_curr);
			INIT_LIST_HEAD(sublist);
			pt_curr = pt_prev;
			od_curr = orig_dev;
		}
		list_add_tail(skb.release()->tcp_tsorted_anchor, sublist);
	}
	__netif_receive_skb_list_ptype(sublist, pt_curr, od_curr);
}

static void __netif_receive_skb_list(list_head &head)
{
	TRACE();
	if (!list_empty(head))
		__netif_receive_skb_list_core(head, false);
}

void netif_receive_skb_list_internal(list_head &head)
{
	TRACE();
	list_head sublist;

	while (!list_empty(head)) {
		sk_buff &skb = skb_on(*head.next);

		list_del_init(skb.tcp_tsorted_anchor);
		if (!skb_defer_rx_timestamp(skb)) // else it is the time stamper's
			list_add_tail(skb.tcp_tsorted_anchor, sublist);
	}
	list_splice_init(sublist, head);
	rcu_read_lock();
	if (rps->needed)
		for (list_head *p = head.next, *next; p != &head; p = next) {
			sk_buff &skb = skb_on(*p);
			rps_dev_flow voidflow, *rflow = &voidflow;
			const int cpu = get_rps_cpu(*skb.dev, skb, rflow);

			next = p->next;
			if (cpu < 0)
				continue;
			list_del_init(skb.tcp_tsorted_anchor);
			enqueue_to_backlog(skb_ptr(&skb), cpu, rflow->last_qtail);
		}
	__netif_receive_skb_list(head);
	rcu_read_unlock();
}

void netif_receive_skb_list(list_head &head)
{
	TRACE();
	if (list_empty(head))
		return;
	netif_receive_skb_list_internal(head);
}

// --- from one device to another of this host ---

bool __is_skb_forwardable(const net_device &dev, const sk_buff &skb, bool check_mtu)
{
	TRACE_INLINE(skb, dev);
	constexpr u32 vlan_hdr_len = 4;

	if (!(dev.flags & IFF_UP))
		return false;
	if (!check_mtu)
		return true;
	if (skb.len <= dev.mtu + dev.hard_header_len + vlan_hdr_len)
		return true;
	return skb_is_gso(skb); // segments are cut to size later
}

bool is_skb_forwardable(const net_device &dev, const sk_buff &skb)
{
	TRACE(skb, dev);
	return __is_skb_forwardable(dev, skb, true);
}

static int ____dev_forward_skb(net_device &dev, skb_ptr &skb, bool check_mtu)
{
	TRACE_INLINE(skb, dev);
	const bool fits = current.host->features.forwardable_out_of_line
	                          ? is_skb_forwardable(dev, *skb)
	                          : __is_skb_forwardable(dev, *skb, check_mtu);

	if (!fits) {
		++dev.rx_dropped;
		kfree_skb(std::move(skb));
		return NET_RX_DROP;
	}
	skb_scrub_packet(*skb, !net_eq(dev_net(dev), dev_net(*skb->dev)));
	skb->priority = 0;
	return 0;
}

static int __dev_forward_skb2(net_device &dev, skb_ptr &skb, bool check_mtu)
{
	TRACE(skb, dev);
	const int ret = ____dev_forward_skb(dev, skb, check_mtu);

	if (!ret) {
		skb->protocol = eth_type_trans(*skb, dev);
		skb_postpull_rcsum(*skb, &eth_hdr(*skb), ETH_HLEN);
	}
	return ret;
}

int __dev_forward_skb(net_device &dev, skb_ptr &skb)
{
	TRACE(skb, dev);
	return __dev_forward_skb2(dev, skb, true);
}

int dev_forward_skb(net_device &dev, skb_ptr skb)
{
	TRACE(skb, dev);
	const int ret = __dev_forward_skb(dev, skb);

	return ret ? ret : netif_rx_internal(std::move(skb));
}

} // namespace skbwalk
