// SPDX-License-Identifier: GPL-2.0-only
//
// What disciplines are made of (include/net/pkt_sched.h, the helpers of include/net/sch_generic.h), what user
// space tells them (uapi/linux/pkt_sched.h) and the requests of `tc` (sch_api.cpp).
//
// Unlike the kernel, a request's options and what a dump answers are a struct a discipline, without the
// netlink form around them: an attribute that was not given is an empty optional.
#pragma once

#include <array>
#include <optional>
#include <variant>

#include "stack/core/netlink_ext_ack.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

// --- options, by discipline ---

struct tc_fifo_qopt {
	u32 limit; // packets, or bytes of bfifo
};

constexpr int TCQ_PRIO_BANDS = 16, TCQ_MIN_PRIO_BANDS = 2;
constexpr u32 TC_PRIO_CONTROL = 7;
struct tc_prio_qopt {
	int bands;
	std::array<u8, TC_PRIO_MAX + 1> priomap;
};

struct tc_fq_codel_opt { // times in us
	std::optional<u32> target, limit, interval, ecn, flows, quantum, ce_threshold, drop_batch_size,
		memory_limit;
};
struct tc_fq_codel_qd_stats {
	u32 maxpacket, drop_overlimit, ecn_mark, new_flow_count, new_flows_len, old_flows_len, ce_mark,
		memory_usage, drop_overmemory;
};

struct tc_fq_opt { // times in us, but timer_slack in ns; rates in bytes a second
	std::optional<u32> plimit, flow_plimit, quantum, initial_quantum, rate_enable, flow_max_rate,
		buckets_log, flow_refill_delay, orphan_mask, low_rate_threshold, ce_threshold, timer_slack,
		horizon;
	std::optional<u8> horizon_drop;
};
struct tc_fq_qd_stats {
	u64 gc_flows, highprio_packets, throttled, flows_plimit, pkts_too_long, allocation_errors;
	s64 time_next_delayed_flow;
	u32 flows, inactive_flows, throttled_flows, unthrottle_latency_ns;
	u64 ce_mark, horizon_drops, horizon_caps;
};

// Probabilities are parts of 2^32 - 1.
constexpr s32 NETEM_DIST_SCALE = 8192;
constexpr std::size_t NETEM_DIST_MAX = 16384;
struct tc_netem_qopt {
	u32 limit, loss, gap, duplicate;
};
struct tc_netem_corr {
	u32 delay_corr, loss_corr, dup_corr;
};
struct tc_netem_reorder {
	u32 probability, correlation;
};
struct tc_netem_corrupt {
	u32 probability, correlation;
};
struct tc_netem_rate {
	u64 rate; // bytes a second
	s32 packet_overhead;
	u32 cell_size;
	s32 cell_overhead;
};
struct tc_netem_gimodel {
	u32 p13, p31, p32, p14, p23;
};
struct tc_netem_gemodel {
	u32 p, r, h, k1;
};
struct tc_netem_slot {
	s64 min_delay, max_delay; // ns
	s32 max_packets, max_bytes;
	s64 dist_delay, dist_jitter;
};
struct tc_netem_opt {
	tc_netem_qopt qopt{};
	std::optional<s64> latency64, jitter64; // ns
	std::optional<tc_netem_corr> corr;
	std::optional<tc_netem_reorder> reorder;
	std::optional<tc_netem_corrupt> corrupt;
	std::optional<tc_netem_rate> rate;
	std::optional<u32> ecn;
	std::optional<tc_netem_gimodel> loss_gi;
	std::optional<tc_netem_gemodel> loss_ge;
	std::optional<tc_netem_slot> slot;
	std::optional<std::vector<s16>> delay_dist, slot_dist;
};

struct tc_tbf_opt { // rates in bytes a second, sizes in bytes
	u64 rate = 0, peakrate = 0;
	u32 limit = 0;
	u16 overhead = 0, mpu = 0;
	std::optional<u32> burst, pburst;
	s64 buffer = 0, mtu = 0; // ns, as a dump gives them
};

struct tc_options {
	std::variant<std::monostate, tc_fifo_qopt, tc_prio_qopt, tc_fq_codel_opt, tc_fq_opt, tc_netem_opt,
	             tc_tbf_opt>
		of;
};
// Null: none were given, or another discipline's.
template <class T> const T *tc_option(const tc_options *opt)
{
	return opt ? std::get_if<T>(&opt->of) : nullptr;
}
struct tc_xstats {
	std::variant<std::monostate, tc_fq_codel_qd_stats, tc_fq_qd_stats> of;
};

// --- requests and answers ---

// RTM_NEWQDISC and RTM_DELQDISC.
struct tc_request {
	net_device *dev = nullptr;
	u32 parent = TC_H_UNSPEC;
	u32 handle = 0;
	u16 nlmsg_flags = 0; // NLM_F_*
	std::optional<std::string> kind;
	std::optional<tc_options> options;
};
int tc_modify_qdisc(const tc_request &n, netlink_ext_ack *extack);
int tc_del_qdisc(const tc_request &n, netlink_ext_ack *extack); // tc_get_qdisc with RTM_DELQDISC

// A discipline, or a class, as a dump tells it.
struct tc_message {
	net_device *dev = nullptr;
	u32 parent = 0, handle = 0, info = 0; // info: references, or the leaf's handle
	std::string kind;
	tc_options options;
	tc_xstats xstats;
	bool has_stats = true;
	gnet_stats_basic_sync bstats;
	gnet_stats_queue qstats;
};
std::vector<tc_message> tc_dump_qdisc(net &net, bool invisible);
std::vector<tc_message> tc_dump_tclass(net_device &dev, u32 parent);

