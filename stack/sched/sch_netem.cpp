// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_netem.c: a network to be tested with. What comes in may be doubled, lost, damaged; then it
// waits, in order of the times at which packets are to leave (a list while these grow, else a tree), for a
// delay that is drawn around a mean, or what a link of some rate would take. One packet in `gap` can overtake
// all others. A discipline below (its one class) gets packets when their time has come. Random numbers are
// the host's get_random_u32; a correlated one leans on the one before it.
#include <algorithm>
#include <memory>

#include "stack/core/ecn.h"
#include "stack/core/gso.h"
#include "stack/core/sock_orphan.h"
#include "stack/kernel/random.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

namespace {

struct netem_skb_cb {
	u64 time_to_send;
};
netem_skb_cb &netem_cb(const sk_buff &skb) { return qdisc_cb<netem_skb_cb>(skb); }

struct by_time_to_send {
	bool operator()(const sk_buff &a, const sk_buff &b) const
	{
		return netem_cb(a).time_to_send < netem_cb(b).time_to_send;
	}
};

struct crndstate {
	u32 last = 0;
	u32 rho = 0; // how much of the last number the next has, in parts of 2^32
};

enum loss_model_t { CLG_RANDOM, CLG_4_STATES, CLG_GILB_ELL };
enum : u8 { TX_IN_GAP_PERIOD = 1, TX_IN_BURST_PERIOD, LOST_IN_GAP_PERIOD, LOST_IN_BURST_PERIOD };
enum : u8 { GOOD_STATE = 1, BAD_STATE };

// A Markov chain that decides what is lost; the transitions are p13, p31, p32, p14, p23 of the chain with
// four states, or p, r, h, 1-k of Gilbert and Elliott's.
struct clgstate {
	u8 state = 0;
	u32 a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0;
};
struct slotstate {
	u64 slot_next = 0;
	s32 packets_left = 0, bytes_left = 0;
};

constexpr s32 no_limit = 0x7fffffff;

struct netem_sched_data {
	rb_tree_of<sk_buff, &sk_buff::rbnode, by_time_to_send> t_root;
	sk_buff *t_head = nullptr;
	sk_buff *t_tail = nullptr;
	u32 t_len = 0;
	Qdisc *qdisc = nullptr; // below
	qdisc_watchdog watchdog;
	s64 latency = 0, jitter = 0; // ns
	u32 loss = 0, ecn = 0, limit = 0, counter = 0, gap = 0, duplicate = 0, reorder = 0, corrupt = 0;
	u64 rate = 0; // bytes a second
	s32 packet_overhead = 0, cell_overhead = 0;
	u32 cell_size = 0;
	crndstate delay_cor, loss_cor, dup_cor, reorder_cor, corrupt_cor;
	std::vector<s16> delay_dist, slot_dist; // empty: uniform
	loss_model_t loss_model = CLG_RANDOM;
	clgstate clg;
	tc_netem_slot slot_config{};
	slotstate slot;
};

netem_sched_data &priv(const Qdisc &sch) { return qdisc_priv<netem_sched_data>(sch); }

} // namespace

// --- chance ---

static void init_crandom(crndstate &state, u32 rho)
{
	TRACE();
	state.rho = rho;
	state.last = get_random_u32();
}

static u32 get_crandom(crndstate *state)
{
	TRACE();
	if (!state || !state->rho)
		return get_random_u32();

	const u64 value = get_random_u32();
	const u64 rho = static_cast<u64>(state->rho) + 1;

	return state->last = static_cast<u32>((value * ((u64{1} << 32) - rho) + state->last * rho) >> 32);
}

static bool loss_4state(netem_sched_data &q)
{
	TRACE();
	clgstate &clg = q.clg;
	const u32 rnd = get_random_u32();

	switch (clg.state) {
	case TX_IN_GAP_PERIOD:
		if (rnd < clg.a4)
			clg.state = LOST_IN_GAP_PERIOD;
		else if (rnd < clg.a1 + clg.a4)
			clg.state = LOST_IN_BURST_PERIOD;
		break;
	case TX_IN_BURST_PERIOD:
		if (rnd < clg.a5)
			clg.state = LOST_IN_BURST_PERIOD;
		break;
	case LOST_IN_BURST_PERIOD:
		if (rnd < clg.a3)
			clg.state = TX_IN_BURST_PERIOD;
		else if (rnd < clg.a2 + clg.a3)
			clg.state = TX_IN_GAP_PERIOD;
		break;
	default:
		clg.state = TX_IN_GAP_PERIOD;
	}
	return clg.state == LOST_IN_GAP_PERIOD || clg.state == LOST_IN_BURST_PERIOD;
}

