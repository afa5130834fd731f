// SPDX-License-Identifier: GPL-2.0-only
//
// The receive half of net/core/dev.c. Packets of devices without a poll function come into netif_rx, wait in
// this cpu's backlog (enqueue_to_backlog) and leave it in NET_RX_SOFTIRQ: net_rx_action polls each scheduled
// NAPI instance, the backlog's being process_backlog, and __netif_receive_skb_core gives each packet to the
// taps, to the device's rx_handler (a bridge's) and to the protocols of its type; the last protocol gets the
// packet itself. Devices that poll hand theirs to netif_receive_skb or, through GRO, to
// netif_receive_skb_list_internal. Left out: receive packet steering, generic XDP, ingress hooks and time
// stamps (off: their static keys), VLAN devices, memory reserves.
#include "stack/core/dst.h"
#include "stack/core/gro.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/ethernet/eth.h"

namespace skbwalk {

percpu<softnet_data> softnet;

static int process_backlog(napi_struct &napi, int quota);

softnet_data::softnet_data()
{
	backlog.poll = process_backlog;
	backlog.weight = 64;
}

softnet_data::~softnet_data()
{
	__skb_queue_purge(input_pkt_queue);
	__skb_queue_purge(process_queue);
	__skb_queue_purge(defer_list);
	while (completion_queue) {
		skb_ptr skb(completion_queue);

		completion_queue = skb->next;
		skb->next = nullptr;
		__kfree_skb(std::move(skb));
	}
}

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

netns_core &limits() { return init_net().core; }

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

// --- the backlog ---

// With the interrupts off. Unlike 6.1's one function, 4.18 takes a plain lock beside local_irq_save.
static unsigned long rps_lock_irqsave(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		const unsigned long flags = local_irq_save();

		spin_lock(sd.input_pkt_queue.lock);
		return flags;
	}
	return _raw_spin_lock_irqsave(sd.input_pkt_queue.lock);
}

static void rps_unlock_irq_restore(softnet_data &sd, unsigned long flags)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		spin_unlock(sd.input_pkt_queue.lock);
		local_irq_restore(flags);
		return;
	}
	_raw_spin_unlock_irqrestore(sd.input_pkt_queue.lock, flags);
}

static void rps_lock_irq_disable(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		local_irq_disable();
		spin_lock(sd.input_pkt_queue.lock);
		return;
	}
	_raw_spin_lock_irq(sd.input_pkt_queue.lock);
}

static void rps_unlock_irq_enable(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		spin_unlock(sd.input_pkt_queue.lock);
		local_irq_enable();
		return;
	}
	_raw_spin_unlock_irq(sd.input_pkt_queue.lock);
}

static void ____napi_schedule(softnet_data &sd, napi_struct &napi)
{
	TRACE(napi.dev);
	list_add_tail(napi.poll_list, sd.poll_list);
	raise_softirq_irqoff(NET_RX_SOFTIRQ);
}

// Of this cpu, always: without packet steering nobody queues to another's.
static int napi_schedule_rps(softnet_data &sd)
{
	TRACE();
	__napi_schedule_irqoff(sd.backlog);
	return 0;
}

// Only a cpu with a table of flows (net.core.flow_limit_cpu_bitmap) limits any, and none has one.
static bool skb_flow_limit(sk_buff &skb, u32 qlen)
{
	TRACE(skb);
	return qlen >= static_cast<u32>(limits().netdev_max_backlog) >> 1 && softnet->flow_limit;
}

