// SPDX-License-Identifier: GPL-2.0-only
//
// The disciplines of net/sched/sch_generic.c itself: noop, which drops and stands where none is in use;
// noqueue, which says by having no enqueue that packets go straight to the driver; and pfifo_fast, three
// queues by priority.
#include <array>

#include "stack/sched/pkt_sched.h"

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

// Unlike the kernel, where noop_dequeue is both: who takes a packet owns it here.
// not traced: see above
static sk_buff *noop_peek(Qdisc &) { return nullptr; }

static int noqueue_init(Qdisc &q, const tc_options *, netlink_ext_ack *)
{
	TRACE();
	q.enqueue = nullptr;
	return 0;
}

const Qdisc_ops noop_qdisc_ops = {
	.id = "noop",
	.enqueue = noop_enqueue,
	.dequeue = noop_dequeue,
	.peek = noop_peek,
};

const Qdisc_ops noqueue_qdisc_ops = {
	.id = "noqueue",
	.enqueue = noop_enqueue,
	.dequeue = noop_dequeue,
	.peek = noop_peek,
	.init = noqueue_init,
};

// --- pfifo_fast ---

namespace {

constexpr std::size_t PFIFO_FAST_BANDS = 3;
constexpr std::array<u8, TC_PRIO_MAX + 1> prio2band = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};

struct pfifo_fast_priv {
	std::array<sk_buff_head, PFIFO_FAST_BANDS> q;
	u32 room = 0; // of each: the device's tx_queue_len when that was last told
};

} // namespace

static int pfifo_fast_enqueue(skb_ptr skb, Qdisc &q, sk_buff *&to_free)
{
	TRACE(skb);
	pfifo_fast_priv &priv = qdisc_priv<pfifo_fast_priv>(q);
	sk_buff_head &band = priv.q[prio2band[skb->priority & TC_PRIO_MAX]];

	if (skb_queue_len(band) >= priv.room)
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

static int pfifo_fast_init(Qdisc &q, const tc_options *, netlink_ext_ack *)
{
	TRACE();
	const u32 qlen = qdisc_dev(q).tx_queue_len;

	if (!qlen)
		return -EINVAL;
	qdisc_priv<pfifo_fast_priv>(q).room = qlen;
	q.flags |= TCQ_F_CAN_BYPASS;
	return 0;
}

// Packets that are there stay, but for those that the smaller room of their band has no place for.
static int pfifo_fast_change_tx_queue_len(Qdisc &sch, u32 new_len)
{
	TRACE();
	pfifo_fast_priv &priv = qdisc_priv<pfifo_fast_priv>(sch);

	priv.room = new_len;
	for (sk_buff_head &band : priv.q)
		while (skb_queue_len(band) > new_len) {
			skb_ptr skb = __skb_dequeue_tail(band);

			qdisc_qstats_backlog_dec(sch, *skb);
			--sch.q.qlen;
			kfree_skb(std::move(skb));
		}
	return 0;
}

static int pfifo_fast_dump(Qdisc &, tc_options &opt)
{
	TRACE();
	opt.of = tc_prio_qopt{.bands = PFIFO_FAST_BANDS, .priomap = prio2band};
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
	.change_tx_queue_len = pfifo_fast_change_tx_queue_len,
	.dump = pfifo_fast_dump,
};

} // namespace skbwalk
