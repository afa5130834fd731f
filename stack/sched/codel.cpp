// SPDX-License-Identifier: GPL-2.0-only
//
// CoDel's control law (include/net/codel_impl.h); codel.h says what it does. Left out: marking only some
// classes of traffic at ce_threshold.
#include "stack/sched/codel.h"

#include "stack/kernel/random.h"

namespace skbwalk {

codel_time_t codel_get_time()
{
	TRACE_INLINE();
	return static_cast<u32>(ktime_get_ns() >> CODEL_SHIFT);
}

void codel_set_enqueue_time(sk_buff &skb)
{
	TRACE_INLINE(skb);
	get_codel_cb(skb).enqueue_time = codel_get_time();
}

codel_time_t codel_get_enqueue_time(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return get_codel_cb(skb).enqueue_time;
}

void codel_params_init(codel_params &params)
{
	TRACE_INLINE();
	params = {.target = CODEL_MS2TIME(5),
	          .ce_threshold = CODEL_DISABLED_THRESHOLD,
	          .interval = CODEL_MS2TIME(100),
	          .mtu = 0,
	          .ecn = false};
}

// x' = x / 2 * (3 - count * x^2) nears 1 / sqrt(count), in fixed point.
void codel_Newton_step(codel_vars &vars)
{
	TRACE_INLINE();
	const u64 invsqrt = static_cast<u32>(vars.rec_inv_sqrt) << REC_INV_SQRT_SHIFT;
	const u64 invsqrt2 = (invsqrt * invsqrt) >> 32;
	u64 val = (u64{3} << 32) - vars.count * invsqrt2;

	val >>= 2; // or the product would not fit
	val = (val * invsqrt) >> (32 - 2 + 1);
	vars.rec_inv_sqrt = static_cast<u16>(val >> REC_INV_SQRT_SHIFT);
}

codel_time_t codel_control_law(codel_time_t t, codel_time_t interval, u32 rec_inv_sqrt)
{
	TRACE_INLINE();
	return t + reciprocal_scale(interval, rec_inv_sqrt << REC_INV_SQRT_SHIFT);
}

static bool codel_should_drop(const sk_buff *skb, codel_vars &vars, const codel_params &params,
                              codel_stats &stats, u64 backlog, codel_time_t now)
{
	TRACE_INLINE(skb);
	if (!skb) {
		vars.first_above_time = 0;
		return false;
	}
	vars.ldelay = now - codel_get_enqueue_time(*skb);
	stats.maxpacket = std::max(stats.maxpacket, qdisc_pkt_len(*skb));
	if (codel_time_before(vars.ldelay, params.target) || backlog <= params.mtu) {
		vars.first_above_time = 0;
		return false;
	}
	if (!vars.first_above_time) {
		vars.first_above_time = now + params.interval;
		return false;
	}
	return codel_time_after(now, vars.first_above_time);
}

skb_ptr codel_dequeue(Qdisc &sch, const u64 &backlog, codel_params &params, codel_vars &vars,
                      codel_stats &stats, codel_skb_drop_t drop_func, codel_skb_dequeue_t dequeue_func)
{
	TRACE_INLINE();
	skb_ptr skb = dequeue_func(vars, sch);

	if (!skb) {
		vars.first_above_time = 0;
		vars.dropping = false;
		return nullptr;
	}

	const codel_time_t now = codel_get_time();
	const auto should_drop = [&] {
		return codel_should_drop(skb.get(), vars, params, stats, backlog, now);
	};
	const auto schedule = [&](codel_time_t from) {
		vars.drop_next = codel_control_law(from, params.interval, vars.rec_inv_sqrt);
	};
	const auto mark = [&] {
		if (!params.ecn || !INET_ECN_set_ce(*skb))
			return false;
		++stats.ecn_mark;
		return true;
	};
	const auto drop_and_take_next = [&] {
		stats.drop_len += qdisc_pkt_len(*skb);
		drop_func(std::move(skb), sch);
		++stats.drop_count;
		skb = dequeue_func(vars, sch);
	};
	const bool drop = should_drop();

	if (vars.dropping) {
		if (!drop)
			vars.dropping = false;
		// Each round drops one; with a great backlog the next can be due at once.
		while (vars.dropping && codel_time_after_eq(now, vars.drop_next)) {
			++vars.count;
			codel_Newton_step(vars);
			if (mark()) {
				schedule(vars.drop_next);
				break;
			}
			drop_and_take_next();
			if (should_drop())
				schedule(vars.drop_next);
			else
				vars.dropping = false;
		}
	} else if (drop) {
		if (!mark()) {
			drop_and_take_next();
			should_drop();
		}
		vars.dropping = true;

		// Not long since it last dropped: the rate of then is where to begin.
		const u32 delta = vars.count - vars.lastcount;

		if (delta > 1 && codel_time_before(now - vars.drop_next, 16 * params.interval)) {
			vars.count = delta;
			codel_Newton_step(vars);
		} else {
			vars.count = 1;
			vars.rec_inv_sqrt = 0xffff;
		}
		vars.lastcount = vars.count;
		schedule(now);
	}
	if (skb && codel_time_after(vars.ldelay, params.ce_threshold) && INET_ECN_set_ce(*skb))
		++stats.ce_mark;
	return skb;
}

} // namespace skbwalk
