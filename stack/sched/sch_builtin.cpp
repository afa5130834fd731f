// SPDX-License-Identifier: GPL-2.0-only
//
// The disciplines of net/sched/sch_generic.c itself: noop, which drops and stands where none is in use;
// noqueue, which says by having no enqueue that packets go straight to the driver; and pfifo_fast, three
// queues by priority.
#include <array>

#include "stack/sched/sch_generic.h"

namespace skbwalk {

static int noop_enqueue(skb_ptr skb, Qdisc &, sk_buff *&to_free)
{
	TRACE(skb);
	__qdisc_drop(std::move(skb), to_free);
	return NET_XMIT_CN;
}

static skb_ptr noop_dequeue(Qdisc &)
{
	TRACE();
	return nullptr;
}

static int noqueue_init(Qdisc &q, const void *)
{
	TRACE();
	q.enqueue = nullptr;
	return 0;
}

const Qdisc_ops noop_qdisc_ops = {
	.id = "noop",
	.enqueue = noop_enqueue,
	.dequeue = noop_dequeue,
};

const Qdisc_ops noqueue_qdisc_ops = {
	.id = "noqueue",
	.enqueue = noop_enqueue,
	.dequeue = noop_dequeue,
	.init = noqueue_init,
};

// --- pfifo_fast ---

namespace {

constexpr std::size_t PFIFO_FAST_BANDS = 3;
constexpr std::array<u8, TC_PRIO_MAX + 1> prio2band = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};

struct pfifo_fast_priv {
	std::array<sk_buff_head, PFIFO_FAST_BANDS> q;
};

} // namespace

static int pfifo_fast_enqueue(skb_ptr skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE(skb);
	sk_buff_head &band = qdisc_priv<pfifo_fast_priv>(q).q[prio2band[skb->priority & TC_PRIO_MAX]];

	if (skb_queue_len(band) >= qdisc_dev(q).tx_queue_len)
		return qdisc_drop(std::move(skb), q, to_free);
	qdisc_qstats_backlog_inc(q, *skb);
	++q.q.qlen;
	__skb_queue_tail(band, std::move(skb));
	return NET_XMIT_SUCCESS;
}

static skb_ptr pfifo_fast_dequeue(Qdisc &q)
{
	TRACE();
	for (int round = 0; round < 2; ++round) {
		for (sk_buff_head &band : qdisc_priv<pfifo_fast_priv>(q).q) {
			if (skb_ptr skb = __skb_dequeue(band)) {
				qdisc_qstats_backlog_dec(q, *skb);
				--q.q.qlen;
				qdisc_bstats_update(q, *skb);
				return skb;
			}
		}
		if (nolock_qdisc_is_empty(q))
			break;
		// Whoever missed its turn enqueued before: one more look.
		q.state &= ~QDISC_STATE_NON_EMPTY;
	}
	return nullptr;
}

static sk_buff *pfifo_fast_peek(Qdisc &q)
{
	TRACE();
	for (const sk_buff_head &band : qdisc_priv<pfifo_fast_priv>(q).q)
		if (sk_buff *skb = skb_peek(band))
			return skb;
	return nullptr;
}

static void pfifo_fast_reset(Qdisc &q)
{
	TRACE();
	for (sk_buff_head &band : qdisc_priv<pfifo_fast_priv>(q).q)
		__skb_queue_purge(band);
}

static int pfifo_fast_init(Qdisc &q, const void *)
{
	TRACE();
	if (!qdisc_dev(q).tx_queue_len)
		return -EINVAL;
	q.flags |= TCQ_F_CAN_BYPASS;
	return 0;
}

const Qdisc_ops pfifo_fast_ops = {
	.id = "pfifo_fast",
	.static_flags = TCQ_F_NOLOCK | TCQ_F_CPUSTATS,
	.make_priv = make_qdisc_priv<pfifo_fast_priv>,
	.enqueue = pfifo_fast_enqueue,
	.dequeue = pfifo_fast_dequeue,
	.peek = pfifo_fast_peek,
	.init = pfifo_fast_init,
	.reset = pfifo_fast_reset,
};

} // namespace skbwalk
