// SPDX-License-Identifier: GPL-2.0-only
//
// What stands under /sys/class/net/DEV/queues/rx-N and, of a device's own files, those of its polling and its
// statistics (net/core/net-sysfs.c), and the sysctls of packet steering (net/core/sysctl_net_core.c). A table
// that is replaced goes after a grace period. Left out: all other files of a device.
#include <bit>
#include <charconv>
#include <optional>

#include "stack/core/net_namespace.h"
#include "stack/core/net_sysfs.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/rps.h"
#include "stack/kernel/bitmap.h"

namespace skbwalk {

namespace {

// Keeps what was replaced for those who still read it.
struct replaced {
	rcu_head rcu;
	std::shared_ptr<void> what;
};

std::size_t nr_cpus() { return current.host->cpus.size(); }

} // namespace

// not traced: kfree_rcu, a macro in the kernel
void release_after_readers(std::shared_ptr<void> what)
{
	if (!what)
		return;
	auto *const r = new replaced{{}, std::move(what)};

	call_rcu(r->rcu, [](rcu_head *head) { delete reinterpret_cast<replaced *>(head); });
}

std::string show_rps_map(const netdev_rx_queue &queue)
{
	TRACE();
	cpumask mask;

	if (queue.map)
		for (const u16 c : queue.map->cpus)
			cpumask_set_cpu(c, mask);
	return cpumask_text(mask) + '\n';
}

int store_rps_map(netdev_rx_queue &queue, std::string_view text)
{
	TRACE();
	cpumask mask;

	if (const int err = cpumask_parse(text, mask))
		return err;

	auto map = std::make_shared<rps_map>();

	for (u16 i = 0; i < nr_cpus(); ++i)
		if (cpumask_test_cpu(i, mask))
			map->cpus.push_back(i);
	if (map->cpus.empty())
		map.reset();

	const std::shared_ptr<rps_map> old_map = std::exchange(queue.map, map);

	if (map)
		++rps->needed;
	if (old_map)
		--rps->needed;
	release_after_readers(old_map);
	return 0;
}

std::string show_rps_dev_flow_table_cnt(const netdev_rx_queue &queue)
{
	TRACE();
	const rps_dev_flow_table *const table = queue.rps_flow_table.get();

	return std::to_string(table ? u64{table->mask} + 1 : 0) + '\n';
}

int store_rps_dev_flow_table_cnt(netdev_rx_queue &queue, std::string_view text)
{
	TRACE();
	u64 count = 0;

	while (!text.empty() && text.back() == '\n')
		text.remove_suffix(1);
	if (const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), count);
	    err != std::errc{} || end != text.data() + text.size())
		return err == std::errc::result_out_of_range ? -ERANGE : -EINVAL;

	std::shared_ptr<rps_dev_flow_table> table;

	if (count) {
		const u64 mask = std::bit_ceil(count) - 1;

		if (mask > ~u32{0})
			return -EINVAL;
		if (mask >= 1u << 24) // what this machine could hold
			return -ENOMEM;
		table = std::make_shared<rps_dev_flow_table>();
		table->mask = static_cast<u32>(mask);
		table->flows.resize(mask + 1);
	}
	release_after_readers(std::exchange(queue.rps_flow_table, table));
	return 0;
}

static void rx_queue_release(netdev_rx_queue &queue)
{
	TRACE();
	release_after_readers(std::exchange(queue.map, nullptr));
	release_after_readers(std::exchange(queue.rps_flow_table, nullptr));
}

// The folders of queues that are no longer in use go, with what was set there.
void net_rx_queue_update_kobjects(net_device &dev, u32 old_num, u32 new_num)
{
	TRACE(dev);
	while (old_num > new_num)
		rx_queue_release(dev._rx[--old_num]);
}

// --- a transmit queue's files ---

// The cpus, or receive queues, whose map has the queue.
static cpumask xps_queue_show(const net_device &dev, u16 index, xps_map_type type)
{
	TRACE(dev);
	const xps_dev_maps *const dev_maps = xps_maps(dev, type);
	cpumask mask;

	for (std::size_t j = 0; dev_maps && j < dev_maps->attr_map.size(); ++j)
		if (const xps_map *const map = dev_maps->attr_map[j].get())
			for (const u16 queue : map->queues)
				if (queue == index)
					cpumask_set_cpu(static_cast<int>(j), mask);
	return mask;
}

int xps_cpus_show(const net_device &dev, u16 index, std::string &text)
{
	TRACE(dev);
	if (!netif_is_multiqueue(dev))
		return -ENOENT;
	text += cpumask_text(xps_queue_show(dev, index, XPS_CPUS)) + '\n';
	return 0;
}

int xps_cpus_store(net_device &dev, u16 index, std::string_view text)
{
	TRACE(dev);
	cpumask mask;

	if (!netif_is_multiqueue(dev))
		return -ENOENT;
	if (const int err = cpumask_parse(text, mask))
		return err;
	return netif_set_xps_queue(dev, mask, index);
}

int xps_rxqs_show(const net_device &dev, u16 index, std::string &text)
{
	TRACE(dev);
	text += bitmap_text(xps_queue_show(dev, index, XPS_RXQS), dev._rx.size()) + '\n';
	return 0;
}

int xps_rxqs_store(net_device &dev, u16 index, std::string_view text)
{
	TRACE(dev);
	cpumask mask;

	if (const int err = cpumask_parse(text, mask))
		return err;
	if (dev._rx.size() < nr_cpumask_bits && mask.bits >> dev._rx.size())
		return -EOVERFLOW;
	return __netif_set_xps_queue(dev, mask, index, XPS_RXQS);
}

