// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_prio.c: up to sixteen bands, each a class with a discipline of its own (pfifo at first). A
// packet goes to the band that its priority names (a class's id, or by the priomap), and a band is served
// only while all before it are empty. Left out: filters, offload.
#include <algorithm>

#include "stack/sched/cls_api.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

namespace {

struct prio_sched_data {
	tcf_proto *filter_list = nullptr;
	int bands = 0;
	std::array<u8, TC_PRIO_MAX + 1> prio2band{};
	std::array<Qdisc *, TCQ_PRIO_BANDS> queues{};
};

} // namespace

static Qdisc &prio_classify(const sk_buff &skb, const Qdisc &sch)
{
	TRACE(skb);
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);
	u32 band = skb.priority;

	if (TC_H_MAJ(skb.priority) != sch.handle) {
		tcf_result res;

		if (tcf_classify(skb, q.filter_list, res) < 0 || !q.filter_list) {
			if (TC_H_MAJ(band))
				band = 0;
			return *q.queues[q.prio2band[band & TC_PRIO_MAX]];
		}
		band = res.classid;
	}
	band = TC_H_MIN(band) - 1;
	return *q.queues[band >= static_cast<u32>(q.bands) ? q.prio2band[0] : band];
}

static int prio_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	const u32 len = qdisc_pkt_len(*skb);
	Qdisc &qdisc = prio_classify(*skb, sch);
	const int ret = qdisc_enqueue(std::move(skb), qdisc, to_free);

	if (ret == NET_XMIT_SUCCESS) {
		sch.qstats.backlog += len;
		++sch.q.qlen;
		return NET_XMIT_SUCCESS;
	}
	if (net_xmit_drop_count(ret))
		qdisc_qstats_drop(sch);
	return ret;
}

static sk_buff *prio_peek(Qdisc &sch)
{
	TRACE();
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	for (std::size_t prio = 0; prio < static_cast<std::size_t>(q.bands); ++prio)
		if (sk_buff *skb = q.queues[prio]->ops->peek(*q.queues[prio]))
			return skb;
	return nullptr;
}

static skb_ptr prio_dequeue(Qdisc &sch)
{
	TRACE();
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	for (std::size_t prio = 0; prio < static_cast<std::size_t>(q.bands); ++prio) {
		skb_ptr skb = qdisc_dequeue_peeked(*q.queues[prio]);

		if (skb) {
			qdisc_bstats_update(sch, *skb);
			qdisc_qstats_backlog_dec(sch, *skb);
			--sch.q.qlen;
			return skb;
		}
	}
	return nullptr;
}

static void prio_reset(Qdisc &sch)
{
	TRACE();
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	for (std::size_t prio = 0; prio < static_cast<std::size_t>(q.bands); ++prio)
		qdisc_reset(*q.queues[prio]);
}

static void prio_destroy(Qdisc &sch)
{
	TRACE();
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	for (std::size_t prio = 0; prio < static_cast<std::size_t>(q.bands); ++prio)
		qdisc_put(q.queues[prio]);
}

static int prio_tune(Qdisc &sch, const tc_options *opt, netlink_ext_ack *)
{
	TRACE();
	prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);
	const auto *qopt = tc_option<tc_prio_qopt>(opt);
	const int oldbands = q.bands;

	if (!qopt || qopt->bands > TCQ_PRIO_BANDS || qopt->bands < TCQ_MIN_PRIO_BANDS)
		return -EINVAL;
	if (std::ranges::any_of(qopt->priomap, [&](u8 band) { return band >= qopt->bands; }))
		return -EINVAL;

	std::array<Qdisc *, TCQ_PRIO_BANDS> queues{};

	for (int i = oldbands; i < qopt->bands; ++i) {
		const auto at = static_cast<std::size_t>(i);

		queues[at] = qdisc_create_dflt(*sch.dev_queue, pfifo_qdisc_ops,
		                               TC_H_MAKE(sch.handle, static_cast<u32>(i + 1)));
		if (!queues[at]) {
			while (i > oldbands)
				qdisc_put(queues[static_cast<std::size_t>(--i)]);
			return -ENOMEM;
		}
	}
	sch_tree_lock(sch);
	q.bands = qopt->bands;
	q.prio2band = qopt->priomap;
	for (std::size_t i = static_cast<std::size_t>(q.bands); i < static_cast<std::size_t>(oldbands); ++i)
		qdisc_purge_queue(*q.queues[i]);
	for (std::size_t i = static_cast<std::size_t>(oldbands); i < static_cast<std::size_t>(q.bands); ++i) {
		q.queues[i] = queues[i];
		qdisc_hash_add(*queues[i], true);
	}
	sch_tree_unlock(sch);
	for (std::size_t i = static_cast<std::size_t>(q.bands); i < static_cast<std::size_t>(oldbands); ++i)
		qdisc_put(q.queues[i]);
	return 0;
}

