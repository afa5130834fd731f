// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_tbf.c: a token bucket. Tokens are time: they grow as time goes by, up to `buffer`, and a
// packet costs what it takes at the rate. One that costs more than there is waits, and a timer runs the
// discipline when there is enough; a second bucket, of a packet or so, may limit the peak. Packets wait in
// the discipline below, a bfifo at first. One that no bucket can ever pay for is cut into its segments, or
// dropped. Left out: offload, link layers with cells.
#include <algorithm>

#include "stack/core/gso.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

namespace {

struct tbf_sched_data {
	u32 limit = 0; // bytes of the bfifo
	u32 max_size = 0;
	s64 buffer = 0; // ns
	s64 mtu = 0;    // ns at the peak rate
	psched_ratecfg rate, peak;
	s64 tokens = 0, ptokens = 0;
	s64 t_c = 0; // when they were counted
	Qdisc *qdisc = nullptr;
	qdisc_watchdog watchdog;
};

tbf_sched_data &priv(const Qdisc &sch) { return qdisc_priv<tbf_sched_data>(sch); }

} // namespace

static int tbf_segment(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	tbf_sched_data &q = priv(sch);
	const netdev_features_t features = netif_skb_features(*skb);
	const u32 prev_len = qdisc_pkt_len(*skb);
	const skb_segs segs = skb_gso_segment(*skb, features & ~NETIF_F_GSO_MASK, true);
	u32 len = 0;
	int nb = 0;

	if (segs.err || !segs.list)
		return qdisc_drop(std::move(skb), sch, to_free);
	for (sk_buff *next = segs.list; next;) {
		skb_ptr one(next);
		const u32 seg_len = one->len;

		next = std::exchange(one->next, nullptr);
		one->prev = nullptr; // the first's was the last
		qdisc_skb_cb_of(*one).pkt_len = seg_len;

		const int ret = qdisc_enqueue(std::move(one), *q.qdisc, to_free);

		if (ret == NET_XMIT_SUCCESS) {
			++nb;
			len += seg_len;
		} else if (net_xmit_drop_count(ret)) {
			qdisc_qstats_drop(sch);
		}
	}
	sch.q.qlen += static_cast<u32>(nb);
	sch.qstats.backlog += len;
	if (nb > 0) {
		qdisc_tree_reduce_backlog(sch, 1 - nb, static_cast<int>(prev_len - len));
		consume_skb(std::move(skb));
		return NET_XMIT_SUCCESS;
	}
	kfree_skb(std::move(skb));
	return NET_XMIT_DROP;
}

static int tbf_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	tbf_sched_data &q = priv(sch);
	const u32 len = qdisc_pkt_len(*skb);

	if (len > q.max_size) {
		if (skb_is_gso(*skb) && skb_gso_validate_mac_len(*skb, q.max_size))
			return tbf_segment(std::move(skb), sch, to_free);
		return qdisc_drop(std::move(skb), sch, to_free);
	}

	const int ret = qdisc_enqueue(std::move(skb), *q.qdisc, to_free);

	if (ret != NET_XMIT_SUCCESS) {
		if (net_xmit_drop_count(ret))
			qdisc_qstats_drop(sch);
		return ret;
	}
	sch.qstats.backlog += len;
	++sch.q.qlen;
	return NET_XMIT_SUCCESS;
}

static bool tbf_peak_present(const tbf_sched_data &q)
{
	TRACE();
	return q.peak.rate_bytes_ps != 0;
}

static skb_ptr tbf_dequeue(Qdisc &sch)
{
	TRACE();
	tbf_sched_data &q = priv(sch);
	const sk_buff *first = q.qdisc->ops->peek(*q.qdisc);

	if (!first)
		return nullptr;

	const u32 len = qdisc_pkt_len(*first);
	const auto now = static_cast<s64>(ktime_get_ns());
	s64 toks = std::min(now - q.t_c, q.buffer);
	s64 ptoks = 0;

	if (tbf_peak_present(q))
		ptoks = std::min(toks + q.ptokens, q.mtu) - static_cast<s64>(psched_l2t_ns(q.peak, len));
	toks = std::min(toks + q.tokens, q.buffer) - static_cast<s64>(psched_l2t_ns(q.rate, len));
	if (toks >= 0 && ptoks >= 0) {
		skb_ptr skb = qdisc_dequeue_peeked(*q.qdisc);

		if (!skb)
			return nullptr;
		q.t_c = now;
		q.tokens = toks;
		q.ptokens = ptoks;
		qdisc_qstats_backlog_dec(sch, *skb);
		--sch.q.qlen;
		qdisc_bstats_update(sch, *skb);
		return skb;
	}
	// A shorter one behind might be paid for, but packets keep their order.
	qdisc_watchdog_schedule_ns(q.watchdog, static_cast<u64>(now + std::max(-toks, -ptoks)));
	qdisc_qstats_overlimit(sch);
	return nullptr;
}