// --- a device's files ---

namespace {

// kstrtoul: decimal, or by its prefix hexadecimal or octal; a newline may follow.
int kstrtoul(std::string_view text, u64 &value)
{
	if (text.ends_with('\n'))
		text.remove_suffix(1);
	int base = 10;

	if (text.starts_with("0x") || text.starts_with("0X")) {
		base = 16;
		text.remove_prefix(2);
	} else if (text.starts_with('0') && text.size() > 1) {
		base = 8;
	}
	const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value, base);

	if (err == std::errc::result_out_of_range)
		return -ERANGE;
	return err == std::errc{} && end == text.data() + text.size() ? 0 : -EINVAL;
}

int change_gro_flush_timeout(net_device &dev, u64 val)
{
	TRACE(dev);
	dev.gro_flush_timeout = val;
	return 0;
}

int change_napi_defer_hard_irqs(net_device &dev, u64 val)
{
	TRACE(dev);
	dev.napi_defer_hard_irqs = static_cast<int>(val);
	return 0;
}

int modify_napi_threaded(net_device &dev, u64 val)
{
	TRACE(dev);
	if (list_empty(dev.napi_list) || val > 1)
		return -EOPNOTSUPP;
	return dev_set_threaded(dev, val != 0);
}

int netdev_store(net_device &dev, std::string_view buf, int (*set)(net_device &, u64))
{
	TRACE(dev);
	u64 value = 0;

	if (const int ret = kstrtoul(buf, value))
		return ret;
	return set(dev, value);
}

} // namespace

int gro_flush_timeout_store(net_device &dev, std::string_view buf)
{
	TRACE(dev);
	return netdev_store(dev, buf, change_gro_flush_timeout);
}

int napi_defer_hard_irqs_store(net_device &dev, std::string_view buf)
{
	TRACE(dev);
	return netdev_store(dev, buf, change_napi_defer_hard_irqs);
}

int threaded_store(net_device &dev, std::string_view buf)
{
	TRACE(dev);
	return netdev_store(dev, buf, modify_napi_threaded);
}

std::optional<u64> netstat_show(net_device &dev, std::string_view name)
{
	TRACE(dev);
	static constexpr std::pair<std::string_view, u64 rtnl_link_stats64::*> known[] = {
		{"rx_packets", &rtnl_link_stats64::rx_packets},
		{"tx_packets", &rtnl_link_stats64::tx_packets},
		{"rx_bytes", &rtnl_link_stats64::rx_bytes},
		{"tx_bytes", &rtnl_link_stats64::tx_bytes},
		{"rx_errors", &rtnl_link_stats64::rx_errors},
		{"tx_errors", &rtnl_link_stats64::tx_errors},
		{"rx_dropped", &rtnl_link_stats64::rx_dropped},
		{"tx_dropped", &rtnl_link_stats64::tx_dropped},
		{"multicast", &rtnl_link_stats64::multicast},
		{"rx_nohandler", &rtnl_link_stats64::rx_nohandler}};

	for (const auto &[file, member] : known)
		if (name == file)
			return dev_get_stats(dev).*member;
	return {};
}

// --- sysctls ---

u32 rps_sock_flow_entries() { return rps->sock_flow_table ? rps->sock_flow_table->mask + 1 : 0; }

int rps_sock_flow_sysctl(long entries)
{
	TRACE();
	const u32 orig_size = rps_sock_flow_entries();

	if (entries < 0 || entries > 1L << 29)
		return -EINVAL;
	if (entries > 1L << 24)
		return -ENOMEM;
	if (!entries) {
		if (orig_size) {
			--rps->needed;
			--rps->rfs_needed;
		}
		release_after_readers(std::exchange(rps->sock_flow_table, nullptr));
		return 0;
	}

	const u32 size = std::bit_ceil(static_cast<u32>(entries));

	if (size != orig_size) {
		auto table = std::make_shared<rps_sock_flow_table>();

		rps->cpu_mask = static_cast<u32>(std::bit_ceil(nr_cpus())) - 1;
		table->mask = size - 1;
		table->ents.resize(size);
		if (!orig_size) {
			++rps->needed;
			++rps->rfs_needed;
		}
		release_after_readers(std::exchange(rps->sock_flow_table, table));
	}
	for (u32 &ent : rps->sock_flow_table->ents)
		ent = RPS_NO_CPU;
	return 0;
}

// not traced: the text of a file
std::string flow_limit_cpu_bitmap()
{
	cpumask mask;

	for (const auto &c : current.host->cpus)
		if (softnet.of(*c).flow_limit)
			cpumask_set_cpu(c->id, mask);
	return cpumask_text(mask);
}

int flow_limit_cpu_sysctl(std::string_view text)
{
	TRACE();
	cpumask mask;

	if (const int err = cpumask_parse(text, mask))
		return err;
	for (const auto &c : current.host->cpus) {
		std::shared_ptr<sd_flow_limit> &limit = softnet.of(*c).flow_limit;
		const bool wanted = cpumask_test_cpu(c->id, mask);

		if (limit && !wanted) {
			release_after_readers(std::exchange(limit, nullptr));
		} else if (!limit && wanted) {
			limit = std::make_shared<sd_flow_limit>();
			limit->buckets.resize(static_cast<std::size_t>(rps->flow_limit_table_len));
		}
	}
	return 0;
}

} // namespace skbwalk
