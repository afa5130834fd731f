// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_fq_codel.c: fair queueing with CoDel in each queue (RFC 8290). A packet goes to one of 1024
// flows by its hash. A flow that was empty stands among the new ones, which are served first; each may send
// `quantum` bytes before it goes to the end of the old ones. Beyond the limit (packets, or memory) half of
// what the fattest flow has is dropped, at most drop_batch at once. Left out: filters, and its classes, which
// only filters can use.
#include <algorithm>
#include <memory>
#include <vector>

#include "stack/kernel/random.h"
#include "stack/sched/codel.h"

namespace skbwalk {

namespace {

constexpr u32 FQ_CODEL_QUANTUM_MAX = 1 << 20;

struct fq_codel_flow {
	sk_buff *head = nullptr;
	sk_buff *tail = nullptr;
	list_head flowchain;
	int deficit = 0;
	codel_vars cvars;
};

struct fq_codel_sched_data {
	std::unique_ptr<fq_codel_flow[]> flows;
	std::vector<u32> backlogs;
	u32 flows_cnt = 0, quantum = 0, drop_batch_size = 0, memory_limit = 0;
	codel_params cparams{};
	codel_stats cstats;
	u32 memory_usage = 0, drop_overmemory = 0, drop_overlimit = 0, new_flow_count = 0;
	list_head new_flows, old_flows;
};

fq_codel_sched_data &priv(const Qdisc &sch) { return qdisc_priv<fq_codel_sched_data>(sch); }

} // namespace

static u32 fq_codel_hash(const fq_codel_sched_data &q, sk_buff &skb)
{
	TRACE(skb);
	return reciprocal_scale(skb_get_hash(skb), q.flows_cnt);
}

// The flow's number, from 1.
static u32 fq_codel_classify(sk_buff &skb, const Qdisc &sch)
{
	TRACE(skb);
	const fq_codel_sched_data &q = priv(sch);

	if (TC_H_MAJ(skb.priority) == sch.handle && TC_H_MIN(skb.priority) > 0 &&
	    TC_H_MIN(skb.priority) <= q.flows_cnt)
		return TC_H_MIN(skb.priority);
	return fq_codel_hash(q, skb) + 1;
}

static skb_ptr dequeue_head(fq_codel_flow &flow)
{
	TRACE();
	skb_ptr skb(flow.head);

	flow.head = std::exchange(skb->next, nullptr);
	return skb;
}

static void flow_queue_add(fq_codel_flow &flow, skb_ptr skb)
{
	TRACE(skb);
	skb->next = nullptr;
	sk_buff *n = skb.release();

	(flow.head ? flow.tail->next : flow.head) = n;
	flow.tail = n;
}

// From the flow with most bytes; returns its index.
static u32 fq_codel_drop(Qdisc &sch, u32 max_packets, sk_buff *&to_free)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);
	const auto fattest = std::ranges::max_element(q.backlogs);
	const auto idx = static_cast<u32>(fattest - q.backlogs.begin());
	const u32 threshold = *fattest >> 1;
	fq_codel_flow &flow = q.flows[idx];
	u32 len = 0, mem = 0, i = 0;

	do {
		skb_ptr skb = dequeue_head(flow);

		len += qdisc_pkt_len(*skb);
		mem += get_codel_cb(*skb).mem_usage;
		__qdisc_drop(std::move(skb), to_free);
	} while (++i < max_packets && len < threshold);

	flow.cvars.count += i; // CoDel shall press harder, too
	q.backlogs[idx] -= len;
	q.memory_usage -= mem;
	sch.qstats.drops += i;
	sch.qstats.backlog -= len;
	sch.q.qlen -= i;
	return idx;
}

static int fq_codel_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	fq_codel_sched_data &q = priv(sch);
	const u32 idx = fq_codel_classify(*skb, sch) - 1;
	const u32 pkt_len = qdisc_pkt_len(*skb);

	codel_set_enqueue_time(*skb);
	get_codel_cb(*skb).mem_usage = skb->truesize;
	q.memory_usage += skb->truesize;
	q.backlogs[idx] += pkt_len;
	qdisc_qstats_backlog_inc(sch, *skb);

	fq_codel_flow &flow = q.flows[idx];

	flow_queue_add(flow, std::move(skb));
	if (list_empty(flow.flowchain)) {
		list_add_tail(flow.flowchain, q.new_flows);
		++q.new_flow_count;
		flow.deficit = static_cast<int>(q.quantum);
	}

	const bool memory_limited = q.memory_usage > q.memory_limit;

	if (++sch.q.qlen <= sch.limit && !memory_limited)
		return NET_XMIT_SUCCESS;

	const u32 prev_qlen = sch.q.qlen;
	const u64 prev_backlog = sch.qstats.backlog;
	const u32 dropped_of = fq_codel_drop(sch, q.drop_batch_size, to_free);
	const u32 dropped = prev_qlen - sch.q.qlen;
	const auto dropped_len = static_cast<u32>(prev_backlog - sch.qstats.backlog);

	q.drop_overlimit += dropped;
	if (memory_limited)
		q.drop_overmemory += dropped;
	// The parent will not count this packet when it hears of congestion.
	if (dropped_of == idx) {
		qdisc_tree_reduce_backlog(sch, static_cast<int>(dropped - 1),
		                          static_cast<int>(dropped_len - pkt_len));
		return NET_XMIT_CN;
	}
	qdisc_tree_reduce_backlog(sch, static_cast<int>(dropped), static_cast<int>(dropped_len));
	return NET_XMIT_SUCCESS;
}

