// SPDX-License-Identifier: GPL-2.0-only
//
// The transmit half of net/core/dev.c. A packet with its link-layer header comes into __dev_queue_xmit, which
// picks a queue (netdev_core_pick_tx) and either hands it to the queue's discipline (__dev_xmit_skb,
// net/sched) or, where the queue has none, on at once: validate_xmit_skb makes of it what the device can send
// (netif_skb_features; software GSO, a linear buffer, a checksum), and dev_hard_start_xmit shows it to the
// taps and calls the driver. Left out: traffic classes, subordinate devices, egress hooks
// (nothing can be attached: their static keys are off).
#include "stack/core/busy_poll.h"
#include "stack/core/dst.h"
#include "stack/core/if_vlan.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/core/xfrm.h"
#include "stack/kernel/random.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

constexpr u32 XMIT_RECURSION_LIMIT = 8;

static bool dev_xmit_recursion()
{
	TRACE_INLINE();
	return softnet->xmit_recursion > XMIT_RECURSION_LIMIT;
}

static void dev_xmit_recursion_inc()
{
	TRACE_INLINE();
	++softnet->xmit_recursion;
}

static void dev_xmit_recursion_dec()
{
	TRACE_INLINE();
	--softnet->xmit_recursion;
}

void HARD_TX_LOCK(net_device &dev, netdev_queue &txq)
{
	TRACE_INLINE(dev);
	if (dev.features & NETIF_F_LLTX)
		return;
	spin_lock(txq._xmit_lock);
	txq.xmit_lock_owner = smp_processor_id();
}

void HARD_TX_UNLOCK(net_device &dev, netdev_queue &txq)
{
	TRACE_INLINE(dev);
	if (dev.features & NETIF_F_LLTX)
		return;
	txq.xmit_lock_owner = -1;
	spin_unlock(txq._xmit_lock);
}

// The index of a queue for a flow, by its hash.
static u16 skb_tx_hash(const net_device &dev, sk_buff &skb)
{
	TRACE(skb, dev);
	if (skb.queue_mapping) { // recorded by the receiving driver, plus one
		u32 hash = skb.queue_mapping - 1u;

		while (hash >= dev.real_num_tx_queues)
			hash -= dev.real_num_tx_queues;
		return static_cast<u16>(hash);
	}
	return static_cast<u16>(reciprocal_scale(skb_get_hash(skb), dev.real_num_tx_queues));
}

static int __get_xps_queue_idx(const net_device &dev, sk_buff &skb, const xps_dev_maps &dev_maps, u32 tci)
{
	TRACE(skb, dev);
	if (tci >= dev_maps.attr_map.size())
		return -1;

	const xps_map *const map = dev_maps.attr_map[tci].get();

	if (!map)
		return -1;

	const std::size_t len = map->queues.size();
	const u16 queue_index =
		map->queues[len == 1 ? 0 : reciprocal_scale(skb_get_hash(skb), static_cast<u32>(len))];

	return queue_index < dev.real_num_tx_queues ? queue_index : -1;
}

// By the queue that the socket receives from, or else by the cpu; -1: no map has an answer.
static int get_xps_queue(const net_device &dev, const net_device &sb_dev, sk_buff &skb)
{
	TRACE(skb, dev);
	int queue_index = -1;

	if (!xps->needed)
		return -1;
	rcu_read_lock();
	if (const xps_dev_maps *const maps = xps_maps(sb_dev, XPS_RXQS); xps->rxqs_needed && maps)
		if (const int tci = sk_rx_queue_get(skb.sk); tci >= 0)
			queue_index = __get_xps_queue_idx(dev, skb, *maps, static_cast<u32>(tci));
	if (const xps_dev_maps *const maps = xps_maps(sb_dev, XPS_CPUS); queue_index < 0 && maps)
		queue_index = __get_xps_queue_idx(dev, skb, *maps, sender_cpu(skb) - 1);
	rcu_read_unlock();
	return queue_index;
}

u16 netdev_pick_tx(net_device &dev, sk_buff &skb, net_device *sb_dev)
{
	TRACE(skb, dev);
	sock *sk = skb.sk;
	int queue_index = sk ? sk_tx_queue_get(*sk) : -1;

	if (queue_index < 0 || skb.ooo_okay || queue_index >= static_cast<int>(dev.real_num_tx_queues)) {
		int new_index = get_xps_queue(dev, sb_dev ? *sb_dev : dev, skb);

		if (new_index < 0)
			new_index = skb_tx_hash(dev, skb);
		if (queue_index != new_index && sk && sk_fullsock(*sk) && sk->sk_dst_cache)
			sk_tx_queue_set(*sk, new_index);
		queue_index = new_index;
	}
	return static_cast<u16>(queue_index);
}

