// SPDX-License-Identifier: GPL-2.0-only
//
// Queueing disciplines (include/net/sch_generic.h, include/net/pkt_sched.h). A Qdisc hangs on a device's
// queue; the core enqueues into it and runs it, and it hands packets to the driver:
//
//   __dev_xmit_skb -> enqueue -> __qdisc_run -> qdisc_restart -> dequeue -> sch_direct_xmit ->
//   dev_hard_start_xmit
//
// A discipline whose enqueue is null (noqueue) is passed by: loopback, veth, bridges. One that may be
// bypassed is, while it is empty. Counted by refcnt; the built-in noop_qdisc is not.
//
// Disciplines stand in a tree: a root on the device's queue, and below a discipline with classes others, each
// found by its handle (pkt_sched.h). The root's lock guards all of a tree.
#pragma once

#include "stack/core/netdevice.h"

namespace skbwalk {

struct Qdisc;
struct qdisc_walker;
struct netlink_ext_ack;
struct tc_options; // of a request, or what a dump answers: pkt_sched.h
struct tc_xstats;
struct tc_message;

// A discipline with classes: `cl` is a class's number in it, 0 is none.
struct Qdisc_class_ops {
	int (*graft)(Qdisc &sch, unsigned long cl, Qdisc *new_qdisc, Qdisc *&old, netlink_ext_ack *extack);
	Qdisc *(*leaf)(Qdisc &sch, unsigned long cl);
	void (*qlen_notify)(Qdisc &sch, unsigned long cl); // a child became empty
	unsigned long (*find)(Qdisc &sch, u32 classid);
	void (*walk)(Qdisc &sch, qdisc_walker &arg);
	int (*dump)(Qdisc &sch, unsigned long cl, tc_message &m);
	int (*dump_stats)(Qdisc &sch, unsigned long cl, tc_message &m);
};

struct Qdisc_ops {
	const char *id;
	const Qdisc_class_ops *cl_ops; // null: it has no classes
	u32 static_flags;
	// Room of the discipline's own, constructed behind the Qdisc.
	std::shared_ptr<void> (*make_priv)();
	// Takes the skb, or puts it on `to_free`. NET_XMIT_*.
	int (*enqueue)(skb_ptr skb, Qdisc &sch, sk_buff *&to_free);
	skb_ptr (*dequeue)(Qdisc &sch);
	sk_buff *(*peek)(Qdisc &sch);
	int (*init)(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack);
	void (*reset)(Qdisc &sch);
	void (*destroy)(Qdisc &sch);
	int (*change)(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack);
	void (*attach)(Qdisc &sch);
	int (*change_tx_queue_len)(Qdisc &sch, u32 new_len);
	int (*dump)(Qdisc &sch, tc_options &opt);
	int (*dump_stats)(Qdisc &sch, tc_xstats &st);
};

constexpr u32 TCQ_F_BUILTIN = 1, TCQ_F_INGRESS = 2, TCQ_F_CAN_BYPASS = 4, TCQ_F_MQROOT = 8,
	      TCQ_F_ONETXQUEUE = 0x10, TCQ_F_CPUSTATS = 0x20, TCQ_F_NOPARENT = 0x40, TCQ_F_INVISIBLE = 0x80,
	      TCQ_F_NOLOCK = 0x100;
constexpr u32 TC_H_ROOT = 0xffffffff, TC_H_UNSPEC = 0, TC_H_INGRESS = 0xfffffff1;
constexpr u32 TC_H_MAJ(u32 h) { return h & 0xffff0000; }
constexpr u32 TC_H_MIN(u32 h) { return h & 0x0000ffff; }
constexpr u32 TC_H_MAKE(u32 maj, u32 min) { return TC_H_MAJ(maj) | TC_H_MIN(min); }
// Beside what an enqueue returns (above NET_XMIT_MASK): nothing was dropped that the parent must count, or
// the drop was not the queue's.
constexpr int __NET_XMIT_STOLEN = 0x00010000, __NET_XMIT_BYPASS = 0x00020000;
inline int net_xmit_drop_count(int e) { return e & __NET_XMIT_STOLEN ? 0 : 1; }
constexpr u32 TC_PRIO_MAX = 15;
constexpr u32 __QDISC_STATE_SCHED = 1, __QDISC_STATE_DEACTIVATED = 2, __QDISC_STATE_MISSED = 4,
	      __QDISC_STATE_DRAINING = 8;
constexpr u32 QDISC_STATE_NON_EMPTY = __QDISC_STATE_MISSED | __QDISC_STATE_DRAINING;
constexpr u32 __QDISC_STATE2_RUNNING = 1;

struct gnet_stats_queue {
	u32 qlen = 0;
	u64 backlog = 0;
	u32 drops = 0;
	u32 requeues = 0;
	u32 overlimits = 0;
};
struct gnet_stats_basic_sync {
	u64 bytes = 0;
	u64 packets = 0;
};
// A plain queue of packets inside a discipline, with the lock that guards the tree when it is the root's.
struct qdisc_skb_head {
	sk_buff *head = nullptr;
	sk_buff *tail = nullptr;
	u32 qlen = 0;
	spinlock_t lock;
};

struct Qdisc {
	Qdisc() = default;
	Qdisc(const Qdisc &) = delete;
	Qdisc &operator=(const Qdisc &) = delete;
	~Qdisc();