static bool loss_gilb_ell(netem_sched_data &q)
{
	TRACE();
	clgstate &clg = q.clg;

	if (clg.state == GOOD_STATE) {
		if (get_random_u32() < clg.a1)
			clg.state = BAD_STATE;
		return get_random_u32() < clg.a4;
	}
	if (get_random_u32() < clg.a2)
		clg.state = GOOD_STATE;
	return get_random_u32() > clg.a3;
}

static bool loss_event(netem_sched_data &q)
{
	TRACE();
	switch (q.loss_model) {
	case CLG_4_STATES:
		return loss_4state(q);
	case CLG_GILB_ELL:
		return loss_gilb_ell(q);
	default:
		return q.loss && q.loss >= get_crandom(&q.loss_cor);
	}
}

// A value around `mu`; `sigma` is the deviation where there is a table, and half the width where there is
// none.
static s64 tabledist(s64 mu, s32 sigma, crndstate *state, const std::vector<s16> &dist)
{
	TRACE();
	if (!sigma)
		return mu;

	TRACE_PART();
	const u32 rnd = get_crandom(state);

	if (dist.empty())
		return static_cast<s64>(rnd % (2 * static_cast<u32>(sigma))) + mu - sigma;

	const s64 t = dist[rnd % dist.size()];
	s64 x = (sigma % NETEM_DIST_SCALE) * t;

	x += x >= 0 ? NETEM_DIST_SCALE / 2 : -NETEM_DIST_SCALE / 2;
	return x / NETEM_DIST_SCALE + (sigma / NETEM_DIST_SCALE) * t + mu;
}

// How long a link of this rate has to do with a packet.
static u64 packet_time_ns(u64 len, const netem_sched_data &q)
{
	TRACE();
	len += static_cast<u64>(static_cast<s64>(q.packet_overhead));
	if (q.cell_size) {
		const u64 cells = (len + q.cell_size - 1) / q.cell_size;

		len = cells * static_cast<u64>(static_cast<s64>(q.cell_size) + q.cell_overhead);
	}
	return len * NSEC_PER_SEC / q.rate;
}

// --- the queue by time ---

static void tfifo_reset(Qdisc &sch)
{
	TRACE();
	netem_sched_data &q = priv(sch);

	while (!q.t_root.empty()) {
		sk_buff &skb = *q.t_root.begin();

		q.t_root.erase(q.t_root.begin());
		rtnl_kfree_skbs(&skb);
	}
	rtnl_kfree_skbs(std::exchange(q.t_head, nullptr));
	q.t_tail = nullptr;
	q.t_len = 0;
}

static void tfifo_enqueue(skb_ptr skb, Qdisc &sch)
{
	TRACE(skb);
	netem_sched_data &q = priv(sch);
	sk_buff &nskb = *skb.release();

	nskb.next = nullptr;
	if (!q.t_tail || netem_cb(nskb).time_to_send >= netem_cb(*q.t_tail).time_to_send) {
		(q.t_tail ? q.t_tail->next : q.t_head) = &nskb;
		q.t_tail = &nskb;
	} else {
		q.t_root.insert_equal(nskb);
	}
	++q.t_len;
	++sch.q.qlen;
}

// A packet that stands for many is cut before one of them is damaged. The rest is in `next`.
static sk_buff *netem_segment(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	const netdev_features_t features = netif_skb_features(*skb);
	const skb_segs segs = skb_gso_segment(*skb, features & ~NETIF_F_GSO_MASK, true);

	if (segs.err || !segs.list) {
		qdisc_drop(std::move(skb), sch, to_free);
		return nullptr;
	}
	consume_skb(std::move(skb));
	return segs.list;
}

