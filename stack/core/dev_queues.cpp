// SPDX-License-Identifier: GPL-2.0-only
//
// The queues of a device (net/core/dev.c): how many of them are in use (netif_set_real_num_tx_queues,
// netif_set_real_num_rx_queues) and which cpus send by which of them (netif_set_xps_queue). A change makes
// new maps beside the old: expand_xps_map puts the queue in, xps_copy_dev_maps takes over what stays,
// remove_xps_queue takes the queue from who no longer has it; readers keep the old ones for a grace period.
// Who picks a queue is in dev_xmit.cpp. Left out: traffic classes, subordinate devices, NUMA nodes.
#include "stack/core/netdev_queues.h"

#include <algorithm>

#include "stack/core/net_sysfs.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

perhost<xps_of_host> xps;

namespace {

bool has_queue(const xps_map &map, u16 index)
{
	return std::ranges::find(map.queues, index) != map.queues.end();
}

} // namespace

// not traced: a member of net_device in the kernel
xps_dev_maps *xps_maps(const net_device &dev, xps_map_type type)
{
	const auto at = xps->maps.find(&dev);

	return at == xps->maps.end() ? nullptr : at->second[type].get();
}

// Takes the queue from the map of `tci`; false: nothing is left there. An empty map goes, from `old_maps`
// too.
static bool remove_xps_queue(xps_dev_maps &dev_maps, xps_dev_maps *old_maps, std::size_t tci, u16 index)
{
	TRACE();
	const std::shared_ptr<xps_map> map = dev_maps.attr_map[tci];

	if (!map)
		return false;
	for (std::size_t pos = map->queues.size(); pos--;) {
		if (map->queues[pos] != index)
			continue;
		if (map->queues.size() > 1) {
			map->queues[pos] = map->queues.back();
			map->queues.pop_back();
			break;
		}
		if (old_maps)
			old_maps->attr_map[tci] = nullptr;
		dev_maps.attr_map[tci] = nullptr;
		release_after_readers(map);
		return false;
	}
	return true;
}

// True: something is left.
static bool remove_xps_queue_cpu(xps_dev_maps &dev_maps, std::size_t cpu, u16 offset, u16 count)
{
	TRACE();
	for (u16 i = 0; i < count; ++i)
		if (!remove_xps_queue(dev_maps, nullptr, cpu, static_cast<u16>(offset + i)))
			return false;
	return true;
}

static void reset_xps_maps(net_device &dev, xps_map_type type)
{
	TRACE(dev);
	--xps->needed;
	if (type == XPS_RXQS)
		--xps->rxqs_needed;
	auto &maps = xps->maps[&dev];

	release_after_readers(std::exchange(maps[type], nullptr));
	if (!maps[XPS_CPUS] && !maps[XPS_RXQS])
		xps->maps.erase(&dev);
}

static void clean_xps_maps(net_device &dev, xps_map_type type, u16 offset, u16 count)
{
	TRACE(dev);
	xps_dev_maps *const dev_maps = xps_maps(dev, type);
	bool active = false;

	if (!dev_maps)
		return;
	for (std::size_t j = 0; j < dev_maps->attr_map.size(); ++j)
		active |= remove_xps_queue_cpu(*dev_maps, j, offset, count);
	if (!active)
		reset_xps_maps(dev, type);
}

static void netif_reset_xps_queues(net_device &dev, u16 offset, u16 count)
{
	TRACE(dev);
	if (xps->rxqs_needed)
		clean_xps_maps(dev, XPS_RXQS, offset, count);
	clean_xps_maps(dev, XPS_CPUS, offset, count);
}

void netif_reset_xps_queues_gt(net_device &dev, u16 index)
{
	TRACE(dev);
	if (xps->needed) // asked by who calls, where the compiler moved it
		netif_reset_xps_queues(dev, index, static_cast<u16>(dev._tx.size() - index));
}

// The map itself, if the queue is in it or has room; else another with room.
static std::shared_ptr<xps_map> expand_xps_map(const std::shared_ptr<xps_map> &map, u16 index)
{
	TRACE();
	if (map && (has_queue(*map, index) || map->queues.size() < map->alloc_len))
		return map;

	auto new_map = std::make_shared<xps_map>();

	if (map)
		new_map->alloc_len = 2 * map->alloc_len;
	new_map->queues.reserve(new_map->alloc_len); // a reader's queues stay where they are
	if (map)
		new_map->queues = map->queues;
	return new_map;
}