netdev_queue *netdev_core_pick_tx(net_device &dev, sk_buff &skb, net_device *sb_dev)
{
	TRACE(skb, dev);
	u32 queue_index = 0;

	if (sender_cpu(skb) - 1 >= NR_CPUS) // none yet, or the id of a queue that it was received by
		sender_cpu(skb) = static_cast<u32>(smp_processor_id()) + 1;
	if (dev.real_num_tx_queues != 1) {
		const net_device_ops &ops = *dev.netdev_ops;

		queue_index = ops.ndo_select_queue ? ops.ndo_select_queue(dev, skb, sb_dev)
		                                   : netdev_pick_tx(dev, skb, sb_dev);
		if (queue_index >= dev.real_num_tx_queues)
			queue_index = 0;
	}
	skb.queue_mapping = static_cast<u16>(queue_index);
	return netdev_get_tx_queue(dev, queue_index);
}

// --- what the device can send ---

static bool skb_needs_linearize(const sk_buff &skb, netdev_features_t features)
{
	TRACE_INLINE(skb);
	return skb_is_nonlinear(skb) && ((skb_has_frag_list(skb) && !(features & NETIF_F_FRAGLIST)) ||
	                                 (skb_shinfo(skb).nr_frags && !(features & NETIF_F_SG)));
}

namespace {

sk_buff *dropped(skb_ptr skb, net_device &dev)
{
	kfree_skb(std::move(skb));
	++dev.tx_dropped;
	return nullptr;
}

} // namespace

static void validate_xmit_vlan(skb_ptr &skb, netdev_features_t features)
{
	TRACE_INLINE(skb);
	const bool capable = (features & NETIF_F_HW_VLAN_CTAG_TX) && skb->vlan_proto == htons(ETH_P_8021Q);

	if (skb_vlan_tag_present(*skb) && !capable)
		__vlan_hwaccel_push_inside(skb);
}

// What becomes of the packet: itself, a list of segments (linked by next), or nothing.
static sk_buff *validate_xmit_skb(skb_ptr skb, net_device &dev, bool &again)
{
	TRACE(skb, dev);
	const netdev_features_t features = netif_skb_features(*skb);

	validate_xmit_vlan(skb, features);
	if (!skb) {
		++dev.tx_dropped;
		return nullptr;
	}
	if (netif_needs_gso(*skb, features)) {
		const skb_segs segs = skb_gso_segment(*skb, features, true);

		if (segs.err)
			return dropped(std::move(skb), dev);
		if (segs.list) {
			consume_skb(std::move(skb));
			skb = skb_ptr(segs.list);
			skb->prev = nullptr; // was the last: whoever wants that walks
		}
	} else {
		if (skb_needs_linearize(*skb, features) && __skb_linearize(*skb))
			return dropped(std::move(skb), dev);
		if (skb->ip_summed == CHECKSUM_PARTIAL) {
			skb_set_transport_header(*skb, skb_checksum_start_offset(*skb));
			if (skb_csum_hwoffload_help(*skb, features))
				return dropped(std::move(skb), dev);
		}
	}
	return validate_xmit_xfrm(std::move(skb), features, again).release();
}

sk_buff *validate_xmit_skb_list(sk_buff *skb, net_device &dev, bool &again)
{
	TRACE(skb, dev);
	sk_buff *head = nullptr;
	sk_buff **tail = &head;

	for (sk_buff *next; skb; skb = next) {
		next = skb->next;
		skb->next = nullptr;
		skb->prev = nullptr;
		*tail = validate_xmit_skb(skb_ptr(skb), dev, again);
		while (*tail) // segments
			tail = &(*tail)->next;
	}
	return head;
}

// --- to the driver ---

static netdev_tx_t __netdev_start_xmit(const net_device_ops &ops, skb_ptr &skb, net_device &dev, bool more)
{
	TRACE_INLINE(skb, dev);
	softnet->xmit_more = more;
	return ops.ndo_start_xmit(skb, dev);
}

static netdev_tx_t netdev_start_xmit(skb_ptr &skb, net_device &dev, netdev_queue &txq, bool more)
{
	TRACE_INLINE(skb, dev);
	const netdev_tx_t rc = __netdev_start_xmit(*dev.netdev_ops, skb, dev, more);

	if (rc == NETDEV_TX_OK && txq.xmit_lock_owner != -1)
		txq.trans_start = jiffies();
	return rc;
}

static int xmit_one(skb_ptr &skb, net_device &dev, netdev_queue &txq, bool more)
{
	TRACE(skb, dev);
	if (dev_nit_active(dev))
		dev_queue_xmit_nit(*skb, dev);
	return netdev_start_xmit(skb, dev, txq, more);
}