namespace {

// Of what is queued, the last that is to leave: a link begins with the next packet then.
const netem_skb_cb *last_to_leave(Qdisc &sch, netem_sched_data &q)
{
	const netem_skb_cb *last = sch.q.tail ? &netem_cb(*sch.q.tail) : nullptr;
	const auto later = [&last](const sk_buff &skb) {
		if (!last || netem_cb(skb).time_to_send > last->time_to_send)
			last = &netem_cb(skb);
	};

	if (!q.t_root.empty())
		later(*q.t_root.rbegin());
	if (q.t_tail)
		later(*q.t_tail);
	return last;
}

// When does it leave?
u64 time_to_send(const sk_buff &skb, Qdisc &sch, netem_sched_data &q)
{
	s64 delay = tabledist(q.latency, static_cast<s32>(q.jitter), &q.delay_cor, q.delay_dist);
	u64 now = ktime_get_ns();

	if (q.rate) {
		if (const netem_skb_cb *last = last_to_leave(sch, q)) {
			delay = std::max<s64>(0, delay - static_cast<s64>(last->time_to_send - now));
			now = last->time_to_send;
		}
		delay += static_cast<s64>(packet_time_ns(qdisc_pkt_len(skb), q));
	}
	return now + static_cast<u64>(delay);
}

// Inverts one bit. Null: it could not be made our own, and is dropped.
skb_ptr damage(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	skb = skb_unshare(std::move(skb), GFP_ATOMIC);
	if (!skb) {
		qdisc_qstats_drop(sch);
		return nullptr;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(*skb)) {
		qdisc_drop(std::move(skb), sch, to_free);
		return nullptr;
	}
	if (const u32 bytes = skb_headlen(*skb)) {
		const u32 at = prandom_u32_max(bytes);

		skb->data[at] = static_cast<u8>(skb->data[at] ^ 1 << prandom_u32_max(8));
	}
	return skb;
}

// The other segments of a packet of which one was damaged come in one by one. `skb_len`: of that one, if it
// was queued.
void enqueue_segments(sk_buff *segs, Qdisc &sch, sk_buff *&to_free, u32 prev_len, bool queued, u32 skb_len)
{
	u32 len = queued ? skb_len : 0;
	int nb = queued ? 1 : 0;

	while (segs) {
		skb_ptr one(segs);
		const u32 last_len = one->len;

		segs = std::exchange(one->next, nullptr);
		qdisc_skb_cb_of(*one).pkt_len = last_len;

		const int rc = qdisc_enqueue(std::move(one), sch, to_free);

		if (rc == NET_XMIT_SUCCESS) {
			++nb;
			len += last_len;
		} else if (net_xmit_drop_count(rc)) {
			qdisc_qstats_drop(sch);
		}
	}
	// The parents counted one packet of prev_len bytes.
	qdisc_tree_reduce_backlog(sch, -(nb - 1), -static_cast<int>(len - prev_len));
}

} // namespace