struct qdisc_walker {
	bool stop = false;
	int skip = 0, count = 0;
	int (*fn)(Qdisc &q, unsigned long cl, qdisc_walker &w) = nullptr;
};
bool tc_qdisc_stats_dump(Qdisc &sch, unsigned long cl, qdisc_walker &arg); // header inline

Qdisc *qdisc_lookup(net_device &dev, u32 handle);
Qdisc *qdisc_lookup_rcu(net_device &dev, u32 handle);
void qdisc_hash_add(Qdisc &q, bool invisible);
void qdisc_hash_del(Qdisc &q);
// Those below the root, in the order in which the kernel's table has them.
std::vector<Qdisc *> qdisc_hash_list(const net_device &dev);
// `n` packets of `len` bytes left below without the parents having dequeued them: they count less.
void qdisc_tree_reduce_backlog(Qdisc &sch, int n, int len);

// --- the watchdog: runs the root again at a time ---

struct qdisc_watchdog {
	u64 last_expires = 0;
	hrtimer timer;
	Qdisc *qdisc = nullptr;
};
void qdisc_watchdog_init(qdisc_watchdog &wd, Qdisc &qdisc);
void qdisc_watchdog_schedule_range_ns(qdisc_watchdog &wd, u64 expires, u64 delta_ns);
void qdisc_watchdog_schedule_ns(qdisc_watchdog &wd, u64 expires); // header inline
void qdisc_watchdog_cancel(qdisc_watchdog &wd);

// --- header inlines for disciplines ---

inline u32 psched_mtu(const net_device &dev) { return dev.mtu + dev.hard_header_len; }
constexpr int PSCHED_SHIFT = 6;
constexpr s64 PSCHED_TICKS2NS(s64 ticks) { return ticks << PSCHED_SHIFT; }
constexpr s64 PSCHED_NS2TICKS(s64 ns) { return ns >> PSCHED_SHIFT; }
template <class T> T &qdisc_cb(const sk_buff &skb)
{
	static_assert(sizeof(T) <= sizeof(qdisc_skb_cb::data));
	static_assert(alignof(T) <= 8);
	return *reinterpret_cast<T *>(qdisc_skb_cb_of(skb).data);
}

void sch_tree_lock(Qdisc &q);
void sch_tree_unlock(Qdisc &q);
int qdisc_drop(skb_ptr skb, Qdisc &q, sk_buff *&to_free);
// The skb and those behind it (next).
int qdisc_drop_all(sk_buff *skb, Qdisc &q, sk_buff *&to_free);
int qdisc_enqueue(skb_ptr skb, Qdisc &q, sk_buff *&to_free);
int qdisc_enqueue_tail(skb_ptr skb, Qdisc &q);
void __qdisc_enqueue_head(skb_ptr skb, qdisc_skb_head &qh);
skb_ptr __qdisc_dequeue_head(qdisc_skb_head &qh);
skb_ptr qdisc_dequeue_head(Qdisc &q);
void __qdisc_queue_drop_head(Qdisc &q, qdisc_skb_head &qh, sk_buff *&to_free);
sk_buff *qdisc_peek_head(Qdisc &q);
// For a discipline that may hold back what it has: the packet is dequeued and kept on gso_skb.
sk_buff *qdisc_peek_dequeued(Qdisc &q);
skb_ptr qdisc_dequeue_peeked(Qdisc &q);
skb_ptr qdisc_dequeue_internal(Qdisc &q, bool direct);
void qdisc_reset_queue(Qdisc &q);
void qdisc_purge_queue(Qdisc &q);
Qdisc *qdisc_replace(Qdisc &sch, Qdisc *new_qdisc, Qdisc *&pold);
inline void qdisc_qstats_drop(Qdisc &q) { ++q.qstats.drops; }
inline void __qdisc_qstats_drop(Qdisc &q, int count) { q.qstats.drops += static_cast<u32>(count); }
inline void qdisc_qstats_overlimit(Qdisc &q) { ++q.qstats.overlimits; }
// Frees a list (next) that a discipline gives up.
void rtnl_kfree_skbs(sk_buff *head);

// A rate, and the time that bytes take at it (sch_generic.c).
struct psched_ratecfg {
	u64 rate_bytes_ps = 0;
	u32 mult = 0;
	u16 overhead = 0, mpu = 0;
	u8 shift = 0;
};
void psched_ratecfg_precompute(psched_ratecfg &r, u64 rate, u16 overhead, u16 mpu);
u64 psched_l2t_ns(const psched_ratecfg &r, u32 len); // header inline

// fq_codel keeps the smallest fifo; prio and tbf have fifos by default.
Qdisc *fifo_create_dflt(Qdisc &sch, const Qdisc_ops &ops, u32 limit, int &err);
int fifo_set_limit(Qdisc &q, u32 limit);

// The disciplines that are modules.
int fq_module_init();
void provide_sched_modules(); // on the disk of the current host

extern const Qdisc_ops pfifo_qdisc_ops, bfifo_qdisc_ops, pfifo_head_drop_qdisc_ops, fq_codel_qdisc_ops,
	fq_qdisc_ops, prio_qdisc_ops, netem_qdisc_ops, tbf_qdisc_ops;

} // namespace skbwalk