sk_buff *dev_hard_start_xmit(sk_buff *first, net_device &dev, netdev_queue &txq, int &ret)
{
	TRACE(first, dev);
	sk_buff *skb = first;
	int rc = NETDEV_TX_OK;

	while (skb) {
		sk_buff *next = skb->next;
		skb_ptr one(skb);

		skb->next = nullptr;
		rc = xmit_one(one, dev, txq, next != nullptr);
		if (!dev_xmit_complete(rc)) {
			skb = one.release();
			skb->next = next;
			break;
		}
		skb = next;
		if (netif_tx_queue_stopped(txq) && skb) {
			rc = NETDEV_TX_BUSY;
			break;
		}
	}
	ret = rc;
	return skb;
}

// --- a queue with a discipline ---

// What the packet will be on the wire: each segment has headers of its own.
static void qdisc_pkt_len_init(sk_buff &skb)
{
	TRACE(skb);
	const skb_shared_info &shinfo = skb_shinfo(skb);

	qdisc_skb_cb_of(skb).pkt_len = skb.len;
	if (!shinfo.gso_size || !skb_transport_header_was_set(skb))
		return;

	u32 hdr_len = static_cast<u32>(skb_transport_header(skb) - skb_mac_header(skb));
	u32 gso_segs = shinfo.gso_segs;

	if (shinfo.gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		tcphdr buffer;
		const auto *th = static_cast<const tcphdr *>(
			skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buffer), &buffer));

		if (th)
			hdr_len += th->doff() * 4;
	} else if (shinfo.gso_type & SKB_GSO_UDP_L4) {
		udphdr buffer;

		if (skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buffer), &buffer))
			hdr_len += static_cast<u32>(sizeof(udphdr));
	}
	if (shinfo.gso_type & SKB_GSO_DODGY) {
		const int payload = static_cast<int>(skb.len) - static_cast<int>(hdr_len);

		if (payload <= 0)
			return;
		gso_segs = (static_cast<u32>(payload) + shinfo.gso_size - 1) / shinfo.gso_size;
	}
	if (gso_segs)
		qdisc_skb_cb_of(skb).pkt_len += (gso_segs - 1) * hdr_len;
}

static int dev_qdisc_enqueue(skb_ptr skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE(skb);
	return q.enqueue(std::move(skb), q, to_free) & NET_XMIT_MASK;
}

namespace {

// A discipline that has its own locks, and one lock for who runs it.
int xmit_nolock(skb_ptr skb, Qdisc &q, net_device &dev, netdev_queue &txq)
{
	sk_buff *to_free = nullptr;
	int rc;

	if ((q.flags & TCQ_F_CAN_BYPASS) && nolock_qdisc_is_empty(q) && qdisc_run_begin(q)) {
		if (!nolock_qdisc_is_empty(q)) { // someone enqueued since the first look
			rc = dev_qdisc_enqueue(std::move(skb), q, to_free);
			__qdisc_run(q);
			qdisc_run_end(q);
		} else {
			qdisc_bstats_update(q, *skb);
			if (sch_direct_xmit(std::move(skb), q, dev, txq, nullptr, true) &&
			    !nolock_qdisc_is_empty(q))
				__qdisc_run(q);
			qdisc_run_end(q);
			return NET_XMIT_SUCCESS;
		}
	} else {
		rc = dev_qdisc_enqueue(std::move(skb), q, to_free);
		qdisc_run(q);
	}
	if (to_free)
		kfree_skb_list_reason(to_free, SKB_DROP_REASON_QDISC_DROP);
	return rc;
}

} // namespace

static int __dev_xmit_skb(skb_ptr skb, Qdisc &q, net_device &dev, netdev_queue &txq)
{
	TRACE(skb, dev);
	spinlock_t &root_lock = qdisc_lock(q);
	sk_buff *to_free = nullptr;
	int rc;

	qdisc_calculate_pkt_len(*skb, q);
	if (q.flags & TCQ_F_NOLOCK)
		return xmit_nolock(std::move(skb), q, dev, txq);
	if (q.owner == smp_processor_id()) { // the discipline sends to its own device
		kfree_skb_reason(std::move(skb), SKB_DROP_REASON_TC_EGRESS);
		return NET_XMIT_DROP;
	}

	bool contended = qdisc_is_running(q);

	if (contended)
		spin_lock(q.busylock);
	spin_lock(root_lock);
	if (q.state & __QDISC_STATE_DEACTIVATED) {
		__qdisc_drop(std::move(skb), to_free);
		rc = NET_XMIT_DROP;
	} else if ((q.flags & TCQ_F_CAN_BYPASS) && !qdisc_qlen(q) && qdisc_run_begin(q)) {
		qdisc_bstats_update(q, *skb);
		if (sch_direct_xmit(std::move(skb), q, dev, txq, &root_lock, true)) {
			if (contended) {
				spin_unlock(q.busylock);
				contended = false;
			}
			__qdisc_run(q);
		}
		qdisc_run_end(q);
		rc = NET_XMIT_SUCCESS;
	} else {
		q.owner = smp_processor_id();
		rc = dev_qdisc_enqueue(std::move(skb), q, to_free);
		q.owner = -1;
		if (qdisc_run_begin(q)) {
			if (contended) {
				spin_unlock(q.busylock);
				contended = false;
			}
			__qdisc_run(q);
			qdisc_run_end(q);
		}
	}
	spin_unlock(root_lock);
	if (to_free)
		kfree_skb_list_reason(to_free, SKB_DROP_REASON_QDISC_DROP);
	if (contended)
		spin_unlock(q.busylock);
	return rc;
}