static int netem_enqueue(skb_ptr skb, Qdisc &sch, sk_buff *&to_free)
{
	TRACE(skb);
	netem_sched_data &q = priv(sch);
	const u32 prev_len = qdisc_pkt_len(*skb);
	sk_buff *segs = nullptr;
	skb_ptr skb2;
	int count = 1;

	skb->prev = nullptr;
	if (q.duplicate && q.duplicate >= get_crandom(&q.dup_cor))
		++count;
	if (loss_event(q)) {
		if (q.ecn && INET_ECN_set_ce(*skb))
			qdisc_qstats_drop(sch); // a mark instead
		else
			--count;
	}
	if (!count) {
		qdisc_qstats_drop(sch);
		__qdisc_drop(std::move(skb), to_free);
		return NET_XMIT_SUCCESS | __NET_XMIT_BYPASS;
	}
	// It leaves the sender's memory now, not when the delay is over.
	if (q.latency || q.jitter || q.rate)
		skb_orphan_partial(*skb);
	if (count > 1)
		skb2 = skb_clone(*skb, GFP_ATOMIC);

	if (q.corrupt && q.corrupt >= get_crandom(&q.corrupt_cor)) {
		if (skb_is_gso(*skb)) {
			skb = skb_ptr(netem_segment(std::move(skb), sch, to_free));
			if (skb) {
				segs = std::exchange(skb->next, nullptr);
				skb->prev = nullptr;
				qdisc_skb_cb_of(*skb).pkt_len = skb->len;
			}
		}
		if (skb)
			skb = damage(std::move(skb), sch, to_free);
		if (!skb) {
			if (skb2)
				__qdisc_drop(std::move(skb2), to_free);
			if (!segs)
				return NET_XMIT_DROP;
			enqueue_segments(segs, sch, to_free, prev_len, false, 0);
			return NET_XMIT_SUCCESS;
		}
	}

	if (sch.q.qlen >= sch.limit) {
		skb->next = segs;
		qdisc_drop_all(skb.release(), sch, to_free);
		if (skb2)
			__qdisc_drop(std::move(skb2), to_free);
		return NET_XMIT_DROP;
	}

	// The copy comes in from the top, for the parents expect one packet here; it is not doubled again.
	if (skb2) {
		Qdisc &rootq = qdisc_root_bh(sch);
		const u32 dupsave = std::exchange(q.duplicate, 0);

		rootq.enqueue(std::move(skb2), rootq, to_free);
		q.duplicate = dupsave;
	}

	const u32 skb_len = skb->len;

	qdisc_qstats_backlog_inc(sch, *skb);
	if (!q.gap || q.counter < q.gap - 1 || q.reorder < get_crandom(&q.reorder_cor)) {
		netem_cb(*skb).time_to_send = time_to_send(*skb, sch, q);
		++q.counter;
		tfifo_enqueue(std::move(skb), sch);
	} else { // before all others
		netem_cb(*skb).time_to_send = ktime_get_ns();
		q.counter = 0;
		__qdisc_enqueue_head(std::move(skb), sch.q);
		++sch.qstats.requeues;
	}
	if (segs)
		enqueue_segments(segs, sch, to_free, prev_len, true, skb_len);
	return NET_XMIT_SUCCESS;
}

// When packets leave in slots: the next one's begin, and what it holds.
static void get_slot_next(netem_sched_data &q, u64 now)
{
	TRACE();
	const tc_netem_slot &c = q.slot_config;
	s64 next_delay;

	if (q.slot_dist.empty()) {
		const auto width = static_cast<u64>(c.max_delay - c.min_delay);
		const u64 part = get_random_u32();

		next_delay =
			c.min_delay + static_cast<s64>((width >> 32) * part + (((width & ~0u) * part) >> 32));
	} else {
		next_delay = tabledist(c.dist_delay, static_cast<s32>(c.dist_jitter), nullptr, q.slot_dist);
	}

	q.slot.slot_next = now + static_cast<u64>(next_delay);
	q.slot.packets_left = c.max_packets;
	q.slot.bytes_left = c.max_bytes;
}

static sk_buff *netem_peek(netem_sched_data &q)
{
	TRACE();
	sk_buff *skb = q.t_root.empty() ? nullptr : &*q.t_root.begin();

	if (!skb || (q.t_head && netem_cb(*skb).time_to_send >= netem_cb(*q.t_head).time_to_send))
		return q.t_head;
	return skb;
}

static void netem_erase_head(netem_sched_data &q, sk_buff &skb)
{
	TRACE(skb);
	if (&skb == q.t_head) {
		q.t_head = skb.next;
		if (!q.t_head)
			q.t_tail = nullptr;
	} else {
		q.t_root.erase(q.t_root.iterator_to(skb));
	}
}

