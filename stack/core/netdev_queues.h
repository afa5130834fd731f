// SPDX-License-Identifier: GPL-2.0-only
//
// The queues of a device (net/core/dev.c, net-sysfs.c): how many it has and uses, and which of them a packet
// leaves by (XPS). Each cpu, or each receive queue that a socket's packets came by, has a map of transmit
// queues, among which a flow's hash chooses.
//
//   cpu that sends                      -> XPS_CPUS -> attr_map[cpu]      -> queues
//   queue that the socket receives from -> XPS_RXQS -> attr_map[rx queue] -> queues
//
// Unlike the kernel's num_rx_queues, net_device's are those in use; as many as _rx has there are.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/kernel/cpumask.h"

namespace skbwalk {

enum xps_map_type : u8 { XPS_CPUS, XPS_RXQS };

// Its memory lasts for `alloc_len` queues; one that needs more becomes another map.
constexpr std::size_t XPS_MIN_MAP_ALLOC = 20;
struct xps_map {
	std::size_t alloc_len = XPS_MIN_MAP_ALLOC;
	std::vector<u16> queues;
};
// Maps stand in the old ones and the new as long as those are read.
struct xps_dev_maps {
	std::vector<std::shared_ptr<xps_map>> attr_map; // by cpu, or by receive queue
};
struct xps_of_host {
	int needed = 0; // the static keys xps_needed and xps_rxqs_needed
	int rxqs_needed = 0;
	// net_device::xps_maps; a device that has none is not here.
	std::map<const net_device *, std::array<std::shared_ptr<xps_dev_maps>, 2>> maps;
};
extern perhost<xps_of_host> xps;

// Null: none.
xps_dev_maps *xps_maps(const net_device &dev, xps_map_type type);

// The word is napi_id's on the way in (a union in the kernel).
inline u32 &sender_cpu(sk_buff &skb) { return skb.napi_id; } // plus one

inline int sk_rx_queue_get(const sock *sk)
{
	return sk && sk->skc_rx_queue_mapping != 0xffff ? sk->skc_rx_queue_mapping : -1;
}

net_device *alloc_netdev_mqs(net &net, std::string name, void (*setup)(net_device &dev), u32 txqs, u32 rxqs);
void end_threads_of(net_device &dev); // those that poll its queues
int netif_set_xps_queue(net_device &dev, cpumask mask, u16 index);
int __netif_set_xps_queue(net_device &dev, cpumask mask, u16 index, xps_map_type type);
void netif_reset_xps_queues_gt(net_device &dev, u16 index);
int netif_set_real_num_tx_queues(net_device &dev, u32 txq);
int netif_set_real_num_rx_queues(net_device &dev, u32 rxq);

// /sys/class/net/DEV/queues/tx-N/xps_cpus and xps_rxqs: 0, and what is shown is put behind `text`; or -errno.
int xps_cpus_show(const net_device &dev, u16 index, std::string &text);
int xps_cpus_store(net_device &dev, u16 index, std::string_view text);
int xps_rxqs_show(const net_device &dev, u16 index, std::string &text);
int xps_rxqs_store(net_device &dev, u16 index, std::string_view text);

} // namespace skbwalk