static skb_ptr dequeue_func(codel_vars &vars, Qdisc &sch)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);
	fq_codel_flow &flow = container_of(vars, &fq_codel_flow::cvars);

	if (!flow.head)
		return nullptr;

	skb_ptr skb = dequeue_head(flow);

	q.backlogs[static_cast<std::size_t>(&flow - q.flows.get())] -= qdisc_pkt_len(*skb);
	q.memory_usage -= get_codel_cb(*skb).mem_usage;
	--sch.q.qlen;
	qdisc_qstats_backlog_dec(sch, *skb);
	return skb;
}

static void drop_func(skb_ptr skb, Qdisc &sch)
{
	TRACE(skb);
	kfree_skb(std::move(skb));
	qdisc_qstats_drop(sch);
}

static skb_ptr __fq_codel_dequeue(Qdisc &sch)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);

	for (;;) {
		list_head &head = list_empty(q.new_flows) ? q.old_flows : q.new_flows;

		if (list_empty(head))
			return nullptr;

		fq_codel_flow &flow = list_entry(*head.next, &fq_codel_flow::flowchain);

		if (flow.deficit <= 0) {
			flow.deficit += static_cast<int>(q.quantum);
			list_move_tail(flow.flowchain, q.old_flows);
			continue;
		}

		skb_ptr skb = codel_dequeue(sch, sch.qstats.backlog, q.cparams, flow.cvars, q.cstats,
		                            drop_func, dequeue_func);

		if (skb) {
			qdisc_bstats_update(sch, *skb);
			flow.deficit -= static_cast<int>(qdisc_pkt_len(*skb));
			return skb;
		}
		// A new flow that is empty waits behind the old ones once, or it could starve them.
		if (&head == &q.new_flows && !list_empty(q.old_flows))
			list_move_tail(flow.flowchain, q.old_flows);
		else
			list_del_init(flow.flowchain);
	}
}

static void fq_codel_dequeue_drop(Qdisc &sch)
{
	TRACE();
	codel_stats &cstats = priv(sch).cstats;

	if (cstats.drop_count) {
		qdisc_tree_reduce_backlog(sch, static_cast<int>(cstats.drop_count),
		                          static_cast<int>(cstats.drop_len));
		cstats.drop_count = 0;
		cstats.drop_len = 0;
	}
}

static skb_ptr fq_codel_dequeue(Qdisc &sch)
{
	TRACE();
	skb_ptr skb = __fq_codel_dequeue(sch);

	fq_codel_dequeue_drop(sch);
	return skb;
}

static sk_buff *fq_codel_peek(Qdisc &sch)
{
	TRACE();
	if (sk_buff *skb = skb_peek(sch.gso_skb))
		return skb;
	if (skb_ptr skb = __fq_codel_dequeue(sch)) {
		qdisc_qstats_backlog_inc(sch, *skb); // still part of the queue
		++sch.q.qlen;
		__skb_queue_head(sch.gso_skb, std::move(skb));
	}
	fq_codel_dequeue_drop(sch);
	return skb_peek(sch.gso_skb);
}

static void fq_codel_flow_purge(fq_codel_flow &flow)
{
	TRACE();
	rtnl_kfree_skbs(std::exchange(flow.head, nullptr));
}

static void fq_codel_reset(Qdisc &sch)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);

	INIT_LIST_HEAD(q.new_flows);
	INIT_LIST_HEAD(q.old_flows);
	for (u32 i = 0; q.flows && i < q.flows_cnt; ++i) {
		fq_codel_flow_purge(q.flows[i]);
		INIT_LIST_HEAD(q.flows[i].flowchain);
		q.flows[i].cvars = {};
	}
	std::ranges::fill(q.backlogs, 0);
	q.memory_usage = 0;
}

