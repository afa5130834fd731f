// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_fq.c: fair queueing of sockets, with pacing. A packet goes to the flow of its socket (without
// one: of its hash), which stands in a hash of trees. Flows are served in turn, new ones first, `quantum`
// bytes each. A packet has a time to be sent (skb->tstamp, or now), and a flow that has sent at its socket's
// pacing rate has one for its next: until then it waits in `delayed`, and a timer runs the discipline when
// the first is due. A socket whose packets come here is told so (SK_PACING_FQ), and TCP leaves pacing to it.
// Flows that were empty for three seconds are freed when there are many.
//
// Unlike the kernel, a flow's key is the socket's ordinal in its host, not its address: nothing depends on
// where memory is.
#include <algorithm>
#include <bit>
#include <memory>
#include <new>

#include "stack/core/ecn.h"
#include "stack/core/sock_inline.h"
#include "stack/kernel/kmod.h"
#include "stack/kernel/random.h"
#include "stack/kernel/slab.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

namespace {

struct fq_skb_cb {
	u64 time_to_send;
};
fq_skb_cb &fq_cb(const sk_buff &skb) { return qdisc_cb<fq_skb_cb>(skb); }

struct by_time_to_send {
	bool operator()(const sk_buff &a, const sk_buff &b) const
	{
		return fq_cb(a).time_to_send < fq_cb(b).time_to_send;
	}
};
using skb_tree = rb_tree_of<sk_buff, &sk_buff::rbnode, by_time_to_send>;

// Packets whose times grow stand in the list, others in the tree. Detached: on no list, empty since `age`.
// Throttled: in `delayed`.
struct fq_flow {
	enum { DETACHED, LISTED, THROTTLED } state = DETACHED;
	skb_tree t_root;
	sk_buff *head = nullptr;
	sk_buff *tail = nullptr;
	u32 age = 0; // jiffies
	u64 key = 0; // of the socket, or of a hash: then odd
	rb_hook fq_node;
	u32 socket_hash = 0;
	u32 qlen = 0;
	int credit = 0;
	fq_flow *next = nullptr;
	rb_hook rate_node;
	u64 time_next_packet = 0;
};
struct by_key {
	bool operator()(const fq_flow &a, const fq_flow &b) const { return a.key < b.key; }
};
struct by_time_next_packet {
	bool operator()(const fq_flow &a, const fq_flow &b) const
	{
		return a.time_next_packet < b.time_next_packet;
	}
};
using flow_tree = rb_tree_of<fq_flow, &fq_flow::fq_node, by_key>;

struct fq_flow_head {
	fq_flow *first = nullptr;
	fq_flow *last = nullptr;
};

struct fq_sched_data {
	fq_flow_head new_flows, old_flows;
	rb_tree_of<fq_flow, &fq_flow::rate_node, by_time_next_packet> delayed;
	u64 time_next_delayed_flow = ~0ull;
	u64 ktime_cache = 0;
	u64 unthrottle_latency_ns = 0;
	fq_flow internal; // high priority
	u32 quantum = 0, initial_quantum = 0;
	u32 flow_refill_delay = 0; // jiffies
	u32 flow_plimit = 0;
	u64 flow_max_rate = ~0ull;
	u64 ce_threshold = 0, horizon = 0; // ns
	u32 orphan_mask = 0, low_rate_threshold = 0;
	std::unique_ptr<flow_tree[]> fq_root;
	bool rate_enable = true;
	u32 fq_trees_log = 0;
	bool horizon_drop = true;
	u32 flows = 0, inactive_flows = 0, throttled_flows = 0;
	u64 stat_gc_flows = 0, stat_internal_packets = 0, stat_throttled = 0, stat_ce_mark = 0,
	    stat_horizon_drops = 0, stat_horizon_caps = 0, stat_flows_plimit = 0, stat_pkts_too_long = 0,
	    stat_allocation_errors = 0;
	u32 timer_slack = 0; // ns
	qdisc_watchdog watchdog;
};

fq_sched_data &priv(const Qdisc &sch) { return qdisc_priv<fq_sched_data>(sch); }

struct fq_module {
	kmem_cache *fq_flow_cachep = nullptr;
};
perhost<fq_module> module_data;

constexpr int FQ_GC_MAX = 8; // of a round
constexpr u32 FQ_GC_AGE = 3 * HZ;
constexpr u32 FQ_QUANTUM_MAX = 1 << 20;

void free_flow(fq_flow &f)
{
	f.~fq_flow();
	kmem_cache_free(*module_data->fq_flow_cachep, &f);
}

flow_tree &tree_of(fq_sched_data &q, u64 key)
{
	return q.fq_root[(key * 0x61c8864680b583ebull) >> (64 - q.fq_trees_log)]; // hash_64
}

} // namespace

