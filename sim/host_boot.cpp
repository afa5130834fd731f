// SPDX-License-Identifier: GPL-2.0-only
//
// The sequence is the kernel's: core_initcall (sockets), subsys_initcall (devices), fs_initcall (IPv4),
// device_initcall (drivers). Nothing of it is recorded: a world starts its recorder later.
#include "sim/host_boot.h"

#include <cassert>

#include <fmt/format.h>

#include "stack/bridge/br_netfilter.h"
#include "stack/core/dst.h"
#include "stack/core/neighbour.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/skbuff.h"
#include "stack/core/sock.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/ipv6/ipv6.h"
#include "stack/kernel/softirq.h"
#include "stack/netfilter/nf_log.h"
#include "stack/sched/sch_generic.h"
#include "stack/security/security.h"

namespace skbwalk::sim {

namespace {

// An orphan in FIN_WAIT2 stays for 3.5 of its RTOs. One that tcp_init_metrics gave is not held below
// TCP_RTO_MAX: three times an RTT, which as a u32 of eighths of microseconds is 537 s at the most. That makes
// 5,638 s; the rest is for what comes before, a FIN's retransmissions.
constexpr u64 orphans_wait_ns = 7200 * NSEC_PER_SEC;
// Of each cpu: the sockets that send resets and ICMP messages.
constexpr std::size_t control_sockets = 2;

} // namespace

void boot(host &h, const std::vector<std::string> &lsm)
{
	const enter_cpu in(*h.cpus[0]);
	[[maybe_unused]] const bool known = security_init(lsm);

	assert(known && "whoever reads a scenario has looked");

	sock_init();
	net_dev_init();
	pktsched_init();
	inet_init();
	inet6_init();
	netfilter_log_init();
	provide_netfilter_modules();
	provide_bridge_modules();
	security_initcalls();
	[[maybe_unused]] const int err = sch_default_qdisc();

	assert(!err);
}

std::vector<std::string> shut_down(host &h, const std::function<void(u64)> &wait)
{
	std::vector<std::string> left;
	const auto count = [&left](const char *what, u32 n) {
		if (n)
			left.push_back(fmt::format("{} {}", what, n));
	};

	for (u64 waited = 0; waited < orphans_wait_ns; waited += NSEC_PER_SEC) {
		if (live_socks(h) <= control_sockets * h.cpus.size())
			break;
		wait(NSEC_PER_SEC);
	}
	{
		const enter_cpu in(*h.cpus[0]);
		inet_exit();
		end_namespaces();
		security_exit();
	}
	rcu_process_callbacks(h);
	count("sockets", live_socks(h));
	count("dsts", live_dsts(h));
	count("neighbours", live_neighbours(h));
	count("devices", live_netdevs(h));
	return left;
}

trace::object_ids trace_ids()
{
	const auto offset_of = []<class T>(u32 T::*member) {
		alignas(T) static char probe[sizeof(T)];
		const auto *in = reinterpret_cast<const T *>(probe);

		return static_cast<u32>(reinterpret_cast<const char *>(&(in->*member)) - probe);
	};

	return {.skb = offset_of(&sk_buff::trace_id),
	        .sk = offset_of(&sock::trace_id),
	        .dev = offset_of(&net_device::trace_id)};
}

} // namespace skbwalk::sim