static int prio_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	if (!opt)
		return -EINVAL;
	return prio_tune(sch, opt, extack);
}

static int prio_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	const prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	opt.of = tc_prio_qopt{.bands = q.bands, .priomap = q.prio2band};
	return 0;
}

// --- classes: band + 1 ---

static int prio_graft(Qdisc &sch, unsigned long arg, Qdisc *new_qdisc, Qdisc *&old, netlink_ext_ack *)
{
	TRACE();
	prio_sched_data &q = qdisc_priv<prio_sched_data>(sch);

	if (!new_qdisc) {
		new_qdisc = qdisc_create_dflt(*sch.dev_queue, pfifo_qdisc_ops,
		                              TC_H_MAKE(sch.handle, static_cast<u32>(arg)));
		if (!new_qdisc)
			new_qdisc = &noop_qdisc();
		else
			qdisc_hash_add(*new_qdisc, true);
	}
	old = qdisc_replace(sch, new_qdisc, q.queues[arg - 1]);
	return 0;
}

static Qdisc *prio_leaf(Qdisc &sch, unsigned long arg)
{
	TRACE();
	return qdisc_priv<prio_sched_data>(sch).queues[arg - 1];
}

static unsigned long prio_find(Qdisc &sch, u32 classid)
{
	TRACE();
	const unsigned long band = TC_H_MIN(classid);

	return band - 1 >= static_cast<unsigned long>(qdisc_priv<prio_sched_data>(sch).bands) ? 0 : band;
}

static int prio_dump_class(Qdisc &sch, unsigned long cl, tc_message &m)
{
	TRACE();
	m.handle |= TC_H_MIN(static_cast<u32>(cl));
	m.info = qdisc_priv<prio_sched_data>(sch).queues[cl - 1]->handle;
	return 0;
}

static int prio_dump_class_stats(Qdisc &sch, unsigned long cl, tc_message &m)
{
	TRACE();
	const Qdisc &cl_q = *qdisc_priv<prio_sched_data>(sch).queues[cl - 1];

	m.has_stats = true;
	m.bstats = cl_q.bstats;
	m.qstats = cl_q.qstats;
	m.qstats.qlen = qdisc_qlen(cl_q);
	return 0;
}

static void prio_walk(Qdisc &sch, qdisc_walker &arg)
{
	TRACE();
	if (arg.stop)
		return;
	for (int prio = 0; prio < qdisc_priv<prio_sched_data>(sch).bands; ++prio)
		if (!tc_qdisc_stats_dump(sch, static_cast<unsigned long>(prio + 1), arg))
			break;
}

static const Qdisc_class_ops prio_class_ops = {
	.graft = prio_graft,
	.leaf = prio_leaf,
	.find = prio_find,
	.walk = prio_walk,
	.dump = prio_dump_class,
	.dump_stats = prio_dump_class_stats,
};

const Qdisc_ops prio_qdisc_ops = {
	.id = "prio",
	.cl_ops = &prio_class_ops,
	.make_priv = make_qdisc_priv<prio_sched_data>,
	.enqueue = prio_enqueue,
	.dequeue = prio_dequeue,
	.peek = prio_peek,
	.init = prio_init,
	.reset = prio_reset,
	.destroy = prio_destroy,
	.change = prio_tune,
	.dump = prio_dump,
};

} // namespace skbwalk