static void fq_flow_set_detached(fq_flow &f)
{
	TRACE();
	f.state = fq_flow::DETACHED;
	f.age = jiffies() | 1;
}

static void fq_flow_add_tail(fq_flow_head &head, fq_flow &flow)
{
	TRACE();
	(head.first ? head.last->next : head.first) = &flow;
	head.last = &flow;
	flow.next = nullptr;
	flow.state = fq_flow::LISTED;
}

static void fq_flow_unset_throttled(fq_sched_data &q, fq_flow &f)
{
	TRACE();
	q.delayed.erase(q.delayed.iterator_to(f));
	--q.throttled_flows;
	fq_flow_add_tail(q.old_flows, f);
}

static void fq_flow_set_throttled(fq_sched_data &q, fq_flow &f)
{
	TRACE();
	q.delayed.insert_equal(f);
	++q.throttled_flows;
	++q.stat_throttled;
	f.state = fq_flow::THROTTLED;
	q.time_next_delayed_flow = std::min(q.time_next_delayed_flow, f.time_next_packet);
}

static bool fq_gc_candidate(const fq_flow &f)
{
	TRACE();
	return f.state == fq_flow::DETACHED && time_after(jiffies(), f.age + FQ_GC_AGE);
}

// On the way to where `key` is, or would be, what nobody has used for long is freed.
static void fq_gc(fq_sched_data &q, flow_tree &root, u64 key)
{
	TRACE();
	std::array<fq_flow *, FQ_GC_MAX> tofree{};
	std::size_t fcnt = 0;

	for (auto at = root.root(); at != root.end() && at.pointed_node();) {
		if (at->key == key)
			break;
		if (fq_gc_candidate(*at)) {
			tofree[fcnt++] = &*at;
			if (fcnt == FQ_GC_MAX)
				break;
		}
		at = at->key < key ? at.go_right() : at.go_left();
	}
	for (std::size_t i = fcnt; i > 0; --i) {
		root.erase(root.iterator_to(*tofree[i - 1]));
		free_flow(*tofree[i - 1]);
	}
	q.flows -= static_cast<u32>(fcnt);
	q.inactive_flows -= static_cast<u32>(fcnt);
	q.stat_gc_flows += fcnt;
}

static fq_flow &fq_classify(sk_buff &skb, fq_sched_data &q)
{
	TRACE(skb);
	if ((skb.priority & TC_PRIO_MAX) == TC_PRIO_CONTROL)
		return q.internal;

	sock *sk = skb.sk;
	u64 key;

	// A SYN+ACK belongs to no flow yet, and must not be held back; a socket that is not connected can
	// send to anybody.
	if (!sk || sk->skc_state == TCP_LISTEN || sk->skc_state == TCP_NEW_SYN_RECV) {
		key = (static_cast<u64>(skb_get_hash(skb) & q.orphan_mask) << 1) | 1;
		skb_orphan(skb);
		sk = nullptr;
	} else if (sk->skc_state == TCP_CLOSE) {
		key = (static_cast<u64>(skb_get_hash(skb) & q.orphan_mask) << 1) | 1;
		sk = nullptr;
	} else {
		key = static_cast<u64>(sk->trace_id) << 1;
	}

	flow_tree &root = tree_of(q, key);

	if (q.flows >= (2u << q.fq_trees_log) && q.inactive_flows > q.flows / 2)
		fq_gc(q, root, key);

	const auto told = [&](fq_flow &f) {
		f.socket_hash = sk->skc_hash;
		if (q.rate_enable)
			sk->sk_pacing_status = SK_PACING_FQ;
	};
	fq_flow wanted;

	wanted.key = key;
	if (const auto it = root.find(wanted); it != root.end()) {
		fq_flow &f = *it;

		if (sk && f.socket_hash != sk->skc_hash) { // the socket has another peer now
			f.credit = static_cast<int>(q.initial_quantum);
			told(f);
			if (f.state == fq_flow::THROTTLED)
				fq_flow_unset_throttled(q, f);
			f.time_next_packet = 0;
		}
		return f;
	}

	void *room = kmem_cache_alloc(*module_data->fq_flow_cachep, GFP_ATOMIC);

	if (!room) {
		++q.stat_allocation_errors;
		return q.internal;
	}

	fq_flow &f = *::new (room) fq_flow;

	fq_flow_set_detached(f);
	f.key = key;
	if (sk)
		told(f);
	f.credit = static_cast<int>(q.initial_quantum);
	root.insert_equal(f);
	++q.flows;
	++q.inactive_flows;
	return f;
}