namespace {

skb_ptr delivered(skb_ptr skb, Qdisc &sch)
{
	qdisc_qstats_backlog_dec(sch, *skb);
	qdisc_bstats_update(sch, *skb);
	return skb;
}

// Its time has come: out of the queue by time.
skb_ptr take(sk_buff &first, Qdisc &sch, netem_sched_data &q, u64 now)
{
	netem_erase_head(q, first);
	--q.t_len;
	first.next = nullptr;
	first.prev = nullptr;
	first.dev = &qdisc_dev(sch);
	if (q.slot.slot_next) {
		--q.slot.packets_left;
		q.slot.bytes_left -= static_cast<s32>(qdisc_pkt_len(first));
		if (q.slot.packets_left <= 0 || q.slot.bytes_left <= 0)
			get_slot_next(q, now);
	}
	return skb_ptr(&first);
}

// On to the discipline below.
void pass_on(skb_ptr skb, Qdisc &sch, Qdisc &below)
{
	const u32 pkt_len = qdisc_pkt_len(*skb);
	sk_buff *to_free = nullptr;
	const int err = qdisc_enqueue(std::move(skb), below, to_free);

	kfree_skb_list_reason(to_free, SKB_DROP_REASON_NOT_SPECIFIED);
	if (err == NET_XMIT_SUCCESS)
		return;
	if (net_xmit_drop_count(err))
		qdisc_qstats_drop(sch);
	sch.qstats.backlog -= pkt_len;
	--sch.q.qlen;
	qdisc_tree_reduce_backlog(sch, 1, static_cast<int>(pkt_len));
}

skb_ptr from_below(Qdisc &sch, netem_sched_data &q)
{
	skb_ptr skb = q.qdisc ? q.qdisc->ops->dequeue(*q.qdisc) : nullptr;

	if (skb)
		--sch.q.qlen;
	return skb;
}

} // namespace

static skb_ptr netem_dequeue(Qdisc &sch)
{
	TRACE();
	netem_sched_data &q = priv(sch);

	for (;;) {
		if (skb_ptr skb = __qdisc_dequeue_head(sch.q))
			return delivered(std::move(skb), sch);

		sk_buff *first = netem_peek(q);

		if (!first)
			break;

		const u64 now = ktime_get_ns();
		const u64 time_to_send = netem_cb(*first).time_to_send;

		if (q.slot.slot_next && q.slot.slot_next < time_to_send)
			get_slot_next(q, now);
		if (time_to_send <= now && q.slot.slot_next <= now) {
			skb_ptr skb = take(*first, sch, q, now);

			if (q.qdisc) {
				pass_on(std::move(skb), sch, *q.qdisc);
				continue;
			}
			--sch.q.qlen;
			return delivered(std::move(skb), sch);
		}
		if (skb_ptr skb = from_below(sch, q))
			return delivered(std::move(skb), sch);
		qdisc_watchdog_schedule_ns(q.watchdog, std::max(time_to_send, q.slot.slot_next));
		break;
	}
	if (skb_ptr skb = from_below(sch, q))
		return delivered(std::move(skb), sch);
	return nullptr;
}

static void netem_reset(Qdisc &sch)
{
	TRACE();
	netem_sched_data &q = priv(sch);

	qdisc_reset_queue(sch);
	tfifo_reset(sch);
	if (q.qdisc)
		qdisc_reset(*q.qdisc);
	qdisc_watchdog_cancel(q.watchdog);
}

// --- options ---

static int get_dist_table(std::vector<s16> &tbl, const std::vector<s16> &data)
{
	TRACE();
	if (data.empty() || data.size() > NETEM_DIST_MAX)
		return -EINVAL;
	tbl = data;
	return 0;
}

static int validate_slot(const tc_netem_slot &c, netlink_ext_ack *extack)
{
	TRACE();
	if (c.min_delay < 0 || c.max_delay < 0)
		return nl_refuse(extack, -EINVAL, "negative slot delay");
	if (c.min_delay > c.max_delay)
		return nl_refuse(extack, -EINVAL, "slot min delay greater than max delay");
	if (c.dist_delay < 0 || c.dist_jitter < 0)
		return nl_refuse(extack, -EINVAL, "negative dist delay");
	if (c.max_packets < 0 || c.max_bytes < 0)
		return nl_refuse(extack, -EINVAL, "negative slot limit");
	return 0;
}

static void get_slot(netem_sched_data &q, const tc_netem_slot &c)
{
	TRACE();
	q.slot_config = c;
	if (!c.max_packets)
		q.slot_config.max_packets = no_limit;
	if (!c.max_bytes)
		q.slot_config.max_bytes = no_limit;
	q.slot_config.dist_jitter = std::min<s64>(no_limit, std::abs(c.dist_jitter));
	q.slot.packets_left = q.slot_config.max_packets;
	q.slot.bytes_left = q.slot_config.max_bytes;
	q.slot.slot_next = (c.min_delay | c.max_delay | c.dist_jitter) ? ktime_get_ns() : 0;
}