// --- the way in ---

namespace {

// A device without a discipline: -ENETDOWN when it is down, when its driver stopped the queue (which a
// virtual device must not do) or when a loop of virtual devices is found.
int xmit_without_queue(skb_ptr &skb, net_device &dev, netdev_queue &txq)
{
	bool again = false;
	int rc = -ENOMEM;

	if (!(dev.flags & IFF_UP))
		return rc;
	if (txq.xmit_lock_owner == smp_processor_id() || dev_xmit_recursion())
		return -ENETDOWN;

	skb = skb_ptr(validate_xmit_skb(std::move(skb), dev, again));
	if (!skb)
		return rc;

	bool is_list = false;

	HARD_TX_LOCK(dev, txq);
	if (!netif_xmit_stopped(txq)) {
		is_list = skb->next != nullptr;
		dev_xmit_recursion_inc();
		skb = skb_ptr(dev_hard_start_xmit(skb.release(), dev, txq, rc));
		dev_xmit_recursion_dec();
		if (is_list) // TCP takes an error for "nothing was sent"
			rc = NETDEV_TX_OK;
	}
	HARD_TX_UNLOCK(dev, txq);
	if (skb && !is_list)
		rc = -ENETDOWN;
	return rc;
}

} // namespace

int __dev_queue_xmit(skb_ptr skb, net_device *sb_dev)
{
	TRACE(skb, skb->dev);
	net_device &dev = *skb->dev;

	charge_hop();
	skb_reset_mac_header(*skb);

	local_bh_disable();
	rcu_read_lock();
	qdisc_pkt_len_init(*skb);
	skb->tc_at_ingress = 0;

	// What reads skb_dst is above this device, or the device says that it does.
	if (dev.priv_flags & IFF_XMIT_DST_RELEASE)
		skb_dst_drop(*skb);
	else
		skb_dst_force(*skb);

	netdev_queue &txq = *netdev_core_pick_tx(dev, *skb, sb_dev);
	Qdisc &q = *txq.qdisc;
	int rc;

	if (q.enqueue) {
		rc = __dev_xmit_skb(std::move(skb), q, dev, txq);
	} else {
		rc = xmit_without_queue(skb, dev, txq);
		if (skb) {
			rcu_read_unlock();
			local_bh_enable();
			++dev.tx_dropped;
			kfree_skb_list_reason(skb.release(), SKB_DROP_REASON_NOT_SPECIFIED);
			return rc;
		}
	}
	rcu_read_unlock();
	local_bh_enable();
	return rc;
}

int dev_queue_xmit(skb_ptr skb)
{
	TRACE_INLINE(skb);
	return __dev_queue_xmit(std::move(skb), nullptr);
}

int dev_loopback_xmit(net &, sock *, skb_ptr skb)
{
	TRACE(skb);
	skb_reset_mac_header(*skb);
	__skb_pull(*skb, static_cast<u32>(skb_network_offset(*skb)));
	skb->pkt_type = PACKET_LOOPBACK;
	if (skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb_dst_force(*skb);
	netif_rx(std::move(skb));
	return 0;
}

int dev_hard_header(sk_buff &skb, net_device &dev, u16 type, const void *daddr, const void *saddr, u32 len)
{
	TRACE_INLINE(skb, dev);
	if (!dev.header_ops || !dev.header_ops->create)
		return 0;
	return dev.header_ops->create(skb, dev, type, daddr, saddr, len);
}

u16 dev_parse_header_protocol(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	const net_device &dev = *skb.dev;

	if (!dev.header_ops || !dev.header_ops->parse_protocol)
		return 0;
	return ntohs(dev.header_ops->parse_protocol(skb));
}

u32 netif_get_gso_max_size(const net_device &dev, const sk_buff &skb)
{
	TRACE_INLINE(skb, dev);
	return dev.gso_max_size;
}

} // namespace skbwalk