static sk_buff *fq_peek(fq_flow &flow)
{
	TRACE();
	sk_buff *skb = flow.t_root.empty() ? nullptr : &*flow.t_root.begin();

	if (!skb || (flow.head && fq_cb(*skb).time_to_send >= fq_cb(*flow.head).time_to_send))
		return flow.head;
	return skb;
}

static void fq_erase_head(fq_flow &flow, sk_buff &skb)
{
	TRACE(skb);
	if (&skb == flow.head)
		flow.head = skb.next;
	else
		flow.t_root.erase(flow.t_root.iterator_to(skb));
}

// What fq_peek found.
static skb_ptr fq_dequeue_skb(Qdisc &sch, fq_flow &flow, sk_buff &skb)
{
	TRACE(skb);
	fq_erase_head(flow, skb);
	skb.next = nullptr;
	--flow.qlen;
	qdisc_qstats_backlog_dec(sch, skb);
	--sch.q.qlen;
	return skb_ptr(&skb);
}

static void flow_queue_add(fq_flow &flow, skb_ptr skb)
{
	TRACE(skb);
	sk_buff &n = *skb.release();

	n.next = nullptr;
	if (flow.head && fq_cb(n).time_to_send < fq_cb(*flow.tail).time_to_send) {
		flow.t_root.insert_equal(n);
		return;
	}
	(flow.head ? flow.tail->next : flow.head) = &n;
	flow.tail = &n;
}

static bool fq_packet_beyond_horizon(const sk_buff &skb, const fq_sched_data &q)
{
	TRACE(skb);
	return static_cast<s64>(skb.tstamp) > static_cast<s64>(q.ktime_cache + q.horizon);
}

static int fq_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	fq_sched_data &q = priv(sch);

	if (sch.q.qlen >= sch.limit)
		return qdisc_drop(std::move(skb), sch, to_free);
	if (!skb->tstamp) {
		fq_cb(*skb).time_to_send = q.ktime_cache = ktime_get_ns();
	} else {
		if (fq_packet_beyond_horizon(*skb, q)) {
			q.ktime_cache = ktime_get_ns(); // and once more, with what time it is now
			if (fq_packet_beyond_horizon(*skb, q)) {
				if (q.horizon_drop) {
					++q.stat_horizon_drops;
					return qdisc_drop(std::move(skb), sch, to_free);
				}
				++q.stat_horizon_caps;
				skb->tstamp = q.ktime_cache + q.horizon;
			}
		}
		fq_cb(*skb).time_to_send = skb->tstamp;
	}

	fq_flow &f = fq_classify(*skb, q);

	if (f.qlen >= q.flow_plimit && &f != &q.internal) {
		++q.stat_flows_plimit;
		return qdisc_drop(std::move(skb), sch, to_free);
	}
	++f.qlen;
	qdisc_qstats_backlog_inc(sch, *skb);
	if (f.state == fq_flow::DETACHED && &f != &q.internal) {
		fq_flow_add_tail(q.new_flows, f);
		if (time_after(jiffies(), f.age + q.flow_refill_delay))
			f.credit = std::max(f.credit, static_cast<int>(q.quantum));
		--q.inactive_flows;
	}
	flow_queue_add(f, std::move(skb));
	if (&f == &q.internal)
		++q.stat_internal_packets;
	++sch.q.qlen;
	return NET_XMIT_SUCCESS;
}

// Flows whose time has come go back in line.
static void fq_check_throttled(fq_sched_data &q, u64 now)
{
	TRACE();
	if (q.time_next_delayed_flow > now)
		return;
	q.unthrottle_latency_ns -= q.unthrottle_latency_ns >> 3;
	q.unthrottle_latency_ns += (now - q.time_next_delayed_flow) >> 3;
	q.time_next_delayed_flow = ~0ull;
	while (!q.delayed.empty()) {
		fq_flow &f = *q.delayed.begin();

		if (f.time_next_packet > now) {
			q.time_next_delayed_flow = f.time_next_packet;
			break;
		}
		fq_flow_unset_throttled(q, f);
	}
}

