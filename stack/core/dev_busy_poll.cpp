// SPDX-License-Identifier: GPL-2.0-only
//
// Busy polling (net/core/dev.c, include/net/busy_poll.h): a reader that finds nothing polls the receive queue
// of its socket's packets itself (sk_busy_loop), for as long as SO_BUSY_POLL or net.core.busy_read says,
// until something is there. While it polls, the queue is its own (IN_BUSY_POLL, SCHED); at the end one more
// poll lets the device's interrupt on again (busy_poll_stop). A poll() that polls is in stack/select.cpp.
#include "stack/core/busy_poll.h"

#include "stack/core/gro.h"
#include "stack/core/net_namespace.h"
#include "stack/core/snmp.h"

namespace skbwalk {

namespace {

// What a round costs that finds nothing: time goes by in the loop, too.
constexpr u32 round_cost_ns = 250;

} // namespace

void sk_busy_loop(sock &sk, bool nonblock)
{
	TRACE_INLINE(sk);
	if (sk.sk_napi_id >= MIN_NAPI_ID)
		napi_busy_loop(sk.sk_napi_id, nonblock ? nullptr : sk_busy_loop_end, &sk,
		               sk.sk_prefer_busy_poll,
		               sk.sk_busy_poll_budget ? sk.sk_busy_poll_budget : BUSY_POLL_BUDGET);
}

// Unlike the kernel, packets that a reader of UDP has peeked at are not looked for.
bool sk_busy_loop_end(void *p, u64 start_time)
{
	TRACE();
	const sock &sk = *static_cast<const sock *>(p);

	return !skb_queue_empty_lockless(sk.sk_receive_queue) || sk_busy_loop_timeout(sk, start_time);
}

static void __busy_poll_stop(napi_struct &napi, bool skip_schedule)
{
	TRACE(napi.dev);
	if (!skip_schedule) {
		gro_normal_list(napi);
		__napi_schedule(napi);
		return;
	}
	if (napi.gro_bitmask)
		napi_gro_flush(napi, HZ >= 1000);
	gro_normal_list(napi);
	napi.state &= ~NAPI_STATE_SCHED;
}

static void busy_poll_stop(napi_struct &napi, bool prefer_busy_poll, u16 budget)
{
	TRACE(napi.dev);
	bool skip_schedule = false;

	napi.state &= ~(NAPI_STATE_MISSED | NAPI_STATE_IN_BUSY_POLL);
	local_bh_disable();
	if (prefer_busy_poll) {
		const u64 timeout = napi.dev->gro_flush_timeout;

		napi.defer_hard_irqs_count = napi.dev->napi_defer_hard_irqs;
		if (napi.defer_hard_irqs_count && timeout) {
			hrtimer_start(napi.timer, static_cast<ktime_t>(timeout), HRTIMER_MODE_REL_PINNED);
			skip_schedule = true;
		}
	}
	// Polled once more, a driver with nothing left lets its interrupt on.
	if (napi.poll(napi, budget) == budget)
		__busy_poll_stop(napi, skip_schedule);
	local_bh_enable();
}

// Without `loop_end` one round. `prefer_busy_poll` says that the softirq should leave the queue to us.
void napi_busy_loop(u32 napi_id, busy_loop_end loop_end, void *loop_end_arg, bool prefer_busy_poll,
                    u16 budget)
{
	TRACE();
	const u64 start_time = loop_end ? busy_loop_current_time() : 0;

	for (bool restart = true; restart;) {
		bool owner = false;

		restart = false;
		rcu_read_lock();

		napi_struct *napi = napi_by_id(napi_id);

		if (!napi) {
			rcu_read_unlock();
			return;
		}
		for (;;) {
			int work = 0;

			local_bh_disable();
			charge(round_cost_ns);
			if (!owner && (napi->state &
			               (NAPI_STATE_DISABLE | NAPI_STATE_SCHED | NAPI_STATE_IN_BUSY_POLL))) {
				if (prefer_busy_poll)
					napi->state |= NAPI_STATE_PREFER_BUSY_POLL;
			} else {
				owner = true;
				napi->state |= NAPI_STATE_IN_BUSY_POLL | NAPI_STATE_SCHED;
				work = napi->poll(*napi, budget);
				gro_normal_list(*napi);
			}
			if (work > 0)
				NET_ADD_STATS(dev_net(*napi->dev), LINUX_MIB_BUSYPOLLRXPACKETS,
				              static_cast<u64>(work));
			local_bh_enable();
			if (!loop_end || loop_end(loop_end_arg, start_time))
				break;
			if (current.cpu->need_resched) {
				restart = true;
				break;
			}
		}
		if (owner)
			busy_poll_stop(*napi, prefer_busy_poll, budget);
		rcu_read_unlock();
		if (restart) {
			cond_resched();
			if (loop_end(loop_end_arg, start_time))
				return;
		}
	}
}

} // namespace skbwalk
