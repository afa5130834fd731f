// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_fifo.c: one queue in order of arrival, with a limit in packets (pfifo) or bytes (bfifo)
// beyond which what comes is dropped; pfifo_head_drop drops what has waited longest instead. Left out:
// offload.
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

static int bfifo_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	if (sch.qstats.backlog + qdisc_pkt_len(*skb) <= sch.limit)
		return qdisc_enqueue_tail(std::move(skb), sch);
	return qdisc_drop(std::move(skb), sch, to_free);
}

static int pfifo_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	if (sch.q.qlen < sch.limit)
		return qdisc_enqueue_tail(std::move(skb), sch);
	return qdisc_drop(std::move(skb), sch, to_free);
}

static int pfifo_tail_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	if (!sch.limit)
		return qdisc_drop(std::move(skb), sch, to_free);
	if (sch.q.qlen < sch.limit)
		return qdisc_enqueue_tail(std::move(skb), sch);

	const u64 prev_backlog = sch.qstats.backlog;

	__qdisc_queue_drop_head(sch, sch.q, to_free);
	qdisc_qstats_drop(sch);
	qdisc_enqueue_tail(std::move(skb), sch);
	qdisc_tree_reduce_backlog(sch, 0, static_cast<int>(prev_backlog - sch.qstats.backlog));
	return NET_XMIT_CN;
}

static int __fifo_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *)
{
	TRACE();
	const bool is_bfifo = sch.ops == &bfifo_qdisc_ops;

	if (!opt) {
		sch.limit = qdisc_dev(sch).tx_queue_len;
		if (is_bfifo)
			sch.limit *= psched_mtu(qdisc_dev(sch));
	} else {
		const auto *ctl = tc_option<tc_fifo_qopt>(opt);

		if (!ctl)
			return -EINVAL;
		sch.limit = ctl->limit;
	}
	if (sch.limit >= (is_bfifo ? psched_mtu(qdisc_dev(sch)) : 1))
		sch.flags |= TCQ_F_CAN_BYPASS;
	else
		sch.flags &= ~TCQ_F_CAN_BYPASS;
	return 0;
}

static int fifo_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	return __fifo_init(sch, opt, extack);
}

static int fifo_hd_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	return __fifo_init(sch, opt, extack);
}

static int __fifo_dump(const Qdisc &sch, tc_options &opt)
{
	TRACE();
	opt.of = tc_fifo_qopt{.limit = sch.limit};
	return 0;
}

static int fifo_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	return __fifo_dump(sch, opt);
}

static int fifo_hd_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	return __fifo_dump(sch, opt);
}

const Qdisc_ops pfifo_qdisc_ops = {
	.id = "pfifo",
	.enqueue = pfifo_enqueue,
	.dequeue = qdisc_dequeue_head,
	.peek = qdisc_peek_head,
	.init = fifo_init,
	.reset = qdisc_reset_queue,
	.change = fifo_init,
	.dump = fifo_dump,
};

const Qdisc_ops bfifo_qdisc_ops = {
	.id = "bfifo",
	.enqueue = bfifo_enqueue,
	.dequeue = qdisc_dequeue_head,
	.peek = qdisc_peek_head,
	.init = fifo_init,
	.reset = qdisc_reset_queue,
	.change = fifo_init,
	.dump = fifo_dump,
};

const Qdisc_ops pfifo_head_drop_qdisc_ops = {
	.id = "pfifo_head_drop",
	.enqueue = pfifo_tail_enqueue,
	.dequeue = qdisc_dequeue_head,
	.peek = qdisc_peek_head,
	.init = fifo_hd_init,
	.reset = qdisc_reset_queue,
	.change = fifo_hd_init,
	.dump = fifo_hd_dump,
};

// Tells a fifo its limit; another discipline is left alone.
int fifo_set_limit(Qdisc &q, u32 limit)
{
	TRACE();
	if (std::string_view{q.ops->id}.substr(1, 4) != "fifo" || !q.ops->change)
		return 0;

	const tc_options opt{tc_fifo_qopt{limit}};

	return q.ops->change(q, &opt, nullptr);
}

Qdisc *fifo_create_dflt(Qdisc &sch, const Qdisc_ops &ops, u32 limit, int &err)
{
	TRACE();
	Qdisc *q = qdisc_create_dflt(*sch.dev_queue, ops, TC_H_MAKE(sch.handle, 1));

	err = q ? fifo_set_limit(*q, limit) : -ENOMEM;
	if (q && err < 0) {
		qdisc_put(q);
		q = nullptr;
	}
	return q;
}

} // namespace skbwalk