namespace {

// `plen` bytes of the flow leave now: when may the next?
void pace(fq_sched_data &q, fq_flow &f, const sk_buff &skb, u64 now, u32 plen)
{
	u64 rate = q.flow_max_rate;

	// With a time of its own the packet is paced already, but for a limit of ours.
	if (!skb.tstamp) {
		if (skb.sk)
			rate = std::min(skb.sk->sk_pacing_rate, rate);
		if (rate <= q.low_rate_threshold) {
			f.credit = 0;
		} else {
			plen = std::max(plen, q.quantum);
			if (f.credit > 0)
				return;
		}
	}
	if (rate == ~0ull)
		return;

	u64 len = static_cast<u64>(plen) * NSEC_PER_SEC;

	if (rate)
		len /= rate;
	if (len > NSEC_PER_SEC) { // the rate can change before that
		len = NSEC_PER_SEC;
		++q.stat_pkts_too_long;
	}
	// Time that the last one left too late.
	if (f.time_next_packet)
		len -= std::min(len / 2, now - f.time_next_packet);
	f.time_next_packet = now + len;
}

} // namespace

static skb_ptr fq_dequeue(Qdisc &sch)
{
	TRACE();
	fq_sched_data &q = priv(sch);

	if (!sch.q.qlen)
		return nullptr;
	if (sk_buff *high = fq_peek(q.internal)) {
		skb_ptr skb = fq_dequeue_skb(sch, q.internal, *high);

		qdisc_bstats_update(sch, *skb);
		return skb;
	}

	const u64 now = q.ktime_cache = ktime_get_ns();

	fq_check_throttled(q, now);
	for (;;) {
		fq_flow_head &head = q.new_flows.first ? q.new_flows : q.old_flows;

		if (!head.first) {
			if (q.time_next_delayed_flow != ~0ull)
				qdisc_watchdog_schedule_range_ns(q.watchdog, q.time_next_delayed_flow,
				                                 q.timer_slack);
			return nullptr;
		}

		fq_flow &f = *head.first;

		if (f.credit <= 0) {
			f.credit += static_cast<int>(q.quantum);
			head.first = f.next;
			fq_flow_add_tail(q.old_flows, f);
			continue;
		}

		sk_buff *first = fq_peek(f);

		if (!first) {
			head.first = f.next;
			// Once through the old flows, or new ones would starve them.
			if (&head == &q.new_flows && q.old_flows.first) {
				fq_flow_add_tail(q.old_flows, f);
			} else {
				fq_flow_set_detached(f);
				++q.inactive_flows;
			}
			continue;
		}

		const u64 time_next_packet = std::max(fq_cb(*first).time_to_send, f.time_next_packet);

		if (now < time_next_packet) {
			head.first = f.next;
			f.time_next_packet = time_next_packet;
			fq_flow_set_throttled(q, f);
			continue;
		}
		__builtin_prefetch(&first->end);
		if (static_cast<s64>(now - time_next_packet - q.ce_threshold) > 0) {
			INET_ECN_set_ce(*first);
			++q.stat_ce_mark;
		}

		skb_ptr skb = fq_dequeue_skb(sch, f, *first);
		const u32 plen = qdisc_pkt_len(*skb);

		f.credit -= static_cast<int>(plen);
		if (q.rate_enable)
			pace(q, f, *skb, now, plen);
		qdisc_bstats_update(sch, *skb);
		return skb;
	}
}

static void fq_flow_purge(fq_flow &flow)
{
	TRACE();
	while (!flow.t_root.empty()) {
		sk_buff &skb = *flow.t_root.begin();

		flow.t_root.erase(flow.t_root.begin());
		rtnl_kfree_skbs(&skb);
	}
	rtnl_kfree_skbs(std::exchange(flow.head, nullptr));
	flow.qlen = 0;
}