static int fq_codel_change(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);
	const auto *tb = tc_option<tc_fq_codel_opt>(opt);
	int dropped_pkts = 0, dropped_bytes = 0;
	u32 quantum = 0;

	if (!tb)
		return -EINVAL;
	if (tb->flows) {
		if (q.flows)
			return -EINVAL;
		q.flows_cnt = *tb->flows;
		if (!q.flows_cnt || q.flows_cnt > 65536)
			return -EINVAL;
	}
	if (tb->quantum) {
		quantum = std::max(256u, *tb->quantum);
		if (quantum > FQ_CODEL_QUANTUM_MAX)
			return nl_refuse(extack, -EINVAL, "Invalid quantum");
	}
	sch_tree_lock(sch);
	if (tb->target)
		q.cparams.target = codel_us_to_time(*tb->target);
	if (tb->ce_threshold)
		q.cparams.ce_threshold = codel_us_to_time(*tb->ce_threshold);
	if (tb->interval)
		q.cparams.interval = codel_us_to_time(*tb->interval);
	if (tb->limit)
		sch.limit = *tb->limit;
	if (tb->ecn)
		q.cparams.ecn = *tb->ecn != 0;
	if (quantum)
		q.quantum = quantum;
	if (tb->drop_batch_size)
		q.drop_batch_size = std::max(1u, *tb->drop_batch_size);
	if (tb->memory_limit)
		q.memory_limit = std::min(1u << 31, *tb->memory_limit);
	while (sch.q.qlen > sch.limit || q.memory_usage > q.memory_limit) {
		skb_ptr skb = qdisc_dequeue_internal(sch, false);

		if (!skb)
			break;
		++dropped_pkts;
		dropped_bytes += static_cast<int>(qdisc_pkt_len(*skb));
		rtnl_kfree_skbs(skb.release());
	}
	qdisc_tree_reduce_backlog(sch, dropped_pkts, dropped_bytes);
	sch_tree_unlock(sch);
	return 0;
}

static int fq_codel_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	fq_codel_sched_data &q = priv(sch);
	const u32 mtu = std::min(psched_mtu(qdisc_dev(sch)), FQ_CODEL_QUANTUM_MAX);

	sch.limit = 10 * 1024;
	q.flows_cnt = 1024;
	q.memory_limit = 32 << 20;
	q.drop_batch_size = 64;
	q.quantum = std::clamp(mtu, 256u, FQ_CODEL_QUANTUM_MAX);
	codel_params_init(q.cparams);
	q.cparams.ecn = true;
	q.cparams.mtu = mtu;
	if (opt)
		if (const int err = fq_codel_change(sch, opt, extack)) {
			q.flows_cnt = 0;
			return err;
		}
	q.flows = std::make_unique<fq_codel_flow[]>(q.flows_cnt);
	q.backlogs.assign(q.flows_cnt, 0);
	if (sch.limit >= 1)
		sch.flags |= TCQ_F_CAN_BYPASS;
	else
		sch.flags &= ~TCQ_F_CAN_BYPASS;
	return 0;
}

static int fq_codel_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	const fq_codel_sched_data &q = priv(sch);
	tc_fq_codel_opt o{.target = codel_time_to_us(q.cparams.target),
	                  .limit = sch.limit,
	                  .interval = codel_time_to_us(q.cparams.interval),
	                  .ecn = q.cparams.ecn,
	                  .flows = q.flows_cnt,
	                  .quantum = q.quantum,
	                  .ce_threshold = std::nullopt,
	                  .drop_batch_size = q.drop_batch_size,
	                  .memory_limit = q.memory_limit};

	if (q.cparams.ce_threshold != CODEL_DISABLED_THRESHOLD)
		o.ce_threshold = codel_time_to_us(q.cparams.ce_threshold);
	opt.of = o;
	return 0;
}

static int fq_codel_dump_stats(Qdisc &sch, tc_xstats &st)
{
	TRACE();
	const fq_codel_sched_data &q = priv(sch);
	const auto length = [](const list_head &l) {
		u32 n = 0;
		for (const list_head *i = l.next; i != &l; i = i->next)
			++n;
		return n;
	};

	sch_tree_lock(sch);
	st.of = tc_fq_codel_qd_stats{.maxpacket = q.cstats.maxpacket,
	                             .drop_overlimit = q.drop_overlimit,
	                             .ecn_mark = q.cstats.ecn_mark,
	                             .new_flow_count = q.new_flow_count,
	                             .new_flows_len = length(q.new_flows),
	                             .old_flows_len = length(q.old_flows),
	                             .ce_mark = q.cstats.ce_mark,
	                             .memory_usage = q.memory_usage,
	                             .drop_overmemory = q.drop_overmemory};
	sch_tree_unlock(sch);
	return 0;
}

const Qdisc_ops fq_codel_qdisc_ops = {
	.id = "fq_codel",
	.make_priv = make_qdisc_priv<fq_codel_sched_data>,
	.enqueue = fq_codel_enqueue,
	.dequeue = fq_codel_dequeue,
	.peek = fq_codel_peek,
	.init = fq_codel_init,
	.reset = fq_codel_reset,
	.change = fq_codel_change,
	.dump = fq_codel_dump,
	.dump_stats = fq_codel_dump_stats,
};

} // namespace skbwalk