static int enqueue_to_backlog(skb_ptr skb, u32 &qtail)
{
	TRACE(skb, skb->dev);
	skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	softnet_data &sd = *softnet;
	const unsigned long flags = rps_lock_irqsave(sd);

	if (netif_running(*skb->dev)) {
		const u32 qlen = skb_queue_len(sd.input_pkt_queue);

		if (qlen <= static_cast<u32>(limits().netdev_max_backlog) && !skb_flow_limit(*skb, qlen)) {
			if (!qlen && !(sd.backlog.state & NAPI_STATE_SCHED)) {
				sd.backlog.state |= NAPI_STATE_SCHED;
				napi_schedule_rps(sd);
			}
			__skb_queue_tail(sd.input_pkt_queue, std::move(skb));
			qtail = ++sd.input_queue_tail;
			rps_unlock_irq_restore(sd, flags);
			return NET_RX_SUCCESS;
		}
		reason = SKB_DROP_REASON_CPU_BACKLOG;
	}
	++sd.dropped;
	rps_unlock_irq_restore(sd, flags);
	++skb->dev->rx_dropped;
	kfree_skb_reason(std::move(skb), reason);
	return NET_RX_DROP;
}

int netif_rx_internal(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	u32 qtail;

	return enqueue_to_backlog(std::move(skb), qtail);
}

int __netif_rx(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	assert(in_interrupt());
	return netif_rx_internal(std::move(skb));
}

int netif_rx(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	const bool need_bh_off = !in_interrupt();

	if (need_bh_off)
		local_bh_disable();

	const int ret = netif_rx_internal(std::move(skb));

	if (need_bh_off)
		local_bh_enable();
	return ret;
}