static void fq_reset(Qdisc &sch)
{
	TRACE();
	fq_sched_data &q = priv(sch);

	sch.q.qlen = 0;
	sch.qstats.backlog = 0;
	fq_flow_purge(q.internal);
	if (!q.fq_root)
		return;
	q.delayed.clear();
	for (std::size_t idx = 0; idx < std::size_t{1} << q.fq_trees_log; ++idx)
		while (!q.fq_root[idx].empty()) {
			fq_flow &f = *q.fq_root[idx].begin();

			q.fq_root[idx].erase(q.fq_root[idx].begin());
			fq_flow_purge(f);
			free_flow(f);
		}
	q.new_flows.first = nullptr;
	q.old_flows.first = nullptr;
	q.flows = 0;
	q.inactive_flows = 0;
	q.throttled_flows = 0;
}

static void fq_rehash(fq_sched_data &q, flow_tree *old_array, u32 old_log)
{
	TRACE();
	u32 fcnt = 0;

	for (std::size_t idx = 0; idx < std::size_t{1} << old_log; ++idx)
		while (!old_array[idx].empty()) {
			fq_flow &of = *old_array[idx].begin();

			old_array[idx].erase(old_array[idx].begin());
			if (fq_gc_candidate(of)) {
				++fcnt;
				free_flow(of);
			} else {
				tree_of(q, of.key).insert_equal(of);
			}
		}
	q.flows -= fcnt;
	q.inactive_flows -= fcnt;
	q.stat_gc_flows += fcnt;
}

static int fq_resize(Qdisc &sch, u32 log)
{
	TRACE();
	fq_sched_data &q = priv(sch);

	if (q.fq_root && log == q.fq_trees_log)
		return 0;

	auto array = std::make_unique<flow_tree[]>(std::size_t{1} << log);

	sch_tree_lock(sch);
	const auto old_fq_root = std::exchange(q.fq_root, std::move(array));
	const u32 old_log = std::exchange(q.fq_trees_log, log);

	if (old_fq_root)
		fq_rehash(q, old_fq_root.get(), old_log);
	sch_tree_unlock(sch);
	return 0;
}

static int fq_change(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	fq_sched_data &q = priv(sch);
	const auto *tb = tc_option<tc_fq_opt>(opt);
	int dropped_pkts = 0, dropped_bytes = 0;
	int err = 0;

	if (!tb)
		return -EINVAL;
	sch_tree_lock(sch);
	u32 fq_log = q.fq_trees_log;

	if (tb->buckets_log) {
		if (*tb->buckets_log >= 1 && *tb->buckets_log <= 18)
			fq_log = *tb->buckets_log;
		else
			err = -EINVAL;
	}
	if (tb->plimit)
		sch.limit = *tb->plimit;
	if (tb->flow_plimit)
		q.flow_plimit = *tb->flow_plimit;
	if (tb->quantum) {
		if (*tb->quantum > 0 && *tb->quantum <= FQ_QUANTUM_MAX)
			q.quantum = *tb->quantum;
		else
			err = nl_refuse(extack, -EINVAL, "sch_fq: invalid quantum");
	}
	if (tb->initial_quantum)
		q.initial_quantum = *tb->initial_quantum;
	if (tb->flow_max_rate)
		q.flow_max_rate = *tb->flow_max_rate == ~0u ? ~0ull : *tb->flow_max_rate;
	if (tb->low_rate_threshold)
		q.low_rate_threshold = *tb->low_rate_threshold;
	if (tb->rate_enable) {
		if (*tb->rate_enable <= 1)
			q.rate_enable = *tb->rate_enable != 0;
		else
			err = -EINVAL;
	}
	if (tb->flow_refill_delay)
		q.flow_refill_delay = usecs_to_jiffies(*tb->flow_refill_delay);
	if (tb->orphan_mask)
		q.orphan_mask = *tb->orphan_mask;
	if (tb->ce_threshold)
		q.ce_threshold = static_cast<u64>(NSEC_PER_USEC) * *tb->ce_threshold;
	if (tb->timer_slack)
		q.timer_slack = *tb->timer_slack;
	if (tb->horizon)
		q.horizon = static_cast<u64>(NSEC_PER_USEC) * *tb->horizon;
	if (tb->horizon_drop)
		q.horizon_drop = *tb->horizon_drop != 0;
	if (!err) {
		sch_tree_unlock(sch);
		err = fq_resize(sch, fq_log);
		sch_tree_lock(sch);
	}
	while (sch.q.qlen > sch.limit) {
		skb_ptr skb = qdisc_dequeue_internal(sch, false);

		if (!skb)
			break;
		++dropped_pkts;
		dropped_bytes += static_cast<int>(qdisc_pkt_len(*skb));
		rtnl_kfree_skbs(skb.release());
	}
	qdisc_tree_reduce_backlog(sch, dropped_pkts, dropped_bytes);
	sch_tree_unlock(sch);
	return err;
}

