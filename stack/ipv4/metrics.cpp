// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/metrics.c: the metrics of a route as `ip route add ... mtu N` gave them, checked and cut to what
// fits. A route without any has none of its own (null): all read as zero. Left out: congestion control by
// route.
#include "stack/ipv4/ip_fib.h"

#include <algorithm>

namespace skbwalk {

constexpr u32 RTAX_FEATURE_MASK = 0xf;

static int ip_metrics_convert(const std::array<u32, RTAX_MAX> &fc_mx, std::array<u32, RTAX_MAX> &metrics,
                              netlink_ext_ack *extack)
{
	TRACE();
	for (int type = 1; type <= RTAX_MAX; ++type) {
		const auto i = static_cast<std::size_t>(type - 1);
		u32 val = fc_mx[i];

		if (type == RTAX_ADVMSS)
			val = std::min(val, 65535u - 40);
		if (type == RTAX_MTU)
			val = std::min(val, 65535u - 15);
		if (type == RTAX_HOPLIMIT)
			val = std::min(val, 255u);
		if ((type == RTAX_FEATURES && (val & ~RTAX_FEATURE_MASK)) || (type == RTAX_CC_ALGO && val)) {
			if (extack)
				extack->msg =
					type == RTAX_FEATURES
						? "Unknown flag set in feature mask in metrics attribute"
						: "Unknown tcp congestion algorithm";
			return -EINVAL;
		}
		metrics[i] = val;
	}
	return 0;
}

dst_metrics *ip_fib_metrics_init(const std::array<u32, RTAX_MAX> *fc_mx, int &err, netlink_ext_ack *extack)
{
	TRACE();
	err = 0;
	if (!fc_mx)
		return nullptr;
	void *p = kmalloc_trace(sizeof(dst_metrics), GFP_KERNEL);
	if (!p) {
		err = -ENOMEM;
		return nullptr;
	}
	auto *fib_metrics = ::new (p) dst_metrics;
	err = ip_metrics_convert(*fc_mx, fib_metrics->metrics, extack);
	if (err) {
		kfree(fib_metrics);
		return nullptr;
	}
	return fib_metrics;
}

void ip_fib_metrics_put(dst_metrics *fib_metrics)
{
	TRACE_INLINE();
	if (fib_metrics && refcount_dec_and_test(fib_metrics->refcnt))
		kfree(fib_metrics);
}

} // namespace skbwalk