static void xps_copy_dev_maps(const xps_dev_maps &dev_maps, xps_dev_maps &new_dev_maps, std::size_t index,
                              bool skip_tc)
{
	TRACE();
	if (!skip_tc)
		new_dev_maps.attr_map[index] = dev_maps.attr_map[index];
}

int __netif_set_xps_queue(net_device &dev, cpumask mask, u16 index, xps_map_type type)
{
	TRACE(dev);
	const std::size_t nr_ids = type == XPS_RXQS ? dev._rx.size() : current.host->cpus.size();
	const cpumask wanted = type == XPS_RXQS ? mask : mask & cpu_online_mask();
	const auto is_wanted = [wanted](std::size_t j) {
		return cpumask_test_cpu(static_cast<int>(j), wanted);
	};
	const auto had = xps->maps.find(&dev);
	const std::shared_ptr<xps_dev_maps> dev_maps = had == xps->maps.end() ? nullptr : had->second[type];
	std::shared_ptr<xps_dev_maps> new_dev_maps;
	bool active = false;

	for (std::size_t j = 0; j < nr_ids; ++j) {
		if (!is_wanted(j))
			continue;
		if (!new_dev_maps) {
			new_dev_maps = std::make_shared<xps_dev_maps>();
			new_dev_maps->attr_map.resize(nr_ids);
		}
		new_dev_maps->attr_map[j] = expand_xps_map(dev_maps ? dev_maps->attr_map[j] : nullptr, index);
	}

	if (new_dev_maps) {
		if (!dev_maps) {
			++xps->needed;
			if (type == XPS_RXQS)
				++xps->rxqs_needed;
		}
		for (std::size_t j = 0; j < nr_ids; ++j) {
			if (is_wanted(j))
				if (xps_map &map = *new_dev_maps->attr_map[j]; !has_queue(map, index))
					map.queues.push_back(index);
			if (dev_maps)
				xps_copy_dev_maps(*dev_maps, *new_dev_maps, j, is_wanted(j));
		}
		xps->maps[&dev][type] = new_dev_maps;
		for (std::size_t j = 0; dev_maps && j < nr_ids; ++j)
			if (dev_maps->attr_map[j] != new_dev_maps->attr_map[j])
				release_after_readers(std::exchange(dev_maps->attr_map[j], nullptr));
		active = true;
	} else if (!dev_maps) {
		return 0;
	}

	for (std::size_t j = 0; j < nr_ids; ++j)
		if (!is_wanted(j))
			active |= remove_xps_queue(*xps_maps(dev, type),
			                           new_dev_maps ? dev_maps.get() : nullptr, j, index);
	if (new_dev_maps)
		release_after_readers(dev_maps);
	if (!active)
		reset_xps_maps(dev, type);
	return 0;
}

int netif_set_xps_queue(net_device &dev, cpumask mask, u16 index)
{
	TRACE(dev);
	return __netif_set_xps_queue(dev, mask, index, XPS_CPUS);
}

// --- how many ---

static void qdisc_reset_all_tx_gt(net_device &dev, u32 i)
{
	TRACE_INLINE(dev);
	for (; i < dev._tx.size(); ++i) {
		Qdisc *const qdisc = dev._tx[i]->qdisc;

		if (!qdisc)
			continue;
		spin_lock_bh(qdisc_lock(*qdisc));
		qdisc_reset(*qdisc);
		spin_unlock_bh(qdisc_lock(*qdisc));
	}
}

// Unlike the kernel, which waits for who sends by a queue that goes: nobody is in the middle of that while a
// command of the world's runs.
int netif_set_real_num_tx_queues(net_device &dev, u32 txq)
{
	TRACE(dev);
	if (txq < 1 || txq > dev._tx.size())
		return -EINVAL;

	const bool disabling = txq < dev.real_num_tx_queues;

	dev.real_num_tx_queues = txq;
	if (disabling && dev.reg_state != NETREG_UNINITIALIZED) {
		qdisc_reset_all_tx_gt(dev, txq);
		netif_reset_xps_queues_gt(dev, static_cast<u16>(txq));
	}
	return 0;
}

int netif_set_real_num_rx_queues(net_device &dev, u32 rxq)
{
	TRACE(dev);
	if (rxq < 1 || rxq > dev._rx.size())
		return -EINVAL;
	if (dev.reg_state == NETREG_REGISTERED)
		net_rx_queue_update_kobjects(dev, dev.num_rx_queues, rxq);
	dev.num_rx_queues = rxq;
	return 0;
}

} // namespace skbwalk
