// SPDX-License-Identifier: GPL-2.0-only
//
// Receive packet steering (net/core/dev.c, net-sysfs.c, sysctl_net_core.c): which cpu processes a packet. A
// receive queue has a map of cpus, among which a flow's hash chooses (RPS); or a table of flows, which follow
// the cpu where their socket was last read (RFS). The packet goes to that cpu's backlog, and an interrupt
// tells the cpu. All of a host's queues share the table of sockets' flows.
//
//   skb -> hash -> [rps_sock_flow_table: where is it read?] -> [rps_dev_flow_table: may it move now?]
//               -> [rps_map] -> cpu -> its input_pkt_queue -> IPI -> rps_trigger_softirq
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/core/netdevice.h"

namespace skbwalk {

constexpr u16 RPS_NO_CPU = 0xffff;

struct rps_map {
	std::vector<u16> cpus;
};
struct rps_dev_flow {
	u16 cpu = RPS_NO_CPU;
	u32 last_qtail = 0; // of that cpu's queue when a packet of this flow was last put there
};
struct rps_dev_flow_table {
	u32 mask = 0;
	std::vector<rps_dev_flow> flows;
};
// An entry: the high bits of a flow's hash and, below rps_cpu_mask, the cpu where its socket was last read.
struct rps_sock_flow_table {
	u32 mask = 0;
	std::vector<u32> ents;
};
struct rps_of_host {
	std::shared_ptr<rps_sock_flow_table> sock_flow_table;
	u32 cpu_mask = 0;
	int needed = 0; // the static keys rps_needed and rfs_needed
	int rfs_needed = 0;
	int flow_limit_table_len = 1 << 12;
};
extern perhost<rps_of_host> rps;

// A cpu's own memory of which flows filled its backlog last: a flow with more than half of that history is
// limited when the backlog is half full.
constexpr u32 FLOW_LIMIT_HISTORY = 1 << 7;
struct sd_flow_limit {
	u32 count = 0;
	u32 history_head = 0;
	u16 history[FLOW_LIMIT_HISTORY] = {};
	std::vector<u8> buckets;
};

// -1: where it is. `rflow` is left alone or points to the flow's entry.
int get_rps_cpu(net_device &dev, sk_buff &skb, rps_dev_flow *&rflow);
int enqueue_to_backlog(skb_ptr skb, int cpu, u32 &qtail);
bool skb_flow_limit(sk_buff &skb, u32 qlen);
void rps_trigger_softirq(void *data);
void trigger_rx_softirq(void *data);
// With interrupts disabled; enables them.
void net_rps_action_and_irq_enable(softnet_data &sd);
inline bool sd_has_rps_ipi_waiting(const softnet_data &sd) { return sd.rps_ipi_list; }
void rps_record_sock_flow(rps_sock_flow_table *table, u32 hash);

// /sys/class/net/DEV/queues/rx-N/rps_cpus and rps_flow_cnt, net.core.rps_sock_flow_entries,
// net.core.flow_limit_cpu_bitmap. What is written is text; 0 or -errno.
std::string show_rps_map(const netdev_rx_queue &queue);
int store_rps_map(netdev_rx_queue &queue, std::string_view text);
std::string show_rps_dev_flow_table_cnt(const netdev_rx_queue &queue);
int store_rps_dev_flow_table_cnt(netdev_rx_queue &queue, std::string_view text);
u32 rps_sock_flow_entries();
int rps_sock_flow_sysctl(long entries);
std::string flow_limit_cpu_bitmap();
int flow_limit_cpu_sysctl(std::string_view text);

// /proc/net/softnet_stat of the current host: a line a cpu.
std::string softnet_stat();

} // namespace skbwalk