static void get_correlation(netem_sched_data &q, const tc_netem_corr &c)
{
	TRACE();
	init_crandom(q.delay_cor, c.delay_corr);
	init_crandom(q.loss_cor, c.loss_corr);
	init_crandom(q.dup_cor, c.dup_corr);
}

static void get_reorder(netem_sched_data &q, const tc_netem_reorder &r)
{
	TRACE();
	q.reorder = r.probability;
	init_crandom(q.reorder_cor, r.correlation);
}

static void get_corrupt(netem_sched_data &q, const tc_netem_corrupt &r)
{
	TRACE();
	q.corrupt = r.probability;
	init_crandom(q.corrupt_cor, r.correlation);
}

static void get_rate(netem_sched_data &q, const tc_netem_rate &r)
{
	TRACE();
	q.rate = r.rate;
	q.packet_overhead = r.packet_overhead;
	q.cell_size = r.cell_size;
	q.cell_overhead = r.cell_overhead;
}

static void get_loss_clg(netem_sched_data &q, const tc_netem_opt &tb)
{
	TRACE();
	q.loss_model = CLG_RANDOM;
	if (tb.loss_gi) {
		q.loss_model = CLG_4_STATES;
		q.clg = {TX_IN_GAP_PERIOD, tb.loss_gi->p13, tb.loss_gi->p31,
		         tb.loss_gi->p32,  tb.loss_gi->p14, tb.loss_gi->p23};
	} else if (tb.loss_ge) {
		q.loss_model = CLG_GILB_ELL;
		q.clg = {GOOD_STATE, tb.loss_ge->p, tb.loss_ge->r, tb.loss_ge->h, tb.loss_ge->k1, 0};
	}
}

// In a tree with several netems none may duplicate: copies come in from the top and would be copied again.
static int check_netem_in_tree(Qdisc &sch, bool duplicates, netlink_ext_ack *extack)
{
	TRACE();
	Qdisc &root = qdisc_root_sleeping(sch);
	const auto bad = [&](const Qdisc &other) {
		return &other != &sch && other.ops == &netem_qdisc_ops &&
		       (duplicates || priv(other).duplicate);
	};
	const std::vector<Qdisc *> children = qdisc_hash_list(qdisc_dev(sch));

	if (bad(root) || std::ranges::any_of(children, [&](const Qdisc *q) { return bad(*q); }))
		return nl_refuse(extack, -EINVAL,
		                 "netem: cannot mix duplicating netems with other netems in tree");
	return 0;
}

static int netem_change(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	netem_sched_data &q = priv(sch);
	const auto *tb = tc_option<tc_netem_opt>(opt);
	std::vector<s16> delay_dist, slot_dist;

	if (!tb)
		return -EINVAL;
	if (tb->delay_dist)
		if (const int ret = get_dist_table(delay_dist, *tb->delay_dist))
			return ret;
	if (tb->slot_dist)
		if (const int ret = get_dist_table(slot_dist, *tb->slot_dist))
			return ret;
	if (tb->slot)
		if (const int ret = validate_slot(*tb->slot, extack))
			return ret;

	sch_tree_lock(sch);
	get_loss_clg(q, *tb);
	if (tb->delay_dist)
		q.delay_dist = std::move(delay_dist);
	if (tb->slot_dist)
		q.slot_dist = std::move(slot_dist);
	sch.limit = tb->qopt.limit;
	q.limit = tb->qopt.limit;
	q.gap = tb->qopt.gap;
	q.counter = 0;
	q.loss = tb->qopt.loss;
	q.latency = tb->latency64.value_or(0);
	q.jitter = tb->jitter64.value_or(0);

	const int ret = check_netem_in_tree(sch, tb->qopt.duplicate != 0, extack);

	if (!ret) {
		q.duplicate = tb->qopt.duplicate;
		if (q.gap) // a gap alone means each
			q.reorder = ~0u;
		if (tb->corr)
			get_correlation(q, *tb->corr);
		if (tb->reorder)
			get_reorder(q, *tb->reorder);
		if (tb->corrupt)
			get_corrupt(q, *tb->corrupt);
		if (tb->rate)
			get_rate(q, *tb->rate);
		if (tb->ecn)
			q.ecn = *tb->ecn;
		if (tb->slot)
			get_slot(q, *tb->slot);
	}
	q.jitter = std::min<s64>(std::abs(q.jitter), no_limit);
	sch_tree_unlock(sch);
	return ret;
}