static void tbf_reset(Qdisc &sch)
{
	TRACE();
	tbf_sched_data &q = priv(sch);

	qdisc_reset(*q.qdisc);
	q.t_c = static_cast<s64>(ktime_get_ns());
	q.tokens = q.buffer;
	q.ptokens = q.mtu;
	qdisc_watchdog_cancel(q.watchdog);
}

static int tbf_change(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	tbf_sched_data &q = priv(sch);
	const auto *qopt = tc_option<tc_tbf_opt>(opt);
	psched_ratecfg rate, peak;
	Qdisc *child = nullptr;
	Qdisc *old = nullptr;
	s64 mtu = 0;

	if (!qopt || !qopt->burst)
		return -EINVAL;
	psched_ratecfg_precompute(rate, qopt->rate, qopt->overhead, qopt->mpu);
	u32 max_size = *qopt->burst;
	const auto buffer = static_cast<s64>(psched_l2t_ns(rate, max_size));

	if (qopt->peakrate) {
		psched_ratecfg_precompute(peak, qopt->peakrate, qopt->overhead, qopt->mpu);
		if (peak.rate_bytes_ps <= rate.rate_bytes_ps || !qopt->pburst)
			return -EINVAL;
		max_size = std::min(max_size, *qopt->pburst);
		mtu = static_cast<s64>(psched_l2t_ns(peak, *qopt->pburst));
	}
	if (!max_size)
		return -EINVAL;
	if (q.qdisc != &noop_qdisc()) {
		if (const int err = fifo_set_limit(*q.qdisc, qopt->limit))
			return err;
	} else if (qopt->limit) {
		int err = 0;

		child = fifo_create_dflt(sch, bfifo_qdisc_ops, qopt->limit, err);
		if (!child)
			return nl_refuse(extack, err, nullptr);
		qdisc_hash_add(*child, true);
	}
	sch_tree_lock(sch);
	if (child) {
		qdisc_purge_queue(*q.qdisc);
		old = std::exchange(q.qdisc, child);
	}
	q.limit = qopt->limit;
	q.mtu = mtu;
	q.max_size = max_size;
	q.buffer = buffer;
	q.tokens = q.buffer;
	q.ptokens = q.mtu;
	q.rate = rate;
	q.peak = peak;
	sch_tree_unlock(sch);
	qdisc_put(old);
	return 0;
}

static int tbf_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	tbf_sched_data &q = priv(sch);

	qdisc_watchdog_init(q.watchdog, sch);
	q.qdisc = &noop_qdisc();
	if (!opt)
		return -EINVAL;
	q.t_c = static_cast<s64>(ktime_get_ns());
	return tbf_change(sch, opt, extack);
}

static void tbf_destroy(Qdisc &sch)
{
	TRACE();
	qdisc_watchdog_cancel(priv(sch).watchdog);
	qdisc_put(priv(sch).qdisc);
}

static int tbf_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	const tbf_sched_data &q = priv(sch);
	tc_tbf_opt o;

	o.rate = q.rate.rate_bytes_ps;
	o.peakrate = q.peak.rate_bytes_ps;
	o.limit = q.limit;
	o.overhead = q.rate.overhead;
	o.mpu = q.rate.mpu;
	o.buffer = q.buffer;
	o.mtu = q.mtu;
	opt.of = o;
	return 0;
}

// --- its one class ---

static int tbf_dump_class(Qdisc &sch, unsigned long, tc_message &m)
{
	TRACE();
	m.handle |= TC_H_MIN(1);
	m.info = priv(sch).qdisc->handle;
	return 0;
}

static int tbf_graft(Qdisc &sch, unsigned long, Qdisc *new_qdisc, Qdisc *&old, netlink_ext_ack *)
{
	TRACE();
	old = qdisc_replace(sch, new_qdisc ? new_qdisc : &noop_qdisc(), priv(sch).qdisc);
	return 0;
}

static Qdisc *tbf_leaf(Qdisc &sch, unsigned long)
{
	TRACE();
	return priv(sch).qdisc;
}

static unsigned long tbf_find(Qdisc &, u32)
{
	TRACE();
	return 1;
}

static void tbf_walk(Qdisc &sch, qdisc_walker &walker)
{
	TRACE();
	if (!walker.stop)
		tc_qdisc_stats_dump(sch, 1, walker);
}

static const Qdisc_class_ops tbf_class_ops = {
	.graft = tbf_graft,
	.leaf = tbf_leaf,
	.find = tbf_find,
	.walk = tbf_walk,
	.dump = tbf_dump_class,
};

const Qdisc_ops tbf_qdisc_ops = {
	.id = "tbf",
	.cl_ops = &tbf_class_ops,
	.make_priv = make_qdisc_priv<tbf_sched_data>,
	.enqueue = tbf_enqueue,
	.dequeue = tbf_dequeue,
	.peek = qdisc_peek_dequeued,
	.init = tbf_init,
	.reset = tbf_reset,
	.destroy = tbf_destroy,
	.change = tbf_change,
	.dump = tbf_dump,
};

} // namespace skbwalk