static int process_backlog(napi_struct &napi, int quota)
{
	TRACE();
	softnet_data &sd = *softnet;
	int work = 0;

	assert(&napi == &sd.backlog);
	napi.weight = limits().dev_weight;
	for (bool again = true; again;) {
		while (skb_ptr skb = __skb_dequeue(sd.process_queue)) {
			rcu_read_lock();
			__netif_receive_skb(std::move(skb));
			rcu_read_unlock();
			++sd.input_queue_head;
			if (++work >= quota)
				return work;
		}
		rps_lock_irq_disable(sd);
		if (skb_queue_empty(sd.input_pkt_queue)) {
			napi.state = 0;
			again = false;
		} else {
			skb_queue_splice_tail_init(sd.input_pkt_queue, sd.process_queue);
		}
		rps_unlock_irq_enable(sd);
	}
	return work;
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
	rcu_read_lock();

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
	rcu_read_lock();
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

// --- NAPI ---

bool napi_schedule_prep(napi_struct &n)
{
	TRACE(n.dev);
	const u32 val = n.state;

	if (val & NAPI_STATE_DISABLE)
		return false;
	n.state |= NAPI_STATE_SCHED;
	if (val & NAPI_STATE_SCHED)
		n.state |= NAPI_STATE_MISSED;
	return !(val & NAPI_STATE_SCHED);
}

void __napi_schedule(napi_struct &n)
{
	TRACE(n.dev);
	const unsigned long flags = local_irq_save();

	____napi_schedule(*softnet, n);
	local_irq_restore(flags);
}

void __napi_schedule_irqoff(napi_struct &n)
{
	TRACE(n.dev);
	____napi_schedule(*softnet, n);
}

bool napi_schedule(napi_struct &n)
{
	TRACE_INLINE(n.dev);
	if (!napi_schedule_prep(n))
		return false;
	__napi_schedule(n);
	return true;
}

bool napi_complete(napi_struct &n)
{
	TRACE_INLINE(n.dev);
	return napi_complete_done(n, 0);
}

bool napi_complete_done(napi_struct &n, int)
{
	TRACE(n.dev);
	if (n.state & (NAPI_STATE_NPSVC | NAPI_STATE_IN_BUSY_POLL))
		return false;
	gro_normal_list(n);
	if (!list_empty(n.poll_list)) {
		const unsigned long flags = local_irq_save();

		list_del_init(n.poll_list);
		local_irq_restore(flags);
	}
	assert(n.state & NAPI_STATE_SCHED);
	if (n.state & NAPI_STATE_MISSED) { // an event came while it was polled: once more
		n.state &= ~NAPI_STATE_MISSED;
		__napi_schedule(n);
		return false;
	}
	n.state &= ~NAPI_STATE_SCHED;
	return true;
}

void netif_napi_add(net_device &dev, napi_struct &napi, int (*poll)(napi_struct &napi, int budget))
{
	TRACE_INLINE(dev);
	assert(!(napi.state & NAPI_STATE_LISTED));
	napi.poll = poll;
	napi.weight = 64;
	napi.dev = &dev;
	napi.rx_count = 0;
	napi.state = NAPI_STATE_LISTED | NAPI_STATE_SCHED | NAPI_STATE_NPSVC; // until napi_enable
}

void netif_napi_del(napi_struct &napi)
{
	TRACE_INLINE(napi.dev);
	if (!(napi.state & NAPI_STATE_LISTED))
		return;
	napi.state &= ~NAPI_STATE_LISTED;
	flush_gro_hash(napi);
}

void napi_enable(napi_struct &n)
{
	TRACE(n.dev);
	assert(n.state & NAPI_STATE_SCHED);
	n.state &= ~(NAPI_STATE_SCHED | NAPI_STATE_NPSVC);
}

// Unlike the kernel, an instance that is scheduled is not waited for but taken from the list of those to
// poll.
void napi_disable(napi_struct &n)
{
	TRACE(n.dev);
	might_sleep();
	if (!list_empty(n.poll_list))
		list_del_init(n.poll_list);
	n.state &= ~(NAPI_STATE_MISSED | NAPI_STATE_DISABLE);
	n.state |= NAPI_STATE_SCHED | NAPI_STATE_NPSVC;
}

static int __napi_poll(napi_struct &n, bool &repoll)
{
	TRACE(n.dev);
	const int weight = n.weight;
	int work = 0;

	if (n.state & NAPI_STATE_SCHED)
		work = n.poll(n, weight);
	assert(work <= weight);
	if (work < weight)
		return work;
	if (n.state & NAPI_STATE_DISABLE) {
		napi_complete(n);
		return work;
	}
	gro_normal_list(n);
	if (!list_empty(n.poll_list))
		return work;
	repoll = true;
	return work;
}

static int napi_poll(napi_struct &n, list_head &repoll)
{
	TRACE(n.dev);
	bool do_repoll = false;

	list_del_init(n.poll_list);

	const int work = __napi_poll(n, do_repoll);

	if (do_repoll)
		list_add_tail(n.poll_list, repoll);
	return work;
}

// Packets of which another cpu had the last reference come back here.
static void skb_defer_free_flush(softnet_data &sd)
{
	TRACE();
	if (skb_queue_empty_lockless(sd.defer_list))
		return;

	sk_buff_head list;
	const unsigned long flags = _raw_spin_lock_irqsave(sd.defer_list.lock);

	skb_queue_splice_tail_init(sd.defer_list, list);
	_raw_spin_unlock_irqrestore(sd.defer_list.lock, flags);
	while (skb_ptr skb = __skb_dequeue(list))
		napi_consume_skb(std::move(skb), 1);
}

void net_rx_action()
{
	TRACE();
	softnet_data &sd = *softnet;
	const u32 time_limit = jiffies() + usecs_to_jiffies(static_cast<u64>(limits().netdev_budget_usecs));
	int budget = limits().netdev_budget;
	list_head list;
	list_head repoll;

	local_irq_disable();
	list_splice_init(sd.poll_list, list);
	local_irq_enable();

	sd.in_net_rx_action = true;
	for (;;) {
		skb_defer_free_flush(sd);
		if (list_empty(list))
			break;
		budget -= napi_poll(list_entry(*list.next, &napi_struct::poll_list), repoll);
		if (budget <= 0 || time_after_eq(jiffies(), time_limit)) {
			++sd.time_squeeze;
			break;
		}
	}
	sd.in_net_rx_action = false;
	if (list_empty(list) && list_empty(repoll))
		return;

	local_irq_disable();
	list_splice_tail_init(sd.poll_list, list);
	list_splice_tail_init(repoll, list);
	list_splice_init(list, sd.poll_list);
	if (!list_empty(sd.poll_list))
		__raise_softirq_irqoff(NET_RX_SOFTIRQ);
	local_irq_enable();
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
