// SPDX-License-Identifier: GPL-2.0-only
//
// Receive packet steering (net/core/dev.c): get_rps_cpu chooses a cpu, enqueue_to_backlog (dev_napi.cpp) puts
// the packet into its backlog and the cpu on this one's list of those to be told; at the end of
// net_rx_action, or before the next backlog is polled, each gets its interrupt
// (net_rps_action_and_irq_enable), whose handler schedules the backlog there (rps_trigger_softirq). Left out:
// hardware that steers by itself (CONFIG_RFS_ACCEL).
#include "stack/core/rps.h"

#include "stack/core/flow_dissector.h"
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/kernel/random.h"

namespace skbwalk {

perhost<rps_of_host> rps;

static rps_dev_flow &set_rps_cpu(net_device &dev, const sk_buff &skb, rps_dev_flow &rflow, u16 next_cpu)
{
	TRACE(skb, dev);
	if (next_cpu < current.host->cpus.size())
		rflow.last_qtail = softnet.of(*current.host->cpus[next_cpu]).input_queue_head;
	rflow.cpu = next_cpu;
	return rflow;
}

int get_rps_cpu(net_device &dev, sk_buff &skb, rps_dev_flow *&rflowp)
{
	TRACE(skb, dev);
	const std::size_t nr_cpus = current.host->cpus.size();
	std::size_t index = 0;

	if (skb.queue_mapping) { // recorded by the driver, plus one
		index = skb.queue_mapping - 1u;
		if (index >= dev.num_rx_queues)
			return -1;
	}

	const netdev_rx_queue &rxqueue = dev._rx[index];
	rps_dev_flow_table *const flow_table = rxqueue.rps_flow_table.get();
	const rps_map *const map = rxqueue.map.get();

	if (!flow_table && !map)
		return -1;
	skb_reset_network_header(skb);

	const u32 hash = skb_get_hash(skb);

	if (!hash)
		return -1;

	const rps_sock_flow_table *const sock_flow_table = rps->sock_flow_table.get();

	if (flow_table && sock_flow_table) {
		const u32 ident = sock_flow_table->ents[hash & sock_flow_table->mask];

		if (!((ident ^ hash) & ~rps->cpu_mask)) {
			const auto next_cpu = static_cast<u16>(ident & rps->cpu_mask);
			rps_dev_flow *rflow = &flow_table->flows[hash & flow_table->mask];
			u32 tcpu = rflow->cpu;

			// It moves when all that it has in the former cpu's queue is gone: packets stay in
			// order.
			if (tcpu != next_cpu &&
			    (tcpu >= nr_cpus ||
			     static_cast<s32>(softnet.of(*current.host->cpus[tcpu]).input_queue_head -
			                      rflow->last_qtail) >= 0)) {
				tcpu = next_cpu;
				rflow = &set_rps_cpu(dev, skb, *rflow, next_cpu);
			}
			if (tcpu < nr_cpus) {
				rflowp = rflow;
				return static_cast<int>(tcpu);
			}
		}
	}
	if (map)
		return map->cpus[reciprocal_scale(hash, static_cast<u32>(map->cpus.size()))];
	return -1;
}

bool skb_flow_limit(sk_buff &skb, u32 qlen)
{
	TRACE(skb);
	if (qlen < static_cast<u32>(net_core->netdev_max_backlog) >> 1)
		return false;

	sd_flow_limit *const fl = softnet->flow_limit.get();

	if (!fl)
		return false;

	const u32 new_flow = skb_get_hash(skb) & (static_cast<u32>(fl->buckets.size()) - 1);
	const u32 old_flow = std::exchange(fl->history[fl->history_head], static_cast<u16>(new_flow));

	fl->history_head = (fl->history_head + 1) & (FLOW_LIMIT_HISTORY - 1);
	if (fl->buckets[old_flow])
		--fl->buckets[old_flow];
	if (++fl->buckets[new_flow] > FLOW_LIMIT_HISTORY >> 1) {
		++fl->count;
		return true;
	}
	return false;
}

// In the interrupt that another cpu sent.
void rps_trigger_softirq(void *data)
{
	TRACE();
	softnet_data &sd = *static_cast<softnet_data *>(data);

	____napi_schedule(sd, sd.backlog);
	++sd.received_rps;
}

void trigger_rx_softirq(void *data)
{
	TRACE();
	__raise_softirq_irqoff(NET_RX_SOFTIRQ);
	static_cast<softnet_data *>(data)->defer_ipi_scheduled = false;
}

static void net_rps_send_ipi(softnet_data *remsd)
{
	TRACE();
	while (remsd) {
		softnet_data *const next = remsd->rps_ipi_next;

		smp_call_function_single_async(remsd->cpu, remsd->csd);
		remsd = next;
	}
}

void net_rps_action_and_irq_enable(softnet_data &sd)
{
	TRACE();
	softnet_data *const remsd = sd.rps_ipi_list;

	if (!remsd) {
		local_irq_enable();
		return;
	}
	sd.rps_ipi_list = nullptr;
	local_irq_enable();
	net_rps_send_ipi(remsd);
}

void rps_record_sock_flow(rps_sock_flow_table *table, u32 hash)
{
	TRACE_INLINE();
	if (!table || !hash)
		return;

	const u32 val = (hash & ~rps->cpu_mask) | static_cast<u32>(smp_processor_id());
	u32 &ent = table->ents[hash & table->mask];

	if (ent != val)
		ent = val;
}

static void sock_rps_record_flow_hash(u32 hash)
{
	TRACE_INLINE();
	rcu_read_lock();
	rps_record_sock_flow(rps->sock_flow_table.get(), hash);
	rcu_read_unlock();
}

// not traced: a static key that is off
void sock_rps_record_flow(const sock &sk)
{
	if (rps->rfs_needed && sk.sk_state == TCP_ESTABLISHED)
		sock_rps_record_flow_hash(sk.sk_rxhash);
}

} // namespace skbwalk