static int netem_init(Qdisc &sch, const tc_options *opt, netlink_ext_ack *extack)
{
	TRACE();
	qdisc_watchdog_init(priv(sch).watchdog, sch);
	return opt ? netem_change(sch, opt, extack) : -EINVAL;
}

static void netem_destroy(Qdisc &sch)
{
	TRACE();
	qdisc_watchdog_cancel(priv(sch).watchdog);
	qdisc_put(priv(sch).qdisc);
}

static void dump_loss_model(const netem_sched_data &q, tc_netem_opt &o)
{
	TRACE();
	const clgstate &c = q.clg;

	if (q.loss_model == CLG_4_STATES)
		o.loss_gi = tc_netem_gimodel{.p13 = c.a1, .p31 = c.a2, .p32 = c.a3, .p14 = c.a4, .p23 = c.a5};
	else if (q.loss_model == CLG_GILB_ELL)
		o.loss_ge = tc_netem_gemodel{.p = c.a1, .r = c.a2, .h = c.a3, .k1 = c.a4};
}

static int netem_dump(Qdisc &sch, tc_options &opt)
{
	TRACE();
	const netem_sched_data &q = priv(sch);
	tc_netem_opt o;

	o.qopt = {.limit = q.limit, .loss = q.loss, .gap = q.gap, .duplicate = q.duplicate};
	o.latency64 = q.latency;
	o.jitter64 = q.jitter;
	o.corr = tc_netem_corr{q.delay_cor.rho, q.loss_cor.rho, q.dup_cor.rho};
	o.reorder = tc_netem_reorder{q.reorder, q.reorder_cor.rho};
	o.corrupt = tc_netem_corrupt{q.corrupt, q.corrupt_cor.rho};
	o.rate = tc_netem_rate{q.rate, q.packet_overhead, q.cell_size, q.cell_overhead};
	if (q.ecn)
		o.ecn = q.ecn;
	dump_loss_model(q, o);
	if (q.slot_config.min_delay | q.slot_config.max_delay | q.slot_config.dist_jitter) {
		o.slot = q.slot_config;
		if (o.slot->max_packets == no_limit)
			o.slot->max_packets = 0;
		if (o.slot->max_bytes == no_limit)
			o.slot->max_bytes = 0;
	}
	opt.of = std::move(o);
	return 0;
}

// --- its one class ---

static int netem_dump_class(Qdisc &sch, unsigned long cl, tc_message &m)
{
	TRACE();
	const netem_sched_data &q = priv(sch);

	if (cl != 1 || !q.qdisc)
		return -ENOENT;
	m.handle |= TC_H_MIN(1);
	m.info = q.qdisc->handle;
	return 0;
}

static int netem_graft(Qdisc &sch, unsigned long, Qdisc *new_qdisc, Qdisc *&old, netlink_ext_ack *)
{
	TRACE();
	old = qdisc_replace(sch, new_qdisc, priv(sch).qdisc);
	return 0;
}

static Qdisc *netem_leaf(Qdisc &sch, unsigned long)
{
	TRACE();
	return priv(sch).qdisc;
}

static unsigned long netem_find(Qdisc &, u32)
{
	TRACE();
	return 1;
}

static void netem_walk(Qdisc &sch, qdisc_walker &walker)
{
	TRACE();
	if (!walker.stop)
		tc_qdisc_stats_dump(sch, 1, walker);
}

static const Qdisc_class_ops netem_class_ops = {
	.graft = netem_graft,
	.leaf = netem_leaf,
	.find = netem_find,
	.walk = netem_walk,
	.dump = netem_dump_class,
};

const Qdisc_ops netem_qdisc_ops = {
	.id = "netem",
	.cl_ops = &netem_class_ops,
	.make_priv = make_qdisc_priv<netem_sched_data>,
	.enqueue = netem_enqueue,
	.dequeue = netem_dequeue,
	.peek = qdisc_peek_dequeued,
	.init = netem_init,
	.reset = netem_reset,
	.destroy = netem_destroy,
	.change = netem_change,
	.dump = netem_dump,
};

} // namespace skbwalk
