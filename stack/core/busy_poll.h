// SPDX-License-Identifier: GPL-2.0-only
//
// Busy polling (include/net/busy_poll.h): a task that waits for data polls the receive queue that its
// socket's last packet came through, instead of sleeping until an interrupt.
#pragma once

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/core/sysctl_net_core.h"

namespace skbwalk {

constexpr u32 NR_CPUS = 8192;
constexpr u32 MIN_NAPI_ID = NR_CPUS + 1; // smaller ones are cpus
constexpr u16 BUSY_POLL_BUDGET = 8;
constexpr u32 POLL_BUSY_LOOP = 0x8000; // in poll(): asks a socket to poll its device; its answer: it can

using busy_loop_end = bool (*)(void *p, u64 start_time);
void napi_busy_loop(u32 napi_id, busy_loop_end loop_end, void *loop_end_arg, bool prefer_busy_poll,
                    u16 budget);
bool sk_busy_loop_end(void *p, u64 start_time);

inline u64 busy_loop_current_time() { return ktime_get_ns() >> 10; }
inline bool net_busy_loop_on() { return net_core->sysctl_net_busy_poll != 0; }
inline bool busy_loop_timeout(u64 start_time)
{
	const auto bp_usec = static_cast<u64>(net_core->sysctl_net_busy_poll);

	return !bp_usec || busy_loop_current_time() > start_time + bp_usec;
}
inline bool sk_busy_loop_timeout(const sock &sk, u64 start_time)
{
	return !sk.sk_ll_usec || busy_loop_current_time() > start_time + sk.sk_ll_usec;
}
inline bool sk_can_busy_loop(const sock &sk) { return sk.sk_ll_usec && !signal_pending(*current.task); }
void sk_busy_loop(sock &sk, bool nonblock); // header inline

napi_struct *napi_by_id(u32 napi_id); // null: it is gone

// In a driver's receive path.
inline void skb_mark_napi_id(sk_buff &skb, const napi_struct &napi)
{
	if (skb.napi_id < MIN_NAPI_ID)
		skb.napi_id = napi.napi_id;
}

} // namespace skbwalk
