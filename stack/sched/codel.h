// SPDX-License-Identifier: GPL-2.0-only
//
// Controlling Queue Delay (include/net/codel.h, codel_impl.h, codel_qdisc.h; RFC 8289). Packets carry the
// time at which they came. When all that leave have waited longer than `target` for as long as `interval`,
// codel_dequeue begins to drop, or to mark: the next drop comes interval / sqrt(count) after the last, until
// a packet has waited less.
//
// Times are of a clock of 1024 ns in 32 bits. A queue gives its own way to take a packet out and to drop one.
#pragma once

#include "stack/core/ecn.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

using codel_time_t = u32;
constexpr int CODEL_SHIFT = 10;
constexpr codel_time_t CODEL_MS2TIME(u64 ms) { return static_cast<u32>((ms * NSEC_PER_MSEC) >> CODEL_SHIFT); }
constexpr bool codel_time_after(codel_time_t a, codel_time_t b) { return static_cast<s32>(a - b) > 0; }
constexpr bool codel_time_before(codel_time_t a, codel_time_t b) { return codel_time_after(b, a); }
constexpr bool codel_time_after_eq(codel_time_t a, codel_time_t b) { return static_cast<s32>(a - b) >= 0; }
constexpr u32 codel_time_to_us(codel_time_t t)
{
	return static_cast<u32>((static_cast<u64>(t) << CODEL_SHIFT) / 1000);
}
constexpr codel_time_t codel_us_to_time(u64 us) { return static_cast<u32>((us * 1000) >> CODEL_SHIFT); }
constexpr codel_time_t CODEL_DISABLED_THRESHOLD = 0x7fffffff; // INT_MAX
constexpr int REC_INV_SQRT_BITS = 16, REC_INV_SQRT_SHIFT = 32 - REC_INV_SQRT_BITS;

struct codel_params {
	codel_time_t target, ce_threshold, interval;
	u32 mtu;
	bool ecn;
};
struct codel_vars {
	u32 count = 0;     // drops since it dropped first
	u32 lastcount = 0; // count when it began to
	bool dropping = false;
	u16 rec_inv_sqrt = 0; // 1 / sqrt(count), as a fraction of 2^16
	codel_time_t first_above_time = 0;
	codel_time_t drop_next = 0;
	codel_time_t ldelay = 0; // how long the last packet waited
};
struct codel_stats {
	u32 maxpacket = 0;
	u32 drop_count = 0, drop_len = 0; // since the parents were told
	u32 ecn_mark = 0, ce_mark = 0;
};
struct codel_skb_cb {
	codel_time_t enqueue_time;
	u32 mem_usage;
};
inline codel_skb_cb &get_codel_cb(const sk_buff &skb) { return qdisc_cb<codel_skb_cb>(skb); }
codel_time_t codel_get_time();
void codel_set_enqueue_time(sk_buff &skb);
codel_time_t codel_get_enqueue_time(const sk_buff &skb);
void codel_params_init(codel_params &params);
void codel_Newton_step(codel_vars &vars);
codel_time_t codel_control_law(codel_time_t t, codel_time_t interval, u32 rec_inv_sqrt);

using codel_skb_drop_t = void (*)(skb_ptr skb, Qdisc &sch);
using codel_skb_dequeue_t = skb_ptr (*)(codel_vars &vars, Qdisc &sch);
skb_ptr codel_dequeue(Qdisc &sch, const u64 &backlog, codel_params &params, codel_vars &vars,
                      codel_stats &stats, codel_skb_drop_t drop_func, codel_skb_dequeue_t dequeue_func);

} // namespace skbwalk