static void fq_destroy(Qdisc &sch)
{
	TRACE();
	fq_reset(sch);
	priv(sch).fq_root.reset();
	qdisc_watchdog_cancel(priv(sch).watchdog);
}

static int fq_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	fq_sched_data &q = priv(sch);
	const u32 mtu = std::clamp(psched_mtu(qdisc_dev(sch)), 1u, FQ_QUANTUM_MAX);

	sch.limit = 10000;
	q.flow_plimit = 100;
	q.quantum = std::min(2 * mtu, FQ_QUANTUM_MAX);
	q.initial_quantum = std::min(10 * mtu, FQ_QUANTUM_MAX);
	q.flow_refill_delay = msecs_to_jiffies(40);
	q.fq_trees_log = 10;
	q.orphan_mask = 1024 - 1;
	q.low_rate_threshold = 550000 / 8;
	q.timer_slack = 10 * NSEC_PER_USEC;
	q.horizon = 10 * NSEC_PER_SEC;
	q.ce_threshold = static_cast<u64>(NSEC_PER_USEC) * ~0u;
	qdisc_watchdog_init(q.watchdog, sch);
	return opt ? fq_change(sch, opt, extack) : fq_resize(sch, q.fq_trees_log);
}

static int fq_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	const fq_sched_data &q = priv(sch);

	opt.of = tc_fq_opt{.plimit = sch.limit,
	                   .flow_plimit = q.flow_plimit,
	                   .quantum = q.quantum,
	                   .initial_quantum = q.initial_quantum,
	                   .rate_enable = q.rate_enable,
	                   .flow_max_rate = static_cast<u32>(std::min<u64>(q.flow_max_rate, ~0u)),
	                   .buckets_log = q.fq_trees_log,
	                   .flow_refill_delay = jiffies_to_usecs(q.flow_refill_delay),
	                   .orphan_mask = q.orphan_mask,
	                   .low_rate_threshold = q.low_rate_threshold,
	                   .ce_threshold = static_cast<u32>(q.ce_threshold / NSEC_PER_USEC),
	                   .timer_slack = q.timer_slack,
	                   .horizon = static_cast<u32>(q.horizon / NSEC_PER_USEC),
	                   .horizon_drop = q.horizon_drop};
	return 0;
}

static int fq_dump_stats(Qdisc &sch, tc_xstats &st)
{
	TRACE();
	const fq_sched_data &q = priv(sch);

	sch_tree_lock(sch);
	st.of = tc_fq_qd_stats{
		.gc_flows = q.stat_gc_flows,
		.highprio_packets = q.stat_internal_packets,
		.throttled = q.stat_throttled,
		.flows_plimit = q.stat_flows_plimit,
		.pkts_too_long = q.stat_pkts_too_long,
		.allocation_errors = q.stat_allocation_errors,
		.time_next_delayed_flow =
			static_cast<s64>(q.time_next_delayed_flow + q.timer_slack - ktime_get_ns()),
		.flows = q.flows,
		.inactive_flows = q.inactive_flows,
		.throttled_flows = q.throttled_flows,
		.unthrottle_latency_ns = static_cast<u32>(std::min<u64>(q.unthrottle_latency_ns, ~0u)),
		.ce_mark = q.stat_ce_mark,
		.horizon_drops = q.stat_horizon_drops,
		.horizon_caps = q.stat_horizon_caps};
	sch_tree_unlock(sch);
	return 0;
}

const Qdisc_ops fq_qdisc_ops = {
	.id = "fq",
	.make_priv = make_qdisc_priv<fq_sched_data>,
	.enqueue = fq_enqueue,
	.dequeue = fq_dequeue,
	.peek = qdisc_peek_dequeued,
	.init = fq_init,
	.reset = fq_reset,
	.destroy = fq_destroy,
	.change = fq_change,
	.dump = fq_dump,
	.dump_stats = fq_dump_stats,
};

int fq_module_init()
{
	TRACE();
	module_data->fq_flow_cachep = &kmem_cache_create("fq_flow_cache", sizeof(fq_flow), alignof(fq_flow));
	return register_qdisc(fq_qdisc_ops);
}

} // namespace skbwalk