	int (*enqueue)(skb_ptr skb, Qdisc &sch, sk_buff *&to_free) = nullptr;
	skb_ptr (*dequeue)(Qdisc &sch) = nullptr;
	u32 flags = 0;
	u32 limit = 0;
	const Qdisc_ops *ops = nullptr;
	u32 handle = 0;
	u32 parent = 0;
	list_head hash; // on the device's table of children
	int depth = 0;
	netdev_queue *dev_queue = nullptr;
	refcount_t refcnt;
	sk_buff_head gso_skb; // requeued: the driver was busy
	qdisc_skb_head q;
	gnet_stats_basic_sync bstats;
	gnet_stats_queue qstats;
	int owner = -1; // the cpu that enqueues
	u32 state = 0;
	u32 state2 = 0;
	Qdisc *next_sched = nullptr;
	sk_buff_head skb_bad_txq; // for a queue that is stopped
	spinlock_t busylock;
	spinlock_t seqlock;
	rcu_head rcu;
	std::shared_ptr<void> priv_data;
};
template <class T> T &qdisc_priv(const Qdisc &sch) { return *static_cast<T *>(sch.priv_data.get()); }
template <class T> std::shared_ptr<void> make_qdisc_priv() { return std::make_shared<T>(); }

// What a packet carries while it is queued, at the head of skb.cb.
struct qdisc_skb_cb {
	u32 pkt_len;
	u16 slave_dev_queue_mapping;
	u16 tc_classid;
	u8 data[20];
	u16 mru;
};
inline qdisc_skb_cb &qdisc_skb_cb_of(const sk_buff &skb)
{
	return *reinterpret_cast<qdisc_skb_cb *>(const_cast<u8 *>(skb.cb));
}
inline u32 qdisc_pkt_len(const sk_buff &skb) { return qdisc_skb_cb_of(skb).pkt_len; }
inline net_device &qdisc_dev(const Qdisc &q) { return *q.dev_queue->dev; }
inline spinlock_t &qdisc_lock(Qdisc &q) { return q.q.lock; }
inline u32 qdisc_qlen(const Qdisc &q) { return q.q.qlen; }
inline Qdisc &qdisc_root(const Qdisc &q) { return *q.dev_queue->qdisc; }
inline Qdisc &qdisc_root_sleeping(const Qdisc &q) { return *q.dev_queue->qdisc_sleeping; }
inline Qdisc &qdisc_root_bh(const Qdisc &q) { return *q.dev_queue->qdisc; }
inline netdev_queue &skb_get_tx_queue(const net_device &dev, const sk_buff &skb)
{
	return *netdev_get_tx_queue(dev, skb.queue_mapping);
}
inline void qdisc_refcount_inc(Qdisc &q)
{
	if (!(q.flags & TCQ_F_BUILTIN))
		refcount_inc(q.refcnt);
}
inline bool nolock_qdisc_is_empty(const Qdisc &q) { return !(q.state & QDISC_STATE_NON_EMPTY); }
inline bool qdisc_is_running(const Qdisc &q)
{
	return q.flags & TCQ_F_NOLOCK ? spin_is_locked(q.seqlock) : (q.state2 & __QDISC_STATE2_RUNNING) != 0;
}
// Header inlines.
bool qdisc_run_begin(Qdisc &q);
void qdisc_run_end(Qdisc &q);
void qdisc_run(Qdisc &q);
void qdisc_calculate_pkt_len(sk_buff &skb, const Qdisc &q);
void qdisc_bstats_update(Qdisc &q, const sk_buff &skb);
inline void qdisc_qstats_backlog_inc(Qdisc &q, const sk_buff &skb) { q.qstats.backlog += qdisc_pkt_len(skb); }
inline void qdisc_qstats_backlog_dec(Qdisc &q, const sk_buff &skb) { q.qstats.backlog -= qdisc_pkt_len(skb); }
void __qdisc_drop(skb_ptr skb, sk_buff *&to_free);

// --- net/sched/sch_generic.c ---
bool sch_direct_xmit(skb_ptr skb, Qdisc &q, net_device &dev, netdev_queue &txq, spinlock_t *root_lock,
                     bool validate);
void __qdisc_run(Qdisc &q);
void netif_unschedule(Qdisc &q); // NET_TX_SOFTIRQ of no cpu comes to it any more (dev_tx_action.cpp)
void netif_tx_lock(net_device &dev);
void netif_tx_unlock(net_device &dev);
Qdisc *qdisc_alloc(netdev_queue &dev_queue, const Qdisc_ops &ops); // null when there is no memory
Qdisc *qdisc_create_dflt(netdev_queue &dev_queue, const Qdisc_ops &ops, u32 parentid);
void qdisc_reset(Qdisc &q);
void qdisc_put(Qdisc *q);
Qdisc *dev_graft_qdisc(netdev_queue &dev_queue, Qdisc *q); // the one before
void dev_init_scheduler(net_device &dev);
void dev_activate(net_device &dev);
void dev_deactivate(net_device &dev);
void dev_shutdown(net_device &dev);
bool qdisc_tx_changing(const net_device &dev);
int dev_qdisc_change_tx_queue_len(net_device &dev);
void __netdev_watchdog_up(net_device &dev);
// Disciplines by name (`tc`, net.core.default_qdisc; sch_api.cpp).
int register_qdisc(const Qdisc_ops &ops); // -EEXIST
int qdisc_set_default(const std::string &id);
std::string qdisc_get_default();
const Qdisc_ops &default_qdisc_ops();
void set_default_qdisc_ops(const Qdisc_ops &ops);
void pktsched_init();    // those that are no modules; boot
int sch_default_qdisc(); // what the kernel's configuration names: fq_codel; boot, late
Qdisc &noop_qdisc();
extern const Qdisc_ops noop_qdisc_ops, noqueue_qdisc_ops, pfifo_fast_ops;

} // namespace skbwalk
